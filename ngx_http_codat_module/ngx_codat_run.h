
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns which cells of a zone are free.  Those that lie side by side
 * are kept together as runs, so that a row and its record can lie in one
 * place: whoever waits for one has the other.  Does not know what is in a
 * cell that is not free.  All of it needs the zone's lock.
 */


#ifndef _NGX_CODAT_RUN_H_INCLUDED_
#define _NGX_CODAT_RUN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_zone.h"


/* How many cells are free. */
uint32_t ngx_codat_run_room(ngx_codat_zone_sh_t *sh);

/*
 * Takes cells that lie side by side: *n of them, or at most
 * NGX_CODAT_ZONE_RUN, or fewer if there is no such run; sets *n to how many.
 * Returns the first, or NGX_CODAT_ZONE_NONE if no cell is free.
 */
uint32_t ngx_codat_run_take_locked(ngx_codat_zone_sh_t *sh, ngx_uint_t *n);

/* Frees n cells, at most NGX_CODAT_ZONE_RUN, from "i" on. */
void ngx_codat_run_free_locked(ngx_codat_zone_sh_t *sh, uint32_t i,
    ngx_uint_t n);


#endif /* _NGX_CODAT_RUN_H_INCLUDED_ */
