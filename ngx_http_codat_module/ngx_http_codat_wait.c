
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_conf.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_status.h"
#include "ngx_http_codat_wait.h"


/* seconds: the longest codat_wait, and the longest that is asked for */
#define NGX_HTTP_CODAT_WAIT_MAX  86400


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
static ngx_int_t ngx_http_codat_wait_prefer(ngx_http_request_t *r);
static ngx_int_t ngx_http_codat_wait_preferences(ngx_str_t *value);
static ngx_int_t ngx_http_codat_wait_preference(u_char *p, u_char *last);
static ngx_int_t ngx_http_codat_wait_applied(ngx_http_request_t *r,
    ngx_int_t seconds);
static ngx_uint_t ngx_http_codat_wait_over(ngx_http_codat_waiter_t *waiter,
    ngx_uint_t first);
static ngx_int_t ngx_http_codat_wait_park(ngx_http_codat_waiter_t *waiter);
static void ngx_http_codat_wait_watch_handler(ngx_codat_watch_t *watch);
static void ngx_http_codat_wait_timer_handler(ngx_event_t *ev);
static void ngx_http_codat_wait_answer(ngx_http_codat_waiter_t *waiter);
static void ngx_http_codat_wait_cleanup(void *data);


static ngx_str_t  ngx_http_codat_preference_applied =
    ngx_string("Preference-Applied");


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
        || cdlcf->wait > NGX_HTTP_CODAT_WAIT_MAX)
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
        asked = ngx_http_codat_wait_prefer(r);
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

    if (ngx_http_codat_wait_applied(r, seconds) != NGX_OK) {
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
 * The seconds that a client prefers to wait, or an error if none.  Of a
 * preference that is there twice the first one counts (RFC 7240, section 2).
 * What the client says to the main request is not meant for subrequests.
 */

static ngx_int_t
ngx_http_codat_wait_prefer(ngx_http_request_t *r)
{
    ngx_int_t                      seconds;
    ngx_table_elt_t               *h;
    ngx_http_codat_header_iter_t   iter =
                          ngx_http_codat_header_iter(&r->headers_in.headers);

    if (r != r->main) {
        return NGX_ERROR;
    }

    while ((h = ngx_http_codat_header_next(&iter)) != NULL) {

        if (h->key.len != sizeof("prefer") - 1
            || ngx_strncmp(h->lowcase_key, "prefer", sizeof("prefer") - 1)
               != 0)
        {
            continue;
        }

        seconds = ngx_http_codat_wait_preferences(&h->value);

        if (seconds != NGX_DECLINED) {
            return seconds;
        }
    }

    return NGX_ERROR;
}


/* returns NGX_DECLINED if none of these is about waiting */

static ngx_int_t
ngx_http_codat_wait_preferences(ngx_str_t *value)
{
    u_char      *p, *last, *begin, *end;
    ngx_int_t    seconds;
    ngx_uint_t   quoted;

    last = value->data + value->len;

    for (p = value->data; p < last; p++) {

        begin = p;
        end = NULL;
        quoted = 0;

        for ( /* void */ ; p < last && (quoted || *p != ','); p++) {

            if (quoted && *p == '\\' && p + 1 < last) {
                p++;

            } else if (*p == '"') {
                quoted = !quoted;

            } else if (*p == ';' && !quoted && end == NULL) {
                end = p;
            }
        }

        seconds = ngx_http_codat_wait_preference(begin, end ? end : p);

        if (seconds != NGX_DECLINED) {
            return seconds;
        }
    }

    return NGX_DECLINED;
}


/* "wait=30", to which white space and quotes make no difference */

static ngx_int_t
ngx_http_codat_wait_preference(u_char *p, u_char *last)
{

#define ngx_http_codat_blank(ch)  ((ch) == ' ' || (ch) == '\t')

    while (p < last && ngx_http_codat_blank(*p)) {
        p++;
    }

    while (p < last && ngx_http_codat_blank(last[-1])) {
        last--;
    }

    if (last - p < (ssize_t) sizeof("wait") - 1
        || ngx_strncasecmp(p, (u_char *) "wait", sizeof("wait") - 1) != 0)
    {
        return NGX_DECLINED;
    }

    p += sizeof("wait") - 1;

    if (p < last && *p != '=' && !ngx_http_codat_blank(*p)) {
        return NGX_DECLINED;
    }

    while (p < last && ngx_http_codat_blank(*p)) {
        p++;
    }

    if (p == last || *p++ != '=') {
        return NGX_ERROR;
    }

    while (p < last && ngx_http_codat_blank(*p)) {
        p++;
    }

#undef ngx_http_codat_blank

    if (last - p >= 2 && *p == '"' && last[-1] == '"') {
        p++;
        last--;
    }

    return ngx_http_codat_wait_seconds(p, last);
}


ngx_int_t
ngx_http_codat_wait_seconds(u_char *p, u_char *last)
{
    ngx_int_t  seconds;

    if (p == last) {
        return NGX_ERROR;
    }

    for (seconds = 0; p < last; p++) {

        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        seconds = seconds * 10 + (*p - '0');
        seconds = ngx_min(seconds, NGX_HTTP_CODAT_WAIT_MAX);
    }

    return seconds;
}


static ngx_int_t
ngx_http_codat_wait_applied(ngx_http_request_t *r, ngx_int_t seconds)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, sizeof("wait=") - 1 + NGX_INT_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = (size_t) (ngx_sprintf(value.data, "wait=%i", seconds)
                          - value.data);

    return ngx_http_codat_header_add(r, &ngx_http_codat_preference_applied,
                                     &value);
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
    ngx_event_t         *rev;
    ngx_http_request_t  *r;

    r = waiter->request;
    rev = r->connection->read;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "codat wait, kind: %d, state: %ui", waiter->kind,
                   waiter->state);

    if (rev->ready && !(ngx_event_flags & NGX_USE_LEVEL_EVENT)) {

        /* of a client that is gone already no event will tell */

        ngx_post_event(rev, &ngx_posted_events);

    } else if (ngx_handle_read_event(rev, 0) != NGX_OK) {

        /* nobody is to answer behind the page that says so */

        ngx_http_codat_wait_cleanup(waiter);

        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    r->connection->log->action = "waiting for a change";

    r->main->count++;

    return NGX_DONE;
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
