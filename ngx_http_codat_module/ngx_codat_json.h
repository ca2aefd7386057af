
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns JSON: one bounded pass of yajl over a text in memory, which
 * validates all of it and picks the values of declared paths.  There is no
 * tree: what a hostile body can make us allocate is bounded by its length
 * and by what we ask for.
 */


#ifndef _NGX_CODAT_JSON_H_INCLUDED_
#define _NGX_CODAT_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_json_string.h"


#define NGX_CODAT_JSON_DEPTH  64        /* of nested objects and arrays */
#define NGX_CODAT_JSON_SLOTS  128       /* that one call can fill */

/* values of "any" in a path */
#define NGX_CODAT_JSON_ANY    1         /* an array: see below */
#define NGX_CODAT_JSON_FIRST  2         /* a member: not of later elements */


typedef enum {
    NGX_CODAT_JSON_ABSENT = 0,
    NGX_CODAT_JSON_NULL,
    NGX_CODAT_JSON_BOOLEAN,
    NGX_CODAT_JSON_NUMBER,
    NGX_CODAT_JSON_STRING,
    NGX_CODAT_JSON_OBJECT,
    NGX_CODAT_JSON_ARRAY
} ngx_codat_json_type_e;


/*
 * The text of a string is decoded, and lies in the parsed text itself where
 * nothing was escaped, else in the pool; the text of everything else is the
 * value as it was written, byte for byte, in the parsed text.
 */
typedef struct {
    ngx_codat_json_type_e          type;
    ngx_str_t                      text;
} ngx_codat_json_value_t;


typedef struct ngx_codat_json_path_s  ngx_codat_json_path_t;

/*
 * One member of an object that is wanted, or holds something that is wanted.
 * An array of these ends with an empty key.  Slots are numbered depth first,
 * so that a subtree is the range [slot, end): a member that is repeated
 * forgets that range and is read anew ("the last of several equal keys
 * wins").  Where the value is an array of objects, "members" apply to its
 * elements: to the first element alone, or, with "any" set, each path to the
 * first element in which it has a value other than null; a member that says
 * NGX_CODAT_JSON_FIRST is read from the first element even then.
 */
struct ngx_codat_json_path_s {
    ngx_str_t                      key;         /* lower case */
    ngx_uint_t                     slot;
    ngx_uint_t                     end;
    const ngx_codat_json_path_t   *members;     /* or NULL */
    ngx_uint_t                     any;
};


typedef struct {
    size_t                         offset;      /* in bytes from 0 */
    const char                    *reason;      /* static, lower case */
} ngx_codat_json_error_t;


/*
 * Parses the whole text: exactly one value, valid UTF-8 (no overlong forms,
 * no surrogates, nothing above U+10FFFF), nesting at most
 * NGX_CODAT_JSON_DEPTH.  Slot 0 receives the outermost value; "root", the
 * paths inside it, which use slots from 1.  Keys are matched without regard
 * to ASCII case.  slots[0 .. nslots) is the caller's memory and need not be
 * cleared.  Returns NGX_OK, NGX_DECLINED (bad text, *err set) or NGX_ERROR
 * (out of memory).
 */
ngx_int_t ngx_codat_json_select(ngx_pool_t *pool, ngx_str_t *text,
    const ngx_codat_json_path_t *root, ngx_codat_json_value_t *slots,
    ngx_uint_t nslots, ngx_codat_json_error_t *err);

/*
 * Finds a member of an object by a name of nginx's variables: letters match
 * without regard to case, "_" matches any byte but letters and digits.  The
 * last member that matches wins.  The object is text that has been parsed
 * before.  Returns NGX_OK, NGX_DECLINED (no such member) or NGX_ERROR.
 */
ngx_int_t ngx_codat_json_member(ngx_pool_t *pool, ngx_str_t *object,
    ngx_str_t *name, ngx_codat_json_value_t *value);


#endif /* _NGX_CODAT_JSON_H_INCLUDED_ */
