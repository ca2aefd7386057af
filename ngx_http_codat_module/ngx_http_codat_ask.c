
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_codat_store.h"
#include "ngx_http_codat_ask.h"
#include "ngx_http_codat_consumer_error.h"
#include "ngx_http_codat_status.h"


/* lies in the pool of the unit, which may outlive the request */

typedef struct {
    ngx_http_request_t      *request;   /* NULL: it has gone */
    ngx_http_codat_ask_pt    answer;
    void                    *data;
    ngx_http_cleanup_t      *cleanup;   /* of the request */
} ngx_http_codat_ask_t;


static ngx_int_t ngx_http_codat_ask_failed(ngx_http_request_t *r,
    const char *reason);
static void ngx_http_codat_ask_handler(ngx_codat_work_t *work);
static void ngx_http_codat_ask_cleanup(void *data);


ngx_int_t
ngx_http_codat_ask(ngx_http_request_t *r, ngx_codat_zone_t *zone,
    ngx_codat_work_t *work, ngx_http_codat_ask_pt answer, void *data)
{
    ngx_http_cleanup_t    *cln;
    ngx_http_codat_ask_t  *ask;

    ask = ngx_palloc(work->pool, sizeof(ngx_http_codat_ask_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (ask == NULL || cln == NULL) {
        ngx_codat_work_free(work);

        return ngx_http_codat_ask_failed(r, "out of memory");
    }

    ask->request = r;
    ask->answer = answer;
    ask->data = data;

    work->done = ngx_http_codat_ask_handler;
    work->data = ask;

    if (ngx_codat_store_submit(zone->store, work) != NGX_OK) {
        ngx_codat_work_free(work);

        return ngx_http_codat_ask_failed(r, "the store can't take more at "
                                         "present");
    }

    cln->handler = ngx_http_codat_ask_cleanup;
    cln->data = &ask->request;

    /* the unit forgets the request when that goes, and the other way round */

    ask->cleanup = cln;

    r->main->count++;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_codat_ask_failed(ngx_http_request_t *r, const char *reason)
{
    ngx_http_codat_loc_conf_t  *cdlcf;

    cdlcf = ngx_http_get_module_loc_conf(r, ngx_http_codat_module);

    if (cdlcf->api.consumers) {
        return ngx_http_codat_consumer_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                             NULL, "%s", reason);
    }

    return ngx_http_codat_status_problem(r, NGX_HTTP_CODAT_STATUS_UNAVAILABLE,
                                         "%s", reason);
}


static void
ngx_http_codat_ask_handler(ngx_codat_work_t *work)
{
    ngx_int_t              rc;
    ngx_connection_t      *c;
    ngx_http_request_t    *r;
    ngx_http_codat_ask_t  *ask;

    ask = work->data;
    r = ask->request;

    if (r == NULL) {
        ngx_codat_work_free(work);
        return;
    }

    ask->cleanup->handler = NULL;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (work->rc == NGX_ERROR) {
        rc = ngx_http_codat_ask_failed(r, "the store does not answer at "
                                       "present");
    } else {
        rc = ask->answer(r, work, ask->data);
    }

    ngx_codat_work_free(work);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_codat_ask_cleanup(void *data)
{
    ngx_http_request_t  **r = data;

    *r = NULL;
}
