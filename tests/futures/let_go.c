/*
 * let_go.c - what groups and thens leave with a future that lives long, once they are done or nobody wants them: nothing.
 */
#include "../support/futures.h"

#include <sys/wait.h>
#include <unistd.h>

static int told;

static void hear(const soon_error *error, void *data)
{
    (void)error;
    (void)data;
    told++;
}

static void listen(void)
{
    told = 0;
    soon_on_unhandled(hear, NULL);
}

TestSuite(let_go, .init = listen);

/* All is done by the test's own thread: what is not needed has gone, and nothing else. */
static void assert_left(size_t count)
{
    cr_assert_eq(soon__blocks_alive(), count);
}

static soon_future *race(struct halves a, struct halves b)
{
    return soon_any((soon_future *[]){a.future, b.future}, 2);
}

static soon_future *both_of(struct halves a, struct halves b)
{
    return soon_gather((soon_future *[]){a.future, b.future}, 2);
}

/* Of one's own references the last is here, too. */
static bool has_callbacks(soon_future *future)
{
    bool some;

    soon__future_lock(future);
    some = future->locked.callbacks != NULL;
    soon__future_unlock(future);
    return some;
}

Test(let_go, of_a_race_against_what_goes_on)
{
    struct halves stop = pending();

    for (int i = 0; i < 100; i++) {
        struct halves job = successful();
        soon_future *any = race(stop, job);

        cr_assert_eq(int_of(any), 42);
        release(job);
        cr_assert_not(has_callbacks(stop.future));
        cr_assert_eq(int_of(any), 42, "it holds the winner");
        soon_future_unref(any);
        assert_left(1);
    }
    release(stop);
}

Test(let_go, of_a_race_that_is_won_later)
{
    struct halves stop = pending(), job = pending();
    soon_future *any = race(stop, job);

    cr_assert(has_callbacks(stop.future));
    set_int(job.promise, 7);
    cr_assert_not(has_callbacks(stop.future));
    release(job);
    cr_assert_eq(int_of(any), 7);
    soon_future_unref(any);
    assert_left(1);

    release(stop);
}

static int freed;

static void count_freed(void *data)
{
    (void)data;
    freed++;
}

Test(let_go, of_a_payload)
{
    static char bytes[8];
    struct halves stop = pending(), job = pending();
    soon_future *any = race(stop, job);
    soon_buffer *payload;

    freed = 0;
    cr_assert_eq(soon_buffer_wrap(&payload, bytes, sizeof bytes, count_freed), 0);
    cr_assert_eq(soon_promise_set_payload(job.promise, payload), 0);
    set_int(job.promise, 1);
    release(job);
    cr_assert_eq(freed, 0);
    cr_assert_eq(soon_buffer_data(soon_future_payload(any)), bytes);
    soon_future_unref(any);

    cr_assert_eq(freed, 1);
    release(stop);
}

Test(let_go, of_a_group_that_nobody_wants)
{
    struct halves a = pending(), b = pending();

    soon_future_unref(race(a, b));
    soon_future_unref(both_of(a, b));
    assert_left(2);
    cr_assert_not(has_callbacks(a.future));
    cr_assert_not(has_callbacks(b.future));

    set_int(a.promise, 1);
    release(a);
    release(b);
    assert_left(0);
}

Test(let_go, of_a_group_that_is_cancelled)
{
    struct halves a = running(), b = pending();
    soon_future *gather = both_of(a, b);

    cr_assert(soon_future_cancel(gather));
    cr_assert(soon_future_cancelled(b.future));
    cr_assert_not(soon_future_done(a.future));
    cr_assert_not(has_callbacks(a.future));
    soon_future_unref(gather);
    release(b);
    assert_left(1);

    release(a);
}

static int calls;

static void count(soon_future *future, void *data)
{
    (void)data;
    cr_assert(soon_future_done(future));
    calls++;
}

/* A reader is not all that can want it. */
Test(let_go, not_of_a_group_with_a_callback)
{
    struct halves a = pending(), b = pending();
    soon_future *any = race(a, b);

    calls = 0;
    cr_assert_eq(soon_future_add_done_callback(any, count, NULL), 0);
    soon_future_unref(any);
    assert_left(3);
    set_int(b.promise, 1);

    cr_assert_eq(calls, 1);
    assert_left(2);
    release(a);
    release(b);
}

Test(let_go, of_a_group_whose_callback_was_taken_back)
{
    struct halves a = pending(), b = pending();
    soon_future *any = race(a, b);

    calls = 0;
    cr_assert_eq(soon_future_add_done_callback(any, count, NULL), 0);
    cr_assert(soon_future_remove_done_callback(any, count, NULL));
    soon_future_unref(any);
    assert_left(2);
    set_int(b.promise, 1);

    cr_assert_eq(calls, 0);
    release(a);
    release(b);
}

Test(let_go, not_of_a_group_in_a_set)
{
    struct halves a = pending(), b = pending();
    soon_as_completed *set;
    soon_future *given;

    cr_assert_eq(soon_as_completed_new(&set, NULL, 0, SOON_FOREVER), 0);
    cr_assert_eq(soon_as_completed_give(set, both_of(a, b)), 0);
    set_int(a.promise, 1);
    set_int(b.promise, 2);
    cr_assert_eq(soon_as_completed_next(set, &given), 0);
    cr_assert(soon_future_succeeded(given));
    soon_future_unref(given);

    cr_assert_eq(soon_as_completed_give(set, race(a, b)), 0);
    soon_as_completed_free(set);
    release(a);
    release(b);
    assert_left(0);
}

SOON_TASK_BYTES(increment)
{
    int value = soon_task_arg(task).size ? *(const int *)soon_task_arg(task).data + 1 : 1;

    return soon_task_return_bytes(task, &value, sizeof value);
}

Test(let_go, not_of_a_group_that_a_then_waits_for)
{
    soon_executor *executor = make_inline();
    struct halves a = pending(), b = pending();
    soon_future *any = race(a, b), *then = soon_then(any, executor, &increment_task);

    soon_future_unref(any);
    set_int(b.promise, 6);
    cr_assert_eq(int_of(then), 7);

    soon_future_unref(then);
    release(a);
    release(b);
    cr_assert_eq(soon_executor_free(executor), 0);
    assert_left(0);
}

Test(let_go, not_of_a_group_in_a_group)
{
    struct halves a = pending(), b = pending();
    soon_future *inner = race(a, b), *outer = soon_gather(&inner, 1);

    soon_future_unref(inner);
    assert_left(4);
    set_int(a.promise, 5);
    cr_assert(soon_future_succeeded(outer));
    soon_future_unref(outer);

    outer = both_of(b, b);
    inner = soon_any(&outer, 1);
    soon_future_unref(outer);
    soon_future_unref(inner);
    assert_left(2);
    cr_assert_not(has_callbacks(b.future));
    release(a);
    release(b);
}

/* A group in a group in a group: neither the end nor the giving up of all may use the stack. */
Test(let_go, of_a_long_chain_of_groups)
{
    enum { LENGTH = UNDER_TSAN ? 20000 : 200000 };

    for (int ends = 0; ends < 2; ends++) {
        struct halves first = pending(), stop = pending();
        soon_future *last = soon_future_ref(first.future), *next;

        for (int i = 0; i < LENGTH; i++) {
            next = soon_any((soon_future *[]){last, stop.future}, 2);
            soon_future_unref(last);
            last = next;
        }
        if (ends) {
            set_int(first.promise, 3);
            cr_assert_eq(int_of(last), 3);
        }
        soon_future_unref(last);
        assert_left(2);
        cr_assert_not(has_callbacks(stop.future));
        release(first);
        release(stop);
    }
}

/* Each is found without a look at the others: else this is a square of a large number. */
Test(let_go, of_many_continuations_of_one_future)
{
    enum { MANY = UNDER_TSAN ? 50000 : 500000 };
    soon_future **members = calloc(MANY, sizeof *members), *gather, *any;
    struct halves stop = pending(), job = pending();

    for (int i = 0; i < MANY; i++)
        members[i] = stop.future;
    gather = soon_gather(members, MANY);
    members[MANY / 2] = job.future;
    any = soon_any(members, MANY);
    set_int(job.promise, 1);
    cr_assert_eq(int_of(any), 1);
    soon_future_unref(any);
    assert_left(3);
    soon_future_unref(gather);
    assert_left(2);
    cr_assert_not(has_callbacks(stop.future));

    release(stop);
    release(job);
    free(members);
}

/*
 * Errors that nobody looks at
 */

/* "gather and any count as having looked at an error", also at one that comes when they are through. */
Test(let_go, of_a_loser_that_fails_later_is_not_told)
{
    struct halves loser = pending(), winner = successful();
    soon_future *any = race(loser, winner);

    soon_future_unref(any);
    cr_assert_eq(soon_promise_set_exception(loser.promise, EIO, "too late"), 0);
    release(loser);
    release(winner);
    cr_assert_eq(told, 0);
}

Test(let_go, of_a_group_that_nobody_wants_leaves_errors_to_be_told)
{
    struct halves a = pending(), b = pending();

    soon_future_unref(both_of(a, b));
    cr_assert_eq(soon_promise_set_exception(a.promise, EIO, "nobody knows"), 0);
    cr_assert_eq(soon_promise_set_exception(b.promise, EIO, "nobody knows"), 0);
    release(a);
    cr_assert_eq(told, 1);
    release(b);
    cr_assert_eq(told, 2);
}

/*
 * Thens
 */

Test(let_go, of_a_then_that_is_cancelled)
{
    struct drawer drawer;
    soon_executor *executors[] = {make_inline(), make_drawer(&drawer), NULL};
    struct halves stop = running();

    cr_assert_eq(soon_thread_pool_new(&executors[2], &(soon_thread_pool_options){.workers = 1}), 0);
    assert_alive(1 + 2 * 3); /* the ends of the executors are futures, too */
    for (size_t i = 0; i < COUNT(executors) * 10; i++) {
        soon_future *then = soon_then(stop.future, executors[i / 10], &increment_task);

        cr_assert(soon_future_cancel(then));
        soon_future_unref(then);
        assert_alive(1 + 2 * 3);
        cr_assert_not(has_callbacks(stop.future));
    }
    for (size_t i = 0; i < COUNT(executors); i++)
        cr_assert_eq(soon_executor_free(executors[i]), 0);
    release(stop);
}

Test(let_go, of_a_task_after_others_that_is_cancelled)
{
    struct drawer drawer;
    soon_executor *executors[] = {make_inline(), make_drawer(&drawer), NULL};
    struct halves stop = running(), go = running();

    cr_assert_eq(soon_thread_pool_new(&executors[2], &(soon_thread_pool_options){.workers = 1}), 0);
    for (size_t i = 0; i < COUNT(executors) * 10; i++) {
        soon_future *both[] = {stop.future, go.future};
        soon_future *after =
            increment_submit(executors[i / 10], &i, sizeof i, &(soon_submit_options){.after = both, .after_count = 2});

        assert_alive(2 + 2 * 3 + 2);
        if (i % 10 == 9) /* as its executor ends */
            cr_assert_eq(soon_executor_shutdown(executors[i / 10], SOON_CANCEL_PENDING, SOON_FOREVER), 0);
        cr_assert(soon_future_cancel(after));
        soon_future_unref(after);
        assert_alive(2 + 2 * 3);
        cr_assert_not(has_callbacks(stop.future) || has_callbacks(go.future));
    }
    for (size_t i = 0; i < COUNT(executors); i++)
        cr_assert_eq(soon_executor_free(executors[i]), 0);
    release(stop);
    release(go);
}

Test(let_go, of_thens_that_a_shutdown_cancels)
{
    struct halves stop = running();
    soon_executor *executor;
    soon_future *then;

    cr_assert_eq(soon_thread_pool_new(&executor, &(soon_thread_pool_options){.workers = 1}), 0);
    for (int i = 0; i < 10; i++)
        soon_future_unref(soon_then(stop.future, executor, &increment_task));
    then = soon_then(stop.future, executor, &increment_task);
    cr_assert_eq(soon_executor_shutdown(executor, SOON_CANCEL_PENDING, SOON_FOREVER), 0);
    cr_assert(soon_future_cancelled(then));
    soon_future_unref(then);
    cr_assert_not(has_callbacks(stop.future));
    cr_assert_eq(soon_executor_free(executor), 0);
    assert_alive(1);

    release(stop);
}

/*
 * Forks
 */

/* What a group holds was left with futures whose locks may be held by threads that are not here. */
Test(let_go, of_a_group_of_before_a_fork_does_nothing)
{
    struct halves a = pending(), b = pending();
    soon_future *any = race(a, b);
    int status;
    pid_t child;

    soon__future_lock(a.future);
    soon__future_lock(any);
    child = test_fork();
    if (child == 0) {
        soon_future_unref(any);
        _exit(0);
    }
    soon__future_unlock(any);
    soon__future_unlock(a.future);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    set_int(a.promise, 3);
    cr_assert_eq(int_of(any), 3);
    soon_future_unref(any);
    release(a);
    release(b);
}
