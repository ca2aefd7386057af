
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_inflate.h"
#include "ngx_codat_operation.h"
#include "ngx_http_codat_persist.h"
#include "ngx_http_codat_track.h"
#include "ngx_http_codat_track_filter.h"
#include "ngx_http_codat_track_hold.h"


/* an answer that is read as it passes */

struct ngx_http_codat_tap_s {
    ngx_codat_operation_t  *operation;
    ngx_codat_inflate_t    *inflate;    /* NULL: not compressed */
    off_t                   read;
    unsigned                gzip:1;
    unsigned                done:1;
};


static ngx_int_t ngx_http_codat_track_header_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_http_codat_track_wanted(ngx_http_request_t *r,
    ngx_http_codat_track_t *track, ngx_uint_t *gzip);
static ngx_uint_t ngx_http_codat_track_json(ngx_str_t *type);
static ngx_int_t ngx_http_codat_track_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_codat_track_tap(ngx_http_codat_track_t *track,
    ngx_chain_t *in, ngx_uint_t *last);
static ngx_int_t ngx_http_codat_track_drop(ngx_chain_t *in);
static ngx_uint_t ngx_http_codat_track_mentions(ngx_buf_t *b);
static ngx_int_t ngx_http_codat_track_start(ngx_http_codat_track_t *track);
static void ngx_http_codat_track_read(void *data, const u_char *p,
    size_t len);
static ngx_int_t ngx_http_codat_track_register(
    ngx_http_codat_track_t *track, ngx_codat_copy_t *copy);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


void
ngx_http_codat_track_filter_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_codat_track_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_codat_track_body_filter;
}


ngx_int_t
ngx_http_codat_track_next_header(ngx_http_request_t *r)
{
    return ngx_http_next_header_filter(r);
}


ngx_int_t
ngx_http_codat_track_next_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    return ngx_http_next_body_filter(r, in);
}


static ngx_int_t
ngx_http_codat_track_header_filter(ngx_http_request_t *r)
{
    ngx_uint_t               gzip;
    ngx_http_codat_ctx_t    *ctx;
    ngx_http_codat_tap_t    *tap;
    ngx_http_codat_track_t  *track;

    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    if (ctx == NULL || ctx->track == NULL) {
        return ngx_http_next_header_filter(r);
    }

    track = ctx->track;

    if (!ngx_http_codat_track_wanted(r, track, &gzip)) {
        return track->asking ? NGX_OK : ngx_http_next_header_filter(r);
    }

    tap = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_tap_t));
    if (tap == NULL) {
        return NGX_ERROR;
    }

    tap->gzip = (gzip != 0);

    track->tap = tap;

    r->filter_need_in_memory = 1;

    if (track->asking) {
        return NGX_OK;
    }

    if (track->wait >= 0
        && !gzip
        && ngx_http_codat_track_hold(track) == NGX_OK)
    {
        return NGX_OK;
    }

    return ngx_http_next_header_filter(r);
}


/* 1 if the answer may be a push operation that can be read */

static ngx_uint_t
ngx_http_codat_track_wanted(ngx_http_request_t *r,
    ngx_http_codat_track_t *track, ngx_uint_t *gzip)
{
    ngx_str_t  *encoding;

    if ((!track->push && !track->poll)
        || r->header_only
        || r->method == NGX_HTTP_HEAD
        || r->headers_out.status < NGX_HTTP_OK
        || r->headers_out.status >= NGX_HTTP_SPECIAL_RESPONSE
        || r->headers_out.status == NGX_HTTP_NO_CONTENT
        || r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT
        || !ngx_http_codat_track_json(&r->headers_out.content_type))
    {
        return 0;
    }

    /* answers of ours are not news */

    if (r->upstream == NULL) {
        return 0;
    }

    *gzip = 0;

    if (r->headers_out.content_encoding == NULL
        || r->headers_out.content_encoding->hash == 0)
    {
        return 1;
    }

    encoding = &r->headers_out.content_encoding->value;

    if (encoding->len == sizeof("gzip") - 1
        && ngx_strncasecmp(encoding->data, (u_char *) "gzip", encoding->len)
           == 0)
    {
        *gzip = 1;
        return 1;
    }

    return encoding->len == sizeof("identity") - 1
           && ngx_strncasecmp(encoding->data, (u_char *) "identity",
                              encoding->len)
              == 0;
}


/* "application/json" or "application/...+json", whatever follows */

static ngx_uint_t
ngx_http_codat_track_json(ngx_str_t *type)
{
    size_t   len;
    u_char  *p;

    len = sizeof("application/") - 1;

    if (type->len < len + 4
        || ngx_strncasecmp(type->data, (u_char *) "application/", len) != 0)
    {
        return 0;
    }

    p = type->data + len;

    for (len = 0; p + len < type->data + type->len; len++) {

        if (p[len] == ';' || p[len] == ' ' || p[len] == '\t') {
            break;
        }
    }

    if (len < 4
        || ngx_strncasecmp(p + len - 4, (u_char *) "json", 4) != 0)
    {
        return 0;
    }

    return len == 4 || p[len - 5] == '+';
}


static ngx_int_t
ngx_http_codat_track_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                rc;
    ngx_uint_t               last;
    ngx_codat_copy_t        *copy;
    ngx_http_codat_ctx_t    *ctx;
    ngx_http_codat_tap_t    *tap;
    ngx_http_codat_track_t  *track;

    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    if (ctx == NULL || ctx->track == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    track = ctx->track;
    tap = track->tap;

    if (tap == NULL) {
        return track->asking ? ngx_http_codat_track_drop(in)
                             : ngx_http_next_body_filter(r, in);
    }

    copy = NULL;
    last = 0;

    if (!tap->done && in) {

        rc = ngx_http_codat_track_tap(track, in, &last);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DONE) {

            /* before anybody has all of the answer */

            tap->done = 1;

            if (tap->operation) {

                copy = ngx_palloc(r->pool, sizeof(ngx_codat_copy_t));
                if (copy == NULL) {
                    return NGX_ERROR;
                }

                if (ngx_http_codat_track_register(track, copy) != NGX_OK) {
                    copy = NULL;
                }
            }
        }
    }

    if (track->asking) {
        return ngx_http_codat_track_drop(in);
    }

    if (!ngx_http_codat_track_holds(track)) {
        return ngx_http_next_body_filter(r, in);
    }

    rc = ngx_http_codat_track_hold_body(track, in);

    if (!last || !ngx_http_codat_track_holds(track)) {
        return rc;
    }

    return ngx_http_codat_track_hold_end(track, tap->operation, copy);
}


/* nobody is there to whom an answer that we have asked for could be sent */

static ngx_int_t
ngx_http_codat_track_drop(ngx_chain_t *in)
{
    for ( /* void */ ; in; in = in->next) {
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }

    return NGX_OK;
}


/*
 * Reads on.  Returns NGX_DONE when the body is complete, "last" says whether
 * there was the last buffer; NGX_AGAIN before; or NGX_ERROR.  What is held is
 * complete with the last buffer, since only then the connection to the API is
 * free.
 */

static ngx_int_t
ngx_http_codat_track_tap(ngx_http_codat_track_t *track, ngx_chain_t *in,
    ngx_uint_t *last)
{
    size_t                 len;
    ngx_buf_t             *b;
    ngx_chain_t           *cl;
    ngx_http_request_t    *r;
    ngx_http_codat_tap_t  *tap;

    r = track->request;
    tap = track->tap;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (b->last_buf || (r != r->main && b->last_in_chain)) {
            *last = 1;
        }

        if (!ngx_buf_in_memory(b) || b->pos == b->last) {
            continue;
        }

        len = (size_t) (b->last - b->pos);

        tap->read += (off_t) len;

        if (tap->operation == NULL) {

            /* a body in one piece may be seen to be something else */

            if (tap->read == (off_t) len
                && tap->read == r->headers_out.content_length_n
                && !tap->gzip
                && !ngx_http_codat_track_mentions(b))
            {
                continue;
            }

            if (ngx_http_codat_track_start(track) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        if (tap->inflate) {
            (void) ngx_codat_inflate_read(tap->inflate, b->pos, len,
                                          ngx_http_codat_track_read,
                                          tap->operation);

        } else {
            ngx_codat_operation_read(tap->operation, b->pos, len);
        }
    }

    if (*last) {
        return NGX_DONE;
    }

    if (tap->read == r->headers_out.content_length_n
        && !ngx_http_codat_track_holds(track))
    {
        return NGX_DONE;
    }

    return NGX_AGAIN;
}


/*
 * 1 if "pushOperationKey", or "PushOperationKey", may be in there.  Capital
 * letters are rare, and memchr() is quick.
 */

static ngx_uint_t
ngx_http_codat_track_mentions(ngx_buf_t *b)
{
    u_char  *p, *last;

    static const u_char  name[] = "OperationKey";

    last = b->last - (sizeof(name) - 1);

    for (p = b->pos; p <= last; p++) {

        p = memchr(p, 'O', (size_t) (last - p) + 1);

        if (p == NULL) {
            return 0;
        }

        if (ngx_memcmp(p, name, sizeof(name) - 1) == 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_codat_track_start(ngx_http_codat_track_t *track)
{
    ngx_pool_t            *pool;
    ngx_http_codat_tap_t  *tap;

    pool = track->request->pool;
    tap = track->tap;

    if (tap->gzip) {
        tap->inflate = ngx_codat_inflate_create(pool);
        if (tap->inflate == NULL) {
            return NGX_ERROR;
        }
    }

    tap->operation = ngx_palloc(pool, sizeof(ngx_codat_operation_t));
    if (tap->operation == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_operation_init(tap->operation);

    return NGX_OK;
}


static void
ngx_http_codat_track_read(void *data, const u_char *p, size_t len)
{
    ngx_codat_operation_read(data, p, len);
}


/* NGX_OK if the answer is a push operation, which is in the table now */

static ngx_int_t
ngx_http_codat_track_register(ngx_http_codat_track_t *track,
    ngx_codat_copy_t *copy)
{
    ngx_int_t               rc;
    ngx_log_t              *log;
    ngx_codat_record_t      push;
    ngx_codat_operation_t  *operation;

    log = track->request->connection->log;
    operation = track->tap->operation;

    rc = ngx_codat_operation_end(operation, &push);

    if (rc == NGX_ABORT) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "codat: answer of the API can't be read, %s at byte "
                      "%uz", operation->reason, operation->offset);

        ngx_http_codat_track_count(track, NGX_HTTP_CODAT_TRACKED_UNREADABLE);

        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return NGX_DECLINED;
    }

    push.flags = NGX_CODAT_MERGE_ANSWER;

    if (track->push) {
        push.texts[NGX_CODAT_TEXT_REFERENCE] = track->reference;
    }

    rc = ngx_codat_table_register(track->zone, &push, copy);

    if (track->zone->store
        && rc != NGX_ERROR
        && ngx_http_codat_persist_push(track->zone, &push) != NGX_OK)
    {
        rc = NGX_ERROR;
    }

    if (rc != NGX_OK && rc != NGX_DONE) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "codat: a push can't be remembered");
        return NGX_DECLINED;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, log, 0,
                   "codat track registered, new: %d, state: %ui",
                   rc == NGX_DONE, copy->record.state);

    track->known = 1;
    track->final = ngx_codat_record_final(&copy->record) & 1;

    ngx_http_codat_track_count(track, track->push
                                      ? NGX_HTTP_CODAT_TRACKED_REGISTERED
                                      : NGX_HTTP_CODAT_TRACKED_CONFIRMED);

    return NGX_OK;
}
