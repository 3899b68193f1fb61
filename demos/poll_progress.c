/*
 * poll_progress.c - futures polled for their progress: slow additions of different lengths, one of which fails. On a
 * terminal each that runs has a bar; into a file or a pipe there is a line once a second. Then each result or error.
 *
 *     $ poll_progress -j 2 | cat
 *     add:  30% 0/4 [00:01<00:02, 1.20it/s]  1 + 2: 80%, 3 + 4: 40%
 *     ...
 *     add: 100% 4/4 [00:03, 1.14it/s, 1 failed]
 *     1 + 2 = 3
 *     3 + 4 = 7
 *     5 + -6: Error = y must not be negative, it is -6
 *     7 + 8 = 15
 *
 * With --cluster SERVERS the additions run where `soon-workerd --program poll_progress` does.
 */
#define SOON_DEMO_CLUSTER
#include "demo.h"

#include <soon.h>
#include <unistd.h>

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

/* Submits the additions, waits for all of them, and shows meanwhile how far they are. */
static void add_all(soon_executor *pool, const struct add *sums, soon_future **futures, int poll_ms)
{
    soon_progress_bar *bar;
    if (soon_progress_bar_new(&bar, &(soon_progress_bar_options){.label = "add",
                                                                 .total = TASKS,
                                                                 .tasks_max = TASKS,
                                                                 .fd = STDOUT_FILENO,
                                                                 .interval_ms = poll_ms < 100 ? poll_ms : 100,
                                                                 .plain_every_ms = poll_ms}) < 0)
        fprintf(stderr, "%s\n", soon_last_error()->message); /* it goes on without */

    for (int i = 0; i < TASKS; i++) {
        char label[32];
        snprintf(label, sizeof label, "%d + %d", sums[i].x, sums[i].y);
        futures[i] = slow_add_submit(pool, &sums[i], &(soon_submit_options){.label = label});
        soon_progress_bar_add(bar, futures[i]);
    }
    soon_wait(futures, TASKS, SOON_ALL_COMPLETED, SOON_FOREVER, NULL);
    soon_progress_bar_free(bar);
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
    add_all(pool, sums, futures, poll_ms);

    for (int i = 0; i < TASKS; i++) {
        int sum;
        if (soon_result(futures[i], &sum) == 0)
            printf("%d + %d = %d\n", sums[i].x, sums[i].y, sum);
        else
            printf("%s: Error = %s\n", soon_future_label(futures[i]), soon_future_error(futures[i])->message);
    }
    soon_futures_unref(futures, TASKS);
    return soon_executor_free(pool) == 0 ? 0 : 1;
}
