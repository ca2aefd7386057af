
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the measurement of the lock, see ngx_codat_lock_times.h.  The
 * file is read by t/bench/lock, which knows how it is laid out.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_lock_times.h"


#if (NGX_CODAT_LOCK_TIMES)

#include <sys/mman.h>


/* nanoseconds, sixteen steps for each doubling: within 6 % */
#define NGX_CODAT_LOCK_TIMES_STEPS   16
#define NGX_CODAT_LOCK_TIMES_SLOTS   (64 * NGX_CODAT_LOCK_TIMES_STEPS)

/*
 * CPU time takes a system call, which lengthens what is held: one hold of
 * this many is enough.  A prime, so that holds of one kind are not missed.
 */
#define NGX_CODAT_LOCK_TIMES_SAMPLE  7


typedef enum {
    NGX_CODAT_LOCK_TIMES_WAIT = 0,      /* wall time */
    NGX_CODAT_LOCK_TIMES_HOLD,          /* wall time */
    NGX_CODAT_LOCK_TIMES_CPU,           /* CPU time of the hold */
    NGX_CODAT_LOCK_TIMES_EMPTY,         /* CPU time of nothing */
    NGX_CODAT_LOCK_TIMES_KINDS
} ngx_codat_lock_times_e;


typedef struct {
    uint64_t                 count;
    uint64_t                 sum;
    uint64_t                 max;
    uint64_t                 slots[NGX_CODAT_LOCK_TIMES_SLOTS];
} ngx_codat_lock_times_t;


typedef struct {
    uint64_t                 asked;     /* wall time */
    uint64_t                 begin;
    uint64_t                 end;
    uint64_t                 cpu_begin; /* CPU time */
    uint64_t                 cpu_end;
    ngx_uint_t               n;
} ngx_codat_lock_times_now_t;


static uint64_t ngx_codat_lock_times_clock(clockid_t clock);
static void ngx_codat_lock_times_count(ngx_codat_lock_times_e kind,
    uint64_t ns);


static ngx_codat_lock_times_t      *ngx_codat_lock_times;
static ngx_codat_lock_times_now_t   ngx_codat_lock_times_now;


void
ngx_codat_lock_times_open(ngx_log_t *log)
{
    int     fd;
    void   *p;
    char   *name;
    size_t  size;

    name = getenv("CODAT_LOCK_TIMES");

    if (name == NULL || ngx_codat_lock_times) {
        return;
    }

    size = NGX_CODAT_LOCK_TIMES_KINDS * sizeof(ngx_codat_lock_times_t);

    fd = open(name, O_RDWR|O_CREAT, 0600);

    if (fd == -1 || ftruncate(fd, size) == -1) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "codat: cannot measure the lock in \"%s\"", name);
        return;
    }

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    (void) close(fd);

    if (p == MAP_FAILED) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "codat: cannot measure the lock in \"%s\"", name);
        return;
    }

    ngx_codat_lock_times = p;
}


void
ngx_codat_lock_times_wait(void)
{
    if (ngx_codat_lock_times == NULL) {
        return;
    }

    ngx_codat_lock_times_now.asked = ngx_codat_lock_times_clock(
                                                            CLOCK_MONOTONIC);
}


void
ngx_codat_lock_times_hold(void)
{
    ngx_codat_lock_times_now_t  *now;

    if (ngx_codat_lock_times == NULL) {
        return;
    }

    now = &ngx_codat_lock_times_now;

    now->begin = ngx_codat_lock_times_clock(CLOCK_MONOTONIC);
    now->cpu_begin = 0;

    if (++now->n % NGX_CODAT_LOCK_TIMES_SAMPLE == 0) {
        now->cpu_begin = ngx_codat_lock_times_clock(CLOCK_THREAD_CPUTIME_ID);
    }
}


void
ngx_codat_lock_times_end(void)
{
    ngx_codat_lock_times_now_t  *now;

    if (ngx_codat_lock_times == NULL) {
        return;
    }

    now = &ngx_codat_lock_times_now;

    if (now->cpu_begin) {
        now->cpu_end = ngx_codat_lock_times_clock(CLOCK_THREAD_CPUTIME_ID);
    }

    now->end = ngx_codat_lock_times_clock(CLOCK_MONOTONIC);
}


void
ngx_codat_lock_times_add(void)
{
    uint64_t                     cpu;
    ngx_codat_lock_times_now_t  *now;

    if (ngx_codat_lock_times == NULL) {
        return;
    }

    now = &ngx_codat_lock_times_now;

    ngx_codat_lock_times_count(NGX_CODAT_LOCK_TIMES_WAIT,
                               now->begin - now->asked);

    /* a hold in which CPU time was asked for is longer than others are */

    if (now->cpu_begin == 0) {
        ngx_codat_lock_times_count(NGX_CODAT_LOCK_TIMES_HOLD,
                                   now->end - now->begin);
        return;
    }

    ngx_codat_lock_times_count(NGX_CODAT_LOCK_TIMES_CPU,
                               now->cpu_end - now->cpu_begin);

    cpu = ngx_codat_lock_times_clock(CLOCK_THREAD_CPUTIME_ID);

    ngx_codat_lock_times_count(NGX_CODAT_LOCK_TIMES_EMPTY,
                   ngx_codat_lock_times_clock(CLOCK_THREAD_CPUTIME_ID) - cpu);
}


static uint64_t
ngx_codat_lock_times_clock(clockid_t clock)
{
    struct timespec  ts;

    (void) clock_gettime(clock, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/* several workers count at once; a maximum that is lost by that is near */

static void
ngx_codat_lock_times_count(ngx_codat_lock_times_e kind, uint64_t ns)
{
    uint64_t                 n;
    ngx_uint_t               slot, shift;
    ngx_codat_lock_times_t  *times;

    times = &ngx_codat_lock_times[kind];

    /* a number below 16 is its own slot, then 16 of them to each power */

    slot = (ngx_uint_t) ns;

    if (ns >= NGX_CODAT_LOCK_TIMES_STEPS) {
        shift = 0;

        for (n = ns; n >= 2 * NGX_CODAT_LOCK_TIMES_STEPS; n >>= 1) {
            shift++;
        }

        slot = (shift + 1) * NGX_CODAT_LOCK_TIMES_STEPS
               + (n - NGX_CODAT_LOCK_TIMES_STEPS);
    }

    (void) ngx_atomic_fetch_add(&times->count, 1);
    (void) ngx_atomic_fetch_add(&times->sum, ns);
    (void) ngx_atomic_fetch_add(&times->slots[slot], 1);

    if (ns > times->max) {
        times->max = ns;
    }
}

#endif
