
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns codat_forward as it is configured.
 */


#ifndef _NGX_HTTP_CODAT_CONF_FORWARD_H_INCLUDED_
#define _NGX_HTTP_CODAT_CONF_FORWARD_H_INCLUDED_


#include "ngx_http_codat.h"


/* The setter of codat_forward. */
char *ngx_http_codat_forward(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Resolves the format and the named location of a forward once all is
 * parsed.  Returns NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_http_codat_conf_check_forward(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_http_codat_forward_t *forward);

/* Returns 1 if the server has the named location, once all is parsed. */
ngx_uint_t ngx_http_codat_conf_named(ngx_conf_t *cf, ngx_str_t *name);


#endif /* _NGX_HTTP_CODAT_CONF_FORWARD_H_INCLUDED_ */
