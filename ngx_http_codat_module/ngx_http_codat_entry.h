
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns how an event of a store looks in the status API: as the
 * CloudEvent that it is, with what became of its deliveries.
 */


#ifndef _NGX_HTTP_CODAT_ENTRY_H_INCLUDED_
#define _NGX_HTTP_CODAT_ENTRY_H_INCLUDED_


#include "ngx_http_codat.h"


/*
 * Writes it as JSON in memory of the request.  Returns NGX_OK, NGX_DECLINED
 * if it can't be read (logged), or NGX_ERROR (memory).
 */
ngx_int_t ngx_http_codat_entry(ngx_http_request_t *r,
    ngx_codat_work_entry_t *entry, ngx_str_t *json);


#endif /* _NGX_HTTP_CODAT_ENTRY_H_INCLUDED_ */
