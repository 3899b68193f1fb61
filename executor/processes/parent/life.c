/*
 * life.c - a worker process while it lives, as the library's loop sees it: it becomes ready, or not in time; it is
 * asked to end, and signalled. Loop thread only.
 *
 * A process that is to end gets SIGTERM, and SIGKILL when the grace period is over. One that we may not signal is asked
 * through its socket; if it does not end then, its tasks are given up.
 */
#include "life_internal.h"

#include "../../loops/library_timer_internal.h"
#include "agenda_internal.h"
#include "closing_internal.h"
#include "death_internal.h"
#include "dispatch_internal.h"
#include "failed_starts_internal.h"
#include "post_internal.h"
#include "sentence_internal.h"
#include "slots_internal.h"
#include "stage_internal.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>

#define ONE_TURN_NS INT64_C(1000000) /* a timer with this time is not due before the loop has polled once */
#define LEAVE_NS INT64_C(3000000000) /* for a process that was asked to end by itself */

/* We may not signal it: this process has given up rights, or the worker has got others. Its control thread ends it,
 * whatever its task does. It gets no grace period, since a task that was not signalled does not know that it is
 * to end. */
static void ask_to_end(struct soon__process *process, int why)
{
    struct soon__message end = {
        .magic = SOON__CHANNEL_MAGIC, .kind = SOON__MESSAGE_END, .version = SOON__CHANNEL_VERSION};

    process->loop.denied = why;
    process->loop.signal_sent = SIGKILL;
    (void)soon__socket_send(process->loop.control, &end, sizeof end, NULL, 0);
    soon__socket_hang_up(process->loop.control); /* it ends for that, too, if the socket was full */
    soon__loop_timer(&process->loop.timer, soon__process_on_overdue, soon__later(soon__clock_ns(), LEAVE_NS));
}

void soon__process_kill(struct soon__process *process, int signal)
{
    int rc;

    assert(soon__library_on_loop());
    if (process->loop.signal_sent == SIGKILL || process->loop.signal_sent == signal)
        return;
    process->loop.signal_sent = signal;
    soon__backlog_tell(&process->pool->backlog, SOON__MOMENT_SIGNALLED, process->number, process->pid, signal);
    rc = soon__process_signal(process->loop.watch, process->pid, signal);
    if (rc < 0 && rc != -ESRCH) /* -ESRCH: it is dead, and the loop will hear of that */
        ask_to_end(process, rc);
    else if (signal != SIGKILL)
        soon__loop_timer(&process->loop.timer, soon__process_on_overdue,
                         soon__later(soon__clock_ns(), process->pool->options.grace_ns));
}

void soon__process_stop(struct soon__process *process)
{
    soon__process_kill(process, process->pool->options.grace_ns ? SIGTERM : SIGKILL);
}

/* The time for which a starting process has waited for a CPU does not count, since many may start at once and the
 * machine may be busy. Nor does that for which this thread has waited: before the process is given up, the loop reads
 * once more what it has sent. */
static bool has_more_time(struct soon__process *process)
{
    int64_t now = soon__clock_ns();
    int64_t until = soon__later(process->loop.ready_by, soon__process_starved_ns(process->pid));

    if (until <= now && process->loop.late)
        return false;
    process->loop.late = until <= now;
    soon__loop_timer(&process->loop.timer, soon__process_on_overdue,
                     soon__later(process->loop.late ? now : until, ONE_TURN_NS));
    return true;
}

static void blame(struct soon__process *process, enum soon__why why)
{
    soon__mutex_lock(&process->pool->backlog.mutex);
    soon__process_blame_locked(process, why);
    soon__mutex_unlock(&process->pool->backlog.mutex);
}

void soon__process_on_overdue(uv_timer_t *timer)
{
    struct soon__process *process = timer->data;
    bool starting;

    soon__mutex_lock(&process->pool->backlog.mutex);
    starting = process->locked.stage == SOON__STARTING;
    soon__mutex_unlock(&process->pool->backlog.mutex);
    if (starting && !process->loop.signal_sent && has_more_time(process))
        return;
    if (process->loop.denied) {
        soon__process_abandon(process);
    } else if (starting) {
        blame(process, SOON__WHY_LATE);
        soon__process_kill(process, SIGKILL);
    } else if (process->loop.signal_sent == SIGTERM) {
        soon__process_kill(process, SIGKILL);
    } else {
        soon__process_stop(process);
    }
}

void soon__process_retire_locked(struct soon__process *process, enum soon__recycled why)
{
    soon__backlog_recycled_locked(&process->pool->backlog, why, process->number, process->pid);
    soon__process_enter_locked(process, SOON__RETIRING);
    soon__channel_retire(&process->channel);
    soon__loop_timer(&process->loop.timer, soon__process_on_overdue, soon__later(soon__clock_ns(), LEAVE_NS));
}

void soon__process_start_is_short(struct soon__process *process, int code)
{
    if (soon__shortage(code)) {
        process->loop.shortage = code;
        blame(process, SOON__WHY_SHORT);
    }
    soon__process_kill(process, SIGKILL);
}

static void initializer_failed(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    struct soon__error *error = process->loop.initializer_error;

    process->loop.initializer_error = NULL;
    soon__mutex_lock(&pool->backlog.mutex);
    soon__process_blame_locked(process, SOON__WHY_POOL_BREAKS);
    soon__process_retire_locked(process, SOON__NOT_RECYCLED);
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__process_pool_break(pool, error);
}

/* A process that has become ready is to get the oldest calls that wait, so those that were posted ahead of time go
 * back. */
static void return_unclaimed_locked(struct soon__process_pool *pool)
{
    for (struct soon__process *process = pool->locked.processes; process; process = process->next) {
        if (process->locked.stage == SOON__READY && process->locked.assigned > 1)
            soon__process_return_unclaimed_locked(process);
    }
}

static void become_ready(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;

    soon__loop_timer(&process->loop.timer, soon__process_on_overdue, SOON__NEVER);
    soon__process_advance(process, SOON__SERVED);
    soon__backlog_tell(&pool->backlog, SOON__MOMENT_READY, process->number, process->pid, 0);
    soon__mutex_lock(&pool->backlog.mutex);
    soon__process_enter_locked(process, SOON__READY);
    process->locked.idle_since = soon__clock_ns();
    soon__process_pool_start_succeeded_locked(pool);
    return_unclaimed_locked(pool);
    soon__process_pool_dispatch_locked(pool, soon__clock_ns());
    soon__process_pool_look_soon_locked(pool); /* its idle timeout begins */
    soon__mutex_unlock(&pool->backlog.mutex);
}

/* Is it to end, or dead, so that nothing waits for it to become ready? */
static bool is_given_up(struct soon__process *process)
{
    bool given_up;

    soon__mutex_lock(&process->pool->backlog.mutex);
    given_up = process->locked.stage != SOON__STARTING;
    soon__mutex_unlock(&process->pool->backlog.mutex);
    return given_up || process->loop.signal_sent;
}

static void begin_initializer(struct soon__process *process)
{
    const soon_function *initializer = process->pool->backlog.initializer.function;
    soon_error fields = {.code = SOON_EBROKEN};
    int rc = 0;

    soon__process_advance(process, SOON__INITIALIZING);
    if (soon__directory_find(&process->locked.directory, initializer) >= 0)
        rc = soon__process_post_initializer(process);
    else
        process->loop.initializer_error = soon__error_newf(&fields, "the initializer failed: %s: %s", initializer->name,
                                                           soon_strerror(SOON_ENOFUNCTION));
    if (rc < 0)
        soon__process_start_is_short(process, rc);
    else if (process->loop.initializer_error)
        initializer_failed(process);
}

void soon__process_has_greeted(struct soon__process *process)
{
    if (is_given_up(process))
        return;
    if (process->pool->backlog.initializer.function)
        begin_initializer(process);
    else
        become_ready(process);
}

void soon__process_is_initialised(struct soon__process *process)
{
    if (is_given_up(process))
        return;
    if (process->loop.shortage)
        soon__process_start_is_short(process, process->loop.shortage);
    else if (process->loop.initializer_error)
        initializer_failed(process);
    else
        become_ready(process);
}

void soon__process_drop_corrupt(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;

    process->reading.corrupt = true;
    soon__mutex_lock(&pool->backlog.mutex);
    soon__process_condemn_locked(process, SOON__WHY_CORRUPT);
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__process_kill(process, SIGKILL);
}
