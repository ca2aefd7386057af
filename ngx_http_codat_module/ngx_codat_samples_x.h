
/*
 * Copyright (C) the authors of the Codat module
 *
 * The catalogue of examples: X(pattern of types, body).  The first pattern
 * that matches a type has its example.  An apostrophe stands for a quotation
 * mark, and these for texts:
 *
 *     %i  the id of the event        %t  the type
 *     %c  the id of the company      %d  the first segment of the type
 *     %n  the id of the connection   %a  the id of the client
 *     %o  another id
 *
 * All of it is made up.
 */


#define NGX_CODAT_SAMPLE_HEAD                                                 \
    "{'id':'%i','sample':true,'eventType':'%t',"                              \
    "'generatedDate':'2026-03-02T09:30:15.000Z','payload':"

#define NGX_CODAT_SAMPLE_COMPANY                                              \
    "'referenceCompany':{'id':'%c','name':'Finch & Orchard Ltd',"             \
    "'tags':{'region':'uk'}}"

#define NGX_CODAT_SAMPLE_RULE(type)                                           \
    "{'id':'%i','sample':true,'AlertId':'%i',"                                \
    "'RuleId':'00000000-0000-0000-0000-000000000000',"                        \
    "'RuleType':'" type "','ClientId':'%a','ClientName':'Example client',"    \
    "'CompanyId':'%c',"

#define NGX_CODAT_SAMPLE_CONNECTION(status, errors)                           \
    NGX_CODAT_SAMPLE_HEAD "{" NGX_CODAT_SAMPLE_COMPANY ","                    \
    "'connection':{'id':'%n','integrationKey':'exmp',"                        \
    "'sourceType':'Accounting','platformName':'Example Books',"               \
    "'status':'" status "','created':'2026-03-01T16:20:00.000Z',"             \
    "'lastSync':null,'dataConnectionErrors':[" errors "]}}}"

#define NGX_CODAT_SAMPLE_READ(status, issues)                                 \
    NGX_CODAT_SAMPLE_HEAD "{" NGX_CODAT_SAMPLE_COMPANY ","                    \
    "'modifiedFromDate':null,'dataTypes':[{'connectionId':'%n',"              \
    "'dataType':'invoices','status':'" status "','recordsModified':true,"     \
    "'issues':[" issues "]}]}}"

#define NGX_CODAT_SAMPLE_READ_FAILED                                          \
    NGX_CODAT_SAMPLE_READ("FetchError",                                       \
                          "{'type':'Authentication','message':"               \
                          "'The sign-in has expired'}")

#define NGX_CODAT_SAMPLE_WRITE(status, record)                                \
    NGX_CODAT_SAMPLE_HEAD "{'id':'%o','type':'Create',"                       \
    NGX_CODAT_SAMPLE_COMPANY ",'connectionId':'%n','status':'" status "',"    \
    "'record':" record ",'attachmentId':null,"                                \
    "'requestedOnDate':'2026-03-02T09:30:00.000Z',"                           \
    "'completedOnDate':'2026-03-02T09:30:14.000Z'}}"

#define NGX_CODAT_SAMPLE_ACCOUNT(status)                                      \
    NGX_CODAT_SAMPLE_HEAD "{" NGX_CODAT_SAMPLE_COMPANY ","                    \
    "'connectionId':'%n','sourceAccount':{'id':'%o',"                         \
    "'accountName':'Current account','accountNumber':'12345678',"             \
    "'sortCode':'000000','currency':'GBP','balance':250.5,"                   \
    "'status':'" status "'}}}"

#define NGX_CODAT_SAMPLE_EXPENSES(status, error)                              \
    NGX_CODAT_SAMPLE_HEAD "{" NGX_CODAT_SAMPLE_COMPANY ",'syncId':'%o',"      \
    "'transactions':[{'id':'expense-17','status':'" status "',"               \
    "'integrationType':'expenses','errorMessage':" error "}]}}"


X("company.product.*",
  NGX_CODAT_SAMPLE_HEAD "{'id':'%c','name':'Finch & Orchard Ltd',"
  "'productId':'%o','productName':'Lending',"
  "'products':['lending']}}")

X("company.*",
  NGX_CODAT_SAMPLE_HEAD "{'id':'%c','name':'Finch & Orchard Ltd',"
  "'description':null,'created':'2026-03-02T09:30:14.000Z',"
  "'lastSync':null,'tags':{'region':'uk'},'products':[]}}")

X("connection.created", NGX_CODAT_SAMPLE_CONNECTION("PendingAuth", ""))

X("connection.connected", NGX_CODAT_SAMPLE_CONNECTION("Linked", ""))

X("connection.reconnected", NGX_CODAT_SAMPLE_CONNECTION("Linked", ""))

X("connection.disconnected", NGX_CODAT_SAMPLE_CONNECTION("Deauthorized", ""))

X("connection.deleted", NGX_CODAT_SAMPLE_CONNECTION("Unlinked", ""))

X("connection.failed",
  NGX_CODAT_SAMPLE_CONNECTION("PendingAuth",
                              "{'statusCode':'403','statusText':'Forbidden',"
                              "'errorMessage':'Access was not granted',"
                              "'erroredOnUtc':'2026-03-02T09:30:14.000Z',"
                              "'status':'Active','resolvedOnUtc':null}"))

/* a change of statuses that has no name of today's */

X("connection.changed",
  NGX_CODAT_SAMPLE_RULE("Company data connection status changed")
  "'DataConnectionId':'%n','Message':'Example Books has a new status',"
  "'Data':{'dataConnectionId':'%n','platformKey':'exmp',"
  "'newStatus':'Unlinked','oldStatus':'PendingAuth'}}")

X("read.completed.unsuccessful", NGX_CODAT_SAMPLE_READ_FAILED)

X("*.read.completed.unsuccessful", NGX_CODAT_SAMPLE_READ_FAILED)

X("read.completed", NGX_CODAT_SAMPLE_READ("Complete", ""))

X("read.completed.*", NGX_CODAT_SAMPLE_READ("Complete", ""))

X("*.read.completed", NGX_CODAT_SAMPLE_READ("Complete", ""))

X("*.read.completed.*", NGX_CODAT_SAMPLE_READ("Complete", ""))

X("*.write.successful",
  NGX_CODAT_SAMPLE_WRITE("Success", "{'id':'%d-1085'}"))

X("*.write.unsuccessful", NGX_CODAT_SAMPLE_WRITE("Failed", "null"))

/* the older service alone has it */

X("*.write.pending",
  NGX_CODAT_SAMPLE_RULE("Push Operation Status Changed()")
  "'DataConnectionId':'%n','Message':'A push operation has a new status',"
  "'Data':{'dataType':'%d','status':'Pending',"
  "'pushOperationKey':'%o'}}")

X("client.rateLimit.reached",
  NGX_CODAT_SAMPLE_HEAD "{'dailyQuota':1000,'quotaRemaining':0,"
  "'expiryDate':'2026-03-03T00:00:00.000Z'}}")

X("client.rateLimit.reset",
  NGX_CODAT_SAMPLE_HEAD "{'dailyQuota':1000,'quotaRemaining':1000,"
  "'expiryDate':'2026-03-03T00:00:00.000Z'}}")

X("bankFeeds.sourceAccount.connected",
  NGX_CODAT_SAMPLE_ACCOUNT("connected"))

X("bankFeeds.sourceAccount.disconnected",
  NGX_CODAT_SAMPLE_ACCOUNT("disconnected"))

X("expenses.sync.successful",
  NGX_CODAT_SAMPLE_EXPENSES("Completed", "null"))

X("expenses.sync.unsuccessful",
  NGX_CODAT_SAMPLE_EXPENSES("PushError", "'The account is closed'"))

X("reports.*.generate.*",
  NGX_CODAT_SAMPLE_HEAD "{'id':'%o'," NGX_CODAT_SAMPLE_COMPANY "}}")

X("AccountCategoriesUpdated",
  NGX_CODAT_SAMPLE_RULE("Account Categories Updated")
  "'DataConnectionId':'%n','Message':'Account categories were updated',"
  "'Data':{'modifiedDate':'2026-03-02T09:30:14.000Z'}}")

X("SyncStarted",
  NGX_CODAT_SAMPLE_RULE("Sync Started")
  "'Message':'A sync has started','Data':{'syncId':'%o',"
  "'syncType':'Expenses'}}")

/* ours: a consumer was given up */

X("codat.consumer.disabled",
  NGX_CODAT_SAMPLE_HEAD "{'id':'%o','host':'hooks.example.com',"
  "'reason':'failures','failingSince':'2026-02-25T09:30:14.000Z',"
  "'lastStatus':500,'lastError':'answered 500'}}")

#undef NGX_CODAT_SAMPLE_HEAD
#undef NGX_CODAT_SAMPLE_COMPANY
#undef NGX_CODAT_SAMPLE_RULE
#undef NGX_CODAT_SAMPLE_CONNECTION
#undef NGX_CODAT_SAMPLE_READ
#undef NGX_CODAT_SAMPLE_READ_FAILED
#undef NGX_CODAT_SAMPLE_WRITE
#undef NGX_CODAT_SAMPLE_ACCOUNT
#undef NGX_CODAT_SAMPLE_EXPENSES
