/*
 * sets.c - as_completed and wait over N futures: what it costs per future to collect them.
 *
 *     how=as_completed or wait, when=done (all done before it begins) or live (another thread completes them meanwhile)
 *     futures= passes=
 */
#include "bench.h"

#include <soon.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct maker {
    soon_promise **promises;
    size_t count;
    pthread_barrier_t start;
};

static void complete(struct maker *maker)
{
    for (size_t i = 0; i < maker->count; i++) {
        uint64_t value = i + 1;
        bench_check(soon_promise_set_result(maker->promises[i], &value, sizeof value) == 0, "soon_promise_set_result");
        soon_promise_free(maker->promises[i]);
    }
}

static void *complete_live(void *data)
{
    struct maker *maker = data;

    pthread_barrier_wait(&maker->start);
    complete(maker);
    return NULL;
}

static uint64_t value_of(soon_future *future)
{
    uint64_t value;

    bench_check(soon_result(future, &value) == 0, "a future failed");
    return value;
}

static uint64_t as_completed(soon_future **futures, size_t count)
{
    soon_as_completed *set;
    soon_future *future;
    uint64_t sum = 0;

    bench_check(soon_as_completed_new(&set, futures, count, SOON_FOREVER) == 0, "soon_as_completed_new");
    for (size_t i = 0; i < count; i++) {
        bench_check(soon_as_completed_next(set, &future) == 0, "soon_as_completed_next");
        sum += value_of(future);
        soon_future_unref(future);
    }
    bench_check(soon_as_completed_next(set, &future) == SOON_EEND, "the end of the set");
    soon_as_completed_free(set);
    return sum;
}

static uint64_t wait_all(soon_future **futures, size_t count)
{
    uint64_t sum = 0;

    bench_check(soon_wait(futures, count, SOON_ALL_COMPLETED, SOON_FOREVER, NULL) == (int64_t)count, "soon_wait");
    for (size_t i = 0; i < count; i++)
        sum += value_of(futures[i]);
    return sum;
}

/* Returns the time it took to collect them, without the time to make them. */
static int64_t collect(size_t count, bool live, uint64_t (*how)(soon_future **futures, size_t count))
{
    struct maker maker = {.count = count, .promises = bench_alloc(count, sizeof(soon_promise *))};
    soon_future **futures = bench_alloc(count, sizeof *futures);
    pthread_t thread;
    int64_t took_ns;
    uint64_t sum;

    for (size_t i = 0; i < count; i++) {
        bench_check(soon_promise_new(&maker.promises[i], NULL) == 0, "soon_promise_new");
        futures[i] = soon_promise_future(maker.promises[i]);
    }
    if (live) {
        pthread_barrier_init(&maker.start, NULL, 2);
        bench_check(pthread_create(&thread, NULL, complete_live, &maker) == 0, "pthread_create");
        pthread_barrier_wait(&maker.start);
    } else {
        complete(&maker);
    }
    took_ns = bench_now_ns();
    sum = how(futures, count);
    took_ns = bench_now_ns() - took_ns;
    if (live) {
        pthread_join(thread, NULL);
        pthread_barrier_destroy(&maker.start);
    }
    bench_check(sum == bench_sum(count), "the sum of the results");
    soon_futures_unref(futures, count);
    free(futures);
    free(maker.promises);
    return took_ns;
}

int main(int argc, char **argv)
{
    bench_start(argc, argv);
    size_t futures = (size_t)bench_number("futures", 1000), times = futures < 1000 ? 1000 / futures : 1;
    bool live = strcmp(bench_word("when", "done"), "live") == 0;
    bool waits = strcmp(bench_word("how", "as_completed"), "wait") == 0;

    collect(futures, live, waits ? wait_all : as_completed);
    for (int64_t i = bench_number("passes", 3); i > 0; i--) {
        int64_t took_ns = 0;
        for (size_t j = 0; j < times; j++)
            took_ns += collect(futures, live, waits ? wait_all : as_completed);
        bench_metric("ns_per_future", (double)took_ns / (double)(futures * times));
    }
    return bench_finish();
}
