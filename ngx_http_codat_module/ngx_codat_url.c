
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns how the URL of a consumer is read.
 */


#include "ngx_codat_url.h"


#define NGX_CODAT_URL_HOST_MAX   253
#define NGX_CODAT_URL_LABEL_MAX  63


static const char *ngx_codat_url_brackets(ngx_str_t *text,
    ngx_codat_url_t *url);
static const char *ngx_codat_url_bytes(ngx_str_t *text);
static const char *ngx_codat_url_host(ngx_str_t *host, ngx_codat_url_t *url);
static const char *ngx_codat_url_label(u_char *p, size_t len);
static ngx_uint_t ngx_codat_url_numeric(u_char *p, size_t len);
static ngx_uint_t ngx_codat_url_digit(u_char c);
static ngx_uint_t ngx_codat_url_hex(u_char c);


const char *
ngx_codat_url_parse(ngx_str_t *text, ngx_codat_url_t *url)
{
    u_char      *p, *last;
    ngx_str_t    authority;
    const char  *err;

    ngx_memzero(url, sizeof(ngx_codat_url_t));

    if (text->len > NGX_CODAT_URL_MAX) {
        return "is longer than 2048 bytes";
    }

    err = ngx_codat_url_bytes(text);
    if (err) {
        return err;
    }

    p = text->data;
    last = p + text->len;

    if (text->len >= 8 && ngx_strncasecmp(p, (u_char *) "https://", 8) == 0) {
        url->tls = 1;
        p += 8;

    } else if (text->len >= 7
               && ngx_strncasecmp(p, (u_char *) "http://", 7) == 0)
    {
        p += 7;

    } else {
        return "does not begin with https://";
    }

    authority.data = p;

    while (p < last && *p != '/' && *p != '?') {
        p++;
    }

    authority.len = (size_t) (p - authority.data);

    url->uri.data = p;
    url->uri.len = (size_t) (last - p);

    err = ngx_codat_url_authority(&authority, url);
    if (err) {
        return err;
    }

    /* nginx would take it for a part of the port */

    if (url->literal && url->address.six && p < last && *p == '?') {
        return "has no \"/\" behind an IPv6 address";
    }

    if (url->port == 0) {
        url->port = url->tls ? 443 : 80;

    } else {
        url->ported = 1;
    }

    return NULL;
}


const char *
ngx_codat_url_authority(ngx_str_t *text, ngx_codat_url_t *url)
{
    u_char      *last;
    ngx_str_t    port;
    const char  *err;

    url->port = 0;

    last = text->data + text->len;

    if (ngx_strlchr(text->data, last, '@')) {
        return "has a user name";
    }

    if (text->len && text->data[0] == '[') {
        return ngx_codat_url_brackets(text, url);
    }

    port.data = ngx_strlchr(text->data, last, ':');

    if (port.data == NULL) {
        port.data = last;
    }

    port.len = (size_t) (last - port.data);

    url->host.data = text->data;
    url->host.len = text->len - port.len;

    err = ngx_codat_url_host(&url->host, url);

    if (err || port.len == 0) {
        return err;
    }

    return ngx_codat_url_port(&port, url);
}


static const char *
ngx_codat_url_brackets(ngx_str_t *text, ngx_codat_url_t *url)
{
    u_char     *bracket, *last;
    ngx_str_t   port;

    last = text->data + text->len;
    bracket = ngx_strlchr(text->data, last, ']');

    if (bracket == NULL) {
        return "has an invalid IPv6 address";
    }

    url->host.data = text->data + 1;
    url->host.len = (size_t) (bracket - url->host.data);
    url->literal = 1;
    url->dotted = 1;

    if (ngx_codat_address_parse(&url->host, &url->address) != NGX_OK
        || !url->address.six)
    {
        return "has an invalid IPv6 address";
    }

    port.data = bracket + 1;
    port.len = (size_t) (last - port.data);

    return port.len ? ngx_codat_url_port(&port, url) : NULL;
}


/* RFC 3986, so none that a browser, but no server, would read as a slash */

static const char *
ngx_codat_url_bytes(ngx_str_t *text)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if (c >= 0x80) {
            return "has a byte that is not ASCII";
        }

        if (c == '#') {
            return "has a fragment";
        }

        if (c <= ' ' || c == 0x7f || ngx_strchr("\"<>\\^`{|}", c)) {
            return "has a character that is not allowed in URLs";
        }

        if (c == '%'
            && (text->len - i < 3
                || !ngx_codat_url_hex(text->data[i + 1])
                || !ngx_codat_url_hex(text->data[i + 2])))
        {
            return "has a \"%\" without two hexadecimal digits";
        }
    }

    return NULL;
}


/*
 * A host whose last label is a number is an address to programs that know of
 * octal, hexadecimal and shorter spellings; here only four decimal ones are.
 */

static const char *
ngx_codat_url_host(ngx_str_t *host, ngx_codat_url_t *url)
{
    u_char      *p, *label, *last;
    const char  *err;

    url->literal = 0;
    url->dotted = 0;

    if (host->len == 0) {
        return "has an empty host";
    }

    /* "unix:443/x" is the path of a socket to nginx */

    if (host->len == 4
        && ngx_strncasecmp(host->data, (u_char *) "unix", 4) == 0)
    {
        return "has a host that names a socket";
    }

    if (host->len > NGX_CODAT_URL_HOST_MAX) {
        return "has a host that is too long";
    }

    label = host->data;
    last = host->data + host->len;

    for (p = label; p < last; p++) {

        if (*p != '.') {
            continue;
        }

        err = ngx_codat_url_label(label, (size_t) (p - label));
        if (err) {
            return err;
        }

        url->dotted = 1;
        label = p + 1;
    }

    err = ngx_codat_url_label(label, (size_t) (last - label));
    if (err) {
        return err;
    }

    if (!ngx_codat_url_numeric(label, (size_t) (last - label))) {
        return NULL;
    }

    url->literal = 1;

    if (ngx_codat_address_parse(host, &url->address) != NGX_OK) {
        return "has an address that is not four decimal numbers";
    }

    /* nginx takes it for a name */

    if (ngx_memcmp(url->address.bytes, "\xff\xff\xff\xff", 4) == 0) {
        return "has the broadcast address";
    }

    return NULL;
}


static const char *
ngx_codat_url_label(u_char *p, size_t len)
{
    u_char  c;
    size_t  i;

    if (len == 0) {
        return "has a host with an empty label";
    }

    if (len > NGX_CODAT_URL_LABEL_MAX) {
        return "has a host that is too long";
    }

    for (i = 0; i < len; i++) {
        c = ngx_tolower(p[i]);

        if (!ngx_codat_url_digit(c) && (c < 'a' || c > 'z') && c != '-') {
            return "has a character that is not allowed in hosts";
        }
    }

    if (p[0] == '-' || p[len - 1] == '-') {
        return "has a host with a \"-\" at the edge of a label";
    }

    return NULL;
}


static ngx_uint_t
ngx_codat_url_numeric(u_char *p, size_t len)
{
    size_t  i;

    if (len >= 2 && p[0] == '0' && ngx_tolower(p[1]) == 'x') {

        for (i = 2; i < len; i++) {
            if (!ngx_codat_url_hex(p[i])) {
                return 0;
            }
        }

        return 1;
    }

    for (i = 0; i < len; i++) {
        if (!ngx_codat_url_digit(p[i])) {
            return 0;
        }
    }

    return 1;
}


const char *
ngx_codat_url_port(ngx_str_t *text, ngx_codat_url_t *url)
{
    ngx_int_t  port;

    if (text->len < 2 || text->data[0] != ':' || text->data[1] == '0') {
        return "has an invalid port";
    }

    port = ngx_atoi(text->data + 1, text->len - 1);

    if (port == NGX_ERROR || port > 65535) {
        return "has an invalid port";
    }

    url->port = (in_port_t) port;

    return NULL;
}


static ngx_uint_t
ngx_codat_url_digit(u_char c)
{
    return c >= '0' && c <= '9';
}


static ngx_uint_t
ngx_codat_url_hex(u_char c)
{
    c = ngx_tolower(c);

    return ngx_codat_url_digit(c) || (c >= 'a' && c <= 'f');
}
