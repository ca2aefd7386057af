
/*
 * Copyright (C) the authors of the Codat module
 *
 * To be loaded into nginx: how long the turns of a worker's event loop take,
 * from one epoll_wait() to the next.  TURNS_DIR is where each worker writes
 * it at its end, and where a file "new" has it begin anew.
 *
 * A turn takes time of the CPU, waits for something (a lock, a disk), or waits
 * for a CPU that another process has.  The last is not the program's doing:
 * "own" is a turn without it, "cpu" what the thread has used.
 *
 * With TURNS_TRACE, microseconds, a turn that uses more CPU time than that is
 * interrupted, and adds the stack of then to PID.stacks.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>


/* buckets of 10 us, and the last one for what is longer */
#define TURNS_BUCKETS  100000
#define TURNS_WIDTH    10000


enum { TURNS_WALL = 0, TURNS_OWN, TURNS_CPU, TURNS_N };


static char       turns_dir[512];
static long       turns_trace;
static int        turns_sched = -1;
static int        turns_stacks = -1;
static pid_t      turns_pid;
static timer_t    turns_timer;
static int64_t    turns_from[TURNS_N];
static int        turns_begun;
static unsigned   turns_count;
static uint32_t   turns_buckets[TURNS_N][TURNS_BUCKETS + 1];
static int64_t    turns_longest[TURNS_N];

static int      (*turns_wait)(int, struct epoll_event *, int, int);


static void
turns_init(void) __attribute__((constructor));
static void
turns_exit(void) __attribute__((destructor));


static void
turns_init(void)
{
    void        *stack[4];
    const char  *text;

    text = getenv("TURNS_DIR");
    snprintf(turns_dir, sizeof(turns_dir), "%s", text ? text : "");

    text = getenv("TURNS_TRACE");
    turns_trace = text ? atol(text) : 0;

    *(void **) &turns_wait = dlsym(RTLD_NEXT, "epoll_wait");

    /* loads what it needs, which a signal handler must not */

    (void) backtrace(stack, 4);
}


static int64_t
turns_clock(clockid_t id)
{
    struct timespec  t;

    (void) clock_gettime(id, &t);

    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}


/* how long this thread has waited for a CPU, since it began; 0 if unknown */

static int64_t
turns_waited(void)
{
    char       text[128], *p;
    ssize_t    n;

    n = pread(turns_sched, text, sizeof(text) - 1, 0);
    if (n <= 0) {
        return 0;
    }

    text[n] = '\0';
    p = strchr(text, ' ');

    return p ? strtoll(p, NULL, 10) : 0;
}


static void
turns_signal(int signo)
{
    int    n;
    void  *stack[40];

    (void) signo;

    n = backtrace(stack, 40);
    backtrace_symbols_fd(stack, n, turns_stacks);
    (void) !write(turns_stacks, "\n", 1);
}


static void
turns_worker(void)
{
    char             path[600];
    struct sigevent  event;

    turns_pid = getpid();
    turns_begun = 0;
    turns_sched = open("/proc/thread-self/schedstat", O_RDONLY|O_CLOEXEC);

    if (turns_trace == 0) {
        return;
    }

    snprintf(path, sizeof(path), "%s/%d.stacks", turns_dir, (int) turns_pid);
    turns_stacks = open(path, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0600);

    memset(&event, 0, sizeof(event));
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGPROF;
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id  _sigev_un._tid
#endif
    event.sigev_notify_thread_id = (pid_t) syscall(SYS_gettid);

    signal(SIGPROF, turns_signal);

    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &turns_timer) != 0) {
        turns_trace = 0;
    }
}


static void
turns_alarm(long usec)
{
    struct itimerspec  t;

    memset(&t, 0, sizeof(t));
    t.it_value.tv_sec = usec / 1000000;
    t.it_value.tv_nsec = usec % 1000000 * 1000;

    (void) timer_settime(turns_timer, 0, &t, NULL);
}


static void
turns_end(void)
{
    int      i;
    int64_t  took[TURNS_N], n;

    took[TURNS_WALL] = turns_clock(CLOCK_MONOTONIC) - turns_from[TURNS_WALL];
    took[TURNS_CPU] = turns_clock(CLOCK_THREAD_CPUTIME_ID)
                      - turns_from[TURNS_CPU];
    took[TURNS_OWN] = took[TURNS_WALL]
                      - (turns_waited() - turns_from[TURNS_OWN]);

    for (i = 0; i < TURNS_N; i++) {
        n = took[i] > 0 ? took[i] / TURNS_WIDTH : 0;
        turns_buckets[i][n < TURNS_BUCKETS ? n : TURNS_BUCKETS]++;

        if (took[i] > turns_longest[i]) {
            turns_longest[i] = took[i];
        }
    }

    turns_count++;
}


/* now and then: whether it is to begin anew */

static void
turns_anew(void)
{
    char  path[600];

    snprintf(path, sizeof(path), "%s/new", turns_dir);

    if (unlink(path) == 0) {
        turns_count = 0;
        memset(turns_buckets, 0, sizeof(turns_buckets));
        memset(turns_longest, 0, sizeof(turns_longest));
    }
}


int
epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    int             n;
    static int64_t  asked;

    /* the threads of a pool do not come by here */

    if (turns_pid != getpid()) {
        turns_worker();
    }

    if (turns_begun) {

        if (turns_trace) {
            turns_alarm(0);
        }

        turns_end();
    }

    if (turns_clock(CLOCK_MONOTONIC) - asked > 50000000) {
        asked = turns_clock(CLOCK_MONOTONIC);
        turns_anew();
    }

    n = turns_wait(fd, events, max, timeout);

    turns_begun = 1;
    turns_from[TURNS_OWN] = turns_waited();
    turns_from[TURNS_CPU] = turns_clock(CLOCK_THREAD_CPUTIME_ID);
    turns_from[TURNS_WALL] = turns_clock(CLOCK_MONOTONIC);

    if (turns_trace) {
        turns_alarm(turns_trace);
    }

    return n;
}


/* a line of each: name, longest, then "bucket count" pairs; microseconds */

static void
turns_exit(void)
{
    int                 i, n;
    FILE               *f;
    char                path[600];
    static const char  *names[TURNS_N] = { "wall", "own", "cpu" };

    if (turns_pid != getpid() || turns_count == 0 || turns_dir[0] == '\0') {
        return;
    }

    snprintf(path, sizeof(path), "%s/%d.turns", turns_dir, (int) turns_pid);

    f = fopen(path, "w");
    if (f == NULL) {
        return;
    }

    for (i = 0; i < TURNS_N; i++) {
        fprintf(f, "%s %lld", names[i], (long long) turns_longest[i] / 1000);

        for (n = 0; n <= TURNS_BUCKETS; n++) {
            if (turns_buckets[i][n]) {
                fprintf(f, " %d %u", n * (TURNS_WIDTH / 1000),
                        turns_buckets[i][n]);
            }
        }

        fprintf(f, "\n");
    }

    fclose(f);
}
