
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_answer.h"
#include "ngx_http_codat_stream.h"


/* a piece is sent when it has that many rows, however short they are */
#define NGX_HTTP_CODAT_STREAM_ROWS   128

/* work without a chance for others, and how often to look at the clock */
#define NGX_HTTP_CODAT_STREAM_USEC   200
#define NGX_HTTP_CODAT_STREAM_STEPS  8


static ngx_int_t ngx_http_codat_stream_run(ngx_http_codat_stream_t *s);
static ngx_int_t ngx_http_codat_stream_fill(ngx_http_codat_stream_t *s);
static ngx_int_t ngx_http_codat_stream_send(ngx_http_codat_stream_t *s);
static ngx_int_t ngx_http_codat_stream_yield(ngx_http_codat_stream_t *s);
static ngx_int_t ngx_http_codat_stream_wait(ngx_http_codat_stream_t *s);
static void ngx_http_codat_stream_timer(ngx_http_codat_stream_t *s);
static void ngx_http_codat_stream_event_handler(ngx_event_t *ev);
static void ngx_http_codat_stream_write_handler(ngx_http_request_t *r);
static void ngx_http_codat_stream_cleanup(void *data);
static ngx_int_t ngx_http_codat_stream_grow(ngx_http_codat_stream_t *s);
static int64_t ngx_http_codat_stream_usec(void);


ngx_int_t
ngx_http_codat_stream(ngx_http_request_t *r, ngx_http_codat_stream_pt step,
    void *data)
{
    ngx_http_cleanup_t       *cln;
    ngx_http_codat_stream_t  *s;

    s = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_stream_t));
    if (s == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     s->out = NULL;
     *     s->free = NULL;
     *     s->busy = NULL;
     *     s->buf = NULL;
     *     s->size = 0;
     *     s->rows = 0;
     *     s->headed = 0;
     *     s->ended = 0;
     */

    s->request = r;
    s->step = step;
    s->data = data;
    s->last = &s->out;
    s->whole = (r != r->main);

    s->event.handler = ngx_http_codat_stream_event_handler;
    s->event.data = s;
    s->event.log = r->connection->log;

    if (!s->whole) {
        cln = ngx_http_cleanup_add(r, 0);
        if (cln == NULL) {
            return NGX_HTTP_SERVICE_UNAVAILABLE;
        }

        cln->handler = ngx_http_codat_stream_cleanup;
        cln->data = s;
    }

    if (ngx_http_codat_stream_run(s) == NGX_DONE) {
        return s->rc;
    }

    /* one reference, which the finalization at the end gives back */

    r->main->count++;

    r->read_event_handler = r->discard_body
                            ? ngx_http_discarded_request_body_handler
                            : ngx_http_test_reading;
    r->write_event_handler = ngx_http_codat_stream_write_handler;

    return NGX_DONE;
}


/* returns NGX_DONE when the request is to be finalized with s->rc, or NGX_OK */

static ngx_int_t
ngx_http_codat_stream_run(ngx_http_codat_stream_t *s)
{
    ngx_int_t  rc;

    rc = ngx_http_codat_stream_fill(s);

    if (rc == NGX_BUSY) {
        return ngx_http_codat_stream_yield(s);
    }

    if (rc == NGX_ERROR) {
        s->rc = s->headed ? NGX_ERROR : NGX_HTTP_SERVICE_UNAVAILABLE;
        return NGX_DONE;
    }

    s->ended = (rc == NGX_DONE);

    s->rc = ngx_http_codat_stream_send(s);

    if (s->ended || s->rc == NGX_ERROR) {
        return NGX_DONE;
    }

    if (s->busy) {
        return ngx_http_codat_stream_wait(s);
    }

    return ngx_http_codat_stream_yield(s);
}


/*
 * Returns NGX_OK when the piece is full, NGX_DONE when it is the last one,
 * NGX_BUSY when it is time to let others do something, or NGX_ERROR.
 */

static ngx_int_t
ngx_http_codat_stream_fill(ngx_http_codat_stream_t *s)
{
    int64_t     until;
    ngx_int_t   rc;
    ngx_uint_t  n;

    until = ngx_http_codat_stream_usec() + NGX_HTTP_CODAT_STREAM_USEC;

    for (n = 1; /* void */ ; n++) {

        rc = s->step(s);

        if (rc == NGX_DONE || rc == NGX_ERROR) {
            return rc;
        }

        if (rc == NGX_OK) {
            s->rows++;
        }

        if (s->whole) {
            continue;
        }

        if (s->size >= NGX_HTTP_CODAT_STREAM_PIECE
            || s->rows >= NGX_HTTP_CODAT_STREAM_ROWS)
        {
            return NGX_OK;
        }

        if (n % NGX_HTTP_CODAT_STREAM_STEPS == 0
            && ngx_http_codat_stream_usec() >= until)
        {
            return NGX_BUSY;
        }
    }
}


static ngx_int_t
ngx_http_codat_stream_send(ngx_http_codat_stream_t *s)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = s->request;

    if (!s->headed) {
        s->headed = 1;

        ngx_http_codat_answer_set(r, NGX_HTTP_OK, &ngx_http_codat_type_json,
                                  s->ended ? (off_t) s->size : -1);

        rc = ngx_http_send_header(r);

        if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
            s->ended = 1;
            return rc;
        }
    }

    if (s->buf == NULL) {
        return ngx_http_send_special(r, s->ended ? NGX_HTTP_LAST
                                                 : NGX_HTTP_FLUSH);
    }

    s->buf->last_buf = (s->ended && r == r->main);
    s->buf->last_in_chain = s->ended;
    s->buf->flush = !s->ended;

    rc = ngx_http_output_filter(r, s->out);

    ngx_chain_update_chains(r->pool, &s->free, &s->busy, &s->out,
                            (ngx_buf_tag_t) &ngx_http_codat_module);

    s->last = &s->out;
    s->buf = NULL;
    s->size = 0;
    s->rows = 0;

    return rc;
}


/*
 * The timer is there for a worker that is to exit: it stays as long as it
 * has timers.
 */

static ngx_int_t
ngx_http_codat_stream_yield(ngx_http_codat_stream_t *s)
{
    ngx_http_codat_stream_timer(s);

    ngx_post_event(&s->event, &ngx_posted_next_events);

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_stream_wait(ngx_http_codat_stream_t *s)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = s->request->connection->write;

    clcf = ngx_http_get_module_loc_conf(s->request, ngx_http_core_module);

    /* from now on, which a timer that is set is not to the millisecond */

    if (wev->timer_set && !wev->delayed) {
        ngx_del_timer(wev);
    }

    ngx_http_codat_stream_timer(s);

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        s->rc = NGX_ERROR;
        return NGX_DONE;
    }

    return NGX_OK;
}


static void
ngx_http_codat_stream_timer(ngx_http_codat_stream_t *s)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = s->request->connection->write;

    if (!wev->delayed) {
        clcf = ngx_http_get_module_loc_conf(s->request, ngx_http_core_module);
        ngx_add_timer(wev, clcf->send_timeout);
    }
}


static void
ngx_http_codat_stream_event_handler(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_codat_stream_t  *s;

    s = ev->data;
    r = s->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "codat stream goes on: \"%V\"", &r->uri);

    if (ngx_http_codat_stream_run(s) == NGX_DONE) {
        ngx_http_finalize_request(r, s->rc);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_codat_stream_write_handler(ngx_http_request_t *r)
{
    ngx_event_t              *wev;
    ngx_http_cleanup_t       *cln;
    ngx_http_codat_stream_t  *s;

    wev = r->connection->write;

    for (cln = r->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_codat_stream_cleanup) {
            break;
        }
    }

    if (cln == NULL) {
        return;
    }

    s = cln->data;

    if (s->busy == NULL) {

        /* the client is not who is late */

        if (wev->timedout) {
            wev->timedout = 0;
            ngx_http_codat_stream_timer(s);
        }

        return;
    }

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT,
                      "client timed out");
        r->connection->timedout = 1;

        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (!wev->delayed) {
        s->rc = ngx_http_output_filter(r, NULL);

        if (s->rc == NGX_ERROR) {
            ngx_http_finalize_request(r, s->rc);
            return;
        }

        ngx_chain_update_chains(r->pool, &s->free, &s->busy, &s->out,
                                (ngx_buf_tag_t) &ngx_http_codat_module);
    }

    if (s->busy == NULL) {
        (void) ngx_http_codat_stream_yield(s);
        return;
    }

    if (ngx_http_codat_stream_wait(s) == NGX_DONE) {
        ngx_http_finalize_request(r, s->rc);
    }
}


static void
ngx_http_codat_stream_cleanup(void *data)
{
    ngx_http_codat_stream_t *s = data;

    if (s->event.posted) {
        ngx_delete_posted_event(&s->event);
    }
}


u_char *
ngx_http_codat_stream_reserve(ngx_http_codat_stream_t *s, size_t len)
{
    if (s->buf && (size_t) (s->buf->end - s->buf->last) >= len) {
        return s->buf->last;
    }

    if (len > NGX_HTTP_CODAT_STREAM_PIECE) {
        ngx_log_error(NGX_LOG_ALERT, s->request->connection->log, 0,
                      "codat: a row of %uz bytes does not fit an answer",
                      len);
        return NULL;
    }

    if (ngx_http_codat_stream_grow(s) != NGX_OK) {
        return NULL;
    }

    return s->buf->last;
}


void
ngx_http_codat_stream_commit(ngx_http_codat_stream_t *s, u_char *last)
{
    s->size += (size_t) (last - s->buf->last);
    s->buf->last = last;
}


ngx_int_t
ngx_http_codat_stream_write(ngx_http_codat_stream_t *s, const u_char *p,
    size_t len)
{
    size_t  n;

    while (len) {

        if ((s->buf == NULL || s->buf->last == s->buf->end)
            && ngx_http_codat_stream_grow(s) != NGX_OK)
        {
            return NGX_ERROR;
        }

        n = ngx_min(len, (size_t) (s->buf->end - s->buf->last));

        ngx_http_codat_stream_commit(s, ngx_cpymem(s->buf->last, p, n));

        p += n;
        len -= n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_stream_grow(ngx_http_codat_stream_t *s)
{
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(s->request->pool, &s->free);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    b = cl->buf;

    if (b->start == NULL) {
        p = ngx_palloc(s->request->pool, NGX_HTTP_CODAT_STREAM_PIECE);
        if (p == NULL) {
            return NGX_ERROR;
        }

        b->start = p;
        b->end = p + NGX_HTTP_CODAT_STREAM_PIECE;
        b->temporary = 1;
        b->tag = (ngx_buf_tag_t) &ngx_http_codat_module;
    }

    b->pos = b->start;
    b->last = b->start;
    b->flush = 0;
    b->last_buf = 0;
    b->last_in_chain = 0;

    *s->last = cl;
    s->last = &cl->next;
    s->buf = b;

    return NGX_OK;
}


static int64_t
ngx_http_codat_stream_usec(void)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_MONOTONIC, &ts) == -1) {
        return 0;
    }

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
