
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  The files of the database and the connection to it, see
 * ngx_codat_sqlite.h.
 *
 * Writers meet at a lock of their own, PATH-lock, which the kernel hands on
 * at once: SQLite's busy handler sleeps, and whoever sleeps longest loses.
 * The process that dies with it gives it back.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_sqlite.h"

#include <sys/file.h>


/* for strangers that write, such as the sqlite3 shell; msec */
#define NGX_CODAT_SQLITE_BUSY  5000


static ngx_int_t ngx_codat_sqlite_lock_file(ngx_codat_sqlite_t *db);
static ngx_int_t ngx_codat_sqlite_there(ngx_codat_sqlite_t *db,
    struct stat *st);
static void ngx_codat_sqlite_check(ngx_codat_sqlite_t *db);
static void ngx_codat_sqlite_errno(ngx_codat_sqlite_t *db, const char *what);
static ngx_int_t ngx_codat_sqlite_setup(ngx_codat_sqlite_t *db);


ngx_int_t
ngx_codat_sqlite_open(ngx_codat_sqlite_t *db)
{
    int          flags;
    ngx_int_t    rc;
    struct stat  st;

    ngx_codat_sqlite_check(db);

    if (db->db) {
        return NGX_OK;
    }

    if (ngx_codat_sqlite_lock_file(db) != NGX_OK
        || ngx_codat_sqlite_there(db, &st) != NGX_OK)
    {
        return NGX_ERROR;
    }

    flags = SQLITE_OPEN_READWRITE|SQLITE_OPEN_NOMUTEX;

    if (sqlite3_open_v2((char *) db->store->path.data, &db->db, flags, NULL)
        != SQLITE_OK)
    {
        ngx_codat_sqlite_error(db, NULL);
        rc = NGX_ERROR;

    } else {
        rc = ngx_codat_sqlite_lock(db);
    }

    if (rc == NGX_OK) {
        rc = ngx_codat_sqlite_setup(db);

        ngx_codat_sqlite_unlock(db);
    }

    if (rc != NGX_OK) {
        ngx_codat_sqlite_close_db(db);
        return NGX_ERROR;
    }

    db->device = st.st_dev;
    db->inode = st.st_ino;
    db->size = st.st_size;

    ngx_memzero(&db->events, sizeof(db->events));
    ngx_memzero(db->deliveries, sizeof(db->deliveries));

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_lock_file(ngx_codat_sqlite_t *db)
{
    u_char  path[NGX_MAX_PATH];

    if (db->lock != -1) {
        return NGX_OK;
    }

    if (ngx_snprintf(path, NGX_MAX_PATH, "%V-lock%Z", &db->store->path)
        == path + NGX_MAX_PATH)
    {
        ngx_codat_sqlite_error(db, "its path is too long");
        return NGX_ERROR;
    }

    db->lock = open((char *) path, O_RDWR|O_CREAT|O_CLOEXEC, 0600);

    if (db->lock == -1) {
        ngx_codat_sqlite_errno(db, "PATH-lock can't be opened");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* what was there is to come back: it is not for a worker to begin anew */

static ngx_int_t
ngx_codat_sqlite_there(ngx_codat_sqlite_t *db, struct stat *st)
{
    int  fd;

    /* nobody else's business; the other files get the mode of this one */

    fd = open((char *) db->store->path.data,
              O_RDWR|O_CLOEXEC|(db->make ? O_CREAT : 0), 0600);

    if (fd == -1) {
        ngx_codat_sqlite_errno(db, "it can't be opened");
        return NGX_ERROR;
    }

    if (fstat(fd, st) == -1) {
        ngx_codat_sqlite_errno(db, "it can't be looked at");
        (void) close(fd);
        return NGX_ERROR;
    }

    (void) close(fd);

    if (st->st_size == 0 && !db->make) {
        ngx_codat_sqlite_error(db, "it is empty: put a backup in its place, "
                               "or reload nginx to begin a new one");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * A backup may have been put in its place, its disk may have gone, or a part
 * of it: then what is open is not what others have.
 */

static void
ngx_codat_sqlite_check(ngx_codat_sqlite_t *db)
{
    struct stat  st;

    if (db->db == NULL) {
        return;
    }

    if (stat((char *) db->store->path.data, &st) == -1
        || st.st_size < db->size
        || st.st_dev != db->device
        || st.st_ino != db->inode)
    {
        ngx_codat_sqlite_close_db(db);
        return;
    }

    db->size = st.st_size;
}


static void
ngx_codat_sqlite_errno(ngx_codat_sqlite_t *db, const char *what)
{
    u_char     *p, text[128];
    ngx_err_t   err;

    err = errno;
    p = ngx_strerror(err, text, sizeof(text) - 1);
    *p = '\0';

    (void) ngx_snprintf((u_char *) db->error, NGX_CODAT_STORE_ERROR,
                        "%s (%d: %s)%s%Z", what, (int) err, text,
                        err == ENOENT
                            ? ": put a backup in its place, or reload nginx "
                              "to begin a new one"
                            : ": the user of the workers has to be able to "
                              "write it and its folder");
}


/* the files stay when the last connection is closed, see above */

ngx_int_t
ngx_codat_sqlite_files(ngx_codat_store_t *store, uid_t user, gid_t group,
    u_char *error)
{
    u_char              path[NGX_MAX_PATH];
    ngx_int_t           rc;
    ngx_uint_t          i;
    struct stat         st;
    ngx_codat_sqlite_t  db;

    static const char  *suffixes[] = { "", "-wal", "-shm", "-lock" };

    if (stat((char *) store->path.data, &st) == -1 || st.st_size == 0) {

        ngx_memzero(&db, sizeof(ngx_codat_sqlite_t));

        db.store = store;
        db.lock = -1;
        db.make = 1;

        rc = ngx_codat_sqlite_open(&db);

        ngx_codat_sqlite_close_db(&db);

        if (db.lock != -1) {
            (void) close(db.lock);
        }

        if (rc != NGX_OK) {
            (void) ngx_cpystrn(error, (u_char *) db.error,
                               NGX_CODAT_STORE_ERROR);
            return NGX_ERROR;
        }
    }

    for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {

        (void) ngx_slprintf(path, path + sizeof(path), "%V%s%Z",
                            &store->path, suffixes[i]);

        if (geteuid() != 0
            || stat((char *) path, &st) == -1
            || st.st_uid == user)
        {
            continue;
        }

        if (chown((char *) path, user, group) == -1) {
            (void) ngx_slprintf(error, error + NGX_CODAT_STORE_ERROR,
                                "chown(\"%s\") failed (%d)%Z", path, errno);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_setup(ngx_codat_sqlite_t *db)
{
    int                      persist;
    u_char                   sql[2048];
    ngx_codat_record_kind_e  kind;

    persist = 1;

    (void) sqlite3_file_control(db->db, "main", SQLITE_FCNTL_PERSIST_WAL,
                                &persist);
    (void) sqlite3_extended_result_codes(db->db, 1);
    (void) sqlite3_busy_timeout(db->db, NGX_CODAT_SQLITE_BUSY);

    if (sqlite3_exec(db->db, "PRAGMA journal_mode = WAL;"
                     "PRAGMA synchronous = FULL;"
                     "PRAGMA foreign_keys = ON;"
                     "PRAGMA trusted_schema = OFF;"
                     "PRAGMA cache_size = -16384;"
                     "PRAGMA journal_size_limit = 67108864",
                     NULL, NULL, NULL)
        != SQLITE_OK)
    {
        ngx_codat_sqlite_error(db, NULL);
        return NGX_ERROR;
    }

    /* whatever ends so that a disk has not got it ends such a store too */

    if (db->store->temporary
        && sqlite3_exec(db->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL)
           != SQLITE_OK)
    {
        ngx_codat_sqlite_error(db, NULL);
        return NGX_ERROR;
    }

    if (ngx_codat_sqlite_schema(db) != NGX_OK) {
        return NGX_ERROR;
    }

    for (kind = 0; kind < NGX_CODAT_RECORD_KINDS; kind++) {

        ngx_codat_sqlite_sql_get(kind, sql);
        db->get[kind] = ngx_codat_sqlite_prepare(db, (char *) sql);

        ngx_codat_sqlite_sql_put(kind, sql);
        db->put[kind] = ngx_codat_sqlite_prepare(db, (char *) sql);

        ngx_codat_sqlite_sql_load(kind, sql);
        db->load[kind] = ngx_codat_sqlite_prepare(db, (char *) sql);

        if (db->get[kind] == NULL || db->put[kind] == NULL
            || db->load[kind] == NULL)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_codat_sqlite_close_db(ngx_codat_sqlite_t *db)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_CODAT_SQL_N; i++) {
        (void) sqlite3_finalize(db->statements[i]);
        db->statements[i] = NULL;
    }

    for (i = 0; i < NGX_CODAT_RECORD_KINDS; i++) {
        (void) sqlite3_finalize(db->get[i]);
        (void) sqlite3_finalize(db->put[i]);
        (void) sqlite3_finalize(db->load[i]);

        db->get[i] = NULL;
        db->put[i] = NULL;
        db->load[i] = NULL;
    }

    (void) sqlite3_close(db->db);
    db->db = NULL;
    db->lazy = 0;

    if (db->pool) {
        ngx_destroy_pool(db->pool);
        db->pool = NULL;
        db->audience = NULL;
    }
}


ngx_int_t
ngx_codat_sqlite_lock(ngx_codat_sqlite_t *db)
{
    while (flock(db->lock, LOCK_EX) == -1) {

        if (errno != EINTR) {
            (void) ngx_snprintf((u_char *) db->error, NGX_CODAT_STORE_ERROR,
                                "flock() failed (%d)%Z", errno);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_codat_sqlite_unlock(ngx_codat_sqlite_t *db)
{
    (void) flock(db->lock, LOCK_UN);
}
