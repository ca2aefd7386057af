
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_store.h"
#include "ngx_http_codat_count.h"
#include "ngx_http_codat_deliver.h"
#include "ngx_http_codat_keep.h"
#include "ngx_http_codat_persist.h"


/* seconds */
#define NGX_HTTP_CODAT_KEEP_LEASE  5
#define NGX_HTTP_CODAT_KEEP_PRUNE  60
#define NGX_HTTP_CODAT_KEEP_STATS  5
#define NGX_HTTP_CODAT_KEEP_FAILING  10
#define NGX_HTTP_CODAT_KEEP_ROUTES   10

/*
 * How long deliveries wait for a forward that has gone: the configuration may
 * not be everywhere yet, or the next one may bring it back.
 */
#define NGX_HTTP_CODAT_KEEP_GRACE    60

/* rows that are read, and dropped, at a time */
#define NGX_HTTP_CODAT_KEEP_ROWS   1000
#define NGX_HTTP_CODAT_KEEP_OLD    500


struct ngx_http_codat_keep_s {
    ngx_codat_zone_t        *zone;
    uint64_t                 owner;
    ngx_uint_t               kind;          /* that is read now */
    ngx_msec_t               since;         /* this configuration is in use */
    ngx_msec_t               told;          /* the store of its forwards */
    int64_t                  told_at;       /* the same by the clock */
    int64_t                  pruned;        /* pushes up to this version */
    unsigned                 loading:1;     /* a unit is under way */
    unsigned                 pruning:1;
    unsigned                 asking:1;
    unsigned                 telling:1;
    unsigned                 seen:1;        /* when types of events were */
    unsigned                 keeper:1;      /* the lease is ours */
};


static void ngx_http_codat_keep_succeed(ngx_http_codat_keep_t *keep);
static ngx_uint_t ngx_http_codat_keep_due(time_t last, time_t interval);
static ngx_uint_t ngx_http_codat_keep_lease(ngx_http_codat_keep_t *keep);
static void ngx_http_codat_keep_load(ngx_http_codat_keep_t *keep);
static void ngx_http_codat_keep_loaded(ngx_codat_work_t *w);
static void ngx_http_codat_keep_put(ngx_http_codat_keep_t *keep,
    ngx_codat_work_load_t *work);
static void ngx_http_codat_keep_prune(ngx_http_codat_keep_t *keep);
static void ngx_http_codat_keep_pruned(ngx_codat_work_t *w);
static void ngx_http_codat_keep_routes(ngx_http_codat_keep_t *keep);
static ngx_int_t ngx_http_codat_keep_known(ngx_http_codat_keep_t *keep,
    ngx_codat_work_routes_t *work);
static ngx_uint_t ngx_http_codat_keep_sure(ngx_http_codat_keep_t *keep,
    int64_t now);
static void ngx_http_codat_keep_told(ngx_codat_work_t *w);
static void ngx_http_codat_keep_ask(ngx_http_codat_keep_t *keep);
static void ngx_http_codat_keep_asked(ngx_codat_work_t *w);
static void ngx_http_codat_keep_seen(ngx_http_codat_keep_t *keep,
    ngx_codat_work_stats_t *work);


/* companies before what belongs to them, pushes last: they are the most */

static const ngx_codat_record_kind_e  ngx_http_codat_keep_kinds[] = {
    NGX_CODAT_RECORD_CLIENT,
    NGX_CODAT_RECORD_COMPANY,
    NGX_CODAT_RECORD_CONNECTION,
    NGX_CODAT_RECORD_DATASET,
    NGX_CODAT_RECORD_PUSH
};


ngx_http_codat_keep_t *
ngx_http_codat_keep_create(ngx_pool_t *pool, ngx_codat_zone_t *zone,
    uint64_t owner)
{
    ngx_http_codat_keep_t  *keep;

    keep = ngx_pcalloc(pool, sizeof(ngx_http_codat_keep_t));
    if (keep == NULL) {
        return NULL;
    }

    keep->zone = zone;
    keep->owner = owner;
    keep->since = ngx_current_msec;

    ngx_http_codat_keep_succeed(keep);

    return keep;
}


/*
 * If the worker that had this place has died, what it had claimed is given
 * back now, and not when its leases end: until then they would count for
 * "max=".  One that is shutting down goes on with it.
 */

static void
ngx_http_codat_keep_succeed(ngx_http_codat_keep_t *keep)
{
    uint64_t                 died;
    ngx_codat_zone_owner_t  *place;

    place = &keep->zone->sh->store.owners[ngx_worker
                                          % NGX_CODAT_ZONE_WORKERS];
    died = place->owner;

    if (died
        && (place->pid == ngx_pid
            || (kill(place->pid, 0) == -1 && ngx_errno == ESRCH)))
    {
        ngx_http_codat_keep_release(keep->zone, died);
    }

    place->pid = ngx_pid;
    place->owner = keep->owner;
}


void
ngx_http_codat_keep_release(ngx_codat_zone_t *zone, uint64_t owner)
{
    ngx_codat_work_release_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_RELEASE,
                                 sizeof(ngx_codat_work_release_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return;                 /* the leases will end */
    }

    work->owner = owner;
    work->work.done = ngx_codat_work_free;

    if (ngx_codat_store_submit(zone->store, &work->work) != NGX_OK) {
        ngx_codat_work_free(&work->work);
    }
}


void
ngx_http_codat_keep_tick(ngx_http_codat_keep_t *keep)
{
    ngx_codat_zone_store_t  *store;

    store = &keep->zone->sh->store;

    /* of each worker, by its number, which the next one of it has again */

    store->waiting[ngx_worker % NGX_CODAT_ZONE_WORKERS] =
                       (uint32_t) ngx_codat_store_waiting(keep->zone->store);

    keep->keeper = (ngx_http_codat_keep_lease(keep) != 0);

    if (!keep->keeper) {
        return;
    }

    if (!keep->loading) {
        keep->kind = 0;
        ngx_http_codat_keep_load(keep);
    }

    if (!keep->pruning && store->loaded
        && ngx_http_codat_keep_due(store->pruned, NGX_HTTP_CODAT_KEEP_PRUNE))
    {
        ngx_http_codat_keep_prune(keep);
    }

    if (!keep->telling
        && (keep->told_at == 0
            || ngx_current_msec - keep->told
               >= NGX_HTTP_CODAT_KEEP_ROUTES * 1000))
    {
        ngx_http_codat_keep_routes(keep);
    }

    if (!keep->asking
        && ngx_http_codat_keep_due(store->asked, NGX_HTTP_CODAT_KEEP_STATS))
    {
        ngx_http_codat_keep_ask(keep);
    }
}


/* also if the clock was set back */

static ngx_uint_t
ngx_http_codat_keep_due(time_t last, time_t interval)
{
    return ngx_time() - last >= interval || last > ngx_time();
}


static ngx_uint_t
ngx_http_codat_keep_lease(ngx_http_codat_keep_t *keep)
{
    ngx_uint_t               ours;
    ngx_codat_zone_store_t  *store;

    store = &keep->zone->sh->store;

    ngx_codat_zone_lock(keep->zone);

    /* a clock that was set back must not make a lease of days */

    ours = (store->keeper == keep->owner
            || store->until <= ngx_time()
            || store->until > ngx_time() + NGX_HTTP_CODAT_KEEP_LEASE);

    if (ours) {
        store->keeper = keep->owner;
        store->until = ngx_time() + NGX_HTTP_CODAT_KEEP_LEASE;
    }

    ngx_codat_zone_unlock(keep->zone);

    return ours;
}


void
ngx_http_codat_keep_leave(ngx_http_codat_keep_t *keep)
{
    ngx_codat_zone_owner_t  *place;
    ngx_codat_zone_store_t  *store;

    store = &keep->zone->sh->store;
    place = &store->owners[ngx_worker % NGX_CODAT_ZONE_WORKERS];

    if (place->owner == keep->owner) {
        place->owner = 0;
    }

    ngx_codat_zone_lock(keep->zone);

    if (store->keeper == keep->owner) {
        store->keeper = 0;
        store->until = 0;
    }

    ngx_codat_zone_unlock(keep->zone);
}


ngx_uint_t
ngx_http_codat_keep_failing(ngx_codat_zone_t *zone)
{
    time_t                     failed;
    ngx_codat_store_health_t  *health;

    if (zone->store == NULL) {
        return 0;
    }

    health = &zone->sh->store.health;
    failed = (time_t) health->failed;

    /* it is to be tried again after a while, as webhooks alone tell */

    return failed
           && !ngx_http_codat_keep_due(failed, NGX_HTTP_CODAT_KEEP_FAILING);
}


ngx_uint_t
ngx_http_codat_keep_waiting(ngx_codat_zone_t *zone)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < NGX_CODAT_ZONE_WORKERS; i++) {
        n += zone->sh->store.waiting[i];
    }

    return n;
}


/* --- rows --------------------------------------------------------------- */

static void
ngx_http_codat_keep_load(ngx_http_codat_keep_t *keep)
{
    ngx_codat_zone_t         *zone;
    ngx_codat_work_load_t    *work;
    ngx_codat_record_kind_e   kind;

    zone = keep->zone;
    kind = ngx_http_codat_keep_kinds[keep->kind];

    work = ngx_codat_work_create(NGX_CODAT_WORK_LOAD,
                                 sizeof(ngx_codat_work_load_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return;
    }

    work->work.done = ngx_http_codat_keep_loaded;
    work->work.data = keep;
    work->kind = kind;
    work->version = zone->sh->store.version[kind];
    work->origin = ngx_http_codat_deliver_origin(zone);
    work->foreign = zone->sh->store.loaded & 1;
    work->limit = NGX_HTTP_CODAT_KEEP_ROWS;

    if (ngx_codat_store_submit(zone->store, &work->work) != NGX_OK) {
        ngx_codat_work_free(&work->work);
        return;
    }

    keep->loading = 1;
}


static void
ngx_http_codat_keep_loaded(ngx_codat_work_t *w)
{
    ngx_codat_zone_store_t  *store;
    ngx_http_codat_keep_t   *keep;
    ngx_codat_work_load_t   *work;

    work = (ngx_codat_work_load_t *) w;
    keep = w->data;
    store = &keep->zone->sh->store;

    keep->loading = 0;

    if (w->rc != NGX_OK || ngx_exiting || !keep->keeper) {
        ngx_codat_work_free(w);
        return;
    }

    ngx_http_codat_keep_put(keep, work);

    store->version[work->kind] = work->last;

    if (!work->more) {
        keep->kind++;
    }

    ngx_codat_work_free(w);

    if (keep->kind < NGX_CODAT_RECORD_KINDS) {
        ngx_http_codat_keep_load(keep);
        return;
    }

    if (!store->loaded) {
        store->loaded = 1;

        if (keep->zone->store->temporary) {
            return;                 /* it is as new as the zone */
        }

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "codat: zone \"%V\" has what store \"%V\" knows",
                      &keep->zone->store->zone, &keep->zone->store->path);
    }
}


/* not what a zone would drop at once */

static void
ngx_http_codat_keep_put(ngx_http_codat_keep_t *keep,
    ngx_codat_work_load_t *work)
{
    int64_t                oldest;
    ngx_uint_t             i;
    ngx_codat_work_row_t  *row;

    oldest = ngx_codat_table_now()
             - (int64_t) keep->zone->retain * 1000000;

    row = work->rows.elts;

    for (i = 0; i < work->rows.nelts; i++) {

        if (row[i].touched < oldest
            && row[i].record.kind == NGX_CODAT_RECORD_PUSH
            && ngx_codat_record_final(&row[i].record))
        {
            continue;
        }

        (void) ngx_codat_table_put(keep->zone, &row[i].record,
                                   row[i].version);
    }
}


/* --- what is old -------------------------------------------------------- */

static void
ngx_http_codat_keep_prune(ngx_http_codat_keep_t *keep)
{
    time_t                   keeps;
    ngx_codat_zone_t        *zone;
    ngx_codat_work_prune_t  *work;

    zone = keep->zone;

    work = ngx_codat_work_create(NGX_CODAT_WORK_PRUNE,
                                 sizeof(ngx_codat_work_prune_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return;
    }

    keeps = ngx_max(zone->retain, zone->dedupe);

    work->work.done = ngx_http_codat_keep_pruned;
    work->work.data = keep;
    work->before = ngx_codat_table_now() - (int64_t) keeps * 1000000;
    work->after = keep->pruned;
    work->limit = NGX_HTTP_CODAT_KEEP_OLD;

    if (ngx_codat_store_submit(zone->store, &work->work) != NGX_OK) {
        ngx_codat_work_free(&work->work);
        return;
    }

    keep->pruning = 1;
}


/* where there may be more, at the next tick */

static void
ngx_http_codat_keep_pruned(ngx_codat_work_t *w)
{
    ngx_http_codat_keep_t   *keep;
    ngx_codat_work_prune_t  *work;

    work = (ngx_codat_work_prune_t *) w;
    keep = w->data;

    keep->pruning = 0;
    keep->pruned = (w->rc == NGX_OK) ? work->last : 0;

    if (w->rc != NGX_OK || !work->more) {
        keep->zone->sh->store.pruned = ngx_time();
    }

    ngx_codat_work_free(w);
}


/* --- forwards that have gone -------------------------------------------- */

static void
ngx_http_codat_keep_routes(ngx_http_codat_keep_t *keep)
{
    ngx_codat_work_routes_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_ROUTES,
                                 sizeof(ngx_codat_work_routes_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return;
    }

    work->work.done = ngx_http_codat_keep_told;
    work->work.data = keep;
    work->now = ngx_codat_table_now();
    work->limit = NGX_HTTP_CODAT_KEEP_OLD;

    if (ngx_http_codat_keep_sure(keep, work->now)) {
        work->before = work->now
                       - (int64_t) NGX_HTTP_CODAT_KEEP_GRACE * 1000000;
    }

    if (ngx_http_codat_keep_known(keep, work) != NGX_OK
        || ngx_codat_store_submit(keep->zone->store, &work->work) != NGX_OK)
    {
        ngx_codat_work_free(&work->work);
        return;
    }

    keep->told = ngx_current_msec;
    keep->told_at = work->now;
    keep->telling = 1;
}


static ngx_int_t
ngx_http_codat_keep_known(ngx_http_codat_keep_t *keep,
    ngx_codat_work_routes_t *work)
{
    ngx_str_t                   *route;
    ngx_uint_t                   i;
    ngx_http_codat_queue_t     **queues;
    ngx_http_codat_main_conf_t  *cdmcf;

    static const ngx_str_t  consumers = ngx_string(NGX_CODAT_WORK_CONSUMERS);

    cdmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                                ngx_http_codat_module);

    if (cdmcf == NULL
        || ngx_array_init(&work->routes, work->work.pool,
                          cdmcf->queues.nelts + 2, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    queues = cdmcf->queues.elts;

    for (i = 0; i < cdmcf->queues.nelts; i++) {

        if (queues[i]->zone->data != keep->zone) {
            continue;
        }

        route = ngx_array_push(&work->routes);
        if (route == NULL) {
            return NGX_ERROR;
        }

        /* the configuration outlives the unit: a worker has only one */

        *route = queues[i]->forward->route;
    }

    if (keep->zone->consumers) {
        route = ngx_array_push(&work->routes);
        if (route == NULL) {
            return NGX_ERROR;
        }

        *route = consumers;
    }

    return NGX_OK;
}


/*
 * This configuration is old enough, and so is what the others have told: if
 * the clock was set meanwhile, it only seems so until they tell it again.
 */

static ngx_uint_t
ngx_http_codat_keep_sure(ngx_http_codat_keep_t *keep, int64_t now)
{
    int64_t     passed;
    ngx_msec_t  elapsed;

    if (keep->told_at == 0
        || ngx_current_msec - keep->since < NGX_HTTP_CODAT_KEEP_GRACE * 1000)
    {
        return 0;
    }

    elapsed = ngx_current_msec - keep->told;
    passed = (now - keep->told_at) / 1000;

    if (passed < (int64_t) elapsed + NGX_HTTP_CODAT_KEEP_ROUTES * 1000) {
        return 1;
    }

    keep->since = ngx_current_msec;

    return 0;
}


static void
ngx_http_codat_keep_told(ngx_codat_work_t *w)
{
    ngx_uint_t                i, count;
    ngx_http_codat_keep_t    *keep;
    ngx_codat_work_gone_t    *gone;
    ngx_codat_work_routes_t  *work;

    work = (ngx_codat_work_routes_t *) w;
    keep = w->data;

    keep->telling = 0;

    if (w->rc == NGX_OK) {

        count = 0;
        gone = work->gone.elts;

        for (i = 0; i < work->gone.nelts; i++) {

            count += gone[i].count;

            /* forwards have longer names, of their server and location */

            if (ngx_strncmp(gone[i].route.data, NGX_CODAT_WORK_CONSUMERS,
                            gone[i].route.len)
                == 0)
            {
                ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                              "codat: %ui events and deliveries of store "
                              "\"%V\" do not go to consumers: no "
                              "codat_consumers in the configuration",
                              gone[i].count, &keep->zone->store->path);
                continue;
            }

            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "codat: %ui deliveries of store \"%V\" are given "
                          "up: no such codat_forward in the configuration, "
                          "\"%V\"", gone[i].count,
                          &keep->zone->store->path, &gone[i].route);
        }

        if (count == work->limit) {
            keep->told -= NGX_HTTP_CODAT_KEEP_ROUTES * 1000;
        }
    }

    ngx_codat_work_free(w);
}


/* --- figures ------------------------------------------------------------ */

static void
ngx_http_codat_keep_ask(ngx_http_codat_keep_t *keep)
{
    ngx_codat_work_stats_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_STATS,
                                 sizeof(ngx_codat_work_stats_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return;
    }

    work->work.done = ngx_http_codat_keep_asked;
    work->work.data = keep;
    work->wanted = !keep->seen;

    if (ngx_codat_store_submit(keep->zone->store, &work->work) != NGX_OK) {
        ngx_codat_work_free(&work->work);
        return;
    }

    keep->asking = 1;
}


static void
ngx_http_codat_keep_asked(ngx_codat_work_t *w)
{
    ngx_uint_t               i;
    ngx_http_codat_keep_t   *keep;
    ngx_codat_work_stats_t  *work;
    ngx_codat_zone_store_t  *store;

    work = (ngx_codat_work_stats_t *) w;
    keep = w->data;
    store = &keep->zone->sh->store;

    keep->asking = 0;
    store->asked = ngx_time();

    if (w->rc == NGX_OK) {

        /* what the keeper before this one has counted is better than that */

        for (i = 0; i < NGX_CODAT_QUEUED_STATES; i++) {

            if (!work->unknown
                || work->deliveries[i] > store->deliveries[i])
            {
                store->deliveries[i] = work->deliveries[i];
            }
        }

        if (!work->unknown || work->events > store->events) {
            store->events = work->events;
        }

        store->size = work->size;
        store->oldest = work->oldest;
        store->consumers = work->consumers;
        store->disabled = work->disabled;
        store->failing = work->failing;
        store->outgoing = work->outgoing;

        ngx_http_codat_keep_seen(keep, work);
    }

    ngx_codat_work_free(w);
}


/* silence is to be noticed after a start too */

static void
ngx_http_codat_keep_seen(ngx_http_codat_keep_t *keep,
    ngx_codat_work_stats_t *work)
{
    ngx_uint_t                i;
    ngx_codat_work_newest_t  *newest;

    if (!work->wanted) {
        return;
    }

    newest = work->newest.elts;

    for (i = 0; i < work->newest.nelts; i++) {
        ngx_http_codat_count_seen(keep->zone, &newest[i].type,
                                  newest[i].received);
    }

    keep->seen = 1;
}
