
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the order in which a full zone forgets.
 */


#ifndef _NGX_CODAT_EVICT_H_INCLUDED_
#define _NGX_CODAT_EVICT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_zone.h"


/*
 * Makes room for n cells, and forgets rows if need be: the least recently
 * used of the most disposable queue first, never "keep" nor deliveries that
 * are being worked on.  Looks at a bounded number of rows.  Returns NGX_OK,
 * or NGX_DECLINED if there is no room.
 */
ngx_int_t ngx_codat_evict_locked(ngx_codat_zone_t *zone, ngx_uint_t n,
    const ngx_codat_row_t *keep, uint32_t now);

/*
 * Forgets a few rows that are final, or gone, for longer than the zone is to
 * retain them, but not "keep".
 */
void ngx_codat_evict_old_locked(ngx_codat_zone_t *zone,
    const ngx_codat_row_t *keep, uint32_t now);

/*
 * 1 if a row is final, or gone, for longer than the zone is to retain it: it
 * is no longer there for readers, though nobody has dropped it yet.
 */
ngx_uint_t ngx_codat_evict_over(ngx_codat_zone_t *zone,
    const ngx_codat_row_t *row, uint32_t now);

/* Drops a row, and what goes with it. */
void ngx_codat_evict_row_locked(ngx_codat_zone_t *zone,
    ngx_codat_row_t *row);


#endif /* _NGX_CODAT_EVICT_H_INCLUDED_ */
