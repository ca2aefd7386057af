
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the waking of those who wait for a row, in whatever worker
 * they are: what of it lies in the zone, one eventfd for each zone, made in
 * the master, and the list of who waits for what in this worker.  Does not
 * know what the rows mean, nor what the waiters are.
 */


#ifndef _NGX_CODAT_WAKE_H_INCLUDED_
#define _NGX_CODAT_WAKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


#define NGX_CODAT_WAKE_KEY_LEN   16
#define NGX_CODAT_WAKE_FILTER    512    /* a power of two */
#define NGX_CODAT_WAKE_RING      128
#define NGX_CODAT_WAKE_WORKERS   64


typedef struct ngx_codat_wakeup_s  ngx_codat_wakeup_t;
typedef struct ngx_codat_watch_s   ngx_codat_watch_t;


typedef struct {
    uint32_t                    kind;
    u_char                      key[NGX_CODAT_WAKE_KEY_LEN];
} ngx_codat_change_t;


/* by process, so that the number of one that was killed does not stay */

typedef struct {
    ngx_atomic_t                pid;    /* 0: free */
    ngx_atomic_t                n;
} ngx_codat_waiters_t;


/*
 * What is shared, in zeroed memory of the zone.  "until" tells how long
 * somebody waits for a row, by a hash of it: what a killed worker has not
 * taken back ends by itself.
 */
typedef struct {
    ngx_atomic_t                changes;    /* ever noted */
    ngx_atomic_t                until[NGX_CODAT_WAKE_FILTER];  /* wall time */
    ngx_codat_waiters_t         waiters[NGX_CODAT_WAKE_WORKERS];
    ngx_codat_change_t          ring[NGX_CODAT_WAKE_RING];
} ngx_codat_wake_t;


/*
 * Called when the row may have changed, and, with ngx_exiting set, when this
 * worker is about to end.  May end the watch, and any other.
 */
typedef void (*ngx_codat_watch_handler_pt)(ngx_codat_watch_t *watch);


/* "handler", "data", "kind" and "key" are the caller's, the rest private */

struct ngx_codat_watch_s {
    ngx_codat_watch_handler_pt  handler;
    void                       *data;
    uint32_t                    kind;
    u_char                      key[NGX_CODAT_WAKE_KEY_LEN];

    ngx_rbtree_node_t           node;
    ngx_queue_t                 queue;
    ngx_codat_wakeup_t         *wakeup;     /* NULL: not watching */
    ngx_msec_t                  deadline;
    ngx_uint_t                  due;        /* unsigned  due:1; */
};


/*
 * The waking for the zone of that name, the same over configurations, so
 * that old and new workers share the eventfd.  To be called while the
 * configuration is read; ends with the pool.  Returns NULL if memory is out.
 */
ngx_codat_wakeup_t *ngx_codat_wake_open(ngx_pool_t *pool, ngx_str_t *name,
    ngx_log_t *log);

/*
 * Notes that a row has changed, if somebody may be waiting for it.  Called
 * with the lock of the zone; returns 1 if ngx_codat_wake_signal() is to be
 * called once the lock is released, else 0.
 */
ngx_uint_t ngx_codat_wake_note_locked(ngx_codat_wake_t *wake,
    ngx_uint_t kind, const u_char *key, uint32_t now);

/*
 * Notes that any row may have changed: for a repair, since who died with the
 * lock may have changed a row that it had not noted.
 */
void ngx_codat_wake_note_all_locked(ngx_codat_wake_t *wake);

/* Wakes all workers.  A no-op if "wakeup" is NULL. */
void ngx_codat_wake_signal(ngx_codat_wakeup_t *wakeup);

/*
 * Has the handler called when the row changes, for at most "timeout", which
 * the caller keeps.  What was there before is not told: look at the row after
 * this call, and no change is lost.  Returns NGX_OK, or NGX_DECLINED if this
 * worker is about to end.
 */
ngx_int_t ngx_codat_wake_watch(ngx_codat_wakeup_t *wakeup,
    ngx_codat_wake_t *wake, ngx_codat_watch_t *watch, ngx_msec_t timeout);

/* Ends a watch.  A no-op if there is none. */
void ngx_codat_wake_unwatch(ngx_codat_watch_t *watch);

/* How many watches there are at present, in all workers. */
ngx_uint_t ngx_codat_wake_waiters(ngx_codat_wake_t *wake);


#endif /* _NGX_CODAT_WAKE_H_INCLUDED_ */
