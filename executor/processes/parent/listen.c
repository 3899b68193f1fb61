/*
 * listen.c - the library's loop hears of a worker: by its bell, by messages, and, while the pool is saturated, by
 * spinning for replies. Ten times a second it checks whether what is in the shared memory is possible (P8). A worker
 * that has written what no worker writes is dropped. Loop thread only.
 */
#include "listen_internal.h"

#include "../../system/cpu_internal.h"
#include "agenda_internal.h"
#include "life_internal.h"
#include "process_internal.h"
#include "receive_internal.h"
#include "replies_internal.h"
#include "sentence_internal.h"
#include "slots_internal.h"

#include <errno.h>
#include <sched.h>

enum { LOOKS = 64, SPIN_BATCH = 32, SPIN_IDLE_MAX = 16, SPIN_PROCESSES_MAX = 64, SPIN_MAX_NS = 500000 };

static void on_again(uv_timer_t *timer);

/* Takes in its replies, and does what follows from them. False: the worker is corrupt, and was dropped. */
static bool drain(struct soon__process *process)
{
    int rc = soon__process_drain(process, false);

    if (rc < 0) {
        soon__process_drop_corrupt(process);
        return false;
    }
    if (rc & SOON__DRAINED_INITIALISED)
        soon__process_is_initialised(process);
    if (rc & SOON__DRAINED_MORE)
        uv_timer_start(&process->loop.again, on_again, 0, 0); /* after others had their turn */
    return true;
}

static void serve(struct soon__process *process)
{
    soon__channel_want_no_bell(&process->channel);
    (void)drain(process);
}

static void on_again(uv_timer_t *timer)
{
    serve(timer->data);
}

void soon__process_execute(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    bool reprieved;

    if (!drain(process))
        return;
    soon__mutex_lock(&pool->backlog.mutex);
    reprieved = soon__process_reprieve_locked(process);
    if (!reprieved) /* a worker whose task listens for the signal ends when that task has ended */
        soon__channel_retire(&process->channel);
    soon__mutex_unlock(&pool->backlog.mutex);
    if (!reprieved)
        soon__process_stop(process);
}

/* Lists the processes that have something to reply to, if the pool is saturated. They stay, since this thread alone
 * removes any. */
static size_t list_busy(struct soon__process_pool *pool, struct soon__process **ret)
{
    size_t count = 0;

    soon__mutex_lock(&pool->backlog.mutex);
    for (struct soon__process *process = pool->locked.processes;
         process && soon__process_pool_is_saturated_locked(pool); process = process->next) {
        if (process->locked.stage == SOON__READY && process->locked.assigned && count < SPIN_PROCESSES_MAX)
            ret[count++] = process;
    }
    soon__mutex_unlock(&pool->backlog.mutex);
    return count;
}

/* Takes in the replies of those that have at least so many. Returns how many there were. */
static uint64_t take_in_all(struct soon__process *const *processes, size_t count, uint64_t at_least)
{
    uint64_t came = 0;

    for (size_t i = 0; i < count; i++) {
        /* Relaxed: a hint; taking in looks again. */
        uint64_t head = atomic_load_explicit(&processes[i]->reading.head, memory_order_relaxed);

        if (soon__channel_has_replies(&processes[i]->channel, head, at_least))
            came += soon__process_take_in(processes[i]);
    }
    return came;
}

/* In a saturated pool the loop goes on from one reply to the next without a system call, and so do the workers, whose
 * bells are off. */
static void spin_on_busy(struct soon__process_pool *pool)
{
    struct soon__process *processes[SPIN_PROCESSES_MAX];
    int64_t end;
    size_t count;
    bool came_once = false;
    int idle = 0;

    if (!pool->options.spin_ns || !soon__spin_pays(&pool->loops_spin))
        return;
    count = list_busy(pool, processes);
    if (!count)
        return;
    for (size_t i = 0; i < count; i++)
        soon__channel_want_no_bell(&processes[i]->channel);
    end = soon__clock_ns() + SPIN_MAX_NS;
    do {
        bool came = false;

        /* Many replies at once cost less than one after the other; but none is to wait for long. */
        for (int i = 0; i < LOOKS && !came; i++, soon__cpu_relax())
            came = take_in_all(processes, count, i < LOOKS - 1 ? SPIN_BATCH : 1) > 0;
        came_once |= came;
        idle = came ? 0 : idle + 1;
        if (!came)
            sched_yield(); /* the time for which another thread has this CPU does not count as idle */
    } while (idle < SPIN_IDLE_MAX && soon__clock_ns() < end);
    soon__spin_note(&pool->loops_spin, came_once);
    for (size_t i = 0; i < count; i++)
        serve(processes[i]);
}

void soon__process_on_bell(struct soon__watch *watch)
{
    struct soon__process *process = SOON__PROCESS_OF(watch, loop.on_bell);
    struct soon__process_pool *pool = process->pool;

    soon__bell_quiet(process->channel.bell);
    serve(process);
    spin_on_busy(pool);
    /* The worker may have rung because it has claimed a call, which makes room in a bounded queue; or it is over its
     * memory limit. */
    soon__mutex_lock(&pool->backlog.mutex);
    soon__condition_tell_all(&pool->backlog.place);
    if (pool->options.memory_limit)
        soon__process_pool_look_soon_locked(pool);
    soon__mutex_unlock(&pool->backlog.mutex);
}

void soon__process_on_control(struct soon__watch *watch)
{
    struct soon__process *process = SOON__PROCESS_OF(watch, loop.on_control);
    int rc = process->reading.corrupt ? SOON__RECEIVED_END : soon__process_receive(process);

    switch (rc) {
    case SOON__RECEIVED_SOME:
        return;
    case SOON__RECEIVED_HELLO:
        soon__process_has_greeted(process);
        return;
    case -ENOMEM:
        soon__process_start_is_short(process, rc);
        return;
    case -EPROTO:
        soon__process_drop_corrupt(process);
    }
    soon__library_unwatch(watch); /* its end of the socket is closed; its death is told by another watch */
}

/* What the channel says of the slots of a process. */
struct claims {
    uint64_t claimed[SOON__SLOTS]; /* the request's number; 0: it is not claimed */
    bool garbage, asleep;
};

static void read_claims(struct soon__process *process, struct claims *ret)
{
    enum soon__look look;

    *ret = (struct claims){.garbage = false};
    soon__mutex_lock(&process->pool->backlog.mutex);
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++) {
        if (!soon__slot_is_posted(&process->locked.slots[slot]))
            continue;
        look = soon__channel_look(&process->channel, slot, process->locked.slots[slot].sequence);
        ret->garbage |= look == SOON__LOOK_GARBAGE;
        if (look == SOON__LOOK_CLAIMED)
            ret->claimed[slot] = process->locked.slots[slot].sequence;
    }
    ret->asleep = soon__channel_is_asleep(&process->channel);
    soon__mutex_unlock(&process->pool->backlog.mutex);
}

/* How many of these claims have no reply. */
static size_t count_unanswered(struct soon__process *process, const struct claims *claims)
{
    size_t count = 0;

    soon__mutex_lock(&process->pool->backlog.mutex);
    for (uint32_t slot = 0; slot < SOON__SLOTS; slot++)
        count += claims->claimed[slot] && soon__slot_is_posted(&process->locked.slots[slot]) &&
                 process->locked.slots[slot].sequence == claims->claimed[slot];
    soon__mutex_unlock(&process->pool->backlog.mutex);
    return count;
}

/* A worker replies to what it has claimed before it claims another request, and before it sleeps. So, of the claims
 * that were seen before its replies were taken in, at most one is left then, and none if it slept. */
void soon__process_inspect(struct soon__process *process)
{
    struct claims claims;
    size_t left;

    soon__channel_wake_anyway(&process->channel); /* even if it says that it does not sleep */
    read_claims(process, &claims);
    serve(process);
    left = count_unanswered(process, &claims);
    if (claims.garbage || left > (claims.asleep ? 0 : 1))
        soon__process_drop_corrupt(process);
}
