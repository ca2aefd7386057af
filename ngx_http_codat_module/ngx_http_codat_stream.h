
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns answers of any length: JSON that is made piece by piece, with
 * a chance for others in between, as fast as the client takes it.  Memory is
 * that of a few pieces, in the pool of the request.  Does not know what is
 * in them.
 */


#ifndef _NGX_HTTP_CODAT_STREAM_H_INCLUDED_
#define _NGX_HTTP_CODAT_STREAM_H_INCLUDED_


#include "ngx_http_codat.h"


/* bytes of a piece, and the most that one reservation may ask for */
#define NGX_HTTP_CODAT_STREAM_PIECE  32768


typedef struct ngx_http_codat_stream_s  ngx_http_codat_stream_t;


/*
 * Makes the next little bit.  Returns NGX_OK when it was a row, NGX_AGAIN
 * when it was nothing or less, NGX_DONE when the answer ends with it, or
 * NGX_ERROR.
 */
typedef ngx_int_t (*ngx_http_codat_stream_pt)(ngx_http_codat_stream_t *s);


struct ngx_http_codat_stream_s {
    ngx_http_request_t         *request;
    ngx_http_codat_stream_pt    step;
    void                       *data;       /* of the step's */

    ngx_chain_t                *out;        /* the piece being made */
    ngx_chain_t               **last;
    ngx_chain_t                *free;
    ngx_chain_t                *busy;
    ngx_buf_t                  *buf;        /* the last one of "out" */
    size_t                      size;       /* of the piece */
    ngx_uint_t                  rows;       /* in the piece */

    ngx_event_t                 event;
    ngx_int_t                   rc;         /* of the answer, once ended */

    unsigned                    whole:1;    /* not in pieces: a subrequest */
    unsigned                    headed:1;   /* the head was sent */
    unsigned                    ended:1;
};


/*
 * Answers 200 with what the steps make.  Headers of the answer are added
 * before.  What fits in one piece has a Content-Length.  Returns what the
 * content handler is to return, or to finalize with.
 */
ngx_int_t ngx_http_codat_stream(ngx_http_request_t *r,
    ngx_http_codat_stream_pt step, void *data);

/*
 * For steps: room for that many bytes, or NULL (memory), and what became of
 * it: the byte behind the last one written.
 */
u_char *ngx_http_codat_stream_reserve(ngx_http_codat_stream_t *s, size_t len);
void ngx_http_codat_stream_commit(ngx_http_codat_stream_t *s, u_char *last);

/* For steps: copies text of any length.  Returns NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_codat_stream_write(ngx_http_codat_stream_t *s,
    const u_char *p, size_t len);


#endif /* _NGX_HTTP_CODAT_STREAM_H_INCLUDED_ */
