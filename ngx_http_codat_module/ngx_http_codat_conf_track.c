
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_conf.h"
#include "ngx_http_codat_conf_forward.h"
#include "ngx_http_codat_conf_track.h"


typedef struct {
    ngx_str_t   zone;
    ngx_str_t   reference;
    ngx_str_t   refresh;
    ngx_str_t   shed;
    ngx_str_t   reconcile;
} ngx_http_codat_track_args_t;


static char *ngx_http_codat_conf_merge_reconcile(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *conf);
static char *ngx_http_codat_track_values(ngx_conf_t *cf,
    ngx_http_codat_track_args_t *args, ngx_http_codat_track_conf_t *track);


char *
ngx_http_codat_track(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_codat_loc_conf_t *cdlcf = conf;

    ngx_int_t                     rc;
    ngx_str_t                    *arg;
    ngx_uint_t                    i;
    ngx_http_codat_main_conf_t   *cdmcf;
    ngx_http_codat_track_args_t   args;
    ngx_http_codat_track_conf_t  *track;

    if (cdlcf->track) {
        return "is duplicate";
    }

    ngx_memzero(&args, sizeof(ngx_http_codat_track_args_t));

    arg = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_http_codat_take(cf, &arg[i], "zone=", &args.zone);

        if (rc == NGX_DECLINED) {
            rc = ngx_http_codat_take(cf, &arg[i], "reference=",
                                     &args.reference);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_http_codat_take(cf, &arg[i], "refresh=", &args.refresh);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_http_codat_take(cf, &arg[i], "shed=", &args.shed);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_http_codat_take(cf, &arg[i], "reconcile=",
                                     &args.reconcile);
        }

        if (rc == NGX_DECLINED) {
            return ngx_http_codat_invalid(cf, &arg[i], "zone=NAME, "
                                          "reference=, refresh=, shed= and "
                                          "reconcile= are allowed");
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    track = ngx_pcalloc(cf->pool, sizeof(ngx_http_codat_track_conf_t));
    if (track == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_codat_track_values(cf, &args, track) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    track->file = cf->conf_file->file.name.data;
    track->line = cf->conf_file->line;

    cdlcf->track = track;

    cdmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_codat_module);

    cdmcf->used = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_codat_track_values(ngx_conf_t *cf, ngx_http_codat_track_args_t *args,
    ngx_http_codat_track_conf_t *track)
{
    ngx_http_compile_complex_value_t  ccv;

    if (args->zone.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_track\" needs zone=NAME, the name of a "
                           "\"codat_zone\"");
        return NGX_CONF_ERROR;
    }

    track->zone = ngx_shared_memory_add(cf, &args->zone, 0,
                                        &ngx_http_codat_module);
    if (track->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (args->reference.data == NULL) {
        ngx_str_set(&args->reference, "$http_x_codat_reference");
        track->header = 1;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &args->reference;
    ccv.complex_value = &track->reference;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    track->refresh = 60;

    if (args->refresh.data) {
        track->refresh = ngx_parse_time(&args->refresh, 1);

        if (track->refresh == (time_t) NGX_ERROR) {
            return ngx_http_codat_invalid(cf, &args->refresh, "a time such "
                                          "as refresh=60s, or refresh=0, is "
                                          "allowed");
        }
    }

    if (args->reconcile.data
        && ngx_strcmp(args->reconcile.data, "off") != 0)
    {
        track->reconcile = ngx_parse_time(&args->reconcile, 1);

        if (track->reconcile == (time_t) NGX_ERROR || track->reconcile == 0) {
            return ngx_http_codat_invalid(cf, &args->reconcile, "a time such "
                                          "as reconcile=5m, or "
                                          "reconcile=off, is allowed");
        }
    }

    if (args->shed.data == NULL || ngx_strcmp(args->shed.data, "off") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(args->shed.data, "on") != 0) {
        return ngx_http_codat_invalid(cf, &args->shed, "shed=on or shed=off "
                                      "is expected");
    }

    track->shed = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_codat_reconcile(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_codat_loc_conf_t *cdlcf = conf;

    ngx_int_t                         rc, rate;
    ngx_str_t                        *arg, value;
    ngx_http_codat_reconcile_conf_t  *reconcile;

    if (cdlcf->reconcile) {
        return "is duplicate";
    }

    arg = cf->args->elts;

    if (arg[1].len < 2 || arg[1].data[0] != '@') {
        return ngx_http_codat_invalid(cf, &arg[1], "a named location such "
                                      "as @codat is expected");
    }

    rate = 5;

    if (cf->args->nelts == 3) {
        ngx_str_null(&value);

        rc = ngx_http_codat_take(cf, &arg[2], "rate=", &value);

        rate = (rc == NGX_OK) ? ngx_atoi(value.data, value.len) : NGX_ERROR;

        if (rate < 1 || rate > 1000) {
            return ngx_http_codat_invalid(cf, &arg[2], "rate=N, 1 to 1000 "
                                          "requests a second, is allowed");
        }
    }

    reconcile = ngx_pcalloc(cf->pool, sizeof(ngx_http_codat_reconcile_conf_t));
    if (reconcile == NULL) {
        return NGX_CONF_ERROR;
    }

    reconcile->named = arg[1];
    reconcile->rate = (ngx_uint_t) rate;

    cdlcf->reconcile = reconcile;

    return NGX_CONF_OK;
}


/* the two parts of it, in one location, and in one only for a zone */

static char *
ngx_http_codat_conf_merge_reconcile(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *conf)
{
    ngx_uint_t                         i;
    ngx_http_codat_main_conf_t        *cdmcf;
    ngx_http_codat_track_conf_t       *track;
    ngx_http_codat_reconcile_conf_t   *reconcile, **all;

    track = conf->track;
    reconcile = conf->reconcile;

    if ((track == NULL || track->reconcile == 0) && reconcile == NULL) {
        return NGX_CONF_OK;
    }

    if (track == NULL || track->reconcile == 0 || reconcile == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_reconcile @NAME\" and \"codat_track\" "
                           "with \"reconcile=TIME\" need each other, in the "
                           "same location");
        return NGX_CONF_ERROR;
    }

    if (!ngx_http_codat_conf_named(cf, &reconcile->named)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_reconcile\" has a location \"%V\" that this "
                      "server does not have in %s:%ui",
                      &reconcile->named, track->file, track->line);
        return NGX_CONF_ERROR;
    }

    cdmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_codat_module);

    all = cdmcf->reconciles.elts;

    for (i = 0; i < cdmcf->reconciles.nelts; i++) {

        if (all[i]->track->zone == track->zone) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "the pushes of zone \"%V\" are asked for by one "
                          "\"codat_reconcile\" already in %s:%ui",
                          &track->zone->shm.name, track->file, track->line);
            return NGX_CONF_ERROR;
        }
    }

    all = ngx_array_push(&cdmcf->reconciles);
    if (all == NULL) {
        return NGX_CONF_ERROR;
    }

    reconcile->track = track;
    reconcile->ctx = *(ngx_http_conf_ctx_t *) cf->ctx;

    *all = reconcile;

    return NGX_CONF_OK;
}


char *
ngx_http_codat_conf_merge_track(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *prev, ngx_http_codat_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_codat_track_conf_t  *track;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && conf->track == NULL) {
        conf->track = prev->track;

    } else if (ngx_http_codat_conf_merge_reconcile(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    track = conf->track;

    if (track == NULL) {
        return NGX_CONF_OK;
    }

    if (track->zone->data == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_track\" names a zone \"%V\" that no "
                      "\"codat_zone zone=%V:SIZE;\" declares in %s:%ui",
                      &track->zone->shm.name, &track->zone->shm.name,
                      track->file, track->line);
        return NGX_CONF_ERROR;
    }

    if (conf->zone || conf->status.zone) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"codat_track\" can't share a location with "
                      "\"codat_webhook\" or \"codat_status\", it belongs "
                      "beside a \"proxy_pass\" to Codat's API in %s:%ui",
                      track->file, track->line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
