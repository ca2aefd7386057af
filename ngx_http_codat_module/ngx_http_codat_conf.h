
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the configuration: creation, inheritance, the parsers of the
 * directives, and every [emerg] that they can end in.
 */


#ifndef _NGX_HTTP_CODAT_CONF_H_INCLUDED_
#define _NGX_HTTP_CODAT_CONF_H_INCLUDED_


#include "ngx_http_codat.h"


/* The hooks of the module's context. */
void *ngx_http_codat_create_main_conf(ngx_conf_t *cf);
void *ngx_http_codat_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_codat_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

/* The setters of directives, each named after its own. */
char *ngx_http_codat_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_codat_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_codat_client(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Setters as the core's enum, sec and msec slots, but with errors that name
 * the value and what is allowed; a time must not be zero.
 */
char *ngx_http_codat_set_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_codat_set_sec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_codat_set_msec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Takes "name=value" apart for a directive's parser.  Returns NGX_OK,
 * NGX_DECLINED if the argument is something else, or NGX_ERROR (repeated or
 * empty; logged).
 */
ngx_int_t ngx_http_codat_take(ngx_conf_t *cf, ngx_str_t *arg,
    const char *name, ngx_str_t *value);

/*
 * Errors of a whole configuration that several directives can have: "file" and
 * "line" are where "directive" stands.  A zone that nobody declares, and a
 * location that has another content handler, which belongs "elsewhere".
 * The first returns NGX_CONF_OK too, the second NGX_CONF_ERROR.
 */
char *ngx_http_codat_conf_check_zone(ngx_conf_t *cf, const char *directive,
    ngx_shm_zone_t *zone, u_char *file, ngx_uint_t line);
char *ngx_http_codat_conf_clash(ngx_conf_t *cf, const char *directive,
    const char *elsewhere, u_char *file, ngx_uint_t line);

/*
 * Whether the location is one that "directive" can be in: a prefix, or, with
 * "exact" set, an exact one.  Returns NGX_CONF_OK or NGX_CONF_ERROR, logged
 * with an example of a prefix.
 */
char *ngx_http_codat_conf_prefix(ngx_conf_t *cf, const char *directive,
    const char *example, ngx_uint_t exact);

/* A value as it may be quoted: a URL ends before its user and password. */
ngx_str_t ngx_http_codat_quoted(const ngx_str_t *value);

/* Logs an argument as invalid with what is allowed; NGX_CONF_ERROR. */
char *ngx_http_codat_invalid(ngx_conf_t *cf, ngx_str_t *arg,
    const char *allowed);


#endif /* _NGX_HTTP_CODAT_CONF_H_INCLUDED_ */
