
/*
 * Copyright (C) the authors of the Codat module
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_codat_wake.h"

#if (NGX_HAVE_SYS_EVENTFD_H)
#include <sys/eventfd.h>
#endif


/* for a worker that was killed before it signalled what it had changed */
#define NGX_CODAT_WAKE_SAFETY  1000

/* where there is no eventfd, or it can't be waited for without reading it */
#define NGX_CODAT_WAKE_POLL    10

/* watches that are told before others have their turn */
#define NGX_CODAT_WAKE_BATCH   256

/* seconds by which the clocks of workers, each read now and then, differ */
#define NGX_CODAT_WAKE_MARGIN  5


struct ngx_codat_wakeup_s {
    ngx_queue_t                 queue;
    ngx_str_t                   name;
    ngx_uint_t                  refs;       /* configurations */
    int                         fd;

    /* of this worker */
    ngx_codat_wake_t           *wake;
    ngx_codat_waiters_t        *waiters;
    ngx_connection_t           *connection;
    ngx_event_t                 timer;
    ngx_atomic_uint_t           seen;       /* changes */
    ngx_uint_t                  n;          /* watches */
    time_t                      epoch;      /* wall time less running time */
    ngx_queue_t                 due;
    ngx_rbtree_t                tree;
    ngx_rbtree_node_t           sentinel;
};


static int ngx_codat_wake_eventfd(ngx_str_t *name, ngx_log_t *log);
static void ngx_codat_wake_cleanup(void *data);
static void ngx_codat_wake_begin(ngx_codat_wakeup_t *wakeup,
    ngx_codat_wake_t *wake);
static void ngx_codat_wake_count(ngx_codat_wakeup_t *wakeup);
static ngx_uint_t ngx_codat_wake_gone(ngx_atomic_uint_t pid);
static void ngx_codat_wake_listen(ngx_codat_wakeup_t *wakeup);
static void ngx_codat_wake_close(ngx_codat_wakeup_t *wakeup);
static void ngx_codat_wake_handler(ngx_event_t *rev);
static void ngx_codat_wake_timer_handler(ngx_event_t *ev);
static void ngx_codat_wake_check(ngx_codat_wakeup_t *wakeup, ngx_uint_t all);
static void ngx_codat_wake_tell(ngx_codat_wakeup_t *wakeup);
static void ngx_codat_wake_due(ngx_codat_wakeup_t *wakeup,
    const ngx_codat_change_t *change);
static void ngx_codat_wake_due_all(ngx_codat_wakeup_t *wakeup);
static void ngx_codat_wake_until(ngx_codat_watch_t *watch);
static time_t ngx_codat_wake_epoch(void);
static uint32_t ngx_codat_wake_hash(ngx_uint_t kind, const u_char *key);
static void ngx_codat_wake_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static int ngx_codat_wake_cmp(const ngx_codat_watch_t *watch,
    ngx_rbtree_key_t hash, uint32_t kind, const u_char *key);


#define ngx_codat_wake_of(tree_node)                                          \
    (ngx_codat_watch_t *)                                                     \
        ((u_char *) (tree_node) - offsetof(ngx_codat_watch_t, node))


/* of the master, and inherited */
static ngx_queue_t  ngx_codat_wakeups = { &ngx_codat_wakeups,
                                          &ngx_codat_wakeups };

/* timers log the descriptor of a connection */
static ngx_connection_t  ngx_codat_wake_dummy;


ngx_codat_wakeup_t *
ngx_codat_wake_open(ngx_pool_t *pool, ngx_str_t *name, ngx_log_t *log)
{
    ngx_queue_t         *q;
    ngx_pool_cleanup_t  *cln;
    ngx_codat_wakeup_t  *wakeup;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    for (q = ngx_queue_head(&ngx_codat_wakeups);
         q != ngx_queue_sentinel(&ngx_codat_wakeups);
         q = ngx_queue_next(q))
    {
        wakeup = ngx_queue_data(q, ngx_codat_wakeup_t, queue);

        if (wakeup->name.len == name->len
            && ngx_memcmp(wakeup->name.data, name->data, name->len) == 0)
        {
            goto found;
        }
    }

    wakeup = ngx_calloc(sizeof(ngx_codat_wakeup_t) + name->len, log);
    if (wakeup == NULL) {
        return NULL;
    }

    wakeup->name.data = (u_char *) wakeup + sizeof(ngx_codat_wakeup_t);
    wakeup->name.len = name->len;
    ngx_memcpy(wakeup->name.data, name->data, name->len);

    wakeup->fd = ngx_codat_wake_eventfd(name, log);

    ngx_queue_init(&wakeup->due);
    ngx_rbtree_init(&wakeup->tree, &wakeup->sentinel, ngx_codat_wake_insert);

    ngx_queue_insert_tail(&ngx_codat_wakeups, &wakeup->queue);

found:

    wakeup->refs++;

    cln->handler = ngx_codat_wake_cleanup;
    cln->data = wakeup;

    return wakeup;
}


static int
ngx_codat_wake_eventfd(ngx_str_t *name, ngx_log_t *log)
{
#if (NGX_HAVE_SYS_EVENTFD_H)
    int  fd;

    fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                      "codat: eventfd() for zone \"%V\" failed, waiting "
                      "requests are served by a timer", name);
    }

    return fd;

#else

    return -1;

#endif
}


static void
ngx_codat_wake_cleanup(void *data)
{
    ngx_codat_wakeup_t  *wakeup = data;

    if (--wakeup->refs) {
        return;
    }

    ngx_queue_remove(&wakeup->queue);

    if (wakeup->fd != -1) {
        (void) close(wakeup->fd);
    }

    ngx_free(wakeup);
}


ngx_uint_t
ngx_codat_wake_note_locked(ngx_codat_wake_t *wake, ngx_uint_t kind,
    const u_char *key, uint32_t now)
{
    ngx_codat_change_t  *change;

    if (wake->until[ngx_codat_wake_hash(kind, key)] < now) {
        return 0;
    }

    change = &wake->ring[wake->changes % NGX_CODAT_WAKE_RING];

    change->kind = (uint32_t) kind;
    ngx_memcpy(change->key, key, NGX_CODAT_WAKE_KEY_LEN);

    /* readers have no lock */

    ngx_memory_barrier();

    wake->changes++;

    return 1;
}


void
ngx_codat_wake_note_all_locked(ngx_codat_wake_t *wake)
{
    /* everybody is too far behind then */

    wake->changes += NGX_CODAT_WAKE_RING;
}


void
ngx_codat_wake_signal(ngx_codat_wakeup_t *wakeup)
{
    ssize_t   n;
    uint64_t  one;

    if (wakeup == NULL || wakeup->fd == -1) {
        return;
    }

    one = 1;

    n = write(wakeup->fd, &one, sizeof(uint64_t));

    if (n != (ssize_t) sizeof(uint64_t)) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "codat: write() to eventfd failed");
    }
}


ngx_int_t
ngx_codat_wake_watch(ngx_codat_wakeup_t *wakeup, ngx_codat_wake_t *wake,
    ngx_codat_watch_t *watch, ngx_msec_t timeout)
{
    if (wakeup == NULL || ngx_exiting || ngx_terminate) {
        return NGX_DECLINED;
    }

    if (wakeup->n == 0) {
        ngx_codat_wake_begin(wakeup, wake);
    }

    watch->wakeup = wakeup;
    watch->deadline = ngx_current_msec + timeout;
    watch->due = 0;
    watch->node.key = ngx_codat_wake_hash(watch->kind, watch->key);

    ngx_rbtree_insert(&wakeup->tree, &watch->node);

    wakeup->n++;

    if (wakeup->waiters) {
        wakeup->waiters->n = wakeup->n;
    }

    ngx_codat_wake_until(watch);

    return NGX_OK;
}


void
ngx_codat_wake_unwatch(ngx_codat_watch_t *watch)
{
    ngx_codat_wakeup_t  *wakeup;

    wakeup = watch->wakeup;

    if (wakeup == NULL) {
        return;
    }

    watch->wakeup = NULL;

    ngx_rbtree_delete(&wakeup->tree, &watch->node);

    if (watch->due) {
        ngx_queue_remove(&watch->queue);
    }

    wakeup->n--;

    if (wakeup->waiters) {
        wakeup->waiters->n = wakeup->n;

        if (wakeup->n == 0 && ngx_exiting) {
            wakeup->waiters->pid = 0;
            wakeup->waiters = NULL;
        }
    }

    if (wakeup->n == 0 && wakeup->timer.timer_set) {
        ngx_del_timer(&wakeup->timer);
    }
}


ngx_uint_t
ngx_codat_wake_waiters(ngx_codat_wake_t *wake)
{
    ngx_uint_t            i, n;
    ngx_codat_waiters_t  *waiters;

    n = 0;

    for (i = 0; i < NGX_CODAT_WAKE_WORKERS; i++) {
        waiters = &wake->waiters[i];

        if (waiters->pid && waiters->n
            && !ngx_codat_wake_gone(waiters->pid))
        {
            n += waiters->n;
        }
    }

    return n;
}


/* the first one waits in this worker */

static void
ngx_codat_wake_begin(ngx_codat_wakeup_t *wakeup, ngx_codat_wake_t *wake)
{
    if (wakeup->wake != wake) {
        wakeup->wake = wake;
        wakeup->waiters = NULL;
    }

    if (wakeup->waiters == NULL) {
        ngx_codat_wake_count(wakeup);
    }

    wakeup->seen = wake->changes;
    wakeup->epoch = ngx_codat_wake_epoch();

    ngx_codat_wake_listen(wakeup);

    ngx_codat_wake_dummy.fd = (ngx_socket_t) -1;

    wakeup->timer.handler = ngx_codat_wake_timer_handler;
    wakeup->timer.data = &ngx_codat_wake_dummy;
    wakeup->timer.log = ngx_cycle->log;
    wakeup->timer.cancelable = 1;

    ngx_add_timer(&wakeup->timer, wakeup->connection ? NGX_CODAT_WAKE_SAFETY
                                                     : NGX_CODAT_WAKE_POLL);
}


/* finds the worker its place among those who count; without one it goes on */

static void
ngx_codat_wake_count(ngx_codat_wakeup_t *wakeup)
{
    ngx_uint_t            i;
    ngx_atomic_uint_t     pid;
    ngx_codat_waiters_t  *waiters;

    for (i = 0; i < NGX_CODAT_WAKE_WORKERS; i++) {
        waiters = &wakeup->wake->waiters[i];
        pid = waiters->pid;

        if ((pid == 0
             || pid == (ngx_atomic_uint_t) ngx_pid
             || ngx_codat_wake_gone(pid))
            && ngx_atomic_cmp_set(&waiters->pid, pid,
                                  (ngx_atomic_uint_t) ngx_pid))
        {
            waiters->n = 0;
            wakeup->waiters = waiters;
            return;
        }
    }
}


static ngx_uint_t
ngx_codat_wake_gone(ngx_atomic_uint_t pid)
{
    return kill((ngx_pid_t) pid, 0) == -1 && ngx_errno == ESRCH;
}


/*
 * Edge-triggered, and never read: so one write wakes every worker, whether
 * of this configuration or an older one.  Where that can't be had the timer
 * does it.
 */

static void
ngx_codat_wake_listen(ngx_codat_wakeup_t *wakeup)
{
    ngx_connection_t  *c;

    if (wakeup->connection
        || wakeup->fd == -1
        || !(ngx_event_flags & NGX_USE_CLEAR_EVENT)
        || ngx_cycle->free_connection_n == 0)
    {
        return;
    }

    c = ngx_get_connection(wakeup->fd, ngx_cycle->log);
    if (c == NULL) {
        return;
    }

    c->data = wakeup;
    c->idle = 1;            /* the worker tells us when it is to end */

    c->read->handler = ngx_codat_wake_handler;
    c->read->log = c->log;
    c->write->log = c->log;

    wakeup->connection = c;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK) {
        ngx_codat_wake_close(wakeup);
    }
}


/* the descriptor itself stays open, for other workers are to be woken yet */

static void
ngx_codat_wake_close(ngx_codat_wakeup_t *wakeup)
{
    ngx_connection_t  *c;

    c = wakeup->connection;
    wakeup->connection = NULL;

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    ngx_free_connection(c);

    c->fd = (ngx_socket_t) -1;
}


static void
ngx_codat_wake_handler(ngx_event_t *rev)
{
    ngx_connection_t    *c;
    ngx_codat_wakeup_t  *wakeup;

    c = rev->data;
    wakeup = c->data;

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, rev->log, 0,
                   "codat wake, watches: %ui, close: %d", wakeup->n,
                   c->close);

    if (c->close) {
        ngx_codat_wake_close(wakeup);

        /* not here, in the midst of a loop over the connections */

        if (wakeup->n) {
            ngx_post_event(&wakeup->timer, &ngx_posted_next_events);
        }

        return;
    }

    ngx_codat_wake_check(wakeup, 0);
}


static void
ngx_codat_wake_timer_handler(ngx_event_t *ev)
{
    time_t               epoch;
    ngx_uint_t           all;
    ngx_codat_wakeup_t  *wakeup;

    wakeup = ngx_queue_data(ev, ngx_codat_wakeup_t, timer);

    if (wakeup->n == 0) {
        return;
    }

    all = ngx_exiting;

    epoch = ngx_codat_wake_epoch();

    if (epoch - wakeup->epoch > 1 || wakeup->epoch - epoch > 1) {

        /* the clock was set: nobody may have heard that we wait */

        wakeup->epoch = epoch;
        all = 1;
    }

    if (!ngx_exiting) {
        ngx_codat_wake_listen(wakeup);
    }

    ngx_codat_wake_check(wakeup, all);

    if (wakeup->n) {
        ngx_add_timer(ev, wakeup->connection ? NGX_CODAT_WAKE_SAFETY
                                             : NGX_CODAT_WAKE_POLL);
    }
}


static void
ngx_codat_wake_check(ngx_codat_wakeup_t *wakeup, ngx_uint_t all)
{
    ngx_uint_t           i, n;
    ngx_atomic_uint_t    changes;
    ngx_codat_wake_t    *wake;
    ngx_codat_change_t   ring[NGX_CODAT_WAKE_RING];

    if (wakeup->n == 0) {
        return;
    }

    wake = wakeup->wake;
    changes = wake->changes;

    ngx_memory_barrier();

    n = changes - wakeup->seen;

    if (n < NGX_CODAT_WAKE_RING && !all) {

        for (i = 0; i < n; i++) {
            ring[i] = wake->ring[(wakeup->seen + i) % NGX_CODAT_WAKE_RING];
        }

        ngx_memory_barrier();

        /* the next one is being written where the oldest was */

        all = (wake->changes - wakeup->seen >= NGX_CODAT_WAKE_RING);

    } else {
        all = 1;
    }

    wakeup->seen = changes;

    if (all) {
        ngx_codat_wake_due_all(wakeup);

    } else {
        for (i = 0; i < n; i++) {
            ngx_codat_wake_due(wakeup, &ring[i]);
        }
    }

    ngx_codat_wake_tell(wakeup);
}


/* whoever begins to watch meanwhile has seen what there is to see */

static void
ngx_codat_wake_tell(ngx_codat_wakeup_t *wakeup)
{
    ngx_uint_t          n;
    ngx_queue_t        *q;
    ngx_codat_watch_t  *watch;

    for (n = 0; !ngx_queue_empty(&wakeup->due); n++) {

        if (n == NGX_CODAT_WAKE_BATCH) {
            ngx_post_event(&wakeup->timer, &ngx_posted_next_events);
            return;
        }

        q = ngx_queue_head(&wakeup->due);
        ngx_queue_remove(q);

        watch = ngx_queue_data(q, ngx_codat_watch_t, queue);
        watch->due = 0;

        watch->handler(watch);
    }
}


static void
ngx_codat_wake_due(ngx_codat_wakeup_t *wakeup,
    const ngx_codat_change_t *change)
{
    uint32_t            hash;
    ngx_rbtree_node_t  *node, *first;
    ngx_codat_watch_t  *watch;

    hash = ngx_codat_wake_hash(change->kind, change->key);

    first = NULL;
    node = wakeup->tree.root;

    while (node != &wakeup->sentinel) {
        watch = ngx_codat_wake_of(node);

        if (ngx_codat_wake_cmp(watch, hash, change->kind, change->key) < 0) {
            node = node->right;

        } else {
            first = node;
            node = node->left;
        }
    }

    for (node = first;
         node;
         node = ngx_rbtree_next(&wakeup->tree, node))
    {
        watch = ngx_codat_wake_of(node);

        if (ngx_codat_wake_cmp(watch, hash, change->kind, change->key) != 0) {
            break;
        }

        if (!watch->due) {
            watch->due = 1;
            ngx_queue_insert_tail(&wakeup->due, &watch->queue);
        }
    }
}


static void
ngx_codat_wake_due_all(ngx_codat_wakeup_t *wakeup)
{
    ngx_rbtree_node_t  *node;
    ngx_codat_watch_t  *watch;

    if (wakeup->tree.root == &wakeup->sentinel) {
        return;
    }

    for (node = ngx_rbtree_min(wakeup->tree.root, &wakeup->sentinel);
         node;
         node = ngx_rbtree_next(&wakeup->tree, node))
    {
        watch = ngx_codat_wake_of(node);

        /* in case that the clock was set */

        ngx_codat_wake_until(watch);

        if (!watch->due) {
            watch->due = 1;
            ngx_queue_insert_tail(&wakeup->due, &watch->queue);
        }
    }
}


/* tells the other workers until when somebody waits */

static void
ngx_codat_wake_until(ngx_codat_watch_t *watch)
{
    ngx_atomic_t        *until;
    ngx_msec_int_t       left;
    ngx_atomic_uint_t    old, time;

    left = (ngx_msec_int_t) (watch->deadline - ngx_current_msec);
    left = ngx_max(left, 0);

    time = (ngx_atomic_uint_t) ngx_time()
           + (ngx_atomic_uint_t) left / 1000 + NGX_CODAT_WAKE_MARGIN;

    until = &watch->wakeup->wake->until[ngx_codat_wake_hash(watch->kind,
                                                            watch->key)];

    do {
        old = *until;
    } while (old < time && !ngx_atomic_cmp_set(until, old, time));

    /* before the row is looked at */

    ngx_memory_barrier();
}


static time_t
ngx_codat_wake_epoch(void)
{
    return ngx_time() - (time_t) (ngx_current_msec / 1000);
}


static uint32_t
ngx_codat_wake_hash(ngx_uint_t kind, const u_char *key)
{
    uint32_t    hash, words[NGX_CODAT_WAKE_KEY_LEN / sizeof(uint32_t)];
    ngx_uint_t  i;

    ngx_memcpy(words, key, NGX_CODAT_WAKE_KEY_LEN);

    hash = (uint32_t) kind;

    for (i = 0; i < NGX_CODAT_WAKE_KEY_LEN / sizeof(uint32_t); i++) {
        hash = (hash ^ words[i]) * 0x9e3779b1U;
        hash ^= hash >> 15;
    }

    return hash & (NGX_CODAT_WAKE_FILTER - 1);
}


/* by hash, kind and key, those of one row by their addresses */

static void
ngx_codat_wake_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    int                   rc;
    ngx_rbtree_node_t   **p;
    ngx_codat_watch_t    *watch;

    watch = ngx_codat_wake_of(node);

    for ( ;; ) {

        rc = ngx_codat_wake_cmp(ngx_codat_wake_of(temp), node->key,
                                watch->kind, watch->key);

        if (rc == 0) {
            rc = (temp < node) ? -1 : 1;
        }

        p = (rc > 0) ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static int
ngx_codat_wake_cmp(const ngx_codat_watch_t *watch, ngx_rbtree_key_t hash,
    uint32_t kind, const u_char *key)
{
    if (watch->node.key != hash) {
        return watch->node.key < hash ? -1 : 1;
    }

    if (watch->kind != kind) {
        return watch->kind < kind ? -1 : 1;
    }

    return ngx_memcmp(watch->key, key, NGX_CODAT_WAKE_KEY_LEN);
}
