
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Patterns: "pattern NUL type".  Whether it is one, and whether it matches,
 * is decided a second time by the definition written down as a recursion.
 */


#include "ngx_codat_fuzz.h"
#include "ngx_codat_pattern.h"


/* the recursion takes exponential time: so many steps will do */

#define NGX_CODAT_FUZZ_STEPS  200000


typedef struct {
    ngx_str_t   *pattern;
    ngx_str_t   *type;
    ngx_uint_t   steps;
} ngx_codat_fuzz_match_t;


/* where the segment ends that begins there */

static size_t
segment(const ngx_str_t *text, size_t start)
{
    while (start < text->len && text->data[start] != '.') {
        start++;
    }

    return start;
}


static ngx_uint_t
pattern_good(const ngx_str_t *pattern)
{
    size_t  i, start, end;

    for (i = 0; i < pattern->len; i++) {
        if (pattern->data[i] <= 0x20 || pattern->data[i] == 0x7f
            || pattern->data[i] == ',')
        {
            return 0;
        }
    }

    for (start = 0; start <= pattern->len; start = end + 1) {
        end = segment(pattern, start);

        if (end == start) {
            return 0;
        }

        for (i = start; i < end; i++) {
            if (pattern->data[i] == '*' && end - start > 1) {
                return 0;
            }
        }
    }

    return 1;
}


/* one segment of the pattern takes one or, if it is a star, more */

static ngx_uint_t
matches(ngx_codat_fuzz_match_t *m, size_t p, size_t t)
{
    size_t  pend, tend, i;

    if (++m->steps > NGX_CODAT_FUZZ_STEPS) {
        return 0;
    }

    if (p > m->pattern->len || t > m->type->len) {
        return p > m->pattern->len && t > m->type->len;
    }

    pend = segment(m->pattern, p);
    tend = segment(m->type, t);

    if (pend - p == 1 && m->pattern->data[p] == '*') {
        return matches(m, pend + 1, tend + 1) || matches(m, p, tend + 1);
    }

    if (pend - p != tend - t) {
        return 0;
    }

    for (i = 0; i < pend - p; i++) {
        if (ngx_tolower(m->pattern->data[p + i])
            != ngx_tolower(m->type->data[t + i]))
        {
            return 0;
        }
    }

    return matches(m, pend + 1, tend + 1);
}


NGX_CODAT_FUZZ_TARGET(pattern)
{
    ngx_str_t                pattern, type;
    ngx_uint_t               matched, expected;
    ngx_pool_t              *pool;
    const char              *err;
    ngx_codat_fuzz_t         fuzz;
    ngx_codat_fuzz_match_t   m;

    pool = ngx_codat_fuzz_pool();

    fuzz.pos = data;
    fuzz.end = data + len;

    pattern = ngx_codat_fuzz_text(&fuzz, pool);
    type = ngx_codat_fuzz_rest(&fuzz, pool);

    err = ngx_codat_pattern_check(&pattern);

    ngx_codat_fuzz_want((err == NULL) == pattern_good(&pattern));

    if (err == NULL) {
        matched = ngx_codat_pattern_match(&pattern, &type);

        m.pattern = &pattern;
        m.type = &type;
        m.steps = 0;

        expected = matches(&m, 0, 0);

        ngx_codat_fuzz_want(m.steps > NGX_CODAT_FUZZ_STEPS
                            || matched == expected);

        /* a pattern is also a type, and a type without stars a pattern */

        ngx_codat_fuzz_want(ngx_codat_pattern_match(&pattern, &pattern));
    }

    ngx_destroy_pool(pool);
}
