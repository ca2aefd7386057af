
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The cells of a zone: that they do what a simple model says, and that the
 * repair finds everything again whatever the links say.
 */


#include "ngx_codat_unit_zone.h"


/* what codat_zone takes */
#define NGX_CODAT_ZONE_LEAST    32768

#define NGX_CODAT_MODEL_KEYS    300
#define NGX_CODAT_MODEL_GROUPS  20


typedef struct {
    ngx_uint_t      kind;               /* 0: there is none */
    ngx_uint_t      queue;
    ngx_uint_t      state;
    ngx_uint_t      flags;
    ngx_uint_t      group;              /* 0: none, else its number */
    ngx_uint_t      used;               /* when, in operations */
    ngx_uint_t      created;
    ngx_uint_t      joined;
    size_t          len;
    u_char          bytes[NGX_CODAT_RECORD_MAX];
} ngx_codat_model_row_t;


typedef struct {
    ngx_codat_zone_t       *zone;
    ngx_codat_zone_sh_t    *sh;
    ngx_uint_t              n;          /* operations */
    ngx_uint_t              cells;      /* in use */
    ngx_codat_model_row_t   rows[NGX_CODAT_MODEL_KEYS];
} ngx_codat_model_t;


static ngx_codat_model_t  ngx_codat_model;


static const ngx_uint_t  ngx_codat_model_kinds[] = {
    NGX_CODAT_ROW_DELIVERY,
    NGX_CODAT_ROW_PUSH,
    NGX_CODAT_ROW_LINK,
    NGX_CODAT_ROW_CONNECTION,
    NGX_CODAT_ROW_DATASET,
    NGX_CODAT_ROW_COMPANY,
    NGX_CODAT_ROW_CLIENT
};


static uint32_t
model_hash(ngx_codat_model_t *m, ngx_uint_t kind, ngx_uint_t group)
{
    u_char  key[NGX_CODAT_ZONE_KEY_LEN];

    if (group == 0) {
        return 0;
    }

    ngx_codat_unit_key(1000000 + group, key);

    return ngx_codat_cell_hash(m->sh, kind, key);
}


/* a link has the key of the push before it in the model */

static void
model_key(ngx_uint_t i, u_char *key)
{
    ngx_codat_unit_key(i % 7 == 2 ? i - 1 : i, key);
}


static ngx_codat_row_t *
model_find(ngx_codat_model_t *m, ngx_uint_t i, ngx_uint_t kind)
{
    u_char  key[NGX_CODAT_ZONE_KEY_LEN];

    model_key(i, key);

    return ngx_codat_cell_find_locked(m->sh, kind, key);
}


static ngx_uint_t
model_cells(const ngx_codat_model_row_t *r)
{
    if (r->kind == NGX_CODAT_ROW_DELIVERY || r->kind == NGX_CODAT_ROW_LINK) {
        return 1;
    }

    return 1 + ngx_codat_cell_need(r->len);
}


static void
model_content(ngx_codat_model_row_t *r)
{
    size_t  i;

    switch (ngx_codat_unit_random(20)) {

    case 0:
        r->len = 0;
        break;

    case 1:
        r->len = ngx_codat_unit_random(NGX_CODAT_RECORD_MAX + 1);
        break;

    case 2:

        /* at the edges of cells */

        r->len = NGX_CODAT_ZONE_DATA_LEN * (1 + ngx_codat_unit_random(4))
                 - sizeof(ngx_codat_prefix_t) - 1 + ngx_codat_unit_random(3);
        break;

    default:
        r->len = ngx_codat_unit_random(300);
    }

    r->state = ngx_codat_unit_random(NGX_CODAT_ZONE_STATES);
    r->flags = ngx_codat_unit_random(256);

    for (i = 0; i < r->len; i++) {
        r->bytes[i] = (u_char) ngx_codat_unit_random(256);
    }
}


static ngx_uint_t
model_queue(const ngx_codat_model_row_t *r)
{
    return r->kind == NGX_CODAT_ROW_DELIVERY
           ? NGX_CODAT_QUEUE_DELIVERIES
           : ngx_codat_table_queue(r->kind, r->state);
}


static void
model_touch(ngx_codat_model_t *m, ngx_codat_row_t *row,
    ngx_codat_model_row_t *r)
{
    r->queue = model_queue(r);
    r->used = ++m->n;

    ngx_codat_cell_touch_locked(m->sh, row, r->queue, (uint32_t) m->n);
}


/* a record that takes as many cells as the one before takes the same ones */

static ngx_uint_t
model_more(const ngx_codat_model_row_t *old, const ngx_codat_model_row_t *new)
{
    ngx_uint_t  cells;

    cells = model_cells(new) - 1;

    return (cells == model_cells(old) - 1 && cells <= NGX_CODAT_ZONE_RUN)
           ? 0 : cells;
}


/* gives a row another record, if there is room */

static void
model_write(ngx_codat_model_t *m, ngx_codat_row_t *row, ngx_uint_t i)
{
    uint32_t                group;
    ngx_int_t               rc;
    ngx_uint_t              room;
    ngx_codat_value_t       value;
    ngx_codat_model_row_t  *r, new;

    r = &m->rows[i];
    new = *r;

    model_content(&new);

    if (ngx_codat_unit_random(3) == 0) {
        new.group = ngx_codat_unit_random(NGX_CODAT_MODEL_GROUPS);
    }

    value.word = 0;
    value.part.len = (uint16_t) new.len;
    value.part.state = (uint8_t) new.state;
    value.part.flags = (uint8_t) new.flags;

    group = model_hash(m, new.kind, new.group);
    room = m->sh->ncells - m->cells;

    rc = ngx_codat_cell_write_locked(m->sh, row, value, group, new.bytes);

    if (room < model_more(r, &new)) {
        assert_int_equal(rc, NGX_DECLINED);
        return;
    }

    assert_int_equal(rc, NGX_OK);

    if (new.group != r->group) {
        new.joined = ++m->n;
    }

    m->cells -= model_cells(r);
    *r = new;
    m->cells += model_cells(r);

    model_touch(m, row, r);
}


static void
model_drop(ngx_codat_model_t *m, ngx_uint_t i)
{
    ngx_codat_row_t  *row;

    row = model_find(m, i, m->rows[i].kind);
    assert_non_null(row);

    ngx_codat_cell_drop_locked(m->sh, row);

    m->cells -= model_cells(&m->rows[i]);
    m->rows[i].kind = 0;
}


static void
model_insert(ngx_codat_model_t *m, ngx_uint_t i)
{
    ngx_codat_row_t        *row;
    ngx_codat_value_t       value;
    ngx_codat_model_row_t  *r;
    u_char                  key[NGX_CODAT_ZONE_KEY_LEN];

    r = &m->rows[i];

    r->kind = ngx_codat_model_kinds[i % 7];

    model_content(r);

    r->queue = model_queue(r);
    r->group = 0;
    r->used = ++m->n;
    r->created = m->n;
    r->joined = 0;

    model_key(i, key);

    row = ngx_codat_cell_insert_locked(m->sh, r->kind, r->queue, key,
                                       model_cells(r), (uint32_t) m->n);

    if (m->cells == m->sh->ncells) {
        assert_null(row);
        r->kind = 0;
        return;
    }

    assert_non_null(row);
    m->cells++;

    if (r->kind == NGX_CODAT_ROW_DELIVERY) {
        return;
    }

    if (r->kind == NGX_CODAT_ROW_LINK) {
        r->group = 1 + ngx_codat_unit_random(NGX_CODAT_MODEL_GROUPS);
        r->joined = ++m->n;

        ngx_codat_cell_link_locked(m->sh, row,
                                   model_hash(m, r->kind, r->group));
        return;
    }

    /* a row without a record is not left alone */

    if (m->sh->ncells - m->cells < ngx_codat_cell_need(r->len)) {
        ngx_codat_cell_drop_locked(m->sh, row);
        r->kind = 0;
        m->cells--;
        return;
    }

    r->group = ngx_codat_unit_random(NGX_CODAT_MODEL_GROUPS);

    if (r->group) {
        r->joined = ++m->n;
    }

    value.word = 0;
    value.part.len = (uint16_t) r->len;
    value.part.state = (uint8_t) r->state;
    value.part.flags = (uint8_t) r->flags;

    assert_int_equal(ngx_codat_cell_write_locked(m->sh, row, value,
                                      model_hash(m, r->kind, r->group),
                                      r->bytes),
                     NGX_OK);

    m->cells += model_cells(r) - 1;
}


static void
model_operate(ngx_codat_model_t *m)
{
    ngx_uint_t              i;
    ngx_codat_row_t        *row;
    ngx_codat_model_row_t  *r;

    i = ngx_codat_unit_random(NGX_CODAT_MODEL_KEYS);
    r = &m->rows[i];

    row = model_find(m, i, ngx_codat_model_kinds[i % 7]);

    if (r->kind == 0) {
        assert_null(row);
        model_insert(m, i);
        return;
    }

    assert_non_null(row);

    /* the same key is another row of another kind */

    assert_null(model_find(m, i, ngx_codat_model_kinds[(i + 3) % 7]));

    switch (ngx_codat_unit_random(6)) {

    case 0:
        model_drop(m, i);
        break;

    case 1:
    case 2:
        if (r->kind == NGX_CODAT_ROW_LINK) {
            break;
        }

        model_touch(m, row, r);
        break;

    default:
        if (r->kind != NGX_CODAT_ROW_LINK
            && r->kind != NGX_CODAT_ROW_DELIVERY)
        {
            model_write(m, row, i);
        }
    }
}


/* ngx_codat_unit_key() leaves the number in the last bytes */

static ngx_uint_t
model_number(const ngx_codat_row_t *row)
{
    ngx_uint_t  i;
    u_char      key[NGX_CODAT_ZONE_KEY_LEN];

    i = (ngx_uint_t) row->key[14] * 256 + row->key[15];

    if (row->kind == NGX_CODAT_ROW_LINK) {
        i++;
    }

    assert_true(i < NGX_CODAT_MODEL_KEYS);

    model_key(i, key);
    assert_memory_equal(key, row->key, NGX_CODAT_ZONE_KEY_LEN);

    return i;
}


/* what the zone says of each row, and in which order the rows are */

static void
model_compare(ngx_codat_model_t *m, const char *what)
{
    size_t                  len;
    uint32_t                j, number[3];
    ngx_uint_t              i, n, last;
    ngx_codat_row_t        *row;
    ngx_codat_prefix_t      prefix;
    ngx_codat_model_row_t  *r;
    u_char                  bytes[NGX_CODAT_RECORD_MAX];

    ngx_codat_unit_zone_check(m->zone, what);

    assert_int_equal(ngx_codat_run_room(m->sh), m->sh->ncells - m->cells);

    n = 0;

    for (i = 0; i < NGX_CODAT_MODEL_KEYS; i++) {
        r = &m->rows[i];

        row = model_find(m, i, ngx_codat_model_kinds[i % 7]);

        if (r->kind == 0) {
            assert_null(row);
            continue;
        }

        assert_non_null(row);
        assert_int_equal(row->queue, r->queue);

        n++;

        if (r->kind == NGX_CODAT_ROW_DELIVERY) {
            continue;
        }

        ngx_codat_cell_prefix(m->sh, row, &prefix);
        assert_int_equal(prefix.group, model_hash(m, r->kind, r->group));

        if (r->kind == NGX_CODAT_ROW_LINK) {
            continue;
        }

        assert_int_equal(row->u.record.value.part.state, r->state);
        assert_int_equal(row->u.record.value.part.flags, r->flags);

        len = ngx_codat_cell_read(m->sh, row, &prefix, bytes, sizeof(bytes));

        assert_int_equal(len, r->len);
        assert_int_equal(prefix.group, model_hash(m, r->kind, r->group));

        if (len) {
            assert_memory_equal(bytes, r->bytes, len);
        }

        /* no more than there is space for */

        bytes[9] = 0xee;
        assert_int_equal(ngx_codat_cell_read(m->sh, row, NULL, bytes, 9),
                         ngx_min(len, 9));
        assert_int_equal(bytes[9], 0xee);
    }

    for (i = 0, last = 0; i < NGX_CODAT_ROW_KINDS; i++) {
        last += m->sh->created[i].count;
    }

    assert_int_equal(last, n);

    ngx_memzero(number, sizeof(number));

    for (i = 1; i < NGX_CODAT_QUEUES; i++) {
        last = 0;

        for (j = m->sh->queues[i].oldest;
             j != NGX_CODAT_ZONE_NONE;
             j = m->sh->cells[j].newer)
        {
            r = &m->rows[model_number(&m->sh->cells[j])];
            assert_true(r->used > last);
            last = r->used;
        }
    }

    for (i = NGX_CODAT_ROW_PUSH; i < NGX_CODAT_ROW_KINDS; i++) {
        last = 0;

        for (j = m->sh->created[i].oldest;
             j != NGX_CODAT_ZONE_NONE;
             j = m->sh->cells[j].u.record.newer)
        {
            r = &m->rows[model_number(&m->sh->cells[j])];
            assert_true(r->created > last);
            last = r->created;
        }
    }

    for (i = 0; i <= m->sh->groups_mask; i++) {
        last = (ngx_uint_t) -1;

        for (j = m->sh->groups[i];
             j != NGX_CODAT_ZONE_NONE;
             j = m->sh->cells[j].u.record.later)
        {
            r = &m->rows[model_number(&m->sh->cells[j])];
            assert_true(r->joined < last);
            last = r->joined;
        }
    }
}


/* all that a repair makes anew is made worthless */

static void
model_scramble(ngx_codat_model_t *m)
{
    uint32_t              i;
    ngx_codat_row_t      *row;
    ngx_codat_zone_sh_t  *sh;

    sh = m->sh;

    for (i = 0; i < sh->fresh; i++) {
        row = &sh->cells[i];

        if (row->kind == NGX_CODAT_ROW_DATA) {
            continue;
        }

        row->next = (uint32_t) ngx_codat_unit_random(sh->ncells + 5);

        if (row->kind == NGX_CODAT_ROW_FREE) {
            continue;
        }

        row->newer = (uint32_t) ngx_codat_unit_random(sh->ncells);
        row->older = (uint32_t) ngx_codat_unit_random(sh->ncells);

        if (row->kind != NGX_CODAT_ROW_DELIVERY) {
            row->u.record.newer = (uint32_t) ngx_codat_unit_random(sh->ncells);
            row->u.record.older = (uint32_t) ngx_codat_unit_random(sh->ncells);
            row->u.record.later = (uint32_t) ngx_codat_unit_random(sh->ncells);
            row->u.record.sooner =
                               (uint32_t) ngx_codat_unit_random(sh->ncells);
        }
    }

    for (i = 0; i <= sh->mask; i++) {
        sh->buckets[i] = (uint32_t) ngx_codat_unit_random(sh->ncells);
    }

    for (i = 0; i <= sh->groups_mask; i++) {
        sh->groups[i] = (uint32_t) ngx_codat_unit_random(sh->ncells);
    }

    ngx_memset(sh->queues, 0x5a, sizeof(sh->queues));
    ngx_memset(sh->created, 0x5a, sizeof(sh->created));
    ngx_memset(sh->states, 0x5a, sizeof(sh->states));
    ngx_memset(sh->cells_of, 0x5a, sizeof(sh->cells_of));

    ngx_memset(sh->free, 0x5a, sizeof(sh->free));
    sh->nfree = 7;
    sh->dirty = 1;

    /* links without their push are dropped */

    for (i = 2; i < NGX_CODAT_MODEL_KEYS; i += 7) {

        if (m->rows[i].kind && m->rows[i - 1].kind == 0) {
            m->rows[i].kind = 0;
            m->cells--;
        }
    }
}


static void
test_model(void **state)
{
    size_t                  size, n;
    ngx_uint_t              i, round, full;
    ngx_codat_model_t      *m;
    ngx_codat_unit_zone_t   uz;
    uint64_t                keys[NGX_CODAT_MODEL_KEYS + 2];

    static const size_t  sizes[] = { 32768, 65536, 1048576 };

    ngx_codat_unit_seed("zone");

    m = &ngx_codat_model;

    for (round = 0; round < 3; round++) {
        size = sizes[round];
        full = 0;

        assert_int_equal(ngx_codat_unit_zone_open(&uz, size), NGX_OK);

        ngx_memzero(m, sizeof(ngx_codat_model_t));
        m->zone = &uz.zone;
        m->sh = uz.zone.sh;

        /* the numbers wrap in the second half */

        m->sh->seq = (uint32_t) 0 - 5000;
        m->sh->stamp = (uint32_t) 0 - 5000;

        for (i = 0; i < (ngx_codat_unit_slow() ? 5000 : 100000); i++) {

            model_operate(m);

            full += (m->cells + 70 > m->sh->ncells);

            if (i % 1000 == 0) {
                model_compare(m, "model");
            }

            if (i % 5000 == 0) {
                model_scramble(m);
                ngx_codat_zone_lock(&uz.zone);
                ngx_codat_zone_unlock(&uz.zone);
                model_compare(m, "repaired");

                model_scramble(m);
                n = 2 + ngx_codat_unit_random(NGX_CODAT_MODEL_KEYS);
                ngx_codat_repair_with_locked(m->sh, keys, n);
                m->sh->dirty = 0;
                model_compare(m, "repaired with little memory");
            }
        }

        if (round == 0) {
            assert_true(full > 0);
        }

        for (i = 0; i < NGX_CODAT_MODEL_KEYS; i++) {
            if (m->rows[i].kind) {
                model_drop(m, i);
            }
        }

        assert_int_equal(m->cells, 0);
        model_compare(m, "emptied");

        ngx_codat_unit_zone_close(&uz);
    }
}


static void
test_sizes(void **state)
{
    size_t                  size;
    ngx_int_t               rc;
    ngx_uint_t              opened;
    ngx_codat_unit_zone_t   uz;

    opened = 0;

    for (size = 2 * ngx_pagesize;
         size < 300 * 1024 * 1024;
         size += size < 400000 ? ngx_pagesize : size / 3 + 12345)
    {
        rc = ngx_codat_unit_zone_open(&uz, size);

        if (rc != NGX_OK) {
            assert_true(size < 8 * ngx_pagesize);
            ngx_codat_unit_zone_close(&uz);
            continue;
        }

        opened++;

        /* all of it is inside, and most of it is cells */

        assert_true((u_char *) (uz.zone.sh->cells + uz.zone.sh->ncells)
                    <= uz.shm_zone.shm.addr + size);
        assert_true((uintptr_t) uz.zone.sh->cells % 64 == 0);
        assert_true(uz.zone.sh->ncells >= 64);
        assert_true(size < NGX_CODAT_ZONE_LEAST
                    || uz.zone.sh->ncells * sizeof(ngx_codat_row_t)
                       > (size < 262144 ? size / 4 : size * 2 / 3));

        ngx_codat_unit_zone_check(&uz.zone, "new zone");
        assert_int_equal(uz.zone.sh->fresh, 0);

        ngx_codat_unit_zone_close(&uz);
    }

    assert_true(opened > 50);
}


static void
test_layout(void **state)
{
    assert_int_equal(sizeof(ngx_codat_row_t), 64);
    assert_int_equal(sizeof(ngx_codat_data_t), 64);
    assert_int_equal(offsetof(ngx_codat_row_t, kind),
                     offsetof(ngx_codat_data_t, kind));
    assert_int_equal(sizeof(ngx_codat_value_t), 8);
    assert_int_equal(offsetof(ngx_codat_row_t, u) % 8, 0);
    assert_true(NGX_CODAT_ROW_KINDS < 255);
}


/* a configuration adopts what another one left, and changes nothing */

static void
test_adopt(void **state)
{
    u_char                 *before;
    ngx_codat_zone_t        zone;
    ngx_codat_row_t        *row;
    ngx_codat_value_t       value;
    ngx_codat_unit_zone_t   uz, next;
    u_char                  key[NGX_CODAT_ZONE_KEY_LEN];

    assert_int_equal(ngx_codat_unit_zone_open(&uz, 65536), NGX_OK);

    ngx_codat_unit_key(1, key);

    value.word = 0;
    value.part.len = 3;

    row = ngx_codat_cell_insert_locked(uz.zone.sh, NGX_CODAT_ROW_PUSH,
                                       NGX_CODAT_QUEUE_PENDING, key, 2,
                                       1);
    assert_non_null(row);
    assert_int_equal(ngx_codat_cell_write_locked(uz.zone.sh, row, value, 0,
                                                 (u_char *) "abc"),
                     NGX_OK);

    before = malloc(65536);
    assert_non_null(before);
    ngx_memcpy(before, uz.shm_zone.shm.addr, 65536);

    next = uz;

    ngx_memzero(&zone, sizeof(ngx_codat_zone_t));
    zone.shm_zone = &next.shm_zone;
    zone.dedupe = 5;
    zone.retain = 7;
    next.shm_zone.data = &zone;

    assert_int_equal(ngx_codat_zone_init(&next.shm_zone, &uz.zone), NGX_OK);

    assert_memory_equal(before, uz.shm_zone.shm.addr, 65536);
    assert_ptr_equal(zone.sh, uz.zone.sh);
    assert_ptr_equal(zone.shpool, uz.zone.shpool);
    assert_int_equal(zone.dedupe, 5);
    assert_int_equal(zone.retain, 7);
    assert_non_null(ngx_codat_cell_find_locked(zone.sh, NGX_CODAT_ROW_PUSH,
                                               key));

    free(before);
    ngx_codat_unit_zone_close(&uz);
}


int
ngx_codat_unit_zone(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
