
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the reading of compressed texts, see ngx_codat_inflate.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <zlib.h>

#include "ngx_codat_inflate.h"


#define NGX_CODAT_INFLATE_PIECE  4096

/* what is longer is not a text, but made to keep us busy */
#define NGX_CODAT_INFLATE_MAX    (64 * 1024 * 1024)


struct ngx_codat_inflate_s {
    z_stream    stream;
    size_t      read;
    unsigned    done:1;
    unsigned    broken:1;
};


static void *ngx_codat_inflate_alloc(void *opaque, u_int items, u_int size);
static void ngx_codat_inflate_free(void *opaque, void *address);
static void ngx_codat_inflate_cleanup(void *data);


ngx_codat_inflate_t *
ngx_codat_inflate_create(ngx_pool_t *pool)
{
    ngx_pool_cleanup_t   *cln;
    ngx_codat_inflate_t  *z;

    z = ngx_pcalloc(pool, sizeof(ngx_codat_inflate_t));
    cln = ngx_pool_cleanup_add(pool, 0);

    if (z == NULL || cln == NULL) {
        return NULL;
    }

    z->stream.zalloc = ngx_codat_inflate_alloc;
    z->stream.zfree = ngx_codat_inflate_free;
    z->stream.opaque = pool;

    /* with the head and the tail of gzip */

    if (inflateInit2(&z->stream, MAX_WBITS + 16) != Z_OK) {
        return NULL;
    }

    cln->handler = ngx_codat_inflate_cleanup;
    cln->data = z;

    return z;
}


ngx_int_t
ngx_codat_inflate_read(ngx_codat_inflate_t *z, const u_char *p, size_t len,
    ngx_codat_inflate_pt handler, void *data)
{
    int        rc;
    size_t     n;
    u_char     piece[NGX_CODAT_INFLATE_PIECE];
    z_stream  *stream;

    stream = &z->stream;

    stream->next_in = (u_char *) (uintptr_t) p;
    stream->avail_in = (u_int) len;

    do {

        if (z->done) {
            return z->broken ? NGX_DECLINED : NGX_OK;
        }

        stream->next_out = piece;
        stream->avail_out = sizeof(piece);

        rc = inflate(stream, Z_SYNC_FLUSH);

        n = sizeof(piece) - stream->avail_out;
        z->read += n;

        if ((rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            || z->read > NGX_CODAT_INFLATE_MAX)
        {
            z->done = 1;
            z->broken = 1;
            return NGX_DECLINED;
        }

        if (n) {
            handler(data, piece, n);
        }

        if (rc == Z_STREAM_END) {
            z->done = 1;
        }

    } while (rc == Z_OK && (stream->avail_in || stream->avail_out == 0));

    return NGX_OK;
}


static void *
ngx_codat_inflate_alloc(void *opaque, u_int items, u_int size)
{
    ngx_pool_t *pool = opaque;

    return ngx_palloc(pool, (size_t) items * size);
}


static void
ngx_codat_inflate_free(void *opaque, void *address)
{
    /* the pool frees it */
}


static void
ngx_codat_inflate_cleanup(void *data)
{
    ngx_codat_inflate_t *z = data;

    (void) inflateEnd(&z->stream);
}
