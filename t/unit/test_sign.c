
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Secrets and signatures: the published vectors, what the reference libraries
 * test, and what a stranger may send.  Signatures that are not published were
 * computed by another implementation (Python's hmac).
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_sign.h"

#include <openssl/err.h>
#include <openssl/hmac.h>

#include <sys/wait.h>


#define KEY      "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SECRET   "whsec_" KEY
#define ID       "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define STAMP    "1614265330"
#define BODY     "{\"test\": 2432232314}"
#define SIG      "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define BARE_SIG "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE"

/* the same length, of something else */
#define OTHER    "Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="

#define PUBLIC   "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
#define PRIVATE  "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2H"   \
                 "KpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
#define ED_BARE  "hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymV" \
                 "JaA7AZdpXwVLPo3mNl8EM+m7TBAg"
#define ED_SIG   ED_BARE "=="


static ngx_codat_sign_key_t *
key_of(ngx_pool_t *pool, const char *secret)
{
    ngx_str_t              s;
    const char            *err;
    ngx_codat_sign_key_t  *key;

    s = ngx_codat_unit_str(pool, secret);
    err = "untouched";

    key = ngx_codat_sign_key_create(pool, &s, &err);
    assert_null(err);
    assert_non_null(key);

    return key;
}


static const char *
refusal(const char *secret, size_t len)
{
    ngx_str_t    s;
    ngx_pool_t  *pool;
    const char  *err;

    pool = ngx_codat_unit_pool();

    s = ngx_codat_unit_guard(pool, secret, len);
    err = NULL;

    assert_null(ngx_codat_sign_key_create(pool, &s, &err));
    assert_non_null(err);

    ngx_destroy_pool(pool);

    return err;
}


static ngx_int_t
verify(const char *secret, const char *id, const char *timestamp,
    const char *body, const char *header)
{
    ngx_int_t               rc;
    ngx_str_t               i, t, b, h;
    ngx_pool_t             *pool;
    ngx_codat_sign_list_t   list;

    pool = ngx_codat_unit_pool();

    i = ngx_codat_unit_str(pool, id);
    t = ngx_codat_unit_str(pool, timestamp);
    b = ngx_codat_unit_str(pool, body);
    h = ngx_codat_unit_str(pool, header);

    ngx_codat_sign_parse(&h, &list);

    rc = ngx_codat_sign_verify(key_of(pool, secret), pool, &i, &t, &b, &list);

    assert_int_equal(ERR_peek_error(), 0);

    ngx_destroy_pool(pool);

    return rc;
}


/* the first vector under another header, and the third one */

static ngx_int_t
header(const char *text)
{
    return verify(SECRET, ID, STAMP, BODY, text);
}


static ngx_int_t
header_ed25519(const char *text)
{
    return verify(PUBLIC, ID, STAMP, BODY, text);
}


static void
test_vectors(void **state)
{
    assert_int_equal(verify(SECRET, ID, STAMP, BODY, "v1," SIG), NGX_OK);

    assert_int_equal(verify("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367553",
                            "{\"email\":\"test@example.com\","
                            "\"username\":\"test_user\"}",
                            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
                     NGX_OK);

    assert_int_equal(verify(PUBLIC, ID, STAMP, BODY, "v1a," ED_SIG), NGX_OK);
}


static void
test_content(void **state)
{
    static const char  h[] = "v1," SIG;

    /* one of the three altered after signing */

    assert_int_equal(verify(SECRET, ID "x", STAMP, BODY, h), NGX_DECLINED);
    assert_int_equal(verify(SECRET, ID, "1614265331", BODY, h), NGX_DECLINED);
    assert_int_equal(verify(SECRET, ID, "01614265330", BODY, h), NGX_DECLINED);
    assert_int_equal(verify(SECRET, ID, STAMP, BODY " ", h), NGX_DECLINED);
    assert_int_equal(verify(SECRET, ID, STAMP, "{\"test\":2432232314}", h),
                     NGX_DECLINED);
    assert_int_equal(verify(SECRET, ID, STAMP, "", h), NGX_DECLINED);
    assert_int_equal(verify(SECRET, "", STAMP, BODY, h), NGX_DECLINED);
    assert_int_equal(verify(SECRET, ID, "", BODY, h), NGX_DECLINED);
    assert_int_equal(verify(SECRET, STAMP, ID, BODY, h), NGX_DECLINED);

    /* the timestamp is signed as it was received, leading zeros and all */

    assert_int_equal(verify(SECRET, ID, "0001614265330", BODY,
                            "v1,yjWnRvXy7hJbevQEBEQXk/vMJi2RdIU6jmmvJQ5QUM0="),
                     NGX_OK);

    /* nothing at all is a content, too */

    assert_int_equal(verify(SECRET, ID, STAMP, "",
                            "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A="),
                     NGX_OK);
    assert_int_equal(verify(SECRET, "", "", "",
                            "v1,T3z5rJ4LptMRbnlmZGMmf7ECMSX0oVoTywKv/Pde5/c="),
                     NGX_OK);
}


static void
test_no_pointers(void **state)
{
    ngx_str_t               id, none, h;
    ngx_pool_t             *pool;
    ngx_codat_sign_list_t   list;

    pool = ngx_codat_unit_pool();

    ngx_str_null(&none);
    id = ngx_codat_unit_str(pool, ID);
    h = ngx_codat_unit_str(pool, "v1,T3z5rJ4LptMRbnlmZGMmf7ECMSX0oVoTywKv/Pde5"
                           "/c= v1a," ED_SIG);

    ngx_codat_sign_parse(&h, &list);
    assert_int_equal(list.nhmac, 1);
    assert_int_equal(list.ned25519, 1);

    assert_int_equal(ngx_codat_sign_verify(key_of(pool, SECRET), pool, &none,
                                           &none, &none, &list),
                     NGX_OK);
    assert_int_equal(ngx_codat_sign_verify(key_of(pool, PUBLIC), pool, &id,
                                           &none, &none, &list),
                     NGX_DECLINED);

    ngx_codat_sign_parse(&none, &list);
    assert_int_equal(list.nhmac, 0);
    assert_int_equal(list.ned25519, 0);

    assert_int_equal(ngx_codat_sign_verify(key_of(pool, SECRET), pool, &none,
                                           &none, &none, &list),
                     NGX_DECLINED);
    assert_int_equal(ngx_codat_sign_verify(key_of(pool, PUBLIC), pool, &none,
                                           &none, &none, &list),
                     NGX_DECLINED);

    ngx_destroy_pool(pool);
}


static void
test_bodies(void **state)
{
    size_t                  n;
    ngx_str_t               id, stamp, body, h;
    ngx_uint_t              i;
    ngx_pool_t             *pool;
    ngx_codat_sign_key_t   *key;
    ngx_codat_sign_list_t   list;

    static const struct {
        size_t              len;
        const char         *header;
    } large[] = {
        { 262143, "v1,skNvt+p5w06QHb5A+OeqZC8+eACMTRPwhaU3c2HxkaA=" },
        { 262144, "v1,cm64SjDDQxQtOkUonHBayxD2H9vyj/8cDpeCbLJyzg4=" },
        { 1048576, "v1,V4Fl9lsA6OXYQzLyhOSN6iUKQ5iX9bJ/rf0sg/YqrYI=" }
    };

    pool = ngx_codat_unit_pool();

    key = key_of(pool, SECRET);
    id = ngx_codat_unit_str(pool, ID);
    stamp = ngx_codat_unit_str(pool, STAMP);

    body.data = ngx_palloc(pool, 1048576);
    assert_non_null(body.data);

    for (n = 0; n < 1048576; n++) {
        body.data[n] = (u_char) ('a' + n % 26);
    }

    for (i = 0; i < 3; i++) {
        body.len = large[i].len;
        h = ngx_codat_unit_str(pool, large[i].header);

        ngx_codat_sign_parse(&h, &list);

        assert_int_equal(ngx_codat_sign_verify(key, pool, &id, &stamp, &body,
                                               &list),
                         NGX_OK);
        body.len--;
        assert_int_equal(ngx_codat_sign_verify(key, pool, &id, &stamp, &body,
                                               &list),
                         NGX_DECLINED);
    }

    /* every byte there is: no text, no UTF-8, a NUL in front */

    body.len = 256;

    for (n = 0; n < 256; n++) {
        body.data[n] = (u_char) n;
    }

    h = ngx_codat_unit_str(pool,
                           "v1,sEcZ042G8Crqgxbybb3y0eDxQR3TcfYsk11I1XULhSI=");
    ngx_codat_sign_parse(&h, &list);

    assert_int_equal(ngx_codat_sign_verify(key, pool, &id, &stamp, &body,
                                           &list),
                     NGX_OK);
    body.data[255] = 0;
    assert_int_equal(ngx_codat_sign_verify(key, pool, &id, &stamp, &body,
                                           &list),
                     NGX_DECLINED);

    ngx_destroy_pool(pool);
}


static void
test_refused(void **state)
{
    /* missing, unrelated, garbage, cut, altered */

    assert_int_equal(header(""), NGX_DECLINED);
    assert_int_equal(header(" "), NGX_DECLINED);
    assert_int_equal(header("v1," OTHER), NGX_DECLINED);
    assert_int_equal(header("v1,dawfeoifkpqwoekfpqoekf"), NGX_DECLINED);
    assert_int_equal(header("v1,"), NGX_DECLINED);
    assert_int_equal(header("v1"), NGX_DECLINED);
    assert_int_equal(header(","), NGX_DECLINED);
    assert_int_equal(header("v1,g0hM9"), NGX_DECLINED);
    assert_int_equal(header("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA="),
                     NGX_DECLINED);
    assert_int_equal(header("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLawdd"),
                     NGX_DECLINED);
    assert_int_equal(header("v1,A0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
                     NGX_DECLINED);

    /* no comma, other versions, other spelling of the version */

    assert_int_equal(header(SIG), NGX_DECLINED);
    assert_int_equal(header("v1 " SIG), NGX_DECLINED);
    assert_int_equal(header("v2," SIG), NGX_DECLINED);
    assert_int_equal(header("v1a," SIG), NGX_DECLINED);
    assert_int_equal(header("V1," SIG), NGX_DECLINED);
    assert_int_equal(header("v," SIG), NGX_DECLINED);
    assert_int_equal(header("v11," SIG), NGX_DECLINED);
    assert_int_equal(header("," SIG), NGX_DECLINED);
    assert_int_equal(header(",v1," SIG), NGX_DECLINED);
    assert_int_equal(header("v1=" SIG), NGX_DECLINED);
    assert_int_equal(header("v1;" SIG), NGX_DECLINED);

    /* a third part */

    assert_int_equal(header("v1," SIG ","), NGX_DECLINED);
    assert_int_equal(header("v1," SIG ",x"), NGX_DECLINED);
    assert_int_equal(header("v1," BARE_SIG ",x"), NGX_DECLINED);
    assert_int_equal(header("v1,," SIG), NGX_DECLINED);

    /* the space is the only separator */

    assert_int_equal(header("v1," OTHER "\tv1," SIG), NGX_DECLINED);
    assert_int_equal(header("v1," OTHER ",v1," SIG), NGX_DECLINED);
    assert_int_equal(header("v1," SIG "\t"), NGX_DECLINED);
    assert_int_equal(header("\tv1," SIG), NGX_DECLINED);
    assert_int_equal(header("v1," SIG "\n"), NGX_DECLINED);
    assert_int_equal(header("v1, " SIG), NGX_DECLINED);
    assert_int_equal(header("v1 ," SIG), NGX_DECLINED);

    /* several, none of them good */

    assert_int_equal(header("v1," OTHER " v2," SIG " v1," OTHER),
                     NGX_DECLINED);
}


static void
test_spelling(void **state)
{
    /* padding may be missing, though neither in part nor in excess */

    assert_int_equal(header("v1," BARE_SIG), NGX_OK);
    assert_int_equal(header("v1," BARE_SIG "=="), NGX_DECLINED);
    assert_int_equal(header("v1," BARE_SIG "==="), NGX_DECLINED);
    assert_int_equal(header("v1,=" BARE_SIG), NGX_DECLINED);
    assert_int_equal(header_ed25519("v1a," ED_BARE), NGX_OK);
    assert_int_equal(header_ed25519("v1a," ED_BARE "="), NGX_DECLINED);
    assert_int_equal(header_ed25519("v1a," ED_BARE "==="), NGX_DECLINED);

    /* the same bytes, but bits left over */

    assert_int_equal(header("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF="),
                     NGX_DECLINED);
    assert_int_equal(header("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OH"),
                     NGX_DECLINED);
    assert_int_equal(header_ed25519("v1a,"
                     "hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYX"
                     "FymVJaA7AZdpXwVLPo3mNl8EM+m7TBAh=="),
                     NGX_DECLINED);

    /* the alphabet of URLs, and bytes of none */

    assert_int_equal(header("v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE="),
                     NGX_DECLINED);
    assert_int_equal(header("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1O\xc5"
                            "="),
                     NGX_DECLINED);
}


static void
test_several(void **state)
{
    assert_int_equal(header("v1," OTHER " v2," OTHER " v1," SIG " v1," OTHER),
                     NGX_OK);
    assert_int_equal(header("v1," OTHER " v2," OTHER " v1a," OTHER " v1," SIG
                            " v1," OTHER),
                     NGX_OK);
    assert_int_equal(header("v1," OTHER " v1," SIG), NGX_OK);
    assert_int_equal(header("v1," SIG " v1," OTHER), NGX_OK);
    assert_int_equal(header("v1," SIG " v1," SIG), NGX_OK);
    assert_int_equal(header("v1," SIG " v1a," ED_SIG), NGX_OK);

    /* what is malformed is skipped, not more */

    assert_int_equal(header("garbage v1," SIG), NGX_OK);
    assert_int_equal(header("v1," SIG ",x v1," SIG), NGX_OK);
    assert_int_equal(header("v1, v1," SIG " v1,"), NGX_OK);
    assert_int_equal(header("v1,short v1," SIG), NGX_OK);
    assert_int_equal(header("v1," SIG "AAAA v1," SIG), NGX_OK);
    assert_int_equal(header("v1," ED_SIG " v1," SIG), NGX_OK);

    /* so are spaces */

    assert_int_equal(header("v1," OTHER "  v1," SIG), NGX_OK);
    assert_int_equal(header("   v1," SIG "   "), NGX_OK);
}


static void
test_limit(void **state)
{
    u_char                  *p, text[2048];
    ngx_str_t                h, stamp, id, body;
    ngx_uint_t               i, n;
    ngx_pool_t              *pool;
    ngx_codat_sign_list_t   *list;

    pool = ngx_codat_unit_pool();

    id = ngx_codat_unit_str(pool, ID);
    stamp = ngx_codat_unit_str(pool, STAMP);
    body = ngx_codat_unit_str(pool, BODY);

    /* what is written behind the list is a crash */

    h = ngx_codat_unit_guard(pool, text, sizeof(ngx_codat_sign_list_t));
    list = (void *) h.data;

    /* the good one behind n others: the 16th is seen, the 17th is not */

    for (n = 15; n <= 16; n++) {

        p = text;

        for (i = 0; i < n; i++) {
            p = ngx_cpymem(p, "v1," OTHER " x,y ", sizeof("v1," OTHER " x,y ")
                                                   - 1);
        }

        p = ngx_cpymem(p, "v1," SIG, sizeof("v1," SIG) - 1);

        h = ngx_codat_unit_guard(pool, text, (size_t) (p - text));

        ngx_codat_sign_parse(&h, list);

        assert_int_equal(list->nhmac, 16);
        assert_int_equal(list->ned25519, 0);
        assert_int_equal(ngx_codat_sign_verify(key_of(pool, SECRET), pool, &id,
                                               &stamp, &body, list),
                         n == 15 ? NGX_OK : NGX_DECLINED);
    }

    for (n = 15; n <= 16; n++) {

        p = text;

        for (i = 0; i < n; i++) {
            p = ngx_cpymem(p, "v1a,", 4);
            ngx_memset(p, 'A', 86);
            p += 86;
            *p++ = ' ';
        }

        p = ngx_cpymem(p, "v1a," ED_SIG, sizeof("v1a," ED_SIG) - 1);

        /* the versions do not take each other's room */

        p = ngx_cpymem(p, " v1," SIG, sizeof(" v1," SIG) - 1);

        h = ngx_codat_unit_guard(pool, text, (size_t) (p - text));

        ngx_codat_sign_parse(&h, list);

        assert_int_equal(list->ned25519, 16);
        assert_int_equal(list->nhmac, 1);
        assert_int_equal(ngx_codat_sign_verify(key_of(pool, PUBLIC), pool, &id,
                                               &stamp, &body, list),
                         n == 15 ? NGX_OK : NGX_DECLINED);
        assert_int_equal(ngx_codat_sign_verify(key_of(pool, SECRET), pool, &id,
                                               &stamp, &body, list),
                         NGX_OK);
    }

    /* one that is too long for the last place does not leave it */

    for (n = 0; n < 2; n++) {

        p = text;

        for (i = 0; i < 15; i++) {
            p = ngx_cpymem(p, n ? "v1a," : "v1,", 3 + n);
            ngx_memset(p, 'A', n ? 86 : 43);
            p += n ? 86 : 43;
            *p++ = ' ';
        }

        p = ngx_cpymem(p, n ? "v1a," : "v1,", 3 + n);
        ngx_memset(p, '/', 400);
        p += 400;

        h = ngx_codat_unit_guard(pool, text, (size_t) (p - text));

        ngx_memset(list, 0x5a, sizeof(ngx_codat_sign_list_t));
        ngx_codat_sign_parse(&h, list);

        assert_int_equal(list->nhmac, n ? 0 : 15);
        assert_int_equal(list->ned25519, n ? 15 : 0);

        if (n == 0) {
            for (i = 0; i < sizeof(list->ed25519); i++) {
                assert_int_equal(list->ed25519[i / 64][i % 64], 0x5a);
            }
        }
    }

    ngx_destroy_pool(pool);
}


static void
test_parse(void **state)
{
    ngx_str_t               h;
    ngx_pool_t             *pool;
    ngx_codat_sign_list_t   list;

    static const u_char  one[] = {
        0x83, 0x48, 0x4c, 0xf5, 0x2b, 0x04, 0xf8, 0xe4, 0xcf, 0x25, 0x31,
        0xad, 0xfe, 0xd9, 0x88, 0x2a, 0xd4, 0xb2, 0x66, 0x51, 0x37, 0xb8,
        0x52, 0x44, 0x2d, 0x59, 0x4d, 0x20, 0xe2, 0xc9, 0xd4, 0xe1
    };

    pool = ngx_codat_unit_pool();

    h = ngx_codat_unit_str(pool, "v1," OTHER " v1a," ED_SIG " v1," SIG
                           " v1a," ED_BARE " v1a," OTHER " v1," ED_SIG);

    ngx_memset(&list, 0xa5, sizeof(list));

    ngx_codat_sign_parse(&h, &list);

    assert_int_equal(list.nhmac, 2);
    assert_int_equal(list.ned25519, 2);
    assert_memory_equal(list.hmac[1], one, sizeof(one));
    assert_int_equal(list.ed25519[0][0], 0x86);
    assert_int_equal(list.ed25519[0][63], 0x02);
    assert_memory_equal(list.ed25519[0], list.ed25519[1], 64);

    /* parsed anew, nothing is left of what was there */

    h = ngx_codat_unit_str(pool, "nothing");
    ngx_codat_sign_parse(&h, &list);

    assert_int_equal(list.nhmac, 0);
    assert_int_equal(list.ned25519, 0);

    ngx_destroy_pool(pool);
}


static void
test_hostile(void **state)
{
    size_t                  n;
    u_char                 *text;
    ngx_str_t               h;
    ngx_uint_t              i;
    ngx_pool_t             *pool;
    ngx_codat_sign_list_t   list;

    static const char  *unit[] = {
        " ", ",", "=", "v1,", "v1, ", "v1a,", "v1a, ", "A", "v1,A", "v1,A ",
        "v1,==== ", "v1,=", "\xff", "v1,\xff ", ", ", ("v1," SIG), "v1"
    };

    pool = ngx_codat_unit_pool();

    text = ngx_palloc(pool, 32768);
    assert_non_null(text);

    for (i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {

        for (n = 0; n < 32768; n++) {
            text[n] = (u_char) unit[i][n % ngx_strlen(unit[i])];
        }

        for (n = 1; n <= 32768; n = n * 3 / 2 + 1) {
            h = ngx_codat_unit_guard(pool, text, n);

            ngx_codat_sign_parse(&h, &list);

            assert_int_equal(list.ned25519, 0);
            assert_int_equal(list.nhmac, n == 47 && i == 15);
        }
    }

    /* every byte at every place of a good one */

    for (n = 0; n < sizeof("v1," SIG) - 1; n++) {

        for (i = 0; i < 256; i++) {

            h = ngx_codat_unit_str(pool, "v1," SIG);

            if (h.data[n] != (u_char) i) {
                h.data[n] = (u_char) i;

                ngx_codat_sign_parse(&h, &list);

                /* no padding, but a space, is no padding */

                if (list.nhmac && !(n == 46 && i == ' ')) {
                    assert_in_range(n, 3, 45);
                }

                assert_int_equal(list.ned25519, 0);
            }
        }

        ngx_destroy_pool(pool);
        pool = ngx_codat_unit_pool();
    }

    ngx_destroy_pool(pool);
}


static void
test_secret_forms(void **state)
{
    static const char  h[] = "v1," SIG;

    assert_int_equal(verify(KEY, ID, STAMP, BODY, h), NGX_OK);
    assert_int_equal(verify("v1," SECRET, ID, STAMP, BODY, h), NGX_OK);
    assert_int_equal(verify("v1," KEY, ID, STAMP, BODY, h), NGX_OK);
    assert_int_equal(verify("v1a," PUBLIC, ID, STAMP, BODY, "v1a," ED_SIG),
                     NGX_OK);

    /* the other key of the world */

    assert_int_equal(verify("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", ID,
                            STAMP, BODY, h),
                     NGX_DECLINED);

    /* 31 and 34 characters, the former with bits left over */

    assert_int_equal(verify("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", ID, STAMP,
                            BODY,
                            "v1,LVOXivKoo4FWasi/IaHvzhE/u+7/cu2AME+zS/nXqzk="),
                     NGX_OK);
    assert_int_equal(verify("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwab", ID,
                            STAMP, BODY,
                            "v1,4K34MYo5AlewqcyK6bZY7tzAzx3nq+LhHdCdSl3wsBE="),
                     NGX_OK);

    /* with their padding and without */

    assert_int_equal(verify("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGQ==", ID, STAMP,
                            BODY,
                            "v1,E66iNThOi5VLPl6P+8zeD3KwGKDpvfs9x2fVwYmgGhc="),
                     NGX_OK);
    assert_int_equal(verify("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGQ", ID, STAMP,
                            BODY,
                            "v1,E66iNThOi5VLPl6P+8zeD3KwGKDpvfs9x2fVwYmgGhc="),
                     NGX_OK);
    assert_int_equal(verify("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRo=", ID, STAMP,
                            BODY,
                            "v1,qNroVVbypp3nGus7a3PtmitQUfAj/SS9lUCppVxpcJ0="),
                     NGX_OK);
    assert_int_equal(verify("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRo", ID, STAMP,
                            BODY,
                            "v1,qNroVVbypp3nGus7a3PtmitQUfAj/SS9lUCppVxpcJ0="),
                     NGX_OK);

    /* a single byte, and more than a block of SHA-256 */

    assert_int_equal(verify("AQ", ID, STAMP, BODY,
                            "v1,4gSWYImObezboYN8eiWmJrHLHwevX4yElXAPnG5R4ns="),
                     NGX_OK);
    assert_int_equal(verify("whsec_"
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyM"
        "zQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZm"
        "doaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZq"
        "bnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/wMHCw8TFxsc=",
                            ID, STAMP, BODY,
                            "v1,vC6UE+N/zsAB6WqUOiAGBpg9htXLmUmWcbb4ytdKMhE="),
                     NGX_OK);
}


static void
test_secret_len(void **state)
{
    ngx_pool_t            *pool;
    ngx_codat_sign_key_t  *key;

    pool = ngx_codat_unit_pool();

    key = key_of(pool, SECRET);
    assert_int_equal(key->len, 24);
    assert_non_null(key->mac);
    assert_null(key->pkey);

    key = key_of(pool, "AQ");
    assert_int_equal(key->len, 1);

    key = key_of(pool, PUBLIC);
    assert_int_equal(key->len, 32);
    assert_null(key->mac);
    assert_non_null(key->pkey);

    ngx_destroy_pool(pool);
}


static void
test_secret_empty(void **state)
{
    ngx_uint_t  i;

    static const char  *secrets[] = {
        "", "whsec_", "whpk_", "v1,", "v1a,whpk_", "v1,whsec_"
    };

    for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        assert_string_equal(refusal(secrets[i], ngx_strlen(secrets[i])),
                            "is empty");
    }
}


static void
test_secret_not_base64(void **state)
{
    ngx_uint_t  i;

    static const char  *secrets[] = {

        /* from the documentation of Codat */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw/Je4ZJEGP1QFb",

        /* white space, inside and around */
        (" " SECRET), (SECRET " "), (SECRET "\n"), (SECRET "\r"),
        ("whsec_ " KEY), "whsec_MfKQ9r8GKYqrTwjU PD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjU\nPD8ILPZIo2LaLaSw",
        ("v1, " SECRET),

        /* other alphabets */
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-w",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa_w",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa.w",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa\xc3\xa4w",

        /* padding */
        (KEY "="), (KEY "=="), (KEY "==="), (KEY "===="), "A", "=", "==",
        "===", "====", "A=", "A==", "A===", "AA=", "AA===", "AA==AAAA",
        "AAA=AAAA", "AAAA=AAA", "AA=A", "=AAA", "AAA==", "AAAA=",
        "AAAAA===", "AA====",

        /* marks that are none, or come twice */
        ("WHSEC_" KEY), ("Whsec_" KEY), ("whsec_whsec_" KEY),
        ("v1,v1," KEY), ("v2," KEY), ("whsec:" KEY), ("whsec_v1," KEY),
        ("whsec_" PUBLIC)
    };

    for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        assert_string_equal(refusal(secrets[i], ngx_strlen(secrets[i])),
                            "is not base64");
    }

    assert_string_equal(refusal("AAAA\0AAA", 8), "is not base64");
    assert_string_equal(refusal("\0", 1), "is not base64");
}


static void
test_secret_refused(void **state)
{
    const char  *err;

    err = refusal(PRIVATE, sizeof(PRIVATE) - 1);
    assert_non_null(strstr(err, "is a private key"));
    assert_null(strstr(err, "6Xb"));

    err = refusal("v1a," PRIVATE, sizeof("v1a," PRIVATE) - 1);
    assert_non_null(strstr(err, "is a private key"));

    err = refusal("v1," PRIVATE, sizeof("v1," PRIVATE) - 1);
    assert_non_null(strstr(err, "is a private key"));

    err = refusal("whsk_", 5);
    assert_non_null(strstr(err, "is a private key"));

    /* 24, 31, 33 and 64 bytes */

    err = "is not a public key of 32 bytes";

    assert_string_equal(refusal("whpk_" KEY, sizeof("whpk_" KEY) - 1), err);
    assert_string_equal(
        refusal("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOig==", 49), err);
    assert_string_equal(
        refusal("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOiorr", 49), err);
    assert_string_equal(refusal("whpk_" ED_SIG, sizeof("whpk_" ED_SIG) - 1),
                        err);

    /* marks that contradict each other */

    err = refusal("v1," PUBLIC, sizeof("v1," PUBLIC) - 1);
    assert_non_null(strstr(err, "is marked \"v1\""));

    err = refusal("v1a," SECRET, sizeof("v1a," SECRET) - 1);
    assert_non_null(strstr(err, "is marked \"v1a\""));

    err = refusal("v1a," KEY, sizeof("v1a," KEY) - 1);
    assert_non_null(strstr(err, "is marked \"v1a\""));
}


static void
test_secret_wiped(void **state)
{
    u_char       *p;
    ngx_str_t     s, text, bytes;
    ngx_uint_t    i;
    ngx_pool_t   *pool, *other;
    const char   *err;

    static const char  *secrets[] = {
        SECRET, PUBLIC, ("whpk_" KEY), (SECRET "/Je4ZJEGP1QFb")
    };

    other = ngx_codat_unit_pool();

    for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {

        s = ngx_codat_unit_str(other, secrets[i]);

        text.data = (u_char *) strchr((char *) s.data, '_') + 1;
        text.len = 16;

        bytes.data = ngx_pnalloc(other, 12);
        assert_non_null(bytes.data);
        assert_int_equal(ngx_decode_base64(&bytes, &text), NGX_OK);
        assert_int_equal(bytes.len, 12);

        pool = ngx_codat_unit_pool();
        ngx_memzero(pool->d.last, (size_t) (pool->d.end - pool->d.last));

        (void) ngx_codat_sign_key_create(pool, &s, &err);

        for (p = (u_char *) pool; p + 12 <= pool->d.end; p++) {
            assert_memory_not_equal(p, bytes.data, 12);
        }

        ngx_destroy_pool(pool);
    }

    ngx_destroy_pool(other);
}


static void
test_key_reused(void **state)
{
    ngx_str_t               id, stamp, body, good, bad;
    ngx_uint_t              i;
    ngx_pool_t             *pool, *config;
    ngx_codat_sign_key_t   *key, *pkey;
    ngx_codat_sign_list_t   yes, no;

    config = ngx_codat_unit_pool();

    key = key_of(config, SECRET);
    pkey = key_of(config, PUBLIC);

    id = ngx_codat_unit_str(config, ID);
    stamp = ngx_codat_unit_str(config, STAMP);
    body = ngx_codat_unit_str(config, BODY);
    good = ngx_codat_unit_str(config, "v1," SIG " v1a," ED_SIG);
    bad = ngx_codat_unit_str(config, "v1," OTHER " v1a," OTHER);

    ngx_codat_sign_parse(&good, &yes);
    ngx_codat_sign_parse(&bad, &no);

    for (i = 0; i < 10; i++) {

        pool = ngx_codat_unit_pool();

        /* somebody else's error is nobody's */

        ERR_put_error(ERR_LIB_USER, 0, ERR_R_INTERNAL_ERROR, "", 0);

        assert_int_equal(ngx_codat_sign_verify(key, pool, &id, &stamp, &body,
                                               &yes),
                         NGX_OK);
        assert_int_equal(ngx_codat_sign_verify(key, pool, &id, &stamp, &body,
                                               &no),
                         NGX_DECLINED);

        ERR_put_error(ERR_LIB_USER, 0, ERR_R_INTERNAL_ERROR, "", 0);

        assert_int_equal(ngx_codat_sign_verify(pkey, pool, &id, &stamp, &body,
                                               &yes),
                         NGX_OK);
        assert_int_equal(ngx_codat_sign_verify(pkey, pool, &id, &stamp, &body,
                                               &no),
                         NGX_DECLINED);

        ngx_destroy_pool(pool);
    }

    ngx_destroy_pool(config);
}


static void
test_ed25519(void **state)
{
    static const char  h[] = "v1a," ED_SIG;

    assert_int_equal(header_ed25519("v1a," ED_SIG " v1a," ED_BARE), NGX_OK);
    assert_int_equal(header_ed25519("v1," SIG " " "v1a," ED_SIG), NGX_OK);

    /* the versions are not each other's */

    assert_int_equal(header_ed25519("v1," SIG), NGX_DECLINED);
    assert_int_equal(header_ed25519("v1," ED_SIG), NGX_DECLINED);
    assert_int_equal(header_ed25519("v2a," ED_SIG), NGX_DECLINED);
    assert_int_equal(header_ed25519("v1A," ED_SIG), NGX_DECLINED);
    assert_int_equal(header(h), NGX_DECLINED);

    /* altered content */

    assert_int_equal(verify(PUBLIC, ID "x", STAMP, BODY, h), NGX_DECLINED);
    assert_int_equal(verify(PUBLIC, ID, "1614265331", BODY, h), NGX_DECLINED);
    assert_int_equal(verify(PUBLIC, ID, STAMP, BODY " ", h), NGX_DECLINED);
    assert_int_equal(verify(PUBLIC, ID, STAMP, "", h), NGX_DECLINED);

    /* another key */

    assert_int_equal(verify("whpk_2SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4",
                            ID, STAMP, BODY, h),
                     NGX_DECLINED);

    /* behind bad ones, in front of bad ones */

    assert_int_equal(header_ed25519("v1a,"
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA== v1a," ED_SIG),
                     NGX_OK);
    assert_int_equal(header_ed25519("v1a," ED_SIG " v1a,"
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="),
                     NGX_OK);
}


static void
test_ed25519_bits(void **state)
{
    ngx_str_t               id, stamp, body, h;
    ngx_uint_t              i;
    ngx_pool_t             *pool;
    ngx_codat_sign_key_t   *key;
    ngx_codat_sign_list_t   list;

    pool = ngx_codat_unit_pool();

    key = key_of(pool, PUBLIC);
    id = ngx_codat_unit_str(pool, ID);
    stamp = ngx_codat_unit_str(pool, STAMP);
    body = ngx_codat_unit_str(pool, BODY);
    h = ngx_codat_unit_str(pool, "v1a," ED_SIG);

    ngx_codat_sign_parse(&h, &list);

    for (i = 0; i < 512; i += 7) {
        list.ed25519[0][i / 8] ^= (u_char) (1 << i % 8);
        assert_int_equal(ngx_codat_sign_verify(key, pool, &id, &stamp, &body,
                                               &list),
                         NGX_DECLINED);
        assert_int_equal(ERR_peek_error(), 0);
        list.ed25519[0][i / 8] ^= (u_char) (1 << i % 8);
    }

    assert_int_equal(ngx_codat_sign_verify(key, pool, &id, &stamp, &body,
                                           &list),
                     NGX_OK);

    ngx_destroy_pool(pool);
}


/* Signs what no vector covers, with the private key of the published one. */

static void
test_ed25519_bodies(void **state)
{
    size_t                  n, len;
    u_char                  message[8192];
    EVP_PKEY               *pkey;
    ngx_str_t               text, bytes, id, stamp, body;
    ngx_uint_t              i;
    ngx_pool_t             *pool;
    EVP_MD_CTX             *ctx;
    ngx_codat_sign_list_t   list;

    static const size_t     lens[] = { 0, 1, 2, 4000, 8000 };

    pool = ngx_codat_unit_pool();

    text = ngx_codat_unit_str(pool, &PRIVATE[5]);
    bytes.data = ngx_pnalloc(pool, text.len);
    assert_non_null(bytes.data);
    assert_int_equal(ngx_decode_base64(&bytes, &text), NGX_OK);
    assert_int_equal(bytes.len, 64);

    pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes.data,
                                        32);
    assert_non_null(pkey);

    n = sizeof(ID "." STAMP ".") - 1;
    ngx_memcpy(message, ID "." STAMP ".", n);

    for (len = n; len < sizeof(message); len++) {
        message[len] = (u_char) len;
    }

    id = ngx_codat_unit_str(pool, ID);
    stamp = ngx_codat_unit_str(pool, STAMP);

    for (i = 0; i < 5; i++) {

        body = ngx_codat_unit_guard(pool, message + n, lens[i]);

        ctx = EVP_MD_CTX_new();
        assert_non_null(ctx);
        assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey), 1);

        len = 64;
        assert_int_equal(EVP_DigestSign(ctx, list.ed25519[0], &len, message,
                                        n + lens[i]),
                         1);
        EVP_MD_CTX_free(ctx);

        list.ned25519 = 1;
        list.nhmac = 0;

        assert_int_equal(ngx_codat_sign_verify(key_of(pool, PUBLIC), pool, &id,
                                               &stamp, &body, &list),
                         NGX_OK);

        if (body.len) {
            body.data[body.len - 1] ^= 1;
            assert_int_equal(ngx_codat_sign_verify(key_of(pool, PUBLIC), pool,
                                                   &id, &stamp, &body, &list),
                             NGX_DECLINED);
        }
    }

    EVP_PKEY_free(pkey);

    ngx_destroy_pool(pool);
}


static ngx_int_t
stamp(const char *text, time_t now, time_t tolerance)
{
    ngx_int_t    rc;
    ngx_str_t    s;
    ngx_pool_t  *pool;

    pool = ngx_codat_unit_pool();

    s = ngx_codat_unit_str(pool, text);
    rc = ngx_codat_sign_timestamp(&s, now, tolerance);

    ngx_destroy_pool(pool);

    return rc;
}


static void
test_timestamp(void **state)
{
    time_t  now;

    now = 1614265330;

    assert_int_equal(stamp(STAMP, now, 300), NGX_OK);
    assert_int_equal(stamp("1614265329", now, 300), NGX_OK);

    /* exactly the tolerance is inside, in both directions */

    assert_int_equal(stamp(STAMP, now + 300, 300), NGX_OK);
    assert_int_equal(stamp(STAMP, now + 301, 300), NGX_DECLINED);
    assert_int_equal(stamp(STAMP, now - 300, 300), NGX_OK);
    assert_int_equal(stamp(STAMP, now - 301, 300), NGX_DECLINED);

    /* wider, narrower, none */

    assert_int_equal(stamp(STAMP, now + 301, 600), NGX_OK);
    assert_int_equal(stamp(STAMP, now - 301, 600), NGX_OK);
    assert_int_equal(stamp(STAMP, now + 11, 10), NGX_DECLINED);
    assert_int_equal(stamp(STAMP, now - 11, 10), NGX_DECLINED);
    assert_int_equal(stamp(STAMP, now, 0), NGX_OK);
    assert_int_equal(stamp(STAMP, now + 1, 0), NGX_DECLINED);
    assert_int_equal(stamp(STAMP, now - 1, 0), NGX_DECLINED);

    /* switched off */

    assert_int_equal(stamp("1", now, NGX_MAX_TIME_T_VALUE), NGX_OK);
    assert_int_equal(stamp("999999999999999999", now, NGX_MAX_TIME_T_VALUE),
                     NGX_OK);
    assert_int_equal(stamp("-1", now, NGX_MAX_TIME_T_VALUE), NGX_ERROR);

    /* milliseconds are a number, but far away */

    assert_int_equal(stamp("1614265330000", now, 300), NGX_DECLINED);
    assert_int_equal(stamp("0", now, 300), NGX_DECLINED);
    assert_int_equal(stamp("0", 300, 300), NGX_OK);

    /* leading zeros say nothing */

    assert_int_equal(stamp("000000001614265330", now, 300), NGX_OK);
}


static void
test_timestamp_malformed(void **state)
{
    u_char      text[1000];
    ngx_str_t   s;
    ngx_uint_t  i;

    static const char  *texts[] = {
        "", " ", "-", "+", ".", "hello", "teadwd", "1614265330abc",
        "abc1614265330", "-1", "-1234", "-1614265330", "+1614265330",
        " 1614265330", "1614265330 ", "1614265330\n", "1614265330.5",
        "1614265330.", "1614265330,0", "1,614,265,330", "1614265330e0",
        "1e9", "0x6037b8b2", "0b1", "1_614_265_330", "NaN", "Infinity",
        "2021-02-25T15:02:10Z", "\xd9\xa1", "1614265330s", "1614265330/",
        "1614265330:",

        /* more digits than are looked at */
        "0000000001614265330", "9223372036854775807", "9223372036854775808",
        "18446744073709551616", "18446744075323816946"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(stamp(texts[i], 1614265330, 300), NGX_ERROR);
        assert_int_equal(stamp(texts[i], 1614265330, NGX_MAX_TIME_T_VALUE),
                         NGX_ERROR);
    }

    ngx_memcpy(text, "1614265330\0", 11);
    s.data = text;
    s.len = 11;
    assert_int_equal(ngx_codat_sign_timestamp(&s, 1614265330, 300), NGX_ERROR);

    ngx_memset(text, '1', sizeof(text));
    s.len = sizeof(text);
    assert_int_equal(ngx_codat_sign_timestamp(&s, 1614265330, 300), NGX_ERROR);
}


static void
test_digest(void **state)
{
    int           status;
    pid_t         pid;
    u_char        one[NGX_CODAT_SIGN_DIGEST_LEN];
    u_char        two[NGX_CODAT_SIGN_DIGEST_LEN];
    u_char        zero[NGX_CODAT_SIGN_DIGEST_LEN];
    ngx_str_t     s;
    ngx_uint_t    i;
    ngx_pool_t   *pool;

    static const char  *others[] = {
        "", "s", "secre", "secreu", "Secret", "secret ", "secretsecret"
    };

    pool = ngx_codat_unit_pool();

    s = ngx_codat_unit_str(pool, "secret");
    assert_int_equal(ngx_codat_sign_digest(&s, one), NGX_OK);

    ngx_memset(two, 0, sizeof(two));
    assert_int_equal(ngx_codat_sign_digest(&s, two), NGX_OK);
    assert_int_equal(ngx_codat_sign_equal(one, two), 1);

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        s = ngx_codat_unit_str(pool, others[i]);
        assert_int_equal(ngx_codat_sign_digest(&s, two), NGX_OK);
        assert_int_equal(ngx_codat_sign_equal(one, two), 0);
    }

    ngx_str_null(&s);
    assert_int_equal(ngx_codat_sign_digest(&s, one), NGX_OK);
    s = ngx_codat_unit_str(pool, "");
    assert_int_equal(ngx_codat_sign_digest(&s, two), NGX_OK);
    assert_int_equal(ngx_codat_sign_equal(one, two), 1);

    /* the key has been drawn */

    s = ngx_codat_unit_str(pool, "secret");
    assert_int_equal(ngx_codat_sign_digest(&s, one), NGX_OK);
    ngx_memzero(zero, sizeof(zero));
    assert_non_null(HMAC(EVP_sha256(), zero, 32, s.data, s.len, two, NULL));
    assert_int_equal(ngx_codat_sign_equal(one, two), 0);

    /* and a worker has the master's */

    pid = fork();
    assert_int_not_equal(pid, -1);

    if (pid == 0) {
        status = (ngx_codat_sign_digest(&s, two) == NGX_OK
                  && ngx_codat_sign_equal(one, two)) ? 0 : 1;

        /* valgrind looks for leaks in this process, too */

        ngx_destroy_pool(pool);

        _exit(status);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    ngx_destroy_pool(pool);
}


static void
test_equal(void **state)
{
    u_char      one[NGX_CODAT_SIGN_DIGEST_LEN];
    u_char      two[NGX_CODAT_SIGN_DIGEST_LEN];
    ngx_uint_t  i;

    for (i = 0; i < sizeof(one); i++) {
        one[i] = (u_char) i;
        two[i] = (u_char) i;
    }

    assert_int_equal(ngx_codat_sign_equal(one, two), 1);

    for (i = 0; i < sizeof(one); i++) {
        two[i] ^= 0x80;
        assert_int_equal(ngx_codat_sign_equal(one, two), 0);
        two[i] ^= 0x80;
    }

    assert_int_equal(ngx_codat_sign_equal(one, two), 1);
}


int
ngx_codat_unit_sign(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_no_pointers),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_spelling),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_secret_forms),
        cmocka_unit_test(test_secret_len),
        cmocka_unit_test(test_secret_empty),
        cmocka_unit_test(test_secret_not_base64),
        cmocka_unit_test(test_secret_refused),
        cmocka_unit_test(test_secret_wiped),
        cmocka_unit_test(test_key_reused),
        cmocka_unit_test(test_ed25519),
        cmocka_unit_test(test_ed25519_bits),
        cmocka_unit_test(test_ed25519_bodies),
        cmocka_unit_test(test_timestamp),
        cmocka_unit_test(test_timestamp_malformed),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_equal),
    };

    return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
