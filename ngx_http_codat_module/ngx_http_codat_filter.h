
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns what leaves, or must not: answers of applications end here,
 * and pages of the core's become the problems of the contract.
 */


#ifndef _NGX_HTTP_CODAT_FILTER_H_INCLUDED_
#define _NGX_HTTP_CODAT_FILTER_H_INCLUDED_


#include "ngx_http_codat.h"


/* Puts the filters in place; called from postconfiguration. */
void ngx_http_codat_filter_init(void);


#endif /* _NGX_HTTP_CODAT_FILTER_H_INCLUDED_ */
