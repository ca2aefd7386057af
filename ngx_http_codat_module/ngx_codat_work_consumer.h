
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the units of work that are about consumers, see
 * ngx_codat_work.h: the consumers themselves, which events go to whom, and
 * their deliveries.
 */


#ifndef _NGX_CODAT_WORK_CONSUMER_H_INCLUDED_
#define _NGX_CODAT_WORK_CONSUMER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_work.h"


/* an uid is a UUID in text */
#define NGX_CODAT_CONSUMER_UID    36

/* what of a consumer is changed; the rest of it is not looked at */
#define NGX_CODAT_CONSUMER_URL       0x01
#define NGX_CODAT_CONSUMER_TYPES     0x02
#define NGX_CODAT_CONSUMER_TAGS      0x04
#define NGX_CODAT_CONSUMER_FORMAT    0x08
#define NGX_CODAT_CONSUMER_RATE      0x10
#define NGX_CODAT_CONSUMER_SECRET    0x20
#define NGX_CODAT_CONSUMER_DISABLED  0x40

/* why one is disabled */
#define NGX_CODAT_CONSUMER_BY_REQUEST   "request"
#define NGX_CODAT_CONSUMER_BY_FAILURES  "failures"

/* the event that says so of the latter */
#define NGX_CODAT_CONSUMER_EVENT  "codat.consumer.disabled"

/* every attempt must have failed for so long; usec */
#define NGX_CODAT_CONSUMER_PATIENCE  ((int64_t) 432000 * 1000000)


/* times are in usec, 0: none */

typedef struct {
    uint64_t                   id;           /* of its row; out */
    ngx_str_t                  uid;
    ngx_str_t                  client;       /* whose it is; empty: nobody's */
    ngx_str_t                  url;
    ngx_str_t                  secret;       /* bytes, not text */
    ngx_array_t                event_types;  /* ngx_str_t: patterns */
    ngx_array_t                company_tags; /* ngx_str_t: "key:value" */
    ngx_uint_t                 rate;         /* events a second, 0: any */
    int64_t                    created;
    int64_t                    disabled_at;
    int64_t                    failing;      /* since when all have failed */
    int64_t                    succeeded;    /* the last time */
    ngx_str_t                  reason;       /* why it is disabled */
    ngx_uint_t                 last_status;
    ngx_str_t                  last_error;
    unsigned                   disabled:1;
    unsigned                   cloudevents:1;
} ngx_codat_consumer_t;


/*
 * Makes a consumer, or, with "mask" set, changes that of the one with its
 * uid: NGX_DECLINED if there is none.  One that is disabled has no pending
 * deliveries.  "consumer" is as it is stored then.
 */
typedef struct {
    ngx_codat_work_t           work;
    ngx_codat_consumer_t       consumer;
    ngx_uint_t                 mask;         /* 0: it is a new one */
    int64_t                    now;
} ngx_codat_work_consumer_put_t;


/* removes one, with what is pending for it; NGX_DECLINED: there is none */

typedef struct {
    ngx_codat_work_t           work;
    ngx_str_t                  uid;
    ngx_str_t                  client;       /* empty: anybody's */
    int64_t                    now;
} ngx_codat_work_consumer_drop_t;


/*
 * Lists consumers in the order of their making, behind the one with the uid
 * "after", or the one with "uid".
 */
typedef struct {
    ngx_codat_work_t           work;
    ngx_str_t                  uid;          /* empty: all */
    ngx_str_t                  client;       /* empty: anybody's */
    ngx_str_t                  after;        /* empty: from the first on */
    ngx_uint_t                 limit;
    ngx_array_t                consumers;    /* out: ngx_codat_consumer_t */
    ngx_uint_t                 more;         /* out: unsigned  more:1; */
} ngx_codat_work_consumer_list_t;


/* replaces the hash of an integration key, or reads it, if it is "known" */

typedef struct {
    ngx_codat_work_t           work;
    ngx_str_t                  name;
    u_char                     hash[NGX_CODAT_WORK_DIGEST_LEN];
    int64_t                    now;
    unsigned                   set:1;
    unsigned                   known:1;      /* out */
} ngx_codat_work_consumer_key_t;


/*
 * Delivers to a consumer what was received since then, what it asks for and
 * has not got.  One unit looks at no more than "limit" events: another one is
 * to go on behind "last" while there is "more".  NGX_DECLINED: there is no
 * such consumer, or it is disabled.
 */
typedef struct {
    ngx_codat_work_t           work;
    ngx_str_t                  uid;
    ngx_str_t                  client;       /* empty: anybody's */
    int64_t                    since;
    int64_t                    now;
    ngx_uint_t                 limit;
    uint64_t                   after;        /* event, 0: from the first on */
    uint64_t                   last;         /* out */
    ngx_uint_t                 count;        /* out: deliveries */
    ngx_uint_t                 more;         /* out: unsigned  more:1; */
} ngx_codat_work_consumer_replay_t;


/*
 * The newest accepted events of a type, or without one the newest of each
 * type that there is.  A pattern is no type here.
 */
typedef struct {
    ngx_codat_work_t           work;
    ngx_str_t                  type;
    ngx_str_t                  client;       /* empty: anybody's */
    ngx_uint_t                 limit;
    size_t                     size;         /* of bodies, one at least */
    size_t                     left;         /* out: of these */
    ngx_array_t                entries;      /* out: ngx_codat_work_event_t */
} ngx_codat_work_samples_t;


/*
 * Makes deliveries of accepted events that nobody has distributed yet.  "more"
 * if there are more of them than "limit".
 */
typedef struct {
    ngx_codat_work_t           work;
    int64_t                    now;
    ngx_uint_t                 limit;        /* of events */
    ngx_uint_t                 events;       /* out */
    ngx_uint_t                 deliveries;   /* out */
    ngx_uint_t                 more;         /* out: unsigned  more:1; */
} ngx_codat_work_fanout_t;


/* a delivery that was claimed, with what is needed to make it */

typedef struct {
    uint64_t                   id;
    ngx_uint_t                 attempt;      /* from 1 */
    ngx_str_t                  nonce;        /* of a replay, else empty */
    ngx_codat_consumer_t       consumer;
    ngx_codat_work_event_t     event;
    ngx_uint_t                 slow;         /* unsigned  slow:1;  its
                                                consumer is not known to
                                                answer */
} ngx_codat_work_outgoing_t;


/*
 * Claims deliveries to consumers that are due, of each so many as it may
 * have under way.  "slow" is how many of them may be of consumers that fail,
 * or never have succeeded.  "next" is when the next one is due, 0: none is
 * known.
 */
typedef struct {
    ngx_codat_work_t           work;
    int64_t                    now;
    int64_t                    lease;
    uint64_t                   owner;
    ngx_uint_t                 limit;
    ngx_uint_t                 slow;
    size_t                     size;         /* of bodies, one at least */
    size_t                     left;         /* out: of these */
    ngx_array_t                claimed;      /* out:
                                                ngx_codat_work_outgoing_t */
    int64_t                    next;         /* out */
} ngx_codat_work_dispatch_t;


/*
 * What became of an attempt, as in ngx_codat_work_result_t; with "gone" set
 * its consumer is removed.  "disabled" if it was, since it has failed for too
 * long: there is an event then that says so.
 */
typedef struct {
    ngx_codat_work_t           work;
    uint64_t                   delivery;
    uint64_t                   owner;
    ngx_codat_queued_e         state;
    ngx_uint_t                 status;       /* of the answer, 0: none */
    ngx_str_t                  error;
    int64_t                    now;
    int64_t                    next;         /* of PENDING: when */
    unsigned                   gone:1;
    unsigned                   slow:1;       /* it took its time to answer */
    unsigned                   ours:1;       /* that it failed was our fault */
    unsigned                   counted:1;    /* as a slow one; the caller's */
    unsigned                   disabled:1;   /* out */
} ngx_codat_work_dispatched_t;


#endif /* _NGX_CODAT_WORK_CONSUMER_H_INCLUDED_ */
