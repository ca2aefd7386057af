
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the zone, see ngx_codat_zone.h.  Everything lies in one
 * block of the slab pool that is cut up once: nothing is allocated later, so
 * nothing can fragment.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <openssl/rand.h>

#include "ngx_codat_cell.h"
#include "ngx_codat_lock_times.h"
#include "ngx_codat_repair.h"
#include "ngx_codat_zone.h"

#include <sys/mman.h>


/* recent events have this part of the zone, and not more than this */
#define NGX_CODAT_ZONE_RECENT_PART  16
#define NGX_CODAT_ZONE_RECENT_MAX   (64 * 1024 * 1024)
#define NGX_CODAT_ZONE_RECENT_MIN   2048

#define NGX_CODAT_ZONE_MIN_CELLS    64

/* what is touched before it is needed */
#define NGX_CODAT_ZONE_AHEAD        (256 * 1024)


static ngx_int_t ngx_codat_zone_build(ngx_shm_zone_t *shm_zone);
static ngx_int_t ngx_codat_zone_log_ctx(ngx_shm_zone_t *shm_zone);
static ngx_int_t ngx_codat_zone_cut(ngx_codat_zone_t *zone, u_char *p,
    size_t len);
static ngx_int_t ngx_codat_zone_cut_cells(ngx_codat_zone_sh_t *sh, u_char *p,
    size_t left);
static u_char *ngx_codat_zone_take(u_char **p, size_t *left, size_t size);
static void ngx_codat_zone_ahead(ngx_codat_zone_t *zone);
static void ngx_codat_zone_touch(u_char *p, size_t size);


ngx_int_t
ngx_codat_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_codat_zone_t  *ozone = data;

    ngx_codat_zone_t  *zone;

    zone = shm_zone->data;

    ngx_codat_lock_times_open(shm_zone->shm.log);

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
    size_t             len;
    u_char            *p;
    ngx_slab_pool_t   *shpool;
    ngx_codat_zone_t  *zone;

    zone = shm_zone->data;
    shpool = zone->shpool;

    if (ngx_codat_zone_log_ctx(shm_zone) != NGX_OK) {
        goto too_small;
    }

    len = shpool->pfree * ngx_pagesize;

    p = ngx_slab_alloc(shpool, len);

    if (p == NULL || ngx_codat_zone_cut(zone, p, len) != NGX_OK) {
        goto too_small;
    }

    if (RAND_bytes((u_char *) zone->sh->seed, sizeof(zone->sh->seed)) != 1
        || RAND_bytes((u_char *) &zone->sh->id, sizeof(zone->sh->id)) != 1)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "codat: no random bytes for zone \"%V\"",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    zone->sh->born = ngx_time();

#ifdef MADV_HUGEPAGE
    /* fewer misses in a large zone, where the system allows it */

    (void) madvise(shm_zone->shm.addr, shm_zone->shm.size, MADV_HUGEPAGE);
#endif

    ngx_codat_repair_locked(zone->sh);

    shpool->data = zone->sh;

    return NGX_OK;

too_small:

    ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                  "codat: zone \"%V\" is too small", &shm_zone->shm.name);

    return NGX_ERROR;
}


static ngx_int_t
ngx_codat_zone_log_ctx(ngx_shm_zone_t *shm_zone)
{
    size_t             len;
    ngx_slab_pool_t   *shpool;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    len = sizeof(" in codat_zone \"\"") + shm_zone->shm.name.len;

    shpool->log_ctx = ngx_slab_alloc(shpool, len);
    if (shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(shpool->log_ctx, " in codat_zone \"%V\"%Z",
                &shm_zone->shm.name);

    shpool->log_nomem = 0;

    return NGX_OK;
}


/* cells are not touched until they are needed: what they held is nothing */

static ngx_int_t
ngx_codat_zone_cut(ngx_codat_zone_t *zone, u_char *p, size_t len)
{
    u_char               *bytes;
    size_t                left, size, recent;
    ngx_codat_zone_sh_t  *sh;

    left = len;

    sh = (ngx_codat_zone_sh_t *) ngx_codat_zone_take(&p, &left,
                                                sizeof(ngx_codat_zone_sh_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(sh, sizeof(ngx_codat_zone_sh_t));

    sh->redo.row = NGX_CODAT_ZONE_NONE;

    size = ngx_codat_stats_size(len);
    sh->stats = (ngx_codat_stats_t *) ngx_codat_zone_take(&p, &left, size);

    sh->wake = (ngx_codat_wake_t *) ngx_codat_zone_take(&p, &left,
                                                   sizeof(ngx_codat_wake_t));

    sh->recent = (ngx_codat_recent_t *) ngx_codat_zone_take(&p, &left,
                                                 sizeof(ngx_codat_recent_t));

    recent = ngx_max(len / NGX_CODAT_ZONE_RECENT_PART,
                     NGX_CODAT_ZONE_RECENT_MIN);
    recent = ngx_min(recent, NGX_CODAT_ZONE_RECENT_MAX);

    bytes = ngx_codat_zone_take(&p, &left, recent);

    if (sh->stats == NULL || sh->wake == NULL || sh->recent == NULL
        || bytes == NULL)
    {
        return NGX_ERROR;
    }

    /* a core that debugs memory fills it */

    ngx_memzero(sh->stats, size);
    ngx_memzero(sh->wake, sizeof(ngx_codat_wake_t));

    ngx_codat_stats_init(sh->stats, size);
    ngx_codat_recent_init(sh->recent, bytes, recent);

    if (ngx_codat_zone_cut_cells(sh, p, left) != NGX_OK) {
        return NGX_ERROR;
    }

    zone->sh = sh;

    return NGX_OK;
}


/* all that is left: the rows, and the tables by which they are found */

static ngx_int_t
ngx_codat_zone_cut_cells(ngx_codat_zone_sh_t *sh, u_char *p, size_t left)
{
    size_t  size, buckets, groups;

    /*
     * A bucket for one or two cells: for half as many rows, most of which are
     * then found where a bucket leads to, and not behind another one.
     */

    for (buckets = 64;
         buckets * 2 * (sizeof(ngx_codat_row_t) + sizeof(uint32_t)) <= left;
         buckets *= 2)
    {
        /* void */
    }

    groups = ngx_max(buckets / 16, 64);

    sh->buckets = (uint32_t *) ngx_codat_zone_take(&p, &left,
                                                buckets * sizeof(uint32_t));
    sh->groups = (uint32_t *) ngx_codat_zone_take(&p, &left,
                                                 groups * sizeof(uint32_t));

    if (sh->buckets == NULL || sh->groups == NULL) {
        return NGX_ERROR;
    }

    sh->mask = (uint32_t) (buckets - 1);
    sh->groups_mask = (uint32_t) (groups - 1);

    p = ngx_align_ptr(p, sizeof(ngx_codat_row_t));

    size = left / sizeof(ngx_codat_row_t);

    if (size <= NGX_CODAT_ZONE_MIN_CELLS) {
        return NGX_ERROR;
    }

    /* one is lost to the alignment */

    sh->cells = (ngx_codat_row_t *) p;
    sh->ncells = (uint32_t) ngx_min(size - 1, NGX_CODAT_CELL_BUCKET - 1);

    return NGX_OK;
}


static u_char *
ngx_codat_zone_take(u_char **p, size_t *left, size_t size)
{
    u_char  *start;

    size = ngx_align(size, (size_t) NGX_CPU_CACHE_LINE);

    if (size > *left) {
        return NULL;
    }

    start = *p;

    *p += size;
    *left -= size;

    return start;
}


void
ngx_codat_zone_lock(ngx_codat_zone_t *zone)
{
    ngx_codat_lock_times_wait();

    ngx_shmtx_lock(&zone->shpool->mutex);

    ngx_codat_lock_times_hold();

    if (zone->sh->dirty) {
        ngx_codat_repair_locked(zone->sh);
        ngx_codat_wake_note_all_locked(zone->sh->wake);

        ngx_codat_stats_add(zone->sh->stats,
                            ngx_codat_stat_id(NGX_CODAT_STAT_REPAIRED,
                                              0, 0, 0, 0),
                            1);
    }

    zone->sh->dirty = 1;

    ngx_memory_barrier();
}


void
ngx_codat_zone_unlock(ngx_codat_zone_t *zone)
{
    ngx_memory_barrier();

    zone->sh->dirty = 0;

    ngx_codat_lock_times_end();

    ngx_shmtx_unlock(&zone->shpool->mutex);

    ngx_codat_lock_times_add();

    ngx_codat_zone_ahead(zone);
}


/*
 * The kernel gives a process each page when it is used first, which takes as
 * long as all else that is done with the lock.  So what is to be used next is
 * used here already, without the lock; it may have moved on meanwhile.
 */

static void
ngx_codat_zone_ahead(ngx_codat_zone_t *zone)
{
    size_t                size;
    uint32_t              i, n;
    uint64_t              offset;
    ngx_codat_recent_t   *recent;
    ngx_codat_zone_sh_t  *sh;

    sh = zone->sh;
    recent = sh->recent;

    n = NGX_CODAT_ZONE_AHEAD / sizeof(ngx_codat_row_t);
    i = sh->fresh;

    if (zone->ahead < i + n / 2 && zone->ahead < sh->ncells) {
        i = ngx_max(i, zone->ahead);
        n = ngx_min(n, sh->ncells - i);

        zone->ahead = i + n;

        ngx_codat_zone_touch((u_char *) &sh->cells[i],
                             n * sizeof(ngx_codat_row_t));
    }

    /* events go around, and all of it is touched once */

    offset = recent->end;

    if (zone->recent_ahead < offset + NGX_CODAT_ZONE_AHEAD / 2
        && zone->recent_touched < recent->size)
    {
        offset = ngx_max(offset, zone->recent_ahead);

        size = recent->size - (size_t) (offset % recent->size);
        size = ngx_min(size, NGX_CODAT_ZONE_AHEAD);

        zone->recent_ahead = offset + size;
        zone->recent_touched += size;

        ngx_codat_zone_touch(recent->bytes + (size_t) (offset % recent->size),
                             size);
    }
}


static void
ngx_codat_zone_touch(u_char *p, size_t size)
{
    u_char  *end;

    end = p + size;

    for ( /* void */ ; p < end; p += ngx_pagesize) {
        (void) *(volatile u_char *) p;
    }
}
