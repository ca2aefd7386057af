
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The unit tests: cmocka groups that run inside a genuine nginx binary, so
 * that pools, strings and logs are the real ones.  A group lives in
 * test_NAME.c, exports "int ngx_codat_unit_NAME(void)", which returns the
 * number of failed tests, and is found by its file name.
 */


#ifndef _NGX_CODAT_UNIT_H_INCLUDED_
#define _NGX_CODAT_UNIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>


/*
 * A new pool, never NULL (the running test fails instead).  It belongs to the
 * test, which ends with ngx_destroy_pool(): a leak shows under valgrind.
 */
ngx_pool_t *ngx_codat_unit_pool(void);

/*
 * A copy of the text whose last byte is the last one of a readable page: a
 * read behind it, as of a string that was taken for NUL-terminated, fails the
 * test with a segmentation fault.  Unmapped with the pool.
 */
ngx_str_t ngx_codat_unit_guard(ngx_pool_t *pool, const void *data, size_t len);

/* The same, of a C string. */
ngx_str_t ngx_codat_unit_str(ngx_pool_t *pool, const char *text);


int ngx_codat_unit_address(void);
int ngx_codat_unit_allow(void);
int ngx_codat_unit_audience(void);
int ngx_codat_unit_cloudevent(void);
int ngx_codat_unit_consumers(void);
int ngx_codat_unit_event(void);
int ngx_codat_unit_evict(void);
int ngx_codat_unit_facts(void);
int ngx_codat_unit_fuzz(void);
int ngx_codat_unit_inflate(void);
int ngx_codat_unit_json(void);
int ngx_codat_unit_kill(void);
int ngx_codat_unit_lists(void);
int ngx_codat_unit_merge(void);
int ngx_codat_unit_names(void);
int ngx_codat_unit_operation(void);
int ngx_codat_unit_pattern(void);
int ngx_codat_unit_recent(void);
int ngx_codat_unit_record(void);
int ngx_codat_unit_sample(void);
int ngx_codat_unit_scratch(void);
int ngx_codat_unit_share(void);
int ngx_codat_unit_sign(void);
int ngx_codat_unit_stats(void);
int ngx_codat_unit_store(void);
int ngx_codat_unit_time(void);
int ngx_codat_unit_url(void);
int ngx_codat_unit_walk(void);
int ngx_codat_unit_zone(void);


#endif /* _NGX_CODAT_UNIT_H_INCLUDED_ */
