/*
 * race_then.c - futures made of others, whose parts end, are cancelled and are shut down at the same time. Each test
 * names the line that it guards; each was seen to fail with that line broken.
 */
#include "../support/futures.h"

static _Atomic int runs;

SOON_TASK(increment, int, int)
{
    runs++;
    *result = *arg + 1;
    return 0;
}

static soon_executor *make_two_threads(void)
{
    soon_executor *pool;

    cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 2}), 0);
    return pool;
}

/*
 * gather and any
 */

enum { MEMBERS = 2 };

static struct whole {
    struct halves members[MEMBERS];
    soon_future *future;
    bool is_any;
} wholes[BATCH];
static bool with_a_canceller; /* and with failures; else two equal threads meet at each */

static void make_wholes(void)
{
    for (int i = 0; i < BATCH; i++) {
        struct whole *whole = &wholes[i];
        soon_future *futures[MEMBERS];

        for (int j = 0; j < MEMBERS; j++) {
            whole->members[j] = pending();
            futures[j] = whole->members[j].future;
        }
        whole->is_any = i % 2;
        whole->future = whole->is_any ? soon_any(futures, MEMBERS) : soon_gather(futures, MEMBERS);
    }
}

static void end_members(unsigned thread, unsigned *seed)
{
    for (int i = 0; i < BATCH; i++) {
        soon_promise *promise = wholes[i].members[thread % MEMBERS].promise;

        if (!with_a_canceller)
            race_step(MEMBERS);
        if (thread == MEMBERS) {
            if (dice(seed, 4) == 0)
                (void)soon_future_cancel(wholes[i].future);
        } else if (with_a_canceller && dice(seed, 3) == 0) {
            (void)soon_promise_set_exception(promise, EDOM, "%u", thread);
        } else {
            soon_promise_set_progress(promise, thread, MEMBERS);
            (void)soon_promise_set_result(promise, &(int){(int)thread}, sizeof(int));
        }
    }
}

/* The first error in their order; 0: none. */
static int first_error_of(const struct whole *whole)
{
    for (int i = 0; i < MEMBERS; i++) {
        if (!soon_future_succeeded(whole->members[i].future))
            return soon_future_error(whole->members[i].future)->code;
    }
    return 0;
}

static void assert_whole(const struct whole *whole)
{
    bool some = false;
    int value;

    cr_assert(soon_future_done(whole->future));
    for (int i = 0; i < MEMBERS; i++) {
        cr_assert(soon_future_done(whole->members[i].future));
        some |= soon_future_succeeded(whole->members[i].future);
    }
    if (soon_future_cancelled(whole->future)) {
        cr_assert_eq(code_of(whole->future), -ECANCELED);
    } else if (whole->is_any && some) {
        value = int_of(whole->future);
        cr_assert(value >= 0 && value < MEMBERS && soon_future_succeeded(whole->members[value].future));
        cr_assert_eq(int_of(whole->members[value].future), value);
        cr_assert_eq(soon_future_progress(whole->future).done, (uint64_t)value, "it lends from the winner");
    } else {
        cr_assert_eq(code_of(whole->future), first_error_of(whole));
    }
}

static void assert_wholes(void)
{
    for (int i = 0; i < BATCH; i++) {
        assert_whole(&wholes[i]);
        soon_future_unref(wholes[i].future);
        for (int j = 0; j < MEMBERS; j++)
            release(wholes[i].members[j]);
    }
    assert_alive(0);
}

/* Guards the count of `left` and the compare-exchange on `winner` in gather.c. */
Test(race_then, gather_and_any_end_once_with_their_members)
{
    for (unsigned threads = MEMBERS; threads <= MEMBERS + 1; threads++) {
        with_a_canceller = threads > MEMBERS;
        run_race(&(struct race){.threads = threads,
                                .rounds = ROUNDS(10000),
                                .before = make_wholes,
                                .body = end_members,
                                .after = assert_wholes});
    }
}

/*
 * then
 */

static soon_executor *pool;
static struct halves firsts[BATCH];
static soon_future *thens[BATCH];

static void make_thens_on(soon_executor *executor)
{
    pool = executor;
    runs = 0;
    for (int i = 0; i < BATCH; i++) {
        firsts[i] = pending();
        thens[i] = soon_then(firsts[i].future, pool, &increment_task);
    }
}

static void make_thens(void)
{
    make_thens_on(make_inline());
}

static void finish_cancel_or_close(unsigned thread, unsigned *seed)
{
    for (int i = 0; i < BATCH; i++) {
        if (thread == 0)
            (void)soon_promise_set_result(firsts[i].promise, &(int){5}, sizeof(int));
        else if (thread == 1)
            (void)soon_future_cancel(thens[i]);
    }
    if (thread == 2 && dice(seed, 2))
        cr_assert_eq(soon_executor_shutdown(pool, SOON_CANCEL_PENDING, SOON_FOREVER), 0);
}

static void assert_run_or_cancelled(void)
{
    int succeeded = 0;

    cr_assert_eq(soon_executor_free(pool), 0); /* it waits for the pins of all who are inside */
    for (int i = 0; i < BATCH; i++) {
        cr_assert(soon_future_done(thens[i]));
        cr_assert(soon_future_succeeded(thens[i]) || soon_future_cancelled(thens[i]) ||
                  code_of(thens[i]) == SOON_ESHUTDOWN);
        if (soon_future_succeeded(thens[i])) {
            succeeded++;
            cr_assert_eq(int_of(thens[i]), 6);
        }
        soon_future_unref(thens[i]);
        release(firsts[i]);
    }
    cr_assert_eq(runs, succeeded);
    assert_alive(0);
}

/* Guards the compare-exchange of win() in then.c: one alone ends it, unlinks it and gives back the pin. */
Test(race_then, a_then_runs_once_or_is_cancelled)
{
    for (unsigned threads = 2; threads <= 3; threads++)
        run_race(&(struct race){.threads = threads,
                                .rounds = ROUNDS(10000),
                                .before = make_thens,
                                .body = finish_cancel_or_close,
                                .after = assert_run_or_cancelled});
}

/* The same of tasks that start after two others. */

static struct halves seconds[BATCH];

static void make_joins(void)
{
    pool = make_inline();
    runs = 0;
    for (int i = 0; i < BATCH; i++) {
        firsts[i] = pending();
        seconds[i] = pending();
        thens[i] = soon_submit_with(
            pool, (.after = (soon_future *[]){firsts[i].future, seconds[i].future}, .after_count = 2), increment, 5);
    }
}

static void finish_both_cancel_or_close(unsigned thread, unsigned *seed)
{
    struct halves *of_thread = thread == 0 ? firsts : seconds;

    for (int i = 0; i < BATCH; i++) {
        if (thread < 2)
            (void)soon_promise_set_result(of_thread[i].promise, &(int){5}, sizeof(int));
        else if (thread == 2 && dice(seed, 2))
            (void)soon_future_cancel(thens[i]);
    }
    if (thread == 3 && dice(seed, 2))
        cr_assert_eq(soon_executor_shutdown(pool, SOON_CANCEL_PENDING, SOON_FOREVER), 0);
}

static void assert_joined_or_cancelled(void)
{
    cr_assert_eq(soon_executor_free(pool), 0);
    for (int i = 0; i < BATCH; i++) {
        cr_assert(soon_future_done(thens[i]));
        cr_assert(soon_future_succeeded(thens[i]) || soon_future_cancelled(thens[i]) ||
                  code_of(thens[i]) == SOON_ESHUTDOWN);
        runs -= soon_future_succeeded(thens[i]);
        soon_future_unref(thens[i]);
        release(firsts[i]);
        release(seconds[i]);
    }
    cr_assert_eq(runs, 0);
    assert_alive(0);
}

Test(race_then, a_task_after_others_runs_once_or_is_cancelled)
{
    for (unsigned threads = 2; threads <= 4; threads++)
        run_race(&(struct race){.threads = threads,
                                .rounds = ROUNDS(5000),
                                .before = make_joins,
                                .body = finish_both_cancel_or_close,
                                .after = assert_joined_or_cancelled});
}

/* The same on a pool, whose queue and workers come in between, and which is freed meanwhile. */

static void make_thens_on_threads(void)
{
    make_thens_on(make_two_threads());
}

static void finish_cancel_or_free(unsigned thread, unsigned *seed)
{
    finish_cancel_or_close(thread == 2 ? 3 : thread, seed);
    if (thread == 2) {
        (void)soon_executor_shutdown(pool, dice(seed, 2) ? SOON_CANCEL_PENDING : SOON_DRAIN, 0); /* begins */
        cr_assert_eq(soon_executor_free(pool), 0);
        pool = NULL;
    }
}

/* Guards pin() under LOCK in cancel_one() and wait_for_pins(): the canceller is inside of the executor that goes. */
Test(race_then, its_executor_may_be_freed_meanwhile)
{
    run_race(&(struct race){.threads = 3,
                            .rounds = ROUNDS(2000),
                            .before = make_thens_on_threads,
                            .body = finish_cancel_or_free,
                            .after = assert_run_or_cancelled});
}

/*
 * A task that is cancelled as a worker takes it.
 */

static soon_future *task_future;
static bool taken_back;

static void make_pool(void)
{
    pool = make_two_threads();
    runs = 0;
    task_future = NULL;
}

static void submit_and_cancel(unsigned thread, unsigned *seed)
{
    if (thread > 0) /* keeps the workers awake */
        soon_future_unref(soon_submit(pool, increment, 1));
    else {
        task_future = soon_submit(pool, increment, 1);
        for (volatile unsigned i = dice(seed, 3000); i > 0; i--)
            continue;
        taken_back = soon_future_cancel(task_future);
    }
}

static void assert_run_or_taken_back(void)
{
    cr_assert_eq(soon_executor_free(pool), 0);
    cr_assert(soon_future_done(task_future));
    cr_assert(!taken_back || soon_future_cancelled(task_future));
    cr_assert_eq(runs, 1 + soon_future_succeeded(task_future));
    soon_future_unref(task_future);
    assert_alive(0);
}

Test(race_then, a_task_that_was_cancelled_has_not_run)
{
    run_race(&(struct race){.threads = 2,
                            .rounds = ROUNDS(5000),
                            .before = make_pool,
                            .body = submit_and_cancel,
                            .after = assert_run_or_taken_back});
}

/*
 * A promise that goes while its readers cancel.
 */

static struct halves both[BATCH];
static struct hook_data {
    _Atomic bool gone;
    _Atomic int calls;
} * hook_data[BATCH];

static void on_cancel(soon_promise *promise, void *data)
{
    struct hook_data *mine = data;

    (void)soon_promise_cancel_requested(promise);
    mine->calls++;
    cr_assert_not(mine->gone);
}

static void make_hooked(void)
{
    for (int i = 0; i < BATCH; i++) {
        hook_data[i] = calloc(1, sizeof *hook_data[i]);
        both[i] = pending_with(&(soon_promise_hooks){.on_cancel = on_cancel, .data = hook_data[i]});
    }
}

static void free_or_cancel(unsigned thread, unsigned *seed)
{
    (void)seed;
    for (int i = 0; i < BATCH; i++) {
        race_step(2);
        if (thread > 0) {
            (void)soon_future_cancel(both[i].future);
            continue;
        }
        soon_promise_free(both[i].promise);
        hook_data[i]->gone = true;
        free(hook_data[i]);
    }
}

static void release_futures(void)
{
    for (int i = 0; i < BATCH; i++)
        soon_future_unref(both[i].future);
}

/* Guards pin() under LOCK in cancel_one() and wait_for_hooks() in promise.c. */
Test(race_then, a_hook_is_over_when_its_promise_is_freed)
{
    run_race(&(struct race){.threads = 2,
                            .rounds = ROUNDS(10000),
                            .before = make_hooked,
                            .body = free_or_cancel,
                            .after = release_futures});
}
