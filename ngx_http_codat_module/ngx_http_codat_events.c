
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_cloudevent.h"
#include "ngx_codat_pattern.h"
#include "ngx_codat_recent.h"
#include "ngx_http_codat_events.h"
#include "ngx_http_codat_list.h"
#include "ngx_http_codat_status.h"
#include "ngx_http_codat_stream.h"


/* "e", the zone and the position in it, in hexadecimal digits */
#define NGX_HTTP_CODAT_EVENTS_CURSOR_LEN  25

/* events that do not match, in a subrequest */
#define NGX_HTTP_CODAT_EVENTS_LOOKS       1000


typedef struct {
    ngx_codat_zone_t          *zone;
    ngx_str_t                  company;     /* or empty */
    ngx_str_t                  patterns;    /* with commas, or empty */
    uint64_t                   position;    /* of the event before */
    uint64_t                   cursor;
    ngx_uint_t                 left;
    ngx_uint_t                 rows;
    ngx_uint_t                 looks;
    unsigned                   begun:1;
    u_char                     buf[NGX_CODAT_RECENT_MAX];
} ngx_http_codat_events_t;


static ngx_int_t ngx_http_codat_events_resume(ngx_http_request_t *r,
    ngx_http_codat_events_t *events, ngx_str_t *cursor, ngx_int_t *answer);
static ngx_int_t ngx_http_codat_events_step(ngx_http_codat_stream_t *s);
static ngx_int_t ngx_http_codat_events_put(ngx_http_codat_stream_t *s,
    ngx_http_codat_events_t *events, ngx_codat_recent_event_t *recent,
    ngx_pool_t *pool);
static ngx_int_t ngx_http_codat_events_render(ngx_http_codat_stream_t *s,
    ngx_http_codat_events_t *events, ngx_codat_recent_event_t *recent,
    ngx_codat_event_t *event, ngx_pool_t *pool);
static ngx_uint_t ngx_http_codat_events_wanted(
    ngx_http_codat_events_t *events, ngx_codat_event_t *event);
static ngx_int_t ngx_http_codat_events_end(ngx_http_codat_stream_t *s,
    ngx_http_codat_events_t *events, uint64_t cursor);
static ngx_uint_t ngx_http_codat_events_pattern(u_char **p, u_char *last,
    ngx_str_t *pattern);


ngx_int_t
ngx_http_codat_events(ngx_http_request_t *r, ngx_http_codat_query_t *query)
{
    ngx_int_t                 answer;
    ngx_http_codat_events_t  *events;

    if (query->state.len || query->from.len || query->until.len) {
        return ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_INVALID_QUERY,
                                             "the argument \"%s\" needs a "
                                             "zone with a store",
                                             query->state.len ? "state"
                                             : query->from.len ? "from"
                                                               : "until");
    }

    events = ngx_palloc(r->pool, sizeof(ngx_http_codat_events_t));
    if (events == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    events->zone = ngx_http_codat_status_zone(r);
    events->company = query->company;
    events->patterns = query->event_type;
    events->position = 0;
    events->cursor = 0;
    events->left = query->limit;
    events->rows = 0;
    events->looks = 0;
    events->begun = 0;

    if (ngx_http_codat_events_check(r, &events->patterns, &answer) != NGX_OK
        || ngx_http_codat_events_resume(r, events, &query->after, &answer)
           != NGX_OK)
    {
        return answer;
    }

    if (ngx_http_codat_status_headers(r) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return ngx_http_codat_stream(r, ngx_http_codat_events_step, events);
}


ngx_int_t
ngx_http_codat_events_check(ngx_http_request_t *r, ngx_str_t *patterns,
    ngx_int_t *answer)
{
    u_char      *p;
    ngx_str_t    pattern;
    const char  *err;

    if (patterns->len == 0) {
        return NGX_OK;
    }

    p = patterns->data;

    while (ngx_http_codat_events_pattern(&p, patterns->data + patterns->len,
                                         &pattern))
    {
        err = ngx_codat_pattern_check(&pattern);

        if (err) {
            *answer = ngx_http_codat_status_problem(r,
                                        NGX_HTTP_CODAT_INVALID_QUERY,
                                        "the pattern in the argument "
                                        "\"eventType\" %s", err);
            return NGX_DONE;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_events_resume(ngx_http_request_t *r,
    ngx_http_codat_events_t *events, ngx_str_t *cursor, ngx_int_t *answer)
{
    u_char      c;
    uint64_t    n, zone;
    ngx_uint_t  i;

    if (cursor->len == 0) {
        return NGX_OK;
    }

    n = 0;
    zone = 0;

    if (cursor->len != NGX_HTTP_CODAT_EVENTS_CURSOR_LEN
        || cursor->data[0] != 'e')
    {
        goto invalid;
    }

    for (i = 1; i < cursor->len; i++) {
        c = cursor->data[i];

        if (c >= '0' && c <= '9') {
            n = n << 4 | (uint64_t) (c - '0');

        } else if (c >= 'a' && c <= 'f') {
            n = n << 4 | (uint64_t) (c - 'a' + 10);

        } else {
            goto invalid;
        }

        if (i == 8) {
            zone = n;
            n = 0;
        }
    }

    if (n == 0) {
        goto invalid;
    }

    if (zone != events->zone->sh->id) {
        *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_INVALID_CURSOR,
                                         "the cursor in \"after\" is of "
                                         "another zone, or older than this "
                                         "one: begin again without it");
        return NGX_DONE;
    }

    events->position = n;

    return NGX_OK;

invalid:

    *answer = ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_INVALID_CURSOR,
                                            "\"after\" is not the \"next\" "
                                            "of a list of events");
    return NGX_DONE;
}


static ngx_int_t
ngx_http_codat_events_step(ngx_http_codat_stream_t *s)
{
    uint64_t                   before;
    ngx_int_t                  rc;
    ngx_pool_t                *pool;
    ngx_http_codat_events_t   *events;
    ngx_codat_recent_event_t   recent;

    events = s->data;

    if (!events->begun) {
        events->begun = 1;

        return ngx_http_codat_stream_write(s, (u_char *) "{\"results\":[",
                                           sizeof("{\"results\":[") - 1)
               == NGX_OK ? NGX_AGAIN : NGX_ERROR;
    }

    before = events->position;

    ngx_codat_zone_lock(events->zone);

    rc = ngx_codat_recent_get_locked(events->zone->sh->recent,
                                     &events->position, events->buf, &recent);

    ngx_codat_zone_unlock(events->zone);

    if (rc != NGX_OK) {
        return ngx_http_codat_events_end(s, events, 0);
    }

    if (s->whole && events->looks++ >= NGX_HTTP_CODAT_EVENTS_LOOKS) {
        return ngx_http_codat_events_end(s, events, before);
    }

    /* memory of one event */

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE / 4,
                           s->request->connection->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_codat_events_put(s, events, &recent, pool);

    ngx_destroy_pool(pool);

    return rc;
}


static ngx_int_t
ngx_http_codat_events_put(ngx_http_codat_stream_t *s,
    ngx_http_codat_events_t *events, ngx_codat_recent_event_t *recent,
    ngx_pool_t *pool)
{
    ngx_int_t               rc;
    ngx_codat_event_t       event;
    ngx_codat_json_error_t  err;

    rc = ngx_codat_event_parse(pool, &recent->body, &recent->client, &event,
                               &err);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* anything else would not have been listed */

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, s->request->connection->log, 0,
                      "codat: a recent event can't be read, %s", err.reason);
        return NGX_AGAIN;
    }

    if (!ngx_http_codat_events_wanted(events, &event)) {
        return NGX_AGAIN;
    }

    if (events->left == 0) {
        return ngx_http_codat_events_end(s, events, events->cursor);
    }

    event.stale = recent->stale ? 1 : 0;
    event.fields[NGX_CODAT_FIELD_REFERENCE] = recent->reference;

    if (ngx_http_codat_events_render(s, events, recent, &event, pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    events->rows++;
    events->left--;
    events->cursor = events->position;

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_events_render(ngx_http_codat_stream_t *s,
    ngx_http_codat_events_t *events, ngx_codat_recent_event_t *recent,
    ngx_codat_event_t *event, ngx_pool_t *pool)
{
    ngx_str_t  id, head, tail;
    u_char     buf[2 * sizeof(uint64_t)];

    /* an event without any id was forwarded under a random one */

    id = recent->id;

    if (id.len == 0) {
        id.data = buf;
        id.len = (size_t) (ngx_sprintf(buf, "%016xL", events->position)
                           - buf);
    }

    if (ngx_codat_cloudevent(pool, event, &id, &recent->id, recent->received,
                             &head, &tail)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (events->rows
        && ngx_http_codat_stream_write(s, (u_char *) ",", 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_codat_stream_write(s, head.data, head.len) != NGX_OK
        || ngx_http_codat_stream_write(s, event->payload.data,
                                       event->payload.len)
           != NGX_OK
        || ngx_http_codat_stream_write(s, tail.data, tail.len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_codat_events_wanted(ngx_http_codat_events_t *events,
    ngx_codat_event_t *event)
{
    u_char     *p;
    ngx_str_t   pattern;

    if (events->company.len
        && !ngx_codat_id_same(&event->fields[NGX_CODAT_FIELD_COMPANY_ID],
                              &events->company))
    {
        return 0;
    }

    if (events->patterns.len == 0) {
        return 1;
    }

    p = events->patterns.data;

    while (ngx_http_codat_events_pattern(&p, events->patterns.data
                                             + events->patterns.len,
                                         &pattern))
    {
        if (ngx_codat_pattern_match(&pattern,
                                  &event->fields[NGX_CODAT_FIELD_EVENT_TYPE]))
        {
            return 1;
        }
    }

    return 0;
}


/* with a cursor of 0 there is nothing more */

static ngx_int_t
ngx_http_codat_events_end(ngx_http_codat_stream_t *s,
    ngx_http_codat_events_t *events, uint64_t cursor)
{
    u_char  *p;

    p = ngx_http_codat_stream_reserve(s, sizeof("],\"next\":\"\"}") - 1
                                         + NGX_HTTP_CODAT_EVENTS_CURSOR_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (cursor) {
        p = ngx_sprintf(p, "],\"next\":\"e%08xD%016xL\"}",
                        events->zone->sh->id, cursor);

    } else {
        p = ngx_sprintf(p, "],\"next\":null}");
    }

    ngx_http_codat_stream_commit(s, p);

    return NGX_DONE;
}


/* the next one of a list with commas; 0 behind the last one */

static ngx_uint_t
ngx_http_codat_events_pattern(u_char **p, u_char *last, ngx_str_t *pattern)
{
    u_char  *comma;

    if (*p > last) {
        return 0;
    }

    comma = ngx_strlchr(*p, last, ',');

    if (comma == NULL) {
        comma = last;
    }

    pattern->data = *p;
    pattern->len = (size_t) (comma - *p);

    *p = comma + 1;

    return 1;
}
