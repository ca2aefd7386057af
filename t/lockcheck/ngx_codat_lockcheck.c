
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The lock checker: stands, by the linker's --wrap, between nginx with the
 * module and the calls that it watches.  Of all mutexes in shared memory it
 * sees whether they are taken twice, released by who has not got them, and
 * given back before the process waits for events; of a zone's also what is
 * called meanwhile, and how much CPU time passes.
 *
 * CODAT_LOCKCHECK names a folder.  What is wrong goes to "report.PID" there,
 * how long the lock was held, by who took it, to "holds", which all processes
 * map.  CODAT_LOCKCHECK_MS is how many milliseconds of CPU time are wrong.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <yajl/yajl_parse.h>

#include "../../ngx_http_codat_module/ngx_codat_zone.h"


#define NGX_CODAT_LOCKCHECK_HELD   8
#define NGX_CODAT_LOCKCHECK_SITES  256

/* a repair walks through all of a zone, which is allowed after a crash */
#define NGX_CODAT_LOCKCHECK_REPAIR_MS  2000


typedef struct {
    ngx_shmtx_t               *mtx;
    void                      *site;
    uint64_t                   cpu;
    unsigned                   zone:1;
    unsigned                   repair:1;
} ngx_codat_lockcheck_held_t;


/* as t/tools/run-lockcheck reads it */

typedef struct {
    ngx_atomic_t               site;
    ngx_atomic_t               count;
    ngx_atomic_t               sum;     /* nanoseconds of CPU time */
    ngx_atomic_t               max;
    ngx_atomic_t               repairs;
    ngx_atomic_t               repair_max;
} ngx_codat_lockcheck_site_t;


void __real_ngx_codat_zone_lock(ngx_codat_zone_t *zone);
void __real_ngx_codat_repair_locked(ngx_codat_zone_sh_t *sh);
void __real_ngx_shmtx_lock(ngx_shmtx_t *mtx);
ngx_uint_t __real_ngx_shmtx_trylock(ngx_shmtx_t *mtx);
void __real_ngx_shmtx_unlock(ngx_shmtx_t *mtx);
void __real_ngx_process_events_and_timers(ngx_cycle_t *cycle);
void __real_ngx_log_error_core(ngx_uint_t level, ngx_log_t *log,
    ngx_err_t err, const char *fmt, ...);
int __real_open64(const char *name, int flags, ...);
int __real_kill(pid_t pid, int signal);

void __wrap_ngx_codat_zone_lock(ngx_codat_zone_t *zone);
void __wrap_ngx_codat_repair_locked(ngx_codat_zone_sh_t *sh);
void __wrap_ngx_shmtx_lock(ngx_shmtx_t *mtx);
ngx_uint_t __wrap_ngx_shmtx_trylock(ngx_shmtx_t *mtx);
void __wrap_ngx_shmtx_unlock(ngx_shmtx_t *mtx);
void __wrap_ngx_process_events_and_timers(ngx_cycle_t *cycle);
void __wrap_ngx_log_error_core(ngx_uint_t level, ngx_log_t *log,
    ngx_err_t err, const char *fmt, ...);
int __wrap_open64(const char *name, int flags, ...);
int __wrap_kill(pid_t pid, int signal);

#define X(type, name, params, args)                                          \
    type __real_##name params;                                               \
    type __wrap_##name params;
#include "ngx_codat_lockcheck_x.h"
#undef X

static void ngx_codat_lockcheck_open(void) __attribute__((constructor));
static void ngx_codat_lockcheck_close(void) __attribute__((destructor));
static void ngx_codat_lockcheck_take(ngx_shmtx_t *mtx, void *site);
static void ngx_codat_lockcheck_taken(ngx_shmtx_t *mtx, void *site);
static void ngx_codat_lockcheck_released(ngx_codat_lockcheck_held_t *held);
static ngx_codat_lockcheck_held_t *ngx_codat_lockcheck_find(ngx_shmtx_t *mtx);
static ngx_codat_lockcheck_held_t *ngx_codat_lockcheck_zone(void);
static void ngx_codat_lockcheck_call(const char *name, void *site);
static void ngx_codat_lockcheck_report(const char *what, const char *name,
    void *site, void *taken);
static uint64_t ngx_codat_lockcheck_cpu(void);
static void ngx_codat_lockcheck_count(ngx_codat_lockcheck_held_t *held,
    uint64_t ns);
static void ngx_codat_lockcheck_max(ngx_atomic_t *max, uint64_t ns);


static char                         ngx_codat_lockcheck_dir[1024];
static uint64_t                     ngx_codat_lockcheck_ms = 50;
static ngx_codat_lockcheck_site_t  *ngx_codat_lockcheck_sites;

/* of a thread: those of stores do what they like while another has a lock */

static __thread ngx_codat_lockcheck_held_t  ngx_codat_lockcheck_held[
                                                 NGX_CODAT_LOCKCHECK_HELD];
static __thread ngx_uint_t                  ngx_codat_lockcheck_nheld;
static __thread void                       *ngx_codat_lockcheck_zone_site;


#define X(type, name, params, args)                                          \
                                                                             \
type                                                                         \
__wrap_##name params                                                         \
{                                                                            \
    if (ngx_codat_lockcheck_nheld) {                                         \
        ngx_codat_lockcheck_call(#name, __builtin_return_address(0));        \
    }                                                                        \
                                                                             \
    return __real_##name args;                                               \
}
#include "ngx_codat_lockcheck_x.h"
#undef X


/* before main(): nginx drops the environment */

static void
ngx_codat_lockcheck_open(void)
{
    int     fd;
    char   *dir, *ms, name[1200];
    void   *p;
    size_t  size;

    dir = getenv("CODAT_LOCKCHECK");

    if (dir == NULL || strlen(dir) >= sizeof(ngx_codat_lockcheck_dir)) {
        return;
    }

    strcpy(ngx_codat_lockcheck_dir, dir);

    ms = getenv("CODAT_LOCKCHECK_MS");

    if (ms) {
        ngx_codat_lockcheck_ms = strtoul(ms, NULL, 10);
    }

    size = NGX_CODAT_LOCKCHECK_SITES * sizeof(ngx_codat_lockcheck_site_t);

    (void) snprintf(name, sizeof(name), "%s/holds", dir);

    fd = __real_open64(name, O_RDWR|O_CREAT, 0666);

    if (fd == -1 || __real_ftruncate64(fd, size) == -1) {
        return;
    }

    p = __real_mmap64(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    (void) __real_close(fd);

    if (p != MAP_FAILED) {
        ngx_codat_lockcheck_sites = p;
    }
}


static void
ngx_codat_lockcheck_close(void)
{
    ngx_codat_lockcheck_held_t  *held;

    held = ngx_codat_lockcheck_zone();

    if (held) {
        ngx_codat_lockcheck_report("kept at the end of the process", "",
                                   NULL, held->site);
    }
}


void
__wrap_ngx_codat_zone_lock(ngx_codat_zone_t *zone)
{
    ngx_codat_lockcheck_zone_site = __builtin_return_address(0);

    __real_ngx_codat_zone_lock(zone);
}


void
__wrap_ngx_codat_repair_locked(ngx_codat_zone_sh_t *sh)
{
    ngx_codat_lockcheck_held_t  *held;

    held = ngx_codat_lockcheck_zone();

    if (held) {
        held->repair = 1;
    }

    __real_ngx_codat_repair_locked(sh);
}


void
__wrap_ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    void  *site;

    site = __builtin_return_address(0);

    ngx_codat_lockcheck_take(mtx, site);

    __real_ngx_shmtx_lock(mtx);

    ngx_codat_lockcheck_taken(mtx, site);
}


ngx_uint_t
__wrap_ngx_shmtx_trylock(ngx_shmtx_t *mtx)
{
    void  *site;

    site = __builtin_return_address(0);

    if (!__real_ngx_shmtx_trylock(mtx)) {
        return 0;
    }

    ngx_codat_lockcheck_taken(mtx, site);

    return 1;
}


void
__wrap_ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    ngx_codat_lockcheck_held_t  *held;

    held = ngx_codat_lockcheck_find(mtx);

    if (held) {
        ngx_codat_lockcheck_released(held);

    } else {
        ngx_codat_lockcheck_report("released without having it", "",
                                   __builtin_return_address(0), NULL);
    }

    __real_ngx_shmtx_unlock(mtx);
}


void
__wrap_ngx_process_events_and_timers(ngx_cycle_t *cycle)
{
    ngx_uint_t                   i;
    ngx_codat_lockcheck_held_t  *held;

    for (i = ngx_codat_lockcheck_nheld; i-- > 0; /* void */ ) {
        held = &ngx_codat_lockcheck_held[i];

        if (held->mtx == &ngx_accept_mutex) {
            continue;
        }

        ngx_codat_lockcheck_report("kept at the return to the event loop", "",
                                   NULL, held->site);

        /* so that others, and the test, go on */

        __wrap_ngx_shmtx_unlock(held->mtx);
    }

    __real_ngx_process_events_and_timers(cycle);
}


void
__wrap_ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    u_char    text[NGX_MAX_ERROR_STR], *last;
    va_list   args;

    if (ngx_codat_lockcheck_nheld) {
        ngx_codat_lockcheck_call("ngx_log_error_core",
                                 __builtin_return_address(0));
    }

    va_start(args, fmt);
    last = ngx_vslprintf(text, text + NGX_MAX_ERROR_STR, fmt, args);
    va_end(args);

    __real_ngx_log_error_core(level, log, err, "%*s", (size_t) (last - text),
                              text);
}


int
__wrap_open64(const char *name, int flags, ...)
{
    int       mode;
    va_list   args;

    if (ngx_codat_lockcheck_nheld) {
        ngx_codat_lockcheck_call("open", __builtin_return_address(0));
    }

    va_start(args, flags);
    mode = va_arg(args, int);
    va_end(args);

    return __real_open64(name, flags, mode);
}


/*
 * Signal 0 only asks whether a process lives, and never waits: with it is
 * found out whether a delivery under way was left by a worker that died.
 */

int
__wrap_kill(pid_t pid, int signal)
{
    if (ngx_codat_lockcheck_nheld && signal) {
        ngx_codat_lockcheck_call("kill", __builtin_return_address(0));
    }

    return __real_kill(pid, signal);
}


static void
ngx_codat_lockcheck_take(ngx_shmtx_t *mtx, void *site)
{
    ngx_codat_lockcheck_held_t  *held;

    held = ngx_codat_lockcheck_find(mtx);

    if (held) {
        ngx_codat_lockcheck_report("taken twice", "", site, held->site);

        /* it would wait for itself for ever */

        _exit(99);
    }

    held = ngx_codat_lockcheck_zone();

    if (held) {
        ngx_codat_lockcheck_report("another one is taken", "", site,
                                   held->site);
    }
}


static void
ngx_codat_lockcheck_taken(ngx_shmtx_t *mtx, void *site)
{
    ngx_codat_lockcheck_held_t  *held;

    if (ngx_codat_lockcheck_nheld == NGX_CODAT_LOCKCHECK_HELD) {
        ngx_codat_lockcheck_report("too many are taken", "", site, NULL);
        _exit(99);
    }

    held = &ngx_codat_lockcheck_held[ngx_codat_lockcheck_nheld++];

    ngx_memzero(held, sizeof(ngx_codat_lockcheck_held_t));

    held->mtx = mtx;
    held->site = site;

    if (ngx_codat_lockcheck_zone_site) {
        held->site = ngx_codat_lockcheck_zone_site;
        held->zone = 1;
        ngx_codat_lockcheck_zone_site = NULL;

        held->cpu = ngx_codat_lockcheck_cpu();
    }
}


static void
ngx_codat_lockcheck_released(ngx_codat_lockcheck_held_t *held)
{
    char      spent[32];
    uint64_t  ns, ms;

    if (held->zone) {
        ns = ngx_codat_lockcheck_cpu() - held->cpu;

        ngx_codat_lockcheck_count(held, ns);

        ms = held->repair ? NGX_CODAT_LOCKCHECK_REPAIR_MS
                          : ngx_codat_lockcheck_ms;

        if (ns > ms * 1000000) {
            (void) snprintf(spent, sizeof(spent), "%lu us",
                            (unsigned long) (ns / 1000));
            ngx_codat_lockcheck_report("held too long", spent, NULL,
                                       held->site);
        }
    }

    ngx_codat_lockcheck_nheld--;

    *held = ngx_codat_lockcheck_held[ngx_codat_lockcheck_nheld];
}


static ngx_codat_lockcheck_held_t *
ngx_codat_lockcheck_find(ngx_shmtx_t *mtx)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_codat_lockcheck_nheld; i++) {
        if (ngx_codat_lockcheck_held[i].mtx == mtx) {
            return &ngx_codat_lockcheck_held[i];
        }
    }

    return NULL;
}


static ngx_codat_lockcheck_held_t *
ngx_codat_lockcheck_zone(void)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_codat_lockcheck_nheld; i++) {
        if (ngx_codat_lockcheck_held[i].zone) {
            return &ngx_codat_lockcheck_held[i];
        }
    }

    return NULL;
}


static void
ngx_codat_lockcheck_call(const char *name, void *site)
{
    ngx_codat_lockcheck_held_t  *held;

    held = ngx_codat_lockcheck_zone();

    if (held) {
        ngx_codat_lockcheck_report("held over a call of", name, site,
                                   held->site);
    }
}


static void
ngx_codat_lockcheck_report(const char *what, const char *name, void *site,
    void *taken)
{
    int   fd, n;
    char  file[1200], line[256];

    (void) snprintf(file, sizeof(file), "%s/report.%d",
                    ngx_codat_lockcheck_dir, (int) getpid());

    n = snprintf(line, sizeof(line), "%s %s at %p taken at %p\n", what, name,
                 site, taken);

    fd = __real_open64(file, O_WRONLY|O_CREAT|O_APPEND, 0666);

    if (fd == -1) {
        fd = STDERR_FILENO;
    }

    (void) !__real_write(fd, line, n);

    if (fd != STDERR_FILENO) {
        (void) __real_close(fd);
    }
}


static uint64_t
ngx_codat_lockcheck_cpu(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


static void
ngx_codat_lockcheck_count(ngx_codat_lockcheck_held_t *held, uint64_t ns)
{
    ngx_uint_t                   i;
    ngx_atomic_uint_t            id;
    ngx_codat_lockcheck_site_t  *site;

    if (ngx_codat_lockcheck_sites == NULL) {
        return;
    }

    id = (ngx_atomic_uint_t) held->site;

    for (i = 0; i < NGX_CODAT_LOCKCHECK_SITES; i++) {
        site = &ngx_codat_lockcheck_sites[i];

        (void) ngx_atomic_cmp_set(&site->site, 0, id);

        if (site->site != id) {
            continue;
        }

        if (held->repair) {
            (void) ngx_atomic_fetch_add(&site->repairs, 1);
            ngx_codat_lockcheck_max(&site->repair_max, ns);

        } else {
            (void) ngx_atomic_fetch_add(&site->count, 1);
            (void) ngx_atomic_fetch_add(&site->sum, ns);
            ngx_codat_lockcheck_max(&site->max, ns);
        }

        return;
    }
}


static void
ngx_codat_lockcheck_max(ngx_atomic_t *max, uint64_t ns)
{
    ngx_atomic_uint_t  old;

    do {
        old = *max;
    } while (ns > old && !ngx_atomic_cmp_set(max, old, ns));
}
