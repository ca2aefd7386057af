
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Names of rules, events, data types and statuses, as docs/events.md has
 * them: a second list, which is not made of the module's.  For
 * fuzz_differential.c alone.
 */


#ifndef _NGX_CODAT_FUZZ_NAMES_H_INCLUDED_
#define _NGX_CODAT_FUZZ_NAMES_H_INCLUDED_


#include "ngx_codat_fuzz.h"


typedef struct {
    const char      *spelling;              /* folded */
    const char      *rule;                  /* what it is here */
    const char      *type;                  /* or NULL: it depends */
} ngx_codat_fuzz_rule_t;


/* docs/events.md, "Legacy names" */

static const ngx_codat_fuzz_rule_t  rules[] = {
    { "dataconnectionstatuschanged", "connection", NULL },
    { "companydataconnectionstatuschanged", "connection", NULL },
    { "newcompanysynchronised", "company", "read.completed.initial" },
    { "newcompanysynchronized", "company", "read.completed.initial" },
    { "datasynccompleted", "synced", "read.completed" },
    { "datasetdatachanged", "changed", "read.completed" },
    { "datasyncstatuschangedtoerror", "error", "read.completed" },
    { "datasetstatushaschangedtoanerrorstate", "error", "read.completed" },
    { "pushoperationstatuschanged", "push", NULL },
    { "pushoperationstatushaschanged", "push", NULL },
    { "pushoperationtimedout", "timeout", NULL },
    { "pushoperationhastimedout", "timeout", NULL },
    { "syncconnectiondeleted", "deleted", "connection.deleted" },
    { "synccompleted", "expenses", "expenses.sync.successful" },
    { "synccomplete", "expenses", "expenses.sync.successful" },
    { "expensessynccompleted", "expenses", "expenses.sync.successful" },
    { "syncfailed", "expenses", "expenses.sync.unsuccessful" },
    { "expensessyncfailed", "expenses", "expenses.sync.unsuccessful" },
    { "ratelimitreached", "limit", "client.rateLimit.reached" },
    { "clientratelimitreached", "limit", "client.rateLimit.reached" },
    { "clientratelimitexceeded", "limit", "client.rateLimit.reached" },
    { "ratelimitreset", "limit", "client.rateLimit.reset" },
    { "clientratelimitreset", "limit", "client.rateLimit.reset" },
    { "accountcategoriesupdated", "other", "AccountCategoriesUpdated" },
    { "syncstarted", "other", "SyncStarted" },
    { NULL, NULL, NULL }
};


/* "Current names" */

static const char  *names[] = {
    "company.created", "company.deleted", "company.product.added",
    "company.product.removed", "connection.created", "connection.connected",
    "connection.reconnected", "connection.disconnected", "connection.failed",
    "connection.deleted", "read.completed", "read.completed.initial",
    "read.completed.successful", "read.completed.unsuccessful",
    "read.completed.successful.initial", "client.rateLimit.reached",
    "client.rateLimit.reset", "bankFeeds.sourceAccount.connected",
    "bankFeeds.sourceAccount.disconnected", "expenses.sync.successful",
    "expenses.sync.unsuccessful",
    "reports.categorizedBankStatement.generate.successful",
    "reports.categorizedBankStatement.generate.unsuccessful",
    "reports.creditModel.generate.successful",
    "reports.creditModel.generate.unsuccessful",
    "reports.spendAnalysis.generate.successful",
    "reports.spendAnalysis.generate.unsuccessful",
    "AccountCategoriesUpdated", NULL
};


/* data types that can be written, docs/metrics.md; a singular has no "s" */

static const char  *written[] = {
    "bankAccounts", "bankTransactions", "billCreditNotes", "billPayments",
    "bills", "chartOfAccounts", "creditNotes", "customers", "directCosts",
    "directIncomes", "invoices", "items", "journalEntries", "journals",
    "payments", "purchaseOrders", "suppliers", "transfers", NULL
};


/* and those that are only read, as Codat publishes them */

static const char  *others[] = {
    "accountTransactions", "balanceSheet", "cashFlowStatement", "company",
    "itemReceipts", "paymentMethods", "profitAndLoss", "salesOrders",
    "taxRates", "trackingCategories", "banking-accountBalances",
    "banking-accounts", "banking-transactionCategories",
    "banking-transactions", "commerce-companyInfo", "commerce-customers",
    "commerce-disputes", "commerce-locations", "commerce-orders",
    "commerce-paymentMethods", "commerce-payments",
    "commerce-productCategories", "commerce-products",
    "commerce-taxComponents", "commerce-transactions", NULL
};


static const char  *push_statuses[] = {
    "Pending", "Success", "Failed", "TimedOut", NULL
};


static const char  *conn_statuses[] = {
    "PendingAuth", "Linked", "Unlinked", "Deauthorized", "Deleted", NULL
};


#endif /* _NGX_CODAT_FUZZ_NAMES_H_INCLUDED_ */
