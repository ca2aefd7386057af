
/*
 * Copyright (C) the authors of the Codat module
 *
 * To be loaded before the C library: a disk that takes SLOW_MS milliseconds
 * longer to make something durable.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>


static struct timespec  slow_time;


/* nginx has no environment later */

static void __attribute__((constructor))
slow_init(void)
{
    double       ms;
    const char  *text;

    text = getenv("SLOW_MS");
    ms = text ? strtod(text, NULL) : 0;

    slow_time.tv_sec = (time_t) (ms / 1e3);
    slow_time.tv_nsec = (long) ((ms - (double) slow_time.tv_sec * 1e3) * 1e6);
}


int
fdatasync(int fd)
{
    int  (*next)(int);

    (void) nanosleep(&slow_time, NULL);
    *(void **) &next = dlsym(RTLD_NEXT, "fdatasync");

    return next(fd);
}


int
fsync(int fd)
{
    int  (*next)(int);

    (void) nanosleep(&slow_time, NULL);
    *(void **) &next = dlsym(RTLD_NEXT, "fsync");

    return next(fd);
}
