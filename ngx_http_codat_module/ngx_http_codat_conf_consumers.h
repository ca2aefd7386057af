
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the configuration of codat_consumers: its parser, which
 * locations it may be in, and what all locations of one zone have together.
 */


#ifndef _NGX_HTTP_CODAT_CONF_CONSUMERS_H_INCLUDED_
#define _NGX_HTTP_CODAT_CONF_CONSUMERS_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_http_codat_guard.h"


/* of a zone with codat_consumers, whatever the number of locations */

struct ngx_http_codat_consumers_conf_s {
    ngx_shm_zone_t          *zone;
    ngx_str_t                named;  /* "@name" of deliver= */
    ngx_http_codat_guard_t  *guard;  /* made of each allow= */
    ngx_http_conf_ctx_t      ctx;    /* of the first with deliver= */
    u_char                  *file;   /* where that one is */
    ngx_uint_t               line;
};


/* The setter of codat_consumers. */
char *ngx_http_codat_consumers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Gives "limit_except" and "if" blocks what their location has, and checks
 * what only the whole configuration can tell.
 */
char *ngx_http_codat_conf_merge_consumers(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *prev, ngx_http_codat_loc_conf_t *conf);

/* Warns, once all is configured, of what can't work in it. */
void ngx_http_codat_conf_consumers_warn(ngx_conf_t *cf);

/* What codat_consumers says of a zone; NULL if there is none. */
ngx_http_codat_consumers_conf_t *ngx_http_codat_conf_consumers_find(
    ngx_http_codat_main_conf_t *cdmcf, ngx_shm_zone_t *zone);


#endif /* _NGX_HTTP_CODAT_CONF_CONSUMERS_H_INCLUDED_ */
