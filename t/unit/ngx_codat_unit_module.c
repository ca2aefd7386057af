
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Runs the unit tests and ends the process as soon as the configuration says
 * "codat_unit;".  Knows the groups only through the list that t/unit/config
 * makes of the test_*.c files.
 */


#include "ngx_codat_unit.h"

#include <sys/mman.h>


static char *ngx_codat_unit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static void ngx_codat_unit_unmap(void *data);


/* ngx_string() of a literal is not clean with -Wcast-qual -Wwrite-strings */

static u_char  ngx_codat_unit_name[] = "codat_unit";


static ngx_command_t  ngx_codat_unit_commands[] = {

    { { sizeof(ngx_codat_unit_name) - 1, ngx_codat_unit_name },
      NGX_MAIN_CONF|NGX_DIRECT_CONF|NGX_CONF_NOARGS,
      ngx_codat_unit,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_core_module_t  ngx_codat_unit_module_ctx = {
    { sizeof(ngx_codat_unit_name) - 1, ngx_codat_unit_name },
    NULL,
    NULL
};


ngx_module_t  ngx_codat_unit_module = {
    NGX_MODULE_V1,
    &ngx_codat_unit_module_ctx,            /* module context */
    ngx_codat_unit_commands,               /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


typedef struct {
    void    *address;
    size_t   size;
} ngx_codat_unit_map_t;


typedef int (*ngx_codat_unit_pt)(void);


static ngx_codat_unit_pt  ngx_codat_unit_groups[] = {
#define X(name)  ngx_codat_unit_##name,
#include "ngx_codat_unit_groups_x.h"
#undef X
    NULL
};


static char *
ngx_codat_unit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    int          failed;
    ngx_uint_t   i;

    failed = 0;

    for (i = 0; ngx_codat_unit_groups[i]; i++) {
        if (ngx_codat_unit_groups[i]() != 0) {
            failed = 1;
        }
    }

    /* a test that ends the process does not pass for the last one */

    printf("# all groups have run\n");

    exit(failed);
}


ngx_pool_t *
ngx_codat_unit_pool(void)
{
    ngx_pool_t  *pool;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    assert_non_null(pool);

    return pool;
}


ngx_str_t
ngx_codat_unit_guard(ngx_pool_t *pool, const void *data, size_t len)
{
    size_t                 size;
    u_char                *p;
    ngx_str_t              s;
    ngx_pool_cleanup_t    *cln;
    ngx_codat_unit_map_t  *map;

    size = ngx_align(len, ngx_pagesize) + ngx_pagesize;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_codat_unit_map_t));
    assert_non_null(cln);

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1,
             0);
    assert_ptr_not_equal(p, MAP_FAILED);

    map = cln->data;
    map->address = p;
    map->size = size;

    cln->handler = ngx_codat_unit_unmap;

    p += size - ngx_pagesize;
    assert_int_equal(mprotect(p, ngx_pagesize, PROT_NONE), 0);

    s.len = len;
    s.data = p - len;

    if (len) {
        ngx_memcpy(s.data, data, len);
    }

    return s;
}


static void
ngx_codat_unit_unmap(void *data)
{
    ngx_codat_unit_map_t  *map = data;

    (void) munmap(map->address, map->size);
}


ngx_str_t
ngx_codat_unit_str(ngx_pool_t *pool, const char *text)
{
    return ngx_codat_unit_guard(pool, text, ngx_strlen(text));
}
