
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * What a full zone forgets, and in which order.
 */


#include "ngx_codat_unit_zone.h"


#define NGX_CODAT_FULL_SIZE  131072


/* the order, the share of each, and the rest that stays to the last */

static const struct {
    ngx_uint_t    queue;
    ngx_uint_t    share;
    ngx_uint_t    rest;
} ngx_codat_full_order[] = {
    { NGX_CODAT_QUEUE_FINAL, 50, 5 },
    { NGX_CODAT_QUEUE_DATASETS, 10, 0 },
    { NGX_CODAT_QUEUE_GONE, 5, 0 },
    { NGX_CODAT_QUEUE_DELIVERIES, 25, 5 },
    { NGX_CODAT_QUEUE_CLIENTS, 1, 0 },
    { NGX_CODAT_QUEUE_COMPANIES, 15, 0 },
    { NGX_CODAT_QUEUE_CONNECTIONS, 25, 0 },
    { NGX_CODAT_QUEUE_PENDING, 40, 0 }
};


static ngx_int_t
full_report(ngx_codat_zone_t *zone, ngx_codat_record_kind_e kind,
    ngx_uint_t number, ngx_uint_t state, size_t len)
{
    ngx_int_t            rc;
    ngx_pool_t          *pool;
    ngx_codat_record_t  *fact;
    ngx_codat_update_t   update;
    u_char               text[600];

    pool = ngx_codat_unit_pool();

    ngx_memset(text, 'e', sizeof(text));

    ngx_codat_unit_update(pool, &update, "{}");

    fact = ngx_codat_unit_fact(&update, kind, state, number);

    if (kind == NGX_CODAT_RECORD_DATASET) {
        fact->texts[NGX_CODAT_TEXT_CONNECTION] = ngx_codat_unit_uuid(pool,
                                                                     9000);
        fact->texts[NGX_CODAT_TEXT_DATA_TYPE] = ngx_codat_unit_uuid(pool,
                                                                    number);
    } else {
        fact->texts[NGX_CODAT_TEXT_ID] = ngx_codat_unit_uuid(pool, number);
    }

    fact->texts[NGX_CODAT_TEXT_ERROR].len = len;
    fact->texts[NGX_CODAT_TEXT_ERROR].data = text;

    rc = ngx_codat_table_receive(zone, pool, NULL, 0, &update);

    ngx_destroy_pool(pool);

    return rc;
}


static ngx_int_t
full_claim(ngx_codat_zone_t *zone, ngx_uint_t number, ngx_uint_t done)
{
    ngx_int_t             rc;
    ngx_codat_delivery_t  delivery;

    ngx_memzero(&delivery, sizeof(ngx_codat_delivery_t));
    ngx_codat_unit_key(number, delivery.key);

    ngx_codat_zone_lock(zone);

    rc = ngx_codat_delivery_claim_locked(zone, &delivery, done,
                                         (uint32_t) ngx_time());
    ngx_codat_zone_unlock(zone);

    return rc;
}


static ngx_uint_t
full_has(ngx_codat_zone_t *zone, ngx_uint_t kind, ngx_uint_t number)
{
    u_char  key[NGX_CODAT_ZONE_KEY_LEN];

    ngx_codat_unit_key(number, key);

    return ngx_codat_cell_find_locked(zone->sh, kind, key) != NULL;
}


/* some of everything, each with its second, until n cells are left */

static void
full_fill(ngx_codat_zone_t *zone, ngx_uint_t left)
{
    static ngx_uint_t  number;

    for ( /* void */ ; ngx_codat_run_room(zone->sh) > left; number++) {

        ngx_codat_unit_clock(1800000000 + (time_t) number);

        switch (ngx_codat_unit_random(9)) {

        case 0:
            (void) full_report(zone, NGX_CODAT_RECORD_PUSH, number,
                               NGX_CODAT_PUSH_PENDING,
                               ngx_codat_unit_random(300));
            break;

        case 1:
            (void) full_report(zone, NGX_CODAT_RECORD_PUSH, number,
                               2 + ngx_codat_unit_random(3),
                               ngx_codat_unit_random(300));
            break;

        case 2:
            (void) full_report(zone, NGX_CODAT_RECORD_CONNECTION, number,
                               1 + ngx_codat_unit_random(5), 50);
            break;

        case 3:
            (void) full_report(zone, NGX_CODAT_RECORD_COMPANY, number,
                               ngx_codat_unit_random(2), 0);
            break;

        case 4:
            (void) full_report(zone, NGX_CODAT_RECORD_DATASET, number, 0, 0);
            break;

        case 5:
            (void) full_report(zone, NGX_CODAT_RECORD_CLIENT, number, 1, 0);
            break;

        default:
            (void) full_claim(zone, number, 1);
        }
    }
}


/* the row that has to go, by the contract */

static ngx_codat_row_t *
full_victim(ngx_codat_zone_t *zone)
{
    ngx_uint_t            i, queue;
    ngx_codat_zone_sh_t  *sh;

    sh = zone->sh;

    for (i = 0; i < 8; i++) {
        queue = ngx_codat_full_order[i].queue;

        if ((uint64_t) sh->cells_of[queue] * 100
            > (uint64_t) sh->ncells * ngx_codat_full_order[i].share)
        {
            return &sh->cells[sh->queues[queue].oldest];
        }
    }

    for (i = 0; i < 8; i++) {
        queue = ngx_codat_full_order[i].queue;

        if (sh->queues[queue].count
            && (uint64_t) sh->cells_of[queue] * 100
               > (uint64_t) sh->ncells * ngx_codat_full_order[i].rest)
        {
            return &sh->cells[sh->queues[queue].oldest];
        }
    }

    for (i = 0; i < 8; i++) {
        queue = ngx_codat_full_order[i].queue;

        if (sh->queues[queue].count) {
            return &sh->cells[sh->queues[queue].oldest];
        }
    }

    return NULL;
}


static void
test_order(void **state)
{
    uint32_t                room;
    ngx_uint_t              rows, cells, kind, evicted, turns;
    ngx_codat_row_t        *victim, row;
    ngx_codat_unit_zone_t   uz;

    ngx_codat_unit_seed("evict");

    assert_int_equal(ngx_codat_unit_zone_open(&uz, NGX_CODAT_FULL_SIZE),
                     NGX_OK);

    full_fill(&uz.zone, 20);

    turns = 0;

    for ( ;; ) {
        victim = full_victim(&uz.zone);

        if (victim == NULL) {
            break;
        }

        turns++;
        row = *victim;
        kind = row.kind;
        cells = ngx_codat_cell_count(victim);
        room = ngx_codat_run_room(uz.zone.sh);
        rows = uz.zone.sh->created[kind].count;

        evicted = ngx_codat_stats_get(uz.zone.sh->stats,
                     ngx_codat_stat_id(NGX_CODAT_STAT_EVICTED, kind, 0, 0,
                                       0));

        ngx_codat_zone_lock(&uz.zone);
        assert_int_equal(ngx_codat_evict_locked(&uz.zone, room + 1, NULL,
                                                (uint32_t) ngx_time()),
                         NGX_OK);
        ngx_codat_zone_unlock(&uz.zone);

        assert_null(ngx_codat_cell_find_locked(uz.zone.sh, kind, row.key));
        assert_int_equal(ngx_codat_run_room(uz.zone.sh), room + cells);
        assert_int_equal(uz.zone.sh->created[kind].count, rows - 1);
        assert_int_equal(ngx_codat_stats_get(uz.zone.sh->stats,
                     ngx_codat_stat_id(NGX_CODAT_STAT_EVICTED, kind, 0, 0,
                                       0)),
                     evicted + 1);

        if (turns % 16 == 0) {
            ngx_codat_unit_zone_check(&uz.zone, "evicted");
        }
    }

    assert_true(turns > 300);

    /* none is left, and more can't be made */

    assert_int_equal(ngx_codat_run_room(uz.zone.sh), uz.zone.sh->ncells);

    ngx_codat_zone_lock(&uz.zone);
    assert_int_equal(ngx_codat_evict_locked(&uz.zone, uz.zone.sh->ncells + 1,
                                            NULL, 1),
                     NGX_DECLINED);
    ngx_codat_zone_unlock(&uz.zone);

    ngx_codat_unit_clock(0);
    ngx_codat_unit_zone_close(&uz);
}


/* whatever room is asked for is made, of nothing but what may go */

static void
test_room(void **state)
{
    ngx_uint_t              i, n;
    ngx_codat_row_t        *keep, kept;
    ngx_codat_unit_zone_t   uz;

    ngx_codat_unit_seed("room");

    assert_int_equal(ngx_codat_unit_zone_open(&uz, NGX_CODAT_FULL_SIZE),
                     NGX_OK);

    for (i = 0; i < 40; i++) {

        full_fill(&uz.zone, 20);

        keep = ngx_codat_cell_row(uz.zone.sh,
              uz.zone.sh->queues[NGX_CODAT_QUEUE_PENDING
                                 + i % (NGX_CODAT_QUEUES
                                        - NGX_CODAT_QUEUE_PENDING)].oldest);

        if (keep) {
            kept = *keep;
        }

        n = 1 + ngx_codat_unit_random(i % 4 ? 200 : uz.zone.sh->ncells - 100);

        ngx_codat_zone_lock(&uz.zone);
        assert_int_equal(ngx_codat_evict_locked(&uz.zone, n, keep,
                                                (uint32_t) ngx_time()),
                         NGX_OK);
        ngx_codat_zone_unlock(&uz.zone);

        assert_true(ngx_codat_run_room(uz.zone.sh) >= n);

        if (keep) {
            assert_ptr_equal(ngx_codat_cell_find_locked(uz.zone.sh, kept.kind,
                                                        kept.key),
                             keep);
            assert_int_equal(keep->u.record.value.word,
                             kept.u.record.value.word);
        }

        ngx_codat_unit_zone_check(&uz.zone, "room");
        ngx_codat_unit_table_check(&uz.zone, "room");
    }

    ngx_codat_unit_clock(0);
    ngx_codat_unit_zone_close(&uz);
}


/*
 * Those that are being worked on stay, also if they are the oldest ones and
 * many: what is behind them goes, and no push is forgotten for them.
 */

static void
test_running(void **state)
{
    ngx_uint_t              i, running;
    ngx_codat_unit_zone_t   uz;

    assert_int_equal(ngx_codat_unit_zone_open(&uz, NGX_CODAT_FULL_SIZE),
                     NGX_OK);

    ngx_codat_unit_clock(1800000000);

    assert_int_equal(full_report(&uz.zone, NGX_CODAT_RECORD_PUSH, 1,
                                 NGX_CODAT_PUSH_PENDING, 0),
                     NGX_OK);

    running = 300;

    for (i = 0; i < running; i++) {
        assert_int_equal(full_claim(&uz.zone, 10000 + i, 0), NGX_OK);
    }

    for (i = 0; i < 5000; i++) {
        ngx_codat_unit_clock(1800000001 + (time_t) i);
        assert_int_equal(full_claim(&uz.zone, 20000 + i, 1), NGX_OK);
    }

    assert_true(full_has(&uz.zone, NGX_CODAT_ROW_PUSH, 1));
    assert_true(full_has(&uz.zone, NGX_CODAT_ROW_DELIVERY, 20000 + 4999));
    assert_false(full_has(&uz.zone, NGX_CODAT_ROW_DELIVERY, 20000));

    for (i = 0; i < running; i++) {
        assert_int_equal(full_claim(&uz.zone, 10000 + i, 0), NGX_BUSY);
    }

    /* nothing but such is left: no room, but what there was remains */

    for (i = 0; ngx_codat_run_room(uz.zone.sh); i++) {
        (void) full_claim(&uz.zone, 30000 + i, 0);
    }

    for (i = 0; i < 3000; i++) {
        (void) full_claim(&uz.zone, 40000 + i, 0);
    }

    assert_int_equal(full_claim(&uz.zone, 50000, 0), NGX_DECLINED);
    assert_int_equal(full_claim(&uz.zone, 50000, 1), NGX_DECLINED);
    assert_int_equal(full_report(&uz.zone, NGX_CODAT_RECORD_PUSH, 2,
                                 NGX_CODAT_PUSH_PENDING, 0),
                     NGX_OK);
    assert_false(full_has(&uz.zone, NGX_CODAT_ROW_PUSH, 2));
    assert_int_equal(ngx_codat_stats_get(uz.zone.sh->stats,
                       ngx_codat_stat_id(NGX_CODAT_STAT_UNSTORED,
                                         NGX_CODAT_ROW_PUSH, 0, 0, 0)),
                     1);

    for (i = 0; i < running; i++) {
        assert_int_equal(full_claim(&uz.zone, 10000 + i, 0), NGX_BUSY);
    }

    /* all of their worker are free once that is gone */

    uz.zone.sh->dirty = 1;
    ngx_codat_zone_lock(&uz.zone);
    ngx_codat_zone_unlock(&uz.zone);
    ngx_codat_unit_zone_check(&uz.zone, "running");

    ngx_codat_unit_clock(0);
    ngx_codat_unit_zone_close(&uz);
}


static void
test_retain(void **state)
{
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_pool_t             *pool;
    ngx_codat_copy_t        copy;
    ngx_codat_record_t      push;
    ngx_codat_unit_zone_t   uz;
    u_char                  key[NGX_CODAT_ZONE_KEY_LEN];

    assert_int_equal(ngx_codat_unit_zone_open(&uz, NGX_CODAT_FULL_SIZE),
                     NGX_OK);

    pool = ngx_codat_unit_pool();

    uz.zone.retain = 100;

    ngx_codat_unit_clock(1800000000);

    for (i = 1; i <= 3; i++) {
        (void) full_report(&uz.zone, NGX_CODAT_RECORD_PUSH, i,
                           NGX_CODAT_PUSH_FAILED, 10);
        (void) full_report(&uz.zone, NGX_CODAT_RECORD_PUSH, 10 + i,
                           NGX_CODAT_PUSH_PENDING, 10);
        (void) full_report(&uz.zone, NGX_CODAT_RECORD_DATASET, 20 + i, 0, 10);
        (void) full_report(&uz.zone, NGX_CODAT_RECORD_COMPANY, 30 + i, 1, 0);
        (void) full_report(&uz.zone, NGX_CODAT_RECORD_COMPANY, 40 + i, 0, 0);
    }

    ngx_memzero(&push, sizeof(ngx_codat_record_t));
    push.texts[NGX_CODAT_TEXT_ID] = ngx_codat_unit_uuid(pool, 3);
    push.texts[NGX_CODAT_TEXT_REFERENCE] = ngx_codat_unit_str(pool, "three");

    assert_int_equal(ngx_codat_table_register(&uz.zone, &push, &copy),
                     NGX_OK);

    /* a second before, also by a clock that was set back */

    ngx_codat_unit_clock(1800000099);
    (void) full_report(&uz.zone, NGX_CODAT_RECORD_COMPANY, 50, 0, 0);
    ngx_codat_unit_clock(1799999000);
    (void) full_report(&uz.zone, NGX_CODAT_RECORD_COMPANY, 51, 0, 0);

    assert_int_equal(uz.zone.sh->created[NGX_CODAT_ROW_PUSH].count, 6);
    assert_int_equal(uz.zone.sh->created[NGX_CODAT_ROW_DATASET].count, 3);

    ngx_codat_unit_clock(1800000100);

    /* it is over for readers too, though nobody has dropped it */

    assert_true(full_has(&uz.zone, NGX_CODAT_ROW_PUSH, 2));
    ngx_codat_unit_key(12, key);
    assert_int_equal(ngx_codat_table_get(&uz.zone, NGX_CODAT_RECORD_PUSH, key,
                                         &copy),
                     NGX_OK);
    ngx_codat_unit_key(2, key);
    assert_int_equal(ngx_codat_table_get(&uz.zone, NGX_CODAT_RECORD_PUSH, key,
                                         &copy),
                     NGX_DECLINED);

    /* and one that is named again at that moment begins anew */

    push.texts[NGX_CODAT_TEXT_ID] = ngx_codat_unit_uuid(pool, 1);
    push.texts[NGX_CODAT_TEXT_REFERENCE] = ngx_codat_unit_str(pool, "one");

    rc = ngx_codat_table_register(&uz.zone, &push, &copy);

    assert_int_equal(rc, NGX_DONE);
    assert_int_equal(copy.record.state, NGX_CODAT_PUSH_PENDING);

    for (i = 0; i < 4; i++) {
        (void) full_report(&uz.zone, NGX_CODAT_RECORD_COMPANY, 60 + i, 0, 0);
    }

    assert_true(full_has(&uz.zone, NGX_CODAT_ROW_PUSH, 1));
    assert_false(full_has(&uz.zone, NGX_CODAT_ROW_PUSH, 2));
    assert_false(full_has(&uz.zone, NGX_CODAT_ROW_PUSH, 3));

    /* the link goes with its push */

    assert_false(full_has(&uz.zone, NGX_CODAT_ROW_LINK, 3));
    assert_true(full_has(&uz.zone, NGX_CODAT_ROW_LINK, 1));

    for (i = 1; i <= 3; i++) {
        assert_true(full_has(&uz.zone, NGX_CODAT_ROW_PUSH, 10 + i));
        assert_false(full_has(&uz.zone, NGX_CODAT_ROW_COMPANY, 30 + i));
        assert_true(full_has(&uz.zone, NGX_CODAT_ROW_COMPANY, 40 + i));
    }

    assert_int_equal(uz.zone.sh->created[NGX_CODAT_ROW_DATASET].count, 0);

    /* what goes in time is not counted as evicted */

    assert_int_equal(ngx_codat_stats_get(uz.zone.sh->stats,
                       ngx_codat_stat_id(NGX_CODAT_STAT_EVICTED,
                                         NGX_CODAT_ROW_PUSH, 0, 0, 0)),
                     0);

    /* the clock that was set back has left the order of touch to the repair */

    uz.zone.sh->dirty = 1;
    ngx_codat_zone_lock(&uz.zone);
    ngx_codat_zone_unlock(&uz.zone);

    ngx_codat_unit_zone_check(&uz.zone, "retain");
    ngx_codat_unit_table_check(&uz.zone, "retain");

    ngx_codat_unit_clock(0);
    ngx_codat_unit_zone_close(&uz);
    ngx_destroy_pool(pool);
}


static void
test_dedupe(void **state)
{
    ngx_uint_t              i;
    ngx_codat_unit_zone_t   uz;

    assert_int_equal(ngx_codat_unit_zone_open(&uz, NGX_CODAT_FULL_SIZE),
                     NGX_OK);

    uz.zone.dedupe = 100;

    ngx_codat_unit_clock(1800000000);

    for (i = 0; i < 50; i++) {
        assert_int_equal(full_claim(&uz.zone, 100 + i, i % 5 != 0), NGX_OK);
    }

    ngx_codat_unit_clock(1800000099);
    assert_int_equal(full_claim(&uz.zone, 101, 1), NGX_DONE);
    assert_int_equal(full_claim(&uz.zone, 100, 1), NGX_BUSY);

    ngx_codat_unit_clock(1700000000);
    assert_int_equal(full_claim(&uz.zone, 101, 1), NGX_DONE);

    ngx_codat_unit_clock(1800000100);
    assert_int_equal(full_claim(&uz.zone, 101, 1), NGX_OK);
    assert_int_equal(full_claim(&uz.zone, 101, 1), NGX_DONE);
    assert_int_equal(full_claim(&uz.zone, 100, 1), NGX_BUSY);

    ngx_codat_unit_zone_check(&uz.zone, "dedupe");

    /* claims are never given up by the time alone while the worker lives */

    ngx_codat_unit_clock(1800000000 + 86400);

    for (i = 0; i < 50; i += 5) {
        assert_int_equal(full_claim(&uz.zone, 100 + i, 1), NGX_BUSY);
    }

    ngx_codat_unit_clock(0);
    ngx_codat_unit_zone_close(&uz);
}


int
ngx_codat_unit_evict(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_running),
        cmocka_unit_test(test_retain),
        cmocka_unit_test(test_dedupe),
    };

    return cmocka_run_group_tests_name("evict", tests, NULL, NULL);
}
