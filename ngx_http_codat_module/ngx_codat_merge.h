
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the rules by which an event changes a row.  Pure: a record
 * and what an event says go in, the changed record comes out, so that every
 * rule is tested as a sequence of events.
 */


#ifndef _NGX_CODAT_MERGE_H_INCLUDED_
#define _NGX_CODAT_MERGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_record.h"


/* what became of a report, a mask */

#define NGX_CODAT_MERGE_CHANGED   0x01  /* the record is another now */
#define NGX_CODAT_MERGE_STALE     0x02  /* older than what it knows */
#define NGX_CODAT_MERGE_REFUSED   0x04  /* a transition that can't be */
#define NGX_CODAT_MERGE_STATUS    0x08  /* the status is another now */


/*
 * In "flags" of what is said of a push: by hand, so facts only fill gaps; or
 * by an answer of Codat's API, which is news only if something has changed.
 */
#define NGX_CODAT_MERGE_BY_HAND   0x80
#define NGX_CODAT_MERGE_ANSWER    0x40


/*
 * Merges what one report says of a row into the row.  "row" has the kind of
 * "said"; a new row is zeroed but for kind and TEXT_ID.  Of "said", TIME_SEEN
 * is the receipt, TIME_UPDATED the event time (the date, else the receipt,
 * never 0), and TIME_GENERATED the date of the event, or 0 if it has none or
 * is about something else and only mentions this row; state is what the event
 * says, or 0 where it says nothing of it; flags are, of a connection, the
 * status that the event says was before, and of a push 0, BY_HAND or ANSWER.
 * The row then refers to texts of both.  Returns the mask above.
 */
ngx_uint_t ngx_codat_merge(ngx_codat_record_t *row,
    const ngx_codat_record_t *said);


#endif /* _NGX_CODAT_MERGE_H_INCLUDED_ */
