/*
 * release_on_worker.c - a worker runs user code that is no task: it releases a payload, a result or a local value. That may take
 * long, or wait for a task. So another worker must be woken or started for the tasks that are submitted meanwhile.
 */
#include "../support/process_fixture.h"

#include <semaphore.h>

static sem_t inside, may_go;

static void begin(void)
{
    sem_init(&inside, 0, 0);
    sem_init(&may_go, 0, 0);
}

TestSuite(release_on_worker, .init = begin);

/* It holds its thread up until a task lets it go. */
static void release_when_let(void *unused)
{
    (void)unused;
    sem_post(&inside);
    sem_wait(&may_go);
}

SOON_TASK(let_it_go, soon_none, soon_none)
{
    sem_post(&may_go);
    return 0;
}

/* One of two workers is idle, the other one will be in a release. */
static soon_executor *two_workers(void)
{
    soon_executor *pool = new_pool(.workers = 2);

    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    test_wait_until(stats_of(pool).idle == 2);
    return pool;
}

/* Not by the stats, which would look after the pool. */
static void assert_another_runs_it(soon_executor *pool)
{
    sem_wait(&inside);
    cr_assert_eq(outcome_of(soon_submit(pool, let_it_go)), 0);
    free_pool(pool);
}

SOON_TASK(give_payload, struct gate, soon_none)
{
    static char data[4];
    soon_buffer *buffer;
    int rc = gate_pass(*arg, NULL);

    if (rc == 0)
        rc = soon_buffer_wrap(&buffer, data, sizeof data, release_when_let);
    if (rc == 0)
        soon_task_return_payload(task, buffer);
    return rc;
}

Test(release_on_worker, a_payload_that_nobody_wants_is_released_while_tasks_come)
{
    soon_executor *pool = two_workers();
    struct gate gate = gate_new();

    soon_future_unref(give_payload_submit(pool, &gate, NULL));
    gate_await(gate, 1);
    gate_open(gate, 1);
    assert_another_runs_it(pool);
    gate_free(gate);
}

SOON_TASK_LOCAL(own_something, soon_none, int, NULL, release_when_let)
{
    *result = 1;
    return 0;
}

static void want_it(soon_future *all, void *data)
{
    (void)all;
    (void)data;
}

Test(release_on_worker, the_last_of_a_group_releases_the_others_while_tasks_come)
{
    soon_executor *pool = two_workers();
    struct gate gate = gate_new();
    soon_future *members[] = {soon_submit(pool, own_something), submit_pass(pool, gate)}, *all;

    cr_assert_eq(soon_future_wait(members[0], SOON_FOREVER), 0);
    all = soon_gather(members, 2);
    cr_assert_eq(soon_future_add_done_callback(all, want_it, NULL), 0); /* so that it is not given up here */
    soon_futures_unref(members, 2);
    soon_future_unref(all);
    gate_await(gate, 1);
    gate_open(gate, 1);
    assert_another_runs_it(pool);
    gate_free(gate);
}

SOON_TASK(submit_one, soon_none, soon_none)
{
    return outcome_of(soon_submit(soon_task_executor(task), nothing));
}

SOON_TASK(have_a_local, soon_none, soon_none)
{
    soon_task_set_local(task, &inside, release_when_let);
    return 0;
}

Test(release_on_worker, a_worker_that_retires_releases_its_local_while_tasks_come)
{
    soon_executor *pool = new_pool(.workers = 1, .idle_timeout_ms = 1, .initializer = &have_a_local_task);

    cr_assert_eq(outcome_of(soon_submit(pool, submit_one)), 0);
    sem_wait(&inside);
    cr_assert_eq(stats_of(pool).submitted, 2, "what it has counted is counted once");
    cr_assert_eq(outcome_of(soon_submit(pool, let_it_go)), 0);
    sem_post(&may_go); /* for the second worker's */
    free_pool(pool);
}
