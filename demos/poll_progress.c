/*
 * poll_progress.c - futures polled for their progress: slow additions of different lengths, one of which fails. Once a
 * second it prints which have finished, and how far the others are, until all have; then each result or error.
 *
 *     $ poll_progress -j 2
 *     1 + 2: waiting   3 + 4: waiting   5 + -6: waiting   7 + 8: waiting
 *     1 + 2: 80 %   3 + 4: 40 %   5 + -6: waiting   7 + 8: waiting
 *     ...
 *     1 + 2: finished   3 + 4: finished   5 + -6: finished   7 + 8: finished
 *     1 + 2 = 3
 *     3 + 4 = 7
 *     5 + -6: Error = y must not be negative, it is -6
 *     7 + 8 = 15
 */
#include "demo.h"

#include <soon.h>

enum { TASKS = 4 };

struct add {
    int x, y, steps, pause_ms;
};

SOON_TASK(slow_add, struct add, int)
{
    for (int i = 0; i < arg->steps; i++) {
        demo_pause(arg->pause_ms);
        soon_task_set_progress(task, i + 1, arg->steps);
    }
    if (arg->y < 0)
        return soon_raise(task, EDOM, "y must not be negative, it is %d", arg->y);
    *result = arg->x + arg->y;
    return 0;
}

static void print_state(const soon_future *future)
{
    soon_progress at = soon_future_progress(future);
    if (soon_future_done(future))
        printf("finished");
    else if (soon_future_running(future))
        printf("%d %%", at.total ? (int)(100 * at.done / at.total) : 0);
    else
        printf("waiting");
}

int main(int argc, char **argv)
{
    int workers = 0, pause_ms = 250, poll_ms = 1000;
    soon_future *futures[TASKS];
    demo_start(
        argc, argv, "poll_progress",
        (struct demo_option[]){{"-j", &workers, 0}, {"--pause-ms", &pause_ms, 0}, {"--poll-ms", &poll_ms, 1}, {0}});
    soon_executor *pool = demo_pool(workers);

    const struct add sums[TASKS] = {
        {1, 2, 5, pause_ms}, {3, 4, 10, pause_ms}, {5, -6, 5, pause_ms}, {7, 8, 10, pause_ms}}; /* x, y, steps */
    for (int i = 0; i < TASKS; i++)
        futures[i] = slow_add_submit(pool, &sums[i], NULL);

    int64_t done = 0;
    do {
        for (int i = 0; i < TASKS; i++) {
            printf("%s%d + %d: ", i ? "   " : "", sums[i].x, sums[i].y);
            print_state(futures[i]);
        }
        puts("");
    } while (done < TASKS && (done = soon_wait(futures, TASKS, SOON_ALL_COMPLETED, poll_ms, NULL)) >= 0);

    for (int i = 0; i < TASKS; i++) {
        int sum;
        if (soon_result(futures[i], &sum) == 0)
            printf("%d + %d = %d\n", sums[i].x, sums[i].y, sum);
        else
            printf("%d + %d: Error = %s\n", sums[i].x, sums[i].y, soon_future_error(futures[i])->message);
    }
    soon_futures_unref(futures, TASKS);
    return soon_executor_free(pool) == 0 ? 0 : 1;
}
