
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_answer.h"
#include "ngx_http_codat_consumer_error.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_status.h"


/* of all that is in an error object but texts */
#define NGX_HTTP_CODAT_ERROR_LEN  256


static ngx_int_t ngx_http_codat_consumer_refuse(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_str_t *item, ngx_str_t *reason,
    ngx_str_t *body);
static ngx_int_t ngx_http_codat_consumer_object(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_str_t *item, ngx_str_t *reason,
    ngx_str_t *id, ngx_str_t *body);
static void ngx_http_codat_consumer_id(ngx_http_request_t *r, ngx_str_t *id);
static ngx_int_t ngx_http_codat_consumer_headers(ngx_http_request_t *r,
    ngx_uint_t status);


static ngx_str_t  ngx_http_codat_challenge = ngx_string("WWW-Authenticate");
static ngx_str_t  ngx_http_codat_schemes =
    ngx_string("Basic realm=\"codat\", Bearer realm=\"codat\"");
static ngx_str_t  ngx_http_codat_retry_after = ngx_string("Retry-After");
static ngx_str_t  ngx_http_codat_seconds = ngx_string("5");


ngx_int_t
ngx_http_codat_consumer_error(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *item, const char *fmt, ...)
{
    u_char                *p;
    va_list                args;
    ngx_str_t              reason, body;
    ngx_http_codat_ctx_t  *ctx;
    u_char                 text[NGX_HTTP_CODAT_DETAIL_LEN];

    p = text;

    if (item) {
        p = ngx_slprintf(p, text + sizeof(text), "\"%V\" ", item);
    }

    va_start(args, fmt);
    p = ngx_vslprintf(p, text + sizeof(text), fmt, args);
    va_end(args);

    reason.data = text;
    reason.len = (size_t) (p - text);

    /* no page of the core's, see ngx_http_codat_is_core_page() */

    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    if (ctx) {
        ctx->answered = 1;
    }

    ngx_http_codat_answer_discard(r);

    if (ngx_http_codat_consumer_refuse(r, status, item, &reason, &body)
        != NGX_OK)
    {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return ngx_http_codat_answer_send(r, &body);
}


ngx_int_t
ngx_http_codat_consumer_replace(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx)
{
    ngx_str_t  reason;

    ngx_str_set(&reason, "the body is larger than client_max_body_size of "
                "this location");

    r->err_status = 0;

    return ngx_http_codat_consumer_refuse(r,
                                          NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                          NULL, &reason, &ctx->replacement);
}


static ngx_int_t
ngx_http_codat_consumer_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *item, ngx_str_t *reason, ngx_str_t *body)
{
    ngx_str_t                   id;
    ngx_uint_t                  level;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    level = status >= NGX_HTTP_INTERNAL_SERVER_ERROR ? NGX_LOG_ERR
            : status == NGX_HTTP_UNAUTHORIZED ? cdlcf->log_level
            : NGX_LOG_INFO;

    ngx_http_codat_consumer_id(r, &id);

    ngx_log_error(level, r->connection->log, 0,
                  "codat: consumer request refused, status: %ui, id: %V, %V",
                  status, &id, reason);

    if (ngx_http_codat_consumer_object(r, status, item, reason, &id, body)
        != NGX_OK
        || ngx_http_codat_consumer_headers(r, status) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_codat_answer_set(r, status, &ngx_http_codat_type_json,
                              (off_t) body->len);

    return NGX_OK;
}


/* by which somebody who has seen the answer finds the request in a log */

static void
ngx_http_codat_consumer_id(ngx_http_request_t *r, ngx_str_t *id)
{
    ngx_uint_t                  key;
    ngx_http_variable_value_t  *vv;

    static ngx_str_t            name = ngx_string("request_id");

    key = ngx_hash_key(name.data, name.len);

    vv = ngx_http_get_variable(r, &name, key);

    if (vv == NULL || vv->not_found) {
        ngx_str_null(id);
        return;
    }

    id->len = vv->len;
    id->data = vv->data;
}


static ngx_int_t
ngx_http_codat_consumer_object(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *item, ngx_str_t *reason, ngx_str_t *id, ngx_str_t *body)
{
    u_char  *p;

    body->data = ngx_pnalloc(r->pool, NGX_HTTP_CODAT_ERROR_LEN
                                      + 2 * ngx_codat_json_string_len(reason)
                                      + id->len + (item ? item->len : 0));
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(body->data, "{\"statusCode\":%ui,\"service\":\"nginx\","
                    "\"error\":", status);

    p = ngx_codat_json_string(p, reason);

    p = ngx_sprintf(p, ",\"correlationId\":\"%V\",\"validation\":", id);

    if (item) {
        p = ngx_sprintf(p, "{\"errors\":[{\"itemId\":\"%V\",\"message\":",
                        item);
        p = ngx_codat_json_string(p, reason);
        p = ngx_sprintf(p, ",\"validatorName\":\"nginx\"}],"
                        "\"warnings\":[]}");
    } else {
        p = ngx_sprintf(p, "null");
    }

    /* texts, as Codat has them */

    p = ngx_sprintf(p, ",\"canBeRetried\":\"%s\",\"detailedErrorCode\":0}",
                    status == NGX_HTTP_SERVICE_UNAVAILABLE ? "True"
                                                           : "False");

    body->len = (size_t) (p - body->data);

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_consumer_headers(ngx_http_request_t *r, ngx_uint_t status)
{
    if (ngx_http_codat_status_headers(r) != NGX_OK) {
        return NGX_ERROR;
    }

    if (status == NGX_HTTP_UNAUTHORIZED) {
        return ngx_http_codat_header_add(r, &ngx_http_codat_challenge,
                                         &ngx_http_codat_schemes);
    }

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        return ngx_http_codat_header_add(r, &ngx_http_codat_retry_after,
                                         &ngx_http_codat_seconds);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_consumer_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    ngx_str_t  none = ngx_null_string;

    ngx_http_codat_answer_discard(r);

    if (ngx_http_codat_status_headers(r) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (status == NGX_HTTP_NO_CONTENT) {
        ngx_http_codat_answer_set(r, status, &none, -1);

        return ngx_http_codat_answer_send(r, &none);
    }

    ngx_http_codat_answer_set(r, status, &ngx_http_codat_type_json,
                              (off_t) body->len);

    return ngx_http_codat_answer_send(r, body);
}
