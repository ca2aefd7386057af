
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns Codat's vocabulary, see ngx_codat_names.h.  All of it is
 * static and constant but the names that are put together, which lie in the
 * caller's pool.  Must not know what bodies look like.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_names.h"


/* the longest folded name is "datasetstatushaschangedtoanerrorstate" */
#define NGX_CODAT_FOLDED_LEN  40


typedef struct {
    ngx_str_t                folded;
    ngx_codat_rule_e         rule;
} ngx_codat_rule_name_t;


typedef struct {
    ngx_str_t                folded;
    ngx_uint_t               value;
} ngx_codat_status_name_t;


typedef struct {
    ngx_str_t                name;
    ngx_str_t                singular;      /* of what can be written */
} ngx_codat_data_type_t;


typedef struct {
    ngx_str_t                name;
    ngx_codat_family_e       family;
} ngx_codat_event_name_t;


static size_t ngx_codat_fold(u_char *dst, ngx_str_t *name);
static ngx_uint_t ngx_codat_status(const ngx_codat_status_name_t *names,
    ngx_str_t *status);
static ngx_uint_t ngx_codat_same(const ngx_str_t *one, const u_char *p,
    size_t len);
static ngx_uint_t ngx_codat_begins(ngx_str_t *name,
    const ngx_str_t *prefix);
static const ngx_codat_event_name_t *ngx_codat_event_name(
    ngx_str_t *name);
static ngx_int_t ngx_codat_write_event(ngx_pool_t *pool, ngx_str_t *name,
    ngx_codat_family_e *family);
static ngx_uint_t ngx_codat_read_event(const ngx_str_t *name);
static ngx_uint_t ngx_codat_written_index(const ngx_str_t *type);
static ngx_int_t ngx_codat_concat(ngx_pool_t *pool, ngx_str_t *name,
    const ngx_str_t *head, const ngx_str_t *tail);


static const ngx_codat_rule_name_t  ngx_codat_rule_names[] = {

    { ngx_string("dataconnectionstatuschanged"),
      NGX_CODAT_RULE_CONNECTION_STATUS },
    { ngx_string("companydataconnectionstatuschanged"),
      NGX_CODAT_RULE_CONNECTION_STATUS },

    { ngx_string("newcompanysynchronized"),
      NGX_CODAT_RULE_NEW_COMPANY },
    { ngx_string("newcompanysynchronised"),
      NGX_CODAT_RULE_NEW_COMPANY },

    { ngx_string("datasynccompleted"),
      NGX_CODAT_RULE_SYNC_COMPLETED },

    { ngx_string("datasetdatachanged"),
      NGX_CODAT_RULE_DATA_CHANGED },

    { ngx_string("datasyncstatuschangedtoerror"),
      NGX_CODAT_RULE_SYNC_ERROR },
    { ngx_string("datasetstatushaschangedtoanerrorstate"),
      NGX_CODAT_RULE_SYNC_ERROR },

    { ngx_string("pushoperationstatuschanged"),
      NGX_CODAT_RULE_PUSH_STATUS },
    { ngx_string("pushoperationstatushaschanged"),
      NGX_CODAT_RULE_PUSH_STATUS },

    { ngx_string("pushoperationtimedout"),
      NGX_CODAT_RULE_PUSH_TIMED_OUT },
    { ngx_string("pushoperationhastimedout"),
      NGX_CODAT_RULE_PUSH_TIMED_OUT },

    { ngx_string("accountcategoriesupdated"),
      NGX_CODAT_RULE_CATEGORIES_UPDATED },

    { ngx_string("syncconnectiondeleted"),
      NGX_CODAT_RULE_CONNECTION_DELETED },

    { ngx_string("syncstarted"),
      NGX_CODAT_RULE_EXPENSES_STARTED },

    { ngx_string("synccompleted"),
      NGX_CODAT_RULE_EXPENSES_COMPLETED },
    { ngx_string("synccomplete"),
      NGX_CODAT_RULE_EXPENSES_COMPLETED },
    { ngx_string("expensessynccompleted"),
      NGX_CODAT_RULE_EXPENSES_COMPLETED },

    { ngx_string("syncfailed"),
      NGX_CODAT_RULE_EXPENSES_FAILED },
    { ngx_string("expensessyncfailed"),
      NGX_CODAT_RULE_EXPENSES_FAILED },

    { ngx_string("ratelimitreached"),
      NGX_CODAT_RULE_LIMIT_REACHED },
    { ngx_string("clientratelimitreached"),
      NGX_CODAT_RULE_LIMIT_REACHED },
    { ngx_string("clientratelimitexceeded"),
      NGX_CODAT_RULE_LIMIT_REACHED },

    { ngx_string("ratelimitreset"),
      NGX_CODAT_RULE_LIMIT_RESET },
    { ngx_string("clientratelimitreset"),
      NGX_CODAT_RULE_LIMIT_RESET },

    { ngx_null_string, NGX_CODAT_RULE_NONE }
};


/*
 * In the order of ngx_codat_rule_e.  Statuses decide on the type of the two
 * that keep their own name here.
 */

static const ngx_str_t  ngx_codat_rule_types[] = {
    ngx_string("unknown"),
    ngx_string("DataConnectionStatusChanged"),
    ngx_string("read.completed.initial"),
    ngx_string("read.completed"),
    ngx_string("read.completed"),
    ngx_string("read.completed"),
    ngx_string("PushOperationStatusChanged"),
    ngx_string("PushOperationTimedOut"),
    ngx_string("AccountCategoriesUpdated"),
    ngx_string("connection.deleted"),
    ngx_string("SyncStarted"),
    ngx_string("expenses.sync.successful"),
    ngx_string("expenses.sync.unsuccessful"),
    ngx_string("client.rateLimit.reached"),
    ngx_string("client.rateLimit.reset")
};


static const ngx_codat_status_name_t  ngx_codat_push_statuses[] = {
    { ngx_string("success"), NGX_CODAT_PUSH_SUCCESS },
    { ngx_string("successful"), NGX_CODAT_PUSH_SUCCESS },
    { ngx_string("failed"), NGX_CODAT_PUSH_FAILED },
    { ngx_string("timedout"), NGX_CODAT_PUSH_TIMED_OUT },
    { ngx_string("pending"), NGX_CODAT_PUSH_PENDING },
    { ngx_null_string, NGX_CODAT_PUSH_UNKNOWN }
};


const ngx_str_t  ngx_codat_push_status_names[] = {
    ngx_null_string,
    ngx_string("Pending"),
    ngx_string("Success"),
    ngx_string("Failed"),
    ngx_string("TimedOut")
};


/* in the order of ngx_codat_push_status_e */

static const ngx_str_t  ngx_codat_outcomes[] = {
    ngx_null_string,
    ngx_string(".write.pending"),
    ngx_string(".write.successful"),
    ngx_string(".write.unsuccessful"),
    ngx_string(".write.unsuccessful")
};


static const ngx_codat_status_name_t  ngx_codat_conn_statuses[] = {
    { ngx_string("pendingauth"), NGX_CODAT_CONN_PENDING_AUTH },
    { ngx_string("linked"), NGX_CODAT_CONN_LINKED },
    { ngx_string("unlinked"), NGX_CODAT_CONN_UNLINKED },
    { ngx_string("deauthorized"), NGX_CODAT_CONN_DEAUTHORIZED },
    { ngx_string("deleted"), NGX_CODAT_CONN_DELETED },
    { ngx_null_string, NGX_CODAT_CONN_UNKNOWN }
};


const ngx_str_t  ngx_codat_conn_status_names[] = {
    ngx_null_string,
    ngx_string("PendingAuth"),
    ngx_string("Linked"),
    ngx_string("Unlinked"),
    ngx_string("Deauthorized"),
    ngx_string("Deleted")
};


/* the data types that can be written, each with its singular */

#define NGX_CODAT_WRITTEN(X)                                                  \
    X("bankAccounts", "bankAccount")                                          \
    X("bankTransactions", "bankTransaction")                                  \
    X("billCreditNotes", "billCreditNote")                                    \
    X("billPayments", "billPayment")                                          \
    X("bills", "bill")                                                        \
    X("chartOfAccounts", "chartOfAccount")                                    \
    X("creditNotes", "creditNote")                                            \
    X("customers", "customer")                                                \
    X("directCosts", "directCost")                                            \
    X("directIncomes", "directIncome")                                        \
    X("invoices", "invoice")                                                  \
    X("items", "item")                                                        \
    X("journalEntries", "journalEntry")                                       \
    X("journals", "journal")                                                  \
    X("payments", "payment")                                                  \
    X("purchaseOrders", "purchaseOrder")                                      \
    X("suppliers", "supplier")                                                \
    X("transfers", "transfer")


static const ngx_codat_data_type_t  ngx_codat_data_types[] = {
#define X(type, singular)  { ngx_string(type), ngx_string(singular) },
    NGX_CODAT_WRITTEN(X)
#undef X
    { ngx_string("accountTransactions"), ngx_null_string },
    { ngx_string("balanceSheet"), ngx_null_string },
    { ngx_string("cashFlowStatement"), ngx_null_string },
    { ngx_string("company"), ngx_null_string },
    { ngx_string("itemReceipts"), ngx_null_string },
    { ngx_string("paymentMethods"), ngx_null_string },
    { ngx_string("profitAndLoss"), ngx_null_string },
    { ngx_string("salesOrders"), ngx_null_string },
    { ngx_string("taxRates"), ngx_null_string },
    { ngx_string("trackingCategories"), ngx_null_string },
    { ngx_string("banking-accountBalances"), ngx_null_string },
    { ngx_string("banking-accounts"), ngx_null_string },
    { ngx_string("banking-transactionCategories"), ngx_null_string },
    { ngx_string("banking-transactions"), ngx_null_string },
    { ngx_string("commerce-companyInfo"), ngx_null_string },
    { ngx_string("commerce-customers"), ngx_null_string },
    { ngx_string("commerce-disputes"), ngx_null_string },
    { ngx_string("commerce-locations"), ngx_null_string },
    { ngx_string("commerce-orders"), ngx_null_string },
    { ngx_string("commerce-paymentMethods"), ngx_null_string },
    { ngx_string("commerce-payments"), ngx_null_string },
    { ngx_string("commerce-productCategories"), ngx_null_string },
    { ngx_string("commerce-products"), ngx_null_string },
    { ngx_string("commerce-taxComponents"), ngx_null_string },
    { ngx_string("commerce-transactions"), ngx_null_string },
    { ngx_null_string, ngx_null_string }
};


static const ngx_codat_event_name_t  ngx_codat_event_names[] = {
    { ngx_string("company.created"), NGX_CODAT_FAMILY_COMPANY },
    { ngx_string("company.deleted"), NGX_CODAT_FAMILY_COMPANY },
    { ngx_string("company.product.added"), NGX_CODAT_FAMILY_COMPANY },
    { ngx_string("company.product.removed"), NGX_CODAT_FAMILY_COMPANY },
    { ngx_string("connection.created"), NGX_CODAT_FAMILY_CONNECTION },
    { ngx_string("connection.connected"), NGX_CODAT_FAMILY_CONNECTION },
    { ngx_string("connection.reconnected"), NGX_CODAT_FAMILY_CONNECTION },
    { ngx_string("connection.disconnected"), NGX_CODAT_FAMILY_CONNECTION },
    { ngx_string("connection.failed"), NGX_CODAT_FAMILY_CONNECTION },
    { ngx_string("connection.deleted"), NGX_CODAT_FAMILY_CONNECTION },
    { ngx_string("read.completed"), NGX_CODAT_FAMILY_READ },
    { ngx_string("read.completed.initial"), NGX_CODAT_FAMILY_READ },
    { ngx_string("read.completed.successful"), NGX_CODAT_FAMILY_READ },
    { ngx_string("read.completed.unsuccessful"), NGX_CODAT_FAMILY_READ },
    { ngx_string("read.completed.successful.initial"),
      NGX_CODAT_FAMILY_READ },
    { ngx_string("client.rateLimit.reached"), NGX_CODAT_FAMILY_CLIENT },
    { ngx_string("client.rateLimit.reset"), NGX_CODAT_FAMILY_CLIENT },
    { ngx_string("bankFeeds.sourceAccount.connected"),
      NGX_CODAT_FAMILY_OTHER },
    { ngx_string("bankFeeds.sourceAccount.disconnected"),
      NGX_CODAT_FAMILY_OTHER },
    { ngx_string("expenses.sync.successful"), NGX_CODAT_FAMILY_OTHER },
    { ngx_string("expenses.sync.unsuccessful"), NGX_CODAT_FAMILY_OTHER },
    { ngx_string("reports.categorizedBankStatement.generate.successful"),
      NGX_CODAT_FAMILY_OTHER },
    { ngx_string("reports.categorizedBankStatement.generate.unsuccessful"),
      NGX_CODAT_FAMILY_OTHER },
    { ngx_string("reports.creditModel.generate.successful"),
      NGX_CODAT_FAMILY_OTHER },
    { ngx_string("reports.creditModel.generate.unsuccessful"),
      NGX_CODAT_FAMILY_OTHER },
    { ngx_string("reports.spendAnalysis.generate.successful"),
      NGX_CODAT_FAMILY_OTHER },
    { ngx_string("reports.spendAnalysis.generate.unsuccessful"),
      NGX_CODAT_FAMILY_OTHER },
    { ngx_string("AccountCategoriesUpdated"), NGX_CODAT_FAMILY_OTHER },
    { ngx_null_string, NGX_CODAT_FAMILY_OTHER }
};


/* whose writes are counted apart; behind them are those of all others */

static const ngx_str_t  ngx_codat_written[] = {
#define X(type, singular)  ngx_string(type),
    NGX_CODAT_WRITTEN(X)
#undef X
    ngx_string("unknown"),
    ngx_null_string
};


/* in the order of ngx_codat_push_status_e */

#define NGX_CODAT_WRITES(type)                                                \
    ngx_string(type ".write.pending"),                                        \
    ngx_string(type ".write.successful"),                                     \
    ngx_string(type ".write.unsuccessful")


/* types of counters, behind the names of events */

static const ngx_str_t  ngx_codat_folded_types[] = {
    ngx_string("connection.changed"),
    ngx_string("SyncStarted"),
    ngx_string("PushOperationStatusChanged"),
    ngx_string("unknown"),
#define X(type, singular)  NGX_CODAT_WRITES(type),
    NGX_CODAT_WRITTEN(X)
#undef X
    NGX_CODAT_WRITES("unknown"),
    NGX_CODAT_WRITES("*"),
    ngx_string("*.read.completed"),
    ngx_string("other")
};


#define NGX_CODAT_EVENT_NAMES_N                                               \
    (sizeof(ngx_codat_event_names) / sizeof(ngx_codat_event_names[0]) - 1)

/* behind the four of ngx_codat_folded_types that stand for themselves */
#define NGX_CODAT_TYPE_WRITE  (NGX_CODAT_EVENT_NAMES_N + 4)

/* outcomes that have names: those from NGX_CODAT_PUSH_PENDING on */
#define NGX_CODAT_OUTCOMES_N  3

#define NGX_CODAT_TYPE_READ   (NGX_CODAT_TYPES_N - 2)
#define NGX_CODAT_TYPE_OTHER  (NGX_CODAT_TYPES_N - 1)


ngx_codat_rule_e
ngx_codat_rule(ngx_str_t *name)
{
    u_char                        folded[NGX_CODAT_FOLDED_LEN];
    size_t                        len;
    const ngx_codat_rule_name_t  *rn;

    len = ngx_codat_fold(folded, name);

    for (rn = ngx_codat_rule_names; rn->folded.len; rn++) {
        if (rn->folded.len == len
            && ngx_memcmp(rn->folded.data, folded, len) == 0)
        {
            return rn->rule;
        }
    }

    return NGX_CODAT_RULE_NONE;
}


const ngx_str_t *
ngx_codat_rule_type(ngx_codat_rule_e rule)
{
    return &ngx_codat_rule_types[rule];
}


/* Returns 0 if what remains is nothing, or longer than any known name. */

static size_t
ngx_codat_fold(u_char *dst, ngx_str_t *name)
{
    u_char  ch;
    size_t  i, len;

    len = 0;

    for (i = 0; i < name->len; i++) {
        ch = ngx_tolower(name->data[i]);

        if ((ch < 'a' || ch > 'z') && (ch < '0' || ch > '9')) {
            continue;
        }

        if (len == NGX_CODAT_FOLDED_LEN) {
            return 0;
        }

        dst[len++] = ch;
    }

    return len;
}


ngx_codat_push_status_e
ngx_codat_push_status(ngx_str_t *status)
{
    ngx_codat_push_status_e  value;

    value = (ngx_codat_push_status_e)
                ngx_codat_status(ngx_codat_push_statuses, status);

    if (value != NGX_CODAT_PUSH_UNKNOWN) {
        *status = ngx_codat_push_status_names[value];
    }

    return value;
}


ngx_codat_conn_status_e
ngx_codat_conn_status(ngx_str_t *status)
{
    ngx_codat_conn_status_e  value;

    value = (ngx_codat_conn_status_e)
                ngx_codat_status(ngx_codat_conn_statuses, status);

    if (value != NGX_CODAT_CONN_UNKNOWN) {
        *status = ngx_codat_conn_status_names[value];
    }

    return value;
}


static ngx_uint_t
ngx_codat_status(const ngx_codat_status_name_t *names, ngx_str_t *status)
{
    u_char                          folded[NGX_CODAT_FOLDED_LEN];
    size_t                          len;
    const ngx_codat_status_name_t  *sn;

    len = ngx_codat_fold(folded, status);

    for (sn = names; sn->folded.len; sn++) {
        if (sn->folded.len == len
            && ngx_memcmp(sn->folded.data, folded, len) == 0)
        {
            break;
        }
    }

    return sn->value;
}


void
ngx_codat_data_type(ngx_str_t *type, ngx_uint_t singular)
{
    const ngx_codat_data_type_t  *dt;

    if (type->len == 0) {
        return;
    }

    for (dt = ngx_codat_data_types; dt->name.len; dt++) {
        if (ngx_codat_same(&dt->name, type->data, type->len)
            || (singular
                && ngx_codat_same(&dt->singular, type->data, type->len)))
        {
            *type = dt->name;
            return;
        }
    }
}


static ngx_uint_t
ngx_codat_same(const ngx_str_t *one, const u_char *p, size_t len)
{
    size_t  i;

    if (one->len != len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (one->data[i] != p[i]
            && ngx_tolower(one->data[i]) != ngx_tolower(p[i]))
        {
            return 0;
        }
    }

    return 1;
}


/* and goes on behind it */

static ngx_uint_t
ngx_codat_begins(ngx_str_t *name, const ngx_str_t *prefix)
{
    return name->len > prefix->len
           && ngx_codat_same(prefix, name->data, prefix->len);
}


ngx_int_t
ngx_codat_event_type(ngx_pool_t *pool, ngx_str_t *name,
    ngx_codat_family_e *family)
{
    ngx_int_t                      rc;
    ngx_str_t                      tail;
    const ngx_codat_event_name_t  *en;

    static const ngx_str_t  reports = ngx_string("reports.");
    static const ngx_str_t  report = ngx_string("report.");
    static const ngx_str_t  company = ngx_string("company.");
    static const ngx_str_t  connection = ngx_string("connection.");

    *family = NGX_CODAT_FAMILY_OTHER;

    en = ngx_codat_event_name(name);

    if (en) {
        *name = en->name;
        *family = en->family;
        return NGX_OK;
    }

    rc = ngx_codat_write_event(pool, name, family);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (ngx_codat_begins(name, &report)) {
        tail.len = name->len - report.len;
        tail.data = name->data + report.len;

        if (ngx_codat_concat(pool, name, &reports, &tail) != NGX_OK) {
            return NGX_ERROR;
        }

        en = ngx_codat_event_name(name);

        if (en) {
            *name = en->name;
        }

        return NGX_OK;
    }

    if (ngx_codat_read_event(name)) {
        *family = NGX_CODAT_FAMILY_READ;

    } else if (ngx_codat_begins(name, &company)) {
        *family = NGX_CODAT_FAMILY_COMPANY;

    } else if (ngx_codat_begins(name, &connection)) {
        *family = NGX_CODAT_FAMILY_CONNECTION;
    }

    return NGX_OK;
}


static const ngx_codat_event_name_t *
ngx_codat_event_name(ngx_str_t *name)
{
    const ngx_codat_event_name_t  *en;

    for (en = ngx_codat_event_names; en->name.len; en++) {
        if (ngx_codat_same(&en->name, name->data, name->len)) {
            return en;
        }
    }

    return NULL;
}


/* TYPE.write.OUTCOME: NGX_DECLINED if it is something else */

static ngx_int_t
ngx_codat_write_event(ngx_pool_t *pool, ngx_str_t *name,
    ngx_codat_family_e *family)
{
    u_char                   *dot;
    ngx_str_t                 type, rest, canonical;
    ngx_codat_push_status_e   status;

    static const ngx_str_t  write = ngx_string(".write.");

    dot = ngx_strlchr(name->data, name->data + name->len, '.');

    if (dot == NULL || dot == name->data) {
        return NGX_DECLINED;
    }

    type.len = (size_t) (dot - name->data);
    type.data = name->data;

    rest.len = name->len - type.len;
    rest.data = dot;

    if (!ngx_codat_begins(&rest, &write)) {
        return NGX_DECLINED;
    }

    *family = NGX_CODAT_FAMILY_WRITE;

    canonical = type;

    ngx_codat_data_type(&canonical, 1);

    if (canonical.data == type.data) {
        return NGX_OK;
    }

    status = ngx_codat_write_outcome(name);

    if (status != NGX_CODAT_PUSH_UNKNOWN) {
        rest = ngx_codat_outcomes[status];
    }

    if (canonical.len == type.len
        && ngx_memcmp(canonical.data, type.data, type.len) == 0
        && ngx_memcmp(rest.data, dot, rest.len) == 0)
    {
        return NGX_OK;
    }

    return ngx_codat_concat(pool, name, &canonical, &rest);
}


/* PRODUCT.read.completed, of a custom product, and what may follow it */

static ngx_uint_t
ngx_codat_read_event(const ngx_str_t *name)
{
    u_char     *dot;
    ngx_str_t   rest;

    static const ngx_str_t  read = ngx_string(".read.completed");

    dot = ngx_strlchr(name->data, name->data + name->len, '.');

    if (dot == NULL || dot == name->data) {
        return 0;
    }

    rest.len = (size_t) (name->data + name->len - dot);
    rest.data = dot;

    return ngx_codat_same(&read, rest.data, rest.len)
           || (ngx_codat_begins(&rest, &read) && rest.data[read.len] == '.');
}


ngx_uint_t
ngx_codat_type_index(const ngx_str_t *canonical)
{
    ngx_str_t                name;
    ngx_uint_t               i;
    ngx_codat_push_status_e  outcome;

    name = *canonical;

    /* the bulk of all events */

    outcome = ngx_codat_write_outcome(&name);

    if (outcome != NGX_CODAT_PUSH_UNKNOWN) {
        name.len -= ngx_codat_outcomes[outcome].len;

        return NGX_CODAT_TYPE_WRITE
               + ngx_codat_written_index(&name) * NGX_CODAT_OUTCOMES_N
               + (outcome - NGX_CODAT_PUSH_PENDING);
    }

    for (i = 0; i < NGX_CODAT_TYPE_WRITE; i++) {
        canonical = ngx_codat_type_name(i);

        if (canonical->len == name.len
            && ngx_memcmp(canonical->data, name.data, name.len) == 0)
        {
            return i;
        }
    }

    return ngx_codat_read_event(&name) ? NGX_CODAT_TYPE_READ
                                       : NGX_CODAT_TYPE_OTHER;
}


/* of a canonical data type; one that cannot be written has that of "*" */

static ngx_uint_t
ngx_codat_written_index(const ngx_str_t *type)
{
    ngx_uint_t  i;

    for (i = 0; ngx_codat_written[i].len; i++) {
        if (ngx_codat_written[i].len == type->len
            && ngx_memcmp(ngx_codat_written[i].data, type->data, type->len)
               == 0)
        {
            break;
        }
    }

    return i;
}


const ngx_str_t *
ngx_codat_type_name(ngx_uint_t index)
{
    if (index < NGX_CODAT_EVENT_NAMES_N) {
        return &ngx_codat_event_names[index].name;
    }

    return &ngx_codat_folded_types[index - NGX_CODAT_EVENT_NAMES_N];
}


ngx_codat_push_status_e
ngx_codat_write_outcome(ngx_str_t *name)
{
    u_char      *dot;
    size_t       len;
    ngx_uint_t   i;

    dot = ngx_strlchr(name->data, name->data + name->len, '.');

    if (dot == NULL) {
        return NGX_CODAT_PUSH_UNKNOWN;
    }

    len = (size_t) (name->data + name->len - dot);

    /* a push that timed out is named like one that failed */

    for (i = NGX_CODAT_PUSH_PENDING; i < NGX_CODAT_PUSH_TIMED_OUT; i++) {
        if (ngx_codat_same(&ngx_codat_outcomes[i], dot, len)) {
            return (ngx_codat_push_status_e) i;
        }
    }

    return NGX_CODAT_PUSH_UNKNOWN;
}


ngx_int_t
ngx_codat_write_name(ngx_pool_t *pool, ngx_str_t *type,
    ngx_codat_push_status_e status, ngx_str_t *name)
{
    return ngx_codat_concat(pool, name, type, &ngx_codat_outcomes[status]);
}


static ngx_int_t
ngx_codat_concat(ngx_pool_t *pool, ngx_str_t *name, const ngx_str_t *head,
    const ngx_str_t *tail)
{
    u_char  *p;
    size_t   len;

    len = head->len + tail->len;

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    name->len = len;
    name->data = p;

    p = ngx_cpymem(p, head->data, head->len);
    ngx_memcpy(p, tail->data, tail->len);

    return NGX_OK;
}
