
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the measurement of a zone's lock, for t/bench/lock: how long
 * it was waited for and held, by all workers.  Nothing of it is compiled
 * unless NGX_CODAT_LOCK_TIMES is defined.
 */


#ifndef _NGX_CODAT_LOCK_TIMES_H_INCLUDED_
#define _NGX_CODAT_LOCK_TIMES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#if (NGX_CODAT_LOCK_TIMES)

/*
 * Maps the file that the environment variable CODAT_LOCK_TIMES names, in the
 * master, for all workers to come.  Without it nothing is measured.
 */
void ngx_codat_lock_times_open(ngx_log_t *log);

/* Before the lock is asked for, with it, before it is released, without it. */
void ngx_codat_lock_times_wait(void);
void ngx_codat_lock_times_hold(void);
void ngx_codat_lock_times_end(void);
void ngx_codat_lock_times_add(void);

#else

#define ngx_codat_lock_times_open(log)
#define ngx_codat_lock_times_wait()
#define ngx_codat_lock_times_hold()
#define ngx_codat_lock_times_end()
#define ngx_codat_lock_times_add()

#endif


#endif /* _NGX_CODAT_LOCK_TIMES_H_INCLUDED_ */
