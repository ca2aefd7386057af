
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns addresses, and which of them are not public.
 */


#include "ngx_codat_address.h"


/* a network that is not public, and what its addresses are */

typedef struct {
    u_char                 bytes[16];
    ngx_uint_t             bits;
    const char            *what;
} ngx_codat_address_special_t;


static const char *ngx_codat_address_in(u_char *bytes,
    const ngx_codat_address_special_t *special);
static const char *ngx_codat_address_special6(u_char *bytes);
static ngx_uint_t ngx_codat_address_prefix(const u_char *one,
    const u_char *two, ngx_uint_t bits);


/* RFC 6890 and its registry; the broadcast address is in the last */

static const ngx_codat_address_special_t  ngx_codat_address_ipv4[] = {
    { { 0 }, 8, "an address of this network" },
    { { 10 }, 8, "a private address" },
    { { 100, 64 }, 10, "a shared address" },
    { { 127 }, 8, "a loopback address" },
    { { 169, 254 }, 16, "a link-local address" },
    { { 172, 16 }, 12, "a private address" },
    { { 192, 0, 0 }, 24, "a reserved address" },
    { { 192, 0, 2 }, 24, "an address for documentation" },
    { { 192, 88, 99 }, 24, "a reserved address" },
    { { 192, 168 }, 16, "a private address" },
    { { 198, 18 }, 15, "an address for benchmarks" },
    { { 198, 51, 100 }, 24, "an address for documentation" },
    { { 203, 0, 113 }, 24, "an address for documentation" },
    { { 224 }, 4, "a multicast address" },
    { { 240 }, 4, "a reserved address" },
    { { 0 }, 0, NULL }
};


static const ngx_codat_address_special_t  ngx_codat_address_ipv6[] = {
    { { 0 }, 128, "the unspecified address" },
    { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }, 128,
      "a loopback address" },
    { { 0xfc }, 7, "a private address" },
    { { 0xfe, 0x80 }, 10, "a link-local address" },
    { { 0xfe, 0xc0 }, 10, "a site-local address" },
    { { 0xff }, 8, "a multicast address" },
    { { 0x20, 0x01 }, 23, "a reserved address" },
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32, "an address for documentation" },
    { { 0x3f, 0xff }, 20, "an address for documentation" },
    { { 0 }, 0, NULL }
};


/* where an IPv4 address is inside, and from which byte on */

static const ngx_codat_address_special_t  ngx_codat_address_mapped =
    { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 96, NULL };
static const ngx_codat_address_special_t  ngx_codat_address_nat64 =
    { { 0, 0x64, 0xff, 0x9b }, 96, NULL };
static const ngx_codat_address_special_t  ngx_codat_address_6to4 =
    { { 0x20, 0x02 }, 16, NULL };

/* all that has been given to anybody */

static const ngx_codat_address_special_t  ngx_codat_address_global =
    { { 0x20 }, 3, NULL };


ngx_int_t
ngx_codat_address_parse(ngx_str_t *text, ngx_codat_address_t *address)
{
    char  buf[NGX_INET6_ADDRSTRLEN + 1];

    ngx_memzero(address, sizeof(ngx_codat_address_t));

    if (text->len == 0 || text->len > NGX_INET6_ADDRSTRLEN
        || ngx_strlchr(text->data, text->data + text->len, '\0'))
    {
        return NGX_DECLINED;
    }

    ngx_memcpy(buf, text->data, text->len);
    buf[text->len] = '\0';

    if (inet_pton(AF_INET, buf, address->bytes) == 1) {
        return NGX_OK;
    }

    if (inet_pton(AF_INET6, buf, address->bytes) == 1) {
        address->six = 1;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_codat_address_of(struct sockaddr *sockaddr, ngx_codat_address_t *address)
{
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    ngx_memzero(address, sizeof(ngx_codat_address_t));

    switch (sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;
        ngx_memcpy(address->bytes, &sin->sin_addr, 4);
        return NGX_OK;

    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;
        ngx_memcpy(address->bytes, &sin6->sin6_addr, 16);
        address->six = 1;
        return NGX_OK;

    default:
        return NGX_DECLINED;
    }
}


ngx_int_t
ngx_codat_network_parse(ngx_str_t *text, ngx_codat_network_t *network)
{
    u_char      *slash, *last;
    ngx_int_t    bits;
    ngx_str_t    address;
    ngx_uint_t   i, max;

    last = text->data + text->len;
    slash = ngx_strlchr(text->data, last, '/');

    address.data = text->data;
    address.len = (size_t) ((slash ? slash : last) - text->data);

    if (ngx_codat_address_parse(&address, &network->address) != NGX_OK) {
        return NGX_DECLINED;
    }

    max = network->address.six ? 128 : 32;
    network->bits = max;

    if (slash == NULL) {
        return NGX_OK;
    }

    slash++;
    bits = ngx_atoi(slash, (size_t) (last - slash));

    if (bits == NGX_ERROR || (ngx_uint_t) bits > max || last - slash > 3
        || (*slash == '0' && last - slash > 1))
    {
        return NGX_DECLINED;
    }

    network->bits = (ngx_uint_t) bits;

    for (i = network->bits; i < max; i++) {
        if (network->address.bytes[i / 8] & (0x80 >> i % 8)) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_codat_network_has(ngx_codat_network_t *network,
    ngx_codat_address_t *address)
{
    u_char  *bytes;

    if (network->address.six == address->six) {
        return ngx_codat_address_prefix(network->address.bytes,
                                        address->bytes, network->bits);
    }

    bytes = address->bytes;

    return !network->address.six
           && ngx_codat_address_prefix(bytes, ngx_codat_address_mapped.bytes,
                                       ngx_codat_address_mapped.bits)
           && ngx_codat_address_prefix(network->address.bytes, bytes + 12,
                                       network->bits);
}


const char *
ngx_codat_address_special(ngx_codat_address_t *address)
{
    if (address->six) {
        return ngx_codat_address_special6(address->bytes);
    }

    return ngx_codat_address_in(address->bytes, ngx_codat_address_ipv4);
}


static const char *
ngx_codat_address_special6(u_char *bytes)
{
    const char  *what;

    if (ngx_codat_address_prefix(bytes, ngx_codat_address_mapped.bytes, 96)
        || ngx_codat_address_prefix(bytes, ngx_codat_address_nat64.bytes, 96))
    {
        return ngx_codat_address_in(bytes + 12, ngx_codat_address_ipv4);
    }

    if (ngx_codat_address_prefix(bytes, ngx_codat_address_6to4.bytes,
                                 ngx_codat_address_6to4.bits))
    {
        return ngx_codat_address_in(bytes + 2, ngx_codat_address_ipv4);
    }

    what = ngx_codat_address_in(bytes, ngx_codat_address_ipv6);

    if (what) {
        return what;
    }

    if (!ngx_codat_address_prefix(bytes, ngx_codat_address_global.bytes,
                                  ngx_codat_address_global.bits))
    {
        return "a reserved address";
    }

    return NULL;
}


static const char *
ngx_codat_address_in(u_char *bytes,
    const ngx_codat_address_special_t *special)
{
    for ( /* void */ ; special->what; special++) {

        if (ngx_codat_address_prefix(bytes, special->bytes, special->bits)) {
            return special->what;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_codat_address_prefix(const u_char *one, const u_char *two,
    ngx_uint_t bits)
{
    u_char  mask;

    if (ngx_memcmp(one, two, bits / 8) != 0) {
        return 0;
    }

    if (bits % 8 == 0) {
        return 1;
    }

    mask = (u_char) (0xff << (8 - bits % 8));

    return ((one[bits / 8] ^ two[bits / 8]) & mask) == 0;
}
