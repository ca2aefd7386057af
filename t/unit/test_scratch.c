
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Files of temporary stores: whose they are, and that those of the dead go.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_scratch.h"


typedef struct {
    ngx_pool_t         *pool;
    ngx_codat_store_t   store;
    u_char              folder[NGX_MAX_PATH];
    u_char              error[NGX_CODAT_STORE_ERROR];
} scratch_t;


static void
scratch_folder(scratch_t *s)
{
    ngx_memzero(s, sizeof(scratch_t));

    (void) snprintf((char *) s->folder, sizeof(s->folder),
                    "%s/codat-scratch-XXXXXX",
                    getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp((char *) s->folder));

    s->store.folder.data = s->folder;
    s->store.folder.len = ngx_strlen(s->folder);
}


/* as a zone of an nginx of its own; it dies with its pool */

static ngx_int_t
scratch_open(scratch_t *s, const scratch_t *of, uint64_t id)
{
    if (s != of) {
        ngx_memzero(s, sizeof(scratch_t));
        s->store.folder = of->store.folder;
    }

    s->pool = ngx_codat_unit_pool();

    return ngx_codat_scratch_open(&s->store, id, s->pool, s->error);
}


static void
scratch_path(u_char *path, const scratch_t *s, const char *name)
{
    *ngx_snprintf(path, NGX_MAX_PATH - 1, "%V/%s", &s->store.folder, name)
        = '\0';
}


static void
scratch_make(const scratch_t *s, const char *name)
{
    int     fd;
    u_char  path[NGX_MAX_PATH];

    scratch_path(path, s, name);

    fd = open((char *) path, O_CREAT|O_WRONLY, 0600);
    assert_int_not_equal(fd, -1);
    (void) close(fd);
}


static ngx_uint_t
scratch_there(const scratch_t *s, const char *name)
{
    u_char       path[NGX_MAX_PATH];
    struct stat  st;

    scratch_path(path, s, name);

    return lstat((char *) path, &st) == 0;
}


/* removes a file, and says whether it was there */

static ngx_uint_t
scratch_unlink(const scratch_t *s, const char *name)
{
    u_char  path[NGX_MAX_PATH];

    scratch_path(path, s, name);

    return unlink((char *) path) == 0;
}


static void
test_life(void **state)
{
    scratch_t  a, again, b;

    scratch_folder(&a);
    assert_int_equal(scratch_open(&a, &a, 0x1a), NGX_OK);
    assert_true(scratch_there(&a, "codat-consumers-000000000000001a-used"));
    assert_string_equal(a.store.path.data + a.store.folder.len,
                        "/codat-consumers-000000000000001a");
    assert_int_equal(a.store.path.len, ngx_strlen(a.store.path.data));

    scratch_make(&a, "codat-consumers-000000000000001a");
    scratch_make(&a, "codat-consumers-000000000000001a-wal");

    /* a reload has both for a while, and then the new one alone */

    assert_int_equal(scratch_open(&again, &a, 0x1a), NGX_OK);
    assert_string_equal(again.store.path.data, a.store.path.data);
    ngx_destroy_pool(a.pool);

    /* another nginx comes and goes */

    assert_int_equal(scratch_open(&b, &a, 0x1b), NGX_OK);
    assert_true(scratch_there(&a, "codat-consumers-000000000000001a"));
    assert_true(scratch_there(&a, "codat-consumers-000000000000001a-wal"));

    ngx_codat_scratch_remove(&b.store);
    ngx_destroy_pool(b.pool);
    assert_false(scratch_there(&a, "codat-consumers-000000000000001b-used"));

    /* this one dies, and the next one finds it */

    ngx_destroy_pool(again.pool);
    assert_true(scratch_there(&a, "codat-consumers-000000000000001a"));

    assert_int_equal(scratch_open(&b, &a, 0x1c), NGX_OK);
    assert_false(scratch_there(&a, "codat-consumers-000000000000001a"));
    assert_false(scratch_there(&a, "codat-consumers-000000000000001a-wal"));
    assert_false(scratch_there(&a, "codat-consumers-000000000000001a-used"));

    ngx_codat_scratch_remove(&b.store);
    ngx_destroy_pool(b.pool);

    assert_int_equal(rmdir((char *) a.folder), 0);
}


/* the folder belongs to a user whom the master must not trust */

static void
test_links(void **state)
{
    u_char     path[NGX_MAX_PATH], target[NGX_MAX_PATH];
    scratch_t  s;

    scratch_folder(&s);
    scratch_make(&s, "precious");

    scratch_path(target, &s, "precious");
    scratch_path(path, &s, "codat-consumers-0000000000000002-used");
    assert_int_equal(symlink((char *) target, (char *) path), 0);

    assert_int_equal(scratch_open(&s, &s, 2), NGX_ERROR);
    assert_non_null(strstr((char *) s.error,
                           "codat-consumers-0000000000000002-used\" can't be "
                           "opened ("));
    ngx_destroy_pool(s.pool);

    /* nor does it look for what such a link might lead to */

    assert_int_equal(scratch_open(&s, &s, 3), NGX_OK);
    assert_true(scratch_there(&s, "precious"));
    assert_true(scratch_there(&s, "codat-consumers-0000000000000002-used"));

    ngx_codat_scratch_remove(&s.store);
    ngx_destroy_pool(s.pool);

    assert_true(scratch_unlink(&s, "precious"));
    assert_true(scratch_unlink(&s, "codat-consumers-0000000000000002-used"));
    assert_int_equal(rmdir((char *) s.folder), 0);
}


static void
test_others(void **state)
{
    ngx_uint_t  i;
    scratch_t   s;

    static const char  *names[] = {
        "0000000001", "codat-consumers-", "codat-consumers-used",
        "codat-consumers-0000000000000001",
        "codat-consumers-0000000000000001-lock",
        "codat-consumers-00000000000000001-used",
        "codat-consumer-00000000000000001-used",
        "codat-consumers-0000000000000001-uses"
    };

    scratch_folder(&s);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        scratch_make(&s, names[i]);
    }

    assert_int_equal(scratch_open(&s, &s, 4), NGX_OK);

    ngx_codat_scratch_remove(&s.store);
    ngx_destroy_pool(s.pool);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_true(scratch_unlink(&s, names[i]));
    }

    assert_int_equal(rmdir((char *) s.folder), 0);
}


static void
test_missing(void **state)
{
    scratch_t  s;

    scratch_folder(&s);
    assert_int_equal(rmdir((char *) s.folder), 0);

    assert_int_equal(scratch_open(&s, &s, 5), NGX_ERROR);
    assert_non_null(strstr((char *) s.error, "can't be opened (2: "));

    ngx_destroy_pool(s.pool);
}


int
ngx_codat_unit_scratch(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_missing),
    };

    return cmocka_run_group_tests_name("scratch", tests, NULL, NULL);
}
