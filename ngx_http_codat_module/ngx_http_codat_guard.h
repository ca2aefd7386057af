
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the guard of requests to consumers, whose URLs come from
 * whoever may call the consumer API: which URLs may be a consumer's, and to
 * which addresses nginx may connect for one.
 *
 * nginx resolves the name in a proxy_pass with variables by itself.  So the
 * guard takes the place of the content handler: it resolves the name with the
 * resolver of the same location, looks at each address, and calls the handler
 * from within the resolver's answer.  The handler's own question is then
 * answered at once, from the cache of the resolver, which holds what has just
 * come at least until the clock goes on.  It may be asked anew all the same:
 * the first part of a chain of CNAMEs may have expired while the rest of it
 * was asked for.  Then the handler waits, and its answer comes to the guard
 * first.
 */


#ifndef _NGX_HTTP_CODAT_GUARD_H_INCLUDED_
#define _NGX_HTTP_CODAT_GUARD_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_codat_allow.h"


typedef struct ngx_http_codat_guard_s  ngx_http_codat_guard_t;


/*
 * Adds the entries of an allow= (a list with commas, or NULL) to a guard,
 * which is made where there is none.  Returns NGX_CONF_OK or
 * NGX_CONF_ERROR, logged.
 */
char *ngx_http_codat_guard_conf(ngx_conf_t *cf,
    ngx_http_codat_guard_t **guard, ngx_str_t *allow);

/*
 * Warns, once all is configured, if the named location of this server can't
 * resolve names.
 */
void ngx_http_codat_guard_resolver(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_str_t *named);

/*
 * Whether a URL may be a consumer's, as far as that can be told without
 * resolving its host.  Returns NGX_OK, and what was read in "parsed", or
 * NGX_DECLINED, and why, as in "has a user name".
 */
ngx_int_t ngx_http_codat_guard_url(ngx_http_codat_guard_t *guard,
    ngx_str_t *url, ngx_codat_url_t *parsed, ngx_str_t *why);

/*
 * Guards the subrequests of a request without a client, from before the first
 * is made, with what was read of a URL that may be a consumer's.  Their host
 * is resolved in their location; one that is refused then ends with status
 * 502.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_guard_arm(ngx_http_request_t *r,
    ngx_http_codat_guard_t *guard, ngx_codat_url_t *parsed);

/* Why a subrequest of the request was refused; NULL if none was. */
ngx_str_t *ngx_http_codat_guard_why(ngx_http_request_t *r);

/* A phase handler, PRECONTENT. */
ngx_int_t ngx_http_codat_guard_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CODAT_GUARD_H_INCLUDED_ */
