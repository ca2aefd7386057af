
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_fault.h"
#include "ngx_codat_store.h"
#include "ngx_http_codat_client.h"
#include "ngx_http_codat_deliver.h"
#include "ngx_http_codat_dispatch.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_outgoing.h"
#include "ngx_http_codat_recall.h"
#include "ngx_http_codat_webhook.h"


/* looking for what is due, and for what dead workers have left; msec */
#define NGX_HTTP_CODAT_DISPATCH_TICK    1000

/* whoever says so is never sent anything more */
#define NGX_HTTP_CODAT_DISPATCH_GONE    410

/* events of one unit */
#define NGX_HTTP_CODAT_DISPATCH_EVENTS  32

/* of a request that can't be ended yet; msec */
#define NGX_HTTP_CODAT_DISPATCH_AGAIN   100


/* what a worker has of the consumers of a zone */

typedef struct {
    ngx_codat_zone_t                 *zone;
    ngx_http_codat_consumers_conf_t  *conf;
    ngx_http_codat_loc_conf_t        *cdlcf;
    uint64_t                          owner;
    ngx_event_t                       timer;
    ngx_connection_t                  dummy;
    ngx_queue_t                       jobs;
    ngx_uint_t                        max;
    ngx_uint_t                        running;
    ngx_uint_t                        slow;     /* of these */
    unsigned                          claiming:1;
    unsigned                          again:1;
    unsigned                          spreading:1;
    unsigned                          news:1;
} ngx_http_codat_dispatch_t;


/* an attempt; lies in the pool of its request */

typedef struct {
    ngx_queue_t                       queue;
    ngx_http_codat_dispatch_t        *dispatch;
    ngx_http_codat_outgoing_t        *outgoing;
    uint64_t                          delivery;
    ngx_uint_t                        attempt;
    ngx_uint_t                        slow;     /* unsigned  slow:1; */
    ngx_event_t                       event;    /* the time-out, or the end */
    ngx_str_t                         retry_after;
    ngx_uint_t                        status;
    ngx_uint_t                        ended;    /* unsigned  ended:1; */
} ngx_http_codat_dispatch_job_t;


/* what became of an attempt */

typedef struct {
    ngx_http_codat_dispatched_e       outcome;
    uint64_t                          delivery;
    ngx_str_t                        *consumer; /* its uid */
    ngx_uint_t                        attempt;
    ngx_uint_t                        slow;     /* where it was counted */
    ngx_uint_t                        status;
    ngx_msec_t                        took;
    ngx_str_t                        *retry_after;
    ngx_str_t                         error;    /* empty: by its status */
} ngx_http_codat_dispatch_end_t;


static ngx_int_t ngx_http_codat_dispatch_start(ngx_cycle_t *cycle,
    ngx_http_codat_consumers_conf_t *conf);
static ngx_http_codat_dispatch_t *ngx_http_codat_dispatch_of(
    ngx_codat_zone_t *zone);
static void ngx_http_codat_dispatch_tick(ngx_event_t *ev);
static void ngx_http_codat_dispatch_spread(
    ngx_http_codat_dispatch_t *dispatch);
static void ngx_http_codat_dispatch_spread_done(ngx_codat_work_t *w);
static void ngx_http_codat_dispatch_claim(
    ngx_http_codat_dispatch_t *dispatch);
static void ngx_http_codat_dispatch_claimed(ngx_codat_work_t *w);
static void ngx_http_codat_dispatch_attempt(
    ngx_http_codat_dispatch_t *dispatch, ngx_codat_work_outgoing_t *work);
static void ngx_http_codat_dispatch_job(ngx_http_codat_dispatch_t *dispatch,
    ngx_http_codat_outgoing_t *outgoing, ngx_codat_work_outgoing_t *work,
    ngx_http_codat_dispatch_end_t *end);
static void ngx_http_codat_dispatch_ended(ngx_http_request_t *sr,
    ngx_http_codat_child_t *child);
static void ngx_http_codat_dispatch_handler(ngx_event_t *ev);
static void ngx_http_codat_dispatch_finish(ngx_http_codat_dispatch_job_t *job,
    ngx_http_codat_dispatch_end_t *end);
static void ngx_http_codat_dispatch_result(
    ngx_http_codat_dispatch_t *dispatch, ngx_http_codat_dispatch_end_t *end);
static void ngx_http_codat_dispatch_failed(
    ngx_http_codat_dispatch_t *dispatch, ngx_http_codat_dispatch_end_t *end,
    ngx_codat_work_dispatched_t *work);
static void ngx_http_codat_dispatch_recorded(ngx_codat_work_t *w);
static void ngx_http_codat_dispatch_free(ngx_http_codat_dispatch_t *dispatch,
    ngx_uint_t slow);


const ngx_str_t  ngx_http_codat_dispatched_names[] = {
    ngx_string("delivered"),
    ngx_string("failed"),
    ngx_string("timeout"),
    ngx_string("refused"),
    ngx_string("gone"),
    ngx_string("unsent")
};


/* of this process */

static ngx_array_t  *ngx_http_codat_dispatches;


ngx_int_t
ngx_http_codat_dispatch_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                         i;
    ngx_http_codat_main_conf_t        *cdmcf;
    ngx_http_codat_consumers_conf_t  **conf;

    ngx_http_codat_dispatches = NULL;

    cdmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_codat_module);

    if (cdmcf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    conf = cdmcf->consumers.elts;

    for (i = 0; i < cdmcf->consumers.nelts; i++) {

        if (ngx_http_codat_dispatch_start(cycle, conf[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_dispatch_start(ngx_cycle_t *cycle,
    ngx_http_codat_consumers_conf_t *conf)
{
    ngx_codat_zone_t            *zone;
    ngx_http_codat_dispatch_t   *dispatch, **dp;

    zone = conf->zone->data;

    if (zone->store == NULL || conf->named.len == 0) {
        return NGX_OK;
    }

    if (ngx_http_codat_dispatches == NULL) {
        ngx_http_codat_dispatches = ngx_array_create(cycle->pool, 2,
                                         sizeof(ngx_http_codat_dispatch_t *));
        if (ngx_http_codat_dispatches == NULL) {
            return NGX_ERROR;
        }
    }

    dispatch = ngx_pcalloc(cycle->pool, sizeof(ngx_http_codat_dispatch_t));
    dp = ngx_array_push(ngx_http_codat_dispatches);

    if (dispatch == NULL || dp == NULL) {
        return NGX_ERROR;
    }

    *dp = dispatch;

    zone->consumers = 1;

    dispatch->zone = zone;
    dispatch->conf = conf;
    dispatch->cdlcf = conf->ctx.loc_conf[ngx_http_codat_module.ctx_index];
    dispatch->owner = ngx_http_codat_deliver_worker(zone);
    dispatch->max = ngx_min(NGX_HTTP_CODAT_DISPATCH_MAX,
                            ngx_max(cycle->connection_n / 8, 4));

    ngx_queue_init(&dispatch->jobs);

    dispatch->dummy.fd = (ngx_socket_t) -1;
    dispatch->dummy.data = dispatch;
    dispatch->timer.handler = ngx_http_codat_dispatch_tick;
    dispatch->timer.data = &dispatch->dummy;
    dispatch->timer.log = cycle->log;
    dispatch->timer.cancelable = 1;

    ngx_add_timer(&dispatch->timer, 1 + (ngx_msec_t) ngx_random() % 100);

    return NGX_OK;
}


void
ngx_http_codat_dispatch_exit(ngx_cycle_t *cycle)
{
    ngx_uint_t                   i;
    ngx_codat_work_release_t    *work;
    ngx_http_codat_dispatch_t  **all;

    if (ngx_http_codat_dispatches == NULL) {
        return;
    }

    all = ngx_http_codat_dispatches->elts;

    for (i = 0; i < ngx_http_codat_dispatches->nelts; i++) {

        /* what this worker can't finish others are to do at once */

        if (ngx_queue_empty(&all[i]->jobs)) {
            continue;
        }

        work = ngx_codat_work_create(NGX_CODAT_WORK_RELEASE,
                                     sizeof(ngx_codat_work_release_t),
                                     cycle->log);
        if (work == NULL) {
            continue;
        }

        work->owner = all[i]->owner;
        work->work.done = ngx_codat_work_free;

        (void) ngx_codat_store_submit(all[i]->zone->store, &work->work);
    }

    ngx_http_codat_dispatches = NULL;
}


static ngx_http_codat_dispatch_t *
ngx_http_codat_dispatch_of(ngx_codat_zone_t *zone)
{
    ngx_uint_t                   i;
    ngx_http_codat_dispatch_t  **all;

    if (ngx_http_codat_dispatches == NULL) {
        return NULL;
    }

    all = ngx_http_codat_dispatches->elts;

    for (i = 0; i < ngx_http_codat_dispatches->nelts; i++) {

        if (all[i]->zone == zone) {
            return all[i];
        }
    }

    return NULL;
}


static void
ngx_http_codat_dispatch_tick(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_http_codat_dispatch_t  *dispatch;

    c = ev->data;
    dispatch = c->data;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    ngx_http_codat_dispatch_spread(dispatch);

    if (!ev->timer_set) {
        ngx_add_timer(ev, NGX_HTTP_CODAT_DISPATCH_TICK);
    }
}


void
ngx_http_codat_dispatch_news(ngx_codat_zone_t *zone)
{
    ngx_http_codat_dispatch_t  *dispatch;

    dispatch = ngx_http_codat_dispatch_of(zone);

    if (dispatch) {
        ngx_http_codat_dispatch_spread(dispatch);
    }
}


/* --- distributing ------------------------------------------------------- */

static void
ngx_http_codat_dispatch_spread(ngx_http_codat_dispatch_t *dispatch)
{
    ngx_codat_work_fanout_t  *work;

    if (ngx_exiting) {
        return;
    }

    if (dispatch->spreading) {
        dispatch->news = 1;
        return;
    }

    work = ngx_codat_work_create(NGX_CODAT_WORK_FANOUT,
                                 sizeof(ngx_codat_work_fanout_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return;
    }

    work->work.done = ngx_http_codat_dispatch_spread_done;
    work->work.data = dispatch;
    work->now = ngx_codat_table_now();
    work->limit = NGX_HTTP_CODAT_DISPATCH_EVENTS;

    if (ngx_codat_store_submit(dispatch->zone->store, &work->work) != NGX_OK)
    {
        ngx_codat_work_free(&work->work);
        return;
    }

    dispatch->spreading = 1;
    dispatch->news = 0;

    /* in the same group, behind it */

    ngx_http_codat_dispatch_claim(dispatch);
}


static void
ngx_http_codat_dispatch_spread_done(ngx_codat_work_t *w)
{
    ngx_uint_t                  more;
    ngx_codat_work_fanout_t    *work;
    ngx_http_codat_dispatch_t  *dispatch;

    work = (ngx_codat_work_fanout_t *) w;
    dispatch = w->data;

    dispatch->spreading = 0;

    more = (w->rc == NGX_OK && (work->more || dispatch->news));

    if (w->rc == NGX_OK && work->deliveries) {
        ngx_codat_stats_add(dispatch->zone->sh->stats,
                            ngx_codat_stat_id(NGX_CODAT_STAT_CONSUMER_FANOUT,
                                              0, 0, 0, 0),
                            work->deliveries);
    }

    ngx_codat_work_free(w);

    if (more) {
        ngx_http_codat_dispatch_spread(dispatch);
    }
}


/* --- claiming ----------------------------------------------------------- */

static void
ngx_http_codat_dispatch_claim(ngx_http_codat_dispatch_t *dispatch)
{
    ngx_uint_t                  slow;
    ngx_codat_work_dispatch_t  *work;

    if (ngx_exiting
        || dispatch->running >= dispatch->max
        || !ngx_http_codat_recall_ready(dispatch->zone))
    {
        return;
    }

    if (dispatch->claiming) {
        dispatch->again = 1;
        return;
    }

    work = ngx_codat_work_create(NGX_CODAT_WORK_DISPATCH,
                                 sizeof(ngx_codat_work_dispatch_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return;
    }

    slow = ngx_max(dispatch->max / NGX_HTTP_CODAT_DISPATCH_SLOW, 1);

    work->work.done = ngx_http_codat_dispatch_claimed;
    work->work.data = dispatch;
    work->now = ngx_codat_table_now();
    work->lease = work->now + ((int64_t) dispatch->cdlcf->forward_timeout
                               + NGX_HTTP_CODAT_DELIVER_GRACE) * 1000;
    work->owner = dispatch->owner;
    work->limit = dispatch->max - dispatch->running;
    work->slow = (dispatch->slow < slow) ? slow - dispatch->slow : 0;
    work->size = 1024 * 1024;

    if (ngx_codat_store_submit(dispatch->zone->store, &work->work) != NGX_OK)
    {
        ngx_codat_work_free(&work->work);
        return;
    }

    dispatch->claiming = 1;
    dispatch->again = 0;
}


static void
ngx_http_codat_dispatch_claimed(ngx_codat_work_t *w)
{
    int64_t                     msec;
    ngx_uint_t                  i;
    ngx_codat_work_dispatch_t  *work;
    ngx_codat_work_outgoing_t  *out;
    ngx_http_codat_dispatch_t  *dispatch;

    work = (ngx_codat_work_dispatch_t *) w;
    dispatch = w->data;

    dispatch->claiming = 0;

    if (w->rc == NGX_OK) {

        out = work->claimed.elts;

        for (i = 0; i < work->claimed.nelts; i++) {
            ngx_http_codat_dispatch_attempt(dispatch, &out[i]);
        }

        msec = (work->next - work->now) / 1000 + 1;

        if (work->next && msec < NGX_HTTP_CODAT_DISPATCH_TICK
            && !ngx_exiting)
        {
            ngx_add_timer(&dispatch->timer, (ngx_msec_t) ngx_max(msec, 1));
        }

        /* what had no room in the group may be due as well */

        if (dispatch->again || work->claimed.nelts) {
            ngx_http_codat_dispatch_claim(dispatch);
        }
    }

    ngx_codat_work_free(w);
}


/* --- attempts ----------------------------------------------------------- */

static void
ngx_http_codat_dispatch_attempt(ngx_http_codat_dispatch_t *dispatch,
    ngx_codat_work_outgoing_t *work)
{
    ngx_http_codat_outgoing_t      *outgoing;
    ngx_http_codat_dispatch_end_t   end;

    ngx_memzero(&end, sizeof(ngx_http_codat_dispatch_end_t));

    end.delivery = work->id;
    end.consumer = &work->consumer.uid;
    end.attempt = work->attempt;
    end.slow = work->slow;

    dispatch->running++;
    dispatch->slow += work->slow;

    outgoing = ngx_http_codat_outgoing_create(dispatch->zone, dispatch->conf,
                                          work, ngx_http_codat_dispatch_ended);
    if (outgoing == NULL) {
        end.outcome = NGX_HTTP_CODAT_DISPATCHED_UNSENT;
        ngx_str_set(&end.error, "it could not be started");

        ngx_http_codat_dispatch_result(dispatch, &end);
        return;
    }

    ngx_http_codat_dispatch_job(dispatch, outgoing, work, &end);
}


static void
ngx_http_codat_dispatch_job(ngx_http_codat_dispatch_t *dispatch,
    ngx_http_codat_outgoing_t *outgoing, ngx_codat_work_outgoing_t *work,
    ngx_http_codat_dispatch_end_t *end)
{
    ngx_int_t                       rc;
    ngx_connection_t               *c;
    ngx_http_codat_dispatch_job_t  *job;

    c = outgoing->request->connection;

    job = ngx_pcalloc(outgoing->request->pool,
                      sizeof(ngx_http_codat_dispatch_job_t));

    rc = NGX_ERROR;

    if (job) {
        outgoing->child->data = job;
        rc = ngx_http_codat_outgoing_start(outgoing, dispatch->conf);
    }

    if (rc != NGX_OK) {

        if (rc == NGX_DECLINED) {
            end->error = outgoing->why;
            end->outcome = NGX_HTTP_CODAT_DISPATCHED_REFUSED;

        } else {
            end->outcome = NGX_HTTP_CODAT_DISPATCHED_UNSENT;
            ngx_str_set(&end->error, "it could not be started");
        }

        ngx_http_codat_dispatch_result(dispatch, end);
        ngx_http_codat_client_free(outgoing->request);
        return;
    }

    job->dispatch = dispatch;
    job->outgoing = outgoing;
    job->delivery = work->id;
    job->attempt = work->attempt;
    job->slow = work->slow;

    job->event.handler = ngx_http_codat_dispatch_handler;
    job->event.data = c;
    job->event.log = c->log;

    ngx_queue_insert_tail(&dispatch->jobs, &job->queue);

    ngx_add_timer(&job->event, dispatch->cdlcf->forward_timeout);

    ngx_http_run_posted_requests(c);

    ngx_codat_fault("dispatch.started");
}


/* the child has ended: the rest is done when whoever ended it is through */

static void
ngx_http_codat_dispatch_ended(ngx_http_request_t *sr,
    ngx_http_codat_child_t *child)
{
    ngx_table_elt_t                *h;
    ngx_http_codat_dispatch_job_t  *job;

    static ngx_str_t  name = ngx_string("Retry-After");

    job = child->data;

    job->ended = 1;
    job->status = child->status;

    h = ngx_http_codat_header_find(&sr->headers_out.headers, &name);

    if (h) {
        job->retry_after.data = ngx_pstrdup(job->outgoing->request->pool,
                                            &h->value);
        job->retry_after.len = job->retry_after.data ? h->value.len : 0;
    }

    if (job->event.timer_set) {
        ngx_del_timer(&job->event);
    }

    ngx_post_event(&job->event, &ngx_posted_events);
}


/* the child has ended, or the time is up */

static void
ngx_http_codat_dispatch_handler(ngx_event_t *ev)
{
    ngx_http_request_t             *r;
    ngx_http_codat_dispatch_end_t   end;
    ngx_http_codat_dispatch_job_t  *job;

    job = (ngx_http_codat_dispatch_job_t *)
              ((u_char *) ev
               - offsetof(ngx_http_codat_dispatch_job_t, event));

    r = job->outgoing->request;

    ngx_memzero(&end, sizeof(ngx_http_codat_dispatch_end_t));

    if (job->ended) {
        end.status = job->status;
        end.retry_after = &job->retry_after;

    } else {

        if (r->blocked) {

            /* a thread or the disk works for it */

            ngx_add_timer(ev, NGX_HTTP_CODAT_DISPATCH_AGAIN);
            return;
        }

        /* one that does not answer must not keep its place for longer */

        end.outcome = NGX_HTTP_CODAT_DISPATCHED_TIMEOUT;
        ngx_str_set(&end.error, "not answered within codat_forward_timeout");

        job->outgoing->child->running = 0;
    }

    ngx_http_codat_dispatch_finish(job, &end);
}


static void
ngx_http_codat_dispatch_finish(ngx_http_codat_dispatch_job_t *job,
    ngx_http_codat_dispatch_end_t *end)
{
    ngx_str_t                  *why;
    ngx_http_codat_dispatch_t  *dispatch;

    dispatch = job->dispatch;

    ngx_codat_fault("dispatch.answered");

    end->delivery = job->delivery;
    end->consumer = &job->outgoing->id;
    end->attempt = job->attempt;
    end->slow = job->slow;
    end->took = ngx_current_msec - job->outgoing->child->started;

    why = ngx_http_codat_guard_why(job->outgoing->request);

    if (why) {
        end->outcome = NGX_HTTP_CODAT_DISPATCHED_REFUSED;
        end->status = 0;
        end->error = *why;

    } else if (end->status >= NGX_HTTP_OK
               && end->status < NGX_HTTP_SPECIAL_RESPONSE)
    {
        end->outcome = NGX_HTTP_CODAT_DISPATCHED_DELIVERED;

    } else if (end->status == NGX_HTTP_CODAT_DISPATCH_GONE) {
        end->outcome = NGX_HTTP_CODAT_DISPATCHED_GONE;

    } else if (end->outcome != NGX_HTTP_CODAT_DISPATCHED_TIMEOUT) {
        end->outcome = NGX_HTTP_CODAT_DISPATCHED_FAILED;
    }

    ngx_http_codat_dispatch_result(dispatch, end);

    ngx_queue_remove(&job->queue);

    ngx_http_codat_client_free(job->outgoing->request);
}


/* --- results ------------------------------------------------------------ */

static void
ngx_http_codat_dispatch_result(ngx_http_codat_dispatch_t *dispatch,
    ngx_http_codat_dispatch_end_t *end)
{
    ngx_codat_work_dispatched_t  *work;

    ngx_codat_stats_add(dispatch->zone->sh->stats,
                        ngx_codat_stat_id(NGX_CODAT_STAT_CONSUMER_ATTEMPTS,
                                          0, 0, end->outcome, 0),
                        1);

    work = ngx_codat_work_create(NGX_CODAT_WORK_DISPATCHED,
                                 sizeof(ngx_codat_work_dispatched_t),
                                 ngx_cycle->log);
    if (work == NULL) {

        /* the lease will end */

        ngx_http_codat_dispatch_free(dispatch, end->slow);
        return;
    }

    work->work.done = ngx_http_codat_dispatch_recorded;
    work->work.data = dispatch;

    work->delivery = end->delivery;
    work->owner = dispatch->owner;
    work->status = end->status;
    work->now = ngx_codat_table_now();
    work->counted = end->slow & 1;

    switch (end->outcome) {

    case NGX_HTTP_CODAT_DISPATCHED_DELIVERED:
        work->state = NGX_CODAT_QUEUED_DELIVERED;
        work->slow = (end->took > NGX_HTTP_CODAT_DISPATCH_LONG);
        break;

    case NGX_HTTP_CODAT_DISPATCHED_GONE:
        work->state = NGX_CODAT_QUEUED_DEAD;
        work->gone = 1;

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "codat: consumer %V is gone, as it said by status 410, "
                      "and is removed", end->consumer);
        break;

    default:
        ngx_http_codat_dispatch_failed(dispatch, end, work);
    }

    if (ngx_codat_store_submit(dispatch->zone->store, &work->work) != NGX_OK)
    {
        ngx_codat_work_free(&work->work);
        ngx_http_codat_dispatch_free(dispatch, end->slow);
    }
}


static void
ngx_http_codat_dispatch_failed(ngx_http_codat_dispatch_t *dispatch,
    ngx_http_codat_dispatch_end_t *end, ngx_codat_work_dispatched_t *work)
{
    int64_t    msec;
    u_char     text[64];
    ngx_str_t  why;

    why = end->error;

    if (why.len == 0) {
        why.data = text;
        why.len = (size_t) (ngx_slprintf(text, text + sizeof(text),
                                         "answered with status %ui",
                                         end->status)
                            - text);
    }

    (void) ngx_codat_work_text(&work->work, &work->error, &why);

    work->ours = (end->outcome == NGX_HTTP_CODAT_DISPATCHED_UNSENT);

    if (ngx_http_codat_deliver_later(dispatch->cdlcf, end->attempt,
                                     end->retry_after, &msec)
        == NGX_OK)
    {
        work->state = NGX_CODAT_QUEUED_PENDING;
        work->next = work->now + msec * 1000;

    } else {
        work->state = NGX_CODAT_QUEUED_DEAD;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "codat: delivery %uL to consumer %V failed at attempt %ui, "
                  "%V, %s", end->delivery, end->consumer, end->attempt, &why,
                  work->state == NGX_CODAT_QUEUED_DEAD
                      ? "and is given up" : "it will be tried again");
}


static void
ngx_http_codat_dispatch_recorded(ngx_codat_work_t *w)
{
    ngx_uint_t                    disabled;
    ngx_codat_work_dispatched_t  *work;
    ngx_http_codat_dispatch_t    *dispatch;

    work = (ngx_codat_work_dispatched_t *) w;
    dispatch = w->data;

    disabled = (w->rc == NGX_OK && work->disabled);

    ngx_http_codat_dispatch_free(dispatch, work->counted);

    ngx_codat_work_free(w);

    if (disabled) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "codat: a consumer of zone \"%V\" is disabled, for it "
                      "has only failed for five days",
                      &dispatch->zone->store->zone);

        ngx_http_codat_dispatch_spread(dispatch);
        return;
    }

    ngx_http_codat_dispatch_claim(dispatch);
}


static void
ngx_http_codat_dispatch_free(ngx_http_codat_dispatch_t *dispatch,
    ngx_uint_t slow)
{
    dispatch->running--;
    dispatch->slow -= slow;
}
