
/*
 * Copyright (C) the authors of the Codat module
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_oom.h"

#include <dlfcn.h>
#include <execinfo.h>


/*
 * The allocator below ours: that of AddressSanitizer, or of the C library.
 * A definition here takes the place of theirs in libraries too.
 */

#if (NGX_OOM_ASAN)

#include <sanitizer/allocator_interface.h>

#define ngx_oom_below(name)  __interceptor_##name

#else

#define ngx_oom_below(name)  __libc_##name

#endif


void *ngx_oom_below(malloc)(size_t size);
void *ngx_oom_below(calloc)(size_t n, size_t size);
void *ngx_oom_below(realloc)(void *p, size_t size);
void *ngx_oom_below(memalign)(size_t alignment, size_t size);

void *__real_ngx_slab_alloc(ngx_slab_pool_t *pool, size_t size);
void *__wrap_ngx_slab_alloc(ngx_slab_pool_t *pool, size_t size);
void *__real_ngx_slab_calloc(ngx_slab_pool_t *pool, size_t size);
void *__wrap_ngx_slab_calloc(ngx_slab_pool_t *pool, size_t size);
uint32_t __real_ngx_codat_run_room(void *sh);
uint32_t __wrap_ngx_codat_run_room(void *sh);
void *__real_ngx_codat_cell_insert_locked(void *sh, ngx_uint_t kind,
    ngx_uint_t queue, const u_char *key, ngx_uint_t cells, uint32_t now);
void *__wrap_ngx_codat_cell_insert_locked(void *sh, ngx_uint_t kind,
    ngx_uint_t queue, const u_char *key, ngx_uint_t cells, uint32_t now);
int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

static ngx_uint_t ngx_oom_fails(void);

#if (NGX_OOM_COVER)

void __gcov_dump(void);

static void ngx_oom_cover_init(void) __attribute__((constructor));
static void ngx_oom_cover_handler(int signo);

#endif


ngx_oom_t  ngx_oom;

static ngx_msec_t  ngx_oom_skipped;


void
ngx_oom_init(void)
{
    void  *frame[1];

    /* the first call allocates */

    (void) backtrace(frame, 1);
}


void
ngx_oom_arm(ngx_uint_t n, ngx_uint_t lasting)
{
    ngx_memzero(&ngx_oom, sizeof(ngx_oom_t));

    ngx_oom.n = n;
    ngx_oom.lasting = lasting;
    ngx_oom.armed = 1;
}


void
ngx_oom_disarm(void)
{
    ngx_oom.armed = 0;
}


static ngx_uint_t
ngx_oom_fails(void)
{
    if (!ngx_oom.armed) {
        return 0;
    }

    ngx_oom.count++;

    if (ngx_oom.count != ngx_oom.n
        && !(ngx_oom.lasting && ngx_oom.count > ngx_oom.n))
    {
        return 0;
    }

    if (ngx_oom.hit++ == 0) {
        ngx_oom.armed = 0;
        ngx_oom.frames = backtrace(ngx_oom.frame, NGX_OOM_FRAMES);
        ngx_oom.armed = 1;
    }

    errno = ENOMEM;

    return 1;
}


size_t
ngx_oom_bytes(void)
{
#if (NGX_OOM_ASAN)
    return __sanitizer_get_current_allocated_bytes();
#else
    return 0;
#endif
}


void
ngx_oom_skip(ngx_msec_t msec)
{
    ngx_oom_skipped += msec;

    ngx_time_update();
}


u_char *
ngx_oom_where(u_char *p, u_char *last)
{
    int          i;
    Dl_info      info;
    const char  *name;

    for (i = 2; i < ngx_oom.frames; i++) {

        if (dladdr(ngx_oom.frame[i], &info) == 0) {
            continue;
        }

        name = strrchr(info.dli_fname, '/');

        p = ngx_slprintf(p, last, " %s+0x%xL", name ? name + 1 : "nginx",
                         (int64_t) ((u_char *) ngx_oom.frame[i]
                                    - (u_char *) info.dli_fbase));
    }

    return p;
}


void *
malloc(size_t size)
{
    return ngx_oom_fails() ? NULL : ngx_oom_below(malloc)(size);
}


void *
calloc(size_t n, size_t size)
{
    return ngx_oom_fails() ? NULL : ngx_oom_below(calloc)(n, size);
}


void *
realloc(void *p, size_t size)
{
    return ngx_oom_fails() ? NULL : ngx_oom_below(realloc)(p, size);
}


void *
memalign(size_t alignment, size_t size)
{
    return ngx_oom_fails() ? NULL : ngx_oom_below(memalign)(alignment, size);
}


void *
aligned_alloc(size_t alignment, size_t size)
{
    return ngx_oom_fails() ? NULL : ngx_oom_below(memalign)(alignment, size);
}


int
posix_memalign(void **p, size_t alignment, size_t size)
{
    if (ngx_oom_fails()) {
        return ENOMEM;
    }

    *p = ngx_oom_below(memalign)(alignment, size);

    return *p ? 0 : ENOMEM;
}


void *
__wrap_ngx_slab_alloc(ngx_slab_pool_t *pool, size_t size)
{
    return ngx_oom_fails() ? NULL : __real_ngx_slab_alloc(pool, size);
}


void *
__wrap_ngx_slab_calloc(ngx_slab_pool_t *pool, size_t size)
{
    return ngx_oom_fails() ? NULL : __real_ngx_slab_calloc(pool, size);
}


/* what makes room for a record asks first */

uint32_t
__wrap_ngx_codat_run_room(void *sh)
{
    if (ngx_oom_fails()) {
        ngx_oom.cell = (ngx_oom.hit == 1) ? 1 : ngx_oom.cell;
        return 0;
    }

    return __real_ngx_codat_run_room(sh);
}


void *
__wrap_ngx_codat_cell_insert_locked(void *sh, ngx_uint_t kind,
    ngx_uint_t queue, const u_char *key, ngx_uint_t cells, uint32_t now)
{
    if (ngx_oom_fails()) {
        ngx_oom.cell = (ngx_oom.hit == 1) ? 1 : ngx_oom.cell;
        return NULL;
    }

    return __real_ngx_codat_cell_insert_locked(sh, kind, queue, key, cells,
                                               now);
}


/* of timers only: the time of day does not move */

int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
    int  rc;

    rc = __real_clock_gettime(id, ts);

    if (rc == 0 && id != CLOCK_REALTIME) {
        ts->tv_sec += (time_t) (ngx_oom_skipped / 1000);
        ts->tv_nsec += (long) (ngx_oom_skipped % 1000) * 1000000;
    }

    return rc;
}


#if (NGX_OOM_COVER)

/*
 * What is killed counts nothing, so tests send SIGPROF in place of SIGKILL:
 * see t/lib/CodatTest/Cover.pm.
 */

static void
ngx_oom_cover_init(void)
{
    struct sigaction  sa;

    ngx_memzero(&sa, sizeof(struct sigaction));

    sa.sa_handler = ngx_oom_cover_handler;

    /* a master that is killed says nothing of its workers */

    (void) sigfillset(&sa.sa_mask);
    (void) sigdelset(&sa.sa_mask, SIGALRM);

    (void) sigaction(SIGPROF, &sa, NULL);
}


static void
ngx_oom_cover_handler(int signo)
{
    /* whatever it interrupts may hold a lock that writing takes */

    (void) signal(SIGALRM, SIG_DFL);
    (void) alarm(2);

    __gcov_dump();

    (void) raise(SIGKILL);
}

#endif
