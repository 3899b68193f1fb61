/*
 * spin.c - looking for the end of a future. See spin_internal.h.
 */
#include "spin_internal.h"

#include "../system/cpu_internal.h"
#include "luck_internal.h"

static _Atomic uint32_t allowed, spinning;
static _Thread_local struct soon__luck luck __attribute__((tls_model("initial-exec")));

void soon__spin_allow(uint32_t threads)
{
    atomic_store_explicit(&allowed, threads, memory_order_relaxed);
}

void soon__spin_for(const soon_future *future, int64_t deadline)
{
    int64_t until;
    bool done = false;

    /* Relaxed, all: hints. */
    if (!soon__luck_try(&luck))
        return;
    if (atomic_fetch_add_explicit(&spinning, 1, memory_order_relaxed) <
        atomic_load_explicit(&allowed, memory_order_relaxed)) {
        until = soon__clock_ns() + SOON__SPIN_NS;
        if (until > deadline)
            until = deadline;
        do {
            for (int looks = 0; looks < 32 && !done; looks++, soon__cpu_relax())
                done = soon__word_final(soon__future_word(future));
        } while (!done && soon__clock_ns() < until);
        soon__luck_note(&luck, done);
    }
    atomic_fetch_sub_explicit(&spinning, 1, memory_order_relaxed);
}
