
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the arithmetic of a share of time: how often what nobody
 * waits for may have its turn, so that it takes a part of the time only.  All
 * times are in msec, of the clock that all workers see.
 */


#ifndef _NGX_CODAT_SHARE_H_INCLUDED_
#define _NGX_CODAT_SHARE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* behind a turn there are so many times its length for others: a tenth */
#define NGX_CODAT_SHARE_REST  9

/* the longest rest, and the longest that a turn which never ends counts */
#define NGX_CODAT_SHARE_MAX   1000


/*
 * How long to wait at "now" where the next turn is "at", 0: it is now.  A
 * clock that was set back must not stop it: no wait is longer than the
 * longest that there is.
 */
uint64_t ngx_codat_share_wait(uint64_t now, uint64_t at);

/* When others may have a turn at the latest if one begins now. */
uint64_t ngx_codat_share_begin(uint64_t now);

/* When the next turn is, of one that began then and ends now. */
uint64_t ngx_codat_share_end(uint64_t began, uint64_t now);


#endif /* _NGX_CODAT_SHARE_H_INCLUDED_ */
