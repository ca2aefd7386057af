
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the units of work: what is asked of a store, each of which
 * happens as a whole or not at all, and the memory of each.  A unit has a
 * pool of its own and refers to nothing outside, since a thread works on it
 * while requests and configurations go.
 */


#ifndef _NGX_CODAT_WORK_H_INCLUDED_
#define _NGX_CODAT_WORK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_record.h"


#define NGX_CODAT_WORK_DIGEST_LEN  32

/* events that a unit looks at to find those of a list */
#define NGX_CODAT_WORK_SCAN        20000


typedef enum {
    NGX_CODAT_WORK_RECEIVE = 0,
    NGX_CODAT_WORK_DONE,
    NGX_CODAT_WORK_RESULT,
    NGX_CODAT_WORK_CLAIM,
    NGX_CODAT_WORK_RELEASE,
    NGX_CODAT_WORK_ROWS,
    NGX_CODAT_WORK_FORGET,
    NGX_CODAT_WORK_LOAD,
    NGX_CODAT_WORK_LIST,
    NGX_CODAT_WORK_REPLAY,
    NGX_CODAT_WORK_CANCEL,
    NGX_CODAT_WORK_PRUNE,
    NGX_CODAT_WORK_STATS,
    NGX_CODAT_WORK_ROUTES,
    NGX_CODAT_WORK_CONSUMER_PUT,        /* see ngx_codat_work_consumer.h */
    NGX_CODAT_WORK_CONSUMER_DROP,
    NGX_CODAT_WORK_CONSUMER_LIST,
    NGX_CODAT_WORK_CONSUMER_KEY,
    NGX_CODAT_WORK_CONSUMER_REPLAY,
    NGX_CODAT_WORK_SAMPLES,
    NGX_CODAT_WORK_FANOUT,
    NGX_CODAT_WORK_DISPATCH,
    NGX_CODAT_WORK_DISPATCHED,
    NGX_CODAT_WORK_OPS
} ngx_codat_work_op_e;


/* states of a delivery; the numbers are stored as names, see the schema */

typedef enum {
    NGX_CODAT_QUEUED_ANY = 0,
    NGX_CODAT_QUEUED_PENDING,
    NGX_CODAT_QUEUED_BLOCKED,           /* behind another one of its key */
    NGX_CODAT_QUEUED_DELIVERED,
    NGX_CODAT_QUEUED_DEAD,
    NGX_CODAT_QUEUED_CANCELED,
    NGX_CODAT_QUEUED_STATES
} ngx_codat_queued_e;


typedef struct ngx_codat_work_s  ngx_codat_work_t;

/* called on the event loop; the unit is the callee's, who frees it */
typedef void (*ngx_codat_work_done_pt)(ngx_codat_work_t *work);


/*
 * "rc" after the work: NGX_OK, NGX_DECLINED (there is no such thing), or
 * NGX_ERROR: nothing has happened, and the store has logged why.  What is not
 * marked as "out" is as it was then: it may be tried again.
 */
struct ngx_codat_work_s {
    ngx_codat_work_t         *next;
    ngx_codat_work_op_e       op;
    ngx_pool_t               *pool;
    size_t                    bytes;        /* about, of what it brings */
    ngx_int_t                 rc;
    ngx_codat_work_done_pt    done;
    void                     *data;         /* of "done" */
};


/* a row as it is in the store: the version grows with each change */

typedef struct {
    ngx_codat_record_t        record;
    uint64_t                  version;
    int64_t                   touched;      /* receipt of its last change */
    unsigned                  status:1;     /* changed */
    unsigned                  refused:1;    /* a transition that can't be */
} ngx_codat_work_row_t;


/* what is kept of a webhook */

typedef struct {
    uint64_t                  id;           /* of its row; out */
    u_char                    dedupe[NGX_CODAT_KEY_LEN];
    u_char                    digest[NGX_CODAT_WORK_DIGEST_LEN]; /* of body */
    ngx_str_t                 event_id;
    ngx_str_t                 webhook_id;   /* key of idempotency */
    ngx_str_t                 type;
    ngx_str_t                 company;
    ngx_str_t                 connection;
    ngx_str_t                 push_key;
    ngx_str_t                 client;       /* X-Codat-ClientId */
    ngx_str_t                 endpoint;     /* names a codat_webhook */
    ngx_str_t                 headers;      /* "Name: value\n" of format=raw */
    ngx_str_t                 host;
    ngx_str_t                 uri;          /* with arguments */
    ngx_str_t                 body;
    ngx_str_t                 tags;         /* in: of its company, a line for
                                               each; no data: unknown */
    ngx_str_t                 reference;    /* of its push, as far as it is
                                               known; out */
    int64_t                   received;     /* usec, as all times here */
    int64_t                   generated;    /* 0: unknown */
    unsigned                  known:1;      /* dedupe is set */
    unsigned                  stale:1;      /* out */
} ngx_codat_work_event_t;


/* one forward of an event in the queue */

typedef struct {
    uint64_t                  id;           /* out */
    ngx_str_t                 route;        /* names a codat_forward */
    ngx_str_t                 order_key;    /* empty: in any order */
    ngx_uint_t                max;          /* that may run at a time */
    ngx_uint_t                attempt;      /* out, from 1 */
    ngx_str_t                 nonce;        /* of a replay, else empty; out */
    unsigned                  claimed:1;    /* out: ours until the lease ends */
} ngx_codat_work_delivery_t;


/*
 * A webhook.  With deliveries (or "accept" set) it is accepted once it is
 * stored, else it is running until DONE.  "outcome": NGX_OK, it is ours;
 * NGX_DONE, it was accepted before ("changed" if with another body);
 * NGX_BUSY, another nginx works on it.
 */
typedef struct {
    ngx_codat_work_t           work;
    void                      *ctx;         /* of whoever waits, or NULL */
    ngx_codat_work_event_t     event;
    ngx_array_t                facts;       /* ngx_codat_record_t */
    ngx_array_t                deliveries;  /* ngx_codat_work_delivery_t */
    int64_t                    window;      /* usec, of deduplication */
    int64_t                    lease;       /* until when */
    uint64_t                   origin;      /* the nginx */
    uint64_t                   owner;       /* the worker */
    uint32_t                   routes;      /* tells lists of forwards apart */

    ngx_int_t                  outcome;     /* from here on: out */
    uint64_t                   succeeded;   /* forwards, of earlier copies */
    ngx_uint_t                 attempt;
    ngx_array_t                rows;        /* ngx_codat_work_row_t */
    unsigned                   accept:1;
    unsigned                   fanout:1;    /* in: there may be consumers */
    unsigned                   changed:1;
} ngx_codat_work_receive_t;


/* the end of an event that was forwarded at once */

typedef struct {
    ngx_codat_work_t           work;
    uint64_t                   event;
    uint64_t                   succeeded;
    unsigned                   accepted:1;
    unsigned                   fanout:1;    /* there may be consumers */
} ngx_codat_work_done_t;


/* what became of an attempt: DELIVERED, DEAD, or PENDING to try it again */

typedef struct {
    ngx_codat_work_t           work;
    uint64_t                   delivery;
    uint64_t                   owner;
    ngx_codat_queued_e         state;
    ngx_uint_t                 status;      /* of the answer, 0: none */
    ngx_str_t                  error;
    int64_t                    now;
    int64_t                    next;        /* of PENDING: when */
} ngx_codat_work_result_t;


/* a delivery that was claimed, with its event */

typedef struct {
    ngx_codat_work_delivery_t  delivery;
    ngx_codat_work_event_t     event;
} ngx_codat_work_claimed_t;


/*
 * Claims deliveries that are due, of the routes given (only "route" and "max"
 * of each are read), at most "limit" of them and "bytes" of bodies, one at
 * least.  "next" is when the next one is due, 0: none is known.
 */
typedef struct {
    ngx_codat_work_t           work;
    ngx_array_t                routes;      /* ngx_codat_work_delivery_t */
    int64_t                    now;
    int64_t                    lease;
    uint64_t                   owner;
    ngx_uint_t                 limit;
    size_t                     size;

    ngx_array_t                claimed;     /* out: ngx_codat_work_claimed_t */
    int64_t                    next;        /* out */
} ngx_codat_work_claim_t;


/* in place of a forward: there are consumers */
#define NGX_CODAT_WORK_CONSUMERS  "codat_consumers"


/* deliveries of a forward that were given up, or events and deliveries */

typedef struct {
    ngx_str_t                  route;
    ngx_uint_t                 count;
} ngx_codat_work_gone_t;


/*
 * Notes that an nginx knows these forwards, and gives up deliveries, at most
 * "limit", of those that no nginx has known since "before" (0: none of them),
 * unless a worker has claimed them.  One that is met for the first time is
 * taken for known until now.  Consumers are such a forward: without them
 * events are not distributed, and deliveries to them are given up.  Where
 * "now" is before that of an earlier such unit, what was to happen later by
 * the clock of then is set back too.
 */
typedef struct {
    ngx_codat_work_t           work;
    ngx_array_t                routes;      /* ngx_str_t */
    int64_t                    now;
    int64_t                    before;
    ngx_uint_t                 limit;
    ngx_array_t                gone;        /* out: ngx_codat_work_gone_t */
} ngx_codat_work_routes_t;


/* gives back all that an owner has claimed, on stopping */

typedef struct {
    ngx_codat_work_t           work;
    uint64_t                   owner;
} ngx_codat_work_release_t;


/*
 * Applies facts without an event (a tracked answer, a registration), or, with
 * "read" set, only reads the rows they are about.
 */
typedef struct {
    ngx_codat_work_t           work;
    ngx_array_t                facts;       /* ngx_codat_record_t */
    uint64_t                   origin;
    ngx_uint_t                 read;        /* unsigned  read:1; */
    ngx_array_t                rows;        /* out: ngx_codat_work_row_t */
} ngx_codat_work_rows_t;


/* forgets a push */

typedef struct {
    ngx_codat_work_t           work;
    ngx_str_t                  key;
} ngx_codat_work_forget_t;


/*
 * Reads rows of a kind in the order of their versions, from the one behind
 * "version" on; with "foreign" set only those that another origin wrote.
 * "last" is the version to go on from, "more" whether there may be more.
 */
typedef struct {
    ngx_codat_work_t           work;
    ngx_codat_record_kind_e    kind;
    uint64_t                   version;
    uint64_t                   origin;
    ngx_uint_t                 limit;
    unsigned                   foreign:1;

    ngx_array_t                rows;        /* out: ngx_codat_work_row_t */
    uint64_t                   last;        /* out */
    unsigned                   more:1;      /* out */
} ngx_codat_work_load_t;


/*
 * Which events.  With "id" or "event_id", of a body or a header or else the
 * row, it is that one, the newest of several; the others apply to lists.
 */
typedef struct {
    uint64_t                   id;          /* of the row, 0: any */
    ngx_str_t                  event_id;
    ngx_codat_queued_e         state;       /* of a delivery */
    ngx_str_t                  type;        /* patterns, with commas */
    ngx_str_t                  company;
    int64_t                    from;        /* of receipt, 0: any */
    int64_t                    until;
    uint64_t                   before;      /* row, 0: from the newest on */
} ngx_codat_work_filter_t;


/* a delivery as it is listed */

typedef struct {
    uint64_t                   id;
    ngx_str_t                  route;
    ngx_str_t                  nonce;
    ngx_codat_queued_e         state;
    ngx_uint_t                 attempts;
    int64_t                    next;
    int64_t                    finished;
    ngx_uint_t                 status;
    ngx_str_t                  error;
} ngx_codat_work_listed_t;


typedef struct {
    ngx_codat_work_event_t     event;
    ngx_array_t                deliveries;  /* ngx_codat_work_listed_t */
} ngx_codat_work_entry_t;


/*
 * Lists events with their deliveries, newest first.  One unit looks at no
 * more than NGX_CODAT_WORK_SCAN events: "last" is the row to go on before,
 * 0 at the end.
 */
typedef struct {
    ngx_codat_work_t           work;
    ngx_codat_work_filter_t    filter;
    ngx_uint_t                 limit;
    size_t                     size;        /* of bodies, one at least */
    ngx_array_t                entries;     /* out: ngx_codat_work_entry_t */
    uint64_t                   last;        /* out */
} ngx_codat_work_list_t;


/* an event and where it is to go once more */

typedef struct {
    uint64_t                   event;
    ngx_codat_work_delivery_t  delivery;    /* with a nonce */
} ngx_codat_work_replayed_t;


/*
 * Delivers events again.  A delivery that is dead lives again, one that is
 * not over is left alone, else there is a new one.  Events that have gone are
 * passed over.
 */
typedef struct {
    ngx_codat_work_t           work;
    ngx_array_t                replayed;    /* ngx_codat_work_replayed_t */
    int64_t                    now;
    ngx_uint_t                 count;       /* out, deliveries */
} ngx_codat_work_replay_t;


/*
 * Ends deliveries that are in the state of the filter, or not over, of at
 * most "limit" events.  "last" is as above.
 */
typedef struct {
    ngx_codat_work_t           work;
    ngx_codat_work_filter_t    filter;
    ngx_uint_t                 limit;
    int64_t                    now;
    ngx_uint_t                 events;      /* out, looked for and found */
    ngx_uint_t                 count;       /* out, deliveries */
    uint64_t                   last;        /* out */
} ngx_codat_work_cancel_t;


/*
 * Drops what is over and older than that, at most "limit" rows of a table.
 * "more" says that there may be more, pushes with versions behind "last".
 */
typedef struct {
    ngx_codat_work_t           work;
    int64_t                    before;
    int64_t                    after;       /* version, 0: any */
    ngx_uint_t                 limit;
    ngx_uint_t                 dropped;     /* out */
    int64_t                    last;        /* out, 0: from the first on */
    unsigned                   more:1;      /* out */
} ngx_codat_work_prune_t;


/* the newest event of a type */
typedef struct {
    ngx_str_t                  type;
    int64_t                    received;
} ngx_codat_work_newest_t;


/*
 * Figures.  Of a large table a part is counted each time, so that nobody
 * waits for that: until it has been counted once, "unknown" says so, and a
 * figure may be that of a while ago.
 */
typedef struct {
    ngx_codat_work_t           work;
    uint64_t                   deliveries[NGX_CODAT_QUEUED_STATES]; /* out */
    uint64_t                   events;      /* out */
    unsigned                   unknown:1;   /* out */
    int64_t                    oldest;      /* out: receipt of the oldest
                                               that is not over, or 0 */
    uint64_t                   size;        /* out: bytes of the files */
    uint64_t                   consumers;   /* out: all of them */
    uint64_t                   disabled;    /* out: of these */
    uint64_t                   failing;     /* out: of the others */
    uint64_t                   outgoing;    /* out: deliveries to consumers
                                               that are not over */
    unsigned                   wanted:1;    /* "newest" is */
    ngx_array_t                newest;      /* out: ngx_codat_work_newest_t,
                                               one for each type there is */
} ngx_codat_work_stats_t;


/* the names of states, as stored and as the status API shows them */

extern const ngx_str_t  ngx_codat_queued_names[NGX_CODAT_QUEUED_STATES];

/* The state of that name; NGX_CODAT_QUEUED_ANY if there is none. */
ngx_codat_queued_e ngx_codat_queued(const ngx_str_t *name);

/*
 * Whether nobody waits for it, and it may be lost, but as a whole, if the
 * power fails: then it is done again.
 */
ngx_uint_t ngx_codat_work_later(ngx_codat_work_t *work);

/*
 * Makes a unit of "size" bytes, zeroed but for work.op and work.pool, with
 * arrays that are to be initialized in its pool.  Returns NULL without
 * memory.
 */
void *ngx_codat_work_create(ngx_codat_work_op_e op, size_t size,
    ngx_log_t *log);

/* Frees a unit and all that it has. */
void ngx_codat_work_free(ngx_codat_work_t *work);

/*
 * Copies a text to a unit; "copy" may be "text".  Returns NGX_OK or NGX_ERROR
 * (memory).
 */
ngx_int_t ngx_codat_work_text(ngx_codat_work_t *work, ngx_str_t *copy,
    const ngx_str_t *text);

/*
 * Copies facts to an array of a unit, initialized here.  Returns NGX_OK or
 * NGX_ERROR (memory).
 */
ngx_int_t ngx_codat_work_facts(ngx_codat_work_t *work, ngx_array_t *copy,
    const ngx_array_t *facts);


#endif /* _NGX_CODAT_WORK_H_INCLUDED_ */
