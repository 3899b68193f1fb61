/*
 * loop_pool.c - a thread pool and a caller's loop: on_done on the loop, ends in any order, shutdown in callbacks.
 */
#include "../support/loop_fixture.h"

static soon_executor *pool;

static void open_both(void)
{
    open_loop();
    cr_assert_eq(soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 2}), 0);
}

static void close_both(void)
{
    cr_assert_eq(soon_executor_free(pool), 0); /* NULL: a test has freed it */
    close_loop();
}

TestSuite(loop_pool, .init = open_both, .fini = close_both);

struct numbered {
    size_t number;
};

SOON_TASK(identity, struct numbered, size_t)
{
    (void)task;
    *result = arg->number;
    return 0;
}

static atomic_bool gate;

SOON_TASK(pass_the_gate, soon_none, soon_none)
{
    (void)task, (void)arg, (void)result;
    test_wait_until(gate);
    return 0;
}

static void free_pool(void *data)
{
    (void)data;
    cr_assert_eq(soon_executor_free(pool), 0);
    pool = NULL;
    say("freed");
}

/* Runs it with this on_done on the loop; the future is nobody's. */
static void submit_saying(char *word)
{
    soon_future *future =
        soon_submit_with(pool, (.on_done = say_done, .on_done_data = word, .on_done_loop = on), pass_the_gate);

    soon_future_unref(future);
}

Test(loop_pool, on_done_runs_on_the_loop)
{
    gate = true;
    submit_saying("done");
    run_to_the_end();
    cr_assert_str_eq(said, "done");
}

Test(loop_pool, submit_for_a_detached_loop_is_refused)
{
    struct halves made = pending();
    soon_loop *detached = on;
    soon_submit_options options = {.on_done = say_done, .on_done_data = "no", .on_done_loop = detached};
    soon_future *future, *untouched = NULL;

    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "last"), 0);
    detach_saying("closed");
    future = soon_submit_bytes(pool, &pass_the_gate_task, NULL, 0, &options);
    cr_assert_eq(soon_future_wait(future, 0), 0);
    cr_assert_eq(soon_future_error(future)->code, SOON_ESHUTDOWN);
    cr_assert_eq(soon_try_submit_bytes(&untouched, pool, &pass_the_gate_task, NULL, 0, &options), SOON_ESHUTDOWN);
    cr_assert_null(untouched);

    soon_future_unref(future);
    release(made);
    run_to_the_end();
    cr_assert_str_eq(said, "lastclosed");
}

Test(loop_pool, on_done_can_be_removed)
{
    soon_future *future;

    run_to_the_end();
    future = soon_submit_with(pool, (.on_done = say_done, .on_done_data = "no", .on_done_loop = on), pass_the_gate);
    cr_assert(soon_future_remove_done_callback(future, say_done, "no"));
    run_to_the_end();
    gate = true;
    soon_future_unref(future);
    cr_assert_str_empty(said);
}

Test(loop_pool, pool_freed_before_the_loop_runs)
{
    gate = true;
    submit_saying("1");
    cr_assert_eq(soon_executor_free(pool), 0);
    pool = NULL;
    cr_assert_str_empty(said);
    run_to_the_end();
    cr_assert_str_eq(said, "1");
}

Test(loop_pool, loop_detached_then_pool_freed_then_loop_run)
{
    submit_saying("1");
    detach_saying("closed");
    gate = true;
    cr_assert_eq(soon_executor_free(pool), 0);
    pool = NULL;
    run_to_the_end();
    cr_assert_str_eq(said, "1closed");
}

Test(loop_pool, loop_gone_before_the_pool)
{
    gate = true;
    submit_saying("1");
    detach_saying("closed");
    run_to_the_end();
    cr_assert_str_eq(said, "1closed");
    soon_future_unref(soon_submit(pool, pass_the_gate));
}

Test(loop_pool, may_be_freed_when_the_loop_has_closed)
{
    gate = true;
    submit_saying("1");
    soon_loop_detach(on, free_pool, NULL);
    on = NULL;
    run_to_the_end();
    cr_assert_str_eq(said, "1freed");
}

Test(loop_pool, may_be_freed_in_a_posted_function)
{
    gate = true;
    submit_saying("1");
    cr_assert_eq(soon_loop_post(on, free_pool, NULL), 0);
    run_to_the_end();
    cr_assert_eq(strlen(said), strlen("freed1"));
}

static void shut_down_here(soon_future *future, void *data)
{
    (void)future, (void)data;
    cr_assert_eq(soon_executor_shutdown(pool, SOON_DRAIN, SOON_FOREVER), SOON_EDEADLK);
    cr_assert_eq(soon_executor_free(pool), SOON_EDEADLK);
    say("begun");
    gate = true;
}

static void free_when_down(soon_future *future, void *data)
{
    (void)future;
    free_pool(data);
}

/* The way for a service: begin in a callback, go on when it is down. */
Test(loop_pool, shutdown_in_a_callback_begins_and_free_follows_when_it_is_down)
{
    soon_future *down = soon_executor_down(pool);

    cr_assert_eq(soon_future_add_done_callback_on(down, on, free_when_down, NULL), 0);
    soon_future_unref(down);
    soon_future_unref(soon_submit(pool, pass_the_gate)); /* it cannot be down before the callback has asked */
    soon_future_unref(soon_submit_with(pool, (.on_done = shut_down_here, .on_done_loop = on), identity, .number = 1));
    run_to_the_end();
    cr_assert_str_eq(said, "begunfreed");
}

/*
 * Load
 */

enum { SUBMITTERS = 4, COMPLETIONS = 25000 };

struct submitter {
    pthread_t thread;
    atomic_size_t *left;
    soon_promise *all;
    bool *seen; /* loop's thread: which have come */
};

static size_t completed;

static void note_result(soon_future *future, void *data)
{
    struct submitter *submitter = data;
    size_t number;

    cr_assert_eq(identity_get(future, 0, &number), 0);
    cr_assert_not(submitter->seen[number]);
    submitter->seen[number] = true;
    completed++;
}

static void *submit_all(void *data)
{
    struct submitter *submitter = data;

    for (size_t i = 0; i < COMPLETIONS; i++) {
        soon_future *future = soon_submit_with(
            pool, (.on_done = note_result, .on_done_data = submitter, .on_done_loop = on), identity, .number = i);

        soon_future_unref(future);
    }
    if (--*submitter->left == 0)
        soon_promise_set_result(submitter->all, NULL, 0);
    return NULL;
}

static void detach_at_the_end(soon_future *future, void *data)
{
    (void)future, (void)data;
    cr_assert_eq(handles(), 1); /* whatever the load */
    detach_saying("closed");
}

Test(loop_pool, takes_100000_completions_from_four_submitting_threads)
{
    static bool seen[SUBMITTERS][COMPLETIONS];
    struct submitter submitters[SUBMITTERS];
    atomic_size_t left = SUBMITTERS;
    struct halves all = pending();

    cr_assert_eq(soon_future_add_done_callback_on(all.future, on, detach_at_the_end, NULL), 0);
    for (size_t i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (struct submitter){.left = &left, .all = all.promise, .seen = seen[i]};
        pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]);
    }
    run_to_the_end();
    cr_assert_eq(completed, SUBMITTERS * COMPLETIONS);
    cr_assert_str_eq(said, "closed");
    for (size_t i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i].thread, NULL);
    release(all);
}
