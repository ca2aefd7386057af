
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  What the HTTP rooms share: the configuration, which is read-only
 * while serving, and the context of one webhook or call to Codat's API,
 * which lives in the pool of its main request.
 */


#ifndef _NGX_HTTP_CODAT_H_INCLUDED_
#define _NGX_HTTP_CODAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_codat_compat.h"
#include "ngx_codat_event.h"
#include "ngx_codat_sign.h"
#include "ngx_codat_table.h"
#include "ngx_codat_work.h"
#include "ngx_codat_zone.h"


#define NGX_HTTP_CODAT_VERSION  "0.1.0"

/* the length of a variable has 28 bits */
#define NGX_HTTP_CODAT_VARIABLE_MAX  ((1U << 28) - 1)


/* kinds of credentials; basic, bearer and header are one group */

#define NGX_HTTP_CODAT_SIGNATURE      0x01
#define NGX_HTTP_CODAT_BASIC          0x02
#define NGX_HTTP_CODAT_BEARER         0x04
#define NGX_HTTP_CODAT_HEADER         0x08
#define NGX_HTTP_CODAT_OPEN           0x10

#define NGX_HTTP_CODAT_AUTHORIZATION  (NGX_HTTP_CODAT_BASIC                   \
                                       |NGX_HTTP_CODAT_BEARER                 \
                                       |NGX_HTTP_CODAT_HEADER)

/* of a codat_forward in the queue: what goes one at a time */

#define NGX_HTTP_CODAT_ORDER_NONE     0
#define NGX_HTTP_CODAT_ORDER_COMPANY  1
#define NGX_HTTP_CODAT_ORDER_PUSH     2

#define NGX_HTTP_CODAT_SATISFY_ALL    0
#define NGX_HTTP_CODAT_SATISFY_ANY    1


/* how a template writes a variable */

typedef enum {
    NGX_HTTP_CODAT_ESCAPE_NONE = 0,
    NGX_HTTP_CODAT_ESCAPE_JSON,
    NGX_HTTP_CODAT_ESCAPE_ARGS
} ngx_http_codat_escape_e;


/* literal text, or a variable where text.data is NULL */

typedef struct {
    ngx_str_t                     text;
    ngx_uint_t                    variable;
} ngx_http_codat_part_t;


typedef struct {
    ngx_array_t                   parts;    /* ngx_http_codat_part_t */
    ngx_uint_t                    escape;
} ngx_http_codat_template_t;


typedef struct {
    ngx_str_t                     name;
    ngx_str_t                     type;
    ngx_http_codat_template_t     template;
} ngx_http_codat_format_t;


typedef struct {
    ngx_uint_t                    kind;
    ngx_str_t                     name;     /* of the header, lower case */
    ngx_http_complex_value_t     *value;    /* has variables; else NULL */
    ngx_codat_sign_key_t         *key;      /* of a signature */
    u_char                        digest[NGX_CODAT_SIGN_DIGEST_LEN];
} ngx_http_codat_credential_t;


typedef struct {
    ngx_array_t                   patterns; /* ngx_str_t */
    ngx_str_t                     target;   /* as configured */
    ngx_str_t                     named;    /* "@name", or empty */
    ngx_http_complex_value_t     *uri;      /* before the first "?" */
    ngx_http_codat_template_t    *args;     /* behind it, or NULL */
    ngx_str_t                     format_name;
    ngx_http_codat_format_t      *format;
    ngx_http_complex_value_t     *condition;
    uint32_t                      id;       /* in the counters */
    ngx_str_t                     route;    /* its name in the store */
    ngx_uint_t                    max;      /* deliveries at a time */
    ngx_uint_t                    order;
    ngx_uint_t                    optional; /* unsigned  optional:1; */
} ngx_http_codat_forward_t;


/* a forward as the metrics show it */

typedef struct {
    ngx_shm_zone_t               *zone;
    ngx_str_t                     server;
    ngx_str_t                     location;
    ngx_str_t                     target;
    uint32_t                      id;
} ngx_http_codat_route_t;


typedef struct ngx_http_codat_lookup_s  ngx_http_codat_lookup_t;
typedef struct ngx_http_codat_queue_s  ngx_http_codat_queue_t;
typedef struct ngx_http_codat_consumers_conf_s
    ngx_http_codat_consumers_conf_t;


typedef struct {
    ngx_array_t                   formats;   /* ngx_http_codat_format_t * */
    ngx_array_t                   variables; /* ngx_uint_t, indices of ours */
    ngx_array_t                   routes;    /* ngx_http_codat_route_t */
    ngx_array_t                   lookups;   /* ngx_http_codat_lookup_t * */
    ngx_array_t                   reconciles;
                                      /* ngx_http_codat_reconcile_conf_t * */
    ngx_array_t                   queues;    /* ngx_http_codat_queue_t * */
    ngx_array_t                   consumers;
                                      /* ngx_http_codat_consumers_conf_t * */
    ngx_uint_t                    used;      /* unsigned  used:1; */
} ngx_http_codat_main_conf_t;


/* of codat_status */

typedef struct {
    ngx_shm_zone_t               *zone;
    ngx_str_t                     location; /* its name */
    u_char                       *file;
    ngx_uint_t                    line;
    ngx_uint_t                    clash;    /* unsigned  clash:1; */
} ngx_http_codat_status_conf_t;


/* of codat_consumers */

typedef struct {
    ngx_http_codat_consumers_conf_t  *consumers; /* of the zone */
    ngx_str_t                     named;    /* "@name", or empty */
    ngx_str_t                     location; /* its name */
    u_char                       *file;
    ngx_uint_t                    line;
    ngx_uint_t                    clash;    /* unsigned  clash:1; */
} ngx_http_codat_api_conf_t;


/* of codat_track */

typedef struct {
    ngx_shm_zone_t               *zone;
    ngx_http_complex_value_t      reference;
    ngx_uint_t                    header;    /* unsigned  header:1;  it is
                                                X-Codat-Reference alone */
    time_t                        refresh;   /* seconds, 0: never local */
    time_t                        reconcile; /* seconds, 0: off */
    ngx_uint_t                    shed;      /* unsigned  shed:1; */
    u_char                       *file;
    ngx_uint_t                    line;
} ngx_http_codat_track_conf_t;


/* of codat_reconcile */

typedef struct {
    ngx_str_t                     named;     /* "@name" */
    ngx_uint_t                    rate;      /* requests a second */
    ngx_http_codat_track_conf_t  *track;
    ngx_http_conf_ctx_t           ctx;       /* of the location */
} ngx_http_codat_reconcile_conf_t;


typedef struct {
    ngx_shm_zone_t               *zone;
    uint32_t                      routes;    /* a hash of the forwards */
    ngx_str_t                     server;    /* names of server and */
    ngx_str_t                     location;  /* location, a scope of ids */

    ngx_array_t                  *credentials;
    ngx_uint_t                    kinds;     /* of the credentials, a mask */
    ngx_uint_t                    satisfy;
    time_t                        tolerance;
    ngx_array_t                  *clients;   /* ngx_str_t */

    ngx_array_t                  *forwards;  /* ngx_http_codat_forward_t */
    ngx_msec_t                    forward_timeout;
    ngx_array_t                  *retry;     /* ngx_msec_t */
    ngx_str_t                     endpoint;  /* its name in the store */
    ngx_uint_t                    delivery;  /* see below */

    time_t                        wait;      /* seconds, 0: none */

    ngx_uint_t                    log_level;

    ngx_http_codat_status_conf_t  status;
    ngx_http_codat_api_conf_t     api;
    ngx_http_codat_track_conf_t  *track;
    ngx_http_codat_reconcile_conf_t  *reconcile;

    u_char                       *file;      /* of codat_webhook */
    ngx_uint_t                    line;
    ngx_uint_t                    clash;     /* unsigned  clash:1; */
} ngx_http_codat_loc_conf_t;


#define NGX_HTTP_CODAT_DELIVERY_UNSET   0
#define NGX_HTTP_CODAT_DELIVERY_SYNC    1
#define NGX_HTTP_CODAT_DELIVERY_QUEUED  2


typedef struct ngx_http_codat_forwarding_s  ngx_http_codat_forwarding_t;
typedef struct ngx_http_codat_track_s       ngx_http_codat_track_t;
typedef struct ngx_http_codat_outgoing_s    ngx_http_codat_outgoing_t;
typedef struct ngx_http_codat_call_s        ngx_http_codat_call_t;


typedef struct {
    ngx_http_request_t           *request;

    /* headers, each empty if it was not sent */
    ngx_str_t                     webhook_id;
    ngx_str_t                     timestamp;
    ngx_str_t                     signature;
    ngx_str_t                     client_id;
    ngx_str_t                     encoding;
    ngx_uint_t                    satisfied; /* mask of groups */
    ngx_uint_t                    failed;    /* mask of kinds */
    ngx_str_t                     tenant;    /* secret that variables gave */

    ngx_codat_event_t             event;     /* once "parsed" */
    ngx_str_t                     key;       /* of idempotency */
    u_char                        identity[NGX_CODAT_KEY_LEN]; /* stored */
    int64_t                       received;  /* usec */

    ngx_codat_zone_t             *zone;
    ngx_codat_delivery_t          delivery;
    ngx_http_codat_forwarding_t  *forwarding;
    ngx_codat_work_receive_t     *work;      /* under way in the store */
    ngx_event_t                  *patience;  /* with it */
    ngx_array_t                   facts;     /* that it says, with a store */
    ngx_codat_work_t             *recall;    /* what forwards may ask for */
    ngx_msec_t                    recall_until;
    uint64_t                      stored;    /* id of the event there */
    ngx_str_t                     result;    /* $codat_result */
    ngx_str_t                     retry_after; /* the application's */
    ngx_int_t                     rc;        /* of the answer, once sent */

    ngx_str_t                     replacement; /* of the core's own page */

    ngx_http_codat_track_t       *track;     /* alone: no webhook */
    ngx_http_codat_outgoing_t    *outgoing;  /* to a consumer, or NULL */
    ngx_http_codat_call_t        *call;      /* as well */

    unsigned                      gone:1;    /* the client is, over HTTP/2 */
    unsigned                      identified:1; /* has an identity */
    unsigned                      scanned:1;
    unsigned                      parsed:1;
    unsigned                      recalling:1;
    unsigned                      answered:1;
} ngx_http_codat_ctx_t;


extern ngx_module_t  ngx_http_codat_module;


#endif /* _NGX_HTTP_CODAT_H_INCLUDED_ */
