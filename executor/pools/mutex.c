/*
 * mutex.c - a mutex that is not free, and conditions. See mutex_internal.h.
 */
#include "mutex_internal.h"

#include "../core/spin_internal.h"

#include <errno.h>

enum { LOOKS = 100 };

static bool try_lock(void *data)
{
    struct soon__mutex *mutex = data;
    uint32_t word = SOON__MUTEX_FREE;

    /* Relaxed: a hint. Acquire: as in soon__mutex_lock(). */
    return atomic_load_explicit(&mutex->word, memory_order_relaxed) == SOON__MUTEX_FREE &&
           atomic_compare_exchange_strong_explicit(&mutex->word, &word, SOON__MUTEX_TAKEN, memory_order_acquire,
                                                   memory_order_relaxed);
}

void soon__mutex_lock_slowly(struct soon__mutex *mutex)
{
    int saved = errno;

    if (soon__spin_looks(try_lock, mutex, LOOKS)) /* it is mostly held for a few instructions */
        return;
    /* Perhaps nobody else wants it any more, but this thread cannot know that. Acquire: as in soon__mutex_lock(). */
    while (atomic_exchange_explicit(&mutex->word, SOON__MUTEX_WANTED, memory_order_acquire) != SOON__MUTEX_FREE)
        soon__park(&mutex->word, SOON__MUTEX_WANTED, SOON__NEVER);
    errno = saved;
}

void soon__condition_wait(struct soon__condition *condition, struct soon__mutex *mutex, int64_t deadline)
{
    /* Relaxed: we have the mutex. soon__park() sees a change that comes before it sleeps. */
    uint32_t changes = atomic_load_explicit(&condition->changes, memory_order_relaxed);

    condition->waiting++;
    soon__mutex_unlock(mutex);
    soon__park(&condition->changes, changes, deadline);
    soon__mutex_lock(mutex);
    condition->waiting--;
}

void soon__condition_change(struct soon__condition *condition, bool all)
{
    /* Relaxed: the mutex orders what the waiters look at. */
    atomic_fetch_add_explicit(&condition->changes, 1, memory_order_relaxed);
    if (all)
        soon__unpark_all(&condition->changes);
    else
        soon__unpark_one(&condition->changes);
}
