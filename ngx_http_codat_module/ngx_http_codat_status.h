
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the status API: its paths and methods, answers about single
 * rows, and refusals.
 */


#ifndef _NGX_HTTP_CODAT_STATUS_H_INCLUDED_
#define _NGX_HTTP_CODAT_STATUS_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_http_codat_answer.h"


/* The content handler of a location with codat_status. */
ngx_int_t ngx_http_codat_status_handler(ngx_http_request_t *r);

/*
 * Sends the present state of a push, connection or company, 200 or 404.
 * Headers that go with it are added before.  Returns what the content handler
 * is to return; from elsewhere, with a reference to the request in hand, what
 * to finalize it with.
 */
ngx_int_t ngx_http_codat_status_row(ngx_http_request_t *r,
    ngx_codat_record_kind_e kind, const u_char *key);

/*
 * Refuses a request: one log line and the problem.  The detail, a format of
 * ngx_sprintf(), goes to both: text of a stranger's in it must be harmless.
 * Returns as above.
 */
ngx_int_t ngx_http_codat_status_problem(ngx_http_request_t *r,
    ngx_http_codat_problem_e problem, const char *fmt, ...);

/*
 * Adds the headers that every answer has.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_status_headers(ngx_http_request_t *r);

/*
 * Sends a row as it was copied out.  Returns as above.
 */
ngx_int_t ngx_http_codat_status_copy(ngx_http_request_t *r, ngx_uint_t status,
    ngx_codat_copy_t *copy);

/* The key in the path of a request for one push; empty if it is none. */
void ngx_http_codat_status_push(ngx_http_request_t *r, ngx_str_t *key);

/* The zone of the location. */
ngx_codat_zone_t *ngx_http_codat_status_zone(ngx_http_request_t *r);

/*
 * Turns the page that the core is about to send for a body that is too large
 * into a problem: as ngx_http_codat_problem_replace().
 */
ngx_int_t ngx_http_codat_status_replace(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);


#endif /* _NGX_HTTP_CODAT_STATUS_H_INCLUDED_ */
