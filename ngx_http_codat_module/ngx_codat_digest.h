
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the digest by which texts of any length become keys of rows.
 */


#ifndef _NGX_CODAT_DIGEST_H_INCLUDED_
#define _NGX_CODAT_DIGEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_zone.h"


/*
 * Digests n strings under the seed of the zone into NGX_CODAT_ZONE_KEY_LEN
 * bytes (SipHash-128).  No two lists of strings are one text.  Returns NGX_OK
 * or NGX_ERROR (OpenSSL).
 */
ngx_int_t ngx_codat_digest(ngx_codat_zone_t *zone, const ngx_str_t *parts,
    ngx_uint_t n, u_char *key);


#endif /* _NGX_CODAT_DIGEST_H_INCLUDED_ */
