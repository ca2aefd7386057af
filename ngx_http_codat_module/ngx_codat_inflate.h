
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the reading of compressed texts, in pieces as they pass by.
 * What zlib needs lies in the caller's pool.
 */


#ifndef _NGX_CODAT_INFLATE_H_INCLUDED_
#define _NGX_CODAT_INFLATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_codat_inflate_s  ngx_codat_inflate_t;

/* Called with what was compressed, a piece at a time. */
typedef void (*ngx_codat_inflate_pt)(void *data, const u_char *p, size_t len);


/* Starts a text in the format of gzip.  Returns NULL if memory is out. */
ngx_codat_inflate_t *ngx_codat_inflate_create(ngx_pool_t *pool);

/*
 * Reads on.  Returns NGX_OK, or NGX_DECLINED if this is not compressed as it
 * should be, or is too long to be a text of anybody's: then, and ever after,
 * no more is read.
 */
ngx_int_t ngx_codat_inflate_read(ngx_codat_inflate_t *z, const u_char *p,
    size_t len, ngx_codat_inflate_pt handler, void *data);


#endif /* _NGX_CODAT_INFLATE_H_INCLUDED_ */
