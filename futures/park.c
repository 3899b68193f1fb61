/*
 * park.c - how a thread of a program waits: what its worker does instead, and what may end the wait early.
 */
#include "park_internal.h"

#include "future.h"
#include "system_internal.h"

#include <errno.h>
#include <pthread.h>

/* A signal that comes just before a sleep is noticed within this time. */
#define INTERRUPT_LOOK_NS INT64_C(50000000)

bool soon__thread_others_end(soon_future *future)
{
    return !soon__this_thread.parking || soon__this_thread.parking->is_others(soon__this_thread.worker, future);
}

int soon__thread_before_park(bool others)
{
    const struct soon__parking *parking = soon__this_thread.parking;

    return parking ? parking->before_park(soon__this_thread.worker, NULL, others) : 0;
}

void soon__thread_after_park(void)
{
    if (soon__this_thread.parking)
        soon__this_thread.parking->after_park(soon__this_thread.worker);
}

void soon_thread_set_interrupt(soon_interrupt_fn check, void *data)
{
    soon__this_thread.interrupt.check = check;
    soon__this_thread.interrupt.data = data;
}

int soon__wait_check(int64_t deadline)
{
    soon_interrupt_fn check = soon__this_thread.interrupt.check;
    int rc = soon__deadline_check(deadline);

    return rc == 0 && check && check(soon__this_thread.interrupt.data) ? -EINTR : rc;
}

void soon__wait_park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
    /* A thread of the library's looks again, too: what it waits for may have come to need a callback of its own. */
    bool looks = soon__this_thread.interrupt.check || soon__this_thread.of_library;
    int64_t look = looks ? soon__clock_ns() + INTERRUPT_LOOK_NS : SOON__NEVER;

    soon__park(word, expected, look < deadline ? look : deadline);
}

int soon__long_wait_begin(struct soon__long_wait *ret)
{
    int rc = soon__thread_before_park(true);

    if (rc == 0)
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &ret->cancel_state);
    return rc;
}

void soon__long_wait_end(const struct soon__long_wait *wait)
{
    pthread_setcancelstate(wait->cancel_state, NULL);
    soon__thread_after_park();
}
