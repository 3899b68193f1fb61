/*
 * tasks.c - the tasks that read nothing. On the workers' side.
 */
#include "tasks.h"

#include "../digest/hash.h"

#include <errno.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    STRIPS_AT_ONCE = 1000000, /* some milliseconds, between two looks at a cancel request */
    PRIORITY = 19             /* as nice has it: the lowest */
};

void place_take(soon_task *task, int32_t place)
{
    struct place *board = soon_task_shared(task);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
    atomic_store_explicit(&board[place].began_ns, now_ns, memory_order_relaxed);
    /* Release publishes the time; pairs with the acquire in job_look(). */
    atomic_store_explicit(&board[place].worker, getpid(), memory_order_release);
}

/*
 * A worker has a lower priority than the service: an answer is not to wait until a computation has used up its turn. Of
 * a crash no core file is left, which would be of no use to anybody.
 */
SOON_TASK_DEFINE(prepare_worker)
{
    setpriority(PRIO_PROCESS, 0, PRIORITY);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    return hasher_make(task);
}

SOON_TASK_DEFINE(compute_pi)
{
    double width = 1.0 / (double)arg->strips, sum = 0;
    place_take(task, arg->place);
    for (int64_t i = 0; i < arg->strips; i++) {
        if (i % STRIPS_AT_ONCE == 0) {
            soon_task_set_progress(task, (uint64_t)i, (uint64_t)arg->strips);
            if (soon_task_cancel_requested(task))
                return -ECANCELED;
        }
        double x = ((double)i + 0.5) * width;
        sum += 4 / (1 + x * x);
    }
    soon_task_set_progress(task, (uint64_t)arg->strips, (uint64_t)arg->strips);
    result->pi = sum * width;
    return 0;
}

SOON_TASK_DEFINE(crash)
{
    int *volatile nowhere = (int *)64;
    place_take(task, arg->place);
    *nowhere = 1;
    return 0;
}
