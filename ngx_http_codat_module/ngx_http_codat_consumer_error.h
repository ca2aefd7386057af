
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the answers of the consumer API that fit in one piece:
 * JSON, and refusals as Codat's error object with the one log line that goes
 * with each.
 */


#ifndef _NGX_HTTP_CODAT_CONSUMER_ERROR_H_INCLUDED_
#define _NGX_HTTP_CODAT_CONSUMER_ERROR_H_INCLUDED_


#include "ngx_http_codat.h"


/*
 * Refuses a request.  "item" is the member of the body that is at fault, or
 * NULL.  The reason, a format of ngx_sprintf(), goes to the client and to the
 * log: text of a stranger's in it must be harmless.  Returns what the content
 * handler is to return; from elsewhere, with a reference to the request in
 * hand, what to finalize it with.
 */
ngx_int_t ngx_http_codat_consumer_error(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_str_t *item, const char *fmt, ...);

/* Sends JSON, or nothing with 204.  Returns as above. */
ngx_int_t ngx_http_codat_consumer_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);

/*
 * Turns the page that the core is about to send for a body that is too large
 * into an error object: as ngx_http_codat_problem_replace().
 */
ngx_int_t ngx_http_codat_consumer_replace(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);


#endif /* _NGX_HTTP_CODAT_CONSUMER_ERROR_H_INCLUDED_ */
