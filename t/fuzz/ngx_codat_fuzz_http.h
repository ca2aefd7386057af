
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * A whole nginx in this process, with a configuration, but without sockets:
 * requests come from memory, answers go there, time passes when nothing else
 * is to be done.
 */


#ifndef _NGX_CODAT_FUZZ_HTTP_H_INCLUDED_
#define _NGX_CODAT_FUZZ_HTTP_H_INCLUDED_


#include "ngx_codat_fuzz.h"

#include <ngx_http.h>


#define NGX_CODAT_FUZZ_ANSWER  (4 * 1024 * 1024)


/* one answer of those that a connection got */
typedef struct {
    ngx_uint_t      status;
    ngx_str_t       head;
    ngx_str_t       body;                   /* without chunks */
} ngx_codat_fuzz_answer_t;


/* Starts it, once; "server" is what stands in server{}, "http" before it. */
void ngx_codat_fuzz_http_init(const char *http, const char *server);

/* Remembers the zones as they are, and makes them so again. */
void ngx_codat_fuzz_http_save(void);
void ngx_codat_fuzz_http_reset(void);

/* Has a location answered by the target. */
void ngx_codat_fuzz_http_location(const char *name,
    ngx_http_handler_pt handler);

/*
 * Sends bytes over one connection, at most "piece" of them at once, takes at
 * most "window" bytes of answers at once (0: all), and waits until it is
 * closed.  What was answered is valid until the next call.
 */
ngx_str_t ngx_codat_fuzz_http(const u_char *data, size_t len, size_t piece,
    size_t window);

/* Takes one answer off what was got.  NGX_OK, or NGX_DONE at the end. */
ngx_int_t ngx_codat_fuzz_http_answer(ngx_str_t *rest, ngx_uint_t head_only,
    ngx_codat_fuzz_answer_t *answer);

/* The value of a header, or an empty text. */
ngx_str_t ngx_codat_fuzz_http_header(ngx_codat_fuzz_answer_t *answer,
    const char *name);


#endif /* _NGX_CODAT_FUZZ_HTTP_H_INCLUDED_ */
