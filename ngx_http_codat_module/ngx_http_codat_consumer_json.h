
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns consumers as JSON: what clients may say of them, checked and
 * made canonical, and how they are shown.
 */


#ifndef _NGX_HTTP_CODAT_CONSUMER_JSON_H_INCLUDED_
#define _NGX_HTTP_CODAT_CONSUMER_JSON_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_codat_work_consumer.h"


/* what one consumer may have, in entries and in bytes of each */
#define NGX_HTTP_CODAT_CONSUMER_TYPES  100
#define NGX_HTTP_CODAT_CONSUMER_TYPE   256
#define NGX_HTTP_CODAT_CONSUMER_TAGS   10
#define NGX_HTTP_CODAT_CONSUMER_TAG    128
#define NGX_HTTP_CODAT_CONSUMER_RATE   10000


/*
 * Reads a body: what it says of a consumer, in memory of the request, and the
 * mask of that.  Returns NGX_OK, or NGX_DONE if the request was refused:
 * *answer is what to return then.
 */
ngx_int_t ngx_http_codat_consumer_read(ngx_http_request_t *r,
    ngx_http_codat_call_t *call, ngx_codat_consumer_t *consumer,
    ngx_uint_t *mask, ngx_int_t *answer);

/*
 * Reads {"since":TIME}.  Returns as above.
 */
ngx_int_t ngx_http_codat_consumer_since(ngx_http_request_t *r,
    ngx_str_t *body, int64_t *since, ngx_int_t *answer);

/*
 * Makes the type of events canonical that a client knows by any of its
 * names: the types of rules, which several of today's can stand for, become
 * patterns.  Returns NULL, or what is wrong with it; out of memory *rc is
 * NGX_ERROR.
 */
const char *ngx_http_codat_consumer_type(ngx_pool_t *pool, ngx_str_t *type,
    ngx_int_t *rc);

/*
 * Writes a consumer, with its secret if "secret" is set, which is the case
 * but once.  The length is an upper bound.
 */
size_t ngx_http_codat_consumer_json_len(ngx_codat_consumer_t *consumer);
u_char *ngx_http_codat_consumer_json(u_char *p,
    ngx_codat_consumer_t *consumer, ngx_uint_t secret);


#endif /* _NGX_HTTP_CODAT_CONSUMER_JSON_H_INCLUDED_ */
