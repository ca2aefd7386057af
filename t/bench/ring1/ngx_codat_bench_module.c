
/*
 * Copyright (C) the authors of the Codat module
 *
 * Measures the tables of a zone inside a genuine nginx, on zones that nginx
 * itself has made, and ends the process once the configuration is read.
 *
 *     codat_bench SIZE ROUNDS BATCH PUSHES...;
 *
 * Each number of pushes has zones of its own.  All are filled first; then the
 * rounds take turns over them, so that a neighbour on the machine disturbs
 * all of them alike.  Times are CPU times of this thread, for the same
 * reason.  Lines of "key value ..." go to standard output for t/bench/zone.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <zlib.h>

#include "ngx_codat_cell.h"
#include "ngx_codat_digest.h"
#include "ngx_codat_event.h"
#include "ngx_codat_repair.h"
#include "ngx_codat_table.h"
#include "ngx_codat_walk.h"


#define NGX_CODAT_BENCH_LEVELS   8
#define NGX_CODAT_BENCH_SPREAD   8      /* zones of a small level */
#define NGX_CODAT_BENCH_READS    2000   /* reads of a round */
#define NGX_CODAT_BENCH_REPAIRS  3

#define NGX_CODAT_BENCH_START    1760000000


typedef enum {
    NGX_CODAT_BENCH_RECEIVE_KNOWN = 0,
    NGX_CODAT_BENCH_RECEIVE_NEW,
    NGX_CODAT_BENCH_WHOLE_KNOWN,
    NGX_CODAT_BENCH_WHOLE_NEW,
    NGX_CODAT_BENCH_RELEASE,
    NGX_CODAT_BENCH_GET,
    NGX_CODAT_BENCH_WALK,
    NGX_CODAT_BENCH_FULL,
    NGX_CODAT_BENCH_REPAIR,
    NGX_CODAT_BENCH_OLD_GET,
    NGX_CODAT_BENCH_OLD_WALK,
    NGX_CODAT_BENCH_OLD_REPAIR,
    NGX_CODAT_BENCH_TIMES
} ngx_codat_bench_time_e;


typedef struct {
    ngx_codat_zone_t            zone;
    uint64_t                    pushes;     /* made so far */
    uint64_t                    messages;   /* sent so far */
} ngx_codat_bench_zone_t;


typedef struct {
    ngx_uint_t                  pushes;     /* as configured */
    ngx_uint_t                  nzones;
    ngx_codat_bench_zone_t      zones[NGX_CODAT_BENCH_SPREAD];
    double                     *times[NGX_CODAT_BENCH_TIMES];
    ngx_uint_t                  ntimes[NGX_CODAT_BENCH_TIMES];
} ngx_codat_bench_level_t;


typedef struct {
    size_t                      size;
    ngx_uint_t                  rounds;
    ngx_uint_t                  batch;
    ngx_uint_t                  nlevels;
    ngx_codat_bench_level_t     levels[NGX_CODAT_BENCH_LEVELS];
} ngx_codat_bench_conf_t;


/* one webhook: what it says, and what is made of it */
typedef struct {
    ngx_codat_event_t           event;
    ngx_codat_update_t          update;
    ngx_codat_delivery_t        delivery;
    ngx_str_t                   id;
    u_char                      push[NGX_CODAT_UUID_LEN];
    u_char                      company[NGX_CODAT_UUID_LEN];
    u_char                      connection[NGX_CODAT_UUID_LEN];
    u_char                      record[NGX_CODAT_UUID_LEN];
    u_char                      text[48];
} ngx_codat_bench_message_t;


static char *ngx_codat_bench(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static void *ngx_codat_bench_create_conf(ngx_cycle_t *cycle);
static char *ngx_codat_bench_level(ngx_conf_t *cf,
    ngx_codat_bench_conf_t *bcf, ngx_uint_t pushes);
static ngx_int_t ngx_codat_bench_run(ngx_cycle_t *cycle);
static void ngx_codat_bench_fill(ngx_codat_bench_conf_t *bcf,
    ngx_codat_bench_level_t *level, ngx_codat_bench_zone_t *z);
static void ngx_codat_bench_touch(u_char *p, size_t size);
static void ngx_codat_bench_round(ngx_codat_bench_conf_t *bcf,
    ngx_codat_bench_level_t *level, ngx_codat_bench_zone_t *z);
static void ngx_codat_bench_webhooks(ngx_codat_bench_conf_t *bcf,
    ngx_codat_bench_level_t *level, ngx_codat_bench_zone_t *z,
    ngx_uint_t whole, ngx_uint_t known);
static void ngx_codat_bench_full(ngx_codat_bench_conf_t *bcf,
    ngx_codat_bench_level_t *level, ngx_codat_bench_zone_t *z);
static void ngx_codat_bench_old(ngx_codat_bench_conf_t *bcf,
    ngx_codat_bench_level_t *level, ngx_codat_bench_zone_t *z);
static void ngx_codat_bench_get(ngx_codat_bench_level_t *level,
    ngx_codat_bench_zone_t *z, uint64_t first, ngx_codat_bench_time_e what);
static void ngx_codat_bench_walk(ngx_codat_bench_level_t *level,
    ngx_codat_bench_zone_t *z, uint64_t first, ngx_codat_bench_time_e what);
static void ngx_codat_bench_repair(ngx_codat_bench_level_t *level,
    ngx_codat_bench_zone_t *z, ngx_codat_bench_time_e what);
static void ngx_codat_bench_message(ngx_codat_bench_level_t *level,
    ngx_codat_bench_zone_t *z, ngx_codat_bench_message_t *m, uint64_t push,
    ngx_uint_t success);
static void ngx_codat_bench_prepare(ngx_codat_bench_zone_t *z,
    ngx_pool_t *pool, ngx_codat_bench_message_t *m);
static void ngx_codat_bench_receive(ngx_codat_bench_zone_t *z,
    ngx_pool_t *pool, ngx_codat_bench_message_t *m, ngx_uint_t remember);
static void ngx_codat_bench_check(ngx_codat_bench_level_t *level,
    ngx_codat_bench_zone_t *z, const char *when);
static ngx_uint_t ngx_codat_bench_count(ngx_codat_bench_zone_t *z,
    ngx_uint_t family);
static void ngx_codat_bench_time(ngx_codat_bench_level_t *level,
    ngx_codat_bench_time_e what, double begin, ngx_uint_t n);
static void ngx_codat_bench_report(ngx_codat_bench_conf_t *bcf);
static double ngx_codat_bench_now(void);
static uint64_t ngx_codat_bench_random(void);
static uint64_t ngx_codat_bench_mix(uint64_t n);
static void ngx_codat_bench_key(u_char *key, uint64_t space, uint64_t n);
static void ngx_codat_bench_parse(ngx_pool_t *pool);
static void ngx_codat_bench_die(const char *what);


static ngx_command_t  ngx_codat_bench_commands[] = {

    { ngx_string("codat_bench"),
      NGX_MAIN_CONF|NGX_DIRECT_CONF|NGX_CONF_1MORE,
      ngx_codat_bench,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_core_module_t  ngx_codat_bench_module_ctx = {
    ngx_string("codat_bench"),
    ngx_codat_bench_create_conf,
    NULL
};


ngx_module_t  ngx_codat_bench_module = {
    NGX_MODULE_V1,
    &ngx_codat_bench_module_ctx,           /* module context */
    ngx_codat_bench_commands,              /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_codat_bench_run,                   /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static const char *const  ngx_codat_bench_names[NGX_CODAT_BENCH_TIMES] = {
    "receive_known", "receive_new", "whole_known", "whole_new", "release",
    "get", "walk", "full", "repair", "old_get", "old_walk", "old_repair"
};


/* 1.2 KB, as a webhook has; the ids in it are replaced once it is parsed */

#define NGX_CODAT_BENCH_ERROR                                                 \
    "The record was written, with a remark from the platform: see the list "  \
    "of what was changed, "

static u_char  ngx_codat_bench_success[] =
    "{\"id\":\"1b7c44c1-9f3a-4d8e-8a53-6d2f0e9c7b15\","
    "\"eventType\":\"invoices.write.successful\","
    "\"generatedDate\":\"2026-01-12T05:13:15.807Z\",\"payload\":{"
    "\"id\":\"4f0d9a6b-7c21-4e58-b3f9-2a8c5d1e6704\",\"type\":\"Create\","
    "\"referenceCompany\":{\"id\":\"3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c865\","
    "\"name\":\"Finch & Orchard Ltd\",\"description\":null,\"links\":{"
    "\"portal\":\"https://app.codat.io/companies/"
    "3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c865/summary\"},\"tags\":{"
    "\"reference\":\"" NGX_CODAT_BENCH_ERROR NGX_CODAT_BENCH_ERROR
    NGX_CODAT_BENCH_ERROR NGX_CODAT_BENCH_ERROR NGX_CODAT_BENCH_ERROR
    "\"}},\"connectionId\":\"d27a94b0-6e1c-4f58-8c3d-5b90f1e7a246\","
    "\"requestedOnDate\":\"2026-01-12T05:12:55.807Z\","
    "\"completedOnDate\":\"2026-01-12T05:13:15.807Z\","
    "\"status\":\"Success\","
    "\"record\":{\"id\":\"5e1c7a92-0b4d-4f36-9a8e-d3c2b1f06745\"}}}";


static ngx_codat_event_t  ngx_codat_bench_template;
static uint64_t           ngx_codat_bench_seed = 1;
static ngx_time_t         ngx_codat_bench_clock;


static void *
ngx_codat_bench_create_conf(ngx_cycle_t *cycle)
{
    return ngx_pcalloc(cycle->pool, sizeof(ngx_codat_bench_conf_t));
}


static char *
ngx_codat_bench(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_codat_bench_conf_t *bcf = conf;

    ssize_t      size;
    ngx_str_t   *value;
    ngx_int_t    n[2 + NGX_CODAT_BENCH_LEVELS];
    ngx_uint_t   i;

    value = cf->args->elts;

    size = ngx_parse_size(&value[1]);

    if (size < 0 || cf->args->nelts < 5
        || cf->args->nelts > 4 + NGX_CODAT_BENCH_LEVELS)
    {
        return "wants SIZE ROUNDS BATCH PUSHES...";
    }

    for (i = 2; i < cf->args->nelts; i++) {
        n[i - 2] = ngx_atoi(value[i].data, value[i].len);

        if (n[i - 2] <= 0) {
            return "has a number that is none";
        }
    }

    bcf->size = size;
    bcf->rounds = n[0];
    bcf->batch = n[1];

    for (i = 4; i < cf->args->nelts; i++) {

        if (ngx_codat_bench_level(cf, bcf, n[i - 2]) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_codat_bench_level(ngx_conf_t *cf, ngx_codat_bench_conf_t *bcf,
    ngx_uint_t pushes)
{
    u_char                   *p;
    ngx_str_t                 name;
    ngx_uint_t                i;
    ngx_shm_zone_t           *shm_zone;
    ngx_codat_bench_zone_t   *z;
    ngx_codat_bench_level_t  *level;

    level = &bcf->levels[bcf->nlevels++];
    level->pushes = pushes;

    /* what the rounds add to a small zone must not make it a larger one */

    level->nzones = pushes < 10000 ? NGX_CODAT_BENCH_SPREAD : 1;

    for (i = 0; i < NGX_CODAT_BENCH_TIMES; i++) {
        level->times[i] = ngx_pcalloc(cf->pool, (bcf->rounds * 2 + 16)
                                                * sizeof(double));
        if (level->times[i] == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 0; i < level->nzones; i++) {
        z = &level->zones[i];

        name.data = ngx_pnalloc(cf->pool, 64);
        if (name.data == NULL) {
            return NGX_CONF_ERROR;
        }

        p = ngx_sprintf(name.data, "bench_%ui_%ui", pushes, i);
        name.len = p - name.data;

        shm_zone = ngx_shared_memory_add(cf, &name, bcf->size,
                                         &ngx_codat_bench_module);
        if (shm_zone == NULL) {
            return NGX_CONF_ERROR;
        }

        shm_zone->init = ngx_codat_zone_init;
        shm_zone->data = &z->zone;

        z->zone.shm_zone = shm_zone;
        z->zone.dedupe = 72 * 3600;
        z->zone.retain = 30 * 86400;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_codat_bench_run(ngx_cycle_t *cycle)
{
    ngx_uint_t                i, n;
    ngx_codat_bench_conf_t   *bcf;
    ngx_codat_bench_level_t  *level;

    bcf = (ngx_codat_bench_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                                  ngx_codat_bench_module);
    if (bcf->nlevels == 0) {
        return NGX_OK;
    }

    ngx_codat_bench_parse(cycle->pool);

    for (i = 0; i < bcf->nlevels; i++) {
        level = &bcf->levels[i];

        for (n = 0; n < level->nzones; n++) {
            ngx_codat_bench_fill(bcf, level, &level->zones[n]);
        }

        ngx_codat_bench_check(level, &level->zones[0], "filled");
    }

    for (n = 0; n < bcf->rounds; n++) {
        for (i = 0; i < bcf->nlevels; i++) {
            level = &bcf->levels[i];

            ngx_codat_bench_round(bcf, level,
                                  &level->zones[n % level->nzones]);
        }
    }

    for (i = 0; i < bcf->nlevels; i++) {
        level = &bcf->levels[i];

        ngx_codat_bench_check(level, &level->zones[0], "measured");
        ngx_codat_bench_repair(level, &level->zones[0],
                               NGX_CODAT_BENCH_REPAIR);
        ngx_codat_bench_check(level, &level->zones[0], "repaired");
    }

    level = &bcf->levels[bcf->nlevels - 1];

    ngx_codat_bench_full(bcf, level, &level->zones[0]);
    ngx_codat_bench_old(bcf, level, &level->zones[0]);

    ngx_codat_bench_report(bcf);

    exit(0);
}


/*
 * Every push is made by a first report, in order, and changed by a second
 * one, out of order, which leaves the free cells of an old zone and records
 * that lie anywhere.
 */

static void
ngx_codat_bench_fill(ngx_codat_bench_conf_t *bcf,
    ngx_codat_bench_level_t *level, ngx_codat_bench_zone_t *z)
{
    uint32_t                   *order, other;
    ngx_uint_t                  i, j;
    ngx_pool_t                 *pool;
    ngx_codat_bench_message_t   m;

    order = malloc(level->pushes * sizeof(uint32_t));
    if (order == NULL) {
        ngx_codat_bench_die("memory");
    }

    for (i = 0; i < level->pushes; i++) {
        order[i] = (uint32_t) i;
    }

    for (i = level->pushes - 1; i > 0; i--) {
        j = ngx_codat_bench_random() % (i + 1);
        other = order[i];
        order[i] = order[j];
        order[j] = other;
    }

    for (i = 0; i < 2 * level->pushes; i++) {
        pool = ngx_create_pool(4096, ngx_cycle->log);
        if (pool == NULL) {
            ngx_codat_bench_die("memory");
        }

        j = i < level->pushes ? i : order[i - level->pushes];

        ngx_codat_bench_message(level, z, &m, j,
                                i >= level->pushes && j % 2);
        ngx_codat_bench_prepare(z, pool, &m);
        ngx_codat_bench_receive(z, pool, &m, i >= level->pushes);
        ngx_codat_delivery_release(&z->zone, &m.delivery, 1);

        ngx_destroy_pool(pool);
    }

    z->pushes = level->pushes;

    free(order);

    /* a page that is new to a process takes longer than a webhook */

    ngx_codat_bench_touch(z->zone.sh->recent->bytes,
                          z->zone.sh->recent->size);

    ngx_codat_bench_touch((u_char *) &z->zone.sh->cells[z->zone.sh->fresh],
                          ngx_min(z->zone.sh->ncells - z->zone.sh->fresh,
                                  bcf->rounds * bcf->batch * 20)
                          * sizeof(ngx_codat_row_t));
}


static void
ngx_codat_bench_touch(u_char *p, size_t size)
{
    size_t  i;

    for (i = 0; i < size; i += 1024) {
        *(volatile u_char *) (p + i) = p[i];
    }
}


static void
ngx_codat_bench_round(ngx_codat_bench_conf_t *bcf,
    ngx_codat_bench_level_t *level, ngx_codat_bench_zone_t *z)
{
    static ngx_uint_t  turn;

    ngx_codat_bench_get(level, z, 0, NGX_CODAT_BENCH_GET);
    ngx_codat_bench_walk(level, z, 0, NGX_CODAT_BENCH_WALK);

    /* that of them which comes later finds more in the cache */

    turn++;

    ngx_codat_bench_webhooks(bcf, level, z, turn & 1, turn & 2);
    ngx_codat_bench_webhooks(bcf, level, z, !(turn & 1), turn & 2);
    ngx_codat_bench_webhooks(bcf, level, z, turn & 1, !(turn & 2));
    ngx_codat_bench_webhooks(bcf, level, z, !(turn & 1), !(turn & 2));
}


static void
ngx_codat_bench_webhooks(ngx_codat_bench_conf_t *bcf,
    ngx_codat_bench_level_t *level, ngx_codat_bench_zone_t *z,
    ngx_uint_t whole, ngx_uint_t known)
{
    double                      begin;
    uint64_t                    push;
    ngx_uint_t                  i;
    ngx_pool_t                 *pool;
    ngx_codat_bench_time_e      what;
    ngx_codat_bench_message_t  *m;

    /* one block, and no page of it is new when it is needed */

    pool = ngx_create_pool(bcf->batch * 8192, ngx_cycle->log);
    if (pool == NULL) {
        ngx_codat_bench_die("memory");
    }

    ngx_memset(pool->d.last, 0, pool->d.end - pool->d.last);

    m = ngx_palloc(pool, bcf->batch * sizeof(ngx_codat_bench_message_t));

    for (i = 0; i < bcf->batch; i++) {
        push = known ? ngx_codat_bench_random() % z->pushes : z->pushes++;

        ngx_codat_bench_message(level, z, &m[i], push, 1);

        if (!whole) {
            ngx_codat_bench_prepare(z, pool, &m[i]);
        }
    }

    begin = ngx_codat_bench_now();

    for (i = 0; i < bcf->batch; i++) {

        if (whole) {
            ngx_codat_bench_prepare(z, pool, &m[i]);
        }

        ngx_codat_bench_receive(z, pool, &m[i], 1);
    }

    if (whole) {
        what = known ? NGX_CODAT_BENCH_WHOLE_KNOWN : NGX_CODAT_BENCH_WHOLE_NEW;

    } else {
        what = known ? NGX_CODAT_BENCH_RECEIVE_KNOWN
                     : NGX_CODAT_BENCH_RECEIVE_NEW;
    }

    ngx_codat_bench_time(level, what, begin, bcf->batch);

    begin = ngx_codat_bench_now();

    for (i = 0; i < bcf->batch; i++) {
        ngx_codat_delivery_release(&z->zone, &m[i].delivery, 1);
    }

    if (whole && known) {
        ngx_codat_bench_time(level, NGX_CODAT_BENCH_RELEASE, begin,
                             bcf->batch);
    }

    ngx_destroy_pool(pool);
}


/* how much goes into a zone until it has to forget, and what forgetting costs */

static void
ngx_codat_bench_full(ngx_codat_bench_conf_t *bcf,
    ngx_codat_bench_level_t *level, ngx_codat_bench_zone_t *z)
{
    double                      begin;
    ngx_uint_t                  i, n;
    ngx_pool_t                 *pool;
    ngx_codat_bench_message_t   m, *ms;

    while (ngx_codat_bench_count(z, NGX_CODAT_STAT_EVICTED) == 0) {
        pool = ngx_create_pool(4096, ngx_cycle->log);
        if (pool == NULL) {
            ngx_codat_bench_die("memory");
        }

        ngx_codat_bench_message(level, z, &m, z->pushes++, 1);
        ngx_codat_bench_prepare(z, pool, &m);
        ngx_codat_bench_receive(z, pool, &m, 1);
        ngx_codat_delivery_release(&z->zone, &m.delivery, 1);

        ngx_destroy_pool(pool);
    }

    printf("full pushes %u deliveries %u companies %u\n",
           z->zone.sh->created[NGX_CODAT_ROW_PUSH].count,
           z->zone.sh->created[NGX_CODAT_ROW_DELIVERY].count,
           z->zone.sh->created[NGX_CODAT_ROW_COMPANY].count);

    ms = malloc(bcf->batch * sizeof(ngx_codat_bench_message_t));

    for (n = 0; n < bcf->rounds; n++) {
        pool = ngx_create_pool(bcf->batch * 8192, ngx_cycle->log);
        if (pool == NULL || ms == NULL) {
            ngx_codat_bench_die("memory");
        }

        ngx_memset(pool->d.last, 0, pool->d.end - pool->d.last);

        for (i = 0; i < bcf->batch; i++) {
            ngx_codat_bench_message(level, z, &ms[i], z->pushes++, 1);
            ngx_codat_bench_prepare(z, pool, &ms[i]);
        }

        begin = ngx_codat_bench_now();

        for (i = 0; i < bcf->batch; i++) {
            ngx_codat_bench_receive(z, pool, &ms[i], 1);
        }

        ngx_codat_bench_time(level, NGX_CODAT_BENCH_FULL, begin, bcf->batch);

        for (i = 0; i < bcf->batch; i++) {
            ngx_codat_delivery_release(&z->zone, &ms[i].delivery, 1);
        }

        ngx_destroy_pool(pool);
    }

    free(ms);
}


/*
 * A full zone in which as many pushes as it was made for have come and gone
 * since, and each was changed once: what is free lies anywhere.
 */

static void
ngx_codat_bench_old(ngx_codat_bench_conf_t *bcf,
    ngx_codat_bench_level_t *level, ngx_codat_bench_zone_t *z)
{
    uint64_t                    first, push;
    ngx_uint_t                  i;
    ngx_pool_t                 *pool;
    ngx_codat_bench_message_t   m;

    for (i = 0; i < 2 * level->pushes; i++) {
        pool = ngx_create_pool(4096, ngx_cycle->log);
        if (pool == NULL) {
            ngx_codat_bench_die("memory");
        }

        push = (i % 2) ? z->pushes - 1 - ngx_codat_bench_random() % 1000
                       : z->pushes++;

        ngx_codat_bench_message(level, z, &m, push, i % 2);
        ngx_codat_bench_prepare(z, pool, &m);
        ngx_codat_bench_receive(z, pool, &m, 1);
        ngx_codat_delivery_release(&z->zone, &m.delivery, 1);

        ngx_destroy_pool(pool);
    }

    /* pushes that have not had to go */

    first = z->pushes - z->zone.sh->created[NGX_CODAT_ROW_PUSH].count / 4;

    for (i = 0; i < bcf->rounds; i++) {
        ngx_codat_bench_get(level, z, first, NGX_CODAT_BENCH_OLD_GET);
        ngx_codat_bench_walk(level, z, first, NGX_CODAT_BENCH_OLD_WALK);
    }

    ngx_codat_bench_repair(level, z, NGX_CODAT_BENCH_OLD_REPAIR);
}


/* the first pass brings a small table into the cache, and not a large one */

static void
ngx_codat_bench_get(ngx_codat_bench_level_t *level, ngx_codat_bench_zone_t *z,
    uint64_t first, ngx_codat_bench_time_e what)
{
    double                   begin;
    ngx_uint_t               i, pass;
    ngx_codat_copy_t         copy;
    static u_char            keys[NGX_CODAT_BENCH_READS]
                                 [NGX_CODAT_ZONE_KEY_LEN];

    for (pass = 0; pass < 2; pass++) {

        for (i = 0; i < NGX_CODAT_BENCH_READS; i++) {
            ngx_codat_bench_key(keys[i], 1,
                                first + ngx_codat_bench_random()
                                        % (z->pushes - first));
        }

        begin = ngx_codat_bench_now();

        for (i = 0; i < NGX_CODAT_BENCH_READS; i++) {

            if (ngx_codat_table_get(&z->zone, NGX_CODAT_RECORD_PUSH, keys[i],
                                    &copy)
                != NGX_OK)
            {
                ngx_codat_bench_die("a push is missing");
            }
        }

        if (pass) {
            ngx_codat_bench_time(level, what, begin, NGX_CODAT_BENCH_READS);
        }
    }
}


/* from anywhere in the list */

static void
ngx_codat_bench_walk(ngx_codat_bench_level_t *level,
    ngx_codat_bench_zone_t *z, uint64_t first, ngx_codat_bench_time_e what)
{
    double             begin;
    ngx_int_t          rc;
    ngx_uint_t         i, pass, n;
    ngx_codat_row_t   *row;
    ngx_codat_copy_t   copy;
    ngx_codat_walk_t   walk;
    u_char             key[NGX_CODAT_ZONE_KEY_LEN];

    for (pass = 0; pass < 2; pass++) {
        ngx_codat_walk_init(&walk, NGX_CODAT_RECORD_PUSH);

        if (z->pushes - first > 2 * NGX_CODAT_BENCH_READS) {
            first += NGX_CODAT_BENCH_READS;

            ngx_codat_bench_key(key, 1, first + ngx_codat_bench_random()
                                                % (z->pushes - first));

            row = ngx_codat_cell_find_locked(z->zone.sh, NGX_CODAT_ROW_PUSH,
                                             key);

            walk.started = 1;
            walk.place = ngx_codat_cell_index(z->zone.sh, row);
            walk.order = row->seq;
        }

        n = 0;

        begin = ngx_codat_bench_now();

        for (i = 0; i < NGX_CODAT_BENCH_READS; i++) {
            rc = ngx_codat_walk_next(&z->zone, &walk, &copy);

            if (rc == NGX_DONE) {
                break;
            }

            n += (rc == NGX_OK);
        }

        if (n < ngx_min(z->pushes - 1, NGX_CODAT_BENCH_READS - 1)) {
            ngx_codat_bench_die("a walk met too few pushes");
        }

        if (pass) {
            ngx_codat_bench_time(level, what, begin, n);
        }
    }
}


static void
ngx_codat_bench_repair(ngx_codat_bench_level_t *level,
    ngx_codat_bench_zone_t *z, ngx_codat_bench_time_e what)
{
    double      begin;
    ngx_uint_t  i;

    for (i = 0; i < NGX_CODAT_BENCH_REPAIRS; i++) {
        begin = ngx_codat_bench_now();

        ngx_codat_repair_locked(z->zone.sh);

        ngx_codat_bench_time(level, what, begin, 1);
    }
}


static void
ngx_codat_bench_message(ngx_codat_bench_level_t *level,
    ngx_codat_bench_zone_t *z, ngx_codat_bench_message_t *m, uint64_t push,
    ngx_uint_t success)
{
    u_char             key[NGX_CODAT_ZONE_KEY_LEN];
    uint64_t           company;
    ngx_str_t         *fields;
    static ngx_str_t   pending = ngx_string("Pending");

    ngx_memzero(m, sizeof(ngx_codat_bench_message_t));

    m->event = ngx_codat_bench_template;
    m->event.generated = ((int64_t) NGX_CODAT_BENCH_START + z->messages)
                         * 1000000;
    m->event.requested = m->event.generated - 20 * 1000000;
    m->event.completed = success ? m->event.generated : 0;

    /* a hundred pushes of a company, in one connection or another */

    company = ngx_codat_bench_mix(push) % (level->pushes / 100 + 1);

    ngx_codat_bench_key(key, 1, push);
    (void) ngx_codat_uuid_format(m->push, key);

    ngx_codat_bench_key(key, 2, company);
    (void) ngx_codat_uuid_format(m->company, key);

    ngx_codat_bench_key(key, 3, company * 2 + push % 2);
    (void) ngx_codat_uuid_format(m->connection, key);

    ngx_codat_bench_key(key, 4, push);
    (void) ngx_codat_uuid_format(m->record, key);

    m->id.data = m->text;
    m->id.len = ngx_sprintf(m->text, "msg_%016xL%08xL",
                            ngx_codat_bench_mix(z->messages), z->messages)
                - m->text;

    fields = m->event.fields;

    fields[NGX_CODAT_FIELD_PUSH_KEY].data = m->push;
    fields[NGX_CODAT_FIELD_COMPANY_ID].data = m->company;
    fields[NGX_CODAT_FIELD_CONNECTION_ID].data = m->connection;

    if (success) {
        fields[NGX_CODAT_FIELD_RECORD_ID].data = m->record;

    } else {
        fields[NGX_CODAT_FIELD_PUSH_STATUS] = pending;
        ngx_str_null(&fields[NGX_CODAT_FIELD_RECORD_ID]);
    }

    z->messages++;

    /* ten in a second, so that rows were used at different times */

    ngx_codat_bench_clock = *ngx_cached_time;
    ngx_codat_bench_clock.sec = NGX_CODAT_BENCH_START + z->messages / 10;
    ngx_cached_time = &ngx_codat_bench_clock;
}


/* what the module does with a webhook before it locks the zone */

static void
ngx_codat_bench_prepare(ngx_codat_bench_zone_t *z, ngx_pool_t *pool,
    ngx_codat_bench_message_t *m)
{
    ngx_str_t         parts[4], *body;
    static ngx_str_t  location = ngx_string("/webhooks/codat");

    body = &m->event.payload;

    parts[0] = location;
    parts[1] = location;
    ngx_str_null(&parts[2]);
    parts[3] = m->id;

    m->delivery.body = (uint32_t) crc32(0, body->data, (uInt) body->len);

    m->update.recent.id = m->id;
    m->update.recent.body = *body;
    m->update.recent.received = m->event.generated;

    if (ngx_codat_digest(&z->zone, parts, 4, m->delivery.key) != NGX_OK
        || ngx_codat_facts(pool, &m->event, m->event.generated,
                           &m->update.facts)
           != NGX_OK)
    {
        ngx_codat_bench_die("facts");
    }
}


static void
ngx_codat_bench_receive(ngx_codat_bench_zone_t *z, ngx_pool_t *pool,
    ngx_codat_bench_message_t *m, ngx_uint_t remember)
{
    if (ngx_codat_table_receive(&z->zone, pool,
                                remember ? &m->delivery : NULL, 0, &m->update)
        != NGX_OK)
    {
        ngx_codat_bench_die("a webhook was not accepted");
    }
}


static void
ngx_codat_bench_check(ngx_codat_bench_level_t *level,
    ngx_codat_bench_zone_t *z, const char *when)
{
    uint32_t              used;
    ngx_uint_t            i, found;
    ngx_codat_copy_t      copy;
    ngx_codat_zone_sh_t  *sh;
    u_char                key[NGX_CODAT_ZONE_KEY_LEN];

    sh = z->zone.sh;

    for (i = 0, found = 0; i < 10000; i++) {
        ngx_codat_bench_key(key, 1, ngx_codat_bench_random() % z->pushes);

        if (ngx_codat_table_get(&z->zone, NGX_CODAT_RECORD_PUSH, key, &copy)
            == NGX_OK
            && ngx_memcmp(copy.key, key, NGX_CODAT_ZONE_KEY_LEN) == 0
            && copy.record.texts[NGX_CODAT_TEXT_COMPANY].len
               == NGX_CODAT_UUID_LEN)
        {
            found++;
        }
    }

    used = sh->ncells - ngx_codat_run_room(sh);

    printf("zone %lu %s pushes %u deliveries %u companies %u cells %u of %u "
           "evicted %lu unstored %lu found %lu\n",
           (unsigned long) level->pushes, when,
           sh->created[NGX_CODAT_ROW_PUSH].count,
           sh->created[NGX_CODAT_ROW_DELIVERY].count,
           sh->created[NGX_CODAT_ROW_COMPANY].count, used, sh->ncells,
           (unsigned long) ngx_codat_bench_count(z, NGX_CODAT_STAT_EVICTED),
           (unsigned long) ngx_codat_bench_count(z, NGX_CODAT_STAT_UNSTORED),
           (unsigned long) found);

    if (found != 10000 || sh->created[NGX_CODAT_ROW_PUSH].count != z->pushes) {
        ngx_codat_bench_die("pushes are missing");
    }
}


static ngx_uint_t
ngx_codat_bench_count(ngx_codat_bench_zone_t *z, ngx_uint_t family)
{
    uint64_t    id;
    ngx_uint_t  i, sum, value;

    i = 0;
    sum = 0;

    while (ngx_codat_stats_next(z->zone.sh->stats, &i, &id, &value)
           == NGX_OK)
    {
        if (ngx_codat_stat_family(id) == family) {
            sum += value;
        }
    }

    return sum;
}


static void
ngx_codat_bench_time(ngx_codat_bench_level_t *level,
    ngx_codat_bench_time_e what, double begin, ngx_uint_t n)
{
    level->times[what][level->ntimes[what]++] =
                                        (ngx_codat_bench_now() - begin) / n;
}


static void
ngx_codat_bench_report(ngx_codat_bench_conf_t *bcf)
{
    ngx_uint_t                i, t, n;
    ngx_codat_bench_level_t  *level;

    for (i = 0; i < bcf->nlevels; i++) {
        level = &bcf->levels[i];

        for (t = 0; t < NGX_CODAT_BENCH_TIMES; t++) {

            if (level->ntimes[t] == 0) {
                continue;
            }

            printf("time %lu %s", (unsigned long) level->pushes,
                   ngx_codat_bench_names[t]);

            for (n = 0; n < level->ntimes[t]; n++) {
                printf(" %.4f", level->times[t][n]);
            }

            printf("\n");
        }
    }

    printf("done\n");
    fflush(stdout);
}


/* microseconds */

static double
ngx_codat_bench_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}


static uint64_t
ngx_codat_bench_random(void)
{
    return ngx_codat_bench_mix(ngx_codat_bench_seed++);
}


static uint64_t
ngx_codat_bench_mix(uint64_t n)
{
    n += 0x9e3779b97f4a7c15ULL;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9ULL;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebULL;

    return n ^ (n >> 31);
}


/* a random UUID for each number */

static void
ngx_codat_bench_key(u_char *key, uint64_t space, uint64_t n)
{
    uint64_t  half[2];

    half[0] = ngx_codat_bench_mix((space << 56) + 2 * n);
    half[1] = ngx_codat_bench_mix((space << 56) + 2 * n + 1);

    ngx_memcpy(key, half, sizeof(half));

    key[6] = (u_char) (0x40 | (key[6] & 0x0f));
    key[8] = (u_char) (0x80 | (key[8] & 0x3f));
}


static void
ngx_codat_bench_parse(ngx_pool_t *pool)
{
    ngx_str_t               body, none;
    ngx_codat_json_error_t  err;

    ngx_str_null(&none);

    body.data = ngx_codat_bench_success;
    body.len = sizeof(ngx_codat_bench_success) - 1;

    if (ngx_codat_event_parse(pool, &body, &none, &ngx_codat_bench_template,
                              &err)
        != NGX_OK
        || ngx_codat_bench_template.fields[NGX_CODAT_FIELD_PUSH_KEY].len
           != NGX_CODAT_UUID_LEN)
    {
        ngx_codat_bench_die("the body does not parse");
    }

    printf("body %lu\n", (unsigned long) body.len);
}


static void
ngx_codat_bench_die(const char *what)
{
    printf("failed: %s\n", what);
    fflush(stdout);
    exit(1);
}
