/*
 * cluster.c - the cluster executor, with a Gearman server and daemons that bench/cluster has started; they run the tasks
 * of this very program.
 *
 *     servers= what=roundtrip rounds= | flood tasks= | map items= | queued tasks= | killed | moved, passes=
 *
 * `killed` and `moved` print a line of what is to be killed ("worker HOST.PID" or "server HOST:PORT") and wait for an
 * answer: the time at which that was done, in nanoseconds of CLOCK_MONOTONIC.
 */
#include "pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

SOON_TASK(add_one, uint64_t, uint64_t)
{
    *result = *arg + 1;
    return 0;
}

/* Reports whose process it is, then waits to be killed or cancelled. */
SOON_TASK(hang_once, soon_none, int)
{
    *result = getpid();
    soon_task_set_progress(task, (uint64_t)getppid(), 0);
    for (int i = 0; i < 20000 && !soon_task_cancel_requested(task); i++)
        usleep(500);
    return soon_task_cancel_requested(task) ? -ECANCELED : 0;
}

static soon_executor *cluster;

static void roundtrips(int64_t *times_ns, size_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t result;
        int64_t started_ns = bench_now_ns();
        bench_check(soon_take(soon_submit(cluster, add_one, i), &result) == 0, "a task failed");
        bench_check(result == i + 1, "a result");
        times_ns[i] = bench_now_ns() - started_ns;
    }
}

static double flood(soon_future **futures, size_t tasks)
{
    uint64_t sum = 0, result;
    int64_t started_ns = bench_now_ns();

    for (uint64_t i = 0; i < tasks; i++)
        futures[i] = soon_submit(cluster, add_one, i);
    for (size_t i = 0; i < tasks; i++) {
        bench_check(soon_take(futures[i], &result) == 0, "a task failed");
        sum += result;
    }
    bench_check(sum == bench_sum(tasks), "the results");
    return (double)(bench_now_ns() - started_ns) / (double)tasks;
}

static double map(uint64_t *items, uint64_t *results, size_t count)
{
    uint64_t sum = 0;
    int64_t started_ns = bench_now_ns();

    for (size_t i = 0; i < count; i++)
        items[i] = i;
    bench_check(soon_map(cluster, add_one, items, count, results) == 0, "the map failed");
    for (size_t i = 0; i < count; i++)
        sum += results[i];
    bench_check(sum == bench_sum(count), "the results");
    return (double)(bench_now_ns() - started_ns) / (double)count;
}

/* No daemon has to be there: they all wait. */
static double queued(soon_future **futures, size_t tasks)
{
    int64_t before = bench_resident();

    for (uint64_t i = 0; i < tasks; i++)
        futures[i] = soon_submit(cluster, add_one, i);
    double each = (double)(bench_resident() - before) / (double)tasks;
    for (size_t i = 0; i < tasks; i++) {
        soon_future_cancel(futures[i]);
        soon_future_unref(futures[i]);
    }
    return each;
}

static int64_t ask_for(const char *what, const char *which)
{
    int64_t done_ns = 0;

    printf("%s %s\n", what, which);
    fflush(stdout);
    bench_check(scanf("%" SCNd64, &done_ns) == 1, "nobody kills");
    return done_ns;
}

/* Until another daemon has started the task of one that was killed, as far as is heard of here. */
static double killed(void)
{
    soon_future *future = soon_submit_with(cluster, (.retries = 1), hang_once, .none = 0);
    uint64_t daemon;
    char which[32];

    while (!(daemon = soon_future_progress(future).done))
        usleep(100);
    snprintf(which, sizeof which, "%" PRIu64, daemon);
    int64_t done_ns = ask_for("worker", which);
    while (soon_future_attempt(future) < 2)
        usleep(100);
    double took = (double)(bench_now_ns() - done_ns);
    soon_future_cancel(future);
    soon_future_wait(future, SOON_FOREVER);
    soon_future_unref(future);
    return took;
}

/* Until 200 tasks have results by way of another server, 20 of which were under way when the first was killed. */
static double moved(void)
{
    soon_future *futures[200];
    uint64_t result;

    for (uint64_t i = 0; i < 20; i++)
        futures[i] = soon_submit_with(cluster, (.retries = 3), add_one, i);
    int64_t done_ns = ask_for("server", "the one in use");
    for (uint64_t i = 20; i < 200; i++)
        futures[i] = soon_submit_with(cluster, (.retries = 3), add_one, i);
    for (uint64_t i = 0; i < 200; i++)
        bench_check(soon_take(futures[i], &result) == 0 && result == i + 1, "a task");
    return (double)(bench_now_ns() - done_ns);
}

int main(int argc, char **argv)
{
    bench_start_ours(argc, argv);
    const char *what = bench_word("what", "roundtrip");
    size_t rounds = (size_t)bench_number("rounds", 2000), tasks = (size_t)bench_number("tasks", 10000);
    size_t items = (size_t)bench_number("items", 1000000);
    int64_t *times_ns = bench_alloc(rounds, sizeof *times_ns);
    soon_future **futures = bench_alloc(tasks, sizeof(soon_future *));
    uint64_t *values = bench_alloc(2 * items, sizeof *values);
    soon_cluster_options options = {.servers = bench_word("servers", "127.0.0.1"),
                                    .slots = (int)bench_number("slots", 8)};

    bench_check(soon_cluster_new(&cluster, &options) == 0, "soon_cluster_new");
    if (soon_executor_boot(cluster, 5000) < 0)
        bench_skip(soon_last_error()->message);
    for (int64_t pass = bench_number("passes", 3); pass > 0; pass--) {
        if (strcmp(what, "flood") == 0)
            bench_metric("ns_per_task", flood(futures, tasks));
        else if (strcmp(what, "map") == 0)
            bench_metric("ns_per_item", map(values, values + items, items));
        else if (strcmp(what, "queued") == 0)
            bench_metric("bytes_per_future", queued(futures, tasks));
        else if (strcmp(what, "killed") == 0)
            bench_metric("restarted_ns", killed());
        else if (strcmp(what, "moved") == 0)
            bench_metric("moved_ns", moved());
        else {
            roundtrips(times_ns, rounds);
            bench_percentiles(times_ns, rounds);
        }
    }
    soon_executor_shutdown(cluster, SOON_KILL, SOON_FOREVER);
    soon_executor_free(cluster);
    free(times_ns);
    free(futures);
    free(values);
    return bench_finish();
}
