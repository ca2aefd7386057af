
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns questions that nobody has asked: what Codat's API says of
 * pushes whose webhook is overdue.  Each is a request without a client, whose
 * answer is read as it passes, like those of calls.  What is kept of one
 * lives in the pool of its request; the order, and how many a second, are
 * the zone's.
 */


#ifndef _NGX_HTTP_CODAT_RECONCILE_H_INCLUDED_
#define _NGX_HTTP_CODAT_RECONCILE_H_INCLUDED_


#include "ngx_http_codat.h"


/* Starts the timers of a worker.  Returns NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_codat_reconcile_init(ngx_cycle_t *cycle);

/* What is known of such a question; NULL if the request is another one. */
ngx_http_codat_track_t *ngx_http_codat_reconcile_of(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CODAT_RECONCILE_H_INCLUDED_ */
