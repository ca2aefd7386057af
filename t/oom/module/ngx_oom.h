
/*
 * Copyright (C) the authors of the Codat module
 *
 * For tests only.  The allocators of a process, one call of which can be made
 * to fail: those of the C library, which nginx, its pools, yajl and OpenSSL
 * use, of the slab pool, and of the cells of a zone.
 */


#ifndef _NGX_OOM_H_INCLUDED_
#define _NGX_OOM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_OOM_FRAMES  16


typedef struct {
    ngx_uint_t   armed;     /* unsigned  armed:1; */
    ngx_uint_t   n;         /* which one fails */
    ngx_uint_t   lasting;   /* unsigned  lasting:1; and all behind it */
    ngx_uint_t   count;     /* calls since it was armed */
    ngx_uint_t   hit;       /* how many failed */
    ngx_uint_t   cell;      /* unsigned  cell:1; of a zone was the first */
    int          frames;
    void        *frame[NGX_OOM_FRAMES];     /* of the first */
} ngx_oom_t;


void ngx_oom_init(void);
void ngx_oom_arm(ngx_uint_t n, ngx_uint_t lasting);
void ngx_oom_disarm(void);

/* Bytes that are allocated now; 0 where only AddressSanitizer could tell. */
size_t ngx_oom_bytes(void);

/* Lets the clock of timers go on by so many milliseconds. */
void ngx_oom_skip(ngx_msec_t msec);

/* Writes where the call that failed was, as offsets in its objects. */
u_char *ngx_oom_where(u_char *p, u_char *last);


extern ngx_oom_t  ngx_oom;


#endif /* _NGX_OOM_H_INCLUDED_ */
