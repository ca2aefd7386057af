
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns what is fetched in advance: in a large zone hardly anything
 * is in a cache of the CPU, and one read after the other would be waited for.
 * Changes nothing.
 */


#ifndef _NGX_CODAT_FETCH_H_INCLUDED_
#define _NGX_CODAT_FETCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_zone.h"


/* rows of one call of ngx_codat_fetch_rows() */
#define NGX_CODAT_FETCH_ROWS  8


/*
 * Brings nearer what will be needed of rows that have these hashes, of keys
 * and of groups (NULL, or 0: none), all of them at once, so that the lock
 * need not be held while memory is waited for.  To be called without it: what
 * is read may change at that moment, and does nothing but tell which memory to
 * fetch.
 */
void ngx_codat_fetch_rows(ngx_codat_zone_sh_t *sh, const uint32_t *hashes,
    const uint32_t *groups, ngx_uint_t n);

/* The same for a row that is going to be read. */
void ngx_codat_fetch_key(ngx_codat_zone_sh_t *sh, ngx_uint_t kind,
    const u_char *key);

/* The same for the bucket of a row; with the lock. */
void ngx_codat_fetch_bucket(ngx_codat_zone_sh_t *sh,
    const ngx_codat_row_t *row);

/* The same for the row behind an index, and for its record. */
void ngx_codat_fetch_row(ngx_codat_zone_sh_t *sh, uint32_t index,
    ngx_uint_t record);


#endif /* _NGX_CODAT_FETCH_H_INCLUDED_ */
