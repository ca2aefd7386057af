
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns what is counted of webhooks and forwards, and the values
 * that the labels of those counters have.
 */


#ifndef _NGX_HTTP_CODAT_COUNT_H_INCLUDED_
#define _NGX_HTTP_CODAT_COUNT_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_http_codat_problem.h"


/* labels of events */

typedef enum {
    NGX_HTTP_CODAT_GENERATION_CURRENT = 0,
    NGX_HTTP_CODAT_GENERATION_LEGACY,
    NGX_HTTP_CODAT_GENERATIONS
} ngx_http_codat_generation_e;


typedef enum {
    NGX_HTTP_CODAT_RESULT_ACCEPTED = 0,
    NGX_HTTP_CODAT_RESULT_QUEUED,
    NGX_HTTP_CODAT_RESULT_DUPLICATE,
    NGX_HTTP_CODAT_RESULT_REFUSED,
    NGX_HTTP_CODAT_RESULTS
} ngx_http_codat_result_e;


/* labels of credential failures */

typedef enum {
    NGX_HTTP_CODAT_KIND_SIGNATURE = 0,
    NGX_HTTP_CODAT_KIND_BASIC,
    NGX_HTTP_CODAT_KIND_BEARER,
    NGX_HTTP_CODAT_KIND_HEADER,
    NGX_HTTP_CODAT_KIND_SEVERAL,
    NGX_HTTP_CODAT_KINDS
} ngx_http_codat_kind_e;


/* labels of forwards */

typedef enum {
    NGX_HTTP_CODAT_OUTCOME_SUCCESS = 0,
    NGX_HTTP_CODAT_OUTCOME_REFUSED_3XX,
    NGX_HTTP_CODAT_OUTCOME_REFUSED_4XX,
    NGX_HTTP_CODAT_OUTCOME_REFUSED_5XX,
    NGX_HTTP_CODAT_OUTCOME_UNREACHABLE,
    NGX_HTTP_CODAT_OUTCOME_TIMEOUT,
    NGX_HTTP_CODAT_OUTCOME_UNSENT,
    NGX_HTTP_CODAT_OUTCOME_SKIPPED,
    NGX_HTTP_CODAT_OUTCOMES
} ngx_http_codat_outcome_e;


/* upper bounds of the histogram; what is above is in one more bucket */
#define NGX_HTTP_CODAT_BUCKETS     11

/* in place of a bucket: the sum of all times, in milliseconds */
#define NGX_HTTP_CODAT_BUCKET_SUM  255


extern const ngx_str_t   ngx_http_codat_count_generations[];
extern const ngx_str_t   ngx_http_codat_count_results[];
extern const ngx_str_t   ngx_http_codat_count_kinds[];
extern const ngx_str_t   ngx_http_codat_count_outcomes[];
extern const ngx_msec_t  ngx_http_codat_count_buckets[];


/*
 * Counts a webhook that is answered: with ctx->result set, and the problem,
 * or NGX_HTTP_CODAT_PROBLEMS if it was accepted.
 */
void ngx_http_codat_count_result(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_problem_e problem);

/*
 * An event of that canonical type was received before nginx was started; in
 * microseconds.
 */
void ngx_http_codat_count_seen(ngx_codat_zone_t *zone, const ngx_str_t *type,
    int64_t received);

/* Counts what became of a forward. */
void ngx_http_codat_count_forward(ngx_codat_zone_t *zone,
    ngx_http_codat_forward_t *forward, ngx_http_codat_outcome_e outcome);

/*
 * What became of a forward whose subrequest ended with that status, 0 if
 * there is none.
 */
ngx_http_codat_outcome_e ngx_http_codat_count_outcome(ngx_http_request_t *sr,
    ngx_uint_t status, ngx_uint_t succeeded);

/* Adds the time that a forward took to its histogram. */
void ngx_http_codat_count_time(ngx_codat_zone_t *zone,
    ngx_http_codat_forward_t *forward, ngx_msec_t started);

/*
 * Gives a forward of a location its identity in the counters and lists it
 * for the page of metrics, at configuration time.  Returns NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_http_codat_count_route(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_http_codat_forward_t *forward);


#endif /* _NGX_HTTP_CODAT_COUNT_H_INCLUDED_ */
