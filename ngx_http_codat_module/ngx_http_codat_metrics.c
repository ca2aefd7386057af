
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_count.h"
#include "ngx_http_codat_dispatch.h"
#include "ngx_http_codat_keep.h"
#include "ngx_http_codat_metrics.h"
#include "ngx_http_codat_page.h"
#include "ngx_http_codat_status.h"
#include "ngx_http_codat_track.h"
#include "ngx_codat_names.h"


typedef struct {
    uint64_t                        id;     /* family first, hash last */
    ngx_uint_t                      value;
} ngx_http_codat_metric_value_t;


/* all numbers, copied out */

typedef struct {
    ngx_http_codat_metric_value_t  *values;     /* sorted */
    ngx_uint_t                      n;
    ngx_uint_t                      lost;

    uint32_t                        rows[NGX_CODAT_ROW_KINDS];
    uint32_t                        states[NGX_CODAT_ROW_KINDS]
                                          [NGX_CODAT_ZONE_STATES];
    uint64_t                        size;
    uint64_t                        used;
    uint64_t                        free;
    uint64_t                        recent;
    uint64_t                        unlisted;
    ngx_uint_t                      waiters;
    time_t                          born;

    ngx_codat_zone_t               *stored;     /* NULL: without a store */
    ngx_codat_zone_store_t          store;

    ngx_http_codat_route_t        **routes;     /* of this zone */
    ngx_uint_t                      nroutes;
} ngx_http_codat_metrics_t;


static ngx_int_t ngx_http_codat_metrics_copy(ngx_http_request_t *r,
    ngx_codat_zone_t *zone, ngx_http_codat_metrics_t *m);
static ngx_int_t ngx_http_codat_metrics_counters(ngx_http_request_t *r,
    ngx_codat_zone_t *zone, ngx_http_codat_metrics_t *m);
static ngx_int_t ngx_http_codat_metrics_routes(ngx_http_request_t *r,
    ngx_codat_zone_t *zone, ngx_http_codat_metrics_t *m);
static int ngx_libc_cdecl ngx_http_codat_metrics_compare(const void *one,
    const void *two);
static ngx_uint_t ngx_http_codat_metrics_get(ngx_http_codat_metrics_t *m,
    uint64_t id);
static ngx_uint_t ngx_http_codat_metrics_first(ngx_http_codat_metrics_t *m,
    uint64_t id);

static void ngx_http_codat_metrics_write(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m);
static void ngx_http_codat_metrics_events(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m);
static void ngx_http_codat_metrics_refused(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m);
static void ngx_http_codat_metrics_forwards(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m);
static void ngx_http_codat_metrics_tracked(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m);
static void ngx_http_codat_metrics_duration(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m, ngx_http_codat_route_t *route);
static void ngx_http_codat_metrics_route(ngx_http_codat_page_t *page,
    ngx_http_codat_route_t *route);
static void ngx_http_codat_metrics_kinds(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m, ngx_codat_stat_e metric);
static void ngx_http_codat_metrics_states(ngx_http_codat_page_t *page,
    const ngx_str_t *names, ngx_uint_t n, const uint32_t *states);
static void ngx_http_codat_metrics_zone(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m);
static void ngx_http_codat_metrics_store(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m);
static void ngx_http_codat_metrics_consumers(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m);
static void ngx_http_codat_metrics_begin(ngx_http_codat_page_t *page,
    ngx_codat_stat_e metric);
static void ngx_http_codat_metrics_single(ngx_http_codat_page_t *page,
    ngx_codat_stat_e metric, uint64_t value);


static const ngx_http_codat_page_metric_t  ngx_http_codat_metrics_list[] = {
#define X(NAME, metric, type, help)  { metric, #type, help },
#include "ngx_codat_counters_x.h"
#undef X
};


/* by ngx_codat_row_kind_e, from deliveries on */

static const ngx_str_t  ngx_http_codat_metrics_kind_names[] = {
    ngx_string("delivery"),
    ngx_string("push"),
    ngx_string("reference"),
    ngx_string("connection"),
    ngx_string("dataset"),
    ngx_string("company"),
    ngx_string("client")
};


static const ngx_str_t  ngx_http_codat_metrics_unknown =
    ngx_string("Unknown");

static ngx_str_t  ngx_http_codat_metrics_type =
    ngx_string("text/plain; version=0.0.4; charset=utf-8");


ngx_int_t
ngx_http_codat_metrics_answer(ngx_http_request_t *r)
{
    ngx_str_t  body;

    if (ngx_http_codat_metrics(r, ngx_http_codat_status_zone(r), &body)
        != NGX_OK
        || ngx_http_codat_status_headers(r) != NGX_OK)
    {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ngx_http_codat_answer_set(r, NGX_HTTP_OK, &ngx_http_codat_metrics_type,
                              (off_t) body.len);

    /* as far as lists of types, such as gzip_types, compare it */

    r->headers_out.content_type_len = sizeof("text/plain") - 1;

    return ngx_http_codat_answer_send(r, &body);
}


ngx_int_t
ngx_http_codat_metrics(ngx_http_request_t *r, ngx_codat_zone_t *zone,
    ngx_str_t *body)
{
    ngx_http_codat_page_t     page;
    ngx_http_codat_metrics_t  m;

    ngx_memzero(&m, sizeof(ngx_http_codat_metrics_t));

    if (ngx_http_codat_metrics_copy(r, zone, &m) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&page, sizeof(ngx_http_codat_page_t));

    page.zone = &zone->shm_zone->shm.name;

    ngx_http_codat_metrics_write(&page, &m);

    body->data = ngx_pnalloc(r->pool, page.len);
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    page.p = body->data;

    ngx_http_codat_metrics_write(&page, &m);

    body->len = (size_t) (page.p - body->data);

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_metrics_copy(ngx_http_request_t *r, ngx_codat_zone_t *zone,
    ngx_http_codat_metrics_t *m)
{
    uint64_t              cells;
    ngx_uint_t            i;
    ngx_codat_zone_sh_t  *sh;

    sh = zone->sh;

    ngx_codat_zone_lock(zone);

    for (i = 0; i < NGX_CODAT_ROW_KINDS; i++) {
        m->rows[i] = sh->created[i].count;
    }

    ngx_memcpy(m->states, sh->states, sizeof(m->states));

    cells = (uint64_t) sh->nfree + (sh->ncells - sh->fresh);

    m->recent = sh->recent->count;
    m->unlisted = sh->recent->unlisted;
    m->store = sh->store;

    ngx_codat_zone_unlock(zone);

    if (zone->store) {
        m->stored = zone;
    }

    m->size = zone->shm_zone->shm.size;
    m->free = cells * sizeof(ngx_codat_row_t);
    m->used = (sh->ncells - cells) * sizeof(ngx_codat_row_t);
    m->waiters = ngx_codat_wake_waiters(sh->wake);
    m->born = sh->born;

    if (ngx_http_codat_metrics_counters(r, zone, m) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_codat_metrics_routes(r, zone, m);
}


static ngx_int_t
ngx_http_codat_metrics_counters(ngx_http_request_t *r,
    ngx_codat_zone_t *zone, ngx_http_codat_metrics_t *m)
{
    uint64_t                        id;
    ngx_uint_t                      i, value;
    ngx_codat_stats_t              *stats;
    ngx_http_codat_metric_value_t  *v;

    stats = zone->sh->stats;

    m->lost = stats->lost;

    i = 0;

    while (ngx_codat_stats_next(stats, &i, &id, &value) == NGX_OK) {
        m->n++;
    }

    m->values = ngx_palloc(r->pool, (m->n + 1)
                                    * sizeof(ngx_http_codat_metric_value_t));
    if (m->values == NULL) {
        return NGX_ERROR;
    }

    /* those made meanwhile are for the next page */

    v = m->values;
    i = 0;

    while (v < m->values + m->n
           && ngx_codat_stats_next(stats, &i, &id, &value) == NGX_OK)
    {
        v->id = (id << 32) | (id >> 32);
        v->value = value;
        v++;
    }

    ngx_qsort(m->values, (size_t) m->n, sizeof(ngx_http_codat_metric_value_t),
              ngx_http_codat_metrics_compare);

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_metrics_routes(ngx_http_request_t *r, ngx_codat_zone_t *zone,
    ngx_http_codat_metrics_t *m)
{
    ngx_uint_t                   i;
    ngx_http_codat_route_t      *routes;
    ngx_http_codat_main_conf_t  *cdmcf;

    cdmcf = ngx_http_get_module_main_conf(r, ngx_http_codat_module);

    m->routes = ngx_palloc(r->pool, (cdmcf->routes.nelts + 1)
                                    * sizeof(ngx_http_codat_route_t *));
    if (m->routes == NULL) {
        return NGX_ERROR;
    }

    routes = cdmcf->routes.elts;

    for (i = 0; i < cdmcf->routes.nelts; i++) {

        if (routes[i].zone == zone->shm_zone) {
            m->routes[m->nroutes++] = &routes[i];
        }
    }

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_codat_metrics_compare(const void *one, const void *two)
{
    const ngx_http_codat_metric_value_t  *first, *second;

    first = one;
    second = two;

    if (first->id == second->id) {
        return 0;
    }

    return first->id < second->id ? -1 : 1;
}


static ngx_uint_t
ngx_http_codat_metrics_get(ngx_http_codat_metrics_t *m, uint64_t id)
{
    ngx_uint_t  i;

    /* as the table has it */

    id = (ngx_atomic_uint_t) id;

    i = ngx_http_codat_metrics_first(m, id);

    if (i < m->n && m->values[i].id == ((id << 32) | (id >> 32))) {
        return m->values[i].value;
    }

    return 0;
}


/* the first value from an id on */

static ngx_uint_t
ngx_http_codat_metrics_first(ngx_http_codat_metrics_t *m, uint64_t id)
{
    ngx_uint_t  low, high, middle;

    id = (id << 32) | (id >> 32);

    low = 0;
    high = m->n;

    while (low < high) {
        middle = (low + high) / 2;

        if (m->values[middle].id < id) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low;
}


static void
ngx_http_codat_metrics_write(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m)
{
    ngx_http_codat_metrics_events(page, m);
    ngx_http_codat_metrics_refused(page, m);
    ngx_http_codat_metrics_forwards(page, m);

    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_STALE,
        ngx_http_codat_metrics_get(m,
                      ngx_codat_stat_id(NGX_CODAT_STAT_STALE, 0, 0, 0, 0)));

    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_TRANSITIONS_REFUSED,
        ngx_http_codat_metrics_get(m,
                      ngx_codat_stat_id(NGX_CODAT_STAT_TRANSITIONS_REFUSED,
                                        0, 0, 0, 0)));

    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_CONFLICTS,
        ngx_http_codat_metrics_get(m,
                      ngx_codat_stat_id(NGX_CODAT_STAT_CONFLICTS, 0, 0, 0,
                                        0)));

    ngx_http_codat_metrics_tracked(page, m);

    ngx_http_codat_metrics_kinds(page, m, NGX_CODAT_STAT_ROWS);

    ngx_http_codat_metrics_begin(page, NGX_CODAT_STAT_PUSHES);
    ngx_http_codat_metrics_states(page, ngx_codat_push_status_names,
                                  NGX_CODAT_PUSH_TIMED_OUT + 1,
                                  m->states[NGX_CODAT_ROW_PUSH]);

    ngx_http_codat_metrics_begin(page, NGX_CODAT_STAT_CONNECTIONS);
    ngx_http_codat_metrics_states(page, ngx_codat_conn_status_names,
                                  NGX_CODAT_CONN_DELETED + 1,
                                  m->states[NGX_CODAT_ROW_CONNECTION]);

    ngx_http_codat_metrics_kinds(page, m, NGX_CODAT_STAT_EVICTED);
    ngx_http_codat_metrics_kinds(page, m, NGX_CODAT_STAT_UNSTORED);

    ngx_http_codat_metrics_zone(page, m);
}


static void
ngx_http_codat_metrics_events(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m)
{
    uint64_t                        id;
    ngx_uint_t                      i;
    ngx_codat_stat_e                family;
    ngx_http_codat_metric_value_t  *v;

    for (family = NGX_CODAT_STAT_EVENTS;
         family <= NGX_CODAT_STAT_LAST_EVENT;
         family++)
    {
        ngx_http_codat_metrics_begin(page, family);

        i = ngx_http_codat_metrics_first(m,
                                     ngx_codat_stat_id(family, 0, 0, 0, 0));

        for ( /* void */ ; i < m->n; i++) {
            v = &m->values[i];
            id = v->id >> 32;

            if (ngx_codat_stat_family(id) != family) {
                break;
            }

            /* one that a worker was killed over before it was raised */

            if (v->value == 0) {
                continue;
            }

            ngx_http_codat_page_begin(page);
            ngx_http_codat_page_label(page, "type",
                                 ngx_codat_type_name(ngx_codat_stat_a(id)));

            if (family == NGX_CODAT_STAT_EVENTS) {
                ngx_http_codat_page_label(page, "generation",
                    &ngx_http_codat_count_generations[ngx_codat_stat_b(id)]);
                ngx_http_codat_page_label(page, "result",
                    &ngx_http_codat_count_results[ngx_codat_stat_c(id)]);
            }

            ngx_http_codat_page_value(page, v->value);
        }
    }
}


static void
ngx_http_codat_metrics_refused(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m)
{
    ngx_uint_t  i, kind;

    ngx_http_codat_metrics_begin(page, NGX_CODAT_STAT_REFUSED);

    /* behind these are those of the status API */

    for (i = 0; i <= NGX_HTTP_CODAT_UNAVAILABLE; i++) {
        ngx_http_codat_page_begin(page);
        ngx_http_codat_page_label(page, "code",
                                  &ngx_http_codat_problems[i].code);
        ngx_http_codat_page_value(page,
            ngx_http_codat_metrics_get(m,
                      ngx_codat_stat_id(NGX_CODAT_STAT_REFUSED, i, 0, 0, 0)));
    }

    ngx_http_codat_metrics_begin(page, NGX_CODAT_STAT_CREDENTIAL_FAILURES);

    /* the problems of signatures are the first, those of the others follow */

    for (i = 0; i <= NGX_HTTP_CODAT_CREDENTIAL_MISMATCH; i++) {

        for (kind = 0; kind < NGX_HTTP_CODAT_KINDS; kind++) {

            if ((kind == NGX_HTTP_CODAT_KIND_SIGNATURE)
                != (i < NGX_HTTP_CODAT_CREDENTIAL_MISSING))
            {
                continue;
            }

            ngx_http_codat_page_begin(page);
            ngx_http_codat_page_label(page, "code",
                                      &ngx_http_codat_problems[i].code);
            ngx_http_codat_page_label(page, "kind",
                                      &ngx_http_codat_count_kinds[kind]);
            ngx_http_codat_page_value(page,
                ngx_http_codat_metrics_get(m,
                         ngx_codat_stat_id(NGX_CODAT_STAT_CREDENTIAL_FAILURES,
                                           i, kind, 0, 0)));
        }
    }
}


static void
ngx_http_codat_metrics_forwards(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m)
{
    ngx_uint_t               i, outcome;
    ngx_http_codat_route_t  *route;

    ngx_http_codat_metrics_begin(page, NGX_CODAT_STAT_FORWARDS);

    for (i = 0; i < m->nroutes; i++) {
        route = m->routes[i];

        for (outcome = 0; outcome < NGX_HTTP_CODAT_OUTCOMES; outcome++) {
            ngx_http_codat_metrics_route(page, route);
            ngx_http_codat_page_label(page, "outcome",
                                   &ngx_http_codat_count_outcomes[outcome]);
            ngx_http_codat_page_value(page,
                ngx_http_codat_metrics_get(m,
                                   ngx_codat_stat_id(NGX_CODAT_STAT_FORWARDS,
                                                     0, 0, outcome,
                                                     route->id)));
        }
    }

    ngx_http_codat_metrics_begin(page, NGX_CODAT_STAT_FORWARD_DURATION);

    for (i = 0; i < m->nroutes; i++) {
        ngx_http_codat_metrics_duration(page, m, m->routes[i]);
    }
}


static void
ngx_http_codat_metrics_duration(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m, ngx_http_codat_route_t *route)
{
    uint64_t    count;
    ngx_str_t   bound;
    ngx_uint_t  i;
    u_char      text[NGX_INT_T_LEN + sizeof(".000") - 1];

    count = 0;

    page->suffix = "_bucket";

    for (i = 0; i <= NGX_HTTP_CODAT_BUCKETS; i++) {

        count += ngx_http_codat_metrics_get(m,
                           ngx_codat_stat_id(NGX_CODAT_STAT_FORWARD_DURATION,
                                             0, 0, i, route->id));

        if (i < NGX_HTTP_CODAT_BUCKETS) {
            bound.data = text;
            bound.len = (size_t) (ngx_sprintf(text, "%M.%03M",
                                   ngx_http_codat_count_buckets[i] / 1000,
                                   ngx_http_codat_count_buckets[i] % 1000)
                                  - text);

            while (text[bound.len - 1] == '0') {
                bound.len--;
            }

            if (text[bound.len - 1] == '.') {
                bound.len--;
            }

        } else {
            ngx_str_set(&bound, "+Inf");
        }

        ngx_http_codat_metrics_route(page, route);
        ngx_http_codat_page_label(page, "le", &bound);
        ngx_http_codat_page_value(page, count);
    }

    page->suffix = "_sum";

    ngx_http_codat_metrics_route(page, route);
    ngx_http_codat_page_seconds(page,
        ngx_http_codat_metrics_get(m,
                           ngx_codat_stat_id(NGX_CODAT_STAT_FORWARD_DURATION,
                                             0, 0, NGX_HTTP_CODAT_BUCKET_SUM,
                                             route->id)));

    page->suffix = "_count";

    ngx_http_codat_metrics_route(page, route);
    ngx_http_codat_page_value(page, count);

    page->suffix = "";
}


static void
ngx_http_codat_metrics_route(ngx_http_codat_page_t *page,
    ngx_http_codat_route_t *route)
{
    ngx_http_codat_page_begin(page);
    ngx_http_codat_page_label(page, "server", &route->server);
    ngx_http_codat_page_label(page, "location", &route->location);
    ngx_http_codat_page_label(page, "target", &route->target);
}


static void
ngx_http_codat_metrics_tracked(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m)
{
    ngx_uint_t  i;

    ngx_http_codat_metrics_begin(page, NGX_CODAT_STAT_TRACKED);

    for (i = 0; i < NGX_HTTP_CODAT_TRACKEDS; i++) {
        ngx_http_codat_page_begin(page);
        ngx_http_codat_page_label(page, "result",
                                  &ngx_http_codat_tracked_names[i]);
        ngx_http_codat_page_value(page,
            ngx_http_codat_metrics_get(m,
                      ngx_codat_stat_id(NGX_CODAT_STAT_TRACKED, i, 0, 0, 0)));
    }
}


static void
ngx_http_codat_metrics_kinds(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m, ngx_codat_stat_e metric)
{
    ngx_uint_t  kind, value;

    ngx_http_codat_metrics_begin(page, metric);

    for (kind = NGX_CODAT_ROW_DELIVERY; kind < NGX_CODAT_ROW_KINDS; kind++) {

        if (metric == NGX_CODAT_STAT_ROWS) {
            value = m->rows[kind];

        } else {
            value = ngx_http_codat_metrics_get(m,
                                    ngx_codat_stat_id(metric, kind, 0, 0, 0));
        }

        ngx_http_codat_page_begin(page);
        ngx_http_codat_page_label(page, "kind",
              &ngx_http_codat_metrics_kind_names[kind
                                                 - NGX_CODAT_ROW_DELIVERY]);
        ngx_http_codat_page_value(page, value);
    }
}


static void
ngx_http_codat_metrics_states(ngx_http_codat_page_t *page,
    const ngx_str_t *names, ngx_uint_t n, const uint32_t *states)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        ngx_http_codat_page_begin(page);
        ngx_http_codat_page_label(page, "status",
                             i ? &names[i] : &ngx_http_codat_metrics_unknown);
        ngx_http_codat_page_value(page, states[i]);
    }
}


static void
ngx_http_codat_metrics_zone(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m)
{
    static const ngx_str_t  version = ngx_string(NGX_HTTP_CODAT_VERSION);
    static const ngx_str_t  nginx = ngx_string(NGINX_VERSION);

    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_REPAIRED,
        ngx_http_codat_metrics_get(m,
                    ngx_codat_stat_id(NGX_CODAT_STAT_REPAIRED, 0, 0, 0, 0)));

    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_ZONE_SIZE, m->size);
    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_ZONE_USED, m->used);
    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_ZONE_FREE, m->free);
    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_ZONE_CREATED,
                               (uint64_t) m->born);
    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_RECENT, m->recent);
    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_UNLISTED, m->unlisted);
    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_WAITERS, m->waiters);

    if (m->stored) {
        ngx_http_codat_metrics_store(page, m);
    }

    if (m->stored && m->stored->consumers) {
        ngx_http_codat_metrics_consumers(page, m);
    }

    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_LOST, m->lost);

    ngx_http_codat_metrics_begin(page, NGX_CODAT_STAT_INFO);
    ngx_http_codat_page_begin(page);
    ngx_http_codat_page_label(page, "version", &version);
    ngx_http_codat_page_label(page, "nginx", &nginx);
    ngx_http_codat_page_value(page, 1);
}


static void
ngx_http_codat_metrics_store(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m)
{
    int64_t                  age;
    ngx_uint_t               i;
    ngx_codat_zone_store_t  *store;

    store = &m->store;

    ngx_http_codat_metrics_begin(page, NGX_CODAT_STAT_STORE_DELIVERIES);

    for (i = NGX_CODAT_QUEUED_PENDING; i < NGX_CODAT_QUEUED_STATES; i++) {
        ngx_http_codat_page_begin(page);
        ngx_http_codat_page_label(page, "state", &ngx_codat_queued_names[i]);
        ngx_http_codat_page_value(page, store->deliveries[i]);
    }

    age = store->oldest ? ngx_time() - store->oldest / 1000000 : 0;

    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_STORE_EVENTS,
                                  store->events);
    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_STORE_OLDEST,
                                  (uint64_t) ngx_max(age, 0));
    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_STORE_SIZE,
                                  store->size);
    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_STORE_WAITING,
                                  ngx_http_codat_keep_waiting(m->stored));
    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_STORE_FAILURES,
                                  (uint64_t) store->health.failures);
    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_STORE_LOADED,
                                  store->loaded ? 1 : 0);
}


static void
ngx_http_codat_metrics_consumers(ngx_http_codat_page_t *page,
    ngx_http_codat_metrics_t *m)
{
    uint64_t                 values[3];
    ngx_uint_t               i;
    ngx_codat_zone_store_t  *store;

    static const ngx_str_t   states[] = {
        ngx_string("active"), ngx_string("failing"), ngx_string("disabled")
    };

    store = &m->store;

    ngx_http_codat_metrics_begin(page, NGX_CODAT_STAT_CONSUMER_ATTEMPTS);

    for (i = 0; i < NGX_HTTP_CODAT_DISPATCHED_N; i++) {
        ngx_http_codat_page_begin(page);
        ngx_http_codat_page_label(page, "outcome",
                                  &ngx_http_codat_dispatched_names[i]);
        ngx_http_codat_page_value(page, ngx_http_codat_metrics_get(m,
                       ngx_codat_stat_id(NGX_CODAT_STAT_CONSUMER_ATTEMPTS, 0,
                                         0, i, 0)));
    }

    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_CONSUMER_FANOUT,
        ngx_http_codat_metrics_get(m,
             ngx_codat_stat_id(NGX_CODAT_STAT_CONSUMER_FANOUT, 0, 0, 0, 0)));

    values[0] = store->consumers - store->disabled - store->failing;
    values[1] = store->failing;
    values[2] = store->disabled;

    ngx_http_codat_metrics_begin(page, NGX_CODAT_STAT_CONSUMERS);

    for (i = 0; i < 3; i++) {
        ngx_http_codat_page_begin(page);
        ngx_http_codat_page_label(page, "state", &states[i]);
        ngx_http_codat_page_value(page, values[i]);
    }

    ngx_http_codat_metrics_single(page, NGX_CODAT_STAT_CONSUMER_PENDING,
                                  store->outgoing);
}


static void
ngx_http_codat_metrics_begin(ngx_http_codat_page_t *page,
    ngx_codat_stat_e metric)
{
    ngx_http_codat_page_metric(page, &ngx_http_codat_metrics_list[metric]);
}


static void
ngx_http_codat_metrics_single(ngx_http_codat_page_t *page,
    ngx_codat_stat_e metric, uint64_t value)
{
    ngx_http_codat_metrics_begin(page, metric);
    ngx_http_codat_page_begin(page);
    ngx_http_codat_page_value(page, value);
}
