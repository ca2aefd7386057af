
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_prefer.h"
#include "ngx_http_codat_query.h"
#include "ngx_http_codat_status.h"


typedef struct {
    ngx_str_t     name;
    ngx_uint_t    mask;
    size_t        offset;       /* of the text in the query */
    size_t        max;          /* bytes of the value */
} ngx_http_codat_arg_t;


static ngx_int_t ngx_http_codat_query_arg(ngx_http_request_t *r,
    ngx_http_codat_query_t *query, ngx_uint_t allowed, ngx_str_t *name,
    ngx_str_t *value, ngx_int_t *answer);
static ngx_int_t ngx_http_codat_query_number(ngx_http_request_t *r,
    ngx_http_codat_query_t *query, ngx_uint_t mask, ngx_str_t *value,
    ngx_int_t *answer);


static ngx_http_codat_arg_t  ngx_http_codat_args[] = {

    { ngx_string("status"), NGX_HTTP_CODAT_ARG_STATUS,
      offsetof(ngx_http_codat_query_t, status), 32 },

    { ngx_string("companyId"), NGX_HTTP_CODAT_ARG_COMPANY,
      offsetof(ngx_http_codat_query_t, company), NGX_CODAT_ID_MAX },

    { ngx_string("reference"), NGX_HTTP_CODAT_ARG_REFERENCE,
      offsetof(ngx_http_codat_query_t, reference), NGX_CODAT_REFERENCE_MAX },

    { ngx_string("eventType"), NGX_HTTP_CODAT_ARG_EVENT_TYPE,
      offsetof(ngx_http_codat_query_t, event_type), 1024 },

    { ngx_string("after"), NGX_HTTP_CODAT_ARG_AFTER,
      offsetof(ngx_http_codat_query_t, after), 64 },

    { ngx_string("state"), NGX_HTTP_CODAT_ARG_STATE,
      offsetof(ngx_http_codat_query_t, state), 32 },

    { ngx_string("from"), NGX_HTTP_CODAT_ARG_FROM,
      offsetof(ngx_http_codat_query_t, from), 64 },

    { ngx_string("until"), NGX_HTTP_CODAT_ARG_UNTIL,
      offsetof(ngx_http_codat_query_t, until), 64 },

    { ngx_string("limit"), NGX_HTTP_CODAT_ARG_LIMIT, 0, 16 },

    { ngx_string("wait"), NGX_HTTP_CODAT_ARG_WAIT, 0,
      NGX_MAX_SIZE_T_VALUE },

    { ngx_null_string, 0, 0, 0 }
};


ngx_int_t
ngx_http_codat_query(ngx_http_request_t *r, ngx_uint_t allowed,
    ngx_http_codat_query_t *query, ngx_int_t *answer)
{
    u_char     *p, *end, *last, *sign;
    ngx_str_t   name, value;

    ngx_memzero(query, sizeof(ngx_http_codat_query_t));

    query->limit = NGX_HTTP_CODAT_LIMIT;
    query->wait = -1;

    if (r->args.len == 0 || (allowed & NGX_HTTP_CODAT_ARG_ANY)) {
        return NGX_OK;
    }

    last = r->args.data + r->args.len;

    for (p = r->args.data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        if (end == p) {
            continue;
        }

        sign = ngx_strlchr(p, end, '=');

        name.data = p;
        name.len = (size_t) ((sign ? sign : end) - p);

        value.data = sign ? sign + 1 : end;
        value.len = (size_t) (end - value.data);

        if (ngx_http_codat_query_arg(r, query, allowed, &name, &value, answer)
            != NGX_OK)
        {
            return NGX_DONE;
        }
    }

    if (r != r->main && query->limit > NGX_HTTP_CODAT_LIMIT_WHOLE) {
        query->limit = NGX_HTTP_CODAT_LIMIT_WHOLE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_query_arg(ngx_http_request_t *r, ngx_http_codat_query_t *query,
    ngx_uint_t allowed, ngx_str_t *name, ngx_str_t *value, ngx_int_t *answer)
{
    u_char                *p;
    ngx_int_t              rc;
    ngx_str_t              shown;
    ngx_http_codat_arg_t  *arg;
    u_char                 buf[NGX_HTTP_CODAT_SHOWN_LEN];

    rc = ngx_http_codat_query_decode(r->pool, name);

    if (rc == NGX_OK) {
        rc = ngx_http_codat_query_decode(r->pool, value);
    }

    if (rc == NGX_ERROR) {
        *answer = NGX_HTTP_SERVICE_UNAVAILABLE;
        return NGX_DONE;
    }

    ngx_http_codat_query_shown(name, &shown, buf);

    if (rc == NGX_DECLINED) {
        *answer = ngx_http_codat_status_problem(r,
                                       NGX_HTTP_CODAT_INVALID_QUERY,
                                       "the argument \"%V\" has a \"%%\" "
                                       "without two hexadecimal digits behind "
                                       "it", &shown);
        return NGX_DONE;
    }

    for (arg = ngx_http_codat_args; arg->name.len; arg++) {

        if (arg->name.len == name->len
            && ngx_strncmp(arg->name.data, name->data, name->len) == 0)
        {
            break;
        }
    }

    /* as forms and clients send a filter that was not filled in */

    if ((arg->mask & allowed) && value->len == 0) {
        return NGX_OK;
    }

    if (!(arg->mask & allowed & ~query->given)) {
        *answer = ngx_http_codat_status_problem(r,
                                       NGX_HTTP_CODAT_INVALID_QUERY,
                                       "the argument \"%V\" is unknown here, "
                                       "or repeated", &shown);
        return NGX_DONE;
    }

    query->given |= arg->mask;

    if (value->len > arg->max) {
        *answer = ngx_http_codat_status_problem(r,
                                       NGX_HTTP_CODAT_INVALID_QUERY,
                                       "the argument \"%V\" is too long",
                                       &shown);
        return NGX_DONE;
    }

    if (arg->mask & (NGX_HTTP_CODAT_ARG_LIMIT|NGX_HTTP_CODAT_ARG_WAIT)) {
        return ngx_http_codat_query_number(r, query, arg->mask, value,
                                           answer);
    }

    p = (u_char *) query;
    *(ngx_str_t *) (p + arg->offset) = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_query_number(ngx_http_request_t *r,
    ngx_http_codat_query_t *query, ngx_uint_t mask, ngx_str_t *value,
    ngx_int_t *answer)
{
    ngx_int_t  n;

    if (mask == NGX_HTTP_CODAT_ARG_LIMIT) {

        n = ngx_atoi(value->data, value->len);

        if (n == NGX_ERROR || n == 0) {
            *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_INVALID_QUERY,
                                         "the argument \"limit\" is a number "
                                         "from 1 up");
            return NGX_DONE;
        }

        query->limit = (ngx_uint_t) n;

        return NGX_OK;
    }

    n = ngx_http_codat_prefer_seconds(value->data, value->data + value->len);

    if (n == NGX_ERROR) {
        *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_INVALID_QUERY,
                                         "the argument \"wait\" is a number "
                                         "of seconds");
        return NGX_DONE;
    }

    query->wait = n;

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_query_decode(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char     *p, *src, *last;
    ngx_int_t   n;

    last = text->data + text->len;

    if (ngx_strlchr(text->data, last, '%') == NULL
        && ngx_strlchr(text->data, last, '+') == NULL)
    {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    src = text->data;
    text->data = p;

    while (src < last) {

        if (*src != '%') {
            *p++ = (*src == '+') ? ' ' : *src;
            src++;
            continue;
        }

        n = (last - src > 2) ? ngx_hextoi(src + 1, 2) : NGX_ERROR;

        if (n == NGX_ERROR) {
            text->len = (size_t) (p - text->data);
            return NGX_DECLINED;
        }

        *p++ = (u_char) n;
        src += 3;
    }

    text->len = (size_t) (p - text->data);

    return NGX_OK;
}


void
ngx_http_codat_query_shown(const ngx_str_t *text, ngx_str_t *shown,
    u_char *buf)
{
    size_t  i;

    shown->data = buf;
    shown->len = ngx_min(text->len, NGX_HTTP_CODAT_SHOWN_LEN);

    for (i = 0; i < shown->len; i++) {
        buf[i] = text->data[i];

        if (buf[i] < 0x20 || buf[i] > 0x7e || buf[i] == '"'
            || buf[i] == '\\')
        {
            buf[i] = '?';
        }
    }
}
