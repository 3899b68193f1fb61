/*
 * race_pool.c - the thread pool under stress. I1 to I10 are those of threads/state_internal.h. What goes wrong here
 * mostly hangs, and the timeout of the test tells; some of it only a sanitizer sees.
 */
#include "../support/pools.h"

TestSuite(race_pool);

static const int widths[] = {1, 2, 3, 8};

/* A different sequence per thread and call. */
static unsigned random_below(unsigned limit)
{
    static atomic_uint seeds;
    static _Thread_local unsigned state;

    if (!state)
        state = 2463534242u + 7919u * ++seeds;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % limit;
}

/* From nothing to some tens of microseconds, so that the others are caught in every state. */
static void pause_randomly(void)
{
    unsigned what = random_below(4);

    if (what == 0)
        sched_yield();
    else if (what == 1)
        nanosleep(&(struct timespec){.tv_nsec = random_below(60000)}, NULL);
    else if (what == 2)
        for (volatile unsigned spins = random_below(2000); spins; spins--)
            ;
}

SOON_TASK(pause_in_task, soon_none, soon_none)
{
    pause_randomly();
    return 0;
}

static void start(pthread_t *threads, int count, void *(*body)(void *), void *data)
{
    for (int i = 0; i < count; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, body, data), 0);
}
static void join(pthread_t *threads, int count)
{
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/*
 * Waking
 */

static void *make_round_trips(void *pool)
{
    for (int i = 0; i < test_rounds(1500); i++) {
        pause_randomly();
        cr_assert_eq(outcome_of(soon_submit(pool, pause_in_task)), 0);
    }
    return NULL;
}

/* I1, I2: submits that meet workers on their way to sleep. Caught: `waking` never cleared, a bell that is reset when
 * the worker can be found asleep already. */
Test(race_pool, each_task_finds_a_worker_that_wakes)
{
    for (size_t w = 0; w < 4; w++) {
        soon_executor *pool = new_pool(.workers = widths[w]);
        pthread_t threads[3];

        start(threads, 3, make_round_trips, pool);
        join(threads, 3);
        cr_assert_eq(stats_of(pool).succeeded, 3 * (uint64_t)test_rounds(1500));
        free_pool(pool);
    }
}

/* The same where nobody else's submit makes up for a waking that was lost. Who has a result submits again at once, or
 * as long after it as the worker needs to fall asleep. Caught: a decision from what was seen outside the mutex. */
Test(race_pool, single_task_finds_a_worker_that_wakes)
{
    for (size_t w = 0; w < 4; w++) {
        soon_executor *pool = new_pool(.workers = widths[w]);

        for (int i = 0; i < test_rounds(20000); i++) {
            for (volatile unsigned spins = i % 2 ? random_below(1000) : 0; spins; spins--)
                ;
            cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
        }
        free_pool(pool);
    }
}

static atomic_int arrived;

/* Ends when so many have come together. */
SOON_TASK(meet, int, soon_none)
{
    int mine = ++arrived;
    int all = (mine + *arg - 1) / *arg * *arg;

    while (arrived < all)
        sched_yield();
    return 0;
}

/* I2: who is woken passes the baton on before it runs anything. Caught: no baton, or one after the first task. */
Test(race_pool, as_many_long_tasks_run_side_by_side_as_there_are_workers)
{
    for (size_t w = 1; w < 4; w++) {
        soon_executor *pool = new_pool(.workers = widths[w]);
        soon_future *futures[8];

        arrived = 0;
        cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
        for (int round = 0; round < test_rounds(1000); round++) {
            if (round % 2)
                test_wait_until(stats_of(pool).idle == (size_t)widths[w]);
            for (int i = 0; i < widths[w]; i++)
                futures[i] = soon_submit(pool, meet, widths[w]);
            for (int i = 0; i < widths[w]; i++)
                cr_assert_eq(outcome_of(futures[i]), 0);
        }
        free_pool(pool);
    }
}

/* I9: so does who searches, if the queue has something beside what it finds without the mutex: what has a priority
 * comes there. One searches, the other sleeps, after some tasks one by one. Caught: a taking that does not ask for
 * QUEUED. */
Test(race_pool, what_is_queued_is_not_left_behind_by_who_searches)
{
    soon_executor *pool = new_pool(.workers = 2);
    soon_future *futures[2];

    arrived = 0;
    cr_assert_eq(soon_executor_boot(pool, SOON_FOREVER), 0);
    for (int round = 0; round < test_rounds(4000); round++) {
        for (int i = 0; i < 10; i++)
            cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
        futures[0] = soon_submit_with(pool, (.priority = 1), meet, 2);
        futures[1] = soon_submit(pool, meet, 2);
        for (int i = 0; i < 2; i++)
            cr_assert_eq(outcome_of(futures[i]), 0);
    }
    free_pool(pool);
}

/* The second that is started fails, some time later. */
SOON_TASK(fail_but_once, soon_none, soon_none)
{
    static atomic_int begun;

    if (begun++ % 2 == 0)
        return 0;
    pause_randomly();
    return -EIO;
}

static void *submit_in_pairs(void *pool)
{
    soon_future *futures[2];
    int rc = 0;

    for (int i = 0; i < 2000 && rc == 0; i++) {
        for (int j = 0; j < 2; j++)
            futures[j] = soon_submit(pool, nothing);
        for (int j = 0; j < 2; j++) {
            int one = outcome_of(futures[j]);

            cr_assert(one == 0 || one == SOON_EBROKEN);
            rc = one < 0 ? one : rc;
        }
    }
    return NULL;
}

/* I9: whatever a worker has in its hands when the pool breaks. Caught: what a searcher took of the word and then gave
 * to the queue of a pool that was broken. */
Test(race_pool, each_task_ends_when_the_pool_breaks)
{
    pthread_t threads[3];

    for (int round = 0; round < test_rounds(200); round++) {
        soon_executor *pool = new_pool(.workers = 2, .initializer = &fail_but_once_task);

        start(threads, 3, submit_in_pairs, pool);
        join(threads, 3);
        free_pool(pool);
    }
}

/*
 * Growing and shrinking
 */

static void *submit_now_and_then(void *pool)
{
    for (int i = 0; i < test_rounds(300); i++) {
        nanosleep(&(struct timespec){.tv_nsec = 500000 + random_below(1500000)}, NULL);
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    }
    return NULL;
}

/* I1: a task that comes when the only worker has just been told to end. Caught: a worker that ends without a look at
 * the queue. */
Test(race_pool, task_that_meets_a_retiring_worker_is_run)
{
    soon_executor *pools[4];
    pthread_t threads[4][2];

    for (int i = 0; i < 4; i++) {
        pools[i] = new_pool(.workers = 1 + i / 2, .idle_timeout_ms = 1);
        start(threads[i], 1 + i % 2, submit_now_and_then, pools[i]);
    }
    for (int i = 0; i < 4; i++) {
        join(threads[i], 1 + i % 2);
        free_pool(pools[i]);
    }
}

SOON_TASK(nest, int, int)
{
    soon_executor *pool = soon_task_executor(task);
    soon_future *children[3];
    int result_of_child;

    *result = 1;
    for (int i = 0; i < 3 && *arg; i++)
        children[i] = soon_submit(pool, nest, *arg - 1);
    for (int i = 0; i < 3 && *arg; i++) {
        pause_randomly();
        if (random_below(2)) /* parks with a spare, and may give up */
            (void)soon_future_wait(children[i], random_below(2));
        cr_assert_eq(soon_take(children[i], &result_of_child), 0);
        *result += result_of_child;
    }
    return 0;
}

/* I3, I4: parking, spares and surplus workers. Caught: `parked` counted wrongly, no worker for what a parked one left.
 */
Test(race_pool, waits_inside_tasks_never_use_up_the_workers)
{
    for (size_t w = 0; w < 4; w++) {
        soon_executor *pool = new_pool(.workers = widths[w]);
        int result;

        for (int i = 0; i < 5; i++) {
            cr_assert_eq(soon_take(soon_submit(pool, nest, 5), &result), 0);
            cr_assert_eq(result, 364);
        }
        free_pool(pool);
    }
}

/*
 * Who ends a task
 */

enum { TASKS = 4000 };
static soon_future *futures[TASKS];
static atomic_int ran[TASKS], released[TASKS];

static void release_number(void *arg)
{
    released[*(int *)arg]++;
}

SOON_TASK_LOCAL(run_number, int, int, release_number, NULL)
{
    ran[*arg]++;
    return soon_task_cancel_requested(task) ? -ECANCELED : 0;
}

static atomic_int submitted, next_to_cancel;

/* Cancels what is submitted meanwhile, from the `next_to_cancel`th on. */
static void *cancel_behind(void *data)
{
    int i;

    (void)data;
    while ((i = next_to_cancel++) < TASKS) {
        while (submitted <= i)
            sched_yield();
        if (soon_future_cancel(futures[i]))
            cr_assert(soon_future_cancelled(futures[i]));
    }
    return NULL;
}

static void submit_numbers(soon_executor *pool, const soon_submit_options *options)
{
    for (int i = 0; i < TASKS; i++) {
        ran[i] = released[i] = 0;
        futures[i] = run_number_submit(pool, &i, options);
        submitted = i + 1;
        if (i % 64 == 0)
            pause_randomly();
    }
}

/* Each has ended once, ran at most once, ran if it says so, and was released once. */
static void check_numbers(void)
{
    for (int i = 0; i < TASKS; i++) {
        int rc = soon_future_result(futures[i], SOON_FOREVER, &(soon_bytes){NULL, 0});

        cr_assert(rc == 0 || rc == -ECANCELED || rc == SOON_EEXPIRED || rc == SOON_ESHUTDOWN, "%d", rc);
        cr_assert_eq(ran[i], rc == 0 || soon_future_error(futures[i])->started);
        test_wait_until(released[i] > 0);
        cr_assert_eq(released[i], 1);
        soon_future_unref(futures[i]);
    }
}

/* A canceller, a worker and a second canceller at the same task. Caught: a take_back that does not ask whether it is
 * queued. */
Test(race_pool, task_is_either_cancelled_or_run)
{
    for (size_t w = 0; w < 4; w++) {
        soon_executor *pool = new_pool(.workers = widths[w]);
        pthread_t threads[2];

        submitted = next_to_cancel = 0;
        start(threads, 2, cancel_behind, NULL);
        submit_numbers(pool, NULL);
        join(threads, 2);
        check_numbers();
        free_pool(pool);
    }
}

/* The same with the loop, which ends what has waited too long. */
Test(race_pool, task_either_expires_or_is_cancelled_or_run)
{
    for (size_t w = 0; w < 4; w++) {
        soon_executor *pool = new_pool(.workers = widths[w]);
        pthread_t threads[1];

        submitted = 0;
        next_to_cancel = TASKS / 2;
        start(threads, 1, cancel_behind, NULL);
        submit_numbers(pool, &(soon_submit_options){.queue_limit_ms = 1});
        join(threads, 1);
        check_numbers();
        free_pool(pool);
    }
}

/* I6. Caught: a pool that is down before its last call has ended. */
Test(race_pool, shutdown_in_the_middle_of_it_all_leaves_nothing_unresolved)
{
    for (int mode = SOON_DRAIN; mode <= SOON_KILL; mode++) {
        for (size_t w = 0; w < 4; w++) {
            soon_executor *pool = new_pool(.workers = widths[w]);
            pthread_t threads[1];

            submitted = 0;
            next_to_cancel = TASKS / 4 * 3;
            start(threads, 1, cancel_behind, NULL);
            submit_numbers(pool, NULL);
            cr_assert_eq(soon_executor_shutdown(pool, (soon_shutdown)mode, SOON_FOREVER), 0);
            for (int i = 0; i < TASKS; i++)
                cr_assert(soon_future_done(futures[i]));
            join(threads, 1);
            check_numbers();
            free_pool(pool);
        }
    }
}

/* A future outlives its executor: who cancels it may meet the free. Caught, with a sanitizer: a cancel that does not
 * pin, an end that does not wait for pins. */
Test(race_pool, cancel_may_meet_the_free_of_the_executor)
{
    for (int round = 0; round < test_rounds(40); round++) {
        soon_executor *pool = new_pool(.workers = widths[round % 4]);
        pthread_t threads[2];

        submit_numbers(pool, NULL);
        next_to_cancel = 0;
        start(threads, 2, cancel_behind, NULL);
        pause_randomly();
        cr_assert_eq(soon_executor_shutdown(pool, SOON_CANCEL_PENDING, SOON_FOREVER), 0);
        free_pool(pool);
        join(threads, 2);
        check_numbers();
    }
}

static void *submit_until_refused(void *pool)
{
    int rc;

    do {
        soon_future *f = soon_submit(pool, pause_in_task);

        if (random_below(4) == 0)
            soon_future_cancel(f);
        rc = outcome_of(f);
        cr_assert(rc == 0 || rc == -ECANCELED || rc == SOON_ESHUTDOWN, "%d", rc);
    } while (rc != SOON_ESHUTDOWN);
    return NULL;
}

/* Caught: a submitter asleep at a full queue whom nobody tells; a shutdown that misses an idle worker. */
Test(race_pool, submits_may_meet_the_shutdown)
{
    for (int round = 0; round < test_rounds(200); round++) {
        soon_executor *pool = new_pool(.workers = widths[round % 4], .queue_max = round % 3);
        soon_future *down = soon_executor_down(pool);
        pthread_t threads[3];

        start(threads, 3, submit_until_refused, pool);
        pause_randomly();
        (void)soon_executor_shutdown(pool, (soon_shutdown)(round % 4), 0);
        pause_randomly();
        cr_assert_eq(soon_executor_shutdown(pool, (soon_shutdown)random_below(4), SOON_FOREVER), 0);
        join(threads, 3);
        cr_assert(soon_future_succeeded(down));
        soon_future_unref(down);
        free_pool(pool);
    }
}

static _Atomic(soon_future *) kept[4];

/* Keeps it for a while, and drops another one. */
static void keep_it(soon_future *future, void *data)
{
    soon_future_unref(atomic_exchange(&kept[random_below(4)], soon_future_ref(future)));
    atomic_fetch_add((atomic_int *)data, 1);
}

/* Whoever is last frees it: the reader, a callback of another one, the worker, a canceller. Caught, with a sanitizer: a
 * completion without a reference of its own. */
Test(race_pool, last_reference_may_go_anywhere)
{
    for (size_t w = 0; w < 4; w++) {
        soon_executor *pool = new_pool(.workers = widths[w]);
        atomic_int calls = 0;

        for (int i = 0; i < test_rounds(5000); i++) {
            soon_future *f = soon_submit_with(pool, (.on_done = keep_it, .on_done_data = &calls), nothing);

            if (i % 3 == 0)
                soon_future_cancel(f);
            if (i % 5 == 0)
                (void)soon_future_wait(f, 0);
            soon_future_unref(f);
        }
        free_pool(pool);
        cr_assert_eq(calls, test_rounds(5000));
        for (int i = 0; i < 4; i++)
            soon_future_unref(atomic_exchange(&kept[i], NULL));
    }
}

static atomic_int freed;

static void free_it(soon_future *down, void *executor)
{
    (void)down;
    cr_assert_eq(soon_executor_free(executor), 0);
    freed++;
}

/* The shutdown that began it is still returning when the callback frees the executor. Caught, with a sanitizer: one
 * that looks at the executor once more. */
Test(race_pool, shutdown_may_meet_the_free_in_the_callback_of_the_end)
{
    for (int round = 1; round <= test_rounds(500); round++) {
        soon_executor *pool = new_pool(.workers = widths[round % 4]);
        soon_future *down = soon_executor_down(pool);

        soon_future_unref(soon_submit(pool, pause_in_task));
        cr_assert_eq(soon_future_add_done_callback(down, free_it, pool), 0);
        (void)soon_executor_shutdown(pool, SOON_DRAIN, random_below(2) ? 0 : SOON_FOREVER);
        test_wait_until(freed == round);
        soon_future_unref(down);
    }
}

static void *boot_it(void *pool)
{
    int rc = soon_executor_boot(pool, SOON_FOREVER);

    cr_assert(rc == 0 || rc == SOON_ESHUTDOWN, "%d", rc);
    return NULL;
}

/* I5: workers that are started, and told to end, at the same time. Caught: a join of a worker whose starter has not
 * told of it. */
Test(race_pool, boot_may_meet_everything)
{
    for (int round = 0; round < test_rounds(200); round++) {
        soon_executor *pool = new_pool(.workers = widths[round % 4], .idle_timeout_ms = round % 2);
        pthread_t threads[2];

        start(threads, 2, boot_it, pool);
        soon_future_unref(soon_submit(pool, pause_in_task));
        pause_randomly();
        cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER), 0);
        join(threads, 2);
        free_pool(pool);
    }
}
