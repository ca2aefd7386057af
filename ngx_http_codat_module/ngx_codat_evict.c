
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
    ngx_uint_t         rest;
} ngx_codat_evict_class_t;


/*
 * The order of disposability, with two corrections.  A queue above its share
 * goes before one that is not: else deliveries, which are remembered for
 * days, would leave no room for a push that has become final a second ago,
 * and pushes that are Pending for ever none for anything else.  And a rest of
 * the newest deliveries and final pushes stays until nothing else is left,
 * for without it there would be no deduplication.
 */

static const ngx_codat_evict_class_t  ngx_codat_evict_classes[] = {
    { NGX_CODAT_QUEUE_FINAL, 50, 5 },
    { NGX_CODAT_QUEUE_DATASETS, 10, 0 },
    { NGX_CODAT_QUEUE_GONE, 5, 0 },
    { NGX_CODAT_QUEUE_DELIVERIES, 25, 5 },
    { NGX_CODAT_QUEUE_CLIENTS, 1, 0 },
    { NGX_CODAT_QUEUE_COMPANIES, 15, 0 },
    { NGX_CODAT_QUEUE_CONNECTIONS, 25, 0 },
    { NGX_CODAT_QUEUE_PENDING, 40, 0 }
};

#define NGX_CODAT_EVICT_CLASSES                                               \
    (sizeof(ngx_codat_evict_classes) / sizeof(ngx_codat_evict_class_t))


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

    while (ngx_codat_run_room(zone->sh) < n) {

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
    ngx_uint_t                      i, pass, bound;
    ngx_codat_row_t                *row;
    const ngx_codat_evict_class_t  *class;

    *expired = 1;

    row = ngx_codat_delivery_oldest(zone, now);

    if (row) {
        return row;
    }

    *expired = 0;

    /* above their share, above their rest, anything */

    for (pass = 0; pass < 3; pass++) {

        for (i = 0; i < NGX_CODAT_EVICT_CLASSES; i++) {
            class = &ngx_codat_evict_classes[i];

            bound = (pass == 0) ? class->share : class->rest;

            if (pass < 2
                && (uint64_t) zone->sh->cells_of[class->queue] * 100
                   <= (uint64_t) zone->sh->ncells * bound)
            {
                continue;
            }

            row = ngx_codat_evict_oldest(zone, class->queue, keep, now);

            if (row) {
                return row;
            }
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


ngx_uint_t
ngx_codat_evict_over(ngx_codat_zone_t *zone, const ngx_codat_row_t *row,
    uint32_t now)
{
    return (row->queue == NGX_CODAT_QUEUE_FINAL
            || row->queue == NGX_CODAT_QUEUE_DATASETS
            || row->queue == NGX_CODAT_QUEUE_GONE)
           && now > row->touched
           && (time_t) (now - row->touched) >= zone->retain;
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

        if (row && row != keep && ngx_codat_evict_over(zone, row, now)) {
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
