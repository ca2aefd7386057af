
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_conf.h"
#include "ngx_http_codat_lookup.h"
#include "ngx_http_codat_variables.h"
#include "ngx_codat_columns.h"


struct ngx_http_codat_lookup_s {
    ngx_str_t                    name;
    ngx_shm_zone_t              *zone;
    ngx_codat_record_kind_e      kind;
    ngx_http_complex_value_t     key;
    const ngx_codat_column_t    *column;
    u_char                      *file;
    ngx_uint_t                   line;
};


typedef struct {
    ngx_str_t                    name;
    ngx_codat_record_kind_e      kind;
} ngx_http_codat_lookup_kind_t;


static char *ngx_http_codat_lookup_name(ngx_conf_t *cf,
    ngx_http_codat_main_conf_t *cdmcf, ngx_str_t *arg, ngx_str_t *name);
static char *ngx_http_codat_lookup_column(ngx_conf_t *cf,
    ngx_http_codat_lookup_t *lookup, ngx_str_t *kind, ngx_str_t *field);
static char *ngx_http_codat_lookup_add(ngx_conf_t *cf,
    ngx_http_codat_lookup_t *lookup);
static ngx_int_t ngx_http_codat_lookup_get(ngx_http_request_t *r,
    ngx_http_codat_lookup_t *lookup, ngx_str_t *key, ngx_str_t *value);


static const ngx_http_codat_lookup_kind_t  ngx_http_codat_lookup_kinds[] = {
    { ngx_string("push"), NGX_CODAT_RECORD_PUSH },
    { ngx_string("connection"), NGX_CODAT_RECORD_CONNECTION },
    { ngx_string("company"), NGX_CODAT_RECORD_COMPANY },
    { ngx_null_string, 0 }
};


char *
ngx_http_codat_lookup(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_codat_main_conf_t *cdmcf = conf;

    ngx_int_t                           rc;
    ngx_str_t                          *arg, zone;
    ngx_http_codat_lookup_t            *lookup, **slot;
    ngx_http_compile_complex_value_t    ccv;

    arg = cf->args->elts;

    if (cf->args->nelts != 6) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_lookup\" has %ui arguments, these five "
                           "are expected: $VARIABLE zone=NAME "
                           "push|connection|company KEY FIELD",
                           cf->args->nelts - 1);
        return NGX_CONF_ERROR;
    }

    lookup = ngx_pcalloc(cf->pool, sizeof(ngx_http_codat_lookup_t));
    if (lookup == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_codat_lookup_name(cf, cdmcf, &arg[1], &lookup->name)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_str_null(&zone);

    rc = ngx_http_codat_take(cf, &arg[2], "zone=", &zone);

    if (rc == NGX_DECLINED) {
        return ngx_http_codat_invalid(cf, &arg[2], "zone=NAME, the name of a "
                                      "\"codat_zone\", is expected");
    }

    if (rc != NGX_OK
        || ngx_http_codat_lookup_column(cf, lookup, &arg[3], &arg[5])
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (arg[4].len == 0) {
        return ngx_http_codat_invalid(cf, &arg[4], "a key is expected, such "
                                      "as $arg_id");
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &arg[4];
    ccv.complex_value = &lookup->key;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    lookup->zone = ngx_shared_memory_add(cf, &zone, 0,
                                         &ngx_http_codat_module);
    if (lookup->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    lookup->file = cf->conf_file->file.name.data;
    lookup->line = cf->conf_file->line;

    slot = ngx_array_push(&cdmcf->lookups);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = lookup;

    return ngx_http_codat_lookup_add(cf, lookup);
}


static char *
ngx_http_codat_lookup_name(ngx_conf_t *cf, ngx_http_codat_main_conf_t *cdmcf,
    ngx_str_t *arg, ngx_str_t *name)
{
    ngx_uint_t                 i;
    ngx_http_codat_lookup_t  **lookups;

    if (arg->len < 2 || arg->data[0] != '$') {
        return ngx_http_codat_invalid(cf, arg, "the name of a variable is "
                                      "expected, such as "
                                      "$linked");
    }

    name->len = arg->len - 1;
    name->data = arg->data + 1;

    lookups = cdmcf->lookups.elts;

    for (i = 0; i < cdmcf->lookups.nelts; i++) {

        if (lookups[i]->name.len == name->len
            && ngx_strncasecmp(lookups[i]->name.data, name->data, name->len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"codat_lookup\" has a variable \"%V\" that "
                               "another \"codat_lookup\" makes in %s:%ui, "
                               "each needs a name of its own", arg,
                               lookups[i]->file, lookups[i]->line);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_codat_lookup_column(ngx_conf_t *cf, ngx_http_codat_lookup_t *lookup,
    ngx_str_t *kind, ngx_str_t *field)
{
    const ngx_http_codat_lookup_kind_t  *k;

    for (k = ngx_http_codat_lookup_kinds; k->name.len; k++) {

        if (k->name.len == kind->len
            && ngx_strncmp(k->name.data, kind->data, kind->len) == 0)
        {
            break;
        }
    }

    if (k->name.len == 0) {
        return ngx_http_codat_invalid(cf, kind, "push, connection or company "
                                      "is expected");
    }

    lookup->kind = k->kind;
    lookup->column = ngx_codat_record_column(k->kind, field);

    if (lookup->column == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_lookup\" has an unknown field \"%V\" of a "
                           "%V, one of these is expected: %s", field, kind,
                           ngx_codat_record_columns(k->kind));
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the value is kept for the rest of a request, as that of a map is */

static char *
ngx_http_codat_lookup_add(ngx_conf_t *cf, ngx_http_codat_lookup_t *lookup)
{
    ngx_uint_t                  i;
    ngx_hash_key_t             *key;
    ngx_http_variable_t        *var;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {

        if (key[i].key.len == lookup->name.len
            && ngx_strncasecmp(key[i].key.data, lookup->name.data,
                               lookup->name.len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"codat_lookup\" has a variable \"$%V\" that "
                               "nginx or another directive makes, a name that "
                               "is not in use is expected", &lookup->name);
            return NGX_CONF_ERROR;
        }
    }

    var = ngx_http_add_variable(cf, &lookup->name, 0);
    if (var == NULL) {
        return NGX_CONF_ERROR;
    }

    var->get_handler = ngx_http_codat_lookup_variable;
    var->data = (uintptr_t) lookup;

    return NGX_CONF_OK;
}


char *
ngx_http_codat_lookup_check(ngx_conf_t *cf, void *conf)
{
    ngx_http_codat_main_conf_t *cdmcf = conf;

    ngx_uint_t                 i;
    ngx_codat_zone_t          *zone;
    ngx_http_codat_lookup_t  **lookups;

    lookups = cdmcf->lookups.elts;

    for (i = 0; i < cdmcf->lookups.nelts; i++) {

        if (ngx_http_codat_conf_check_zone(cf, "codat_lookup",
                                           lookups[i]->zone,
                                           lookups[i]->file, lookups[i]->line)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        zone = lookups[i]->zone->data;
        zone->lookups = 1;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_codat_lookup_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                 key, value;
    ngx_http_codat_lookup_t  *lookup;

    lookup = (ngx_http_codat_lookup_t *) data;

    if (ngx_http_complex_value(r, &lookup->key, &key) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_null(&value);

    if (key.len
        && ngx_http_codat_lookup_get(r, lookup, &key, &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "codat lookup \"$%V\" of \"%V\": %uz bytes",
                   &lookup->name, &key, value.len);

    if (value.len == 0) {
        v->valid = 0;
        v->no_cacheable = 0;
        v->not_found = 1;

        return NGX_OK;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = (unsigned) value.len & NGX_HTTP_CODAT_VARIABLE_MAX;
    v->data = value.data;

    return NGX_OK;
}


/* the value is empty if there is no such row, or if it says nothing of it */

static ngx_int_t
ngx_http_codat_lookup_get(ngx_http_request_t *r,
    ngx_http_codat_lookup_t *lookup, ngx_str_t *key, ngx_str_t *value)
{
    u_char             *p;
    ngx_int_t           rc;
    ngx_str_t           text;
    ngx_codat_copy_t    copy;
    ngx_codat_zone_t   *zone;
    u_char              row[NGX_CODAT_ZONE_KEY_LEN];
    u_char              scratch[NGX_CODAT_RECORD_SCRATCH];

    zone = lookup->zone->data;

    rc = ngx_codat_table_key(zone, key, row);

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "codat: the key of \"$%V\" can't be looked up",
                      &lookup->name);
        return NGX_ERROR;
    }

    if (rc != NGX_OK
        || ngx_codat_table_get(zone, lookup->kind, row, &copy) != NGX_OK)
    {
        return NGX_OK;
    }

    ngx_codat_record_value(&copy.record, lookup->column, scratch, &text);

    if (text.len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, text.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, text.data, text.len);

    text.data = p;

    /* names and messages are somebody else's */

    for ( /* void */ ; p < text.data + text.len; p++) {

        if (*p < 0x20 || *p == 0x7f) {
            *p = ' ';
        }
    }

    *value = text;

    return NGX_OK;
}
