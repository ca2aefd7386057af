
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_columns.h"
#include "ngx_codat_names.h"
#include "ngx_codat_time.h"
#include "ngx_codat_walk.h"
#include "ngx_http_codat_answer.h"
#include "ngx_http_codat_keep.h"
#include "ngx_http_codat_overview.h"
#include "ngx_http_codat_status.h"


#define NGX_HTTP_CODAT_CLIENTS_MAX  100

/* but for the clients, the last events and the name of the zone */
#define NGX_HTTP_CODAT_OVERVIEW_LEN  2048

/* an event's type and time */
#define NGX_HTTP_CODAT_LAST_LEN      128


typedef struct {
    ngx_str_t     name;
    ngx_uint_t    kind;
} ngx_http_codat_rows_t;


/* what is copied out of the zone in one hold of the lock */
typedef struct {
    size_t        used;
    size_t        free;
    time_t        born;
    uint64_t      listed;
    uint64_t      unlisted;
    uint32_t      rows[NGX_CODAT_ROW_KINDS];
    uint32_t      pushes[NGX_CODAT_ZONE_STATES];
    uint32_t      connections[NGX_CODAT_ZONE_STATES];

    ngx_codat_zone_store_t  store;
} ngx_http_codat_snapshot_t;


static void ngx_http_codat_overview_take(ngx_codat_zone_t *zone,
    ngx_http_codat_snapshot_t *shot);
static ngx_int_t ngx_http_codat_overview_clients(ngx_http_request_t *r,
    ngx_codat_zone_t *zone, ngx_str_t *clients);
static ngx_int_t ngx_http_codat_overview_client(ngx_http_request_t *r,
    ngx_codat_copy_t *copy, ngx_str_t *json);
static u_char *ngx_http_codat_overview_states(u_char *p, const char *name,
    const ngx_str_t *names, ngx_uint_t last, const uint32_t *counts);
static ngx_int_t ngx_http_codat_overview_last(ngx_http_request_t *r,
    ngx_codat_zone_t *zone, ngx_str_t *last);
static u_char *ngx_http_codat_overview_store(u_char *p,
    ngx_codat_zone_t *zone, ngx_codat_zone_store_t *store);
static uint64_t ngx_http_codat_overview_evicted(ngx_codat_zone_t *zone);
static ngx_int_t ngx_http_codat_overview_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);


static const ngx_http_codat_rows_t  ngx_http_codat_overview_rows[] = {
    { ngx_string("deliveries"), NGX_CODAT_ROW_DELIVERY },
    { ngx_string("pushes"), NGX_CODAT_ROW_PUSH },
    { ngx_string("connections"), NGX_CODAT_ROW_CONNECTION },
    { ngx_string("datasets"), NGX_CODAT_ROW_DATASET },
    { ngx_string("companies"), NGX_CODAT_ROW_COMPANY },
    { ngx_string("clients"), NGX_CODAT_ROW_CLIENT },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_http_codat_overview(ngx_http_request_t *r)
{
    u_char                     *p;
    size_t                      len;
    ngx_str_t                  *name, clients, last, body;
    ngx_uint_t                  i;
    ngx_codat_zone_t           *zone;
    ngx_http_codat_snapshot_t   shot;

    zone = ngx_http_codat_status_zone(r);
    name = &zone->shm_zone->shm.name;

    ngx_http_codat_overview_take(zone, &shot);

    if (ngx_http_codat_overview_clients(r, zone, &clients) != NGX_OK
        || ngx_http_codat_overview_last(r, zone, &last) != NGX_OK)
    {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    len = NGX_HTTP_CODAT_OVERVIEW_LEN + ngx_codat_json_string_len(name)
          + clients.len + last.len;

    body.data = ngx_pnalloc(r->pool, len);
    if (body.data == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    p = ngx_cpymem(body.data, "{\"zone\":", sizeof("{\"zone\":") - 1);
    p = ngx_codat_json_string(p, name);

    p = ngx_sprintf(p, ",\"size\":%uz,\"used\":%uz,\"free\":%uz,\"since\":\"",
                    zone->shm_zone->shm.size, shot.used, shot.free);
    p = ngx_codat_time_format(p, (int64_t) shot.born * 1000000);

    p = ngx_sprintf(p, "\",\"rows\":{");

    for (i = 0; ngx_http_codat_overview_rows[i].name.len; i++) {
        p = ngx_sprintf(p, "%s\"%V\":%uD", i ? "," : "",
                        &ngx_http_codat_overview_rows[i].name,
                        shot.rows[ngx_http_codat_overview_rows[i].kind]);
    }

    *p++ = '}';

    p = ngx_http_codat_overview_states(p, "pushes",
                                       ngx_codat_push_status_names,
                                       NGX_CODAT_PUSH_TIMED_OUT,
                                       shot.pushes);

    p = ngx_http_codat_overview_states(p, "connections",
                                       ngx_codat_conn_status_names,
                                       NGX_CODAT_CONN_DELETED,
                                       shot.connections);

    p = ngx_sprintf(p, ",\"events\":{\"listed\":%uL,\"unlisted\":%uL}"
                       ",\"lastEvents\":{%V}"
                       ",\"evicted\":%uL,\"waiters\":%ui,\"clients\":[%V]",
                    shot.listed, shot.unlisted, &last,
                    ngx_http_codat_overview_evicted(zone),
                    ngx_codat_wake_waiters(zone->sh->wake), &clients);

    if (zone->store) {
        p = ngx_http_codat_overview_store(p, zone, &shot.store);
    }

    *p++ = '}';

    body.len = (size_t) (p - body.data);

    return ngx_http_codat_overview_send(r, NGX_HTTP_OK, &body);
}


/* with a store that fails, webhooks are refused: others may do better */

ngx_int_t
ngx_http_codat_overview_health(ngx_http_request_t *r)
{
    u_char            *p;
    ngx_str_t         *name, body;
    ngx_uint_t         failing;
    ngx_codat_zone_t  *zone;

    zone = ngx_http_codat_status_zone(r);
    name = &zone->shm_zone->shm.name;
    failing = ngx_http_codat_keep_failing(zone);

    body.data = ngx_pnalloc(r->pool,
                            sizeof("{\"status\":\"failing\",\"zone\":}") - 1
                            + ngx_codat_json_string_len(name));
    if (body.data == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    p = ngx_sprintf(body.data, "{\"status\":\"%s\",\"zone\":",
                    failing ? "failing" : "ok");
    p = ngx_codat_json_string(p, name);
    *p++ = '}';

    body.len = (size_t) (p - body.data);

    return ngx_http_codat_overview_send(r, failing
                                           ? NGX_HTTP_SERVICE_UNAVAILABLE
                                           : NGX_HTTP_OK, &body);
}


static void
ngx_http_codat_overview_take(ngx_codat_zone_t *zone,
    ngx_http_codat_snapshot_t *shot)
{
    uint32_t              free;
    ngx_uint_t            i;
    ngx_codat_zone_sh_t  *sh;

    sh = zone->sh;

    ngx_codat_zone_lock(zone);

    free = sh->nfree + sh->ncells - sh->fresh;

    shot->free = (size_t) free * sizeof(ngx_codat_row_t);
    shot->used = (size_t) (sh->ncells - free) * sizeof(ngx_codat_row_t);
    shot->born = sh->born;
    shot->listed = sh->recent->count;
    shot->unlisted = sh->recent->unlisted;
    shot->store = sh->store;

    for (i = 0; i < NGX_CODAT_ROW_KINDS; i++) {
        shot->rows[i] = sh->created[i].count;
    }

    for (i = 0; i < NGX_CODAT_ZONE_STATES; i++) {
        shot->pushes[i] = sh->states[NGX_CODAT_ROW_PUSH][i];
        shot->connections[i] = sh->states[NGX_CODAT_ROW_CONNECTION][i];
    }

    ngx_codat_zone_unlock(zone);
}


static ngx_int_t
ngx_http_codat_overview_clients(ngx_http_request_t *r, ngx_codat_zone_t *zone,
    ngx_str_t *clients)
{
    u_char            *p;
    size_t             len;
    ngx_int_t          rc;
    ngx_str_t         *rows;
    ngx_uint_t         i, n;
    ngx_codat_copy_t  *copy;
    ngx_codat_walk_t   walk;

    copy = ngx_palloc(r->pool, sizeof(ngx_codat_copy_t));
    rows = ngx_palloc(r->pool,
                      NGX_HTTP_CODAT_CLIENTS_MAX * sizeof(ngx_str_t));

    if (copy == NULL || rows == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_walk_init(&walk, NGX_CODAT_RECORD_CLIENT);

    n = 0;
    len = 0;

    while (n < NGX_HTTP_CODAT_CLIENTS_MAX) {

        rc = ngx_codat_walk_next(zone, &walk, copy);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc != NGX_OK) {
            continue;
        }

        if (ngx_http_codat_overview_client(r, copy, &rows[n]) != NGX_OK) {
            return NGX_ERROR;
        }

        len += rows[n++].len + 1;
    }

    clients->data = ngx_pnalloc(r->pool, len + 1);
    if (clients->data == NULL) {
        return NGX_ERROR;
    }

    p = clients->data;

    for (i = 0; i < n; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, rows[i].data, rows[i].len);
    }

    clients->len = (size_t) (p - clients->data);

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_overview_client(ngx_http_request_t *r, ngx_codat_copy_t *copy,
    ngx_str_t *json)
{
    u_char              *p;
    int64_t              until;
    ngx_codat_record_t  *record;

    record = &copy->record;
    until = record->times[NGX_CODAT_TIME_LIMITED];

    /* nobody says when it is over, but the clock */

    if (until && until <= ngx_codat_table_now()) {
        record->state = 2;
    }

    json->data = ngx_pnalloc(r->pool, ngx_codat_record_json_len(record)
                                      + sizeof("}") - 1);
    if (json->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_codat_record_json(json->data, record);
    *p++ = '}';

    json->len = (size_t) (p - json->data);

    return NGX_OK;
}


/* rows whose status nobody knows are under "Unknown", if there are any */

static u_char *
ngx_http_codat_overview_states(u_char *p, const char *name,
    const ngx_str_t *names, ngx_uint_t last, const uint32_t *counts)
{
    ngx_uint_t  i;

    p = ngx_sprintf(p, ",\"%s\":{", name);

    for (i = 1; i <= last; i++) {
        p = ngx_sprintf(p, "%s\"%V\":%uD", i > 1 ? "," : "", &names[i],
                        counts[i]);
    }

    if (counts[0]) {
        p = ngx_sprintf(p, ",\"Unknown\":%uD", counts[0]);
    }

    *p++ = '}';

    return p;
}


/* when an event of each type was received last */

static ngx_int_t
ngx_http_codat_overview_last(ngx_http_request_t *r, ngx_codat_zone_t *zone,
    ngx_str_t *last)
{
    u_char      *p;
    ngx_uint_t   type, time;

    p = ngx_pnalloc(r->pool, NGX_CODAT_TYPES_N * NGX_HTTP_CODAT_LAST_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last->data = p;

    for (type = 0; type < NGX_CODAT_TYPES_N; type++) {
        time = ngx_codat_stats_get(zone->sh->stats,
                                   ngx_codat_stat_id(
                                              NGX_CODAT_STAT_LAST_EVENT,
                                              type, 0, 0, 0));

        if (time == 0) {
            continue;
        }

        p = ngx_sprintf(p, "%s\"%V\":\"", p == last->data ? "" : ",",
                        ngx_codat_type_name(type));
        p = ngx_codat_time_format(p, (int64_t) time * 1000000);
        *p++ = '"';
    }

    last->len = (size_t) (p - last->data);

    return NGX_OK;
}


/* as the store said it last */

static u_char *
ngx_http_codat_overview_store(u_char *p, ngx_codat_zone_t *zone,
    ngx_codat_zone_store_t *store)
{
    ngx_uint_t  i;

    p = ngx_sprintf(p, ",\"store\":{%s\"failing\":%s,\"loaded\":%s"
                       ",\"events\":%uL,\"deliveries\":{",
                    zone->store->temporary ? "\"temporary\":true," : "",
                    ngx_http_codat_keep_failing(zone) ? "true" : "false",
                    store->loaded ? "true" : "false", store->events);

    for (i = NGX_CODAT_QUEUED_PENDING; i < NGX_CODAT_QUEUED_STATES; i++) {
        p = ngx_sprintf(p, "%s\"%V\":%uL",
                        i > NGX_CODAT_QUEUED_PENDING ? "," : "",
                        &ngx_codat_queued_names[i], store->deliveries[i]);
    }

    *p++ = '}';

    if (store->oldest) {
        p = ngx_sprintf(p, ",\"oldestOn\":\"");
        p = ngx_codat_time_format(p, store->oldest);
        *p++ = '"';
    }

    p = ngx_sprintf(p, ",\"size\":%uL,\"waiting\":%ui,\"failures\":%uA",
                    store->size, ngx_http_codat_keep_waiting(zone),
                    store->health.failures);

    if (store->asked) {
        p = ngx_sprintf(p, ",\"asOf\":\"");
        p = ngx_codat_time_format(p, (int64_t) store->asked * 1000000);
        *p++ = '"';
    }

    *p++ = '}';

    return p;
}


static uint64_t
ngx_http_codat_overview_evicted(ngx_codat_zone_t *zone)
{
    uint64_t    n;
    ngx_uint_t  kind;

    n = 0;

    for (kind = 0; kind < NGX_CODAT_ROW_KINDS; kind++) {
        n += ngx_codat_stats_get(zone->sh->stats,
                                 ngx_codat_stat_id(NGX_CODAT_STAT_EVICTED,
                                                   kind, 0, 0, 0));
    }

    return n;
}


static ngx_int_t
ngx_http_codat_overview_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    if (ngx_http_codat_status_headers(r) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ngx_http_codat_answer_set(r, status, &ngx_http_codat_type_json,
                              (off_t) body->len);

    return ngx_http_codat_answer_send(r, body);
}
