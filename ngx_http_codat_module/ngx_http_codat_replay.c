
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_pattern.h"
#include "ngx_http_codat_deliver.h"
#include "ngx_http_codat_replay.h"

#include <openssl/rand.h>


/* random bytes of a nonce, written as twice as many digits */
#define NGX_HTTP_CODAT_NONCE  16


static ngx_http_codat_loc_conf_t *ngx_http_codat_replay_endpoint(
    ngx_http_codat_main_conf_t *cdmcf, ngx_codat_zone_t *zone,
    ngx_codat_work_entry_t *entry);
static ngx_codat_work_listed_t *ngx_http_codat_replay_last(
    ngx_codat_work_entry_t *entry, const ngx_str_t *route);
static ngx_uint_t ngx_http_codat_replay_gone(
    ngx_http_codat_main_conf_t *cdmcf, ngx_codat_work_entry_t *entry,
    ngx_codat_queued_e state);
static ngx_uint_t ngx_http_codat_replay_matches(
    ngx_http_codat_forward_t *forward, ngx_str_t *type);
static ngx_int_t ngx_http_codat_replay_add(ngx_codat_work_replay_t *replay,
    ngx_codat_work_event_t *event, ngx_http_codat_forward_t *forward);


ngx_int_t
ngx_http_codat_replay_event(ngx_codat_zone_t *zone,
    ngx_codat_work_entry_t *entry, ngx_codat_queued_e state,
    ngx_codat_work_replay_t *replay)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i, gone;
    ngx_http_codat_queue_t     **queues;
    ngx_codat_work_listed_t     *last;
    ngx_http_codat_forward_t    *forward;
    ngx_http_codat_loc_conf_t   *cdlcf;
    ngx_http_codat_main_conf_t  *cdmcf;

    cdmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                                ngx_http_codat_module);
    if (cdmcf == NULL) {
        return NGX_DECLINED;
    }

    cdlcf = ngx_http_codat_replay_endpoint(cdmcf, zone, entry);
    gone = ngx_http_codat_replay_gone(cdmcf, entry, state);

    rc = NGX_DECLINED;
    queues = cdmcf->queues.elts;

    for (i = 0; i < cdmcf->queues.nelts; i++) {

        forward = queues[i]->forward;

        if (queues[i]->cdlcf != cdlcf
            || !ngx_http_codat_replay_matches(forward, &entry->event.type))
        {
            continue;
        }

        rc = NGX_OK;

        if (state) {
            last = ngx_http_codat_replay_last(entry, &forward->route);

            if (last ? last->state != state : !gone) {
                continue;
            }
        }

        if (ngx_http_codat_replay_add(replay, &entry->event, forward)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return rc;
}


/*
 * Servers of one name may have locations of one name: what was delivered
 * tells them apart.
 */

static ngx_http_codat_loc_conf_t *
ngx_http_codat_replay_endpoint(ngx_http_codat_main_conf_t *cdmcf,
    ngx_codat_zone_t *zone, ngx_codat_work_entry_t *entry)
{
    ngx_str_t                   *name;
    ngx_uint_t                   i;
    ngx_http_codat_queue_t     **queues;
    ngx_http_codat_loc_conf_t   *cdlcf, *found;

    found = NULL;
    queues = cdmcf->queues.elts;

    for (i = 0; i < cdmcf->queues.nelts; i++) {

        cdlcf = queues[i]->cdlcf;
        name = &cdlcf->endpoint;

        if (queues[i]->zone->data != zone
            || name->len != entry->event.endpoint.len
            || ngx_memcmp(name->data, entry->event.endpoint.data, name->len)
               != 0)
        {
            continue;
        }

        if (ngx_http_codat_replay_last(entry, &queues[i]->forward->route)) {
            return cdlcf;
        }

        if (found == NULL) {
            found = cdlcf;
        }
    }

    return found;
}


/* the newest delivery of a route, or NULL */

static ngx_codat_work_listed_t *
ngx_http_codat_replay_last(ngx_codat_work_entry_t *entry,
    const ngx_str_t *route)
{
    ngx_uint_t                i;
    ngx_codat_work_listed_t  *listed;

    listed = entry->deliveries.elts;

    for (i = entry->deliveries.nelts; i; i--) {

        if (listed[i - 1].route.len == route->len
            && ngx_memcmp(listed[i - 1].route.data, route->data, route->len)
               == 0)
        {
            return &listed[i - 1];
        }
    }

    return NULL;
}


/* whether a delivery in that state has no forward any more */

static ngx_uint_t
ngx_http_codat_replay_gone(ngx_http_codat_main_conf_t *cdmcf,
    ngx_codat_work_entry_t *entry, ngx_codat_queued_e state)
{
    ngx_str_t                 *route;
    ngx_uint_t                 i, n;
    ngx_http_codat_queue_t   **queues;
    ngx_codat_work_listed_t   *listed;

    listed = entry->deliveries.elts;
    queues = cdmcf->queues.elts;

    for (n = 0; n < entry->deliveries.nelts; n++) {

        if (listed[n].state != state) {
            continue;
        }

        for (i = 0; i < cdmcf->queues.nelts; i++) {

            route = &queues[i]->forward->route;

            if (route->len == listed[n].route.len
                && ngx_memcmp(route->data, listed[n].route.data, route->len)
                   == 0)
            {
                break;
            }
        }

        if (i == cdmcf->queues.nelts) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_codat_replay_matches(ngx_http_codat_forward_t *forward,
    ngx_str_t *type)
{
    ngx_str_t   *patterns;
    ngx_uint_t   i;

    patterns = forward->patterns.elts;

    for (i = 0; i < forward->patterns.nelts; i++) {

        if (ngx_codat_pattern_match(&patterns[i], type)) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_codat_replay_add(ngx_codat_work_replay_t *replay,
    ngx_codat_work_event_t *event, ngx_http_codat_forward_t *forward)
{
    u_char                      bytes[NGX_HTTP_CODAT_NONCE];
    ngx_str_t                  *key;
    ngx_codat_work_replayed_t  *replayed;
    ngx_codat_work_delivery_t  *delivery;

    replayed = ngx_array_push(&replay->replayed);
    if (replayed == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(replayed, sizeof(ngx_codat_work_replayed_t));

    replayed->event = event->id;
    delivery = &replayed->delivery;

    /* else whoever drops repeated messages would drop this one */

    delivery->nonce.len = 2 * sizeof(bytes);
    delivery->nonce.data = ngx_pnalloc(replay->work.pool,
                                       delivery->nonce.len);

    if (delivery->nonce.data == NULL
        || RAND_bytes(bytes, sizeof(bytes)) != 1)
    {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(delivery->nonce.data, bytes, sizeof(bytes));

    delivery->max = forward->max;

    key = (forward->order == NGX_HTTP_CODAT_ORDER_COMPANY) ? &event->company
          : (forward->order == NGX_HTTP_CODAT_ORDER_PUSH) ? &event->push_key
          : NULL;

    if (key
        && ngx_codat_work_text(&replay->work, &delivery->order_key, key)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_codat_work_text(&replay->work, &delivery->route,
                               &forward->route);
}
