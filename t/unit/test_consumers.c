
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Consumers in an SQLite database: what is kept of them, which events go to
 * whom, whose turn it is, and what becomes of those that don't answer.
 */


#include "ngx_codat_unit_store.h"
#include "ngx_codat_work_consumer.h"


#define DAY  (86400 * SECOND)


/* the tables as the first version of the module made them */

static const char  *version_1 =
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
    "CREATE INDEX client_version ON client (version);"
    "PRAGMA application_id = 1128546644; PRAGMA user_version = 1;"

    "INSERT INTO event (id, event_id, type, endpoint, received, state,"
        " attempts, succeeded, routes, stale, body_digest, body)"
        " VALUES (7, 'old', 'company.created', 'a /', 1723118400000000,"
        " 'accepted', 1, 0, 0, 0, x'00', '{\"id\":\"old\"}');"
    "INSERT INTO delivery (event, route, state, attempts, next_at, owner,"
        " lease) VALUES (7, 'a / * http', 'pending', 0, 1, 0, 0);";



static ngx_codat_work_consumer_put_t *
consumer_unit(const char *uid, const char *types, const char *tags)
{
    ngx_str_t                      *text;
    ngx_codat_consumer_t           *consumer;
    ngx_codat_work_consumer_put_t  *put;

    put = ngx_codat_work_create(NGX_CODAT_WORK_CONSUMER_PUT,
                                sizeof(ngx_codat_work_consumer_put_t),
                                ngx_cycle->log);
    assert_non_null(put);

    consumer = &put->consumer;

    consumer->uid.data = (u_char *) uid;
    consumer->uid.len = strlen(uid);
    ngx_str_set(&consumer->url, "https://hooks.example.com/a?token=1");
    ngx_str_set(&consumer->secret, "0123456789abcdef01234567");
    put->now = NOON;

    assert_int_equal(ngx_array_init(&consumer->event_types, put->work.pool, 2,
                                    sizeof(ngx_str_t)), NGX_OK);
    assert_int_equal(ngx_array_init(&consumer->company_tags, put->work.pool,
                                    2, sizeof(ngx_str_t)), NGX_OK);

    text = ngx_array_push(&consumer->event_types);
    text->data = (u_char *) types;
    text->len = strlen(types);

    if (*tags) {
        text = ngx_array_push(&consumer->company_tags);
        text->data = (u_char *) tags;
        text->len = strlen(tags);
    }

    return put;
}


static void
consumer_add(store_t *s, const char *uid, const char *types,
    const char *tags)
{
    ngx_codat_work_consumer_put_t  *put;

    put = consumer_unit(uid, types, tags);
    store_ok(s, 0, put);
    assert_true(put->consumer.id != 0);
    ngx_codat_work_free(&put->work);
}


/* changes "disabled" */

static ngx_int_t
consumer_disable(store_t *s, const char *uid, ngx_uint_t disabled)
{
    ngx_int_t                       rc;
    ngx_codat_work_consumer_put_t  *put;

    put = consumer_unit(uid, "x", "");
    put->mask = NGX_CODAT_CONSUMER_DISABLED;
    put->consumer.disabled = disabled & 1;
    put->now = NOON + 100 * SECOND;

    store_run(s, 1, put);
    assert_string_equal((char *) s->error, "");

    rc = put->work.rc;
    ngx_codat_work_free(&put->work);

    return rc;
}


/* an accepted event that consumers may want */

static void
consumer_event(store_t *s, const char *id, const char *type,
    ngx_uint_t seconds, const char *tags)
{
    char                       body[512];
    ngx_codat_work_receive_t  *work;

    (void) snprintf(body, sizeof(body),
                    "{'id':'%s','eventType':'%s','payload':{'id':'co1',"
                    "'referenceCompany':{'id':'co1'}}}", id, type);

    work = store_event(s, body, seconds);
    work->accept = 1;
    work->fanout = 1;

    if (tags) {
        work->event.tags.data = (u_char *) tags;
        work->event.tags.len = strlen(tags);
    }

    store_ok(s, 0, work);
    ngx_codat_work_free(&work->work);
}


static ngx_uint_t
consumer_fanout(store_t *s, ngx_uint_t n, ngx_uint_t limit,
    ngx_uint_t seconds)
{
    ngx_uint_t                deliveries;
    ngx_codat_work_fanout_t  *work;

    deliveries = 0;

    do {
        work = ngx_codat_work_create(NGX_CODAT_WORK_FANOUT,
                                     sizeof(ngx_codat_work_fanout_t),
                                     ngx_cycle->log);
        assert_non_null(work);

        work->limit = limit;
        work->now = NOON + (int64_t) seconds * SECOND;

        store_ok(s, n, work);

        deliveries += work->deliveries;
        limit = work->more ? limit : 0;

        ngx_codat_work_free(&work->work);

    } while (limit);

    return deliveries;
}


static ngx_codat_work_dispatch_t *
consumer_claim(store_t *s, uint64_t owner, ngx_uint_t limit, ngx_uint_t slow,
    int64_t now)
{
    ngx_codat_work_dispatch_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_DISPATCH,
                                 sizeof(ngx_codat_work_dispatch_t),
                                 ngx_cycle->log);
    assert_non_null(work);

    work->now = now;
    work->lease = now + 25 * SECOND;
    work->owner = owner;
    work->limit = limit;
    work->slow = slow;
    work->size = 1024 * 1024;

    store_ok(s, owner & 1, work);

    return work;
}


static ngx_uint_t
consumer_claims(store_t *s, uint64_t owner, ngx_uint_t limit, ngx_uint_t slow,
    int64_t now)
{
    ngx_uint_t                  n;
    ngx_codat_work_dispatch_t  *work;

    work = consumer_claim(s, owner, limit, slow, now);
    n = work->claimed.nelts;
    ngx_codat_work_free(&work->work);

    return n;
}


static ngx_codat_work_dispatched_t *
consumer_result(uint64_t delivery, uint64_t owner, ngx_uint_t status,
    int64_t now, int64_t next)
{
    ngx_codat_work_dispatched_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_DISPATCHED,
                                 sizeof(ngx_codat_work_dispatched_t),
                                 ngx_cycle->log);
    assert_non_null(work);

    work->delivery = delivery;
    work->owner = owner;
    work->status = status;
    work->now = now;

    if (status == 200) {
        work->state = NGX_CODAT_QUEUED_DELIVERED;

    } else {
        work->state = next ? NGX_CODAT_QUEUED_PENDING : NGX_CODAT_QUEUED_DEAD;
        work->next = next;
        work->gone = (status == 410);
        ngx_str_set(&work->error, "answered with status 500");
    }

    return work;
}


static ngx_int_t
consumer_ended(store_t *s, uint64_t delivery, uint64_t owner,
    ngx_uint_t status, int64_t now, int64_t next)
{
    ngx_int_t                     rc;
    ngx_codat_work_dispatched_t  *work;

    work = consumer_result(delivery, owner, status, now, next);
    store_run(s, 0, work);
    assert_string_equal((char *) s->error, "");

    rc = work->work.rc;
    ngx_codat_work_free(&work->work);

    return rc;
}


/* claims what there is, and answers all of it with that status */

static ngx_uint_t
consumer_round(store_t *s, ngx_uint_t status, int64_t now, int64_t next)
{
    ngx_uint_t                  i, n;
    ngx_codat_work_outgoing_t  *out;
    ngx_codat_work_dispatch_t  *work;

    work = consumer_claim(s, 11, 64, 64, now);

    out = work->claimed.elts;
    n = work->claimed.nelts;

    for (i = 0; i < n; i++) {
        assert_int_equal(consumer_ended(s, out[i].id, 11, status, now, next),
                         NGX_OK);
    }

    ngx_codat_work_free(&work->work);

    return n;
}


static int64_t
consumer_is(store_t *s, const char *what, const char *uid)
{
    char  sql[256];

    (void) snprintf(sql, sizeof(sql), "SELECT %s FROM consumer WHERE uid = "
                    "'%s'", what, uid);

    return store_value(s, sql);
}


static void
consumers_come_with_an_upgrade(void **state)
{
    store_t                 s;
    ngx_codat_work_list_t  *list;

    store_open(&s);
    store_remove(&s);
    store_sql(&s, version_1);

    /* the first unit upgrades, and all that was there is there */

    consumer_add(&s, "c1", "*", "");

    assert_int_equal(store_value(&s, "PRAGMA user_version"), 2);
    assert_int_equal(store_value(&s, "SELECT value FROM meta WHERE key = "
                                 "'schema_version'"), 2);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM delivery WHERE "
                                 "state = 'pending' AND event = 7"), 1);

    list = ngx_codat_work_create(NGX_CODAT_WORK_LIST,
                                 sizeof(ngx_codat_work_list_t),
                                 ngx_cycle->log);
    list->limit = 10;
    list->size = 1024;
    store_ok(&s, 1, list);
    assert_int_equal(list->entries.nelts, 1);
    ngx_codat_work_free(&list->work);

    /* nobody gets what was accepted before there were consumers */

    assert_int_equal(consumer_fanout(&s, 0, 10, 0), 0);

    /* an event that the old module, still there for a while, adds */

    store_sql(&s, "INSERT INTO event (event_id, type, endpoint, received,"
              " state, attempts, succeeded, routes, stale, body_digest, body)"
              " VALUES ('b', 'x', 'a /', 1, 'accepted', 1, 0, 0, 0, x'00',"
              " '{}')");
    assert_int_equal(consumer_fanout(&s, 0, 10, 0), 0);

    store_close(&s);
}


static void
consumers_are_kept(void **state)
{
    store_t                          s;
    ngx_str_t                       *text;
    ngx_codat_consumer_t            *consumer;
    ngx_codat_work_consumer_put_t   *put;
    ngx_codat_work_consumer_list_t  *list;
    ngx_codat_work_consumer_drop_t  *drop;

    store_open(&s);

    put = consumer_unit("c1", "invoices.*", "region:uk");
    text = ngx_array_push(&put->consumer.event_types);
    ngx_str_set(text, "company.created");
    ngx_str_set(&put->consumer.client, "client1");
    put->consumer.rate = 5;
    put->consumer.cloudevents = 1;
    store_ok(&s, 0, put);
    ngx_codat_work_free(&put->work);

    consumer_add(&s, "c2", "*", "");
    consumer_add(&s, "c3", "*", "");

    list = ngx_codat_work_create(NGX_CODAT_WORK_CONSUMER_LIST,
                                 sizeof(ngx_codat_work_consumer_list_t),
                                 ngx_cycle->log);
    list->limit = 2;
    store_ok(&s, 1, list);

    assert_int_equal(list->consumers.nelts, 2);
    assert_int_equal(list->more, 1);

    consumer = list->consumers.elts;
    assert_memory_equal(consumer->uid.data, "c1", 2);
    assert_int_equal(consumer->client.len, 7);
    assert_memory_equal(consumer->url.data,
                        "https://hooks.example.com/a?token=1",
                        consumer->url.len);
    assert_int_equal(consumer->secret.len, 24);
    assert_int_equal(consumer->rate, 5);
    assert_int_equal(consumer->cloudevents, 1);
    assert_int_equal(consumer->disabled, 0);
    assert_true(consumer->created == NOON);

    text = consumer->event_types.elts;
    assert_int_equal(consumer->event_types.nelts, 2);
    assert_memory_equal(text[0].data, "invoices.*", text[0].len);
    assert_memory_equal(text[1].data, "company.created", text[1].len);

    text = consumer->company_tags.elts;
    assert_int_equal(consumer->company_tags.nelts, 1);
    assert_memory_equal(text[0].data, "region:uk", text[0].len);

    ngx_str_set(&list->after, "c2");
    store_ok(&s, 1, list);
    consumer = list->consumers.elts;
    assert_int_equal(list->consumers.nelts, 1);
    assert_int_equal(list->more, 0);
    assert_memory_equal(consumer->uid.data, "c3", 2);

    ngx_str_null(&list->after);
    ngx_str_set(&list->client, "client1");
    store_ok(&s, 1, list);
    assert_int_equal(list->consumers.nelts, 1);

    ngx_str_set(&list->uid, "c2");
    store_run(&s, 1, list);
    assert_int_equal(list->work.rc, NGX_DECLINED);
    ngx_codat_work_free(&list->work);

    /* what is not in the mask stays */

    put = consumer_unit("c1", "bills.*", "");
    put->mask = NGX_CODAT_CONSUMER_TYPES;
    put->consumer.rate = 99;
    store_ok(&s, 1, put);
    assert_int_equal(put->consumer.rate, 5);
    assert_int_equal(put->consumer.event_types.nelts, 1);
    assert_int_equal(put->consumer.company_tags.nelts, 1);
    ngx_codat_work_free(&put->work);

    put = consumer_unit("c9", "bills.*", "");
    put->mask = NGX_CODAT_CONSUMER_TYPES;
    store_run(&s, 1, put);
    assert_int_equal(put->work.rc, NGX_DECLINED);
    ngx_codat_work_free(&put->work);

    drop = ngx_codat_work_create(NGX_CODAT_WORK_CONSUMER_DROP,
                                 sizeof(ngx_codat_work_consumer_drop_t),
                                 ngx_cycle->log);
    ngx_str_set(&drop->uid, "c1");
    ngx_str_set(&drop->client, "client2");
    store_run(&s, 0, drop);
    assert_int_equal(drop->work.rc, NGX_DECLINED);

    ngx_str_set(&drop->client, "client1");
    store_ok(&s, 0, drop);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM consumer"), 2);

    store_run(&s, 0, drop);
    assert_int_equal(drop->work.rc, NGX_DECLINED);
    ngx_codat_work_free(&drop->work);

    store_close(&s);
}


static void
keys_are_replaced(void **state)
{
    store_t                         s;
    ngx_codat_work_consumer_key_t  *key;

    store_open(&s);

    key = ngx_codat_work_create(NGX_CODAT_WORK_CONSUMER_KEY,
                                sizeof(ngx_codat_work_consumer_key_t),
                                ngx_cycle->log);
    ngx_str_set(&key->name, "zapier");

    store_ok(&s, 0, key);
    assert_int_equal(key->known, 0);

    ngx_memset(key->hash, 'a', sizeof(key->hash));
    key->set = 1;
    key->now = NOON;
    store_ok(&s, 0, key);

    ngx_memset(key->hash, 'b', sizeof(key->hash));
    store_ok(&s, 1, key);

    ngx_memzero(key->hash, sizeof(key->hash));
    key->set = 0;
    store_ok(&s, 0, key);
    assert_int_equal(key->known, 1);
    assert_int_equal(key->hash[0], 'b');
    assert_int_equal(key->hash[NGX_CODAT_WORK_DIGEST_LEN - 1], 'b');

    ngx_codat_work_free(&key->work);
    store_close(&s);
}


static void
events_go_to_whom_they_match(void **state)
{
    store_t                    s;
    ngx_codat_work_done_t     *done;
    ngx_codat_work_receive_t  *work;

    store_open(&s);

    consumer_add(&s, "all", "*", "");
    consumer_add(&s, "invoices", "invoices.*", "");
    consumer_add(&s, "uk", "*", "region:uk");

    consumer_event(&s, "e1", "invoices.write.successful", 0, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 10, 1), 2);

    /* once: nothing is left */

    assert_int_equal(consumer_fanout(&s, 1, 10, 1), 0);

    /* what is known of the company's tags stays known, the newest of it */

    consumer_event(&s, "e2", "company.updated", 10, "region:uk\n");
    assert_int_equal(consumer_fanout(&s, 1, 10, 11), 2);
    consumer_event(&s, "e3", "bills.write.failed", 12, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 10, 13), 2);

    consumer_event(&s, "e4", "company.updated", 5, "region:fr\n");
    assert_int_equal(consumer_fanout(&s, 0, 10, 14), 1);
    consumer_event(&s, "e5", "bills.write.failed", 15, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 10, 16), 2);

    consumer_event(&s, "e6", "company.updated", 20, "");
    assert_int_equal(consumer_fanout(&s, 0, 10, 21), 1);
    consumer_event(&s, "e7", "bills.write.failed", 22, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 10, 23), 1);

    /* in both workers it is seen at once who is there */

    consumer_add(&s, "new", "*", "");
    consumer_event(&s, "e8", "a.b", 30, NULL);
    assert_int_equal(consumer_fanout(&s, 1, 10, 31), 2);

    assert_int_equal(consumer_disable(&s, "new", 1), NGX_OK);
    consumer_event(&s, "e9", "a.b", 32, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 10, 33), 1);

    /* not until it is accepted, and not twice then */

    work = store_event(&s, "{'id':'e10','eventType':'a.b'}", 40);
    work->fanout = 1;
    store_ok(&s, 0, work);
    assert_int_equal(consumer_fanout(&s, 0, 10, 41), 0);

    done = ngx_codat_work_create(NGX_CODAT_WORK_DONE,
                                 sizeof(ngx_codat_work_done_t),
                                 ngx_cycle->log);
    done->event = work->event.id;
    done->fanout = 1;
    store_ok(&s, 0, done);
    assert_int_equal(consumer_fanout(&s, 0, 10, 42), 0);

    done->accepted = 1;
    store_ok(&s, 0, done);
    assert_int_equal(consumer_fanout(&s, 0, 10, 42), 1);
    store_ok(&s, 0, done);
    assert_int_equal(consumer_fanout(&s, 0, 10, 42), 0);

    ngx_codat_work_free(&done->work);
    ngx_codat_work_free(&work->work);

    store_close(&s);
}


static void
fanout_goes_in_slices(void **state)
{
    char                      uid[16];
    store_t                   s;
    ngx_uint_t                i;
    ngx_codat_work_fanout_t  *work;

    store_open(&s);

    for (i = 0; i < 300; i++) {
        (void) snprintf(uid, sizeof(uid), "c%u", (unsigned) i);
        consumer_add(&s, uid, "*", "");
    }

    for (i = 0; i < 5; i++) {
        (void) snprintf(uid, sizeof(uid), "e%u", (unsigned) i);
        consumer_event(&s, uid, "a.b", i, NULL);
    }

    work = ngx_codat_work_create(NGX_CODAT_WORK_FANOUT,
                                 sizeof(ngx_codat_work_fanout_t),
                                 ngx_cycle->log);
    work->limit = 10;
    work->now = NOON;
    store_ok(&s, 0, work);

    assert_int_equal(work->events, 1);
    assert_int_equal(work->deliveries, 300);
    assert_int_equal(work->more, 1);
    ngx_codat_work_free(&work->work);

    assert_int_equal(consumer_fanout(&s, 1, 1, 10), 1200);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM "
                                 "consumer_delivery"), 1500);

    store_close(&s);
}


/* how many a consumer has under way depends on how it did before */

static void
consumers_earn_their_slots(void **state)
{
    char        id[16];
    store_t     s;
    ngx_uint_t  i;

    store_open(&s);
    consumer_add(&s, "c1", "*", "");

    for (i = 0; i < 10; i++) {
        (void) snprintf(id, sizeof(id), "e%u", (unsigned) i);
        consumer_event(&s, id, "a.b", i, NULL);
    }

    assert_int_equal(consumer_fanout(&s, 0, 64, 20), 10);

    /* one, until it has answered once, whoever asks */

    assert_int_equal(consumer_claims(&s, 11, 64, 0, NOON + 21 * SECOND), 0);
    assert_int_equal(consumer_claims(&s, 11, 64, 16, NOON + 21 * SECOND), 1);
    assert_int_equal(consumer_claims(&s, 11, 64, 16, NOON + 21 * SECOND), 0);
    assert_int_equal(consumer_claims(&s, 12, 64, 16, NOON + 22 * SECOND), 0);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM consumer_turn"),
                     0);

    assert_int_equal(consumer_ended(&s, 1, 11, 200, NOON + 23 * SECOND, 0),
                     NGX_OK);
    assert_int_equal(consumer_is(&s, "slow", "c1"), 0);

    /* four then, also without room for slow ones */

    assert_int_equal(consumer_claims(&s, 12, 64, 0, NOON + 24 * SECOND), 4);
    assert_int_equal(consumer_claims(&s, 11, 64, 16, NOON + 24 * SECOND), 0);

    /* one after a failure, when the others have ended, and its time is up */

    for (i = 2; i <= 5; i++) {
        assert_int_equal(consumer_ended(&s, i, 12, i == 3 ? 500 : 200,
                                        NOON + 30 * SECOND,
                                        NOON + 35 * SECOND), NGX_OK);
    }

    assert_int_equal(consumer_is(&s, "slow", "c1"), 0);
    assert_int_equal(consumer_round(&s, 500, NOON + 31 * SECOND,
                                    NOON + 3600 * SECOND), 4);
    assert_int_equal(consumer_is(&s, "slow", "c1"), 1);
    assert_true(consumer_is(&s, "failing", "c1") == NOON + 31 * SECOND);
    assert_int_equal(consumer_claims(&s, 11, 64, 16, NOON + 40 * SECOND), 1);
    assert_int_equal(consumer_claims(&s, 11, 64, 16, NOON + 41 * SECOND), 0);

    store_close(&s);
}


static void
slow_ones_have_limits(void **state)
{
    char        uid[16];
    store_t     s;
    ngx_uint_t  i;

    store_open(&s);

    for (i = 0; i < 30; i++) {
        (void) snprintf(uid, sizeof(uid), "c%u", (unsigned) i);
        consumer_add(&s, uid, "*", "");
    }

    /* these ten are known to answer */

    store_sql(&s, "UPDATE consumer SET slow = 0 WHERE id > 20;"
              "DELETE FROM consumer_turn");

    for (i = 0; i < 5; i++) {
        (void) snprintf(uid, sizeof(uid), "e%u", (unsigned) i);
        consumer_event(&s, uid, "a.b", i, NULL);
    }

    assert_int_equal(consumer_fanout(&s, 0, 64, 10), 150);

    assert_int_equal(consumer_claims(&s, 11, 32, 8, NOON + 20 * SECOND), 32);
    assert_int_equal(store_value(&s,
                         "SELECT count(*) FROM consumer_delivery d"
                         " JOIN consumer c ON c.id = d.consumer"
                         " WHERE c.slow = 1 AND d.owner = 11"), 8);

    /* those that hang take nothing from the others, nor do they come twice */

    assert_int_equal(consumer_claims(&s, 12, 64, 0, NOON + 20 * SECOND), 16);
    assert_int_equal(consumer_claims(&s, 12, 64, 64, NOON + 21 * SECOND), 12);
    assert_int_equal(consumer_claims(&s, 12, 64, 64, NOON + 22 * SECOND), 0);

    store_close(&s);
}


static void
leases_end(void **state)
{
    store_t                    s;
    ngx_codat_work_release_t  *release;

    store_open(&s);
    consumer_add(&s, "c1", "*", "");
    consumer_event(&s, "e1", "a.b", 0, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 64, 1), 1);

    assert_int_equal(consumer_claims(&s, 11, 64, 16, NOON + 2 * SECOND), 1);
    assert_int_equal(consumer_claims(&s, 12, 64, 16, NOON + 26 * SECOND), 0);
    assert_int_equal(consumer_claims(&s, 12, 64, 16, NOON + 28 * SECOND), 1);

    /* the first one comes back: only a success counts */

    assert_int_equal(consumer_ended(&s, 1, 11, 500, NOON + 29 * SECOND,
                                    NOON + 99 * SECOND), NGX_DECLINED);

    release = ngx_codat_work_create(NGX_CODAT_WORK_RELEASE,
                                    sizeof(ngx_codat_work_release_t),
                                    ngx_cycle->log);
    release->owner = 12;
    store_ok(&s, 0, release);
    ngx_codat_work_free(&release->work);

    assert_int_equal(consumer_claims(&s, 11, 64, 16, NOON + 30 * SECOND), 1);
    assert_int_equal(consumer_ended(&s, 1, 12, 200, NOON + 31 * SECOND, 0),
                     NGX_OK);
    assert_int_equal(consumer_ended(&s, 1, 11, 200, NOON + 31 * SECOND, 0),
                     NGX_DECLINED);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM consumer_delivery "
                                 "WHERE state = 'delivered'"), 1);

    store_close(&s);
}


static void
rates_are_kept(void **state)
{
    char                            id[16];
    store_t                         s;
    int64_t                         now;
    ngx_uint_t                      i, n;
    ngx_codat_work_consumer_put_t  *put;

    store_open(&s);

    put = consumer_unit("c1", "*", "");
    put->consumer.rate = 2;
    store_ok(&s, 0, put);
    ngx_codat_work_free(&put->work);

    store_sql(&s, "UPDATE consumer SET slow = 0");

    for (i = 0; i < 40; i++) {
        (void) snprintf(id, sizeof(id), "e%u", (unsigned) i);
        consumer_event(&s, id, "a.b", 0, NULL);
    }

    assert_int_equal(consumer_fanout(&s, 0, 64, 0), 40);

    /* looked for each 50 ms, and answered at once: 20 of them in 10 s */

    n = 0;

    for (now = NOON + SECOND; now < NOON + 11 * SECOND; now += SECOND / 20) {
        n += consumer_round(&s, 200, now, 0);
    }

    assert_in_range(n, 20, 21);

    store_close(&s);
}


static void
who_is_gone_goes(void **state)
{
    store_t  s;

    store_open(&s);
    consumer_add(&s, "c1", "*", "");
    consumer_add(&s, "c2", "*", "");
    consumer_event(&s, "e1", "a.b", 0, NULL);
    consumer_event(&s, "e2", "a.b", 0, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 64, 1), 4);
    assert_int_equal(consumer_claims(&s, 11, 64, 16, NOON + 2 * SECOND), 2);

    assert_int_equal(consumer_ended(&s, 1, 11, 410, NOON + 3 * SECOND, 0),
                     NGX_OK);

    assert_int_equal(store_value(&s, "SELECT count(*) FROM consumer"), 1);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM consumer_delivery "
                                 "WHERE state = 'pending'"), 2);

    /* what was under way beside it is over */

    assert_int_equal(consumer_ended(&s, 3, 11, 500, NOON + 3 * SECOND,
                                    NOON + 4 * SECOND), NGX_DECLINED);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM consumer_delivery "
                                 "WHERE state = 'pending'"), 2);

    consumer_event(&s, "e3", "a.b", 4, NULL);
    assert_int_equal(consumer_fanout(&s, 1, 64, 5), 1);

    store_close(&s);
}


static void
five_days_are_enough(void **state)
{
    store_t                       s;
    int64_t                       now;
    ngx_str_t                     body;
    ngx_codat_work_samples_t     *samples;
    ngx_codat_work_dispatched_t  *work;

    store_open(&s);
    consumer_add(&s, "c1", "a.*", "");
    consumer_add(&s, "watch", "codat.consumer.disabled", "");

    consumer_event(&s, "e1", "a.b", 0, NULL);
    consumer_event(&s, "e2", "a.b", 0, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 64, 1), 2);

    now = NOON + 2 * SECOND;
    assert_int_equal(consumer_round(&s, 500, now, now + SECOND), 1);
    assert_int_equal(consumer_round(&s, 500, now + 4 * DAY,
                                    now + 4 * DAY + SECOND), 1);
    assert_int_equal(consumer_is(&s, "disabled", "c1"), 0);

    /* a success would have stopped the clock, our own faults don't run it */

    assert_int_equal(consumer_round(&s, 200, now + 4 * DAY + 2 * SECOND, 0),
                     1);
    assert_true(consumer_is(&s, "failing IS NULL", "c1"));

    now += 4 * DAY + 3 * SECOND;
    assert_int_equal(consumer_claims(&s, 11, 1, 1, now), 1);

    work = consumer_result(1, 11, 0, now, now + SECOND);
    work->delivery = (uint64_t) store_value(&s, "SELECT id FROM "
                                    "consumer_delivery WHERE owner = 11");
    work->ours = 1;
    store_ok(&s, 0, work);
    assert_true(consumer_is(&s, "failing IS NULL", "c1"));
    ngx_codat_work_free(&work->work);

    now += 2 * SECOND;
    assert_int_equal(consumer_round(&s, 500, now, now + SECOND), 1);
    assert_int_equal(consumer_round(&s, 500, now + 5 * DAY - SECOND,
                                    now + 5 * DAY), 1);
    assert_int_equal(consumer_is(&s, "disabled", "c1"), 0);

    consumer_event(&s, "e3", "a.b", 10 * 86400, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 64, 0), 1);
    assert_int_equal(consumer_claims(&s, 11, 64, 64, now + 5 * DAY), 1);

    work = consumer_result(0, 11, 500, now + 5 * DAY, now + 6 * DAY);
    work->delivery = (uint64_t) store_value(&s, "SELECT id FROM "
                                    "consumer_delivery WHERE owner = 11");
    store_ok(&s, 0, work);
    assert_int_equal(work->disabled, 1);
    ngx_codat_work_free(&work->work);

    assert_int_equal(consumer_is(&s, "disabled AND disabled_reason = "
                                 "'failures'", "c1"), 1);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM consumer_turn"),
                     0);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM consumer_delivery "
                                 "WHERE state = 'pending'"), 0);

    /* those who asked are told */

    assert_int_equal(consumer_fanout(&s, 0, 64, 0), 1);

    samples = ngx_codat_work_create(NGX_CODAT_WORK_SAMPLES,
                                    sizeof(ngx_codat_work_samples_t),
                                    ngx_cycle->log);
    ngx_str_set(&samples->type, "codat.consumer.disabled");
    samples->limit = 5;
    samples->size = 4096;
    store_ok(&s, 0, samples);
    assert_int_equal(samples->entries.nelts, 1);

    body = ((ngx_codat_work_event_t *) samples->entries.elts)->body;
    assert_non_null(ngx_strlcasestrn(body.data, body.data + body.len,
              (u_char *) "\"payload\":{\"id\":\"c1\",\"host\":"
                         "\"hooks.example.com\",\"reason\":\"failures\"",
              sizeof("\"payload\":{\"id\":\"c1\",\"host\":"
                     "\"hooks.example.com\",\"reason\":\"failures\"") - 2));
    assert_null(ngx_strlcasestrn(body.data, body.data + body.len,
                                 (u_char *) "token", 4));
    ngx_codat_work_free(&samples->work);

    /* enabled again, it begins anew */

    assert_int_equal(consumer_disable(&s, "c1", 0), NGX_OK);
    assert_int_equal(consumer_is(&s, "disabled = 0 AND failing IS NULL AND "
                                 "disabled_reason IS NULL", "c1"), 1);

    store_close(&s);
}


static ngx_uint_t
consumer_replay(store_t *s, const char *uid, int64_t since, ngx_uint_t limit)
{
    ngx_uint_t                         n;
    ngx_codat_work_consumer_replay_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_CONSUMER_REPLAY,
                                 sizeof(ngx_codat_work_consumer_replay_t),
                                 ngx_cycle->log);
    work->uid.data = (u_char *) uid;
    work->uid.len = strlen(uid);
    work->since = since;
    work->now = NOON + 1000 * SECOND;
    work->limit = limit;

    n = 0;

    do {
        work->after = work->last;
        store_ok(s, 0, work);
        n += work->count;
    } while (work->more);

    ngx_codat_work_free(&work->work);

    return n;
}


static void
replay_brings_what_was_missed(void **state)
{
    store_t                            s;
    ngx_codat_work_dispatch_t         *claim;
    ngx_codat_work_outgoing_t         *out;
    ngx_codat_work_consumer_replay_t  *work;

    store_open(&s);

    consumer_event(&s, "e1", "a.b", 0, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 64, 1), 0);

    consumer_add(&s, "c1", "a.*", "");

    consumer_event(&s, "e2", "a.b", 10, NULL);
    consumer_event(&s, "e3", "a.b", 11, NULL);
    consumer_event(&s, "e4", "b.b", 12, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 64, 13), 2);

    /* e2 succeeds, e3 is given up, e5 is missed */

    assert_int_equal(consumer_round(&s, 200, NOON + 20 * SECOND, 0), 1);
    assert_int_equal(consumer_round(&s, 500, NOON + 21 * SECOND, 0), 1);
    assert_int_equal(consumer_disable(&s, "c1", 1), NGX_OK);
    consumer_event(&s, "e5", "a.b", 30, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 64, 31), 0);

    work = ngx_codat_work_create(NGX_CODAT_WORK_CONSUMER_REPLAY,
                                 sizeof(ngx_codat_work_consumer_replay_t),
                                 ngx_cycle->log);
    ngx_str_set(&work->uid, "c1");
    work->limit = 10;
    store_run(&s, 0, work);
    assert_int_equal(work->work.rc, NGX_DECLINED);
    ngx_codat_work_free(&work->work);

    assert_int_equal(consumer_disable(&s, "c1", 0), NGX_OK);

    assert_int_equal(consumer_replay(&s, "c1", NOON + 40 * SECOND, 1), 0);
    assert_int_equal(consumer_replay(&s, "c1", NOON + 5 * SECOND, 1), 2);
    assert_int_equal(consumer_replay(&s, "c1", NOON + 5 * SECOND, 1), 0);
    assert_int_equal(consumer_replay(&s, "c1", NOON - SECOND, 100), 1);

    /* only what it has seen before has another id */

    claim = consumer_claim(&s, 11, 64, 64, NOON + 2000 * SECOND);
    assert_int_equal(claim->claimed.nelts, 1);
    out = claim->claimed.elts;
    assert_int_equal(out->attempt, 1);
    assert_int_equal(out->nonce.len, 36);
    assert_memory_equal(out->nonce.data, "msg_", 4);
    assert_memory_equal(out->event.event_id.data, "e3", 2);
    assert_int_equal(out->consumer.secret.len, 24);
    ngx_codat_work_free(&claim->work);

    assert_int_equal(store_value(&s, "SELECT count(*) FROM consumer_delivery "
                                 "WHERE nonce <> ''"), 1);

    store_close(&s);
}


static void
samples_are_the_newest(void **state)
{
    store_t                    s;
    ngx_codat_work_event_t    *event;
    ngx_codat_work_samples_t  *samples;

    store_open(&s);

    consumer_event(&s, "e1", "a.b", 0, NULL);
    consumer_event(&s, "e2", "a.b", 1, NULL);
    consumer_event(&s, "e3", "c.d", 2, NULL);

    samples = ngx_codat_work_create(NGX_CODAT_WORK_SAMPLES,
                                    sizeof(ngx_codat_work_samples_t),
                                    ngx_cycle->log);
    samples->limit = 10;
    samples->size = 4096;
    store_ok(&s, 0, samples);
    assert_int_equal(samples->entries.nelts, 2);
    event = samples->entries.elts;
    assert_memory_equal(event[0].event_id.data, "e2", 2);
    assert_memory_equal(event[1].event_id.data, "e3", 2);

    ngx_str_set(&samples->type, "a.b");
    samples->size = 4096;
    store_ok(&s, 0, samples);
    assert_int_equal(samples->entries.nelts, 2);
    event = samples->entries.elts;
    assert_memory_equal(event[0].event_id.data, "e2", 2);
    assert_memory_equal(event[1].event_id.data, "e1", 2);

    samples->size = 10;
    store_ok(&s, 0, samples);
    assert_int_equal(samples->entries.nelts, 1);

    ngx_str_set(&samples->type, "x");
    samples->size = 4096;
    store_ok(&s, 0, samples);
    assert_int_equal(samples->entries.nelts, 0);

    ngx_codat_work_free(&samples->work);
    store_close(&s);
}


static void
pruning_spares_what_is_pending(void **state)
{
    store_t                   s;
    ngx_codat_work_prune_t   *prune;
    ngx_codat_work_stats_t   *stats;

    store_open(&s);
    consumer_add(&s, "c1", "*", "");
    consumer_event(&s, "e1", "a.b", 0, NULL);

    prune = ngx_codat_work_create(NGX_CODAT_WORK_PRUNE,
                                  sizeof(ngx_codat_work_prune_t),
                                  ngx_cycle->log);
    prune->before = NOON + 100 * SECOND;
    prune->limit = 10;
    store_ok(&s, 0, prune);
    assert_int_equal(prune->dropped, 0);

    assert_int_equal(consumer_fanout(&s, 0, 64, 1), 1);
    store_ok(&s, 0, prune);
    assert_int_equal(prune->dropped, 0);

    stats = ngx_codat_work_create(NGX_CODAT_WORK_STATS,
                                  sizeof(ngx_codat_work_stats_t),
                                  ngx_cycle->log);
    store_ok(&s, 0, stats);
    assert_int_equal(stats->consumers, 1);
    assert_int_equal(stats->outgoing, 1);
    assert_int_equal(stats->disabled, 0);
    assert_int_equal(stats->failing, 0);
    ngx_codat_work_free(&stats->work);

    assert_int_equal(consumer_round(&s, 200, NOON + 2 * SECOND, 0), 1);
    store_ok(&s, 0, prune);
    assert_int_equal(prune->dropped, 1);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM "
                                 "consumer_delivery"), 0);

    ngx_codat_work_free(&prune->work);
    store_close(&s);
}


/* a keeper's round, "with" consumers in its configuration or without */

static ngx_uint_t
consumer_known(store_t *s, ngx_uint_t with, ngx_uint_t seconds,
    ngx_uint_t limit)
{
    ngx_str_t                *route;
    ngx_uint_t                n;
    ngx_codat_work_gone_t    *gone;
    ngx_codat_work_routes_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_ROUTES,
                                 sizeof(ngx_codat_work_routes_t),
                                 ngx_cycle->log);
    assert_non_null(work);
    assert_int_equal(ngx_array_init(&work->routes, work->work.pool, 1,
                                    sizeof(ngx_str_t)),
                     NGX_OK);

    if (with) {
        route = ngx_array_push(&work->routes);
        ngx_str_set(route, NGX_CODAT_WORK_CONSUMERS);
    }

    work->now = NOON + (int64_t) seconds * SECOND;
    work->before = work->now - 60 * SECOND;
    work->limit = limit;

    store_ok(s, 0, work);

    assert_true(work->gone.nelts < 2);

    gone = work->gone.elts;
    n = work->gone.nelts ? gone->count : 0;

    if (n) {
        assert_int_equal(gone->route.len,
                         sizeof(NGX_CODAT_WORK_CONSUMERS) - 1);
    }

    ngx_codat_work_free(&work->work);

    return n;
}


static ngx_uint_t
consumer_replayed(store_t *s, const char *uid, ngx_uint_t seconds)
{
    ngx_uint_t                         n;
    ngx_codat_work_consumer_replay_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_CONSUMER_REPLAY,
                                 sizeof(ngx_codat_work_consumer_replay_t),
                                 ngx_cycle->log);
    assert_non_null(work);

    work->uid.data = (u_char *) uid;
    work->uid.len = strlen(uid);
    work->since = NOON;
    work->now = NOON + (int64_t) seconds * SECOND;
    work->limit = 100;

    store_ok(s, 0, work);

    n = work->count;
    ngx_codat_work_free(&work->work);

    return n;
}


static void
nothing_waits_without_consumers(void **state)
{
    store_t                  s;
    ngx_codat_work_prune_t  *prune;

    static const char  *pending = "SELECT count(*) FROM consumer_delivery"
                                  " WHERE state = 'pending'";
    static const char  *waiting = "SELECT sum(fanout) FROM event";

    store_open(&s);
    consumer_add(&s, "c1", "*", "");
    consumer_add(&s, "c2", "*", "");

    consumer_event(&s, "e1", "a.b", 0, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 64, 1), 2);
    consumer_event(&s, "e2", "a.b", 1, NULL);
    consumer_event(&s, "e3", "a.b", 2, NULL);

    /* a worker that dies has one of them */

    assert_int_equal(consumer_claims(&s, 1, 1, 1, NOON + 2 * SECOND), 1);

    /* some nginx has consumers, or had them a moment ago */

    assert_int_equal(consumer_known(&s, 1, 10, 100), 0);
    assert_int_equal(consumer_known(&s, 0, 20, 100), 0);
    assert_int_equal(consumer_known(&s, 0, 70, 100), 0);
    assert_int_equal(consumer_known(&s, 1, 80, 100), 0);
    assert_int_equal(consumer_known(&s, 0, 140, 100), 0);
    assert_int_equal(store_value(&s, waiting), 2);
    assert_int_equal(store_value(&s, pending), 2);

    /* and then none any more */

    assert_int_equal(consumer_known(&s, 0, 141, 1), 1);
    assert_int_equal(store_value(&s, waiting), 1);
    assert_int_equal(consumer_known(&s, 0, 142, 100), 3);
    assert_int_equal(store_value(&s, waiting), 0);
    assert_int_equal(store_value(&s, pending), 0);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM consumer_delivery"
                                     " WHERE state = 'dead'"
                                     " AND next_at IS NULL"
                                     " AND finished IS NOT NULL"
                                     " AND last_error = 'no codat_consumers"
                                     " in the configuration'"), 2);
    assert_int_equal(consumer_known(&s, 0, 143, 100), 0);

    /* they are back: nothing is sent by itself, but by a replay */

    assert_int_equal(consumer_known(&s, 1, 144, 100), 0);
    assert_int_equal(consumer_fanout(&s, 0, 64, 144), 0);
    assert_int_equal(consumer_claims(&s, 3, 64, 64, NOON + 144 * SECOND), 0);
    assert_int_equal(consumer_replayed(&s, "c1", 145), 3);
    assert_int_equal(consumer_round(&s, 200, NOON + 145 * SECOND, 0), 1);
    assert_int_equal(store_value(&s, pending), 2);

    /* without one they go when they are old */

    assert_int_equal(consumer_known(&s, 0, 300, 100), 2);

    prune = ngx_codat_work_create(NGX_CODAT_WORK_PRUNE,
                                  sizeof(ngx_codat_work_prune_t),
                                  ngx_cycle->log);
    prune->before = NOON + 300 * SECOND;
    prune->limit = 10;
    store_ok(&s, 0, prune);
    assert_int_equal(prune->dropped, 3);
    ngx_codat_work_free(&prune->work);

    store_close(&s);
}


/* how many samples of a type with bodies of so many bytes there are */

static ngx_uint_t
consumer_sampled(store_t *s, size_t size)
{
    ngx_uint_t                 n;
    ngx_codat_work_samples_t  *samples;

    samples = ngx_codat_work_create(NGX_CODAT_WORK_SAMPLES,
                                    sizeof(ngx_codat_work_samples_t),
                                    ngx_cycle->log);
    ngx_str_set(&samples->type, "a.b");
    samples->limit = 5;
    samples->size = size;
    store_ok(s, 0, samples);

    n = samples->entries.nelts;
    ngx_codat_work_free(&samples->work);

    return n;
}


/* one body at least, and no more than fit */

static void
bodies_are_bounded(void **state)
{
    store_t                     s;
    ngx_codat_work_dispatch_t  *claim;

    store_open(&s);
    consumer_add(&s, "c1", "*", "");
    store_sql(&s, "UPDATE consumer SET slow = 0");
    consumer_event(&s, "e1", "a.b", 0, NULL);
    consumer_event(&s, "e2", "a.b", 1, NULL);
    consumer_event(&s, "e3", "a.b", 2, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 64, 3), 3);

    claim = ngx_codat_work_create(NGX_CODAT_WORK_DISPATCH,
                                  sizeof(ngx_codat_work_dispatch_t),
                                  ngx_cycle->log);
    claim->now = NOON + 4 * SECOND;
    claim->lease = NOON + 30 * SECOND;
    claim->owner = 11;
    claim->limit = 64;
    claim->slow = 16;
    claim->size = 1;
    store_ok(&s, 0, claim);
    assert_int_equal(claim->claimed.nelts, 1);
    ngx_codat_work_free(&claim->work);

    assert_int_equal(consumer_claims(&s, 11, 64, 16, NOON + 5 * SECOND), 2);

    assert_int_equal(consumer_sampled(&s, 1), 1);
    assert_int_equal(consumer_sampled(&s, 100), 1);

    store_close(&s);
}


/* an attempt that goes on may end as it will */

static void
attempts_are_not_given_up(void **state)
{
    store_t                     s;
    ngx_codat_work_dispatch_t  *claim;
    ngx_codat_work_outgoing_t  *out;

    store_open(&s);
    consumer_add(&s, "c1", "*", "");
    consumer_event(&s, "e1", "a.b", 0, NULL);
    assert_int_equal(consumer_fanout(&s, 0, 64, 1), 1);

    /* met for the first time, there may have been some until now */

    assert_int_equal(consumer_known(&s, 0, 1, 100), 0);

    claim = consumer_claim(&s, 1, 1, 1, NOON + 60 * SECOND);
    assert_int_equal(claim->claimed.nelts, 1);
    out = claim->claimed.elts;

    assert_int_equal(consumer_known(&s, 0, 70, 100), 0);

    assert_int_equal(consumer_ended(&s, out->id, 1, 200, NOON + 71 * SECOND,
                                    0),
                     NGX_OK);
    ngx_codat_work_free(&claim->work);

    assert_int_equal(store_value(&s, "SELECT count(*) FROM consumer_delivery"
                                     " WHERE state = 'delivered'"), 1);

    store_close(&s);
}


int
ngx_codat_unit_consumers(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(consumers_come_with_an_upgrade),
        cmocka_unit_test(consumers_are_kept),
        cmocka_unit_test(keys_are_replaced),
        cmocka_unit_test(events_go_to_whom_they_match),
        cmocka_unit_test(fanout_goes_in_slices),
        cmocka_unit_test(consumers_earn_their_slots),
        cmocka_unit_test(slow_ones_have_limits),
        cmocka_unit_test(leases_end),
        cmocka_unit_test(rates_are_kept),
        cmocka_unit_test(who_is_gone_goes),
        cmocka_unit_test(five_days_are_enough),
        cmocka_unit_test(replay_brings_what_was_missed),
        cmocka_unit_test(samples_are_the_newest),
        cmocka_unit_test(pruning_spares_what_is_pending),
        cmocka_unit_test(nothing_waits_without_consumers),
        cmocka_unit_test(attempts_are_not_given_up),
        cmocka_unit_test(bodies_are_bounded),
    };

    return cmocka_run_group_tests_name("consumers", tests, NULL, NULL);
}
