
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns walks, see ngx_codat_walk.h.  A walk remembers the row to
 * come, by its cell and its number in the order; if that row is gone when
 * the walk goes on, it seeks the first one that is not newer.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_cell.h"
#include "ngx_codat_digest.h"
#include "ngx_codat_evict.h"
#include "ngx_codat_fetch.h"
#include "ngx_codat_walk.h"


/* rows looked at in one hold of the lock */
#define NGX_CODAT_WALK_STEPS  64


static ngx_codat_row_t *ngx_codat_walk_enter_locked(ngx_codat_zone_t *zone,
    ngx_codat_walk_t *walk, ngx_uint_t *steps);
static ngx_codat_row_t *ngx_codat_walk_newest(ngx_codat_zone_t *zone,
    ngx_codat_walk_t *walk);
static ngx_codat_row_t *ngx_codat_walk_from_oldest(ngx_codat_zone_t *zone,
    ngx_codat_walk_t *walk, ngx_uint_t *steps);
static ngx_codat_row_t *ngx_codat_walk_older(ngx_codat_zone_t *zone,
    ngx_codat_walk_t *walk, ngx_codat_row_t *row);
static ngx_uint_t ngx_codat_walk_stands(ngx_codat_zone_t *zone,
    ngx_codat_walk_t *walk, ngx_codat_row_t *row);
static uint32_t ngx_codat_walk_order(ngx_codat_zone_t *zone,
    ngx_codat_walk_t *walk, ngx_codat_row_t *row);
static ngx_uint_t ngx_codat_walk_take_locked(ngx_codat_zone_t *zone,
    ngx_codat_walk_t *walk, ngx_codat_row_t *row, ngx_codat_copy_t *copy);
static void ngx_codat_walk_stop_locked(ngx_codat_zone_t *zone,
    ngx_codat_walk_t *walk, ngx_codat_row_t *row);
static ngx_uint_t ngx_codat_walk_matches(ngx_codat_zone_t *zone,
    ngx_codat_walk_t *walk, ngx_codat_copy_t *copy);


/* numbers wrap */

#define ngx_codat_walk_newer(one, two)  ((int32_t) ((one) - (two)) > 0)


void
ngx_codat_walk_init(ngx_codat_walk_t *walk, ngx_codat_record_kind_e kind)
{
    ngx_memzero(walk, sizeof(ngx_codat_walk_t));

    walk->kind = kind;
    walk->by = NGX_CODAT_WALK_ALL;
    walk->place = NGX_CODAT_ZONE_NONE;
}


void
ngx_codat_walk_of(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    const u_char *key)
{
    walk->by = NGX_CODAT_WALK_GROUP;

    ngx_memcpy(walk->group, key, NGX_CODAT_ZONE_KEY_LEN);

    walk->hash = ngx_codat_cell_hash(zone->sh,
                                     ngx_codat_table_kinds[walk->kind], key);
}


ngx_int_t
ngx_codat_walk_reference(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    const ngx_str_t *reference)
{
    if (ngx_codat_digest(zone, reference, 1, walk->group) != NGX_OK) {
        return NGX_ERROR;
    }

    walk->by = NGX_CODAT_WALK_REFERENCE;
    walk->reference = *reference;

    walk->hash = ngx_codat_cell_hash(zone->sh, NGX_CODAT_ROW_LINK,
                                     walk->group);

    return NGX_OK;
}


ngx_int_t
ngx_codat_walk_next(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    ngx_codat_copy_t *copy)
{
    ngx_uint_t        steps, taken;
    ngx_codat_row_t  *row;

    if (walk->done) {
        return NGX_DONE;
    }

    steps = 0;
    taken = 0;

    ngx_codat_zone_lock(zone);

    row = ngx_codat_walk_enter_locked(zone, walk, &steps);

    while (row && !taken && steps++ < NGX_CODAT_WALK_STEPS) {

        if (walk->seeking) {

            if (!ngx_codat_walk_newer(ngx_codat_walk_order(zone, walk, row),
                                      walk->target))
            {
                walk->seeking = 0;
            }
        }

        if (!walk->seeking) {
            taken = ngx_codat_walk_take_locked(zone, walk, row, copy);
        }

        row = ngx_codat_walk_older(zone, walk, row);
    }

    ngx_codat_walk_stop_locked(zone, walk, row);

    ngx_codat_zone_unlock(zone);

    if (!taken) {
        return walk->done ? NGX_DONE : NGX_AGAIN;
    }

    ngx_codat_table_unpack(copy);

    if (!ngx_codat_walk_matches(zone, walk, copy)) {
        return walk->done ? NGX_DONE : NGX_AGAIN;
    }

    return NGX_OK;
}


/* the row to go on with */

static ngx_codat_row_t *
ngx_codat_walk_enter_locked(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    ngx_uint_t *steps)
{
    ngx_codat_row_t  *row;

    if (!walk->started) {
        walk->started = 1;
        return ngx_codat_walk_newest(zone, walk);
    }

    if (walk->place < zone->sh->fresh) {

        row = &zone->sh->cells[walk->place];

        if (ngx_codat_walk_stands(zone, walk, row)
            && ngx_codat_walk_order(zone, walk, row) == walk->order)
        {
            return row;
        }
    }

    /* it is gone */

    if (!walk->seeking) {
        walk->seeking = 1;
        walk->target = walk->order;
    }

    row = ngx_codat_walk_from_oldest(zone, walk, steps);

    return (row || walk->done) ? row : ngx_codat_walk_newest(zone, walk);
}


static ngx_codat_row_t *
ngx_codat_walk_newest(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk)
{
    ngx_uint_t            i;
    ngx_codat_zone_sh_t  *sh;

    sh = zone->sh;

    if (walk->by == NGX_CODAT_WALK_ALL) {
        i = ngx_codat_table_kinds[walk->kind];

        return ngx_codat_cell_row(sh, sh->created[i].newest);
    }

    return ngx_codat_cell_row(sh, sh->groups[(walk->hash >> 1)
                                             & sh->groups_mask]);
}


/*
 * Rows that are forgotten are old ones, mostly: what was lost near the oldest
 * end is found from there.
 */

static ngx_codat_row_t *
ngx_codat_walk_from_oldest(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    ngx_uint_t *steps)
{
    ngx_codat_row_t    *row, *newer;
    ngx_codat_queue_t  *list;

    if (walk->by != NGX_CODAT_WALK_ALL) {
        return NULL;
    }

    list = &zone->sh->created[ngx_codat_table_kinds[walk->kind]];

    row = ngx_codat_cell_row(zone->sh, list->oldest);

    if (row == NULL || ngx_codat_walk_newer(row->seq, walk->target)) {

        /* all that was to come is gone */

        walk->done = 1;
        return NULL;
    }

    while ((*steps)++ < NGX_CODAT_WALK_STEPS / 2) {

        newer = ngx_codat_cell_row(zone->sh, row->u.record.newer);

        if (newer == NULL || ngx_codat_walk_newer(newer->seq, walk->target)) {
            return row;
        }

        row = newer;
    }

    return NULL;
}


static ngx_codat_row_t *
ngx_codat_walk_older(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    ngx_codat_row_t *row)
{
    return ngx_codat_cell_row(zone->sh, walk->by == NGX_CODAT_WALK_ALL
                                        ? row->u.record.older
                                        : row->u.record.later);
}


/* 1 if the row stands in the order that the walk follows */

static ngx_uint_t
ngx_codat_walk_stands(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    ngx_codat_row_t *row)
{
    ngx_codat_prefix_t  prefix;

    if (walk->by == NGX_CODAT_WALK_ALL) {
        return row->kind == ngx_codat_table_kinds[walk->kind];
    }

    if (row->kind <= NGX_CODAT_ROW_DELIVERY
        || row->kind >= NGX_CODAT_ROW_KINDS)
    {
        return 0;
    }

    /* the order of a bucket is that of all groups in it */

    ngx_codat_cell_prefix(zone->sh, row, &prefix);

    return prefix.group
           && ((prefix.group ^ walk->hash) >> 1 & zone->sh->groups_mask) == 0;
}


static uint32_t
ngx_codat_walk_order(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    ngx_codat_row_t *row)
{
    ngx_codat_prefix_t  prefix;

    if (walk->by == NGX_CODAT_WALK_ALL) {
        return row->seq;
    }

    ngx_codat_cell_prefix(zone->sh, row, &prefix);

    return prefix.stamp;
}


/* copies the row if it is one of the list, as far as that can be told here */

static ngx_uint_t
ngx_codat_walk_take_locked(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    ngx_codat_row_t *row, ngx_codat_copy_t *copy)
{
    ngx_codat_prefix_t  prefix;

    if (walk->by != NGX_CODAT_WALK_ALL) {

        ngx_codat_cell_prefix(zone->sh, row, &prefix);

        if (prefix.group != walk->hash) {
            return 0;
        }
    }

    if (walk->by == NGX_CODAT_WALK_REFERENCE) {

        if (row->kind != NGX_CODAT_ROW_LINK) {
            return 0;
        }

        row = ngx_codat_cell_find_locked(zone->sh, NGX_CODAT_ROW_PUSH,
                                         row->key);
        if (row == NULL) {
            return 0;
        }
    }

    if (row->kind != ngx_codat_table_kinds[walk->kind]
        || (walk->state
            && row->u.record.value.part.state != walk->state)
        || ngx_codat_evict_over(zone, row, (uint32_t) ngx_time()))
    {
        return 0;
    }

    ngx_codat_table_copy_locked(zone, row, copy);

    return 1;
}


/* remembers the row to come */

static void
ngx_codat_walk_stop_locked(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    ngx_codat_row_t *row)
{
    if (row == NULL) {
        walk->done = 1;
        walk->place = NGX_CODAT_ZONE_NONE;
        return;
    }

    walk->place = ngx_codat_cell_index(zone->sh, row);
    walk->order = ngx_codat_walk_order(zone, walk, row);

    /* what comes behind it, while the caller is busy with this one */

    ngx_codat_fetch_row(zone->sh,
                        walk->by == NGX_CODAT_WALK_ALL ? row->u.record.older
                                                       : row->u.record.later,
                        1);
}


/* hashes may be equal, ids and references are not */

static ngx_uint_t
ngx_codat_walk_matches(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    ngx_codat_copy_t *copy)
{
    u_char            key[NGX_CODAT_ZONE_KEY_LEN];
    const ngx_str_t  *text;

    if (walk->by == NGX_CODAT_WALK_ALL) {
        return 1;
    }

    if (walk->by == NGX_CODAT_WALK_REFERENCE) {
        text = &copy->record.texts[NGX_CODAT_TEXT_REFERENCE];

        return text->len == walk->reference.len
               && ngx_memcmp(text->data, walk->reference.data, text->len)
                  == 0;
    }

    text = &copy->record.texts[walk->kind == NGX_CODAT_RECORD_DATASET
                               ? NGX_CODAT_TEXT_CONNECTION
                               : NGX_CODAT_TEXT_COMPANY];

    return ngx_codat_table_key(zone, text, key) == NGX_OK
           && ngx_memcmp(key, walk->group, NGX_CODAT_ZONE_KEY_LEN) == 0;
}


u_char *
ngx_codat_walk_cursor(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    u_char *p)
{
    return ngx_sprintf(p, "%08xD%xd%xd%08xD%08xD", zone->sh->id,
                       (int) walk->kind, (int) walk->by, walk->place,
                       walk->order);
}


ngx_int_t
ngx_codat_walk_resume(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    const ngx_str_t *cursor)
{
    ngx_int_t   numbers[4];
    ngx_uint_t  i;
    u_char     *p;

    static const size_t  lens[4] = { 8, 2, 8, 8 };

    if (cursor->len != NGX_CODAT_CURSOR_LEN) {
        return NGX_DECLINED;
    }

    p = cursor->data;

    for (i = 0; i < 4; i++) {

        numbers[i] = ngx_hextoi(p, lens[i]);

        if (numbers[i] == NGX_ERROR) {
            return NGX_DECLINED;
        }

        p += lens[i];
    }

    if (numbers[1] != (ngx_int_t) (walk->kind << 4 | walk->by)) {
        return NGX_DECLINED;
    }

    if ((uint32_t) numbers[0] != zone->sh->id) {
        return NGX_ABORT;
    }

    walk->place = (uint32_t) numbers[2];
    walk->order = (uint32_t) numbers[3];
    walk->started = 1;

    return NGX_OK;
}
