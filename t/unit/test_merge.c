
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The merge rules: sequences of webhooks and what the rows say behind them,
 * and that their order does not matter.  In the tables a single quote stands
 * for a double one.
 */


#include "ngx_codat_unit_world.h"


#define NGX_CODAT_UNIT_STEPS   6
#define NGX_CODAT_UNIT_EVENTS  48


/* webhooks of one push, "more" begins with a comma */

#define outcome_Pending   "pending"
#define outcome_Success   "successful"
#define outcome_Failed    "unsuccessful"
#define outcome_TimedOut  "unsuccessful"

#define push(time, status, more)                                              \
    "{'id':'e','eventType':'invoices.write." outcome_##status "'"             \
    ",'generatedDate':'2024-08-08T" time "Z','payload':{'id':'k1'"            \
    ",'type':'Create','referenceCompany':{'id':'co1','name':'Toft'}"          \
    ",'connectionId':'dc1','status':'" #status "'" more "}}"

#define old(status)                                                           \
    "{'AlertId':'a','RuleType':'Push Operation Status Changed()'"             \
    ",'CompanyId':'co1','DataConnectionId':'dc1','Message':'m'"               \
    ",'Data':{'dataType':'invoice','pushOperationKey':'k1'"                   \
    ",'status':'" status "'}}"

#define old_timed_out(message)                                                \
    "{'AlertId':'a','RuleType':'Push Operation Timed Out'"                    \
    ",'CompanyId':'co1','DataConnectionId':'dc1','Message':'" message "'"     \
    ",'Data':{'dataType':'invoices','pushOperationGuid':'k1'}}"

/* of one connection */

#define link(time, name, status, more)                                        \
    "{'id':'e','eventType':'connection." name "'"                             \
    ",'generatedDate':'2024-08-08T" time "Z','payload':{"                     \
    "'referenceCompany':{'id':'co1'},'connection':{'id':'dc1'"                \
    ",'status':'" status "'" more "}}}"

#define old_link(from, to)                                                    \
    "{'AlertId':'a','RuleType':'DataConnectionStatusChanged'"                 \
    ",'CompanyId':'co1','Data':{'dataConnectionId':'dc1'"                     \
    ",'newStatus':" to ",'oldStatus':" from ",'platformKey':'gbol'}}"

/* of its datasets */

#define read(time, name, types)                                               \
    "{'id':'e','eventType':'read.completed" name "'"                          \
    ",'generatedDate':'2024-08-08T" time "Z','payload':{"                     \
    "'referenceCompany':{'id':'co1'},'dataTypes':[" types "]}}"

#define type(name, status)                                                    \
    "{'dataType':'" name "','connectionId':'dc1','status':'" status "'}"

#define old_read(rule, more)                                                  \
    "{'AlertId':'a','RuleType':'" rule "','CompanyId':'co1'"                  \
    ",'DataConnectionId':'dc1','Data':{'dataType':'bills'" more "}}"

/* of the company, and of the client */

#define company(time, name, more)                                             \
    "{'id':'e','eventType':'company." name "'"                                \
    ",'generatedDate':'2024-08-08T" time "Z','payload':{'id':'co1'" more "}}"

#define client(time, name, more)                                              \
    "{'id':'e','eventType':'client.rateLimit." name "'"                       \
    ",'generatedDate':'2024-08-08T" time "Z','payload':{" more "}}"

#define at(time)  "'2024-08-08T" time ".000Z'"


/*
 * A step is a body and what became of it, for the main row: "c" changed, "s"
 * changed its status, "o" was older than it, "r" was refused.  Step n is
 * received n minutes after noon.
 */

typedef struct {
    const char               *body;
    const char               *result;
} ngx_codat_unit_step_t;


typedef struct {
    const char               *title;
    ngx_codat_record_kind_e   kind;
    ngx_codat_unit_step_t     steps[NGX_CODAT_UNIT_STEPS];
    const char               *expected;         /* the first of its kind */
} ngx_codat_unit_sequence_t;


typedef struct {
    ngx_codat_event_t         event;
    ngx_array_t               facts;
    ngx_str_t                 body;
} ngx_codat_unit_heard_t;


typedef struct {
    ngx_pool_t               *pool;
    uint64_t                  seed;
    ngx_uint_t                n;
    ngx_uint_t                merges;
    ngx_uint_t                dates;
    ngx_codat_unit_heard_t    heard[NGX_CODAT_UNIT_EVENTS];
    ngx_uint_t                order[4 * NGX_CODAT_UNIT_EVENTS];
    ngx_uint_t                length;

    ngx_codat_world_t         world;
    ngx_codat_world_t         first;
} ngx_codat_unit_shuffle_t;


static void ngx_codat_unit_merge_sequence(
    const ngx_codat_unit_sequence_t *sequence);
static void ngx_codat_unit_merge_check(
    const ngx_codat_unit_sequence_t *sequence, ngx_codat_world_t *world);
static ngx_codat_unit_shuffle_t *ngx_codat_unit_merge_events(uint64_t *seed,
    ngx_uint_t n);
static ngx_str_t ngx_codat_unit_merge_body(ngx_codat_unit_shuffle_t *s,
    ngx_uint_t i);
static u_char *ngx_codat_unit_merge_push(ngx_codat_unit_shuffle_t *s,
    u_char *p);
static u_char *ngx_codat_unit_merge_link(ngx_codat_unit_shuffle_t *s,
    u_char *p);
static u_char *ngx_codat_unit_merge_read(ngx_codat_unit_shuffle_t *s,
    u_char *p);
static u_char *ngx_codat_unit_merge_rest(ngx_codat_unit_shuffle_t *s,
    u_char *p);
static u_char *ngx_codat_unit_merge_unique(ngx_codat_unit_shuffle_t *s,
    u_char *p);
static u_char *ngx_codat_unit_merge_date(ngx_codat_unit_shuffle_t *s,
    u_char *p, const char *name);
static void ngx_codat_unit_merge_run(ngx_codat_unit_shuffle_t *s,
    ngx_uint_t first);


static const ngx_codat_unit_sequence_t  ngx_codat_unit_sequences[] = {

    /* pushes, protocol: Pending -> Success | Failed | TimedOut */

    { "a success", NGX_CODAT_RECORD_PUSH,
      { { push("11:00:09", Success, ",'record':{'id':'r1'}"
               ",'requestedOnDate':'2024-08-08T11:00:01Z'"
               ",'completedOnDate':'2024-08-08T11:00:08Z'"), "cs" } },
      "{'pushOperationKey':'k1','status':'Success','final':true"
      ",'companyId':'co1','connectionId':'dc1','dataType':'invoices'"
      ",'type':'Create','recordId':'r1','requestedOn':" at("11:00:01")
      ",'completedOn':" at("11:00:08") ",'updatedOn':" at("11:00:09") },

    { "legacy, from Pending to Success", NGX_CODAT_RECORD_PUSH,
      { { old("Pending"), "cs" }, { old("Success"), "cs" } },
      "{'pushOperationKey':'k1','status':'Success','final':true"
      ",'companyId':'co1','connectionId':'dc1','dataType':'invoices'"
      ",'completedOn':" at("12:01:00") ",'updatedOn':" at("12:01:00") },

    { "a late Pending does not reopen", NGX_CODAT_RECORD_PUSH,
      { { old("Failed"), "cs" }, { old("Pending"), "c" },
        { old("Pending"), "c" } },
      "{'pushOperationKey':'k1','status':'Failed','final':true"
      ",'companyId':'co1','connectionId':'dc1','dataType':'invoices'"
      ",'completedOn':" at("12:00:00") ",'updatedOn':" at("12:02:00") },

    { "the same again", NGX_CODAT_RECORD_PUSH,
      { { push("11:00:09", Success, ""), "cs" },
        { push("11:00:09", Success, ""), "" } },
      "{'pushOperationKey':'k1','status':'Success','final':true"
      ",'companyId':'co1','connectionId':'dc1','dataType':'invoices'"
      ",'type':'Create','completedOn':" at("11:00:09")
      ",'updatedOn':" at("11:00:09") },

    { "a Success corrects a TimedOut", NGX_CODAT_RECORD_PUSH,
      { { push("11:00:01", Pending, ""), "cs" },
        { push("11:30:00", TimedOut, ""), "cs" },
        { push("11:45:00", Success, ",'record':{'id':'r1'}"), "cs" } },
      "{'pushOperationKey':'k1','status':'Success','final':true"
      ",'corrected':true,'companyId':'co1','connectionId':'dc1'"
      ",'dataType':'invoices','type':'Create','recordId':'r1'"
      ",'completedOn':" at("11:45:00") ",'updatedOn':" at("11:45:00") },

    { "the same, the other way round", NGX_CODAT_RECORD_PUSH,
      { { push("11:45:00", Success, ",'record':{'id':'r1'}"), "cs" },
        { push("11:30:00", TimedOut, ""), "cor" },
        { push("11:00:01", Pending, ""), "co" } },
      "{'pushOperationKey':'k1','status':'Success','final':true"
      ",'corrected':true,'companyId':'co1','connectionId':'dc1'"
      ",'dataType':'invoices','type':'Create','recordId':'r1'"
      ",'completedOn':" at("11:45:00") ",'updatedOn':" at("11:45:00") },

    { "a Success stays, whatever is said later", NGX_CODAT_RECORD_PUSH,
      { { push("11:00:00", Success, ""), "cs" },
        { push("11:01:00", Failed, ""), "cr" },
        { old_timed_out("too long"), "cr" } },
      "{'pushOperationKey':'k1','status':'Success','final':true"
      ",'companyId':'co1','connectionId':'dc1','dataType':'invoices'"
      ",'type':'Create','completedOn':" at("11:00:00")
      ",'updatedOn':" at("12:02:00") },

    { "Failed outranks TimedOut", NGX_CODAT_RECORD_PUSH,
      { { old_timed_out("too long"), "cs" }, { old("Failed"), "cs" },
        { old_timed_out("too long"), "cr" } },
      "{'pushOperationKey':'k1','status':'Failed','final':true"
      ",'companyId':'co1','connectionId':'dc1','dataType':'invoices'"
      ",'completedOn':" at("12:01:00") ",'updatedOn':" at("12:02:00") },

    { "a reason goes with its status", NGX_CODAT_RECORD_PUSH,
      { { old_timed_out("too long"), "cs" },
        { push("11:30:00", TimedOut, ""), "c" } },
      "{'pushOperationKey':'k1','status':'TimedOut','final':true"
      ",'companyId':'co1','connectionId':'dc1','dataType':'invoices'"
      ",'type':'Create','errorMessage':'too long'"
      ",'completedOn':" at("11:30:00") ",'updatedOn':" at("12:00:00") },

    { "the newest reason counts", NGX_CODAT_RECORD_PUSH,
      { { old_timed_out("one"), "cs" }, { old_timed_out("two"), "c" } },
      "{'pushOperationKey':'k1','status':'TimedOut','final':true"
      ",'companyId':'co1','connectionId':'dc1','dataType':'invoices'"
      ",'errorMessage':'two','completedOn':" at("12:00:00")
      ",'updatedOn':" at("12:01:00") },

    { "legacy and current report the same", NGX_CODAT_RECORD_PUSH,
      { { old("Success"), "cs" },
        { push("11:59:59", Success, ",'record':{'id':'r1'}"
               ",'completedOnDate':'2024-08-08T11:59:58Z'"), "c" } },
      "{'pushOperationKey':'k1','status':'Success','final':true"
      ",'companyId':'co1','connectionId':'dc1','dataType':'invoices'"
      ",'type':'Create','recordId':'r1','completedOn':" at("11:59:58")
      ",'updatedOn':" at("12:00:00") },

    { "an unknown status says nothing", NGX_CODAT_RECORD_PUSH,
      { { old("Paused"), "c" } },
      "{'pushOperationKey':'k1','final':false,'companyId':'co1'"
      ",'connectionId':'dc1','dataType':'invoices'"
      ",'updatedOn':" at("12:00:00") },

    { "and takes nothing back", NGX_CODAT_RECORD_PUSH,
      { { old("Success"), "cs" }, { old("Paused"), "c" } },
      "{'pushOperationKey':'k1','status':'Success','final':true"
      ",'companyId':'co1','connectionId':'dc1','dataType':'invoices'"
      ",'completedOn':" at("12:00:00") ",'updatedOn':" at("12:01:00") },

    { "an older report fills gaps only", NGX_CODAT_RECORD_PUSH,
      { { push("11:30:00", Failed, ",'attachmentId':'new'"), "cs" },
        { push("11:00:00", Failed, ",'attachmentId':'old'"
               ",'record':{'id':'r1'}"), "co" } },
      "{'pushOperationKey':'k1','status':'Failed','final':true"
      ",'companyId':'co1','connectionId':'dc1','dataType':'invoices'"
      ",'type':'Create','recordId':'r1','attachmentId':'new'"
      ",'completedOn':" at("11:30:00") ",'updatedOn':" at("11:30:00") },

    { "a newer one overwrites", NGX_CODAT_RECORD_PUSH,
      { { push("11:30:00", Failed, ",'attachmentId':'old'"), "cs" },
        { push("11:40:00", Failed, ",'attachmentId':'new'"), "c" } },
      "{'pushOperationKey':'k1','status':'Failed','final':true"
      ",'companyId':'co1','connectionId':'dc1','dataType':'invoices'"
      ",'type':'Create','attachmentId':'new'"
      ",'completedOn':" at("11:40:00") ",'updatedOn':" at("11:40:00") },

    /* connections */

    { "a life", NGX_CODAT_RECORD_CONNECTION,
      { { link("11:00:00", "created", "PendingAuth",
               ",'platformName':'Xero'"), "cs" },
        { link("11:01:00", "failed", "PendingAuth",
               ",'dataConnectionErrors':[{'errorMessage':'denied'}]"), "c" },
        { link("11:02:00", "connected", "PendingAuth", ""), "cs" },
        { link("11:03:00", "disconnected", "Deauthorized", ""), "cs" },
        { link("11:04:00", "reconnected", "Linked", ""), "cs" },
        { link("11:05:00", "deleted", "Linked", ""), "cs" } },
      "{'id':'dc1','companyId':'co1','status':'Deleted'"
      ",'previousStatus':'Linked','platformName':'Xero'"
      ",'changedOn':" at("11:05:00")
      ",'updatedOn':" at("11:05:00") },

    { "a reason of a failure", NGX_CODAT_RECORD_CONNECTION,
      { { link("11:00:00", "created", "PendingAuth", ""), "cs" },
        { link("11:01:00", "failed", "PendingAuth",
               ",'dataConnectionErrors':[{'errorMessage':'denied'}]"), "c" },
        { link("11:00:30", "created", "PendingAuth", ""), "o" } },
      "{'id':'dc1','companyId':'co1','status':'PendingAuth'"
      ",'errorMessage':'denied','changedOn':" at("11:01:00")
      ",'updatedOn':" at("11:01:00") },

    { "is over when it works", NGX_CODAT_RECORD_CONNECTION,
      { { link("11:01:00", "failed", "PendingAuth",
               ",'dataConnectionErrors':[{'errorMessage':'denied'}]"), "cs" },
        { link("11:02:00", "connected", "Linked", ""), "cs" } },
      "{'id':'dc1','companyId':'co1','status':'Linked'"
      ",'previousStatus':'PendingAuth','changedOn':" at("11:02:00")
      ",'updatedOn':" at("11:02:00") },

    { "out of order", NGX_CODAT_RECORD_CONNECTION,
      { { link("11:03:00", "disconnected", "Unlinked", ""), "cs" },
        { link("11:00:00", "created", "PendingAuth", ""), "co" },
        { link("11:02:00", "connected", "Linked",
               ",'platformName':'Xero'"), "co" },
        { link("11:01:00", "failed", "PendingAuth", ""), "o" } },
      "{'id':'dc1','companyId':'co1','status':'Unlinked'"
      ",'previousStatus':'Linked','platformName':'Xero'"
      ",'changedOn':" at("11:03:00")
      ",'updatedOn':" at("11:03:00") },

    { "a current event can bring a deleted one back",
      NGX_CODAT_RECORD_CONNECTION,
      { { link("11:00:00", "deleted", "Linked", ""), "cs" },
        { link("11:01:00", "reconnected", "Linked", ""), "cs" } },
      "{'id':'dc1','companyId':'co1','status':'Linked'"
      ",'previousStatus':'Deleted','changedOn':" at("11:01:00")
      ",'updatedOn':" at("11:01:00") },

    { "legacy: in the order of receipt", NGX_CODAT_RECORD_CONNECTION,
      { { old_link("''", "'PendingAuth'"), "cs" },
        { old_link("'PendingAuth'", "'Linked'"), "cs" },
        { old_link("'Linked'", "'Deauthorized'"), "cs" } },
      "{'id':'dc1','companyId':'co1','status':'Deauthorized'"
      ",'previousStatus':'Linked','integrationKey':'gbol'"
      ",'changedOn':" at("12:02:00")
      ",'updatedOn':" at("12:02:00") },

    { "legacy: what was before, told", NGX_CODAT_RECORD_CONNECTION,
      { { old_link("'Linked'", "'Unlinked'"), "cs" } },
      "{'id':'dc1','companyId':'co1','status':'Unlinked'"
      ",'previousStatus':'Linked','integrationKey':'gbol'"
      ",'changedOn':" at("12:00:00")
      ",'updatedOn':" at("12:00:00") },

    { "legacy: a deleted one stays", NGX_CODAT_RECORD_CONNECTION,
      { { old_link("null", "null"), "cs" },
        { old_link("'Linked'", "'Unlinked'"), "cr" },
        { old_link("null", "null"), "c" },
        { link("11:59:00", "disconnected", "Unlinked", ""), "r" } },
      "{'id':'dc1','companyId':'co1','status':'Deleted'"
      ",'integrationKey':'gbol','changedOn':" at("12:00:00")
      ",'updatedOn':" at("12:02:00") },

    { "legacy says nothing", NGX_CODAT_RECORD_CONNECTION,
      { { old_link("'Linked'", "'Dreaming'"), "c" } },
      "{'id':'dc1','companyId':'co1','integrationKey':'gbol'"
      ",'updatedOn':" at("12:00:00") },

    { "legacy after current", NGX_CODAT_RECORD_CONNECTION,
      { { link("11:59:00", "connected", "Linked", ""), "cs" },
        { old_link("'Linked'", "'Unlinked'"), "cs" },
        { link("11:59:00", "connected", "Linked", ""), "" },
        { link("12:00:30", "reconnected", "Linked", ""), "cs" } },
      "{'id':'dc1','companyId':'co1','status':'Linked'"
      ",'previousStatus':'Unlinked','integrationKey':'gbol'"
      ",'changedOn':" at("12:00:30")
      ",'updatedOn':" at("12:01:00") },

    { "legacy after current, and that again", NGX_CODAT_RECORD_CONNECTION,
      { { link("11:59:00", "disconnected", "Unlinked", ""), "cs" },
        { old_link("'Unlinked'", "'Linked'"), "cs" },
        { link("11:59:00", "disconnected", "Unlinked", ""), "" } },
      "{'id':'dc1','companyId':'co1','status':'Linked'"
      ",'previousStatus':'Unlinked','integrationKey':'gbol'"
      ",'changedOn':" at("12:01:00")
      ",'updatedOn':" at("12:01:00") },

    { "what was before, by receipt", NGX_CODAT_RECORD_CONNECTION,
      { { link("11:00:00", "connected", "Linked", ""), "cs" },
        { old_link("'Linked'", "'Unlinked'"), "cs" },
        { old_link("'Unlinked'", "'Deauthorized'"), "cs" },
        { link("10:00:00", "created", "PendingAuth", ""), "o" } },
      "{'id':'dc1','companyId':'co1','status':'Deauthorized'"
      ",'previousStatus':'Unlinked','integrationKey':'gbol'"
      ",'changedOn':" at("12:02:00")
      ",'updatedOn':" at("12:02:00") },

    { "a read says nothing of the link", NGX_CODAT_RECORD_CONNECTION,
      { { link("11:00:00", "created", "PendingAuth", ""), "cs" },
        { read("11:30:00", "", type("bills", "Complete")), "cs" },
        { link("11:10:00", "connected", "Linked", ""), "cs" } },
      "{'id':'dc1','companyId':'co1','status':'Linked'"
      ",'previousStatus':'PendingAuth','changedOn':" at("11:10:00")
      ",'updatedOn':" at("11:30:00") },

    /* datasets */

    { "a read", NGX_CODAT_RECORD_DATASET,
      { { read("11:00:00", "", type("bills", "Complete")), "cs" } },
      "{'dataType':'bills','status':'Complete'"
      ",'completedOn':" at("11:00:00") ",'updatedOn':" at("11:00:00") },

    { "a failed read does not undo the last good one",
      NGX_CODAT_RECORD_DATASET,
      { { read("11:00:00", "", type("bills", "Complete")), "cs" },
        { read("11:10:00", "", type("bills", "FetchError")), "cs" },
        { read("11:05:00", "", type("bills", "Complete")), "co" } },
      "{'dataType':'bills','status':'FetchError'"
      ",'completedOn':" at("11:05:00") ",'updatedOn':" at("11:10:00") },

    { "one of several", NGX_CODAT_RECORD_DATASET,
      { { read("11:00:00", "", type("bills", "Complete") ","
               type("items", "MapError")), "cs" },
        { read("11:10:00", "", type("items", "Complete") ","
               type("bills", "AuthError")), "cs" } },
      "{'dataType':'bills','status':'AuthError'"
      ",'completedOn':" at("11:00:00") ",'updatedOn':" at("11:10:00") },

    { "legacy: in the order of receipt", NGX_CODAT_RECORD_DATASET,
      { { old_read("Data sync completed", ""), "cs" },
        { old_read("Dataset data changed", ""), "c" },
        { old_read("Data Sync Status Changed To Error",
                   ",'datasetStatus':'AuthError'"), "cs" },
        { old_read("Data sync completed", ""), "cs" },
        { old_read("Data Sync Status Changed To Error",
                   ",'datasetStatus':'MapError'"), "cs" } },
      "{'dataType':'bills','status':'MapError'"
      ",'completedOn':" at("12:03:00") ",'updatedOn':" at("12:04:00") },

    /* companies */

    { "a company", NGX_CODAT_RECORD_COMPANY,
      { { company("11:00:02", "created", ",'name':'A'"
                  ",'created':'2024-08-08T11:00:00Z'"), "c" },
        { read("11:05:00", ".initial", type("bills", "Complete")), "cs" },
        { company("11:10:00", "product.added", ",'name':'B'"), "c" },
        { read("11:15:00", ".initial", type("bills", "Complete")), "c" },
        { company("11:20:00", "deleted", ""), "cs" },
        { company("11:05:00", "created", ",'name':'C'"), "o" } },
      "{'id':'co1','name':'B','deleted':true,'createdOn':" at("11:00:00")
      ",'deletedOn':" at("11:20:00")
      ",'initialReadCompletedOn':" at("11:05:00")
      ",'updatedOn':" at("11:20:00") },

    { "is deleted for good", NGX_CODAT_RECORD_COMPANY,
      { { company("11:20:00", "deleted", ""), "cs" },
        { company("11:30:00", "created", ",'name':'C'"), "c" } },
      "{'id':'co1','name':'C','deleted':true,'createdOn':" at("11:30:00")
      ",'deletedOn':" at("11:20:00") ",'updatedOn':" at("11:30:00") },

    { "named by a push", NGX_CODAT_RECORD_COMPANY,
      { { push("11:00:00", Success, ""), "cs" },
        { company("10:00:00", "created", ",'name':'Old'"), "c" } },
      "{'id':'co1','name':'Toft','createdOn':" at("10:00:00")
      ",'updatedOn':" at("11:00:00") },

    /* the rate limit */

    { "a limit", NGX_CODAT_RECORD_CLIENT,
      { { client("11:00:00", "reached", "'dailyQuota':1000"
                 ",'expiryDate':'2024-08-09T00:00:00Z'"), "cs" } },
      "{'rateLimited':true,'rateLimitedUntil':'2024-08-09T00:00:00.000Z'"
      ",'dailyQuota':1000,'updatedOn':" at("11:00:00") },

    { "and its end", NGX_CODAT_RECORD_CLIENT,
      { { client("11:00:00", "reached", "'dailyQuota':1000"
                 ",'expiryDate':'2024-08-09T00:00:00Z'"), "cs" },
        { client("11:10:00", "reset", "'dailyQuota':2000"
                 ",'expiryDate':'2024-08-09T00:00:00Z'"), "cs" },
        { client("11:00:00", "reached", "'expiryDate':"
                 "'2024-08-09T00:00:00Z'"), "o" } },
      "{'rateLimited':false,'dailyQuota':2000,'updatedOn':" at("11:10:00") },

    { "a limit without an end", NGX_CODAT_RECORD_CLIENT,
      { { client("11:00:00", "reached", "'dailyQuota':'many'"
                 ",'expiryDate':'2024-08-08T23:59:99Z'"), "cs" } },
      "{'rateLimited':true,'updatedOn':" at("11:00:00") },

    { "legacy: in the order of receipt", NGX_CODAT_RECORD_CLIENT,
      { { "{'RuleType':'Rate Limit Reset','Data':{}}", "cs" },
        { "{'RuleType':'Rate Limit Reached','Data':{'DailyQuota':1000"
          ",'ExpiresUtc':'2024-08-09T00:00:00'}}", "cs" } },
      "{'rateLimited':true,'rateLimitedUntil':'2024-08-09T00:00:00.000Z'"
      ",'dailyQuota':1000,'updatedOn':" at("12:01:00") },

    { NULL, 0, { { NULL, NULL } }, NULL }
};


static void
ngx_codat_unit_merge_sequences(void **state)
{
    const ngx_codat_unit_sequence_t  *sequence;

    (void) state;

    for (sequence = ngx_codat_unit_sequences; sequence->title; sequence++) {
        ngx_codat_unit_merge_sequence(sequence);
    }
}


static void
ngx_codat_unit_merge_sequence(const ngx_codat_unit_sequence_t *sequence)
{
    char                 result[8], *p;
    ngx_str_t            body;
    ngx_uint_t           i, j, mask, got;
    ngx_pool_t          *pool;
    ngx_array_t          facts;
    ngx_codat_event_t    event;
    ngx_codat_record_t  *fact;

    static ngx_codat_world_t  world;

    pool = ngx_codat_unit_pool();
    world.n = 0;

    for (i = 0; i < NGX_CODAT_UNIT_STEPS && sequence->steps[i].body; i++) {

        body = ngx_codat_world_json(pool, sequence->steps[i].body);

        ngx_codat_world_facts(pool, body, i * 60, &event, &facts);
        assert_true(facts.nelts > 0);

        fact = facts.elts;
        mask = 0;

        for (j = 0; j < facts.nelts; j++) {
            got = ngx_codat_world_merge(ngx_codat_world_row(&world,
                                                            &fact[j]),
                                        &fact[j]);
            if (j == 0) {
                mask = got;
            }
        }

        p = result;

        if (mask & NGX_CODAT_MERGE_CHANGED) {
            *p++ = 'c';
        }

        if (mask & NGX_CODAT_MERGE_STALE) {
            *p++ = 'o';
        }

        if (mask & NGX_CODAT_MERGE_STATUS) {
            *p++ = 's';
        }

        if (mask & NGX_CODAT_MERGE_REFUSED) {
            *p++ = 'r';
        }

        *p = '\0';

        if (strcmp(result, sequence->steps[i].result) != 0) {
            fail_msg("%s: step %d is \"%s\", expected \"%s\"",
                     sequence->title, (int) i, result,
                     sequence->steps[i].result);
        }
    }

    ngx_codat_unit_merge_check(sequence, &world);

    ngx_destroy_pool(pool);
}


static void
ngx_codat_unit_merge_check(const ngx_codat_unit_sequence_t *sequence,
    ngx_codat_world_t *world)
{
    u_char               scratch[NGX_CODAT_RECORD_SCRATCH];
    u_char               json[2048];
    size_t               len;
    ngx_str_t            expected;
    ngx_uint_t           i;
    ngx_pool_t          *pool;
    ngx_codat_record_t   record;

    pool = ngx_codat_unit_pool();

    for (i = 0; world->rows[i].kind != sequence->kind; i++) {
        assert_true(i < world->n);
    }

    ngx_codat_world_unpack(&world->rows[i], &record, scratch);

    assert_true(ngx_codat_record_json_len(&record) < sizeof(json));

    len = (size_t) (ngx_codat_record_json(json, &record) - json);
    json[len] = '\0';

    expected = ngx_codat_world_json(pool, sequence->expected);

    if (len != expected.len || ngx_memcmp(json, expected.data, len) != 0) {
        fail_msg("%s: got %s, expected %.*s", sequence->title, json,
                 (int) expected.len, (char *) expected.data);
    }

    ngx_destroy_pool(pool);
}


/* Only the application says it, and what it says last counts. */

static void
ngx_codat_unit_merge_reference(void **state)
{
    ngx_codat_record_t  row, said;

    (void) state;

    ngx_memzero(&row, sizeof(ngx_codat_record_t));
    ngx_memzero(&said, sizeof(ngx_codat_record_t));

    said.state = NGX_CODAT_PUSH_SUCCESS;
    said.times[NGX_CODAT_TIME_UPDATED] = 10;
    said.times[NGX_CODAT_TIME_GENERATED] = 10;

    assert_int_equal(ngx_codat_merge(&row, &said), NGX_CODAT_MERGE_CHANGED
                                                   |NGX_CODAT_MERGE_STATUS);

    said.state = NGX_CODAT_PUSH_UNKNOWN;
    said.times[NGX_CODAT_TIME_UPDATED] = 5;
    said.times[NGX_CODAT_TIME_GENERATED] = 0;
    ngx_str_set(&said.texts[NGX_CODAT_TEXT_REFERENCE], "expense-17");

    assert_int_equal(ngx_codat_merge(&row, &said), NGX_CODAT_MERGE_CHANGED);
    assert_int_equal(ngx_codat_merge(&row, &said), 0);
    assert_int_equal(row.texts[NGX_CODAT_TEXT_REFERENCE].len, 10);
    assert_int_equal(row.state, NGX_CODAT_PUSH_SUCCESS);
    assert_int_equal(row.times[NGX_CODAT_TIME_UPDATED], 10);

    ngx_str_set(&said.texts[NGX_CODAT_TEXT_REFERENCE], "expense-7");

    assert_int_equal(ngx_codat_merge(&row, &said), NGX_CODAT_MERGE_CHANGED);
    assert_int_equal(row.texts[NGX_CODAT_TEXT_REFERENCE].len, 9);
}


/*
 * The order does not matter, nor does repetition: every permutation of few
 * events ends in the same bytes.
 */

static void
ngx_codat_unit_merge_permutations(void **state)
{
    uint64_t                   seed;
    ngx_uint_t                 set, i, k, n, swap, merges;
    ngx_uint_t                 count[NGX_CODAT_UNIT_EVENTS];
    ngx_codat_unit_shuffle_t  *s;

    (void) state;

    seed = ngx_codat_world_seed();
    merges = 0;

    for (set = 0; set < 60; set++) {
        n = 2 + set % 5;

        s = ngx_codat_unit_merge_events(&seed, n);
        s->length = n;

        for (i = 0; i < n; i++) {
            s->order[i] = i;
            count[i] = 0;
        }

        ngx_codat_unit_merge_run(s, 1);

        /* Heap's algorithm */

        for (i = 1; i < n; /* void */ ) {

            if (count[i] == i) {
                count[i++] = 0;
                continue;
            }

            k = (i & 1) ? count[i] : 0;
            swap = s->order[k];
            s->order[k] = s->order[i];
            s->order[i] = swap;

            count[i]++;
            i = 1;

            ngx_codat_unit_merge_run(s, 0);
        }

        merges += s->merges;
        ngx_destroy_pool(s->pool);
    }

    printf("# %d merges\n", (int) merges);
}


/* The same of many events, in random orders and with repetitions. */

static void
ngx_codat_unit_merge_shuffles(void **state)
{
    uint64_t                   seed;
    ngx_uint_t                 set, run, i, k, swap, merges;
    ngx_codat_unit_shuffle_t  *s;

    (void) state;

    seed = ngx_codat_world_seed() + 1;
    merges = 0;

    for (set = 0; set < 40; set++) {
        s = ngx_codat_unit_merge_events(&seed, NGX_CODAT_UNIT_EVENTS);

        for (run = 0; run < 100; run++) {

            s->length = s->n + (run ? ngx_codat_world_random(&seed, s->n)
                                    : 0);

            for (i = 0; i < s->length; i++) {
                s->order[i] = (i < s->n) ? i
                                         : ngx_codat_world_random(&seed,
                                                                  s->n);
            }

            for (i = s->length - 1; run && i; i--) {
                k = ngx_codat_world_random(&seed, i + 1);
                swap = s->order[k];
                s->order[k] = s->order[i];
                s->order[i] = swap;
            }

            ngx_codat_unit_merge_run(s, run == 0);
        }

        merges += s->merges;
        ngx_destroy_pool(s->pool);
    }

    printf("# %d merges\n", (int) merges);
}


static ngx_codat_unit_shuffle_t *
ngx_codat_unit_merge_events(uint64_t *seed, ngx_uint_t n)
{
    ngx_uint_t                 i;
    ngx_pool_t                *pool;
    ngx_codat_unit_shuffle_t  *s;

    pool = ngx_codat_unit_pool();

    s = ngx_pcalloc(pool, sizeof(ngx_codat_unit_shuffle_t));
    assert_non_null(s);

    s->pool = pool;
    s->seed = *seed;
    s->n = n;

    for (i = 0; i < n; i++) {
        s->heard[i].body = ngx_codat_unit_merge_body(s, i);

        ngx_codat_world_facts(pool, s->heard[i].body,
                              ngx_codat_world_random(&s->seed, 8),
                              &s->heard[i].event, &s->heard[i].facts);
    }

    *seed = s->seed;

    return s;
}


#define ngx_codat_unit_pick(s, list)                                          \
    list[ngx_codat_world_random(&(s)->seed, sizeof(list) / sizeof(list[0]))]


static ngx_str_t
ngx_codat_unit_merge_body(ngx_codat_unit_shuffle_t *s, ngx_uint_t i)
{
    u_char  *p, buf[2048];

    p = ngx_sprintf(buf, "{'id':'e%ui'", i);

    switch (ngx_codat_world_random(&s->seed, 8)) {

    case 0:
    case 1:
    case 2:
        p = ngx_codat_unit_merge_push(s, p);
        break;

    case 3:
    case 4:
        p = ngx_codat_unit_merge_link(s, p);
        break;

    case 5:
        p = ngx_codat_unit_merge_read(s, p);
        break;

    default:
        p = ngx_codat_unit_merge_rest(s, p);
    }

    *p++ = '}';
    *p = '\0';

    return ngx_codat_world_json(s->pool, (char *) buf);
}


/*
 * Two pushes, in both generations, with and without dates.  Whatever says
 * something of a push says the same, if it says it, but for the status and
 * what belongs to that.
 */

static u_char *
ngx_codat_unit_merge_push(ngx_codat_unit_shuffle_t *s, u_char *p)
{
    ngx_uint_t  i, k;

    static const char  *statuses[] = {
        "Pending", "Success", "Failed", "TimedOut", "Paused"
    };

    static const char  *outcomes[] = {
        "pending", "successful", "unsuccessful", "unsuccessful", "attempted"
    };

    static const char  *keys[] = {
        "c77c0e0b-193e-4923-b9d2-bb04730b54bc", "key-2"
    };

    static const char  *messages[] = { "one", "two", "" };

    k = ngx_codat_world_random(&s->seed, 2);

    if (ngx_codat_world_random(&s->seed, 3) == 0) {

        if (ngx_codat_world_random(&s->seed, 3) == 0) {
            return ngx_sprintf(p, ",'RuleType':'Push Operation Timed Out'"
                               ",'CompanyId':'co%ui','Message':'%s'"
                               ",'Data':{'pushOperationKey':'%s'"
                               ",'dataType':'bill'}",
                               k, ngx_codat_unit_pick(s, messages), keys[k]);
        }

        return ngx_sprintf(p, ",'RuleType':'PushOperationStatusChanged'"
                           ",'CompanyId':'co%ui','Data':{'status':'%s'"
                           ",'pushOperationKey':'%s','dataType':'bills'}",
                           k, ngx_codat_unit_pick(s, statuses), keys[k]);
    }

    i = ngx_codat_world_random(&s->seed, 5);

    p = ngx_sprintf(p, ",'eventType':'bills.write.%s'", outcomes[i]);

    if (ngx_codat_world_random(&s->seed, 4)) {
        p = ngx_codat_unit_merge_date(s, p, "generatedDate");
    }

    p = ngx_sprintf(p, ",'payload':{'id':'%s','status':'%s'", keys[k],
                    statuses[i]);

    if (ngx_codat_world_random(&s->seed, 2)) {
        p = ngx_sprintf(p, ",'referenceCompany':{'id':'co%ui','name':'%s'}",
                        k, ngx_codat_unit_pick(s, messages));
    }

    if (ngx_codat_world_random(&s->seed, 2)) {
        p = ngx_sprintf(p, ",'type':'Create','record':{'id':'r%ui'}", k);
    }

    if (ngx_codat_world_random(&s->seed, 2)) {
        p = ngx_sprintf(p, ",'connectionId':'dc%ui','attachmentId':%ui", k,
                        k + 17);
    }

    if (ngx_codat_world_random(&s->seed, 2)) {
        p = ngx_codat_unit_merge_date(s, p, "completedOnDate");
        p = ngx_codat_unit_merge_date(s, p, "requestedOnDate");
    }

    *p++ = '}';

    return p;
}


static u_char *
ngx_codat_unit_merge_link(ngx_codat_unit_shuffle_t *s, u_char *p)
{
    ngx_uint_t  k;

    static const char  *names[] = {
        "created", "connected", "reconnected", "disconnected", "failed",
        "deleted", "renamed"
    };

    static const char  *errors[] = { "denied", "gone", "" };

    k = ngx_codat_world_random(&s->seed, 2);

    p = ngx_sprintf(p, ",'eventType':'connection.%s'",
                    ngx_codat_unit_pick(s, names));
    p = ngx_codat_unit_merge_unique(s, p);
    p = ngx_sprintf(p, ",'payload':{'connection':{'id':'dc%ui'", k);

    if (ngx_codat_world_random(&s->seed, 2)) {
        p = ngx_sprintf(p, ",'status':'Deauthorized','platformName':'P'");
    }

    if (ngx_codat_world_random(&s->seed, 2)) {
        p = ngx_sprintf(p, ",'integrationKey':'gbol'"
                        ",'dataConnectionErrors':[{'errorMessage':'%s'}]",
                        ngx_codat_unit_pick(s, errors));
    }

    p = ngx_sprintf(p, "}");

    if (ngx_codat_world_random(&s->seed, 2)) {
        p = ngx_sprintf(p, ",'referenceCompany':{'id':'co%ui'}", k);
    }

    *p++ = '}';

    return p;
}


static u_char *
ngx_codat_unit_merge_read(ngx_codat_unit_shuffle_t *s, u_char *p)
{
    ngx_uint_t  i, n, k;

    static const char  *names[] = { "", ".initial", ".unsuccessful" };
    static const char  *types[] = { "bills", "items", "invoices" };
    static const char  *statuses[] = { "Complete", "FetchError", "" };

    k = ngx_codat_world_random(&s->seed, 2);
    n = ngx_codat_world_random(&s->seed, 4);

    p = ngx_sprintf(p, ",'eventType':'read.completed%s'",
                    ngx_codat_unit_pick(s, names));
    p = ngx_codat_unit_merge_unique(s, p);
    p = ngx_sprintf(p, ",'payload':{'referenceCompany':{'id':'co%ui'}"
                    ",'dataTypes':[", k);

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "%s{'dataType':'%s','connectionId':'dc%ui'"
                        ",'status':'%s'}", i ? "," : "",
                        ngx_codat_unit_pick(s, types), k,
                        ngx_codat_unit_pick(s, statuses));
    }

    return ngx_sprintf(p, "]}");
}


static u_char *
ngx_codat_unit_merge_rest(ngx_codat_unit_shuffle_t *s, u_char *p)
{
    ngx_uint_t  k;

    static const char  *names[] = {
        "company.created", "company.deleted", "company.product.added",
        "client.rateLimit.reached", "client.rateLimit.reset"
    };

    static const char  *titles[] = { "Toft", "Finch", "Orchard" };

    if (ngx_codat_world_random(&s->seed, 6) == 0) {
        return ngx_sprintf(p, ",'RuleType':'New company synchronised'"
                           ",'CompanyId':'co1','DataConnectionId':'dc1'"
                           ",'Data':{'companyName':'%s'}",
                           ngx_codat_unit_pick(s, titles));
    }

    k = ngx_codat_world_random(&s->seed, 2);

    p = ngx_sprintf(p, ",'eventType':'%s'", ngx_codat_unit_pick(s, names));
    p = ngx_codat_unit_merge_unique(s, p);
    p = ngx_sprintf(p, ",'payload':{'id':'co%ui'", k);

    if (ngx_codat_world_random(&s->seed, 2)) {
        p = ngx_sprintf(p, ",'name':'%s','dailyQuota':1000",
                        ngx_codat_unit_pick(s, titles));
    }

    if (ngx_codat_world_random(&s->seed, 2)) {
        p = ngx_codat_unit_merge_date(s, p, "created");
        p = ngx_codat_unit_merge_date(s, p, "expiryDate");
    }

    *p++ = '}';

    return p;
}


/*
 * Where the last one counts, the receipt decides between equal dates: these
 * are all different, and in no order.
 */

static u_char *
ngx_codat_unit_merge_unique(ngx_codat_unit_shuffle_t *s, u_char *p)
{
    s->dates++;

    return ngx_sprintf(p, ",'generatedDate':'2024-08-08T12:%02ui:00Z'",
                       s->dates * 37 % 59);
}


/* There are few of them, so that many are equal. */

static u_char *
ngx_codat_unit_merge_date(ngx_codat_unit_shuffle_t *s, u_char *p,
    const char *name)
{
    return ngx_sprintf(p, ",'%s':'2024-08-08T12:00:%02uiZ'", name,
                       ngx_codat_world_random(&s->seed, 8));
}


static void
ngx_codat_unit_merge_run(ngx_codat_unit_shuffle_t *s, ngx_uint_t first)
{
    ngx_uint_t              i, j;
    ngx_codat_record_t     *fact;
    ngx_codat_world_row_t  *row, *other;

    /* rows keep their places, by which they are compared */

    s->world.n = first ? 0 : s->first.n;

    for (i = 0; i < s->world.n; i++) {
        s->world.rows[i].known = 0;
        s->world.rows[i].state = 0;
        s->world.rows[i].flags = 0;
        s->world.rows[i].len = 0;
    }

    for (i = 0; i < s->length; i++) {
        fact = s->heard[s->order[i]].facts.elts;

        for (j = 0; j < s->heard[s->order[i]].facts.nelts; j++) {
            row = ngx_codat_world_row(&s->world, &fact[j]);
            (void) ngx_codat_world_merge(row, &fact[j]);
            s->merges++;
        }
    }

    if (first) {
        s->first = s->world;
        return;
    }

    assert_int_equal(s->world.n, s->first.n);

    for (i = 0; i < s->world.n; i++) {
        row = &s->world.rows[i];
        other = &s->first.rows[i];

        if (row->state == other->state && row->flags == other->flags
            && row->len == other->len
            && ngx_memcmp(row->packed, other->packed, row->len) == 0)
        {
            continue;
        }

        for (j = 0; j < s->length; j++) {
            print_error("%.*s\n", (int) s->heard[s->order[j]].body.len,
                        (char *) s->heard[s->order[j]].body.data);
        }

        fail_msg("row %.*s of kind %d depends on the order",
                 (int) row->id.len, (char *) row->id.data, (int) row->kind);
    }
}


int
ngx_codat_unit_merge(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(ngx_codat_unit_merge_sequences),
        cmocka_unit_test(ngx_codat_unit_merge_reference),
        cmocka_unit_test(ngx_codat_unit_merge_permutations),
        cmocka_unit_test(ngx_codat_unit_merge_shuffles)
    };

    return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
