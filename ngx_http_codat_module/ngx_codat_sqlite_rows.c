
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Rows of pushes, connections, datasets, companies and clients in
 * the database.  What an event changes is decided here, inside the
 * transaction, by the same rules as without a store: whatever the zone has
 * forgotten or another nginx has written meanwhile, nothing is lost.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_merge.h"
#include "ngx_codat_names.h"
#include "ngx_codat_sqlite.h"


/* "connection/data type", the longest key */
#define NGX_CODAT_SQLITE_KEY_MAX                                              \
    (NGX_CODAT_ID_MAX + 1 + NGX_CODAT_WORD_MAX)


typedef struct {
    ngx_str_t   id;                         /* as the column "id" has it */
    u_char      key[NGX_CODAT_KEY_LEN];     /* if it is a UUID */
    u_char      bytes[NGX_CODAT_SQLITE_KEY_MAX];
} ngx_codat_sqlite_key_t;


static ngx_int_t ngx_codat_sqlite_fact(ngx_codat_sqlite_t *db,
    ngx_pool_t *pool, const ngx_codat_record_t *said, ngx_array_t *rows,
    ngx_uint_t *merged);
static ngx_int_t ngx_codat_sqlite_key(const ngx_codat_record_t *said,
    ngx_codat_sqlite_key_t *key);
static size_t ngx_codat_sqlite_id(u_char *p, const ngx_str_t *id);
static ngx_int_t ngx_codat_sqlite_get(ngx_codat_sqlite_t *db,
    ngx_pool_t *pool, ngx_codat_sqlite_key_t *key,
    ngx_codat_work_row_t *row);
static ngx_int_t ngx_codat_sqlite_read(ngx_pool_t *pool, sqlite3_stmt *stmt,
    const u_char *key, ngx_codat_work_row_t *row);
static ngx_int_t ngx_codat_sqlite_put(ngx_codat_sqlite_t *db,
    ngx_codat_sqlite_key_t *key, ngx_codat_work_row_t *row);
static ngx_int_t ngx_codat_sqlite_next_version(ngx_codat_sqlite_t *db,
    uint64_t *version);


ngx_int_t
ngx_codat_sqlite_rows(ngx_codat_sqlite_t *db, ngx_codat_work_rows_t *rows)
{
    db->origin = rows->origin;
    db->read = (rows->read != 0);

    return ngx_codat_sqlite_apply(db, rows->work.pool, &rows->facts,
                                  &rows->rows, NULL);
}


ngx_int_t
ngx_codat_sqlite_apply(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    ngx_array_t *facts, ngx_array_t *rows, ngx_uint_t *merged)
{
    ngx_uint_t           i, what;
    ngx_codat_record_t  *said;

    if (merged) {
        *merged = 0;
    }

    if (ngx_array_init(rows, pool, ngx_max(facts->nelts, 1),
                       sizeof(ngx_codat_work_row_t))
        != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    said = facts->elts;

    for (i = 0; i < facts->nelts; i++) {

        if (ngx_codat_sqlite_fact(db, pool, &said[i], rows, &what) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (i == 0 && merged) {
            *merged = what;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_fact(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    const ngx_codat_record_t *said, ngx_array_t *rows, ngx_uint_t *merged)
{
    ngx_int_t                rc;
    ngx_codat_record_t       fact;
    ngx_codat_work_row_t    *row;
    ngx_codat_sqlite_key_t   key;

    *merged = 0;

    if (ngx_codat_sqlite_key(said, &key) != NGX_OK) {
        return NGX_OK;
    }

    row = ngx_array_push(rows);
    if (row == NULL) {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    ngx_memzero(row, sizeof(ngx_codat_work_row_t));

    row->record.kind = said->kind;

    rc = ngx_codat_sqlite_get(db, pool, &key, row);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (db->read) {

        if (rc == NGX_DECLINED) {
            rows->nelts--;
        }

        return NGX_OK;
    }

    fact = *said;

    if (rc == NGX_DECLINED) {
        row->record.texts[NGX_CODAT_TEXT_ID] =
                                              said->texts[NGX_CODAT_TEXT_ID];
    }

    /* what was registered by hand is pending, unless its webhook was first */

    if ((fact.flags & NGX_CODAT_MERGE_BY_HAND)
        && fact.kind == NGX_CODAT_RECORD_PUSH)
    {
        fact.state = (rc == NGX_DECLINED) ? NGX_CODAT_PUSH_PENDING
                                          : NGX_CODAT_PUSH_UNKNOWN;
    }

    *merged = ngx_codat_merge(&row->record, &fact);

    row->status = ((*merged & NGX_CODAT_MERGE_STATUS) != 0);
    row->refused = ((*merged & NGX_CODAT_MERGE_REFUSED) != 0);
    row->touched = said->times[NGX_CODAT_TIME_SEEN];

    if (rc == NGX_OK && !(*merged & NGX_CODAT_MERGE_CHANGED)) {
        return NGX_OK;
    }

    return ngx_codat_sqlite_put(db, &key, row);
}


/* NGX_DECLINED: a fact that names no row */

static ngx_int_t
ngx_codat_sqlite_key(const ngx_codat_record_t *said,
    ngx_codat_sqlite_key_t *key)
{
    u_char           *p;
    const ngx_str_t  *id, *type;

    key->id.data = key->bytes;

    if (said->kind == NGX_CODAT_RECORD_DATASET) {

        id = &said->texts[NGX_CODAT_TEXT_CONNECTION];
        type = &said->texts[NGX_CODAT_TEXT_DATA_TYPE];

        if (id->len == 0 || id->len > NGX_CODAT_ID_MAX
            || type->len > NGX_CODAT_WORD_MAX)
        {
            return NGX_DECLINED;
        }

        p = key->bytes + ngx_codat_sqlite_id(key->bytes, id);
        *p++ = '/';
        p = ngx_cpymem(p, type->data, type->len);

        key->id.len = (size_t) (p - key->bytes);

        return NGX_OK;
    }

    id = &said->texts[NGX_CODAT_TEXT_ID];

    if (id->len > NGX_CODAT_ID_MAX
        || (id->len == 0 && said->kind != NGX_CODAT_RECORD_CLIENT))
    {
        return NGX_DECLINED;
    }

    key->id.len = ngx_codat_sqlite_id(key->bytes, id);

    return NGX_OK;
}


/* a UUID in lower case, any other id as it is */

static size_t
ngx_codat_sqlite_id(u_char *p, const ngx_str_t *id)
{
    u_char  uuid[NGX_CODAT_KEY_LEN];

    if (ngx_codat_uuid_parse(id, uuid) == NGX_OK) {
        return (size_t) (ngx_codat_uuid_format(p, uuid) - p);
    }

    ngx_memcpy(p, id->data, id->len);

    return id->len;
}


/* NGX_OK, NGX_DECLINED if there is none, or NGX_ERROR */

static ngx_int_t
ngx_codat_sqlite_get(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    ngx_codat_sqlite_key_t *key, ngx_codat_work_row_t *row)
{
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    ngx_memzero(key->key, NGX_CODAT_KEY_LEN);
    (void) ngx_codat_uuid_parse(&key->id, key->key);

    stmt = db->get[row->record.kind];

    (void) sqlite3_bind_text(stmt, 1, (char *) key->id.data,
                             (int) key->id.len, SQLITE_STATIC);

    rc = ngx_codat_sqlite_step(db, stmt);

    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_DECLINED : NGX_ERROR;
    }

    rc = ngx_codat_sqlite_read(pool, stmt, key->key, row);

    (void) sqlite3_reset(stmt);
    (void) sqlite3_clear_bindings(stmt);

    if (rc != NGX_OK) {
        ngx_codat_sqlite_error(db, "out of memory");
    }

    return rc;
}


/*
 * A record that was damaged, or edited by hand, is as much of a row as can be
 * read of it.
 */

static ngx_int_t
ngx_codat_sqlite_read(ngx_pool_t *pool, sqlite3_stmt *stmt, const u_char *key,
    ngx_codat_work_row_t *row)
{
    u_char     *scratch;
    ngx_str_t   packed;

    row->version = (uint64_t) sqlite3_column_int64(stmt, 0);

    if (ngx_codat_sqlite_column(pool, stmt, 3, &packed) != NGX_OK) {
        return NGX_ERROR;
    }

    scratch = ngx_pnalloc(pool, NGX_CODAT_RECORD_SCRATCH);
    if (scratch == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_codat_record_unpack(&row->record, packed.data, packed.len, key,
                                   scratch);

    row->record.state = (ngx_uint_t) sqlite3_column_int64(stmt, 1) & 0xff;
    row->record.flags = (ngx_uint_t) sqlite3_column_int64(stmt, 2) & 0xff;

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_put(ngx_codat_sqlite_t *db, ngx_codat_sqlite_key_t *key,
    ngx_codat_work_row_t *row)
{
    size_t         len;
    u_char         packed[NGX_CODAT_RECORD_MAX];
    sqlite3_stmt  *stmt;

    if (ngx_codat_sqlite_next_version(db, &row->version) != NGX_OK) {
        return NGX_ERROR;
    }

    len = ngx_codat_record_pack(&row->record, packed);

    stmt = db->put[row->record.kind];

    (void) sqlite3_bind_text(stmt, 1, (char *) key->id.data,
                             (int) key->id.len, SQLITE_STATIC);
    ngx_codat_sqlite_int(stmt, 2, (int64_t) row->version);
    ngx_codat_sqlite_int(stmt, 3, (int64_t) db->origin);
    ngx_codat_sqlite_int(stmt, 4, (int64_t) row->record.state);
    ngx_codat_sqlite_int(stmt, 5, (int64_t) row->record.flags);
    (void) sqlite3_bind_blob(stmt, 6, packed, (int) len, SQLITE_STATIC);

    ngx_codat_sqlite_int(stmt, 7, row->touched);

    ngx_codat_sqlite_bind_columns(stmt, 8, &row->record);

    return ngx_codat_sqlite_exec(db, stmt);
}


static ngx_int_t
ngx_codat_sqlite_next_version(ngx_codat_sqlite_t *db, uint64_t *version)
{
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    if (!db->versioned) {

        stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_VERSION_GET);
        if (stmt == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_codat_sqlite_step(db, stmt);

        if (rc != NGX_OK) {
            ngx_codat_sqlite_error(db, "the table \"meta\" is incomplete");
            return NGX_ERROR;
        }

        db->version = (uint64_t) sqlite3_column_int64(stmt, 0);
        db->versioned = 1;

        (void) sqlite3_reset(stmt);
    }

    db->grown = 1;

    *version = ++db->version;

    return NGX_OK;
}


ngx_int_t
ngx_codat_sqlite_forget(ngx_codat_sqlite_t *db,
    ngx_codat_work_forget_t *forget)
{
    sqlite3_stmt            *stmt;
    ngx_codat_record_t       said;
    ngx_codat_sqlite_key_t   key;

    ngx_memzero(&said, sizeof(ngx_codat_record_t));

    said.kind = NGX_CODAT_RECORD_PUSH;
    said.texts[NGX_CODAT_TEXT_ID] = forget->key;

    if (ngx_codat_sqlite_key(&said, &key) != NGX_OK) {
        return NGX_DECLINED;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_PUSH_FORGET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, &key.id);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    return sqlite3_changes(db->db) ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_codat_sqlite_load(ngx_codat_sqlite_t *db, ngx_codat_work_load_t *load)
{
    ngx_int_t              rc;
    ngx_str_t              id;
    ngx_uint_t             n;
    sqlite3_stmt          *stmt;
    ngx_codat_work_row_t  *row;
    u_char                 key[NGX_CODAT_KEY_LEN];

    if (ngx_array_init(&load->rows, load->work.pool, load->limit,
                       sizeof(ngx_codat_work_row_t))
        != NGX_OK)
    {
        goto failed;
    }

    stmt = db->load[load->kind];

    ngx_codat_sqlite_int(stmt, 1, (int64_t) load->version);
    ngx_codat_sqlite_int(stmt, 2, (int64_t) load->limit);

    load->last = load->version;

    for (n = 0; /* void */ ; n++) {

        rc = ngx_codat_sqlite_step(db, stmt);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DONE) {
            break;
        }

        load->last = (uint64_t) sqlite3_column_int64(stmt, 0);

        if (load->foreign
            && (uint64_t) sqlite3_column_int64(stmt, 5) == load->origin)
        {
            continue;
        }

        row = ngx_array_push(&load->rows);

        if (row == NULL
            || ngx_codat_sqlite_column(load->work.pool, stmt, 4, &id)
               != NGX_OK)
        {
            goto reset;
        }

        ngx_memzero(row, sizeof(ngx_codat_work_row_t));
        ngx_memzero(key, NGX_CODAT_KEY_LEN);

        row->record.kind = load->kind;
        row->touched = sqlite3_column_int64(stmt, 6);
        (void) ngx_codat_uuid_parse(&id, key);

        if (ngx_codat_sqlite_read(load->work.pool, stmt, key, row) != NGX_OK)
        {
            goto reset;
        }
    }

    load->more = (n == load->limit);

    return NGX_OK;

reset:

    (void) sqlite3_reset(stmt);

failed:

    ngx_codat_sqlite_error(db, "out of memory");

    return NGX_ERROR;
}
