/*
 * race_task_cancel.c - cancels that come while a task begins to listen, or ends: the one that it is meant for hears of it, and
 * no other.
 */
#include "../support/executors.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

TestSuite(race_task_cancel);

enum { BATCH = 50, ROUNDS = 200, ROUNDS_ELSEWHERE = 40 };

static soon_future *fs[BATCH];

static void spin(unsigned steps)
{
    for (volatile unsigned i = 0; i < steps; i++)
        ;
}

/* Each once, when it has begun, in whatever order they do. */
static void *cancel_each(void *data)
{
    unsigned seed = *(unsigned *)data;
    bool cancelled[BATCH] = {false};

    for (int left = BATCH; left > 0; sched_yield()) {
        for (int i = 0; i < BATCH; i++) {
            if (cancelled[i] || soon_future_state(fs[i]) == SOON_PENDING)
                continue;
            spin((unsigned)rand_r(&seed) % 3000);
            (void)soon_future_cancel(fs[i]);
            cancelled[i] = true;
            left--;
        }
    }
    return NULL;
}

/* `check` sees each when it is done; gives it up. */
static void run_rounds(soon_executor *executor, soon_future *(*submit)(soon_executor *, int),
                       void (*check)(soon_future *))
{
    int rounds = test_rounds(tasks_are_elsewhere ? ROUNDS_ELSEWHERE : ROUNDS);

    for (int round = 0; round < rounds; round++) {
        unsigned seed = (unsigned)round;
        pthread_t thread;

        for (int i = 0; i < BATCH; i++)
            fs[i] = submit(executor, i);
        cr_assert_eq(pthread_create(&thread, NULL, cancel_each, &seed), 0);
        for (int i = 0; i < BATCH; i++) {
            cr_assert_eq(soon_future_wait(fs[i], SOON_FOREVER), 0);
            check(fs[i]);
        }
        pthread_join(thread, NULL);
        for (int i = 0; i < BATCH; i++)
            soon_future_unref(fs[i]);
    }
}

/*
 * Nobody is missed
 */

SOON_TASK(listen_for_ever, unsigned, soon_none)
{
    int fd;

    spin(*arg);
    fd = soon_task_cancel_fd(task);
    if (fd < 0)
        return soon_raise(task, fd, NULL);
    while (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1) < 0)
        ;
    return soon_task_cancel_requested(task) ? -ECANCELED : soon_raise(task, EPROTO, NULL);
}

static soon_future *submit_listener(soon_executor *executor, int index)
{
    return soon_submit(executor, listen_for_ever, (unsigned)index % 7 * 200);
}

static void was_cancelled(soon_future *f)
{
    cr_assert_eq(soon_future_result(f, 0, &(soon_bytes){NULL, 0}), -ECANCELED);
}

TestOnEach(race_task_cancel, reaches_a_task_that_just_begins_to_listen)
{
    run_rounds(executor, submit_listener, was_cancelled);
}

/*
 * Nobody hears for another
 */

/* Every second is never cancelled. */
SOON_TASK(listen_and_end, unsigned, int)
{
    int fd = soon_task_cancel_fd(task);

    if (fd < 0)
        return soon_raise(task, fd, NULL);
    spin(*arg);
    *result = poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0);
    return 0;
}

static soon_future *between[BATCH];

static soon_future *submit_two(soon_executor *executor, int index)
{
    soon_future *f = soon_submit(executor, listen_and_end, (unsigned)index % 5 * 300);

    between[index] = soon_submit(executor, listen_and_end, 20000u); /* long enough to be hit */
    return f;
}

static void next_has_heard_nothing(soon_future *f)
{
    static int next;
    int readable = -1, rc = soon_take(between[next % BATCH], &readable);

    (void)f;
    next++;
    cr_assert_eq(rc, 0);
    cr_assert_eq(readable, 0);
}

TestOnEach(race_task_cancel, is_not_heard_by_the_next_task)
{
    run_rounds(executor, submit_two, next_has_heard_nothing);
}

/*
 * Callbacks do not run any more
 */

enum { ALIVE = 0x600d, GONE = 0xdead };

struct target {
    _Atomic int magic, calls;
};

static void hit(void *data)
{
    struct target *target = data;

    if (target->magic != ALIVE)
        abort();
    spin(200);
    target->calls++;
    if (target->magic != ALIVE)
        abort();
}

SOON_TASK(be_hit, unsigned, int)
{
    struct target *target = malloc(sizeof *target);
    bool taken = false;

    *target = (struct target){ALIVE, 0};
    if (soon_task_add_cancel_callback(task, hit, target) < 0)
        abort();
    spin(*arg % 1000);
    taken = soon_task_remove_cancel_callback(task, hit, target);
    if (target->calls + taken != 1)
        abort();
    target->magic = GONE;
    free(target);
    *result = 1;
    return 0;
}

static soon_future *submit_target(soon_executor *executor, int index)
{
    return soon_submit(executor, be_hit, (unsigned)index % 11 * 100);
}

static void was_hit_or_not_begun(soon_future *f)
{
    int rc = soon_future_result(f, 0, &(soon_bytes){NULL, 0});

    cr_assert(rc == 0 || (rc == -ECANCELED && !soon_future_error(f)->started), "%s", soon_future_error(f)->message);
}

TestOnEach(race_task_cancel, does_not_call_what_was_taken_back)
{
    run_rounds(executor, submit_target, was_hit_or_not_begun);
}

/* As that, but the end of the task takes it back, before its argument is released. */
struct target_arg {
    struct target *target;
    unsigned steps;
};

static void free_target(void *data)
{
    struct target_arg *arg = data;

    arg->target->magic = GONE;
    free(arg->target);
}

SOON_TASK_LOCAL(be_hit_to_the_end, struct target_arg, int, free_target, NULL)
{
    if (soon_task_add_cancel_callback(task, hit, arg->target) < 0)
        abort();
    spin(arg->steps);
    *result = 1;
    return 0;
}

static soon_future *submit_target_to_the_end(soon_executor *executor, int index)
{
    struct target *target = malloc(sizeof *target);

    *target = (struct target){ALIVE, 0};
    return soon_submit(executor, be_hit_to_the_end, target, (unsigned)index % 11 * 100);
}

TestOnEachHere(race_task_cancel, does_not_call_after_the_end_of_the_task)
{
    run_rounds(executor, submit_target_to_the_end, was_hit_or_not_begun);
}
