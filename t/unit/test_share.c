
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The share of a store's time that what nobody waits for has: a tenth, of all
 * workers together, whoever of them dies and wherever the clock goes.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_share.h"


#define NOON  ((uint64_t) 1732276800000)


typedef struct {
    uint64_t    at;             /* the next turn, as workers share it */
    uint64_t    now;
    uint64_t    used;
    ngx_uint_t  turns;
} share_t;


/* as long as "until", a worker that always wants a turn of that length */

static void
share_run(share_t *s, uint64_t took, uint64_t until)
{
    uint64_t  wait, began;

    while (s->now < until) {

        wait = ngx_codat_share_wait(s->now, s->at);

        if (wait) {
            s->now += wait;
            continue;
        }

        began = s->now;
        s->at = ngx_codat_share_begin(began);

        /* another worker that comes meanwhile has to wait */

        assert_int_not_equal(ngx_codat_share_wait(began, s->at), 0);

        s->now += took;
        s->used += took;
        s->turns++;

        s->at = ngx_codat_share_end(began, s->now);
    }
}


static void
test_tenth(void **state)
{
    share_t     s;
    ngx_uint_t  i;

    static const uint64_t  took[] = { 1, 2, 7, 20, 63, 110, 111 };

    for (i = 0; i < sizeof(took) / sizeof(took[0]); i++) {

        ngx_memzero(&s, sizeof(share_t));
        s.now = NOON;

        share_run(&s, took[i], NOON + 1000000);

        /* but for a turn that has begun */

        assert_in_range(s.used, 100000 - took[i] * 10, 100000 + took[i] * 10);
        assert_in_range(s.turns, 100000 / took[i] - 10,
                        100000 / took[i] + 10);
    }
}


/* a turn that is over within a msec counts as one */

static void
test_short(void **state)
{
    share_t  s;

    ngx_memzero(&s, sizeof(share_t));
    s.now = NOON;

    share_run(&s, 0, NOON + 900);

    assert_int_equal(s.turns, 100);
}


/* nobody starves behind a long one: then it is more than a tenth */

static void
test_long(void **state)
{
    assert_int_equal(ngx_codat_share_end(NOON, NOON + 112),
                     NOON + 112 + 1000);
    assert_int_equal(ngx_codat_share_end(NOON, NOON + 3600000),
                     NOON + 3600000 + 1000);
}


/* a worker that dies in its turn gives it back no later than this */

static void
test_dead(void **state)
{
    uint64_t  at;

    at = ngx_codat_share_begin(NOON);

    assert_int_equal(ngx_codat_share_wait(NOON, at), 1000);
    assert_int_equal(ngx_codat_share_wait(NOON + 999, at), 1);
    assert_int_equal(ngx_codat_share_wait(NOON + 1000, at), 0);
    assert_int_equal(ngx_codat_share_wait(NOON + 3600000, at), 0);
}


static void
test_clock(void **state)
{
    share_t   s;
    uint64_t  at;

    /* nothing was ever shared */

    assert_int_equal(ngx_codat_share_wait(NOON, 0), 0);

    /* back while it rests, and while somebody has a turn */

    at = ngx_codat_share_end(NOON, NOON + 50);

    assert_int_equal(ngx_codat_share_wait(NOON + 50, at), 450);
    assert_int_equal(ngx_codat_share_wait(NOON - 3600000, at), 0);
    assert_int_equal(ngx_codat_share_wait(NOON - 400, at), 900);

    assert_int_equal(ngx_codat_share_end(NOON, NOON - 3600000),
                     NOON - 3600000 + 9);

    /* and it goes on from there */

    ngx_memzero(&s, sizeof(share_t));
    s.at = at;
    s.now = NOON - 3600000;

    share_run(&s, 10, NOON - 3600000 + 10000);

    assert_in_range(s.turns, 99, 101);
}


int
ngx_codat_unit_share(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_tenth),
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_dead),
        cmocka_unit_test(test_clock),
    };

    return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
