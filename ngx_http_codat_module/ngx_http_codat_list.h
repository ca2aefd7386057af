
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns lists of rows in the status API, and rows with the rows that
 * belong to them.
 */


#ifndef _NGX_HTTP_CODAT_LIST_H_INCLUDED_
#define _NGX_HTTP_CODAT_LIST_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_http_codat_query.h"


/*
 * Answers with pushes, connections or companies, newest first.  Returns what
 * the content handler is to return.
 */
ngx_int_t ngx_http_codat_list(ngx_http_request_t *r,
    ngx_codat_record_kind_e kind, ngx_http_codat_query_t *query);

/*
 * Answers with a connection and its datasets, or a company and its
 * connections with theirs.  "copy" is in memory of the request.  Returns what
 * the content handler is to return, or to finalize with.
 */
ngx_int_t ngx_http_codat_list_row(ngx_http_request_t *r,
    ngx_codat_copy_t *copy);


#endif /* _NGX_HTTP_CODAT_LIST_H_INCLUDED_ */
