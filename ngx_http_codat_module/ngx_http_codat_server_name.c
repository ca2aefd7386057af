
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_server_name.h"


ngx_int_t
ngx_http_codat_server_name_regexes(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx,
    ngx_http_virtual_names_t **names)
{
#if (NGX_PCRE)

    ngx_uint_t                 i;
    ngx_http_server_name_t    *sn, *regex;
    ngx_http_core_srv_conf_t  *cscf;
    ngx_http_virtual_names_t  *virtual_names;

    *names = NULL;

    cscf = ctx->srv_conf[ngx_http_core_module.ctx_index];

    if (!cscf->captures) {
        return NGX_OK;
    }

    virtual_names = ngx_pcalloc(cf->pool, sizeof(ngx_http_virtual_names_t));
    regex = ngx_pcalloc(cf->pool, cscf->server_names.nelts
                                  * sizeof(ngx_http_server_name_t));

    if (virtual_names == NULL || regex == NULL) {
        return NGX_ERROR;
    }

    virtual_names->regex = regex;

    sn = cscf->server_names.elts;

    for (i = 0; i < cscf->server_names.nelts; i++) {

        if (sn[i].regex) {
            regex[virtual_names->nregex++] = sn[i];
        }
    }

    *names = virtual_names;

#else

    *names = NULL;

#endif

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_server_name_set(ngx_http_request_t *r, ngx_str_t *host)
{
    u_char     *end;
    ngx_str_t  *server;

    server = &r->headers_in.server;

    server->data = ngx_pnalloc(r->pool, host->len);
    if (server->data == NULL) {
        return NGX_ERROR;
    }

    server->len = host->len;
    ngx_strlow(server->data, host->data, host->len);

    if (server->len && server->data[0] == '[') {

        end = ngx_strlchr(server->data, server->data + server->len, ']');

        if (end) {
            server->len = (size_t) (end + 1 - server->data);
        }

        return NGX_OK;
    }

    end = ngx_strlchr(server->data, server->data + server->len, ':');

    if (end) {
        server->len = (size_t) (end - server->data);
    }

    if (server->len && server->data[server->len - 1] == '.') {
        server->len--;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_server_name_captures(ngx_http_request_t *r)
{
#if (NGX_PCRE)

    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_http_server_name_t    *sn;
    ngx_http_core_srv_conf_t  *cscf;
    ngx_http_virtual_names_t  *names;

    names = r->main->http_connection->addr_conf->virtual_names;

    if (names == NULL || r->headers_in.server.len == 0) {
        return NGX_OK;
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    sn = names->regex;

    for (i = 0; i < names->nregex; i++) {

        if (sn[i].server != cscf) {
            continue;
        }

        rc = ngx_http_regex_exec(r, sn[i].regex, &r->headers_in.server);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

#endif

    return NGX_OK;
}
