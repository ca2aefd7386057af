
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the request body: from whatever the core made of it (one
 * buffer, several, a temporary file) to one piece of memory.
 */


#ifndef _NGX_HTTP_CODAT_BODY_H_INCLUDED_
#define _NGX_HTTP_CODAT_BODY_H_INCLUDED_


#include "ngx_http_codat.h"


/*
 * Gives the body that has been read as one string: in place where it lies in
 * one buffer, else copied into the pool.  Returns NGX_OK or NGX_ERROR
 * (memory, or reading the temporary file; logged).
 */
ngx_int_t ngx_http_codat_body(ngx_http_request_t *r, ngx_str_t *body);

/*
 * Returns 1 if the request has no media type, or application/json or
 * application/NAME+json.
 */
ngx_uint_t ngx_http_codat_body_is_json(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CODAT_BODY_H_INCLUDED_ */
