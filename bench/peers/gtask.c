/*
 * gtask.c - GLib's GTask: g_task_run_in_thread, with a callback on the submitter's main context, where the result is
 * read. Its threads are GLib's own, of which there are ten and more: `workers` says nothing here.
 *
 *     gtask submit submitters= tasks= work_ns= passes=
 *     gtask callbacks tasks= passes=
 *     gtask roundtrip rounds= pause_us= passes=
 */
#include "../bench.h"

#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct submitter {
    GThread *thread;
    GTask **tasks;
    guint count, busy_ns, calls;
    guint64 sum;
};

struct work {
    guint x, busy_ns;
};

static void add_one(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    struct work *work = data;

    (void)source;
    (void)cancellable;
    bench_busy(work->busy_ns);
    g_task_return_int(task, (gssize)work->x + 1);
}

static void done(GObject *source, GAsyncResult *result, gpointer data)
{
    (void)source;
    (void)result;
    ((struct submitter *)data)->calls++;
}

/* The caller gives up the reference. */
static GTask *start(struct submitter *self, guint x)
{
    GTask *task = g_task_new(NULL, NULL, done, self);
    struct work *work = g_new(struct work, 1);

    *work = (struct work){x, self->busy_ns};
    g_task_set_task_data(task, work, g_free);
    g_task_run_in_thread(task, add_one);
    return task;
}

static guint64 finish(GTask *task)
{
    guint64 result = (guint64)g_task_propagate_int(task, NULL);

    g_object_unref(task);
    return result;
}

static void await_calls(struct submitter *self, GMainContext *context, guint calls)
{
    while (self->calls < calls)
        g_main_context_iteration(context, TRUE);
}

static gpointer submit_all(gpointer data)
{
    struct submitter *self = data;
    GMainContext *context = g_main_context_new();

    g_main_context_push_thread_default(context);
    for (guint i = 0; i < self->count; i++)
        self->tasks[i] = start(self, i);
    await_calls(self, context, self->count);
    for (guint i = 0; i < self->count; i++)
        self->sum += finish(self->tasks[i]);
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);
    return NULL;
}

static gint64 run(guint count, guint tasks, guint busy_ns)
{
    struct submitter *submitters = bench_alloc(count, sizeof *submitters);
    gint64 started_ns;

    for (guint i = 0; i < count; i++) {
        submitters[i] = (struct submitter){.count = tasks / count, .busy_ns = busy_ns};
        submitters[i].tasks = bench_alloc(tasks / count, sizeof(GTask *));
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

static void round_trips(int64_t *times_ns, guint rounds, useconds_t pause_us)
{
    struct submitter self = {0};

    for (guint i = 0; i < rounds; i++) {
        if (pause_us)
            usleep(pause_us);
        int64_t started_ns = bench_now_ns();
        GTask *task = start(&self, i);
        await_calls(&self, NULL, i + 1);
        guint64 result = finish(task);
        times_ns[i] = bench_now_ns() - started_ns;
        bench_check(result == (guint64)i + 1, "a result");
    }
}

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "";
    int64_t passes;

    bench_start(argc, argv);
    passes = bench_number("passes", 3);
    if (strcmp(which, "roundtrip") == 0) {
        guint rounds = (guint)bench_number("rounds", 20000);
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
    guint submitters = (guint)bench_number("submitters", 1), tasks = (guint)bench_number("tasks", 100000);
    guint busy_ns = (guint)bench_number("work_ns", 0);
    run(submitters, tasks / 10 + submitters, busy_ns);
    for (; passes > 0; passes--)
        bench_metric("ns_per_task", (double)run(submitters, tasks, busy_ns) / tasks);
    return bench_finish();
}
