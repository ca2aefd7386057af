
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the integration key of the consumer API: making it, and who
 * shows it.  The store has its hash, and is asked each time: a key that was
 * replaced is dead at once in all workers.
 */


#ifndef _NGX_HTTP_CODAT_CONSUMER_KEY_H_INCLUDED_
#define _NGX_HTTP_CODAT_CONSUMER_KEY_H_INCLUDED_


#include "ngx_http_codat.h"


/*
 * Goes on with a request if it shows the key, with call->client set to the
 * client it names, or refuses it.  Returns what the content handler is to
 * return.
 */
ngx_int_t ngx_http_codat_consumer_key(ngx_http_request_t *r,
    ngx_http_codat_call_t *call);

/* Makes a new key, which is shown this once.  Returns as above. */
ngx_int_t ngx_http_codat_consumer_key_rotate(ngx_http_request_t *r,
    ngx_http_codat_call_t *call);


#endif /* _NGX_HTTP_CODAT_CONSUMER_KEY_H_INCLUDED_ */
