
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_work_consumer.h"
#include "ngx_http_codat_answer.h"
#include "ngx_http_codat_ask.h"
#include "ngx_http_codat_consumer_calls.h"
#include "ngx_http_codat_consumer_error.h"
#include "ngx_http_codat_consumer_json.h"
#include "ngx_http_codat_consumers.h"
#include "ngx_http_codat_dispatch.h"
#include "ngx_http_codat_status.h"

#include <openssl/rand.h>


/* of one unit: consumers that are listed, events that are looked at */
#define NGX_HTTP_CODAT_CONSUMER_SLICE   200
#define NGX_HTTP_CODAT_CONSUMER_EVENTS  1000

/* random bytes of a secret */
#define NGX_HTTP_CODAT_CONSUMER_SECRET  32


/* a list on its way into one answer */

typedef struct {
    ngx_http_codat_call_t   *call;
    ngx_str_t                after;
    ngx_chain_t             *out;
    ngx_chain_t            **last;
    off_t                    len;
    ngx_uint_t               rows;
} ngx_http_codat_consumer_listing_t;


typedef struct {
    ngx_http_codat_call_t   *call;
    int64_t                  since;
    uint64_t                 last;
    ngx_uint_t               count;
} ngx_http_codat_consumer_replayed_t;


static ngx_int_t ngx_http_codat_consumer_next(ngx_http_request_t *r,
    ngx_http_codat_consumer_listing_t *listing);
static ngx_codat_work_consumer_list_t *ngx_http_codat_consumer_list_work(
    ngx_http_codat_call_t *call);
static ngx_int_t ngx_http_codat_consumer_listed(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data);
static ngx_int_t ngx_http_codat_consumer_rows(ngx_http_request_t *r,
    ngx_http_codat_consumer_listing_t *listing,
    ngx_codat_work_consumer_list_t *work);
static ngx_int_t ngx_http_codat_consumer_send_list(ngx_http_request_t *r,
    ngx_http_codat_consumer_listing_t *listing);
static ngx_int_t ngx_http_codat_consumer_got(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data);
static ngx_int_t ngx_http_codat_consumer_show(ngx_http_request_t *r,
    ngx_uint_t status, ngx_codat_consumer_t *consumer, ngx_uint_t secret);
static ngx_int_t ngx_http_codat_consumer_complete(ngx_http_request_t *r,
    ngx_codat_consumer_t *consumer, ngx_uint_t mask, ngx_int_t *answer);
static ngx_int_t ngx_http_codat_consumer_new_secret(ngx_pool_t *pool,
    ngx_codat_consumer_t *consumer);
static ngx_int_t ngx_http_codat_consumer_put(ngx_http_request_t *r,
    ngx_http_codat_call_t *call, ngx_codat_consumer_t *consumer,
    ngx_uint_t mask);
static ngx_int_t ngx_http_codat_consumer_copy(ngx_codat_work_t *work,
    ngx_codat_consumer_t *to, const ngx_codat_consumer_t *from);
static ngx_int_t ngx_http_codat_consumer_copy_list(ngx_codat_work_t *work,
    ngx_array_t *to, const ngx_array_t *from);
static ngx_int_t ngx_http_codat_consumer_stored(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data);
static ngx_int_t ngx_http_codat_consumer_gone(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data);
static ngx_int_t ngx_http_codat_consumer_replay_seen(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data);
static ngx_int_t ngx_http_codat_consumer_replay_on(ngx_http_request_t *r,
    ngx_http_codat_consumer_replayed_t *replayed);
static ngx_int_t ngx_http_codat_consumer_replay_done(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data);
static ngx_int_t ngx_http_codat_consumer_unknown(ngx_http_request_t *r);
static ngx_int_t ngx_http_codat_consumer_memory(ngx_http_request_t *r,
    ngx_codat_work_t *work);


/* --- lists and single ones ---------------------------------------------- */

ngx_int_t
ngx_http_codat_consumer_list(ngx_http_request_t *r,
    ngx_http_codat_call_t *call)
{
    ngx_http_codat_consumer_listing_t  *listing;

    listing = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_consumer_listing_t));
    if (listing == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    listing->call = call;
    listing->last = &listing->out;

    return ngx_http_codat_consumer_next(r, listing);
}


static ngx_int_t
ngx_http_codat_consumer_next(ngx_http_request_t *r,
    ngx_http_codat_consumer_listing_t *listing)
{
    ngx_codat_work_consumer_list_t  *work;

    work = ngx_http_codat_consumer_list_work(listing->call);

    if (work == NULL
        || ngx_codat_work_text(&work->work, &work->after, &listing->after)
           != NGX_OK)
    {
        return ngx_http_codat_consumer_memory(r, work ? &work->work : NULL);
    }

    return ngx_http_codat_ask(r, listing->call->zone, &work->work,
                              ngx_http_codat_consumer_listed, listing);
}


/* of the one in the path, or of all */

static ngx_codat_work_consumer_list_t *
ngx_http_codat_consumer_list_work(ngx_http_codat_call_t *call)
{
    ngx_codat_work_consumer_list_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_CONSUMER_LIST,
                                 sizeof(ngx_codat_work_consumer_list_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return NULL;
    }

    work->limit = NGX_HTTP_CODAT_CONSUMER_SLICE;

    if (ngx_codat_work_text(&work->work, &work->uid, &call->uid) != NGX_OK
        || ngx_codat_work_text(&work->work, &work->client, &call->client)
           != NGX_OK)
    {
        ngx_codat_work_free(&work->work);
        return NULL;
    }

    return work;
}


static ngx_int_t
ngx_http_codat_consumer_listed(ngx_http_request_t *r, ngx_codat_work_t *w,
    void *data)
{
    ngx_http_codat_consumer_listing_t *listing = data;

    ngx_codat_work_consumer_list_t  *work;

    work = (ngx_codat_work_consumer_list_t *) w;

    if (ngx_http_codat_consumer_rows(r, listing, work) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (work->more && work->consumers.nelts) {
        return ngx_http_codat_consumer_next(r, listing);
    }

    return ngx_http_codat_consumer_send_list(r, listing);
}


static ngx_int_t
ngx_http_codat_consumer_rows(ngx_http_request_t *r,
    ngx_http_codat_consumer_listing_t *listing,
    ngx_codat_work_consumer_list_t *work)
{
    u_char                *p;
    size_t                 len;
    ngx_buf_t             *b;
    ngx_uint_t             i;
    ngx_chain_t           *cl;
    ngx_codat_consumer_t  *consumers;

    consumers = work->consumers.elts;

    len = sizeof("{\"results\":[]}");

    for (i = 0; i < work->consumers.nelts; i++) {
        len += ngx_http_codat_consumer_json_len(&consumers[i]) + 1;
    }

    b = ngx_create_temp_buf(r->pool, len);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        return NGX_ERROR;
    }

    p = b->last;

    if (listing->out == NULL) {
        p = ngx_sprintf(p, "{\"results\":[");
    }

    for (i = 0; i < work->consumers.nelts; i++) {

        if (listing->rows++) {
            *p++ = ',';
        }

        p = ngx_http_codat_consumer_json(p, &consumers[i], 0);
    }

    if (i) {
        listing->after.len = consumers[i - 1].uid.len;
        listing->after.data = ngx_pstrdup(r->pool, &consumers[i - 1].uid);

        if (listing->after.data == NULL) {
            return NGX_ERROR;
        }
    }

    if (!work->more || i == 0) {
        p = ngx_sprintf(p, "]}");
    }

    b->last = p;
    listing->len += p - b->pos;

    cl->buf = b;
    cl->next = NULL;

    *listing->last = cl;
    listing->last = &cl->next;

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_consumer_send_list(ngx_http_request_t *r,
    ngx_http_codat_consumer_listing_t *listing)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    ngx_http_codat_answer_discard(r);

    if (ngx_http_codat_status_headers(r) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ngx_http_codat_answer_set(r, NGX_HTTP_OK, &ngx_http_codat_type_json,
                              listing->len);

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    for (cl = listing->out; cl->next; cl = cl->next) { /* void */ }

    cl->buf->last_buf = (r == r->main);
    cl->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, listing->out);
}


ngx_int_t
ngx_http_codat_consumer_get(ngx_http_request_t *r,
    ngx_http_codat_call_t *call)
{
    ngx_codat_work_consumer_list_t  *work;

    work = ngx_http_codat_consumer_list_work(call);

    if (work == NULL) {
        return ngx_http_codat_consumer_memory(r, NULL);
    }

    return ngx_http_codat_ask(r, call->zone, &work->work,
                              ngx_http_codat_consumer_got, NULL);
}


static ngx_int_t
ngx_http_codat_consumer_got(ngx_http_request_t *r, ngx_codat_work_t *w,
    void *data)
{
    ngx_codat_work_consumer_list_t  *work;

    work = (ngx_codat_work_consumer_list_t *) w;

    if (work->consumers.nelts == 0) {
        return ngx_http_codat_consumer_unknown(r);
    }

    return ngx_http_codat_consumer_show(r, NGX_HTTP_OK, work->consumers.elts,
                                        0);
}


static ngx_int_t
ngx_http_codat_consumer_show(ngx_http_request_t *r, ngx_uint_t status,
    ngx_codat_consumer_t *consumer, ngx_uint_t secret)
{
    ngx_str_t  body;

    body.data = ngx_pnalloc(r->pool,
                            ngx_http_codat_consumer_json_len(consumer));
    if (body.data == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    body.len = (size_t) (ngx_http_codat_consumer_json(body.data, consumer,
                                                      secret)
                         - body.data);

    return ngx_http_codat_consumer_send(r, status, &body);
}


/* --- making and changing ------------------------------------------------ */

ngx_int_t
ngx_http_codat_consumer_create(ngx_http_request_t *r,
    ngx_http_codat_call_t *call)
{
    ngx_int_t             answer;
    ngx_uint_t            mask;
    ngx_codat_consumer_t  consumer;

    if (ngx_http_codat_consumer_read(r, call, &consumer, &mask, &answer)
        != NGX_OK
        || ngx_http_codat_consumer_complete(r, &consumer, mask, &answer)
           != NGX_OK)
    {
        return answer;
    }

    consumer.client = call->client;

    return ngx_http_codat_consumer_put(r, call, &consumer, 0);
}


/* returns NGX_OK, or NGX_DONE when *answer is to be returned */

static ngx_int_t
ngx_http_codat_consumer_complete(ngx_http_request_t *r,
    ngx_codat_consumer_t *consumer, ngx_uint_t mask, ngx_int_t *answer)
{
    u_char                  bytes[16], *p;

    static const ngx_str_t  url = ngx_string("url");
    static const ngx_str_t  types = ngx_string("eventTypes");

    if (!(mask & NGX_CODAT_CONSUMER_URL)
        || !(mask & NGX_CODAT_CONSUMER_TYPES))
    {
        *answer = ngx_http_codat_consumer_error(r, NGX_HTTP_BAD_REQUEST,
                                (mask & NGX_CODAT_CONSUMER_URL) ? &types
                                                                : &url,
                                                "is required");
        return NGX_DONE;
    }

    *answer = NGX_HTTP_SERVICE_UNAVAILABLE;

    if (consumer->secret.len == 0
        && ngx_http_codat_consumer_new_secret(r->pool, consumer) != NGX_OK)
    {
        return NGX_DONE;
    }

    /* a UUID of version 4 */

    p = ngx_pnalloc(r->pool, NGX_CODAT_CONSUMER_UID);

    if (p == NULL || RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return NGX_DONE;
    }

    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;

    consumer->uid.data = p;
    consumer->uid.len = (size_t) (ngx_codat_uuid_format(p, bytes) - p);

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_consumer_new_secret(ngx_pool_t *pool,
    ngx_codat_consumer_t *consumer)
{
    consumer->secret.len = NGX_HTTP_CODAT_CONSUMER_SECRET;
    consumer->secret.data = ngx_pnalloc(pool, consumer->secret.len);

    if (consumer->secret.data == NULL
        || RAND_bytes(consumer->secret.data, NGX_HTTP_CODAT_CONSUMER_SECRET)
           != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_consumer_change(ngx_http_request_t *r,
    ngx_http_codat_call_t *call)
{
    ngx_int_t                answer;
    ngx_uint_t               mask;
    ngx_codat_consumer_t     consumer;

    static const ngx_str_t   secret = ngx_string("secret");

    if (ngx_http_codat_consumer_read(r, call, &consumer, &mask, &answer)
        != NGX_OK)
    {
        return answer;
    }

    if (mask & NGX_CODAT_CONSUMER_SECRET) {
        return ngx_http_codat_consumer_error(r, NGX_HTTP_BAD_REQUEST, &secret,
                                             "is given when a consumer is "
                                             "made, or changed by "
                                             "rotateSecret");
    }

    if (mask == 0) {
        return ngx_http_codat_consumer_error(r, NGX_HTTP_BAD_REQUEST, NULL,
                                             "the body names nothing that is "
                                             "to be changed");
    }

    consumer.uid = call->uid;
    consumer.client = call->client;

    return ngx_http_codat_consumer_put(r, call, &consumer, mask);
}


ngx_int_t
ngx_http_codat_consumer_secret(ngx_http_request_t *r,
    ngx_http_codat_call_t *call)
{
    ngx_codat_consumer_t  consumer;

    ngx_memzero(&consumer, sizeof(ngx_codat_consumer_t));

    consumer.uid = call->uid;
    consumer.client = call->client;

    if (ngx_http_codat_consumer_new_secret(r->pool, &consumer) != NGX_OK) {
        return ngx_http_codat_consumer_memory(r, NULL);
    }

    return ngx_http_codat_consumer_put(r, call, &consumer,
                                       NGX_CODAT_CONSUMER_SECRET);
}


/* with a mask it is changed, else made */

static ngx_int_t
ngx_http_codat_consumer_put(ngx_http_request_t *r,
    ngx_http_codat_call_t *call, ngx_codat_consumer_t *consumer,
    ngx_uint_t mask)
{
    ngx_codat_work_consumer_put_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_CONSUMER_PUT,
                                 sizeof(ngx_codat_work_consumer_put_t),
                                 ngx_cycle->log);

    if (work == NULL
        || ngx_http_codat_consumer_copy(&work->work, &work->consumer,
                                        consumer)
           != NGX_OK)
    {
        return ngx_http_codat_consumer_memory(r, work ? &work->work : NULL);
    }

    work->mask = mask;
    work->now = ngx_codat_table_now();

    return ngx_http_codat_ask(r, call->zone, &work->work,
                              ngx_http_codat_consumer_stored, NULL);
}


static ngx_int_t
ngx_http_codat_consumer_copy(ngx_codat_work_t *work, ngx_codat_consumer_t *to,
    const ngx_codat_consumer_t *from)
{
    *to = *from;

    if (ngx_codat_work_text(work, &to->uid, &from->uid) != NGX_OK
        || ngx_codat_work_text(work, &to->client, &from->client) != NGX_OK
        || ngx_codat_work_text(work, &to->url, &from->url) != NGX_OK
        || ngx_codat_work_text(work, &to->secret, &from->secret) != NGX_OK
        || ngx_codat_work_text(work, &to->reason, &from->reason) != NGX_OK
        || ngx_http_codat_consumer_copy_list(work, &to->event_types,
                                             &from->event_types)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_codat_consumer_copy_list(work, &to->company_tags,
                                             &from->company_tags);
}


static ngx_int_t
ngx_http_codat_consumer_copy_list(ngx_codat_work_t *work, ngx_array_t *to,
    const ngx_array_t *from)
{
    ngx_str_t   *copy, *text;
    ngx_uint_t   i;

    if (ngx_array_init(to, work->pool, ngx_max(from->nelts, 1),
                       sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    text = from->elts;

    for (i = 0; i < from->nelts; i++) {

        copy = ngx_array_push(to);

        if (copy == NULL
            || ngx_codat_work_text(work, copy, &text[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_consumer_stored(ngx_http_request_t *r, ngx_codat_work_t *w,
    void *data)
{
    ngx_codat_work_consumer_put_t  *work;

    work = (ngx_codat_work_consumer_put_t *) w;

    if (w->rc == NGX_DECLINED) {
        return ngx_http_codat_consumer_unknown(r);
    }

    return ngx_http_codat_consumer_show(r, work->mask ? NGX_HTTP_OK
                                                      : NGX_HTTP_CREATED,
                                        &work->consumer,
                                        !work->mask
                                        || work->mask
                                           & NGX_CODAT_CONSUMER_SECRET);
}


/* --- going -------------------------------------------------------------- */

ngx_int_t
ngx_http_codat_consumer_delete(ngx_http_request_t *r,
    ngx_http_codat_call_t *call)
{
    ngx_codat_work_consumer_drop_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_CONSUMER_DROP,
                                 sizeof(ngx_codat_work_consumer_drop_t),
                                 ngx_cycle->log);

    if (work == NULL
        || ngx_codat_work_text(&work->work, &work->uid, &call->uid) != NGX_OK
        || ngx_codat_work_text(&work->work, &work->client, &call->client)
           != NGX_OK)
    {
        return ngx_http_codat_consumer_memory(r, work ? &work->work : NULL);
    }

    work->now = ngx_codat_table_now();

    return ngx_http_codat_ask(r, call->zone, &work->work,
                              ngx_http_codat_consumer_gone, NULL);
}


static ngx_int_t
ngx_http_codat_consumer_gone(ngx_http_request_t *r, ngx_codat_work_t *w,
    void *data)
{
    if (w->rc == NGX_DECLINED) {
        return ngx_http_codat_consumer_unknown(r);
    }

    return ngx_http_codat_consumer_send(r, NGX_HTTP_NO_CONTENT, NULL);
}


/* --- what was missed ---------------------------------------------------- */

ngx_int_t
ngx_http_codat_consumer_replay(ngx_http_request_t *r,
    ngx_http_codat_call_t *call)
{
    ngx_int_t                            answer;
    ngx_codat_work_consumer_list_t      *work;
    ngx_http_codat_consumer_replayed_t  *replayed;

    replayed = ngx_pcalloc(r->pool,
                           sizeof(ngx_http_codat_consumer_replayed_t));
    if (replayed == NULL) {
        return ngx_http_codat_consumer_memory(r, NULL);
    }

    replayed->call = call;

    if (ngx_http_codat_consumer_since(r, &call->body, &replayed->since,
                                      &answer)
        != NGX_OK)
    {
        return answer;
    }

    work = ngx_http_codat_consumer_list_work(call);

    if (work == NULL) {
        return ngx_http_codat_consumer_memory(r, NULL);
    }

    return ngx_http_codat_ask(r, call->zone, &work->work,
                              ngx_http_codat_consumer_replay_seen, replayed);
}


static ngx_int_t
ngx_http_codat_consumer_replay_seen(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data)
{
    ngx_codat_consumer_t            *consumer;
    ngx_codat_work_consumer_list_t  *work;

    work = (ngx_codat_work_consumer_list_t *) w;

    if (work->consumers.nelts == 0) {
        return ngx_http_codat_consumer_unknown(r);
    }

    consumer = work->consumers.elts;

    if (consumer->disabled) {
        return ngx_http_codat_consumer_error(r, NGX_HTTP_CONFLICT, NULL,
                                             "this consumer is disabled, "
                                             "which is to be changed first");
    }

    return ngx_http_codat_consumer_replay_on(r, data);
}


static ngx_int_t
ngx_http_codat_consumer_replay_on(ngx_http_request_t *r,
    ngx_http_codat_consumer_replayed_t *replayed)
{
    ngx_http_codat_call_t             *call;
    ngx_codat_work_consumer_replay_t  *work;

    call = replayed->call;

    work = ngx_codat_work_create(NGX_CODAT_WORK_CONSUMER_REPLAY,
                                 sizeof(ngx_codat_work_consumer_replay_t),
                                 ngx_cycle->log);

    if (work == NULL
        || ngx_codat_work_text(&work->work, &work->uid, &call->uid) != NGX_OK
        || ngx_codat_work_text(&work->work, &work->client, &call->client)
           != NGX_OK)
    {
        return ngx_http_codat_consumer_memory(r, work ? &work->work : NULL);
    }

    work->since = replayed->since;
    work->now = ngx_codat_table_now();
    work->limit = NGX_HTTP_CODAT_CONSUMER_EVENTS;
    work->after = replayed->last;

    return ngx_http_codat_ask(r, call->zone, &work->work,
                              ngx_http_codat_consumer_replay_done, replayed);
}


static ngx_int_t
ngx_http_codat_consumer_replay_done(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data)
{
    ngx_http_codat_consumer_replayed_t *replayed = data;

    u_char                            *p;
    ngx_str_t                          body;
    ngx_codat_work_consumer_replay_t  *work;

    work = (ngx_codat_work_consumer_replay_t *) w;

    if (w->rc == NGX_DECLINED) {
        return ngx_http_codat_consumer_unknown(r);
    }

    replayed->last = work->last;
    replayed->count += work->count;

    if (work->more) {
        return ngx_http_codat_consumer_replay_on(r, replayed);
    }

    ngx_http_codat_dispatch_news(replayed->call->zone);

    p = ngx_pnalloc(r->pool, sizeof("{\"count\":}") + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    body.data = p;
    body.len = (size_t) (ngx_sprintf(p, "{\"count\":%ui}", replayed->count)
                         - p);

    return ngx_http_codat_consumer_send(r, NGX_HTTP_ACCEPTED, &body);
}


static ngx_int_t
ngx_http_codat_consumer_unknown(ngx_http_request_t *r)
{
    return ngx_http_codat_consumer_error(r, NGX_HTTP_NOT_FOUND, NULL,
                                         "this consumer is not known");
}


static ngx_int_t
ngx_http_codat_consumer_memory(ngx_http_request_t *r, ngx_codat_work_t *work)
{
    if (work) {
        ngx_codat_work_free(work);
    }

    return ngx_http_codat_consumer_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                         NULL, "out of memory");
}
