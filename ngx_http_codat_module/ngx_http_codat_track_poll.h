
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns calls that are not passed on to Codat's API because the zone
 * knows better: polls of pushes that are answered from the table, and calls
 * while the quota is used up.
 */


#ifndef _NGX_HTTP_CODAT_TRACK_POLL_H_INCLUDED_
#define _NGX_HTTP_CODAT_TRACK_POLL_H_INCLUDED_


#include "ngx_http_codat_track.h"


/*
 * Takes ".../companies/ID/push/KEY" apart.  Returns NGX_OK, or NGX_DECLINED if
 * the path of the request is another one.
 */
ngx_int_t ngx_http_codat_track_path(ngx_http_request_t *r,
    ngx_str_t *company, ngx_str_t *key);

/*
 * Answers a poll from the table.  Returns NGX_DECLINED if that can't be done,
 * NGX_AGAIN if the request waits, or what it is to be finalized with.
 */
ngx_int_t ngx_http_codat_track_poll(ngx_http_codat_track_t *track);

/*
 * Refuses a call while the quota is used up.  Returns NGX_DECLINED if it is
 * not, or what the request is to be finalized with.
 */
ngx_int_t ngx_http_codat_track_shed(ngx_http_codat_track_t *track);


#endif /* _NGX_HTTP_CODAT_TRACK_POLL_H_INCLUDED_ */
