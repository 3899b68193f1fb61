/*
 * recovery.c - a worker process is killed while it runs a task: until that task's future has failed, and until the
 * pool, whose other workers are kept busy, has had a result from the replacement.
 *
 *     workers= resident= passes=
 */
#include "pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* Reports its pid as its progress, then waits to be killed or cancelled. */
SOON_TASK(hang, soon_none, soon_none)
{
    soon_task_set_progress(task, (uint64_t)getpid(), 0);
    while (!soon_task_cancel_requested(task))
        usleep(500);
    return -ECANCELED;
}

SOON_TASK(who, soon_none, int)
{
    *result = getpid();
    return 0;
}

static int pid_of(soon_future *future)
{
    while (!soon_future_progress(future).done)
        usleep(100);
    return (int)soon_future_progress(future).done;
}

int main(int argc, char **argv)
{
    bench_start_ours(argc, argv);
    int workers = (int)bench_number("workers", 2);
    soon_future **hanging = bench_alloc((size_t)workers, sizeof *hanging);
    soon_executor *pool;

    bench_grow(bench_number("resident", 0));
    bench_check(soon_process_pool_new(&pool, &(soon_process_pool_options){.workers = workers}) == 0, "the pool");
    bench_check(soon_executor_boot(pool, SOON_FOREVER) == 0, "the pool could not start");
    for (int64_t pass = bench_number("passes", 5); pass > 0; pass--) {
        int victim = 0, replacement;
        int64_t killed_ns;
        for (int i = 0; i < workers; i++)
            hanging[i] = soon_submit(pool, hang);
        for (int i = 0; i < workers; i++)
            victim = pid_of(hanging[i]);

        killed_ns = bench_now_ns();
        kill(victim, SIGKILL);
        bench_check(soon_future_wait(hanging[workers - 1], SOON_FOREVER) == 0, "soon_future_wait");
        bench_metric("failed_ns", (double)(bench_now_ns() - killed_ns));
        bench_check(soon_future_error(hanging[workers - 1])->code == SOON_EWORKERDIED, "the error of the killed task");
        bench_check(soon_take(soon_submit(pool, who), &replacement) == 0, "a task after the death");
        bench_metric("replaced_ns", (double)(bench_now_ns() - killed_ns));
        bench_check(replacement != victim, "the replacement's pid");
        for (int i = 0; i < workers; i++) {
            if (i < workers - 1)
                bench_check(!soon_future_done(hanging[i]), "a task beside it has ended");
            soon_future_cancel(hanging[i]);
            soon_future_wait(hanging[i], SOON_FOREVER);
            soon_future_unref(hanging[i]);
        }
    }
    soon_executor_free(pool);
    free(hanging);
    return bench_finish();
}
