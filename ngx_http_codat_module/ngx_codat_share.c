
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Shares of time, see ngx_codat_share.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_share.h"


uint64_t
ngx_codat_share_wait(uint64_t now, uint64_t at)
{
    return (at > now && at <= now + NGX_CODAT_SHARE_MAX) ? at - now : 0;
}


uint64_t
ngx_codat_share_begin(uint64_t now)
{
    return now + NGX_CODAT_SHARE_MAX;
}


/* what took less than the clock shows has taken time nevertheless */

uint64_t
ngx_codat_share_end(uint64_t began, uint64_t now)
{
    uint64_t  took;

    took = (now > began) ? now - began : 1;

    if (took > NGX_CODAT_SHARE_MAX / NGX_CODAT_SHARE_REST) {
        return now + NGX_CODAT_SHARE_MAX;
    }

    return now + took * NGX_CODAT_SHARE_REST;
}
