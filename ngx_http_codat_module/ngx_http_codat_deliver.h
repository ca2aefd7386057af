
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the delivery from the queue of a store: which deliveries this
 * worker has claimed, the attempts under way, when a failed one is tried
 * again, and what happens to them when the worker stops.
 */


#ifndef _NGX_HTTP_CODAT_DELIVER_H_INCLUDED_
#define _NGX_HTTP_CODAT_DELIVER_H_INCLUDED_


#include "ngx_http_codat.h"


/* attempts of one worker at a time, over all forwards */
#define NGX_HTTP_CODAT_DELIVER_MAX    64

/* a lease outlives codat_forward_timeout by that much; msec */
#if (NGX_CODAT_FAULTS)
#define NGX_HTTP_CODAT_DELIVER_GRACE  3000
#else
#define NGX_HTTP_CODAT_DELIVER_GRACE  10000
#endif

/* "Retry-After" of an application is heeded up to a day; msec */
#define NGX_HTTP_CODAT_DELIVER_LATER  86400000


/* a codat_forward whose events are queued */

struct ngx_http_codat_queue_s {
    ngx_shm_zone_t               *zone;
    ngx_http_codat_forward_t     *forward;
    ngx_http_codat_loc_conf_t    *cdlcf;
    ngx_http_conf_ctx_t           ctx;       /* of its location */
    ngx_http_virtual_names_t     *names;     /* of its server, or NULL */
};


/* Starts and stops stores and deliveries of a worker.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_codat_deliver_init(ngx_cycle_t *cycle);
void ngx_http_codat_deliver_exit(ngx_cycle_t *cycle);

/* This nginx, and this worker, as the store knows them; never 0. */
uint64_t ngx_http_codat_deliver_origin(ngx_codat_zone_t *zone);

/* 0 if the worker has as much under way as it may. */
uint64_t ngx_http_codat_deliver_owner(ngx_codat_zone_t *zone);

/* The same, however much it has under way; 0 in other processes. */
uint64_t ngx_http_codat_deliver_worker(ngx_codat_zone_t *zone);

/*
 * Fills the context of a request without a client with a stored event, as if
 * that had just been received; of the delivery, with its nonce and attempt.
 * Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_deliver_event(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_work_event_t *event,
    ngx_codat_work_delivery_t *delivery);

/*
 * In how many milliseconds an attempt that failed is repeated, as codat_retry
 * says; "retry_after" is the header, or NULL.  Returns NGX_OK, or
 * NGX_DECLINED if it has been tried often enough.
 */
ngx_int_t ngx_http_codat_deliver_later(ngx_http_codat_loc_conf_t *cdlcf,
    ngx_uint_t attempt, ngx_str_t *retry_after, int64_t *msec);

/* Starts the deliveries of an event that were claimed with its receipt. */
void ngx_http_codat_deliver_received(ngx_codat_zone_t *zone,
    ngx_codat_work_receive_t *work);

/* Looks for what is due, as there is something new. */
void ngx_http_codat_deliver_now(ngx_codat_zone_t *zone);


#endif /* _NGX_HTTP_CODAT_DELIVER_H_INCLUDED_ */
