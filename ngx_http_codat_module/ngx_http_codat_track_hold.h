
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns answers of Codat's API that are held back: collected, kept
 * until the push is final or the time is up, and sent then.  What is kept of
 * one lives in the pool of its request.
 */


#ifndef _NGX_HTTP_CODAT_TRACK_HOLD_H_INCLUDED_
#define _NGX_HTTP_CODAT_TRACK_HOLD_H_INCLUDED_


#include "ngx_codat_operation.h"
#include "ngx_http_codat_track.h"


/*
 * Begins to hold an answer, whose head is not sent yet.  Returns NGX_OK, or
 * NGX_DECLINED if this one can't be held.
 */
ngx_int_t ngx_http_codat_track_hold(ngx_http_codat_track_t *track);

/*
 * Takes the next part of the body, or sends all that is there when that is
 * no longer to be held.  Returns as a body filter.
 */
ngx_int_t ngx_http_codat_track_hold_body(ngx_http_codat_track_t *track,
    ngx_chain_t *in);

/*
 * The body is complete, and the table says "copy" of the push in it, or it is
 * none if that is NULL: waits, or sends what there is to send.  Returns as a
 * body filter.
 */
ngx_int_t ngx_http_codat_track_hold_end(ngx_http_codat_track_t *track,
    ngx_codat_operation_t *operation, ngx_codat_copy_t *copy);

/* 1 while an answer is held: nothing of it was sent. */
ngx_uint_t ngx_http_codat_track_holds(ngx_http_codat_track_t *track);


#endif /* _NGX_HTTP_CODAT_TRACK_HOLD_H_INCLUDED_ */
