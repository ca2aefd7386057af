
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The event: bodies of every kind and generation that was ever published,
 * and what becomes of each.  In the tables a single quote stands for a
 * double one, and the expected side is all that is not absent.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_event.h"


#define NGX_CODAT_UNIT_EVENT_LEN  2048

#define rule(type, data)                                                      \
    "{'AlertId':'al-1','RuleId':'ru-1','ClientId':'cl-1'"                     \
    ",'ClientName':'Peach','CompanyId':'co-1','DataConnectionId':'dc-1'"      \
    ",'RuleType':'" type "','Message':'text','Data':{" data "}}"

#define event(type, payload)                                                  \
    "{'id':'ev-1','eventType':'" type "'"                                     \
    ",'generatedDate':'2024-08-08T17:10:34.015Z','payload':{" payload "}}"

#define company_ref                                                           \
    "'referenceCompany':{'id':'co-1','name':'Toft','tags':{'region':'us'}}"

#define link(status)                                                          \
    "'connection':{'id':'dc-1','integrationKey':'gbol'"                       \
    ",'platformName':'Xero','sourceType':'Accounting'"                        \
    ",'status':'" status "'}"

#define legacy(type, received, rest)                                          \
    "event_id=al-1 | event_type=" type " | received_type=" received           \
    " | generation=legacy | client_id=cl-1 | company_id=co-1" rest

#define current(type, received, rest)                                         \
    "event_id=ev-1 | event_type=" type " | received_type=" received           \
    " | generation=current" rest " | generated=1723137034015000"


typedef struct {
    const char  *title;
    const char  *body;
    const char  *expected;
} ngx_codat_unit_row_t;


static ngx_str_t ngx_codat_unit_event_body(ngx_pool_t *pool,
    const char *text);
static void ngx_codat_unit_event_row(const ngx_codat_unit_row_t *row);
static u_char *ngx_codat_unit_event_print(u_char *p, u_char *last,
    ngx_codat_event_t *event);
static void ngx_codat_unit_event_rows(void **state);
static void ngx_codat_unit_event_write_types(void **state);
static void ngx_codat_unit_event_fixed_types(void **state);
static void ngx_codat_unit_event_client(void **state);
static void ngx_codat_unit_event_refused(void **state);
static void ngx_codat_unit_event_memory(void **state);
static void ngx_codat_unit_event_catalogue(void **state);


static ngx_codat_unit_row_t  ngx_codat_unit_generation[] = {

    { "nothing known",
      "{}",
      "event_type=unknown | generation=current" },

    { "a stranger",
      "{'hello':[1,{'a':null}],'World':{'b':2}}",
      "event_type=unknown | generation=current" },

    { "payload alone",
      "{'payload':{}}",
      "event_type=unknown | generation=current" },

    { "payload null",
      "{'payload':null,'CompanyId':'co-1'}",
      "event_type=unknown | generation=current | company_id=co-1" },

    { "event type alone",
      "{'eventType':'company.created'}",
      "event_type=company.created | received_type=company.created"
      " | generation=current" },

    { "rule type alone",
      "{'RuleType':'Rate Limit Reset'}",
      "event_type=client.rateLimit.reset | received_type=Rate Limit Reset"
      " | generation=legacy" },

    { "rule type beats event type",
      "{'eventType':'company.created','RuleType':'Sync Started',"
      "'payload':{}}",
      "event_type=SyncStarted | received_type=Sync Started"
      " | generation=legacy" },

    { "type with a dot alone",
      "{'type':'read.completed'}",
      "event_type=read.completed | received_type=read.completed"
      " | generation=current" },

    { "type without a dot alone",
      "{'type':'Data sync completed'}",
      "event_type=read.completed | received_type=Data sync completed"
      " | generation=legacy | data_status=Complete" },

    { "type beside payload",
      "{'type':'Company.Created','payload':{'id':'co-1'}}",
      "event_type=company.created | received_type=Company.Created"
      " | generation=current | company_id=co-1" },

    { "type beside AlertId",
      "{'Type':'Data sync completed','AlertId':'al-1'}",
      "event_id=al-1 | event_type=read.completed"
      " | received_type=Data sync completed | generation=legacy"
      " | data_status=Complete" },

    { "AlertId",
      "{'AlertId':'al-1'}",
      "event_id=al-1 | event_type=unknown | generation=legacy" },

    { "RuleId",
      "{'RuleId':null}",
      "event_type=unknown | generation=legacy" },

    { "ClientId",
      "{'ClientId':'cl-1'}",
      "event_type=unknown | generation=legacy | client_id=cl-1" },

    { "CompanyId",
      "{'CompanyId':'co-1'}",
      "event_type=unknown | generation=legacy | company_id=co-1" },

    { "DataConnectionId",
      "{'DataConnectionId':'dc-1'}",
      "event_type=unknown | generation=legacy | connection_id=dc-1" },

    { "Message",
      "{'Message':'text'}",
      "event_type=unknown | generation=legacy | message=text" },

    { "Data",
      "{'Data':{}}",
      "event_type=unknown | generation=legacy" },

    { "legacy keys and payload",
      "{'AlertId':'al-1','payload':{},'type':'company.created'}",
      "event_id=al-1 | event_type=company.created"
      " | received_type=company.created | generation=current" },

    { "flat bank feed",
      "{'companyId':'co-1','connectionId':'dc-1',"
      "'bankAccount':{'id':'acc-2','status':'pending'}}",
      "event_type=unknown | generation=legacy | company_id=co-1"
      " | connection_id=dc-1" },

    { "names that are no strings",
      "{'eventType':5,'type':['x'],'RuleType':{},'Data':{}}",
      "event_type=unknown | generation=legacy" },

    { "an empty name",
      "{'eventType':'','payload':{}}",
      "event_type=unknown | generation=current" },

    { "invented top level ids",
      "{'type':'read.completed','companyId':'co-1','connectionId':'dc-1'}",
      "event_type=read.completed | received_type=read.completed"
      " | generation=legacy | company_id=co-1 | connection_id=dc-1" },

    { NULL, NULL, NULL }
};


static ngx_codat_unit_row_t  ngx_codat_unit_rules[] = {

    { "DataConnectionStatusChanged",
      rule("DataConnectionStatusChanged",
           "'dataConnectionId':'dc-1','newStatus':'Linked',"
           "'oldStatus':'PendingAuth','platformKey':'gbol'"),
      legacy("connection.connected", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=Linked"
             " | previous_connection_status=PendingAuth"
             " | integration_key=gbol | message=text") },

    { "page title",
      rule("Company data connection status changed",
           "'newStatus':'Linked','oldStatus':'PendingAuth'"),
      legacy("connection.connected", "Company data connection status changed",
             " | connection_id=dc-1 | connection_status=Linked"
             " | previous_connection_status=PendingAuth | message=text") },

    { "new company, British",
      "{'AlertId':'al-1','RuleId':'ru-1','ClientId':'cl-1',"
      "'ClientName':'Peach','CompanyId':'co-1','DataConnectionId':'dc-1',"
      "'RuleType':'New company synchronised','Message':'text'}",
      legacy("read.completed.initial", "New company synchronised",
             " | connection_id=dc-1 | message=text") },

    { "new company, American",
      rule("New company synchronized",
           "'companyName':'Toft','sourceType':'Accounting'"),
      legacy("read.completed.initial", "New company synchronized",
             " | company_name=Toft | connection_id=dc-1"
             " | source_type=Accounting | message=text") },

    { "new company, one word",
      rule("NewCompanySynchronized", ""),
      legacy("read.completed.initial", "NewCompanySynchronized",
             " | connection_id=dc-1 | message=text") },

    { "sync completed",
      rule("Data sync completed",
           "'dataType':'creditNotes','datasetId':'ds-1'"),
      legacy("read.completed", "Data sync completed",
             " | connection_id=dc-1 | data_type=creditNotes"
             " | data_status=Complete | message=text") },

    { "sync completed, one word",
      rule("DataSyncCompleted",
           "'dataType':null"),
      legacy("read.completed", "DataSyncCompleted",
             " | connection_id=dc-1 | data_status=Complete | message=text") },

    { "data changed",
      rule("Dataset data changed",
           "'dataType':'invoices','datasetId':'ds-1'"),
      legacy("read.completed", "Dataset data changed",
             " | connection_id=dc-1 | data_type=invoices | message=text") },

    { "data changed, status sent",
      rule("DatasetDataChanged",
           "'dataType':'invoices','datasetStatus':'Complete'"),
      legacy("read.completed", "DatasetDataChanged",
             " | connection_id=dc-1 | data_type=invoices"
             " | data_status=Complete | message=text") },

    { "sync error",
      rule("Data Sync Status Changed To Error",
           "'dataType':'invoices','datasetStatus':'ProcessingError'"),
      legacy("read.completed", "Data Sync Status Changed To Error",
             " | connection_id=dc-1 | data_type=invoices"
             " | data_status=ProcessingError | error_message=text"
             " | message=text") },

    { "sync error, lower case",
      rule("Data sync status changed to error",
           "'dataType':'invoices','datasetStatus':'MapError'"),
      legacy("read.completed", "Data sync status changed to error",
             " | connection_id=dc-1 | data_type=invoices"
             " | data_status=MapError | error_message=text | message=text") },

    { "sync error, page title",
      rule("Dataset status has changed to an error state",
           "'dataType':'invoices','datasetStatus':'AuthError'"),
      legacy("read.completed", "Dataset status has changed to an error state",
             " | connection_id=dc-1 | data_type=invoices"
             " | data_status=AuthError | error_message=text | message=text") },

    { "push, with ()",
      rule("Push Operation Status Changed()",
           "'dataType':'invoices','status':'Success',"
           "'pushOperationKey':'key-1'"),
      legacy("invoices.write.successful", "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=invoices | push_key=key-1"
             " | push_status=Success | message=text") },

    { "push, without ()",
      rule("Push Operation Status Changed ",
           "'dataType':'invoices','status':'Failed',"
           "'pushOperationKey':'key-1'"),
      legacy("invoices.write.unsuccessful", "Push Operation Status Changed ",
             " | connection_id=dc-1 | data_type=invoices | push_key=key-1"
             " | push_status=Failed | message=text") },

    { "push, page title",
      rule("Push operation status has changed",
           "'dataType':'invoices','status':'Pending',"
           "'pushOperationKey':'key-1'"),
      legacy("invoices.write.pending", "Push operation status has changed",
             " | connection_id=dc-1 | data_type=invoices | push_key=key-1"
             " | push_status=Pending | message=text") },

    { "push timed out",
      rule("Push Operation Timed Out",
           "'dataType':'invoices','pushOperationKey':'key-1',"
           "'pushOperationGuid':'key-2'"),
      legacy("invoices.write.unsuccessful", "Push Operation Timed Out",
             " | connection_id=dc-1 | data_type=invoices | push_key=key-1"
             " | push_status=TimedOut | error_message=text | message=text") },

    { "push timed out, guid only",
      rule("Push operation has timed out",
           "'dataType':'invoices','pushOperationGuid':'key-2'"),
      legacy("invoices.write.unsuccessful", "Push operation has timed out",
             " | connection_id=dc-1 | data_type=invoices | push_key=key-2"
             " | push_status=TimedOut | error_message=text | message=text") },

    { "categories",
      rule("Account Categories Updated",
           "'modifiedDate':'2019-08-24T14:15:22Z'"),
      legacy("AccountCategoriesUpdated", "Account Categories Updated",
             " | connection_id=dc-1 | message=text") },

    { "sync connection deleted",
      "{'AlertId':'al-1','RuleId':'ru-1','ClientId':'cl-1',"
      "'ClientName':'Peach','CompanyId':'co-1','DataConnectionId':'dc-1',"
      "'RuleType':'Sync Connection Deleted','Message':'text'}",
      legacy("connection.deleted", "Sync Connection Deleted",
             " | connection_id=dc-1 | connection_status=Deleted"
             " | message=text") },

    { "sync started",
      rule("Sync Started",
           "'syncId':'sy-1','syncType':'Expense'"),
      legacy("SyncStarted", "Sync Started",
             " | connection_id=dc-1 | message=text | sync_id=sy-1") },

    { "sync completed (expenses)",
      rule("Sync Completed",
           "'syncId':'sy-1','syncType':'Expense'"),
      legacy("expenses.sync.successful", "Sync Completed",
             " | connection_id=dc-1 | message=text | sync_id=sy-1") },

    { "sync complete",
      rule("SyncComplete",
           "'syncId':'sy-1'"),
      legacy("expenses.sync.successful", "SyncComplete",
             " | connection_id=dc-1 | message=text | sync_id=sy-1") },

    { "expenses sync completed",
      rule("Expenses sync completed",
           "'syncId':'sy-1'"),
      legacy("expenses.sync.successful", "Expenses sync completed",
             " | connection_id=dc-1 | message=text | sync_id=sy-1") },

    { "sync failed",
      rule("Sync Failed",
           "'syncId':'sy-1','FailureStage':'Pushing'"),
      legacy("expenses.sync.unsuccessful", "Sync Failed",
             " | connection_id=dc-1 | error_message=Pushing | message=text"
             " | sync_id=sy-1") },

    { "expenses sync failed",
      rule("Expenses sync failed",
           "'syncId':'sy-1'"),
      legacy("expenses.sync.unsuccessful", "Expenses sync failed",
             " | connection_id=dc-1 | message=text | sync_id=sy-1") },

    { "limit reached",
      rule("Rate Limit Reached",
           "'DailyQuota':1000,'ExpiresUtc':'2023-05-03T00:00:00Z'"),
      legacy("client.rateLimit.reached", "Rate Limit Reached",
             " | connection_id=dc-1 | message=text") },

    { "client limit reached",
      "{'AlertId':'al-1','ClientId':'cl-1',"
      "'RuleType':'Client rate limit reached','Message':'text',"
      "'Data':{'DailyQuota':1000}}",
      "event_id=al-1 | event_type=client.rateLimit.reached"
      " | received_type=Client rate limit reached | generation=legacy"
      " | client_id=cl-1 | message=text" },

    { "client limit exceeded",
      "{'AlertId':'al-1','ClientId':'cl-1',"
      "'RuleType':'Client rate limit exceeded'}",
      "event_id=al-1 | event_type=client.rateLimit.reached"
      " | received_type=Client rate limit exceeded | generation=legacy"
      " | client_id=cl-1" },

    { "limit reset",
      "{'AlertId':'al-1','ClientId':'cl-1','RuleType':'Rate Limit Reset',"
      "'Data':{'QuotaRemaining':1000}}",
      "event_id=al-1 | event_type=client.rateLimit.reset"
      " | received_type=Rate Limit Reset | generation=legacy"
      " | client_id=cl-1" },

    { "client limit reset",
      "{'AlertId':'al-1','ClientId':'cl-1',"
      "'RuleType':'ClientRateLimitReset'}",
      "event_id=al-1 | event_type=client.rateLimit.reset"
      " | received_type=ClientRateLimitReset | generation=legacy"
      " | client_id=cl-1" },

    { "unknown rule",
      rule("Invoice Approved!",
           "'dataType':'invoices','status':'Success'"),
      legacy("Invoice Approved!", "Invoice Approved!",
             " | connection_id=dc-1 | data_type=invoices | message=text") },

    { "camel case keys",
      "{'alertId':'al-1','clientId':'cl-1','companyId':'co-1',"
      "'dataConnectionId':'dc-1','ruleId':'ru-1',"
      "'type':'Data sync completed','message':'text',"
      "'data':{'dataType':'bills'}}",
      legacy("read.completed", "Data sync completed",
             " | connection_id=dc-1 | data_type=bills"
             " | data_status=Complete | message=text") },

    { "upper case keys",
      "{'ALERTID':'al-1','COMPANYID':'co-1',"
      "'RULETYPE':'DATA SYNC COMPLETED','DATA':{'DATATYPE':'BILLS'}}",
      "event_id=al-1 | event_type=read.completed"
      " | received_type=DATA SYNC COMPLETED | generation=legacy"
      " | company_id=co-1 | data_type=bills | data_status=Complete" },

    { "Type key",
      "{'CompanyId':'co-1','Type':'Push Operation Status Changed',"
      "'AlertId':'al-1','Data':{'dataType':'bankTransactions',"
      "'Status':'Success','PushOperationKey':'key-1'}}",
      "event_id=al-1 | event_type=bankTransactions.write.successful"
      " | received_type=Push Operation Status Changed | generation=legacy"
      " | company_id=co-1 | data_type=bankTransactions | push_key=key-1"
      " | push_status=Success" },

    { "new service, same body",
      "{'eventType':'PushOperationStatusChanged','AlertId':'al-1',"
      "'RuleId':null,'CompanyId':'co-1','Data':{'dataType':'bills',"
      "'status':'Success','pushOperationKey':'key-1'}}",
      "event_id=al-1 | event_type=bills.write.successful"
      " | received_type=PushOperationStatusChanged | generation=current"
      " | company_id=co-1 | data_type=bills | push_key=key-1"
      " | push_status=Success" },

    { "rule name, current body",
      "{'id':'ev-1','eventType':'PushOperationStatusChanged',"
      "'payload':{'id':'key-1'}}",
      "event_id=ev-1 | event_type=PushOperationStatusChanged"
      " | received_type=PushOperationStatusChanged | generation=current" },

    { "rule name, current body, listed",
      "{'id':'ev-1','eventType':'accountCategoriesUpdated','payload':{}}",
      "event_id=ev-1 | event_type=AccountCategoriesUpdated"
      " | received_type=accountCategoriesUpdated | generation=current" },

    { NULL, NULL, NULL }
};


static ngx_codat_unit_row_t  ngx_codat_unit_connection_pairs[] = {

    { "created",
      rule("DataConnectionStatusChanged",
           "'newStatus':'PendingAuth','oldStatus':null"),
      legacy("connection.created", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=PendingAuth"
             " | message=text") },

    { "created, old empty",
      rule("DataConnectionStatusChanged",
           "'newStatus':'pendingAuth','oldStatus':''"),
      legacy("connection.created", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=PendingAuth"
             " | message=text") },

    { "connected",
      rule("DataConnectionStatusChanged",
           "'newStatus':'Linked','oldStatus':'PendingAuth'"),
      legacy("connection.connected", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=Linked"
             " | previous_connection_status=PendingAuth | message=text") },

    { "unlinked",
      rule("DataConnectionStatusChanged",
           "'newStatus':'Unlinked','oldStatus':'Linked'"),
      legacy("connection.disconnected", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=Unlinked"
             " | previous_connection_status=Linked | message=text") },

    { "deauthorized",
      rule("DataConnectionStatusChanged",
           "'newStatus':'Deauthorized','oldStatus':'Linked'"),
      legacy("connection.disconnected", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=Deauthorized"
             " | previous_connection_status=Linked | message=text") },

    { "reconnected from Unlinked",
      rule("DataConnectionStatusChanged",
           "'newStatus':'Linked','oldStatus':'Unlinked'"),
      legacy("connection.reconnected", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=Linked"
             " | previous_connection_status=Unlinked | message=text") },

    { "reconnected from Deauthorized",
      rule("DataConnectionStatusChanged",
           "'newStatus':'linked','oldStatus':'De-authorized'"),
      legacy("connection.reconnected", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=Linked"
             " | previous_connection_status=Deauthorized | message=text") },

    { "both empty",
      rule("DataConnectionStatusChanged",
           "'newStatus':'','oldStatus':''"),
      legacy("connection.deleted", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=Deleted"
             " | message=text") },

    { "both null",
      rule("DataConnectionStatusChanged",
           "'newStatus':null,'oldStatus':null"),
      legacy("connection.deleted", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=Deleted"
             " | message=text") },

    { "no data",
      "{'AlertId':'al-1','RuleId':'ru-1','ClientId':'cl-1',"
      "'ClientName':'Peach','CompanyId':'co-1','DataConnectionId':'dc-1',"
      "'RuleType':'DataConnectionStatusChanged','Message':'text'}",
      legacy("connection.deleted", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=Deleted"
             " | message=text") },

    { "PendingAuth to Unlinked",
      rule("DataConnectionStatusChanged",
           "'newStatus':'Unlinked','oldStatus':'PendingAuth'"),
      legacy("connection.changed", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=Unlinked"
             " | previous_connection_status=PendingAuth | message=text") },

    { "same",
      rule("DataConnectionStatusChanged",
           "'newStatus':'Linked','oldStatus':'Linked'"),
      legacy("connection.changed", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=Linked"
             " | previous_connection_status=Linked | message=text") },

    { "Linked out of nothing",
      rule("DataConnectionStatusChanged",
           "'newStatus':'Linked','oldStatus':null"),
      legacy("connection.changed", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=Linked"
             " | message=text") },

    { "to nothing",
      rule("DataConnectionStatusChanged",
           "'newStatus':'','oldStatus':'Linked'"),
      legacy("connection.changed", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | previous_connection_status=Linked"
             " | message=text") },

    { "unknown status",
      rule("DataConnectionStatusChanged",
           "'newStatus':'Paused','oldStatus':'Linked'"),
      legacy("connection.changed", "DataConnectionStatusChanged",
             " | connection_id=dc-1 | connection_status=Paused"
             " | previous_connection_status=Linked | message=text") },

    { NULL, NULL, NULL }
};


static ngx_codat_unit_row_t  ngx_codat_unit_push_statuses[] = {

    { "Success",
      rule("Push Operation Status Changed()",
           "'dataType':'bills','status':'Success',"
           "'pushOperationKey':'key-1'"),
      legacy("bills.write.successful", "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=bills | push_key=key-1"
             " | push_status=Success | message=text") },

    { "Successful",
      rule("Push Operation Status Changed()",
           "'dataType':'bills','status':'successful',"
           "'pushOperationKey':'key-1'"),
      legacy("bills.write.successful", "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=bills | push_key=key-1"
             " | push_status=Success | message=text") },

    { "Failed",
      rule("Push Operation Status Changed()",
           "'dataType':'bills','status':'FAILED','pushOperationKey':'key-1'"),
      legacy("bills.write.unsuccessful", "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=bills | push_key=key-1"
             " | push_status=Failed | message=text") },

    { "TimedOut",
      rule("Push Operation Status Changed()",
           "'dataType':'bills','status':'TimedOut',"
           "'pushOperationKey':'key-1'"),
      legacy("bills.write.unsuccessful", "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=bills | push_key=key-1"
             " | push_status=TimedOut | message=text") },

    { "Timed Out",
      rule("Push Operation Status Changed()",
           "'dataType':'bills','status':'Timed Out',"
           "'pushOperationKey':'key-1'"),
      legacy("bills.write.unsuccessful", "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=bills | push_key=key-1"
             " | push_status=TimedOut | message=text") },

    { "Pending",
      rule("Push Operation Status Changed()",
           "'dataType':'bills','status':'pending',"
           "'pushOperationKey':'key-1'"),
      legacy("bills.write.pending", "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=bills | push_key=key-1"
             " | push_status=Pending | message=text") },

    { "unknown",
      rule("Push Operation Status Changed()",
           "'dataType':'bills','status':'Paused','pushOperationKey':'key-1'"),
      legacy("PushOperationStatusChanged", "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=bills | push_key=key-1"
             " | push_status=Paused | message=text") },

    { "absent",
      rule("Push Operation Status Changed()",
           "'dataType':'bills','pushOperationKey':'key-1'"),
      legacy("PushOperationStatusChanged", "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=bills | push_key=key-1"
             " | message=text") },

    { "not a string",
      rule("Push Operation Status Changed()",
           "'dataType':'bills','status':7,'pushOperationKey':'key-1'"),
      legacy("PushOperationStatusChanged", "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=bills | push_key=key-1"
             " | message=text") },

    { "no data type",
      rule("Push Operation Status Changed()",
           "'status':'Success','pushOperationKey':'key-1'"),
      legacy("unknown.write.successful", "Push Operation Status Changed()",
             " | connection_id=dc-1 | push_key=key-1 | push_status=Success"
             " | message=text") },

    { "data type in other case",
      rule("Push Operation Status Changed()",
           "'dataType':'JOURNALENTRIES','status':'Success',"
           "'pushOperationKey':'key-1'"),
      legacy("journalEntries.write.successful",
             "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=journalEntries"
             " | push_key=key-1 | push_status=Success | message=text") },

    { "singular data type",
      rule("Push Operation Status Changed()",
           "'dataType':'journalEntry','status':'Success',"
           "'pushOperationKey':'key-1'"),
      legacy("journalEntries.write.successful",
             "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=journalEntries"
             " | push_key=key-1 | push_status=Success | message=text") },

    { "unknown data type",
      rule("Push Operation Status Changed()",
           "'dataType':'Widgets','status':'Success',"
           "'pushOperationKey':'key-1'"),
      legacy("Widgets.write.successful", "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=Widgets | push_key=key-1"
             " | push_status=Success | message=text") },

    { "key as a number",
      rule("Push Operation Status Changed()",
           "'dataType':'bills','status':'Success','pushOperationKey':17"),
      legacy("bills.write.successful", "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=bills | push_key=17"
             " | push_status=Success | message=text") },

    { "empty key",
      rule("Push Operation Status Changed()",
           "'dataType':'bills','status':'Success','pushOperationKey':'',"
           "'pushOperationGuid':'key-2'"),
      legacy("bills.write.successful", "Push Operation Status Changed()",
             " | connection_id=dc-1 | data_type=bills | push_key=key-2"
             " | push_status=Success | message=text") },

    { NULL, NULL, NULL }
};


static ngx_codat_unit_row_t  ngx_codat_unit_nameless[] = {

    { "push",
      "{'CompanyId':'co-1','Data':{'dataType':'directCosts',"
      "'status':'Success','pushOperationKey':'TxnSyncKey'}}",
      "event_type=directCosts.write.successful | generation=legacy"
      " | company_id=co-1 | data_type=directCosts | push_key=TxnSyncKey"
      " | push_status=Success" },

    { "push by guid",
      "{'CompanyId':'co-1','Data':{'dataType':'directCosts',"
      "'status':'Timed out','pushOperationGuid':'key-2'}}",
      "event_type=directCosts.write.unsuccessful | generation=legacy"
      " | company_id=co-1 | data_type=directCosts | push_key=key-2"
      " | push_status=TimedOut" },

    { "push, unknown status",
      "{'CompanyId':'co-1','Data':{'dataType':'bills','status':'Paused',"
      "'pushOperationKey':'key-1'}}",
      "event_type=PushOperationStatusChanged | generation=legacy"
      " | company_id=co-1 | data_type=bills | push_key=key-1"
      " | push_status=Paused" },

    { "push without a status",
      "{'CompanyId':'co-1','Data':{'dataType':'bills',"
      "'pushOperationKey':'key-1'}}",
      "event_type=unknown | generation=legacy | company_id=co-1"
      " | data_type=bills | push_key=key-1" },

    { "connection",
      "{'CompanyId':'co-1','Data':{'dataConnectionId':'dc-1',"
      "'newStatus':'Linked','oldStatus':'PendingAuth'}}",
      "event_type=connection.connected | generation=legacy"
      " | company_id=co-1 | connection_id=dc-1 | connection_status=Linked"
      " | previous_connection_status=PendingAuth" },

    { "connection, old only",
      "{'CompanyId':'co-1','Data':{'oldStatus':'Linked'}}",
      "event_type=connection.changed | generation=legacy | company_id=co-1"
      " | previous_connection_status=Linked" },

    { "read",
      "{'CompanyId':'co-1','Data':{'dataType':'chartOfAccounts'}}",
      "event_type=read.completed | generation=legacy | company_id=co-1"
      " | data_type=chartOfAccounts" },

    { "read with a status",
      "{'CompanyId':'co-1','Data':{'dataType':'chartOfAccounts',"
      "'datasetStatus':'MapError'}}",
      "event_type=read.completed | generation=legacy | company_id=co-1"
      " | data_type=chartOfAccounts | data_status=MapError" },

    { "nothing to go by",
      "{'CompanyId':'co-1','Data':{'syncId':'sy-1'}}",
      "event_type=unknown | generation=legacy | company_id=co-1"
      " | sync_id=sy-1" },

    { "empty name",
      "{'RuleType':'','Data':{'dataType':'bills'}}",
      "event_type=read.completed | generation=legacy | data_type=bills" },

    { NULL, NULL, NULL }
};


static ngx_codat_unit_row_t  ngx_codat_unit_current_names[] = {

    { "fixed, other case",
      event("CONNECTION.CREATED",
            company_ref),
      current("connection.created", "CONNECTION.CREATED",
              " | company_id=co-1 | company_name=Toft"
              " | connection_status=PendingAuth | tags={'region':'us'}") },

    { "rate limit, other case",
      event("client.ratelimit.reached",
            "'dailyQuota':1000"),
      current("client.rateLimit.reached", "client.ratelimit.reached", "") },

    { "report",
      event("report.categorizedbankstatement.generate.successful",
            "'id':'re-1',"
            company_ref),
      current("reports.categorizedBankStatement.generate.successful",
              "report.categorizedbankstatement.generate.successful",
              " | company_id=co-1 | company_name=Toft"
              " | tags={'region':'us'}") },

    { "report, unknown",
      event("report.Other.Thing",
            "'id':'re-1'"),
      current("reports.Other.Thing", "report.Other.Thing", "") },

    { "reports",
      event("reports.creditModel.generate.unsuccessful",
            "'id':'re-1',"
            company_ref),
      current("reports.creditModel.generate.unsuccessful",
              "reports.creditModel.generate.unsuccessful",
              " | company_id=co-1 | company_name=Toft"
              " | tags={'region':'us'}") },

    { "product read",
      event("Underwriting.read.completed.initial",
            company_ref
            ",'dataTypes':[{'connectionId':'dc-1','dataType':'Invoices',"
            "'status':'Complete'}]"),
      current("Underwriting.read.completed.initial",
              "Underwriting.read.completed.initial",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | data_type=invoices | data_status=Complete"
              " | tags={'region':'us'}") },

    { "singular",
      event("bill.write.successful",
            "'id':'key-1','type':'Create',"
            company_ref
            ",'connectionId':'dc-1','status':'Success',"
            "'record':{'id':'rec-1'}"),
      current("bills.write.successful", "bill.write.successful",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | data_type=bills | push_key=key-1 | push_status=Success"
              " | push_type=Create | record_id=rec-1 | tags={'region':'us'}") },

    { "singular, irregular",
      event("journalEntry.write.unsuccessful",
            "'id':'key-1','type':'Create',"
            company_ref
            ",'connectionId':'dc-1','status':'Failed',"
            "'record':{'id':'rec-1'}"),
      current("journalEntries.write.unsuccessful",
              "journalEntry.write.unsuccessful",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | data_type=journalEntries | push_key=key-1"
              " | push_status=Failed | push_type=Create | record_id=rec-1"
              " | tags={'region':'us'}") },

    { "other case",
      event("CREDITNOTES.Write.Successful",
            "'id':'key-1','type':'Create',"
            company_ref
            ",'connectionId':'dc-1','status':'Success',"
            "'record':{'id':'rec-1'}"),
      current("creditNotes.write.successful", "CREDITNOTES.Write.Successful",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | data_type=creditNotes | push_key=key-1"
              " | push_status=Success | push_type=Create | record_id=rec-1"
              " | tags={'region':'us'}") },

    { "known type, unknown outcome",
      event("bills.write.Paused",
            "'id':'key-1','type':'Create',"
            company_ref
            ",'connectionId':'dc-1','status':'Success',"
            "'record':{'id':'rec-1'}"),
      current("bills.write.Paused", "bills.write.Paused",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | data_type=bills | push_key=key-1 | push_status=Success"
              " | push_type=Create | record_id=rec-1 | tags={'region':'us'}") },

    { "unknown data type",
      event("Widgets.Write.Successful",
            "'id':'key-1'"),
      current("Widgets.Write.Successful", "Widgets.Write.Successful",
              " | data_type=Widgets | push_key=key-1 | push_status=Success") },

    { "read only data type is plural",
      event("salesorders.write.pending",
            "'id':'key-1'"),
      current("salesOrders.write.pending", "salesorders.write.pending",
              " | data_type=salesOrders | push_key=key-1"
              " | push_status=Pending") },

    { "no data type",
      event(".write.successful",
            "'id':'key-1'"),
      current(".write.successful", ".write.successful", "") },

    { "no outcome",
      event("bills.write.",
            "'id':'key-1'"),
      current("bills.write.", "bills.write.", "") },

    { "write further back",
      event("a.bills.write.successful",
            "'id':'key-1'"),
      current("a.bills.write.successful", "a.bills.write.successful", "") },

    { "unknown",
      event("Invoice.Approved",
            "'id':'x-1',"
            company_ref),
      current("Invoice.Approved", "Invoice.Approved",
              " | company_id=co-1 | company_name=Toft"
              " | tags={'region':'us'}") },

    { "withdrawn draft",
      "{'id':'ev-1','type':'payables.bill.created',"
      "'createdDate':'2024-02-01T00:00:00Z','payload':{'companyId':'co-1',"
      "'connectionId':'dc-1','pushOperationKey':'key-1',"
      "'bill':{'id':'b-1'}}}",
      "event_id=ev-1 | event_type=payables.bill.created"
      " | received_type=payables.bill.created | generation=current"
      " | company_id=co-1 | connection_id=dc-1 | push_key=key-1" },

    { "withdrawn name",
      event("financialStatements.categorized",
            company_ref),
      current("financialStatements.categorized",
              "financialStatements.categorized",
              " | company_id=co-1 | company_name=Toft"
              " | tags={'region':'us'}") },

    { NULL, NULL, NULL }
};


static ngx_codat_unit_row_t  ngx_codat_unit_connection_facts[] = {

    { "created",
      event("connection.created",
            company_ref
            ","
            link("Linked")),
      current("connection.created", "connection.created",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | connection_status=PendingAuth | integration_key=gbol"
              " | platform_name=Xero | source_type=Accounting"
              " | tags={'region':'us'}") },

    { "failed",
      event("connection.failed",
            company_ref
            ",'connection':{'id':'dc-1','integrationKey':'gbol',"
            "'platformName':'Xero','sourceType':'Accounting',"
            "'status':'Linked','dataConnectionErrors':[{'statusCode':'403',"
            "'statusText':'User cancelled linking',"
            "'errorMessage':'User cancelled'}]}"),
      current("connection.failed", "connection.failed",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | connection_status=PendingAuth | integration_key=gbol"
              " | platform_name=Xero | source_type=Accounting"
              " | error_message=User cancelled | tags={'region':'us'}") },

    { "connected",
      event("connection.connected",
            company_ref
            ","
            link("PendingAuth")),
      current("connection.connected", "connection.connected",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | connection_status=Linked | integration_key=gbol"
              " | platform_name=Xero | source_type=Accounting"
              " | tags={'region':'us'}") },

    { "reconnected",
      event("connection.reconnected",
            company_ref
            ","
            link("Unlinked")),
      current("connection.reconnected", "connection.reconnected",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | connection_status=Linked | integration_key=gbol"
              " | platform_name=Xero | source_type=Accounting"
              " | tags={'region':'us'}") },

    { "disconnected, Unlinked",
      event("connection.disconnected",
            company_ref
            ","
            link("Unlinked")),
      current("connection.disconnected", "connection.disconnected",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | connection_status=Unlinked | integration_key=gbol"
              " | platform_name=Xero | source_type=Accounting"
              " | tags={'region':'us'}") },

    { "disconnected, Deauthorized",
      event("connection.disconnected",
            company_ref
            ","
            link("deauthorized")),
      current("connection.disconnected", "connection.disconnected",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | connection_status=Deauthorized | integration_key=gbol"
              " | platform_name=Xero | source_type=Accounting"
              " | tags={'region':'us'}") },

    { "disconnected, Linked",
      event("connection.disconnected",
            company_ref
            ","
            link("Linked")),
      current("connection.disconnected", "connection.disconnected",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | connection_status=Unlinked | integration_key=gbol"
              " | platform_name=Xero | source_type=Accounting"
              " | tags={'region':'us'}") },

    { "disconnected, nothing inside",
      event("connection.disconnected",
            company_ref),
      current("connection.disconnected", "connection.disconnected",
              " | company_id=co-1 | company_name=Toft"
              " | connection_status=Unlinked | tags={'region':'us'}") },

    { "deleted",
      event("connection.deleted",
            company_ref
            ","
            link("Linked")),
      current("connection.deleted", "connection.deleted",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | connection_status=Deleted | integration_key=gbol"
              " | platform_name=Xero | source_type=Accounting"
              " | tags={'region':'us'}") },

    { "unknown",
      event("connection.paused",
            company_ref
            ","
            link("Linked")),
      current("connection.paused", "connection.paused",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | connection_status=Linked | integration_key=gbol"
              " | platform_name=Xero | source_type=Accounting"
              " | tags={'region':'us'}") },

    { "unknown status",
      event("connection.paused",
            company_ref
            ","
            link("Paused")),
      current("connection.paused", "connection.paused",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | connection_status=Paused | integration_key=gbol"
              " | platform_name=Xero | source_type=Accounting"
              " | tags={'region':'us'}") },

    { "another event has none",
      event("bankFeeds.sourceAccount.connected",
            "'referenceCompany':{'id':'co-1'},'connectionId':'dc-1',"
            "'sourceAccount':{'id':'acc-2','status':'pending'}"),
      current("bankFeeds.sourceAccount.connected",
              "bankFeeds.sourceAccount.connected",
              " | company_id=co-1 | connection_id=dc-1") },

    { NULL, NULL, NULL }
};


static ngx_codat_unit_row_t  ngx_codat_unit_current_bodies[] = {

    { "company",
      event("company.created",
            "'id':'co-1','name':'Toft','tags':{'uid':'1'},"
            "'referenceCompany':{'id':'co-2','name':'x','tags':{}}"),
      current("company.created", "company.created",
              " | company_id=co-1 | company_name=Toft | tags={'uid':'1'}") },

    { "company product",
      event("company.product.added",
            "'id':'co-1','name':'Toft','productId':'lending'"),
      current("company.product.added", "company.product.added",
              " | company_id=co-1 | company_name=Toft") },

    { "company, empty",
      event("company.deleted", ""),
      current("company.deleted", "company.deleted", "") },

    { "unknown company event",
      event("company.merged",
            "'id':'co-1'"),
      current("company.merged", "company.merged",
              " | company_id=co-1") },

    { "write",
      event("invoices.write.successful",
            "'id':'key-1','type':'Create',"
            company_ref
            ",'connectionId':'dc-1','status':'Success',"
            "'record':{'id':'rec-1'}"),
      current("invoices.write.successful", "invoices.write.successful",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | data_type=invoices | push_key=key-1 | push_status=Success"
              " | push_type=Create | record_id=rec-1 | tags={'region':'us'}") },

    { "attachment",
      event("invoices.write.unsuccessful",
            "'id':'key-1','type':'UploadAttachment','status':'TimedOut',"
            "'record':{'id':'rec-1'},'attachmentId':'att-1'"),
      current("invoices.write.unsuccessful", "invoices.write.unsuccessful",
              " | data_type=invoices | push_key=key-1"
              " | push_status=TimedOut | push_type=UploadAttachment"
              " | record_id=rec-1 | attachment_id=att-1") },

    { "status beats name",
      event("invoices.write.successful",
            "'id':'key-1','status':'TimedOut','record':null,"
            "'attachmentId':null"),
      current("invoices.write.successful", "invoices.write.successful",
              " | data_type=invoices | push_key=key-1"
              " | push_status=TimedOut") },

    { "status unknown",
      event("invoices.write.successful",
            "'id':'key-1','status':'Paused'"),
      current("invoices.write.successful", "invoices.write.successful",
              " | data_type=invoices | push_key=key-1 | push_status=Paused") },

    { "status from the name",
      event("invoices.write.successful",
            "'id':'key-1'"),
      current("invoices.write.successful", "invoices.write.successful",
              " | data_type=invoices | push_key=key-1 | push_status=Success") },

    { "status from the name, failed",
      event("invoices.write.unsuccessful",
            "'id':'key-1','status':null"),
      current("invoices.write.unsuccessful", "invoices.write.unsuccessful",
              " | data_type=invoices | push_key=key-1 | push_status=Failed") },

    { "push key of a draft",
      event("bills.write.successful",
            "'pushOperationKey':'key-2'"),
      current("bills.write.successful", "bills.write.successful",
              " | data_type=bills | push_key=key-2 | push_status=Success") },

    { "read",
      event("read.completed",
            company_ref
            ",'dataTypes':[{'connectionId':'dc-1','dataType':'invoices',"
            "'status':'Complete','issues':[]},{'connectionId':'dc-2',"
            "'dataType':'bills','status':'FetchError',"
            "'issues':[{'type':'x'},{'message':'later'}]},"
            "{'issues':[{'message':'last'}]}]"),
      current("read.completed", "read.completed",
              " | company_id=co-1 | company_name=Toft | connection_id=dc-1"
              " | data_type=invoices | data_status=Complete"
              " | error_message=later | tags={'region':'us'}") },

    { "read, first element poor",
      event("read.completed.initial",
            "'dataTypes':[{'dataType':'invoices'},{'connectionId':'dc-2',"
            "'status':'Complete'}]"),
      current("read.completed.initial", "read.completed.initial",
              " | data_type=invoices") },

    { "read, nothing",
      event("read.completed.unsuccessful",
            "'dataTypes':[]"),
      current("read.completed.unsuccessful",
              "read.completed.unsuccessful", "") },

    { "limit",
      event("client.rateLimit.reset",
            "'dailyQuota':12000,'quotaRemaining':11993,"
            "'expiryDate':'2024-09-01T23:59:99Z'"),
      current("client.rateLimit.reset", "client.rateLimit.reset", "") },

    { "bank feed, deprecated id",
      event("bankFeeds.sourceAccount.disconnected",
            "'companyId':'co-9','connectionId':'dc-1'"),
      current("bankFeeds.sourceAccount.disconnected",
              "bankFeeds.sourceAccount.disconnected",
              " | company_id=co-9 | connection_id=dc-1") },

    { "bank feed, both ids",
      event("bankFeeds.sourceAccount.disconnected",
            "'companyId':'co-9',"
            company_ref),
      current("bankFeeds.sourceAccount.disconnected",
              "bankFeeds.sourceAccount.disconnected",
              " | company_id=co-1 | company_name=Toft"
              " | tags={'region':'us'}") },

    { "expenses",
      event("expenses.sync.unsuccessful",
            company_ref
            ",'syncId':'sy-1','transactions':[{'id':'1',"
            "'status':'Completed','errorMessage':null},{'id':'2',"
            "'errorMessage':'Insufficient funds'},{'errorMessage':'x'}]"),
      current("expenses.sync.unsuccessful", "expenses.sync.unsuccessful",
              " | company_id=co-1 | company_name=Toft"
              " | error_message=Insufficient funds | sync_id=sy-1"
              " | tags={'region':'us'}") },

    { "expenses, older",
      event("expenses.sync.successful",
            "'syncId':'sy-1'"),
      current("expenses.sync.successful", "expenses.sync.successful",
              " | sync_id=sy-1") },

    { "report has no key",
      event("reports.spendAnalysis.generate.successful",
            "'id':'re-1',"
            company_ref),
      current("reports.spendAnalysis.generate.successful",
              "reports.spendAnalysis.generate.successful",
              " | company_id=co-1 | company_name=Toft"
              " | tags={'region':'us'}") },

    { "status text",
      event("connection.failed",
            "'connection':{'id':'dc-1',"
            "'dataConnectionErrors':[{'errorMessage':null,"
            "'statusText':'User cancelled linking'}]}"),
      current("connection.failed", "connection.failed",
              " | connection_id=dc-1 | connection_status=PendingAuth"
              " | error_message=User cancelled linking") },

    { "errors null",
      event("connection.failed",
            "'connection':{'id':'dc-1','dataConnectionErrors':null}"),
      current("connection.failed", "connection.failed",
              " | connection_id=dc-1 | connection_status=PendingAuth") },

    { "tags are no object",
      event("connection.created",
            "'referenceCompany':{'id':'co-1','tags':['a']}"),
      current("connection.created", "connection.created",
              " | company_id=co-1 | connection_status=PendingAuth") },

    { NULL, NULL, NULL }
};


static ngx_codat_unit_row_t  ngx_codat_unit_values[] = {

    { "ids as numbers",
      "{'id':1e3,'eventType':'bills.write.successful','ClientId':7,"
      "'payload':{'id':-12,'referenceCompany':{'id':4,'name':5},"
      "'connectionId':6,'type':9,'record':{'id':8},'attachmentId':10}}",
      "event_id=1e3 | event_type=bills.write.successful"
      " | received_type=bills.write.successful | generation=current"
      " | client_id=7 | company_id=4 | connection_id=6 | data_type=bills"
      " | push_key=-12 | push_status=Success | record_id=8"
      " | attachment_id=10" },

    { "ids of other types",
      "{'id':null,'eventType':'bills.write.successful',"
      "'payload':{'id':true,'referenceCompany':{'id':[1]},"
      "'companyId':'co-9','connectionId':{'a':1},'record':{'id':false}}}",
      "event_type=bills.write.successful"
      " | received_type=bills.write.successful | generation=current"
      " | company_id=co-9 | data_type=bills | push_status=Success" },

    { "empty strings",
      "{'id':'','AlertId':'al-1','eventType':'bills.write.successful',"
      "'generatedDate':'','payload':{'id':'','pushOperationKey':'key-2',"
      "'referenceCompany':{'id':'','name':''},'companyId':'co-9'}}",
      "event_id=al-1 | event_type=bills.write.successful"
      " | received_type=bills.write.successful | generation=current"
      " | company_id=co-9 | data_type=bills | push_key=key-2"
      " | push_status=Success" },

    { "nil connection",
      "{'AlertId':'al-1','RuleId':'ru-1','ClientId':'cl-1',"
      "'ClientName':'Peach','CompanyId':'co-1',"
      "'DataConnectionId':'00000000-0000-0000-0000-000000000000',"
      "'RuleType':'Sync Connection Deleted','Message':'text','Data':{}}",
      legacy("connection.deleted", "Sync Connection Deleted",
             " | connection_status=Deleted | message=text") },

    { "nil connection, another inside",
      "{'AlertId':'al-1','RuleId':'ru-1','ClientId':'cl-1',"
      "'ClientName':'Peach','CompanyId':'co-1',"
      "'DataConnectionId':'00000000-0000-0000-0000-000000000000',"
      "'RuleType':'Data sync completed','Message':'text',"
      "'Data':{'dataType':'bills','dataConnectionId':'dc-2'}}",
      legacy("read.completed", "Data sync completed",
             " | connection_id=dc-2 | data_type=bills"
             " | data_status=Complete | message=text") },

    { "both ids",
      "{'AlertId':'al-1','id':'ev-1','RuleType':'Sync Started'}",
      "event_id=al-1 | event_type=SyncStarted | received_type=Sync Started"
      " | generation=legacy" },

    { "both ids, current",
      "{'AlertId':'al-1','id':'ev-1','eventType':'a.b'}",
      "event_id=ev-1 | event_type=a.b | received_type=a.b"
      " | generation=current" },

    { "the last of equal keys wins",
      "{'id':'ev-0','ID':'ev-1','eventType':'company.created',"
      "'EventType':'company.deleted','payload':{'id':'co-0','name':'x',"
      "'tags':{'a':'b'}},'Payload':{'id':'co-1'}}",
      "event_id=ev-1 | event_type=company.deleted"
      " | received_type=company.deleted | generation=current"
      " | company_id=co-1" },

    { "escapes",
      "{'id':'a\\u0062c','eventType':'bills\\u002ewrite.successful',"
      "'payload':{'id':'\\\\\\/\\ud83d\\ude00\\ud800'}}",
      "event_id=abc | event_type=bills.write.successful"
      " | received_type=bills.write.successful | generation=current"
      " | data_type=bills | push_key=\\/😀� | push_status=Success" },

    { "no zone",
      "{'eventType':'a.b','generatedDate':'2024-02-07T11:22:33'}",
      "event_type=a.b | received_type=a.b | generation=current"
      " | generated=1707304953000000" },

    { "not a date",
      "{'eventType':'a.b','generatedDate':'2024-09-01T23:59:99Z'}",
      "event_type=a.b | received_type=a.b | generation=current" },

    { "white space",
      "  {\n 'id' : 'ev-1' ,\t'eventType' : 'a.b' } \r\n",
      "event_id=ev-1 | event_type=a.b | received_type=a.b"
      " | generation=current" },

    { NULL, NULL, NULL }
};


static const struct {
    const char  *plural;
    const char  *singular;
} ngx_codat_unit_write_types[] = {
    { "bankAccounts", "bankAccount" },
    { "bankTransactions", "bankTransaction" },
    { "billCreditNotes", "billCreditNote" },
    { "billPayments", "billPayment" },
    { "bills", "bill" },
    { "chartOfAccounts", "chartOfAccount" },
    { "creditNotes", "creditNote" },
    { "customers", "customer" },
    { "directCosts", "directCost" },
    { "directIncomes", "directIncome" },
    { "invoices", "invoice" },
    { "items", "item" },
    { "journalEntries", "journalEntry" },
    { "journals", "journal" },
    { "payments", "payment" },
    { "purchaseOrders", "purchaseOrder" },
    { "suppliers", "supplier" },
    { "transfers", "transfer" },

    /* not written by anybody so far, so there is no singular */

    { "salesOrders", NULL },
    { "commerce-orders", NULL },
    { "company", NULL }
};


static const char  *ngx_codat_unit_fixed_types[] = {
    "company.created",
    "company.deleted",
    "company.product.added",
    "company.product.removed",
    "connection.created",
    "connection.connected",
    "connection.reconnected",
    "connection.disconnected",
    "connection.failed",
    "connection.deleted",
    "read.completed",
    "read.completed.initial",
    "read.completed.successful",
    "read.completed.unsuccessful",
    "read.completed.successful.initial",
    "client.rateLimit.reached",
    "client.rateLimit.reset",
    "bankFeeds.sourceAccount.connected",
    "bankFeeds.sourceAccount.disconnected",
    "expenses.sync.successful",
    "expenses.sync.unsuccessful",
    "reports.categorizedBankStatement.generate.successful",
    "reports.categorizedBankStatement.generate.unsuccessful",
    "reports.creditModel.generate.successful",
    "reports.creditModel.generate.unsuccessful",
    "reports.spendAnalysis.generate.successful",
    "reports.spendAnalysis.generate.unsuccessful",
    "AccountCategoriesUpdated"
};


static const struct {
    const char  *body;
    ngx_int_t    rc;
    size_t       offset;
} ngx_codat_unit_refused[] = {
    { "", NGX_DECLINED, 0 },
    { "{'id':'ev-1'", NGX_DECLINED, 12 },
    { "{'id':'ev-1'} {}", NGX_DECLINED, 14 },
    { "{'id':nil}", NGX_DECLINED, 7 },
    { "[{'id':'ev-1','eventType':'a.b'}]", NGX_ABORT, 0 },
    { " 'text'", NGX_ABORT, 1 },
    { "\n\t17", NGX_ABORT, 2 },
    { "null", NGX_ABORT, 0 },
    { "  '\\u0041'  ", NGX_ABORT, 2 }
};


/* a single quote stands for a double one */

static ngx_str_t
ngx_codat_unit_event_body(ngx_pool_t *pool, const char *text)
{
    size_t     i, len;
    u_char    *p;
    ngx_str_t  body;

    len = strlen(text);

    p = ngx_pnalloc(pool, len + 1);
    assert_non_null(p);

    for (i = 0; i < len; i++) {
        p[i] = (u_char) (text[i] == '\'' ? '"' : text[i]);
    }

    body = ngx_codat_unit_guard(pool, p, len);

    return body;
}


static void
ngx_codat_unit_event_rows(void **state)
{
    const ngx_codat_unit_row_t  *row;

    for (row = *state; row->title; row++) {
        ngx_codat_unit_event_row(row);
    }
}


static void
ngx_codat_unit_event_row(const ngx_codat_unit_row_t *row)
{
    u_char                  *p, out[NGX_CODAT_UNIT_EVENT_LEN];
    ngx_int_t                rc;
    ngx_str_t                body, none;
    ngx_pool_t              *pool;
    ngx_codat_event_t        event;
    ngx_codat_json_error_t   err;

    pool = ngx_codat_unit_pool();
    body = ngx_codat_unit_event_body(pool, row->body);

    ngx_str_null(&none);

    rc = ngx_codat_event_parse(pool, &body, &none, &event, &err);

    if (rc != NGX_OK) {
        ngx_destroy_pool(pool);
        fail_msg("%s: %s at %zu", row->title, err.reason, err.offset);
        return;
    }

    p = ngx_codat_unit_event_print(out, out + NGX_CODAT_UNIT_EVENT_LEN - 1,
                                   &event);
    *p = '\0';

    if (strcmp((char *) out, row->expected) != 0) {
        print_error("%s\n  got      %s\n  expected %s\n", row->title,
                    (char *) out, row->expected);
        ngx_destroy_pool(pool);
        fail();
        return;
    }

    assert_ptr_equal(event.payload.data, body.data);
    assert_int_equal(event.payload.len, body.len);
    assert_int_equal(event.stale, 0);
    assert_int_equal(event.fields[NGX_CODAT_FIELD_REFERENCE].len, 0);

    ngx_destroy_pool(pool);
}


static u_char *
ngx_codat_unit_event_print(u_char *p, u_char *last, ngx_codat_event_t *event)
{
    u_char      *s, *start;
    ngx_uint_t   i;

    start = p;

    for (i = 0; i < NGX_CODAT_FIELDS; i++) {

        if (event->fields[i].len == 0 || i == NGX_CODAT_FIELD_GENERATED_AT) {
            continue;
        }

        p = ngx_slprintf(p, last, "%s%V=%V", p == start ? "" : " | ",
                         &ngx_codat_fields[i].variable, &event->fields[i]);
    }

    if (event->tags.len) {
        p = ngx_slprintf(p, last, " | tags=%V", &event->tags);
    }

    if (event->generated) {
        p = ngx_slprintf(p, last, " | generated=%L", event->generated);
    }

    for (s = start; s < p; s++) {
        if (*s == '"') {
            *s = '\'';
        }
    }

    return p;
}


static void
ngx_codat_unit_event_write_types(void **state)
{
    char                   body[256], expected[512];
    size_t                 i, k, n;
    const char            *plural, *singular, *sent;
    ngx_codat_unit_row_t   row;

    (void) state;

    n = sizeof(ngx_codat_unit_write_types)
        / sizeof(ngx_codat_unit_write_types[0]);

    for (i = 0; i < n; i++) {
        plural = ngx_codat_unit_write_types[i].plural;
        singular = ngx_codat_unit_write_types[i].singular;

        for (k = 0; k < 2; k++) {
            sent = k ? singular : plural;

            if (sent == NULL) {
                continue;
            }

            row.title = sent;
            row.body = body;
            row.expected = expected;

            (void) snprintf(body, sizeof(body),
                            "{'eventType':'%s.write.successful'}", sent);
            (void) snprintf(expected, sizeof(expected),
                            "event_type=%s.write.successful"
                            " | received_type=%s.write.successful"
                            " | generation=current | data_type=%s"
                            " | push_status=Success",
                            plural, sent, plural);

            ngx_codat_unit_event_row(&row);

            (void) snprintf(body, sizeof(body),
                            "{'RuleType':'PushOperationStatusChanged'"
                            ",'Data':{'dataType':'%s','status':'Failed'}}",
                            sent);
            (void) snprintf(expected, sizeof(expected),
                            "event_type=%s.write.unsuccessful"
                            " | received_type=PushOperationStatusChanged"
                            " | generation=legacy | data_type=%s"
                            " | push_status=Failed",
                            plural, plural);

            ngx_codat_unit_event_row(&row);
        }
    }
}


static void
ngx_codat_unit_event_fixed_types(void **state)
{
    size_t                   i, k, n;
    ngx_str_t                body, name, none;
    ngx_pool_t              *pool;
    ngx_codat_event_t        event;
    ngx_codat_json_error_t   err;

    (void) state;

    ngx_str_null(&none);

    n = sizeof(ngx_codat_unit_fixed_types)
        / sizeof(ngx_codat_unit_fixed_types[0]);

    for (i = 0; i < n; i++) {
        pool = ngx_codat_unit_pool();

        name = ngx_codat_unit_str(pool, ngx_codat_unit_fixed_types[i]);

        body.data = ngx_pnalloc(pool, name.len + 32);
        assert_non_null(body.data);

        body.len = (size_t) (ngx_sprintf(body.data, "{\"eventType\":\"%V\"}",
                                         &name)
                             - body.data);

        for (k = sizeof("{\"eventType\":\"") - 1; k < body.len; k++) {
            body.data[k] = ngx_toupper(body.data[k]);
        }

        assert_int_equal(ngx_codat_event_parse(pool, &body, &none, &event,
                                               &err),
                         NGX_OK);
        assert_int_equal(event.fields[NGX_CODAT_FIELD_EVENT_TYPE].len,
                         name.len);
        assert_memory_equal(event.fields[NGX_CODAT_FIELD_EVENT_TYPE].data,
                            name.data, name.len);

        ngx_destroy_pool(pool);
    }
}


static void
ngx_codat_unit_event_client(void **state)
{
    ngx_str_t                body, client;
    ngx_pool_t              *pool;
    ngx_codat_event_t        event;
    ngx_codat_json_error_t   err;

    (void) state;

    pool = ngx_codat_unit_pool();

    body = ngx_codat_unit_event_body(pool, "{'ClientId':'cl-1'}");
    client = ngx_codat_unit_str(pool, "cl-2");

    assert_int_equal(ngx_codat_event_parse(pool, &body, &client, &event,
                                           &err),
                     NGX_OK);
    assert_int_equal(event.fields[NGX_CODAT_FIELD_CLIENT_ID].len, 4);
    assert_memory_equal(event.fields[NGX_CODAT_FIELD_CLIENT_ID].data,
                        "cl-2", 4);

    ngx_destroy_pool(pool);
}


static void
ngx_codat_unit_event_refused(void **state)
{
    size_t                   i, n;
    ngx_int_t                rc;
    ngx_str_t                body, none;
    ngx_pool_t              *pool;
    ngx_codat_event_t        event;
    ngx_codat_json_error_t   err;

    (void) state;

    ngx_str_null(&none);

    n = sizeof(ngx_codat_unit_refused) / sizeof(ngx_codat_unit_refused[0]);

    for (i = 0; i < n; i++) {
        pool = ngx_codat_unit_pool();

        body = ngx_codat_unit_event_body(pool,
                                         ngx_codat_unit_refused[i].body);

        err.offset = 1000;
        err.reason = NULL;

        rc = ngx_codat_event_parse(pool, &body, &none, &event, &err);

        assert_int_equal(rc, ngx_codat_unit_refused[i].rc);
        assert_int_equal(err.offset, ngx_codat_unit_refused[i].offset);
        assert_non_null(err.reason);

        ngx_destroy_pool(pool);
    }
}


/* Fields point into the body; only what was escaped or put together does
   not. */

static void
ngx_codat_unit_event_memory(void **state)
{
    ngx_str_t                body, none, *field;
    ngx_uint_t               i;
    ngx_pool_t              *pool;
    ngx_codat_event_t        event;
    ngx_codat_json_error_t   err;

    static const ngx_uint_t  fields[] = {
        NGX_CODAT_FIELD_ID, NGX_CODAT_FIELD_RECEIVED_TYPE,
        NGX_CODAT_FIELD_EVENT_TYPE, NGX_CODAT_FIELD_COMPANY_ID,
        NGX_CODAT_FIELD_CONNECTION_ID, NGX_CODAT_FIELD_PUSH_KEY,
        NGX_CODAT_FIELD_PUSH_TYPE, NGX_CODAT_FIELD_RECORD_ID,
        NGX_CODAT_FIELD_GENERATED_AT
    };

    (void) state;

    ngx_str_null(&none);

    pool = ngx_codat_unit_pool();

    body = ngx_codat_unit_event_body(pool,
        event("bills.write.successful",
              "'id':'key-1','type':'Create','connectionId':'dc-1'"
              ",'record':{'id':'rec-1'}," company_ref));

    assert_int_equal(ngx_codat_event_parse(pool, &body, &none, &event, &err),
                     NGX_OK);

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        field = &event.fields[fields[i]];

        assert_true(field->len != 0);
        assert_true(field->data > body.data);
        assert_true(field->data + field->len < body.data + body.len);
    }

    assert_true(event.tags.data > body.data);
    assert_true(event.tags.data < body.data + body.len);

    ngx_destroy_pool(pool);
}


/* keys and variables are names that users rely on: none twice, none odd */

static void
ngx_codat_unit_event_catalogue(void **state)
{
    size_t                    n;
    ngx_uint_t                i, k;
    const ngx_codat_field_t  *one, *two;

    (void) state;

    for (i = 0; i < NGX_CODAT_FIELDS; i++) {
        one = &ngx_codat_fields[i];

        assert_true(one->variable.len != 0);

        for (n = 0; n < one->variable.len; n++) {
            assert_true((one->variable.data[n] >= 'a'
                         && one->variable.data[n] <= 'z')
                        || one->variable.data[n] == '_');
        }

        for (k = 0; k < i; k++) {
            two = &ngx_codat_fields[k];

            assert_false(one->variable.len == two->variable.len
                         && memcmp(one->variable.data, two->variable.data,
                                   one->variable.len) == 0);
            assert_false(one->key.len != 0 && one->key.len == two->key.len
                         && memcmp(one->key.data, two->key.data,
                                   one->key.len) == 0);
        }
    }
}


#define ngx_codat_unit_event_group(name)                                      \
    { "event: " #name, ngx_codat_unit_event_rows, NULL, NULL,                 \
      ngx_codat_unit_##name }


int
ngx_codat_unit_event(void)
{
    const struct CMUnitTest  tests[] = {
        ngx_codat_unit_event_group(generation),
        ngx_codat_unit_event_group(rules),
        ngx_codat_unit_event_group(connection_pairs),
        ngx_codat_unit_event_group(push_statuses),
        ngx_codat_unit_event_group(nameless),
        ngx_codat_unit_event_group(current_names),
        ngx_codat_unit_event_group(connection_facts),
        ngx_codat_unit_event_group(current_bodies),
        ngx_codat_unit_event_group(values),
        cmocka_unit_test(ngx_codat_unit_event_write_types),
        cmocka_unit_test(ngx_codat_unit_event_fixed_types),
        cmocka_unit_test(ngx_codat_unit_event_client),
        cmocka_unit_test(ngx_codat_unit_event_refused),
        cmocka_unit_test(ngx_codat_unit_event_memory),
        cmocka_unit_test(ngx_codat_unit_event_catalogue)
    };

    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
