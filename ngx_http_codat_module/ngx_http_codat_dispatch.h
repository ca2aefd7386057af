
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the deliveries to consumers in a worker: that accepted events
 * are distributed, which deliveries this worker has claimed, the attempts
 * under way, and what became of them.
 */


#ifndef _NGX_HTTP_CODAT_DISPATCH_H_INCLUDED_
#define _NGX_HTTP_CODAT_DISPATCH_H_INCLUDED_


#include "ngx_http_codat.h"


/* attempts of one worker at a time, and of consumers that may not answer */
#define NGX_HTTP_CODAT_DISPATCH_MAX   64
#define NGX_HTTP_CODAT_DISPATCH_SLOW  4     /* one in so many */

/* an answer that takes longer is a slow one; msec */
#define NGX_HTTP_CODAT_DISPATCH_LONG  2000


/* outcomes, as the metrics show them */

typedef enum {
    NGX_HTTP_CODAT_DISPATCHED_DELIVERED = 0,
    NGX_HTTP_CODAT_DISPATCHED_FAILED,
    NGX_HTTP_CODAT_DISPATCHED_TIMEOUT,
    NGX_HTTP_CODAT_DISPATCHED_REFUSED,
    NGX_HTTP_CODAT_DISPATCHED_GONE,
    NGX_HTTP_CODAT_DISPATCHED_UNSENT,
    NGX_HTTP_CODAT_DISPATCHED_N
} ngx_http_codat_dispatched_e;


extern const ngx_str_t  ngx_http_codat_dispatched_names[];


/* Starts and stops it in a worker, behind and before its stores. */
ngx_int_t ngx_http_codat_dispatch_init(ngx_cycle_t *cycle);
void ngx_http_codat_dispatch_exit(ngx_cycle_t *cycle);

/* There is an accepted event, or something else that may be due. */
void ngx_http_codat_dispatch_news(ngx_codat_zone_t *zone);


#endif /* _NGX_HTTP_CODAT_DISPATCH_H_INCLUDED_ */
