
/*
 * Copyright (C) the authors of the Codat module
 *
 * For tests only.  Arms the failure of an allocation, see ngx_oom.h.
 *
 * A request with the header "X-Oom: N" lets the N-th allocation from its
 * first phase until it is freed fail, "X-Oom: N+" all from the N-th on.  With
 * "X-Oom-Skip: MSEC" the clock of timers jumps, a moment later.  A location
 * with "oom;" ends that and says what happened; its argument "reload=N" is
 * for "oom_conf".
 *
 * "oom_conf;" does so for the rest of the configuration.  With a number in
 * the environment variable OOM_CONF it reads that rest many times, each time
 * in a process of its own, with 1, 2, 3, ... until the last one has succeeded
 * untouched; with "FROM:STEP" in every STEP-th, beginning with FROM.  In
 * a reload it takes what "reload" said.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_oom.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>


/* msec after which the clock jumps */
#define NGX_HTTP_OOM_MOMENT  20


/* what master, workers, and processes of "oom_conf" share */

typedef struct {
    ngx_uint_t   reload;
    ngx_uint_t   hit;
    ngx_uint_t   count;
} ngx_http_oom_shared_t;


static char *ngx_http_oom(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_oom_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void ngx_http_oom_conf_many(ngx_conf_t *cf, ngx_uint_t from,
    ngx_uint_t step);
static void ngx_http_oom_conf_openssl(void);
static void ngx_http_oom_conf_said(ngx_uint_t n, int status);
static ngx_int_t ngx_http_oom_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_oom_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_oom_arm_handler(ngx_http_request_t *r);
static ngx_str_t *ngx_http_oom_header(ngx_http_request_t *r,
    const char *name);
static void ngx_http_oom_skip_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_oom_handler(ngx_http_request_t *r);
static void ngx_http_oom_sqlite(int64_t *bytes, int64_t *pages);
static void ngx_http_oom_request_cleanup(void *data);
static void ngx_http_oom_cleanup(void *data);


static ngx_http_oom_shared_t  *ngx_http_oom_shared;

static ngx_http_request_t     *ngx_http_oom_request;
static ngx_msec_t              ngx_http_oom_msec;
static ngx_event_t             ngx_http_oom_timer;
static ngx_connection_t        ngx_http_oom_connection;


static ngx_command_t  ngx_http_oom_commands[] = {

    { ngx_string("oom"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_oom,
      0,
      0,
      NULL },

    { ngx_string("oom_conf"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_NOARGS,
      ngx_http_oom_conf,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_oom_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_oom_init,                     /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_oom_module = {
    NGX_MODULE_V1,
    &ngx_http_oom_module_ctx,              /* module context */
    ngx_http_oom_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_oom_init_module,              /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_http_oom(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_oom_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_oom_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                *env, *colon;
    ngx_uint_t           n;
    ngx_pool_cleanup_t  *cln;

    if (ngx_http_oom_shared == NULL) {
        ngx_http_oom_shared = mmap(NULL, sizeof(ngx_http_oom_shared_t),
                                   PROT_READ|PROT_WRITE,
                                   MAP_ANON|MAP_SHARED, -1, 0);
        if (ngx_http_oom_shared == MAP_FAILED) {
            return "can't have shared memory";
        }
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_oom_cleanup;

    env = getenv("OOM_CONF");

    if (env) {
        colon = strchr(env, ':');

        ngx_http_oom_conf_many(cf, (ngx_uint_t) atoi(env),
                               colon ? (ngx_uint_t) atoi(colon + 1) : 1);
        return NGX_CONF_OK;
    }

    n = ngx_http_oom_shared->reload;

    if (n) {
        ngx_http_oom_shared->reload = 0;
        ngx_oom_init();
        ngx_oom_arm(n, 0);
    }

    return NGX_CONF_OK;
}


/* returns in the children only */

static void
ngx_http_oom_conf_many(ngx_conf_t *cf, ngx_uint_t from, ngx_uint_t step)
{
    int         status;
    pid_t       pid;
    ngx_uint_t  n;

    ngx_oom_init();
    ngx_http_oom_conf_openssl();

    setvbuf(stdout, NULL, _IOLBF, 0);

    for (n = from; /* void */ ; n += step) {

        ngx_http_oom_shared->hit = 0;

        pid = fork();

        if (pid == -1) {
            printf("fork() failed\n");
            exit(2);
        }

        if (pid == 0) {
            alarm(60);
            ngx_oom_arm(n, 0);
            return;
        }

        if (waitpid(pid, &status, 0) == -1) {
            printf("waitpid() failed\n");
            exit(2);
        }

        ngx_http_oom_conf_said(n, status);

        if (!ngx_http_oom_shared->hit) {
            printf("end %lu\n", (unsigned long) n);
            exit(0);
        }
    }
}


/* it makes its tables of methods once: thousands of allocations */

static void
ngx_http_oom_conf_openssl(void)
{
    int          type;
    u_char       bytes[32];
    EVP_PKEY    *pkey;
    EVP_MD_CTX  *ctx;

    (void) RAND_bytes(bytes, sizeof(bytes));

    EVP_MAC_free(EVP_MAC_fetch(NULL, "HMAC", NULL));

    type = EVP_PKEY_ED25519;
    pkey = EVP_PKEY_new_raw_private_key(type, NULL, bytes, sizeof(bytes));
    ctx = EVP_MD_CTX_new();

    (void) EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey);

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
}


static void
ngx_http_oom_conf_said(ngx_uint_t n, int status)
{
    if (WIFSIGNALED(status)) {
        printf("%lu signal %d\n", (unsigned long) n, WTERMSIG(status));
        return;
    }

    printf("%lu exit %d\n", (unsigned long) n, WEXITSTATUS(status));
}


static ngx_int_t
ngx_http_oom_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_oom_arm_handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_oom_init_module(ngx_cycle_t *cycle)
{
    ngx_http_oom_cleanup(NULL);
    ngx_oom_init();

    return NGX_OK;
}


static ngx_int_t
ngx_http_oom_arm_handler(ngx_http_request_t *r)
{
    u_char              *last;
    ngx_int_t            n;
    ngx_str_t           *value;
    ngx_uint_t           lasting;
    ngx_pool_cleanup_t  *cln;

    value = ngx_http_oom_header(r, "X-Oom-Skip");

    if (value) {
        n = ngx_atoi(value->data, value->len);

        ngx_http_oom_timer.handler = ngx_http_oom_skip_handler;
        ngx_http_oom_timer.data = &ngx_http_oom_connection;
        ngx_http_oom_timer.log = ngx_cycle->log;

        ngx_http_oom_msec = (ngx_msec_t) n;

        ngx_add_timer(&ngx_http_oom_timer, NGX_HTTP_OOM_MOMENT);
    }

    value = ngx_http_oom_header(r, "X-Oom");

    if (value == NULL) {
        return NGX_DECLINED;
    }

    last = value->data + value->len;
    lasting = (last[-1] == '+');

    n = ngx_atoi(value->data, value->len - lasting);

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL || n <= 0) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_oom_request_cleanup;
    cln->data = r;

    ngx_http_oom_request = r;

    ngx_oom_arm((ngx_uint_t) n, lasting);

    return NGX_DECLINED;
}


static ngx_str_t *
ngx_http_oom_header(ngx_http_request_t *r, const char *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == strlen(name)
            && ngx_strncasecmp(h[i].key.data, (u_char *) name, h[i].key.len)
               == 0)
        {
            return &h[i].value;
        }
    }
}


static void
ngx_http_oom_skip_handler(ngx_event_t *ev)
{
    ngx_oom_skip(ngx_http_oom_msec);
}


/* one that nginx has left hanging may end while another one is armed */

static void
ngx_http_oom_request_cleanup(void *data)
{
    if (data == ngx_http_oom_request) {
        ngx_oom_disarm();
    }
}


static void
ngx_http_oom_cleanup(void *data)
{
    if (ngx_oom.armed && ngx_http_oom_shared) {
        ngx_http_oom_shared->hit = ngx_oom.hit;
        ngx_http_oom_shared->count = ngx_oom.count;
    }

    ngx_oom_disarm();
}


static ngx_int_t
ngx_http_oom_handler(ngx_http_request_t *r)
{
    size_t        bytes;
    u_char       *p;
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_str_t     value;
    ngx_uint_t    armed;
    ngx_chain_t   out;
    int64_t       sqlite, pages;

    static ngx_str_t  type = ngx_string("text/plain");

    armed = ngx_oom.armed;
    ngx_oom_disarm();

    if (ngx_http_oom_shared
        && ngx_http_arg(r, (u_char *) "reload", 6, &value) == NGX_OK)
    {
        ngx_http_oom_shared->hit = 0;
        ngx_http_oom_shared->reload = (ngx_uint_t) ngx_atoi(value.data,
                                                            value.len);
    }

    b = ngx_create_temp_buf(r->pool, 1024);
    if (b == NULL) {
        return NGX_ERROR;
    }

    /* OpenSSL keeps the places of its last 16 errors */

    ERR_clear_error();

    ngx_http_oom_sqlite(&sqlite, &pages);

    bytes = ngx_oom_bytes();

    p = ngx_sprintf(b->last, "pid %P armed %ui hit %ui count %ui cell %ui "
                    "bytes %uz sqlite %L",
                    ngx_pid, armed, ngx_oom.hit, ngx_oom.count, ngx_oom.cell,
                    bytes ? bytes - (size_t) sqlite : 0, sqlite - pages);

    if (ngx_http_oom_shared) {
        p = ngx_sprintf(p, " conf %ui", ngx_http_oom_shared->hit);
    }

    p = ngx_sprintf(p, " where");
    p = ngx_oom_where(p, b->end - 1);

    *p++ = '\n';

    b->last = p;
    b->last_buf = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = type;
    r->headers_out.content_type_len = type.len;
    r->headers_out.content_length_n = b->last - b->pos;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/*
 * What SQLite has allocated, and of that what its cache of pages has, which
 * grows up to PRAGMA cache_size.  A store closes its database when something
 * has failed, so with it nothing could be said of the rest.  The library of
 * Debian has 8 bytes before each block, which it does not count.
 */

static void
ngx_http_oom_sqlite(int64_t *bytes, int64_t *pages)
{
    sqlite3_int64  blocks, used, page, most;

    *bytes = 0;
    *pages = 0;

    if (sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &used, &most, 0)
        != SQLITE_OK
        || sqlite3_status64(SQLITE_STATUS_MALLOC_COUNT, &blocks, &most, 0)
           != SQLITE_OK
        || sqlite3_status64(SQLITE_STATUS_PAGECACHE_OVERFLOW, &page, &most, 0)
           != SQLITE_OK)
    {
        return;
    }

    *bytes = used + blocks * 8;
    *pages = page;
}
