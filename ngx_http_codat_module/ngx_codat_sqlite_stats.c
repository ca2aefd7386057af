
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Figures of the database: how many events there are, and deliveries
 * in each state, how large the files are, and what has waited longest.
 *
 * Counting a million rows takes a while, in which what else is for the
 * database waits.  So they are counted a part at a time, from the oldest on.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_sqlite.h"
#include "ngx_codat_sqlite_consumers.h"


/* rows of one table, and in one state, at a time: a few milliseconds */
#define NGX_CODAT_SQLITE_PART  20000

/* types that are looked at: whoever may send webhooks may make more up */
#define NGX_CODAT_SQLITE_NEWEST  1000


static ngx_int_t ngx_codat_sqlite_figure(ngx_codat_sqlite_t *db,
    ngx_codat_sqlite_figure_t *figure, const ngx_str_t *state);
static ngx_int_t ngx_codat_sqlite_part(ngx_codat_sqlite_t *db,
    ngx_codat_sql_e sql, const ngx_str_t *state, int64_t from, int64_t to,
    int64_t *value);
static ngx_int_t ngx_codat_sqlite_types(ngx_codat_sqlite_t *db,
    ngx_codat_work_stats_t *stats);
static void ngx_codat_sqlite_size(ngx_codat_sqlite_t *db,
    ngx_codat_work_stats_t *stats);


ngx_int_t
ngx_codat_sqlite_stats(ngx_codat_sqlite_t *db, ngx_codat_work_stats_t *stats)
{
    ngx_uint_t                  i;
    sqlite3_stmt               *stmt;
    ngx_codat_sqlite_figure_t  *figure;

    if (ngx_codat_sqlite_figure(db, &db->events, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    stats->unknown = !db->events.known;
    stats->events = db->events.total;

    for (i = NGX_CODAT_QUEUED_PENDING; i < NGX_CODAT_QUEUED_STATES; i++) {

        figure = &db->deliveries[i];

        if (ngx_codat_sqlite_figure(db, figure, &ngx_codat_queued_names[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        stats->unknown |= !figure->known;
        stats->deliveries[i] = figure->total;
    }

    if (ngx_codat_sqlite_consumer_stats(db, stats) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_size(db, stats);

    if (stats->wanted && ngx_codat_sqlite_types(db, stats) != NGX_OK) {
        return NGX_ERROR;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_OLDEST);

    if (stmt == NULL
        || ngx_codat_sqlite_any(db, stmt, &stats->oldest) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_types(ngx_codat_sqlite_t *db, ngx_codat_work_stats_t *stats)
{
    ngx_int_t                 rc;
    sqlite3_stmt             *stmt;
    ngx_codat_work_newest_t  *newest;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_NEWEST);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    if (ngx_array_init(&stats->newest, stats->work.pool, 64,
                       sizeof(ngx_codat_work_newest_t))
        != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, NGX_CODAT_SQLITE_NEWEST);

    while ((rc = ngx_codat_sqlite_step(db, stmt)) == NGX_OK) {

        newest = ngx_array_push(&stats->newest);

        if (newest == NULL
            || ngx_codat_sqlite_column(stats->work.pool, stmt, 0,
                                       &newest->type)
               != NGX_OK)
        {
            (void) sqlite3_reset(stmt);
            ngx_codat_sqlite_error(db, "out of memory");
            return NGX_ERROR;
        }

        newest->received = sqlite3_column_int64(stmt, 1);
    }

    return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
}


/* a part of it; at the end the total is known, and it begins anew */

static ngx_int_t
ngx_codat_sqlite_figure(ngx_codat_sqlite_t *db,
    ngx_codat_sqlite_figure_t *figure, const ngx_str_t *state)
{
    int64_t          to, count;
    ngx_codat_sql_e  part, whole;

    part = state ? NGX_CODAT_SQL_DELIVERY_PART : NGX_CODAT_SQL_EVENT_PART;
    whole = state ? NGX_CODAT_SQL_DELIVERY_COUNT : NGX_CODAT_SQL_EVENT_COUNT;

    /* NULL, which is 0, where there is none */

    if (ngx_codat_sqlite_part(db, part, state, figure->from,
                              NGX_CODAT_SQLITE_PART, &to)
        != NGX_OK
        || ngx_codat_sqlite_part(db, whole, state, figure->from, to, &count)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    figure->count += (uint64_t) count;
    figure->from = to;

    if (count < NGX_CODAT_SQLITE_PART) {
        figure->total = figure->count;
        figure->known = 1;
        figure->count = 0;
        figure->from = 0;

    } else if (figure->count > figure->total) {
        figure->total = figure->count;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_part(ngx_codat_sqlite_t *db, ngx_codat_sql_e sql,
    const ngx_str_t *state, int64_t from, int64_t to, int64_t *value)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, sql);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, from);
    ngx_codat_sqlite_int(stmt, 2, to);

    if (state) {
        ngx_codat_sqlite_text(stmt, 3, state);
    }

    return ngx_codat_sqlite_any(db, stmt, value);
}


static void
ngx_codat_sqlite_size(ngx_codat_sqlite_t *db, ngx_codat_work_stats_t *stats)
{
    u_char       path[NGX_MAX_PATH];
    struct stat  st;

    if (stat((char *) db->store->path.data, &st) == 0) {
        stats->size = (uint64_t) st.st_size;
    }

    (void) ngx_slprintf(path, path + sizeof(path), "%V-wal%Z",
                        &db->store->path);

    if (stat((char *) path, &st) == 0) {
        stats->size += (uint64_t) st.st_size;
    }
}
