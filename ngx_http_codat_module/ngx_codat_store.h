
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the store of a zone as a worker sees it: the queue of units of
 * work, which are done in groups, so that one commit serves many, and in a
 * thread, so that nothing waits for a disk.  The only room that others see
 * of persistence.
 */


#ifndef _NGX_CODAT_STORE_H_INCLUDED_
#define _NGX_CODAT_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_codat_work.h"


/* of units that wait in one worker; what is more is refused */
#define NGX_CODAT_STORE_UNITS   4096
#define NGX_CODAT_STORE_BYTES   (64 * 1024 * 1024)

/* of one group */
#define NGX_CODAT_STORE_GROUP   512
#define NGX_CODAT_STORE_SIZE    (4 * 1024 * 1024)

#define NGX_CODAT_STORE_ERROR   256


typedef struct ngx_codat_store_s  ngx_codat_store_t;


/* how a store does, in shared memory, of all workers together */
typedef struct {
    ngx_atomic_t                      failures; /* units */
    ngx_atomic_t                      failed;   /* when the last one did, 0:
                                                   some were stored since */
    ngx_atomic_t                      logged;   /* when that was told */
    ngx_atomic_t                      wrote;    /* when one last succeeded
                                                   that leaves something */
    ngx_atomic_t                      later;    /* msec: when consumers may
                                                   have their share */
} ngx_codat_store_health_t;


/* What a kind of store is. */
typedef struct {
    ngx_str_t                         name;

    /*
     * Opens nothing yet; of the worker, on its event loop.  Returns NULL
     * without memory.
     */
    void                           *(*create)(ngx_codat_store_t *store,
                                              ngx_log_t *log);

    /*
     * In a thread: does units as one transaction, or each by itself if that
     * fails, and sets their rc.  Where one failed "error" says why.  Never
     * two calls at a time for one handle.
     */
    void                            (*run)(void *handle,
                                           ngx_codat_work_t *works,
                                           u_char *error);

    /* Closes; of the worker that exits, when no call is under way. */
    void                            (*close)(void *handle);
} ngx_codat_store_backend_t;


struct ngx_codat_store_s {
    const ngx_codat_store_backend_t  *backend;
    ngx_str_t                         path;     /* ends with a NUL */
    ngx_str_t                         zone;     /* its name, for messages */
    ngx_str_t                         folder;   /* of a temporary one */
    ngx_uint_t                        temporary; /* unsigned  temporary:1;
                                                   it ends with its zone */
    ngx_cycle_t                      *cycle;    /* of its configuration */
    void                             *pool;     /* of threads */
    void                             *worker;   /* what a process has of it */
    ngx_codat_store_health_t         *health;   /* or NULL */
};


/*
 * Sets a store up in a worker process.  Returns NGX_OK or NGX_ERROR (memory,
 * no such thread pool).
 */
ngx_int_t ngx_codat_store_start(ngx_codat_store_t *store,
    ngx_cycle_t *cycle);

/*
 * Hands a unit over; its "done" is called later, never from here.  Returns
 * NGX_OK, or NGX_BUSY if too much waits already: then the unit remains the
 * caller's.
 */
ngx_int_t ngx_codat_store_submit(ngx_codat_store_t *store,
    ngx_codat_work_t *work);

/* Units that wait or are under way in this process. */
ngx_uint_t ngx_codat_store_waiting(ngx_codat_store_t *store);

/*
 * Ends it in a worker that exits, after the threads have: units that nobody
 * did are done here and now and freed, their "done" is not called.
 */
void ngx_codat_store_stop(ngx_codat_store_t *store, ngx_log_t *log);


#endif /* _NGX_CODAT_STORE_H_INCLUDED_ */
