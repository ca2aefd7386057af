
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_answer.h"


const ngx_http_codat_problem_t
    ngx_http_codat_problems[NGX_HTTP_CODAT_PROBLEMS] =
{
#define X(name, code, status, title)                                         \
    { ngx_string(code), status, ngx_string(title) },
#include "ngx_http_codat_problems_x.h"
#undef X
};


ngx_str_t  ngx_http_codat_type_json = ngx_string("application/json");
ngx_str_t  ngx_http_codat_type_problem =
    ngx_string("application/problem+json");


void
ngx_http_codat_answer_discard(ngx_http_request_t *r)
{
    /* no "100 Continue" for a body that nobody wants */

    r->expect_tested = 1;

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }
}


ngx_int_t
ngx_http_codat_answer_problem(ngx_http_request_t *r,
    const ngx_http_codat_problem_t *problem, ngx_str_t *detail,
    ngx_str_t *body)
{
    size_t   len;
    u_char  *p;

    len = sizeof("{\"title\":\"\",\"status\":,\"detail\":,\"code\":\"\"}") - 1
          + problem->title.len + NGX_INT_T_LEN
          + ngx_codat_json_string_len(detail) + problem->code.len;

    body->data = ngx_pnalloc(r->pool, len);
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(body->data, "{\"title\":\"%V\",\"status\":%ui,\"detail\":",
                    &problem->title, problem->status);

    p = ngx_codat_json_string(p, detail);

    p = ngx_sprintf(p, ",\"code\":\"%V\"}", &problem->code);

    body->len = (size_t) (p - body->data);

    return NGX_OK;
}


void
ngx_http_codat_answer_set(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, off_t len)
{
    r->headers_out.status = status;
    r->headers_out.status_line.len = 0;
    r->headers_out.content_length_n = len;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;

    /* If-Match and the like are not for what has no version */

    r->disable_not_modified = 1;

    /* neither a page of the core's nor a filter's idea of one remains */

    ngx_str_null(&r->headers_out.charset);
}


ngx_int_t
ngx_http_codat_answer_send(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    if (body->len == 0) {
        return ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
