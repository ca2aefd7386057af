
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_cloudevent.h"
#include "ngx_codat_time.h"
#include "ngx_http_codat_entry.h"


/* names, numbers and times of an event, and of a delivery */
#define NGX_HTTP_CODAT_ENTRY_LEN     128
#define NGX_HTTP_CODAT_ENTRY_EACH    320


static ngx_int_t ngx_http_codat_entry_write(ngx_http_request_t *r,
    ngx_pool_t *pool, ngx_codat_work_entry_t *entry, ngx_str_t *json);
static size_t ngx_http_codat_entry_len(ngx_codat_work_entry_t *entry);
static u_char *ngx_http_codat_entry_rest(u_char *p,
    ngx_codat_work_entry_t *entry);
static u_char *ngx_http_codat_entry_delivery(u_char *p,
    ngx_codat_work_listed_t *listed);
static u_char *ngx_http_codat_entry_text(u_char *p, const char *name,
    ngx_str_t *text);
static u_char *ngx_http_codat_entry_time(u_char *p, const char *name,
    int64_t time);


ngx_int_t
ngx_http_codat_entry(ngx_http_request_t *r, ngx_codat_work_entry_t *entry,
    ngx_str_t *json)
{
    ngx_int_t    rc;
    ngx_pool_t  *pool;

    /* memory of one event */

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE / 4, r->connection->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_codat_entry_write(r, pool, entry, json);

    ngx_destroy_pool(pool);

    return rc;
}


static ngx_int_t
ngx_http_codat_entry_write(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_codat_work_entry_t *entry, ngx_str_t *json)
{
    u_char                  *p;
    ngx_int_t                rc;
    ngx_str_t                head, tail;
    ngx_codat_event_t        event;
    ngx_codat_json_error_t   err;
    ngx_codat_work_event_t  *stored;

    stored = &entry->event;

    rc = ngx_codat_event_parse(pool, &stored->body, &stored->client, &event,
                               &err);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "codat: event %uL of the store can't be read, %s",
                      stored->id, err.reason);
        return NGX_DECLINED;
    }

    event.stale = stored->stale;
    event.fields[NGX_CODAT_FIELD_REFERENCE] = stored->reference;

    if (ngx_codat_cloudevent(pool, &event, &stored->webhook_id,
                             &stored->webhook_id, stored->received, &head,
                             &tail)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    json->data = ngx_pnalloc(r->pool, head.len + event.payload.len + tail.len
                                      + ngx_http_codat_entry_len(entry));
    if (json->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(json->data, head.data, head.len);
    p = ngx_cpymem(p, event.payload.data, event.payload.len);

    /* what follows is in the same object */

    p = ngx_cpymem(p, tail.data, tail.len - 1);
    p = ngx_http_codat_entry_rest(p, entry);

    json->len = (size_t) (p - json->data);

    return NGX_OK;
}


static size_t
ngx_http_codat_entry_len(ngx_codat_work_entry_t *entry)
{
    size_t                    len;
    ngx_uint_t                i;
    ngx_codat_work_listed_t  *listed;

    len = NGX_HTTP_CODAT_ENTRY_LEN
          + ngx_codat_json_string_len(&entry->event.endpoint);

    listed = entry->deliveries.elts;

    for (i = 0; i < entry->deliveries.nelts; i++) {
        len += NGX_HTTP_CODAT_ENTRY_EACH
               + ngx_codat_json_string_len(&listed[i].route)
               + ngx_codat_json_string_len(&listed[i].nonce)
               + ngx_codat_json_string_len(&listed[i].error);
    }

    return len;
}


static u_char *
ngx_http_codat_entry_rest(u_char *p, ngx_codat_work_entry_t *entry)
{
    ngx_uint_t                i;
    ngx_codat_work_listed_t  *listed;

    p = ngx_sprintf(p, ",\"row\":%uL", entry->event.id);
    p = ngx_http_codat_entry_text(p, "endpoint", &entry->event.endpoint);
    p = ngx_http_codat_entry_time(p, "receivedOn", entry->event.received);
    p = ngx_sprintf(p, ",\"deliveries\":[");

    listed = entry->deliveries.elts;

    for (i = 0; i < entry->deliveries.nelts; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_http_codat_entry_delivery(p, &listed[i]);
    }

    *p++ = ']';
    *p++ = '}';

    return p;
}


static u_char *
ngx_http_codat_entry_delivery(u_char *p, ngx_codat_work_listed_t *listed)
{
    p = ngx_sprintf(p, "{\"id\":%uL,\"state\":\"%V\",\"attempts\":%ui",
                    listed->id, &ngx_codat_queued_names[listed->state],
                    listed->attempts);

    p = ngx_http_codat_entry_text(p, "route", &listed->route);
    p = ngx_http_codat_entry_text(p, "webhookId", &listed->nonce);

    if (listed->state == NGX_CODAT_QUEUED_PENDING) {
        p = ngx_http_codat_entry_time(p, "nextAttemptOn", listed->next);
    }

    p = ngx_http_codat_entry_time(p, "finishedOn", listed->finished);

    if (listed->status) {
        p = ngx_sprintf(p, ",\"lastStatus\":%ui", listed->status);
    }

    p = ngx_http_codat_entry_text(p, "lastError", &listed->error);

    *p++ = '}';

    return p;
}


static u_char *
ngx_http_codat_entry_text(u_char *p, const char *name, ngx_str_t *text)
{
    if (text->len == 0) {
        return p;
    }

    p = ngx_sprintf(p, ",\"%s\":", name);

    return ngx_codat_json_string(p, text);
}


static u_char *
ngx_http_codat_entry_time(u_char *p, const char *name, int64_t time)
{
    if (time == 0) {
        return p;
    }

    p = ngx_sprintf(p, ",\"%s\":\"", name);
    p = ngx_codat_time_format(p, time);
    *p++ = '"';

    return p;
}
