
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns who wants which event: members with patterns of event types
 * and tags of companies, in a form in which the few among thousands that
 * match an event are found at once.
 */


#ifndef _NGX_CODAT_AUDIENCE_H_INCLUDED_
#define _NGX_CODAT_AUDIENCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* patterns and event types that are longer match nothing */
#define NGX_CODAT_AUDIENCE_TYPE  256


typedef struct ngx_codat_audience_s  ngx_codat_audience_t;


/* one that is to be added; nothing of it is kept but copies */

typedef struct {
    uint64_t        id;
    ngx_str_t       client;     /* empty: of any */
    ngx_array_t    *types;      /* ngx_str_t, see ngx_codat_pattern.h */
    ngx_array_t    *tags;       /* ngx_str_t, "key:value"; none: any company */
} ngx_codat_audience_member_t;


/* what is matched; an event without a client matches members of any client */

typedef struct {
    ngx_str_t       type;
    ngx_str_t       client;
    ngx_str_t       tags;       /* "key:value", a line for each */
} ngx_codat_audience_event_t;


/* An empty one, with all of its memory in the pool; NULL without memory. */
ngx_codat_audience_t *ngx_codat_audience_create(ngx_pool_t *pool);

/* Adds a member.  Returns NGX_OK or NGX_ERROR (memory). */
ngx_int_t ngx_codat_audience_add(ngx_codat_audience_t *audience,
    const ngx_codat_audience_member_t *member);

/*
 * Puts the ids (uint64_t) of those that want the event into "ids", each once.
 * Returns NGX_OK or NGX_ERROR (memory).
 */
ngx_int_t ngx_codat_audience_match(ngx_codat_audience_t *audience,
    const ngx_codat_audience_event_t *event, ngx_array_t *ids);

/*
 * Writes the tags of a company, the members of an object that is known to be
 * valid JSON, as lines "key:value".  Returns NGX_OK or NGX_ERROR (memory).
 */
ngx_int_t ngx_codat_audience_tags(ngx_pool_t *pool, const ngx_str_t *object,
    ngx_str_t *lines);


#endif /* _NGX_CODAT_AUDIENCE_H_INCLUDED_ */
