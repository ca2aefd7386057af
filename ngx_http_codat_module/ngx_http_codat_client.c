
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_client.h"
#include "ngx_http_codat_server_name.h"


/* what has to live as long as the connection */

typedef struct {
    ngx_log_t                  log;
    ngx_http_log_ctx_t         log_ctx;
    ngx_http_connection_t      hc;
    ngx_http_addr_conf_t       addr;
    struct sockaddr_in         sockaddr;
    ngx_buf_t                  buffer;
    ngx_http_request_t        *carried;     /* the subrequest */
    ngx_http_posted_request_t  posted;
} ngx_http_codat_client_t;


static ngx_connection_t *ngx_http_codat_client_connect(
    ngx_http_conf_ctx_t *conf);
static ngx_int_t ngx_http_codat_client_request(ngx_http_request_t *r,
    ngx_http_conf_ctx_t *conf, ngx_http_codat_client_call_t *call);
static ngx_int_t ngx_http_codat_client_headers(ngx_http_request_t *r,
    ngx_http_codat_client_call_t *call);
static ngx_int_t ngx_http_codat_client_header(ngx_http_request_t *r,
    ngx_str_t *line);
static ngx_http_codat_client_t *ngx_http_codat_client_of(
    ngx_http_request_t *r);
static void ngx_http_codat_client_handler(ngx_event_t *ev);
static void ngx_http_codat_client_close(ngx_connection_t *c);
static u_char *ngx_http_codat_client_log(ngx_log_t *log, u_char *buf,
    size_t len);


static ngx_str_t  ngx_http_codat_client_addr = ngx_string("127.0.0.1");


ngx_http_request_t *
ngx_http_codat_client_create(ngx_http_conf_ctx_t *conf,
    ngx_http_codat_client_call_t *call)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ngx_http_codat_client_connect(conf);
    if (c == NULL) {
        return NULL;
    }

    r = ngx_http_create_request(c);
    if (r == NULL) {
        ngx_http_codat_client_close(c);
        return NULL;
    }

    c->data = r;

    if (ngx_http_codat_client_request(r, conf, call) != NGX_OK) {
        ngx_http_codat_client_free(r);
        return NULL;
    }

    return r;
}


/*
 * Upstreams look whether the events of the client's connection are active,
 * and leave alone those that are; there is no descriptor behind them.
 */

static ngx_connection_t *
ngx_http_codat_client_connect(ngx_http_conf_ctx_t *conf)
{
    ngx_log_t                  *log;
    ngx_pool_t                 *pool;
    ngx_connection_t           *c;
    ngx_http_codat_client_t    *client;
    ngx_http_core_loc_conf_t   *clcf;

    clcf = conf->loc_conf[ngx_http_core_module.ctx_index];

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    client = ngx_pcalloc(pool, sizeof(ngx_http_codat_client_t));

    c = client ? ngx_get_connection(0, ngx_cycle->log) : NULL;

    if (c == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    log = &client->log;
    *log = *clcf->error_log;

    log->data = &client->log_ctx;
    log->handler = ngx_http_codat_client_log;
    log->action = NULL;
    log->connection = c->number;

    client->log_ctx.connection = c;

    client->sockaddr.sin_family = AF_INET;
    client->sockaddr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    client->addr.default_server =
                           conf->srv_conf[ngx_http_core_module.ctx_index];
    client->hc.addr_conf = &client->addr;
    client->hc.conf_ctx = conf;

    c->fd = (ngx_socket_t) -1;
    c->pool = pool;
    c->log = log;
    c->data = &client->hc;
    c->buffer = &client->buffer;
    c->read->log = log;
    c->read->handler = ngx_http_codat_client_handler;
    c->write->log = log;
    c->write->handler = ngx_http_codat_client_handler;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->log_error = NGX_ERROR_INFO;
    c->start_time = ngx_current_msec;

    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;

    c->read->active = 1;
    c->write->active = 1;
    c->write->ready = 1;

    c->sockaddr = (struct sockaddr *) &client->sockaddr;
    c->socklen = sizeof(struct sockaddr_in);
    c->local_sockaddr = c->sockaddr;
    c->local_socklen = c->socklen;
    c->addr_text = ngx_http_codat_client_addr;

    return c;
}


static ngx_int_t
ngx_http_codat_client_request(ngx_http_request_t *r,
    ngx_http_conf_ctx_t *conf, ngx_http_codat_client_call_t *call)
{
    u_char     *p;
    ngx_str_t   uri;

    uri.len = call->uri.len;
    uri.data = ngx_pstrdup(r->pool, &call->uri);

    if (uri.data == NULL) {
        return NGX_ERROR;
    }

    r->main_conf = conf->main_conf;
    r->srv_conf = conf->srv_conf;
    r->loc_conf = conf->loc_conf;

    r->method = NGX_HTTP_POST;
    ngx_str_set(&r->method_name, "POST");
    ngx_str_set(&r->http_protocol, "HTTP/1.1");
    r->http_version = NGX_HTTP_VERSION_11;
    r->http_major = 1;
    r->http_minor = 1;

    r->unparsed_uri = uri;
    r->uri = uri;

    p = ngx_strlchr(uri.data, uri.data + uri.len, '?');

    if (p) {
        r->uri.len = (size_t) (p - uri.data);
        r->args.data = p + 1;
        r->args.len = (size_t) (uri.data + uri.len - r->args.data);
    }

    r->valid_location = 1;
    r->keepalive = 0;
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (ngx_http_codat_client_headers(r, call) != NGX_OK) {
        return NGX_ERROR;
    }

    r->http_connection->addr_conf->virtual_names = call->names;

    return ngx_http_codat_server_name_captures(r);
}


static ngx_int_t
ngx_http_codat_client_headers(ngx_http_request_t *r,
    ngx_http_codat_client_call_t *call)
{
    u_char     *p, *last;
    ngx_str_t   line;

    r->headers_in.content_length_n = -1;
    r->headers_in.keep_alive_n = -1;

    if (ngx_list_init(&r->headers_in.headers, r->pool, 8,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (call->host.len) {

        line.len = sizeof("Host: ") - 1 + call->host.len;
        line.data = ngx_pnalloc(r->pool, line.len);

        if (line.data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_sprintf(line.data, "Host: %V", &call->host);

        if (ngx_http_codat_client_header(r, &line) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_http_codat_server_name_set(r, &r->headers_in.host->value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    p = ngx_pstrdup(r->pool, &call->headers);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = p + call->headers.len;

    while (p < last) {
        line.data = p;

        while (p < last && *p != '\n') {
            p++;
        }

        line.len = (size_t) (p - line.data);
        p++;

        if (ngx_http_codat_client_header(r, &line) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_client_header(ngx_http_request_t *r, ngx_str_t *line)
{
    u_char           *colon;
    ngx_table_elt_t  *h;

    colon = ngx_strlchr(line->data, line->data + line->len, ':');

    if (colon == NULL || line->data + line->len - colon < 2) {
        return NGX_OK;
    }

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key.data = line->data;
    h->key.len = (size_t) (colon - line->data);
    h->value.data = colon + 2;
    h->value.len = (size_t) (line->data + line->len - h->value.data);

    h->lowcase_key = ngx_pnalloc(r->pool, h->key.len);
    if (h->lowcase_key == NULL) {
        return NGX_ERROR;
    }

    h->hash = ngx_hash_strlow(h->lowcase_key, h->key.data, h->key.len);
    ngx_http_codat_header_end(h);

    if (h->key.len == 4 && ngx_memcmp(h->lowcase_key, "host", 4) == 0) {
        r->headers_in.host = h;
    }

    if (h->key.len == 12 && ngx_memcmp(h->lowcase_key, "content-type", 12) == 0)
    {
        r->headers_in.content_type = h;
    }

    return NGX_OK;
}


void
ngx_http_codat_client_carries(ngx_http_request_t *r, ngx_http_request_t *sr)
{
    ngx_http_codat_client_of(r)->carried = sr;
}


static ngx_http_codat_client_t *
ngx_http_codat_client_of(ngx_http_request_t *r)
{
    return (ngx_http_codat_client_t *)
               ((u_char *) r->http_connection
                - offsetof(ngx_http_codat_client_t, hc));
}


static void
ngx_http_codat_client_handler(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *sr;
    ngx_http_codat_client_t  *client;

    c = ev->data;

    if (!ev->delayed || !ev->timedout) {
        return;
    }

    ev->delayed = 0;
    ev->timedout = 0;

    client = ngx_http_codat_client_of(c->data);
    sr = client->carried;

    if (sr == NULL || sr->done) {
        return;
    }

    (void) ngx_http_post_request(sr, &client->posted);

    ngx_http_run_posted_requests(c);
}


void
ngx_http_codat_client_free(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    /* the access log is about clients */

    r->logged = 1;

    ngx_http_free_request(r, 0);

    ngx_http_codat_client_close(c);
}


static void
ngx_http_codat_client_close(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

    pool = c->pool;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    c->destroyed = 1;
    c->read->closed = 1;
    c->write->closed = 1;

    ngx_free_connection(c);

    ngx_destroy_pool(pool);
}


/* what upstreams log */

static u_char *
ngx_http_codat_client_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char              *p;
    ngx_http_request_t  *r;
    ngx_http_log_ctx_t  *ctx;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= (size_t) (p - buf);
        buf = p;
    }

    p = ngx_snprintf(buf, len, ", without a client");
    len -= (size_t) (p - buf);
    buf = p;

    ctx = log->data;
    r = ctx->request;

    return r ? r->log_handler(r, ctx->current_request, buf, len) : buf;
}
