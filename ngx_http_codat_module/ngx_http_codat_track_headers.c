
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_prefer.h"
#include "ngx_http_codat_track_headers.h"


static ngx_uint_t ngx_http_codat_track_header(ngx_table_elt_t *h);
static ngx_int_t ngx_http_codat_track_value(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_uint_t encodings, ngx_str_t *value);
static ngx_uint_t ngx_http_codat_track_gzip(ngx_str_t *value);


#define ngx_http_codat_track_is(h, name)                                     \
    (ngx_strncasecmp((h)->key.data, (u_char *) name, sizeof(name) - 1) == 0)


ngx_uint_t
ngx_http_codat_track_scan(ngx_http_request_t *r)
{
    ngx_uint_t        i, found;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    found = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            found |= ngx_http_codat_track_header(&h[i]);
        }
    }

    return found;
}


ngx_int_t
ngx_http_codat_track_after(ngx_http_request_t *r, ngx_str_t *value)
{
    size_t                         len;
    u_char                        *p;
    ngx_uint_t                     n;
    ngx_table_elt_t               *h;
    ngx_http_codat_header_iter_t   first =
                          ngx_http_codat_header_iter(&r->headers_in.headers);
    ngx_http_codat_header_iter_t   iter;

    iter = first;
    len = 0;
    n = 0;

    while ((h = ngx_http_codat_header_next(&iter)) != NULL) {

        if (ngx_http_codat_track_header(h) == NGX_HTTP_CODAT_TRACK_AFTER) {
            *value = h->value;
            len += h->value.len + 1;
            n++;
        }
    }

    if (n == 0) {
        ngx_str_null(value);
    }

    if (n < 2) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    iter = first;

    while ((h = ngx_http_codat_header_next(&iter)) != NULL) {

        if (ngx_http_codat_track_header(h) == NGX_HTTP_CODAT_TRACK_AFTER) {
            p = ngx_cpymem(p, h->value.data, h->value.len);
            *p++ = ',';
        }
    }

    value->len = len - 1;

    return NGX_OK;
}


/*
 * The elements of the list are the client's, and others may hold pointers to
 * them: a new list has copies of those that remain.
 */

ngx_int_t
ngx_http_codat_track_strip(ngx_http_request_t *r, ngx_uint_t encodings)
{
    ngx_int_t                      rc;
    ngx_str_t                      value;
    ngx_list_t                    *headers;
    ngx_table_elt_t               *h, *kept;
    ngx_http_codat_header_iter_t   iter =
                          ngx_http_codat_header_iter(&r->headers_in.headers);

    headers = ngx_list_create(r->pool, 20, sizeof(ngx_table_elt_t));
    if (headers == NULL) {
        return NGX_ERROR;
    }

    while ((h = ngx_http_codat_header_next(&iter)) != NULL) {

        rc = ngx_http_codat_track_value(r, h, encodings, &value);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        kept = ngx_list_push(headers);
        if (kept == NULL) {
            return NGX_ERROR;
        }

        *kept = *h;
        kept->value = value;
    }

    r->headers_in.headers = *headers;

    if (headers->last == &headers->part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    return NGX_OK;
}


/* which of ours it is, or 0; by length first, for nearly all are others */

static ngx_uint_t
ngx_http_codat_track_header(ngx_table_elt_t *h)
{
    switch (h->key.len) {

    case sizeof("prefer") - 1:
        return ngx_http_codat_track_is(h, "prefer")
               ? NGX_HTTP_CODAT_TRACK_PREFER : 0;

    case sizeof("x-codat-after") - 1:
        return ngx_http_codat_track_is(h, "x-codat-after")
               ? NGX_HTTP_CODAT_TRACK_AFTER : 0;

    case sizeof("accept-encoding") - 1:
        return ngx_http_codat_track_is(h, "accept-encoding")
               ? NGX_HTTP_CODAT_TRACK_ENCODINGS : 0;

    case sizeof("x-codat-reference") - 1:
        return ngx_http_codat_track_is(h, "x-codat-reference")
               ? NGX_HTTP_CODAT_TRACK_REFERENCE : 0;

    default:
        return 0;
    }
}


/* the value that a header keeps; NGX_DECLINED if the header goes */

static ngx_int_t
ngx_http_codat_track_value(ngx_http_request_t *r, ngx_table_elt_t *h,
    ngx_uint_t encodings, ngx_str_t *value)
{
    *value = h->value;

    switch (ngx_http_codat_track_header(h)) {

    case NGX_HTTP_CODAT_TRACK_REFERENCE:
    case NGX_HTTP_CODAT_TRACK_AFTER:
        return NGX_DECLINED;

    case NGX_HTTP_CODAT_TRACK_PREFER:
        return ngx_http_codat_prefer_strip(r->pool, &h->value, value);

    case NGX_HTTP_CODAT_TRACK_ENCODINGS:

        if (encodings == NGX_HTTP_CODAT_ENCODINGS_ALL) {
            return NGX_OK;
        }

        if (encodings == NGX_HTTP_CODAT_ENCODINGS_NONE
            || !ngx_http_codat_track_gzip(&h->value))
        {
            return NGX_DECLINED;
        }

        ngx_str_set(value, "gzip");
        return NGX_OK;

    default:
        return NGX_OK;
    }
}


/* 1 if "gzip" is accepted by its name, and not as "gzip;q=0" */

static ngx_uint_t
ngx_http_codat_track_gzip(ngx_str_t *value)
{
    u_char  *p, *last;

    p = value->data;
    last = p + value->len;

    for ( ;; ) {

        p = ngx_strlcasestrn(p, last, (u_char *) "gzip", 4 - 1);

        if (p == NULL) {
            return 0;
        }

        if ((p == value->data || p[-1] == ',' || p[-1] == ' ')
            && (p + 4 == last || p[4] == ',' || p[4] == ' ' || p[4] == ';'))
        {
            break;
        }

        p += 4;
    }

    p += 4;

    while (p < last && (*p == ' ' || *p == ';')) {
        p++;
    }

    if (last - p < 3 || (p[0] | 0x20) != 'q' || p[1] != '=') {
        return 1;
    }

    for (p += 2; p < last && *p != ','; p++) {

        if (*p >= '1' && *p <= '9') {
            return 1;
        }
    }

    return 0;
}
