
/*
 * Copyright (C) the authors of the Codat module
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <openssl/rand.h>

#include "ngx_codat_zone.h"


/* how finely a repair restores the order of a queue */
#define NGX_CODAT_ZONE_AGES  256


static ngx_int_t ngx_codat_zone_build(ngx_shm_zone_t *shm_zone);
static void ngx_codat_zone_repair_locked(ngx_codat_zone_t *zone);
static void ngx_codat_zone_span_locked(ngx_codat_zone_sh_t *sh,
    uint32_t *oldest, uint32_t *newest);
static void ngx_codat_zone_enqueue(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row);
static void ngx_codat_zone_dequeue(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row);
static uint32_t ngx_codat_zone_hash(ngx_uint_t kind, const u_char *key);


#define ngx_codat_zone_index(sh, row)  ((uint32_t) ((row) - (sh)->cells))


ngx_int_t
ngx_codat_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_codat_zone_t  *ozone = data;

    ngx_codat_zone_t  *zone;

    zone = shm_zone->data;

    if (ozone) {
        zone->sh = ozone->sh;
        zone->shpool = ozone->shpool;
        return NGX_OK;
    }

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;
        return NGX_OK;
    }

    return ngx_codat_zone_build(shm_zone);
}


static ngx_int_t
ngx_codat_zone_build(ngx_shm_zone_t *shm_zone)
{
    size_t                len, left, buckets;
    uint32_t              i;
    ngx_slab_pool_t      *shpool;
    ngx_codat_zone_t     *zone;
    ngx_codat_zone_sh_t  *sh;

    zone = shm_zone->data;
    shpool = zone->shpool;

    len = sizeof(" in codat_zone \"\"") + shm_zone->shm.name.len;

    shpool->log_ctx = ngx_slab_alloc(shpool, len);
    if (shpool->log_ctx == NULL) {
        goto too_small;
    }

    ngx_sprintf(shpool->log_ctx, " in codat_zone \"%V\"%Z",
                &shm_zone->shm.name);

    shpool->log_nomem = 0;

    sh = ngx_slab_calloc(shpool, sizeof(ngx_codat_zone_sh_t));
    if (sh == NULL) {
        goto too_small;
    }

    if (RAND_bytes(sh->seed, sizeof(sh->seed)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "codat: no random bytes for zone \"%V\"",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    /* one bucket for one to two cells, all else is cells */

    left = shpool->pfree * ngx_pagesize;

    for (buckets = 64;
         buckets * 2 * (sizeof(ngx_codat_row_t) + sizeof(uint32_t)) <= left;
         buckets *= 2)
    {
        /* void */
    }

    sh->buckets = ngx_slab_alloc(shpool, buckets * sizeof(uint32_t));
    if (sh->buckets == NULL) {
        goto too_small;
    }

    left = shpool->pfree * ngx_pagesize;

    if (left / sizeof(ngx_codat_row_t) >= NGX_CODAT_ZONE_NONE) {
        left = (size_t) (NGX_CODAT_ZONE_NONE - 1) * sizeof(ngx_codat_row_t);
    }

    sh->cells = ngx_slab_alloc(shpool, left);
    if (sh->cells == NULL) {
        goto too_small;
    }

    sh->mask = (uint32_t) (buckets - 1);
    sh->ncells = (uint32_t) (left / sizeof(ngx_codat_row_t));

    /* the pages are fresh, hence zeroed: all cells are free */

    for (i = 0; i < sh->ncells; i++) {
        sh->cells[i].kind = NGX_CODAT_ROW_FREE;
    }

    zone->sh = sh;

    ngx_codat_zone_repair_locked(zone);
    sh->repaired = 0;

    shpool->data = sh;

    return NGX_OK;

too_small:

    ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                  "codat: zone \"%V\" is too small", &shm_zone->shm.name);

    return NGX_ERROR;
}


void
ngx_codat_zone_lock(ngx_codat_zone_t *zone)
{
    ngx_shmtx_lock(&zone->shpool->mutex);

    if (zone->sh->dirty) {
        ngx_codat_zone_repair_locked(zone);
    }

    zone->sh->dirty = 1;

    ngx_memory_barrier();
}


void
ngx_codat_zone_unlock(ngx_codat_zone_t *zone)
{
    ngx_memory_barrier();

    zone->sh->dirty = 0;

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/*
 * The worker that held the lock is gone and may have left any link half
 * written.  Cells are the truth; buckets, queues and the free list follow
 * from them.  The queue keeps its order as far as a division of the ages
 * into NGX_CODAT_ZONE_AGES classes tells it.
 */

static void
ngx_codat_zone_repair_locked(ngx_codat_zone_t *zone)
{
    uint32_t              i, age, oldest, newest, bucket;
    uint32_t              heads[NGX_CODAT_ZONE_AGES];
    uint64_t              span;
    ngx_codat_row_t      *row;
    ngx_codat_zone_sh_t  *sh;

    sh = zone->sh;

    for (i = 0; i <= sh->mask; i++) {
        sh->buckets[i] = NGX_CODAT_ZONE_NONE;
    }

    for (i = 0; i < NGX_CODAT_ROW_KINDS; i++) {
        sh->queues[i].newest = NGX_CODAT_ZONE_NONE;
        sh->queues[i].oldest = NGX_CODAT_ZONE_NONE;
        sh->queues[i].count = 0;
    }

    for (i = 0; i < NGX_CODAT_ZONE_AGES; i++) {
        heads[i] = NGX_CODAT_ZONE_NONE;
    }

    sh->free = NGX_CODAT_ZONE_NONE;

    ngx_codat_zone_span_locked(sh, &oldest, &newest);

    span = (uint64_t) (newest - oldest) + 1;

    for (i = sh->ncells; i > 0; i--) {
        row = &sh->cells[i - 1];

        if (row->kind == NGX_CODAT_ROW_FREE
            || row->kind >= NGX_CODAT_ROW_KINDS)
        {
            row->kind = NGX_CODAT_ROW_FREE;
            row->next = sh->free;
            sh->free = i - 1;
            continue;
        }

        row->hash = ngx_codat_zone_hash(row->kind, row->key);
        bucket = row->hash & sh->mask;

        row->next = sh->buckets[bucket];
        sh->buckets[bucket] = i - 1;

        age = (uint32_t) ((uint64_t) (row->touched - oldest)
                          * NGX_CODAT_ZONE_AGES / span);

        row->older = heads[age];
        heads[age] = i - 1;
    }

    for (age = 0; age < NGX_CODAT_ZONE_AGES; age++) {

        while (heads[age] != NGX_CODAT_ZONE_NONE) {
            row = &sh->cells[heads[age]];
            heads[age] = row->older;

            ngx_codat_zone_enqueue(sh, row);
        }
    }

    (void) ngx_atomic_fetch_add(&sh->repaired, 1);
}


static void
ngx_codat_zone_span_locked(ngx_codat_zone_sh_t *sh, uint32_t *oldest,
    uint32_t *newest)
{
    uint32_t  i, touched;

    *oldest = (uint32_t) -1;
    *newest = 0;

    for (i = 0; i < sh->ncells; i++) {

        if (sh->cells[i].kind == NGX_CODAT_ROW_FREE) {
            continue;
        }

        touched = sh->cells[i].touched;

        *oldest = ngx_min(*oldest, touched);
        *newest = ngx_max(*newest, touched);
    }

    if (*oldest > *newest) {
        *oldest = *newest;
    }
}


ngx_codat_row_t *
ngx_codat_zone_find_locked(ngx_codat_zone_t *zone, ngx_uint_t kind,
    const u_char *key)
{
    uint32_t              hash, i;
    ngx_codat_row_t      *row;
    ngx_codat_zone_sh_t  *sh;

    sh = zone->sh;
    hash = ngx_codat_zone_hash(kind, key);

    for (i = sh->buckets[hash & sh->mask];
         i != NGX_CODAT_ZONE_NONE;
         i = row->next)
    {
        row = &sh->cells[i];

        if (row->hash == hash
            && row->kind == kind
            && ngx_memcmp(row->key, key, NGX_CODAT_ZONE_KEY_LEN) == 0)
        {
            return row;
        }
    }

    return NULL;
}


ngx_codat_row_t *
ngx_codat_zone_insert_locked(ngx_codat_zone_t *zone, ngx_uint_t kind,
    const u_char *key, uint32_t now)
{
    uint32_t              i, hash, bucket;
    ngx_codat_row_t      *row;
    ngx_codat_zone_sh_t  *sh;

    sh = zone->sh;
    i = sh->free;

    if (i == NGX_CODAT_ZONE_NONE) {
        return NULL;
    }

    row = &sh->cells[i];
    sh->free = row->next;

    ngx_memzero(row, sizeof(ngx_codat_row_t));

    hash = ngx_codat_zone_hash(kind, key);
    bucket = hash & sh->mask;

    ngx_memcpy(row->key, key, NGX_CODAT_ZONE_KEY_LEN);
    row->hash = hash;
    row->touched = now;

    ngx_memory_barrier();

    row->kind = (uint8_t) kind;

    row->next = sh->buckets[bucket];
    sh->buckets[bucket] = i;

    ngx_codat_zone_enqueue(sh, row);

    return row;
}


void
ngx_codat_zone_drop_locked(ngx_codat_zone_t *zone, ngx_codat_row_t *row)
{
    uint32_t              i, *link;
    ngx_codat_zone_sh_t  *sh;

    sh = zone->sh;
    i = ngx_codat_zone_index(sh, row);

    for (link = &sh->buckets[row->hash & sh->mask];
         *link != i && *link != NGX_CODAT_ZONE_NONE;
         link = &sh->cells[*link].next)
    {
        /* void */
    }

    if (*link == i) {
        *link = row->next;
    }

    ngx_codat_zone_dequeue(sh, row);

    row->kind = NGX_CODAT_ROW_FREE;

    ngx_memory_barrier();

    row->next = sh->free;
    sh->free = i;
}


void
ngx_codat_zone_touch_locked(ngx_codat_zone_t *zone, ngx_codat_row_t *row,
    uint32_t now)
{
    row->touched = now;

    if (row->newer == NGX_CODAT_ZONE_NONE) {
        return;
    }

    ngx_codat_zone_dequeue(zone->sh, row);
    ngx_codat_zone_enqueue(zone->sh, row);
}


ngx_codat_row_t *
ngx_codat_zone_row(ngx_codat_zone_t *zone, uint32_t index)
{
    return index == NGX_CODAT_ZONE_NONE ? NULL : &zone->sh->cells[index];
}


static void
ngx_codat_zone_enqueue(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row)
{
    uint32_t            i;
    ngx_codat_queue_t  *queue;

    i = ngx_codat_zone_index(sh, row);
    queue = &sh->queues[row->kind];

    row->newer = NGX_CODAT_ZONE_NONE;
    row->older = queue->newest;

    if (queue->newest == NGX_CODAT_ZONE_NONE) {
        queue->oldest = i;

    } else {
        sh->cells[queue->newest].newer = i;
    }

    queue->newest = i;
    queue->count++;
}


static void
ngx_codat_zone_dequeue(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row)
{
    ngx_codat_queue_t  *queue;

    queue = &sh->queues[row->kind];

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
}


/* keys are digests under a secret seed already, so any four bytes will do */

static uint32_t
ngx_codat_zone_hash(ngx_uint_t kind, const u_char *key)
{
    uint32_t  hash;

    ngx_memcpy(&hash, key, sizeof(uint32_t));

    return hash ^ (uint32_t) (kind * 0x9e3779b9U);
}
