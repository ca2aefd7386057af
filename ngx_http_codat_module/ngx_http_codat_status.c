
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_columns.h"
#include "ngx_http_codat_answer.h"
#include "ngx_http_codat_events.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_list.h"
#include "ngx_http_codat_metrics.h"
#include "ngx_http_codat_overview.h"
#include "ngx_http_codat_query.h"
#include "ngx_http_codat_queue_api.h"
#include "ngx_http_codat_register.h"
#include "ngx_http_codat_status.h"
#include "ngx_http_codat_wait.h"


typedef enum {
    NGX_HTTP_CODAT_ROUTE_OVERVIEW = 0,
    NGX_HTTP_CODAT_ROUTE_HEALTH,
    NGX_HTTP_CODAT_ROUTE_METRICS,
    NGX_HTTP_CODAT_ROUTE_LIST,
    NGX_HTTP_CODAT_ROUTE_EVENTS
} ngx_http_codat_route_e;


/* what is behind the location's name, up to the next slash */
typedef struct {
    ngx_str_t                 name;
    ngx_http_codat_route_e    route;
    ngx_codat_record_kind_e   kind;
    ngx_uint_t                args;     /* of the list */
    ngx_uint_t                row_args; /* of a single row */
} ngx_http_codat_resource_t;


static ngx_http_codat_resource_t *ngx_http_codat_status_route(
    ngx_http_request_t *r, ngx_str_t *key);
static ngx_int_t ngx_http_codat_status_get(ngx_http_request_t *r,
    ngx_http_codat_resource_t *resource, ngx_str_t *text);
static ngx_int_t ngx_http_codat_status_stored(ngx_http_request_t *r,
    ngx_http_codat_resource_t *resource, ngx_str_t *text);
static ngx_int_t ngx_http_codat_status_key(ngx_http_request_t *r,
    ngx_http_codat_resource_t *resource, ngx_str_t *text, u_char *key,
    ngx_int_t *answer);
static ngx_int_t ngx_http_codat_status_methods(ngx_http_request_t *r,
    ngx_str_t *methods);
static ngx_int_t ngx_http_codat_status_unknown(ngx_http_request_t *r,
    ngx_codat_record_kind_e kind);
static ngx_int_t ngx_http_codat_status_refuse(ngx_http_request_t *r,
    const ngx_http_codat_problem_t *entry, ngx_str_t *detail,
    ngx_str_t *body);


static ngx_http_codat_resource_t  ngx_http_codat_resources[] = {

    { ngx_string("pushes"), NGX_HTTP_CODAT_ROUTE_LIST, NGX_CODAT_RECORD_PUSH,
      NGX_HTTP_CODAT_ARG_STATUS|NGX_HTTP_CODAT_ARG_COMPANY
      |NGX_HTTP_CODAT_ARG_REFERENCE|NGX_HTTP_CODAT_ARG_LIMIT
      |NGX_HTTP_CODAT_ARG_AFTER,
      NGX_HTTP_CODAT_ARG_WAIT },

    { ngx_string("connections"), NGX_HTTP_CODAT_ROUTE_LIST,
      NGX_CODAT_RECORD_CONNECTION,
      NGX_HTTP_CODAT_ARG_STATUS|NGX_HTTP_CODAT_ARG_COMPANY
      |NGX_HTTP_CODAT_ARG_LIMIT|NGX_HTTP_CODAT_ARG_AFTER,
      NGX_HTTP_CODAT_ARG_WAIT },

    { ngx_string("companies"), NGX_HTTP_CODAT_ROUTE_LIST,
      NGX_CODAT_RECORD_COMPANY,
      NGX_HTTP_CODAT_ARG_LIMIT|NGX_HTTP_CODAT_ARG_AFTER, 0 },

    { ngx_string("events"), NGX_HTTP_CODAT_ROUTE_EVENTS, 0,
      NGX_HTTP_CODAT_ARG_EVENT_TYPE|NGX_HTTP_CODAT_ARG_COMPANY
      |NGX_HTTP_CODAT_ARG_STATE|NGX_HTTP_CODAT_ARG_FROM
      |NGX_HTTP_CODAT_ARG_UNTIL|NGX_HTTP_CODAT_ARG_LIMIT
      |NGX_HTTP_CODAT_ARG_AFTER, 0 },

    /* probes add arguments against caches, which can do no harm here */

    { ngx_string("health"), NGX_HTTP_CODAT_ROUTE_HEALTH, 0,
      NGX_HTTP_CODAT_ARG_ANY, 0 },

    { ngx_string("metrics"), NGX_HTTP_CODAT_ROUTE_METRICS, 0,
      NGX_HTTP_CODAT_ARG_ANY, 0 },

    { ngx_string(""), NGX_HTTP_CODAT_ROUTE_OVERVIEW, 0,
      NGX_HTTP_CODAT_ARG_ANY, 0 }
};


/* by ngx_codat_record_kind_e */
static const char  *ngx_http_codat_status_kinds[] = {
    "push", "connection", "dataset", "company", "client"
};


static ngx_str_t  ngx_http_codat_cache_control = ngx_string("Cache-Control");
static ngx_str_t  ngx_http_codat_no_store = ngx_string("no-store");
static ngx_str_t  ngx_http_codat_type_options =
    ngx_string("X-Content-Type-Options");
static ngx_str_t  ngx_http_codat_nosniff = ngx_string("nosniff");

static ngx_str_t  ngx_http_codat_status_allow = ngx_string("Allow");
static ngx_str_t  ngx_http_codat_reading = ngx_string("GET, HEAD");
static ngx_str_t  ngx_http_codat_writing =
    ngx_string("GET, HEAD, PUT, DELETE");
static ngx_str_t  ngx_http_codat_posting = ngx_string("POST");

static ngx_str_t  ngx_http_codat_retry_header = ngx_string("Retry-After");
static ngx_str_t  ngx_http_codat_retry_value = ngx_string("5");


ngx_int_t
ngx_http_codat_status_handler(ngx_http_request_t *r)
{
    u_char                      key[NGX_CODAT_ZONE_KEY_LEN];
    ngx_int_t                   answer;
    ngx_str_t                   text;
    ngx_http_codat_query_t      query;
    ngx_http_codat_resource_t  *resource;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "codat status handler: \"%V\"", &r->uri);

    resource = ngx_http_codat_status_route(r, &text);

    if (resource == NULL) {
        return ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_NOT_FOUND,
                                             "there is no such path");
    }

    if (resource->route == NGX_HTTP_CODAT_ROUTE_EVENTS) {

        if (ngx_http_codat_status_zone(r)->store) {
            return ngx_http_codat_status_stored(r, resource, &text);
        }

        if (text.len) {
            return ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_NOT_FOUND,
                                                 "single events need a zone "
                                                 "with a store");
        }
    }

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        return ngx_http_codat_status_get(r, resource, &text);
    }

    if (text.len == 0
        || resource->kind != NGX_CODAT_RECORD_PUSH
        || !(r->method & (NGX_HTTP_PUT|NGX_HTTP_DELETE)))
    {
        return ngx_http_codat_status_methods(r,
                    (text.len && resource->kind == NGX_CODAT_RECORD_PUSH)
                        ? &ngx_http_codat_writing : &ngx_http_codat_reading);
    }

    if (ngx_http_codat_query(r, 0, &query, &answer) != NGX_OK
        || ngx_http_codat_status_key(r, resource, &text, key, &answer)
           != NGX_OK)
    {
        return answer;
    }

    if (r->method & NGX_HTTP_PUT) {
        return ngx_http_codat_register(r, &text);
    }

    return ngx_http_codat_forget(r, key);
}


static ngx_int_t
ngx_http_codat_status_get(ngx_http_request_t *r,
    ngx_http_codat_resource_t *resource, ngx_str_t *text)
{
    u_char                   key[NGX_CODAT_ZONE_KEY_LEN];
    ngx_int_t                answer;
    ngx_http_codat_query_t   query;

    if (ngx_http_codat_query(r, text->len ? resource->row_args
                                          : resource->args,
                             &query, &answer)
        != NGX_OK)
    {
        return answer;
    }

    ngx_http_codat_answer_discard(r);

    if (text->len) {

        if (ngx_http_codat_status_key(r, resource, text, key, &answer)
            != NGX_OK)
        {
            return answer;
        }

        answer = ngx_http_codat_wait(r, resource->kind, key, query.wait);

        if (answer != NGX_DECLINED) {
            return answer;
        }

        return ngx_http_codat_status_row(r, resource->kind, key);
    }

    switch (resource->route) {

    case NGX_HTTP_CODAT_ROUTE_LIST:
        return ngx_http_codat_list(r, resource->kind, &query);

    case NGX_HTTP_CODAT_ROUTE_EVENTS:
        return ngx_http_codat_events(r, &query);

    case NGX_HTTP_CODAT_ROUTE_HEALTH:
        return ngx_http_codat_overview_health(r);

    case NGX_HTTP_CODAT_ROUTE_METRICS:
        return ngx_http_codat_metrics_answer(r);

    default: /* NGX_HTTP_CODAT_ROUTE_OVERVIEW */
        return ngx_http_codat_overview(r);
    }
}


/* events of a store: a list, one of them, and what is to be done with them */

static ngx_int_t
ngx_http_codat_status_stored(ngx_http_request_t *r,
    ngx_http_codat_resource_t *resource, ngx_str_t *text)
{
    ngx_int_t                      answer;
    ngx_str_t                     *methods;
    ngx_uint_t                     args, get;
    ngx_http_codat_query_t         query;
    ngx_http_codat_queue_action_e  action;

    action = ngx_http_codat_queue_action(text);

    get = (action == NGX_HTTP_CODAT_QUEUE_SHOW);
    methods = get ? &ngx_http_codat_reading : &ngx_http_codat_posting;

    if (!(r->method & (get ? NGX_HTTP_GET|NGX_HTTP_HEAD : NGX_HTTP_POST))) {
        return ngx_http_codat_status_methods(r, methods);
    }

    if (text->len == 0) {
        args = resource->args;

    } else {
        args = (action == NGX_HTTP_CODAT_QUEUE_CANCEL)
               ? NGX_HTTP_CODAT_ARG_STATE : 0;
    }

    if (ngx_http_codat_query(r, args, &query, &answer) != NGX_OK) {
        return answer;
    }

    return ngx_http_codat_queue_api(r, action, text, &query);
}


ngx_int_t
ngx_http_codat_status_row(ngx_http_request_t *r, ngx_codat_record_kind_e kind,
    const u_char *key)
{
    ngx_codat_copy_t  *copy;

    copy = ngx_palloc(r->pool, sizeof(ngx_codat_copy_t));
    if (copy == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (ngx_codat_table_get(ngx_http_codat_status_zone(r), kind, key, copy)
        != NGX_OK)
    {
        return ngx_http_codat_status_unknown(r, kind);
    }

    if (kind == NGX_CODAT_RECORD_PUSH) {
        return ngx_http_codat_status_copy(r, NGX_HTTP_OK, copy);
    }

    return ngx_http_codat_list_row(r, copy);
}


ngx_int_t
ngx_http_codat_status_copy(ngx_http_request_t *r, ngx_uint_t status,
    ngx_codat_copy_t *copy)
{
    u_char     *p;
    ngx_str_t   body;

    body.data = ngx_pnalloc(r->pool, ngx_codat_record_json_len(&copy->record)
                                     + sizeof("}") - 1);
    if (body.data == NULL || ngx_http_codat_status_headers(r) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    p = ngx_codat_record_json(body.data, &copy->record);
    *p++ = '}';

    body.len = (size_t) (p - body.data);

    ngx_http_codat_answer_set(r, status, &ngx_http_codat_type_json,
                              (off_t) body.len);

    return ngx_http_codat_answer_send(r, &body);
}


void
ngx_http_codat_status_push(ngx_http_request_t *r, ngx_str_t *key)
{
    (void) ngx_http_codat_status_route(r, key);
}


ngx_codat_zone_t *
ngx_http_codat_status_zone(ngx_http_request_t *r)
{
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    return cdlcf->status.zone->data;
}


/*
 * NULL if there is no such path; the key is empty for the resource as a
 * whole.  A key is all behind the first slash: keys may have slashes too.
 */

static ngx_http_codat_resource_t *
ngx_http_codat_status_route(ngx_http_request_t *r, ngx_str_t *key)
{
    u_char                     *slash;
    ngx_str_t                   path, *location;
    ngx_uint_t                  i, n;
    ngx_http_codat_resource_t  *resource;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    location = &cdlcf->status.location;
    path = r->uri;

    ngx_str_null(key);

    /* "rewrite ... break" may have left another one */

    if (path.len < location->len
        || ngx_filename_cmp(path.data, location->data, location->len) != 0)
    {
        return NULL;
    }

    path.data += location->len;
    path.len -= location->len;

    if (path.len && location->data[location->len - 1] != '/') {

        if (path.data[0] != '/') {
            return NULL;
        }

        path.data++;
        path.len--;
    }

    slash = ngx_strlchr(path.data, path.data + path.len, '/');

    if (slash) {
        key->data = slash + 1;
        key->len = (size_t) (path.data + path.len - key->data);
        path.len = (size_t) (slash - path.data);

        if (key->len == 0) {
            return NULL;
        }
    }

    n = sizeof(ngx_http_codat_resources) / sizeof(ngx_http_codat_resource_t);
    resource = NULL;

    for (i = 0; i < n; i++) {
        resource = &ngx_http_codat_resources[i];

        if (resource->name.len == path.len
            && ngx_strncmp(resource->name.data, path.data, path.len) == 0)
        {
            break;
        }
    }

    if (i == n) {
        return NULL;
    }

    if (key->len
        && resource->route != NGX_HTTP_CODAT_ROUTE_EVENTS
        && resource->route != NGX_HTTP_CODAT_ROUTE_LIST)
    {
        return NULL;
    }

    return resource;
}


/* returns NGX_OK, or NGX_DONE when *answer is to be returned */

static ngx_int_t
ngx_http_codat_status_key(ngx_http_request_t *r,
    ngx_http_codat_resource_t *resource, ngx_str_t *text, u_char *key,
    ngx_int_t *answer)
{
    switch (ngx_codat_table_key(ngx_http_codat_status_zone(r), text, key)) {

    case NGX_OK:
        return NGX_OK;

    case NGX_DECLINED:

        /* too long for there ever to be such a row */

        if (r->method & NGX_HTTP_PUT) {
            *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_INVALID_QUERY,
                                         "a key has at most %d bytes",
                                         NGX_CODAT_ID_MAX);
            return NGX_DONE;
        }

        *answer = ngx_http_codat_status_unknown(r, resource->kind);
        return NGX_DONE;

    default:
        *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_STATUS_UNAVAILABLE,
                                         "the row can't be looked up");
        return NGX_DONE;
    }
}


static ngx_int_t
ngx_http_codat_status_unknown(ngx_http_request_t *r,
    ngx_codat_record_kind_e kind)
{
    return ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_NOT_FOUND,
                                         "this %s is not known",
                                         ngx_http_codat_status_kinds[kind]);
}


static ngx_int_t
ngx_http_codat_status_methods(ngx_http_request_t *r, ngx_str_t *methods)
{
    if (ngx_http_codat_header_add(r, &ngx_http_codat_status_allow, methods)
        != NGX_OK)
    {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_METHOD_NOT_ALLOWED,
                                         "the methods of this path are %V",
                                         methods);
}


ngx_int_t
ngx_http_codat_status_headers(ngx_http_request_t *r)
{
    if (ngx_http_codat_header_add(r, &ngx_http_codat_cache_control,
                                  &ngx_http_codat_no_store)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_codat_header_add(r, &ngx_http_codat_type_options,
                                     &ngx_http_codat_nosniff);
}


ngx_int_t
ngx_http_codat_status_problem(ngx_http_request_t *r,
    ngx_http_codat_problem_e problem, const char *fmt, ...)
{
    u_char                          *p;
    va_list                          args;
    ngx_str_t                        detail, body;
    const ngx_http_codat_problem_t  *entry;
    u_char                           text[NGX_HTTP_CODAT_DETAIL_LEN];

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    detail.data = text;
    detail.len = (size_t) (p - text);

    entry = &ngx_http_codat_problems[problem];

    ngx_http_codat_answer_discard(r);

    if (ngx_http_codat_status_refuse(r, entry, &detail, &body) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return ngx_http_codat_answer_send(r, &body);
}


ngx_int_t
ngx_http_codat_status_replace(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx)
{
    ngx_str_t  detail;

    ngx_str_set(&detail, "the body is larger than client_max_body_size of "
                "this location");

    r->err_status = 0;

    return ngx_http_codat_status_refuse(r,
                     &ngx_http_codat_problems[NGX_HTTP_CODAT_BODY_TOO_LARGE],
                         &detail, &ctx->replacement);
}


static ngx_int_t
ngx_http_codat_status_refuse(ngx_http_request_t *r,
    const ngx_http_codat_problem_t *entry, ngx_str_t *detail, ngx_str_t *body)
{
    ngx_uint_t  level;

    level = entry->status >= NGX_HTTP_INTERNAL_SERVER_ERROR
            ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_log_error(level, r->connection->log, 0,
                  "codat: status request refused, code: %V, %V",
                  &entry->code, detail);

    if (ngx_http_codat_status_headers(r) != NGX_OK
        || ngx_http_codat_answer_problem(r, entry, detail, body) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (entry->status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_codat_header_add(r, &ngx_http_codat_retry_header,
                                     &ngx_http_codat_retry_value)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_codat_answer_set(r, entry->status, &ngx_http_codat_type_problem,
                              (off_t) body->len);

    return NGX_OK;
}
