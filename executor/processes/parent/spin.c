/*
 * spin.c - a thread that is about to sleep until a call has ended spins for the worker's replies, for a short time, and
 * takes them in as the loop's thread would. A short task then needs neither the doorbell, nor the loop, nor a wake-up.
 *
 *     await --call is in a slot, a CPU is left, it pays--> look --reply--> drain --its call has ended--> back
 *       ^                                               ^                |
 *       |                                               +----------------+ another's
 *       +--sleep on the future <--time is over, after a last drain-------+
 *
 * N1  No reply is left unseen. The doorbell is off only while a thread spins, or the loop takes in replies, or no
 *     request is in a slot (P10). Each ends with a drain. It enables the doorbell, looks once more, and rings it for
 *     the loop if replies are left.
 * N2  One thread spins per process, and no more threads than there are CPUs without a busy worker: else a thread would
 *     take the CPU from the worker that it waits for.
 * N3  While the pool is saturated only the loop spins, for all its processes (listen.c).
 * N4  The thread has a reference to the process, and the pool does not end while a thread spins (P5). Until then the
 *     LOCK of the future, which is not done, keeps both. The process may die meanwhile: `reading.over`.
 */
#include "spin_internal.h"

#include "../../loops/library_timer_internal.h"
#include "process_internal.h"
#include "replies_internal.h"

enum { LOOKS = 64 };

/* The process whose replies to spin for; NULL: it does not pay. */
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

/* True: a reply has come. False: the call has ended otherwise, or time is over, which begins after the first looks. */
static bool await_reply(const struct soon__process *process, const soon_future *future, int64_t deadline,
                        int64_t *until)
{
    /* Relaxed: a hint; the drain looks again. */
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
