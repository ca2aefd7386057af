
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Transactions and statements, see ngx_codat_sqlite.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_fault.h"
#include "ngx_codat_sqlite.h"
#include "ngx_codat_sqlite_consumers.h"

static void *ngx_codat_sqlite_create_handle(ngx_codat_store_t *store,
    ngx_log_t *log);
static void ngx_codat_sqlite_run(void *handle, ngx_codat_work_t *works,
    u_char *error);
static void ngx_codat_sqlite_close(void *handle);
static ngx_int_t ngx_codat_sqlite_synchronous(ngx_codat_sqlite_t *db,
    ngx_codat_work_t *works);
static ngx_int_t ngx_codat_sqlite_write(ngx_codat_sqlite_t *db,
    ngx_codat_work_t *works);
static ngx_int_t ngx_codat_sqlite_transaction(ngx_codat_sqlite_t *db,
    ngx_codat_work_t *works, ngx_codat_work_t *end, ngx_uint_t reads);
static ngx_uint_t ngx_codat_sqlite_broken(ngx_codat_sqlite_t *db);
static const char *ngx_codat_sqlite_hint(ngx_codat_sqlite_t *db);
static ngx_int_t ngx_codat_sqlite_commit(ngx_codat_sqlite_t *db);
static ngx_uint_t ngx_codat_sqlite_reads(ngx_codat_work_t *work);
static ngx_int_t ngx_codat_sqlite_version(ngx_codat_sqlite_t *db);
static ngx_int_t ngx_codat_sqlite_work(ngx_codat_sqlite_t *db,
    ngx_codat_work_t *work);


static const char *ngx_codat_sqlite_statements[] = {
#define X(name, sql)  sql,
#include "ngx_codat_sqlite_x.h"
#undef X
};


const ngx_codat_store_backend_t  ngx_codat_sqlite_backend = {
    ngx_string("sqlite"),
    ngx_codat_sqlite_create_handle,
    ngx_codat_sqlite_run,
    ngx_codat_sqlite_close
};


static void *
ngx_codat_sqlite_create_handle(ngx_codat_store_t *store, ngx_log_t *log)
{
    ngx_codat_sqlite_t  *db;

    db = ngx_calloc(sizeof(ngx_codat_sqlite_t), log);
    if (db == NULL) {
        return NULL;
    }

    db->store = store;
    db->log = log;
    db->lock = -1;
    db->make = store->temporary & 1;

    return db;
}


/* what only reads goes last, without the lock: it may take its time */

static void
ngx_codat_sqlite_run(void *handle, ngx_codat_work_t *works, u_char *error)
{
    ngx_codat_sqlite_t *db = handle;

    ngx_uint_t         reads, writes;
    ngx_codat_work_t  *work;

    db->error[0] = '\0';
    db->code = SQLITE_OK;

    reads = 0;
    writes = 0;

    for (work = works; work; work = work->next) {

        work->rc = NGX_ERROR;

        if (ngx_codat_sqlite_reads(work)) {
            reads = 1;

        } else {
            writes = 1;
        }
    }

    if (ngx_codat_sqlite_open(db) != NGX_OK) {
        goto failed;
    }

    if (writes && ngx_codat_sqlite_write(db, works) != NGX_OK) {
        goto failed;
    }

    if (reads) {
        (void) ngx_codat_sqlite_transaction(db, works, NULL, 1);
    }

failed:

    if (db->error[0] == '\0') {
        return;
    }

    (void) ngx_cpystrn(error, (u_char *) db->error, NGX_CODAT_STORE_ERROR);

    /* what the next group finds is to be the file as it is then */

    ngx_codat_sqlite_close_db(db);
}


/* the disk is waited for where somebody waits for what is on it */

static ngx_int_t
ngx_codat_sqlite_synchronous(ngx_codat_sqlite_t *db, ngx_codat_work_t *works)
{
    unsigned           lazy;
    ngx_codat_work_t  *work;

    if (db->store->temporary) {
        return NGX_OK;
    }

    lazy = 1;

    for (work = works; work; work = work->next) {

        if (!ngx_codat_work_later(work) && !ngx_codat_sqlite_reads(work)) {
            lazy = 0;
        }
    }

    if (lazy == db->lazy) {
        return NGX_OK;
    }

    if (sqlite3_exec(db->db, lazy ? "PRAGMA synchronous = NORMAL"
                                  : "PRAGMA synchronous = FULL",
                     NULL, NULL, NULL)
        != SQLITE_OK)
    {
        ngx_codat_sqlite_error(db, NULL);
        return NGX_ERROR;
    }

    db->lazy = lazy & 1;

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_write(ngx_codat_sqlite_t *db, ngx_codat_work_t *works)
{
    ngx_int_t          rc;
    ngx_codat_work_t  *work;

    if (ngx_codat_sqlite_synchronous(db, works) != NGX_OK
        || ngx_codat_sqlite_lock(db) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_codat_sqlite_transaction(db, works, NULL, 0);

    if (rc != NGX_OK && works->next && !ngx_codat_sqlite_broken(db)) {

        /* one of them spoils it for all: each by itself then */

        for (work = works; work; work = work->next) {
            (void) ngx_codat_sqlite_transaction(db, work, work->next, 0);
        }
    }

    ngx_codat_sqlite_unlock(db);

    return NGX_OK;
}


/* what fails for one of them fails for all, and may take its time to */

static ngx_uint_t
ngx_codat_sqlite_broken(ngx_codat_sqlite_t *db)
{
    switch (db->code & 0xff) {

    case SQLITE_BUSY:
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOTADB:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL:
    case SQLITE_READONLY:
        return 1;

    default:
        return 0;
    }
}


/* those units up to "end" that write, or that read, or none of them */

static ngx_int_t
ngx_codat_sqlite_transaction(ngx_codat_sqlite_t *db, ngx_codat_work_t *works,
    ngx_codat_work_t *end, ngx_uint_t reads)
{
    sqlite3_stmt      *stmt;
    ngx_codat_work_t  *work;

    db->versioned = 0;
    db->grown = 0;

    stmt = ngx_codat_sqlite(db, reads ? NGX_CODAT_SQL_READ
                                      : NGX_CODAT_SQL_BEGIN);

    if (stmt == NULL || ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        goto failed;
    }

    for (work = works; work != end; work = work->next) {

        if (ngx_codat_sqlite_reads(work) != reads) {
            continue;
        }

        work->rc = ngx_codat_sqlite_work(db, work);

        if (work->rc == NGX_ERROR) {
            goto rollback;
        }
    }

    if (ngx_codat_sqlite_commit(db) == NGX_OK) {
        return NGX_OK;
    }

rollback:

    if (!sqlite3_get_autocommit(db->db)) {
        (void) sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
    }

    /* it may be of consumers that there are not, under a version to come */

    db->audience = NULL;

failed:

    for (work = works; work != end; work = work->next) {

        if (ngx_codat_sqlite_reads(work) == reads) {
            work->rc = NGX_ERROR;
        }
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_codat_sqlite_commit(ngx_codat_sqlite_t *db)
{
    sqlite3_stmt  *stmt;

    if (db->grown && ngx_codat_sqlite_version(db) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_codat_fault("store.before_commit");

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_COMMIT);

    if (stmt == NULL || ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_codat_fault("store.after_commit");

    return NGX_OK;
}


static ngx_uint_t
ngx_codat_sqlite_reads(ngx_codat_work_t *work)
{
    switch (work->op) {

    case NGX_CODAT_WORK_LIST:
    case NGX_CODAT_WORK_LOAD:
    case NGX_CODAT_WORK_STATS:
    case NGX_CODAT_WORK_CONSUMER_LIST:
    case NGX_CODAT_WORK_SAMPLES:
        return 1;

    case NGX_CODAT_WORK_ROWS:
        return ((ngx_codat_work_rows_t *) work)->read;

    case NGX_CODAT_WORK_CONSUMER_KEY:
        return !((ngx_codat_work_consumer_key_t *) work)->set;

    default:
        return 0;
    }
}


/* the counter of versions of rows, once for all the rows of a transaction */

static ngx_int_t
ngx_codat_sqlite_version(ngx_codat_sqlite_t *db)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_VERSION_SET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) db->version);

    return ngx_codat_sqlite_exec(db, stmt);
}


static ngx_int_t
ngx_codat_sqlite_work(ngx_codat_sqlite_t *db, ngx_codat_work_t *work)
{
    switch (work->op) {

    case NGX_CODAT_WORK_RECEIVE:
        return ngx_codat_sqlite_receive(db, (void *) work);

    case NGX_CODAT_WORK_DONE:
        return ngx_codat_sqlite_done(db, (void *) work);

    case NGX_CODAT_WORK_RESULT:
        return ngx_codat_sqlite_result(db, (void *) work);

    case NGX_CODAT_WORK_CLAIM:
        return ngx_codat_sqlite_claim(db, (void *) work);

    case NGX_CODAT_WORK_RELEASE:
        return ngx_codat_sqlite_release(db, (void *) work);

    case NGX_CODAT_WORK_ROWS:
        return ngx_codat_sqlite_rows(db, (void *) work);

    case NGX_CODAT_WORK_FORGET:
        return ngx_codat_sqlite_forget(db, (void *) work);

    case NGX_CODAT_WORK_LOAD:
        return ngx_codat_sqlite_load(db, (void *) work);

    case NGX_CODAT_WORK_LIST:
        return ngx_codat_sqlite_list(db, (void *) work);

    case NGX_CODAT_WORK_REPLAY:
        return ngx_codat_sqlite_replay(db, (void *) work);

    case NGX_CODAT_WORK_CANCEL:
        return ngx_codat_sqlite_cancel(db, (void *) work);

    case NGX_CODAT_WORK_PRUNE:
        return ngx_codat_sqlite_prune(db, (void *) work);

    case NGX_CODAT_WORK_STATS:
        return ngx_codat_sqlite_stats(db, (void *) work);

    case NGX_CODAT_WORK_ROUTES:
        return ngx_codat_sqlite_routes(db, (void *) work);

    default:
        return ngx_codat_sqlite_consumers(db, work);
    }
}


static void
ngx_codat_sqlite_close(void *handle)
{
    ngx_codat_sqlite_t *db = handle;

    ngx_codat_sqlite_close_db(db);

    if (db->lock != -1) {
        (void) close(db->lock);
    }

    ngx_free(db);
}


/* --- statements --------------------------------------------------------- */

sqlite3_stmt *
ngx_codat_sqlite(ngx_codat_sqlite_t *db, ngx_codat_sql_e sql)
{
    if (db->statements[sql] == NULL) {
        db->statements[sql] = ngx_codat_sqlite_prepare(db,
                                           ngx_codat_sqlite_statements[sql]);
    }

    return db->statements[sql];
}


sqlite3_stmt *
ngx_codat_sqlite_prepare(ngx_codat_sqlite_t *db, const char *sql)
{
    sqlite3_stmt  *stmt;

    if (sqlite3_prepare_v3(db->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt,
                           NULL)
        != SQLITE_OK)
    {
        ngx_codat_sqlite_error(db, NULL);
        return NULL;
    }

    return stmt;
}


void
ngx_codat_sqlite_text(sqlite3_stmt *stmt, int i, const ngx_str_t *text)
{
    if (text->len) {
        (void) sqlite3_bind_text(stmt, i, (char *) text->data,
                                 (int) text->len, SQLITE_STATIC);
    } else {
        (void) sqlite3_bind_null(stmt, i);
    }
}


void
ngx_codat_sqlite_int(sqlite3_stmt *stmt, int i, int64_t value)
{
    (void) sqlite3_bind_int64(stmt, i, value);
}


void
ngx_codat_sqlite_time(sqlite3_stmt *stmt, int i, int64_t value)
{
    if (value) {
        (void) sqlite3_bind_int64(stmt, i, value);
    } else {
        (void) sqlite3_bind_null(stmt, i);
    }
}


void
ngx_codat_sqlite_blob(sqlite3_stmt *stmt, int i, const u_char *p, size_t len)
{
    if (p && len) {
        (void) sqlite3_bind_blob(stmt, i, p, (int) len, SQLITE_STATIC);
    } else {
        (void) sqlite3_bind_null(stmt, i);
    }
}


ngx_int_t
ngx_codat_sqlite_step(ngx_codat_sqlite_t *db, sqlite3_stmt *stmt)
{
    switch (sqlite3_step(stmt)) {

    case SQLITE_ROW:
        return NGX_OK;

    case SQLITE_DONE:
        (void) sqlite3_reset(stmt);
        (void) sqlite3_clear_bindings(stmt);
        return NGX_DONE;

    default:
        ngx_codat_sqlite_error(db, NULL);
        (void) sqlite3_reset(stmt);
        (void) sqlite3_clear_bindings(stmt);
        return NGX_ERROR;
    }
}


ngx_int_t
ngx_codat_sqlite_exec(ngx_codat_sqlite_t *db, sqlite3_stmt *stmt)
{
    ngx_int_t  rc;

    do {
        rc = ngx_codat_sqlite_step(db, stmt);
    } while (rc == NGX_OK);

    return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_codat_sqlite_column(ngx_pool_t *pool, sqlite3_stmt *stmt, int i,
    ngx_str_t *text)
{
    const void  *p;

    p = sqlite3_column_blob(stmt, i);

    text->len = (size_t) sqlite3_column_bytes(stmt, i);

    if (p == NULL || text->len == 0) {
        ngx_str_null(text);

        return sqlite3_errcode(sqlite3_db_handle(stmt)) == SQLITE_NOMEM
                   ? NGX_ERROR : NGX_OK;
    }

    text->data = ngx_pnalloc(pool, text->len);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text->data, p, text->len);

    return NGX_OK;
}


ngx_str_t
ngx_codat_sqlite_peek(sqlite3_stmt *stmt, int i)
{
    ngx_str_t  text;
    union {
        const void  *from;
        u_char      *to;
    } p;

    p.from = sqlite3_column_blob(stmt, i);

    text.data = p.to;
    text.len = (size_t) sqlite3_column_bytes(stmt, i);

    return text;
}


void
ngx_codat_sqlite_error(ngx_codat_sqlite_t *db, const char *what)
{
    int      err;
    u_char  *p, *last;

    p = (u_char *) db->error;
    last = p + NGX_CODAT_STORE_ERROR - 1;

    if (*p) {
        return;                         /* the first one is the cause */
    }

    if (what) {
        p = ngx_slprintf(p, last, "%s", what);
    }

    if (db->db && sqlite3_errcode(db->db) != SQLITE_OK
        && sqlite3_errcode(db->db) != SQLITE_ROW
        && sqlite3_errcode(db->db) != SQLITE_DONE)
    {
        db->code = sqlite3_extended_errcode(db->db);

        p = ngx_slprintf(p, last, "%s%s (%d", what ? ": " : "",
                         sqlite3_errmsg(db->db), db->code);

        err = sqlite3_system_errno(db->db);

        if (err && (db->code & 0xff) == SQLITE_IOERR) {
            p = ngx_slprintf(p, last, ", %d: ", err);
            p = ngx_strerror(err, p, (size_t) (last - p));
        }

        p = ngx_slprintf(p, last, ")%s", ngx_codat_sqlite_hint(db));
    }

    *p = '\0';

    if (db->error[0] == '\0') {
        (void) ngx_slprintf((u_char *) db->error, last, "out of memory%Z");
    }
}


/* what to do about it */

static const char *
ngx_codat_sqlite_hint(ngx_codat_sqlite_t *db)
{
    switch (db->code & 0xff) {

    case SQLITE_BUSY:
        return ": another program holds it";

    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return ": the user of the workers has to be able to write it and its "
               "folder";

    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return db->store->temporary ? ": start nginx anew"
                                    : ": put a backup in its place";

    case SQLITE_FULL:
        return ": make room on its disk";

    case SQLITE_IOERR:
        return ": see if its disk is full, and what the log of the kernel "
               "says";

    default:
        return "";
    }
}
