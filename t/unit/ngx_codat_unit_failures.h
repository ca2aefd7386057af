
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Failures of what a store calls: SQLite's statements and nginx's memory.
 * While it is armed, a call fails if none has failed yet that came about in
 * the same way, by the functions that led to it, for the same kind of unit; at
 * most one until it is armed again.
 */


#ifndef _NGX_CODAT_UNIT_FAILURES_H_INCLUDED_
#define _NGX_CODAT_UNIT_FAILURES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


void ngx_codat_unit_failures_arm(ngx_uint_t op);

/* Returns 1 if a call has failed since it was armed. */
ngx_uint_t ngx_codat_unit_failures_disarm(void);

/* How many have failed, and where the last one was called, for messages. */
ngx_uint_t ngx_codat_unit_failures(void);
const char *ngx_codat_unit_failures_last(void);


#endif /* _NGX_CODAT_UNIT_FAILURES_H_INCLUDED_ */
