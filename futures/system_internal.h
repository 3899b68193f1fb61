/*
 * system_internal.h - what futures/ asks of the operating system: parking on a word, the clock, pages, mappable memory.
 * A port replaces system_linux.c and nothing else of this layer.
 */
#ifndef SOON_FUTURES_SYSTEM_INTERNAL_H
#define SOON_FUTURES_SYSTEM_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A deadline is a time of this clock in nanoseconds, or SOON__NEVER. The clock never goes back. */
#define SOON__NEVER INT64_MAX
#define SOON__POLL INT64_C(0) /* a deadline that is over before the wait begins */
int64_t soon__clock_ns(void);
/* The time some milliseconds ago at most, for a third of the cost: for spans that are longer than that. */
int64_t soon__clock_coarse_ns(void);
/* Returns the time `timeout_ms` from now. It saturates; SOON_FOREVER becomes SOON__NEVER, and 0 SOON__POLL. */
int64_t soon__deadline(int64_t timeout_ms);
/* Returns 0, or -ETIMEDOUT once it has passed. Does not read the clock for SOON__NEVER. */
int soon__deadline_check(int64_t deadline);

/* Sleeps while *word == expected, until woken or `deadline`. May return at any time: the caller looks again. */
void soon__park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);
void soon__unpark_one(_Atomic uint32_t *word);
void soon__unpark_all(_Atomic uint32_t *word);

/* Makes memory that another process can map: zeroed pages behind a descriptor. Returns that, or a negative errno. */
int soon__mappable_new(void **ret_data, size_t size);
/* Makes such memory with `size` bytes of `data` (NULL: zeroes) that nobody can write, and maps it to be read. It is
 * never mapped to be written: a process that is forked meanwhile would keep that mapping, and freezing fails as long as
 * there is one. */
int soon__frozen_new(void **ret_data, const void *data, size_t size);
int soon__mappable_resize(int fd, void **data, size_t old_size, size_t size);
/* Returns how many descriptors this process may have. */
size_t soon__descriptors_max(void);

/* Returns zeroed memory of `size`, a power of two and at least a page, at a multiple of that; NULL: there is none.
 * `huge`: in as few pages as the system can. */
void *soon__pages_new(size_t size, bool huge);
void soon__pages_free(void *pages, size_t size);

/* Counts the forks between the first process and this one. An object keeps what it was when the object was made. */
extern _Atomic uint32_t soon__forks;
static inline uint32_t soon__generation(void)
{
    /* Relaxed: it changes only in a forked child, while that has one thread. */
    return atomic_load_explicit(&soon__forks, memory_order_relaxed);
}
/* Registers functions, which may be NULL: `before` is called before a fork, the last one registered first; `parent` or
 * `child` after it, in the order of registration. To be called at load or first use. Returns 0 or -ENOMEM. */
int soon__at_fork(void (*before)(void), void (*parent)(void), void (*child)(void));
/* Has the mutex locked before each fork and unlocked after it, in parent and child, so that the child finds whole what
 * it guards. For leaves only: see system_linux.c. Returns 0 or -ENOMEM. */
int soon__lock_at_fork(pthread_mutex_t *mutex);
/* Ends a forked child that has returned to the library from user code, where all that would follow is the parent's
 * work. Runs no exit handlers and flushes no streams, which are the parent's, too. */
_Noreturn void soon__leave_child(void);
/* Sets what such a child does first. For a worker process, before it has tasks. */
void soon__before_leaving_child(void (*fn)(void));

/* Keeps the shared object that this code is in loaded from now on, even if it is unloaded. */
void soon__stay_loaded(void);

/*
 * Memory behind a descriptor.
 */

/* Makes zeroed memory whose size is sealed for good. Returns a descriptor, or a negative errno. */
int soon__shm_new(size_t size);
/* Returns 0 and sets `*ret`, or a negative errno. The mapping stays when the descriptor is closed. */
int soon__shm_map(void **ret, int fd, size_t size, bool writable);
/* As that, to be read; does not keep soon__shm_freeze() from succeeding. */
int soon__shm_map_private(void **ret, int fd, size_t size);
void soon__shm_unmap(const void *data, size_t size); /* NULL is allowed */
/* From now on no new mapping can write; those that exist still can. */
int soon__shm_close_to_writers(int fd);
/* From now on nobody can write it, and nobody can undo that. Returns 0; -EBUSY: there is still a writable mapping. */
int soon__shm_freeze(int fd);
/* Checks a descriptor that another process has sent. Returns 0 if it is frozen memory of `size` bytes, or -EPROTO. */
int soon__shm_check_frozen(int fd, uint64_t size);

/*
 * Words in shared memory on which a process sleeps.
 */

/* As soon__park(), and soon__unpark_all(). */
void soon__shared_park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);
void soon__shared_unpark(_Atomic uint32_t *word);

#endif
