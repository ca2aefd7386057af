
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Webhooks as they come over the wire, to an nginx in this process that
 * forwards them in every format.  The input is a body; a first byte that is
 * not "{" says in which pieces it comes, whether it is chunked, and how many
 * of the next bytes are X-Codat-ClientId.  What is forwarded is JSON where it
 * has to be, and the body byte for byte where that is promised; values in
 * headers stay in their headers.
 */


#include "ngx_codat_fuzz_http.h"
#include "ngx_codat_fuzz_json.h"
#include "ngx_http_codat.h"


#define NGX_CODAT_FUZZ_FORWARDS  5


typedef struct {
    ngx_pool_t    *pool;
    ngx_str_t      body;
    ngx_uint_t     seen;                    /* forwards that came */
} ngx_codat_fuzz_webhook_t;


int LLVMFuzzerInitialize(int *argc, char ***argv);


static const char  http[] =
    "codat_zone zone=codat:256k dedupe=off;"
    "codat_format text type=application/json"
    "   '{\"text\":\"$codat_event_type: $codat_error_message\",'"
    "   '\"company\":\"${codat_company_name}\",'"
    "   '\"tag\":\"$codat_tag_region\",\"at\":\"$codat_generated_at\",'"
    "   '\"all\":\"$codat_payload\"}';"
    "codat_format plain escape=none '$codat_payload';";

static const char  server[] =
    "location = /hook {"
    "    codat_webhook zone=codat; codat_credential none;"
    "    codat_forward * /app;"
    "    codat_forward * /text format=text;"
    "    codat_forward * /plain format=plain;"
    "    codat_forward * /raw format=raw;"
    "    codat_forward * /args?c=$codat_company_id&t=$codat_event_type;"
    "    add_header X-Fuzz-Company $codat_company_name always;"
    "    add_header X-Fuzz-Type $codat_received_type always;"
    "    add_header X-Fuzz-Tag $codat_tag_region always;"
    "}"
    "location = /app   { internal; }"
    "location = /text  { internal; }"
    "location = /plain { internal; }"
    "location = /raw   { internal; }"
    "location = /args  { internal; }";


static ngx_codat_fuzz_webhook_t  fz;


static ngx_str_t
request_body(ngx_http_request_t *r)
{
    u_char       *p;
    size_t        len;
    ngx_str_t     body;
    ngx_chain_t  *cl;

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        ngx_codat_fuzz_want(ngx_buf_in_memory(cl->buf)
                            || ngx_buf_special(cl->buf));
        len += (size_t) (cl->buf->last - cl->buf->pos);
    }

    p = ngx_pnalloc(r->pool, len + 1);
    ngx_codat_fuzz_want(p != NULL);

    body.data = p;
    body.len = len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    ngx_codat_fuzz_want(r->headers_in.content_length_n == (off_t) len);

    return ngx_codat_fuzz_copy(r->pool, body.data, body.len);
}


/* "c" and "t", and nothing that came with their values */

static void
check_args(ngx_http_request_t *r)
{
    size_t      i;
    ngx_uint_t  ampersands;

    ngx_codat_fuzz_want(r->args.len >= 5);
    ngx_codat_fuzz_want(ngx_strncmp(r->args.data, "c=", 2) == 0);

    ampersands = 0;

    for (i = 0; i < r->args.len; i++) {
        ngx_codat_fuzz_want(r->args.data[i] > ' ');
        ngx_codat_fuzz_want(r->args.data[i] != '#');

        ampersands += (r->args.data[i] == '&');
    }

    ngx_codat_fuzz_want(ampersands == 1);
}


/* the application */

static ngx_int_t
application(ngx_http_request_t *r)
{
    json_t     *root, *data;
    ngx_int_t   rc;
    ngx_str_t   body;

    body = request_body(r);
    fz.seen++;

    switch (r->uri.data[1] == 'a' ? r->uri.data[2] : r->uri.data[1]) {

    case 'p':
        if (r->uri.data[1] == 'p') {

            /* control characters become spaces in variables */

            ngx_codat_fuzz_want(body.len == fz.body.len);
            break;
        }

        /* /app */

        root = ngx_codat_fuzz_json_ours(r->pool, &body);
        data = json_object_get(root, "data");

        ngx_codat_fuzz_want(json_is_object(json_object_get(data,
                                                           "payload")));
        ngx_codat_fuzz_want(memmem(body.data, body.len, fz.body.data,
                                   fz.body.len));
        json_decref(root);
        break;

    case 't':
        root = ngx_codat_fuzz_json_ours(r->pool, &body);

        ngx_codat_fuzz_want(json_object_size(root) == 5);
        ngx_codat_fuzz_want(json_is_string(json_object_get(root, "all")));

        json_decref(root);
        break;

    case 'r':
        if (r->uri.len == 5) {
            check_args(r);
            break;
        }

        /* /raw */

        ngx_codat_fuzz_want(ngx_codat_fuzz_same(&body, &fz.body));
        break;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = 0;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_send_special(r, NGX_HTTP_LAST);
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    ngx_shm_zone_t    *zone;
    ngx_codat_zone_t  *cz;

    ngx_codat_fuzz_http_init(http, server);

    ngx_codat_fuzz_http_location("/app", application);
    ngx_codat_fuzz_http_location("/text", application);
    ngx_codat_fuzz_http_location("/plain", application);
    ngx_codat_fuzz_http_location("/raw", application);
    ngx_codat_fuzz_http_location("/args", application);

    zone = ((ngx_cycle_t *) ngx_cycle)->shared_memory.part.elts;
    cz = zone[0].data;

    cz->sh->seed[0] = 1;
    cz->sh->seed[1] = 2;

    ngx_codat_fuzz_http_save();

    return 0;
}


/* no header but those that are expected */

static void
check_head(ngx_codat_fuzz_answer_t *answer)
{
    u_char       *p, *end, *last;
    const char  **name;

    static const char  *names[] = {
        "HTTP/1.1 ", "Server: ", "Date: ", "Content-Type: ",
        "Content-Length: ", "Connection: ", "Cache-Control: ",
        "X-Content-Type-Options: ", "X-Fuzz-", "Retry-After: ",
        "Transfer-Encoding: ", NULL
    };

    last = answer->head.data + answer->head.len;

    for (p = answer->head.data; p < last; p = end + 2) {
        end = memmem(p, (size_t) (last - p), CRLF, 2);
        ngx_codat_fuzz_want(end != NULL);
        ngx_codat_fuzz_want(memchr(p, LF, (size_t) (end - p)) == NULL);
        ngx_codat_fuzz_want(memchr(p, '\0', (size_t) (end - p)) == NULL);

        for (name = names; *name; name++) {
            if (strncmp((char *) p, *name, strlen(*name)) == 0) {
                break;
            }
        }

        if (*name == NULL) {
            fprintf(stderr, "a header: %.*s\n", (int) (end - p), p);
        }

        ngx_codat_fuzz_want(*name != NULL);
    }
}


NGX_CODAT_FUZZ_TARGET(webhook)
{
    u_char                   *p;
    size_t                    piece;
    json_t                   *root, *tree, *result;
    ngx_str_t                 request, client, out;
    ngx_uint_t                byte, chunked, i;
    ngx_codat_fuzz_t          in;
    ngx_codat_fuzz_answer_t   answer;

    in.pos = data;
    in.end = data + len;

    ngx_memzero(&fz, sizeof(fz));
    fz.pool = ngx_codat_fuzz_pool();

    piece = 0;
    chunked = 0;
    ngx_str_null(&client);

    if (len && data[0] != '{') {
        byte = ngx_codat_fuzz_byte(&in);
        piece = (byte & 15) * (byte & 15) * 10;
        chunked = byte & 0x80;
        client = ngx_codat_fuzz_bytes(&in, fz.pool, (byte >> 4) & 3);

        for (i = 0; i < client.len; i++) {
            if (client.data[i] < 0x20 || client.data[i] == 0x7f) {
                client.data[i] = '.';
            }
        }
    }

    fz.body = ngx_codat_fuzz_rest(&in, fz.pool);

    request.data = ngx_pnalloc(fz.pool, fz.body.len + 512);
    ngx_codat_fuzz_want(request.data != NULL);

    p = ngx_sprintf(request.data, "POST /hook HTTP/1.1" CRLF "Host: h" CRLF
                    "Connection: close" CRLF "X-Codat-ClientId: %V" CRLF,
                    &client);

    if (chunked) {
        p = ngx_sprintf(p, "Transfer-Encoding: chunked" CRLF CRLF);

        if (fz.body.len) {
            p = ngx_sprintf(p, "%xz" CRLF "%V" CRLF, fz.body.len, &fz.body);
        }

        p = ngx_sprintf(p, "0" CRLF CRLF);

    } else {
        p = ngx_sprintf(p, "Content-Length: %uz" CRLF CRLF "%V",
                        fz.body.len, &fz.body);
    }

    out = ngx_codat_fuzz_http(request.data, (size_t) (p - request.data),
                              piece, 0);

    ngx_codat_fuzz_want(ngx_codat_fuzz_http_answer(&out, 0, &answer)
                        == NGX_OK);
    ngx_codat_fuzz_want(out.len == 0);

    check_head(&answer);

    root = ngx_codat_fuzz_json_ours(fz.pool, &answer.body);
    tree = ngx_codat_fuzz_json(fz.pool, &fz.body);

    if (json_is_object(tree)) {
        result = json_object_get(root, "result");

        ngx_codat_fuzz_want(answer.status == 200);
        ngx_codat_fuzz_want(json_is_string(result));
        ngx_codat_fuzz_want(strcmp(json_string_value(result), "accepted")
                            == 0);
        ngx_codat_fuzz_want(fz.seen == NGX_CODAT_FUZZ_FORWARDS);

    } else {
        ngx_codat_fuzz_want(answer.status == 400);
        ngx_codat_fuzz_want(fz.seen == 0);
    }

    json_decref(root);
    json_decref(tree);

    ngx_codat_fuzz_http_reset();

    ngx_destroy_pool(fz.pool);
}
