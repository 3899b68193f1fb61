/*
 * submit.c - submit and complete: N tasks, all their futures kept, then each read, checked and given up.
 *
 *     pool= workers= submitters= tasks= work_ns= passes=
 */
#include "pool.h"

#include <pthread.h>
#include <stdlib.h>

struct work {
    uint32_t x, busy_ns;
};

SOON_TASK(add_one, struct work, uint64_t)
{
    bench_busy(arg->busy_ns);
    *result = (uint64_t)arg->x + 1;
    return 0;
}

struct submitter {
    pthread_t thread;
    soon_executor *pool;
    soon_future **futures;
    uint32_t tasks, busy_ns;
    pthread_barrier_t *start;
    uint64_t sum;
};

static void *submit_all(void *data)
{
    struct submitter *self = data;
    uint64_t result;

    pthread_barrier_wait(self->start);
    for (uint32_t i = 0; i < self->tasks; i++)
        self->futures[i] = soon_submit(self->pool, add_one, i, self->busy_ns);
    for (uint32_t i = 0; i < self->tasks; i++) {
        bench_check(soon_result(self->futures[i], &result) == 0, "a task failed");
        self->sum += result;
        soon_future_unref(self->futures[i]);
    }
    return NULL;
}

/* Returns the time from when all submitters are ready until the last one has read its last future. */
static int64_t run(soon_executor *pool, int count, uint32_t tasks, uint32_t busy_ns)
{
    struct submitter *submitters = bench_alloc((size_t)count, sizeof *submitters);
    pthread_barrier_t start;
    int64_t started_ns, ended_ns;

    pthread_barrier_init(&start, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++) {
        submitters[i] =
            (struct submitter){.pool = pool, .tasks = tasks / (uint32_t)count, .busy_ns = busy_ns, .start = &start};
        submitters[i].futures = bench_alloc(submitters[i].tasks, sizeof(soon_future *));
        bench_check(pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]) == 0, "pthread_create");
    }
    pthread_barrier_wait(&start);
    started_ns = bench_now_ns();
    for (int i = 0; i < count; i++)
        pthread_join(submitters[i].thread, NULL);
    ended_ns = bench_now_ns();
    for (int i = 0; i < count; i++) {
        bench_check(submitters[i].sum == bench_sum(submitters[i].tasks), "the sum of the results");
        free(submitters[i].futures);
    }
    free(submitters);
    pthread_barrier_destroy(&start);
    return ended_ns - started_ns;
}

int main(int argc, char **argv)
{
    bench_start_ours(argc, argv);
    int submitters = (int)bench_number("submitters", 1);
    uint32_t tasks = (uint32_t)bench_number("tasks", 100000), busy_ns = (uint32_t)bench_number("work_ns", 0);
    soon_executor *pool = bench_pool();

    run(pool, submitters, tasks / 10 + (uint32_t)submitters, busy_ns);
    for (int64_t i = bench_number("passes", 3); i > 0; i--)
        bench_metric("ns_per_task", (double)run(pool, submitters, tasks, busy_ns) / tasks);
    soon_executor_free(pool);
    return bench_finish();
}
