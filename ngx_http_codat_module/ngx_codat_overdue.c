
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  See ngx_codat_overdue.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_cell.h"
#include "ngx_codat_overdue.h"


ngx_int_t
ngx_codat_overdue(ngx_codat_zone_t *zone, time_t age, ngx_uint_t rate,
    ngx_codat_copy_t *copy)
{
    uint32_t              now;
    ngx_codat_row_t      *row;
    ngx_codat_zone_sh_t  *sh;

    now = (uint32_t) ngx_time();
    sh = zone->sh;

    ngx_codat_zone_lock(zone);

    if (sh->asked_at != now) {
        sh->asked_at = now;
        sh->asked = 0;
    }

    row = NULL;

    if (sh->asked < rate) {
        row = ngx_codat_cell_row(sh,
                                 sh->queues[NGX_CODAT_QUEUE_PENDING].oldest);
    }

    if (row == NULL || now < row->touched
        || (time_t) (now - row->touched) < age)
    {
        ngx_codat_zone_unlock(zone);
        return NGX_DECLINED;
    }

    sh->asked++;

    ngx_codat_cell_touch_locked(sh, row, NGX_CODAT_QUEUE_PENDING, now);
    ngx_codat_table_copy_locked(zone, row, copy);

    ngx_codat_zone_unlock(zone);

    ngx_codat_table_unpack(copy);

    return NGX_OK;
}
