/*
 * queue_bound.c - the bounded queue of a thread pool: what a submit does when it is full, and who is exempt.
 */
#include "../support/pools.h"

#include "../../executor/threads/scheduler_internal.h"

TestSuite(queue_bound);

/* How many submitters wait for a place. Nothing public tells. */
static size_t waiting_in(soon_executor *executor)
{
    struct soon__pool *pool = executor->self;
    size_t waiting;

    soon__pool_lock(pool);
    waiting = pool->backlog.place.waiting;
    soon__pool_unlock(pool);
    return waiting;
}

/* A pool with one worker, which is busy, and a queue of 2 that is full. */
static struct {
    soon_executor *pool;
    struct gate gate;
    soon_future *running, *queued[2];
} full;

static void fill(soon_full policy)
{
    full.pool = new_pool(.workers = 1, .queue_max = 2, .when_full = policy);
    full.gate = gate_new();
    full.running = occupy_one(full.pool, full.gate);
    for (int i = 0; i < 2; i++)
        full.queued[i] = soon_submit(full.pool, twice, i);
    cr_assert_eq(stats_of(full.pool).pending, 2);
}

static void empty(void)
{
    int result;

    gate_open(full.gate, 1);
    cr_assert_eq(outcome_of(full.running), 0);
    for (int i = 0; i < 2; i++) {
        int rc = soon_take(full.queued[i], &result);
        cr_assert(rc == -ECANCELED || (rc == 0 && result == 2 * i));
    }
    free_pool(full.pool);
    gate_free(full.gate);
}

Test(queue_bound, refuses_what_has_no_place_if_it_shall_fail)
{
    fill(SOON_FULL_FAIL);
    soon_future *f = soon_submit_with(full.pool, (.label = "third"), twice, 3);

    cr_assert(soon_future_done(f));
    cr_assert_eq(soon_result(f, &(int){0}), SOON_EFULL);
    cr_assert_not(soon_future_error(f)->started);
    cr_assert_str_eq(soon_future_error(f)->label, "third");
    cr_assert_eq(stats_of(full.pool).submitted, 3);
    cr_assert_eq(stats_of(full.pool).pending, 2);
    soon_future_unref(f);
    empty();
}

Test(queue_bound, has_try_submit_that_neither_waits_nor_runs_anything_whatever_the_policy)
{
    static const soon_full policies[] = {SOON_FULL_DEFAULT, SOON_FULL_BLOCK, SOON_FULL_FAIL, SOON_FULL_RUN_HERE};

    for (size_t i = 0; i < 4; i++) {
        fill(policies[i]);
        for (size_t j = 0; j < 4; j++) {
            soon_submit_options options = {.when_full = policies[j]};
            soon_future *f = NULL;

            cr_assert_eq(soon_try_submit_bytes(&f, full.pool, &nothing_task, NULL, 0, &options), SOON_EFULL);
            cr_assert_null(f);
        }
        empty();
    }
}

Test(queue_bound, has_a_place_again_when_one_is_cancelled)
{
    fill(SOON_FULL_FAIL);
    soon_future *f;

    cr_assert(soon_future_cancel(full.queued[0]));
    f = soon_submit(full.pool, twice, 5);
    cr_assert_eq(soon_future_state(f), SOON_PENDING);
    cr_assert_eq(outcome_of(soon_submit(full.pool, nothing)), SOON_EFULL);
    soon_future_unref(f);
    empty();
}

Test(queue_bound, has_a_place_again_when_one_has_expired)
{
    fill(SOON_FULL_FAIL);
    soon_future *expires, *f;

    cr_assert(soon_future_cancel(full.queued[1]));
    expires = nothing_submit(full.pool, NULL, &(soon_submit_options){.queue_limit_ms = 1});
    cr_assert_eq(outcome_of(expires), SOON_EEXPIRED);
    f = soon_submit(full.pool, twice, 5);
    cr_assert_eq(soon_future_state(f), SOON_PENDING);
    soon_future_unref(f);
    empty();
}

/*
 * Run here
 */

struct here {
    int thread;
    bool own_pool, local;
};

SOON_TASK(tell_where, soon_none, struct here)
{
    *result = (struct here){gettid(), soon_task_executor(task) == full.pool, soon_task_local(task) != NULL};
    return 0;
}

Test(queue_bound, runs_the_task_on_the_submitting_thread_if_it_shall)
{
    fill(SOON_FULL_RUN_HERE);
    soon_future *f = soon_submit(full.pool, tell_where);
    struct here here;

    cr_assert(soon_future_done(f));
    cr_assert_eq(tell_where_get(f, 0, &here), 0);
    cr_assert_eq(here.thread, gettid());
    cr_assert(here.own_pool);
    cr_assert_eq(stats_of(full.pool).submitted, 4);
    cr_assert_eq(stats_of(full.pool).succeeded, 1);
    soon_future_unref(f);
    empty();
}

SOON_TASK(misbehave, int, int)
{
    switch (*arg) {
    case 0:
        return soon_raise(task, EIO, "here");
    case 1:
        *result = soon_executor_shutdown(full.pool, SOON_DRAIN, SOON_FOREVER);
        break;
    case 2:
        *result = soon_executor_free(full.pool);
        break;
    default: /* as in a worker: exempt from the bound, and the wait runs it */
        return soon_take(soon_submit(full.pool, twice, *arg), result);
    }
    return 0;
}

Test(queue_bound, runs_tasks_here_as_a_worker_would)
{
    int result;

    fill(SOON_FULL_RUN_HERE);
    cr_assert_eq(soon_take(soon_submit(full.pool, misbehave, 0), &result), SOON_ERAISED);
    cr_assert_eq(stats_of(full.pool).failed, 1);
    cr_assert_eq(soon_take(soon_submit(full.pool, misbehave, 2), &result), 0);
    cr_assert_eq(result, SOON_EDEADLK);
    cr_assert_eq(soon_take(soon_submit(full.pool, misbehave, 1), &result), 0);
    cr_assert_eq(result, SOON_EDEADLK);
    empty();
}

static void *open_it(void *data)
{
    (void)data;
    test_wait_until(stats_of(full.pool).pending == 3); /* the child of the task here */
    gate_open(full.gate, 1);
    return NULL;
}

Test(queue_bound, lets_a_task_that_runs_here_wait_for_others)
{
    pthread_t opener;
    int result;

    fill(SOON_FULL_RUN_HERE);
    cr_assert_eq(pthread_create(&opener, NULL, open_it, NULL), 0);
    cr_assert_eq(soon_take(soon_submit(full.pool, misbehave, 21), &result), 0);
    cr_assert_eq(result, 42);
    pthread_join(opener, NULL);
    empty();
}

Test(queue_bound, takes_the_policy_of_the_submit_before_its_own)
{
    soon_submit_options here = {.when_full = SOON_FULL_RUN_HERE}, fail = {.when_full = SOON_FULL_FAIL};
    struct here told;

    fill(SOON_FULL_FAIL);
    cr_assert_eq(soon_take(tell_where_submit(full.pool, NULL, &here), &told), 0);
    cr_assert_eq(told.thread, gettid());
    empty();
    fill(SOON_FULL_DEFAULT);
    cr_assert_eq(outcome_of(nothing_submit(full.pool, NULL, &fail)), SOON_EFULL);
    empty();
}

/*
 * Block
 */

static void *submit_and_read(void *pool)
{
    return (void *)(intptr_t)outcome_of(soon_submit(pool, nothing));
}

static intptr_t outcome_of_thread(pthread_t thread)
{
    void *rc;

    pthread_join(thread, &rc);
    return (intptr_t)rc;
}

/* pebble and loky: queue-full cases (test_queue_full_deadlock) */
Test(queue_bound, lets_the_submitter_wait_for_a_place_by_default)
{
    pthread_t submitters[5];

    fill(SOON_FULL_DEFAULT);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(pthread_create(&submitters[i], NULL, submit_and_read, full.pool), 0);
    test_wait_until(waiting_in(full.pool) == 5);
    cr_assert_eq(stats_of(full.pool).pending, 2);
    gate_open(full.gate, 1);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(outcome_of_thread(submitters[i]), 0);

    cr_assert_eq(stats_of(full.pool).submitted, 8);
    empty();
}

Test(queue_bound, lets_a_submitter_in_when_one_is_cancelled)
{
    pthread_t submitter;

    fill(SOON_FULL_DEFAULT);
    cr_assert_eq(pthread_create(&submitter, NULL, submit_and_read, full.pool), 0);
    test_wait_until(waiting_in(full.pool) == 1);
    cr_assert(soon_future_cancel(full.queued[1]));
    test_wait_until(waiting_in(full.pool) == 0);

    gate_open(full.gate, 1);
    cr_assert_eq(outcome_of_thread(submitter), 0);
    empty();
}

Test(queue_bound, lets_a_submitter_in_when_one_expires)
{
    soon_future *expires;
    pthread_t submitter;

    fill(SOON_FULL_DEFAULT);
    cr_assert(soon_future_cancel(full.queued[0]));
    expires = nothing_submit(full.pool, NULL, &(soon_submit_options){.queue_limit_ms = 50});
    cr_assert_eq(pthread_create(&submitter, NULL, submit_and_read, full.pool), 0);
    cr_assert_eq(outcome_of(expires), SOON_EEXPIRED);
    test_wait_until(stats_of(full.pool).submitted == 5);
    gate_open(full.gate, 1);

    cr_assert_eq(outcome_of_thread(submitter), 0);
    empty();
}

Test(queue_bound, sends_waiting_submitters_away_when_it_is_shut_down)
{
    for (int mode = SOON_DRAIN; mode <= SOON_KILL; mode++) {
        pthread_t submitters[3];

        fill(SOON_FULL_DEFAULT);
        for (int i = 0; i < 3; i++)
            cr_assert_eq(pthread_create(&submitters[i], NULL, submit_and_read, full.pool), 0);
        test_wait_until(waiting_in(full.pool) == 3);
        cr_assert(begins_shutdown(full.pool, (soon_shutdown)mode));

        for (int i = 0; i < 3; i++)
            cr_assert_eq(outcome_of_thread(submitters[i]), SOON_ESHUTDOWN);
        if (mode >= SOON_TERMINATE) { /* what runs gives in */
            cr_assert_eq(outcome_of(full.running), -ECANCELED);
            soon_futures_unref(full.queued, 2);
            free_pool(full.pool);
            gate_free(full.gate);
        } else {
            empty();
        }
    }
}

SOON_TASK(fail_at_the_gate, struct gate, soon_none)
{
    gate_pass(*arg, NULL);
    return soon_raise(task, EIO, "no disk");
}

Test(queue_bound, sends_waiting_submitters_away_when_the_pool_breaks)
{
    struct gate gate = gate_new();
    soon_executor *pool =
        new_pool(.workers = 1, .queue_max = 1, .initializer = &fail_at_the_gate_task, .initializer_arg = &gate);
    soon_future *first = soon_submit(pool, nothing);
    pthread_t submitters[3];

    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&submitters[i], NULL, submit_and_read, pool), 0);
    test_wait_until(waiting_in(pool) == 3);
    gate_open(gate, 1);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(outcome_of_thread(submitters[i]), SOON_EBROKEN);

    cr_assert_eq(outcome_of(first), SOON_EBROKEN);
    free_pool(pool);
    gate_free(gate);
}

/* Freed while they wait: the free waits until they have left. */
Test(queue_bound, sends_waiting_submitters_away_when_it_is_freed)
{
    for (int round = 0; round < 20; round++) {
        pthread_t submitters[3];

        fill(SOON_FULL_DEFAULT);
        for (int i = 0; i < 3; i++)
            cr_assert_eq(pthread_create(&submitters[i], NULL, submit_and_read, full.pool), 0);
        test_wait_until(waiting_in(full.pool) == 3);
        cr_assert_eq(soon_executor_shutdown(full.pool, SOON_CANCEL_PENDING, 0), -ETIMEDOUT);
        empty();

        for (int i = 0; i < 3; i++)
            cr_assert_eq(outcome_of_thread(submitters[i]), SOON_ESHUTDOWN);
    }
}

static atomic_bool overfull;

SOON_TASK(look_at_the_queue, size_t, soon_none)
{
    if (stats_of(soon_task_executor(task)).pending > *arg)
        overfull = true;
    return 0;
}

static void *submit_many(void *pool)
{
    for (int i = 0; i < 500; i++)
        cr_assert_eq(outcome_of(soon_submit(pool, look_at_the_queue, 2)), 0);
    return NULL;
}

Test(queue_bound, is_never_longer_than_its_bound)
{
    soon_executor *pool = new_pool(.workers = 2, .queue_max = 2);
    pthread_t submitters[6];

    for (int i = 0; i < 6; i++)
        cr_assert_eq(pthread_create(&submitters[i], NULL, submit_many, pool), 0);
    for (int i = 0; i < 6; i++)
        pthread_join(submitters[i], NULL);

    cr_assert_not(overfull);
    cr_assert_eq(stats_of(pool).succeeded, 3000);
    free_pool(pool);
}

/*
 * Exempt
 */

SOON_TASK(submit_ten, soon_full, int)
{
    soon_submit_options options = {.when_full = *arg};
    soon_future *futures[10];

    for (int i = 0; i < 10; i++)
        futures[i] = twice_submit(soon_task_executor(task), &i, &options);
    cr_assert_eq(stats_of(soon_task_executor(task)).pending, 10);
    for (int i = 0; i < 10; i++) {
        int one;

        cr_assert_eq(soon_take(futures[i], &one), 0);
        *result += one;
    }
    return 0;
}

Test(queue_bound, has_no_bound_for_its_own_workers)
{
    static const soon_full policies[] = {SOON_FULL_BLOCK, SOON_FULL_FAIL, SOON_FULL_RUN_HERE};
    int sum;

    for (size_t i = 0; i < 3; i++) {
        soon_executor *pool = new_pool(.workers = 1, .queue_max = 1);

        cr_assert_eq(soon_take(soon_submit(pool, submit_ten, policies[i]), &sum), 0);
        cr_assert_eq(sum, 90);
        free_pool(pool);
    }
}

static void submit_three(soon_future *future, void *data)
{
    soon_future **futures = data;

    (void)future;
    for (int i = 0; i < 3; i++)
        futures[i] = soon_submit(full.pool, twice, i);
    gate_knock(full.gate);
}

Test(queue_bound, has_no_bound_for_callbacks_on_its_own_workers)
{
    soon_future *futures[3];

    fill(SOON_FULL_FAIL);
    cr_assert_eq(soon_future_add_done_callback(full.running, submit_three, futures), 0);
    gate_open(full.gate, 1);
    gate_await(full.gate, 1);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(outcome_of(futures[i]), 0);
    empty();
}

Test(queue_bound, has_no_bound_for_thens)
{
    soon_future *first = NULL, *then;

    fill(SOON_FULL_FAIL);
    first = twice_submit(full.pool, &(int){3}, &(soon_submit_options){.when_full = SOON_FULL_RUN_HERE});
    then = soon_then(first, full.pool, &twice_task);
    cr_assert_eq(soon_future_state(then), SOON_PENDING);
    cr_assert_eq(stats_of(full.pool).pending, 3);
    soon_future_unref(first);
    gate_open(full.gate, 1);
    cr_assert_eq(outcome_of(then), 0);
    empty();
}
