
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the record: what one row of the tables says, as the merge
 * rules, the status API and codat_lookup variables see it, and its packed
 * form, which is what lies in shared memory.
 */


#ifndef _NGX_CODAT_RECORD_H_INCLUDED_
#define _NGX_CODAT_RECORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_CODAT_KEY_LEN          16
#define NGX_CODAT_UUID_LEN         36

/* the longest packed form; an id longer than this is not remembered */
#define NGX_CODAT_RECORD_MAX       4096
#define NGX_CODAT_ID_MAX           256
#define NGX_CODAT_REFERENCE_MAX    1024
#define NGX_CODAT_ERROR_MAX        512
#define NGX_CODAT_NAME_MAX         256
#define NGX_CODAT_WORD_MAX         128
#define NGX_CODAT_QUOTA_MAX        20

/* for the UUIDs of one record, which unpacking writes out as text */
#define NGX_CODAT_RECORD_SCRATCH   256


typedef enum {
    NGX_CODAT_RECORD_PUSH = 0,
    NGX_CODAT_RECORD_CONNECTION,
    NGX_CODAT_RECORD_DATASET,
    NGX_CODAT_RECORD_COMPANY,
    NGX_CODAT_RECORD_CLIENT,
    NGX_CODAT_RECORD_KINDS
} ngx_codat_record_kind_e;


/*
 * Texts; an absent one has no length.  The numbers are part of the packed
 * form: new ones are added at the end.
 */

typedef enum {
    NGX_CODAT_TEXT_ID = 0,          /* of the row itself */
    NGX_CODAT_TEXT_COMPANY,         /* an id */
    NGX_CODAT_TEXT_CONNECTION,      /* an id */
    NGX_CODAT_TEXT_DATA_TYPE,
    NGX_CODAT_TEXT_TYPE,            /* of the push: Create, ... */
    NGX_CODAT_TEXT_RECORD,          /* an id */
    NGX_CODAT_TEXT_ATTACHMENT,      /* an id */
    NGX_CODAT_TEXT_ERROR,
    NGX_CODAT_TEXT_REFERENCE,
    NGX_CODAT_TEXT_NAME,
    NGX_CODAT_TEXT_INTEGRATION,
    NGX_CODAT_TEXT_PLATFORM,
    NGX_CODAT_TEXT_SOURCE_TYPE,
    NGX_CODAT_TEXT_STATUS,          /* of a dataset, an open set */
    NGX_CODAT_TEXT_QUOTA,           /* of a client, digits */
    NGX_CODAT_TEXTS
} ngx_codat_text_e;


/* wall times in microseconds; 0: absent; new ones are added at the end */

typedef enum {
    NGX_CODAT_TIME_UPDATED = 0,     /* newest event time known */
    NGX_CODAT_TIME_GENERATED,       /* newest generatedDate known */
    NGX_CODAT_TIME_STATUS,          /* generatedDate that set the status */
    NGX_CODAT_TIME_SEEN,            /* receipt of what set the status, of a
                                       push the first; of a company the
                                       event time of its name */
    NGX_CODAT_TIME_REQUESTED,
    NGX_CODAT_TIME_COMPLETED,       /* as Codat says, or of a dataset */
    NGX_CODAT_TIME_CONTESTED,       /* first receipt of Failed, TimedOut */
    NGX_CODAT_TIME_DISPUTED,        /* generatedDate, oldest of those */
    NGX_CODAT_TIME_PREVIOUS,        /* of the previous status */
    NGX_CODAT_TIME_CREATED,
    NGX_CODAT_TIME_DELETED,
    NGX_CODAT_TIME_INITIAL_READ,
    NGX_CODAT_TIME_LIMITED,         /* until when */
    NGX_CODAT_TIME_ERROR,           /* event time, of a push's error */
    NGX_CODAT_TIME_CONFIRMED,       /* Codat's API said so of the status */
    NGX_CODAT_TIME_VERSION,         /* no time: that of a row of a store */
    NGX_CODAT_TIMES
} ngx_codat_time_e;


/*
 * "state" and "flags" fit a byte each and lie beside the packed form: of a
 * push its ngx_codat_push_status_e and a mask of (1 << status) of those that
 * were reported; of a connection its ngx_codat_conn_status_e and that before;
 * of a company 1 when it was deleted; of a client 1 while it is limited and
 * 2 after the reset.
 */
typedef struct {
    ngx_codat_record_kind_e   kind;
    ngx_uint_t                state;
    ngx_uint_t                flags;
    ngx_str_t                 texts[NGX_CODAT_TEXTS];
    int64_t                   times[NGX_CODAT_TIMES];
} ngx_codat_record_t;


/*
 * Reads a UUID in its usual form, in any case, into NGX_CODAT_KEY_LEN bytes.
 * Returns NGX_OK, or NGX_DECLINED if the text is something else.
 */
ngx_int_t ngx_codat_uuid_parse(const ngx_str_t *text, u_char *uuid);

/* Compares two ids: UUIDs in any case, others byte for byte.  1 or 0. */
ngx_uint_t ngx_codat_id_same(const ngx_str_t *one, const ngx_str_t *two);

/* Writes NGX_CODAT_UUID_LEN bytes, lower case; returns the byte behind. */
u_char *ngx_codat_uuid_format(u_char *p, const u_char *uuid);

/*
 * A text as far as it is remembered: an id, a reference or a quota that is
 * too long is not, any other text is cut where a character ends.
 */
ngx_str_t ngx_codat_record_text(const ngx_codat_record_t *record,
    ngx_uint_t text);

/*
 * Packs texts and times, at most NGX_CODAT_RECORD_MAX bytes, and returns how
 * many.  TEXT_ID is left out if it is a UUID, for then the key says it; one
 * in upper case comes back in lower case.  All other texts come back byte for
 * byte as ngx_codat_record_text() gives them.  The result depends on nothing
 * but the record.
 */
size_t ngx_codat_record_pack(const ngx_codat_record_t *record, u_char *p);

/*
 * Unpacks.  Texts point into "p" and "scratch" (NGX_CODAT_RECORD_SCRATCH
 * bytes).  "key" gives TEXT_ID where the packed form has none.  Kind, state
 * and flags are the caller's.  Returns NGX_OK, or NGX_ERROR if the bytes are
 * no packed record: the texts and times read so far are kept.
 */
ngx_int_t ngx_codat_record_unpack(ngx_codat_record_t *record, const u_char *p,
    size_t len, const u_char *key, u_char *scratch);

/* 1 if the push has reached a final status. */
ngx_uint_t ngx_codat_record_final(const ngx_codat_record_t *record);


#endif /* _NGX_CODAT_RECORD_H_INCLUDED_ */
