
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Makes units of work, see ngx_codat_work.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_work.h"


const ngx_str_t  ngx_codat_queued_names[NGX_CODAT_QUEUED_STATES] = {
    ngx_null_string,
    ngx_string("pending"),
    ngx_string("blocked"),
    ngx_string("delivered"),
    ngx_string("dead"),
    ngx_string("canceled")
};


void *
ngx_codat_work_create(ngx_codat_work_op_e op, size_t size, ngx_log_t *log)
{
    ngx_pool_t        *pool;
    ngx_codat_work_t  *work;

    pool = ngx_create_pool(4096, log);
    if (pool == NULL) {
        return NULL;
    }

    work = ngx_pcalloc(pool, size);
    if (work == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    work->op = op;
    work->pool = pool;

    return work;
}


void
ngx_codat_work_free(ngx_codat_work_t *work)
{
    ngx_destroy_pool(work->pool);
}


ngx_int_t
ngx_codat_work_text(ngx_codat_work_t *work, ngx_str_t *copy,
    const ngx_str_t *text)
{
    u_char  *p;

    if (text->len == 0) {
        ngx_str_null(copy);
        return NGX_OK;
    }

    p = ngx_pnalloc(work->pool, text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, text->data, text->len);

    copy->len = text->len;
    copy->data = p;

    work->bytes += text->len;

    return NGX_OK;
}


ngx_int_t
ngx_codat_work_facts(ngx_codat_work_t *work, ngx_array_t *copy,
    const ngx_array_t *facts)
{
    ngx_uint_t           i, n;
    ngx_codat_record_t  *to, *from;

    if (ngx_array_init(copy, work->pool, ngx_max(facts->nelts, 1),
                       sizeof(ngx_codat_record_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    from = facts->elts;

    for (i = 0; i < facts->nelts; i++) {

        to = ngx_array_push(copy);
        if (to == NULL) {
            return NGX_ERROR;
        }

        *to = from[i];

        for (n = 0; n < NGX_CODAT_TEXTS; n++) {

            if (ngx_codat_work_text(work, &to->texts[n], &from[i].texts[n])
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


ngx_codat_queued_e
ngx_codat_queued(const ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 1; i < NGX_CODAT_QUEUED_STATES; i++) {

        if (name->len == ngx_codat_queued_names[i].len
            && ngx_memcmp(name->data, ngx_codat_queued_names[i].data,
                          name->len)
               == 0)
        {
            return (ngx_codat_queued_e) i;
        }
    }

    return NGX_CODAT_QUEUED_ANY;
}


ngx_uint_t
ngx_codat_work_later(ngx_codat_work_t *work)
{
    return work->op == NGX_CODAT_WORK_FANOUT
           || work->op == NGX_CODAT_WORK_DISPATCH
           || work->op == NGX_CODAT_WORK_DISPATCHED;
}
