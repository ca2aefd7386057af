
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_lookup.h"
#include "ngx_http_codat_outgoing.h"
#include "ngx_http_codat_track.h"
#include "ngx_http_codat_variables.h"
#include "ngx_http_codat_webhook.h"


static ngx_int_t ngx_http_codat_variables_add_one(ngx_conf_t *cf,
    ngx_str_t *name, ngx_http_get_variable_pt handler, uintptr_t data,
    ngx_uint_t flags);
static ngx_int_t ngx_http_codat_variable_field(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_codat_field(ngx_http_request_t *r, uintptr_t field,
    ngx_str_t *value);
static ngx_int_t ngx_http_codat_variable_tag(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_codat_tag(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value);
static ngx_int_t ngx_http_codat_variable_other(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_codat_variable_set(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_str_t *text);
static void ngx_http_codat_variable_null(ngx_http_variable_value_t *v);


typedef enum {
    NGX_HTTP_CODAT_VARIABLE_STALE = 0,
    NGX_HTTP_CODAT_VARIABLE_PAYLOAD,
    NGX_HTTP_CODAT_VARIABLE_WEBHOOK_ID,
    NGX_HTTP_CODAT_VARIABLE_RESULT,
    NGX_HTTP_CODAT_VARIABLE_ATTEMPT,
    NGX_HTTP_CODAT_VARIABLE_CONSUMER_ID,
    NGX_HTTP_CODAT_VARIABLE_CONSUMER_URL
} ngx_http_codat_variable_e;


typedef struct {
    ngx_str_t                  name;
    ngx_http_get_variable_pt   handler;
    uintptr_t                  data;
    ngx_uint_t                 flags;
} ngx_http_codat_variable_t;


/* beside those of the catalogue of fields */

static ngx_http_codat_variable_t  ngx_http_codat_variables[] = {

    { ngx_string("codat_tag_"), ngx_http_codat_variable_tag,
      0, NGX_HTTP_VAR_PREFIX },

    { ngx_string("codat_stale"), ngx_http_codat_variable_other,
      NGX_HTTP_CODAT_VARIABLE_STALE, 0 },

    { ngx_string("codat_payload"), ngx_http_codat_variable_other,
      NGX_HTTP_CODAT_VARIABLE_PAYLOAD, 0 },

    { ngx_string("codat_webhook_id"), ngx_http_codat_variable_other,
      NGX_HTTP_CODAT_VARIABLE_WEBHOOK_ID, 0 },

    { ngx_string("codat_result"), ngx_http_codat_variable_other,
      NGX_HTTP_CODAT_VARIABLE_RESULT, 0 },

    { ngx_string("codat_attempt"), ngx_http_codat_variable_other,
      NGX_HTTP_CODAT_VARIABLE_ATTEMPT, 0 },

    { ngx_string("codat_consumer_id"), ngx_http_codat_variable_other,
      NGX_HTTP_CODAT_VARIABLE_CONSUMER_ID, 0 },

    { ngx_string("codat_consumer_url"), ngx_http_codat_variable_other,
      NGX_HTTP_CODAT_VARIABLE_CONSUMER_URL, 0 },

    { ngx_null_string, NULL, 0, 0 }
};


static ngx_str_t  ngx_http_codat_true = ngx_string("true");


ngx_int_t
ngx_http_codat_variables_add(ngx_conf_t *cf)
{
    u_char                     *p;
    ngx_str_t                   name;
    ngx_uint_t                  i;
    ngx_http_codat_variable_t  *v;

    for (i = 0; i < NGX_CODAT_FIELDS; i++) {

        name.len = sizeof("codat_") - 1 + ngx_codat_fields[i].variable.len;
        name.data = ngx_pnalloc(cf->pool, name.len);
        if (name.data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_cpymem(name.data, "codat_", sizeof("codat_") - 1);
        ngx_memcpy(p, ngx_codat_fields[i].variable.data,
                   ngx_codat_fields[i].variable.len);

        if (ngx_http_codat_variables_add_one(cf, &name,
                                     ngx_http_codat_variable_field, i, 0)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (v = ngx_http_codat_variables; v->name.len; v++) {

        if (ngx_http_codat_variables_add_one(cf, &v->name, v->handler,
                                             v->data, v->flags)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_variables_add_one(ngx_conf_t *cf, ngx_str_t *name,
    ngx_http_get_variable_pt handler, uintptr_t data, ngx_uint_t flags)
{
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, name, NGX_HTTP_VAR_NOCACHEABLE|flags);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = handler;
    var->data = data;

    return NGX_OK;
}


void
ngx_http_codat_variables_room(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->variables_hash_bucket_size < 128) {
        cmcf->variables_hash_bucket_size = 128;
    }
}


ngx_int_t
ngx_http_codat_variables_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                   i, *index;
    ngx_http_variable_t         *v;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_codat_main_conf_t  *cdmcf;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);
    cdmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_codat_module);

    if (cmcf == NULL || cdmcf == NULL) {
        return NGX_OK;
    }

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (v[i].get_handler != ngx_http_codat_variable_field
            && v[i].get_handler != ngx_http_codat_variable_tag
            && v[i].get_handler != ngx_http_codat_variable_other
            && v[i].get_handler != ngx_http_codat_lookup_variable)
        {
            continue;
        }

        index = ngx_array_push(&cdmcf->variables);
        if (index == NULL) {
            return NGX_ERROR;
        }

        *index = i;
    }

    return NGX_OK;
}


void
ngx_http_codat_variables_changed(ngx_http_request_t *r)
{
    ngx_uint_t                   i, *index;
    ngx_http_codat_main_conf_t  *cdmcf;

    cdmcf = ngx_http_get_module_main_conf(r, ngx_http_codat_module);

    index = cdmcf->variables.elts;

    for (i = 0; i < cdmcf->variables.nelts; i++) {
        r->variables[index[i]].valid = 0;
        r->variables[index[i]].not_found = 0;
    }
}


ngx_int_t
ngx_http_codat_plain(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *plain)
{
    size_t   i, len;
    u_char  *p, *data;

    len = text->len;
    data = text->data;

    *plain = *text;

    for (i = 0; i < len; i++) {

        if (data[i] < 0x20 || data[i] == 0x7f) {
            break;
        }
    }

    if (i == len) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    plain->data = p;

    for (i = 0; i < len; i++) {
        *p++ = (data[i] < 0x20 || data[i] == 0x7f) ? ' ' : data[i];
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_variable_exact(ngx_http_request_t *r, ngx_uint_t index,
    ngx_str_t *value)
{
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    v = (ngx_http_variable_t *) cmcf->variables.elts + index;

    if (v->get_handler == ngx_http_codat_variable_field) {
        return ngx_http_codat_field(r, v->data, value);
    }

    if (v->get_handler == ngx_http_codat_variable_tag) {
        return ngx_http_codat_tag(r, (ngx_str_t *) v->data, value);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_codat_variable_field(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  text;

    if (ngx_http_codat_field(r, data, &text) != NGX_OK
        || ngx_http_codat_plain(r->pool, &text, &text) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_codat_variable_set(r, v, &text);
}


static ngx_int_t
ngx_http_codat_field(ngx_http_request_t *r, uintptr_t field, ngx_str_t *value)
{
    ngx_http_codat_ctx_t  *ctx;

    ctx = ngx_http_codat_webhook_ctx(r);

    ngx_str_null(value);

    if (ctx && ctx->parsed) {
        *value = ctx->event.fields[field];

    } else if (ctx && ctx->track && field == NGX_CODAT_FIELD_REFERENCE) {
        *value = ctx->track->reference;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_variable_tag(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  text;

    if (ngx_http_codat_tag(r, (ngx_str_t *) data, &text) != NGX_OK
        || ngx_http_codat_plain(r->pool, &text, &text) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_codat_variable_set(r, v, &text);
}


static ngx_int_t
ngx_http_codat_tag(ngx_http_request_t *r, ngx_str_t *name, ngx_str_t *value)
{
    ngx_int_t                rc;
    ngx_str_t                tag;
    ngx_http_codat_ctx_t    *ctx;
    ngx_codat_json_value_t   member;

    ctx = ngx_http_codat_webhook_ctx(r);

    ngx_str_null(value);

    if (ctx == NULL || !ctx->parsed || ctx->event.tags.len == 0) {
        return NGX_OK;
    }

    tag.len = name->len - (sizeof("codat_tag_") - 1);
    tag.data = name->data + sizeof("codat_tag_") - 1;

    rc = ngx_codat_json_member(r->pool, &ctx->event.tags, &tag, &member);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK && member.type != NGX_CODAT_JSON_NULL) {
        *value = member.text;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_variable_other(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                *p;
    ngx_str_t              text;
    ngx_http_codat_ctx_t  *ctx;

    ctx = ngx_http_codat_webhook_ctx(r);

    ngx_str_null(&text);

    if (ctx == NULL) {
        ngx_http_codat_variable_null(v);
        return NGX_OK;
    }

    switch (data) {

    case NGX_HTTP_CODAT_VARIABLE_STALE:
        if (ctx->parsed && ctx->event.stale) {
            text = ngx_http_codat_true;
        }

        break;

    case NGX_HTTP_CODAT_VARIABLE_PAYLOAD:
        if (ctx->parsed) {
            text = ctx->event.payload;
        }

        break;

    case NGX_HTTP_CODAT_VARIABLE_WEBHOOK_ID:
        text = ctx->webhook_id;
        break;

    case NGX_HTTP_CODAT_VARIABLE_RESULT:
        text = ctx->result;
        break;

    case NGX_HTTP_CODAT_VARIABLE_ATTEMPT:
        if (ctx->delivery.attempt == 0) {
            break;
        }

        p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
        if (p == NULL) {
            return NGX_ERROR;
        }

        text.data = p;
        text.len = (size_t) (ngx_sprintf(p, "%ui", ctx->delivery.attempt) - p);
        break;

    case NGX_HTTP_CODAT_VARIABLE_CONSUMER_ID:
        if (ctx->outgoing) {
            text = ctx->outgoing->id;
        }

        break;

    case NGX_HTTP_CODAT_VARIABLE_CONSUMER_URL:
        if (ctx->outgoing) {
            text = ctx->outgoing->url;
        }

        break;
    }

    return ngx_http_codat_variable_set(r, v, &text);
}


static ngx_int_t
ngx_http_codat_variable_set(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_str_t *text)
{
    if (text->len == 0) {
        ngx_http_codat_variable_null(v);
        return NGX_OK;
    }

    if (text->len > NGX_HTTP_CODAT_VARIABLE_MAX) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "codat: a value of %uz bytes is too long for a "
                      "variable", text->len);
        return NGX_ERROR;
    }

    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->len = (unsigned) text->len & NGX_HTTP_CODAT_VARIABLE_MAX;
    v->data = text->data;

    return NGX_OK;
}


static void
ngx_http_codat_variable_null(ngx_http_variable_value_t *v)
{
    v->valid = 0;
    v->no_cacheable = 1;
    v->not_found = 1;
    v->len = 0;
    v->data = NULL;
}
