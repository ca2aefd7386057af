
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_page.h"
#include "ngx_codat_json_string.h"


static void ngx_http_codat_page_text(ngx_http_codat_page_t *page,
    const char *text);
static void ngx_http_codat_page_escaped(ngx_http_codat_page_t *page,
    const ngx_str_t *text);
static void ngx_http_codat_page_bytes(ngx_http_codat_page_t *page,
    const void *data, size_t len);


void
ngx_http_codat_page_metric(ngx_http_codat_page_t *page,
    const ngx_http_codat_page_metric_t *metric)
{
    page->metric = metric;
    page->suffix = "";

    ngx_http_codat_page_text(page, "# HELP ");
    ngx_http_codat_page_text(page, metric->name);
    ngx_http_codat_page_text(page, " ");
    ngx_http_codat_page_text(page, metric->help);
    ngx_http_codat_page_text(page, "\n# TYPE ");
    ngx_http_codat_page_text(page, metric->name);
    ngx_http_codat_page_text(page, " ");
    ngx_http_codat_page_text(page, metric->type);
    ngx_http_codat_page_text(page, "\n");
}


void
ngx_http_codat_page_begin(ngx_http_codat_page_t *page)
{
    page->labels = 0;

    ngx_http_codat_page_text(page, page->metric->name);
    ngx_http_codat_page_text(page, page->suffix);

    ngx_http_codat_page_label(page, "zone", page->zone);
}


void
ngx_http_codat_page_label(ngx_http_codat_page_t *page, const char *name,
    const ngx_str_t *value)
{
    ngx_http_codat_page_text(page, page->labels++ ? "," : "{");
    ngx_http_codat_page_text(page, name);
    ngx_http_codat_page_text(page, "=\"");
    ngx_http_codat_page_escaped(page, value);
    ngx_http_codat_page_text(page, "\"");
}


void
ngx_http_codat_page_value(ngx_http_codat_page_t *page, uint64_t value)
{
    u_char  *p;
    u_char   text[sizeof("} \n") - 1 + NGX_INT64_LEN + 1];

    p = ngx_sprintf(text, "} %uL\n", value);

    ngx_http_codat_page_bytes(page, text, (size_t) (p - text));
}


void
ngx_http_codat_page_seconds(ngx_http_codat_page_t *page, uint64_t msec)
{
    u_char  *p;
    u_char   text[sizeof("} .000\n") - 1 + NGX_INT64_LEN + 1];

    p = ngx_sprintf(text, "} %uL.%03uL\n", msec / 1000, msec % 1000);

    ngx_http_codat_page_bytes(page, text, (size_t) (p - text));
}


static void
ngx_http_codat_page_text(ngx_http_codat_page_t *page, const char *text)
{
    ngx_http_codat_page_bytes(page, text, ngx_strlen(text));
}


/*
 * What the configuration has may be anything, but a page with one byte that
 * is not UTF-8 is refused as a whole.
 */

static void
ngx_http_codat_page_escaped(ngx_http_codat_page_t *page,
    const ngx_str_t *text)
{
    size_t         len;
    u_char        *p, *last;
    ngx_str_t      rest;
    const char    *instead;
    const u_char  *bad, *strange;

    rest = *text;
    last = rest.data + rest.len;
    bad = ngx_codat_json_utf8_check(&rest, &strange);

    for (p = rest.data; p < last; p++) {

        if (p == bad) {
            instead = "?";

        } else if (*p == '\\') {
            instead = "\\\\";

        } else if (*p == '"') {
            instead = "\\\"";

        } else if (*p == '\n') {
            instead = "\\n";

        } else {
            continue;
        }

        len = (size_t) (p - rest.data);

        ngx_http_codat_page_bytes(page, rest.data, len);
        ngx_http_codat_page_text(page, instead);

        rest.data += len + 1;
        rest.len -= len + 1;

        if (p == bad) {
            bad = ngx_codat_json_utf8_check(&rest, &strange);
        }
    }

    ngx_http_codat_page_bytes(page, rest.data, rest.len);
}


static void
ngx_http_codat_page_bytes(ngx_http_codat_page_t *page, const void *data,
    size_t len)
{
    if (page->p == NULL) {
        page->len += len;
        return;
    }

    page->p = ngx_cpymem(page->p, data, len);
}
