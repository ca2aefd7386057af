
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the columns of each kind of record: their names, order and
 * values, as the JSON of the status API shows them and codat_lookup names
 * them.
 */


#ifndef _NGX_CODAT_COLUMNS_H_INCLUDED_
#define _NGX_CODAT_COLUMNS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_record.h"


/*
 * A column of the status API: what codat_lookup can name and JSON shows.
 */
typedef struct {
    ngx_str_t                 name;
    ngx_uint_t                column;       /* both private to the file */
    ngx_uint_t                index;
} ngx_codat_column_t;


/*
 * Writes the members of a record as JSON, from "{" on and without the last
 * "}", so that more can be added; a record that was merged once has at
 * least one member.  The length is an upper bound.  There is no clock here:
 * whoever shows a client whose TIME_LIMITED has passed sets its state to 2
 * before.
 */
size_t ngx_codat_record_json_len(const ngx_codat_record_t *record);
u_char *ngx_codat_record_json(u_char *p, const ngx_codat_record_t *record);

/*
 * Finds a column by its JSON name.  Returns NULL if records of this kind do
 * not have it.
 */
const ngx_codat_column_t *ngx_codat_record_column(
    ngx_codat_record_kind_e kind, const ngx_str_t *name);

/* The names of all columns of a kind, "status, final, ..." for messages. */
const char *ngx_codat_record_columns(ngx_codat_record_kind_e kind);

/*
 * The value of a column as text: what JSON shows, without quotes; empty if
 * absent.  "buf" has NGX_CODAT_RECORD_SCRATCH bytes for values that are
 * written out (times).
 */
void ngx_codat_record_value(const ngx_codat_record_t *record,
    const ngx_codat_column_t *column, u_char *buf, ngx_str_t *value);


#endif /* _NGX_CODAT_COLUMNS_H_INCLUDED_ */
