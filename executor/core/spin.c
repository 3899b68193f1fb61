/*
 * spin.c - a thread that waits for a future spins for its end. See spin_internal.h.
 */
#include "spin_internal.h"

/* How many threads may spin, and how many do. All accesses are relaxed: they are hints. */
static _Atomic uint32_t allowed, spinning;
static _Thread_local struct soon__spin adaptive __attribute__((tls_model("initial-exec")));

void soon__spin_allow(uint32_t threads)
{
    atomic_store_explicit(&allowed, threads, memory_order_relaxed);
}

static bool is_final(void *future)
{
    return soon__word_final(soon__future_word(future));
}

void soon__spin_for(const soon_future *future, int64_t deadline)
{
    int64_t until;

    if (!soon__spin_pays(&adaptive))
        return;
    if (atomic_fetch_add_explicit(&spinning, 1, memory_order_relaxed) <
        atomic_load_explicit(&allowed, memory_order_relaxed)) {
        until = soon__clock_ns() + SOON__SPIN_NS;
        if (until > deadline)
            until = deadline;
        soon__spin_note(&adaptive, soon__spin_until(is_final, (void *)future, until));
    }
    atomic_fetch_sub_explicit(&spinning, 1, memory_order_relaxed);
}
