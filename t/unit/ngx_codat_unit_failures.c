
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Failures of what a store calls, see ngx_codat_unit_failures.h.  The linker
 * puts these functions between the callers and what they call (--wrap).
 */


#include "ngx_codat_unit_failures.h"

#include <execinfo.h>
#include <sqlite3.h>


/*
 * Functions that led to a call, by which it is told from others; fewer of them
 * by CODAT_UNIT_DEPTH, where all is slow.
 */
#define FAILURES_DEPTH  10

#define FAILURES_MAX    16384


static ngx_uint_t ngx_codat_unit_failures_due(const char *name);


void *__real_ngx_palloc(ngx_pool_t *pool, size_t size);
void *__wrap_ngx_palloc(ngx_pool_t *pool, size_t size);
void *__real_ngx_pnalloc(ngx_pool_t *pool, size_t size);
void *__wrap_ngx_pnalloc(ngx_pool_t *pool, size_t size);
void *__real_ngx_pcalloc(ngx_pool_t *pool, size_t size);
void *__wrap_ngx_pcalloc(ngx_pool_t *pool, size_t size);
void *__real_ngx_array_push(ngx_array_t *a);
void *__wrap_ngx_array_push(ngx_array_t *a);
void *__real_ngx_array_push_n(ngx_array_t *a, ngx_uint_t n);
void *__wrap_ngx_array_push_n(ngx_array_t *a, ngx_uint_t n);
ngx_pool_t *__real_ngx_create_pool(size_t size, ngx_log_t *log);
ngx_pool_t *__wrap_ngx_create_pool(size_t size, ngx_log_t *log);

int __real_sqlite3_open_v2(const char *path, sqlite3 **db, int flags,
    const char *vfs);
int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags,
    const char *vfs);
int __real_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len,
    unsigned flags, sqlite3_stmt **stmt, const char **tail);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len,
    unsigned flags, sqlite3_stmt **stmt, const char **tail);
int __real_sqlite3_step(sqlite3_stmt *stmt);
int __wrap_sqlite3_step(sqlite3_stmt *stmt);
int __real_sqlite3_exec(sqlite3 *db, const char *sql,
    int (*callback)(void *, int, char **, char **), void *data, char **error);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql,
    int (*callback)(void *, int, char **, char **), void *data, char **error);


static uint32_t     ngx_codat_unit_failures_seen[FAILURES_MAX];
static ngx_uint_t   ngx_codat_unit_failures_n;
static ngx_uint_t   ngx_codat_unit_failures_armed;
static ngx_uint_t   ngx_codat_unit_failures_hit;
static ngx_uint_t   ngx_codat_unit_failures_op;
static const char  *ngx_codat_unit_failures_name = "nothing";


void
ngx_codat_unit_failures_arm(ngx_uint_t op)
{
    ngx_codat_unit_failures_op = op;
    ngx_codat_unit_failures_armed = 1;
    ngx_codat_unit_failures_hit = 0;
}


ngx_uint_t
ngx_codat_unit_failures_disarm(void)
{
    ngx_codat_unit_failures_armed = 0;

    return ngx_codat_unit_failures_hit;
}


ngx_uint_t
ngx_codat_unit_failures(void)
{
    return ngx_codat_unit_failures_n;
}


const char *
ngx_codat_unit_failures_last(void)
{
    return ngx_codat_unit_failures_name;
}


static ngx_uint_t
ngx_codat_unit_failures_due(const char *name)
{
    int          depth;
    void        *frames[FAILURES_DEPTH + 2];
    const char  *wanted;
    uint32_t     key;
    ngx_uint_t   i;

    if (!ngx_codat_unit_failures_armed || ngx_codat_unit_failures_hit) {
        return 0;
    }

    /* of allocations while the frames are found */

    ngx_codat_unit_failures_armed = 0;
    depth = backtrace(frames, FAILURES_DEPTH + 2);
    ngx_codat_unit_failures_armed = 1;

    wanted = getenv("CODAT_UNIT_DEPTH");

    if (wanted) {
        depth = ngx_min(depth, atoi(wanted) + 2);
    }

    key = ngx_crc32_long((u_char *) frames,
                         (size_t) ngx_max(depth, 0) * sizeof(void *))
          ^ (uint32_t) ngx_codat_unit_failures_op * 0x9e3779b1u;

    for (i = 0; i < ngx_codat_unit_failures_n; i++) {

        if (ngx_codat_unit_failures_seen[i] == key) {
            return 0;
        }
    }

    if (ngx_codat_unit_failures_n == FAILURES_MAX) {
        return 0;
    }

    ngx_codat_unit_failures_seen[ngx_codat_unit_failures_n++] = key;
    ngx_codat_unit_failures_name = name;
    ngx_codat_unit_failures_hit = 1;

    return 1;
}


/* --- memory ------------------------------------------------------------- */

void *
__wrap_ngx_palloc(ngx_pool_t *pool, size_t size)
{
    return ngx_codat_unit_failures_due("ngx_palloc()")
               ? NULL : __real_ngx_palloc(pool, size);
}


void *
__wrap_ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    return ngx_codat_unit_failures_due("ngx_pnalloc()")
               ? NULL : __real_ngx_pnalloc(pool, size);
}


void *
__wrap_ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    return ngx_codat_unit_failures_due("ngx_pcalloc()")
               ? NULL : __real_ngx_pcalloc(pool, size);
}


void *
__wrap_ngx_array_push(ngx_array_t *a)
{
    return ngx_codat_unit_failures_due("ngx_array_push()")
               ? NULL : __real_ngx_array_push(a);
}


void *
__wrap_ngx_array_push_n(ngx_array_t *a, ngx_uint_t n)
{
    return ngx_codat_unit_failures_due("ngx_array_push_n()")
               ? NULL : __real_ngx_array_push_n(a, n);
}


ngx_pool_t *
__wrap_ngx_create_pool(size_t size, ngx_log_t *log)
{
    return ngx_codat_unit_failures_due("ngx_create_pool()")
               ? NULL : __real_ngx_create_pool(size, log);
}


/* --- SQLite ------------------------------------------------------------- */

int
__wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags,
    const char *vfs)
{
    if (ngx_codat_unit_failures_due("sqlite3_open_v2()")) {
        *db = NULL;
        return SQLITE_NOMEM;
    }

    return __real_sqlite3_open_v2(path, db, flags, vfs);
}


int
__wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len,
    unsigned flags, sqlite3_stmt **stmt, const char **tail)
{
    if (ngx_codat_unit_failures_due("sqlite3_prepare_v3()")) {
        *stmt = NULL;
        return SQLITE_NOMEM;
    }

    return __real_sqlite3_prepare_v3(db, sql, len, flags, stmt, tail);
}


int
__wrap_sqlite3_step(sqlite3_stmt *stmt)
{
    return ngx_codat_unit_failures_due("sqlite3_step()")
               ? SQLITE_NOMEM : __real_sqlite3_step(stmt);
}


int
__wrap_sqlite3_exec(sqlite3 *db, const char *sql,
    int (*callback)(void *, int, char **, char **), void *data, char **error)
{
    return ngx_codat_unit_failures_due("sqlite3_exec()")
               ? SQLITE_NOMEM
               : __real_sqlite3_exec(db, sql, callback, data, error);
}
