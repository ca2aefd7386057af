
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * What HMAC-SHA256 and one pass of yajl over a body cost, and nothing else.
 *
 *     alone FILE SECONDS
 *
 * Prints microseconds of CPU time for each, the medians of many turns.  The
 * key is set once.  yajl has no callbacks: it looks for tokens, nesting and
 * UTF-8, and tells nobody.
 */


#include <openssl/evp.h>
#include <openssl/core_names.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yajl/yajl_parse.h>


#define ALONE_TURNS  1000


static double alone_hmac(const unsigned char *body, size_t len);
static double alone_yajl(const unsigned char *body, size_t len);
static double alone_median(double (*pass)(const unsigned char *, size_t),
    const unsigned char *body, size_t len, double seconds);
static double alone_now(void);
static int alone_compare(const void *one, const void *two);
static void alone_die(const char *what);


static EVP_MAC_CTX  *alone_keyed;


int
main(int argc, char **argv)
{
    FILE           *f;
    size_t          len;
    double          seconds;
    EVP_MAC        *mac;
    OSSL_PARAM      params[2];
    unsigned char  *body, key[32];

    if (argc != 3) {
        alone_die("wants FILE SECONDS");
    }

    f = fopen(argv[1], "rb");
    body = malloc(1 << 20);
    seconds = strtod(argv[2], NULL);

    if (f == NULL || body == NULL) {
        alone_die(argv[1]);
    }

    len = fread(body, 1, 1 << 20, f);
    fclose(f);

    memset(key, 'k', sizeof(key));
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 "SHA256", 0);
    params[1] = OSSL_PARAM_construct_end();

    mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    alone_keyed = mac ? EVP_MAC_CTX_new(mac) : NULL;

    if (alone_keyed == NULL
        || EVP_MAC_init(alone_keyed, key, sizeof(key), params) != 1)
    {
        alone_die("no HMAC");
    }

    printf("%.3f ", alone_median(alone_hmac, body, len, seconds / 2));
    printf("%.3f\n", alone_median(alone_yajl, body, len, seconds / 2));

    return 0;
}


/* times of one pass, so that an interruption spoils one and not the median */

static double
alone_median(double (*pass)(const unsigned char *, size_t),
    const unsigned char *body, size_t len, double seconds)
{
    int     n;
    double  begin, times[ALONE_TURNS];

    begin = alone_now();

    do {
        for (n = 0; n < ALONE_TURNS; n++) {
            times[n] = pass(body, len);

            if (n > 100 && alone_now() - begin > seconds * 1e6) {
                break;
            }
        }

    } while (alone_now() - begin < seconds * 1e6);

    qsort(times, n, sizeof(double), alone_compare);

    return times[n / 2];
}


static double
alone_hmac(const unsigned char *body, size_t len)
{
    size_t         n;
    double         begin;
    unsigned char  digest[32];

    begin = alone_now();

    if (EVP_MAC_init(alone_keyed, NULL, 0, NULL) != 1
        || EVP_MAC_update(alone_keyed, body, len) != 1
        || EVP_MAC_final(alone_keyed, digest, &n, sizeof(digest)) != 1)
    {
        alone_die("HMAC failed");
    }

    return alone_now() - begin;
}


static double
alone_yajl(const unsigned char *body, size_t len)
{
    double       begin;
    yajl_handle  h;

    begin = alone_now();

    h = yajl_alloc(NULL, NULL, NULL);

    if (h == NULL
        || yajl_parse(h, body, len) != yajl_status_ok
        || yajl_complete_parse(h) != yajl_status_ok)
    {
        alone_die("this is no JSON");
    }

    yajl_free(h);

    return alone_now() - begin;
}


static double
alone_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}


static int
alone_compare(const void *one, const void *two)
{
    double  a, b;

    a = *(const double *) one;
    b = *(const double *) two;

    return (a > b) - (a < b);
}


static void
alone_die(const char *what)
{
    fprintf(stderr, "alone: %s\n", what);
    exit(1);
}
