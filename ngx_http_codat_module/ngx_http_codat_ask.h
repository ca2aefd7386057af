
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns requests of our APIs that are answered when the store has
 * done a unit of work.
 */


#ifndef _NGX_HTTP_CODAT_ASK_H_INCLUDED_
#define _NGX_HTTP_CODAT_ASK_H_INCLUDED_


#include "ngx_http_codat.h"


/* Answers, and returns what the request is to be finalized with. */
typedef ngx_int_t (*ngx_http_codat_ask_pt)(ngx_http_request_t *r,
    ngx_codat_work_t *work, void *data);


/*
 * Hands a unit over, which is freed behind "answer"; where it failed, a
 * problem is the answer instead.  If the client goes before, nobody is told.
 * Returns NGX_DONE, or what the request is to be finalized with at once.
 */
ngx_int_t ngx_http_codat_ask(ngx_http_request_t *r, ngx_codat_zone_t *zone,
    ngx_codat_work_t *work, ngx_http_codat_ask_pt answer, void *data);


#endif /* _NGX_HTTP_CODAT_ASK_H_INCLUDED_ */
