
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the bytes of JSON strings: what is UTF-8, decoding escapes
 * and writing them, names that stand for keys, where an array's elements
 * end.  Allocates nothing; must not know what a JSON text is.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_json_string.h"


#define ngx_codat_json_bytes(c)  (((uint64_t) -1 / 255) * (c))


static uint32_t ngx_codat_json_hex(const u_char *p);
static u_char *ngx_codat_json_utf8_encode(u_char *p, uint32_t ch);
static ngx_uint_t ngx_codat_json_utf8(const u_char *p, const u_char *last,
    size_t *len);
static size_t ngx_codat_json_plain(const u_char *p, const u_char *last);
static u_char *ngx_codat_json_space(u_char *p, u_char *last);


u_char *
ngx_codat_json_unescape(u_char *dst, const u_char *p, const u_char *last)
{
    u_char    *q;
    uint32_t   ch, low;

    q = dst;

    while (p < last) {

        if (*p != '\\') {
            *q++ = *p++;
            continue;
        }

        p++;

        switch (*p++) {

        case 'b':
            *q++ = '\b';
            break;

        case 'f':
            *q++ = '\f';
            break;

        case 'n':
            *q++ = '\n';
            break;

        case 'r':
            *q++ = '\r';
            break;

        case 't':
            *q++ = '\t';
            break;

        case 'u':
            ch = ngx_codat_json_hex(p);
            p += 4;

            if (ch >= 0xd800 && ch <= 0xdfff) {
                low = 0;

                if (ch <= 0xdbff && last - p >= 6 && p[0] == '\\'
                    && p[1] == 'u')
                {
                    low = ngx_codat_json_hex(p + 2);
                }

                if (low >= 0xdc00 && low <= 0xdfff) {
                    ch = 0x10000 + ((ch - 0xd800) << 10) + (low - 0xdc00);
                    p += 6;

                } else {
                    ch = 0xfffd;
                }
            }

            q = ngx_codat_json_utf8_encode(q, ch);
            break;

        default:                        /* a quote, a slash, a backslash */
            *q++ = p[-1];
        }
    }

    return q;
}


static uint32_t
ngx_codat_json_hex(const u_char *p)
{
    uint32_t    ch;
    ngx_uint_t  i;

    ch = 0;

    for (i = 0; i < 4; i++) {
        ch <<= 4;

        if (p[i] <= '9') {
            ch |= (uint32_t) (p[i] - '0');

        } else {
            ch |= (uint32_t) ((p[i] | 0x20) - 'a' + 10);
        }
    }

    return ch;
}


static u_char *
ngx_codat_json_utf8_encode(u_char *p, uint32_t ch)
{
    if (ch < 0x80) {
        *p++ = (u_char) ch;
        return p;
    }

    if (ch < 0x800) {
        *p++ = (u_char) (0xc0 | (ch >> 6));
        *p++ = (u_char) (0x80 | (ch & 0x3f));
        return p;
    }

    if (ch < 0x10000) {
        *p++ = (u_char) (0xe0 | (ch >> 12));

    } else {
        *p++ = (u_char) (0xf0 | (ch >> 18));
        *p++ = (u_char) (0x80 | ((ch >> 12) & 0x3f));
    }

    *p++ = (u_char) (0x80 | ((ch >> 6) & 0x3f));
    *p++ = (u_char) (0x80 | (ch & 0x3f));

    return p;
}


/*
 * Looks at the sequence that begins at p and sets its length, or that of the
 * longest beginning of a valid one.  Returns 1 if the sequence is valid.
 */

static ngx_uint_t
ngx_codat_json_utf8(const u_char *p, const u_char *last, size_t *len)
{
    u_char  low, high;
    size_t  i, n;

    low = 0x80;
    high = 0xbf;

    *len = 1;

    if (*p < 0x80) {
        return 1;
    }

    if (*p >= 0xc2 && *p <= 0xdf) {
        n = 2;

    } else if (*p >= 0xe0 && *p <= 0xef) {
        n = 3;

        if (*p == 0xe0) {
            low = 0xa0;

        } else if (*p == 0xed) {
            high = 0x9f;
        }

    } else if (*p >= 0xf0 && *p <= 0xf4) {
        n = 4;

        if (*p == 0xf0) {
            low = 0x90;

        } else if (*p == 0xf4) {
            high = 0x8f;
        }

    } else {
        return 0;
    }

    for (i = 1; i < n; i++) {

        if (p + i == last || p[i] < low || p[i] > high) {
            *len = i;
            return 0;
        }

        low = 0x80;
        high = 0xbf;
    }

    *len = n;

    return 1;
}


const u_char *
ngx_codat_json_utf8_check(ngx_str_t *text, const u_char **strange)
{
    size_t         len;
    uint64_t       word;
    const u_char  *p, *last;

    *strange = NULL;

    if (text->len == 0) {
        return NULL;
    }

    p = text->data;
    last = p + text->len;

    while (p < last) {

        while (last - p >= (ptrdiff_t) sizeof(uint64_t)) {
            ngx_memcpy(&word, p, sizeof(uint64_t));

            /* sums do not carry into the next byte if all are ASCII */

            if ((word | ((word + ngx_codat_json_bytes(0x80 - '\v'))
                         ^ (word + ngx_codat_json_bytes(0x80 - '\r'))))
                & ngx_codat_json_bytes(0x80))
            {
                break;
            }

            p += sizeof(uint64_t);
        }

        if (p == last) {
            break;
        }

        /* past what stopped us, or the last bytes one by one */

        do {
            if (!ngx_codat_json_utf8(p, last, &len)) {
                return p;
            }

            if ((*p == '\v' || *p == '\f') && *strange == NULL) {
                *strange = p;
            }

            p += len;

        } while (p < last && *p >= 0x80);
    }

    return NULL;
}


size_t
ngx_codat_json_string_len(ngx_str_t *string)
{
    return 2 + ngx_codat_json_escape_len(string);
}


u_char *
ngx_codat_json_string(u_char *p, ngx_str_t *string)
{
    *p++ = '"';
    p = ngx_codat_json_escape(p, string);
    *p++ = '"';

    return p;
}


/* The length of what can be copied as it stands, rounded down. */

static size_t
ngx_codat_json_plain(const u_char *p, const u_char *last)
{
    uint64_t       word, mask;
    const u_char  *s;

    for (s = p; last - s >= (ptrdiff_t) sizeof(uint64_t);
         s += sizeof(uint64_t))
    {
        ngx_memcpy(&word, s, sizeof(uint64_t));

        /* the high bit of each byte: is it ASCII, >= 0x20, no quote, no "\"?
           where one is not ASCII the rest may be wrong, but not the whole */

        mask = ~word
               & ((word | ngx_codat_json_bytes(0x80))
                  - ngx_codat_json_bytes(0x20))
               & ((word ^ ngx_codat_json_bytes('"'))
                  + ngx_codat_json_bytes(0x7f))
               & ((word ^ ngx_codat_json_bytes('\\'))
                  + ngx_codat_json_bytes(0x7f));

        if ((mask & ngx_codat_json_bytes(0x80)) != ngx_codat_json_bytes(0x80))
        {
            break;
        }
    }

    return (size_t) (s - p);
}


size_t
ngx_codat_json_escape_len(ngx_str_t *string)
{
    size_t         n, len;
    const u_char  *p, *last;

    n = 0;

    if (string->len == 0) {
        return n;
    }

    p = string->data;
    last = p + string->len;

    while (p < last) {

        len = ngx_codat_json_plain(p, last);
        n += len;
        p += len;

        if (p == last) {
            break;
        }

        if (*p >= 0x80) {
            n += ngx_codat_json_utf8(p, last, &len) ? len : 3;
            p += len;
            continue;
        }

        switch (*p) {

        case '"':
        case '\\':
        case '\b':
        case '\f':
        case '\n':
        case '\r':
        case '\t':
            n += 2;
            break;

        default:
            n += (*p < 0x20) ? sizeof("\\u0000") - 1 : 1;
        }

        p++;
    }

    return n;
}


u_char *
ngx_codat_json_escape(u_char *p, ngx_str_t *string)
{
    u_char         ch;
    size_t         len;
    const u_char  *s, *last;

    static const u_char  hex[] = "0123456789abcdef";

    if (string->len == 0) {
        return p;
    }

    s = string->data;
    last = s + string->len;

    while (s < last) {

        len = ngx_codat_json_plain(s, last);
        p = ngx_cpymem(p, s, len);
        s += len;

        if (s == last) {
            break;
        }

        ch = *s;

        if (ch >= 0x80) {

            if (ngx_codat_json_utf8(s, last, &len)) {
                p = ngx_cpymem(p, s, len);

            } else {
                p = ngx_codat_json_utf8_encode(p, 0xfffd);
            }

            s += len;
            continue;
        }

        s++;

        if (ch >= 0x20 && ch != '"' && ch != '\\') {
            *p++ = ch;
            continue;
        }

        *p++ = '\\';

        switch (ch) {

        case '"':
        case '\\':
            *p++ = ch;
            break;

        case '\b':
            *p++ = 'b';
            break;

        case '\f':
            *p++ = 'f';
            break;

        case '\n':
            *p++ = 'n';
            break;

        case '\r':
            *p++ = 'r';
            break;

        case '\t':
            *p++ = 't';
            break;

        default:
            *p++ = 'u';
            *p++ = '0';
            *p++ = '0';
            *p++ = hex[ch >> 4];
            *p++ = hex[ch & 0xf];
        }
    }

    return p;
}


ngx_uint_t
ngx_codat_json_like(const ngx_str_t *name, const u_char *key, size_t len)
{
    u_char  c1, c2;
    size_t  i;

    if (name->len != len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        c1 = ngx_tolower(key[i]);
        c2 = ngx_tolower(name->data[i]);

        if (c2 == '_') {
            if ((c1 >= 'a' && c1 <= 'z') || (c1 >= '0' && c1 <= '9')) {
                return 0;
            }

        } else if (c1 != c2) {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_codat_json_element(ngx_str_t *rest, ngx_str_t *element)
{
    u_char      *p, *start, *last;
    ngx_uint_t   depth, string;

    last = rest->data + rest->len;
    p = ngx_codat_json_space(rest->data, last);

    if (p == last || (*p != '[' && *p != ',')) {
        return NGX_DECLINED;
    }

    start = ngx_codat_json_space(p + 1, last);

    depth = 0;
    string = 0;

    for (p = start; p < last; p++) {

        if (string) {

            if (*p == '\\') {
                p++;

            } else if (*p == '"') {
                string = 0;
            }

            continue;
        }

        if (*p == '"') {
            string = 1;

        } else if (*p == '{' || *p == '[') {
            depth++;

        } else if (depth == 0 && (*p == ',' || *p == ']')) {
            break;

        } else if (*p == '}' || *p == ']') {
            depth--;
        }
    }

    /* nothing but "]", or no array at all */

    if (p >= last || p == start) {
        return NGX_DECLINED;
    }

    rest->data = p;
    rest->len = (size_t) (last - p);

    while (p > start && p[-1] <= ' ') {
        p--;
    }

    element->data = start;
    element->len = (size_t) (p - start);

    return NGX_OK;
}


static u_char *
ngx_codat_json_space(u_char *p, u_char *last)
{
    while (p < last && *p <= ' ') {
        p++;
    }

    return p;
}
