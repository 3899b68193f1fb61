/*
 * gearman_job.c - the list of jobs. There are as many as there are slots, so it is searched from its beginning.
 */
#include "gearman_job_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int soon__gearman_job_new(struct soon__gearman_job **ret, struct soon__source *source, soon_bytes handle,
                          soon_bytes unique)
{
    struct soon__daemon *daemon = source->daemon;
    struct soon__gearman_job *job;

    if (handle.size > sizeof job->handle || unique.size > sizeof job->unique)
        return -EPROTO;
    job = calloc(1, sizeof *job);
    if (!job)
        return -ENOMEM;
    *job = (struct soon__gearman_job){.next = daemon->jobs,
                                      .link = &daemon->jobs,
                                      .source = source,
                                      .is_ours = soon__unique_is_ours(unique),
                                      .handle_size = handle.size,
                                      .unique_size = unique.size,
                                      .began_ns = uv_hrtime(),
                                      .beside = daemon->job_count + 1};
    memcpy(job->handle, handle.data, handle.size);
    if (unique.size > 0)
        memcpy(job->unique, unique.data, unique.size);
    if (job->next)
        job->next->link = &job->next;
    daemon->jobs = job;
    daemon->job_count++;
    source->jobs++;
    *ret = job;
    return 0;
}

void soon__gearman_job_free(struct soon__gearman_job *job)
{
    *job->link = job->next;
    if (job->next)
        job->next->link = job->link;
    job->source->daemon->job_count--;
    job->source->jobs -= job->state == SOON__JOB_RUNNING;
    soon_future_unref(job->future);
    free(job);
}

struct soon__gearman_job *soon__gearman_job_find(struct soon__daemon *daemon, const char *unique)
{
    size_t size = strlen(unique);

    for (struct soon__gearman_job *job = daemon->jobs; job; job = job->next) {
        if (job->state == SOON__JOB_RUNNING && job->unique_size == size && memcmp(job->unique, unique, size) == 0)
            return job;
    }
    return NULL;
}

static void lose(struct soon__gearman_job *job)
{
    struct soon__daemon *daemon = job->source->daemon;

    job->state = SOON__JOB_LOST;
    job->source->jobs--;
    daemon->counts.lost++;
    job->kill_at_ms = (int64_t)uv_now(daemon->uv) + daemon->grace_ms;
    soon_future_cancel(job->future);
}

void soon__gearman_jobs_lose(struct soon__daemon *daemon, struct soon__source *source)
{
    for (struct soon__gearman_job *job = daemon->jobs; job; job = job->next) {
        if (job->state == SOON__JOB_RUNNING && (!source || job->source == source))
            lose(job);
    }
}
