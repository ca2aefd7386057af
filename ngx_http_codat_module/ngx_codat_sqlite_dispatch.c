
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Deliveries to consumers: whose turn it is, and what a worker
 * gets.
 *
 * A consumer has a row in consumer_turn while a delivery of it can be claimed,
 * now or later: not while as many are under way as it may have, so that one
 * that does not answer is not even looked at.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_sqlite_consumers.h"


/* of one consumer at a time; the statement TURN_NEXT has them too */
#define NGX_CODAT_SQLITE_AT_ONCE  4
#define NGX_CODAT_SQLITE_SLOW     1

/* what a consumer with a rate did not get may follow within that; usec */
#define NGX_CODAT_SQLITE_BURST    250000


/* how many deliveries a consumer may have more */

typedef struct {
    ngx_uint_t   n;
    ngx_uint_t   slow;
    int64_t      rate_at;
} ngx_codat_sqlite_room_t;


static ngx_int_t ngx_codat_sqlite_expired(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatch_t *dispatch);
static ngx_int_t ngx_codat_sqlite_turns(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatch_t *dispatch, ngx_uint_t slow, ngx_uint_t limit);
static ngx_int_t ngx_codat_sqlite_turn(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatch_t *dispatch, uint64_t id, ngx_uint_t limit);
static ngx_int_t ngx_codat_sqlite_room(ngx_codat_sqlite_t *db,
    const ngx_codat_consumer_t *consumer, int64_t now,
    ngx_codat_sqlite_room_t *room);
static ngx_int_t ngx_codat_sqlite_pace(ngx_codat_sqlite_t *db,
    const ngx_codat_consumer_t *consumer, int64_t now,
    const ngx_codat_sqlite_room_t *room, ngx_uint_t n);
static ngx_int_t ngx_codat_sqlite_lease(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatch_t *dispatch, ngx_uint_t i);
static ngx_int_t ngx_codat_sqlite_ids(ngx_codat_sqlite_t *db,
    ngx_pool_t *pool, sqlite3_stmt *stmt, ngx_array_t *ids);


/* --- claiming ----------------------------------------------------------- */

ngx_int_t
ngx_codat_sqlite_dispatch(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatch_t *dispatch)
{
    int64_t        next;
    ngx_int_t      rc;
    ngx_uint_t     slow;
    sqlite3_stmt  *stmt;

    dispatch->next = 0;
    dispatch->left = dispatch->size;

    if (ngx_array_init(&dispatch->claimed, dispatch->work.pool,
                       ngx_max(dispatch->limit, 1),
                       sizeof(ngx_codat_work_outgoing_t))
        != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    if (ngx_codat_sqlite_expired(db, dispatch) != NGX_OK
        || ngx_codat_sqlite_turns(db, dispatch, 1,
                                  ngx_min(dispatch->slow, dispatch->limit))
           != NGX_OK
        || ngx_codat_sqlite_turns(db, dispatch, 0, dispatch->limit)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (slow = 0; slow < 2; slow++) {

        stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DISPATCH_NEXT);
        if (stmt == NULL) {
            return NGX_ERROR;
        }

        ngx_codat_sqlite_int(stmt, 1, (int64_t) slow);
        ngx_codat_sqlite_int(stmt, 2, dispatch->now);

        rc = ngx_codat_sqlite_any(db, stmt, &next);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK && next
            && (dispatch->next == 0 || next < dispatch->next))
        {
            dispatch->next = next;
        }
    }

    return NGX_OK;
}


/* what dead workers have left */

static ngx_int_t
ngx_codat_sqlite_expired(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatch_t *dispatch)
{
    uint64_t      *id;
    ngx_uint_t     i;
    ngx_array_t    ids;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DISPATCH_EXPIRED);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, dispatch->now);

    if (ngx_codat_sqlite_ids(db, dispatch->work.pool, stmt, &ids) != NGX_OK) {
        return NGX_ERROR;
    }

    id = ids.elts;

    for (i = 0; i < ids.nelts; i++) {

        stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DISPATCH_FREE);
        if (stmt == NULL) {
            return NGX_ERROR;
        }

        ngx_codat_sqlite_int(stmt, 1, (int64_t) id[i]);
        ngx_codat_sqlite_int(stmt, 2, dispatch->now);

        if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK
            || ngx_codat_sqlite_consumer_turn(db, id[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Those that answer and those that are not known to do have limits of their
 * own, so that the latter can't take what the others need.
 */

static ngx_int_t
ngx_codat_sqlite_turns(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatch_t *dispatch, ngx_uint_t slow, ngx_uint_t limit)
{
    uint64_t      *id;
    ngx_uint_t     i;
    ngx_array_t    ids;
    sqlite3_stmt  *stmt;

    if (dispatch->claimed.nelts >= limit) {
        return NGX_OK;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DISPATCH_DUE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) slow);
    ngx_codat_sqlite_int(stmt, 2, dispatch->now);
    ngx_codat_sqlite_int(stmt, 3, (int64_t) limit);

    if (ngx_codat_sqlite_ids(db, dispatch->work.pool, stmt, &ids) != NGX_OK) {
        return NGX_ERROR;
    }

    id = ids.elts;

    for (i = 0; i < ids.nelts; i++) {

        if (dispatch->claimed.nelts >= limit || dispatch->left == 0) {
            break;
        }

        if (ngx_codat_sqlite_turn(db, dispatch, id[i], limit) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_turn(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatch_t *dispatch, uint64_t id, ngx_uint_t limit)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i, first;
    sqlite3_stmt               *stmt;
    ngx_codat_consumer_t        consumer;
    ngx_codat_sqlite_room_t     room;
    ngx_codat_work_outgoing_t  *out;

    if (ngx_codat_sqlite_known_to(db, dispatch->work.pool, id, &consumer)
        != NGX_OK
        || ngx_codat_sqlite_room(db, &consumer, dispatch->now, &room)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    room.n = ngx_min(room.n, limit - dispatch->claimed.nelts);
    first = dispatch->claimed.nelts;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DISPATCH_OF);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) id);
    ngx_codat_sqlite_int(stmt, 2, dispatch->now);
    ngx_codat_sqlite_int(stmt, 3, (int64_t) room.n);

    while ((rc = ngx_codat_sqlite_step(db, stmt)) == NGX_OK) {

        out = ngx_array_push(&dispatch->claimed);

        if (out == NULL
            || ngx_codat_sqlite_column(dispatch->work.pool, stmt, 3,
                                       &out->nonce)
               != NGX_OK)
        {
            (void) sqlite3_reset(stmt);
            ngx_codat_sqlite_error(db, "out of memory");
            return NGX_ERROR;
        }

        out->id = (uint64_t) sqlite3_column_int64(stmt, 0);
        out->attempt = (ngx_uint_t) sqlite3_column_int64(stmt, 2) + 1;
        out->consumer = consumer;
        out->slow = room.slow;

        ngx_memzero(&out->event, sizeof(ngx_codat_work_event_t));
        out->event.id = (uint64_t) sqlite3_column_int64(stmt, 1);
    }

    if (rc != NGX_DONE) {
        return NGX_ERROR;
    }

    for (i = first; i < dispatch->claimed.nelts; i++) {

        if (dispatch->left == 0) {
            dispatch->claimed.nelts = i;
            break;
        }

        if (ngx_codat_sqlite_lease(db, dispatch, i) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_codat_sqlite_pace(db, &consumer, dispatch->now, &room, i - first)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_codat_sqlite_consumer_turn(db, id);
}


static ngx_int_t
ngx_codat_sqlite_room(ngx_codat_sqlite_t *db,
    const ngx_codat_consumer_t *consumer, int64_t now,
    ngx_codat_sqlite_room_t *room)
{
    int64_t        running, at;
    ngx_uint_t     n, max;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_PACE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) consumer->id);

    if (ngx_codat_sqlite_step(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    room->slow = (sqlite3_column_int64(stmt, 0) != 0);
    room->rate_at = sqlite3_column_int64(stmt, 1);

    (void) sqlite3_reset(stmt);

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_RUNNING);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) consumer->id);

    if (ngx_codat_sqlite_any(db, stmt, &running) != NGX_OK) {
        return NGX_ERROR;
    }

    max = room->slow ? NGX_CODAT_SQLITE_SLOW : NGX_CODAT_SQLITE_AT_ONCE;

    room->n = ((ngx_uint_t) running < max) ? max - (ngx_uint_t) running : 0;

    if (consumer->rate == 0) {
        return NGX_OK;
    }

    /* a clock that was set back must not keep it waiting */

    if (room->rate_at > now + 1000000) {
        room->rate_at = now;
    }

    room->rate_at = ngx_max(room->rate_at, now - NGX_CODAT_SQLITE_BURST);

    at = room->rate_at;

    for (n = 0; n < room->n && at <= now; n++) {
        at += 1000000 / (int64_t) consumer->rate;
    }

    room->n = n;

    return NGX_OK;
}


/* when the next one may follow those that were claimed now */

static ngx_int_t
ngx_codat_sqlite_pace(ngx_codat_sqlite_t *db,
    const ngx_codat_consumer_t *consumer, int64_t now,
    const ngx_codat_sqlite_room_t *room, ngx_uint_t n)
{
    sqlite3_stmt  *stmt;

    if (consumer->rate == 0 || n == 0) {
        return NGX_OK;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_PACED);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) consumer->id);
    ngx_codat_sqlite_int(stmt, 2, room->rate_at
                            + (int64_t) n * 1000000
                              / (int64_t) consumer->rate);

    return ngx_codat_sqlite_exec(db, stmt);
}


static ngx_int_t
ngx_codat_sqlite_lease(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatch_t *dispatch, ngx_uint_t i)
{
    sqlite3_stmt               *stmt;
    ngx_codat_work_outgoing_t  *out;

    out = (ngx_codat_work_outgoing_t *) dispatch->claimed.elts + i;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DISPATCH_LEASE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) out->id);
    ngx_codat_sqlite_int(stmt, 2, (int64_t) dispatch->owner);
    ngx_codat_sqlite_int(stmt, 3, dispatch->lease);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK
        || ngx_codat_sqlite_event_of(db, dispatch->work.pool, out->event.id,
                                     &out->event)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    dispatch->left -= ngx_min(dispatch->left, out->event.body.len);

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_ids(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    sqlite3_stmt *stmt, ngx_array_t *ids)
{
    uint64_t   *id;
    ngx_int_t   rc;

    if (ngx_array_init(ids, pool, 16, sizeof(uint64_t)) != NGX_OK) {
        goto failed;
    }

    while ((rc = ngx_codat_sqlite_step(db, stmt)) == NGX_OK) {

        id = ngx_array_push(ids);
        if (id == NULL) {
            goto failed;
        }

        *id = (uint64_t) sqlite3_column_int64(stmt, 0);
    }

    return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;

failed:

    (void) sqlite3_reset(stmt);
    ngx_codat_sqlite_error(db, "out of memory");

    return NGX_ERROR;
}


ngx_int_t
ngx_codat_sqlite_known_to(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    uint64_t id, ngx_codat_consumer_t *consumer)
{
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_BY_ID);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) id);

    if (ngx_codat_sqlite_step(db, stmt) != NGX_OK) {
        ngx_codat_sqlite_error(db, "a delivery has no consumer");
        return NGX_ERROR;
    }

    rc = ngx_codat_sqlite_consumer_read(db, pool, stmt, consumer);

    (void) sqlite3_reset(stmt);

    return rc;
}


ngx_int_t
ngx_codat_sqlite_undispatch(ngx_codat_sqlite_t *db,
    ngx_codat_work_release_t *release)
{
    uint64_t      *id;
    ngx_uint_t     i;
    ngx_array_t    ids;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DISPATCH_OWNED);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) release->owner);

    if (ngx_codat_sqlite_ids(db, release->work.pool, stmt, &ids) != NGX_OK) {
        return NGX_ERROR;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DISPATCH_RELEASE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) release->owner);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    id = ids.elts;

    for (i = 0; i < ids.nelts; i++) {

        if (ngx_codat_sqlite_consumer_turn(db, id[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
