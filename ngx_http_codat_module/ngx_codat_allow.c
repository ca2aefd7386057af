
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns where consumers may be, see ngx_codat_allow.h.
 */


#include "ngx_codat_allow.h"


typedef struct {
    ngx_codat_url_t        url;       /* host, port, tls, literal, address */
    unsigned               below:1;   /* what is below the host, if any */
} ngx_codat_allow_host_t;


static const char *ngx_codat_allow_host(ngx_str_t *text,
    ngx_codat_allow_host_t *host);
static const char *ngx_codat_allow_name(ngx_str_t *text,
    ngx_codat_allow_host_t *host);
static const char *ngx_codat_allow_literal(ngx_codat_allow_t *allow,
    ngx_codat_url_t *url);
static ngx_codat_allow_host_t *ngx_codat_allow_find(ngx_codat_allow_t *allow,
    ngx_codat_url_t *url, ngx_uint_t exactly);
static ngx_uint_t ngx_codat_allow_match(ngx_codat_allow_host_t *host,
    ngx_codat_url_t *url);
static ngx_uint_t ngx_codat_allow_same(ngx_codat_address_t *one,
    ngx_codat_address_t *two);
static ngx_uint_t ngx_codat_allow_network(ngx_codat_allow_t *allow,
    ngx_codat_address_t *address);


ngx_int_t
ngx_codat_allow_init(ngx_codat_allow_t *allow, ngx_pool_t *pool)
{
    if (ngx_array_init(&allow->hosts, pool, 4,
                       sizeof(ngx_codat_allow_host_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_array_init(&allow->networks, pool, 4,
                          sizeof(ngx_codat_network_t));
}


const char *
ngx_codat_allow_add(ngx_codat_allow_t *allow, ngx_str_t *text)
{
    const char              *err;
    ngx_codat_network_t      network, *np;
    ngx_codat_allow_host_t   host, *hp;

    if (ngx_codat_network_parse(text, &network) == NGX_OK) {

        np = ngx_array_push(&allow->networks);
        if (np == NULL) {
            return "has no room left";
        }

        *np = network;

        return NULL;
    }

    err = ngx_codat_allow_host(text, &host);
    if (err) {
        return err;
    }

    hp = ngx_array_push(&allow->hosts);
    if (hp == NULL) {
        return "has no room left";
    }

    *hp = host;

    return NULL;
}


static const char *
ngx_codat_allow_host(ngx_str_t *text, ngx_codat_allow_host_t *host)
{
    ngx_str_t         rest;
    const char       *err;
    ngx_codat_url_t  *url;

    ngx_memzero(host, sizeof(ngx_codat_allow_host_t));

    url = &host->url;
    url->tls = 1;

    rest = *text;

    if (rest.len >= 8
        && ngx_strncasecmp(rest.data, (u_char *) "https://", 8) == 0)
    {
        rest.data += 8;
        rest.len -= 8;

    } else if (rest.len >= 7
               && ngx_strncasecmp(rest.data, (u_char *) "http://", 7) == 0)
    {
        url->tls = 0;
        rest.data += 7;
        rest.len -= 7;
    }

    err = ngx_codat_allow_name(&rest, host);

    if (url->port == 0) {
        url->port = url->tls ? 443 : 80;
    }

    return err;
}


static const char *
ngx_codat_allow_name(ngx_str_t *text, ngx_codat_allow_host_t *host)
{
    ngx_str_t    rest;
    const char  *err;

    rest = *text;

    if (ngx_strlchr(rest.data, rest.data + rest.len, '/')) {
        return "has a path, or is no network";
    }

    if (rest.len == 0 || rest.data[0] != '*') {
        return ngx_codat_url_authority(&rest, &host->url);
    }

    host->below = 1;

    rest.data++;
    rest.len--;

    if (rest.len == 0) {
        return NULL;
    }

    if (rest.data[0] == ':') {
        return ngx_codat_url_port(&rest, &host->url);
    }

    if (rest.data[0] != '.') {
        return "has a \"*\" that is not a whole label";
    }

    rest.data++;
    rest.len--;

    err = ngx_codat_url_authority(&rest, &host->url);

    return err == NULL && host->url.literal
           ? "has a \"*\" in front of an address" : err;
}


const char *
ngx_codat_allow_url(ngx_codat_allow_t *allow, ngx_codat_url_t *url)
{
    if (ngx_codat_allow_find(allow, url, 1)) {
        return NULL;
    }

    if (!url->dotted) {
        return "has a host without a dot";
    }

    if (ngx_codat_allow_find(allow, url, 0)) {
        return url->literal ? ngx_codat_allow_literal(allow, url) : NULL;
    }

    if (!url->tls) {
        return "does not begin with https://";
    }

    if (url->port != 443) {
        return "has a port that is not allowed";
    }

    if (url->literal) {
        return ngx_codat_allow_literal(allow, url);
    }

    if (allow->hosts.nelts) {
        return "has a host that is not allowed";
    }

    return NULL;
}


/* nobody's server has an address for a name, unless the list says so */

static const char *
ngx_codat_allow_literal(ngx_codat_allow_t *allow, ngx_codat_url_t *url)
{
    return ngx_codat_allow_network(allow, &url->address)
           ? NULL : "has an address in place of a host";
}


const char *
ngx_codat_allow_address(ngx_codat_allow_t *allow, ngx_codat_url_t *url,
    ngx_codat_address_t *address)
{
    const char  *what;

    what = ngx_codat_address_special(address);

    if (what == NULL
        || ngx_codat_allow_network(allow, address)
        || (url->literal && ngx_codat_allow_find(allow, url, 1)))
    {
        return NULL;
    }

    return what;
}


ngx_uint_t
ngx_codat_allow_exactly(ngx_codat_allow_t *allow, ngx_codat_url_t *url)
{
    return ngx_codat_allow_find(allow, url, 1) != NULL;
}


static ngx_codat_allow_host_t *
ngx_codat_allow_find(ngx_codat_allow_t *allow, ngx_codat_url_t *url,
    ngx_uint_t exactly)
{
    ngx_uint_t               i;
    ngx_codat_allow_host_t  *hosts;

    hosts = allow->hosts.elts;

    for (i = 0; i < allow->hosts.nelts; i++) {

        if ((!exactly || !hosts[i].below)
            && ngx_codat_allow_match(&hosts[i], url))
        {
            return &hosts[i];
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_codat_allow_match(ngx_codat_allow_host_t *host, ngx_codat_url_t *url)
{
    size_t      len;
    u_char     *below;
    ngx_str_t  *name;

    if (host->url.port != url->port || host->url.tls != url->tls) {
        return 0;
    }

    if (host->url.literal || url->literal) {
        return host->url.literal == url->literal
               ? ngx_codat_allow_same(&host->url.address, &url->address)
               : host->url.host.len == 0;
    }

    name = &host->url.host;
    len = url->host.len;

    if (name->len == 0) {
        return 1;
    }

    if (!host->below) {
        return len == name->len
               && ngx_strncasecmp(name->data, url->host.data, len) == 0;
    }

    if (len < name->len + 2) {
        return 0;
    }

    below = url->host.data + len - name->len;

    return below[-1] == '.'
           && ngx_strncasecmp(name->data, below, name->len) == 0;
}


static ngx_uint_t
ngx_codat_allow_same(ngx_codat_address_t *one, ngx_codat_address_t *two)
{
    return one->six == two->six
           && ngx_memcmp(one->bytes, two->bytes, one->six ? 16 : 4) == 0;
}


static ngx_uint_t
ngx_codat_allow_network(ngx_codat_allow_t *allow,
    ngx_codat_address_t *address)
{
    ngx_uint_t            i;
    ngx_codat_network_t  *networks;

    networks = allow->networks.elts;

    for (i = 0; i < allow->networks.nelts; i++) {

        if (ngx_codat_network_has(&networks[i], address)) {
            return 1;
        }
    }

    return 0;
}
