
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the rows of a zone as records: what an event changes in
 * them, single rows and lists for readers, rows made and forgotten by hand.
 * The only room that writes rows of pushes, connections, datasets, companies
 * and clients.
 */


#ifndef _NGX_CODAT_TABLE_H_INCLUDED_
#define _NGX_CODAT_TABLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_delivery.h"
#include "ngx_codat_facts.h"
#include "ngx_codat_merge.h"
#include "ngx_codat_names.h"
#include "ngx_codat_zone.h"


/* A row that was copied out; its record refers to the other members. */
typedef struct {
    ngx_codat_record_t          record;
    u_char                      key[NGX_CODAT_ZONE_KEY_LEN];
    size_t                      len;
    u_char                      packed[NGX_CODAT_RECORD_MAX];
    u_char                      scratch[NGX_CODAT_RECORD_SCRATCH];
} ngx_codat_copy_t;


/* what the tables make of one event */
typedef struct {
    ngx_array_t                 facts;      /* see ngx_codat_facts.h */
    ngx_codat_recent_event_t    recent;
    ngx_str_t                   reference;  /* found; in the pool */
    unsigned                    stale:1;    /* found */
} ngx_codat_update_t;


/*
 * The key of a row: the UUID itself, or a digest of another text under the
 * seed of the zone.  Returns NGX_OK, NGX_DECLINED if the text is empty or
 * longer than NGX_CODAT_ID_MAX, or NGX_ERROR (OpenSSL).
 */
ngx_int_t ngx_codat_table_key(ngx_codat_zone_t *zone, const ngx_str_t *text,
    u_char *key);

/*
 * Claims the delivery, unless that is NULL, and where it is ours applies what
 * the event says and lists it among the recent ones, in one hold of the lock
 * (several for events with many datasets).  Wakes whoever waits for a row
 * that changed.  Returns as ngx_codat_delivery_claim_locked(), or NGX_ERROR
 * (memory, OpenSSL): a claim, if there is one, has then to be released.
 */
ngx_int_t ngx_codat_table_receive(ngx_codat_zone_t *zone, ngx_pool_t *pool,
    ngx_codat_delivery_t *delivery, ngx_uint_t done,
    ngx_codat_update_t *update);

/*
 * Copies a row by its key.  Returns NGX_OK, or NGX_DECLINED if there is none.
 */
ngx_int_t ngx_codat_table_get(ngx_codat_zone_t *zone,
    ngx_codat_record_kind_e kind, const u_char *key, ngx_codat_copy_t *copy);

/*
 * Registers a push by hand: TEXT_ID, and of TEXT_REFERENCE, TEXT_COMPANY,
 * TEXT_CONNECTION and TEXT_DATA_TYPE those that are set; or, with flags of
 * NGX_CODAT_MERGE_ANSWER, what Codat's API has said of one.  Wakes whoever
 * waits for it.  "copy" is the row as it is then.  Returns NGX_OK if the push
 * was known, NGX_DONE if it is new, NGX_DECLINED if there is no room or the
 * key is none, or NGX_ERROR (OpenSSL).
 */
ngx_int_t ngx_codat_table_register(ngx_codat_zone_t *zone,
    ngx_codat_record_t *push, ngx_codat_copy_t *copy);

/*
 * Puts a row as a store has it, unless the one here is newer, and wakes
 * whoever waits for it.  Returns NGX_OK, NGX_DECLINED (older, or no room), or
 * NGX_ERROR (OpenSSL).
 */
ngx_int_t ngx_codat_table_put(ngx_codat_zone_t *zone,
    ngx_codat_record_t *record, uint64_t version);

/* Forgets a push.  Returns NGX_OK, or NGX_DECLINED if it was not known. */
ngx_int_t ngx_codat_table_forget(ngx_codat_zone_t *zone, const u_char *key);

/*
 * Copies a row with the zone's lock; ngx_codat_table_unpack() makes it a
 * record once the lock is released.
 */
void ngx_codat_table_copy_locked(ngx_codat_zone_t *zone,
    const ngx_codat_row_t *row, ngx_codat_copy_t *copy);
void ngx_codat_table_unpack(ngx_codat_copy_t *copy);

/* The queue in which a row of that kind and state belongs; no deliveries. */
ngx_codat_queue_e ngx_codat_table_queue(ngx_uint_t kind, ngx_uint_t state);

/* Wall time in microseconds. */
int64_t ngx_codat_table_now(void);


/* the kinds of rows, by ngx_codat_record_kind_e */

extern const ngx_uint_t  ngx_codat_table_kinds[];


#endif /* _NGX_CODAT_TABLE_H_INCLUDED_ */
