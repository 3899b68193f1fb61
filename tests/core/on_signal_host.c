/*
 * on_signal_host.c - signals that shut executors down in programs that have handlers of their own, libuv's, or forked children.
 */
#include "on_signal_fixture.h"

#include <uv.h>

TestSuite(on_signal_host);

/*
 * What the signals did before
 */

static _Atomic int own_calls;

static void own_handler(int signal)
{
    own_calls += signal;
}

static void own_handler_with_info(int signal, siginfo_t *info, void *context)
{
    (void)context;
    own_calls += info->si_signo == signal ? signal : 1000;
}

Test(on_signal_host, is_told_to_the_handler_that_was_there_which_is_there_again_later)
{
    const struct sigaction with_info = {.sa_sigaction = own_handler_with_info, .sa_flags = SA_SIGINFO};
    soon_executor *pool;

    signal(SIGINT, own_handler);
    sigaction(SIGTERM, &with_info, NULL);
    pool = listening(false, SOON_CANCEL_PENDING);
    deliver(SIGINT);
    cr_assert_eq(own_calls, SIGINT);
    deliver(SIGTERM);
    cr_assert_eq(own_calls, SIGINT + SIGTERM);
    free_pool(pool);
    cr_assert_eq(action_of(SIGINT).sa_handler, own_handler);
    cr_assert_eq(action_of(SIGTERM).sa_sigaction, own_handler_with_info);
}

Test(on_signal_host, that_is_ignored_stays_so)
{
    soon_executor *pool;

    signal(SIGINT, SIG_IGN);
    pool = listening(false, SOON_CANCEL_PENDING);
    cr_assert_eq(action_of(SIGINT).sa_handler, SIG_IGN);
    deliver(SIGINT);
    deliver(SIGTERM);
    test_wait_until(soon_executor_signal(pool));
    cr_assert_eq(soon_executor_signal(pool), SIGTERM);
    free_pool(pool);
    cr_assert_eq(action_of(SIGINT).sa_handler, SIG_IGN);
}

Test(on_signal_host, keeps_what_others_have_set_meanwhile)
{
    soon_executor *pool = listening(false, SOON_CANCEL_PENDING);

    signal(SIGINT, own_handler);
    free_pool(pool);
    cr_assert_eq(action_of(SIGINT).sa_handler, own_handler);
    cr_assert(is_default(SIGTERM));
}

static void (*below)(int, siginfo_t *, void *);

static void call_below(int signal, siginfo_t *info, void *context)
{
    own_calls += signal;
    below(signal, info, context);
}

/* It stays when the pool is freed, and is below the next one's: neither calls the other for ever. */
Test(on_signal_host, has_a_handler_that_may_be_called_by_one_above_it)
{
    const struct sigaction above = {.sa_sigaction = call_below, .sa_flags = SA_SIGINFO};
    struct sigaction ours;
    soon_executor *pool = listening(false, SOON_CANCEL_PENDING);

    cr_assert_eq(sigaction(SIGINT, &above, &ours), 0);
    below = ours.sa_sigaction;
    free_pool(pool);
    pool = listening(false, SOON_CANCEL_PENDING);
    deliver(SIGINT);
    cr_assert_eq(own_calls, SIGINT);
    test_wait_until(soon_executor_signal(pool));
    free_pool(pool);
}

static void on_uv_signal(uv_signal_t *handle, int signal)
{
    *(int *)handle->data += signal;
}

static void await_uv_signal(uv_loop_t *uv, const int *heard, int wanted)
{
    while (*heard < wanted)
        uv_run(uv, UV_RUN_ONCE);
    cr_assert_eq(*heard, wanted);
}

/* libuv knows nothing of it: its handler is called, and is there again. */
Test(on_signal_host, is_told_to_a_loop_that_listened_before)
{
    soon_executor *pool;
    uv_signal_t handle;
    uv_loop_t uv;
    int heard = 0;

    cr_assert_eq(uv_loop_init(&uv), 0);
    cr_assert_eq(uv_signal_init(&uv, &handle), 0);
    handle.data = &heard;
    cr_assert_eq(uv_signal_start(&handle, on_uv_signal, SIGINT), 0);
    pool = listening(false, SOON_CANCEL_PENDING);
    deliver(SIGINT);
    await_uv_signal(&uv, &heard, SIGINT);
    test_wait_until(soon_executor_signal(pool));
    free_pool(pool);
    deliver(SIGINT);
    await_uv_signal(&uv, &heard, 2 * SIGINT);

    uv_close((uv_handle_t *)&handle, NULL);
    uv_run(&uv, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&uv), 0);
    test_accept_open_descriptors(); /* libuv's pipe for signals */
}

/*
 * Forks
 */

Test(on_signal_host, of_a_forked_child_is_its_own)
{
    soon_executor *pool = listening(false, SOON_CANCEL_PENDING);
    int status;
    pid_t child = test_fork();

    if (child == 0) {
        int rc = soon_executor_shutdown_on_signal(pool, SOON_DRAIN);

        if (rc != SOON_EFORKED || soon_executor_signal(pool) != 0)
            _exit(1);
        raise(SIGINT);
        _exit(2);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    cr_assert_eq(outcome_of(soon_submit(pool, nothing)), 0);
    cr_assert_eq(soon_executor_signal(pool), 0);
    free_pool(pool);
}

Test(on_signal_host, is_heard_by_a_pool_of_a_forked_child)
{
    soon_executor *pool = listening(false, SOON_CANCEL_PENDING);
    int status;
    pid_t child = test_fork();

    if (child == 0) {
        soon_executor *own = listening(false, SOON_CANCEL_PENDING);

        raise(SIGINT);
        test_wait_until(soon_executor_signal(own));
        _exit(soon_executor_free(own) == 0 && is_default(SIGINT) ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    free_pool(pool);
}
