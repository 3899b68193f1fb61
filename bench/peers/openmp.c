/*
 * openmp.c - OpenMP: tasks, and a parallel for; and a plain loop. Its results go where the task says, there are no
 * futures.
 *
 *     openmp submit workers= submitters=1 tasks= work_ns= passes=   (one more thread submits, then helps)
 *     openmp fib workers= n= passes=
 *     openmp map workers= items= passes=
 *     openmp loop items= passes=
 *     openmp plain_fib n= passes=
 */
#include "../bench.h"

#include <stdlib.h>
#include <string.h>

static int64_t submit(int workers, uint32_t tasks, uint32_t busy_ns)
{
    uint64_t **results = bench_alloc(tasks, sizeof *results), sum = 0;
    int64_t started_ns = 0;

#pragma omp parallel num_threads(workers + 1)
#pragma omp single
    {
        started_ns = bench_now_ns();
        for (uint32_t i = 0; i < tasks; i++) {
            uint64_t *result = malloc(sizeof *result);
            bench_check(result, "out of memory");
            results[i] = result;
#pragma omp task firstprivate(i, result)
            {
                bench_busy(busy_ns);
                *result = (uint64_t)i + 1;
            }
        }
#pragma omp taskwait
        for (uint32_t i = 0; i < tasks; i++) {
            sum += *results[i];
            free(results[i]);
        }
        started_ns = bench_now_ns() - started_ns;
    }
    bench_check(sum == bench_sum(tasks), "the sum of the results");
    free(results);
    return started_ns;
}

static uint64_t plain_fib(int n)
{
    return n < 2 ? (uint64_t)n : plain_fib(n - 1) + plain_fib(n - 2);
}

static uint64_t fib(int n)
{
    uint64_t a, b;

    if (n < 2)
        return (uint64_t)n;
#pragma omp task shared(a)
    a = fib(n - 1);
#pragma omp task shared(b)
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

static void measure_fib(bool plainly)
{
    int n = (int)bench_number("n", 25), workers = (int)bench_number("workers", 2);
    uint64_t expected = plain_fib(n), calls = 2 * plain_fib(n + 1) - 1;

    for (int64_t i = bench_number("passes", 1); i > 0; i--) {
        uint64_t result = 0;
        int64_t started_ns = bench_now_ns();
        if (plainly) {
            int volatile hidden = n;
            result = plain_fib(hidden);
        } else {
#pragma omp parallel num_threads(workers)
#pragma omp single
            result = fib(n);
        }
        bench_metric("ns_per_task", (double)(bench_now_ns() - started_ns) / (double)calls);
        bench_check(result == expected, "fib");
    }
}

/* Not inlined: the other systems also call a function that they do not know. */
__attribute__((noinline)) static uint32_t add_one(uint32_t x)
{
    __asm__ volatile("");
    return x + 1;
}

static void measure_map(bool plainly)
{
    size_t items = (size_t)bench_number("items", 1000000);
    int workers = (int)bench_number("workers", 2);
    uint32_t *args = bench_alloc(items, sizeof *args), *results = bench_alloc(items, sizeof *results);

    for (size_t i = 0; i < items; i++)
        results[i] = args[i] = (uint32_t)i;
    for (int64_t pass = bench_number("passes", 3); pass > 0; pass--) {
        uint64_t sum = 0;
        int64_t started_ns = bench_now_ns();
        if (plainly) {
            for (size_t i = 0; i < items; i++)
                results[i] = add_one(args[i]);
        } else {
#pragma omp parallel for num_threads(workers)
            for (size_t i = 0; i < items; i++)
                results[i] = add_one(args[i]);
        }
        bench_metric("ns_per_item", (double)(bench_now_ns() - started_ns) / (double)items);
        for (size_t i = 0; i < items; i++)
            sum += results[i];
        bench_check(sum == bench_sum(items), "the sum of the results");
    }
    free(args);
    free(results);
}

static void measure_submit(void)
{
    int workers = (int)bench_number("workers", 2);
    uint32_t tasks = (uint32_t)bench_number("tasks", 100000), busy_ns = (uint32_t)bench_number("work_ns", 0);

    if (bench_number("submitters", 1) != 1)
        bench_skip("one thread submits");
    submit(workers, tasks / 10 + 1, busy_ns);
    for (int64_t i = bench_number("passes", 3); i > 0; i--)
        bench_metric("ns_per_task", (double)submit(workers, tasks, busy_ns) / tasks);
}

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "";

    bench_start(argc, argv);
    if (strcmp(which, "submit") == 0)
        measure_submit();
    else if (strcmp(which, "fib") == 0 || strcmp(which, "plain_fib") == 0)
        measure_fib(strcmp(which, "plain_fib") == 0);
    else if (strcmp(which, "map") == 0 || strcmp(which, "loop") == 0)
        measure_map(strcmp(which, "loop") == 0);
    else
        bench_check(false, "which case");
    return bench_finish();
}
