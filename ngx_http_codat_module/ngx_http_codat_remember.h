
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the step between reading an event and forwarding it: whether
 * it was seen before, and what the tables make of it.
 */


#ifndef _NGX_HTTP_CODAT_REMEMBER_H_INCLUDED_
#define _NGX_HTTP_CODAT_REMEMBER_H_INCLUDED_


#include "ngx_http_codat.h"


/*
 * Claims the delivery of a parsed event and brings the tables up to date;
 * the event then knows the reference of its push and whether it is stale.
 * Where the location has no forwards the claim is at once the acceptance.
 * Returns NGX_OK if the event is ours to process, or NGX_DONE if it has been
 * answered: a duplicate, in progress elsewhere, or out of memory.
 */
ngx_int_t ngx_http_codat_remember(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);

/*
 * Where the zone has a store: claims the delivery only, and lists in
 * "update->facts" what the event says.  Returns NGX_OK, or NGX_DONE when the
 * webhook is answered.
 */
ngx_int_t ngx_http_codat_remember_claim(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_update_t *update);

/* Answers a delivery that was accepted before.  Returns NGX_DONE. */
ngx_int_t ngx_http_codat_remember_duplicate(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_uint_t changed);


#endif /* _NGX_HTTP_CODAT_REMEMBER_H_INCLUDED_ */
