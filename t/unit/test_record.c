
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The record: what its packed form keeps and what garbage does to it, and
 * its columns.  In tables a single quote stands for a double one.
 */


#include "ngx_codat_unit_world.h"
#include "ngx_codat_names.h"


#define NGX_CODAT_UNIT_GARBAGE  20000

#define uuid1  "3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c865"
#define uuid2  "D27A94B0-6e1c-4f58-8c3d-5b90f1e7a246"


typedef struct {
    const char               *text;
    const char               *expected;         /* NULL: refused */
} ngx_codat_unit_uuid_t;


typedef struct {
    ngx_codat_record_kind_e   kind;
    ngx_uint_t                state;
    ngx_uint_t                flags;
    const char               *texts[NGX_CODAT_TEXTS];
    int64_t                   times[NGX_CODAT_TIMES];
    const char               *expected;
} ngx_codat_unit_shown_t;


static void ngx_codat_unit_record_fill(ngx_codat_record_t *record,
    const ngx_codat_unit_shown_t *shown);
static void ngx_codat_unit_record_same(const ngx_codat_record_t *one,
    const ngx_codat_record_t *two);
static void ngx_codat_unit_record_inside(ngx_str_t *packed, u_char *scratch,
    const ngx_codat_record_t *record);


static const ngx_codat_unit_uuid_t  ngx_codat_unit_uuids[] = {
    { uuid1, uuid1 },
    { uuid2, "d27a94b0-6e1c-4f58-8c3d-5b90f1e7a246" },
    { "00000000-0000-0000-0000-000000000000",
      "00000000-0000-0000-0000-000000000000" },
    { "ffffffff-FFFF-ffff-FFFF-ffffffffffff",
      "ffffffff-ffff-ffff-ffff-ffffffffffff" },
    { "", NULL },
    { "3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c86", NULL },
    { "3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c8655", NULL },
    { "3c5d0f7e84b14e6a9f230a7be1d4c865", NULL },
    { "{c5d0f7e-84b1-4e6a-9f23-0a7be1d4c86}", NULL },
    { "3c5d0f7e+84b1-4e6a-9f23-0a7be1d4c865", NULL },
    { "3c5d0f7e-84b1-4e6a-9f23--a7be1d4c865", NULL },
    { "3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c86g", NULL },
    { "3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c86@", NULL },
    { "3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c86`", NULL },
    { "3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c86:", NULL },
    { "3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c86\x10", NULL },
    { "3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c86\xe1", NULL }
};


#define NGX_CODAT_UNIT_LETTERS                                                \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

#define text(name, value)  .texts[NGX_CODAT_TEXT_##name] = value
#define time_(name, value) .times[NGX_CODAT_TIME_##name] =                    \
                               NGX_CODAT_WORLD_NOON + (value) * 1000000


static const ngx_codat_unit_shown_t  ngx_codat_unit_shown[] = {

    { .kind = NGX_CODAT_RECORD_PUSH, .state = NGX_CODAT_PUSH_SUCCESS,
      .flags = 1 << NGX_CODAT_PUSH_SUCCESS,
      text(ID, uuid1), text(COMPANY, uuid1), text(CONNECTION, uuid1),
      text(DATA_TYPE, "invoices"), text(TYPE, "Create"),
      text(RECORD, "inv_1093"), text(ATTACHMENT, "17"),
      text(ERROR, "not shown"), text(REFERENCE, "expense-\"17\""),
      time_(REQUESTED, 1), time_(COMPLETED, 2), time_(UPDATED, 3),
      time_(GENERATED, 3), time_(STATUS, 3), time_(SEEN, 4),
      .expected =
      "{'pushOperationKey':'" uuid1 "','status':'Success','final':true"
      ",'companyId':'" uuid1 "','connectionId':'" uuid1 "'"
      ",'dataType':'invoices','type':'Create','recordId':'inv_1093'"
      ",'attachmentId':'17','reference':'expense-\\'17\\''"
      ",'requestedOn':'2024-08-08T12:00:01.000Z'"
      ",'completedOn':'2024-08-08T12:00:02.000Z'"
      ",'updatedOn':'2024-08-08T12:00:03.000Z'" },

    /* corrected, if what was wrong came before: by date, else by receipt */

    { .kind = NGX_CODAT_RECORD_PUSH, .state = NGX_CODAT_PUSH_SUCCESS,
      text(ID, "k"), time_(STATUS, 3), time_(DISPUTED, 2), time_(SEEN, 4),
      time_(CONTESTED, 5), time_(UPDATED, 3),
      .expected = "{'pushOperationKey':'k','status':'Success','final':true"
      ",'corrected':true,'completedOn':'2024-08-08T12:00:03.000Z'"
      ",'updatedOn':'2024-08-08T12:00:03.000Z'" },

    { .kind = NGX_CODAT_RECORD_PUSH, .state = NGX_CODAT_PUSH_SUCCESS,
      text(ID, "k"), time_(STATUS, 2), time_(DISPUTED, 3), time_(SEEN, 5),
      time_(CONTESTED, 4), time_(UPDATED, 3),
      .expected = "{'pushOperationKey':'k','status':'Success','final':true"
      ",'completedOn':'2024-08-08T12:00:02.000Z'"
      ",'updatedOn':'2024-08-08T12:00:03.000Z'" },

    { .kind = NGX_CODAT_RECORD_PUSH, .state = NGX_CODAT_PUSH_SUCCESS,
      text(ID, "k"), time_(STATUS, 3), time_(DISPUTED, 3), time_(SEEN, 5),
      time_(CONTESTED, 4), time_(UPDATED, 3),
      .expected = "{'pushOperationKey':'k','status':'Success','final':true"
      ",'corrected':true,'completedOn':'2024-08-08T12:00:03.000Z'"
      ",'updatedOn':'2024-08-08T12:00:03.000Z'" },

    { .kind = NGX_CODAT_RECORD_PUSH, .state = NGX_CODAT_PUSH_SUCCESS,
      text(ID, "k"), time_(STATUS, 3), time_(SEEN, 4), time_(CONTESTED, 5),
      time_(UPDATED, 3),
      .expected = "{'pushOperationKey':'k','status':'Success','final':true"
      ",'completedOn':'2024-08-08T12:00:03.000Z'"
      ",'updatedOn':'2024-08-08T12:00:03.000Z'" },

    /* a completion is that of the report where there is no other */

    { .kind = NGX_CODAT_RECORD_PUSH, .state = NGX_CODAT_PUSH_FAILED,
      text(ID, "k"), text(ERROR, "why\n"), time_(STATUS, 2), time_(SEEN, 1),
      time_(DISPUTED, 1), time_(UPDATED, 3),
      .expected = "{'pushOperationKey':'k','status':'Failed','final':true"
      ",'errorMessage':'why\\n','completedOn':'2024-08-08T12:00:02.000Z'"
      ",'updatedOn':'2024-08-08T12:00:03.000Z'" },

    { .kind = NGX_CODAT_RECORD_PUSH, .state = NGX_CODAT_PUSH_TIMED_OUT,
      text(ID, "k"), text(ERROR, "late"), time_(SEEN, 1), time_(UPDATED, 3),
      .expected = "{'pushOperationKey':'k','status':'TimedOut','final':true"
      ",'errorMessage':'late','completedOn':'2024-08-08T12:00:01.000Z'"
      ",'updatedOn':'2024-08-08T12:00:03.000Z'" },

    { .kind = NGX_CODAT_RECORD_PUSH, .state = NGX_CODAT_PUSH_PENDING,
      text(ID, "k"), text(ERROR, "x"), time_(STATUS, 1), time_(SEEN, 1),
      time_(UPDATED, 1),
      .expected = "{'pushOperationKey':'k','status':'Pending','final':false"
      ",'updatedOn':'2024-08-08T12:00:01.000Z'" },

    { .kind = NGX_CODAT_RECORD_PUSH, text(ID, "k"),
      .expected = "{'pushOperationKey':'k','final':false" },

    { .kind = NGX_CODAT_RECORD_PUSH, .state = 255, .flags = 255,
      .expected = "{'final':true" },

    { .kind = NGX_CODAT_RECORD_CONNECTION, .state = NGX_CODAT_CONN_LINKED,
      .flags = NGX_CODAT_CONN_PENDING_AUTH,
      text(ID, uuid1), text(COMPANY, "co"), text(INTEGRATION, "gbol"),
      text(PLATFORM, "Xero"), text(SOURCE_TYPE, "Accounting"),
      text(ERROR, "e"), time_(UPDATED, 0), time_(GENERATED, 0),
      time_(PREVIOUS, -5),
      .expected = "{'id':'" uuid1 "','companyId':'co','status':'Linked'"
      ",'previousStatus':'PendingAuth','integrationKey':'gbol'"
      ",'platformName':'Xero','sourceType':'Accounting','errorMessage':'e'"
      ",'updatedOn':'2024-08-08T12:00:00.000Z'" },

    { .kind = NGX_CODAT_RECORD_CONNECTION, .state = 200, .flags = 201,
      text(ID, "c"), .expected = "{'id':'c'" },

    { .kind = NGX_CODAT_RECORD_DATASET,
      text(CONNECTION, uuid1), text(DATA_TYPE, "bills"),
      text(STATUS, "FetchError"), time_(COMPLETED, 1), time_(UPDATED, 2),
      .expected = "{'dataType':'bills','status':'FetchError'"
      ",'completedOn':'2024-08-08T12:00:01.000Z'"
      ",'updatedOn':'2024-08-08T12:00:02.000Z'" },

    { .kind = NGX_CODAT_RECORD_DATASET, .expected = "{" },

    { .kind = NGX_CODAT_RECORD_COMPANY, .state = 1,
      text(ID, uuid1), text(NAME, "Finch & \xc3\xa9"), time_(CREATED, 1),
      time_(DELETED, 2), time_(INITIAL_READ, 3), time_(UPDATED, 4),
      .expected = "{'id':'" uuid1 "','name':'Finch & \xc3\xa9'"
      ",'deleted':true,'createdOn':'2024-08-08T12:00:01.000Z'"
      ",'deletedOn':'2024-08-08T12:00:02.000Z'"
      ",'initialReadCompletedOn':'2024-08-08T12:00:03.000Z'"
      ",'updatedOn':'2024-08-08T12:00:04.000Z'" },

    { .kind = NGX_CODAT_RECORD_COMPANY, text(ID, "co"), time_(UPDATED, 4),
      .expected = "{'id':'co','updatedOn':'2024-08-08T12:00:04.000Z'" },

    { .kind = NGX_CODAT_RECORD_CLIENT, .state = 1,
      text(ID, uuid1), text(QUOTA, "1000"), time_(LIMITED, 60),
      time_(UPDATED, 1),
      .expected = "{'id':'" uuid1 "','rateLimited':true"
      ",'rateLimitedUntil':'2024-08-08T12:01:00.000Z','dailyQuota':1000"
      ",'updatedOn':'2024-08-08T12:00:01.000Z'" },

    { .kind = NGX_CODAT_RECORD_CLIENT, .state = 2, time_(LIMITED, 60),
      time_(UPDATED, 1),
      .expected = "{'rateLimited':false"
      ",'updatedOn':'2024-08-08T12:00:01.000Z'" }
};


static void
ngx_codat_unit_record_uuid(void **state)
{
    u_char                        uuid[NGX_CODAT_KEY_LEN];
    u_char                        out[NGX_CODAT_UUID_LEN];
    ngx_str_t                     text;
    ngx_uint_t                    i;
    ngx_pool_t                   *pool;
    const ngx_codat_unit_uuid_t  *row;

    (void) state;

    pool = ngx_codat_unit_pool();

    for (i = 0;
         i < sizeof(ngx_codat_unit_uuids) / sizeof(ngx_codat_unit_uuids[0]);
         i++)
    {
        row = &ngx_codat_unit_uuids[i];
        text = ngx_codat_unit_str(pool, row->text);

        if (row->expected == NULL) {
            assert_int_equal(ngx_codat_uuid_parse(&text, uuid), NGX_DECLINED);
            continue;
        }

        assert_int_equal(ngx_codat_uuid_parse(&text, uuid), NGX_OK);
        assert_ptr_equal(ngx_codat_uuid_format(out, uuid),
                         out + NGX_CODAT_UUID_LEN);
        assert_memory_equal(out, row->expected, NGX_CODAT_UUID_LEN);
    }

    ngx_destroy_pool(pool);
}


static void
ngx_codat_unit_record_json(void **state)
{
    u_char              *p, *last;
    size_t               len;
    ngx_str_t            expected;
    ngx_uint_t           i;
    ngx_pool_t          *pool;
    ngx_codat_record_t   record;

    (void) state;

    for (i = 0;
         i < sizeof(ngx_codat_unit_shown) / sizeof(ngx_codat_unit_shown[0]);
         i++)
    {
        pool = ngx_codat_unit_pool();

        ngx_codat_unit_record_fill(&record, &ngx_codat_unit_shown[i]);

        len = ngx_codat_record_json_len(&record);

        p = ngx_pnalloc(pool, len + 1);
        assert_non_null(p);

        last = ngx_codat_record_json(p, &record);

        assert_true((size_t) (last - p) <= len);

        *last = '\0';

        expected = ngx_codat_world_json(pool,
                                        ngx_codat_unit_shown[i].expected);

        if (expected.len != (size_t) (last - p)
            || ngx_memcmp(expected.data, p, expected.len) != 0)
        {
            fail_msg("%d: got %s, expected %.*s", (int) i, p,
                     (int) expected.len, (char *) expected.data);
        }

        ngx_destroy_pool(pool);
    }
}


/* Names in messages are those of the columns; values, those of the JSON. */

static void
ngx_codat_unit_record_columns(void **state)
{
    u_char                     *p, *last, buf[NGX_CODAT_RECORD_SCRATCH];
    ngx_str_t                   names, name, value;
    ngx_uint_t                  kind, i, n;
    ngx_pool_t                 *pool;
    ngx_codat_record_t          record;
    const ngx_codat_column_t   *column;

    static const ngx_uint_t  expected[] = { 15, 10, 4, 7, 5 };

    static const struct {
        const char  *name;
        const char  *value;
    } values[] = {
        { "pushOperationKey", "k" },
        { "status", "Success" },
        { "final", "true" },
        { "corrected", "true" },
        { "companyId", "" },
        { "requestedOn", "" },
        { "errorMessage", "" },
        { "updatedOn", "2024-08-08T12:00:03.000Z" }
    };

    (void) state;

    pool = ngx_codat_unit_pool();

    for (kind = 0; kind < NGX_CODAT_RECORD_KINDS; kind++) {

        names = ngx_codat_unit_str(pool, ngx_codat_record_columns(kind));
        n = 0;

        p = names.data;
        last = p + names.len;

        while (p < last) {
            name.data = p;

            while (p < last && *p != ',') {
                p++;
            }

            name.len = (size_t) (p - name.data);
            name = ngx_codat_unit_guard(pool, name.data, name.len);

            column = ngx_codat_record_column(kind, &name);
            assert_non_null(column);
            assert_memory_equal(column->name.data, name.data, name.len);

            n++;
            p += 2;
        }

        assert_int_equal(n, expected[kind]);

        ngx_str_set(&name, "");
        assert_null(ngx_codat_record_column(kind, &name));
        ngx_str_set(&name, "STATUS");
        assert_null(ngx_codat_record_column(kind, &name));
        ngx_str_set(&name, "generation");
        assert_null(ngx_codat_record_column(kind, &name));
    }

    ngx_codat_unit_record_fill(&record, &ngx_codat_unit_shown[1]);

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        name = ngx_codat_unit_str(pool, values[i].name);
        column = ngx_codat_record_column(NGX_CODAT_RECORD_PUSH, &name);
        assert_non_null(column);

        ngx_codat_record_value(&record, column, buf, &value);

        assert_int_equal(value.len, strlen(values[i].value));
        assert_memory_equal(value.data ? value.data : buf, values[i].value,
                            value.len);
    }

    assert_int_equal(ngx_codat_record_final(&record), 1);

    ngx_destroy_pool(pool);
}


/* The budget of a usual push: its key is beside the packed form. */

static void
ngx_codat_unit_record_budget(void **state)
{
    u_char               packed[NGX_CODAT_RECORD_MAX];
    size_t               len;
    ngx_str_t            body;
    ngx_pool_t          *pool;
    ngx_array_t          facts;
    ngx_codat_event_t    event;
    ngx_codat_record_t   record, *fact;

    (void) state;

    pool = ngx_codat_unit_pool();

    body = ngx_codat_world_json(pool,
        "{'id':'735809f2-db51-4744-bb16-4cd03b0283e7'"
        ",'eventType':'bankTransactions.write.successful'"
        ",'generatedDate':'2026-03-02T09:30:12.481Z','payload':{"
        "'id':'c77c0e0b-193e-4923-b9d2-bb04730b54bc','type':'Create'"
        ",'referenceCompany':{'id':'3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c865'}"
        ",'connectionId':'d27a94b0-6e1c-4f58-8c3d-5b90f1e7a246'"
        ",'requestedOnDate':'2026-03-02T09:29:52.102Z'"
        ",'completedOnDate':'2026-03-02T09:30:12.300Z','status':'Success'"
        ",'record':{'id':'a2b4c6d8-0000-4000-8000-0123456789ab'}}}");

    ngx_codat_world_facts(pool, body, 0, &event, &facts);

    fact = facts.elts;

    ngx_memzero(&record, sizeof(ngx_codat_record_t));

    record.texts[NGX_CODAT_TEXT_ID] = fact->texts[NGX_CODAT_TEXT_ID];

    assert_int_equal(ngx_codat_merge(&record, fact),
                     NGX_CODAT_MERGE_CHANGED|NGX_CODAT_MERGE_STATUS);

    len = ngx_codat_record_pack(&record, packed);

    if (len > 110) {
        fail_msg("a usual push packs to %d bytes", (int) len);
    }

    ngx_destroy_pool(pool);
}


static void
ngx_codat_unit_record_pack(void **state)
{
    u_char              *scratch, key[NGX_CODAT_KEY_LEN];
    size_t               len;
    uint64_t             seed;
    ngx_str_t            packed, bytes;
    ngx_uint_t           i, j, n;
    ngx_pool_t          *pool;
    ngx_codat_record_t   record, copy;

    static u_char  letters[4096];
    static u_char  out[NGX_CODAT_RECORD_MAX];

    (void) state;

    seed = ngx_codat_world_seed();

    ngx_memset(letters, 'x', sizeof(letters));
    ngx_memset(key, 0x1e, NGX_CODAT_KEY_LEN);

    for (n = 0; n < 2000; n++) {
        pool = ngx_codat_unit_pool();

        ngx_memzero(&record, sizeof(ngx_codat_record_t));

        for (i = 0; i < NGX_CODAT_TEXTS; i++) {

            switch (ngx_codat_world_random(&seed, 5)) {

            case 0:
                ngx_str_set(&record.texts[i], uuid1);
                break;

            case 1:
                ngx_str_set(&record.texts[i], uuid2);
                break;

            case 2:
                record.texts[i].data = letters;
                record.texts[i].len = ngx_codat_world_random(&seed, 21);
                break;

            case 3:
                record.texts[i].data = letters;
                record.texts[i].len = ngx_codat_world_random(&seed, 1100);
                break;

            default:
                break;
            }
        }

        for (i = 0; i < NGX_CODAT_TIMES; i++) {

            if (ngx_codat_world_random(&seed, 2)) {
                j = ngx_codat_world_random(&seed, 3);
                record.times[i] = (int64_t) j * 0x0123456789abcd - 99;
            }
        }

        len = ngx_codat_record_pack(&record, out);

        assert_true(len <= NGX_CODAT_RECORD_MAX);

        packed = ngx_codat_unit_guard(pool, out, len);
        bytes = ngx_codat_unit_guard(pool, letters,
                                     NGX_CODAT_RECORD_SCRATCH);
        scratch = bytes.data;

        assert_int_equal(ngx_codat_record_unpack(&copy, packed.data, len, key,
                                                 scratch),
                         NGX_OK);

        /* what is kept; an id that was a UUID is what the key says */

        for (i = 0; i < NGX_CODAT_TEXTS; i++) {
            record.texts[i] = ngx_codat_record_text(&record, i);
        }

        if (ngx_codat_uuid_parse(&record.texts[NGX_CODAT_TEXT_ID], out)
            == NGX_OK)
        {
            ngx_str_set(&record.texts[NGX_CODAT_TEXT_ID],
                        "1e1e1e1e-1e1e-1e1e-1e1e-1e1e1e1e1e1e");
        }

        ngx_codat_unit_record_same(&record, &copy);

        /* the same again */

        assert_int_equal(ngx_codat_record_pack(&copy, out), len);
        assert_memory_equal(out, packed.data, len);

        ngx_destroy_pool(pool);
    }
}


/* Everything as long as it can be. */

static void
ngx_codat_unit_record_longest(void **state)
{
    ngx_uint_t           i;
    ngx_codat_record_t   record;

    static u_char  letters[4096];
    static u_char  out[2 * NGX_CODAT_RECORD_MAX];

    (void) state;

    ngx_memset(letters, 'x', sizeof(letters));
    ngx_memzero(&record, sizeof(ngx_codat_record_t));

    for (i = 0; i < NGX_CODAT_TEXTS; i++) {
        record.texts[i].data = letters;
        record.texts[i].len = sizeof(letters);

        while (ngx_codat_record_text(&record, i).len == 0) {
            record.texts[i].len--;
        }
    }

    for (i = 0; i < NGX_CODAT_TIMES; i++) {
        record.times[i] = (int64_t) i + 1;
    }

    assert_true(ngx_codat_record_pack(&record, out) <= NGX_CODAT_RECORD_MAX);
    assert_true(ngx_codat_record_pack(&record, out)
                > NGX_CODAT_RECORD_MAX / 2);
}


static void
ngx_codat_unit_record_cut(void **state)
{
    size_t               i;
    ngx_str_t            text;
    ngx_codat_record_t   record;

    static u_char  letters[4096];

    (void) state;

    ngx_memzero(&record, sizeof(ngx_codat_record_t));

    /* "e" with acute, of two bytes, and one more byte before them */

    for (i = 0; i + 1 < sizeof(letters); i += 2) {
        letters[i] = 0xc3;
        letters[i + 1] = 0xa9;
    }

    record.texts[NGX_CODAT_TEXT_NAME].data = letters;
    record.texts[NGX_CODAT_TEXT_NAME].len = sizeof(letters);
    text = ngx_codat_record_text(&record, NGX_CODAT_TEXT_NAME);
    assert_int_equal(text.len, NGX_CODAT_NAME_MAX);

    letters[0] = 'x';
    record.texts[NGX_CODAT_TEXT_ERROR].data = letters + 1;
    letters[1] = 'x';
    record.texts[NGX_CODAT_TEXT_ERROR].len = sizeof(letters) - 1;
    text = ngx_codat_record_text(&record, NGX_CODAT_TEXT_ERROR);
    assert_int_equal(text.len, NGX_CODAT_ERROR_MAX - 1);
    assert_int_equal(text.data[text.len - 1], 0xa9);

    /* half an id is another id */

    record.texts[NGX_CODAT_TEXT_COMPANY].data = letters;
    record.texts[NGX_CODAT_TEXT_COMPANY].len = NGX_CODAT_ID_MAX + 1;
    text = ngx_codat_record_text(&record, NGX_CODAT_TEXT_COMPANY);
    assert_int_equal(text.len, 0);

    record.texts[NGX_CODAT_TEXT_COMPANY].len = NGX_CODAT_ID_MAX;
    text = ngx_codat_record_text(&record, NGX_CODAT_TEXT_COMPANY);
    assert_int_equal(text.len, NGX_CODAT_ID_MAX);
}


/*
 * Garbage, and records that were damaged: nothing outside is read or
 * written, and what is read lies inside.
 */

static void
ngx_codat_unit_record_garbage(void **state)
{
    u_char              *scratch, out[NGX_CODAT_RECORD_MAX];
    size_t               len, good;
    uint64_t             seed;
    ngx_str_t            page, bytes, packed;
    ngx_uint_t           i, n, ok;
    ngx_pool_t          *pool;
    ngx_codat_record_t   record;

    (void) state;

    seed = ngx_codat_world_seed();

    pool = ngx_codat_unit_pool();

    ngx_memzero(out, sizeof(out));
    page = ngx_codat_unit_guard(pool, out, 512);
    bytes = ngx_codat_unit_guard(pool, out, NGX_CODAT_RECORD_SCRATCH);
    scratch = bytes.data;

    ngx_codat_unit_record_fill(&record, &ngx_codat_unit_shown[0]);
    good = ngx_codat_record_pack(&record, out);
    assert_true(good < 512);

    ok = 0;

    for (n = 0; n < NGX_CODAT_UNIT_GARBAGE; n++) {

        if (n & 1) {
            len = ngx_codat_world_random(&seed, 512);
            packed.data = page.data + 512 - len;

            for (i = 0; i < len; i++) {
                packed.data[i] = (u_char) ngx_codat_world_random(&seed, 256);
            }

            /* plausible tags go further */

            for (i = 0; i < len && (n & 2); i++) {
                packed.data[i] &= (u_char) 0x6f;
            }

        } else {
            len = good - ngx_codat_world_random(&seed, good);
            packed.data = page.data + 512 - len;
            ngx_memcpy(packed.data, out, len);

            for (i = ngx_codat_world_random(&seed, 4); i; i--) {
                packed.data[ngx_codat_world_random(&seed, len)] =
                                  (u_char) ngx_codat_world_random(&seed, 256);
            }
        }

        packed.len = len;

        ngx_memset(&record, 0x55, sizeof(ngx_codat_record_t));

        record.kind = n % NGX_CODAT_RECORD_KINDS;
        record.state = ngx_codat_world_random(&seed, 256);
        record.flags = ngx_codat_world_random(&seed, 256);

        if (ngx_codat_record_unpack(&record, packed.data, len,
                                    (n & 4) ? page.data : NULL, scratch)
            == NGX_OK)
        {
            ok++;
        }

        ngx_codat_unit_record_inside(&packed, scratch, &record);
    }

    assert_true(ok > 0);
    assert_true(ok < NGX_CODAT_UNIT_GARBAGE);

    ngx_destroy_pool(pool);
}


static void
ngx_codat_unit_record_inside(ngx_str_t *packed, u_char *scratch,
    const ngx_codat_record_t *record)
{
    u_char            *p, *last;
    size_t             len;
    ngx_uint_t         i;
    const ngx_str_t   *text;

    static u_char  json[65536];
    static u_char  again[2 * NGX_CODAT_RECORD_MAX];

    for (i = 0; i < NGX_CODAT_TEXTS; i++) {
        text = &record->texts[i];

        if (text->len == 0) {
            continue;
        }

        p = text->data;
        last = p + text->len;

        if ((p >= packed->data && last <= packed->data + packed->len)
            || (p >= scratch && last <= scratch + NGX_CODAT_RECORD_SCRATCH))
        {
            continue;
        }

        /* else it is a word that everybody uses, a literal */

        assert_int_equal(strspn((char *) p, NGX_CODAT_UNIT_LETTERS),
                         text->len);
        assert_int_equal(*last, '\0');
    }

    /* and it can be used */

    len = ngx_codat_record_json_len(record);
    assert_true(len <= sizeof(json));
    assert_true((size_t) (ngx_codat_record_json(json, record) - json) <= len);

    assert_true(ngx_codat_record_pack(record, again) <= NGX_CODAT_RECORD_MAX);
}


static void
ngx_codat_unit_record_fill(ngx_codat_record_t *record,
    const ngx_codat_unit_shown_t *shown)
{
    ngx_uint_t  i;

    ngx_memzero(record, sizeof(ngx_codat_record_t));

    record->kind = shown->kind;
    record->state = shown->state;
    record->flags = shown->flags;

    for (i = 0; i < NGX_CODAT_TEXTS; i++) {

        if (shown->texts[i]) {
            record->texts[i].data = (u_char *) (uintptr_t) shown->texts[i];
            record->texts[i].len = strlen(shown->texts[i]);
        }
    }

    ngx_memcpy(record->times, shown->times, sizeof(shown->times));
}


static void
ngx_codat_unit_record_same(const ngx_codat_record_t *one,
    const ngx_codat_record_t *two)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_CODAT_TEXTS; i++) {
        assert_int_equal(one->texts[i].len, two->texts[i].len);

        if (one->texts[i].len) {
            assert_memory_equal(one->texts[i].data, two->texts[i].data,
                                one->texts[i].len);
        }
    }

    assert_memory_equal(one->times, two->times, sizeof(one->times));
}


int
ngx_codat_unit_record(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(ngx_codat_unit_record_uuid),
        cmocka_unit_test(ngx_codat_unit_record_json),
        cmocka_unit_test(ngx_codat_unit_record_columns),
        cmocka_unit_test(ngx_codat_unit_record_budget),
        cmocka_unit_test(ngx_codat_unit_record_pack),
        cmocka_unit_test(ngx_codat_unit_record_longest),
        cmocka_unit_test(ngx_codat_unit_record_cut),
        cmocka_unit_test(ngx_codat_unit_record_garbage)
    };

    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
