
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the way of a webhook through the store: what is stored of
 * it, and what follows when that is done.
 */


#ifndef _NGX_HTTP_CODAT_PERSIST_H_INCLUDED_
#define _NGX_HTTP_CODAT_PERSIST_H_INCLUDED_


#include "ngx_http_codat.h"


/*
 * Claims a webhook whose zone has a store, and hands it over.  Returns
 * NGX_AGAIN, and wakes the request by ngx_http_codat_webhook_stored() when
 * it is stored, or NGX_DONE when it is answered.
 */
ngx_int_t ngx_http_codat_persist(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);

/*
 * Goes on with it when what conditions ask for is known: "row", unless NULL,
 * is what the store knows of what the event is about.  Returns as above.
 */
ngx_int_t ngx_http_codat_persist_receive(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_row_t *row);

/*
 * What the store knows of an event that is to be forwarded now.  Returns
 * NGX_OK or NGX_ERROR (memory).
 */
ngx_int_t ngx_http_codat_persist_known(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_receive_t *work);

/*
 * Records, once its forwards are over, what became of a webhook that was not
 * queued.  Nobody waits for that: if it is lost, the webhook is repeated at
 * worst.
 */
void ngx_http_codat_persist_done(ngx_http_codat_ctx_t *ctx,
    ngx_uint_t accepted);

/* The request goes; what the store does of it goes on. */
void ngx_http_codat_persist_abandon(ngx_http_codat_ctx_t *ctx);

/*
 * Stores what Codat's API has said of a push, a moment later, and again if
 * the store fails.  Returns NGX_OK or NGX_ERROR (memory).
 */
ngx_int_t ngx_http_codat_persist_push(ngx_codat_zone_t *zone,
    ngx_codat_record_t *push);

/* Puts rows as the store has them into the zone. */
void ngx_http_codat_persist_rows(ngx_codat_zone_t *zone, ngx_array_t *rows);


#endif /* _NGX_HTTP_CODAT_PERSIST_H_INCLUDED_ */
