
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the header Prefer (RFC 7240), of which waiting is understood,
 * and what is said of it in answers.
 */


#ifndef _NGX_HTTP_CODAT_PREFER_H_INCLUDED_
#define _NGX_HTTP_CODAT_PREFER_H_INCLUDED_


#include "ngx_http_codat.h"


/* seconds: the longest codat_wait, and the longest that is asked for */
#define NGX_HTTP_CODAT_PREFER_MAX  86400


/*
 * The seconds that a client prefers to wait, or NGX_ERROR if none.  Of a
 * preference that is there twice the first one counts (RFC 7240, section 2).
 * What the client says to the main request is not meant for subrequests.
 */
ngx_int_t ngx_http_codat_prefer_wait(ngx_http_request_t *r);

/*
 * What is left of a value without waiting, in memory of the pool where
 * something was taken out.  Returns NGX_OK, NGX_DECLINED if nothing is left,
 * or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_prefer_strip(ngx_pool_t *pool, ngx_str_t *value,
    ngx_str_t *rest);

/*
 * Reads seconds as a client may write them: digits, however many; what is
 * longer than NGX_HTTP_CODAT_PREFER_MAX is cut to that.  Returns NGX_ERROR if
 * it is no number.
 */
ngx_int_t ngx_http_codat_prefer_seconds(u_char *p, u_char *last);

/* Adds Preference-Applied to the answer.  Returns NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_codat_prefer_applied(ngx_http_request_t *r,
    ngx_int_t seconds);


#endif /* _NGX_HTTP_CODAT_PREFER_H_INCLUDED_ */
