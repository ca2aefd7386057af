
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns what the consumer API does with consumers: each call becomes
 * units of work of the store.
 */


#ifndef _NGX_HTTP_CODAT_CONSUMER_CALLS_H_INCLUDED_
#define _NGX_HTTP_CODAT_CONSUMER_CALLS_H_INCLUDED_


#include "ngx_http_codat.h"


/* Handlers, see ngx_http_codat_consumer_pt. */
ngx_int_t ngx_http_codat_consumer_list(ngx_http_request_t *r,
    ngx_http_codat_call_t *call);
ngx_int_t ngx_http_codat_consumer_get(ngx_http_request_t *r,
    ngx_http_codat_call_t *call);
ngx_int_t ngx_http_codat_consumer_create(ngx_http_request_t *r,
    ngx_http_codat_call_t *call);
ngx_int_t ngx_http_codat_consumer_change(ngx_http_request_t *r,
    ngx_http_codat_call_t *call);
ngx_int_t ngx_http_codat_consumer_secret(ngx_http_request_t *r,
    ngx_http_codat_call_t *call);
ngx_int_t ngx_http_codat_consumer_delete(ngx_http_request_t *r,
    ngx_http_codat_call_t *call);
ngx_int_t ngx_http_codat_consumer_replay(ngx_http_request_t *r,
    ngx_http_codat_call_t *call);


#endif /* _NGX_HTTP_CODAT_CONSUMER_CALLS_H_INCLUDED_ */
