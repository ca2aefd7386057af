
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Names: the bounded set of types that counters use.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_names.h"


static const struct {
    const char  *type;
    const char  *folded;
} ngx_codat_unit_types[] = {
    { "company.created", "company.created" },
    { "read.completed.successful.initial",
      "read.completed.successful.initial" },
    { "AccountCategoriesUpdated", "AccountCategoriesUpdated" },
    { "connection.changed", "connection.changed" },
    { "SyncStarted", "SyncStarted" },
    { "PushOperationStatusChanged", "PushOperationStatusChanged" },
    { "unknown", "unknown" },
    { "bills.write.successful", "bills.write.successful" },
    { "bills.write.unsuccessful", "bills.write.unsuccessful" },
    { "bankAccounts.write.pending", "bankAccounts.write.pending" },
    { "transfers.write.unsuccessful", "transfers.write.unsuccessful" },
    { "unknown.write.pending", "unknown.write.pending" },
    { "taxRates.write.successful", "*.write.successful" },
    { "commerce-orders.write.unsuccessful", "*.write.unsuccessful" },
    { "bill.write.pending", "*.write.pending" },
    { "billz.write.successful", "*.write.successful" },
    { "a.bills.write.successful", "other" },
    { "Widgets.Write.Successful", "*.write.successful" },
    { "bills.write.attempted", "other" },
    { "bills.write.", "other" },
    { ".write.successful", "*.write.successful" },
    { "lending.read.completed", "*.read.completed" },
    { "Lending.Read.Completed.Successful.Initial", "*.read.completed" },
    { "lending.read.completedness", "other" },
    { ".read.completed", "other" },
    { "read.complete", "other" },
    { "read.completed.tomorrow", "other" },
    { "*.write.successful", "*.write.successful" },
    { "*.read.completed", "*.read.completed" },
    { "other", "other" },
    { "", "other" },
    { ".", "other" }
};


static void
ngx_codat_unit_names_types(void **state)
{
    ngx_str_t         type;
    ngx_uint_t        i, index;
    ngx_pool_t       *pool;
    const ngx_str_t  *name;

    (void) state;

    pool = ngx_codat_unit_pool();

    for (i = 0;
         i < sizeof(ngx_codat_unit_types) / sizeof(ngx_codat_unit_types[0]);
         i++)
    {
        type = ngx_codat_unit_str(pool, ngx_codat_unit_types[i].type);

        index = ngx_codat_type_index(&type);
        assert_true(index < NGX_CODAT_TYPES_N);

        name = ngx_codat_type_name(index);

        assert_int_equal(name->len, strlen(ngx_codat_unit_types[i].folded));
        assert_memory_equal(name->data, ngx_codat_unit_types[i].folded,
                            name->len);
    }

    ngx_destroy_pool(pool);
}


/*
 * What can be written is what has a singular: three types for each, spelled
 * as the name of the event is.
 */

static void
ngx_codat_unit_names_written(void **state)
{
    ngx_str_t            type;
    ngx_uint_t           i, k;
    ngx_pool_t          *pool;
    ngx_codat_family_e   family;

    static const char  *outcomes[] = {
        "pending", "successful", "unsuccessful"
    };

    static const char  *types[][2] = {
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
        { "transfers", "transfer" }
    };

    (void) state;

    pool = ngx_codat_unit_pool();

    for (i = 0; i < 3 * sizeof(types) / sizeof(types[0]); i++) {

        for (k = 0; k < 2; k++) {
            type.data = ngx_pnalloc(pool, 64);
            assert_non_null(type.data);
            type.len = (size_t) (ngx_sprintf(type.data, "%s.WRITE.%s",
                                             types[i / 3][k],
                                             outcomes[i % 3])
                                 - type.data);

            assert_int_equal(ngx_codat_event_type(pool, &type, &family),
                             NGX_OK);
            assert_int_equal(ngx_codat_type_index(&type),
                             NGX_CODAT_TYPES_N - 2 - 3 * 20 + i);
            assert_int_equal(ngx_codat_type_name(
                                           ngx_codat_type_index(&type))->len,
                             type.len);
        }
    }

    ngx_destroy_pool(pool);
}


/* Each name is that of its index, none is there twice, "other" is last. */

static void
ngx_codat_unit_names_set(void **state)
{
    ngx_uint_t  i;

    (void) state;

    for (i = 0; i < NGX_CODAT_TYPES_N; i++) {
        assert_true(ngx_codat_type_name(i)->len != 0);
        assert_int_equal(ngx_codat_type_index(ngx_codat_type_name(i)), i);
    }

    assert_string_equal((char *) ngx_codat_type_name(i - 1)->data, "other");
}


int
ngx_codat_unit_names(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(ngx_codat_unit_names_types),
        cmocka_unit_test(ngx_codat_unit_names_written),
        cmocka_unit_test(ngx_codat_unit_names_set)
    };

    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
