
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the normalised payload, see ngx_codat_cloudevent.h.  The
 * head lies in the pool, in one piece; the tail is static.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_cloudevent.h"
#include "ngx_codat_json.h"
#include "ngx_codat_time.h"


typedef struct {
    ngx_str_t   *id;
    ngx_str_t   *webhook_id;
    ngx_str_t   *client;
    ngx_str_t   *company;
    ngx_str_t   *connection;
    ngx_str_t   *type;
    ngx_str_t   *generated;             /* NULL: time of receipt */
    size_t       client_len;            /* in a URI */
    int64_t      received;
    unsigned     zone:1;
} ngx_codat_cloudevent_ctx_t;


static size_t ngx_codat_cloudevent_len(ngx_codat_cloudevent_ctx_t *ctx,
    ngx_codat_event_t *event);
static u_char *ngx_codat_cloudevent_envelope(u_char *p,
    ngx_codat_cloudevent_ctx_t *ctx);
static u_char *ngx_codat_cloudevent_data(u_char *p, ngx_codat_event_t *event);
static u_char *ngx_codat_cloudevent_copy(u_char *p, const ngx_str_t *text);


static const ngx_str_t  ngx_codat_ce_id =
    ngx_string("{\"specversion\":\"1.0\",\"id\":");
static const ngx_str_t  ngx_codat_ce_source =
    ngx_string(",\"source\":\"https://api.codat.io");
static const ngx_str_t  ngx_codat_ce_client = ngx_string("/clients/");
static const ngx_str_t  ngx_codat_ce_type =
    ngx_string("\",\"type\":\"io.codat.");
static const ngx_str_t  ngx_codat_ce_subject =
    ngx_string("\",\"subject\":\"companies/");
static const ngx_str_t  ngx_codat_ce_connection =
    ngx_string("/connections/");
static const ngx_str_t  ngx_codat_ce_time = ngx_string("\",\"time\":\"");
static const ngx_str_t  ngx_codat_ce_content =
    ngx_string("\",\"datacontenttype\":\"application/json\"");
static const ngx_str_t  ngx_codat_ce_webhook = ngx_string(",\"webhookid\":");
static const ngx_str_t  ngx_codat_ce_data = ngx_string(",\"data\":{");
static const ngx_str_t  ngx_codat_ce_tags = ngx_string("\"tags\":");
static const ngx_str_t  ngx_codat_ce_stale = ngx_string("\"stale\":true,");
static const ngx_str_t  ngx_codat_ce_payload = ngx_string("\"payload\":");
static const ngx_str_t  ngx_codat_ce_tail = ngx_string("}}");


ngx_int_t
ngx_codat_cloudevent(ngx_pool_t *pool, ngx_codat_event_t *event,
    ngx_str_t *id, ngx_str_t *webhook_id, int64_t received, ngx_str_t *head,
    ngx_str_t *tail)
{
    u_char                      *p;
    size_t                       len;
    int64_t                      generated;
    ngx_str_t                   *fields;
    ngx_uint_t                   zone;
    ngx_codat_cloudevent_ctx_t   ctx;

    fields = event->fields;

    ctx.id = fields[NGX_CODAT_FIELD_ID].len ? &fields[NGX_CODAT_FIELD_ID]
                                            : id;
    ctx.webhook_id = webhook_id;
    ctx.client = &fields[NGX_CODAT_FIELD_CLIENT_ID];
    ctx.company = &fields[NGX_CODAT_FIELD_COMPANY_ID];
    ctx.connection = &fields[NGX_CODAT_FIELD_CONNECTION_ID];
    ctx.type = &fields[NGX_CODAT_FIELD_EVENT_TYPE];
    ctx.generated = &fields[NGX_CODAT_FIELD_GENERATED_AT];
    ctx.received = received;

    zone = 0;

    if (ctx.generated->len == 0
        || ngx_codat_time_parse(ctx.generated, &generated, &zone) != NGX_OK)
    {
        ctx.generated = NULL;
        zone = 1;
    }

    ctx.zone = zone ? 1 : 0;

    ctx.client_len = ctx.client->len
                     + 2 * ngx_escape_uri(NULL, ctx.client->data,
                                          ctx.client->len,
                                          NGX_ESCAPE_URI_COMPONENT);

    len = ngx_codat_cloudevent_len(&ctx, event);

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    head->data = p;

    p = ngx_codat_cloudevent_envelope(p, &ctx);
    p = ngx_codat_cloudevent_data(p, event);

    head->len = (size_t) (p - head->data);

    *tail = ngx_codat_ce_tail;

    return NGX_OK;
}


/* Counts every part that may be there, and what is written exactly. */

static size_t
ngx_codat_cloudevent_len(ngx_codat_cloudevent_ctx_t *ctx,
    ngx_codat_event_t *event)
{
    size_t      len;
    ngx_uint_t  i;

    len = ngx_codat_ce_id.len + ngx_codat_json_string_len(ctx->id)
          + ngx_codat_ce_source.len + ngx_codat_ce_client.len
          + ctx->client_len + ngx_codat_ce_type.len
          + ngx_codat_json_escape_len(ctx->type) + ngx_codat_ce_subject.len
          + ngx_codat_json_escape_len(ctx->company)
          + ngx_codat_ce_connection.len
          + ngx_codat_json_escape_len(ctx->connection)
          + ngx_codat_ce_time.len + ngx_codat_ce_content.len
          + ngx_codat_ce_webhook.len
          + ngx_codat_json_string_len(ctx->webhook_id)
          + ngx_codat_ce_data.len + ngx_codat_ce_tags.len + event->tags.len
          + sizeof(",") - 1 + ngx_codat_ce_stale.len
          + ngx_codat_ce_payload.len;

    if (ctx->generated) {
        len += ctx->generated->len + sizeof("Z") - 1;

    } else {
        len += NGX_CODAT_TIME_LEN;
    }

    for (i = 0; i < NGX_CODAT_FIELDS; i++) {
        if (ngx_codat_fields[i].key.len && event->fields[i].len) {
            len += sizeof("\"\":,") - 1 + ngx_codat_fields[i].key.len
                   + ngx_codat_json_string_len(&event->fields[i]);
        }
    }

    return len;
}


static u_char *
ngx_codat_cloudevent_envelope(u_char *p, ngx_codat_cloudevent_ctx_t *ctx)
{
    p = ngx_codat_cloudevent_copy(p, &ngx_codat_ce_id);
    p = ngx_codat_json_string(p, ctx->id);

    /* a source is a URI reference, and escaped as one it is plain ASCII */

    p = ngx_codat_cloudevent_copy(p, &ngx_codat_ce_source);

    if (ctx->client->len) {
        p = ngx_codat_cloudevent_copy(p, &ngx_codat_ce_client);

        if (ctx->client_len == ctx->client->len) {
            p = ngx_codat_cloudevent_copy(p, ctx->client);

        } else {
            p = (u_char *) ngx_escape_uri(p, ctx->client->data,
                                          ctx->client->len,
                                          NGX_ESCAPE_URI_COMPONENT);
        }
    }

    p = ngx_codat_cloudevent_copy(p, &ngx_codat_ce_type);
    p = ngx_codat_json_escape(p, ctx->type);

    if (ctx->company->len) {
        p = ngx_codat_cloudevent_copy(p, &ngx_codat_ce_subject);
        p = ngx_codat_json_escape(p, ctx->company);

        if (ctx->connection->len) {
            p = ngx_codat_cloudevent_copy(p, &ngx_codat_ce_connection);
            p = ngx_codat_json_escape(p, ctx->connection);
        }
    }

    p = ngx_codat_cloudevent_copy(p, &ngx_codat_ce_time);

    if (ctx->generated) {
        p = ngx_codat_cloudevent_copy(p, ctx->generated);

        if (!ctx->zone) {
            *p++ = 'Z';
        }

    } else {
        p = ngx_codat_time_format(p, ctx->received);
    }

    p = ngx_codat_cloudevent_copy(p, &ngx_codat_ce_content);

    if (ctx->webhook_id->len) {
        p = ngx_codat_cloudevent_copy(p, &ngx_codat_ce_webhook);
        p = ngx_codat_json_string(p, ctx->webhook_id);
    }

    return p;
}


static u_char *
ngx_codat_cloudevent_data(u_char *p, ngx_codat_event_t *event)
{
    ngx_uint_t                i;
    const ngx_codat_field_t  *field;

    p = ngx_codat_cloudevent_copy(p, &ngx_codat_ce_data);

    for (i = 0; i < NGX_CODAT_FIELDS; i++) {
        field = &ngx_codat_fields[i];

        if (field->key.len == 0 || event->fields[i].len == 0) {
            continue;
        }

        *p++ = '"';
        p = ngx_codat_cloudevent_copy(p, &field->key);
        *p++ = '"';
        *p++ = ':';
        p = ngx_codat_json_string(p, &event->fields[i]);
        *p++ = ',';
    }

    if (event->tags.len) {
        p = ngx_codat_cloudevent_copy(p, &ngx_codat_ce_tags);
        p = ngx_codat_cloudevent_copy(p, &event->tags);
        *p++ = ',';
    }

    if (event->stale) {
        p = ngx_codat_cloudevent_copy(p, &ngx_codat_ce_stale);
    }

    if (event->payload.len) {
        return ngx_codat_cloudevent_copy(p, &ngx_codat_ce_payload);
    }

    return (p[-1] == ',') ? p - 1 : p;
}


static u_char *
ngx_codat_cloudevent_copy(u_char *p, const ngx_str_t *text)
{
    return ngx_cpymem(p, text->data, text->len);
}
