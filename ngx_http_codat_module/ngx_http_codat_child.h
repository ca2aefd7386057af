
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns one forward of one event: its URI, body and headers, the
 * subrequest that carries it, and when that has really ended.  What the end
 * means to the webhook is the forwarding's business.
 */


#ifndef _NGX_HTTP_CODAT_CHILD_H_INCLUDED_
#define _NGX_HTTP_CODAT_CHILD_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_http_codat_format.h"


typedef struct ngx_http_codat_child_s  ngx_http_codat_child_t;

/* Called once for each started child; must not finalize anything. */
typedef void (*ngx_http_codat_child_ended_pt)(ngx_http_request_t *sr,
    ngx_http_codat_child_t *child);


/* the record that the subrequest points at, in the pool of the webhook */

struct ngx_http_codat_child_s {
    ngx_http_codat_ctx_t           *ctx;
    ngx_http_codat_forward_t       *forward;
    ngx_http_codat_rendered_t      *rendered;
    ngx_http_codat_child_ended_pt   ended;
    void                           *data;       /* of "ended" */
    uint64_t                        bit;        /* in "succeeded" */

    ngx_str_t                       uri;
    ngx_str_t                       args;
    off_t                           length;
    ngx_chain_t                    *body;
    ngx_http_post_subrequest_t      post;
    ngx_http_request_t             *request;    /* once started */
    ngx_http_posted_request_t       posted;

    ngx_msec_t                      started;
    ngx_uint_t                      status;     /* of the answer, or 0 */
    unsigned                        held:1;     /* limit_req may delay it */
    unsigned                        running:1;
    unsigned                        succeeded:1;
    unsigned                        late:1;     /* and counted as such */
};


/*
 * Prepares all of a child, with ctx, forward and rendered set, that needs
 * memory or may be refused.  Returns NGX_OK, NGX_DECLINED when this one
 * can't be sent (logged; it then has no body), or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_child_prepare(ngx_http_request_t *r,
    ngx_http_codat_child_t *child);

/*
 * Makes the subrequest, which runs when the caller has returned to the event
 * loop.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_child_start(ngx_http_request_t *r,
    ngx_http_codat_child_t *child);

/* Whether format=raw passes a header of the webhook on. */
ngx_uint_t ngx_http_codat_child_passes(ngx_http_request_t *r,
    ngx_table_elt_t *h);

/* Whether a request is, or is part of, a forward. */
ngx_uint_t ngx_http_codat_child_is(ngx_http_request_t *r);

/*
 * Lets a child go on that a delay in the PREACCESS phase holds up: the timer
 * of the connection, which ends the delay, wakes the webhook only.
 */
void ngx_http_codat_child_wake(ngx_http_codat_child_t *child);

/*
 * Posts a request with a record of the caller's, which lives as long as the
 * request: what has to go on must not depend on memory.  A record that waits
 * for its turn already is left alone.
 */
void ngx_http_codat_child_post(ngx_http_request_t *r,
    ngx_http_posted_request_t *pr);

/*
 * Phase handlers.  client_max_body_size of the target is about clients, so
 * the length of the body is hidden while locations are looked for, and told
 * behind that; and "held" is true between PREACCESS and PRECONTENT.
 */
ngx_int_t ngx_http_codat_child_rewrite_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_codat_child_preaccess_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_codat_child_precontent_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CODAT_CHILD_H_INCLUDED_ */
