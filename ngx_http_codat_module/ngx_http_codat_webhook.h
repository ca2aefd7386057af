
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the webhook endpoint: the order of the checks and what
 * follows from each.
 */


#ifndef _NGX_HTTP_CODAT_WEBHOOK_H_INCLUDED_
#define _NGX_HTTP_CODAT_WEBHOOK_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_http_codat_problem.h"


/* The content handler of a location with codat_webhook. */
ngx_int_t ngx_http_codat_webhook_handler(ngx_http_request_t *r);

/*
 * The context of the webhook that a request belongs to, be it the webhook
 * itself, one of its forwards or a request that it was redirected to; NULL
 * if there is none.
 */
ngx_http_codat_ctx_t *ngx_http_codat_webhook_ctx(ngx_http_request_t *r);

/* Makes and sets the context of a main request; NULL if out of memory. */
ngx_http_codat_ctx_t *ngx_http_codat_webhook_create(ngx_http_request_t *r);

/*
 * Runs the checks that come before the body: method, credentials as far as
 * headers tell, client, media type.  Returns NGX_HTTP_CODAT_PROBLEMS for
 * "none", or the problem with *detail set.
 */
ngx_http_codat_problem_e ngx_http_codat_webhook_check(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_str_t *detail);

/*
 * Goes on with a webhook when ngx_http_codat_recall() is over, or with an
 * error, and finalizes it.
 */
void ngx_http_codat_webhook_recalled(ngx_http_codat_ctx_t *ctx, ngx_int_t rc,
    ngx_codat_work_row_t *row);

/*
 * Goes on with a webhook whose unit of work is over, or, NULL, has taken too
 * long, and finalizes it.
 */
void ngx_http_codat_webhook_stored(ngx_http_codat_ctx_t *ctx,
    ngx_codat_work_receive_t *work);


#endif /* _NGX_HTTP_CODAT_WEBHOOK_H_INCLUDED_ */
