/*
 * jobs.c - the table of jobs, and their way through the pool.
 */
#include "jobs.h"
#include "outcome.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

enum {
    SPARE_PLACES = 1000 /* for those that run, or wait at a worker: beyond the queue's bound */
};

static const char *const state_names[] = {"queued", "running", "succeeded", "failed", "cancelled"};

const char *job_state_name(enum job_state state)
{
    return state_names[state];
}

static int make_pool(struct jobs *jobs)
{
    const struct options *options = jobs->options;
    return soon_process_pool_new(&jobs->pool, &(soon_process_pool_options){
                                                  .workers = (int)options->workers,
                                                  .name = "jobs",
                                                  .initializer = &prepare_worker_task,
                                                  .shared = jobs->memory,
                                                  .queue_max = (size_t)options->queued_max,
                                                  .when_full = SOON_FULL_FAIL,
                                                  .directory = options->root,
                                                  .memory_limit = UINT64_C(1) << 30,
                                                  .max_restarts = -1,
                                              });
}

int jobs_init(struct jobs *jobs, const struct options *options, soon_loop *on, job_changed_fn changed, void *data)
{
    *jobs = (struct jobs){.options = options, .on = on, .changed = changed, .data = data};
    jobs->last_ended = &jobs->first_ended;
    jobs->places = (size_t)options->queued_max + SPARE_PLACES;
    for (jobs->bucket_count = 64; jobs->bucket_count < jobs->places + (size_t)options->kept_max;)
        jobs->bucket_count *= 2;
    jobs->buckets = calloc(jobs->bucket_count, sizeof(struct job *));
    jobs->free_places = calloc(jobs->places, sizeof *jobs->free_places);
    if (!jobs->buckets || !jobs->free_places)
        return -ENOMEM;
    while (jobs->free_count < jobs->places) {
        jobs->free_places[jobs->free_count] = (int32_t)jobs->free_count;
        jobs->free_count++;
    }
    int rc = soon_shared_new(&jobs->memory, jobs->places * sizeof *jobs->board);
    if (rc < 0)
        return rc;
    jobs->board = soon_shared_data(jobs->memory);
    return make_pool(jobs);
}

static struct job **bucket_of(const struct jobs *jobs, uint64_t number)
{
    return &jobs->buckets[number & (jobs->bucket_count - 1)];
}

struct job *jobs_find(const struct jobs *jobs, uint64_t number)
{
    struct job *job = *bucket_of(jobs, number);
    while (job && job->number != number)
        job = job->same_bucket;
    return job;
}

/* Takes it out of the order of changes. */
static void unlink_change(struct job *job)
{
    struct jobs *jobs = job->jobs;
    if (job->changed_before)
        job->changed_before->changed_later = job->changed_later;
    if (job->changed_later)
        job->changed_later->changed_before = job->changed_before;
    else if (jobs->changed_last == job)
        jobs->changed_last = job->changed_before;
    job->changed_before = job->changed_later = NULL;
}

static void tell(struct job *job)
{
    struct jobs *jobs = job->jobs;
    unlink_change(job);
    job->changed_before = jobs->changed_last;
    if (jobs->changed_last)
        jobs->changed_last->changed_later = job;
    jobs->changed_last = job;
    job->change = ++jobs->last_change;
    jobs->changed(job, jobs->data);
}

static void insert(struct jobs *jobs, struct job *job)
{
    struct job **bucket = bucket_of(jobs, job->number);
    job->same_bucket = *bucket;
    *bucket = job;
    job->older = jobs->newest;
    if (jobs->newest)
        jobs->newest->newer = job;
    else
        jobs->oldest = job;
    jobs->newest = job;
}

static void free_job(struct job *job)
{
    soon_future_unref(job->future);
    soon_buffer_unref(job->file);
    json_decref(job->result);
    json_decref(job->error);
    free(job);
}

static void forget(struct job *job)
{
    struct jobs *jobs = job->jobs;
    struct job **at = bucket_of(jobs, job->number);
    while (*at != job)
        at = &(*at)->same_bucket;
    *at = job->same_bucket;
    *(job->newer ? &job->newer->older : &jobs->newest) = job->older;
    *(job->older ? &job->older->newer : &jobs->oldest) = job->newer;
    unlink_change(job);
    free_job(job);
}

/* Forgets those that ended first, until the rest is within the bounds. */
static void forget_old(struct jobs *jobs)
{
    while (jobs->first_ended &&
           (jobs->kept > (size_t)jobs->options->kept_max || jobs->kept_bytes > (size_t)jobs->options->kept_bytes_max)) {
        struct job *job = jobs->first_ended;
        jobs->first_ended = job->ended_later;
        if (!jobs->first_ended)
            jobs->last_ended = &jobs->first_ended;
        jobs->kept--;
        jobs->kept_bytes -= job->kept_bytes;
        forget(job);
    }
}

/* The one function that changes a state. */
static void job_move(struct job *job, enum job_state state)
{
    struct jobs *jobs = job->jobs;
    job->state = state;
    if (!job_has_ended(job))
        return;
    jobs->totals[job->kind][state]++;
    job->ended_ns = (int64_t)uv_hrtime();
    jobs->free_places[jobs->free_count++] = job->place;
    jobs->upload_bytes -= job->upload_size;
    *jobs->last_ended = job;
    jobs->last_ended = &job->ended_later;
    jobs->kept++;
    jobs->kept_bytes += job->kept_bytes;
}

void job_look(struct job *job)
{
    if (!job->future)
        return;
    struct place *place = &job->jobs->board[job->place];
    /* Acquire, to read the time that stands beside it; pairs with the release in place_take(). */
    int worker = atomic_load_explicit(&place->worker, memory_order_acquire);
    if (worker) {
        job->worker = worker;
        job->began_ns = atomic_load_explicit(&place->began_ns, memory_order_relaxed);
    }
    job->progress = soon_future_progress(job->future);
    if (worker && job->state == JOB_QUEUED)
        job_move(job, JOB_RUNNING);
}

static void on_progress(soon_future *future, soon_progress progress, void *data)
{
    (void)future, (void)progress;
    job_look(data);
    tell(data);
}

static void on_done(soon_future *future, void *data)
{
    struct job *job = data;
    struct jobs *jobs = job->jobs;
    job_look(job);
    enum job_state state = outcome_take(job, future);
    soon_future_unref(job->future);
    job->future = NULL;
    job_move(job, state);
    tell(job);
    forget_old(jobs);
}

/* Returns: what soon_try_submit() returns. */
static int submit(struct jobs *jobs, const struct spec *spec, struct job *job)
{
    soon_submit_options options = {
        .label = spec->label,
        .time_limit_ms = spec->time_limit_ms,
        .queue_limit_ms = jobs->options->queue_limit_ms,
        .payload = spec->upload,
        .extra = spec->upload ? (soon_bytes){0} : soon_string(spec->path),
        .on_done = on_done,
        .on_done_data = job,
        .on_done_loop = jobs->on,
        .on_progress = on_progress,
        .on_progress_data = job,
    };
    switch (spec->kind) {
    case JOB_PI:
        return compute_pi_try_submit(&job->future, jobs->pool,
                                     &(struct pi_arg){.strips = spec->strips, .place = job->place}, &options);
    case JOB_DIGEST:
        return digest_try_submit(&job->future, jobs->pool, &(struct digest_arg){.place = job->place}, &options);
    case JOB_THUMBNAIL:
        return thumbnail_try_submit(&job->future, jobs->pool,
                                    &(struct thumbnail_arg){.place = job->place,
                                                            .width = (int32_t)spec->width,
                                                            .height = (int32_t)spec->height,
                                                            .jpeg = spec->jpeg},
                                    &options);
    default:
        return crash_try_submit(&job->future, jobs->pool, &(struct crash_arg){.place = job->place}, &options);
    }
}

static void describe(struct job *job, const struct spec *spec)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    job->created_s = (double)now.tv_sec + (double)(now.tv_nsec / 1000000) / 1000;
    job->submitted_ns = (int64_t)uv_hrtime();
    job->kind = spec->kind;
    job->jpeg = spec->jpeg;
    job->strips = spec->strips;
    job->upload_size = spec->upload ? soon_buffer_size(spec->upload) : 0;
    memcpy(job->label, spec->label, sizeof job->label);
}

/* A place of the board and a job in it. NULL: there is no place, or no memory. */
static struct job *new_job(struct jobs *jobs)
{
    struct job *job = jobs->free_count ? calloc(1, sizeof *job) : NULL;
    if (!job)
        return NULL;
    job->jobs = jobs;
    job->place = jobs->free_places[--jobs->free_count];
    /* Relaxed: whoever writes there next is told of the place by the submit. */
    atomic_store_explicit(&jobs->board[job->place].worker, 0, memory_order_relaxed);
    return job;
}

int jobs_submit(struct jobs *jobs, struct spec *spec, struct job **ret)
{
    struct job *job = new_job(jobs);
    int rc = job ? 0 : jobs->free_count ? -ENOMEM : SOON_EFULL;
    if (job) {
        describe(job, spec);
        rc = submit(jobs, spec, job);
    }
    if (rc < 0) {
        if (job)
            jobs->free_places[jobs->free_count++] = job->place;
        free(job);
        soon_buffer_unref(spec->upload);
        jobs->refused++;
        return rc;
    }
    jobs->upload_bytes += job->upload_size;
    job->number = ++jobs->last_number;
    insert(jobs, job);
    tell(job);
    *ret = job;
    return 0;
}

bool job_cancel(struct job *job)
{
    if (!job->future)
        return false;
    job->cancelling = true;
    if (!soon_future_cancel(job->future))
        soon_future_kill(job->future); /* it may have ended just now: the callback will tell */
    if (soon_future_cancelled(job->future) && soon_future_remove_done_callback(job->future, on_done, job)) {
        soon_future_remove_progress_callback(job->future, on_progress, job);
        on_done(job->future, job); /* now, so that the answer says so */
    } else {
        tell(job);
    }
    return true;
}

void jobs_fini(struct jobs *jobs)
{
    while (jobs->newest)
        forget(jobs->newest);
    soon_shared_unref(jobs->memory);
    free(jobs->free_places);
    free(jobs->buckets);
}
