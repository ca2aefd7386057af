
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns calls to Codat's API on their way there: what kind of call it
 * is, the headers that are meant for us, and in which order the other rooms
 * of codat_track are asked.  What is kept of a call lives in the pool of its
 * request.
 */


#ifndef _NGX_HTTP_CODAT_TRACK_H_INCLUDED_
#define _NGX_HTTP_CODAT_TRACK_H_INCLUDED_


#include "ngx_http_codat.h"
#include "ngx_http_codat_answer.h"


#define NGX_HTTP_CODAT_TRACK_KEYS  16   /* in X-Codat-After */


/* what is done about calls, as it is counted */

typedef enum {
    NGX_HTTP_CODAT_TRACKED_REGISTERED = 0,
    NGX_HTTP_CODAT_TRACKED_CONFIRMED,
    NGX_HTTP_CODAT_TRACKED_UNREADABLE,
    NGX_HTTP_CODAT_TRACKED_LOCAL,
    NGX_HTTP_CODAT_TRACKED_HELD,
    NGX_HTTP_CODAT_TRACKED_COMPLETED,
    NGX_HTTP_CODAT_TRACKED_DELAYED,
    NGX_HTTP_CODAT_TRACKED_DEPENDENCY_FAILED,
    NGX_HTTP_CODAT_TRACKED_DEPENDENCY_TIMEOUT,
    NGX_HTTP_CODAT_TRACKED_SHED,
    NGX_HTTP_CODAT_TRACKED_INVALID,
    NGX_HTTP_CODAT_TRACKED_ASKED,
    NGX_HTTP_CODAT_TRACKED_HEALED,
    NGX_HTTP_CODAT_TRACKED_UNANSWERED,
    NGX_HTTP_CODAT_TRACKEDS
} ngx_http_codat_tracked_e;


typedef struct ngx_http_codat_tap_s    ngx_http_codat_tap_t;
typedef struct ngx_http_codat_hold_s   ngx_http_codat_hold_t;
typedef struct ngx_http_codat_delay_s  ngx_http_codat_delay_t;


/* a push that a call is about, or waits for */

typedef struct {
    ngx_str_t                     text;
    u_char                        key[NGX_CODAT_ZONE_KEY_LEN];
} ngx_http_codat_track_key_t;


struct ngx_http_codat_track_s {
    ngx_http_request_t           *request;
    ngx_http_codat_track_conf_t  *conf;
    ngx_codat_zone_t             *zone;

    ngx_str_t                     reference;
    ngx_int_t                     wait;     /* seconds that apply, or -1 */
    ngx_msec_t                    deadline; /* of all that is waited for */

    ngx_str_t                     company;  /* of a poll */
    ngx_http_codat_track_key_t    polled;

    ngx_http_codat_track_key_t   *after;
    ngx_uint_t                    nafter;

    ngx_http_codat_delay_t       *delay;
    ngx_http_codat_tap_t         *tap;
    ngx_http_codat_hold_t        *hold;

    unsigned                      push:1;   /* or anything that may be one */
    unsigned                      poll:1;
    unsigned                      counted:1;
    unsigned                      asking:1; /* on our own behalf */
    unsigned                      known:1;  /* the answer was a push */
    unsigned                      final:1;  /* and its row is final now */
};


/* The handler of the PRECONTENT phase. */
ngx_int_t ngx_http_codat_track_handler(ngx_http_request_t *r);

/* What is known of a call; NULL if nothing has to be done about it. */
ngx_http_codat_track_t *ngx_http_codat_track_of(ngx_http_request_t *r);

/* Makes it known to the filters.  Returns NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_codat_track_attach(ngx_http_request_t *r,
    ngx_http_codat_track_t *track);

/* Milliseconds that may still be waited; 0: none. */
ngx_msec_t ngx_http_codat_track_left(ngx_http_codat_track_t *track);

/*
 * Answers a call with a problem, one log line and one count.  The detail, a
 * format of ngx_sprintf(), goes to both: text of a stranger's in it must be
 * harmless.  Returns what the request is to be finalized with.
 */
ngx_int_t ngx_http_codat_track_problem(ngx_http_codat_track_t *track,
    ngx_http_codat_problem_e problem, ngx_http_codat_tracked_e tracked,
    const char *fmt, ...);

/* Counts a call, by what became of it. */
void ngx_http_codat_track_count(ngx_http_codat_track_t *track,
    ngx_http_codat_tracked_e tracked);


extern const ngx_str_t  ngx_http_codat_tracked_names[];


#endif /* _NGX_HTTP_CODAT_TRACK_H_INCLUDED_ */
