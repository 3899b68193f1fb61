/*
 * tasks.h - what runs in the worker processes, and the board on which workers write what they have begun.
 */
#ifndef SERVICE_TASKS_H
#define SERVICE_TASKS_H

#include <soon.h>
#include <stdatomic.h>
#include <stdint.h>

/*
 * The board lies in memory that the service shares with its workers: one place for each job that is not done. A future
 * does not say where its task runs; the task itself writes that down when it begins, and the service reads it.
 */
struct place {
    _Atomic int64_t began_ns; /* CLOCK_MONOTONIC */
    _Atomic int32_t worker;   /* a process ID; 0: not begun */
};

/* To be called first by each task. Worker only. */
void place_take(soon_task *task, int32_t place);

/* The initializer of the pool. */
SOON_TASK_DECLARE(prepare_worker, soon_none, soon_none);

struct pi_arg {
    int64_t strips;
    int32_t place;
};
struct pi_result {
    double pi;
};
/* Pi as the area under 4 / (1 + x * x), in strips. */
SOON_TASK_DECLARE(compute_pi, struct pi_arg, struct pi_result);

struct crash_arg {
    int32_t place;
};
/* Dies of SIGSEGV. */
SOON_TASK_DECLARE(crash, struct crash_arg, soon_none);

struct digest_arg {
    int32_t place;
};
struct digest_result {
    unsigned char sha256[32];
    uint64_t bytes, files, failed;
};
/*
 * The SHA-256 of the payload, or of the file or folder whose path the extra bytes are. Of a folder the listing comes
 * along as a payload.
 */
SOON_TASK_DECLARE(digest, struct digest_arg, struct digest_result);

struct thumbnail_arg {
    int32_t place, width, height;
    int32_t jpeg; /* else PNG */
};
struct thumbnail_result {
    int32_t width, height, source_width, source_height;
};
/* A smaller image of the payload, or of the file whose path the extra bytes are; it comes along as a payload. */
SOON_TASK_DECLARE(thumbnail, struct thumbnail_arg, struct thumbnail_result);

#endif
