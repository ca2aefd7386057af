
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  The consumers themselves: their making, changing and going, and
 * the integration key.
 *
 * Event types and tags are texts with a line for each.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_sqlite_consumers.h"


static ngx_int_t ngx_codat_sqlite_consumer_put(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_put_t *put);
static void ngx_codat_sqlite_consumer_change(ngx_codat_consumer_t *to,
    ngx_codat_consumer_t *from, ngx_uint_t mask, int64_t now);
static ngx_int_t ngx_codat_sqlite_consumer_write(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_put_t *put, ngx_codat_consumer_t *consumer);
static ngx_int_t ngx_codat_sqlite_consumer_drop(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_drop_t *drop);
static ngx_int_t ngx_codat_sqlite_consumer_list(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_list_t *list);
static ngx_int_t ngx_codat_sqlite_consumer_all(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_list_t *list, uint64_t after);
static ngx_int_t ngx_codat_sqlite_consumer_key(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_key_t *key);
static ngx_int_t ngx_codat_sqlite_lines(ngx_pool_t *pool, ngx_array_t *lines,
    ngx_str_t *text);
static ngx_int_t ngx_codat_sqlite_split(ngx_pool_t *pool, ngx_str_t *text,
    ngx_array_t *lines);


ngx_int_t
ngx_codat_sqlite_consumers(ngx_codat_sqlite_t *db, ngx_codat_work_t *work)
{
    switch (work->op) {

    case NGX_CODAT_WORK_CONSUMER_PUT:
        return ngx_codat_sqlite_consumer_put(db, (void *) work);

    case NGX_CODAT_WORK_CONSUMER_DROP:
        return ngx_codat_sqlite_consumer_drop(db, (void *) work);

    case NGX_CODAT_WORK_CONSUMER_LIST:
        return ngx_codat_sqlite_consumer_list(db, (void *) work);

    case NGX_CODAT_WORK_CONSUMER_KEY:
        return ngx_codat_sqlite_consumer_key(db, (void *) work);

    case NGX_CODAT_WORK_CONSUMER_REPLAY:
        return ngx_codat_sqlite_consumer_replay(db, (void *) work);

    case NGX_CODAT_WORK_SAMPLES:
        return ngx_codat_sqlite_samples(db, (void *) work);

    case NGX_CODAT_WORK_FANOUT:
        return ngx_codat_sqlite_fanout(db, (void *) work);

    case NGX_CODAT_WORK_DISPATCH:
        return ngx_codat_sqlite_dispatch(db, (void *) work);

    case NGX_CODAT_WORK_DISPATCHED:
        return ngx_codat_sqlite_dispatched(db, (void *) work);

    default:
        ngx_codat_sqlite_error(db, "unknown unit of work");
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_codat_sqlite_consumer_put(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_put_t *put)
{
    ngx_int_t              rc;
    ngx_uint_t             disabled;
    ngx_codat_consumer_t   consumer;

    if (put->mask == 0) {
        consumer = put->consumer;
        consumer.created = put->now;
        consumer.disabled_at = 0;
        ngx_str_null(&consumer.reason);
        disabled = 0;

        if (consumer.disabled) {
            consumer.disabled_at = put->now;
            ngx_str_set(&consumer.reason, NGX_CODAT_CONSUMER_BY_REQUEST);
        }

    } else {
        rc = ngx_codat_sqlite_consumer(db, put->work.pool,
                                       &put->consumer.uid,
                                       &put->consumer.client, &consumer);
        if (rc != NGX_OK) {
            return rc;
        }

        disabled = consumer.disabled;

        ngx_codat_sqlite_consumer_change(&consumer, &put->consumer, put->mask,
                                         put->now);

        disabled = !disabled && consumer.disabled;
    }

    if (ngx_codat_sqlite_consumer_write(db, put, &consumer) != NGX_OK
        || ngx_codat_sqlite_consumers_grown(db) != NGX_OK
        || (disabled
            && ngx_codat_sqlite_consumer_cancel(db, consumer.id, put->now)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (put->mask
        && ngx_codat_sqlite_consumer_turn(db, consumer.id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* columns that the caller does not set, and what became of the others */

    rc = ngx_codat_sqlite_consumer(db, put->work.pool, &put->consumer.uid,
                                   &put->consumer.client, &consumer);

    if (rc == NGX_OK) {
        put->consumer = consumer;
    }

    return rc;
}


/* at another place, or asked for again, it is given time anew */

static void
ngx_codat_sqlite_consumer_change(ngx_codat_consumer_t *to,
    ngx_codat_consumer_t *from, ngx_uint_t mask, int64_t now)
{
    if (mask & NGX_CODAT_CONSUMER_URL) {
        to->url = from->url;
        to->failing = 0;
    }

    if (mask & NGX_CODAT_CONSUMER_TYPES) {
        to->event_types = from->event_types;
    }

    if (mask & NGX_CODAT_CONSUMER_TAGS) {
        to->company_tags = from->company_tags;
    }

    if (mask & NGX_CODAT_CONSUMER_FORMAT) {
        to->cloudevents = from->cloudevents;
    }

    if (mask & NGX_CODAT_CONSUMER_RATE) {
        to->rate = from->rate;
    }

    if (mask & NGX_CODAT_CONSUMER_SECRET) {
        to->secret = from->secret;
    }

    if (!(mask & NGX_CODAT_CONSUMER_DISABLED)
        || to->disabled == from->disabled)
    {
        return;
    }

    to->disabled = from->disabled;

    if (to->disabled) {
        to->disabled_at = now;
        ngx_str_set(&to->reason, NGX_CODAT_CONSUMER_BY_REQUEST);

    } else {
        to->disabled_at = 0;
        to->failing = 0;
        ngx_str_null(&to->reason);
    }
}


static ngx_int_t
ngx_codat_sqlite_consumer_write(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_put_t *put, ngx_codat_consumer_t *consumer)
{
    ngx_str_t      types, tags;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, put->mask ? NGX_CODAT_SQL_CONSUMER_SET
                                          : NGX_CODAT_SQL_CONSUMER_ADD);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    if (ngx_codat_sqlite_lines(put->work.pool, &consumer->event_types, &types)
        != NGX_OK
        || ngx_codat_sqlite_lines(put->work.pool, &consumer->company_tags,
                                  &tags)
           != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, &consumer->uid);

    if (put->mask == 0) {
        ngx_codat_sqlite_text(stmt, 2, &consumer->client);
        ngx_codat_sqlite_int(stmt, 12, consumer->created);

    } else {
        ngx_codat_sqlite_time(stmt, 13, consumer->failing);
        ngx_codat_sqlite_int(stmt, 14, consumer->failing == 0
                              && put->mask & (NGX_CODAT_CONSUMER_URL
                                              |NGX_CODAT_CONSUMER_DISABLED));
    }

    ngx_codat_sqlite_text(stmt, 3, &consumer->url);
    ngx_codat_sqlite_blob(stmt, 4, consumer->secret.data,
                          consumer->secret.len);
    ngx_codat_sqlite_text(stmt, 5, &types);
    ngx_codat_sqlite_text(stmt, 6, &tags);
    (void) sqlite3_bind_text(stmt, 7,
                         consumer->cloudevents ? "cloudevents" : "codat", -1,
                         SQLITE_STATIC);
    ngx_codat_sqlite_int(stmt, 8, (int64_t) consumer->rate);
    ngx_codat_sqlite_int(stmt, 9, consumer->disabled);
    ngx_codat_sqlite_text(stmt, 10, &consumer->reason);
    ngx_codat_sqlite_time(stmt, 11, consumer->disabled_at);

    return ngx_codat_sqlite_exec(db, stmt);
}


ngx_int_t
ngx_codat_sqlite_consumers_grown(ngx_codat_sqlite_t *db)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_GROWN);

    return stmt ? ngx_codat_sqlite_exec(db, stmt) : NGX_ERROR;
}


ngx_int_t
ngx_codat_sqlite_consumer_cancel(ngx_codat_sqlite_t *db, uint64_t id,
    int64_t now)
{
    ngx_uint_t     i;
    sqlite3_stmt  *stmt;

    static const ngx_codat_sql_e  statements[] = {
        NGX_CODAT_SQL_CONSUMER_CANCEL,
        NGX_CODAT_SQL_CONSUMER_CANCEL_LEASED
    };

    for (i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {

        stmt = ngx_codat_sqlite(db, statements[i]);
        if (stmt == NULL) {
            return NGX_ERROR;
        }

        ngx_codat_sqlite_int(stmt, 1, (int64_t) id);
        ngx_codat_sqlite_int(stmt, 2, now);

        if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_codat_sqlite_of_consumer(db, NGX_CODAT_SQL_TURN_END, id);
}


/* what was delivered to it stays as long as its event */

ngx_int_t
ngx_codat_sqlite_consumer_remove(ngx_codat_sqlite_t *db, uint64_t id,
    int64_t now)
{
    if (ngx_codat_sqlite_consumer_cancel(db, id, now) != NGX_OK
        || ngx_codat_sqlite_of_consumer(db, NGX_CODAT_SQL_CONSUMER_DROP, id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_codat_sqlite_consumers_grown(db);
}


ngx_int_t
ngx_codat_sqlite_consumer_turn(ngx_codat_sqlite_t *db, uint64_t id)
{
    if (ngx_codat_sqlite_of_consumer(db, NGX_CODAT_SQL_TURN_END, id)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_codat_sqlite_of_consumer(db, NGX_CODAT_SQL_TURN_NEXT, id);
}


ngx_int_t
ngx_codat_sqlite_of_consumer(ngx_codat_sqlite_t *db, ngx_codat_sql_e sql,
    uint64_t id)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, sql);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) id);

    return ngx_codat_sqlite_exec(db, stmt);
}


ngx_int_t
ngx_codat_sqlite_consumer_wake(ngx_codat_sqlite_t *db, uint64_t id,
    int64_t now)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_WAKE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) id);
    ngx_codat_sqlite_int(stmt, 2, now);

    return ngx_codat_sqlite_exec(db, stmt);
}


static ngx_int_t
ngx_codat_sqlite_consumer_drop(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_drop_t *drop)
{
    ngx_int_t             rc;
    ngx_codat_consumer_t  consumer;

    rc = ngx_codat_sqlite_consumer(db, drop->work.pool, &drop->uid,
                                   &drop->client, &consumer);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_codat_sqlite_consumer_remove(db, consumer.id, drop->now);
}


/* --- reading ------------------------------------------------------------ */

ngx_int_t
ngx_codat_sqlite_consumer(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    const ngx_str_t *uid, const ngx_str_t *client,
    ngx_codat_consumer_t *consumer)
{
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    if (uid->len == 0) {
        return NGX_DECLINED;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_GET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, uid);
    ngx_codat_sqlite_text(stmt, 2, client);

    rc = ngx_codat_sqlite_step(db, stmt);

    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_DECLINED : NGX_ERROR;
    }

    rc = ngx_codat_sqlite_consumer_read(db, pool, stmt, consumer);

    (void) sqlite3_reset(stmt);
    (void) sqlite3_clear_bindings(stmt);

    return rc;
}


ngx_int_t
ngx_codat_sqlite_consumer_read(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    sqlite3_stmt *stmt, ngx_codat_consumer_t *consumer)
{
    ngx_str_t  types, tags, format;

    ngx_memzero(consumer, sizeof(ngx_codat_consumer_t));

    if (ngx_codat_sqlite_column(pool, stmt, 1, &consumer->uid) != NGX_OK
        || ngx_codat_sqlite_column(pool, stmt, 2, &consumer->client) != NGX_OK
        || ngx_codat_sqlite_column(pool, stmt, 3, &consumer->url) != NGX_OK
        || ngx_codat_sqlite_column(pool, stmt, 4, &consumer->secret) != NGX_OK
        || ngx_codat_sqlite_column(pool, stmt, 5, &types) != NGX_OK
        || ngx_codat_sqlite_column(pool, stmt, 6, &tags) != NGX_OK
        || ngx_codat_sqlite_column(pool, stmt, 11, &consumer->reason)
           != NGX_OK
        || ngx_codat_sqlite_column(pool, stmt, 16, &consumer->last_error)
           != NGX_OK
        || ngx_codat_sqlite_split(pool, &types, &consumer->event_types)
           != NGX_OK
        || ngx_codat_sqlite_split(pool, &tags, &consumer->company_tags)
           != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    format = ngx_codat_sqlite_peek(stmt, 7);

    consumer->id = (uint64_t) sqlite3_column_int64(stmt, 0);
    consumer->cloudevents = (format.len == sizeof("cloudevents") - 1);
    consumer->rate = (ngx_uint_t) sqlite3_column_int64(stmt, 8);
    consumer->created = sqlite3_column_int64(stmt, 9);
    consumer->disabled = (sqlite3_column_int64(stmt, 10) != 0);
    consumer->disabled_at = sqlite3_column_int64(stmt, 12);
    consumer->failing = sqlite3_column_int64(stmt, 13);
    consumer->succeeded = sqlite3_column_int64(stmt, 14);
    consumer->last_status = (ngx_uint_t) sqlite3_column_int64(stmt, 15);

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_consumer_list(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_list_t *list)
{
    ngx_int_t              rc;
    ngx_codat_consumer_t  *consumer, after;

    list->more = 0;
    after.id = 0;

    if (ngx_array_init(&list->consumers, list->work.pool,
                       ngx_min(ngx_max(list->limit, 1), 64),
                       sizeof(ngx_codat_consumer_t))
        != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    if (list->uid.len) {
        consumer = ngx_array_push(&list->consumers);

        rc = ngx_codat_sqlite_consumer(db, list->work.pool, &list->uid,
                                       &list->client, consumer);
        if (rc != NGX_OK) {
            list->consumers.nelts = 0;
        }

        return rc;
    }

    if (list->after.len) {

        /* one that has gone since is not found again: nothing follows it */

        rc = ngx_codat_sqlite_consumer(db, list->work.pool, &list->after,
                                       &list->client, &after);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_codat_sqlite_consumer_all(db, list, after.id);
}


static ngx_int_t
ngx_codat_sqlite_consumer_all(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_list_t *list, uint64_t after)
{
    ngx_int_t              rc;
    sqlite3_stmt          *stmt;
    ngx_codat_consumer_t  *consumer;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_LIST);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) after);
    ngx_codat_sqlite_text(stmt, 2, &list->client);
    ngx_codat_sqlite_int(stmt, 3, (int64_t) list->limit + 1);

    while ((rc = ngx_codat_sqlite_step(db, stmt)) == NGX_OK) {

        if (list->consumers.nelts == list->limit) {
            list->more = 1;
            continue;
        }

        consumer = ngx_array_push(&list->consumers);

        if (consumer == NULL
            || ngx_codat_sqlite_consumer_read(db, list->work.pool, stmt,
                                              consumer)
               != NGX_OK)
        {
            (void) sqlite3_reset(stmt);
            ngx_codat_sqlite_error(db, "out of memory");
            return NGX_ERROR;
        }
    }

    return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_codat_sqlite_consumer_stats(ngx_codat_sqlite_t *db,
    ngx_codat_work_stats_t *stats)
{
    int64_t        waiting, leased;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_COUNT);

    if (stmt == NULL || ngx_codat_sqlite_step(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    stats->consumers = (uint64_t) sqlite3_column_int64(stmt, 0);
    stats->disabled = (uint64_t) sqlite3_column_int64(stmt, 1);
    stats->failing = (uint64_t) sqlite3_column_int64(stmt, 2);

    (void) sqlite3_reset(stmt);

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_PENDING);

    if (stmt == NULL || ngx_codat_sqlite_any(db, stmt, &waiting) != NGX_OK) {
        return NGX_ERROR;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_LEASED);

    if (stmt == NULL || ngx_codat_sqlite_any(db, stmt, &leased) != NGX_OK) {
        return NGX_ERROR;
    }

    stats->outgoing = (uint64_t) (waiting + leased);

    return NGX_OK;
}


/* --- the key ------------------------------------------------------------ */

static ngx_int_t
ngx_codat_sqlite_consumer_key(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_key_t *key)
{
    ngx_int_t      rc;
    ngx_str_t      hash;
    sqlite3_stmt  *stmt;

    key->known = 0;

    stmt = ngx_codat_sqlite(db, key->set ? NGX_CODAT_SQL_KEY_SET
                                         : NGX_CODAT_SQL_KEY_GET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, &key->name);

    if (key->set) {
        ngx_codat_sqlite_blob(stmt, 2, key->hash, NGX_CODAT_WORK_DIGEST_LEN);
        ngx_codat_sqlite_int(stmt, 3, key->now);

        rc = ngx_codat_sqlite_exec(db, stmt);

        key->known = (rc == NGX_OK);

        return rc;
    }

    rc = ngx_codat_sqlite_step(db, stmt);

    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
    }

    hash = ngx_codat_sqlite_peek(stmt, 0);

    if (hash.len == NGX_CODAT_WORK_DIGEST_LEN) {
        ngx_memcpy(key->hash, hash.data, NGX_CODAT_WORK_DIGEST_LEN);
        key->known = 1;
    }

    (void) sqlite3_reset(stmt);
    (void) sqlite3_clear_bindings(stmt);

    return NGX_OK;
}


/* --- lines -------------------------------------------------------------- */

static ngx_int_t
ngx_codat_sqlite_lines(ngx_pool_t *pool, ngx_array_t *lines, ngx_str_t *text)
{
    u_char      *p, *start;
    size_t       len;
    ngx_str_t   *line;
    ngx_uint_t   i;

    ngx_str_null(text);

    line = lines->elts;
    len = 0;

    for (i = 0; i < lines->nelts; i++) {
        len += line[i].len + 1;
    }

    if (len == 0) {
        return NGX_OK;
    }

    start = ngx_pnalloc(pool, len);
    if (start == NULL) {
        return NGX_ERROR;
    }

    p = start;

    for (i = 0; i < lines->nelts; i++) {
        p = ngx_cpymem(p, line[i].data, line[i].len);
        *p++ = '\n';
    }

    text->data = start;
    text->len = len - 1;

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_split(ngx_pool_t *pool, ngx_str_t *text, ngx_array_t *lines)
{
    u_char     *p, *last, *end;
    ngx_str_t  *line;

    if (ngx_array_init(lines, pool, 4, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    if (text->len == 0) {
        return NGX_OK;
    }

    last = text->data + text->len;

    for (p = text->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '\n');

        if (end == NULL) {
            end = last;
        }

        if (end == p) {
            continue;
        }

        line = ngx_array_push(lines);
        if (line == NULL) {
            return NGX_ERROR;
        }

        line->data = p;
        line->len = (size_t) (end - p);
    }

    return NGX_OK;
}
