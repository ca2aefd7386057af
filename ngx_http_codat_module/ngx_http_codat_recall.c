
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_store.h"
#include "ngx_http_codat_forward.h"
#include "ngx_http_codat_persist.h"
#include "ngx_http_codat_recall.h"
#include "ngx_http_codat_webhook.h"


/* then Codat may try again; msec */
#define NGX_HTTP_CODAT_RECALL_TIME  10000

/* whether all is there is asked again after so long; msec */
#define NGX_HTTP_CODAT_RECALL_TICK  20


static ngx_int_t ngx_http_codat_recall_row(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx);
static ngx_uint_t ngx_http_codat_recall_known(ngx_http_codat_ctx_t *ctx);
static void ngx_http_codat_recall_wait(ngx_http_codat_ctx_t *ctx,
    ngx_event_handler_pt handler, ngx_msec_t time);
static void ngx_http_codat_recall_tick(ngx_event_t *ev);
static void ngx_http_codat_recall_late(ngx_event_t *ev);
static void ngx_http_codat_recall_done(ngx_codat_work_t *w);


ngx_int_t
ngx_http_codat_recall(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx)
{
    ngx_uint_t                  conditions;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    conditions = ngx_http_codat_forward_conditional(r, ctx);

    /* what is queued can wait there */

    if (!ngx_http_codat_recall_ready(ctx->zone)
        && (conditions
            || (cdlcf->forwards
                && cdlcf->delivery != NGX_HTTP_CODAT_DELIVERY_QUEUED)))
    {
        ctx->recall_until = ngx_current_msec + NGX_HTTP_CODAT_RECALL_TIME;

        ngx_http_codat_recall_wait(ctx, ngx_http_codat_recall_tick,
                                   NGX_HTTP_CODAT_RECALL_TICK);
        return NGX_AGAIN;
    }

    return conditions ? ngx_http_codat_recall_row(r, ctx) : NGX_OK;
}


ngx_uint_t
ngx_http_codat_recall_ready(ngx_codat_zone_t *zone)
{
    return !zone->lookups || zone->sh->store.loaded;
}


/* what an event that is not queued is about is read when it is received */

static ngx_int_t
ngx_http_codat_recall_row(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx)
{
    ngx_array_t                 facts;
    ngx_codat_work_rows_t      *work;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    if (cdlcf->delivery != NGX_HTTP_CODAT_DELIVERY_QUEUED
        || ngx_http_codat_recall_known(ctx))
    {
        return NGX_OK;
    }

    work = ngx_codat_work_create(NGX_CODAT_WORK_ROWS,
                                 sizeof(ngx_codat_work_rows_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return NGX_ERROR;
    }

    facts = ctx->facts;
    facts.nelts = 1;

    work->read = 1;
    work->work.done = ngx_http_codat_recall_done;
    work->work.data = ctx;

    if (ngx_codat_work_facts(&work->work, &work->facts, &facts) != NGX_OK
        || ngx_codat_store_submit(ctx->zone->store, &work->work) != NGX_OK)
    {
        ngx_codat_work_free(&work->work);
        return NGX_ERROR;
    }

    ctx->recall = &work->work;

    ngx_http_codat_recall_wait(ctx, ngx_http_codat_recall_late,
                               NGX_HTTP_CODAT_RECALL_TIME);

    return NGX_AGAIN;
}


/* or there is nothing to be known */

static ngx_uint_t
ngx_http_codat_recall_known(ngx_http_codat_ctx_t *ctx)
{
    ngx_codat_copy_t     copy;
    ngx_codat_record_t  *said;
    u_char               key[NGX_CODAT_ZONE_KEY_LEN];

    said = ctx->facts.elts;

    return ctx->facts.nelts == 0
           || said->kind == NGX_CODAT_RECORD_DATASET
           || ngx_codat_table_key(ctx->zone, &said->texts[NGX_CODAT_TEXT_ID],
                                  key)
              != NGX_OK
           || ngx_codat_table_get(ctx->zone, said->kind, key, &copy)
              == NGX_OK;
}


static void
ngx_http_codat_recall_wait(ngx_http_codat_ctx_t *ctx,
    ngx_event_handler_pt handler, ngx_msec_t time)
{
    ctx->recalling = 1;

    ctx->patience->handler = handler;
    ctx->patience->data = ctx;
    ctx->patience->log = ctx->request->connection->log;

    ngx_add_timer(ctx->patience, time);
}


static void
ngx_http_codat_recall_tick(ngx_event_t *ev)
{
    ngx_int_t              rc;
    ngx_http_codat_ctx_t  *ctx;

    ctx = ev->data;
    rc = NGX_ERROR;

    if (ngx_http_codat_recall_ready(ctx->zone)) {
        rc = NGX_OK;

        if (ngx_http_codat_forward_conditional(ctx->request, ctx)) {
            rc = ngx_http_codat_recall_row(ctx->request, ctx);
        }

        if (rc == NGX_AGAIN) {
            return;
        }

    } else if ((ngx_msec_int_t) (ctx->recall_until - ngx_current_msec) > 0) {
        ngx_add_timer(ev, NGX_HTTP_CODAT_RECALL_TICK);
        return;
    }

    ngx_http_codat_recall_abandon(ctx);
    ngx_http_codat_webhook_recalled(ctx, rc, NULL);
}


static void
ngx_http_codat_recall_late(ngx_event_t *ev)
{
    ngx_http_codat_ctx_t  *ctx;

    ctx = ev->data;

    ngx_http_codat_recall_abandon(ctx);
    ngx_http_codat_webhook_recalled(ctx, NGX_ERROR, NULL);
}


static void
ngx_http_codat_recall_done(ngx_codat_work_t *w)
{
    ngx_http_codat_ctx_t   *ctx;
    ngx_codat_work_row_t   *row;
    ngx_codat_work_rows_t  *work;

    work = (ngx_codat_work_rows_t *) w;
    ctx = w->data;

    if (ctx) {
        row = NULL;

        if (w->rc == NGX_OK && work->rows.nelts) {
            row = work->rows.elts;
            ngx_http_codat_persist_rows(ctx->zone, &work->rows);
        }

        ngx_http_codat_recall_abandon(ctx);
        ngx_http_codat_webhook_recalled(ctx, w->rc, row);
    }

    ngx_codat_work_free(w);
}


void
ngx_http_codat_recall_abandon(ngx_http_codat_ctx_t *ctx)
{
    if (!ctx->recalling) {
        return;
    }

    ctx->recalling = 0;

    if (ctx->recall) {
        ctx->recall->data = NULL;
        ctx->recall = NULL;
    }

    if (ctx->patience->timer_set) {
        ngx_del_timer(ctx->patience);
    }
}
