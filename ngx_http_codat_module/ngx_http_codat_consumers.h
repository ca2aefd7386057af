
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the consumer API as HTTP: its paths and methods, and who may
 * call them.
 */


#ifndef _NGX_HTTP_CODAT_CONSUMERS_H_INCLUDED_
#define _NGX_HTTP_CODAT_CONSUMERS_H_INCLUDED_


#include "ngx_http_codat.h"


/* The content handler of codat_consumers. */
ngx_int_t ngx_http_codat_consumers_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CODAT_CONSUMERS_H_INCLUDED_ */
