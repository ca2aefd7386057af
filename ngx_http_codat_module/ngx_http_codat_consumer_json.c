
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_json.h"
#include "ngx_codat_pattern.h"
#include "ngx_codat_time.h"
#include "ngx_http_codat_conf_consumers.h"
#include "ngx_http_codat_consumer_error.h"
#include "ngx_http_codat_consumer_json.h"
#include "ngx_http_codat_consumers.h"


#define NGX_HTTP_CODAT_CONSUMER_MEMBERS  7

/* names, numbers and times of a consumer */
#define NGX_HTTP_CODAT_CONSUMER_LEN      512


/*
 * Reads a value.  Returns NULL, or what is wrong with it, or with *rc set
 * to NGX_ERROR whatever.
 */
typedef const char *(*ngx_http_codat_consumer_member_pt)(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc);


typedef struct {
    ngx_str_t                           name;
    ngx_uint_t                          mask;
    ngx_http_codat_consumer_member_pt   read;
} ngx_http_codat_consumer_member_t;


static ngx_int_t ngx_http_codat_consumer_select(ngx_http_request_t *r,
    ngx_str_t *body, const ngx_codat_json_path_t *paths,
    ngx_codat_json_value_t *slots, ngx_uint_t n, ngx_int_t *answer);
static const char *ngx_http_codat_consumer_url(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc);
static const char *ngx_http_codat_consumer_types(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc);
static const char *ngx_http_codat_consumer_tags(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc);
static const char *ngx_http_codat_consumer_disabled(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc);
static const char *ngx_http_codat_consumer_format(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc);
static const char *ngx_http_codat_consumer_rate(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc);
static const char *ngx_http_codat_consumer_key_text(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc);
static ngx_int_t ngx_http_codat_consumer_text(ngx_pool_t *pool,
    ngx_str_t *element, ngx_str_t *text);
static ngx_int_t ngx_http_codat_consumer_add(ngx_array_t *list,
    ngx_str_t *text);
static u_char *ngx_http_codat_consumer_list_json(u_char *p, const char *name,
    ngx_array_t *list);
static u_char *ngx_http_codat_consumer_health(u_char *p,
    ngx_codat_consumer_t *consumer);
static u_char *ngx_http_codat_consumer_time(u_char *p, const char *name,
    int64_t time);


/* in the order of the slots below, from 1 */

static const ngx_http_codat_consumer_member_t
    ngx_http_codat_consumer_members[NGX_HTTP_CODAT_CONSUMER_MEMBERS] =
{
    { ngx_string("url"), NGX_CODAT_CONSUMER_URL,
      ngx_http_codat_consumer_url },
    { ngx_string("eventTypes"), NGX_CODAT_CONSUMER_TYPES,
      ngx_http_codat_consumer_types },
    { ngx_string("companyTags"), NGX_CODAT_CONSUMER_TAGS,
      ngx_http_codat_consumer_tags },
    { ngx_string("disabled"), NGX_CODAT_CONSUMER_DISABLED,
      ngx_http_codat_consumer_disabled },
    { ngx_string("format"), NGX_CODAT_CONSUMER_FORMAT,
      ngx_http_codat_consumer_format },
    { ngx_string("rateLimit"), NGX_CODAT_CONSUMER_RATE,
      ngx_http_codat_consumer_rate },
    { ngx_string("secret"), NGX_CODAT_CONSUMER_SECRET,
      ngx_http_codat_consumer_key_text }
};


static const ngx_codat_json_path_t  ngx_http_codat_consumer_members_at[] = {
    { ngx_string("url"), 1, 2, NULL, 0 },
    { ngx_string("eventtypes"), 2, 3, NULL, 0 },
    { ngx_string("companytags"), 3, 4, NULL, 0 },
    { ngx_string("disabled"), 4, 5, NULL, 0 },
    { ngx_string("format"), 5, 6, NULL, 0 },
    { ngx_string("ratelimit"), 6, 7, NULL, 0 },
    { ngx_string("secret"), 7, 8, NULL, 0 },
    { ngx_null_string, 0, 0, NULL, 0 }
};


static const ngx_codat_json_path_t  ngx_http_codat_consumer_since_at[] = {
    { ngx_string("since"), 1, 2, NULL, 0 },
    { ngx_null_string, 0, 0, NULL, 0 }
};


/* rules that several types of today's stand for */

static const struct {
    ngx_codat_rule_e   rule;
    ngx_str_t          pattern;
} ngx_http_codat_consumer_rules[] = {
    { NGX_CODAT_RULE_CONNECTION_STATUS, ngx_string("connection.*") },
    { NGX_CODAT_RULE_PUSH_STATUS, ngx_string("*.write.*") },
    { NGX_CODAT_RULE_PUSH_TIMED_OUT, ngx_string("*.write.unsuccessful") },
    { NGX_CODAT_RULE_NONE, ngx_null_string }
};


ngx_int_t
ngx_http_codat_consumer_read(ngx_http_request_t *r,
    ngx_http_codat_call_t *call, ngx_codat_consumer_t *consumer,
    ngx_uint_t *mask, ngx_int_t *answer)
{
    ngx_int_t                                rc;
    ngx_str_t                                why;
    ngx_uint_t                               i;
    const char                              *wrong;
    ngx_codat_url_t                          url;
    ngx_codat_json_value_t                  *value;
    ngx_codat_json_value_t
                            slots[NGX_HTTP_CODAT_CONSUMER_MEMBERS + 1];
    const ngx_http_codat_consumer_member_t  *member;

    ngx_memzero(consumer, sizeof(ngx_codat_consumer_t));
    *mask = 0;

    if (ngx_http_codat_consumer_select(r, &call->body,
                                       ngx_http_codat_consumer_members_at,
                                       slots,
                                       NGX_HTTP_CODAT_CONSUMER_MEMBERS + 1,
                                       answer)
        != NGX_OK)
    {
        return NGX_DONE;
    }

    for (i = 0; i < NGX_HTTP_CODAT_CONSUMER_MEMBERS; i++) {

        member = &ngx_http_codat_consumer_members[i];
        value = &slots[i + 1];

        if (value->type == NGX_CODAT_JSON_ABSENT) {
            continue;
        }

        rc = NGX_OK;

        wrong = member->read(r->pool, value, consumer, &rc);

        if (rc == NGX_ERROR) {
            *answer = NGX_HTTP_SERVICE_UNAVAILABLE;
            return NGX_DONE;
        }

        if (wrong) {
            *answer = ngx_http_codat_consumer_error(r, NGX_HTTP_BAD_REQUEST,
                                                    &member->name, "%s",
                                                    wrong);
            return NGX_DONE;
        }

        *mask |= member->mask;
    }

    if (!(*mask & NGX_CODAT_CONSUMER_URL)) {
        return NGX_OK;
    }

    if (ngx_http_codat_guard_url(call->conf->guard, &consumer->url, &url,
                                 &why)
        != NGX_OK)
    {
        *answer = ngx_http_codat_consumer_error(r, NGX_HTTP_BAD_REQUEST,
                             &ngx_http_codat_consumer_members[0].name, "%V",
                             &why);
        return NGX_DONE;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_consumer_since(ngx_http_request_t *r, ngx_str_t *body,
    int64_t *since, ngx_int_t *answer)
{
    ngx_codat_json_value_t  slots[2];

    static const ngx_str_t  item = ngx_string("since");

    if (ngx_http_codat_consumer_select(r, body,
                                       ngx_http_codat_consumer_since_at,
                                       slots, 2, answer)
        != NGX_OK)
    {
        return NGX_DONE;
    }

    if (slots[1].type != NGX_CODAT_JSON_STRING
        || ngx_codat_time_parse(&slots[1].text, since, NULL) != NGX_OK)
    {
        *answer = ngx_http_codat_consumer_error(r, NGX_HTTP_BAD_REQUEST,
                                                &item, "is a time such as "
                                                "2026-03-01T09:00:00Z");
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_consumer_select(ngx_http_request_t *r, ngx_str_t *body,
    const ngx_codat_json_path_t *paths, ngx_codat_json_value_t *slots,
    ngx_uint_t n, ngx_int_t *answer)
{
    ngx_int_t               rc;
    ngx_codat_json_error_t  err;

    rc = ngx_codat_json_select(r->pool, body, paths, slots, n, &err);

    if (rc == NGX_ERROR) {
        *answer = NGX_HTTP_SERVICE_UNAVAILABLE;
        return NGX_DONE;
    }

    if (rc != NGX_OK) {
        *answer = ngx_http_codat_consumer_error(r, NGX_HTTP_BAD_REQUEST, NULL,
                                                "%s at byte %uz of the body",
                                                err.reason, err.offset);
        return NGX_DONE;
    }

    if (slots[0].type != NGX_CODAT_JSON_OBJECT) {
        *answer = ngx_http_codat_consumer_error(r, NGX_HTTP_BAD_REQUEST, NULL,
                                                "the body is not an object");
        return NGX_DONE;
    }

    return NGX_OK;
}


/* what it may be is for the guard to say */

static const char *
ngx_http_codat_consumer_url(ngx_pool_t *pool, ngx_codat_json_value_t *value,
    ngx_codat_consumer_t *consumer, ngx_int_t *rc)
{
    if (value->type != NGX_CODAT_JSON_STRING || value->text.len == 0) {
        return "is required, as a string";
    }

    consumer->url = value->text;

    return NULL;
}


static const char *
ngx_http_codat_consumer_types(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc)
{
    ngx_str_t    rest, element, type;
    const char  *wrong;

    if (value->type != NGX_CODAT_JSON_ARRAY) {
        return "is required, as an array of strings";
    }

    if (ngx_array_init(&consumer->event_types, pool, 4, sizeof(ngx_str_t))
        != NGX_OK)
    {
        *rc = NGX_ERROR;
        return NULL;
    }

    rest = value->text;

    while (ngx_codat_json_element(&rest, &element) == NGX_OK) {

        *rc = ngx_http_codat_consumer_text(pool, &element, &type);

        if (*rc != NGX_OK) {
            return "is required, as an array of strings";
        }

        wrong = ngx_http_codat_consumer_type(pool, &type, rc);

        if (wrong || *rc != NGX_OK) {
            return wrong;
        }

        if (consumer->event_types.nelts == NGX_HTTP_CODAT_CONSUMER_TYPES) {
            return "has too many entries";
        }

        *rc = ngx_http_codat_consumer_add(&consumer->event_types, &type);

        if (*rc != NGX_OK) {
            return NULL;
        }
    }

    if (consumer->event_types.nelts == 0) {
        return "has no entry, \"*\" stands for all events";
    }

    return NULL;
}


const char *
ngx_http_codat_consumer_type(ngx_pool_t *pool, ngx_str_t *type, ngx_int_t *rc)
{
    u_char               ch;
    size_t               i;
    ngx_uint_t           n;
    ngx_codat_rule_e     rule;
    ngx_codat_family_e   family;

    rule = ngx_codat_rule(type);

    if (rule != NGX_CODAT_RULE_NONE) {

        for (n = 0; ngx_http_codat_consumer_rules[n].pattern.len; n++) {

            if (ngx_http_codat_consumer_rules[n].rule == rule) {
                *type = ngx_http_codat_consumer_rules[n].pattern;
                return NULL;
            }
        }

        *type = *ngx_codat_rule_type(rule);

        return NULL;
    }

    if (type->len > NGX_HTTP_CODAT_CONSUMER_TYPE) {
        return "has an entry that is too long";
    }

    for (i = 0; i < type->len; i++) {
        ch = type->data[i];

        if ((ch < '0' || ch > '9')
            && (ch < 'A' || ch > 'Z')
            && (ch < 'a' || ch > 'z')
            && ch != '-' && ch != '_' && ch != '.' && ch != '*')
        {
            return "has an entry that is no type of events";
        }
    }

    if (ngx_codat_pattern_check(type)) {
        return "has an entry with an empty segment, or with a \"*\" that is "
               "not a whole segment";
    }

    *rc = ngx_codat_event_type(pool, type, &family);

    return NULL;
}


static const char *
ngx_http_codat_consumer_tags(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc)
{
    size_t       i;
    u_char      *colon;
    ngx_str_t    rest, element, tag;

    if (ngx_array_init(&consumer->company_tags, pool, 4, sizeof(ngx_str_t))
        != NGX_OK)
    {
        *rc = NGX_ERROR;
        return NULL;
    }

    if (value->type == NGX_CODAT_JSON_NULL) {
        return NULL;
    }

    if (value->type != NGX_CODAT_JSON_ARRAY) {
        return "is not an array of strings";
    }

    rest = value->text;

    while (ngx_codat_json_element(&rest, &element) == NGX_OK) {

        *rc = ngx_http_codat_consumer_text(pool, &element, &tag);

        if (*rc != NGX_OK) {
            return "is not an array of strings";
        }

        if (tag.len > NGX_HTTP_CODAT_CONSUMER_TAG) {
            return "has an entry that is too long, 128 bytes are the most";
        }

        for (i = 0; i < tag.len; i++) {

            if (tag.data[i] < 0x20 || tag.data[i] == 0x7f) {
                return "has an entry with a control character";
            }
        }

        colon = ngx_strlchr(tag.data, tag.data + tag.len, ':');

        if (colon == NULL
            || colon == tag.data
            || colon == tag.data + tag.len - 1)
        {
            return "has an entry that is not \"key:value\"";
        }

        if (consumer->company_tags.nelts == NGX_HTTP_CODAT_CONSUMER_TAGS) {
            return "has too many entries, 10 are the most";
        }

        *rc = ngx_http_codat_consumer_add(&consumer->company_tags, &tag);

        if (*rc != NGX_OK) {
            return NULL;
        }
    }

    return NULL;
}


static const char *
ngx_http_codat_consumer_disabled(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc)
{
    if (value->type == NGX_CODAT_JSON_NULL) {
        return NULL;
    }

    if (value->type != NGX_CODAT_JSON_BOOLEAN) {
        return "is not true or false";
    }

    consumer->disabled = (value->text.data[0] == 't');

    if (consumer->disabled) {
        ngx_str_set(&consumer->reason, NGX_CODAT_CONSUMER_BY_REQUEST);
    }

    return NULL;
}


static const char *
ngx_http_codat_consumer_format(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc)
{
    static const ngx_str_t  codat = ngx_string("codat");
    static const ngx_str_t  cloudevents = ngx_string("cloudevents");

    if (value->type == NGX_CODAT_JSON_NULL) {
        return NULL;
    }

    if (value->type == NGX_CODAT_JSON_STRING) {

        if (value->text.len == codat.len
            && ngx_memcmp(value->text.data, codat.data, codat.len) == 0)
        {
            return NULL;
        }

        if (value->text.len == cloudevents.len
            && ngx_memcmp(value->text.data, cloudevents.data,
                          cloudevents.len)
               == 0)
        {
            consumer->cloudevents = 1;
            return NULL;
        }
    }

    return "is neither \"codat\" nor \"cloudevents\"";
}


static const char *
ngx_http_codat_consumer_rate(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc)
{
    ngx_int_t  n;

    if (value->type == NGX_CODAT_JSON_NULL) {
        return NULL;
    }

    n = NGX_ERROR;

    if (value->type == NGX_CODAT_JSON_NUMBER) {
        n = ngx_atoi(value->text.data, value->text.len);
    }

    if (n < 1 || n > NGX_HTTP_CODAT_CONSUMER_RATE) {
        return "is not a number of events a second, from 1 to 10000, or null";
    }

    consumer->rate = (ngx_uint_t) n;

    return NULL;
}


static const char *
ngx_http_codat_consumer_key_text(ngx_pool_t *pool,
    ngx_codat_json_value_t *value, ngx_codat_consumer_t *consumer,
    ngx_int_t *rc)
{
    ngx_str_t                text, key;

    static const ngx_str_t   prefix = ngx_string("whsec_");
    static const char        wrong[] = "is not \"whsec_\" and the base64 of "
                                       "24 to 64 bytes";

    if (value->type == NGX_CODAT_JSON_NULL) {
        return NULL;
    }

    text = value->text;

    if (value->type != NGX_CODAT_JSON_STRING
        || text.len < prefix.len
        || ngx_strncmp(text.data, prefix.data, prefix.len) != 0)
    {
        return wrong;
    }

    text.data += prefix.len;
    text.len -= prefix.len;

    key.len = ngx_base64_decoded_length(text.len);
    key.data = ngx_pnalloc(pool, key.len + 1);

    if (key.data == NULL) {
        *rc = NGX_ERROR;
        return NULL;
    }

    if (ngx_codat_sign_base64(&key, &text) != NGX_OK
        || key.len < NGX_CODAT_SIGN_KEY_MIN
        || key.len > NGX_CODAT_SIGN_KEY_MAX)
    {
        return wrong;
    }

    consumer->secret = key;

    return NULL;
}


/* of an element of an array; NGX_DECLINED if it is no string */

static ngx_int_t
ngx_http_codat_consumer_text(ngx_pool_t *pool, ngx_str_t *element,
    ngx_str_t *text)
{
    u_char  *last;

    if (element->len < 2 || element->data[0] != '"') {
        return NGX_DECLINED;
    }

    text->data = ngx_pnalloc(pool, element->len);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    last = ngx_codat_json_unescape(text->data, element->data + 1,
                                   element->data + element->len - 1);

    text->len = (size_t) (last - text->data);

    return NGX_OK;
}


/* but once */

static ngx_int_t
ngx_http_codat_consumer_add(ngx_array_t *list, ngx_str_t *text)
{
    ngx_str_t   *known;
    ngx_uint_t   i;

    known = list->elts;

    for (i = 0; i < list->nelts; i++) {

        if (known[i].len == text->len
            && ngx_memcmp(known[i].data, text->data, text->len) == 0)
        {
            return NGX_OK;
        }
    }

    known = ngx_array_push(list);
    if (known == NULL) {
        return NGX_ERROR;
    }

    *known = *text;

    return NGX_OK;
}


size_t
ngx_http_codat_consumer_json_len(ngx_codat_consumer_t *consumer)
{
    size_t       len;
    ngx_str_t   *text;
    ngx_uint_t   i;

    len = NGX_HTTP_CODAT_CONSUMER_LEN
          + ngx_codat_json_string_len(&consumer->uid)
          + ngx_codat_json_string_len(&consumer->url)
          + ngx_base64_encoded_length(consumer->secret.len)
          + ngx_codat_json_string_len(&consumer->reason)
          + ngx_codat_json_string_len(&consumer->last_error);

    text = consumer->event_types.elts;

    for (i = 0; i < consumer->event_types.nelts; i++) {
        len += ngx_codat_json_string_len(&text[i]) + 1;
    }

    text = consumer->company_tags.elts;

    for (i = 0; i < consumer->company_tags.nelts; i++) {
        len += ngx_codat_json_string_len(&text[i]) + 1;
    }

    return len;
}


/* the first five members are Codat's */

u_char *
ngx_http_codat_consumer_json(u_char *p, ngx_codat_consumer_t *consumer,
    ngx_uint_t secret)
{
    ngx_str_t  text;

    p = ngx_sprintf(p, "{\"id\":");
    p = ngx_codat_json_string(p, &consumer->uid);
    p = ngx_sprintf(p, ",\"url\":");
    p = ngx_codat_json_string(p, &consumer->url);
    p = ngx_sprintf(p, ",\"disabled\":%s",
                    consumer->disabled ? "true" : "false");

    p = ngx_http_codat_consumer_list_json(p, "eventTypes",
                                          &consumer->event_types);
    p = ngx_http_codat_consumer_list_json(p, "companyTags",
                                          &consumer->company_tags);

    p = ngx_sprintf(p, ",\"format\":\"%s\",\"rateLimit\":",
                    consumer->cloudevents ? "cloudevents" : "codat");

    p = consumer->rate ? ngx_sprintf(p, "%ui", consumer->rate)
                       : ngx_sprintf(p, "null");

    if (secret) {
        p = ngx_sprintf(p, ",\"secret\":\"whsec_");

        text.data = p;
        ngx_encode_base64(&text, &consumer->secret);

        p += text.len;
        *p++ = '"';
    }

    p = ngx_http_codat_consumer_health(p, consumer);

    *p++ = '}';

    return p;
}


static u_char *
ngx_http_codat_consumer_list_json(u_char *p, const char *name,
    ngx_array_t *list)
{
    ngx_str_t   *text;
    ngx_uint_t   i;

    p = ngx_sprintf(p, ",\"%s\":[", name);

    text = list->elts;

    for (i = 0; i < list->nelts; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_codat_json_string(p, &text[i]);
    }

    *p++ = ']';

    return p;
}


static u_char *
ngx_http_codat_consumer_health(u_char *p, ngx_codat_consumer_t *consumer)
{
    p = ngx_http_codat_consumer_time(p, "createdOn", consumer->created);
    p = ngx_http_codat_consumer_time(p, "succeededOn", consumer->succeeded);
    p = ngx_http_codat_consumer_time(p, "failingSince", consumer->failing);

    if (consumer->last_status) {
        p = ngx_sprintf(p, ",\"lastStatus\":%ui", consumer->last_status);
    }

    if (consumer->last_error.len) {
        p = ngx_sprintf(p, ",\"lastError\":");
        p = ngx_codat_json_string(p, &consumer->last_error);
    }

    if (consumer->disabled) {
        p = ngx_http_codat_consumer_time(p, "disabledOn",
                                         consumer->disabled_at);
        p = ngx_sprintf(p, ",\"disabledReason\":");
        p = ngx_codat_json_string(p, &consumer->reason);
    }

    return p;
}


static u_char *
ngx_http_codat_consumer_time(u_char *p, const char *name, int64_t time)
{
    if (time == 0) {
        return p;
    }

    p = ngx_sprintf(p, ",\"%s\":\"", name);
    p = ngx_codat_time_format(p, time);
    *p++ = '"';

    return p;
}
