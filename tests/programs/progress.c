/*
 * progress.c - polls a handful of tasks for how far they are, without ever waiting: done, running, progress, cancel of
 * what takes too long, and one error.
 */
#define _POSIX_C_SOURCE 200809L
#include "program.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

struct job {
    int steps;
    int fails_at; /* 0: does not */
    bool endless;
};

SOON_TASK(build, struct job, int)
{
    for (int step = 1; step <= arg->steps || arg->endless; step++) {
        if (soon_task_cancel_requested(task))
            return -ECANCELED;
        if (step == arg->fails_at)
            return soon_raise(task, EIO, "%s broke at step %d", soon_task_label(task), step);
        soon_task_set_progress(task, (uint64_t)step, arg->endless ? 0 : (uint64_t)arg->steps);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    *result = arg->steps;
    return 0;
}

static void print(soon_future *future)
{
    soon_progress progress = soon_future_progress(future);
    int steps;

    if (soon_result_within(future, 0, &steps) == 0)
        printf("%s: %d steps, %d of %d\n", soon_future_label(future), steps, (int)progress.done, (int)progress.total);
    else
        printf("%s: %s\n", soon_future_label(future), soon_future_error(future)->message);
}

int main(void)
{
    enum { JOBS = 5 };
    static const struct job jobs[JOBS] = {{5, 0, false}, {30, 0, false}, {10, 4, false}, {1, 0, true}, {1, 0, false}};
    static const char *const labels[JOBS] = {"short", "long", "broken", "endless", "tiny"};
    soon_executor *pool = pool_of(2);
    soon_future *futures[JOBS];
    uint64_t seen[JOBS] = {0};
    size_t done;

    for (size_t i = 0; i < JOBS; i++)
        futures[i] = build_submit(pool, &jobs[i], &(soon_submit_options){.label = labels[i]});
    do {
        done = 0;
        for (size_t i = 0; i < JOBS; i++) {
            soon_progress progress = soon_future_progress(futures[i]);

            must(progress.done >= seen[i]); /* it never goes back */
            must(progress.total == 0 || progress.done <= progress.total);
            seen[i] = progress.done;
            done += soon_future_done(futures[i]);
            must(soon_future_state(futures[i]) != SOON_PENDING || progress.done == 0);
        }
        if (soon_future_running(futures[3]) && seen[3] > 10)
            (void)soon_future_cancel(futures[3]); /* asks; it is endless else */
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    } while (done < JOBS);

    for (size_t i = 0; i < JOBS; i++)
        print(futures[i]);
    must(soon_future_cancelled(futures[3]) && soon_future_error(futures[3])->started);
    soon_futures_unref(futures, JOBS);
    must(soon_executor_free(pool) == 0);
    return 0;
}
