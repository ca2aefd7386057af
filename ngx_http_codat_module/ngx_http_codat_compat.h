
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  The differences between versions of nginx, and nothing else.
 */


#ifndef _NGX_HTTP_CODAT_COMPAT_H_INCLUDED_
#define _NGX_HTTP_CODAT_COMPAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* since 1.23.0 headers of one name are chained */

#if (nginx_version >= 1023000)
#define ngx_http_codat_header_end(h)  (h)->next = NULL
#else
#define ngx_http_codat_header_end(h)
#endif


#endif /* _NGX_HTTP_CODAT_COMPAT_H_INCLUDED_ */
