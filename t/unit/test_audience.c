
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Who wants which event, and the tags of companies as lines.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_audience.h"
#include "ngx_codat_pattern.h"


static void
split(ngx_pool_t *pool, ngx_array_t *array, const char *text)
{
    const char  *end;
    ngx_str_t   *one;

    assert_int_equal(ngx_array_init(array, pool, 2, sizeof(ngx_str_t)),
                     NGX_OK);

    while (*text) {
        end = strchr(text, ',');

        if (end == NULL) {
            end = text + strlen(text);
        }

        one = ngx_array_push(array);
        *one = ngx_codat_unit_guard(pool, text, (size_t) (end - text));

        text = *end ? end + 1 : end;
    }
}


static void
add(ngx_pool_t *pool, ngx_codat_audience_t *audience, uint64_t id,
    const char *client, const char *types, const char *tags)
{
    ngx_array_t                  wanted, tagged;
    ngx_codat_audience_member_t  member;

    split(pool, &wanted, types);
    split(pool, &tagged, tags);

    member.id = id;
    member.client = ngx_codat_unit_str(pool, client);
    member.types = &wanted;
    member.tags = &tagged;

    assert_int_equal(ngx_codat_audience_add(audience, &member), NGX_OK);
}


/* the ids that match, in ascending order, as text */

static const char *
match(ngx_pool_t *pool, ngx_codat_audience_t *audience, const char *type,
    const char *client, const char *tags)
{
    uint64_t                   *id, n;
    ngx_uint_t                  i, k;
    ngx_array_t                 ids;
    ngx_codat_audience_event_t  event;
    static char                 text[256];
    u_char                     *p;

    event.type = ngx_codat_unit_str(pool, type);
    event.client = ngx_codat_unit_str(pool, client);
    event.tags = ngx_codat_unit_str(pool, tags);

    assert_int_equal(ngx_array_init(&ids, pool, 1, sizeof(uint64_t)), NGX_OK);
    assert_int_equal(ngx_codat_audience_match(audience, &event, &ids),
                     NGX_OK);

    id = ids.elts;

    for (i = 1; i < ids.nelts; i++) {
        for (k = i; k && id[k] < id[k - 1]; k--) {
            n = id[k];
            id[k] = id[k - 1];
            id[k - 1] = n;
        }
    }

    p = (u_char *) text;

    for (i = 0; i < ids.nelts; i++) {
        p = ngx_sprintf(p, "%uL ", id[i]);
    }

    *p = '\0';

    return text;
}


static void
audience_knows_types(void **state)
{
    ngx_pool_t            *pool;
    ngx_codat_audience_t  *audience;

    pool = ngx_codat_unit_pool();
    audience = ngx_codat_audience_create(pool);

    add(pool, audience, 1, "", "invoices.write.successful", "");
    add(pool, audience, 2, "", "*", "");
    add(pool, audience, 3, "", "*.write.*", "");
    add(pool, audience, 4, "", "company.created,connection.created", "");
    add(pool, audience, 5, "",
        "invoices.write.successful,*.write.*,invoices.*", "");
    add(pool, audience, 6, "", "INVOICES.Write.Successful", "");
    add(pool, audience, 7, "", "", "");

    assert_string_equal(match(pool, audience, "invoices.write.successful", "",
                              ""), "1 2 3 5 6 ");
    assert_string_equal(match(pool, audience, "Invoices.write.SUCCESSFUL", "",
                              ""), "1 2 3 5 6 ");
    assert_string_equal(match(pool, audience, "bills.write.failed", "", ""),
                        "2 3 5 ");
    assert_string_equal(match(pool, audience, "connection.created", "", ""),
                        "2 4 ");
    assert_string_equal(match(pool, audience, "connection.create", "", ""),
                        "2 ");
    assert_string_equal(match(pool, audience, "", "", ""), "2 ");

    ngx_destroy_pool(pool);
}


static void
audience_knows_clients(void **state)
{
    ngx_pool_t            *pool;
    ngx_codat_audience_t  *audience;

    pool = ngx_codat_unit_pool();
    audience = ngx_codat_audience_create(pool);

    add(pool, audience, 1, "aaaa", "*", "");
    add(pool, audience, 2, "bbbb", "*", "");
    add(pool, audience, 3, "", "*", "");

    assert_string_equal(match(pool, audience, "x", "aaaa", ""), "1 3 ");
    assert_string_equal(match(pool, audience, "x", "AAAA", ""), "1 3 ");
    assert_string_equal(match(pool, audience, "x", "aaa", ""), "3 ");
    assert_string_equal(match(pool, audience, "x", "", ""), "1 2 3 ");

    ngx_destroy_pool(pool);
}


static void
audience_knows_tags(void **state)
{
    ngx_pool_t            *pool;
    ngx_codat_audience_t  *audience;

    pool = ngx_codat_unit_pool();
    audience = ngx_codat_audience_create(pool);

    add(pool, audience, 1, "", "*", "region:uk");
    add(pool, audience, 2, "", "*", "region:us,tier:gold");
    add(pool, audience, 3, "", "*", "");

    assert_string_equal(match(pool, audience, "x", "", "region:uk\n"),
                        "1 3 ");
    assert_string_equal(match(pool, audience, "x", "",
                              "region:fr\ntier:gold\n"), "2 3 ");
    assert_string_equal(match(pool, audience, "x", "",
                              "region:us\nregion:uk\n"), "1 2 3 ");

    /* case matters, and so does all of it */

    assert_string_equal(match(pool, audience, "x", "", "Region:uk\n"), "3 ");
    assert_string_equal(match(pool, audience, "x", "", "region:uk2\n"), "3 ");
    assert_string_equal(match(pool, audience, "x", "", "xregion:uk\n"), "3 ");
    assert_string_equal(match(pool, audience, "x", "", "a:b\nregion:uk"),
                        "1 3 ");
    assert_string_equal(match(pool, audience, "x", "", ""), "3 ");

    ngx_destroy_pool(pool);
}


static void
audience_bounds_types(void **state)
{
    char                   type[NGX_CODAT_AUDIENCE_TYPE + 2];
    ngx_pool_t            *pool;
    ngx_codat_audience_t  *audience;

    pool = ngx_codat_unit_pool();
    audience = ngx_codat_audience_create(pool);

    ngx_memset(type, 'a', sizeof(type));
    type[NGX_CODAT_AUDIENCE_TYPE + 1] = '\0';

    add(pool, audience, 1, "", type, "");
    add(pool, audience, 2, "", "*", "");
    assert_string_equal(match(pool, audience, type, "", ""), "");

    type[NGX_CODAT_AUDIENCE_TYPE] = '\0';

    add(pool, audience, 3, "", type, "");
    assert_string_equal(match(pool, audience, type, "", ""), "2 3 ");

    ngx_destroy_pool(pool);
}


/* the index finds what looking at each pattern finds */

static void
audience_agrees_with_patterns(void **state)
{
    u_char                *p;
    ngx_str_t              type, pattern;
    ngx_uint_t             i, k;
    ngx_pool_t            *pool;
    ngx_codat_audience_t  *audience;
    u_char                 expected[256];

    static const char  *patterns[] = {
        "a", "a.b", "a.*", "*", "*.b", "*.*", "a.*.c", "*.b.*", "b.a", "A.B",
        "*.*.*", "a.b.c"
    };

    static const char  *types[] = {
        "a", "b", "a.b", "b.a", "a.b.c", "a.x.c", "x.b.y", "a..c", ".", "a."
    };

    pool = ngx_codat_unit_pool();
    audience = ngx_codat_audience_create(pool);

    for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        add(pool, audience, i, "", patterns[i], "");
    }

    for (k = 0; k < sizeof(types) / sizeof(types[0]); k++) {

        type = ngx_codat_unit_str(pool, types[k]);
        p = expected;

        for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
            pattern = ngx_codat_unit_str(pool, patterns[i]);

            if (ngx_codat_pattern_match(&pattern, &type)) {
                p = ngx_sprintf(p, "%ui ", i);
            }
        }

        *p = '\0';

        assert_string_equal(match(pool, audience, types[k], "", ""),
                            (char *) expected);
    }

    ngx_destroy_pool(pool);
}


static void
tags_are_lines(void **state)
{
    ngx_uint_t   i;
    ngx_str_t    object, lines;
    ngx_pool_t  *pool;

    static const struct {
        const char  *object;
        const char  *lines;
    } table[] = {
        { "{}", "" },
        { " { } ", "" },
        { "{\"region\":\"uk\"}", "region:uk\n" },
        { "{ \"a\" : \"b\" , \"c\" : \"d\" }", "a:b\nc:d\n" },
        { "{\"a\":\"\",\"\":\"b\"}", "a:\n:b\n" },
        { "{\"a\":\"x\\ny\",\"b\\nc\":\"z\"}", "a:x y\nb c:z\n" },
        { "{\"q\":\"\\\"x\\\"\",\"b\":\"\\\\\"}", "q:\"x\"\nb:\\\n" },
        { "{\"u\":\"\\u00e9\"}", "u:\xc3\xa9\n" },
        { "{\"n\":1,\"t\":true,\"z\":null,\"a\":\"b\"}", "a:b\n" },
        { "{\"o\":{\"a\":\"b\",\"c\":[\"}\"]},\"a\":\"d\"}", "a:d\n" },
        { "{\"l\":[\"a\",{\"b\":\"]\"}],\"a\":\"d\"}", "a:d\n" },
        { "{\"a:b\":\"c\"}", "a:b:c\n" },
        { "{\"n\":1}", "" },

        /* what ends too early ends what is read */

        { "", "" },
        { "{\"a", "" },
        { "{\"a\"", "" },
        { "{\"a\": ", "" },
        { "{\"a\":\"b\",\"c\":1", "a:b\n" },
        { "{\"a\":\"b\",\"c\":{\"d\":[1}", "a:b\n" },
        { "{\"a\":\"b\",\"c\":[\"d", "a:b\n" }
    };

    pool = ngx_codat_unit_pool();

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {

        object = ngx_codat_unit_str(pool, table[i].object);

        assert_int_equal(ngx_codat_audience_tags(pool, &object, &lines),
                         NGX_OK);
        assert_int_equal(lines.len, strlen(table[i].lines));
        assert_non_null(lines.data);
        assert_memory_equal(lines.data, table[i].lines, lines.len);
    }

    ngx_destroy_pool(pool);
}


int
ngx_codat_unit_audience(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(audience_knows_types),
        cmocka_unit_test(audience_knows_clients),
        cmocka_unit_test(audience_knows_tags),
        cmocka_unit_test(audience_bounds_types),
        cmocka_unit_test(audience_agrees_with_patterns),
        cmocka_unit_test(tags_are_lines),
    };

    return cmocka_run_group_tests_name("audience", tests, NULL, NULL);
}
