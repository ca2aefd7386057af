
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the configuration of codat_track: its parser, which locations
 * it may be in, and how it is inherited.
 */


#ifndef _NGX_HTTP_CODAT_CONF_TRACK_H_INCLUDED_
#define _NGX_HTTP_CODAT_CONF_TRACK_H_INCLUDED_


#include "ngx_http_codat.h"


/* The setter of codat_track. */
char *ngx_http_codat_track(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* The setter of codat_reconcile. */
char *ngx_http_codat_reconcile(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Lets "if" and "limit_except" blocks inherit, and checks what only the whole
 * configuration can tell.  Returns NGX_CONF_OK or NGX_CONF_ERROR, logged.
 */
char *ngx_http_codat_conf_merge_track(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *prev, ngx_http_codat_loc_conf_t *conf);


#endif /* _NGX_HTTP_CODAT_CONF_TRACK_H_INCLUDED_ */
