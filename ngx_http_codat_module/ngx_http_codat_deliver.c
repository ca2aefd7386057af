
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_fault.h"
#include "ngx_codat_store.h"
#include "ngx_http_codat_child.h"
#include "ngx_http_codat_client.h"
#include "ngx_http_codat_deliver.h"
#include "ngx_http_codat_forward.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_keep.h"
#include "ngx_http_codat_recall.h"
#include "ngx_http_codat_webhook.h"
#include "ngx_http_codat_zones.h"


/* looking for what is due, and for what dead workers have left; msec */
#define NGX_HTTP_CODAT_DELIVER_TICK  1000


/* what a worker has of the queue of a zone */

typedef struct {
    ngx_codat_zone_t             *zone;
    uint64_t                      owner;
    ngx_event_t                   timer;
    ngx_connection_t              dummy;
    ngx_http_codat_keep_t        *keep;
    ngx_queue_t                   jobs;
    ngx_uint_t                    running;
    unsigned                      claiming:1;
    unsigned                      again:1;
} ngx_http_codat_deliver_t;


/* an attempt; lies in the pool of its request */

typedef struct {
    ngx_queue_t                   queue;
    ngx_http_codat_deliver_t     *deliver;
    ngx_http_codat_queue_t       *route;
    ngx_http_request_t           *request;
    ngx_http_codat_child_t       *child;
    ngx_codat_work_delivery_t     delivery;
    ngx_event_t                   event;     /* the time-out, then the end */
    ngx_str_t                     retry_after;
    ngx_uint_t                    status;
    unsigned                      succeeded:1;
    unsigned                      late:1;    /* and recorded as such */
    unsigned                      ended:1;
} ngx_http_codat_job_t;


static ngx_int_t ngx_http_codat_deliver_start(ngx_cycle_t *cycle,
    ngx_codat_zone_t *zone);
static ngx_http_codat_deliver_t *ngx_http_codat_deliver_of(
    ngx_codat_zone_t *zone);
static void ngx_http_codat_deliver_tick(ngx_event_t *ev);
static void ngx_http_codat_deliver_claim(ngx_http_codat_deliver_t *deliver);
static ngx_int_t ngx_http_codat_deliver_routes(
    ngx_http_codat_deliver_t *deliver, ngx_codat_work_claim_t *work);
static void ngx_http_codat_deliver_claimed(ngx_codat_work_t *w);
static ngx_http_codat_queue_t *ngx_http_codat_deliver_route(
    ngx_codat_zone_t *zone, ngx_str_t *name);
static void ngx_http_codat_deliver_attempt(ngx_http_codat_deliver_t *deliver,
    ngx_codat_work_event_t *event, ngx_codat_work_delivery_t *delivery);
static ngx_http_codat_job_t *ngx_http_codat_deliver_job(
    ngx_http_codat_deliver_t *deliver, ngx_http_codat_queue_t *route,
    ngx_codat_work_event_t *event, ngx_codat_work_delivery_t *delivery);
static void ngx_http_codat_deliver_ended(ngx_http_request_t *sr,
    ngx_http_codat_child_t *child);
static void ngx_http_codat_deliver_handler(ngx_event_t *ev);
static void ngx_http_codat_deliver_result(ngx_http_codat_deliver_t *deliver,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_codat_work_delivery_t *delivery,
    ngx_uint_t status, ngx_str_t *retry_after, const char *error);
static void ngx_http_codat_deliver_recorded(ngx_codat_work_t *w);


static const ngx_msec_t  ngx_http_codat_retries[] = {
    5000, 300000, 1800000, 7200000, 18000000, 36000000, 36000000
};


/* of this process, by the zones' order */

static ngx_array_t  *ngx_http_codat_delivers;


ngx_int_t
ngx_http_codat_deliver_init(ngx_cycle_t *cycle)
{
    ngx_shm_zone_t          *shm_zone;
    ngx_codat_zone_t        *zone;
    ngx_http_codat_zones_t   zones;

    ngx_http_codat_delivers = NULL;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    ngx_memzero(&zones, sizeof(ngx_http_codat_zones_t));

    while ((shm_zone = ngx_http_codat_zones_next(cycle, &zones)) != NULL) {

        zone = shm_zone->data;

        if (zone->store
            && ngx_http_codat_deliver_start(cycle, zone) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_deliver_start(ngx_cycle_t *cycle, ngx_codat_zone_t *zone)
{
    uint64_t                   owner;
    ngx_http_codat_deliver_t  *deliver, **dp;

    if (ngx_codat_store_start(zone->store, cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    zone->store->health = &zone->sh->store.health;

    if (ngx_http_codat_delivers == NULL) {
        ngx_http_codat_delivers = ngx_array_create(cycle->pool, 2,
                                          sizeof(ngx_http_codat_deliver_t *));
        if (ngx_http_codat_delivers == NULL) {
            return NGX_ERROR;
        }
    }

    deliver = ngx_pcalloc(cycle->pool, sizeof(ngx_http_codat_deliver_t));
    dp = ngx_array_push(ngx_http_codat_delivers);

    if (deliver == NULL || dp == NULL) {
        return NGX_ERROR;
    }

    *dp = deliver;

    /* no other worker that ever was may have the same */

    owner = ((uint64_t) ngx_pid << 32) ^ (uint64_t) ngx_time() << 8
            ^ (uint64_t) ngx_random();

    deliver->owner = (owner & 0x7fffffffffffffff) | 1;
    deliver->zone = zone;
    ngx_queue_init(&deliver->jobs);

    deliver->keep = ngx_http_codat_keep_create(cycle->pool, zone,
                                               deliver->owner);
    if (deliver->keep == NULL) {
        return NGX_ERROR;
    }

    deliver->dummy.fd = (ngx_socket_t) -1;
    deliver->timer.handler = ngx_http_codat_deliver_tick;
    deliver->timer.data = &deliver->dummy;
    deliver->timer.log = cycle->log;
    deliver->timer.cancelable = 1;

    deliver->dummy.data = deliver;

    ngx_add_timer(&deliver->timer,
                  1 + (ngx_msec_t) ngx_random() % 100);

    return NGX_OK;
}


void
ngx_http_codat_deliver_exit(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_http_codat_deliver_t  **delivers;

    if (ngx_http_codat_delivers == NULL) {
        return;
    }

    delivers = ngx_http_codat_delivers->elts;

    for (i = 0; i < ngx_http_codat_delivers->nelts; i++) {

        /*
         * What this worker can't finish others are to do at once, also what
         * it has claimed and does not know of yet.
         */

        if (!ngx_queue_empty(&delivers[i]->jobs)
            || ngx_codat_store_waiting(delivers[i]->zone->store))
        {
            ngx_http_codat_keep_release(delivers[i]->zone,
                                        delivers[i]->owner);
        }

        ngx_http_codat_keep_leave(delivers[i]->keep);

        ngx_codat_store_stop(delivers[i]->zone->store, cycle->log);
    }

    ngx_http_codat_delivers = NULL;
}


static ngx_http_codat_deliver_t *
ngx_http_codat_deliver_of(ngx_codat_zone_t *zone)
{
    ngx_uint_t                  i;
    ngx_http_codat_deliver_t  **delivers;

    if (ngx_http_codat_delivers == NULL) {
        return NULL;
    }

    delivers = ngx_http_codat_delivers->elts;

    for (i = 0; i < ngx_http_codat_delivers->nelts; i++) {

        if (delivers[i]->zone == zone) {
            return delivers[i];
        }
    }

    return NULL;
}


uint64_t
ngx_http_codat_deliver_origin(ngx_codat_zone_t *zone)
{
    return ((uint64_t) (zone->sh->born & 0x7fffffff) << 32)
           | zone->sh->id;
}


uint64_t
ngx_http_codat_deliver_owner(ngx_codat_zone_t *zone)
{
    ngx_http_codat_deliver_t  *deliver;

    deliver = ngx_http_codat_deliver_of(zone);

    if (deliver == NULL
        || ngx_exiting
        || deliver->running >= NGX_HTTP_CODAT_DELIVER_MAX)
    {
        return 0;
    }

    return deliver->owner;
}


uint64_t
ngx_http_codat_deliver_worker(ngx_codat_zone_t *zone)
{
    ngx_http_codat_deliver_t  *deliver;

    deliver = ngx_http_codat_deliver_of(zone);

    return deliver ? deliver->owner : 0;
}


void
ngx_http_codat_deliver_now(ngx_codat_zone_t *zone)
{
    ngx_http_codat_deliver_t  *deliver;

    deliver = ngx_http_codat_deliver_of(zone);

    if (deliver) {
        ngx_http_codat_deliver_claim(deliver);
    }
}


/* --- claiming ----------------------------------------------------------- */

static void
ngx_http_codat_deliver_tick(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_http_codat_deliver_t  *deliver;

    c = ev->data;
    deliver = c->data;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    ngx_http_codat_keep_tick(deliver->keep);
    ngx_http_codat_deliver_claim(deliver);

    if (!ev->timer_set) {
        ngx_add_timer(ev, NGX_HTTP_CODAT_DELIVER_TICK);
    }
}


static void
ngx_http_codat_deliver_claim(ngx_http_codat_deliver_t *deliver)
{
    ngx_codat_work_claim_t     *work;
    ngx_codat_zone_t           *zone;

    if (ngx_exiting
        || deliver->running >= NGX_HTTP_CODAT_DELIVER_MAX
        || !ngx_http_codat_recall_ready(deliver->zone))
    {
        return;
    }

    if (deliver->claiming) {
        deliver->again = 1;
        return;
    }

    zone = deliver->zone;

    work = ngx_codat_work_create(NGX_CODAT_WORK_CLAIM,
                                 sizeof(ngx_codat_work_claim_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return;
    }

    work->work.done = ngx_http_codat_deliver_claimed;
    work->work.data = deliver;
    work->now = ngx_codat_table_now();
    work->owner = deliver->owner;
    work->limit = NGX_HTTP_CODAT_DELIVER_MAX - deliver->running;
    work->size = 1024 * 1024;

    if (ngx_http_codat_deliver_routes(deliver, work) != NGX_OK
        || work->routes.nelts == 0
        || ngx_codat_store_submit(zone->store, &work->work) != NGX_OK)
    {
        ngx_codat_work_free(&work->work);
        return;
    }

    deliver->claiming = 1;
    deliver->again = 0;
}


static ngx_int_t
ngx_http_codat_deliver_routes(ngx_http_codat_deliver_t *deliver,
    ngx_codat_work_claim_t *work)
{
    ngx_uint_t                    i;
    ngx_msec_t                    timeout;
    ngx_http_codat_queue_t      **queues;
    ngx_codat_work_delivery_t    *route;
    ngx_http_codat_main_conf_t   *cdmcf;

    cdmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                                ngx_http_codat_module);

    if (cdmcf == NULL || ngx_array_init(&work->routes, work->work.pool,
                       cdmcf->queues.nelts + 1,
                       sizeof(ngx_codat_work_delivery_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    timeout = 0;
    queues = cdmcf->queues.elts;

    for (i = 0; i < cdmcf->queues.nelts; i++) {

        if (queues[i]->zone->data != deliver->zone) {
            continue;
        }

        route = ngx_array_push(&work->routes);
        if (route == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(route, sizeof(ngx_codat_work_delivery_t));

        /* the configuration outlives the unit: a worker has only one */

        route->route = queues[i]->forward->route;
        route->max = queues[i]->forward->max;

        timeout = ngx_max(timeout, queues[i]->cdlcf->forward_timeout);
    }

    work->lease = work->now + ((int64_t) timeout
                               + NGX_HTTP_CODAT_DELIVER_GRACE) * 1000;

    return NGX_OK;
}


static void
ngx_http_codat_deliver_claimed(ngx_codat_work_t *w)
{
    int64_t                    msec;
    ngx_uint_t                 i;
    ngx_codat_work_claim_t    *work;
    ngx_codat_work_claimed_t  *claimed;
    ngx_http_codat_deliver_t  *deliver;

    work = (ngx_codat_work_claim_t *) w;
    deliver = w->data;

    deliver->claiming = 0;

    if (w->rc == NGX_OK) {

        claimed = work->claimed.elts;

        for (i = 0; i < work->claimed.nelts; i++) {
            ngx_http_codat_deliver_attempt(deliver, &claimed[i].event,
                                           &claimed[i].delivery);
        }

        msec = (work->next - work->now) / 1000 + 1;

        if (work->next && msec < NGX_HTTP_CODAT_DELIVER_TICK
            && !ngx_exiting)
        {
            ngx_add_timer(&deliver->timer, (ngx_msec_t) ngx_max(msec, 1));
        }

        if (deliver->again) {
            ngx_http_codat_deliver_claim(deliver);
        }
    }

    ngx_codat_work_free(w);
}


void
ngx_http_codat_deliver_received(ngx_codat_zone_t *zone,
    ngx_codat_work_receive_t *work)
{
    ngx_uint_t                  i;
    ngx_http_codat_deliver_t   *deliver;
    ngx_codat_work_delivery_t  *deliveries;

    deliver = ngx_http_codat_deliver_of(zone);

    if (deliver == NULL) {
        return;
    }

    deliveries = work->deliveries.elts;

    for (i = 0; i < work->deliveries.nelts; i++) {

        if (deliveries[i].claimed) {
            ngx_http_codat_deliver_attempt(deliver, &work->event,
                                           &deliveries[i]);
        }
    }
}


/* --- attempts ----------------------------------------------------------- */

static ngx_http_codat_queue_t *
ngx_http_codat_deliver_route(ngx_codat_zone_t *zone, ngx_str_t *name)
{
    ngx_str_t                   *route;
    ngx_uint_t                   i;
    ngx_http_codat_queue_t     **queues;
    ngx_http_codat_main_conf_t  *cdmcf;

    cdmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                                ngx_http_codat_module);
    if (cdmcf == NULL) {
        return NULL;
    }

    queues = cdmcf->queues.elts;

    for (i = 0; i < cdmcf->queues.nelts; i++) {

        route = &queues[i]->forward->route;

        if (queues[i]->zone->data == zone
            && route->len == name->len
            && ngx_memcmp(route->data, name->data, name->len) == 0)
        {
            return queues[i];
        }
    }

    return NULL;
}


static void
ngx_http_codat_deliver_attempt(ngx_http_codat_deliver_t *deliver,
    ngx_codat_work_event_t *event, ngx_codat_work_delivery_t *delivery)
{
    ngx_connection_t        *c;
    ngx_http_request_t      *r;
    ngx_http_codat_job_t    *job;
    ngx_http_codat_queue_t  *route;

    route = ngx_http_codat_deliver_route(deliver->zone, &delivery->route);
    if (route == NULL) {
        return;
    }

    job = ngx_http_codat_deliver_job(deliver, route, event, delivery);

    if (job == NULL) {
        ngx_http_codat_deliver_result(deliver, route->cdlcf, delivery, 0, NULL,
                                      "it could not be started");
        return;
    }

    r = job->request;
    c = r->connection;

    ngx_add_timer(&job->event, route->cdlcf->forward_timeout);

    ngx_http_run_posted_requests(c);

    ngx_codat_fault("deliver.started");
}


static ngx_http_codat_job_t *
ngx_http_codat_deliver_job(ngx_http_codat_deliver_t *deliver,
    ngx_http_codat_queue_t *route, ngx_codat_work_event_t *event,
    ngx_codat_work_delivery_t *delivery)
{
    ngx_http_request_t            *r;
    ngx_http_codat_ctx_t          *ctx;
    ngx_http_codat_job_t          *job;
    ngx_http_codat_client_call_t   call;

    call.host = event->host;
    call.uri = event->uri;
    call.headers = event->headers;
    call.names = route->names;

    r = ngx_http_codat_client_create(&route->ctx, &call);
    if (r == NULL) {
        return NULL;
    }

    job = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_job_t));
    ctx = job ? ngx_http_codat_webhook_create(r) : NULL;

    if (ctx == NULL) {
        ngx_http_codat_client_free(r);
        return NULL;
    }

    ctx->zone = deliver->zone;

    if (ngx_http_codat_deliver_event(r, ctx, event, delivery) != NGX_OK) {
        ngx_http_codat_client_free(r);
        return NULL;
    }

    job->deliver = deliver;
    job->route = route;
    job->request = r;
    job->delivery.id = delivery->id;
    job->delivery.attempt = delivery->attempt;
    job->delivery.route = route->forward->route;

    job->event.handler = ngx_http_codat_deliver_handler;
    job->event.data = r->connection;
    job->event.log = r->connection->log;

    job->child = ngx_http_codat_forward_single(r, ctx, route->forward,
                                          ngx_http_codat_deliver_ended, job);

    if (job->child == NULL) {
        ngx_http_codat_client_free(r);
        return NULL;
    }

    ngx_queue_insert_tail(&deliver->jobs, &job->queue);
    deliver->running++;

    return job;
}


/* it was valid when it was received */

ngx_int_t
ngx_http_codat_deliver_event(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_event_t *event,
    ngx_codat_work_delivery_t *delivery)
{
    ngx_str_t                   body, *key, *reference;
    ngx_codat_json_error_t      err;

    body.len = event->body.len;
    body.data = ngx_pstrdup(r->pool, &event->body);

    ctx->client_id.len = event->client.len;
    ctx->client_id.data = ngx_pstrdup(r->pool, &event->client);

    key = delivery->nonce.len ? &delivery->nonce : &event->webhook_id;

    ctx->key.len = key->len;
    ctx->key.data = ngx_pstrdup(r->pool, key);

    if (body.data == NULL || ctx->client_id.data == NULL
        || ctx->key.data == NULL
        || ngx_codat_event_parse(r->pool, &body, &ctx->client_id,
                                 &ctx->event, &err)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    reference = &ctx->event.fields[NGX_CODAT_FIELD_REFERENCE];

    if (event->reference.len) {
        reference->data = ngx_pstrdup(r->pool, &event->reference);
        reference->len = event->reference.len;

        if (reference->data == NULL) {
            return NGX_ERROR;
        }
    }

    ctx->webhook_id = ctx->key;
    ctx->received = event->received;
    ctx->event.stale = event->stale;
    ctx->delivery.attempt = delivery->attempt;
    ctx->parsed = 1;
    ctx->scanned = 1;

    return NGX_OK;
}


/* the child has ended: the rest is done when whoever ended it is through */

static void
ngx_http_codat_deliver_ended(ngx_http_request_t *sr,
    ngx_http_codat_child_t *child)
{
    ngx_table_elt_t       *h;
    ngx_http_codat_job_t  *job;

    static ngx_str_t  name = ngx_string("Retry-After");

    job = child->data;

    job->ended = 1;
    job->status = child->status;
    job->succeeded = child->succeeded;

    h = ngx_http_codat_header_find(&sr->headers_out.headers, &name);

    if (h) {
        job->retry_after.data = ngx_pstrdup(job->request->pool, &h->value);
        job->retry_after.len = job->retry_after.data ? h->value.len : 0;
    }

    ngx_http_codat_forward_counted(sr, child);

    if (job->event.timer_set) {
        ngx_del_timer(&job->event);
    }

    ngx_post_event(&job->event, &ngx_posted_events);
}


/* the time is up, or the child has ended, or one after the other */

static void
ngx_http_codat_deliver_handler(ngx_event_t *ev)
{
    ngx_http_codat_job_t      *job;
    ngx_http_codat_deliver_t  *deliver;

    job = (ngx_http_codat_job_t *) ((u_char *) ev
                                    - offsetof(ngx_http_codat_job_t, event));
    deliver = job->deliver;

    ngx_codat_fault("deliver.answered");

    if (!job->ended) {

        /* it is not cut off: if it ends well after all, that is recorded */

        job->late = 1;

        ngx_http_codat_deliver_result(deliver, job->route->cdlcf,
                                      &job->delivery, 0, NULL,
                                      "not answered within "
                                      "codat_forward_timeout");
        return;
    }

    if (!job->late || job->succeeded) {
        ngx_http_codat_deliver_result(deliver, job->route->cdlcf,
                                      &job->delivery, job->status,
                                      &job->retry_after, NULL);
    }

    ngx_queue_remove(&job->queue);
    deliver->running--;

    ngx_http_codat_client_free(job->request);
}


/* --- results ------------------------------------------------------------ */

static void
ngx_http_codat_deliver_result(ngx_http_codat_deliver_t *deliver,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_codat_work_delivery_t *delivery,
    ngx_uint_t status, ngx_str_t *retry_after, const char *error)
{
    int64_t                   msec;
    u_char                    text[64];
    ngx_str_t                 why;
    ngx_codat_work_result_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_RESULT,
                                 sizeof(ngx_codat_work_result_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return;                 /* the lease will end */
    }

    work->work.done = ngx_http_codat_deliver_recorded;
    work->work.data = deliver;

    work->delivery = delivery->id;
    work->owner = deliver->owner;
    work->status = status;
    work->now = ngx_codat_table_now();

    if (status >= NGX_HTTP_OK && status < NGX_HTTP_SPECIAL_RESPONSE) {
        work->state = NGX_CODAT_QUEUED_DELIVERED;

    } else {
        why.data = text;
        why.len = (size_t) (error
                     ? ngx_slprintf(text, text + sizeof(text), "%s", error)
                     : ngx_slprintf(text, text + sizeof(text),
                                    "answered with status %ui", status))
                  - (size_t) text;

        (void) ngx_codat_work_text(&work->work, &work->error, &why);

        if (ngx_http_codat_deliver_later(cdlcf, delivery->attempt,
                                         retry_after, &msec)
            == NGX_OK)
        {
            work->state = NGX_CODAT_QUEUED_PENDING;
            work->next = work->now + msec * 1000;

        } else {
            work->state = NGX_CODAT_QUEUED_DEAD;
        }

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "codat: delivery %uL to \"%V\" failed at attempt %ui, "
                      "%V, %s", delivery->id, &delivery->route,
                      delivery->attempt, &why,
                      work->state == NGX_CODAT_QUEUED_DEAD
                          ? "and is given up" : "it will be tried again");
    }

    if (ngx_codat_store_submit(deliver->zone->store, &work->work) != NGX_OK)
    {
        ngx_codat_work_free(&work->work);
    }
}


static void
ngx_http_codat_deliver_recorded(ngx_codat_work_t *w)
{
    ngx_http_codat_deliver_t  *deliver;

    deliver = w->data;

    ngx_codat_work_free(w);

    ngx_http_codat_deliver_claim(deliver);
}


ngx_int_t
ngx_http_codat_deliver_later(ngx_http_codat_loc_conf_t *cdlcf,
    ngx_uint_t attempt, ngx_str_t *retry_after, int64_t *msec)
{
    time_t             seconds;
    ngx_uint_t         n;
    int64_t            asked;
    const ngx_msec_t  *retries;

    retries = ngx_http_codat_retries;
    n = sizeof(ngx_http_codat_retries) / sizeof(ngx_msec_t);

    if (cdlcf->retry) {
        retries = cdlcf->retry->elts;
        n = cdlcf->retry->nelts;
    }

    if (attempt == 0 || attempt > n) {
        return NGX_DECLINED;
    }

    /* ten percent more or less, so that what failed at once comes apart */

    *msec = (int64_t) retries[attempt - 1];
    *msec += *msec * (ngx_random() % 201 - 100) / 1000;

    if (retry_after == NULL || retry_after->len == 0) {
        return NGX_OK;
    }

    seconds = ngx_atotm(retry_after->data, retry_after->len);

    if (seconds == NGX_ERROR) {
        seconds = ngx_parse_http_time(retry_after->data, retry_after->len);

        if (seconds == NGX_ERROR) {
            return NGX_OK;
        }

        seconds -= ngx_time();
    }

    asked = ngx_min((int64_t) seconds * 1000, NGX_HTTP_CODAT_DELIVER_LATER);

    *msec = ngx_max(*msec, asked);

    return NGX_OK;
}
