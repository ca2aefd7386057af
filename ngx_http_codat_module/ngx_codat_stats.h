
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the counters of a zone: a small table in shared memory that
 * is found without a lock and grows by the counters that are really used.
 */


#ifndef _NGX_CODAT_STATS_H_INCLUDED_
#define _NGX_CODAT_STATS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
#define X(NAME, metric, type, help)  NGX_CODAT_STAT_##NAME,
#include "ngx_codat_counters_x.h"
#undef X
    NGX_CODAT_STATS_FAMILIES
} ngx_codat_stat_e;


/* an id is written once and never taken back */

typedef struct {
    ngx_atomic_t            id;         /* 0: free */
    ngx_atomic_t            value;
} ngx_codat_counter_t;


typedef struct {
    ngx_uint_t              mask;
    ngx_atomic_t            lost;       /* adds that found the table full */
    ngx_codat_counter_t     counters[1];
} ngx_codat_stats_t;


/*
 * The id of a counter: its family, labels below 1024, 256 and 256, and a
 * hash for one of an open set (a forward).  It is never 0.  Where atomics
 * have 32 bits the hash is cut off, and the forwards are counted as one.
 */
#define ngx_codat_stat_id(family, a, b, c, hash)                              \
    (((uint64_t) (hash) << 32) | ((uint64_t) ((family) + 1) << 26)            \
     | ((uint64_t) (a) << 16) | ((uint64_t) (b) << 8) | (uint64_t) (c))

#define ngx_codat_stat_family(id)  ((((ngx_uint_t) (id) >> 26) & 0x3f) - 1)
#define ngx_codat_stat_a(id)       (((ngx_uint_t) (id) >> 16) & 0x3ff)
#define ngx_codat_stat_b(id)       (((ngx_uint_t) (id) >> 8) & 0xff)
#define ngx_codat_stat_c(id)       ((ngx_uint_t) (id) & 0xff)


/* Bytes of the table for a zone of that size. */
size_t ngx_codat_stats_size(size_t zone_size);

/* Makes the table in zeroed memory of that many bytes. */
void ngx_codat_stats_init(ngx_codat_stats_t *stats, size_t size);

/* Adds to a counter, which is made where there is none. */
void ngx_codat_stats_add(ngx_codat_stats_t *stats, uint64_t id,
    ngx_uint_t n);

/* Raises a gauge to a value if that is greater. */
void ngx_codat_stats_max(ngx_codat_stats_t *stats, uint64_t id,
    ngx_uint_t value);

/* The value of a counter; 0 if there is none. */
ngx_uint_t ngx_codat_stats_get(ngx_codat_stats_t *stats, uint64_t id);

/*
 * The next counter that was made, in no order, "*i" being 0 at first.
 * Returns NGX_OK, or NGX_DONE at the end.
 */
ngx_int_t ngx_codat_stats_next(ngx_codat_stats_t *stats, ngx_uint_t *i,
    uint64_t *id, ngx_uint_t *value);


#endif /* _NGX_CODAT_STATS_H_INCLUDED_ */
