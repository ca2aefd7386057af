
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns dates as text, by arithmetic alone: no locale, no time zone
 * of the machine.  Allocates nothing.
 */


#include "ngx_codat_time.h"


#define NGX_CODAT_TIME_SECOND  ((int64_t) 1000000)
#define NGX_CODAT_TIME_DAY     (86400 * NGX_CODAT_TIME_SECOND)

/* days from 0000-01-01 and from 0000-03-01 to 1970-01-01 */
#define NGX_CODAT_TIME_JANUARY 719528
#define NGX_CODAT_TIME_MARCH   719468

/* 0000-01-01T00:00:00 and 9999-12-31T23:59:59.999999 */
#define NGX_CODAT_TIME_MIN     (-NGX_CODAT_TIME_JANUARY * NGX_CODAT_TIME_DAY)
#define NGX_CODAT_TIME_MAX     (2932897 * NGX_CODAT_TIME_DAY - 1)


typedef struct {
    u_char      *pos;
    u_char      *last;
} ngx_codat_time_reader_t;


static int64_t ngx_codat_time_number(ngx_codat_time_reader_t *in,
    ngx_uint_t digits, int64_t min, int64_t max);
static ngx_uint_t ngx_codat_time_byte(ngx_codat_time_reader_t *in, u_char c);
static int64_t ngx_codat_time_date(ngx_codat_time_reader_t *in);
static int64_t ngx_codat_time_clock(ngx_codat_time_reader_t *in);
static int64_t ngx_codat_time_fraction(ngx_codat_time_reader_t *in);
static ngx_int_t ngx_codat_time_offset(ngx_codat_time_reader_t *in,
    int64_t *offset);


ngx_int_t
ngx_codat_time_parse(ngx_str_t *text, int64_t *usec, ngx_uint_t *zone)
{
    int64_t                  days, clock, fraction, offset;
    ngx_int_t                rc;
    ngx_codat_time_reader_t  in;

    if (text->len == 0) {
        return NGX_ERROR;
    }

    in.pos = text->data;
    in.last = text->data + text->len;

    days = ngx_codat_time_date(&in);
    if (days == NGX_ERROR || !ngx_codat_time_byte(&in, 'T')) {
        return NGX_ERROR;
    }

    clock = ngx_codat_time_clock(&in);
    if (clock == NGX_ERROR) {
        return NGX_ERROR;
    }

    fraction = ngx_codat_time_fraction(&in);
    if (fraction == NGX_ERROR) {
        return NGX_ERROR;
    }

    rc = ngx_codat_time_offset(&in, &offset);
    if (rc == NGX_ERROR || in.pos != in.last) {
        return NGX_ERROR;
    }

    *usec = (days - NGX_CODAT_TIME_JANUARY) * NGX_CODAT_TIME_DAY
            + (clock - offset) * NGX_CODAT_TIME_SECOND + fraction;

    if (zone) {
        *zone = (rc == NGX_OK);
    }

    return NGX_OK;
}


/* Reads exactly so many digits; NGX_ERROR if the value is out of bounds. */

static int64_t
ngx_codat_time_number(ngx_codat_time_reader_t *in, ngx_uint_t digits,
    int64_t min, int64_t max)
{
    u_char   c;
    int64_t  value;

    value = 0;

    while (digits--) {

        if (in->pos == in->last) {
            return NGX_ERROR;
        }

        c = *in->pos++;

        if (c < '0' || c > '9') {
            return NGX_ERROR;
        }

        value = value * 10 + (c - '0');
    }

    return (value < min || value > max) ? NGX_ERROR : value;
}


static ngx_uint_t
ngx_codat_time_byte(ngx_codat_time_reader_t *in, u_char c)
{
    if (in->pos == in->last || *in->pos != c) {
        return 0;
    }

    in->pos++;

    return 1;
}


/* Reads "YYYY-MM-DD"; returns the days since 0000-01-01, or NGX_ERROR. */

static int64_t
ngx_codat_time_date(ngx_codat_time_reader_t *in)
{
    int64_t     year, month, day, past, days;
    ngx_uint_t  leap;

    static const int64_t  before[] = {
        0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365
    };

    year = ngx_codat_time_number(in, 4, 0, 9999);
    if (year == NGX_ERROR || !ngx_codat_time_byte(in, '-')) {
        return NGX_ERROR;
    }

    month = ngx_codat_time_number(in, 2, 1, 12);
    if (month == NGX_ERROR || !ngx_codat_time_byte(in, '-')) {
        return NGX_ERROR;
    }

    leap = (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));

    days = before[month] - before[month - 1];

    if (month == 2 && leap) {
        days++;
    }

    day = ngx_codat_time_number(in, 2, 1, days);
    if (day == NGX_ERROR) {
        return NGX_ERROR;
    }

    days = year * 365 + before[month - 1] + day - 1;

    if (month > 2 && leap) {
        days++;
    }

    if (year > 0) {

        /* the leap days of the years before, of which 0 is the first */

        past = year - 1;
        days += past / 4 - past / 100 + past / 400 + 1;
    }

    return days;
}


/*
 * Reads "hh:mm:ss"; returns seconds, or NGX_ERROR.  Neither "24:00:00", which
 * is another name of the next day, nor leap seconds, which Unix time lacks.
 */

static int64_t
ngx_codat_time_clock(ngx_codat_time_reader_t *in)
{
    int64_t  hour, minute, second;

    hour = ngx_codat_time_number(in, 2, 0, 23);
    if (hour == NGX_ERROR || !ngx_codat_time_byte(in, ':')) {
        return NGX_ERROR;
    }

    minute = ngx_codat_time_number(in, 2, 0, 59);
    if (minute == NGX_ERROR || !ngx_codat_time_byte(in, ':')) {
        return NGX_ERROR;
    }

    second = ngx_codat_time_number(in, 2, 0, 59);
    if (second == NGX_ERROR) {
        return NGX_ERROR;
    }

    return hour * 3600 + minute * 60 + second;
}


/* Reads ".f", if it is there; returns microseconds, or NGX_ERROR. */

static int64_t
ngx_codat_time_fraction(ngx_codat_time_reader_t *in)
{
    u_char      c;
    int64_t     value, unit;
    ngx_uint_t  digits;

    if (!ngx_codat_time_byte(in, '.')) {
        return 0;
    }

    value = 0;
    unit = NGX_CODAT_TIME_SECOND / 10;

    for (digits = 0; in->pos != in->last; digits++) {

        c = *in->pos;

        if (c < '0' || c > '9') {
            break;
        }

        if (digits == 9) {
            return NGX_ERROR;
        }

        value += (c - '0') * unit;
        unit /= 10;

        in->pos++;
    }

    return digits ? value : NGX_ERROR;
}


/*
 * Reads the zone, in seconds ahead of UTC.  Returns NGX_OK, NGX_DECLINED (no
 * zone, hence 0) or NGX_ERROR.
 */

static ngx_int_t
ngx_codat_time_offset(ngx_codat_time_reader_t *in, int64_t *offset)
{
    int64_t  hours, minutes, sign;

    *offset = 0;

    if (in->pos == in->last) {
        return NGX_DECLINED;
    }

    if (ngx_codat_time_byte(in, 'Z')) {
        return NGX_OK;
    }

    if (ngx_codat_time_byte(in, '+')) {
        sign = 1;

    } else if (ngx_codat_time_byte(in, '-')) {
        sign = -1;

    } else {
        return NGX_ERROR;
    }

    hours = ngx_codat_time_number(in, 2, 0, 23);
    if (hours == NGX_ERROR || !ngx_codat_time_byte(in, ':')) {
        return NGX_ERROR;
    }

    minutes = ngx_codat_time_number(in, 2, 0, 59);
    if (minutes == NGX_ERROR) {
        return NGX_ERROR;
    }

    *offset = sign * (hours * 3600 + minutes * 60);

    return NGX_OK;
}


u_char *
ngx_codat_time_format(u_char *p, int64_t usec)
{
    int64_t  days, era, year, month, msec;

    if (usec < NGX_CODAT_TIME_MIN) {
        usec = NGX_CODAT_TIME_MIN;
    }

    if (usec > NGX_CODAT_TIME_MAX) {
        usec = NGX_CODAT_TIME_MAX;
    }

    /* from the first representable day on nothing is negative */

    usec -= NGX_CODAT_TIME_MIN;

    msec = usec % NGX_CODAT_TIME_DAY / 1000;

    /*
     * Years that begin in March have their leap day at the end; 400 of them
     * are an era of 146097 days.  The first two months of the year 0 lie in
     * the era before, hence one era more and 400 years less.
     */

    days = usec / NGX_CODAT_TIME_DAY + 146097
           - (NGX_CODAT_TIME_JANUARY - NGX_CODAT_TIME_MARCH);

    era = days / 146097;
    days %= 146097;

    year = (days - days / 1460 + days / 36524 - days / 146096) / 365;
    days -= year * 365 + year / 4 - year / 100;
    year += (era - 1) * 400;

    month = (days * 5 + 2) / 153;
    days -= (month * 153 + 2) / 5;

    if (month < 10) {
        month += 3;

    } else {
        month -= 9;
        year++;
    }

    return ngx_sprintf(p, "%04L-%02L-%02LT%02L:%02L:%02L.%03LZ",
                       year, month, days + 1,
                       msec / 3600000, msec / 60000 % 60, msec / 1000 % 60,
                       msec % 1000);
}
