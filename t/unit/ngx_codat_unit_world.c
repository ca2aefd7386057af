
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The world, see ngx_codat_unit_world.h.
 */


#include "ngx_codat_unit_world.h"


static const u_char *ngx_codat_world_key(ngx_codat_world_row_t *row,
    u_char *key);


ngx_str_t
ngx_codat_world_json(ngx_pool_t *pool, const char *text)
{
    size_t     i;
    ngx_str_t  s;

    s = ngx_codat_unit_str(pool, text);

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '\'') {
            s.data[i] = '"';
        }
    }

    return s;
}


void
ngx_codat_world_facts(ngx_pool_t *pool, ngx_str_t body, ngx_uint_t seconds,
    ngx_codat_event_t *event, ngx_array_t *facts)
{
    int64_t                 received;
    ngx_str_t               client;
    ngx_codat_json_error_t  err;

    ngx_str_null(&client);

    received = NGX_CODAT_WORLD_NOON + (int64_t) seconds * 1000000;

    if (ngx_codat_event_parse(pool, &body, &client, event, &err) != NGX_OK) {
        fail_msg("%.*s: %s", (int) body.len, (char *) body.data, err.reason);
    }

    assert_int_equal(ngx_codat_facts(pool, event, received, facts), NGX_OK);
}


ngx_codat_world_row_t *
ngx_codat_world_row(ngx_codat_world_t *world,
    const ngx_codat_record_t *fact)
{
    ngx_str_t              id, connection;
    ngx_uint_t             i;
    ngx_codat_world_row_t  *row;

    id = fact->texts[NGX_CODAT_TEXT_ID];
    ngx_str_null(&connection);

    if (fact->kind == NGX_CODAT_RECORD_DATASET) {
        id = fact->texts[NGX_CODAT_TEXT_DATA_TYPE];
        connection = fact->texts[NGX_CODAT_TEXT_CONNECTION];
    }

    for (i = 0; i < world->n; i++) {
        row = &world->rows[i];

        if (row->kind == fact->kind
            && row->id.len == id.len
            && (id.len == 0
                || ngx_strncasecmp(row->id.data, id.data, id.len) == 0)
            && row->connection.len == connection.len
            && (connection.len == 0
                || ngx_memcmp(row->connection.data, connection.data,
                              connection.len)
                   == 0))
        {
            return row;
        }
    }

    assert_true(world->n < NGX_CODAT_WORLD_ROWS);

    row = &world->rows[world->n++];

    ngx_memzero(row, offsetof(ngx_codat_world_row_t, packed));

    row->kind = fact->kind;
    row->id = id;
    row->connection = connection;

    return row;
}


ngx_uint_t
ngx_codat_world_merge(ngx_codat_world_row_t *row,
    const ngx_codat_record_t *fact)
{
    u_char              scratch[NGX_CODAT_RECORD_SCRATCH];
    u_char              packed[NGX_CODAT_RECORD_MAX];
    size_t              len;
    ngx_uint_t          result, changed;
    ngx_codat_record_t  record;

    if (row->known) {
        ngx_codat_world_unpack(row, &record, scratch);

    } else {
        ngx_memzero(&record, sizeof(ngx_codat_record_t));

        record.kind = row->kind;
        record.texts[NGX_CODAT_TEXT_ID] = fact->texts[NGX_CODAT_TEXT_ID];
    }

    result = ngx_codat_merge(&record, fact);

    /* not in place: texts of the record lie in the old row */

    len = ngx_codat_record_pack(&record, packed);

    assert_true(len <= NGX_CODAT_RECORD_MAX);

    changed = (row->state != record.state || row->flags != record.flags
               || row->len != len
               || ngx_memcmp(row->packed, packed, len) != 0);

    ngx_memcpy(row->packed, packed, len);

    row->known = 1;
    row->state = record.state;
    row->flags = record.flags;
    row->len = len;

    assert_int_equal(changed, (result & NGX_CODAT_MERGE_CHANGED) ? 1 : 0);

    return result;
}


void
ngx_codat_world_unpack(ngx_codat_world_row_t *row, ngx_codat_record_t *record,
    u_char *scratch)
{
    u_char  key[NGX_CODAT_KEY_LEN];

    record->kind = row->kind;
    record->state = row->state;
    record->flags = row->flags;

    assert_int_equal(ngx_codat_record_unpack(record, row->packed, row->len,
                                             ngx_codat_world_key(row, key),
                                             scratch),
                     NGX_OK);
}


/* A key that is no UUID is a hash. */

static const u_char *
ngx_codat_world_key(ngx_codat_world_row_t *row, u_char *key)
{
    if (ngx_codat_uuid_parse(&row->id, key) != NGX_OK) {
        ngx_memset(key, 0xaa, NGX_CODAT_KEY_LEN);
    }

    return key;
}


uint64_t
ngx_codat_world_seed(void)
{
    char      *text;
    uint64_t   seed;

    text = getenv("CODAT_UNIT_SEED");
    seed = text ? strtoull(text, NULL, 0) : 20240808;

    /* where it is known even if the test ends in a signal */

    printf("# CODAT_UNIT_SEED=%llu\n", (unsigned long long) seed);

    return seed;
}


ngx_uint_t
ngx_codat_world_random(uint64_t *state, ngx_uint_t n)
{
    uint64_t  x;

    /* splitmix64: any seed will do */

    *state += 0x9e3779b97f4a7c15;

    x = *state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    x ^= x >> 31;

    return (ngx_uint_t) (x % n);
}
