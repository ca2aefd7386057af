
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Which forwards the deliveries in the database are for, and which
 * of these some nginx still has in its configuration.  What is for no forward
 * any more is dead: where it can be seen, and delivered again once the
 * forward is back.  So it is with consumers.  And what time it is: where the
 * clock was set back, what was to happen soon is not to wait until it is that
 * late again.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_sqlite.h"


/* forwards without deliveries are forgotten after a day; usec */
#define NGX_CODAT_SQLITE_ROUTE  ((int64_t) 86400 * 1000000)


/* a clock may be off by that; usec */
#define NGX_CODAT_SQLITE_CLOCK  ((int64_t) 2 * 1000000)

/* the longest lease of an event that is forwarded at once: a day; usec */
#define NGX_CODAT_SQLITE_LEASE  ((int64_t) 86400 * 1000000)


static ngx_int_t ngx_codat_sqlite_clock(ngx_codat_sqlite_t *db, int64_t now);
static ngx_int_t ngx_codat_sqlite_back(ngx_codat_sqlite_t *db, int64_t now,
    int64_t by);
static ngx_int_t ngx_codat_sqlite_know(ngx_codat_sqlite_t *db,
    const ngx_str_t *route, int64_t now);
static ngx_int_t ngx_codat_sqlite_next_route(ngx_codat_sqlite_t *db,
    ngx_codat_work_routes_t *routes, ngx_str_t *route);
static ngx_int_t ngx_codat_sqlite_sooner(ngx_codat_sqlite_t *db,
    ngx_codat_sql_e sql, ngx_pool_t *pool, const ngx_str_t *behind,
    ngx_str_t *route);
static ngx_int_t ngx_codat_sqlite_route(ngx_codat_sqlite_t *db,
    ngx_codat_work_routes_t *routes, const ngx_str_t *route,
    ngx_uint_t *left);
static ngx_int_t ngx_codat_sqlite_gone(ngx_codat_sqlite_t *db,
    ngx_codat_work_routes_t *routes, const ngx_str_t *route);
static ngx_int_t ngx_codat_sqlite_given_up(ngx_codat_sqlite_t *db,
    ngx_codat_work_routes_t *routes, const ngx_str_t *route,
    ngx_uint_t count);
static ngx_int_t ngx_codat_sqlite_end(ngx_codat_sqlite_t *db,
    ngx_codat_sql_e sql, const ngx_str_t *route, int64_t now,
    ngx_uint_t *left);
static ngx_int_t ngx_codat_sqlite_end_consumers(ngx_codat_sqlite_t *db,
    ngx_codat_work_routes_t *routes, ngx_uint_t *left);
static ngx_int_t ngx_codat_sqlite_end_outgoing(ngx_codat_sqlite_t *db,
    int64_t now, ngx_uint_t *left);
static ngx_int_t ngx_codat_sqlite_spend(ngx_codat_sqlite_t *db,
    sqlite3_stmt *stmt, ngx_uint_t *left);


static const ngx_str_t  ngx_codat_sqlite_no_route =
    ngx_string("no such codat_forward in the configuration");
static const ngx_str_t  ngx_codat_sqlite_no_consumers =
    ngx_string("no codat_consumers in the configuration");


ngx_int_t
ngx_codat_sqlite_routes(ngx_codat_sqlite_t *db,
    ngx_codat_work_routes_t *routes)
{
    ngx_int_t      rc;
    ngx_str_t      route, *known;
    ngx_uint_t     i, left;
    sqlite3_stmt  *stmt;

    if (ngx_array_init(&routes->gone, routes->work.pool, 4,
                       sizeof(ngx_codat_work_gone_t))
        != NGX_OK)
    {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    if (ngx_codat_sqlite_clock(db, routes->now) != NGX_OK) {
        return NGX_ERROR;
    }

    known = routes->routes.elts;

    for (i = 0; i < routes->routes.nelts; i++) {

        if (ngx_codat_sqlite_know(db, &known[i], routes->now) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    left = routes->limit;
    ngx_str_null(&route);

    while ((rc = ngx_codat_sqlite_next_route(db, routes, &route)) == NGX_OK) {

        if (ngx_codat_sqlite_route(db, routes, &route, &left) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (rc == NGX_ERROR
        || ngx_codat_sqlite_end_consumers(db, routes, &left) != NGX_OK)
    {
        return NGX_ERROR;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_ROUTE_FORGET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, routes->now - NGX_CODAT_SQLITE_ROUTE);

    return ngx_codat_sqlite_exec(db, stmt);
}


/* of several nginx the first one that sees it sets all times right */

static ngx_int_t
ngx_codat_sqlite_clock(ngx_codat_sqlite_t *db, int64_t now)
{
    int64_t        last;
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CLOCK_GET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_codat_sqlite_any(db, stmt, &last);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK && last > now + NGX_CODAT_SQLITE_CLOCK
        && ngx_codat_sqlite_back(db, now, last - now) != NGX_OK)
    {
        return NGX_ERROR;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CLOCK_SET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, now);

    return ngx_codat_sqlite_exec(db, stmt);
}


static ngx_int_t
ngx_codat_sqlite_back(ngx_codat_sqlite_t *db, int64_t now, int64_t by)
{
    ngx_uint_t     i;
    sqlite3_stmt  *stmt;

    static const ngx_codat_sql_e  statements[] = {
        NGX_CODAT_SQL_CLOCK_NEXT,
        NGX_CODAT_SQL_CLOCK_LEASE,
        NGX_CODAT_SQL_CLOCK_DISPATCH,
        NGX_CODAT_SQL_CLOCK_CONSUMER,
        NGX_CODAT_SQL_CLOCK_TURN,
        NGX_CODAT_SQL_CLOCK_RUNNING
    };

    for (i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {

        stmt = ngx_codat_sqlite(db, statements[i]);
        if (stmt == NULL) {
            return NGX_ERROR;
        }

        ngx_codat_sqlite_int(stmt, 1, by);

        if (statements[i] == NGX_CODAT_SQL_CLOCK_RUNNING) {
            ngx_codat_sqlite_int(stmt, 2, now - NGX_CODAT_SQLITE_LEASE);
        }

        if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_know(ngx_codat_sqlite_t *db, const ngx_str_t *route,
    int64_t now)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_ROUTE_KNOW);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, route);
    ngx_codat_sqlite_int(stmt, 2, now);

    return ngx_codat_sqlite_exec(db, stmt);
}


/*
 * The next one with a delivery, by name; NGX_DECLINED at the end.  Each costs
 * two look-ups in an index, however many deliveries there are.
 */

static ngx_int_t
ngx_codat_sqlite_next_route(ngx_codat_sqlite_t *db,
    ngx_codat_work_routes_t *routes, ngx_str_t *route)
{
    ngx_int_t    rc;
    ngx_str_t    behind;
    ngx_pool_t  *pool;

    behind = *route;
    ngx_str_null(route);

    pool = routes->work.pool;

    rc = ngx_codat_sqlite_sooner(db, NGX_CODAT_SQL_ROUTE_DUE, pool, &behind,
                                 route);

    if (rc == NGX_OK) {
        rc = ngx_codat_sqlite_sooner(db, NGX_CODAT_SQL_ROUTE_LEASED, pool,
                                     &behind, route);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return route->len ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_codat_sqlite_sooner(ngx_codat_sqlite_t *db, ngx_codat_sql_e sql,
    ngx_pool_t *pool, const ngx_str_t *behind, ngx_str_t *route)
{
    ngx_int_t      rc;
    ngx_str_t      found;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, sql);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    /* an empty text, which a binding of ours would make NULL */

    (void) sqlite3_bind_text(stmt, 1, behind->len ? (char *) behind->data
                                                  : "",
                             (int) behind->len, SQLITE_STATIC);

    /* one row always, NULL if there is none */

    rc = ngx_codat_sqlite_step(db, stmt);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    found = ngx_codat_sqlite_peek(stmt, 0);

    if (found.len
        && (route->len == 0
            || ngx_memn2cmp(found.data, route->data, found.len, route->len)
               < 0))
    {
        rc = ngx_codat_sqlite_column(pool, stmt, 0, route);
    }

    (void) sqlite3_reset(stmt);

    if (rc != NGX_OK) {
        ngx_codat_sqlite_error(db, "out of memory");
    }

    return rc;
}


/* a forward with deliveries: all is well if somebody has known it of late */

static ngx_int_t
ngx_codat_sqlite_route(ngx_codat_sqlite_t *db,
    ngx_codat_work_routes_t *routes, const ngx_str_t *route,
    ngx_uint_t *left)
{
    ngx_int_t      rc;
    ngx_uint_t     was;
    sqlite3_stmt  *stmt;

    rc = (*left) ? ngx_codat_sqlite_gone(db, routes, route) : NGX_DECLINED;

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    /* what a worker that died has left */

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_DELIVERY_EXPIRED);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, route);
    ngx_codat_sqlite_int(stmt, 2, routes->now);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    was = *left;

    if (ngx_codat_sqlite_end(db, NGX_CODAT_SQL_ROUTE_END_BLOCKED, route,
                             routes->now, left)
        != NGX_OK
        || ngx_codat_sqlite_end(db, NGX_CODAT_SQL_ROUTE_END, route,
                                routes->now, left)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_codat_sqlite_given_up(db, routes, route, was - *left);
}


/* NGX_OK if nobody has known it for long enough, or NGX_DECLINED */

static ngx_int_t
ngx_codat_sqlite_gone(ngx_codat_sqlite_t *db,
    ngx_codat_work_routes_t *routes, const ngx_str_t *route)
{
    int64_t        known;
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_ROUTE_KNOWN);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, route);

    rc = ngx_codat_sqlite_any(db, stmt, &known);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* also where the clock was set back */

    if (rc == NGX_DECLINED || known > routes->now) {
        return (ngx_codat_sqlite_know(db, route, routes->now) == NGX_OK)
                   ? NGX_DECLINED : NGX_ERROR;
    }

    return (known < routes->before) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_codat_sqlite_given_up(ngx_codat_sqlite_t *db,
    ngx_codat_work_routes_t *routes, const ngx_str_t *route,
    ngx_uint_t count)
{
    ngx_codat_work_gone_t  *gone;

    if (count == 0) {
        return NGX_OK;
    }

    gone = ngx_array_push(&routes->gone);

    if (gone == NULL) {
        ngx_codat_sqlite_error(db, "out of memory");
        return NGX_ERROR;
    }

    gone->route = *route;
    gone->count = count;

    return NGX_OK;
}


static ngx_int_t
ngx_codat_sqlite_end(ngx_codat_sqlite_t *db, ngx_codat_sql_e sql,
    const ngx_str_t *route, int64_t now, ngx_uint_t *left)
{
    sqlite3_stmt  *stmt;

    if (*left == 0) {
        return NGX_OK;
    }

    stmt = ngx_codat_sqlite(db, sql);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_text(stmt, 1, route);
    ngx_codat_sqlite_int(stmt, 2, now);
    ngx_codat_sqlite_text(stmt, 3, &ngx_codat_sqlite_no_route);
    ngx_codat_sqlite_int(stmt, 4, (int64_t) *left);

    return ngx_codat_sqlite_spend(db, stmt, left);
}


/* without consumers in any configuration nobody would ever end this */

static ngx_int_t
ngx_codat_sqlite_end_consumers(ngx_codat_sqlite_t *db,
    ngx_codat_work_routes_t *routes, ngx_uint_t *left)
{
    int64_t        waits;
    ngx_int_t      rc;
    ngx_uint_t     was;
    sqlite3_stmt  *stmt;

    static const ngx_str_t  name = ngx_string(NGX_CODAT_WORK_CONSUMERS);

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMERS_WAIT);

    if (stmt == NULL || ngx_codat_sqlite_any(db, stmt, &waits) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = (waits && *left) ? ngx_codat_sqlite_gone(db, routes, &name)
                          : NGX_DECLINED;

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    was = *left;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMERS_END_FANOUT);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, (int64_t) *left);

    if (ngx_codat_sqlite_spend(db, stmt, left) != NGX_OK
        || ngx_codat_sqlite_end_outgoing(db, routes->now, left) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_codat_sqlite_given_up(db, routes, &name, was - *left);
}


static ngx_int_t
ngx_codat_sqlite_end_outgoing(ngx_codat_sqlite_t *db, int64_t now,
    ngx_uint_t *left)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMERS_EXPIRED);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, now);

    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    stmt = ngx_codat_sqlite(db, NGX_CODAT_SQL_CONSUMERS_END);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    ngx_codat_sqlite_int(stmt, 1, now);
    ngx_codat_sqlite_text(stmt, 2, &ngx_codat_sqlite_no_consumers);
    ngx_codat_sqlite_int(stmt, 3, (int64_t) *left);

    return ngx_codat_sqlite_spend(db, stmt, left);
}


/* does it, and takes the rows it has changed from what may be changed yet */

static ngx_int_t
ngx_codat_sqlite_spend(ngx_codat_sqlite_t *db, sqlite3_stmt *stmt,
    ngx_uint_t *left)
{
    if (ngx_codat_sqlite_exec(db, stmt) != NGX_OK) {
        return NGX_ERROR;
    }

    *left -= (ngx_uint_t) sqlite3_changes(db->db);

    return NGX_OK;
}
