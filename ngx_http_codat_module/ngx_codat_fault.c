
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  Points of failure, see ngx_codat_fault.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_fault.h"


#if (NGX_CODAT_FAULTS)

void
ngx_codat_fault(const char *point)
{
    int          fd;
    char         text[64], won[4096];
    ssize_t      n;
    const char  *path;

    path = getenv("CODAT_FAULT_FILE");
    if (path == NULL) {
        return;
    }

    fd = open(path, O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    n = read(fd, text, sizeof(text) - 1);

    (void) close(fd);

    if (n <= 0) {
        return;
    }

    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';

    if (ngx_strcmp(text, point) != 0) {
        return;
    }

    (void) snprintf(won, sizeof(won), "%s.%d", path, (int) ngx_pid);

    if (rename(path, won) == 0) {
        (void) raise(SIGKILL);
    }
}

#else

/* ISO C wants something in a file */

typedef int  ngx_codat_fault_none_t;

#endif
