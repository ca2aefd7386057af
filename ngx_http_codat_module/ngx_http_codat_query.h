
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the arguments of requests for the status API: which there
 * are, their decoding and what they may be.
 */


#ifndef _NGX_HTTP_CODAT_QUERY_H_INCLUDED_
#define _NGX_HTTP_CODAT_QUERY_H_INCLUDED_


#include "ngx_http_codat.h"


#define NGX_HTTP_CODAT_ARG_STATUS      0x01
#define NGX_HTTP_CODAT_ARG_COMPANY     0x02
#define NGX_HTTP_CODAT_ARG_REFERENCE   0x04
#define NGX_HTTP_CODAT_ARG_EVENT_TYPE  0x08
#define NGX_HTTP_CODAT_ARG_LIMIT       0x10
#define NGX_HTTP_CODAT_ARG_AFTER       0x20
#define NGX_HTTP_CODAT_ARG_WAIT        0x40
#define NGX_HTTP_CODAT_ARG_STATE       0x80
#define NGX_HTTP_CODAT_ARG_FROM        0x100
#define NGX_HTTP_CODAT_ARG_UNTIL       0x200

/* all arguments are ignored */
#define NGX_HTTP_CODAT_ARG_ANY         0x400


/* rows of a list that names no limit, and the most in a subrequest */
#define NGX_HTTP_CODAT_LIMIT           100
#define NGX_HTTP_CODAT_LIMIT_WHOLE     1000


/* decoded, in the pool; a text that is empty was not given */
typedef struct {
    ngx_str_t     status;
    ngx_str_t     company;
    ngx_str_t     reference;
    ngx_str_t     event_type;
    ngx_str_t     after;
    ngx_str_t     state;
    ngx_str_t     from;
    ngx_str_t     until;
    ngx_uint_t    limit;
    ngx_int_t     wait;         /* seconds, -1: not given */
    ngx_uint_t    given;        /* mask of the arguments above */
} ngx_http_codat_query_t;


/*
 * Reads the arguments of a request, of which those of the mask are allowed; an
 * empty one is as if it were not there.
 * Returns NGX_OK, or NGX_DONE if the request was refused: *answer is what the
 * content handler is to return then.
 */
ngx_int_t ngx_http_codat_query(ngx_http_request_t *r, ngx_uint_t allowed,
    ngx_http_codat_query_t *query, ngx_int_t *answer);


/*
 * Decodes an argument.  A "+" is a space, as in forms, and as the libraries
 * that make such arguments write it.  Returns NGX_OK, NGX_DECLINED (a "%" is
 * not one) or NGX_ERROR (memory).
 */
ngx_int_t ngx_http_codat_query_decode(ngx_pool_t *pool, ngx_str_t *text);


#define NGX_HTTP_CODAT_SHOWN_LEN  32

/* Makes a name from outside fit for a message: printable, not too long. */
void ngx_http_codat_query_shown(const ngx_str_t *text, ngx_str_t *shown,
    u_char *buf);


#endif /* _NGX_HTTP_CODAT_QUERY_H_INCLUDED_ */
