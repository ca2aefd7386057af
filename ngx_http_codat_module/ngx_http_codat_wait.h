
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns waiting: requests for one push or connection that are held
 * until it changes.  What is kept of one lives in the pool of its request.
 * Does not know how an answer looks.
 */


#ifndef _NGX_HTTP_CODAT_WAIT_H_INCLUDED_
#define _NGX_HTTP_CODAT_WAIT_H_INCLUDED_


#include "ngx_http_codat.h"


/* The setter of codat_wait. */
char *ngx_http_codat_wait_time(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Holds a request for a push or connection if the client asks for that and
 * the row gives reason: by its argument, whose seconds are "asked", or by
 * Prefer if that is -1.  Preference-Applied is added to the answer.
 *
 * NGX_DECLINED the request is to be answered now
 * NGX_DONE     it is held, and ngx_http_codat_status_row() is called later;
 *              this is what the content handler is to return
 * otherwise    a status that the content handler is to return (memory)
 */
ngx_int_t ngx_http_codat_wait(ngx_http_request_t *r,
    ngx_codat_record_kind_e kind, const u_char *key, ngx_int_t asked);

/*
 * Has a request that is about to wait end when its client leaves, and do
 * nothing else until its handlers are set anew.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_wait_client(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CODAT_WAIT_H_INCLUDED_ */
