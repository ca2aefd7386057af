
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the shared memory zone: its life over configurations and
 * processes, what lies where in it, the lock, and the repair after a worker
 * died with the lock held.  Does not know what the rows mean.
 */


#ifndef _NGX_CODAT_ZONE_H_INCLUDED_
#define _NGX_CODAT_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_recent.h"
#include "ngx_codat_stats.h"
#include "ngx_codat_store.h"
#include "ngx_codat_wake.h"


#define NGX_CODAT_ZONE_KEY_LEN   16

#define NGX_CODAT_ZONE_NONE      ((uint32_t) -1)

/* bytes of a packed record in one cell */
#define NGX_CODAT_ZONE_DATA_LEN  59

/* free cells side by side that are kept together */
#define NGX_CODAT_ZONE_RUN       4

/* states of rows that are counted */
#define NGX_CODAT_ZONE_STATES    8


typedef enum {
    NGX_CODAT_ROW_FREE = 0,
    NGX_CODAT_ROW_DATA,                 /* not a row: behind one */
    NGX_CODAT_ROW_DELIVERY,
    NGX_CODAT_ROW_PUSH,
    NGX_CODAT_ROW_LINK,                 /* from a reference to a push */
    NGX_CODAT_ROW_CONNECTION,
    NGX_CODAT_ROW_DATASET,
    NGX_CODAT_ROW_COMPANY,
    NGX_CODAT_ROW_CLIENT,
    NGX_CODAT_ROW_KINDS
} ngx_codat_row_kind_e;


/* rows of one queue are as disposable as each other, the oldest most of all */

typedef enum {
    NGX_CODAT_QUEUE_NONE = 0,           /* goes with another row */
    NGX_CODAT_QUEUE_DELIVERIES,
    NGX_CODAT_QUEUE_PENDING,            /* pushes */
    NGX_CODAT_QUEUE_FINAL,
    NGX_CODAT_QUEUE_CONNECTIONS,
    NGX_CODAT_QUEUE_DATASETS,
    NGX_CODAT_QUEUE_COMPANIES,
    NGX_CODAT_QUEUE_GONE,               /* deleted connections, companies */
    NGX_CODAT_QUEUE_CLIENTS,
    NGX_CODAT_QUEUE_RUNNING,            /* deliveries being worked on */
    NGX_CODAT_QUEUES
} ngx_codat_queue_e;


/*
 * One store of eight bytes publishes it, so that a worker that is killed
 * leaves a row as it was or as it was to be.
 */
typedef union {
    uint64_t                    word;
    struct {
        uint32_t                data;   /* the first cell, or none */
        uint16_t                len;
        uint8_t                 state;
        uint8_t                 flags;
    } part;
} ngx_codat_value_t;


/*
 * A cell has 64 bytes and is a row, or DATA behind one, or free.  Links are
 * indices into the cells.  "kind" is written last when a row is made and
 * first when it is dropped, so that the cells alone tell what exists.
 */
typedef struct {
    uint32_t                    next;   /* of the same bucket, or free */
    uint8_t                     kind;
    uint8_t                     queue;
    uint8_t                     state;  /* of a delivery */
    uint8_t                     linked; /* a push: a reference leads to it */
    uint32_t                    newer;  /* in the queue */
    uint32_t                    older;
    uint32_t                    touched;  /* wall time, in seconds */
    uint32_t                    seq;    /* order of creation; of a delivery,
                                           how often it was received */
    union {
        struct {
            uint64_t            succeeded;
            uint64_t            owner;
            uint32_t            body;
            uint32_t            routes;
        } delivery;

        struct {
            ngx_codat_value_t   value;
            uint32_t            newer;  /* of its kind, by creation */
            uint32_t            older;
            uint32_t            later;  /* in its group */
            uint32_t            sooner; /* or, with the top bit, a bucket */
        } record;
    } u;
    u_char                      key[NGX_CODAT_ZONE_KEY_LEN];
} ngx_codat_row_t;


typedef struct {
    uint32_t                    next;
    uint8_t                     kind;
    u_char                      bytes[NGX_CODAT_ZONE_DATA_LEN];
} ngx_codat_data_t;


typedef struct {
    uint32_t                    newest;
    uint32_t                    oldest;
    uint32_t                    count;
} ngx_codat_queue_t;


/*
 * A record that is about to be written over another one, in the same cells:
 * if a worker is killed in the midst of it, the repair does it again.
 */
typedef struct {
    uint32_t                    row;    /* or none */
    ngx_codat_value_t           value;
    u_char                      bytes[NGX_CODAT_ZONE_RUN
                                      * NGX_CODAT_ZONE_DATA_LEN];
} ngx_codat_redo_t;


/* workers whose queues are told apart */
#define NGX_CODAT_ZONE_WORKERS   64


/* a worker as the store knows it; who takes its place looks after it */

typedef struct {
    uint64_t                    owner;  /* 0: nobody, or it has ended well */
    ngx_pid_t                   pid;
} ngx_codat_zone_owner_t;


/*
 * What the workers know together of a store: who keeps the zone up to date
 * with it, how far that is, and what the store said of itself last.
 */
typedef struct {
    uint64_t                    keeper; /* a worker, 0: nobody */
    time_t                      until;  /* its lease */
    uint64_t                    version[NGX_CODAT_RECORD_KINDS];
    uint32_t                    loaded; /* all that was there at the start */
    time_t                      pruned;
    time_t                      asked;  /* for what follows */
    uint64_t                    deliveries[NGX_CODAT_QUEUED_STATES];
    uint64_t                    events;
    uint64_t                    size;   /* of its files, in bytes */
    int64_t                     oldest; /* receipt of what is not over, usec */
    uint64_t                    consumers;  /* all; of these: */
    uint64_t                    disabled;
    uint64_t                    failing;
    uint64_t                    outgoing;   /* deliveries to them, not over */
    uint32_t                    waiting[NGX_CODAT_ZONE_WORKERS];
    ngx_codat_zone_owner_t      owners[NGX_CODAT_ZONE_WORKERS];
    ngx_codat_store_health_t    health;
} ngx_codat_zone_store_t;


typedef struct {
    uint32_t                    dirty;  /* somebody is changing links */
    uint32_t                    free[NGX_CODAT_ZONE_RUN];  /* by length */
    uint32_t                    nfree;  /* in the lists, without fresh ones */
    uint32_t                    fresh;  /* from here on never used */
    uint32_t                    ncells;
    uint32_t                    mask;   /* buckets - 1 */
    uint32_t                    groups_mask;
    uint32_t                    seq;    /* of the row made last */
    uint32_t                    stamp;  /* of the link in a group made last */
    uint32_t                    id;     /* of this zone, in cursors */
    ngx_codat_queue_t           queues[NGX_CODAT_QUEUES];
    ngx_codat_queue_t           created[NGX_CODAT_ROW_KINDS];
    uint32_t                    states[NGX_CODAT_ROW_KINDS]
                                      [NGX_CODAT_ZONE_STATES];
    uint32_t                    cells_of[NGX_CODAT_QUEUES];
    ngx_codat_redo_t            redo;
    uint64_t                    seed[2];
    time_t                      born;
    uint32_t                    asked_at;   /* pushes asked for, in that */
    uint32_t                    asked;      /* second */
    ngx_codat_zone_store_t      store;

    /* shared memory is mapped alike in all workers */
    uint32_t                   *buckets;
    uint32_t                   *groups;
    ngx_codat_row_t            *cells;
    ngx_codat_recent_t         *recent;
    ngx_codat_stats_t          *stats;
    ngx_codat_wake_t           *wake;
} ngx_codat_zone_sh_t;


typedef struct {
    ngx_codat_zone_sh_t        *sh;
    ngx_slab_pool_t            *shpool;
    ngx_shm_zone_t             *shm_zone;
    time_t                      dedupe; /* seconds, 0: off */
    time_t                      retain; /* seconds */
    ngx_codat_store_t          *store;  /* or NULL */
    ngx_uint_t                  consumers;  /* unsigned  consumers:1;  events
                                               are for consumers too */
    ngx_uint_t                  lookups;    /* unsigned  lookups:1;  there is
                                               a codat_lookup in it */
    ngx_codat_wakeup_t         *wakeup; /* of this process */
    uint32_t                    ahead;  /* cells this process has touched */
    uint64_t                    recent_ahead;   /* the same of events */
    uint64_t                    recent_touched;
} ngx_codat_zone_t;


/*
 * The init callback of the shared memory zone, whose data is an
 * ngx_codat_zone_t: adopts what an older configuration left, or builds anew.
 * Returns NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_codat_zone_init(ngx_shm_zone_t *shm_zone, void *data);

/*
 * Takes the lock, and repairs the links first if the last holder died with
 * it.  No logging, no allocation from pools and no hashing of texts until
 * unlocked.
 */
void ngx_codat_zone_lock(ngx_codat_zone_t *zone);

/* Gives it back: the links are whole again. */
void ngx_codat_zone_unlock(ngx_codat_zone_t *zone);


#endif /* _NGX_CODAT_ZONE_H_INCLUDED_ */
