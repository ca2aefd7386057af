
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the name of the server that a request is for, where nginx
 * itself does not find it out: captures of regular expressions in server_name
 * for subrequests that have variables of their own, and all of it for requests
 * that have no client.
 */


#ifndef _NGX_HTTP_CODAT_SERVER_NAME_H_INCLUDED_
#define _NGX_HTTP_CODAT_SERVER_NAME_H_INCLUDED_


#include "ngx_http_codat.h"


/*
 * The regular expressions among the names of the server of "ctx", in
 * cf->pool; "*names" is NULL if there are none.  To be called before nginx
 * has optimized its servers, as it frees the names then.  NGX_OK, or NGX_ERROR
 * without memory.
 */
ngx_int_t ngx_http_codat_server_name_regexes(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx, ngx_http_virtual_names_t **names);

/*
 * Sets headers_in.server by the Host header "host", which nginx has once
 * found to be valid: in lower case, without port and final dot.  NGX_OK, or
 * NGX_ERROR without memory.
 */
ngx_int_t ngx_http_codat_server_name_set(ngx_http_request_t *r,
    ngx_str_t *host);

/*
 * Sets captures and variables by the first regular expression of the server
 * that headers_in.server matches; the connection's addr_conf has them.
 * NGX_OK, also if there is none, or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_server_name_captures(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CODAT_SERVER_NAME_H_INCLUDED_ */
