
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_names.h"
#include "ngx_codat_operation_json.h"
#include "ngx_codat_walk.h"
#include "ngx_http_codat_answer.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_prefer.h"
#include "ngx_http_codat_status.h"
#include "ngx_http_codat_track.h"
#include "ngx_http_codat_track_delay.h"
#include "ngx_http_codat_track_poll.h"


/* a zone has the clients of one API key, or of a few */
#define NGX_HTTP_CODAT_TRACK_CLIENTS  64

/* seconds, where nobody has said when the quota is reset */
#define NGX_HTTP_CODAT_TRACK_RETRY    60


static ngx_uint_t ngx_http_codat_track_segment(ngx_str_t *path,
    ngx_str_t *segment);
static ngx_int_t ngx_http_codat_track_known(ngx_http_codat_track_t *track,
    ngx_codat_copy_t *copy);
static ngx_int_t ngx_http_codat_track_answer(ngx_http_codat_track_t *track,
    ngx_codat_copy_t *copy);
static int64_t ngx_http_codat_track_limited(ngx_codat_zone_t *zone,
    ngx_codat_copy_t *copy);


static ngx_str_t  ngx_http_codat_track_source =
    ngx_string("X-Codat-Source");
static ngx_str_t  ngx_http_codat_track_table = ngx_string("table");
static ngx_str_t  ngx_http_codat_track_retry = ngx_string("Retry-After");


ngx_int_t
ngx_http_codat_track_path(ngx_http_request_t *r, ngx_str_t *company,
    ngx_str_t *key)
{
    ngx_str_t  path, segment;

    path = r->uri;

    if (!ngx_http_codat_track_segment(&path, key)
        || !ngx_http_codat_track_segment(&path, &segment)
        || segment.len != sizeof("push") - 1
        || ngx_strncmp(segment.data, "push", segment.len) != 0
        || !ngx_http_codat_track_segment(&path, company)
        || !ngx_http_codat_track_segment(&path, &segment)
        || segment.len != sizeof("companies") - 1
        || ngx_strncmp(segment.data, "companies", segment.len) != 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* takes the last segment off a path; 0 if that is empty, or there is none */

static ngx_uint_t
ngx_http_codat_track_segment(ngx_str_t *path, ngx_str_t *segment)
{
    size_t  len;

    for (len = path->len; len && path->data[len - 1] != '/'; len--) {
        /* void */
    }

    if (len == 0) {
        return 0;
    }

    segment->data = path->data + len;
    segment->len = path->len - len;
    path->len = len - 1;

    return segment->len != 0;
}


ngx_int_t
ngx_http_codat_track_poll(ngx_http_codat_track_t *track)
{
    ngx_int_t          rc, waits;
    ngx_codat_copy_t  *copy;

    if (track->conf->refresh == 0) {
        return NGX_DECLINED;
    }

    copy = ngx_palloc(track->request->pool, sizeof(ngx_codat_copy_t));
    if (copy == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_codat_track_known(track, copy);

    if (rc == NGX_OK
        && track->wait > 0
        && copy->record.state == NGX_CODAT_PUSH_PENDING
        && !ngx_exiting)
    {
        waits = ngx_http_codat_track_delay_wait(track, &track->polled, 1);

        if (waits == NGX_OK) {
            rc = ngx_http_codat_track_known(track, copy);

            if (rc == NGX_OK && copy->record.state == NGX_CODAT_PUSH_PENDING)
            {
                waits = NGX_AGAIN;
            }
        }

        if (waits == NGX_AGAIN) {
            ngx_pfree(track->request->pool, copy);
            return NGX_AGAIN;
        }

        if (waits == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ngx_http_codat_track_delay_end(track);

    if (rc == NGX_OK) {
        return ngx_http_codat_track_answer(track, copy);
    }

    ngx_pfree(track->request->pool, copy);

    return NGX_DECLINED;
}


/* NGX_OK if the table can answer for Codat, NGX_DECLINED otherwise */

static ngx_int_t
ngx_http_codat_track_known(ngx_http_codat_track_t *track,
    ngx_codat_copy_t *copy)
{
    int64_t     confirmed, now;
    ngx_str_t  *company;

    if (ngx_codat_table_get(track->zone, NGX_CODAT_RECORD_PUSH,
                            track->polled.key, copy)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    company = &copy->record.texts[NGX_CODAT_TEXT_COMPANY];

    if (company->len != track->company.len
        || ngx_strncasecmp(company->data, track->company.data, company->len)
           != 0
        || !ngx_codat_operation_known(&copy->record))
    {
        return NGX_DECLINED;
    }

    confirmed = ngx_max(copy->record.times[NGX_CODAT_TIME_SEEN],
                        copy->record.times[NGX_CODAT_TIME_CONFIRMED]);
    now = ngx_codat_table_now();

    if (now - confirmed >= (int64_t) track->conf->refresh * 1000000) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_track_answer(ngx_http_codat_track_t *track,
    ngx_codat_copy_t *copy)
{
    ngx_str_t            body;
    ngx_http_request_t  *r;

    r = track->request;

    body.data = ngx_pnalloc(r->pool,
                            ngx_codat_operation_json_len(&copy->record));

    if (body.data == NULL
        || ngx_http_codat_status_headers(r) != NGX_OK
        || ngx_http_codat_header_add(r, &ngx_http_codat_track_source,
                                     &ngx_http_codat_track_table)
           != NGX_OK
        || (track->wait >= 0
            && ngx_http_codat_prefer_applied(r, track->wait) != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.len = (size_t) (ngx_codat_operation_json(body.data, &copy->record)
                         - body.data);

    ngx_http_codat_track_count(track, NGX_HTTP_CODAT_TRACKED_LOCAL);

    ngx_http_codat_answer_discard(r);

    ngx_http_codat_answer_set(r, NGX_HTTP_OK, &ngx_http_codat_type_json,
                              (off_t) body.len);

    return ngx_http_codat_answer_send(r, &body);
}


ngx_int_t
ngx_http_codat_track_shed(ngx_http_codat_track_t *track)
{
    int64_t              until, seconds;
    ngx_str_t            value;
    ngx_codat_copy_t    *copy;
    ngx_http_request_t  *r;

    r = track->request;

    if (track->zone->sh->created[NGX_CODAT_ROW_CLIENT].count == 0) {
        return NGX_DECLINED;
    }

    copy = ngx_palloc(r->pool, sizeof(ngx_codat_copy_t));
    if (copy == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    until = ngx_http_codat_track_limited(track->zone, copy);

    ngx_pfree(r->pool, copy);

    if (until == 0) {
        return NGX_DECLINED;
    }

    seconds = (until - ngx_codat_table_now() + 999999) / 1000000;
    seconds = ngx_max(seconds, 1);

    value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);

    if (value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.len = (size_t) (ngx_sprintf(value.data, "%L", seconds)
                          - value.data);

    if (ngx_http_codat_header_add(r, &ngx_http_codat_track_retry, &value)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_codat_track_problem(track, NGX_HTTP_CODAT_RATE_LIMITED,
                                        NGX_HTTP_CODAT_TRACKED_SHED,
                                        "Codat has said that the quota is "
                                        "used up, for %L seconds more",
                                        seconds);
}


/* until when, of all clients in the zone, one is limited; 0: none */

static int64_t
ngx_http_codat_track_limited(ngx_codat_zone_t *zone, ngx_codat_copy_t *copy)
{
    int64_t           now, limited, until;
    ngx_int_t         rc;
    ngx_uint_t        n;
    ngx_codat_walk_t  walk;

    now = ngx_codat_table_now();
    limited = 0;

    ngx_codat_walk_init(&walk, NGX_CODAT_RECORD_CLIENT);

    walk.state = 1;

    for (n = 0; n < NGX_HTTP_CODAT_TRACK_CLIENTS; n++) {

        rc = ngx_codat_walk_next(zone, &walk, copy);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc != NGX_OK) {
            continue;
        }

        until = copy->record.times[NGX_CODAT_TIME_LIMITED];

        if (until == 0) {
            until = now + (int64_t) NGX_HTTP_CODAT_TRACK_RETRY * 1000000;
        }

        if (until > now) {
            limited = ngx_max(limited, until);
        }
    }

    return limited;
}
