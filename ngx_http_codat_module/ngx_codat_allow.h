
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns where consumers may be: a list of hosts and networks, and
 * what holds without one.  Must not know how names become addresses.
 */


#ifndef _NGX_CODAT_ALLOW_H_INCLUDED_
#define _NGX_CODAT_ALLOW_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_url.h"


typedef struct {
    ngx_array_t            hosts;     /* ngx_codat_allow_host_t */
    ngx_array_t            networks;  /* ngx_codat_network_t */
} ngx_codat_allow_t;


/* Makes an empty list.  Returns NGX_OK or NGX_ERROR. */
ngx_int_t ngx_codat_allow_init(ngx_codat_allow_t *allow, ngx_pool_t *pool);

/*
 * Adds one entry, whose text lives as long: HOST, "*.HOST" for what is below
 * it, or "*", each also with ":PORT" or "http://"; or ADDRESS or
 * ADDRESS/BITS.  Returns NULL, or what is wrong, as ngx_codat_url_parse().
 */
const char *ngx_codat_allow_add(ngx_codat_allow_t *allow, ngx_str_t *text);

/*
 * Whether a consumer's URL is one that the list permits, as far as that can
 * be told without resolving its host.  NULL, or what is wrong.
 */
const char *ngx_codat_allow_url(ngx_codat_allow_t *allow,
    ngx_codat_url_t *url);

/* The same of an address that the host of such a URL has. */
const char *ngx_codat_allow_address(ngx_codat_allow_t *allow,
    ngx_codat_url_t *url, ngx_codat_address_t *address);

/* Whether an entry without a "*" names host and port of the URL. */
ngx_uint_t ngx_codat_allow_exactly(ngx_codat_allow_t *allow,
    ngx_codat_url_t *url);


#endif /* _NGX_CODAT_ALLOW_H_INCLUDED_ */
