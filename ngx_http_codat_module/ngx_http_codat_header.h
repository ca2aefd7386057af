
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the handling of header lists.
 */


#ifndef _NGX_HTTP_CODAT_HEADER_H_INCLUDED_
#define _NGX_HTTP_CODAT_HEADER_H_INCLUDED_


#include "ngx_http_codat.h"


typedef struct {
    ngx_list_part_t  *part;
    ngx_uint_t        i;
} ngx_http_codat_header_iter_t;


/* Begins a walk over a list of ngx_table_elt_t. */
#define ngx_http_codat_header_iter(list)  { &(list)->part, 0 }


/* The next header of a walk; NULL behind the last one. */
ngx_table_elt_t *ngx_http_codat_header_next(
    ngx_http_codat_header_iter_t *iter);

/* The first live header of that name, without regard to case; or NULL. */
ngx_table_elt_t *ngx_http_codat_header_find(ngx_list_t *list,
    ngx_str_t *name);

/*
 * Adds a header to the answer.  The value is not copied.  Returns NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_http_codat_header_add(ngx_http_request_t *r, ngx_str_t *key,
    ngx_str_t *value);


#endif /* _NGX_HTTP_CODAT_HEADER_H_INCLUDED_ */
