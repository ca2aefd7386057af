
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns what tools show to those who set up a trigger: events that
 * have happened, and examples of those that have not.
 */


#ifndef _NGX_HTTP_CODAT_SAMPLES_H_INCLUDED_
#define _NGX_HTTP_CODAT_SAMPLES_H_INCLUDED_


#include "ngx_http_codat.h"


/* A handler, see ngx_http_codat_consumer_pt. */
ngx_int_t ngx_http_codat_samples(ngx_http_request_t *r,
    ngx_http_codat_call_t *call);


#endif /* _NGX_HTTP_CODAT_SAMPLES_H_INCLUDED_ */
