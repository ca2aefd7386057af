
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  The queue of a store, see ngx_codat_store.h.  All of it is of one
 * process: while a group is under way in a thread, the next one collects.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#if (NGX_THREADS)
#include <ngx_thread_pool.h>
#endif

#include "ngx_codat_share.h"
#include "ngx_codat_store.h"


#if (NGX_THREADS)

/* events of tasks are no timers, and without one a worker may exit */
#define NGX_CODAT_STORE_TICK  60000

/*
 * What nobody waits for, deliveries to consumers, goes in groups of its own,
 * smaller ones, and while webhooks come takes a share of the time, of all
 * workers together.
 */
#define NGX_CODAT_STORE_LATER  64

/*
 * Those who are answered when a group is on disk send the next one: if it
 * begins without them, they wait for two commits, always.  So it waits for as
 * many as there were, no longer than a fourth of what a commit takes and so
 * many msec; where that was in vain, not again for so many groups.
 */
#define NGX_CODAT_STORE_GATHER  5
#define NGX_CODAT_STORE_VAIN    16

/*
 * Units that are over wake requests: as long as the turn of the event loop is
 * not older than so many usec, but a few in any case, and the rest in the next
 * turn.
 */
#define NGX_CODAT_STORE_TURN    2000
#define NGX_CODAT_STORE_FEW     8


typedef struct {
    ngx_codat_store_t                *store;
    void                             *handle;
    ngx_log_t                        *log;

    ngx_codat_work_t                 *first;    /* that wait */
    ngx_codat_work_t                **last;
    ngx_codat_work_t                 *later;    /* that nobody waits for */
    ngx_codat_work_t                **later_last;
    ngx_uint_t                        units;
    ngx_uint_t                        ready;    /* of these, in "first" */
    size_t                            bytes;

    ngx_codat_work_t                 *group;    /* under way */
    ngx_codat_work_t                 *over;     /* nobody knows of yet */
    ngx_codat_work_t                **over_last;
    ngx_uint_t                        running;
    ngx_thread_task_t                *task;
    ngx_uint_t                        expected; /* in the next group */
    ngx_uint_t                        vain;
    ngx_msec_t                        posted;   /* 0: a group of "later" */
    ngx_msec_t                        took;     /* the last group */
    ngx_event_t                       gather;
    ngx_event_t                       timer;
    ngx_event_t                       turn;     /* of "later" */
    ngx_event_t                       rest;     /* of "over" */
    ngx_connection_t                  dummy;
    uint64_t                          began;    /* a group of "later" */

    ngx_atomic_t                      logged;
    ngx_uint_t                        unlogged;
    u_char                            error[NGX_CODAT_STORE_ERROR];
} ngx_codat_store_worker_t;


static void ngx_codat_store_next(ngx_codat_store_worker_t *worker);
static void ngx_codat_store_group(ngx_codat_store_worker_t *worker,
    ngx_uint_t later);
static void ngx_codat_store_expect(ngx_codat_store_worker_t *worker);
static ngx_uint_t ngx_codat_store_gathers(ngx_codat_store_worker_t *worker);
static void ngx_codat_store_gather_handler(ngx_event_t *ev);
static ngx_uint_t ngx_codat_store_turn(ngx_codat_store_worker_t *worker);
static void ngx_codat_store_rest(ngx_codat_store_worker_t *worker);
static uint64_t ngx_codat_store_msec(void);
static void ngx_codat_store_turn_handler(ngx_event_t *ev);
static void ngx_codat_store_thread(void *data, ngx_log_t *log);
static void ngx_codat_store_handler(ngx_event_t *ev);
static int64_t ngx_codat_store_turned(void);
static void ngx_codat_store_over(ngx_codat_store_worker_t *worker);
static void ngx_codat_store_rest_handler(ngx_event_t *ev);
static void ngx_codat_store_count(ngx_codat_store_worker_t *worker);
static void ngx_codat_store_log(ngx_codat_store_worker_t *worker);
static void ngx_codat_store_tick(ngx_event_t *ev);
static void ngx_codat_store_end(ngx_codat_store_worker_t *worker,
    ngx_uint_t later);
static void ngx_codat_store_free(ngx_codat_work_t **works);


ngx_int_t
ngx_codat_store_start(ngx_codat_store_t *store, ngx_cycle_t *cycle)
{
    ngx_thread_task_t         *task;
    ngx_codat_store_worker_t  *worker;

    static ngx_str_t  name = ngx_string("default");

    store->pool = ngx_thread_pool_get(cycle, &name);

    task = ngx_thread_task_alloc(cycle->pool,
                                 sizeof(ngx_codat_store_worker_t));
    if (task == NULL || store->pool == NULL) {
        return NGX_ERROR;
    }

    worker = task->ctx;

    ngx_memzero(worker, sizeof(ngx_codat_store_worker_t));

    worker->store = store;
    worker->log = cycle->log;
    worker->last = &worker->first;
    worker->later_last = &worker->later;
    worker->over_last = &worker->over;
    worker->task = task;

    worker->handle = store->backend->create(store, cycle->log);
    if (worker->handle == NULL) {
        return NGX_ERROR;
    }

    task->handler = ngx_codat_store_thread;
    task->event.handler = ngx_codat_store_handler;
    task->event.data = worker;
    task->event.log = cycle->log;

    worker->dummy.fd = (ngx_socket_t) -1;
    worker->timer.handler = ngx_codat_store_tick;
    worker->timer.data = &worker->dummy;
    worker->timer.log = cycle->log;

    worker->dummy.data = worker;
    worker->turn.handler = ngx_codat_store_turn_handler;
    worker->turn.data = &worker->dummy;
    worker->turn.log = cycle->log;
    worker->turn.cancelable = 1;

    worker->gather.handler = ngx_codat_store_gather_handler;
    worker->gather.data = &worker->dummy;
    worker->gather.log = cycle->log;

    worker->rest.handler = ngx_codat_store_rest_handler;
    worker->rest.data = worker;
    worker->rest.log = cycle->log;

    store->worker = worker;

    return NGX_OK;
}


ngx_int_t
ngx_codat_store_submit(ngx_codat_store_t *store, ngx_codat_work_t *work)
{
    ngx_codat_store_worker_t  *worker;

    worker = store->worker;

    if (worker == NULL) {
        return NGX_BUSY;
    }

    /* what is the end of something is never too much */

    if ((worker->units >= NGX_CODAT_STORE_UNITS
         || worker->bytes + work->bytes > NGX_CODAT_STORE_BYTES)
        && work->op != NGX_CODAT_WORK_DONE
        && work->op != NGX_CODAT_WORK_RESULT
        && work->op != NGX_CODAT_WORK_DISPATCHED
        && work->op != NGX_CODAT_WORK_RELEASE)
    {
        return NGX_BUSY;
    }

    work->next = NULL;
    work->rc = NGX_ERROR;

    if (ngx_codat_work_later(work)) {
        *worker->later_last = work;
        worker->later_last = &work->next;

    } else {
        *worker->last = work;
        worker->last = &work->next;
        worker->ready++;
    }

    worker->units++;
    worker->bytes += work->bytes;

    /*
     * The others of this turn of the event loop are to come along: the task
     * is posted when they have been read.
     */

    if (worker->group == NULL && !worker->task->event.posted) {
        ngx_post_event(&worker->task->event, &ngx_posted_events);
    }

    return NGX_OK;
}


/* moves what waits to the group, as much as one may have */

static void
ngx_codat_store_group(ngx_codat_store_worker_t *worker, ngx_uint_t later)
{
    size_t               size;
    ngx_uint_t           n, max;
    ngx_codat_work_t    *work, **next, **first, ***last;

    first = later ? &worker->later : &worker->first;
    last = later ? &worker->later_last : &worker->last;
    max = later ? NGX_CODAT_STORE_LATER : NGX_CODAT_STORE_GROUP;

    size = 0;
    n = 0;

    worker->group = *first;

    for (next = first; (work = *next) != NULL; next = &work->next) {

        if (n == max || (n && size + work->bytes > NGX_CODAT_STORE_SIZE)) {
            break;
        }

        n++;
        size += work->bytes;
    }

    *first = work;
    *next = NULL;

    if (work == NULL) {
        *last = first;
    }

    worker->running = n;
    worker->units -= n;
    worker->ready -= later ? 0 : n;
    worker->bytes -= size;
}


/* how many can be there soon: those of the group, and those who wait */

static void
ngx_codat_store_expect(ngx_codat_store_worker_t *worker)
{
    worker->expected = 0;

    if (worker->posted == 0) {
        return;
    }

    worker->took = ngx_current_msec - worker->posted;

    if (worker->vain) {
        worker->vain--;
        return;
    }

    worker->expected = worker->running + worker->ready;
}


/* whether those who were answered are waited for */

static ngx_uint_t
ngx_codat_store_gathers(ngx_codat_store_worker_t *worker)
{
    ngx_msec_t  msec;

    msec = ngx_min(worker->took / 4, NGX_CODAT_STORE_GATHER);

    if (msec == 0 || worker->ready >= worker->expected) {
        return 0;
    }

    /* some are not answered yet */

    if (worker->over) {
        return 1;
    }

    if (!worker->gather.timer_set) {
        ngx_add_timer(&worker->gather, msec);
    }

    return 1;
}


static void
ngx_codat_store_gather_handler(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_codat_store_worker_t  *worker;

    c = ev->data;
    worker = c->data;

    if (worker->ready * 2 < worker->expected) {
        worker->vain = NGX_CODAT_STORE_VAIN;
    }

    worker->expected = 0;

    ngx_codat_store_next(worker);
}


static uint64_t
ngx_codat_store_msec(void)
{
    volatile ngx_time_t  *tp;

    tp = ngx_cached_time;

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


/* whether it is the turn of what nobody waits for; if not, when it will be */

static ngx_uint_t
ngx_codat_store_turn(ngx_codat_store_worker_t *worker)
{
    uint64_t                   now, at, wait;
    ngx_codat_store_health_t  *health;

    if (worker->later == NULL) {
        return 0;
    }

    health = worker->store->health;

    if (health == NULL
        || (worker->first == NULL
            && (time_t) health->wrote + 1 < ngx_time()))
    {
        return 1;
    }

    now = ngx_codat_store_msec();
    at = health->later;
    wait = ngx_codat_share_wait(now, at);

    if (wait) {

        if (!worker->turn.timer_set) {
            ngx_add_timer(&worker->turn, (ngx_msec_t) wait);
        }

        return 0;
    }

    if (!ngx_atomic_cmp_set(&health->later, (ngx_atomic_uint_t) at,
                            (ngx_atomic_uint_t) ngx_codat_share_begin(now)))
    {
        if (!worker->turn.timer_set) {
            ngx_add_timer(&worker->turn, 10);
        }

        return 0;
    }

    worker->began = now;

    return 1;
}


static void
ngx_codat_store_rest(ngx_codat_store_worker_t *worker)
{
    if (worker->began == 0) {
        return;
    }

    worker->store->health->later = (ngx_atomic_uint_t)
                                   ngx_codat_share_end(worker->began,
                                                     ngx_codat_store_msec());
    worker->began = 0;
}


static void
ngx_codat_store_turn_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    ngx_codat_store_next(c->data);
}


static void
ngx_codat_store_next(ngx_codat_store_worker_t *worker)
{
    ngx_uint_t  later;

    if (worker->group) {
        return;
    }

    later = ngx_codat_store_turn(worker);

    if (!later
        && (worker->first == NULL || ngx_codat_store_gathers(worker)))
    {
        return;
    }

    if (worker->gather.timer_set) {
        ngx_del_timer(&worker->gather);
    }

    ngx_codat_store_group(worker, later);

    worker->posted = later ? 0 : ngx_current_msec;

    worker->error[0] = '\0';

    if (ngx_thread_task_post(worker->store->pool, worker->task) != NGX_OK) {

        /* the units say so themselves: rc is NGX_ERROR until they are done */

        ngx_cpystrn(worker->error, (u_char *) "the thread pool is full, give "
                    "\"thread_pool\" more threads or a larger max_queue",
                    NGX_CODAT_STORE_ERROR);

        worker->task->event.complete = 1;
        ngx_post_event(&worker->task->event, &ngx_posted_events);

        return;
    }

    if (!worker->timer.timer_set) {
        ngx_add_timer(&worker->timer, NGX_CODAT_STORE_TICK);
    }
}


static void
ngx_codat_store_thread(void *data, ngx_log_t *log)
{
    ngx_codat_store_worker_t *worker = data;

    worker->store->backend->run(worker->handle, worker->group,
                                worker->error);
}


/* the end of a group, and without one the begin of the next */

static void
ngx_codat_store_handler(ngx_event_t *ev)
{
    ngx_codat_store_worker_t  *worker;

    worker = ev->data;

    if (!ev->complete) {
        ngx_codat_store_next(worker);
        return;
    }

    ev->complete = 0;

    ngx_codat_store_log(worker);
    ngx_codat_store_count(worker);
    ngx_codat_store_rest(worker);

    *worker->over_last = worker->group;

    while (*worker->over_last) {
        worker->over_last = &(*worker->over_last)->next;
    }

    ngx_codat_store_expect(worker);

    worker->group = NULL;
    worker->running = 0;

    ngx_codat_store_next(worker);

    /* when what else is to be read in this turn has been */

    ngx_post_event(&worker->rest, &ngx_posted_events);
}


/* how long this turn of the event loop has taken, to a millisecond; usec */

static int64_t
ngx_codat_store_turned(void)
{
    struct timeval  now;

    ngx_gettimeofday(&now);

    return (int64_t) now.tv_sec * 1000000 + now.tv_usec
           - (int64_t) ngx_codat_store_msec() * 1000;
}


/* what waits for these units goes on, or some of it */

static void
ngx_codat_store_over(ngx_codat_store_worker_t *worker)
{
    ngx_uint_t         n;
    ngx_codat_work_t  *work;

    for (n = 1; (work = worker->over) != NULL; n++) {

        worker->over = work->next;

        if (worker->over == NULL) {
            worker->over_last = &worker->over;
        }

        work->done(work);

        if (worker->over == NULL
            || n % NGX_CODAT_STORE_FEW
            || ngx_codat_store_turned() < NGX_CODAT_STORE_TURN)
        {
            continue;
        }

        /* the timer keeps a worker that exits until all is done */

        if (!worker->timer.timer_set) {
            ngx_add_timer(&worker->timer, NGX_CODAT_STORE_TICK);
        }

        ngx_post_event(&worker->rest, &ngx_posted_next_events);

        return;
    }

    ngx_codat_store_next(worker);

    if (worker->group == NULL && worker->timer.timer_set) {
        ngx_del_timer(&worker->timer);
    }
}


static void
ngx_codat_store_rest_handler(ngx_event_t *ev)
{
    ngx_codat_store_over(ev->data);
}


/* that reads succeed says little of a disk that is full */

static void
ngx_codat_store_count(ngx_codat_store_worker_t *worker)
{
    ngx_uint_t                 failed, wrote;
    ngx_codat_work_t          *work;
    ngx_codat_store_health_t  *health;

    health = worker->store->health;

    if (health == NULL) {
        return;
    }

    failed = 0;
    wrote = 0;

    for (work = worker->group; work; work = work->next) {

        if (work->rc == NGX_ERROR) {
            failed++;

        } else if (work->op == NGX_CODAT_WORK_RECEIVE
                   || work->op == NGX_CODAT_WORK_DONE
                   || work->op == NGX_CODAT_WORK_RESULT)
        {
            wrote = 1;
        }
    }

    if (wrote) {
        health->wrote = (ngx_atomic_uint_t) ngx_time();
    }

    if (failed) {
        (void) ngx_atomic_fetch_add(&health->failures, failed);
        health->failed = (ngx_atomic_uint_t) ngx_time();

    } else if (wrote && health->failed) {
        health->failed = 0;
    }
}


/*
 * Once a second, of all workers together: what goes wrong goes wrong for each
 * unit.
 */

static void
ngx_codat_store_log(ngx_codat_store_worker_t *worker)
{
    ngx_atomic_t       *logged;
    ngx_atomic_uint_t   last, now;

    if (worker->error[0] == '\0') {
        return;
    }

    logged = worker->store->health ? &worker->store->health->logged
                                   : &worker->logged;
    last = *logged;
    now = (ngx_atomic_uint_t) ngx_time();

    if (last == now || !ngx_atomic_cmp_set(logged, last, now)) {
        worker->unlogged++;
        return;
    }

    ngx_log_error(NGX_LOG_CRIT, worker->log, 0,
                  "codat: store \"%V\" of zone \"%V\" failed: %s, "
                  "%ui more times since this was said last",
                  &worker->store->path, &worker->store->zone, worker->error,
                  worker->unlogged);

    worker->unlogged = 0;
}


static void
ngx_codat_store_tick(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_CODAT_STORE_TICK);
}


ngx_uint_t
ngx_codat_store_waiting(ngx_codat_store_t *store)
{
    ngx_codat_store_worker_t  *worker;

    worker = store->worker;

    return worker ? worker->units + worker->running : 0;
}


void
ngx_codat_store_stop(ngx_codat_store_t *store, ngx_log_t *log)
{
    ngx_codat_store_worker_t  *worker;

    worker = store->worker;

    if (worker == NULL) {
        return;
    }

    worker->log = log;

    if (worker->turn.timer_set) {
        ngx_del_timer(&worker->turn);
    }

    /* a group that a thread was given has been done: pools end before */

    ngx_codat_store_free(&worker->group);
    ngx_codat_store_free(&worker->over);

    /* what became of attempts, before what is under way is given back */

    while (worker->later) {
        ngx_codat_store_end(worker, 1);
    }

    while (worker->first) {
        ngx_codat_store_end(worker, 0);
    }

    store->backend->close(worker->handle);

    store->worker = NULL;
}


/* does a group here and now, but for claims: nobody would do what they get */

static void
ngx_codat_store_end(ngx_codat_store_worker_t *worker, ngx_uint_t later)
{
    ngx_codat_work_t  *work, **next;

    ngx_codat_store_group(worker, later);

    next = &worker->group;

    while ((work = *next) != NULL) {

        if (work->op == NGX_CODAT_WORK_CLAIM
            || work->op == NGX_CODAT_WORK_DISPATCH)
        {
            *next = work->next;
            ngx_codat_work_free(work);
            continue;
        }

        next = &work->next;
    }

    if (worker->group == NULL) {
        return;
    }

    worker->error[0] = '\0';

    worker->store->backend->run(worker->handle, worker->group, worker->error);

    ngx_codat_store_log(worker);
    ngx_codat_store_free(&worker->group);
}


static void
ngx_codat_store_free(ngx_codat_work_t **works)
{
    ngx_codat_work_t  *work;

    while ((work = *works) != NULL) {
        *works = work->next;
        ngx_codat_work_free(work);
    }
}

#else

/* the configuration refuses stores where there are no threads */

ngx_int_t
ngx_codat_store_start(ngx_codat_store_t *store, ngx_cycle_t *cycle)
{
    return NGX_ERROR;
}


ngx_int_t
ngx_codat_store_submit(ngx_codat_store_t *store, ngx_codat_work_t *work)
{
    return NGX_BUSY;
}


ngx_uint_t
ngx_codat_store_waiting(ngx_codat_store_t *store)
{
    return 0;
}


void
ngx_codat_store_stop(ngx_codat_store_t *store, ngx_log_t *log)
{
}

#endif
