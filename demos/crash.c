/*
 * crash.c - twenty tasks. Three of them write to an invalid address, one calls exit(), one never ends and is killed at
 * its time limit. Each of these five ends its worker process and nothing else: the other fifteen have their results.
 *
 *     $ crash -j 2
 *     task      pid  outcome
 *        0   104711  0 * 0 = 0
 *        1   104712  1 * 1 = 1
 *        2   104711  2 * 2 = 4
 *        3   104712  the worker died while it ran the task: worker 104712 killed by signal 11 (SIGSEGV)
 *     ...
 *        6   104711  the worker died while it ran the task: worker 104711 exited with status 7
 *     ...
 *       12   104715  the task ran longer than its time limit: worker 104715 killed by signal 15 (SIGTERM)
 *     ...
 *       19   104717  19 * 19 = 361
 *     15 results, 5 errors
 */
#include "demo.h"

#include <soon.h>
#include <sys/resource.h>
#include <unistd.h>

enum { TASKS = 20 };

struct order {
    int x;
    enum { SQUARE, CRASH, EXIT, HANG } what;
};

struct answer {
    int square, pid;
};

static void crash(void)
{
    int *volatile nowhere = (int *)64;
    *nowhere = 1;
}

SOON_TASK(work, struct order, struct answer)
{
    if (arg->what == CRASH)
        crash();
    if (arg->what == EXIT)
        exit(7);
    while (arg->what == HANG)
        pause();
    *result = (struct answer){arg->x * arg->x, getpid()};
    return 0;
}

int main(int argc, char **argv)
{
    int workers = 2, limit_ms = 500, results = 0;
    soon_future *futures[TASKS];
    demo_why_no_threads = "on threads the first crash would end the program";
    demo_start(argc, argv, "crash", (struct demo_option[]){{"-j", &workers, 0}, {"--limit-ms", &limit_ms, 1}, {0}});
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* no core files; workers inherit the limit */

    soon_executor *pool = demo_pool(workers);
    for (int i = 0; i < TASKS; i++) {
        int what = i == 12 ? HANG : i == 6 ? EXIT : i == 3 || i == 9 || i == 15 ? CRASH : SQUARE;
        futures[i] = soon_submit_with(pool, (.time_limit_ms = limit_ms), work, i, what);
    }

    puts("task      pid  outcome");
    for (int i = 0; i < TASKS; i++) {
        struct answer answer;
        if (soon_result(futures[i], &answer) == 0)
            printf("%4d  %7d  %d * %d = %d\n", i, answer.pid, i, i, answer.square);
        else
            printf("%4d  %7d  %s\n", i, soon_future_error(futures[i])->worker_pid,
                   soon_future_error(futures[i])->message);
        results += soon_future_succeeded(futures[i]);
    }
    printf("%d results, %d errors\n", results, TASKS - results);
    soon_futures_unref(futures, TASKS);
    return soon_executor_free(pool) == 0 ? 0 : 1;
}
