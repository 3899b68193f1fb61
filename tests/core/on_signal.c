/*
 * on_signal.c - signals that shut executors down: what ends, what main learns, and what the signals do before and after.
 */
#include "on_signal_fixture.h"

#include "../../executor/loops/library_loop_internal.h"
#include "../support/shelf.h"

#include <stdio.h>

TestSuite(on_signal);

/*
 * The first and the second
 */

Test(on_signal, first_ends_what_is_pending_and_main_learns_of_it_by_its_waits)
{
    for (int processes = 0; processes < 2; processes++) {
        soon_executor *pool = listening(processes, SOON_CANCEL_PENDING);
        struct gate gate = gate_new();
        soon_future *running = stay_submit(pool, &gate, NULL), *pending;
        int result = 0;

        gate_await(gate, 1);
        pending = stay_submit(pool, &gate, NULL);
        cr_assert_eq(soon_executor_signal(pool), 0);
        deliver(SIGINT);

        cr_assert_eq(outcome_of(pending), -ECANCELED);
        cr_assert_eq(soon_executor_signal(pool), SIGINT, "it is known when the first future ends for it");
        cr_assert_eq(outcome_of(soon_submit(pool, nothing)), SOON_ESHUTDOWN);
        gate_open(gate, 1);
        cr_assert_eq(soon_take(running, &result), 0);
        cr_assert_eq(result, 42);
        free_pool(pool);
        gate_free(gate);
        cr_assert(is_default(SIGINT) && is_default(SIGTERM));
    }
}

Test(on_signal, first_may_let_everything_run_to_its_end)
{
    for (int processes = 0; processes < 2; processes++) {
        soon_executor *pool = listening(processes, SOON_DRAIN);
        struct gate gate = gate_new();
        soon_future *running = stay_submit(pool, &gate, NULL), *pending;

        gate_await(gate, 1);
        pending = stay_submit(pool, &gate, NULL);
        deliver(SIGTERM);
        test_wait_until(soon_executor_signal(pool));
        gate_open(gate, 2);

        cr_assert_eq(outcome_of(running), 0);
        cr_assert_eq(outcome_of(pending), 0);
        cr_assert_eq(soon_executor_signal(pool), SIGTERM);
        free_pool(pool);
        gate_free(gate);
    }
}

Test(on_signal, second_ends_what_runs_whichever_signal_it_is)
{
    soon_executor *pool = listening(true, SOON_CANCEL_PENDING);
    soon_future *f = soon_submit(pool, hang);

    test_wait_until(soon_future_running(f));
    deliver(SIGTERM);
    test_wait_until(soon_executor_signal(pool));
    cr_assert_not(soon_future_done(f));
    deliver(SIGINT);

    cr_assert_eq(outcome_of(f), SOON_EKILLED);
    cr_assert_eq(soon_executor_signal(pool), SIGTERM, "the first one");
    free_pool(pool);
}

/* Two that come before the loop hears of the first are two. */
Test(on_signal, second_counts_if_it_comes_at_once)
{
    soon_executor *pool = listening(true, SOON_DRAIN);
    soon_future *f = soon_submit(pool, hang);

    test_wait_until(soon_future_running(f));
    deliver(SIGINT);
    deliver(SIGINT);
    cr_assert_eq(outcome_of(f), SOON_EKILLED);
    free_pool(pool);
}

Test(on_signal, second_asks_threads_to_end)
{
    soon_executor *pool = listening(false, SOON_DRAIN);
    struct gate gate = gate_new();
    soon_future *f = own_pid_at_gate_submit(pool, &gate, NULL);

    gate_await(gate, 1);
    deliver(SIGINT);
    deliver(SIGINT);
    cr_assert_eq(outcome_of(f), -ECANCELED);
    free_pool(pool);
    gate_free(gate);
}

static void be_stuck(void)
{
    soon_executor *pool = listening(false, SOON_CANCEL_PENDING);
    struct gate gate = gate_new();

    soon_future_unref(stay_submit(pool, &gate, NULL));
    gate_await(gate, 1);
    deliver(SIGINT);
    deliver(SIGTERM);
    test_wait_until(is_default(SIGINT) && is_default(SIGTERM));
    deliver(SIGINT);
}

/* ThreadSanitizer holds signals back in a forked child. */
Test(on_signal, third_ends_a_program_that_is_stuck, .disabled = UNDER_TSAN)
{
    int status;
    pid_t child = test_fork();

    if (child == 0) {
        be_stuck();
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

Test(on_signal, third_is_the_programs_also_when_the_pool_is_down)
{
    soon_executor *pool = listening(false, SOON_CANCEL_PENDING);
    soon_future *down = soon_executor_down(pool);

    deliver(SIGINT);
    cr_assert_eq(soon_future_wait(down, SOON_FOREVER), 0);
    deliver(SIGINT);
    test_wait_until(is_default(SIGINT) && is_default(SIGTERM));
    cr_assert_eq(soon_executor_signal(pool), SIGINT);
    soon_future_unref(down);
    free_pool(pool);
}

/*
 * Options
 */

Test(on_signal, may_be_others_and_do_something_else)
{
    static const int mine[] = {SIGUSR2, 0};
    const soon_signal_options options = {.signals = mine, .again = SOON_TERMINATE};
    soon_executor *pool = make(true);
    soon_future *f;

    cr_assert_eq(soon_executor_shutdown_on_signal_with(pool, SOON_DRAIN, &options), 0);
    cr_assert(is_default(SIGINT) && is_default(SIGTERM) && !is_default(SIGUSR2));
    f = soon_submit(pool, hang);
    test_wait_until(soon_future_running(f));
    deliver(SIGUSR2);
    deliver(SIGUSR2);
    cr_assert_eq(outcome_of(f), SOON_EKILLED);
    cr_assert_eq(soon_executor_signal(pool), SIGUSR2);
    free_pool(pool);
    cr_assert(is_default(SIGUSR2));
}

Test(on_signal, that_make_no_sense_are_refused)
{
    static const int none[] = {0}, fault[] = {SIGINT, SIGSEGV, 0}, never[] = {SIGKILL, 0}, large[] = {1000, 0},
                     negative[] = {-1, 0};
    static const int *const lists[] = {none, fault, never, large, negative};
    soon_executor *pool = make(false);

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        soon_signal_options options = {.signals = lists[i]};

        cr_assert_eq(soon_executor_shutdown_on_signal_with(pool, SOON_DRAIN, &options), -EINVAL, "%zu", i);
    }
    cr_assert_eq(soon_executor_shutdown_on_signal(NULL, SOON_DRAIN), -EINVAL);
    cr_assert_eq(soon_executor_shutdown_on_signal(pool, (soon_shutdown)4), -EINVAL);
    cr_assert_eq(soon_executor_shutdown_on_signal(pool, (soon_shutdown)-1), -EINVAL);
    cr_assert_eq(soon_executor_shutdown_on_signal_with(pool, SOON_TERMINATE,
                                                       &(soon_signal_options){.again = SOON_CANCEL_PENDING}),
                 -EINVAL);
    cr_assert_eq(
        soon_executor_shutdown_on_signal_with(pool, SOON_DRAIN, &(soon_signal_options){.again = (soon_shutdown)9}),
        -EINVAL);
    cr_assert_str_eq(soon_last_error()->message,
                     "soon_executor_shutdown_on_signal: .again = 9 is weaker than mode = 0, or is none");
    cr_assert(is_default(SIGINT) && is_default(SIGTERM));
    cr_assert_eq(soon_executor_shutdown_on_signal(pool, SOON_DRAIN), 0);
    cr_assert_eq(soon_executor_shutdown_on_signal(pool, SOON_DRAIN), SOON_EINVALIDSTATE);
    free_pool(pool);
}

/*
 * What main may ask
 */

Test(on_signal, is_a_future_too)
{
    soon_executor *pool = listening(false, SOON_DRAIN);
    soon_future *f = soon_executor_signalled(pool);
    int signal = 0;

    cr_assert_not(soon_future_done(f));
    deliver(SIGTERM);
    cr_assert_eq(soon_take(f, &signal), 0);
    cr_assert_eq(signal, SIGTERM);
    free_pool(pool);
}

Test(on_signal, that_never_came_is_cancelled)
{
    soon_executor *pool = listening(false, SOON_DRAIN), *deaf = make(false);
    soon_future *f = soon_executor_signalled(pool);

    free_pool(pool);
    cr_assert_eq(outcome_of(f), -ECANCELED);
    cr_assert_eq(outcome_of(soon_executor_signalled(NULL)), -EINVAL);
    cr_assert_eq(outcome_of(soon_executor_signalled(deaf)), SOON_EINVALIDSTATE);
    cr_assert_eq(soon_executor_signal(deaf), 0);
    cr_assert_eq(soon_executor_signal(NULL), 0);
    free_pool(deaf);
}

static void note(soon_future *future, void *data)
{
    cr_assert_eq(soon_result(future, (int *)data), 0);
}

Test(on_signal, is_heard_on_a_loop_of_the_programs)
{
    soon_executor *pool = listening(false, SOON_CANCEL_PENDING);
    soon_future *f = soon_executor_signalled(pool);
    soon_loop *loop;
    uv_loop_t uv;
    int signal = 0;

    cr_assert_eq(uv_loop_init(&uv), 0);
    cr_assert_eq(soon_loop_attach(&loop, &uv), 0);
    cr_assert_eq(soon_future_add_done_callback_on(f, loop, note, &signal), 0);
    deliver(SIGINT);
    while (!signal)
        uv_run(&uv, UV_RUN_ONCE);

    cr_assert_eq(signal, SIGINT);
    soon_future_unref(f);
    soon_loop_detach(loop, NULL, NULL);
    while (uv_run(&uv, UV_RUN_DEFAULT))
        continue;
    cr_assert_eq(uv_loop_close(&uv), 0);
    free_pool(pool);
}

/*
 * Several executors
 */

Test(on_signal, reaches_each_executor_that_is_there)
{
    soon_executor *pools[] = {listening(false, SOON_DRAIN), listening(true, SOON_CANCEL_PENDING),
                              listening(false, SOON_TERMINATE)};

    free_pool(pools[2]);
    cr_assert_not(is_default(SIGINT), "the others want it still");
    deliver(SIGINT);
    for (int i = 0; i < 2; i++) {
        test_wait_until(soon_executor_signal(pools[i]));
        test_wait_until(soon_executor_error(pools[i])->code); /* the signal is known from before the shutdown on */
        cr_assert_eq(outcome_of(soon_submit(pools[i], nothing)), SOON_ESHUTDOWN);
    }
    free_pool(pools[0]);
    cr_assert_not(is_default(SIGINT));
    free_pool(pools[1]);
    cr_assert(is_default(SIGINT));
}

Test(on_signal, finds_one_that_is_down_and_not_freed_as_it_is)
{
    soon_executor *down = listening(false, SOON_CANCEL_PENDING), *other = listening(false, SOON_CANCEL_PENDING);

    cr_assert_eq(soon_executor_shutdown(down, SOON_DRAIN, SOON_FOREVER), 0);
    deliver(SIGINT);
    test_wait_until(soon_executor_signal(other));
    cr_assert_eq(soon_executor_signal(down), 0);
    free_pool(down);
    free_pool(other);
}

static _Atomic int shut_down_on_loop;

static int shut_down_here(void *self, soon_shutdown mode, soon_promise *down)
{
    shut_down_on_loop += soon__library_on_loop();
    return shelf__shutdown(self, mode, down);
}

/* Its code does not run on the library's loop. */
Test(on_signal, shuts_down_an_executor_of_the_programs_own)
{
    static struct shelf shelf;
    soon_executor_class klass = shelf_class;
    soon_future *f;

    klass.shutdown = shut_down_here;
    shelf_open(&shelf, &klass);
    cr_assert_eq(soon_executor_shutdown_on_signal(shelf.executor, SOON_CANCEL_PENDING), 0);
    f = soon_executor_down(shelf.executor);
    deliver(SIGINT);
    cr_assert_eq(outcome_of(f), 0);
    cr_assert_eq(shut_down_on_loop, 0);
    shelf_close(&shelf);
}
