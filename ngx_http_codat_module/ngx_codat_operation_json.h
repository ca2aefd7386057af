
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the writing of push operations as Codat's API writes them:
 * from a record alone, or into the text of one that was pending.
 */


#ifndef _NGX_CODAT_OPERATION_JSON_H_INCLUDED_
#define _NGX_CODAT_OPERATION_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_operation.h"
#include "ngx_codat_record.h"


/*
 * 1 if the record has all that Codat's API always says of a push operation,
 * and the push is pending or has succeeded: of what went wrong with others
 * only Codat knows the details.
 */
ngx_uint_t ngx_codat_operation_known(const ngx_codat_record_t *push);

/*
 * Writes a push operation.  The length is an upper bound.  Returns the byte
 * behind it.
 */
size_t ngx_codat_operation_json_len(const ngx_codat_record_t *push);
u_char *ngx_codat_operation_json(u_char *p, const ngx_codat_record_t *push);

/*
 * Copies the text of an operation that was read with what the record knows
 * by now in it: status, time of completion, error and record id; what stands
 * around these stays as it is, byte for byte.  The text grows by no more than
 * ngx_codat_operation_json_len().  Returns the byte behind it.
 */
u_char *ngx_codat_operation_final(u_char *p,
    const ngx_codat_operation_t *operation, const ngx_str_t *text,
    const ngx_codat_record_t *push);


#endif /* _NGX_CODAT_OPERATION_JSON_H_INCLUDED_ */
