/**
 * @file shared.h
 * Memory that a program and all workers of its pools see, and a lock for it.
 *
 *     struct shared {
 *         soon_lock lock;
 *         long sum;
 *         _Atomic long hits;
 *     };
 *
 *     soon_shared *memory;                            soon_shared_new(&memory, sizeof(struct shared));
 *     struct shared *here = soon_shared_data(memory); soon_lock_init(&here->lock);
 *     in the options of the pool:                     .shared = memory
 *     in a task:                                      struct shared *here = soon_task_shared(task);
 *
 * Each process maps the memory at an address of its own, so there must be no pointers in it. A worker that goes wild
 * can write nonsense into it, as a thread can into any memory. What must survive that travels as argument and result.
 *
 * @addtogroup soon_shared_memory
 * @{
 */
#ifndef SOON_EXECUTOR_SHARED_H
#define SOON_EXECUTOR_SHARED_H

#include "../futures/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A block of memory for several processes. It is counted: a pool that has it as an option holds a reference, too. */
typedef struct soon_shared soon_shared;

/**
 * Makes `size` bytes of shared memory, zeroed, aligned to pages. It takes real memory only where it is written to, and
 * a file descriptor. It is for what all tasks work on. For a large argument or result of a single task there is
 * soon_buffer.
 *
 * Ownership: the caller owns one reference. The memory goes when that was given up and every pool that has it was
 * freed.
 * Threads: any thread. Never blocks.
 * Returns: 0, and sets `*ret`. Else it sets `*ret` to NULL and returns -EINVAL: NULL, or a size of 0; -ENOMEM; -EMFILE
 * and what else the system says.
 *
 * As multiprocessing.shared_memory.SharedMemory in Python, without a name; and for what Value and Array are used.
 */
SOON_API SOON_MUST_USE int soon_shared_new(soon_shared **ret, size_t size);

/**
 * Returns the memory as this process sees it. In a task of a pool there is soon_task_shared().
 *
 * Ownership: lent until the last reference is given up.
 * Threads: any thread. Never blocks.
 */
SOON_API void *soon_shared_data(soon_shared *shared);

/**
 * Gives up the caller's reference. A pool may go on using the memory. NULL is ignored. When the last reference goes,
 * this process must hold no lock that lies there.
 *
 * Threads: any thread. Never blocks.
 */
SOON_API void soon_shared_unref(soon_shared *shared);

/**
 * A lock in shared memory, or in any other, that survives its holder: when a thread or a whole process ends inside, the
 * next one gets the lock, and is told. For a single number an atomic is less work.
 *
 * The lock belongs to the thread that has taken it. A task gives it up before it returns; a child of fork() does not
 * have it. A lock is never moved or copied.
 */
typedef struct soon_lock {
    uint64_t opaque[8]; /**< of the library: neither read nor write it */
} soon_lock;

/**
 * Makes it a lock that nobody holds. The process that makes the memory calls it once, before any worker uses the lock.
 * A lock needs no end.
 *
 * Threads: any thread, alone. Never blocks.
 * Returns: 0; -EINVAL: NULL, or a place that is not aligned; -ENOTSUP: the system has no such locks.
 *
 * As multiprocessing.Lock() in Python, which stays locked for ever if its holder dies.
 */
SOON_API int soon_lock_init(soon_lock *lock);

/**
 * Takes the lock if nobody holds it.
 *
 * Threads: any thread of any process that maps it. Never blocks.
 * Returns: 0: the caller holds it; else
 * - -EOWNERDEAD: the caller holds it, and the last holder has ended inside: what the lock protects may be half done;
 * - -EBUSY: somebody holds it, perhaps the caller;
 * - -EINVAL: NULL, or it was not made by soon_lock_init().
 *
 * As Lock.acquire(block=False) in Python's multiprocessing.
 */
SOON_API int soon_lock_trylock(soon_lock *lock);

/**
 * Takes the lock as soon as it is free.
 *
 * Threads: any thread of any process that maps it. Blocks. Neither a cancel request nor a time limit of the task ends
 * that; a kill does.
 * Returns: 0: the caller holds it; else
 * - -EOWNERDEAD: the caller holds it, and the last holder has ended inside: mend what the lock protects, then go on as
 *   after 0;
 * - -EDEADLK: the caller holds it already;
 * - -EINVAL: NULL, or it was not made by soon_lock_init().
 *
 * As Lock.acquire() in Python's multiprocessing.
 */
SOON_API int soon_lock_lock(soon_lock *lock);

/**
 * Gives the lock up. Nothing happens if the caller does not hold it.
 *
 * Threads: any thread. Never blocks.
 *
 * As Lock.release() in Python's multiprocessing.
 */
SOON_API void soon_lock_unlock(soon_lock *lock);

#ifdef __cplusplus
}
#endif

/** @} */
#endif
