
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Which events a list is of, from the newest on.
 *
 * What has to be true of an event is a condition: its company, its type, the
 * state of a delivery.  Each finds its newest event that is not newer than
 * some row in an index.  Where two differ, the one of the newer event looks
 * on from the older one's; where all agree, that is one of the list.  So a
 * list takes as long as the rarest of its conditions.
 *
 * So many rows are looked for at a time: whatever is asked, what else waits
 * for the database waits no longer than that.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_pattern.h"
#include "ngx_codat_sqlite.h"


/* types that patterns may stand for; if there are more, all are read */
#define NGX_CODAT_SQLITE_TYPES  256


/* one value of a column */

typedef struct {
    ngx_codat_sql_e             sql;
    ngx_str_t                   value;
    uint64_t                    row;        /* its newest so far, 0: none */
    ngx_uint_t                  known;      /* unsigned  known:1; */
} ngx_codat_sqlite_source_t;


/* a condition: any of these values */

typedef struct {
    ngx_codat_sqlite_source_t  *source;
    ngx_uint_t                  n;
} ngx_codat_sqlite_condition_t;


typedef struct {
    const ngx_codat_work_filter_t  *filter;
    ngx_codat_sqlite_condition_t    conditions[3];
    ngx_uint_t                      n;
    ngx_uint_t                      left;   /* rows to be looked for */
    unsigned                        typed:1; /* types are a condition */
} ngx_codat_sqlite_search_t;


static ngx_int_t ngx_codat_sqlite_search(ngx_codat_sqlite_t *db,
    ngx_pool_t *pool, ngx_codat_sqlite_search_t *search);
static ngx_int_t ngx_codat_sqlite_search_for(ngx_pool_t *pool,
    ngx_codat_sqlite_search_t *search, ngx_codat_sql_e sql, ngx_str_t *value);
static ngx_int_t ngx_codat_sqlite_search_types(ngx_codat_sqlite_t *db,
    ngx_pool_t *pool, ngx_codat_sqlite_search_t *search);
static ngx_int_t ngx_codat_sqlite_find(ngx_codat_sqlite_t *db,
    ngx_codat_sqlite_search_t *search, uint64_t *row);
static ngx_int_t ngx_codat_sqlite_newest(ngx_codat_sqlite_t *db,
    ngx_codat_sqlite_search_t *search,
    ngx_codat_sqlite_condition_t *condition, uint64_t row, uint64_t *found);
static ngx_int_t ngx_codat_sqlite_wanted(ngx_codat_sqlite_t *db,
    const ngx_codat_sqlite_search_t *search, uint64_t row);
static ngx_int_t ngx_codat_sqlite_walk(ngx_codat_sqlite_t *db,
    ngx_codat_sqlite_search_t *search, uint64_t *row);
static ngx_uint_t ngx_codat_sqlite_fits(sqlite3_stmt *stmt, int i,
    const ngx_codat_sqlite_search_t *search);
static ngx_uint_t ngx_codat_sqlite_typed(ngx_str_t *type,
    const ngx_str_t *patterns);
static ngx_int_t ngx_codat_sqlite_named(ngx_codat_sqlite_t *db,
    const ngx_codat_work_filter_t *filter, ngx_array_t *ids);


ngx_int_t
ngx_codat_sqlite_select(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    const ngx_codat_work_filter_t *filter, ngx_uint_t limit,
    ngx_array_t *ids, uint64_t *last)
{
    uint64_t                   *id, row;
    ngx_int_t                   rc;
    ngx_codat_sqlite_search_t   search;

    *last = 0;

    if (ngx_array_init(ids, pool, ngx_min(limit, 64) + 1, sizeof(uint64_t))
        != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    if (filter->id || filter->event_id.len) {
        return ngx_codat_sqlite_named(db, filter, ids);
    }

    ngx_memzero(&search, sizeof(ngx_codat_sqlite_search_t));

    search.filter = filter;
    search.left = NGX_CODAT_WORK_SCAN;

    if (ngx_codat_sqlite_search(db, pool, &search) != NGX_OK) {
        return NGX_ERROR;
    }

    row = filter->before ? filter->before - 1 : 0x7ffffffffffffffe;

    for ( ;; ) {

        rc = search.n ? ngx_codat_sqlite_find(db, &search, &row)
                      : ngx_codat_sqlite_walk(db, &search, &row);

        if (rc == NGX_AGAIN) {
            *last = row + 1;
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
        }

        /* one more than is wanted tells that there is more */

        if (ids->nelts == limit) {
            *last = row + 1;
            return NGX_OK;
        }

        id = ngx_array_push(ids);

        if (id == NULL) {
            ngx_codat_sqlite_error(db, "out of memory");
            return NGX_ERROR;
        }

        *id = row--;
    }
}


/* --- conditions --------------------------------------------------------- */

static ngx_int_t
ngx_codat_sqlite_search(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    ngx_codat_sqlite_search_t *search)
{
    u_char                         uuid[NGX_CODAT_KEY_LEN], *p;
    ngx_str_t                      company, state;
    const ngx_codat_work_filter_t  *filter;

    filter = search->filter;

    if (filter->company.len) {

        company = filter->company;

        /* as it is stored */

        if (ngx_codat_uuid_parse(&company, uuid) == NGX_OK) {

            p = ngx_pnalloc(pool, NGX_CODAT_UUID_LEN);
            if (p == NULL) {
                goto failed;
            }

            company.data = p;
            company.len = (size_t) (ngx_codat_uuid_format(p, uuid) - p);
        }

        if (ngx_codat_sqlite_search_for(pool, search,
                                        NGX_CODAT_SQL_COMPANY_NEWEST,
                                        &company)
            != NGX_OK)
        {
            goto failed;
        }
    }

    if (filter->state) {

        state = ngx_codat_queued_names[filter->state];

        if (ngx_codat_sqlite_search_for(pool, search,
                                        NGX_CODAT_SQL_STATE_NEWEST, &state)
            != NGX_OK)
        {
            goto failed;
        }
    }

    if (filter->type.len) {
        return ngx_codat_sqlite_search_types(db, pool, search);
    }

    return NGX_OK;

failed:

    ngx_codat_sqlite_error(db, "out of memory");

    return NGX_ERROR;
}


static ngx_int_t
ngx_codat_sqlite_search_for(ngx_pool_t *pool,
    ngx_codat_sqlite_search_t *search, ngx_codat_sql_e sql, ngx_str_t *value)
{
    ngx_codat_sqlite_source_t     *source;
    ngx_codat_sqlite_condition_t  *condition;

    source = ngx_pcalloc(pool, sizeof(ngx_codat_sqlite_source_t));
    if (source == NULL) {
        return NGX_ERROR;
    }

    source->sql = sql;
    source->value = *value;

    condition = &search->conditions[search->n++];

    condition->source = source;
    condition->n = 1;

    return NGX_OK;
}


/* the types that there are, of those that are asked for */

static ngx_int_t
ngx_codat_sqlite_search_types(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    ngx_codat_sqlite_search_t *search)
{
    ngx_int_t                      rc;
    ngx_str_t                      type;
    ngx_array_t                    types;
    sqlite3_stmt                  *stmt;
    ngx_codat_sqlite_source_t     *source;
    ngx_codat_sqlite_condition_t  *condition;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_TYPES);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    if (ngx_array_init(&types, pool, 16, sizeof(ngx_codat_sqlite_source_t))
        != NGX_OK)
    {
        goto failed;
    }

    while ((rc = ngx_codat_sqlite_step(db, stmt)) == NGX_OK) {

        type = ngx_codat_sqlite_peek(stmt, 0);

        if (type.data == NULL
            || !ngx_codat_sqlite_typed(&type, &search->filter->type))
        {
            continue;
        }

        if (types.nelts == NGX_CODAT_SQLITE_TYPES) {
            (void) sqlite3_reset(stmt);
            return NGX_OK;
        }

        source = ngx_array_push(&types);
        if (source == NULL) {
            goto failed;
        }

        ngx_memzero(source, sizeof(ngx_codat_sqlite_source_t));

        source->sql = NGX_CODAT_SQL_TYPE_NEWEST;

        if (ngx_codat_sqlite_column(pool, stmt, 0, &source->value) != NGX_OK)
        {
            goto failed;
        }
    }

    if (rc != NGX_DONE) {
        return NGX_ERROR;
    }

    condition = &search->conditions[search->n++];

    condition->source = types.elts;
    condition->n = types.nelts;
    search->typed = 1;

    return NGX_OK;

failed:

    (void) sqlite3_reset(stmt);
    ngx_codat_sqlite_error(db, "out of memory");

    return NGX_ERROR;
}


/* --- looking ------------------------------------------------------------ */

/*
 * Makes "row" the newest event that is wanted and not newer than it.  Returns
 * NGX_OK, NGX_DONE if there is none, NGX_AGAIN if it is enough for now, or
 * NGX_ERROR.
 */

static ngx_int_t
ngx_codat_sqlite_find(ngx_codat_sqlite_t *db,
    ngx_codat_sqlite_search_t *search, uint64_t *row)
{
    uint64_t    found;
    ngx_int_t   rc;
    ngx_uint_t  i, agreed;

    for (i = 0, agreed = 0; /* void */ ; i = (i + 1) % search->n) {

        rc = ngx_codat_sqlite_newest(db, search, &search->conditions[i],
                                     *row, &found);
        if (rc != NGX_OK) {
            return rc;
        }

        if (found != *row) {
            *row = found;
            agreed = 0;
        }

        if (++agreed < search->n) {
            continue;
        }

        rc = ngx_codat_sqlite_wanted(db, search, *row);

        if (rc != NGX_DECLINED) {
            return rc;
        }

        (*row)--;
        agreed = 0;
    }
}


static ngx_int_t
ngx_codat_sqlite_newest(ngx_codat_sqlite_t *db,
    ngx_codat_sqlite_search_t *search,
    ngx_codat_sqlite_condition_t *condition, uint64_t row, uint64_t *found)
{
    int64_t                     value;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    sqlite3_stmt               *stmt;
    ngx_codat_sqlite_source_t  *source;

    *found = 0;

    for (i = 0; i < condition->n; i++) {

        source = &condition->source[i];

        if (!source->known || source->row > row) {

            if (search->left == 0) {
                return NGX_AGAIN;
            }

            search->left--;

            stmt = ngx_codat_sqlite(db, source->sql);
            if (stmt == NULL) {
                return NGX_ERROR;
            }

            ngx_codat_sqlite_text(stmt, 1, &source->value);
            ngx_codat_sqlite_int(stmt, 2, (int64_t) row);

            rc = ngx_codat_sqlite_any(db, stmt, &value);

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            source->row = (rc == NGX_OK) ? (uint64_t) value : 0;
            source->known = 1;
        }

        *found = ngx_max(*found, source->row);
    }

    return *found ? NGX_OK : NGX_DONE;
}


/* what no condition says; NGX_OK, NGX_DECLINED or NGX_ERROR */

static ngx_int_t
ngx_codat_sqlite_wanted(ngx_codat_sqlite_t *db,
    const ngx_codat_sqlite_search_t *search, uint64_t row)
{
    ngx_int_t                      rc;
    sqlite3_stmt                  *stmt;
    const ngx_codat_work_filter_t  *filter;

    filter = search->filter;

    if (filter->from == 0 && filter->until == 0
        && (filter->type.len == 0 || search->typed))
    {
        return NGX_OK;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_LOOK);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) row);

    rc = ngx_codat_sqlite_step(db, stmt);

    if (rc != NGX_OK) {
        return (rc == NGX_DONE) ? NGX_DECLINED : NGX_ERROR;
    }

    rc = ngx_codat_sqlite_fits(stmt, 0, search) ? NGX_OK : NGX_DECLINED;

    (void) sqlite3_reset(stmt);

    return rc;
}


/* the same as above without a condition: one event after the other */

static ngx_int_t
ngx_codat_sqlite_walk(ngx_codat_sqlite_t *db,
    ngx_codat_sqlite_search_t *search, uint64_t *row)
{
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_SCAN);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) *row);

    while ((rc = ngx_codat_sqlite_step(db, stmt)) == NGX_OK) {

        *row = (uint64_t) sqlite3_column_int64(stmt, 0);

        if (search->left == 0) {
            rc = NGX_AGAIN;
            break;
        }

        search->left--;

        if (ngx_codat_sqlite_fits(stmt, 1, search)) {
            break;
        }
    }

    if (rc == NGX_OK || rc == NGX_AGAIN) {
        (void) sqlite3_reset(stmt);
    }

    return rc;
}


/* columns from "i" on are the type and when it was received */

static ngx_uint_t
ngx_codat_sqlite_fits(sqlite3_stmt *stmt, int i,
    const ngx_codat_sqlite_search_t *search)
{
    int64_t                        received;
    ngx_str_t                      type;
    const ngx_codat_work_filter_t  *filter;

    filter = search->filter;
    received = sqlite3_column_int64(stmt, i + 1);

    if ((filter->from && received < filter->from)
        || (filter->until && received >= filter->until))
    {
        return 0;
    }

    if (filter->type.len == 0 || search->typed) {
        return 1;
    }

    type = ngx_codat_sqlite_peek(stmt, i);

    return type.data && ngx_codat_sqlite_typed(&type, &filter->type);
}


static ngx_uint_t
ngx_codat_sqlite_typed(ngx_str_t *type, const ngx_str_t *patterns)
{
    u_char     *p, *last, *comma;
    ngx_str_t   pattern;

    last = patterns->data + patterns->len;

    for (p = patterns->data; p < last; p = comma + 1) {

        comma = ngx_strlchr(p, last, ',');

        if (comma == NULL) {
            comma = last;
        }

        pattern.data = p;
        pattern.len = (size_t) (comma - p);

        if (ngx_codat_pattern_match(&pattern, type)) {
            return 1;
        }
    }

    return 0;
}


/* --- one ---------------------------------------------------------------- */

/* by an id of the event's own, else by that of the row */

static ngx_int_t
ngx_codat_sqlite_named(ngx_codat_sqlite_t *db,
    const ngx_codat_work_filter_t *filter, ngx_array_t *ids)
{
    int64_t        value;
    uint64_t      *id;
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    value = 0;

    if (filter->event_id.len) {

        stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_EVENT_NAMED);
        if (stmt == NULL) {
            return NGX_ERROR;
        }

        ngx_codat_sqlite_text(stmt, 1, &filter->event_id);

        /* NULL, which is 0, where there is none */

        if (ngx_codat_sqlite_any(db, stmt, &value) == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    if (value == 0 && filter->id) {

        rc = ngx_codat_sqlite_exists(db, filter->id);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        value = (rc == NGX_OK) ? (int64_t) filter->id : 0;
    }

    if (value == 0) {
        return NGX_OK;
    }

    id = ngx_array_push(ids);

    if (id == NULL) {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    *id = (uint64_t) value;

    return NGX_OK;
}
