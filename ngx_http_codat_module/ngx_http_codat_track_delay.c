
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_track.h"
#include "ngx_http_codat_track_delay.h"
#include "ngx_http_codat_wait.h"


/*
 * A worker that is about to end is not told of changes, yet calls can't be
 * answered before their time: it looks.
 */
#define NGX_HTTP_CODAT_TRACK_LOOK  250


struct ngx_http_codat_delay_s {
    ngx_http_codat_track_t  *track;
    ngx_event_t              timer;
    ngx_uint_t               n;
    ngx_codat_watch_t       *watches;
    unsigned                 waiting:1;
};


static ngx_int_t ngx_http_codat_track_delay_refuse(
    ngx_http_codat_track_t *track, ngx_http_codat_track_key_t *key,
    const ngx_str_t *status);
static ngx_int_t ngx_http_codat_track_after_state(
    ngx_http_codat_track_t *track, ngx_http_codat_track_key_t **key,
    ngx_codat_copy_t *copy);
static void ngx_http_codat_track_shown(const ngx_str_t *text,
    ngx_str_t *shown, u_char *buf);
static ngx_http_codat_delay_t *ngx_http_codat_track_delay_create(
    ngx_http_codat_track_t *track);
static void ngx_http_codat_track_delay_watch_handler(
    ngx_codat_watch_t *watch);
static void ngx_http_codat_track_delay_timer_handler(ngx_event_t *ev);
static void ngx_http_codat_track_delay_resume(ngx_http_codat_delay_t *delay);
static void ngx_http_codat_track_delay_cleanup(void *data);


ngx_int_t
ngx_http_codat_track_delay_parse(ngx_http_codat_track_t *track,
    ngx_str_t *value)
{
    u_char                      *p, *last, *end;
    ngx_str_t                    text;
    ngx_uint_t                   max;
    ngx_http_codat_track_key_t  *key;

    max = NGX_HTTP_CODAT_TRACK_KEYS + 1;

    track->after = ngx_palloc(track->request->pool,
                              max * sizeof(ngx_http_codat_track_key_t));
    if (track->after == NULL) {
        return NGX_ERROR;
    }

    last = value->data + value->len;

    for (p = value->data; p < last && track->nafter < max; p = end + 1) {

        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        text.data = p;
        text.len = (size_t) (end - p);

        while (text.len && (text.data[0] == ' ' || text.data[0] == '\t')) {
            text.data++;
            text.len--;
        }

        while (text.len && (text.data[text.len - 1] == ' '
                            || text.data[text.len - 1] == '\t'))
        {
            text.len--;
        }

        /* an empty element of a list says nothing */

        if (text.len == 0) {
            continue;
        }

        key = &track->after[track->nafter++];
        key->text = text;

        switch (ngx_codat_table_key(track->zone, &text, key->key)) {

        case NGX_OK:
            break;

        case NGX_DECLINED:

            /* there can't be such a push: as if there were too many */

            track->nafter = max;
            return NGX_OK;

        default:
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_codat_track_delay(ngx_http_codat_track_t *track)
{
    ngx_int_t                    rc, waits;
    ngx_codat_copy_t            *copy;
    ngx_http_codat_track_key_t  *key;

    if (track->nafter == 0) {
        return NGX_DECLINED;
    }

    if (track->nafter > NGX_HTTP_CODAT_TRACK_KEYS) {
        return ngx_http_codat_track_problem(track,
                                            NGX_HTTP_CODAT_INVALID_AFTER,
                                            NGX_HTTP_CODAT_TRACKED_INVALID,
                                            "at most %d keys of at most %d "
                                            "bytes are expected",
                                            NGX_HTTP_CODAT_TRACK_KEYS,
                                            NGX_CODAT_ID_MAX);
    }

    copy = ngx_palloc(track->request->pool, sizeof(ngx_codat_copy_t));
    if (copy == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_codat_track_after_state(track, &key, copy);

    if (rc == NGX_AGAIN) {

        waits = ngx_http_codat_track_delay_wait(track, track->after,
                                                track->nafter);

        if (waits == NGX_OK) {
            rc = ngx_http_codat_track_after_state(track, &key, copy);
            waits = NGX_AGAIN;
        }

        if (waits == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (rc == NGX_AGAIN && waits == NGX_AGAIN) {

            if (!track->counted) {
                track->counted = 1;
                ngx_http_codat_track_count(track,
                                           NGX_HTTP_CODAT_TRACKED_DELAYED);
            }

            ngx_pfree(track->request->pool, copy);

            return NGX_AGAIN;
        }
    }

    ngx_http_codat_track_delay_end(track);

    if (rc == NGX_OK) {

        /* once is enough, whatever happens to the request */

        track->nafter = 0;

        ngx_pfree(track->request->pool, copy);

        return NGX_DECLINED;
    }

    return ngx_http_codat_track_delay_refuse(track, key,
                        rc == NGX_ABORT
                        ? &ngx_codat_push_status_names[copy->record.state]
                        : NULL);
}


static ngx_int_t
ngx_http_codat_track_delay_refuse(ngx_http_codat_track_t *track,
    ngx_http_codat_track_key_t *key, const ngx_str_t *status)
{
    u_char     buf[NGX_CODAT_ID_MAX];
    ngx_str_t  shown;

    ngx_http_codat_track_shown(&key->text, &shown, buf);

    if (status) {
        return ngx_http_codat_track_problem(track,
                                    NGX_HTTP_CODAT_DEPENDENCY_FAILED,
                                    NGX_HTTP_CODAT_TRACKED_DEPENDENCY_FAILED,
                                    "the push \"%V\" has ended as %V", &shown,
                                    status);
    }

    return ngx_http_codat_track_problem(track,
                               NGX_HTTP_CODAT_DEPENDENCY_TIMEOUT,
                               NGX_HTTP_CODAT_TRACKED_DEPENDENCY_TIMEOUT,
                               "the push \"%V\" has not succeeded in time",
                               &shown);
}


/*
 * NGX_OK if all of them succeeded; NGX_ABORT if the one in *key failed; or
 * NGX_AGAIN, *key being one that may still succeed, or may come to be known.
 */

static ngx_int_t
ngx_http_codat_track_after_state(ngx_http_codat_track_t *track,
    ngx_http_codat_track_key_t **key, ngx_codat_copy_t *copy)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_http_codat_track_key_t  *pending;

    pending = NULL;

    for (i = 0; i < track->nafter; i++) {

        rc = ngx_codat_table_get(track->zone, NGX_CODAT_RECORD_PUSH,
                                 track->after[i].key, copy);

        if (rc != NGX_OK || !ngx_codat_record_final(&copy->record)) {

            if (pending == NULL) {
                pending = &track->after[i];
            }

            continue;
        }

        if (copy->record.state != NGX_CODAT_PUSH_SUCCESS) {
            *key = &track->after[i];
            return NGX_ABORT;
        }
    }

    *key = pending;

    return pending ? NGX_AGAIN : NGX_OK;
}


/* a key as it may stand in a log line, in NGX_CODAT_ID_MAX bytes */

static void
ngx_http_codat_track_shown(const ngx_str_t *text, ngx_str_t *shown,
    u_char *buf)
{
    size_t  i;
    u_char  ch;

    shown->data = buf;
    shown->len = text->len;

    for (i = 0; i < text->len; i++) {
        ch = text->data[i];

        buf[i] = (ch < 0x20 || ch > 0x7e || ch == '"' || ch == '\\') ? '?'
                                                                     : ch;
    }
}


ngx_int_t
ngx_http_codat_track_delay_wait(ngx_http_codat_track_t *track,
    ngx_http_codat_track_key_t *keys, ngx_uint_t n)
{
    ngx_int_t                rc;
    ngx_msec_t               left;
    ngx_uint_t               i;
    ngx_codat_watch_t       *watch;
    ngx_http_codat_delay_t  *delay;

    left = ngx_http_codat_track_left(track);

    if (left == 0) {
        return NGX_DECLINED;
    }

    if (track->delay == NULL) {
        track->delay = ngx_http_codat_track_delay_create(track);

        if (track->delay == NULL) {
            return NGX_ERROR;
        }
    }

    delay = track->delay;
    rc = NGX_AGAIN;

    if (!delay->waiting) {

        if (delay->watches == NULL) {
            delay->watches = ngx_pcalloc(track->request->pool,
                                         n * sizeof(ngx_codat_watch_t));
            if (delay->watches == NULL) {
                return NGX_ERROR;
            }
        }

        delay->n = n;
        delay->waiting = 1;
        rc = NGX_OK;

        for (i = 0; i < n; i++) {
            watch = &delay->watches[i];

            watch->handler = ngx_http_codat_track_delay_watch_handler;
            watch->data = delay;
            watch->kind = NGX_CODAT_ROW_PUSH;
            ngx_memcpy(watch->key, keys[i].key, NGX_CODAT_WAKE_KEY_LEN);

            if (ngx_codat_wake_watch(track->zone->wakeup,
                                     track->zone->sh->wake, watch, left)
                != NGX_OK)
            {
                break;
            }
        }
    }

    if (ngx_exiting) {
        left = ngx_min(left, NGX_HTTP_CODAT_TRACK_LOOK);
    }

    ngx_add_timer(&delay->timer, left);

    if (ngx_http_codat_wait_client(track->request) != NGX_OK) {
        ngx_http_codat_track_delay_end(track);
        return NGX_ERROR;
    }

    return rc;
}


static ngx_http_codat_delay_t *
ngx_http_codat_track_delay_create(ngx_http_codat_track_t *track)
{
    ngx_http_cleanup_t      *cln;
    ngx_http_request_t      *r;
    ngx_http_codat_delay_t  *delay;

    r = track->request;

    delay = ngx_pcalloc(r->pool, sizeof(ngx_http_codat_delay_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (delay == NULL || cln == NULL) {
        return NULL;
    }

    delay->track = track;

    delay->timer.handler = ngx_http_codat_track_delay_timer_handler;
    delay->timer.data = r->connection;
    delay->timer.log = r->connection->log;

    cln->handler = ngx_http_codat_track_delay_cleanup;
    cln->data = delay;

    return delay;
}


static void
ngx_http_codat_track_delay_watch_handler(ngx_codat_watch_t *watch)
{
    ngx_http_codat_track_delay_resume(watch->data);
}


static void
ngx_http_codat_track_delay_timer_handler(ngx_event_t *ev)
{
    ngx_http_codat_track_delay_resume((ngx_http_codat_delay_t *)
                  ((u_char *) ev - offsetof(ngx_http_codat_delay_t, timer)));
}


static void
ngx_http_codat_track_delay_resume(ngx_http_codat_delay_t *delay)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = delay->track->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "codat track goes on: \"%V\"", &r->uri);

    /* the handler of the phase will wait again if it has to */

    ngx_http_codat_track_delay_cleanup(delay);

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);

    ngx_http_run_posted_requests(c);
}


void
ngx_http_codat_track_delay_end(ngx_http_codat_track_t *track)
{
    ngx_http_request_t  *r;

    if (track->delay == NULL || !track->delay->waiting) {
        return;
    }

    ngx_http_codat_track_delay_cleanup(track->delay);

    r = track->request;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;
}


static void
ngx_http_codat_track_delay_cleanup(void *data)
{
    ngx_http_codat_delay_t *delay = data;

    ngx_uint_t  i;

    for (i = 0; i < delay->n; i++) {
        ngx_codat_wake_unwatch(&delay->watches[i]);
    }

    if (delay->timer.timer_set) {
        ngx_del_timer(&delay->timer);
    }

    delay->waiting = 0;
}
