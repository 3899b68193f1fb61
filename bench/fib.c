/*
 * fib.c - nested fork-join: both halves of each fib(n) are tasks, and the task waits for both; or one half is a task,
 * and the other is called. The time is that of a call of fib, whether it was a task or not.
 *
 *     pool=threads workers= spawns=2|1 n= passes=
 */
#include "pool.h"

SOON_TASK(fib_two, int, uint64_t)
{
    uint64_t a, b;

    if (*arg < 2) {
        *result = (uint64_t)*arg;
        return 0;
    }
    soon_executor *pool = soon_task_executor(task);
    soon_future *first = soon_submit(pool, fib_two, *arg - 1);
    soon_future *second = soon_submit(pool, fib_two, *arg - 2);
    int rc = soon_take(first, &a);
    int rc2 = soon_take(second, &b);
    if (rc < 0 || rc2 < 0)
        return soon_raise(task, rc < 0 ? rc : rc2, "a half of fib(%d) is missing", *arg);
    *result = a + b;
    return 0;
}

static int spawn_and_call(soon_task *task, int n, uint64_t *ret);

SOON_TASK(fib_one, int, uint64_t)
{
    int rc = spawn_and_call(task, *arg, result);

    return rc < 0 ? soon_raise(task, rc, "a half of fib(%d) is missing", *arg) : 0;
}

static int spawn_and_call(soon_task *task, int n, uint64_t *ret)
{
    uint64_t a, b = 0;

    if (n < 2) {
        *ret = (uint64_t)n;
        return 0;
    }
    soon_future *first = soon_submit(soon_task_executor(task), fib_one, n - 1);
    int rc = spawn_and_call(task, n - 2, &b);
    int rc2 = soon_take(first, &a);
    if (rc < 0 || rc2 < 0)
        return rc < 0 ? rc : rc2;
    *ret = a + b;
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
    bool both = bench_number("spawns", 2) == 2;
    uint64_t expected = plain(n), calls = 2 * plain(n + 1) - 1, result;
    soon_executor *pool = bench_pool();

    for (int64_t i = bench_number("passes", 1); i > 0; i--) {
        int64_t started_ns = bench_now_ns();
        soon_future *future = both ? soon_submit(pool, fib_two, n) : soon_submit(pool, fib_one, n);
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
