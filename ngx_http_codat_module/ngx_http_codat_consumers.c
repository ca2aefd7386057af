
/*
 * Copyright (C) the authors of the Codat module
 */


#include "ngx_http_codat.h"
#include "ngx_http_codat_consumers.h"


ngx_int_t
ngx_http_codat_consumers_handler(ngx_http_request_t *r)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "codat consumers handler: \"%V\"", &r->uri);

    return NGX_HTTP_NOT_FOUND;
}
