
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns codat_lookup: variables whose values are what the zone knows
 * of a push, a connection or a company.
 */


#ifndef _NGX_HTTP_CODAT_LOOKUP_H_INCLUDED_
#define _NGX_HTTP_CODAT_LOOKUP_H_INCLUDED_


#include "ngx_http_codat.h"


/* The setter of codat_lookup. */
char *ngx_http_codat_lookup(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Checks, when the main configuration is complete, that all zones named are
 * declared.  Returns NGX_CONF_OK or NGX_CONF_ERROR, logged.
 */
char *ngx_http_codat_lookup_check(ngx_conf_t *cf, void *conf);

/* The getter of these variables. */
ngx_int_t ngx_http_codat_lookup_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#endif /* _NGX_HTTP_CODAT_LOOKUP_H_INCLUDED_ */
