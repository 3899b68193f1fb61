/*
 * fail_everywhere.c - wrappers around functions that may fail for want of something, whoever calls them, libuv and libc
 * included. A program has either this or fail_wrap.c.
 *
 * It works because definitions in the program come before those in shared libraries. It does not work with a sanitizer,
 * which has an allocator of its own.
 *
 * Calls that libuv makes while it initialises a loop and polls with it for the first time neither count nor fail: libuv
 * ends the program if one of them fails, and the library can only ask before whether there is enough
 * (executor/loops/library_loop.c, B3).
 */
#include "fail_internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>
#include <uv.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void *none(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size)
{
    return fail__now() ? none() : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fail__now() ? none() : __libc_calloc(count, size);
}

void *realloc(void *pointer, size_t size)
{
    return fail__now() ? none() : __libc_realloc(pointer, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fail__now() ? none() : __libc_memalign(alignment, size);
}

/* The function of this name that the program would call without the wrapper. */
static void *next(const char *name)
{
    void *found;

    fail_pause();
    found = dlsym(RTLD_NEXT, name);
    fail_resume();
    return found;
}

/* Defines the function `name`, which either sets errno to `error` and returns `failure`, or calls the real one. */
#define STAND_BEFORE(result, name, parameters, arguments, error, failure)                                              \
    result name parameters                                                                                             \
    {                                                                                                                  \
        result(*real) parameters;                                                                                      \
                                                                                                                       \
        if (fail__now()) {                                                                                             \
            errno = error;                                                                                             \
            return failure;                                                                                            \
        }                                                                                                              \
        *(void **)&real = next(#name);                                                                                 \
        return real arguments;                                                                                         \
    }

STAND_BEFORE(int, epoll_create1, (int flags), (flags), EMFILE, -1)
STAND_BEFORE(int, eventfd, (unsigned count, int flags), (count, flags), EMFILE, -1)
STAND_BEFORE(int, memfd_create, (const char *name, unsigned flags), (name, flags), EMFILE, -1)
STAND_BEFORE(int, pipe2, (int fds[2], int flags), (fds, flags), EMFILE, -1)
STAND_BEFORE(int, socketpair, (int domain, int type, int protocol, int ends[2]), (domain, type, protocol, ends), EMFILE,
             -1)

/* EPOLL_CTL_DEL never fails. */
int epoll_ctl(int set, int what, int fd, struct epoll_event *event)
{
    int (*real)(int, int, int, struct epoll_event *);

    if (what != EPOLL_CTL_DEL && fail__now()) {
        errno = ENOSPC;
        return -1;
    }
    *(void **)&real = next("epoll_ctl");
    return real(set, what, fd, event);
}

static _Thread_local const uv_loop_t *fresh; /* a loop that this thread has initialised and not run yet */

int uv_loop_init(uv_loop_t *loop)
{
    int (*real)(uv_loop_t *), rc;

    *(void **)&real = next("uv_loop_init");
    fail_pause();
    rc = real(loop);
    fail_resume();
    fresh = loop;
    return rc;
}

int uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    int (*real)(uv_loop_t *, uv_run_mode), rc;
    bool is_fresh = fresh == loop;

    *(void **)&real = next("uv_run");
    fresh = NULL;
    if (is_fresh)
        fail_pause();
    rc = real(loop, mode);
    if (is_fresh)
        fail_resume();
    return rc;
}
