
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns Codat's vocabulary: the names of rules and events, data
 * types and statuses in all spellings that were ever published, and which of
 * them is the canonical one.  Knows names only, not bodies.
 */


#ifndef _NGX_CODAT_NAMES_H_INCLUDED_
#define _NGX_CODAT_NAMES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* of the folded types below; the last one is "other" */
#define NGX_CODAT_TYPES_N  94


/* events of the rules service, and of the newer one before October 2024 */

typedef enum {
    NGX_CODAT_RULE_NONE = 0,
    NGX_CODAT_RULE_CONNECTION_STATUS,
    NGX_CODAT_RULE_NEW_COMPANY,
    NGX_CODAT_RULE_SYNC_COMPLETED,
    NGX_CODAT_RULE_DATA_CHANGED,
    NGX_CODAT_RULE_SYNC_ERROR,
    NGX_CODAT_RULE_PUSH_STATUS,
    NGX_CODAT_RULE_PUSH_TIMED_OUT,
    NGX_CODAT_RULE_CATEGORIES_UPDATED,
    NGX_CODAT_RULE_CONNECTION_DELETED,
    NGX_CODAT_RULE_EXPENSES_STARTED,
    NGX_CODAT_RULE_EXPENSES_COMPLETED,
    NGX_CODAT_RULE_EXPENSES_FAILED,
    NGX_CODAT_RULE_LIMIT_REACHED,
    NGX_CODAT_RULE_LIMIT_RESET
} ngx_codat_rule_e;


typedef enum {
    NGX_CODAT_FAMILY_OTHER = 0,
    NGX_CODAT_FAMILY_COMPANY,
    NGX_CODAT_FAMILY_CONNECTION,
    NGX_CODAT_FAMILY_WRITE,
    NGX_CODAT_FAMILY_READ,
    NGX_CODAT_FAMILY_CLIENT
} ngx_codat_family_e;


typedef enum {
    NGX_CODAT_PUSH_UNKNOWN = 0,
    NGX_CODAT_PUSH_PENDING,
    NGX_CODAT_PUSH_SUCCESS,
    NGX_CODAT_PUSH_FAILED,
    NGX_CODAT_PUSH_TIMED_OUT
} ngx_codat_push_status_e;


typedef enum {
    NGX_CODAT_CONN_UNKNOWN = 0,
    NGX_CODAT_CONN_PENDING_AUTH,
    NGX_CODAT_CONN_LINKED,
    NGX_CODAT_CONN_UNLINKED,
    NGX_CODAT_CONN_DEAUTHORIZED,
    NGX_CODAT_CONN_DELETED
} ngx_codat_conn_status_e;


/* Recognises the name of a rule, whatever its case, spaces and hyphens. */
ngx_codat_rule_e ngx_codat_rule(ngx_str_t *name);

/* The canonical type of what a rule reports, where its name alone says it. */
const ngx_str_t *ngx_codat_rule_type(ngx_codat_rule_e rule);

/*
 * Recognises a status and replaces it by its canonical spelling; one that is
 * unknown is left alone.
 */
ngx_codat_push_status_e ngx_codat_push_status(ngx_str_t *status);
ngx_codat_conn_status_e ngx_codat_conn_status(ngx_str_t *status);

/*
 * Replaces a known data type by its canonical spelling, and with "singular"
 * set the singular of one that can be written by its plural.
 */
void ngx_codat_data_type(ngx_str_t *type, ngx_uint_t singular);

/*
 * Makes the name of an event canonical, and says what it is about.  The
 * result refers to the name, to static memory or to the pool.  Unknown names
 * are left as they are.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_codat_event_type(ngx_pool_t *pool, ngx_str_t *name,
    ngx_codat_family_e *family);

/* What TYPE.write.OUTCOME says of the status of a push. */
ngx_codat_push_status_e ngx_codat_write_outcome(ngx_str_t *name);

/*
 * Folds canonical types into a bounded set, for counters: writes of data types
 * that are not known to be written into "*.write.successful" and the like,
 * reads of custom products into "*.read.completed", and what is new into
 * "other".  Returns an index below NGX_CODAT_TYPES_N.
 */
ngx_uint_t ngx_codat_type_index(const ngx_str_t *canonical);
const ngx_str_t *ngx_codat_type_name(ngx_uint_t index);

/*
 * Puts together the name of a write event for a known status, in the pool.
 * Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_codat_write_name(ngx_pool_t *pool, ngx_str_t *type,
    ngx_codat_push_status_e status, ngx_str_t *name);


/* the canonical spellings of statuses, by ngx_codat_{push,conn}_status_e */

extern const ngx_str_t  ngx_codat_push_status_names[];
extern const ngx_str_t  ngx_codat_conn_status_names[];


#endif /* _NGX_CODAT_NAMES_H_INCLUDED_ */
