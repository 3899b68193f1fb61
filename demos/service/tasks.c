/*
 * tasks.c - the tasks that read nothing. On the workers' side.
 */
#include "tasks.h"

#include "../digest/hash.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    STRIPS_A_TURN = 2000, /* some microseconds, for which a thread of the service may have to wait */
    TURNS_AT_ONCE = 10    /* between two looks at a cancel request */
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
 * A worker gives way to the service at once: an answer is not to wait until a computation has used up its turn. The
 * lowest niceness would not do: now and then it still has a turn. Of a crash no core file is left, which would be of no
 * use to anybody.
 */
SOON_TASK_DEFINE(prepare_worker)
{
    sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    return hasher_make(task);
}

static double add_strips(int64_t from, int64_t to, double width)
{
    double sum = 0;
    for (int64_t i = from; i < to; i++) {
        double x = ((double)i + 0.5) * width;
        sum += 4 / (1 + x * x);
    }
    return sum;
}

SOON_TASK_DEFINE(compute_pi)
{
    double sum = 0;
    place_take(task, arg->place);
    for (int64_t turn = 0, i = 0; i < arg->strips; turn++) {
        if (turn % TURNS_AT_ONCE == 0) {
            soon_task_set_progress(task, (uint64_t)i, (uint64_t)arg->strips);
            if (soon_task_cancel_requested(task))
                return -ECANCELED;
        }
        int64_t to = arg->strips - i < STRIPS_A_TURN ? arg->strips : i + STRIPS_A_TURN;
        sum += add_strips(i, to, 1.0 / (double)arg->strips);
        i = to;
        sched_yield(); /* new kernels let a computation go on until a tick, or until it enters them */
    }
    soon_task_set_progress(task, (uint64_t)arg->strips, (uint64_t)arg->strips);
    result->pi = sum / (double)arg->strips;
    return 0;
}

SOON_TASK_DEFINE(crash)
{
    int *volatile nowhere = (int *)64;
    place_take(task, arg->place);
    *nowhere = 1;
    return 0;
}
