
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * nginx without sockets, see ngx_codat_fuzz_http.h.  Connections have a
 * descriptor of /dev/null, which nobody reads.
 */


#include "ngx_codat_fuzz_http.h"

#include <ngx_event.h>


#define NGX_CODAT_FUZZ_TURNS  20000         /* of the loop, for one input */
#define NGX_CODAT_FUZZ_ZONES  4


typedef struct {
    ngx_shm_t        *shm;
    u_char           *bytes;                /* as they were */
} ngx_codat_fuzz_shm_t;


static ngx_int_t ngx_codat_fuzz_event_on(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t flags);
static ngx_int_t ngx_codat_fuzz_event_off(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t flags);
static void ngx_codat_fuzz_http_own(ngx_http_location_tree_node_t *node,
    const char *name, ngx_http_handler_pt handler);
static ssize_t ngx_codat_fuzz_recv(ngx_connection_t *c, u_char *buf,
    size_t size);
static ngx_chain_t *ngx_codat_fuzz_send_chain(ngx_connection_t *c,
    ngx_chain_t *in, off_t limit);
static ssize_t ngx_codat_fuzz_send(ngx_connection_t *c, u_char *buf,
    size_t size);


static struct {
    const u_char         *pos;
    const u_char         *limit;            /* what has arrived */
    const u_char         *end;
    size_t                piece;
    size_t                window;
    size_t                room;             /* until the next turn */
    size_t                len;
    ngx_uint_t            left;             /* nginx has more to send */
    ngx_connection_t     *c;
    u_char                out[NGX_CODAT_FUZZ_ANSWER];
} io;


static ngx_cycle_t           *cycle;
static ngx_codat_fuzz_shm_t   zones[NGX_CODAT_FUZZ_ZONES];
static ngx_uint_t             nzones;
static char                   prefix[] = "/tmp/codat-fuzz.XXXXXX";


static ngx_int_t
ngx_codat_fuzz_event_on(ngx_event_t *ev, ngx_int_t event, ngx_uint_t flags)
{
    ev->active = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_codat_fuzz_event_off(ngx_event_t *ev, ngx_int_t event, ngx_uint_t flags)
{
    ev->active = 0;

    return NGX_OK;
}


static ssize_t
ngx_codat_fuzz_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    size_t  n;

    n = ngx_min((size_t) (io.limit - io.pos), size);

    if (n == 0) {

        /* a client that has sent all waits for the answer */

        c->read->ready = 0;
        return NGX_AGAIN;
    }

    ngx_memcpy(buf, io.pos, n);
    io.pos += n;

    return (ssize_t) n;
}


static ssize_t
ngx_codat_fuzz_send(ngx_connection_t *c, u_char *buf, size_t size)
{
    size_t  n;

    n = ngx_min(size, io.room);

    if (n == 0) {
        c->write->ready = 0;
        return NGX_AGAIN;
    }

    ngx_codat_fuzz_want(n <= NGX_CODAT_FUZZ_ANSWER - io.len);

    ngx_memcpy(io.out + io.len, buf, n);

    io.len += n;
    io.room -= n;
    c->sent += (off_t) n;

    return (ssize_t) n;
}


static ngx_chain_t *
ngx_codat_fuzz_send_chain(ngx_connection_t *c, ngx_chain_t *in, off_t limit)
{
    ssize_t     n;
    ngx_buf_t  *b;

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;

        if (ngx_buf_special(b)) {
            continue;
        }

        ngx_codat_fuzz_want(ngx_buf_in_memory(b));

        n = ngx_codat_fuzz_send(c, b->pos, (size_t) (b->last - b->pos));

        if (n == NGX_AGAIN) {
            break;
        }

        b->pos += n;

        if (b->pos < b->last) {
            c->write->ready = 0;
            break;
        }
    }

    io.left = (in != NULL);

    return in;
}


static void
ngx_codat_fuzz_http_rmdir(void)
{
    char  command[64];

    (void) snprintf(command, sizeof(command), "rm -rf %s", prefix);
    (void) !system(command);
}


static void
ngx_codat_fuzz_http_conf(const char *http, const char *server)
{
    FILE  *f;
    char   path[64];

    ngx_codat_fuzz_want(mkdtemp(prefix) != NULL);
    atexit(ngx_codat_fuzz_http_rmdir);

    (void) snprintf(path, sizeof(path), "%s/nginx.conf", prefix);

    f = fopen(path, "w");
    ngx_codat_fuzz_want(f != NULL);

    fprintf(f,
            "daemon off; master_process off; pid nginx.pid;\n"
            "error_log stderr info;\n"
            "%s\n"
            "events { worker_connections 64; accept_mutex off; }\n"
            "http {\n"
            "    access_log off;\n"
            "    client_body_temp_path body; proxy_temp_path proxy;\n"
            "    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;\n"
            "    scgi_temp_path scgi;\n"
            "    lingering_close off; keepalive_timeout 1;\n"
            "    sendfile off; client_body_buffer_size 8k;\n"
            "    client_max_body_size 1m;\n"
            "    %s\n"
            "    server { listen unix:%s/s; %s }\n"
            "}\n",
            getuid() == 0 ? "user root;" : "", http, prefix, server);

    ngx_codat_fuzz_want(fclose(f) == 0);
}


void
ngx_codat_fuzz_http_init(const char *http, const char *server)
{
    ngx_uint_t     i;
    ngx_cycle_t    init;

    static char   *args[] = { prefix, NULL };
    static char    conf[64], top[64];

    ngx_codat_fuzz_http_conf(http, server);

    (void) snprintf(conf, sizeof(conf), "%s/nginx.conf", prefix);
    (void) snprintf(top, sizeof(top), "%s/", prefix);

    /* as main() of nginx does it */

    ngx_memzero(&init, sizeof(init));

    init.log = ngx_codat_fuzz_log();
    init.pool = ngx_codat_fuzz_pool();

    ngx_cycle = &init;

    ngx_max_sockets = -1;
    ngx_parent = ngx_getppid();
    ngx_argc = 1;
    ngx_os_argv = args;

    ngx_regex_init();
    ngx_ssl_init(init.log);

    init.prefix.data = (u_char *) top;
    init.prefix.len = strlen(top);
    init.conf_prefix = init.prefix;

    init.conf_file.data = (u_char *) conf;
    init.conf_file.len = strlen(conf);

    ngx_str_set(&init.error_log, "stderr");

    /* which it counts up once more */

    ngx_pagesize_shift = 0;

    ngx_codat_fuzz_want(ngx_os_init(init.log) == NGX_OK);
    ngx_codat_fuzz_want(ngx_preinit_modules() == NGX_OK);

    cycle = ngx_init_cycle(&init);

    if (cycle == NULL) {
        fprintf(stderr, "nginx does not start with %s\n", conf);
        abort();
    }

    ngx_cycle = cycle;

    cycle->new_log.writer = ngx_codat_fuzz_log()->writer;
    cycle->log->writer = ngx_codat_fuzz_log()->writer;
    ngx_use_stderr = 0;

    for (i = 0; cycle->modules[i]; i++) {
        if (cycle->modules[i]->init_process) {
            ngx_codat_fuzz_want(cycle->modules[i]->init_process(cycle)
                                == NGX_OK);
        }
    }

    /* from here on nothing is really waited for */

    ngx_event_actions.add = ngx_codat_fuzz_event_on;
    ngx_event_actions.del = ngx_codat_fuzz_event_off;
    ngx_event_actions.add_conn = NULL;
    ngx_event_actions.del_conn = NULL;
}


void
ngx_codat_fuzz_http_location(const char *name, ngx_http_handler_pt handler)
{
    ngx_http_port_t           *port;
    ngx_listening_t           *ls;
    ngx_http_in_addr_t        *addr;
    ngx_http_core_loc_conf_t  *clcf;

    ls = cycle->listening.elts;
    port = ls[0].servers;
    addr = port->addrs;

    clcf = addr->conf.default_server->ctx->loc_conf[
                                             ngx_http_core_module.ctx_index];

    ngx_codat_fuzz_http_own(clcf->static_locations, name, handler);
}


static void
ngx_codat_fuzz_http_own(ngx_http_location_tree_node_t *node, const char *name,
    ngx_http_handler_pt handler)
{
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcfs[2];

    if (node == NULL) {
        return;
    }

    clcfs[0] = node->exact;
    clcfs[1] = node->inclusive;

    for (i = 0; i < 2; i++) {
        if (clcfs[i] && clcfs[i]->name.len == strlen(name)
            && ngx_strncmp(clcfs[i]->name.data, name, strlen(name)) == 0)
        {
            clcfs[i]->handler = handler;
        }
    }

    ngx_codat_fuzz_http_own(node->left, name, handler);
    ngx_codat_fuzz_http_own(node->right, name, handler);
    ngx_codat_fuzz_http_own(node->tree, name, handler);
}


void
ngx_codat_fuzz_http_save(void)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;

    for (part = &cycle->shared_memory.part; part; part = part->next) {
        zone = part->elts;

        for (i = 0; i < part->nelts; i++) {
            ngx_codat_fuzz_want(nzones < NGX_CODAT_FUZZ_ZONES);

            zones[nzones].shm = &zone[i].shm;
            zones[nzones].bytes = malloc(zone[i].shm.size);
            ngx_codat_fuzz_want(zones[nzones].bytes != NULL);

            ngx_memcpy(zones[nzones].bytes, zone[i].shm.addr,
                       zone[i].shm.size);
            nzones++;
        }
    }
}


void
ngx_codat_fuzz_http_reset(void)
{
    ngx_uint_t  i;

    for (i = 0; i < nzones; i++) {
        ngx_memcpy(zones[i].shm->addr, zones[i].bytes, zones[i].shm->size);
    }
}


static ngx_connection_t *
ngx_codat_fuzz_http_connect(void)
{
    int                fd;
    ngx_log_t         *log;
    ngx_listening_t   *ls;
    ngx_connection_t  *c;

    ls = cycle->listening.elts;

    fd = open("/dev/null", O_RDWR);
    ngx_codat_fuzz_want(fd != -1);

    c = ngx_get_connection(fd, cycle->log);
    ngx_codat_fuzz_want(c != NULL);

    c->pool = ngx_create_pool(ls->pool_size, cycle->log);
    ngx_codat_fuzz_want(c->pool != NULL);

    log = ngx_palloc(c->pool, sizeof(ngx_log_t));
    ngx_codat_fuzz_want(log != NULL);

    *log = cycle->new_log;

    c->pool->log = log;
    c->log = log;
    c->read->log = log;
    c->write->log = log;

    c->type = SOCK_STREAM;
    c->listening = ls;
    c->sockaddr = ls->sockaddr;
    c->socklen = ls->socklen;
    c->local_sockaddr = ls->sockaddr;
    c->local_socklen = ls->socklen;
    ngx_str_set(&c->addr_text, "unix:");

    c->recv = ngx_codat_fuzz_recv;
    c->send = ngx_codat_fuzz_send;
    c->send_chain = ngx_codat_fuzz_send_chain;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;

    c->number = 1;
    c->start_time = ngx_current_msec;
    c->write->ready = 1;

    return c;
}


/* one turn of the loop; 0 when the connection is closed */

static ngx_uint_t
ngx_codat_fuzz_http_turn(void)
{
    ngx_msec_t         timer;
    ngx_connection_t  *c;

    c = io.c;

    ngx_event_move_posted_next(cycle);
    ngx_event_process_posted(cycle, &ngx_posted_events);

    if (c->fd == (ngx_socket_t) -1) {
        return 0;
    }

    if (io.limit < io.end && c->read->active) {
        io.limit += ngx_min(io.piece, (size_t) (io.end - io.limit));
        c->read->ready = 1;
        c->read->handler(c->read);
        return 1;
    }

    if (!c->write->ready && c->write->active) {
        io.room = io.window;
        c->write->ready = 1;
        c->write->handler(c->write);
        return 1;
    }

    if (!ngx_queue_empty(&ngx_posted_next_events)
        || !ngx_queue_empty(&ngx_posted_events))
    {
        return 1;
    }

    /* time passes; without a timer it would hang for ever */

    timer = ngx_event_find_timer();
    ngx_codat_fuzz_want(timer != NGX_TIMER_INFINITE);

    ngx_current_msec += timer;
    ngx_event_expire_timers();

    return 1;
}


ngx_str_t
ngx_codat_fuzz_http(const u_char *data, size_t len, size_t piece,
    size_t window)
{
    ngx_str_t   out;
    ngx_uint_t  turn;

    io.pos = data;
    io.left = 0;
    io.limit = data;
    io.end = data + len;
    io.piece = piece ? piece : len + 1;
    io.window = window ? window : NGX_CODAT_FUZZ_ANSWER;
    io.room = io.window;
    io.len = 0;
    io.c = ngx_codat_fuzz_http_connect();

    ngx_http_init_connection(io.c);

    for (turn = 0; ngx_codat_fuzz_http_turn(); turn++) {
        ngx_codat_fuzz_want(turn < NGX_CODAT_FUZZ_TURNS);
    }

    out.data = io.out;
    out.len = io.len;

    return out;
}


ngx_str_t
ngx_codat_fuzz_http_header(ngx_codat_fuzz_answer_t *answer, const char *name)
{
    u_char     *p, *end, *last;
    ngx_str_t   value;

    ngx_str_null(&value);

    last = answer->head.data + answer->head.len;

    for (p = answer->head.data; p < last; p = end + 2) {
        end = memmem(p, (size_t) (last - p), CRLF, 2);
        ngx_codat_fuzz_want(end != NULL);

        if ((size_t) (end - p) > strlen(name) + 1
            && strncasecmp((char *) p, name, strlen(name)) == 0
            && p[strlen(name)] == ':')
        {
            value.data = p + strlen(name) + 2;
            value.len = (size_t) (end - value.data);
        }
    }

    return value;
}


/* takes the chunks apart, in place */

static void
ngx_codat_fuzz_http_chunks(ngx_str_t *rest, ngx_str_t *body)
{
    u_char  *p, *end, *last;
    size_t   size;

    body->data = rest->data;
    body->len = 0;

    p = rest->data;
    last = p + rest->len;

    for ( ;; ) {
        end = memmem(p, (size_t) (last - p), CRLF, 2);
        ngx_codat_fuzz_want(end != NULL && end > p);

        size = (size_t) ngx_hextoi(p, (size_t) (end - p));
        p = end + 2;

        ngx_codat_fuzz_want(size <= (size_t) (last - p)
                            && (size_t) (last - p) - size >= 2);

        ngx_memmove(body->data + body->len, p, size);
        body->len += size;
        p += size;

        ngx_codat_fuzz_want(p[0] == CR && p[1] == LF);
        p += 2;

        if (size == 0) {
            break;
        }
    }

    rest->data = p;
    rest->len = (size_t) (last - p);
}


ngx_int_t
ngx_codat_fuzz_http_answer(ngx_str_t *rest, ngx_uint_t head_only,
    ngx_codat_fuzz_answer_t *answer)
{
    u_char     *end;
    ngx_int_t   len;
    ngx_str_t   value;

    if (rest->len < 12 || ngx_strncmp(rest->data, "HTTP/1.1 ", 9) != 0) {
        return NGX_DONE;
    }

    end = memmem(rest->data, rest->len, CRLF CRLF, 4);

    if (end == NULL) {

        /* nginx ends a connection whose body is bad, whatever is unsent */

        ngx_codat_fuzz_want(io.left);
        return NGX_DONE;
    }

    answer->head.data = rest->data;
    answer->head.len = (size_t) (end + 2 - rest->data);
    answer->status = (ngx_uint_t) ngx_atoi(rest->data + 9, 3);

    rest->len -= answer->head.len + 2;
    rest->data = end + 4;

    answer->body.data = rest->data;
    answer->body.len = 0;

    if (head_only || answer->status == 204 || answer->status == 304
        || answer->status < 200)
    {
        return NGX_OK;
    }

    value = ngx_codat_fuzz_http_header(answer, "Content-Length");

    if (value.len) {
        len = ngx_atoi(value.data, value.len);
        ngx_codat_fuzz_want(len >= 0);

        if ((size_t) len > rest->len) {
            ngx_codat_fuzz_want(io.left);
            return NGX_DONE;
        }

        answer->body.len = (size_t) len;
        rest->data += len;
        rest->len -= (size_t) len;

        return NGX_OK;
    }

    if (io.left) {
        return NGX_DONE;
    }

    value = ngx_codat_fuzz_http_header(answer, "Transfer-Encoding");

    if (value.len) {
        ngx_codat_fuzz_http_chunks(rest, &answer->body);
        return NGX_OK;
    }

    answer->body = *rest;
    rest->len = 0;

    return NGX_OK;
}
