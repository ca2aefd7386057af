
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the variables.
 */


#ifndef _NGX_HTTP_CODAT_VARIABLES_H_INCLUDED_
#define _NGX_HTTP_CODAT_VARIABLES_H_INCLUDED_


#include "ngx_http_codat.h"


/* Adds all variables; the module's preconfiguration. */
ngx_int_t ngx_http_codat_variables_add(ngx_conf_t *cf);

/*
 * Widens the buckets of nginx's hash of variables; the module's
 * postconfiguration.  In buckets of the default size our names, of which some
 * fill one alone, may find no place, and nginx would warn of it.
 */
void ngx_http_codat_variables_room(ngx_conf_t *cf);

/* Notes, once indices are settled, which variables are ours. */
ngx_int_t ngx_http_codat_variables_init(ngx_cycle_t *cycle);

/*
 * Forgets what was cached of our variables in a request, because the answers
 * have changed: an early reader must not freeze an empty value.
 */
void ngx_http_codat_variables_changed(ngx_http_request_t *r);

/*
 * The value behind the index of a variable, as it is in the event, control
 * characters included.  Returns NGX_OK, NGX_DECLINED if the variable is not
 * one that is made plain, or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_variable_exact(ngx_http_request_t *r,
    ngx_uint_t index, ngx_str_t *value);

/*
 * Makes text from a payload safe for a header or a log line: control
 * characters become spaces.  The result is the text itself if there are
 * none; both may be the same string.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_plain(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *plain);


#endif /* _NGX_HTTP_CODAT_VARIABLES_H_INCLUDED_ */
