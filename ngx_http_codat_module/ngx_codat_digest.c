
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the digest, see ngx_codat_digest.h.  OpenSSL's context is of
 * the worker; nothing else is kept.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <openssl/evp.h>

#include "ngx_codat_digest.h"


/* what is digested in one call: enough for ids as they are */
#define NGX_CODAT_DIGEST_TEXT  256


static ngx_int_t ngx_codat_digest_update(EVP_MAC_CTX *ctx,
    const ngx_str_t *parts, ngx_uint_t n);


ngx_int_t
ngx_codat_digest(ngx_codat_zone_t *zone, const ngx_str_t *parts, ngx_uint_t n,
    u_char *key)
{
    size_t                 len;
    EVP_MAC               *mac;

    static EVP_MAC_CTX    *ctx;     /* of this worker */

    if (ctx == NULL) {
        mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
        if (mac == NULL) {
            return NGX_ERROR;
        }

        ctx = EVP_MAC_CTX_new(mac);
        EVP_MAC_free(mac);

        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    if (!EVP_MAC_init(ctx, (u_char *) zone->sh->seed,
                      sizeof(zone->sh->seed), NULL))
    {
        return NGX_ERROR;
    }

    if (ngx_codat_digest_update(ctx, parts, n) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!EVP_MAC_final(ctx, key, &len, NGX_CODAT_ZONE_KEY_LEN)
        || len != NGX_CODAT_ZONE_KEY_LEN)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* with the lengths, so that no two lists are one text */

static ngx_int_t
ngx_codat_digest_update(EVP_MAC_CTX *ctx, const ngx_str_t *parts,
    ngx_uint_t n)
{
    u_char      *p;
    ngx_uint_t   i;
    u_char       text[NGX_CODAT_DIGEST_TEXT];

    p = text;

    for (i = 0; i < n; i++) {

        if ((size_t) (text + sizeof(text) - p)
            < sizeof(size_t) + parts[i].len)
        {
            break;
        }

        p = ngx_cpymem(p, &parts[i].len, sizeof(size_t));

        if (parts[i].len) {
            p = ngx_cpymem(p, parts[i].data, parts[i].len);
        }
    }

    if (!EVP_MAC_update(ctx, text, (size_t) (p - text))) {
        return NGX_ERROR;
    }

    for ( /* void */ ; i < n; i++) {

        if (!EVP_MAC_update(ctx, (const u_char *) &parts[i].len,
                            sizeof(size_t))
            || !EVP_MAC_update(ctx, parts[i].data, parts[i].len))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
