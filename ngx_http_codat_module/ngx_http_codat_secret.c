
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_secret.h"


#define NGX_HTTP_CODAT_SECRET_FILE_MAX  65536

/* longer than any word that may be taken for a kind */
#define NGX_HTTP_CODAT_KIND_MAX         9


static ngx_conf_enum_t  ngx_http_codat_kinds[] = {
    { ngx_string("signature"), NGX_HTTP_CODAT_SIGNATURE },
    { ngx_string("basic"), NGX_HTTP_CODAT_BASIC },
    { ngx_string("bearer"), NGX_HTTP_CODAT_BEARER },
    { ngx_string("header"), NGX_HTTP_CODAT_HEADER },
    { ngx_string("none"), NGX_HTTP_CODAT_OPEN },
    { ngx_null_string, 0 }
};


static ngx_uint_t ngx_http_codat_secret_kind(ngx_conf_t *cf);
static void ngx_http_codat_secret_unknown(ngx_conf_t *cf);
static ngx_int_t ngx_http_codat_secret_combines(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_uint_t kind);
static ngx_int_t ngx_http_codat_secret_header_name(ngx_conf_t *cf,
    ngx_http_codat_credential_t *pattern);
static ngx_int_t ngx_http_codat_secret_file(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_http_codat_credential_t *pattern,
    ngx_str_t *path);
static ngx_int_t ngx_http_codat_secret_open(ngx_conf_t *cf, ngx_file_t *file,
    size_t *size);
static ngx_int_t ngx_http_codat_secret_lines(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_http_codat_credential_t *pattern,
    ngx_str_t *text, ngx_str_t *path);
static ngx_int_t ngx_http_codat_secret_variable(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_http_codat_credential_t *pattern,
    ngx_str_t *text);
static ngx_int_t ngx_http_codat_secret_add(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_http_codat_credential_t *pattern,
    ngx_str_t *secret);
static ngx_int_t ngx_http_codat_secret_signature(ngx_conf_t *cf,
    ngx_http_codat_credential_t *credential, ngx_str_t *secret);


char *
ngx_http_codat_credential(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_codat_loc_conf_t *cdlcf = conf;

    ngx_int_t                     rc;
    ngx_str_t                    *value, secret;
    ngx_http_codat_credential_t   pattern;

    value = cf->args->elts;

    ngx_memzero(&pattern, sizeof(ngx_http_codat_credential_t));

    pattern.kind = ngx_http_codat_secret_kind(cf);

    if (pattern.kind == 0
        || ngx_http_codat_secret_combines(cf, cdlcf, pattern.kind) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cdlcf->kinds |= pattern.kind;

    if (pattern.kind == NGX_HTTP_CODAT_OPEN) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"codat_credential none\" lets anybody send "
                           "webhooks that are not refused otherwise");
        return NGX_CONF_OK;
    }

    if (pattern.kind == NGX_HTTP_CODAT_HEADER
        && ngx_http_codat_secret_header_name(cf, &pattern) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    secret = value[cf->args->nelts - 1];

    if (secret.len >= 5 && ngx_strncmp(secret.data, "file:", 5) == 0) {
        secret.len -= 5;
        secret.data += 5;

        rc = ngx_http_codat_secret_file(cf, cdlcf, &pattern, &secret);

    } else if (ngx_http_script_variables_count(&secret)) {
        rc = ngx_http_codat_secret_variable(cf, cdlcf, &pattern, &secret);

    } else {
        rc = ngx_http_codat_secret_add(cf, cdlcf, &pattern, &secret);
    }

    return rc == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_uint_t
ngx_http_codat_secret_kind(ngx_conf_t *cf)
{
    ngx_str_t   *value;
    ngx_uint_t   i, n, kind;

    value = cf->args->elts;

    for (i = 0; ngx_http_codat_kinds[i].name.len; i++) {

        if (value[1].len == ngx_http_codat_kinds[i].name.len
            && ngx_strcmp(value[1].data, ngx_http_codat_kinds[i].name.data)
               == 0)
        {
            break;
        }
    }

    kind = ngx_http_codat_kinds[i].value;

    switch (kind) {

    case 0:
        ngx_http_codat_secret_unknown(cf);
        return 0;

    case NGX_HTTP_CODAT_OPEN:
        n = 2;
        break;

    case NGX_HTTP_CODAT_HEADER:
        n = 4;
        break;

    default:
        n = 3;
    }

    if (cf->args->nelts == n) {
        return kind;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"codat_credential %V\" has a wrong number of "
                       "arguments, %ui expected behind the kind", &value[1],
                       n - 2);

    return 0;
}


/*
 * What stands where a kind is expected may well be the secret: it is shown
 * only if it is a short word with something behind it.
 */

static void
ngx_http_codat_secret_unknown(ngx_conf_t *cf)
{
    size_t      i;
    u_char      ch;
    ngx_str_t  *value;

    value = cf->args->elts;

    for (i = 0; i < value[1].len; i++) {
        ch = (u_char) (value[1].data[i] | 0x20);

        if (ch < 'a' || ch > 'z') {
            break;
        }
    }

    if (i == value[1].len
        && i <= NGX_HTTP_CODAT_KIND_MAX
        && cf->args->nelts > 2)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_credential\" has an unknown kind \"%V\", "
                           "it must be \"signature\", \"basic\", \"bearer\", "
                           "\"header\" or \"none\"", &value[1]);
        return;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"codat_credential\" has an unknown kind, it must be "
                       "\"signature\", \"basic\", \"bearer\", \"header\" or "
                       "\"none\" and stand before the secret");
}


static ngx_int_t
ngx_http_codat_secret_combines(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_uint_t kind)
{
    if (cdlcf->credentials == NULL) {
        cdlcf->credentials = ngx_array_create(cf->pool, 2,
                                         sizeof(ngx_http_codat_credential_t));

        return cdlcf->credentials ? NGX_OK : NGX_ERROR;
    }

    if (kind != NGX_HTTP_CODAT_OPEN
        && !(cdlcf->kinds & NGX_HTTP_CODAT_OPEN))
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"codat_credential none\" can't be combined with "
                       "another \"codat_credential\" of the same level");

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_codat_secret_header_name(ngx_conf_t *cf,
    ngx_http_codat_credential_t *pattern)
{
    u_char      ch;
    size_t      i;
    ngx_str_t  *value;

    value = cf->args->elts;

    for (i = 0; i < value[2].len; i++) {
        ch = (u_char) (value[2].data[i] | 0x20);

        if ((ch < 'a' || ch > 'z')
            && (value[2].data[i] < '0' || value[2].data[i] > '9')
            && value[2].data[i] != '-'
            && value[2].data[i] != '_')
        {
            break;
        }
    }

    if (i == 0 || i != value[2].len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_credential header\" has an invalid header "
                           "name behind \"header\", letters, digits, \"-\" "
                           "and \"_\" are allowed");
        return NGX_ERROR;
    }

    pattern->name.len = value[2].len;
    pattern->name.data = ngx_pnalloc(cf->pool, value[2].len);

    if (pattern->name.data == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(pattern->name.data, value[2].data, value[2].len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_secret_file(ngx_conf_t *cf, ngx_http_codat_loc_conf_t *cdlcf,
    ngx_http_codat_credential_t *pattern, ngx_str_t *path)
{
    size_t      size;
    ssize_t     n;
    ngx_int_t   rc;
    ngx_str_t   text;
    ngx_file_t  file;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = *path;
    file.log = cf->log;

    if (ngx_http_codat_secret_open(cf, &file, &size) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    text.data = ngx_alloc(size + 1, cf->log);
    if (text.data == NULL) {
        goto done;
    }

    n = ngx_read_file(&file, text.data, size, 0);

    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_credential\" can't read file \"%V\"",
                           path);

    } else {
        text.len = (size_t) n;
        rc = ngx_http_codat_secret_lines(cf, cdlcf, pattern, &text, path);
    }

    ngx_explicit_memzero(text.data, size + 1);
    ngx_free(text.data);

done:

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, cf->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", path);
    }

    return rc;
}


static ngx_int_t
ngx_http_codat_secret_open(ngx_conf_t *cf, ngx_file_t *file, size_t *size)
{
    file->fd = ngx_open_file(file->name.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                             NGX_FILE_OPEN, 0);

    if (file->fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"codat_credential\" can't open file \"%V\"",
                           &file->name);
        return NGX_ERROR;
    }

    if (ngx_fd_info(file->fd, &file->info) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"codat_credential\" can't stat file \"%V\"",
                           &file->name);
        goto failed;
    }

    if (!ngx_is_file(&file->info)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_credential\" file \"%V\" is not a regular "
                           "file", &file->name);
        goto failed;
    }

    if (file->info.st_mode & S_IRWXO) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_credential\" file \"%V\" is open to all "
                           "users of this machine, \"chmod o= %V\" closes it",
                           &file->name, &file->name);
        goto failed;
    }

    if (ngx_file_size(&file->info) > NGX_HTTP_CODAT_SECRET_FILE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_credential\" file \"%V\" is larger than "
                           "%d bytes", &file->name,
                           NGX_HTTP_CODAT_SECRET_FILE_MAX);
        goto failed;
    }

    *size = (size_t) ngx_file_size(&file->info);

    return NGX_OK;

failed:

    (void) ngx_close_file(file->fd);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_codat_secret_lines(ngx_conf_t *cf, ngx_http_codat_loc_conf_t *cdlcf,
    ngx_http_codat_credential_t *pattern, ngx_str_t *text, ngx_str_t *path)
{
    u_char      *p, *end, *last;
    ngx_str_t    line;
    ngx_uint_t   n;

    n = 0;
    last = text->data + text->len;

    for (p = text->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, LF);

        if (end == NULL) {
            end = last;
        }

        line.data = p;
        line.len = (size_t) (end - p);

        while (line.len
               && (line.data[line.len - 1] == CR
                   || line.data[line.len - 1] == ' '
                   || line.data[line.len - 1] == '\t'))
        {
            line.len--;
        }

        while (line.len && (line.data[0] == ' ' || line.data[0] == '\t')) {
            line.data++;
            line.len--;
        }

        if (line.len == 0 || line.data[0] == '#') {
            continue;
        }

        if (ngx_http_codat_secret_add(cf, cdlcf, pattern, &line) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"codat_credential\" refused a line of file "
                               "\"%V\"", path);
            return NGX_ERROR;
        }

        n++;
    }

    if (n) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"codat_credential\" file \"%V\" holds no secret, one "
                       "per line is expected", path);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_codat_secret_variable(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf, ngx_http_codat_credential_t *pattern,
    ngx_str_t *text)
{
    ngx_http_codat_credential_t       *credential;
    ngx_http_compile_complex_value_t   ccv;

    credential = ngx_array_push(cdlcf->credentials);
    if (credential == NULL) {
        return NGX_ERROR;
    }

    *credential = *pattern;

    credential->value = ngx_palloc(cf->pool,
                                   sizeof(ngx_http_complex_value_t));
    if (credential->value == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = credential->value;

    return ngx_http_compile_complex_value(&ccv);
}


static ngx_int_t
ngx_http_codat_secret_add(ngx_conf_t *cf, ngx_http_codat_loc_conf_t *cdlcf,
    ngx_http_codat_credential_t *pattern, ngx_str_t *secret)
{
    u_char                       *colon;
    ngx_http_codat_credential_t  *credential;

    credential = ngx_array_push(cdlcf->credentials);
    if (credential == NULL) {
        return NGX_ERROR;
    }

    *credential = *pattern;

    if (credential->kind == NGX_HTTP_CODAT_SIGNATURE) {
        return ngx_http_codat_secret_signature(cf, credential, secret);
    }

    if (secret->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_credential\" has an empty value, which "
                           "would never match");
        return NGX_ERROR;
    }

    if (credential->kind == NGX_HTTP_CODAT_BASIC) {
        colon = ngx_strlchr(secret->data, secret->data + secret->len, ':');

        if (colon == NULL
            || colon == secret->data
            || colon == secret->data + secret->len - 1)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"codat_credential basic\" needs "
                               "USER:PASSWORD, neither of them empty");
            return NGX_ERROR;
        }
    }

    if (ngx_codat_sign_digest(secret, credential->digest) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_credential\" can't be prepared, OpenSSL "
                           "failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_codat_secret_signature(ngx_conf_t *cf,
    ngx_http_codat_credential_t *credential, ngx_str_t *secret)
{
    const char  *err;

    credential->key = ngx_codat_sign_key_create(cf->pool, secret, &err);

    if (credential->key == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"codat_credential signature\" has a secret that "
                           "%s, \"whsec_BASE64\" or \"whpk_BASE64\" is "
                           "expected", err ? err : "OpenSSL does not take");
        return NGX_ERROR;
    }

    if (credential->key->mac
        && (credential->key->len < NGX_CODAT_SIGN_KEY_MIN
            || credential->key->len > NGX_CODAT_SIGN_KEY_MAX))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"codat_credential signature\" has a secret of "
                           "%uz bytes, %d to %d are usual",
                           credential->key->len, NGX_CODAT_SIGN_KEY_MIN,
                           NGX_CODAT_SIGN_KEY_MAX);
    }

    return NGX_OK;
}
