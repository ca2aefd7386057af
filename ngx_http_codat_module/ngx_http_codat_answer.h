
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the bytes of answers that fit in one piece: head, body, and
 * RFC 9457 problem details.  Does not know whom they are for.
 */


#ifndef _NGX_HTTP_CODAT_ANSWER_H_INCLUDED_
#define _NGX_HTTP_CODAT_ANSWER_H_INCLUDED_


#include "ngx_http_codat.h"


/* longer details are cut */
#define NGX_HTTP_CODAT_DETAIL_LEN  512


typedef enum {
#define X(name, code, status, title)  NGX_HTTP_CODAT_##name,
#include "ngx_http_codat_problems_x.h"
#undef X
    NGX_HTTP_CODAT_PROBLEMS
} ngx_http_codat_problem_e;


typedef struct {
    ngx_str_t   code;
    ngx_uint_t  status;
    ngx_str_t   title;
} ngx_http_codat_problem_t;


/* the catalogue, by ngx_http_codat_problem_e */
extern const ngx_http_codat_problem_t
    ngx_http_codat_problems[NGX_HTTP_CODAT_PROBLEMS];

extern ngx_str_t  ngx_http_codat_type_json;
extern ngx_str_t  ngx_http_codat_type_problem;


/* Drops the body of a request that is answered without reading it. */
void ngx_http_codat_answer_discard(ngx_http_request_t *r);

/* Writes a problem into memory of the request.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_codat_answer_problem(ngx_http_request_t *r,
    const ngx_http_codat_problem_t *problem, ngx_str_t *detail,
    ngx_str_t *body);

/* Sets status, media type and length, -1 if that is not known. */
void ngx_http_codat_answer_set(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, off_t len);

/*
 * Sends the head, and a body that is not empty.  Returns what the content
 * handler is to return or to finalize with.
 */
ngx_int_t ngx_http_codat_answer_send(ngx_http_request_t *r, ngx_str_t *body);


#endif /* _NGX_HTTP_CODAT_ANSWER_H_INCLUDED_ */
