
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Compressed texts: whole whatever the pieces in which they come, and what is
 * not compressed as it should be, or is made to keep us busy.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_inflate.h"

#include <zlib.h>


#define NGX_CODAT_UNIT_INFLATED  30000

/* of what a bomb holds, a little more than is read */
#define NGX_CODAT_UNIT_BOMB      (65 * 1024 * 1024)


typedef struct {
    u_char  *p;
    u_char  *end;
    size_t   read;
} ngx_codat_unit_inflated_t;


static void ngx_codat_unit_text(u_char *text, size_t len);
static size_t ngx_codat_unit_gzip(u_char *out, size_t room, u_char *text,
    size_t len, size_t times);
static void ngx_codat_unit_inflated(void *data, const u_char *p, size_t len);
static ngx_int_t ngx_codat_unit_unzip(ngx_pool_t *pool, u_char *zipped,
    size_t len, size_t piece, ngx_codat_unit_inflated_t *to);


/* what nobody can compress much, with runs in it that one can */

static void
ngx_codat_unit_text(u_char *text, size_t len)
{
    size_t    i;
    uint32_t  seed;

    seed = 1;

    for (i = 0; i < len; i++) {
        seed = seed * 1103515245 + 12345;
        text[i] = (i / 1000) % 3 ? (u_char) (seed >> 16) : 'x';
    }
}


static size_t
ngx_codat_unit_gzip(u_char *out, size_t room, u_char *text, size_t len,
    size_t times)
{
    z_stream  z;

    memset(&z, 0, sizeof(z));

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8,
                                  Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = out;
    z.avail_out = (u_int) room;

    while (times--) {
        z.next_in = text;
        z.avail_in = (u_int) len;

        assert_int_equal(deflate(&z, times ? Z_NO_FLUSH : Z_FINISH),
                         times ? Z_OK : Z_STREAM_END);
        assert_int_equal(z.avail_in, 0);
    }

    assert_int_equal(deflateEnd(&z), Z_OK);

    return room - z.avail_out;
}


static void
ngx_codat_unit_inflated(void *data, const u_char *p, size_t len)
{
    ngx_codat_unit_inflated_t *to = data;

    assert_true(len > 0);

    to->read += len;

    if (to->p == NULL) {
        return;
    }

    assert_true(len <= (size_t) (to->end - to->p));

    to->p = ngx_cpymem(to->p, p, len);
}


static ngx_int_t
ngx_codat_unit_unzip(ngx_pool_t *pool, u_char *zipped, size_t len,
    size_t piece, ngx_codat_unit_inflated_t *to)
{
    size_t                n;
    ngx_int_t             rc;
    ngx_codat_inflate_t  *z;

    z = ngx_codat_inflate_create(pool);
    assert_non_null(z);

    rc = NGX_OK;

    while (len && rc == NGX_OK) {
        n = ngx_min(piece, len);

        rc = ngx_codat_inflate_read(z, zipped, n, ngx_codat_unit_inflated,
                                    to);
        zipped += n;
        len -= n;
    }

    if (rc == NGX_DECLINED) {

        /* ever after, whatever comes */

        n = to->read;

        assert_int_equal(ngx_codat_inflate_read(z, (u_char *) "x", 1,
                                                ngx_codat_unit_inflated, to),
                         NGX_DECLINED);
        assert_int_equal(to->read, n);
    }

    return rc;
}


static void
test_pieces(void **state)
{
    size_t                     i, len, piece;
    ngx_pool_t                *pool;
    ngx_codat_unit_inflated_t  to;
    static u_char              text[NGX_CODAT_UNIT_INFLATED],
                               zipped[2 * NGX_CODAT_UNIT_INFLATED],
                               out[NGX_CODAT_UNIT_INFLATED];

    /* around the size of a piece that is read, too */

    static const size_t        sizes[] = {
        0, 1, 100, 4095, 4096, 4097, 8192, NGX_CODAT_UNIT_INFLATED
    };

    (void) state;

    ngx_codat_unit_text(text, sizeof(text));

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {

        len = ngx_codat_unit_gzip(zipped, sizeof(zipped), text, sizes[i], 1);

        for (piece = 1; piece <= len; piece = piece * 3 + 1) {

            pool = ngx_codat_unit_pool();

            to.p = out;
            to.end = out + sizeof(out);
            to.read = 0;

            assert_int_equal(ngx_codat_unit_unzip(pool, zipped, len, piece,
                                                    &to),
                             NGX_OK);
            assert_int_equal(to.read, sizes[i]);
            assert_memory_equal(out, text, sizes[i]);

            ngx_destroy_pool(pool);
        }
    }
}


/* what follows a text is not read, and does no harm */

static void
test_behind(void **state)
{
    size_t                     len;
    u_char                     zipped[256], out[16], text[] = "text";
    ngx_pool_t                *pool;
    ngx_codat_unit_inflated_t  to;

    (void) state;

    len = ngx_codat_unit_gzip(zipped, sizeof(zipped), text, 4, 1);
    memset(&zipped[len], 'z', 20);

    pool = ngx_codat_unit_pool();

    to.p = out;
    to.end = out + sizeof(out);
    to.read = 0;

    assert_int_equal(ngx_codat_unit_unzip(pool, zipped, len + 20, 7, &to),
                     NGX_OK);
    assert_int_equal(to.read, 4);
    assert_memory_equal(out, "text", 4);

    ngx_destroy_pool(pool);
}


static void
test_broken(void **state)
{
    size_t                     i, len;
    u_char                     zipped[256], copy[256], text[] = "text text";
    ngx_pool_t                *pool;
    ngx_codat_unit_inflated_t  to;

    (void) state;

    len = ngx_codat_unit_gzip(zipped, sizeof(zipped), text, 9, 1);

    /* its head, and the checksum and the length in its tail */

    for (i = 0; i < len; i++) {

        if (i > 3 && i < len - 8) {
            continue;
        }

        memcpy(copy, zipped, len);
        copy[i] ^= 0xff;

        pool = ngx_codat_unit_pool();
        memset(&to, 0, sizeof(to));

        assert_int_equal(ngx_codat_unit_unzip(pool, copy, len, 1, &to),
                         NGX_DECLINED);

        ngx_destroy_pool(pool);
    }

    /* not compressed at all */

    pool = ngx_codat_unit_pool();
    memset(&to, 0, sizeof(to));

    assert_int_equal(ngx_codat_unit_unzip(pool, text, 9, 9, &to),
                     NGX_DECLINED);
    assert_int_equal(to.read, 0);

    ngx_destroy_pool(pool);
}


static void
test_bomb(void **state)
{
    size_t                      len;
    u_char                     *zipped, *text;
    ngx_pool_t                 *pool;
    ngx_codat_unit_inflated_t   to;

    (void) state;

    text = calloc(1, 1024 * 1024);
    zipped = malloc(1024 * 1024);
    assert_non_null(text);
    assert_non_null(zipped);

    len = ngx_codat_unit_gzip(zipped, 1024 * 1024, text, 1024 * 1024,
                              NGX_CODAT_UNIT_BOMB / (1024 * 1024));

    pool = ngx_codat_unit_pool();
    memset(&to, 0, sizeof(to));

    assert_int_equal(ngx_codat_unit_unzip(pool, zipped, len, len, &to),
                     NGX_DECLINED);
    assert_true(to.read <= 64 * 1024 * 1024);
    assert_true(to.read > 63 * 1024 * 1024);

    ngx_destroy_pool(pool);
    free(zipped);
    free(text);
}


int
ngx_codat_unit_inflate(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_behind),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_bomb)
    };

    return cmocka_run_group_tests_name("inflate", tests, NULL, NULL);
}
