
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 2.  Owns the configuration of stores and of the delivery from them.
 */


#ifndef _NGX_HTTP_CODAT_CONF_STORE_H_INCLUDED_
#define _NGX_HTTP_CODAT_CONF_STORE_H_INCLUDED_


#include "ngx_http_codat.h"


/* what "max=" of a codat_forward is without one, and at most */
#define NGX_HTTP_CODAT_MAX_DEFAULT  8
#define NGX_HTTP_CODAT_MAX          1024


/*
 * The value of "store=" of a codat_zone.  Returns NGX_CONF_OK or
 * NGX_CONF_ERROR, logged.
 */
char *ngx_http_codat_conf_store(ngx_conf_t *cf, ngx_codat_zone_t *zone,
    ngx_str_t *name, ngx_str_t *value);

/* The setter of codat_retry. */
char *ngx_http_codat_retry(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Takes "max=" or "order=" of a codat_forward.  Returns NGX_OK,
 * NGX_DECLINED if the argument is something else, or NGX_ERROR, logged.
 */
ngx_int_t ngx_http_codat_conf_store_forward(ngx_conf_t *cf,
    ngx_http_codat_forward_t *forward, ngx_str_t *arg);

/*
 * What only the whole configuration tells of an endpoint: how it delivers,
 * and, if that is from the queue, its forwards as routes of the store.
 * Returns NGX_CONF_OK or NGX_CONF_ERROR, logged.
 */
char *ngx_http_codat_conf_store_endpoint(ngx_conf_t *cf,
    ngx_http_codat_loc_conf_t *cdlcf);

/*
 * Gives a zone without "store=" one that is as lasting as the zone itself,
 * in a folder that the workers' user has.  Returns NGX_CONF_OK or
 * NGX_CONF_ERROR, logged.
 */
char *ngx_http_codat_conf_store_temporary(ngx_conf_t *cf,
    ngx_shm_zone_t *shm_zone, ngx_str_t *folder);

/*
 * The init callback of a zone: ngx_codat_zone_init(), and behind it the files
 * of a store that are not there yet are made, for the user of the workers:
 * their folder need not be writable for them.  Not in init_module, for what
 * fails there ends nginx, on a reload too.  Returns NGX_OK or NGX_ERROR,
 * logged.
 */
ngx_int_t ngx_http_codat_conf_store_init(ngx_shm_zone_t *shm_zone,
    void *data);

/* A zone that has been declared is made anew if it had another store. */
void ngx_http_codat_conf_store_begin(ngx_conf_t *cf,
    ngx_shm_zone_t *shm_zone);

/* The same, once the configuration is sure to be used. */
void ngx_http_codat_conf_store_begun(ngx_cycle_t *cycle);

/* The end of the master: temporary stores go. */
void ngx_http_codat_conf_store_end(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_CODAT_CONF_STORE_H_INCLUDED_ */
