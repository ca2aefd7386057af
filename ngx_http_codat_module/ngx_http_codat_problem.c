
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_answer.h"
#include "ngx_http_codat_count.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_problem.h"
#include "ngx_http_codat_variables.h"
#include "ngx_http_codat_webhook.h"


/* bytes of an id from outside that a log line shows */
#define NGX_HTTP_CODAT_LOG_ID_LEN  64


static ngx_int_t ngx_http_codat_problem_headers(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_problem_e problem);
static ngx_int_t ngx_http_codat_challenge(ngx_http_request_t *r);
static void ngx_http_codat_problem_log(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, const ngx_http_codat_problem_t *entry,
    ngx_str_t *detail);
static void ngx_http_codat_set_result(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_problem_e problem,
    const ngx_str_t *result);


static ngx_str_t  ngx_http_codat_allow = ngx_string("Allow");
static ngx_str_t  ngx_http_codat_methods = ngx_string("POST, PUT");

static ngx_str_t  ngx_http_codat_www_authenticate =
    ngx_string("WWW-Authenticate");
static ngx_str_t  ngx_http_codat_basic =
    ngx_string("Basic realm=\"codat\", charset=\"UTF-8\"");
static ngx_str_t  ngx_http_codat_bearer =
    ngx_string("Bearer realm=\"codat\"");
static ngx_str_t  ngx_http_codat_signature =
    ngx_string("Signature realm=\"codat\", "
               "headers=\"webhook-id webhook-timestamp webhook-signature\"");

static ngx_str_t  ngx_http_codat_retry_after = ngx_string("Retry-After");
static ngx_str_t  ngx_http_codat_retry_soon = ngx_string("5");


ngx_int_t
ngx_http_codat_problem(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    ngx_http_codat_problem_e problem, const char *fmt, ...)
{
    u_char                          *p;
    va_list                          args;
    ngx_str_t                        detail, body;
    const ngx_http_codat_problem_t  *entry;
    u_char                           text[NGX_HTTP_CODAT_DETAIL_LEN];

    entry = &ngx_http_codat_problems[problem];

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    detail.data = text;
    detail.len = (size_t) (p - text);

    ngx_http_codat_set_result(r, ctx, problem, &entry->code);

    ngx_http_codat_problem_log(r, ctx, entry, &detail);

    ngx_http_codat_answer_discard(r);

    if (ngx_http_codat_answer_problem(r, entry, &detail, &body) != NGX_OK
        || ngx_http_codat_problem_headers(r, ctx, problem) != NGX_OK)
    {
        ctx->rc = NGX_HTTP_SERVICE_UNAVAILABLE;
        return NGX_DONE;
    }

    ngx_http_codat_answer_set(r, entry->status, &ngx_http_codat_type_problem,
                            (off_t) body.len);

    ctx->rc = ngx_http_codat_answer_send(r, &body);

    return NGX_DONE;
}


ngx_int_t
ngx_http_codat_problem_replace(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx)
{
    ngx_str_t                        detail;
    ngx_http_codat_problem_e         problem;
    const ngx_http_codat_problem_t  *entry;

    problem = ngx_http_codat_webhook_check(r, ctx, &detail);

    if (problem == NGX_HTTP_CODAT_PROBLEMS) {

        if (r->headers_out.status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
            problem = NGX_HTTP_CODAT_BODY_TOO_LARGE;
            ngx_str_set(&detail, "the body is larger than "
                        "client_max_body_size of this location");

        } else {
            problem = NGX_HTTP_CODAT_UNAVAILABLE;
            ngx_str_set(&detail, "the request can't be processed at present");
        }
    }

    entry = &ngx_http_codat_problems[problem];

    ngx_http_codat_set_result(r, ctx, problem, &entry->code);

    ngx_http_codat_problem_log(r, ctx, entry, &detail);

    if (ngx_http_codat_answer_problem(r, entry, &detail, &ctx->replacement)
        != NGX_OK
        || ngx_http_codat_problem_headers(r, ctx, problem) != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->err_status = 0;

    ngx_http_codat_answer_set(r, entry->status, &ngx_http_codat_type_problem,
                            (off_t) ctx->replacement.len);

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_accept(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    ngx_uint_t status, const ngx_str_t *result)
{
    u_char     *p;
    size_t      len;
    ngx_str_t   body, *id, *type;

    id = &ctx->event.fields[NGX_CODAT_FIELD_ID];
    type = &ctx->event.fields[NGX_CODAT_FIELD_EVENT_TYPE];

    ngx_http_codat_set_result(r, ctx, NGX_HTTP_CODAT_PROBLEMS, result);

    len = sizeof("{\"id\":null,\"type\":,\"result\":\"\"}") - 1
          + ngx_codat_json_string_len(id)
          + ngx_codat_json_string_len(type)
          + ctx->result.len;

    body.data = ngx_pnalloc(r->pool, len);
    if (body.data == NULL) {
        ctx->rc = NGX_HTTP_SERVICE_UNAVAILABLE;
        return NGX_DONE;
    }

    p = ngx_cpymem(body.data, "{\"id\":", sizeof("{\"id\":") - 1);

    if (id->len) {
        p = ngx_codat_json_string(p, id);

    } else {
        p = ngx_cpymem(p, "null", sizeof("null") - 1);
    }

    p = ngx_cpymem(p, ",\"type\":", sizeof(",\"type\":") - 1);
    p = ngx_codat_json_string(p, type);
    p = ngx_cpymem(p, ",\"result\":\"", sizeof(",\"result\":\"") - 1);
    p = ngx_cpymem(p, ctx->result.data, ctx->result.len);
    p = ngx_cpymem(p, "\"}", sizeof("\"}") - 1);

    body.len = (size_t) (p - body.data);

    ngx_http_codat_answer_set(r, status, &ngx_http_codat_type_json,
                            (off_t) body.len);

    ctx->rc = ngx_http_codat_answer_send(r, &body);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_codat_problem_headers(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_problem_e problem)
{
    switch (problem) {

    case NGX_HTTP_CODAT_METHOD_NOT_ALLOWED:
        return ngx_http_codat_header_add(r, &ngx_http_codat_allow,
                                         &ngx_http_codat_methods);

    case NGX_HTTP_CODAT_SIGNATURE_MISMATCH:
    case NGX_HTTP_CODAT_TIMESTAMP:
    case NGX_HTTP_CODAT_SIGNATURE_MISSING:
    case NGX_HTTP_CODAT_CREDENTIAL_MISSING:
    case NGX_HTTP_CODAT_CREDENTIAL_MISMATCH:
        return ngx_http_codat_challenge(r);

    case NGX_HTTP_CODAT_IN_PROGRESS:
    case NGX_HTTP_CODAT_UNAVAILABLE:
        return ngx_http_codat_header_add(r, &ngx_http_codat_retry_after,
                                         &ngx_http_codat_retry_soon);

    case NGX_HTTP_CODAT_FORWARD_FAILED:
        if (ctx->retry_after.len == 0) {
            return NGX_OK;
        }

        return ngx_http_codat_header_add(r, &ngx_http_codat_retry_after,
                                         &ctx->retry_after);

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_codat_challenge(ngx_http_request_t *r)
{
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    if ((cdlcf->kinds & NGX_HTTP_CODAT_BASIC)
        && ngx_http_codat_header_add(r, &ngx_http_codat_www_authenticate,
                                     &ngx_http_codat_basic)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if ((cdlcf->kinds & NGX_HTTP_CODAT_BEARER)
        && ngx_http_codat_header_add(r, &ngx_http_codat_www_authenticate,
                                     &ngx_http_codat_bearer)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if ((cdlcf->kinds & NGX_HTTP_CODAT_SIGNATURE)
        && ngx_http_codat_header_add(r, &ngx_http_codat_www_authenticate,
                                     &ngx_http_codat_signature)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Refused deliveries are logged as loudly as the operator wants; what the
 * application, or we, could not do is an error whatever he wants.
 */

static void
ngx_http_codat_problem_log(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    const ngx_http_codat_problem_t *entry, ngx_str_t *detail)
{
    u_char                     *p;
    ngx_uint_t                  level;
    ngx_str_t                   id;
    ngx_http_codat_loc_conf_t  *cdlcf;
    u_char                      text[NGX_HTTP_CODAT_LOG_ID_LEN * 6 + 2];

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    level = entry->status >= NGX_HTTP_INTERNAL_SERVER_ERROR
            ? NGX_LOG_ERR : cdlcf->log_level;

    id = ctx->webhook_id.len ? ctx->webhook_id : ctx->key;
    id.len = ngx_min(id.len, NGX_HTTP_CODAT_LOG_ID_LEN);

    p = ngx_codat_json_string(text, &id);

    ngx_log_error(level, r->connection->log, 0,
                  "codat: webhook refused, code: %V, %V, id: %*s",
                  &entry->code, detail, (size_t) (p - text), text);
}


static void
ngx_http_codat_set_result(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    ngx_http_codat_problem_e problem, const ngx_str_t *result)
{
    ngx_uint_t  again;

    again = ctx->answered;

    ctx->answered = 1;
    ctx->result = *result;

    if (!again) {
        ngx_http_codat_count_result(r, ctx, problem);
    }

    ngx_http_codat_variables_changed(r);
}
