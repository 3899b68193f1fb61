/*
 * fib.c - nested fork-join: both halves of each fib(n) are tasks, and the task waits for both.
 *
 *     pool=threads workers= n= passes=
 */
#include "pool.h"

SOON_TASK(fib, int, uint64_t)
{
    uint64_t a, b;

    if (*arg < 2) {
        *result = (uint64_t)*arg;
        return 0;
    }
    soon_executor *pool = soon_task_executor(task);
    soon_future *first = soon_submit(pool, fib, *arg - 1);
    soon_future *second = soon_submit(pool, fib, *arg - 2);
    int rc = soon_take(first, &a);
    int rc2 = soon_take(second, &b);
    if (rc < 0 || rc2 < 0)
        return soon_raise(task, rc < 0 ? rc : rc2, "a half of fib(%d) is missing", *arg);
    *result = a + b;
    return 0;
}

static uint64_t plain(int n)
{
    return n < 2 ? (uint64_t)n : plain(n - 1) + plain(n - 2);
}

int main(int argc, char **argv)
{
    bench_start_ours(argc, argv);
    int n = (int)bench_number("n", 25);
    uint64_t expected = plain(n), calls = 2 * plain(n + 1) - 1, result;
    soon_executor *pool = bench_pool();

    for (int64_t i = bench_number("passes", 1); i > 0; i--) {
        int64_t started_ns = bench_now_ns();
        soon_future *future = soon_submit(pool, fib, n);
        int rc = soon_result(future, &result);
        if (rc < 0)
            bench_check(false, soon_future_error(future)->message);
        bench_metric("ns_per_task", (double)(bench_now_ns() - started_ns) / (double)calls);
        bench_check(result == expected, "fib");
        soon_future_unref(future);
    }
    soon_executor_free(pool);
    return bench_finish();
}
