
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the overview of a zone in the status API.
 */


#ifndef _NGX_HTTP_CODAT_OVERVIEW_H_INCLUDED_
#define _NGX_HTTP_CODAT_OVERVIEW_H_INCLUDED_


#include "ngx_http_codat.h"


/* Answers with the overview.  Returns what the content handler returns. */
ngx_int_t ngx_http_codat_overview(ngx_http_request_t *r);

/* Answers that all is well, for that is so if there is an answer. */
ngx_int_t ngx_http_codat_overview_health(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CODAT_OVERVIEW_H_INCLUDED_ */
