/*
 * uv.c - libuv's thread pool: uv_queue_work, a request of its own for each task, kept and read. The pool is one for the
 * process, as large as UV_THREADPOOL_SIZE says; a request belongs to a loop, so each submitter has one.
 *
 *     uv submit workers= submitters= tasks= work_ns= passes=
 *     uv callbacks workers= tasks= passes=
 *     uv roundtrip workers= rounds= pause_us= passes=
 */
#include "../bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

struct request {
    uv_work_t work;
    uint32_t x, busy_ns;
    uint64_t result;
};

struct submitter {
    pthread_t thread;
    uv_loop_t loop;
    struct request **requests;
    uint32_t tasks, busy_ns;
    pthread_barrier_t *start;
    uint64_t calls, sum;
};

static void add_one(uv_work_t *work)
{
    struct request *request = (struct request *)work;

    bench_busy(request->busy_ns);
    request->result = (uint64_t)request->x + 1;
}

static void done(uv_work_t *work, int status)
{
    bench_check(status == 0, "a request failed");
    ((struct submitter *)work->data)->calls++;
}

/* The result is read when all are done, as a future's would be. */
static void *submit_all(void *data)
{
    struct submitter *self = data;

    pthread_barrier_wait(self->start);
    for (uint32_t i = 0; i < self->tasks; i++) {
        struct request *request = malloc(sizeof *request);
        bench_check(request, "out of memory");
        request->work.data = self;
        request->x = i;
        request->busy_ns = self->busy_ns;
        self->requests[i] = request;
        bench_check(uv_queue_work(&self->loop, &request->work, add_one, done) == 0, "uv_queue_work");
    }
    uv_run(&self->loop, UV_RUN_DEFAULT);
    for (uint32_t i = 0; i < self->tasks; i++) {
        self->sum += self->requests[i]->result;
        free(self->requests[i]);
    }
    return NULL;
}

static int64_t run(int count, uint32_t tasks, uint32_t busy_ns)
{
    struct submitter *submitters = bench_alloc((size_t)count, sizeof *submitters);
    pthread_barrier_t start;
    int64_t started_ns, ended_ns;

    pthread_barrier_init(&start, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++) {
        struct submitter *self = &submitters[i];
        *self = (struct submitter){.tasks = tasks / (uint32_t)count, .busy_ns = busy_ns, .start = &start};
        uv_loop_init(&self->loop);
        self->requests = bench_alloc(self->tasks, sizeof *self->requests);
        bench_check(pthread_create(&self->thread, NULL, submit_all, self) == 0, "pthread_create");
    }
    pthread_barrier_wait(&start);
    started_ns = bench_now_ns();
    for (int i = 0; i < count; i++)
        pthread_join(submitters[i].thread, NULL);
    ended_ns = bench_now_ns();
    for (int i = 0; i < count; i++) {
        bench_check(submitters[i].calls == submitters[i].tasks, "the number of callbacks");
        bench_check(submitters[i].sum == bench_sum(submitters[i].tasks), "the sum of the results");
        uv_loop_close(&submitters[i].loop);
        free(submitters[i].requests);
    }
    free(submitters);
    pthread_barrier_destroy(&start);
    return ended_ns - started_ns;
}

static void round_trips(int64_t *times_ns, size_t rounds, useconds_t pause_us)
{
    struct submitter self = {0};
    struct request request = {.work.data = &self};

    uv_loop_init(&self.loop);
    for (size_t i = 0; i < rounds; i++) {
        if (pause_us)
            usleep(pause_us);
        int64_t started_ns = bench_now_ns();
        request.x = (uint32_t)i;
        uv_queue_work(&self.loop, &request.work, add_one, done);
        uv_run(&self.loop, UV_RUN_DEFAULT);
        times_ns[i] = bench_now_ns() - started_ns;
        bench_check(request.result == i + 1, "a result");
    }
    uv_loop_close(&self.loop);
}

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "";
    int64_t passes;

    bench_start(argc, argv);
    setenv("UV_THREADPOOL_SIZE", bench_word("workers", "2"), 1);
    passes = bench_number("passes", 3);
    if (strcmp(which, "roundtrip") == 0) {
        size_t rounds = (size_t)bench_number("rounds", 20000);
        int64_t *times_ns = bench_alloc(rounds, sizeof *times_ns);
        round_trips(times_ns, rounds / 10 + 1, 0);
        for (; passes > 0; passes--) {
            round_trips(times_ns, rounds, (useconds_t)bench_number("pause_us", 0));
            bench_percentiles(times_ns, rounds);
        }
        free(times_ns);
        return bench_finish();
    }
    bench_check(strcmp(which, "submit") == 0 || strcmp(which, "callbacks") == 0, "which case");
    int submitters = (int)bench_number("submitters", 1);
    uint32_t tasks = (uint32_t)bench_number("tasks", 100000), busy_ns = (uint32_t)bench_number("work_ns", 0);
    run(submitters, tasks / 10 + (uint32_t)submitters, busy_ns);
    for (; passes > 0; passes--)
        bench_metric("ns_per_task", (double)run(submitters, tasks, busy_ns) / tasks);
    return bench_finish();
}
