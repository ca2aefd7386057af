
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Zones for tests, see ngx_codat_unit_zone.h.
 */


#include "ngx_codat_unit_zone.h"


typedef struct {
    ngx_codat_zone_sh_t   *sh;
    const char            *what;
    u_char                *seen;        /* a mask for each cell */
    ngx_uint_t             rows;
} ngx_codat_unit_check_t;


#define NGX_CODAT_UNIT_USED    0x01     /* a row, its data, or free */
#define NGX_CODAT_UNIT_INDEX   0x02
#define NGX_CODAT_UNIT_QUEUE   0x04
#define NGX_CODAT_UNIT_LIST    0x08
#define NGX_CODAT_UNIT_GROUP   0x10


static void ngx_codat_unit_check_cells(ngx_codat_unit_check_t *check);
static void ngx_codat_unit_check_free(ngx_codat_unit_check_t *check);
static void ngx_codat_unit_check_index(ngx_codat_unit_check_t *check);
static void ngx_codat_unit_check_queues(ngx_codat_unit_check_t *check);
static void ngx_codat_unit_check_lists(ngx_codat_unit_check_t *check);
static void ngx_codat_unit_check_groups(ngx_codat_unit_check_t *check);
static void ngx_codat_unit_check_rows(ngx_codat_unit_check_t *check);
static void ngx_codat_unit_check_recent(ngx_codat_unit_check_t *check,
    ngx_codat_recent_t *recent);
static void ngx_codat_unit_see(ngx_codat_unit_check_t *check, uint32_t i,
    u_char bit, const char *where);
static uint64_t ngx_codat_unit_hash(const u_char *p, size_t len);
static int ngx_codat_unit_row_cmp(const void *one, const void *two);


static uint64_t  ngx_codat_unit_state;


#define ngx_codat_unit_is_row(row)                                            \
    ((row)->kind >= NGX_CODAT_ROW_DELIVERY                                    \
     && (row)->kind < NGX_CODAT_ROW_KINDS)

#define ngx_codat_unit_want(check, condition)                                 \
    if (!(condition)) {                                                       \
        fail_msg("%s: %s (line %d)", (check)->what, #condition, __LINE__);    \
    }


ngx_int_t
ngx_codat_unit_zone_open(ngx_codat_unit_zone_t *uz, size_t size)
{
    ngx_slab_pool_t  *sp;

    static u_char     name[] = "unit";

    ngx_memzero(uz, sizeof(ngx_codat_unit_zone_t));

    uz->shm_zone.shm.size = size;
    uz->shm_zone.shm.log = ngx_cycle->log;
    uz->shm_zone.shm.name.data = name;
    uz->shm_zone.shm.name.len = sizeof(name) - 1;
    uz->shm_zone.data = &uz->zone;

    uz->zone.shm_zone = &uz->shm_zone;
    uz->zone.dedupe = 72 * 3600;
    uz->zone.retain = 30 * 86400;

    assert_int_equal(ngx_shm_alloc(&uz->shm_zone.shm), NGX_OK);

    /* as the core does it for every zone */

    sp = (ngx_slab_pool_t *) uz->shm_zone.shm.addr;

    sp->end = uz->shm_zone.shm.addr + size;
    sp->min_shift = 3;
    sp->addr = uz->shm_zone.shm.addr;

    assert_int_equal(ngx_shmtx_create(&sp->mutex, &sp->lock, NULL), NGX_OK);

    ngx_slab_init(sp);

    /* as a core does that debugs memory */

    if (size <= 4 * 1024 * 1024) {
        ngx_memset(sp->start, 0xa5, (size_t) (sp->end - sp->start));
    }

    return ngx_codat_zone_init(&uz->shm_zone, NULL);
}


void
ngx_codat_unit_zone_close(ngx_codat_unit_zone_t *uz)
{
    ngx_slab_pool_t  *sp;

    sp = (ngx_slab_pool_t *) uz->shm_zone.shm.addr;

    ngx_shmtx_destroy(&sp->mutex);
    ngx_shm_free(&uz->shm_zone.shm);
}


void
ngx_codat_unit_zone_died(ngx_codat_unit_zone_t *uz, ngx_pid_t pid)
{
    (void) ngx_shmtx_force_unlock(&uz->zone.shpool->mutex, pid);
}


void
ngx_codat_unit_zone_check(ngx_codat_zone_t *zone, const char *what)
{
    ngx_codat_unit_check_t  check;

    check.sh = zone->sh;
    check.what = what;
    check.rows = 0;
    check.seen = calloc(1, zone->sh->ncells);

    assert_non_null(check.seen);

    ngx_codat_unit_want(&check, check.sh->fresh <= check.sh->ncells);

    ngx_codat_unit_check_cells(&check);
    ngx_codat_unit_check_free(&check);
    ngx_codat_unit_check_index(&check);
    ngx_codat_unit_check_queues(&check);
    ngx_codat_unit_check_lists(&check);
    ngx_codat_unit_check_groups(&check);
    ngx_codat_unit_check_rows(&check);
    ngx_codat_unit_check_recent(&check, zone->sh->recent);

    free(check.seen);
}


static void
ngx_codat_unit_see(ngx_codat_unit_check_t *check, uint32_t i, u_char bit,
    const char *where)
{
    if (i >= check->sh->fresh) {
        fail_msg("%s: %s: cell %u was never used", check->what, where, i);
    }

    if (check->seen[i] & bit) {
        fail_msg("%s: %s: cell %u is met twice", check->what, where, i);
    }

    check->seen[i] |= bit;
}


/* rows and the cells behind them */

static void
ngx_codat_unit_check_cells(ngx_codat_unit_check_t *check)
{
    uint32_t              i, data, states[NGX_CODAT_ROW_KINDS]
                                        [NGX_CODAT_ZONE_STATES];
    ngx_uint_t            n;
    ngx_codat_row_t      *row;
    ngx_codat_value_t     value;
    ngx_codat_zone_sh_t  *sh;

    sh = check->sh;

    ngx_memzero(states, sizeof(states));

    for (i = 0; i < sh->fresh; i++) {
        row = &sh->cells[i];

        ngx_codat_unit_want(check, row->kind < NGX_CODAT_ROW_KINDS);

        if (!ngx_codat_unit_is_row(row)) {
            continue;
        }

        ngx_codat_unit_see(check, i, NGX_CODAT_UNIT_USED, "rows");
        check->rows++;

        if (row->kind == NGX_CODAT_ROW_DELIVERY
            || row->kind == NGX_CODAT_ROW_LINK)
        {
            continue;
        }

        value = row->u.record.value;

        ngx_codat_unit_want(check, value.part.data != NGX_CODAT_ZONE_NONE);
        ngx_codat_unit_want(check, value.part.state < NGX_CODAT_ZONE_STATES);

        states[row->kind][value.part.state]++;

        data = value.part.data;

        for (n = ngx_codat_cell_need(value.part.len); n; n--) {
            ngx_codat_unit_see(check, data, NGX_CODAT_UNIT_USED, "data");
            ngx_codat_unit_want(check, sh->cells[data].kind
                                       == NGX_CODAT_ROW_DATA);
            data = sh->cells[data].next;
        }

        ngx_codat_unit_want(check, data == NGX_CODAT_ZONE_NONE);
    }

    ngx_codat_unit_want(check, memcmp(states, sh->states, sizeof(states))
                               == 0);
}


static void
ngx_codat_unit_check_free(ngx_codat_unit_check_t *check)
{
    uint32_t              i, n;
    ngx_uint_t            k, len;
    ngx_codat_zone_sh_t  *sh;

    sh = check->sh;
    n = 0;

    for (len = 1; len <= NGX_CODAT_ZONE_RUN; len++) {

        for (i = sh->free[len - 1];
             i != NGX_CODAT_ZONE_NONE;
             i = sh->cells[i].next)
        {
            for (k = 0; k < len; k++) {
                ngx_codat_unit_see(check, i + k, NGX_CODAT_UNIT_USED, "free");
                ngx_codat_unit_want(check, sh->cells[i + k].kind
                                           == NGX_CODAT_ROW_FREE);
                n++;
            }
        }
    }

    ngx_codat_unit_want(check, n == sh->nfree);
    ngx_codat_unit_want(check, sh->redo.row == NGX_CODAT_ZONE_NONE);

    for (i = 0; i < sh->fresh; i++) {
        if (!(check->seen[i] & NGX_CODAT_UNIT_USED)) {
            fail_msg("%s: cell %u of kind %u is lost", check->what, i,
                     sh->cells[i].kind);
        }
    }
}


static void
ngx_codat_unit_check_index(ngx_codat_unit_check_t *check)
{
    uint32_t              i, bucket;
    ngx_codat_row_t      *row;
    ngx_codat_zone_sh_t  *sh;

    sh = check->sh;

    for (bucket = 0; bucket <= sh->mask; bucket++) {

        for (i = sh->buckets[bucket];
             i != NGX_CODAT_ZONE_NONE;
             i = row->next)
        {
            ngx_codat_unit_see(check, i, NGX_CODAT_UNIT_INDEX, "index");

            row = &sh->cells[i];

            ngx_codat_unit_want(check, ngx_codat_unit_is_row(row));
            ngx_codat_unit_want(check,
                    ((ngx_codat_cell_hash(sh, row->kind, row->key) >> 1)
                     & sh->mask)
                    == bucket);
        }
    }
}


static void
ngx_codat_unit_check_queues(ngx_codat_unit_check_t *check)
{
    uint32_t              i, n, cells, newer;
    ngx_uint_t            q;
    ngx_codat_row_t      *row;
    ngx_codat_queue_t    *queue;
    ngx_codat_zone_sh_t  *sh;

    sh = check->sh;

    ngx_codat_unit_want(check, sh->queues[NGX_CODAT_QUEUE_NONE].count == 0);

    for (q = NGX_CODAT_QUEUE_NONE + 1; q < NGX_CODAT_QUEUES; q++) {
        queue = &sh->queues[q];
        newer = NGX_CODAT_ZONE_NONE;
        cells = 0;
        n = 0;

        for (i = queue->newest; i != NGX_CODAT_ZONE_NONE; i = row->older) {
            ngx_codat_unit_see(check, i, NGX_CODAT_UNIT_QUEUE, "queues");

            row = &sh->cells[i];

            ngx_codat_unit_want(check, row->queue == q);
            ngx_codat_unit_want(check, row->newer == newer);
            ngx_codat_unit_want(check, newer == NGX_CODAT_ZONE_NONE
                                || sh->cells[newer].touched >= row->touched);

            cells += (uint32_t) ngx_codat_cell_count(row);
            newer = i;
            n++;
        }

        ngx_codat_unit_want(check, queue->oldest == newer);
        ngx_codat_unit_want(check, queue->count == n);
        ngx_codat_unit_want(check, sh->cells_of[q] == cells);
    }
}


static void
ngx_codat_unit_check_lists(ngx_codat_unit_check_t *check)
{
    uint32_t              i, n, newer;
    ngx_uint_t            kind;
    ngx_codat_row_t      *row;
    ngx_codat_queue_t    *list;
    ngx_codat_zone_sh_t  *sh;

    sh = check->sh;

    for (kind = 0; kind < NGX_CODAT_ROW_KINDS; kind++) {
        list = &sh->created[kind];

        if (kind == NGX_CODAT_ROW_DELIVERY) {
            ngx_codat_unit_want(check, list->count
                          == sh->queues[NGX_CODAT_QUEUE_DELIVERIES].count
                             + sh->queues[NGX_CODAT_QUEUE_RUNNING].count);
            continue;
        }

        newer = NGX_CODAT_ZONE_NONE;
        n = 0;

        for (i = list->newest;
             i != NGX_CODAT_ZONE_NONE;
             i = row->u.record.older)
        {
            ngx_codat_unit_see(check, i, NGX_CODAT_UNIT_LIST, "lists");

            row = &sh->cells[i];

            ngx_codat_unit_want(check, row->kind == kind);
            ngx_codat_unit_want(check, row->u.record.newer == newer);
            ngx_codat_unit_want(check, newer == NGX_CODAT_ZONE_NONE
                          || (int32_t) (sh->cells[newer].seq - row->seq) > 0);
            ngx_codat_unit_want(check, (int32_t) (sh->seq - row->seq) >= 0);

            newer = i;
            n++;
        }

        ngx_codat_unit_want(check, list->oldest == newer);
        ngx_codat_unit_want(check, list->count == n);
    }
}


static void
ngx_codat_unit_check_groups(ngx_codat_unit_check_t *check)
{
    uint32_t              i, bucket, sooner, stamp;
    ngx_codat_row_t      *row;
    ngx_codat_prefix_t    prefix;
    ngx_codat_zone_sh_t  *sh;

    sh = check->sh;

    for (bucket = 0; bucket <= sh->groups_mask; bucket++) {

        sooner = NGX_CODAT_CELL_BUCKET | bucket;
        stamp = sh->stamp + 1;

        for (i = sh->groups[bucket];
             i != NGX_CODAT_ZONE_NONE;
             i = row->u.record.later)
        {
            ngx_codat_unit_see(check, i, NGX_CODAT_UNIT_GROUP, "groups");

            row = &sh->cells[i];

            ngx_codat_unit_want(check, ngx_codat_unit_is_row(row));
            ngx_codat_unit_want(check, row->kind != NGX_CODAT_ROW_DELIVERY);

            ngx_codat_cell_prefix(sh, row, &prefix);

            ngx_codat_unit_want(check, prefix.group != 0);
            ngx_codat_unit_want(check, ((prefix.group >> 1)
                                        & sh->groups_mask)
                                       == bucket);
            ngx_codat_unit_want(check, row->u.record.sooner == sooner);
            ngx_codat_unit_want(check, (int32_t) (stamp - prefix.stamp) > 0);

            sooner = i;
            stamp = prefix.stamp;
        }
    }
}


/* each is where it belongs, and nowhere else */

static void
ngx_codat_unit_check_rows(ngx_codat_unit_check_t *check)
{
    u_char                mask;
    uint32_t              i;
    ngx_codat_row_t      *row;
    ngx_codat_prefix_t    prefix;
    ngx_codat_zone_sh_t  *sh;

    sh = check->sh;

    for (i = 0; i < sh->fresh; i++) {
        row = &sh->cells[i];

        mask = NGX_CODAT_UNIT_USED;

        if (ngx_codat_unit_is_row(row)) {
            mask |= NGX_CODAT_UNIT_INDEX;

            if (row->queue != NGX_CODAT_QUEUE_NONE) {
                mask |= NGX_CODAT_UNIT_QUEUE;
            }

            if (row->kind != NGX_CODAT_ROW_DELIVERY) {
                mask |= NGX_CODAT_UNIT_LIST;

                ngx_codat_cell_prefix(sh, row, &prefix);

                if (prefix.group) {
                    mask |= NGX_CODAT_UNIT_GROUP;
                }
            }

            ngx_codat_unit_want(check, ngx_codat_cell_find_locked(sh,
                                            row->kind, row->key) == row);
        }

        if (check->seen[i] != mask) {
            fail_msg("%s: cell %u of kind %u is in %02x, not %02x",
                     check->what, i, row->kind, check->seen[i], mask);
        }
    }
}


static void
ngx_codat_unit_check_recent(ngx_codat_unit_check_t *check,
    ngx_codat_recent_t *recent)
{
    uint64_t                  cursor, before;
    ngx_codat_recent_event_t  event;

    static u_char             buf[NGX_CODAT_RECENT_MAX];

    ngx_codat_unit_want(check, recent->begin <= recent->end);
    ngx_codat_unit_want(check, recent->end - recent->begin <= recent->size);

    cursor = 0;
    before = recent->end;

    while (ngx_codat_recent_get_locked(recent, &cursor, buf, &event)
           == NGX_OK)
    {
        ngx_codat_unit_want(check, cursor < before);
        ngx_codat_unit_want(check, cursor >= recent->begin);

        before = cursor;
    }

    /* the oldest one is reached, but for a rest at the end of the memory */

    ngx_codat_unit_want(check, before == recent->end
                        || before - recent->begin < recent->size / 2);
}


void
ngx_codat_unit_table_check(ngx_codat_zone_t *zone, const char *what)
{
    uint32_t                i;
    ngx_uint_t              queue;
    ngx_codat_row_t        *row, *push;
    ngx_codat_copy_t        copy;
    ngx_codat_zone_sh_t    *sh;
    ngx_codat_unit_check_t  check;

    sh = zone->sh;
    check.sh = sh;
    check.what = what;

    for (i = 0; i < sh->fresh; i++) {
        row = &sh->cells[i];

        if (!ngx_codat_unit_is_row(row)) {
            continue;
        }

        switch (row->kind) {

        case NGX_CODAT_ROW_DELIVERY:
            queue = ngx_codat_delivery_queue(row);
            break;

        case NGX_CODAT_ROW_LINK:
            queue = NGX_CODAT_QUEUE_NONE;

            push = ngx_codat_cell_find_locked(sh, NGX_CODAT_ROW_PUSH,
                                              row->key);
            ngx_codat_unit_want(&check, push != NULL);
            ngx_codat_unit_want(&check, push == NULL || push->linked);
            break;

        case NGX_CODAT_ROW_PUSH:
            queue = row->u.record.value.part.state >= NGX_CODAT_PUSH_SUCCESS
                    ? NGX_CODAT_QUEUE_FINAL : NGX_CODAT_QUEUE_PENDING;
            break;

        case NGX_CODAT_ROW_CONNECTION:
            queue = row->u.record.value.part.state == NGX_CODAT_CONN_DELETED
                    ? NGX_CODAT_QUEUE_GONE : NGX_CODAT_QUEUE_CONNECTIONS;
            break;

        case NGX_CODAT_ROW_COMPANY:
            queue = row->u.record.value.part.state
                    ? NGX_CODAT_QUEUE_GONE : NGX_CODAT_QUEUE_COMPANIES;
            break;

        case NGX_CODAT_ROW_DATASET:
            queue = NGX_CODAT_QUEUE_DATASETS;
            break;

        default:
            queue = NGX_CODAT_QUEUE_CLIENTS;
            break;
        }

        ngx_codat_unit_want(&check, row->queue == queue);

        if (row->kind == NGX_CODAT_ROW_DELIVERY
            || row->kind == NGX_CODAT_ROW_LINK)
        {
            continue;
        }

        ngx_codat_table_copy_locked(zone, row, &copy);

        ngx_codat_unit_want(&check, copy.len
                                    == row->u.record.value.part.len);
        ngx_codat_unit_want(&check, ngx_codat_record_unpack(&copy.record,
                                        copy.packed, copy.len, copy.key,
                                        copy.scratch)
                                    == NGX_OK);
    }
}


ngx_codat_unit_row_t *
ngx_codat_unit_rows(ngx_codat_zone_t *zone, ngx_uint_t *n)
{
    uint32_t               i;
    ngx_codat_row_t       *row;
    ngx_codat_prefix_t     prefix;
    ngx_codat_zone_sh_t   *sh;
    ngx_codat_unit_row_t  *rows, *copy;
    u_char                 bytes[NGX_CODAT_RECORD_MAX];

    sh = zone->sh;

    rows = calloc(sh->fresh + 1, sizeof(ngx_codat_unit_row_t));
    assert_non_null(rows);

    copy = rows;

    for (i = 0; i < sh->fresh; i++) {
        row = &sh->cells[i];

        if (!ngx_codat_unit_is_row(row)) {
            continue;
        }

        copy->kind = row->kind;
        copy->queue = row->queue;
        ngx_memcpy(copy->key, row->key, NGX_CODAT_ZONE_KEY_LEN);

        if (row->kind != NGX_CODAT_ROW_DELIVERY) {
            ngx_codat_cell_prefix(sh, row, &prefix);
            copy->group = prefix.group;
        }

        if (row->kind != NGX_CODAT_ROW_DELIVERY
            && row->kind != NGX_CODAT_ROW_LINK)
        {
            copy->state = row->u.record.value.part.state;
            copy->flags = row->u.record.value.part.flags;
            copy->len = ngx_codat_cell_read(sh, row, NULL, bytes,
                                            sizeof(bytes));
            copy->record = ngx_codat_unit_hash(bytes, copy->len);
        }

        copy++;
    }

    *n = (ngx_uint_t) (copy - rows);

    qsort(rows, *n, sizeof(ngx_codat_unit_row_t), ngx_codat_unit_row_cmp);

    return rows;
}


static uint64_t
ngx_codat_unit_hash(const u_char *p, size_t len)
{
    uint64_t  hash;

    hash = 0xcbf29ce484222325ULL;

    while (len--) {
        hash = (hash ^ *p++) * 0x100000001b3ULL;
    }

    return hash;
}


static int
ngx_codat_unit_row_cmp(const void *one, const void *two)
{
    const ngx_codat_unit_row_t *first = one;
    const ngx_codat_unit_row_t *second = two;

    if (first->kind != second->kind) {
        return first->kind < second->kind ? -1 : 1;
    }

    return memcmp(first->key, second->key, NGX_CODAT_ZONE_KEY_LEN);
}


ngx_codat_unit_row_t *
ngx_codat_unit_row(ngx_codat_unit_row_t *rows, ngx_uint_t n,
    const ngx_codat_unit_row_t *like)
{
    return bsearch(like, rows, n, sizeof(ngx_codat_unit_row_t),
                   ngx_codat_unit_row_cmp);
}


ngx_uint_t
ngx_codat_unit_same(const ngx_codat_unit_row_t *one,
    const ngx_codat_unit_row_t *two)
{
    if (one == NULL || two == NULL) {
        return one == two;
    }

    return one->queue == two->queue
           && one->state == two->state
           && one->flags == two->flags
           && one->group == two->group
           && one->len == two->len
           && one->record == two->record;
}


void
ngx_codat_unit_clock(time_t now)
{
    ngx_time_t  *tp;

    if (now == 0) {
        now = time(NULL);
    }

    tp = (ngx_time_t *) ngx_cached_time;
    tp->sec = now;
}


void
ngx_codat_unit_key(ngx_uint_t number, u_char *key)
{
    ngx_str_t  text;
    u_char     buf[NGX_CODAT_UUID_LEN];

    text.len = NGX_CODAT_UUID_LEN;
    text.data = buf;

    ngx_sprintf(buf, "%08xD-0000-4000-8000-%012xL",
                (uint32_t) (number * 2654435761U), (uint64_t) number);

    assert_int_equal(ngx_codat_uuid_parse(&text, key), NGX_OK);
}


ngx_str_t
ngx_codat_unit_uuid(ngx_pool_t *pool, ngx_uint_t number)
{
    ngx_str_t  text;
    u_char     key[NGX_CODAT_KEY_LEN];

    ngx_codat_unit_key(number, key);

    text.len = NGX_CODAT_UUID_LEN;
    text.data = ngx_pnalloc(pool, text.len);
    assert_non_null(text.data);

    ngx_codat_uuid_format(text.data, key);

    return text;
}


void
ngx_codat_unit_update(ngx_pool_t *pool, ngx_codat_update_t *update,
    const char *body)
{
    ngx_memzero(update, sizeof(ngx_codat_update_t));

    assert_int_equal(ngx_array_init(&update->facts, pool, 4,
                                    sizeof(ngx_codat_record_t)),
                     NGX_OK);

    update->recent.body.len = ngx_strlen(body);
    update->recent.body.data = (u_char *) (uintptr_t) body;
}


ngx_codat_record_t *
ngx_codat_unit_fact(ngx_codat_update_t *update, ngx_codat_record_kind_e kind,
    ngx_uint_t state, ngx_uint_t when)
{
    ngx_codat_record_t  *fact;

    fact = ngx_array_push(&update->facts);
    assert_non_null(fact);

    ngx_memzero(fact, sizeof(ngx_codat_record_t));

    fact->kind = kind;
    fact->state = state;
    fact->times[NGX_CODAT_TIME_UPDATED] = (1723118400 + (int64_t) when)
                                          * 1000000;
    fact->times[NGX_CODAT_TIME_GENERATED] =
                                     fact->times[NGX_CODAT_TIME_UPDATED];

    return fact;
}


void
ngx_codat_unit_seed(const char *name)
{
    const char  *text;

    text = getenv("CODAT_UNIT_SEED");

    ngx_codat_unit_state = text ? strtoull(text, NULL, 10)
                                : (uint64_t) time(NULL) * 1000003
                                  + (uint64_t) getpid();

    printf("# %s: CODAT_UNIT_SEED=%llu\n", name,
           (unsigned long long) ngx_codat_unit_state);
    fflush(stdout);
}


/* SplitMix64 */

ngx_uint_t
ngx_codat_unit_random(ngx_uint_t n)
{
    uint64_t  x;

    ngx_codat_unit_state += 0x9e3779b97f4a7c15ULL;

    x = ngx_codat_unit_state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    x ^= x >> 31;

    return (ngx_uint_t) (x % n);
}


ngx_uint_t
ngx_codat_unit_slow(void)
{
    const char  *text;

    text = getenv("LD_PRELOAD");

    return text && strstr(text, "valgrind") != NULL;
}
