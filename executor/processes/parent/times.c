/*
 * times.c - the times that a worker process tells of a sampled request. It is not trusted: what it says must lie
 * between the submit and now, and is of this one call alone. So a worker that lies spoils the figures of its own tasks,
 * within these bounds.
 */
#include "times_internal.h"

#include "stage_internal.h"

void soon__process_take_times(const struct soon__process *process, const struct soon__assignment *assignment,
                              uint32_t slot)
{
    struct soon__sample *sample = soon__call_sample(assignment->call);
    struct soon__status *status = &process->channel.replies->status[slot];

    /* Acquire: pairs with the release in soon__serving_tell_begin(). */
    if (!sample || atomic_load_explicit(&status->sampled, memory_order_acquire) != (uint32_t)assignment->sequence)
        return;
    /* Relaxed, both: the reply was published after them; or the worker is dead. */
    soon__sample_ran(sample, soon__worker_mark(process->number), (struct soon__trace_row){process->pid, process->pid},
                     atomic_load_explicit(&status->began_ns, memory_order_relaxed),
                     atomic_load_explicit(&status->ended_ns, memory_order_relaxed), assignment->items > 0);
}

static void tell_item(const struct soon__process *process, const struct soon__sample *sample,
                      struct soon__item_told *told)
{
    int64_t now = sample->ended_ns ? sample->ended_ns : soon__clock_ns(); /* within the call */

    if (told->began_ns < sample->queued_ns || told->began_ns > now)
        told->began_ns = now;
    if (told->ended_ns < told->began_ns || told->ended_ns > now)
        told->ended_ns = now;
    told->row = (struct soon__trace_row){process->pid, process->pid};
    soon__sample_item(sample, told);
}

void soon__process_tell_item(const struct soon__process *process, const struct soon__assignment *assignment,
                             size_t index, enum soon__ending how)
{
    const struct soon__sample *sample = soon__call_sample(assignment->call);
    struct soon__item_told told = {.index = index, .how = how};

    if (!soon__sample_is_traced(sample))
        return;
    /* Relaxed: this thread has taken the reply in. */
    soon__channel_item_times(&process->channel, atomic_load_explicit(&process->reading.head, memory_order_relaxed),
                             &told.began_ns, &told.ended_ns);
    tell_item(process, sample, &told);
}

void soon__process_tell_lost_item(const struct soon__process *process, const struct soon__assignment *lost,
                                  uint32_t slot, size_t index)
{
    const struct soon__sample *sample = soon__call_sample(lost->call);
    struct soon__item_told told = {.index = index};

    if (!soon__sample_is_traced(sample))
        return;
    told.how = soon__ending_of_code(soon__process_cause_of(process, lost));
    /* Relaxed: the worker is dead, or was given up. */
    told.began_ns = atomic_load_explicit(&process->channel.replies->status[slot].started_ns, memory_order_relaxed);
    tell_item(process, sample, &told);
}
