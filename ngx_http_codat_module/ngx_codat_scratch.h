
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the files of temporary stores, which live as long as a zone
 * in shared memory does: where they are, whether somebody uses them, and
 * that they go.  A process that dies leaves them; the kernel knows that it
 * has died, by the lock of a mark beside them that goes with it.
 */


#ifndef _NGX_CODAT_SCRATCH_H_INCLUDED_
#define _NGX_CODAT_SCRATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_store.h"


/* of a path in its folder, with the longest suffix */
#define NGX_CODAT_SCRATCH_LEN  64


/*
 * In the master: gives a store the path, in store->folder, that belongs to
 * the zone with that id, and marks it as used until "pool" is destroyed in
 * this process and in those that it makes meanwhile.  Nothing else is made
 * here: the folder is the workers', so they make the files.  Removes what
 * others have left in the folder that are no more.  Returns NGX_OK, or
 * NGX_ERROR, described in "error" (NGX_CODAT_STORE_ERROR bytes).
 */
ngx_int_t ngx_codat_scratch_open(ngx_codat_store_t *store, uint64_t id,
    ngx_pool_t *pool, u_char *error);

/* In the master, when the workers have gone: removes its files. */
void ngx_codat_scratch_remove(ngx_codat_store_t *store);


#endif /* _NGX_CODAT_SCRATCH_H_INCLUDED_ */
