
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_prefer.h"
#include "ngx_http_codat_track_headers.h"


typedef enum {
    NGX_HTTP_CODAT_TRACK_OTHER = 0,
    NGX_HTTP_CODAT_TRACK_OURS,
    NGX_HTTP_CODAT_TRACK_PREFER,
    NGX_HTTP_CODAT_TRACK_ENCODINGS
} ngx_http_codat_track_header_e;


static ngx_http_codat_track_header_e ngx_http_codat_track_header(
    ngx_table_elt_t *h, ngx_uint_t encodings);
static ngx_uint_t ngx_http_codat_track_is(ngx_table_elt_t *h,
    const char *name, size_t len);
static ngx_int_t ngx_http_codat_track_value(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_uint_t encodings, ngx_str_t *value);
static ngx_uint_t ngx_http_codat_track_gzip(ngx_str_t *value);


#define ngx_http_codat_track_header_is(h, name)                              \
    ngx_http_codat_track_is(h, name, sizeof(name) - 1)


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

        if (ngx_http_codat_track_header_is(h, "x-codat-after")) {
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

        if (ngx_http_codat_track_header_is(h, "x-codat-after")) {
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
    ngx_uint_t                     n;
    ngx_table_elt_t               *h, *kept;
    ngx_http_codat_header_iter_t   first =
                          ngx_http_codat_header_iter(&r->headers_in.headers);
    ngx_http_codat_header_iter_t   iter;

    iter = first;
    n = 0;

    while ((h = ngx_http_codat_header_next(&iter)) != NULL) {
        n += ngx_http_codat_track_header(h, encodings)
             != NGX_HTTP_CODAT_TRACK_OTHER;
    }

    if (n == 0) {
        return NGX_OK;
    }

    headers = ngx_list_create(r->pool, 20, sizeof(ngx_table_elt_t));
    if (headers == NULL) {
        return NGX_ERROR;
    }

    iter = first;

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


static ngx_http_codat_track_header_e
ngx_http_codat_track_header(ngx_table_elt_t *h, ngx_uint_t encodings)
{
    if (ngx_http_codat_track_header_is(h, "x-codat-reference")
        || ngx_http_codat_track_header_is(h, "x-codat-after"))
    {
        return NGX_HTTP_CODAT_TRACK_OURS;
    }

    if (ngx_http_codat_track_header_is(h, "prefer")) {
        return NGX_HTTP_CODAT_TRACK_PREFER;
    }

    if (encodings != NGX_HTTP_CODAT_ENCODINGS_ALL
        && ngx_http_codat_track_header_is(h, "accept-encoding"))
    {
        return NGX_HTTP_CODAT_TRACK_ENCODINGS;
    }

    return NGX_HTTP_CODAT_TRACK_OTHER;
}


static ngx_uint_t
ngx_http_codat_track_is(ngx_table_elt_t *h, const char *name, size_t len)
{
    return h->key.len == len
           && ngx_strncasecmp(h->key.data, (u_char *) (uintptr_t) name, len)
              == 0;
}


/* the value that a header keeps; NGX_DECLINED if the header goes */

static ngx_int_t
ngx_http_codat_track_value(ngx_http_request_t *r, ngx_table_elt_t *h,
    ngx_uint_t encodings, ngx_str_t *value)
{
    *value = h->value;

    switch (ngx_http_codat_track_header(h, encodings)) {

    case NGX_HTTP_CODAT_TRACK_OURS:
        return NGX_DECLINED;

    case NGX_HTTP_CODAT_TRACK_PREFER:
        return ngx_http_codat_prefer_strip(r->pool, &h->value, value);

    case NGX_HTTP_CODAT_TRACK_ENCODINGS:

        if (encodings == NGX_HTTP_CODAT_ENCODINGS_NONE
            || !ngx_http_codat_track_gzip(&h->value))
        {
            return NGX_DECLINED;
        }

        ngx_str_set(value, "gzip");
        return NGX_OK;

    default: /* NGX_HTTP_CODAT_TRACK_OTHER */
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
