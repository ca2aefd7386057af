
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the translation of an event into what it says of rows, see
 * ngx_codat_facts.h.  The list lies in the caller's pool.  Must not know what
 * the rows said before.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_facts.h"
#include "ngx_codat_names.h"


typedef struct {
    const ngx_codat_event_t   *event;
    ngx_array_t               *facts;
    int64_t                    when;        /* event time */
    int64_t                    received;
    ngx_uint_t                 connections; /* where those of reads begin */
} ngx_codat_facts_ctx_t;


static ngx_int_t ngx_codat_facts_write(ngx_codat_facts_ctx_t *ctx);
static ngx_codat_push_status_e ngx_codat_facts_status(
    ngx_codat_facts_ctx_t *ctx);
static ngx_int_t ngx_codat_facts_connection(ngx_codat_facts_ctx_t *ctx);
static ngx_int_t ngx_codat_facts_reads(ngx_codat_facts_ctx_t *ctx);
static ngx_codat_read_t ngx_codat_facts_read(ngx_codat_facts_ctx_t *ctx,
    ngx_uint_t i);
static ngx_int_t ngx_codat_facts_dataset(ngx_codat_facts_ctx_t *ctx,
    const ngx_codat_read_t *read);
static ngx_int_t ngx_codat_facts_seen(ngx_codat_facts_ctx_t *ctx,
    const ngx_str_t *id);
static ngx_int_t ngx_codat_facts_company(ngx_codat_facts_ctx_t *ctx);
static ngx_int_t ngx_codat_facts_client(ngx_codat_facts_ctx_t *ctx);
static ngx_codat_record_t *ngx_codat_facts_push(ngx_codat_facts_ctx_t *ctx,
    ngx_codat_record_kind_e kind);
static ngx_str_t ngx_codat_facts_id(ngx_codat_facts_ctx_t *ctx,
    ngx_codat_field_e field);
static ngx_uint_t ngx_codat_facts_is(ngx_codat_facts_ctx_t *ctx,
    const ngx_str_t *name);
static ngx_uint_t ngx_codat_facts_initial(ngx_codat_facts_ctx_t *ctx);


ngx_int_t
ngx_codat_facts(ngx_pool_t *pool, const ngx_codat_event_t *event,
    int64_t received, ngx_array_t *facts)
{
    ngx_int_t              rc;
    ngx_codat_facts_ctx_t  ctx;

    /* a push, a connection or a dataset, and what they belong to */

    if (ngx_array_init(facts, pool, event->nreads + 3,
                       sizeof(ngx_codat_record_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx.event = event;
    ctx.facts = facts;
    ctx.when = event->generated ? event->generated : received;
    ctx.received = received;
    ctx.connections = 0;

    rc = NGX_OK;

    switch (event->family) {

    case NGX_CODAT_FAMILY_WRITE:
        rc = ngx_codat_facts_write(&ctx);
        break;

    case NGX_CODAT_FAMILY_CONNECTION:
        rc = ngx_codat_facts_connection(&ctx);
        break;

    case NGX_CODAT_FAMILY_READ:
        return ngx_codat_facts_reads(&ctx);

    case NGX_CODAT_FAMILY_CLIENT:
        rc = ngx_codat_facts_client(&ctx);
        break;

    default:
        break;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_codat_facts_company(&ctx);
}


static ngx_int_t
ngx_codat_facts_write(ngx_codat_facts_ctx_t *ctx)
{
    ngx_str_t                 key;
    const ngx_str_t          *fields;
    ngx_codat_record_t       *fact;
    const ngx_codat_event_t  *event;

    event = ctx->event;
    fields = event->fields;

    key = ngx_codat_facts_id(ctx, NGX_CODAT_FIELD_PUSH_KEY);

    if (key.len == 0) {
        return NGX_OK;
    }

    fact = ngx_codat_facts_push(ctx, NGX_CODAT_RECORD_PUSH);
    if (fact == NULL) {
        return NGX_ERROR;
    }

    fact->state = ngx_codat_facts_status(ctx);

    fact->texts[NGX_CODAT_TEXT_ID] = key;
    fact->texts[NGX_CODAT_TEXT_COMPANY] = fields[NGX_CODAT_FIELD_COMPANY_ID];
    fact->texts[NGX_CODAT_TEXT_CONNECTION] =
                                       fields[NGX_CODAT_FIELD_CONNECTION_ID];
    fact->texts[NGX_CODAT_TEXT_DATA_TYPE] = fields[NGX_CODAT_FIELD_DATA_TYPE];
    fact->texts[NGX_CODAT_TEXT_TYPE] = fields[NGX_CODAT_FIELD_PUSH_TYPE];
    fact->texts[NGX_CODAT_TEXT_RECORD] = fields[NGX_CODAT_FIELD_RECORD_ID];
    fact->texts[NGX_CODAT_TEXT_ATTACHMENT] =
                                       fields[NGX_CODAT_FIELD_ATTACHMENT_ID];
    fact->texts[NGX_CODAT_TEXT_ERROR] = fields[NGX_CODAT_FIELD_ERROR_MESSAGE];

    fact->times[NGX_CODAT_TIME_GENERATED] = event->generated;
    fact->times[NGX_CODAT_TIME_REQUESTED] = event->requested;
    fact->times[NGX_CODAT_TIME_COMPLETED] = event->completed;

    return NGX_OK;
}


/* the name is the fact: the status inside may only say how it failed */

static ngx_codat_push_status_e
ngx_codat_facts_status(ngx_codat_facts_ctx_t *ctx)
{
    ngx_str_t                 name, text;
    ngx_codat_push_status_e   outcome, status;

    text = ctx->event->fields[NGX_CODAT_FIELD_PUSH_STATUS];
    status = ngx_codat_push_status(&text);

    name = ctx->event->fields[NGX_CODAT_FIELD_EVENT_TYPE];
    outcome = ngx_codat_write_outcome(&name);

    if (outcome == NGX_CODAT_PUSH_UNKNOWN
        || (outcome == NGX_CODAT_PUSH_FAILED
            && status == NGX_CODAT_PUSH_TIMED_OUT))
    {
        return status;
    }

    return outcome;
}


static ngx_int_t
ngx_codat_facts_connection(ngx_codat_facts_ctx_t *ctx)
{
    ngx_str_t            id, status;
    const ngx_str_t     *fields;
    ngx_codat_record_t  *fact;

    fields = ctx->event->fields;

    id = ngx_codat_facts_id(ctx, NGX_CODAT_FIELD_CONNECTION_ID);

    if (id.len == 0) {
        return NGX_OK;
    }

    fact = ngx_codat_facts_push(ctx, NGX_CODAT_RECORD_CONNECTION);
    if (fact == NULL) {
        return NGX_ERROR;
    }

    status = fields[NGX_CODAT_FIELD_CONNECTION_STATUS];

    fact->state = ngx_codat_conn_status(&status);

    status = fields[NGX_CODAT_FIELD_PREVIOUS_STATUS];

    fact->flags = ngx_codat_conn_status(&status);

    fact->texts[NGX_CODAT_TEXT_ID] = id;
    fact->texts[NGX_CODAT_TEXT_COMPANY] = fields[NGX_CODAT_FIELD_COMPANY_ID];
    fact->texts[NGX_CODAT_TEXT_INTEGRATION] =
                                     fields[NGX_CODAT_FIELD_INTEGRATION_KEY];
    fact->texts[NGX_CODAT_TEXT_PLATFORM] =
                                       fields[NGX_CODAT_FIELD_PLATFORM_NAME];
    fact->texts[NGX_CODAT_TEXT_SOURCE_TYPE] =
                                         fields[NGX_CODAT_FIELD_SOURCE_TYPE];
    fact->texts[NGX_CODAT_TEXT_ERROR] = fields[NGX_CODAT_FIELD_ERROR_MESSAGE];

    fact->times[NGX_CODAT_TIME_GENERATED] = ctx->event->generated;

    return NGX_OK;
}


static ngx_int_t
ngx_codat_facts_reads(ngx_codat_facts_ctx_t *ctx)
{
    ngx_uint_t        i, n, first;
    ngx_codat_read_t  read;

    n = ctx->event->nreads ? ctx->event->nreads : 1;

    for (i = 0; i < n; i++) {
        read = ngx_codat_facts_read(ctx, i);

        if (ngx_codat_facts_dataset(ctx, &read) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    /* without any dataset the event is about the company */

    first = ctx->facts->nelts;

    if (first == 0 && ngx_codat_facts_company(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->connections = ctx->facts->nelts;

    for (i = 0; i < n; i++) {
        read = ngx_codat_facts_read(ctx, i);

        if (ngx_codat_facts_seen(ctx, &read.connection) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return first ? ngx_codat_facts_company(ctx) : NGX_OK;
}


static ngx_codat_read_t
ngx_codat_facts_read(ngx_codat_facts_ctx_t *ctx, ngx_uint_t i)
{
    ngx_str_t          connection;
    const ngx_str_t   *fields;
    ngx_codat_read_t   read;

    fields = ctx->event->fields;
    connection = ngx_codat_facts_id(ctx, NGX_CODAT_FIELD_CONNECTION_ID);

    if (ctx->event->nreads == 0) {
        read.data_type = fields[NGX_CODAT_FIELD_DATA_TYPE];
        read.status = fields[NGX_CODAT_FIELD_DATA_STATUS];
        read.connection = connection;

        return read;
    }

    read = ctx->event->reads[i];

    if (read.connection.len == 0) {
        read.connection = connection;

    } else if (read.connection.len > NGX_CODAT_ID_MAX) {
        ngx_str_null(&read.connection);
    }

    return read;
}


static ngx_int_t
ngx_codat_facts_dataset(ngx_codat_facts_ctx_t *ctx,
    const ngx_codat_read_t *read)
{
    ngx_codat_record_t  *fact;

    if (read->connection.len == 0 || read->data_type.len == 0) {
        return NGX_OK;
    }

    fact = ngx_codat_facts_push(ctx, NGX_CODAT_RECORD_DATASET);
    if (fact == NULL) {
        return NGX_ERROR;
    }

    fact->texts[NGX_CODAT_TEXT_CONNECTION] = read->connection;
    fact->texts[NGX_CODAT_TEXT_DATA_TYPE] = read->data_type;
    fact->texts[NGX_CODAT_TEXT_STATUS] = read->status;

    fact->times[NGX_CODAT_TIME_GENERATED] = ctx->event->generated;

    return NGX_OK;
}


/* A connection that was read exists; of its status this says nothing. */

static ngx_int_t
ngx_codat_facts_seen(ngx_codat_facts_ctx_t *ctx, const ngx_str_t *id)
{
    ngx_str_t           *known;
    ngx_uint_t           i;
    ngx_codat_record_t  *fact;

    if (id->len == 0) {
        return NGX_OK;
    }

    fact = ctx->facts->elts;

    /* it is the last one nearly always */

    for (i = ctx->facts->nelts; i > ctx->connections; i--) {
        known = &fact[i - 1].texts[NGX_CODAT_TEXT_ID];

        if (known->len == id->len
            && ngx_memcmp(known->data, id->data, id->len) == 0)
        {
            return NGX_OK;
        }
    }

    if (ctx->facts->nelts - ctx->connections == NGX_CODAT_FACTS_CONNECTIONS) {
        return NGX_OK;
    }

    fact = ngx_codat_facts_push(ctx, NGX_CODAT_RECORD_CONNECTION);
    if (fact == NULL) {
        return NGX_ERROR;
    }

    fact->texts[NGX_CODAT_TEXT_ID] = *id;
    fact->texts[NGX_CODAT_TEXT_COMPANY] =
                             ctx->event->fields[NGX_CODAT_FIELD_COMPANY_ID];

    return NGX_OK;
}


static ngx_int_t
ngx_codat_facts_company(ngx_codat_facts_ctx_t *ctx)
{
    ngx_str_t                 id;
    ngx_codat_record_t       *fact;
    const ngx_codat_event_t  *event;

    static const ngx_str_t  created = ngx_string("company.created");
    static const ngx_str_t  deleted = ngx_string("company.deleted");

    event = ctx->event;

    id = ngx_codat_facts_id(ctx, NGX_CODAT_FIELD_COMPANY_ID);

    if (id.len == 0) {
        return NGX_OK;
    }

    fact = ngx_codat_facts_push(ctx, NGX_CODAT_RECORD_COMPANY);
    if (fact == NULL) {
        return NGX_ERROR;
    }

    fact->texts[NGX_CODAT_TEXT_ID] = id;
    fact->texts[NGX_CODAT_TEXT_NAME] =
                                   event->fields[NGX_CODAT_FIELD_COMPANY_NAME];

    if (event->family == NGX_CODAT_FAMILY_READ) {

        if (ngx_codat_facts_initial(ctx)) {
            fact->times[NGX_CODAT_TIME_INITIAL_READ] = ctx->when;
        }

        return NGX_OK;
    }

    if (event->family != NGX_CODAT_FAMILY_COMPANY) {
        return NGX_OK;
    }

    fact->times[NGX_CODAT_TIME_GENERATED] = event->generated;
    fact->times[NGX_CODAT_TIME_CREATED] = event->created;

    if (ngx_codat_facts_is(ctx, &deleted)) {
        fact->state = 1;
        fact->times[NGX_CODAT_TIME_DELETED] = ctx->when;

    } else if (event->created == 0 && ngx_codat_facts_is(ctx, &created)) {
        fact->times[NGX_CODAT_TIME_CREATED] = ctx->when;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_facts_client(ngx_codat_facts_ctx_t *ctx)
{
    size_t                    i;
    const ngx_str_t          *quota;
    ngx_codat_record_t       *fact;
    const ngx_codat_event_t  *event;

    static const ngx_str_t  reached = ngx_string("client.rateLimit.reached");

    event = ctx->event;

    fact = ngx_codat_facts_push(ctx, NGX_CODAT_RECORD_CLIENT);
    if (fact == NULL) {
        return NGX_ERROR;
    }

    fact->state = ngx_codat_facts_is(ctx, &reached) ? 1 : 2;

    fact->texts[NGX_CODAT_TEXT_ID] =
                             ngx_codat_facts_id(ctx, NGX_CODAT_FIELD_CLIENT_ID);

    fact->times[NGX_CODAT_TIME_GENERATED] = event->generated;
    fact->times[NGX_CODAT_TIME_LIMITED] = event->expiry;

    /* it is shown as a number, so it has to be one */

    quota = &event->quota;

    for (i = 0; i < quota->len; i++) {
        if (quota->data[i] < '0' || quota->data[i] > '9') {
            return NGX_OK;
        }
    }

    if (quota->len && (quota->data[0] != '0' || quota->len == 1)) {
        fact->texts[NGX_CODAT_TEXT_QUOTA] = *quota;
    }

    return NGX_OK;
}


static ngx_codat_record_t *
ngx_codat_facts_push(ngx_codat_facts_ctx_t *ctx, ngx_codat_record_kind_e kind)
{
    ngx_codat_record_t  *fact;

    fact = ngx_array_push(ctx->facts);

    if (fact) {
        ngx_memzero(fact, sizeof(ngx_codat_record_t));

        fact->kind = kind;
        fact->times[NGX_CODAT_TIME_UPDATED] = ctx->when;
        fact->times[NGX_CODAT_TIME_SEEN] = ctx->received;
    }

    return fact;
}


/* An id that is too long to be remembered is none. */

static ngx_str_t
ngx_codat_facts_id(ngx_codat_facts_ctx_t *ctx, ngx_codat_field_e field)
{
    ngx_str_t  id;

    id = ctx->event->fields[field];

    if (id.len > NGX_CODAT_ID_MAX) {
        ngx_str_null(&id);
    }

    return id;
}


static ngx_uint_t
ngx_codat_facts_is(ngx_codat_facts_ctx_t *ctx, const ngx_str_t *name)
{
    const ngx_str_t  *type;

    type = &ctx->event->fields[NGX_CODAT_FIELD_EVENT_TYPE];

    return type->len == name->len
           && ngx_memcmp(type->data, name->data, name->len) == 0;
}


/* "read.completed.initial" and its like, of custom products in any case */

static ngx_uint_t
ngx_codat_facts_initial(ngx_codat_facts_ctx_t *ctx)
{
    size_t            len;
    const ngx_str_t  *type;

    static u_char  initial[] = ".initial";

    len = sizeof(initial) - 1;
    type = &ctx->event->fields[NGX_CODAT_FIELD_EVENT_TYPE];

    return type->len > len
           && ngx_strncasecmp(type->data + type->len - len, initial, len)
              == 0;
}
