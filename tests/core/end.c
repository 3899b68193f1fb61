/*
 * end.c - soon_executor_end() on every executor: shut down, freed, and told of it, once, on the right thread.
 */
#include "../support/executors.h"
#include "../support/loop_fixture.h"

TestSuite(end, .init = open_loop, .fini = close_loop);

SOON_TASK(twice, int, int)
{
    (void)task;
    *result = 2 * *arg;
    return 0;
}

SOON_TASK(wait_here, soon_none, soon_none)
{
    (void)arg, (void)result;
    return wait_at_gate(task);
}

static atomic_int ends, dones;
static pthread_t ended_on;
static bool all_were_done;

static void note_end(void *data)
{
    (void)data;
    ended_on = pthread_self();
    all_were_done = dones == 10;
    ends++;
}

static void note_done(soon_future *future, void *data)
{
    int result;

    (void)data;
    cr_assert_eq(twice_get(future, 0, &result), 0);
    dones++;
}

static void on_each(void (*body)(soon_executor *executor))
{
    common_begin();
    for (size_t i = 0; i < sizeof executors / sizeof *executors; i++) {
        if (executors[i].is_elsewhere && !test_has_processes())
            continue;
        ends = dones = 0;
        close_gate();
        body(executors[i].make());
    }
}

static void submit_ten(soon_executor *executor, soon_loop *loop)
{
    for (int i = 0; i < 10; i++)
        soon_future_unref(soon_submit_with(executor, (.on_done = note_done, .on_done_loop = loop), twice, i));
}

static void end_on_the_loop(soon_executor *executor)
{
    submit_ten(executor, on);
    cr_assert_eq(soon_executor_end(executor, &(soon_end_options){.loop = on, .on_end = note_end}), 0);
    cr_assert_eq(ends, 0);
    run_to_the_end();

    cr_assert(ends == 1 && all_were_done);
    cr_assert(pthread_equal(ended_on, pthread_self()));
}

Test(end, drains_frees_and_calls_back_on_the_loop)
{
    on_each(end_on_the_loop);
}

static void end_without_a_loop(soon_executor *executor)
{
    submit_ten(executor, NULL);
    cr_assert_eq(soon_executor_end(executor, &(soon_end_options){.on_end = note_end}), 0);
    test_wait_until(ends == 1);
    cr_assert_not(pthread_equal(ended_on, pthread_self()));
}

Test(end, calls_back_on_a_thread_of_the_librarys_without_a_loop)
{
    on_each(end_without_a_loop);
}

static void end_unheard(soon_executor *executor)
{
    soon_future *down = soon_executor_down(executor);

    cr_assert_eq(soon_executor_end(executor, NULL), 0);
    cr_assert_eq(soon_future_wait(down, SOON_FOREVER), 0);
    soon_future_unref(down);
    /* Whatever is freed on the callback thread before this is. */
    cr_assert_eq(soon_executor_end(make_one_thread(), &(soon_end_options){.on_end = note_end}), 0);
    test_wait_until(ends == 1);
}

Test(end, needs_nobody_to_hear_of_it)
{
    on_each(end_unheard);
}

static void end_after_a_grace(soon_executor *executor)
{
    soon_future *running = soon_submit(executor, wait_here);

    await_arrivals(1);
    cr_assert_eq(soon_executor_end(executor, &(soon_end_options){.grace_ms = 1, .on_end = note_end}), 0);
    test_wait_until(ends == 1);
    cr_assert(soon_future_done(running));
    cr_assert_not(soon_future_succeeded(running));
    soon_future_unref(running);
}

/* Nothing turns a loop of the program's. */
Test(end, asks_what_runs_to_end_when_the_grace_is_over)
{
    on_each(end_after_a_grace);
}

static void end_with_a_long_grace(soon_executor *executor)
{
    soon_future *running = soon_submit(executor, wait_here);

    await_arrivals(1);
    cr_assert_eq(soon_executor_end(executor, &(soon_end_options){.mode = SOON_CANCEL_PENDING,
                                                                 .grace_ms = 3600000,
                                                                 .then_mode = SOON_KILL,
                                                                 .loop = on,
                                                                 .on_end = note_end}),
                 0);
    open_gate();
    run_to_the_end();
    cr_assert_eq(ends, 1);
    cr_assert(soon_future_succeeded(running));
    soon_future_unref(running);
}

Test(end, does_not_wait_for_a_grace_that_is_not_needed)
{
    on_each(end_with_a_long_grace);
}

static void end_with_a_then(soon_executor *executor)
{
    soon_future *first = soon_submit(executor, wait_here), *then = soon_submit(executor, twice, 4), *group;
    soon_future *after = soon_then(then, executor, &twice_task), *both[] = {first, after};
    int args[] = {1, 2, 3}, result;
    soon_future *map = soon_map_async(executor, twice, args, 3);

    group = soon_gather(both, 2);
    await_arrivals(1);
    cr_assert_eq(soon_executor_end(executor, &(soon_end_options){.loop = on, .on_end = note_end}), 0);
    open_gate();
    run_to_the_end();

    cr_assert_eq(ends, 1);
    cr_assert(soon_future_succeeded(group) && soon_future_succeeded(map));
    cr_assert_eq(soon_result(after, &result), 0);
    cr_assert_eq(result, 16);
    soon_futures_unref((soon_future *[]){first, then, after, map, group}, 5);
}

Test(end, drains_what_is_made_of_its_tasks)
{
    on_each(end_with_a_then);
}

static int next_number(void *arg, void *data)
{
    *(int *)arg = ++*(int *)data;
    return 1;
}

/* An imap stops taking from its source, which would never end. */
static void end_with_an_imap(soon_executor *executor)
{
    int last = 0, rc;
    soon_future *future;
    soon_imap *imap;

    cr_assert_eq(
        soon_imap_new(&imap, executor, &twice_task, &(soon_map_options){.in_flight_max = 3}, next_number, &last), 0);
    cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), 0);
    soon_future_unref(future);
    cr_assert_eq(soon_executor_end(executor, &(soon_end_options){.loop = on, .on_end = note_end}), 0);
    while ((rc = soon_imap_next(imap, SOON_FOREVER, &future, NULL)) == 0)
        soon_future_unref(future);
    cr_assert_eq(rc, SOON_ESHUTDOWN);
    soon_imap_free(imap); /* the executor is lent to it, and lives until the loop has turned */
    run_to_the_end();
    cr_assert_eq(ends, 1);
}

Test(end, ends_an_imap_as_a_shutdown_does)
{
    on_each(end_with_an_imap);
}

static void end_what_is_down(soon_executor *executor)
{
    cr_assert_eq(soon_executor_shutdown(executor, SOON_DRAIN, SOON_FOREVER), 0);
    cr_assert_eq(soon_executor_end(executor, &(soon_end_options){.grace_ms = 3600000, .loop = on, .on_end = note_end}),
                 0);
    run_to_the_end();
    cr_assert_eq(ends, 1);
}

Test(end, frees_one_that_is_down_already)
{
    on_each(end_what_is_down);
}

static void end_here(soon_future *future, void *executor)
{
    (void)future;
    cr_assert_eq(soon_executor_end(executor, &(soon_end_options){.mode = SOON_TERMINATE, .on_end = note_end}), 0);
}

static void end_in_a_callback(soon_executor *executor)
{
    soon_submit_options options = {.on_done = end_here, .on_done_data = executor};

    soon_future_unref(soon_submit_bytes(executor, &twice_task, NULL, 0, &options));
    test_wait_until(ends == 1);
}

Test(end, can_be_asked_for_in_a_callback_of_its_task)
{
    on_each(end_in_a_callback);
}

static void end_in_a_callback_on_the_loop(soon_executor *executor)
{
    soon_submit_options options = {.on_done = end_here, .on_done_data = executor, .on_done_loop = on};

    soon_future_unref(soon_submit_bytes(executor, &twice_task, NULL, 0, &options));
    run_to_the_end();
    test_wait_until(ends == 1);
}

Test(end, can_be_asked_for_in_a_callback_on_a_loop)
{
    on_each(end_in_a_callback_on_the_loop);
}

SOON_TASK(end_own, soon_none, int)
{
    (void)arg;
    *result = soon_executor_end(soon_task_executor(task), &(soon_end_options){.grace_ms = 3600000, .on_end = note_end});
    return ends; /* which comes when this has returned */
}

Test(end, can_be_asked_for_in_its_own_task)
{
    soon_executor *(*const here[])(void) = {make_one_thread, make_own};
    int rc;

    for (size_t i = 0; i < 2; i++) {
        soon_future *future = soon_submit(here[i](), end_own);

        cr_assert_eq(soon_result(future, &rc), 0);
        cr_assert_eq(rc, 0);
        test_wait_until(ends == 1);
        ends = 0;
        soon_future_unref(future);
    }
}

static soon_executor *used;

static void make_stronger(void *data)
{
    soon_stats stats;

    (void)data;
    cr_assert_eq(ends, 0);
    soon_executor_stats(used, &stats);
    cr_assert_neq(soon_executor_shutdown(used, SOON_TERMINATE, 0), -EINVAL);
}

static void end_and_make_stronger(soon_executor *executor)
{
    soon_future_unref(soon_submit(executor, wait_here));
    await_arrivals(1);
    used = executor;
    cr_assert_eq(soon_executor_end(executor, &(soon_end_options){.loop = on, .on_end = note_end}), 0);
    cr_assert_eq(soon_loop_post(on, make_stronger, NULL), 0);
    run_to_the_end();
    cr_assert_eq(ends, 1);
}

/* As at the second Ctrl-C. */
Test(end, leaves_the_executor_to_the_loops_thread_until_then)
{
    on_each(end_and_make_stronger);
}

static void free_another(void *other)
{
    cr_assert_eq(soon_executor_free(other), 0);
    note_end(NULL);
}

Test(end, may_free_another_executor_in_its_callback_on_a_loop)
{
    cr_assert_eq(soon_executor_end(make_one_thread(),
                                   &(soon_end_options){.loop = on, .on_end = free_another, .data = make_own()}),
                 0);
    run_to_the_end();
    cr_assert_eq(ends, 1);
}

Test(end, comes_before_the_word_that_its_loop_is_detached)
{
    soon_executor *executor = make_one_thread();

    soon_future_unref(soon_submit(executor, twice, 1));
    cr_assert_eq(soon_executor_end(executor, &(soon_end_options){.loop = on, .on_end = say, .data = "end "}), 0);
    detach_saying("closed");
    run_to_the_end();
    cr_assert_str_eq(said, "end closed");
}

/*
 * What comes to the loop before that
 */

static atomic_bool is_held, may_go;

static void hold_the_callback_thread(void *data)
{
    (void)data;
    is_held = true;
    test_wait_until(may_go);
}

static void ignore(soon_future *future, void *data)
{
    (void)future;
    (void)data;
}

static void let_it_go(soon_future *future, void *data)
{
    say_done(future, data);
    may_go = true;
}

/* A task of a process that is to end for it, so that the library's loop completes its future. */
static soon_future *stuck_task(soon_executor *executor)
{
    soon_future *stuck;

    is_held = may_go = false;
    close_gate();
    cr_assert_eq(soon_executor_end(make_one_thread(), &(soon_end_options){.on_end = hold_the_callback_thread}), 0);
    test_wait_until(is_held);
    stuck = soon_submit(executor, wait_here);
    await_arrivals(1);
    return stuck;
}

/* The callback thread is busy until they have come, and nothing of them is for it. */
Test(end, comes_after_callbacks_on_its_loop_which_need_no_other_thread)
{
    soon_executor *executor;
    soon_future *stuck;

    common_begin();
    executor = make_one_process();
    stuck = stuck_task(executor);

    cr_assert_eq(soon_future_add_done_callback_on(stuck, on, say_done, "one "), 0);
    cr_assert_eq(soon_future_add_done_callback_on(stuck, on, let_it_go, "two "), 0);
    cr_assert_eq(
        soon_executor_end(executor, &(soon_end_options){.mode = SOON_KILL, .loop = on, .on_end = say, .data = "end"}),
        0);
    run_to_the_end();
    cr_assert_str_eq(said, "one two end");
    soon_future_unref(stuck);
}

/* The callback on the loop waits for one that the callback thread has to run before. */
Test(end, comes_after_callbacks_on_its_loop_that_came_by_another_thread)
{
    soon_future *stuck, *down;
    soon_executor *executor;

    common_begin();
    executor = make_one_process();
    stuck = stuck_task(executor);
    down = soon_executor_down(executor);

    cr_assert_eq(soon_future_add_done_callback(stuck, ignore, NULL), 0);
    cr_assert_eq(soon_future_add_done_callback_on(stuck, on, say_done, "one "), 0);
    cr_assert_eq(
        soon_executor_end(executor, &(soon_end_options){.mode = SOON_KILL, .loop = on, .on_end = say, .data = "end"}),
        0);
    cr_assert_eq(soon_future_wait(down, SOON_FOREVER), 0);
    for (int i = 0; i < 1000; i++)
        sched_yield(); /* so that one that came too early were there */
    may_go = true;
    run_to_the_end();
    cr_assert_str_eq(said, "one end");
    soon_future_unref(stuck);
    soon_future_unref(down);
}
