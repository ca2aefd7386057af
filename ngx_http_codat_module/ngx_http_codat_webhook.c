
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_body.h"
#include "ngx_http_codat_credential.h"
#include "ngx_http_codat_forward.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_persist.h"
#include "ngx_http_codat_recall.h"
#include "ngx_http_codat_remember.h"
#include "ngx_http_codat_variables.h"
#include "ngx_http_codat_webhook.h"


static void ngx_http_codat_webhook_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_codat_webhook_process(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);
static ngx_int_t ngx_http_codat_webhook_continue(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_receive_t *work);
static ngx_int_t ngx_http_codat_webhook_event(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_str_t *body);
static ngx_int_t ngx_http_codat_webhook_forward(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);
static void ngx_http_codat_webhook_resume(ngx_http_request_t *r);
static ngx_int_t ngx_http_codat_webhook_answer(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);
static void ngx_http_codat_webhook_scan(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);
static void ngx_http_codat_webhook_header(ngx_http_codat_ctx_t *ctx,
    ngx_table_elt_t *h, ngx_str_t *svix);
static void ngx_http_codat_webhook_cleanup(void *data);
static void ngx_http_codat_webhook_mark(void *data);


static const ngx_str_t  ngx_http_codat_accepted = ngx_string("accepted");


ngx_int_t
ngx_http_codat_webhook_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  detail;
    ngx_http_codat_ctx_t      *ctx;
    ngx_http_codat_problem_e   problem;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "codat webhook handler");

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "codat: a location with codat_webhook can't serve "
                      "subrequests, is it the target of a codat_forward?");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_codat_webhook_create(r);
    if (ctx == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    problem = ngx_http_codat_webhook_check(r, ctx, &detail);

    if (problem != NGX_HTTP_CODAT_PROBLEMS) {
        (void) ngx_http_codat_problem(r, ctx, problem, "%V", &detail);
        return ctx->rc;
    }

    /* a body of some size goes to a file: nothing to warn of */

    r->request_body_file_log_level = 0;

    rc = ngx_http_read_client_request_body(r,
                                         ngx_http_codat_webhook_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


ngx_http_codat_ctx_t *
ngx_http_codat_webhook_create(ngx_http_request_t *r)
{
    struct timeval         tv;
    ngx_http_cleanup_t    *cln;
    ngx_pool_cleanup_t    *mark;
    ngx_http_codat_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    mark = ngx_pool_cleanup_add(r->pool, 0);
    if (mark == NULL) {
        return NULL;
    }

    mark->handler = ngx_http_codat_webhook_mark;
    mark->data = ctx;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_codat_webhook_cleanup;
    cln->data = ctx;

    ctx->request = r;

    /* not the cached time: events of one millisecond have an order too */

    ngx_gettimeofday(&tv);

    ctx->received = (int64_t) tv.tv_sec * 1000000 + tv.tv_usec;

    ngx_http_set_ctx(r, ctx, ngx_http_codat_module);

    return ctx;
}


ngx_http_codat_ctx_t *
ngx_http_codat_webhook_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_codat_ctx_t  *ctx;

    r = r->main;

    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    if (ctx == NULL && (r->internal || r->filter_finalize)) {

        /*
         * an internal redirect has cleared the contexts, and before the log
         * is written nothing is left in r->cleanup
         */

        for (cln = r->pool->cleanup; cln; cln = cln->next) {

            if (cln->handler == ngx_http_codat_webhook_mark) {
                return cln->data;
            }
        }
    }

    return ctx;
}


ngx_http_codat_problem_e
ngx_http_codat_webhook_check(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    ngx_str_t *detail)
{
    ngx_http_codat_problem_e  problem;

    if (!(r->method & (NGX_HTTP_POST|NGX_HTTP_PUT))) {
        ngx_str_set(detail, "webhooks are sent with POST or PUT");
        return NGX_HTTP_CODAT_METHOD_NOT_ALLOWED;
    }

    if (!ctx->scanned) {
        ngx_http_codat_webhook_scan(r, ctx);
    }

    problem = ngx_http_codat_credential_headers(r, ctx, detail);

    if (problem != NGX_HTTP_CODAT_PROBLEMS) {
        return problem;
    }

    if (!ngx_http_codat_client_allowed(r, &ctx->client_id)) {
        ngx_str_set(detail, "X-Codat-ClientId is not in codat_client");
        return NGX_HTTP_CODAT_CLIENT_NOT_ALLOWED;
    }

    if (!ngx_http_codat_body_is_json(r)) {
        ngx_str_set(detail, "Content-Type is neither application/json nor "
                    "application/*+json");
        return NGX_HTTP_CODAT_UNSUPPORTED_MEDIA_TYPE;
    }

    if (ctx->encoding.len) {
        ngx_str_set(detail, "Content-Encoding is not identity");
        return NGX_HTTP_CODAT_UNSUPPORTED_MEDIA_TYPE;
    }

    return NGX_HTTP_CODAT_PROBLEMS;
}


static void
ngx_http_codat_webhook_body_handler(ngx_http_request_t *r)
{
    ngx_http_codat_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    if (ngx_http_codat_webhook_process(r, ctx) == NGX_AGAIN) {

        /*
         * The application works on the event even if the client goes:
         * reading on would only notice that.
         */

        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_codat_webhook_resume;

        return;
    }

    ngx_http_finalize_request(r, ctx->rc);
}


/* returns NGX_AGAIN when forwards are under way, NGX_DONE when answered */

static ngx_int_t
ngx_http_codat_webhook_process(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx)
{
    ngx_str_t                   body, detail;
    ngx_int_t                   rc;
    ngx_codat_zone_t           *zone;
    ngx_http_codat_problem_e    problem;
    ngx_http_codat_loc_conf_t  *cdlcf;

    if (ngx_http_codat_body(r, &body) != NGX_OK) {
        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_UNAVAILABLE,
                                      "the body can't be read at present");
    }

    problem = ngx_http_codat_credential_body(r, ctx, &body, &detail);

    if (problem != NGX_HTTP_CODAT_PROBLEMS) {
        return ngx_http_codat_problem(r, ctx, problem, "%V", &detail);
    }

    rc = ngx_http_codat_webhook_event(r, ctx, &body);

    if (rc != NGX_OK) {
        return rc;
    }

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);
    zone = cdlcf->zone->data;

    if (zone->store) {
        return ngx_http_codat_persist(r, ctx);
    }

    rc = ngx_http_codat_remember(r, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_codat_webhook_forward(r, ctx);
}


void
ngx_http_codat_webhook_recalled(ngx_http_codat_ctx_t *ctx, ngx_int_t rc,
    ngx_codat_work_row_t *row)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (rc == NGX_OK) {
        rc = ngx_http_codat_persist_receive(r, ctx, row);

    } else {
        ngx_codat_delivery_release(ctx->zone, &ctx->delivery, 0);

        rc = ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_UNAVAILABLE,
                                    "what the store knows is not known yet");
    }

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, ctx->rc);
    }

    ngx_http_run_posted_requests(c);
}


void
ngx_http_codat_webhook_stored(ngx_http_codat_ctx_t *ctx,
    ngx_codat_work_receive_t *work)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (ngx_http_codat_webhook_continue(r, ctx, work) != NGX_AGAIN) {
        ngx_http_finalize_request(r, ctx->rc);
    }

    ngx_http_run_posted_requests(c);
}


/* returns NGX_AGAIN when forwards are under way, NGX_DONE when answered */

static ngx_int_t
ngx_http_codat_webhook_continue(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_receive_t *work)
{
    static const ngx_str_t  queued = ngx_string("queued");

    if (work == NULL || work->work.rc != NGX_OK) {
        ngx_codat_delivery_release(ctx->zone, &ctx->delivery, 0);

        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_UNAVAILABLE,
                                      "the event can't be stored at present");
    }

    switch (work->outcome) {

    case NGX_DONE:
        ngx_codat_delivery_release(ctx->zone, &ctx->delivery, 1);

        return ngx_http_codat_remember_duplicate(r, ctx, work->changed);

    case NGX_BUSY:
        ngx_codat_delivery_release(ctx->zone, &ctx->delivery, 0);

        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_IN_PROGRESS,
                                      "another copy of this message is being "
                                      "processed by another server");

    default:
        break;
    }

    if (work->accept || work->deliveries.nelts) {
        ngx_codat_delivery_release(ctx->zone, &ctx->delivery, 1);

        return ngx_http_codat_accept(r, ctx,
                          work->accept ? NGX_HTTP_OK : NGX_HTTP_ACCEPTED,
                          work->accept ? &ngx_http_codat_accepted : &queued);
    }

    if (ngx_http_codat_persist_known(r, ctx, work) != NGX_OK) {
        ngx_codat_delivery_release(ctx->zone, &ctx->delivery, 0);

        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_UNAVAILABLE,
                                      "out of memory");
    }

    return ngx_http_codat_webhook_forward(r, ctx);
}


/* returns NGX_OK, or NGX_DONE when answered */

static ngx_int_t
ngx_http_codat_webhook_event(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    ngx_str_t *body)
{
    ngx_int_t               rc;
    ngx_codat_json_error_t  err;

    rc = ngx_codat_event_parse(r->pool, body, &ctx->client_id, &ctx->event,
                               &err);

    switch (rc) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_MALFORMED_JSON,
                                      "%s at byte %uz of the body",
                                      err.reason, err.offset);

    case NGX_ABORT:
        return ngx_http_codat_problem(r, ctx,
                                      NGX_HTTP_CODAT_UNRECOGNISED_EVENT,
                                      "%s at byte %uz of the body",
                                      err.reason, err.offset);

    default:
        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_UNAVAILABLE,
                                      "out of memory");
    }

    ctx->parsed = 1;

    ngx_http_codat_variables_changed(r);

    if (!ngx_http_codat_client_allowed(r, &ctx->event.client)) {
        return ngx_http_codat_problem(r, ctx,
                                      NGX_HTTP_CODAT_CLIENT_NOT_ALLOWED,
                                      "ClientId of the body is not in "
                                      "codat_client");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_webhook_forward(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx)
{
    ngx_uint_t  n;

    /* conditions may ask for what the tables know */

    if (ngx_http_codat_forward_select(r, ctx, &n) != NGX_OK) {
        ngx_codat_delivery_release(ctx->zone, &ctx->delivery, 0);

        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_UNAVAILABLE,
                                      "out of memory");
    }

    if (n == 0) {
        ngx_codat_delivery_release(ctx->zone, &ctx->delivery, 1);
        ngx_http_codat_persist_done(ctx, 1);

        return ngx_http_codat_accept(r, ctx, NGX_HTTP_OK,
                                     &ngx_http_codat_accepted);
    }

    switch (ngx_http_codat_forward_start(r, ctx)) {

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_OK:
        return ngx_http_codat_webhook_answer(r, ctx);

    default:
        ngx_http_codat_forward_abandon(ctx);

        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_UNAVAILABLE,
                                      "the forwards can't be started");
    }
}


/* the write event handler while forwards are under way */

static void
ngx_http_codat_webhook_resume(ngx_http_request_t *r)
{
    ngx_http_codat_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    if (ctx->answered || ctx->work || ctx->recalling
        || !ngx_http_codat_forward_ready(ctx))
    {
        return;
    }

    if (ctx->gone) {
        r->connection->error = 1;
    }

    (void) ngx_http_codat_webhook_answer(r, ctx);

    ngx_http_finalize_request(r, ctx->rc);
}


static ngx_int_t
ngx_http_codat_webhook_answer(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx)
{
    ngx_str_t                        *target;
    ngx_uint_t                        status;
    ngx_http_codat_forward_result_e   result;

    result = ngx_http_codat_forward_result(ctx, &target, &status);

    ngx_http_codat_persist_done(ctx, result == NGX_HTTP_CODAT_FORWARDED);

    switch (result) {

    case NGX_HTTP_CODAT_FORWARDED:
        return ngx_http_codat_accept(r, ctx, NGX_HTTP_OK,
                                     &ngx_http_codat_accepted);

    case NGX_HTTP_CODAT_FORWARD_LATE:
        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_FORWARD_TIMEOUT,
                                      "the forward to \"%V\" was not "
                                      "answered within codat_forward_timeout",
                                      target);

    default:
        break;
    }

    if (status == 0) {
        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_FORWARD_FAILED,
                                      "the forward to \"%V\" could not be "
                                      "sent", target);
    }

    return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_FORWARD_FAILED,
                                  "the forward to \"%V\" was answered with "
                                  "status %ui", target, status);
}


static void
ngx_http_codat_webhook_scan(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx)
{
    ngx_str_t                      svix[3];
    ngx_table_elt_t               *h;
    ngx_http_codat_header_iter_t   iter =
                          ngx_http_codat_header_iter(&r->headers_in.headers);

    ngx_memzero(svix, sizeof(svix));

    while ((h = ngx_http_codat_header_next(&iter)) != NULL) {
        ngx_http_codat_webhook_header(ctx, h, svix);
    }

    if (ctx->webhook_id.len == 0) {
        ctx->webhook_id = svix[0];
    }

    if (ctx->timestamp.len == 0) {
        ctx->timestamp = svix[1];
    }

    if (ctx->signature.len == 0) {
        ctx->signature = svix[2];
    }

    ctx->scanned = 1;
}


/* of a header that is sent twice the first one counts */

static void
ngx_http_codat_webhook_header(ngx_http_codat_ctx_t *ctx, ngx_table_elt_t *h,
    ngx_str_t *svix)
{
    ngx_str_t  *value;

#define ngx_http_codat_is(h, name)                                            \
    (ngx_strncmp((h)->lowcase_key, name, sizeof(name) - 1) == 0)

    value = NULL;

    switch (h->key.len) {

    case sizeof("svix-id") - 1:
        if (ngx_http_codat_is(h, "svix-id")) {
            value = &svix[0];
        }

        break;

    case sizeof("webhook-id") - 1:
        if (ngx_http_codat_is(h, "webhook-id")) {
            value = &ctx->webhook_id;
        }

        break;

    case sizeof("svix-timestamp") - 1:  /* and svix-signature */
        if (ngx_http_codat_is(h, "svix-timestamp")) {
            value = &svix[1];

        } else if (ngx_http_codat_is(h, "svix-signature")) {
            value = &svix[2];
        }

        break;

    case sizeof("content-encoding") - 1:  /* and x-codat-clientid */
        if (ngx_http_codat_is(h, "x-codat-clientid")) {
            value = &ctx->client_id;

        } else if (ngx_http_codat_is(h, "content-encoding")
                   && (h->value.len != sizeof("identity") - 1
                       || ngx_strncasecmp(h->value.data,
                                          (u_char *) "identity",
                                          sizeof("identity") - 1)
                          != 0))
        {
            value = &ctx->encoding;
        }

        break;

    case sizeof("webhook-timestamp") - 1:  /* and webhook-signature */
        if (ngx_http_codat_is(h, "webhook-timestamp")) {
            value = &ctx->timestamp;

        } else if (ngx_http_codat_is(h, "webhook-signature")) {
            value = &ctx->signature;
        }

        break;
    }

#undef ngx_http_codat_is

    if (value && value->len == 0) {
        *value = h->value;
    }
}


/* the request ends: whatever is still claimed or armed must not outlive it */

static void
ngx_http_codat_webhook_cleanup(void *data)
{
    ngx_http_codat_ctx_t  *ctx = data;

    ngx_http_codat_recall_abandon(ctx);
    ngx_http_codat_persist_abandon(ctx);
    ngx_http_codat_forward_abandon(ctx);
}


static void
ngx_http_codat_webhook_mark(void *data)
{
    /* its data is what it is for */
}
