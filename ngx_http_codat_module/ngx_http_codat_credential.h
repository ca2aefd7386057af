
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the decision whether a request comes from Codat: the
 * credentials of one location against the headers and the body of one
 * request.
 */


#ifndef _NGX_HTTP_CODAT_CREDENTIAL_H_INCLUDED_
#define _NGX_HTTP_CODAT_CREDENTIAL_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_http_codat_problem.h"


/*
 * Checks all that can be told from the headers: the authorization group, and
 * of signatures that they are there and timely.  Returns
 * NGX_HTTP_CODAT_PROBLEMS for "go on", or the problem with *detail set;
 * NGX_HTTP_CODAT_UNAVAILABLE if memory or OpenSSL failed.
 */
ngx_http_codat_problem_e ngx_http_codat_credential_headers(
    ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx, ngx_str_t *detail);

/*
 * Checks the signature over the raw body, if the headers left that open.
 * Returns as above; NGX_HTTP_CODAT_UNAVAILABLE if memory or OpenSSL failed.
 */
ngx_http_codat_problem_e ngx_http_codat_credential_body(
    ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx, ngx_str_t *body,
    ngx_str_t *detail);

/*
 * Checks a client id against codat_client; an empty one is not known and
 * passes.  Returns 1 if the client is allowed.
 */
ngx_uint_t ngx_http_codat_client_allowed(ngx_http_request_t *r,
    ngx_str_t *id);

/*
 * Gives what Authorization has behind a scheme, which ends with a space.
 * Returns NGX_OK, NGX_DECLINED without the header, or NGX_ABORT if it is of
 * another scheme.
 */
ngx_int_t ngx_http_codat_credential_scheme(ngx_http_request_t *r,
    ngx_str_t *scheme, ngx_str_t *value);


#endif /* _NGX_HTTP_CODAT_CREDENTIAL_H_INCLUDED_ */
