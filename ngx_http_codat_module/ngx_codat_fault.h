
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Owns the points at which a test may kill the process.  They are
 * nothing unless NGX_CODAT_FAULTS is defined at compile time.
 */


#ifndef _NGX_CODAT_FAULT_H_INCLUDED_
#define _NGX_CODAT_FAULT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#if (NGX_CODAT_FAULTS)

/*
 * Kills the process if the file that the environment variable
 * CODAT_FAULT_FILE names says "POINT".  First it puts its process id behind
 * the file's name, so that one of several dies of it, and it is known which.
 */
void ngx_codat_fault(const char *point);

#else

#define ngx_codat_fault(point)

#endif


#endif /* _NGX_CODAT_FAULT_H_INCLUDED_ */
