
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_client.h"
#include "ngx_http_codat_deliver.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_outgoing.h"
#include "ngx_http_codat_webhook.h"


static ngx_http_codat_outgoing_t *ngx_http_codat_outgoing_request(
    ngx_http_request_t *r, ngx_codat_zone_t *zone,
    ngx_codat_work_outgoing_t *work);
static ngx_int_t ngx_http_codat_outgoing_child(
    ngx_http_codat_outgoing_t *outgoing, ngx_http_codat_ctx_t *ctx,
    ngx_http_codat_consumers_conf_t *conf, ngx_uint_t cloudevents);
static ngx_int_t ngx_http_codat_outgoing_sign(
    ngx_http_codat_outgoing_t *outgoing, ngx_http_codat_ctx_t *ctx,
    ngx_str_t *secret);
static ngx_int_t ngx_http_codat_outgoing_header(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);


static ngx_str_t  ngx_http_codat_outgoing_type =
    ngx_string("application/json");


ngx_http_codat_outgoing_t *
ngx_http_codat_outgoing_create(ngx_codat_zone_t *zone,
    ngx_http_codat_consumers_conf_t *conf, ngx_codat_work_outgoing_t *work,
    ngx_http_codat_child_ended_pt ended)
{
    ngx_http_request_t            *r;
    ngx_http_codat_ctx_t          *ctx;
    ngx_http_codat_outgoing_t     *outgoing;
    ngx_http_codat_client_call_t   call;

    ngx_memzero(&call, sizeof(ngx_http_codat_client_call_t));

    /* the location of its own, and no other, has what configures it */

    ngx_str_set(&call.uri, "/");

    r = ngx_http_codat_client_create(&conf->ctx, &call);
    if (r == NULL) {
        return NULL;
    }

    outgoing = ngx_http_codat_outgoing_request(r, zone, work);

    if (outgoing == NULL) {
        ngx_http_codat_client_free(r);
        return NULL;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    if (ngx_http_codat_outgoing_child(outgoing, ctx, conf,
                                      work->consumer.cloudevents)
        != NGX_OK
        || ngx_http_codat_outgoing_sign(outgoing, ctx, &work->consumer.secret)
           != NGX_OK)
    {
        ngx_http_codat_client_free(r);
        return NULL;
    }

    outgoing->child->ended = ended;

    return outgoing;
}


static ngx_http_codat_outgoing_t *
ngx_http_codat_outgoing_request(ngx_http_request_t *r, ngx_codat_zone_t *zone,
    ngx_codat_work_outgoing_t *work)
{
    u_char                     *p;
    ngx_http_codat_ctx_t       *ctx;
    ngx_codat_work_delivery_t   delivery;
    ngx_http_codat_outgoing_t  *outgoing;

    ctx = ngx_http_codat_webhook_create(r);
    outgoing = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_outgoing_t));

    if (ctx == NULL || outgoing == NULL) {
        return NULL;
    }

    ctx->zone = zone;
    ctx->outgoing = outgoing;

    outgoing->request = r;

    ngx_memzero(&delivery, sizeof(ngx_codat_work_delivery_t));

    delivery.nonce = work->nonce;
    delivery.attempt = work->attempt;

    if (ngx_http_codat_deliver_event(r, ctx, &work->event, &delivery)
        != NGX_OK)
    {
        return NULL;
    }

    if (ctx->key.len == 0) {

        /* Codat gave it no name: its row is one */

        p = ngx_pnalloc(r->pool, sizeof("msg_") + NGX_INT64_LEN);
        if (p == NULL) {
            return NULL;
        }

        ctx->key.data = p;
        ctx->key.len = (size_t) (ngx_sprintf(p, "msg_%uL", work->event.id)
                                 - p);
        ctx->webhook_id = ctx->key;
    }

    outgoing->id.data = ngx_pstrdup(r->pool, &work->consumer.uid);
    outgoing->id.len = work->consumer.uid.len;
    outgoing->url.data = ngx_pstrdup(r->pool, &work->consumer.url);
    outgoing->url.len = work->consumer.url.len;

    return (outgoing->id.data && outgoing->url.data) ? outgoing : NULL;
}


static ngx_int_t
ngx_http_codat_outgoing_child(ngx_http_codat_outgoing_t *outgoing,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_consumers_conf_t *conf,
    ngx_uint_t cloudevents)
{
    ngx_http_request_t         *r;
    ngx_http_codat_child_t     *child;
    ngx_http_codat_forward_t   *forward;
    ngx_http_codat_rendered_t  *rendered;

    r = outgoing->request;

    child = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_child_t));
    forward = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_forward_t));
    rendered = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_rendered_t));

    if (child == NULL || forward == NULL || rendered == NULL) {
        return NGX_ERROR;
    }

    forward->target = conf->named;
    forward->named = conf->named;
    forward->format = cloudevents ? &ngx_http_codat_format_cloudevents
                                  : &ngx_http_codat_format_raw;

    child->ctx = ctx;
    child->forward = forward;
    child->rendered = rendered;
    child->bit = 1;

    outgoing->child = child;

    if (ngx_http_codat_format_render(r, ctx, forward->format, rendered)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!cloudevents) {
        rendered->type = ngx_http_codat_outgoing_type;
    }

    return ngx_http_codat_child_prepare(r, child);
}


/* with the time of this attempt: receivers refuse what is old */

static ngx_int_t
ngx_http_codat_outgoing_sign(ngx_http_codat_outgoing_t *outgoing,
    ngx_http_codat_ctx_t *ctx, ngx_str_t *secret)
{
    u_char                     *p;
    ngx_str_t                   stamp, signature;
    ngx_str_t                   parts[4 + NGX_HTTP_CODAT_PIECES];
    ngx_uint_t                  i;
    ngx_http_request_t         *r;
    ngx_http_codat_rendered_t  *rendered;

    r = outgoing->request;
    rendered = outgoing->child->rendered;

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + NGX_CODAT_SIGN_MADE_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    stamp.data = p;
    stamp.len = (size_t) (ngx_sprintf(p, "%T", ngx_time()) - p);

    signature.data = p + NGX_TIME_T_LEN;
    signature.len = NGX_CODAT_SIGN_MADE_LEN;

    parts[0] = ctx->key;
    ngx_str_set(&parts[1], ".");
    parts[2] = stamp;
    ngx_str_set(&parts[3], ".");

    for (i = 0; i < rendered->n; i++) {
        parts[4 + i] = rendered->pieces[i];
    }

    if (ngx_codat_sign_make(secret, parts, 4 + rendered->n, signature.data,
                            r->connection->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_codat_outgoing_header(r, "webhook-id", &ctx->key) != NGX_OK
        || ngx_http_codat_outgoing_header(r, "webhook-timestamp", &stamp)
           != NGX_OK
        || ngx_http_codat_outgoing_header(r, "webhook-signature", &signature)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* "name" is in lower case; the child takes it over */

static ngx_int_t
ngx_http_codat_outgoing_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key.len = ngx_strlen(name);
    h->key.data = ngx_pnalloc(r->pool, h->key.len);

    if (h->key.data == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    ngx_memcpy(h->key.data, name, h->key.len);

    h->lowcase_key = h->key.data;
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
    h->value = *value;
    ngx_http_codat_header_end(h);

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_outgoing_start(ngx_http_codat_outgoing_t *outgoing,
    ngx_http_codat_consumers_conf_t *conf)
{
    ngx_codat_url_t  parsed;

    if (ngx_http_codat_guard_url(conf->guard, &outgoing->url, &parsed,
                                 &outgoing->why)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_codat_guard_arm(outgoing->request, conf->guard, &parsed)
        != NGX_OK
        || ngx_http_codat_child_start(outgoing->request, outgoing->child)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    outgoing->child->started = ngx_current_msec;
    outgoing->child->running = 1;

    return NGX_OK;
}
