
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_child.h"
#include "ngx_http_codat_client.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_server_name.h"


typedef struct {
    ngx_str_t   key;
    ngx_str_t   lowcase;
} ngx_http_codat_name_t;


static ngx_int_t ngx_http_codat_child_uri(ngx_http_request_t *r,
    ngx_http_codat_child_t *child);
static ngx_uint_t ngx_http_codat_child_uri_safe(ngx_str_t *uri);
static ngx_int_t ngx_http_codat_child_body(ngx_http_request_t *r,
    ngx_http_codat_child_t *child);
static ngx_int_t ngx_http_codat_child_headers(ngx_http_request_t *r,
    ngx_http_codat_child_t *child, ngx_http_headers_in_t *headers);
static ngx_uint_t ngx_http_codat_child_raw(ngx_http_codat_child_t *child);
static ngx_int_t ngx_http_codat_child_raw_headers(ngx_http_request_t *r,
    ngx_http_headers_in_t *headers);
static ngx_table_elt_t *ngx_http_codat_child_header(ngx_http_request_t *r,
    ngx_http_headers_in_t *headers, const ngx_http_codat_name_t *name,
    ngx_str_t *value);
static void ngx_http_codat_child_named(ngx_http_request_t *sr);
static void ngx_http_codat_child_refuse(ngx_http_request_t *sr);
static ngx_http_codat_child_t *ngx_http_codat_child_of(ngx_http_request_t *r);
static ngx_int_t ngx_http_codat_child_done(ngx_http_request_t *sr,
    void *data, ngx_int_t rc);
static ngx_uint_t ngx_http_codat_child_success(ngx_http_request_t *sr,
    ngx_http_codat_child_t *child);


static const ngx_http_codat_name_t  ngx_http_codat_host = {
    ngx_string("Host"), ngx_string("host")
};

static const ngx_http_codat_name_t  ngx_http_codat_content_type = {
    ngx_string("Content-Type"), ngx_string("content-type")
};

static const ngx_http_codat_name_t  ngx_http_codat_content_length = {
    ngx_string("Content-Length"), ngx_string("content-length")
};

static const ngx_http_codat_name_t  ngx_http_codat_webhook_id = {
    ngx_string("webhook-id"), ngx_string("webhook-id")
};


ngx_int_t
ngx_http_codat_child_prepare(ngx_http_request_t *r,
    ngx_http_codat_child_t *child)
{
    ngx_int_t  rc;

    rc = ngx_http_codat_child_uri(r, child);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_codat_child_body(r, child);
}


static ngx_int_t
ngx_http_codat_child_uri(ngx_http_request_t *r,
    ngx_http_codat_child_t *child)
{
    ngx_http_codat_forward_t  *forward;

    forward = child->forward;

    if (forward->named.len) {
        child->uri = r->uri;
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, forward->uri, &child->uri) != NGX_OK) {
        return NGX_ERROR;
    }

    if (forward->args
        && ngx_http_codat_template_run(r, forward->args, &child->args)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_codat_child_uri_safe(&child->uri)) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "codat: the variables of codat_forward \"%V\" yield an "
                  "unsafe URI", &forward->target);

    return NGX_DECLINED;
}


/* what a payload says must not lead out of the path that was configured */

static ngx_uint_t
ngx_http_codat_child_uri_safe(ngx_str_t *uri)
{
    u_char  *p, *last, *segment;

    if (uri->len == 0 || uri->data[0] != '/') {
        return 0;
    }

    last = uri->data + uri->len;
    segment = uri->data + 1;

    for (p = segment; p <= last; p++) {

        if (p < last && *p == '\0') {
            return 0;
        }

        if (p < last && *p != '/') {
            continue;
        }

        if ((p - segment == 1 && segment[0] == '.')
            || (p - segment == 2 && segment[0] == '.' && segment[1] == '.'))
        {
            return 0;
        }

        segment = p + 1;
    }

    return 1;
}


static ngx_int_t
ngx_http_codat_child_body(ngx_http_request_t *r,
    ngx_http_codat_child_t *child)
{
    ngx_buf_t    *b;
    ngx_str_t    *piece;
    ngx_uint_t    i;
    ngx_chain_t  *cl, **ll;

    ll = &child->body;
    b = NULL;

    for (i = 0; i < child->rendered->n; i++) {
        piece = &child->rendered->pieces[i];

        if (piece->len == 0) {
            continue;
        }

        cl = ngx_alloc_chain_link(r->pool);
        b = ngx_calloc_buf(r->pool);

        if (cl == NULL || b == NULL) {
            return NGX_ERROR;
        }

        b->start = piece->data;
        b->pos = piece->data;
        b->last = piece->data + piece->len;
        b->end = b->last;
        b->memory = 1;

        cl->buf = b;
        cl->next = NULL;

        *ll = cl;
        ll = &cl->next;

        child->length += (off_t) piece->len;
    }

    if (b == NULL) {

        /* a template that yields nothing is sent as nothing */

        child->body = ngx_alloc_chain_link(r->pool);
        b = ngx_calloc_buf(r->pool);

        if (child->body == NULL || b == NULL) {
            return NGX_ERROR;
        }

        child->body->buf = b;
        child->body->next = NULL;
    }

    b->last_buf = 1;
    b->last_in_chain = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_child_start(ngx_http_request_t *r,
    ngx_http_codat_child_t *child)
{
    unsigned                    count;
    ngx_http_request_t         *sr;
    ngx_http_headers_in_t       headers;
    ngx_http_request_body_t    *body;
    ngx_http_variable_value_t  *variables;
    ngx_http_core_main_conf_t  *cmcf;

    static ngx_str_t            method = ngx_string("POST");

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    variables = ngx_pcalloc(r->pool, cmcf->variables.nelts
                                     * sizeof(ngx_http_variable_value_t));

    if (body == NULL
        || variables == NULL
        || ngx_http_codat_child_headers(r, child, &headers) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_codat_child_raw(child)
        && ngx_http_codat_child_raw_headers(r, &headers) != NGX_OK)
    {
        return NGX_ERROR;
    }

    body->bufs = child->body;

    child->post.handler = ngx_http_codat_child_done;
    child->post.data = child;

    count = r->main->count;

    if (ngx_http_subrequest(r, &child->uri, &child->args, &sr, &child->post,
                            NGX_HTTP_SUBREQUEST_BACKGROUND)
        != NGX_OK)
    {
        /* it may have failed behind the point of counting */

        r->main->count = count & 0xffff;

        return NGX_ERROR;
    }

    child->request = sr;

    if (r->connection->fd == (ngx_socket_t) -1) {
        ngx_http_codat_client_carries(r, sr);
    }

    sr->method = NGX_HTTP_POST;
    sr->method_name = method;
    sr->headers_in = headers;
    sr->request_body = body;
    sr->variables = variables;

    if (child->forward->named.len) {
        sr->write_event_handler = ngx_http_codat_child_named;
    }

    /*
     * Variables are the child's own, lest it sees what was made of the headers
     * of the webhook.  Without captures, which are made once for a request
     * only, it would at worst go to a wrong place.
     */

    if (ngx_http_codat_server_name_captures(sr) != NGX_OK) {
        sr->write_event_handler = ngx_http_codat_child_refuse;
    }

    return NGX_OK;
}


static void
ngx_http_codat_child_refuse(ngx_http_request_t *sr)
{
    ngx_http_finalize_request(sr, NGX_HTTP_SERVICE_UNAVAILABLE);
}


/* a list of its own, since the parent's headers hold Codat's credentials */

static ngx_int_t
ngx_http_codat_child_headers(ngx_http_request_t *r,
    ngx_http_codat_child_t *child, ngx_http_headers_in_t *headers)
{
    u_char     *p;
    ngx_str_t   length;

    ngx_memzero(headers, sizeof(ngx_http_headers_in_t));

    headers->content_length_n = -1;
    headers->keep_alive_n = -1;
    headers->server = r->headers_in.server;

    if (ngx_list_init(&headers->headers, r->pool, 8, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (r->headers_in.host) {
        headers->host = ngx_http_codat_child_header(r, headers,
                                              &ngx_http_codat_host,
                                              &r->headers_in.host->value);
        if (headers->host == NULL) {
            return NGX_ERROR;
        }
    }

    if (child->rendered->type.len) {
        headers->content_type = ngx_http_codat_child_header(r, headers,
                                           &ngx_http_codat_content_type,
                                           &child->rendered->type);
        if (headers->content_type == NULL) {
            return NGX_ERROR;
        }
    }

    p = ngx_pnalloc(r->pool, NGX_OFF_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    length.data = p;
    length.len = (size_t) (ngx_sprintf(p, "%O", child->length) - p);

    headers->content_length = ngx_http_codat_child_header(r, headers,
                                   &ngx_http_codat_content_length, &length);
    if (headers->content_length == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_codat_child_raw(child)) {
        return NGX_OK;
    }

    if (ngx_http_codat_child_header(r, headers,
                                     &ngx_http_codat_webhook_id,
                                     &child->ctx->key)
        == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* whether the headers of the webhook go along; what goes out has its own */

static ngx_uint_t
ngx_http_codat_child_raw(ngx_http_codat_child_t *child)
{
    return child->ctx->outgoing
           || child->forward->format == &ngx_http_codat_format_raw;
}


static ngx_int_t
ngx_http_codat_child_raw_headers(ngx_http_request_t *r,
    ngx_http_headers_in_t *headers)
{
    ngx_table_elt_t               *h, *copy;
    ngx_http_codat_header_iter_t   iter =
                          ngx_http_codat_header_iter(&r->headers_in.headers);

    while ((h = ngx_http_codat_header_next(&iter)) != NULL) {

        if (!ngx_http_codat_child_passes(r, h)) {
            continue;
        }

        copy = ngx_list_push(&headers->headers);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = *h;
        ngx_http_codat_header_end(copy);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_codat_child_passes(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_uint_t                    i;
    ngx_http_codat_loc_conf_t    *cdlcf;
    ngx_http_codat_credential_t  *credentials;

    if ((h->key.len < sizeof("webhook-") - 1
         || ngx_strncmp(h->lowcase_key, "webhook-", sizeof("webhook-") - 1)
            != 0)
        && (h->key.len < sizeof("svix-") - 1
            || ngx_strncmp(h->lowcase_key, "svix-", sizeof("svix-") - 1)
               != 0)
        && (h->key.len != sizeof("x-codat-clientid") - 1
            || ngx_strncmp(h->lowcase_key, "x-codat-clientid", h->key.len)
               != 0))
    {
        return 0;
    }

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    if (cdlcf->credentials == NULL) {
        return 1;
    }

    credentials = cdlcf->credentials->elts;

    for (i = 0; i < cdlcf->credentials->nelts; i++) {

        if (credentials[i].kind == NGX_HTTP_CODAT_HEADER
            && credentials[i].name.len == h->key.len
            && ngx_strncmp(credentials[i].name.data, h->lowcase_key,
                           h->key.len)
               == 0)
        {
            return 0;
        }
    }

    return 1;
}


static ngx_table_elt_t *
ngx_http_codat_child_header(ngx_http_request_t *r,
    ngx_http_headers_in_t *headers, const ngx_http_codat_name_t *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&headers->headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key = name->key;
    h->lowcase_key = name->lowcase.data;
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
    h->value = *value;
    ngx_http_codat_header_end(h);

    return h;
}


/* subrequests know URIs only: this one turns to its location when it starts */

static void
ngx_http_codat_child_named(ngx_http_request_t *sr)
{
    ngx_http_codat_child_t  *child;

    child = sr->post_subrequest->data;

    (void) ngx_http_named_location(sr, &child->forward->named);

    ngx_http_finalize_request(sr, NGX_DONE);
}


void
ngx_http_codat_child_wake(ngx_http_codat_child_t *child)
{
    if (child->running && child->held) {
        ngx_http_codat_child_post(child->request, &child->posted);
    }
}


void
ngx_http_codat_child_post(ngx_http_request_t *r, ngx_http_posted_request_t *pr)
{
    ngx_http_posted_request_t  *posted;

    for (posted = r->main->posted_requests; posted; posted = posted->next) {

        if (posted == pr) {
            return;
        }
    }

    (void) ngx_http_post_request(r, pr);
}


ngx_int_t
ngx_http_codat_child_rewrite_handler(ngx_http_request_t *r)
{
    if (ngx_http_codat_child_of(r)) {
        r->headers_in.content_length_n = -1;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_codat_child_preaccess_handler(ngx_http_request_t *r)
{
    ngx_http_codat_child_t  *child;

    child = ngx_http_codat_child_of(r);

    if (child) {
        r->headers_in.content_length_n = child->length;
        child->held = 1;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_codat_child_precontent_handler(ngx_http_request_t *r)
{
    ngx_http_codat_child_t  *child;

    child = ngx_http_codat_child_of(r);

    if (child) {
        child->held = 0;
    }

    return NGX_DECLINED;
}


static ngx_http_codat_child_t *
ngx_http_codat_child_of(ngx_http_request_t *r)
{
    if (r != r->main
        && r->post_subrequest
        && r->post_subrequest->handler == ngx_http_codat_child_done)
    {
        return r->post_subrequest->data;
    }

    return NULL;
}


ngx_uint_t
ngx_http_codat_child_is(ngx_http_request_t *r)
{
    for ( /* void */ ; r != r->main; r = r->parent) {

        if (ngx_http_codat_child_of(r)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Called each time that the core finalizes the subrequest, which it does
 * once more after it has made a page of a status, or followed an error_page:
 * only what does not lead there is the end.  Nor may a child's failure be
 * returned as such, for it would terminate the webhook.
 */

static ngx_int_t
ngx_http_codat_child_done(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_http_codat_child_t  *child = data;

    switch (rc) {

    case NGX_ERROR:
        child->status = NGX_HTTP_BAD_GATEWAY;
        break;

    case NGX_HTTP_REQUEST_TIME_OUT:
    case NGX_HTTP_CLIENT_CLOSED_REQUEST:
    case NGX_HTTP_CLOSE:
        child->status = (ngx_uint_t) rc;
        break;

    default:
        if (rc >= NGX_HTTP_SPECIAL_RESPONSE
            || rc == NGX_HTTP_CREATED
            || rc == NGX_HTTP_NO_CONTENT)
        {
            return rc;
        }

        /* there is none where the answer was not HTTP/1 */

        child->status = sr->headers_out.status ? sr->headers_out.status
                                               : NGX_HTTP_BAD_GATEWAY;
    }

    if (sr->connection->error) {

        /*
         * The client has gone, over HTTP/2.  The core would end the webhook
         * with the first of its forwards, and with it the others.
         */

        child->ctx->gone = 1;
        sr->connection->error = 0;
    }

    if (child->running) {
        child->running = 0;
        child->succeeded = ngx_http_codat_child_success(sr, child) & 1;
        child->ended(sr, child);
    }

    return NGX_OK;
}


/*
 * A page that error_page or X-Accel-Redirect led to, by GET, says nothing of
 * the event; a named location, which still has it, does.
 */

static ngx_uint_t
ngx_http_codat_child_success(ngx_http_request_t *sr,
    ngx_http_codat_child_t *child)
{
    if (child->status < NGX_HTTP_OK
        || child->status >= NGX_HTTP_SPECIAL_RESPONSE)
    {
        return 0;
    }

    if (sr->method != NGX_HTTP_POST) {
        child->status = NGX_HTTP_BAD_GATEWAY;
        return 0;
    }

    return 1;
}
