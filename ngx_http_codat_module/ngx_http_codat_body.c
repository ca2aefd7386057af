
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_body.h"


static u_char *ngx_http_codat_body_read(ngx_http_request_t *r, ngx_buf_t *b,
    u_char *p);


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
