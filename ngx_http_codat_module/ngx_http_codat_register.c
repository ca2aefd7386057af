
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_json.h"
#include "ngx_http_codat_answer.h"
#include "ngx_http_codat_ask.h"
#include "ngx_http_codat_body.h"
#include "ngx_http_codat_deliver.h"
#include "ngx_http_codat_header.h"
#include "ngx_http_codat_persist.h"
#include "ngx_http_codat_query.h"
#include "ngx_http_codat_register.h"
#include "ngx_http_codat_status.h"


#define NGX_HTTP_CODAT_MEMBERS  4


typedef struct {
    ngx_str_t         name;
    ngx_codat_text_e  text;
    size_t            max;
} ngx_http_codat_member_t;


/* a registration that the store has yet to take */

typedef struct {
    ngx_codat_zone_t  *zone;
    ngx_codat_copy_t  *copy;
    ngx_int_t          rc;
} ngx_http_codat_registered_t;


static void ngx_http_codat_register_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_codat_register_process(ngx_http_request_t *r);
static ngx_int_t ngx_http_codat_register_answer(ngx_http_request_t *r,
    ngx_codat_copy_t *copy, ngx_int_t rc);
static ngx_int_t ngx_http_codat_register_store(ngx_http_request_t *r,
    ngx_codat_zone_t *zone, ngx_codat_record_t *push, ngx_codat_copy_t *copy,
    ngx_int_t rc);
static ngx_int_t ngx_http_codat_register_stored(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data);
static ngx_int_t ngx_http_codat_forget_answer(ngx_http_request_t *r,
    ngx_int_t rc);
static ngx_int_t ngx_http_codat_forget_stored(ngx_http_request_t *r,
    ngx_codat_work_t *work, void *data);
static ngx_int_t ngx_http_codat_register_parse(ngx_http_request_t *r,
    ngx_str_t *body, ngx_codat_record_t *push, ngx_int_t *answer);
static ngx_int_t ngx_http_codat_register_member(ngx_http_request_t *r,
    const ngx_http_codat_member_t *member, ngx_codat_json_value_t *value,
    ngx_codat_record_t *push, ngx_int_t *answer);
static ngx_int_t ngx_http_codat_register_names(ngx_http_request_t *r,
    ngx_str_t *body, ngx_int_t *answer);
static u_char *ngx_http_codat_register_string(u_char *p, u_char *last);
static ngx_int_t ngx_http_codat_register_name(ngx_http_request_t *r,
    u_char *p, u_char *end, ngx_int_t *answer);
static ngx_int_t ngx_http_codat_register_location(ngx_http_request_t *r);


/* in the order of the slots below, from 1 */

static const ngx_http_codat_member_t
    ngx_http_codat_members[NGX_HTTP_CODAT_MEMBERS] =
{
    { ngx_string("reference"), NGX_CODAT_TEXT_REFERENCE,
      NGX_CODAT_REFERENCE_MAX },
    { ngx_string("companyId"), NGX_CODAT_TEXT_COMPANY, NGX_CODAT_ID_MAX },
    { ngx_string("connectionId"), NGX_CODAT_TEXT_CONNECTION,
      NGX_CODAT_ID_MAX },
    { ngx_string("dataType"), NGX_CODAT_TEXT_DATA_TYPE, NGX_CODAT_WORD_MAX }
};


static const ngx_codat_json_path_t  ngx_http_codat_register_paths[] = {
    { ngx_string("reference"), 1, 2, NULL, 0 },
    { ngx_string("companyid"), 2, 3, NULL, 0 },
    { ngx_string("connectionid"), 3, 4, NULL, 0 },
    { ngx_string("datatype"), 4, 5, NULL, 0 },
    { ngx_null_string, 0, 0, NULL, 0 }
};


static ngx_str_t  ngx_http_codat_location = ngx_string("Location");


ngx_int_t
ngx_http_codat_register(ngx_http_request_t *r, ngx_str_t *key)
{
    ngx_int_t         rc;
    const u_char     *strange;
    ngx_table_elt_t  *encoding;

    static ngx_str_t  header = ngx_string("Content-Encoding");
    static ngx_str_t  identity = ngx_string("identity");

    if (ngx_codat_json_utf8_check(key, &strange)) {
        return ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_NOT_FOUND,
                                             "a key is valid UTF-8");
    }

    encoding = ngx_http_codat_header_find(&r->headers_in.headers, &header);

    if (encoding
        && (encoding->value.len != identity.len
            || ngx_strncasecmp(encoding->value.data, identity.data,
                               identity.len)
               != 0))
    {
        return ngx_http_codat_status_problem(r,
                                     NGX_HTTP_CODAT_UNSUPPORTED_MEDIA_TYPE,
                                     "Content-Encoding is not identity");
    }

    /* whatever Content-Type says: "curl -d" says that it is a form */

    r->request_body_file_log_level = 0;

    rc = ngx_http_read_client_request_body(r,
                                        ngx_http_codat_register_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_codat_register_body_handler(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_http_codat_register_process(r));
}


static ngx_int_t
ngx_http_codat_register_process(ngx_http_request_t *r)
{
    ngx_int_t            rc, answer;
    ngx_str_t            body;
    ngx_codat_copy_t    *copy;
    ngx_codat_zone_t    *zone;
    ngx_codat_record_t   push;

    ngx_memzero(&push, sizeof(ngx_codat_record_t));

    push.kind = NGX_CODAT_RECORD_PUSH;

    ngx_http_codat_status_push(r, &push.texts[NGX_CODAT_TEXT_ID]);

    copy = ngx_palloc(r->pool, sizeof(ngx_codat_copy_t));

    if (copy == NULL || ngx_http_codat_body(r, &body) != NGX_OK) {
        return ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_STATUS_UNAVAILABLE,
                                         "the body can't be read at present");
    }

    if (ngx_http_codat_register_parse(r, &body, &push, &answer) != NGX_OK) {
        return answer;
    }

    zone = ngx_http_codat_status_zone(r);

    rc = ngx_codat_table_register(zone, &push, copy);

    if (zone->store && rc != NGX_ERROR) {
        return ngx_http_codat_register_store(r, zone, &push, copy, rc);
    }

    return ngx_http_codat_register_answer(r, copy, rc);
}


static ngx_int_t
ngx_http_codat_register_answer(ngx_http_request_t *r, ngx_codat_copy_t *copy,
    ngx_int_t rc)
{
    switch (rc) {

    case NGX_OK:
        return ngx_http_codat_status_copy(r, NGX_HTTP_OK, copy);

    case NGX_DONE:
        if (ngx_http_codat_register_location(r) != NGX_OK) {
            return NGX_HTTP_SERVICE_UNAVAILABLE;
        }

        return ngx_http_codat_status_copy(r, NGX_HTTP_CREATED, copy);

    case NGX_DECLINED:
        return ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_STATUS_UNAVAILABLE,
                                         "the zone is full of rows that are "
                                         "needed more");

    default:
        return ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_STATUS_UNAVAILABLE,
                                         "the push can't be looked up");
    }
}


/* the zone knows it already, for webhooks that are quick */

static ngx_int_t
ngx_http_codat_register_store(ngx_http_request_t *r, ngx_codat_zone_t *zone,
    ngx_codat_record_t *push, ngx_codat_copy_t *copy, ngx_int_t rc)
{
    ngx_array_t                      facts;
    ngx_codat_work_rows_t           *work;
    ngx_http_codat_registered_t     *registered;

    registered = ngx_palloc(r->pool, sizeof(ngx_http_codat_registered_t));

    work = ngx_codat_work_create(NGX_CODAT_WORK_ROWS,
                                 sizeof(ngx_codat_work_rows_t),
                                 ngx_cycle->log);

    facts.elts = push;
    facts.nelts = 1;

    if (registered == NULL || work == NULL
        || ngx_codat_work_facts(&work->work, &work->facts, &facts) != NGX_OK)
    {
        if (work) {
            ngx_codat_work_free(&work->work);
        }

        return ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_STATUS_UNAVAILABLE,
                                         "out of memory");
    }

    registered->zone = zone;
    registered->copy = copy;
    registered->rc = rc;

    work->origin = ngx_http_codat_deliver_origin(zone);

    return ngx_http_codat_ask(r, zone, &work->work,
                              ngx_http_codat_register_stored,
                              registered);
}


/* the row as the store has it: more of it may have been known there */

static ngx_int_t
ngx_http_codat_register_stored(ngx_http_request_t *r, ngx_codat_work_t *w,
    void *data)
{
    ngx_http_codat_registered_t *registered = data;

    u_char                  key[NGX_CODAT_ZONE_KEY_LEN];
    ngx_codat_work_row_t   *row;
    ngx_codat_work_rows_t  *work;

    work = (ngx_codat_work_rows_t *) w;

    ngx_http_codat_persist_rows(registered->zone, &work->rows);

    row = work->rows.elts;

    if (work->rows.nelts
        && ngx_codat_table_key(registered->zone,
                               &row->record.texts[NGX_CODAT_TEXT_ID], key)
           == NGX_OK
        && ngx_codat_table_get(registered->zone, NGX_CODAT_RECORD_PUSH, key,
                               registered->copy)
           != NGX_OK)
    {
        /* the zone is too full for it: not so the store */

        registered->copy->record = row->record;
    }

    return ngx_http_codat_register_answer(r, registered->copy,
                              registered->rc == NGX_OK ? NGX_OK : NGX_DONE);
}


/* returns NGX_OK, or NGX_DONE when *answer is to be returned */

static ngx_int_t
ngx_http_codat_register_parse(ngx_http_request_t *r, ngx_str_t *body,
    ngx_codat_record_t *push, ngx_int_t *answer)
{
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_codat_json_error_t  err;
    ngx_codat_json_value_t  slots[NGX_HTTP_CODAT_MEMBERS + 1];

    rc = ngx_codat_json_select(r->pool, body, ngx_http_codat_register_paths,
                               slots, NGX_HTTP_CODAT_MEMBERS + 1, &err);

    if (rc == NGX_DECLINED) {
        *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_MALFORMED_JSON,
                                         "%s at byte %uz of the body",
                                         err.reason, err.offset);
        return NGX_DONE;
    }

    if (rc != NGX_OK) {
        *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_STATUS_UNAVAILABLE,
                                         "out of memory");
        return NGX_DONE;
    }

    if (slots[0].type != NGX_CODAT_JSON_OBJECT) {
        *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_INVALID_BODY,
                                         "the body is not an object");
        return NGX_DONE;
    }

    if (ngx_http_codat_register_names(r, &slots[0].text, answer) != NGX_OK) {
        return NGX_DONE;
    }

    for (i = 0; i < NGX_HTTP_CODAT_MEMBERS; i++) {

        if (ngx_http_codat_register_member(r, &ngx_http_codat_members[i],
                                           &slots[i + 1], push, answer)
            != NGX_OK)
        {
            return NGX_DONE;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_register_member(ngx_http_request_t *r,
    const ngx_http_codat_member_t *member, ngx_codat_json_value_t *value,
    ngx_codat_record_t *push, ngx_int_t *answer)
{
    const char  *what;

    if (value->type == NGX_CODAT_JSON_ABSENT
        || value->type == NGX_CODAT_JSON_NULL)
    {
        return NGX_OK;
    }

    if (value->type != NGX_CODAT_JSON_STRING) {
        what = "is not a string";

    } else if (value->text.len == 0) {
        what = "is empty";

    } else if (value->text.len > member->max) {
        what = "is too long";

    } else {
        push->texts[member->text] = value->text;
        return NGX_OK;
    }

    *answer = ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_INVALID_BODY,
                                            "the member \"%V\" %s",
                                            &member->name, what);
    return NGX_DONE;
}


/* the object is known to be valid: only its names are looked at */

static ngx_int_t
ngx_http_codat_register_names(ngx_http_request_t *r, ngx_str_t *body,
    ngx_int_t *answer)
{
    u_char      *p, *end, *last;
    ngx_uint_t   depth, expected;

    last = body->data + body->len;
    depth = 0;
    expected = 0;

    for (p = body->data; p < last; p++) {

        switch (*p) {

        case '{':
        case '[':
            depth++;
            expected = (depth == 1);
            break;

        case '}':
        case ']':
            depth--;
            break;

        case ',':
            expected = (depth == 1);
            break;

        case '"':
            end = ngx_http_codat_register_string(p + 1, last);

            if (expected
                && ngx_http_codat_register_name(r, p + 1, end, answer)
                   != NGX_OK)
            {
                return NGX_DONE;
            }

            expected = 0;
            p = end;
            break;

        default:
            break;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_register_name(ngx_http_request_t *r, u_char *p, u_char *end,
    ngx_int_t *answer)
{
    u_char            buf[NGX_HTTP_CODAT_SHOWN_LEN];
    ngx_str_t         name, shown;
    ngx_uint_t        i;
    const ngx_str_t  *known;

    name.data = ngx_pnalloc(r->pool, (size_t) (end - p) + 1);

    if (name.data == NULL) {
        *answer = NGX_HTTP_SERVICE_UNAVAILABLE;
        return NGX_DONE;
    }

    name.len = (size_t) (ngx_codat_json_unescape(name.data, p, end)
                         - name.data);

    for (i = 0; i < NGX_HTTP_CODAT_MEMBERS; i++) {
        known = &ngx_http_codat_members[i].name;

        if (known->len == name.len
            && ngx_strncasecmp(known->data, name.data, name.len) == 0)
        {
            return NGX_OK;
        }
    }

    ngx_http_codat_query_shown(&name, &shown, buf);

    *answer = ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_INVALID_BODY,
                                            "the member \"%V\" is unknown",
                                            &shown);
    return NGX_DONE;
}


/* where the closing quote is */

static u_char *
ngx_http_codat_register_string(u_char *p, u_char *last)
{
    while (p < last && *p != '"') {
        p += (*p == '\\') ? 2 : 1;
    }

    return ngx_min(p, last);
}


/* the path as the client has sent it, whatever rewrites made of it */

static ngx_int_t
ngx_http_codat_register_location(ngx_http_request_t *r)
{
    u_char     *args;
    ngx_str_t   path;

    path = r->unparsed_uri;
    args = ngx_strlchr(path.data, path.data + path.len, '?');

    if (args) {
        path.len = (size_t) (args - path.data);
    }

    return ngx_http_codat_header_add(r, &ngx_http_codat_location, &path);
}


ngx_int_t
ngx_http_codat_forget(ngx_http_request_t *r, const u_char *key)
{
    ngx_int_t                 rc;
    ngx_codat_zone_t         *zone;
    ngx_codat_work_forget_t  *work;

    zone = ngx_http_codat_status_zone(r);

    rc = ngx_codat_table_forget(zone, key);

    if (zone->store == NULL) {
        return ngx_http_codat_forget_answer(r, rc);
    }

    work = ngx_codat_work_create(NGX_CODAT_WORK_FORGET,
                                 sizeof(ngx_codat_work_forget_t),
                                 ngx_cycle->log);
    if (work == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ngx_http_codat_status_push(r, &work->key);

    if (ngx_codat_work_text(&work->work, &work->key, &work->key) != NGX_OK) {
        ngx_codat_work_free(&work->work);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return ngx_http_codat_ask(r, zone, &work->work,
                              ngx_http_codat_forget_stored,
                              rc == NGX_OK ? zone : NULL);
}


/*
 * "data" is not NULL if the zone knew it.  Right after a start it may have
 * been read from the store, and put there once more, in the meantime.
 */

static ngx_int_t
ngx_http_codat_forget_stored(ngx_http_request_t *r, ngx_codat_work_t *work,
    void *data)
{
    u_char             key[NGX_CODAT_ZONE_KEY_LEN];
    ngx_codat_zone_t  *zone;

    zone = ngx_http_codat_status_zone(r);

    if (ngx_codat_table_key(zone, &((ngx_codat_work_forget_t *) work)->key,
                            key)
        == NGX_OK)
    {
        (void) ngx_codat_table_forget(zone, key);
    }

    return ngx_http_codat_forget_answer(r, data ? NGX_OK : work->rc);
}


static ngx_int_t
ngx_http_codat_forget_answer(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_str_t  none = ngx_null_string;

    if (rc != NGX_OK) {
        return ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_NOT_FOUND,
                                             "this push is not known");
    }

    ngx_http_codat_answer_discard(r);

    if (ngx_http_codat_status_headers(r) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ngx_http_codat_answer_set(r, NGX_HTTP_NO_CONTENT, &none, -1);

    return ngx_http_codat_answer_send(r, &none);
}
