
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the ring of recent events, see ngx_codat_recent.h.  What lies
 * between "begin" and "end" is whole at any moment: old events are given up
 * before they are overwritten, and a new one counts once "end" says so.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_recent.h"


#define ngx_codat_recent_at(recent, offset)                                   \
    ((ngx_codat_recent_head_t *)                                              \
     ((recent)->bytes + (size_t) ((offset) % (recent)->size)))


static ngx_int_t ngx_codat_recent_room(ngx_codat_recent_t *recent,
    uint64_t *start, size_t size);
static ngx_codat_recent_head_t *ngx_codat_recent_head(
    ngx_codat_recent_t *recent, uint64_t offset);
static void ngx_codat_recent_text(u_char **p, ngx_str_t *text, uint32_t len);


void
ngx_codat_recent_init(ngx_codat_recent_t *recent, u_char *bytes, size_t size)
{
    ngx_memzero(recent, sizeof(ngx_codat_recent_t));

    recent->bytes = bytes;
    recent->size = size;

    /* 0 is no position */

    recent->begin = size;
    recent->last = 0;
    recent->end = size;
}


void
ngx_codat_recent_add_locked(ngx_codat_recent_t *recent,
    const ngx_codat_recent_event_t *event)
{
    u_char                   *p;
    size_t                    size;
    uint64_t                  start;
    ngx_codat_recent_head_t  *head;

    size = sizeof(ngx_codat_recent_head_t) + event->id.len + event->client.len
           + event->reference.len + event->body.len;

    size = ngx_align(size, sizeof(uint64_t));

    start = recent->end;

    if (size > NGX_CODAT_RECENT_MAX
        || ngx_codat_recent_room(recent, &start, size) != NGX_OK)
    {
        recent->unlisted++;
        return;
    }

    head = ngx_codat_recent_at(recent, start);

    head->offset = start;
    head->previous = recent->last;
    head->received = event->received;
    head->size = (uint32_t) size;
    head->id_len = (uint32_t) event->id.len;
    head->client_len = (uint32_t) event->client.len;
    head->reference_len = (uint32_t) event->reference.len;
    head->body_len = (uint32_t) event->body.len;
    head->stale = (uint32_t) event->stale;

    p = (u_char *) (head + 1);

    p = ngx_cpymem(p, event->id.data, event->id.len);
    p = ngx_cpymem(p, event->client.data, event->client.len);
    p = ngx_cpymem(p, event->reference.data, event->reference.len);
    ngx_memcpy(p, event->body.data, event->body.len);

    ngx_memory_barrier();

    recent->end = start + size;

    ngx_memory_barrier();

    recent->last = start;
    recent->count++;
}


/*
 * Gives up what lies where the new event goes.  One that would go over the
 * end of the memory starts at its beginning.
 */

static ngx_int_t
ngx_codat_recent_room(ngx_codat_recent_t *recent, uint64_t *start,
    size_t size)
{
    size_t                    rest;
    ngx_codat_recent_head_t  *head;

    if (size > recent->size / 2) {
        return NGX_DECLINED;
    }

    rest = recent->size - (size_t) (*start % recent->size);

    if (rest < size) {
        *start += rest;
    }

    while (recent->begin + recent->size < *start + size) {

        rest = recent->size - (size_t) (recent->begin % recent->size);

        if (rest < sizeof(ngx_codat_recent_head_t)) {
            recent->begin += rest;
            continue;
        }

        head = ngx_codat_recent_at(recent, recent->begin);

        /* what does not know its own offset is the rest at the end */

        recent->begin += (head->offset == recent->begin) ? head->size : rest;
    }

    return NGX_OK;
}


ngx_int_t
ngx_codat_recent_get_locked(ngx_codat_recent_t *recent, uint64_t *cursor,
    u_char *buf, ngx_codat_recent_event_t *event)
{
    uint64_t                  offset;
    ngx_codat_recent_head_t  *head;

    offset = recent->last;

    if (*cursor) {

        head = ngx_codat_recent_head(recent, *cursor);

        if (head == NULL) {
            return NGX_DONE;
        }

        offset = head->previous;

        if (offset >= *cursor) {
            return NGX_DONE;
        }
    }

    head = ngx_codat_recent_head(recent, offset);

    if (head == NULL) {
        return NGX_DONE;
    }

    ngx_memcpy(buf, head + 1, head->size - sizeof(ngx_codat_recent_head_t));

    ngx_codat_recent_text(&buf, &event->id, head->id_len);
    ngx_codat_recent_text(&buf, &event->client, head->client_len);
    ngx_codat_recent_text(&buf, &event->reference, head->reference_len);
    ngx_codat_recent_text(&buf, &event->body, head->body_len);

    event->received = head->received;
    event->stale = head->stale;

    *cursor = offset;

    return NGX_OK;
}


/* a position may come from a client: nothing that it leads to is believed */

static ngx_codat_recent_head_t *
ngx_codat_recent_head(ngx_codat_recent_t *recent, uint64_t offset)
{
    size_t                    rest;
    uint64_t                  texts;
    ngx_codat_recent_head_t  *head;

    if (offset < recent->begin
        || offset >= recent->end
        || offset % sizeof(uint64_t))
    {
        return NULL;
    }

    rest = recent->size - (size_t) (offset % recent->size);

    if (rest < sizeof(ngx_codat_recent_head_t)) {
        return NULL;
    }

    head = ngx_codat_recent_at(recent, offset);

    texts = (uint64_t) head->id_len + head->client_len + head->reference_len
            + head->body_len;

    if (head->offset != offset
        || head->size > NGX_CODAT_RECENT_MAX
        || head->size > rest
        || sizeof(ngx_codat_recent_head_t) + texts > head->size)
    {
        return NULL;
    }

    return head;
}


static void
ngx_codat_recent_text(u_char **p, ngx_str_t *text, uint32_t len)
{
    text->len = len;
    text->data = *p;

    *p += len;
}
