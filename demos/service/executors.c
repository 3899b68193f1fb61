/*
 * executors.c - all executors of the process, whoever has made them: it knows nothing of the service. On the loop.
 *
 * Prometheus wants all values of one name together, so the numbers are collected first: 23 kB for each executor.
 */
#include "executors.h"

#include <soon.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 128, BOUNDS = 14 };

/* Upper bounds of the buckets that are shown; the library's are finer. */
static const double bounds_s[BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60};

struct executor {
    struct executor *next;
    char name[NAME_SIZE]; /* as it stands between quotes */
    soon_stats stats;
    soon_histogram histograms[SOON_TIMINGS];
};

struct collection {
    struct executor *first, **last;
    bool failed;
};

static void quote(char *ret, const char *name)
{
    size_t at = 0;
    for (; *name && at < NAME_SIZE - 3; name++) {
        if (*name == '"' || *name == '\\' || *name == '\n')
            ret[at++] = '\\';
        ret[at++] = *name;
        if (*name == '\n')
            ret[at - 1] = 'n';
    }
    ret[at] = 0;
}

static void collect(soon_executor *from, void *data)
{
    struct collection *collection = data;
    struct executor *executor = calloc(1, sizeof *executor);
    if (!executor) {
        collection->failed = true;
        return;
    }
    quote(executor->name, soon_executor_name(from));
    soon_executor_stats(from, &executor->stats);
    for (int timing = 0; timing < SOON_TIMINGS; timing++)
        soon_executor_histogram(from, (soon_timing)timing, &executor->histograms[timing]);
    *collection->last = executor;
    collection->last = &executor->next;
}

/* One number of each executor, from its statistics. */
struct number {
    const char *name, *label, *type, *help; /* label "": none; the same name again: no head */
    size_t offset;
    bool is_size; /* else a uint64_t */
};

#define SIZE(field) offsetof(soon_stats, field), true
#define COUNT(field) offsetof(soon_stats, field), false

static const struct number numbers[] = {
    {"soon_workers", "", "gauge", "Workers that live.", SIZE(workers)},
    {"soon_workers_idle", "", "gauge", "Workers without work.", SIZE(idle)},
    {"soon_workers_max", "", "gauge", "The most workers that it will have.", SIZE(workers_max)},
    {"soon_tasks", ",state=\"pending\"", "gauge", "Tasks that have not ended.", SIZE(pending)},
    {"soon_tasks", ",state=\"running\"", NULL, NULL, SIZE(running)},
    {"soon_submitted_total", "", "counter", "Tasks that were taken.", COUNT(submitted)},
    {"soon_tasks_total", ",outcome=\"succeeded\"", "counter", "Tasks that have ended.", COUNT(succeeded)},
    {"soon_tasks_total", ",outcome=\"failed\"", NULL, NULL, COUNT(failed)},
    {"soon_tasks_total", ",outcome=\"cancelled\"", NULL, NULL, COUNT(cancelled)},
    {"soon_worker_deaths_total", "", "counter", "Worker processes that have died.", COUNT(worker_deaths)},
    {"soon_wakeups_total", "", "counter", "How often a sleeping worker was woken.", COUNT(wakeups)},
};

void metrics_family(FILE *to, const char *name, const char *type, const char *help)
{
    fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_number(FILE *to, const struct number *number, const struct executor *executor)
{
    const char *field = (const char *)&executor->stats + number->offset;
    size_t size;
    uint64_t count;
    memcpy(&size, field, sizeof size);
    memcpy(&count, field, sizeof count);
    fprintf(to, "%s{executor=\"%s\"%s} %llu\n", number->name, executor->name, number->label,
            number->is_size ? (unsigned long long)size : (unsigned long long)count);
}

static void write_histogram(FILE *to, const char *name, const char *executor, const soon_histogram *histogram)
{
    for (int i = 0; i < BOUNDS; i++)
        fprintf(to, "%s_bucket{executor=\"%s\",le=\"%g\"} %llu\n", name, executor, bounds_s[i],
                (unsigned long long)soon_histogram_at_most(histogram, (uint64_t)(bounds_s[i] * 1e9)));
    fprintf(to, "%s_bucket{executor=\"%s\",le=\"+Inf\"} %llu\n", name, executor, (unsigned long long)histogram->count);
    fprintf(to, "%s_sum{executor=\"%s\"} %.9g\n", name, executor, (double)histogram->sum_ns / 1e9);
    fprintf(to, "%s_count{executor=\"%s\"} %llu\n", name, executor, (unsigned long long)histogram->count);
}

static void write_all(FILE *to, const struct executor *first)
{
    static const char *const names[SOON_TIMINGS] = {"soon_queue_wait_seconds", "soon_run_seconds"};
    static const char *const helps[SOON_TIMINGS] = {"How long tasks waited for a worker.", "How long tasks ran."};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].type)
            metrics_family(to, numbers[i].name, numbers[i].type, numbers[i].help);
        for (const struct executor *executor = first; executor; executor = executor->next)
            write_number(to, &numbers[i], executor);
    }
    for (int timing = 0; timing < SOON_TIMINGS; timing++) {
        metrics_family(to, names[timing], "histogram", helps[timing]);
        for (const struct executor *executor = first; executor; executor = executor->next)
            write_histogram(to, names[timing], executor->name, &executor->histograms[timing]);
    }
}

bool executors_write(FILE *to)
{
    struct collection collection = {.last = &collection.first};
    soon_executors_each(collect, &collection);
    if (!collection.failed)
        write_all(to, collection.first);
    while (collection.first) {
        struct executor *executor = collection.first;
        collection.first = executor->next;
        free(executor);
    }
    return !collection.failed;
}
