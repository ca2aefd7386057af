
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the repair, see ngx_codat_repair.h.  Works in the cells: rows
 * are strung on one link each and sorted there by their numbers, so that it
 * needs no memory but the table of digits, which is this process's own.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_cell.h"
#include "ngx_codat_repair.h"
#include "ngx_codat_table.h"


/* DATA whose row has not been found */
#define NGX_CODAT_REPAIR_LOOSE  NGX_CODAT_ROW_KINDS

#define NGX_CODAT_REPAIR_DIGIT  65536


typedef enum {
    NGX_CODAT_REPAIR_TOUCHED = 0,
    NGX_CODAT_REPAIR_SEQ,
    NGX_CODAT_REPAIR_STAMP
} ngx_codat_repair_order_e;


typedef struct {
    uint32_t    head;
    uint32_t    tail;
} ngx_codat_repair_digit_t;


static void ngx_codat_repair_links(ngx_codat_zone_sh_t *sh);
static void ngx_codat_repair_reset(ngx_codat_zone_sh_t *sh);
static void ngx_codat_repair_rows(ngx_codat_zone_sh_t *sh);
static uint32_t ngx_codat_repair_string(ngx_codat_zone_sh_t *sh,
    ngx_uint_t least);
static ngx_uint_t ngx_codat_repair_claim(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row);
static uint32_t ngx_codat_repair_sort(ngx_codat_zone_sh_t *sh, uint32_t list,
    ngx_codat_repair_order_e order);
static uint32_t ngx_codat_repair_pass(ngx_codat_zone_sh_t *sh, uint32_t list,
    ngx_codat_repair_order_e order, ngx_uint_t shift);
static uint32_t ngx_codat_repair_number(ngx_codat_zone_sh_t *sh,
    ngx_codat_row_t *row, ngx_codat_repair_order_e order);


/* rows are strung on what index chains use, made anew at the very end */

#define ngx_codat_repair_link(sh, i)  (sh)->cells[i].next


void
ngx_codat_repair_locked(ngx_codat_zone_sh_t *sh)
{
    uint32_t             i, list;
    ngx_codat_row_t     *row;
    ngx_codat_prefix_t   prefix;

    ngx_codat_repair_reset(sh);
    ngx_codat_repair_rows(sh);

    list = ngx_codat_repair_string(sh, NGX_CODAT_ROW_DELIVERY);
    list = ngx_codat_repair_sort(sh, list, NGX_CODAT_REPAIR_TOUCHED);

    for (i = list; i != NGX_CODAT_ZONE_NONE; i = row->next) {
        row = &sh->cells[i];

        ngx_codat_cell_enqueue(sh, row);
    }

    /* deliveries are in no other order */

    list = ngx_codat_repair_string(sh, NGX_CODAT_ROW_DELIVERY + 1);
    list = ngx_codat_repair_sort(sh, list, NGX_CODAT_REPAIR_SEQ);

    for (i = list; i != NGX_CODAT_ZONE_NONE; i = row->next) {
        row = &sh->cells[i];

        ngx_codat_cell_enlist(sh, row);
    }

    list = ngx_codat_repair_sort(sh, list, NGX_CODAT_REPAIR_STAMP);

    for (i = list; i != NGX_CODAT_ZONE_NONE; i = row->next) {
        row = &sh->cells[i];

        ngx_codat_cell_prefix(sh, row, &prefix);

        if (prefix.group) {
            ngx_codat_cell_join(sh, row, prefix.group);
        }
    }

    for (i = 0; i < sh->fresh; i++) {
        row = &sh->cells[i];

        if (row->kind >= NGX_CODAT_ROW_DELIVERY) {
            ngx_codat_cell_index_row(sh, row);
        }
    }

    ngx_codat_repair_links(sh);
}


/* strings rows of these kinds together as they lie, and returns the first */

static uint32_t
ngx_codat_repair_string(ngx_codat_zone_sh_t *sh, ngx_uint_t least)
{
    uint32_t  i, list;

    list = NGX_CODAT_ZONE_NONE;

    for (i = sh->fresh; i > 0; i--) {

        if (sh->cells[i - 1].kind >= least) {
            ngx_codat_repair_link(sh, i - 1) = list;
            list = i - 1;
        }
    }

    return list;
}


/* drops links whose push was being dropped */

static void
ngx_codat_repair_links(ngx_codat_zone_sh_t *sh)
{
    ngx_codat_row_t  *row, *older;

    row = ngx_codat_cell_row(sh, sh->created[NGX_CODAT_ROW_LINK].newest);

    while (row) {
        older = ngx_codat_cell_row(sh, row->u.record.older);

        if (ngx_codat_cell_find_locked(sh, NGX_CODAT_ROW_PUSH, row->key)
            == NULL)
        {
            ngx_codat_cell_drop_locked(sh, row);
        }

        row = older;
    }
}


static void
ngx_codat_repair_reset(ngx_codat_zone_sh_t *sh)
{
    uint32_t  i;

    for (i = 0; i <= sh->mask; i++) {
        sh->buckets[i] = NGX_CODAT_ZONE_NONE;
    }

    for (i = 0; i <= sh->groups_mask; i++) {
        sh->groups[i] = NGX_CODAT_ZONE_NONE;
    }

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

    sh->free = NGX_CODAT_ZONE_NONE;
    sh->nfree = 0;
}


/* Finds out which rows there are, and frees what belongs to none. */

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

        if (row->kind >= NGX_CODAT_ROW_DELIVERY
            && row->kind < NGX_CODAT_ROW_KINDS
            && !ngx_codat_repair_claim(sh, row))
        {
            row->kind = NGX_CODAT_ROW_FREE;
        }
    }

    for (i = sh->fresh; i > 0; i--) {
        row = &sh->cells[i - 1];

        if (row->kind == NGX_CODAT_ROW_FREE
            || row->kind >= NGX_CODAT_ROW_KINDS)
        {
            ngx_codat_cell_free(sh, i - 1);
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


/*
 * By the lower half of the numbers first: each pass keeps equal ones apart.
 * Rows often lie in order.
 */

static uint32_t
ngx_codat_repair_sort(ngx_codat_zone_sh_t *sh, uint32_t list,
    ngx_codat_repair_order_e order)
{
    uint32_t  i, number, last;

    last = 0;

    for (i = list;
         i != NGX_CODAT_ZONE_NONE;
         i = ngx_codat_repair_link(sh, i))
    {
        number = ngx_codat_repair_number(sh, &sh->cells[i], order);

        if (number < last) {
            break;
        }

        last = number;
    }

    if (i == NGX_CODAT_ZONE_NONE) {
        return list;
    }

    list = ngx_codat_repair_pass(sh, list, order, 0);

    return ngx_codat_repair_pass(sh, list, order, 16);
}


static uint32_t
ngx_codat_repair_pass(ngx_codat_zone_sh_t *sh, uint32_t list,
    ngx_codat_repair_order_e order, ngx_uint_t shift)
{
    uint32_t                          i, next, number, *link, sorted;
    ngx_codat_repair_digit_t         *digit;

    static ngx_codat_repair_digit_t   digits[NGX_CODAT_REPAIR_DIGIT];

    for (i = 0; i < NGX_CODAT_REPAIR_DIGIT; i++) {
        digits[i].head = NGX_CODAT_ZONE_NONE;
    }

    for (i = list; i != NGX_CODAT_ZONE_NONE; i = next) {
        next = ngx_codat_repair_link(sh, i);

        number = ngx_codat_repair_number(sh, &sh->cells[i], order);

        digit = &digits[(number >> shift) & (NGX_CODAT_REPAIR_DIGIT - 1)];

        if (digit->head == NGX_CODAT_ZONE_NONE) {
            digit->head = i;

        } else {
            ngx_codat_repair_link(sh, digit->tail) = i;
        }

        digit->tail = i;
    }

    sorted = NGX_CODAT_ZONE_NONE;
    link = &sorted;

    for (i = 0; i < NGX_CODAT_REPAIR_DIGIT; i++) {

        if (digits[i].head != NGX_CODAT_ZONE_NONE) {
            *link = digits[i].head;
            link = &ngx_codat_repair_link(sh, digits[i].tail);
        }
    }

    *link = NGX_CODAT_ZONE_NONE;

    return sorted;
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
