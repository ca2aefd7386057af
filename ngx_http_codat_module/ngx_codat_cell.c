
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the cells, see ngx_codat_cell.h.  A worker may be killed
 * between any two stores: what a row says changes by one store, and the links
 * are made anew by ngx_codat_repair.c.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_cell.h"
#include "ngx_codat_fetch.h"


static ngx_uint_t ngx_codat_cell_fits(const ngx_codat_row_t *row,
    size_t len);
static void ngx_codat_cell_overwrite(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row, ngx_codat_value_t value,
    const ngx_codat_prefix_t *prefix, const u_char *p);
static uint32_t ngx_codat_cell_chain(ngx_codat_zone_sh_t *sh,
    const ngx_codat_prefix_t *prefix, const u_char *p, size_t len);
static void ngx_codat_cell_unchain(ngx_codat_zone_sh_t *sh, uint32_t row,
    ngx_codat_value_t value);
static void ngx_codat_cell_dequeue(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row);
static void ngx_codat_cell_delist(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row);
static void ngx_codat_cell_leave(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row);
static void ngx_codat_cell_index_new(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row);
static void ngx_codat_cell_unindex(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row);


#define ngx_codat_cell_state(sh, row)                                         \
    (sh)->states[(row)->kind][(row)->u.record.value.part.state                \
                              % NGX_CODAT_ZONE_STATES]


ngx_codat_row_t *
ngx_codat_cell_row(ngx_codat_zone_sh_t *sh, uint32_t index)
{
    return index == NGX_CODAT_ZONE_NONE ? NULL : &sh->cells[index];
}


/*
 * The finalizer of a multiplicative hash over both halves of the key, each
 * blinded by half of the seed: nobody outside can choose keys that collide.
 */

uint32_t
ngx_codat_cell_hash(ngx_codat_zone_sh_t *sh, ngx_uint_t kind,
    const u_char *key)
{
    uint64_t  half[2], hash;

    ngx_memcpy(half, key, sizeof(half));

    hash = (half[0] ^ sh->seed[0]) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 32;
    hash = (hash + (half[1] ^ sh->seed[1]) + kind) * 0xd6e8feb86659fd93ULL;
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 29;

    return (uint32_t) (hash >> 7) | 1;
}


ngx_codat_row_t *
ngx_codat_cell_find_locked(ngx_codat_zone_sh_t *sh, ngx_uint_t kind,
    const u_char *key)
{
    uint32_t          i;
    ngx_codat_row_t  *row;

    for (i = sh->buckets[(ngx_codat_cell_hash(sh, kind, key) >> 1)
                         & sh->mask];
         i != NGX_CODAT_ZONE_NONE;
         i = row->next)
    {
        row = &sh->cells[i];

        if (kind != NGX_CODAT_ROW_DELIVERY) {
            ngx_codat_fetch_row(sh, i, 1);
        }

        if (row->kind == kind
            && ngx_memcmp(row->key, key, NGX_CODAT_ZONE_KEY_LEN) == 0)
        {
            return row;
        }
    }

    return NULL;
}


ngx_codat_row_t *
ngx_codat_cell_insert_locked(ngx_codat_zone_sh_t *sh, ngx_uint_t kind,
    ngx_uint_t queue, const u_char *key, ngx_uint_t cells, uint32_t now)
{
    uint32_t          i;
    ngx_codat_row_t  *row;

    i = ngx_codat_run_take_locked(sh, &cells);

    if (i == NGX_CODAT_ZONE_NONE) {
        return NULL;
    }

    if (cells > 1) {
        ngx_codat_run_free_locked(sh, i + 1, cells - 1);
    }

    row = &sh->cells[i];

    ngx_memzero(row, sizeof(ngx_codat_row_t));
    ngx_memcpy(row->key, key, NGX_CODAT_ZONE_KEY_LEN);

    row->queue = (uint8_t) queue;
    row->touched = now;

    if (kind != NGX_CODAT_ROW_DELIVERY) {
        row->seq = ++sh->seq;

        if (kind != NGX_CODAT_ROW_LINK) {
            row->u.record.value.part.data = NGX_CODAT_ZONE_NONE;
        }
    }

    ngx_memory_barrier();

    row->kind = (uint8_t) kind;

    ngx_codat_cell_index_new(sh, row);
    ngx_codat_cell_enqueue(sh, row);
    ngx_codat_cell_enlist(sh, row);

    return row;
}


void
ngx_codat_cell_drop_locked(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row)
{
    ngx_codat_value_t  value;

    ngx_codat_cell_unindex(sh, row);
    ngx_codat_cell_dequeue(sh, row);
    ngx_codat_cell_delist(sh, row);
    ngx_codat_cell_leave(sh, row);

    value.word = 0;
    value.part.data = NGX_CODAT_ZONE_NONE;

    if (row->kind != NGX_CODAT_ROW_DELIVERY
        && row->kind != NGX_CODAT_ROW_LINK)
    {
        value = row->u.record.value;
    }

    ngx_codat_cell_unchain(sh, ngx_codat_cell_index(sh, row), value);
}


void
ngx_codat_cell_touch_locked(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row,
    ngx_uint_t queue, uint32_t now)
{
    row->touched = now;

    if (row->queue == queue && row->newer == NGX_CODAT_ZONE_NONE) {
        return;
    }

    ngx_codat_cell_dequeue(sh, row);

    row->queue = (uint8_t) queue;

    ngx_codat_cell_enqueue(sh, row);
}


ngx_int_t
ngx_codat_cell_write_locked(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row,
    ngx_codat_value_t value, uint32_t group, const u_char *p)
{
    uint32_t            cells;
    ngx_uint_t          moved, fits;
    ngx_codat_value_t   old;
    ngx_codat_prefix_t  prefix;

    fits = ngx_codat_cell_fits(row, value.part.len);

    if (ngx_codat_run_room(sh) < ngx_codat_cell_more(row, value.part.len)) {
        return NGX_DECLINED;
    }

    old = row->u.record.value;

    ngx_codat_cell_prefix(sh, row, &prefix);

    moved = (prefix.group != group);

    if (moved) {
        prefix.group = group;
        prefix.stamp = ++sh->stamp;
    }

    if (!fits) {
        value.part.data = ngx_codat_cell_chain(sh, &prefix, p,
                                               value.part.len);
    }

    cells = sh->cells_of[row->queue] - (uint32_t) ngx_codat_cell_count(row);

    if (old.part.data != NGX_CODAT_ZONE_NONE) {
        ngx_codat_cell_state(sh, row)--;
    }

    if (moved) {
        ngx_codat_cell_leave(sh, row);
    }

    if (fits) {
        ngx_codat_cell_overwrite(sh, row, value, &prefix, p);

    } else {
        ngx_memory_barrier();

        row->u.record.value = value;

        ngx_memory_barrier();
    }

    sh->cells_of[row->queue] = cells + (uint32_t) ngx_codat_cell_count(row);

    ngx_codat_cell_state(sh, row)++;

    if (moved && group) {
        ngx_codat_cell_join(sh, row, group);
    }

    if (!fits) {
        ngx_codat_cell_unchain(sh, NGX_CODAT_ZONE_NONE, old);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_codat_cell_more(const ngx_codat_row_t *row, size_t len)
{
    return ngx_codat_cell_fits(row, len) ? 0 : ngx_codat_cell_need(len);
}


/* 1 if a record of that length takes the cells that the row has */

static ngx_uint_t
ngx_codat_cell_fits(const ngx_codat_row_t *row, size_t len)
{
    ngx_uint_t         need;
    ngx_codat_value_t  old;

    old = row->u.record.value;
    need = ngx_codat_cell_need(len);

    return old.part.data != NGX_CODAT_ZONE_NONE
           && need <= NGX_CODAT_ZONE_RUN
           && need == ngx_codat_cell_need(old.part.len);
}


/* so that a record stays beside its row, and nothing is taken nor freed */

static void
ngx_codat_cell_overwrite(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row,
    ngx_codat_value_t value, const ngx_codat_prefix_t *prefix,
    const u_char *p)
{
    u_char  *dst;

    value.part.data = row->u.record.value.part.data;

    dst = ngx_cpymem(sh->redo.bytes, prefix, sizeof(ngx_codat_prefix_t));

    ngx_memcpy(dst, p, value.part.len);

    sh->redo.value = value;

    ngx_memory_barrier();

    sh->redo.row = ngx_codat_cell_index(sh, row);

    ngx_memory_barrier();

    ngx_codat_cell_redo(sh);
}


void
ngx_codat_cell_redo(ngx_codat_zone_sh_t *sh)
{
    size_t             n, len;
    u_char            *p;
    uint32_t           i;
    ngx_codat_data_t  *data;

    if (sh->redo.row == NGX_CODAT_ZONE_NONE) {
        return;
    }

    p = sh->redo.bytes;
    len = sizeof(ngx_codat_prefix_t) + sh->redo.value.part.len;

    for (i = sh->redo.value.part.data; len; i = data->next) {
        data = (ngx_codat_data_t *) &sh->cells[i];

        n = ngx_min(len, NGX_CODAT_ZONE_DATA_LEN);

        ngx_memcpy(data->bytes, p, n);

        p += n;
        len -= n;
    }

    sh->cells[sh->redo.row].u.record.value = sh->redo.value;

    ngx_memory_barrier();

    sh->redo.row = NGX_CODAT_ZONE_NONE;

    ngx_memory_barrier();
}


size_t
ngx_codat_cell_read(ngx_codat_zone_sh_t *sh, const ngx_codat_row_t *row,
    ngx_codat_prefix_t *prefix, u_char *p, size_t size)
{
    size_t             len, n, skip;
    uint32_t           i;
    ngx_codat_data_t  *data;

    if (prefix) {
        ngx_codat_cell_prefix(sh, row, prefix);
    }

    len = row->u.record.value.part.len;
    len = ngx_min(len, size);

    skip = sizeof(ngx_codat_prefix_t);
    size = len;

    for (i = row->u.record.value.part.data;
         size && i != NGX_CODAT_ZONE_NONE;
         i = data->next)
    {
        data = (ngx_codat_data_t *) &sh->cells[i];

        n = ngx_min(size, NGX_CODAT_ZONE_DATA_LEN - skip);

        p = ngx_cpymem(p, data->bytes + skip, n);

        size -= n;
        skip = 0;
    }

    return len - size;
}


void
ngx_codat_cell_prefix(ngx_codat_zone_sh_t *sh, const ngx_codat_row_t *row,
    ngx_codat_prefix_t *prefix)
{
    ngx_codat_data_t  *data;

    if (row->kind == NGX_CODAT_ROW_LINK) {

        /* has no record, only the place in its group */

        ngx_memcpy(prefix, &row->u.record.value, sizeof(ngx_codat_prefix_t));
        return;
    }

    if (row->u.record.value.part.data == NGX_CODAT_ZONE_NONE) {
        prefix->group = 0;
        prefix->stamp = 0;
        return;
    }

    data = (ngx_codat_data_t *) &sh->cells[row->u.record.value.part.data];

    ngx_memcpy(prefix, data->bytes, sizeof(ngx_codat_prefix_t));
}


void
ngx_codat_cell_link_locked(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row,
    uint32_t group)
{
    ngx_codat_value_t   value;
    ngx_codat_prefix_t  prefix;

    ngx_codat_cell_leave(sh, row);

    prefix.group = group;
    prefix.stamp = ++sh->stamp;

    ngx_memcpy(&value, &prefix, sizeof(ngx_codat_prefix_t));

    ngx_memory_barrier();

    row->u.record.value = value;

    ngx_memory_barrier();

    ngx_codat_cell_join(sh, row, group);
}


ngx_uint_t
ngx_codat_cell_count(const ngx_codat_row_t *row)
{
    if (row->kind == NGX_CODAT_ROW_DELIVERY
        || row->kind == NGX_CODAT_ROW_LINK
        || row->u.record.value.part.data == NGX_CODAT_ZONE_NONE)
    {
        return 1;
    }

    return 1 + ngx_codat_cell_need(row->u.record.value.part.len);
}


/*
 * The caller has seen that there is room.  What is taken first is what
 * ngx_codat_cell_insert_locked() has left behind a new row.
 */

static uint32_t
ngx_codat_cell_chain(ngx_codat_zone_sh_t *sh, const ngx_codat_prefix_t *prefix,
    const u_char *p, size_t len)
{
    u_char            *dst;
    size_t             n, space;
    uint32_t           i, first, *link;
    ngx_uint_t         need, run;
    ngx_codat_data_t  *data;

    first = NGX_CODAT_ZONE_NONE;
    link = &first;
    i = 0;
    run = 0;
    space = NGX_CODAT_ZONE_DATA_LEN - sizeof(ngx_codat_prefix_t);

    for (need = ngx_codat_cell_need(len); need; need--, run--, i++) {

        if (run == 0) {
            run = ngx_min(need, NGX_CODAT_ZONE_RUN - 1);
            i = ngx_codat_run_take_locked(sh, &run);
        }

        data = (ngx_codat_data_t *) &sh->cells[i];
        data->kind = NGX_CODAT_ROW_DATA;
        data->next = NGX_CODAT_ZONE_NONE;

        dst = data->bytes;

        if (link == &first) {
            dst = ngx_cpymem(dst, prefix, sizeof(ngx_codat_prefix_t));
        }

        *link = i;
        link = &data->next;

        n = ngx_min(len, space);

        ngx_memcpy(dst, p, n);

        p += n;
        len -= n;
        space = NGX_CODAT_ZONE_DATA_LEN;
    }

    return first;
}


/* frees a row, unless that is none, and a record, what is together at once */

static void
ngx_codat_cell_unchain(ngx_codat_zone_sh_t *sh, uint32_t row,
    ngx_codat_value_t value)
{
    uint32_t    i, next, first;
    ngx_uint_t  n, need;

    first = row;
    n = (row != NGX_CODAT_ZONE_NONE);

    i = value.part.data;

    for (need = ngx_codat_cell_need(value.part.len);
         need && i != NGX_CODAT_ZONE_NONE;
         need--)
    {
        next = sh->cells[i].next;

        if (n && n < NGX_CODAT_ZONE_RUN && i == first + n) {
            n++;

        } else {
            if (n) {
                ngx_codat_run_free_locked(sh, first, n);
            }

            first = i;
            n = 1;
        }

        i = next;
    }

    if (n) {
        ngx_codat_run_free_locked(sh, first, n);
    }
}


void
ngx_codat_cell_index_row(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row)
{
    uint32_t  *bucket;

    bucket = &sh->buckets[(ngx_codat_cell_hash(sh, row->kind, row->key) >> 1)
                          & sh->mask];

    row->next = *bucket;
    *bucket = ngx_codat_cell_index(sh, row);
}


/* deliveries are hardly ever asked for again, and are not in others' way */

static void
ngx_codat_cell_index_new(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row)
{
    uint32_t  *link;

    if (row->kind != NGX_CODAT_ROW_DELIVERY) {
        ngx_codat_cell_index_row(sh, row);
        return;
    }

    link = &sh->buckets[(ngx_codat_cell_hash(sh, row->kind, row->key) >> 1)
                        & sh->mask];

    while (*link != NGX_CODAT_ZONE_NONE) {
        link = &sh->cells[*link].next;
    }

    row->next = NGX_CODAT_ZONE_NONE;
    *link = ngx_codat_cell_index(sh, row);
}


static void
ngx_codat_cell_unindex(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row)
{
    uint32_t  i, *link;

    i = ngx_codat_cell_index(sh, row);

    for (link = &sh->buckets[(ngx_codat_cell_hash(sh, row->kind, row->key)
                              >> 1)
                             & sh->mask];
         *link != NGX_CODAT_ZONE_NONE;
         link = &sh->cells[*link].next)
    {
        if (*link == i) {
            *link = row->next;
            return;
        }
    }
}


void
ngx_codat_cell_enqueue(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row)
{
    uint32_t            i;
    ngx_codat_queue_t  *queue;

    if (row->queue == NGX_CODAT_QUEUE_NONE) {
        return;
    }

    i = ngx_codat_cell_index(sh, row);
    queue = &sh->queues[row->queue];

    row->newer = NGX_CODAT_ZONE_NONE;
    row->older = queue->newest;

    if (queue->newest == NGX_CODAT_ZONE_NONE) {
        queue->oldest = i;

    } else {
        sh->cells[queue->newest].newer = i;
    }

    queue->newest = i;
    queue->count++;

    sh->cells_of[row->queue] += (uint32_t) ngx_codat_cell_count(row);
}


static void
ngx_codat_cell_dequeue(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row)
{
    ngx_codat_queue_t  *queue;

    if (row->queue == NGX_CODAT_QUEUE_NONE) {
        return;
    }

    queue = &sh->queues[row->queue];

    if (row->newer == NGX_CODAT_ZONE_NONE) {
        queue->newest = row->older;

    } else {
        sh->cells[row->newer].older = row->older;
    }

    if (row->older == NGX_CODAT_ZONE_NONE) {
        queue->oldest = row->newer;

    } else {
        sh->cells[row->older].newer = row->newer;
    }

    queue->count--;

    sh->cells_of[row->queue] -= (uint32_t) ngx_codat_cell_count(row);
}


/* the order of creation, which nothing changes, is that of lists */

void
ngx_codat_cell_enlist(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row)
{
    uint32_t            i;
    ngx_codat_queue_t  *list;

    list = &sh->created[row->kind];
    list->count++;

    if (row->kind == NGX_CODAT_ROW_DELIVERY) {
        return;
    }

    i = ngx_codat_cell_index(sh, row);

    row->u.record.newer = NGX_CODAT_ZONE_NONE;
    row->u.record.older = list->newest;

    if (list->newest == NGX_CODAT_ZONE_NONE) {
        list->oldest = i;

    } else {
        sh->cells[list->newest].u.record.newer = i;
    }

    list->newest = i;
}


static void
ngx_codat_cell_delist(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row)
{
    ngx_codat_queue_t  *list;

    list = &sh->created[row->kind];
    list->count--;

    if (row->kind == NGX_CODAT_ROW_DELIVERY) {
        return;
    }

    if (row->kind != NGX_CODAT_ROW_LINK
        && row->u.record.value.part.data != NGX_CODAT_ZONE_NONE)
    {
        ngx_codat_cell_state(sh, row)--;
    }

    if (row->u.record.newer == NGX_CODAT_ZONE_NONE) {
        list->newest = row->u.record.older;

    } else {
        sh->cells[row->u.record.newer].u.record.older = row->u.record.older;
    }

    if (row->u.record.older == NGX_CODAT_ZONE_NONE) {
        list->oldest = row->u.record.newer;

    } else {
        sh->cells[row->u.record.older].u.record.newer = row->u.record.newer;
    }
}


void
ngx_codat_cell_join(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row,
    uint32_t group)
{
    uint32_t  i, bucket;

    i = ngx_codat_cell_index(sh, row);
    bucket = (group >> 1) & sh->groups_mask;

    row->u.record.sooner = NGX_CODAT_CELL_BUCKET | bucket;
    row->u.record.later = sh->groups[bucket];

    if (row->u.record.later != NGX_CODAT_ZONE_NONE) {
        sh->cells[row->u.record.later].u.record.sooner = i;
    }

    sh->groups[bucket] = i;
}


static void
ngx_codat_cell_leave(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row)
{
    uint32_t            sooner, later;
    ngx_codat_prefix_t  prefix;

    if (row->kind == NGX_CODAT_ROW_DELIVERY) {
        return;
    }

    ngx_codat_cell_prefix(sh, row, &prefix);

    if (prefix.group == 0) {
        return;
    }

    sooner = row->u.record.sooner;
    later = row->u.record.later;

    if (sooner & NGX_CODAT_CELL_BUCKET) {
        sh->groups[sooner & ~NGX_CODAT_CELL_BUCKET] = later;

    } else {
        sh->cells[sooner].u.record.later = later;
    }

    if (later != NGX_CODAT_ZONE_NONE) {
        sh->cells[later].u.record.sooner = sooner;
    }
}
