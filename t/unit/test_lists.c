
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Lists of events in an SQLite database: the same as looking at all of them,
 * in a time that depends on what is found; that no statement of the store
 * walks a large table; and that what is old is dropped a part at a time.
 */


#include "ngx_codat_unit_store.h"


#define EVENTS  400


/* an event, and the states of its deliveries */

typedef struct {
    const char          *type;
    const char          *company;
    ngx_uint_t           states;    /* 1 << ngx_codat_queued_e */
    int64_t              received;
} lists_event_t;


typedef struct {
    const char          *type;      /* patterns */
    const char          *company;
    ngx_codat_queued_e   state;
    int64_t              from;
    int64_t              until;
} lists_filter_t;


static const char  *lists_types[] = {
    "invoices.write.successful", "invoices.write.unsuccessful",
    "bills.write.successful", "read.completed.successful", "rare.thing"
};

static const char  *lists_companies[] = { "co0", "co1", "co2" };

static const ngx_codat_queued_e  lists_states[] = {
    NGX_CODAT_QUEUED_PENDING, NGX_CODAT_QUEUED_DELIVERED,
    NGX_CODAT_QUEUED_DEAD
};


static ngx_uint_t
lists_random(ngx_uint_t n)
{
    static uint64_t  seed = 42;

    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;

    return (ngx_uint_t) (seed >> 33) % n;
}


/* opens the database for the first time, so that there are tables */

static void
lists_tables(store_t *s)
{
    ngx_codat_work_list_t  *list;

    store_open(s);

    list = ngx_codat_work_create(NGX_CODAT_WORK_LIST,
                                 sizeof(ngx_codat_work_list_t),
                                 ngx_cycle->log);
    list->limit = 1;
    store_ok(s, 0, list);
    ngx_codat_work_free(&list->work);
}


static void
lists_fill(store_t *s, lists_event_t *events)
{
    char        *sql, *p, *last;
    size_t       size;
    ngx_uint_t   i, n;

    size = EVENTS * 1024;
    sql = ngx_pnalloc(s->pool, size);
    assert_non_null(sql);

    last = sql + size;
    p = sql + snprintf(sql, size, "BEGIN;");

    for (i = 0; i < EVENTS; i++) {

        n = lists_random(40);

        events[i].type = lists_types[n == 0 ? 4 : n % 4];
        events[i].company = lists_companies[lists_random(10) ? 0
                                            : lists_random(3)];
        events[i].states = 0;

        /* not quite in the order of rows, as clocks are */

        events[i].received = NOON + (int64_t) (i - i % 3 + lists_random(5))
                                    * SECOND;

        p += snprintf(p, (size_t) (last - p),
                      "INSERT INTO event (id, type, company, endpoint,"
                      " received, state, attempts, succeeded, routes, stale,"
                      " body_digest, body) VALUES (%d, '%s', '%s', 'a /', %lld"
                      ", 'accepted', 1, 0, 0, 0, x'00', '{}');",
                      (int) i + 1, events[i].type, events[i].company,
                      (long long) events[i].received);

        for (n = lists_random(3); n; n--) {
            ngx_codat_queued_e  state;

            state = lists_states[lists_random(8) ? 1 : lists_random(3)];
            events[i].states |= 1u << state;

            p += snprintf(p, (size_t) (last - p),
                          "INSERT INTO delivery (event, route, state, attempts"
                          ", owner, lease) VALUES (%d, 'r', '%s', 0, 0, 0);",
                          (int) i + 1,
                          (char *) ngx_codat_queued_names[state].data);
        }
    }

    (void) snprintf(p, (size_t) (last - p), "COMMIT;");

    store_sql(s, sql);
}


static ngx_uint_t
lists_matches(const char *patterns, const char *type)
{
    const char  *part;

    if (patterns[0] == '\0') {
        return 1;
    }

    /* those that are used here */

    if (ngx_strcmp(patterns, "*") == 0) {
        return 1;
    }

    if (ngx_strcmp(patterns, "Invoices.*,rare.thing") == 0) {
        return strncmp(type, "invoices.", 9) == 0
               || ngx_strcmp(type, "rare.thing") == 0;
    }

    part = strchr(patterns, '*') ? patterns + 2 : NULL;

    return part ? strstr(type, part) != NULL : ngx_strcmp(patterns, type) == 0;
}


static ngx_codat_work_list_t *
lists_unit(store_t *s, const lists_filter_t *filter, ngx_uint_t limit,
    uint64_t before)
{
    ngx_codat_work_list_t  *list;

    list = ngx_codat_work_create(NGX_CODAT_WORK_LIST,
                                 sizeof(ngx_codat_work_list_t),
                                 ngx_cycle->log);
    assert_non_null(list);

    list->filter.type.data = (u_char *) filter->type;
    list->filter.type.len = ngx_strlen(filter->type);
    list->filter.company.data = (u_char *) filter->company;
    list->filter.company.len = ngx_strlen(filter->company);
    list->filter.state = filter->state;
    list->filter.from = filter->from;
    list->filter.until = filter->until;
    list->filter.before = before;
    list->limit = limit;
    list->size = 1024 * 1024;

    store_ok(s, 0, list);

    return list;
}


/* all pages of it, against a look at each event */

static void
lists_compare(store_t *s, const lists_event_t *events,
    const lists_filter_t *filter)
{
    uint64_t                 before, row;
    ngx_uint_t               i;
    const lists_event_t     *event;
    ngx_codat_work_list_t   *list;
    ngx_codat_work_entry_t  *entry;

    row = EVENTS;
    before = 0;

    do {
        list = lists_unit(s, filter, 7, before);
        entry = list->entries.elts;

        for (i = 0; i <= list->entries.nelts; i++) {

            for ( /* void */ ; row; row--) {
                event = &events[row - 1];

                if (lists_matches(filter->type, event->type)
                    && (filter->company[0] == '\0'
                        || ngx_strcmp(filter->company, event->company) == 0)
                    && (filter->state == NGX_CODAT_QUEUED_ANY
                        || (event->states & (1u << filter->state)))
                    && (filter->from == 0 || event->received >= filter->from)
                    && (filter->until == 0
                        || event->received < filter->until))
                {
                    break;
                }
            }

            if (i < list->entries.nelts) {
                assert_int_equal(entry[i].event.id, row);
                row--;
            }
        }

        /* there is more if, and only if, it says so */

        assert_int_equal(list->last != 0, row != 0);
        assert_true(list->last == 0 || list->entries.nelts == 7);

        before = list->last;
        ngx_codat_work_free(&list->work);

    } while (before);
}


static void
lists_find_what_there_is(void **state)
{
    store_t          s;
    ngx_uint_t       c, i, k, t;
    lists_event_t   *events;
    lists_filter_t   filter;

    static const char  *types[] = {
        "", "*", "rare.thing", "Invoices.*,rare.thing", "*.write.successful",
        "*.unsuccessful", "no.such.type"
    };
    static const char  *companies[] = { "", "co0", "co1", "none" };

    lists_tables(&s);

    events = ngx_pcalloc(s.pool, EVENTS * sizeof(lists_event_t));
    assert_non_null(events);

    lists_fill(&s, events);

    for (t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        for (c = 0; c < sizeof(companies) / sizeof(companies[0]); c++) {
            for (i = 0; i < 4; i++) {
                for (k = 0; k < 4; k++) {
                    filter.type = types[t];
                    filter.company = companies[c];
                    filter.state = i ? lists_states[i - 1]
                                     : NGX_CODAT_QUEUED_ANY;
                    filter.from = (k & 1) ? NOON + 100 * SECOND : 0;
                    filter.until = (k & 2) ? NOON + 300 * SECOND : 0;

                    lists_compare(&s, events, &filter);
                }
            }
        }
    }

    store_close(&s);
}


/* many events, of which one in two is of the one type or of the other */

static void
lists_many(store_t *s, ngx_uint_t n)
{
    char  sql[1024];

    (void) snprintf(sql, sizeof(sql),
                    "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT"
                    " i + 1 FROM n WHERE i < %d) INSERT INTO event (id, type,"
                    " company, endpoint, received, state, attempts, succeeded,"
                    " routes, stale, body_digest, body) SELECT i,"
                    " CASE WHEN i %% 2 THEN 'odd.thing' ELSE 'even.thing' END,"
                    " 'co', 'a /', i, 'accepted', 1, 0, 0, 0, x'00', '{}'"
                    " FROM n;"
                    "INSERT INTO delivery (event, route, state, attempts,"
                    " owner, lease) SELECT id, 'r', CASE WHEN id %% 2"
                    " THEN 'delivered' ELSE 'dead' END, 0, 0, 0 FROM event;",
                    (int) n);

    store_sql(s, sql);
}


/*
 * What is rare is found at once, however it is asked for, and wherever it is;
 * what is not there at all among very many takes several units
 */

static void
lists_take_no_longer_than_they_must(void **state)
{
    store_t                 s;
    ngx_uint_t              i, units;
    uint64_t                before;
    ngx_codat_work_list_t  *list;

    static const lists_filter_t  rare[] = {
        { "rare.thing", "", NGX_CODAT_QUEUED_ANY, 0, 0 },
        { "rare.*", "", NGX_CODAT_QUEUED_ANY, 0, 0 },
        { "rare.thing", "co", NGX_CODAT_QUEUED_ANY, 0, 0 },
        { "rare.thing", "co", NGX_CODAT_QUEUED_DELIVERED, 0, 0 },
        { "odd.thing,rare.thing", "", NGX_CODAT_QUEUED_PENDING, 0, 0 },
        { "*", "co", NGX_CODAT_QUEUED_PENDING, 0, 0 },
        { "", "", NGX_CODAT_QUEUED_PENDING, 1, 0 },
    };
    static const lists_filter_t  none = {
        "odd.thing", "co", NGX_CODAT_QUEUED_DEAD, 0, 0
    };

    lists_tables(&s);
    lists_many(&s, 3 * NGX_CODAT_WORK_SCAN);

    store_sql(&s, "UPDATE event SET type = 'rare.thing' WHERE id = 3;"
                  "INSERT INTO delivery (event, route, state, attempts, owner"
                  ", lease) VALUES (3, 'r', 'pending', 0, 0, 0)");

    for (i = 0; i < sizeof(rare) / sizeof(rare[0]); i++) {
        list = lists_unit(&s, &rare[i], 10, 0);
        assert_int_equal(list->entries.nelts, 1);
        assert_int_equal(((ngx_codat_work_entry_t *)
                          list->entries.elts)->event.id, 3);
        assert_int_equal(list->last, 0);
        ngx_codat_work_free(&list->work);
    }

    before = 0;
    units = 0;

    do {
        list = lists_unit(&s, &none, 10, before);
        assert_int_equal(list->entries.nelts, 0);
        assert_true(before == 0 || list->last < before);
        before = list->last;
        units++;
        ngx_codat_work_free(&list->work);

    } while (before);

    assert_in_range(units, 2, 20);

    store_close(&s);
}


/*
 * A plan says "SEARCH" of a table, or "SCAN" of one that is read from its
 * beginning on, or of such an index.  These may: there is little in it, or it
 * is wanted.
 */

static const char  *lists_scans[] = {

    /* a clock was set back */
    "CLOCK_DISPATCH", "CLOCK_CONSUMER", "CLOCK_TURN",

    /* indexes of what is under way alone */
    "FANOUT_SCAN", "CONSUMERS_WAIT", "CONSUMERS_EXPIRED",
    "CONSUMERS_END_FANOUT", "CONSUMERS_END", "DISPATCH_EXPIRED",
    "DISPATCH_RELEASE", "DISPATCH_OWNED",
    "CONSUMER_PENDING", "CONSUMER_LEASED",

    /* consumers are counted; a row of the types that were found */
    "CONSUMER_COUNT", "EVENT_TYPES", "EVENT_NEWEST",

    NULL
};


static void
lists_plan(sqlite3 *db, const char *name, const char *sql, ngx_uint_t *seen)
{
    char           text[4096];
    const char    *detail;
    ngx_uint_t     i, scans;
    sqlite3_stmt  *stmt;

    (void) snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql);

    if (sqlite3_prepare_v2(db, text, -1, &stmt, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", name, sqlite3_errmsg(db));
    }

    for (scans = 0; sqlite3_step(stmt) == SQLITE_ROW; /* void */) {
        detail = (const char *) sqlite3_column_text(stmt, 3);

        if (strstr(detail, "TEMP B-TREE") != NULL) {
            fail_msg("%s: %s", name, detail);
        }

        if (strncmp(detail, "SCAN ", 5) != 0
            || strcmp(detail, "SCAN CONSTANT ROW") == 0)
        {
            continue;
        }

        for (i = 0; lists_scans[i]; i++) {
            if (ngx_strcmp(lists_scans[i], name) == 0) {
                break;
            }
        }

        if (lists_scans[i] == NULL) {
            fail_msg("%s: %s", name, detail);
        }

        scans = 1;
    }

    *seen += scans;

    (void) sqlite3_finalize(stmt);
}


static void
lists_walk_no_table(void **state)
{
    store_t      s;
    sqlite3     *db;
    ngx_uint_t   seen;

    lists_tables(&s);

    assert_int_equal(sqlite3_open((char *) s.path, &db), SQLITE_OK);

    seen = 0;

#define X(name, sql)  lists_plan(db, #name, sql, &seen);
#include "ngx_codat_sqlite_x.h"
#undef X

    /* each of the list is needed there */

    assert_int_equal(seen, sizeof(lists_scans) / sizeof(lists_scans[0]) - 1);

    assert_int_equal(sqlite3_close(db), SQLITE_OK);

    store_close(&s);
}


static ngx_codat_work_prune_t *
lists_prune(store_t *s, int64_t before, ngx_uint_t limit, int64_t after)
{
    ngx_codat_work_prune_t  *prune;

    prune = ngx_codat_work_create(NGX_CODAT_WORK_PRUNE,
                                  sizeof(ngx_codat_work_prune_t),
                                  ngx_cycle->log);
    assert_non_null(prune);

    prune->before = before;
    prune->limit = limit;
    prune->after = after;
    store_ok(s, 0, prune);

    return prune;
}


/*
 * Old pushes go a part at a time, past those that are pending; those that
 * are not old are not looked at again and again
 */

static void
lists_drop_old_pushes(void **state)
{
    store_t                  s;
    int64_t                  after;
    ngx_uint_t               n, units;
    ngx_codat_work_prune_t  *prune;

    lists_tables(&s);

    /* of 300 old ones each third is pending; 200 new ones */

    store_sql(&s, "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1"
              " FROM n WHERE i < 500) INSERT INTO push (id, touched, version,"
              " origin, state, flags, record) SELECT 'k' || i,"
              " CASE WHEN i <= 300 THEN i ELSE 10000 + i END, i, 1,"
              " CASE WHEN i % 3 THEN 2 ELSE 1 END, 0, x'00' FROM n");

    units = 0;
    after = 0;

    do {
        prune = lists_prune(&s, 10000, 50, after);
        n = prune->more;
        after = prune->last;
        ngx_codat_work_free(&prune->work);

    } while (n && ++units < 100);

    assert_in_range(units, 1, 20);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM push"), 300);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM push"
                                 " WHERE touched < 10000 AND state <> 1"), 0);

    /* it begins anew each time, as what was pending may be over */

    store_sql(&s, "UPDATE push SET state = 2 WHERE id = 'k3'");

    assert_int_equal(after, 0);

    prune = lists_prune(&s, 10000, 50, after);
    assert_int_equal(prune->dropped, 1);
    ngx_codat_work_free(&prune->work);

    store_close(&s);
}


int
ngx_codat_unit_lists(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(lists_find_what_there_is),
        cmocka_unit_test(lists_take_no_longer_than_they_must),
        cmocka_unit_test(lists_walk_no_table),
        cmocka_unit_test(lists_drop_old_pushes),
    };

    return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}
