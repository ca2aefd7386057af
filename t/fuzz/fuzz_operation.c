
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Push operations of Codat's API as they pass by: what is read does not
 * depend on where pieces end, nor on whether they were compressed; of JSON
 * the second parser reads the same key; and the text that is completed is
 * JSON again, with the new status.
 */


#include "ngx_codat_fuzz_json.h"
#include "ngx_codat_inflate.h"
#include "ngx_codat_names.h"
#include "ngx_codat_operation.h"
#include "ngx_codat_operation_json.h"

#include <zlib.h>


typedef struct {
    ngx_int_t               rc;
    ngx_codat_operation_t   operation;
    ngx_codat_record_t      push;
} ngx_codat_fuzz_read_t;


static void
end(ngx_codat_fuzz_read_t *read)
{
    ngx_memzero(&read->push, sizeof(ngx_codat_record_t));
    read->rc = ngx_codat_operation_end(&read->operation, &read->push);
}


static void
in_pieces(ngx_codat_fuzz_read_t *read, const ngx_str_t *text, size_t piece)
{
    size_t  done, n;

    ngx_codat_operation_init(&read->operation);

    for (done = 0; done < text->len; done += n) {
        n = ngx_min(piece, text->len - done);
        ngx_codat_operation_read(&read->operation, text->data + done, n);
    }

    end(read);
}


static void
inflated(void *data, const u_char *p, size_t len)
{
    ngx_codat_fuzz_read_t *read = data;

    ngx_codat_operation_read(&read->operation, p, len);
}


static void
compressed(ngx_pool_t *pool, ngx_codat_fuzz_read_t *read,
    const ngx_str_t *text, size_t piece)
{
    size_t                done, n;
    z_stream              stream;
    ngx_str_t             zipped;
    ngx_codat_inflate_t  *z;

    ngx_memzero(&stream, sizeof(z_stream));
    ngx_codat_fuzz_want(deflateInit2(&stream, 1, Z_DEFLATED, MAX_WBITS + 16,
                                     8, Z_DEFAULT_STRATEGY) == Z_OK);

    zipped.len = deflateBound(&stream, text->len);
    zipped.data = ngx_pnalloc(pool, zipped.len);
    ngx_codat_fuzz_want(zipped.data != NULL);

    stream.next_in = text->data;
    stream.avail_in = (u_int) text->len;
    stream.next_out = zipped.data;
    stream.avail_out = (u_int) zipped.len;

    ngx_codat_fuzz_want(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    zipped.len -= stream.avail_out;
    ngx_codat_fuzz_want(deflateEnd(&stream) == Z_OK);

    ngx_codat_operation_init(&read->operation);

    z = ngx_codat_inflate_create(pool);
    ngx_codat_fuzz_want(z != NULL);

    for (done = 0; done < zipped.len; done += n) {
        n = ngx_min(piece, zipped.len - done);
        ngx_codat_fuzz_want(ngx_codat_inflate_read(z, zipped.data + done, n,
                                                   inflated, read)
                            == NGX_OK);
    }

    end(read);
}


static void
check_same(ngx_codat_fuzz_read_t *one, ngx_codat_fuzz_read_t *two)
{
    ngx_uint_t  i;

    ngx_codat_fuzz_want(one->rc == two->rc);

    if (one->rc == NGX_ABORT) {
        ngx_codat_fuzz_want(one->operation.offset == two->operation.offset);
        ngx_codat_fuzz_want(one->operation.reason == two->operation.reason);
    }

    if (one->rc != NGX_OK) {
        return;
    }

    ngx_codat_fuzz_want(one->push.state == two->push.state);

    for (i = 0; i < NGX_CODAT_TIMES; i++) {
        ngx_codat_fuzz_want(one->push.times[i] == two->push.times[i]);
    }

    for (i = 0; i < NGX_CODAT_TEXTS; i++) {
        ngx_codat_fuzz_want(ngx_codat_fuzz_same(&one->push.texts[i],
                                                &two->push.texts[i]));
    }
}


/* a member of the object that is a string, or NULL */

static json_t *
string(json_t *root, const char *name)
{
    json_t  *member;

    member = ngx_codat_fuzz_json_member(root, name, NULL, NULL);

    return json_is_string(member) && json_string_length(member) > 1 ? member
                                                                   : NULL;
}


static ngx_uint_t
is(json_t *value, const ngx_str_t *text)
{
    return json_string_length(value) == text->len + 1
           && memcmp(json_string_value(value) + 1, text->data, text->len)
              == 0;
}


static void
check_final(ngx_pool_t *pool, ngx_codat_fuzz_read_t *read, ngx_str_t *text)
{
    u_char              *last;
    size_t               max;
    json_t              *root;
    ngx_str_t            final, success;
    ngx_codat_record_t   push;

    push = read->push;
    push.state = NGX_CODAT_PUSH_SUCCESS;
    push.times[NGX_CODAT_TIME_COMPLETED] = 5000000;
    ngx_str_set(&push.texts[NGX_CODAT_TEXT_RECORD], "a\"b");
    ngx_str_set(&success, "Success");

    max = text->len + ngx_codat_operation_json_len(&push);

    final = ngx_codat_fuzz_copy(pool, NULL, 0);
    final.data = ngx_pnalloc(pool, max);
    ngx_codat_fuzz_want(final.data != NULL);

    last = ngx_codat_operation_final(final.data, &read->operation, text,
                                     &push);
    final.len = (size_t) (last - final.data);

    ngx_codat_fuzz_want(final.len <= max);

    root = ngx_codat_fuzz_json(pool, &final);

    ngx_codat_fuzz_want(root != NULL);
    ngx_codat_fuzz_want(is(string(root, "status"), &success));

    json_decref(root);
}


static void
check_json(ngx_pool_t *pool, ngx_codat_fuzz_read_t *read, ngx_str_t *text)
{
    json_t      *root, *key;

    root = ngx_codat_fuzz_json(pool, text);

    /* what bytes there are in strings and numbers is left to the client */

    if (root == NULL) {
        return;
    }

    ngx_codat_fuzz_want(read->rc != NGX_ABORT);

    if (read->rc == NGX_OK) {
        key = string(root, "pushOperationKey");

        ngx_codat_fuzz_want(key != NULL);
        ngx_codat_fuzz_want(string(root, "status") != NULL);
        ngx_codat_fuzz_want(is(key, &read->push.texts[NGX_CODAT_TEXT_ID]));

        check_final(pool, read, text);
    }

    json_decref(root);
}


/* the first byte is the length of pieces, the rest is the text */

NGX_CODAT_FUZZ_TARGET(operation)
{
    size_t                  piece;
    ngx_str_t               text;
    ngx_pool_t             *pool;
    ngx_codat_fuzz_t        in;
    ngx_codat_fuzz_read_t  *whole, *other;

    pool = ngx_codat_fuzz_pool();

    in.pos = data;
    in.end = data + len;

    piece = ngx_codat_fuzz_byte(&in) + 1;
    text = ngx_codat_fuzz_rest(&in, pool);

    whole = ngx_palloc(pool, sizeof(ngx_codat_fuzz_read_t));
    other = ngx_palloc(pool, sizeof(ngx_codat_fuzz_read_t));
    ngx_codat_fuzz_want(whole && other);

    in_pieces(whole, &text, text.len ? text.len : 1);

    in_pieces(other, &text, piece);
    check_same(whole, other);

    compressed(pool, other, &text, piece);
    check_same(whole, other);

    check_json(pool, whole, &text);

    ngx_destroy_pool(pool);
}
