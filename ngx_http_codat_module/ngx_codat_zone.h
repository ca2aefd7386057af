
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the shared memory zone: its life over configurations, one
 * class of fixed cells with a hash index and a queue per kind, the lock, and
 * the repair after a worker died with the lock held.  Does not know what the
 * rows mean.
 */


#ifndef _NGX_CODAT_ZONE_H_INCLUDED_
#define _NGX_CODAT_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_CODAT_ZONE_KEY_LEN   16

#define NGX_CODAT_ZONE_NONE      ((uint32_t) -1)


typedef enum {
    NGX_CODAT_ROW_FREE = 0,
    NGX_CODAT_ROW_DELIVERY,
    NGX_CODAT_ROW_KINDS
} ngx_codat_row_kind_e;


/*
 * One cell, 64 bytes, one row.  Links are indices into the cells.  "kind" is
 * written last when a row is made and first when it is dropped, so that the
 * cells alone tell what exists.
 */
typedef struct {
    uint32_t                hash;
    uint32_t                next;       /* of the same bucket, or free */
    uint32_t                newer;      /* in the queue of the kind */
    uint32_t                older;
    uint8_t                 kind;
    uint8_t                 state;
    uint16_t                attempts;
    uint32_t                touched;    /* wall time, in seconds */
    uint64_t                succeeded;
    uint64_t                owner;
    uint32_t                body;
    uint32_t                routes;
    u_char                  key[NGX_CODAT_ZONE_KEY_LEN];
} ngx_codat_row_t;


typedef struct {
    uint32_t                newest;
    uint32_t                oldest;
    uint32_t                count;
} ngx_codat_queue_t;


typedef struct {
    uint32_t                dirty;      /* somebody is changing links */
    uint32_t                free;
    uint32_t                ncells;
    uint32_t                mask;       /* buckets - 1 */
    ngx_codat_queue_t       queues[NGX_CODAT_ROW_KINDS];
    ngx_atomic_t            evicted;    /* rows dropped before their time */
    ngx_atomic_t            unstored;   /* rows for which was no room */
    ngx_atomic_t            conflicts;  /* one id, different bodies */
    ngx_atomic_t            repaired;   /* times the links were rebuilt */
    u_char                  seed[16];
    uint32_t               *buckets;    /* shared memory: mapped alike in */
    ngx_codat_row_t        *cells;      /* all workers */
} ngx_codat_zone_sh_t;


typedef struct {
    ngx_codat_zone_sh_t    *sh;
    ngx_slab_pool_t        *shpool;
    ngx_shm_zone_t         *shm_zone;
    time_t                  dedupe;     /* seconds, 0: off */
    time_t                  retain;     /* seconds */
} ngx_codat_zone_t;


/*
 * The init callback of the shared memory zone, whose data is an
 * ngx_codat_zone_t: adopts what an older configuration left, or builds anew.
 * Returns NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_codat_zone_init(ngx_shm_zone_t *shm_zone, void *data);

/*
 * Takes the lock, and repairs the links first if the last holder died with
 * it.  No logging, no allocation from pools and no hashing until unlocked.
 */
void ngx_codat_zone_lock(ngx_codat_zone_t *zone);

void ngx_codat_zone_unlock(ngx_codat_zone_t *zone);

/* Finds a row by kind and key; NULL if there is none. */
ngx_codat_row_t *ngx_codat_zone_find_locked(ngx_codat_zone_t *zone,
    ngx_uint_t kind, const u_char *key);

/*
 * Takes a free cell, zeroes it but for its key, links it as the newest of its
 * kind.  Returns NULL when none is free: the caller evicts and calls again.
 */
ngx_codat_row_t *ngx_codat_zone_insert_locked(ngx_codat_zone_t *zone,
    ngx_uint_t kind, const u_char *key, uint32_t now);

/* Unlinks a row and frees its cell. */
void ngx_codat_zone_drop_locked(ngx_codat_zone_t *zone, ngx_codat_row_t *row);

/* Makes a row the newest of its kind. */
void ngx_codat_zone_touch_locked(ngx_codat_zone_t *zone, ngx_codat_row_t *row,
    uint32_t now);

/* The row behind an index; NULL for NGX_CODAT_ZONE_NONE. */
ngx_codat_row_t *ngx_codat_zone_row(ngx_codat_zone_t *zone, uint32_t index);


#endif /* _NGX_CODAT_ZONE_H_INCLUDED_ */
