/**
 * @file shared.h
 * Memory that a program and all workers of its pools see, and a lock for it.
 *
 *     struct shared { soon_lock lock; long sum; _Atomic long hits; };
 *
 *     soon_shared *memory;                            soon_shared_new(&memory, sizeof(struct shared));
 *     struct shared *here = soon_shared_data(memory); soon_lock_init(&here->lock);
 *     in the pool's options:                          .shared = memory
 *     in a task:                                      struct shared *here = soon_task_shared(task);
 *
 * Every process maps it at an address of its own: no pointers in it. A worker that goes wild can write nonsense into
 * it, as a thread could into any memory: what must survive that travels as argument and result.
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

/** A block of memory for several processes. Counted: pools that have it as an option hold it too. */
typedef struct soon_shared soon_shared;

/**
 * Makes `size` bytes of shared memory, zeroed, aligned to pages. It takes real memory only where it is written, and a
 * file descriptor.
 *
 * For what all tasks work on. A large argument or result of a single task: soon_buffer.
 *
 * Ownership: the caller owns one reference. The memory goes when that was given up and every pool that has it was
 * freed.
 * Threads: any thread.
 * Returns: 0 and sets `*ret`; -EINVAL, also for a size of 0; -ENOMEM; -EMFILE and what else the system says; and
 * sets it to NULL.
 *
 * As multiprocessing.shared_memory.SharedMemory in Python, without a name; and for what Value and Array are used.
 */
SOON_API SOON_MUST_USE int soon_shared_new(soon_shared **ret, size_t size);

/**
 * The memory as this process sees it. Lent until the last reference is given up. Any thread. In a task of a pool:
 * soon_task_shared().
 */
SOON_API void *soon_shared_data(soon_shared *shared);

/**
 * Gives up the caller's reference; a pool may go on using it. No lock in it may be held by this process when the last
 * one goes. NULL is allowed. Any thread.
 */
SOON_API void soon_shared_unref(soon_shared *shared);

/**
 * A lock in shared memory (or any other) that survives its holder: when a thread or a whole process ends inside, the
 * next one gets it, and is told. For a single number an atomic is less work.
 *
 * It belongs to the thread that took it. A task gives it up before it returns; a child of fork() does not have it.
 * A lock is never moved or copied.
 */
typedef struct soon_lock {
    uint64_t opaque[8]; /**< the library's own */
} soon_lock;

/**
 * Makes it a lock, held by nobody. Once, before the workers use it: by who makes the memory. It needs no end.
 *
 * Threads: any thread, alone. Returns: 0; -EINVAL, also for a place that is not aligned; -ENOTSUP if the system has
 * no such locks.
 *
 * As multiprocessing.Lock() in Python, which stays locked for ever when its holder dies.
 */
SOON_API int soon_lock_init(soon_lock *lock);

/**
 * Takes the lock if nobody has it.
 *
 * Threads: any thread of any process that maps it. Never blocks.
 * Returns: 0: it is the caller's; -EOWNERDEAD: it is the caller's, and the last holder ended inside: what the lock
 * protects may be half done; -EBUSY: somebody has it, perhaps the caller; -EINVAL: it was not made by
 * soon_lock_init().
 */
SOON_API int soon_lock_trylock(soon_lock *lock);

/**
 * Takes the lock, as soon as it is free.
 *
 * Threads: any thread of any process that maps it. Blocks; also a cancel request or a time limit of the task does not
 * end that, but a kill does.
 * Returns: 0: it is the caller's; -EOWNERDEAD: it is the caller's, and the last holder ended inside: mend what the lock
 * protects, then go on as after 0; -EDEADLK: the caller has it already; -EINVAL: it was not made by soon_lock_init().
 */
SOON_API int soon_lock_lock(soon_lock *lock);

/** Gives it up. From who does not have it: nothing happens. Any thread; never blocks. */
SOON_API void soon_lock_unlock(soon_lock *lock);

#ifdef __cplusplus
}
#endif

/** @} */
#endif
