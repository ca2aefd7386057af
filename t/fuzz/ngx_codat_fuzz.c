
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * What all fuzz targets have in common, see ngx_codat_fuzz.h: a core of nginx
 * that is set up as far as rings 0 and 1 need it, and inputs taken apart.
 */


#include "ngx_codat_fuzz.h"


static void ngx_codat_fuzz_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);
static void ngx_codat_fuzz_release(void *data);


void
ngx_codat_fuzz_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
    fflush(stderr);
    abort();
}


static void
ngx_codat_fuzz_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    if (level <= NGX_LOG_ALERT) {
        fprintf(stderr, "%.*s", (int) len, buf);
        fflush(stderr);
        abort();
    }
}


ngx_log_t *
ngx_codat_fuzz_log(void)
{
    static ngx_log_t  log;

    log.log_level = NGX_LOG_INFO;
    log.writer = ngx_codat_fuzz_writer;

    return &log;
}


ngx_pool_t *
ngx_codat_fuzz_pool(void)
{
    ngx_log_t           *log;
    ngx_pool_t          *pool;

    static ngx_cycle_t   cycle;

    log = ngx_codat_fuzz_log();

    /* within nginx, or after ngx_init_cycle(), there is one */

    if (ngx_cycle == NULL) {
        cycle.log = log;
        ngx_cycle = &cycle;

        ngx_strerror_init();
        ngx_time_init();

        ngx_pagesize = (ngx_uint_t) getpagesize();
        ngx_cacheline_size = NGX_CPU_CACHE_LINE;
        ngx_pid = ngx_getpid();
        ngx_ncpu = 1;

        for (ngx_pagesize_shift = 0;
             ((ngx_uint_t) 1 << ngx_pagesize_shift) < ngx_pagesize;
             ngx_pagesize_shift++)
        {
            /* void */
        }

        ngx_slab_sizes_init();
        ngx_crc32_table_init();
    }

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);
    ngx_codat_fuzz_want(pool != NULL);

    return pool;
}


ngx_uint_t
ngx_codat_fuzz_byte(ngx_codat_fuzz_t *fuzz)
{
    return fuzz->pos < fuzz->end ? *fuzz->pos++ : 0;
}


uint64_t
ngx_codat_fuzz_number(ngx_codat_fuzz_t *fuzz, ngx_uint_t bytes)
{
    uint64_t  n;

    n = 0;

    while (bytes--) {
        n = (n << 8) | ngx_codat_fuzz_byte(fuzz);
    }

    return n;
}


ngx_str_t
ngx_codat_fuzz_bytes(ngx_codat_fuzz_t *fuzz, ngx_pool_t *pool, size_t len)
{
    ngx_str_t  s;

    len = ngx_min(len, ngx_codat_fuzz_left(fuzz));

    s = ngx_codat_fuzz_copy(pool, fuzz->pos, len);
    fuzz->pos += len;

    return s;
}


ngx_str_t
ngx_codat_fuzz_text(ngx_codat_fuzz_t *fuzz, ngx_pool_t *pool)
{
    ngx_str_t      s;
    const u_char  *end;

    end = ngx_codat_fuzz_left(fuzz)
          ? memchr(fuzz->pos, 0, ngx_codat_fuzz_left(fuzz)) : NULL;

    if (end == NULL) {
        return ngx_codat_fuzz_rest(fuzz, pool);
    }

    s = ngx_codat_fuzz_copy(pool, fuzz->pos, (size_t) (end - fuzz->pos));
    fuzz->pos = end + 1;

    return s;
}


ngx_str_t
ngx_codat_fuzz_rest(ngx_codat_fuzz_t *fuzz, ngx_pool_t *pool)
{
    return ngx_codat_fuzz_bytes(fuzz, pool, ngx_codat_fuzz_left(fuzz));
}


ngx_str_t
ngx_codat_fuzz_copy(ngx_pool_t *pool, const void *data, size_t len)
{
    ngx_str_t            s;
    ngx_pool_cleanup_t  *cln;

    s.len = len;
    s.data = malloc(len ? len : 1);
    ngx_codat_fuzz_want(s.data != NULL);

    if (len) {
        ngx_memcpy(s.data, data, len);
    }

    cln = ngx_pool_cleanup_add(pool, 0);
    ngx_codat_fuzz_want(cln != NULL);

    cln->handler = ngx_codat_fuzz_release;
    cln->data = s.data;

    return s;
}


static void
ngx_codat_fuzz_release(void *data)
{
    free(data);
}


ngx_uint_t
ngx_codat_fuzz_same(const ngx_str_t *one, const ngx_str_t *two)
{
    return one->len == two->len
           && (one->len == 0
               || ngx_memcmp(one->data, two->data, one->len) == 0);
}
