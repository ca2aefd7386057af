
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_prefer.h"


static ngx_int_t ngx_http_codat_prefer_list(ngx_str_t *value);
static u_char *ngx_http_codat_prefer_next(u_char *p, u_char *last,
    u_char **end);
static ngx_int_t ngx_http_codat_prefer_item(u_char *p, u_char *last);


static ngx_str_t  ngx_http_codat_prefer_header =
    ngx_string("Preference-Applied");


ngx_int_t
ngx_http_codat_prefer_wait(ngx_http_request_t *r)
{
    ngx_int_t                      seconds;
    ngx_table_elt_t               *h;
    ngx_http_codat_header_iter_t   iter =
                          ngx_http_codat_header_iter(&r->headers_in.headers);

    if (r != r->main) {
        return NGX_ERROR;
    }

    while ((h = ngx_http_codat_header_next(&iter)) != NULL) {

        if (h->key.len != sizeof("prefer") - 1
            || ngx_strncmp(h->lowcase_key, "prefer", sizeof("prefer") - 1)
               != 0)
        {
            continue;
        }

        seconds = ngx_http_codat_prefer_list(&h->value);

        if (seconds != NGX_DECLINED) {
            return seconds;
        }
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_http_codat_prefer_strip(ngx_pool_t *pool, ngx_str_t *value,
    ngx_str_t *rest)
{
    u_char      *p, *q, *last, *next, *end;
    ngx_uint_t   waits;

    last = value->data + value->len;

    if (ngx_http_codat_prefer_list(value) == NGX_DECLINED) {
        *rest = *value;
        return NGX_OK;
    }

    q = ngx_pnalloc(pool, value->len);
    if (q == NULL) {
        return NGX_ERROR;
    }

    rest->data = q;

    for (p = value->data; p < last; p = next + 1) {

        next = ngx_http_codat_prefer_next(p, last, &end);
        waits = ngx_http_codat_prefer_item(p, end) != NGX_DECLINED;

        if (waits) {
            continue;
        }

        if (q != rest->data) {
            *q++ = ',';

        } else {
            while (p < next && *p == ' ') {
                p++;
            }
        }

        q = ngx_cpymem(q, p, (size_t) (next - p));
    }

    rest->len = (size_t) (q - rest->data);

    return rest->len ? NGX_OK : NGX_DECLINED;
}


/* returns NGX_DECLINED if none of these is about waiting */

static ngx_int_t
ngx_http_codat_prefer_list(ngx_str_t *value)
{
    u_char     *p, *last, *next, *end;
    ngx_int_t   seconds;

    last = value->data + value->len;

    for (p = value->data; p < last; p = next + 1) {

        next = ngx_http_codat_prefer_next(p, last, &end);
        seconds = ngx_http_codat_prefer_item(p, end);

        if (seconds != NGX_DECLINED) {
            return seconds;
        }
    }

    return NGX_DECLINED;
}


/*
 * Returns where the comma behind a preference is, or the end of all; *end is
 * where its parameters begin.
 */

static u_char *
ngx_http_codat_prefer_next(u_char *p, u_char *last, u_char **end)
{
    ngx_uint_t  quoted;

    *end = NULL;
    quoted = 0;

    for ( /* void */ ; p < last && (quoted || *p != ','); p++) {

        if (quoted && *p == '\\' && p + 1 < last) {
            p++;

        } else if (*p == '"') {
            quoted = !quoted;

        } else if (*p == ';' && !quoted && *end == NULL) {
            *end = p;
        }
    }

    if (*end == NULL) {
        *end = p;
    }

    return p;
}


/* "wait=30", to which white space and quotes make no difference */

static ngx_int_t
ngx_http_codat_prefer_item(u_char *p, u_char *last)
{

#define ngx_http_codat_blank(ch)  ((ch) == ' ' || (ch) == '\t')

    while (p < last && ngx_http_codat_blank(*p)) {
        p++;
    }

    while (p < last && ngx_http_codat_blank(last[-1])) {
        last--;
    }

    if (last - p < (ssize_t) sizeof("wait") - 1
        || ngx_strncasecmp(p, (u_char *) "wait", sizeof("wait") - 1) != 0)
    {
        return NGX_DECLINED;
    }

    p += sizeof("wait") - 1;

    if (p < last && *p != '=' && !ngx_http_codat_blank(*p)) {
        return NGX_DECLINED;
    }

    while (p < last && ngx_http_codat_blank(*p)) {
        p++;
    }

    if (p == last || *p++ != '=') {
        return NGX_ERROR;
    }

    while (p < last && ngx_http_codat_blank(*p)) {
        p++;
    }

#undef ngx_http_codat_blank

    if (last - p >= 2 && *p == '"' && last[-1] == '"') {
        p++;
        last--;
    }

    return ngx_http_codat_prefer_seconds(p, last);
}


ngx_int_t
ngx_http_codat_prefer_seconds(u_char *p, u_char *last)
{
    ngx_int_t  seconds;

    if (p == last) {
        return NGX_ERROR;
    }

    for (seconds = 0; p < last; p++) {

        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        seconds = seconds * 10 + (*p - '0');
        seconds = ngx_min(seconds, NGX_HTTP_CODAT_PREFER_MAX);
    }

    return seconds;
}


ngx_int_t
ngx_http_codat_prefer_applied(ngx_http_request_t *r, ngx_int_t seconds)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, sizeof("wait=") - 1 + NGX_INT_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = (size_t) (ngx_sprintf(value.data, "wait=%i", seconds)
                          - value.data);

    return ngx_http_codat_header_add(r, &ngx_http_codat_prefer_header,
                                     &value);
}
