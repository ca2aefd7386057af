
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the deliveries: which webhooks have been seen, which are
 * being worked on and by whom, which of their forwards succeeded.
 */


#ifndef _NGX_CODAT_DELIVERY_H_INCLUDED_
#define _NGX_CODAT_DELIVERY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_zone.h"


/* forwards of one endpoint, each is one bit */
#define NGX_CODAT_DELIVERY_ROUTES  64


typedef struct {
    u_char                  key[NGX_CODAT_ZONE_KEY_LEN];
    uint32_t                body;       /* a hash of the body */
    uint32_t                routes;     /* a hash of the list of forwards */
    uint64_t                succeeded;  /* forwards, a bit for each */
    ngx_uint_t              attempt;    /* 1 for the first receipt */
    unsigned                claimed:1;  /* a row says that we work on it */
    unsigned                changed:1;  /* known under another body */
} ngx_codat_delivery_t;


/*
 * Claims, with the zone's lock, a delivery whose key, body and routes are
 * set.  With "done" set the claim is at once the acceptance, for deliveries
 * that nobody waits for.
 *
 * NGX_OK       it is ours; "succeeded" are the forwards that need not be
 *              repeated and "attempt" counts the receipts
 * NGX_DONE     it was accepted before; "changed" if the body was another
 * NGX_BUSY     it is being worked on at this moment
 * NGX_DECLINED there is no room to remember it: to be served all the same
 */
ngx_int_t ngx_codat_delivery_claim_locked(ngx_codat_zone_t *zone,
    ngx_codat_delivery_t *delivery, ngx_uint_t done, uint32_t now);

/* The same, without "done" and with the lock taken and released. */
ngx_int_t ngx_codat_delivery_claim(ngx_codat_zone_t *zone,
    ngx_codat_delivery_t *delivery);

/*
 * Records "succeeded" and gives a claim back: accepted, so that copies are
 * duplicates from now on, or not, so that a copy is worked on again.  A
 * no-op if the delivery is not claimed.
 */
void ngx_codat_delivery_release(ngx_codat_zone_t *zone,
    ngx_codat_delivery_t *delivery, ngx_uint_t accepted);

/* A row that may go because its time is over, or NULL. */
ngx_codat_row_t *ngx_codat_delivery_oldest(ngx_codat_zone_t *zone,
    uint32_t now);

/* The queue in which a row belongs. */
ngx_codat_queue_e ngx_codat_delivery_queue(const ngx_codat_row_t *row);

/* 1 if a row is not, or no longer, being worked on. */
ngx_uint_t ngx_codat_delivery_idle(const ngx_codat_row_t *row, uint32_t now);


#endif /* _NGX_CODAT_DELIVERY_H_INCLUDED_ */
