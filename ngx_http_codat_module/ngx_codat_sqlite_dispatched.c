
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  What became of deliveries to consumers, and what that says of the
 * consumer.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_fault.h"
#include "ngx_codat_json_string.h"
#include "ngx_codat_sqlite_consumers.h"
#include "ngx_codat_time.h"

#include <openssl/sha.h>


static ngx_int_t ngx_codat_sqlite_attempted(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatched_t *dispatched, uint64_t *consumer);
static ngx_int_t ngx_codat_sqlite_judge(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatched_t *dispatched, uint64_t consumer);
static ngx_int_t ngx_codat_sqlite_disable(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatched_t *dispatched, uint64_t consumer);
static ngx_int_t ngx_codat_sqlite_announce(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatched_t *dispatched, ngx_codat_consumer_t *consumer);
static ngx_int_t ngx_codat_sqlite_announced(
    ngx_codat_work_dispatched_t *dispatched, ngx_codat_consumer_t *consumer,
    ngx_codat_work_event_t *event);


ngx_int_t
ngx_codat_sqlite_dispatched(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatched_t *dispatched)
{
    uint64_t       consumer;
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    dispatched->disabled = 0;

    rc = ngx_codat_sqlite_attempted(db, dispatched, &consumer);

    if (rc != NGX_OK) {
        return rc;
    }

    if (dispatched->gone) {
        return ngx_codat_sqlite_consumer_remove(db, consumer,
                                                dispatched->now);
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DISPATCHED_SET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) dispatched->delivery);
    ngx_codat_sqlite_text(stmt, 2,
                          &ngx_codat_queued_names[dispatched->state]);

    if (dispatched->state == NGX_CODAT_QUEUED_PENDING) {
        ngx_codat_sqlite_int(stmt, 3, dispatched->next);

    } else {
        ngx_codat_sqlite_int(stmt, 4, dispatched->now);
    }

    ngx_codat_sqlite_time(stmt, 5, (int64_t) dispatched->status);
    ngx_codat_sqlite_text(stmt, 6, &dispatched->error);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK
        || ngx_codat_sqlite_judge(db, dispatched, consumer) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_codat_fault("dispatched.recorded");

    return ngx_codat_sqlite_consumer_turn(db, consumer);
}


/* NGX_DECLINED if its end says nothing any more */

static ngx_int_t
ngx_codat_sqlite_attempted(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatched_t *dispatched, uint64_t *consumer)
{
    uint64_t            owner;
    ngx_int_t           rc;
    ngx_str_t           name;
    sqlite3_stmt       *stmt;
    ngx_codat_queued_e  state;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DISPATCHED_GET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) dispatched->delivery);

    rc = ngx_codat_sqlite_step(db, stmt);

    if (rc != NGX_OK) {

        /* its consumer may have been removed meanwhile */

        return (rc == NGX_DONE) ? NGX_DECLINED : NGX_ERROR;
    }

    name = ngx_codat_sqlite_peek(stmt, 1);

    *consumer = (uint64_t) sqlite3_column_int64(stmt, 0);
    state = name.data ? ngx_codat_queued(&name) : NGX_CODAT_QUEUED_ANY;
    owner = (uint64_t) sqlite3_column_int64(stmt, 2);

    (void) sqlite3_reset(stmt);

    /* as of other deliveries: whoever lost it can but say that it succeeded */

    if (state == NGX_CODAT_QUEUED_DELIVERED
        || ((state != NGX_CODAT_QUEUED_PENDING
             || owner != dispatched->owner)
            && dispatched->state != NGX_CODAT_QUEUED_DELIVERED))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* what an attempt says of the consumer */

static ngx_int_t
ngx_codat_sqlite_judge(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatched_t *dispatched, uint64_t consumer)
{
    int64_t        value;
    ngx_int_t      rc;
    ngx_uint_t     answered;
    sqlite3_stmt  *stmt;

    if (dispatched->ours) {
        return NGX_OK;
    }

    answered = (dispatched->state == NGX_CODAT_QUEUED_DELIVERED);

    stmt = ngx_codat_sqlite(db, answered ? NGX_CODAT_SQL_CONSUMER_ANSWERED
                                         : NGX_CODAT_SQL_CONSUMER_FAILED);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) consumer);
    ngx_codat_sqlite_int(stmt, 2, dispatched->now);

    if (answered) {
        ngx_codat_sqlite_int(stmt, 3, dispatched->slow);
        ngx_codat_sqlite_time(stmt, 4, (int64_t) dispatched->status);

        return ngx_codat_sqlite_exec(db, stmt);
    }

    ngx_codat_sqlite_time(stmt, 3, (int64_t) dispatched->status);
    ngx_codat_sqlite_text(stmt, 4, &dispatched->error);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_HOPELESS);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) consumer);
    ngx_codat_sqlite_int(stmt, 2,
                         dispatched->now - NGX_CODAT_CONSUMER_PATIENCE);

    rc = ngx_codat_sqlite_any(db, stmt, &value);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    return ngx_codat_sqlite_disable(db, dispatched, consumer);
}


static ngx_int_t
ngx_codat_sqlite_disable(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatched_t *dispatched, uint64_t consumer)
{
    sqlite3_stmt          *stmt;
    ngx_codat_consumer_t   known;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMER_DISABLE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) consumer);
    ngx_codat_sqlite_int(stmt, 2, dispatched->now);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK
        || ngx_codat_sqlite_consumer_cancel(db, consumer, dispatched->now)
           != NGX_OK
        || ngx_codat_sqlite_consumers_grown(db) != NGX_OK
        || ngx_codat_sqlite_known_to(db, dispatched->work.pool, consumer,
                                     &known)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    dispatched->disabled = 1;

    return ngx_codat_sqlite_announce(db, dispatched, &known);
}


/* an event as Codat would send one, of the module's own */

static ngx_int_t
ngx_codat_sqlite_announce(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatched_t *dispatched, ngx_codat_consumer_t *consumer)
{
    u_char                    *p, random[32];
    u_char                     id[NGX_CODAT_CONSUMER_UID];
    u_char                     msg[sizeof("msg_") - 1 + 32];
    ngx_codat_work_event_t    *event;
    ngx_codat_work_receive_t   receive;

    ngx_memzero(&receive, sizeof(ngx_codat_work_receive_t));

    receive.accept = 1;
    receive.fanout = 1;

    event = &receive.event;

    sqlite3_randomness(sizeof(random), random);

    /* a UUID of version 4 */

    random[6] = (u_char) ((random[6] & 0x0f) | 0x40);
    random[8] = (u_char) ((random[8] & 0x3f) | 0x80);

    event->event_id.data = id;
    event->event_id.len = (size_t) (ngx_codat_uuid_format(id, random) - id);

    p = ngx_cpymem(msg, "msg_", sizeof("msg_") - 1);
    p = ngx_hex_dump(p, random + 16, 16);

    event->webhook_id.data = msg;
    event->webhook_id.len = (size_t) (p - msg);

    ngx_str_set(&event->type, NGX_CODAT_CONSUMER_EVENT);
    ngx_str_set(&event->endpoint, "codat_consumers");

    event->client = consumer->client;
    event->received = dispatched->now;
    event->generated = dispatched->now;

    if (ngx_codat_sqlite_announced(dispatched, consumer, event) != NGX_OK
        || SHA256(event->body.data, event->body.len, event->digest) == NULL)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    return ngx_codat_sqlite_add(db, &receive);
}


/* the host alone: what is behind it in a URL may be a secret */

static ngx_int_t
ngx_codat_sqlite_announced(ngx_codat_work_dispatched_t *dispatched,
    ngx_codat_consumer_t *consumer, ngx_codat_work_event_t *event)
{
    size_t      len;
    u_char     *p, *last;
    ngx_str_t   host;

    host = consumer->url;
    last = host.data + host.len;

    p = ngx_strlcasestrn(host.data, last, (u_char *) "://", 2);

    if (p) {
        host.data = p + 3;

        for (p = host.data; p < last; p++) {
            if (*p == '/' || *p == '?' || *p == '#') {
                break;
            }
        }

        host.len = (size_t) (p - host.data);
    }

    len = sizeof("{\"id\":\"\",\"eventType\":\"\",\"generatedDate\":\"\","
                 "\"payload\":{\"id\":,\"host\":,\"reason\":\"failures\","
                 "\"failingSince\":\"\",\"lastStatus\":,\"lastError\":}}")
          + event->event_id.len + event->type.len + 2 * NGX_CODAT_TIME_LEN
          + NGX_INT_T_LEN
          + ngx_codat_json_string_len(&consumer->uid)
          + ngx_codat_json_string_len(&host)
          + ngx_codat_json_string_len(&consumer->last_error);

    p = ngx_pnalloc(dispatched->work.pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    event->body.data = p;

    p = ngx_sprintf(p, "{\"id\":\"%V\",\"eventType\":\"%V\","
                    "\"generatedDate\":\"", &event->event_id, &event->type);
    p = ngx_codat_time_format(p, dispatched->now);
    p = ngx_sprintf(p, "\",\"payload\":{\"id\":");
    p = ngx_codat_json_string(p, &consumer->uid);
    p = ngx_sprintf(p, ",\"host\":");
    p = ngx_codat_json_string(p, &host);
    p = ngx_sprintf(p, ",\"reason\":\"failures\",\"failingSince\":\"");
    p = ngx_codat_time_format(p, consumer->failing);
    p = ngx_sprintf(p, "\",\"lastStatus\":%ui,\"lastError\":",
                    consumer->last_status);
    p = ngx_codat_json_string(p, &consumer->last_error);
    p = ngx_sprintf(p, "}}");

    event->body.len = (size_t) (p - event->body.data);

    return NGX_OK;
}
