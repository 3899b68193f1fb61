/*
 * glib.c - GLib's GThreadPool. It has no futures: a task has its result and a mark in memory of its own, and a reader
 * waits for the marks under one lock.
 *
 *     glib submit workers= submitters= tasks= work_ns= passes=
 *     glib roundtrip workers= rounds= pause_us= passes=
 */
#include "../bench.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct submitter {
    GThread *thread;
    GThreadPool *pool;
    struct task **tasks;
    guint count, busy_ns;
    gint left; /* atomic */
    GMutex mutex;
    GCond none_left;
    guint64 sum;
};

struct task {
    struct submitter *owner;
    guint x;
    guint64 result;
};

static void add_one(gpointer data, gpointer unused)
{
    struct task *task = data;
    struct submitter *owner = task->owner;

    (void)unused;
    bench_busy(owner->busy_ns);
    task->result = (guint64)task->x + 1;
    if (g_atomic_int_dec_and_test(&owner->left)) {
        g_mutex_lock(&owner->mutex);
        g_cond_signal(&owner->none_left);
        g_mutex_unlock(&owner->mutex);
    }
}

static void await_all(struct submitter *self)
{
    g_mutex_lock(&self->mutex);
    while (g_atomic_int_get(&self->left) > 0)
        g_cond_wait(&self->none_left, &self->mutex);
    g_mutex_unlock(&self->mutex);
}

static gpointer submit_all(gpointer data)
{
    struct submitter *self = data;

    for (guint i = 0; i < self->count; i++) {
        struct task *task = g_new(struct task, 1);
        *task = (struct task){.owner = self, .x = i};
        self->tasks[i] = task;
        bench_check(g_thread_pool_push(self->pool, task, NULL), "g_thread_pool_push");
    }
    await_all(self);
    for (guint i = 0; i < self->count; i++) {
        self->sum += self->tasks[i]->result;
        g_free(self->tasks[i]);
    }
    return NULL;
}

static gint64 run(GThreadPool *pool, guint count, guint tasks, guint busy_ns)
{
    struct submitter *submitters = bench_alloc(count, sizeof *submitters);
    gint64 started_ns;

    for (guint i = 0; i < count; i++) {
        struct submitter *self = &submitters[i];
        *self =
            (struct submitter){.pool = pool, .count = tasks / count, .busy_ns = busy_ns, .left = (gint)(tasks / count)};
        self->tasks = bench_alloc(self->count, sizeof *self->tasks);
        g_mutex_init(&self->mutex);
        g_cond_init(&self->none_left);
    }
    started_ns = bench_now_ns();
    for (guint i = 0; i < count; i++)
        submitters[i].thread = g_thread_new("submitter", submit_all, &submitters[i]);
    for (guint i = 0; i < count; i++)
        g_thread_join(submitters[i].thread);
    started_ns = bench_now_ns() - started_ns;
    for (guint i = 0; i < count; i++) {
        bench_check(submitters[i].sum == bench_sum(submitters[i].count), "the sum of the results");
        free(submitters[i].tasks);
    }
    free(submitters);
    return started_ns;
}

static void round_trips(GThreadPool *pool, int64_t *times_ns, size_t rounds, useconds_t pause_us)
{
    struct submitter self = {.pool = pool};
    struct task task = {.owner = &self};

    g_mutex_init(&self.mutex);
    g_cond_init(&self.none_left);
    for (size_t i = 0; i < rounds; i++) {
        if (pause_us)
            usleep(pause_us);
        int64_t started_ns = bench_now_ns();
        g_atomic_int_set(&self.left, 1);
        task.x = (guint)i;
        g_thread_pool_push(pool, &task, NULL);
        await_all(&self);
        times_ns[i] = bench_now_ns() - started_ns;
        bench_check(task.result == i + 1, "a result");
    }
    /* The worker may still be inside unlock. */
    g_mutex_lock(&self.mutex);
    g_mutex_unlock(&self.mutex);
}

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "";
    int64_t passes;

    bench_start(argc, argv);
    passes = bench_number("passes", 3);
    /* Exclusive: it has threads of its own, which all start at once, as ours do. */
    GThreadPool *pool = g_thread_pool_new(add_one, NULL, (gint)bench_number("workers", 2), TRUE, NULL);
    bench_check(pool, "g_thread_pool_new");
    if (strcmp(which, "roundtrip") == 0) {
        size_t rounds = (size_t)bench_number("rounds", 20000);
        int64_t *times_ns = bench_alloc(rounds, sizeof *times_ns);
        round_trips(pool, times_ns, rounds / 10 + 1, 0);
        for (; passes > 0; passes--) {
            round_trips(pool, times_ns, rounds, (useconds_t)bench_number("pause_us", 0));
            bench_percentiles(times_ns, rounds);
        }
        free(times_ns);
    } else {
        bench_check(strcmp(which, "submit") == 0, "which case");
        guint submitters = (guint)bench_number("submitters", 1), tasks = (guint)bench_number("tasks", 100000);
        guint busy_ns = (guint)bench_number("work_ns", 0);
        run(pool, submitters, tasks / 10 + submitters, busy_ns);
        for (; passes > 0; passes--)
            bench_metric("ns_per_task", (double)run(pool, submitters, tasks, busy_ns) / tasks);
    }
    g_thread_pool_free(pool, FALSE, TRUE);
    return bench_finish();
}
