
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_conf.h"
#include "ngx_http_codat_conf_forward.h"
#include "ngx_http_codat_conf_store.h"
#include "ngx_http_codat_count.h"
#include "ngx_http_codat_format.h"
#include "ngx_codat_pattern.h"


static char *ngx_http_codat_forward_patterns(ngx_conf_t *cf,
    ngx_http_codat_forward_t *forward, ngx_str_t *list);
static char *ngx_http_codat_forward_target(ngx_conf_t *cf,
    ngx_http_codat_forward_t *forward);
static char *ngx_http_codat_forward_option(ngx_conf_t *cf,
    ngx_http_codat_forward_t *forward, ngx_str_t *arg);
static ngx_int_t ngx_http_codat_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **value);


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

    if (cdlcf->forwards->nelts == NGX_CODAT_DELIVERY_ROUTES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_forward\" is given more than %d times in "
                           "one location", NGX_CODAT_DELIVERY_ROUTES);
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
        pattern->len = (size_t) (comma - p);

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
        uri = ngx_http_codat_quoted(&uri);

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
        args.len = (size_t) (uri.data + uri.len - args.data);
        uri.len = (size_t) (p - uri.data);

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

    rc = ngx_http_codat_conf_store_forward(cf, forward, arg);

    if (rc != NGX_DECLINED) {
        return rc == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    ngx_str_null(&condition);

    if (forward->condition) {
        condition = *arg;
    }

    rc = ngx_http_codat_take(cf, arg, "if=", &condition);

    if (rc == NGX_DECLINED) {
        return ngx_http_codat_invalid(cf, arg, "format=NAME, if=CONDITION, "
                                      "optional, max=NUMBER and "
                                      "order=company|push are allowed");
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


ngx_int_t
ngx_http_codat_conf_check_forward(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_http_codat_forward_t *forward)
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
                      cdlcf->file, cdlcf->line);
        return NGX_ERROR;
    }

    if (forward->named.len
        && !ngx_http_codat_conf_named(cf, &forward->named))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_forward\" names a location \"%V\" that this "
                      "server does not have, in the location of %s:%ui",
                      &forward->named, cdlcf->file, cdlcf->line);
        return NGX_ERROR;
    }

    return ngx_http_codat_count_route(cf, cdlcf, forward);
}


/* the array of named locations is made only when all is merged */

ngx_uint_t
ngx_http_codat_conf_named(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_queue_t                *locations, *q;
    ngx_http_core_srv_conf_t   *cscf;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_location_queue_t  *lq;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    clcf = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];
    locations = clcf->locations;

    if (locations == NULL) {
        return 0;
    }

    for (q = ngx_queue_head(locations);
         q != ngx_queue_sentinel(locations);
         q = ngx_queue_next(q))
    {
        lq = (ngx_http_location_queue_t *) q;
        clcf = lq->exact ? lq->exact : lq->inclusive;

        if (clcf->named
            && clcf->name.len == name->len
            && ngx_strncmp(clcf->name.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
