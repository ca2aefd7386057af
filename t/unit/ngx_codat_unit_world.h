
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The world: rows as the zone keeps them, packed, without a zone.  What
 * bodies say is parsed, listed and merged into them.  For tests of what
 * becomes of events.
 */


#ifndef _NGX_CODAT_UNIT_WORLD_H_INCLUDED_
#define _NGX_CODAT_UNIT_WORLD_H_INCLUDED_


#include "ngx_codat_unit.h"
#include "ngx_codat_columns.h"
#include "ngx_codat_facts.h"
#include "ngx_codat_merge.h"


#define NGX_CODAT_WORLD_ROWS  64

/* 2024-08-08T12:00:00Z, in microseconds */
#define NGX_CODAT_WORLD_NOON        ((int64_t) 1723118400 * 1000000)


typedef struct {
    ngx_codat_record_kind_e   kind;
    ngx_str_t                 id;
    ngx_str_t                 connection;       /* of a dataset */
    ngx_uint_t                known;
    ngx_uint_t                state;
    ngx_uint_t                flags;
    size_t                    len;
    u_char                    packed[NGX_CODAT_RECORD_MAX];
} ngx_codat_world_row_t;


typedef struct {
    ngx_codat_world_row_t      rows[NGX_CODAT_WORLD_ROWS];
    ngx_uint_t                n;
} ngx_codat_world_t;


/* A JSON text in which single quotes stand for double ones, guarded. */
ngx_str_t ngx_codat_world_json(ngx_pool_t *pool, const char *text);

/* What a body says, if it is received so many seconds after noon. */
void ngx_codat_world_facts(ngx_pool_t *pool, ngx_str_t body,
    ngx_uint_t seconds, ngx_codat_event_t *event, ngx_array_t *facts);

/* The row that a fact is about, made if need be. */
ngx_codat_world_row_t *ngx_codat_world_row(ngx_codat_world_t *world,
    const ngx_codat_record_t *fact);

/* Merges a fact into its row, through the packed form. */
ngx_uint_t ngx_codat_world_merge(ngx_codat_world_row_t *row,
    const ngx_codat_record_t *fact);

/* Unpacks a row; texts lie in the row and the scratch. */
void ngx_codat_world_unpack(ngx_codat_world_row_t *row,
    ngx_codat_record_t *record, u_char *scratch);

/*
 * The seed, $CODAT_UNIT_SEED or a fixed one, which is printed; and numbers
 * below n.
 */
uint64_t ngx_codat_world_seed(void);
ngx_uint_t ngx_codat_world_random(uint64_t *state, ngx_uint_t n);


#endif /* _NGX_CODAT_UNIT_WORLD_H_INCLUDED_ */
