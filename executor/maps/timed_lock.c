/*
 * timed_lock.c - a lock that can be waited for with a deadline, and by a pool's worker.
 *
 *     FREE <--> TAKEN --> WANTED (taken, and perhaps somebody sleeps for it) --> FREE
 */
#include "timed_lock_internal.h"

enum { FREE, TAKEN, WANTED };

static int sleep_for(struct soon__timed_lock *turn, int64_t deadline, bool others)
{
    int rc = soon__wait_check(deadline);

    if (rc == 0)
        rc = soon__thread_before_park(others);
    if (rc < 0)
        return rc;
    soon__wait_park(&turn->word, WANTED, deadline);
    soon__thread_after_park();
    return 0;
}

int soon__timed_lock_take(struct soon__timed_lock *turn, int64_t deadline, bool others)
{
    struct soon__thread *self = soon__thread_self();
    uint32_t word = FREE;
    int rc = 0;

    /* Relaxed: only this thread stores itself. */
    if (atomic_load_explicit(&turn->holder, memory_order_relaxed) == self)
        return SOON_EDEADLK;
    /* Acquire, both: pairs with the release in soon__timed_lock_give(). */
    if (!atomic_compare_exchange_strong_explicit(&turn->word, &word, TAKEN, memory_order_acquire,
                                                 memory_order_relaxed)) {
        while (atomic_exchange_explicit(&turn->word, WANTED, memory_order_acquire) != FREE) {
            rc = sleep_for(turn, deadline, others);
            if (rc < 0)
                return rc;
        }
    }
    atomic_store_explicit(&turn->holder, self, memory_order_relaxed);
    return 0;
}

void soon__timed_lock_give(struct soon__timed_lock *turn)
{
    atomic_store_explicit(&turn->holder, NULL, memory_order_relaxed);
    if (atomic_exchange_explicit(&turn->word, FREE, memory_order_release) == WANTED)
        soon__unpark_one(&turn->word);
}
