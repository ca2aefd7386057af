
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Walks: what exists all the time is met exactly once, whatever comes and
 * goes meanwhile; and cursors, which come from outside.
 */


#include "ngx_codat_unit_zone.h"
#include "ngx_codat_walk.h"


#define NGX_CODAT_WALKS_ROWS  600


static void
walks_report(ngx_codat_zone_t *zone, ngx_uint_t number, ngx_uint_t company,
    ngx_uint_t state, ngx_uint_t when)
{
    ngx_pool_t          *pool;
    ngx_codat_record_t  *fact;
    ngx_codat_update_t   update;

    pool = ngx_codat_unit_pool();

    ngx_codat_unit_update(pool, &update, "{}");

    fact = ngx_codat_unit_fact(&update, NGX_CODAT_RECORD_PUSH, state, when);
    fact->texts[NGX_CODAT_TEXT_ID] = ngx_codat_unit_uuid(pool, number);

    if (company) {
        fact->texts[NGX_CODAT_TEXT_COMPANY] = ngx_codat_unit_uuid(pool,
                                                                  company);
    }

    assert_int_equal(ngx_codat_table_receive(zone, pool, NULL, 0, &update),
                     NGX_OK);

    ngx_destroy_pool(pool);
}


static void
walks_register(ngx_codat_zone_t *zone, ngx_uint_t number,
    const char *reference)
{
    ngx_int_t            rc;
    ngx_pool_t          *pool;
    ngx_codat_copy_t     copy;
    ngx_codat_record_t   push;

    pool = ngx_codat_unit_pool();

    ngx_memzero(&push, sizeof(ngx_codat_record_t));

    push.texts[NGX_CODAT_TEXT_ID] = ngx_codat_unit_uuid(pool, number);
    push.texts[NGX_CODAT_TEXT_REFERENCE] = ngx_codat_unit_str(pool,
                                                              reference);

    rc = ngx_codat_table_register(zone, &push, &copy);
    assert_true(rc == NGX_OK || rc == NGX_DONE);

    ngx_destroy_pool(pool);
}


static void
walks_forget(ngx_codat_zone_t *zone, ngx_uint_t number)
{
    u_char  key[NGX_CODAT_ZONE_KEY_LEN];

    ngx_codat_unit_key(number, key);

    (void) ngx_codat_table_forget(zone, key);
}


static ngx_uint_t
walks_number(const u_char *key)
{
    return (ngx_uint_t) key[13] * 65536 + (ngx_uint_t) key[14] * 256 + key[15];
}


static void
walks_start(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    ngx_codat_walk_e by)
{
    ngx_str_t        reference;
    u_char           key[NGX_CODAT_ZONE_KEY_LEN];

    static u_char    same[] = "the same";

    ngx_codat_walk_init(walk, NGX_CODAT_RECORD_PUSH);

    if (by == NGX_CODAT_WALK_GROUP) {
        ngx_codat_unit_key(5000, key);
        ngx_codat_walk_of(zone, walk, key);
    }

    if (by == NGX_CODAT_WALK_REFERENCE) {
        reference.data = same;
        reference.len = sizeof(same) - 1;

        assert_int_equal(ngx_codat_walk_reference(zone, walk, &reference),
                         NGX_OK);
    }
}


/* one row that is not to be stable comes, goes, or changes */

static void
walks_disturb(ngx_codat_zone_t *zone, ngx_codat_walk_e by,
    ngx_codat_walk_t *walk, ngx_uint_t *when)
{
    ngx_uint_t        number;
    ngx_codat_row_t  *row;

    number = 1 + ngx_codat_unit_random(NGX_CODAT_WALKS_ROWS);

    /* every fourth one stays */

    if (number % 4 == 0) {

        switch (ngx_codat_unit_random(3)) {

        case 0:
            walks_report(zone, number, 5000,
                         1 + ngx_codat_unit_random(4), ++*when);
            break;

        case 1:
            walks_register(zone, number, "the same");
        }

        return;
    }

    switch (ngx_codat_unit_random(5)) {

    case 0:
        walks_report(zone, number, 5000 + ngx_codat_unit_random(3),
                     1 + ngx_codat_unit_random(4), ++*when);
        break;

    case 1:
        walks_register(zone, number, ngx_codat_unit_random(3)
                                     ? "the same" : "another");
        break;

    case 2:

        /* the very row that the walk stands at */

        if (walk->started && walk->place < zone->sh->fresh) {
            row = &zone->sh->cells[walk->place];

            if ((row->kind == NGX_CODAT_ROW_PUSH
                 || row->kind == NGX_CODAT_ROW_LINK)
                && walks_number(row->key) % 4)
            {
                walks_forget(zone, walks_number(row->key));
            }
        }

        break;

    default:
        walks_forget(zone, number);
    }
}


static void
walks_go(ngx_codat_zone_t *zone, ngx_codat_walk_e by, ngx_uint_t disturb,
    ngx_uint_t *when)
{
    u_char            *p;
    ngx_int_t          rc;
    ngx_str_t          cursor;
    ngx_uint_t         i, n, number, page, calls;
    ngx_codat_copy_t   copy;
    ngx_codat_walk_t   walk;
    u_char             met[NGX_CODAT_WALKS_ROWS + 1];
    u_char             text[NGX_CODAT_CURSOR_LEN];

    ngx_memzero(met, sizeof(met));

    walks_start(zone, &walk, by);

    n = 0;
    page = 1 + ngx_codat_unit_random(20);

    for (calls = 0; calls < 100000; calls++) {

        for (i = ngx_codat_unit_random(disturb + 1); i; i--) {
            walks_disturb(zone, by, &walk, when);
        }

        rc = ngx_codat_walk_next(zone, &walk, &copy);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc == NGX_AGAIN) {
            continue;
        }

        assert_int_equal(rc, NGX_OK);

        number = walks_number(copy.key);

        assert_true(number >= 1 && number <= NGX_CODAT_WALKS_ROWS);

        /*
         * A row that was dropped and made again is another one, but it is
         * newer, and so is one that came into the group.
         */

        if (met[number]) {
            fail_msg("by %d: row %u is met twice", (int) by,
                     (unsigned) number);
        }

        met[number] = 1;

        if (walk.done) {
            assert_int_equal(ngx_codat_walk_next(zone, &walk, &copy),
                             NGX_DONE);
            break;
        }

        if (++n % page == 0) {

            /* another request goes on */

            p = ngx_codat_walk_cursor(zone, &walk, text);
            assert_int_equal(p - text, NGX_CODAT_CURSOR_LEN);

            cursor.len = NGX_CODAT_CURSOR_LEN;
            cursor.data = text;

            walks_start(zone, &walk, by);

            assert_int_equal(ngx_codat_walk_resume(zone, &walk, &cursor),
                             NGX_OK);
        }
    }

    for (i = 4; i <= NGX_CODAT_WALKS_ROWS; i += 4) {

        if (!met[i]) {
            fail_msg("by %d: row %u is not met", (int) by, (unsigned) i);
        }
    }
}


static void
test_stable(void **state)
{
    ngx_uint_t              i, round, rounds, when;
    ngx_codat_unit_zone_t   uz;

    ngx_codat_unit_seed("walk");

    assert_int_equal(ngx_codat_unit_zone_open(&uz, 1048576), NGX_OK);

    /* the numbers wrap on the way */

    uz.zone.sh->seq = (uint32_t) 0 - 3000;
    uz.zone.sh->stamp = (uint32_t) 0 - 3000;

    when = 10;

    for (i = 1; i <= NGX_CODAT_WALKS_ROWS; i++) {
        walks_report(&uz.zone, i, 5000, NGX_CODAT_PUSH_PENDING, ++when);
        walks_register(&uz.zone, i, "the same");
    }

    rounds = ngx_codat_unit_slow() ? 1 : 24;

    for (round = 0; round < rounds; round++) {

        for (i = 0; i < 3; i++) {
            walks_go(&uz.zone, (ngx_codat_walk_e) i, round % 6, &when);

            ngx_codat_unit_zone_check(&uz.zone, "walk");
            ngx_codat_unit_table_check(&uz.zone, "walk");
        }
    }

    assert_true(ngx_codat_unit_slow()
                || (uz.zone.sh->seq < 1000000
                    && uz.zone.sh->stamp < 1000000));

    ngx_codat_unit_zone_close(&uz);
}


/* an undisturbed walk is in the order of creation, newest first */

static void
test_order(void **state)
{
    ngx_int_t               rc;
    ngx_uint_t              i, by, last, pending;
    ngx_codat_copy_t        copy;
    ngx_codat_walk_t        walk;
    ngx_codat_unit_zone_t   uz;

    assert_int_equal(ngx_codat_unit_zone_open(&uz, 1048576), NGX_OK);

    for (i = 1; i <= 500; i++) {
        walks_report(&uz.zone, i, 5000 + (i % 10 == 3),
                     i % 7 ? NGX_CODAT_PUSH_PENDING : NGX_CODAT_PUSH_FAILED,
                     10);

        if (i % 10 != 3) {
            walks_register(&uz.zone, i, "the same");
        }
    }

    for (by = 0; by < 6; by++) {
        walks_start(&uz.zone, &walk, (ngx_codat_walk_e) (by % 3));

        if (by >= 3) {
            walk.state = NGX_CODAT_PUSH_FAILED;
        }

        last = 501;
        pending = 0;
        i = 0;

        for ( ;; ) {
            rc = ngx_codat_walk_next(&uz.zone, &walk, &copy);

            if (rc == NGX_DONE) {
                break;
            }

            if (rc == NGX_AGAIN) {
                pending++;
                assert_true(pending < 1000);
                continue;
            }

            assert_true(walks_number(copy.key) < last);
            last = walks_number(copy.key);

            if (by % 3) {
                assert_int_not_equal(last % 10, 3);
            }

            if (by >= 3) {
                assert_int_equal(last % 7, 0);
                assert_int_equal(copy.record.state, NGX_CODAT_PUSH_FAILED);
            }

            i++;
        }

        assert_int_equal(i, by == 0 ? 500 : by < 3 ? 450
                            : by == 3 ? 71 : 64);
    }

    ngx_codat_unit_zone_close(&uz);
}


/*
 * A late report does not change the company of a push: it is in the list of
 * the company that it says, which it was not.
 */

static void
test_group_of_record(void **state)
{
    ngx_int_t               rc;
    ngx_uint_t              n, company;
    ngx_codat_copy_t        copy;
    ngx_codat_walk_t        walk;
    ngx_codat_unit_zone_t   uz;
    u_char                  key[NGX_CODAT_ZONE_KEY_LEN];

    assert_int_equal(ngx_codat_unit_zone_open(&uz, 65536), NGX_OK);

    walks_report(&uz.zone, 1, 5000, NGX_CODAT_PUSH_PENDING, 20);
    walks_report(&uz.zone, 1, 5001, NGX_CODAT_PUSH_FAILED, 10);

    /* one that said nothing first, and a newer one */

    walks_report(&uz.zone, 2, 0, NGX_CODAT_PUSH_PENDING, 20);
    walks_report(&uz.zone, 2, 5000, NGX_CODAT_PUSH_PENDING, 10);
    walks_report(&uz.zone, 3, 5001, NGX_CODAT_PUSH_PENDING, 10);
    walks_report(&uz.zone, 3, 5000, NGX_CODAT_PUSH_PENDING, 20);
    walks_report(&uz.zone, 3, 0, NGX_CODAT_PUSH_SUCCESS, 30);

    for (company = 5000; company < 5002; company++) {

        ngx_codat_unit_key(company, key);
        ngx_codat_walk_init(&walk, NGX_CODAT_RECORD_PUSH);
        ngx_codat_walk_of(&uz.zone, &walk, key);

        n = 0;

        while ((rc = ngx_codat_walk_next(&uz.zone, &walk, &copy)) != NGX_DONE)
        {
            n += (rc == NGX_OK);
        }

        assert_int_equal(n, company == 5000 ? 3 : 0);
    }

    ngx_codat_unit_zone_close(&uz);
}


static ngx_int_t
walks_resume(ngx_codat_zone_t *zone, ngx_codat_walk_e by, const char *text)
{
    ngx_int_t          rc;
    ngx_str_t          cursor;
    ngx_uint_t         i;
    ngx_pool_t        *pool;
    ngx_codat_copy_t   copy;
    ngx_codat_walk_t   walk;

    pool = ngx_codat_unit_pool();

    cursor = ngx_codat_unit_str(pool, text);

    walks_start(zone, &walk, by);

    rc = ngx_codat_walk_resume(zone, &walk, &cursor);

    if (rc == NGX_OK) {

        /* wherever it begins, it ends */

        for (i = 0; ngx_codat_walk_next(zone, &walk, &copy) != NGX_DONE; i++)
        {
            assert_true(i < 10000);
        }
    }

    ngx_destroy_pool(pool);

    return rc;
}


static void
test_cursors(void **state)
{
    char                    text[64];
    uint32_t                id;
    ngx_uint_t              i, by, j;
    ngx_codat_unit_zone_t   uz, other;

    static const uint32_t  edges[] = { 0, 1, 63, 64, 1000, 0x7fffffff,
                                       0x80000000, 0x80000001, 0xfffffffe,
                                       0xffffffff };

    ngx_codat_unit_seed("cursors");

    assert_int_equal(ngx_codat_unit_zone_open(&uz, 65536), NGX_OK);
    assert_int_equal(ngx_codat_unit_zone_open(&other, 65536), NGX_OK);

    for (i = 1; i <= 100; i++) {
        walks_report(&uz.zone, i, 5000, NGX_CODAT_PUSH_PENDING, 10);
        walks_register(&uz.zone, i, "the same");
    }

    id = uz.zone.sh->id;
    assert_int_not_equal(id, other.zone.sh->id);

    for (by = 0; by < 3; by++) {

        for (i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
            for (j = 0; j < sizeof(edges) / sizeof(edges[0]); j++) {

                snprintf(text, sizeof(text), "%08x0%u%08x%08x", id,
                         (unsigned) by, edges[i], edges[j]);

                assert_int_equal(walks_resume(&uz.zone,
                                              (ngx_codat_walk_e) by, text),
                                 NGX_OK);
                assert_int_equal(walks_resume(&other.zone,
                                              (ngx_codat_walk_e) by, text),
                                 NGX_ABORT);
                assert_int_equal(walks_resume(&uz.zone,
                                       (ngx_codat_walk_e) ((by + 1) % 3),
                                       text),
                                 NGX_DECLINED);

                text[8] = '1';
                assert_int_equal(walks_resume(&uz.zone,
                                              (ngx_codat_walk_e) by, text),
                                 NGX_DECLINED);
            }
        }

        for (i = 0; i < 20000; i++) {
            snprintf(text, sizeof(text), "%08x0%u%08x%08x", id,
                     (unsigned) by,
                     (unsigned) ngx_codat_unit_random(uz.zone.sh->ncells + 9),
                     (unsigned) ngx_codat_unit_random(300));

            assert_int_equal(walks_resume(&uz.zone, (ngx_codat_walk_e) by,
                                          text),
                             NGX_OK);

            if (ngx_codat_unit_slow() && i > 100) {
                break;
            }
        }

        /* garbage */

        snprintf(text, sizeof(text), "%08x0%u%08x%08x", id, (unsigned) by,
                 1, 1);

        for (i = 0; i < NGX_CODAT_CURSOR_LEN; i++) {
            j = text[i];

            text[i] = 'g';
            assert_int_equal(walks_resume(&uz.zone, (ngx_codat_walk_e) by,
                                          text),
                             NGX_DECLINED);

            text[i] = '-';
            assert_int_equal(walks_resume(&uz.zone, (ngx_codat_walk_e) by,
                                          text),
                             NGX_DECLINED);

            text[i] = '\0';
            assert_int_equal(walks_resume(&uz.zone, (ngx_codat_walk_e) by,
                                          text),
                             NGX_DECLINED);

            text[i] = (char) j;
        }

        text[NGX_CODAT_CURSOR_LEN] = '0';
        text[NGX_CODAT_CURSOR_LEN + 1] = '\0';

        assert_int_equal(walks_resume(&uz.zone, (ngx_codat_walk_e) by, text),
                         NGX_DECLINED);
    }

    ngx_codat_unit_zone_close(&uz);
    ngx_codat_unit_zone_close(&other);
}


int
ngx_codat_unit_walk(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_group_of_record),
        cmocka_unit_test(test_stable),
        cmocka_unit_test(test_cursors),
    };

    return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
