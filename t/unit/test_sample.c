
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Examples of events: each is an event of its type to the parser that reads
 * what Codat sends.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_event.h"
#include "ngx_codat_sample.h"


/* names of counters that are no types */

static const char  *ngx_codat_unit_sample_none[] = {
    "PushOperationStatusChanged", "unknown", "unknown.write.pending",
    "unknown.write.successful", "unknown.write.unsuccessful",
    "*.write.pending", "*.write.successful", "*.write.unsuccessful",
    "*.read.completed", "other"
};


/* the example of a type, parsed; NGX_DECLINED if there is none */

static ngx_int_t
ngx_codat_unit_sample_of(ngx_pool_t *pool, const char *name, size_t len,
    ngx_codat_event_t *event)
{
    ngx_int_t                rc;
    ngx_str_t                type, body, client;
    ngx_codat_json_error_t   err;
    ngx_codat_json_value_t   slots[3];

    static const ngx_codat_json_path_t  paths[] = {
        { ngx_string("id"), 1, 2, NULL, 0 },
        { ngx_string("sample"), 2, 3, NULL, 0 },
        { ngx_null_string, 0, 0, NULL, 0 }
    };

    type = ngx_codat_unit_guard(pool, name, len);

    rc = ngx_codat_sample(pool, &type, &body);

    if (rc != NGX_OK) {
        return rc;
    }

    /* a read behind its end is seen */

    body = ngx_codat_unit_guard(pool, body.data, body.len);

    assert_int_equal(ngx_codat_json_select(pool, &body, paths, slots, 3,
                                           &err),
                     NGX_OK);
    assert_int_equal(slots[1].type, NGX_CODAT_JSON_STRING);
    assert_int_equal(slots[1].text.len, 36);
    assert_int_equal(slots[2].type, NGX_CODAT_JSON_BOOLEAN);
    assert_int_equal(slots[2].text.data[0], 't');
    assert_int_equal(body.data[0], '{');

    ngx_str_null(&client);

    assert_int_equal(ngx_codat_event_parse(pool, &body, &client, event, &err),
                     NGX_OK);

    assert_int_equal(event->fields[NGX_CODAT_FIELD_ID].len, 36);
    assert_memory_equal(event->fields[NGX_CODAT_FIELD_ID].data,
                        slots[1].text.data, 36);

    assert_int_equal(event->fields[NGX_CODAT_FIELD_EVENT_TYPE].len, len);
    assert_memory_equal(event->fields[NGX_CODAT_FIELD_EVENT_TYPE].data, name,
                        len);

    return NGX_OK;
}


static void
ngx_codat_unit_sample_known(void **state)
{
    ngx_int_t           rc;
    ngx_uint_t          i, n, none;
    ngx_pool_t         *pool;
    const ngx_str_t    *type;
    ngx_codat_event_t   event;

    (void) state;

    for (i = 0; i < NGX_CODAT_TYPES_N; i++) {

        pool = ngx_codat_unit_pool();
        type = ngx_codat_type_name(i);
        none = 0;

        for (n = 0; n < sizeof(ngx_codat_unit_sample_none) / sizeof(char *);
             n++)
        {
            if (ngx_strcmp(ngx_codat_unit_sample_none[n], type->data) == 0) {
                none = 1;
            }
        }

        rc = ngx_codat_unit_sample_of(pool, (char *) type->data, type->len,
                                      &event);

        if (rc != (none ? NGX_DECLINED : NGX_OK)) {
            fail_msg("%s", type->data);
        }

        if (rc == NGX_OK
            && event.family == NGX_CODAT_FAMILY_WRITE
            && (event.fields[NGX_CODAT_FIELD_PUSH_KEY].len != 36
                || event.fields[NGX_CODAT_FIELD_PUSH_STATUS].len == 0
                || event.fields[NGX_CODAT_FIELD_DATA_TYPE].len == 0))
        {
            fail_msg("%s: a push without its fields", type->data);
        }

        if (rc == NGX_OK
            && event.family == NGX_CODAT_FAMILY_CONNECTION
            && (event.fields[NGX_CODAT_FIELD_CONNECTION_ID].len != 36
                || event.fields[NGX_CODAT_FIELD_CONNECTION_STATUS].len == 0))
        {
            fail_msg("%s: a connection without its fields", type->data);
        }

        if (rc == NGX_OK
            && event.family != NGX_CODAT_FAMILY_CLIENT
            && event.fields[NGX_CODAT_FIELD_COMPANY_ID].len != 36)
        {
            fail_msg("%s: no company", type->data);
        }

        ngx_destroy_pool(pool);
    }
}


/* names that Codat may make up, and those that it can't */

static void
ngx_codat_unit_sample_new(void **state)
{
    ngx_uint_t          i;
    ngx_pool_t         *pool;
    ngx_codat_event_t   event;
    u_char              name[300];

    static const struct {
        const char  *type;
        ngx_int_t    rc;
    } types[] = {
        { "widgets.write.successful", NGX_OK },
        { "commerce-orders.write.unsuccessful", NGX_OK },
        { "lending.read.completed", NGX_OK },
        { "lending.read.completed.unsuccessful", NGX_OK },
        { "lending.read.completed.successful.initial", NGX_OK },
        { "reports.balance.generate.successful", NGX_OK },
        { "codat.consumer.disabled", NGX_OK },
        { "widgets.painted", NGX_DECLINED },
        { "connection.painted", NGX_DECLINED },
        { ".write.successful", NGX_DECLINED },
        { "a\"b.write.successful", NGX_DECLINED },
        { "a\\b.write.successful", NGX_DECLINED },
        { "a b.write.successful", NGX_DECLINED },
        { "", NGX_DECLINED }
    };

    (void) state;

    pool = ngx_codat_unit_pool();

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {

        if (ngx_codat_unit_sample_of(pool, types[i].type,
                                     ngx_strlen(types[i].type), &event)
            != types[i].rc)
        {
            fail_msg("%s", types[i].type);
        }
    }

    /* the longest one, and one byte more */

    ngx_memset(name, 'x', sizeof(name));
    ngx_memcpy(name + 256 - (sizeof(".write.successful") - 1),
               ".write.successful", sizeof(".write.successful") - 1);

    assert_int_equal(ngx_codat_unit_sample_of(pool, (char *) name, 256,
                                              &event),
                     NGX_OK);

    assert_int_equal(ngx_codat_unit_sample_of(pool, (char *) name + 1, 255,
                                              &event),
                     NGX_OK);

    ngx_memmove(name + 1, name, 256);

    assert_int_equal(ngx_codat_unit_sample_of(pool, (char *) name, 257,
                                              &event),
                     NGX_DECLINED);

    ngx_destroy_pool(pool);
}


/* tools that have seen one know it again, after years */

static void
ngx_codat_unit_sample_id(void **state)
{
    ngx_pool_t         *pool;
    ngx_codat_event_t   event;

    (void) state;

    pool = ngx_codat_unit_pool();

    assert_int_equal(ngx_codat_unit_sample_of(pool, "company.created", 15,
                                              &event),
                     NGX_OK);

    assert_memory_equal(event.fields[NGX_CODAT_FIELD_ID].data,
                        "a1b1a1cc-b603-530f-bb37-53a9fbde9001", 36);

    ngx_destroy_pool(pool);
}


int
ngx_codat_unit_sample(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(ngx_codat_unit_sample_known),
        cmocka_unit_test(ngx_codat_unit_sample_new),
        cmocka_unit_test(ngx_codat_unit_sample_id)
    };

    return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
