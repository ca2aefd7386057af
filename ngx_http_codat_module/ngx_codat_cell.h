
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the cells of a zone and everything that links them: the hash
 * index, the queues, the order of creation, groups, and the packed records
 * that hang on rows.  Does not know what the rows mean.  All of it needs the
 * zone's lock.
 */


#ifndef _NGX_CODAT_CELL_H_INCLUDED_
#define _NGX_CODAT_CELL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_run.h"
#include "ngx_codat_zone.h"


/* in front of every packed record */
typedef struct {
    uint32_t            group;          /* a hash; 0: in none */
    uint32_t            stamp;          /* order in the group */
} ngx_codat_prefix_t;


/* the top bit of record.sooner: the row is the first of that bucket */
#define NGX_CODAT_CELL_BUCKET  0x80000000U


#define ngx_codat_cell_index(sh, row)  ((uint32_t) ((row) - (sh)->cells))

/* Cells behind a row for a packed record of that length. */
#define ngx_codat_cell_need(len)                                              \
    (((len) + sizeof(ngx_codat_prefix_t) + NGX_CODAT_ZONE_DATA_LEN - 1)       \
     / NGX_CODAT_ZONE_DATA_LEN)


/* The row behind an index; NULL for NGX_CODAT_ZONE_NONE. */
ngx_codat_row_t *ngx_codat_cell_row(ngx_codat_zone_sh_t *sh, uint32_t index);

/* A hash of a key under the seed of the zone, never 0. */
uint32_t ngx_codat_cell_hash(ngx_codat_zone_sh_t *sh, ngx_uint_t kind,
    const u_char *key);

/* Finds a row by kind and key; NULL if there is none. */
ngx_codat_row_t *ngx_codat_cell_find_locked(ngx_codat_zone_sh_t *sh,
    ngx_uint_t kind, const u_char *key);

/*
 * Makes a row, the newest of its queue and kind, without a record.  "cells"
 * are those that it will take with its record: they are kept side by side
 * until ngx_codat_cell_write_locked(), which comes next.  Returns NULL if no
 * cell is free: the caller makes room and calls again.
 */
ngx_codat_row_t *ngx_codat_cell_insert_locked(ngx_codat_zone_sh_t *sh,
    ngx_uint_t kind, ngx_uint_t queue, const u_char *key, ngx_uint_t cells,
    uint32_t now);

/* Unlinks a row and frees its cells. */
void ngx_codat_cell_drop_locked(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row);

/* Makes a row the newest of a queue, which may be another one. */
void ngx_codat_cell_touch_locked(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row, ngx_uint_t queue, uint32_t now);

/*
 * Gives a row, not one of deliveries, another record, state, flags and group
 * at once.  A row that stays in its group keeps its place there.  Returns
 * NGX_OK, or NGX_DECLINED if fewer cells are free than ngx_codat_cell_more()
 * says.
 */
ngx_int_t ngx_codat_cell_write_locked(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row, ngx_codat_value_t value, uint32_t group,
    const u_char *p);

/* How many free cells it takes to give a row a record of that length. */
ngx_uint_t ngx_codat_cell_more(const ngx_codat_row_t *row, size_t len);

/*
 * Copies the packed record of a row, at most "size" bytes, and returns its
 * length; the prefix goes to *prefix, unless that is NULL.
 */
size_t ngx_codat_cell_read(ngx_codat_zone_sh_t *sh,
    const ngx_codat_row_t *row, ngx_codat_prefix_t *prefix, u_char *p,
    size_t size);

/* The prefix of a row. */
void ngx_codat_cell_prefix(ngx_codat_zone_sh_t *sh,
    const ngx_codat_row_t *row, ngx_codat_prefix_t *prefix);

/* Makes a row of kind LINK a member of a group. */
void ngx_codat_cell_link_locked(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row, uint32_t group);

/*
 * For the repair, which makes all links anew: each adds a row as the newest
 * to one order, whatever its links say.
 */
void ngx_codat_cell_index_row(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row);
void ngx_codat_cell_enqueue(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row);
void ngx_codat_cell_enlist(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row);
void ngx_codat_cell_join(ngx_codat_zone_sh_t *sh, ngx_codat_row_t *row,
    uint32_t group);

/* For the repair: finishes what somebody was writing over a record. */
void ngx_codat_cell_redo(ngx_codat_zone_sh_t *sh);

/* How many cells a row takes, itself included. */
ngx_uint_t ngx_codat_cell_count(const ngx_codat_row_t *row);


#endif /* _NGX_CODAT_CELL_H_INCLUDED_ */
