
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns secrets and signatures.  Keys and their OpenSSL objects live
 * as long as the pool they were made in; the only static is the key of the
 * digests.  Must not know where a header comes from, nor what an event is.
 */


#include "ngx_codat_sign.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>


#define NGX_CODAT_SIGN_REASON_LEN  256


#define NGX_CODAT_SIGN_PUBLIC_LEN     32

/* of an id and a timestamp as anybody sends them */
#define NGX_CODAT_SIGN_HEAD_LEN       128

/*
 * Below 2^63, so that no number of so many digits overflows.  Leading zeros
 * are digits as any other: the text is signed as it was received, the number
 * is only held against the clock, so there is no second spelling to confuse.
 */
#define NGX_CODAT_SIGN_TIMESTAMP_LEN  18


static void ngx_codat_sign_key_cleanup(void *data);
static ngx_int_t ngx_codat_sign_key_kind(ngx_str_t *text, const char **err);
static ngx_uint_t ngx_codat_sign_skip(ngx_str_t *text, const char *prefix);
static EVP_MAC_CTX *ngx_codat_sign_mac_create(ngx_str_t *key, ngx_log_t *log);
static ngx_int_t ngx_codat_sign_digester_create(void);
static EVP_PKEY *ngx_codat_sign_pkey_create(ngx_str_t *key, ngx_log_t *log);
static void ngx_codat_sign_element(ngx_str_t *element,
    ngx_codat_sign_list_t *list);
static ngx_int_t ngx_codat_sign_decode(ngx_str_t *text, u_char *dst,
    size_t len);
static ngx_int_t ngx_codat_sign_verify_hmac(ngx_codat_sign_key_t *key,
    ngx_pool_t *pool, ngx_str_t *id, ngx_str_t *timestamp, ngx_str_t *body,
    ngx_codat_sign_list_t *list);
static ngx_int_t ngx_codat_sign_verify_ed25519(ngx_codat_sign_key_t *key,
    ngx_pool_t *pool, ngx_str_t *id, ngx_str_t *timestamp, ngx_str_t *body,
    ngx_codat_sign_list_t *list);
static int ngx_codat_sign_verify_one(EVP_PKEY *pkey, const u_char *signature,
    ngx_str_t *message);
static void ngx_codat_sign_begin(void);
static void ngx_codat_sign_failed(ngx_log_t *log, const char *what);


static EVP_MAC_CTX  *ngx_codat_sign_digester;


ngx_codat_sign_key_t *
ngx_codat_sign_key_create(ngx_pool_t *pool, ngx_str_t *secret,
    const char **err)
{
    size_t                 size;
    ngx_int_t              kind;
    ngx_str_t              text, bytes;
    ngx_pool_cleanup_t    *cln;
    ngx_codat_sign_key_t  *key;

    *err = NULL;

    text = *secret;

    kind = ngx_codat_sign_key_kind(&text, err);
    if (kind == NGX_ERROR) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_codat_sign_key_t));
    if (cln == NULL) {
        return NULL;
    }

    key = cln->data;
    ngx_memzero(key, sizeof(ngx_codat_sign_key_t));

    cln->handler = ngx_codat_sign_key_cleanup;

    size = ngx_base64_decoded_length(text.len);

    bytes.len = size;
    bytes.data = ngx_pnalloc(pool, size);
    if (bytes.data == NULL) {
        return NULL;
    }

    if (ngx_codat_sign_base64(&bytes, &text) != NGX_OK) {
        *err = "is not base64";

    } else if (kind == NGX_CODAT_SIGN_ED25519_LEN) {

        if (bytes.len != NGX_CODAT_SIGN_PUBLIC_LEN) {
            *err = "is not a public key of 32 bytes";

        } else {
            key->pkey = ngx_codat_sign_pkey_create(&bytes, pool->log);
        }

    } else {
        key->mac = ngx_codat_sign_mac_create(&bytes, pool->log);
    }

    key->len = bytes.len;

    ngx_explicit_memzero(bytes.data, size);
    ngx_pfree(pool, bytes.data);

    if (key->mac == NULL && key->pkey == NULL) {
        return NULL;
    }

    return key;
}


static void
ngx_codat_sign_key_cleanup(void *data)
{
    ngx_codat_sign_key_t  *key = data;

    EVP_MAC_CTX_free(key->mac);
    EVP_PKEY_free(key->pkey);

    key->mac = NULL;
    key->pkey = NULL;
}


/*
 * Takes the marks in front of the base64 away.  The kind is named by the
 * length of its signatures.
 */

static ngx_int_t
ngx_codat_sign_key_kind(ngx_str_t *text, const char **err)
{
    ngx_int_t   kind;
    ngx_uint_t  v1, v1a;

    v1 = ngx_codat_sign_skip(text, "v1,");
    v1a = v1 ? 0 : ngx_codat_sign_skip(text, "v1a,");

    if (ngx_codat_sign_skip(text, "whsk_")) {
        *err = "is a private key (\"whsk_\"), which only signs: "
               "the public one (\"whpk_\") is needed";
        return NGX_ERROR;
    }

    if (ngx_codat_sign_skip(text, "whpk_")) {
        kind = NGX_CODAT_SIGN_ED25519_LEN;

    } else {
        (void) ngx_codat_sign_skip(text, "whsec_");
        kind = NGX_CODAT_SIGN_HMAC_LEN;
    }

    if (v1 && kind == NGX_CODAT_SIGN_ED25519_LEN) {
        *err = "is marked \"v1\", but begins with \"whpk_\"";
        return NGX_ERROR;
    }

    if (v1a && kind == NGX_CODAT_SIGN_HMAC_LEN) {
        *err = "is marked \"v1a\", but does not begin with \"whpk_\"";
        return NGX_ERROR;
    }

    if (text->len == 0) {
        *err = "is empty";
        return NGX_ERROR;
    }

    return kind;
}


static ngx_uint_t
ngx_codat_sign_skip(ngx_str_t *text, const char *prefix)
{
    size_t  len;

    len = ngx_strlen(prefix);

    if (text->len < len || ngx_memcmp(text->data, prefix, len) != 0) {
        return 0;
    }

    text->data += len;
    text->len -= len;

    return 1;
}


static EVP_MAC_CTX *
ngx_codat_sign_mac_create(ngx_str_t *key, ngx_log_t *log)
{
    char          digest[] = "SHA256";
    EVP_MAC      *mac;
    OSSL_PARAM    params[2];
    EVP_MAC_CTX  *ctx;

    ngx_codat_sign_begin();

    mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (mac == NULL) {
        ngx_codat_sign_failed(log, "EVP_MAC_fetch()");
        return NULL;
    }

    ctx = EVP_MAC_CTX_new(mac);

    EVP_MAC_free(mac);

    if (ctx == NULL) {
        ngx_codat_sign_failed(log, "EVP_MAC_CTX_new()");
        return NULL;
    }

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 digest, 0);
    params[1] = OSSL_PARAM_construct_end();

    if (EVP_MAC_init(ctx, key->data, key->len, params) != 1) {
        ngx_codat_sign_failed(log, "EVP_MAC_init()");
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


static EVP_PKEY *
ngx_codat_sign_pkey_create(ngx_str_t *key, ngx_log_t *log)
{
    EVP_PKEY  *pkey;

    ngx_codat_sign_begin();

    pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->data,
                                       key->len);
    if (pkey == NULL) {
        ngx_codat_sign_failed(log, "EVP_PKEY_new_raw_public_key()");
    }

    return pkey;
}


/* the core's decoder ends at the first "=", whatever follows */

ngx_int_t
ngx_codat_sign_base64(ngx_str_t *dst, ngx_str_t *src)
{
    ngx_str_t   text;
    ngx_uint_t  padding;

    text = *src;

    for (padding = 0; padding < 2; padding++) {

        if (text.len == 0 || text.data[text.len - 1] != '=') {
            break;
        }

        text.len--;
    }

    if (padding && src->len % 4 != 0) {
        return NGX_ERROR;
    }

    if (text.len == 0 || text.len * 3 / 4 > dst->len) {
        return NGX_ERROR;
    }

    if (ngx_strlchr(text.data, text.data + text.len, '=') != NULL) {
        return NGX_ERROR;
    }

    return ngx_decode_base64(dst, &text);
}


ngx_int_t
ngx_codat_sign_timestamp(ngx_str_t *text, time_t now, time_t tolerance)
{
    u_char    c;
    size_t    i;
    int64_t   value, distance;

    if (text->len == 0 || text->len > NGX_CODAT_SIGN_TIMESTAMP_LEN) {
        return NGX_ERROR;
    }

    value = 0;

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if (c < '0' || c > '9') {
            return NGX_ERROR;
        }

        value = value * 10 + (c - '0');
    }

    distance = (value > now) ? value - now : now - value;

    return (distance > tolerance) ? NGX_DECLINED : NGX_OK;
}


void
ngx_codat_sign_parse(ngx_str_t *header, ngx_codat_sign_list_t *list)
{
    u_char     *p, *last;
    ngx_str_t   element;

    list->nhmac = 0;
    list->ned25519 = 0;

    if (header->len == 0) {
        return;
    }

    p = header->data;
    last = p + header->len;

    while (p < last) {

        element.data = p;

        p = ngx_strlchr(p, last, ' ');
        if (p == NULL) {
            p = last;
        }

        element.len = (size_t) (p - element.data);

        ngx_codat_sign_element(&element, list);

        p++;
    }
}


static void
ngx_codat_sign_element(ngx_str_t *element, ngx_codat_sign_list_t *list)
{
    ngx_str_t  text;

    text = *element;

    if (ngx_codat_sign_skip(&text, "v1,")) {

        if (list->nhmac < NGX_CODAT_SIGN_MAX
            && ngx_codat_sign_decode(&text, list->hmac[list->nhmac],
                                     NGX_CODAT_SIGN_HMAC_LEN)
               == NGX_OK)
        {
            list->nhmac++;
        }

        return;
    }

    if (ngx_codat_sign_skip(&text, "v1a,")) {

        if (list->ned25519 < NGX_CODAT_SIGN_MAX
            && ngx_codat_sign_decode(&text, list->ed25519[list->ned25519],
                                     NGX_CODAT_SIGN_ED25519_LEN)
               == NGX_OK)
        {
            list->ned25519++;
        }
    }
}


/*
 * A signature has one spelling, but for its padding: the reference libraries
 * compare texts, so bits that base64 has left over have to be zero.  (Not so
 * in secrets, which people cut and paste.)  A further comma is no base64.
 */

static ngx_int_t
ngx_codat_sign_decode(ngx_str_t *text, u_char *dst, size_t len)
{
    u_char     buf[4];
    size_t     head;
    ngx_str_t  bytes, tail, again;

    bytes.len = len;
    bytes.data = dst;

    if (ngx_codat_sign_base64(&bytes, text) != NGX_OK || bytes.len != len) {
        return NGX_DECLINED;
    }

    /* only the last bytes, fewer than three, have bits left over */

    head = len / 3;

    tail.len = len % 3;
    tail.data = dst + head * 3;

    again.data = buf;

    ngx_encode_base64(&again, &tail);

    if (ngx_memcmp(again.data, text->data + head * 4, text->len - head * 4)
        != 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_codat_sign_verify(ngx_codat_sign_key_t *key, ngx_pool_t *pool,
    ngx_str_t *id, ngx_str_t *timestamp, ngx_str_t *body,
    ngx_codat_sign_list_t *list)
{
    if (key->pkey) {
        return ngx_codat_sign_verify_ed25519(key, pool, id, timestamp, body,
                                             list);
    }

    return ngx_codat_sign_verify_hmac(key, pool, id, timestamp, body, list);
}


static ngx_int_t
ngx_codat_sign_verify_hmac(ngx_codat_sign_key_t *key, ngx_pool_t *pool,
    ngx_str_t *id, ngx_str_t *timestamp, ngx_str_t *body,
    ngx_codat_sign_list_t *list)
{
    u_char      mac[NGX_CODAT_SIGN_HMAC_LEN], *head, *p;
    size_t      len, size;
    ngx_uint_t  i, matched;
    u_char      buf[NGX_CODAT_SIGN_HEAD_LEN];

    if (list->nhmac == 0) {
        return NGX_DECLINED;
    }

    /* one call for the head instead of four */

    size = id->len + 1 + timestamp->len + 1;

    head = size <= sizeof(buf) ? buf : ngx_pnalloc(pool, size);
    if (head == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(head, id->data, id->len);
    *p++ = '.';
    p = ngx_cpymem(p, timestamp->data, timestamp->len);
    *p = '.';

    ngx_codat_sign_begin();

    /* without a key, the context begins anew with the one that it has */

    if (EVP_MAC_init(key->mac, NULL, 0, NULL) != 1
        || EVP_MAC_update(key->mac, head, size) != 1
        || EVP_MAC_update(key->mac, body->data, body->len) != 1
        || EVP_MAC_final(key->mac, mac, &len, sizeof(mac)) != 1
        || len != sizeof(mac))
    {
        ngx_codat_sign_failed(pool->log, "HMAC-SHA256");
        return NGX_ERROR;
    }

    matched = 0;

    for (i = 0; i < list->nhmac; i++) {
        matched |= (CRYPTO_memcmp(mac, list->hmac[i], sizeof(mac)) == 0);
    }

    OPENSSL_cleanse(mac, sizeof(mac));

    return matched ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_codat_sign_verify_ed25519(ngx_codat_sign_key_t *key, ngx_pool_t *pool,
    ngx_str_t *id, ngx_str_t *timestamp, ngx_str_t *body,
    ngx_codat_sign_list_t *list)
{
    int         result;
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   message;
    ngx_uint_t  i;

    if (list->ned25519 == 0) {
        return NGX_DECLINED;
    }

    message.len = id->len + 1 + timestamp->len + 1 + body->len;

    message.data = ngx_pnalloc(pool, message.len);
    if (message.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(message.data, id->data, id->len);
    *p++ = '.';
    p = ngx_cpymem(p, timestamp->data, timestamp->len);
    *p++ = '.';
    ngx_memcpy(p, body->data, body->len);

    rc = NGX_DECLINED;

    ngx_codat_sign_begin();

    for (i = 0; i < list->ned25519; i++) {

        result = ngx_codat_sign_verify_one(key->pkey, list->ed25519[i],
                                           &message);
        if (result < 0) {
            ngx_codat_sign_failed(pool->log, "Ed25519 verification");
            rc = NGX_ERROR;
            break;
        }

        if (result == 1) {
            rc = NGX_OK;
        }
    }

    /* a refused signature may leave its reason for others to stumble over */

    ERR_clear_error();

    ngx_pfree(pool, message.data);

    return rc;
}


/* Returns 1 (valid), 0 (not valid) or -1 (OpenSSL fails). */

static int
ngx_codat_sign_verify_one(EVP_PKEY *pkey, const u_char *signature,
    ngx_str_t *message)
{
    int          result;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return -1;
    }

    result = -1;

    if (EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1) {
        result = EVP_DigestVerify(ctx, signature, NGX_CODAT_SIGN_ED25519_LEN,
                                  message->data, message->len);
    }

    EVP_MD_CTX_free(ctx);

    return result;
}


ngx_int_t
ngx_codat_sign_digest(ngx_str_t *secret,
    u_char digest[NGX_CODAT_SIGN_DIGEST_LEN])
{
    size_t  len;

    ngx_codat_sign_begin();

    if (ngx_codat_sign_digester == NULL
        && ngx_codat_sign_digester_create() != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (EVP_MAC_init(ngx_codat_sign_digester, NULL, 0, NULL) != 1
        || EVP_MAC_update(ngx_codat_sign_digester, secret->data, secret->len)
           != 1
        || EVP_MAC_final(ngx_codat_sign_digester, digest, &len,
                         NGX_CODAT_SIGN_DIGEST_LEN)
           != 1
        || len != NGX_CODAT_SIGN_DIGEST_LEN)
    {
        ngx_codat_sign_failed(ngx_cycle->log, "HMAC-SHA256");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * The key is drawn while the configuration is read, so that workers inherit
 * it and agree with the digests that the configuration holds.
 */

static ngx_int_t
ngx_codat_sign_digester_create(void)
{
    u_char     bytes[NGX_CODAT_SIGN_HMAC_LEN];
    ngx_str_t  key;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        ngx_codat_sign_failed(ngx_cycle->log, "RAND_bytes()");
        return NGX_ERROR;
    }

    key.len = sizeof(bytes);
    key.data = bytes;

    ngx_codat_sign_digester = ngx_codat_sign_mac_create(&key, ngx_cycle->log);

    OPENSSL_cleanse(bytes, sizeof(bytes));

    return ngx_codat_sign_digester ? NGX_OK : NGX_ERROR;
}


ngx_uint_t
ngx_codat_sign_equal(const u_char *one, const u_char *two)
{
    return CRYPTO_memcmp(one, two, NGX_CODAT_SIGN_DIGEST_LEN) == 0;
}


/*
 * What others have left is no reason of ours.  To empty a queue that is empty
 * takes 840 instructions, to look first 170.
 */

static void
ngx_codat_sign_begin(void)
{
    if (ERR_peek_error()) {
        ERR_clear_error();
    }
}


/*
 * OpenSSL's reasons go to the log, and out of its queue.  Not by
 * ngx_ssl_error(), which an nginx without SSL does not have.
 */

static void
ngx_codat_sign_failed(ngx_log_t *log, const char *what)
{
    u_long  n;
    char    reason[NGX_CODAT_SIGN_REASON_LEN];

    for ( ;; ) {
        n = ERR_get_error();

        if (n == 0) {
            reason[0] = '\0';

        } else {
            ERR_error_string_n(n, reason, sizeof(reason));
        }

        ngx_log_error(NGX_LOG_ALERT, log, 0, "codat: %s failed %s", what,
                      reason);

        if (ERR_peek_error() == 0) {
            return;
        }
    }
}


ngx_int_t
ngx_codat_sign_make(ngx_str_t *key, ngx_str_t *parts, ngx_uint_t n,
    u_char *signature, ngx_log_t *log)
{
    u_char        mac[NGX_CODAT_SIGN_HMAC_LEN], *p;
    size_t        len;
    ngx_str_t     raw, text;
    ngx_uint_t    i;
    EVP_MAC_CTX  *ctx;

    ctx = ngx_codat_sign_mac_create(key, log);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (parts[i].len
            && EVP_MAC_update(ctx, parts[i].data, parts[i].len) != 1)
        {
            goto failed;
        }
    }

    if (EVP_MAC_final(ctx, mac, &len, sizeof(mac)) != 1
        || len != sizeof(mac))
    {
        goto failed;
    }

    EVP_MAC_CTX_free(ctx);

    p = ngx_cpymem(signature, "v1,", sizeof("v1,") - 1);

    raw.data = mac;
    raw.len = sizeof(mac);
    text.data = p;

    ngx_encode_base64(&text, &raw);

    return NGX_OK;

failed:

    ngx_codat_sign_failed(log, "HMAC");
    EVP_MAC_CTX_free(ctx);

    return NGX_ERROR;
}
