
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the tables, see ngx_codat_table.h.  What can be computed is
 * computed before the lock is taken; under it rows are found, unpacked,
 * merged, packed and written, a few of them at a time.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_cell.h"
#include "ngx_codat_digest.h"
#include "ngx_codat_evict.h"
#include "ngx_codat_fetch.h"
#include "ngx_codat_table.h"


/* facts of one event that are applied in one hold of the lock */
#define NGX_CODAT_TABLE_SLICE  8


/* one fact, and what the zone needs to know of it */
typedef struct {
    ngx_codat_record_t         *said;
    ngx_uint_t                  kind;       /* of the row */
    u_char                      key[NGX_CODAT_ZONE_KEY_LEN];
    uint32_t                    group;      /* 0: none */
    ngx_codat_text_e            parent;     /* the text of which it is */
    unsigned                    skip:1;     /* has no key */
} ngx_codat_table_fact_t;


/* what is counted and done once the lock is released */
typedef struct {
    uint32_t                    now;
    ngx_uint_t                  unstored;   /* mask of kinds */
    ngx_uint_t                  refused;
    unsigned                    wake:1;
} ngx_codat_table_ctx_t;


static ngx_codat_table_fact_t *ngx_codat_table_prepare(
    ngx_codat_zone_t *zone, ngx_pool_t *pool, ngx_array_t *facts);
static void ngx_codat_table_fetch(ngx_codat_zone_t *zone,
    ngx_codat_delivery_t *delivery, ngx_codat_table_fact_t *facts,
    ngx_uint_t n);
static ngx_int_t ngx_codat_table_fact(ngx_codat_zone_t *zone,
    ngx_codat_record_t *said, ngx_codat_table_fact_t *fact);
static ngx_int_t ngx_codat_table_group(ngx_codat_zone_t *zone,
    ngx_uint_t kind, const ngx_str_t *id, uint32_t *group);
static void ngx_codat_table_first_locked(ngx_codat_zone_t *zone,
    ngx_codat_table_fact_t *fact, ngx_codat_update_t *update,
    ngx_codat_table_ctx_t *ctx, u_char *reference);
static ngx_uint_t ngx_codat_table_apply_locked(ngx_codat_zone_t *zone,
    ngx_codat_table_fact_t *fact, ngx_codat_copy_t *copy,
    ngx_codat_table_ctx_t *ctx);
static ngx_codat_row_t *ngx_codat_table_find_locked(ngx_codat_zone_t *zone,
    ngx_uint_t kind, const u_char *key, uint32_t now);
static ngx_int_t ngx_codat_table_write_locked(ngx_codat_zone_t *zone,
    ngx_codat_row_t *row, ngx_codat_table_fact_t *fact,
    ngx_codat_copy_t *copy, ngx_codat_table_ctx_t *ctx);
static uint32_t ngx_codat_table_group_of(ngx_codat_zone_t *zone,
    ngx_codat_row_t *row, ngx_codat_table_fact_t *fact,
    ngx_codat_copy_t *copy);
static void ngx_codat_table_link_locked(ngx_codat_zone_t *zone,
    ngx_codat_row_t *row, uint32_t group, uint32_t now);
static ngx_int_t ngx_codat_table_put_locked(ngx_codat_zone_t *zone,
    ngx_codat_row_t *row, ngx_codat_table_fact_t *fact, uint64_t version,
    ngx_codat_table_ctx_t *ctx, ngx_codat_copy_t *copy);
static ngx_int_t ngx_codat_table_reference(ngx_codat_zone_t *zone,
    const ngx_codat_record_t *push, uint32_t *link);
static ngx_codat_record_kind_e ngx_codat_table_record_kind(
    ngx_uint_t kind);
static void ngx_codat_table_done(ngx_codat_zone_t *zone,
    ngx_codat_table_ctx_t *ctx);


#define ngx_codat_table_count(zone, family, a, n)                             \
    ngx_codat_stats_add((zone)->sh->stats,                                    \
                        ngx_codat_stat_id(family, a, 0, 0, 0), n)


const ngx_uint_t  ngx_codat_table_kinds[NGX_CODAT_RECORD_KINDS] = {
    NGX_CODAT_ROW_PUSH,
    NGX_CODAT_ROW_CONNECTION,
    NGX_CODAT_ROW_DATASET,
    NGX_CODAT_ROW_COMPANY,
    NGX_CODAT_ROW_CLIENT
};


ngx_int_t
ngx_codat_table_key(ngx_codat_zone_t *zone, const ngx_str_t *text,
    u_char *key)
{
    if (text->len == 0 || text->len > NGX_CODAT_ID_MAX) {
        return NGX_DECLINED;
    }

    if (ngx_codat_uuid_parse(text, key) == NGX_OK) {
        return NGX_OK;
    }

    return ngx_codat_digest(zone, text, 1, key);
}


ngx_int_t
ngx_codat_table_receive(ngx_codat_zone_t *zone, ngx_pool_t *pool,
    ngx_codat_delivery_t *delivery, ngx_uint_t done,
    ngx_codat_update_t *update)
{
    ngx_int_t                rc;
    ngx_uint_t               i, n;
    ngx_codat_copy_t         copy;
    ngx_codat_table_ctx_t    ctx;
    ngx_codat_table_fact_t  *facts;
    u_char                   reference[NGX_CODAT_REFERENCE_MAX];

    facts = ngx_codat_table_prepare(zone, pool, &update->facts);
    if (facts == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ctx, sizeof(ngx_codat_table_ctx_t));

    ctx.now = (uint32_t) ngx_time();

    n = update->facts.nelts;
    i = 0;
    rc = NGX_OK;

    ngx_codat_table_fetch(zone, delivery, facts, n);

    ngx_codat_zone_lock(zone);

    if (delivery) {
        rc = ngx_codat_delivery_claim_locked(zone, delivery, done, ctx.now);
    }

    if (rc == NGX_OK || rc == NGX_DECLINED) {

        if (n) {
            ngx_codat_table_first_locked(zone, &facts[i++], update, &ctx,
                                         reference);
        }

        if (delivery == NULL || delivery->attempt == 1) {
            ngx_codat_recent_add_locked(zone->sh->recent, &update->recent);
        }

        for ( /* void */ ; i < n; i++) {

            if (i % NGX_CODAT_TABLE_SLICE == 0) {
                ngx_codat_zone_unlock(zone);
                ngx_codat_zone_lock(zone);
            }

            (void) ngx_codat_table_apply_locked(zone, &facts[i], &copy, &ctx);
        }
    }

    ngx_codat_zone_unlock(zone);

    if (rc == NGX_DECLINED) {
        ctx.unstored |= (ngx_uint_t) 1 << NGX_CODAT_ROW_DELIVERY;
    }

    if (update->stale) {
        ngx_codat_table_count(zone, NGX_CODAT_STAT_STALE, 0, 1);
    }

    ngx_codat_table_done(zone, &ctx);

    if (update->reference.len) {

        update->reference.data = ngx_pnalloc(pool, update->reference.len);

        if (update->reference.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(update->reference.data, reference, update->reference.len);
    }

    return rc;
}


static ngx_codat_table_fact_t *
ngx_codat_table_prepare(ngx_codat_zone_t *zone, ngx_pool_t *pool,
    ngx_array_t *facts)
{
    ngx_uint_t               i;
    ngx_codat_record_t      *said;
    ngx_codat_table_fact_t  *prepared;

    prepared = ngx_palloc(pool, ngx_max(facts->nelts, 1)
                                * sizeof(ngx_codat_table_fact_t));
    if (prepared == NULL) {
        return NULL;
    }

    said = facts->elts;

    for (i = 0; i < facts->nelts; i++) {

        if (ngx_codat_table_fact(zone, &said[i], &prepared[i]) == NGX_ERROR) {
            return NULL;
        }
    }

    return prepared;
}


/* what the lock will be held for first */

static void
ngx_codat_table_fetch(ngx_codat_zone_t *zone, ngx_codat_delivery_t *delivery,
    ngx_codat_table_fact_t *facts, ngx_uint_t n)
{
    uint32_t    hashes[NGX_CODAT_FETCH_ROWS], groups[NGX_CODAT_FETCH_ROWS];
    ngx_uint_t  i, k;

    k = 0;

    if (delivery) {
        hashes[k] = ngx_codat_cell_hash(zone->sh, NGX_CODAT_ROW_DELIVERY,
                                        delivery->key);
        groups[k++] = 0;
    }

    for (i = 0; i < n && k < NGX_CODAT_FETCH_ROWS; i++) {

        if (facts[i].skip) {
            continue;
        }

        hashes[k] = ngx_codat_cell_hash(zone->sh, facts[i].kind,
                                        facts[i].key);
        groups[k++] = facts[i].group;
    }

    ngx_codat_fetch_rows(zone->sh, hashes, groups, k);
}


/* a row that can't have a key is not remembered, the event is served */

static ngx_int_t
ngx_codat_table_fact(ngx_codat_zone_t *zone, ngx_codat_record_t *said,
    ngx_codat_table_fact_t *fact)
{
    ngx_int_t   rc;
    ngx_str_t   parts[2];

    fact->said = said;
    fact->kind = ngx_codat_table_kinds[said->kind];
    fact->group = 0;
    fact->skip = 0;

    fact->parent = NGX_CODAT_TEXT_COMPANY;

    if (said->kind == NGX_CODAT_RECORD_DATASET) {

        fact->parent = NGX_CODAT_TEXT_CONNECTION;

        parts[0] = said->texts[NGX_CODAT_TEXT_CONNECTION];
        parts[1] = said->texts[NGX_CODAT_TEXT_DATA_TYPE];

        rc = ngx_codat_digest(zone, parts, 2, fact->key);

    } else if (said->kind == NGX_CODAT_RECORD_CLIENT
               && said->texts[NGX_CODAT_TEXT_ID].len == 0)
    {
        /* the only client of an endpoint need not have a name */

        ngx_memzero(fact->key, NGX_CODAT_ZONE_KEY_LEN);
        rc = NGX_OK;

    } else {
        rc = ngx_codat_table_key(zone, &said->texts[NGX_CODAT_TEXT_ID],
                                 fact->key);
    }

    if (rc != NGX_OK) {
        fact->skip = 1;
        return rc;
    }

    if (said->kind == NGX_CODAT_RECORD_COMPANY
        || said->kind == NGX_CODAT_RECORD_CLIENT)
    {
        return NGX_OK;
    }

    return ngx_codat_table_group(zone, fact->kind, &said->texts[fact->parent],
                                 &fact->group);
}


static ngx_int_t
ngx_codat_table_group(ngx_codat_zone_t *zone, ngx_uint_t kind,
    const ngx_str_t *id, uint32_t *group)
{
    ngx_int_t  rc;
    u_char     key[NGX_CODAT_ZONE_KEY_LEN];

    rc = ngx_codat_table_key(zone, id, key);

    if (rc == NGX_OK) {
        *group = ngx_codat_cell_hash(zone->sh, kind, key);
    }

    return rc;
}


/* the fact that the event is about: what the application is told of it */

static void
ngx_codat_table_first_locked(ngx_codat_zone_t *zone,
    ngx_codat_table_fact_t *fact, ngx_codat_update_t *update,
    ngx_codat_table_ctx_t *ctx, u_char *reference)
{
    ngx_str_t         *text;
    ngx_uint_t         merged;
    ngx_codat_copy_t   copy;

    merged = ngx_codat_table_apply_locked(zone, fact, &copy, ctx);

    update->stale = ((merged & NGX_CODAT_MERGE_STALE) != 0);
    update->recent.stale = update->stale;

    if (fact->skip || fact->kind != NGX_CODAT_ROW_PUSH) {
        return;
    }

    text = &copy.record.texts[NGX_CODAT_TEXT_REFERENCE];

    if (text->len == 0 || text->len > NGX_CODAT_REFERENCE_MAX) {
        return;
    }

    ngx_memcpy(reference, text->data, text->len);

    update->reference.len = text->len;

    update->recent.reference.len = text->len;
    update->recent.reference.data = reference;
}


/* leaves the record as it is then in "copy" */

static ngx_uint_t
ngx_codat_table_apply_locked(ngx_codat_zone_t *zone,
    ngx_codat_table_fact_t *fact, ngx_codat_copy_t *copy,
    ngx_codat_table_ctx_t *ctx)
{
    ngx_uint_t        merged;
    ngx_codat_row_t  *row;

    if (fact->skip) {
        return 0;
    }

    row = ngx_codat_table_find_locked(zone, fact->kind, fact->key, ctx->now);

    ngx_codat_evict_old_locked(zone, row, ctx->now);

    if (row) {
        ngx_codat_table_copy_locked(zone, row, copy);
        ngx_codat_table_unpack(copy);

    } else {
        ngx_memzero(&copy->record, sizeof(ngx_codat_record_t));

        copy->record.kind = fact->said->kind;
        copy->record.texts[NGX_CODAT_TEXT_ID] =
                                        fact->said->texts[NGX_CODAT_TEXT_ID];
    }

    merged = ngx_codat_merge(&copy->record, fact->said);

    if (merged & NGX_CODAT_MERGE_REFUSED) {
        ctx->refused++;
    }

    if (row && !(merged & NGX_CODAT_MERGE_CHANGED)) {
        return merged;
    }

    if (ngx_codat_table_write_locked(zone, row, fact, copy, ctx) != NGX_OK) {
        ctx->unstored |= (ngx_uint_t) 1 << fact->kind;
        return merged;
    }

    if ((merged & NGX_CODAT_MERGE_STATUS)
        && ngx_codat_wake_note_locked(zone->sh->wake, fact->kind, fact->key,
                                      ctx->now))
    {
        ctx->wake = 1;
    }

    return merged;
}


/* a row that is kept no longer is none, also before it is dropped */

static ngx_codat_row_t *
ngx_codat_table_find_locked(ngx_codat_zone_t *zone, ngx_uint_t kind,
    const u_char *key, uint32_t now)
{
    ngx_codat_row_t  *row;

    row = ngx_codat_cell_find_locked(zone->sh, kind, key);

    if (row && ngx_codat_evict_over(zone, row, now)) {
        ngx_codat_evict_row_locked(zone, row);
        return NULL;
    }

    return row;
}


/* all the room that is needed is made before anything changes */

static ngx_int_t
ngx_codat_table_write_locked(ngx_codat_zone_t *zone, ngx_codat_row_t *row,
    ngx_codat_table_fact_t *fact, ngx_codat_copy_t *copy,
    ngx_codat_table_ctx_t *ctx)
{
    uint32_t             group;
    ngx_uint_t           cells;
    ngx_codat_value_t    value;
    ngx_codat_queue_e    queue;
    u_char               packed[NGX_CODAT_RECORD_MAX];

    value.word = 0;
    value.part.data = NGX_CODAT_ZONE_NONE;
    value.part.len = (uint16_t) ngx_codat_record_pack(&copy->record, packed);
    value.part.state = (uint8_t) copy->record.state;
    value.part.flags = (uint8_t) copy->record.flags;

    cells = row ? ngx_codat_cell_more(row, value.part.len)
                : ngx_codat_cell_need(value.part.len) + 1;

    if (ngx_codat_evict_locked(zone, cells, row, ctx->now) != NGX_OK) {
        return NGX_DECLINED;
    }

    queue = ngx_codat_table_queue(fact->kind, copy->record.state);
    group = fact->group;

    if (row == NULL) {
        row = ngx_codat_cell_insert_locked(zone->sh, fact->kind, queue,
                                           fact->key, cells, ctx->now);
        if (row == NULL) {
            return NGX_DECLINED;
        }

    } else {
        group = ngx_codat_table_group_of(zone, row, fact, copy);
    }

    if (ngx_codat_cell_write_locked(zone->sh, row, value, group, packed)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_codat_cell_touch_locked(zone->sh, row, queue, ctx->now);

    return NGX_OK;
}


/* a late report may name another parent than the record keeps */

static uint32_t
ngx_codat_table_group_of(ngx_codat_zone_t *zone, ngx_codat_row_t *row,
    ngx_codat_table_fact_t *fact, ngx_codat_copy_t *copy)
{
    const ngx_str_t     *said, *known;
    ngx_codat_prefix_t   prefix;

    said = &fact->said->texts[fact->parent];
    known = &copy->record.texts[fact->parent];

    if (fact->group
        && said->len == known->len
        && ngx_memcmp(said->data, known->data, said->len) == 0)
    {
        return fact->group;
    }

    ngx_codat_cell_prefix(zone->sh, row, &prefix);

    return prefix.group;
}


ngx_codat_queue_e
ngx_codat_table_queue(ngx_uint_t kind, ngx_uint_t state)
{
    switch (kind) {

    case NGX_CODAT_ROW_PUSH:
        return state > NGX_CODAT_PUSH_PENDING ? NGX_CODAT_QUEUE_FINAL
                                              : NGX_CODAT_QUEUE_PENDING;

    case NGX_CODAT_ROW_CONNECTION:
        return state == NGX_CODAT_CONN_DELETED ? NGX_CODAT_QUEUE_GONE
                                               : NGX_CODAT_QUEUE_CONNECTIONS;

    case NGX_CODAT_ROW_DATASET:
        return NGX_CODAT_QUEUE_DATASETS;

    case NGX_CODAT_ROW_COMPANY:
        return state ? NGX_CODAT_QUEUE_GONE : NGX_CODAT_QUEUE_COMPANIES;

    case NGX_CODAT_ROW_CLIENT:
        return NGX_CODAT_QUEUE_CLIENTS;

    default:
        return NGX_CODAT_QUEUE_NONE;
    }
}


void
ngx_codat_table_copy_locked(ngx_codat_zone_t *zone,
    const ngx_codat_row_t *row, ngx_codat_copy_t *copy)
{
    copy->len = ngx_codat_cell_read(zone->sh, row, NULL, copy->packed,
                                    sizeof(copy->packed));

    ngx_memcpy(copy->key, row->key, NGX_CODAT_ZONE_KEY_LEN);

    copy->record.kind = ngx_codat_table_record_kind(row->kind);
    copy->record.state = row->u.record.value.part.state;
    copy->record.flags = row->u.record.value.part.flags;
}


void
ngx_codat_table_unpack(ngx_codat_copy_t *copy)
{
    /* nothing but a broken zone could make it fail: what was read counts */

    (void) ngx_codat_record_unpack(&copy->record, copy->packed, copy->len,
                                   copy->key, copy->scratch);
}


static ngx_codat_record_kind_e
ngx_codat_table_record_kind(ngx_uint_t kind)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_CODAT_RECORD_KINDS - 1; i++) {

        if (ngx_codat_table_kinds[i] == kind) {
            break;
        }
    }

    return (ngx_codat_record_kind_e) i;
}


ngx_int_t
ngx_codat_table_get(ngx_codat_zone_t *zone, ngx_codat_record_kind_e kind,
    const u_char *key, ngx_codat_copy_t *copy)
{
    ngx_codat_row_t  *row;

    ngx_codat_fetch_key(zone->sh, ngx_codat_table_kinds[kind], key);

    ngx_codat_zone_lock(zone);

    row = ngx_codat_table_find_locked(zone, ngx_codat_table_kinds[kind], key,
                                      (uint32_t) ngx_time());
    if (row) {
        ngx_codat_table_copy_locked(zone, row, copy);
    }

    ngx_codat_zone_unlock(zone);

    if (row == NULL) {
        return NGX_DECLINED;
    }

    ngx_codat_table_unpack(copy);

    return NGX_OK;
}


ngx_int_t
ngx_codat_table_register(ngx_codat_zone_t *zone, ngx_codat_record_t *push,
    ngx_codat_copy_t *copy)
{
    uint32_t                 link;
    ngx_int_t                rc;
    ngx_codat_row_t         *row;
    ngx_codat_table_ctx_t    ctx;
    ngx_codat_table_fact_t   fact;

    ngx_memzero(&ctx, sizeof(ngx_codat_table_ctx_t));

    ctx.now = (uint32_t) ngx_time();

    push->kind = NGX_CODAT_RECORD_PUSH;

    if (push->flags != NGX_CODAT_MERGE_ANSWER) {
        push->flags = NGX_CODAT_MERGE_BY_HAND;
    }

    push->times[NGX_CODAT_TIME_UPDATED] = ngx_codat_table_now();
    push->times[NGX_CODAT_TIME_SEEN] = push->times[NGX_CODAT_TIME_UPDATED];

    rc = ngx_codat_table_fact(zone, push, &fact);

    if (fact.skip || rc == NGX_ERROR) {
        return rc;
    }

    if (ngx_codat_table_reference(zone, push, &link) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_codat_zone_lock(zone);

    row = ngx_codat_table_find_locked(zone, NGX_CODAT_ROW_PUSH, fact.key,
                                      ctx.now);

    rc = row ? NGX_OK : NGX_DONE;

    if (push->flags == NGX_CODAT_MERGE_BY_HAND) {
        push->state = row ? NGX_CODAT_PUSH_UNKNOWN : NGX_CODAT_PUSH_PENDING;
    }

    (void) ngx_codat_table_apply_locked(zone, &fact, copy, &ctx);

    row = ngx_codat_cell_find_locked(zone->sh, NGX_CODAT_ROW_PUSH, fact.key);

    if (row == NULL || ctx.unstored) {
        rc = NGX_DECLINED;

    } else if (link) {
        ngx_codat_table_link_locked(zone, row, link, ctx.now);
    }

    if (row) {
        ngx_codat_table_copy_locked(zone, row, copy);
    }

    ngx_codat_zone_unlock(zone);

    ngx_codat_table_done(zone, &ctx);

    if (rc != NGX_DECLINED) {
        ngx_codat_table_unpack(copy);
    }

    return rc;
}


/* without room for the link the push is known all the same, by its key */

static void
ngx_codat_table_link_locked(ngx_codat_zone_t *zone, ngx_codat_row_t *row,
    uint32_t group, uint32_t now)
{
    ngx_codat_row_t     *link;
    ngx_codat_prefix_t   prefix;

    link = ngx_codat_cell_find_locked(zone->sh, NGX_CODAT_ROW_LINK, row->key);

    if (link) {
        ngx_codat_cell_prefix(zone->sh, link, &prefix);

        if (prefix.group != group) {
            ngx_codat_cell_link_locked(zone->sh, link, group);
        }

        return;
    }

    if (ngx_codat_evict_locked(zone, 1, row, now) != NGX_OK) {
        return;
    }

    row->linked = 1;

    ngx_memory_barrier();

    link = ngx_codat_cell_insert_locked(zone->sh, NGX_CODAT_ROW_LINK,
                                        NGX_CODAT_QUEUE_NONE, row->key, 1,
                                        now);
    if (link) {
        ngx_codat_cell_link_locked(zone->sh, link, group);
    }
}


ngx_int_t
ngx_codat_table_put(ngx_codat_zone_t *zone, ngx_codat_record_t *record,
    uint64_t version)
{
    uint32_t                 link;
    ngx_int_t                rc;
    ngx_codat_row_t         *row;
    ngx_codat_copy_t         copy;
    ngx_codat_table_ctx_t    ctx;
    ngx_codat_table_fact_t   fact;

    ngx_memzero(&ctx, sizeof(ngx_codat_table_ctx_t));

    ctx.now = (uint32_t) ngx_time();

    rc = ngx_codat_table_fact(zone, record, &fact);

    if (fact.skip || rc == NGX_ERROR) {
        return rc == NGX_ERROR ? NGX_ERROR : NGX_DECLINED;
    }

    if (ngx_codat_table_reference(zone, record, &link) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_codat_zone_lock(zone);

    row = ngx_codat_table_find_locked(zone, fact.kind, fact.key, ctx.now);

    ngx_codat_evict_old_locked(zone, row, ctx.now);

    rc = ngx_codat_table_put_locked(zone, row, &fact, version, &ctx, &copy);

    if (rc == NGX_OK && link) {
        row = ngx_codat_cell_find_locked(zone->sh, NGX_CODAT_ROW_PUSH,
                                         fact.key);
        if (row) {
            ngx_codat_table_link_locked(zone, row, link, ctx.now);
        }
    }

    ngx_codat_zone_unlock(zone);

    ngx_codat_table_done(zone, &ctx);

    return rc;
}


static ngx_int_t
ngx_codat_table_put_locked(ngx_codat_zone_t *zone, ngx_codat_row_t *row,
    ngx_codat_table_fact_t *fact, uint64_t version,
    ngx_codat_table_ctx_t *ctx, ngx_codat_copy_t *copy)
{
    ngx_uint_t  changed;

    changed = 1;

    if (row) {
        ngx_codat_table_copy_locked(zone, row, copy);
        ngx_codat_table_unpack(copy);

        if ((uint64_t) copy->record.times[NGX_CODAT_TIME_VERSION] >= version)
        {
            return NGX_DECLINED;
        }

        changed = (copy->record.state != fact->said->state);
    }

    copy->record = *fact->said;
    copy->record.times[NGX_CODAT_TIME_VERSION] = (int64_t) version;

    if (ngx_codat_table_write_locked(zone, row, fact, copy, ctx) != NGX_OK) {
        ctx->unstored |= (ngx_uint_t) 1 << fact->kind;
        return NGX_DECLINED;
    }

    if (changed
        && ngx_codat_wake_note_locked(zone->sh->wake, fact->kind, fact->key,
                                      ctx->now))
    {
        ctx->wake = 1;
    }

    return NGX_OK;
}


/* where the reference of a push leads from; 0: it has none */

static ngx_int_t
ngx_codat_table_reference(ngx_codat_zone_t *zone,
    const ngx_codat_record_t *push, uint32_t *link)
{
    const ngx_str_t  *reference;
    u_char            key[NGX_CODAT_ZONE_KEY_LEN];

    *link = 0;

    reference = &push->texts[NGX_CODAT_TEXT_REFERENCE];

    if (push->kind != NGX_CODAT_RECORD_PUSH || reference->len == 0) {
        return NGX_OK;
    }

    if (ngx_codat_digest(zone, reference, 1, key) != NGX_OK) {
        return NGX_ERROR;
    }

    *link = ngx_codat_cell_hash(zone->sh, NGX_CODAT_ROW_LINK, key);

    return NGX_OK;
}


ngx_int_t
ngx_codat_table_forget(ngx_codat_zone_t *zone, const u_char *key)
{
    ngx_codat_row_t  *row;

    ngx_codat_zone_lock(zone);

    row = ngx_codat_table_find_locked(zone, NGX_CODAT_ROW_PUSH, key,
                                      (uint32_t) ngx_time());
    if (row) {
        ngx_codat_evict_row_locked(zone, row);
    }

    ngx_codat_zone_unlock(zone);

    return row ? NGX_OK : NGX_DECLINED;
}


static void
ngx_codat_table_done(ngx_codat_zone_t *zone, ngx_codat_table_ctx_t *ctx)
{
    ngx_uint_t  kind;

    if (ctx->wake) {
        ngx_codat_wake_signal(zone->wakeup);
    }

    if (ctx->refused) {
        ngx_codat_table_count(zone, NGX_CODAT_STAT_TRANSITIONS_REFUSED, 0,
                              ctx->refused);
    }

    for (kind = 0; ctx->unstored >> kind; kind++) {

        if (ctx->unstored & ((ngx_uint_t) 1 << kind)) {
            ngx_codat_table_count(zone, NGX_CODAT_STAT_UNSTORED, kind, 1);
        }
    }
}


int64_t
ngx_codat_table_now(void)
{
    return (int64_t) ngx_cached_time->sec * 1000000
           + (int64_t) ngx_cached_time->msec * 1000;
}
