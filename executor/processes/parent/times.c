/*
 * times.c - the times that a worker process tells of a sampled request. It is not trusted: what it says must lie
 * between the submit and now, and is of this one call alone. So a worker that lies spoils the figures of its own tasks,
 * within these bounds.
 */
#include "times_internal.h"

void soon__process_take_times(const struct soon__process *process, const struct soon__assignment *assignment,
                              uint32_t slot)
{
    struct soon__sample *sample = soon__call_sample(assignment->call);
    struct soon__status *status = &process->channel.replies->status[slot];

    /* Acquire: pairs with the release in soon__serving_tell_begin(). */
    if (!sample || atomic_load_explicit(&status->sampled, memory_order_acquire) != (uint32_t)assignment->sequence)
        return;
    /* Relaxed, both: the reply was published after them; or the worker is dead. */
    soon__sample_ran(sample, soon__worker_mark(process->number),
                     atomic_load_explicit(&status->began_ns, memory_order_relaxed),
                     atomic_load_explicit(&status->ended_ns, memory_order_relaxed), assignment->items > 0);
}
