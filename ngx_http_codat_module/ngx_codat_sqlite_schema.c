
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  The tables of the database, see docs/store.md, and the statements
 * that are made of the columns of a kind of row.  Versions only go forward.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_names.h"
#include "ngx_codat_sqlite.h"


typedef enum {
    NGX_CODAT_SQLITE_TEXT = 0,
    NGX_CODAT_SQLITE_TIME,
    NGX_CODAT_SQLITE_STATUS
} ngx_codat_sqlite_column_e;


/* a column for people; the module itself reads "record" */

typedef struct {
    const char                 *name;
    ngx_codat_sqlite_column_e   type;
    ngx_uint_t                  index;
} ngx_codat_sqlite_column_t;


typedef struct {
    const char                       *table;
    const ngx_codat_sqlite_column_t  *columns;
} ngx_codat_sqlite_table_t;


static ngx_int_t ngx_codat_sqlite_pragma(ngx_codat_sqlite_t *db,
    const char *sql, int64_t *value);
static ngx_int_t ngx_codat_sqlite_create(ngx_codat_sqlite_t *db);
static ngx_int_t ngx_codat_sqlite_script(ngx_codat_sqlite_t *db,
    const char *sql);


#define NGX_CODAT_SQLITE_SCHEMA  2


static const char  *ngx_codat_sqlite_versions[NGX_CODAT_SQLITE_SCHEMA] = {

    /* 1 */

    "CREATE TABLE meta ("
        "key TEXT PRIMARY KEY, value"
    ") WITHOUT ROWID;"
    "INSERT INTO meta VALUES ('schema_version', 1);"
    "INSERT INTO meta VALUES ('row_version', 0);"

    "CREATE TABLE event ("
        "id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "dedupe BLOB UNIQUE,"
        "event_id TEXT, webhook_id TEXT,"
        "type TEXT NOT NULL,"
        "company TEXT, connection TEXT, push_key TEXT,"
        "client TEXT, endpoint TEXT NOT NULL,"
        "received INTEGER NOT NULL, generated INTEGER,"
        "state TEXT NOT NULL"
            " CHECK (state IN ('running', 'failed', 'accepted')),"
        "attempts INTEGER NOT NULL,"
        "succeeded INTEGER NOT NULL, routes INTEGER NOT NULL,"
        "origin INTEGER, lease INTEGER,"
        "stale INTEGER NOT NULL, reference BLOB,"
        "headers TEXT, host TEXT, uri TEXT,"
        "body_digest BLOB NOT NULL, body BLOB NOT NULL"
    ");"
    "CREATE INDEX event_received ON event (received);"
    "CREATE INDEX event_event_id ON event (event_id);"
    "CREATE INDEX event_webhook_id ON event (webhook_id);"
    "CREATE INDEX event_company ON event (company);"
    "CREATE INDEX event_type ON event (type);"

    "CREATE TABLE delivery ("
        "id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "event INTEGER NOT NULL REFERENCES event (id) ON DELETE CASCADE,"
        "route TEXT NOT NULL,"
        "nonce TEXT, order_key TEXT,"
        "state TEXT NOT NULL CHECK (state IN"
            " ('pending', 'blocked', 'delivered', 'dead', 'canceled')),"
        "attempts INTEGER NOT NULL,"
        "next_at INTEGER, finished INTEGER,"
        "last_status INTEGER, last_error TEXT,"
        "owner INTEGER NOT NULL, lease INTEGER NOT NULL"
    ");"
    "CREATE INDEX delivery_event ON delivery (event);"
    "CREATE INDEX delivery_due ON delivery (route, next_at)"
        " WHERE state = 'pending' AND owner = 0;"
    "CREATE INDEX delivery_leased ON delivery (route, lease)"
        " WHERE state = 'pending' AND owner <> 0;"
    "CREATE INDEX delivery_order ON delivery (route, order_key, id)"
        " WHERE state IN ('pending', 'blocked')"
        " AND order_key IS NOT NULL;"
    "CREATE INDEX delivery_state ON delivery (state, event);"

    "CREATE TABLE push ("
        "id TEXT PRIMARY KEY, status TEXT, company TEXT, connection TEXT,"
        "data_type TEXT, type TEXT, record_id TEXT, attachment_id TEXT,"
        "error_message TEXT, reference BLOB,"
        "requested INTEGER, completed INTEGER, updated INTEGER,"
        "touched INTEGER NOT NULL,"
        "version INTEGER NOT NULL, origin INTEGER NOT NULL,"
        "state INTEGER NOT NULL, flags INTEGER NOT NULL,"
        "record BLOB NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE INDEX push_version ON push (version);"

    "CREATE TABLE connection ("
        "id TEXT PRIMARY KEY, status TEXT, company TEXT,"
        "integration_key TEXT, platform_name TEXT, source_type TEXT,"
        "updated INTEGER,"
        "touched INTEGER NOT NULL,"
        "version INTEGER NOT NULL, origin INTEGER NOT NULL,"
        "state INTEGER NOT NULL, flags INTEGER NOT NULL,"
        "record BLOB NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE INDEX connection_version ON connection (version);"

    "CREATE TABLE dataset ("
        "id TEXT PRIMARY KEY, connection TEXT, company TEXT,"
        "data_type TEXT, status TEXT, completed INTEGER, updated INTEGER,"
        "touched INTEGER NOT NULL,"
        "version INTEGER NOT NULL, origin INTEGER NOT NULL,"
        "state INTEGER NOT NULL, flags INTEGER NOT NULL,"
        "record BLOB NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE INDEX dataset_version ON dataset (version);"

    "CREATE TABLE company ("
        "id TEXT PRIMARY KEY, name TEXT,"
        "created INTEGER, deleted INTEGER, initial_read INTEGER,"
        "updated INTEGER,"
        "touched INTEGER NOT NULL,"
        "version INTEGER NOT NULL, origin INTEGER NOT NULL,"
        "state INTEGER NOT NULL, flags INTEGER NOT NULL,"
        "record BLOB NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE INDEX company_version ON company (version);"

    "CREATE TABLE client ("
        "id TEXT PRIMARY KEY, limited_until INTEGER, updated INTEGER,"
        "touched INTEGER NOT NULL,"
        "version INTEGER NOT NULL, origin INTEGER NOT NULL,"
        "state INTEGER NOT NULL, flags INTEGER NOT NULL,"
        "record BLOB NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE INDEX client_version ON client (version);",

    /* 2 */

    "ALTER TABLE event ADD COLUMN fanout INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE event ADD COLUMN tags TEXT;"
    "CREATE INDEX event_fanout ON event (id) WHERE fanout = 1;"

    "CREATE TABLE company_tags ("
        "company TEXT PRIMARY KEY, tags TEXT NOT NULL,"
        "updated INTEGER NOT NULL"
    ") WITHOUT ROWID;"

    "CREATE TABLE consumer ("
        "id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "uid TEXT NOT NULL UNIQUE,"
        "client TEXT, url TEXT NOT NULL,"
        "event_types TEXT NOT NULL, company_tags TEXT,"
        "format TEXT NOT NULL CHECK (format IN ('codat', 'cloudevents')),"
        "rate INTEGER NOT NULL, secret BLOB NOT NULL,"
        "created INTEGER NOT NULL,"
        "disabled INTEGER NOT NULL, disabled_reason TEXT,"
        "disabled_at INTEGER,"
        "failing INTEGER, succeeded INTEGER,"
        "last_status INTEGER, last_error TEXT,"
        "slow INTEGER NOT NULL, rate_at INTEGER NOT NULL"
    ");"

    /* few rows at a time, so that an event for many changes few pages */

    "CREATE TABLE consumer_turn ("
        "consumer INTEGER PRIMARY KEY,"
        "slow INTEGER NOT NULL, next_at INTEGER NOT NULL"
    ");"
    "CREATE INDEX consumer_turn_due ON consumer_turn (slow, next_at);"

    "CREATE TABLE consumer_delivery ("
        "id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "consumer INTEGER NOT NULL,"
        "event INTEGER NOT NULL REFERENCES event (id) ON DELETE CASCADE,"
        "nonce TEXT NOT NULL,"
        "state TEXT NOT NULL CHECK (state IN"
            " ('pending', 'delivered', 'dead', 'canceled')),"
        "attempts INTEGER NOT NULL,"
        "next_at INTEGER, finished INTEGER,"
        "last_status INTEGER, last_error TEXT,"
        "owner INTEGER NOT NULL, lease INTEGER NOT NULL"
    ");"
    "CREATE UNIQUE INDEX consumer_delivery_once"
        " ON consumer_delivery (event, consumer, nonce);"
    "CREATE INDEX consumer_delivery_due"
        " ON consumer_delivery (consumer, next_at)"
        " WHERE state = 'pending' AND owner = 0;"
    "CREATE INDEX consumer_delivery_leased"
        " ON consumer_delivery (consumer, lease)"
        " WHERE state = 'pending' AND owner <> 0;"

    "CREATE TABLE integration_key ("
        "name TEXT PRIMARY KEY, hash BLOB NOT NULL,"
        "created INTEGER NOT NULL"
    ") WITHOUT ROWID;"

    "INSERT INTO meta VALUES ('consumer_version', 1);"
};


#define T(name, index)                                                        \
    { name, NGX_CODAT_SQLITE_TEXT, NGX_CODAT_TEXT_##index }
#define D(name, index)                                                        \
    { name, NGX_CODAT_SQLITE_TIME, NGX_CODAT_TIME_##index }
#define STATUS  { "status", NGX_CODAT_SQLITE_STATUS, 0 }
#define END     { NULL, NGX_CODAT_SQLITE_TEXT, 0 }

static const ngx_codat_sqlite_column_t  ngx_codat_sqlite_push[] = {
    STATUS, T("company", COMPANY), T("connection", CONNECTION),
    T("data_type", DATA_TYPE), T("type", TYPE), T("record_id", RECORD),
    T("attachment_id", ATTACHMENT), T("error_message", ERROR),
    T("reference", REFERENCE), D("requested", REQUESTED),
    D("completed", COMPLETED), D("updated", UPDATED), END
};

static const ngx_codat_sqlite_column_t  ngx_codat_sqlite_connection[] = {
    STATUS, T("company", COMPANY), T("integration_key", INTEGRATION),
    T("platform_name", PLATFORM), T("source_type", SOURCE_TYPE),
    D("updated", UPDATED), END
};

static const ngx_codat_sqlite_column_t  ngx_codat_sqlite_dataset[] = {
    T("connection", CONNECTION), T("company", COMPANY),
    T("data_type", DATA_TYPE), T("status", STATUS),
    D("completed", COMPLETED), D("updated", UPDATED), END
};

static const ngx_codat_sqlite_column_t  ngx_codat_sqlite_company[] = {
    T("name", NAME), D("created", CREATED), D("deleted", DELETED),
    D("initial_read", INITIAL_READ), D("updated", UPDATED), END
};

static const ngx_codat_sqlite_column_t  ngx_codat_sqlite_client[] = {
    D("limited_until", LIMITED), D("updated", UPDATED), END
};

#undef T
#undef D
#undef STATUS
#undef END


static const ngx_codat_sqlite_table_t
    ngx_codat_sqlite_tables[NGX_CODAT_RECORD_KINDS] =
{
    { "push", ngx_codat_sqlite_push },
    { "connection", ngx_codat_sqlite_connection },
    { "dataset", ngx_codat_sqlite_dataset },
    { "company", ngx_codat_sqlite_company },
    { "client", ngx_codat_sqlite_client }
};


ngx_int_t
ngx_codat_sqlite_schema(ngx_codat_sqlite_t *db)
{
    int64_t     version, application, tables;
    ngx_uint_t  i;

    if (ngx_codat_sqlite_pragma(db, "PRAGMA user_version", &version)
        != NGX_OK
        || ngx_codat_sqlite_pragma(db, "PRAGMA application_id", &application)
           != NGX_OK
        || ngx_codat_sqlite_pragma(db, "SELECT count(*) FROM sqlite_schema",
                                   &tables)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (application != NGX_CODAT_SQLITE_APPLICATION
        && (application || version || tables))
    {
        ngx_codat_sqlite_error(db, "it is a database of another program");
        return NGX_ERROR;
    }

    if (version == NGX_CODAT_SQLITE_SCHEMA) {
        return NGX_OK;
    }

    if (version > NGX_CODAT_SQLITE_SCHEMA) {
        ngx_codat_sqlite_error(db, "it was written by a newer version of the "
                               "module, which is needed to go on with it");
        return NGX_ERROR;
    }

    /* another worker may have been quicker */

    if (ngx_codat_sqlite_script(db, "BEGIN IMMEDIATE") != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_codat_sqlite_pragma(db, "PRAGMA user_version", &version)
        != NGX_OK)
    {
        goto failed;
    }

    for (i = (ngx_uint_t) version; i < NGX_CODAT_SQLITE_SCHEMA; i++) {

        if (ngx_codat_sqlite_script(db, ngx_codat_sqlite_versions[i])
            != NGX_OK)
        {
            goto failed;
        }
    }

    if (ngx_codat_sqlite_create(db) != NGX_OK
        || ngx_codat_sqlite_script(db, "COMMIT") != NGX_OK)
    {
        goto failed;
    }

    return NGX_OK;

failed:

    (void) sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);

    return NGX_ERROR;
}


/* the marks of the file, which no statement with parameters can set */

static ngx_int_t
ngx_codat_sqlite_create(ngx_codat_sqlite_t *db)
{
    u_char  sql[NGX_CODAT_STORE_ERROR];

    *ngx_snprintf(sql, sizeof(sql) - 1,
                  "PRAGMA application_id = %d; PRAGMA user_version = %d;"
                  "UPDATE meta SET value = %d WHERE key = 'schema_version'",
                  NGX_CODAT_SQLITE_APPLICATION, NGX_CODAT_SQLITE_SCHEMA,
                  NGX_CODAT_SQLITE_SCHEMA) = '\0';

    if (ngx_codat_sqlite_script(db, (char *) sql) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * If its files are removed, or moved, the zone has rows of the one
     * before: what is written from now on has to be newer.
     */

    if (!db->store->temporary) {
        return NGX_OK;
    }

    return ngx_codat_sqlite_script(db, "UPDATE meta SET value ="
                                   " strftime('%s', 'now') * 1000000"
                                   " WHERE key = 'row_version'");
}


static ngx_int_t
ngx_codat_sqlite_script(ngx_codat_sqlite_t *db, const char *sql)
{
    if (sqlite3_exec(db->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        ngx_codat_sqlite_error(db, NULL);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_pragma(ngx_codat_sqlite_t *db, const char *sql,
    int64_t *value)
{
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite_prepare(db, sql);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_codat_sqlite_step(db, stmt);

    *value = (rc == NGX_OK) ? sqlite3_column_int64(stmt, 0) : 0;

    (void) sqlite3_finalize(stmt);

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


void
ngx_codat_sqlite_sql_get(ngx_codat_record_kind_e kind, u_char *buf)
{
    (void) ngx_sprintf(buf, "SELECT version, state, flags, record FROM %s "
                       "WHERE id = ?1%Z",
                       ngx_codat_sqlite_tables[kind].table);
}


void
ngx_codat_sqlite_sql_load(ngx_codat_record_kind_e kind, u_char *buf)
{
    (void) ngx_sprintf(buf, "SELECT version, state, flags, record, id, "
                       "origin, touched FROM %s WHERE version > ?1 "
                       "ORDER BY version LIMIT ?2%Z",
                       ngx_codat_sqlite_tables[kind].table);
}


/* parameters 1 to 7 are those that the module reads, then the columns */

void
ngx_codat_sqlite_sql_put(ngx_codat_record_kind_e kind, u_char *buf)
{
    u_char                           *p;
    ngx_uint_t                        n;
    const ngx_codat_sqlite_column_t  *column;

    p = ngx_sprintf(buf, "INSERT OR REPLACE INTO %s (id, version, origin, "
                    "state, flags, record, touched",
                    ngx_codat_sqlite_tables[kind].table);

    for (column = ngx_codat_sqlite_tables[kind].columns; column->name;
         column++)
    {
        p = ngx_sprintf(p, ", %s", column->name);
    }

    p = ngx_sprintf(p, ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7");

    n = 7;

    for (column = ngx_codat_sqlite_tables[kind].columns; column->name;
         column++)
    {
        p = ngx_sprintf(p, ", ?%ui", ++n);
    }

    (void) ngx_sprintf(p, ")%Z");
}


void
ngx_codat_sqlite_bind_columns(sqlite3_stmt *stmt, int i,
    const ngx_codat_record_t *record)
{
    const ngx_str_t                  *text;
    const ngx_codat_sqlite_column_t  *column;

    for (column = ngx_codat_sqlite_tables[record->kind].columns; column->name;
         column++, i++)
    {
        switch (column->type) {

        case NGX_CODAT_SQLITE_TIME:
            ngx_codat_sqlite_time(stmt, i, record->times[column->index]);
            break;

        case NGX_CODAT_SQLITE_STATUS:
            text = (record->kind == NGX_CODAT_RECORD_PUSH)
                       ? &ngx_codat_push_status_names[record->state]
                       : &ngx_codat_conn_status_names[record->state];
            ngx_codat_sqlite_text(stmt, i, text);
            break;

        default:

            /* a reference may be any bytes */

            text = &record->texts[column->index];

            if (column->index == NGX_CODAT_TEXT_REFERENCE) {
                ngx_codat_sqlite_blob(stmt, i, text->data, text->len);

            } else {
                ngx_codat_sqlite_text(stmt, i, text);
            }
        }
    }
}
