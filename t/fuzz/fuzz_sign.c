
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Signatures: "id NUL timestamp NUL secret NUL header NUL body".  What the
 * secret and the header hold is decoded a second time; a header that was
 * signed here is accepted, and refused as soon as one bit is another.
 */


#include "ngx_codat_fuzz.h"
#include "ngx_codat_sign.h"

#include <openssl/hmac.h>


typedef struct {
    ngx_pool_t              *pool;
    ngx_str_t                id;
    ngx_str_t                timestamp;
    ngx_str_t                secret;
    ngx_str_t                header;
    ngx_str_t                body;
    ngx_str_t                message;           /* what is signed */
    ngx_uint_t               bit;               /* that will be flipped */
} ngx_codat_fuzz_sign_t;


/* "whpk_": the key's bytes, and the secret's kind */

typedef struct {
    u_char                  *bytes;
    size_t                   len;
    ngx_uint_t               ed25519;
} ngx_codat_fuzz_key_t;


static int
digit(u_char c)
{
    const char  *p;

    static const char  digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";

    p = c ? strchr(digits, c) : NULL;

    return p ? (int) (p - digits) : -1;
}


/*
 * Base64 with all of its padding or none, bit by bit; -1 if it is not.
 * *rest are the bits that are left over.
 */

static ssize_t
decode(const u_char *p, size_t len, u_char *out, ngx_uint_t *rest)
{
    size_t      i, n, digits, padding;
    ngx_uint_t  bits, value;

    for (digits = 0; digits < len && p[digits] != '='; digits++) {
        if (digit(p[digits]) < 0) {
            return -1;
        }
    }

    padding = len - digits;

    for (i = digits; i < len; i++) {
        if (p[i] != '=') {
            return -1;
        }
    }

    if (digits == 0 || digits % 4 == 1
        || (padding && padding != (4 - digits % 4) % 4))
    {
        return -1;
    }

    n = 0;
    bits = 0;
    value = 0;

    for (i = 0; i < digits; i++) {
        value = (value << 6) | (ngx_uint_t) digit(p[i]);
        bits += 6;

        if (bits >= 8) {
            bits -= 8;
            out[n++] = (u_char) (value >> bits);
            value &= ((ngx_uint_t) 1 << bits) - 1;
        }
    }

    *rest = value;

    return (ssize_t) n;
}


static ngx_uint_t
skip(const u_char **p, const u_char *end, const char *prefix)
{
    size_t  len;

    len = strlen(prefix);

    if ((size_t) (end - *p) < len || memcmp(*p, prefix, len) != 0) {
        return 0;
    }

    *p += len;

    return 1;
}


/* 0 if the secret is none */

static ngx_uint_t
key_read(ngx_codat_fuzz_sign_t *in, ngx_codat_fuzz_key_t *key)
{
    ssize_t        n;
    ngx_uint_t     v1, v1a, rest;
    const u_char  *p, *end;

    p = in->secret.data;
    end = p + in->secret.len;

    v1 = skip(&p, end, "v1,");
    v1a = !v1 && skip(&p, end, "v1a,");

    if (skip(&p, end, "whsk_")) {
        return 0;
    }

    key->ed25519 = skip(&p, end, "whpk_");

    if (!key->ed25519) {
        (void) skip(&p, end, "whsec_");
    }

    if (key->ed25519 ? v1 : v1a) {
        return 0;
    }

    key->bytes = ngx_codat_fuzz_copy(in->pool, p, (size_t) (end - p)).data;

    n = decode(p, (size_t) (end - p), key->bytes, &rest);

    if (n < 0 || (key->ed25519 && n != 32)) {
        return 0;
    }

    key->len = (size_t) n;

    return 1;
}


/* what the header holds, by the rules of docs; the first 16 of each kind */

static void
header_read(ngx_codat_fuzz_sign_t *in, ngx_codat_sign_list_t *list)
{
    ssize_t        n;
    ngx_uint_t     ed25519, rest;
    const u_char  *p, *end, *space;
    ngx_str_t      out;

    ngx_memzero(list, sizeof(ngx_codat_sign_list_t));

    p = in->header.data;
    end = p + in->header.len;

    for ( /* void */ ; p < end; p = space + 1) {

        space = memchr(p, ' ', (size_t) (end - p));
        space = space ? space : end;

        ed25519 = 0;

        if (!skip(&p, space, "v1,")) {
            ed25519 = 1;

            if (!skip(&p, space, "v1a,")) {
                continue;
            }
        }

        out = ngx_codat_fuzz_copy(in->pool, p, (size_t) (space - p));

        n = decode(p, (size_t) (space - p), out.data, &rest);

        /* bits that nobody reads have to be zero */

        if (n != (ed25519 ? 64 : 32) || rest) {
            continue;
        }

        if (ed25519 && list->ned25519 < NGX_CODAT_SIGN_MAX) {
            ngx_memcpy(list->ed25519[list->ned25519++], out.data, 64);

        } else if (!ed25519 && list->nhmac < NGX_CODAT_SIGN_MAX) {
            ngx_memcpy(list->hmac[list->nhmac++], out.data, 32);
        }
    }
}


static void
check_header(ngx_codat_fuzz_sign_t *in, ngx_codat_sign_list_t *list)
{
    ngx_codat_sign_list_t  expected;

    header_read(in, &expected);

    ngx_codat_sign_parse(&in->header, list);

    ngx_codat_fuzz_want(list->nhmac == expected.nhmac);
    ngx_codat_fuzz_want(list->ned25519 == expected.ned25519);
    ngx_codat_fuzz_want(memcmp(list->hmac, expected.hmac,
                               list->nhmac * 32) == 0);
    ngx_codat_fuzz_want(memcmp(list->ed25519, expected.ed25519,
                               list->ned25519 * 64) == 0);
}


static void
check_timestamp(ngx_codat_fuzz_sign_t *in)
{
    char       buf[32];
    size_t     i;
    int64_t    value, now;
    ngx_int_t  rc, expected;

    now = 1723118400;
    expected = NGX_ERROR;

    for (i = 0; i < in->timestamp.len; i++) {
        if (in->timestamp.data[i] < '0' || in->timestamp.data[i] > '9') {
            break;
        }
    }

    if (i && i == in->timestamp.len && i <= 18) {
        ngx_memcpy(buf, in->timestamp.data, i);
        buf[i] = '\0';

        value = strtoll(buf, NULL, 10);
        expected = llabs(value - now) > 300 ? NGX_DECLINED : NGX_OK;
    }

    rc = ngx_codat_sign_timestamp(&in->timestamp, now, 300);

    ngx_codat_fuzz_want(rc == expected);
}


/* the header that a sender would make, behind what the input has */

static ngx_str_t
header_with(ngx_codat_fuzz_sign_t *in, const char *version, u_char *signature,
    size_t len)
{
    u_char     *p;
    ngx_str_t   header, base64, bytes;

    bytes.data = signature;
    bytes.len = len;

    base64.data = ngx_pnalloc(in->pool, ngx_base64_encoded_length(len));
    ngx_codat_fuzz_want(base64.data != NULL);

    ngx_encode_base64(&base64, &bytes);

    header.data = ngx_pnalloc(in->pool, base64.len + 16);
    ngx_codat_fuzz_want(header.data != NULL);

    p = ngx_sprintf(header.data, "v2,x %s,%V", version, &base64);
    header.len = (size_t) (p - header.data);

    return ngx_codat_fuzz_copy(in->pool, header.data, header.len);
}


static ngx_int_t
verify(ngx_codat_fuzz_sign_t *in, ngx_codat_sign_key_t *key,
    ngx_str_t *header)
{
    ngx_codat_sign_list_t  list;

    ngx_codat_sign_parse(header, &list);

    return ngx_codat_sign_verify(key, in->pool, &in->id, &in->timestamp,
                                 &in->body, &list);
}


/* accepted as it is; with one bit of it, or of the body, changed not */

static void
check_signed(ngx_codat_fuzz_sign_t *in, ngx_codat_sign_key_t *key,
    const char *version, u_char *signature, size_t len)
{
    u_char     *p;
    ngx_str_t   header;

    header = header_with(in, version, signature, len);
    ngx_codat_fuzz_want(verify(in, key, &header) == NGX_OK);

    signature[in->bit / 8 % len] ^= (u_char) (1 << in->bit % 8);

    header = header_with(in, version, signature, len);
    ngx_codat_fuzz_want(verify(in, key, &header) == NGX_DECLINED);

    signature[in->bit / 8 % len] ^= (u_char) (1 << in->bit % 8);

    if (in->body.len) {
        p = &in->body.data[in->bit % in->body.len];
        *p ^= 0x10;

        header = header_with(in, version, signature, len);
        ngx_codat_fuzz_want(verify(in, key, &header) == NGX_DECLINED);

        *p ^= 0x10;
    }
}


static void
check_hmac(ngx_codat_fuzz_sign_t *in, ngx_codat_sign_key_t *key,
    ngx_codat_fuzz_key_t *bytes, ngx_codat_sign_list_t *list)
{
    u_char      mac[EVP_MAX_MD_SIZE];
    unsigned    len;
    ngx_int_t   expected;
    ngx_uint_t  i;

    ngx_codat_fuzz_want(HMAC(EVP_sha256(), bytes->bytes, (int) bytes->len,
                             in->message.data, in->message.len, mac, &len));
    ngx_codat_fuzz_want(len == 32);

    expected = NGX_DECLINED;

    for (i = 0; i < list->nhmac; i++) {
        if (memcmp(list->hmac[i], mac, 32) == 0) {
            expected = NGX_OK;
        }
    }

    ngx_codat_fuzz_want(verify(in, key, &in->header) == expected);

    check_signed(in, key, "v1", mac, 32);
}


/* a pair of keys made of the input, for the secret's own can't be used */

static void
check_ed25519(ngx_codat_fuzz_sign_t *in)
{
    u_char                 public[32], seed[32], signature[64];
    size_t                 len;
    EVP_PKEY              *pkey;
    ngx_str_t              secret, bytes;
    EVP_MD_CTX            *ctx;
    const char            *err;
    ngx_codat_sign_key_t  *key;

    ngx_memzero(seed, sizeof(seed));
    ngx_memcpy(seed, in->secret.data, ngx_min(in->secret.len, 32));

    pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    ctx = EVP_MD_CTX_new();
    ngx_codat_fuzz_want(pkey && ctx);

    len = 32;
    ngx_codat_fuzz_want(EVP_PKEY_get_raw_public_key(pkey, public, &len) == 1);

    len = 64;
    ngx_codat_fuzz_want(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1);
    ngx_codat_fuzz_want(EVP_DigestSign(ctx, signature, &len,
                                       in->message.data, in->message.len)
                        == 1);

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);

    secret.data = ngx_pnalloc(in->pool, 5 + ngx_base64_encoded_length(32));
    ngx_codat_fuzz_want(secret.data != NULL);

    ngx_memcpy(secret.data, "whpk_", 5);

    bytes.data = public;
    bytes.len = 32;
    secret.data += 5;
    ngx_encode_base64(&secret, &bytes);
    secret.data -= 5;
    secret.len += 5;

    key = ngx_codat_sign_key_create(in->pool, &secret, &err);
    ngx_codat_fuzz_want(key && key->pkey && key->len == 32);

    check_signed(in, key, "v1a", signature, 64);
}


NGX_CODAT_FUZZ_TARGET(sign)
{
    u_char                  one[NGX_CODAT_SIGN_DIGEST_LEN],
                            two[NGX_CODAT_SIGN_DIGEST_LEN];
    ngx_uint_t              good;
    const char             *err;
    ngx_codat_fuzz_t        fuzz;
    ngx_codat_fuzz_key_t    bytes;
    ngx_codat_fuzz_sign_t   in;
    ngx_codat_sign_key_t   *key;
    ngx_codat_sign_list_t   list;

    ngx_memzero(&in, sizeof(in));
    ngx_memzero(&bytes, sizeof(bytes));

    fuzz.pos = data;
    fuzz.end = data + len;

    in.pool = ngx_codat_fuzz_pool();
    in.bit = ngx_codat_fuzz_byte(&fuzz);
    in.id = ngx_codat_fuzz_text(&fuzz, in.pool);
    in.timestamp = ngx_codat_fuzz_text(&fuzz, in.pool);
    in.secret = ngx_codat_fuzz_text(&fuzz, in.pool);
    in.header = ngx_codat_fuzz_text(&fuzz, in.pool);
    in.body = ngx_codat_fuzz_rest(&fuzz, in.pool);

    in.message.data = ngx_pnalloc(in.pool, len + 2);
    ngx_codat_fuzz_want(in.message.data != NULL);

    in.message.len = (size_t) (ngx_sprintf(in.message.data, "%V.%V.%V",
                                           &in.id, &in.timestamp, &in.body)
                               - in.message.data);

    check_timestamp(&in);
    check_header(&in, &list);

    good = key_read(&in, &bytes);
    key = ngx_codat_sign_key_create(in.pool, &in.secret, &err);

    /* OpenSSL may refuse bytes that are no point of the curve only later */

    ngx_codat_fuzz_want((key != NULL) == good);
    ngx_codat_fuzz_want((err == NULL) == good);

    if (key) {
        ngx_codat_fuzz_want(key->len == bytes.len);
        ngx_codat_fuzz_want((key->pkey != NULL) == bytes.ed25519);

        if (bytes.ed25519) {
            ngx_codat_fuzz_want(verify(&in, key, &in.header) != NGX_ERROR);

        } else {
            check_hmac(&in, key, &bytes, &list);
        }
    }

    /* slow, so not for every input */

    if (in.bit % 8 == 7) {
        check_ed25519(&in);
    }

    ngx_codat_fuzz_want(ngx_codat_sign_digest(&in.secret, one) == NGX_OK);
    ngx_codat_fuzz_want(ngx_codat_sign_digest(&in.header, two) == NGX_OK);
    ngx_codat_fuzz_want(ngx_codat_sign_equal(one, two)
                        == ngx_codat_fuzz_same(&in.secret, &in.header));

    ngx_destroy_pool(in.pool);
}
