
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the normalised payload: an event as a CloudEvents 1.0 JSON
 * object in structured mode.
 */


#ifndef _NGX_CODAT_CLOUDEVENT_H_INCLUDED_
#define _NGX_CODAT_CLOUDEVENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_event.h"


/*
 * Renders what stands before and behind the received body, which is the last
 * member of "data" and is not copied: head, event->payload, tail is the
 * whole.  An empty payload is left out.  "id" is used where the event has
 * none (CloudEvents requires one); webhook_id may be empty; received is the
 * time of receipt in microseconds, used where the event has no valid date of
 * its own.  Memory is the pool's.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_codat_cloudevent(ngx_pool_t *pool, ngx_codat_event_t *event,
    ngx_str_t *id, ngx_str_t *webhook_id, int64_t received, ngx_str_t *head,
    ngx_str_t *tail);


#endif /* _NGX_CODAT_CLOUDEVENT_H_INCLUDED_ */
