
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Zones in real shared memory, without a configuration; what must be true of
 * the cells of every zone at every moment nobody holds the lock; and copies
 * of rows that can be compared.
 */


#ifndef _NGX_CODAT_UNIT_ZONE_H_INCLUDED_
#define _NGX_CODAT_UNIT_ZONE_H_INCLUDED_


#include "ngx_codat_unit.h"
#include "ngx_codat_cell.h"
#include "ngx_codat_evict.h"
#include "ngx_codat_repair.h"
#include "ngx_codat_table.h"
#include "ngx_codat_zone.h"


typedef struct {
    ngx_shm_zone_t          shm_zone;
    ngx_codat_zone_t        zone;
} ngx_codat_unit_zone_t;


/* what a row says, wherever it lies */
typedef struct {
    ngx_uint_t              kind;
    u_char                  key[NGX_CODAT_ZONE_KEY_LEN];
    ngx_uint_t              queue;
    ngx_uint_t              state;
    ngx_uint_t              flags;
    uint32_t                group;
    size_t                  len;
    uint64_t                record;         /* a hash of it */
} ngx_codat_unit_row_t;


/* Maps a zone of that size; NGX_OK or NGX_ERROR from ngx_codat_zone_init(). */
ngx_int_t ngx_codat_unit_zone_open(ngx_codat_unit_zone_t *uz, size_t size);

void ngx_codat_unit_zone_close(ngx_codat_unit_zone_t *uz);

/* What the master does when a worker was killed. */
void ngx_codat_unit_zone_died(ngx_codat_unit_zone_t *uz, ngx_pid_t pid);

/*
 * Looks at all that is linked.  Fails the test if anything is in two places,
 * in none, in the wrong order, or counted wrongly.  "what" is told then.
 */
void ngx_codat_unit_zone_check(ngx_codat_zone_t *zone, const char *what);

/* What must be true besides if rows were written by the tables only. */
void ngx_codat_unit_table_check(ngx_codat_zone_t *zone, const char *what);

/*
 * Copies all rows, ordered by kind and key, to memory that is freed by
 * free(); *n is their number.  Deliveries say nothing but that they exist.
 */
ngx_codat_unit_row_t *ngx_codat_unit_rows(ngx_codat_zone_t *zone,
    ngx_uint_t *n);

/* The row of that kind and key in a copy, or NULL. */
ngx_codat_unit_row_t *ngx_codat_unit_row(ngx_codat_unit_row_t *rows,
    ngx_uint_t n, const ngx_codat_unit_row_t *like);

/* 1 if both say the same; NULL is like NULL alone. */
ngx_uint_t ngx_codat_unit_same(const ngx_codat_unit_row_t *one,
    const ngx_codat_unit_row_t *two);

/* Sets the clock of this process, in seconds; 0: to what it really is. */
void ngx_codat_unit_clock(time_t now);

/* A key that a number stands for, and its UUID as text. */
void ngx_codat_unit_key(ngx_uint_t number, u_char *key);
ngx_str_t ngx_codat_unit_uuid(ngx_pool_t *pool, ngx_uint_t number);

/*
 * A report of a row, as an event of "when" seconds after some day would make
 * it.  Texts are set by the caller.
 */
ngx_codat_record_t *ngx_codat_unit_fact(ngx_codat_update_t *update,
    ngx_codat_record_kind_e kind, ngx_uint_t state, ngx_uint_t when);

/* An update without facts, and with a recent event of that body. */
void ngx_codat_unit_update(ngx_pool_t *pool, ngx_codat_update_t *update,
    const char *body);

/*
 * Random numbers: CODAT_UNIT_SEED, else another seed for each run, which is
 * printed.
 */
void ngx_codat_unit_seed(const char *name);
ngx_uint_t ngx_codat_unit_random(ngx_uint_t n);

/* 1 if it takes much longer here than usual: valgrind. */
ngx_uint_t ngx_codat_unit_slow(void);


#endif /* _NGX_CODAT_UNIT_ZONE_H_INCLUDED_ */
