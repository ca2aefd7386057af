
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_guard.h"


#define NGX_HTTP_CODAT_GUARD_WHY  512


struct ngx_http_codat_guard_s {
    ngx_codat_allow_t               allow;
    ngx_http_upstream_main_conf_t  *upstreams;
};


/* of a request without a client; lies in its pool */

typedef struct {
    ngx_http_codat_guard_t         *guard;
    ngx_codat_url_t                 url;
    ngx_http_request_t             *request;  /* the guarded subrequest */
    ngx_http_handler_pt             content;  /* its handler */
    ngx_resolver_ctx_t             *ctx;      /* of a question of ours */
    ngx_resolver_handler_pt         handler;  /* of a question of nginx */
    void                           *data;     /* and its data */
    ngx_int_t                       rc;       /* what the answer was */
    ngx_str_t                       why;
    u_char                          buf[NGX_HTTP_CODAT_GUARD_WHY];
} ngx_http_codat_guarded_t;


static ngx_int_t ngx_http_codat_guard_upstream(ngx_http_codat_guard_t *guard,
    ngx_codat_url_t *url, ngx_str_t *why);
static ngx_uint_t ngx_http_codat_guard_known(ngx_http_codat_guard_t *guard,
    ngx_codat_url_t *url);
static ngx_int_t ngx_http_codat_guard_refuse(ngx_str_t *why,
    const char *text);
static ngx_http_codat_guarded_t *ngx_http_codat_guard_of(
    ngx_http_request_t *r);
static void ngx_http_codat_guard_cleanup(void *data);
static ngx_int_t ngx_http_codat_guard_content(ngx_http_request_t *r);
static ngx_int_t ngx_http_codat_guard_resolve(ngx_http_request_t *r,
    ngx_http_codat_guarded_t *guarded);
static void ngx_http_codat_guard_resolved(ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_http_codat_guard_answer(
    ngx_http_codat_guarded_t *guarded, ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_http_codat_guard_address(
    ngx_http_codat_guarded_t *guarded, struct sockaddr *sockaddr,
    socklen_t socklen);
static ngx_int_t ngx_http_codat_guard_pass(ngx_http_request_t *r,
    ngx_http_codat_guarded_t *guarded);
static ngx_int_t ngx_http_codat_guard_started(ngx_http_request_t *r,
    ngx_http_codat_guarded_t *guarded);
static void ngx_http_codat_guard_again(ngx_resolver_ctx_t *ctx);
static void ngx_http_codat_guard_log(ngx_http_request_t *r,
    ngx_http_codat_guarded_t *guarded);


char *
ngx_http_codat_guard_conf(ngx_conf_t *cf, ngx_http_codat_guard_t **guard,
    ngx_str_t *allow)
{
    u_char      *p, *last;
    ngx_str_t    entry;
    const char  *err;

    if (*guard == NULL) {

        *guard = ngx_pcalloc(cf->pool, sizeof(ngx_http_codat_guard_t));

        if (*guard == NULL
            || ngx_codat_allow_init(&(*guard)->allow, cf->pool) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        (*guard)->upstreams = ngx_http_conf_get_module_main_conf(cf,
                                                    ngx_http_upstream_module);
    }

    if (allow == NULL) {
        return NGX_CONF_OK;
    }

    last = allow->data + allow->len;

    for (entry.data = allow->data; entry.data <= last; entry.data = p + 1) {

        p = ngx_strlchr(entry.data, last, ',');

        if (p == NULL) {
            p = last;
        }

        entry.len = (size_t) (p - entry.data);

        err = ngx_codat_allow_add(&(*guard)->allow, &entry);

        if (err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"codat_consumers\" has \"%V\" in \"allow=\", "
                               "which %s; HOST, *.HOST and * are allowed, each "
                               "also with http:// or :PORT, and ADDRESS[/BITS]",
                               &entry, err);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


void
ngx_http_codat_guard_resolver(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_str_t *named)
{
    ngx_http_core_loc_conf_t  **clcfp;

    clcfp = cscf->named_locations;

    if (clcfp == NULL) {
        return;
    }

    for ( /* void */ ; *clcfp; clcfp++) {

        if ((*clcfp)->name.len != named->len
            || ngx_strncmp((*clcfp)->name.data, named->data, named->len) != 0)
        {
            continue;
        }

        if ((*clcfp)->resolver == NULL
            || (*clcfp)->resolver->connections.nelts == 0)
        {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "location \"%V\" of \"codat_consumers\" has no "
                          "\"resolver\", so no consumer with a host name can "
                          "be delivered to", named);
        }

        return;
    }
}


ngx_int_t
ngx_http_codat_guard_url(ngx_http_codat_guard_t *guard, ngx_str_t *url,
    ngx_codat_url_t *parsed, ngx_str_t *why)
{
    const char  *err;

    err = ngx_codat_url_parse(url, parsed);

    if (err == NULL) {
        err = ngx_codat_allow_url(&guard->allow, parsed);
    }

    if (err) {
        return ngx_http_codat_guard_refuse(why, err);
    }

    return ngx_http_codat_guard_upstream(guard, parsed, why);
}


/*
 * nginx looks for an upstream of that name before it resolves one: that of an
 * "upstream" block, or one that some other proxy_pass has made, which has the
 * addresses of when nginx was started.  An entry has to name those.
 */

static ngx_int_t
ngx_http_codat_guard_upstream(ngx_http_codat_guard_t *guard,
    ngx_codat_url_t *url, ngx_str_t *why)
{
    if (!ngx_http_codat_guard_known(guard, url)
        || ngx_codat_allow_exactly(&guard->allow, url))
    {
        return NGX_OK;
    }

    return ngx_http_codat_guard_refuse(why, "has a host that is an upstream "
                                       "of this nginx");
}


static ngx_uint_t
ngx_http_codat_guard_known(ngx_http_codat_guard_t *guard,
    ngx_codat_url_t *url)
{
    ngx_uint_t                       i;
    ngx_http_upstream_srv_conf_t   **uscfp;

    uscfp = guard->upstreams->upstreams.elts;

    for (i = 0; i < guard->upstreams->upstreams.nelts; i++) {

        if (uscfp[i]->host.len == url->host.len
            && ((uscfp[i]->port == 0 && !url->ported)
                || uscfp[i]->port == url->port)
            && ngx_strncasecmp(uscfp[i]->host.data, url->host.data,
                               url->host.len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_codat_guard_refuse(ngx_str_t *why, const char *text)
{
    why->len = ngx_strlen(text);
    why->data = (u_char *) (uintptr_t) text;

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_codat_guard_arm(ngx_http_request_t *r,
    ngx_http_codat_guard_t *guard, ngx_codat_url_t *parsed)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_codat_guarded_t  *guarded;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_codat_guarded_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    guarded = cln->data;

    ngx_memzero(guarded, sizeof(ngx_http_codat_guarded_t));

    guarded->guard = guard;
    guarded->url = *parsed;

    cln->handler = ngx_http_codat_guard_cleanup;

    /* the resolver makes it lower case where it is */

    guarded->url.host.data = ngx_pstrdup(r->pool, &parsed->host);

    return guarded->url.host.data ? NGX_OK : NGX_ERROR;
}


ngx_str_t *
ngx_http_codat_guard_why(ngx_http_request_t *r)
{
    ngx_http_codat_guarded_t  *guarded;

    guarded = ngx_http_codat_guard_of(r);

    return guarded && guarded->why.len ? &guarded->why : NULL;
}


/*
 * By the cleanup, and not by a context: those of subrequests are cleared on
 * the way to a named location, and what is lost here would be let through.
 */

static ngx_http_codat_guarded_t *
ngx_http_codat_guard_of(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->main->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_codat_guard_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


static void
ngx_http_codat_guard_cleanup(void *data)
{
    ngx_http_codat_guarded_t *guarded = data;

    if (guarded->ctx) {
        ngx_resolve_name_done(guarded->ctx);
        guarded->ctx = NULL;
    }
}


/* what authorizes a subrequest, say, is not the one that goes out */

ngx_int_t
ngx_http_codat_guard_handler(ngx_http_request_t *r)
{
    ngx_http_codat_guarded_t  *guarded;

    if (r->connection->fd != (ngx_socket_t) -1
        || r == r->main
        || r->parent != r->main
        || r->content_handler == NULL
        || r->content_handler == ngx_http_codat_guard_content)
    {
        return NGX_DECLINED;
    }

    guarded = ngx_http_codat_guard_of(r);

    if (guarded) {
        guarded->request = r;
        guarded->content = r->content_handler;
        r->content_handler = ngx_http_codat_guard_content;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_codat_guard_content(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_codat_guarded_t  *guarded;

    guarded = ngx_http_codat_guard_of(r);

    rc = guarded ? ngx_http_codat_guard_resolve(r, guarded) : NGX_ERROR;

    switch (rc) {

    case NGX_OK:
        return ngx_http_codat_guard_pass(r, guarded);

    case NGX_AGAIN:
        r->main->count++;
        return NGX_DONE;

    case NGX_DECLINED:
        ngx_http_codat_guard_log(r, guarded);
        return NGX_HTTP_BAD_GATEWAY;

    default: /* NGX_ERROR */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


static ngx_int_t
ngx_http_codat_guard_resolve(ngx_http_request_t *r,
    ngx_http_codat_guarded_t *guarded)
{
    ngx_resolver_ctx_t        *ctx, temp;
    ngx_http_core_loc_conf_t  *clcf;

    /* the URL itself was checked before: neither is going to be resolved */

    if (guarded->url.literal
        || ngx_http_codat_guard_known(guarded->guard, &guarded->url))
    {
        return NGX_OK;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    temp.name = guarded->url.host;

    ctx = ngx_resolve_start(clcf->resolver, &temp);

    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ctx == NGX_NO_RESOLVER) {
        return ngx_http_codat_guard_refuse(&guarded->why, "has a host that "
                                           "can't be resolved: the location "
                                           "has no resolver");
    }

    ctx->name = guarded->url.host;
    ctx->handler = ngx_http_codat_guard_resolved;
    ctx->data = guarded;
    ctx->timeout = clcf->resolver_timeout;

    guarded->ctx = ctx;
    guarded->rc = NGX_AGAIN;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        guarded->ctx = NULL;
        return NGX_ERROR;
    }

    return guarded->rc;
}


static void
ngx_http_codat_guard_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_uint_t                 async;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_codat_guarded_t  *guarded;

    guarded = ctx->data;
    async = ctx->async;

    r = guarded->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    guarded->rc = ngx_http_codat_guard_answer(guarded, ctx);
    guarded->ctx = NULL;

    ngx_resolve_name_done(ctx);

    if (!async) {
        return;
    }

    if (guarded->rc == NGX_OK) {
        rc = ngx_http_codat_guard_pass(r, guarded);

    } else {
        ngx_http_codat_guard_log(r, guarded);
        rc = NGX_HTTP_BAD_GATEWAY;
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_codat_guard_answer(ngx_http_codat_guarded_t *guarded,
    ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t  i;

    if (ctx->state) {
        guarded->why.data = guarded->buf;
        guarded->why.len = (size_t) (ngx_snprintf(guarded->buf,
                                         NGX_HTTP_CODAT_GUARD_WHY,
                                         "has a host that can't be "
                                         "resolved (%i: %s)",
                                         ctx->state,
                                         ngx_resolver_strerror(ctx->state))
                                     - guarded->buf);
        return NGX_DECLINED;
    }

    for (i = 0; i < ctx->naddrs; i++) {

        if (ngx_http_codat_guard_address(guarded, ctx->addrs[i].sockaddr,
                                         ctx->addrs[i].socklen)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_guard_address(ngx_http_codat_guarded_t *guarded,
    struct sockaddr *sockaddr, socklen_t socklen)
{
    ngx_str_t             text;
    const char           *what;
    ngx_codat_address_t   address;
    u_char                buf[NGX_SOCKADDR_STRLEN];

    if (ngx_codat_address_of(sockaddr, &address) != NGX_OK) {
        what = "an address in no network";

    } else {
        what = ngx_codat_allow_address(&guarded->guard->allow, &guarded->url,
                                       &address);
    }

    if (what == NULL) {
        return NGX_OK;
    }

    text.data = buf;
    text.len = ngx_sock_ntop(sockaddr, socklen, buf, NGX_SOCKADDR_STRLEN, 0);

    guarded->why.data = guarded->buf;
    guarded->why.len = (size_t) (ngx_snprintf(guarded->buf,
                                              NGX_HTTP_CODAT_GUARD_WHY,
                                              "has a host at %V, %s", &text,
                                              what)
                                 - guarded->buf);

    return NGX_DECLINED;
}


/* lets nginx proxy, and looks at what it has begun before it can go on */

static ngx_int_t
ngx_http_codat_guard_pass(ngx_http_request_t *r,
    ngx_http_codat_guarded_t *guarded)
{
    ngx_int_t             rc;
    ngx_http_upstream_t  *u;

    rc = guarded->content(r);

    u = r->upstream;

    if (u == NULL || u->cleanup == NULL) {
        return rc;
    }

    if (ngx_http_codat_guard_started(r, guarded) != NGX_OK) {

        /* it gives one reference back, and another one with the status */

        r->main->count++;
        (*u->cleanup)(r);

        ngx_http_finalize_request(r, NGX_HTTP_BAD_GATEWAY);
    }

    return rc;
}


/*
 * A consumer must not lead nginx on either: X-Accel-Redirect in its answer
 * would make a request to any location of this server, also internal ones.
 */

static ngx_int_t
ngx_http_codat_guard_started(ngx_http_request_t *r,
    ngx_http_codat_guarded_t *guarded)
{
    ngx_resolver_ctx_t        *ctx;
    ngx_http_upstream_t       *u;
    ngx_http_upstream_conf_t  *conf;

    u = r->upstream;

    conf = ngx_palloc(r->pool, sizeof(ngx_http_upstream_conf_t));
    if (conf == NULL) {
        return NGX_ERROR;
    }

    *conf = *u->conf;
    conf->ignore_headers |= NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT
                            |NGX_HTTP_UPSTREAM_IGN_XA_LIMIT_RATE;
    u->conf = conf;

    /* what goes somewhere else does so because the location says it */

    if (u->resolved == NULL
        || guarded->url.literal
        || u->resolved->host.len != guarded->url.host.len
        || ngx_strncasecmp(u->resolved->host.data, guarded->url.host.data,
                           guarded->url.host.len)
           != 0)
    {
        return NGX_OK;
    }

    ctx = u->resolved->ctx;

    if (ctx) {
        guarded->handler = ctx->handler;
        guarded->data = ctx->data;

        ctx->handler = ngx_http_codat_guard_again;
        ctx->data = guarded;

        return NGX_OK;
    }

    if (u->upstream || u->peer.sockaddr == NULL) {
        return NGX_OK;
    }

    if (ngx_http_codat_guard_address(guarded, u->peer.sockaddr,
                                     u->peer.socklen)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "codat: \"%V\" was resolved to an address that was not "
                      "checked", &guarded->url.host);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the resolver was asked anew, see the head of the header */

static void
ngx_http_codat_guard_again(ngx_resolver_ctx_t *ctx)
{
    ngx_http_request_t        *r;
    ngx_http_codat_guarded_t  *guarded;

    guarded = ctx->data;
    r = guarded->request;

    ctx->handler = guarded->handler;
    ctx->data = guarded->data;

    if (ctx->state == NGX_OK
        && ngx_http_codat_guard_answer(guarded, ctx) != NGX_OK)
    {
        ngx_http_set_log_request(r->connection->log, r);
        ngx_http_codat_guard_log(r, guarded);

        ctx->state = NGX_RESOLVE_REFUSED;
    }

    ctx->handler(ctx);
}


static void
ngx_http_codat_guard_log(ngx_http_request_t *r,
    ngx_http_codat_guarded_t *guarded)
{
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "codat: nothing is sent to the consumer at \"%V\", whose "
                  "URL %V",
                  &guarded->url.host, &guarded->why);
}
