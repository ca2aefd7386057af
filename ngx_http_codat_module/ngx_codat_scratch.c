
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  The files of temporary stores, see ngx_codat_scratch.h.
 *
 * The master may be root, and the folder another user's: nothing here follows
 * a symbolic link in it, changes an owner, or writes.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_scratch.h"

#include <sys/file.h>


#define NGX_CODAT_SCRATCH_NAME  "codat-consumers-"
#define NGX_CODAT_SCRATCH_MARK  "-used"

/* hexadecimal digits of an id */
#define NGX_CODAT_SCRATCH_ID    16

/* somebody may be looking whether it is used; times, and msec between */
#define NGX_CODAT_SCRATCH_TRIES  50
#define NGX_CODAT_SCRATCH_PAUSE  10


static int ngx_codat_scratch_mark(const u_char *path);
static void ngx_codat_scratch_unmark(void *data);
static void ngx_codat_scratch_sweep(ngx_str_t *folder);
static void ngx_codat_scratch_end(const ngx_str_t *path);
static void ngx_codat_scratch_unlink(const ngx_str_t *path);


/* the mark is the last to go: without it nobody would look for the others */

static const char  *ngx_codat_scratch_suffixes[] = {
    "", "-journal", "-wal", "-shm", "-lock", NGX_CODAT_SCRATCH_MARK, NULL
};


ngx_int_t
ngx_codat_scratch_open(ngx_codat_store_t *store, uint64_t id,
    ngx_pool_t *pool, u_char *error)
{
    int                 *fd;
    u_char              *p, *last, mark[NGX_MAX_PATH];
    ngx_err_t            err;
    ngx_pool_cleanup_t  *cln;

    last = error + NGX_CODAT_STORE_ERROR - 1;

    p = ngx_pnalloc(pool, store->folder.len + NGX_CODAT_SCRATCH_LEN);
    cln = ngx_pool_cleanup_add(pool, sizeof(int));

    if (p == NULL || cln == NULL
        || store->folder.len + NGX_CODAT_SCRATCH_LEN > NGX_MAX_PATH)
    {
        *ngx_slprintf(error, last, "no memory, or no room for its path") = 0;
        return NGX_ERROR;
    }

    store->path.data = p;
    store->path.len = (size_t)
                      (ngx_sprintf(p, "%V/" NGX_CODAT_SCRATCH_NAME "%016xL%Z",
                                   &store->folder, id)
                       - p - 1);

    (void) ngx_sprintf(mark, "%V" NGX_CODAT_SCRATCH_MARK "%Z", &store->path);

    fd = cln->data;
    *fd = ngx_codat_scratch_mark(mark);

    if (*fd == -1) {
        err = ngx_errno;
        p = ngx_slprintf(error, last, "\"%s\" can't be opened (%d: ", mark,
                         err);
        p = ngx_strerror(err, p, (size_t) (last - p));
        *ngx_slprintf(p, last, ")") = '\0';

        return NGX_ERROR;
    }

    cln->handler = ngx_codat_scratch_unmark;

    ngx_codat_scratch_sweep(&store->folder);

    return NGX_OK;
}


/* whoever found it unused may just have removed it: then there is a new one */

static int
ngx_codat_scratch_mark(const u_char *path)
{
    int          fd;
    ngx_err_t    err;
    ngx_uint_t   i;
    struct stat  st;

    for (i = 0; i < NGX_CODAT_SCRATCH_TRIES; i++) {

        fd = open((const char *) path,
                  O_RDWR|O_CREAT|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC, 0600);

        if (fd == -1) {
            return -1;
        }

        if (flock(fd, LOCK_SH|LOCK_NB) == 0
            && fstat(fd, &st) == 0
            && st.st_nlink)
        {
            return fd;
        }

        err = ngx_errno;
        (void) close(fd);
        ngx_set_errno(err);

        ngx_msleep(NGX_CODAT_SCRATCH_PAUSE);
    }

    return -1;
}


static void
ngx_codat_scratch_unmark(void *data)
{
    int  *fd = data;

    (void) close(*fd);
}


void
ngx_codat_scratch_remove(ngx_codat_store_t *store)
{
    if (store->path.len) {
        ngx_codat_scratch_unlink(&store->path);
    }
}


static void
ngx_codat_scratch_sweep(ngx_str_t *folder)
{
    size_t      len;
    u_char     *name, path[NGX_MAX_PATH];
    ngx_str_t   base;
    ngx_dir_t   dir;

    static const ngx_str_t  first = ngx_string(NGX_CODAT_SCRATCH_NAME);
    static const ngx_str_t  end = ngx_string(NGX_CODAT_SCRATCH_MARK);

    if (ngx_open_dir(folder, &dir) == NGX_ERROR) {
        return;
    }

    len = first.len + NGX_CODAT_SCRATCH_ID;

    while (ngx_read_dir(&dir) == NGX_OK) {

        name = ngx_de_name(&dir);

        if (ngx_de_namelen(&dir) != len + end.len
            || ngx_memcmp(name, first.data, first.len) != 0
            || ngx_memcmp(name + len, end.data, end.len) != 0)
        {
            continue;
        }

        base.data = path;
        base.len = (size_t) (ngx_sprintf(path, "%V/%*s", folder, len, name)
                             - path);

        ngx_codat_scratch_end(&base);
    }

    (void) ngx_close_dir(&dir);
}


/* unless somebody lives who has marked it */

static void
ngx_codat_scratch_end(const ngx_str_t *path)
{
    int     fd;
    u_char  mark[NGX_MAX_PATH];

    (void) ngx_sprintf(mark, "%V" NGX_CODAT_SCRATCH_MARK "%Z", path);

    fd = open((char *) mark, O_RDWR|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

    if (fd == -1) {
        return;
    }

    if (flock(fd, LOCK_EX|LOCK_NB) == 0) {
        ngx_codat_scratch_unlink(path);
    }

    (void) close(fd);
}


static void
ngx_codat_scratch_unlink(const ngx_str_t *path)
{
    u_char       name[NGX_MAX_PATH];
    ngx_uint_t   i;

    for (i = 0; ngx_codat_scratch_suffixes[i]; i++) {
        (void) ngx_sprintf(name, "%V%s%Z", path,
                           ngx_codat_scratch_suffixes[i]);

        (void) unlink((char *) name);
    }
}
