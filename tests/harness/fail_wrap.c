/*
 * fail_wrap.c - wrappers around functions that may fail for want of something, for the calls of the library and of the
 * test.
 *
 * The linker turns calls of `malloc` into calls of `__wrap_malloc`, and those of `__real_malloc` into calls of malloc.
 * A function that is to be wrapped needs a line here, and its name in tests/meson.build.
 */
#include "fail_internal.h"

#include "../../futures/block_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <uv.h>

/* Defines __wrap_NAME(), which either sets errno to `error` unless that is 0 and returns `failure`, or calls the real
 * function. */
#define WRAP(result, name, parameters, arguments, error, failure)                                                      \
    result __real_##name parameters;                                                                                   \
    result __wrap_##name parameters;                                                                                   \
    result __wrap_##name parameters                                                                                    \
    {                                                                                                                  \
        if (!fail__now())                                                                                              \
            return __real_##name arguments;                                                                            \
        if (error)                                                                                                     \
            errno = error;                                                                                             \
        return failure;                                                                                                \
    }

WRAP(void *, malloc, (size_t size), (size), ENOMEM, NULL)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), ENOMEM, NULL)
WRAP(void *, realloc, (void *pointer, size_t size), (pointer, size), ENOMEM, NULL)
WRAP(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size), ENOMEM, NULL)
WRAP(char *, strdup, (const char *string), (string), ENOMEM, NULL)

/* It counts as one call, however many allocations it makes. */
void *__real_soon__block_new(size_t size);
void *__wrap_soon__block_new(size_t size);
void *__wrap_soon__block_new(size_t size)
{
    void *block;

    if (fail__now())
        return NULL;
    fail_pause();
    block = __real_soon__block_new(size);
    fail_resume();
    return block;
}

/* Counts as one call if it returns a block. If it has none, the library calls soon__block_new(), which counts. */
void *__real_soon__block_pop(size_t size);
void *__wrap_soon__block_pop(size_t size);
void *__wrap_soon__block_pop(size_t size)
{
    void *block;

    fail_pause();
    block = __real_soon__block_pop(size);
    fail_resume();
    if (!block || !fail__now())
        return block;
    soon__block_free(block, size);
    return NULL;
}

/* Meson asks for large files, for which libc has these names. */
WRAP(FILE *, fopen64, (const char *path, const char *mode), (path, mode), EMFILE, NULL)
WRAP(int, ftruncate64, (int fd, off_t size), (fd, size), ENOSPC, -1)
WRAP(void *, mmap64, (void *address, size_t size, int protection, int flags, int fd, off_t offset),
     (address, size, protection, flags, fd, offset), ENOMEM, MAP_FAILED)
WRAP(void *, mremap, (void *address, size_t old_size, size_t size, int flags, ...), (address, old_size, size, flags),
     ENOMEM, MAP_FAILED)
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags), EMFILE, -1)
WRAP(int, eventfd, (unsigned count, int flags), (count, flags), EMFILE, -1)
WRAP(int, socketpair, (int domain, int type, int protocol, int ends[2]), (domain, type, protocol, ends), EMFILE, -1)
WRAP(int, open64, (const char *path, int flags, ...), (path, flags), EMFILE,
     -1) /* never with O_CREAT, so there is no mode */
WRAP(ssize_t, sendmsg, (int socket, const struct msghdr *message, int flags), (socket, message, flags), ENOBUFS, -1)

WRAP(int, pthread_create, (pthread_t * ret, const pthread_attr_t *attributes, void *(*body)(void *), void *argument),
     (ret, attributes, body, argument), 0, EAGAIN)
WRAP(int, pthread_key_create, (pthread_key_t * ret, void (*destructor)(void *)), (ret, destructor), 0, EAGAIN)
WRAP(int, pthread_atfork, (void (*prepare)(void), void (*parent)(void), void (*child)(void)), (prepare, parent, child),
     0, ENOMEM)
WRAP(int, posix_spawn,
     (pid_t * ret, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
      char *const arguments[], char *const environment[]),
     (ret, path, actions, attributes, arguments, environment), 0, EAGAIN)
WRAP(int, epoll_create1, (int flags), (flags), EMFILE, -1)
WRAP(int, uv_loop_init, (uv_loop_t * loop), (loop), 0, UV_ENOMEM)
WRAP(int, uv_async_init, (uv_loop_t * loop, uv_async_t *async, uv_async_cb fn), (loop, async, fn), 0, UV_EMFILE)

/* EPOLL_CTL_DEL never fails. */
int __real_epoll_ctl(int set, int what, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int set, int what, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int set, int what, int fd, struct epoll_event *event)
{
    if (what == EPOLL_CTL_DEL || !fail__now())
        return __real_epoll_ctl(set, what, fd, event);
    errno = ENOSPC;
    return -1;
}

/*
 * Functions with a variable number of arguments: only the calls fail that make a descriptor or need memory.
 */

#define FAILS_AS(error)                                                                                                \
    if (fail__now()) {                                                                                                 \
        errno = error;                                                                                                 \
        return -1;                                                                                                     \
    }

int __real_fcntl64(int fd, int what, ...);
int __wrap_fcntl64(int fd, int what, ...);
int __wrap_fcntl64(int fd, int what, ...)
{
    va_list more;
    long value;

    if (what == F_DUPFD_CLOEXEC || what == F_ADD_SEALS)
        FAILS_AS(EMFILE)
    va_start(more, what);
    value = va_arg(more, long); /* where the caller has passed none the system does not look at it */
    va_end(more);
    return __real_fcntl64(fd, what, value);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    va_list more;
    long a[6];

    if (number == SYS_pidfd_open)
        FAILS_AS(EMFILE)
    va_start(more, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(more, long);
    va_end(more);
    return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
