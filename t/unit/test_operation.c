
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Push operations of Codat's API: what is read of them, in pieces of any
 * size, what is refused, and what is written.
 */


#include "ngx_codat_unit.h"
#include "ngx_codat_names.h"
#include "ngx_codat_operation.h"
#include "ngx_codat_operation_json.h"


typedef struct {
    const char  *text;
    ngx_int_t    rc;
    const char  *expected;      /* key,status,company,connection,data type,
                                   record,attachment,error,times */
} ngx_codat_unit_operation_t;


typedef struct {
    const char  *text;
    const char  *final;
} ngx_codat_unit_final_t;


static void ngx_codat_unit_quotes(char *to, size_t size, const char *from);
static ngx_int_t ngx_codat_unit_operation_read(ngx_pool_t *pool,
    const char *text, size_t piece, ngx_codat_operation_t *operation,
    ngx_codat_record_t *push);
static void ngx_codat_unit_operation_said(ngx_codat_record_t *push, char *p,
    size_t size);


/* "'" stands for a quote */

static const ngx_codat_unit_operation_t  ngx_codat_unit_operations[] = {

    { "{'pushOperationKey':'k','status':'Pending'}", NGX_OK,
      "k,1,,,,,,,0,0" },

    { " {\n'Status' : 'pending' ,\t'PushOperationKey':'k'\r\n} \n", NGX_OK,
      "k,1,,,,,,,0,0" },

    { "{'changes':[],'data':{'id':'x','a':[1,-2.5e+3,true,false,null]},"
      "'dataType':'bills','companyId':'c','pushOperationKey':'k',"
      "'dataConnectionKey':'n','requestedOnUtc':'1970-01-01T00:00:01Z',"
      "'completedOnUtc':null,'status':'Pending','validation':{'errors':[]},"
      "'statusCode':202}", NGX_OK,
      "k,1,c,n,bills,,,,1000000,0" },

    { "{'changes':[{'type':'Created','recordRef':{'dataType':'d','id':'r'},"
      "'attachmentId':'at'},{'recordRef':{'id':'other'}}],"
      "'data':{'id':'not this','data':{'id':'nor this'}},"
      "'pushOperationKey':'k','status':'Success','errorMessage':'',"
      "'completedOnUtc':'1970-01-01T00:00:02.5Z'}", NGX_OK,
      "k,2,,,,r,at,,0,2500000" },

    { "{'changes':null,'data':{'a':{'id':'z'},'id':'r','b':{'id':'z'}},"
      "'status':'Success','pushOperationKey':'k'}", NGX_OK,
      "k,2,,,,r,,,0,0" },

    { "{'status':'Failed','pushOperationKey':'k','data':{'id':'r'},"
      "'errorMessage':'a\\'b\\u00e9\\n'}", NGX_OK,
      "k,3,,,,,,a\"b\xc3\xa9\n,0,0" },

    { "{'status':'TimedOut','pushOperationKey':'k\\u002d1'}", NGX_OK,
      "k-1,4,,,,,,,0,0" },

    { "{'status':'Strange','pushOperationKey':'k'}", NGX_OK,
      "k,0,,,,,,,0,0" },

    /* the last of equal keys counts, with all that is in it */

    { "{'pushOperationKey':'k1','status':'Failed','pushOperationKey':'k2',"
      "'status':'Success','data':{'id':'old'},'data':{'a':1}}", NGX_OK,
      "k2,2,,,,,,,0,0" },

    { "{'status':'Pending','pushOperationKey':'k','status':null}",
      NGX_DECLINED, NULL },

    { "{'pushOperationKey':'k'}", NGX_DECLINED, NULL },
    { "{'status':'Pending'}", NGX_DECLINED, NULL },
    { "{'pushOperationKey':1,'status':'Pending'}", NGX_DECLINED, NULL },
    { "{'pushOperationKey':['k'],'status':'Pending'}", NGX_DECLINED, NULL },
    { "{'pushOperationKey':'','status':'Pending'}", NGX_DECLINED, NULL },
    { "{'push\\u004fperationKey':'k','status':'Pending'}", NGX_DECLINED,
      NULL },
    { "{}", NGX_DECLINED, NULL },
    { "[{'pushOperationKey':'k','status':'Pending'}]", NGX_DECLINED, NULL },
    { "'text'", NGX_DECLINED, NULL },
    { "12", NGX_DECLINED, NULL },

    { "", NGX_ABORT, NULL },
    { "{", NGX_ABORT, NULL },
    { "{'a'", NGX_ABORT, NULL },
    { "{'a':1", NGX_ABORT, NULL },
    { "{'a':'b", NGX_ABORT, NULL },
    { "{'a':}", NGX_ABORT, NULL },
    { "{'a' 1}", NGX_ABORT, NULL },
    { "{a:1}", NGX_ABORT, NULL },
    { "{'a':1,}", NGX_ABORT, NULL },
    { "{'a':[1,]}", NGX_ABORT, NULL },
    { "{'a':[1}}", NGX_ABORT, NULL },
    { "{'a':{1]}", NGX_ABORT, NULL },
    { "{]", NGX_ABORT, NULL },
    { "{'a':[}", NGX_ABORT, NULL },
    { "{'a':1}}", NGX_ABORT, NULL },
    { "{'a':1} x", NGX_ABORT, NULL },
    { "{'a':'\\x'}", NGX_ABORT, NULL },
    { "{'a':'\\u00g0'}", NGX_ABORT, NULL },
    { "{'a\\x':1}", NGX_ABORT, NULL },
    { "{'a':'\n'}", NGX_ABORT, NULL },
    { "{'a\n':1}", NGX_ABORT, NULL },
    { "{'a':1 'b':2}", NGX_ABORT, NULL },
    { "{'a':?}", NGX_ABORT, NULL },

    { NULL, NGX_OK, NULL }
};


/* completed by a push that has succeeded */

static const ngx_codat_unit_final_t  ngx_codat_unit_finals[] = {

    { "{'pushOperationKey':'k','status':'Pending'}",
      "{'pushOperationKey':'k','status':'Success'"
      ",'completedOnUtc':'1970-01-01T00:00:05.000Z','recordId':'r\\\"1'"
      ",'changes':[{'type':'Modified','recordRef':{'id':'r\\\"1',"
      "'dataType':'bills'},'attachmentId':'at'}]}" },

    { " { 'status' : 'Pending' , 'a':[ 1 , 2 ], 'pushOperationKey':'k' , "
      "'statusCode' : 202, 'completedOnUtc' : null , 'data' : { } }\n",
      " { 'status' : 'Success' , 'a':[ 1 , 2 ], 'pushOperationKey':'k' , "
      "'statusCode' : 200, 'completedOnUtc' : '1970-01-01T00:00:05.000Z' , "
      "'data' : {'id':'r\\\"1' } ,'recordId':'r\\\"1',"
      "'changes':[{'type':'Modified','recordRef':{'id':'r\\\"1',"
      "'dataType':'bills'},'attachmentId':'at'}]}\n" },

    { "{'changes':[],'data':{'b':1},'pushOperationKey':'k',"
      "'status':'Pending','recordId':'x','completedOnUtc':'y'}",
      "{'changes':[{'type':'Modified','recordRef':{'id':'r\\\"1',"
      "'dataType':'bills'},'attachmentId':'at'}],"
      "'data':{'id':'r\\\"1','b':1},'pushOperationKey':'k',"
      "'status':'Success','recordId':'r\\\"1',"
      "'completedOnUtc':'1970-01-01T00:00:05.000Z'}" },

    { "{'changes':[7],'data':{'id':'own'},'pushOperationKey':'k',"
      "'status':'Pending'}",
      "{'changes':[7],'data':{'id':'own'},'pushOperationKey':'k',"
      "'status':'Success','completedOnUtc':'1970-01-01T00:00:05.000Z',"
      "'recordId':'r\\\"1'}" },

    { "{'changes':null,'data':{'id':null},'pushOperationKey':'k',"
      "'status':'Pending'}",
      "{'changes':[{'type':'Modified','recordRef':{'id':'r\\\"1',"
      "'dataType':'bills'},'attachmentId':'at'}],"
      "'data':{'id':'r\\\"1'},'pushOperationKey':'k',"
      "'status':'Success','completedOnUtc':'1970-01-01T00:00:05.000Z',"
      "'recordId':'r\\\"1'}" },

    { "{'data':null,'changes':{},'pushOperationKey':'k','status':'Pending'}",
      "{'data':null,'changes':{},'pushOperationKey':'k','status':'Success'"
      ",'completedOnUtc':'1970-01-01T00:00:05.000Z','recordId':'r\\\"1'}" },

    { NULL, NULL }
};


static void
test_read(void **state)
{
    char                               said[1024];
    size_t                             piece, len;
    ngx_int_t                          rc;
    ngx_pool_t                        *pool;
    ngx_codat_record_t                 push;
    ngx_codat_operation_t              operation;
    const ngx_codat_unit_operation_t  *o;

    (void) state;

    for (o = ngx_codat_unit_operations; o->text; o++) {

        len = strlen(o->text);

        for (piece = 1; piece <= len + 1; piece++) {

            pool = ngx_codat_unit_pool();

            rc = ngx_codat_unit_operation_read(pool, o->text, piece,
                                               &operation, &push);
            if (rc != o->rc) {
                fail_msg("%s in pieces of %zu: %d", o->text, piece, (int) rc);
            }

            if (rc == NGX_ABORT) {
                assert_non_null(operation.reason);
                assert_true(operation.offset <= len);
            }

            if (rc == NGX_OK) {
                ngx_codat_unit_operation_said(&push, said, sizeof(said));
                assert_string_equal(said, o->expected);
                assert_int_equal(push.state, operation.status);
            }

            ngx_destroy_pool(pool);
        }
    }
}


/* values that are too long are as if they were not there, or cut */

static void
test_long(void **state)
{
    char                   text[8192], key[512], error[2048];
    ngx_uint_t             i;
    ngx_pool_t            *pool;
    ngx_codat_record_t     push;
    ngx_codat_operation_t  operation;

    (void) state;

    for (i = 255; i <= 257; i++) {
        pool = ngx_codat_unit_pool();

        memset(key, 'k', sizeof(key));
        key[i] = '\0';

        snprintf(text, sizeof(text), "{'pushOperationKey':'%s',"
                 "'status':'Pending','companyId':'c'}", key);

        assert_int_equal(ngx_codat_unit_operation_read(pool, text, 100,
                                                       &operation, &push),
                         i <= 256 ? NGX_OK : NGX_DECLINED);

        if (i <= 256) {
            assert_int_equal(push.texts[NGX_CODAT_TEXT_ID].len, i);
        }

        ngx_destroy_pool(pool);
    }

    /* an error is cut, but not inside a character or an escape */

    for (i = 0; i <= 12; i++) {
        pool = ngx_codat_unit_pool();

        memset(error, 'e', sizeof(error));
        strcpy(&error[500 + i], i % 2 ? "\\u20ac\\u20ac\\u20ac\\u20ac"
                               : "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
                                 "\xe2\x82\xac\xe2\x82\xac");

        snprintf(text, sizeof(text), "{'pushOperationKey':'k',"
                 "'status':'Failed','errorMessage':'%s'}", error);

        assert_int_equal(ngx_codat_unit_operation_read(pool, text, 7,
                                                       &operation, &push),
                         NGX_OK);
        assert_in_range(push.texts[NGX_CODAT_TEXT_ERROR].len, 500, 512);
        assert_int_equal((push.texts[NGX_CODAT_TEXT_ERROR].len - 500 - i) % 3,
                         0);

        ngx_destroy_pool(pool);
    }

    /* keys may come again and again */

    pool = ngx_codat_unit_pool();

    strcpy(text, "{'pushOperationKey':'k'");

    for (i = 0; i < 100; i++) {
        snprintf(&text[strlen(text)], 64, ",'status':'Pending',"
                 "'companyId':'company-%d'", (int) i);
    }

    strcat(text, "}");

    assert_int_equal(ngx_codat_unit_operation_read(pool, text, 11,
                                                   &operation, &push),
                     NGX_OK);
    assert_memory_equal(push.texts[NGX_CODAT_TEXT_COMPANY].data, "company-99",
                        10);

    ngx_destroy_pool(pool);
}


static void
test_depth(void **state)
{
    char                   text[1024];
    ngx_uint_t             n;
    ngx_pool_t            *pool;
    ngx_codat_record_t     push;
    ngx_codat_operation_t  operation;

    (void) state;

    for (n = 62; n <= 65; n++) {
        pool = ngx_codat_unit_pool();

        strcpy(text, "{'pushOperationKey':'k','status':'Pending','a':");
        memset(&text[strlen(text)], '[', n);
        text[47 + n] = '\0';
        memset(&text[47 + n], ']', n);
        text[47 + 2 * n] = '}';
        text[48 + 2 * n] = '\0';

        assert_int_equal(ngx_codat_unit_operation_read(pool, text, 1000,
                                                       &operation, &push),
                         n < NGX_CODAT_OPERATION_DEPTH ? NGX_OK : NGX_ABORT);

        ngx_destroy_pool(pool);
    }
}


static void
test_final(void **state)
{
    char                           expected[1024];
    u_char                        *p, *end;
    ngx_str_t                      text;
    ngx_pool_t                    *pool;
    ngx_codat_record_t             push, said;
    ngx_codat_operation_t          operation;
    const ngx_codat_unit_final_t  *f;

    (void) state;

    ngx_memzero(&push, sizeof(ngx_codat_record_t));

    push.kind = NGX_CODAT_RECORD_PUSH;
    push.state = NGX_CODAT_PUSH_SUCCESS;
    ngx_str_set(&push.texts[NGX_CODAT_TEXT_RECORD], "r\"1");
    ngx_str_set(&push.texts[NGX_CODAT_TEXT_TYPE], "Update");
    ngx_str_set(&push.texts[NGX_CODAT_TEXT_DATA_TYPE], "bills");
    ngx_str_set(&push.texts[NGX_CODAT_TEXT_ATTACHMENT], "at");
    ngx_str_set(&push.texts[NGX_CODAT_TEXT_REFERENCE], "secret");
    push.times[NGX_CODAT_TIME_COMPLETED] = 5000000;

    for (f = ngx_codat_unit_finals; f->text; f++) {

        pool = ngx_codat_unit_pool();

        assert_int_equal(ngx_codat_unit_operation_read(pool, f->text, 5,
                                                       &operation, &said),
                         NGX_OK);

        ngx_codat_unit_quotes(expected, sizeof(expected), f->text);
        text = ngx_codat_unit_str(pool, expected);

        p = ngx_palloc(pool, text.len + ngx_codat_operation_json_len(&push));
        assert_non_null(p);

        end = ngx_codat_operation_final(p, &operation, &text, &push);
        assert_true((size_t) (end - p)
                    <= text.len + ngx_codat_operation_json_len(&push));
        *end = '\0';

        ngx_codat_unit_quotes(expected, sizeof(expected), f->final);
        assert_string_equal((char *) p, expected);

        ngx_destroy_pool(pool);
    }
}


static void
test_write(void **state)
{
    char                    expected[1024];
    u_char                 *p, *end;
    ngx_pool_t             *pool;
    ngx_codat_record_t      push, read;
    ngx_codat_operation_t   operation;

    (void) state;

    pool = ngx_codat_unit_pool();

    ngx_memzero(&push, sizeof(ngx_codat_record_t));

    push.kind = NGX_CODAT_RECORD_PUSH;
    push.state = NGX_CODAT_PUSH_PENDING;
    ngx_str_set(&push.texts[NGX_CODAT_TEXT_ID], "k");
    ngx_str_set(&push.texts[NGX_CODAT_TEXT_COMPANY], "c");
    ngx_str_set(&push.texts[NGX_CODAT_TEXT_CONNECTION], "n");
    ngx_str_set(&push.texts[NGX_CODAT_TEXT_REFERENCE], "secret");
    push.times[NGX_CODAT_TIME_REQUESTED] = 1000000;

    assert_false(ngx_codat_operation_known(&push));

    ngx_str_set(&push.texts[NGX_CODAT_TEXT_DATA_TYPE], "bills");

    assert_true(ngx_codat_operation_known(&push));

    p = ngx_palloc(pool, ngx_codat_operation_json_len(&push) + 4096);
    assert_non_null(p);

    *ngx_codat_operation_json(p, &push) = '\0';

    ngx_codat_unit_quotes(expected, sizeof(expected),
        "{'changes':[],'dataType':'bills','companyId':'c',"
        "'pushOperationKey':'k','dataConnectionKey':'n',"
        "'requestedOnUtc':'1970-01-01T00:00:01.000Z','status':'Pending',"
        "'statusCode':202}");
    assert_string_equal((char *) p, expected);

    push.state = NGX_CODAT_PUSH_SUCCESS;
    ngx_str_set(&push.texts[NGX_CODAT_TEXT_RECORD], "r");
    ngx_str_set(&push.texts[NGX_CODAT_TEXT_TYPE], "Create");
    push.times[NGX_CODAT_TIME_COMPLETED] = 2000000;

    assert_true(ngx_codat_operation_known(&push));

    end = ngx_codat_operation_json(p, &push);
    assert_true((size_t) (end - p) <= ngx_codat_operation_json_len(&push));

    /* what is written is read */

    ngx_codat_operation_init(&operation);
    ngx_codat_operation_read(&operation, p, (size_t) (end - p));
    assert_int_equal(ngx_codat_operation_end(&operation, &read), NGX_OK);

    ngx_codat_unit_operation_said(&read, expected, sizeof(expected));
    assert_string_equal(expected, "k,2,c,n,bills,r,,,1000000,2000000");

    push.state = NGX_CODAT_PUSH_FAILED;
    assert_false(ngx_codat_operation_known(&push));

    push.state = NGX_CODAT_PUSH_TIMED_OUT;
    assert_false(ngx_codat_operation_known(&push));

    ngx_destroy_pool(pool);
}


static void
ngx_codat_unit_quotes(char *to, size_t size, const char *from)
{
    size_t  i;

    for (i = 0; from[i]; i++) {
        assert_true(i + 1 < size);
        to[i] = from[i] == '\'' ? '"' : from[i];
    }

    to[i] = '\0';
}


static ngx_int_t
ngx_codat_unit_operation_read(ngx_pool_t *pool, const char *text,
    size_t piece, ngx_codat_operation_t *operation, ngx_codat_record_t *push)
{
    char       quoted[8192];
    size_t     n, len;
    ngx_str_t  part;

    ngx_codat_unit_quotes(quoted, sizeof(quoted), text);
    len = strlen(quoted);

    ngx_codat_operation_init(operation);

    for (n = 0; n < len; n += piece) {
        part = ngx_codat_unit_guard(pool, &quoted[n], ngx_min(piece, len - n));
        ngx_codat_operation_read(operation, part.data, part.len);
    }

    return ngx_codat_operation_end(operation, push);
}


static void
ngx_codat_unit_operation_said(ngx_codat_record_t *push, char *p, size_t size)
{
    u_char  *end;

    end = ngx_snprintf((u_char *) p, size - 1, "%V,%ui,%V,%V,%V,%V,%V,%V,"
                       "%L,%L",
                       &push->texts[NGX_CODAT_TEXT_ID], push->state,
                       &push->texts[NGX_CODAT_TEXT_COMPANY],
                       &push->texts[NGX_CODAT_TEXT_CONNECTION],
                       &push->texts[NGX_CODAT_TEXT_DATA_TYPE],
                       &push->texts[NGX_CODAT_TEXT_RECORD],
                       &push->texts[NGX_CODAT_TEXT_ATTACHMENT],
                       &push->texts[NGX_CODAT_TEXT_ERROR],
                       push->times[NGX_CODAT_TIME_REQUESTED],
                       push->times[NGX_CODAT_TIME_COMPLETED]);
    *end = '\0';
}


int
ngx_codat_unit_operation(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_final),
        cmocka_unit_test(test_write)
    };

    return cmocka_run_group_tests_name("operation", tests, NULL, NULL);
}
