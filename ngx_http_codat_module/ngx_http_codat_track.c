
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_answer.h"
#include "ngx_http_codat_prefer.h"
#include "ngx_http_codat_reconcile.h"
#include "ngx_http_codat_track.h"
#include "ngx_http_codat_track_delay.h"
#include "ngx_http_codat_track_headers.h"
#include "ngx_http_codat_track_poll.h"
#include "ngx_http_codat_status.h"


#define NGX_HTTP_CODAT_TRACK_WRITES                                          \
    (NGX_HTTP_POST|NGX_HTTP_PUT|NGX_HTTP_PATCH|NGX_HTTP_DELETE)


static ngx_int_t ngx_http_codat_track_begin(ngx_http_request_t *r,
    ngx_http_codat_track_conf_t *conf, ngx_http_codat_track_t **tracked);
static ngx_http_codat_track_t *ngx_http_codat_track_create(
    ngx_http_request_t *r, ngx_http_codat_track_conf_t *conf);
static void ngx_http_codat_track_cleanup(void *data);
static void ngx_http_codat_track_waits(ngx_http_codat_track_t *track,
    ngx_uint_t prefers);
static ngx_int_t ngx_http_codat_track_check(ngx_http_codat_track_t *track);
static ngx_int_t ngx_http_codat_track_refuse(ngx_http_codat_track_t *track);


/* by ngx_http_codat_tracked_e */

const ngx_str_t  ngx_http_codat_tracked_names[] = {
    ngx_string("registered"),
    ngx_string("confirmed"),
    ngx_string("unreadable"),
    ngx_string("local"),
    ngx_string("held"),
    ngx_string("completed"),
    ngx_string("delayed"),
    ngx_string("dependency_failed"),
    ngx_string("dependency_timeout"),
    ngx_string("shed"),
    ngx_string("invalid"),
    ngx_string("asked"),
    ngx_string("healed"),
    ngx_string("unanswered")
};


ngx_int_t
ngx_http_codat_track_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_codat_track_t     *track;
    ngx_http_codat_loc_conf_t  *cdlcf;

    track = ngx_http_codat_reconcile_of(r);

    if (track) {
        return ngx_http_codat_track_attach(r, track) == NGX_OK
               ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    if (cdlcf->track == NULL) {
        return NGX_DECLINED;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "codat track: \"%V\"", &r->uri);

    track = ngx_http_codat_track_of(r);

    if (track == NULL) {

        rc = ngx_http_codat_track_begin(r, cdlcf->track, &track);

        if (rc != NGX_OK) {
            return rc;
        }

        if (track == NULL) {
            return NGX_DECLINED;
        }
    }

    rc = ngx_http_codat_track_check(track);

    if (rc == NGX_DECLINED || rc == NGX_AGAIN) {
        return rc;
    }

    /* what was returned to the phases as NGX_OK would let them go on */

    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


/*
 * The first time that the request is seen: later, after an error_page, say,
 * the headers are gone.  *tracked remains NULL if nothing else has to be done
 * about this request.
 */

static ngx_int_t
ngx_http_codat_track_begin(ngx_http_request_t *r,
    ngx_http_codat_track_conf_t *conf, ngx_http_codat_track_t **tracked)
{
    ngx_str_t                after, company, key;
    ngx_uint_t               push, poll, shed, encodings, found;
    ngx_http_codat_track_t  *track;

    ngx_str_null(&after);
    ngx_str_null(&company);
    ngx_str_null(&key);

    push = (r->method & NGX_HTTP_CODAT_TRACK_WRITES) != 0;
    poll = !push
           && (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
           && ngx_http_codat_track_path(r, &company, &key) == NGX_OK;
    shed = conf->shed && r == r->main;

    found = ngx_http_codat_track_scan(r);

    /* what the client says is not meant for subrequests */

    if ((found & NGX_HTTP_CODAT_TRACK_AFTER)
        && r == r->main
        && ngx_http_codat_track_after(r, &after) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    encodings = NGX_HTTP_CODAT_ENCODINGS_ALL;

    if (push || poll || after.len || shed) {

        track = ngx_http_codat_track_create(r, conf);
        if (track == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        track->push = (push != 0);

        if (push
            && (!conf->header || (found & NGX_HTTP_CODAT_TRACK_REFERENCE))
            && ngx_http_complex_value(r, &conf->reference, &track->reference)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (poll && ngx_codat_table_key(track->zone, &key, track->polled.key)
                    == NGX_OK)
        {
            track->poll = 1;
            track->company = company;
            track->polled.text = key;
        }

        ngx_http_codat_track_waits(track,
                                   found & NGX_HTTP_CODAT_TRACK_PREFER);

        if (push || poll) {
            encodings = track->wait > 0 ? NGX_HTTP_CODAT_ENCODINGS_NONE
                                        : NGX_HTTP_CODAT_ENCODINGS_GZIP;
        }

        if (after.len
            && ngx_http_codat_track_delay_parse(track, &after) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        *tracked = track;
    }

    if (encodings == NGX_HTTP_CODAT_ENCODINGS_ALL) {
        found &= ~(ngx_uint_t) NGX_HTTP_CODAT_TRACK_ENCODINGS;
    }

    if (found && ngx_http_codat_track_strip(r, encodings) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


static ngx_http_codat_track_t *
ngx_http_codat_track_create(ngx_http_request_t *r,
    ngx_http_codat_track_conf_t *conf)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_codat_track_t  *track;

    track = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_track_t));
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (track == NULL || cln == NULL) {
        return NULL;
    }

    track->request = r;
    track->conf = conf;
    track->zone = conf->zone->data;
    track->wait = -1;

    cln->handler = ngx_http_codat_track_cleanup;
    cln->data = track;

    return ngx_http_codat_track_attach(r, track) == NGX_OK ? track : NULL;
}


ngx_int_t
ngx_http_codat_track_attach(ngx_http_request_t *r,
    ngx_http_codat_track_t *track)
{
    ngx_http_codat_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->request = r;
    ctx->track = track;

    ngx_http_set_ctx(r, ctx, ngx_http_codat_module);

    return NGX_OK;
}


/* the record is found by it once an internal redirect cleared the contexts */

static void
ngx_http_codat_track_cleanup(void *data)
{
    ngx_http_codat_track_t *track = data;

    track->request = NULL;
}


ngx_http_codat_track_t *
ngx_http_codat_track_of(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_codat_ctx_t    *ctx;
    ngx_http_codat_track_t  *track;

    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    if (ctx) {
        return ctx->track;
    }

    if (!r->internal && !r->filter_finalize) {
        return NULL;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_http_codat_track_cleanup) {
            continue;
        }

        track = cln->data;

        if (track->request == r) {
            track->tap = NULL;

            return ngx_http_codat_track_attach(r, track) == NGX_OK ? track
                                                                   : NULL;
        }
    }

    return NULL;
}


/* how long may be waited, from when the request was received */

static void
ngx_http_codat_track_waits(ngx_http_codat_track_t *track, ngx_uint_t prefers)
{
    time_t                      limit;
    ngx_int_t                   asked;
    ngx_msec_int_t              elapsed, left;
    ngx_http_request_t         *r;
    ngx_http_codat_loc_conf_t  *cdlcf;

    r = track->request;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    limit = cdlcf->wait;
    asked = prefers ? ngx_http_codat_prefer_wait(r) : NGX_ERROR;

    if (asked >= 0 && cdlcf->wait) {
        track->wait = ngx_min(asked, (ngx_int_t) cdlcf->wait);
        limit = (time_t) track->wait;
    }

    elapsed = (ngx_msec_int_t) (ngx_codat_table_now() / 1000)
              - ((ngx_msec_int_t) r->start_sec * 1000
                 + (ngx_msec_int_t) r->start_msec);

    left = (ngx_msec_int_t) limit * 1000 - ngx_max(elapsed, 0);

    track->deadline = ngx_current_msec + (ngx_msec_t) ngx_max(left, 0);
}


ngx_msec_t
ngx_http_codat_track_left(ngx_http_codat_track_t *track)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (track->deadline - ngx_current_msec);

    return (ngx_msec_t) ngx_max(left, 0);
}


/*
 * NGX_DECLINED if the call may go on to the API, NGX_AGAIN if it waits, or
 * what the request is to be finalized with.
 */

static ngx_int_t
ngx_http_codat_track_check(ngx_http_codat_track_t *track)
{
    ngx_int_t  rc;

    rc = ngx_http_codat_track_refuse(track);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (track->poll) {
        rc = ngx_http_codat_track_poll(track);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (track->conf->shed && track->request == track->request->main) {
        rc = ngx_http_codat_track_shed(track);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return ngx_http_codat_track_delay(track);
}


static ngx_int_t
ngx_http_codat_track_refuse(ngx_http_codat_track_t *track)
{
    if (track->reference.len <= NGX_CODAT_REFERENCE_MAX) {
        return NGX_DECLINED;
    }

    return ngx_http_codat_track_problem(track,
                                        NGX_HTTP_CODAT_INVALID_REFERENCE,
                                        NGX_HTTP_CODAT_TRACKED_INVALID,
                                        "a reference has at most %d bytes",
                                        NGX_CODAT_REFERENCE_MAX);
}


ngx_int_t
ngx_http_codat_track_problem(ngx_http_codat_track_t *track,
    ngx_http_codat_problem_e problem, ngx_http_codat_tracked_e tracked,
    const char *fmt, ...)
{
    u_char                          *p;
    va_list                          args;
    ngx_str_t                        detail, body;
    ngx_http_request_t              *r;
    const ngx_http_codat_problem_t  *entry;
    u_char                           text[NGX_HTTP_CODAT_DETAIL_LEN];

    r = track->request;

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    detail.data = text;
    detail.len = (size_t) (p - text);

    entry = &ngx_http_codat_problems[problem];

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "codat: call not passed on, code: %V, %V", &entry->code,
                  &detail);

    ngx_http_codat_track_count(track, tracked);

    ngx_http_codat_answer_discard(r);

    if (ngx_http_codat_status_headers(r) != NGX_OK
        || ngx_http_codat_answer_problem(r, entry, &detail, &body) != NGX_OK)
    {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ngx_http_codat_answer_set(r, entry->status, &ngx_http_codat_type_problem,
                              (off_t) body.len);

    return ngx_http_codat_answer_send(r, &body);
}


void
ngx_http_codat_track_count(ngx_http_codat_track_t *track,
    ngx_http_codat_tracked_e tracked)
{
    ngx_codat_stats_add(track->zone->sh->stats,
                        ngx_codat_stat_id(NGX_CODAT_STAT_TRACKED, tracked, 0,
                                          0, 0),
                        1);
}
