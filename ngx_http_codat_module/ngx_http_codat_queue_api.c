
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_time.h"
#include "ngx_http_codat_answer.h"
#include "ngx_http_codat_ask.h"
#include "ngx_http_codat_deliver.h"
#include "ngx_http_codat_entry.h"
#include "ngx_http_codat_events.h"
#include "ngx_http_codat_queue_api.h"
#include "ngx_http_codat_replay.h"
#include "ngx_http_codat_status.h"


/* of one request, and of one unit of it: events, and bytes of their bodies */
#define NGX_HTTP_CODAT_QUEUE_LIMIT   1000
#define NGX_HTTP_CODAT_QUEUE_SIZE    (1024 * 1024)
#define NGX_HTTP_CODAT_QUEUE_SLICE   100
#define NGX_HTTP_CODAT_QUEUE_BYTES   (128 * 1024)

/* units of one request, each of which looks at NGX_CODAT_WORK_SCAN events */
#define NGX_HTTP_CODAT_QUEUE_UNITS   100

/* "s" and a row in hexadecimal digits */
#define NGX_HTTP_CODAT_QUEUE_CURSOR  17


typedef struct {
    ngx_codat_zone_t               *zone;
    ngx_http_codat_queue_action_e   action;
    ngx_codat_work_filter_t         filter;
    ngx_uint_t                      left;       /* events */
    ngx_uint_t                      units;
    ngx_uint_t                      count;      /* deliveries */
    uint64_t                        next;
    size_t                          size;
    ngx_array_t                     pieces;     /* ngx_str_t */
    unsigned                        single:1;
} ngx_http_codat_queue_api_t;


static ngx_int_t ngx_http_codat_queue_filter(ngx_http_request_t *r,
    ngx_http_codat_queue_api_t *api, ngx_http_codat_query_t *query,
    ngx_int_t *answer);
static ngx_int_t ngx_http_codat_queue_time(ngx_http_request_t *r,
    ngx_str_t *text, const char *name, int64_t *time, ngx_int_t *answer);
static ngx_int_t ngx_http_codat_queue_cursor(ngx_http_request_t *r,
    ngx_str_t *cursor, uint64_t *row, ngx_int_t *answer);
static ngx_int_t ngx_http_codat_queue_next(ngx_http_request_t *r,
    ngx_http_codat_queue_api_t *api);
static ngx_int_t ngx_http_codat_queue_copy(ngx_codat_work_t *work,
    ngx_codat_work_filter_t *to, const ngx_codat_work_filter_t *from);
static ngx_int_t ngx_http_codat_queue_listed(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data);
static ngx_int_t ngx_http_codat_queue_show(ngx_http_request_t *r,
    ngx_http_codat_queue_api_t *api, ngx_codat_work_list_t *list);
static ngx_int_t ngx_http_codat_queue_replay(ngx_http_request_t *r,
    ngx_http_codat_queue_api_t *api, ngx_codat_work_list_t *list);
static ngx_int_t ngx_http_codat_queue_replayed(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data);
static ngx_int_t ngx_http_codat_queue_canceled(ngx_http_request_t *r,
    ngx_codat_work_t *w, void *data);
static ngx_int_t ngx_http_codat_queue_more(ngx_http_request_t *r,
    ngx_http_codat_queue_api_t *api);
static ngx_int_t ngx_http_codat_queue_answer(ngx_http_request_t *r,
    ngx_http_codat_queue_api_t *api);
static ngx_int_t ngx_http_codat_queue_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);
static ngx_int_t ngx_http_codat_queue_unknown(ngx_http_request_t *r);
static ngx_int_t ngx_http_codat_queue_memory(ngx_http_request_t *r,
    ngx_codat_work_t *work);


ngx_http_codat_queue_action_e
ngx_http_codat_queue_action(ngx_str_t *text)
{
    u_char      *p;
    ngx_str_t    last;
    ngx_uint_t   i;

    static const struct {
        ngx_str_t                      name;
        ngx_http_codat_queue_action_e  action;
    } actions[] = {
        { ngx_string("replay"), NGX_HTTP_CODAT_QUEUE_REPLAY },
        { ngx_string("cancel"), NGX_HTTP_CODAT_QUEUE_CANCEL }
    };

    if (text->len == 0) {
        return NGX_HTTP_CODAT_QUEUE_SHOW;
    }

    last = *text;

    for (p = text->data + text->len; p > text->data; p--) {

        if (p[-1] == '/') {
            last.data = p;
            last.len = (size_t) (text->data + text->len - p);
            break;
        }
    }

    for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {

        if (last.len == actions[i].name.len
            && ngx_strncmp(last.data, actions[i].name.data, last.len) == 0)
        {
            text->len -= ngx_min(text->len, last.len + 1);
            return actions[i].action;
        }
    }

    return NGX_HTTP_CODAT_QUEUE_SHOW;
}


ngx_int_t
ngx_http_codat_queue_api(ngx_http_request_t *r,
    ngx_http_codat_queue_action_e action, ngx_str_t *id,
    ngx_http_codat_query_t *query)
{
    off_t                        row;
    ngx_int_t                    answer;
    ngx_http_codat_queue_api_t  *api;

    api = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_queue_api_t));

    if (api == NULL
        || ngx_array_init(&api->pieces, r->pool, 16, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    api->zone = ngx_http_codat_status_zone(r);
    api->action = action;
    api->single = (id->len != 0);
    api->left = ngx_min(query->limit, NGX_HTTP_CODAT_QUEUE_LIMIT);

    if (action != NGX_HTTP_CODAT_QUEUE_SHOW
        && !(query->given & NGX_HTTP_CODAT_ARG_LIMIT))
    {
        api->left = NGX_HTTP_CODAT_QUEUE_LIMIT;
    }

    if (ngx_http_codat_queue_filter(r, api, query, &answer) != NGX_OK) {
        return answer;
    }

    if (api->single) {
        api->filter.event_id = *id;

        /* of a row, unless an event has such an id */

        row = ngx_atoof(id->data, id->len);
        api->filter.id = (row == NGX_ERROR) ? 0 : (uint64_t) row;
    }

    return ngx_http_codat_queue_next(r, api);
}


/* returns NGX_OK, or NGX_DONE when *answer is to be returned */

static ngx_int_t
ngx_http_codat_queue_filter(ngx_http_request_t *r,
    ngx_http_codat_queue_api_t *api, ngx_http_codat_query_t *query,
    ngx_int_t *answer)
{
    ngx_codat_work_filter_t  *filter;

    filter = &api->filter;

    filter->type = query->event_type;
    filter->company = query->company;

    if (ngx_http_codat_events_check(r, &filter->type, answer) != NGX_OK
        || ngx_http_codat_queue_time(r, &query->from, "from", &filter->from,
                                     answer)
           != NGX_OK
        || ngx_http_codat_queue_time(r, &query->until, "until",
                                     &filter->until, answer)
           != NGX_OK
        || ngx_http_codat_queue_cursor(r, &query->after, &filter->before,
                                       answer)
           != NGX_OK)
    {
        return NGX_DONE;
    }

    if (query->state.len) {
        filter->state = ngx_codat_queued(&query->state);

        if (filter->state == NGX_CODAT_QUEUED_ANY) {
            *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_INVALID_QUERY,
                                         "the argument \"state\" is one of "
                                         "pending, blocked, delivered, dead "
                                         "and canceled");
            return NGX_DONE;
        }
    }

    if (api->action == NGX_HTTP_CODAT_QUEUE_CANCEL
        && ((filter->state == NGX_CODAT_QUEUED_ANY && !api->single)
            || filter->state == NGX_CODAT_QUEUED_DELIVERED
            || filter->state == NGX_CODAT_QUEUED_CANCELED))
    {
        *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_INVALID_QUERY,
                                         "what is canceled needs the argument "
                                         "\"state\", which is one of "
                                         "pending, blocked and dead");
        return NGX_DONE;
    }

    if (api->action == NGX_HTTP_CODAT_QUEUE_REPLAY && !api->single
        && !(query->given & (NGX_HTTP_CODAT_ARG_STATE
                             |NGX_HTTP_CODAT_ARG_EVENT_TYPE
                             |NGX_HTTP_CODAT_ARG_COMPANY
                             |NGX_HTTP_CODAT_ARG_FROM
                             |NGX_HTTP_CODAT_ARG_UNTIL)))
    {
        *answer = ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_INVALID_QUERY,
                                         "a replay needs \"state\", "
                                         "\"eventType\", \"companyId\", "
                                         "\"from\" or \"until\"");
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_queue_time(ngx_http_request_t *r, ngx_str_t *text,
    const char *name, int64_t *time, ngx_int_t *answer)
{
    if (text->len == 0 || ngx_codat_time_parse(text, time, NULL) == NGX_OK) {
        return NGX_OK;
    }

    *answer = ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_INVALID_QUERY,
                                            "the argument \"%s\" is a time "
                                            "such as 2024-08-08T17:10:34Z",
                                            name);
    return NGX_DONE;
}


static ngx_int_t
ngx_http_codat_queue_cursor(ngx_http_request_t *r, ngx_str_t *cursor,
    uint64_t *row, ngx_int_t *answer)
{
    u_char    *p;
    uint64_t   n;

    if (cursor->len == 0) {
        return NGX_OK;
    }

    n = 0;

    if (cursor->len != NGX_HTTP_CODAT_QUEUE_CURSOR
        || cursor->data[0] != 's')
    {
        goto invalid;
    }

    for (p = cursor->data + 1; p < cursor->data + cursor->len; p++) {

        if (*p >= '0' && *p <= '9') {
            n = n << 4 | (uint64_t) (*p - '0');

        } else if (*p >= 'a' && *p <= 'f') {
            n = n << 4 | (uint64_t) (*p - 'a' + 10);

        } else {
            goto invalid;
        }
    }

    if (n == 0 || n >> 63) {
        goto invalid;
    }

    *row = n;

    return NGX_OK;

invalid:

    *answer = ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_INVALID_CURSOR,
                                            "\"after\" is not the \"next\" "
                                            "of a list of events of a "
                                            "store");
    return NGX_DONE;
}


/* the next unit */

static ngx_int_t
ngx_http_codat_queue_next(ngx_http_request_t *r,
    ngx_http_codat_queue_api_t *api)
{
    ngx_uint_t                 limit;
    ngx_codat_work_list_t     *list;
    ngx_codat_work_cancel_t   *cancel;

    api->units++;

    limit = ngx_min(api->left, NGX_HTTP_CODAT_QUEUE_SLICE);

    if (api->action == NGX_HTTP_CODAT_QUEUE_CANCEL) {

        cancel = ngx_codat_work_create(NGX_CODAT_WORK_CANCEL,
                                       sizeof(ngx_codat_work_cancel_t),
                                       ngx_cycle->log);

        if (cancel == NULL
            || ngx_http_codat_queue_copy(&cancel->work, &cancel->filter,
                                         &api->filter)
               != NGX_OK)
        {
            return ngx_http_codat_queue_memory(r, cancel ? &cancel->work
                                                         : NULL);
        }

        cancel->limit = limit;
        cancel->now = ngx_codat_table_now();

        return ngx_http_codat_ask(r, api->zone, &cancel->work,
                                  ngx_http_codat_queue_canceled, api);
    }

    list = ngx_codat_work_create(NGX_CODAT_WORK_LIST,
                                 sizeof(ngx_codat_work_list_t),
                                 ngx_cycle->log);

    if (list == NULL
        || ngx_http_codat_queue_copy(&list->work, &list->filter,
                                     &api->filter)
           != NGX_OK)
    {
        return ngx_http_codat_queue_memory(r, list ? &list->work : NULL);
    }

    list->limit = limit;
    list->size = NGX_HTTP_CODAT_QUEUE_BYTES;

    return ngx_http_codat_ask(r, api->zone, &list->work,
                              ngx_http_codat_queue_listed, api);
}


static ngx_int_t
ngx_http_codat_queue_copy(ngx_codat_work_t *work,
    ngx_codat_work_filter_t *to, const ngx_codat_work_filter_t *from)
{
    *to = *from;

    if (ngx_codat_work_text(work, &to->event_id, &from->event_id) != NGX_OK
        || ngx_codat_work_text(work, &to->type, &from->type) != NGX_OK
        || ngx_codat_work_text(work, &to->company, &from->company) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_queue_listed(ngx_http_request_t *r, ngx_codat_work_t *w,
    void *data)
{
    ngx_http_codat_queue_api_t *api = data;

    ngx_codat_work_list_t  *list;

    list = (ngx_codat_work_list_t *) w;

    if (api->single && list->entries.nelts == 0) {
        return ngx_http_codat_queue_unknown(r);
    }

    api->next = list->last;
    api->left -= list->entries.nelts;

    if (api->action == NGX_HTTP_CODAT_QUEUE_SHOW) {
        return ngx_http_codat_queue_show(r, api, list);
    }

    return ngx_http_codat_queue_replay(r, api, list);
}


static ngx_int_t
ngx_http_codat_queue_show(ngx_http_request_t *r,
    ngx_http_codat_queue_api_t *api, ngx_codat_work_list_t *list)
{
    ngx_int_t                rc;
    ngx_str_t               *piece, json;
    ngx_uint_t               i;
    ngx_codat_work_entry_t  *entry;

    entry = list->entries.elts;

    for (i = 0; i < list->entries.nelts; i++) {

        rc = ngx_http_codat_entry(r, &entry[i], &json);

        if (rc == NGX_DECLINED) {
            continue;
        }

        piece = (rc == NGX_OK) ? ngx_array_push(&api->pieces) : NULL;

        if (piece == NULL) {
            return ngx_http_codat_queue_memory(r, NULL);
        }

        *piece = json;
        api->size += json.len;
    }

    return ngx_http_codat_queue_more(r, api);
}


static ngx_int_t
ngx_http_codat_queue_replay(ngx_http_request_t *r,
    ngx_http_codat_queue_api_t *api, ngx_codat_work_list_t *list)
{
    ngx_int_t                 rc;
    ngx_uint_t                i;
    ngx_codat_work_entry_t   *entry;
    ngx_codat_work_replay_t  *replay;

    replay = ngx_codat_work_create(NGX_CODAT_WORK_REPLAY,
                                   sizeof(ngx_codat_work_replay_t),
                                   ngx_cycle->log);

    if (replay == NULL
        || ngx_array_init(&replay->replayed, replay->work.pool, 16,
                          sizeof(ngx_codat_work_replayed_t))
           != NGX_OK)
    {
        return ngx_http_codat_queue_memory(r, replay ? &replay->work : NULL);
    }

    replay->now = ngx_codat_table_now();

    entry = list->entries.elts;

    for (i = 0; i < list->entries.nelts; i++) {

        rc = ngx_http_codat_replay_event(api->zone, &entry[i],
                                         api->filter.state, replay);
        if (rc == NGX_ERROR) {
            return ngx_http_codat_queue_memory(r, &replay->work);
        }

        if (rc == NGX_DECLINED && api->single) {
            ngx_codat_work_free(&replay->work);

            return ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_NO_FORWARD,
                                         "the endpoint that the event came in "
                                         "by has no codat_forward for it, or "
                                         "does not queue");
        }
    }

    if (replay->replayed.nelts == 0) {
        ngx_codat_work_free(&replay->work);
        return ngx_http_codat_queue_more(r, api);
    }

    return ngx_http_codat_ask(r, api->zone, &replay->work,
                              ngx_http_codat_queue_replayed, api);
}


static ngx_int_t
ngx_http_codat_queue_replayed(ngx_http_request_t *r, ngx_codat_work_t *w,
    void *data)
{
    ngx_http_codat_queue_api_t *api = data;

    api->count += ((ngx_codat_work_replay_t *) w)->count;

    ngx_http_codat_deliver_now(api->zone);

    return ngx_http_codat_queue_more(r, api);
}


static ngx_int_t
ngx_http_codat_queue_canceled(ngx_http_request_t *r, ngx_codat_work_t *w,
    void *data)
{
    ngx_http_codat_queue_api_t *api = data;

    ngx_codat_work_cancel_t  *cancel;

    cancel = (ngx_codat_work_cancel_t *) w;

    if (api->single && cancel->events == 0) {
        return ngx_http_codat_queue_unknown(r);
    }

    api->next = cancel->last;
    api->left -= cancel->events;
    api->count += cancel->count;

    return ngx_http_codat_queue_more(r, api);
}


/* a unit is over: another one, or the answer */

static ngx_int_t
ngx_http_codat_queue_more(ngx_http_request_t *r,
    ngx_http_codat_queue_api_t *api)
{
    if (api->next == 0
        || api->left == 0
        || api->size >= NGX_HTTP_CODAT_QUEUE_SIZE
        || api->units >= NGX_HTTP_CODAT_QUEUE_UNITS)
    {
        return ngx_http_codat_queue_answer(r, api);
    }

    api->filter.before = api->next;

    return ngx_http_codat_queue_next(r, api);
}


static ngx_int_t
ngx_http_codat_queue_answer(ngx_http_request_t *r,
    ngx_http_codat_queue_api_t *api)
{
    u_char      *p;
    ngx_str_t   *piece, body;
    ngx_uint_t   i;

    piece = api->pieces.elts;

    if (api->single && api->action == NGX_HTTP_CODAT_QUEUE_SHOW) {
        return api->pieces.nelts
               ? ngx_http_codat_queue_send(r, NGX_HTTP_OK, piece)
               : ngx_http_codat_queue_unknown(r);
    }

    body.data = ngx_pnalloc(r->pool, sizeof("{\"results\":[],\"next\":\"\"}")
                                     + api->size + api->pieces.nelts
                                     + NGX_INT_T_LEN
                                     + NGX_HTTP_CODAT_QUEUE_CURSOR);
    if (body.data == NULL) {
        return ngx_http_codat_queue_memory(r, NULL);
    }

    p = body.data;

    switch (api->action) {

    case NGX_HTTP_CODAT_QUEUE_REPLAY:
        p = ngx_sprintf(p, "{\"replayed\":%ui", api->count);
        break;

    case NGX_HTTP_CODAT_QUEUE_CANCEL:
        p = ngx_sprintf(p, "{\"canceled\":%ui", api->count);
        break;

    default: /* NGX_HTTP_CODAT_QUEUE_SHOW */
        p = ngx_sprintf(p, "{\"results\":[");

        for (i = 0; i < api->pieces.nelts; i++) {

            if (i) {
                *p++ = ',';
            }

            p = ngx_cpymem(p, piece[i].data, piece[i].len);
        }

        *p++ = ']';
    }

    if (api->next) {
        p = ngx_sprintf(p, ",\"next\":\"s%016xL\"}", api->next);

    } else {
        p = ngx_sprintf(p, ",\"next\":null}");
    }

    body.len = (size_t) (p - body.data);

    return ngx_http_codat_queue_send(r,
                          api->action == NGX_HTTP_CODAT_QUEUE_REPLAY
                              ? NGX_HTTP_ACCEPTED : NGX_HTTP_OK, &body);
}


static ngx_int_t
ngx_http_codat_queue_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    ngx_http_codat_answer_discard(r);

    if (ngx_http_codat_status_headers(r) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ngx_http_codat_answer_set(r, status, &ngx_http_codat_type_json,
                              (off_t) body->len);

    return ngx_http_codat_answer_send(r, body);
}


static ngx_int_t
ngx_http_codat_queue_unknown(ngx_http_request_t *r)
{
    return ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_NOT_FOUND,
                                         "this event is not known");
}


static ngx_int_t
ngx_http_codat_queue_memory(ngx_http_request_t *r, ngx_codat_work_t *work)
{
    if (work) {
        ngx_codat_work_free(work);
    }

    return ngx_http_codat_status_problem(r,
                                         NGX_HTTP_CODAT_STATUS_UNAVAILABLE,
                                         "out of memory");
}
