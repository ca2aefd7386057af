
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns what the status API shows of the events of a store, and what
 * can be done with them by hand: delivered again, or not at all.
 */


#ifndef _NGX_HTTP_CODAT_QUEUE_API_H_INCLUDED_
#define _NGX_HTTP_CODAT_QUEUE_API_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_http_codat_query.h"


typedef enum {
    NGX_HTTP_CODAT_QUEUE_SHOW = 0,
    NGX_HTTP_CODAT_QUEUE_REPLAY,
    NGX_HTTP_CODAT_QUEUE_CANCEL
} ngx_http_codat_queue_action_e;


/*
 * What the path behind "events/" asks for; the id remains in the text, which
 * is empty for all events.
 */
ngx_http_codat_queue_action_e ngx_http_codat_queue_action(ngx_str_t *text);

/*
 * Does it, in one or several units of work.  Returns what the content handler
 * is to return.
 */
ngx_int_t ngx_http_codat_queue_api(ngx_http_request_t *r,
    ngx_http_codat_queue_action_e action, ngx_str_t *id,
    ngx_http_codat_query_t *query);


#endif /* _NGX_HTTP_CODAT_QUEUE_API_H_INCLUDED_ */
