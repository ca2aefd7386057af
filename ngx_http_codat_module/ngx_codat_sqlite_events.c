
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Events in the database: that each is accepted once, and what came
 * of it.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_fault.h"
#include "ngx_codat_merge.h"
#include "ngx_codat_sqlite.h"


static ngx_int_t ngx_codat_sqlite_find(ngx_codat_sqlite_t *db,
    ngx_codat_work_receive_t *receive);
static ngx_int_t ngx_codat_sqlite_known(ngx_codat_sqlite_t *db,
    ngx_codat_work_receive_t *receive, sqlite3_stmt *stmt);
static ngx_int_t ngx_codat_sqlite_again(ngx_codat_sqlite_t *db,
    ngx_codat_work_receive_t *receive);
static const char *ngx_codat_sqlite_state(ngx_codat_work_receive_t *receive);
static ngx_uint_t ngx_codat_sqlite_spreads(ngx_codat_work_receive_t *receive);


ngx_int_t
ngx_codat_sqlite_receive(ngx_codat_sqlite_t *db,
    ngx_codat_work_receive_t *receive)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i, merged;
    ngx_codat_record_t         *push;
    ngx_codat_work_row_t       *rows;
    ngx_codat_work_delivery_t  *deliveries;

    receive->outcome = NGX_OK;
    receive->attempt = 1;
    receive->succeeded = 0;
    receive->changed = 0;
    receive->event.id = 0;

    rc = ngx_codat_sqlite_find(db, receive);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (receive->outcome != NGX_OK) {
        receive->rows.nelts = 0;
        return NGX_OK;
    }

    db->origin = receive->origin;
    db->read = 0;

    if (ngx_codat_sqlite_apply(db, receive->work.pool, &receive->facts,
                               &receive->rows, &merged)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    receive->event.stale = ((merged & NGX_CODAT_MERGE_STALE) != 0);

    rows = receive->rows.elts;

    if (receive->rows.nelts && rows[0].record.kind == NGX_CODAT_RECORD_PUSH) {
        push = &rows[0].record;

        if (push->texts[NGX_CODAT_TEXT_REFERENCE].len) {
            receive->event.reference = push->texts[NGX_CODAT_TEXT_REFERENCE];
        }
    }

    rc = receive->event.id ? ngx_codat_sqlite_again(db, receive)
                           : ngx_codat_sqlite_add(db, receive);
    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    deliveries = receive->deliveries.elts;

    for (i = 0; i < receive->deliveries.nelts; i++) {

        if (ngx_codat_sqlite_enqueue(db, receive->event.id, &deliveries[i],
                                     receive->event.received, receive->lease,
                                     receive->owner)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_codat_fault("receive.queued_one");
    }

    return NGX_OK;
}


/* sets the outcome, and the id of an event that is to be worked on again */

static ngx_int_t
ngx_codat_sqlite_find(ngx_codat_sqlite_t *db,
    ngx_codat_work_receive_t *receive)
{
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    if (!receive->event.known) {
        return NGX_OK;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_FIND);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_blob(stmt, 1, receive->event.dedupe, NGX_CODAT_KEY_LEN);

    rc = ngx_codat_sqlite_step(db, stmt);

    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
    }

    rc = ngx_codat_sqlite_known(db, receive, stmt);

    (void) sqlite3_reset(stmt);
    (void) sqlite3_clear_bindings(stmt);

    return rc;
}


static ngx_int_t
ngx_codat_sqlite_known(ngx_codat_sqlite_t *db,
    ngx_codat_work_receive_t *receive, sqlite3_stmt *stmt)
{
    int64_t        id, received, now;
    const char    *state;
    const void    *digest;
    sqlite3_stmt  *forget;

    id = sqlite3_column_int64(stmt, 0);
    state = (const char *) sqlite3_column_text(stmt, 1);
    received = sqlite3_column_int64(stmt, 6);
    digest = sqlite3_column_blob(stmt, 7);

    if (state == NULL || digest == NULL) {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    now = receive->event.received;

    /* not later, and not of another time because the clock was set back */

    if (received + receive->window <= now
        && ngx_strcmp(state, "accepted") == 0)
    {
        forget = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_FORGET);
        if (forget == NULL) {
            return NGX_ERROR;
        }

        ngx_codat_sqlite_int(forget, 1, id);

        return ngx_codat_sqlite_exec(db, forget);
    }

    receive->changed = (sqlite3_column_bytes(stmt, 7)
                        != NGX_CODAT_WORK_DIGEST_LEN
                        || ngx_memcmp(digest, receive->event.digest,
                                      NGX_CODAT_WORK_DIGEST_LEN)
                           != 0);

    if (ngx_strcmp(state, "accepted") == 0) {
        receive->event.id = (uint64_t) id;
        receive->outcome = NGX_DONE;
        return NGX_OK;
    }

    /* of this nginx nobody works on it: the zone would have said so */

    if (ngx_strcmp(state, "running") == 0
        && (uint64_t) sqlite3_column_int64(stmt, 4) != receive->origin
        && sqlite3_column_int64(stmt, 5) > now)
    {
        receive->outcome = NGX_BUSY;
        return NGX_OK;
    }

    receive->event.id = (uint64_t) id;

    if (sqlite3_column_int64(stmt, 8) == (int64_t) receive->routes) {
        receive->succeeded = (uint64_t) sqlite3_column_int64(stmt, 2);
    }

    receive->attempt = (ngx_uint_t) sqlite3_column_int64(stmt, 3) + 1;

    return NGX_OK;
}


static const char *
ngx_codat_sqlite_state(ngx_codat_work_receive_t *receive)
{
    return (receive->accept || receive->deliveries.nelts) ? "accepted"
                                                          : "running";
}


/* consumers get it when it is accepted */

static ngx_uint_t
ngx_codat_sqlite_spreads(ngx_codat_work_receive_t *receive)
{
    return receive->fanout && (receive->accept || receive->deliveries.nelts);
}


ngx_int_t
ngx_codat_sqlite_add(ngx_codat_sqlite_t *db,
    ngx_codat_work_receive_t *receive)
{
    sqlite3_stmt            *stmt;
    ngx_codat_work_event_t  *event;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_ADD);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    event = &receive->event;

    if (event->known) {
        ngx_codat_sqlite_blob(stmt, 1, event->dedupe, NGX_CODAT_KEY_LEN);
    }

    ngx_codat_sqlite_text(stmt, 2, &event->event_id);
    ngx_codat_sqlite_text(stmt, 3, &event->webhook_id);
    ngx_codat_sqlite_text(stmt, 4, &event->type);
    ngx_codat_sqlite_text(stmt, 5, &event->company);
    ngx_codat_sqlite_text(stmt, 6, &event->connection);
    ngx_codat_sqlite_text(stmt, 7, &event->push_key);
    ngx_codat_sqlite_text(stmt, 8, &event->client);
    ngx_codat_sqlite_text(stmt, 9, &event->endpoint);
    ngx_codat_sqlite_int(stmt, 10, event->received);
    ngx_codat_sqlite_time(stmt, 11, event->generated);
    (void) sqlite3_bind_text(stmt, 12, ngx_codat_sqlite_state(receive), -1,
                             SQLITE_STATIC);
    ngx_codat_sqlite_int(stmt, 13, (int64_t) receive->origin);
    ngx_codat_sqlite_int(stmt, 14, receive->lease);
    ngx_codat_sqlite_int(stmt, 15, event->stale);
    ngx_codat_sqlite_blob(stmt, 16, event->reference.data,
                          event->reference.len);
    ngx_codat_sqlite_text(stmt, 17, &event->headers);
    ngx_codat_sqlite_text(stmt, 18, &event->host);
    ngx_codat_sqlite_text(stmt, 19, &event->uri);
    ngx_codat_sqlite_blob(stmt, 20, event->digest,
                          NGX_CODAT_WORK_DIGEST_LEN);
    ngx_codat_sqlite_blob(stmt, 21, event->body.data, event->body.len);
    ngx_codat_sqlite_int(stmt, 22, receive->routes);
    ngx_codat_sqlite_int(stmt, 23, (int64_t)
                                   ngx_codat_sqlite_spreads(receive));

    if (event->tags.data) {

        /* a company without any is not one of which they are unknown */

        (void) sqlite3_bind_text(stmt, 24, (char *) event->tags.data,
                                 (int) event->tags.len, SQLITE_STATIC);
    }

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    event->id = (uint64_t) sqlite3_last_insert_rowid(db->db);

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_again(ngx_codat_sqlite_t *db,
    ngx_codat_work_receive_t *receive)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_AGAIN);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) receive->event.id);
    (void) sqlite3_bind_text(stmt, 2, ngx_codat_sqlite_state(receive), -1,
                             SQLITE_STATIC);
    ngx_codat_sqlite_int(stmt, 3, (int64_t) receive->origin);
    ngx_codat_sqlite_int(stmt, 4, receive->lease);
    ngx_codat_sqlite_int(stmt, 5, receive->event.stale);
    ngx_codat_sqlite_blob(stmt, 6, receive->event.reference.data,
                          receive->event.reference.len);
    ngx_codat_sqlite_int(stmt, 7, receive->routes);
    ngx_codat_sqlite_int(stmt, 8, (int64_t)
                                  ngx_codat_sqlite_spreads(receive));

    return ngx_codat_sqlite_exec(db, stmt);
}


ngx_int_t
ngx_codat_sqlite_done(ngx_codat_sqlite_t *db, ngx_codat_work_done_t *done)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_DONE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) done->event);
    (void) sqlite3_bind_text(stmt, 2, done->accepted ? "accepted" : "failed",
                             -1, SQLITE_STATIC);
    ngx_codat_sqlite_int(stmt, 3, (int64_t) done->succeeded);
    ngx_codat_sqlite_int(stmt, 4, done->fanout && done->accepted);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    return sqlite3_changes(db->db) ? NGX_OK : NGX_DECLINED;
}
