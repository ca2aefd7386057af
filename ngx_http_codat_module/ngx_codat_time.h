
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns dates as text: the ISO 8601 forms that Codat publishes, in,
 * and RFC 3339, out.  Wall time, microseconds since 1970, UTC.
 */


#ifndef _NGX_CODAT_TIME_H_INCLUDED_
#define _NGX_CODAT_TIME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* "2024-08-08T17:10:34.015Z" */
#define NGX_CODAT_TIME_LEN  (sizeof("2024-08-08T17:10:34.015Z") - 1)


/*
 * Reads "YYYY-MM-DDThh:mm:ss[.fraction][Z|+hh:mm|-hh:mm]", where no zone
 * means UTC and a fraction has 1 to 9 digits, of which those beyond
 * microseconds are dropped.  A date that does not exist is refused (Codat
 * has published "23:59:99").  *zone says whether the text named its zone,
 * that is, whether it is RFC 3339 as it stands; NULL if nobody asks.
 * Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_codat_time_parse(ngx_str_t *text, int64_t *usec,
    ngx_uint_t *zone);

/*
 * Writes NGX_CODAT_TIME_LEN bytes of RFC 3339 with milliseconds in UTC and
 * returns the byte behind them.  For years 0000 to 9999; others are clamped.
 */
u_char *ngx_codat_time_format(u_char *p, int64_t usec);


#endif /* _NGX_CODAT_TIME_H_INCLUDED_ */
