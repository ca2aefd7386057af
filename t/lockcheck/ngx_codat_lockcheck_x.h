
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * What may not be called while a zone is locked: it allocates, logs, hashes,
 * renders, waits or asks the kernel.  X(type, name, parameters, arguments).
 */


/* memory that is not the zone's */
X(void *, ngx_palloc, (ngx_pool_t *a, size_t b), (a, b))
X(void *, ngx_pnalloc, (ngx_pool_t *a, size_t b), (a, b))
X(void *, ngx_pcalloc, (ngx_pool_t *a, size_t b), (a, b))
X(void *, ngx_pmemalign, (ngx_pool_t *a, size_t b, size_t c), (a, b, c))
X(ngx_int_t, ngx_pfree, (ngx_pool_t *a, void *b), (a, b))
X(ngx_pool_t *, ngx_create_pool, (size_t a, ngx_log_t *b), (a, b))
X(void, ngx_destroy_pool, (ngx_pool_t *a), (a))
X(void, ngx_reset_pool, (ngx_pool_t *a), (a))
X(ngx_pool_cleanup_t *, ngx_pool_cleanup_add, (ngx_pool_t *a, size_t b), (a, b))
X(void *, ngx_alloc, (size_t a, ngx_log_t *b), (a, b))
X(void *, ngx_calloc, (size_t a, ngx_log_t *b), (a, b))
X(void *, ngx_memalign, (size_t a, size_t b, ngx_log_t *c), (a, b, c))
X(void *, ngx_slab_alloc, (ngx_slab_pool_t *a, size_t b), (a, b))
X(void *, ngx_slab_calloc, (ngx_slab_pool_t *a, size_t b), (a, b))
X(void *, ngx_slab_alloc_locked, (ngx_slab_pool_t *a, size_t b), (a, b))
X(void *, ngx_slab_calloc_locked, (ngx_slab_pool_t *a, size_t b), (a, b))
X(void, ngx_slab_free, (ngx_slab_pool_t *a, void *b), (a, b))
X(void, ngx_slab_free_locked, (ngx_slab_pool_t *a, void *b), (a, b))
X(void *, malloc, (size_t a), (a))
X(void *, calloc, (size_t a, size_t b), (a, b))
X(void *, realloc, (void *a, size_t b), (a, b))
X(void, free, (void *a), (a))

/* a system call */
X(ssize_t, read, (int a, void *b, size_t c), (a, b, c))
X(ssize_t, write, (int a, const void *b, size_t c), (a, b, c))
X(ssize_t, readv, (int a, const struct iovec *b, int c), (a, b, c))
X(ssize_t, writev, (int a, const struct iovec *b, int c), (a, b, c))
X(ssize_t, pread64, (int a, void *b, size_t c, off_t d), (a, b, c, d))
X(ssize_t, pwrite64, (int a, const void *b, size_t c, off_t d), (a, b, c, d))
X(ssize_t, recv, (int a, void *b, size_t c, int d), (a, b, c, d))
X(ssize_t, send, (int a, const void *b, size_t c, int d), (a, b, c, d))
X(ssize_t, recvmsg, (int a, struct msghdr *b, int c), (a, b, c))
X(ssize_t, sendmsg, (int a, const struct msghdr *b, int c), (a, b, c))
X(ssize_t, sendfile64, (int a, int b, off_t *c, size_t d), (a, b, c, d))
X(int, socket, (int a, int b, int c), (a, b, c))
X(int, connect, (int a, const struct sockaddr *b, socklen_t c), (a, b, c))
X(int, accept4, (int a, struct sockaddr *b, socklen_t *c, int d), (a, b, c, d))
X(int, shutdown, (int a, int b), (a, b))
X(int, close, (int a), (a))
X(int, stat64, (const char *a, struct stat *b), (a, b))
X(int, fstat64, (int a, struct stat *b), (a, b))
X(int, unlink, (const char *a), (a))
X(int, rename, (const char *a, const char *b), (a, b))
X(int, ftruncate64, (int a, off_t b), (a, b))
X(int, fsync, (int a), (a))
X(int, fdatasync, (int a), (a))
X(void *, mmap64, (void *a, size_t b, int c, int d, int e, off_t f), \
  (a, b, c, d, e, f))
X(int, munmap, (void *a, size_t b), (a, b))
X(int, poll, (struct pollfd *a, nfds_t b, int c), (a, b, c))
X(int, epoll_wait, (int a, struct epoll_event *b, int c, int d), (a, b, c, d))
X(int, epoll_ctl, (int a, int b, int c, struct epoll_event *d), (a, b, c, d))
X(int, eventfd_write, (int a, eventfd_t b), (a, b))
X(int, usleep, (useconds_t a), (a))
X(unsigned, sleep, (unsigned a), (a))
X(int, nanosleep, (const struct timespec *a, struct timespec *b), (a, b))
X(int, sigsuspend, (const sigset_t *a), (a))
X(pid_t, fork, (void), ())
X(int, getaddrinfo, (const char *a, const char *b, \
  const struct addrinfo *c, struct addrinfo **d), (a, b, c, d))

/* hashing, random numbers, parsing */
X(int, EVP_MAC_init, (EVP_MAC_CTX *a, const u_char *b, size_t c, \
  const OSSL_PARAM *d), (a, b, c, d))
X(int, EVP_MAC_update, (EVP_MAC_CTX *a, const u_char *b, size_t c), (a, b, c))
X(int, EVP_DigestVerify, (EVP_MD_CTX *a, const u_char *b, size_t c, \
  const u_char *d, size_t e), (a, b, c, d, e))
X(int, RAND_bytes, (u_char *a, int b), (a, b))
X(yajl_status, yajl_parse, (yajl_handle a, const u_char *b, size_t c), \
  (a, b, c))

/* a request goes on */
X(ngx_int_t, ngx_http_send_header, (ngx_http_request_t *a), (a))
X(ngx_int_t, ngx_http_output_filter, (ngx_http_request_t *a, ngx_chain_t *b), \
  (a, b))
X(void, ngx_http_finalize_request, (ngx_http_request_t *a, ngx_int_t b), \
  (a, b))
X(void, ngx_http_run_posted_requests, (ngx_connection_t *a), (a))
X(ngx_int_t, ngx_http_internal_redirect, (ngx_http_request_t *a, \
  ngx_str_t *b, ngx_str_t *c), (a, b, c))
