
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_child.h"
#include "ngx_http_codat_consumer_error.h"
#include "ngx_http_codat_filter.h"
#include "ngx_http_codat_problem.h"
#include "ngx_http_codat_status.h"
#include "ngx_http_codat_webhook.h"


static ngx_int_t ngx_http_codat_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_codat_header_of_forward(ngx_http_request_t *r);
static ngx_uint_t ngx_http_codat_is_core_page(ngx_http_request_t *r);
static ngx_int_t ngx_http_codat_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_codat_replace_body(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);
static void ngx_http_codat_swallow(ngx_chain_t *in);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


void
ngx_http_codat_filter_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_codat_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_codat_body_filter;
}


static ngx_int_t
ngx_http_codat_header_filter(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_codat_ctx_t       *ctx;
    ngx_http_codat_loc_conf_t  *cdlcf;

    if (r != r->main) {

        if (!ngx_http_codat_child_is(r)) {
            return ngx_http_next_header_filter(r);
        }

        return ngx_http_codat_header_of_forward(r);
    }

    if (!ngx_http_codat_is_core_page(r)) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    if (ctx == NULL) {
        ctx = ngx_http_codat_webhook_create(r);

        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    rc = cdlcf->status.zone ? ngx_http_codat_status_replace(r, ctx)
         : cdlcf->api.consumers ? ngx_http_codat_consumer_replace(r, ctx)
         : ngx_http_codat_problem_replace(r, ctx);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/*
 * The answer of an application is read to its end, so that the connection
 * to it can be kept, but is not kept itself.  Buffering would write what the
 * buffers don't hold to a file, since a subrequest in the background is
 * never the one that the client reads.
 */

static ngx_int_t
ngx_http_codat_header_of_forward(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u && !u->store && !u->cacheable) {
        u->buffering = 0;
    }

    r->header_sent = 1;

    return NGX_OK;
}


/*
 * The core compares Content-Length with client_max_body_size before any
 * handler is asked, and answers 500, which ends it all for Codat's older
 * service, where a temporary file can't be written.
 */

static ngx_uint_t
ngx_http_codat_is_core_page(ngx_http_request_t *r)
{
    ngx_http_codat_ctx_t       *ctx;
    ngx_http_codat_loc_conf_t  *cdlcf;

    if (r->headers_out.status != NGX_HTTP_REQUEST_ENTITY_TOO_LARGE
        && r->headers_out.status != NGX_HTTP_INTERNAL_SERVER_ERROR)
    {
        return 0;
    }

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    if (cdlcf->status.zone) {
        return ctx == NULL
               && r->headers_out.status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    if (cdlcf->api.consumers) {
        return r->headers_out.status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE
               && (ctx == NULL || !ctx->answered);
    }

    if (cdlcf->zone == NULL) {
        return 0;
    }

    if (ctx) {
        return !ctx->answered;
    }

    return r->headers_out.status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
}


static ngx_int_t
ngx_http_codat_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_codat_ctx_t  *ctx;

    if (r != r->main) {

        if (!ngx_http_codat_child_is(r)) {
            return ngx_http_next_body_filter(r, in);
        }

        ngx_http_codat_swallow(in);

        return NGX_OK;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    if (ctx == NULL || ctx->replacement.data == NULL || in == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    ngx_http_codat_swallow(in);

    if (ctx->replacement.len == 0) {
        return NGX_OK;
    }

    return ngx_http_codat_replace_body(r, ctx);
}


static ngx_int_t
ngx_http_codat_replace_body(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx)
{
    ngx_buf_t    *b;
    ngx_chain_t   out;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = ctx->replacement.data;
    b->last = ctx->replacement.data + ctx->replacement.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    ctx->replacement.len = 0;

    return ngx_http_next_body_filter(r, &out);
}


static void
ngx_http_codat_swallow(ngx_chain_t *in)
{
    for ( /* void */ ; in; in = in->next) {
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }
}
