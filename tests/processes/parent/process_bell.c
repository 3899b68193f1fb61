/*
 * process_bell.c - what is only slower where it is missing: the wish that a worker rings for its next reply, and the look
 * for more to do of who has taken a reply in. The loop finds out ten times a second, so no result and no wait would tell;
 * these tests look at the wish, or hold the loop up. What a thread does that waits for a task they do themselves, by hand.
 */
#include "../../../executor/core/executor_internal.h"
#include "../../../executor/loops/library_loop_internal.h"
#include "../../../executor/processes/parent/process_internal.h"
#include "../../../executor/processes/parent/replies_internal.h"
#include "../../../futures/callback_internal.h"
#include "../../support/process_fixture.h"

#include <semaphore.h>

enum { ROUNDS_OF_EACH = 20, MORE = 20 };

TestSuite(process_bell);

/* Of a pool with one worker, which has done a task. */
static struct soon__process *only_process(soon_executor *executor)
{
    struct soon__process_pool *pool = executor->self;
    struct soon__process *process;

    (void)pid_of_one(executor);
    soon__mutex_lock(&pool->backlog.mutex);
    process = pool->locked.processes;
    soon__mutex_unlock(&pool->backlog.mutex);
    cr_assert_not_null(process);
    return process;
}

/* As who has waited and leaves. */
static void spin_by_hand(struct soon__process *process)
{
    struct soon__process_pool *pool = process->pool;

    soon__mutex_lock(&pool->backlog.mutex);
    soon__process_begin_spin_locked(process);
    soon__mutex_unlock(&pool->backlog.mutex);
    soon__channel_want_no_bell(&process->channel);
    cr_assert_not(soon__process_take_in_spinning(process, NULL));
}

/* Who looks at the channel turns it off meanwhile. */
static bool is_on(const struct soon__process *process)
{
    return atomic_load(&process->channel.requests->bell_wanted) != 0;
}

struct hold {
    struct soon__job job; /* first */
    sem_t held, over;
};

static void hold_loop(struct soon__job *job)
{
    struct hold *hold = (struct hold *)job;

    sem_post(&hold->held);
    while (sem_wait(&hold->over) < 0)
        continue;
}

/* Until it is let go, by its second semaphore. */
static void hold_loop_up(struct hold *hold)
{
    *hold = (struct hold){.job.run = hold_loop};
    sem_init(&hold->held, 0, 0);
    sem_init(&hold->over, 0, 0);
    soon__library_loop_post(&hold->job);
    sem_wait(&hold->held);
}

/* The loop has no part in it. */
static void take_in_by_hand(struct soon__process *process, const soon_future *future)
{
    struct soon__loop_guest guest;

    soon__library_guest_begin(&guest);
    while (!soon_future_done(future))
        soon__process_take_in(process);
    soon__library_guest_end(&guest);
}

Test(process_bell, is_on_when_a_task_is_submitted)
{
    soon_executor *pool = new_processes(.workers = 1);
    struct soon__process *process = only_process(pool);
    struct gate gate = gate_new();
    struct hold hold;
    int result;

    hold_loop_up(&hold);
    for (int i = 0; i < ROUNDS_OF_EACH; i++) {
        soon_future *stays;

        spin_by_hand(process);
        cr_assert_not(is_on(process)); /* nothing is to be answered */
        stays = stay_submit(pool, &gate, NULL);
        cr_assert(is_on(process), "round %d", i);
        gate_open(gate, 1);
        take_in_by_hand(process, stays);
        cr_assert_eq(soon_take(stays, &result), 0);
    }
    sem_post(&hold.over);
    free_pool(pool);
    gate_free(gate);
}

/* The loop would turn it on, a little later. */
Test(process_bell, is_on_when_one_of_two_tasks_has_ended)
{
    soon_executor *pool = new_processes(.workers = 1);
    struct soon__process *process = only_process(pool);
    struct gate gate = gate_new();
    struct hold hold;
    int result;

    hold_loop_up(&hold);
    for (int i = 0; i < ROUNDS_OF_EACH; i++) {
        soon_future *first = soon_submit(pool, own_pid), *stays = stay_submit(pool, &gate, NULL);

        take_in_by_hand(process, first);
        spin_by_hand(process);
        cr_assert(is_on(process), "round %d", i);
        gate_open(gate, 1);
        take_in_by_hand(process, stays);
        cr_assert_eq(soon_take(first, &result), 0);
        cr_assert_eq(soon_take(stays, &result), 0);
    }
    sem_post(&hold.over);
    free_pool(pool);
    gate_free(gate);
}

SOON_TASK(fails, int, soon_none)
{
    return soon_raise(task, -EINVAL, "number %d", *arg);
}

/* More than there are slots, and the loop has no part in it. All end with `code`. */
static void run_without_the_loop(soon_future *(*submit_one)(soon_executor *pool, int number), int code)
{
    enum { TASKS = SOON__SLOTS + MORE };
    soon_executor *pool = new_processes(.workers = 1);
    struct soon__process *process = only_process(pool);
    soon_future *futures[TASKS];
    struct hold hold;

    hold_loop_up(&hold);
    for (int i = 0; i < TASKS; i++)
        futures[i] = submit_one(pool, i);
    for (int i = 0; i < TASKS; i++)
        take_in_by_hand(process, futures[i]);
    sem_post(&hold.over);
    for (int i = 0; i < TASKS; i++) {
        cr_assert_eq(soon_future_error(futures[i])->code, code);
        soon_future_unref(futures[i]);
    }
    free_pool(pool);
}

static soon_future *submit_fails(soon_executor *pool, int number)
{
    return soon_submit(pool, fails, number);
}

Test(process_bell, is_not_needed_to_go_on_after_tasks_that_failed)
{
    run_without_the_loop(submit_fails, SOON_ERAISED);
}

static soon_future *submit_twice(soon_executor *pool, int number)
{
    return soon_submit(pool, twice, number);
}

Test(process_bell, is_not_needed_to_go_on_after_plain_tasks)
{
    run_without_the_loop(submit_twice, 0);
}

struct later {
    struct soon__callback callback; /* first; of the one before it */
    soon_future *future;
    bool was_done;
};

static void look_at_later(soon_future *first, void *data)
{
    struct later *later = data;

    (void)first;
    later->was_done = soon_future_done(later->future);
}

/* Also if the first has somebody to tell and the second has not, which takes fewer steps. */
Test(process_bell, tells_of_tasks_in_the_order_of_their_ends)
{
    soon_executor *pool = new_processes(.workers = 1);
    struct soon__process *process = only_process(pool);
    soon_future *first, *second;
    struct later later;
    struct hold hold;
    int result;

    hold_loop_up(&hold);
    first = soon_submit(pool, own_pid);
    second = soon_submit(pool, own_pid);
    later = (struct later){.callback = {.kind = SOON__CALLBACK_INTERNAL, .fn = look_at_later, .data = &later},
                           .future = second};
    cr_assert_eq(soon__future_add_callback(first, &later.callback), 1);
    while (!soon__channel_has_replies(&process->channel, atomic_load(&process->reading.head), 2))
        continue;
    take_in_by_hand(process, second);
    cr_assert(soon_future_done(first));
    cr_assert_not(later.was_done);
    sem_post(&hold.over);
    cr_assert_eq(soon_take(first, &result), 0);
    cr_assert_eq(soon_take(second, &result), 0);
    free_pool(pool);
}

static void tell(struct soon__job *job)
{
    sem_post(&((struct hold *)job)->held);
}

/* Until it has done what it was to do before. */
static void await_loop(void)
{
    struct hold hold = {.job.run = tell};

    sem_init(&hold.held, 0, 0);
    soon__library_loop_post(&hold.job);
    while (sem_wait(&hold.held) < 0)
        continue;
}

/* So who spins may use the pool, though all that it has done is done. */
Test(process_bell, is_left_before_its_pool_is_down)
{
    soon_executor *executor = new_processes(.workers = 1);
    struct soon__process *process = only_process(executor);
    struct soon__process_pool *pool = executor->self;
    soon_future *down = soon_executor_down(executor);
    size_t present;

    soon__mutex_lock(&pool->backlog.mutex);
    soon__process_begin_spin_locked(process);
    soon__mutex_unlock(&pool->backlog.mutex);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, 0), -ETIMEDOUT);
    do {
        await_loop();
        soon__mutex_lock(&pool->backlog.mutex);
        present = pool->locked.present;
        soon__mutex_unlock(&pool->backlog.mutex);
    } while (present);
    for (int i = 0; i < 3; i++) /* it looks, and would close */
        await_loop();
    cr_assert_not(soon_future_done(down));
    cr_assert_not(soon__process_take_in_spinning(process, NULL));
    cr_assert_eq(soon_future_wait(down, SOON_FOREVER), 0);
    soon_future_unref(down);
    soon_executor_free(executor);
}
