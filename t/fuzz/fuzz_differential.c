
/*
 * Copyright (C) the ngx_http_codat_module authors
 *
 * The module against a second reading of the same body: jansson says whether
 * it is JSON, and what is in it; which field that makes is written down here
 * once more, from docs/events.md, in its order and without regard to speed.
 * Both must agree on whether a body is taken, and on every field.
 *
 * Two things that docs/events.md leaves open are as ngx_codat_json.h says:
 * where an object is expected and an array is found, its first element counts
 * if that is an object; and where any of several elements may say something,
 * a path counts in the first element in which it leads to a value other than
 * null, whatever its type.
 */


#include "ngx_codat_fuzz_json.h"
#include "ngx_codat_event.h"
#include "ngx_codat_fuzz_names.h"


#define NGX_CODAT_FUZZ_FOLDED  40           /* no known name is longer */


typedef struct {
    ngx_pool_t      *pool;
    ngx_str_t        text;
    json_t          *root;
    json_t          *payload;               /* NULL if absent, as "data" */
    json_t          *data;
    ngx_uint_t       legacy;
    const char      *rule;                  /* folded, or NULL */
    ngx_str_t        fields[NGX_CODAT_FIELDS];
    ngx_str_t        tags;
} ngx_codat_fuzz_body_t;


static ngx_str_t
text_of(const char *s)
{
    ngx_str_t  text;

    text.data = (u_char *) (uintptr_t) s;
    text.len = strlen(s);

    return text;
}


/* without regard to case */

static ngx_uint_t
is(const ngx_str_t *text, const char *s)
{
    return text->len == strlen(s)
           && strncasecmp((char *) text->data, s, text->len) == 0;
}


static ngx_uint_t
begins(const ngx_str_t *text, const char *s)
{
    return text->len > strlen(s)
           && strncasecmp((char *) text->data, s, strlen(s)) == 0;
}


/* letters and digits only, lower case */

static void
fold(const ngx_str_t *text, char folded[NGX_CODAT_FUZZ_FOLDED + 1])
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < text->len; i++) {

        if (!isalnum(text->data[i])) {
            continue;
        }

        if (n == NGX_CODAT_FUZZ_FOLDED) {
            n = 0;
            break;
        }

        folded[n++] = (char) tolower(text->data[i]);
    }

    folded[n] = '\0';
}


/* one of a list of statuses: in Codat's own spelling; 1 if it is one */

static ngx_uint_t
status(ngx_str_t *text, const char **list)
{
    char       folded[NGX_CODAT_FUZZ_FOLDED + 1];
    ngx_str_t  s;

    fold(text, folded);
    s = text_of(folded);

    if (list == push_statuses && is(&s, "successful")) {
        *text = text_of("Success");
        return 1;
    }

    for ( /* void */ ; *list; list++) {
        if (is(&s, *list)) {
            *text = text_of(*list);
            return 1;
        }
    }

    return 0;
}


/* a known data type in Codat's own spelling; 1 if it is one */

static ngx_uint_t
data_type(ngx_str_t *type, ngx_uint_t singular)
{
    const char  **p;
    ngx_str_t     name, one;

    for (p = written; *p; p++) {
        name = text_of(*p);
        one = name;
        one.len--;

        if (is(&name, "journalEntries")) {
            one = text_of("journalEntry");
        }

        if (is(type, *p)
            || (singular && type->len == one.len
                && strncasecmp((char *) type->data, (char *) one.data,
                               one.len) == 0))
        {
            *type = name;
            return 1;
        }
    }

    for (p = others; *p; p++) {
        if (is(type, *p)) {
            *type = text_of(*p);
            return 1;
        }
    }

    return 0;
}


/* the object that is meant: itself, or the first one of an array */

static json_t *
object(json_t *value)
{
    if (json_is_array(value)) {
        value = json_array_get(value, 0);
    }

    return json_is_object(value) ? value : NULL;
}


static json_t *
member(json_t *value, const char *name)
{
    return ngx_codat_fuzz_json_member(object(value), name, NULL, NULL);
}


/* whatever the first element says that says something; nested twice */

static json_t *
any(json_t *value, const char *one, const char *two)
{
    size_t   i;
    json_t  *element, *found;

    if (!json_is_array(value)) {
        found = ngx_codat_fuzz_json_member(value, one, NULL, NULL);
        return two ? any(found, two, NULL) : found;
    }

    json_array_foreach(value, i, element) {

        if (!json_is_object(element)) {
            continue;
        }

        found = any(element, one, two);

        if (found && !json_is_null(found)) {
            return found;
        }
    }

    return NULL;
}


/* a string that is not empty, or, of ids, a number; else empty */

static ngx_str_t
take(json_t *value, ngx_uint_t id)
{
    ngx_str_t  text;

    ngx_str_null(&text);

    if (json_is_string(value)
        && json_string_length(value) > 1
        && (id || json_string_value(value)[0] == 's'))
    {
        text.data = (u_char *) (uintptr_t) json_string_value(value) + 1;
        text.len = json_string_length(value) - 1;
    }

    return text;
}


/* the first source that holds something; sources that are NULL hold nothing */

static void
set(ngx_str_t *field, json_t *value, ngx_uint_t id)
{
    if (field->len == 0) {
        *field = take(value, id);
    }
}


static void
set_connection(ngx_str_t *field, json_t *value)
{
    ngx_str_t  text;

    text = take(value, 1);

    /* the nil UUID counts as absent */

    if (!is(&text, "00000000-0000-0000-0000-000000000000")) {
        set(field, value, 1);
    }
}


/* "Generations" */

static void
generation(ngx_codat_fuzz_body_t *body)
{
    ngx_str_t     type, dot;
    ngx_uint_t    old;
    const char  **p;

    static const char  *keys[] = {
        "AlertId", "RuleId", "ClientId", "CompanyId", "DataConnectionId",
        "Message", "Data", NULL
    };

    old = 0;

    for (p = keys; *p; p++) {
        if (member(body->root, *p)) {
            old = 1;
        }
    }

    type = take(member(body->root, "type"), 0);
    dot.data = type.len ? memchr(type.data, '.', type.len) : NULL;

    if (take(member(body->root, "RuleType"), 0).len) {
        body->legacy = 1;

    } else if (take(member(body->root, "eventType"), 0).len || body->payload) {
        body->legacy = 0;

    } else {
        body->legacy = old || (type.len && dot.data == NULL);
    }

    body->fields[NGX_CODAT_FIELD_GENERATION] =
                                text_of(body->legacy ? "legacy" : "current");
}


/* "Bodies without a name" */

static const char *
shape(ngx_codat_fuzz_body_t *body)
{
    ngx_str_t  key;

    ngx_str_null(&key);

    set(&key, member(body->data, "pushOperationKey"), 1);
    set(&key, member(body->data, "pushOperationGuid"), 1);

    if (key.len && take(member(body->data, "status"), 0).len) {
        return "push";
    }

    if (member(body->data, "newStatus") || member(body->data, "oldStatus")) {
        return "connection";
    }

    if (take(member(body->data, "dataType"), 0).len && key.len == 0) {
        return "changed";
    }

    return NULL;
}


static void
rule_connection(ngx_codat_fuzz_body_t *body)
{
    ngx_str_t    new, old;
    const char  *type;

    new = take(member(body->data, "newStatus"), 0);
    old = take(member(body->data, "oldStatus"), 0);

    (void) status(&new, conn_statuses);
    (void) status(&old, conn_statuses);

    type = "connection.changed";

    if (new.len == 0 && old.len == 0) {
        type = "connection.deleted";

    } else if (is(&new, "PendingAuth") && old.len == 0) {
        type = "connection.created";

    } else if (is(&new, "Linked") && is(&old, "PendingAuth")) {
        type = "connection.connected";

    } else if (is(&old, "Linked")
               && (is(&new, "Unlinked") || is(&new, "Deauthorized")))
    {
        type = "connection.disconnected";

    } else if (is(&new, "Linked")
               && (is(&old, "Unlinked") || is(&old, "Deauthorized")))
    {
        type = "connection.reconnected";
    }

    body->fields[NGX_CODAT_FIELD_EVENT_TYPE] = text_of(type);
    body->fields[NGX_CODAT_FIELD_CONNECTION_STATUS] = new;
    body->fields[NGX_CODAT_FIELD_PREVIOUS_STATUS] = old;
}


static ngx_str_t
joined(ngx_codat_fuzz_body_t *body, ngx_str_t *one, const char *two)
{
    ngx_str_t  text;

    text.data = ngx_pnalloc(body->pool, one->len + strlen(two));
    ngx_codat_fuzz_want(text.data != NULL);

    text.len = one->len + strlen(two);

    ngx_memcpy(ngx_cpymem(text.data, one->data, one->len), two, strlen(two));

    return text;
}


static void
rule_push(ngx_codat_fuzz_body_t *body)
{
    ngx_str_t   type, *push;

    push = &body->fields[NGX_CODAT_FIELD_PUSH_STATUS];
    *push = take(member(body->data, "status"), 0);

    if (strcmp(body->rule, "timeout") == 0) {
        *push = text_of("TimedOut");
    }

    if (!status(push, push_statuses)) {
        body->fields[NGX_CODAT_FIELD_EVENT_TYPE] =
                                      text_of("PushOperationStatusChanged");
        return;
    }

    type = take(member(body->data, "dataType"), 0);

    if (type.len == 0) {
        type = text_of("unknown");
    }

    (void) data_type(&type, 1);

    body->fields[NGX_CODAT_FIELD_EVENT_TYPE] =
        joined(body, &type, is(push, "Success") ? ".write.successful"
                            : is(push, "Pending") ? ".write.pending"
                                                  : ".write.unsuccessful");
}


/* "Current names" */

static ngx_str_t
canonical(ngx_codat_fuzz_body_t *body, ngx_str_t name)
{
    u_char       *dot;
    ngx_str_t     type, rest;
    const char  **p;

    for (p = names; *p; p++) {
        if (is(&name, *p)) {
            return text_of(*p);
        }
    }

    dot = memchr(name.data, '.', name.len);

    if (dot && dot > name.data) {
        type.data = name.data;
        type.len = (size_t) (dot - name.data);

        rest.data = dot;
        rest.len = name.len - type.len;

        if (begins(&rest, ".write.")) {

            if (!data_type(&type, 1)) {
                return name;
            }

            if (is(&rest, ".write.successful")) {
                return joined(body, &type, ".write.successful");
            }

            if (is(&rest, ".write.unsuccessful")) {
                return joined(body, &type, ".write.unsuccessful");
            }

            if (is(&rest, ".write.pending")) {
                return joined(body, &type, ".write.pending");
            }

            type = joined(body, &type, "");
            name.data = ngx_pnalloc(body->pool, type.len + rest.len);
            ngx_codat_fuzz_want(name.data != NULL);
            name.len = type.len + rest.len;
            ngx_memcpy(ngx_cpymem(name.data, type.data, type.len), rest.data,
                       rest.len);
            return name;
        }
    }

    if (begins(&name, "report.")) {
        rest.data = ngx_pnalloc(body->pool, name.len + 1);
        ngx_codat_fuzz_want(rest.data != NULL);
        rest.len = name.len + 1;
        ngx_memcpy(ngx_cpymem(rest.data, "reports.", 8), name.data + 7,
                   name.len - 7);

        for (p = names; *p; p++) {
            if (is(&rest, *p)) {
                return text_of(*p);
            }
        }

        return rest;
    }

    return name;
}


/* which rule a name is, where rules may be meant */

static void
rule_find(ngx_codat_fuzz_body_t *body, const ngx_str_t *name)
{
    char                          folded[NGX_CODAT_FUZZ_FOLDED + 1];
    const ngx_codat_fuzz_rule_t  *rule;

    fold(name, folded);

    for (rule = rules; rule->spelling; rule++) {

        if (strcmp(rule->spelling, folded) == 0) {
            body->rule = rule->rule;

            if (rule->type) {
                body->fields[NGX_CODAT_FIELD_EVENT_TYPE] =
                                                       text_of(rule->type);
            }
        }
    }
}


static void
event_name(ngx_codat_fuzz_body_t *body)
{
    ngx_str_t     name, *type;
    ngx_uint_t    old;
    const char  **p;

    static const char  *keys[] = {
        "AlertId", "RuleId", "ClientId", "CompanyId", "DataConnectionId",
        "Message", "Data", NULL
    };

    type = &body->fields[NGX_CODAT_FIELD_EVENT_TYPE];

    name = take(member(body->root, body->legacy ? "RuleType" : "eventType"),
                0);
    set(&name, member(body->root, "type"), 0);

    body->fields[NGX_CODAT_FIELD_RECEIVED_TYPE] = name;

    if (name.len == 0) {
        *type = text_of("unknown");

        if (body->legacy) {
            body->rule = shape(body);
        }

        if (body->rule && strcmp(body->rule, "changed") == 0) {
            *type = text_of("read.completed");
        }

    } else {

        /* the current service, too, sent such alerts, in bodies of old form */

        old = 0;

        for (p = keys; *p; p++) {
            if (body->payload == NULL && member(body->root, *p)) {
                old = 1;
            }
        }

        if (body->legacy || old) {
            rule_find(body, &name);
        }

        if (body->rule == NULL) {
            *type = canonical(body, name);
        }
    }

    if (body->rule && strcmp(body->rule, "connection") == 0) {
        rule_connection(body);
    }

    if (body->rule && (strcmp(body->rule, "push") == 0
                       || strcmp(body->rule, "timeout") == 0))
    {
        rule_push(body);
    }
}


/* "Fields": what is the same in all events */

static void
fields(ngx_codat_fuzz_body_t *body)
{
    json_t     *p, *d, *r, *company, *connection, *reads, *errors;
    ngx_str_t  *f;

    f = body->fields;
    r = body->root;
    p = body->payload;
    d = body->data;

    company = member(p, "referenceCompany");
    connection = member(p, "connection");
    reads = member(p, "dataTypes");
    errors = member(connection, "dataConnectionErrors");

    set(&f[NGX_CODAT_FIELD_CLIENT_ID], member(r, "ClientId"), 1);

    set(&f[NGX_CODAT_FIELD_COMPANY_ID], member(company, "id"), 1);
    set(&f[NGX_CODAT_FIELD_COMPANY_ID], member(p, "companyId"), 1);
    set(&f[NGX_CODAT_FIELD_COMPANY_ID], member(r, "CompanyId"), 1);

    set(&f[NGX_CODAT_FIELD_COMPANY_NAME], member(company, "name"), 0);
    set(&f[NGX_CODAT_FIELD_COMPANY_NAME], member(d, "companyName"), 0);

    set_connection(&f[NGX_CODAT_FIELD_CONNECTION_ID],
                   member(connection, "id"));
    set_connection(&f[NGX_CODAT_FIELD_CONNECTION_ID],
                   member(p, "connectionId"));
    set_connection(&f[NGX_CODAT_FIELD_CONNECTION_ID],
                   member(reads, "connectionId"));
    set_connection(&f[NGX_CODAT_FIELD_CONNECTION_ID],
                   member(r, "DataConnectionId"));
    set_connection(&f[NGX_CODAT_FIELD_CONNECTION_ID],
                   member(d, "dataConnectionId"));
    set_connection(&f[NGX_CODAT_FIELD_CONNECTION_ID],
                   member(r, "connectionId"));

    set(&f[NGX_CODAT_FIELD_INTEGRATION_KEY],
        member(connection, "integrationKey"), 0);
    set(&f[NGX_CODAT_FIELD_INTEGRATION_KEY], member(d, "platformKey"), 0);
    set(&f[NGX_CODAT_FIELD_PLATFORM_NAME],
        member(connection, "platformName"), 0);
    set(&f[NGX_CODAT_FIELD_SOURCE_TYPE], member(connection, "sourceType"), 0);
    set(&f[NGX_CODAT_FIELD_SOURCE_TYPE], member(d, "sourceType"), 0);

    set(&f[NGX_CODAT_FIELD_DATA_TYPE], member(reads, "dataType"), 0);
    set(&f[NGX_CODAT_FIELD_DATA_TYPE], member(d, "dataType"), 0);
    set(&f[NGX_CODAT_FIELD_DATA_STATUS], member(reads, "status"), 0);
    set(&f[NGX_CODAT_FIELD_DATA_STATUS], member(d, "datasetStatus"), 0);

    set(&f[NGX_CODAT_FIELD_PUSH_KEY], member(p, "pushOperationKey"), 1);
    set(&f[NGX_CODAT_FIELD_PUSH_KEY], member(d, "pushOperationKey"), 1);
    set(&f[NGX_CODAT_FIELD_PUSH_KEY], member(d, "pushOperationGuid"), 1);

    set(&f[NGX_CODAT_FIELD_RECORD_ID], member(member(p, "record"), "id"), 1);
    set(&f[NGX_CODAT_FIELD_ATTACHMENT_ID], member(p, "attachmentId"), 1);

    set(&f[NGX_CODAT_FIELD_ERROR_MESSAGE],
        any(errors, "errorMessage", NULL), 0);
    set(&f[NGX_CODAT_FIELD_ERROR_MESSAGE],
        any(errors, "statusText", NULL), 0);
    set(&f[NGX_CODAT_FIELD_ERROR_MESSAGE],
        any(reads, "issues", "message"), 0);
    set(&f[NGX_CODAT_FIELD_ERROR_MESSAGE],
        any(member(p, "transactions"), "errorMessage", NULL), 0);
    set(&f[NGX_CODAT_FIELD_ERROR_MESSAGE], member(d, "FailureStage"), 0);

    set(&f[NGX_CODAT_FIELD_MESSAGE], member(r, "Message"), 0);
    set(&f[NGX_CODAT_FIELD_SYNC_ID], member(p, "syncId"), 1);
    set(&f[NGX_CODAT_FIELD_SYNC_ID], member(d, "syncId"), 1);

    set(&f[NGX_CODAT_FIELD_ID],
        member(r, body->legacy ? "AlertId" : "id"), 1);
    set(&f[NGX_CODAT_FIELD_ID],
        member(r, body->legacy ? "id" : "AlertId"), 1);

    set(&f[NGX_CODAT_FIELD_GENERATED_AT], member(r, "generatedDate"), 0);

    (void) data_type(&f[NGX_CODAT_FIELD_DATA_TYPE],
                     body->rule && (strcmp(body->rule, "push") == 0
                                    || strcmp(body->rule, "timeout") == 0));
}


static void
tags_of(ngx_codat_fuzz_body_t *body, json_t *value)
{
    json_t     *tags;
    ngx_str_t   raw;

    tags = ngx_codat_fuzz_json_member(object(value), "tags", &body->text,
                                      &raw);

    if (json_is_object(tags)) {
        body->tags = raw;
    }
}


/* "The name is the fact", and fields that depend on the name */

static void
named(ngx_codat_fuzz_body_t *body)
{
    u_char      *dot;
    json_t      *p;
    ngx_str_t   *f, *type, value, rest;

    p = body->payload;
    f = body->fields;
    type = &f[NGX_CODAT_FIELD_EVENT_TYPE];

    tags_of(body, member(p, "referenceCompany"));

    if (body->rule == NULL && begins(type, "company.")
        && !begins(type, "company.write.")
        && !begins(type, "company.read.completed.")
        && !is(type, "company.read.completed"))
    {
        value = take(member(p, "id"), 1);
        f[NGX_CODAT_FIELD_COMPANY_ID] =
                         value.len ? value : f[NGX_CODAT_FIELD_COMPANY_ID];

        value = take(member(p, "name"), 0);
        f[NGX_CODAT_FIELD_COMPANY_NAME] =
                       value.len ? value : f[NGX_CODAT_FIELD_COMPANY_NAME];

        tags_of(body, p);
    }

    if ((body->rule == NULL || strcmp(body->rule, "connection") == 0
         || strcmp(body->rule, "deleted") == 0)
        && begins(type, "connection.")
        && !begins(type, "connection.write.")
        && !begins(type, "connection.read.completed.")
        && !is(type, "connection.read.completed"))
    {
        set(&f[NGX_CODAT_FIELD_CONNECTION_STATUS],
            member(member(p, "connection"), "status"), 0);

        value = f[NGX_CODAT_FIELD_CONNECTION_STATUS];
        (void) status(&value, conn_statuses);

        if (is(type, "connection.created") || is(type, "connection.failed")) {
            value = text_of("PendingAuth");

        } else if (is(type, "connection.connected")
                   || is(type, "connection.reconnected"))
        {
            value = text_of("Linked");

        } else if (is(type, "connection.deleted")) {
            value = text_of("Deleted");

        } else if (is(type, "connection.disconnected")
                   && !is(&value, "Deauthorized"))
        {
            value = text_of("Unlinked");
        }

        f[NGX_CODAT_FIELD_CONNECTION_STATUS] = value;
    }

    dot = memchr(type->data, '.', type->len);

    if (body->rule == NULL && dot && dot > type->data) {
        rest.data = dot;
        rest.len = (size_t) (type->data + type->len - dot);

        if (begins(&rest, ".write.")) {
            f[NGX_CODAT_FIELD_DATA_TYPE].data = type->data;
            f[NGX_CODAT_FIELD_DATA_TYPE].len = (size_t) (dot - type->data);

            value = take(member(p, "id"), 1);
            f[NGX_CODAT_FIELD_PUSH_KEY] =
                           value.len ? value : f[NGX_CODAT_FIELD_PUSH_KEY];

            set(&f[NGX_CODAT_FIELD_PUSH_TYPE], member(p, "type"), 0);
            set(&f[NGX_CODAT_FIELD_PUSH_STATUS], member(p, "status"), 0);

            if (f[NGX_CODAT_FIELD_PUSH_STATUS].len) {
                (void) status(&f[NGX_CODAT_FIELD_PUSH_STATUS],
                              push_statuses);

            } else if (is(&rest, ".write.successful")) {
                f[NGX_CODAT_FIELD_PUSH_STATUS] = text_of("Success");

            } else if (is(&rest, ".write.unsuccessful")) {
                f[NGX_CODAT_FIELD_PUSH_STATUS] = text_of("Failed");

            } else if (is(&rest, ".write.pending")) {
                f[NGX_CODAT_FIELD_PUSH_STATUS] = text_of("Pending");
            }
        }
    }

    if (body->rule && strcmp(body->rule, "synced") == 0) {
        f[NGX_CODAT_FIELD_DATA_STATUS] = text_of("Complete");
    }

    if (body->rule && f[NGX_CODAT_FIELD_ERROR_MESSAGE].len == 0
        && (strcmp(body->rule, "error") == 0
            || strcmp(body->rule, "timeout") == 0))
    {
        f[NGX_CODAT_FIELD_ERROR_MESSAGE] = f[NGX_CODAT_FIELD_MESSAGE];
    }
}


static void
compare(ngx_codat_fuzz_body_t *body, ngx_codat_event_t *event)
{
    ngx_uint_t   i;
    ngx_str_t   *ours, *theirs;

    for (i = 0; i < NGX_CODAT_FIELDS; i++) {
        ours = &event->fields[i];
        theirs = &body->fields[i];

        if (!ngx_codat_fuzz_same(ours, theirs)) {
            fprintf(stderr, "%s is \"%.*s\", expected \"%.*s\"\n",
                    ngx_codat_fields[i].variable.data,
                    (int) ours->len, ours->data,
                    (int) theirs->len, theirs->data);

            ngx_codat_fuzz_want(!"fields agree");
        }
    }

    ngx_codat_fuzz_want(ngx_codat_fuzz_same(&event->tags, &body->tags));
}


/* the input is the body */

NGX_CODAT_FUZZ_TARGET(differential)
{
    ngx_int_t                rc;
    ngx_str_t                client;
    ngx_codat_fuzz_t         fuzz;
    ngx_codat_event_t        event;
    ngx_codat_fuzz_body_t    body;
    ngx_codat_json_error_t   err;

    ngx_memzero(&body, sizeof(body));

    fuzz.pos = data;
    fuzz.end = data + len;

    body.pool = ngx_codat_fuzz_pool();
    body.text = ngx_codat_fuzz_rest(&fuzz, body.pool);
    body.root = ngx_codat_fuzz_json(body.pool, &body.text);

    ngx_str_null(&client);

    rc = ngx_codat_event_parse(body.pool, &body.text, &client, &event, &err);

    if (rc == NGX_DECLINED || rc == NGX_ABORT) {
        ngx_codat_fuzz_want(err.offset <= body.text.len);
        ngx_codat_fuzz_want(err.reason && err.reason[0]);
    }

    if (body.root == NULL) {
        ngx_codat_fuzz_want(rc == NGX_DECLINED);

    } else if (!json_is_object(body.root)) {
        ngx_codat_fuzz_want(rc == NGX_ABORT);

    } else {
        ngx_codat_fuzz_want(rc == NGX_OK);

        body.payload = member(body.root, "payload");
        body.data = member(body.root, "Data");

        generation(&body);
        event_name(&body);
        fields(&body);
        named(&body);
        compare(&body, &event);
    }

    json_decref(body.root);
    ngx_destroy_pool(body.pool);
}
