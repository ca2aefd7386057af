
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns what Codat is told: acceptances, and refusals as RFC 9457
 * problem details with the one log line that goes with each.
 */


#ifndef _NGX_HTTP_CODAT_PROBLEM_H_INCLUDED_
#define _NGX_HTTP_CODAT_PROBLEM_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_http_codat_answer.h"


/*
 * Refuses a webhook: writes one log line, sets $codat_result and sends the
 * problem.  The detail, a format of ngx_sprintf(), goes to both and so must
 * hold neither secrets nor payload; text of a stranger's in it is escaped.
 * Returns NGX_DONE, for the webhook is answered, and leaves in ctx->rc what
 * the content handler is to return or to finalize with.
 */
ngx_int_t ngx_http_codat_problem(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_problem_e problem,
    const char *fmt, ...);

/*
 * Sends {"id":...,"type":...,"result":...}.  Returns as above.
 */
ngx_int_t ngx_http_codat_accept(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_uint_t status, const ngx_str_t *result);

/*
 * Turns a page that the core is about to send (413, 500) into the problem it
 * stands for: changes status and headers, and leaves the body in
 * ctx->replacement.  Called by the header filter.  Returns NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_http_codat_problem_replace(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);


#endif /* _NGX_HTTP_CODAT_PROBLEM_H_INCLUDED_ */
