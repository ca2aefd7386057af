
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_zones.h"


ngx_shm_zone_t *
ngx_http_codat_zones_next(ngx_cycle_t *cycle, ngx_http_codat_zones_t *zones)
{
    ngx_shm_zone_t  *shm_zone;

    if (zones->part == NULL) {
        zones->part = &cycle->shared_memory.part;
    }

    for ( ;; ) {

        if (zones->i == zones->part->nelts) {

            if (zones->part->next == NULL) {
                return NULL;
            }

            zones->part = zones->part->next;
            zones->i = 0;

            continue;
        }

        shm_zone = zones->part->elts;
        shm_zone += zones->i++;

        if (shm_zone->tag == &ngx_http_codat_module && shm_zone->data) {
            return shm_zone;
        }
    }
}
