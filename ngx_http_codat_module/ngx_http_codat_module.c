
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  The table of directives, the module records and the hooks; no
 * logic.
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_child.h"
#include "ngx_http_codat_conf.h"
#include "ngx_http_codat_conf_consumers.h"
#include "ngx_http_codat_conf_forward.h"
#include "ngx_http_codat_conf_status.h"
#include "ngx_http_codat_conf_track.h"
#include "ngx_http_codat_conf_store.h"
#include "ngx_http_codat_deliver.h"
#include "ngx_http_codat_dispatch.h"
#include "ngx_http_codat_filter.h"
#include "ngx_http_codat_format.h"
#include "ngx_http_codat_guard.h"
#include "ngx_http_codat_lookup.h"
#include "ngx_http_codat_reconcile.h"
#include "ngx_http_codat_secret.h"
#include "ngx_http_codat_track.h"
#include "ngx_http_codat_track_filter.h"
#include "ngx_http_codat_variables.h"
#include "ngx_http_codat_wait.h"


static ngx_int_t ngx_http_codat_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_codat_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_codat_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_codat_init_process(ngx_cycle_t *cycle);
static void ngx_http_codat_exit_process(ngx_cycle_t *cycle);
static void ngx_http_codat_exit_master(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_http_codat_satisfy[] = {
    { ngx_string("all"), NGX_HTTP_CODAT_SATISFY_ALL },
    { ngx_string("any"), NGX_HTTP_CODAT_SATISFY_ANY },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_codat_log_levels[] = {
    { ngx_string("info"), NGX_LOG_INFO },
    { ngx_string("notice"), NGX_LOG_NOTICE },
    { ngx_string("warn"), NGX_LOG_WARN },
    { ngx_string("error"), NGX_LOG_ERR },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_codat_commands[] = {

    { ngx_string("codat_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_codat_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("codat_webhook"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_codat_webhook,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("codat_credential"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_codat_credential,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("codat_satisfy"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_codat_set_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_codat_loc_conf_t, satisfy),
      &ngx_http_codat_satisfy },

    { ngx_string("codat_tolerance"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_codat_set_sec,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_codat_loc_conf_t, tolerance),
      NULL },

    { ngx_string("codat_client"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_codat_client,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("codat_forward"),
      NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,
      ngx_http_codat_forward,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("codat_forward_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_codat_set_msec,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_codat_loc_conf_t, forward_timeout),
      NULL },

    { ngx_string("codat_format"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_codat_format_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("codat_lookup"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_ANY,
      ngx_http_codat_lookup,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("codat_log_level"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_codat_set_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_codat_loc_conf_t, log_level),
      &ngx_http_codat_log_levels },

    { ngx_string("codat_retry"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_codat_retry,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("codat_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_codat_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("codat_consumers"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_codat_consumers,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("codat_track"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_codat_track,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("codat_reconcile"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_codat_reconcile,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("codat_wait"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_codat_wait_time,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static struct {
    ngx_http_phases      phase;
    ngx_http_handler_pt  handler;
} ngx_http_codat_phases[] = {
    { NGX_HTTP_SERVER_REWRITE_PHASE, ngx_http_codat_child_rewrite_handler },
    { NGX_HTTP_PREACCESS_PHASE, ngx_http_codat_child_preaccess_handler },
    { NGX_HTTP_PRECONTENT_PHASE, ngx_http_codat_child_precontent_handler },
    { NGX_HTTP_PRECONTENT_PHASE, ngx_http_codat_track_handler },
    { NGX_HTTP_PRECONTENT_PHASE, ngx_http_codat_guard_handler },
    { 0, NULL }
};


static ngx_http_module_t  ngx_http_codat_module_ctx = {
    ngx_http_codat_preconfiguration,       /* preconfiguration */
    ngx_http_codat_postconfiguration,      /* postconfiguration */

    ngx_http_codat_create_main_conf,       /* create main configuration */
    ngx_http_codat_lookup_check,           /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_codat_create_loc_conf,        /* create location configuration */
    ngx_http_codat_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_codat_module = {
    NGX_MODULE_V1,
    &ngx_http_codat_module_ctx,            /* module context */
    ngx_http_codat_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_codat_init_module,            /* init module */
    ngx_http_codat_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_codat_exit_process,           /* exit process */
    ngx_http_codat_exit_master,            /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_codat_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_codat_variables_add(cf);
}


static ngx_int_t
ngx_http_codat_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                   i;
    ngx_http_handler_pt         *h;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_codat_main_conf_t  *cdmcf;

    /* whatever follows: an old configuration may still need the filters */

    ngx_http_codat_filter_init();
    ngx_http_codat_track_filter_init();

    ngx_http_codat_variables_room(cf);

    cdmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_codat_module);

    if (!cdmcf->used) {
        return NGX_OK;
    }

    ngx_http_codat_conf_consumers_warn(cf);

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; ngx_http_codat_phases[i].handler; i++) {

        h = ngx_array_push(
                    &cmcf->phases[ngx_http_codat_phases[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = ngx_http_codat_phases[i].handler;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_init_module(ngx_cycle_t *cycle)
{
    ngx_http_codat_conf_store_begun(cycle);

    return ngx_http_codat_variables_init(cycle);
}


static ngx_int_t
ngx_http_codat_init_process(ngx_cycle_t *cycle)
{
    if (ngx_http_codat_reconcile_init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_codat_deliver_init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_codat_dispatch_init(cycle);
}


static void
ngx_http_codat_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_codat_dispatch_exit(cycle);
    ngx_http_codat_deliver_exit(cycle);
}


static void
ngx_http_codat_exit_master(ngx_cycle_t *cycle)
{
    ngx_http_codat_conf_store_end(cycle);
}
