/*
 * spin_internal.h - adaptive spinning: a thread looks for something for a short time before it sleeps, as long as that
 * pays.
 *
 * When 8 spins in a row have failed, only every 16th is made, until one succeeds.
 */
#ifndef SOON_EXECUTOR_CORE_SPIN_INTERNAL_H
#define SOON_EXECUTOR_CORE_SPIN_INTERNAL_H

#include "../../futures/future_internal.h"
#include "../system/cpu_internal.h"

enum { SOON__SPIN_NS = 20000 }; /* about what it takes to go to sleep and be woken again */
enum { SOON__SPIN_LOOKS = 32 }; /* between two looks at the clock */

/* Whether spinning pays. Any thread reads and writes it at any time: it is a hint, so all accesses are relaxed. */
struct soon__spin {
    _Atomic unsigned failures_left; /* so many spins may still fail before they are made less often */
    _Atomic unsigned skipped;
};

static inline bool soon__spin_pays(struct soon__spin *spin)
{
    return atomic_load_explicit(&spin->failures_left, memory_order_relaxed) ||
           atomic_fetch_add_explicit(&spin->skipped, 1, memory_order_relaxed) % 16 == 0;
}

/* To be told how each spin went. */
static inline void soon__spin_note(struct soon__spin *spin, bool succeeded)
{
    unsigned left = atomic_load_explicit(&spin->failures_left, memory_order_relaxed);

    if (succeeded && left < 8)
        atomic_store_explicit(&spin->failures_left, 8, memory_order_relaxed);
    else if (!succeeded && left)
        atomic_store_explicit(&spin->failures_left, left - 1, memory_order_relaxed);
}

/* The one loop that spins: calls `found` until it is true, at most `looks` times. `found` is a constant, and compiled
 * in place. */
static inline __attribute__((always_inline)) bool soon__spin_looks(bool (*found)(void *data), void *data, int looks)
{
    for (; looks > 0; looks--, soon__cpu_relax()) {
        if (found(data))
            return true;
    }
    return false;
}

/* The same until `until`, which is looked at now and then. */
static inline __attribute__((always_inline)) bool soon__spin_until(bool (*found)(void *data), void *data, int64_t until)
{
    do {
        if (soon__spin_looks(found, data, SOON__SPIN_LOOKS))
            return true;
    } while (soon__clock_ns() < until);
    return false;
}

/* At most so many threads spin for the end of a future at a time, since they share the CPUs with the workers. Any
 * thread. */
void soon__spin_allow(uint32_t threads);
/* Spins for the end of the future, if that pays; at the longest until `deadline`. Touches nothing but the future. */
void soon__spin_for(const soon_future *future, int64_t deadline);

#endif
