
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the care for a zone with a store: one worker at a time, by a
 * lease in the zone, brings back what an earlier nginx has stored, follows
 * what others write, drops what is old, and asks for figures.
 */


#ifndef _NGX_HTTP_CODAT_KEEP_H_INCLUDED_
#define _NGX_HTTP_CODAT_KEEP_H_INCLUDED_


#include "ngx_http_codat.h"


typedef struct ngx_http_codat_keep_s  ngx_http_codat_keep_t;


/*
 * Of a worker and a zone; "owner" names the worker.  What the one before it,
 * if it has died, had claimed is given back.  NULL without memory.
 */
ngx_http_codat_keep_t *ngx_http_codat_keep_create(ngx_pool_t *pool,
    ngx_codat_zone_t *zone, uint64_t owner);

/* Once a second.  Starts what is due if this worker has the lease. */
void ngx_http_codat_keep_tick(ngx_http_codat_keep_t *keep);

/* Gives back what a worker has claimed. */
void ngx_http_codat_keep_release(ngx_codat_zone_t *zone, uint64_t owner);

/* Gives the lease back, so that another worker has not to wait for its end. */
void ngx_http_codat_keep_leave(ngx_http_codat_keep_t *keep);

/*
 * Whether the store failed in the last ten seconds, and has written nothing
 * since.
 */
ngx_uint_t ngx_http_codat_keep_failing(ngx_codat_zone_t *zone);

/* Units that wait for the store, in all workers, as of a second ago. */
ngx_uint_t ngx_http_codat_keep_waiting(ngx_codat_zone_t *zone);


#endif /* _NGX_HTTP_CODAT_KEEP_H_INCLUDED_ */
