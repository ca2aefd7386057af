
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns eviction, see ngx_codat_evict.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_cell.h"
#include "ngx_codat_delivery.h"
#include "ngx_codat_evict.h"


/* deliveries under way looked at to find one that is not */
#define NGX_CODAT_EVICT_SCAN  32


typedef struct {
    ngx_codat_queue_e  queue;
    ngx_uint_t         share;           /* percent of all cells */
} ngx_codat_evict_class_t;


/*
 * The order of disposability.  Among what is disposable no queue is pressed
 * below its share while another one is above its own: else deliveries, which
 * are remembered for days, would leave no room for a push that has become
 * final a second ago.
 */

static const ngx_codat_evict_class_t  ngx_codat_evict_shared[] = {
    { NGX_CODAT_QUEUE_FINAL, 25 },
    { NGX_CODAT_QUEUE_DATASETS, 10 },
    { NGX_CODAT_QUEUE_GONE, 5 },
    { NGX_CODAT_QUEUE_DELIVERIES, 25 }
};


/* and that of need */

static const ngx_codat_queue_e  ngx_codat_evict_order[] = {
    NGX_CODAT_QUEUE_FINAL,
    NGX_CODAT_QUEUE_DATASETS,
    NGX_CODAT_QUEUE_GONE,
    NGX_CODAT_QUEUE_DELIVERIES,
    NGX_CODAT_QUEUE_CLIENTS,
    NGX_CODAT_QUEUE_COMPANIES,
    NGX_CODAT_QUEUE_CONNECTIONS,
    NGX_CODAT_QUEUE_PENDING
};


static ngx_codat_row_t *ngx_codat_evict_choose(ngx_codat_zone_t *zone,
    const ngx_codat_row_t *keep, uint32_t now, ngx_uint_t *expired);
static ngx_codat_row_t *ngx_codat_evict_oldest(ngx_codat_zone_t *zone,
    ngx_codat_queue_e queue, const ngx_codat_row_t *keep, uint32_t now);
static ngx_codat_row_t *ngx_codat_evict_abandoned(ngx_codat_zone_t *zone,
    uint32_t now);


#define ngx_codat_evict_count(zone, kind)                                     \
    ngx_codat_stats_add((zone)->sh->stats,                                    \
                        ngx_codat_stat_id(NGX_CODAT_STAT_EVICTED, kind,       \
                                          0, 0, 0),                           \
                        1)


ngx_int_t
ngx_codat_evict_locked(ngx_codat_zone_t *zone, ngx_uint_t n,
    const ngx_codat_row_t *keep, uint32_t now)
{
    ngx_uint_t        expired;
    ngx_codat_row_t  *row;

    /* each turn frees at least one cell */

    while (ngx_codat_cell_room(zone->sh) < n) {

        row = ngx_codat_evict_choose(zone, keep, now, &expired);

        if (row == NULL) {
            return NGX_DECLINED;
        }

        if (!expired) {
            ngx_codat_evict_count(zone, row->kind);
        }

        ngx_codat_evict_row_locked(zone, row);
    }

    return NGX_OK;
}


static ngx_codat_row_t *
ngx_codat_evict_choose(ngx_codat_zone_t *zone, const ngx_codat_row_t *keep,
    uint32_t now, ngx_uint_t *expired)
{
    uint64_t              cells;
    ngx_uint_t            i;
    ngx_codat_row_t      *row;
    ngx_codat_zone_sh_t  *sh;

    sh = zone->sh;

    *expired = 1;

    row = ngx_codat_delivery_oldest(zone, now);

    if (row) {
        return row;
    }

    *expired = 0;

    for (i = 0;
         i < sizeof(ngx_codat_evict_shared) / sizeof(ngx_codat_evict_class_t);
         i++)
    {
        cells = sh->cells_of[ngx_codat_evict_shared[i].queue];

        if (cells * 100
            <= (uint64_t) sh->ncells * ngx_codat_evict_shared[i].share)
        {
            continue;
        }

        row = ngx_codat_evict_oldest(zone, ngx_codat_evict_shared[i].queue,
                                     keep, now);
        if (row) {
            return row;
        }
    }

    for (i = 0;
         i < sizeof(ngx_codat_evict_order) / sizeof(ngx_codat_queue_e);
         i++)
    {
        row = ngx_codat_evict_oldest(zone, ngx_codat_evict_order[i], keep,
                                     now);
        if (row) {
            return row;
        }
    }

    return NULL;
}


static ngx_codat_row_t *
ngx_codat_evict_oldest(ngx_codat_zone_t *zone, ngx_codat_queue_e queue,
    const ngx_codat_row_t *keep, uint32_t now)
{
    ngx_codat_row_t  *row;

    row = ngx_codat_cell_row(zone->sh, zone->sh->queues[queue].oldest);

    if (row && row == keep) {
        row = ngx_codat_cell_row(zone->sh, row->newer);
    }

    if (row == NULL && queue == NGX_CODAT_QUEUE_DELIVERIES) {
        return ngx_codat_evict_abandoned(zone, now);
    }

    return row;
}


/* a delivery whose worker was killed */

static ngx_codat_row_t *
ngx_codat_evict_abandoned(ngx_codat_zone_t *zone, uint32_t now)
{
    ngx_uint_t        n;
    ngx_codat_row_t  *row;

    row = ngx_codat_cell_row(zone->sh,
                             zone->sh->queues[NGX_CODAT_QUEUE_RUNNING].oldest);

    for (n = 0; row && n < NGX_CODAT_EVICT_SCAN; n++) {

        if (ngx_codat_delivery_idle(row, now)) {
            return row;
        }

        row = ngx_codat_cell_row(zone->sh, row->newer);
    }

    return NULL;
}


void
ngx_codat_evict_old_locked(ngx_codat_zone_t *zone,
    const ngx_codat_row_t *keep, uint32_t now)
{
    ngx_uint_t        i;
    ngx_codat_row_t  *row;

    static const ngx_codat_queue_e  queues[] = {
        NGX_CODAT_QUEUE_FINAL,
        NGX_CODAT_QUEUE_DATASETS,
        NGX_CODAT_QUEUE_GONE
    };

    for (i = 0; i < sizeof(queues) / sizeof(ngx_codat_queue_e); i++) {

        row = ngx_codat_cell_row(zone->sh, zone->sh->queues[queues[i]].oldest);

        if (row
            && row != keep
            && now > row->touched
            && (time_t) (now - row->touched) >= zone->retain)
        {
            ngx_codat_evict_row_locked(zone, row);
        }
    }
}


/* the push first: a link that leads to nothing is found by the repair */

void
ngx_codat_evict_row_locked(ngx_codat_zone_t *zone, ngx_codat_row_t *row)
{
    ngx_uint_t        linked;
    ngx_codat_row_t  *link;
    u_char            key[NGX_CODAT_ZONE_KEY_LEN];

    linked = (row->kind == NGX_CODAT_ROW_PUSH && row->linked);

    ngx_memcpy(key, row->key, NGX_CODAT_ZONE_KEY_LEN);

    ngx_codat_cell_drop_locked(zone->sh, row);

    if (!linked) {
        return;
    }

    link = ngx_codat_cell_find_locked(zone->sh, NGX_CODAT_ROW_LINK, key);

    if (link) {
        ngx_codat_cell_drop_locked(zone->sh, link);
    }
}
