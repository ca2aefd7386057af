
/*
 * Copyright (C) the authors of the Codat module
 *
 * Loaded before the module under test, this one takes its place in two calls:
 * an event says nothing, and nothing is written to the zone.  All else is the
 * very same code.  With "dedupe=off" the delivery is not remembered either.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_facts.h"
#include "ngx_codat_table.h"


static ngx_core_module_t  ngx_codat_bench_without_module_ctx = {
    ngx_string("codat_bench_without"),
    NULL,
    NULL
};


ngx_module_t  ngx_codat_bench_without_module = {
    NGX_MODULE_V1,
    &ngx_codat_bench_without_module_ctx,   /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_int_t
ngx_codat_facts(ngx_pool_t *pool, const ngx_codat_event_t *event,
    int64_t received, ngx_array_t *facts)
{
    return NGX_OK;
}


ngx_int_t
ngx_codat_table_receive(ngx_codat_zone_t *zone, ngx_pool_t *pool,
    ngx_codat_delivery_t *delivery, ngx_uint_t done,
    ngx_codat_update_t *update)
{
    return NGX_OK;
}
