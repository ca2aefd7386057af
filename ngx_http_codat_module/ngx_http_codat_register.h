
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns what the status API changes: pushes that are registered and
 * forgotten by hand.
 */


#ifndef _NGX_HTTP_CODAT_REGISTER_H_INCLUDED_
#define _NGX_HTTP_CODAT_REGISTER_H_INCLUDED_


#include "ngx_http_codat.h"


/*
 * Registers the push of that key with what the body says of it.  Returns what
 * the content handler is to return.
 */
ngx_int_t ngx_http_codat_register(ngx_http_request_t *r, ngx_str_t *key);

/* Forgets a push.  Returns as above. */
ngx_int_t ngx_http_codat_forget(ngx_http_request_t *r, const u_char *key);


#endif /* _NGX_HTTP_CODAT_REGISTER_H_INCLUDED_ */
