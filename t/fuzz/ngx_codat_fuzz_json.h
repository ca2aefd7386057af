
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * JSON by a second parser, jansson, for comparison.  Where it is known to
 * differ from the rules in docs/webhook.md, the text is changed before so
 * that it does not; see ngx_codat_fuzz_json.c.
 */


#ifndef _NGX_CODAT_FUZZ_JSON_H_INCLUDED_
#define _NGX_CODAT_FUZZ_JSON_H_INCLUDED_


#include "ngx_codat_fuzz.h"

#include <jansson.h>


/* objects and arrays inside each other */
#define NGX_CODAT_FUZZ_JSON_DEPTH  64


/*
 * What a text is: one JSON value, nested at most so deep.  Returns a
 * reference to a tree, or NULL.  In the tree nothing is lost:
 *
 *     keys     "OFFSET:KEY", unique, in the order of the text; OFFSET, eight
 *              hexadecimal digits, is where the value begins in the text
 *     strings  "s" and the string
 *     numbers  "n" and the number as it was written
 *     others   as they are
 */
json_t *ngx_codat_fuzz_json(ngx_pool_t *pool, const ngx_str_t *text);

/*
 * The last member of an object with that name, without regard to case, or
 * NULL.  *raw, unless NULL, is its value as it was written in "text".
 */
json_t *ngx_codat_fuzz_json_member(const json_t *object, const char *name,
    const ngx_str_t *text, ngx_str_t *raw);

/*
 * A text that we have made: one JSON value, or the process ends.  The tree
 * is jansson's own.
 */
json_t *ngx_codat_fuzz_json_ours(ngx_pool_t *pool, const ngx_str_t *text);

/*
 * 1 if the string is that text; what is not UTF-8, as headers may be, has
 * become U+FFFD.
 */
ngx_uint_t ngx_codat_fuzz_json_is(const json_t *string,
    const ngx_str_t *text);


#endif /* _NGX_CODAT_FUZZ_JSON_H_INCLUDED_ */
