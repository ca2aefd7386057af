
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  What people ask of the database: lists of events, one of them,
 * and that they are delivered again, or not at all.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_sqlite.h"


static ngx_int_t ngx_codat_sqlite_entry(ngx_codat_sqlite_t *db,
    ngx_pool_t *pool, uint64_t id, ngx_codat_work_entry_t *entry);
static ngx_int_t ngx_codat_sqlite_listed(ngx_codat_sqlite_t *db,
    ngx_pool_t *pool, ngx_codat_work_entry_t *entry);
static ngx_int_t ngx_codat_sqlite_live(ngx_codat_sqlite_t *db,
    ngx_codat_work_replayed_t *replayed, int64_t now);
static ngx_int_t ngx_codat_sqlite_cancel_event(ngx_codat_sqlite_t *db,
    ngx_codat_work_cancel_t *cancel, uint64_t event);


/* --- lists -------------------------------------------------------------- */

ngx_int_t
ngx_codat_sqlite_list(ngx_codat_sqlite_t *db, ngx_codat_work_list_t *list)
{
    size_t                   size;
    uint64_t                *id;
    ngx_uint_t               i;
    ngx_pool_t              *pool;
    ngx_array_t              ids;
    ngx_codat_work_entry_t  *entry;

    pool = list->work.pool;

    if (ngx_codat_sqlite_select(db, pool, &list->filter, list->limit, &ids,
                                &list->last)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_array_init(&list->entries, pool, ngx_max(ids.nelts, 1),
                       sizeof(ngx_codat_work_entry_t))
        != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    id = ids.elts;
    size = 0;

    for (i = 0; i < ids.nelts; i++) {

        if (i && size >= list->size) {
            list->last = id[i - 1];
            break;
        }

        entry = ngx_array_push(&list->entries);

        if (entry == NULL) {
            ngx_codat_sqlite_error(db, "out of memory");
            return NGX_ERROR;
        }

        if (ngx_codat_sqlite_entry(db, pool, id[i], entry) != NGX_OK) {
            return NGX_ERROR;
        }

        size += entry->event.body.len;
    }

    return NGX_OK;
}


ngx_int_t
ngx_codat_sqlite_exists(ngx_codat_sqlite_t *db, uint64_t id)
{
    int64_t        value;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_EXISTS);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) id);

    return ngx_codat_sqlite_any(db, stmt, &value);
}


static ngx_int_t
ngx_codat_sqlite_entry(ngx_codat_sqlite_t *db, ngx_pool_t *pool, uint64_t id,
    ngx_codat_work_entry_t *entry)
{
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    ngx_memzero(entry, sizeof(ngx_codat_work_entry_t));

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_GET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) id);

    if (ngx_codat_sqlite_step(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_codat_sqlite_event(pool, stmt, &entry->event);

    (void) sqlite3_reset(stmt);

    if (rc != NGX_OK) {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    return ngx_codat_sqlite_listed(db, pool, entry);
}


ngx_int_t
ngx_codat_sqlite_event(ngx_pool_t *pool, sqlite3_stmt *stmt,
    ngx_codat_work_event_t *event)
{
    int          i;
    ngx_uint_t   n;
    ngx_str_t   *texts[] = {
        &event->event_id, &event->webhook_id, &event->type, &event->company,
        &event->connection, &event->push_key, &event->client,
        &event->endpoint
    };

    event->id = (uint64_t) sqlite3_column_int64(stmt, 0);

    for (i = 1, n = 0; n < sizeof(texts) / sizeof(texts[0]); i++, n++) {
        if (ngx_codat_sqlite_column(pool, stmt, i, texts[n]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    event->received = sqlite3_column_int64(stmt, 9);
    event->generated = sqlite3_column_int64(stmt, 10);
    event->stale = (sqlite3_column_int(stmt, 11) != 0);

    if (ngx_codat_sqlite_column(pool, stmt, 12, &event->reference) != NGX_OK
        || ngx_codat_sqlite_column(pool, stmt, 13, &event->body) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_listed(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    ngx_codat_work_entry_t *entry)
{
    ngx_int_t                 rc;
    ngx_str_t                 state;
    sqlite3_stmt             *stmt;
    ngx_codat_work_listed_t  *listed;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_OF);

    if (stmt == NULL) {
        return NGX_ERROR;
    }

    if (ngx_array_init(&entry->deliveries, pool, 2,
                       sizeof(ngx_codat_work_listed_t))
        != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) entry->event.id);

    while ((rc = ngx_codat_sqlite_step(db, stmt)) == NGX_OK) {

        listed = ngx_array_push(&entry->deliveries);

        if (listed == NULL
            || ngx_codat_sqlite_column(pool, stmt, 1, &listed->route)
               != NGX_OK
            || ngx_codat_sqlite_column(pool, stmt, 2, &listed->nonce)
               != NGX_OK
            || ngx_codat_sqlite_column(pool, stmt, 3, &state) != NGX_OK
            || ngx_codat_sqlite_column(pool, stmt, 8, &listed->error)
               != NGX_OK)
        {
            (void) sqlite3_reset(stmt);
            ngx_codat_sqlite_error(db, "out of memory");
            return NGX_ERROR;
        }

        listed->id = (uint64_t) sqlite3_column_int64(stmt, 0);
        listed->state = ngx_codat_queued(&state);
        listed->attempts = (ngx_uint_t) sqlite3_column_int64(stmt, 4);
        listed->next = sqlite3_column_int64(stmt, 5);
        listed->finished = sqlite3_column_int64(stmt, 6);
        listed->status = (ngx_uint_t) sqlite3_column_int64(stmt, 7);
    }

    return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
}


/* --- by hand ------------------------------------------------------------ */

ngx_int_t
ngx_codat_sqlite_replay(ngx_codat_sqlite_t *db,
    ngx_codat_work_replay_t *replay)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_codat_work_replayed_t  *replayed;

    replay->count = 0;
    replayed = replay->replayed.elts;

    for (i = 0; i < replay->replayed.nelts; i++) {

        rc = ngx_codat_sqlite_exists(db, replayed[i].event);

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc == NGX_OK) {
            rc = ngx_codat_sqlite_live(db, &replayed[i], replay->now);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_codat_sqlite_enqueue(db, replayed[i].event,
                                          &replayed[i].delivery, replay->now,
                                          0, 0);
            if (rc == NGX_OK) {
                rc = NGX_DONE;
            }
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DONE) {
            replay->count++;
        }
    }

    return NGX_OK;
}


/*
 * NGX_OK: it is under way, NGX_DONE: it was dead and lives again,
 * NGX_DECLINED: neither
 */

static ngx_int_t
ngx_codat_sqlite_live(ngx_codat_sqlite_t *db,
    ngx_codat_work_replayed_t *replayed, int64_t now)
{
    int64_t                     value;
    ngx_int_t                   rc;
    ngx_str_t                   state;
    sqlite3_stmt               *stmt;
    ngx_codat_work_delivery_t  *delivery;

    delivery = &replayed->delivery;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_LIVE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) replayed->event);
    ngx_codat_sqlite_text(stmt, 2, &delivery->route);

    rc = ngx_codat_sqlite_any(db, stmt, &value);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_codat_sqlite_behind(db, delivery);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    state = ngx_codat_queued_names[rc == NGX_OK ? NGX_CODAT_QUEUED_BLOCKED
                                                : NGX_CODAT_QUEUED_PENDING];

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_REVIVE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) replayed->event);
    ngx_codat_sqlite_text(stmt, 2, &delivery->route);
    ngx_codat_sqlite_text(stmt, 3, &delivery->nonce);
    ngx_codat_sqlite_int(stmt, 4, now);
    ngx_codat_sqlite_text(stmt, 5, &state);
    ngx_codat_sqlite_text(stmt, 6, &delivery->order_key);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    return sqlite3_changes(db->db) ? NGX_DONE : NGX_DECLINED;
}


ngx_int_t
ngx_codat_sqlite_cancel(ngx_codat_sqlite_t *db,
    ngx_codat_work_cancel_t *cancel)
{
    uint64_t     *event;
    ngx_uint_t    i;
    ngx_array_t   events;

    cancel->count = 0;

    if (ngx_codat_sqlite_select(db, cancel->work.pool, &cancel->filter,
                                cancel->limit, &events, &cancel->last)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    event = events.elts;

    for (i = 0; i < events.nelts; i++) {

        if (ngx_codat_sqlite_cancel_event(db, cancel, event[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    cancel->events = events.nelts;

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_cancel_event(ngx_codat_sqlite_t *db,
    ngx_codat_work_cancel_t *cancel, uint64_t event)
{
    int64_t        id;
    ngx_int_t      rc;
    ngx_str_t      route, key;
    sqlite3_stmt  *stmt, *end;

    end = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_CANCEL);

    if (end == NULL) {
        return NGX_ERROR;
    }

    /* one at a time, since each may make another one go on */

    for ( ;; ) {

        stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_OPEN);
        if (stmt == NULL) {
            return NGX_ERROR;
        }

        ngx_codat_sqlite_int(stmt, 1, (int64_t) event);
        ngx_codat_sqlite_text(stmt, 2,
                             &ngx_codat_queued_names[cancel->filter.state]);

        rc = ngx_codat_sqlite_step(db, stmt);

        if (rc != NGX_OK) {
            return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
        }

        id = sqlite3_column_int64(stmt, 0);

        if (ngx_codat_sqlite_column(cancel->work.pool, stmt, 1, &route)
            != NGX_OK
            || ngx_codat_sqlite_column(cancel->work.pool, stmt, 2, &key)
               != NGX_OK)
        {
            (void) sqlite3_reset(stmt);
            ngx_codat_sqlite_error(db, "out of memory");
            return NGX_ERROR;
        }

        (void) sqlite3_reset(stmt);

        ngx_codat_sqlite_int(end, 1, id);
        ngx_codat_sqlite_int(end, 2, cancel->now);

        if (ngx_codat_sqlite_exec(db, end) != NGX_OK
            || ngx_codat_sqlite_unblock(db, &route, &key) != NGX_OK)
        {
            return NGX_ERROR;
        }

        cancel->count++;
    }
}
