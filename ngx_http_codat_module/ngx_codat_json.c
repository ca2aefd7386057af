
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns JSON, see ngx_codat_json.h.  What a parse needs beyond the
 * caller's memory is one block that is freed before it returns, and copies
 * of wanted strings with escapes, in the pool.  Must not know what the texts
 * mean, and lets no byte of them into a message.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <yajl/yajl_parse.h>

#include "ngx_codat_json.h"


/*
 * yajl does not check what its allocator returns, so all it may need is
 * reserved beforehand: its structures; the lexer's buffer, which keeps the
 * token that the text ends in; and the buffer that strings with escapes are
 * decoded in.  Buffers begin with 2048 bytes and double, and nothing is
 * given back before the end.
 */
#define NGX_CODAT_JSON_RESERVE         16384
#define NGX_CODAT_JSON_RESERVE_LEXER   6
#define NGX_CODAT_JSON_RESERVE_DECODE  4

#define NGX_CODAT_JSON_ALIGN           ((size_t) 16)


typedef struct {
    u_char                        *pos;
    u_char                        *end;
} ngx_codat_json_arena_t;


typedef struct {
    const ngx_codat_json_path_t   *members;     /* of the object, or of
                                                   the array's elements */
    const ngx_codat_json_path_t   *path;        /* of the coming value */
    ngx_codat_json_value_t        *value;
    size_t                         start;
    ngx_uint_t                     index;       /* of the coming element */
    unsigned                       array:1;
    unsigned                       any:1;
    unsigned                       later:1;     /* not the first element */
} ngx_codat_json_frame_t;


typedef struct {
    ngx_pool_t                    *pool;
    ngx_str_t                     *text;
    yajl_handle                    handle;
    ngx_codat_json_value_t        *slots;
    const ngx_codat_json_path_t   *(*match)(const ngx_codat_json_path_t *path,
                                       const u_char *key, size_t len);
    const char                    *reason;
    size_t                         last;        /* end of what is known */
    ngx_uint_t                     depth;
    unsigned                       finishing:1;
    unsigned                       nomem:1;

    /* 0, or the depth of the array in which an earlier element filled it */
    u_char                         locks[NGX_CODAT_JSON_SLOTS];

    ngx_codat_json_frame_t         frames[NGX_CODAT_JSON_DEPTH + 1];
} ngx_codat_json_ctx_t;


typedef enum {
    NGX_CODAT_JSON_AT = 0,              /* yajl stands on the bad byte, */
    NGX_CODAT_JSON_BEHIND,              /* one byte behind it, */
    NGX_CODAT_JSON_TOKEN,               /* or somewhere in its token */
    NGX_CODAT_JSON_END
} ngx_codat_json_where_e;


typedef struct {
    const char                    *yajl;        /* part of its message */
    const char                    *reason;
    ngx_codat_json_where_e         where;
} ngx_codat_json_reason_t;


static ngx_int_t ngx_codat_json_run(ngx_codat_json_ctx_t *ctx,
    const ngx_codat_json_path_t *root, ngx_uint_t nslots,
    ngx_codat_json_error_t *err);
static ngx_int_t ngx_codat_json_parse(ngx_codat_json_ctx_t *ctx,
    ngx_codat_json_error_t *err);
static void ngx_codat_json_explain(ngx_codat_json_ctx_t *ctx,
    ngx_codat_json_error_t *err);
static size_t ngx_codat_json_token(ngx_codat_json_ctx_t *ctx,
    size_t consumed);

static int ngx_codat_json_null(void *data);
static int ngx_codat_json_boolean(void *data, int value);
static int ngx_codat_json_number(void *data, const char *p, size_t len);
static int ngx_codat_json_text(void *data, const u_char *p, size_t len);
static int ngx_codat_json_start_map(void *data);
static int ngx_codat_json_map_key(void *data, const u_char *key, size_t len);
static int ngx_codat_json_end_map(void *data);
static int ngx_codat_json_start_array(void *data);
static int ngx_codat_json_end_array(void *data);

static void ngx_codat_json_consumed(ngx_codat_json_ctx_t *ctx);
static ngx_codat_json_value_t *ngx_codat_json_wanted(
    ngx_codat_json_ctx_t *ctx);
static void ngx_codat_json_scalar(ngx_codat_json_ctx_t *ctx,
    ngx_codat_json_type_e type, size_t len);
static int ngx_codat_json_open(ngx_codat_json_ctx_t *ctx, ngx_uint_t array);
static ngx_codat_json_frame_t *ngx_codat_json_close(ngx_codat_json_ctx_t *ctx,
    ngx_codat_json_type_e type);
static void ngx_codat_json_forget(ngx_codat_json_ctx_t *ctx,
    const ngx_codat_json_path_t *path);
static const ngx_codat_json_path_t *ngx_codat_json_match(
    const ngx_codat_json_path_t *path, const u_char *key, size_t len);
static const ngx_codat_json_path_t *ngx_codat_json_match_name(
    const ngx_codat_json_path_t *path, const u_char *key, size_t len);

static ngx_int_t ngx_codat_json_decode(ngx_codat_json_ctx_t *ctx,
    ngx_str_t *dst);

static void *ngx_codat_json_malloc(void *data, size_t size);
static void *ngx_codat_json_realloc(void *data, void *old, size_t size);
static void ngx_codat_json_free(void *data, void *p);


static const yajl_callbacks  ngx_codat_json_callbacks = {
    ngx_codat_json_null,
    ngx_codat_json_boolean,
    NULL,
    NULL,
    ngx_codat_json_number,
    ngx_codat_json_text,
    ngx_codat_json_start_map,
    ngx_codat_json_map_key,
    ngx_codat_json_end_map,
    ngx_codat_json_start_array,
    ngx_codat_json_end_array
};


static const ngx_codat_json_reason_t  ngx_codat_json_reasons[] = {
    { "non-hex",                "invalid escape",       NGX_CODAT_JSON_AT },
    { "occurs before a",        "invalid escape",       NGX_CODAT_JSON_AT },
    { "character inside",       "control character in a string",
                                                        NGX_CODAT_JSON_AT },
    { "invalid string in",      "invalid literal",      NGX_CODAT_JSON_AT },
    { "malformed number",       "invalid number",       NGX_CODAT_JSON_AT },
    { "comment",                "unexpected character", NGX_CODAT_JSON_AT },
    { "invalid char in",        "unexpected character",
                                                    NGX_CODAT_JSON_BEHIND },
    { "unallowed token",        "value expected",    NGX_CODAT_JSON_TOKEN },
    { "invalid object key",     "object key expected",
                                                     NGX_CODAT_JSON_TOKEN },
    { "by a colon",             "colon expected",    NGX_CODAT_JSON_TOKEN },
    { "inside map",             "comma or end of object expected",
                                                     NGX_CODAT_JSON_TOKEN },
    { "after array element",    "comma or end of array expected",
                                                     NGX_CODAT_JSON_TOKEN },
    { "trailing garbage",       "data behind the value",
                                                     NGX_CODAT_JSON_TOKEN },
    { "premature EOF",          "unexpected end",      NGX_CODAT_JSON_END }
};


ngx_int_t
ngx_codat_json_select(ngx_pool_t *pool, ngx_str_t *text,
    const ngx_codat_json_path_t *root, ngx_codat_json_value_t *slots,
    ngx_uint_t nslots, ngx_codat_json_error_t *err)
{
    ngx_codat_json_ctx_t  ctx;

    if (nslots == 0 || nslots > NGX_CODAT_JSON_SLOTS) {
        ngx_log_error(NGX_LOG_ALERT, pool->log, 0,
                      "codat: %ui slots asked of a JSON parse", nslots);
        return NGX_ERROR;
    }

    ctx.pool = pool;
    ctx.text = text;
    ctx.slots = slots;
    ctx.match = ngx_codat_json_match;

    return ngx_codat_json_run(&ctx, root, nslots, err);
}


ngx_int_t
ngx_codat_json_member(ngx_pool_t *pool, ngx_str_t *object, ngx_str_t *name,
    ngx_codat_json_value_t *value)
{
    ngx_int_t               rc;
    ngx_codat_json_ctx_t    ctx;
    ngx_codat_json_path_t   members[2];
    ngx_codat_json_error_t  err;
    ngx_codat_json_value_t  slots[2];

    if (name->len == 0) {
        return NGX_DECLINED;
    }

    ngx_memzero(members, sizeof(members));

    members[0].key = *name;
    members[0].slot = 1;
    members[0].end = 2;

    ctx.pool = pool;
    ctx.text = object;
    ctx.slots = slots;
    ctx.match = ngx_codat_json_match_name;

    rc = ngx_codat_json_run(&ctx, members, 2, &err);

    if (rc != NGX_OK) {
        return rc;
    }

    if (slots[0].type != NGX_CODAT_JSON_OBJECT
        || slots[1].type == NGX_CODAT_JSON_ABSENT)
    {
        return NGX_DECLINED;
    }

    *value = slots[1];

    return NGX_OK;
}


static ngx_int_t
ngx_codat_json_run(ngx_codat_json_ctx_t *ctx,
    const ngx_codat_json_path_t *root, ngx_uint_t nslots,
    ngx_codat_json_error_t *err)
{
    size_t                   size;
    u_char                  *start;
    ngx_int_t                rc;
    const u_char            *bad, *strange;
    yajl_alloc_funcs         funcs;
    ngx_codat_json_path_t    top;
    ngx_codat_json_arena_t   arena;

    ngx_memzero(ctx->slots, nslots * sizeof(ngx_codat_json_value_t));

    bad = ngx_codat_json_utf8_check(ctx->text, &strange);

    if (bad) {
        err->offset = (size_t) (bad - ctx->text->data);
        err->reason = "invalid UTF-8";
        return NGX_DECLINED;
    }

    size = NGX_CODAT_JSON_RESERVE
           + NGX_CODAT_JSON_RESERVE_LEXER * ctx->text->len;

    if (ctx->text->len && memchr(ctx->text->data, '\\', ctx->text->len)) {
        size += NGX_CODAT_JSON_RESERVE_DECODE * ctx->text->len;
    }

    start = ngx_alloc(size, ctx->pool->log);
    if (start == NULL) {
        return NGX_ERROR;
    }

    arena.pos = start;
    arena.end = start + size;

    funcs.malloc = ngx_codat_json_malloc;
    funcs.realloc = ngx_codat_json_realloc;
    funcs.free = ngx_codat_json_free;
    funcs.ctx = &arena;

    ctx->reason = NULL;
    ctx->last = 0;
    ctx->depth = 0;
    ctx->finishing = 0;
    ctx->nomem = 0;

    ngx_memzero(&top, sizeof(ngx_codat_json_path_t));
    ngx_memzero(&ctx->frames[0], sizeof(ngx_codat_json_frame_t));
    ngx_memzero(ctx->locks, NGX_CODAT_JSON_SLOTS);

    top.end = nslots;
    top.members = root;

    ctx->frames[0].path = &top;

    ctx->handle = yajl_alloc(&ngx_codat_json_callbacks, &funcs, ctx);

    if (ctx->handle == NULL) {
        ngx_free(start);
        return NGX_ERROR;
    }

    rc = ngx_codat_json_parse(ctx, err);

    yajl_free(ctx->handle);
    ngx_free(start);

    /* yajl takes "\v" and "\f" for white space */

    if (strange && (rc == NGX_OK
                    || (rc == NGX_DECLINED
                        && err->offset > (size_t) (strange
                                                   - ctx->text->data))))
    {
        err->offset = (size_t) (strange - ctx->text->data);
        err->reason = "unexpected character";
        return NGX_DECLINED;
    }

    return rc;
}


static ngx_int_t
ngx_codat_json_parse(ngx_codat_json_ctx_t *ctx, ngx_codat_json_error_t *err)
{
    size_t       offset;
    yajl_status  status;

    if (yajl_config(ctx->handle, yajl_dont_validate_strings, 1) == 0) {
        return NGX_ERROR;
    }

    /*
     * The text must come in one piece: only then are strings passed as
     * pointers into it, and are offsets those of the text.
     */

    status = yajl_parse(ctx->handle, ctx->text->data, ctx->text->len);

    if (status == yajl_status_ok) {
        ctx->finishing = 1;
        status = yajl_complete_parse(ctx->handle);
    }

    if (status == yajl_status_ok) {

        /* yajl overlooks a token behind the value that the end cuts off */

        offset = ngx_codat_json_token(ctx, 0);

        if (offset == ctx->text->len) {
            return NGX_OK;
        }

        err->offset = offset;
        err->reason = "data behind the value";

        return NGX_DECLINED;
    }

    if (ctx->nomem) {
        return NGX_ERROR;
    }

    ngx_codat_json_explain(ctx, err);

    return NGX_DECLINED;
}


static void
ngx_codat_json_explain(ngx_codat_json_ctx_t *ctx, ngx_codat_json_error_t *err)
{
    size_t                          consumed;
    u_char                         *message;
    ngx_uint_t                      i, n;
    const ngx_codat_json_reason_t  *reason;

    consumed = ctx->finishing ? ctx->text->len
                              : yajl_get_bytes_consumed(ctx->handle);

    if (ctx->reason) {
        err->offset = consumed ? consumed - 1 : 0;
        err->reason = ctx->reason;
        return;
    }

    err->offset = consumed;
    err->reason = "malformed";

    message = yajl_get_error(ctx->handle, 0, NULL, 0);
    if (message == NULL) {
        return;
    }

    n = sizeof(ngx_codat_json_reasons) / sizeof(ngx_codat_json_reasons[0]);

    for (i = 0; i < n; i++) {
        reason = &ngx_codat_json_reasons[i];

        if (ngx_strstr(message, reason->yajl) == NULL) {
            continue;
        }

        err->reason = reason->reason;

        if (reason->where == NGX_CODAT_JSON_TOKEN) {
            err->offset = ngx_codat_json_token(ctx, consumed);

        } else if (ctx->finishing || reason->where == NGX_CODAT_JSON_END) {

            /* a token that the end of the text has cut off */

            err->offset = ctx->text->len;
            err->reason = "unexpected end";

        } else if (reason->where == NGX_CODAT_JSON_BEHIND && consumed) {
            err->offset = consumed - 1;
        }

        break;
    }

    yajl_free_error(ctx->handle, message);
}


/*
 * Where the token begins that yajl did not like: it follows the last thing
 * that a callback saw, with a comma or a colon between them at most.
 */

static size_t
ngx_codat_json_token(ngx_codat_json_ctx_t *ctx, size_t consumed)
{
    u_char      *p, *last;
    ngx_uint_t   separator;

    p = ctx->text->data + ctx->last;
    last = ctx->text->data + ctx->text->len;
    separator = 0;

    while (p < last) {

        if (*p == ' ' || (*p >= '\t' && *p <= '\r')) {
            p++;
            continue;
        }

        if ((*p == ',' || *p == ':') && !separator
            && p + 1 < ctx->text->data + consumed)
        {
            separator = 1;
            p++;
            continue;
        }

        break;
    }

    return (size_t) (p - ctx->text->data);
}


static int
ngx_codat_json_null(void *data)
{
    ngx_codat_json_scalar(data, NGX_CODAT_JSON_NULL, sizeof("null") - 1);

    return 1;
}


static int
ngx_codat_json_boolean(void *data, int value)
{
    ngx_codat_json_scalar(data, NGX_CODAT_JSON_BOOLEAN,
                          value ? sizeof("true") - 1 : sizeof("false") - 1);
    return 1;
}


static int
ngx_codat_json_number(void *data, const char *p, size_t len)
{
    (void) p;

    ngx_codat_json_scalar(data, NGX_CODAT_JSON_NUMBER, len);

    return 1;
}


static int
ngx_codat_json_text(void *data, const u_char *p, size_t len)
{
    ngx_codat_json_ctx_t  *ctx = data;

    uintptr_t                offset;
    ngx_codat_json_value_t  *value;

    ngx_codat_json_consumed(ctx);

    value = ngx_codat_json_wanted(ctx);

    if (value == NULL) {
        return 1;
    }

    value->type = NGX_CODAT_JSON_STRING;

    offset = (uintptr_t) p - (uintptr_t) ctx->text->data;

    if ((uintptr_t) p >= (uintptr_t) ctx->text->data
        && offset < ctx->text->len)
    {
        value->text.len = len;
        value->text.data = ctx->text->data + offset;
        return 1;
    }

    if (ngx_codat_json_decode(ctx, &value->text) != NGX_OK) {
        ctx->nomem = 1;
        return 0;
    }

    return 1;
}


static int
ngx_codat_json_start_map(void *data)
{
    return ngx_codat_json_open(data, 0);
}


static int
ngx_codat_json_map_key(void *data, const u_char *key, size_t len)
{
    ngx_codat_json_ctx_t  *ctx = data;

    ngx_codat_json_frame_t       *frame;
    const ngx_codat_json_path_t  *path;

    ngx_codat_json_consumed(ctx);

    frame = &ctx->frames[ctx->depth];
    frame->path = NULL;

    if (frame->members == NULL) {
        return 1;
    }

    path = ctx->match(frame->members, key, len);

    if (path == NULL || (frame->later && (path->any & NGX_CODAT_JSON_FIRST))) {
        return 1;
    }

    ngx_codat_json_forget(ctx, path);

    frame->path = path;

    return 1;
}


static int
ngx_codat_json_end_map(void *data)
{
    ngx_codat_json_ctx_t  *ctx = data;

    ngx_uint_t                    i;
    ngx_codat_json_frame_t       *frame, *parent;
    const ngx_codat_json_path_t  *path;

    frame = ngx_codat_json_close(ctx, NGX_CODAT_JSON_OBJECT);
    parent = &ctx->frames[ctx->depth];

    if (!parent->any || frame->members == NULL) {
        return 1;
    }

    /* later elements must not touch what this one had */

    for (path = frame->members; path->key.len; path++) {
        for (i = path->slot; i < path->end; i++) {

            if (ctx->slots[i].type > NGX_CODAT_JSON_NULL
                && (ctx->locks[i] == 0 || ctx->locks[i] > ctx->depth))
            {
                ctx->locks[i] = (u_char) ctx->depth;
            }
        }
    }

    return 1;
}


static int
ngx_codat_json_start_array(void *data)
{
    return ngx_codat_json_open(data, 1);
}


static int
ngx_codat_json_end_array(void *data)
{
    (void) ngx_codat_json_close(data, NGX_CODAT_JSON_ARRAY);

    return 1;
}


static void
ngx_codat_json_consumed(ngx_codat_json_ctx_t *ctx)
{
    /* what is left for the end of the parse is a number that ends the text */

    ctx->last = ctx->finishing ? ctx->text->len
                               : yajl_get_bytes_consumed(ctx->handle);
}


static ngx_codat_json_value_t *
ngx_codat_json_wanted(ngx_codat_json_ctx_t *ctx)
{
    ngx_codat_json_frame_t       *frame;
    const ngx_codat_json_path_t  *path;

    frame = &ctx->frames[ctx->depth];

    if (frame->array) {
        frame->index++;
        return NULL;
    }

    path = frame->path;

    if (path == NULL || ctx->locks[path->slot]) {
        return NULL;
    }

    return &ctx->slots[path->slot];
}


static void
ngx_codat_json_scalar(ngx_codat_json_ctx_t *ctx, ngx_codat_json_type_e type,
    size_t len)
{
    ngx_codat_json_value_t  *value;

    ngx_codat_json_consumed(ctx);

    value = ngx_codat_json_wanted(ctx);

    if (value == NULL) {
        return;
    }

    value->type = type;
    value->text.len = len;
    value->text.data = ctx->text->data + (ctx->last - len);
}


static int
ngx_codat_json_open(ngx_codat_json_ctx_t *ctx, ngx_uint_t array)
{
    ngx_uint_t                    any, later;
    ngx_codat_json_value_t       *value;
    ngx_codat_json_frame_t       *frame;
    const ngx_codat_json_path_t  *path, *members;

    if (ctx->depth == NGX_CODAT_JSON_DEPTH) {
        ctx->reason = "nested too deeply";
        return 0;
    }

    ngx_codat_json_consumed(ctx);

    frame = &ctx->frames[ctx->depth];
    members = NULL;
    any = 0;
    later = 0;

    if (frame->array) {
        later = (frame->index != 0);

        if (!array && (!later || frame->any)) {
            members = frame->members;
        }

    } else if (frame->path) {
        path = frame->path;
        members = path->members;
        any = path->any & NGX_CODAT_JSON_ANY;
    }

    value = ngx_codat_json_wanted(ctx);

    ctx->depth++;

    frame++;
    frame->members = members;
    frame->path = NULL;
    frame->value = value;
    frame->start = ctx->last - 1;
    frame->index = 0;
    frame->array = (unsigned) array & 1;
    frame->any = (unsigned) (array && any) & 1;
    frame->later = (unsigned) later & 1;

    return 1;
}


static ngx_codat_json_frame_t *
ngx_codat_json_close(ngx_codat_json_ctx_t *ctx, ngx_codat_json_type_e type)
{
    ngx_codat_json_frame_t  *frame;

    ngx_codat_json_consumed(ctx);

    frame = &ctx->frames[ctx->depth];

    if (frame->value) {
        frame->value->type = type;
        frame->value->text.len = ctx->last - frame->start;
        frame->value->text.data = ctx->text->data + frame->start;
    }

    ctx->depth--;

    return frame;
}


/*
 * Forgets what an equal key has left, here or in a subtree, but not what
 * earlier elements of an enclosing array have.
 */

static void
ngx_codat_json_forget(ngx_codat_json_ctx_t *ctx,
    const ngx_codat_json_path_t *path)
{
    ngx_uint_t  i;

    for (i = path->slot; i < path->end; i++) {

        if (ctx->locks[i] && ctx->locks[i] < ctx->depth) {
            continue;
        }

        ctx->locks[i] = 0;
        ctx->slots[i].type = NGX_CODAT_JSON_ABSENT;
        ngx_str_null(&ctx->slots[i].text);
    }
}


static const ngx_codat_json_path_t *
ngx_codat_json_match(const ngx_codat_json_path_t *path, const u_char *key,
    size_t len)
{
    u_char  ch;
    size_t  i;

    if (len == 0) {
        return NULL;
    }

    ch = (u_char) (key[0] | 0x20);

    for ( /* void */ ; path->key.len; path++) {

        if (path->key.len != len || path->key.data[0] != ch) {
            continue;
        }

        for (i = 1; i < len; i++) {
            if (ngx_tolower(key[i]) != path->key.data[i]) {
                break;
            }
        }

        if (i == len) {
            return path;
        }
    }

    return NULL;
}


static const ngx_codat_json_path_t *
ngx_codat_json_match_name(const ngx_codat_json_path_t *path,
    const u_char *key, size_t len)
{
    return ngx_codat_json_like(&path->key, key, len) ? path : NULL;
}


/*
 * Decodes the string that ends with the last byte consumed.  yajl has
 * decoded it too, but makes invalid UTF-8 of surrogates that are not a pair.
 */

static ngx_int_t
ngx_codat_json_decode(ngx_codat_json_ctx_t *ctx, ngx_str_t *dst)
{
    u_char  *p, *last;

    last = ctx->text->data + ctx->last - 1;

    /* only quotes inside a string have a backslash before them */

    for (p = last - 1; p > ctx->text->data; p--) {
        if (*p == '"' && p[-1] != '\\') {
            break;
        }
    }

    p++;

    dst->data = ngx_pnalloc(ctx->pool, (size_t) (last - p));
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    dst->len = (size_t) (ngx_codat_json_unescape(dst->data, p, last)
                         - dst->data);

    return NGX_OK;
}


static void *
ngx_codat_json_malloc(void *data, size_t size)
{
    ngx_codat_json_arena_t  *arena = data;

    u_char  *p;
    size_t   need;

    need = NGX_CODAT_JSON_ALIGN + ngx_align(size, NGX_CODAT_JSON_ALIGN);

    if (need < size || (size_t) (arena->end - arena->pos) < need) {
        return NULL;
    }

    p = arena->pos;
    arena->pos += need;

    ngx_memcpy(p, &size, sizeof(size_t));

    return p + NGX_CODAT_JSON_ALIGN;
}


static void *
ngx_codat_json_realloc(void *data, void *old, size_t size)
{
    u_char  *p;
    size_t   len;

    p = ngx_codat_json_malloc(data, size);

    if (p == NULL || old == NULL) {
        return p;
    }

    ngx_memcpy(&len, (u_char *) old - NGX_CODAT_JSON_ALIGN, sizeof(size_t));
    ngx_memcpy(p, old, ngx_min(len, size));

    return p;
}


static void
ngx_codat_json_free(void *data, void *p)
{
    (void) data;
    (void) p;
}
