
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Addresses: spellings, networks, and the first and last address of each
 * network that is not public, with their neighbours.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_address.h"

#include <sys/un.h>


static ngx_int_t
parse(const char *text, ngx_codat_address_t *address)
{
    ngx_int_t    rc;
    ngx_str_t    s;
    ngx_pool_t  *pool;

    pool = ngx_codat_unit_pool();

    s = ngx_codat_unit_str(pool, text);
    rc = ngx_codat_address_parse(&s, address);

    ngx_destroy_pool(pool);

    return rc;
}


static ngx_int_t
network(const char *text, ngx_codat_network_t *n)
{
    ngx_int_t    rc;
    ngx_str_t    s;
    ngx_pool_t  *pool;

    pool = ngx_codat_unit_pool();

    s = ngx_codat_unit_str(pool, text);
    rc = ngx_codat_network_parse(&s, n);

    ngx_destroy_pool(pool);

    return rc;
}


static void
test_parse(void **state)
{
    ngx_str_t            nul;
    ngx_uint_t           i;
    ngx_codat_address_t  a;

    static const char  *good[] = {
        "0.0.0.0", "1.2.3.4", "127.0.0.1", "255.255.255.255", "::", "::1",
        "1::", "2001:db8::1", "fe80::1", "::ffff:1.2.3.4", "FE80::ABCD",
        "1:2:3:4:5:6:7:8", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"
    };

    static const char  *bad[] = {
        "", ".", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3",
        "256.1.1.1", "1.2.3.256", "01.2.3.4", "1.2.3.04", "0177.0.0.1",
        "0x7f.0.0.1", "0x7f000001", "2130706433", "127.1", "1.2.3.4 ",
        " 1.2.3.4", "+1.2.3.4", "-1.2.3.4", "1.2.3.4/8", "1.2.3.4:80",
        ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1::", "12345::",
        "[::1]", "fe80::1%eth0", "fe80::1%1", "::1.2.3", "::01.2.3.4", "::g",
        "::1/128", "localhost", "a.b.c.d",
        "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (parse(good[i], &a) != NGX_OK
            || a.six != (strchr(good[i], ':') != NULL))
        {
            fail_msg("\"%s\" is refused", good[i]);
        }
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(bad[i], &a) != NGX_DECLINED) {
            fail_msg("\"%s\" is read", bad[i]);
        }
    }

    nul.data = (u_char *) "1.2.3.4\0.5";
    nul.len = 10;
    assert_int_equal(ngx_codat_address_parse(&nul, &a), NGX_DECLINED);

    assert_int_equal(parse("1.2.3.4", &a), NGX_OK);
    assert_memory_equal(a.bytes, "\1\2\3\4", 4);
    assert_int_equal(parse("2001:db8::ff01", &a), NGX_OK);
    assert_memory_equal(a.bytes, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\xff\x01",
                        16);
}


static void
test_of(void **state)
{
    struct sockaddr_un    un;
    struct sockaddr_in    sin;
    struct sockaddr_in6   sin6;
    ngx_codat_address_t   a, b;

    ngx_memzero(&sin, sizeof(sin));
    ngx_memzero(&sin6, sizeof(sin6));
    ngx_memzero(&un, sizeof(un));

    sin.sin_family = AF_INET;
    assert_int_equal(inet_pton(AF_INET, "10.20.30.40", &sin.sin_addr), 1);
    assert_int_equal(ngx_codat_address_of((struct sockaddr *) &sin, &a),
                     NGX_OK);
    assert_int_equal(parse("10.20.30.40", &b), NGX_OK);
    assert_memory_equal(&a, &b, sizeof(a));

    sin6.sin6_family = AF_INET6;
    assert_int_equal(inet_pton(AF_INET6, "fd00::7", &sin6.sin6_addr), 1);
    assert_int_equal(ngx_codat_address_of((struct sockaddr *) &sin6, &a),
                     NGX_OK);
    assert_int_equal(parse("fd00::7", &b), NGX_OK);
    assert_memory_equal(&a, &b, sizeof(a));

    un.sun_family = AF_UNIX;
    assert_int_equal(ngx_codat_address_of((struct sockaddr *) &un, &a),
                     NGX_DECLINED);
}


static void
test_network(void **state)
{
    ngx_uint_t           i;
    ngx_codat_network_t  n;
    ngx_codat_address_t  a;

    static const char  *bad[] = {
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
        "10.0.0.0/08", "10.0.0.0/00", "10.0.0.0/8 ", "10.0.0.0/8/8",
        "10.0.0.1/8", "10.0.0.0/255.0.0.0", "10/8", "::/129", "::1/127",
        "fe80::/8", "fe80::%1/10", "10.0.0.0/9999999999999999999999",
        "10.0.0.0/0", "hooks.example.com/8", "8"
    };

    static const struct {
        const char  *network;
        const char  *address;
        ngx_uint_t   has;
    } cases[] = {
        { "10.0.0.0/8", "10.0.0.0", 1 },
        { "10.0.0.0/8", "10.255.255.255", 1 },
        { "10.0.0.0/8", "11.0.0.0", 0 },
        { "10.0.0.0/8", "9.255.255.255", 0 },
        { "10.128.0.0/9", "10.127.255.255", 0 },
        { "10.128.0.0/9", "10.128.0.0", 1 },
        { "192.168.7.9", "192.168.7.9", 1 },
        { "192.168.7.9/32", "192.168.7.9", 1 },
        { "192.168.7.9", "192.168.7.8", 0 },
        { "192.168.7.8/31", "192.168.7.9", 1 },
        { "192.168.7.8/31", "192.168.7.10", 0 },
        { "0.0.0.0/0", "1.2.3.4", 1 },
        { "0.0.0.0/0", "::ffff:1.2.3.4", 1 },
        { "0.0.0.0/0", "::1.2.3.4", 0 },
        { "0.0.0.0/0", "2001:db8::1", 0 },
        { "10.0.0.0/8", "::ffff:10.1.1.1", 1 },
        { "10.0.0.0/8", "::ffff:11.1.1.1", 0 },
        { "10.0.0.0/8", "64:ff9b::10.1.1.1", 0 },
        { "10.0.0.0/8", "2002:a01:101::", 0 },
        { "::/0", "1.2.3.4", 0 },
        { "::/0", "::1", 1 },
        { "fd00::/8", "fd12:3456::1", 1 },
        { "fd00::/8", "fc12:3456::1", 0 },
        { "fe80::/10", "febf::1", 1 },
        { "fe80::/10", "fec0::1", 0 },
        { "::1", "::1", 1 },
        { "::1", "::2", 0 },
        { "2001:db8::8/127", "2001:db8::9", 1 },
        { "2001:db8::8/127", "2001:db8::a", 0 }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (network(bad[i], &n) != NGX_DECLINED) {
            fail_msg("\"%s\" is read", bad[i]);
        }
    }

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(network(cases[i].network, &n), NGX_OK);
        assert_int_equal(parse(cases[i].address, &a), NGX_OK);

        if (ngx_codat_network_has(&n, &a) != cases[i].has) {
            fail_msg("%s and %s", cases[i].network, cases[i].address);
        }
    }
}


static void
test_special(void **state)
{
    ngx_uint_t           i;
    const char          *what;
    ngx_codat_address_t  a;

    /* each boundary, inside and outside; NULL is public */

    static const struct {
        const char  *address;
        const char  *what;
    } cases[] = {
        { "0.0.0.0", "an address of this network" },
        { "0.255.255.255", "an address of this network" },
        { "1.0.0.0", NULL },
        { "1.1.1.1", NULL },
        { "8.8.8.8", NULL },
        { "9.255.255.255", NULL },
        { "10.0.0.0", "a private address" },
        { "10.255.255.255", "a private address" },
        { "11.0.0.0", NULL },
        { "100.63.255.255", NULL },
        { "100.64.0.0", "a shared address" },
        { "100.100.100.200", "a shared address" },
        { "100.127.255.255", "a shared address" },
        { "100.128.0.0", NULL },
        { "126.255.255.255", NULL },
        { "127.0.0.0", "a loopback address" },
        { "127.0.0.1", "a loopback address" },
        { "127.255.255.255", "a loopback address" },
        { "128.0.0.0", NULL },
        { "169.253.255.255", NULL },
        { "169.254.0.0", "a link-local address" },
        { "169.254.169.254", "a link-local address" },
        { "169.254.170.2", "a link-local address" },
        { "169.254.255.255", "a link-local address" },
        { "169.255.0.0", NULL },
        { "172.15.255.255", NULL },
        { "172.16.0.0", "a private address" },
        { "172.31.255.255", "a private address" },
        { "172.32.0.0", NULL },
        { "191.255.255.255", NULL },
        { "192.0.0.0", "a reserved address" },
        { "192.0.0.192", "a reserved address" },
        { "192.0.0.255", "a reserved address" },
        { "192.0.1.0", NULL },
        { "192.0.1.255", NULL },
        { "192.0.2.0", "an address for documentation" },
        { "192.0.2.255", "an address for documentation" },
        { "192.0.3.0", NULL },
        { "192.88.98.255", NULL },
        { "192.88.99.0", "a reserved address" },
        { "192.88.99.255", "a reserved address" },
        { "192.88.100.0", NULL },
        { "192.167.255.255", NULL },
        { "192.168.0.0", "a private address" },
        { "192.168.255.255", "a private address" },
        { "192.169.0.0", NULL },
        { "198.17.255.255", NULL },
        { "198.18.0.0", "an address for benchmarks" },
        { "198.19.255.255", "an address for benchmarks" },
        { "198.20.0.0", NULL },
        { "198.51.99.255", NULL },
        { "198.51.100.0", "an address for documentation" },
        { "198.51.100.255", "an address for documentation" },
        { "198.51.101.0", NULL },
        { "203.0.112.255", NULL },
        { "203.0.113.0", "an address for documentation" },
        { "203.0.113.255", "an address for documentation" },
        { "203.0.114.0", NULL },
        { "223.255.255.255", NULL },
        { "224.0.0.0", "a multicast address" },
        { "239.255.255.255", "a multicast address" },
        { "240.0.0.0", "a reserved address" },
        { "255.255.255.254", "a reserved address" },
        { "255.255.255.255", "a reserved address" },

        { "::", "the unspecified address" },
        { "::1", "a loopback address" },
        { "::2", "a reserved address" },
        { "::8.8.8.8", "a reserved address" },
        { "::127.0.0.1", "a reserved address" },
        { "::1:0:0", "a reserved address" },
        { "::fffe:8.8.8.8", "a reserved address" },
        { "::ffff:8.8.8.8", NULL },
        { "::ffff:127.0.0.1", "a loopback address" },
        { "::ffff:7f00:1", "a loopback address" },
        { "::ffff:10.0.0.1", "a private address" },
        { "::ffff:169.254.169.254", "a link-local address" },
        { "::ffff:0.0.0.0", "an address of this network" },
        { "::1:ffff:8.8.8.8", "a reserved address" },
        { "::ffff:0:8.8.8.8", "a reserved address" },
        { "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "a reserved address" },
        { "64:ff9b::8.8.8.8", NULL },
        { "64:ff9b::127.0.0.1", "a loopback address" },
        { "64:ff9b::192.168.1.1", "a private address" },
        { "64:ff9b::169.254.169.254", "a link-local address" },
        { "64:ff9b:1::8.8.8.8", "a reserved address" },
        { "64:ff9b::1:8.8.8.8", "a reserved address" },
        { "100::1", "a reserved address" },
        { "200::1", "a reserved address" },
        { "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "a reserved address" },
        { "2000::", NULL },
        { "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
        { "2001::", "a reserved address" },
        { "2001:0:7f00:1::", "a reserved address" },
        { "2001:20::1", "a reserved address" },
        { "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "a reserved address" },
        { "2001:200::", NULL },
        { "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
        { "2001:db8::1", "an address for documentation" },
        { "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
          "an address for documentation" },
        { "2001:db9::", NULL },
        { "2001:4860:4860::8888", NULL },
        { "2002:7f00:1::", "a loopback address" },
        { "2002:a00:1::1", "a private address" },
        { "2002:a9fe:a9fe::", "a link-local address" },
        { "2002:808:808::1", NULL },
        { "2003::1", NULL },
        { "2606:4700::1111", NULL },
        { "3ffe::1", NULL },
        { "3fff::", "an address for documentation" },
        { "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
          "an address for documentation" },
        { "3fff:1000::", NULL },
        { "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
        { "4000::", "a reserved address" },
        { "5f00::1", "a reserved address" },
        { "8000::1", "a reserved address" },
        { "fbff::1", "a reserved address" },
        { "fc00::", "a private address" },
        { "fd00:ec2::254", "a private address" },
        { "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "a private address" },
        { "fe00::1", "a reserved address" },
        { "fe7f::1", "a reserved address" },
        { "fe80::", "a link-local address" },
        { "fe80::a9fe:a9fe", "a link-local address" },
        { "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "a link-local address" },
        { "fec0::", "a site-local address" },
        { "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "a site-local address" },
        { "ff00::", "a multicast address" },
        { "ff02::1", "a multicast address" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "a multicast address" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse(cases[i].address, &a), NGX_OK);

        what = ngx_codat_address_special(&a);

        if (cases[i].what == NULL ? what != NULL
            : what == NULL || strcmp(what, cases[i].what) != 0)
        {
            fail_msg("%s is %s", cases[i].address, what ? what : "public");
        }
    }
}


int
ngx_codat_unit_address(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_of),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_special),
    };

    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
