/*
 * jobs.h - from the files to the lines: submits files to the pool in jobs, and prints their outcomes in the order of
 * the files, whichever is done first.
 *
 *     files_next() --> job --> tasks, at most `tasks_max` --> as_completed --> outcomes --> lines, from the first job
 * on
 *
 * Jobs are held until they are printed. One long file at the front holds up the lines behind it, but not the work,
 * until HELD_MAX bytes of jobs are waiting.
 */
#ifndef DIGEST_JOBS_H
#define DIGEST_JOBS_H

#include "files.h"
#include "watch.h"

#include <soon.h>

struct jobs {
    soon_executor *pool, *streams;
    soon_as_completed *set; /* of the tasks, and of the signal */
    struct watch *watch;
    struct files files;
    struct entry entry; /* the next one, if `have_entry` */
    bool have_entry, ended;
    char *names; /* of the job that is being made */
    size_t names_capacity;

    struct job *first, **last; /* in the order of the files */
    size_t held;               /* bytes of jobs */
    unsigned tasks, tasks_max; /* those that are not done */
    const struct file *stream; /* the one being read: nothing new is begun, since the next may be the same stream */
    uint64_t count;            /* files so far */

    soon_progress_bar *bar; /* NULL: stderr is no terminal */
    soon_future *total;     /* a map of size_of_path; NULL: no bar */
    bool failed;            /* some file could not be hashed */
    int write_error;        /* an errno value: stdout takes no more */
};

/* Begins with `paths`, up to a NULL: a pool of so many workers, and one of threads for streams. The set is empty. */
void jobs_init(struct jobs *jobs, soon_executor *pool, soon_executor *streams, int workers, soon_as_completed *set,
               struct watch *watch, char *const *paths);

/* Runs until all is done, or a signal or a write error stops it. */
void jobs_run(struct jobs *jobs);

/* To be called when no task runs any more. */
void jobs_fini(struct jobs *jobs);

#endif
