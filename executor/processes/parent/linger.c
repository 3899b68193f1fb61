/*
 * linger.c - a thread that is about to sleep until a call has ended looks at its worker's replies itself, for a short
 * time, and takes them in as the loop's thread would. A short task then needs neither the bell, nor the loop, nor a
 * wake-up: two CPUs that look at the same lines of memory are all it takes.
 *
 *     await --call is in a slot, a CPU is left, it was worth it lately--> look --reply--> drain --its call ended--> back
 *       ^                                                                  ^                |
 *       |                                                                  +----------------+ another's
 *       +--sleep on the future <--time is over, after a last drain---------+
 *
 * N1  No reply is left unseen: the bell is off only while somebody lingers, or the loop drains, or there is nothing to
 *     answer (P10). Each of them ends with a drain, which else turns it on, and then looks again. What it leaves there
 *     then it rings the bell for.
 * N2  One thread lingers per process, and no more than there are CPUs without a busy worker: else it would take the CPU
 *     from the one that it waits for.
 * N3  In a flood nobody lingers but the loop, on all processes of a pool: it goes on from one reply to the next without a
 *     system call, and so do their workers, whose bells are off. It gives its CPU to whoever wants it, and comes back to what
 *     else there is to do after STAY_MAX_NS.
 * N4  The process stays by a reference, and the pool since somebody lingers (P5); until then by the LOCK of the future, which
 *     is not done. Either may end meanwhile: `book_closed`.
 */
#include "state_internal.h"

#include "../../system/cpu_internal.h"

#include <sched.h>

enum { LOOKS = 64, STAY_BATCH = 32, STAY_IDLE_MAX = 16, STAY_PROCESSES_MAX = 64, STAY_MAX_NS = 500000 };

/* The process to look at; NULL: it is not worth it. */
static struct soon__process *begin_locked(struct soon__process_pool *pool, const soon_call *call)
{
    struct soon__process *process = call->posted ? call->process : NULL;

    if (!process || process->stage != SOON__READY || process->lingered ||
        soon__process_pool_is_saturated_locked(pool) || pool->locked.busy + pool->locked.lingering >= pool->cpus ||
        !soon__spin_pays(&pool->spin))
        return NULL;
    soon__process_begin_lingering_locked(process);
    return process;
}

static bool is_done(const soon_future *future)
{
    return soon__word_final(soon__future_word(future));
}

/* True: a reply. False: the call has ended otherwise, or time is over. That begins when the first looks were in vain. */
static bool await_reply(const struct soon__process *process, const soon_future *future, int64_t deadline,
                        int64_t *until)
{
    /* Relaxed: a hint, the drain looks again. */
    uint64_t head = atomic_load_explicit(&process->head, memory_order_relaxed);
    int64_t now;

    do {
        for (int i = 0; i < LOOKS; i++, soon__cpu_relax()) {
            if (soon__channel_has_replies(&process->channel, head, 1))
                return true;
            if (is_done(future))
                return false;
        }
        now = soon__clock_ns();
        if (*until == SOON__NEVER)
            *until = soon__later(now, process->pool->spin_ns);
    } while (now < *until && now < deadline);
    return false;
}

void soon__process_pool_linger(void *self, soon_call *call, int64_t deadline)
{
    struct soon__process_pool *pool = self;
    soon_future *future = soon__call_future(call);
    struct soon__process *process;
    int64_t until = SOON__NEVER;
    bool lingers, came;

    soon__mutex_lock(&pool->mutex);
    process = begin_locked(pool, call);
    soon__mutex_unlock(&pool->mutex);
    soon__future_unlock(future); /* N4 */
    for (lingers = process != NULL; lingers;) {
        soon__channel_want_no_bell(&process->channel);
        came = await_reply(process, future, deadline, &until);
        lingers = soon__process_take_in_lingering(process, came ? call : NULL);
    }
}

/*
 * The loop
 */

/* Those that have something to answer. Loop thread only, as the list: so they stay. */
static size_t list_busy(struct soon__process_pool *pool, struct soon__process **ret)
{
    size_t count = 0;

    soon__mutex_lock(&pool->mutex);
    for (struct soon__process *process = pool->locked.processes;
         process && soon__process_pool_is_saturated_locked(pool); process = process->next) {
        if (process->stage == SOON__READY && process->assigned && count < STAY_PROCESSES_MAX)
            ret[count++] = process;
    }
    soon__mutex_unlock(&pool->mutex);
    return count;
}

/* Of those that have at least so many. */
static uint64_t take_in_all(struct soon__process *const *processes, size_t count, uint64_t at_least)
{
    uint64_t came = 0;

    for (size_t i = 0; i < count; i++) {
        /* Relaxed: a hint, taking it in looks again. */
        uint64_t head = atomic_load_explicit(&processes[i]->head, memory_order_relaxed);

        if (soon__channel_has_replies(&processes[i]->channel, head, at_least))
            came += soon__process_take_in(processes[i]);
    }
    return came;
}

void soon__process_pool_stay(struct soon__process_pool *pool)
{
    struct soon__process *processes[STAY_PROCESSES_MAX];
    int64_t end;
    size_t count;
    bool came_once = false;
    int idle = 0;

    if (!pool->spin_ns || !soon__spin_pays(&pool->loops_spin))
        return;
    count = list_busy(pool, processes);
    if (!count)
        return;
    for (size_t i = 0; i < count; i++)
        soon__channel_want_no_bell(&processes[i]->channel);
    end = soon__clock_ns() + STAY_MAX_NS;
    do {
        bool came = false;

        /* Many at once cost less than one after the other; but none waits for long. */
        for (int i = 0; i < LOOKS && !came; i++, soon__cpu_relax())
            came = take_in_all(processes, count, i < LOOKS - 1 ? STAY_BATCH : 1) > 0;
        came_once |= came;
        idle = came ? 0 : idle + 1;
        if (!came)
            sched_yield(); /* time in which others have our CPU does not count */
    } while (idle < STAY_IDLE_MAX && soon__clock_ns() < end);
    soon__spin_note(&pool->loops_spin, came_once);
    for (size_t i = 0; i < count; i++)
        soon__process_serve(processes[i]);
}
