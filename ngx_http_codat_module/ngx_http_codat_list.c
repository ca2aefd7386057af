
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_columns.h"
#include "ngx_codat_names.h"
#include "ngx_codat_walk.h"
#include "ngx_http_codat_list.h"
#include "ngx_http_codat_status.h"
#include "ngx_http_codat_stream.h"


/*
 * Looks in vain, after the last row, for another one: then "next" says that
 * there may be one.  In a subrequest, which can't let others do something in
 * between, also before.
 */
#define NGX_HTTP_CODAT_LIST_LOOKS    64
#define NGX_HTTP_CODAT_WHOLE_LOOKS   2048

/* rows that belong to another one are listed up to this number */
#define NGX_HTTP_CODAT_NESTED_MAX    1000


typedef struct {
    ngx_codat_zone_t    *zone;
    ngx_codat_walk_t     walk;
    ngx_str_t            company;       /* that a row must have, or empty */
    ngx_uint_t           left;          /* rows */
    ngx_uint_t           rows;
    ngx_uint_t           looks;         /* in vain */
    u_char               cursor[NGX_CODAT_CURSOR_LEN];
    ngx_codat_copy_t     copy;
    unsigned             begun:1;
} ngx_http_codat_list_t;


typedef struct {
    ngx_codat_zone_t    *zone;
    ngx_codat_walk_t     connections;
    ngx_codat_walk_t     datasets;
    ngx_uint_t           nconnections;
    ngx_uint_t           ndatasets;     /* of the connection */
    ngx_uint_t           nrows;
    ngx_codat_copy_t    *copy;
    unsigned             company:1;
    unsigned             begun:1;
    unsigned             inside:1;      /* of a connection */
} ngx_http_codat_nested_t;


static ngx_int_t ngx_http_codat_list_narrow(ngx_http_request_t *r,
    ngx_http_codat_list_t *list, ngx_http_codat_query_t *query,
    ngx_int_t *answer);
static ngx_int_t ngx_http_codat_list_state(ngx_http_request_t *r,
    ngx_codat_walk_t *walk, ngx_str_t *status, ngx_int_t *answer);
static ngx_int_t ngx_http_codat_list_step(ngx_http_codat_stream_t *s);
static ngx_int_t ngx_http_codat_list_end(ngx_http_codat_stream_t *s,
    ngx_http_codat_list_t *list, ngx_uint_t more);
static ngx_int_t ngx_http_codat_nested_step(ngx_http_codat_stream_t *s);
static ngx_int_t ngx_http_codat_nested_begin(ngx_http_codat_stream_t *s,
    ngx_http_codat_nested_t *nested);
static ngx_int_t ngx_http_codat_nested_connection(ngx_http_codat_stream_t *s,
    ngx_http_codat_nested_t *nested);
static ngx_int_t ngx_http_codat_nested_dataset(ngx_http_codat_stream_t *s,
    ngx_http_codat_nested_t *nested);
static ngx_int_t ngx_http_codat_nested_leave(ngx_http_codat_stream_t *s,
    ngx_http_codat_nested_t *nested, ngx_uint_t truncated);
static ngx_uint_t ngx_http_codat_nested_full(ngx_http_codat_stream_t *s,
    ngx_http_codat_nested_t *nested, ngx_uint_t n);
static ngx_int_t ngx_http_codat_list_put(ngx_http_codat_stream_t *s,
    ngx_codat_copy_t *copy, ngx_uint_t comma, const char *behind);
static ngx_int_t ngx_http_codat_list_text(ngx_http_codat_stream_t *s,
    const char *text);


ngx_int_t
ngx_http_codat_list(ngx_http_request_t *r, ngx_codat_record_kind_e kind,
    ngx_http_codat_query_t *query)
{
    ngx_int_t               answer;
    ngx_http_codat_list_t  *list;

    list = ngx_palloc(r->pool, sizeof(ngx_http_codat_list_t));
    if (list == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    list->zone = ngx_http_codat_status_zone(r);
    list->left = query->limit;
    list->rows = 0;
    list->looks = 0;
    list->begun = 0;

    ngx_str_null(&list->company);

    ngx_codat_walk_init(&list->walk, kind);

    if (ngx_http_codat_list_narrow(r, list, query, &answer) != NGX_OK) {
        return answer;
    }

    if (query->after.len) {

        switch (ngx_codat_walk_resume(list->zone, &list->walk,
                                      &query->after))
        {

        case NGX_OK:
            break;

        case NGX_ABORT:
            return ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_INVALID_CURSOR,
                                         "the cursor in \"after\" is of "
                                         "another zone, or older than this "
                                         "one: begin again without it");

        default:
            return ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_INVALID_CURSOR,
                                         "\"after\" is not the \"next\" of "
                                         "a list with these arguments");
        }
    }

    if (ngx_http_codat_status_headers(r) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return ngx_http_codat_stream(r, ngx_http_codat_list_step, list);
}


/* returns NGX_OK, or NGX_DONE when *answer is to be returned */

static ngx_int_t
ngx_http_codat_list_narrow(ngx_http_request_t *r, ngx_http_codat_list_t *list,
    ngx_http_codat_query_t *query, ngx_int_t *answer)
{
    u_char     key[NGX_CODAT_ZONE_KEY_LEN];
    ngx_int_t  rc;

    if (query->status.len
        && ngx_http_codat_list_state(r, &list->walk, &query->status, answer)
           != NGX_OK)
    {
        return NGX_DONE;
    }

    if (query->reference.len) {
        list->company = query->company;

        rc = ngx_codat_walk_reference(list->zone, &list->walk,
                                      &query->reference);

    } else if (query->company.len) {
        rc = ngx_codat_table_key(list->zone, &query->company, key);

        if (rc == NGX_OK) {
            ngx_codat_walk_of(list->zone, &list->walk, key);
        }

    } else {
        rc = NGX_OK;
    }

    if (rc != NGX_OK) {
        *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_STATUS_UNAVAILABLE,
                                         "the rows can't be looked up");
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_list_state(ngx_http_request_t *r, ngx_codat_walk_t *walk,
    ngx_str_t *status, ngx_int_t *answer)
{
    if (walk->kind == NGX_CODAT_RECORD_PUSH) {
        walk->state = ngx_codat_push_status(status);

        if (walk->state == NGX_CODAT_PUSH_UNKNOWN) {
            *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_INVALID_QUERY,
                                         "the argument \"status\" is one of "
                                         "Pending, Success, Failed, TimedOut");
            return NGX_DONE;
        }

        return NGX_OK;
    }

    walk->state = ngx_codat_conn_status(status);

    if (walk->state == NGX_CODAT_CONN_UNKNOWN) {
        *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_INVALID_QUERY,
                                         "the argument \"status\" is one of "
                                         "PendingAuth, Linked, Unlinked, "
                                         "Deauthorized, Deleted");
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_list_step(ngx_http_codat_stream_t *s)
{
    ngx_int_t               rc;
    ngx_str_t              *company;
    ngx_http_codat_list_t  *list;

    list = s->data;

    if (!list->begun) {
        list->begun = 1;
        return ngx_http_codat_list_text(s, "{\"results\":[");
    }

    rc = ngx_codat_walk_next(list->zone, &list->walk, &list->copy);

    if (rc == NGX_DONE) {
        return ngx_http_codat_list_end(s, list, 0);
    }

    company = &list->copy.record.texts[NGX_CODAT_TEXT_COMPANY];

    if (rc == NGX_OK
        && list->company.len
        && !ngx_codat_id_same(company, &list->company))
    {
        rc = NGX_AGAIN;
    }

    if (rc == NGX_AGAIN) {
        list->looks++;

        if (list->left == 0 && list->looks >= NGX_HTTP_CODAT_LIST_LOOKS) {
            return ngx_http_codat_list_end(s, list, 1);
        }

        if (s->whole && list->looks >= NGX_HTTP_CODAT_WHOLE_LOOKS) {

            if (list->left) {
                (void) ngx_codat_walk_cursor(list->zone, &list->walk,
                                             list->cursor);
            }

            return ngx_http_codat_list_end(s, list, 1);
        }

        return NGX_AGAIN;
    }

    if (list->left == 0) {
        return ngx_http_codat_list_end(s, list, 1);
    }

    if (ngx_http_codat_list_put(s, &list->copy, list->rows, "}")
        == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    list->rows++;
    list->left--;

    if (list->left == 0) {

        /* before looking whether there is more */

        (void) ngx_codat_walk_cursor(list->zone, &list->walk, list->cursor);
        list->looks = 0;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_list_end(ngx_http_codat_stream_t *s,
    ngx_http_codat_list_t *list, ngx_uint_t more)
{
    u_char  *p;

    p = ngx_http_codat_stream_reserve(s, sizeof("],\"next\":\"\"}") - 1
                                         + NGX_CODAT_CURSOR_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (more) {
        p = ngx_sprintf(p, "],\"next\":\"%*s\"}",
                        (size_t) NGX_CODAT_CURSOR_LEN, list->cursor);

    } else {
        p = ngx_sprintf(p, "],\"next\":null}");
    }

    ngx_http_codat_stream_commit(s, p);

    return NGX_DONE;
}


ngx_int_t
ngx_http_codat_list_row(ngx_http_request_t *r, ngx_codat_copy_t *copy)
{
    ngx_http_codat_nested_t  *nested;

    nested = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_nested_t));
    if (nested == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    nested->zone = ngx_http_codat_status_zone(r);
    nested->copy = copy;
    nested->company = (copy->record.kind == NGX_CODAT_RECORD_COMPANY);

    if (ngx_http_codat_status_headers(r) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return ngx_http_codat_stream(r, ngx_http_codat_nested_step, nested);
}


static ngx_int_t
ngx_http_codat_nested_step(ngx_http_codat_stream_t *s)
{
    ngx_http_codat_nested_t  *nested;

    nested = s->data;

    if (!nested->begun) {
        nested->begun = 1;
        return ngx_http_codat_nested_begin(s, nested);
    }

    if (nested->inside) {
        return ngx_http_codat_nested_dataset(s, nested);
    }

    return ngx_http_codat_nested_connection(s, nested);
}


static ngx_int_t
ngx_http_codat_nested_begin(ngx_http_codat_stream_t *s,
    ngx_http_codat_nested_t *nested)
{
    if (nested->company) {
        ngx_codat_walk_init(&nested->connections,
                            NGX_CODAT_RECORD_CONNECTION);
        ngx_codat_walk_of(nested->zone, &nested->connections,
                          nested->copy->key);

        return ngx_http_codat_list_put(s, nested->copy, 0,
                                       ",\"connections\":[");
    }

    ngx_codat_walk_init(&nested->datasets, NGX_CODAT_RECORD_DATASET);
    ngx_codat_walk_of(nested->zone, &nested->datasets, nested->copy->key);

    nested->inside = 1;

    return ngx_http_codat_list_put(s, nested->copy, 0, ",\"datasets\":[");
}


static ngx_int_t
ngx_http_codat_nested_connection(ngx_http_codat_stream_t *s,
    ngx_http_codat_nested_t *nested)
{
    ngx_int_t   rc;
    ngx_uint_t  full;

    rc = ngx_codat_walk_next(nested->zone, &nested->connections,
                             nested->copy);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    full = ngx_http_codat_nested_full(s, nested, nested->nconnections);

    if (rc == NGX_DONE || full) {
        rc = ngx_http_codat_list_text(s, rc == NGX_DONE
                                         ? "]}" : "],\"truncated\":true}");
        return (rc == NGX_ERROR) ? NGX_ERROR : NGX_DONE;
    }

    rc = ngx_http_codat_list_put(s, nested->copy, nested->nconnections,
                                 ",\"datasets\":[");

    ngx_codat_walk_init(&nested->datasets, NGX_CODAT_RECORD_DATASET);
    ngx_codat_walk_of(nested->zone, &nested->datasets, nested->copy->key);

    nested->nconnections++;
    nested->nrows++;
    nested->ndatasets = 0;
    nested->inside = 1;

    return rc;
}


static ngx_int_t
ngx_http_codat_nested_dataset(ngx_http_codat_stream_t *s,
    ngx_http_codat_nested_t *nested)
{
    ngx_int_t  rc;

    rc = ngx_codat_walk_next(nested->zone, &nested->datasets, nested->copy);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DONE) {
        return ngx_http_codat_nested_leave(s, nested, 0);
    }

    if (ngx_http_codat_nested_full(s, nested, nested->ndatasets)) {
        return ngx_http_codat_nested_leave(s, nested, 1);
    }

    rc = ngx_http_codat_list_put(s, nested->copy, nested->ndatasets, "}");

    nested->ndatasets++;
    nested->nrows++;

    return rc;
}


static ngx_int_t
ngx_http_codat_nested_leave(ngx_http_codat_stream_t *s,
    ngx_http_codat_nested_t *nested, ngx_uint_t truncated)
{
    nested->inside = 0;

    if (ngx_http_codat_list_text(s, truncated ? "],\"truncated\":true}"
                                              : "]}")
        == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    return nested->company ? NGX_OK : NGX_DONE;
}


static ngx_uint_t
ngx_http_codat_nested_full(ngx_http_codat_stream_t *s,
    ngx_http_codat_nested_t *nested, ngx_uint_t n)
{
    return n >= NGX_HTTP_CODAT_NESTED_MAX
           || (s->whole && nested->nrows >= NGX_HTTP_CODAT_NESTED_MAX);
}


static ngx_int_t
ngx_http_codat_list_put(ngx_http_codat_stream_t *s, ngx_codat_copy_t *copy,
    ngx_uint_t comma, const char *behind)
{
    u_char  *p;
    size_t   len;

    len = ngx_strlen(behind);

    p = ngx_http_codat_stream_reserve(s, sizeof(",") - 1 + len
                                     + ngx_codat_record_json_len(
                                                            &copy->record));
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (comma) {
        *p++ = ',';
    }

    p = ngx_codat_record_json(p, &copy->record);
    p = ngx_cpymem(p, behind, len);

    ngx_http_codat_stream_commit(s, p);

    return NGX_OK;
}


/* returns NGX_AGAIN, for it is less than a row, or NGX_ERROR */

static ngx_int_t
ngx_http_codat_list_text(ngx_http_codat_stream_t *s, const char *text)
{
    if (ngx_http_codat_stream_write(s, (const u_char *) text,
                                    ngx_strlen(text))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}
