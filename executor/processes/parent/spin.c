/*
 * spin.c - a thread that is about to sleep until a call has ended looks at its worker's replies itself, for a short
 * time, and takes them in as the loop's thread would. A short task then needs neither the bell, nor the loop, nor a
 * wake-up: two CPUs that look at the same lines of memory are all it takes.
 *
 *     await --call is in a slot, a CPU is left, it was worth it lately--> look --reply--> drain --its call ended--> back
 *       ^                                                                  ^                |
 *       |                                                                  +----------------+ another's
 *       +--sleep on the future <--time is over, after a last drain---------+
 *
 * N1  No reply is left unseen: the bell is off only while somebody spins, or the loop drains, or there is nothing to
 *     answer (P10). Each of them ends with a drain, which else turns it on, and then looks again. What it leaves there
 *     then it rings the bell for.
 * N2  One thread spins per process, and no more than there are CPUs without a busy worker: else it would take the CPU
 *     from the one that it waits for.
 * N3  In a flood nobody spins but the loop, on all processes of a pool: it goes on from one reply to the next without a
 *     system call, and so do their workers, whose bells are off. It gives its CPU to whoever wants it, and comes back to what
 *     else there is to do after SPIN_MAX_NS.
 * N4  The process stays by a reference, and the pool since somebody spins (P5); until then by the LOCK of the future, which
 *     is not done. Either may end meanwhile: `reading.over`.
 */
#include "spin_internal.h"

#include "process_internal.h"
#include "replies_internal.h"

enum { LOOKS = 64 };

/* The process to look at; NULL: it is not worth it. */
static struct soon__process *begin_locked(struct soon__process_pool *pool, const soon_call *call)
{
    struct soon__process *process = soon__call_place(call) == SOON__CALL_IN_SLOT ? call->process : NULL;

    if (!process || process->locked.stage != SOON__READY || process->locked.spun_on ||
        soon__process_pool_is_saturated_locked(pool) ||
        pool->locked.busy + pool->locked.spinning >= pool->options.cpus || !soon__spin_pays(&pool->spin))
        return NULL;
    soon__process_begin_spin_locked(process);
    return process;
}

static bool is_done(const soon_future *future)
{
    return soon__word_final(soon__future_word(future));
}

struct awaited {
    const struct soon__process *process;
    const soon_future *future;
    uint64_t head;
};

static bool has_reply(const struct awaited *awaited)
{
    return soon__channel_has_replies(&awaited->process->channel, awaited->head, 1);
}

static bool is_over(void *data)
{
    return has_reply(data) || is_done(((struct awaited *)data)->future);
}

/* True: a reply. False: the call has ended otherwise, or time is over. That begins when the first looks were in vain. */
static bool await_reply(const struct soon__process *process, const soon_future *future, int64_t deadline,
                        int64_t *until)
{
    /* Relaxed: a hint, the drain looks again. */
    struct awaited awaited = {process, future, atomic_load_explicit(&process->reading.head, memory_order_relaxed)};

    if (soon__spin_looks(is_over, &awaited, LOOKS))
        return has_reply(&awaited);
    if (*until == SOON__NEVER)
        *until = soon__later(soon__clock_ns(), process->pool->options.spin_ns);
    return soon__spin_until(is_over, &awaited, *until < deadline ? *until : deadline) && has_reply(&awaited);
}

void soon__process_pool_spin(void *self, soon_call *call, int64_t deadline)
{
    struct soon__process_pool *pool = self;
    soon_future *future = soon__call_future(call);
    struct soon__process *process;
    int64_t until = SOON__NEVER;
    bool spins, came;

    soon__mutex_lock(&pool->backlog.mutex);
    process = begin_locked(pool, call);
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__future_unlock(future); /* N4 */
    for (spins = process != NULL; spins;) {
        soon__channel_want_no_bell(&process->channel);
        came = await_reply(process, future, deadline, &until);
        spins = soon__process_take_in_spinning(process, came ? call : NULL);
    }
}
