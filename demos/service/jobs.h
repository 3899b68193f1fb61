/*
 * jobs.h - the jobs of the service: those that wait or run, and the last ones that have ended. All of it on the loop's
 * thread.
 *
 *     jobs_submit() --> QUEUED --> RUNNING --> SUCCEEDED, FAILED, CANCELLED --> forgotten, when newer ones have ended
 *                          |                      |
 *                          +----------------------+      job_move() alone changes the state
 *
 * Whoever runs the task writes its process ID to the job's place of the board; job_look() reads it, which is how the
 * service learns that a job runs. The end comes as a callback on the loop. Until then the job holds its future and its
 * place; nothing else is freed meanwhile, so the callback always finds its job.
 */
#ifndef SERVICE_JOBS_H
#define SERVICE_JOBS_H

#include "options.h"
#include "spec.h"
#include "tasks.h"

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_SUCCEEDED, JOB_FAILED, JOB_CANCELLED, JOB_STATES };

struct job {
    struct job *newer, *older;                  /* all jobs, in the order of their numbers */
    struct job *changed_later, *changed_before; /* all jobs, in the order of their last change */
    struct job *ended_later;                    /* those that have ended, in that order */
    struct job *same_bucket;
    struct jobs *jobs;
    uint64_t number;
    uint64_t change; /* the number of the last change, among the changes of all jobs */
    enum job_kind kind;
    enum job_state state;
    bool cancelling;
    char label[201];
    bool jpeg;
    int64_t strips;
    double created_s;                         /* since 1970 */
    int64_t submitted_ns, began_ns, ended_ns; /* CLOCK_MONOTONIC; 0: not yet */
    int worker;
    size_t upload_size;
    soon_progress progress;
    soon_future *future; /* NULL: it has ended */
    int32_t place;
    json_t *result, *error; /* NULL: none */
    soon_buffer *file;      /* the result's file; NULL: none */
    size_t kept_bytes;
};

/* Hears that a job has changed. */
typedef void (*job_changed_fn)(struct job *job, void *data);

struct jobs {
    const struct options *options;
    soon_loop *on;
    soon_executor *pool;
    soon_shared *memory;
    struct place *board;
    int32_t *free_places;
    size_t places, free_count;

    struct job *newest, *oldest;
    struct job *changed_last;
    struct job *first_ended, **last_ended;
    struct job **buckets;
    size_t bucket_count; /* a power of 2 */
    uint64_t last_number, last_change;

    size_t kept, kept_bytes, upload_bytes;
    uint64_t refused, totals[JOB_KINDS][JOB_STATES]; /* since the start */
    job_changed_fn changed;
    void *data;
};

/* Makes the pool and its board. Returns: 0, or a negative code, which soon_last_error() explains. */
int jobs_init(struct jobs *jobs, const struct options *options, soon_loop *on, job_changed_fn changed, void *data);

/* To be called when the pool is gone. */
void jobs_fini(struct jobs *jobs);

/*
 * Gives a job to the pool.
 *
 * Ownership: takes spec->upload, always. The job is lent until the loop goes on.
 * Returns: 0; SOON_EFULL, SOON_ESHUTDOWN, SOON_EBROKEN, -ENOMEM ...
 */
int jobs_submit(struct jobs *jobs, struct spec *spec, struct job **ret);

/* The job with this number; NULL: there is none any more. Lent until the loop goes on. */
struct job *jobs_find(const struct jobs *jobs, uint64_t number);

/* Cancels a job, and kills it if it runs. Returns: false: it has ended. */
bool job_cancel(struct job *job);

/* Brings state, worker and progress up to date with what the worker has written. */
void job_look(struct job *job);

/* "queued" ... Static. */
const char *job_state_name(enum job_state state);

static inline bool job_has_ended(const struct job *job)
{
    return job->state >= JOB_SUCCEEDED;
}

#endif
