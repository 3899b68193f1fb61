/*
 * tbb.cc - oneTBB: task_group, and task_arena::enqueue. Results go to memory of the task's own; an enqueued task has a
 * mark there that its reader waits on.
 *
 *     tbb submit how=task_group|enqueue workers= submitters= tasks= work_ns= passes=
 *     tbb roundtrip workers= rounds= pause_us= passes=     (enqueue)
 *     tbb fib workers= spawns=2|1 n= passes=               (task_group)
 */
#include "../bench.h"

#include <atomic>
#include <cstring>
#include <future>
#include <memory>
#include <thread>
#include <unistd.h>
#include <vector>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

namespace
{

using oneapi::tbb::task_arena;
using oneapi::tbb::task_group;

struct task {
    uint64_t result;
    std::atomic<bool> done{false};
};

/* The submitting thread works too, in wait(), so there is one thread more than the workers. */
uint64_t submit_group(task_arena &arena, uint32_t tasks, int64_t busy_ns)
{
    uint64_t sum = 0;

    arena.execute([&] {
        task_group group;
        std::vector<std::unique_ptr<task>> kept(tasks);
        for (uint32_t i = 0; i < tasks; i++) {
            kept[i] = std::make_unique<task>();
            group.run([i, to = kept[i].get(), busy_ns] {
                bench_busy(busy_ns);
                to->result = uint64_t(i) + 1;
            });
        }
        group.wait();
        for (auto &one : kept) {
            sum += one->result;
            one.reset();
        }
    });
    return sum;
}

uint64_t submit_enqueued(task_arena &arena, uint32_t tasks, int64_t busy_ns)
{
    std::vector<std::unique_ptr<task>> kept(tasks);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < tasks; i++) {
        kept[i] = std::make_unique<task>();
        arena.enqueue([i, to = kept[i].get(), busy_ns] {
            bench_busy(busy_ns);
            to->result = uint64_t(i) + 1;
            to->done.store(true, std::memory_order_release);
        });
    }
    for (auto &one : kept) {
        while (!one->done.load(std::memory_order_acquire))
            std::this_thread::yield();
        sum += one->result;
        one.reset();
    }
    return sum;
}

int64_t run(task_arena &arena, bool grouped, int submitters, uint32_t tasks, int64_t busy_ns)
{
    std::vector<std::thread> threads;
    std::atomic<bool> right{true};
    uint32_t each = tasks / uint32_t(submitters);
    int64_t started_ns = bench_now_ns();

    for (int i = 0; i < submitters; i++)
        threads.emplace_back([&] {
            uint64_t sum = grouped ? submit_group(arena, each, busy_ns) : submit_enqueued(arena, each, busy_ns);
            if (sum != bench_sum(each))
                right = false;
        });
    for (auto &thread : threads)
        thread.join();
    started_ns = bench_now_ns() - started_ns;
    bench_check(right, "the sum of the results");
    return started_ns;
}

void round_trips(task_arena &arena, int64_t *times_ns, size_t rounds, useconds_t pause_us)
{
    for (size_t i = 0; i < rounds; i++) {
        if (pause_us)
            usleep(pause_us);
        int64_t started_ns = bench_now_ns();
        std::promise<uint64_t> promise;
        arena.enqueue([&promise, i] { promise.set_value(i + 1); });
        uint64_t result = promise.get_future().get();
        times_ns[i] = bench_now_ns() - started_ns;
        bench_check(result == i + 1, "a result");
    }
}

uint64_t plain_fib(int n)
{
    return n < 2 ? uint64_t(n) : plain_fib(n - 1) + plain_fib(n - 2);
}

uint64_t fib(int n)
{
    uint64_t a, b;

    if (n < 2)
        return uint64_t(n);
    task_group group;
    group.run([&a, n] { a = fib(n - 1); });
    group.run([&b, n] { b = fib(n - 2); });
    group.wait();
    return a + b;
}

/* As users of TBB write it. */
uint64_t fib_called(int n)
{
    uint64_t a, b;

    if (n < 2)
        return uint64_t(n);
    task_group group;
    group.run([&a, n] { a = fib_called(n - 1); });
    b = fib_called(n - 2);
    group.wait();
    return a + b;
}

void measure_fib(int workers)
{
    int n = int(bench_number("n", 25));
    bool both = bench_number("spawns", 2) == 2;
    uint64_t expected = plain_fib(n), calls = 2 * plain_fib(n + 1) - 1;
    oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, size_t(workers));
    task_arena arena(workers, 1);

    for (int64_t i = bench_number("passes", 1); i > 0; i--) {
        uint64_t result = 0;
        int64_t started_ns = bench_now_ns();
        arena.execute([&] { result = both ? fib(n) : fib_called(n); });
        bench_metric("ns_per_task", double(bench_now_ns() - started_ns) / double(calls));
        bench_check(result == expected, "fib");
    }
}

} // namespace

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "";

    bench_start(argc, argv);
    int64_t passes = bench_number("passes", 3);
    int workers = int(bench_number("workers", 2)), submitters = int(bench_number("submitters", 1));
    bool grouped = strcmp(bench_word("how", "enqueue"), "task_group") == 0;
    if (strcmp(which, "fib") == 0) {
        measure_fib(workers);
        return bench_finish();
    }
    oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, size_t(workers) + 1);
    task_arena arena(grouped ? workers + submitters : workers, grouped ? unsigned(submitters) : 0);
    if (strcmp(which, "roundtrip") == 0) {
        std::vector<int64_t> times_ns(size_t(bench_number("rounds", 20000)));
        round_trips(arena, times_ns.data(), times_ns.size() / 10 + 1, 0);
        for (; passes > 0; passes--) {
            round_trips(arena, times_ns.data(), times_ns.size(), useconds_t(bench_number("pause_us", 0)));
            bench_percentiles(times_ns.data(), times_ns.size());
        }
        return bench_finish();
    }
    bench_check(strcmp(which, "submit") == 0, "which case");
    uint32_t tasks = uint32_t(bench_number("tasks", 100000));
    int64_t busy_ns = bench_number("work_ns", 0);
    run(arena, grouped, submitters, tasks / 10 + uint32_t(submitters), busy_ns);
    for (; passes > 0; passes--)
        bench_metric("ns_per_task", double(run(arena, grouped, submitters, tasks, busy_ns)) / tasks);
    return bench_finish();
}
