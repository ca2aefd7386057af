
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the reading of push operations, see ngx_codat_operation.h.
 * A scanner of its own: yajl keeps whole tokens, in memory that it takes for
 * granted.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_json_string.h"
#include "ngx_codat_names.h"
#include "ngx_codat_operation.h"
#include "ngx_codat_time.h"


typedef enum {
    NGX_CODAT_SCAN_VALUE = 0,
    NGX_CODAT_SCAN_FIRST_ELEMENT,       /* or the end of the array */
    NGX_CODAT_SCAN_FIRST_KEY,           /* or the end of the object */
    NGX_CODAT_SCAN_KEY,
    NGX_CODAT_SCAN_COLON,
    NGX_CODAT_SCAN_COMMA,               /* or the end of what is open */
    NGX_CODAT_SCAN_NAME,                /* in a key */
    NGX_CODAT_SCAN_NAME_ESCAPE,
    NGX_CODAT_SCAN_NAME_HEX,
    NGX_CODAT_SCAN_STRING,
    NGX_CODAT_SCAN_ESCAPE,
    NGX_CODAT_SCAN_HEX,
    NGX_CODAT_SCAN_LITERAL,
    NGX_CODAT_SCAN_END,
    NGX_CODAT_SCAN_STOP                 /* malformed, or of no interest */
} ngx_codat_scan_e;


typedef struct {
    ngx_str_t                   name;
    ngx_codat_operation_e       parent;
    ngx_codat_operation_e       member;
    size_t                      max;    /* what is kept of a string */
} ngx_codat_operation_member_t;


static const u_char *ngx_codat_operation_step(
    ngx_codat_operation_t *operation, const u_char *p, const u_char *last);
static void ngx_codat_operation_token(ngx_codat_operation_t *operation,
    u_char ch);
static void ngx_codat_operation_value(ngx_codat_operation_t *operation,
    u_char ch);
static ngx_codat_operation_value_t *ngx_codat_operation_begin(
    ngx_codat_operation_t *operation);
static void ngx_codat_operation_open(ngx_codat_operation_t *operation,
    ngx_uint_t array);
static void ngx_codat_operation_close(ngx_codat_operation_t *operation,
    ngx_uint_t array);
static void ngx_codat_operation_over(ngx_codat_operation_t *operation,
    ngx_uint_t node, size_t end);
static const u_char *ngx_codat_operation_string(
    ngx_codat_operation_t *operation, const u_char *p, const u_char *last);
static void ngx_codat_operation_keep(ngx_codat_operation_t *operation,
    u_char ch);
static void ngx_codat_operation_escape(ngx_codat_operation_t *operation,
    u_char ch, ngx_uint_t string, ngx_uint_t hex);
static void ngx_codat_operation_name(ngx_codat_operation_t *operation,
    u_char ch);
static size_t ngx_codat_operation_max(ngx_uint_t node);
static void ngx_codat_operation_fail(ngx_codat_operation_t *operation,
    const char *reason);
static ngx_str_t ngx_codat_operation_text(ngx_codat_operation_t *operation,
    ngx_codat_operation_e member);
static int64_t ngx_codat_operation_time(ngx_codat_operation_t *operation,
    ngx_codat_operation_e member);


#define ngx_codat_operation_array(operation)                                 \
    ((operation)->arrays >> ((operation)->depth - 1) & 1)

#define ngx_codat_operation_blank(ch)                                        \
    ((ch) == ' ' || (ch) == '\n' || (ch) == '\r' || (ch) == '\t')


/* together, twice if a key is there twice, no more than is kept */

static const ngx_codat_operation_member_t  ngx_codat_operation_members[] = {
    { ngx_string("pushoperationkey"), NGX_CODAT_OPERATION_ROOT,
      NGX_CODAT_OPERATION_KEY, NGX_CODAT_ID_MAX },
    { ngx_string("status"), NGX_CODAT_OPERATION_ROOT,
      NGX_CODAT_OPERATION_STATUS, 32 },
    { ngx_string("companyid"), NGX_CODAT_OPERATION_ROOT,
      NGX_CODAT_OPERATION_COMPANY, NGX_CODAT_ID_MAX },
    { ngx_string("dataconnectionkey"), NGX_CODAT_OPERATION_ROOT,
      NGX_CODAT_OPERATION_CONNECTION, NGX_CODAT_ID_MAX },
    { ngx_string("datatype"), NGX_CODAT_OPERATION_ROOT,
      NGX_CODAT_OPERATION_DATA_TYPE, NGX_CODAT_WORD_MAX },
    { ngx_string("requestedonutc"), NGX_CODAT_OPERATION_ROOT,
      NGX_CODAT_OPERATION_REQUESTED, 64 },
    { ngx_string("completedonutc"), NGX_CODAT_OPERATION_ROOT,
      NGX_CODAT_OPERATION_COMPLETED, 64 },
    { ngx_string("errormessage"), NGX_CODAT_OPERATION_ROOT,
      NGX_CODAT_OPERATION_ERROR, NGX_CODAT_ERROR_MAX },
    { ngx_string("statuscode"), NGX_CODAT_OPERATION_ROOT,
      NGX_CODAT_OPERATION_STATUS_CODE, 0 },
    { ngx_string("recordid"), NGX_CODAT_OPERATION_ROOT,
      NGX_CODAT_OPERATION_RECORD, 0 },
    { ngx_string("data"), NGX_CODAT_OPERATION_ROOT,
      NGX_CODAT_OPERATION_DATA, 0 },
    { ngx_string("id"), NGX_CODAT_OPERATION_DATA,
      NGX_CODAT_OPERATION_DATA_ID, NGX_CODAT_ID_MAX },
    { ngx_string("changes"), NGX_CODAT_OPERATION_ROOT,
      NGX_CODAT_OPERATION_CHANGES, 0 },
    { ngx_string("attachmentid"), NGX_CODAT_OPERATION_CHANGE,
      NGX_CODAT_OPERATION_CHANGE_ATTACHMENT, NGX_CODAT_ID_MAX },
    { ngx_string("recordref"), NGX_CODAT_OPERATION_CHANGE,
      NGX_CODAT_OPERATION_CHANGE_REF, 0 },
    { ngx_string("id"), NGX_CODAT_OPERATION_CHANGE_REF,
      NGX_CODAT_OPERATION_CHANGE_ID, NGX_CODAT_ID_MAX },
    { ngx_null_string, NGX_CODAT_OPERATION_NONE, NGX_CODAT_OPERATION_NONE, 0 }
};


void
ngx_codat_operation_init(ngx_codat_operation_t *operation)
{
    ngx_memzero(operation, offsetof(ngx_codat_operation_t, kept));

    operation->node = NGX_CODAT_OPERATION_ROOT;
    operation->pos = operation->kept;
}


void
ngx_codat_operation_read(ngx_codat_operation_t *operation, const u_char *p,
    size_t len)
{
    const u_char  *last, *next;

    last = p + len;

    while (p < last && operation->state != NGX_CODAT_SCAN_STOP) {

        if (operation->state == NGX_CODAT_SCAN_STRING) {
            next = ngx_codat_operation_string(operation, p, last);

        } else {
            next = ngx_codat_operation_step(operation, p, last);
        }

        operation->offset += (size_t) (next - p);
        p = next;
    }
}


/* what is not inside a string; returns behind what it has read */

static const u_char *
ngx_codat_operation_step(ngx_codat_operation_t *operation, const u_char *p,
    const u_char *last)
{
    size_t         n;
    u_char         ch;

    if (operation->state == NGX_CODAT_SCAN_LITERAL) {

        for (n = 0; p + n < last; n++) {
            ch = p[n];

            if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z')
                  || ch == '-' || ch == '+' || ch == '.' || ch == 'E'))
            {
                ngx_codat_operation_over(operation, operation->node,
                                         operation->offset + n);
                break;
            }
        }

        return p + n;
    }

    ch = *p;

    if (operation->state >= NGX_CODAT_SCAN_NAME
        && operation->state <= NGX_CODAT_SCAN_NAME_HEX)
    {
        ngx_codat_operation_name(operation, ch);

    } else if (operation->state == NGX_CODAT_SCAN_ESCAPE
               || operation->state == NGX_CODAT_SCAN_HEX)
    {
        ngx_codat_operation_keep(operation, ch);
        ngx_codat_operation_escape(operation, ch, NGX_CODAT_SCAN_STRING,
                                   NGX_CODAT_SCAN_HEX);

    } else if (!ngx_codat_operation_blank(ch)) {
        ngx_codat_operation_token(operation, ch);
    }

    return p + 1;
}


static void
ngx_codat_operation_token(ngx_codat_operation_t *operation, u_char ch)
{
    if (operation->state == NGX_CODAT_SCAN_FIRST_ELEMENT
        || operation->state == NGX_CODAT_SCAN_FIRST_KEY)
    {
        if (ch == ']' || ch == '}') {
            ngx_codat_operation_close(operation, ch == ']');
            return;
        }

        operation->state = ngx_codat_operation_array(operation)
                           ? NGX_CODAT_SCAN_VALUE : NGX_CODAT_SCAN_KEY;
    }

    switch (operation->state) {

    case NGX_CODAT_SCAN_VALUE:
        ngx_codat_operation_value(operation, ch);
        return;

    case NGX_CODAT_SCAN_KEY:

        if (ch != '"') {
            ngx_codat_operation_fail(operation, "object key expected");
            return;
        }

        operation->name_len = 0;
        operation->state = NGX_CODAT_SCAN_NAME;
        return;

    case NGX_CODAT_SCAN_COLON:

        if (ch != ':') {
            ngx_codat_operation_fail(operation, "colon expected");
            return;
        }

        operation->state = NGX_CODAT_SCAN_VALUE;
        return;

    case NGX_CODAT_SCAN_COMMA:

        if (ch == ']' || ch == '}') {
            ngx_codat_operation_close(operation, ch == ']');
            return;
        }

        if (ch != ',') {
            ngx_codat_operation_fail(operation, "comma or end expected");
            return;
        }

        operation->node = NGX_CODAT_OPERATION_NONE;
        operation->state = ngx_codat_operation_array(operation)
                           ? NGX_CODAT_SCAN_VALUE : NGX_CODAT_SCAN_KEY;
        return;

    default: /* NGX_CODAT_SCAN_END */
        ngx_codat_operation_fail(operation, "data behind the value");
        return;
    }
}


/* the first byte of a value */

static void
ngx_codat_operation_value(ngx_codat_operation_t *operation, u_char ch)
{
    size_t                        max;
    ngx_codat_operation_value_t  *value;

    if (operation->depth == 0 && ch != '{') {

        /* whatever it is, it is no operation */

        operation->state = NGX_CODAT_SCAN_STOP;
        return;
    }

    value = ngx_codat_operation_begin(operation);

    switch (ch) {

    case '{':
        ngx_codat_operation_open(operation, 0);
        return;

    case '[':
        ngx_codat_operation_open(operation, 1);
        return;

    case '"':
        value->string = 1;

        /* a member that is there again is read anew */

        max = ngx_codat_operation_max(operation->node);

        if (value->text.data == NULL) {
            value->text.data = operation->pos;
            operation->pos += max;
        }

        value->text.len = 0;
        operation->room = max;
        operation->state = NGX_CODAT_SCAN_STRING;
        return;

    default:

        if (!(ch == '-' || (ch >= '0' && ch <= '9') || ch == 't' || ch == 'f'
              || ch == 'n'))
        {
            ngx_codat_operation_fail(operation, "value expected");
            return;
        }

        value->null = (ch == 'n');
        operation->state = NGX_CODAT_SCAN_LITERAL;
        return;
    }
}


static ngx_codat_operation_value_t *
ngx_codat_operation_begin(ngx_codat_operation_t *operation)
{
    ngx_uint_t                    i, last;
    ngx_codat_operation_value_t  *value;

    value = &operation->values[operation->nodes[operation->depth]];
    value->filled = 1;

    i = operation->node;

    switch (i) {

    case NGX_CODAT_OPERATION_DATA:
        last = NGX_CODAT_OPERATION_DATA_ID;
        break;

    case NGX_CODAT_OPERATION_CHANGES:
        last = NGX_CODAT_OPERATION_CHANGE_ID;
        break;

    case NGX_CODAT_OPERATION_CHANGE_REF:
        last = NGX_CODAT_OPERATION_CHANGE_ID;
        break;

    default:
        last = i;
        break;
    }

    /* what was in another value under the same key is forgotten */

    for ( /* void */ ; i <= last; i++) {
        value = &operation->values[i];

        value->end = 0;
        value->text.len = 0;
        value->string = 0;
        value->null = 0;
        value->filled = 0;
        value->cut = 0;
    }

    value = &operation->values[operation->node];
    value->start = operation->offset;

    return value;
}


static void
ngx_codat_operation_open(ngx_codat_operation_t *operation, ngx_uint_t array)
{
    uint64_t  bit;

    if (operation->depth == NGX_CODAT_OPERATION_DEPTH) {
        ngx_codat_operation_fail(operation, "nested too deeply");
        return;
    }

    bit = (uint64_t) 1 << operation->depth++;

    operation->arrays = array ? operation->arrays | bit
                              : operation->arrays & ~bit;

    operation->nodes[operation->depth] = (u_char) operation->node;

    /* of the changes Codat sends one, and the first one is looked at */

    operation->node = (array
                       && operation->node == NGX_CODAT_OPERATION_CHANGES)
                      ? NGX_CODAT_OPERATION_CHANGE
                      : NGX_CODAT_OPERATION_NONE;

    operation->state = array ? NGX_CODAT_SCAN_FIRST_ELEMENT
                             : NGX_CODAT_SCAN_FIRST_KEY;
}


static void
ngx_codat_operation_close(ngx_codat_operation_t *operation, ngx_uint_t array)
{
    ngx_uint_t  node;

    if (array != ngx_codat_operation_array(operation)) {
        ngx_codat_operation_fail(operation, "end of another value");
        return;
    }

    node = operation->nodes[operation->depth--];

    ngx_codat_operation_over(operation, node, operation->offset + 1);
}


/* a value is over: "end" is the byte behind it */

static void
ngx_codat_operation_over(ngx_codat_operation_t *operation, ngx_uint_t node,
    size_t end)
{
    operation->values[node].end = end;

    operation->state = operation->depth ? NGX_CODAT_SCAN_COMMA
                                        : NGX_CODAT_SCAN_END;
}


static const u_char *
ngx_codat_operation_string(ngx_codat_operation_t *operation, const u_char *p,
    const u_char *last)
{
    size_t                        n;
    const u_char                 *begin;
    ngx_codat_operation_value_t  *value;

    begin = p;

    while (p < last && *p != '"' && *p != '\\' && *p >= 0x20) {
        p++;
    }

    value = &operation->values[operation->node];
    n = (size_t) (p - begin);

    if (n > operation->room) {
        n = operation->room;
        value->cut = 1;
    }

    ngx_memcpy(value->text.data + value->text.len, begin, n);

    value->text.len += n;
    operation->room -= n;

    if (p == last) {
        return p;
    }

    if (*p == '"') {
        ngx_codat_operation_over(operation, operation->node,
                           operation->offset + (size_t) (p - begin) + 1);

    } else if (*p == '\\') {

        /* an escape is kept as a whole */

        if (operation->room < sizeof("\\u0000") - 1) {
            operation->room = 0;
            value->cut = 1;
        }

        ngx_codat_operation_keep(operation, *p);
        operation->state = NGX_CODAT_SCAN_ESCAPE;

    } else {
        ngx_codat_operation_fail(operation, "control character in a string");
    }

    return p + 1;
}


static void
ngx_codat_operation_keep(ngx_codat_operation_t *operation, u_char ch)
{
    ngx_codat_operation_value_t  *value;

    if (operation->room) {
        value = &operation->values[operation->node];
        value->text.data[value->text.len++] = ch;
        operation->room--;
    }
}


static void
ngx_codat_operation_escape(ngx_codat_operation_t *operation, u_char ch,
    ngx_uint_t string, ngx_uint_t hex)
{
    if (operation->state == hex) {

        if (!((ch >= '0' && ch <= '9')
              || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f')))
        {
            ngx_codat_operation_fail(operation, "invalid escape");

        } else if (--operation->hex == 0) {
            operation->state = string;
        }

        return;
    }

    switch (ch) {

    case 'u':
        operation->hex = 4;
        operation->state = hex;
        return;

    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        operation->state = string;
        return;

    default:
        ngx_codat_operation_fail(operation, "invalid escape");
        return;
    }
}


/* a byte of a key; one with escapes is none of ours */

static void
ngx_codat_operation_name(ngx_codat_operation_t *operation, u_char ch)
{
    const ngx_codat_operation_member_t  *member;

    if (operation->state != NGX_CODAT_SCAN_NAME) {
        ngx_codat_operation_escape(operation, ch, NGX_CODAT_SCAN_NAME,
                                   NGX_CODAT_SCAN_NAME_HEX);
        return;
    }

    if (ch == '\\') {
        operation->name_len = NGX_CODAT_OPERATION_NAME + 1;
        operation->state = NGX_CODAT_SCAN_NAME_ESCAPE;
        return;
    }

    if (ch < 0x20) {
        ngx_codat_operation_fail(operation, "control character in a string");
        return;
    }

    if (ch != '"') {

        if (operation->name_len < NGX_CODAT_OPERATION_NAME) {
            operation->name[operation->name_len] = ngx_tolower(ch);
        }

        if (operation->name_len <= NGX_CODAT_OPERATION_NAME) {
            operation->name_len++;
        }

        return;
    }

    operation->state = NGX_CODAT_SCAN_COLON;
    operation->node = NGX_CODAT_OPERATION_NONE;

    for (member = ngx_codat_operation_members; member->name.len; member++) {

        if (member->parent == operation->nodes[operation->depth]
            && member->name.len == operation->name_len
            && ngx_memcmp(member->name.data, operation->name,
                          operation->name_len)
               == 0)
        {
            operation->node = member->member;
            return;
        }
    }
}


static size_t
ngx_codat_operation_max(ngx_uint_t node)
{
    const ngx_codat_operation_member_t  *member;

    for (member = ngx_codat_operation_members; member->name.len; member++) {

        if (member->member == node) {
            return member->max;
        }
    }

    return 0;
}


static void
ngx_codat_operation_fail(ngx_codat_operation_t *operation, const char *reason)
{
    operation->reason = reason;
    operation->state = NGX_CODAT_SCAN_STOP;
}


ngx_int_t
ngx_codat_operation_end(ngx_codat_operation_t *operation,
    ngx_codat_record_t *push)
{
    ngx_str_t     status;
    const u_char *strange, *bad;
    ngx_str_t    *texts;

    if (operation->reason) {
        return NGX_ABORT;
    }

    if (operation->state == NGX_CODAT_SCAN_STOP) {
        return NGX_DECLINED;
    }

    if (operation->state != NGX_CODAT_SCAN_END) {
        operation->reason = "unexpected end";
        return NGX_ABORT;
    }

    ngx_memzero(push, sizeof(ngx_codat_record_t));

    texts = push->texts;
    push->kind = NGX_CODAT_RECORD_PUSH;

    texts[NGX_CODAT_TEXT_ID] = ngx_codat_operation_text(operation,
                                            NGX_CODAT_OPERATION_KEY);
    status = ngx_codat_operation_text(operation, NGX_CODAT_OPERATION_STATUS);

    if (texts[NGX_CODAT_TEXT_ID].len == 0 || status.len == 0) {
        return NGX_DECLINED;
    }

    push->state = ngx_codat_push_status(&status);
    operation->status = push->state;

    texts[NGX_CODAT_TEXT_COMPANY] = ngx_codat_operation_text(operation,
                                            NGX_CODAT_OPERATION_COMPANY);
    texts[NGX_CODAT_TEXT_CONNECTION] = ngx_codat_operation_text(operation,
                                            NGX_CODAT_OPERATION_CONNECTION);
    texts[NGX_CODAT_TEXT_DATA_TYPE] = ngx_codat_operation_text(operation,
                                            NGX_CODAT_OPERATION_DATA_TYPE);

    push->times[NGX_CODAT_TIME_REQUESTED] = ngx_codat_operation_time(operation,
                                            NGX_CODAT_OPERATION_REQUESTED);

    if (push->state == NGX_CODAT_PUSH_PENDING) {
        return NGX_OK;
    }

    push->times[NGX_CODAT_TIME_COMPLETED] = ngx_codat_operation_time(operation,
                                            NGX_CODAT_OPERATION_COMPLETED);

    /* of an error the part that is there will do */

    operation->values[NGX_CODAT_OPERATION_ERROR].cut = 0;

    texts[NGX_CODAT_TEXT_ERROR] = ngx_codat_operation_text(operation,
                                            NGX_CODAT_OPERATION_ERROR);

    bad = ngx_codat_json_utf8_check(&texts[NGX_CODAT_TEXT_ERROR], &strange);

    if (bad) {
        texts[NGX_CODAT_TEXT_ERROR].len =
                        (size_t) (bad - texts[NGX_CODAT_TEXT_ERROR].data);
    }

    if (push->state != NGX_CODAT_PUSH_SUCCESS) {
        return NGX_OK;
    }

    texts[NGX_CODAT_TEXT_RECORD] = ngx_codat_operation_text(operation,
                                            NGX_CODAT_OPERATION_CHANGE_ID);
    texts[NGX_CODAT_TEXT_ATTACHMENT] = ngx_codat_operation_text(operation,
                                       NGX_CODAT_OPERATION_CHANGE_ATTACHMENT);

    if (texts[NGX_CODAT_TEXT_RECORD].len == 0) {
        texts[NGX_CODAT_TEXT_RECORD] = ngx_codat_operation_text(operation,
                                            NGX_CODAT_OPERATION_DATA_ID);
    }

    return NGX_OK;
}


/* a string, decoded where it stands; empty if it is none, or was too long */

static ngx_str_t
ngx_codat_operation_text(ngx_codat_operation_t *operation,
    ngx_codat_operation_e member)
{
    ngx_str_t                     text;
    ngx_codat_operation_value_t  *value;

    value = &operation->values[member];

    ngx_str_null(&text);

    if (value->end && value->string && !value->cut) {
        text.data = value->text.data;
        text.len = (size_t) (ngx_codat_json_unescape(text.data,
                                               value->text.data,
                                               value->text.data
                                               + value->text.len)
                             - text.data);
    }

    return text;
}


static int64_t
ngx_codat_operation_time(ngx_codat_operation_t *operation,
    ngx_codat_operation_e member)
{
    int64_t    usec;
    ngx_str_t  text;

    text = ngx_codat_operation_text(operation, member);

    if (text.len == 0 || ngx_codat_time_parse(&text, &usec, NULL) != NGX_OK) {
        return 0;
    }

    return usec;
}
