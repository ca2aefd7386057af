
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Counters, which need no lock: of many processes at once, and in a table
 * that is full.
 */


#include "ngx_codat_unit_zone.h"
#include "ngx_codat_names.h"

#include <sys/mman.h>
#include <sys/wait.h>


#define NGX_CODAT_COUNT_CHILDREN  4
#define NGX_CODAT_COUNT_IDS       90


static ngx_codat_stats_t *
count_open(size_t zone, size_t *size)
{
    ngx_codat_stats_t  *stats;

    *size = ngx_codat_stats_size(zone);

    stats = mmap(NULL, *size, PROT_READ|PROT_WRITE,
                 MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(stats, MAP_FAILED);

    ngx_codat_stats_init(stats, *size);

    return stats;
}


static uint64_t
count_id(ngx_uint_t i)
{
    return ngx_codat_stat_id(i % NGX_CODAT_STATS_FAMILIES, i % 1024,
                             (i / 3) % 256, i % 7, i % 5 ? i * 2654435761U
                                                         : 0);
}


static void
test_size(void **state)
{
    size_t              size, zone;
    ngx_codat_stats_t  *stats;

    for (zone = 0; zone < 1024 * 1024 * 1024; zone = zone * 2 + 4096) {
        stats = count_open(zone, &size);

        assert_true(stats->mask + 1 >= 128);
        assert_int_equal(stats->mask & (stats->mask + 1), 0);
        assert_true((u_char *) &stats->counters[stats->mask + 1]
                    <= (u_char *) stats + size);

        (void) munmap(stats, size);
    }

    /* a zone of 1m, less what the slab pool takes, has them for all types */

    stats = count_open(1000 * 1024, &size);
    assert_true(stats->mask + 1 >= NGX_CODAT_TYPES_N * (2 * 4 + 1) + 1000);
    (void) munmap(stats, size);

    /* and one of 32k has most of it left for rows */

    stats = count_open(28 * 1024, &size);
    assert_true(size < 2200);
    (void) munmap(stats, size);
}


static void
test_ids(void **state)
{
    uint64_t  id;

    id = ngx_codat_stat_id(NGX_CODAT_STAT_EVENTS, 0, 0, 0, 0);
    assert_int_not_equal(id, 0);
    assert_int_equal(ngx_codat_stat_family(id), NGX_CODAT_STAT_EVENTS);

    id = ngx_codat_stat_id(NGX_CODAT_STAT_INFO, 1023, 255, 254, 0xffffffff);
    assert_int_equal(ngx_codat_stat_family(id), NGX_CODAT_STAT_INFO);
    assert_int_equal(ngx_codat_stat_a(id), 1023);
    assert_int_equal(ngx_codat_stat_b(id), 255);
    assert_int_equal(ngx_codat_stat_c(id), 254);

    /* families have six bits */

    assert_true(NGX_CODAT_STATS_FAMILIES < 63);
    assert_true(NGX_CODAT_TYPES_N <= 1024);
}


static void
test_many(void **state)
{
    int                 status;
    pid_t               pids[NGX_CODAT_COUNT_CHILDREN];
    size_t              size;
    uint64_t            id;
    ngx_uint_t          i, k, n, value, sum, wanted, max;
    ngx_codat_stats_t  *stats;

    stats = count_open(65536, &size);

    n = ngx_codat_unit_slow() ? 2000 : 200000;

    fflush(stdout);

    for (k = 0; k < NGX_CODAT_COUNT_CHILDREN; k++) {
        pids[k] = fork();
        assert_int_not_equal(pids[k], -1);

        if (pids[k] == 0) {
            for (i = 0; i < n; i++) {
                ngx_codat_stats_add(stats,
                         count_id((i * (k + 1)) % NGX_CODAT_COUNT_IDS),
                         i % 3);
                ngx_codat_stats_max(stats, count_id(NGX_CODAT_COUNT_IDS),
                                    (i * 7919) % n + k);
            }

            _exit(0);
        }
    }

    for (k = 0; k < NGX_CODAT_COUNT_CHILDREN; k++) {
        assert_int_equal(waitpid(pids[k], &status, 0), pids[k]);
        assert_true(WIFEXITED(status));
    }

    wanted = 0;
    max = 0;

    for (i = 0; i < n; i++) {
        wanted += NGX_CODAT_COUNT_CHILDREN * (i % 3);
        max = ngx_max(max, (i * 7919) % n + NGX_CODAT_COUNT_CHILDREN - 1);
    }

    assert_int_equal(stats->lost, 0);

    /* each one is there once */

    sum = 0;
    k = 0;
    i = 0;

    while (ngx_codat_stats_next(stats, &i, &id, &value) == NGX_OK) {
        assert_int_equal(ngx_codat_stats_get(stats, id), value);
        k++;

        if (id == count_id(NGX_CODAT_COUNT_IDS)) {
            assert_int_equal(value, max);
            continue;
        }

        sum += value;
    }

    assert_int_equal(k, NGX_CODAT_COUNT_IDS + 1);
    assert_int_equal(sum, wanted);

    (void) munmap(stats, size);
}


static void
test_full(void **state)
{
    size_t              size;
    uint64_t            id;
    ngx_uint_t          i, k, value, counted;
    ngx_codat_stats_t  *stats;

    stats = count_open(0, &size);

    for (i = 0; i < 1000; i++) {
        ngx_codat_stats_add(stats, ngx_codat_stat_id(NGX_CODAT_STAT_FORWARDS,
                                                     i, 0, 0, i),
                            2);
        ngx_codat_stats_max(stats,
                            ngx_codat_stat_id(NGX_CODAT_STAT_LAST_EVENT, i,
                                              0, 0, 0),
                            5);
    }

    counted = 0;
    k = 0;
    i = 0;

    while (ngx_codat_stats_next(stats, &i, &id, &value) == NGX_OK) {
        assert_int_equal(value,
                         ngx_codat_stat_family(id) == NGX_CODAT_STAT_FORWARDS
                         ? 2 : 5);
        counted++;
        k++;
    }

    assert_true(k <= stats->mask + 1);
    assert_true(k > (stats->mask + 1) * 3 / 4);
    assert_int_equal(stats->lost + counted, 2000);

    /* what has a place goes on counting */

    i = 0;
    assert_int_equal(ngx_codat_stats_next(stats, &i, &id, &value), NGX_OK);

    ngx_codat_stats_add(stats, id, 10);
    assert_int_equal(ngx_codat_stats_get(stats, id), value + 10);

    assert_int_equal(ngx_codat_stats_get(stats,
                        ngx_codat_stat_id(NGX_CODAT_STAT_CONFLICTS, 9, 9, 9,
                                          9)),
                     0);

    (void) munmap(stats, size);
}


/* nothing that a killed one leaves makes a counter unusable or be twice */

static void
test_kill(void **state)
{
    int                 status;
    pid_t               pid;
    size_t              size;
    uint64_t            id, other;
    ngx_uint_t          i, j, k, n, round, value;
    ngx_codat_stats_t  *stats;

    n = ngx_codat_unit_slow() ? 3 : 100;

    for (round = 0; round < n; round++) {
        stats = count_open(65536, &size);

        fflush(stdout);

        pid = fork();
        assert_int_not_equal(pid, -1);

        if (pid == 0) {
            for (i = 0; ; i++) {
                ngx_codat_stats_add(stats, count_id(i % 100), 1);
            }
        }

        usleep((useconds_t) ngx_codat_unit_random(600));

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);

        for (i = 0; i < 100; i++) {
            ngx_codat_stats_add(stats, count_id(i), 1);
        }

        k = 0;
        i = 0;

        while (ngx_codat_stats_next(stats, &i, &id, &value) == NGX_OK) {
            j = i;

            while (ngx_codat_stats_next(stats, &j, &other, &value) == NGX_OK)
            {
                assert_int_not_equal(id, other);
            }

            k++;
        }

        assert_int_equal(k, 100);

        (void) munmap(stats, size);
    }
}


int
ngx_codat_unit_stats(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_kill),
    };

    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
