
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns what goes out to a consumer: the request without a client
 * that carries it, its body, and its headers with the signature.  Whose turn
 * it is, and what an end means, is the dispatcher's business.
 */


#ifndef _NGX_HTTP_CODAT_OUTGOING_H_INCLUDED_
#define _NGX_HTTP_CODAT_OUTGOING_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_codat_work_consumer.h"
#include "ngx_http_codat_child.h"
#include "ngx_http_codat_conf_consumers.h"


/* an attempt; lies in the pool of its request, as its texts do */

struct ngx_http_codat_outgoing_s {
    ngx_http_request_t              *request;
    ngx_http_codat_child_t          *child;
    ngx_str_t                        id;        /* of the consumer */
    ngx_str_t                        url;
    ngx_str_t                        why;       /* it was refused */
};


/*
 * Makes the request, all but its start; "ended" is called once it is over,
 * with "data" in the child.  Returns NULL without memory.
 */
ngx_http_codat_outgoing_t *ngx_http_codat_outgoing_create(
    ngx_codat_zone_t *zone, ngx_http_codat_consumers_conf_t *conf,
    ngx_codat_work_outgoing_t *work, ngx_http_codat_child_ended_pt ended);

/*
 * Starts it.  Returns NGX_OK, NGX_DECLINED if the guard refuses it, with
 * "why", or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_outgoing_start(ngx_http_codat_outgoing_t *outgoing,
    ngx_http_codat_consumers_conf_t *conf);


#endif /* _NGX_HTTP_CODAT_OUTGOING_H_INCLUDED_ */
