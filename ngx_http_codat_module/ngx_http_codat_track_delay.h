
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns calls that wait before they go on to Codat's API, or are
 * answered: for the pushes of X-Codat-After, or for one that is polled.  What
 * is kept of one lives in the pool of its request.
 */


#ifndef _NGX_HTTP_CODAT_TRACK_DELAY_H_INCLUDED_
#define _NGX_HTTP_CODAT_TRACK_DELAY_H_INCLUDED_


#include "ngx_http_codat_track.h"


/*
 * Reads the keys of X-Codat-After; what is no list of keys is refused later.
 * Returns NGX_OK or NGX_ERROR (memory, OpenSSL).
 */
ngx_int_t ngx_http_codat_track_delay_parse(ngx_http_codat_track_t *track,
    ngx_str_t *value);

/*
 * NGX_DECLINED if a call may go on, NGX_AGAIN if it waits for others, or what
 * its request is to be finalized with.
 */
ngx_int_t ngx_http_codat_track_delay(ngx_http_codat_track_t *track);

/*
 * Has the handler of the phase called again when one of these pushes changes
 * or the time is up.  NGX_AGAIN if the request waits, and NGX_OK if it does
 * from now on, so that the rows have to be looked at once more; NGX_DECLINED
 * if there is no time left, or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_track_delay_wait(ngx_http_codat_track_t *track,
    ngx_http_codat_track_key_t *keys, ngx_uint_t n);

/* Ends waiting.  A no-op if there is none. */
void ngx_http_codat_track_delay_end(ngx_http_codat_track_t *track);


#endif /* _NGX_HTTP_CODAT_TRACK_DELAY_H_INCLUDED_ */
