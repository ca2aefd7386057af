
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Where consumers may be: entries, URLs against lists of them, and addresses
 * that hosts turn out to have.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_allow.h"


/* a list of what is between the commas */

static void
list(ngx_pool_t *pool, ngx_codat_allow_t *allow, const char *text)
{
    ngx_str_t    s;
    const char  *end;

    assert_int_equal(ngx_codat_allow_init(allow, pool), NGX_OK);

    while (*text) {
        end = strchr(text, ',');

        if (end == NULL) {
            end = text + strlen(text);
        }

        s = ngx_codat_unit_guard(pool, text, (size_t) (end - text));
        assert_null(ngx_codat_allow_add(allow, &s));

        text = *end ? end + 1 : end;
    }
}


static void
test_entries(void **state)
{
    ngx_str_t          s;
    ngx_uint_t         i;
    ngx_pool_t        *pool;
    const char        *err;
    ngx_codat_allow_t  allow;

    static const struct {
        const char  *text;
        const char  *err;
    } cases[] = {
        { "hooks.slack.com", NULL },
        { "*.zapier.com", NULL },
        { "*", NULL },
        { "*:8443", NULL },
        { "http://*", NULL },
        { "http://*:8080", NULL },
        { "http://n8n:5678", NULL },
        { "https://example.com", NULL },
        { "HTTPS://EXAMPLE.COM:8443", NULL },
        { "example.com:8443", NULL },
        { "*.example.com:8443", NULL },
        { "10.0.0.0/8", NULL },
        { "10.1.2.3", NULL },
        { "10.1.2.3:8080", NULL },
        { "http://127.0.0.1:5678", NULL },
        { "fd00::/8", NULL },
        { "::1", NULL },
        { "http://[::1]:5678", NULL },
        { "", "has an empty host" },
        { "http://", "has an empty host" },
        { "*.", "has an empty host" },
        { "*a.example.com", "has a \"*\" that is not a whole label" },
        { "**", "has a \"*\" that is not a whole label" },
        { "*.*.example.com", "has a character that is not allowed in hosts" },
        { "a.*.example.com", "has a character that is not allowed in hosts" },
        { "*.1.2.3.4", "has a \"*\" in front of an address" },
        { "*.[::1]", "has a \"*\" in front of an address" },
        { "*:", "has an invalid port" },
        { "*:0", "has an invalid port" },
        { "example.com:x", "has an invalid port" },
        { "example.com/", "has a path, or is no network" },
        { "https://example.com/hooks", "has a path, or is no network" },
        { "10.0.0.1/8", "has a path, or is no network" },
        { "10.0.0.0/33", "has a path, or is no network" },
        { "ftp://example.com", "has a path, or is no network" },
        { "010.0.0.1", "has an address that is not four decimal numbers" },
        { "user@example.com", "has a user name" },
        { "example.com.", "has a host with an empty label" },
        { "exam ple.com", "has a character that is not allowed in hosts" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        pool = ngx_codat_unit_pool();

        assert_int_equal(ngx_codat_allow_init(&allow, pool), NGX_OK);

        s = ngx_codat_unit_str(pool, cases[i].text);
        err = ngx_codat_allow_add(&allow, &s);

        if (cases[i].err == NULL ? err != NULL
            : err == NULL || strcmp(err, cases[i].err) != 0)
        {
            fail_msg("\"%s\": %s", cases[i].text, err ? err : "is taken");
        }

        assert_int_equal(allow.hosts.nelts + allow.networks.nelts,
                         cases[i].err == NULL);

        ngx_destroy_pool(pool);
    }
}


static void
test_url(void **state)
{
    ngx_str_t          s;
    ngx_uint_t         i;
    ngx_pool_t        *pool;
    const char        *err;
    ngx_codat_url_t    url;
    ngx_codat_allow_t  allow;

    static const char  scheme[] = "does not begin with https://";
    static const char  port[] = "has a port that is not allowed";
    static const char  host[] = "has a host that is not allowed";
    static const char  dot[] = "has a host without a dot";
    static const char  literal[] = "has an address in place of a host";

    const struct {
        const char  *list;
        const char  *url;
        const char  *err;
    } cases[] = {

        /* without a list */
        { "", "https://example.com/", NULL },
        { "", "https://example.com:443/", NULL },
        { "", "http://example.com/", scheme },
        { "", "http://example.com:443/", scheme },
        { "", "https://example.com:80/", port },
        { "", "https://example.com:8443/", port },
        { "", "https://localhost/", dot },
        { "", "https://127.0.0.1/", literal },
        { "", "https://8.8.8.8/", literal },
        { "", "https://[::1]/", literal },
        { "", "https://[2606:4700::1111]/", literal },

        /* hosts */
        { "hooks.slack.com", "https://hooks.slack.com/services/T/B/x", NULL },
        { "hooks.slack.com", "https://HOOKS.Slack.com/", NULL },
        { "Hooks.SLACK.com", "https://hooks.slack.com/", NULL },
        { "hooks.slack.com", "https://hooks.slack.com:443/", NULL },
        { "hooks.slack.com", "https://hooks.slack.com:8443/", port },
        { "hooks.slack.com", "http://hooks.slack.com/", scheme },
        { "hooks.slack.com", "https://slack.com/", host },
        { "hooks.slack.com", "https://a.hooks.slack.com/", host },
        { "hooks.slack.com", "https://hooks.slack.com.evil.example/", host },
        { "hooks.slack.com", "https://evil.example/hooks.slack.com", host },
        { "hooks.slack.com", "https://evil.example/?hooks.slack.com", host },
        { "hooks.slack.com", "https://xhooks.slack.com/", host },

        /* below */
        { "*.zapier.com", "https://hooks.zapier.com/", NULL },
        { "*.zapier.com", "https://a.b.ZAPIER.com/", NULL },
        { "*.zapier.com", "https://zapier.com/", host },
        { "*.zapier.com", "https://xzapier.com/", host },
        { "*.zapier.com", "https://zapier.com.evil.example/", host },
        { "*.zapier.com", "https://hooks.zapier.com.evil.example/", host },
        { "*.zapier.com,zapier.com", "https://zapier.com/", NULL },

        /* ports and schemes */
        { "example.com:8443", "https://example.com:8443/", NULL },
        { "example.com:8443", "https://example.com/", host },
        { "example.com:8443", "http://example.com:8443/", scheme },
        { "http://example.com", "http://example.com/", NULL },
        { "http://example.com", "http://example.com:80/", NULL },
        { "http://example.com", "https://example.com/", host },
        { "http://example.com", "https://example.com:80/", port },
        { "http://example.com:8080", "http://example.com:8080/", NULL },
        { "http://example.com:8080", "http://example.com/", scheme },
        { "http://n8n:5678", "http://n8n:5678/webhook/1", NULL },
        { "http://n8n:5678", "http://n8n/webhook/1", dot },
        { "http://*:5678", "http://n8n:5678/", dot },
        { "*", "https://n8n/", dot },
        { "n8n", "https://n8n/", NULL },

        /* any */
        { "*", "https://example.com/", NULL },
        { "*", "https://example.com:8443/", port },
        { "*", "http://example.com/", scheme },
        { "*", "https://8.8.8.8/", literal },
        { "*:8443", "https://example.com:8443/", NULL },
        { "*:8443", "https://example.com/", host },
        { "http://*", "http://example.com/", NULL },
        { "*.slack.com,*", "https://example.com/", NULL },
        { "*,http://n8n:5678", "http://n8n:5678/", NULL },
        { "http://*:8080", "http://127.0.0.1:8080/", literal },

        /* addresses as hosts */
        { "10.0.0.0/8", "https://10.1.2.3/", NULL },
        { "10.0.0.0/8", "https://11.1.2.3/", literal },
        { "10.0.0.0/8", "http://10.1.2.3/", scheme },
        { "10.0.0.0/8", "https://10.1.2.3:8443/", port },
        { "10.0.0.0/8", "https://[::ffff:10.1.2.3]/", NULL },
        { "10.0.0.0/8", "https://example.com/", NULL },
        { "8.8.8.8", "https://8.8.8.8/", NULL },
        { "8.8.8.8", "https://8.8.4.4/", literal },
        { "fd00::/8", "https://[fd12::1]/", NULL },
        { "fd00::/8", "https://[fc12::1]/", literal },
        { "10.0.0.0/8,*.slack.com", "https://10.1.2.3/", NULL },
        { "10.0.0.0/8,*.slack.com", "https://example.com/", host },
        { "10.0.0.0/8,http://*:8080", "http://10.1.2.3:8080/", NULL },
        { "10.0.0.0/8,http://*:8080", "http://11.1.2.3:8080/", literal },
        { "http://127.0.0.1:5678", "http://127.0.0.1:5678/", NULL },
        { "http://127.0.0.1:5678", "http://127.0.0.2:5678/", scheme },
        { "http://127.0.0.1:5678", "https://127.0.0.1/", literal },
        { "http://127.0.0.1:5678", "http://127.0.0.1/", scheme },
        { "http://[::1]:5678", "http://[::1]:5678/", NULL },
        { "http://[::1]:5678", "http://[0:0:0:0:0:0:0:1]:5678/", NULL },
        { "http://[::1]:5678", "http://[::2]:5678/", scheme },
        { "127.0.0.1:8443", "https://127.0.0.1:8443/", NULL },
        { "127.0.0.1:8443", "https://127.0.0.1/", literal }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        pool = ngx_codat_unit_pool();

        list(pool, &allow, cases[i].list);

        s = ngx_codat_unit_str(pool, cases[i].url);
        assert_null(ngx_codat_url_parse(&s, &url));

        err = ngx_codat_allow_url(&allow, &url);

        if (cases[i].err == NULL ? err != NULL
            : err == NULL || strcmp(err, cases[i].err) != 0)
        {
            fail_msg("allow=%s, %s: %s", cases[i].list, cases[i].url,
                     err ? err : "is taken");
        }

        ngx_destroy_pool(pool);
    }
}


static void
test_address(void **state)
{
    ngx_str_t            s;
    ngx_uint_t           i;
    ngx_pool_t          *pool;
    const char          *err;
    ngx_codat_url_t      url;
    ngx_codat_allow_t    allow;
    ngx_codat_address_t  address;

    const struct {
        const char  *list;
        const char  *url;
        const char  *address;
        const char  *err;
    } cases[] = {
        { "", "https://example.com/", "8.8.8.8", NULL },
        { "", "https://example.com/", "127.0.0.1", "a loopback address" },
        { "", "https://example.com/", "::1", "a loopback address" },
        { "", "https://example.com/", "10.1.2.3", "a private address" },
        { "example.com", "https://example.com/", "10.1.2.3",
          "a private address" },
        { "*", "https://example.com/", "169.254.169.254",
          "a link-local address" },
        { "10.0.0.0/8", "https://example.com/", "10.1.2.3", NULL },
        { "10.0.0.0/8", "https://example.com/", "::ffff:10.1.2.3", NULL },
        { "10.0.0.0/8", "https://example.com/", "11.1.2.3", NULL },
        { "10.0.0.0/8", "https://example.com/", "172.16.0.1",
          "a private address" },
        { "10.0.0.0/8", "https://example.com/", "64:ff9b::10.1.2.3",
          "a private address" },

        /* an entry for an address and a port is for that URL alone */

        { "http://127.0.0.1:5678", "http://127.0.0.1:5678/", "127.0.0.1",
          NULL },
        { "http://127.0.0.1:5678,*", "https://example.com/", "127.0.0.1",
          "a loopback address" },
        { "http://127.0.0.1:5678,127.0.0.1", "https://example.com/",
          "127.0.0.1", NULL },
        { "http://n8n:5678", "http://n8n:5678/", "172.18.0.5",
          "a private address" },
        { "http://n8n:5678,172.18.0.0/16", "http://n8n:5678/", "172.18.0.5",
          NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        pool = ngx_codat_unit_pool();

        list(pool, &allow, cases[i].list);

        s = ngx_codat_unit_str(pool, cases[i].url);
        assert_null(ngx_codat_url_parse(&s, &url));

        s = ngx_codat_unit_str(pool, cases[i].address);
        assert_int_equal(ngx_codat_address_parse(&s, &address), NGX_OK);

        err = ngx_codat_allow_address(&allow, &url, &address);

        if (cases[i].err == NULL ? err != NULL
            : err == NULL || strcmp(err, cases[i].err) != 0)
        {
            fail_msg("allow=%s, %s, %s: %s", cases[i].list, cases[i].url,
                     cases[i].address, err ? err : "is taken");
        }

        ngx_destroy_pool(pool);
    }
}


static void
test_exactly(void **state)
{
    ngx_str_t          s;
    ngx_uint_t         i;
    ngx_pool_t        *pool;
    ngx_codat_url_t    url;
    ngx_codat_allow_t  allow;

    static const struct {
        const char  *list;
        const char  *url;
        ngx_uint_t   exactly;
    } cases[] = {
        { "", "https://example.com/", 0 },
        { "example.com", "https://Example.com/", 1 },
        { "example.com", "https://example.com:8443/", 0 },
        { "http://example.com", "https://example.com/", 0 },
        { "*.example.com", "https://a.example.com/", 0 },
        { "*", "https://example.com/", 0 },
        { "*,example.com", "https://example.com/", 1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        pool = ngx_codat_unit_pool();

        list(pool, &allow, cases[i].list);

        s = ngx_codat_unit_str(pool, cases[i].url);
        assert_null(ngx_codat_url_parse(&s, &url));

        assert_int_equal(ngx_codat_allow_exactly(&allow, &url),
                         cases[i].exactly);

        ngx_destroy_pool(pool);
    }
}


int
ngx_codat_unit_allow(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_exactly),
    };

    return cmocka_run_group_tests_name("allow", tests, NULL, NULL);
}
