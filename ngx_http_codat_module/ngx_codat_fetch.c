
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns what is fetched in advance, see ngx_codat_fetch.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_cell.h"
#include "ngx_codat_fetch.h"


static ngx_codat_row_t *ngx_codat_fetch_near(ngx_codat_zone_sh_t *sh,
    uint32_t index);


#if (__GNUC__)
#define ngx_codat_fetch_line(p)  __builtin_prefetch(p)
#else
#define ngx_codat_fetch_line(p)
#endif


/*
 * Three steps, in each of which one read after the other would be waited for:
 * the buckets; the rows; their records, their neighbours in the queue, and
 * the next row of the bucket.
 */

void
ngx_codat_fetch_rows(ngx_codat_zone_sh_t *sh, const uint32_t *hashes,
    const uint32_t *groups, ngx_uint_t n)
{
    uint32_t         *bucket[NGX_CODAT_FETCH_ROWS];
    uint32_t         *group[NGX_CODAT_FETCH_ROWS];
    ngx_uint_t        i;
    ngx_codat_row_t  *row;

    n = ngx_min(n, NGX_CODAT_FETCH_ROWS);

    for (i = 0; i < NGX_CODAT_ZONE_RUN; i++) {
        (void) ngx_codat_fetch_near(sh, sh->free[i]);
    }

    for (i = 0; i < n; i++) {
        bucket[i] = &sh->buckets[(hashes[i] >> 1) & sh->mask];

        ngx_codat_fetch_line(bucket[i]);

        group[i] = NULL;

        if (groups && groups[i]) {
            group[i] = &sh->groups[(groups[i] >> 1) & sh->groups_mask];

            ngx_codat_fetch_line(group[i]);
        }
    }

    for (i = 0; i < n; i++) {
        (void) ngx_codat_fetch_near(sh, *bucket[i]);

        if (group[i]) {
            (void) ngx_codat_fetch_near(sh, *group[i]);
        }
    }

    for (i = 0; i < n; i++) {
        row = ngx_codat_fetch_near(sh, *bucket[i]);

        if (row == NULL) {
            continue;
        }

        (void) ngx_codat_fetch_near(sh, row->next);
        (void) ngx_codat_fetch_near(sh, row->newer);
        (void) ngx_codat_fetch_near(sh, row->older);

        if (row->kind != NGX_CODAT_ROW_DELIVERY) {
            (void) ngx_codat_fetch_near(sh, row->u.record.value.part.data);
            (void) ngx_codat_fetch_near(sh, row->u.record.value.part.data + 1);
        }
    }
}


void
ngx_codat_fetch_key(ngx_codat_zone_sh_t *sh, ngx_uint_t kind,
    const u_char *key)
{
    uint32_t  i;

    i = sh->buckets[(ngx_codat_cell_hash(sh, kind, key) >> 1) & sh->mask];

    if (i < sh->ncells) {
        ngx_codat_fetch_row(sh, i, 1);

        /* memory that is new to this process has to be read */

        (void) *(volatile uint32_t *) &sh->cells[i].next;
    }
}


void
ngx_codat_fetch_bucket(ngx_codat_zone_sh_t *sh,
    const ngx_codat_row_t *row)
{
    ngx_codat_fetch_line(&sh->buckets[(ngx_codat_cell_hash(sh, row->kind,
                                                              row->key)
                                          >> 1)
                                         & sh->mask]);
}


/* most records lie right behind their row */

void
ngx_codat_fetch_row(ngx_codat_zone_sh_t *sh, uint32_t index,
    ngx_uint_t record)
{
    (void) ngx_codat_fetch_near(sh, index);

    if (record) {
        (void) ngx_codat_fetch_near(sh, index + 1);
        (void) ngx_codat_fetch_near(sh, index + 2);
    }
}


static ngx_codat_row_t *
ngx_codat_fetch_near(ngx_codat_zone_sh_t *sh, uint32_t index)
{
    if (index >= sh->ncells) {
        return NULL;
    }

    ngx_codat_fetch_line(&sh->cells[index]);

    return &sh->cells[index];
}
