
/*
 * Copyright (C) the authors of the Codat module
 *
 * Sends webhooks as fast as they are answered, and knows what became of each.
 *
 *     load PORT CONNECTIONS FIRST COUNT TEMPLATES OUT [RATE [KEEP]]
 *
 * RATE is of new messages in a second, 0: as fast as they are answered.  KEEP
 * is how many of them a connection takes before it is closed, 0: any number.
 *
 * TEMPLATES is a file of whole requests, each behind a line of "--request--".
 * Message n is made of template n % their number: in it "%BBBBBBBBBBB",
 * "%CCCCCCCCCCC" and "%MMMMMMMMMMM" become n / their number, that divided by
 * 64, and n, each as 12 hexadecimal digits; "%DDDDDDDDDDD" is the first of
 * them less 200, where there were so many before, "%EEEEEEEEEEE" that divided
 * by 64.
 *
 * A message whose connection was closed before the answer, or that was
 * answered 503, is sent again until it is answered 2xx.  Any other answer
 * ends the program with status 1.  OUT.state has a byte for each message:
 * 0 not sent, 's' sent, 'a' accepted, 'd' answered as a duplicate.  OUT.closed
 * has a line for each connection that was closed with a message on it: wall
 * time, n, whether the "request" or part of the "answer" had been sent, and
 * how many messages it was of the connection, from 1.
 *
 * SIGTERM ends it early.  At its end it prints what happened as JSON; times
 * of answers are from the first byte sent to the last received.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define LOAD_TEMPLATES   64
#define LOAD_MARKS       16
#define LOAD_REQUEST     16384
#define LOAD_ANSWER      16384
#define LOAD_BEFORE      200                /* turns */
#define LOAD_STEPS       16
#define LOAD_SLOTS       (64 * LOAD_STEPS)
#define LOAD_AGAIN       50000000ULL        /* ns until a 503 is repeated */
#define LOAD_TIMEOUT     30000000000ULL     /* ns without an answer */


typedef struct {
    char        *text;
    size_t       len;
    struct {
        size_t   at;
        char     what;
    }            marks[LOAD_MARKS];
    int          nmarks;
} load_template_t;


typedef struct {
    int          fd;
    int          writing;               /* epoll tells when it can */
    int          nth;                   /* message on this connection */
    uint64_t     number;                /* of the message */
    uint64_t     begin;
    size_t       len;
    size_t       sent;
    size_t       got;
    char         request[LOAD_REQUEST];
    char         answer[LOAD_ANSWER + 1];
} load_connection_t;


typedef struct {
    uint64_t     number;
    uint64_t     due;
} load_again_t;


typedef struct {
    uint64_t     sent;                  /* requests */
    uint64_t     accepted;
    uint64_t     duplicate;
    uint64_t     busy;
    uint64_t     closed;
    uint64_t     reconnected;           /* after an answer that said so */
    uint64_t     gap;                   /* ns, the longest between answers */
    uint64_t     max;
    uint64_t     slots[LOAD_SLOTS];
} load_result_t;


static void load_read_templates(const char *path);
static void load_template(char *text, size_t len);
static void load_open(load_connection_t *c);
static void load_begin(load_connection_t *c);
static int load_next(uint64_t *number);
static void load_make(load_connection_t *c);
static void load_write(load_connection_t *c);
static void load_read(load_connection_t *c);
static void load_answered(load_connection_t *c, const char *body);
static void load_lost(load_connection_t *c);
static void load_again(uint64_t number, uint64_t due);
static void load_time(uint64_t ns);
static uint64_t load_percentile(double part);
static uint64_t load_now(void);
static void load_print(uint64_t ns);
static void load_stop(int signo);
static void load_die(const char *what);


static load_template_t     load_templates[LOAD_TEMPLATES];
static int                 load_ntemplates;
static load_connection_t  *load_connections;
static int                 load_nconnections;
static int                 load_epoll;
static int                 load_port, load_keep;
static uint64_t            load_first, load_number, load_end;
static uint64_t            load_started;
static double              load_rate;
static load_again_t       *load_queue;      /* a ring */
static size_t              load_queue_size, load_queue_head, load_queue_n;
static int                 load_idle;       /* connections with nothing */
static char               *load_state;
static FILE               *load_closed;
static load_result_t       load_result;
static uint64_t            load_last;       /* answer */
static volatile int        load_stopped;


int
main(int argc, char **argv)
{
    int                  i, n, fd;
    char                 path[4096];
    uint64_t             begin, now, checked;
    load_connection_t   *c;
    struct epoll_event   events[256];

    if (argc < 7 || argc > 9) {
        load_die("wants PORT CONNECTIONS FIRST COUNT TEMPLATES OUT [RATE "
                 "[KEEP]]");
    }

    load_port = atoi(argv[1]);
    load_nconnections = atoi(argv[2]);
    load_number = strtoull(argv[3], NULL, 10);
    load_first = load_number;
    load_rate = argc > 7 ? strtod(argv[7], NULL) : 0;
    load_keep = argc > 8 ? atoi(argv[8]) : 0;
    load_end = load_number + strtoull(argv[4], NULL, 10);
    load_read_templates(argv[5]);

    snprintf(path, sizeof(path), "%s.state", argv[6]);
    fd = open(path, O_RDWR|O_CREAT, 0600);
    if (fd == -1 || ftruncate(fd, load_end) == -1) {
        load_die(path);
    }

    load_state = mmap(NULL, load_end, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    snprintf(path, sizeof(path), "%s.closed", argv[6]);
    load_closed = fopen(path, "a");

    load_epoll = epoll_create1(0);
    load_connections = calloc(load_nconnections, sizeof(load_connection_t));
    load_queue_size = load_nconnections * 2 + 16;
    load_queue = calloc(load_queue_size, sizeof(load_again_t));

    if (load_state == MAP_FAILED || load_closed == NULL || load_epoll == -1
        || load_connections == NULL || load_queue == NULL)
    {
        load_die("cannot start");
    }

    setlinebuf(load_closed);
    signal(SIGTERM, load_stop);
    signal(SIGINT, load_stop);
    signal(SIGPIPE, SIG_IGN);

    begin = load_now();
    load_started = begin;
    load_last = begin;
    checked = begin;

    for (i = 0; i < load_nconnections; i++) {
        load_connections[i].fd = -1;
        load_begin(&load_connections[i]);
    }

    while (load_idle < load_nconnections || load_queue_n
           || (load_number < load_end && !load_stopped))
    {
        n = epoll_wait(load_epoll, events, 256, load_idle ? 1 : 1000);

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (c->len && c->sent < c->len) {
                load_write(c);
            }

            if (c->fd != -1 && (events[i].events & ~EPOLLOUT)) {
                load_read(c);
            }
        }

        now = load_now();

        if (load_idle) {
            load_idle = 0;

            for (i = 0; i < load_nconnections; i++) {
                if (load_connections[i].len == 0) {
                    load_begin(&load_connections[i]);
                }
            }
        }

        if (now - checked > 1000000000) {
            checked = now;

            for (i = 0; i < load_nconnections; i++) {
                c = &load_connections[i];

                if (c->len && now > c->begin + LOAD_TIMEOUT) {
                    fprintf(stderr, "load: message %llu\n",
                            (unsigned long long) c->number);
                    load_die("no answer in time");
                }
            }
        }
    }

    load_print(load_now() - begin);

    return 0;
}


static void
load_read_templates(const char *path)
{
    char    *text, *p, *next;
    FILE    *f;
    size_t   len;

    static const char  mark[] = "--request--\n";

    f = fopen(path, "rb");
    text = malloc(LOAD_TEMPLATES * LOAD_REQUEST);

    if (f == NULL || text == NULL) {
        load_die(path);
    }

    len = fread(text, 1, LOAD_TEMPLATES * LOAD_REQUEST - 1, f);
    text[len] = '\0';
    fclose(f);

    for (p = strstr(text, mark); p; p = next) {
        p += sizeof(mark) - 1;
        next = strstr(p, mark);

        load_template(p, next ? (size_t) (next - p)
                              : len - (size_t) (p - text));
    }

    if (load_ntemplates == 0) {
        load_die("no templates");
    }
}


static void
load_template(char *text, size_t len)
{
    char             *p;
    load_template_t  *t;

    if (load_ntemplates == LOAD_TEMPLATES || len > LOAD_REQUEST) {
        load_die("too many templates, or too long");
    }

    t = &load_templates[load_ntemplates++];
    t->text = text;
    t->len = len;

    for (p = text; p + 12 <= text + len; p++) {

        if (*p != '%' || (memcmp(p + 1, "BBBBBBBBBBB", 11) != 0
                          && memcmp(p + 1, "CCCCCCCCCCC", 11) != 0
                          && memcmp(p + 1, "DDDDDDDDDDD", 11) != 0
                          && memcmp(p + 1, "EEEEEEEEEEE", 11) != 0
                          && memcmp(p + 1, "MMMMMMMMMMM", 11) != 0))
        {
            continue;
        }

        if (t->nmarks == LOAD_MARKS) {
            load_die("too many marks");
        }

        t->marks[t->nmarks].at = p - text;
        t->marks[t->nmarks++].what = p[1];
    }
}


static void
load_open(load_connection_t *c)
{
    int                  one;
    struct sockaddr_in   sin;
    struct epoll_event   ee;

    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((uint16_t) load_port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    /* the kernel accepts at once, whatever the workers do */

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1)
    {
        load_die("connect");
    }

    one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);

    ee.events = EPOLLIN|EPOLLRDHUP;
    ee.data.ptr = c;
    c->writing = 0;
    c->nth = 0;

    if (epoll_ctl(load_epoll, EPOLL_CTL_ADD, c->fd, &ee) == -1) {
        load_die("epoll_ctl");
    }
}


/* the next message on a connection, if there is one */

static void
load_begin(load_connection_t *c)
{
    if (!load_next(&c->number)) {
        c->len = 0;
        load_idle++;
        return;
    }

    if (c->fd == -1) {
        load_open(c);
    }

    load_make(c);

    c->nth++;
    c->sent = 0;
    c->got = 0;
    c->begin = load_now();

    load_state[c->number] = 's';
    load_result.sent++;

    load_write(c);
}


static int
load_next(uint64_t *number)
{
    if (load_queue_n && (load_queue[load_queue_head].due <= load_now())) {
        *number = load_queue[load_queue_head].number;
        load_queue_head = (load_queue_head + 1) % load_queue_size;
        load_queue_n--;
        return 1;
    }

    if (load_number < load_end && !load_stopped
        && (load_rate == 0
            || (load_now() - load_started) * load_rate
               >= (load_number - load_first) * 1e9))
    {
        *number = load_number++;
        return 1;
    }

    return 0;
}


static void
load_make(load_connection_t *c)
{
    int               i;
    char              hex[13];
    uint64_t          base, before, n;
    load_template_t  *t;

    t = &load_templates[c->number % load_ntemplates];
    base = c->number / load_ntemplates;
    before = base >= LOAD_BEFORE ? base - LOAD_BEFORE : base;

    memcpy(c->request, t->text, t->len);
    c->len = t->len;

    for (i = 0; i < t->nmarks; i++) {

        switch (t->marks[i].what) {

        case 'B':
            n = base;
            break;

        case 'C':
            n = base / 64;
            break;

        case 'D':
            n = before;
            break;

        case 'E':
            n = before / 64;
            break;

        default:
            n = c->number;
        }

        snprintf(hex, sizeof(hex), "%012llx", (unsigned long long) n);
        memcpy(c->request + t->marks[i].at, hex, 12);
    }
}


static void
load_write(load_connection_t *c)
{
    ssize_t             n;
    struct epoll_event  ee;

    while (c->sent < c->len) {
        n = send(c->fd, c->request + c->sent, c->len - c->sent, 0);

        if (n >= 0) {
            c->sent += n;
            continue;
        }

        if (errno == EINTR) {
            continue;
        }

        if (errno != EAGAIN) {

            /* what was answered before it was closed may be there to read */

            load_lost(c);
            return;
        }

        break;
    }

    ee.events = EPOLLIN|EPOLLRDHUP|(c->sent < c->len ? EPOLLOUT : 0);
    ee.data.ptr = c;

    if (c->writing != (c->sent < c->len)) {
        c->writing = !c->writing;
        epoll_ctl(load_epoll, EPOLL_CTL_MOD, c->fd, &ee);
    }
}


static void
load_read(load_connection_t *c)
{
    char     *end, *length;
    size_t    body;
    ssize_t   n;

    n = recv(c->fd, c->answer + c->got, LOAD_ANSWER - c->got, 0);

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    if (n <= 0) {

        if (c->len) {
            load_lost(c);
            return;
        }

        /* an idle one, at a reload */

        close(c->fd);
        c->fd = -1;
        return;
    }

    c->got += n;
    c->answer[c->got] = '\0';

    end = strstr(c->answer, "\r\n\r\n");
    if (end == NULL) {
        return;
    }

    length = strcasestr(c->answer, "\r\nContent-Length:");

    if (length == NULL || length > end) {
        fprintf(stderr, "%s\n", c->answer);
        load_die("an answer without length");
    }

    end += 4;
    body = strtoul(length + 17, NULL, 10);

    if ((size_t) (c->answer + c->got - end) < body) {
        return;
    }

    load_answered(c, end);
}


static void
load_answered(load_connection_t *c, const char *body)
{
    uint64_t  now;

    now = load_now();

    if (now - load_last > load_result.gap) {
        load_result.gap = now - load_last;
    }

    load_last = now;
    load_time(now - c->begin);

    if (strncmp(c->answer, "HTTP/1.1 20", 11) == 0) {

        if (strstr(body, "\"duplicate\"")) {
            load_state[c->number] = 'd';
            load_result.duplicate++;

        } else {
            load_state[c->number] = 'a';
            load_result.accepted++;
        }

    } else if (strncmp(c->answer, "HTTP/1.1 503 ", 13) == 0) {
        load_result.busy++;
        load_again(c->number, now + LOAD_AGAIN);

    } else {
        fprintf(stderr, "%s\n", c->answer);
        load_die("neither 2xx nor 503");
    }

    if (strcasestr(c->answer, "\r\nConnection: close\r\n")) {
        load_result.reconnected++;
        close(c->fd);
        c->fd = -1;

    } else if (load_keep && c->nth >= load_keep) {
        close(c->fd);
        c->fd = -1;
    }

    c->len = 0;

    load_begin(c);
}


static void
load_lost(load_connection_t *c)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    fprintf(load_closed, "%lld.%06ld %llu %s %d\n", (long long) ts.tv_sec,
            ts.tv_nsec / 1000, (unsigned long long) c->number,
            c->got ? "answer" : "request", c->nth);

    load_result.closed++;

    close(c->fd);
    c->fd = -1;
    c->len = 0;

    load_again(c->number, 0);
    load_idle++;
}


static void
load_again(uint64_t number, uint64_t due)
{
    size_t  i;

    if (load_queue_n == load_queue_size) {
        load_die("too many messages to be repeated");
    }

    i = (load_queue_head + load_queue_n++) % load_queue_size;

    load_queue[i].number = number;
    load_queue[i].due = due;
}


/* nanoseconds, sixteen steps for each doubling: within 6 % */

static void
load_time(uint64_t ns)
{
    int       shift;
    uint64_t  n;

    shift = 0;

    for (n = ns; n >= 2 * LOAD_STEPS; n >>= 1) {
        shift++;
    }

    load_result.slots[ns < LOAD_STEPS ? ns
                      : (shift + 1) * LOAD_STEPS + (n - LOAD_STEPS)]++;

    if (ns > load_result.max) {
        load_result.max = ns;
    }
}


static uint64_t
load_percentile(double part)
{
    int       i, shift;
    uint64_t  n, all;

    all = 0;
    n = 0;

    for (i = 0; i < LOAD_SLOTS; i++) {
        all += load_result.slots[i];
    }

    for (i = 0; i < LOAD_SLOTS; i++) {
        n += load_result.slots[i];

        if (n && n >= part * all) {
            break;
        }
    }

    if (i < LOAD_STEPS) {
        return i;
    }

    shift = i / LOAD_STEPS - 1;

    return ((uint64_t) (i % LOAD_STEPS + LOAD_STEPS + 1) << shift) - 1;
}


static uint64_t
load_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


static void
load_print(uint64_t ns)
{
    load_result_t  *r;

    r = &load_result;

    printf("{\"sent\":%llu,\"accepted\":%llu,\"duplicate\":%llu,"
           "\"busy\":%llu,\"closed\":%llu,\"reconnected\":%llu,"
           "\"seconds\":%.3f,\"next\":%llu,",
           (unsigned long long) r->sent, (unsigned long long) r->accepted,
           (unsigned long long) r->duplicate, (unsigned long long) r->busy,
           (unsigned long long) r->closed,
           (unsigned long long) r->reconnected, ns / 1e9,
           (unsigned long long) load_number);

    printf("\"milliseconds\":{\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,"
           "\"p9999\":%.3f,\"max\":%.3f,\"gap\":%.3f}}\n",
           load_percentile(0.5) / 1e6, load_percentile(0.99) / 1e6,
           load_percentile(0.999) / 1e6, load_percentile(0.9999) / 1e6,
           r->max / 1e6, r->gap / 1e6);
}


static void
load_stop(int signo)
{
    (void) signo;

    load_stopped = 1;
}


static void
load_die(const char *what)
{
    fprintf(stderr, "load: %s", what);

    if (errno) {
        fprintf(stderr, ": %s", strerror(errno));
    }

    fprintf(stderr, "\n");
    exit(1);
}
