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

/* A deadline is a reading of this clock in nanoseconds, or SOON__NEVER. It never goes back. */
#define SOON__NEVER INT64_MAX
#define SOON__POLL INT64_C(0) /* over before it begins */
int64_t soon__clock_ns(void);
/* What it was some milliseconds ago at most: costs a third. For spans that are longer than that. */
int64_t soon__clock_coarse_ns(void);
/* When `timeout_ms` from now is: saturates; SOON_FOREVER is SOON__NEVER, 0 is SOON__POLL. */
int64_t soon__deadline(int64_t timeout_ms);
/* 0 (with no look at the clock for SOON__NEVER), or -ETIMEDOUT once it has passed. */
int soon__deadline_check(int64_t deadline);

/* Sleeps while *word == expected, until woken or `deadline`. May return at any time: look again. */
void soon__park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);
void soon__unpark_one(_Atomic uint32_t *word);
void soon__unpark_all(_Atomic uint32_t *word);

/* Memory that another process can map: zeroed pages behind a descriptor, which is returned; or a negative errno. */
int soon__mappable_new(void **ret_data, size_t size);
/* Such memory with `size` bytes of `data` (NULL: zeroes) that nobody can write, mapped to be read. There never is a mapping
 * that could: a process that is forked meanwhile would keep it, and freezing fails as long as there is one. */
int soon__frozen_new(void **ret_data, const void *data, size_t size);
int soon__mappable_resize(int fd, void **data, size_t old_size, size_t size);
/* How many descriptors this process may have. */
size_t soon__descriptors_max(void);

/* Memory of `size`, a power of two and at least a page, at a multiple of that; zeroed. `huge`: in as few pages as the
 * system can. NULL: none. */
void *soon__pages_new(size_t size, bool huge);
void soon__pages_free(void *pages, size_t size);

/* How many forks lie between the first process and this one. Objects remember it. */
extern _Atomic uint32_t soon__forks;
static inline uint32_t soon__generation(void)
{
    /* Relaxed: it changes only in a child that has one thread. */
    return atomic_load_explicit(&soon__forks, memory_order_relaxed);
}
/* `before` runs ahead of a fork, the last one registered first, then `parent` or `child`, in the order of registration. Each may
 * be NULL. At load or first use. 0 or -ENOMEM. */
int soon__at_fork(void (*before)(void), void (*parent)(void), void (*child)(void));
/* Taken before each fork and given back after it, in parent and child, so that the child finds what it guards whole. For
 * leaves only: see system_linux.c. 0 or -ENOMEM. */
int soon__lock_at_fork(pthread_mutex_t *mutex);
/* Ends a forked child that has returned to the library from user code, where all that follows is the parent's. Without exit
 * handlers and flushes, which are the parent's too. */
_Noreturn void soon__leave_child(void);
/* What such a child does then. For a worker process, before it has tasks. */
void soon__before_leaving_child(void (*fn)(void));

/* The object that this code is in stays in memory from now on, whoever unloads it. */
void soon__stay_loaded(void);

/*
 * Memory behind a descriptor.
 */

/* Zeroed, its size sealed for good. A descriptor. */
int soon__shm_new(size_t size);
/* 0 and sets `*ret`. The mapping lives on when the descriptor is closed. */
int soon__shm_map(void **ret, int fd, size_t size, bool writable);
/* The same, to be read, and no obstacle to soon__shm_freeze(). */
int soon__shm_map_private(void **ret, int fd, size_t size);
void soon__shm_unmap(const void *data, size_t size); /* NULL allowed */
/* No new mapping can write from now on; those that exist still can. */
int soon__shm_close_to_writers(int fd);
/* Nobody can write it from now on, and nobody can undo that. -EBUSY: a writable mapping is left. */
int soon__shm_freeze(int fd);
/* It is frozen and holds `size` bytes: 0; -EPROTO: it is not, or not a memory file at all. For what a stranger sent. */
int soon__shm_check_frozen(int fd, uint64_t size);

/*
 * Words in shared memory on which a process sleeps.
 */

/* As soon__park(), and soon__unpark_all(). */
void soon__shared_park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);
void soon__shared_unpark(_Atomic uint32_t *word);

#endif
