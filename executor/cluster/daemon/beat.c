/*
 * beat.c - one timer for all jobs, which runs only while there are some. It looks ten times a second, or as often as
 * the quickest heart of a job wants to beat.
 */
#include "beat_internal.h"

#include "report_internal.h"

enum { USUAL_MS = 100 };

static void look_at(struct soon__gearman_job *job, int64_t now)
{
    if (job->state == SOON__JOB_LOST) {
        if (!job->kill_at_ms || now < job->kill_at_ms)
            return;
        job->kill_at_ms = 0;
        (void)soon_future_kill(job->future);
        return;
    }
    if (now >= job->tell_at_ms) {
        job->tell_at_ms = now + USUAL_MS;
        soon__report_progress(job);
    }
    if (job->state != SOON__JOB_RUNNING || !job->alive_every_ms || now < job->alive_at_ms)
        return;
    job->alive_at_ms = now + job->alive_every_ms;
    soon__report_alive(job);
}

static void beat(uv_timer_t *timer)
{
    struct soon__daemon *daemon = timer->data;
    int64_t now = (int64_t)uv_now(daemon->uv);

    for (struct soon__gearman_job *job = daemon->jobs; job; job = job->next)
        look_at(job, now);
    if (!daemon->jobs)
        uv_timer_stop(timer);
}

int soon__beat_init(struct soon__daemon *daemon)
{
    daemon->beat.data = daemon;
    return uv_timer_init(daemon->uv, &daemon->beat);
}

void soon__beat_begin(struct soon__daemon *daemon, const struct soon__gearman_job *job)
{
    uint64_t every = job->alive_every_ms && job->alive_every_ms < USUAL_MS ? (uint64_t)job->alive_every_ms : USUAL_MS;

    if (!uv_is_active((uv_handle_t *)&daemon->beat) || uv_timer_get_repeat(&daemon->beat) > every)
        uv_timer_start(&daemon->beat, beat, every, every);
}

void soon__beat_fini(struct soon__daemon *daemon)
{
    uv_close((uv_handle_t *)&daemon->beat, NULL);
}
