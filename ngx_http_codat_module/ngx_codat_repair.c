
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the repair, see ngx_codat_repair.h.  All workers wait for it,
 * so it reads the cells in the order in which they lie, sorts numbers and not
 * cells, and has memory fetched well before it is needed.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_cell.h"
#include "ngx_codat_fetch.h"
#include "ngx_codat_repair.h"
#include "ngx_codat_table.h"

#include <sys/mman.h>


/* DATA whose row has not been found */
#define NGX_CODAT_REPAIR_LOOSE  NGX_CODAT_ROW_KINDS

/* what is at hand if there is no memory: then it takes longer */
#define NGX_CODAT_REPAIR_KEYS   32768

/* rows of which memory is fetched in advance */
#define NGX_CODAT_REPAIR_AHEAD  16

/* so few are sorted by comparing */
#define NGX_CODAT_REPAIR_FEW    32


typedef enum {
    NGX_CODAT_REPAIR_TOUCHED = 0,
    NGX_CODAT_REPAIR_SEQ,
    NGX_CODAT_REPAIR_STAMP
} ngx_codat_repair_order_e;


/* a number of a row, and where the row is: so no two are equal */
#define ngx_codat_repair_key(number, i)  ((uint64_t) (number) << 32 | (i))
#define ngx_codat_repair_cell(key)       ((uint32_t) (key))

#define ngx_codat_repair_is_row(row)                                          \
    ((row)->kind >= NGX_CODAT_ROW_DELIVERY                                    \
     && (row)->kind < NGX_CODAT_ROW_KINDS)


static void ngx_codat_repair_reset(ngx_codat_zone_sh_t *sh);
static void ngx_codat_repair_rows(ngx_codat_zone_sh_t *sh);
static ngx_uint_t ngx_codat_repair_claim(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row);
static void ngx_codat_repair_cells(ngx_codat_zone_sh_t *sh);
static void ngx_codat_repair_links(ngx_codat_zone_sh_t *sh);
static void ngx_codat_repair_check_links(ngx_codat_zone_sh_t *sh,
    uint32_t *links, ngx_uint_t n);
static void ngx_codat_repair_order(ngx_codat_zone_sh_t *sh, uint64_t *keys,
    size_t size, ngx_codat_repair_order_e order);
static size_t ngx_codat_repair_collect(ngx_codat_zone_sh_t *sh,
    uint64_t *keys, size_t size, ngx_codat_repair_order_e order,
    uint64_t from, ngx_uint_t *more);
static void ngx_codat_repair_string(ngx_codat_zone_sh_t *sh,
    const uint64_t *keys, size_t n, ngx_codat_repair_order_e order);
static uint32_t ngx_codat_repair_number(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row, ngx_codat_repair_order_e order);
static void ngx_codat_repair_sort(uint64_t *keys, size_t n);
static void ngx_codat_repair_digit(uint64_t *keys, size_t n,
    ngx_uint_t shift);
static void ngx_codat_repair_sort_few(uint64_t *keys, size_t n);


void
ngx_codat_repair_locked(ngx_codat_zone_sh_t *sh)
{
    void             *p;
    size_t            size;

    static uint64_t   keys[NGX_CODAT_REPAIR_KEYS];

    if (sh->fresh <= NGX_CODAT_REPAIR_KEYS) {
        ngx_codat_repair_with_locked(sh, keys, NGX_CODAT_REPAIR_KEYS);
        return;
    }

    /* no more of it is ever touched than there are rows */

    size = sh->fresh * sizeof(uint64_t);

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANON|MAP_PRIVATE, -1, 0);

    if (p == MAP_FAILED) {
        ngx_codat_repair_with_locked(sh, keys, NGX_CODAT_REPAIR_KEYS);
        return;
    }

    ngx_codat_repair_with_locked(sh, p, sh->fresh);

    (void) munmap(p, size);
}


void
ngx_codat_repair_with_locked(ngx_codat_zone_sh_t *sh, uint64_t *keys,
    size_t size)
{
    ngx_codat_cell_redo(sh);

    ngx_codat_repair_reset(sh);
    ngx_codat_repair_rows(sh);
    ngx_codat_repair_cells(sh);

    ngx_codat_repair_order(sh, keys, size, NGX_CODAT_REPAIR_TOUCHED);
    ngx_codat_repair_order(sh, keys, size, NGX_CODAT_REPAIR_SEQ);
    ngx_codat_repair_order(sh, keys, size, NGX_CODAT_REPAIR_STAMP);

    ngx_codat_repair_links(sh);
}


static void
ngx_codat_repair_reset(ngx_codat_zone_sh_t *sh)
{
    ngx_uint_t  i;

    /* NGX_CODAT_ZONE_NONE */

    ngx_memset(sh->buckets, 0xff, (sh->mask + 1) * sizeof(uint32_t));
    ngx_memset(sh->groups, 0xff, (sh->groups_mask + 1) * sizeof(uint32_t));
    ngx_memset(sh->free, 0xff, sizeof(sh->free));

    sh->nfree = 0;

    for (i = 0; i < NGX_CODAT_QUEUES; i++) {
        sh->queues[i].newest = NGX_CODAT_ZONE_NONE;
        sh->queues[i].oldest = NGX_CODAT_ZONE_NONE;
        sh->queues[i].count = 0;
        sh->cells_of[i] = 0;
    }

    for (i = 0; i < NGX_CODAT_ROW_KINDS; i++) {
        sh->created[i].newest = NGX_CODAT_ZONE_NONE;
        sh->created[i].oldest = NGX_CODAT_ZONE_NONE;
        sh->created[i].count = 0;
    }

    ngx_memzero(sh->states, sizeof(sh->states));
}


/* finds out which rows there are */

static void
ngx_codat_repair_rows(ngx_codat_zone_sh_t *sh)
{
    uint32_t          i;
    ngx_codat_row_t  *row;

    for (i = 0; i < sh->fresh; i++) {

        if (sh->cells[i].kind == NGX_CODAT_ROW_DATA) {
            sh->cells[i].kind = NGX_CODAT_REPAIR_LOOSE;
        }
    }

    for (i = 0; i < sh->fresh; i++) {
        row = &sh->cells[i];

        if (ngx_codat_repair_is_row(row)
            && !ngx_codat_repair_claim(sh, row))
        {
            row->kind = NGX_CODAT_ROW_FREE;
        }
    }
}


/* takes the cells of its record for a row; one that has none yet is no row */

static ngx_uint_t
ngx_codat_repair_claim(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row)
{
    uint32_t           i;
    ngx_uint_t         n;
    ngx_codat_value_t  value;

    if (row->kind == NGX_CODAT_ROW_DELIVERY) {
        row->queue = (uint8_t) ngx_codat_delivery_queue(row);
        sh->created[NGX_CODAT_ROW_DELIVERY].count++;
        return 1;
    }

    value = row->u.record.value;

    if (row->kind == NGX_CODAT_ROW_LINK) {
        row->queue = NGX_CODAT_QUEUE_NONE;
        return value.word != 0;
    }

    i = value.part.data;

    for (n = ngx_codat_cell_need(value.part.len); n; n--) {

        if (i >= sh->fresh || sh->cells[i].kind != NGX_CODAT_REPAIR_LOOSE) {
            return 0;
        }

        sh->cells[i].kind = NGX_CODAT_ROW_DATA;
        i = sh->cells[i].next;
    }

    sh->states[row->kind][value.part.state % NGX_CODAT_ZONE_STATES]++;

    /* the state may have changed already, and the queue not yet */

    row->queue = (uint8_t) ngx_codat_table_queue(row->kind,
                                                 value.part.state);

    return 1;
}


/* rows are found by their keys, and what belongs to no row is free */

static void
ngx_codat_repair_cells(ngx_codat_zone_sh_t *sh)
{
    uint32_t          i;
    ngx_uint_t        n;
    ngx_codat_row_t  *row;

    n = 0;

    /* the lowest cells are used next */

    for (i = sh->fresh; i > 0; i--) {
        row = &sh->cells[i - 1];

        if (i > NGX_CODAT_REPAIR_AHEAD
            && ngx_codat_repair_is_row(row - NGX_CODAT_REPAIR_AHEAD))
        {
            ngx_codat_fetch_bucket(sh, row - NGX_CODAT_REPAIR_AHEAD);
        }

        if (row->kind == NGX_CODAT_ROW_FREE
            || row->kind >= NGX_CODAT_ROW_KINDS)
        {
            if (++n == NGX_CODAT_ZONE_RUN) {
                ngx_codat_run_free_locked(sh, i - 1, n);
                n = 0;
            }

            continue;
        }

        if (n) {
            ngx_codat_run_free_locked(sh, i, n);
            n = 0;
        }

        if (row->kind != NGX_CODAT_ROW_DATA) {
            ngx_codat_cell_index_row(sh, row);
        }
    }

    if (n) {
        ngx_codat_run_free_locked(sh, 0, n);
    }
}


/* drops links whose push was being dropped */

static void
ngx_codat_repair_links(ngx_codat_zone_sh_t *sh)
{
    uint32_t    i, links[NGX_CODAT_FETCH_ROWS];
    ngx_uint_t  n;

    if (sh->created[NGX_CODAT_ROW_LINK].count == 0) {
        return;
    }

    n = 0;

    for (i = 0; i < sh->fresh; i++) {

        if (sh->cells[i].kind != NGX_CODAT_ROW_LINK) {
            continue;
        }

        links[n++] = i;

        if (n == NGX_CODAT_FETCH_ROWS) {
            ngx_codat_repair_check_links(sh, links, n);
            n = 0;
        }
    }

    ngx_codat_repair_check_links(sh, links, n);
}


static void
ngx_codat_repair_check_links(ngx_codat_zone_sh_t *sh, uint32_t *links,
    ngx_uint_t n)
{
    uint32_t          hashes[NGX_CODAT_FETCH_ROWS];
    ngx_uint_t        i;
    ngx_codat_row_t  *row;

    ngx_memzero(hashes, sizeof(hashes));

    for (i = 0; i < n; i++) {
        hashes[i] = ngx_codat_cell_hash(sh, NGX_CODAT_ROW_PUSH,
                                        sh->cells[links[i]].key);
    }

    ngx_codat_fetch_rows(sh, hashes, NULL, n);

    for (i = 0; i < n; i++) {
        row = &sh->cells[links[i]];

        if (ngx_codat_cell_find_locked(sh, NGX_CODAT_ROW_PUSH, row->key)
            == NULL)
        {
            ngx_codat_cell_drop_locked(sh, row);
        }
    }
}


/* strings rows together by their numbers, as many at a time as can be had */

static void
ngx_codat_repair_order(ngx_codat_zone_sh_t *sh, uint64_t *keys, size_t size,
    ngx_codat_repair_order_e order)
{
    size_t      n;
    uint64_t    from;
    ngx_uint_t  more;

    from = 0;

    do {
        n = ngx_codat_repair_collect(sh, keys, size, order, from, &more);

        ngx_codat_repair_string(sh, keys, n, order);

        from = more ? keys[n - 1] + 1 : 0;

    } while (more);
}


/*
 * Finds the lowest keys from that one on, sorted, and returns how many; sets
 * "more" if there are others behind them.
 */

static size_t
ngx_codat_repair_collect(ngx_codat_zone_sh_t *sh, uint64_t *keys, size_t size,
    ngx_codat_repair_order_e order, uint64_t from, ngx_uint_t *more)
{
    size_t            n;
    uint32_t          i;
    uint64_t          key, bound;
    ngx_uint_t        least;
    ngx_codat_row_t  *row;

    n = 0;
    *more = 0;
    bound = (uint64_t) -1;

    /* deliveries are in queues only */

    least = (order == NGX_CODAT_REPAIR_TOUCHED) ? NGX_CODAT_ROW_DELIVERY
                                                : NGX_CODAT_ROW_DELIVERY + 1;

    for (i = 0; i < sh->fresh; i++) {
        row = &sh->cells[i];

        if (row->kind < least) {
            continue;
        }

        key = ngx_codat_repair_key(ngx_codat_repair_number(sh, row, order),
                                   i);

        if (key < from || key > bound) {
            continue;
        }

        if (n == size) {

            /* the upper half has to wait for another turn */

            ngx_codat_repair_sort(keys, n);

            n = size / 2;
            bound = keys[n - 1];
            *more = 1;

            if (key > bound) {
                continue;
            }
        }

        keys[n++] = key;
    }

    ngx_codat_repair_sort(keys, n);

    return n;
}


static void
ngx_codat_repair_string(ngx_codat_zone_sh_t *sh, const uint64_t *keys,
    size_t n, ngx_codat_repair_order_e order)
{
    size_t               i;
    uint32_t             ahead;
    ngx_codat_row_t     *row;
    ngx_codat_prefix_t   prefix;

    for (i = 0; i < n; i++) {
        row = &sh->cells[ngx_codat_repair_cell(keys[i])];

        if (i + NGX_CODAT_REPAIR_AHEAD < n) {
            ahead = ngx_codat_repair_cell(keys[i + NGX_CODAT_REPAIR_AHEAD]);

            ngx_codat_fetch_row(sh, ahead, order == NGX_CODAT_REPAIR_STAMP);
        }

        if (order == NGX_CODAT_REPAIR_TOUCHED) {
            ngx_codat_cell_enqueue(sh, row);
            continue;
        }

        if (order == NGX_CODAT_REPAIR_SEQ) {
            ngx_codat_cell_enlist(sh, row);
            continue;
        }

        ngx_codat_cell_prefix(sh, row, &prefix);

        if (prefix.group) {
            ngx_codat_cell_join(sh, row, prefix.group);
        }
    }
}


static uint32_t
ngx_codat_repair_number(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row,
    ngx_codat_repair_order_e order)
{
    ngx_codat_prefix_t  prefix;

    if (order == NGX_CODAT_REPAIR_TOUCHED) {
        return row->touched;
    }

    /* counters that wrapped keep their order if counted from the newest */

    if (order == NGX_CODAT_REPAIR_SEQ) {
        return row->seq - sh->seq - 1;
    }

    ngx_codat_cell_prefix(sh, row, &prefix);

    return prefix.stamp - sh->stamp - 1;
}


/* rows often lie in order, and the highest bits are mostly the same */

static void
ngx_codat_repair_sort(uint64_t *keys, size_t n)
{
    size_t      i;
    uint64_t    bits;
    ngx_uint_t  shift, sorted;

    bits = 0;
    sorted = 1;

    for (i = 1; i < n; i++) {
        bits |= keys[i] ^ keys[i - 1];
        sorted &= (keys[i] > keys[i - 1]);
    }

    if (sorted) {
        return;
    }

    for (shift = 56; shift && bits >> (shift + 7) == 0; shift--) {
        /* void */
    }

    ngx_codat_repair_digit(keys, n, shift);
}


/*
 * Sorts by one byte, in place: each key goes where those of its byte begin,
 * and what was there goes on from there.  Then each byte's keys by the next.
 */

static void
ngx_codat_repair_digit(uint64_t *keys, size_t n, ngx_uint_t shift)
{
    size_t      next[256], end[256], start;
    uint64_t    key, other;
    ngx_uint_t  i, digit;

    if (n <= NGX_CODAT_REPAIR_FEW) {
        ngx_codat_repair_sort_few(keys, n);
        return;
    }

    ngx_memzero(end, sizeof(end));

    for (start = 0; start < n; start++) {
        end[keys[start] >> shift & 0xff]++;
    }

    start = 0;

    for (i = 0; i < 256; i++) {
        next[i] = start;
        start += end[i];
        end[i] = start;
    }

    for (i = 0; i < 256; i++) {

        while (next[i] < end[i]) {
            key = keys[next[i]];

            for (digit = key >> shift & 0xff;
                 digit != i;
                 digit = key >> shift & 0xff)
            {
                other = keys[next[digit]];
                keys[next[digit]++] = key;
                key = other;
            }

            keys[next[i]++] = key;
        }
    }

    if (shift == 0) {
        return;
    }

    start = 0;

    for (i = 0; i < 256; i++) {

        if (end[i] - start > 1) {
            ngx_codat_repair_digit(keys + start, end[i] - start,
                                   shift > 8 ? shift - 8 : 0);
        }

        start = end[i];
    }
}


static void
ngx_codat_repair_sort_few(uint64_t *keys, size_t n)
{
    size_t    i, k;
    uint64_t  key;

    for (i = 1; i < n; i++) {
        key = keys[i];

        for (k = i; k > 0 && keys[k - 1] > key; k--) {
            keys[k] = keys[k - 1];
        }

        keys[k] = key;
    }
}
