
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The second parser, see ngx_codat_fuzz_json.h.  jansson is strict, but
 * differs from the module in these points, which are evened out:
 *
 *  - It refuses numbers that no C type holds, such as 1e999.  The module
 *    passes numbers on as they were written.  Every number that is one by
 *    RFC 8259 is replaced before jansson sees it.
 *  - It refuses escapes of half a surrogate pair.  The module reads them as
 *    U+FFFD, and so they are written for jansson.
 *  - It refuses NUL in keys.  No name that anybody looks for has one, so
 *    there, too, it gets U+FFFD.
 *  - It keeps one of equal keys, where the first one was, and tells upper
 *    from lower case.  For the tree each key gets a number in front.
 *  - It allows a nesting of 2048.  Depth is counted here.
 *  - It loses a NUL behind a number, so that "4\0" is one.  A text with a NUL
 *    in it is none: strings have it escaped.
 */


#include "ngx_codat_fuzz_json.h"


#define NGX_CODAT_FUZZ_OFFSET  9            /* "0000002a:" in front of keys */


typedef struct {
    const u_char  *start;
    const u_char  *pos;
    const u_char  *end;
    u_char        *out;
    ngx_uint_t     tree;                    /* 0: only whether it is one */
} ngx_codat_fuzz_rewrite_t;


static json_t *ngx_codat_fuzz_json_load(ngx_pool_t *pool,
    const ngx_str_t *text, ngx_uint_t tree);
static void ngx_codat_fuzz_json_string(ngx_codat_fuzz_rewrite_t *in);
static void ngx_codat_fuzz_json_number(ngx_codat_fuzz_rewrite_t *in);
static const u_char *ngx_codat_fuzz_json_space(const u_char *p,
    const u_char *end);
static const u_char *ngx_codat_fuzz_json_close(const u_char *p,
    const u_char *end);
static int ngx_codat_fuzz_json_escape(const u_char *p, const u_char *end);
static ngx_uint_t ngx_codat_fuzz_json_depth(const json_t *value);


json_t *
ngx_codat_fuzz_json(ngx_pool_t *pool, const ngx_str_t *text)
{
    json_t  *value;

    if (text->len && memchr(text->data, '\0', text->len)) {
        return NULL;
    }

    value = ngx_codat_fuzz_json_load(pool, text, 0);

    if (value == NULL) {
        return NULL;
    }

    if (ngx_codat_fuzz_json_depth(value) > NGX_CODAT_FUZZ_JSON_DEPTH) {
        json_decref(value);
        return NULL;
    }

    json_decref(value);

    value = ngx_codat_fuzz_json_load(pool, text, 1);
    ngx_codat_fuzz_want(value != NULL);

    return value;
}


json_t *
ngx_codat_fuzz_json_ours(ngx_pool_t *pool, const ngx_str_t *text)
{
    json_t  *value;

    value = json_loadb((char *) text->data, text->len,
                       JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);

    /* a received body may be part of it, and that may be anything */

    if (value == NULL) {
        value = ngx_codat_fuzz_json_load(pool, text, 0);
    }

    if (value == NULL) {
        fprintf(stderr, "not JSON: %.*s\n", (int) text->len, text->data);
    }

    ngx_codat_fuzz_want(value != NULL);

    return value;
}


ngx_uint_t
ngx_codat_fuzz_json_is(const json_t *string, const ngx_str_t *text)
{
    size_t       len;
    const char  *p;

    if (!json_is_string(string)) {
        return 0;
    }

    p = json_string_value(string);
    len = json_string_length(string);

    return (len == text->len && memcmp(p, text->data, len) == 0)
           || memmem(p, len, "\xef\xbf\xbd", 3);
}


static json_t *
ngx_codat_fuzz_json_load(ngx_pool_t *pool, const ngx_str_t *text,
    ngx_uint_t tree)
{
    u_char                    *buf;
    json_t                    *value;
    ngx_codat_fuzz_rewrite_t   in;

    /* at most: of a one-letter string, of a key, of a number */

    buf = ngx_alloc(text->len * (NGX_CODAT_FUZZ_OFFSET + 3) + 16, pool->log);
    ngx_codat_fuzz_want(buf != NULL);

    in.start = text->data;
    in.pos = text->data;
    in.end = text->data + text->len;
    in.out = buf;
    in.tree = tree;

    while (in.pos < in.end) {

        if (*in.pos == '"') {
            ngx_codat_fuzz_json_string(&in);

        } else if (*in.pos == '-' || (*in.pos >= '0' && *in.pos <= '9')) {
            ngx_codat_fuzz_json_number(&in);

        } else {
            *in.out++ = *in.pos++;
        }
    }

    value = json_loadb((char *) buf, (size_t) (in.out - buf),
                       JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);
    ngx_free(buf);

    return value;
}


static void
ngx_codat_fuzz_json_string(ngx_codat_fuzz_rewrite_t *in)
{
    int            unit;
    ngx_uint_t     key;
    const u_char  *close, *colon;

    close = ngx_codat_fuzz_json_close(in->pos + 1, in->end);

    colon = close ? ngx_codat_fuzz_json_space(close + 1, in->end) : in->end;
    key = (colon < in->end && *colon == ':');

    *in->out++ = *in->pos++;

    if (close == NULL) {
        return;
    }

    if (in->tree && key) {
        colon = ngx_codat_fuzz_json_space(colon + 1, in->end);
        in->out = ngx_sprintf(in->out, "%08xz:",
                              (size_t) (colon - in->start));

    } else if (in->tree) {
        *in->out++ = 's';
    }

    while (in->pos < close) {

        unit = ngx_codat_fuzz_json_escape(in->pos, close);

        if (unit >= 0xd800 && unit < 0xdc00) {

            /* the first half, and the second one behind it */

            unit = ngx_codat_fuzz_json_escape(in->pos + 6, close);

            if (unit >= 0xdc00 && unit < 0xe000) {
                in->out = ngx_cpymem(in->out, in->pos, 12);
                in->pos += 12;
                continue;
            }

            unit = 0xfffd;

        } else if ((unit >= 0xdc00 && unit < 0xe000) || (unit == 0 && key)) {
            unit = 0xfffd;
        }

        if (unit == 0xfffd) {
            in->out = ngx_cpymem(in->out, "\\ufffd", 6);
            in->pos += 6;
            continue;
        }

        if (*in->pos == '\\' && close - in->pos > 1) {
            *in->out++ = *in->pos++;
        }

        *in->out++ = *in->pos++;
    }

    *in->out++ = *in->pos++;
}


/* the value of "\uXXXX", or -1 */

static int
ngx_codat_fuzz_json_escape(const u_char *p, const u_char *end)
{
    char       buf[5];
    ptrdiff_t  i;

    if (end - p < 6 || p[0] != '\\' || p[1] != 'u') {
        return -1;
    }

    for (i = 0; i < 4; i++) {
        if (!isxdigit(p[2 + i])) {
            return -1;
        }
    }

    ngx_memcpy(buf, p + 2, 4);
    buf[4] = '\0';

    return (int) strtol(buf, NULL, 16);
}


/* -?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?, else left as it is */

static void
ngx_codat_fuzz_json_number(ngx_codat_fuzz_rewrite_t *in)
{
    size_t         len;
    ngx_uint_t     good;
    const u_char  *p, *end, *digits;

    for (end = in->pos; end < in->end && *end; end++) {
        if (strchr("0123456789+-.eE", *end) == NULL) {
            break;
        }
    }

    len = (size_t) (end - in->pos);
    p = in->pos;

    if (p < end && *p == '-') {
        p++;
    }

    digits = p;

    while (p < end && isdigit(*p)) {
        p++;
    }

    good = (p > digits && (*digits != '0' || p == digits + 1));

    if (p < end && *p == '.') {
        digits = ++p;

        while (p < end && isdigit(*p)) {
            p++;
        }

        good = good && p > digits;
    }

    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }

        digits = p;

        while (p < end && isdigit(*p)) {
            p++;
        }

        good = good && p > digits;
    }

    if (!good || p != end) {
        in->out = ngx_cpymem(in->out, in->pos, len);

    } else if (in->tree) {
        *in->out++ = '"';
        *in->out++ = 'n';
        in->out = ngx_cpymem(in->out, in->pos, len);
        *in->out++ = '"';

    } else {
        *in->out++ = '0';
    }

    in->pos = end;
}


static const u_char *
ngx_codat_fuzz_json_space(const u_char *p, const u_char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        p++;
    }

    return p;
}


/* the quote that ends a string, or NULL */

static const u_char *
ngx_codat_fuzz_json_close(const u_char *p, const u_char *end)
{
    for ( /* void */ ; p < end; p++) {

        if (*p == '"') {
            return p;
        }

        if (*p == '\\') {
            p++;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_codat_fuzz_json_depth(const json_t *value)
{
    size_t       i;
    json_t      *element;
    ngx_uint_t   depth, deepest;
    const char  *key;

    deepest = 0;

    if (json_is_array(value)) {

        json_array_foreach(value, i, element) {
            depth = ngx_codat_fuzz_json_depth(element);
            deepest = ngx_max(deepest, depth);
        }

        return deepest + 1;
    }

    if (json_is_object(value)) {

        json_object_foreach((json_t *) (uintptr_t) value, key, element) {
            depth = ngx_codat_fuzz_json_depth(element);
            deepest = ngx_max(deepest, depth);
        }

        return deepest + 1;
    }

    return 0;
}


/* the value that begins there, of text that is JSON */

static ngx_str_t
ngx_codat_fuzz_json_raw(const ngx_str_t *text, size_t offset)
{
    ngx_str_t      raw;
    ngx_uint_t     depth;
    const u_char  *p, *end;

    p = text->data + offset;
    end = text->data + text->len;
    depth = 0;

    for ( /* void */ ; p < end; p++) {

        if (*p == '"') {
            p = ngx_codat_fuzz_json_close(p + 1, end);
            ngx_codat_fuzz_want(p != NULL);

        } else if (*p == '{' || *p == '[') {
            depth++;
            continue;

        } else if (depth && (*p == '}' || *p == ']')) {
            depth--;

        } else if (depth == 0 && strchr(",]} \t\r\n", *p)) {
            break;

        } else {
            continue;
        }

        if (depth == 0) {
            p++;
            break;
        }
    }

    raw.data = text->data + offset;
    raw.len = (size_t) (p - raw.data);

    return raw;
}


json_t *
ngx_codat_fuzz_json_member(const json_t *object, const char *name,
    const ngx_str_t *text, ngx_str_t *raw)
{
    json_t      *value, *found;
    const char  *key;

    found = NULL;

    if (!json_is_object(object)) {
        return NULL;
    }

    json_object_foreach((json_t *) (uintptr_t) object, key, value) {

        if (strcasecmp(key + NGX_CODAT_FUZZ_OFFSET, name) != 0) {
            continue;
        }

        found = value;

        if (raw) {
            *raw = ngx_codat_fuzz_json_raw(text, strtoul(key, NULL, 16));
        }
    }

    return found;
}
