
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * A small zone, and what the bytes say is done to it: events, deliveries,
 * rows made and forgotten by hand, lists with cursors, time that passes, a
 * holder of the lock that died.  After each step all that is linked is looked
 * at, and what a step has said must be true of the rows.
 */


#include "ngx_codat_fuzz.h"
#include "ngx_codat_unit_zone.h"
#include "ngx_codat_walk.h"


#define NGX_CODAT_FUZZ_ZONE   (160 * 1024)
#define NGX_CODAT_FUZZ_STEPS  96
#define NGX_CODAT_FUZZ_RUNS   8             /* deliveries at a time */

/* rows have 32 bits for their times: until 2106 */
#define NGX_CODAT_FUZZ_LATEST  ((time_t) 4200000000)


typedef struct {
    ngx_codat_fuzz_t        in;
    ngx_pool_t             *pool;
    ngx_codat_unit_zone_t   uz;
    ngx_codat_zone_t       *zone;
    time_t                  now;
    ngx_codat_delivery_t    runs[NGX_CODAT_FUZZ_RUNS];
    u_char                  cursor[NGX_CODAT_CURSOR_LEN];
} ngx_codat_fuzz_zone_t;


/*
 * Texts: a UUID of few, a short text of few, one of the input, or a long one
 * of any length.
 */

static ngx_str_t
text_next(ngx_codat_fuzz_zone_t *fz, size_t max)
{
    size_t      len;
    ngx_str_t   text;
    ngx_uint_t  byte;

    byte = ngx_codat_fuzz_byte(&fz->in);

    switch (byte % 4) {

    case 0:
        return ngx_codat_unit_uuid(fz->pool, byte / 4);

    case 1:
        text.data = ngx_pnalloc(fz->pool, 16);
        ngx_codat_fuzz_want(text.data != NULL);
        text.len = (size_t) (ngx_sprintf(text.data, "text %ui", byte / 4)
                             - text.data);
        return ngx_codat_fuzz_copy(fz->pool, text.data, text.len);

    case 2:
        return ngx_codat_fuzz_bytes(&fz->in, fz->pool, byte / 4);

    default:
        len = ngx_min(byte * 16, max);
        text = ngx_codat_fuzz_copy(fz->pool, NULL, 0);
        text.data = ngx_pnalloc(fz->pool, len + 1);
        ngx_codat_fuzz_want(text.data != NULL);
        text.len = len;
        ngx_memset(text.data, 'a' + (int) (byte / 4 % 26), len);
        return ngx_codat_fuzz_copy(fz->pool, text.data, len);
    }
}


static ngx_str_t
id_next(ngx_codat_fuzz_zone_t *fz)
{
    ngx_str_t  id;

    id = text_next(fz, NGX_CODAT_ID_MAX);

    if (id.len > NGX_CODAT_ID_MAX) {
        id.len = NGX_CODAT_ID_MAX;
    }

    return id;
}


static void
fact_next(ngx_codat_fuzz_zone_t *fz, ngx_codat_update_t *update)
{
    uint32_t                 mask;
    ngx_uint_t               i, state;
    ngx_codat_record_t      *fact;
    ngx_codat_record_kind_e  kind;

    static const ngx_uint_t  states[NGX_CODAT_RECORD_KINDS] = {
        NGX_CODAT_PUSH_TIMED_OUT + 1, NGX_CODAT_CONN_DELETED + 1, 1, 2, 3
    };

    kind = (ngx_codat_record_kind_e) (ngx_codat_fuzz_byte(&fz->in)
                                      % NGX_CODAT_RECORD_KINDS);
    state = ngx_codat_fuzz_byte(&fz->in) % states[kind];

    fact = ngx_codat_unit_fact(update, kind, state,
                               ngx_codat_fuzz_byte(&fz->in));

    fact->times[NGX_CODAT_TIME_SEEN] = (int64_t) fz->now * 1000000;

    mask = (uint32_t) ngx_codat_fuzz_number(&fz->in, 2);

    for (i = NGX_CODAT_TEXT_COMPANY; i < NGX_CODAT_TEXTS; i++) {

        /* a reference comes from PUT alone */

        if (mask & ((uint32_t) 1 << i) && i != NGX_CODAT_TEXT_REFERENCE) {
            fact->texts[i] = text_next(fz, 2000);
        }
    }

    if (mask & 1) {
        fact->times[NGX_CODAT_TIME_GENERATED] = 0;
    }

    if (kind == NGX_CODAT_RECORD_DATASET) {
        fact->texts[NGX_CODAT_TEXT_CONNECTION] = id_next(fz);

    } else {
        fact->texts[NGX_CODAT_TEXT_ID] = id_next(fz);
    }

    if (kind == NGX_CODAT_RECORD_CONNECTION) {
        fact->flags = ngx_codat_fuzz_byte(&fz->in)
                      % (NGX_CODAT_CONN_DELETED + 1);
    }
}


static void
key_next(ngx_codat_fuzz_zone_t *fz, u_char *key)
{
    ngx_str_t  id;

    id = id_next(fz);

    if (ngx_codat_table_key(fz->zone, &id, key) != NGX_OK) {
        ngx_memzero(key, NGX_CODAT_ZONE_KEY_LEN);
    }
}


/* an event with some facts, as a delivery or not */

static void
step_receive(ngx_codat_fuzz_zone_t *fz)
{
    ngx_int_t              rc;
    ngx_uint_t             n, run, done;
    ngx_codat_copy_t       copy;
    ngx_codat_record_t    *fact;
    ngx_codat_update_t     update;
    ngx_codat_delivery_t  *delivery;
    u_char                 key[NGX_CODAT_ZONE_KEY_LEN];

    ngx_codat_unit_update(fz->pool, &update, "{}");

    run = ngx_codat_fuzz_byte(&fz->in);
    delivery = NULL;
    done = run & 0x40;

    if (run & 0x80) {
        delivery = &fz->runs[run % NGX_CODAT_FUZZ_RUNS];

        ngx_codat_delivery_release(fz->zone, delivery, run & 0x20);
        ngx_memzero(delivery, sizeof(ngx_codat_delivery_t));

        key_next(fz, delivery->key);
        delivery->body = (uint32_t) ngx_codat_fuzz_byte(&fz->in) % 2;
        delivery->routes = (uint32_t) ngx_codat_fuzz_byte(&fz->in) % 2;
    }

    for (n = ngx_codat_fuzz_byte(&fz->in) % 8; n; n--) {
        fact_next(fz, &update);
    }

    update.recent.id = text_next(fz, 100);
    update.recent.client = text_next(fz, 100);
    update.recent.body = text_next(fz, 4000);
    update.recent.received = (int64_t) fz->now * 1000000;

    rc = ngx_codat_table_receive(fz->zone, fz->pool, delivery, done != 0,
                                 &update);

    ngx_codat_fuzz_want(rc == NGX_OK || rc == NGX_DONE || rc == NGX_BUSY
                        || rc == NGX_DECLINED);
    ngx_codat_fuzz_want(rc == NGX_OK || delivery);

    if (delivery) {
        ngx_codat_fuzz_want(delivery->claimed == (rc == NGX_OK && !done));
    }

    if (rc != NGX_OK || update.facts.nelts != 1) {
        return;
    }

    /* the only row of an event is there */

    fact = update.facts.elts;

    if (fact->kind != NGX_CODAT_RECORD_DATASET
        && ngx_codat_table_key(fz->zone, &fact->texts[NGX_CODAT_TEXT_ID],
                               key)
           == NGX_OK
        && ngx_codat_table_get(fz->zone, fact->kind, key, &copy) == NGX_OK)
    {
        ngx_codat_fuzz_want(copy.record.texts[NGX_CODAT_TEXT_ID].len
                            == fact->texts[NGX_CODAT_TEXT_ID].len);
    }
}


static void
step_register(ngx_codat_fuzz_zone_t *fz)
{
    ngx_int_t            rc, known;
    ngx_uint_t           mask;
    ngx_codat_copy_t     copy, before;
    ngx_codat_record_t   push;
    u_char               key[NGX_CODAT_ZONE_KEY_LEN];

    ngx_memzero(&push, sizeof(push));

    push.kind = NGX_CODAT_RECORD_PUSH;
    push.texts[NGX_CODAT_TEXT_ID] = id_next(fz);

    mask = ngx_codat_fuzz_byte(&fz->in);

    if (mask & 1) {
        push.texts[NGX_CODAT_TEXT_REFERENCE] =
                                     text_next(fz, NGX_CODAT_REFERENCE_MAX);
        push.texts[NGX_CODAT_TEXT_REFERENCE].len =
                       ngx_min(push.texts[NGX_CODAT_TEXT_REFERENCE].len,
                               NGX_CODAT_REFERENCE_MAX);
    }

    if (mask & 2) {
        push.texts[NGX_CODAT_TEXT_COMPANY] = id_next(fz);
    }

    if (mask & 4) {
        push.texts[NGX_CODAT_TEXT_DATA_TYPE] =
                                          text_next(fz, NGX_CODAT_WORD_MAX);
    }

    rc = ngx_codat_table_key(fz->zone, &push.texts[NGX_CODAT_TEXT_ID], key);

    known = NGX_DECLINED;

    if (rc == NGX_OK) {
        known = ngx_codat_table_get(fz->zone, NGX_CODAT_RECORD_PUSH, key,
                                    &before);
    }

    rc = ngx_codat_table_register(fz->zone, &push, &copy);

    if (rc == NGX_DECLINED) {
        return;
    }

    ngx_codat_fuzz_want(rc == (known == NGX_OK ? NGX_OK : NGX_DONE));

    ngx_codat_fuzz_want(ngx_codat_table_get(fz->zone, NGX_CODAT_RECORD_PUSH,
                                            key, &copy)
                        == NGX_OK);

    if (push.texts[NGX_CODAT_TEXT_REFERENCE].len) {
        ngx_codat_fuzz_want(ngx_codat_fuzz_same(
                                &copy.record.texts[NGX_CODAT_TEXT_REFERENCE],
                                &push.texts[NGX_CODAT_TEXT_REFERENCE]));
    }
}


static void
step_forget(ngx_codat_fuzz_zone_t *fz)
{
    u_char            key[NGX_CODAT_ZONE_KEY_LEN];
    ngx_int_t         rc, known;
    ngx_codat_copy_t  copy;

    key_next(fz, key);

    known = ngx_codat_table_get(fz->zone, NGX_CODAT_RECORD_PUSH, key, &copy);
    rc = ngx_codat_table_forget(fz->zone, key);

    ngx_codat_fuzz_want(rc == known);
    ngx_codat_fuzz_want(ngx_codat_table_get(fz->zone, NGX_CODAT_RECORD_PUSH,
                                            key, &copy)
                        == NGX_DECLINED);
}


/* a list from here to its end: bounded, no row twice, each can be got */

static void
list_all(ngx_codat_fuzz_zone_t *fz, ngx_codat_walk_t *walk)
{
    ngx_int_t          rc;
    ngx_uint_t         i, n, calls, max;
    ngx_codat_copy_t   copy, got;

    static u_char      seen[NGX_CODAT_FUZZ_ZONE / 64][NGX_CODAT_ZONE_KEY_LEN];

    max = fz->zone->sh->created[ngx_codat_table_kinds[walk->kind]].count;

    n = 0;

    for (calls = 0; /* void */ ; calls++) {

        rc = ngx_codat_walk_next(fz->zone, walk, &copy);

        if (rc == NGX_DONE) {
            break;
        }

        ngx_codat_fuzz_want(calls <= 4 * fz->zone->sh->ncells);

        if (rc == NGX_AGAIN) {
            continue;
        }

        ngx_codat_fuzz_want(rc == NGX_OK);
        ngx_codat_fuzz_want(n < max);

        for (i = 0; i < n; i++) {
            ngx_codat_fuzz_want(memcmp(seen[i], copy.key, sizeof(copy.key))
                                != 0);
        }

        ngx_memcpy(seen[n++], copy.key, sizeof(copy.key));

        ngx_codat_fuzz_want(ngx_codat_table_get(fz->zone, walk->kind,
                                                copy.key, &got)
                            == NGX_OK);
    }
}


static void
step_list(ngx_codat_fuzz_zone_t *fz)
{
    ngx_int_t          rc;
    ngx_str_t          cursor, reference;
    ngx_uint_t         byte, n;
    ngx_codat_copy_t   copy;
    ngx_codat_walk_t   walk, again;
    u_char             key[NGX_CODAT_ZONE_KEY_LEN];

    byte = ngx_codat_fuzz_byte(&fz->in);

    ngx_codat_walk_init(&walk, (ngx_codat_record_kind_e)
                                            (byte % NGX_CODAT_RECORD_KINDS));
    if (byte & 0x80) {
        walk.state = ngx_codat_fuzz_byte(&fz->in) % NGX_CODAT_ZONE_STATES;
    }

    if (byte & 0x40 && (walk.kind == NGX_CODAT_RECORD_PUSH
                        || walk.kind == NGX_CODAT_RECORD_CONNECTION
                        || walk.kind == NGX_CODAT_RECORD_DATASET))
    {
        key_next(fz, key);
        ngx_codat_walk_of(fz->zone, &walk, key);

    } else if (byte & 0x20 && walk.kind == NGX_CODAT_RECORD_PUSH) {
        reference = text_next(fz, NGX_CODAT_REFERENCE_MAX);
        ngx_codat_fuzz_want(ngx_codat_walk_reference(fz->zone, &walk,
                                                     &reference)
                            == NGX_OK);
    }

    again = walk;

    /* a cursor of any bytes: of an older walk, with a bit changed, made up */

    cursor.len = NGX_CODAT_CURSOR_LEN;
    cursor.data = fz->cursor;

    switch (ngx_codat_fuzz_byte(&fz->in) % 4) {

    case 0:
        list_all(fz, &walk);
        return;

    case 1:
        cursor = ngx_codat_fuzz_bytes(&fz->in, fz->pool,
                                      NGX_CODAT_CURSOR_LEN);
        break;

    case 2:
        ngx_codat_walk_cursor(fz->zone, &walk, fz->cursor);
        byte = ngx_codat_fuzz_byte(&fz->in);
        fz->cursor[byte % NGX_CODAT_CURSOR_LEN] =
                           "0123456789abcdef"[ngx_codat_fuzz_byte(&fz->in)
                                              % 16];
        break;

    default:

        /* goes on where it was left */

        for (n = ngx_codat_fuzz_byte(&fz->in) % 16; n; n--) {
            if (ngx_codat_walk_next(fz->zone, &walk, &copy) == NGX_DONE) {
                return;
            }
        }

        if (walk.started && !walk.done) {
            ngx_codat_fuzz_want(ngx_codat_walk_cursor(fz->zone, &walk,
                                                      fz->cursor)
                                == fz->cursor + NGX_CODAT_CURSOR_LEN);

            ngx_codat_fuzz_want(ngx_codat_walk_resume(fz->zone, &again,
                                                      &cursor)
                                == NGX_OK);

            ngx_codat_fuzz_want(again.place == walk.place);
            ngx_codat_fuzz_want(again.order == walk.order);

            list_all(fz, &again);
            return;
        }
    }

    rc = ngx_codat_walk_resume(fz->zone, &again, &cursor);

    ngx_codat_fuzz_want(rc == NGX_OK || rc == NGX_DECLINED
                        || rc == NGX_ABORT);

    if (rc == NGX_OK) {
        list_all(fz, &again);
    }
}


/* who held the lock is gone: all rows must be as they were */

static void
step_repair(ngx_codat_fuzz_zone_t *fz)
{
    ngx_uint_t             i, before, after;
    ngx_codat_unit_row_t  *one, *two;

    one = ngx_codat_unit_rows(fz->zone, &before);

    fz->zone->sh->dirty = 1;

    ngx_codat_zone_lock(fz->zone);
    ngx_codat_zone_unlock(fz->zone);

    two = ngx_codat_unit_rows(fz->zone, &after);

    ngx_codat_fuzz_want(before == after);

    for (i = 0; i < before; i++) {
        ngx_codat_fuzz_want(one[i].kind == two[i].kind);
        ngx_codat_fuzz_want(memcmp(one[i].key, two[i].key,
                                   NGX_CODAT_ZONE_KEY_LEN) == 0);
        ngx_codat_fuzz_want(ngx_codat_unit_same(&one[i], &two[i]));
    }

    free(one);
    free(two);
}


static void
step(ngx_codat_fuzz_zone_t *fz)
{
    ngx_uint_t             byte;
    ngx_codat_delivery_t  *delivery;

    byte = ngx_codat_fuzz_byte(&fz->in);

    switch (byte % 16) {

    case 0:
    case 1:
        step_register(fz);
        break;

    case 2:
        step_forget(fz);
        break;

    case 3:
    case 4:
        step_list(fz);
        break;

    case 5:
        fz->now += 1 << (byte / 16 * 2);
        fz->now = ngx_min(fz->now, NGX_CODAT_FUZZ_LATEST);
        ngx_codat_unit_clock(fz->now);
        break;

    case 6:
        step_repair(fz);
        break;

    case 7:
        delivery = &fz->runs[byte / 16 % NGX_CODAT_FUZZ_RUNS];
        delivery->succeeded |= ngx_codat_fuzz_byte(&fz->in);
        ngx_codat_delivery_release(fz->zone, delivery, byte / 128);
        break;

    case 8:
        ngx_codat_zone_lock(fz->zone);
        (void) ngx_codat_evict_locked(fz->zone, byte / 16 * 4, NULL,
                                      (uint32_t) fz->now);
        ngx_codat_evict_old_locked(fz->zone, NULL, (uint32_t) fz->now);
        ngx_codat_zone_unlock(fz->zone);
        break;

    default:
        step_receive(fz);
        break;
    }
}


NGX_CODAT_FUZZ_TARGET(zone)
{
    ngx_uint_t             n;
    ngx_codat_fuzz_zone_t  fz;

    ngx_memzero(&fz, sizeof(fz));

    fz.in.pos = data;
    fz.in.end = data + len;
    fz.now = 1723118400;

    /* the first one sets up the core */

    fz.pool = ngx_codat_fuzz_pool();

    ngx_codat_unit_clock(fz.now);

    ngx_codat_fuzz_want(ngx_codat_unit_zone_open(&fz.uz, NGX_CODAT_FUZZ_ZONE)
                        == NGX_OK);

    fz.zone = &fz.uz.zone;

    /* the same for each run; nothing was hashed yet */

    fz.zone->sh->seed[0] = 1;
    fz.zone->sh->seed[1] = 2;
    fz.zone->sh->id = 3;

    for (n = 0; n < NGX_CODAT_FUZZ_STEPS && fz.in.pos < fz.in.end; n++) {
        step(&fz);

        ngx_codat_unit_zone_check(fz.zone, "after a step");
        ngx_codat_unit_table_check(fz.zone, "after a step");
    }

    ngx_destroy_pool(fz.pool);

    ngx_codat_unit_zone_close(&fz.uz);
    ngx_codat_unit_clock(0);
}
