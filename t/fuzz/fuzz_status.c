
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The status API as clients reach it: requests as they come over the wire,
 * a NUL between them, each over a connection of its own, to an nginx in this
 * process.  Before them one byte: in which pieces they arrive and answers
 * leave.  Every answer has to be one: JSON where it says so; what was PUT can
 * be got, what was DELETEd can't; a list goes on at its cursor.
 */


#include "ngx_codat_fuzz_http.h"
#include "ngx_codat_fuzz_json.h"
#include "ngx_http_codat.h"


#define NGX_CODAT_FUZZ_REQUESTS  8


typedef struct {
    ngx_pool_t               *pool;
    size_t                    piece;
    size_t                    window;
    ngx_str_t                 method;
    ngx_str_t                 target;           /* of the request line */
} ngx_codat_fuzz_status_t;


int LLVMFuzzerInitialize(int *argc, char ***argv);


static const char  http[] =
    "codat_zone zone=codat:256k; codat_zone zone=empty:128k;";

static const char  server[] =
    "location = /hook { codat_webhook zone=codat; codat_credential none; }"
    "location /codat/ { codat_status zone=codat; codat_wait 60s; }"
    "location /empty/ { codat_status zone=empty; }";


/* what the zone has before the first request: some of each kind */

#define uuid(n)  "3c5d0f7e-84b1-4e6a-9f23-0a7be1d4c86" #n
#define common   "\"referenceCompany\":{\"id\":\"" uuid(0) "\","            \
                 "\"name\":\"Finch \\u0026 Orchard\"}"

static const char  *events[] = {
    "{\"id\":\"a\",\"eventType\":\"invoices.write.successful\",\"payload\":"
    "{\"id\":\"" uuid(1) "\",\"status\":\"Success\",\"connectionId\":\""
    uuid(2) "\",\"record\":{\"id\":\"inv_1\"}," common "}}",
    "{\"id\":\"b\",\"eventType\":\"bills.write.unsuccessful\",\"payload\":"
    "{\"id\":\"key/2\",\"status\":\"Failed\",\"connectionId\":\"" uuid(2)
    "\"," common "}}",
    "{\"id\":\"c\",\"eventType\":\"connection.connected\",\"payload\":"
    "{\"connection\":{\"id\":\"" uuid(2) "\",\"status\":\"Linked\"},"
    common "}}",
    "{\"id\":\"d\",\"eventType\":\"read.completed\",\"payload\":"
    "{\"dataTypes\":[{\"dataType\":\"invoices\",\"connectionId\":\"" uuid(2)
    "\",\"status\":\"Complete\"},{\"dataType\":\"bills\",\"connectionId\":\""
    uuid(3) "\",\"status\":\"FetchError\"}]," common "}}",
    "{\"id\":\"e\",\"eventType\":\"client.rateLimit.reached\",\"payload\":"
    "{\"dailyQuota\":1000,\"expiryDate\":\"2999-01-01T00:00:00Z\"}}",
    NULL
};


static ngx_str_t
exchange(ngx_codat_fuzz_status_t *fz, const ngx_str_t *request)
{
    ngx_str_t  out;

    out = ngx_codat_fuzz_http(request->data, request->len, fz->piece,
                              fz->window);

    return ngx_codat_fuzz_copy(fz->pool, out.data, out.len);
}


/* a request of our own, answered */

static void
ask(ngx_codat_fuzz_status_t *fz, const char *method, const ngx_str_t *target,
    const char *more, const ngx_str_t *body, ngx_codat_fuzz_answer_t *answer)
{
    ngx_str_t  request, out;

    request.data = ngx_pnalloc(fz->pool, target->len + body->len
                                         + strlen(more) + 256);
    ngx_codat_fuzz_want(request.data != NULL);

    request.len = (size_t) (ngx_sprintf(request.data,
                                        "%s %V%s HTTP/1.1" CRLF
                                        "Host: h" CRLF
                                        "Connection: close" CRLF
                                        "Content-Length: %uz" CRLF CRLF "%V",
                                        method, target, more, body->len, body)
                            - request.data);

    out = exchange(fz, &request);

    ngx_codat_fuzz_want(ngx_codat_fuzz_http_answer(&out, 0, answer)
                        == NGX_OK);
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    ngx_str_t                 target, body;
    ngx_uint_t                i;
    ngx_shm_zone_t           *zone;
    ngx_codat_zone_t         *cz;
    ngx_codat_fuzz_answer_t   answer;
    ngx_codat_fuzz_status_t   fz;

    ngx_codat_fuzz_http_init(http, server);

    /* the same for each run */

    zone = ((ngx_cycle_t *) ngx_cycle)->shared_memory.part.elts;

    for (i = 0; i < ngx_cycle->shared_memory.part.nelts; i++) {
        if (zone[i].tag == &ngx_http_codat_module) {
            cz = zone[i].data;
            cz->sh->seed[0] = 1;
            cz->sh->seed[1] = 2;
            cz->sh->id = 0x1234abcd;
        }
    }

    ngx_memzero(&fz, sizeof(fz));
    fz.pool = ngx_codat_fuzz_pool();

    ngx_str_set(&target, "/hook");

    for (i = 0; events[i]; i++) {
        body.data = (u_char *) (uintptr_t) events[i];
        body.len = strlen(events[i]);

        ask(&fz, "POST", &target, "", &body, &answer);
        ngx_codat_fuzz_want(answer.status == 200);
    }

    ngx_str_set(&target, "/codat/pushes/mine");
    ngx_str_set(&body, "{\"reference\":\"expense-17\"}");

    ask(&fz, "PUT", &target, "", &body, &answer);
    ngx_codat_fuzz_want(answer.status == 201);

    ngx_destroy_pool(fz.pool);

    ngx_codat_fuzz_http_save();

    return 0;
}


static void
request_line(ngx_codat_fuzz_status_t *fz, const ngx_str_t *request)
{
    u_char  *p, *end, *last;

    ngx_str_null(&fz->method);
    ngx_str_null(&fz->target);

    p = request->data;
    last = p + request->len;

    /* nginx skips line feeds before it */

    while (p < last && (*p == CR || *p == LF)) {
        p++;
    }

    end = memchr(p, ' ', (size_t) (last - p));

    if (end == NULL) {
        return;
    }

    fz->method.data = p;
    fz->method.len = (size_t) (end - p);

    for (p = end; p < last && *p == ' '; p++) { /* void */ }

    for (end = p; end < last && *end != ' ' && *end != CR && *end != LF;
         end++)
    {
        /* void */
    }

    fz->target.data = p;
    fz->target.len = (size_t) (end - p);
}


static ngx_uint_t
method_is(ngx_codat_fuzz_status_t *fz, const char *method)
{
    return fz->method.len == strlen(method)
           && memcmp(fz->method.data, method, fz->method.len) == 0;
}


static ngx_uint_t
has_args(ngx_codat_fuzz_status_t *fz)
{
    return memchr(fz->target.data, '?', fz->target.len) != NULL;
}


/* what is true of every answer; the JSON, or NULL if it has none */

static json_t *
check_answer(ngx_codat_fuzz_status_t *fz, ngx_codat_fuzz_answer_t *answer)
{
    json_t     *root, *status;
    ngx_str_t   type;

    static const char  problem[] = "application/problem+json";

    ngx_codat_fuzz_want(answer->status >= 200);
    ngx_codat_fuzz_want(answer->status < 500 || answer->status == 501
                        || answer->status == 503 || answer->status == 505);

    type = ngx_codat_fuzz_http_header(answer, "Content-Type");

    if (method_is(fz, "HEAD") || answer->body.len == 0
        || type.len < 16
        || memmem(type.data, type.len, "json", 4) == NULL)
    {
        return NULL;
    }

    root = ngx_codat_fuzz_json_ours(fz->pool, &answer->body);
    ngx_codat_fuzz_want(json_is_object(root));

    ngx_codat_fuzz_want((answer->status >= 400)
                        == (type.len == sizeof(problem) - 1
                            && memcmp(type.data, problem, type.len) == 0));

    if (answer->status >= 400) {
        status = json_object_get(root, "status");

        ngx_codat_fuzz_want(json_integer_value(status)
                            == (json_int_t) answer->status);
        ngx_codat_fuzz_want(json_is_string(json_object_get(root, "code")));
        ngx_codat_fuzz_want(json_is_string(json_object_get(root, "detail")));
    }

    return root;
}


/* the list goes on, with rows that have not been there */

static void
check_list(ngx_codat_fuzz_status_t *fz, json_t *root)
{
    char                      more[128];
    json_t                   *next, *results;
    ngx_str_t                 none;
    const char               *cursor;
    ngx_codat_fuzz_answer_t   answer;

    results = json_object_get(root, "results");
    next = json_object_get(root, "next");

    if (results == NULL && next == NULL) {
        return;
    }

    ngx_codat_fuzz_want(json_is_array(results));
    ngx_codat_fuzz_want(json_is_null(next) || json_is_string(next));

    if (json_is_null(next)
        || memmem(fz->target.data, fz->target.len, "after", 5)
        || memchr(fz->target.data, '%', fz->target.len)
        || memchr(fz->target.data, '#', fz->target.len))
    {
        return;
    }

    ngx_codat_fuzz_want(json_array_size(results) > 0);

    cursor = json_string_value(next);
    ngx_codat_fuzz_want(strlen(cursor) < 64);

    (void) snprintf(more, sizeof(more), "%cafter=%s",
                    has_args(fz) ? '&' : '?', cursor);

    ngx_str_null(&none);
    none.data = (u_char *) more;

    ask(fz, "GET", &fz->target, more, &none, &answer);
    ngx_codat_fuzz_want(answer.status == 200);

    next = ngx_codat_fuzz_json_ours(fz->pool, &answer.body);

    ngx_codat_fuzz_want(json_is_array(json_object_get(next, "results")));
    ngx_codat_fuzz_want(json_array_size(results) == 0
                        || !json_equal(json_object_get(next, "results"),
                                       results));
    json_decref(next);
}


static void
check_request(ngx_codat_fuzz_status_t *fz, const ngx_str_t *request)
{
    json_t                   *root, *again;
    ngx_str_t                 out, none;
    ngx_codat_fuzz_answer_t   answer, second;

    request_line(fz, request);

    out = exchange(fz, request);

    if (ngx_codat_fuzz_http_answer(&out, method_is(fz, "HEAD"), &answer)
        != NGX_OK)
    {
        return;
    }

    root = check_answer(fz, &answer);

    none.data = fz->target.data;
    none.len = 0;

    /* only the first answer: more requests behind it may change the rows */

    if (out.len || memchr(fz->target.data, '#', fz->target.len)) {
        json_decref(root);
        return;
    }

    if (method_is(fz, "GET") && answer.status == 200 && root) {
        check_list(fz, root);
    }

    if (method_is(fz, "PUT")
        && (answer.status == 200 || answer.status == 201))
    {
        ask(fz, "GET", &fz->target, "", &none, &second);
        ngx_codat_fuzz_want(second.status == 200);

        again = ngx_codat_fuzz_json_ours(fz->pool, &second.body);
        ngx_codat_fuzz_want(json_equal(root, again));
        json_decref(again);
    }

    if (method_is(fz, "DELETE") && answer.status == 204) {
        ask(fz, "GET", &fz->target, "", &none, &second);
        ngx_codat_fuzz_want(second.status == 404);
    }

    json_decref(root);
}


NGX_CODAT_FUZZ_TARGET(status)
{
    ngx_str_t                request;
    ngx_uint_t               n, byte;
    ngx_codat_fuzz_t         in;
    ngx_codat_fuzz_status_t  fz;

    in.pos = data;
    in.end = data + len;

    ngx_memzero(&fz, sizeof(fz));

    fz.pool = ngx_codat_fuzz_pool();

    /* text may begin with the request, so that nothing need be put before */

    if (len && (data[0] < 'A' || data[0] > 'Z')) {
        byte = ngx_codat_fuzz_byte(&in);
        fz.piece = (byte & 7) * (byte & 7) * 5;
        fz.window = (byte >> 5) * (byte >> 5) * 100;
    }

    for (n = 0; n < NGX_CODAT_FUZZ_REQUESTS && in.pos < in.end; n++) {
        request = ngx_codat_fuzz_text(&in, fz.pool);
        check_request(&fz, &request);
    }

    ngx_codat_fuzz_http_reset();

    ngx_destroy_pool(fz.pool);
}
