
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
    ngx_str_t                  *id;
    ngx_int_t                   rc;
    ngx_codat_update_t          update;
    ngx_codat_delivery_t       *delivery;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    ctx->zone = cdlcf->zone->data;

    delivery = &ctx->delivery;
    delivery->attempt = 1;

    id = ctx->webhook_id.len ? &ctx->webhook_id
                             : &ctx->event.fields[NGX_CODAT_FIELD_ID];

    if (ngx_http_codat_remember_key(r, ctx, id) != NGX_OK) {
        goto failed;
    }

    rc = ngx_http_codat_remember_delivery(r, ctx, id);

    if (rc == NGX_ERROR) {
        goto failed;
    }

    if (ngx_http_codat_remember_update(r, ctx, &update) != NGX_OK) {
        goto failed;
    }

    rc = ngx_codat_table_receive(ctx->zone, r->pool,
                                 rc == NGX_OK ? delivery : NULL,
                                 cdlcf->forwards == NULL, &update);

    if (delivery->changed) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "codat: an id that was seen before came with another "
                      "body, id: \"%*s\"", ngx_min(ctx->key.len, 64),
                      ctx->key.data);
    }

    switch (rc) {

    case NGX_DONE:
        return ngx_http_codat_accept(r, ctx, NGX_HTTP_OK,
                                     &ngx_http_codat_duplicate);

    case NGX_BUSY:
        return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_IN_PROGRESS,
                                      "another copy of this message is being "
                                      "processed");

    case NGX_ERROR:
        goto failed;

    case NGX_DECLINED:
        ngx_http_codat_remember_log_full(r, &cdlcf->zone->shm.name);
        break;

    default:
        break;
    }

    if (update.stale || update.reference.len) {
        ctx->event.stale = update.stale;
        ctx->event.fields[NGX_CODAT_FIELD_REFERENCE] = update.reference;

        ngx_http_codat_variables_changed(r);
    }

    return NGX_OK;

failed:

    return ngx_http_codat_problem(r, ctx, NGX_HTTP_CODAT_UNAVAILABLE,
                                  "out of memory");
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
