
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The ring of recent events: against a list of all that went in.
 */


#include "ngx_codat_unit_zone.h"

#include <sys/mman.h>
#include <sys/wait.h>


#define NGX_CODAT_RING_EVENTS  4000


typedef struct {
    size_t          id;
    size_t          client;
    size_t          reference;
    size_t          body;
    ngx_uint_t      listed;
    uint64_t        end;
} ngx_codat_ring_event_t;


static ngx_codat_ring_event_t  ngx_codat_ring_events[NGX_CODAT_RING_EVENTS];


/* all bytes of an event are known by its number */

static void
ring_fill(u_char *p, size_t len, ngx_uint_t number, ngx_uint_t column)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        p[i] = (u_char) (number * 7 + column * 61 + i * 3);
    }
}


static void
ring_add(ngx_codat_recent_t *recent, ngx_uint_t number,
    ngx_codat_ring_event_t *e)
{
    ngx_codat_recent_event_t  event;

    static u_char  text[4][NGX_CODAT_RECENT_MAX + 4096];

    ring_fill(text[0], e->id, number, 0);
    ring_fill(text[1], e->client, number, 1);
    ring_fill(text[2], e->reference, number, 2);
    ring_fill(text[3], e->body, number, 3);

    event.id.len = e->id;
    event.id.data = text[0];
    event.client.len = e->client;
    event.client.data = text[1];
    event.reference.len = e->reference;
    event.reference.data = text[2];
    event.body.len = e->body;
    event.body.data = text[3];
    event.received = (int64_t) number;
    event.stale = number % 2;

    ngx_codat_recent_add_locked(recent, &event);
}


static void
ring_same(const ngx_str_t *text, size_t len, ngx_uint_t number,
    ngx_uint_t column)
{
    static u_char  wanted[NGX_CODAT_RECENT_MAX];

    assert_int_equal(text->len, len);

    ring_fill(wanted, len, number, column);

    if (len) {
        assert_memory_equal(text->data, wanted, len);
    }
}


static void
ring_event(ngx_codat_recent_event_t *event, ngx_codat_ring_event_t *e)
{
    ngx_uint_t  number;

    number = (ngx_uint_t) event->received;

    assert_int_equal(event->stale, number % 2);

    ring_same(&event->id, e->id, number, 0);
    ring_same(&event->client, e->client, number, 1);
    ring_same(&event->reference, e->reference, number, 2);
    ring_same(&event->body, e->body, number, 3);
}


static void
ring_random(ngx_codat_ring_event_t *e, size_t size)
{
    ngx_memzero(e, sizeof(ngx_codat_ring_event_t));

    switch (ngx_codat_unit_random(10)) {

    case 0:
        break;

    case 1:
        e->body = ngx_codat_unit_random(size);
        break;

    case 2:
        e->id = ngx_codat_unit_random(size / 4);
        e->client = ngx_codat_unit_random(size / 4);
        e->reference = ngx_codat_unit_random(size / 4);
        break;

    default:
        e->id = ngx_codat_unit_random(30);
        e->client = ngx_codat_unit_random(4);
        e->reference = ngx_codat_unit_random(20);
        e->body = ngx_codat_unit_random(size / 20);
    }
}


static void
test_model(void **state)
{
    u_char                    *bytes, *buf;
    size_t                     size;
    uint64_t                   cursor, before;
    ngx_uint_t                 i, j, n, round, listed, unlisted;
    ngx_codat_recent_t         recent;
    ngx_codat_ring_event_t    *e;
    ngx_codat_recent_event_t   event;

    static const size_t  sizes[] = { 2048, 4096, 65536, 262144, 3000 * 8 };

    ngx_codat_unit_seed("recent");

    buf = malloc(NGX_CODAT_RECENT_MAX);
    assert_non_null(buf);

    for (round = 0; round < 5; round++) {
        size = sizes[round];

        bytes = malloc(size);
        assert_non_null(bytes);
        ngx_memset(bytes, 0xa5, size);

        ngx_codat_recent_init(&recent, bytes, size);

        cursor = 0;
        assert_int_equal(ngx_codat_recent_get_locked(&recent, &cursor, buf,
                                                     &event),
                         NGX_DONE);

        listed = 0;
        unlisted = 0;
        n = ngx_codat_unit_slow() ? 300 : NGX_CODAT_RING_EVENTS;

        for (i = 0; i < n; i++) {
            e = &ngx_codat_ring_events[i];

            ring_random(e, ngx_min(size, NGX_CODAT_RECENT_MAX + 1000));

            before = recent.count;
            ring_add(&recent, i, e);

            e->listed = (recent.count != before);
            listed += e->listed;
            unlisted += !e->listed;

            assert_int_equal(recent.count, listed);
            assert_int_equal(recent.unlisted, unlisted);

            if (!e->listed) {
                before = e->id + e->client + e->reference + e->body
                         + sizeof(ngx_codat_recent_head_t);

                assert_true(before + 8 > size / 2
                            || before + 8 > NGX_CODAT_RECENT_MAX);
            }

            if (i % 16) {
                continue;
            }

            /* newest first, without gaps, and at least half of the ring */

            cursor = 0;
            before = 0;
            j = i + 1;

            while (ngx_codat_recent_get_locked(&recent, &cursor, buf, &event)
                   == NGX_OK)
            {
                do {
                    assert_true(j > 0);
                    j--;
                } while (!ngx_codat_ring_events[j].listed);

                assert_int_equal(event.received, j);
                ring_event(&event, &ngx_codat_ring_events[j]);

                before += sizeof(ngx_codat_recent_head_t) + event.id.len
                          + event.client.len + event.reference.len
                          + event.body.len;
            }

            assert_true(recent.end - recent.begin <= size);
            assert_true(i < 100 || before > size / 4);
        }

        assert_true(listed > 0);

        free(bytes);
    }

    free(buf);
}


/* numbers from outside lead to an event, or nowhere */

static void
test_cursors(void **state)
{
    u_char                    *bytes, *buf;
    uint64_t                   cursor, given;
    ngx_uint_t                 i;
    ngx_codat_recent_t         recent;
    ngx_codat_recent_event_t   event;

    ngx_codat_unit_seed("recent cursors");

    bytes = malloc(65536);
    buf = malloc(NGX_CODAT_RECENT_MAX);
    assert_non_null(bytes);
    assert_non_null(buf);

    ngx_memset(bytes, 0, 65536);
    ngx_codat_recent_init(&recent, bytes, 65536);

    for (i = 0; i < 1000; i++) {
        ring_random(&ngx_codat_ring_events[i], 3000);
        ring_add(&recent, i, &ngx_codat_ring_events[i]);
    }

    for (i = 0; i < 200000; i++) {

        switch (i % 4) {

        case 0:
            cursor = recent.begin + ngx_codat_unit_random(65536);
            break;

        case 1:
            cursor = (recent.begin & ~(uint64_t) 7)
                     + 8 * ngx_codat_unit_random(65536 / 8);
            break;

        case 2:
            cursor = (uint64_t) ngx_codat_unit_random((ngx_uint_t) -1);
            break;

        default:
            cursor = recent.end - 64 + ngx_codat_unit_random(128);
        }

        given = cursor;

        if (cursor
            && ngx_codat_recent_get_locked(&recent, &cursor, buf, &event)
               == NGX_OK)
        {
            assert_true(cursor < given);
            assert_true(event.received >= 0 && event.received < 1000);
            ring_event(&event, &ngx_codat_ring_events[event.received]);
        }

        if (ngx_codat_unit_slow() && i > 2000) {
            break;
        }
    }

    /* one that claims to be before itself does not hold up anybody */

    ((ngx_codat_recent_head_t *)
     (bytes + recent.last % recent.size))->previous = recent.last;

    cursor = 0;
    assert_int_equal(ngx_codat_recent_get_locked(&recent, &cursor, buf,
                                                 &event),
                     NGX_OK);
    assert_int_equal(ngx_codat_recent_get_locked(&recent, &cursor, buf,
                                                 &event),
                     NGX_DONE);

    free(bytes);
    free(buf);
}


/* a worker that is killed while it adds leaves whole events */

static void
test_kill(void **state)
{
    int                        status;
    pid_t                      pid;
    u_char                    *buf;
    size_t                     len;
    uint64_t                   cursor, last;
    ngx_uint_t                 i, n, seen;
    ngx_codat_recent_t        *recent;
    ngx_codat_ring_event_t     e;
    ngx_codat_recent_event_t   event;

    len = 16384;

    recent = mmap(NULL, len, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                  -1, 0);
    assert_ptr_not_equal(recent, MAP_FAILED);

    ngx_codat_recent_init(recent, (u_char *) recent + 4096, len - 4096);

    buf = malloc(NGX_CODAT_RECENT_MAX);
    assert_non_null(buf);

    n = ngx_codat_unit_slow() ? 3 : 200;

    for (i = 0; i < n; i++) {

        fflush(stdout);

        pid = fork();
        assert_int_not_equal(pid, -1);

        if (pid == 0) {
            for ( ;; ) {
                ngx_memzero(&e, sizeof(ngx_codat_ring_event_t));

                e.id = recent->count % 17;
                e.body = recent->count % 1500;

                ring_add(recent, (ngx_uint_t) recent->count, &e);
            }
        }

        usleep((useconds_t) (200 + ngx_codat_unit_random(800)));

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);

        cursor = 0;
        last = (uint64_t) -1;
        seen = 0;

        while (ngx_codat_recent_get_locked(recent, &cursor, buf, &event)
               == NGX_OK)
        {
            ngx_memzero(&e, sizeof(ngx_codat_ring_event_t));

            e.id = (size_t) event.received % 17;
            e.body = (size_t) event.received % 1500;

            ring_event(&event, &e);

            /* one may have been listed and not counted */

            assert_true((uint64_t) event.received <= last);

            last = (uint64_t) event.received;
            seen++;
        }

        assert_true(seen >= 3 || recent->count < 10);
    }

    printf("# %u events\n", (unsigned) recent->count);

    free(buf);
    (void) munmap(recent, len);
}


int
ngx_codat_unit_recent(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_cursors),
        cmocka_unit_test(test_kill),
    };

    return cmocka_run_group_tests_name("recent", tests, NULL, NULL);
}
