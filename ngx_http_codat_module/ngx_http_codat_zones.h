
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the walk over the zones of a configuration.
 */


#ifndef _NGX_HTTP_CODAT_ZONES_H_INCLUDED_
#define _NGX_HTTP_CODAT_ZONES_H_INCLUDED_


#include "ngx_http_codat.h"


/* zeroed before the first step */

typedef struct {
    ngx_list_part_t   *part;
    ngx_uint_t         i;
} ngx_http_codat_zones_t;


/*
 * The next zone that a codat_zone has declared so far, not one that was only
 * named; its data is an ngx_codat_zone_t.  Returns NULL behind the last.
 */
ngx_shm_zone_t *ngx_http_codat_zones_next(ngx_cycle_t *cycle,
    ngx_http_codat_zones_t *zones);


#endif /* _NGX_HTTP_CODAT_ZONES_H_INCLUDED_ */
