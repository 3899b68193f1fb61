/*
 * start.c - a worker process is started, and the library's loop begins to watch it. Loop thread only.
 */
#include "start_internal.h"

#include "../../loops/library_timer_internal.h"
#include "death_internal.h"
#include "failed_starts_internal.h"
#include "life_internal.h"
#include "listen_internal.h"
#include "process_internal.h"

#include <errno.h>

static void on_death(struct soon__watch *watch)
{
    soon__process_died(SOON__PROCESS_OF(watch, loop.on_death));
}

/* The loop hears of each ring of the bell once, so a bell that cannot be read does not keep it busy. */
static int watch_all(struct soon__process *process)
{
    int rc;

    process->loop.on_bell.ready = soon__process_on_bell;
    process->loop.on_control.ready = soon__process_on_control;
    process->loop.on_death.ready = on_death;
    rc = soon__library_watch(&process->loop.on_bell, process->channel.bell, true);
    if (rc == 0)
        rc = soon__library_watch(&process->loop.on_control, process->loop.control, false);
    if (rc == 0)
        rc =
            process->loop.watch < 0 ? -ESRCH : soon__library_watch(&process->loop.on_death, process->loop.watch, false);
    return rc;
}

static void adopt(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;
    bool restarts;
    int rc;

    uv_timer_init(soon__library_uv(), &process->loop.timer);
    process->loop.timer.data = process;
    uv_timer_init(soon__library_uv(), &process->loop.again);
    process->loop.again.data = process;
    process->loop.handles = 2;
    rc = watch_all(process);
    process->loop.ready_by = soon__later(soon__clock_ns(), pool->options.start_timeout_ns);
    soon__loop_timer(&process->loop.timer, soon__process_on_overdue, process->loop.ready_by);
    soon__mutex_lock(&pool->backlog.mutex);
    process->next = pool->locked.processes;
    if (process->next)
        process->next->previous = process;
    pool->locked.processes = process;
    pool->backlog.locked.starts++;
    restarts = pool->locked.restarts < pool->locked.deaths;
    pool->locked.restarts += restarts;
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__backlog_tell(&pool->backlog, SOON__MOMENT_STARTED, process->number, process->pid, restarts);
    if (rc == 0) {
        (void)soon__channel_want_bell(&process->channel, 0);
        return;
    }
    /* It is dead already, and other code has reaped it. Or its end cannot be watched: then it is ended here. */
    if (process->loop.watch >= 0)
        soon__process_start_is_short(process, rc);
    soon__process_died(process);
}

void soon__process_begin(struct soon__process_pool *pool)
{
    struct soon__process *process;
    char why[SOON__CRASH_TEXT];
    int rc = soon__process_new(&process, pool);

    if (rc == 0) {
        adopt(process);
        return;
    }
    soon__mutex_lock(&pool->backlog.mutex);
    pool->locked.alive--;
    pool->locked.present--;
    soon__mutex_unlock(&pool->backlog.mutex);
    if (soon__shortage(rc))
        soon__process_pool_start_was_short(pool, rc);
    else
        soon__process_pool_start_failed(pool, false, rc, soon__launch_explain(&pool->launch, rc, why, sizeof why));
}
