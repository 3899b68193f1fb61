/*
 * race_fork.c - threads are inside of the library while another one forks: no lock that they hold then may be taken in the
 * child.
 */
#include "../support/futures.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

static _Atomic bool stop;

static void ignore(const soon_error *error, void *data)
{
    (void)error;
    (void)data;
}

/* The hook for unhandled errors, and what is told to it. */
static bool fails_unseen(void)
{
    struct halves both;

    soon_on_unhandled(ignore, &both);
    if (soon_promise_new(&both.promise, NULL) < 0)
        return false;
    both.future = soon_promise_future(both.promise);
    if (soon_promise_set_exception(both.promise, EDOM, NULL) < 0)
        return false;
    release(both);
    return true;
}

static int nothing(soon_task *task, const void *arg, void *result)
{
    (void)task, (void)arg, (void)result;
    return 0;
}

/* The registry of functions. */
static bool registers(void)
{
    soon_function function = {.name = "race_fork_nothing", .body = nothing};

    if (soon_function_register(&function) < 0)
        return false;
    soon_function_unregister(&function);
    return true;
}

/* The table of attached loops. Each thread has one loop; a forked child makes its own. */
static _Thread_local uv_loop_t uv;
static _Thread_local pid_t made_in;

static bool attaches(void)
{
    soon_loop *loop;

    if (made_in != getpid() && uv_loop_init(&uv) < 0)
        return false;
    made_in = getpid();
    if (soon_loop_attach(&loop, &uv) < 0)
        return false;
    soon_loop_detach(loop, NULL, NULL);
    return uv_run(&uv, UV_RUN_DEFAULT) == 0;
}

/* The slabs: blocks of several threads. */
static bool makes_many(void)
{
    struct halves both[64];

    for (size_t i = 0; i < COUNT(both); i++) {
        if (soon_promise_new(&both[i].promise, NULL) < 0)
            return false;
        both[i].future = soon_promise_future(both[i].promise);
    }
    for (size_t i = 0; i < COUNT(both); i++)
        release(both[i]);
    return true;
}

static bool (*const all[])(void) = {fails_unseen, registers, attaches, makes_many};

static void *repeat(void *data)
{
    bool (*const *what)(void) = data;

    while (!atomic_load(&stop))
        cr_assert((*what)());
    if (made_in)
        uv_loop_close(&uv);
    return NULL;
}

/* A hang ends by the alarm. */
static void fork_once(bool (*what)(void))
{
    pid_t child = fork();
    int status;

    cr_assert_geq(child, 0);
    if (child == 0) {
        alarm(60);
        _exit(what() ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

TestSuite(race_fork);

static void fork_beside(bool (*const *what)(void), int rounds)
{
    pthread_t threads[3];

    if (UNDER_ASAN)
        cr_skip_test("its allocator may be locked in a child, by a thread that is not there");
    for (size_t i = 0; i < COUNT(threads); i++)
        start_thread(&threads[i], repeat, (void *)(uintptr_t)what);
    for (int i = 0; i < rounds; i++)
        fork_once(*what);
    atomic_store(&stop, true);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    soon_on_unhandled(NULL, NULL);
}

Test(race_fork, beside_threads_that_let_go_of_failures)
{
    fork_beside(&all[0], ROUNDS(1500));
}

Test(race_fork, beside_threads_that_register_functions)
{
    fork_beside(&all[1], ROUNDS(500));
}

Test(race_fork, beside_threads_that_attach_loops)
{
    fork_beside(&all[2], ROUNDS(500));
}

Test(race_fork, beside_threads_that_make_futures)
{
    fork_beside(&all[3], ROUNDS(500));
}
