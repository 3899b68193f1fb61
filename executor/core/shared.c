/*
 * shared.c - memory behind a descriptor, and locks in it.
 *
 * A lock is a robust mutex of the system's. The kernel knows which of them a thread holds, and marks those when the
 * thread ends, in whatever way. What becomes of a lock:
 *
 *     free --lock: 0--> held --unlock--> free
 *                         |
 *                         +--the holder ends--> orphaned --lock: -EOWNERDEAD--> held, consistent again
 *
 * L1  A thread that gets an orphaned lock makes it consistent at once. So the lock is never lost for good. If that
 *     thread ends as well, the next one is told again.
 * L2  A lock knows its holder. So locking it twice, and unlocking another thread's, are errors and do no harm.
 */
#include "shared_internal.h"

#include "../../futures/refuse_internal.h"
#include "../../futures/system_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Memory
 */

struct soon_shared {
    _Atomic size_t refs;
    int fd;
    size_t size;
    void *data;
};

static int shared_new(soon_shared **ret, size_t size)
{
    soon_shared *shared;
    int rc;

    if (!size)
        return soon__refuse(-EINVAL, "size = 0");
    if (size > PTRDIFF_MAX)
        return -ENOMEM;
    shared = malloc(sizeof *shared);
    if (!shared)
        return -ENOMEM;
    *shared = (soon_shared){.size = size};
    atomic_init(&shared->refs, 1);
    rc = shared->fd = soon__shm_new(size);
    if (rc < 0)
        goto fail_memory;
    rc = soon__shm_map(&shared->data, shared->fd, size, true);
    if (rc < 0)
        goto fail_descriptor;
    *ret = shared;
    return 0;

fail_descriptor:
    close(shared->fd);
fail_memory:
    free(shared);
    return rc == -EFBIG || rc == -ENOSPC ? -ENOMEM : rc;
}

int soon_shared_new(soon_shared **ret, size_t size)
{
    if (ret)
        *ret = NULL;
    return soon__failed(ret ? shared_new(ret, size) : soon__is_null("ret"), "soon_shared_new");
}

void *soon_shared_data(soon_shared *shared)
{
    return soon__check(shared, "soon_shared_data: NULL") ? shared->data : NULL;
}

soon_shared *soon__shared_ref(soon_shared *shared)
{
    /* Relaxed: the caller has a reference already. */
    if (shared)
        atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    return shared;
}

void soon_shared_unref(soon_shared *shared)
{
    /* Release: what was done with the memory comes before its end; acquire: the end comes after that. */
    if (!shared || atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel) > 1)
        return;
    soon__shm_unmap(shared->data, shared->size);
    close(shared->fd);
    free(shared);
}

int soon__shared_descriptor(const soon_shared *shared)
{
    return shared->fd;
}

size_t soon__shared_size(const soon_shared *shared)
{
    return shared->size;
}

/*
 * Locks
 */

/* What `opaque` holds. Zeroed memory is not a lock here, though to the system it would be a mutex of another kind. */
struct lock {
    pthread_mutex_t mutex;
    uint32_t magic;
};
_Static_assert(sizeof(struct lock) <= sizeof(soon_lock), "the system's mutex has grown");
_Static_assert(_Alignof(struct lock) <= _Alignof(soon_lock), "the system's mutex wants another alignment");
#define LOCK_MAGIC UINT32_C(0x4b434f4c)

/* Returns NULL for what is not a lock. */
static struct lock *lock_of(soon_lock *lock)
{
    struct lock *inside = (struct lock *)(void *)lock;

    if (!lock || (uintptr_t)lock % _Alignof(soon_lock) || inside->magic != LOCK_MAGIC)
        return NULL;
    return inside;
}

static int no_lock(const soon_lock *lock)
{
    return lock ? soon__refuse(-EINVAL, "soon_lock_init() has not made it") : soon__is_null("the lock");
}

int soon_lock_init(soon_lock *lock)
{
    struct lock *inside = (struct lock *)(void *)lock;
    pthread_mutexattr_t attributes;
    int rc;

    if (!lock)
        return soon__failed(soon__is_null("the lock"), "soon_lock_init");
    if ((uintptr_t)lock % _Alignof(soon_lock))
        return soon__failed(soon__refuse(-EINVAL, "%p is not aligned for a lock", (void *)lock), "soon_lock_init");
    pthread_mutexattr_init(&attributes);
    rc = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (rc == 0)
        rc = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (rc == 0)
        rc = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    if (rc == 0)
        rc = pthread_mutex_init(&inside->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    if (rc == 0)
        inside->magic = LOCK_MAGIC;
    return soon__failed(-rc, "soon_lock_init");
}

/* Makes an orphaned lock consistent (L1), and says what locking has come to. */
static int taken(struct lock *inside, int rc)
{
    if (rc == EOWNERDEAD)
        pthread_mutex_consistent(&inside->mutex);
    return -rc;
}

int soon_lock_trylock(soon_lock *lock)
{
    struct lock *inside = lock_of(lock);
    int rc = inside ? pthread_mutex_trylock(&inside->mutex) : EINVAL;

    if (!inside)
        return soon__failed(no_lock(lock), "soon_lock_trylock");
    return taken(inside, rc == EDEADLK ? EBUSY : rc); /* systems differ in what they tell the holder */
}

int soon_lock_lock(soon_lock *lock)
{
    struct lock *inside = lock_of(lock);

    if (!inside)
        return soon__failed(no_lock(lock), "soon_lock_lock");
    return taken(inside, pthread_mutex_lock(&inside->mutex));
}

void soon_lock_unlock(soon_lock *lock)
{
    struct lock *inside = lock_of(lock);

    if (soon__check(inside, "soon_lock_unlock: no lock"))
        (void)pthread_mutex_unlock(&inside->mutex); /* EPERM: it is another's (L2) */
}
