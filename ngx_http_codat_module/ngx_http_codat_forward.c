
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_child.h"
#include "ngx_http_codat_count.h"
#include "ngx_http_codat_format.h"
#include "ngx_http_codat_forward.h"
#include "ngx_http_codat_header.h"
#include "ngx_codat_pattern.h"


struct ngx_http_codat_forwarding_s {
    ngx_http_codat_child_t      *children;
    ngx_uint_t                   n;
    ngx_uint_t                   running;
    ngx_uint_t                   waiting;   /* running and required */
    ngx_event_t                  timer;
    ngx_http_posted_request_t    posted;    /* of the webhook */
    unsigned                     late:1;    /* the time is up */
    unsigned                     closed:1;  /* the answer is decided */
    unsigned                     accepted:1;
};


static ngx_uint_t ngx_http_codat_forward_typed(ngx_http_codat_ctx_t *ctx,
    ngx_http_codat_forward_t *forward);
static ngx_int_t ngx_http_codat_forward_matches(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_forward_t *forward);
static ngx_int_t ngx_http_codat_forward_render(ngx_http_request_t *r,
    ngx_http_codat_child_t *child);
static void ngx_http_codat_forward_ended(ngx_http_request_t *sr,
    ngx_http_codat_child_t *child);
static void ngx_http_codat_forward_release(ngx_http_codat_ctx_t *ctx);
static void ngx_http_codat_forward_undelay(ngx_http_codat_ctx_t *ctx);
static void ngx_http_codat_forward_wake(ngx_http_codat_forwarding_t *set);
static void ngx_http_codat_forward_retry_after(ngx_http_request_t *sr,
    ngx_http_codat_ctx_t *ctx);
static void ngx_http_codat_forward_timeout_handler(ngx_event_t *ev);


ngx_int_t
ngx_http_codat_forward_select(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_uint_t *n)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_codat_child_t       *child;
    ngx_http_codat_forward_t     *forwards;
    ngx_http_codat_loc_conf_t    *cdlcf;
    ngx_http_codat_forwarding_t  *set;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    *n = 0;

    if (cdlcf->forwards == NULL) {
        return NGX_OK;
    }

    set = NULL;
    forwards = cdlcf->forwards->elts;

    for (i = 0; i < cdlcf->forwards->nelts; i++) {

        rc = ngx_http_codat_forward_matches(r, ctx, &forwards[i]);

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

        if (set == NULL) {
            set = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_forwarding_t));
            if (set == NULL) {
                return NGX_ERROR;
            }

            set->children = ngx_pcalloc(r->pool, cdlcf->forwards->nelts
                                           * sizeof(ngx_http_codat_child_t));
            if (set->children == NULL) {
                return NGX_ERROR;
            }
        }

        child = &set->children[set->n++];

        child->ctx = ctx;
        child->ended = ngx_http_codat_forward_ended;
        child->forward = &forwards[i];
        child->bit = (uint64_t) 1 << i;
    }

    ctx->forwarding = set;
    *n = set ? set->n : 0;

    return NGX_OK;
}


ngx_uint_t
ngx_http_codat_forward_conditional(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx)
{
    ngx_uint_t                  i;
    ngx_http_codat_forward_t   *forwards;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    if (cdlcf->forwards == NULL) {
        return 0;
    }

    forwards = cdlcf->forwards->elts;

    for (i = 0; i < cdlcf->forwards->nelts; i++) {

        if (forwards[i].condition
            && ngx_http_codat_forward_typed(ctx, &forwards[i]))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_codat_forward_typed(ngx_http_codat_ctx_t *ctx,
    ngx_http_codat_forward_t *forward)
{
    ngx_str_t   *patterns, *type;
    ngx_uint_t   i;

    type = &ctx->event.fields[NGX_CODAT_FIELD_EVENT_TYPE];
    patterns = forward->patterns.elts;

    for (i = 0; i < forward->patterns.nelts; i++) {

        if (ngx_codat_pattern_match(&patterns[i], type)) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_codat_forward_matches(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_forward_t *forward)
{
    ngx_str_t  value;

    if (!ngx_http_codat_forward_typed(ctx, forward)) {
        return NGX_DECLINED;
    }

    if (forward->condition == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, forward->condition, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0 || (value.len == 1 && value.data[0] == '0')) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * All that can fail is done for all forwards before the first subrequest is
 * made: from then on there is something under way that has to be waited for.
 */

ngx_int_t
ngx_http_codat_forward_start(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx)
{
    ngx_uint_t                    i;
    ngx_http_codat_child_t       *child;
    ngx_http_codat_loc_conf_t    *cdlcf;
    ngx_http_codat_forwarding_t  *set;

    set = ctx->forwarding;

    for (i = 0; i < set->n; i++) {
        child = &set->children[i];

        if (ctx->delivery.succeeded & child->bit) {
            child->succeeded = 1;
            ngx_http_codat_count_forward(ctx->zone, child->forward,
                                         NGX_HTTP_CODAT_OUTCOME_SKIPPED);
            continue;
        }

        if (ngx_http_codat_forward_render(r, child) != NGX_OK
            || ngx_http_codat_child_prepare(r, child) == NGX_ERROR)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < set->n; i++) {
        child = &set->children[i];

        if (child->succeeded) {
            continue;
        }

        if (child->body == NULL) {
            ngx_http_codat_count_forward(ctx->zone, child->forward,
                                         NGX_HTTP_CODAT_OUTCOME_UNSENT);
            continue;
        }

        if (ngx_http_codat_child_start(r, child) != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "codat: forward to \"%V\" could not be started",
                          &child->forward->target);
            ngx_http_codat_count_forward(ctx->zone, child->forward,
                                         NGX_HTTP_CODAT_OUTCOME_UNSENT);
            continue;
        }

        child->started = ngx_current_msec;
        child->running = 1;
        set->running++;

        if (!child->forward->optional) {
            set->waiting++;
        }
    }

    if (set->waiting == 0) {
        return NGX_OK;
    }

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    set->timer.handler = ngx_http_codat_forward_timeout_handler;
    set->timer.data = r->connection;
    set->timer.log = r->connection->log;

    ngx_add_timer(&set->timer, cdlcf->forward_timeout);

    return NGX_AGAIN;
}


ngx_uint_t
ngx_http_codat_forward_count(ngx_http_codat_ctx_t *ctx)
{
    return ctx->forwarding ? ctx->forwarding->n : 0;
}


ngx_http_codat_forward_t *
ngx_http_codat_forward_nth(ngx_http_codat_ctx_t *ctx, ngx_uint_t i)
{
    return ctx->forwarding->children[i].forward;
}


ngx_http_codat_child_t *
ngx_http_codat_forward_single(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_forward_t *forward,
    ngx_http_codat_child_ended_pt ended, void *data)
{
    ngx_http_codat_child_t       *child;
    ngx_http_codat_forwarding_t  *set;

    set = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_forwarding_t));
    child = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_child_t));

    if (set == NULL || child == NULL) {
        return NULL;
    }

    set->children = child;
    set->n = 1;

    ctx->forwarding = set;

    child->ctx = ctx;
    child->ended = ended;
    child->data = data;
    child->forward = forward;
    child->bit = 1;

    if (ngx_http_codat_forward_render(r, child) != NGX_OK
        || ngx_http_codat_child_prepare(r, child) != NGX_OK
        || ngx_http_codat_child_start(r, child) != NGX_OK)
    {
        ngx_http_codat_count_forward(ctx->zone, forward,
                                     NGX_HTTP_CODAT_OUTCOME_UNSENT);
        return NULL;
    }

    child->started = ngx_current_msec;
    child->running = 1;

    return child;
}


void
ngx_http_codat_forward_counted(ngx_http_request_t *sr,
    ngx_http_codat_child_t *child)
{
    ngx_codat_zone_t  *zone;

    zone = child->ctx->zone;

    ngx_http_codat_count_time(zone, child->forward, child->started);
    ngx_http_codat_count_forward(zone, child->forward,
                         ngx_http_codat_count_outcome(sr, child->status,
                                                      child->succeeded));
}


/* a format is rendered once, however many forwards use it */

static ngx_int_t
ngx_http_codat_forward_render(ngx_http_request_t *r,
    ngx_http_codat_child_t *child)
{
    ngx_http_codat_child_t  *other;

    for (other = child->ctx->forwarding->children; other < child; other++) {

        if (other->rendered
            && other->forward->format == child->forward->format)
        {
            child->rendered = other->rendered;
            return NGX_OK;
        }
    }

    child->rendered = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_rendered_t));
    if (child->rendered == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_codat_format_render(r, child->ctx, child->forward->format,
                                        child->rendered);
}


static void
ngx_http_codat_forward_ended(ngx_http_request_t *sr,
    ngx_http_codat_child_t *child)
{
    ngx_http_codat_ctx_t         *ctx;
    ngx_http_codat_forwarding_t  *set;

    ctx = child->ctx;
    set = ctx->forwarding;

    set->running--;

    if (!child->forward->optional) {
        set->waiting--;
    }

    ngx_http_codat_count_time(ctx->zone, child->forward, child->started);

    if (!child->late) {
        ngx_http_codat_count_forward(ctx->zone, child->forward,
                         ngx_http_codat_count_outcome(sr, child->status,
                                                      child->succeeded));
    }

    if (child->succeeded) {
        ctx->delivery.succeeded |= child->bit;

    } else {
        ngx_log_error(NGX_LOG_ERR, sr->connection->log, 0,
                      "codat: forward to \"%V\" failed, status: %ui",
                      &child->forward->target, child->status);

        if (!child->forward->optional) {
            ngx_http_codat_forward_retry_after(sr, ctx);
        }
    }

    if (!set->closed) {

        if (set->waiting == 0) {
            ngx_http_codat_child_post(sr->main, &set->posted);
        }

        return;
    }

    ngx_http_codat_forward_release(ctx);
}


/*
 * Gives the claim back once nothing required is under way.  Optional ones
 * that still are count as done: the message is not held up for them, and is
 * not sent to them twice.
 */

static void
ngx_http_codat_forward_release(ngx_http_codat_ctx_t *ctx)
{
    ngx_uint_t                    i;
    ngx_http_codat_child_t       *child;
    ngx_http_codat_forwarding_t  *set;

    set = ctx->forwarding;

    if (set->waiting && !set->accepted) {
        return;
    }

    for (i = 0; i < set->n; i++) {
        child = &set->children[i];

        if (child->running) {
            ctx->delivery.succeeded |= child->bit;
        }
    }

    ngx_codat_delivery_release(ctx->zone, &ctx->delivery, set->accepted);
}


static void
ngx_http_codat_forward_retry_after(ngx_http_request_t *sr,
    ngx_http_codat_ctx_t *ctx)
{
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("Retry-After");

    if (ctx->retry_after.len) {
        return;
    }

    h = ngx_http_codat_header_find(&sr->headers_out.headers, &name);

    if (h
        && (ngx_atotm(h->value.data, h->value.len) != NGX_ERROR
            || ngx_parse_http_time(h->value.data, h->value.len) != NGX_ERROR))
    {
        ctx->retry_after = h->value;
    }
}


static void
ngx_http_codat_forward_timeout_handler(ngx_event_t *ev)
{
    ngx_uint_t                    i;
    ngx_connection_t             *c;
    ngx_http_request_t           *r;
    ngx_http_codat_ctx_t         *ctx;
    ngx_http_codat_child_t       *child;
    ngx_http_codat_forwarding_t  *set;

    c = ev->data;
    r = c->data;

    ngx_http_set_log_request(c->log, r);

    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    set = ctx->forwarding;
    set->late = 1;

    for (i = 0; i < set->n; i++) {
        child = &set->children[i];

        if (child->running && !child->forward->optional) {
            child->late = 1;
            ngx_http_codat_count_forward(ctx->zone, child->forward,
                                         NGX_HTTP_CODAT_OUTCOME_TIMEOUT);
        }
    }

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


ngx_uint_t
ngx_http_codat_forward_ready(ngx_http_codat_ctx_t *ctx)
{
    ngx_http_codat_forwarding_t  *set;

    set = ctx->forwarding;

    if (set->waiting == 0 || set->late) {
        return 1;
    }

    if (!ctx->request->connection->write->delayed) {
        ngx_http_codat_forward_wake(set);
    }

    return 0;
}


static void
ngx_http_codat_forward_wake(ngx_http_codat_forwarding_t *set)
{
    ngx_uint_t  i;

    for (i = 0; i < set->n; i++) {
        ngx_http_codat_child_wake(&set->children[i]);
    }
}


/*
 * A delay of limit_req in a forward is one of the connection, which the
 * answer must not wait for, and which would end with it unnoticed.
 */

static void
ngx_http_codat_forward_undelay(ngx_http_codat_ctx_t *ctx)
{
    ngx_event_t  *wev;

    wev = ctx->request->connection->write;

    if (ctx->forwarding->running && wev->delayed && wev->timer_set) {
        wev->delayed = 0;
        ngx_del_timer(wev);

        ngx_http_codat_forward_wake(ctx->forwarding);
    }
}


ngx_http_codat_forward_result_e
ngx_http_codat_forward_result(ngx_http_codat_ctx_t *ctx, ngx_str_t **target,
    ngx_uint_t *status)
{
    ngx_uint_t                        i;
    ngx_http_codat_child_t           *child;
    ngx_http_codat_forwarding_t      *set;
    ngx_http_codat_forward_result_e   result;

    set = ctx->forwarding;
    set->closed = 1;

    if (set->timer.timer_set) {
        ngx_del_timer(&set->timer);
    }

    result = NGX_HTTP_CODAT_FORWARDED;

    for (i = 0; i < set->n; i++) {
        child = &set->children[i];

        if (child->forward->optional || child->succeeded) {
            continue;
        }

        if (child->running && result != NGX_HTTP_CODAT_FORWARDED) {
            continue;
        }

        *target = &child->forward->target;
        *status = child->status;

        if (child->running) {
            result = NGX_HTTP_CODAT_FORWARD_LATE;
            continue;
        }

        result = NGX_HTTP_CODAT_FORWARD_FAILED_STATUS;
        break;
    }

    set->accepted = (result == NGX_HTTP_CODAT_FORWARDED);

    if (set->running) {

        /*
         * The connection stays bound to this request until the last forward
         * has ended: the client is not to put another one behind it.
         */

        ctx->request->keepalive = 0;
    }

    ngx_http_codat_forward_undelay(ctx);
    ngx_http_codat_forward_release(ctx);

    return result;
}


void
ngx_http_codat_forward_abandon(ngx_http_codat_ctx_t *ctx)
{
    ngx_http_codat_forwarding_t  *set;

    set = ctx->forwarding;

    if (set) {
        set->closed = 1;

        if (set->timer.timer_set) {
            ngx_del_timer(&set->timer);
        }
    }

    ngx_codat_delivery_release(ctx->zone, &ctx->delivery, 0);
}
