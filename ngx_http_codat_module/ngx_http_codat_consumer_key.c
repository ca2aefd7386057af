
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_work_consumer.h"
#include "ngx_http_codat_ask.h"
#include "ngx_http_codat_consumer_error.h"
#include "ngx_http_codat_consumer_key.h"
#include "ngx_http_codat_consumers.h"
#include "ngx_http_codat_credential.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>


/* random bytes of a key, and what is in front of them */
#define NGX_HTTP_CODAT_KEY_RANDOM  32
#define NGX_HTTP_CODAT_KEY_PREFIX  "sk_integ_"
#define NGX_HTTP_CODAT_KEY_LEN     (sizeof(NGX_HTTP_CODAT_KEY_PREFIX) - 1 + 43)


static ngx_int_t ngx_http_codat_consumer_key_shown(ngx_http_request_t *r,
    ngx_str_t *key, ngx_str_t *client);
static ngx_codat_work_consumer_key_t *ngx_http_codat_consumer_key_work(void);
static ngx_int_t ngx_http_codat_consumer_key_hash(ngx_str_t *key,
    u_char *hash);
static ngx_int_t ngx_http_codat_consumer_key_known(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data);
static ngx_int_t ngx_http_codat_consumer_key_refuse(ngx_http_request_t *r,
    const char *reason);
static ngx_int_t ngx_http_codat_consumer_key_set(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data);


/* a key that is to be looked at, with its hash */

typedef struct {
    ngx_http_codat_call_t  *call;
    u_char                  hash[NGX_CODAT_WORK_DIGEST_LEN];
} ngx_http_codat_shown_key_t;


static ngx_str_t  ngx_http_codat_key_name = ngx_string("zapier");


ngx_int_t
ngx_http_codat_consumer_key(ngx_http_request_t *r,
    ngx_http_codat_call_t *call)
{
    ngx_str_t                       key;
    ngx_http_codat_shown_key_t     *shown;
    ngx_codat_work_consumer_key_t  *work;

    if (r->headers_in.authorization == NULL) {
        return ngx_http_codat_consumer_key_refuse(r, "there is no "
                                                  "Authorization");
    }

    if (ngx_http_codat_consumer_key_shown(r, &key, &call->client) != NGX_OK) {
        return ngx_http_codat_consumer_key_refuse(r, "Authorization is "
                                                  "neither Basic nor Bearer "
                                                  "with an integration key");
    }

    /* what can't be one is not worth a question to the store */

    if (key.len != NGX_HTTP_CODAT_KEY_LEN
        || ngx_strncmp(key.data, NGX_HTTP_CODAT_KEY_PREFIX,
                       sizeof(NGX_HTTP_CODAT_KEY_PREFIX) - 1)
           != 0)
    {
        return ngx_http_codat_consumer_key_refuse(r, "what is shown is no "
                                                  "integration key");
    }

    shown = ngx_palloc(r->pool, sizeof(ngx_http_codat_shown_key_t));
    work = ngx_http_codat_consumer_key_work();

    if (shown == NULL
        || work == NULL
        || ngx_http_codat_consumer_key_hash(&key, shown->hash) != NGX_OK)
    {
        if (work) {
            ngx_codat_work_free(&work->work);
        }

        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    shown->call = call;

    return ngx_http_codat_ask(r, call->zone, &work->work,
                              ngx_http_codat_consumer_key_known, shown);
}


/*
 * "Basic" with the base64 of KEY, as Codat's libraries send it, of CLIENT:KEY
 * or of "KEY:", as with "curl -u"; or "Bearer KEY".
 */

static ngx_int_t
ngx_http_codat_consumer_key_shown(ngx_http_request_t *r, ngx_str_t *key,
    ngx_str_t *client)
{
    size_t             i;
    u_char            *colon;
    ngx_str_t          value;

    static ngx_str_t   basic = ngx_string("Basic ");
    static ngx_str_t   bearer = ngx_string("Bearer ");

    ngx_str_null(client);

    if (ngx_http_codat_credential_scheme(r, &bearer, key) == NGX_OK) {
        return key->len ? NGX_OK : NGX_DECLINED;
    }

    if (ngx_http_codat_credential_scheme(r, &basic, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    key->len = ngx_base64_decoded_length(value.len);
    key->data = ngx_pnalloc(r->pool, key->len + 1);

    if (key->data == NULL || ngx_codat_sign_base64(key, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    for (i = 0; i < key->len; i++) {

        if (key->data[i] <= ' ' || key->data[i] > '~') {
            return NGX_DECLINED;
        }
    }

    colon = ngx_strlchr(key->data, key->data + key->len, ':');

    if (colon == NULL) {
        return key->len ? NGX_OK : NGX_DECLINED;
    }

    if (colon == key->data + key->len - 1) {
        key->len--;
        return key->len ? NGX_OK : NGX_DECLINED;
    }

    client->data = key->data;
    client->len = (size_t) (colon - key->data);

    /* one client in any spelling, as in codat_client */

    ngx_strlow(client->data, client->data, client->len);

    key->len -= client->len + 1;
    key->data = colon + 1;

    return client->len <= NGX_CODAT_ID_MAX ? NGX_OK : NGX_DECLINED;
}


static ngx_codat_work_consumer_key_t *
ngx_http_codat_consumer_key_work(void)
{
    ngx_codat_work_consumer_key_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_CONSUMER_KEY,
                                 sizeof(ngx_codat_work_consumer_key_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return NULL;
    }

    work->now = ngx_codat_table_now();

    if (ngx_codat_work_text(&work->work, &work->name,
                            &ngx_http_codat_key_name)
        != NGX_OK)
    {
        ngx_codat_work_free(&work->work);
        return NULL;
    }

    return work;
}


/* of 32 random bytes, which no dictionary has: one round is enough */

static ngx_int_t
ngx_http_codat_consumer_key_hash(ngx_str_t *key, u_char *hash)
{
    if (EVP_Digest(key->data, key->len, hash, NULL, EVP_sha256(), NULL) != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_consumer_key_known(ngx_http_request_t *r, ngx_codat_work_t *w,
    void *data)
{
    ngx_http_codat_shown_key_t *shown = data;

    ngx_str_t                      *client;
    ngx_codat_work_consumer_key_t  *work;

    work = (ngx_codat_work_consumer_key_t *) w;

    if (!work->known) {
        return ngx_http_codat_consumer_key_refuse(r, "there is no "
                                                  "integration key yet");
    }

    if (!ngx_codat_sign_equal(work->hash, shown->hash)) {
        return ngx_http_codat_consumer_key_refuse(r, "the integration key is "
                                                  "not the present one");
    }

    client = &shown->call->client;

    if (client->len && !ngx_http_codat_client_allowed(r, client)) {
        return ngx_http_codat_consumer_error(r, NGX_HTTP_FORBIDDEN, NULL,
                                             "the client is not in "
                                             "codat_client");
    }

    return ngx_http_codat_consumers_go(r, shown->call);
}


static ngx_int_t
ngx_http_codat_consumer_key_refuse(ngx_http_request_t *r, const char *reason)
{
    return ngx_http_codat_consumer_error(r, NGX_HTTP_UNAUTHORIZED, NULL,
                                         "%s", reason);
}


ngx_int_t
ngx_http_codat_consumer_key_rotate(ngx_http_request_t *r,
    ngx_http_codat_call_t *call)
{
    u_char                          random[NGX_HTTP_CODAT_KEY_RANDOM];
    ngx_str_t                       bytes, text, *key;
    ngx_codat_work_consumer_key_t  *work;

    bytes.data = random;
    bytes.len = sizeof(random);

    key = ngx_palloc(r->pool, sizeof(ngx_str_t));
    work = ngx_http_codat_consumer_key_work();

    if (key == NULL || work == NULL || RAND_bytes(random, sizeof(random)) != 1)
    {
        goto failed;
    }

    key->data = ngx_pnalloc(r->pool, NGX_HTTP_CODAT_KEY_LEN);
    if (key->data == NULL) {
        goto failed;
    }

    text.data = ngx_cpymem(key->data, NGX_HTTP_CODAT_KEY_PREFIX,
                           sizeof(NGX_HTTP_CODAT_KEY_PREFIX) - 1);

    ngx_encode_base64url(&text, &bytes);

    key->len = NGX_HTTP_CODAT_KEY_LEN;

    if (ngx_http_codat_consumer_key_hash(key, work->hash) != NGX_OK) {
        goto failed;
    }

    work->set = 1;

    return ngx_http_codat_ask(r, call->zone, &work->work,
                              ngx_http_codat_consumer_key_set, key);

failed:

    if (work) {
        ngx_codat_work_free(&work->work);
    }

    return NGX_HTTP_SERVICE_UNAVAILABLE;
}


static ngx_int_t
ngx_http_codat_consumer_key_set(ngx_http_request_t *r, ngx_codat_work_t *w,
    void *data)
{
    ngx_str_t *key = data;

    ngx_str_t  body;

    body.data = ngx_pnalloc(r->pool, sizeof("{\"key\":\"\"}") + key->len);
    if (body.data == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    body.len = (size_t) (ngx_sprintf(body.data, "{\"key\":\"%V\"}", key)
                         - body.data);

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "codat: a new integration key was made");

    return ngx_http_codat_consumer_send(r, NGX_HTTP_CREATED, &body);
}
