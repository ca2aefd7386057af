
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns what the URL of a consumer looks like.  Strict on purpose:
 * what two programs could read in two ways is refused.  Allocates nothing.
 * Must not know where a consumer may be.
 */


#ifndef _NGX_CODAT_URL_H_INCLUDED_
#define _NGX_CODAT_URL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_address.h"


#define NGX_CODAT_URL_MAX  2048


/* slices of the text */

typedef struct {
    ngx_str_t              host;      /* without brackets */
    ngx_str_t              uri;       /* from "/" or "?" on; may be empty */
    ngx_codat_address_t    address;   /* where it is "literal" */
    in_port_t              port;
    unsigned               tls:1;
    unsigned               ported:1;  /* a port is written out */
    unsigned               literal:1; /* the host is an address */
    unsigned               dotted:1;  /* the host has a dot, or is literal */
} ngx_codat_url_t;


/*
 * Reads "https://HOST[:PORT][/PATH][?QUERY]", or the same with "http".
 * Returns NULL, or what is wrong with it, as in "has an empty host".
 */
const char *ngx_codat_url_parse(ngx_str_t *text, ngx_codat_url_t *url);

/*
 * Reads "HOST[:PORT]" into the host, port (0 where there is none), literal
 * and dotted of url; the same result.
 */
const char *ngx_codat_url_authority(ngx_str_t *text, ngx_codat_url_t *url);

/* Reads ":PORT" into the port of url; the same result. */
const char *ngx_codat_url_port(ngx_str_t *text, ngx_codat_url_t *url);


#endif /* _NGX_CODAT_URL_H_INCLUDED_ */
