
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the list of recent events in the status API.
 */


#ifndef _NGX_HTTP_CODAT_EVENTS_H_INCLUDED_
#define _NGX_HTTP_CODAT_EVENTS_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_http_codat_query.h"


/*
 * Answers with recent events as CloudEvents, newest first.  Returns what the
 * content handler is to return.
 */
ngx_int_t ngx_http_codat_events(ngx_http_request_t *r,
    ngx_http_codat_query_t *query);

/*
 * Checks patterns with commas between them.  Returns NGX_OK, or NGX_DONE if
 * the request was refused: *answer is what the content handler is to return.
 */
ngx_int_t ngx_http_codat_events_check(ngx_http_request_t *r,
    ngx_str_t *patterns, ngx_int_t *answer);


#endif /* _NGX_HTTP_CODAT_EVENTS_H_INCLUDED_ */
