
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the configuration of the status API.
 */


#ifndef _NGX_HTTP_CODAT_CONF_STATUS_H_INCLUDED_
#define _NGX_HTTP_CODAT_CONF_STATUS_H_INCLUDED_


#include "ngx_http_codat.h"


/* The setter of codat_status. */
char *ngx_http_codat_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Gives "limit_except" and "if" blocks what their location has, and checks
 * what only the whole configuration can tell.
 */
char *ngx_http_codat_conf_merge_status(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *prev, ngx_http_codat_loc_conf_t *conf);


#endif /* _NGX_HTTP_CODAT_CONF_STATUS_H_INCLUDED_ */
