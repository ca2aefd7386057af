
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the meaning of an event pattern.  Allocates nothing.  Must
 * not know which event types exist.
 */


#include "ngx_codat_pattern.h"


static ngx_str_t ngx_codat_pattern_segment(ngx_str_t *text, size_t start);
static ngx_uint_t ngx_codat_pattern_same(ngx_str_t *one, ngx_str_t *two);


const char *
ngx_codat_pattern_check(ngx_str_t *pattern)
{
    u_char      c;
    size_t      i, start;
    ngx_str_t   segment;

    if (pattern->len == 0) {
        return "is empty";
    }

    for (i = 0; i < pattern->len; i++) {
        c = pattern->data[i];

        if (c <= ' ' || c == ',' || c == 0x7f) {
            return "has a space, a comma or a control character";
        }
    }

    for (start = 0; start <= pattern->len; start += segment.len + 1) {

        segment = ngx_codat_pattern_segment(pattern, start);

        if (segment.len == 0) {
            return "has an empty segment";
        }

        if (segment.len > 1
            && ngx_strlchr(segment.data, segment.data + segment.len, '*'))
        {
            return "has a \"*\" that is not a whole segment";
        }
    }

    return NULL;
}


/*
 * Offsets of segments run from 0 to len inclusive, since a text that ends
 * with a dot ends with an empty segment; len + 1 is behind the last one.  If
 * something does not fit behind a star, the last star takes one segment
 * more.  No earlier one has to be tried again: whatever it could take, the
 * last one can take as well.
 *
 * The type is what somebody sent, so it may have empty segments, which a star
 * takes as any other: "*" matches everything.
 */

ngx_uint_t
ngx_codat_pattern_match(ngx_str_t *pattern, ngx_str_t *type)
{
    size_t      p, t, star, taken;
    ngx_str_t   want, have;
    ngx_uint_t  starred;

    p = 0;
    t = 0;
    star = 0;
    taken = 0;
    starred = 0;

    while (t <= type->len) {

        have = ngx_codat_pattern_segment(type, t);

        if (p <= pattern->len) {

            want = ngx_codat_pattern_segment(pattern, p);

            if (want.len == 1 && want.data[0] == '*') {
                p += want.len + 1;
                t += have.len + 1;

                starred = 1;
                star = p;
                taken = t;

                continue;
            }

            if (ngx_codat_pattern_same(&want, &have)) {
                p += want.len + 1;
                t += have.len + 1;

                continue;
            }
        }

        if (!starred) {
            return 0;
        }

        have = ngx_codat_pattern_segment(type, taken);
        taken += have.len + 1;

        p = star;
        t = taken;
    }

    return p > pattern->len;
}


static ngx_str_t
ngx_codat_pattern_segment(ngx_str_t *text, size_t start)
{
    size_t     end;
    ngx_str_t  segment;

    for (end = start; end < text->len; end++) {
        if (text->data[end] == '.') {
            break;
        }
    }

    segment.len = end - start;
    segment.data = text->data + start;

    return segment;
}


static ngx_uint_t
ngx_codat_pattern_same(ngx_str_t *one, ngx_str_t *two)
{
    size_t  i;

    if (one->len != two->len) {
        return 0;
    }

    for (i = 0; i < one->len; i++) {
        if (ngx_tolower(one->data[i]) != ngx_tolower(two->data[i])) {
            return 0;
        }
    }

    return 1;
}
