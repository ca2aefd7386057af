
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * What tests of a store have in common, see ngx_codat_unit_store.h.
 */


#include "ngx_codat_unit_failures.h"
#include "ngx_codat_unit_store.h"


/* of one group */
#define STORE_UNITS  1024


static ngx_uint_t store_failed(ngx_codat_work_t **all, ngx_uint_t n,
    ngx_codat_work_t **first);


void
store_open(store_t *s)
{
    u_char  *p;

    ngx_memzero(s, sizeof(store_t));

    s->pool = ngx_codat_unit_pool();

    p = ngx_snprintf(s->path, sizeof(s->path), "%s/codat-store-XXXXXX%Z",
                     getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp((char *) s->path));
    (void) ngx_sprintf(p - 1, "/db%Z");

    s->store.backend = &ngx_codat_sqlite_backend;
    s->store.path.data = s->path;
    s->store.path.len = ngx_strlen(s->path);

    s->workers[0] = s->store.backend->create(&s->store,
                                             ngx_cycle->log);
    s->workers[1] = s->store.backend->create(&s->store,
                                             ngx_cycle->log);
    assert_non_null(s->workers[0]);
    assert_non_null(s->workers[1]);

    assert_int_equal(ngx_codat_sqlite_files(&s->store, getuid(), getgid(),
                                            s->error),
                     NGX_OK);
}


void
store_remove(store_t *s)
{
    u_char  path[NGX_MAX_PATH];

    (void) unlink((char *) s->path);
    (void) ngx_sprintf(path, "%s-wal%Z", s->path);
    (void) unlink((char *) path);
    (void) ngx_sprintf(path, "%s-shm%Z", s->path);
    (void) unlink((char *) path);
}


void
store_close(store_t *s)
{
    u_char             sql[NGX_MAX_PATH + 64];
    u_char            *p;
    sqlite3           *db;
    sqlite3_stmt      *stmt;

    s->store.backend->close(s->workers[0]);
    s->store.backend->close(s->workers[1]);

    if (sqlite3_open_v2((char *) s->path, &db, SQLITE_OPEN_READWRITE, NULL)
        == SQLITE_OK
        && sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL)
           == SQLITE_OK)
    {
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        assert_string_equal((char *) sqlite3_column_text(stmt, 0), "ok");
        (void) sqlite3_finalize(stmt);
    }

    (void) sqlite3_close(db);

    p = (u_char *) strrchr((char *) s->path, '/');
    *p = '\0';

    (void) ngx_sprintf(sql, "rm -rf '%s'%Z", s->path);
    assert_int_equal(system((char *) sql), 0);

    ngx_destroy_pool(s->pool);
}


/*
 * Before a group succeeds, whatever it calls fails once, see
 * ngx_codat_unit_failures.h.  What has failed then must not have happened at
 * all, since it is tried again.
 */

void
store_run(store_t *s, ngx_uint_t n, void *work)
{
    ngx_uint_t         i, nelts, failed, again;
    ngx_codat_work_t  *w, *first, *all[STORE_UNITS + 1];

    nelts = 0;

    for (w = work; w; w = w->next) {
        assert_true(nelts < STORE_UNITS);
        all[nelts++] = w;
    }

    all[nelts] = NULL;
    first = work;

    do {
        s->error[0] = '\0';

        ngx_codat_unit_failures_arm(first ? first->op : 0);
        s->store.backend->run(s->workers[n], first, s->error);
        failed = ngx_codat_unit_failures_disarm();

        again = failed && store_failed(all, nelts, &first);

        if (again && s->error[0] == '\0') {
            fail_msg("%s failed, and nobody says why",
                     ngx_codat_unit_failures_last());
        }

        if (failed) {
            s->error[0] = '\0';
        }

    } while (again);

    for (i = 0; i < nelts; i++) {
        all[i]->next = all[i + 1];
    }
}


/* those units as a list; 0 if there are none */

static ngx_uint_t
store_failed(ngx_codat_work_t **all, ngx_uint_t n, ngx_codat_work_t **first)
{
    ngx_uint_t          i;
    ngx_codat_work_t  **next;

    next = first;

    for (i = 0; i < n; i++) {

        if (all[i]->rc == NGX_ERROR) {
            *next = all[i];
            next = &all[i]->next;
        }
    }

    if (next == first) {
        return 0;
    }

    *next = NULL;

    return 1;
}


void
store_ok(store_t *s, ngx_uint_t n, void *work)
{
    ngx_codat_work_t  *w;

    store_run(s, n, work);

    if (s->error[0]) {
        fail_msg("%s", s->error);
    }

    for (w = work; w; w = w->next) {
        assert_int_equal(w->rc, NGX_OK);
    }
}


ngx_codat_work_receive_t *
store_event(store_t *s, const char *body, ngx_uint_t seconds)
{
    ngx_array_t                facts;
    ngx_codat_event_t          event;
    ngx_codat_work_receive_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_RECEIVE,
                                 sizeof(ngx_codat_work_receive_t),
                                 ngx_cycle->log);
    assert_non_null(work);

    ngx_codat_world_facts(s->pool, ngx_codat_world_json(s->pool, body),
                          seconds, &event, &facts);

    assert_int_equal(ngx_codat_work_facts(&work->work, &work->facts, &facts),
                     NGX_OK);
    assert_int_equal(ngx_codat_work_text(&work->work, &work->event.body,
                                         &event.payload),
                     NGX_OK);
    assert_int_equal(ngx_codat_work_text(&work->work, &work->event.event_id,
                                  &event.fields[NGX_CODAT_FIELD_ID]),
                     NGX_OK);
    assert_int_equal(ngx_codat_work_text(&work->work, &work->event.type,
                                  &event.fields[NGX_CODAT_FIELD_EVENT_TYPE]),
                     NGX_OK);
    assert_int_equal(ngx_codat_work_text(&work->work, &work->event.company,
                                  &event.fields[NGX_CODAT_FIELD_COMPANY_ID]),
                     NGX_OK);

    ngx_str_set(&work->event.endpoint, "a /hook");

    work->event.known = 1;
    work->event.received = NOON + (int64_t) seconds * SECOND;
    work->event.generated = event.generated;
    work->window = 3600 * SECOND;
    work->lease = work->event.received + 20 * SECOND;
    work->origin = 1;
    work->owner = 11;

    ngx_memcpy(work->event.dedupe, work->event.event_id.data,
               ngx_min(work->event.event_id.len, NGX_CODAT_KEY_LEN));
    (void) ngx_sprintf(work->event.digest, "%08xD",
                       ngx_crc32_long(work->event.body.data,
                                      work->event.body.len));

    assert_int_equal(ngx_array_init(&work->deliveries, work->work.pool, 2,
                                    sizeof(ngx_codat_work_delivery_t)),
                     NGX_OK);

    return work;
}


void
store_sql(store_t *s, const char *sql)
{
    char     *error;
    sqlite3  *db;

    error = NULL;

    assert_int_equal(sqlite3_open((char *) s->path, &db), SQLITE_OK);
    (void) sqlite3_exec(db, sql, NULL, NULL, &error);

    if (error) {
        fail_msg("%s", error);
    }

    (void) sqlite3_close(db);
}


int64_t
store_value(store_t *s, const char *sql)
{
    int64_t        value;
    sqlite3       *db;
    sqlite3_stmt  *stmt;

    value = 0;

    assert_int_equal(sqlite3_open((char *) s->path, &db), SQLITE_OK);

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }

    if (sqlite3_step(stmt) == SQLITE_ROW) {
        value = sqlite3_column_int64(stmt, 0);
    }

    (void) sqlite3_finalize(stmt);
    (void) sqlite3_close(db);

    return value;
}
