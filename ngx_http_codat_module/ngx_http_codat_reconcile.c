
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_overdue.h"
#include "ngx_http_codat_client.h"
#include "ngx_http_codat_reconcile.h"
#include "ngx_http_codat_track.h"


/* looking for what is overdue; msec */
#define NGX_HTTP_CODAT_RECONCILE_TICK  1000


/* what a worker has of one codat_reconcile; in the pool of the cycle */

typedef struct {
    ngx_http_codat_reconcile_conf_t  *conf;
    ngx_codat_zone_t                 *zone;
    ngx_event_t                       timer;
    ngx_connection_t                  dummy;
    ngx_uint_t                        running;
} ngx_http_codat_reconcile_t;


/* a question */

typedef struct {
    ngx_http_codat_reconcile_t       *reconcile;
    ngx_http_request_t               *request;
    ngx_http_codat_track_t            track;
    ngx_http_post_subrequest_t        post;
    ngx_event_t                       event;    /* the end */
    ngx_uint_t                        status;
} ngx_http_codat_question_t;


static void ngx_http_codat_reconcile_tick(ngx_event_t *ev);
static void ngx_http_codat_reconcile_ask(
    ngx_http_codat_reconcile_t *reconcile, ngx_codat_record_t *push);
static ngx_uint_t ngx_http_codat_reconcile_plain(ngx_str_t *id);
static ngx_http_codat_question_t *ngx_http_codat_reconcile_question(
    ngx_http_request_t *r, ngx_http_codat_reconcile_t *reconcile,
    ngx_codat_record_t *push);
static void ngx_http_codat_reconcile_named(ngx_http_request_t *sr);
static ngx_int_t ngx_http_codat_reconcile_done(ngx_http_request_t *sr,
    void *data, ngx_int_t rc);
static void ngx_http_codat_reconcile_handler(ngx_event_t *ev);


ngx_int_t
ngx_http_codat_reconcile_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                         i;
    ngx_http_codat_main_conf_t        *cdmcf;
    ngx_http_codat_reconcile_t        *reconcile;
    ngx_http_codat_reconcile_conf_t  **all;

    cdmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_codat_module);

    if (cdmcf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    all = cdmcf->reconciles.elts;

    for (i = 0; i < cdmcf->reconciles.nelts; i++) {

        reconcile = ngx_pcalloc(cycle->pool,
                                sizeof(ngx_http_codat_reconcile_t));
        if (reconcile == NULL) {
            return NGX_ERROR;
        }

        reconcile->conf = all[i];
        reconcile->zone = all[i]->track->zone->data;

        reconcile->dummy.fd = (ngx_socket_t) -1;
        reconcile->dummy.data = reconcile;

        reconcile->timer.handler = ngx_http_codat_reconcile_tick;
        reconcile->timer.data = &reconcile->dummy;
        reconcile->timer.log = cycle->log;
        reconcile->timer.cancelable = 1;

        ngx_add_timer(&reconcile->timer,
                      1 + (ngx_msec_t) ngx_random()
                          % NGX_HTTP_CODAT_RECONCILE_TICK);
    }

    return NGX_OK;
}


static void
ngx_http_codat_reconcile_tick(ngx_event_t *ev)
{
    ngx_connection_t                 *c;
    ngx_codat_copy_t                  copy;
    ngx_http_codat_reconcile_t       *reconcile;
    ngx_http_codat_reconcile_conf_t  *conf;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    c = ev->data;
    reconcile = c->data;
    conf = reconcile->conf;

    while (reconcile->running < conf->rate
           && ngx_codat_overdue(reconcile->zone, conf->track->reconcile,
                                conf->rate, &copy)
              == NGX_OK)
    {
        ngx_http_codat_reconcile_ask(reconcile, &copy.record);
    }

    ngx_add_timer(ev, NGX_HTTP_CODAT_RECONCILE_TICK);
}


static void
ngx_http_codat_reconcile_ask(ngx_http_codat_reconcile_t *reconcile,
    ngx_codat_record_t *push)
{
    u_char                       *p;
    ngx_str_t                    *key, *company;
    ngx_connection_t             *c;
    ngx_http_request_t           *r;
    ngx_http_codat_question_t    *question;
    ngx_http_codat_client_call_t  call;
    u_char                        uri[sizeof("/companies//push/")
                                      + 2 * NGX_CODAT_ID_MAX];

    key = &push->texts[NGX_CODAT_TEXT_ID];
    company = &push->texts[NGX_CODAT_TEXT_COMPANY];

    /* one that was registered by hand may have no company */

    if (!ngx_http_codat_reconcile_plain(key)
        || !ngx_http_codat_reconcile_plain(company))
    {
        return;
    }

    ngx_memzero(&call, sizeof(ngx_http_codat_client_call_t));

    p = ngx_sprintf(uri, "/companies/%V/push/%V", company, key);

    call.uri.data = uri;
    call.uri.len = (size_t) (p - uri);

    r = ngx_http_codat_client_create(&reconcile->conf->ctx, &call);
    if (r == NULL) {
        return;
    }

    question = ngx_http_codat_reconcile_question(r, reconcile, push);

    if (question == NULL) {
        ngx_http_codat_client_free(r);
        return;
    }

    c = r->connection;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "codat asks for a push: \"%V\"", &r->uri);

    reconcile->running++;

    ngx_http_codat_track_count(&question->track,
                               NGX_HTTP_CODAT_TRACKED_ASKED);

    ngx_http_run_posted_requests(c);
}


/* the operator's credentials must not go to another path */

static ngx_uint_t
ngx_http_codat_reconcile_plain(ngx_str_t *id)
{
    u_char      c;
    ngx_uint_t  i;

    for (i = 0; i < id->len; i++) {
        c = id->data[i];

        if ((c < '0' || c > '9')
            && (c < 'A' || c > 'Z')
            && (c < 'a' || c > 'z')
            && c != '-' && c != '_')
        {
            return 0;
        }
    }

    return id->len != 0;
}


static ngx_http_codat_question_t *
ngx_http_codat_reconcile_question(ngx_http_request_t *r,
    ngx_http_codat_reconcile_t *reconcile, ngx_codat_record_t *push)
{
    ngx_http_request_t         *sr;
    ngx_http_codat_track_t     *track;
    ngx_http_codat_question_t  *question;

    question = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_question_t));
    if (question == NULL) {
        return NULL;
    }

    question->reconcile = reconcile;
    question->request = r;

    question->event.handler = ngx_http_codat_reconcile_handler;
    question->event.data = question;
    question->event.log = r->connection->log;

    question->post.handler = ngx_http_codat_reconcile_done;
    question->post.data = question;

    track = &question->track;

    track->conf = reconcile->conf->track;
    track->zone = reconcile->zone;
    track->wait = -1;
    track->poll = 1;
    track->asking = 1;

    if (ngx_http_subrequest(r, &r->uri, NULL, &sr, &question->post,
                            NGX_HTTP_SUBREQUEST_BACKGROUND)
        != NGX_OK)
    {
        return NULL;
    }

    track->request = sr;

    ngx_http_codat_client_carries(r, sr);

    sr->write_event_handler = ngx_http_codat_reconcile_named;

    return question;
}


static void
ngx_http_codat_reconcile_named(ngx_http_request_t *sr)
{
    ngx_http_codat_question_t  *question;

    question = sr->post_subrequest->data;

    (void) ngx_http_named_location(sr,
                                   &question->reconcile->conf->named);

    ngx_http_finalize_request(sr, NGX_DONE);
}


ngx_http_codat_track_t *
ngx_http_codat_reconcile_of(ngx_http_request_t *r)
{
    ngx_http_codat_question_t  *question;

    if (r == r->main
        || r->post_subrequest == NULL
        || r->post_subrequest->handler != ngx_http_codat_reconcile_done)
    {
        return NULL;
    }

    question = r->post_subrequest->data;

    return &question->track;
}


/* Nothing more is to come of it: no page is made of a status. */

static ngx_int_t
ngx_http_codat_reconcile_done(ngx_http_request_t *sr, void *data,
    ngx_int_t rc)
{
    ngx_http_codat_question_t *question = data;

    question->status = (rc >= NGX_HTTP_SPECIAL_RESPONSE)
                       ? (ngx_uint_t) rc : sr->headers_out.status;

    if (rc == NGX_ERROR) {
        question->status = NGX_HTTP_BAD_GATEWAY;
    }

    ngx_post_event(&question->event, &ngx_posted_events);

    return NGX_OK;
}


static void
ngx_http_codat_reconcile_handler(ngx_event_t *ev)
{
    ngx_http_codat_track_t     *track;
    ngx_http_codat_question_t  *question;

    question = ev->data;
    track = &question->track;

    if (!track->known) {
        ngx_http_codat_track_count(track, NGX_HTTP_CODAT_TRACKED_UNANSWERED);

        ngx_log_error(NGX_LOG_WARN, ev->log, 0,
                      "codat: Codat's API was asked for an overdue push, "
                      "and has answered with status %ui", question->status);

    } else if (track->final) {
        ngx_http_codat_track_count(track, NGX_HTTP_CODAT_TRACKED_HEALED);

        ngx_log_error(NGX_LOG_NOTICE, ev->log, 0,
                      "codat: a push is final whose webhook has not come");
    }

    question->reconcile->running--;

    ngx_http_codat_client_free(question->request);
}
