
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns consumers in an SQLite database, see ngx_codat_sqlite.h: what
 * they ask for, what goes to them, and what became of it.
 */


#ifndef _NGX_CODAT_SQLITE_CONSUMERS_H_INCLUDED_
#define _NGX_CODAT_SQLITE_CONSUMERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_sqlite.h"
#include "ngx_codat_work_consumer.h"


/* Does a unit that is about consumers; returns what becomes its rc. */
ngx_int_t ngx_codat_sqlite_consumers(ngx_codat_sqlite_t *db,
    ngx_codat_work_t *work);

/*
 * Reads one by its uid, of a client unless that is empty.  Returns NGX_OK,
 * NGX_DECLINED if there is none, or NGX_ERROR.
 */
ngx_int_t ngx_codat_sqlite_consumer(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    const ngx_str_t *uid, const ngx_str_t *client,
    ngx_codat_consumer_t *consumer);

/* Reads a row of CONSUMER_GET.  NGX_OK or NGX_ERROR (memory, described). */
ngx_int_t ngx_codat_sqlite_consumer_read(ngx_codat_sqlite_t *db,
    ngx_pool_t *pool, sqlite3_stmt *stmt, ngx_codat_consumer_t *consumer);

/* Runs a statement that is about one consumer.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_codat_sqlite_of_consumer(ngx_codat_sqlite_t *db,
    ngx_codat_sql_e sql, uint64_t id);

/* Ends what is pending for a consumer.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_codat_sqlite_consumer_cancel(ngx_codat_sqlite_t *db,
    uint64_t id, int64_t now);

/* Removes one.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_codat_sqlite_consumer_remove(ngx_codat_sqlite_t *db,
    uint64_t id, int64_t now);

/*
 * Sets when it is the turn of a consumer, after something has changed: there
 * is no row for it while it has nothing to get, or as much under way as it
 * may have.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_codat_sqlite_consumer_turn(ngx_codat_sqlite_t *db, uint64_t id);

/* Says to all workers that consumers have changed.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_codat_sqlite_consumers_grown(ngx_codat_sqlite_t *db);

/* Lets deliveries of a consumer be claimed from then on.  NGX_OK, NGX_ERROR. */
ngx_int_t ngx_codat_sqlite_consumer_wake(ngx_codat_sqlite_t *db, uint64_t id,
    int64_t now);

/* Figures. */
ngx_int_t ngx_codat_sqlite_consumer_stats(ngx_codat_sqlite_t *db,
    ngx_codat_work_stats_t *stats);


/* ngx_codat_sqlite_fanout.c */

/* Makes deliveries of what was accepted. */
ngx_int_t ngx_codat_sqlite_fanout(ngx_codat_sqlite_t *db,
    ngx_codat_work_fanout_t *fanout);
/* The same of what was accepted before, to one consumer. */
ngx_int_t ngx_codat_sqlite_consumer_replay(ngx_codat_sqlite_t *db,
    ngx_codat_work_consumer_replay_t *replay);
/* The newest events of a type, or of each. */
ngx_int_t ngx_codat_sqlite_samples(ngx_codat_sqlite_t *db,
    ngx_codat_work_samples_t *samples);


/* ngx_codat_sqlite_dispatch.c */

/* Gives a worker what is due. */
ngx_int_t ngx_codat_sqlite_dispatch(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatch_t *dispatch);
/* Reads a consumer that is known to exist.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_codat_sqlite_known_to(ngx_codat_sqlite_t *db, ngx_pool_t *pool,
    uint64_t id, ngx_codat_consumer_t *consumer);
/* What became of an attempt. */
ngx_int_t ngx_codat_sqlite_dispatched(ngx_codat_sqlite_t *db,
    ngx_codat_work_dispatched_t *dispatched);
/* Takes back what a worker has claimed. */
ngx_int_t ngx_codat_sqlite_undispatch(ngx_codat_sqlite_t *db,
    ngx_codat_work_release_t *release);


#endif /* _NGX_CODAT_SQLITE_CONSUMERS_H_INCLUDED_ */
