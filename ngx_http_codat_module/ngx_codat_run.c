
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the free cells, see ngx_codat_run.h.  There is a list of runs
 * for each length, linked through the first cell of each.  Runs that are
 * split grow together again only in a repair.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_run.h"


static uint32_t ngx_codat_run_pop(ngx_codat_zone_sh_t *sh, ngx_uint_t n);
static void ngx_codat_run_push(ngx_codat_zone_sh_t *sh, uint32_t i,
    ngx_uint_t n);


#define ngx_codat_run_list(sh, n)  (sh)->free[(n) - 1]


uint32_t
ngx_codat_run_room(ngx_codat_zone_sh_t *sh)
{
    return sh->nfree + (sh->ncells - sh->fresh);
}


uint32_t
ngx_codat_run_take_locked(ngx_codat_zone_sh_t *sh, ngx_uint_t *n)
{
    uint32_t    i, left;
    ngx_uint_t  len;

    *n = ngx_min(*n, NGX_CODAT_ZONE_RUN);

    if (ngx_codat_run_list(sh, *n) != NGX_CODAT_ZONE_NONE) {
        return ngx_codat_run_pop(sh, *n);
    }

    left = sh->ncells - sh->fresh;

    if (left >= *n) {
        i = sh->fresh;
        sh->fresh += (uint32_t) *n;
        return i;
    }

    for (len = *n + 1; len <= NGX_CODAT_ZONE_RUN; len++) {

        if (ngx_codat_run_list(sh, len) != NGX_CODAT_ZONE_NONE) {
            i = ngx_codat_run_pop(sh, len);
            ngx_codat_run_push(sh, i + (uint32_t) *n, len - *n);
            return i;
        }
    }

    for (len = *n - 1; len > 0; len--) {

        if (ngx_codat_run_list(sh, len) != NGX_CODAT_ZONE_NONE) {
            *n = len;
            return ngx_codat_run_pop(sh, len);
        }
    }

    if (left) {
        i = sh->fresh;
        sh->fresh += left;
        *n = left;
        return i;
    }

    return NGX_CODAT_ZONE_NONE;
}


void
ngx_codat_run_free_locked(ngx_codat_zone_sh_t *sh, uint32_t i, ngx_uint_t n)
{
    ngx_uint_t  k;

    for (k = 0; k < n; k++) {
        sh->cells[i + k].kind = NGX_CODAT_ROW_FREE;
    }

    ngx_memory_barrier();

    ngx_codat_run_push(sh, i, n);
}


static uint32_t
ngx_codat_run_pop(ngx_codat_zone_sh_t *sh, ngx_uint_t n)
{
    uint32_t  i;

    i = ngx_codat_run_list(sh, n);

    ngx_codat_run_list(sh, n) = sh->cells[i].next;
    sh->nfree -= (uint32_t) n;

    return i;
}


static void
ngx_codat_run_push(ngx_codat_zone_sh_t *sh, uint32_t i, ngx_uint_t n)
{
    sh->cells[i].next = ngx_codat_run_list(sh, n);

    ngx_codat_run_list(sh, n) = i;
    sh->nfree += (uint32_t) n;
}
