/*
 * jobs.c - the window of files between the walk and the output. All of it on the main thread.
 */
#include "jobs.h"
#include "hash.h"
#include "output.h"
#include "total.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    JOB_FILES_MAX = 64,          /* so that a task costs little beside its files */
    JOB_NAMES_MAX = 16 * 1024,   /* bytes */
    HELD_MAX = 64 * 1024 * 1024, /* bytes */
    TASKS_PER_WORKER = 4,
    RETRIES = 2,    /* if somebody kills a worker */
    UNFINISHED = -2 /* as an outcome's error */
};

struct file {
    const char *name;
    soon_future *future; /* of the task that begins with this file */
    unsigned span;       /* how many files that task has */
    struct outcome outcome;
};

/* Some files that follow one another. */
struct job {
    struct job *next;
    size_t size;
    unsigned count, printed;
    struct file files[]; /* and behind them their names, in one piece */
};

static bool stopped(const void *watch)
{
    return watch_signal(watch) != 0;
}

/* The sizes of all files have been added up, on the thread that has done so. */
static void tell_total(soon_future *sizes, void *bar)
{
    soon_bytes all;
    uint64_t total = 0;
    if (soon_future_result(sizes, 0, &all) < 0)
        return;
    for (size_t i = 0; i < all.size / sizeof total; i++)
        total += ((const uint64_t *)all.data)[i];
    soon_progress_bar_set_total(bar, total);
}

/* One call makes all of the map; nothing waits for it. */
static void add_up(struct jobs *jobs, char *const *paths)
{
    size_t count = 0;
    while (paths[count])
        count++;
    jobs->total = soon_map_strings_async_with(
        jobs->pool, (.chunk = count, .each = &(soon_submit_options){.priority = 2}), size_of_path, paths, count);
    (void)!soon_future_add_done_callback(jobs->total, tell_total, jobs->bar); /* else the bar has no total */
}

void jobs_init(struct jobs *jobs, soon_executor *pool, soon_executor *streams, int workers, soon_as_completed *set,
               struct watch *watch, char *const *paths)
{
    *jobs = (struct jobs){.pool = pool, .streams = streams, .set = set, .watch = watch};
    jobs->last = &jobs->first;
    jobs->tasks_max = TASKS_PER_WORKER * (unsigned)workers;
    files_init(&jobs->files, paths, stopped, watch);
    /* A bar that cannot be made is NULL, and nobody misses it. */
    (void)soon_progress_bar_new(&jobs->bar, &(soon_progress_bar_options){.counts = SOON_PROGRESS_BAR_PROGRESS,
                                                                         .unit = "B",
                                                                         .scale = SOON_PROGRESS_BAR_SCALE_1024,
                                                                         .vanish = true,
                                                                         .hidden = !isatty(STDERR_FILENO)});
    if (jobs->bar)
        add_up(jobs, paths);
}

static void submit(struct jobs *jobs, struct file *first, unsigned count, size_t names_size)
{
    first->span = count;
    soon_executor *executor = jobs->stream == first ? jobs->streams : jobs->pool;
    soon_submit_options options = {.data = first, .priority = count == 1, .retries = RETRIES};
    first->future = hash_files_submit(executor, first->name, names_size, &options);
    int rc = soon_as_completed_add(jobs->set, first->future);
    (void)soon_progress_bar_add(jobs->bar, first->future);
    if (rc < 0)
        die(soon_strerror(rc));
    jobs->tasks++;
}

/* Whether there is another entry, which is then in jobs->entry. */
static bool have_entry(struct jobs *jobs)
{
    if (!jobs->have_entry && !jobs->ended) {
        jobs->have_entry = files_next(&jobs->files, &jobs->entry);
        jobs->ended = !jobs->have_entry;
    }
    return jobs->have_entry;
}

/* Gathers names for a job, in jobs->names. Returns: how many. */
static unsigned gather(struct jobs *jobs, size_t *ret_size)
{
    /* Few at first, so that a few files are spread over all workers. */
    unsigned count = 0, count_max = jobs->count / 16 < JOB_FILES_MAX ? 1 + (unsigned)jobs->count / 16 : JOB_FILES_MAX;
    bool alone = false;
    *ret_size = 0;
    while (count < count_max && *ret_size < JOB_NAMES_MAX && !alone && have_entry(jobs)) {
        alone = jobs->entry.error || jobs->entry.stream;
        if (alone && count > 0)
            break;

        size_t size = strlen(jobs->entry.name) + 1;
        if (*ret_size + size > jobs->names_capacity) {
            jobs->names_capacity = 2 * (*ret_size + size);
            jobs->names = must(realloc(jobs->names, jobs->names_capacity));
        }
        memcpy(jobs->names + *ret_size, jobs->entry.name, size);
        *ret_size += size;
        jobs->have_entry = false;
        count++;
    }
    jobs->count += count;
    return count;
}

/* Puts a job for the gathered names behind the others. */
static struct job *add_job(struct jobs *jobs, unsigned count, size_t names_size)
{
    size_t size = sizeof(struct job) + count * sizeof(struct file) + names_size;
    struct job *job = must(malloc(size));
    *job = (struct job){.size = size, .count = count};
    const char *name = memcpy(&job->files[count], jobs->names, names_size);
    for (unsigned i = 0; i < count; i++, name += strlen(name) + 1)
        job->files[i] = (struct file){.name = name, .outcome.error = UNFINISHED};
    *jobs->last = job;
    jobs->last = &job->next;
    jobs->held += size;
    return job;
}

/* Hands out files as long as the pool, the memory and their order allow. */
static void feed(struct jobs *jobs)
{
    while (!jobs->ended && !jobs->stream && jobs->tasks < jobs->tasks_max && jobs->held < HELD_MAX) {
        size_t names_size;
        unsigned count = gather(jobs, &names_size);
        if (count == 0)
            return;
        struct job *job = add_job(jobs, count, names_size);
        /* An entry that must be alone is a whole job, and still the last one that was read. */
        if (!jobs->have_entry && jobs->entry.error) {
            job->files[0].outcome.error = jobs->entry.error;
            continue;
        }
        if (!jobs->have_entry && jobs->entry.stream)
            jobs->stream = &job->files[0];
        submit(jobs, &job->files[0], count, names_size);
    }
}

/* Takes the outcomes of a task that is done. */
static void finish(struct jobs *jobs, struct file *first, soon_future *future)
{
    soon_bytes result;
    if (soon_future_result(future, SOON_FOREVER, &result) < 0) {
        if (stopped(jobs->watch))
            return; /* so the task has failed */
        die(soon_future_error(future)->message);
    }
    if (jobs->stream == first)
        jobs->stream = NULL;
    jobs->tasks--;
    soon_future_unref(first->future);
    first->future = NULL;

    const struct outcome *outcomes = result.data;
    unsigned span = first->span;
    for (unsigned i = 0; i < span; i++)
        if (outcomes[i].error == HASH_ALONE)
            submit(jobs, &first[i], 1, strlen(first[i].name) + 1);
        else
            first[i].outcome = outcomes[i];
}

/* Returns: false: it was not printed, because it is not finished, or because writing failed. */
static bool print_file(struct jobs *jobs, const struct file *file)
{
    int error = file->outcome.error;
    if (error == UNFINISHED || jobs->write_error)
        return false;
    jobs->failed = jobs->failed || error;
    if (!(error ? output_error(file->name, error) : output_line(file->outcome.digest, file->name)))
        jobs->write_error = errno;
    return true;
}

/* Prints the jobs at the front that are finished. */
static void print_finished(struct jobs *jobs)
{
    struct job *job;
    while ((job = jobs->first)) {
        while (job->printed < job->count && print_file(jobs, &job->files[job->printed]))
            job->printed++;
        if (job->printed < job->count)
            break;
        jobs->first = job->next;
        if (!jobs->first)
            jobs->last = &jobs->first;
        jobs->held -= job->size;
        free(job);
    }
    if (!jobs->write_error && !output_flush())
        jobs->write_error = errno;
}

/* Waits until a task is done, or something else has happened. */
static void take_event(struct jobs *jobs)
{
    soon_future *future;
    int rc = soon_as_completed_next(jobs->set, &future);
    if (rc < 0)
        die(soon_strerror(rc));
    struct file *first = soon_future_data(future);
    if (first)
        finish(jobs, first, future);
    else if (!soon_future_succeeded(future) && !stopped(jobs->watch)) /* there was no memory for a future of its own */
        die(soon_future_error(future)->message);
    soon_future_unref(future);
}

void jobs_run(struct jobs *jobs)
{
    for (;;) {
        feed(jobs);
        print_finished(jobs);
        if (watch_signal(jobs->watch) || jobs->write_error || (jobs->ended && jobs->tasks == 0))
            return;
        if (jobs->tasks > 0)
            take_event(jobs);
    }
}

void jobs_fini(struct jobs *jobs)
{
    struct job *job;
    while ((job = jobs->first)) {
        jobs->first = job->next;
        for (unsigned i = 0; i < job->count; i++)
            soon_future_unref(job->files[i].future);
        free(job);
    }
    soon_progress_bar_free(jobs->bar);
    soon_future_unref(jobs->total);
    files_fini(&jobs->files);
    free(jobs->names);
}
