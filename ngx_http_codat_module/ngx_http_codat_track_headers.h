
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the headers of a call to Codat's API that are meant for us,
 * or that the API must not see as the client has sent them.
 */


#ifndef _NGX_HTTP_CODAT_TRACK_HEADERS_H_INCLUDED_
#define _NGX_HTTP_CODAT_TRACK_HEADERS_H_INCLUDED_


#include "ngx_http_codat.h"


/* how compressed answers are asked for */

#define NGX_HTTP_CODAT_ENCODINGS_ALL   0    /* as the client does */
#define NGX_HTTP_CODAT_ENCODINGS_GZIP  1    /* if the client takes that */
#define NGX_HTTP_CODAT_ENCODINGS_NONE  2


/* which of these headers a request has, a mask */

#define NGX_HTTP_CODAT_TRACK_REFERENCE  0x01
#define NGX_HTTP_CODAT_TRACK_AFTER      0x02
#define NGX_HTTP_CODAT_TRACK_PREFER     0x04
#define NGX_HTTP_CODAT_TRACK_ENCODINGS  0x08


/* Looks for all of them at once: most calls have none. */
ngx_uint_t ngx_http_codat_track_scan(ngx_http_request_t *r);

/* The values of X-Codat-After, joined.  Returns NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_codat_track_after(ngx_http_request_t *r, ngx_str_t *value);

/*
 * Takes X-Codat-Reference, X-Codat-After, waiting in Prefer, and encodings
 * that we can't read out of the headers of a request, which are a list of its
 * own then.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_track_strip(ngx_http_request_t *r,
    ngx_uint_t encodings);


#endif /* _NGX_HTTP_CODAT_TRACK_HEADERS_H_INCLUDED_ */
