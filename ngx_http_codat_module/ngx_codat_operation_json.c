
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the writing of push operations, see
 * ngx_codat_operation_json.h.  Allocates nothing.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_columns.h"
#include "ngx_codat_json_string.h"
#include "ngx_codat_names.h"
#include "ngx_codat_operation_json.h"


#define NGX_CODAT_OPERATION_EDITS  7


/* a stretch of the text that gets another value, or none a new one */

typedef struct {
    size_t                    start;
    size_t                    end;
    ngx_codat_operation_e     member;
} ngx_codat_operation_edit_t;


typedef struct {
    ngx_codat_operation_e     member;
    ngx_str_t                 name;
    ngx_str_t                 column;       /* of a record; or empty */
} ngx_codat_operation_name_t;


static ngx_uint_t ngx_codat_operation_edits(
    const ngx_codat_operation_t *operation, const ngx_str_t *text,
    const ngx_codat_record_t *push, ngx_codat_operation_edit_t *edits);
static ngx_uint_t ngx_codat_operation_replaces(
    const ngx_codat_operation_t *operation, const ngx_str_t *text,
    ngx_codat_operation_e member);
static const ngx_codat_operation_name_t *ngx_codat_operation_find(
    ngx_codat_operation_e member);
static void ngx_codat_operation_value(const ngx_codat_record_t *push,
    ngx_codat_operation_e member, u_char *buf, ngx_str_t *value);
static u_char *ngx_codat_operation_write(u_char *p,
    const ngx_codat_record_t *push, ngx_codat_operation_e member);
static u_char *ngx_codat_operation_change(u_char *p,
    const ngx_codat_record_t *push);


/* up to "changes" in the order in which Codat writes them */

static const ngx_codat_operation_name_t  ngx_codat_operation_names[] = {
    { NGX_CODAT_OPERATION_DATA_TYPE, ngx_string("dataType"),
      ngx_string("dataType") },
    { NGX_CODAT_OPERATION_COMPANY, ngx_string("companyId"),
      ngx_string("companyId") },
    { NGX_CODAT_OPERATION_KEY, ngx_string("pushOperationKey"),
      ngx_string("pushOperationKey") },
    { NGX_CODAT_OPERATION_CONNECTION, ngx_string("dataConnectionKey"),
      ngx_string("connectionId") },
    { NGX_CODAT_OPERATION_REQUESTED, ngx_string("requestedOnUtc"),
      ngx_string("requestedOn") },
    { NGX_CODAT_OPERATION_COMPLETED, ngx_string("completedOnUtc"),
      ngx_string("completedOn") },
    { NGX_CODAT_OPERATION_STATUS, ngx_string("status"),
      ngx_string("status") },
    { NGX_CODAT_OPERATION_ERROR, ngx_string("errorMessage"),
      ngx_string("errorMessage") },
    { NGX_CODAT_OPERATION_STATUS_CODE, ngx_string("statusCode"),
      ngx_null_string },
    { NGX_CODAT_OPERATION_RECORD, ngx_string("recordId"),
      ngx_string("recordId") },
    { NGX_CODAT_OPERATION_CHANGES, ngx_string("changes"),
      ngx_string("recordId") },
    { NGX_CODAT_OPERATION_DATA_ID, ngx_string("id"),
      ngx_string("recordId") },
    { NGX_CODAT_OPERATION_NONE, ngx_null_string, ngx_null_string }
};


/* of one that was pending: in any order */

static const ngx_codat_operation_e
    ngx_codat_operation_changing[NGX_CODAT_OPERATION_EDITS] =
{
    NGX_CODAT_OPERATION_STATUS,
    NGX_CODAT_OPERATION_STATUS_CODE,
    NGX_CODAT_OPERATION_COMPLETED,
    NGX_CODAT_OPERATION_ERROR,
    NGX_CODAT_OPERATION_RECORD,
    NGX_CODAT_OPERATION_CHANGES,
    NGX_CODAT_OPERATION_DATA_ID
};


ngx_uint_t
ngx_codat_operation_known(const ngx_codat_record_t *push)
{
    return (push->state == NGX_CODAT_PUSH_PENDING
            || push->state == NGX_CODAT_PUSH_SUCCESS)
           && push->texts[NGX_CODAT_TEXT_COMPANY].len
           && push->texts[NGX_CODAT_TEXT_CONNECTION].len
           && push->texts[NGX_CODAT_TEXT_DATA_TYPE].len
           && push->times[NGX_CODAT_TIME_REQUESTED];
}


size_t
ngx_codat_operation_json_len(const ngx_codat_record_t *push)
{
    size_t      len;
    ngx_str_t   text;
    ngx_uint_t  i;

    /* names and fixed parts; ids are there up to three times */

    len = 640;

    for (i = 0; i < NGX_CODAT_TEXTS; i++) {
        text = push->texts[i];
        len += 3 * ngx_codat_json_string_len(&text);
    }

    return len;
}


u_char *
ngx_codat_operation_json(u_char *p, const ngx_codat_record_t *push)
{
    u_char                            *value, *last;
    const ngx_codat_operation_name_t  *name;

    p = ngx_cpymem(p, "{\"changes\":", sizeof("{\"changes\":") - 1);
    last = ngx_codat_operation_change(p, push);

    /* of the record that was written nothing is known but its id */

    if (last == p) {
        p = ngx_cpymem(p, "[]", sizeof("[]") - 1);

    } else {
        p = ngx_cpymem(last, ",\"data\":{\"id\":",
                       sizeof(",\"data\":{\"id\":") - 1);
        p = ngx_codat_operation_write(p, push, NGX_CODAT_OPERATION_DATA_ID);
        *p++ = '}';
    }

    for (name = ngx_codat_operation_names;
         name->member != NGX_CODAT_OPERATION_CHANGES;
         name++)
    {
        value = ngx_sprintf(p, ",\"%V\":", &name->name);
        last = ngx_codat_operation_write(value, push, name->member);

        if (last != value) {
            p = last;
        }
    }

    *p++ = '}';

    return p;
}


u_char *
ngx_codat_operation_final(u_char *p, const ngx_codat_operation_t *operation,
    const ngx_str_t *text, const ngx_codat_record_t *push)
{
    size_t                             pos, end;
    u_char                            *value, *last;
    ngx_uint_t                         i, n;
    ngx_codat_operation_e              member;
    const ngx_codat_operation_name_t  *name;
    ngx_codat_operation_edit_t         edits[NGX_CODAT_OPERATION_EDITS];

    n = ngx_codat_operation_edits(operation, text, push, edits);
    pos = 0;

    for (i = 0; i < n; i++) {

        p = ngx_cpymem(p, text->data + pos, edits[i].start - pos);
        pos = edits[i].end;

        if (edits[i].start == edits[i].end) {

            /* the first member of "data" */

            p = ngx_cpymem(p, "\"id\":", sizeof("\"id\":") - 1);
            p = ngx_codat_operation_write(p, push, edits[i].member);

            if (operation->values[NGX_CODAT_OPERATION_DATA].filled) {
                *p++ = ',';
            }

            continue;
        }

        p = ngx_codat_operation_write(p, push, edits[i].member);
    }

    /* what is not there yet is added at the end */

    end = operation->values[NGX_CODAT_OPERATION_ROOT].end - 1;

    p = ngx_cpymem(p, text->data + pos, end - pos);

    for (i = 0; i < NGX_CODAT_OPERATION_EDITS; i++) {
        member = ngx_codat_operation_changing[i];

        if (operation->values[member].end
            || member == NGX_CODAT_OPERATION_DATA_ID
            || member == NGX_CODAT_OPERATION_STATUS_CODE)
        {
            continue;
        }

        name = ngx_codat_operation_find(member);

        value = ngx_sprintf(p, ",\"%V\":", &name->name);
        last = ngx_codat_operation_write(value, push, member);

        if (last != value) {
            p = last;
        }
    }

    return ngx_cpymem(p, text->data + end, text->len - end);
}


/* what is changed in the text, in the order in which it stands there */

static ngx_uint_t
ngx_codat_operation_edits(const ngx_codat_operation_t *operation,
    const ngx_str_t *text, const ngx_codat_record_t *push,
    ngx_codat_operation_edit_t *edits)
{
    u_char                              buf[NGX_CODAT_RECORD_SCRATCH];
    ngx_str_t                           value;
    ngx_uint_t                          i, j, n;
    ngx_codat_operation_edit_t          edit;
    const ngx_codat_operation_value_t  *found;

    n = 0;

    for (i = 0; i < NGX_CODAT_OPERATION_EDITS; i++) {
        edit.member = ngx_codat_operation_changing[i];

        ngx_codat_operation_value(push, edit.member, buf, &value);

        if (value.len == 0
            || !ngx_codat_operation_replaces(operation, text, edit.member))
        {
            continue;
        }

        found = &operation->values[edit.member];

        if (found->end) {
            edit.start = found->start;
            edit.end = found->end;

        } else {
            found = &operation->values[NGX_CODAT_OPERATION_DATA];
            edit.start = found->start + 1;
            edit.end = edit.start;
        }

        for (j = n++; j && edits[j - 1].start > edit.start; j--) {
            edits[j] = edits[j - 1];
        }

        edits[j] = edit;
    }

    return n;
}


/* 1 if a member is in the text, or belongs into an object that is */

static ngx_uint_t
ngx_codat_operation_replaces(const ngx_codat_operation_t *operation,
    const ngx_str_t *text, ngx_codat_operation_e member)
{
    const ngx_codat_operation_value_t  *value, *data;

    value = &operation->values[member];

    switch (member) {

    case NGX_CODAT_OPERATION_CHANGES:

        /* if Codat said something of the change, that is left */

        return value->end && !value->filled
               && (value->null || text->data[value->start] == '[');

    case NGX_CODAT_OPERATION_DATA_ID:

        /* the id of a record that is updated is known from the beginning */

        if (value->end) {
            return value->null;
        }

        data = &operation->values[NGX_CODAT_OPERATION_DATA];

        return data->end && text->data[data->start] == '{';

    default:
        return value->end != 0;
    }
}


static const ngx_codat_operation_name_t *
ngx_codat_operation_find(ngx_codat_operation_e member)
{
    const ngx_codat_operation_name_t  *name;

    for (name = ngx_codat_operation_names;
         name->member != NGX_CODAT_OPERATION_NONE && name->member != member;
         name++)
    {
        /* void */
    }

    return name;
}


/*
 * What a record knows of a member; of the changes, whose value is written
 * otherwise, the id of the record.
 */

static void
ngx_codat_operation_value(const ngx_codat_record_t *push,
    ngx_codat_operation_e member, u_char *buf, ngx_str_t *value)
{
    ngx_str_t                  column;
    const ngx_codat_column_t  *found;

    ngx_str_null(value);

    if (member == NGX_CODAT_OPERATION_STATUS_CODE) {

        /* why a push failed only Codat knows */

        if (push->state == NGX_CODAT_PUSH_SUCCESS) {
            ngx_str_set(value, "200");

        } else if (push->state == NGX_CODAT_PUSH_PENDING) {
            ngx_str_set(value, "202");
        }

        return;
    }

    if (push->state != NGX_CODAT_PUSH_SUCCESS
        && (member == NGX_CODAT_OPERATION_RECORD
            || member == NGX_CODAT_OPERATION_DATA_ID
            || member == NGX_CODAT_OPERATION_CHANGES))
    {
        /* an attachment that failed has the record it was meant for */

        return;
    }

    column = ngx_codat_operation_find(member)->column;
    found = ngx_codat_record_column(NGX_CODAT_RECORD_PUSH, &column);

    if (found) {
        ngx_codat_record_value(push, found, buf, value);
    }
}


/* writes what a record knows of a member, or nothing */

static u_char *
ngx_codat_operation_write(u_char *p, const ngx_codat_record_t *push,
    ngx_codat_operation_e member)
{
    u_char     buf[NGX_CODAT_RECORD_SCRATCH];
    ngx_str_t  value;

    ngx_codat_operation_value(push, member, buf, &value);

    if (value.len == 0) {
        return p;
    }

    switch (member) {

    case NGX_CODAT_OPERATION_CHANGES:
        return ngx_codat_operation_change(p, push);

    case NGX_CODAT_OPERATION_STATUS_CODE:
        return ngx_cpymem(p, value.data, value.len);

    default:
        return ngx_codat_json_string(p, &value);
    }
}


/* {"type":"Created","recordRef":{"id":...,"dataType":...}} in an array */

static u_char *
ngx_codat_operation_change(u_char *p, const ngx_codat_record_t *push)
{
    ngx_str_t   text, type;
    ngx_uint_t  i;

    static const struct {
        ngx_str_t   written;
        ngx_str_t   changed;
    } types[] = {
        { ngx_string("Create"), ngx_string("Created") },
        { ngx_string("Update"), ngx_string("Modified") },
        { ngx_string("Delete"), ngx_string("Deleted") },
        { ngx_string("UploadAttachment"), ngx_string("AttachmentUploaded") },
    };

    if (push->texts[NGX_CODAT_TEXT_RECORD].len == 0) {
        return p;
    }

    ngx_str_set(&type, "Unknown");
    text = push->texts[NGX_CODAT_TEXT_TYPE];

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {

        if (text.len == types[i].written.len
            && ngx_strncasecmp(text.data, types[i].written.data, text.len)
               == 0)
        {
            type = types[i].changed;
            break;
        }
    }

    p = ngx_sprintf(p, "[{\"type\":\"%V\",\"recordRef\":{\"id\":", &type);

    text = push->texts[NGX_CODAT_TEXT_RECORD];
    p = ngx_codat_json_string(p, &text);

    text = push->texts[NGX_CODAT_TEXT_DATA_TYPE];

    if (text.len) {
        p = ngx_cpymem(p, ",\"dataType\":", sizeof(",\"dataType\":") - 1);
        p = ngx_codat_json_string(p, &text);
    }

    *p++ = '}';

    text = push->texts[NGX_CODAT_TEXT_ATTACHMENT];

    if (text.len) {
        p = ngx_cpymem(p, ",\"attachmentId\":",
                       sizeof(",\"attachmentId\":") - 1);
        p = ngx_codat_json_string(p, &text);
    }

    return ngx_cpymem(p, "}]", sizeof("}]") - 1);
}
