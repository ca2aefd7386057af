
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_audience.h"
#include "ngx_codat_fault.h"
#include "ngx_codat_merge.h"
#include "ngx_codat_store.h"
#include "ngx_http_codat_child.h"
#include "ngx_http_codat_deliver.h"
#include "ngx_http_codat_dispatch.h"
#include "ngx_http_codat_forward.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_persist.h"
#include "ngx_http_codat_problem.h"
#include "ngx_http_codat_recall.h"
#include "ngx_http_codat_remember.h"
#include "ngx_http_codat_variables.h"
#include "ngx_http_codat_webhook.h"

#include <openssl/sha.h>


/* Codat waits for 15 seconds, and learns nothing from a longer silence; msec */
#define NGX_HTTP_CODAT_PERSIST_TIME  10000

/* what a store that fails could not take is tried again; msec */
#define NGX_HTTP_CODAT_PERSIST_AGAIN  2000

/* units that a worker keeps for that */
#define NGX_HTTP_CODAT_PERSIST_KEPT   1024


/* what nobody will tell of once more; lies in the pool of its unit */

typedef struct {
    ngx_codat_zone_t             *zone;
    ngx_event_t                   event;
    ngx_connection_t              dummy;
    unsigned                      kept:1;
} ngx_http_codat_persist_once_t;


static ngx_int_t ngx_http_codat_persist_peek(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_row_t *row);
static ngx_int_t ngx_http_codat_persist_unit(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_receive_t *work);
static ngx_int_t ngx_http_codat_persist_event(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_receive_t *work);
static ngx_int_t ngx_http_codat_persist_texts(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_receive_t *work);
static ngx_uint_t ngx_http_codat_persist_header(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static ngx_int_t ngx_http_codat_persist_headers(ngx_http_request_t *r,
    ngx_codat_work_receive_t *work);
static ngx_int_t ngx_http_codat_persist_deliveries(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_receive_t *work);
static ngx_int_t ngx_http_codat_persist_order(
    ngx_codat_work_receive_t *work, ngx_http_codat_forward_t *forward,
    ngx_str_t *key);
static void ngx_http_codat_persist_handler(ngx_codat_work_t *w);
static void ngx_http_codat_persist_late(ngx_event_t *ev);
static void ngx_http_codat_persist_closed(ngx_codat_work_t *w);
static void ngx_http_codat_persist_recent(ngx_codat_zone_t *zone,
    ngx_codat_work_receive_t *work);
static void ngx_http_codat_persist_count(ngx_codat_zone_t *zone,
    ngx_codat_work_receive_t *work);
static ngx_int_t ngx_http_codat_persist_once(ngx_codat_zone_t *zone,
    ngx_codat_work_t *w);
static void ngx_http_codat_persist_submit(ngx_event_t *ev);
static void ngx_http_codat_persist_stored(ngx_codat_work_t *w);
static void ngx_http_codat_persist_again(ngx_codat_work_t *w);
static void ngx_http_codat_persist_over(ngx_codat_work_t *w);


/* of this worker */

static ngx_uint_t  ngx_http_codat_persist_kept;


ngx_int_t
ngx_http_codat_persist(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx)
{
    ngx_int_t           rc;
    ngx_codat_update_t  update;

    rc = ngx_http_codat_remember_claim(r, ctx, &update);

    if (rc != NGX_OK) {
        return rc;
    }

    ctx->facts = update.facts;
    ctx->patience = ngx_pcalloc(r->pool, sizeof(ngx_event_t));

    if (ctx->patience == NULL) {
        ngx_codat_delivery_release(ctx->zone, &ctx->delivery, 0);

        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_UNAVAILABLE,
                                      "out of memory");
    }

    rc = ngx_http_codat_recall(r, ctx);

    if (rc == NGX_ERROR) {
        ngx_codat_delivery_release(ctx->zone, &ctx->delivery, 0);

        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_UNAVAILABLE,
                                      "the store can't be asked at present");
    }

    return (rc == NGX_OK) ? ngx_http_codat_persist_receive(r, ctx, NULL)
                          : NGX_AGAIN;
}


ngx_int_t
ngx_http_codat_persist_receive(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_row_t *row)
{
    ngx_uint_t                  n;
    ngx_codat_work_receive_t   *work;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    work = NULL;
    n = 0;

    if (ngx_http_codat_persist_peek(r, ctx, row) != NGX_OK) {
        goto failed;
    }

    if (cdlcf->delivery == NGX_HTTP_CODAT_DELIVERY_QUEUED
        && ngx_http_codat_forward_select(r, ctx, &n) != NGX_OK)
    {
        goto failed;
    }

    work = ngx_codat_work_create(NGX_CODAT_WORK_RECEIVE,
                                 sizeof(ngx_codat_work_receive_t),
                                 ngx_cycle->log);

    if (work == NULL
        || ngx_http_codat_persist_unit(r, ctx, work) != NGX_OK)
    {
        goto failed;
    }

    work->accept = (n == 0
                    && (cdlcf->delivery == NGX_HTTP_CODAT_DELIVERY_QUEUED
                        || cdlcf->forwards == NULL));

    if (ngx_codat_store_submit(ctx->zone->store, &work->work) != NGX_OK) {

        ngx_codat_work_free(&work->work);
        ngx_codat_delivery_release(ctx->zone, &ctx->delivery, 0);

        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_UNAVAILABLE,
                                      "the store can't take more at present");
    }

    ctx->work = work;

    ctx->patience->handler = ngx_http_codat_persist_late;
    ctx->patience->data = ctx;
    ctx->patience->log = r->connection->log;

    ngx_add_timer(ctx->patience, NGX_HTTP_CODAT_PERSIST_TIME);

    return NGX_AGAIN;

failed:

    if (work) {
        ngx_codat_work_free(&work->work);
    }

    ngx_codat_delivery_release(ctx->zone, &ctx->delivery, 0);

    return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_UNAVAILABLE,
                                  "out of memory");
}


/*
 * Conditions of forwards may ask for what the tables know, before the store
 * has said it: the zone knows it as well, and a reference whose unit is still
 * on its way it alone.
 */

static ngx_int_t
ngx_http_codat_persist_peek(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    ngx_codat_work_row_t *row)
{
    ngx_str_t           *text;
    ngx_uint_t           merged;
    ngx_codat_copy_t     copy;
    ngx_codat_record_t  *said;
    u_char               key[NGX_CODAT_ZONE_KEY_LEN];

    said = ctx->facts.elts;

    if (ctx->facts.nelts == 0 || said->kind == NGX_CODAT_RECORD_DATASET) {
        return NGX_OK;
    }

    if (row) {
        copy.record = row->record;

    } else if (ngx_codat_table_key(ctx->zone,
                                   &said->texts[NGX_CODAT_TEXT_ID], key)
               != NGX_OK
               || ngx_codat_table_get(ctx->zone, said->kind, key, &copy)
                  != NGX_OK)
    {
        return NGX_OK;
    }

    if (said->kind == NGX_CODAT_RECORD_PUSH) {
        text = &copy.record.texts[NGX_CODAT_TEXT_REFERENCE];

        if (text->len) {
            text->data = ngx_pstrdup(r->pool, text);

            if (text->data == NULL) {
                return NGX_ERROR;
            }
        }

        ctx->event.fields[NGX_CODAT_FIELD_REFERENCE] = *text;
    }

    merged = ngx_codat_merge(&copy.record, said);

    ctx->event.stale = ((merged & NGX_CODAT_MERGE_STALE) != 0);

    ngx_http_codat_variables_changed(r);

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_persist_unit(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    ngx_codat_work_receive_t *work)
{
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    work->work.done = ngx_http_codat_persist_handler;
    work->work.data = ctx->zone;

    work->ctx = ctx;
    work->window = (int64_t) ctx->zone->dedupe * 1000000;
    work->lease = ctx->received
                  + ((int64_t) cdlcf->forward_timeout
                     + NGX_HTTP_CODAT_DELIVER_GRACE) * 1000;
    work->routes = cdlcf->routes;
    work->origin = ngx_http_codat_deliver_origin(ctx->zone);
    work->owner = ngx_http_codat_deliver_owner(ctx->zone);

    if (ngx_codat_work_facts(&work->work, &work->facts, &ctx->facts) != NGX_OK
        || ngx_http_codat_persist_event(r, ctx, work) != NGX_OK
        || ngx_http_codat_persist_deliveries(r, ctx, work) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_persist_event(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_receive_t *work)
{
    u_char                   uuid[NGX_CODAT_KEY_LEN];
    ngx_codat_work_event_t  *event;

    event = &work->event;

    if (ngx_http_codat_persist_texts(r, ctx, work) != NGX_OK) {
        return NGX_ERROR;
    }

    /* so that one spelling finds all of a company */

    if (ngx_codat_uuid_parse(&event->company, uuid) == NGX_OK) {
        (void) ngx_codat_uuid_format(event->company.data, uuid);
    }

    event->received = ctx->received;
    event->generated = ctx->event.generated;
    event->known = ctx->identified;

    ngx_memcpy(event->dedupe, ctx->identity, NGX_CODAT_KEY_LEN);

    if (SHA256(event->body.data, event->body.len, event->digest) == NULL) {
        return NGX_ERROR;
    }

    if (ctx->zone->consumers) {
        work->fanout = 1;

        if (ctx->event.tags.len
            && ngx_codat_audience_tags(work->work.pool, &ctx->event.tags,
                                       &event->tags)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_codat_persist_headers(r, work);
}


static ngx_int_t
ngx_http_codat_persist_texts(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_receive_t *work)
{
    ngx_str_t                  *fields, host, *to[12];
    const ngx_str_t            *from[12];
    ngx_uint_t                  i;
    ngx_codat_work_event_t     *event;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    fields = ctx->event.fields;
    event = &work->event;

    ngx_str_null(&host);

    if (r->headers_in.host) {
        host = r->headers_in.host->value;
    }

    to[0] = &event->event_id;
    from[0] = &fields[NGX_CODAT_FIELD_ID];
    to[1] = &event->webhook_id;
    from[1] = &ctx->key;
    to[2] = &event->type;
    from[2] = &fields[NGX_CODAT_FIELD_EVENT_TYPE];
    to[3] = &event->company;
    from[3] = &fields[NGX_CODAT_FIELD_COMPANY_ID];
    to[4] = &event->connection;
    from[4] = &fields[NGX_CODAT_FIELD_CONNECTION_ID];
    to[5] = &event->push_key;
    from[5] = &fields[NGX_CODAT_FIELD_PUSH_KEY];
    to[6] = &event->client;
    from[6] = &ctx->client_id;
    to[7] = &event->endpoint;
    from[7] = &cdlcf->endpoint;
    to[8] = &event->host;
    from[8] = &host;
    to[9] = &event->uri;
    from[9] = &r->unparsed_uri;
    to[10] = &event->body;
    from[10] = &ctx->event.payload;
    to[11] = &event->reference;
    from[11] = &fields[NGX_CODAT_FIELD_REFERENCE];

    for (i = 0; i < sizeof(to) / sizeof(to[0]); i++) {

        if (ngx_codat_work_text(&work->work, to[i], from[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* those that format=raw passes on, and the type of the body */

static ngx_uint_t
ngx_http_codat_persist_header(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    return h == r->headers_in.content_type
           || ngx_http_codat_child_passes(r, h);
}


static ngx_int_t
ngx_http_codat_persist_headers(ngx_http_request_t *r,
    ngx_codat_work_receive_t *work)
{
    size_t                         len;
    u_char                        *p;
    ngx_str_t                      headers;
    ngx_table_elt_t               *h;
    ngx_http_codat_header_iter_t   iter;

    len = 0;
    iter = (ngx_http_codat_header_iter_t)
                          ngx_http_codat_header_iter(&r->headers_in.headers);

    while ((h = ngx_http_codat_header_next(&iter)) != NULL) {

        if (ngx_http_codat_persist_header(r, h)) {
            len += h->key.len + sizeof(": \n") - 1 + h->value.len;
        }
    }

    if (len == 0) {
        return NGX_OK;
    }

    headers.data = ngx_pnalloc(work->work.pool, len);
    if (headers.data == NULL) {
        return NGX_ERROR;
    }

    p = headers.data;
    iter = (ngx_http_codat_header_iter_t)
                          ngx_http_codat_header_iter(&r->headers_in.headers);

    while ((h = ngx_http_codat_header_next(&iter)) != NULL) {

        if (ngx_http_codat_persist_header(r, h)) {
            p = ngx_sprintf(p, "%V: %V\n", &h->key, &h->value);
        }
    }

    headers.len = (size_t) (p - headers.data);

    work->event.headers = headers;

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_persist_deliveries(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_receive_t *work)
{
    ngx_uint_t                  i, n;
    ngx_http_codat_forward_t   *forward;
    ngx_codat_work_delivery_t  *delivery;

    n = ngx_http_codat_forward_count(ctx);

    if (ngx_array_init(&work->deliveries, work->work.pool, ngx_max(n, 1),
                       sizeof(ngx_codat_work_delivery_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        forward = ngx_http_codat_forward_nth(ctx, i);

        delivery = ngx_array_push(&work->deliveries);
        if (delivery == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(delivery, sizeof(ngx_codat_work_delivery_t));

        /* one that is not begun now is claimed when all is known */

        delivery->max = ngx_http_codat_recall_ready(ctx->zone) ? forward->max
                                                               : 0;

        if (ngx_codat_work_text(&work->work, &delivery->route,
                                &forward->route)
            != NGX_OK
            || ngx_http_codat_persist_order(work, forward,
                                            &delivery->order_key)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_persist_order(ngx_codat_work_receive_t *work,
    ngx_http_codat_forward_t *forward, ngx_str_t *key)
{
    switch (forward->order) {

    case NGX_HTTP_CODAT_ORDER_COMPANY:
        return ngx_codat_work_text(&work->work, key, &work->event.company);

    case NGX_HTTP_CODAT_ORDER_PUSH:
        return ngx_codat_work_text(&work->work, key, &work->event.push_key);

    default:
        return NGX_OK;
    }
}


/* the end of a unit, whether the request is still there or not */

static void
ngx_http_codat_persist_handler(ngx_codat_work_t *w)
{
    ngx_codat_zone_t          *zone;
    ngx_http_codat_ctx_t      *ctx;
    ngx_codat_work_receive_t  *work;

    work = (ngx_codat_work_receive_t *) w;
    zone = w->data;
    ctx = work->ctx;

    ngx_codat_fault("receive.stored");

    if (w->rc == NGX_OK && work->outcome == NGX_OK) {
        ngx_http_codat_persist_rows(zone, &work->rows);
        ngx_http_codat_persist_recent(zone, work);
        ngx_http_codat_persist_count(zone, work);
        ngx_http_codat_deliver_received(zone, work);

        if (work->fanout && (work->accept || work->deliveries.nelts)) {
            ngx_http_codat_dispatch_news(zone);
        }
    }

    if (ctx) {
        ngx_http_codat_persist_abandon(ctx);
        ngx_http_codat_webhook_stored(ctx, work);
    }

    ngx_codat_work_free(w);
}


/* if it is stored after all, the copy that Codat sends is a duplicate */

static void
ngx_http_codat_persist_late(ngx_event_t *ev)
{
    ngx_http_codat_ctx_t  *ctx;

    ctx = ev->data;

    ngx_http_codat_persist_abandon(ctx);
    ngx_http_codat_webhook_stored(ctx, NULL);
}


void
ngx_http_codat_persist_rows(ngx_codat_zone_t *zone, ngx_array_t *rows)
{
    ngx_uint_t             i;
    ngx_codat_work_row_t  *row;

    row = rows->elts;

    for (i = 0; i < rows->nelts; i++) {
        (void) ngx_codat_table_put(zone, &row[i].record, row[i].version);
    }
}


static void
ngx_http_codat_persist_recent(ngx_codat_zone_t *zone,
    ngx_codat_work_receive_t *work)
{
    ngx_codat_recent_event_t  event;

    ngx_memzero(&event, sizeof(ngx_codat_recent_event_t));

    event.id = work->event.webhook_id;
    event.client = work->event.client;
    event.reference = work->event.reference;
    event.body = work->event.body;
    event.received = work->event.received;
    event.stale = work->event.stale;

    ngx_codat_zone_lock(zone);
    ngx_codat_recent_add_locked(zone->sh->recent, &event);
    ngx_codat_zone_unlock(zone);
}


/* what the zone counts by itself where there is no store */

static void
ngx_http_codat_persist_count(ngx_codat_zone_t *zone,
    ngx_codat_work_receive_t *work)
{
    ngx_uint_t             i, refused;
    ngx_codat_work_row_t  *row;

    if (work->event.stale) {
        ngx_codat_stats_add(zone->sh->stats,
                            ngx_codat_stat_id(NGX_CODAT_STAT_STALE, 0, 0, 0,
                                              0), 1);
    }

    row = work->rows.elts;
    refused = 0;

    for (i = 0; i < work->rows.nelts; i++) {
        refused += row[i].refused;
    }

    if (refused) {
        ngx_codat_stats_add(zone->sh->stats,
                            ngx_codat_stat_id(
                                       NGX_CODAT_STAT_TRANSITIONS_REFUSED, 0,
                                       0, 0, 0), refused);
    }
}


/* --- what is said once -------------------------------------------------- */

ngx_int_t
ngx_http_codat_persist_push(ngx_codat_zone_t *zone, ngx_codat_record_t *push)
{
    ngx_array_t             facts;
    ngx_codat_work_rows_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_ROWS,
                                 sizeof(ngx_codat_work_rows_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return NGX_ERROR;
    }

    facts.elts = push;
    facts.nelts = 1;

    work->origin = ngx_http_codat_deliver_origin(zone);
    work->work.done = ngx_http_codat_persist_stored;

    if (ngx_codat_work_facts(&work->work, &work->facts, &facts) != NGX_OK
        || ngx_http_codat_persist_once(zone, &work->work) != NGX_OK)
    {
        ngx_codat_work_free(&work->work);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* hands a unit over that is to be tried again while the store fails */

static ngx_int_t
ngx_http_codat_persist_once(ngx_codat_zone_t *zone, ngx_codat_work_t *w)
{
    ngx_http_codat_persist_once_t  *once;

    once = ngx_pcalloc(w->pool, sizeof(ngx_http_codat_persist_once_t));
    if (once == NULL) {
        return NGX_ERROR;
    }

    once->zone = zone;
    once->dummy.fd = (ngx_socket_t) -1;
    once->dummy.data = w;
    once->event.handler = ngx_http_codat_persist_submit;
    once->event.data = &once->dummy;
    once->event.log = ngx_cycle->log;
    once->event.cancelable = 1;

    w->data = once;

    ngx_http_codat_persist_submit(&once->event);

    return NGX_OK;
}


static void
ngx_http_codat_persist_submit(ngx_event_t *ev)
{
    ngx_connection_t               *c;
    ngx_codat_work_t               *w;
    ngx_http_codat_persist_once_t  *once;

    c = ev->data;
    w = c->data;
    once = w->data;

    if (ngx_codat_store_submit(once->zone->store, w) != NGX_OK) {
        ngx_http_codat_persist_again(w);
    }
}


static void
ngx_http_codat_persist_stored(ngx_codat_work_t *w)
{
    ngx_codat_work_rows_t          *work;
    ngx_http_codat_persist_once_t  *once;

    work = (ngx_codat_work_rows_t *) w;
    once = w->data;

    if (w->rc == NGX_ERROR) {
        ngx_http_codat_persist_again(w);
        return;
    }

    ngx_http_codat_persist_rows(once->zone, &work->rows);
    ngx_http_codat_persist_over(w);
}


/* nobody else will tell of it: as long as the worker lives */

static void
ngx_http_codat_persist_again(ngx_codat_work_t *w)
{
    ngx_http_codat_persist_once_t  *once;

    once = w->data;

    if (!once->kept) {

        if (ngx_http_codat_persist_kept >= NGX_HTTP_CODAT_PERSIST_KEPT) {

            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "codat: %s is not stored: too many wait for "
                          "store \"%V\" to work again",
                          w->op == NGX_CODAT_WORK_DONE ? "the end of an event"
                                                       : "a push",
                          &once->zone->store->path);

            ngx_codat_work_free(w);
            return;
        }

        once->kept = 1;
        ngx_http_codat_persist_kept++;
    }

    ngx_add_timer(&once->event, NGX_HTTP_CODAT_PERSIST_AGAIN);
}


static void
ngx_http_codat_persist_over(ngx_codat_work_t *w)
{
    ngx_http_codat_persist_once_t  *once;

    once = w->data;

    if (once->kept) {
        ngx_http_codat_persist_kept--;
    }

    ngx_codat_work_free(w);
}


/* --- forwards at once --------------------------------------------------- */

ngx_int_t
ngx_http_codat_persist_known(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_receive_t *work)
{
    ngx_str_t  *reference;

    ctx->stored = work->event.id;
    ctx->delivery.succeeded |= work->succeeded;
    ctx->delivery.attempt = work->attempt;

    ctx->event.stale = work->event.stale;

    if (work->event.reference.len) {
        reference = &ctx->event.fields[NGX_CODAT_FIELD_REFERENCE];

        reference->data = ngx_pstrdup(r->pool, &work->event.reference);
        if (reference->data == NULL) {
            return NGX_ERROR;
        }

        reference->len = work->event.reference.len;
    }

    ngx_http_codat_variables_changed(r);

    return NGX_OK;
}


void
ngx_http_codat_persist_done(ngx_http_codat_ctx_t *ctx, ngx_uint_t accepted)
{
    ngx_codat_work_done_t  *work;

    if (ctx->stored == 0) {
        return;
    }

    work = ngx_codat_work_create(NGX_CODAT_WORK_DONE,
                                 sizeof(ngx_codat_work_done_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return;
    }

    work->work.done = ngx_http_codat_persist_closed;
    work->event = ctx->stored;
    work->succeeded = ctx->delivery.succeeded;
    work->accepted = accepted & 1;
    work->fanout = ctx->zone->consumers & 1;

    if (ngx_http_codat_persist_once(ctx->zone, &work->work) != NGX_OK) {
        ngx_codat_work_free(&work->work);
    }
}


/* what was answered 200 Codat does not repeat; the other copies come again */

static void
ngx_http_codat_persist_closed(ngx_codat_work_t *w)
{
    ngx_codat_work_done_t          *work;
    ngx_http_codat_persist_once_t  *once;

    work = (ngx_codat_work_done_t *) w;
    once = w->data;

    if (w->rc == NGX_ERROR && work->accepted) {
        ngx_http_codat_persist_again(w);
        return;
    }

    if (w->rc == NGX_OK && work->accepted && work->fanout) {
        ngx_http_codat_dispatch_news(once->zone);
    }

    ngx_http_codat_persist_over(w);
}


void
ngx_http_codat_persist_abandon(ngx_http_codat_ctx_t *ctx)
{
    if (ctx->work) {
        ctx->work->ctx = NULL;
        ctx->work = NULL;

        if (ctx->patience->timer_set) {
            ngx_del_timer(ctx->patience);
        }
    }
}
