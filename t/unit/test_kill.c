
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Workers that are killed in the midst of a change: behind every single
 * store of each operation, and at random moments.  After the repair each row
 * is as it was before or as it was to be, and everything is in its place.
 */


#include "ngx_codat_unit_zone.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>


#define NGX_CODAT_KILL_SIZE    65536
#define NGX_CODAT_KILL_PUSHES  200


typedef void (*ngx_codat_kill_pt)(ngx_codat_zone_t *zone, ngx_pool_t *pool);


typedef struct {
    const char             *name;
    ngx_codat_kill_pt       prepare;
    ngx_codat_kill_pt       operate;
} ngx_codat_kill_case_t;


/* what the child tells that needs no lock of the zone */

typedef struct {
    volatile ngx_uint_t     version;
    volatile ngx_uint_t     done[NGX_CODAT_KILL_PUSHES];
} ngx_codat_kill_mark_t;


static ngx_codat_kill_mark_t  *ngx_codat_kill_mark;


/* Says something of a push, and of its company. */

static void
kill_push(ngx_codat_zone_t *zone, ngx_pool_t *pool, ngx_uint_t number,
    ngx_uint_t company, ngx_uint_t state, ngx_uint_t when, const char *error)
{
    ngx_codat_record_t    *fact;
    ngx_codat_update_t     update;
    ngx_codat_delivery_t   delivery;

    ngx_codat_unit_update(pool, &update, "{\"eventType\": \"x\"}");

    fact = ngx_codat_unit_fact(&update, NGX_CODAT_RECORD_PUSH, state, when);
    fact->texts[NGX_CODAT_TEXT_ID] = ngx_codat_unit_uuid(pool, number);
    fact->texts[NGX_CODAT_TEXT_COMPANY] = ngx_codat_unit_uuid(pool, company);
    fact->texts[NGX_CODAT_TEXT_ERROR] = ngx_codat_unit_str(pool, error);

    fact = ngx_codat_unit_fact(&update, NGX_CODAT_RECORD_COMPANY, 0, when);
    fact->texts[NGX_CODAT_TEXT_ID] = ngx_codat_unit_uuid(pool, company);
    fact->texts[NGX_CODAT_TEXT_NAME] = ngx_codat_unit_str(pool, error);

    ngx_memzero(&delivery, sizeof(ngx_codat_delivery_t));
    ngx_codat_unit_key(100000 + number * 100 + when, delivery.key);
    delivery.body = 5;
    delivery.routes = 6;

    assert_int_equal(ngx_codat_table_receive(zone, pool, &delivery, 0,
                                             &update),
                     NGX_OK);

    ngx_codat_delivery_release(zone, &delivery, 1);
}


static void
kill_connection(ngx_codat_zone_t *zone, ngx_pool_t *pool, ngx_uint_t number,
    ngx_uint_t state, ngx_uint_t when)
{
    ngx_uint_t           i;
    ngx_codat_record_t  *fact;
    ngx_codat_update_t   update;

    ngx_codat_unit_update(pool, &update, "{\"eventType\": \"y\"}");

    fact = ngx_codat_unit_fact(&update, NGX_CODAT_RECORD_CONNECTION, state,
                               when);
    fact->texts[NGX_CODAT_TEXT_ID] = ngx_codat_unit_uuid(pool, number);
    fact->texts[NGX_CODAT_TEXT_COMPANY] = ngx_codat_unit_uuid(pool, 7);

    for (i = 0; i < 3; i++) {
        fact = ngx_codat_unit_fact(&update, NGX_CODAT_RECORD_DATASET, 0,
                                   when);
        fact->texts[NGX_CODAT_TEXT_CONNECTION] =
                                         ngx_codat_unit_uuid(pool, number);
        fact->texts[NGX_CODAT_TEXT_DATA_TYPE] =
                       ngx_codat_unit_str(pool, i ? "bills" : "customers");
        fact->texts[NGX_CODAT_TEXT_STATUS] =
                       ngx_codat_unit_str(pool, when % 2 ? "Complete" : "x");
    }

    assert_int_equal(ngx_codat_table_receive(zone, pool, NULL, 0, &update),
                     NGX_OK);
}


static void
kill_register(ngx_codat_zone_t *zone, ngx_pool_t *pool, ngx_uint_t number,
    const char *reference)
{
    ngx_int_t           rc;
    ngx_codat_copy_t    copy;
    ngx_codat_record_t  push;

    ngx_memzero(&push, sizeof(ngx_codat_record_t));

    push.texts[NGX_CODAT_TEXT_ID] = ngx_codat_unit_uuid(pool, number);
    push.texts[NGX_CODAT_TEXT_REFERENCE] = ngx_codat_unit_str(pool,
                                                              reference);

    rc = ngx_codat_table_register(zone, &push, &copy);

    assert_true(rc == NGX_OK || rc == NGX_DONE);
}


static void
kill_forget(ngx_codat_zone_t *zone, ngx_uint_t number)
{
    u_char  key[NGX_CODAT_ZONE_KEY_LEN];

    ngx_codat_unit_key(number, key);

    (void) ngx_codat_table_forget(zone, key);
}


/* a zone in which there is no room */

static void
kill_prepare_full(ngx_codat_zone_t *zone, ngx_pool_t *pool)
{
    ngx_uint_t  i;
    u_char      text[600];

    ngx_memset(text, 'x', sizeof(text));
    text[599] = '\0';

    for (i = 1; ngx_codat_run_room(zone->sh) > 5; i++) {
        ngx_codat_unit_clock(1800000000 + (time_t) i);

        text[300 + i % 200] = '\0';

        kill_register(zone, pool, i, (i % 5 == 0) ? "order" : "bill");
        kill_push(zone, pool, i, 7 + i % 3, i % 4 == 0
                                            ? NGX_CODAT_PUSH_PENDING
                                            : NGX_CODAT_PUSH_FAILED,
                  i, (char *) text);

        text[300 + i % 200] = 'x';
    }
}


static void
kill_prepare_few(ngx_codat_zone_t *zone, ngx_pool_t *pool)
{
    kill_register(zone, pool, 1, "order 1");
    kill_register(zone, pool, 2, "order 2");
    kill_push(zone, pool, 2, 7, NGX_CODAT_PUSH_PENDING, 10, "");
    kill_push(zone, pool, 3, 8, NGX_CODAT_PUSH_PENDING, 10, "");
    kill_connection(zone, pool, 4, NGX_CODAT_CONN_LINKED, 10);
}


static void
kill_new(ngx_codat_zone_t *zone, ngx_pool_t *pool)
{
    kill_push(zone, pool, 5, 9, NGX_CODAT_PUSH_PENDING, 20,
              "a text that needs more than one cell, as texts do that people "
              "write to tell others what was wrong, and how wrong it was");
}


static void
kill_final(ngx_codat_zone_t *zone, ngx_pool_t *pool)
{
    kill_push(zone, pool, 2, 7, NGX_CODAT_PUSH_SUCCESS, 20, "name");
}


static void
kill_move(ngx_codat_zone_t *zone, ngx_pool_t *pool)
{
    kill_push(zone, pool, 2, 8, NGX_CODAT_PUSH_TIMED_OUT, 20, "longer name");
}


static void
kill_deleted(ngx_codat_zone_t *zone, ngx_pool_t *pool)
{
    kill_connection(zone, pool, 4, NGX_CODAT_CONN_DELETED, 21);
}


static void
kill_register_new(ngx_codat_zone_t *zone, ngx_pool_t *pool)
{
    kill_register(zone, pool, 6, "order 6");
}


static void
kill_register_again(ngx_codat_zone_t *zone, ngx_pool_t *pool)
{
    kill_register(zone, pool, 2, "another order, whose number is longer");
}


static void
kill_forget_one(ngx_codat_zone_t *zone, ngx_pool_t *pool)
{
    kill_forget(zone, 2);
}


static void
kill_evicting(ngx_codat_zone_t *zone, ngx_pool_t *pool)
{
    u_char  text[500];

    ngx_memset(text, 'y', sizeof(text));
    text[499] = '\0';

    kill_push(zone, pool, 5000, 5001, NGX_CODAT_PUSH_PENDING, 20,
              (char *) text);
    kill_register(zone, pool, 5002, "new");
}


static void
kill_expired(ngx_codat_zone_t *zone, ngx_pool_t *pool)
{
    zone->retain = 1;
    zone->dedupe = 1;
    ngx_codat_unit_clock(1900000000);

    kill_new(zone, pool);
    kill_final(zone, pool);
}


/* anything, again and again */

static void
kill_anything(ngx_codat_zone_t *zone, ngx_pool_t *pool)
{
    u_char                     text[300];
    ngx_uint_t                 i, number, state, version;
    ngx_codat_record_t        *fact;
    ngx_codat_update_t         update;
    ngx_codat_delivery_t       delivery;

    static const ngx_uint_t    columns[] = { NGX_CODAT_TEXT_DATA_TYPE,
                                             NGX_CODAT_TEXT_TYPE,
                                             NGX_CODAT_TEXT_RECORD };

    number = 1 + ngx_codat_unit_random(NGX_CODAT_KILL_PUSHES - 1);

    switch (ngx_codat_unit_random(10)) {

    case 0:
        kill_connection(zone, pool, 1000 + number,
                        1 + ngx_codat_unit_random(5),
                        ++ngx_codat_kill_mark->version);
        return;

    case 1:
        kill_register(zone, pool, number, number % 2 ? "odd" : "even");
        return;

    case 2:
        ngx_codat_kill_mark->done[number] = 0;
        kill_forget(zone, number);
        return;
    }

    version = ++ngx_codat_kill_mark->version;
    state = 1 + ngx_codat_unit_random(4);

    /* all columns that an event sets say which event it was */

    ngx_memset(text, 'v', sizeof(text));
    text[100 + version % 199] = '\0';
    ngx_sprintf(text, "%010ui", version);
    text[10] = ' ';

    ngx_codat_unit_update(pool, &update, (char *) text);

    update.recent.id.len = 10;
    update.recent.id.data = text;

    fact = ngx_codat_unit_fact(&update, NGX_CODAT_RECORD_PUSH, state,
                               version);
    fact->texts[NGX_CODAT_TEXT_ID] = ngx_codat_unit_uuid(pool, number);
    fact->texts[NGX_CODAT_TEXT_COMPANY] =
                          ngx_codat_unit_uuid(pool, 2000 + version % 50);

    for (i = 0; i < 3; i++) {
        fact->texts[columns[i]].len = 40 + version % 60;
        fact->texts[columns[i]].data = text;
    }

    fact = ngx_codat_unit_fact(&update, NGX_CODAT_RECORD_COMPANY,
                               number % 20 == 0, version);
    fact->texts[NGX_CODAT_TEXT_ID] =
                          ngx_codat_unit_uuid(pool, 2000 + version % 50);

    ngx_memzero(&delivery, sizeof(ngx_codat_delivery_t));
    ngx_codat_unit_key(100000 + version, delivery.key);

    assert_int_equal(ngx_codat_table_receive(zone, pool, &delivery, 0,
                                             &update),
                     NGX_OK);

    ngx_codat_kill_mark->done[number] = version;

    /* those under way are not to fill the zone, however long it lives */

    if (version % 64) {
        ngx_codat_delivery_release(zone, &delivery, 1);
    }
}


/* each push is of one event, and not of an older one than was reported */

static void
kill_versions(ngx_codat_zone_t *zone)
{
    ngx_int_t                  version;
    uint32_t                   i;
    uint64_t                   cursor;
    ngx_str_t                 *texts;
    ngx_uint_t                 number;
    ngx_codat_row_t           *row;
    ngx_codat_copy_t           copy;
    ngx_codat_recent_event_t   event;

    static u_char              buf[NGX_CODAT_RECENT_MAX];

    for (i = 0; i < zone->sh->fresh; i++) {
        row = &zone->sh->cells[i];

        if (row->kind == NGX_CODAT_ROW_DELIVERY) {
            assert_true(ngx_codat_delivery_idle(row, (uint32_t) ngx_time()));
        }

        if (row->kind != NGX_CODAT_ROW_PUSH) {
            continue;
        }

        ngx_codat_table_copy_locked(zone, row, &copy);
        ngx_codat_table_unpack(&copy);

        number = (ngx_uint_t) row->key[14] * 256 + row->key[15];
        texts = copy.record.texts;

        if (texts[NGX_CODAT_TEXT_TYPE].len == 0) {
            continue;
        }

        version = ngx_atoi(texts[NGX_CODAT_TEXT_TYPE].data, 10);

        assert_true(version > 0);
        assert_true((ngx_uint_t) version
                    >= ngx_codat_kill_mark->done[number]);
        assert_int_equal(texts[NGX_CODAT_TEXT_TYPE].len, 40 + version % 60);
        assert_int_equal(texts[NGX_CODAT_TEXT_RECORD].len,
                         40 + version % 60);
        assert_int_equal(texts[NGX_CODAT_TEXT_DATA_TYPE].len,
                         40 + version % 60);
        assert_memory_equal(texts[NGX_CODAT_TEXT_TYPE].data,
                            texts[NGX_CODAT_TEXT_RECORD].data,
                            40 + version % 60);
        assert_memory_equal(texts[NGX_CODAT_TEXT_TYPE].data,
                            texts[NGX_CODAT_TEXT_DATA_TYPE].data,
                            40 + version % 60);
        assert_true(row->u.record.value.part.flags
                    & (1 << row->u.record.value.part.state));
    }

    cursor = 0;

    while (ngx_codat_recent_get_locked(zone->sh->recent, &cursor, buf, &event)
           == NGX_OK)
    {
        if (event.id.len == 0) {
            continue;
        }

        version = ngx_atoi(event.id.data, 10);

        assert_int_equal(event.body.len, 100 + version % 199);
        assert_memory_equal(event.body.data, event.id.data, 10);
    }
}


static ngx_uint_t
repairs(ngx_codat_unit_zone_t *uz)
{
    return ngx_codat_stats_get(uz->zone.sh->stats,
                               ngx_codat_stat_id(NGX_CODAT_STAT_REPAIRED,
                                                 0, 0, 0, 0));
}


static ngx_uint_t
enough(ngx_codat_unit_zone_t *uz, ngx_uint_t n)
{
    return ngx_codat_unit_slow() || repairs(uz) > n / 20;
}


static void
test_random(void **state)
{
    pid_t                   pid;
    int                     status;
    ngx_uint_t              i, n;
    ngx_pool_t             *pool;
    ngx_codat_delivery_t    delivery;
    ngx_codat_unit_zone_t   uz;

    ngx_codat_unit_seed("kill");
    ngx_codat_unit_clock(0);

    assert_int_equal(ngx_codat_unit_zone_open(&uz, 2 * NGX_CODAT_KILL_SIZE),
                     NGX_OK);

    ngx_codat_kill_mark = mmap(NULL, sizeof(ngx_codat_kill_mark_t),
                               PROT_READ|PROT_WRITE,
                               MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(ngx_codat_kill_mark, MAP_FAILED);

    n = ngx_codat_unit_slow() ? 5 : 600;

    /* where a machine is busy, fewer die while they hold the lock */

    for (i = 0; i < n || (!enough(&uz, n) && i < 20 * n); i++) {

        (void) ngx_codat_unit_random(2);
        fflush(stdout);

        pid = fork();
        assert_int_not_equal(pid, -1);

        if (pid == 0) {
            ngx_pid = ngx_getpid();

            for ( ;; ) {
                pool = ngx_codat_unit_pool();
                kill_anything(&uz.zone, pool);
                ngx_destroy_pool(pool);
            }
        }

        usleep((useconds_t) (ngx_codat_unit_slow() ? 300000
                             : 300 + ngx_codat_unit_random(2500)));

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGKILL);

        ngx_codat_unit_zone_died(&uz, pid);

        ngx_codat_zone_lock(&uz.zone);
        ngx_codat_zone_unlock(&uz.zone);

        ngx_codat_unit_zone_check(&uz.zone, "killed");
        ngx_codat_unit_table_check(&uz.zone, "killed");

        kill_versions(&uz.zone);

        /* what the dead one worked on, or was about to, is ours now */

        ngx_memzero(&delivery, sizeof(ngx_codat_delivery_t));
        ngx_codat_unit_key(100000 + ngx_codat_kill_mark->version,
                           delivery.key);

        ngx_codat_zone_lock(&uz.zone);
        status = (int) ngx_codat_delivery_claim_locked(&uz.zone, &delivery, 0,
                                                       (uint32_t) ngx_time());
        ngx_codat_zone_unlock(&uz.zone);

        assert_true(status == NGX_OK || status == NGX_DONE);

        ngx_codat_delivery_release(&uz.zone, &delivery, 0);
    }

    printf("# %u killed, %u repairs, %u events, %u evicted pushes\n",
           (unsigned) i, (unsigned) repairs(&uz),
           (unsigned) ngx_codat_kill_mark->version,
           (unsigned) ngx_codat_stats_get(uz.zone.sh->stats,
                       ngx_codat_stat_id(NGX_CODAT_STAT_EVICTED,
                                         NGX_CODAT_ROW_PUSH, 0, 0, 0)));

    assert_true(enough(&uz, n));

    (void) munmap(ngx_codat_kill_mark, sizeof(ngx_codat_kill_mark_t));

    ngx_codat_unit_zone_close(&uz);
}


static const ngx_codat_kill_case_t  ngx_codat_kill_cases[] = {
    { "a new push", kill_prepare_few, kill_new },
    { "a push that ends", kill_prepare_few, kill_final },
    { "a push of another company", kill_prepare_few, kill_move },
    { "a connection that is deleted", kill_prepare_few, kill_deleted },
    { "a new reference", kill_prepare_few, kill_register_new },
    { "another reference", kill_prepare_few, kill_register_again },
    { "a push that is forgotten", kill_prepare_few, kill_forget_one },
    { "evictions", kill_prepare_full, kill_evicting },
    { "old rows", kill_prepare_full, kill_expired }
};


/* as it is before the operation, or after it, or was in between */

static void
kill_compare(ngx_codat_zone_t *zone, ngx_codat_unit_row_t **rows,
    ngx_uint_t *n, const char *what)
{
    ngx_uint_t             i, k, count;
    ngx_codat_unit_row_t  *now, *row, *after;

    now = ngx_codat_unit_rows(zone, &count);

    for (i = 0; i < count; i++) {

        if (now[i].kind == NGX_CODAT_ROW_DELIVERY) {
            continue;
        }

        if (!ngx_codat_unit_same(&now[i], ngx_codat_unit_row(rows[0], n[0],
                                                             &now[i]))
            && !ngx_codat_unit_same(&now[i], ngx_codat_unit_row(rows[1],
                                                                n[1],
                                                                &now[i])))
        {
            fail_msg("%s: a row of kind %u that is neither old nor new: "
                     "queue %u, state %u, group %08x, %u bytes", what,
                     (unsigned) now[i].kind, (unsigned) now[i].queue,
                     (unsigned) now[i].state, (unsigned) now[i].group,
                     (unsigned) now[i].len);
        }
    }

    /*
     * What is there before and afterwards is there all the time, but for one
     * that is too old: it is dropped, and what is there then is another.
     */

    for (k = 0; k < n[0]; k++) {
        row = &rows[0][k];
        after = ngx_codat_unit_row(rows[1], n[1], row);

        if (after
            && (ngx_strcmp(what, "old rows") != 0
                || ngx_codat_unit_same(row, after))
            && ngx_codat_unit_row(now, count, row) == NULL)
        {
            fail_msg("%s: a row of kind %u is gone", what,
                     (unsigned) row->kind);
        }
    }

    free(now);
}


static void
kill_child(ngx_codat_unit_zone_t *uz, const ngx_codat_kill_case_t *c,
    ngx_pool_t *pool)
{
    ngx_pid = ngx_getpid();

    /* what is loaded at the first call is not stepped through */

    (void) ngx_random();

    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
        _exit(1);
    }

    (void) raise(SIGSTOP);

    c->operate(&uz->zone, pool);

    _exit(0);
}


/*
 * Each instruction of the child that changes the shared memory is followed
 * by a repair here, as if the child were dead; then the memory is put back.
 */

static void
kill_step(const ngx_codat_kill_case_t *c)
{
    int                     status;
    u_char                 *shm, *before;
    pid_t                   pid;
    ngx_uint_t              stores, steps, n[2];
    ngx_pool_t             *pool;
    ngx_codat_zone_t        zone;
    ngx_codat_unit_row_t   *rows[2];
    ngx_codat_unit_zone_t   uz;

    pool = ngx_codat_unit_pool();

    ngx_codat_unit_clock(1800000000);

    assert_int_equal(ngx_codat_unit_zone_open(&uz, NGX_CODAT_KILL_SIZE),
                     NGX_OK);

    c->prepare(&uz.zone, pool);
    ngx_codat_unit_table_check(&uz.zone, "prepared");

    shm = uz.shm_zone.shm.addr;
    before = malloc(NGX_CODAT_KILL_SIZE);
    assert_non_null(before);
    ngx_memcpy(before, shm, NGX_CODAT_KILL_SIZE);

    zone = uz.zone;

    rows[0] = ngx_codat_unit_rows(&uz.zone, &n[0]);

    c->operate(&uz.zone, pool);

    ngx_codat_unit_zone_check(&uz.zone, c->name);
    ngx_codat_unit_table_check(&uz.zone, c->name);

    rows[1] = ngx_codat_unit_rows(&uz.zone, &n[1]);

    ngx_memcpy(shm, before, NGX_CODAT_KILL_SIZE);
    uz.zone = zone;

    fflush(stdout);

    pid = fork();
    assert_int_not_equal(pid, -1);

    if (pid == 0) {
        kill_child(&uz, c, pool);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));

    stores = 0;
    steps = 0;

    for ( ;; ) {

        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == -1
            || waitpid(pid, &status, 0) != pid)
        {
            fail_msg("ptrace: %s", strerror(errno));
        }

        if (WIFEXITED(status)) {
            break;
        }

        steps++;

        if (memcmp(before, shm, NGX_CODAT_KILL_SIZE) == 0) {
            continue;
        }

        stores++;

        ngx_memcpy(before, shm, NGX_CODAT_KILL_SIZE);

        ngx_codat_unit_zone_died(&uz, pid);

        ngx_codat_zone_lock(&uz.zone);
        ngx_codat_zone_unlock(&uz.zone);

        ngx_codat_unit_zone_check(&uz.zone, c->name);
        ngx_codat_unit_table_check(&uz.zone, c->name);

        kill_compare(&uz.zone, rows, n, c->name);

        ngx_memcpy(shm, before, NGX_CODAT_KILL_SIZE);
    }

    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(stores > 20);

    printf("# %s: %u stores in %u steps\n", c->name, (unsigned) stores,
           (unsigned) steps);

    /* in the end it is done */

    kill_compare(&uz.zone, rows, n, c->name);
    ngx_codat_unit_zone_check(&uz.zone, c->name);

    free(rows[0]);
    free(rows[1]);
    free(before);

    ngx_codat_unit_zone_close(&uz);
    ngx_destroy_pool(pool);
}


static void
test_every_store(void **state)
{
    ngx_uint_t  i;

    if (ngx_codat_unit_slow()) {

        /* cmocka's skip() looks like a failure */

        printf("# not under valgrind\n");
        return;
    }

    for (i = 0;
         i < sizeof(ngx_codat_kill_cases) / sizeof(ngx_codat_kill_case_t);
         i++)
    {
        kill_step(&ngx_codat_kill_cases[i]);
    }

    ngx_codat_unit_clock(0);
}


int
ngx_codat_unit_kill(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_every_store),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
