
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_body.h"
#include "ngx_http_codat_conf_consumers.h"
#include "ngx_http_codat_consumer_calls.h"
#include "ngx_http_codat_consumer_error.h"
#include "ngx_http_codat_consumer_key.h"
#include "ngx_http_codat_consumers.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_samples.h"


/* what one path can be asked for */

typedef struct {
    ngx_uint_t                   method;
    ngx_http_codat_consumer_pt   handler;
    unsigned                     open:1;
    unsigned                     reads:1;
} ngx_http_codat_consumer_method_t;


/* a path behind "webhooks", or behind the id of a consumer */

typedef struct {
    ngx_str_t                                path;
    ngx_uint_t                               uid; /* unsigned  uid:1; */
    ngx_str_t                                allow;
    const ngx_http_codat_consumer_method_t  *methods;
} ngx_http_codat_consumer_path_t;


static ngx_int_t ngx_http_codat_consumers_path(ngx_http_request_t *r,
    ngx_str_t *path);
static ngx_int_t ngx_http_codat_consumers_begins(ngx_str_t *path);
static const ngx_http_codat_consumer_path_t *ngx_http_codat_consumers_find(
    ngx_str_t *path, ngx_str_t *uid);
static ngx_uint_t ngx_http_codat_consumers_uid(ngx_str_t *path,
    ngx_str_t *uid);
static ngx_int_t ngx_http_codat_consumers_call(ngx_http_request_t *r,
    const ngx_http_codat_consumer_path_t *path, ngx_str_t *uid);
static ngx_int_t ngx_http_codat_consumers_plain(ngx_http_request_t *r);
static void ngx_http_codat_consumers_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_codat_consumers_body(ngx_http_request_t *r);


static ngx_str_t  ngx_http_codat_webhooks = ngx_string("webhooks");
static ngx_str_t  ngx_http_codat_allow = ngx_string("Allow");


static const ngx_http_codat_consumer_method_t
    ngx_http_codat_consumers_all[] =
{
    { NGX_HTTP_GET|NGX_HTTP_HEAD, ngx_http_codat_consumer_list, 0, 0 },
    { NGX_HTTP_POST, ngx_http_codat_consumer_create, 0, 1 },
    { 0, NULL, 0, 0 }
};


static const ngx_http_codat_consumer_method_t
    ngx_http_codat_consumers_one[] =
{
    { NGX_HTTP_GET|NGX_HTTP_HEAD, ngx_http_codat_consumer_get, 0, 0 },
    { NGX_HTTP_PATCH, ngx_http_codat_consumer_change, 0, 1 },
    { NGX_HTTP_DELETE, ngx_http_codat_consumer_delete, 0, 0 },
    { 0, NULL, 0, 0 }
};


static const ngx_http_codat_consumer_method_t
    ngx_http_codat_consumers_replay[] =
{
    { NGX_HTTP_POST, ngx_http_codat_consumer_replay, 0, 1 },
    { 0, NULL, 0, 0 }
};


static const ngx_http_codat_consumer_method_t
    ngx_http_codat_consumers_secret[] =
{
    { NGX_HTTP_POST, ngx_http_codat_consumer_secret, 0, 0 },
    { 0, NULL, 0, 0 }
};


static const ngx_http_codat_consumer_method_t
    ngx_http_codat_consumers_samples[] =
{
    { NGX_HTTP_GET|NGX_HTTP_HEAD, ngx_http_codat_samples, 0, 0 },
    { 0, NULL, 0, 0 }
};


static const ngx_http_codat_consumer_method_t
    ngx_http_codat_consumers_key[] =
{
    { NGX_HTTP_POST, ngx_http_codat_consumer_key_rotate, 1, 0 },
    { 0, NULL, 0, 0 }
};


static const ngx_http_codat_consumer_path_t
    ngx_http_codat_consumer_paths[] =
{
    { ngx_string(""), 0, ngx_string("GET, HEAD, POST"),
      ngx_http_codat_consumers_all },
    { ngx_string("samples"), 0, ngx_string("GET, HEAD"),
      ngx_http_codat_consumers_samples },
    { ngx_string("integrationKeys/zapier"), 0, ngx_string("POST"),
      ngx_http_codat_consumers_key },
    { ngx_string(""), 1, ngx_string("GET, HEAD, PATCH, DELETE"),
      ngx_http_codat_consumers_one },
    { ngx_string("replay"), 1, ngx_string("POST"),
      ngx_http_codat_consumers_replay },
    { ngx_string("rotateSecret"), 1, ngx_string("POST"),
      ngx_http_codat_consumers_secret },
    { ngx_null_string, 0, ngx_null_string, NULL }
};


ngx_int_t
ngx_http_codat_consumers_handler(ngx_http_request_t *r)
{
    ngx_str_t                              path, uid;
    ngx_http_codat_ctx_t                  *ctx;
    const ngx_http_codat_consumer_path_t  *found;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "codat consumers handler: \"%V\"", &r->uri);

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ctx->request = r;

    ngx_http_set_ctx(r, ctx, ngx_http_codat_module);

    found = NULL;

    if (ngx_http_codat_consumers_path(r, &path) == NGX_OK) {
        found = ngx_http_codat_consumers_find(&path, &uid);
    }

    if (found == NULL) {
        return ngx_http_codat_consumer_error(r, NGX_HTTP_NOT_FOUND, NULL,
                                             "there is no such path");
    }

    return ngx_http_codat_consumers_call(r, found, &uid);
}


/*
 * What is behind "webhooks", which follows the name of the location or is in
 * it, as in an exact location for a single path.
 */

static ngx_int_t
ngx_http_codat_consumers_path(ngx_http_request_t *r, ngx_str_t *path)
{
    u_char                     *p, *last;
    ngx_str_t                  *location;
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    location = &cdlcf->api.location;

    /* "rewrite ... break" may have left another one */

    if (r->uri.len < location->len
        || ngx_filename_cmp(r->uri.data, location->data, location->len) != 0)
    {
        return NGX_DECLINED;
    }

    last = r->uri.data + r->uri.len;

    path->data = r->uri.data + location->len;
    path->len = r->uri.len - location->len;

    if (location->data[location->len - 1] == '/') {
        path->data--;
        path->len++;
    }

    if (ngx_http_codat_consumers_begins(path) == NGX_OK) {
        return NGX_OK;
    }

    for (p = r->uri.data + location->len; p > r->uri.data; p--) {

        if (p[-1] != '/') {
            continue;
        }

        path->data = p - 1;
        path->len = (size_t) (last - path->data);

        if (ngx_http_codat_consumers_begins(path) == NGX_OK) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* takes "/webhooks" off, and a slash at either end of the rest */

static ngx_int_t
ngx_http_codat_consumers_begins(ngx_str_t *path)
{
    size_t  len;

    len = 1 + ngx_http_codat_webhooks.len;

    if (path->len < len
        || path->data[0] != '/'
        || ngx_strncmp(path->data + 1, ngx_http_codat_webhooks.data, len - 1)
           != 0
        || (path->len > len && path->data[len] != '/'))
    {
        return NGX_DECLINED;
    }

    path->data += len;
    path->len -= len;

    if (path->len) {
        path->data++;
        path->len--;
    }

    if (path->len && path->data[path->len - 1] == '/') {
        path->len--;
    }

    return NGX_OK;
}


static const ngx_http_codat_consumer_path_t *
ngx_http_codat_consumers_find(ngx_str_t *path, ngx_str_t *uid)
{
    ngx_uint_t                             of;
    const ngx_http_codat_consumer_path_t  *known;

    of = ngx_http_codat_consumers_uid(path, uid);

    for (known = ngx_http_codat_consumer_paths; known->methods; known++) {

        if (known->uid == of
            && known->path.len == path->len
            && ngx_strncmp(known->path.data, path->data, path->len) == 0)
        {
            return known;
        }
    }

    return NULL;
}


/* cuts the id of a consumer off, as it is in the store: in lower case */

static ngx_uint_t
ngx_http_codat_consumers_uid(ngx_str_t *path, ngx_str_t *uid)
{
    u_char  bytes[16];

    ngx_str_null(uid);

    if (path->len < NGX_CODAT_CONSUMER_UID
        || (path->len > NGX_CODAT_CONSUMER_UID
            && path->data[NGX_CODAT_CONSUMER_UID] != '/'))
    {
        return 0;
    }

    uid->data = path->data;
    uid->len = NGX_CODAT_CONSUMER_UID;

    if (ngx_codat_uuid_parse(uid, bytes) != NGX_OK) {
        ngx_str_null(uid);
        return 0;
    }

    path->data += ngx_min(uid->len + 1, path->len);
    path->len -= ngx_min(uid->len + 1, path->len);

    return 1;
}


static ngx_int_t
ngx_http_codat_consumers_call(ngx_http_request_t *r,
    const ngx_http_codat_consumer_path_t *path, ngx_str_t *uid)
{
    ngx_str_t                                allow;
    ngx_http_codat_ctx_t                    *ctx;
    ngx_http_codat_call_t                   *call;
    ngx_http_codat_loc_conf_t               *cdlcf;
    const ngx_http_codat_consumer_method_t  *method;

    for (method = path->methods; method->method; method++) {

        if (r->method & method->method) {
            break;
        }
    }

    if (method->method == 0) {
        allow = path->allow;

        if (ngx_http_codat_header_add(r, &ngx_http_codat_allow, &allow)
            != NGX_OK)
        {
            return NGX_HTTP_SERVICE_UNAVAILABLE;
        }

        return ngx_http_codat_consumer_error(r, NGX_HTTP_NOT_ALLOWED, NULL,
                                             "the methods of this path are "
                                             "%V", &allow);
    }

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);
    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    call = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_call_t));
    if (call == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    call->uid.data = ngx_pnalloc(r->pool, NGX_CODAT_CONSUMER_UID);
    if (call->uid.data == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    call->uid.len = uid->len;
    ngx_strlow(call->uid.data, uid->data, uid->len);

    call->conf = cdlcf->api.consumers;
    call->zone = call->conf->zone->data;
    call->handler = method->handler;
    call->reads = method->reads;

    ctx->call = call;

    if (method->open) {
        return ngx_http_codat_consumers_go(r, call);
    }

    return ngx_http_codat_consumer_key(r, call);
}


ngx_int_t
ngx_http_codat_consumers_go(ngx_http_request_t *r,
    ngx_http_codat_call_t *call)
{
    ngx_int_t  rc;

    if (!call->reads) {
        return call->handler(r, call);
    }

    if (r->headers_in.content_length_n > NGX_HTTP_CODAT_CONSUMER_BODY) {
        return ngx_http_codat_consumer_error(r,
                                          NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                          NULL, "the body is larger than %d "
                                          "bytes",
                                          NGX_HTTP_CODAT_CONSUMER_BODY);
    }

    if (ngx_http_codat_consumers_plain(r) != NGX_OK) {
        return ngx_http_codat_consumer_error(r,
                                          NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                          NULL, "Content-Encoding is not "
                                          "identity");
    }

    /* whatever Content-Type says: "curl -d" says that it is a form */

    r->request_body_file_log_level = 0;

    rc = ngx_http_read_client_request_body(r,
                                       ngx_http_codat_consumers_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_http_codat_consumers_plain(ngx_http_request_t *r)
{
    ngx_table_elt_t   *encoding;

    static ngx_str_t   header = ngx_string("Content-Encoding");
    static ngx_str_t   identity = ngx_string("identity");

    encoding = ngx_http_codat_header_find(&r->headers_in.headers, &header);

    if (encoding == NULL
        || (encoding->value.len == identity.len
            && ngx_strncasecmp(encoding->value.data, identity.data,
                               identity.len)
               == 0))
    {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static void
ngx_http_codat_consumers_body_handler(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_http_codat_consumers_body(r));
}


static ngx_int_t
ngx_http_codat_consumers_body(ngx_http_request_t *r)
{
    ngx_http_codat_ctx_t   *ctx;
    ngx_http_codat_call_t  *call;

    ctx = ngx_http_get_module_ctx(r, ngx_http_codat_module);

    call = ctx->call;

    if (ngx_http_codat_body(r, &call->body) != NGX_OK) {
        return ngx_http_codat_consumer_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                             NULL, "the body can't be read at "
                                             "present");
    }

    /* one without a length */

    if (call->body.len > NGX_HTTP_CODAT_CONSUMER_BODY) {
        return ngx_http_codat_consumer_error(r,
                                          NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                          NULL, "the body is larger than %d "
                                          "bytes",
                                          NGX_HTTP_CODAT_CONSUMER_BODY);
    }

    return call->handler(r, call);
}
