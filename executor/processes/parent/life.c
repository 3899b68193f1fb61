/*
 * life.c - a worker process while it lives, as the library's loop sees it: it becomes ready, or not in time; it is asked to go,
 * and signalled. Loop thread only, but for what marks under the mutex.
 *
 * Signals: a process that is to go gets SIGTERM, and SIGKILL when the grace period is over. One that was killed for a
 * task that has ended meanwhile is let live. One that we may not signal is asked by its socket, and if it does not end for
 * that its tasks are not waited for.
 */
#include "life_internal.h"

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

#define ONE_TURN_NS INT64_C(1000000) /* a timer that is set on the loop and not over at once: it polls before that */
#define LEAVE_NS INT64_C(3000000000) /* for one that was asked to end by itself */

/* We have given up our rights, or it has others by now. Its control thread does what we may not, whatever its task does.
 * There is no grace then: a task that was not signalled does not know of it. */
static void ask_to_end(struct soon__process *process, int why)
{
    struct soon__message end = {
        .magic = SOON__CHANNEL_MAGIC, .kind = SOON__MESSAGE_END, .version = SOON__CHANNEL_VERSION};

    process->loop.denied = why;
    process->loop.signal_sent = SIGKILL;
    (void)soon__socket_send(process->loop.control, &end, sizeof end, NULL, 0);
    soon__socket_hang_up(process->loop.control); /* it ends for that, too: if the socket was full */
    soon__loop_timer(&process->loop.timer, soon__process_on_overdue, soon__later(soon__clock_ns(), LEAVE_NS));
}

void soon__process_kill(struct soon__process *process, int signal)
{
    int rc;

    assert(soon__library_on_loop());
    if (process->loop.signal_sent == SIGKILL || process->loop.signal_sent == signal)
        return;
    process->loop.signal_sent = signal;
    rc = soon__process_signal(process->loop.watch, process->pid, signal);
    if (rc < 0 && rc != -ESRCH) /* that: its death is on its way to us */
        ask_to_end(process, rc);
    else if (signal != SIGKILL)
        soon__loop_timer(&process->loop.timer, soon__process_on_overdue,
                         soon__later(soon__clock_ns(), process->pool->options.grace_ns));
}

void soon__process_stop(struct soon__process *process)
{
    soon__process_kill(process, process->pool->options.grace_ns ? SIGTERM : SIGKILL);
}

/* What a starting process has waited for a CPU is not its own time: many start at once, or others take the machine. Nor
 * is what this thread has waited for one: what the process has sent meanwhile is read before it is given up. */
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

/* It was to be ready, or gone, by now. */
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

void soon__process_retire_locked(struct soon__process *process)
{
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
    soon__process_retire_locked(process);
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__process_pool_break(pool, error);
}

/* One more is ready: it gets the oldest that wait, not what came after those that were posted ahead of time. */
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
    soon__mutex_lock(&pool->backlog.mutex);
    soon__process_enter_locked(process, SOON__READY);
    process->locked.idle_since = soon__clock_ns();
    soon__process_pool_start_succeeded_locked(pool);
    return_unclaimed_locked(pool);
    soon__process_pool_dispatch_locked(pool, soon__clock_ns());
    soon__process_pool_look_soon_locked(pool); /* its idle timeout begins */
    soon__mutex_unlock(&pool->backlog.mutex);
}

/* Nobody waits for it to become ready any more. */
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

/* It writes nonsense. */
void soon__process_drop_corrupt(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;

    process->reading.corrupt = true;
    soon__mutex_lock(&pool->backlog.mutex);
    soon__process_condemn_locked(process, SOON__WHY_CORRUPT);
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__process_kill(process, SIGKILL);
}
