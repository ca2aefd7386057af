
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Matches events with those who want them, see
 * ngx_codat_audience.h.
 *
 * Members ask for few different things: each pattern is looked at once for an
 * event, however many members it has.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_audience.h"
#include "ngx_codat_json_string.h"
#include "ngx_codat_pattern.h"


typedef struct ngx_codat_audience_wish_s  ngx_codat_audience_wish_t;

/* a pattern, and who asks for it */

struct ngx_codat_audience_wish_s {
    ngx_str_node_t               sn;        /* in lower case */
    ngx_array_t                  members;   /* uint32_t, indices */
    ngx_codat_audience_wish_t   *next;      /* of those with a star */
};


typedef struct {
    uint64_t                     id;
    ngx_str_t                    client;
    ngx_str_t                   *tags;
    ngx_uint_t                   ntags;
    ngx_uint_t                   seen;      /* number of the last match */
} ngx_codat_audience_one_t;


struct ngx_codat_audience_s {
    ngx_pool_t                  *pool;
    ngx_array_t                  members;   /* ngx_codat_audience_one_t */
    ngx_rbtree_t                 wishes;
    ngx_rbtree_node_t            sentinel;
    ngx_codat_audience_wish_t   *starred;
    ngx_uint_t                   matches;
};


static ngx_int_t ngx_codat_audience_copy(ngx_pool_t *pool, ngx_str_t *to,
    const ngx_str_t *from);
static ngx_int_t ngx_codat_audience_wish(ngx_codat_audience_t *audience,
    const ngx_str_t *type, uint32_t member);
static ngx_int_t ngx_codat_audience_collect(ngx_codat_audience_t *audience,
    ngx_codat_audience_wish_t *wish, const ngx_codat_audience_event_t *event,
    ngx_array_t *ids);
static ngx_uint_t ngx_codat_audience_wants(
    const ngx_codat_audience_one_t *one,
    const ngx_codat_audience_event_t *event);
static ngx_uint_t ngx_codat_audience_tagged(const ngx_str_t *lines,
    const ngx_str_t *tag);
static u_char *ngx_codat_audience_text(u_char *dst, u_char **pos,
    u_char *last);
static u_char *ngx_codat_audience_end(u_char *p, u_char *last);
static u_char *ngx_codat_audience_skip(u_char *p, u_char *last);


ngx_codat_audience_t *
ngx_codat_audience_create(ngx_pool_t *pool)
{
    ngx_codat_audience_t  *audience;

    audience = ngx_pcalloc(pool, sizeof(ngx_codat_audience_t));

    if (audience == NULL
        || ngx_array_init(&audience->members, pool, 64,
                          sizeof(ngx_codat_audience_one_t))
           != NGX_OK)
    {
        return NULL;
    }

    audience->pool = pool;

    ngx_rbtree_init(&audience->wishes, &audience->sentinel,
                    ngx_str_rbtree_insert_value);

    return audience;
}


ngx_int_t
ngx_codat_audience_add(ngx_codat_audience_t *audience,
    const ngx_codat_audience_member_t *member)
{
    uint32_t                   n;
    ngx_str_t                 *text;
    ngx_uint_t                 i;
    ngx_codat_audience_one_t  *one;

    n = (uint32_t) audience->members.nelts;

    one = ngx_array_push(&audience->members);
    if (one == NULL) {
        return NGX_ERROR;
    }

    one->id = member->id;
    one->seen = 0;
    one->ntags = member->tags->nelts;

    one->tags = ngx_palloc(audience->pool,
                           ngx_max(one->ntags, 1) * sizeof(ngx_str_t));

    if (one->tags == NULL
        || ngx_codat_audience_copy(audience->pool, &one->client,
                                   &member->client)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    text = member->tags->elts;

    for (i = 0; i < one->ntags; i++) {

        if (ngx_codat_audience_copy(audience->pool, &one->tags[i], &text[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    text = member->types->elts;

    for (i = 0; i < member->types->nelts; i++) {

        if (ngx_codat_audience_wish(audience, &text[i], n) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_audience_copy(ngx_pool_t *pool, ngx_str_t *to,
    const ngx_str_t *from)
{
    to->len = from->len;
    to->data = NULL;

    if (from->len == 0) {
        return NGX_OK;
    }

    to->data = ngx_pnalloc(pool, from->len);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(to->data, from->data, from->len);

    return NGX_OK;
}


static ngx_int_t
ngx_codat_audience_wish(ngx_codat_audience_t *audience, const ngx_str_t *type,
    uint32_t member)
{
    uint32_t                    hash, *index;
    ngx_str_t                   text;
    ngx_codat_audience_wish_t  *wish;
    u_char                      lower[NGX_CODAT_AUDIENCE_TYPE];

    if (type->len > NGX_CODAT_AUDIENCE_TYPE) {
        return NGX_OK;
    }

    ngx_strlow(lower, type->data, type->len);

    text.data = lower;
    text.len = type->len;

    hash = ngx_crc32_short(text.data, text.len);

    wish = (ngx_codat_audience_wish_t *)
                    ngx_str_rbtree_lookup(&audience->wishes, &text, hash);

    if (wish == NULL) {

        wish = ngx_pcalloc(audience->pool, sizeof(ngx_codat_audience_wish_t));

        if (wish == NULL
            || ngx_codat_audience_copy(audience->pool, &wish->sn.str, &text)
               != NGX_OK
            || ngx_array_init(&wish->members, audience->pool, 4,
                              sizeof(uint32_t))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        wish->sn.node.key = hash;
        ngx_rbtree_insert(&audience->wishes, &wish->sn.node);

        if (ngx_strlchr(lower, lower + text.len, '*')) {
            wish->next = audience->starred;
            audience->starred = wish;
        }
    }

    index = ngx_array_push(&wish->members);
    if (index == NULL) {
        return NGX_ERROR;
    }

    *index = member;

    return NGX_OK;
}


ngx_int_t
ngx_codat_audience_match(ngx_codat_audience_t *audience,
    const ngx_codat_audience_event_t *event, ngx_array_t *ids)
{
    ngx_str_t                   type;
    ngx_codat_audience_wish_t  *wish;
    u_char                      lower[NGX_CODAT_AUDIENCE_TYPE];

    if (event->type.len > NGX_CODAT_AUDIENCE_TYPE) {
        return NGX_OK;
    }

    audience->matches++;

    ngx_strlow(lower, event->type.data, event->type.len);

    type.data = lower;
    type.len = event->type.len;

    wish = (ngx_codat_audience_wish_t *)
                 ngx_str_rbtree_lookup(&audience->wishes, &type,
                                       ngx_crc32_short(type.data, type.len));

    if (wish
        && ngx_codat_audience_collect(audience, wish, event, ids) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (wish = audience->starred; wish; wish = wish->next) {

        if (ngx_codat_pattern_match(&wish->sn.str, &type)
            && ngx_codat_audience_collect(audience, wish, event, ids)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_audience_collect(ngx_codat_audience_t *audience,
    ngx_codat_audience_wish_t *wish, const ngx_codat_audience_event_t *event,
    ngx_array_t *ids)
{
    uint32_t                  *index;
    uint64_t                  *id;
    ngx_uint_t                 i;
    ngx_codat_audience_one_t  *one, *members;

    members = audience->members.elts;
    index = wish->members.elts;

    for (i = 0; i < wish->members.nelts; i++) {

        one = &members[index[i]];

        if (one->seen == audience->matches) {
            continue;
        }

        one->seen = audience->matches;

        if (!ngx_codat_audience_wants(one, event)) {
            continue;
        }

        id = ngx_array_push(ids);
        if (id == NULL) {
            return NGX_ERROR;
        }

        *id = one->id;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_codat_audience_wants(const ngx_codat_audience_one_t *one,
    const ngx_codat_audience_event_t *event)
{
    ngx_uint_t  i;

    if (one->client.len && event->client.len
        && (one->client.len != event->client.len
            || ngx_strncasecmp(one->client.data, event->client.data,
                               one->client.len)
               != 0))
    {
        return 0;
    }

    for (i = 0; i < one->ntags; i++) {

        if (ngx_codat_audience_tagged(&event->tags, &one->tags[i])) {
            return 1;
        }
    }

    return one->ntags == 0;
}


static ngx_uint_t
ngx_codat_audience_tagged(const ngx_str_t *lines, const ngx_str_t *tag)
{
    u_char  *p, *last, *end;

    if (lines->len == 0) {
        return 0;
    }

    last = lines->data + lines->len;

    for (p = lines->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '\n');

        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) == tag->len
            && ngx_memcmp(p, tag->data, tag->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* --- tags --------------------------------------------------------------- */

ngx_int_t
ngx_codat_audience_tags(ngx_pool_t *pool, const ngx_str_t *object,
    ngx_str_t *lines)
{
    u_char  *p, *last, *start, *dst, *line;

    /* never longer: quotes and commas become a colon and an end of line */

    start = ngx_pnalloc(pool, object->len + 1);
    if (start == NULL) {
        return NGX_ERROR;
    }

    dst = start;
    p = object->data;
    last = p + object->len;

    while (p < last && *p != '{') {
        p++;
    }

    for ( ;; ) {

        while (p < last && *p != '"') {
            p++;
        }

        if (p == last) {
            break;
        }

        line = dst;
        dst = ngx_codat_audience_text(dst, &p, last);

        while (p < last && *p != ':') {
            p++;
        }

        do {
            p++;
        } while (p < last && *p <= ' ');

        if (p >= last) {
            dst = line;
            break;
        }

        if (*p != '"') {

            /* Codat's are texts */

            p = ngx_codat_audience_skip(p, last);
            dst = line;
            continue;
        }

        *dst++ = ':';
        dst = ngx_codat_audience_text(dst, &p, last);
        *dst++ = '\n';
    }

    lines->data = start;
    lines->len = (size_t) (dst - start);

    return NGX_OK;
}


/* decodes the string at "*pos", in one line whatever it says */

static u_char *
ngx_codat_audience_text(u_char *dst, u_char **pos, u_char *last)
{
    u_char  *start, *end;

    start = *pos + 1;
    end = ngx_codat_audience_end(start, last);

    *pos = ngx_min(end + 1, last);

    end = ngx_codat_json_unescape(dst, start, end);

    for (start = dst; start < end; start++) {

        if (*start == '\n') {
            *start = ' ';
        }
    }

    return end;
}


/* the quote that ends a string */

static u_char *
ngx_codat_audience_end(u_char *p, u_char *last)
{
    while (p < last && *p != '"') {
        p += (*p == '\\') ? 2 : 1;
    }

    return ngx_min(p, last);
}


/* behind a value that is no string */

static u_char *
ngx_codat_audience_skip(u_char *p, u_char *last)
{
    ngx_uint_t  depth;

    depth = 0;

    for ( /* void */ ; p < last; p++) {

        switch (*p) {

        case '"':
            p = ngx_codat_audience_end(p + 1, last);
            break;

        case '{':
        case '[':
            depth++;
            break;

        case '}':
        case ']':
            if (depth == 0) {
                return p;
            }

            depth--;
            break;

        case ',':
            if (depth == 0) {
                return p;
            }

            break;
        }
    }

    return last;
}
