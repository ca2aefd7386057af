
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
#define NGX_HTTP_CODAT_DELIVER_GRACE  10000

/* "Retry-After" of an application is heeded up to a day; msec */
#define NGX_HTTP_CODAT_DELIVER_LATER  86400000


/* a codat_forward whose events are queued */

struct ngx_http_codat_queue_s {
    ngx_shm_zone_t               *zone;
    ngx_http_codat_forward_t     *forward;
    ngx_http_codat_loc_conf_t    *cdlcf;
    ngx_http_conf_ctx_t           ctx;       /* of its location */
};


/* Starts and stops stores and deliveries of a worker.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_codat_deliver_init(ngx_cycle_t *cycle);
void ngx_http_codat_deliver_exit(ngx_cycle_t *cycle);

/* This nginx, and this worker, as the store knows them; never 0. */
uint64_t ngx_http_codat_deliver_origin(ngx_codat_zone_t *zone);

/* 0 if the worker has as much under way as it may. */
uint64_t ngx_http_codat_deliver_owner(ngx_codat_zone_t *zone);

/* Starts the deliveries of an event that were claimed with its receipt. */
void ngx_http_codat_deliver_received(ngx_codat_zone_t *zone,
    ngx_codat_work_receive_t *work);

/* Looks for what is due, as there is something new. */
void ngx_http_codat_deliver_now(ngx_codat_zone_t *zone);


#endif /* _NGX_HTTP_CODAT_DELIVER_H_INCLUDED_ */
