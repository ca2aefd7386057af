
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns codat_credential as it is configured: where secrets are read
 * from, and what of them is kept.
 */


#ifndef _NGX_HTTP_CODAT_SECRET_H_INCLUDED_
#define _NGX_HTTP_CODAT_SECRET_H_INCLUDED_


#include "ngx_http_codat.h"


/* The setter of codat_credential. */
char *ngx_http_codat_credential(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_CODAT_SECRET_H_INCLUDED_ */
