
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns requests without a client: what stands for a connection and a
 * main request while subrequests do something that nobody waits for, in the
 * configuration of some location.
 */


#ifndef _NGX_HTTP_CODAT_CLIENT_H_INCLUDED_
#define _NGX_HTTP_CODAT_CLIENT_H_INCLUDED_


#include "ngx_http_codat.h"


/*
 * What it is as if a client had sent; the headers are lines that end in LF.
 * Regular expressions of server_name live as long as the configuration, NULL
 * if there are none.
 */

typedef struct {
    ngx_str_t                  host;
    ngx_str_t                  uri;
    ngx_str_t                  headers;
    ngx_http_virtual_names_t  *names;
} ngx_http_codat_client_call_t;


/*
 * Makes a request of what "call" says, which is copied.  Its only reference
 * is the caller's, who frees it.  Returns NULL without memory or connections,
 * logged.
 */
ngx_http_request_t *ngx_http_codat_client_create(ngx_http_conf_ctx_t *conf,
    ngx_http_codat_client_call_t *call);

/*
 * Says which subrequest is to go on when a delay is over: that of limit_req
 * is a timer of the connection, whose handler is to wake it.
 */
void ngx_http_codat_client_carries(ngx_http_request_t *r,
    ngx_http_request_t *sr);

/*
 * Frees it.  Not from within something that its subrequests call: from an
 * event of one's own.
 */
void ngx_http_codat_client_free(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CODAT_CLIENT_H_INCLUDED_ */
