/*
 * bar.c - a progress bar's states and references.
 */
#include "bar_internal.h"

#include <stdlib.h>
#include <time.h>

int64_t soon__bar_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void soon__bar_ref(soon_progress_bar *bar)
{
    /* Relaxed: whoever adds one has one, or the mutex of a bar that has one. */
    atomic_fetch_add_explicit(&bar->references, 1, memory_order_relaxed);
}

void soon__bar_unref(soon_progress_bar *bar)
{
    /* Release: what was done with the bar comes before its end; acquire, on the last: pairs with that. */
    if (atomic_fetch_sub_explicit(&bar->references, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&bar->mutex);
    free(bar->locked.label);
    free(bar);
}

bool soon__bar_enter_locked(soon_progress_bar *bar, enum soon__bar_state to)
{
    if (to != bar->listed.state + 1)
        return false;
    bar->listed.state = to;
    return true;
}
