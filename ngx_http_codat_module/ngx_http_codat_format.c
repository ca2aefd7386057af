
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_format.h"
#include "ngx_http_codat_variables.h"
#include "ngx_codat_cloudevent.h"


static char *ngx_http_codat_format_parts(ngx_conf_t *cf,
    ngx_http_codat_format_t *format);
static ngx_int_t ngx_http_codat_format_type(ngx_conf_t *cf,
    ngx_http_codat_format_t *format, ngx_str_t *value);
static ngx_int_t ngx_http_codat_format_escape(ngx_conf_t *cf,
    ngx_http_codat_format_t *format, ngx_str_t *value);
static size_t ngx_http_codat_template_name(ngx_str_t *text, size_t start,
    ngx_str_t *name);
static ngx_int_t ngx_http_codat_template_variable(ngx_conf_t *cf,
    ngx_http_codat_template_t *template, ngx_str_t *name);
static ngx_int_t ngx_http_codat_template_value(ngx_http_request_t *r,
    ngx_http_codat_template_t *template, ngx_uint_t index, ngx_str_t *value);
static size_t ngx_http_codat_escaped_len(ngx_uint_t escape, ngx_str_t *text);
static u_char *ngx_http_codat_escaped(u_char *p, ngx_uint_t escape,
    ngx_str_t *text);


ngx_http_codat_format_t  ngx_http_codat_format_cloudevents = {
    ngx_string("cloudevents"),
    ngx_string("application/cloudevents+json"),
    { { NULL, 0, 0, 0, NULL }, NGX_HTTP_CODAT_ESCAPE_NONE }
};

ngx_http_codat_format_t  ngx_http_codat_format_raw = {
    ngx_string("raw"),
    ngx_null_string,
    { { NULL, 0, 0, 0, NULL }, NGX_HTTP_CODAT_ESCAPE_NONE }
};


char *
ngx_http_codat_format_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_codat_main_conf_t *cdmcf = conf;

    ngx_str_t                 *value;
    ngx_http_codat_format_t   *format, **slot;

    value = cf->args->elts;

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_format\" has an empty name");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_codat_format_find(cdmcf, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_format\" \"%V\" is built in or made "
                           "before, choose another name", &value[1]);
        return NGX_CONF_ERROR;
    }

    format = ngx_pcalloc(cf->pool, sizeof(ngx_http_codat_format_t));
    slot = ngx_array_push(&cdmcf->formats);

    if (format == NULL || slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = format;

    format->name = value[1];

    return ngx_http_codat_format_parts(cf, format);
}


static char *
ngx_http_codat_format_parts(ngx_conf_t *cf, ngx_http_codat_format_t *format)
{
    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    format->template.escape = NGX_CONF_UNSET_UINT;

    if (ngx_array_init(&format->template.parts, cf->pool, 8,
                       sizeof(ngx_http_codat_part_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        rc = ngx_http_codat_format_type(cf, format, &value[i]);

        if (rc == NGX_DECLINED) {
            rc = ngx_http_codat_format_escape(cf, format, &value[i]);
        }

        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_DECLINED) {
            break;
        }
    }

    if (i == cf->args->nelts) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_format\" \"%V\" has no template",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_uint_value(format->template.escape,
                             NGX_HTTP_CODAT_ESCAPE_JSON);

    for ( /* void */ ; i < cf->args->nelts; i++) {

        if (ngx_http_codat_template_add(cf, &format->template, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (format->type.len == 0) {

        if (format->template.escape == NGX_HTTP_CODAT_ESCAPE_JSON) {
            ngx_str_set(&format->type, "application/json");

        } else {
            ngx_str_set(&format->type, "text/plain");
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_codat_format_type(ngx_conf_t *cf, ngx_http_codat_format_t *format,
    ngx_str_t *value)
{
    size_t  i;

    if (value->len < 5 || ngx_strncmp(value->data, "type=", 5) != 0) {
        return NGX_DECLINED;
    }

    if (format->type.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_format\" has a second \"%V\"", value);
        return NGX_ERROR;
    }

    format->type.data = value->data + 5;
    format->type.len = value->len - 5;

    for (i = 0; i < format->type.len; i++) {

        if (format->type.data[i] < 0x20 || format->type.data[i] > 0x7e) {
            break;
        }
    }

    if (i != format->type.len
        || ngx_strlchr(format->type.data, format->type.data + i, '/') == NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_format\" has an invalid \"%V\", a media "
                           "type such as type=application/json is expected",
                           value);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_format_escape(ngx_conf_t *cf, ngx_http_codat_format_t *format,
    ngx_str_t *value)
{
    if (value->len < 7 || ngx_strncmp(value->data, "escape=", 7) != 0) {
        return NGX_DECLINED;
    }

    if (format->template.escape != NGX_CONF_UNSET_UINT) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_format\" has a second \"%V\"", value);
        return NGX_ERROR;
    }

    if (ngx_strcmp(value->data + 7, "json") == 0) {
        format->template.escape = NGX_HTTP_CODAT_ESCAPE_JSON;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data + 7, "none") == 0) {
        format->template.escape = NGX_HTTP_CODAT_ESCAPE_NONE;
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"codat_format\" has an invalid \"%V\", "
                       "escape=json or escape=none is expected", value);

    return NGX_ERROR;
}


ngx_http_codat_format_t *
ngx_http_codat_format_find(ngx_http_codat_main_conf_t *cdmcf, ngx_str_t *name)
{
    ngx_uint_t                 i;
    ngx_http_codat_format_t  **formats;

    if (name->len == ngx_http_codat_format_cloudevents.name.len
        && ngx_strncmp(name->data, "cloudevents", name->len) == 0)
    {
        return &ngx_http_codat_format_cloudevents;
    }

    if (name->len == ngx_http_codat_format_raw.name.len
        && ngx_strncmp(name->data, "raw", name->len) == 0)
    {
        return &ngx_http_codat_format_raw;
    }

    formats = cdmcf->formats.elts;

    for (i = 0; i < cdmcf->formats.nelts; i++) {

        if (formats[i]->name.len == name->len
            && ngx_strncmp(formats[i]->name.data, name->data, name->len) == 0)
        {
            return formats[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_codat_template_add(ngx_conf_t *cf,
    ngx_http_codat_template_t *template, ngx_str_t *text)
{
    size_t                  i, start;
    ngx_str_t               name;
    ngx_http_codat_part_t  *part;

    for (i = 0; i < text->len; /* void */ ) {

        if (text->data[i] == '$') {
            i = ngx_http_codat_template_name(text, i + 1, &name);

            if (name.len == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid variable name in \"%V\" of "
                                   "\"%V\"", text, cf->args->elts);
                return NGX_ERROR;
            }

            if (ngx_http_codat_template_variable(cf, template, &name)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        for (start = i; i < text->len && text->data[i] != '$'; i++) {
            /* void */
        }

        part = ngx_array_push(&template->parts);
        if (part == NULL) {
            return NGX_ERROR;
        }

        part->text.data = text->data + start;
        part->text.len = i - start;
        part->variable = 0;
    }

    return NGX_OK;
}


/* returns where the text goes on; the name is empty if there is none */

static size_t
ngx_http_codat_template_name(ngx_str_t *text, size_t start, ngx_str_t *name)
{
    size_t      i;
    u_char      ch;
    ngx_uint_t  bracket;

    i = start;
    bracket = (i < text->len && text->data[i] == '{');

    if (bracket) {
        i++;
    }

    name->data = text->data + i;
    name->len = 0;

    for ( /* void */ ; i < text->len; i++) {
        ch = text->data[i];

        if ((ch >= 'A' && ch <= 'Z')
            || (ch >= 'a' && ch <= 'z')
            || (ch >= '0' && ch <= '9')
            || ch == '_')
        {
            name->len++;
            continue;
        }

        break;
    }

    if (!bracket) {
        return i;
    }

    if (i == text->len || text->data[i] != '}') {
        name->len = 0;
        return i;
    }

    return i + 1;
}


static ngx_int_t
ngx_http_codat_template_variable(ngx_conf_t *cf,
    ngx_http_codat_template_t *template, ngx_str_t *name)
{
    ngx_int_t               index;
    ngx_http_codat_part_t  *part;

    index = ngx_http_get_variable_index(cf, name);
    if (index == NGX_ERROR) {
        return NGX_ERROR;
    }

    part = ngx_array_push(&template->parts);
    if (part == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&part->text);
    part->variable = (ngx_uint_t) index;

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_template_run(ngx_http_request_t *r,
    ngx_http_codat_template_t *template, ngx_str_t *value)
{
    u_char                  *p;
    size_t                   len;
    ngx_str_t               *values;
    ngx_uint_t               i;
    ngx_http_codat_part_t   *parts;

    parts = template->parts.elts;

    values = ngx_palloc(r->pool, template->parts.nelts * sizeof(ngx_str_t));
    if (values == NULL) {
        return NGX_ERROR;
    }

    len = 0;

    for (i = 0; i < template->parts.nelts; i++) {

        if (parts[i].text.data) {
            len += parts[i].text.len;
            continue;
        }

        if (ngx_http_codat_template_value(r, template, parts[i].variable,
                                          &values[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        len += ngx_http_codat_escaped_len(template->escape, &values[i]);
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;

    for (i = 0; i < template->parts.nelts; i++) {

        if (parts[i].text.data) {
            p = ngx_cpymem(p, parts[i].text.data, parts[i].text.len);

        } else {
            p = ngx_http_codat_escaped(p, template->escape, &values[i]);
        }
    }

    value->len = (size_t) (p - value->data);

    return NGX_OK;
}


/* where all is escaped there is no need for variables to be made plain */

static ngx_int_t
ngx_http_codat_template_value(ngx_http_request_t *r,
    ngx_http_codat_template_t *template, ngx_uint_t index, ngx_str_t *value)
{
    ngx_int_t                   rc;
    ngx_http_variable_value_t  *v;

    if (template->escape != NGX_HTTP_CODAT_ESCAPE_NONE) {
        rc = ngx_http_codat_variable_exact(r, index, value);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    ngx_str_null(value);

    v = ngx_http_get_flushed_variable(r, index);

    if (v && !v->not_found) {
        value->len = v->len;
        value->data = v->data;
    }

    return NGX_OK;
}


static size_t
ngx_http_codat_escaped_len(ngx_uint_t escape, ngx_str_t *text)
{
    switch (escape) {

    case NGX_HTTP_CODAT_ESCAPE_JSON:
        return ngx_codat_json_escape_len(text);

    case NGX_HTTP_CODAT_ESCAPE_ARGS:
        return text->len + 2 * ngx_escape_uri(NULL, text->data, text->len,
                                              NGX_ESCAPE_URI_COMPONENT);

    default:
        return text->len;
    }
}


static u_char *
ngx_http_codat_escaped(u_char *p, ngx_uint_t escape, ngx_str_t *text)
{
    switch (escape) {

    case NGX_HTTP_CODAT_ESCAPE_JSON:
        return ngx_codat_json_escape(p, text);

    case NGX_HTTP_CODAT_ESCAPE_ARGS:
        return (u_char *) ngx_escape_uri(p, text->data, text->len,
                                         NGX_ESCAPE_URI_COMPONENT);

    default:
        return ngx_cpymem(p, text->data, text->len);
    }
}


ngx_int_t
ngx_http_codat_format_render(ngx_http_request_t *r, ngx_http_codat_ctx_t *ctx,
    ngx_http_codat_format_t *format, ngx_http_codat_rendered_t *rendered)
{
    rendered->type = format->type;

    if (format == &ngx_http_codat_format_raw) {

        if (r->headers_in.content_type) {
            rendered->type = r->headers_in.content_type->value;
        }

        rendered->pieces[0] = ctx->event.payload;
        rendered->n = 1;

        return NGX_OK;
    }

    if (format == &ngx_http_codat_format_cloudevents) {
        rendered->pieces[1] = ctx->event.payload;
        rendered->n = 3;

        return ngx_codat_cloudevent(r->pool, &ctx->event, &ctx->key,
                                    &ctx->webhook_id, ctx->received,
                                    &rendered->pieces[0],
                                    &rendered->pieces[2]);
    }

    rendered->n = 1;

    return ngx_http_codat_template_run(r, &format->template,
                                       &rendered->pieces[0]);
}
