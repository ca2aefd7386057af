
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the recent events of a zone: a ring of the bodies received
 * last, in memory of its own, so that it competes with nothing else.
 */


#ifndef _NGX_CODAT_RECENT_H_INCLUDED_
#define _NGX_CODAT_RECENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* a larger event is counted, but not listed */
#define NGX_CODAT_RECENT_MAX  65536


/*
 * One event in the ring, followed by its texts.  Offsets of a ring of "size"
 * bytes only grow; what is at one is at that modulo the size, and does not
 * go over the end.
 */
typedef struct {
    uint64_t                offset;     /* its own, which proves it valid */
    uint64_t                previous;   /* of the event before */
    int64_t                 received;   /* usec */
    uint32_t                size;       /* with texts and padding */
    uint32_t                id_len;     /* webhook-id */
    uint32_t                client_len; /* X-Codat-ClientId */
    uint32_t                reference_len;
    uint32_t                body_len;
    uint32_t                stale;
} ngx_codat_recent_head_t;


typedef struct {
    size_t                  size;
    uint64_t                begin;      /* the oldest event */
    uint64_t                last;       /* the newest event */
    uint64_t                end;        /* where the next one goes */
    uint64_t                count;      /* ever listed */
    uint64_t                unlisted;   /* too large to be */
    u_char                 *bytes;
} ngx_codat_recent_t;


typedef struct {
    ngx_str_t               id;         /* webhook-id, or empty */
    ngx_str_t               client;     /* X-Codat-ClientId, or empty */
    ngx_str_t               reference;
    ngx_str_t               body;
    int64_t                 received;
    ngx_uint_t              stale;      /* unsigned  stale:1; */
} ngx_codat_recent_event_t;


/* Makes an empty ring in "size" bytes. */
void ngx_codat_recent_init(ngx_codat_recent_t *recent, u_char *bytes,
    size_t size);

/* Adds an event, and drops the oldest ones for it.  With the zone's lock. */
void ngx_codat_recent_add_locked(ngx_codat_recent_t *recent,
    const ngx_codat_recent_event_t *event);

/*
 * Copies the newest event whose position is below "*cursor" (0: the newest of
 * all) to buf, of NGX_CODAT_RECENT_MAX bytes, and sets *cursor to its
 * position.  With the zone's lock.  Returns NGX_OK, or NGX_DONE if there is
 * none.
 */
ngx_int_t ngx_codat_recent_get_locked(ngx_codat_recent_t *recent,
    uint64_t *cursor, u_char *buf, ngx_codat_recent_event_t *event);


#endif /* _NGX_CODAT_RECENT_H_INCLUDED_ */
