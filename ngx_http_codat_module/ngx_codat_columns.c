
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the columns of each kind of record, see ngx_codat_columns.h.
 * Allocates nothing; must not know where records come from.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_columns.h"
#include "ngx_codat_json_string.h"
#include "ngx_codat_names.h"
#include "ngx_codat_time.h"


typedef enum {
    NGX_CODAT_COLUMN_TEXT = 0,          /* texts[index] */
    NGX_CODAT_COLUMN_NUMBER,            /* texts[index], digits */
    NGX_CODAT_COLUMN_TIME,              /* times[index] */
    NGX_CODAT_COLUMN_FLAG,              /* true if state == index */
    NGX_CODAT_COLUMN_BOOLEAN,           /* true if state == index, or false */
    NGX_CODAT_COLUMN_PUSH,
    NGX_CODAT_COLUMN_FINAL,
    NGX_CODAT_COLUMN_CORRECTED,
    NGX_CODAT_COLUMN_COMPLETED,
    NGX_CODAT_COLUMN_ERROR,
    NGX_CODAT_COLUMN_CONNECTION,
    NGX_CODAT_COLUMN_PREVIOUS,
    NGX_CODAT_COLUMN_CHANGED,
    NGX_CODAT_COLUMN_LIMITED
} ngx_codat_column_e;


typedef struct {
    const ngx_codat_column_t   *columns;
    const char                 *names;
} ngx_codat_kind_t;


static ngx_uint_t ngx_codat_column(const ngx_codat_record_t *record,
    const ngx_codat_column_t *column, u_char *buf, ngx_str_t *value);
static ngx_uint_t ngx_codat_column_push(const ngx_codat_record_t *record,
    const ngx_codat_column_t *column, u_char *buf, ngx_str_t *value);
static ngx_uint_t ngx_codat_column_corrected(
    const ngx_codat_record_t *record);
static int64_t ngx_codat_column_completed(const ngx_codat_record_t *record);
static int64_t ngx_codat_column_since(const ngx_codat_record_t *record);
static void ngx_codat_column_time(int64_t time, u_char *buf,
    ngx_str_t *value);


#define ngx_codat_column_end  { ngx_null_string, 0, 0 }


static const ngx_str_t  ngx_codat_column_true = ngx_string("true");
static const ngx_str_t  ngx_codat_column_false = ngx_string("false");


static const ngx_codat_column_t  ngx_codat_columns_push[] = {
    { ngx_string("pushOperationKey"), NGX_CODAT_COLUMN_TEXT,
      NGX_CODAT_TEXT_ID },
    { ngx_string("status"), NGX_CODAT_COLUMN_PUSH, 0 },
    { ngx_string("final"), NGX_CODAT_COLUMN_FINAL, 0 },
    { ngx_string("corrected"), NGX_CODAT_COLUMN_CORRECTED, 0 },
    { ngx_string("companyId"), NGX_CODAT_COLUMN_TEXT,
      NGX_CODAT_TEXT_COMPANY },
    { ngx_string("connectionId"), NGX_CODAT_COLUMN_TEXT,
      NGX_CODAT_TEXT_CONNECTION },
    { ngx_string("dataType"), NGX_CODAT_COLUMN_TEXT,
      NGX_CODAT_TEXT_DATA_TYPE },
    { ngx_string("type"), NGX_CODAT_COLUMN_TEXT, NGX_CODAT_TEXT_TYPE },
    { ngx_string("recordId"), NGX_CODAT_COLUMN_TEXT, NGX_CODAT_TEXT_RECORD },
    { ngx_string("attachmentId"), NGX_CODAT_COLUMN_TEXT,
      NGX_CODAT_TEXT_ATTACHMENT },
    { ngx_string("errorMessage"), NGX_CODAT_COLUMN_ERROR, 0 },
    { ngx_string("reference"), NGX_CODAT_COLUMN_TEXT,
      NGX_CODAT_TEXT_REFERENCE },
    { ngx_string("requestedOn"), NGX_CODAT_COLUMN_TIME,
      NGX_CODAT_TIME_REQUESTED },
    { ngx_string("completedOn"), NGX_CODAT_COLUMN_COMPLETED, 0 },
    { ngx_string("updatedOn"), NGX_CODAT_COLUMN_TIME,
      NGX_CODAT_TIME_UPDATED },
    ngx_codat_column_end
};


static const ngx_codat_column_t  ngx_codat_columns_connection[] = {
    { ngx_string("id"), NGX_CODAT_COLUMN_TEXT, NGX_CODAT_TEXT_ID },
    { ngx_string("companyId"), NGX_CODAT_COLUMN_TEXT,
      NGX_CODAT_TEXT_COMPANY },
    { ngx_string("status"), NGX_CODAT_COLUMN_CONNECTION, 0 },
    { ngx_string("previousStatus"), NGX_CODAT_COLUMN_PREVIOUS, 0 },
    { ngx_string("integrationKey"), NGX_CODAT_COLUMN_TEXT,
      NGX_CODAT_TEXT_INTEGRATION },
    { ngx_string("platformName"), NGX_CODAT_COLUMN_TEXT,
      NGX_CODAT_TEXT_PLATFORM },
    { ngx_string("sourceType"), NGX_CODAT_COLUMN_TEXT,
      NGX_CODAT_TEXT_SOURCE_TYPE },
    { ngx_string("errorMessage"), NGX_CODAT_COLUMN_TEXT,
      NGX_CODAT_TEXT_ERROR },
    { ngx_string("changedOn"), NGX_CODAT_COLUMN_CHANGED, 0 },
    { ngx_string("updatedOn"), NGX_CODAT_COLUMN_TIME,
      NGX_CODAT_TIME_UPDATED },
    ngx_codat_column_end
};


static const ngx_codat_column_t  ngx_codat_columns_dataset[] = {
    { ngx_string("dataType"), NGX_CODAT_COLUMN_TEXT,
      NGX_CODAT_TEXT_DATA_TYPE },
    { ngx_string("status"), NGX_CODAT_COLUMN_TEXT, NGX_CODAT_TEXT_STATUS },
    { ngx_string("completedOn"), NGX_CODAT_COLUMN_TIME,
      NGX_CODAT_TIME_COMPLETED },
    { ngx_string("updatedOn"), NGX_CODAT_COLUMN_TIME,
      NGX_CODAT_TIME_UPDATED },
    ngx_codat_column_end
};


static const ngx_codat_column_t  ngx_codat_columns_company[] = {
    { ngx_string("id"), NGX_CODAT_COLUMN_TEXT, NGX_CODAT_TEXT_ID },
    { ngx_string("name"), NGX_CODAT_COLUMN_TEXT, NGX_CODAT_TEXT_NAME },
    { ngx_string("deleted"), NGX_CODAT_COLUMN_FLAG, 1 },
    { ngx_string("createdOn"), NGX_CODAT_COLUMN_TIME,
      NGX_CODAT_TIME_CREATED },
    { ngx_string("deletedOn"), NGX_CODAT_COLUMN_TIME,
      NGX_CODAT_TIME_DELETED },
    { ngx_string("initialReadCompletedOn"), NGX_CODAT_COLUMN_TIME,
      NGX_CODAT_TIME_INITIAL_READ },
    { ngx_string("updatedOn"), NGX_CODAT_COLUMN_TIME,
      NGX_CODAT_TIME_UPDATED },
    ngx_codat_column_end
};


static const ngx_codat_column_t  ngx_codat_columns_client[] = {
    { ngx_string("id"), NGX_CODAT_COLUMN_TEXT, NGX_CODAT_TEXT_ID },
    { ngx_string("rateLimited"), NGX_CODAT_COLUMN_BOOLEAN, 1 },
    { ngx_string("rateLimitedUntil"), NGX_CODAT_COLUMN_LIMITED, 0 },
    { ngx_string("dailyQuota"), NGX_CODAT_COLUMN_NUMBER,
      NGX_CODAT_TEXT_QUOTA },
    { ngx_string("updatedOn"), NGX_CODAT_COLUMN_TIME,
      NGX_CODAT_TIME_UPDATED },
    ngx_codat_column_end
};


/* in the order of ngx_codat_record_kind_e */

static const ngx_codat_kind_t  ngx_codat_kinds[] = {

    { ngx_codat_columns_push,
      "pushOperationKey, status, final, corrected, companyId, connectionId, "
      "dataType, type, recordId, attachmentId, errorMessage, reference, "
      "requestedOn, completedOn, updatedOn" },

    { ngx_codat_columns_connection,
      "id, companyId, status, previousStatus, integrationKey, platformName, "
      "sourceType, errorMessage, changedOn, updatedOn" },

    { ngx_codat_columns_dataset,
      "dataType, status, completedOn, updatedOn" },

    { ngx_codat_columns_company,
      "id, name, deleted, createdOn, deletedOn, initialReadCompletedOn, "
      "updatedOn" },

    { ngx_codat_columns_client,
      "id, rateLimited, rateLimitedUntil, dailyQuota, updatedOn" }
};


const ngx_codat_column_t *
ngx_codat_record_column(ngx_codat_record_kind_e kind, const ngx_str_t *name)
{
    const ngx_codat_column_t  *column;

    for (column = ngx_codat_kinds[kind].columns; column->name.len; column++) {

        if (column->name.len == name->len
            && ngx_memcmp(column->name.data, name->data, name->len) == 0)
        {
            return column;
        }
    }

    return NULL;
}


const char *
ngx_codat_record_columns(ngx_codat_record_kind_e kind)
{
    return ngx_codat_kinds[kind].names;
}


void
ngx_codat_record_value(const ngx_codat_record_t *record,
    const ngx_codat_column_t *column, u_char *buf, ngx_str_t *value)
{
    (void) ngx_codat_column(record, column, buf, value);
}


size_t
ngx_codat_record_json_len(const ngx_codat_record_t *record)
{
    u_char                     buf[NGX_CODAT_TIME_LEN];
    size_t                     len;
    ngx_str_t                  value;
    const ngx_codat_column_t  *column;

    len = sizeof("{") - 1;

    for (column = ngx_codat_kinds[record->kind].columns; column->name.len;
         column++)
    {
        (void) ngx_codat_column(record, column, buf, &value);

        if (value.len) {
            len += sizeof("\"\":,") - 1 + column->name.len
                   + ngx_codat_json_string_len(&value);
        }
    }

    return len;
}


u_char *
ngx_codat_record_json(u_char *p, const ngx_codat_record_t *record)
{
    u_char                     buf[NGX_CODAT_TIME_LEN];
    ngx_str_t                  value;
    ngx_uint_t                 quoted, n;
    const ngx_codat_column_t  *column;

    *p++ = '{';
    n = 0;

    for (column = ngx_codat_kinds[record->kind].columns; column->name.len;
         column++)
    {
        quoted = ngx_codat_column(record, column, buf, &value);

        if (value.len == 0) {
            continue;
        }

        if (n++) {
            *p++ = ',';
        }

        *p++ = '"';
        p = ngx_cpymem(p, column->name.data, column->name.len);
        *p++ = '"';
        *p++ = ':';

        if (quoted) {
            p = ngx_codat_json_string(p, &value);

        } else {
            p = ngx_cpymem(p, value.data, value.len);
        }
    }

    return p;
}


/* Returns 1 if the value is a string in JSON. */

static ngx_uint_t
ngx_codat_column(const ngx_codat_record_t *record,
    const ngx_codat_column_t *column, u_char *buf, ngx_str_t *value)
{
    ngx_uint_t  state;

    ngx_str_null(value);

    switch (column->column) {

    case NGX_CODAT_COLUMN_TEXT:
    case NGX_CODAT_COLUMN_NUMBER:
        *value = record->texts[column->index];
        return column->column == NGX_CODAT_COLUMN_TEXT;

    case NGX_CODAT_COLUMN_TIME:
        ngx_codat_column_time(record->times[column->index], buf, value);
        return 1;

    case NGX_CODAT_COLUMN_FLAG:
    case NGX_CODAT_COLUMN_BOOLEAN:

        if (record->state == column->index) {
            *value = ngx_codat_column_true;

        } else if (column->column == NGX_CODAT_COLUMN_BOOLEAN) {
            *value = ngx_codat_column_false;
        }

        return 0;

    case NGX_CODAT_COLUMN_CONNECTION:
    case NGX_CODAT_COLUMN_PREVIOUS:
        state = (column->column == NGX_CODAT_COLUMN_CONNECTION)
                ? record->state : record->flags;

        if (state <= NGX_CODAT_CONN_DELETED) {
            *value = ngx_codat_conn_status_names[state];
        }

        return 1;

    case NGX_CODAT_COLUMN_LIMITED:

        if (record->state == 1) {
            ngx_codat_column_time(record->times[NGX_CODAT_TIME_LIMITED], buf,
                                  value);
        }

        return 1;

    default:
        return ngx_codat_column_push(record, column, buf, value);
    }
}


static ngx_uint_t
ngx_codat_column_push(const ngx_codat_record_t *record,
    const ngx_codat_column_t *column, u_char *buf, ngx_str_t *value)
{
    switch (column->column) {

    case NGX_CODAT_COLUMN_PUSH:

        if (record->state <= NGX_CODAT_PUSH_TIMED_OUT) {
            *value = ngx_codat_push_status_names[record->state];
        }

        return 1;

    case NGX_CODAT_COLUMN_FINAL:
        *value = ngx_codat_record_final(record) ? ngx_codat_column_true
                                                : ngx_codat_column_false;
        return 0;

    case NGX_CODAT_COLUMN_CORRECTED:

        if (ngx_codat_column_corrected(record)) {
            *value = ngx_codat_column_true;
        }

        return 0;

    case NGX_CODAT_COLUMN_COMPLETED:
        ngx_codat_column_time(ngx_codat_column_completed(record), buf, value);
        return 1;

    case NGX_CODAT_COLUMN_CHANGED:
        ngx_codat_column_time(ngx_codat_column_since(record), buf, value);
        return 1;

    case NGX_CODAT_COLUMN_ERROR:

        /* texts of a Pending push are of no final status */

        if (record->state == NGX_CODAT_PUSH_FAILED
            || record->state == NGX_CODAT_PUSH_TIMED_OUT)
        {
            *value = record->texts[NGX_CODAT_TEXT_ERROR];
        }

        return 1;

    default:
        return 1;
    }
}


/* A Success that came after another final status had been reported. */

static ngx_uint_t
ngx_codat_column_corrected(const ngx_codat_record_t *record)
{
    int64_t  disputed, succeeded;

    disputed = record->times[NGX_CODAT_TIME_DISPUTED];
    succeeded = record->times[NGX_CODAT_TIME_STATUS];

    if (record->state != NGX_CODAT_PUSH_SUCCESS
        || record->times[NGX_CODAT_TIME_CONTESTED] == 0)
    {
        return 0;
    }

    /* "later" is what the dates say, or the receipts where they say nothing */

    if (disputed && succeeded && disputed != succeeded) {
        return disputed < succeeded;
    }

    return record->times[NGX_CODAT_TIME_CONTESTED]
           < record->times[NGX_CODAT_TIME_SEEN];
}


/* Legacy reports have no such date; then that of the report stands for it. */

static int64_t
ngx_codat_column_completed(const ngx_codat_record_t *record)
{
    if (record->times[NGX_CODAT_TIME_COMPLETED]) {
        return record->times[NGX_CODAT_TIME_COMPLETED];
    }

    return ngx_codat_record_final(record) ? ngx_codat_column_since(record) : 0;
}


/* when the status was reported: a date, or the receipt of what has none */

static int64_t
ngx_codat_column_since(const ngx_codat_record_t *record)
{
    if (record->times[NGX_CODAT_TIME_STATUS]) {
        return record->times[NGX_CODAT_TIME_STATUS];
    }

    return record->times[NGX_CODAT_TIME_SEEN];
}


static void
ngx_codat_column_time(int64_t time, u_char *buf, ngx_str_t *value)
{
    if (time == 0) {
        return;
    }

    value->data = buf;
    value->len = (size_t) (ngx_codat_time_format(buf, time) - buf);
}
