
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_conf.h"
#include "ngx_http_codat_prefer.h"
#include "ngx_http_codat_status.h"
#include "ngx_http_codat_wait.h"


typedef struct {
    ngx_http_request_t       *request;  /* NULL: not held any more */
    ngx_codat_zone_t         *zone;
    ngx_codat_record_kind_e   kind;
    ngx_uint_t                state;    /* when the request came, 0: unknown */
    ngx_codat_watch_t         watch;
    ngx_event_t               timer;
} ngx_http_codat_waiter_t;


static ngx_http_codat_waiter_t *ngx_http_codat_waiter(ngx_http_request_t *r,
    ngx_codat_record_kind_e kind, const u_char *key);
static ngx_uint_t ngx_http_codat_wait_over(ngx_http_codat_waiter_t *waiter,
    ngx_uint_t first);
static ngx_int_t ngx_http_codat_wait_park(ngx_http_codat_waiter_t *waiter);
static void ngx_http_codat_wait_watch_handler(ngx_codat_watch_t *watch);
static void ngx_http_codat_wait_timer_handler(ngx_event_t *ev);
static void ngx_http_codat_wait_answer(ngx_http_codat_waiter_t *waiter);
static void ngx_http_codat_wait_cleanup(void *data);


char *
ngx_http_codat_wait_time(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_codat_loc_conf_t *cdlcf = conf;

    ngx_str_t  *value;

    if (cdlcf->wait != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    cdlcf->wait = ngx_parse_time(&value[1], 1);

    if (cdlcf->wait == (time_t) NGX_ERROR
        || cdlcf->wait > NGX_HTTP_CODAT_PREFER_MAX)
    {
        return ngx_http_codat_invalid(cf, &value[1], "a time of whole "
                                      "seconds up to 1d, or 0, is expected");
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_codat_wait(ngx_http_request_t *r, ngx_codat_record_kind_e kind,
    const u_char *key, ngx_int_t asked)
{
    ngx_int_t                   seconds;
    ngx_http_codat_waiter_t    *waiter;
    ngx_http_codat_loc_conf_t  *cdlcf;

    if (asked < 0) {
        asked = ngx_http_codat_prefer_wait(r);
    }

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    if (asked < 0
        || cdlcf->wait == 0
        || (kind != NGX_CODAT_RECORD_PUSH
            && kind != NGX_CODAT_RECORD_CONNECTION)
        || !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        || r->main->discard_body            /* it is still coming */
        || ngx_exiting)
    {
        return NGX_DECLINED;
    }

    seconds = ngx_min(asked, (ngx_int_t) cdlcf->wait);

    if (ngx_http_codat_prefer_applied(r, seconds) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (seconds == 0) {
        return NGX_DECLINED;
    }

    waiter = ngx_http_codat_waiter(r, kind, key);
    if (waiter == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (ngx_http_codat_wait_over(waiter, 1)) {
        return NGX_DECLINED;
    }

    if (ngx_codat_wake_watch(waiter->zone->wakeup, waiter->zone->sh->wake,
                             &waiter->watch, (ngx_msec_t) seconds * 1000)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* once more: from now on changes are told, those before were not */

    if (ngx_http_codat_wait_over(waiter, 0)) {
        ngx_codat_wake_unwatch(&waiter->watch);
        return NGX_DECLINED;
    }

    waiter->request = r;

    waiter->timer.handler = ngx_http_codat_wait_timer_handler;
    waiter->timer.data = r->connection;
    waiter->timer.log = r->connection->log;

    ngx_add_timer(&waiter->timer, (ngx_msec_t) seconds * 1000);

    return ngx_http_codat_wait_park(waiter);
}


static ngx_http_codat_waiter_t *
ngx_http_codat_waiter(ngx_http_request_t *r, ngx_codat_record_kind_e kind,
    const u_char *key)
{
    ngx_http_cleanup_t       *cln;
    ngx_http_codat_waiter_t  *waiter;

    waiter = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_waiter_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (waiter == NULL || cln == NULL) {
        return NULL;
    }

    waiter->zone = ngx_http_codat_status_zone(r);
    waiter->kind = kind;

    waiter->watch.handler = ngx_http_codat_wait_watch_handler;
    waiter->watch.data = waiter;
    waiter->watch.kind = (kind == NGX_CODAT_RECORD_PUSH)
                         ? NGX_CODAT_ROW_PUSH : NGX_CODAT_ROW_CONNECTION;
    ngx_memcpy(waiter->watch.key, key, NGX_CODAT_WAKE_KEY_LEN);

    cln->handler = ngx_http_codat_wait_cleanup;
    cln->data = waiter;

    return waiter;
}


/*
 * 1 if there is nothing to wait for, or not any more.  A connection that is
 * forgotten has not changed: no event says that a status is unknown.
 */

static ngx_uint_t
ngx_http_codat_wait_over(ngx_http_codat_waiter_t *waiter, ngx_uint_t first)
{
    ngx_codat_copy_t  copy;

    if (ngx_codat_table_get(waiter->zone, waiter->kind, waiter->watch.key,
                            &copy)
        != NGX_OK)
    {
        return 0;
    }

    if (waiter->kind == NGX_CODAT_RECORD_PUSH) {
        return ngx_codat_record_final(&copy.record);
    }

    if (first) {
        waiter->state = copy.record.state;
        return 0;
    }

    return copy.record.state && copy.record.state != waiter->state;
}


/* a client that goes is noticed: the request ends, and with it the waiter */

static ngx_int_t
ngx_http_codat_wait_park(ngx_http_codat_waiter_t *waiter)
{
    ngx_http_request_t  *r;

    r = waiter->request;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "codat wait, kind: %d, state: %ui", waiter->kind,
                   waiter->state);

    if (ngx_http_codat_wait_client(r) != NGX_OK) {

        /* nobody is to answer behind the page that says so */

        ngx_http_codat_wait_cleanup(waiter);

        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    r->main->count++;

    return NGX_DONE;
}


ngx_int_t
ngx_http_codat_wait_client(ngx_http_request_t *r)
{
    ngx_event_t  *rev;

    rev = r->connection->read;

    if (rev->ready && !(ngx_event_flags & NGX_USE_LEVEL_EVENT)) {

        /* of a client that is gone already no event will tell */

        ngx_post_event(rev, &ngx_posted_events);

    } else if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    r->connection->log->action = "waiting for a change";

    return NGX_OK;
}


static void
ngx_http_codat_wait_watch_handler(ngx_codat_watch_t *watch)
{
    ngx_http_codat_waiter_t  *waiter;

    waiter = watch->data;

    if (ngx_exiting || ngx_http_codat_wait_over(waiter, 0)) {
        ngx_http_codat_wait_answer(waiter);
    }
}


static void
ngx_http_codat_wait_timer_handler(ngx_event_t *ev)
{
    ngx_http_codat_waiter_t  *waiter;

    waiter = (ngx_http_codat_waiter_t *)
                 ((u_char *) ev - offsetof(ngx_http_codat_waiter_t, timer));

    ngx_http_codat_wait_answer(waiter);
}


static void
ngx_http_codat_wait_answer(ngx_http_codat_waiter_t *waiter)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = waiter->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "codat wait is over: \"%V\"", &r->uri);

    ngx_http_codat_wait_cleanup(waiter);

    c->log->action = "sending to client";

    r->read_event_handler = ngx_http_block_reading;

    rc = ngx_http_codat_status_row(r, waiter->kind, waiter->watch.key);

    ngx_http_finalize_request(r, rc);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_codat_wait_cleanup(void *data)
{
    ngx_http_codat_waiter_t  *waiter = data;

    ngx_codat_wake_unwatch(&waiter->watch);

    if (waiter->timer.timer_set) {
        ngx_del_timer(&waiter->timer);
    }

    waiter->request = NULL;
}
