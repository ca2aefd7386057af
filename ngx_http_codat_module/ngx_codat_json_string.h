
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the bytes of JSON strings: what is UTF-8, decoding escapes
 * and writing them.
 */


#ifndef _NGX_CODAT_JSON_STRING_H_INCLUDED_
#define _NGX_CODAT_JSON_STRING_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* The length of a string as ngx_codat_json_string() will write it. */
size_t ngx_codat_json_string_len(ngx_str_t *string);

/*
 * Writes a string in its quotes, escaped, and returns the byte behind it.
 * What is not valid UTF-8 (a header may hold anything) becomes U+FFFD.
 */
u_char *ngx_codat_json_string(u_char *p, ngx_str_t *string);

/* The same without the quotes, for strings that are put together. */
size_t ngx_codat_json_escape_len(ngx_str_t *string);
u_char *ngx_codat_json_escape(u_char *p, ngx_str_t *string);

/*
 * Decodes what stands between the quotes of a string that is known to be
 * valid; it never becomes longer.  Halves of surrogate pairs become U+FFFD.
 * Returns the byte behind the last one written.
 */
u_char *ngx_codat_json_unescape(u_char *dst, const u_char *p,
    const u_char *last);

/*
 * Returns where the first sequence begins that is not valid UTF-8, or NULL.
 * *strange is where the first "\v" or "\f" is, or NULL: they are found on
 * the way, are never valid in JSON, and yajl takes them for white space.
 */
const u_char *ngx_codat_json_utf8_check(ngx_str_t *text,
    const u_char **strange);

/*
 * Takes the next element off "rest", which is an array that has been parsed,
 * from its "[" on, or what an earlier call has left of it.  Returns NGX_OK, or
 * NGX_DECLINED at its end.
 */
ngx_int_t ngx_codat_json_element(ngx_str_t *rest, ngx_str_t *element);

/*
 * Compares a key with a name of nginx's variables: letters without regard to
 * case, while "_" is any byte but letters and digits.  Returns 1 or 0.
 */
ngx_uint_t ngx_codat_json_like(const ngx_str_t *name, const u_char *key,
    size_t len);


#endif /* _NGX_CODAT_JSON_STRING_H_INCLUDED_ */
