
/*
 * Copyright (C) the authors of the Codat module
 *
 * How fast a disk makes groups durable, and nothing else.
 *
 *     sync FILE BYTES SENDERS SECONDS
 *
 * A group is what SENDERS have handed over while the one before was written:
 * that many times BYTES in one write, and fdatasync(), in turn over a file
 * whose space is there already.  Prints groups a second, and the median, 99 %
 * and the longest of their times in milliseconds.
 */


#define _GNU_SOURCE

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


#define SYNC_FILE   (64 * 1024 * 1024)
#define SYNC_TIMES  1000000


static double sync_now(void);
static int sync_compare(const void *one, const void *two);
static void sync_die(const char *what);


static double
sync_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec * 1e3 + (double) ts.tv_nsec / 1e6;
}


static int
sync_compare(const void *one, const void *two)
{
    double  a = *(const double *) one, b = *(const double *) two;

    return (a > b) - (a < b);
}


static void
sync_die(const char *what)
{
    perror(what);
    exit(1);
}


int
main(int argc, char **argv)
{
    int      fd;
    char    *block;
    off_t    at;
    double  *times, begin, end, until;
    size_t   size, n;

    if (argc != 5) {
        fprintf(stderr, "usage: sync FILE BYTES SENDERS SECONDS\n");
        return 2;
    }

    size = strtoul(argv[2], NULL, 10) * strtoul(argv[3], NULL, 10);

    if (size == 0 || size > SYNC_FILE) {
        fprintf(stderr, "sync: too little, or too much\n");
        return 2;
    }

    block = malloc(SYNC_FILE);
    times = malloc(SYNC_TIMES * sizeof(double));
    fd = open(argv[1], O_RDWR|O_CREAT|O_TRUNC, 0600);

    if (block == NULL || times == NULL || fd == -1) {
        sync_die(argv[1]);
    }

    memset(block, 'x', SYNC_FILE);

    if (write(fd, block, SYNC_FILE) != SYNC_FILE || fsync(fd) == -1) {
        sync_die("write");
    }

    at = 0;
    n = 0;
    begin = sync_now();
    end = begin;
    until = begin + strtod(argv[4], NULL) * 1e3;

    while (end < until && n < SYNC_TIMES) {

        if (at + (off_t) size > SYNC_FILE) {
            at = 0;
        }

        if (pwrite(fd, block, size, at) != (ssize_t) size
            || fdatasync(fd) == -1)
        {
            sync_die("fdatasync");
        }

        at += (off_t) size;

        times[n] = sync_now() - end;
        end += times[n++];
    }

    qsort(times, n, sizeof(double), sync_compare);

    printf("%.1f %.3f %.3f %.3f\n", (double) n / (end - begin) * 1e3,
           times[n / 2], times[n * 99 / 100], times[n - 1]);

    return 0;
}
