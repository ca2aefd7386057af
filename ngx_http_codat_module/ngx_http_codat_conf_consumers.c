
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_conf.h"
#include "ngx_http_codat_conf_consumers.h"
#include "ngx_http_codat_conf_forward.h"
#include "ngx_http_codat_conf_store.h"
#include "ngx_http_codat_consumers.h"


typedef struct {
    ngx_str_t   zone;
    ngx_str_t   deliver;
    ngx_uint_t  allow;               /* unsigned  allow:1; */
} ngx_http_codat_consumers_args_t;


static char *ngx_http_codat_consumers_args(ngx_conf_t *cf,
    ngx_http_codat_consumers_args_t *args);
static ngx_http_codat_consumers_conf_t *ngx_http_codat_consumers_of(
    ngx_conf_t *cf, ngx_str_t *name);
static char *ngx_http_codat_consumers_deliver(ngx_conf_t *cf,
    ngx_http_codat_consumers_conf_t *consumers, ngx_str_t *named);
static char *ngx_http_codat_consumers_allow(ngx_conf_t *cf,
    ngx_http_codat_consumers_conf_t *consumers);
static char *ngx_http_codat_consumers_check(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *conf);
static void ngx_http_codat_consumers_keys(ngx_conf_t *cf,
    ngx_http_codat_api_conf_t *api, ngx_http_core_loc_conf_t *clcf);
static ngx_uint_t ngx_http_codat_consumers_keys_in(ngx_queue_t *locations);
static ngx_uint_t ngx_http_codat_consumers_is_keys(ngx_str_t *name);


char *
ngx_http_codat_consumers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_codat_loc_conf_t *cdlcf = conf;

    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_codat_api_conf_t        *api;
    ngx_http_codat_consumers_args_t   args;

    api = &cdlcf->api;

    if (api->consumers) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_http_codat_consumers_args(cf, &args) != NGX_CONF_OK
        || ngx_http_codat_conf_prefix(cf, "codat_consumers", "/codat-hooks/",
                                      1)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    api->consumers = ngx_http_codat_consumers_of(cf, &args.zone);
    if (api->consumers == NULL) {
        return NGX_CONF_ERROR;
    }

    api->named = args.deliver;
    api->location = clcf->name;
    api->file = cf->conf_file->file.name.data;
    api->line = cf->conf_file->line;
    api->clash = (clcf->handler != NULL);

    clcf->handler = ngx_http_codat_consumers_handler;

    if (args.deliver.len
        && ngx_http_codat_consumers_deliver(cf, api->consumers, &args.deliver)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_codat_consumers_allow(cf, api->consumers);
}


static char *
ngx_http_codat_consumers_args(ngx_conf_t *cf,
    ngx_http_codat_consumers_args_t *args)
{
    ngx_int_t    rc;
    ngx_str_t   *arg, allow;
    ngx_uint_t   i;

    ngx_memzero(args, sizeof(ngx_http_codat_consumers_args_t));

    arg = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_http_codat_take(cf, &arg[i], "zone=", &args->zone);

        if (rc == NGX_DECLINED) {
            rc = ngx_http_codat_take(cf, &arg[i], "deliver=",
                                     &args->deliver);
        }

        if (rc == NGX_DECLINED) {

            /* this one may be repeated, and is taken later */

            ngx_str_null(&allow);

            rc = ngx_http_codat_take(cf, &arg[i], "allow=", &allow);
        }

        if (rc == NGX_DECLINED) {
            return ngx_http_codat_invalid(cf, &arg[i], "zone=NAME, "
                                          "deliver=@NAME and allow=HOST,... "
                                          "are allowed");
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (args->zone.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_consumers\" needs zone=NAME, the name of "
                           "a \"codat_zone\"");
        return NGX_CONF_ERROR;
    }

    if (args->deliver.len
        && (args->deliver.len < 2 || args->deliver.data[0] != '@'))
    {
        return ngx_http_codat_invalid(cf, &args->deliver, "a named location "
                                      "such as deliver=@consumers is "
                                      "expected");
    }

    return NGX_CONF_OK;
}


static ngx_http_codat_consumers_conf_t *
ngx_http_codat_consumers_of(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_shm_zone_t                    *zone;
    ngx_http_codat_main_conf_t        *cdmcf;
    ngx_http_codat_consumers_conf_t   *consumers, **all;

    zone = ngx_shared_memory_add(cf, name, 0, &ngx_http_codat_module);
    if (zone == NULL) {
        return NULL;
    }

    cdmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_codat_module);

    consumers = ngx_http_codat_conf_consumers_find(cdmcf, zone);

    if (consumers) {
        return consumers;
    }

    consumers = ngx_pcalloc(cf->pool, sizeof(ngx_http_codat_consumers_conf_t));
    all = ngx_array_push(&cdmcf->consumers);

    if (consumers == NULL
        || all == NULL
        || ngx_http_codat_guard_conf(cf, &consumers->guard, NULL)
           != NGX_CONF_OK)
    {
        return NULL;
    }

    consumers->zone = zone;

    *all = consumers;

    cdmcf->used = 1;

    return consumers;
}


/* one location delivers, and the first that names it says where it is */

static char *
ngx_http_codat_consumers_deliver(ngx_conf_t *cf,
    ngx_http_codat_consumers_conf_t *consumers, ngx_str_t *named)
{
    ngx_http_conf_ctx_t  *ctx;

    ctx = cf->ctx;

    if (consumers->named.len == 0) {
        consumers->named = *named;
        consumers->ctx = *ctx;
        consumers->file = cf->conf_file->file.name.data;
        consumers->line = cf->conf_file->line;

        return NGX_CONF_OK;
    }

    if (consumers->named.len == named->len
        && ngx_strncmp(consumers->named.data, named->data, named->len) == 0
        && consumers->ctx.srv_conf == ctx->srv_conf)
    {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"codat_consumers\" has \"deliver=%V\", but zone "
                       "\"%V\" has \"deliver=%V\" already in %s:%ui; in "
                       "another server, \"deliver=\" is to be left out",
                       named, &consumers->zone->shm.name, &consumers->named,
                       consumers->file, consumers->line);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_codat_consumers_allow(ngx_conf_t *cf,
    ngx_http_codat_consumers_conf_t *consumers)
{
    ngx_str_t   *arg, value;
    ngx_uint_t   i;

    arg = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        ngx_str_null(&value);

        if (ngx_http_codat_take(cf, &arg[i], "allow=", &value) == NGX_OK
            && ngx_http_codat_guard_conf(cf, &consumers->guard, &value)
               != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_codat_conf_merge_consumers(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *prev, ngx_http_codat_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_codat_api_conf_t  *api;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    api = &conf->api;

    if (clcf->noname && api->consumers == NULL && prev->api.consumers) {

        *api = prev->api;
        api->clash = (clcf->handler != NULL);

        if (clcf->handler == NULL) {
            clcf->handler = ngx_http_codat_consumers_handler;
        }
    }

    if (api->consumers == NULL) {
        return NGX_CONF_OK;
    }

    if (conf->zone || conf->status.zone || conf->track) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_consumers\" can't share a location with "
                      "\"codat_webhook\", \"codat_status\" or "
                      "\"codat_track\", it needs its own in %s:%ui",
                      api->file, api->line);
        return NGX_CONF_ERROR;
    }

    /* the handler may have been set before ours and behind it */

    if (api->clash || clcf->handler != ngx_http_codat_consumers_handler) {
        return ngx_http_codat_conf_clash(cf, "codat_consumers",
                                         "the location of \"deliver=\"",
                                         api->file, api->line);
    }

    return ngx_http_codat_consumers_check(cf, conf);
}


static char *
ngx_http_codat_consumers_check(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_codat_api_conf_t        *api;
    ngx_http_codat_consumers_conf_t  *consumers;

    api = &conf->api;
    consumers = api->consumers;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_http_codat_conf_check_zone(cf, "codat_consumers",
                                       consumers->zone, api->file, api->line)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* the core's own has been merged, and is made for the workers' user */

    if (ngx_http_codat_conf_store_temporary(cf, consumers->zone,
                                          &clcf->client_body_temp_path->name)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (consumers->named.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_consumers\" needs deliver=@NAME, the named "
                      "location with \"proxy_pass $codat_consumer_url;\", "
                      "once for zone \"%V\" in %s:%ui",
                      &consumers->zone->shm.name, api->file, api->line);
        return NGX_CONF_ERROR;
    }

    if (api->named.len && !ngx_http_codat_conf_named(cf, &api->named)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_consumers\" has a location \"deliver=%V\" "
                      "that this server does not have in %s:%ui",
                      &api->named, api->file, api->line);
        return NGX_CONF_ERROR;
    }

    if (!clcf->noname) {
        ngx_http_codat_consumers_keys(cf, api, clcf);
    }

    return NGX_CONF_OK;
}


/* who may make a key may make the present one useless: not everybody */

static void
ngx_http_codat_consumers_keys(ngx_conf_t *cf, ngx_http_codat_api_conf_t *api,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_http_core_loc_conf_t  *scf;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    scf = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];

    if (clcf->exact_match
        || ngx_http_codat_consumers_is_keys(&clcf->name)
        || ngx_http_codat_consumers_keys_in(clcf->locations)
        || ngx_http_codat_consumers_keys_in(scf->locations))
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"codat_consumers\" makes integration keys for whoever is "
                  "let into location \"%V\", an exact location for its "
                  "\"webhooks/integrationKeys/zapier\" can be stricter in "
                  "%s:%ui", &clcf->name, api->file, api->line);
}


static ngx_uint_t
ngx_http_codat_consumers_keys_in(ngx_queue_t *locations)
{
    ngx_queue_t                *q;
    ngx_http_location_queue_t  *lq;

    if (locations == NULL) {
        return 0;
    }

    for (q = ngx_queue_head(locations);
         q != ngx_queue_sentinel(locations);
         q = ngx_queue_next(q))
    {
        lq = (ngx_http_location_queue_t *) q;

        if (ngx_http_codat_consumers_is_keys(lq->name)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_codat_consumers_is_keys(ngx_str_t *name)
{
    static const ngx_str_t  keys = ngx_string("/integrationKeys/zapier");

    return name->len >= keys.len
           && ngx_memcmp(name->data + name->len - keys.len, keys.data,
                         keys.len)
              == 0;
}


void
ngx_http_codat_conf_consumers_warn(ngx_conf_t *cf)
{
    ngx_uint_t                         i;
    ngx_http_core_srv_conf_t          *cscf;
    ngx_http_codat_main_conf_t        *cdmcf;
    ngx_http_codat_consumers_conf_t  **all;

    cdmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_codat_module);

    all = cdmcf->consumers.elts;

    for (i = 0; i < cdmcf->consumers.nelts; i++) {

        cscf = all[i]->ctx.srv_conf[ngx_http_core_module.ctx_index];

        ngx_http_codat_guard_resolver(cf, cscf, &all[i]->named);
    }
}


ngx_http_codat_consumers_conf_t *
ngx_http_codat_conf_consumers_find(ngx_http_codat_main_conf_t *cdmcf,
    ngx_shm_zone_t *zone)
{
    ngx_uint_t                         i;
    ngx_http_codat_consumers_conf_t  **all;

    all = cdmcf->consumers.elts;

    for (i = 0; i < cdmcf->consumers.nelts; i++) {

        if (all[i]->zone == zone) {
            return all[i];
        }
    }

    return NULL;
}
