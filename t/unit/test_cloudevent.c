
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The normalised payload, byte for byte.  In the tables a single quote
 * stands for a double one.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_cloudevent.h"


typedef struct {
    const char  *title;
    const char  *body;
    const char  *client;
    const char  *id;
    const char  *webhook;
    unsigned     stale;
    const char  *expected;          /* what stands before the body */
} ngx_codat_unit_envelope_t;


static void ngx_codat_unit_cloudevent_row(
    const ngx_codat_unit_envelope_t *row);
static ngx_str_t ngx_codat_unit_cloudevent_text(ngx_pool_t *pool,
    const char *text);


/* received: 2024-08-08T17:10:34.015Z */

#define NGX_CODAT_UNIT_RECEIVED  ((int64_t) 1723137034015000)


static const ngx_codat_unit_envelope_t  ngx_codat_unit_envelopes[] = {

    { "everything",
      "{'id':'ev-1','eventType':'bill.write.successful'"
      ",'generatedDate':'2024-01-02T03:04:05.1234567Z','payload':{"
      "'id':'key-1','type':'Create','status':'Success'"
      ",'connectionId':'dc-1','record':{'id':'rec-1'},'attachmentId':'att-1'"
      ",'referenceCompany':{'id':'co-1','name':'Toft'"
      ",'tags':{ 'uid' : '1' }}}}",
      "cl-1", "other", "msg_1", 1,
      "{'specversion':'1.0','id':'ev-1'"
      ",'source':'https://api.codat.io/clients/cl-1'"
      ",'type':'io.codat.bills.write.successful'"
      ",'subject':'companies/co-1/connections/dc-1'"
      ",'time':'2024-01-02T03:04:05.1234567Z'"
      ",'datacontenttype':'application/json','webhookid':'msg_1','data':{"
      "'eventType':'bills.write.successful'"
      ",'receivedType':'bill.write.successful','generation':'current'"
      ",'clientId':'cl-1','companyId':'co-1','companyName':'Toft'"
      ",'connectionId':'dc-1','dataType':'bills','pushOperationKey':'key-1'"
      ",'pushStatus':'Success','pushType':'Create','recordId':'rec-1'"
      ",'attachmentId':'att-1','tags':{ 'uid' : '1' },'stale':true"
      ",'payload':" },

    { "nothing",
      "{}", "", "made-up", "", 0,
      "{'specversion':'1.0','id':'made-up','source':'https://api.codat.io'"
      ",'type':'io.codat.unknown','time':'2024-08-08T17:10:34.015Z'"
      ",'datacontenttype':'application/json','data':{"
      "'eventType':'unknown','generation':'current','payload':" },

    { "a company without a connection, a date without a zone",
      "{'eventType':'company.created','generatedDate':'2024-02-07T11:22:33'"
      ",'payload':{'id':'co-1'}}",
      "", "made-up", "", 0,
      "{'specversion':'1.0','id':'made-up','source':'https://api.codat.io'"
      ",'type':'io.codat.company.created','subject':'companies/co-1'"
      ",'time':'2024-02-07T11:22:33Z'"
      ",'datacontenttype':'application/json','data':{"
      "'eventType':'company.created','receivedType':'company.created'"
      ",'generation':'current','companyId':'co-1','payload':" },

    { "a connection without a company, a date with an offset",
      "{'eventType':'connection.deleted'"
      ",'generatedDate':'2024-02-07T11:22:33+01:00'"
      ",'payload':{'connection':{'id':'dc-1'}}}",
      "", "made-up", "", 0,
      "{'specversion':'1.0','id':'made-up','source':'https://api.codat.io'"
      ",'type':'io.codat.connection.deleted'"
      ",'time':'2024-02-07T11:22:33+01:00'"
      ",'datacontenttype':'application/json','data':{"
      "'eventType':'connection.deleted','receivedType':'connection.deleted'"
      ",'generation':'current','connectionId':'dc-1'"
      ",'connectionStatus':'Deleted','payload':" },

    { "a date that does not exist",
      "{'eventType':'a.b','generatedDate':'2024-09-01T23:59:99Z'}",
      "", "made-up", "", 0,
      "{'specversion':'1.0','id':'made-up','source':'https://api.codat.io'"
      ",'type':'io.codat.a.b','time':'2024-08-08T17:10:34.015Z'"
      ",'datacontenttype':'application/json','data':{"
      "'eventType':'a.b','receivedType':'a.b','generation':'current'"
      ",'payload':" },

    { "legacy",
      "{'AlertId':'al-1','ClientId':'cl-1','CompanyId':'co-1'"
      ",'DataConnectionId':'dc-1','RuleType':'Data sync completed'"
      ",'Message':'done','Data':{'dataType':'bills'}}",
      "", "made-up", "", 0,
      "{'specversion':'1.0','id':'al-1'"
      ",'source':'https://api.codat.io/clients/cl-1'"
      ",'type':'io.codat.read.completed'"
      ",'subject':'companies/co-1/connections/dc-1'"
      ",'time':'2024-08-08T17:10:34.015Z'"
      ",'datacontenttype':'application/json','data':{"
      "'eventType':'read.completed','receivedType':'Data sync completed'"
      ",'generation':'legacy','clientId':'cl-1','companyId':'co-1'"
      ",'connectionId':'dc-1','dataType':'bills','dataStatus':'Complete'"
      ",'message':'done','payload':" },

    { "what must be escaped",
      "{'id':'\\u0022\\n','eventType':'a.\\u0022','payload':{"
      "'companyId':'c\\\\o','connectionId':'\\u0001'}}",
      "c l/\xc3\xa9\x22", "x", "m\x22\xff", 0,
      "{'specversion':'1.0','id':'\\\"\\n'"
      ",'source':'https://api.codat.io/clients/c%20l%2F%C3%A9%22'"
      ",'type':'io.codat.a.\\\"'"
      ",'subject':'companies/c\\\\o/connections/\\u0001'"
      ",'time':'2024-08-08T17:10:34.015Z'"
      ",'datacontenttype':'application/json'"
      ",'webhookid':'m\\\"\xef\xbf\xbd','data':{"
      "'eventType':'a.\\\"','receivedType':'a.\\\"','generation':'current'"
      ",'clientId':'c l/\xc3\xa9\\\"','companyId':'c\\\\o'"
      ",'connectionId':'\\u0001','payload':" }
};


static void
ngx_codat_unit_cloudevent_rows(void **state)
{
    size_t  i, n;

    (void) state;

    n = sizeof(ngx_codat_unit_envelopes)
        / sizeof(ngx_codat_unit_envelopes[0]);

    for (i = 0; i < n; i++) {
        ngx_codat_unit_cloudevent_row(&ngx_codat_unit_envelopes[i]);
    }
}


static void
ngx_codat_unit_cloudevent_row(const ngx_codat_unit_envelope_t *row)
{
    ngx_str_t                body, client, id, webhook, head, tail, whole,
                             expected;
    ngx_pool_t              *pool;
    ngx_codat_event_t        event;
    ngx_codat_json_error_t   err;
    ngx_codat_json_value_t   slot;

    static const ngx_codat_json_path_t  none = {
        ngx_null_string, 0, 0, NULL, 0
    };

    pool = ngx_codat_unit_pool();

    body = ngx_codat_unit_cloudevent_text(pool, row->body);
    expected = ngx_codat_unit_cloudevent_text(pool, row->expected);
    client = ngx_codat_unit_str(pool, row->client);
    id = ngx_codat_unit_str(pool, row->id);
    webhook = ngx_codat_unit_str(pool, row->webhook);

    assert_int_equal(ngx_codat_event_parse(pool, &body, &client, &event,
                                           &err),
                     NGX_OK);

    event.stale = row->stale & 1;

    assert_int_equal(ngx_codat_cloudevent(pool, &event, &id, &webhook,
                                          NGX_CODAT_UNIT_RECEIVED, &head,
                                          &tail),
                     NGX_OK);

    if (head.len != expected.len
        || memcmp(head.data, expected.data, head.len) != 0)
    {
        fail_msg("%s\n  got      %.*s\n  expected %.*s", row->title,
                 (int) head.len, (char *) head.data, (int) expected.len,
                 (char *) expected.data);
    }

    assert_int_equal(tail.len, 2);
    assert_memory_equal(tail.data, "}}", 2);

    /* the whole is JSON */

    whole.len = head.len + body.len + tail.len;
    whole.data = ngx_pnalloc(pool, whole.len);
    assert_non_null(whole.data);

    ngx_memcpy(whole.data, head.data, head.len);
    ngx_memcpy(whole.data + head.len, body.data, body.len);
    ngx_memcpy(whole.data + head.len + body.len, tail.data, tail.len);

    assert_int_equal(ngx_codat_json_select(pool, &whole, &none, &slot, 1,
                                           &err),
                     NGX_OK);
    assert_int_equal(slot.type, NGX_CODAT_JSON_OBJECT);

    ngx_destroy_pool(pool);
}


static ngx_str_t
ngx_codat_unit_cloudevent_text(ngx_pool_t *pool, const char *text)
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


/*
 * The catalogue decides on members and order: every field, one by one, with
 * the payload behind it and without one.
 */

static void
ngx_codat_unit_cloudevent_fields(void **state)
{
    u_char             *p, out[256];
    ngx_str_t           id, none, head, tail;
    ngx_uint_t          i;
    ngx_pool_t         *pool;
    ngx_codat_event_t   event;

    const ngx_codat_field_t  *field;

    (void) state;

    for (i = 0; i < 2 * NGX_CODAT_FIELDS; i++) {
        field = &ngx_codat_fields[i / 2];

        pool = ngx_codat_unit_pool();

        ngx_memzero(&event, sizeof(ngx_codat_event_t));
        ngx_str_null(&none);

        id = ngx_codat_unit_str(pool, "x");
        event.fields[i / 2] = ngx_codat_unit_str(pool, "va\"lue");

        if (i & 1) {
            event.payload = ngx_codat_unit_str(pool, "{}");
        }

        assert_int_equal(ngx_codat_cloudevent(pool, &event, &id, &none, 0,
                                              &head, &tail),
                         NGX_OK);

        p = out;
        p = ngx_sprintf(p, "\"data\":{");

        if (field->key.len) {
            p = ngx_sprintf(p, "\"%V\":\"va\\\"lue\"%s", &field->key,
                            (i & 1) ? "," : "");
        }

        if (i & 1) {
            p = ngx_sprintf(p, "\"payload\":");
        }

        assert_true(head.len > (size_t) (p - out));
        assert_memory_equal(head.data + head.len - (p - out), out, p - out);

        ngx_destroy_pool(pool);
    }
}


int
ngx_codat_unit_cloudevent(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(ngx_codat_unit_cloudevent_rows),
        cmocka_unit_test(ngx_codat_unit_cloudevent_fields)
    };

    return cmocka_run_group_tests_name("cloudevent", tests, NULL, NULL);
}
