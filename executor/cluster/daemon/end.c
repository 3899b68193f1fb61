/*
 * end.c - what a task has ended with is told, unless its job is LOST.
 */
#include "end_internal.h"

#include "gearman_job_internal.h"
#include "grab_internal.h"
#include "report_internal.h"

bool soon__end_is_pools(struct soon__daemon *daemon, int code)
{
    bool is_pools = code < 0 && soon_executor_error(daemon->pool)->code != 0;

    daemon->is_broken |= is_pools;
    if (is_pools)
        soon__daemon_changed(daemon);
    return is_pools;
}

void soon__gearman_job_done(soon_future *future, void *data)
{
    struct soon__gearman_job *job = data;
    struct soon__source *source = job->source;
    struct soon__daemon *daemon = source->daemon;

    soon__grab_measure(job);
    if (job->state == SOON__JOB_RUNNING && !soon__end_is_pools(daemon, soon_future_succeeded(future) ? 0 : -1))
        soon__report_outcome(job);
    soon__gearman_job_free(job);
    soon__grab_ended(source);
    soon__daemon_changed(daemon);
}
