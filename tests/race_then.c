/*
 * race_then.c - futures made of others, whose parts end, are cancelled and are shut down at the same time. Each test names
 * the line that it guards; each was seen to fail with that line broken.
 */
#include "support_futures.h"

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

enum { MEMBERS = 3 };

static struct halves members[MEMBERS];
static soon_future *whole;
static bool is_any;

static void make_members(void)
{
    soon_future *futures[MEMBERS];
    static unsigned round;

    is_any = round++ % 2;
    for (int i = 0; i < MEMBERS; i++) {
        members[i] = pending();
        futures[i] = members[i].future;
    }
    whole = is_any ? soon_any(futures, MEMBERS) : soon_gather(futures, MEMBERS);
}

static void end_member(unsigned thread, unsigned *seed)
{
    if (thread < MEMBERS) {
        if (dice(seed, 3) == 0)
            (void)soon_promise_set_exception(members[thread].promise, EDOM, "%u", thread);
        else
            (void)soon_promise_set_result(members[thread].promise, &(int){(int)thread}, sizeof(int));
    } else if (dice(seed, 4) == 0) {
        (void)soon_future_cancel(whole);
    } else {
        cr_assert_eq(soon_future_wait(whole, SOON_FOREVER), 0);
    }
}

/* The first error in their order; 0: none. */
static int first_error_of_members(void)
{
    for (int i = 0; i < MEMBERS; i++) {
        if (!soon_future_succeeded(members[i].future))
            return soon_future_error(members[i].future)->code;
    }
    return 0;
}

static void assert_whole(void)
{
    int code = code_of(whole), value;
    bool some = false;

    cr_assert(soon_future_done(whole));
    for (int i = 0; i < MEMBERS; i++) {
        cr_assert(soon_future_done(members[i].future));
        some |= soon_future_succeeded(members[i].future);
    }
    if (soon_future_cancelled(whole)) {
        cr_assert_eq(code, -ECANCELED);
    } else if (is_any && some) {
        value = int_of(whole);
        cr_assert(value >= 0 && value < MEMBERS && soon_future_succeeded(members[value].future));
        cr_assert_eq(int_of(members[value].future), value);
    } else {
        cr_assert_eq(code, first_error_of_members());
    }
    soon_future_unref(whole);
    for (int i = 0; i < MEMBERS; i++)
        release(members[i]);
    assert_alive(0);
}

/* Guards the count of `left` and the compare-exchange on `winner` in gather.c. */
Test(race_then, gather_and_any_end_once_with_their_members)
{
    run_race(&(struct race){.threads = MEMBERS + 1,
                            .rounds = ROUNDS(20000),
                            .before = make_members,
                            .body = end_member,
                            .after = assert_whole});
}

/*
 * then
 */

static soon_executor *pool;
static struct halves first;
static soon_future *then;

static void make_then(void)
{
    pool = make_inline();
    runs = 0;
    first = pending();
    then = soon_then(first.future, pool, &increment_task);
}

static void finish_cancel_or_close(unsigned thread, unsigned *seed)
{
    switch (thread) {
    case 0:
        (void)soon_promise_set_result(first.promise, &(int){5}, sizeof(int));
        break;
    case 1:
        (void)soon_future_cancel(then);
        break;
    case 2:
        if (dice(seed, 2))
            cr_assert_eq(soon_executor_shutdown(pool, SOON_CANCEL_PENDING, SOON_FOREVER), 0);
        break;
    default:
        cr_assert_eq(soon_future_wait(then, SOON_FOREVER), 0);
        if (runs == 0)
            cr_assert(soon_future_cancelled(then) || code_of(then) == SOON_ESHUTDOWN);
    }
}

static void assert_run_or_cancelled(void)
{
    cr_assert_eq(soon_executor_free(pool), 0); /* it waits for the pins of all who are inside */
    cr_assert_eq(runs, soon_future_succeeded(then));
    if (runs)
        cr_assert_eq(int_of(then), 6);
    soon_future_unref(then);
    release(first);
    assert_alive(0);
}

/* Guards the compare-exchange of win() in then.c: one alone ends it, unlinks it and gives back the pin. */
Test(race_then, a_then_runs_once_or_is_cancelled)
{
    run_race(&(struct race){.threads = 4,
                            .rounds = ROUNDS(20000),
                            .before = make_then,
                            .body = finish_cancel_or_close,
                            .after = assert_run_or_cancelled});
}

/* The same on a pool, whose queue and workers come in between, and which is freed meanwhile. */

static void make_then_on_threads(void)
{
    pool = make_two_threads();
    runs = 0;
    first = pending();
    then = soon_then(first.future, pool, &increment_task);
}

static void end_pool(soon_shutdown mode)
{
    (void)soon_executor_shutdown(pool, mode, 0); /* begins */
    cr_assert_eq(soon_executor_free(pool), 0);
}

static void finish_cancel_or_free(unsigned thread, unsigned *seed)
{
    if (thread == 0)
        (void)soon_promise_set_result(first.promise, &(int){5}, sizeof(int));
    else if (thread == 1)
        (void)soon_future_cancel(then);
    else
        end_pool(dice(seed, 2) ? SOON_CANCEL_PENDING : SOON_DRAIN);
}

static void assert_run_or_not(void)
{
    cr_assert(soon_future_done(then), "nothing is left unresolved");
    cr_assert_eq(runs, soon_future_succeeded(then));
    soon_future_unref(then);
    release(first);
}

/* Guards pin() under LOCK in cancel_one() and wait_for_pins(): the canceller is inside of the executor that goes. */
Test(race_then, its_executor_may_be_freed_meanwhile)
{
    run_race(&(struct race){.threads = 3,
                            .rounds = ROUNDS(3000),
                            .before = make_then_on_threads,
                            .body = finish_cancel_or_free,
                            .after = assert_run_or_not});
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

static struct halves both;
static struct hook_data {
    _Atomic bool gone;
    _Atomic int calls;
} *hook_data;

static void on_cancel(soon_promise *promise, void *data)
{
    struct hook_data *mine = data;

    (void)soon_promise_cancel_requested(promise);
    mine->calls++;
    cr_assert_not(mine->gone);
}

static void make_hooked(void)
{
    hook_data = calloc(1, sizeof *hook_data);
    both = pending_with(&(soon_promise_hooks){.on_cancel = on_cancel, .data = hook_data});
}

static void free_or_cancel(unsigned thread, unsigned *seed)
{
    (void)seed;
    if (thread == 0) {
        soon_promise_free(both.promise);
        hook_data->gone = true;
        free(hook_data);
    } else {
        (void)soon_future_cancel(both.future);
    }
}

static void release_future(void)
{
    soon_future_unref(both.future);
}

/* Guards pin() under LOCK in cancel_one() and wait_for_hooks() in promise.c. */
Test(race_then, a_hook_is_over_when_its_promise_is_freed)
{
    run_race(&(struct race){.threads = 3,
                            .rounds = ROUNDS(50000),
                            .before = make_hooked,
                            .body = free_or_cancel,
                            .after = release_future});
}
