/*
 * timed_lock.c - a lock that a thread may wait for up to a deadline, also a worker of a pool.
 *
 *     FREE <--> HELD --> CONTENDED (held, and perhaps a thread sleeps for it) --> FREE
 */
#include "timed_lock_internal.h"

enum { FREE, HELD, CONTENDED };

static int sleep_for(struct soon__timed_lock *lock, int64_t deadline, bool others)
{
    int rc = soon__wait_check(deadline);

    if (rc == 0)
        rc = soon__thread_before_park(others);
    if (rc < 0)
        return rc;
    soon__wait_park(&lock->word, CONTENDED, deadline);
    soon__thread_after_park();
    return 0;
}

int soon__timed_lock_acquire(struct soon__timed_lock *lock, int64_t deadline, bool others)
{
    struct soon__thread *self = soon__thread_self();
    uint32_t word = FREE;
    int rc = 0;

    /* Relaxed: no other thread stores this one. */
    if (atomic_load_explicit(&lock->holder, memory_order_relaxed) == self)
        return SOON_EDEADLK;
    /* Acquire, both: pairs with the release in soon__timed_lock_release(). */
    if (!atomic_compare_exchange_strong_explicit(&lock->word, &word, HELD, memory_order_acquire,
                                                 memory_order_relaxed)) {
        while (atomic_exchange_explicit(&lock->word, CONTENDED, memory_order_acquire) != FREE) {
            rc = sleep_for(lock, deadline, others);
            if (rc < 0)
                return rc;
        }
    }
    atomic_store_explicit(&lock->holder, self, memory_order_relaxed); /* relaxed: for this thread itself */
    return 0;
}

void soon__timed_lock_release(struct soon__timed_lock *lock)
{
    atomic_store_explicit(&lock->holder, NULL, memory_order_relaxed);
    if (atomic_exchange_explicit(&lock->word, FREE, memory_order_release) == CONTENDED)
        soon__unpark_one(&lock->word);
}
