
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the choice of pushes that Codat is to be asked for, since
 * nothing was heard of them for long.
 */


#ifndef _NGX_CODAT_OVERDUE_H_INCLUDED_
#define _NGX_CODAT_OVERDUE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_table.h"


/*
 * Copies the pending push of which nothing was heard for the longest time, if
 * that is "age" seconds; it counts as heard of now, so that it comes again
 * after as many.  At most "rate" a second, of all processes.  Returns NGX_OK,
 * or NGX_DECLINED if there is none.
 */
ngx_int_t ngx_codat_overdue(ngx_codat_zone_t *zone, time_t age,
    ngx_uint_t rate, ngx_codat_copy_t *copy);


#endif /* _NGX_CODAT_OVERDUE_H_INCLUDED_ */
