
/*
 * Copyright (C) the authors of the Codat module
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_codat_cell.h"
#include "ngx_codat_delivery.h"
#include "ngx_codat_evict.h"


/* a claim that nobody gave back in this time is nobody's, in seconds */
#define NGX_CODAT_DELIVERY_LEASE  3600

/* expired rows dropped for each one made */
#define NGX_CODAT_DELIVERY_EXPIRE 2


typedef enum {
    NGX_CODAT_DELIVERY_FAILED = 0,
    NGX_CODAT_DELIVERY_RUNNING,
    NGX_CODAT_DELIVERY_DONE
} ngx_codat_delivery_state_e;


static void ngx_codat_delivery_take_locked(ngx_codat_zone_t *zone,
    ngx_codat_row_t *row, ngx_codat_delivery_t *delivery, ngx_uint_t done,
    uint32_t now);
static ngx_codat_row_t *ngx_codat_delivery_insert_locked(
    ngx_codat_zone_t *zone, ngx_codat_delivery_t *delivery, uint32_t now);
static void ngx_codat_delivery_expire_locked(ngx_codat_zone_t *zone,
    uint32_t now);
static ngx_uint_t ngx_codat_delivery_expired(ngx_codat_zone_t *zone,
    const ngx_codat_row_t *row, uint32_t now);
static ngx_uint_t ngx_codat_delivery_abandoned(const ngx_codat_row_t *row,
    uint32_t now);
static uint64_t ngx_codat_delivery_self(void);


ngx_int_t
ngx_codat_delivery_claim_locked(ngx_codat_zone_t *zone,
    ngx_codat_delivery_t *delivery, ngx_uint_t done, uint32_t now)
{
    ngx_codat_row_t  *row;

    delivery->attempt = 1;
    delivery->succeeded = 0;
    delivery->claimed = 0;
    delivery->changed = 0;

    row = ngx_codat_cell_find_locked(zone->sh, NGX_CODAT_ROW_DELIVERY,
                                     delivery->key);

    if (row && ngx_codat_delivery_expired(zone, row, now)) {
        ngx_codat_cell_drop_locked(zone->sh, row);
        row = NULL;
    }

    if (row == NULL) {
        row = ngx_codat_delivery_insert_locked(zone, delivery, now);

        if (row == NULL) {
            return NGX_DECLINED;
        }

    } else {
        /* one that was never claimed lost its worker while it was made */

        delivery->changed = (row->seq
                             && row->u.delivery.body != delivery->body);

        if (row->state == NGX_CODAT_DELIVERY_DONE) {
            return NGX_DONE;
        }

        if (!ngx_codat_delivery_idle(row, now)) {
            return NGX_BUSY;
        }
    }

    ngx_codat_delivery_take_locked(zone, row, delivery, done, now);

    return NGX_OK;
}


/*
 * What succeeded under another list of forwards or for another body says
 * nothing of this one.
 */

static void
ngx_codat_delivery_take_locked(ngx_codat_zone_t *zone, ngx_codat_row_t *row,
    ngx_codat_delivery_t *delivery, ngx_uint_t done, uint32_t now)
{
    if (row->u.delivery.routes != delivery->routes
        || row->u.delivery.body != delivery->body)
    {
        row->u.delivery.succeeded = 0;

        ngx_memory_barrier();

        row->u.delivery.routes = delivery->routes;
        row->u.delivery.body = delivery->body;
    }

    delivery->attempt = ++row->seq;
    delivery->succeeded = row->u.delivery.succeeded;
    delivery->claimed = !done;

    row->u.delivery.owner = ngx_codat_delivery_self();

    ngx_memory_barrier();

    row->state = done ? NGX_CODAT_DELIVERY_DONE : NGX_CODAT_DELIVERY_RUNNING;

    ngx_codat_cell_touch_locked(zone->sh, row, ngx_codat_delivery_queue(row),
                                now);
}


ngx_int_t
ngx_codat_delivery_claim(ngx_codat_zone_t *zone,
    ngx_codat_delivery_t *delivery)
{
    ngx_int_t  rc;

    ngx_codat_zone_lock(zone);

    rc = ngx_codat_delivery_claim_locked(zone, delivery, 0,
                                         (uint32_t) ngx_time());

    ngx_codat_zone_unlock(zone);

    return rc;
}


void
ngx_codat_delivery_release(ngx_codat_zone_t *zone,
    ngx_codat_delivery_t *delivery, ngx_uint_t accepted)
{
    ngx_codat_row_t  *row;

    if (!delivery->claimed) {
        return;
    }

    delivery->claimed = 0;

    ngx_codat_zone_lock(zone);

    row = ngx_codat_cell_find_locked(zone->sh, NGX_CODAT_ROW_DELIVERY,
                                     delivery->key);

    if (row
        && row->state == NGX_CODAT_DELIVERY_RUNNING
        && row->u.delivery.owner == ngx_codat_delivery_self())
    {
        row->u.delivery.succeeded = delivery->succeeded;

        ngx_memory_barrier();

        row->state = accepted ? NGX_CODAT_DELIVERY_DONE
                              : NGX_CODAT_DELIVERY_FAILED;

        ngx_codat_cell_touch_locked(zone->sh, row,
                                    ngx_codat_delivery_queue(row),
                                    (uint32_t) ngx_time());
    }

    ngx_codat_zone_unlock(zone);
}


static ngx_codat_row_t *
ngx_codat_delivery_insert_locked(ngx_codat_zone_t *zone,
    ngx_codat_delivery_t *delivery, uint32_t now)
{
    ngx_codat_row_t  *row;

    ngx_codat_delivery_expire_locked(zone, now);

    if (ngx_codat_evict_locked(zone, 1, NULL, now) != NGX_OK) {
        return NULL;
    }

    row = ngx_codat_cell_insert_locked(zone->sh, NGX_CODAT_ROW_DELIVERY,
                                       NGX_CODAT_QUEUE_DELIVERIES,
                                       delivery->key, 1, now);

    if (row) {
        row->u.delivery.body = delivery->body;
        row->u.delivery.routes = delivery->routes;
    }

    return row;
}


static void
ngx_codat_delivery_expire_locked(ngx_codat_zone_t *zone, uint32_t now)
{
    ngx_uint_t        n;
    ngx_codat_row_t  *row;

    for (n = 0; n < NGX_CODAT_DELIVERY_EXPIRE; n++) {
        row = ngx_codat_delivery_oldest(zone, now);

        if (row == NULL) {
            return;
        }

        ngx_codat_cell_drop_locked(zone->sh, row);
    }
}


/* one that is being worked on does not keep others, hence two queues */

ngx_codat_row_t *
ngx_codat_delivery_oldest(ngx_codat_zone_t *zone, uint32_t now)
{
    ngx_uint_t        i;
    ngx_codat_row_t  *row;

    static const ngx_codat_queue_e  queues[] = {
        NGX_CODAT_QUEUE_DELIVERIES,
        NGX_CODAT_QUEUE_RUNNING
    };

    for (i = 0; i < sizeof(queues) / sizeof(ngx_codat_queue_e); i++) {

        row = ngx_codat_cell_row(zone->sh, zone->sh->queues[queues[i]].oldest);

        if (row && ngx_codat_delivery_expired(zone, row, now)) {
            return row;
        }
    }

    return NULL;
}


ngx_codat_queue_e
ngx_codat_delivery_queue(const ngx_codat_row_t *row)
{
    return row->state == NGX_CODAT_DELIVERY_RUNNING
           ? NGX_CODAT_QUEUE_RUNNING : NGX_CODAT_QUEUE_DELIVERIES;
}


static ngx_uint_t
ngx_codat_delivery_expired(ngx_codat_zone_t *zone, const ngx_codat_row_t *row,
    uint32_t now)
{
    /* a clock that was set back makes nothing expire */

    return now > row->touched
           && (time_t) (now - row->touched) >= zone->dedupe
           && ngx_codat_delivery_idle(row, now);
}


ngx_uint_t
ngx_codat_delivery_idle(const ngx_codat_row_t *row, uint32_t now)
{
    return row->state != NGX_CODAT_DELIVERY_RUNNING
           || ngx_codat_delivery_abandoned(row, now);
}


/* a worker that was killed gives nothing back */

static ngx_uint_t
ngx_codat_delivery_abandoned(const ngx_codat_row_t *row, uint32_t now)
{
    ngx_pid_t  pid;

    pid = (ngx_pid_t) (row->u.delivery.owner >> 32);

    if (pid == ngx_pid) {
        return row->u.delivery.owner != ngx_codat_delivery_self();
    }

    if (now > row->touched
        && now - row->touched >= NGX_CODAT_DELIVERY_LEASE)
    {
        return 1;
    }

    return kill(pid, 0) == -1 && ngx_errno == ESRCH;
}


/*
 * The pid tells a living owner from a dead one, a random part a worker from
 * its successor of the same pid.
 */

static uint64_t
ngx_codat_delivery_self(void)
{
    static uint64_t   self;
    static ngx_pid_t  pid;

    if (pid != ngx_pid) {
        pid = ngx_pid;
        self = ((uint64_t) ngx_pid << 32) | (uint32_t) ngx_random();
    }

    return self;
}
