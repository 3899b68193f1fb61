/*
 * future_fork.c - futures in a child of fork(): what is done can be read; what is not done never will be there, and says so.
 */
#include "../support/forked.h"
#include "../support/futures.h"

/* Of the parent. */
static struct halves unfinished, done;

static void make_both(void)
{
    unfinished = pending();
    done = successful();
}

static void release_both(void)
{
    release(unfinished);
    release(done);
}

TestSuite(future_fork, .init = make_both, .fini = release_both);

static void never(soon_future *future, void *data)
{
    (void)future;
    (void)data;
    CHECK(!"called");
}

static void waits_say_so(void)
{
    static const int64_t timeouts[] = {SOON_FOREVER, 1000, 0};

    for (size_t i = 0; i < COUNT(timeouts); i++) {
        const soon_error *error;
        soon_bytes bytes;
        int value;

        CHECK(soon_future_wait(unfinished.future, timeouts[i]) == SOON_EFORKED);
        CHECK(soon_future_result(unfinished.future, timeouts[i], &bytes) == SOON_EFORKED);
        CHECK(soon_result_within(unfinished.future, timeouts[i], &value) == SOON_EFORKED);
        CHECK(soon_future_exception(unfinished.future, timeouts[i], &error) == SOON_EFORKED);
        for (soon_when when = SOON_ALL_COMPLETED; when <= SOON_FIRST_EXCEPTION; when++)
            CHECK(soon_wait(&unfinished.future, 1, when, timeouts[i], NULL) == SOON_EFORKED);
    }
}

Test(future_fork, a_wait_for_an_unfinished_one_of_the_parent_says_so)
{
    in_child(waits_say_so);
}

static void changes_nothing(void)
{
    CHECK(!soon_future_cancel(unfinished.future));
    CHECK(soon_future_kill(unfinished.future) == SOON_EFORKED);
    CHECK(soon_future_state(unfinished.future) == SOON_PENDING);
    CHECK(soon_future_add_done_callback(unfinished.future, never, NULL) == SOON_EFORKED);
    CHECK(!soon_future_remove_done_callback(unfinished.future, never, NULL));
    CHECK(soon_future_error(unfinished.future)->code == 0);
    (void)soon_future_progress(unfinished.future);
}

Test(future_fork, an_unfinished_one_of_the_parent_can_only_be_looked_at)
{
    in_child(changes_nothing);
    cr_assert_not(soon_promise_cancel_requested(unfinished.promise));
}

static void sets_say_so(void)
{
    soon_future *const futures[] = {done.future, unfinished.future};
    soon_as_completed *set;
    soon_future *gathered = soon_gather(futures, 2), *any = soon_any(&unfinished.future, 1);

    CHECK(code_of(gathered) == SOON_EFORKED);
    CHECK(code_of(any) == SOON_EFORKED);
    CHECK(soon_as_completed_new(&set, futures, 2, SOON_FOREVER) == SOON_EFORKED);
    CHECK(soon_as_completed_new(&set, futures, 1, SOON_FOREVER) == 0);
    CHECK(soon_as_completed_add(set, unfinished.future) == SOON_EFORKED);
    CHECK(soon_as_completed_give(set, soon_future_ref(unfinished.future)) == SOON_EFORKED);
    soon_as_completed_free(set);
    soon_future_unref(gathered);
    soon_future_unref(any);
}

Test(future_fork, sets_refuse_an_unfinished_one_of_the_parent)
{
    in_child(sets_say_so);
}

static soon_as_completed *set_of_parent;

static void inherited_set_says_so(void)
{
    soon_future *future;
    size_t total;

    CHECK(soon_as_completed_next(set_of_parent, &future) == SOON_EFORKED);
    CHECK(soon_as_completed_add(set_of_parent, done.future) == SOON_EFORKED);
    CHECK(soon_as_completed_left(set_of_parent, &total) == 2 && total == 2);
    soon_as_completed_free(set_of_parent);
}

Test(future_fork, an_inherited_set_says_so)
{
    soon_future *const futures[] = {unfinished.future, done.future};

    cr_assert_eq(soon_as_completed_new(&set_of_parent, futures, 2, SOON_FOREVER), 0);
    in_child(inherited_set_says_so);
    soon_as_completed_free(set_of_parent);
}

static void count(soon_future *future, void *data)
{
    (void)future;
    ++*(int *)data;
}

static void reads_the_done_one(void)
{
    soon_as_completed *set;
    soon_future *given, *gathered;
    int value, calls = 0;

    CHECK(soon_future_wait(done.future, SOON_FOREVER) == 0);
    CHECK(soon_result(done.future, &value) == 0 && value == 42);
    CHECK(!soon_future_cancel(done.future));
    CHECK(soon_future_kill(done.future) == SOON_EINVALIDSTATE);
    CHECK(soon_future_add_done_callback(done.future, count, &calls) == 0 && calls == 1);
    CHECK(soon_wait(&done.future, 1, SOON_ALL_COMPLETED, SOON_FOREVER, NULL) == 1);
    CHECK(soon_as_completed_new(&set, &done.future, 1, SOON_FOREVER) == 0);
    CHECK(soon_as_completed_next(set, &given) == 0 && given == done.future);
    CHECK(soon_as_completed_next(set, &given) == SOON_EEND);
    soon_as_completed_free(set);
    soon_future_unref(given);
    gathered = soon_gather(&done.future, 1);
    CHECK(soon_future_succeeded(gathered));
    soon_future_unref(gathered);
    CHECK(soon_future_progress(done.future).total == 0);
}

Test(future_fork, a_done_one_of_the_parent_is_like_any_other)
{
    in_child(reads_the_done_one);
}

/*
 * Freeing what was inherited
 */

static void frees_both_halves(void)
{
    soon_promise_free(unfinished.promise);
    CHECK(soon_future_wait(unfinished.future, SOON_FOREVER) == SOON_EFORKED);
    soon_future_unref(unfinished.future);
    soon_promise_free(done.promise);
    soon_future_unref(done.future);
}

static _Atomic bool inside, leave_hook;

static void stay(soon_promise *promise, void *data)
{
    (void)promise;
    (void)data;
    atomic_store(&inside, true);
    test_wait_until(atomic_load(&leave_hook));
}

static void *cancel(void *future)
{
    (void)soon_future_cancel(future);
    return NULL;
}

/* Not even for a hook that another thread of the parent is in. */
Test(future_fork, the_child_may_free_what_it_inherits)
{
    pthread_t thread;

    release(unfinished);
    unfinished = pending_with(&(soon_promise_hooks){.on_cancel = stay});
    cr_assert_eq(soon_promise_set_running(unfinished.promise), 0);
    start_thread(&thread, cancel, unfinished.future);
    test_wait_until(atomic_load(&inside));
    in_child(frees_both_halves);

    atomic_store(&leave_hook, true);
    pthread_join(thread, NULL);
}

static void resolves_nothing(void)
{
    soon_promise *promise = unfinished.promise;
    soon_buffer *buffer;

    CHECK(soon_promise_set_running(promise) == SOON_EFORKED);
    CHECK(soon_promise_set_result(promise, &(int){1}, sizeof(int)) == SOON_EFORKED);
    CHECK(soon_buffer_new(&buffer, 10) == 0);
    CHECK(soon_promise_set_payload(promise, buffer) == SOON_EFORKED);
    CHECK(soon_promise_set_exception(promise, EDOM, "none") == SOON_EFORKED);
    CHECK(soon_promise_set_error(promise, &(soon_error){.code = SOON_EKILLED}) == SOON_EFORKED);
    CHECK(soon_promise_set_cancelled(promise) == SOON_EFORKED);
    soon_promise_set_progress(promise, 1, 2);
    CHECK(soon_future_state(unfinished.future) == SOON_PENDING);
    CHECK(soon_promise_set_result(done.promise, NULL, 0) == SOON_EINVALIDSTATE);
}

/* The LOCK was held at the fork, and nobody will give it back here. */
Test(future_fork, a_promise_of_the_parent_says_so_and_takes_no_lock)
{
    soon__future_lock(unfinished.future);
    in_child(resolves_nothing);
    soon__future_unlock(unfinished.future);
}

static int first_calls, second_calls, status_of_forked = -1;

static void fork_and_return(soon_future *future, void *data)
{
    pid_t child;

    (void)future;
    (void)data;
    first_calls++;
    child = test_fork();
    if (child != 0)
        (void)waitpid(child, &status_of_forked, 0);
}

static void count_second(soon_future *future, void *data)
{
    (void)future;
    (void)data;
    second_calls++;
}

/* In a child of the test, so that it alone has the copies. */
static void completes_one_whose_callback_forks(void)
{
    struct halves both = {.promise = NULL};
    pid_t parent = getpid();

    CHECK(soon_promise_new(&both.promise, NULL) == 0);
    both.future = soon_promise_future(both.promise);
    CHECK(soon_future_add_done_callback(both.future, fork_and_return, NULL) == 0);
    CHECK(soon_future_add_done_callback(both.future, count_second, NULL) == 0);
    CHECK(soon_promise_set_result(both.promise, NULL, 0) == 0);
    CHECK(first_calls == 1);
    if (getpid() != parent)
        _exit(second_calls == 0 ? 0 : 1); /* the rest of the callbacks were the parent's */
    CHECK(second_calls == 1);
    CHECK(WIFEXITED(status_of_forked) && WEXITSTATUS(status_of_forked) == 0);
}

Test(future_fork, a_child_of_a_callback_runs_none_of_the_parents)
{
    in_child(completes_one_whose_callback_forks);
}

/*
 * The child's own
 */

SOON_TASK(square, int, int)
{
    *result = *arg * *arg;
    return 0;
}

static void makes_its_own_promise(void)
{
    soon_promise *promise;
    soon_future *future;
    int value = 5;

    CHECK(soon_promise_new(&promise, NULL) == 0);
    future = soon_promise_future(promise);
    CHECK(soon_future_wait(future, 1) == -ETIMEDOUT);
    CHECK(soon_promise_set_result(promise, &value, sizeof value) == 0);
    value = 0;
    CHECK(soon_result(future, &value) == 0 && value == 5);
    soon_future_unref(future);
    soon_promise_free(promise);
}

Test(future_fork, the_child_may_make_its_own_promise)
{
    in_child(makes_its_own_promise);
}

static soon_executor *pool_of_parent;

static void makes_its_own_pool(void)
{
    soon_executor *pool;
    soon_future *then;
    int value;

    CHECK(soon_thread_pool_new(&pool, NULL) == 0);
    CHECK(soon_take(soon_submit(pool, square, 5), &value) == 0 && value == 25);
    then = soon_then(unfinished.future, pool, &square_task);
    CHECK(code_of(then) == SOON_EFORKED);
    soon_future_unref(then);
    then = soon_then(done.future, pool, &square_task);
    CHECK(soon_take(then, &value) == 0 && value == 42 * 42);
    then = soon_submit_with(pool, (.after = &unfinished.future, .after_count = 1), square, 5);
    CHECK(code_of(then) == SOON_EFORKED);
    soon_future_unref(then);
    then = soon_submit_with(pool, (.after = &done.future, .after_count = 1), square, 5);
    CHECK(soon_take(then, &value) == 0 && value == 25);
    CHECK(soon_executor_free(pool) == 0);
}

Test(future_fork, the_child_may_make_its_own_pool)
{
    if (UNDER_TSAN)
        cr_skip_test("it starts no threads in a child");
    in_child(makes_its_own_pool);
}

static void uses_the_parents_pool(void)
{
    soon_future *then = soon_then(done.future, pool_of_parent, &square_task);

    CHECK(code_of(then) == SOON_EFORKED);
    soon_future_unref(then);
}

Test(future_fork, a_then_on_the_parents_pool_says_so)
{
    cr_assert_eq(soon_thread_pool_new(&pool_of_parent, NULL), 0);
    in_child(uses_the_parents_pool);
    cr_assert_eq(soon_executor_free(pool_of_parent), 0);
}

/*
 * A fork while other threads are inside of the library: no lock that they hold may matter in the child.
 */

static _Atomic bool stop;

static void *be_busy_with(void *future)
{
    while (!atomic_load(&stop)) {
        (void)soon_future_wait(future, 0);
        (void)soon_wait((soon_future *const *)&future, 1, SOON_FIRST_COMPLETED, 1, NULL);
        cr_assert_eq(soon_future_add_done_callback(future, count, &stop), 0);
        cr_assert(soon_future_remove_done_callback(future, count, &stop));
    }
    return NULL;
}

static void asks_and_makes_its_own(void)
{
    waits_say_so();
    changes_nothing();
    makes_its_own_promise();
}

Test(future_fork, works_while_other_threads_are_inside)
{
    pthread_t threads[2];

    for (size_t i = 0; i < COUNT(threads); i++)
        start_thread(&threads[i], be_busy_with, unfinished.future);
    for (int i = 0; i < 50; i++)
        in_child(asks_and_makes_its_own);
    atomic_store(&stop, true);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
}
