
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
    { "bills.write.successful", "*.write.successful" },
    { "bills.write.unsuccessful", "*.write.unsuccessful" },
    { "unknown.write.pending", "*.write.pending" },
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
        cmocka_unit_test(ngx_codat_unit_names_set)
    };

    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
