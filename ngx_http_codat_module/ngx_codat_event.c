
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the event, see ngx_codat_event.h: where each field comes
 * from in every generation of bodies.  Fields refer to the body, to static
 * memory, or to the pool where a string was escaped or a name put together.
 * Must not know where bodies come from or what becomes of events.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_event.h"
#include "ngx_codat_names.h"
#include "ngx_codat_paths.h"
#include "ngx_codat_time.h"


#define NGX_CODAT_EVENT_SOURCES  6


typedef struct {
    ngx_pool_t               *pool;
    ngx_codat_event_t        *event;
    ngx_codat_rule_e          rule;
    ngx_codat_family_e        family;
    ngx_codat_json_value_t    slots[NGX_CODAT_IN_SLOTS];
} ngx_codat_event_ctx_t;


typedef enum {
    NGX_CODAT_TAKE_STRING = 0,
    NGX_CODAT_TAKE_ID,                  /* may be a number */
    NGX_CODAT_TAKE_CONNECTION           /* may be a number; not nil */
} ngx_codat_event_take_e;


/* the first of the slots that holds something acceptable; 0 ends them */

typedef struct {
    ngx_codat_field_e         field;
    ngx_codat_event_take_e    take;
    u_char                    slots[NGX_CODAT_EVENT_SOURCES + 1];
} ngx_codat_event_source_t;


static ngx_int_t ngx_codat_event_name(ngx_codat_event_ctx_t *ctx);
static ngx_uint_t ngx_codat_event_old_keys(ngx_codat_event_ctx_t *ctx);
static ngx_codat_rule_e ngx_codat_event_shape(ngx_codat_event_ctx_t *ctx);
static ngx_int_t ngx_codat_event_rule(ngx_codat_event_ctx_t *ctx);
static void ngx_codat_event_connection_rule(ngx_codat_event_ctx_t *ctx);
static ngx_int_t ngx_codat_event_push_rule(ngx_codat_event_ctx_t *ctx);
static void ngx_codat_event_fill(ngx_codat_event_ctx_t *ctx);
static void ngx_codat_event_company(ngx_codat_event_ctx_t *ctx);
static void ngx_codat_event_connection(ngx_codat_event_ctx_t *ctx);
static void ngx_codat_event_write(ngx_codat_event_ctx_t *ctx);
static ngx_int_t ngx_codat_event_reads(ngx_codat_event_ctx_t *ctx);
static void ngx_codat_event_client(ngx_codat_event_ctx_t *ctx);
static void ngx_codat_event_rest(ngx_codat_event_ctx_t *ctx,
    ngx_str_t *client_id);
static void ngx_codat_event_take(ngx_codat_event_ctx_t *ctx,
    ngx_uint_t slot, ngx_codat_event_take_e take, ngx_str_t *value);
static void ngx_codat_event_take_value(ngx_codat_json_value_t *v,
    ngx_codat_event_take_e take, ngx_str_t *value);
static int64_t ngx_codat_event_date(ngx_codat_event_ctx_t *ctx,
    ngx_uint_t slot);


const ngx_codat_field_t  ngx_codat_fields[NGX_CODAT_FIELDS] = {
#define X(name, key, variable)  { ngx_string(key), ngx_string(variable) },
#include "ngx_codat_fields_x.h"
#undef X
};


/*
 * What means the same in every event that has it.  Keys of different
 * generations do not clash, so one order serves all.
 */

static const ngx_codat_event_source_t  ngx_codat_event_sources[] = {
    { NGX_CODAT_FIELD_CLIENT_ID, NGX_CODAT_TAKE_ID,
      { NGX_CODAT_IN_CLIENT_ID } },
    { NGX_CODAT_FIELD_COMPANY_ID, NGX_CODAT_TAKE_ID,
      { NGX_CODAT_IN_C_ID, NGX_CODAT_IN_P_COMPANY_ID,
        NGX_CODAT_IN_COMPANY_ID } },
    { NGX_CODAT_FIELD_COMPANY_NAME, NGX_CODAT_TAKE_STRING,
      { NGX_CODAT_IN_C_NAME, NGX_CODAT_IN_D_COMPANY_NAME } },
    { NGX_CODAT_FIELD_CONNECTION_ID, NGX_CODAT_TAKE_CONNECTION,
      { NGX_CODAT_IN_L_ID, NGX_CODAT_IN_P_CONNECTION,
        NGX_CODAT_IN_T_CONNECTION, NGX_CODAT_IN_DATA_CONNECTION,
        NGX_CODAT_IN_D_CONNECTION, NGX_CODAT_IN_CONNECTION } },
    { NGX_CODAT_FIELD_INTEGRATION_KEY, NGX_CODAT_TAKE_STRING,
      { NGX_CODAT_IN_L_INTEGRATION_KEY, NGX_CODAT_IN_D_PLATFORM_KEY } },
    { NGX_CODAT_FIELD_PLATFORM_NAME, NGX_CODAT_TAKE_STRING,
      { NGX_CODAT_IN_L_PLATFORM_NAME } },
    { NGX_CODAT_FIELD_SOURCE_TYPE, NGX_CODAT_TAKE_STRING,
      { NGX_CODAT_IN_L_SOURCE_TYPE, NGX_CODAT_IN_D_SOURCE_TYPE } },
    { NGX_CODAT_FIELD_DATA_TYPE, NGX_CODAT_TAKE_STRING,
      { NGX_CODAT_IN_T_DATA_TYPE, NGX_CODAT_IN_D_DATA_TYPE } },
    { NGX_CODAT_FIELD_DATA_STATUS, NGX_CODAT_TAKE_STRING,
      { NGX_CODAT_IN_T_STATUS, NGX_CODAT_IN_D_DATASET_STATUS } },
    { NGX_CODAT_FIELD_PUSH_KEY, NGX_CODAT_TAKE_ID,
      { NGX_CODAT_IN_P_PUSH_KEY, NGX_CODAT_IN_D_PUSH_KEY,
        NGX_CODAT_IN_D_PUSH_GUID } },
    { NGX_CODAT_FIELD_RECORD_ID, NGX_CODAT_TAKE_ID,
      { NGX_CODAT_IN_R_ID } },
    { NGX_CODAT_FIELD_ATTACHMENT_ID, NGX_CODAT_TAKE_ID,
      { NGX_CODAT_IN_P_ATTACHMENT_ID } },
    { NGX_CODAT_FIELD_ERROR_MESSAGE, NGX_CODAT_TAKE_STRING,
      { NGX_CODAT_IN_E_MESSAGE, NGX_CODAT_IN_E_TEXT, NGX_CODAT_IN_I_MESSAGE,
        NGX_CODAT_IN_X_MESSAGE, NGX_CODAT_IN_D_FAILURE_STAGE } },
    { NGX_CODAT_FIELD_MESSAGE, NGX_CODAT_TAKE_STRING,
      { NGX_CODAT_IN_MESSAGE } },
    { NGX_CODAT_FIELD_SYNC_ID, NGX_CODAT_TAKE_ID,
      { NGX_CODAT_IN_P_SYNC_ID, NGX_CODAT_IN_D_SYNC_ID } },
    { NGX_CODAT_FIELD_GENERATED_AT, NGX_CODAT_TAKE_STRING,
      { NGX_CODAT_IN_GENERATED } }
};


static const ngx_str_t  ngx_codat_event_unknown = ngx_string("unknown");


ngx_int_t
ngx_codat_event_parse(ngx_pool_t *pool, ngx_str_t *body, ngx_str_t *client_id,
    ngx_codat_event_t *event, ngx_codat_json_error_t *err)
{
    size_t                  i;
    ngx_int_t               rc;
    ngx_codat_event_ctx_t   ctx;

    ngx_memzero(event, sizeof(ngx_codat_event_t));

    event->payload = *body;

    rc = ngx_codat_json_select(pool, body, ngx_codat_paths, ctx.slots,
                               NGX_CODAT_IN_SLOTS, err);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx.slots[NGX_CODAT_IN_ROOT].type != NGX_CODAT_JSON_OBJECT) {

        for (i = 0; i < body->len; i++) {
            if (body->data[i] > ' ') {
                break;
            }
        }

        err->offset = i;
        err->reason = "not an object";

        return NGX_ABORT;
    }

    ctx.pool = pool;
    ctx.event = event;
    ctx.rule = NGX_CODAT_RULE_NONE;
    ctx.family = NGX_CODAT_FAMILY_OTHER;

    if (ngx_codat_event_name(&ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_codat_event_fill(&ctx);

    event->family = ctx.family;

    switch (ctx.family) {

    case NGX_CODAT_FAMILY_COMPANY:
        ngx_codat_event_company(&ctx);
        break;

    case NGX_CODAT_FAMILY_CONNECTION:
        ngx_codat_event_connection(&ctx);
        break;

    case NGX_CODAT_FAMILY_WRITE:
        ngx_codat_event_write(&ctx);
        break;

    case NGX_CODAT_FAMILY_READ:

        if (ngx_codat_event_reads(&ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        break;

    case NGX_CODAT_FAMILY_CLIENT:
        ngx_codat_event_client(&ctx);
        break;

    default:
        break;
    }

    ngx_codat_event_rest(&ctx, client_id);

    return NGX_OK;
}


/*
 * Decides which generation a body is of, and by which name the event goes.
 */

static ngx_int_t
ngx_codat_event_name(ngx_codat_event_ctx_t *ctx)
{
    ngx_str_t   rule_type, event_type, type, *fields, *name;
    ngx_uint_t  legacy, old, payload;

    static const ngx_str_t  generations[] = {
        ngx_string("current"),
        ngx_string("legacy")
    };

    ngx_str_null(&rule_type);
    ngx_str_null(&event_type);
    ngx_str_null(&type);

    ngx_codat_event_take(ctx, NGX_CODAT_IN_RULE_TYPE, NGX_CODAT_TAKE_STRING,
                         &rule_type);
    ngx_codat_event_take(ctx, NGX_CODAT_IN_EVENT_TYPE, NGX_CODAT_TAKE_STRING,
                         &event_type);
    ngx_codat_event_take(ctx, NGX_CODAT_IN_TYPE, NGX_CODAT_TAKE_STRING,
                         &type);

    payload = (ctx->slots[NGX_CODAT_IN_PAYLOAD].type
               != NGX_CODAT_JSON_ABSENT);

    old = !payload && ngx_codat_event_old_keys(ctx);

    if (rule_type.len) {
        legacy = 1;

    } else if (event_type.len || payload) {
        legacy = 0;

    } else if (old) {
        legacy = 1;

    } else {
        legacy = (type.len && ngx_strlchr(type.data, type.data + type.len,
                                          '.')
                              == NULL);
    }

    fields = ctx->event->fields;
    fields[NGX_CODAT_FIELD_GENERATION] = generations[legacy];

    name = &fields[NGX_CODAT_FIELD_EVENT_TYPE];
    *name = legacy ? rule_type : event_type;

    if (name->len == 0) {
        *name = type;
    }

    if (name->len == 0) {

        if (legacy) {
            ctx->rule = ngx_codat_event_shape(ctx);
        }

        if (ctx->rule == NGX_CODAT_RULE_NONE) {
            *name = ngx_codat_event_unknown;
            return NGX_OK;
        }

        return ngx_codat_event_rule(ctx);
    }

    fields[NGX_CODAT_FIELD_RECEIVED_TYPE] = *name;

    /* the new service sent rule alerts too, under names without spaces */

    if (legacy || old) {
        ctx->rule = ngx_codat_rule(name);

        if (ctx->rule != NGX_CODAT_RULE_NONE) {
            return ngx_codat_event_rule(ctx);
        }
    }

    return ngx_codat_event_type(ctx->pool, name, &ctx->family);
}


static ngx_uint_t
ngx_codat_event_old_keys(ngx_codat_event_ctx_t *ctx)
{
    ngx_uint_t  i;

    static const u_char  keys[] = {
        NGX_CODAT_IN_ALERT_ID,
        NGX_CODAT_IN_RULE_ID,
        NGX_CODAT_IN_CLIENT_ID,
        NGX_CODAT_IN_COMPANY_ID,
        NGX_CODAT_IN_DATA_CONNECTION,
        NGX_CODAT_IN_MESSAGE,
        NGX_CODAT_IN_DATA
    };

    for (i = 0; i < sizeof(keys); i++) {
        if (ctx->slots[keys[i]].type != NGX_CODAT_JSON_ABSENT) {
            return 1;
        }
    }

    return 0;
}


/* Some receivers tell rules apart by URL, so bodies came without a name. */

static ngx_codat_rule_e
ngx_codat_event_shape(ngx_codat_event_ctx_t *ctx)
{
    ngx_str_t  key, status, type;

    ngx_str_null(&key);
    ngx_str_null(&status);
    ngx_str_null(&type);

    ngx_codat_event_take(ctx, NGX_CODAT_IN_D_PUSH_GUID, NGX_CODAT_TAKE_ID,
                         &key);
    ngx_codat_event_take(ctx, NGX_CODAT_IN_D_PUSH_KEY, NGX_CODAT_TAKE_ID,
                         &key);
    ngx_codat_event_take(ctx, NGX_CODAT_IN_D_STATUS, NGX_CODAT_TAKE_STRING,
                         &status);
    ngx_codat_event_take(ctx, NGX_CODAT_IN_D_DATA_TYPE,
                         NGX_CODAT_TAKE_STRING, &type);

    if (key.len && status.len) {
        return NGX_CODAT_RULE_PUSH_STATUS;
    }

    if (ctx->slots[NGX_CODAT_IN_D_NEW_STATUS].type != NGX_CODAT_JSON_ABSENT
        || ctx->slots[NGX_CODAT_IN_D_OLD_STATUS].type
           != NGX_CODAT_JSON_ABSENT)
    {
        return NGX_CODAT_RULE_CONNECTION_STATUS;
    }

    if (type.len && key.len == 0) {
        return NGX_CODAT_RULE_DATA_CHANGED;
    }

    return NGX_CODAT_RULE_NONE;
}


static ngx_int_t
ngx_codat_event_rule(ngx_codat_event_ctx_t *ctx)
{
    ngx_str_t  *fields;

    fields = ctx->event->fields;

    fields[NGX_CODAT_FIELD_EVENT_TYPE] = *ngx_codat_rule_type(ctx->rule);

    switch (ctx->rule) {

    case NGX_CODAT_RULE_CONNECTION_STATUS:
        ngx_codat_event_connection_rule(ctx);
        break;

    case NGX_CODAT_RULE_CONNECTION_DELETED:
        ctx->family = NGX_CODAT_FAMILY_CONNECTION;
        break;

    case NGX_CODAT_RULE_PUSH_STATUS:
    case NGX_CODAT_RULE_PUSH_TIMED_OUT:
        ctx->family = NGX_CODAT_FAMILY_WRITE;
        return ngx_codat_event_push_rule(ctx);

    case NGX_CODAT_RULE_NEW_COMPANY:
    case NGX_CODAT_RULE_SYNC_COMPLETED:
    case NGX_CODAT_RULE_DATA_CHANGED:
    case NGX_CODAT_RULE_SYNC_ERROR:
        ctx->family = NGX_CODAT_FAMILY_READ;
        break;

    case NGX_CODAT_RULE_LIMIT_REACHED:
    case NGX_CODAT_RULE_LIMIT_RESET:
        ctx->family = NGX_CODAT_FAMILY_CLIENT;
        break;

    default:
        break;
    }

    return NGX_OK;
}


static void
ngx_codat_event_connection_rule(ngx_codat_event_ctx_t *ctx)
{
    ngx_str_t                *fields, new, old;
    ngx_codat_conn_status_e   to, from;

    static const ngx_str_t  created = ngx_string("connection.created");
    static const ngx_str_t  connected = ngx_string("connection.connected");
    static const ngx_str_t  cut = ngx_string("connection.disconnected");
    static const ngx_str_t  again = ngx_string("connection.reconnected");
    static const ngx_str_t  deleted = ngx_string("connection.deleted");
    static const ngx_str_t  changed = ngx_string("connection.changed");

    ctx->family = NGX_CODAT_FAMILY_CONNECTION;

    ngx_str_null(&new);
    ngx_str_null(&old);

    ngx_codat_event_take(ctx, NGX_CODAT_IN_D_NEW_STATUS,
                         NGX_CODAT_TAKE_STRING, &new);
    ngx_codat_event_take(ctx, NGX_CODAT_IN_D_OLD_STATUS,
                         NGX_CODAT_TAKE_STRING, &old);

    to = ngx_codat_conn_status(&new);
    from = ngx_codat_conn_status(&old);

    fields = ctx->event->fields;
    fields[NGX_CODAT_FIELD_CONNECTION_STATUS] = new;
    fields[NGX_CODAT_FIELD_PREVIOUS_STATUS] = old;
    fields[NGX_CODAT_FIELD_EVENT_TYPE] = changed;

    if (new.len == 0 && old.len == 0) {
        fields[NGX_CODAT_FIELD_EVENT_TYPE] = deleted;

    } else if (to == NGX_CODAT_CONN_PENDING_AUTH && old.len == 0) {
        fields[NGX_CODAT_FIELD_EVENT_TYPE] = created;

    } else if (to == NGX_CODAT_CONN_LINKED) {

        if (from == NGX_CODAT_CONN_PENDING_AUTH) {
            fields[NGX_CODAT_FIELD_EVENT_TYPE] = connected;

        } else if (from == NGX_CODAT_CONN_UNLINKED
                   || from == NGX_CODAT_CONN_DEAUTHORIZED)
        {
            fields[NGX_CODAT_FIELD_EVENT_TYPE] = again;
        }

    } else if (from == NGX_CODAT_CONN_LINKED
               && (to == NGX_CODAT_CONN_UNLINKED
                   || to == NGX_CODAT_CONN_DEAUTHORIZED))
    {
        fields[NGX_CODAT_FIELD_EVENT_TYPE] = cut;
    }
}


static ngx_int_t
ngx_codat_event_push_rule(ngx_codat_event_ctx_t *ctx)
{
    ngx_str_t                *fields, *status, type;
    ngx_codat_push_status_e   value;

    fields = ctx->event->fields;
    status = &fields[NGX_CODAT_FIELD_PUSH_STATUS];

    if (ctx->rule == NGX_CODAT_RULE_PUSH_TIMED_OUT) {
        value = NGX_CODAT_PUSH_TIMED_OUT;
        *status = ngx_codat_push_status_names[value];

    } else {
        ngx_codat_event_take(ctx, NGX_CODAT_IN_D_STATUS,
                             NGX_CODAT_TAKE_STRING, status);
        value = ngx_codat_push_status(status);
    }

    if (value == NGX_CODAT_PUSH_UNKNOWN) {
        return NGX_OK;
    }

    type = ngx_codat_event_unknown;

    ngx_codat_event_take(ctx, NGX_CODAT_IN_D_DATA_TYPE,
                         NGX_CODAT_TAKE_STRING, &type);

    ngx_codat_data_type(&type, 1);

    return ngx_codat_write_name(ctx->pool, &type, value,
                                &fields[NGX_CODAT_FIELD_EVENT_TYPE]);
}


static void
ngx_codat_event_fill(ngx_codat_event_ctx_t *ctx)
{
    ngx_str_t                       *fields, *value;
    ngx_uint_t                       i, n;
    const u_char                    *slot;
    const ngx_codat_event_source_t  *source;

    fields = ctx->event->fields;

    n = sizeof(ngx_codat_event_sources) / sizeof(ngx_codat_event_sources[0]);

    for (i = 0; i < n; i++) {
        source = &ngx_codat_event_sources[i];
        value = &fields[source->field];

        for (slot = source->slots; *slot && value->len == 0; slot++) {
            ngx_codat_event_take(ctx, *slot, source->take, value);
        }
    }

    ngx_codat_data_type(&fields[NGX_CODAT_FIELD_DATA_TYPE],
                        ctx->rule == NGX_CODAT_RULE_PUSH_STATUS
                        || ctx->rule == NGX_CODAT_RULE_PUSH_TIMED_OUT);

    if (ctx->slots[NGX_CODAT_IN_C_TAGS].type == NGX_CODAT_JSON_OBJECT) {
        ctx->event->tags = ctx->slots[NGX_CODAT_IN_C_TAGS].text;
    }
}


/* "company.*": the payload is the company itself */

static void
ngx_codat_event_company(ngx_codat_event_ctx_t *ctx)
{
    ngx_codat_event_take(ctx, NGX_CODAT_IN_P_ID, NGX_CODAT_TAKE_ID,
                         &ctx->event->fields[NGX_CODAT_FIELD_COMPANY_ID]);
    ngx_codat_event_take(ctx, NGX_CODAT_IN_P_NAME, NGX_CODAT_TAKE_STRING,
                         &ctx->event->fields[NGX_CODAT_FIELD_COMPANY_NAME]);

    if (ctx->slots[NGX_CODAT_IN_P_TAGS].type == NGX_CODAT_JSON_OBJECT) {
        ctx->event->tags = ctx->slots[NGX_CODAT_IN_P_TAGS].text;
    }

    ctx->event->created = ngx_codat_event_date(ctx,
                                               NGX_CODAT_IN_P_CREATED);
}


/*
 * "connection.*": the name is the fact.  The status inside is that of some
 * other moment; "connection.deleted" has been published as "Linked".
 */

static void
ngx_codat_event_connection(ngx_codat_event_ctx_t *ctx)
{
    ngx_str_t                *status, *name;
    ngx_uint_t                i;
    ngx_codat_conn_status_e   value;

    static const struct {
        ngx_str_t                name;
        ngx_codat_conn_status_e  status;
    } facts[] = {
        { ngx_string("connection.created"), NGX_CODAT_CONN_PENDING_AUTH },
        { ngx_string("connection.failed"), NGX_CODAT_CONN_PENDING_AUTH },
        { ngx_string("connection.connected"), NGX_CODAT_CONN_LINKED },
        { ngx_string("connection.reconnected"), NGX_CODAT_CONN_LINKED },
        { ngx_string("connection.disconnected"), NGX_CODAT_CONN_UNLINKED },
        { ngx_string("connection.deleted"), NGX_CODAT_CONN_DELETED }
    };

    name = &ctx->event->fields[NGX_CODAT_FIELD_EVENT_TYPE];
    status = &ctx->event->fields[NGX_CODAT_FIELD_CONNECTION_STATUS];

    /* a rule has set its own */

    if (status->len == 0) {
        ngx_codat_event_take(ctx, NGX_CODAT_IN_L_STATUS,
                             NGX_CODAT_TAKE_STRING, status);
    }

    value = ngx_codat_conn_status(status);

    for (i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {

        if (name->len != facts[i].name.len
            || ngx_memcmp(name->data, facts[i].name.data, name->len) != 0)
        {
            continue;
        }

        if (facts[i].status == NGX_CODAT_CONN_UNLINKED
            && value == NGX_CODAT_CONN_DEAUTHORIZED)
        {
            break;
        }

        *status = ngx_codat_conn_status_names[facts[i].status];
        break;
    }
}


/* "TYPE.write.OUTCOME": the payload is the push operation */

static void
ngx_codat_event_write(ngx_codat_event_ctx_t *ctx)
{
    u_char                   *dot;
    ngx_str_t                *fields, *name, *status;
    ngx_codat_push_status_e   value;

    /* a rule has set its own */

    if (ctx->rule != NGX_CODAT_RULE_NONE) {
        return;
    }

    fields = ctx->event->fields;
    name = &fields[NGX_CODAT_FIELD_EVENT_TYPE];
    status = &fields[NGX_CODAT_FIELD_PUSH_STATUS];

    ctx->event->requested = ngx_codat_event_date(ctx,
                                                 NGX_CODAT_IN_P_REQUESTED);
    ctx->event->completed = ngx_codat_event_date(ctx,
                                                 NGX_CODAT_IN_P_COMPLETED);

    dot = ngx_strlchr(name->data, name->data + name->len, '.');

    if (dot) {
        fields[NGX_CODAT_FIELD_DATA_TYPE].data = name->data;
        fields[NGX_CODAT_FIELD_DATA_TYPE].len = (size_t) (dot - name->data);
    }

    ngx_codat_event_take(ctx, NGX_CODAT_IN_P_ID, NGX_CODAT_TAKE_ID,
                         &fields[NGX_CODAT_FIELD_PUSH_KEY]);
    ngx_codat_event_take(ctx, NGX_CODAT_IN_P_TYPE, NGX_CODAT_TAKE_STRING,
                         &fields[NGX_CODAT_FIELD_PUSH_TYPE]);
    ngx_codat_event_take(ctx, NGX_CODAT_IN_P_STATUS, NGX_CODAT_TAKE_STRING,
                         status);

    if (status->len) {
        (void) ngx_codat_push_status(status);
        return;
    }

    value = ngx_codat_write_outcome(name);

    if (value != NGX_CODAT_PUSH_UNKNOWN) {
        *status = ngx_codat_push_status_names[value];
    }
}


/*
 * "read.completed": the fields have taken the first of "dataTypes".  Arrays of
 * several are rare, so only these are read once more.
 */

static ngx_int_t
ngx_codat_event_reads(ngx_codat_event_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_str_t                rest, element;
    ngx_uint_t               n;
    ngx_array_t              reads;
    ngx_codat_read_t        *read;
    ngx_codat_json_error_t   err;
    ngx_codat_json_value_t   slots[NGX_CODAT_READ_SLOTS];

    if (ctx->slots[NGX_CODAT_IN_READS].type != NGX_CODAT_JSON_ARRAY) {
        return NGX_OK;
    }

    rest = ctx->slots[NGX_CODAT_IN_READS].text;

    if (ngx_codat_json_element(&rest, &element) != NGX_OK
        || ngx_codat_json_element(&rest, &element) != NGX_OK)
    {
        return NGX_OK;
    }

    if (ngx_array_init(&reads, ctx->pool, 8, sizeof(ngx_codat_read_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rest = ctx->slots[NGX_CODAT_IN_READS].text;

    for (n = 0; n < NGX_CODAT_EVENT_READS; n++) {

        if (ngx_codat_json_element(&rest, &element) != NGX_OK) {
            break;
        }

        rc = ngx_codat_json_select(ctx->pool, &element, ngx_codat_read_paths,
                                   slots, NGX_CODAT_READ_SLOTS, &err);
        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (slots[NGX_CODAT_READ_ROOT].type != NGX_CODAT_JSON_OBJECT) {
            continue;
        }

        read = ngx_array_push(&reads);
        if (read == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(read, sizeof(ngx_codat_read_t));

        ngx_codat_event_take_value(&slots[NGX_CODAT_READ_DATA_TYPE],
                                   NGX_CODAT_TAKE_STRING, &read->data_type);
        ngx_codat_event_take_value(&slots[NGX_CODAT_READ_STATUS],
                                   NGX_CODAT_TAKE_STRING, &read->status);
        ngx_codat_event_take_value(&slots[NGX_CODAT_READ_CONNECTION],
                                   NGX_CODAT_TAKE_CONNECTION,
                                   &read->connection);

        ngx_codat_data_type(&read->data_type, 0);
    }

    ctx->event->reads = reads.elts;
    ctx->event->nreads = reads.nelts;

    return NGX_OK;
}


/* "client.rateLimit.*" */

static void
ngx_codat_event_client(ngx_codat_event_ctx_t *ctx)
{
    ngx_codat_event_t  *event;

    event = ctx->event;

    event->expiry = ngx_codat_event_date(ctx, NGX_CODAT_IN_P_EXPIRY);

    if (event->expiry == 0) {
        event->expiry = ngx_codat_event_date(ctx, NGX_CODAT_IN_D_EXPIRES);
    }

    ngx_codat_event_take(ctx, NGX_CODAT_IN_D_QUOTA, NGX_CODAT_TAKE_ID,
                         &event->quota);
    ngx_codat_event_take(ctx, NGX_CODAT_IN_P_QUOTA, NGX_CODAT_TAKE_ID,
                         &event->quota);
}


static void
ngx_codat_event_rest(ngx_codat_event_ctx_t *ctx, ngx_str_t *client_id)
{
    ngx_str_t   *fields, *id;
    ngx_uint_t   first, second;

    static const ngx_str_t  complete = ngx_string("Complete");

    fields = ctx->event->fields;

    ctx->event->client = fields[NGX_CODAT_FIELD_CLIENT_ID];

    if (client_id->len) {
        fields[NGX_CODAT_FIELD_CLIENT_ID] = *client_id;
    }

    /* "legacy" begins with the key that its generation has */

    id = &fields[NGX_CODAT_FIELD_ID];

    first = NGX_CODAT_IN_ALERT_ID;
    second = NGX_CODAT_IN_ID;

    if (fields[NGX_CODAT_FIELD_GENERATION].data[0] == 'c') {
        first = NGX_CODAT_IN_ID;
        second = NGX_CODAT_IN_ALERT_ID;
    }

    ngx_codat_event_take(ctx, second, NGX_CODAT_TAKE_ID, id);
    ngx_codat_event_take(ctx, first, NGX_CODAT_TAKE_ID, id);

    if (ctx->rule == NGX_CODAT_RULE_SYNC_COMPLETED) {
        fields[NGX_CODAT_FIELD_DATA_STATUS] = complete;
    }

    if ((ctx->rule == NGX_CODAT_RULE_SYNC_ERROR
         || ctx->rule == NGX_CODAT_RULE_PUSH_TIMED_OUT)
        && fields[NGX_CODAT_FIELD_ERROR_MESSAGE].len == 0)
    {
        fields[NGX_CODAT_FIELD_ERROR_MESSAGE] =
                                           fields[NGX_CODAT_FIELD_MESSAGE];
    }

    ctx->event->generated = ngx_codat_event_date(ctx,
                                                 NGX_CODAT_IN_GENERATED);
}


/* Returns 0 if there is no date, or one that does not exist. */

static int64_t
ngx_codat_event_date(ngx_codat_event_ctx_t *ctx, ngx_uint_t slot)
{
    int64_t    time;
    ngx_str_t  text;

    ngx_str_null(&text);

    ngx_codat_event_take(ctx, slot, NGX_CODAT_TAKE_STRING, &text);

    if (text.len == 0 || ngx_codat_time_parse(&text, &time, NULL) != NGX_OK) {
        return 0;
    }

    return time;
}


/* Sets the value if the slot holds one that will do. */

static void
ngx_codat_event_take(ngx_codat_event_ctx_t *ctx, ngx_uint_t slot,
    ngx_codat_event_take_e take, ngx_str_t *value)
{
    ngx_codat_event_take_value(&ctx->slots[slot], take, value);
}


static void
ngx_codat_event_take_value(ngx_codat_json_value_t *v,
    ngx_codat_event_take_e take, ngx_str_t *value)
{
    static const u_char  nil[] = "00000000-0000-0000-0000-000000000000";

    if (v->text.len == 0
        || (v->type != NGX_CODAT_JSON_STRING
            && (v->type != NGX_CODAT_JSON_NUMBER
                || take == NGX_CODAT_TAKE_STRING)))
    {
        return;
    }

    if (take == NGX_CODAT_TAKE_CONNECTION
        && v->text.len == sizeof(nil) - 1
        && ngx_memcmp(v->text.data, nil, sizeof(nil) - 1) == 0)
    {
        return;
    }

    *value = v->text;
}
