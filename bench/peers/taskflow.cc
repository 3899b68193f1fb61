/*
 * taskflow.cc - Taskflow's executor: async, whose future is kept and read.
 *
 *     taskflow submit workers= submitters= tasks= work_ns= passes=
 *     taskflow roundtrip workers= rounds= pause_us= passes=
 */
#include "../bench.h"

#include <atomic>
#include <cstring>
#include <thread>
#include <unistd.h>
#include <vector>

#include <taskflow/taskflow.hpp>

namespace
{

uint64_t submit_all(tf::Executor &executor, uint32_t tasks, int64_t busy_ns)
{
    std::vector<std::future<uint64_t>> futures;
    uint64_t sum = 0;

    futures.reserve(tasks);
    for (uint32_t i = 0; i < tasks; i++)
        futures.push_back(executor.async([i, busy_ns] {
            bench_busy(busy_ns);
            return uint64_t(i) + 1;
        }));
    for (auto &future : futures)
        sum += future.get();
    return sum;
}

int64_t run(tf::Executor &executor, int submitters, uint32_t tasks, int64_t busy_ns)
{
    std::vector<std::thread> threads;
    std::atomic<bool> right{true};
    uint32_t each = tasks / uint32_t(submitters);
    int64_t started_ns = bench_now_ns();

    for (int i = 0; i < submitters; i++)
        threads.emplace_back([&] {
            if (submit_all(executor, each, busy_ns) != bench_sum(each))
                right = false;
        });
    for (auto &thread : threads)
        thread.join();
    started_ns = bench_now_ns() - started_ns;
    bench_check(right, "the sum of the results");
    return started_ns;
}

void round_trips(tf::Executor &executor, std::vector<int64_t> &times_ns, size_t rounds, useconds_t pause_us)
{
    for (size_t i = 0; i < rounds; i++) {
        if (pause_us)
            usleep(pause_us);
        int64_t started_ns = bench_now_ns();
        uint64_t result = executor.async([i] { return uint64_t(i) + 1; }).get();
        times_ns[i] = bench_now_ns() - started_ns;
        bench_check(result == i + 1, "a result");
    }
}

} // namespace

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "";

    bench_start(argc, argv);
    int64_t passes = bench_number("passes", 3);
    tf::Executor executor(size_t(bench_number("workers", 2)));
    if (strcmp(which, "roundtrip") == 0) {
        std::vector<int64_t> times_ns(size_t(bench_number("rounds", 20000)));
        round_trips(executor, times_ns, times_ns.size() / 10 + 1, 0);
        for (; passes > 0; passes--) {
            round_trips(executor, times_ns, times_ns.size(), useconds_t(bench_number("pause_us", 0)));
            bench_percentiles(times_ns.data(), times_ns.size());
        }
        return bench_finish();
    }
    bench_check(strcmp(which, "submit") == 0, "which case");
    int submitters = int(bench_number("submitters", 1));
    uint32_t tasks = uint32_t(bench_number("tasks", 100000));
    int64_t busy_ns = bench_number("work_ns", 0);
    run(executor, submitters, tasks / 10 + uint32_t(submitters), busy_ns);
    for (; passes > 0; passes--)
        bench_metric("ns_per_task", double(run(executor, submitters, tasks, busy_ns)) / tasks);
    return bench_finish();
}
