
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the wait for what forwards may ask the tables, while the
 * zone does not have it: it may be in the store alone.
 */


#ifndef _NGX_HTTP_CODAT_RECALL_H_INCLUDED_
#define _NGX_HTTP_CODAT_RECALL_H_INCLUDED_


#include "ngx_http_codat.h"


/*
 * Before conditions of a webhook's forwards are evaluated.  Returns NGX_OK if
 * they can be, NGX_ERROR, or NGX_AGAIN: ngx_http_codat_webhook_recalled()
 * says later which of them it is.
 */
ngx_int_t ngx_http_codat_recall(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);

/* The request goes, or goes on. */
void ngx_http_codat_recall_abandon(ngx_http_codat_ctx_t *ctx);

/*
 * Whether "codat_lookup" finds in the zone what the store has: 0 for a while
 * after the start.  A zone without any is always ready.
 */
ngx_uint_t ngx_http_codat_recall_ready(ngx_codat_zone_t *zone);


#endif /* _NGX_HTTP_CODAT_RECALL_H_INCLUDED_ */
