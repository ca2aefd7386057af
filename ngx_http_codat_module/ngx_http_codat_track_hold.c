
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_names.h"
#include "ngx_codat_operation_json.h"
#include "ngx_http_codat_prefer.h"
#include "ngx_http_codat_track.h"
#include "ngx_http_codat_track_filter.h"
#include "ngx_http_codat_track_hold.h"
#include "ngx_http_codat_wait.h"


/* longer answers are not held */
#define NGX_HTTP_CODAT_HOLD_MAX   (1024 * 1024)
#define NGX_HTTP_CODAT_HOLD_SIZE  4096


struct ngx_http_codat_hold_s {
    ngx_http_codat_track_t  *track;
    ngx_codat_operation_t   *operation;
    ngx_str_t                text;      /* the body so far */
    size_t                   size;

    ngx_codat_watch_t        watch;
    ngx_event_t              timer;
    ngx_event_t              parked;

    unsigned                 held:1;
};


static ngx_int_t ngx_http_codat_track_hold_grow(
    ngx_http_codat_hold_t *hold, size_t len);
static ngx_int_t ngx_http_codat_track_hold_release(
    ngx_http_codat_hold_t *hold, ngx_chain_t *in);
static ngx_int_t ngx_http_codat_track_hold_wait(ngx_http_codat_hold_t *hold,
    ngx_codat_copy_t *copy);
static ngx_uint_t ngx_http_codat_track_hold_final(
    ngx_http_codat_hold_t *hold, ngx_codat_copy_t *copy);
static void ngx_http_codat_track_hold_parked_handler(ngx_event_t *ev);
static void ngx_http_codat_track_hold_watch_handler(
    ngx_codat_watch_t *watch);
static void ngx_http_codat_track_hold_timer_handler(ngx_event_t *ev);
static void ngx_http_codat_track_hold_answer(ngx_http_codat_hold_t *hold);
static ngx_int_t ngx_http_codat_track_hold_send(ngx_http_codat_hold_t *hold,
    ngx_codat_copy_t *copy);
static ngx_int_t ngx_http_codat_track_hold_complete(
    ngx_http_codat_hold_t *hold, ngx_codat_copy_t *copy);
static void ngx_http_codat_track_hold_cleanup(void *data);


ngx_int_t
ngx_http_codat_track_hold(ngx_http_codat_track_t *track)
{
    ngx_http_cleanup_t        *cln;
    ngx_http_request_t        *r;
    ngx_http_codat_hold_t     *hold;
    ngx_http_core_loc_conf_t  *clcf;

    r = track->request;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* a post_action would begin when the answer is complete, not sent */

    if (r != r->main
        || clcf->post_action.data
        || r->headers_out.content_length_n > NGX_HTTP_CODAT_HOLD_MAX)
    {
        return NGX_DECLINED;
    }

    hold = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_hold_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (hold == NULL || cln == NULL) {
        return NGX_DECLINED;
    }

    hold->track = track;
    hold->held = 1;

    if (r->headers_out.content_length_n > 0) {
        hold->size = (size_t) r->headers_out.content_length_n;

        hold->text.data = ngx_pnalloc(r->pool, hold->size);
        if (hold->text.data == NULL) {
            return NGX_DECLINED;
        }
    }

    cln->handler = ngx_http_codat_track_hold_cleanup;
    cln->data = hold;

    track->hold = hold;

    return NGX_OK;
}


ngx_uint_t
ngx_http_codat_track_holds(ngx_http_codat_track_t *track)
{
    return track->hold && track->hold->held;
}


ngx_int_t
ngx_http_codat_track_hold_body(ngx_http_codat_track_t *track, ngx_chain_t *in)
{
    size_t                  len;
    ngx_buf_t              *b;
    ngx_uint_t              last;
    ngx_chain_t            *cl;
    ngx_http_request_t     *r;
    ngx_http_codat_hold_t  *hold;

    r = track->request;
    hold = track->hold;

    len = 0;
    last = 0;

    for (cl = in; cl; cl = cl->next) {
        len += (size_t) ngx_buf_size(cl->buf);
        last |= cl->buf->last_buf;
    }

    /* an upstream that has ended without the last buffer has failed */

    if ((!last && r->upstream && r->upstream->cleanup == NULL)
        || len > NGX_HTTP_CODAT_HOLD_MAX - hold->text.len
        || ngx_http_codat_track_hold_grow(hold, len) != NGX_OK)
    {
        return ngx_http_codat_track_hold_release(hold, in);
    }

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (!ngx_buf_in_memory(b)) {
            continue;
        }

        ngx_memcpy(hold->text.data + hold->text.len, b->pos,
                   (size_t) (b->last - b->pos));

        hold->text.len += (size_t) (b->last - b->pos);
        b->pos = b->last;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_track_hold_grow(ngx_http_codat_hold_t *hold, size_t len)
{
    size_t       size;
    u_char      *p;
    ngx_pool_t  *pool;

    if (hold->text.len + len <= hold->size) {
        return NGX_OK;
    }

    size = ngx_max(2 * hold->size, NGX_HTTP_CODAT_HOLD_SIZE);
    size = ngx_max(size, hold->text.len + len);

    pool = hold->track->request->pool;

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (hold->text.data) {
        ngx_memcpy(p, hold->text.data, hold->text.len);
        ngx_pfree(pool, hold->text.data);
    }

    hold->text.data = p;
    hold->size = size;

    return NGX_OK;
}


/* sends what was collected, and what has just come, as it is */

static ngx_int_t
ngx_http_codat_track_hold_release(ngx_http_codat_hold_t *hold,
    ngx_chain_t *in)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = hold->track->request;

    hold->held = 0;

    rc = ngx_http_codat_track_next_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    if (hold->text.len == 0) {
        return ngx_http_codat_track_next_body(r, in);
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = hold->text.data;
    b->last = hold->text.data + hold->text.len;
    b->memory = 1;

    out.buf = b;
    out.next = in;

    return ngx_http_codat_track_next_body(r, &out);
}


ngx_int_t
ngx_http_codat_track_hold_end(ngx_http_codat_track_t *track,
    ngx_codat_operation_t *operation, ngx_codat_copy_t *copy)
{
    ngx_http_codat_hold_t  *hold;

    hold = track->hold;
    hold->operation = operation;

    if (copy == NULL) {
        return ngx_http_codat_track_hold_send(hold, NULL);
    }

    if (ngx_http_codat_prefer_applied(track->request, track->wait)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (operation->status != NGX_CODAT_PUSH_PENDING) {
        return ngx_http_codat_track_hold_send(hold, NULL);
    }

    if (ngx_codat_record_final(&copy->record)) {
        return ngx_http_codat_track_hold_send(hold, copy);
    }

    if (ngx_http_codat_track_hold_wait(hold, copy) == NGX_OK) {
        return NGX_OK;
    }

    return ngx_http_codat_track_hold_send(hold,
                                      ngx_codat_record_final(&copy->record)
                                      ? copy : NULL);
}


/*
 * The core believes that the answer is on its way, and finalizes the request
 * when we return: of the references one remains, which is ours.
 */

static ngx_int_t
ngx_http_codat_track_hold_wait(ngx_http_codat_hold_t *hold,
    ngx_codat_copy_t *copy)
{
    ngx_msec_t               left;
    ngx_codat_zone_t        *zone;
    ngx_http_request_t      *r;
    ngx_http_codat_track_t  *track;

    track = hold->track;
    zone = track->zone;
    r = track->request;

    left = ngx_http_codat_track_left(track);

    if (left == 0
        || ngx_exiting
        || r->reading_body              /* it is still coming */
        || r->discard_body
        || r->buffered
        || r->connection->buffered)
    {
        return NGX_DECLINED;
    }

    hold->watch.handler = ngx_http_codat_track_hold_watch_handler;
    hold->watch.data = hold;
    hold->watch.kind = NGX_CODAT_ROW_PUSH;
    ngx_memcpy(hold->watch.key, copy->key, NGX_CODAT_WAKE_KEY_LEN);

    if (ngx_codat_wake_watch(zone->wakeup, zone->sh->wake, &hold->watch, left)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* once more: from now on changes are told, those before were not */

    if (ngx_http_codat_track_hold_final(hold, copy)) {
        ngx_codat_wake_unwatch(&hold->watch);
        return NGX_DECLINED;
    }

    hold->timer.handler = ngx_http_codat_track_hold_timer_handler;
    hold->timer.data = r->connection;
    hold->timer.log = r->connection->log;

    ngx_add_timer(&hold->timer, left);

    hold->parked.handler = ngx_http_codat_track_hold_parked_handler;
    hold->parked.data = hold;
    hold->parked.log = r->connection->log;

    ngx_post_event(&hold->parked, &ngx_posted_events);

    ngx_http_codat_track_count(track, NGX_HTTP_CODAT_TRACKED_HELD);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "codat track holds an answer, %M ms", left);

    r->main->count++;

    return NGX_OK;
}


/* 1 if the table knows a final status, with the row in "copy" */

static ngx_uint_t
ngx_http_codat_track_hold_final(ngx_http_codat_hold_t *hold,
    ngx_codat_copy_t *copy)
{
    return ngx_codat_table_get(hold->track->zone, NGX_CODAT_RECORD_PUSH,
                               hold->watch.key, copy)
           == NGX_OK
           && ngx_codat_record_final(&copy->record);
}


/* the core has let go of the request: a client that leaves is noticed again */

static void
ngx_http_codat_track_hold_parked_handler(ngx_event_t *ev)
{
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_codat_hold_t  *hold;

    hold = ev->data;
    r = hold->track->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (ngx_http_codat_wait_client(r) == NGX_OK) {
        return;
    }

    ngx_http_finalize_request(r, NGX_ERROR);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_codat_track_hold_watch_handler(ngx_codat_watch_t *watch)
{
    ngx_codat_copy_t        copy;
    ngx_http_codat_hold_t  *hold;

    hold = watch->data;

    if (ngx_exiting || ngx_http_codat_track_hold_final(hold, &copy)) {
        ngx_http_codat_track_hold_answer(hold);
    }
}


static void
ngx_http_codat_track_hold_timer_handler(ngx_event_t *ev)
{
    ngx_http_codat_track_hold_answer((ngx_http_codat_hold_t *)
                   ((u_char *) ev - offsetof(ngx_http_codat_hold_t, timer)));
}


static void
ngx_http_codat_track_hold_answer(ngx_http_codat_hold_t *hold)
{
    ngx_int_t            rc;
    ngx_codat_copy_t     copy;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = hold->track->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "codat track sends what it held: \"%V\"", &r->uri);

    ngx_http_codat_track_hold_cleanup(hold);

    c->log->action = "sending to client";

    r->read_event_handler = ngx_http_block_reading;

    rc = ngx_http_codat_track_hold_send(hold,
                   ngx_http_codat_track_hold_final(hold, &copy) ? &copy
                                                                : NULL);

    ngx_http_finalize_request(r, rc);

    ngx_http_run_posted_requests(c);
}


/* sends all there is: completed by a row, or as it came */

static ngx_int_t
ngx_http_codat_track_hold_send(ngx_http_codat_hold_t *hold,
    ngx_codat_copy_t *copy)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = hold->track->request;

    hold->held = 0;

    if (copy && ngx_http_codat_track_hold_complete(hold, copy) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_codat_track_next_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (hold->text.len) {
        b->pos = hold->text.data;
        b->last = hold->text.data + hold->text.len;
        b->memory = 1;
    }

    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_codat_track_next_body(r, &out);
}


static ngx_int_t
ngx_http_codat_track_hold_complete(ngx_http_codat_hold_t *hold,
    ngx_codat_copy_t *copy)
{
    u_char              *p;
    ngx_str_t            text;
    ngx_http_request_t  *r;

    r = hold->track->request;

    p = ngx_pnalloc(r->pool, hold->text.len
                             + ngx_codat_operation_json_len(&copy->record));
    if (p == NULL) {
        return NGX_ERROR;
    }

    text.data = p;

    p = ngx_codat_operation_final(p, hold->operation, &hold->text,
                                  &copy->record);

    text.len = (size_t) (p - text.data);

    hold->text = text;

    /* what was said of the bytes is true no longer */

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);

    r->allow_ranges = 0;
    r->headers_out.content_length_n = (off_t) text.len;

    ngx_http_codat_track_count(hold->track,
                               NGX_HTTP_CODAT_TRACKED_COMPLETED);

    return NGX_OK;
}


static void
ngx_http_codat_track_hold_cleanup(void *data)
{
    ngx_http_codat_hold_t *hold = data;

    ngx_codat_wake_unwatch(&hold->watch);

    if (hold->timer.timer_set) {
        ngx_del_timer(&hold->timer);
    }

    if (hold->parked.posted) {
        ngx_delete_posted_event(&hold->parked);
    }
}
