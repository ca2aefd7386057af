
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns forwarding: which forwards an event needs, the subrequests
 * that carry it to the applications, and what their answers amount to.
 * Gives the claim of the delivery back when the last of them has ended.
 */


#ifndef _NGX_HTTP_CODAT_FORWARD_H_INCLUDED_
#define _NGX_HTTP_CODAT_FORWARD_H_INCLUDED_


#include "ngx_http_codat.h"


typedef enum {
    NGX_HTTP_CODAT_FORWARDED = 0,
    NGX_HTTP_CODAT_FORWARD_LATE,
    NGX_HTTP_CODAT_FORWARD_FAILED_STATUS
} ngx_http_codat_forward_result_e;


/* Whether one that is for events of this type has a condition. */
ngx_uint_t ngx_http_codat_forward_conditional(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);

/*
 * Finds the forwards of the location whose pattern and condition match the
 * event, and counts them.  Returns NGX_OK or NGX_ERROR (memory).
 */
ngx_int_t ngx_http_codat_forward_select(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_uint_t *n);

/* How many are selected, and one of them. */
ngx_uint_t ngx_http_codat_forward_count(ngx_http_codat_ctx_t *ctx);
ngx_http_codat_forward_t *ngx_http_codat_forward_nth(
    ngx_http_codat_ctx_t *ctx, ngx_uint_t i);

/*
 * Starts one forward by itself.  "ended" is called once when it is over, with
 * "data" in the child, and counts it by ngx_http_codat_forward_counted().
 * Returns NULL if it can't be started.
 */
struct ngx_http_codat_child_s *ngx_http_codat_forward_single(
    ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    ngx_http_codat_forward_t *forward,
    void (*ended)(ngx_http_request_t *sr,
                  struct ngx_http_codat_child_s *child),
    void *data);
void ngx_http_codat_forward_counted(ngx_http_request_t *sr,
    struct ngx_http_codat_child_s *child);

/*
 * Starts those selected that did not succeed before.  Returns NGX_AGAIN when
 * there is something to wait for, and then wakes the request by its write
 * event handler; NGX_OK if not; NGX_ERROR if nothing could be started.
 */
ngx_int_t ngx_http_codat_forward_start(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);

/* Tells whether the webhook can be answered: all required ones have ended,
 * or the time is up. */
ngx_uint_t ngx_http_codat_forward_ready(ngx_http_codat_ctx_t *ctx);

/*
 * Closes the books on the required forwards, which decides whether the
 * delivery is accepted.  Where it is not, *target and *status tell of one
 * forward that is to blame, and ctx->retry_after of the application's wish.
 */
ngx_http_codat_forward_result_e ngx_http_codat_forward_result(
    ngx_http_codat_ctx_t *ctx, ngx_str_t **target, ngx_uint_t *status);

/* Ends everything when the request ends, before or after an answer. */
void ngx_http_codat_forward_abandon(ngx_http_codat_ctx_t *ctx);


#endif /* _NGX_HTTP_CODAT_FORWARD_H_INCLUDED_ */
