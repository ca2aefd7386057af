
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the consumer API as HTTP: its paths, methods and request
 * bodies.
 */


#ifndef _NGX_HTTP_CODAT_CONSUMERS_H_INCLUDED_
#define _NGX_HTTP_CODAT_CONSUMERS_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_codat_work_consumer.h"


/* bytes of a request body */
#define NGX_HTTP_CODAT_CONSUMER_BODY  16384


/*
 * Answers a request of somebody who may make it.  Returns what the request is
 * to be finalized with, NGX_DONE if that is later.
 */
typedef ngx_int_t (*ngx_http_codat_consumer_pt)(ngx_http_request_t *r,
    ngx_http_codat_call_t *call);


/* a request, in its pool */

struct ngx_http_codat_call_s {
    ngx_http_codat_consumers_conf_t  *conf;
    ngx_codat_zone_t                 *zone;
    ngx_http_codat_consumer_pt        handler;
    ngx_str_t                         uid;     /* in the path, or empty */
    ngx_str_t                         client;  /* who calls; empty: anybody */
    ngx_str_t                         body;
    unsigned                          reads:1; /* a body */
};


/* The content handler of codat_consumers. */
ngx_int_t ngx_http_codat_consumers_handler(ngx_http_request_t *r);

/*
 * Goes on with a request whose client may make it: reads the body if there is
 * to be one, and calls the handler.  Returns as that does.
 */
ngx_int_t ngx_http_codat_consumers_go(ngx_http_request_t *r,
    ngx_http_codat_call_t *call);


#endif /* _NGX_HTTP_CODAT_CONSUMERS_H_INCLUDED_ */
