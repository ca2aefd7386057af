
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  The queue of deliveries in the database: who works on which, what
 * became of it, and when it is tried again.
 *
 * A delivery belongs to the worker that claimed it until its lease ends, so
 * that those of a worker that died are taken over.  How many of a forward run
 * at a time is counted here, over all workers, and one that has to go behind
 * another of its key is "blocked" until that is over.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_fault.h"
#include "ngx_codat_sqlite.h"
#include "ngx_codat_sqlite_consumers.h"


static ngx_int_t ngx_codat_sqlite_free(ngx_codat_sqlite_t *db,
    const ngx_codat_work_delivery_t *delivery, int64_t now);
static ngx_int_t ngx_codat_sqlite_running(ngx_codat_sqlite_t *db,
    const ngx_str_t *route, int64_t now, int64_t *running);
static ngx_int_t ngx_codat_sqlite_due(ngx_codat_sqlite_t *db,
    ngx_codat_work_claim_t *claim, ngx_codat_work_delivery_t *route,
    size_t *size);
static ngx_int_t ngx_codat_sqlite_find_due(ngx_codat_sqlite_t *db,
    ngx_codat_work_claim_t *claim, ngx_codat_work_delivery_t *route);
static ngx_int_t ngx_codat_sqlite_take(ngx_codat_sqlite_t *db,
    ngx_codat_work_claim_t *claim, ngx_codat_work_claimed_t *claimed);
static ngx_int_t ngx_codat_sqlite_prune_pushes(ngx_codat_sqlite_t *db,
    ngx_codat_work_prune_t *prune);
static ngx_int_t ngx_codat_sqlite_old_pushes(ngx_codat_sqlite_t *db,
    ngx_codat_work_prune_t *prune, ngx_array_t *ids);


ngx_int_t
ngx_codat_sqlite_any(ngx_codat_sqlite_t *db, sqlite3_stmt *stmt,
    int64_t *value)
{
    ngx_int_t  rc;

    rc = ngx_codat_sqlite_step(db, stmt);

    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_DECLINED : NGX_ERROR;
    }

    *value = sqlite3_column_int64(stmt, 0);

    (void) sqlite3_reset(stmt);
    (void) sqlite3_clear_bindings(stmt);

    return NGX_OK;
}


ngx_int_t
ngx_codat_sqlite_enqueue(ngx_codat_sqlite_t *db, uint64_t event,
    ngx_codat_work_delivery_t *delivery, int64_t now, int64_t lease,
    uint64_t owner)
{
    ngx_int_t      behind, free;
    const char    *state;
    sqlite3_stmt  *stmt;

    delivery->claimed = 0;
    delivery->attempt = 1;

    behind = ngx_codat_sqlite_behind(db, delivery);

    if (behind == NGX_ERROR) {
        return NGX_ERROR;
    }

    state = (behind == NGX_OK) ? "blocked" : "pending";

    if (behind == NGX_DECLINED && owner) {

        free = ngx_codat_sqlite_free(db, delivery, now);

        if (free == NGX_ERROR) {
            return NGX_ERROR;
        }

        delivery->claimed = (free == NGX_OK);
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_ADD);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) event);
    ngx_codat_sqlite_text(stmt, 2, &delivery->route);
    ngx_codat_sqlite_text(stmt, 3, &delivery->nonce);
    ngx_codat_sqlite_text(stmt, 4, &delivery->order_key);
    (void) sqlite3_bind_text(stmt, 5, state, -1, SQLITE_STATIC);
    ngx_codat_sqlite_int(stmt, 6, now);
    ngx_codat_sqlite_int(stmt, 7, delivery->claimed ? (int64_t) owner : 0);
    ngx_codat_sqlite_int(stmt, 8, delivery->claimed ? lease : 0);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    delivery->id = (uint64_t) sqlite3_last_insert_rowid(db->db);

    return NGX_OK;
}


ngx_int_t
ngx_codat_sqlite_behind(ngx_codat_sqlite_t *db,
    const ngx_codat_work_delivery_t *delivery)
{
    int64_t        value;
    sqlite3_stmt  *stmt;

    if (delivery->order_key.len == 0) {
        return NGX_DECLINED;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_BEHIND);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, &delivery->route);
    ngx_codat_sqlite_text(stmt, 2, &delivery->order_key);

    return ngx_codat_sqlite_any(db, stmt, &value);
}


/*
 * NGX_OK if one more may run now, and nobody has waited longer: else a new
 * one could overtake those of which the time has come.
 */

static ngx_int_t
ngx_codat_sqlite_free(ngx_codat_sqlite_t *db,
    const ngx_codat_work_delivery_t *delivery, int64_t now)
{
    int64_t        value;
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    if (ngx_codat_sqlite_running(db, &delivery->route, now, &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (value >= (int64_t) delivery->max) {
        return NGX_DECLINED;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_WAITING);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, &delivery->route);
    ngx_codat_sqlite_int(stmt, 2, now);

    rc = ngx_codat_sqlite_any(db, stmt, &value);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    return (rc == NGX_OK) ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_running(ngx_codat_sqlite_t *db, const ngx_str_t *route,
    int64_t now, int64_t *running)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_RUNNING);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, route);
    ngx_codat_sqlite_int(stmt, 2, now);

    return ngx_codat_sqlite_any(db, stmt, running);
}


ngx_int_t
ngx_codat_sqlite_result(ngx_codat_sqlite_t *db,
    ngx_codat_work_result_t *result)
{
    ngx_int_t           rc;
    ngx_str_t           name, route, key;
    sqlite3_stmt       *stmt;
    ngx_codat_queued_e  state;
    uint64_t            owner;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_GET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) result->delivery);

    rc = ngx_codat_sqlite_step(db, stmt);

    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_DECLINED : NGX_ERROR;
    }

    if (ngx_codat_sqlite_column(result->work.pool, stmt, 0, &name) != NGX_OK
        || ngx_codat_sqlite_column(result->work.pool, stmt, 1, &route)
           != NGX_OK
        || ngx_codat_sqlite_column(result->work.pool, stmt, 2, &key)
           != NGX_OK)
    {
        (void) sqlite3_reset(stmt);
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    owner = (uint64_t) sqlite3_column_int64(stmt, 3);
    state = ngx_codat_queued(&name);

    (void) sqlite3_reset(stmt);

    /*
     * Whoever lost it meanwhile, to another worker or a cancellation, has
     * nothing to say of it but that it was delivered.
     */

    if (state == NGX_CODAT_QUEUED_DELIVERED
        || ((state != NGX_CODAT_QUEUED_PENDING || owner != result->owner)
            && result->state != NGX_CODAT_QUEUED_DELIVERED))
    {
        return NGX_DECLINED;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_RESULT);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) result->delivery);
    ngx_codat_sqlite_text(stmt, 2, &ngx_codat_queued_names[result->state]);

    if (result->state == NGX_CODAT_QUEUED_PENDING) {
        ngx_codat_sqlite_int(stmt, 3, result->next);

    } else {
        ngx_codat_sqlite_int(stmt, 4, result->now);
    }

    ngx_codat_sqlite_time(stmt, 5, (int64_t) result->status);
    ngx_codat_sqlite_text(stmt, 6, &result->error);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_codat_fault("result.recorded");

    if (result->state == NGX_CODAT_QUEUED_PENDING) {
        return NGX_OK;
    }

    return ngx_codat_sqlite_unblock(db, &route, &key);
}


ngx_int_t
ngx_codat_sqlite_unblock(ngx_codat_sqlite_t *db, const ngx_str_t *route,
    const ngx_str_t *key)
{
    sqlite3_stmt  *stmt;

    if (key->len == 0) {
        return NGX_OK;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_UNBLOCK);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, route);
    ngx_codat_sqlite_text(stmt, 2, key);

    return ngx_codat_sqlite_exec(db, stmt);
}


ngx_int_t
ngx_codat_sqlite_claim(ngx_codat_sqlite_t *db, ngx_codat_work_claim_t *claim)
{
    size_t                      size;
    ngx_uint_t                  i;
    ngx_codat_work_delivery_t  *routes;

    claim->next = 0;
    size = 0;

    if (ngx_array_init(&claim->claimed, claim->work.pool,
                       ngx_max(claim->limit, 1),
                       sizeof(ngx_codat_work_claimed_t))
        != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    routes = claim->routes.elts;

    for (i = 0; i < claim->routes.nelts; i++) {

        if (ngx_codat_sqlite_due(db, claim, &routes[i], &size) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_due(ngx_codat_sqlite_t *db, ngx_codat_work_claim_t *claim,
    ngx_codat_work_delivery_t *route, size_t *size)
{
    int64_t                    next;
    ngx_uint_t                 i;
    sqlite3_stmt              *stmt;
    ngx_codat_work_claimed_t  *claimed;

    i = claim->claimed.nelts;

    if (ngx_codat_sqlite_find_due(db, claim, route) != NGX_OK) {
        return NGX_ERROR;
    }

    claimed = claim->claimed.elts;

    for ( /* void */ ; i < claim->claimed.nelts; i++) {

        if (*size > claim->size) {
            claim->claimed.nelts = i;
            break;
        }

        if (ngx_codat_sqlite_take(db, claim, &claimed[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        *size += claimed[i].event.body.len;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_NEXT);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, &route->route);
    ngx_codat_sqlite_int(stmt, 2, claim->now);

    next = 0;

    if (ngx_codat_sqlite_any(db, stmt, &next) == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (next && (claim->next == 0 || next < claim->next)) {
        claim->next = next;
    }

    return NGX_OK;
}


/* lists what is due and may run, behind what dead workers have left */

static ngx_int_t
ngx_codat_sqlite_find_due(ngx_codat_sqlite_t *db,
    ngx_codat_work_claim_t *claim, ngx_codat_work_delivery_t *route)
{
    int64_t                    running, room;
    ngx_int_t                  rc;
    sqlite3_stmt              *stmt;
    ngx_codat_work_claimed_t  *claimed;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_EXPIRED);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, &route->route);
    ngx_codat_sqlite_int(stmt, 2, claim->now);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK
        || ngx_codat_sqlite_running(db, &route->route, claim->now, &running)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    room = ngx_min((int64_t) route->max - running,
                   (int64_t) (claim->limit - claim->claimed.nelts));

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_DUE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, &route->route);
    ngx_codat_sqlite_int(stmt, 2, claim->now);
    ngx_codat_sqlite_int(stmt, 3, ngx_max(room, 0));

    while ((rc = ngx_codat_sqlite_step(db, stmt)) == NGX_OK) {

        claimed = ngx_array_push(&claim->claimed);

        if (claimed == NULL) {
            goto failed;
        }

        ngx_memzero(claimed, sizeof(ngx_codat_work_claimed_t));

        claimed->delivery.id = (uint64_t) sqlite3_column_int64(stmt, 0);
        claimed->event.id = (uint64_t) sqlite3_column_int64(stmt, 1);
        claimed->delivery.attempt =
                             (ngx_uint_t) sqlite3_column_int64(stmt, 2) + 1;
        claimed->delivery.route = route->route;

        if (ngx_codat_sqlite_column(claim->work.pool, stmt, 3,
                                    &claimed->delivery.nonce)
            != NGX_OK)
        {
            goto failed;
        }
    }

    return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;

failed:

    (void) sqlite3_reset(stmt);
    ngx_codat_sqlite_error(db, "out of memory");

    return NGX_ERROR;
}


static ngx_int_t
ngx_codat_sqlite_take(ngx_codat_sqlite_t *db, ngx_codat_work_claim_t *claim,
    ngx_codat_work_claimed_t *claimed)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_LEASE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) claimed->delivery.id);
    ngx_codat_sqlite_int(stmt, 2, (int64_t) claim->owner);
    ngx_codat_sqlite_int(stmt, 3, claim->lease);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    claimed->delivery.claimed = 1;

    return ngx_codat_sqlite_event_of(db, claim->work.pool, claimed->event.id,
                                     &claimed->event);
}


ngx_int_t
ngx_codat_sqlite_event_of(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    uint64_t id, ngx_codat_work_event_t *event)
{
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_GET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) id);

    if (ngx_codat_sqlite_step(db, stmt) != NGX_OK) {
        ngx_codat_sqlite_error(db, "a delivery has no event");
        return NGX_ERROR;
    }

    rc = ngx_codat_sqlite_event(pool, stmt, event);

    if (rc != NGX_OK
        || ngx_codat_sqlite_column(pool, stmt, 14, &event->headers) != NGX_OK
        || ngx_codat_sqlite_column(pool, stmt, 15, &event->host) != NGX_OK
        || ngx_codat_sqlite_column(pool, stmt, 16, &event->uri) != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        rc = NGX_ERROR;
    }

    (void) sqlite3_reset(stmt);

    return rc;
}


ngx_int_t
ngx_codat_sqlite_release(ngx_codat_sqlite_t *db,
    ngx_codat_work_release_t *release)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_RELEASE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) release->owner);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_codat_sqlite_undispatch(db, release);
}


/* --- upkeep ------------------------------------------------------------- */

ngx_int_t
ngx_codat_sqlite_prune(ngx_codat_sqlite_t *db, ngx_codat_work_prune_t *prune)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_PRUNE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, prune->before);
    ngx_codat_sqlite_int(stmt, 2, (int64_t) prune->limit);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    prune->dropped = (ngx_uint_t) sqlite3_changes(db->db);
    prune->more = (prune->dropped >= prune->limit);

    return ngx_codat_sqlite_prune_pushes(db, prune);
}


static ngx_int_t
ngx_codat_sqlite_prune_pushes(ngx_codat_sqlite_t *db,
    ngx_codat_work_prune_t *prune)
{
    ngx_str_t     *id;
    ngx_uint_t     i;
    ngx_array_t    ids;
    sqlite3_stmt  *stmt;

    if (ngx_codat_sqlite_old_pushes(db, prune, &ids) != NGX_OK) {
        return NGX_ERROR;
    }

    id = ids.elts;

    for (i = 0; i < ids.nelts; i++) {

        stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_PUSH_FORGET);
        if (stmt == NULL) {
            return NGX_ERROR;
        }

        ngx_codat_sqlite_text(stmt, 1, &id[i]);

        if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    prune->dropped += ids.nelts;

    return NGX_OK;
}


/*
 * A push that was not touched for long has an early version, so that these
 * come first, and a part in which none is old is the end.  What is pending
 * stays, and is passed over.
 */

static ngx_int_t
ngx_codat_sqlite_old_pushes(ngx_codat_sqlite_t *db,
    ngx_codat_work_prune_t *prune, ngx_array_t *ids)
{
    int64_t        last;
    ngx_int_t      rc;
    ngx_str_t     *id;
    ngx_uint_t     n, old;
    sqlite3_stmt  *stmt;

    if (ngx_array_init(ids, prune->work.pool, 16, sizeof(ngx_str_t))
        != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_PUSH_OLD);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, prune->after);
    ngx_codat_sqlite_int(stmt, 2, (int64_t) prune->limit);

    last = 0;
    old = 0;

    for (n = 0; (rc = ngx_codat_sqlite_step(db, stmt)) == NGX_OK; n++) {

        last = sqlite3_column_int64(stmt, 1);

        if (sqlite3_column_int64(stmt, 2) >= prune->before) {
            continue;
        }

        old = 1;

        if (!sqlite3_column_int(stmt, 3)) {
            continue;
        }

        id = ngx_array_push(ids);

        if (id == NULL
            || ngx_codat_sqlite_column(prune->work.pool, stmt, 0, id)
               != NGX_OK)
        {
            (void) sqlite3_reset(stmt);
            ngx_codat_sqlite_error(db, "out of memory");
            return NGX_ERROR;
        }
    }

    if (rc != NGX_DONE) {
        return NGX_ERROR;
    }

    prune->last = 0;

    if (old && n == prune->limit) {
        prune->more = 1;
        prune->last = last;
    }

    return NGX_OK;
}
