
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Makes examples of events.  The catalogue is static; what is made
 * of it lies in the caller's pool.  Must not know what asks for it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_sha1.h>

#include "ngx_codat_pattern.h"
#include "ngx_codat_record.h"
#include "ngx_codat_sample.h"


#define NGX_CODAT_SAMPLE_TYPE  256      /* longer ones have no example */
#define NGX_CODAT_SAMPLE_UUID  36


typedef struct {
    ngx_str_t    pattern;
    ngx_str_t    text;
} ngx_codat_sample_t;


static ngx_uint_t ngx_codat_sample_plain(ngx_str_t *type);
static u_char *ngx_codat_sample_text(u_char *p, ngx_str_t *type, u_char what);
static u_char *ngx_codat_sample_uuid(u_char *p, const char *kind,
    ngx_str_t *type);


static ngx_codat_sample_t  ngx_codat_sample_catalogue[] = {
#define X(pattern, text)  { ngx_string(pattern), ngx_string(text) },
#include "ngx_codat_samples_x.h"
#undef X
    { ngx_null_string, ngx_null_string }
};


/* under which our ids are UUIDs of version 5 */

static const u_char  ngx_codat_sample_space[] = {
    0x7c, 0x1e, 0x95, 0xd2, 0x4b, 0x0a, 0x4f, 0x63,
    0x8e, 0x21, 0x5d, 0xa9, 0x30, 0xc4, 0x7f, 0x18
};


ngx_int_t
ngx_codat_sample(ngx_pool_t *pool, ngx_str_t *type, ngx_str_t *body)
{
    u_char              *p, *src, *last;
    size_t               len;
    ngx_codat_sample_t  *sample;

    if (!ngx_codat_sample_plain(type)) {
        return NGX_DECLINED;
    }

    for (sample = ngx_codat_sample_catalogue; sample->pattern.len; sample++) {
        if (ngx_codat_pattern_match(&sample->pattern, type)) {
            break;
        }
    }

    if (sample->pattern.len == 0) {
        return NGX_DECLINED;
    }

    src = sample->text.data;
    last = src + sample->text.len;
    len = sample->text.len;

    for (p = src; p < last; p++) {
        if (*p == '%') {
            len += ngx_max(type->len, NGX_CODAT_SAMPLE_UUID);
        }
    }

    body->data = ngx_pnalloc(pool, len);
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    for (p = body->data; src < last; src++) {

        if (*src == '%') {
            p = ngx_codat_sample_text(p, type, *++src);
            continue;
        }

        *p++ = (*src == '\'') ? '"' : *src;
    }

    body->len = (size_t) (p - body->data);

    return NGX_OK;
}


/*
 * Names that stand for others, as "*.write.successful" does in counters, and
 * what would have to be escaped, have no example.
 */

static ngx_uint_t
ngx_codat_sample_plain(ngx_str_t *type)
{
    u_char                   c;
    size_t                   i;

    static const ngx_str_t   unknown = ngx_string("unknown.");

    if (type->len > NGX_CODAT_SAMPLE_TYPE
        || (type->len > unknown.len
            && ngx_strncmp(type->data, unknown.data, unknown.len) == 0))
    {
        return 0;
    }

    for (i = 0; i < type->len; i++) {
        c = type->data[i];

        if ((c < '0' || c > '9')
            && (c < 'A' || c > 'Z')
            && (c < 'a' || c > 'z')
            && (c != '.' || i == 0)
            && c != '-' && c != '_')
        {
            return 0;
        }
    }

    return 1;
}


static u_char *
ngx_codat_sample_text(u_char *p, ngx_str_t *type, u_char what)
{
    u_char      *dot;
    ngx_str_t    none = ngx_null_string;

    switch (what) {

    case 'i':
        return ngx_codat_sample_uuid(p, "event ", type);

    case 'o':
        return ngx_codat_sample_uuid(p, "other ", type);

    case 'a':
        return ngx_codat_sample_uuid(p, "client", &none);

    case 'c':
        return ngx_codat_sample_uuid(p, "company", &none);

    case 'n':
        return ngx_codat_sample_uuid(p, "connection", &none);

    case 'd':
        dot = ngx_strlchr(type->data, type->data + type->len, '.');

        return ngx_cpymem(p, type->data,
                          dot ? (size_t) (dot - type->data) : type->len);

    default: /* 't' */
        return ngx_cpymem(p, type->data, type->len);
    }
}


static u_char *
ngx_codat_sample_uuid(u_char *p, const char *kind, ngx_str_t *type)
{
    u_char      digest[20];
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, ngx_codat_sample_space,
                    sizeof(ngx_codat_sample_space));
    ngx_sha1_update(&sha1, kind, ngx_strlen(kind));
    ngx_sha1_update(&sha1, type->data, type->len);
    ngx_sha1_final(digest, &sha1);

    digest[6] = (digest[6] & 0x0f) | 0x50;
    digest[8] = (digest[8] & 0x3f) | 0x80;

    return ngx_codat_uuid_format(p, digest);
}
