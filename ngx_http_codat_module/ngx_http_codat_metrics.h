
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the page of metrics: what a zone has counted, and what is in
 * it, as Prometheus reads it.
 */


#ifndef _NGX_HTTP_CODAT_METRICS_H_INCLUDED_
#define _NGX_HTTP_CODAT_METRICS_H_INCLUDED_


#include "ngx_http_codat.h"


/*
 * Makes the page in the pool of the request, from a copy of all numbers.
 * Returns NGX_OK or NGX_ERROR (memory).
 */
ngx_int_t ngx_http_codat_metrics(ngx_http_request_t *r,
    ngx_codat_zone_t *zone, ngx_str_t *body);

/*
 * Answers a request of the status API with the page of its zone.  Returns
 * what the content handler returns.
 */
ngx_int_t ngx_http_codat_metrics_answer(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CODAT_METRICS_H_INCLUDED_ */
