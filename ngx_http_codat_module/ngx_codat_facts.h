
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the translation of an event into what it says of pushes,
 * connections, datasets, companies and clients.
 */


#ifndef _NGX_CODAT_FACTS_H_INCLUDED_
#define _NGX_CODAT_FACTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_event.h"
#include "ngx_codat_record.h"


/* connections that one event of reads may name, the rest is not remembered */
#define NGX_CODAT_FACTS_CONNECTIONS  64

/* the longest list: datasets, their connections, the company */
#define NGX_CODAT_FACTS_MAX                                                   \
    (NGX_CODAT_EVENT_READS + NGX_CODAT_FACTS_CONNECTIONS + 1)


/*
 * Lists what an event says, as reports for ngx_codat_merge(), in "facts", an
 * array of ngx_codat_record_t that is initialized here.  The first one is
 * what the event is about: it decides whether the event is stale.
 * "received" is the time of receipt in microseconds.  Texts refer to the
 * event.  An event of an unknown type says nothing but that its company
 * exists.
 *
 * TEXT_ID is never longer than NGX_CODAT_ID_MAX; it is empty of a dataset,
 * which TEXT_CONNECTION and TEXT_DATA_TYPE identify, and of a client that
 * nobody named.  Only the rows that the event is about have TIME_GENERATED:
 * otherwise a read would make a link of the same connection stale, if that
 * came a little later.  Returns NGX_OK or NGX_ERROR (memory).
 *
 * Source: docs/events.md.
 */
ngx_int_t ngx_codat_facts(ngx_pool_t *pool, const ngx_codat_event_t *event,
    int64_t received, ngx_array_t *facts);


#endif /* _NGX_CODAT_FACTS_H_INCLUDED_ */
