
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_header.h"


ngx_table_elt_t *
ngx_http_codat_header_next(ngx_http_codat_header_iter_t *iter)
{
    ngx_table_elt_t  *h;

    while (iter->i >= iter->part->nelts) {

        if (iter->part->next == NULL) {
            return NULL;
        }

        iter->part = iter->part->next;
        iter->i = 0;
    }

    h = iter->part->elts;

    return &h[iter->i++];
}


ngx_table_elt_t *
ngx_http_codat_header_find(ngx_list_t *list, ngx_str_t *name)
{
    ngx_table_elt_t               *h;
    ngx_http_codat_header_iter_t   iter = ngx_http_codat_header_iter(list);

    while ((h = ngx_http_codat_header_next(&iter)) != NULL) {

        if (h->hash
            && h->key.len == name->len
            && ngx_strncasecmp(h->key.data, name->data, name->len) == 0)
        {
            return h;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_codat_header_add(ngx_http_request_t *r, ngx_str_t *key,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key = *key;
    h->value = *value;
    ngx_http_codat_header_end(h);

    return NGX_OK;
}
