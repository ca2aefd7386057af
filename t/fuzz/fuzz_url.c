
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * URLs of consumers: "URL NUL entry NUL entry ...".  What is read as a URL,
 * nginx reads with the same host, port and rest, and the C library the same
 * address; whoever is not allowed is not so by accident of a longer list.
 */


#include "ngx_codat_fuzz.h"
#include "ngx_codat_allow.h"


/* what proxy_pass does with a variable */

static ngx_int_t
nginx_reads(ngx_pool_t *pool, ngx_str_t *text, ngx_codat_url_t *url,
    ngx_url_t *u)
{
    size_t  scheme;

    scheme = url->tls ? 8 : 7;

    ngx_memzero(u, sizeof(ngx_url_t));

    u->url.data = text->data + scheme;
    u->url.len = text->len - scheme;
    u->default_port = url->tls ? 443 : 80;
    u->uri_part = 1;
    u->no_resolve = 1;

    return ngx_parse_url(pool, u);
}


static void
check_address(ngx_codat_url_t *url, struct sockaddr *sockaddr)
{
    ngx_codat_address_t  address;

    ngx_codat_fuzz_want(ngx_codat_address_of(sockaddr, &address) == NGX_OK);
    ngx_codat_fuzz_want(ngx_memcmp(&address, &url->address,
                                   sizeof(ngx_codat_address_t))
                        == 0);
}


static void
check_url(ngx_pool_t *pool, ngx_str_t *text, ngx_codat_url_t *url)
{
    size_t      i;
    ngx_str_t   host;
    ngx_url_t   u;

    ngx_codat_fuzz_want(text->len <= NGX_CODAT_URL_MAX);
    ngx_codat_fuzz_want(url->port != 0);
    ngx_codat_fuzz_want(url->uri.data + url->uri.len
                        == text->data + text->len);

    for (i = 0; i < text->len; i++) {
        ngx_codat_fuzz_want(text->data[i] > ' ' && text->data[i] < 0x7f);
    }

    ngx_codat_fuzz_want(nginx_reads(pool, text, url, &u) == NGX_OK);

    /* an address in brackets has them there */

    host = url->host;

    if (url->literal && url->address.six) {
        host.data--;
        host.len += 2;
    }

    ngx_codat_fuzz_want(u.host.len == host.len && u.host.data == host.data);
    ngx_codat_fuzz_want(u.port == url->port);
    ngx_codat_fuzz_want(u.no_port == !url->ported);
    ngx_codat_fuzz_want(u.uri.len == url->uri.len);
    ngx_codat_fuzz_want(u.uri.len == 0 || u.uri.data == url->uri.data);

    /* an address to nginx is an address here: it is not resolved */

    ngx_codat_fuzz_want((u.addrs != NULL) == url->literal);

    if (url->literal) {
        check_address(url, u.addrs[0].sockaddr);

    } else {
        ngx_codat_fuzz_want(ngx_inet_addr(url->host.data, url->host.len)
                            == INADDR_NONE);
    }
}


NGX_CODAT_FUZZ_TARGET(url)
{
    ngx_str_t             text, entry;
    ngx_pool_t           *pool;
    const char           *err, *before;
    ngx_codat_url_t       url;
    ngx_codat_fuzz_t      fuzz;
    ngx_codat_allow_t     allow;
    ngx_codat_network_t   network;

    pool = ngx_codat_fuzz_pool();

    fuzz.pos = data;
    fuzz.end = data + len;

    text = ngx_codat_fuzz_text(&fuzz, pool);

    err = ngx_codat_url_parse(&text, &url);

    if (err == NULL) {
        check_url(pool, &text, &url);

    } else {
        ngx_memzero(&url, sizeof(ngx_codat_url_t));
    }

    ngx_codat_fuzz_want(ngx_codat_allow_init(&allow, pool) == NGX_OK);

    while (ngx_codat_fuzz_left(&fuzz)) {

        entry = ngx_codat_fuzz_text(&fuzz, pool);

        before = err ? err : ngx_codat_allow_url(&allow, &url);

        if (ngx_codat_allow_add(&allow, &entry) || err) {
            continue;
        }

        /* networks only ever add; what is exact was not refused */

        if (ngx_codat_network_parse(&entry, &network) == NGX_OK) {
            ngx_codat_fuzz_want(before
                                || !ngx_codat_allow_url(&allow, &url));
        }

        ngx_codat_fuzz_want(!ngx_codat_allow_exactly(&allow, &url)
                            || !ngx_codat_allow_url(&allow, &url));
    }

    if (err == NULL && allow.hosts.nelts + allow.networks.nelts == 0
        && ngx_codat_allow_url(&allow, &url) == NULL)
    {
        ngx_codat_fuzz_want(url.tls && url.port == 443 && !url.literal);
    }

    ngx_destroy_pool(pool);
}
