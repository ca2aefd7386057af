
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns secrets and signatures: the textual forms of keys, the
 * Standard Webhooks signature header, HMAC-SHA256 and Ed25519, comparison in
 * constant time.  Knows nothing of requests or of where headers come from.
 */


#ifndef _NGX_CODAT_SIGN_H_INCLUDED_
#define _NGX_CODAT_SIGN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <openssl/evp.h>


/*
 * Signatures of each version that are looked at in one header.  Rotation
 * puts up to eleven there; a bound keeps a stranger's header from buying
 * Ed25519 operations.
 */
#define NGX_CODAT_SIGN_MAX         16

#define NGX_CODAT_SIGN_HMAC_LEN    32
#define NGX_CODAT_SIGN_ED25519_LEN 64

/* "v1," and base64 */
#define NGX_CODAT_SIGN_MADE_LEN    (sizeof("v1,") - 1                         \
                                    + ngx_base64_encoded_length(              \
                                          NGX_CODAT_SIGN_HMAC_LEN))

/* a fixed-length stand-in for a secret, see ngx_codat_sign_digest() */
#define NGX_CODAT_SIGN_DIGEST_LEN  32

/* HMAC keys outside these lengths are odd, though not wrong, in bytes */
#define NGX_CODAT_SIGN_KEY_MIN     24
#define NGX_CODAT_SIGN_KEY_MAX     64


typedef struct {
    EVP_MAC_CTX   *mac;                 /* HMAC-SHA256, keyed; or NULL */
    EVP_PKEY      *pkey;                /* Ed25519 public key; or NULL */
    size_t         len;                 /* of the decoded key, in bytes */
} ngx_codat_sign_key_t;


typedef struct {
    ngx_uint_t     nhmac;
    ngx_uint_t     ned25519;
    u_char         hmac[NGX_CODAT_SIGN_MAX][NGX_CODAT_SIGN_HMAC_LEN];
    u_char         ed25519[NGX_CODAT_SIGN_MAX][NGX_CODAT_SIGN_ED25519_LEN];
} ngx_codat_sign_list_t;


/*
 * Decodes a secret: "whsec_BASE64" or bare base64 (HMAC-SHA256, v1) or
 * "whpk_BASE64" (Ed25519 public key, v1a); a leading "v1," or "v1a," and
 * missing padding are tolerated.  The key lives in, and its OpenSSL objects
 * are freed and wiped with, the pool.  The decoded bytes are kept nowhere
 * else.  Returns NULL with *err set to a short phrase that never quotes the
 * secret ("is empty", "is not base64", ...), or NULL with *err == NULL when
 * memory or OpenSSL fails.
 */
ngx_codat_sign_key_t *ngx_codat_sign_key_create(ngx_pool_t *pool,
    ngx_str_t *secret, const char **err);

/*
 * Decodes base64 of the standard alphabet, with all of its padding or none
 * of it, and nothing else in it.  The room for the result goes in with
 * dst->len.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_codat_sign_base64(ngx_str_t *dst, ngx_str_t *src);

/*
 * Checks a webhook-timestamp: plain decimal Unix seconds, not more than
 * tolerance seconds away from now in either direction.  Returns NGX_OK,
 * NGX_DECLINED (outside the tolerance) or NGX_ERROR (not a plain number).
 */
ngx_int_t ngx_codat_sign_timestamp(ngx_str_t *text, time_t now,
    time_t tolerance);

/*
 * Splits a signature header, a space-separated list of "version,base64".
 * Elements of unknown versions, malformed ones and those that do not decode
 * to the right length are skipped, as are more than NGX_CODAT_SIGN_MAX of
 * one version.  The list is the caller's memory.
 */
void ngx_codat_sign_parse(ngx_str_t *header, ngx_codat_sign_list_t *list);

/*
 * Verifies "id.timestamp.body" against every signature of the list that
 * suits the key, without early exit.  The pool is used for scratch memory of
 * Ed25519, which needs its message in one piece.  Returns NGX_OK,
 * NGX_DECLINED (none matches) or NGX_ERROR (memory, OpenSSL).
 */
ngx_int_t ngx_codat_sign_verify(ngx_codat_sign_key_t *key, ngx_pool_t *pool,
    ngx_str_t *id, ngx_str_t *timestamp, ngx_str_t *body,
    ngx_codat_sign_list_t *list);

/*
 * Signs the parts, one behind the other, with an HMAC key in bytes: writes
 * NGX_CODAT_SIGN_MADE_LEN bytes, "v1,BASE64".  Returns NGX_OK or NGX_ERROR
 * (memory, OpenSSL; logged).
 */
ngx_int_t ngx_codat_sign_make(ngx_str_t *key, ngx_str_t *parts, ngx_uint_t n,
    u_char *signature, ngx_log_t *log);

/*
 * Derives a digest of fixed length from a secret under a random key that is
 * drawn once in a process's life, so that comparing two digests tells
 * nothing of the length or content of what they stand for.  Returns NGX_OK
 * or NGX_ERROR.
 */
ngx_int_t ngx_codat_sign_digest(ngx_str_t *secret,
    u_char digest[NGX_CODAT_SIGN_DIGEST_LEN]);

/* Compares two digests in constant time; returns 1 if they are equal. */
ngx_uint_t ngx_codat_sign_equal(const u_char *one, const u_char *two);


#endif /* _NGX_CODAT_SIGN_H_INCLUDED_ */
