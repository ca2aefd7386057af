
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns what a forward's body looks like: the built-in formats,
 * codat_format, and the templates that both it and forwarded arguments use.
 */


#ifndef _NGX_HTTP_CODAT_FORMAT_H_INCLUDED_
#define _NGX_HTTP_CODAT_FORMAT_H_INCLUDED_


#include "ngx_http_codat.h"


/* the pieces that a rendered body consists of */
#define NGX_HTTP_CODAT_PIECES  3


typedef struct {
    ngx_str_t   pieces[NGX_HTTP_CODAT_PIECES];
    ngx_uint_t  n;
    ngx_str_t   type;               /* Content-Type, empty: none */
} ngx_http_codat_rendered_t;


/* the built-in formats */
extern ngx_http_codat_format_t  ngx_http_codat_format_cloudevents;
extern ngx_http_codat_format_t  ngx_http_codat_format_raw;


/* The setter of codat_format. */
char *ngx_http_codat_format_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* A built-in format or one made by codat_format; NULL if there is none. */
ngx_http_codat_format_t *ngx_http_codat_format_find(
    ngx_http_codat_main_conf_t *cdmcf, ngx_str_t *name);

/*
 * Adds text with "$name" and "${name}" in it to a template, whose escape the
 * caller has set.  Returns NGX_OK or NGX_ERROR, logged as an [emerg].
 */
ngx_int_t ngx_http_codat_template_add(ngx_conf_t *cf,
    ngx_http_codat_template_t *template, ngx_str_t *text);

/* Evaluates a template into memory of the request.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_codat_template_run(ngx_http_request_t *r,
    ngx_http_codat_template_t *template, ngx_str_t *value);

/*
 * Renders the event of a webhook; payload and head are not copied.  NGX_OK
 * or NGX_ERROR.
 */
ngx_int_t ngx_http_codat_format_render(ngx_http_request_t *r,
    ngx_http_codat_ctx_t *ctx, ngx_http_codat_format_t *format,
    ngx_http_codat_rendered_t *rendered);


#endif /* _NGX_HTTP_CODAT_FORMAT_H_INCLUDED_ */
