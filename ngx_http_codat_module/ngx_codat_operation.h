
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the reading of push operations as Codat's API writes them, in
 * pieces as they pass by, in no more memory than a structure of fixed size,
 * whatever the length of the text.  Must not know where texts come from.
 */


#ifndef _NGX_CODAT_OPERATION_H_INCLUDED_
#define _NGX_CODAT_OPERATION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_record.h"


#define NGX_CODAT_OPERATION_DEPTH  64
#define NGX_CODAT_OPERATION_NAME   32   /* the longest key that is wanted */
#define NGX_CODAT_OPERATION_KEPT   2560 /* of all values, as written */


/* members of the object, and of objects in it, that are wanted */

typedef enum {
    NGX_CODAT_OPERATION_NONE = 0,
    NGX_CODAT_OPERATION_ROOT,
    NGX_CODAT_OPERATION_KEY,
    NGX_CODAT_OPERATION_STATUS,
    NGX_CODAT_OPERATION_COMPANY,
    NGX_CODAT_OPERATION_CONNECTION,
    NGX_CODAT_OPERATION_DATA_TYPE,
    NGX_CODAT_OPERATION_REQUESTED,
    NGX_CODAT_OPERATION_COMPLETED,
    NGX_CODAT_OPERATION_ERROR,
    NGX_CODAT_OPERATION_STATUS_CODE,
    NGX_CODAT_OPERATION_RECORD,         /* "recordId", which is ours */
    NGX_CODAT_OPERATION_DATA,
    NGX_CODAT_OPERATION_DATA_ID,
    NGX_CODAT_OPERATION_CHANGES,
    NGX_CODAT_OPERATION_CHANGE,
    NGX_CODAT_OPERATION_CHANGE_ATTACHMENT,
    NGX_CODAT_OPERATION_CHANGE_REF,
    NGX_CODAT_OPERATION_CHANGE_ID,
    NGX_CODAT_OPERATION_MEMBERS
} ngx_codat_operation_e;


/* where a value stands in the text, from 0, and what is kept of a string */

typedef struct {
    size_t                      start;
    size_t                      end;        /* 0: absent */
    ngx_str_t                   text;       /* as written, without quotes */
    unsigned                    string:1;
    unsigned                    null:1;
    unsigned                    filled:1;   /* has members or elements */
    unsigned                    cut:1;
} ngx_codat_operation_value_t;


/* private, but for "reason", "offset" and "status" */

typedef struct {
    ngx_uint_t                  state;
    size_t                      offset;     /* of the present byte */
    const char                 *reason;     /* malformed; or NULL */
    ngx_uint_t                  status;     /* of the push, once ended */

    ngx_uint_t                  depth;
    uint64_t                    arrays;     /* a bit for each depth */
    u_char                      nodes[NGX_CODAT_OPERATION_DEPTH + 1];
    ngx_uint_t                  node;       /* of the value to come */

    ngx_uint_t                  hex;        /* digits of \u to come */
    u_char                      name[NGX_CODAT_OPERATION_NAME];
    size_t                      name_len;

    u_char                     *pos;        /* where strings are kept */
    size_t                      room;       /* for more of this one */

    ngx_codat_operation_value_t values[NGX_CODAT_OPERATION_MEMBERS];
    u_char                      kept[NGX_CODAT_OPERATION_KEPT];
} ngx_codat_operation_t;


/* Starts a text. */
void ngx_codat_operation_init(ngx_codat_operation_t *operation);

/* Reads on.  A text that can't be what is looked for costs nothing more. */
void ngx_codat_operation_read(ngx_codat_operation_t *operation,
    const u_char *p, size_t len);

/*
 * Ends a text, and says what it told of a push: NGX_OK with a report for
 * ngx_codat_merge() in "push", to which the caller adds times of receipt and
 * which refers to "operation"; NGX_DECLINED if it is no push operation; or
 * NGX_ABORT if it is no JSON, see "reason" and "offset".  To be called once.
 */
ngx_int_t ngx_codat_operation_end(ngx_codat_operation_t *operation,
    ngx_codat_record_t *push);


#endif /* _NGX_CODAT_OPERATION_H_INCLUDED_ */
