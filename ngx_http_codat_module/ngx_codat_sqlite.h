
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns a store in an SQLite database: the connection, transactions
 * and prepared statements of one worker.  Runs in threads of a pool, one call
 * at a time, and so must not touch requests, the cycle or cached times.
 */


#ifndef _NGX_CODAT_SQLITE_H_INCLUDED_
#define _NGX_CODAT_SQLITE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_store.h"

#include <sqlite3.h>


/* "CDAT", which file(1) and the sqlite3 shell can show */
#define NGX_CODAT_SQLITE_APPLICATION  0x43444154


typedef enum {
#define X(name, sql)  NGX_CODAT_SQL_##name,
#include "ngx_codat_sqlite_x.h"
#undef X
    NGX_CODAT_SQL_N
} ngx_codat_sql_e;


/* how far a figure has been counted; "total" is of the last time */

typedef struct {
    int64_t                     from;
    uint64_t                    count;
    uint64_t                    total;
    unsigned                    known:1;
} ngx_codat_sqlite_figure_t;


typedef struct {
    sqlite3                    *db;
    sqlite3_stmt               *statements[NGX_CODAT_SQL_N];
    sqlite3_stmt               *get[NGX_CODAT_RECORD_KINDS];
    sqlite3_stmt               *put[NGX_CODAT_RECORD_KINDS];
    sqlite3_stmt               *load[NGX_CODAT_RECORD_KINDS];
    ngx_codat_store_t          *store;
    ngx_log_t                  *log;        /* of the worker */
    int                         lock;       /* of PATH-lock, or -1 */
    uint64_t                    version;    /* of rows, in a transaction */
    uint64_t                    origin;     /* of the rows of a unit */
    unsigned                    read:1;     /* they are only read */
    unsigned                    versioned:1; /* it is known, and has grown */
    unsigned                    grown:1;
    unsigned                    lazy:1;     /* commits don't wait for disks */
    unsigned                    make:1;     /* it, if it is not there */
    int                         code;       /* of SQLite, of the error */
    dev_t                       device;     /* of the file that is open */
    ino_t                       inode;
    off_t                       size;       /* that it had last */
    ngx_codat_sqlite_figure_t   events;
    ngx_codat_sqlite_figure_t   deliveries[NGX_CODAT_QUEUED_STATES];
    ngx_pool_t                 *pool;       /* of the audience */
    struct ngx_codat_audience_s  *audience; /* consumers, as of a version */
    int64_t                     consumers;
    char                        error[NGX_CODAT_STORE_ERROR];
} ngx_codat_sqlite_t;


extern const ngx_codat_store_backend_t  ngx_codat_sqlite_backend;


/*
 * In the master, before there are workers: makes the files of a store that
 * are not there, and gives all of them, if it may, to the user of the
 * workers, so that the folder need not be writable for them.  Workers make
 * none: where one has gone, what was stored is to be brought back.  Returns
 * NGX_OK or NGX_ERROR, described in "error" (NGX_CODAT_STORE_ERROR bytes).
 */
ngx_int_t ngx_codat_sqlite_files(ngx_codat_store_t *store, uid_t user,
    gid_t group, u_char *error);

/*
 * A statement, prepared once, without bindings.  Returns NULL on an error,
 * which db->error describes.
 */
sqlite3_stmt *ngx_codat_sqlite(ngx_codat_sqlite_t *db, ngx_codat_sql_e sql);

/* Prepares what is not in the list.  Returns NULL on an error. */
sqlite3_stmt *ngx_codat_sqlite_prepare(ngx_codat_sqlite_t *db,
    const char *sql);

/*
 * Bindings; an empty text, a time of 0 and a NULL blob are NULL.  What they
 * refer to must live until the statement is reset.
 */
void ngx_codat_sqlite_text(sqlite3_stmt *stmt, int i, const ngx_str_t *text);
void ngx_codat_sqlite_int(sqlite3_stmt *stmt, int i, int64_t value);
void ngx_codat_sqlite_time(sqlite3_stmt *stmt, int i, int64_t value);
void ngx_codat_sqlite_blob(sqlite3_stmt *stmt, int i, const u_char *p,
    size_t len);

/*
 * Steps.  Returns NGX_OK (a row), NGX_DONE (no more, and the statement is
 * reset), or NGX_ERROR (described, and reset).
 */
ngx_int_t ngx_codat_sqlite_step(ngx_codat_sqlite_t *db, sqlite3_stmt *stmt);

/* Steps a statement that yields no rows.  Returns NGX_OK or NGX_ERROR. */
ngx_int_t ngx_codat_sqlite_exec(ngx_codat_sqlite_t *db, sqlite3_stmt *stmt);

/* Columns; texts and blobs are copied to the pool.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_codat_sqlite_column(ngx_pool_t *pool, sqlite3_stmt *stmt, int i,
    ngx_str_t *text);

/* The same without a copy: until the statement steps or is reset. */
ngx_str_t ngx_codat_sqlite_peek(sqlite3_stmt *stmt, int i);

/* Describes an error of SQLite. */
void ngx_codat_sqlite_error(ngx_codat_sqlite_t *db, const char *what);


/* ngx_codat_sqlite_open.c */

/* Opens the database, if it is not open.  Returns NGX_OK or NGX_ERROR. */
ngx_int_t ngx_codat_sqlite_open(ngx_codat_sqlite_t *db);

/* Closes it; the next group opens it again. */
void ngx_codat_sqlite_close_db(ngx_codat_sqlite_t *db);

/* The lock of writers.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_codat_sqlite_lock(ngx_codat_sqlite_t *db);
void ngx_codat_sqlite_unlock(ngx_codat_sqlite_t *db);


/* ngx_codat_sqlite_schema.c */

/*
 * Makes the tables of a new database, or brings those of an older version up
 * to date.  Returns NGX_OK, or NGX_ERROR (described): also for a database
 * that is newer, or somebody else's.
 */
ngx_int_t ngx_codat_sqlite_schema(ngx_codat_sqlite_t *db);

/* The SQL of rows of a kind, made of its columns; a buffer of 2048 bytes. */
void ngx_codat_sqlite_sql_get(ngx_codat_record_kind_e kind, u_char *buf);
/* The same, to write them. */
void ngx_codat_sqlite_sql_put(ngx_codat_record_kind_e kind, u_char *buf);
/* The same, to list them. */
void ngx_codat_sqlite_sql_load(ngx_codat_record_kind_e kind, u_char *buf);

/* The parameters of "put" that are columns for people, from "i" on. */
void ngx_codat_sqlite_bind_columns(sqlite3_stmt *stmt, int i,
    const ngx_codat_record_t *record);


/* The kinds of units; each returns what becomes the rc of the unit. */

/* A webhook: that it is accepted once, its rows, its deliveries. */
ngx_int_t ngx_codat_sqlite_receive(ngx_codat_sqlite_t *db,
    ngx_codat_work_receive_t *receive);
/* Adds its event alone. */
ngx_int_t ngx_codat_sqlite_add(ngx_codat_sqlite_t *db,
    ngx_codat_work_receive_t *receive);
/* What became of an event that was forwarded at once. */
ngx_int_t ngx_codat_sqlite_done(ngx_codat_sqlite_t *db,
    ngx_codat_work_done_t *done);
/* Events with their deliveries. */
ngx_int_t ngx_codat_sqlite_list(ngx_codat_sqlite_t *db,
    ngx_codat_work_list_t *list);
/*
 * The rows of events that are wanted, in "ids", initialized here, newest
 * first, at most "limit", and the row before which to go on, 0: nowhere.
 */
ngx_int_t ngx_codat_sqlite_select(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    const ngx_codat_work_filter_t *filter, ngx_uint_t limit,
    ngx_array_t *ids, uint64_t *last);
/* NGX_OK, NGX_DECLINED if there is no event of that row, or NGX_ERROR. */
ngx_int_t ngx_codat_sqlite_exists(ngx_codat_sqlite_t *db, uint64_t id);
/* Figures. */
ngx_int_t ngx_codat_sqlite_stats(ngx_codat_sqlite_t *db,
    ngx_codat_work_stats_t *stats);

/* Adds a delivery, claimed if it may run at once. */
ngx_int_t ngx_codat_sqlite_enqueue(ngx_codat_sqlite_t *db, uint64_t event,
    ngx_codat_work_delivery_t *delivery, int64_t now, int64_t lease,
    uint64_t owner);

/* A first column: NGX_OK, NGX_DECLINED if there is no row, or NGX_ERROR. */
ngx_int_t ngx_codat_sqlite_any(ngx_codat_sqlite_t *db, sqlite3_stmt *stmt,
    int64_t *value);

/* NGX_OK if there is a delivery that it has to wait for, NGX_DECLINED. */
ngx_int_t ngx_codat_sqlite_behind(ngx_codat_sqlite_t *db,
    const ngx_codat_work_delivery_t *delivery);

/* Lets the next one of a key go, if the one before it is over. */
ngx_int_t ngx_codat_sqlite_unblock(ngx_codat_sqlite_t *db,
    const ngx_str_t *route, const ngx_str_t *key);

/* What became of an attempt. */
ngx_int_t ngx_codat_sqlite_result(ngx_codat_sqlite_t *db,
    ngx_codat_work_result_t *result);
/* Gives a worker what is due. */
ngx_int_t ngx_codat_sqlite_claim(ngx_codat_sqlite_t *db,
    ngx_codat_work_claim_t *claim);
/* Takes back what a worker has claimed. */
ngx_int_t ngx_codat_sqlite_release(ngx_codat_sqlite_t *db,
    ngx_codat_work_release_t *release);
/* Delivers events once more. */
ngx_int_t ngx_codat_sqlite_replay(ngx_codat_sqlite_t *db,
    ngx_codat_work_replay_t *replay);
/* Ends deliveries that are not over. */
ngx_int_t ngx_codat_sqlite_cancel(ngx_codat_sqlite_t *db,
    ngx_codat_work_cancel_t *cancel);
/* Which forwards there are, and the end of what is for others. */
ngx_int_t ngx_codat_sqlite_routes(ngx_codat_sqlite_t *db,
    ngx_codat_work_routes_t *routes);
/* Drops what is old. */
ngx_int_t ngx_codat_sqlite_prune(ngx_codat_sqlite_t *db,
    ngx_codat_work_prune_t *prune);

/* Rows without an event. */
ngx_int_t ngx_codat_sqlite_rows(ngx_codat_sqlite_t *db,
    ngx_codat_work_rows_t *rows);
/* Forgets a push. */
ngx_int_t ngx_codat_sqlite_forget(ngx_codat_sqlite_t *db,
    ngx_codat_work_forget_t *forget);
/* Reads rows in the order of their versions. */
ngx_int_t ngx_codat_sqlite_load(ngx_codat_sqlite_t *db,
    ngx_codat_work_load_t *load);

/*
 * Applies facts to rows, as db->origin and db->read say, and lists in "rows",
 * initialized here, those that
 * are theirs then.  "merged", unless NULL, is what became of the first fact.
 */
ngx_int_t ngx_codat_sqlite_apply(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    ngx_array_t *facts, ngx_array_t *rows, ngx_uint_t *merged);

/* Reads an event, all of it.  NGX_OK or NGX_ERROR: also if there is none. */
ngx_int_t ngx_codat_sqlite_event_of(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    uint64_t id, ngx_codat_work_event_t *event);

/* Reads EVENT_GET but for the last three.  NGX_OK or NGX_ERROR (memory). */
ngx_int_t ngx_codat_sqlite_event(ngx_pool_t *pool, sqlite3_stmt *stmt,
    ngx_codat_work_event_t *event);


#endif /* _NGX_CODAT_SQLITE_H_INCLUDED_ */
