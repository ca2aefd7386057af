
/*
 * Copyright (C) the ngx_http_codat_module authors
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_conf.h"
#include "ngx_http_codat_format.h"
#include "ngx_http_codat_webhook.h"
#include "ngx_codat_pattern.h"


typedef struct {
    ngx_str_t   zone;
    ssize_t     size;
    ngx_str_t   store;
    ngx_str_t   dedupe;
    ngx_str_t   retain;
} ngx_http_codat_zone_args_t;


static ngx_int_t ngx_http_codat_take(ngx_conf_t *cf, ngx_str_t *arg,
    const char *name, ngx_str_t *value);
static char *ngx_http_codat_invalid(ngx_conf_t *cf, ngx_str_t *arg,
    const char *allowed);
static char *ngx_http_codat_zone_size(ngx_conf_t *cf, ngx_str_t *name,
    ssize_t *size);
static char *ngx_http_codat_forward_patterns(ngx_conf_t *cf,
    ngx_http_codat_forward_t *forward, ngx_str_t *list);
static char *ngx_http_codat_forward_target(ngx_conf_t *cf,
    ngx_http_codat_forward_t *forward);
static char *ngx_http_codat_forward_option(ngx_conf_t *cf,
    ngx_http_codat_forward_t *forward, ngx_str_t *arg);
static ngx_int_t ngx_http_codat_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **value);
static ngx_int_t ngx_http_codat_check_endpoint(ngx_conf_t *cf,
    ngx_http_codat_endpoint_t *endpoint);
static ngx_int_t ngx_http_codat_check_forward(ngx_conf_t *cf,
    ngx_http_codat_endpoint_t *endpoint, ngx_http_codat_forward_t *forward);
static ngx_uint_t ngx_http_codat_named_exists(ngx_http_core_srv_conf_t *cscf,
    ngx_str_t *name);


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
        || ngx_array_init(&cdmcf->endpoints, cf->pool, 4,
                          sizeof(ngx_http_codat_endpoint_t))
           != NGX_OK
        || ngx_array_init(&cdmcf->variables, cf->pool, 8, sizeof(ngx_uint_t))
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
     *     cdlcf->scope = { 0, NULL };
     *     cdlcf->credentials = NULL;
     *     cdlcf->kinds = 0;
     *     cdlcf->clients = NULL;
     *     cdlcf->forwards = NULL;
     */

    cdlcf->satisfy = NGX_CONF_UNSET_UINT;
    cdlcf->tolerance = NGX_CONF_UNSET;
    cdlcf->forward_timeout = NGX_CONF_UNSET_MSEC;
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

    ngx_conf_merge_uint_value(conf->satisfy, prev->satisfy,
                              NGX_HTTP_CODAT_SATISFY_ALL);
    ngx_conf_merge_sec_value(conf->tolerance, prev->tolerance, 300);
    ngx_conf_merge_msec_value(conf->forward_timeout, prev->forward_timeout,
                              12000);
    ngx_conf_merge_uint_value(conf->log_level, prev->log_level, NGX_LOG_ERR);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && conf->zone == NULL && prev->zone) {

        /* "if" and "limit_except" blocks remain the endpoint */

        conf->zone = prev->zone;
        conf->routes = prev->routes;
        conf->scope = prev->scope;
        conf->forwards = prev->forwards;

        clcf->handler = ngx_http_codat_webhook_handler;
    }

    if (conf->forwards && conf->zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_forward\" in location \"%V\" has no effect "
                      "without \"codat_webhook\" in the same location",
                      &clcf->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_codat_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                    rc, seconds;
    ngx_str_t                   *arg;
    ngx_uint_t                   i;
    ngx_shm_zone_t              *shm_zone;
    ngx_codat_zone_t            *zone;
    ngx_http_codat_zone_args_t   args;

    ngx_memzero(&args, sizeof(ngx_http_codat_zone_args_t));

    arg = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_http_codat_take(cf, &arg[i], "zone=", &args.zone);

        if (rc == NGX_DECLINED) {
            rc = ngx_http_codat_take(cf, &arg[i], "store=", &args.store);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_http_codat_take(cf, &arg[i], "dedupe=", &args.dedupe);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_http_codat_take(cf, &arg[i], "retain=", &args.retain);
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

    if (ngx_http_codat_zone_size(cf, &args.zone, &args.size) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (args.store.len && ngx_strcmp(args.store.data, "off") != 0) {

        /* what follows may hold a password */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_zone\" has a \"store\" that this version "
                           "does not have, only store=off is allowed");
        return NGX_CONF_ERROR;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_codat_zone_t));
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    zone->dedupe = 72 * 3600;
    zone->retain = 30 * 86400;

    if (args.dedupe.len && ngx_strcmp(args.dedupe.data, "off") == 0) {
        zone->dedupe = 0;

    } else if (args.dedupe.len) {
        seconds = ngx_parse_time(&args.dedupe, 1);

        if (seconds == NGX_ERROR || seconds == 0) {
            return ngx_http_codat_invalid(cf, &args.dedupe, "a time such as "
                                          "dedupe=72h, or dedupe=off, is "
                                          "allowed");
        }

        zone->dedupe = seconds;
    }

    if (args.retain.len) {
        seconds = ngx_parse_time(&args.retain, 1);

        if (seconds == NGX_ERROR || seconds == 0) {
            return ngx_http_codat_invalid(cf, &args.retain, "a time such as "
                                          "retain=30d is allowed");
        }

        zone->retain = seconds;
    }

    shm_zone = ngx_shared_memory_add(cf, &args.zone, (size_t) args.size,
                                     &ngx_http_codat_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (shm_zone->data) {
        return ngx_http_codat_invalid(cf, &args.zone, "each zone is declared "
                                      "once");
    }

    shm_zone->init = ngx_codat_zone_init;
    shm_zone->data = zone;
    zone->shm_zone = shm_zone;

    return NGX_CONF_OK;
}


/* takes "name=value" apart: NGX_DECLINED if it is something else */

static ngx_int_t
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


static char *
ngx_http_codat_invalid(ngx_conf_t *cf, ngx_str_t *arg, const char *allowed)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" has an invalid \"%V\": %s", cf->args->elts,
                       arg, allowed);

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
    text.len = name->data + name->len - text.data;

    *size = ngx_parse_size(&text);

    if (*size == NGX_ERROR) {
        return ngx_http_codat_invalid(cf, name, "the size is a number with k "
                                      "or m behind it");
    }

    if (*size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_zone\" zone \"%V\" is too small, %uzk is "
                           "the least, 1m holds about 14000 deliveries", name,
                           8 * ngx_pagesize / 1024);
        return NGX_CONF_ERROR;
    }

    name->len = colon - name->data;

    return NGX_CONF_OK;
}


char *
ngx_http_codat_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_codat_loc_conf_t *cdlcf = conf;

    ngx_int_t                    rc;
    ngx_str_t                   *arg, name, delivery;
    ngx_uint_t                   i;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_codat_endpoint_t   *endpoint;
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
            return ngx_http_codat_invalid(cf, &arg[i], "zone=NAME and "
                                          "delivery=sync are allowed");
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
        return ngx_http_codat_invalid(cf, &delivery, "delivery=queued needs "
                                      "a zone with a store, and this version "
                                      "has none");
    }

    if (delivery.len && ngx_strcmp(delivery.data, "sync") != 0) {
        return ngx_http_codat_invalid(cf, &delivery, "delivery=sync or "
                                      "delivery=queued is expected");
    }

    cdlcf->zone = ngx_shared_memory_add(cf, &name, 0, &ngx_http_codat_module);
    if (cdlcf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    cdmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_codat_module);

    endpoint = ngx_array_push(&cdmcf->endpoints);
    if (endpoint == NULL) {
        return NGX_CONF_ERROR;
    }

    endpoint->conf = cdlcf;
    endpoint->cscf = ngx_http_conf_get_module_srv_conf(cf,
                                                       ngx_http_core_module);
    endpoint->file = cf->conf_file->file.name.data;
    endpoint->line = cf->conf_file->line;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    clcf->handler = ngx_http_codat_webhook_handler;
    cdlcf->scope = clcf->name;

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
ngx_http_codat_forward(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_codat_loc_conf_t *cdlcf = conf;

    ngx_str_t                 *arg;
    ngx_uint_t                 i;
    ngx_http_codat_forward_t  *forward;

    if (cdlcf->forwards == NULL) {
        cdlcf->forwards = ngx_array_create(cf->pool, 4,
                                           sizeof(ngx_http_codat_forward_t));
        if (cdlcf->forwards == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (cdlcf->forwards->nelts == NGX_CODAT_TABLE_ROUTES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_forward\" is given more than %d times in "
                           "one location", NGX_CODAT_TABLE_ROUTES);
        return NGX_CONF_ERROR;
    }

    forward = ngx_array_push(cdlcf->forwards);
    if (forward == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(forward, sizeof(ngx_http_codat_forward_t));

    arg = cf->args->elts;
    forward->target = arg[2];

    if (ngx_http_codat_forward_patterns(cf, forward, &arg[1]) != NGX_CONF_OK
        || ngx_http_codat_forward_target(cf, forward) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 3; i < cf->args->nelts; i++) {

        if (ngx_http_codat_forward_option(cf, forward, &arg[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (forward->format_name.len == 0) {
        forward->format_name = ngx_http_codat_format_cloudevents.name;
    }

    /* tells this list of forwards from another one of other days */

    for (i = 1; i < cf->args->nelts; i++) {
        cdlcf->routes = cdlcf->routes * 31
                        + ngx_crc32_long(arg[i].data, arg[i].len + 1);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_codat_forward_patterns(ngx_conf_t *cf,
    ngx_http_codat_forward_t *forward, ngx_str_t *list)
{
    u_char      *p, *comma, *last;
    ngx_str_t   *pattern;
    const char  *err;

    if (ngx_array_init(&forward->patterns, cf->pool, 2, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    last = list->data + list->len;

    for (p = list->data; p <= last; p = comma + 1) {

        comma = ngx_strlchr(p, last, ',');

        if (comma == NULL) {
            comma = last;
        }

        pattern = ngx_array_push(&forward->patterns);
        if (pattern == NULL) {
            return NGX_CONF_ERROR;
        }

        pattern->data = p;
        pattern->len = comma - p;

        err = ngx_codat_pattern_check(pattern);

        if (err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"codat_forward\" has a pattern \"%V\" that "
                               "%s, a dotted event type is expected in which "
                               "\"*\" stands for whole segments", pattern,
                               err);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_codat_forward_target(ngx_conf_t *cf,
    ngx_http_codat_forward_t *forward)
{
    u_char     *p;
    ngx_str_t   uri, args;

    uri = forward->target;

    if (uri.len > 1 && uri.data[0] == '@') {
        forward->named = uri;
        return NGX_CONF_OK;
    }

    if (uri.len == 0 || (uri.data[0] != '/' && uri.data[0] != '$')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_forward\" has a target \"%V\" that is "
                           "neither a URI, which begins with \"/\", nor a "
                           "named location; an application elsewhere is "
                           "reached by proxy_pass in that location", &uri);
        return NGX_CONF_ERROR;
    }

    p = ngx_strlchr(uri.data, uri.data + uri.len, '?');

    if (p) {
        args.data = p + 1;
        args.len = uri.data + uri.len - args.data;
        uri.len = p - uri.data;

        forward->args = ngx_pcalloc(cf->pool,
                                    sizeof(ngx_http_codat_template_t));

        if (forward->args == NULL
            || ngx_array_init(&forward->args->parts, cf->pool, 4,
                              sizeof(ngx_http_codat_part_t))
               != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        forward->args->escape = NGX_HTTP_CODAT_ESCAPE_ARGS;

        if (ngx_http_codat_template_add(cf, forward->args, &args) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_codat_compile(cf, &uri, &forward->uri) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_codat_forward_option(ngx_conf_t *cf,
    ngx_http_codat_forward_t *forward, ngx_str_t *arg)
{
    ngx_int_t  rc;
    ngx_str_t  condition;

    if (ngx_strcmp(arg->data, "optional") == 0) {

        if (forward->optional) {
            return ngx_http_codat_invalid(cf, arg, "it was said before");
        }

        forward->optional = 1;

        return NGX_CONF_OK;
    }

    rc = ngx_http_codat_take(cf, arg, "format=", &forward->format_name);

    if (rc != NGX_DECLINED) {
        return rc == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    ngx_str_null(&condition);

    if (forward->condition) {
        condition = *arg;
    }

    rc = ngx_http_codat_take(cf, arg, "if=", &condition);

    if (rc == NGX_DECLINED) {
        return ngx_http_codat_invalid(cf, arg, "format=NAME, if=CONDITION and "
                                      "optional are allowed");
    }

    if (rc != NGX_OK
        || ngx_http_codat_compile(cf, &condition, &forward->condition)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_codat_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **value)
{
    ngx_http_compile_complex_value_t  ccv;

    *value = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*value == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = *value;

    return ngx_http_compile_complex_value(&ccv);
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

    *msp = ngx_parse_time(&value[1], 0);

    if (*msp == (ngx_msec_t) NGX_ERROR || *msp == 0) {
        return ngx_http_codat_invalid(cf, &value[1], "a time of at least 1ms "
                                      "is expected");
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_codat_conf_check(ngx_conf_t *cf)
{
    ngx_uint_t                   i;
    ngx_http_codat_endpoint_t   *endpoints;
    ngx_http_codat_main_conf_t  *cdmcf;

    cdmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_codat_module);

    endpoints = cdmcf->endpoints.elts;

    for (i = 0; i < cdmcf->endpoints.nelts; i++) {

        if (ngx_http_codat_check_endpoint(cf, &endpoints[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_check_endpoint(ngx_conf_t *cf,
    ngx_http_codat_endpoint_t *endpoint)
{
    ngx_uint_t                  i;
    ngx_http_codat_forward_t   *forwards;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = endpoint->conf;

    if (cdlcf->zone->data == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_webhook\" names a zone \"%V\" that no "
                      "\"codat_zone zone=%V:SIZE;\" declares in %s:%ui",
                      &cdlcf->zone->shm.name, &cdlcf->zone->shm.name,
                      endpoint->file, endpoint->line);
        return NGX_ERROR;
    }

    if (cdlcf->credentials == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_webhook\" has no \"codat_credential\", "
                      "\"codat_credential none;\" opens it on purpose in "
                      "%s:%ui", endpoint->file, endpoint->line);
        return NGX_ERROR;
    }

    if (cdlcf->forwards == NULL) {
        return NGX_OK;
    }

    forwards = cdlcf->forwards->elts;

    for (i = 0; i < cdlcf->forwards->nelts; i++) {

        if (ngx_http_codat_check_forward(cf, endpoint, &forwards[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_check_forward(ngx_conf_t *cf,
    ngx_http_codat_endpoint_t *endpoint, ngx_http_codat_forward_t *forward)
{
    ngx_http_codat_main_conf_t  *cdmcf;

    cdmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_codat_module);

    forward->format = ngx_http_codat_format_find(cdmcf,
                                                 &forward->format_name);

    if (forward->format == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_forward\" to \"%V\" has an unknown format "
                      "\"%V\", \"cloudevents\", \"raw\" or the name of a "
                      "\"codat_format\" is expected, in the location of "
                      "%s:%ui", &forward->target, &forward->format_name,
                      endpoint->file, endpoint->line);
        return NGX_ERROR;
    }

    if (forward->named.len
        && !ngx_http_codat_named_exists(endpoint->cscf, &forward->named))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_forward\" names a location \"%V\" that this "
                      "server does not have, in the location of %s:%ui",
                      &forward->named, endpoint->file, endpoint->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_codat_named_exists(ngx_http_core_srv_conf_t *cscf, ngx_str_t *name)
{
    ngx_http_core_loc_conf_t  **clcfp;

    if (cscf->named_locations == NULL) {
        return 0;
    }

    for (clcfp = cscf->named_locations; *clcfp; clcfp++) {

        if (name->len == (*clcfp)->name.len
            && ngx_strncmp(name->data, (*clcfp)->name.data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
