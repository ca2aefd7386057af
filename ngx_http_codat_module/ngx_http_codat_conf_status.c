
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_conf.h"
#include "ngx_http_codat_conf_status.h"
#include "ngx_http_codat_status.h"


char *
ngx_http_codat_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_codat_loc_conf_t *cdlcf = conf;

    ngx_int_t                      rc;
    ngx_str_t                     *arg, name;
    ngx_uint_t                     i;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_codat_status_conf_t  *status;

    status = &cdlcf->status;

    if (status->zone) {
        return "is duplicate";
    }

    ngx_str_null(&name);

    arg = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_http_codat_take(cf, &arg[i], "zone=", &name);

        if (rc == NGX_DECLINED) {
            return ngx_http_codat_invalid(cf, &arg[i], "zone=NAME is "
                                          "allowed");
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_http_codat_conf_prefix(cf, "codat_status", "/codat/", 0)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    status->zone = ngx_shared_memory_add(cf, &name, 0,
                                         &ngx_http_codat_module);
    if (status->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    status->location = clcf->name;
    status->file = cf->conf_file->file.name.data;
    status->line = cf->conf_file->line;
    status->clash = (clcf->handler != NULL);

    clcf->handler = ngx_http_codat_status_handler;

    /* "/codat" is "/codat/" to whoever types it */

    if (clcf->name.data[clcf->name.len - 1] == '/') {
        clcf->auto_redirect = 1;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_codat_conf_merge_status(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *prev, ngx_http_codat_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_codat_status_conf_t  *status;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    status = &conf->status;

    if (clcf->noname && status->zone == NULL && prev->status.zone) {

        *status = prev->status;
        status->clash = (clcf->handler != NULL);

        if (clcf->handler == NULL) {
            clcf->handler = ngx_http_codat_status_handler;
        }
    }

    if (status->zone == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_http_codat_conf_check_zone(cf, "codat_status", status->zone,
                                       status->file, status->line)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->zone) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_status\" and \"codat_webhook\" can't share a "
                      "location, each needs its own in %s:%ui",
                      status->file, status->line);
        return NGX_CONF_ERROR;
    }

    /* the handler may have been set before ours and behind it */

    if (status->clash || clcf->handler != ngx_http_codat_status_handler) {
        return ngx_http_codat_conf_clash(cf, "codat_status",
                                         "a location of its own",
                                         status->file, status->line);
    }

    return NGX_CONF_OK;
}
