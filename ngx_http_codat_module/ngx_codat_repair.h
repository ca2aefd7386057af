
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the repair of a zone: all links made anew from what the cells
 * themselves say.
 */


#ifndef _NGX_CODAT_REPAIR_H_INCLUDED_
#define _NGX_CODAT_REPAIR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_zone.h"


/*
 * Makes index, queues, lists, groups and the list of free cells anew, after
 * a worker was killed while it changed them, or of an empty zone.  Takes time
 * in proportion to the cells in use, and for that time eight bytes of memory
 * for each row; without them it takes longer.  With the zone's lock.
 */
void ngx_codat_repair_locked(ngx_codat_zone_sh_t *sh);

/* The same with memory for so many keys, two at least. */
void ngx_codat_repair_with_locked(ngx_codat_zone_sh_t *sh, uint64_t *keys,
    size_t size);


#endif /* _NGX_CODAT_REPAIR_H_INCLUDED_ */
