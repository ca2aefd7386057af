
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns examples of events, for those who have to see one before the
 * first has happened: the catalogue of ngx_codat_samples_x.h, made into
 * bodies as Codat would send them.
 */


#ifndef _NGX_CODAT_SAMPLE_H_INCLUDED_
#define _NGX_CODAT_SAMPLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Makes the example of a canonical type, in the pool.  It is a JSON object
 * with "sample":true, and an "id" that is always the same for the type.
 * Returns NGX_OK, NGX_DECLINED if there is none, or NGX_ERROR.
 */
ngx_int_t ngx_codat_sample(ngx_pool_t *pool, ngx_str_t *type,
    ngx_str_t *body);


#endif /* _NGX_CODAT_SAMPLE_H_INCLUDED_ */
