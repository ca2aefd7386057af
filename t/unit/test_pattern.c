
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Event patterns: examples, then all small patterns against all small types,
 * compared with the definition written down as a recursion.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_pattern.h"


static const char *
check(const char *pattern)
{
    ngx_str_t    s;
    ngx_pool_t  *pool;
    const char  *err;

    pool = ngx_codat_unit_pool();

    s = ngx_codat_unit_str(pool, pattern);
    err = ngx_codat_pattern_check(&s);

    ngx_destroy_pool(pool);

    return err;
}


static ngx_uint_t
match(const char *pattern, const char *type)
{
    ngx_str_t    p, t;
    ngx_uint_t   matched;
    ngx_pool_t  *pool;

    pool = ngx_codat_unit_pool();

    p = ngx_codat_unit_str(pool, pattern);
    t = ngx_codat_unit_str(pool, type);
    matched = ngx_codat_pattern_match(&p, &t);

    ngx_destroy_pool(pool);

    return matched;
}


static void
test_check(void **state)
{
    ngx_uint_t  i;

    static const char  *good[] = {
        "*", "a", "*.*", "connection.*", "*.write.*", "read.completed.initial",
        "invoices.write.successful", "a.*.b.*.c", "a-b.c_d", "unknown",
        "Connection.*", "1", "*.a.*"
    };

    static const char  *empty[] = {
        ".", "..", ".a", "a.", "a..b", "*.", ".*", "*..*", "a.b."
    };

    static const char  *star[] = {
        "**", "a*", "*a", "a*b", "a.b*", "*a.b", "a.**.b", "*.*a", "***"
    };

    static const char  *bytes[] = {
        " ", "a b", " a", "a ", "a,b", ",", "a\tb", "a\n", "a\x7f", "\x01"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(check(good[i]));
    }

    assert_string_equal(check(""), "is empty");

    for (i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        assert_string_equal(check(empty[i]), "has an empty segment");
    }

    for (i = 0; i < sizeof(star) / sizeof(star[0]); i++) {
        assert_string_equal(check(star[i]),
                            "has a \"*\" that is not a whole segment");
    }

    for (i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        assert_string_equal(check(bytes[i]),
                            "has a space, a comma or a control character");
    }
}


static void
test_literal(void **state)
{
    assert_int_equal(match("read.completed", "read.completed"), 1);
    assert_int_equal(match("read.completed", "Read.COMPLETED"), 1);
    assert_int_equal(match("Read.Completed", "read.completed"), 1);
    assert_int_equal(match("read.completed", "read.completed.initial"), 0);
    assert_int_equal(match("read.completed.initial", "read.completed"), 0);
    assert_int_equal(match("read.completed", "read.complete"), 0);
    assert_int_equal(match("read.complete", "read.completed"), 0);
    assert_int_equal(match("read.completed", "read_completed"), 0);
    assert_int_equal(match("read.completed", ""), 0);
    assert_int_equal(match("a", "b"), 0);

    /* no letters, though 0x20 apart */

    assert_int_equal(match("a@b", "a`b"), 0);
    assert_int_equal(match("a[", "a{"), 0);
    assert_int_equal(match("\xc3\x84", "\xc3\xa4"), 0);
}


static void
test_star(void **state)
{
    assert_int_equal(match("*", "anything"), 1);
    assert_int_equal(match("*", "a.b.c.d"), 1);
    assert_int_equal(match("*", "unknown"), 1);

    assert_int_equal(match("connection.*", "connection.created"), 1);
    assert_int_equal(match("connection.*", "CONNECTION.a.b"), 1);
    assert_int_equal(match("connection.*", "connection"), 0);
    assert_int_equal(match("connection.*", "connections.created"), 0);
    assert_int_equal(match("connection.*", "my.connection.created"), 0);

    assert_int_equal(match("*.write.*", "invoices.write.successful"), 1);
    assert_int_equal(match("*.write.*", "a.b.write.c.d"), 1);
    assert_int_equal(match("*.write.*", "write.successful"), 0);
    assert_int_equal(match("*.write.*", "invoices.write"), 0);
    assert_int_equal(match("*.write.*", "write.write"), 0);
    assert_int_equal(match("*.write.*", "write.write.write"), 1);
    assert_int_equal(match("*.write.*", "write.write.write.write"), 1);

    assert_int_equal(match("*.successful", "a.successful.successful"), 1);
    assert_int_equal(match("*.successful", "a.successful.b"), 0);
    assert_int_equal(match("*.a.b", "a.a.a.b"), 1);
    assert_int_equal(match("*.a.b", "a.b.a.b"), 1);
    assert_int_equal(match("*.a.b", "a.b"), 0);

    assert_int_equal(match("*.*", "a"), 0);
    assert_int_equal(match("*.*", "a.b"), 1);
    assert_int_equal(match("*.*", "a.b.c"), 1);
    assert_int_equal(match("*.*.*", "a.b"), 0);

    assert_int_equal(match("a.*.b.*.c", "a.x.b.y.c"), 1);
    assert_int_equal(match("a.*.b.*.c", "a.b.b.b.c"), 1);
    assert_int_equal(match("a.*.b.*.c", "a.b.b.c"), 0);
    assert_int_equal(match("a.*.b.*.c", "a.x.b.b.y.b.z.c"), 1);
    assert_int_equal(match("a.*.b.*.c", "a.x.b.y.c.d"), 0);
}


static void
test_odd_types(void **state)
{
    /* a star takes what nobody expects, so that "*" loses nothing */

    assert_int_equal(match("*", ""), 1);
    assert_int_equal(match("*", "."), 1);
    assert_int_equal(match("*", "a..b"), 1);
    assert_int_equal(match("*", "\xff\x01 ,"), 1);
    assert_int_equal(match("*", "*"), 1);
    assert_int_equal(match("a.*", "a."), 1);
    assert_int_equal(match("a.*.b", "a..b"), 1);
    assert_int_equal(match("*.a", ".a"), 1);
    assert_int_equal(match("*.*", ""), 0);
    assert_int_equal(match("*.*", "."), 1);

    assert_int_equal(match("a", "a."), 0);
    assert_int_equal(match("a", ".a"), 0);
    assert_int_equal(match("a.b", "a..b"), 0);

    /* a star in a type is a name */

    assert_int_equal(match("a", "*"), 0);
    assert_int_equal(match("a.b", "a.*"), 0);
}


/* "*" takes the first segment of the type, and then may take more. */

static ngx_uint_t
defined(const char *p, const char *t)
{
    if (*p == '\0') {
        return *t == '\0';
    }

    if (*t == '\0') {
        return 0;
    }

    if (*p == '*') {
        return defined(p + 1, t + 1) || defined(p, t + 1);
    }

    return *p == *t && defined(p + 1, t + 1);
}


/* Writes the n-th text of letters (none is the first) in two forms. */

static ngx_uint_t
nth(ngx_uint_t n, const char *letters, char *bare, u_char *dotted,
    ngx_str_t *text)
{
    u_char      *p;
    ngx_uint_t   base;

    base = ngx_strlen(letters);
    p = dotted;

    while (n) {
        n--;
        *bare++ = letters[n % base];
        *p++ = (u_char) letters[n % base];
        n /= base;

        if (n) {
            *p++ = '.';
        }
    }

    *bare = '\0';

    text->data = dotted;
    text->len = (size_t) (p - dotted);

    return text->len;
}


static void
test_exhaustive(void **state)
{
    char         p[16], t[16];
    u_char       pd[32], td[32];
    ngx_str_t    pattern, type;
    ngx_uint_t   i, k, matched;

    matched = 0;

    /* up to 6 segments of "a", "b", "*" against up to 7 of "a", "b" */

    for (i = 1; i <= 1092; i++) {

        (void) nth(i, "ab*", p, pd, &pattern);
        assert_null(ngx_codat_pattern_check(&pattern));

        for (k = 1; k <= 254; k++) {

            (void) nth(k, "ab", t, td, &type);

            if (ngx_codat_pattern_match(&pattern, &type) != defined(p, t)) {
                fail_msg("\"%s\" against \"%s\"", p, t);
            }

            matched += defined(p, t);
        }
    }

    assert_in_range(matched, 1000, 1092 * 254 / 2);
}


/* What takes exponential time if every star is tried again. */

static void
test_time(void **state)
{
    size_t       i;
    ngx_str_t    pattern, type;
    ngx_pool_t  *pool;

    pool = ngx_codat_unit_pool();

    pattern.len = 2 * 2 * 100 + 1;
    pattern.data = ngx_pnalloc(pool, pattern.len);
    type.len = 2 * 2000 - 1;
    type.data = ngx_pnalloc(pool, type.len);

    assert_non_null(pattern.data);
    assert_non_null(type.data);

    for (i = 0; i < pattern.len; i++) {
        pattern.data[i] = (u_char) "*.a."[i % 4];
    }

    pattern.data[pattern.len - 1] = 'b';

    for (i = 0; i < type.len; i++) {
        type.data[i] = (u_char) "a."[i % 2];
    }

    assert_null(ngx_codat_pattern_check(&pattern));
    assert_int_equal(ngx_codat_pattern_match(&pattern, &type), 0);

    type.data[type.len - 1] = 'b';
    assert_int_equal(ngx_codat_pattern_match(&pattern, &type), 1);

    ngx_destroy_pool(pool);
}


int
ngx_codat_unit_pattern(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_literal),
        cmocka_unit_test(test_star),
        cmocka_unit_test(test_odd_types),
        cmocka_unit_test(test_exhaustive),
        cmocka_unit_test(test_time),
    };

    return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
