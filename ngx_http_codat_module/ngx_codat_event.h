
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the event: recognises every generation of Codat's webhook
 * bodies, names each event canonically and fills in the fields of the
 * catalogue.  An event is filled once and then only read.
 */


#ifndef _NGX_CODAT_EVENT_H_INCLUDED_
#define _NGX_CODAT_EVENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_json.h"
#include "ngx_codat_names.h"


/* reads of one event beyond this are not told apart */
#define NGX_CODAT_EVENT_READS  1024


typedef enum {
#define X(name, key, variable)  NGX_CODAT_FIELD_##name,
#include "ngx_codat_fields_x.h"
#undef X
    NGX_CODAT_FIELDS
} ngx_codat_field_e;


typedef struct {
    ngx_str_t     key;                  /* in "data", or empty */
    ngx_str_t     variable;             /* without "codat_" */
} ngx_codat_field_t;


typedef struct {
    ngx_str_t     data_type;
    ngx_str_t     status;
    ngx_str_t     connection;
} ngx_codat_read_t;


/* times are in microseconds; 0: absent, or not a date */

typedef struct {
    ngx_str_t     fields[NGX_CODAT_FIELDS];     /* len == 0: absent */
    ngx_str_t     tags;                 /* the object as sent, or empty */
    ngx_str_t     payload;              /* the received body */
    ngx_str_t     client;               /* what the body alone says */
    ngx_str_t     quota;                /* calls a day, of client events */

    /* of a read that names several data types; else the fields say all */
    ngx_codat_read_t    *reads;
    ngx_uint_t           nreads;

    ngx_codat_family_e   family;

    int64_t       generated;
    int64_t       requested;            /* of a push, as completed is */
    int64_t       completed;
    int64_t       created;              /* of a company */
    int64_t       expiry;               /* of a rate limit */

    unsigned      stale:1;              /* older than what is known */
} ngx_codat_event_t;


extern const ngx_codat_field_t  ngx_codat_fields[NGX_CODAT_FIELDS];


/*
 * Parses a body and fills the event, which refers to the body and to the
 * pool.  client_id is what a header said, may be empty, and goes before what
 * the body says.  Any JSON object is an event; one that nobody can name has
 * the type "unknown".  Returns NGX_OK, NGX_DECLINED (not JSON, *err set),
 * NGX_ABORT (JSON, but not an object, *err set) or NGX_ERROR (memory).
 *
 * Source of every rule: docs/events.md.
 */
ngx_int_t ngx_codat_event_parse(ngx_pool_t *pool, ngx_str_t *body,
    ngx_str_t *client_id, ngx_codat_event_t *event,
    ngx_codat_json_error_t *err);


#endif /* _NGX_CODAT_EVENT_H_INCLUDED_ */
