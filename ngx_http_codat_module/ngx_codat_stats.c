
/*
 * Copyright (C) the authors of the Codat module
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_stats.h"


#define NGX_CODAT_STATS_MIN    128
#define NGX_CODAT_STATS_MAX    4096

/* of the zone at most, once that is more than the least */
#define NGX_CODAT_STATS_PART   16

#define NGX_CODAT_STATS_PROBES 64


static ngx_codat_counter_t *ngx_codat_stats_find(ngx_codat_stats_t *stats,
    uint64_t id, ngx_uint_t create);
static ngx_uint_t ngx_codat_stats_slot(uint64_t id);


size_t
ngx_codat_stats_size(size_t zone_size)
{
    size_t  n;

    n = NGX_CODAT_STATS_MIN;

    while (n < NGX_CODAT_STATS_MAX
           && 2 * n * sizeof(ngx_codat_counter_t)
              <= zone_size / NGX_CODAT_STATS_PART)
    {
        n *= 2;
    }

    return offsetof(ngx_codat_stats_t, counters)
           + n * sizeof(ngx_codat_counter_t);
}


void
ngx_codat_stats_init(ngx_codat_stats_t *stats, size_t size)
{
    size_t  n, room;

    room = (size - offsetof(ngx_codat_stats_t, counters))
           / sizeof(ngx_codat_counter_t);

    for (n = 1; 2 * n <= room; n *= 2) {
        /* void */
    }

    stats->mask = n - 1;
    stats->lost = 0;
}


void
ngx_codat_stats_add(ngx_codat_stats_t *stats, uint64_t id, ngx_uint_t n)
{
    ngx_codat_counter_t  *counter;

    counter = ngx_codat_stats_find(stats, id, 1);

    if (counter == NULL) {
        (void) ngx_atomic_fetch_add(&stats->lost, 1);
        return;
    }

    (void) ngx_atomic_fetch_add(&counter->value, n);
}


void
ngx_codat_stats_max(ngx_codat_stats_t *stats, uint64_t id, ngx_uint_t value)
{
    ngx_atomic_uint_t     old;
    ngx_codat_counter_t  *counter;

    counter = ngx_codat_stats_find(stats, id, 1);

    if (counter == NULL) {
        (void) ngx_atomic_fetch_add(&stats->lost, 1);
        return;
    }

    do {
        old = counter->value;

    } while (old < value
             && !ngx_atomic_cmp_set(&counter->value, old, value));
}


ngx_uint_t
ngx_codat_stats_get(ngx_codat_stats_t *stats, uint64_t id)
{
    ngx_codat_counter_t  *counter;

    counter = ngx_codat_stats_find(stats, id, 0);

    return counter ? counter->value : 0;
}


ngx_int_t
ngx_codat_stats_next(ngx_codat_stats_t *stats, ngx_uint_t *i, uint64_t *id,
    ngx_uint_t *value)
{
    ngx_codat_counter_t  *counter;

    while (*i <= stats->mask) {
        counter = &stats->counters[(*i)++];

        if (counter->id) {
            *id = counter->id;
            *value = counter->value;

            return NGX_OK;
        }
    }

    return NGX_DONE;
}


/*
 * A counter is in the first place behind its slot that was free when it was
 * made.  As nothing is ever taken back, two workers that make the same one
 * meet at the same place, and a worker that is killed leaves at worst a
 * counter of 0.
 */

static ngx_codat_counter_t *
ngx_codat_stats_find(ngx_codat_stats_t *stats, uint64_t id,
    ngx_uint_t create)
{
    ngx_uint_t            i, slot;
    ngx_atomic_uint_t     key, found;
    ngx_codat_counter_t  *counter;

    key = (ngx_atomic_uint_t) id;
    slot = ngx_codat_stats_slot((uint64_t) key);

    for (i = 0; i < NGX_CODAT_STATS_PROBES && i <= stats->mask; i++) {

        counter = &stats->counters[(slot + i) & stats->mask];
        found = counter->id;

        if (found == 0 && create) {
            (void) ngx_atomic_cmp_set(&counter->id, 0, key);
            found = counter->id;
        }

        if (found == key) {
            return counter;
        }

        if (found == 0) {
            return NULL;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_codat_stats_slot(uint64_t id)
{
    /* the finalizer of MurmurHash3 */

    id ^= id >> 33;
    id *= 0xff51afd7ed558ccdULL;
    id ^= id >> 33;
    id *= 0xc4ceb9fe1a85ec53ULL;
    id ^= id >> 33;

    return (ngx_uint_t) id;
}
