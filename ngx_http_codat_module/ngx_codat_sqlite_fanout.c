
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Which events go to which consumers.  That is found out after an
 * event was accepted, in a transaction of its own: however many want it, its
 * receipt takes no longer.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_audience.h"
#include "ngx_codat_fault.h"
#include "ngx_codat_sqlite_consumers.h"


/* consumers that are read at a time, for their texts are copied twice */
#define NGX_CODAT_SQLITE_WISHES  256

/* one unit ends behind the event with which there are so many deliveries */
#define NGX_CODAT_SQLITE_FANOUT  200


/* an event that is to be distributed */

typedef struct {
    uint64_t                    id;
    ngx_str_t                   company;
    int64_t                     time;
    ngx_codat_audience_event_t  event;
    unsigned                    tagged:1;   /* it says the tags itself */
} ngx_codat_sqlite_news_t;


static ngx_int_t ngx_codat_sqlite_audience(ngx_codat_sqlite_t *db);
static ngx_int_t ngx_codat_sqlite_wishes(ngx_codat_sqlite_t *db,
    uint64_t *last, ngx_uint_t *n);
static ngx_int_t ngx_codat_sqlite_wish(ngx_codat_audience_t *audience,
    ngx_codat_consumer_t *consumer);
static ngx_int_t ngx_codat_sqlite_news(ngx_codat_sqlite_t *db,
    ngx_pool_t *pool, sqlite3_stmt *stmt, ngx_array_t *news);
static ngx_int_t ngx_codat_sqlite_tags(ngx_codat_sqlite_t *db,
    ngx_pool_t *pool, ngx_codat_sqlite_news_t *news);
static ngx_int_t ngx_codat_sqlite_spread(ngx_codat_sqlite_t *db,
    ngx_codat_work_fanout_t *fanout, ngx_codat_sqlite_news_t *news);
static ngx_int_t ngx_codat_sqlite_outgoing(ngx_codat_sqlite_t *db,
    uint64_t consumer, uint64_t event, ngx_str_t *nonce, int64_t now);
static ngx_int_t ngx_codat_sqlite_missed(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_replay_t *replay,
    ngx_codat_consumer_t *consumer);
static ngx_int_t ngx_codat_sqlite_replayed(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_replay_t *replay, uint64_t consumer,
    uint64_t event);
static ngx_int_t ngx_codat_sqlite_sample_types(ngx_codat_sqlite_t *db,
    ngx_codat_work_samples_t *samples, ngx_array_t *types);
static ngx_int_t ngx_codat_sqlite_samples_of(ngx_codat_sqlite_t *db,
    ngx_codat_work_samples_t *samples, ngx_str_t *type, ngx_uint_t limit);


/* --- consumers as they are now ------------------------------------------ */

static ngx_int_t
ngx_codat_sqlite_audience(ngx_codat_sqlite_t *db)
{
    int64_t        version;
    uint64_t       last;
    ngx_int_t      rc;
    ngx_uint_t     n;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_VERSION);

    if (stmt == NULL || ngx_codat_sqlite_any(db, stmt, &version) != NGX_OK) {
        ngx_codat_sqlite_error(db, "the table \"meta\" is incomplete");
        return NGX_ERROR;
    }

    if (db->audience && db->consumers == version) {
        return NGX_OK;
    }

    if (db->pool) {
        ngx_destroy_pool(db->pool);
        db->audience = NULL;
    }

    db->pool = ngx_create_pool(16384, db->log);
    db->audience = db->pool ? ngx_codat_audience_create(db->pool) : NULL;

    if (db->audience == NULL) {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    last = 0;

    do {
        rc = ngx_codat_sqlite_wishes(db, &last, &n);
    } while (rc == NGX_OK && n == NGX_CODAT_SQLITE_WISHES);

    if (rc != NGX_OK) {

        /* half of them would look like all of them */

        db->audience = NULL;
        return NGX_ERROR;
    }

    db->consumers = version;

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_wishes(ngx_codat_sqlite_t *db, uint64_t *last, ngx_uint_t *n)
{
    ngx_int_t              rc;
    ngx_pool_t            *pool;
    sqlite3_stmt          *stmt;
    ngx_codat_consumer_t   consumer;

    *n = 0;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_WISHES);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    pool = ngx_create_pool(16384, db->log);
    if (pool == NULL) {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) *last);
    ngx_codat_sqlite_int(stmt, 2, NGX_CODAT_SQLITE_WISHES);

    while ((rc = ngx_codat_sqlite_step(db, stmt)) == NGX_OK) {

        if (ngx_codat_sqlite_consumer_read(db, pool, stmt, &consumer)
            != NGX_OK
            || ngx_codat_sqlite_wish(db->audience, &consumer) != NGX_OK)
        {
            (void) sqlite3_reset(stmt);
            ngx_codat_sqlite_error(db, "out of memory");
            break;
        }

        *last = consumer.id;
        (*n)++;
    }

    ngx_destroy_pool(pool);

    return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_codat_sqlite_wish(ngx_codat_audience_t *audience,
    ngx_codat_consumer_t *consumer)
{
    ngx_codat_audience_member_t  member;

    member.id = consumer->id;
    member.client = consumer->client;
    member.types = &consumer->event_types;
    member.tags = &consumer->company_tags;

    return ngx_codat_audience_add(audience, &member);
}


/* --- events ------------------------------------------------------------- */

ngx_int_t
ngx_codat_sqlite_fanout(ngx_codat_sqlite_t *db,
    ngx_codat_work_fanout_t *fanout)
{
    ngx_uint_t                i;
    ngx_array_t               news;
    sqlite3_stmt             *stmt;
    ngx_codat_sqlite_news_t  *new;

    fanout->events = 0;
    fanout->deliveries = 0;
    fanout->more = 0;

    if (ngx_array_init(&news, fanout->work.pool, ngx_max(fanout->limit, 1),
                       sizeof(ngx_codat_sqlite_news_t))
        != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_FANOUT_SCAN);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) fanout->limit);

    if (ngx_codat_sqlite_news(db, fanout->work.pool, stmt, &news) != NGX_OK) {
        return NGX_ERROR;
    }

    if (news.nelts == 0) {
        return NGX_OK;
    }

    if (ngx_codat_sqlite_audience(db) != NGX_OK) {
        return NGX_ERROR;
    }

    new = news.elts;

    for (i = 0; i < news.nelts; i++) {

        if (fanout->deliveries >= NGX_CODAT_SQLITE_FANOUT) {
            break;
        }

        if (ngx_codat_sqlite_tags(db, fanout->work.pool, &new[i]) != NGX_OK
            || ngx_codat_sqlite_spread(db, fanout, &new[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_codat_fault("fanout.one");
    }

    fanout->events = i;
    fanout->more = (i < news.nelts || i == fanout->limit);

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_news(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    sqlite3_stmt *stmt, ngx_array_t *news)
{
    ngx_int_t                 rc;
    ngx_codat_sqlite_news_t  *new;

    while ((rc = ngx_codat_sqlite_step(db, stmt)) == NGX_OK) {

        new = ngx_array_push(news);

        if (new == NULL
            || ngx_codat_sqlite_column(pool, stmt, 1, &new->event.type)
               != NGX_OK
            || ngx_codat_sqlite_column(pool, stmt, 2, &new->company) != NGX_OK
            || ngx_codat_sqlite_column(pool, stmt, 3, &new->event.client)
               != NGX_OK
            || ngx_codat_sqlite_column(pool, stmt, 4, &new->event.tags)
               != NGX_OK)
        {
            (void) sqlite3_reset(stmt);
            ngx_codat_sqlite_error(db, "out of memory");
            return NGX_ERROR;
        }

        new->id = (uint64_t) sqlite3_column_int64(stmt, 0);
        new->tagged = (sqlite3_column_type(stmt, 4) != SQLITE_NULL);
        new->time = sqlite3_column_int64(stmt, 5);
    }

    return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
}


/* what is known last of a company goes for events that don't say it */

static ngx_int_t
ngx_codat_sqlite_tags(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    ngx_codat_sqlite_news_t *news)
{
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    if (news->company.len == 0) {
        return NGX_OK;
    }

    stmt = ngx_codat_sqlite(db, news->tagged ? NGX_CODAT_SQL_TAGS_SET
                                             : NGX_CODAT_SQL_TAGS_GET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, &news->company);

    if (news->tagged) {
        (void) sqlite3_bind_text(stmt, 2,
                                 news->event.tags.len
                                     ? (char *) news->event.tags.data : "",
                                 (int) news->event.tags.len, SQLITE_STATIC);
        ngx_codat_sqlite_int(stmt, 3, news->time);

        return ngx_codat_sqlite_exec(db, stmt);
    }

    rc = ngx_codat_sqlite_step(db, stmt);

    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
    }

    rc = ngx_codat_sqlite_column(pool, stmt, 0, &news->event.tags);

    (void) sqlite3_reset(stmt);
    (void) sqlite3_clear_bindings(stmt);

    if (rc != NGX_OK) {
        ngx_codat_sqlite_error(db, "out of memory");
    }

    return rc;
}


static ngx_int_t
ngx_codat_sqlite_spread(ngx_codat_sqlite_t *db,
    ngx_codat_work_fanout_t *fanout, ngx_codat_sqlite_news_t *news)
{
    uint64_t     *id;
    ngx_str_t     nonce;
    ngx_uint_t    i;
    ngx_array_t   ids;

    if (ngx_array_init(&ids, fanout->work.pool, 16, sizeof(uint64_t))
        != NGX_OK
        || ngx_codat_audience_match(db->audience, &news->event, &ids)
           != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    ngx_str_null(&nonce);

    id = ids.elts;

    for (i = 0; i < ids.nelts; i++) {

        if (ngx_codat_sqlite_outgoing(db, id[i], news->id, &nonce,
                                      fanout->now)
            != NGX_OK
            || ngx_codat_sqlite_consumer_wake(db, id[i], fanout->now)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    fanout->deliveries += ids.nelts;

    return ngx_codat_sqlite_of_consumer(db, NGX_CODAT_SQL_FANOUT_DONE,
                                        news->id);
}


static ngx_int_t
ngx_codat_sqlite_outgoing(ngx_codat_sqlite_t *db, uint64_t consumer,
    uint64_t event, ngx_str_t *nonce, int64_t now)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_DELIVERY_ADD);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) consumer);
    ngx_codat_sqlite_int(stmt, 2, (int64_t) event);
    (void) sqlite3_bind_text(stmt, 3, nonce->len ? (char *) nonce->data : "",
                             (int) nonce->len, SQLITE_STATIC);
    ngx_codat_sqlite_int(stmt, 4, now);

    return ngx_codat_sqlite_exec(db, stmt);
}


/* --- what was missed ---------------------------------------------------- */

ngx_int_t
ngx_codat_sqlite_consumer_replay(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_replay_t *replay)
{
    int64_t                first;
    ngx_int_t              rc;
    sqlite3_stmt          *stmt;
    ngx_codat_consumer_t   consumer;

    replay->last = replay->after;
    replay->count = 0;
    replay->more = 0;

    rc = ngx_codat_sqlite_consumer(db, replay->work.pool, &replay->uid,
                                   &replay->client, &consumer);
    if (rc != NGX_OK) {
        return rc;
    }

    if (consumer.disabled) {
        return NGX_DECLINED;
    }

    if (replay->last == 0) {

        stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_REPLAY_FIRST);
        if (stmt == NULL) {
            return NGX_ERROR;
        }

        ngx_codat_sqlite_int(stmt, 1, replay->since);

        if (ngx_codat_sqlite_any(db, stmt, &first) != NGX_OK) {
            return NGX_ERROR;
        }

        if (first == 0) {
            return NGX_OK;
        }

        replay->last = (uint64_t) first - 1;
    }

    if (ngx_codat_sqlite_missed(db, replay, &consumer) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_codat_sqlite_consumer_wake(db, consumer.id, replay->now);
}


static ngx_int_t
ngx_codat_sqlite_missed(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_replay_t *replay, ngx_codat_consumer_t *consumer)
{
    ngx_uint_t                i;
    ngx_array_t               news, ids;
    sqlite3_stmt             *stmt;
    ngx_codat_audience_t     *audience;
    ngx_codat_sqlite_news_t  *new;

    audience = ngx_codat_audience_create(replay->work.pool);

    if (audience == NULL
        || ngx_codat_sqlite_wish(audience, consumer) != NGX_OK
        || ngx_array_init(&news, replay->work.pool, ngx_max(replay->limit, 1),
                          sizeof(ngx_codat_sqlite_news_t))
           != NGX_OK
        || ngx_array_init(&ids, replay->work.pool, 1, sizeof(uint64_t))
           != NGX_OK)
    {
        goto failed;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_REPLAY_SCAN);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) replay->last);
    ngx_codat_sqlite_int(stmt, 2, replay->since);
    ngx_codat_sqlite_int(stmt, 3, (int64_t) replay->limit);

    if (ngx_codat_sqlite_news(db, replay->work.pool, stmt, &news) != NGX_OK) {
        return NGX_ERROR;
    }

    new = news.elts;

    for (i = 0; i < news.nelts; i++) {

        if (!new[i].tagged
            && ngx_codat_sqlite_tags(db, replay->work.pool, &new[i])
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        ids.nelts = 0;

        if (ngx_codat_audience_match(audience, &new[i].event, &ids) != NGX_OK)
        {
            goto failed;
        }

        if (ids.nelts
            && ngx_codat_sqlite_replayed(db, replay, consumer->id, new[i].id)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        replay->last = new[i].id;
    }

    replay->more = (i == replay->limit);

    return NGX_OK;

failed:

    ngx_codat_sqlite_error(db, "out of memory");

    return NGX_ERROR;
}


/* what it refused, it gets under another webhook-id */

static ngx_int_t
ngx_codat_sqlite_replayed(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_replay_t *replay, uint64_t consumer,
    uint64_t event)
{
    int64_t        n, live;
    u_char        *p, random[16], text[sizeof("msg_") - 1 + 32];
    ngx_str_t      nonce;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_DELIVERY_OF);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) consumer);
    ngx_codat_sqlite_int(stmt, 2, (int64_t) event);

    if (ngx_codat_sqlite_step(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    n = sqlite3_column_int64(stmt, 0);
    live = sqlite3_column_int64(stmt, 1);

    (void) sqlite3_reset(stmt);

    if (live) {
        return NGX_OK;
    }

    ngx_str_null(&nonce);

    if (n) {
        sqlite3_randomness(sizeof(random), random);

        p = ngx_cpymem(text, "msg_", sizeof("msg_") - 1);
        p = ngx_hex_dump(p, random, sizeof(random));

        nonce.data = text;
        nonce.len = (size_t) (p - text);
    }

    replay->count++;

    return ngx_codat_sqlite_outgoing(db, consumer, event, &nonce,
                                     replay->now);
}


/* --- samples ------------------------------------------------------------ */

ngx_int_t
ngx_codat_sqlite_samples(ngx_codat_sqlite_t *db,
    ngx_codat_work_samples_t *samples)
{
    ngx_str_t    *type;
    ngx_uint_t    i;
    ngx_array_t   types;

    samples->left = samples->size;

    if (ngx_array_init(&samples->entries, samples->work.pool, 8,
                       sizeof(ngx_codat_work_event_t))
        != NGX_OK
        || ngx_array_init(&types, samples->work.pool, 64, sizeof(ngx_str_t))
           != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    if (samples->type.len) {
        return ngx_codat_sqlite_samples_of(db, samples, &samples->type,
                                           samples->limit);
    }

    if (ngx_codat_sqlite_sample_types(db, samples, &types) != NGX_OK) {
        return NGX_ERROR;
    }

    type = types.elts;

    for (i = 0; i < types.nelts; i++) {

        if (ngx_codat_sqlite_samples_of(db, samples, &type[i], 1) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_sample_types(ngx_codat_sqlite_t *db,
    ngx_codat_work_samples_t *samples, ngx_array_t *types)
{
    ngx_int_t      rc;
    ngx_str_t     *type;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_TYPES);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    while ((rc = ngx_codat_sqlite_step(db, stmt)) == NGX_OK) {

        if (types->nelts >= samples->limit) {
            continue;
        }

        type = ngx_array_push(types);

        if (type == NULL
            || ngx_codat_sqlite_column(samples->work.pool, stmt, 0, type)
               != NGX_OK)
        {
            (void) sqlite3_reset(stmt);
            ngx_codat_sqlite_error(db, "out of memory");
            return NGX_ERROR;
        }
    }

    return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_codat_sqlite_samples_of(ngx_codat_sqlite_t *db,
    ngx_codat_work_samples_t *samples, ngx_str_t *type, ngx_uint_t limit)
{
    size_t                   size;
    int64_t                  id;
    ngx_int_t                rc;
    sqlite3_stmt            *stmt;
    ngx_codat_work_event_t  *event;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_SAMPLE_SCAN);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, type);
    ngx_codat_sqlite_text(stmt, 2, &samples->client);
    ngx_codat_sqlite_int(stmt, 3, (int64_t) limit);

    while ((rc = ngx_codat_sqlite_step(db, stmt)) == NGX_OK) {

        id = sqlite3_column_int64(stmt, 0);

        event = ngx_array_push(&samples->entries);

        if (event == NULL) {
            ngx_codat_sqlite_error(db, "out of memory");
            goto failed;
        }

        ngx_memzero(event, sizeof(ngx_codat_work_event_t));

        if (ngx_codat_sqlite_event_of(db, samples->work.pool, (uint64_t) id,
                                      event)
            != NGX_OK)
        {
            goto failed;
        }

        size = event->body.len;

        if (size > samples->left) {

            if (samples->entries.nelts > 1) {
                samples->entries.nelts--;
            }

            samples->left = 0;
            break;
        }

        samples->left -= size;
    }

    (void) sqlite3_reset(stmt);
    (void) sqlite3_clear_bindings(stmt);

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;

failed:

    (void) sqlite3_reset(stmt);

    return NGX_ERROR;
}
