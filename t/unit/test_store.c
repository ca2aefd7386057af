
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Units of work in an SQLite database: what is accepted, merged, claimed and
 * recorded, also by several workers of several nginx at once.  Each test has
 * a database of its own.
 */


#include "ngx_codat_unit_failures.h"
#include "ngx_codat_unit_store.h"


static const char  *success =
    "{'id':'%s','eventType':'invoices.write.successful'"
    ",'generatedDate':'2024-08-08T11:00:00Z','payload':{'id':'%s'"
    ",'referenceCompany':{'id':'co1','name':'Toft'},'connectionId':'dc1'"
    ",'status':'Success','record':{'id':'r1'}}}";


static ngx_codat_work_receive_t *
store_push(store_t *s, const char *id, const char *key, ngx_uint_t seconds)
{
    char  body[1024];

    (void) snprintf(body, sizeof(body), success, id, key);

    return store_event(s, body, seconds);
}


static ngx_codat_work_delivery_t *
store_to(ngx_codat_work_receive_t *work, const char *route, const char *order,
    ngx_uint_t max)
{
    ngx_codat_work_delivery_t  *delivery;

    delivery = ngx_array_push(&work->deliveries);
    assert_non_null(delivery);

    ngx_memzero(delivery, sizeof(ngx_codat_work_delivery_t));

    delivery->route.data = (u_char *) route;
    delivery->route.len = ngx_strlen(route);
    delivery->order_key.data = (u_char *) order;
    delivery->order_key.len = ngx_strlen(order);
    delivery->max = max;

    return delivery;
}


/* claims for a route as "owner" at that second, and says how many */

static ngx_codat_work_claim_t *
store_claim(store_t *s, const char *route, ngx_uint_t max, uint64_t owner,
    ngx_uint_t seconds)
{
    ngx_codat_work_claim_t     *work;
    ngx_codat_work_delivery_t  *delivery;

    work = ngx_codat_work_create(NGX_CODAT_WORK_CLAIM,
                                 sizeof(ngx_codat_work_claim_t),
                                 ngx_cycle->log);
    assert_non_null(work);

    assert_int_equal(ngx_array_init(&work->routes, work->work.pool, 1,
                                    sizeof(ngx_codat_work_delivery_t)),
                     NGX_OK);
    delivery = ngx_array_push(&work->routes);
    ngx_memzero(delivery, sizeof(ngx_codat_work_delivery_t));
    delivery->route.data = (u_char *) route;
    delivery->route.len = ngx_strlen(route);
    delivery->max = max;

    work->now = NOON + (int64_t) seconds * SECOND;
    work->lease = work->now + 20 * SECOND;
    work->owner = owner;
    work->limit = 64;
    work->size = 1024 * 1024;

    store_ok(s, owner & 1, work);

    return work;
}


/* the same, but only how many there were */

static ngx_uint_t
store_claims(store_t *s, const char *route, ngx_uint_t max, uint64_t owner,
    ngx_uint_t seconds)
{
    ngx_uint_t               n;
    ngx_codat_work_claim_t  *work;

    work = store_claim(s, route, max, owner, seconds);
    n = work->claimed.nelts;
    ngx_codat_work_free(&work->work);

    return n;
}


static ngx_int_t
store_result(store_t *s, uint64_t delivery, uint64_t owner,
    ngx_codat_queued_e state, ngx_uint_t seconds, ngx_uint_t again)
{
    ngx_int_t                 rc;
    ngx_codat_work_result_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_RESULT,
                                 sizeof(ngx_codat_work_result_t),
                                 ngx_cycle->log);
    assert_non_null(work);

    work->delivery = delivery;
    work->owner = owner;
    work->state = state;
    work->status = (state == NGX_CODAT_QUEUED_DELIVERED) ? 200 : 500;
    work->now = NOON + (int64_t) seconds * SECOND;
    work->next = NOON + (int64_t) again * SECOND;

    if (state != NGX_CODAT_QUEUED_DELIVERED) {
        ngx_str_set(&work->error, "answered with status 500");
    }

    store_run(s, 0, work);
    assert_string_equal((char *) s->error, "");

    rc = work->work.rc;
    ngx_codat_work_free(&work->work);

    return rc;
}


static ngx_codat_work_list_t *
store_list(store_t *s, ngx_codat_queued_e state, const char *type,
    ngx_uint_t limit, uint64_t before)
{
    ngx_codat_work_list_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_LIST,
                                 sizeof(ngx_codat_work_list_t),
                                 ngx_cycle->log);
    assert_non_null(work);

    work->filter.state = state;
    work->filter.type.data = (u_char *) type;
    work->filter.type.len = ngx_strlen(type);
    work->filter.before = before;
    work->limit = limit;
    work->size = 1024 * 1024;

    store_ok(s, 0, work);

    return work;
}


static ngx_codat_work_row_t *
store_row(ngx_array_t *rows, ngx_codat_record_kind_e kind)
{
    ngx_uint_t             i;
    ngx_codat_work_row_t  *row;

    row = rows->elts;

    for (i = 0; i < rows->nelts; i++) {
        if (row[i].record.kind == kind) {
            return &row[i];
        }
    }

    fail_msg("no row of kind %d", kind);

    return NULL;
}


#define assert_text(s, text)                                                  \
    assert_int_equal((s).len, sizeof(text) - 1);                              \
    assert_memory_equal((s).data, text, sizeof(text) - 1)


/* --- events ------------------------------------------------------------- */

static void
store_accepts_once(void **state)
{
    store_t                    s;
    ngx_codat_work_receive_t  *work;

    store_open(&s);

    work = store_push(&s, "e1", "k1", 0);
    (void) store_to(work, "all", "", 8);
    store_ok(&s, 0, work);
    assert_int_equal(work->outcome, NGX_OK);
    assert_int_equal(work->attempt, 1);
    assert_int_not_equal(work->event.id, 0);
    ngx_codat_work_free(&work->work);

    /* by another worker, of another nginx too */

    work = store_push(&s, "e1", "k1", 1);
    work->origin = 2;
    (void) store_to(work, "all", "", 8);
    store_ok(&s, 1, work);
    assert_int_equal(work->outcome, NGX_DONE);
    assert_int_equal(work->changed, 0);
    assert_int_equal(work->rows.nelts, 0);
    ngx_codat_work_free(&work->work);

    /* another body under the same id is a duplicate too */

    work = store_push(&s, "e1", "k2", 2);
    (void) store_to(work, "all", "", 8);
    store_ok(&s, 0, work);
    assert_int_equal(work->outcome, NGX_DONE);
    assert_int_equal(work->changed, 1);
    ngx_codat_work_free(&work->work);

    assert_int_equal(store_claims(&s, "all", 8, 12, 30), 1);

    /* the window is over */

    work = store_push(&s, "e1", "k1", 3600);
    (void) store_to(work, "all", "", 8);
    store_ok(&s, 0, work);
    assert_int_equal(work->outcome, NGX_OK);
    ngx_codat_work_free(&work->work);

    /* ids that nobody gave are no duplicates */

    work = store_push(&s, "e1", "k1", 3601);
    work->event.known = 0;
    work->accept = 1;
    store_ok(&s, 0, work);
    assert_int_equal(work->outcome, NGX_OK);
    ngx_codat_work_free(&work->work);

    store_close(&s);
}


static void
store_runs_again(void **state)
{
    store_t                    s;
    ngx_codat_work_done_t     *done;
    ngx_codat_work_receive_t  *work;
    uint64_t                   id;

    store_open(&s);

    work = store_push(&s, "e1", "k1", 0);
    store_ok(&s, 0, work);
    assert_int_equal(work->outcome, NGX_OK);
    id = work->event.id;
    ngx_codat_work_free(&work->work);

    /* another nginx leaves it alone as long as the lease says so */

    work = store_push(&s, "e1", "k1", 10);
    work->origin = 2;
    store_ok(&s, 1, work);
    assert_int_equal(work->outcome, NGX_BUSY);
    ngx_codat_work_free(&work->work);

    /* one forward of two */

    done = ngx_codat_work_create(NGX_CODAT_WORK_DONE,
                                 sizeof(ngx_codat_work_done_t),
                                 ngx_cycle->log);
    done->event = id;
    done->succeeded = 2;
    store_ok(&s, 0, done);
    ngx_codat_work_free(&done->work);

    work = store_push(&s, "e1", "k1", 11);
    work->origin = 2;
    store_ok(&s, 1, work);
    assert_int_equal(work->outcome, NGX_OK);
    assert_int_equal(work->succeeded, 2);
    assert_int_equal(work->attempt, 2);
    assert_int_equal(work->event.id, id);
    ngx_codat_work_free(&work->work);

    /* the worker died; its own nginx knows */

    work = store_push(&s, "e1", "k1", 12);
    work->origin = 2;
    store_ok(&s, 0, work);
    assert_int_equal(work->outcome, NGX_OK);
    assert_int_equal(work->attempt, 3);
    ngx_codat_work_free(&work->work);

    /* and another one after the lease */

    work = store_push(&s, "e1", "k1", 40);
    store_ok(&s, 0, work);
    assert_int_equal(work->outcome, NGX_OK);
    assert_int_equal(work->attempt, 4);
    ngx_codat_work_free(&work->work);

    done = ngx_codat_work_create(NGX_CODAT_WORK_DONE,
                                 sizeof(ngx_codat_work_done_t),
                                 ngx_cycle->log);
    done->event = id;
    done->succeeded = 1;
    done->accepted = 1;
    store_ok(&s, 0, done);
    ngx_codat_work_free(&done->work);

    work = store_push(&s, "e1", "k1", 41);
    store_ok(&s, 0, work);
    assert_int_equal(work->outcome, NGX_DONE);
    ngx_codat_work_free(&work->work);

    store_close(&s);
}


/* --- rows --------------------------------------------------------------- */

static void
store_merges_rows(void **state)
{
    store_t                    s;
    uint64_t                   version;
    ngx_array_t                facts;
    ngx_codat_event_t          event;
    ngx_codat_work_row_t      *row;
    ngx_codat_work_rows_t     *rows;
    ngx_codat_work_load_t     *load;
    ngx_codat_work_receive_t  *work;

    store_open(&s);

    work = store_push(&s, "e1", "k1", 0);
    work->accept = 1;
    store_ok(&s, 0, work);
    row = store_row(&work->rows, NGX_CODAT_RECORD_PUSH);
    assert_int_equal(row->record.state, NGX_CODAT_PUSH_SUCCESS);
    assert_int_equal(row->status, 1);
    version = row->version;
    (void) store_row(&work->rows, NGX_CODAT_RECORD_COMPANY);
    ngx_codat_work_free(&work->work);

    /* a reference that comes later, through another worker */

    rows = ngx_codat_work_create(NGX_CODAT_WORK_ROWS,
                                 sizeof(ngx_codat_work_rows_t),
                                 ngx_cycle->log);
    ngx_codat_world_facts(s.pool, ngx_codat_world_json(s.pool,
        "{'id':'x','eventType':'invoices.write.pending','payload':"
        "{'id':'k1','status':'Pending'}}"), 1, &event, &facts);
    facts.nelts = 1;
    ((ngx_codat_record_t *) facts.elts)->flags = NGX_CODAT_MERGE_BY_HAND;
    ngx_str_set(&((ngx_codat_record_t *) facts.elts)
                    ->texts[NGX_CODAT_TEXT_REFERENCE], "expense-17");
    assert_int_equal(ngx_codat_work_facts(&rows->work, &rows->facts, &facts),
                     NGX_OK);
    rows->origin = 2;
    store_ok(&s, 1, rows);
    row = store_row(&rows->rows, NGX_CODAT_RECORD_PUSH);
    assert_int_equal(row->record.state, NGX_CODAT_PUSH_SUCCESS);
    assert_true(row->version > version);
    assert_text(row->record.texts[NGX_CODAT_TEXT_REFERENCE], "expense-17");
    assert_text(row->record.texts[NGX_CODAT_TEXT_RECORD], "r1");
    version = row->version;
    ngx_codat_work_free(&rows->work);

    /* an event that says nothing new: no new version, the reference known */

    work = store_push(&s, "e2", "k1", 0);
    work->accept = 1;
    store_ok(&s, 0, work);
    assert_text(work->event.reference, "expense-17");
    row = store_row(&work->rows, NGX_CODAT_RECORD_PUSH);
    assert_int_equal(row->version, version);
    ngx_codat_work_free(&work->work);

    /* what the other one has written */

    load = ngx_codat_work_create(NGX_CODAT_WORK_LOAD,
                                 sizeof(ngx_codat_work_load_t),
                                 ngx_cycle->log);
    load->kind = NGX_CODAT_RECORD_PUSH;
    load->origin = 1;
    load->foreign = 1;
    load->limit = 10;
    store_ok(&s, 0, load);
    assert_int_equal(load->rows.nelts, 1);
    assert_int_equal(load->last, version);
    assert_int_equal(load->more, 0);
    row = load->rows.elts;
    assert_text(row->record.texts[NGX_CODAT_TEXT_ID], "k1");
    assert_text(row->record.texts[NGX_CODAT_TEXT_COMPANY], "co1");
    ngx_codat_work_free(&load->work);

    store_close(&s);
}


/* --- deliveries --------------------------------------------------------- */

static void
store_bounds_deliveries(void **state)
{
    store_t                     s;
    char                        id[16];
    ngx_uint_t                  i, claimed;
    ngx_codat_work_receive_t   *work;
    ngx_codat_work_delivery_t  *to;
    uint64_t                    first;

    store_open(&s);

    claimed = 0;
    first = 0;

    for (i = 0; i < 5; i++) {
        (void) snprintf(id, sizeof(id), "e%d", (int) i);
        work = store_push(&s, id, id, 0);
        to = store_to(work, "all", "", 2);
        store_ok(&s, i & 1, work);
        claimed += to->claimed;
        first = first ? first : to->id;
        ngx_codat_work_free(&work->work);
    }

    assert_int_equal(claimed, 2);
    assert_int_equal(store_claims(&s, "all", 2, 12, 1), 0);
    assert_int_equal(store_claims(&s, "none", 2, 12, 1), 0);

    /* one is over: one more may run */

    assert_int_equal(store_result(&s, first, 11, NGX_CODAT_QUEUED_DELIVERED,
                                  2, 0),
                     NGX_OK);
    assert_int_equal(store_claims(&s, "all", 2, 12, 2), 1);
    assert_int_equal(store_claims(&s, "all", 2, 12, 2), 0);

    /* the worker has died: its leases end, at 20 and 22 */

    assert_int_equal(store_claims(&s, "all", 2, 14, 21), 1);
    assert_int_equal(store_claims(&s, "all", 2, 14, 23), 1);

    /* the former owner still says what it knows, if that is a success */

    assert_int_equal(store_result(&s, first + 1, 11,
                                  NGX_CODAT_QUEUED_PENDING, 24, 25),
                     NGX_DECLINED);
    assert_int_equal(store_result(&s, first + 1, 11,
                                  NGX_CODAT_QUEUED_DELIVERED, 24, 0),
                     NGX_OK);
    assert_int_equal(store_result(&s, first + 1, 14,
                                  NGX_CODAT_QUEUED_DEAD, 24, 0),
                     NGX_DECLINED);

    store_close(&s);
}


static void
store_keeps_order(void **state)
{
    store_t                     s;
    ngx_codat_work_claim_t     *claim;
    ngx_codat_work_receive_t   *work;
    ngx_codat_work_claimed_t   *claimed;
    uint64_t                    a1, a2, b1;

    store_open(&s);

    work = store_push(&s, "e1", "k1", 0);
    (void) store_to(work, "all", "a", 8);
    store_ok(&s, 0, work);
    a1 = ((ngx_codat_work_delivery_t *) work->deliveries.elts)->id;
    assert_int_equal(((ngx_codat_work_delivery_t *)
                          work->deliveries.elts)->claimed, 1);
    ngx_codat_work_free(&work->work);

    work = store_push(&s, "e2", "k2", 0);
    (void) store_to(work, "all", "a", 8);
    store_ok(&s, 1, work);
    a2 = ((ngx_codat_work_delivery_t *) work->deliveries.elts)->id;
    assert_int_equal(((ngx_codat_work_delivery_t *)
                          work->deliveries.elts)->claimed, 0);
    ngx_codat_work_free(&work->work);

    work = store_push(&s, "e3", "k3", 0);
    (void) store_to(work, "all", "b", 8);
    store_ok(&s, 1, work);
    b1 = ((ngx_codat_work_delivery_t *) work->deliveries.elts)->id;
    assert_int_equal(((ngx_codat_work_delivery_t *)
                          work->deliveries.elts)->claimed, 1);
    ngx_codat_work_free(&work->work);

    assert_int_equal(store_claims(&s, "all", 8, 12, 1), 0);

    /* it is tried again later, and what is behind it waits */

    assert_int_equal(store_result(&s, a1, 11, NGX_CODAT_QUEUED_PENDING, 2,
                                  10),
                     NGX_OK);
    claim = store_claim(&s, "all", 8, 12, 3);
    assert_int_equal(claim->claimed.nelts, 0);
    assert_int_equal(claim->next, NOON + 10 * SECOND);
    ngx_codat_work_free(&claim->work);

    claim = store_claim(&s, "all", 8, 12, 10);
    assert_int_equal(claim->claimed.nelts, 1);
    claimed = claim->claimed.elts;
    assert_int_equal(claimed[0].delivery.id, a1);
    assert_int_equal(claimed[0].delivery.attempt, 2);
    assert_text(claimed[0].event.event_id, "e1");
    assert_text(claimed[0].event.endpoint, "a /hook");
    ngx_codat_work_free(&claim->work);

    assert_int_equal(store_result(&s, a1, 12, NGX_CODAT_QUEUED_DEAD, 11, 0),
                     NGX_OK);
    claim = store_claim(&s, "all", 8, 12, 12);
    assert_int_equal(claim->claimed.nelts, 1);
    claimed = claim->claimed.elts;
    assert_int_equal(claimed[0].delivery.id, a2);
    ngx_codat_work_free(&claim->work);

    assert_int_equal(store_result(&s, b1, 11, NGX_CODAT_QUEUED_DELIVERED, 12,
                                  0),
                     NGX_OK);

    store_close(&s);
}


static void
store_lists_and_replays(void **state)
{
    store_t                     s;
    char                        id[16];
    uint64_t                    event, before;
    ngx_uint_t                  i, n;
    ngx_codat_work_list_t      *list;
    ngx_codat_work_cancel_t    *cancel;
    ngx_codat_work_replay_t    *replay;
    ngx_codat_work_receive_t   *work;
    ngx_codat_work_entry_t     *entries;
    ngx_codat_work_listed_t    *listed;
    ngx_codat_work_replayed_t  *replayed;

    store_open(&s);

    event = 0;

    for (i = 0; i < 25; i++) {
        (void) snprintf(id, sizeof(id), "e%d", (int) i);
        work = store_push(&s, id, id, i);
        (void) store_to(work, "all", "", 100);
        store_ok(&s, 0, work);

        if (i % 5 == 0) {
            event = work->event.id;
            assert_int_equal(store_result(&s,
                 ((ngx_codat_work_delivery_t *) work->deliveries.elts)->id,
                 11, NGX_CODAT_QUEUED_DEAD, i, 0), NGX_OK);
        }

        ngx_codat_work_free(&work->work);
    }

    /* pages, newest first */

    for (n = 0, before = 0; /* void */ ; /* void */) {
        list = store_list(&s, NGX_CODAT_QUEUED_ANY,
                          "INVOICES.write.successful", 10, before);
        entries = list->entries.elts;

        for (i = 0; i < list->entries.nelts; i++, n++) {
            assert_true(before == 0 || entries[i].event.id < before);
            before = entries[i].event.id;
        }

        if (list->last == 0) {
            ngx_codat_work_free(&list->work);
            break;
        }

        ngx_codat_work_free(&list->work);
    }

    assert_int_equal(n, 25);

    list = store_list(&s, NGX_CODAT_QUEUED_ANY, "no.such.type", 10, 0);
    assert_int_equal(list->entries.nelts, 0);
    ngx_codat_work_free(&list->work);

    list = store_list(&s, NGX_CODAT_QUEUED_DEAD, "", 3, 0);
    assert_int_equal(list->entries.nelts, 3);
    assert_true(list->last != 0);
    entries = list->entries.elts;
    assert_text(entries[0].event.event_id, "e20");
    assert_int_equal(entries[0].deliveries.nelts, 1);
    listed = entries[0].deliveries.elts;
    assert_int_equal(listed->state, NGX_CODAT_QUEUED_DEAD);
    assert_int_equal(listed->status, 500);
    assert_text(listed->error, "answered with status 500");
    ngx_codat_work_free(&list->work);

    /* a dead one lives again, and only once; a new route is a new delivery */

    for (i = 0; i < 2; i++) {
        replay = ngx_codat_work_create(NGX_CODAT_WORK_REPLAY,
                                       sizeof(ngx_codat_work_replay_t),
                                       ngx_cycle->log);
        assert_int_equal(ngx_array_init(&replay->replayed,
                                        replay->work.pool, 2,
                                        sizeof(ngx_codat_work_replayed_t)),
                         NGX_OK);

        for (n = 0; n < 2; n++) {
            replayed = ngx_array_push(&replay->replayed);
            ngx_memzero(replayed, sizeof(ngx_codat_work_replayed_t));
            replayed->event = event;
            replayed->delivery.max = 8;
            ngx_str_set(&replayed->delivery.nonce, "again");

            if (n) {
                ngx_str_set(&replayed->delivery.route, "other");

            } else {
                ngx_str_set(&replayed->delivery.route, "all");
            }
        }

        replay->now = NOON + 60 * SECOND;
        store_ok(&s, 0, replay);
        assert_int_equal(replay->count, i ? 0 : 2);
        ngx_codat_work_free(&replay->work);
    }

    list = store_list(&s, NGX_CODAT_QUEUED_DEAD, "", 10, 0);
    assert_int_equal(list->entries.nelts, 4);
    ngx_codat_work_free(&list->work);

    list = store_list(&s, NGX_CODAT_QUEUED_PENDING, "", 100, 0);
    assert_int_equal(list->entries.nelts, 21);
    ngx_codat_work_free(&list->work);

    cancel = ngx_codat_work_create(NGX_CODAT_WORK_CANCEL,
                                   sizeof(ngx_codat_work_cancel_t),
                                   ngx_cycle->log);
    cancel->filter.id = event;
    cancel->limit = 10;
    cancel->now = NOON + 61 * SECOND;
    store_ok(&s, 0, cancel);
    assert_int_equal(cancel->count, 2);
    ngx_codat_work_free(&cancel->work);

    assert_int_equal(store_claims(&s, "other", 8, 12, 62), 0);

    store_close(&s);
}


static void
store_prunes(void **state)
{
    store_t                    s;
    char                       id[16];
    ngx_uint_t                 i;
    ngx_codat_work_list_t     *list;
    ngx_codat_work_prune_t    *prune;
    ngx_codat_work_receive_t  *work;

    store_open(&s);

    for (i = 0; i < 6; i++) {
        (void) snprintf(id, sizeof(id), "e%d", (int) i);
        work = store_push(&s, id, id, i);

        if (i == 1) {
            (void) store_to(work, "all", "", 8);

        } else {
            work->accept = 1;
        }

        store_ok(&s, 0, work);
        ngx_codat_work_free(&work->work);
    }

    prune = ngx_codat_work_create(NGX_CODAT_WORK_PRUNE,
                                  sizeof(ngx_codat_work_prune_t),
                                  ngx_cycle->log);
    prune->before = NOON + 4 * SECOND;
    prune->limit = 100;
    store_ok(&s, 0, prune);
    ngx_codat_work_free(&prune->work);

    /* e1 has yet to be delivered */

    list = store_list(&s, NGX_CODAT_QUEUED_ANY, "", 10, 0);
    assert_int_equal(list->entries.nelts, 3);
    ngx_codat_work_free(&list->work);

    store_close(&s);
}


/* --- groups and files --------------------------------------------------- */

static void
store_isolates_failures(void **state)
{
    store_t                    s;
    ngx_codat_work_t          *bad;
    ngx_codat_work_list_t     *list;
    ngx_codat_work_receive_t  *a, *b;

    store_open(&s);

    a = store_push(&s, "e1", "k1", 0);
    a->accept = 1;
    b = store_push(&s, "e2", "k2", 0);
    b->accept = 1;

    bad = ngx_codat_work_create(NGX_CODAT_WORK_OPS, sizeof(ngx_codat_work_t),
                                ngx_cycle->log);

    a->work.next = bad;
    bad->next = &b->work;

    store_run(&s, 0, a);

    assert_int_equal(a->work.rc, NGX_OK);
    assert_int_equal(bad->rc, NGX_ERROR);
    assert_int_equal(b->work.rc, NGX_OK);
    assert_string_equal((char *) s.error, "unknown unit of work");

    ngx_codat_work_free(bad);
    ngx_codat_work_free(&a->work);
    ngx_codat_work_free(&b->work);

    list = store_list(&s, NGX_CODAT_QUEUED_ANY, "", 10, 0);
    assert_int_equal(list->entries.nelts, 2);
    ngx_codat_work_free(&list->work);

    store_close(&s);
}


/* forwards that an nginx knows, NULL at the end; how many are given up */

static ngx_uint_t
store_know(store_t *s, ngx_uint_t seconds, ngx_uint_t grace,
    ngx_uint_t limit, const char **names)
{
    ngx_str_t                *route;
    ngx_uint_t                i, n;
    ngx_codat_work_gone_t    *gone;
    ngx_codat_work_routes_t  *work;

    work = ngx_codat_work_create(NGX_CODAT_WORK_ROUTES,
                                 sizeof(ngx_codat_work_routes_t),
                                 ngx_cycle->log);
    assert_non_null(work);
    assert_int_equal(ngx_array_init(&work->routes, work->work.pool, 4,
                                    sizeof(ngx_str_t)),
                     NGX_OK);

    for ( /* void */ ; *names; names++) {
        route = ngx_array_push(&work->routes);
        route->data = (u_char *) *names;
        route->len = ngx_strlen(*names);
    }

    work->now = NOON + (int64_t) seconds * SECOND;
    work->before = grace ? work->now - (int64_t) grace * SECOND : 0;
    work->limit = limit;

    store_ok(s, 0, work);

    gone = work->gone.elts;

    for (i = 0, n = 0; i < work->gone.nelts; i++) {
        n += gone[i].count;
    }

    ngx_codat_work_free(&work->work);

    return n;
}


static void
store_gives_up_without_a_forward(void **state)
{
    store_t                    s;
    const char                *all[] = { "r1", "r2", "r3", NULL };
    const char                *some[] = { "r2", NULL };
    ngx_codat_work_list_t     *list;
    ngx_codat_work_entry_t    *entry;
    ngx_codat_work_listed_t   *listed;
    ngx_codat_work_receive_t  *work;

    store_open(&s);

    /* r1: one leased until 20, two blocked behind it; r2; r3: one waits */

    work = store_push(&s, "e1", "k1", 0);
    store_to(work, "r1", "key", 8);
    store_to(work, "r2", "", 8);
    store_ok(&s, 0, work);
    ngx_codat_work_free(&work->work);

    work = store_push(&s, "e2", "k2", 0);
    store_to(work, "r1", "key", 8);
    store_to(work, "r1", "key", 8);
    store_to(work, "r3", "", 0);
    store_ok(&s, 0, work);
    ngx_codat_work_free(&work->work);

    /* whoever meets one that it does not know takes its time */

    assert_int_equal(store_know(&s, 1, 60, 100, some), 0);
    assert_int_equal(store_know(&s, 50, 60, 100, some), 0);

    /* another nginx knows all of them */

    assert_int_equal(store_know(&s, 60, 60, 100, all), 0);
    assert_int_equal(store_know(&s, 119, 60, 100, some), 0);

    /* nobody is sure */

    assert_int_equal(store_know(&s, 130, 0, 100, some), 0);

    /* claimed: left to whoever has it; those behind it are not */

    assert_int_equal(store_claims(&s, "r1", 8, 11, 130), 1);
    assert_int_equal(store_know(&s, 131, 60, 1, some), 1);
    assert_int_equal(store_know(&s, 131, 60, 100, some), 2);
    assert_int_equal(store_know(&s, 132, 60, 100, some), 0);

    /* until its lease is over */

    assert_int_equal(store_know(&s, 151, 60, 100, some), 1);
    assert_int_equal(store_claims(&s, "r2", 8, 11, 151), 1);
    assert_int_equal(store_claims(&s, "r1", 8, 11, 151), 0);

    list = store_list(&s, NGX_CODAT_QUEUED_DEAD, "", 10, 0);
    assert_int_equal(list->entries.nelts, 2);
    entry = list->entries.elts;
    listed = entry[0].deliveries.elts;
    assert_int_equal(entry[0].deliveries.nelts, 3);
    assert_int_equal(listed[0].state, NGX_CODAT_QUEUED_DEAD);
    assert_int_equal(listed[0].attempts, 0);
    assert_int_equal(listed[0].finished, NOON + 131 * SECOND);
    assert_memory_equal(listed[0].error.data,
                        "no such codat_forward in the configuration",
                        listed[0].error.len);
    ngx_codat_work_free(&list->work);

    /* the clock is set back: what was known then is known now */

    work = store_push(&s, "e3", "k3", 100);
    store_to(work, "r1", "", 0);
    store_ok(&s, 0, work);
    ngx_codat_work_free(&work->work);

    assert_int_equal(store_know(&s, 200, 60, 100, all), 0);
    assert_int_equal(store_know(&s, 100, 60, 100, some), 0);
    assert_int_equal(store_know(&s, 159, 60, 100, some), 0);
    assert_int_equal(store_know(&s, 161, 60, 100, some), 1);

    store_close(&s);
}


static void
store_bears_a_clock_set_back(void **state)
{
    store_t                    s;
    const char                *all[] = { "r", NULL };
    ngx_codat_work_claim_t    *claim;
    ngx_codat_work_claimed_t  *claimed;
    ngx_codat_work_receive_t  *work;

    store_open(&s);

    /* one is due again ten seconds later, one is leased for twenty */

    work = store_push(&s, "e1", "k1", 7200);
    store_to(work, "r", "", 8);
    store_to(work, "r", "", 8);
    store_ok(&s, 0, work);
    ngx_codat_work_free(&work->work);

    claim = store_claim(&s, "r", 8, 11, 7200);
    assert_int_equal(claim->claimed.nelts, 0);
    ngx_codat_work_free(&claim->work);

    assert_int_equal(store_result(&s, 1, 11, NGX_CODAT_QUEUED_PENDING, 7200,
                                  7210),
                     NGX_OK);

    assert_int_equal(store_know(&s, 7200, 60, 100, all), 0);
    assert_int_equal(store_claims(&s, "r", 8, 12, 20), 0);

    /* a consumer whose turn is ten seconds later */

    store_sql(&s, "INSERT INTO consumer_turn SELECT 1, 0,"
              " max(next_at) + 10000000 FROM delivery WHERE owner <> 0");

    /* an hour and more, seen by two nginx */

    assert_int_equal(store_know(&s, 0, 60, 100, all), 0);
    assert_int_equal(store_know(&s, 1, 60, 100, all), 0);

    assert_true(store_value(&s, "SELECT next_at FROM consumer_turn")
                == NOON + 10 * SECOND);
    assert_int_equal(store_claims(&s, "r", 8, 12, 9), 0);

    claim = store_claim(&s, "r", 8, 12, 10);
    assert_int_equal(claim->claimed.nelts, 1);
    claimed = claim->claimed.elts;
    assert_int_equal(claimed->delivery.id, 1);
    assert_int_equal(claimed->delivery.attempt, 2);
    ngx_codat_work_free(&claim->work);

    claim = store_claim(&s, "r", 8, 12, 20);
    assert_int_equal(claim->claimed.nelts, 1);
    claimed = claim->claimed.elts;
    assert_int_equal(claimed->delivery.id, 2);
    ngx_codat_work_free(&claim->work);

    store_close(&s);
}


static void
store_refuses(const char *sql, const char *error)
{
    store_t                    s;
    sqlite3                   *db;
    ngx_codat_work_receive_t  *work;

    store_open(&s);
    store_remove(&s);

    assert_int_equal(sqlite3_open((char *) s.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);

    work = store_push(&s, "e1", "k1", 0);
    work->accept = 1;
    store_run(&s, 0, work);
    assert_int_equal(work->work.rc, NGX_ERROR);
    assert_non_null(strstr((char *) s.error, error));
    ngx_codat_work_free(&work->work);

    store_close(&s);
}


static void
store_refuses_strangers(void **state)
{
    store_refuses("CREATE TABLE t (a)", "of another program");
    store_refuses("PRAGMA application_id = 7", "of another program");
}


static void
store_refuses_the_future(void **state)
{
    store_refuses("PRAGMA application_id = 1128546644;"
                  "PRAGMA user_version = 99", "a newer version");
}


static void
store_survives_damage(void **state)
{
    int                        fd;
    store_t                    s;
    ngx_codat_work_receive_t  *work;

    store_open(&s);
    store_remove(&s);

    fd = open((char *) s.path, O_RDWR|O_CREAT, 0600);
    assert_int_equal(write(fd, "this is no database, but long enough for "
                           "the header of one, which has a hundred bytes "
                           "of its own: .......................", 120), 120);
    (void) close(fd);

    work = store_push(&s, "e1", "k1", 0);
    work->accept = 1;
    store_run(&s, 0, work);
    assert_int_equal(work->work.rc, NGX_ERROR);
    assert_non_null(strstr((char *) s.error, "not a database"));
    ngx_codat_work_free(&work->work);

    /* a worker does not begin anew by itself */

    store_remove(&s);

    work = store_push(&s, "e1", "k1", 0);
    work->accept = 1;
    store_run(&s, 0, work);
    assert_int_equal(work->work.rc, NGX_ERROR);
    assert_non_null(strstr((char *) s.error, "No such file"));
    ngx_codat_work_free(&work->work);

    assert_int_equal(close(open((char *) s.path, O_RDWR|O_CREAT, 0600)), 0);

    work = store_push(&s, "e1", "k1", 0);
    work->accept = 1;
    store_run(&s, 0, work);
    assert_int_equal(work->work.rc, NGX_ERROR);
    assert_non_null(strstr((char *) s.error, "it is empty"));
    ngx_codat_work_free(&work->work);

    /* somebody puts a good one in its place */

    assert_int_equal(ngx_codat_sqlite_files(&s.store, getuid(), getgid(),
                                            s.error),
                     NGX_OK);

    work = store_push(&s, "e1", "k1", 0);
    work->accept = 1;
    store_ok(&s, 0, work);
    ngx_codat_work_free(&work->work);

    /* and another one, while it is open: that is the one that counts */

    store_remove(&s);
    assert_int_equal(ngx_codat_sqlite_files(&s.store, getuid(), getgid(),
                                            s.error),
                     NGX_OK);

    work = store_push(&s, "e1", "k1", 0);
    work->accept = 1;
    store_ok(&s, 0, work);
    assert_int_equal(work->outcome, NGX_OK);
    ngx_codat_work_free(&work->work);

    store_close(&s);
}


/* one body at least, and no more than fit */

static void
store_bounds_bodies(void **state)
{
    store_t                    s;
    char                       id[16];
    ngx_uint_t                 i;
    ngx_codat_work_list_t     *list;
    ngx_codat_work_claim_t    *claim;
    ngx_codat_work_entry_t    *entries;
    ngx_codat_work_receive_t  *work;

    store_open(&s);

    for (i = 0; i < 3; i++) {
        (void) snprintf(id, sizeof(id), "e%d", (int) i);
        work = store_push(&s, id, id, i);
        (void) store_to(work, "all", "", 100);
        work->owner = 0;
        store_ok(&s, 0, work);
        ngx_codat_work_free(&work->work);
    }

    list = ngx_codat_work_create(NGX_CODAT_WORK_LIST,
                                 sizeof(ngx_codat_work_list_t),
                                 ngx_cycle->log);
    list->limit = 10;
    list->size = 1;
    store_ok(&s, 0, list);
    assert_int_equal(list->entries.nelts, 1);
    entries = list->entries.elts;
    assert_text(entries->event.event_id, "e2");
    assert_int_equal(list->last, entries->event.id);
    ngx_codat_work_free(&list->work);

    claim = ngx_codat_work_create(NGX_CODAT_WORK_CLAIM,
                                  sizeof(ngx_codat_work_claim_t),
                                  ngx_cycle->log);
    assert_int_equal(ngx_array_init(&claim->routes, claim->work.pool, 1,
                                    sizeof(ngx_codat_work_delivery_t)),
                     NGX_OK);
    *(ngx_codat_work_delivery_t *) ngx_array_push(&claim->routes) =
                 *store_to(work = store_push(&s, "x", "x", 9), "all", "", 9);
    claim->now = NOON + 10 * SECOND;
    claim->lease = claim->now + 20 * SECOND;
    claim->owner = 11;
    claim->limit = 64;
    claim->size = 1;
    store_ok(&s, 0, claim);
    assert_int_equal(claim->claimed.nelts, 1);
    ngx_codat_work_free(&claim->work);
    ngx_codat_work_free(&work->work);

    /* the others are left to be claimed */

    assert_int_equal(store_claims(&s, "all", 100, 12, 11), 2);

    store_close(&s);
}


static ngx_int_t
store_forget(store_t *s, const char *key, size_t len)
{
    ngx_int_t                 rc;
    ngx_codat_work_forget_t  *forget;

    forget = ngx_codat_work_create(NGX_CODAT_WORK_FORGET,
                                   sizeof(ngx_codat_work_forget_t),
                                   ngx_cycle->log);
    forget->key.data = (u_char *) key;
    forget->key.len = len;
    assert_int_equal(ngx_codat_work_text(&forget->work, &forget->key,
                                         &forget->key),
                     NGX_OK);

    store_run(s, 0, forget);
    assert_string_equal((char *) s->error, "");

    rc = forget->work.rc;
    ngx_codat_work_free(&forget->work);

    return rc;
}


static void
store_forgets_pushes(void **state)
{
    char                       key[NGX_CODAT_ID_MAX + 1];
    store_t                    s;
    ngx_codat_work_receive_t  *work;

    static const char  *uuid = "11111111-aaaa-4333-8444-555555555555";
    static const char  *upper = "11111111-AAAA-4333-8444-555555555555";

    store_open(&s);

    work = store_push(&s, "e1", uuid, 1);
    store_ok(&s, 0, work);
    ngx_codat_work_free(&work->work);

    work = store_push(&s, "e2", "other", 2);
    store_ok(&s, 0, work);
    ngx_codat_work_free(&work->work);

    assert_int_equal(store_forget(&s, "thing", 5), NGX_DECLINED);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM push"), 2);
    assert_int_equal(store_forget(&s, upper, strlen(upper)), NGX_OK);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM push"
                                 " WHERE id = 'other'"), 1);
    assert_int_equal(store_value(&s, "SELECT count(*) FROM push"), 1);
    assert_int_equal(store_forget(&s, uuid, strlen(uuid)), NGX_DECLINED);

    ngx_memset(key, 'k', sizeof(key));
    assert_int_equal(store_forget(&s, key, sizeof(key)), NGX_DECLINED);
    assert_int_equal(store_forget(&s, "", 0), NGX_DECLINED);

    store_close(&s);
}


static void
store_knows_types(void **state)
{
    store_t                    s;
    ngx_codat_work_stats_t    *stats;
    ngx_codat_work_newest_t   *newest;
    ngx_codat_work_receive_t  *work;

    store_open(&s);

    work = store_push(&s, "e1", "k1", 1);
    store_ok(&s, 0, work);
    ngx_codat_work_free(&work->work);

    work = store_push(&s, "e2", "k2", 7);
    store_ok(&s, 0, work);
    ngx_codat_work_free(&work->work);

    stats = ngx_codat_work_create(NGX_CODAT_WORK_STATS,
                                  sizeof(ngx_codat_work_stats_t),
                                  ngx_cycle->log);
    stats->wanted = 1;
    store_ok(&s, 1, stats);
    assert_int_equal(stats->newest.nelts, 1);
    newest = stats->newest.elts;
    assert_text(newest->type, "invoices.write.successful");
    assert_int_equal(newest->received, NOON + 7 * SECOND);
    ngx_codat_work_free(&stats->work);

    store_close(&s);
}


/* as units are run, see store_run(): last, so that there has been enough */

static void
store_has_failed_everywhere(void **state)
{
    print_message("# %u failures of SQLite and of memory\n",
                  (unsigned) ngx_codat_unit_failures());

    assert_true(ngx_codat_unit_failures() >= 300);
}


int
ngx_codat_unit_store(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(store_accepts_once),
        cmocka_unit_test(store_runs_again),
        cmocka_unit_test(store_merges_rows),
        cmocka_unit_test(store_bounds_deliveries),
        cmocka_unit_test(store_keeps_order),
        cmocka_unit_test(store_lists_and_replays),
        cmocka_unit_test(store_prunes),
        cmocka_unit_test(store_gives_up_without_a_forward),
        cmocka_unit_test(store_bears_a_clock_set_back),
        cmocka_unit_test(store_isolates_failures),
        cmocka_unit_test(store_refuses_strangers),
        cmocka_unit_test(store_refuses_the_future),
        cmocka_unit_test(store_survives_damage),
        cmocka_unit_test(store_bounds_bodies),
        cmocka_unit_test(store_forgets_pushes),
        cmocka_unit_test(store_knows_types),
        cmocka_unit_test(store_has_failed_everywhere),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
