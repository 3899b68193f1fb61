/*
 * await.c - waiting for one future.
 */
#include "await_internal.h"

#include "depend_internal.h"
#include "park_internal.h"

/* Sleeps until the word changes, or until `deadline`; may return early for no reason. */
static void park_on(soon_future *future, int64_t deadline)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed);

    if (soon__word_final((uint32_t)word))
        return;
    /* I6. Relaxed: the futex call compares the word again. */
    if (!(word & SOON__PARKED) && !atomic_compare_exchange_strong_explicit(&future->word, &word, word | SOON__PARKED,
                                                                           memory_order_relaxed, memory_order_relaxed))
        return;
    soon__wait_park(soon__future_bed(future), (uint32_t)word | SOON__PARKED, deadline);
}

uint32_t soon__future_stable_word(soon_future *future)
{
    uint32_t word = soon__future_word(future), state = word & SOON__STATE;

    while ((state == SOON__COMPLETING_PENDING || state == SOON__COMPLETING_RUNNING) &&
           !soon__future_is_pre_fork(future)) {
        park_on(future, SOON__NEVER);
        word = soon__future_word(future);
        state = word & SOON__STATE;
    }
    return word;
}

/* A wait with a time limit must not run a task here, which could take longer than that. */
static int help_or_park(soon_future *future, int64_t deadline)
{
    struct soon__thread *self = soon__thread_self();
    bool may_run = deadline == SOON__NEVER;
    int rc = 0;

    if (may_run && future->class->help && future->class->help(future))
        return 0;
    if (self->parking)
        rc = self->parking->before_park(self->worker, may_run ? future : NULL, soon__thread_others_end(future));
    if (rc)
        return rc < 0 ? rc : 0;
    if (future->class->spin)
        future->class->spin(future, deadline);
    park_on(future, deadline);
    soon__thread_after_park();
    return 0;
}

static __attribute__((noinline)) int await_slowly(soon_future *future, int64_t deadline)
{
    struct soon__thread *self = soon__thread_self();

    while (!soon__word_final(soon__future_word(future))) {
        int rc = 0;

        if (self->parking && deadline == SOON__NEVER && self->parking->run_own(self->worker, future))
            continue;
        if (soon__future_is_pre_fork(future))
            return SOON_EFORKED;
        /* A poll does not wait, so it is never refused. */
        if (deadline != SOON__POLL && soon__thread_is_inside(future))
            rc = SOON_EDEADLK;
        else
            rc = soon__wait_check(deadline);
        if (rc == 0)
            rc = help_or_park(future, deadline);
        if (rc < 0)
            return soon__word_final(soon__future_word(future)) ? 0 : rc;
    }
    return 0;
}

/* A task mostly waits for one that it has submitted itself, and that has not begun. */
int soon__future_await(soon_future *future, int64_t deadline)
{
    struct soon__thread *self = soon__thread_self();

    if (self->parking && deadline == SOON__NEVER && self->parking->run_own(self->worker, future) &&
        soon__word_final(soon__future_word(future)))
        return 0;
    return await_slowly(future, deadline);
}
