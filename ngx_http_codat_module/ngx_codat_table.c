
/*
 * Copyright (C) the authors of the Codat module
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <openssl/evp.h>

#include "ngx_codat_table.h"


/* a claim that nobody gave back in this time is nobody's, in seconds */
#define NGX_CODAT_DELIVERY_LEASE  3600

/* rows looked at to find one that may go */
#define NGX_CODAT_DELIVERY_SCAN   32

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
static ngx_uint_t ngx_codat_delivery_evict_locked(ngx_codat_zone_t *zone,
    uint32_t now);
static ngx_uint_t ngx_codat_delivery_expired(ngx_codat_zone_t *zone,
    ngx_codat_row_t *row, uint32_t now);
static ngx_uint_t ngx_codat_delivery_abandoned(ngx_codat_row_t *row,
    uint32_t now);
static uint64_t ngx_codat_delivery_self(void);


ngx_int_t
ngx_codat_delivery_key(ngx_codat_zone_t *zone, ngx_str_t *parts, ngx_uint_t n,
    ngx_codat_delivery_t *delivery)
{
    size_t                 len;
    EVP_MAC               *mac;
    ngx_uint_t             i;

    static EVP_MAC_CTX    *ctx;     /* of this worker */

    if (ctx == NULL) {
        mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
        if (mac == NULL) {
            return NGX_ERROR;
        }

        ctx = EVP_MAC_CTX_new(mac);
        EVP_MAC_free(mac);

        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    if (!EVP_MAC_init(ctx, zone->sh->seed, sizeof(zone->sh->seed), NULL)) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        /* with the lengths, so that no two lists are one text */

        if (!EVP_MAC_update(ctx, (u_char *) &parts[i].len, sizeof(size_t))
            || !EVP_MAC_update(ctx, parts[i].data, parts[i].len))
        {
            return NGX_ERROR;
        }
    }

    if (!EVP_MAC_final(ctx, delivery->key, &len, NGX_CODAT_ZONE_KEY_LEN)
        || len != NGX_CODAT_ZONE_KEY_LEN)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_codat_delivery_claim(ngx_codat_zone_t *zone,
    ngx_codat_delivery_t *delivery, ngx_uint_t done)
{
    uint32_t          now;
    ngx_int_t         rc;
    ngx_codat_row_t  *row;

    now = (uint32_t) ngx_time();

    delivery->attempt = 1;
    delivery->succeeded = 0;
    delivery->claimed = 0;
    delivery->changed = 0;

    rc = NGX_OK;

    ngx_codat_zone_lock(zone);

    row = ngx_codat_zone_find_locked(zone, NGX_CODAT_ROW_DELIVERY,
                                     delivery->key);

    if (row && ngx_codat_delivery_expired(zone, row, now)) {
        ngx_codat_zone_drop_locked(zone, row);
        row = NULL;
    }

    if (row == NULL) {
        row = ngx_codat_delivery_insert_locked(zone, delivery, now);

        if (row == NULL) {
            rc = NGX_DECLINED;
            goto unlock;
        }

    } else {
        delivery->changed = (row->body != delivery->body);

        if (row->state == NGX_CODAT_DELIVERY_DONE) {
            rc = NGX_DONE;
            goto unlock;
        }

        if (row->state == NGX_CODAT_DELIVERY_RUNNING
            && !ngx_codat_delivery_abandoned(row, now))
        {
            rc = NGX_BUSY;
            goto unlock;
        }
    }

    ngx_codat_delivery_take_locked(zone, row, delivery, done, now);

unlock:

    ngx_codat_zone_unlock(zone);

    if (rc == NGX_DECLINED) {
        (void) ngx_atomic_fetch_add(&zone->sh->unstored, 1);
    }

    if (delivery->changed) {
        (void) ngx_atomic_fetch_add(&zone->sh->conflicts, 1);
    }

    return rc;
}


/*
 * What succeeded under another list of forwards or for another body says
 * nothing of this one.
 */

static void
ngx_codat_delivery_take_locked(ngx_codat_zone_t *zone, ngx_codat_row_t *row,
    ngx_codat_delivery_t *delivery, ngx_uint_t done, uint32_t now)
{
    if (row->routes != delivery->routes || row->body != delivery->body) {
        row->succeeded = 0;

        ngx_memory_barrier();

        row->routes = delivery->routes;
        row->body = delivery->body;
    }

    if (row->attempts < (uint16_t) -1) {
        row->attempts++;
    }

    delivery->attempt = row->attempts;
    delivery->succeeded = row->succeeded;
    delivery->claimed = !done;

    row->owner = ngx_codat_delivery_self();

    ngx_memory_barrier();

    row->state = done ? NGX_CODAT_DELIVERY_DONE : NGX_CODAT_DELIVERY_RUNNING;

    ngx_codat_zone_touch_locked(zone, row, now);
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

    row = ngx_codat_zone_find_locked(zone, NGX_CODAT_ROW_DELIVERY,
                                     delivery->key);

    if (row
        && row->state == NGX_CODAT_DELIVERY_RUNNING
        && row->owner == ngx_codat_delivery_self())
    {
        row->succeeded = delivery->succeeded;

        ngx_memory_barrier();

        row->state = accepted ? NGX_CODAT_DELIVERY_DONE
                              : NGX_CODAT_DELIVERY_FAILED;

        ngx_codat_zone_touch_locked(zone, row, (uint32_t) ngx_time());
    }

    ngx_codat_zone_unlock(zone);
}


static ngx_codat_row_t *
ngx_codat_delivery_insert_locked(ngx_codat_zone_t *zone,
    ngx_codat_delivery_t *delivery, uint32_t now)
{
    ngx_codat_row_t  *row;

    ngx_codat_delivery_expire_locked(zone, now);

    row = ngx_codat_zone_insert_locked(zone, NGX_CODAT_ROW_DELIVERY,
                                       delivery->key, now);

    if (row == NULL && ngx_codat_delivery_evict_locked(zone, now)) {
        row = ngx_codat_zone_insert_locked(zone, NGX_CODAT_ROW_DELIVERY,
                                           delivery->key, now);
    }

    if (row) {
        row->body = delivery->body;
        row->routes = delivery->routes;
    }

    return row;
}


static void
ngx_codat_delivery_expire_locked(ngx_codat_zone_t *zone, uint32_t now)
{
    ngx_uint_t         n;
    ngx_codat_row_t   *row;
    ngx_codat_queue_t *queue;

    queue = &zone->sh->queues[NGX_CODAT_ROW_DELIVERY];

    for (n = 0; n < NGX_CODAT_DELIVERY_EXPIRE; n++) {
        row = ngx_codat_zone_row(zone, queue->oldest);

        if (row == NULL || !ngx_codat_delivery_expired(zone, row, now)) {
            return;
        }

        ngx_codat_zone_drop_locked(zone, row);
    }
}


static ngx_uint_t
ngx_codat_delivery_evict_locked(ngx_codat_zone_t *zone, uint32_t now)
{
    ngx_uint_t        n;
    ngx_codat_row_t  *row;

    row = ngx_codat_zone_row(zone,
                          zone->sh->queues[NGX_CODAT_ROW_DELIVERY].oldest);

    for (n = 0; row && n < NGX_CODAT_DELIVERY_SCAN; n++) {

        if (row->state != NGX_CODAT_DELIVERY_RUNNING
            || ngx_codat_delivery_abandoned(row, now))
        {
            ngx_codat_zone_drop_locked(zone, row);
            (void) ngx_atomic_fetch_add(&zone->sh->evicted, 1);

            return 1;
        }

        row = ngx_codat_zone_row(zone, row->newer);
    }

    return 0;
}


static ngx_uint_t
ngx_codat_delivery_expired(ngx_codat_zone_t *zone, ngx_codat_row_t *row,
    uint32_t now)
{
    if (row->state == NGX_CODAT_DELIVERY_RUNNING
        && !ngx_codat_delivery_abandoned(row, now))
    {
        return 0;
    }

    /* a clock that was set back makes nothing expire */

    return now > row->touched
           && (time_t) (now - row->touched) >= zone->dedupe;
}


/* a worker that was killed gives nothing back */

static ngx_uint_t
ngx_codat_delivery_abandoned(ngx_codat_row_t *row, uint32_t now)
{
    ngx_pid_t  pid;

    pid = (ngx_pid_t) (row->owner >> 32);

    if (pid == ngx_pid) {
        return row->owner != ngx_codat_delivery_self();
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
