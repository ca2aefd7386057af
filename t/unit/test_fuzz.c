
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * What fuzzing has found, and what its targets are to be fed again and again:
 * each file in t/fuzz/regress/TARGET/, through the target itself.  A target
 * that is not content ends the process.
 */


#include "ngx_codat_unit.h"

#include <dirent.h>


typedef void (*ngx_codat_unit_fuzz_pt)(const u_char *data, size_t len);


void ngx_codat_fuzz_differential(const u_char *data, size_t len);
void ngx_codat_fuzz_event(const u_char *data, size_t len);
void ngx_codat_fuzz_operation(const u_char *data, size_t len);
void ngx_codat_fuzz_pattern(const u_char *data, size_t len);
void ngx_codat_fuzz_record(const u_char *data, size_t len);
void ngx_codat_fuzz_sign(const u_char *data, size_t len);
void ngx_codat_fuzz_time(const u_char *data, size_t len);
void ngx_codat_fuzz_url(const u_char *data, size_t len);
void ngx_codat_fuzz_zone(const u_char *data, size_t len);


static void
one(const char *path, ngx_codat_unit_fuzz_pt target)
{
    FILE    *f;
    long     size;
    u_char  *data;

    f = fopen(path, "rb");
    assert_non_null(f);

    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size >= 0);
    assert_int_equal(fseek(f, 0, SEEK_SET), 0);

    data = malloc((size_t) size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t) size, f), size);
    assert_int_equal(fclose(f), 0);

    target(data, (size_t) size);

    free(data);
}


static void
replay(const char *name, ngx_codat_unit_fuzz_pt target)
{
    int             n;
    DIR            *dir;
    char            folder[4096], path[8192];
    ngx_uint_t      inputs;
    struct dirent  *entry;

    /* this file is t/unit/test_fuzz.c */

    n = snprintf(folder, sizeof(folder), "%.*s../fuzz/regress/%s",
                 (int) (strrchr(__FILE__, '/') + 1 - __FILE__), __FILE__,
                 name);
    assert_true(n > 0 && (size_t) n < sizeof(folder));

    dir = opendir(folder);
    assert_non_null(dir);

    inputs = 0;

    while ((entry = readdir(dir)) != NULL) {

        if (entry->d_name[0] == '.') {
            continue;
        }

        (void) snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);

        one(path, target);
        inputs++;
    }

    (void) closedir(dir);

    assert_true(inputs > 0);
}


#define ngx_codat_unit_replay(name)                                           \
    static void                                                               \
    test_##name(void **state)                                                 \
    {                                                                         \
        (void) state;                                                         \
        replay(#name, ngx_codat_fuzz_##name);                                 \
    }

ngx_codat_unit_replay(differential)
ngx_codat_unit_replay(event)
ngx_codat_unit_replay(operation)
ngx_codat_unit_replay(pattern)
ngx_codat_unit_replay(record)
ngx_codat_unit_replay(sign)
ngx_codat_unit_replay(time)
ngx_codat_unit_replay(url)
ngx_codat_unit_replay(zone)


int
ngx_codat_unit_fuzz(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_differential),
        cmocka_unit_test(test_event),
        cmocka_unit_test(test_operation),
        cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_sign),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_zone)
    };

    return cmocka_run_group_tests_name("fuzz", tests, NULL, NULL);
}
