
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_conf.h"
#include "ngx_http_codat_conf_store.h"
#include "ngx_http_codat_deliver.h"
#include "ngx_http_codat_server_name.h"
#include "ngx_http_codat_zones.h"

#if (NGX_CODAT_HAVE_SQLITE && NGX_THREADS)
#include "ngx_codat_scratch.h"
#include "ngx_codat_sqlite.h"
#define NGX_HTTP_CODAT_HAVE_STORE  1
#else
#define NGX_HTTP_CODAT_HAVE_STORE  0
#endif

#if (NGX_THREADS)
#include <ngx_thread_pool.h>
#endif


#if (NGX_HTTP_CODAT_HAVE_STORE)
static char *ngx_http_codat_conf_sqlite(ngx_conf_t *cf,
    ngx_codat_zone_t *zone, ngx_str_t *name, ngx_str_t path);
static ngx_codat_store_t *ngx_http_codat_conf_store_create(ngx_conf_t *cf,
    ngx_str_t *name);
static ngx_int_t ngx_http_codat_conf_folder(ngx_conf_t *cf, ngx_str_t *path);
static ngx_uint_t ngx_http_codat_conf_same(ngx_conf_t *cf,
    ngx_str_t *path);
#endif
static ngx_shm_zone_t *ngx_http_codat_conf_store_old(ngx_cycle_t *cycle,
    ngx_shm_zone_t *shm_zone);
static ngx_int_t ngx_http_codat_conf_route(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_http_codat_forward_t *forward);
static ngx_int_t ngx_http_codat_conf_route_name(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_http_codat_forward_t *forward);
static ngx_uint_t ngx_http_codat_conf_route_known(
    ngx_http_codat_main_conf_t *cdmcf, ngx_str_t *name);


char *
ngx_http_codat_conf_store(ngx_conf_t *cf, ngx_codat_zone_t *zone,
    ngx_str_t *name, ngx_str_t *value)
{
    size_t     scheme;
#if (NGX_HTTP_CODAT_HAVE_STORE)
    ngx_str_t  path;
#endif

    if (value->len == 0 || ngx_strcmp(value->data, "off") == 0) {
        return NGX_CONF_OK;
    }

#if (NGX_HTTP_CODAT_HAVE_STORE)

    if (ngx_strncmp(value->data, "sqlite:", sizeof("sqlite:") - 1) == 0) {

        path.data = value->data + sizeof("sqlite:") - 1;
        path.len = value->len - (sizeof("sqlite:") - 1);

        return ngx_http_codat_conf_sqlite(cf, zone, name, path);
    }

#endif

    /* what follows the scheme may hold a password */

    for (scheme = 0; scheme < value->len; scheme++) {

        if (value->data[scheme] == ':') {
            break;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"codat_zone\" has a store \"%*s\" that this build "
                       "does not have, %s allowed", scheme, value->data,
                       NGX_HTTP_CODAT_HAVE_STORE
                           ? "store=off and store=sqlite:PATH are"
                           : "only store=off is, for SQLite or threads were "
                             "missing when the module was built; no other is"
                       );

    return NGX_CONF_ERROR;
}


#if (NGX_HTTP_CODAT_HAVE_STORE)

static char *
ngx_http_codat_conf_sqlite(ngx_conf_t *cf, ngx_codat_zone_t *zone,
    ngx_str_t *name, ngx_str_t path)
{
    ngx_codat_store_t  *store;

    if (path.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_zone\" has a store without a file, "
                           "store=sqlite:PATH is expected");
        return NGX_CONF_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, &path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_codat_conf_folder(cf, &path) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_codat_conf_same(cf, &path)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_zone\" has a store \"%V\" that another "
                           "zone has already, each needs a file of its own",
                           &path);
        return NGX_CONF_ERROR;
    }

    store = ngx_http_codat_conf_store_create(cf, name);
    if (store == NULL) {
        return NGX_CONF_ERROR;
    }

    store->path = path;

    zone->store = store;

    return NGX_CONF_OK;
}


static ngx_codat_store_t *
ngx_http_codat_conf_store_create(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_codat_store_t  *store;

    static ngx_str_t    pool = ngx_string("default");

    store = ngx_pcalloc(cf->pool, sizeof(ngx_codat_store_t));
    if (store == NULL || ngx_thread_pool_add(cf, &pool) == NULL) {
        return NULL;
    }

    store->backend = &ngx_codat_sqlite_backend;
    store->zone = *name;
    store->cycle = cf->cycle;

    return store;
}


static ngx_int_t
ngx_http_codat_conf_folder(ngx_conf_t *cf, ngx_str_t *path)
{
    u_char           *p;
    ngx_file_info_t   fi;
    u_char            folder[NGX_MAX_PATH];

    p = path->data + path->len;

    while (p > path->data && p[-1] != '/') {
        p--;
    }

    if ((size_t) (p - path->data) >= NGX_MAX_PATH - 1) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(folder, path->data, (size_t) (p - path->data) + 1);

    if (ngx_file_info(folder, &fi) == NGX_FILE_ERROR || !ngx_is_dir(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"codat_zone\" has a store in a folder \"%s\" "
                           "that is not there, it has to be made first",
                           folder);
        return NGX_ERROR;
    }

    if (path->data + path->len == p
        || (ngx_file_info(path->data, &fi) != NGX_FILE_ERROR
            && !ngx_is_file(&fi)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_zone\" has a store \"%V\" that is no "
                           "file, store=sqlite:PATH is expected", path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_codat_conf_same(ngx_conf_t *cf, ngx_str_t *path)
{
    ngx_shm_zone_t          *shm_zone;
    ngx_codat_zone_t        *zone;
    ngx_http_codat_zones_t   zones;

    ngx_memzero(&zones, sizeof(ngx_http_codat_zones_t));

    while ((shm_zone = ngx_http_codat_zones_next(cf->cycle, &zones)) != NULL)
    {
        zone = shm_zone->data;

        if (zone->store
            && zone->store->path.len == path->len
            && ngx_memcmp(zone->store->path.data, path->data, path->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}

#endif


char *
ngx_http_codat_conf_store_temporary(ngx_conf_t *cf, ngx_shm_zone_t *shm_zone,
    ngx_str_t *folder)
{
#if (NGX_HTTP_CODAT_HAVE_STORE)

    ngx_codat_zone_t  *zone;

    zone = shm_zone->data;

    if (zone->store) {
        return NGX_CONF_OK;
    }

    zone->store = ngx_http_codat_conf_store_create(cf, &shm_zone->shm.name);
    if (zone->store == NULL) {
        return NGX_CONF_ERROR;
    }

    zone->store->temporary = 1;
    zone->store->folder = *folder;

    return NGX_CONF_OK;

#else

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"codat_consumers\" needs SQLite and threads, which were "
                  "missing when the module was built");

    return NGX_CONF_ERROR;

#endif
}


ngx_int_t
ngx_http_codat_conf_store_init(ngx_shm_zone_t *shm_zone, void *data)
{
#if (NGX_HTTP_CODAT_HAVE_STORE)

    ngx_int_t           rc;
    ngx_core_conf_t    *ccf;
    ngx_codat_zone_t   *zone;
    ngx_codat_store_t  *store;
    u_char              error[NGX_CODAT_STORE_ERROR];

#endif

    /* newer cores tell a zone that is made anew of the old one */

    if (shm_zone->noreuse) {
        data = NULL;
    }

    if (ngx_codat_zone_init(shm_zone, data) != NGX_OK) {
        return NGX_ERROR;
    }

#if (NGX_HTTP_CODAT_HAVE_STORE)

    zone = shm_zone->data;
    store = zone->store;

    if (store == NULL || ngx_test_config) {
        return NGX_OK;
    }

    if (store->temporary) {
        rc = ngx_codat_scratch_open(store,
                                    ngx_http_codat_deliver_origin(zone),
                                    store->cycle->pool, error);
    } else {
        ccf = (ngx_core_conf_t *) ngx_get_conf(store->cycle->conf_ctx,
                                               ngx_core_module);

        rc = ngx_codat_sqlite_files(store, ccf->user, ccf->group, error);
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "codat: store \"%V\" of zone \"%V\" can't be made "
                      "ready: %s", &store->path, &store->zone, error);
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}


/* what the zone knows is of another store, and so are its versions of rows */

void
ngx_http_codat_conf_store_begin(ngx_conf_t *cf, ngx_shm_zone_t *shm_zone)
{
    ngx_shm_zone_t     *old;
    ngx_codat_zone_t   *zone, *ozone;
    ngx_codat_store_t  *store, *ostore;

    old = ngx_http_codat_conf_store_old(cf->cycle, shm_zone);

    if (old == NULL) {
        return;
    }

    zone = shm_zone->data;
    ozone = old->data;

    store = zone->store;
    ostore = ozone->store;

    if (store && ostore
        && (store->path.len != ostore->path.len
            || ngx_memcmp(store->path.data, ostore->path.data,
                          store->path.len)
               != 0))
    {
        shm_zone->noreuse = 1;
    }
}


static ngx_shm_zone_t *
ngx_http_codat_conf_store_old(ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone)
{
    ngx_str_t               *name;
    ngx_shm_zone_t          *old;
    ngx_http_codat_zones_t   zones;

    if (cycle->old_cycle == NULL) {
        return NULL;
    }

    name = &shm_zone->shm.name;

    ngx_memzero(&zones, sizeof(ngx_http_codat_zones_t));

    while ((old = ngx_http_codat_zones_next(cycle->old_cycle, &zones))
           != NULL)
    {
        if (old->shm.name.len == name->len
            && ngx_strncmp(old->shm.name.data, name->data, name->len) == 0)
        {
            return old;
        }
    }

    return NULL;
}


/*
 * The core looks at the flag of the new zone to make it, and at that of the
 * old one to free it: which has to go now, and the new one is to be kept by
 * the next configuration.
 */

void
ngx_http_codat_conf_store_begun(ngx_cycle_t *cycle)
{
    ngx_shm_zone_t          *shm_zone, *old;
    ngx_http_codat_zones_t   zones;

    ngx_memzero(&zones, sizeof(ngx_http_codat_zones_t));

    while ((shm_zone = ngx_http_codat_zones_next(cycle, &zones)) != NULL) {

        if (!shm_zone->noreuse) {
            continue;
        }

        shm_zone->noreuse = 0;

        old = ngx_http_codat_conf_store_old(cycle, shm_zone);

        if (old) {
            old->noreuse = 1;
        }
    }
}


void
ngx_http_codat_conf_store_end(ngx_cycle_t *cycle)
{
#if (NGX_HTTP_CODAT_HAVE_STORE)

    ngx_shm_zone_t          *shm_zone;
    ngx_codat_zone_t        *zone;
    ngx_http_codat_zones_t   zones;

    ngx_memzero(&zones, sizeof(ngx_http_codat_zones_t));

    while ((shm_zone = ngx_http_codat_zones_next(cycle, &zones)) != NULL) {

        zone = shm_zone->data;

        if (zone->store && zone->store->temporary) {
            ngx_codat_scratch_remove(zone->store);
        }
    }

#endif
}


char *
ngx_http_codat_retry(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_codat_loc_conf_t *cdlcf = conf;

    ngx_int_t    msec;
    ngx_str_t   *arg;
    ngx_uint_t   i;
    ngx_msec_t  *retry;

    if (cdlcf->retry) {
        return "is duplicate";
    }

    arg = cf->args->elts;

    cdlcf->retry = ngx_array_create(cf->pool, cf->args->nelts,
                                    sizeof(ngx_msec_t));
    if (cdlcf->retry == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        msec = ngx_parse_time(&arg[i], 0);

        if (msec == NGX_ERROR || msec == 0) {
            return ngx_http_codat_invalid(cf, &arg[i], "times such as 5s 5m "
                                          "30m are expected");
        }

        retry = ngx_array_push(cdlcf->retry);
        if (retry == NULL) {
            return NGX_CONF_ERROR;
        }

        *retry = (ngx_msec_t) msec;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_codat_conf_store_forward(ngx_conf_t *cf,
    ngx_http_codat_forward_t *forward, ngx_str_t *arg)
{
    ngx_int_t  rc, max;
    ngx_str_t  value;

    ngx_str_null(&value);

    if (forward->max) {
        value = *arg;
    }

    rc = ngx_http_codat_take(cf, arg, "max=", &value);

    if (rc == NGX_OK) {
        max = ngx_atoi(value.data, value.len);

        if (max == NGX_ERROR || max == 0 || max > NGX_HTTP_CODAT_MAX) {
            (void) ngx_http_codat_invalid(cf, arg, "a number from 1 to 1024 "
                                          "is expected");
            return NGX_ERROR;
        }

        forward->max = (ngx_uint_t) max;
    }

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ngx_str_null(&value);

    if (forward->order) {
        value = *arg;
    }

    rc = ngx_http_codat_take(cf, arg, "order=", &value);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_strcmp(value.data, "company") == 0) {
        forward->order = NGX_HTTP_CODAT_ORDER_COMPANY;

    } else if (ngx_strcmp(value.data, "push") == 0) {
        forward->order = NGX_HTTP_CODAT_ORDER_PUSH;

    } else {
        (void) ngx_http_codat_invalid(cf, arg, "order=company or order=push "
                                      "is expected");
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_http_codat_conf_store_endpoint(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf)
{
    u_char                    *p;
    ngx_uint_t                 i, queued, lasting;
    ngx_codat_zone_t          *zone;
    ngx_http_codat_forward_t  *forwards;

    zone = cdlcf->zone->data;

    /* a temporary one, which consumers make, is nothing to build upon */

    lasting = (zone->store && !zone->store->temporary);

    if (cdlcf->delivery == NGX_HTTP_CODAT_DELIVERY_QUEUED && !lasting) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_webhook\" has delivery=queued, which needs a "
                      "store, and zone \"%V\" has none, such as "
                      "store=sqlite:PATH in %s:%ui",
                      &cdlcf->zone->shm.name, cdlcf->file, cdlcf->line);
        return NGX_CONF_ERROR;
    }

    if (cdlcf->delivery == NGX_HTTP_CODAT_DELIVERY_UNSET) {
        cdlcf->delivery = lasting ? NGX_HTTP_CODAT_DELIVERY_QUEUED
                                  : NGX_HTTP_CODAT_DELIVERY_SYNC;
    }

    queued = (cdlcf->delivery == NGX_HTTP_CODAT_DELIVERY_QUEUED);

    cdlcf->endpoint.len = cdlcf->server.len + 1 + cdlcf->location.len;

    p = ngx_pnalloc(cf->pool, cdlcf->endpoint.len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    cdlcf->endpoint.data = p;
    (void) ngx_sprintf(p, "%V %V", &cdlcf->server, &cdlcf->location);

    if (cdlcf->forwards == NULL) {
        return NGX_CONF_OK;
    }

    forwards = cdlcf->forwards->elts;

    for (i = 0; i < cdlcf->forwards->nelts; i++) {

        if (!queued && (forwards[i].max || forwards[i].order)) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"codat_forward\" to \"%V\" has max= or order=, "
                          "which delivery=queued alone knows, in the "
                          "location of %s:%ui", &forwards[i].target,
                          cdlcf->file, cdlcf->line);
            return NGX_CONF_ERROR;
        }

        /* not without a queue: an "if" block has the same forwards again */

        if (queued && forwards[i].max == 0) {
            forwards[i].max = NGX_HTTP_CODAT_MAX_DEFAULT;
        }

        if (queued
            && ngx_http_codat_conf_route(cf, cdlcf, &forwards[i]) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_codat_conf_route(ngx_conf_t *cf, ngx_http_codat_loc_conf_t *cdlcf,
    ngx_http_codat_forward_t *forward)
{
    ngx_http_conf_ctx_t         *ctx;
    ngx_http_codat_queue_t      *queue, **qp;
    ngx_http_codat_main_conf_t  *cdmcf;

    if (forward->route.len) {
        return NGX_OK;              /* an "if" block has the same forwards */
    }

    if (ngx_http_codat_conf_route_name(cf, cdlcf, forward) != NGX_OK) {
        return NGX_ERROR;
    }

    cdmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_codat_module);

    queue = ngx_pcalloc(cf->pool, sizeof(ngx_http_codat_queue_t));
    qp = ngx_array_push(&cdmcf->queues);

    if (queue == NULL || qp == NULL) {
        return NGX_ERROR;
    }

    ctx = cf->ctx;

    queue->zone = cdlcf->zone;
    queue->forward = forward;
    queue->cdlcf = cdlcf;
    queue->ctx.main_conf = ctx->main_conf;
    queue->ctx.srv_conf = ctx->srv_conf;
    queue->ctx.loc_conf = ctx->loc_conf;

    *qp = queue;

    return ngx_http_codat_server_name_regexes(cf, ctx, &queue->names);
}


/* all that tells it from other ones, for it is the name of stored work */

static ngx_int_t
ngx_http_codat_conf_route_name(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_http_codat_forward_t *forward)
{
    size_t                       len;
    u_char                      *p;
    ngx_str_t                   *patterns;
    ngx_uint_t                   i, n;
    ngx_http_codat_main_conf_t  *cdmcf;

    cdmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_codat_module);

    patterns = forward->patterns.elts;
    len = cdlcf->endpoint.len + forward->target.len
          + forward->format_name.len + sizeof("    #") + NGX_INT_T_LEN;

    for (i = 0; i < forward->patterns.nelts; i++) {
        len += patterns[i].len + 1;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    forward->route.data = p;

    p = ngx_sprintf(p, "%V ", &cdlcf->endpoint);

    for (i = 0; i < forward->patterns.nelts; i++) {
        p = ngx_sprintf(p, "%s%V", i ? "," : "", &patterns[i]);
    }

    p = ngx_sprintf(p, " %V %V", &forward->target, &forward->format_name);

    forward->route.len = (size_t) (p - forward->route.data);

    /* of two alike, which "if=" may tell apart, the second is "#2" */

    for (n = 2; ngx_http_codat_conf_route_known(cdmcf, &forward->route); n++)
    {
        forward->route.len = (size_t) (ngx_sprintf(p, " #%ui", n)
                                       - forward->route.data);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_codat_conf_route_known(ngx_http_codat_main_conf_t *cdmcf,
    ngx_str_t *name)
{
    ngx_str_t                *route;
    ngx_uint_t                i;
    ngx_http_codat_queue_t  **queues;

    queues = cdmcf->queues.elts;

    for (i = 0; i < cdmcf->queues.nelts; i++) {

        route = &queues[i]->forward->route;

        if (route->len == name->len
            && ngx_memcmp(route->data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
