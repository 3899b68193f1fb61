/*
 * system_linux.c - parking on a futex, the monotonic clock, pages, memory behind a memfd, and the count of forks.
 *
 * Memory for other processes is a memfd with seals. Its size is sealed when it is made, since a process dies that reads
 * a mapping whose file has shrunk. Against writers it is sealed when it is handed over.
 */
#include "system_internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t soon__clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t soon__clock_coarse_ns(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t soon__deadline(int64_t timeout_ms)
{
    int64_t now, span;

    if (timeout_ms < 0 || __builtin_mul_overflow(timeout_ms, (int64_t)1000000, &span))
        return SOON__NEVER;
    if (timeout_ms == 0)
        return SOON__POLL;
    now = soon__clock_ns();
    return __builtin_add_overflow(now, span, &now) ? SOON__NEVER : now;
}

int soon__deadline_check(int64_t deadline)
{
    if (deadline == SOON__NEVER)
        return 0;
    return deadline == SOON__POLL || soon__clock_ns() >= deadline ? -ETIMEDOUT : 0;
}

/* `operation`: PRIVATE, for words of this process; or not, for words in memory that other processes have mapped,
 * too. */
static void sleep_on(_Atomic uint32_t *word, int operation, uint32_t expected, int64_t deadline)
{
    struct timespec until = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};
    int saved = errno; /* user code around a wait or a completion must not see a change */

    /* The bitset form takes an absolute time of the monotonic clock, so that interrupted sleeps do not add up. */
    syscall(SYS_futex, word, operation, expected, deadline == SOON__NEVER ? NULL : &until, NULL,
            FUTEX_BITSET_MATCH_ANY);
    errno = saved;
}

static void wake(_Atomic uint32_t *word, int operation, int count)
{
    int saved = errno;

    syscall(SYS_futex, word, operation, count, NULL, NULL, 0);
    errno = saved;
}

void soon__park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
    sleep_on(word, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline);
}

void soon__unpark_one(_Atomic uint32_t *word)
{
    wake(word, FUTEX_WAKE_PRIVATE, 1);
}

void soon__unpark_all(_Atomic uint32_t *word)
{
    wake(word, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

void soon__shared_park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
    sleep_on(word, FUTEX_WAIT_BITSET, expected, deadline);
}

void soon__shared_unpark(_Atomic uint32_t *word)
{
    wake(word, FUTEX_WAKE, INT32_MAX);
}

static void *pages(size_t size)
{
    void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return data == MAP_FAILED ? NULL : data;
}

/* Maps twice as much, and keeps the part that is aligned. */
static void *aligned_pages(size_t size)
{
    char *data = pages(2 * size);
    size_t before = data ? -(uintptr_t)data & (size - 1) : 0;

    if (!data)
        return NULL;
    if (before)
        munmap(data, before);
    munmap(data + before + size, size - before);
    return data + before;
}

void *soon__pages_new(size_t size, bool huge)
{
    void *data = pages(size);

    /* Mostly it is aligned if the one before it was, since the system puts the next mapping beside it. */
    if (data && ((uintptr_t)data & (size - 1))) {
        munmap(data, size);
        data = aligned_pages(size);
    }
    if (data && huge)
        madvise(data, size, MADV_HUGEPAGE);
    return data;
}

void soon__pages_free(void *pages, size_t size)
{
    int saved = errno;

    /* Unmapping may make one more mapping, of which there is a limit. If it fails, at least the memory goes back. */
    if (munmap(pages, size) < 0)
        madvise(pages, size, MADV_DONTNEED);
    errno = saved;
}

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* since Linux 6.3: no program can be started from it */
#endif

/* Returns `fd`, or closes it and returns `rc` if that is an error. */
static int keep(int fd, int rc)
{
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

/* Beyond the limit of file sizes the kernel sends SIGXFSZ, which would end the process: it is blocked, and taken
 * back. */
static int set_size(int fd, size_t size)
{
    sigset_t mask, before, pending;
    int error = 0;

    sigemptyset(&mask);
    sigaddset(&mask, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &mask, &before);
    sigpending(&pending);
    if (ftruncate(fd, (off_t)size) < 0)
        error = -errno;
    if (error == -EFBIG && !sigismember(&pending, SIGXFSZ))
        (void)sigtimedwait(&mask, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static int memory_new(const char *name, size_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

    if (fd < 0 && (errno == EINVAL || errno == EPERM)) /* the flag is not known, or a filter refuses it */
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : keep(fd, set_size(fd, size));
}

int soon__mappable_new(void **ret_data, size_t size)
{
    int fd = memory_new("soon-buffer", size);

    return fd < 0 ? fd : keep(fd, soon__shm_map(ret_data, fd, size, true));
}

int soon__mappable_resize(int fd, void **data, size_t old_size, size_t size)
{
    void *moved;
    int error = size > old_size ? set_size(fd, size) : 0;

    if (error < 0)
        return error;
    moved = mremap(*data, old_size, size, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED)
        return -errno;
    *data = moved;
    if (size < old_size && ftruncate(fd, (off_t)size) < 0)
        return 0; /* the tail stays allocated, unseen */
    return 0;
}

static int write_all(int fd, const char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t written = pwrite(fd, data + done, size - done, (off_t)done);

        if (written < 0 && errno != EINTR)
            return errno == EFAULT ? -EINVAL : -errno; /* the caller's size is more than there is at `data` */
        if (written > 0)
            done += (size_t)written;
    }
    return 0;
}

int soon__frozen_new(void **ret_data, const void *data, size_t size)
{
    int fd = memory_new("soon-buffer", size), rc;

    if (fd < 0)
        return fd;
    rc = data ? write_all(fd, data, size) : 0;
    if (rc == 0)
        rc = soon__shm_freeze(fd);
    if (rc == 0)
        rc = soon__shm_map_private(ret_data, fd, size);
    return keep(fd, rc);
}

size_t soon__descriptors_max(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : limit.rlim_cur;
}

/*
 * Forks are counted in the child's atfork handler, since getpid() for each call would cost a system call.
 *
 * A child has one thread. A lock that another thread held at the fork stays locked there for ever, and what it guards
 * may be half changed. So each lock of the library is of one of these kinds:
 *
 *     locked  over the fork, by before_fork(): the table of handlers, the hook for unhandled errors (error.c), the
 *             registry of functions (function.c), the table of attached loops (loop.c), the pools that signals shut
 *             down (on_signal.c). They are leaves: a thread that has one takes no other of them, calls no user code and
 *             does not fork. Nor does it call pthread_atfork(), which may wait for the fork of another thread.
 *     anew    made anew in the child, with all that it guards: the slabs and the lists of blocks (slab.c, block.c), the
 *             start of the library's loop (library_loop.c), which registers handlers and so cannot be locked, and the
 *             mutexes of that loop. One of these, `awake`, is locked before the fork, ahead of all leaves.
 *     parent  in an object of the parent, which the child does not lock: it compares generations first, and returns
 *             SOON_EFORKED. Futures (LOCK), promises, executors and their processes, attached loops, iterators.
 *     worker  of a worker process, whose forked children never come back to it (executor/processes/worker/serve.c).
 *     shared  in memory of several processes: a child is one more of these.
 *
 * A child ends when it returns to the library from user code, since the thread and the frames below are the parent's:
 * see soon__leave_child().
 */
_Atomic uint32_t soon__forks;
static struct {
    void (*before)(void), (*parent)(void), (*child)(void); /* each may be NULL */
} at_fork[8];
static int at_fork_count;
static pthread_mutex_t *held_at_fork[8];
static int held_at_fork_count;
static pthread_mutex_t at_fork_mutex = PTHREAD_MUTEX_INITIALIZER;

static void before_fork(void)
{
    pthread_mutex_lock(&at_fork_mutex);
    for (int i = at_fork_count; i > 0; i--) {
        if (at_fork[i - 1].before)
            at_fork[i - 1].before();
    }
    for (int i = 0; i < held_at_fork_count; i++)
        pthread_mutex_lock(held_at_fork[i]);
}

static void let_go(void)
{
    for (int i = held_at_fork_count; i > 0; i--)
        pthread_mutex_unlock(held_at_fork[i - 1]);
}

static void after_fork_in_parent(void)
{
    let_go();
    for (int i = 0; i < at_fork_count; i++) {
        if (at_fork[i].parent)
            at_fork[i].parent();
    }
    pthread_mutex_unlock(&at_fork_mutex);
}

static void after_fork_in_child(void)
{
    let_go();
    atomic_fetch_add_explicit(&soon__forks, 1, memory_order_relaxed);
    for (int i = 0; i < at_fork_count; i++) {
        if (at_fork[i].child)
            at_fork[i].child();
    }
    pthread_mutex_unlock(&at_fork_mutex);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

int soon__at_fork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
    int rc = -ENOMEM;

    pthread_mutex_lock(&at_fork_mutex);
    if (at_fork_count < (int)(sizeof at_fork / sizeof *at_fork)) {
        at_fork[at_fork_count].before = before;
        at_fork[at_fork_count].parent = parent;
        at_fork[at_fork_count++].child = child;
        rc = 0;
    }
    pthread_mutex_unlock(&at_fork_mutex);
    return rc;
}

int soon__lock_at_fork(pthread_mutex_t *mutex)
{
    int rc = -ENOMEM;

    pthread_mutex_lock(&at_fork_mutex);
    if (held_at_fork_count < (int)(sizeof held_at_fork / sizeof *held_at_fork)) {
        held_at_fork[held_at_fork_count++] = mutex;
        rc = 0;
    }
    pthread_mutex_unlock(&at_fork_mutex);
    return rc;
}

static void (*before_leaving)(void);

void soon__before_leaving_child(void (*fn)(void))
{
    before_leaving = fn;
}

void soon__leave_child(void)
{
    if (before_leaving)
        before_leaving();
    _exit(0);
}

/*
 * A plugin may contain this library, and be unloaded. But threads of the library run in it until the process ends, and
 * the end of a thread calls it. The object is found by an address in it; if that is the program itself, nothing is
 * needed.
 */
void soon__stay_loaded(void)
{
    static _Atomic bool done;
    Dl_info object;

    /* Relaxed: a second thread need not wait for the first, which runs code of the object, too. */
    if (atomic_exchange_explicit(&done, true, memory_order_relaxed))
        return;
    if (!dladdr((void *)(uintptr_t)&soon__stay_loaded, &object) ||
        !dlopen(object.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE))
        (void)dlerror(); /* so that the program does not find our error */
}

/*
 * Memory behind a descriptor.
 */

static int seal(int fd, int seals)
{
    return fcntl(fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}

int soon__shm_new(size_t size)
{
    int fd = memory_new("soon-shared", size);

    return fd < 0 ? fd : keep(fd, seal(fd, F_SEAL_SHRINK | F_SEAL_GROW));
}

static int map(void **ret, int fd, size_t size, int protection, int flags)
{
    void *data = mmap(NULL, size, protection, flags, fd, 0);

    if (data == MAP_FAILED)
        return -errno;
    *ret = data;
    return 0;
}

/* A private mapping that is never written shows what others write to the file. */
int soon__shm_map_private(void **ret, int fd, size_t size)
{
    return map(ret, fd, size, PROT_READ, MAP_PRIVATE);
}

int soon__shm_map(void **ret, int fd, size_t size, bool writable)
{
    int rc = map(ret, fd, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED);

    /* Kernels before 6.7 refuse to share what is sealed against writing, even with readers. */
    return rc == -EPERM && !writable ? soon__shm_map_private(ret, fd, size) : rc;
}

void soon__shm_unmap(const void *data, size_t size)
{
    if (data)
        munmap((void *)(uintptr_t)data, size);
}

int soon__shm_close_to_writers(int fd)
{
    return seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
}

int soon__shm_freeze(int fd)
{
    return seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
}

int soon__shm_check_frozen(int fd, uint64_t size)
{
    const int wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    int seals = fcntl(fd, F_GET_SEALS);
    struct statfs system;
    struct stat file;

    if (seals < 0 || (seals & wanted) != wanted)
        return -EPROTO;
    /* A file of huge pages can have seals, too, but is mapped by other rules. */
    if (fstatfs(fd, &system) < 0 || (unsigned long)system.f_type != TMPFS_MAGIC)
        return -EPROTO;
    return fstat(fd, &file) == 0 && file.st_size >= 0 && (uint64_t)file.st_size == size ? 0 : -EPROTO;
}
