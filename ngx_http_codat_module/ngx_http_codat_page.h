
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the text format of Prometheus, version 0.0.4: lines, labels
 * and what has to be escaped in them.
 */


#ifndef _NGX_HTTP_CODAT_PAGE_H_INCLUDED_
#define _NGX_HTTP_CODAT_PAGE_H_INCLUDED_


#include "ngx_http_codat.h"


typedef struct {
    const char                          *name;
    const char                          *type;
    const char                          *help;
} ngx_http_codat_page_metric_t;


/*
 * The same calls measure a page, with p == NULL, and write it.  Every line
 * is labelled with the zone, for several may be scraped.
 */
typedef struct {
    u_char                              *p;
    size_t                               len;
    const ngx_str_t                     *zone;
    const ngx_http_codat_page_metric_t  *metric;
    const char                          *suffix;    /* of its name */
    ngx_uint_t                           labels;
} ngx_http_codat_page_t;


/* Begins a metric: HELP and TYPE. */
void ngx_http_codat_page_metric(ngx_http_codat_page_t *page,
    const ngx_http_codat_page_metric_t *metric);

/* Begins a line of the metric. */
void ngx_http_codat_page_begin(ngx_http_codat_page_t *page);

/* Adds a label to the line. */
void ngx_http_codat_page_label(ngx_http_codat_page_t *page, const char *name,
    const ngx_str_t *value);

/* Ends a line with its value. */
void ngx_http_codat_page_value(ngx_http_codat_page_t *page, uint64_t value);

/* Ends a line with a number of milliseconds as seconds. */
void ngx_http_codat_page_seconds(ngx_http_codat_page_t *page, uint64_t msec);


#endif /* _NGX_HTTP_CODAT_PAGE_H_INCLUDED_ */
