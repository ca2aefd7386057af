
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * URLs of consumers: what is read, as what, and the many spellings that are
 * refused, most of which some program reads as another host.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_url.h"


#define LABEL_21  "aaaaaaaaaaaaaaaaaaaaa"
#define LABEL_63  LABEL_21 LABEL_21 LABEL_21


static void
test_good(void **state)
{
    ngx_str_t         s;
    ngx_uint_t        i;
    ngx_pool_t       *pool;
    const char       *err;
    ngx_codat_url_t   url;

    static const struct {
        const char  *text;
        const char  *host;
        const char  *uri;
        int          port;
        int          tls;
        int          ported;
        int          literal;
        int          dotted;
    } cases[] = {
        { "https://example.com", "example.com", "", 443, 1, 0, 0, 1 },
        { "https://example.com/", "example.com", "/", 443, 1, 0, 0, 1 },
        { "https://example.com?a=b", "example.com", "?a=b", 443, 1, 0, 0, 1 },
        { "https://example.com/a:b@c", "example.com", "/a:b@c", 443, 1, 0, 0,
          1 },
        { "https://example.com?u=http://a@b/", "example.com",
          "?u=http://a@b/", 443, 1, 0, 0, 1 },
        { "https://example.com/?next=https://x", "example.com",
          "/?next=https://x", 443, 1, 0, 0, 1 },
        { "HTTPS://Example.COM/A", "Example.COM", "/A", 443, 1, 0, 0, 1 },
        { "http://example.com/", "example.com", "/", 80, 0, 0, 0, 1 },
        { "https://example.com:443/", "example.com", "/", 443, 1, 1, 0, 1 },
        { "https://example.com:1/", "example.com", "/", 1, 1, 1, 0, 1 },
        { "http://example.com:65535", "example.com", "", 65535, 0, 1, 0, 1 },
        { "https://a-b.c-1.example/%41~-._!$&'()*+,;=", "a-b.c-1.example",
          "/%41~-._!$&'()*+,;=", 443, 1, 0, 0, 1 },
        { "https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/", 443,
          1, 0, 0, 1 },
        { "https://localhost/", "localhost", "/", 443, 1, 0, 0, 0 },
        { "https://unix.example/", "unix.example", "/", 443, 1, 0, 0, 1 },
        { "https://1.2.3.4/", "1.2.3.4", "/", 443, 1, 0, 1, 1 },
        { "https://1.2.3.4.example/", "1.2.3.4.example", "/", 443, 1, 0, 0,
          1 },
        { "https://0x7f.example/", "0x7f.example", "/", 443, 1, 0, 0, 1 },
        { "https://1.2.3.0xg/", "1.2.3.0xg", "/", 443, 1, 0, 0, 1 },
        { "https://1.2.3.4a/", "1.2.3.4a", "/", 443, 1, 0, 0, 1 },
        { "https://[::1]/", "::1", "/", 443, 1, 0, 1, 1 },
        { "https://[2001:db8::1]:8443/x", "2001:db8::1", "/x", 8443, 1, 1, 1,
          1 },
        { "https://[::ffff:1.2.3.4]", "::ffff:1.2.3.4", "", 443, 1, 0, 1, 1 },
        { "https://" LABEL_63 ".example/", LABEL_63 ".example", "/", 443, 1,
          0, 0, 1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        pool = ngx_codat_unit_pool();
        s = ngx_codat_unit_str(pool, cases[i].text);

        err = ngx_codat_url_parse(&s, &url);

        if (err) {
            fail_msg("\"%s\" %s", cases[i].text, err);
        }

        assert_int_equal(url.host.len, strlen(cases[i].host));
        assert_memory_equal(url.host.data, cases[i].host, url.host.len);
        assert_int_equal(url.uri.len, strlen(cases[i].uri));
        assert_memory_equal(url.uri.data, cases[i].uri, url.uri.len);
        assert_int_equal(url.port, cases[i].port);
        assert_int_equal(url.tls, cases[i].tls);
        assert_int_equal(url.ported, cases[i].ported);
        assert_int_equal(url.literal, cases[i].literal);
        assert_int_equal(url.dotted, cases[i].dotted);

        ngx_destroy_pool(pool);
    }
}


static void
test_bad(void **state)
{
    ngx_str_t         s;
    ngx_uint_t        i;
    ngx_pool_t       *pool;
    const char       *err;
    ngx_codat_url_t   url;

    static const char  scheme[] = "does not begin with https://";
    static const char  user[] = "has a user name";
    static const char  empty[] = "has an empty host";
    static const char  label[] = "has a host with an empty label";
    static const char  host[] = "has a character that is not allowed in "
                                "hosts";
    static const char  byte[] = "has a character that is not allowed in URLs";
    static const char  ascii[] = "has a byte that is not ASCII";
    static const char  port[] = "has an invalid port";
    static const char  four[] = "has an address that is not four decimal "
                                "numbers";
    static const char  six[] = "has an invalid IPv6 address";
    static const char  fragment[] = "has a fragment";
    static const char  percent[] = "has a \"%\" without two hexadecimal "
                                   "digits";
    static const char  edge[] = "has a host with a \"-\" at the edge of a "
                                "label";
    static const char  longer[] = "has a host that is too long";

    const struct {
        const char  *text;
        const char  *err;
    } cases[] = {
        { "", scheme },
        { "example.com", scheme },
        { "//example.com/", scheme },
        { "https:/example.com/", scheme },
        { "https:example.com/", scheme },
        { "ftp://example.com/", scheme },
        { "file:///etc/passwd", scheme },
        { "gopher://example.com/", scheme },
        { "unix:/tmp/socket", scheme },
        { "http://unix:/tmp/socket", "has a host that names a socket" },
        { "https://unix:443/tmp/socket", "has a host that names a socket" },
        { "https://UNIX:443/tmp/socket", "has a host that names a socket" },
        { "https://unix/", "has a host that names a socket" },
        { "https", scheme },
        { "https:/", scheme },
        { " https://example.com/", byte },
        { "https://example.com/ ", byte },
        { "https://example.com /", byte },
        { "https://exam\tple.com/", byte },
        { "https://example.com/\r\nX: y", byte },
        { "https://example.com/\x7f", byte },
        { "https:\\\\example.com/", byte },
        { "https://example.com\\@127.0.0.1/", byte },
        { "https://good.example\\.evil.example/", byte },
        { "https://example.com/{a}", byte },
        { "https://example.com/<a>", byte },
        { "https://example.com/\"", byte },
        { "https://example.com/a|b", byte },
        { "https://example.com/a^b", byte },
        { "https://example.com/a`b", byte },

        /* full-width letters, an ideographic full stop, a circled digit */
        { "https://\xef\xbd\x85xample.com/", ascii },
        { "https://127\xe3\x80\x82" "0.0.1/", ascii },
        { "https://\xe2\x91\xa0.1.1.1/", ascii },
        { "https://b\xc3\xbc" "cher.example/", ascii },
        { "https://example.com/\xc3\xa4", ascii },

        { "https://user@example.com/", user },
        { "https://user:password@example.com/", user },
        { "https://@example.com/", user },
        { "https://example.com@127.0.0.1/", user },
        { "https://example.com:443@127.0.0.1/", user },
        { "https://user%40example.com@127.0.0.1/", user },
        { "https://[::1]@example.com/", user },
        { "https://example.com#@127.0.0.1/", fragment },
        { "https://example.com/#a", fragment },
        { "https://example.com#", fragment },
        { "https://example.com/%", percent },
        { "https://example.com/%4", percent },
        { "https://example.com/%zz", percent },
        { "https://example.com/%4g", percent },

        { "https://", empty },
        { "https:///", empty },
        { "https:///example.com/", empty },
        { "https://?a", empty },
        { "https://:443/", empty },
        { "https://./", label },
        { "https://.example.com/", label },
        { "https://example.com./", label },
        { "https://example..com/", label },
        { "https://localhost./", label },
        { "https://127.0.0.1./", label },
        { "https://example.com.:443/", label },
        { "https://ex_ample.com/", host },
        { "https://example.com%2f@x/", user },
        { "https://%31%32%37.0.0.1/", host },
        { "https://example%2ecom/", host },
        { "https://example.com,evil.example/", host },
        { "https://example.com;evil.example/", host },
        { "https://example.com&x/", host },
        { "https://ex*mple.com/", host },
        { "https://$host/", host },
        { "https://-example.com/", edge },
        { "https://example-.com/", edge },
        { "https://example.com-/", edge },
        { "https://example.-/", edge },
        { "https://a" LABEL_63 ".example/", longer },
        { "https://" LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63 "/",
          longer },

        { "https://example.com:/", port },
        { "https://example.com:0/", port },
        { "https://example.com:00443/", port },
        { "https://example.com:0443/", port },
        { "https://example.com:65536/", port },
        { "https://example.com:99999999999999999999/", port },
        { "https://example.com:+443/", port },
        { "https://example.com:-1/", port },
        { "https://example.com:443:80/", port },
        { "https://example.com:https/", port },
        { "https://example.com:0x1bb/", port },
        { "https://::1/", empty },
        { "https://[::1]443/", port },
        { "https://[::1]:/", port },
        { "https://[::1]:0/", port },
        { "https://[::1].example/", port },

        { "https://0/", four },
        { "https://1/", four },
        { "https://127.1/", four },
        { "https://127.0.1/", four },
        { "https://2130706433/", four },
        { "https://017700000001/", four },
        { "https://0177.0.0.1/", four },
        { "https://127.0.0.01/", four },
        { "https://127.0.0.001/", four },
        { "https://0x7f000001/", four },
        { "https://0X7F000001/", four },
        { "https://0x7f.0.0.1/", four },
        { "https://0x7f.1/", four },
        { "https://127.0.0.0x1/", four },
        { "https://0x/", four },
        { "https://127.0.0.0x/", four },
        { "https://256.256.256.256/", four },
        { "https://1.2.3.4.5/", four },
        { "https://example.1/", four },
        { "https://example.0x1/", four },
        { "https://3232235777/", four },
        { "https://4294967297/", four },

        { "https://255.255.255.255/", "has the broadcast address" },

        { "https://[]/", six },
        { "https://[/", six },
        { "https://[::1/", six },
        { "https://[127.0.0.1]/", six },
        { "https://[example.com]/", six },
        { "https://[fe80::1%eth0]/", percent },
        { "https://[fe80::1%25eth0]/", six },
        { "https://[v1.fe80::a]/", six },
        { "https://[::ffff:127.0.0.01]/", six },
        { "https://[::ffff:0x7f.0.0.1]/", six },
        { "https://[[::1]]/", six },
        { "https://[::1:2:3:4:5:6:7:8]/", six },
        { "https://[1:2:3]/", six },
        { "https://[::12345]/", six },
        { "https://x[::1]/", host },
        { "https://[::1]?a", "has no \"/\" behind an IPv6 address" },
        { "https://[::1]:443?a", "has no \"/\" behind an IPv6 address" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        pool = ngx_codat_unit_pool();
        s = ngx_codat_unit_str(pool, cases[i].text);

        err = ngx_codat_url_parse(&s, &url);

        if (err == NULL || strcmp(err, cases[i].err) != 0) {
            fail_msg("\"%s\": %s", cases[i].text, err ? err : "is read");
        }

        ngx_destroy_pool(pool);
    }
}


static void
test_limits(void **state)
{
    u_char            text[NGX_CODAT_URL_MAX + 1];
    ngx_str_t         s;
    ngx_pool_t       *pool;
    ngx_codat_url_t   url;

    ngx_memset(text, 'a', sizeof(text));
    ngx_memcpy(text, "https://example.com/", 20);

    pool = ngx_codat_unit_pool();

    s = ngx_codat_unit_guard(pool, text, NGX_CODAT_URL_MAX);
    assert_null(ngx_codat_url_parse(&s, &url));

    s = ngx_codat_unit_guard(pool, text, NGX_CODAT_URL_MAX + 1);
    assert_string_equal(ngx_codat_url_parse(&s, &url),
                        "is longer than 2048 bytes");

    s = ngx_codat_unit_guard(pool, "https://example.com/\0x", 22);
    assert_string_equal(ngx_codat_url_parse(&s, &url),
                        "has a character that is not allowed in URLs");

    /* 253 bytes of host and one more */

    s = ngx_codat_unit_str(pool, "https://" LABEL_63 "." LABEL_63 "." LABEL_63
                           ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                           "aaaaaaaaaaaaaa/");
    assert_null(ngx_codat_url_parse(&s, &url));
    assert_int_equal(url.host.len, 253);

    s = ngx_codat_unit_str(pool, "https://" LABEL_63 "." LABEL_63 "." LABEL_63
                           ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                           "aaaaaaaaaaaaaaa/");
    assert_string_equal(ngx_codat_url_parse(&s, &url),
                        "has a host that is too long");

    ngx_destroy_pool(pool);
}


int
ngx_codat_unit_url(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
