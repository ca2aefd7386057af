
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Dates as text.  Anchors were computed by another implementation (Python's
 * datetime); the calendar between them is walked day by day.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_time.h"


#define SECOND  ((int64_t) 1000000)


static ngx_int_t
parse(const char *text, int64_t *usec, ngx_uint_t *zone)
{
    ngx_int_t    rc;
    ngx_str_t    s;
    ngx_pool_t  *pool;

    pool = ngx_codat_unit_pool();

    s = ngx_codat_unit_str(pool, text);
    rc = ngx_codat_time_parse(&s, usec, zone);

    ngx_destroy_pool(pool);

    return rc;
}


static int64_t
usec_of(const char *text)
{
    int64_t  usec;

    assert_int_equal(parse(text, &usec, NULL), NGX_OK);

    return usec;
}


static ngx_uint_t
zone_of(const char *text)
{
    int64_t     usec;
    ngx_uint_t  zone;

    zone = 42;
    assert_int_equal(parse(text, &usec, &zone), NGX_OK);

    return zone;
}


static void
test_parse(void **state)
{
    assert_int_equal(usec_of("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(usec_of("1970-01-01T00:00:01Z"), SECOND);
    assert_int_equal(usec_of("1969-12-31T23:59:59Z"), -SECOND);
    assert_int_equal(usec_of("2024-08-08T17:10:34Z"), 1723137034 * SECOND);
    assert_int_equal(usec_of("2024-02-29T12:00:00Z"), 1709208000 * SECOND);
    assert_int_equal(usec_of("2000-02-29T23:59:59Z"), 951868799 * SECOND);
    assert_int_equal(usec_of("1900-03-01T00:00:00Z"), -2203891200 * SECOND);
    assert_int_equal(usec_of("0001-01-01T00:00:00Z"), -62135596800 * SECOND);
    assert_int_equal(usec_of("0000-01-01T00:00:00Z"), -62167219200 * SECOND);
    assert_int_equal(usec_of("9999-12-31T23:59:59Z"), 253402300799 * SECOND);
}


static void
test_fraction(void **state)
{
    int64_t  base;

    base = 1723137034 * SECOND;

    assert_int_equal(usec_of("2024-08-08T17:10:34.0Z"), base);
    assert_int_equal(usec_of("2024-08-08T17:10:34.1Z"), base + 100000);
    assert_int_equal(usec_of("2024-08-08T17:10:34.015Z"), base + 15000);
    assert_int_equal(usec_of("2024-08-08T17:10:34.123456Z"), base + 123456);
    assert_int_equal(usec_of("2024-08-08T17:10:34.000001Z"), base + 1);

    /* seven digits are what .NET writes; dropped, not rounded */

    assert_int_equal(usec_of("2024-08-08T17:10:34.1234569Z"), base + 123456);
    assert_int_equal(usec_of("2024-08-08T17:10:34.999999999Z"), base + 999999);
    assert_int_equal(usec_of("2024-08-08T17:10:34.000000999"), base);
    assert_int_equal(usec_of("2024-08-08T17:10:34.5+01:00"),
                     base + 500000 - 3600 * SECOND);

    /* time runs forward before 1970 as well */

    assert_int_equal(usec_of("1969-12-31T23:59:59.25Z"), -750000);
}


static void
test_zone(void **state)
{
    int64_t     base, usec;

    base = 1723137034 * SECOND;

    assert_int_equal(usec_of("2024-08-08T17:10:34"), base);
    assert_int_equal(usec_of("2024-08-08T17:10:34+00:00"), base);
    assert_int_equal(usec_of("2024-08-08T17:10:34-00:00"), base);
    assert_int_equal(usec_of("2024-08-08T18:10:34+01:00"), base);
    assert_int_equal(usec_of("2024-08-08T22:55:34+05:45"), base);
    assert_int_equal(usec_of("2024-08-08T12:40:34-04:30"), base);
    assert_int_equal(usec_of("2024-08-09T07:10:34+14:00"), base);
    assert_int_equal(usec_of("2024-08-08T17:10:34+23:59"),
                     base - (23 * 3600 + 59 * 60) * SECOND);
    assert_int_equal(usec_of("2024-01-01T00:30:00+01:00"),
                     usec_of("2023-12-31T23:30:00Z"));

    assert_int_equal(zone_of("2024-08-08T17:10:34Z"), 1);
    assert_int_equal(zone_of("2024-08-08T17:10:34.5Z"), 1);
    assert_int_equal(zone_of("2024-08-08T17:10:34+00:00"), 1);
    assert_int_equal(zone_of("2024-08-08T17:10:34-01:00"), 1);
    assert_int_equal(zone_of("2024-08-08T17:10:34"), 0);
    assert_int_equal(zone_of("2024-08-08T17:10:34.1234567"), 0);

    /* nobody asks */

    assert_int_equal(parse("2024-08-08T17:10:34", &usec, NULL), NGX_OK);
}


static void
test_refused(void **state)
{
    u_char      text[21];
    int64_t     usec;
    ngx_str_t   s;
    ngx_uint_t  i, zone;

    static const char  *texts[] = {

        /* what does not exist */
        "2024-08-08T23:59:99Z", "2024-08-08T23:59:60Z", "2024-08-08T24:00:00Z",
        "2024-08-08T23:60:00Z", "2024-00-01T00:00:00Z", "2024-13-01T00:00:00Z",
        "2024-01-00T00:00:00Z", "2024-01-32T00:00:00Z", "2024-04-31T00:00:00Z",
        "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z", "2024-06-31T00:00:00Z", "2024-09-31T00:00:00Z",
        "2024-11-31T00:00:00Z", "2016-12-31T23:59:60Z",
        "2024-08-08T17:10:34+24:00", "2024-08-08T17:10:34-01:60",

        /* what is cut */
        "", "2", "2024", "2024-", "2024-08", "2024-08-08", "2024-08-08T",
        "2024-08-08T17", "2024-08-08T17:10", "2024-08-08T17:10:",
        "2024-08-08T17:10:3", "2024-08-08T17:10Z", "2024-08-08T17:10:34.",
        "2024-08-08T17:10:34.Z", "2024-08-08T17:10:34.+01:00",
        "2024-08-08T17:10:34+", "2024-08-08T17:10:34+0",
        "2024-08-08T17:10:34+01", "2024-08-08T17:10:34+01:",
        "2024-08-08T17:10:34+01:0", "2024-08-08T17:10:34+0100",
        "2024-08-08T17:10:34+1:00", "17:10:34Z",

        /* what is too long */
        "2024-08-08T17:10:34.1234567890Z", "2024-08-08T17:10:34.0000000000",
        "2024-08-08T17:10:34ZZ", "2024-08-08T17:10:34Z ",
        "2024-08-08T17:10:34Z+01:00", "2024-08-08T17:10:34+01:00Z",
        "2024-08-08T17:10:34+01:000", "2024-08-08T17:10:34+01:00:00",
        "12024-08-08T17:10:34Z", "02024-08-08T17:10:34Z",
        "2024-08-08T17:10:34 Z", " 2024-08-08T17:10:34Z",
        "2024-08-08T17:10:34.5.5Z",

        /* what is written otherwise */
        "2024-08-08 17:10:34Z", "2024-08-08t17:10:34Z", "2024-08-08T17:10:34z",
        "2024/08/08T17:10:34Z", "20240808T171034Z", "2024-8-8T17:10:34Z",
        "2024-08-08T7:10:34Z", "2024-08-08T17:10:34,5Z", "08/08/2024 17:10:34",
        "2024-W32-4T17:10:34Z", "2024-221T17:10:34Z", "-024-08-08T17:10:34Z",
        "+2024-08-08T17:10:34Z", "2024-08-08T17:10:34UTC",
        "2024-08-08T17:10:34.-5Z", "2024-08-08T-1:10:34Z",
        "2024-08-08T+1:10:34Z", "2024-08-08T 1:10:34Z", "202a-08-08T17:10:34Z",
        "2024-08-08T17:10:34.5aZ", "2024:08:08T17:10:34Z", "1723137034",
        "2024-08-08T17-10-34Z", ("2024-08-08T17:10:34\xe2\x88\x92" "01:00"),
        "2024-08-08T17:1/:34Z", "2024-08-08T17:1::34Z"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {

        usec = 42;
        zone = 42;

        if (parse(texts[i], &usec, &zone) != NGX_ERROR) {
            fail_msg("\"%s\" is no date", texts[i]);
        }

        assert_int_equal(usec, 42);
        assert_int_equal(zone, 42);
    }

    ngx_memcpy(text, "2024-08-08T17:10:34Z", 21);
    s.data = text;
    s.len = 21;
    assert_int_equal(ngx_codat_time_parse(&s, &usec, NULL), NGX_ERROR);

    ngx_str_null(&s);
    assert_int_equal(ngx_codat_time_parse(&s, &usec, NULL), NGX_ERROR);
}


static void
test_format(void **state)
{
    u_char      buf[NGX_CODAT_TIME_LEN + 1];
    ngx_uint_t  i;

    static const struct {
        int64_t      usec;
        const char  *text;
    } dates[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 999, "1970-01-01T00:00:00.000Z" },
        { 1000, "1970-01-01T00:00:00.001Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { -1000, "1969-12-31T23:59:59.999Z" },
        { -1001, "1969-12-31T23:59:59.998Z" },
        { 1723137034015000, "2024-08-08T17:10:34.015Z" },
        { 951868799999999, "2000-02-29T23:59:59.999Z" },
        { 951868800000000, "2000-03-01T00:00:00.000Z" },
        { -62167219200 * SECOND, "0000-01-01T00:00:00.000Z" },
        { -62135596800 * SECOND, "0001-01-01T00:00:00.000Z" },
        { 253402300799 * SECOND, "9999-12-31T23:59:59.000Z" },

        /* clamped */
        { -62167219200 * SECOND - 1, "0000-01-01T00:00:00.000Z" },
        { 253402300800 * SECOND - 1, "9999-12-31T23:59:59.999Z" },
        { 253402300800 * SECOND, "9999-12-31T23:59:59.999Z" },
        { INT64_MIN, "0000-01-01T00:00:00.000Z" },
        { INT64_MAX, "9999-12-31T23:59:59.999Z" }
    };

    for (i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {

        ngx_memset(buf, '#', sizeof(buf));

        assert_ptr_equal(ngx_codat_time_format(buf, dates[i].usec),
                         buf + NGX_CODAT_TIME_LEN);
        assert_memory_equal(buf, dates[i].text, NGX_CODAT_TIME_LEN);
        assert_int_equal(buf[NGX_CODAT_TIME_LEN], '#');
    }
}


/* A zone may carry a date over the edge of what can be written. */

static void
test_edges(void **state)
{
    u_char  buf[NGX_CODAT_TIME_LEN];

    (void) ngx_codat_time_format(buf, usec_of("0000-01-01T00:00:00+23:59"));
    assert_memory_equal(buf, "0000-01-01T00:00:00.000Z", NGX_CODAT_TIME_LEN);

    (void) ngx_codat_time_format(buf, usec_of("9999-12-31T23:59:59-23:59"));
    assert_memory_equal(buf, "9999-12-31T23:59:59.999Z", NGX_CODAT_TIME_LEN);
}


/* Both directions agree with a calendar on every day of ten millennia. */

static void
test_calendar(void **state)
{
    u_char      want[NGX_CODAT_TIME_LEN + 1], have[NGX_CODAT_TIME_LEN];
    int64_t     usec, back;
    ngx_str_t   s;
    ngx_uint_t  year, month, day, days, leap;

    static const ngx_uint_t  lengths[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    usec = -62167219200 * SECOND + 45296789000;

    s.len = NGX_CODAT_TIME_LEN;
    s.data = want;

    for (year = 0; year <= 9999; year++) {

        leap = (year % 4 == 0) && (year % 100 || year % 400 == 0);

        for (month = 1; month <= 12; month++) {

            days = lengths[month - 1] + (month == 2 && leap);

            for (day = 1; day <= days; day++) {

                (void) ngx_snprintf(want, sizeof(want),
                                    "%04ui-%02ui-%02uiT12:34:56.789Z",
                                    year, month, day);
                (void) ngx_codat_time_format(have, usec);

                if (ngx_memcmp(want, have, NGX_CODAT_TIME_LEN) != 0
                    || ngx_codat_time_parse(&s, &back, NULL) != NGX_OK
                    || back != usec)
                {
                    fail_msg("%.24s is written %.24s", want, have);
                }

                usec += 86400 * SECOND;
            }
        }
    }

    assert_int_equal(usec, 253402300800 * SECOND + 45296789000);
}


int
ngx_codat_unit_time(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_fraction),
        cmocka_unit_test(test_zone),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_calendar),
    };

    return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
