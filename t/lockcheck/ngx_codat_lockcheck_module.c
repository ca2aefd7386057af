
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Breaks the rules on purpose, for t/lockcheck/self.t: with
 * "codat_lockcheck NAME;" the worker does the one of that name and ends.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <openssl/rand.h>

#include "../../ngx_http_codat_module/ngx_codat_zone.h"


extern ngx_module_t  ngx_http_codat_module;


static void *ngx_codat_lockcheck_create_conf(ngx_cycle_t *cycle);
static ngx_int_t ngx_codat_lockcheck_init_process(ngx_cycle_t *cycle);
static void ngx_codat_lockcheck_break(ngx_cycle_t *cycle, ngx_str_t *name,
    ngx_codat_zone_t **zones);
static void ngx_codat_lockcheck_spin(ngx_msec_t ms);


static ngx_command_t  ngx_codat_lockcheck_commands[] = {

    { ngx_string("codat_lockcheck"),
      NGX_MAIN_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_core_module_t  ngx_codat_lockcheck_module_ctx = {
    ngx_string("codat_lockcheck"),
    ngx_codat_lockcheck_create_conf,
    NULL
};


ngx_module_t  ngx_codat_lockcheck_module = {
    NGX_MODULE_V1,
    &ngx_codat_lockcheck_module_ctx,       /* module context */
    ngx_codat_lockcheck_commands,          /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_codat_lockcheck_init_process,      /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_codat_lockcheck_create_conf(ngx_cycle_t *cycle)
{
    return ngx_pcalloc(cycle->pool, sizeof(ngx_str_t));
}


static ngx_int_t
ngx_codat_lockcheck_init_process(ngx_cycle_t *cycle)
{
    ngx_str_t         *name;
    ngx_uint_t         i, n;
    ngx_shm_zone_t    *zone;
    ngx_list_part_t   *part;
    struct itimerval   itv;
    ngx_codat_zone_t  *zones[2];

    name = (ngx_str_t *) ngx_get_conf(cycle->conf_ctx,
                                      ngx_codat_lockcheck_module);

    if (name->len == 0) {
        return NGX_OK;
    }

    n = 0;

    for (part = &cycle->shared_memory.part; part; part = part->next) {
        zone = part->elts;

        for (i = 0; i < part->nelts && n < 2; i++) {
            if (zone[i].tag == &ngx_http_codat_module) {
                zones[n++] = zone[i].data;
            }
        }
    }

    if (n != 2) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "codat_lockcheck needs two zones");
        return NGX_ERROR;
    }

    ngx_codat_lockcheck_break(cycle, name, zones);

    /* to the event loop, once: a signal ends the wait for events */

    ngx_terminate = 1;

    itv.it_interval.tv_sec = 0;
    itv.it_interval.tv_usec = 50000;
    itv.it_value = itv.it_interval;

    if (setitimer(ITIMER_REAL, &itv, NULL) == -1) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


#define is(s)  (ngx_strcmp(name->data, s) == 0)

static void
ngx_codat_lockcheck_break(ngx_cycle_t *cycle, ngx_str_t *name,
    ngx_codat_zone_t **zones)
{
    u_char  byte;

    if (is("unlock")) {
        ngx_shmtx_unlock(&zones[0]->shpool->mutex);
        return;
    }

    ngx_codat_zone_lock(zones[0]);

    if (is("keep")) {
        return;
    }

    if (is("exit")) {
        exit(0);
    }

    if (is("double")) {
        ngx_codat_zone_lock(zones[0]);

    } else if (is("slab")) {
        (void) ngx_slab_alloc(zones[0]->shpool, 16);

    } else if (is("second")) {
        ngx_codat_zone_lock(zones[1]);
        ngx_codat_zone_unlock(zones[1]);

    } else if (is("pool")) {
        (void) ngx_palloc(cycle->pool, 16);

    } else if (is("malloc")) {
        free(ngx_alloc(16, cycle->log));

    } else if (is("log")) {
        ngx_log_error(NGX_LOG_INFO, cycle->log, 0, "under the lock");

    } else if (is("write")) {
        (void) !write(STDERR_FILENO, "", 0);

    } else if (is("open")) {
        (void) ngx_close_file(ngx_open_file("/dev/null", NGX_FILE_RDONLY,
                                            NGX_FILE_OPEN, 0));

    } else if (is("random")) {
        (void) RAND_bytes(&byte, 1);

    } else if (is("sleep")) {
        ngx_msleep(1);

    } else if (is("long")) {
        ngx_codat_lockcheck_spin(100);
    }

    ngx_codat_zone_unlock(zones[0]);
}


static void
ngx_codat_lockcheck_spin(ngx_msec_t ms)
{
    clock_t  until;

    until = clock() + (clock_t) ms * (CLOCKS_PER_SEC / 1000);

    while (clock() < until) {
        /* void */
    }
}
