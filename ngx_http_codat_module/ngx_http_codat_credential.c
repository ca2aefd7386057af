
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_credential.h"
#include "ngx_http_codat_header.h"


typedef enum {
    NGX_HTTP_CODAT_ABSENT = 0,
    NGX_HTTP_CODAT_FAILED,
    NGX_HTTP_CODAT_WRONG,
    NGX_HTTP_CODAT_RIGHT
} ngx_http_codat_verdict_e;


static ngx_http_codat_verdict_e ngx_http_codat_authorization(
    ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    ngx_http_codat_loc_conf_t *cdlcf);
static ngx_int_t ngx_http_codat_authorization_one(ngx_http_request_t *r,
    ngx_http_codat_credential_t *credential, ngx_str_t *expected,
    ngx_uint_t *sent);
static ngx_int_t ngx_http_codat_presented(ngx_http_request_t *r,
    ngx_http_codat_credential_t *credential, ngx_str_t *value);
static ngx_http_codat_problem_e ngx_http_codat_signature_headers(
    ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_str_t *detail);
static ngx_codat_sign_key_t *ngx_http_codat_signature_key(
    ngx_http_request_t *r, ngx_http_codat_credential_t *credential,
    ngx_str_t *secret, ngx_int_t *rc);
static void ngx_http_codat_tenant(ngx_http_codat_ctx_t *ctx,
    ngx_http_codat_credential_t *credential, ngx_str_t *secret);


ngx_http_codat_problem_e
ngx_http_codat_credential_headers(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_str_t *detail)
{
    ngx_http_codat_problem_e    authorization;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    if (cdlcf->kinds & NGX_HTTP_CODAT_OPEN) {
        return NGX_HTTP_CODAT_PROBLEMS;
    }

    authorization = NGX_HTTP_CODAT_PROBLEMS;

    if (cdlcf->kinds & NGX_HTTP_CODAT_AUTHORIZATION) {

        switch (ngx_http_codat_authorization(r, ctx, cdlcf)) {

        case NGX_HTTP_CODAT_RIGHT:
            ctx->satisfied |= NGX_HTTP_CODAT_AUTHORIZATION;

            if (cdlcf->satisfy == NGX_HTTP_CODAT_SATISFY_ANY) {
                return NGX_HTTP_CODAT_PROBLEMS;
            }

            break;

        case NGX_HTTP_CODAT_FAILED:
            ngx_str_set(detail, "the credential can't be checked at present");
            return NGX_HTTP_CODAT_UNAVAILABLE;

        case NGX_HTTP_CODAT_WRONG:
            authorization = NGX_HTTP_CODAT_CREDENTIAL_MISMATCH;
            ngx_str_set(detail, "the credential sent is none of those "
                        "configured by codat_credential");
            break;

        default:
            authorization = NGX_HTTP_CODAT_CREDENTIAL_MISSING;
            ngx_str_set(detail, "the header that is to carry the credential "
                        "was not sent");
        }
    }

    if (authorization != NGX_HTTP_CODAT_PROBLEMS
        && (cdlcf->satisfy == NGX_HTTP_CODAT_SATISFY_ALL
            || !(cdlcf->kinds & NGX_HTTP_CODAT_SIGNATURE)))
    {
        return authorization;
    }

    if (!(cdlcf->kinds & NGX_HTTP_CODAT_SIGNATURE)) {
        return NGX_HTTP_CODAT_PROBLEMS;
    }

    /*
     * Where either would do, a request that does not even try to sign is
     * told of the credential.
     */

    if (authorization != NGX_HTTP_CODAT_PROBLEMS
        && ctx->signature.len == 0
        && ctx->timestamp.len == 0)
    {
        return authorization;
    }

    return ngx_http_codat_signature_headers(r, ctx, cdlcf, detail);
}


static ngx_http_codat_problem_e
ngx_http_codat_signature_headers(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_loc_conf_t *cdlcf,
    ngx_str_t *detail)
{
    u_char  *p;

    ctx->failed = NGX_HTTP_CODAT_SIGNATURE;

    if (ctx->webhook_id.len == 0
        || ctx->timestamp.len == 0
        || ctx->signature.len == 0)
    {
        ngx_str_set(detail, "webhook-id, webhook-timestamp and "
                    "webhook-signature (or svix-*) are all required");

        return NGX_HTTP_CODAT_SIGNATURE_MISSING;
    }

    switch (ngx_codat_sign_timestamp(&ctx->timestamp, ngx_time(),
                                     cdlcf->tolerance))
    {
    case NGX_OK:
        return NGX_HTTP_CODAT_PROBLEMS;

    case NGX_DECLINED:
        detail->len = sizeof("webhook-timestamp is more than s away from "
                             "this server's clock") - 1 + NGX_TIME_T_LEN;

        p = ngx_pnalloc(r->pool, detail->len);

        if (p == NULL) {
            ngx_str_set(detail, "webhook-timestamp is outside the tolerance");
            break;
        }

        detail->data = p;
        p = ngx_sprintf(p, "webhook-timestamp is more than %Ts away from this "
                        "server's clock", cdlcf->tolerance);
        detail->len = (size_t) (p - detail->data);
        break;

    default:
        ngx_str_set(detail, "webhook-timestamp is not a plain number of "
                    "seconds");
    }

    return NGX_HTTP_CODAT_TIMESTAMP;
}


ngx_http_codat_problem_e
ngx_http_codat_credential_body(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_str_t *body, ngx_str_t *detail)
{
    ngx_int_t                     rc;
    ngx_str_t                     secret;
    ngx_uint_t                    i, match;
    ngx_codat_sign_key_t         *key;
    ngx_codat_sign_list_t         list;
    ngx_http_codat_loc_conf_t    *cdlcf;
    ngx_http_codat_credential_t  *credentials;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    if (!(cdlcf->kinds & NGX_HTTP_CODAT_SIGNATURE)
        || (cdlcf->satisfy == NGX_HTTP_CODAT_SATISFY_ANY && ctx->satisfied))
    {
        return NGX_HTTP_CODAT_PROBLEMS;
    }

    ngx_codat_sign_parse(&ctx->signature, &list);

    rc = NGX_OK;
    match = 0;
    credentials = cdlcf->credentials->elts;

    for (i = 0; i < cdlcf->credentials->nelts; i++) {

        if (credentials[i].kind != NGX_HTTP_CODAT_SIGNATURE) {
            continue;
        }

        key = ngx_http_codat_signature_key(r, &credentials[i], &secret, &rc);

        if (key == NULL) {
            if (rc == NGX_ERROR) {
                goto failed;
            }

            continue;
        }

        rc = ngx_codat_sign_verify(key, r->pool, &ctx->webhook_id,
                                   &ctx->timestamp, body, &list);

        if (rc == NGX_ERROR) {
            goto failed;
        }

        if (rc == NGX_OK) {
            match = 1;
            ngx_http_codat_tenant(ctx, &credentials[i], &secret);
        }
    }

    if (match) {
        return NGX_HTTP_CODAT_PROBLEMS;
    }

    ngx_str_set(detail, "no signature sent was made with a configured secret "
                "over these headers and this body");

    return NGX_HTTP_CODAT_SIGNATURE_MISMATCH;

failed:

    ngx_str_set(detail, "the signature can't be verified at present");

    return NGX_HTTP_CODAT_UNAVAILABLE;
}


/* a secret with variables that yields no key matches nothing */

static ngx_codat_sign_key_t *
ngx_http_codat_signature_key(ngx_http_request_t *r,
    ngx_http_codat_credential_t *credential, ngx_str_t *secret, ngx_int_t *rc)
{
    const char            *err;
    ngx_codat_sign_key_t  *key;

    if (credential->value == NULL) {
        return credential->key;
    }

    *rc = NGX_ERROR;

    if (ngx_http_complex_value(r, credential->value, secret) != NGX_OK) {
        return NULL;
    }

    if (secret->len == 0) {
        *rc = NGX_DECLINED;
        return NULL;
    }

    key = ngx_codat_sign_key_create(r->pool, secret, &err);

    if (key
        && key->mac
        && key->len < NGX_CODAT_SIGN_KEY_MIN
        && (secret->len < sizeof("whsec_") - 1
            || ngx_strncmp(secret->data, "whsec_", sizeof("whsec_") - 1)
               != 0))
    {
        /* a word such as "none" in a map is base64 too */

        key = NULL;
        err = "is too short for one without \"whsec_\"";
    }

    if (key == NULL && err) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "codat: the variables of codat_credential signature "
                      "yield a secret that %s", err);

        *rc = NGX_DECLINED;
    }

    return key;
}


/*
 * One endpoint may serve several senders, each with a secret of its own: the
 * ids that one of them uses are nothing to the others.
 */

static void
ngx_http_codat_tenant(ngx_http_codat_ctx_t *ctx,
    ngx_http_codat_credential_t *credential, ngx_str_t *secret)
{
    if (credential->value && ctx->tenant.len == 0) {
        ctx->tenant = *secret;
    }
}


ngx_uint_t
ngx_http_codat_client_allowed(ngx_http_request_t *r, ngx_str_t *id)
{
    ngx_str_t                  *clients;
    ngx_uint_t                  i;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    if (cdlcf->clients == NULL || id->len == 0) {
        return 1;
    }

    clients = cdlcf->clients->elts;

    for (i = 0; i < cdlcf->clients->nelts; i++) {

        if (clients[i].len == id->len
            && ngx_strncasecmp(clients[i].data, id->data, id->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* all alternatives are tried, whatever the earlier ones said */

static ngx_http_codat_verdict_e
ngx_http_codat_authorization(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_loc_conf_t *cdlcf)
{
    ngx_int_t                     rc;
    ngx_str_t                     expected;
    ngx_uint_t                    i, one, sent, match, failed;
    ngx_http_codat_credential_t  *credentials;

    sent = 0;
    match = 0;
    failed = 0;
    credentials = cdlcf->credentials->elts;

    for (i = 0; i < cdlcf->credentials->nelts; i++) {

        if (!(credentials[i].kind & NGX_HTTP_CODAT_AUTHORIZATION)) {
            continue;
        }

        one = 0;

        rc = ngx_http_codat_authorization_one(r, &credentials[i], &expected,
                                              &one);

        if (rc == NGX_OK) {
            match = 1;
            ngx_http_codat_tenant(ctx, &credentials[i], &expected);
        }

        if (rc == NGX_ERROR) {
            failed = 1;
        }

        if (one) {
            sent |= credentials[i].kind;
        }
    }

    if (match) {
        return NGX_HTTP_CODAT_RIGHT;
    }

    /* a sender that is told it is wrong may give the message up */

    if (failed) {
        return NGX_HTTP_CODAT_FAILED;
    }

    ctx->failed = sent ? sent
                       : (cdlcf->kinds & NGX_HTTP_CODAT_AUTHORIZATION);

    return sent ? NGX_HTTP_CODAT_WRONG : NGX_HTTP_CODAT_ABSENT;
}


static ngx_int_t
ngx_http_codat_authorization_one(ngx_http_request_t *r,
    ngx_http_codat_credential_t *credential, ngx_str_t *expected,
    ngx_uint_t *sent)
{
    u_char     *colon, *digest;
    ngx_str_t   presented;
    u_char      one[NGX_CODAT_SIGN_DIGEST_LEN];
    u_char      two[NGX_CODAT_SIGN_DIGEST_LEN];

    switch (ngx_http_codat_presented(r, credential, &presented)) {

    case NGX_OK:
        *sent = 1;
        break;

    case NGX_ABORT:
        *sent = 1;
        return NGX_DECLINED;

    case NGX_ERROR:
        return NGX_ERROR;

    default:
        return NGX_DECLINED;
    }

    if (ngx_codat_sign_digest(&presented, one) != NGX_OK) {
        return NGX_ERROR;
    }

    digest = credential->digest;

    if (credential->value) {

        if (ngx_http_complex_value(r, credential->value, expected)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (expected->len == 0) {
            return NGX_DECLINED;
        }

        if (credential->kind == NGX_HTTP_CODAT_BASIC) {
            colon = ngx_strlchr(expected->data, expected->data + expected->len,
                                ':');

            if (colon == NULL
                || colon == expected->data
                || colon == expected->data + expected->len - 1)
            {
                return NGX_DECLINED;
            }
        }

        if (ngx_codat_sign_digest(expected, two) != NGX_OK) {
            return NGX_ERROR;
        }

        digest = two;
    }

    return ngx_codat_sign_equal(one, digest) ? NGX_OK : NGX_DECLINED;
}


/*
 * What the request presents to one credential: NGX_OK, NGX_DECLINED if
 * nothing, NGX_ABORT if something that can't match, NGX_ERROR.
 */

static ngx_int_t
ngx_http_codat_presented(ngx_http_request_t *r,
    ngx_http_codat_credential_t *credential, ngx_str_t *value)
{
    ngx_int_t         rc;
    ngx_str_t         decoded;
    ngx_table_elt_t  *h;

    static ngx_str_t  basic = ngx_string("Basic ");
    static ngx_str_t  bearer = ngx_string("Bearer ");

    switch (credential->kind) {

    case NGX_HTTP_CODAT_BEARER:
        return ngx_http_codat_credential_scheme(r, &bearer, value);

    case NGX_HTTP_CODAT_BASIC:
        rc = ngx_http_codat_credential_scheme(r, &basic, value);

        if (rc != NGX_OK) {
            return rc;
        }

        decoded.len = ngx_base64_decoded_length(value->len);
        decoded.data = ngx_pnalloc(r->pool, decoded.len + 1);

        if (decoded.data == NULL) {
            return NGX_ERROR;
        }

        if (ngx_codat_sign_base64(&decoded, value) != NGX_OK) {
            return NGX_ABORT;
        }

        *value = decoded;

        return NGX_OK;

    default:
        break;
    }

    h = ngx_http_codat_header_find(&r->headers_in.headers, &credential->name);

    if (h == NULL) {
        return NGX_DECLINED;
    }

    *value = h->value;

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_credential_scheme(ngx_http_request_t *r, ngx_str_t *scheme,
    ngx_str_t *value)
{
    if (r->headers_in.authorization == NULL) {
        return NGX_DECLINED;
    }

    *value = r->headers_in.authorization->value;

    if (value->len < scheme->len
        || ngx_strncasecmp(value->data, scheme->data, scheme->len) != 0)
    {
        return NGX_ABORT;
    }

    value->len -= scheme->len;
    value->data += scheme->len;

    while (value->len && value->data[0] == ' ') {
        value->len--;
        value->data++;
    }

    return NGX_OK;
}
