
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The fuzz targets.  A target is one fuzz_NAME.c with
 *
 *     void ngx_codat_fuzz_NAME(const u_char *data, size_t len);
 *
 * which treats the bytes as input, and ends the process if something is not
 * as it has to be.  libFuzzer calls it through NGX_CODAT_FUZZ_TARGET(NAME);
 * the unit tests call those of the rings 0 and 1 with what is kept in
 * t/fuzz/regress/NAME/.
 */


#ifndef _NGX_CODAT_FUZZ_H_INCLUDED_
#define _NGX_CODAT_FUZZ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the bytes of an input, taken from its front */
typedef struct {
    const u_char  *pos;
    const u_char  *end;
} ngx_codat_fuzz_t;


/* Ends the process if the condition does not hold. */

#define ngx_codat_fuzz_want(condition)                                        \
    if (!(condition)) {                                                       \
        ngx_codat_fuzz_failed(__FILE__, __LINE__, #condition);                \
    }

void ngx_codat_fuzz_failed(const char *file, int line, const char *what);


/* A pool; an alert in its log is a failure. */
ngx_pool_t *ngx_codat_fuzz_pool(void);

/* How many bytes are left. */
#define ngx_codat_fuzz_left(fuzz)  ((size_t) ((fuzz)->end - (fuzz)->pos))

/* The next byte, or 0 at the end; the next bytes as a number. */
ngx_uint_t ngx_codat_fuzz_byte(ngx_codat_fuzz_t *fuzz);
uint64_t ngx_codat_fuzz_number(ngx_codat_fuzz_t *fuzz, ngx_uint_t bytes);

/*
 * A copy of the next bytes, at most len of them, in a block of the heap of
 * exactly that size, so that a read behind it is seen; or of all there are up
 * to the next zero byte, which is taken too.  Freed with the pool.
 */
ngx_str_t ngx_codat_fuzz_bytes(ngx_codat_fuzz_t *fuzz, ngx_pool_t *pool,
    size_t len);
ngx_str_t ngx_codat_fuzz_text(ngx_codat_fuzz_t *fuzz, ngx_pool_t *pool);
ngx_str_t ngx_codat_fuzz_rest(ngx_codat_fuzz_t *fuzz, ngx_pool_t *pool);

/* A copy of any bytes in a block of their own, as above. */
ngx_str_t ngx_codat_fuzz_copy(ngx_pool_t *pool, const void *data,
    size_t len);

/* 1 if both are the same bytes. */
ngx_uint_t ngx_codat_fuzz_same(const ngx_str_t *one, const ngx_str_t *two);

/* The log, whose alerts are failures. */
ngx_log_t *ngx_codat_fuzz_log(void);


#ifdef NGX_CODAT_FUZZ_LIBFUZZER

#define NGX_CODAT_FUZZ_TARGET(name)                                           \
    void ngx_codat_fuzz_##name(const u_char *data, size_t len);               \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);              \
                                                                              \
    int                                                                       \
    LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)                   \
    {                                                                         \
        ngx_codat_fuzz_##name(data, len);                                     \
        return 0;                                                             \
    }                                                                         \
                                                                              \
    void                                                                      \
    ngx_codat_fuzz_##name(const u_char *data, size_t len)

#else

#define NGX_CODAT_FUZZ_TARGET(name)                                           \
    void ngx_codat_fuzz_##name(const u_char *data, size_t len);               \
                                                                              \
    void                                                                      \
    ngx_codat_fuzz_##name(const u_char *data, size_t len)

#endif


#endif /* _NGX_CODAT_FUZZ_H_INCLUDED_ */
