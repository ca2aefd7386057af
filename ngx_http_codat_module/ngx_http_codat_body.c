
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_body.h"


static u_char *ngx_http_codat_body_read(ngx_http_request_t *r, ngx_buf_t *b,
    u_char *p);
static ngx_uint_t ngx_http_codat_body_is_token(ngx_str_t *text);


ngx_int_t
ngx_http_codat_body(ngx_http_request_t *r, ngx_str_t *body)
{
    off_t         len;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_uint_t    n;
    ngx_chain_t  *cl, *only;

    ngx_str_null(body);

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    len = 0;
    n = 0;
    only = NULL;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        if (ngx_buf_size(cl->buf)) {
            len += ngx_buf_size(cl->buf);
            only = cl;
            n++;
        }
    }

    if (n == 0) {
        return NGX_OK;
    }

    body->len = (size_t) len;

    if (n == 1 && ngx_buf_in_memory(only->buf)) {
        body->data = only->buf->pos;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, body->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, (size_t) (b->last - b->pos));
            continue;
        }

        if (b->in_file) {
            p = ngx_http_codat_body_read(r, b, p);

            if (p == NULL) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static u_char *
ngx_http_codat_body_read(ngx_http_request_t *r, ngx_buf_t *b, u_char *p)
{
    off_t    offset;
    ssize_t  n;

    for (offset = b->file_pos; offset < b->file_last; offset += n) {

        n = ngx_read_file(b->file, p, (size_t) (b->file_last - offset),
                          offset);

        if (n == NGX_ERROR) {
            return NULL;
        }

        if (n == 0) {
            ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                          "codat: the temporary file \"%V\" of a request "
                          "body is shorter than the body", &b->file->name);
            return NULL;
        }

        p += n;
    }

    return p;
}


ngx_uint_t
ngx_http_codat_body_is_json(ngx_http_request_t *r)
{
    u_char     *end;
    ngx_str_t   type;

    static ngx_str_t  prefix = ngx_string("application/");
    static ngx_str_t  json = ngx_string("json");
    static ngx_str_t  suffix = ngx_string("+json");

    if (r->headers_in.content_type == NULL
        || r->headers_in.content_type->value.len == 0)
    {
        return 1;
    }

    type = r->headers_in.content_type->value;

    end = ngx_strlchr(type.data, type.data + type.len, ';');

    if (end) {
        type.len = (size_t) (end - type.data);
    }

    while (type.len
           && (type.data[type.len - 1] == ' '
               || type.data[type.len - 1] == '\t'))
    {
        type.len--;
    }

    if (type.len < prefix.len
        || ngx_strncasecmp(type.data, prefix.data, prefix.len) != 0)
    {
        return 0;
    }

    type.len -= prefix.len;
    type.data += prefix.len;

    if (type.len == json.len
        && ngx_strncasecmp(type.data, json.data, json.len) == 0)
    {
        return 1;
    }

    if (type.len <= suffix.len
        || ngx_strncasecmp(type.data + type.len - suffix.len, suffix.data,
                           suffix.len)
           != 0)
    {
        return 0;
    }

    return ngx_http_codat_body_is_token(&type);
}


/* RFC 9110, section 5.6.2 */

static ngx_uint_t
ngx_http_codat_body_is_token(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] <= 0x20
            || text->data[i] >= 0x7f
            || ngx_strchr("\"(),/:;<=>?@[\\]{}", text->data[i]))
        {
            return 0;
        }
    }

    return 1;
}
