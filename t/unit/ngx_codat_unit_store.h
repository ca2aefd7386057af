
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * What tests of units of work in an SQLite database have in common: each has
 * a database of its own, with two workers.
 */


#ifndef _NGX_CODAT_UNIT_STORE_H_INCLUDED_
#define _NGX_CODAT_UNIT_STORE_H_INCLUDED_


#include "ngx_codat_unit_world.h"
#include "ngx_codat_sqlite.h"


#define SECOND    ((int64_t) 1000000)
#define NOON      NGX_CODAT_WORLD_NOON


typedef struct {
    ngx_pool_t         *pool;
    ngx_codat_store_t   store;
    void               *workers[2];
    u_char              path[NGX_MAX_PATH];
    u_char              error[NGX_CODAT_STORE_ERROR];
} store_t;


/* Makes a database, which is opened by the first unit, and removes it. */
void store_open(store_t *s);
void store_close(store_t *s);

/* Its files go while workers may have them open. */
void store_remove(store_t *s);

/*
 * Runs units that lie in a list, as worker "n", and again those of them that
 * were made to fail.
 */
void store_run(store_t *s, ngx_uint_t n, void *work);

/* The same, and all of them succeed. */
void store_ok(store_t *s, ngx_uint_t n, void *work);

/* A webhook, "seconds" after noon; its id is that of the event. */
ngx_codat_work_receive_t *store_event(store_t *s, const char *body,
    ngx_uint_t seconds);

/* Executes SQL beside the workers. */
void store_sql(store_t *s, const char *sql);

/* The first column of a row, as a number; a query that yields none is 0. */
int64_t store_value(store_t *s, const char *sql);


#endif /* _NGX_CODAT_UNIT_STORE_H_INCLUDED_ */
