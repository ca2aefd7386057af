
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_json.h"
#include "ngx_codat_pattern.h"
#include "ngx_codat_sample.h"
#include "ngx_codat_work_consumer.h"
#include "ngx_http_codat_ask.h"
#include "ngx_http_codat_consumer_error.h"
#include "ngx_http_codat_consumer_json.h"
#include "ngx_http_codat_consumers.h"
#include "ngx_http_codat_query.h"
#include "ngx_http_codat_samples.h"


/* events of one answer, and bytes of their bodies */
#define NGX_HTTP_CODAT_SAMPLES_LIMIT  10
#define NGX_HTTP_CODAT_SAMPLES_MAX    100
#define NGX_HTTP_CODAT_SAMPLES_SIZE   (1024 * 1024)


typedef struct {
    ngx_str_t     type;                 /* or a pattern, or empty */
    ngx_uint_t    many;                 /* unsigned  many:1;  no type */
    ngx_array_t   bodies;               /* ngx_str_t */
} ngx_http_codat_samples_t;


static ngx_int_t ngx_http_codat_samples_args(ngx_http_request_t *r,
    ngx_http_codat_samples_t *samples, ngx_uint_t *limit, ngx_int_t *answer);
static ngx_int_t ngx_http_codat_samples_found(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data);
static ngx_int_t ngx_libc_cdecl ngx_http_codat_samples_order(const void *one,
    const void *two);
static ngx_uint_t ngx_http_codat_samples_wanted(
    ngx_http_codat_samples_t *samples, ngx_str_t *type);
static ngx_int_t ngx_http_codat_samples_event(ngx_http_request_t *r,
    ngx_http_codat_samples_t *samples, ngx_codat_work_event_t *event);
static ngx_int_t ngx_http_codat_samples_write(ngx_http_request_t *r,
    ngx_str_t *object, ngx_str_t *id, ngx_uint_t first, ngx_str_t *body);
static ngx_int_t ngx_http_codat_samples_examples(ngx_http_request_t *r,
    ngx_http_codat_samples_t *samples, ngx_array_t *events);
static ngx_int_t ngx_http_codat_samples_example(ngx_http_request_t *r,
    ngx_http_codat_samples_t *samples, const ngx_str_t *type);
static ngx_int_t ngx_http_codat_samples_send(ngx_http_request_t *r,
    ngx_http_codat_samples_t *samples);


static const ngx_codat_json_path_t  ngx_http_codat_samples_paths[] = {
    { ngx_string("id"), 1, 2, NULL, 0 },
    { ngx_null_string, 0, 0, NULL, 0 }
};


static const ngx_str_t  ngx_http_codat_samples_ours =
    ngx_string(NGX_CODAT_CONSUMER_EVENT);


ngx_int_t
ngx_http_codat_samples(ngx_http_request_t *r, ngx_http_codat_call_t *call)
{
    ngx_int_t                  answer;
    ngx_uint_t                 limit;
    ngx_codat_work_samples_t  *work;
    ngx_http_codat_samples_t  *samples;

    samples = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_samples_t));

    if (samples == NULL
        || ngx_array_init(&samples->bodies, r->pool, 16, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (ngx_http_codat_samples_args(r, samples, &limit, &answer) != NGX_OK) {
        return answer;
    }

    work = ngx_codat_work_create(NGX_CODAT_WORK_SAMPLES,
                                 sizeof(ngx_codat_work_samples_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    work->limit = limit;
    work->size = NGX_HTTP_CODAT_SAMPLES_SIZE;

    if ((!samples->many
         && ngx_codat_work_text(&work->work, &work->type, &samples->type)
            != NGX_OK)
        || ngx_codat_work_text(&work->work, &work->client, &call->client)
           != NGX_OK)
    {
        ngx_codat_work_free(&work->work);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return ngx_http_codat_ask(r, call->zone, &work->work,
                              ngx_http_codat_samples_found, samples);
}


/*
 * Others are ignored, as Codat does.  Returns NGX_OK, or NGX_DONE when
 * *answer is to be returned.
 */

static ngx_int_t
ngx_http_codat_samples_args(ngx_http_request_t *r,
    ngx_http_codat_samples_t *samples, ngx_uint_t *limit, ngx_int_t *answer)
{
    ngx_int_t                n, rc;
    ngx_str_t                value;
    const char              *wrong;

    static const ngx_str_t   type = ngx_string("eventType");
    static const ngx_str_t   most = ngx_string("limit");

    rc = NGX_OK;
    wrong = NULL;

    if (ngx_http_arg(r, type.data, type.len, &value) == NGX_OK && value.len) {

        rc = ngx_http_codat_query_decode(r->pool, &value);

        wrong = (rc == NGX_OK)
                ? ngx_http_codat_consumer_type(r->pool, &value, &rc)
                : "has a \"%\" without two hexadecimal digits behind it";

        samples->type = value;
    }

    if (rc == NGX_ERROR) {
        *answer = NGX_HTTP_SERVICE_UNAVAILABLE;
        return NGX_DONE;
    }

    if (wrong) {
        *answer = ngx_http_codat_consumer_error(r, NGX_HTTP_BAD_REQUEST,
                                                &type, "%s", wrong);
        return NGX_DONE;
    }

    samples->many = (samples->type.len == 0
                     || ngx_strlchr(samples->type.data,
                                    samples->type.data + samples->type.len,
                                    '*')
                        != NULL);

    n = samples->many ? NGX_HTTP_CODAT_SAMPLES_MAX
                      : NGX_HTTP_CODAT_SAMPLES_LIMIT;

    if (ngx_http_arg(r, most.data, most.len, &value) == NGX_OK && value.len) {

        n = ngx_atoi(value.data, value.len);

        if (n < 1 || n > NGX_HTTP_CODAT_SAMPLES_MAX) {
            *answer = ngx_http_codat_consumer_error(r, NGX_HTTP_BAD_REQUEST,
                                                    &most, "is a number from "
                                                    "1 to 100");
            return NGX_DONE;
        }
    }

    /* one of each type, whatever their number */

    *limit = samples->many ? NGX_HTTP_CODAT_SAMPLES_MAX : (ngx_uint_t) n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_samples_found(ngx_http_request_t *r, ngx_codat_work_t *w,
    void *data)
{
    ngx_http_codat_samples_t *samples = data;

    ngx_uint_t                 i;
    ngx_codat_work_event_t    *events;
    ngx_codat_work_samples_t  *work;

    work = (ngx_codat_work_samples_t *) w;

    events = work->entries.elts;

    ngx_sort(events, work->entries.nelts, sizeof(ngx_codat_work_event_t),
             ngx_http_codat_samples_order);

    for (i = 0; i < work->entries.nelts; i++) {

        if (ngx_http_codat_samples_wanted(samples, &events[i].type)
            && ngx_http_codat_samples_event(r, samples, &events[i]) != NGX_OK)
        {
            return NGX_HTTP_SERVICE_UNAVAILABLE;
        }
    }

    if (ngx_http_codat_samples_examples(r, samples, &work->entries)
        != NGX_OK)
    {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return ngx_http_codat_samples_send(r, samples);
}


/* the newest first */

static ngx_int_t ngx_libc_cdecl
ngx_http_codat_samples_order(const void *one, const void *two)
{
    const ngx_codat_work_event_t *first = one;
    const ngx_codat_work_event_t *second = two;

    return (first->received < second->received) ? 1
           : (first->received > second->received) ? -1 : 0;
}


static ngx_uint_t
ngx_http_codat_samples_wanted(ngx_http_codat_samples_t *samples,
    ngx_str_t *type)
{
    return !samples->many
           || samples->type.len == 0
           || ngx_codat_pattern_match(&samples->type, type);
}


/* as it was sent, but for an id where it has none that tools would find */

static ngx_int_t
ngx_http_codat_samples_event(ngx_http_request_t *r,
    ngx_http_codat_samples_t *samples, ngx_codat_work_event_t *event)
{
    ngx_str_t                id, *body;
    ngx_codat_json_error_t   err;
    ngx_codat_json_value_t   slots[2];

    switch (ngx_codat_json_select(r->pool, &event->body,
                                  ngx_http_codat_samples_paths, slots, 2,
                                  &err))
    {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "codat: event %uL of the store can't be read, %s",
                      event->id, err.reason);
        return NGX_OK;

    default:
        return NGX_ERROR;
    }

    body = ngx_array_push(&samples->bodies);
    if (body == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&id);

    if (slots[1].type != NGX_CODAT_JSON_STRING
        && slots[1].type != NGX_CODAT_JSON_NUMBER)
    {
        id = event->event_id.len ? event->event_id : event->webhook_id;
    }

    return ngx_http_codat_samples_write(r, &slots[0].text, &id,
                                 slots[1].type == NGX_CODAT_JSON_ABSENT,
                                 body);
}


/* of equal members the last one counts */

static ngx_int_t
ngx_http_codat_samples_write(ngx_http_request_t *r, ngx_str_t *object,
    ngx_str_t *id, ngx_uint_t first, ngx_str_t *body)
{
    u_char  *p, *rest, *last;

    p = ngx_pnalloc(r->pool, object->len + sizeof("\"id\":,")
                             + ngx_codat_json_string_len(id));
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    if (id->len == 0) {
        p = ngx_cpymem(p, object->data, object->len);

    } else if (first) {
        rest = object->data + 1;
        last = object->data + object->len;

        p = ngx_sprintf(p, "{\"id\":");
        p = ngx_codat_json_string(p, id);

        while (*rest == ' ' || *rest == '\t' || *rest == '\n'
               || *rest == '\r')
        {
            rest++;
        }

        if (*rest != '}') {
            *p++ = ',';
        }

        p = ngx_cpymem(p, rest, (size_t) (last - rest));

    } else {
        p = ngx_cpymem(p, object->data, object->len - 1);
        p = ngx_sprintf(p, ",\"id\":");
        p = ngx_codat_json_string(p, id);
        *p++ = '}';
    }

    body->len = (size_t) (p - body->data);

    return NGX_OK;
}


/* of types that have not happened */

static ngx_int_t
ngx_http_codat_samples_examples(ngx_http_request_t *r,
    ngx_http_codat_samples_t *samples, ngx_array_t *events)
{
    ngx_uint_t               i, n;
    const ngx_str_t         *type;
    ngx_codat_work_event_t  *event;

    if (!samples->many) {
        return events->nelts ? NGX_OK
                             : ngx_http_codat_samples_example(r, samples,
                                                              &samples->type);
    }

    event = events->elts;

    for (i = 0; i <= NGX_CODAT_TYPES_N; i++) {

        type = (i < NGX_CODAT_TYPES_N) ? ngx_codat_type_name(i)
                                       : &ngx_http_codat_samples_ours;

        for (n = 0; n < events->nelts; n++) {

            if (event[n].type.len == type->len
                && ngx_memcmp(event[n].type.data, type->data, type->len) == 0)
            {
                break;
            }
        }

        if (n == events->nelts
            && ngx_http_codat_samples_example(r, samples, type) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_samples_example(ngx_http_request_t *r,
    ngx_http_codat_samples_t *samples, const ngx_str_t *type)
{
    ngx_int_t   rc;
    ngx_str_t   name, body, *added;

    name = *type;

    if (!ngx_http_codat_samples_wanted(samples, &name)) {
        return NGX_OK;
    }

    rc = ngx_codat_sample(r->pool, &name, &body);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    added = ngx_array_push(&samples->bodies);
    if (added == NULL) {
        return NGX_ERROR;
    }

    *added = body;

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_samples_send(ngx_http_request_t *r,
    ngx_http_codat_samples_t *samples)
{
    u_char      *p;
    size_t       len;
    ngx_str_t    body, *bodies;
    ngx_uint_t   i;

    bodies = samples->bodies.elts;
    len = sizeof("[]");

    for (i = 0; i < samples->bodies.nelts; i++) {
        len += bodies[i].len + 1;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    body.data = p;

    *p++ = '[';

    for (i = 0; i < samples->bodies.nelts; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, bodies[i].data, bodies[i].len);
    }

    *p++ = ']';

    body.len = (size_t) (p - body.data);

    return ngx_http_codat_consumer_send(r, NGX_HTTP_OK, &body);
}
