
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Records: bytes that are to be a packed row, as a damaged zone would hold
 * them; then a row made of the bytes, which comes back from its packed form
 * as it was, and whose JSON the second parser reads as the same values.
 */


#include "ngx_codat_fuzz_json.h"
#include "ngx_codat_columns.h"


static void
fill(ngx_codat_fuzz_t *in, ngx_pool_t *pool, ngx_codat_record_t *record)
{
    uint32_t    mask;
    ngx_str_t   text;
    ngx_uint_t  i, byte;

    ngx_memzero(record, sizeof(ngx_codat_record_t));

    record->kind = (ngx_codat_record_kind_e) (ngx_codat_fuzz_byte(in)
                                              % NGX_CODAT_RECORD_KINDS);
    record->state = ngx_codat_fuzz_byte(in) % 6;
    record->flags = ngx_codat_fuzz_byte(in);

    mask = (uint32_t) ngx_codat_fuzz_number(in, 2);

    for (i = 0; i < NGX_CODAT_TIMES; i++) {
        if (mask & ((uint32_t) 1 << i)) {
            record->times[i] = (int64_t) ngx_codat_fuzz_number(in, 1)
                               << (ngx_codat_fuzz_byte(in) % 56);
        }
    }

    mask = (uint32_t) ngx_codat_fuzz_number(in, 2);

    for (i = 0; i < NGX_CODAT_TEXTS; i++) {

        if (!(mask & ((uint32_t) 1 << i))) {
            continue;
        }

        text = ngx_codat_fuzz_text(in, pool);
        byte = text.len ? text.data[0] : 0;

        /* long ones of few bytes */

        if (byte > 0xf0) {
            text.len = (size_t) (byte - 0xf0) * 137;
            text.data = ngx_pnalloc(pool, text.len);
            ngx_codat_fuzz_want(text.data != NULL);
            ngx_memset(text.data, 'x', text.len);
            text = ngx_codat_fuzz_copy(pool, text.data, text.len);
        }

        record->texts[i] = text;
    }
}


/* whoever makes rows keeps to that: ngx_codat_facts.c */

static void
quota_digits(ngx_codat_record_t *record)
{
    size_t      i;
    ngx_str_t  *quota;

    quota = &record->texts[NGX_CODAT_TEXT_QUOTA];

    for (i = 0; i < quota->len; i++) {
        if (!isdigit(quota->data[i])
            || (quota->data[0] == '0' && quota->len > 1))
        {
            quota->len = 0;
        }
    }
}


static void
lower_uuid(ngx_str_t *text)
{
    u_char  uuid[NGX_CODAT_KEY_LEN];

    if (ngx_codat_uuid_parse(text, uuid) == NGX_OK) {
        ngx_strlow(text->data, text->data, text->len);
    }
}


/* a member of the JSON is the value of that column, and the other way round */

static void
check_columns(const ngx_codat_record_t *record, json_t *object)
{
    json_t                    *member;
    ngx_str_t                  name, value;
    const char                *key;
    const ngx_codat_column_t  *column;
    u_char                     buf[NGX_CODAT_RECORD_SCRATCH];

    json_object_foreach(object, key, member) {
        name.data = (u_char *) (uintptr_t) key;
        name.len = strlen(key);

        column = ngx_codat_record_column(record->kind, &name);
        ngx_codat_fuzz_want(column != NULL);

        ngx_codat_record_value(record, column, buf, &value);

        if (json_is_string(member)) {
            ngx_codat_fuzz_want(ngx_codat_fuzz_json_is(member, &value));

        } else if (json_is_boolean(member)) {
            ngx_codat_fuzz_want(value.len == (json_is_true(member) ? 4 : 5));

        } else {
            ngx_codat_fuzz_want(json_is_integer(member)
                                || json_is_real(member));
        }
    }
}


static void
check_json(ngx_pool_t *pool, const ngx_codat_record_t *record)
{
    u_char     *last;
    size_t      max;
    json_t     *object;
    ngx_str_t   text;

    max = ngx_codat_record_json_len(record);

    text = ngx_codat_fuzz_copy(pool, NULL, 0);
    text.data = ngx_pnalloc(pool, max + 2);
    ngx_codat_fuzz_want(text.data != NULL);

    last = ngx_codat_record_json(text.data, record);
    ngx_codat_fuzz_want((size_t) (last - text.data) <= max);

    *last++ = '}';
    text.len = (size_t) (last - text.data);

    object = ngx_codat_fuzz_json_ours(pool, &text);
    ngx_codat_fuzz_want(json_is_object(object));

    check_columns(record, object);

    json_decref(object);
}


NGX_CODAT_FUZZ_TARGET(record)
{
    size_t               packed;
    ngx_int_t            rc;
    ngx_str_t            bytes, text;
    ngx_uint_t           i, uuid;
    ngx_pool_t          *pool;
    ngx_codat_fuzz_t     in;
    ngx_codat_record_t   record, again;
    u_char               key[NGX_CODAT_KEY_LEN],
                         scratch[NGX_CODAT_RECORD_SCRATCH],
                         p[NGX_CODAT_RECORD_MAX], q[NGX_CODAT_RECORD_MAX];

    pool = ngx_codat_fuzz_pool();

    in.pos = data;
    in.end = data + len;

    /* any bytes */

    ngx_memset(key, (int) ngx_codat_fuzz_byte(&in), sizeof(key));

    bytes = ngx_codat_fuzz_copy(pool, in.pos, ngx_codat_fuzz_left(&in));

    ngx_memzero(&record, sizeof(record));
    record.kind = (ngx_codat_record_kind_e) (key[0] % NGX_CODAT_RECORD_KINDS);
    record.state = key[0] % 3;

    (void) ngx_codat_record_unpack(&record, bytes.data, bytes.len, key,
                                   scratch);

    quota_digits(&record);

    /* what was read so far is whole: it can be shown and packed */

    if (record.texts[NGX_CODAT_TEXT_ID].len) {
        check_json(pool, &record);
    }

    ngx_codat_fuzz_want(ngx_codat_record_pack(&record, p)
                        <= NGX_CODAT_RECORD_MAX);

    /* a row of any content */

    fill(&in, pool, &record);
    quota_digits(&record);

    packed = ngx_codat_record_pack(&record, p);
    ngx_codat_fuzz_want(packed <= NGX_CODAT_RECORD_MAX);

    /* the result depends on nothing but the record */

    ngx_memset(q, 0xa5, sizeof(q));
    ngx_codat_fuzz_want(ngx_codat_record_pack(&record, q) == packed);
    ngx_codat_fuzz_want(memcmp(p, q, packed) == 0);

    uuid = ngx_codat_uuid_parse(&record.texts[NGX_CODAT_TEXT_ID], key)
           == NGX_OK;

    bytes = ngx_codat_fuzz_copy(pool, p, packed);

    again = record;

    rc = ngx_codat_record_unpack(&again, bytes.data, bytes.len,
                                 uuid ? key : NULL, scratch);
    ngx_codat_fuzz_want(rc == NGX_OK);

    for (i = 0; i < NGX_CODAT_TIMES; i++) {
        ngx_codat_fuzz_want(again.times[i] == record.times[i]);
    }

    for (i = 0; i < NGX_CODAT_TEXTS; i++) {
        text = ngx_codat_record_text(&record, i);

        if (i == NGX_CODAT_TEXT_ID) {
            text = ngx_codat_fuzz_copy(pool, text.data, text.len);
            lower_uuid(&text);
        }

        ngx_codat_fuzz_want(ngx_codat_fuzz_same(&again.texts[i], &text));
    }

    ngx_codat_fuzz_want(ngx_codat_record_pack(&again, q) == packed);
    ngx_codat_fuzz_want(memcmp(p, q, packed) == 0);

    check_json(pool, &again);

    ngx_destroy_pool(pool);
}
