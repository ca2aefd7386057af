
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns where an event goes that is delivered again: which forwards
 * of the present configuration, and under which id.
 */


#ifndef _NGX_HTTP_CODAT_REPLAY_H_INCLUDED_
#define _NGX_HTTP_CODAT_REPLAY_H_INCLUDED_


#include "ngx_http_codat.h"


/*
 * Adds the deliveries of an event to a unit: to all forwards of its endpoint
 * whose patterns match, or, with a state, to those whose last delivery is in
 * it.  A delivery in that state whose forward has gone counts for those that
 * never had the event.  Returns NGX_OK, NGX_DECLINED if no forward matches,
 * or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_replay_event(ngx_codat_zone_t *zone,
    ngx_codat_work_entry_t *entry, ngx_codat_queued_e state,
    ngx_codat_work_replay_t *replay);


#endif /* _NGX_HTTP_CODAT_REPLAY_H_INCLUDED_ */
