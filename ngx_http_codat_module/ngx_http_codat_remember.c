
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_digest.h"
#include "ngx_http_codat_problem.h"
#include "ngx_http_codat_remember.h"
#include "ngx_http_codat_variables.h"

#include <openssl/rand.h>
#include <zlib.h>
#include <openssl/sha.h>


static ngx_int_t ngx_http_codat_remember_prepare(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_update_t *update);
static ngx_str_t *ngx_http_codat_remember_id(ngx_http_codat_ctx_t *ctx);
static ngx_int_t ngx_http_codat_remember_failed(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);
static ngx_int_t ngx_http_codat_remember_claimed(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_int_t rc);
static void ngx_http_codat_remember_changed(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_uint_t changed);
static ngx_int_t ngx_http_codat_remember_identity(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);
static ngx_int_t ngx_http_codat_remember_key(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_str_t *id);
static ngx_int_t ngx_http_codat_remember_delivery(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_str_t *id);
static ngx_int_t ngx_http_codat_remember_update(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_update_t *update);
static void ngx_http_codat_remember_log_full(ngx_http_request_t *r,
    ngx_str_t *zone);


static const ngx_str_t  ngx_http_codat_duplicate = ngx_string("duplicate");


ngx_int_t
ngx_http_codat_remember(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_codat_update_t          update;
    ngx_codat_delivery_t       *delivery;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    rc = ngx_http_codat_remember_prepare(r, ctx, &update);

    if (rc == NGX_ERROR) {
        return ngx_http_codat_remember_failed(r, ctx);
    }

    delivery = &ctx->delivery;

    rc = ngx_codat_table_receive(ctx->zone, r->pool,
                                 rc == NGX_OK ? delivery : NULL,
                                 cdlcf->forwards == NULL, &update);

    rc = ngx_http_codat_remember_claimed(r, ctx, rc);

    if (rc != NGX_OK) {
        return rc;
    }

    if (update.stale || update.reference.len) {
        ctx->event.stale = update.stale;
        ctx->event.fields[NGX_CODAT_FIELD_REFERENCE] = update.reference;

        ngx_http_codat_variables_changed(r);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_remember_claim(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_update_t *update)
{
    ngx_int_t  rc;

    rc = ngx_http_codat_remember_prepare(r, ctx, update);

    if (rc == NGX_ERROR
        || ngx_http_codat_remember_identity(r, ctx) != NGX_OK)
    {
        return ngx_http_codat_remember_failed(r, ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_codat_delivery_claim(ctx->zone, &ctx->delivery);

    } else {
        rc = NGX_OK;
    }

    return ngx_http_codat_remember_claimed(r, ctx, rc);
}


/* NGX_OK, NGX_DECLINED for one that can't be a duplicate, or NGX_ERROR */

static ngx_int_t
ngx_http_codat_remember_prepare(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_update_t *update)
{
    ngx_int_t                   rc;
    ngx_str_t                  *id;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    ctx->zone = cdlcf->zone->data;
    ctx->delivery.attempt = 1;

    id = ngx_http_codat_remember_id(ctx);

    if (ngx_http_codat_remember_key(r, ctx, id) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_codat_remember_delivery(r, ctx, id);

    if (rc == NGX_ERROR
        || ngx_http_codat_remember_update(r, ctx, update) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return rc;
}


static ngx_str_t *
ngx_http_codat_remember_id(ngx_http_codat_ctx_t *ctx)
{
    return ctx->webhook_id.len ? &ctx->webhook_id
                               : &ctx->event.fields[NGX_CODAT_FIELD_ID];
}


static ngx_int_t
ngx_http_codat_remember_failed(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx)
{
    return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_UNAVAILABLE,
                                  "out of memory");
}


/* what the zone said; NGX_OK, or NGX_DONE when the webhook is answered */

static ngx_int_t
ngx_http_codat_remember_claimed(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_int_t rc)
{
    ngx_http_codat_loc_conf_t  *cdlcf;

    switch (rc) {

    case NGX_DONE:
        return ngx_http_codat_remember_duplicate(r, ctx,
                                                 ctx->delivery.changed);

    case NGX_BUSY:
        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_IN_PROGRESS,
                                      "another copy of this message is being "
                                      "processed");

    case NGX_ERROR:
        return ngx_http_codat_remember_failed(r, ctx);

    case NGX_DECLINED:
        cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

        ngx_http_codat_remember_log_full(r, &cdlcf->zone->shm.name);
        break;

    default:
        break;
    }

    ngx_http_codat_remember_changed(r, ctx, ctx->delivery.changed);

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_remember_duplicate(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_uint_t changed)
{
    ngx_http_codat_remember_changed(r, ctx, changed);

    return ngx_http_codat_accept(r, ctx, NGX_HTTP_OK,
                                 &ngx_http_codat_duplicate);
}


static void
ngx_http_codat_remember_changed(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_uint_t changed)
{
    if (changed) {
        ngx_codat_stats_add(ctx->zone->sh->stats,
                            ngx_codat_stat_id(NGX_CODAT_STAT_CONFLICTS, 0, 0,
                                              0, 0), 1);

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "codat: an id that was seen before came with another "
                      "body, id: \"%*s\"", ngx_min(ctx->key.len, 64),
                      ctx->key.data);
    }
}


/*
 * What identifies a delivery in the store, whatever zone and process it meets
 * there: a digest of endpoint, secret where that comes from a variable, and
 * id.
 */

static ngx_int_t
ngx_http_codat_remember_identity(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx)
{
    u_char                     *p, *done;
    size_t                      len;
    ngx_str_t                  *id;
    u_char                      digest[SHA256_DIGEST_LENGTH];
    ngx_http_codat_loc_conf_t  *cdlcf;

    id = ngx_http_codat_remember_id(ctx);

    if (ctx->zone->dedupe == 0 || id->len == 0) {
        return NGX_OK;
    }

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    len = cdlcf->endpoint.len + ctx->tenant.len + id->len + 2;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(p, "%V%Z%V%Z%V", &cdlcf->endpoint, &ctx->tenant, id);

    done = SHA256(p, len, digest);

    ngx_explicit_memzero(p, len);

    /* what is there without memory may be the digest of another message */

    if (done == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ctx->identity, digest, NGX_CODAT_KEY_LEN);

    ctx->identified = 1;

    return NGX_OK;
}


/*
 * The key of idempotency for the application.  Without any id two equal
 * bodies may be two events, so nothing less than a new key will do.
 */

static ngx_int_t
ngx_http_codat_remember_key(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    ngx_str_t *id)
{
    u_char  bytes[16];

    if (id->len) {
        return ngx_http_codat_plain(r->pool, id, &ctx->key);
    }

    ctx->key.data = ngx_pnalloc(r->pool, 2 * sizeof(bytes));

    if (ctx->key.data == NULL || RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(ctx->key.data, bytes, sizeof(bytes));
    ctx->key.len = 2 * sizeof(bytes);

    return NGX_OK;
}


/* returns NGX_OK, NGX_DECLINED for one that can't be a duplicate, NGX_ERROR */

static ngx_int_t
ngx_http_codat_remember_delivery(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_str_t *id)
{
    ngx_str_t                  *body, parts[4];
    ngx_codat_delivery_t       *delivery;
    ngx_http_codat_loc_conf_t  *cdlcf;

    if (ctx->zone->dedupe == 0 || id->len == 0) {
        return NGX_DECLINED;
    }

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    body = &ctx->event.payload;
    delivery = &ctx->delivery;

    /* whether it is another body, from a sender who is trusted */

    delivery->body = (uint32_t) crc32(0, body->data, (uInt) body->len);
    delivery->routes = cdlcf->routes;

    parts[0] = cdlcf->server;
    parts[1] = cdlcf->location;
    parts[2] = ctx->tenant;
    parts[3] = *id;

    return ngx_codat_digest(ctx->zone, parts, 4, delivery->key);
}


/* what the event says, for the tables and the list of recent events */

static ngx_int_t
ngx_http_codat_remember_update(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_codat_update_t *update)
{
    ngx_memzero(update, sizeof(ngx_codat_update_t));

    update->recent.id = ctx->webhook_id;
    update->recent.client = ctx->client_id;
    update->recent.body = ctx->event.payload;
    update->recent.received = ctx->received;

    return ngx_codat_facts(r->pool, &ctx->event, ctx->received,
                           &update->facts);
}


/* once a second will do */

static void
ngx_http_codat_remember_log_full(ngx_http_request_t *r, ngx_str_t *zone)
{
    static time_t  last;

    if (last == ngx_time()) {
        return;
    }

    last = ngx_time();

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "codat: zone \"%V\" is full of deliveries under way, "
                  "this one is served but not remembered", zone);
}
