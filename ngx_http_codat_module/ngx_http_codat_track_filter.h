
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the answers of Codat's API as they pass: they are read on the
 * way, and what they say of pushes goes to the tables before the client has
 * all of it.  Does not change a byte of them.
 */


#ifndef _NGX_HTTP_CODAT_TRACK_FILTER_H_INCLUDED_
#define _NGX_HTTP_CODAT_TRACK_FILTER_H_INCLUDED_


#include "ngx_http_codat_track.h"


/* Puts the filters in place; called from postconfiguration. */
void ngx_http_codat_track_filter_init(void);

/* What is left of the way to the client, for an answer that was held. */
ngx_int_t ngx_http_codat_track_next_header(ngx_http_request_t *r);
ngx_int_t ngx_http_codat_track_next_body(ngx_http_request_t *r,
    ngx_chain_t *in);


#endif /* _NGX_HTTP_CODAT_TRACK_FILTER_H_INCLUDED_ */
