
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * Bodies, on their way through ring 0: the event, its CloudEvent, its tags,
 * what it says of rows, and those rows merged, packed, and shown.  An input
 * is several bodies with a NUL between them; a first byte that is not "{" is
 * the id of the client.
 */


#include "ngx_codat_fuzz_json.h"
#include "ngx_codat_cloudevent.h"
#include "ngx_codat_columns.h"
#include "ngx_codat_facts.h"
#include "ngx_codat_merge.h"


#define NGX_CODAT_FUZZ_BODIES  8
#define NGX_CODAT_FUZZ_ROWS    32


typedef struct {
    ngx_codat_record_kind_e   kind;
    ngx_str_t                 id;
    ngx_str_t                 connection;   /* of a dataset, as data_type */
    ngx_str_t                 data_type;
    ngx_uint_t                state;
    ngx_uint_t                flags;
    size_t                    len;
    u_char                    packed[NGX_CODAT_RECORD_MAX];
} ngx_codat_fuzz_row_t;


typedef struct {
    ngx_pool_t               *pool;
    ngx_uint_t                nrows;
    ngx_codat_fuzz_row_t      rows[NGX_CODAT_FUZZ_ROWS];
} ngx_codat_fuzz_world_t;


/* head, body and tail are one object, which says what the event says */

static void
check_cloudevent(ngx_codat_fuzz_world_t *world, ngx_codat_event_t *event,
    ngx_str_t *body)
{
    u_char       *p;
    json_t       *root, *member, *object;
    ngx_str_t     head, tail, whole, id, *field;
    ngx_uint_t    i;
    const char   *key;

    static u_char  name[] = "key";

    id.data = name;
    id.len = sizeof(name) - 1;

    ngx_codat_fuzz_want(ngx_codat_cloudevent(world->pool, event, &id, &id,
                                             1723118400015000, &head, &tail)
                        == NGX_OK);

    whole.len = head.len + body->len + tail.len;
    whole.data = ngx_pnalloc(world->pool, whole.len);
    ngx_codat_fuzz_want(whole.data != NULL);

    p = ngx_cpymem(whole.data, head.data, head.len);
    p = ngx_cpymem(p, body->data, body->len);
    ngx_memcpy(p, tail.data, tail.len);

    root = ngx_codat_fuzz_json_ours(world->pool, &whole);

    ngx_codat_fuzz_want(json_is_object(root));
    ngx_codat_fuzz_want(json_is_string(json_object_get(root, "id")));
    ngx_codat_fuzz_want(json_is_string(json_object_get(root, "time")));
    ngx_codat_fuzz_want(json_is_string(json_object_get(root, "type")));

    object = json_object_get(root, "data");
    ngx_codat_fuzz_want(json_is_object(object));
    ngx_codat_fuzz_want(json_is_object(json_object_get(object, "payload")));

    for (i = 0; i < NGX_CODAT_FIELDS; i++) {
        key = (const char *) ngx_codat_fields[i].key.data;
        field = &event->fields[i];

        if (ngx_codat_fields[i].key.len == 0) {
            continue;
        }

        member = json_object_get(object, key);
        ngx_codat_fuzz_want((member != NULL) == (field->len != 0));

        if (member) {
            ngx_codat_fuzz_want(ngx_codat_fuzz_json_is(member, field));
        }
    }

    json_decref(root);
}


static void
check_tags(ngx_codat_fuzz_world_t *world, ngx_codat_event_t *event)
{
    ngx_int_t                rc;
    ngx_str_t                name;
    ngx_codat_json_value_t   value;

    static u_char  region[] = "region";

    name.data = region;
    name.len = sizeof(region) - 1;

    if (event->tags.len) {
        rc = ngx_codat_json_member(world->pool, &event->tags, &name, &value);
        ngx_codat_fuzz_want(rc == NGX_OK || rc == NGX_DECLINED);
    }
}


static ngx_codat_fuzz_row_t *
row_of(ngx_codat_fuzz_world_t *world, const ngx_codat_record_t *fact)
{
    ngx_uint_t             i;
    ngx_codat_fuzz_row_t  *row;

    for (i = 0; i < world->nrows; i++) {
        row = &world->rows[i];

        if (row->kind == fact->kind
            && ngx_codat_fuzz_same(&row->id, &fact->texts[NGX_CODAT_TEXT_ID])
            && (fact->kind != NGX_CODAT_RECORD_DATASET
                || (ngx_codat_fuzz_same(&row->connection,
                                &fact->texts[NGX_CODAT_TEXT_CONNECTION])
                    && ngx_codat_fuzz_same(&row->data_type,
                                &fact->texts[NGX_CODAT_TEXT_DATA_TYPE]))))
        {
            return row;
        }
    }

    if (world->nrows == NGX_CODAT_FUZZ_ROWS) {
        return NULL;
    }

    row = &world->rows[world->nrows++];

    ngx_memzero(row, sizeof(ngx_codat_fuzz_row_t));

    row->kind = fact->kind;
    row->id = fact->texts[NGX_CODAT_TEXT_ID];
    row->connection = fact->texts[NGX_CODAT_TEXT_CONNECTION];
    row->data_type = fact->texts[NGX_CODAT_TEXT_DATA_TYPE];

    return row;
}


/* as the table does it, and twice: what is said again changes nothing */

static void
merge(ngx_codat_fuzz_world_t *world, const ngx_codat_record_t *fact)
{
    size_t                 max, again;
    u_char                *last;
    json_t                *object;
    ngx_str_t              text;
    ngx_uint_t             mask, repeat;
    ngx_codat_record_t     record;
    ngx_codat_fuzz_row_t  *row;
    u_char                 old[NGX_CODAT_RECORD_MAX],
                           scratch[NGX_CODAT_RECORD_SCRATCH];

    ngx_codat_fuzz_want(fact->kind < NGX_CODAT_RECORD_KINDS);
    ngx_codat_fuzz_want(fact->texts[NGX_CODAT_TEXT_ID].len
                        <= NGX_CODAT_ID_MAX);
    ngx_codat_fuzz_want(fact->times[NGX_CODAT_TIME_UPDATED] != 0);

    row = row_of(world, fact);

    if (row == NULL) {
        return;
    }

    for (repeat = 0; repeat < 2; repeat++) {

        ngx_memcpy(old, row->packed, row->len);

        ngx_memzero(&record, sizeof(record));
        record.kind = row->kind;
        record.state = row->state;
        record.flags = row->flags;

        ngx_codat_fuzz_want(ngx_codat_record_unpack(&record, old, row->len,
                                                    NULL, scratch)
                            == NGX_OK);

        record.texts[NGX_CODAT_TEXT_ID] = row->id;

        mask = ngx_codat_merge(&record, fact);

        ngx_codat_fuzz_want(record.state < 256 && record.flags < 256);

        row->state = record.state;
        row->flags = record.flags;
        again = ngx_codat_record_pack(&record, row->packed);

        ngx_codat_fuzz_want(again <= NGX_CODAT_RECORD_MAX);
        ngx_codat_fuzz_want(!repeat || !(mask & NGX_CODAT_MERGE_STATUS));
        ngx_codat_fuzz_want(!repeat
                            || (again == row->len
                                && memcmp(old, row->packed, again) == 0));

        row->len = again;
    }

    max = ngx_codat_record_json_len(&record);

    text.data = ngx_pnalloc(world->pool, max + 2);
    ngx_codat_fuzz_want(text.data != NULL);

    last = ngx_codat_record_json(text.data, &record);
    ngx_codat_fuzz_want((size_t) (last - text.data) <= max);

    *last++ = '}';
    text.len = (size_t) (last - text.data);

    object = ngx_codat_fuzz_json_ours(world->pool, &text);
    ngx_codat_fuzz_want(json_object_size(object) != 0);
    json_decref(object);
}


static void
check_body(ngx_codat_fuzz_world_t *world, ngx_str_t *body, ngx_str_t *client)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_array_t              facts;
    ngx_codat_event_t        event;
    ngx_codat_record_t      *fact;
    ngx_codat_json_error_t   err;

    rc = ngx_codat_event_parse(world->pool, body, client, &event, &err);

    if (rc != NGX_OK) {
        ngx_codat_fuzz_want(rc == NGX_DECLINED || rc == NGX_ABORT);
        ngx_codat_fuzz_want(err.offset <= body->len);
        return;
    }

    ngx_codat_fuzz_want(event.fields[NGX_CODAT_FIELD_EVENT_TYPE].len);
    ngx_codat_fuzz_want(event.nreads <= NGX_CODAT_EVENT_READS);
    ngx_codat_fuzz_want(ngx_codat_type_index(
                                 &event.fields[NGX_CODAT_FIELD_EVENT_TYPE])
                        < NGX_CODAT_TYPES_N);

    check_cloudevent(world, &event, body);
    check_tags(world, &event);

    ngx_codat_fuzz_want(ngx_codat_facts(world->pool, &event,
                                        1723118400015000, &facts)
                        == NGX_OK);
    ngx_codat_fuzz_want(facts.nelts <= NGX_CODAT_FACTS_MAX);

    fact = facts.elts;

    for (i = 0; i < facts.nelts; i++) {
        merge(world, &fact[i]);
    }
}


NGX_CODAT_FUZZ_TARGET(event)
{
    ngx_str_t                       client, body;
    ngx_uint_t                      n;
    ngx_codat_fuzz_t                in;

    static ngx_codat_fuzz_world_t   world;

    in.pos = data;
    in.end = data + len;

    world.pool = ngx_codat_fuzz_pool();
    world.nrows = 0;

    ngx_str_null(&client);

    /* JSON may begin with it, so that bodies alone are inputs, too */

    if (len && *data != '{') {
        client = ngx_codat_fuzz_bytes(&in, world.pool, 1);
    }

    for (n = 0; n < NGX_CODAT_FUZZ_BODIES && in.pos < in.end; n++) {
        body = ngx_codat_fuzz_text(&in, world.pool);
        check_body(&world, &body, &client);
    }

    ngx_destroy_pool(world.pool);
}
