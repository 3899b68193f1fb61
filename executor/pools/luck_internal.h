/*
 * luck_internal.h - is it worth a try? Looking for something for a short time instead of sleeping pays if it mostly
 * comes within that time. Of the last tries that failed a few are forgiven; then only each sixteenth is made.
 */
#ifndef SOON_EXECUTOR_POOLS_LUCK_INTERNAL_H
#define SOON_EXECUTOR_POOLS_LUCK_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>

/* Read and written by anybody at any time: a hint. Relaxed, all of it. */
struct soon__luck {
    _Atomic unsigned left, passed;
};

static inline bool soon__luck_try(struct soon__luck *luck)
{
    return atomic_load_explicit(&luck->left, memory_order_relaxed) ||
           atomic_fetch_add_explicit(&luck->passed, 1, memory_order_relaxed) % 16 == 0;
}

static inline void soon__luck_note(struct soon__luck *luck, bool lucky)
{
    unsigned left = atomic_load_explicit(&luck->left, memory_order_relaxed);

    if (lucky && left < 8)
        atomic_store_explicit(&luck->left, 8, memory_order_relaxed);
    else if (!lucky && left)
        atomic_store_explicit(&luck->left, left - 1, memory_order_relaxed);
}

#endif
