
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns lists of rows: walks in short holds of the lock over rows
 * that come and go meanwhile, newest first.  A row that exists all the time
 * is met exactly once.
 */


#ifndef _NGX_CODAT_WALK_H_INCLUDED_
#define _NGX_CODAT_WALK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_table.h"


/* zone, kind and narrowing, place and order, in hexadecimal digits */
#define NGX_CODAT_CURSOR_LEN  26


typedef enum {
    NGX_CODAT_WALK_ALL = 0,             /* by creation */
    NGX_CODAT_WALK_GROUP,               /* of a company or connection */
    NGX_CODAT_WALK_REFERENCE            /* pushes */
} ngx_codat_walk_e;


/*
 * Set up by ngx_codat_walk_init() and its kin; "state" may be set to list
 * only rows in that state.
 */
typedef struct {
    ngx_codat_record_kind_e     kind;
    ngx_uint_t                  state;      /* 0: any */
    ngx_codat_walk_e            by;
    u_char                      group[NGX_CODAT_ZONE_KEY_LEN];
    ngx_str_t                   reference;
    uint32_t                    hash;       /* of the group */

    uint32_t                    place;      /* the cell of the row to come */
    uint32_t                    order;      /* its number */
    uint32_t                    target;     /* that of one that is sought */
    unsigned                    started:1;
    unsigned                    seeking:1;
    unsigned                    done:1;
} ngx_codat_walk_t;


/* Starts a list of all rows of a kind. */
void ngx_codat_walk_init(ngx_codat_walk_t *walk, ngx_codat_record_kind_e kind);

/*
 * Narrows a list to the pushes or connections of a company, or the datasets
 * of a connection, whose key is given.
 */
void ngx_codat_walk_of(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    const u_char *key);

/* Narrows a list to the pushes with a reference.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_codat_walk_reference(ngx_codat_zone_t *zone,
    ngx_codat_walk_t *walk, const ngx_str_t *reference);

/*
 * Goes on, in one short hold of the lock.  Returns NGX_OK with a row in
 * "copy", NGX_AGAIN if none was found yet, but there may be more: a chance
 * for others before the next call, or NGX_DONE at the end.
 */
ngx_int_t ngx_codat_walk_next(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    ngx_codat_copy_t *copy);

/*
 * Writes NGX_CODAT_CURSOR_LEN bytes that let another walk of the same kind
 * and filters go on behind the last row of this one.  Returns the byte
 * behind them.
 */
u_char *ngx_codat_walk_cursor(ngx_codat_zone_t *zone, ngx_codat_walk_t *walk,
    u_char *p);

/*
 * Sets a walk to where a cursor was written.  Returns NGX_OK, NGX_DECLINED
 * if the text is no cursor of a walk of this kind and narrowing, or
 * NGX_ABORT if it is one of another zone or of a time before a restart.
 */
ngx_int_t ngx_codat_walk_resume(ngx_codat_zone_t *zone,
    ngx_codat_walk_t *walk, const ngx_str_t *cursor);


#endif /* _NGX_CODAT_WALK_H_INCLUDED_ */
