
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * JSON: what is refused and where, what is picked, and strings both ways.
 * Texts stand against the end of a readable page.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_json.h"


#define text(s)  { sizeof(s) - 1, s }

#define leaf(key, slot)  { ngx_string(key), slot, slot + 1, NULL, 0 }
#define end_of_paths     { ngx_null_string, 0, 0, NULL, 0 }


typedef struct {
    size_t                  len;
    const char             *data;
} ngx_codat_unit_text_t;


typedef struct {
    ngx_codat_unit_text_t   text;
    size_t                  offset;
    const char             *reason;
} ngx_codat_unit_bad_t;


typedef struct {
    ngx_codat_unit_text_t   text;
    const char             *expected;       /* slots from 1, separated */
} ngx_codat_unit_pick_t;


typedef struct {
    ngx_codat_unit_text_t   in;
    ngx_codat_unit_text_t   out;
} ngx_codat_unit_pair_t;


static ngx_int_t ngx_codat_unit_json_select(ngx_pool_t *pool,
    const ngx_codat_unit_text_t *text, const ngx_codat_json_path_t *root,
    ngx_codat_json_value_t *slots, ngx_uint_t nslots,
    ngx_codat_json_error_t *err);
static void ngx_codat_unit_json_picks(const ngx_codat_unit_pick_t *picks,
    const ngx_codat_json_path_t *root, ngx_uint_t nslots);


static const ngx_codat_json_path_t  ngx_codat_unit_none[] = {
    end_of_paths
};


static const ngx_codat_unit_bad_t  ngx_codat_unit_bad[] = {

    /* nothing, or not all */

    { text(""), 0, "unexpected end" },
    { text("   "), 3, "unexpected end" },
    { text("\r\n\t"), 3, "unexpected end" },
    { text("{"), 1, "unexpected end" },
    { text("{\"a\""), 4, "unexpected end" },
    { text("{\"a\":"), 5, "unexpected end" },
    { text("{\"a\":1"), 6, "unexpected end" },
    { text("{\"a\":1,"), 7, "unexpected end" },
    { text("[1,2"), 4, "unexpected end" },
    { text("\"abc"), 4, "unexpected end" },
    { text("\"abc\\"), 5, "unexpected end" },
    { text("\"abc\\u12"), 8, "unexpected end" },
    { text("tru"), 3, "unexpected end" },
    { text("-"), 1, "unexpected end" },
    { text("1e"), 2, "unexpected end" },
    { text("1e+"), 3, "unexpected end" },
    { text("1."), 2, "unexpected end" },

    /* too much */

    { text("{} x"), 3, "data behind the value" },
    { text("{}{}"), 2, "data behind the value" },
    { text("1 2"), 2, "data behind the value" },
    { text("01"), 1, "data behind the value" },
    { text("{}\0"), 2, "data behind the value" },
    { text("{}/* c */"), 2, "data behind the value" },
    { text("{} \"abc"), 3, "data behind the value" },
    { text("[]tru"), 2, "data behind the value" },
    { text("\"a\" -"), 4, "data behind the value" },
    { text("null\"\\"), 4, "data behind the value" },

    /* structure */

    { text("}"), 0, "value expected" },
    { text("]"), 0, "value expected" },
    { text(" ,"), 1, "value expected" },
    { text(":"), 0, "value expected" },
    { text("[,1]"), 1, "value expected" },
    { text("[1,]"), 3, "value expected" },
    { text("[1,,2]"), 3, "value expected" },
    { text("{\"a\"::1}"), 5, "value expected" },
    { text("{\"a\": }"), 6, "value expected" },
    { text("{\"a\":[1,2},3]"), 9, "comma or end of array expected" },
    { text("[1 2]"), 3, "comma or end of array expected" },
    { text("[1 2"), 3, "comma or end of array expected" },
    { text("[true false]"), 6, "comma or end of array expected" },
    { text("[\"a\" \"b\"]"), 5, "comma or end of array expected" },
    { text("[01]"), 2, "comma or end of array expected" },
    { text("[-01]"), 3, "comma or end of array expected" },
    { text("{,"), 1, "object key expected" },
    { text("{\"a\":1,}"), 7, "object key expected" },
    { text("{\"a\":1 , }"), 9, "object key expected" },
    { text("{1:2}"), 1, "object key expected" },
    { text("{\"a\":1,null:2}"), 7, "object key expected" },
    { text("{a:1}"), 1, "unexpected character" },
    { text("{\"a\" 1}"), 5, "colon expected" },
    { text("{\"a\",1}"), 4, "colon expected" },
    { text("{\"a\"}"), 4, "colon expected" },
    { text("{\"a\":1 \"b\":2}"), 7,
      "comma or end of object expected" },
    { text("{\"a\":\"x\" \"b\":2}"), 9,
      "comma or end of object expected" },
    { text("{\"a\":1]"), 6, "comma or end of object expected" },
    { text("{\"a\":01}"), 6, "comma or end of object expected" },

    /* numbers and literals */

    { text("[1e]"), 3, "invalid number" },
    { text("[1e+]"), 4, "invalid number" },
    { text("[1.]"), 3, "invalid number" },
    { text("[1.e3]"), 3, "invalid number" },
    { text("[-x]"), 2, "invalid number" },
    { text("[--1]"), 2, "invalid number" },
    { text("[0x10]"), 2, "unexpected character" },
    { text("+1"), 0, "unexpected character" },
    { text(".5"), 0, "unexpected character" },
    { text("[Infinity]"), 1, "unexpected character" },
    { text("[NaN]"), 1, "unexpected character" },
    { text("trux"), 3, "invalid literal" },
    { text("[nul]"), 4, "invalid literal" },
    { text("[True]"), 1, "unexpected character" },

    /* strings */

    { text("\"a\tb\""), 2, "control character in a string" },
    { text("\"a\nb\""), 2, "control character in a string" },
    { text("\"\0\""), 1, "control character in a string" },
    { text("\"\x1f\""), 1, "control character in a string" },
    { text("\"a\vb\""), 2, "control character in a string" },
    { text("\"a\\q\""), 3, "invalid escape" },
    { text("\"a\\U0041\""), 3, "invalid escape" },
    { text("\"\\x41\""), 2, "invalid escape" },
    { text("\"\\u12g4\""), 5, "invalid escape" },
    { text("\"\\ud800\\u\""), 9, "invalid escape" },
    { text("'a'"), 0, "unexpected character" },

    /* between */

    { text("\xef\xbb\xbf{}"), 0, "unexpected character" },
    { text("// c\n{}"), 0, "unexpected character" },
    { text("[/* c */1]"), 1, "unexpected character" },
    { text("{\0}"), 1, "unexpected character" },
    { text("{\v}"), 1, "unexpected character" },
    { text("[1,\f2 x]"), 3, "unexpected character" },
    { text("[1 2,\v]"), 3, "comma or end of array expected" },
    { text("[1,2,3,4,5,6,7,8]\v"), 17, "unexpected character" },
    { text("[1,2]\xc2\xa0"), 5, "data behind the value" },

    /* UTF-8, wherever it stands, and before everything else */

    { text("\"\x80\""), 1, "invalid UTF-8" },
    { text("\"abcdefghijklmno\xff\""), 16, "invalid UTF-8" },
    { text("\"\xc0\x80\""), 1, "invalid UTF-8" },
    { text("\"\xc1\xbf\""), 1, "invalid UTF-8" },
    { text("\"\xe0\x80\x80\""), 1, "invalid UTF-8" },
    { text("\"\xe0\x9f\xbf\""), 1, "invalid UTF-8" },
    { text("\"\xed\xa0\x80\""), 1, "invalid UTF-8" },
    { text("\"\xed\xbf\xbf\""), 1, "invalid UTF-8" },
    { text("\"\xf0\x8f\xbf\xbf\""), 1, "invalid UTF-8" },
    { text("\"\xf4\x90\x80\x80\""), 1, "invalid UTF-8" },
    { text("\"\xf5\x80\x80\x80\""), 1, "invalid UTF-8" },
    { text("\"\xc3\""), 1, "invalid UTF-8" },
    { text("\"\xe2\x82\""), 1, "invalid UTF-8" },
    { text("\"\xf0\x9f\x98\""), 1, "invalid UTF-8" },
    { text("\"abcdef\xc3"), 7, "invalid UTF-8" },
    { text("\"abcdefg\xf0\x9f\x98"), 8, "invalid UTF-8" },
    { text("[1 2] \xff"), 6, "invalid UTF-8" },
    { text("\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\""), 9,
      "invalid UTF-8" }
};


static const ngx_codat_unit_text_t  ngx_codat_unit_good[] = {
    text("{}"), text("[]"), text("\"\""), text("0"), text("-0"),
    text("  true\r\n"), text("null"), text("1e999999"), text("-1.5E-300"),
    text("123456789012345678901234567890"), text("[0,0.0,1e5,1E+5]"),
    text("\"\\u0000\""), text("\"\\ud800\""), text("\"\\udc00\\ud800\""),
    text("\"\\/\\\\\\\"\\b\\f\\n\\r\\t\""), text("\"\x7f\""),
    text("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\""),
    text("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xef\xbf\xbf\""),
    text("{\"a\":{\"b\":[{},[],{\"c\":null}]},\"\":1}"),
    text("[\"\\\"\",\"\\\\\",\"a\\\\\\\"b\"]")
};


/* a, b.{c, d}, then an array of which the first element counts */

static const ngx_codat_json_path_t  ngx_codat_unit_b[] = {
    leaf("c", 3),
    leaf("d", 4),
    end_of_paths
};

static const ngx_codat_json_path_t  ngx_codat_unit_list[] = {
    leaf("x", 6),
    end_of_paths
};

static const ngx_codat_json_path_t  ngx_codat_unit_plain[] = {
    leaf("a", 1),
    { ngx_string("b"), 2, 5, ngx_codat_unit_b, 0 },
    { ngx_string("list"), 5, 7, ngx_codat_unit_list, 0 },
    end_of_paths
};


static const ngx_codat_unit_pick_t  ngx_codat_unit_plain_picks[] = {

    { text("{}"), "- - - - - -" },
    { text("[{\"a\":1}]"), "1 - - - - -" },
    { text("{\"a\":\"x\"}"), "'x' - - - - -" },
    { text("{ \"A\" : null }"), "null - - - - -" },
    { text("{\"a\":true,\"b\":false}"), "true false - - - -" },
    { text("{\"a\":-1.50e3}"), "-1.50e3 - - - - -" },
    { text("{\"a\":[ 1, {\"c\":2} ]}"), "[ 1, {\"c\":2} ] - - - - -" },
    { text("{\"a\":{\"c\":2}}"), "{\"c\":2} - - - - -" },
    { text("{\"c\":1,\"x\":2,\"ab\":3}"), "- - - - - -" },
    { text("{\"\\u0061\":1}"), "1 - - - - -" },
    { text("{\"a\\u0000\":1,\"\":2}"), "- - - - - -" },

    { text("{\"b\":{\"C\":1,\"d\":{\"c\":9}}}"),
      "- {\"C\":1,\"d\":{\"c\":9}} 1 {\"c\":9} - -" },
    { text("{\"b\":{\"e\":{\"c\":1}}}"), "- {\"e\":{\"c\":1}} - - - -" },

    /* the last of equal keys wins, with all that belongs to it */

    { text("{\"a\":1,\"A\":2}"), "2 - - - - -" },
    { text("{\"a\":1,\"a\":null}"), "null - - - - -" },
    { text("{\"b\":{\"c\":1,\"d\":2},\"b\":{\"d\":3}}"),
      "- {\"d\":3} - 3 - -" },
    { text("{\"b\":{\"c\":1,\"c\":2}}"), "- {\"c\":1,\"c\":2} 2 - - -" },
    { text("{\"b\":{\"c\":1},\"b\":7}"), "- 7 - - - -" },
    { text("{\"b\":{\"c\":1},\"a\":2,\"B\":null}"), "2 null - - - -" },

    /* the first element alone */

    { text("{\"list\":[{\"x\":1},{\"x\":2}]}"),
      "- - - - [{\"x\":1},{\"x\":2}] 1" },
    { text("{\"list\":[{},{\"x\":2}]}"), "- - - - [{},{\"x\":2}] -" },
    { text("{\"list\":[7,{\"x\":2}]}"), "- - - - [7,{\"x\":2}] -" },
    { text("{\"list\":[[{\"x\":2}]]}"), "- - - - [[{\"x\":2}]] -" },
    { text("{\"list\":[]}"), "- - - - [] -" },
    { text("{\"list\":{\"x\":3}}"), "- - - - {\"x\":3} 3" },
    { text("{\"list\":[{\"x\":1,\"x\":2}]}"),
      "- - - - [{\"x\":1,\"x\":2}] 2" },
    { text("{\"list\":[{\"x\":1}],\"list\":[]}"), "- - - - [] -" },

    { text("{\"a\":\"\"}"), "'' - - - - -" },
    { text("{\"a\":\"\\u00e9\\ud83d\\ude00\"}"),
      "'\xc3\xa9\xf0\x9f\x98\x80' - - - - -" },
    { text("{\"a\":\"\\ud83d\"}"), "'\xef\xbf\xbd' - - - - -" },
    { text("{\"a\":\"\\ude00\"}"), "'\xef\xbf\xbd' - - - - -" },
    { text("{\"a\":\"\\ud83dx\"}"), "'\xef\xbf\xbdx' - - - - -" },
    { text("{\"a\":\"\\ud83d\\u0041\"}"), "'\xef\xbf\xbd""A' - - - - -" },
    { text("{\"a\":\"\\ud83d\\ud83d\\ude00\"}"),
      "'\xef\xbf\xbd\xf0\x9f\x98\x80' - - - - -" },
    { text("{\"a\":\"\\ud83d\\n\"}"), "'\xef\xbf\xbd\n' - - - - -" },
    { text("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"),
      "'\"\\/\b\f\n\r\t' - - - - -" },
    { text("{\"a\":\"\\\\\",\"b\":\"x\\\\\\\"\"}"),
      "'\\' 'x\\\"' - - - -" },
    { text("{\"a\":\"\\\\\\\\\"}"), "'\\\\' - - - - -" },
    { text("{\"z\":\"a\\\"\",\"a\":\"\\\"\"}"), "'\"' - - - - -" },
    { text("{\"a\":\"\\uFFFF\\u07Ff\"}"),
      "'\xef\xbf\xbf\xdf\xbf' - - - - -" }
};


/* reads.{x of any, f of the first, inner.{y of any}} */

static const ngx_codat_json_path_t  ngx_codat_unit_inner[] = {
    leaf("y", 5),
    end_of_paths
};

static const ngx_codat_json_path_t  ngx_codat_unit_reads[] = {
    leaf("x", 2),
    { ngx_string("f"), 3, 4, NULL, NGX_CODAT_JSON_FIRST },
    { ngx_string("inner"), 4, 6, ngx_codat_unit_inner,
      NGX_CODAT_JSON_ANY },
    end_of_paths
};

static const ngx_codat_json_path_t  ngx_codat_unit_any[] = {
    { ngx_string("reads"), 1, 6, ngx_codat_unit_reads, NGX_CODAT_JSON_ANY },
    leaf("z", 6),
    end_of_paths
};


static const ngx_codat_unit_pick_t  ngx_codat_unit_any_picks[] = {

    { text("{\"reads\":[{\"x\":1},{\"x\":2}]}"),
      "[{\"x\":1},{\"x\":2}] 1 - - - -" },
    { text("{\"reads\":[{},{\"x\":2},{\"x\":3}]}"),
      "[{},{\"x\":2},{\"x\":3}] 2 - - - -" },
    { text("{\"reads\":[{\"x\":null},8,[],{\"x\":2}]}"),
      "[{\"x\":null},8,[],{\"x\":2}] 2 - - - -" },
    { text("{\"reads\":[{\"x\":null},{\"x\":null}]}"),
      "[{\"x\":null},{\"x\":null}] null - - - -" },
    { text("{\"reads\":[{\"x\":1,\"x\":2},{\"x\":3}]}"),
      "[{\"x\":1,\"x\":2},{\"x\":3}] 2 - - - -" },
    { text("{\"reads\":[{\"x\":1,\"x\":null},{\"x\":3}]}"),
      "[{\"x\":1,\"x\":null},{\"x\":3}] 3 - - - -" },
    { text("{\"reads\":[{},{\"x\":1,\"x\":2}]}"),
      "[{},{\"x\":1,\"x\":2}] 2 - - - -" },
    { text("{\"reads\":{\"x\":1}}"), "{\"x\":1} 1 - - - -" },

    { text("{\"reads\":[{\"f\":1},{\"f\":2}]}"),
      "[{\"f\":1},{\"f\":2}] - 1 - - -" },
    { text("{\"reads\":[{\"x\":1},{\"f\":2}]}"),
      "[{\"x\":1},{\"f\":2}] 1 - - - -" },
    { text("{\"reads\":[7,{\"f\":2}]}"), "[7,{\"f\":2}] - - - - -" },

    { text("{\"reads\":[{\"inner\":[{},{\"y\":1}]},{\"inner\":[{\"y\":2}]}]}"),
      "[{\"inner\":[{},{\"y\":1}]},{\"inner\":[{\"y\":2}]}]"
      " - - [{},{\"y\":1}] 1 -" },
    { text("{\"reads\":[{\"inner\":[]},{\"inner\":[{\"y\":2}]}],\"z\":1}"),
      "[{\"inner\":[]},{\"inner\":[{\"y\":2}]}] - - [] 2 1" },

    /* a repeated member forgets its own, not what an earlier element had */

    { text("{\"reads\":[{\"inner\":[{\"y\":1}],\"inner\":[{}]}]}"),
      "[{\"inner\":[{\"y\":1}],\"inner\":[{}]}] - - [{}] - -" },
    { text("{\"reads\":[{\"inner\":[{\"y\":1}]},"
           "{\"inner\":[{\"y\":2}],\"inner\":[]}]}"),
      "[{\"inner\":[{\"y\":1}]},{\"inner\":[{\"y\":2}],\"inner\":[]}]"
      " - - [{\"y\":1}] 1 -" },
    { text("{\"reads\":[{},{\"inner\":[{\"y\":1}],\"inner\":[{\"y\":2}]}]}"),
      "[{},{\"inner\":[{\"y\":1}],\"inner\":[{\"y\":2}]}]"
      " - - [{\"y\":2}] 2 -" },
    { text("{\"reads\":[{\"x\":1,\"inner\":[{\"y\":1}]}],\"reads\":[{}]}"),
      "[{}] - - - - -" },
    { text("{\"reads\":[{\"x\":1}],\"reads\":[{},{\"x\":2}]}"),
      "[{},{\"x\":2}] 2 - - - -" }
};


static const ngx_codat_unit_pair_t  ngx_codat_unit_strings[] = {
    { text(""), text("\"\"") },
    { text("plain text of more than eight bytes"),
      text("\"plain text of more than eight bytes\"") },
    { text("\"\\/"), text("\"\\\"\\\\/\"") },
    { text("12345678\"12345678\\1234567\n"),
      text("\"12345678\\\"12345678\\\\1234567\\n\"") },
    { text("\b\f\n\r\t"), text("\"\\b\\f\\n\\r\\t\"") },
    { text("\0\x01\x0b\x1f \x7f"),
      text("\"\\u0000\\u0001\\u000b\\u001f \x7f\"") },
    { text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
      text("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"") },
    { text("1234567\xc3\xa9""1234567"),
      text("\"1234567\xc3\xa9""1234567\"") },

    /* one U+FFFD for each longest beginning of something valid */

    { text("\x80"), text("\"\xef\xbf\xbd\"") },
    { text("a\xff""b"), text("\"a\xef\xbf\xbd""b\"") },
    { text("\xc3"), text("\"\xef\xbf\xbd\"") },
    { text("\xc3\xc3\xa9"), text("\"\xef\xbf\xbd\xc3\xa9\"") },
    { text("\xe2\x82"), text("\"\xef\xbf\xbd\"") },
    { text("\xe2\x82\""), text("\"\xef\xbf\xbd\\\"\"") },
    { text("\xf0\x9f\x98x"), text("\"\xef\xbf\xbdx\"") },
    { text("\xc0\x80"), text("\"\xef\xbf\xbd\xef\xbf\xbd\"") },
    { text("\xed\xa0\x80"),
      text("\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"") },
    { text("\xf4\x90\x80\x80"),
      text("\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"") }
};


static ngx_int_t
ngx_codat_unit_json_select(ngx_pool_t *pool,
    const ngx_codat_unit_text_t *text, const ngx_codat_json_path_t *root,
    ngx_codat_json_value_t *slots, ngx_uint_t nslots,
    ngx_codat_json_error_t *err)
{
    ngx_str_t  s;

    s = ngx_codat_unit_guard(pool, text->data, text->len);

    return ngx_codat_json_select(pool, &s, root, slots, nslots, err);
}


static void
ngx_codat_unit_json_bad(void **state)
{
    size_t                   i, n;
    ngx_int_t                rc;
    ngx_pool_t              *pool;
    ngx_codat_json_error_t   err;
    ngx_codat_json_value_t   slot;

    (void) state;

    n = sizeof(ngx_codat_unit_bad) / sizeof(ngx_codat_unit_bad[0]);

    for (i = 0; i < n; i++) {
        pool = ngx_codat_unit_pool();

        err.offset = 1000;
        err.reason = "nothing";

        rc = ngx_codat_unit_json_select(pool, &ngx_codat_unit_bad[i].text,
                                        ngx_codat_unit_none, &slot, 1, &err);

        ngx_destroy_pool(pool);

        if (rc != NGX_DECLINED
            || err.offset != ngx_codat_unit_bad[i].offset
            || strcmp(err.reason, ngx_codat_unit_bad[i].reason) != 0)
        {
            fail_msg("\"%s\": %ld, \"%s\" at %zu, expected \"%s\" at %zu",
                     ngx_codat_unit_bad[i].text.data, (long) rc, err.reason,
                     err.offset, ngx_codat_unit_bad[i].reason,
                     ngx_codat_unit_bad[i].offset);
        }
    }
}


static void
ngx_codat_unit_json_good(void **state)
{
    size_t                   i, n;
    ngx_pool_t              *pool;
    ngx_codat_json_error_t   err;
    ngx_codat_json_value_t   slot;

    (void) state;

    n = sizeof(ngx_codat_unit_good) / sizeof(ngx_codat_unit_good[0]);

    for (i = 0; i < n; i++) {
        pool = ngx_codat_unit_pool();

        if (ngx_codat_unit_json_select(pool, &ngx_codat_unit_good[i],
                                       ngx_codat_unit_none, &slot, 1, &err)
            != NGX_OK)
        {
            fail_msg("\"%s\": \"%s\" at %zu", ngx_codat_unit_good[i].data,
                     err.reason, err.offset);
        }

        ngx_destroy_pool(pool);
    }
}


/* The end of the text at every byte, and every byte replaced. */

static void
ngx_codat_unit_json_cut(void **state)
{
    char                     copy[128];
    size_t                   i, k;
    ngx_int_t                rc;
    ngx_pool_t              *pool;
    ngx_codat_unit_text_t    cut;
    ngx_codat_json_error_t   err;
    ngx_codat_json_value_t   slots[7];

    static const ngx_codat_unit_text_t  whole =
        text("{\"a\":[1.5e3,true,null],\"b\":{\"c\":\"x\\u00e9\\\"y\"},"
             "\"list\":[{\"x\":false},{}]}");

    static const char  bytes[] = "\0\v \"\\,:[]{}0-etx\x7f\x80\xc3\xff";

    (void) state;

    for (i = 0; i < whole.len; i++) {
        pool = ngx_codat_unit_pool();

        cut.data = whole.data;
        cut.len = i;

        rc = ngx_codat_unit_json_select(pool, &cut, ngx_codat_unit_plain,
                                        slots, 7, &err);
        assert_int_equal(rc, NGX_DECLINED);
        assert_int_equal(err.offset, i);
        assert_string_equal(err.reason, "unexpected end");

        for (k = 0; k < sizeof(bytes) - 1; k++) {
            memcpy(copy, whole.data, whole.len);
            copy[i] = bytes[k];

            cut.data = copy;
            cut.len = whole.len;

            rc = ngx_codat_unit_json_select(pool, &cut, ngx_codat_unit_plain,
                                            slots, 7, &err);

            if (rc == NGX_DECLINED) {
                assert_true(err.offset <= whole.len);
                assert_true(err.offset >= i
                            || strcmp(err.reason, "nothing") != 0);

            } else {
                assert_int_equal(rc, NGX_OK);
            }
        }

        ngx_destroy_pool(pool);
    }
}


static void
ngx_codat_unit_json_depth(void **state)
{
    char                     nested[2 * (NGX_CODAT_JSON_DEPTH + 1)];
    size_t                   i;
    ngx_int_t                rc;
    ngx_pool_t              *pool;
    ngx_codat_unit_text_t    t;
    ngx_codat_json_error_t   err;
    ngx_codat_json_value_t   slot;

    (void) state;

    pool = ngx_codat_unit_pool();

    t.data = nested;
    t.len = 2 * NGX_CODAT_JSON_DEPTH;

    for (i = 0; i < NGX_CODAT_JSON_DEPTH; i++) {
        nested[i] = '[';
        nested[NGX_CODAT_JSON_DEPTH + i] = ']';
    }

    rc = ngx_codat_unit_json_select(pool, &t, ngx_codat_unit_none, &slot, 1,
                                    &err);
    assert_int_equal(rc, NGX_OK);
    assert_int_equal(slot.type, NGX_CODAT_JSON_ARRAY);
    assert_int_equal(slot.text.len, t.len);

    t.len += 2;

    for (i = 0; i <= NGX_CODAT_JSON_DEPTH; i++) {
        nested[i] = '[';
        nested[NGX_CODAT_JSON_DEPTH + 1 + i] = ']';
    }

    rc = ngx_codat_unit_json_select(pool, &t, ngx_codat_unit_none, &slot, 1,
                                    &err);
    assert_int_equal(rc, NGX_DECLINED);
    assert_int_equal(err.offset, NGX_CODAT_JSON_DEPTH);
    assert_string_equal(err.reason, "nested too deeply");

    nested[NGX_CODAT_JSON_DEPTH] = '{';

    rc = ngx_codat_unit_json_select(pool, &t, ngx_codat_unit_none, &slot, 1,
                                    &err);
    assert_int_equal(rc, NGX_DECLINED);
    assert_int_equal(err.offset, NGX_CODAT_JSON_DEPTH);

    ngx_destroy_pool(pool);
}


/* Tokens that yajl must copy are bounded by what was reserved for them. */

static void
ngx_codat_unit_json_long(void **state)
{
    char                    *p;
    size_t                   i, len;
    ngx_int_t                rc;
    ngx_pool_t              *pool;
    ngx_codat_unit_text_t    t;
    ngx_codat_json_error_t   err;
    ngx_codat_json_value_t   slots[7];

    (void) state;

    for (len = 16; len < 300000; len = len * 2 + 1) {
        pool = ngx_codat_unit_pool();

        p = ngx_palloc(pool, len + 16);
        assert_non_null(p);

        /* a number, to be decided at the end of the text */

        memset(p, '7', len);

        t.data = p;
        t.len = len;

        rc = ngx_codat_unit_json_select(pool, &t, ngx_codat_unit_none, slots,
                                        1, &err);
        assert_int_equal(rc, NGX_OK);
        assert_int_equal(slots[0].type, NGX_CODAT_JSON_NUMBER);
        assert_int_equal(slots[0].text.len, len);

        /* a string without its end */

        p[0] = '"';

        rc = ngx_codat_unit_json_select(pool, &t, ngx_codat_unit_none, slots,
                                        1, &err);
        assert_int_equal(rc, NGX_DECLINED);
        assert_int_equal(err.offset, len);

        /* one with escapes, as a value and as a key */

        memcpy(p, "{\"a\":\"", 6);
        memcpy(p + len - 4, "\\n\"}", 4);

        rc = ngx_codat_unit_json_select(pool, &t, ngx_codat_unit_plain,
                                        slots, 7, &err);
        assert_int_equal(rc, NGX_OK);
        assert_int_equal(slots[1].type, NGX_CODAT_JSON_STRING);
        assert_int_equal(slots[1].text.len, len - 6 - 4 + 1);
        assert_int_equal(slots[1].text.data[slots[1].text.len - 1], '\n');

        memcpy(p, "{\"aaaa", 6);
        memcpy(p + len - 8, "\\\\\\t\":1}", 8);

        rc = ngx_codat_unit_json_select(pool, &t, ngx_codat_unit_plain,
                                        slots, 7, &err);
        assert_int_equal(rc, NGX_OK);

        /* nothing but escapes, and no end */

        for (i = 0; i + 1 < len; i += 2) {
            p[i] = '\\';
            p[i + 1] = 'n';
        }

        p[0] = '"';
        p[1] = '"';
        p[2] = ' ';
        p[3] = '"';

        rc = ngx_codat_unit_json_select(pool, &t, ngx_codat_unit_plain,
                                        slots, 7, &err);
        assert_int_equal(rc, NGX_DECLINED);

        ngx_destroy_pool(pool);
    }
}


static void
ngx_codat_unit_json_plain(void **state)
{
    size_t                        i, n;
    const ngx_codat_unit_pick_t  *pick;

    (void) state;

    n = sizeof(ngx_codat_unit_plain_picks)
        / sizeof(ngx_codat_unit_plain_picks[0]);

    for (i = 0; i < n; i++) {
        pick = &ngx_codat_unit_plain_picks[i];

        /* elements of an outermost array are like members of "root" */

        ngx_codat_unit_json_picks(pick, ngx_codat_unit_plain, 7);
    }
}


static void
ngx_codat_unit_json_any(void **state)
{
    size_t  i, n;

    (void) state;

    n = sizeof(ngx_codat_unit_any_picks)
        / sizeof(ngx_codat_unit_any_picks[0]);

    for (i = 0; i < n; i++) {
        ngx_codat_unit_json_picks(&ngx_codat_unit_any_picks[i],
                                  ngx_codat_unit_any, 7);
    }
}


static void
ngx_codat_unit_json_picks(const ngx_codat_unit_pick_t *pick,
    const ngx_codat_json_path_t *root, ngx_uint_t nslots)
{
    u_char                  *p, out[1024];
    ngx_str_t                text;
    ngx_uint_t               i;
    ngx_pool_t              *pool;
    ngx_codat_json_error_t   err;
    ngx_codat_json_value_t   slots[NGX_CODAT_JSON_SLOTS];

    pool = ngx_codat_unit_pool();
    text = ngx_codat_unit_guard(pool, pick->text.data, pick->text.len);

    memset(slots, 0x5a, sizeof(slots));

    if (ngx_codat_json_select(pool, &text, root, slots, nslots, &err)
        != NGX_OK)
    {
        fail_msg("%s: \"%s\" at %zu", pick->text.data, err.reason,
                 err.offset);
    }

    p = out;

    for (i = 1; i < nslots; i++) {

        if (i > 1) {
            *p++ = ' ';
        }

        switch (slots[i].type) {

        case NGX_CODAT_JSON_ABSENT:
            *p++ = '-';
            assert_int_equal(slots[i].text.len, 0);
            break;

        case NGX_CODAT_JSON_STRING:
            p = ngx_sprintf(p, "'%V'", &slots[i].text);
            break;

        case NGX_CODAT_JSON_NULL:
        case NGX_CODAT_JSON_BOOLEAN:
        case NGX_CODAT_JSON_NUMBER:
        case NGX_CODAT_JSON_OBJECT:
        case NGX_CODAT_JSON_ARRAY:

            /* the text as it was written, in place */

            assert_true(slots[i].text.data >= text.data);
            assert_true(slots[i].text.data + slots[i].text.len
                        <= text.data + text.len);
            p = ngx_sprintf(p, "%V", &slots[i].text);
        }
    }

    *p = '\0';

    assert_string_equal((char *) out, pick->expected);

    ngx_destroy_pool(pool);
}


static void
ngx_codat_unit_json_types(void **state)
{
    size_t                   i;
    ngx_pool_t              *pool;
    ngx_codat_json_error_t   err;
    ngx_codat_json_value_t   slot;

    static const struct {
        ngx_codat_unit_text_t   text;
        ngx_codat_json_type_e   type;
        const char             *value;
    } types[] = {
        { text(" null "), NGX_CODAT_JSON_NULL, "null" },
        { text("true"), NGX_CODAT_JSON_BOOLEAN, "true" },
        { text("\nfalse"), NGX_CODAT_JSON_BOOLEAN, "false" },
        { text("  -12"), NGX_CODAT_JSON_NUMBER, "-12" },
        { text("-12.5e7 "), NGX_CODAT_JSON_NUMBER, "-12.5e7" },
        { text(" \"a b\" "), NGX_CODAT_JSON_STRING, "a b" },
        { text("\"\\n\""), NGX_CODAT_JSON_STRING, "\n" },
        { text(" {\"a\": 1 } "), NGX_CODAT_JSON_OBJECT, "{\"a\": 1 }" },
        { text("[ ]\n"), NGX_CODAT_JSON_ARRAY, "[ ]" }
    };

    (void) state;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        pool = ngx_codat_unit_pool();

        assert_int_equal(ngx_codat_unit_json_select(pool, &types[i].text,
                                                    ngx_codat_unit_none,
                                                    &slot, 1, &err),
                         NGX_OK);
        assert_int_equal(slot.type, types[i].type);
        assert_int_equal(slot.text.len, strlen(types[i].value));
        assert_memory_equal(slot.text.data, types[i].value, slot.text.len);

        ngx_destroy_pool(pool);
    }
}


static void
ngx_codat_unit_json_slots(void **state)
{
    ngx_pool_t              *pool;
    ngx_codat_json_error_t   err;
    ngx_codat_json_value_t   slot;

    static const ngx_codat_unit_text_t  t = text("{}");

    (void) state;

    pool = ngx_codat_unit_pool();

    assert_int_equal(ngx_codat_unit_json_select(pool, &t,
                                                ngx_codat_unit_none, &slot,
                                                0, &err),
                     NGX_ERROR);
    assert_int_equal(ngx_codat_unit_json_select(pool, &t,
                                                ngx_codat_unit_none, &slot,
                                                NGX_CODAT_JSON_SLOTS + 1,
                                                &err),
                     NGX_ERROR);

    ngx_destroy_pool(pool);
}


static void
ngx_codat_unit_json_member(void **state)
{
    size_t                   i;
    ngx_int_t                rc;
    ngx_str_t                object, name;
    ngx_pool_t              *pool;
    ngx_codat_json_value_t   value;

    static const char  tags[] =
        "{\"region\":\"us\",\"customer-Region\":\"uk\",\"a.b\":\"1\","
        "\"a_b\":\"2\",\"a1b\":\"3\",\"uid\":\"x\\u0041\",\"n\":7,"
        "\"none\":null,\"nested\":{\"deep\":\"no\"},\"\":\"empty\","
        "\"\xc3\xa9t\xc3\xa9\":\"summer\",\"last\":\"1\",\"LAST\":\"2\"}";

    static const struct {
        const char             *name;
        ngx_codat_json_type_e   type;
        const char             *value;      /* NULL: no such member */
    } members[] = {
        { "region", NGX_CODAT_JSON_STRING, "us" },
        { "REGION", NGX_CODAT_JSON_STRING, "us" },
        { "customer_region", NGX_CODAT_JSON_STRING, "uk" },
        { "a_b", NGX_CODAT_JSON_STRING, "2" },
        { "a1b", NGX_CODAT_JSON_STRING, "3" },
        { "uid", NGX_CODAT_JSON_STRING, "xA" },
        { "n", NGX_CODAT_JSON_NUMBER, "7" },
        { "none", NGX_CODAT_JSON_NULL, "null" },
        { "nested", NGX_CODAT_JSON_OBJECT, "{\"deep\":\"no\"}" },
        { "__t__", NGX_CODAT_JSON_STRING, "summer" },
        { "last", NGX_CODAT_JSON_STRING, "2" },
        { "deep", NGX_CODAT_JSON_ABSENT, NULL },
        { "regio", NGX_CODAT_JSON_ABSENT, NULL },
        { "a2b", NGX_CODAT_JSON_ABSENT, NULL },
        { "_egion", NGX_CODAT_JSON_ABSENT, NULL },
        { "", NGX_CODAT_JSON_ABSENT, NULL }
    };

    (void) state;

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        pool = ngx_codat_unit_pool();

        object = ngx_codat_unit_str(pool, tags);
        name = ngx_codat_unit_str(pool, members[i].name);

        rc = ngx_codat_json_member(pool, &object, &name, &value);

        if (members[i].value == NULL) {

            if (rc != NGX_DECLINED) {
                fail_msg("there is a member \"%s\"", members[i].name);
            }

        } else {
            assert_int_equal(rc, NGX_OK);
            assert_int_equal(value.type, members[i].type);
            assert_int_equal(value.text.len, strlen(members[i].value));
            assert_memory_equal(value.text.data, members[i].value,
                                value.text.len);
        }

        ngx_destroy_pool(pool);
    }

    /* not an object */

    pool = ngx_codat_unit_pool();

    object = ngx_codat_unit_str(pool, "[\"a\"]");
    name = ngx_codat_unit_str(pool, "a");

    assert_int_equal(ngx_codat_json_member(pool, &object, &name, &value),
                     NGX_DECLINED);

    object = ngx_codat_unit_str(pool, "[{\"a\":1}]");

    assert_int_equal(ngx_codat_json_member(pool, &object, &name, &value),
                     NGX_DECLINED);

    ngx_destroy_pool(pool);
}


static void
ngx_codat_unit_json_strings(void **state)
{
    u_char                       *last, out[256];
    size_t                        i, n;
    ngx_str_t                     s;
    ngx_pool_t                   *pool;
    const ngx_codat_unit_pair_t  *pair;

    (void) state;

    n = sizeof(ngx_codat_unit_strings) / sizeof(ngx_codat_unit_strings[0]);

    for (i = 0; i < n; i++) {
        pair = &ngx_codat_unit_strings[i];

        pool = ngx_codat_unit_pool();

        s = ngx_codat_unit_guard(pool, pair->in.data, pair->in.len);

        assert_int_equal(ngx_codat_json_string_len(&s), pair->out.len);
        assert_int_equal(ngx_codat_json_escape_len(&s), pair->out.len - 2);

        last = ngx_codat_json_string(out, &s);

        assert_int_equal(last - out, pair->out.len);
        assert_memory_equal(out, pair->out.data, pair->out.len);

        last = ngx_codat_json_escape(out, &s);

        assert_int_equal(last - out, pair->out.len - 2);
        assert_memory_equal(out, pair->out.data + 1, pair->out.len - 2);

        ngx_destroy_pool(pool);
    }

    ngx_str_null(&s);

    assert_int_equal(ngx_codat_json_string_len(&s), 2);
}


/* Whatever the bytes: valid JSON of the length that was told. */

static void
ngx_codat_unit_json_round(void **state)
{
    u_char                   in[32], out[6 * sizeof(in) + 2];
    size_t                   i, k;
    uint32_t                 seed;
    ngx_str_t                s, text;
    ngx_pool_t              *pool;
    ngx_codat_json_error_t   err;
    ngx_codat_json_value_t   slot;

    (void) state;

    seed = 1;
    pool = ngx_codat_unit_pool();

    for (i = 0; i < 20000; i++) {

        for (k = 0; k < sizeof(in); k++) {
            seed = seed * 1103515245 + 12345;
            in[k] = (u_char) (seed >> 16);

            if (i % 3 == 0) {
                in[k] = (u_char) (in[k] & 0x7f);
            }
        }

        s.data = in;
        s.len = i % sizeof(in);

        text.data = out;
        text.len = (size_t) (ngx_codat_json_string(out, &s) - out);

        assert_int_equal(text.len, ngx_codat_json_string_len(&s));
        assert_int_equal(ngx_codat_json_select(pool, &text,
                                               ngx_codat_unit_none, &slot, 1,
                                               &err),
                         NGX_OK);

        if (i % 3 == 0) {
            assert_int_equal(slot.text.len, s.len);
            assert_memory_equal(slot.text.data, s.data, s.len);
        }

        if (i % 100 == 0) {
            ngx_destroy_pool(pool);
            pool = ngx_codat_unit_pool();
        }
    }

    ngx_destroy_pool(pool);
}


/* Elements of an array, separated; and nothing is read behind any text. */

static void
ngx_codat_unit_json_elements(void **state)
{
    u_char       *p, got[256];
    size_t        len;
    ngx_str_t     rest, element;
    ngx_uint_t    i, n;
    ngx_pool_t   *pool;

    static const struct {
        const char  *text;
        const char  *expected;
    } rows[] = {
        { "[]", "" },
        { " [ ] ", "" },
        { "[1]", "<1>" },
        { "[1,2]", "<1><2>" },
        { " [ 1 , \"a\" ,null ] ", "<1><\"a\"><null>" },
        { "[[1,2],[],[[3]]]", "<[1,2]><[]><[[3]]>" },
        { "[{\"a\":[1,{}]}\n,{\"b\":\"],}\"}]",
          "<{\"a\":[1,{}]}><{\"b\":\"],}\"}>" },
        { "[\"\\\"],\",\"\\\\\",3]", "<\"\\\"],\"><\"\\\\\"><3>" },
        { "{}", "" },
        { "5", "" },
        { "", "" }
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pool = ngx_codat_unit_pool();

        rest = ngx_codat_unit_str(pool, rows[i].text);
        p = got;

        while (ngx_codat_json_element(&rest, &element) == NGX_OK) {
            p = ngx_sprintf(p, "<%V>", &element);
        }

        *p = '\0';
        assert_string_equal((char *) got, rows[i].expected);

        /* no text that was cut off is read beyond its end */

        for (len = 0; len < strlen(rows[i].text); len++) {
            rest = ngx_codat_unit_guard(pool, rows[i].text, len);
            n = 0;

            while (ngx_codat_json_element(&rest, &element) == NGX_OK) {
                n++;
            }

            assert_true(n <= len);
        }

        ngx_destroy_pool(pool);
    }
}


int
ngx_codat_unit_json(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(ngx_codat_unit_json_bad),
        cmocka_unit_test(ngx_codat_unit_json_good),
        cmocka_unit_test(ngx_codat_unit_json_cut),
        cmocka_unit_test(ngx_codat_unit_json_depth),
        cmocka_unit_test(ngx_codat_unit_json_long),
        cmocka_unit_test(ngx_codat_unit_json_plain),
        cmocka_unit_test(ngx_codat_unit_json_any),
        cmocka_unit_test(ngx_codat_unit_json_types),
        cmocka_unit_test(ngx_codat_unit_json_slots),
        cmocka_unit_test(ngx_codat_unit_json_member),
        cmocka_unit_test(ngx_codat_unit_json_strings),
        cmocka_unit_test(ngx_codat_unit_json_round),
        cmocka_unit_test(ngx_codat_unit_json_elements)
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
