/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Loaded with LD_PRELOAD into a program, it makes files fail, slow, or the
 * clock wrong, while a control file says so.  CODAT_SHIM_CONTROL names that
 * file, CODAT_SHIM_PATH is how the paths begin that it is about.  It has
 * lines of two words:
 *
 *     write ENOSPC     no byte can be written; or EIO, EROFS
 *     sync EIO         nothing can be flushed
 *     delay 200        flushing takes so many milliseconds
 *     open EROFS       nothing can be opened for writing
 *     clock -3600      the time of day is so many seconds off
 *
 * CodatTest::Faults builds and drives it.
 */

#define _GNU_SOURCE
#define _LARGEFILE64_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


static char  control[PATH_MAX];
static char  prefix[PATH_MAX];


/* nginx clears its environment */

__attribute__((constructor))
static void
shim_init(void)
{
    const char  *c = getenv("CODAT_SHIM_CONTROL");
    const char  *p = getenv("CODAT_SHIM_PATH");

    if (c && p) {
        snprintf(control, sizeof(control), "%s", c);
        snprintf(prefix, sizeof(prefix), "%s", p);
    }
}


/* what the control file has behind a word, or NULL; by system calls alone */

static char *
shim_says(const char *word, char *text, size_t size)
{
    int      fd;
    char    *p;
    long     n;
    size_t   len;

    if (control[0] == '\0') {
        return NULL;
    }

    fd = (int) syscall(SYS_openat, AT_FDCWD, control, O_RDONLY|O_CLOEXEC, 0);
    if (fd == -1) {
        return NULL;
    }

    n = syscall(SYS_read, fd, text, size - 1);
    syscall(SYS_close, fd);

    if (n <= 0) {
        return NULL;
    }

    text[n] = '\0';
    len = strlen(word);

    for (p = text; p; p = strchr(p, '\n')) {

        p += (*p == '\n');

        if (strncmp(p, word, len) == 0 && p[len] == ' ') {
            return p + len + 1;
        }
    }

    return NULL;
}


/* the error that is wanted, or 0 */

static int
shim_error(const char *word, const char *path)
{
    char   text[256], *value;
    int    saved = errno, err;

    if (strncmp(path, prefix, strlen(prefix)) != 0) {
        return 0;
    }

    value = shim_says(word, text, sizeof(text));
    errno = saved;

    if (value == NULL) {
        return 0;
    }

    err = strncmp(value, "ENOSPC", 6) == 0 ? ENOSPC
          : strncmp(value, "EROFS", 5) == 0 ? EROFS
          : strncmp(value, "EACCES", 6) == 0 ? EACCES : EIO;

    return err;
}


static int
shim_fd_error(const char *word, int fd)
{
    char     link[64], path[PATH_MAX];
    int      saved = errno;
    ssize_t  n;

    if (control[0] == '\0') {
        return 0;
    }

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    errno = saved;

    if (n <= 0) {
        return 0;
    }

    path[n] = '\0';

    return shim_error(word, path);
}



#define FAILS(word, fd)                                                       \
    do {                                                                      \
        int  err_ = shim_fd_error(word, fd);                                  \
                                                                              \
        if (err_) {                                                           \
            errno = err_;                                                     \
            return -1;                                                        \
        }                                                                     \
    } while (0)


ssize_t
write(int fd, const void *buf, size_t n)
{
    FAILS("write", fd);
    return syscall(SYS_write, fd, buf, n);
}


ssize_t
pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    FAILS("write", fd);
    return syscall(SYS_pwrite64, fd, buf, n, offset);
}


ssize_t
pwrite64(int fd, const void *buf, size_t n, off64_t offset)
{
    FAILS("write", fd);
    return syscall(SYS_pwrite64, fd, buf, n, offset);
}


static void
shim_delay(int fd)
{
    char             text[256], *value;
    long             msec;
    struct timespec  ts;

    if (shim_fd_error("delay", fd) == 0) {
        return;
    }

    value = shim_says("delay", text, sizeof(text));
    msec = value ? strtol(value, NULL, 10) : 0;

    ts.tv_sec = msec / 1000;
    ts.tv_nsec = (msec % 1000) * 1000000;

    syscall(SYS_nanosleep, &ts, NULL);
}


int
fdatasync(int fd)
{
    shim_delay(fd);
    FAILS("sync", fd);
    return (int) syscall(SYS_fdatasync, fd);
}


int
fsync(int fd)
{
    shim_delay(fd);
    FAILS("sync", fd);
    return (int) syscall(SYS_fsync, fd);
}


#define OPENS(name)                                                           \
                                                                              \
int                                                                           \
name(const char *path, int flags, ...)                                        \
{                                                                             \
    int      err;                                                             \
    mode_t   mode;                                                            \
    va_list  args;                                                            \
                                                                              \
    va_start(args, flags);                                                    \
    mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;                      \
    va_end(args);                                                             \
                                                                              \
    if ((flags & O_ACCMODE) != O_RDONLY                                       \
        && (err = shim_error("open", path)) != 0)                             \
    {                                                                         \
        errno = err;                                                          \
        return -1;                                                            \
    }                                                                         \
                                                                              \
    return (int) syscall(SYS_openat, AT_FDCWD, path, flags, mode);            \
}

OPENS(open)
OPENS(open64)


static long
shim_clock(void)
{
    char  text[256], *value;
    int   saved = errno;

    value = shim_says("clock", text, sizeof(text));
    errno = saved;

    return value ? strtol(value, NULL, 10) : 0;
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int  rc;

    rc = (int) syscall(SYS_clock_gettime, id, ts);

    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        ts->tv_sec += shim_clock();
    }

    return rc;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    (void) tz;

    if (clock_gettime(CLOCK_REALTIME, &ts) == -1) {
        return -1;
    }

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


time_t
time(time_t *t)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_REALTIME, &ts) == -1) {
        return -1;
    }

    if (t) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
