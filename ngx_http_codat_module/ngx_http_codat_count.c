
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_count.h"
#include "ngx_codat_names.h"


static void ngx_http_codat_count_event(ngx_codat_zone_t *zone,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_problem_e problem);
static void ngx_http_codat_count_last(ngx_codat_zone_t *zone,
    ngx_uint_t type, int64_t received);
static void ngx_http_codat_count_credential(ngx_codat_zone_t *zone,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_problem_e problem);
static uint32_t ngx_http_codat_count_hash(ngx_http_codat_route_t *route);
static ngx_uint_t ngx_http_codat_count_same(ngx_str_t *one, ngx_str_t *two);


const ngx_str_t  ngx_http_codat_count_generations[] = {
    ngx_string("current"),
    ngx_string("legacy")
};

const ngx_str_t  ngx_http_codat_count_results[] = {
    ngx_string("accepted"),
    ngx_string("queued"),
    ngx_string("duplicate"),
    ngx_string("refused")
};

const ngx_str_t  ngx_http_codat_count_kinds[] = {
    ngx_string("signature"),
    ngx_string("basic"),
    ngx_string("bearer"),
    ngx_string("header"),
    ngx_string("several")
};

const ngx_str_t  ngx_http_codat_count_outcomes[] = {
    ngx_string("success"),
    ngx_string("refused_3xx"),
    ngx_string("refused_4xx"),
    ngx_string("refused_5xx"),
    ngx_string("unreachable"),
    ngx_string("timeout"),
    ngx_string("unsent"),
    ngx_string("skipped")
};

const ngx_msec_t  ngx_http_codat_count_buckets[] = {
    5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 12000
};


void
ngx_http_codat_count_result(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    ngx_http_codat_problem_e problem)
{
    ngx_codat_zone_t           *zone;
    ngx_http_codat_loc_conf_t  *cdlcf;

    zone = ctx->zone;

    if (zone == NULL) {
        cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

        if (cdlcf->zone == NULL) {
            return;
        }

        zone = cdlcf->zone->data;
    }

    if (problem != NGX_HTTP_CODAT_PROBLEMS) {
        ngx_codat_stats_add(zone->sh->stats,
                            ngx_codat_stat_id(NGX_CODAT_STAT_REFUSED,
                                              problem, 0, 0, 0),
                            1);
    }

    if (ctx->parsed) {
        ngx_http_codat_count_event(zone, ctx, problem);
        return;
    }

    switch (problem) {

    case NGX_HTTP_CODAT_SIGNATURE_MISMATCH:
    case NGX_HTTP_CODAT_TIMESTAMP:
    case NGX_HTTP_CODAT_SIGNATURE_MISSING:
    case NGX_HTTP_CODAT_CREDENTIAL_MISSING:
    case NGX_HTTP_CODAT_CREDENTIAL_MISMATCH:
        ngx_http_codat_count_credential(zone, ctx, problem);
        break;

    default:
        break;
    }
}


static void
ngx_http_codat_count_event(ngx_codat_zone_t *zone, ngx_http_codat_ctx_t *ctx,
    ngx_http_codat_problem_e problem)
{
    ngx_uint_t                    type;
    const ngx_str_t              *name;
    ngx_http_codat_result_e       result;
    ngx_http_codat_generation_e   generation;

    type = ngx_codat_type_index(
                           &ctx->event.fields[NGX_CODAT_FIELD_EVENT_TYPE]);

    name = &ctx->event.fields[NGX_CODAT_FIELD_GENERATION];

    generation = (name->len && name->data[0] == 'l')
                 ? NGX_HTTP_CODAT_GENERATION_LEGACY
                 : NGX_HTTP_CODAT_GENERATION_CURRENT;

    if (problem != NGX_HTTP_CODAT_PROBLEMS) {
        result = NGX_HTTP_CODAT_RESULT_REFUSED;

    } else {

        for (result = NGX_HTTP_CODAT_RESULT_ACCEPTED;
             result < NGX_HTTP_CODAT_RESULT_REFUSED;
             result++)
        {
            name = &ngx_http_codat_count_results[result];

            if (name->len == ctx->result.len
                && ngx_strncmp(name->data, ctx->result.data, name->len) == 0)
            {
                break;
            }
        }
    }

    ngx_codat_stats_add(zone->sh->stats,
                        ngx_codat_stat_id(NGX_CODAT_STAT_EVENTS, type,
                                          generation, result, 0),
                        1);

    ngx_http_codat_count_last(zone, type, ctx->received);
}


void
ngx_http_codat_count_seen(ngx_codat_zone_t *zone, const ngx_str_t *type,
    int64_t received)
{
    ngx_http_codat_count_last(zone, ngx_codat_type_index(type), received);
}


static void
ngx_http_codat_count_last(ngx_codat_zone_t *zone, ngx_uint_t type,
    int64_t received)
{
    ngx_codat_stats_max(zone->sh->stats,
                        ngx_codat_stat_id(NGX_CODAT_STAT_LAST_EVENT, type, 0,
                                          0, 0),
                        (ngx_uint_t) (received / 1000000));
}


static void
ngx_http_codat_count_credential(ngx_codat_zone_t *zone,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_problem_e problem)
{
    ngx_http_codat_kind_e  kind;

    switch (ctx->failed) {

    case NGX_HTTP_CODAT_SIGNATURE:
        kind = NGX_HTTP_CODAT_KIND_SIGNATURE;
        break;

    case NGX_HTTP_CODAT_BASIC:
        kind = NGX_HTTP_CODAT_KIND_BASIC;
        break;

    case NGX_HTTP_CODAT_BEARER:
        kind = NGX_HTTP_CODAT_KIND_BEARER;
        break;

    case NGX_HTTP_CODAT_HEADER:
        kind = NGX_HTTP_CODAT_KIND_HEADER;
        break;

    default:
        kind = NGX_HTTP_CODAT_KIND_SEVERAL;
    }

    ngx_codat_stats_add(zone->sh->stats,
                        ngx_codat_stat_id(NGX_CODAT_STAT_CREDENTIAL_FAILURES,
                                          problem, kind, 0, 0),
                        1);
}


void
ngx_http_codat_count_forward(ngx_codat_zone_t *zone,
    ngx_http_codat_forward_t *forward, ngx_http_codat_outcome_e outcome)
{
    ngx_codat_stats_add(zone->sh->stats,
                        ngx_codat_stat_id(NGX_CODAT_STAT_FORWARDS, 0, 0,
                                          outcome, forward->id),
                        1);
}


ngx_http_codat_outcome_e
ngx_http_codat_count_outcome(ngx_http_request_t *sr, ngx_uint_t status,
    ngx_uint_t succeeded)
{
    if (succeeded) {
        return NGX_HTTP_CODAT_OUTCOME_SUCCESS;
    }

    /* of what the core answers itself, the upstream has seen no status */

    if (sr->upstream == NULL || sr->upstream->headers_in.status_n == 0) {

        switch (status) {

        case NGX_HTTP_BAD_GATEWAY:
            return NGX_HTTP_CODAT_OUTCOME_UNREACHABLE;

        case NGX_HTTP_REQUEST_TIME_OUT:
        case NGX_HTTP_GATEWAY_TIME_OUT:
            return NGX_HTTP_CODAT_OUTCOME_TIMEOUT;

        default:
            break;
        }
    }

    if (status < NGX_HTTP_OK
        || status == NGX_HTTP_CLOSE
        || status == NGX_HTTP_CLIENT_CLOSED_REQUEST)
    {
        return NGX_HTTP_CODAT_OUTCOME_UNREACHABLE;
    }

    if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return NGX_HTTP_CODAT_OUTCOME_REFUSED_5XX;
    }

    if (status >= NGX_HTTP_BAD_REQUEST) {
        return NGX_HTTP_CODAT_OUTCOME_REFUSED_4XX;
    }

    return NGX_HTTP_CODAT_OUTCOME_REFUSED_3XX;
}


void
ngx_http_codat_count_time(ngx_codat_zone_t *zone,
    ngx_http_codat_forward_t *forward, ngx_msec_t started)
{
    ngx_uint_t  i;
    ngx_msec_t  msec;

    msec = ngx_current_msec - started;

    for (i = 0; i < NGX_HTTP_CODAT_BUCKETS; i++) {

        if (msec <= ngx_http_codat_count_buckets[i]) {
            break;
        }
    }

    ngx_codat_stats_add(zone->sh->stats,
                        ngx_codat_stat_id(NGX_CODAT_STAT_FORWARD_DURATION,
                                          0, 0, i, forward->id),
                        1);

    if (msec) {
        ngx_codat_stats_add(zone->sh->stats,
                            ngx_codat_stat_id(NGX_CODAT_STAT_FORWARD_DURATION,
                                              0, 0, NGX_HTTP_CODAT_BUCKET_SUM,
                                              forward->id),
                            msec);
    }
}


ngx_int_t
ngx_http_codat_count_route(ngx_conf_t *cf, ngx_http_codat_loc_conf_t *cdlcf,
    ngx_http_codat_forward_t *forward)
{
    ngx_uint_t                   i;
    ngx_http_codat_route_t      *route, *known;
    ngx_http_codat_main_conf_t  *cdmcf;

    cdmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_codat_module);

    route = ngx_array_push(&cdmcf->routes);
    if (route == NULL) {
        return NGX_ERROR;
    }

    route->zone = cdlcf->zone;
    route->server = cdlcf->server;
    route->location = cdlcf->location;
    route->target = forward->target;
    route->id = ngx_http_codat_count_hash(route);

    known = cdmcf->routes.elts;

    for (i = 0; i < cdmcf->routes.nelts - 1; i++) {

        if (known[i].id != route->id || known[i].zone != route->zone) {
            continue;
        }

        if (ngx_http_codat_count_same(&known[i].server, &route->server)
            && ngx_http_codat_count_same(&known[i].location, &route->location)
            && ngx_http_codat_count_same(&known[i].target, &route->target))
        {
            /* of two alike, the counters are the same */

            forward->id = route->id;
            cdmcf->routes.nelts--;

            return NGX_OK;
        }

        /* two hashes in one place: the next one may be free */

        route->id++;
        i = (ngx_uint_t) -1;
    }

    forward->id = route->id;

    return NGX_OK;
}


/* lengths keep apart what would be one text */

static uint32_t
ngx_http_codat_count_hash(ngx_http_codat_route_t *route)
{
    uint32_t     hash;
    ngx_uint_t   i;
    ngx_str_t   *text[3];

    text[0] = &route->server;
    text[1] = &route->location;
    text[2] = &route->target;

    ngx_crc32_init(hash);

    for (i = 0; i < 3; i++) {
        ngx_crc32_update(&hash, (u_char *) &text[i]->len,
                         sizeof(text[i]->len));
        ngx_crc32_update(&hash, text[i]->data, text[i]->len);
    }

    ngx_crc32_final(hash);

    return hash;
}


static ngx_uint_t
ngx_http_codat_count_same(ngx_str_t *one, ngx_str_t *two)
{
    return one->len == two->len
           && ngx_strncmp(one->data, two->data, one->len) == 0;
}
