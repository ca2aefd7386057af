
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Dates: a text is read if the C library, too, knows such a day, and as the
 * same moment; what is written can be read, and is the same to a millisecond.
 */


#include "ngx_codat_fuzz.h"
#include "ngx_codat_time.h"


#define NGX_CODAT_FUZZ_FIRST  ((int64_t) -62167219200 * 1000000)
#define NGX_CODAT_FUZZ_LAST   ((int64_t) 253402300800 * 1000000 - 1)


/* a template of the text: "9" is a digit, anything else is itself */

static ngx_uint_t
like(const ngx_str_t *text, size_t start, const char *template)
{
    size_t  i;
    u_char  c;

    for (i = 0; template[i]; i++) {

        if (start + i >= text->len) {
            return 0;
        }

        c = text->data[start + i];

        if (template[i] == '9' ? (c < '0' || c > '9')
                               : c != (u_char) template[i])
        {
            return 0;
        }
    }

    return 1;
}


static int
number(const ngx_str_t *text, size_t start, size_t digits)
{
    int  n;

    for (n = 0; digits; digits--) {
        n = n * 10 + (text->data[start++] - '0');
    }

    return n;
}


/* the rules of docs and RFC 3339; 0 if there is no such moment */

static ngx_uint_t
moment(const ngx_str_t *text, int64_t *usec, ngx_uint_t *zone)
{
    size_t      i, n;
    int64_t     fraction, offset;
    struct tm   tm, same;

    if (!like(text, 0, "9999-99-99T99:99:99")) {
        return 0;
    }

    ngx_memzero(&tm, sizeof(tm));

    tm.tm_year = number(text, 0, 4) - 1900;
    tm.tm_mon = number(text, 5, 2) - 1;
    tm.tm_mday = number(text, 8, 2);
    tm.tm_hour = number(text, 11, 2);
    tm.tm_min = number(text, 14, 2);
    tm.tm_sec = number(text, 17, 2);

    same = tm;
    *usec = (int64_t) timegm(&same) * 1000000;

    /* what does not exist becomes something else */

    if (same.tm_year != tm.tm_year || same.tm_mon != tm.tm_mon
        || same.tm_mday != tm.tm_mday || same.tm_hour != tm.tm_hour
        || same.tm_min != tm.tm_min || same.tm_sec != tm.tm_sec)
    {
        return 0;
    }

    i = 19;

    if (like(text, i, ".")) {
        fraction = 0;

        for (n = 1; like(text, i + n, "9"); n++) {
            if (n <= 6) {
                fraction = fraction * 10 + number(text, i + n, 1);
            }
        }

        if (n == 1 || n > 10) {
            return 0;
        }

        i += n;

        for ( /* void */ ; n <= 6; n++) {
            fraction *= 10;
        }

        *usec += fraction;
    }

    *zone = (i < text->len);

    if (like(text, i, "Z")) {
        return text->len == i + 1;
    }

    if (like(text, i, "+99:99") || like(text, i, "-99:99")) {

        if (number(text, i + 1, 2) > 23 || number(text, i + 4, 2) > 59) {
            return 0;
        }

        offset = (int64_t) (number(text, i + 1, 2) * 60
                            + number(text, i + 4, 2)) * 60 * 1000000;

        *usec -= text->data[i] == '+' ? offset : -offset;

        return text->len == i + 6;
    }

    return text->len == i;
}


static void
check_read(ngx_str_t *text)
{
    int64_t     usec, expected;
    ngx_int_t   rc;
    ngx_uint_t  zone, expected_zone;

    rc = ngx_codat_time_parse(text, &usec, &zone);

    if (!moment(text, &expected, &expected_zone)) {
        ngx_codat_fuzz_want(rc == NGX_ERROR);
        return;
    }

    ngx_codat_fuzz_want(rc == NGX_OK);
    ngx_codat_fuzz_want(usec == expected);
    ngx_codat_fuzz_want(zone == expected_zone);

    ngx_codat_fuzz_want(ngx_codat_time_parse(text, &usec, NULL) == NGX_OK);
    ngx_codat_fuzz_want(usec == expected);
}


static void
check_written(ngx_pool_t *pool, int64_t usec)
{
    u_char      buf[NGX_CODAT_TIME_LEN];
    int64_t     again;
    ngx_str_t   text;
    ngx_uint_t  zone;

    ngx_codat_fuzz_want(ngx_codat_time_format(buf, usec)
                        == buf + NGX_CODAT_TIME_LEN);

    text = ngx_codat_fuzz_copy(pool, buf, NGX_CODAT_TIME_LEN);
    check_read(&text);

    ngx_codat_fuzz_want(ngx_codat_time_parse(&text, &again, &zone) == NGX_OK);
    ngx_codat_fuzz_want(zone == 1);

    /* clamped */

    usec = ngx_max(usec, NGX_CODAT_FUZZ_FIRST);
    usec = ngx_min(usec, NGX_CODAT_FUZZ_LAST);

    ngx_codat_fuzz_want(again <= usec && usec - again < 1000);
}


NGX_CODAT_FUZZ_TARGET(time)
{
    int64_t           usec;
    ngx_str_t         text;
    ngx_pool_t       *pool;
    ngx_codat_fuzz_t  fuzz;

    pool = ngx_codat_fuzz_pool();

    fuzz.pos = data;
    fuzz.end = data + len;

    check_written(pool, (int64_t) ngx_codat_fuzz_number(&fuzz, 8));

    text = ngx_codat_fuzz_rest(&fuzz, pool);
    check_read(&text);

    if (ngx_codat_time_parse(&text, &usec, NULL) == NGX_OK) {
        check_written(pool, usec);
    }

    ngx_destroy_pool(pool);
}
