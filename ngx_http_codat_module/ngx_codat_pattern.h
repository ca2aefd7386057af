
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the meaning of an event pattern: dotted segments, where "*"
 * stands for one or more whole segments.
 */


#ifndef _NGX_CODAT_PATTERN_H_INCLUDED_
#define _NGX_CODAT_PATTERN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Checks one pattern (no list).  Returns NULL, or a short phrase for an
 * error message, such as "has an empty segment".
 */
const char *ngx_codat_pattern_check(ngx_str_t *pattern);

/*
 * Matches a checked pattern against an event type without regard to ASCII
 * case; the time is bounded by the product of the lengths.  Returns 1 or 0.
 */
ngx_uint_t ngx_codat_pattern_match(ngx_str_t *pattern, ngx_str_t *type);


#endif /* _NGX_CODAT_PATTERN_H_INCLUDED_ */
