
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_conf.h"
#include "ngx_http_codat_conf_consumers.h"
#include "ngx_http_codat_conf_forward.h"
#include "ngx_http_codat_conf_status.h"
#include "ngx_http_codat_conf_track.h"
#include "ngx_http_codat_conf_store.h"
#include "ngx_http_codat_deliver.h"
#include "ngx_http_codat_webhook.h"
#include "ngx_http_codat_zones.h"


typedef struct {
    ngx_str_t   zone;
    ssize_t     size;
    ngx_str_t   store;
    ngx_str_t   dedupe;
    ngx_str_t   retain;
} ngx_http_codat_zone_args_t;


static char *ngx_http_codat_zone_args(ngx_conf_t *cf,
    ngx_http_codat_zone_args_t *args);
static char *ngx_http_codat_zone_times(ngx_conf_t *cf,
    ngx_http_codat_zone_args_t *args, ngx_codat_zone_t *zone);
static char *ngx_http_codat_zone_size(ngx_conf_t *cf, ngx_str_t *name,
    ssize_t *size);
static ngx_uint_t ngx_http_codat_zone_declared(ngx_conf_t *cf,
    ngx_str_t *name);
static char *ngx_http_codat_check_endpoint(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_http_core_loc_conf_t *clcf);


void *
ngx_http_codat_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_codat_main_conf_t  *cdmcf;

    cdmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_codat_main_conf_t));
    if (cdmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&cdmcf->formats, cf->pool, 4,
                       sizeof(ngx_http_codat_format_t *))
        != NGX_OK
        || ngx_array_init(&cdmcf->variables, cf->pool, 8, sizeof(ngx_uint_t))
           != NGX_OK
        || ngx_array_init(&cdmcf->routes, cf->pool, 4,
                          sizeof(ngx_http_codat_route_t))
           != NGX_OK
        || ngx_array_init(&cdmcf->lookups, cf->pool, 4,
                          sizeof(ngx_http_codat_lookup_t *))
           != NGX_OK
        || ngx_array_init(&cdmcf->reconciles, cf->pool, 1,
                          sizeof(ngx_http_codat_reconcile_conf_t *))
           != NGX_OK
        || ngx_array_init(&cdmcf->queues, cf->pool, 4,
                          sizeof(ngx_http_codat_queue_t *))
           != NGX_OK
        || ngx_array_init(&cdmcf->consumers, cf->pool, 1,
                          sizeof(ngx_http_codat_consumers_conf_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return cdmcf;
}


void *
ngx_http_codat_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_codat_loc_conf_t));
    if (cdlcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     cdlcf->zone = NULL;
     *     cdlcf->routes = 0;
     *     cdlcf->server = { 0, NULL };
     *     cdlcf->location = { 0, NULL };
     *     cdlcf->credentials = NULL;
     *     cdlcf->kinds = 0;
     *     cdlcf->clients = NULL;
     *     cdlcf->forwards = NULL;
     *     cdlcf->status = { NULL, ... };
     *     cdlcf->api = { NULL, ... };
     *     cdlcf->track = NULL;
     *     cdlcf->file = NULL;
     *     cdlcf->line = 0;
     *     cdlcf->clash = 0;
     */

    cdlcf->satisfy = NGX_CONF_UNSET_UINT;
    cdlcf->tolerance = NGX_CONF_UNSET;
    cdlcf->forward_timeout = NGX_CONF_UNSET_MSEC;
    cdlcf->wait = NGX_CONF_UNSET;
    cdlcf->log_level = NGX_CONF_UNSET_UINT;

    return cdlcf;
}


char *
ngx_http_codat_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_codat_loc_conf_t *prev = parent;
    ngx_http_codat_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    if (conf->credentials == NULL) {
        conf->credentials = prev->credentials;
        conf->kinds = prev->kinds;
    }

    if (conf->clients == NULL) {
        conf->clients = prev->clients;
    }

    if (conf->retry == NULL) {
        conf->retry = prev->retry;
    }

    ngx_conf_merge_uint_value(conf->satisfy, prev->satisfy,
                              NGX_HTTP_CODAT_SATISFY_ALL);
    ngx_conf_merge_sec_value(conf->tolerance, prev->tolerance, 300);
    ngx_conf_merge_msec_value(conf->forward_timeout, prev->forward_timeout,
                              12000);
    ngx_conf_merge_sec_value(conf->wait, prev->wait, 60);
    ngx_conf_merge_uint_value(conf->log_level, prev->log_level, NGX_LOG_ERR);

    if (ngx_http_codat_conf_merge_consumers(cf, prev, conf) != NGX_CONF_OK
        || ngx_http_codat_conf_merge_status(cf, prev, conf) != NGX_CONF_OK
        || ngx_http_codat_conf_merge_track(cf, prev, conf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && conf->zone == NULL && prev->zone) {

        /* "if" and "limit_except" blocks remain the endpoint */

        conf->zone = prev->zone;
        conf->routes = prev->routes;
        conf->location = prev->location;
        conf->forwards = prev->forwards;
        conf->delivery = prev->delivery;
        conf->file = prev->file;
        conf->line = prev->line;
        conf->clash = (clcf->handler != NULL);

        if (clcf->handler == NULL) {
            clcf->handler = ngx_http_codat_webhook_handler;
        }
    }

    if (conf->zone) {
        return ngx_http_codat_check_endpoint(cf, conf, clcf);
    }

    if (conf->forwards) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_forward\" in location \"%V\" has no effect "
                      "without \"codat_webhook\" in the same location",
                      &clcf->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_codat_conf_check_zone(ngx_conf_t *cf, const char *directive,
    ngx_shm_zone_t *zone, u_char *file, ngx_uint_t line)
{
    if (zone->data) {
        return NGX_CONF_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%s\" names a zone \"%V\" that no "
                  "\"codat_zone zone=%V:SIZE;\" declares in %s:%ui",
                  directive, &zone->shm.name, &zone->shm.name, file, line);

    return NGX_CONF_ERROR;
}


char *
ngx_http_codat_conf_prefix(ngx_conf_t *cf, const char *directive,
    const char *example, ngx_uint_t exact)
{
    const char                *what;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    what = NULL;

    if (clcf->exact_match && !exact) {
        what = "an exact one";

    } else if (clcf->named) {
        what = "a named one";
    }

#if (NGX_PCRE)
    if (clcf->regex) {
        what = "a regular expression";
    }
#endif

    if (what == NULL) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%s\" needs a prefix location such as \"location "
                       "%s\"%s, \"%V\" is %s", directive, example,
                       exact ? ", or an exact one within it" : "",
                       &clcf->name, what);

    return NGX_CONF_ERROR;
}


char *
ngx_http_codat_conf_clash(ngx_conf_t *cf, const char *directive,
    const char *elsewhere, u_char *file, ngx_uint_t line)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%s\" shares its location with another handler, such as "
                  "\"proxy_pass\", which belongs into %s in %s:%ui",
                  directive, elsewhere, file, line);

    return NGX_CONF_ERROR;
}


/*
 * What only the whole configuration can tell.  Here and not in
 * postconfiguration, which must not fail: it would leave the chains of
 * filters half made in a master that goes on with the old configuration.
 */

static char *
ngx_http_codat_check_endpoint(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t                 i;
    ngx_http_codat_forward_t  *forwards;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    cdlcf->server = cscf->server_name;

    if (ngx_http_codat_conf_check_zone(cf, "codat_webhook", cdlcf->zone,
                                       cdlcf->file, cdlcf->line)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* the handler may have been set before ours and behind it */

    if (cdlcf->clash || clcf->handler != ngx_http_codat_webhook_handler) {
        return ngx_http_codat_conf_clash(cf, "codat_webhook",
                                         "the location of a "
                                         "\"codat_forward\"",
                                         cdlcf->file, cdlcf->line);
    }

    if (cdlcf->credentials == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_webhook\" has no \"codat_credential\", "
                      "\"codat_credential none;\" opens it on purpose in "
                      "%s:%ui", cdlcf->file, cdlcf->line);
        return NGX_CONF_ERROR;
    }

    forwards = cdlcf->forwards ? cdlcf->forwards->elts : NULL;

    for (i = 0; forwards && i < cdlcf->forwards->nelts; i++) {

        if (ngx_http_codat_conf_check_forward(cf, cdlcf, &forwards[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_codat_conf_store_endpoint(cf, cdlcf);
}


char *
ngx_http_codat_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_shm_zone_t              *shm_zone;
    ngx_codat_zone_t            *zone;
    ngx_http_codat_zone_args_t   args;

    ngx_memzero(&args, sizeof(ngx_http_codat_zone_args_t));

    if (ngx_http_codat_zone_args(cf, &args) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_codat_zone_t));
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_codat_conf_store(cf, zone, &args.zone, &args.store)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_codat_zone_times(cf, &args, zone) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_codat_zone_declared(cf, &args.zone)) {
        return ngx_http_codat_invalid(cf, &args.zone, "each zone is declared "
                                      "once");
    }

    shm_zone = ngx_shared_memory_add(cf, &args.zone, (size_t) args.size,
                                     &ngx_http_codat_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    zone->wakeup = ngx_codat_wake_open(cf->pool, &args.zone, cf->log);
    if (zone->wakeup == NULL) {
        return NGX_CONF_ERROR;
    }

    shm_zone->init = ngx_http_codat_conf_store_init;
    shm_zone->data = zone;
    zone->shm_zone = shm_zone;

    ngx_http_codat_conf_store_begin(cf, shm_zone);

    return NGX_CONF_OK;
}


static char *
ngx_http_codat_zone_args(ngx_conf_t *cf, ngx_http_codat_zone_args_t *args)
{
    ngx_int_t    rc;
    ngx_str_t   *arg;
    ngx_uint_t   i;

    arg = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_http_codat_take(cf, &arg[i], "zone=", &args->zone);

        if (rc == NGX_DECLINED) {
            rc = ngx_http_codat_take(cf, &arg[i], "store=", &args->store);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_http_codat_take(cf, &arg[i], "dedupe=", &args->dedupe);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_http_codat_take(cf, &arg[i], "retain=", &args->retain);
        }

        if (rc == NGX_DECLINED) {
            return ngx_http_codat_invalid(cf, &arg[i], "zone=NAME:SIZE, "
                                          "store=, dedupe= and retain= are "
                                          "allowed");
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_codat_zone_size(cf, &args->zone, &args->size)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_codat_zone_times(ngx_conf_t *cf, ngx_http_codat_zone_args_t *args,
    ngx_codat_zone_t *zone)
{
    ngx_int_t  seconds;

    zone->dedupe = 72 * 3600;
    zone->retain = 30 * 86400;

    if (args->dedupe.len && ngx_strcmp(args->dedupe.data, "off") == 0) {
        zone->dedupe = 0;

    } else if (args->dedupe.len) {
        seconds = ngx_parse_time(&args->dedupe, 1);

        if (seconds == NGX_ERROR || seconds == 0) {
            return ngx_http_codat_invalid(cf, &args->dedupe, "a time such as "
                                          "dedupe=72h, or dedupe=off, is "
                                          "allowed");
        }

        zone->dedupe = seconds;
    }

    if (args->retain.len) {
        seconds = ngx_parse_time(&args->retain, 1);

        if (seconds == NGX_ERROR || seconds == 0) {
            return ngx_http_codat_invalid(cf, &args->retain, "a time such as "
                                          "retain=30d is allowed");
        }

        zone->retain = seconds;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_codat_take(ngx_conf_t *cf, ngx_str_t *arg, const char *name,
    ngx_str_t *value)
{
    size_t      len;
    ngx_str_t  *directive;

    len = ngx_strlen(name);

    if (arg->len < len || ngx_strncmp(arg->data, name, len) != 0) {
        return NGX_DECLINED;
    }

    directive = cf->args->elts;

    if (value->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has a second \"%s\"", directive, name);
        return NGX_ERROR;
    }

    value->data = arg->data + len;
    value->len = arg->len - len;

    if (value->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has an empty \"%s\"", directive, name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_str_t
ngx_http_codat_quoted(const ngx_str_t *value)
{
    u_char     *p;
    ngx_str_t   quoted;

    quoted = *value;

    p = ngx_strnstr(value->data, "://", value->len);

    if (p && ngx_strlchr(p, value->data + value->len, '@')) {
        quoted.len = (size_t) (p - value->data) + sizeof("://") - 1;
    }

    return quoted;
}


char *
ngx_http_codat_invalid(ngx_conf_t *cf, ngx_str_t *arg, const char *allowed)
{
    ngx_str_t  quoted;

    quoted = ngx_http_codat_quoted(arg);

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" has an invalid \"%V\": %s", cf->args->elts,
                       &quoted, allowed);

    return NGX_CONF_ERROR;
}


/* cuts ":SIZE" off the name */

static char *
ngx_http_codat_zone_size(ngx_conf_t *cf, ngx_str_t *name, ssize_t *size)
{
    u_char     *colon;
    ngx_str_t   text;

    if (name->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_zone\" needs zone=NAME:SIZE");
        return NGX_CONF_ERROR;
    }

    colon = ngx_strlchr(name->data, name->data + name->len, ':');

    if (colon == NULL || colon == name->data) {
        return ngx_http_codat_invalid(cf, name, "zone=NAME:SIZE is expected, "
                                      "such as zone=codat:32m");
    }

    text.data = colon + 1;
    text.len = (size_t) (name->data + name->len - text.data);

    *size = ngx_parse_size(&text);

    if (*size == NGX_ERROR) {
        return ngx_http_codat_invalid(cf, name, "the size is a number with k "
                                      "or m behind it");
    }

    if (*size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_zone\" zone \"%V\" is too small, %uzk is "
                           "the least, 1m holds about 3500 pushes", name,
                           8 * ngx_pagesize / 1024);
        return NGX_CONF_ERROR;
    }

    name->len = (size_t) (colon - name->data);

    return NGX_CONF_OK;
}


/* asked first: of another size the core says nothing that helps */

static ngx_uint_t
ngx_http_codat_zone_declared(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_shm_zone_t          *shm_zone;
    ngx_http_codat_zones_t   zones;

    ngx_memzero(&zones, sizeof(ngx_http_codat_zones_t));

    while ((shm_zone = ngx_http_codat_zones_next(cf->cycle, &zones)) != NULL)
    {
        if (shm_zone->shm.name.len == name->len
            && ngx_strncmp(shm_zone->shm.name.data, name->data, name->len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


char *
ngx_http_codat_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_codat_loc_conf_t *cdlcf = conf;

    ngx_int_t                    rc;
    ngx_str_t                   *arg, name, delivery;
    ngx_uint_t                   i;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_codat_main_conf_t  *cdmcf;

    if (cdlcf->zone) {
        return "is duplicate";
    }

    ngx_str_null(&name);
    ngx_str_null(&delivery);

    arg = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_http_codat_take(cf, &arg[i], "zone=", &name);

        if (rc == NGX_DECLINED) {
            rc = ngx_http_codat_take(cf, &arg[i], "delivery=", &delivery);
        }

        if (rc == NGX_DECLINED) {
            return ngx_http_codat_invalid(cf, &arg[i], "zone=NAME, "
                                          "delivery=sync and "
                                          "delivery=queued are allowed");
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_webhook\" needs zone=NAME, the name of a "
                           "\"codat_zone\"");
        return NGX_CONF_ERROR;
    }

    if (delivery.len && ngx_strcmp(delivery.data, "queued") == 0) {
        cdlcf->delivery = NGX_HTTP_CODAT_DELIVERY_QUEUED;

    } else if (delivery.len && ngx_strcmp(delivery.data, "sync") == 0) {
        cdlcf->delivery = NGX_HTTP_CODAT_DELIVERY_SYNC;

    } else if (delivery.len) {
        return ngx_http_codat_invalid(cf, &delivery, "delivery=sync or "
                                      "delivery=queued is expected");
    }

    cdlcf->zone = ngx_shared_memory_add(cf, &name, 0, &ngx_http_codat_module);
    if (cdlcf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    cdmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_codat_module);

    cdmcf->used = 1;

    cdlcf->file = cf->conf_file->file.name.data;
    cdlcf->line = cf->conf_file->line;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    cdlcf->clash = (clcf->handler != NULL);
    cdlcf->location = clcf->name;

    clcf->handler = ngx_http_codat_webhook_handler;

    return NGX_CONF_OK;
}


char *
ngx_http_codat_client(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_codat_loc_conf_t *cdlcf = conf;

    ngx_str_t   *arg, *client;
    ngx_uint_t   i;

    if (cdlcf->clients == NULL) {
        cdlcf->clients = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
        if (cdlcf->clients == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    arg = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (arg[i].len == 0) {
            return ngx_http_codat_invalid(cf, &arg[i], "a client id is "
                                          "expected");
        }

        client = ngx_array_push(cdlcf->clients);
        if (client == NULL) {
            return NGX_CONF_ERROR;
        }

        *client = arg[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_codat_set_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    u_char           *last;
    ngx_str_t        *value;
    ngx_uint_t       *np, i;
    ngx_conf_enum_t  *e;
    u_char            allowed[NGX_MAX_CONF_ERRSTR / 8];

    np = (ngx_uint_t *) (p + cmd->offset);

    if (*np != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    e = cmd->post;
    last = allowed;

    for (i = 0; e[i].name.len; i++) {

        if (e[i].name.len == value[1].len
            && ngx_strcmp(e[i].name.data, value[1].data) == 0)
        {
            *np = e[i].value;
            return NGX_CONF_OK;
        }

        last = ngx_slprintf(last, allowed + sizeof(allowed) - 1, "%s%V",
                            i ? ", " : "", &e[i].name);
    }

    *last = '\0';

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" has an invalid value \"%V\", one of these is "
                       "expected: %s", &value[0], &value[1], allowed);

    return NGX_CONF_ERROR;
}


char *
ngx_http_codat_set_sec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    time_t     *sp;
    ngx_str_t  *value;

    sp = (time_t *) (p + cmd->offset);

    if (*sp != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    *sp = ngx_parse_time(&value[1], 1);

    if (*sp == (time_t) NGX_ERROR || *sp == 0) {
        return ngx_http_codat_invalid(cf, &value[1], "a time of at least 1s "
                                      "is expected");
    }

    return NGX_CONF_OK;
}


char *
ngx_http_codat_set_msec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t   *value;
    ngx_msec_t  *msp;

    msp = (ngx_msec_t *) (p + cmd->offset);

    if (*msp != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    *msp = (ngx_msec_t) ngx_parse_time(&value[1], 0);

    if (*msp == (ngx_msec_t) NGX_ERROR || *msp == 0) {
        return ngx_http_codat_invalid(cf, &value[1], "a time of at least 1ms "
                                      "is expected");
    }

    return NGX_CONF_OK;
}
