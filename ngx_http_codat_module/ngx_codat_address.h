
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns addresses of the Internet and networks of them, and which of
 * them are not public.  Allocates nothing.
 */


#ifndef _NGX_CODAT_ADDRESS_H_INCLUDED_
#define _NGX_CODAT_ADDRESS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the first four bytes are used where it is IPv4 */

typedef struct {
    u_char                 bytes[16];
    unsigned               six:1;
} ngx_codat_address_t;


typedef struct {
    ngx_codat_address_t    address;
    ngx_uint_t             bits;
} ngx_codat_network_t;


/*
 * Reads an address in the one usual spelling: four decimal numbers without
 * leading zeros, or IPv6 without brackets and without a zone.  Returns NGX_OK
 * or NGX_DECLINED.
 */
ngx_int_t ngx_codat_address_parse(ngx_str_t *text,
    ngx_codat_address_t *address);

/* The address in a sockaddr.  Returns NGX_OK, NGX_DECLINED: has none. */
ngx_int_t ngx_codat_address_of(struct sockaddr *sockaddr,
    ngx_codat_address_t *address);

/*
 * Reads an address, or one with "/" and the length of a prefix, behind which
 * no bit is set.  Returns NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_codat_network_parse(ngx_str_t *text,
    ngx_codat_network_t *network);

/* Whether the network has it; an IPv4 address mapped into IPv6 is IPv4. */
ngx_uint_t ngx_codat_network_has(ngx_codat_network_t *network,
    ngx_codat_address_t *address);

/*
 * NULL of an address that anybody's server may have; else what it is, as in
 * "a loopback address".  An address that stands for one of IPv4 is what that
 * one is.
 */
const char *ngx_codat_address_special(ngx_codat_address_t *address);


#endif /* _NGX_CODAT_ADDRESS_H_INCLUDED_ */
