
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the rules by which an event changes a row, see
 * ngx_codat_merge.h.  Each rule keeps the greatest of what was reported, in
 * an order of its own, so that neither the order of delivery nor repetition
 * matters to the result.  Allocates nothing.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_merge.h"
#include "ngx_codat_names.h"


typedef struct {
    ngx_codat_record_t         *row;
    const ngx_codat_record_t   *said;
    int64_t                     generated;      /* 0: undated */
    int64_t                     when;           /* event time */
    int64_t                     received;
    ngx_int_t                   age;            /* < 0: older than the row */
    ngx_uint_t                  result;
} ngx_codat_merge_ctx_t;


static void ngx_codat_merge_push(ngx_codat_merge_ctx_t *ctx);
static ngx_uint_t ngx_codat_merge_rank(ngx_uint_t status);
static void ngx_codat_merge_push_status(ngx_codat_merge_ctx_t *ctx);
static void ngx_codat_merge_confirmed(ngx_codat_merge_ctx_t *ctx);
static void ngx_codat_merge_connection(ngx_codat_merge_ctx_t *ctx);
static ngx_uint_t ngx_codat_merge_deleted(ngx_codat_merge_ctx_t *ctx);
static void ngx_codat_merge_link(ngx_codat_merge_ctx_t *ctx);
static void ngx_codat_merge_previous(ngx_codat_merge_ctx_t *ctx,
    ngx_uint_t status, int64_t time);
static void ngx_codat_merge_dataset(ngx_codat_merge_ctx_t *ctx);
static void ngx_codat_merge_company(ngx_codat_merge_ctx_t *ctx);
static void ngx_codat_merge_client(ngx_codat_merge_ctx_t *ctx);

static ngx_uint_t ngx_codat_merge_wins(ngx_codat_merge_ctx_t *ctx);
static void ngx_codat_merge_text(ngx_codat_merge_ctx_t *ctx, ngx_uint_t i);
static ngx_int_t ngx_codat_merge_compare(ngx_codat_merge_ctx_t *ctx,
    ngx_uint_t i);
static void ngx_codat_merge_latest(ngx_codat_merge_ctx_t *ctx, ngx_uint_t i,
    int64_t time);
static void ngx_codat_merge_earliest(ngx_codat_merge_ctx_t *ctx,
    ngx_uint_t i, int64_t time);
static void ngx_codat_merge_set_text(ngx_codat_merge_ctx_t *ctx,
    ngx_uint_t i, ngx_str_t value);
static void ngx_codat_merge_set_time(ngx_codat_merge_ctx_t *ctx,
    ngx_uint_t i, int64_t time);
static void ngx_codat_merge_set_state(ngx_codat_merge_ctx_t *ctx,
    ngx_uint_t state);
static void ngx_codat_merge_set_flags(ngx_codat_merge_ctx_t *ctx,
    ngx_uint_t flags);


ngx_uint_t
ngx_codat_merge(ngx_codat_record_t *row, const ngx_codat_record_t *said)
{
    int64_t                newest;
    ngx_codat_merge_ctx_t  ctx;

    ctx.row = row;
    ctx.said = said;
    ctx.generated = said->times[NGX_CODAT_TIME_GENERATED];
    ctx.when = said->times[NGX_CODAT_TIME_UPDATED];
    ctx.received = said->times[NGX_CODAT_TIME_SEEN];
    ctx.result = 0;
    ctx.age = 1;

    newest = row->times[NGX_CODAT_TIME_GENERATED];

    if (ctx.generated && newest && ctx.generated <= newest) {
        ctx.age = (ctx.generated < newest) ? -1 : 0;
    }

    if (ctx.age < 0) {
        ctx.result |= NGX_CODAT_MERGE_STALE;
    }

    /* whoever registers a push knows less of it than Codat */

    if (row->kind == NGX_CODAT_RECORD_PUSH
        && (said->flags & NGX_CODAT_MERGE_BY_HAND))
    {
        ctx.age = -1;
    }

    switch (row->kind) {

    case NGX_CODAT_RECORD_PUSH:
        ngx_codat_merge_push(&ctx);
        break;

    case NGX_CODAT_RECORD_CONNECTION:
        ngx_codat_merge_connection(&ctx);
        break;

    case NGX_CODAT_RECORD_DATASET:
        ngx_codat_merge_dataset(&ctx);
        break;

    case NGX_CODAT_RECORD_COMPANY:
        ngx_codat_merge_company(&ctx);
        break;

    case NGX_CODAT_RECORD_CLIENT:
        ngx_codat_merge_client(&ctx);
        break;

    default:
        return 0;
    }

    if (row->kind == NGX_CODAT_RECORD_PUSH
        && (said->flags & NGX_CODAT_MERGE_ANSWER))
    {
        newest = (ctx.result & NGX_CODAT_MERGE_CHANGED) ? ctx.when : 0;

        ngx_codat_merge_latest(&ctx, NGX_CODAT_TIME_UPDATED, newest);
        ngx_codat_merge_confirmed(&ctx);

        return ctx.result;
    }

    ngx_codat_merge_latest(&ctx, NGX_CODAT_TIME_UPDATED, ctx.when);

    return ctx.result;
}


static void
ngx_codat_merge_push(ngx_codat_merge_ctx_t *ctx)
{
    ngx_str_t   reference;
    ngx_uint_t  status;

    ngx_codat_merge_text(ctx, NGX_CODAT_TEXT_COMPANY);
    ngx_codat_merge_text(ctx, NGX_CODAT_TEXT_CONNECTION);
    ngx_codat_merge_text(ctx, NGX_CODAT_TEXT_DATA_TYPE);
    ngx_codat_merge_text(ctx, NGX_CODAT_TEXT_TYPE);
    ngx_codat_merge_text(ctx, NGX_CODAT_TEXT_RECORD);
    ngx_codat_merge_text(ctx, NGX_CODAT_TEXT_ATTACHMENT);

    /* only the application says this, and what it says last counts */

    reference = ngx_codat_record_text(ctx->said, NGX_CODAT_TEXT_REFERENCE);

    if (reference.len) {
        ngx_codat_merge_set_text(ctx, NGX_CODAT_TEXT_REFERENCE, reference);
    }

    ngx_codat_merge_earliest(ctx, NGX_CODAT_TIME_REQUESTED,
                             ctx->said->times[NGX_CODAT_TIME_REQUESTED]);
    ngx_codat_merge_latest(ctx, NGX_CODAT_TIME_GENERATED, ctx->generated);

    status = ctx->said->state;

    if (ngx_codat_merge_rank(status) == 0) {
        return;
    }

    ngx_codat_merge_set_flags(ctx, ctx->row->flags
                                   | ((ngx_uint_t) 1 << status));

    /* a Success after another final status makes the push "corrected" */

    if (status != NGX_CODAT_PUSH_SUCCESS && status != NGX_CODAT_PUSH_PENDING)
    {
        ngx_codat_merge_earliest(ctx, NGX_CODAT_TIME_DISPUTED,
                                 ctx->generated);
        ngx_codat_merge_earliest(ctx, NGX_CODAT_TIME_CONTESTED,
                                 ctx->received);
    }

    ngx_codat_merge_push_status(ctx);
}


/*
 * Legacy reports have no date, so statuses are ranked by what they are worth:
 * every other one is news beside Pending; a push that timed out at Codat may
 * still be answered by the accounting platform; and a record that exists
 * there, a Success, is never taken back.
 */

static ngx_uint_t
ngx_codat_merge_rank(ngx_uint_t status)
{
    switch (status) {

    case NGX_CODAT_PUSH_PENDING:
        return 1;

    case NGX_CODAT_PUSH_TIMED_OUT:
        return 2;

    case NGX_CODAT_PUSH_FAILED:
        return 3;

    case NGX_CODAT_PUSH_SUCCESS:
        return 4;

    default:
        return 0;
    }
}


static void
ngx_codat_merge_push_status(ngx_codat_merge_ctx_t *ctx)
{
    ngx_str_t            error;
    ngx_uint_t           status, rank, known;
    ngx_codat_record_t  *row;

    row = ctx->row;
    status = ctx->said->state;

    rank = ngx_codat_merge_rank(status);
    known = ngx_codat_merge_rank(row->state);

    if (rank < known) {

        /* a late Pending is nothing special, a late Failed is odd */

        if (status != NGX_CODAT_PUSH_PENDING) {
            ctx->result |= NGX_CODAT_MERGE_REFUSED;
        }

        return;
    }

    if (rank > known) {

        /* what belonged to the old status goes with it */

        ngx_codat_merge_set_state(ctx, status);
        ngx_str_null(&row->texts[NGX_CODAT_TEXT_ERROR]);
        row->times[NGX_CODAT_TIME_ERROR] = 0;
        row->times[NGX_CODAT_TIME_STATUS] = 0;
        row->times[NGX_CODAT_TIME_SEEN] = 0;
        row->times[NGX_CODAT_TIME_COMPLETED] = 0;
        row->times[NGX_CODAT_TIME_CONFIRMED] = 0;
    }

    ngx_codat_merge_latest(ctx, NGX_CODAT_TIME_STATUS, ctx->generated);
    ngx_codat_merge_earliest(ctx, NGX_CODAT_TIME_SEEN, ctx->received);
    ngx_codat_merge_latest(ctx, NGX_CODAT_TIME_COMPLETED,
                           ctx->said->times[NGX_CODAT_TIME_COMPLETED]);

    /* the current service reports no reasons: a newer report may have none */

    error = ngx_codat_record_text(ctx->said, NGX_CODAT_TEXT_ERROR);

    if (error.len == 0) {
        return;
    }

    if (row->texts[NGX_CODAT_TEXT_ERROR].len == 0
        || ctx->when > row->times[NGX_CODAT_TIME_ERROR]
        || (ctx->when == row->times[NGX_CODAT_TIME_ERROR]
            && ngx_codat_merge_compare(ctx, NGX_CODAT_TEXT_ERROR) > 0))
    {
        ngx_codat_merge_set_text(ctx, NGX_CODAT_TEXT_ERROR, error);
        ngx_codat_merge_set_time(ctx, NGX_CODAT_TIME_ERROR, ctx->when);
    }
}


/* asked again, Codat's API has said the same */

static void
ngx_codat_merge_confirmed(ngx_codat_merge_ctx_t *ctx)
{
    if (ctx->said->state == ctx->row->state) {
        ngx_codat_merge_latest(ctx, NGX_CODAT_TIME_CONFIRMED, ctx->received);
    }
}


static void
ngx_codat_merge_connection(ngx_codat_merge_ctx_t *ctx)
{
    ngx_uint_t           status;
    ngx_codat_record_t  *row;

    ngx_codat_merge_text(ctx, NGX_CODAT_TEXT_COMPANY);
    ngx_codat_merge_text(ctx, NGX_CODAT_TEXT_INTEGRATION);
    ngx_codat_merge_text(ctx, NGX_CODAT_TEXT_PLATFORM);
    ngx_codat_merge_text(ctx, NGX_CODAT_TEXT_SOURCE_TYPE);

    row = ctx->row;
    status = ctx->said->state;

    if (status == NGX_CODAT_CONN_UNKNOWN) {
        return;
    }

    if (ngx_codat_merge_deleted(ctx)) {

        if (status != NGX_CODAT_CONN_DELETED) {
            ctx->result |= NGX_CODAT_MERGE_REFUSED;
        }

        return;
    }

    if (ngx_codat_merge_wins(ctx)) {
        ngx_codat_merge_link(ctx);
        return;
    }

    /* it comes late, but may tell what was before */

    if (status != row->state
        && (ctx->generated > row->times[NGX_CODAT_TIME_PREVIOUS]
            || (ctx->generated == row->times[NGX_CODAT_TIME_PREVIOUS]
                && status > row->flags)))
    {
        ngx_codat_merge_previous(ctx, status, ctx->generated);
    }
}


/*
 * A deleted connection does not come back: a legacy report that says so was
 * late.  A current one has a date, and is believed if it is younger than the
 * deletion, or than its receipt where that had no date.
 */

static ngx_uint_t
ngx_codat_merge_deleted(ngx_codat_merge_ctx_t *ctx)
{
    const ngx_codat_record_t  *row;

    row = ctx->row;

    if (row->state != NGX_CODAT_CONN_DELETED) {
        return 0;
    }

    if (ctx->generated == 0) {
        return 1;
    }

    return row->times[NGX_CODAT_TIME_STATUS] == 0
           && ctx->generated < row->times[NGX_CODAT_TIME_SEEN];
}


/* Makes what is reported the present status of a connection. */

static void
ngx_codat_merge_link(ngx_codat_merge_ctx_t *ctx)
{
    int64_t              since;
    ngx_uint_t           status, before;
    ngx_codat_record_t  *row;

    row = ctx->row;
    status = ctx->said->state;

    if (status != row->state) {

        if (row->state != NGX_CODAT_CONN_UNKNOWN) {
            since = row->times[NGX_CODAT_TIME_STATUS];

            if (since == 0) {
                since = row->times[NGX_CODAT_TIME_SEEN];
            }

            ngx_codat_merge_previous(ctx, row->state, since);
        }

        ngx_codat_merge_set_state(ctx, status);
    }

    ngx_codat_merge_set_time(ctx, NGX_CODAT_TIME_STATUS, ctx->generated);
    ngx_codat_merge_set_time(ctx, NGX_CODAT_TIME_SEEN, ctx->received);
    ngx_codat_merge_latest(ctx, NGX_CODAT_TIME_GENERATED, ctx->generated);

    /* an error is of this status, and over with the next one */

    ngx_codat_merge_set_text(ctx, NGX_CODAT_TEXT_ERROR,
                             ngx_codat_record_text(ctx->said,
                                                   NGX_CODAT_TEXT_ERROR));

    /* a legacy report says what was before, which we may not have seen */

    before = ctx->said->flags;

    if (row->flags == NGX_CODAT_CONN_UNKNOWN && before != status) {
        ngx_codat_merge_set_flags(ctx, before);
    }
}


static void
ngx_codat_merge_previous(ngx_codat_merge_ctx_t *ctx, ngx_uint_t status,
    int64_t time)
{
    ngx_codat_merge_set_flags(ctx, status);
    ngx_codat_merge_set_time(ctx, NGX_CODAT_TIME_PREVIOUS, time);
}


static void
ngx_codat_merge_dataset(ngx_codat_merge_ctx_t *ctx)
{
    ngx_str_t  status, known;

    static u_char  complete[] = "complete";

    ngx_codat_merge_text(ctx, NGX_CODAT_TEXT_CONNECTION);
    ngx_codat_merge_text(ctx, NGX_CODAT_TEXT_DATA_TYPE);

    status = ngx_codat_record_text(ctx->said, NGX_CODAT_TEXT_STATUS);

    if (status.len == 0) {
        return;
    }

    /* a failed read does not undo the last good one */

    if (status.len == sizeof(complete) - 1
        && ngx_strncasecmp(status.data, complete, status.len) == 0)
    {
        ngx_codat_merge_latest(ctx, NGX_CODAT_TIME_COMPLETED, ctx->when);
    }

    if (!ngx_codat_merge_wins(ctx)) {
        return;
    }

    known = ctx->row->texts[NGX_CODAT_TEXT_STATUS];

    if (known.len != status.len
        || ngx_memcmp(known.data, status.data, status.len) != 0)
    {
        ngx_codat_merge_set_text(ctx, NGX_CODAT_TEXT_STATUS, status);
        ctx->result |= NGX_CODAT_MERGE_STATUS;
    }

    ngx_codat_merge_set_time(ctx, NGX_CODAT_TIME_STATUS, ctx->generated);
    ngx_codat_merge_set_time(ctx, NGX_CODAT_TIME_SEEN, ctx->received);
    ngx_codat_merge_latest(ctx, NGX_CODAT_TIME_GENERATED, ctx->generated);
}


static void
ngx_codat_merge_company(ngx_codat_merge_ctx_t *ctx)
{
    int64_t                    known;
    ngx_str_t                  name;
    const ngx_codat_record_t  *said;

    said = ctx->said;

    /* nearly every event names its company, so any of them can be newest */

    name = ngx_codat_record_text(said, NGX_CODAT_TEXT_NAME);
    known = ctx->row->times[NGX_CODAT_TIME_SEEN];

    if (name.len
        && (known == 0 || ctx->when > known
            || (ctx->when == known
                && ngx_codat_merge_compare(ctx, NGX_CODAT_TEXT_NAME) > 0)))
    {
        ngx_codat_merge_set_text(ctx, NGX_CODAT_TEXT_NAME, name);
        ngx_codat_merge_set_time(ctx, NGX_CODAT_TIME_SEEN, ctx->when);
    }

    ngx_codat_merge_earliest(ctx, NGX_CODAT_TIME_CREATED,
                             said->times[NGX_CODAT_TIME_CREATED]);
    ngx_codat_merge_earliest(ctx, NGX_CODAT_TIME_INITIAL_READ,
                             said->times[NGX_CODAT_TIME_INITIAL_READ]);

    /* ids are not used again: late events do not bring a company back */

    ngx_codat_merge_earliest(ctx, NGX_CODAT_TIME_DELETED,
                             said->times[NGX_CODAT_TIME_DELETED]);

    if (said->state) {
        ngx_codat_merge_set_state(ctx, said->state);
    }

    ngx_codat_merge_latest(ctx, NGX_CODAT_TIME_GENERATED, ctx->generated);
}


static void
ngx_codat_merge_client(ngx_codat_merge_ctx_t *ctx)
{
    int64_t     until;
    ngx_uint_t  state;

    ngx_codat_merge_text(ctx, NGX_CODAT_TEXT_QUOTA);

    state = ctx->said->state;

    if (state == 0) {
        return;
    }

    until = ctx->said->times[NGX_CODAT_TIME_LIMITED];

    if (!ngx_codat_merge_wins(ctx)) {
        return;
    }

    ngx_codat_merge_set_state(ctx, state);
    ngx_codat_merge_set_time(ctx, NGX_CODAT_TIME_LIMITED, until);
    ngx_codat_merge_set_time(ctx, NGX_CODAT_TIME_STATUS, ctx->generated);
    ngx_codat_merge_set_time(ctx, NGX_CODAT_TIME_SEEN, ctx->received);
    ngx_codat_merge_latest(ctx, NGX_CODAT_TIME_GENERATED, ctx->generated);
}


/*
 * Decides for statuses of which the last one counts: by date, and where dates
 * are equal, as those of many published examples are, or missing, by receipt.
 */

static ngx_uint_t
ngx_codat_merge_wins(ngx_codat_merge_ctx_t *ctx)
{
    /* with equal dates a report without any may have been received since */

    return ctx->age > 0
           || (ctx->age == 0
               && ctx->row->times[NGX_CODAT_TIME_STATUS] == ctx->generated);
}


/* What does not change: newer reports overwrite, older ones fill gaps. */

static void
ngx_codat_merge_text(ngx_codat_merge_ctx_t *ctx, ngx_uint_t i)
{
    ngx_str_t  value;

    value = ngx_codat_record_text(ctx->said, i);

    if (value.len == 0) {
        return;
    }

    if (ctx->row->texts[i].len == 0 || ctx->age >= 0) {
        ngx_codat_merge_set_text(ctx, i, value);
    }
}


/* The order of texts that have equal dates: any will do. */

static ngx_int_t
ngx_codat_merge_compare(ngx_codat_merge_ctx_t *ctx, ngx_uint_t i)
{
    ngx_str_t  said, known;

    said = ngx_codat_record_text(ctx->said, i);
    known = ctx->row->texts[i];

    if (said.len == 0 || known.len == 0) {
        return (said.len > known.len) - (said.len < known.len);
    }

    return ngx_memn2cmp(said.data, known.data, said.len, known.len);
}


static void
ngx_codat_merge_latest(ngx_codat_merge_ctx_t *ctx, ngx_uint_t i,
    int64_t time)
{
    if (time && (ctx->row->times[i] == 0 || time > ctx->row->times[i])) {
        ngx_codat_merge_set_time(ctx, i, time);
    }
}


static void
ngx_codat_merge_earliest(ngx_codat_merge_ctx_t *ctx, ngx_uint_t i,
    int64_t time)
{
    if (time && (ctx->row->times[i] == 0 || time < ctx->row->times[i])) {
        ngx_codat_merge_set_time(ctx, i, time);
    }
}


static void
ngx_codat_merge_set_text(ngx_codat_merge_ctx_t *ctx, ngx_uint_t i,
    ngx_str_t value)
{
    ngx_str_t  *known;

    known = &ctx->row->texts[i];

    if (known->len != value.len
        || (value.len
            && ngx_memcmp(known->data, value.data, value.len) != 0))
    {
        *known = value;
        ctx->result |= NGX_CODAT_MERGE_CHANGED;
    }
}


static void
ngx_codat_merge_set_time(ngx_codat_merge_ctx_t *ctx, ngx_uint_t i,
    int64_t time)
{
    if (ctx->row->times[i] != time) {
        ctx->row->times[i] = time;
        ctx->result |= NGX_CODAT_MERGE_CHANGED;
    }
}


static void
ngx_codat_merge_set_state(ngx_codat_merge_ctx_t *ctx, ngx_uint_t state)
{
    if (ctx->row->state != state) {
        ctx->row->state = state;
        ctx->result |= NGX_CODAT_MERGE_CHANGED|NGX_CODAT_MERGE_STATUS;
    }
}


static void
ngx_codat_merge_set_flags(ngx_codat_merge_ctx_t *ctx, ngx_uint_t flags)
{
    if (ctx->row->flags != flags) {
        ctx->row->flags = flags;
        ctx->result |= NGX_CODAT_MERGE_CHANGED;
    }
}
