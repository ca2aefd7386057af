
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * What each event says of the tables.  In the tables a single quote stands
 * for a double one; expected are the facts in their order, each with all that
 * it says.
 */


#include "ngx_codat_unit_world.h"


#define rule(type, data)                                                      \
    "{'AlertId':'al1','CompanyId':'co1','DataConnectionId':'dc1'"             \
    ",'ClientId':'cl1','RuleType':'" type "','Message':'text'"                \
    ",'Data':{" data "}}"

#define event(type, payload)                                                  \
    "{'id':'e','eventType':'" type "'"                                        \
    ",'generatedDate':'2024-08-08T11:00:00Z','payload':{" payload "}}"

#define undated(type, payload)                                                \
    "{'id':'e','eventType':'" type "','payload':{" payload "}}"

#define ref  "'referenceCompany':{'id':'co1','name':'Toft'}"

/* the event's time, in seconds since noon: -3600, or 5 where it has no date */

#define dated  " updated=-3600 generated=-3600"
#define aside  " updated=-3600"
#define late   " updated=5"

#define long64                                                                \
    "0123456789012345678901234567890123456789012345678901234567890123"

#define long256  long64 long64 long64 long64


typedef struct {
    const char  *title;
    const char  *body;
    const char  *expected;
} ngx_codat_unit_fact_t;


static void ngx_codat_unit_facts_row(const ngx_codat_unit_fact_t *row);
static u_char *ngx_codat_unit_facts_print(u_char *p, u_char *last,
    const ngx_codat_record_t *fact);


static const char  *ngx_codat_unit_facts_kinds[] = {
    "push", "connection", "dataset", "company", "client"
};


static const char  *ngx_codat_unit_facts_texts[] = {
    "id", "company", "connection", "data_type", "type", "record",
    "attachment", "error", "reference", "name", "integration", "platform",
    "source_type", "status", "quota"
};


static const char  *ngx_codat_unit_facts_times[] = {
    "updated", "generated", "status", "seen", "requested", "completed",
    "succeeded", "disputed", "previous", "created", "deleted",
    "initial_read", "limited", "error"
};


static const ngx_codat_unit_fact_t  ngx_codat_unit_facts_rows[] = {

    /* pushes */

    { "a push",
      event("invoices.write.successful",
            "'id':'k1','type':'Create'," ref ",'connectionId':'dc1'"
            ",'status':'Success','record':{'id':'r1'},'attachmentId':'at1'"
            ",'requestedOnDate':'2024-08-08T10:59:00Z'"
            ",'completedOnDate':'2024-08-08T10:59:30Z'"),
      "push state=2 id=k1 company=co1 connection=dc1 data_type=invoices"
      " type=Create record=r1 attachment=at1" dated
      " requested=-3660 completed=-3630; "
      "company id=co1 name=Toft" aside },

    { "a push, undated",
      undated("bill.write.unsuccessful", "'id':'k1','requestedOnDate':'x'"),
      "push state=3 id=k1 data_type=bills" late },

    { "the name is the fact",
      event("bills.write.successful", "'id':'k1','status':'TimedOut'"),
      "push state=2 id=k1 data_type=bills" dated },

    { "and so it is here",
      event("bills.write.unsuccessful", "'id':'k1','status':'Success'"),
      "push state=3 id=k1 data_type=bills" dated },

    { "a push that timed out",
      event("bills.write.unsuccessful", "'id':'k1','status':'timed out'"),
      "push state=4 id=k1 data_type=bills" dated },

    { "a push of an unknown status",
      event("bills.write.unsuccessful", "'id':'k1','status':'Paused'"),
      "push state=3 id=k1 data_type=bills" dated },

    { "a push of an unknown outcome",
      event("bills.write.attempted", "'id':'k1','status':'Failed'"),
      "push state=3 id=k1 data_type=bills" dated },

    { "and of no status",
      event("bills.write.attempted", "'id':'k1'," ref),
      "push id=k1 company=co1 data_type=bills" dated "; "
      "company id=co1 name=Toft" aside },

    { "a push without a key",
      event("bills.write.successful", ref),
      "company id=co1 name=Toft" aside },

    { "legacy, a status",
      rule("Push Operation Status Changed()",
           "'pushOperationKey':'k1','dataType':'bill','status':'pending'"),
      "push state=1 id=k1 company=co1 connection=dc1 data_type=bills" late
      "; company id=co1" late },

    { "legacy, an unknown status",
      rule("PushOperationStatusChanged",
           "'pushOperationKey':'k1','status':'Paused'"),
      "push id=k1 company=co1 connection=dc1" late "; company id=co1" late },

    { "legacy, timed out",
      rule("Push Operation Timed Out",
           "'pushOperationGuid':'k1','dataType':'bills'"),
      "push state=4 id=k1 company=co1 connection=dc1 data_type=bills"
      " error=text" late "; company id=co1" late },

    { "a key in another event",
      event("payables.bill.created",
            "'pushOperationKey':'k1','companyId':'co1'"),
      "company id=co1" aside },

    { "a key in an unknown event",
      "{'payload':{'pushOperationKey':'k1'}}",
      "" },

    /* connections */

    { "a connection",
      event("connection.disconnected",
            ref ",'connection':{'id':'dc1','integrationKey':'gbol'"
            ",'platformName':'Xero','sourceType':'Accounting'"
            ",'status':'Deauthorized','dataConnectionErrors':["
            "{'statusText':'gone'}]}"),
      "connection state=4 id=dc1 company=co1 error=gone integration=gbol"
      " platform=Xero source_type=Accounting" dated "; "
      "company id=co1 name=Toft" aside },

    { "the name is the fact",
      event("connection.deleted",
            "'connection':{'id':'dc1','status':'Linked'}"),
      "connection state=5 id=dc1" dated },

    { "a new name",
      event("connection.renamed",
            "'connection':{'id':'dc1','status':'Napping'}"),
      "connection id=dc1" dated },

    { "legacy, a change",
      rule("DataConnectionStatusChanged",
           "'newStatus':'Linked','oldStatus':'Unlinked'"
           ",'platformKey':'gbol'"),
      "connection state=2 flags=3 id=dc1 company=co1 integration=gbol" late
      "; company id=co1" late },

    { "legacy, a deletion",
      rule("DataConnectionStatusChanged", "'newStatus':null"),
      "connection state=5 id=dc1 company=co1" late "; company id=co1" late },

    { "legacy, of Sync for Commerce",
      "{'RuleType':'Sync Connection Deleted','CompanyId':'co1'"
      ",'DataConnectionId':'00000000-0000-0000-0000-000000000000'}",
      "company id=co1" late },

    /* reads */

    { "one read",
      event("read.completed",
            ref ",'dataTypes':[{'dataType':'bills','connectionId':'dc1'"
            ",'status':'Complete','issues':[{'message':'m'}]}]"),
      "dataset connection=dc1 data_type=bills status=Complete" dated "; "
      "connection id=dc1 company=co1" aside "; "
      "company id=co1 name=Toft" aside },

    { "several reads",
      event("READ.completed.initial",
            ref ",'dataTypes':[{'dataType':'Bills','connectionId':'dc1'"
            ",'status':'Complete'}, {'dataType':'a \\u00e9 ],['"
            ",'connectionId':'dc2','status':'MapError'} ,"
            "{'dataType':'items','connectionId':'dc1','status':null},"
            "5,{'connectionId':'dc3'},{'dataType':'lost'}]"),
      "dataset connection=dc1 data_type=bills status=Complete" dated "; "
      "dataset connection=dc2 data_type=a \xc3\xa9 ],[ status=MapError" dated
      "; dataset connection=dc1 data_type=items" dated "; "
      "dataset connection=dc1 data_type=lost" dated "; "
      "connection id=dc1 company=co1" aside "; "
      "connection id=dc2 company=co1" aside "; "
      "connection id=dc3 company=co1" aside "; "
      "company id=co1 name=Toft" aside " initial_read=-3600" },

    { "of a custom product",
      event("Lending.Read.Completed.Successful.Initial",
            ref ",'dataTypes':[{'dataType':'bills','connectionId':'dc1'}]"),
      "dataset connection=dc1 data_type=bills" dated "; "
      "connection id=dc1 company=co1" aside "; "
      "company id=co1 name=Toft" aside " initial_read=-3600" },

    { "a read of no connection",
      event("read.completed",
            ref ",'dataTypes':[{'dataType':'bills'},{'dataType':'items'}]"),
      "company id=co1 name=Toft" aside },

    { "reads of nothing",
      event("read.completed", ref ",'dataTypes':[1,[],{}]"),
      "company id=co1 name=Toft" aside },

    { "legacy, completed",
      rule("Data sync completed", "'dataType':'bills'"),
      "dataset connection=dc1 data_type=bills status=Complete" late "; "
      "connection id=dc1 company=co1" late "; company id=co1" late },

    { "legacy, changed",
      rule("Dataset data changed", "'dataType':'bills'"),
      "dataset connection=dc1 data_type=bills" late "; "
      "connection id=dc1 company=co1" late "; company id=co1" late },

    { "legacy, failed",
      rule("Data Sync Status Changed To Error",
           "'dataType':'bills','datasetStatus':'AuthError'"),
      "dataset connection=dc1 data_type=bills status=AuthError" late "; "
      "connection id=dc1 company=co1" late "; company id=co1" late },

    { "legacy, the first",
      rule("New company synchronised", "'companyName':'Toft'"),
      "company id=co1 name=Toft" late " initial_read=5; "
      "connection id=dc1 company=co1" late },

    /* companies */

    { "a company",
      event("company.created",
            "'id':'co1','name':'Toft','created':'2024-08-08T10:00:00Z'"),
      "company id=co1 name=Toft" dated " created=-7200" },

    { "a company of no date",
      event("company.created", "'id':'co1','created':'yesterday'"),
      "company id=co1" dated " created=-3600" },

    { "a deleted one",
      event("company.deleted",
            "'id':'co1','name':'Toft','created':'2024-08-08T10:00:00Z'"),
      "company state=1 id=co1 name=Toft" dated
      " created=-7200 deleted=-3600" },

    { "a product",
      event("company.product.added", "'id':'co1','name':'Toft'"),
      "company id=co1 name=Toft" dated },

    /* clients */

    { "a limit",
      event("client.rateLimit.reached",
            "'dailyQuota':1000,'quotaRemaining':0"
            ",'expiryDate':'2024-08-08T13:00:00Z'"),
      "client state=1 quota=1000" dated " limited=3600" },

    { "its end",
      event("client.ratelimit.reset",
            "'dailyQuota':null,'expiryDate':null"),
      "client state=2" dated },

    { "quotas that are no numbers",
      event("client.rateLimit.reached", "'dailyQuota':-1"),
      "client state=1" dated },

    { "nor this one",
      event("client.rateLimit.reached", "'dailyQuota':'010'"),
      "client state=1" dated },

    { "legacy, a limit",
      rule("Rate Limit Reached",
           "'DailyQuota':1000,'ExpiresUtc':'2024-08-08T13:00:00'"),
      "client state=1 id=cl1 quota=1000" late " limited=3600; "
      "company id=co1" late },

    /* the rest */

    { "an expense",
      event("expenses.sync.successful", ref ",'syncId':'s1'"),
      "company id=co1 name=Toft" aside },

    { "what is new",
      event("bills.approved", ref ",'connectionId':'dc1'"),
      "company id=co1 name=Toft" aside },

    { "legacy, categories",
      rule("Account Categories Updated", ""),
      "company id=co1" late },

    { "unknown",
      "{'CompanyId':17}",
      "company id=17" late },

    { "nothing",
      "{}",
      "" },

    /* an id that is too long is none */

    { "a long key",
      event("bills.write.successful",
            "'id':'" long256 "','referenceCompany':{'id':'x" long256 "'}"),
      "push state=2 id=" long256 " company=x" long256 " data_type=bills"
      dated },

    { "a longer one",
      event("bills.write.successful", "'id':'x" long256 "'," ref),
      "company id=co1 name=Toft" aside },

    { "a long connection",
      event("read.completed",
            ref ",'dataTypes':[{'dataType':'a','connectionId':'x" long256
            "'},{'dataType':'b','connectionId':'dc1'}]"),
      "dataset connection=dc1 data_type=b" dated "; "
      "connection id=dc1 company=co1" aside "; "
      "company id=co1 name=Toft" aside },

    { NULL, NULL, NULL }
};


static void
ngx_codat_unit_facts_all(void **state)
{
    const ngx_codat_unit_fact_t  *row;

    (void) state;

    for (row = ngx_codat_unit_facts_rows; row->title; row++) {
        ngx_codat_unit_facts_row(row);
    }
}


static void
ngx_codat_unit_facts_row(const ngx_codat_unit_fact_t *row)
{
    u_char              *p, *last, got[4096];
    ngx_str_t            body;
    ngx_uint_t           i;
    ngx_pool_t          *pool;
    ngx_array_t          facts;
    ngx_codat_event_t    event;
    ngx_codat_record_t  *fact;

    pool = ngx_codat_unit_pool();

    body = ngx_codat_world_json(pool, row->body);

    ngx_codat_world_facts(pool, body, 5, &event, &facts);

    p = got;
    last = got + sizeof(got) - 1;
    fact = facts.elts;

    for (i = 0; i < facts.nelts; i++) {
        p = ngx_slprintf(p, last, "%s", i ? "; " : "");
        p = ngx_codat_unit_facts_print(p, last, &fact[i]);
    }

    *p = '\0';

    if (strcmp((char *) got, row->expected) != 0) {
        fail_msg("%s: got\n%s, expected\n%s", row->title, got,
                 row->expected);
    }

    ngx_destroy_pool(pool);
}


static u_char *
ngx_codat_unit_facts_print(u_char *p, u_char *last,
    const ngx_codat_record_t *fact)
{
    int64_t     time;
    ngx_uint_t  i;

    p = ngx_slprintf(p, last, "%s", ngx_codat_unit_facts_kinds[fact->kind]);

    if (fact->state) {
        p = ngx_slprintf(p, last, " state=%ui", fact->state);
    }

    if (fact->flags) {
        p = ngx_slprintf(p, last, " flags=%ui", fact->flags);
    }

    for (i = 0; i < NGX_CODAT_TEXTS; i++) {
        if (fact->texts[i].len) {
            p = ngx_slprintf(p, last, " %s=%V",
                             ngx_codat_unit_facts_texts[i], &fact->texts[i]);
        }
    }

    for (i = 0; i < NGX_CODAT_TIMES; i++) {
        if (i == NGX_CODAT_TIME_SEEN) {
            assert_true(fact->times[i] == NGX_CODAT_WORLD_NOON + 5000000);

        } else if (fact->times[i]) {
            time = (fact->times[i] - NGX_CODAT_WORLD_NOON) / 1000000;
            p = ngx_slprintf(p, last, " %s=%L",
                             ngx_codat_unit_facts_times[i], time);
        }
    }

    return p;
}


/* A body may list what it likes. */

static void
ngx_codat_unit_facts_bounded(void **state)
{
    u_char              *p;
    ngx_str_t            body;
    ngx_uint_t           i;
    ngx_pool_t          *pool;
    ngx_array_t          facts;
    ngx_codat_event_t    event;
    ngx_codat_record_t  *fact;

    (void) state;

    pool = ngx_codat_unit_pool();

    body.data = ngx_pnalloc(pool, 256 * 1024);
    assert_non_null(body.data);

    p = ngx_sprintf(body.data, "{\"eventType\":\"read.completed\",\"payload\""
                    ":{\"companyId\":\"co1\",\"dataTypes\":[");

    for (i = 0; i < 2000; i++) {
        p = ngx_sprintf(p, "%s{\"dataType\":\"t%ui\",\"connectionId\":"
                        "\"dc%ui\",\"x\":[{}]}", i ? "," : "", i, i / 2);
    }

    p = ngx_sprintf(p, "]}}");
    body.len = (size_t) (p - body.data);

    ngx_codat_world_facts(pool, body, 0, &event, &facts);

    assert_int_equal(event.nreads, NGX_CODAT_EVENT_READS);
    assert_int_equal(facts.nelts, NGX_CODAT_FACTS_MAX);

    fact = facts.elts;

    assert_int_equal(fact[NGX_CODAT_EVENT_READS - 1].kind,
                     NGX_CODAT_RECORD_DATASET);
    assert_int_equal(fact[NGX_CODAT_FACTS_MAX - 2].kind,
                     NGX_CODAT_RECORD_CONNECTION);
    assert_int_equal(fact[NGX_CODAT_FACTS_MAX - 1].kind,
                     NGX_CODAT_RECORD_COMPANY);

    ngx_destroy_pool(pool);
}


int
ngx_codat_unit_facts(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(ngx_codat_unit_facts_all),
        cmocka_unit_test(ngx_codat_unit_facts_bounded)
    };

    return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
