/*
 * library_loop_fork.c - the library's two threads when they cannot start, and in forked children.
 */
#include "../support/library_loop_fixture.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(library_loop_fork);

Test(library_loop_fork, start_that_fails_leaves_nothing_and_can_be_repeated, .bare = true)
{
    size_t before = open_descriptors();
    struct rlimit limit, none;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    for (none.rlim_cur = 3; none.rlim_cur < 64; none.rlim_cur++) { /* some day there are enough */
        int rc;

        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        rc = soon__library_start();
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (rc == 0)
            break;
        cr_assert_eq(rc, -EMFILE);
        cr_assert_eq(open_descriptors(), before);
    }
    cr_assert_lt(none.rlim_cur, 64);
    wait_for_both_threads();
}

/* How many the library's loop has: those of a loop of libuv's, which vary with its release, a set and a wake-up. */
static size_t descriptors_of_loop(void)
{
    size_t before = open_descriptors(), of_uv;
    uv_loop_t uv;

    if (uv_loop_init(&uv) < 0)
        return 0;
    of_uv = open_descriptors() - before;
    uv_loop_close(&uv);
    return of_uv + 2;
}

/* In a child: 0, or which step failed. */
static int use_it_anew(size_t inherited_descriptors)
{
    static struct noted first, second;
    static struct completion completion;
    size_t count;

    if (open_descriptors() != inherited_descriptors - descriptors_of_loop())
        return 1; /* those of the parent's loop are closed here */
    if (soon__library_on_loop() || soon__thread_self()->of_library || soon__thread_self()->sink)
        return 8; /* this thread is a program's own now, whichever it was in the parent */
    if (soon__library_start() != 0)
        return 2;
    ran = 0;
    first = second = (struct noted){.job.run = note};
    soon__library_loop_post(&first.job);
    soon__library_callbacks_post(&second.job);
    test_wait_until(ran == 2);
    if (!first.on_loop || second.on_loop)
        return 3;
    if (!thread_called("soon-loop", &count) || count != 1)
        return 4;
    completion = (struct completion){.job.run = complete};
    if (soon_promise_new(&completion.promise, NULL) < 0)
        return 5;
    completion.future = soon_promise_future(completion.promise);
    if (soon_future_add_done_callback(completion.future, note_callback, &completion) < 0)
        return 6;
    soon__library_loop_post(&completion.job);
    test_wait_until(completion.called == 1);
    soon_future_unref(completion.future);
    soon_promise_free(completion.promise);
    return open_descriptors() == inherited_descriptors ? 0 : 7;
}

static int in_child(int (*body)(size_t), size_t argument)
{
    pid_t child = test_fork();
    int status;

    if (child == 0)
        _exit(body(argument));
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static int use_it_and_fork_again(size_t inherited_descriptors)
{
    int rc = use_it_anew(inherited_descriptors);

    return rc ? rc : in_child(use_it_anew, open_descriptors());
}

Test(library_loop_fork, forked_child_makes_its_own_and_so_does_its_child)
{
    wait_for_both_threads();

    cr_assert_eq(in_child(use_it_and_fork_again, open_descriptors()), 0);

    wait_for_both_threads(); /* and the parent's still work */
}

/* A job that works for a while and posts itself again, until there is enough of that. */
struct endless {
    struct soon__job job; /* first */
    void (*post)(struct soon__job *job);
    int64_t work_ns;
};

static atomic_bool enough;

static void run_on(struct soon__job *job)
{
    struct endless *endless = (struct endless *)job;
    int64_t end = soon__clock_ns() + endless->work_ns;

    while (soon__clock_ns() < end)
        continue;
    if (enough)
        ran++;
    else
        endless->post(job);
}

static void fork_while_both_threads_are_busy(int64_t work_ns)
{
    /* Static, since they go on after an assertion that failed. */
    static struct endless jobs[] = {
        {.job.run = run_on, .post = soon__library_loop_post},
        {.job.run = run_on, .post = soon__library_callbacks_post},
    };

    jobs[0].work_ns = work_ns;

    wait_for_both_threads(); /* else the child may find AddressSanitizer's allocator locked by a thread that begins */
    soon__library_loop_post(&jobs[0].job);
    soon__library_callbacks_post(&jobs[1].job);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(in_child(use_it_anew, open_descriptors()), 0);
    enough = true;
    test_wait_until(ran == 2);
}

Test(library_loop_fork, forked_child_makes_its_own_while_the_parents_is_busy)
{
    fork_while_both_threads_are_busy(0);
}

/* The loop's thread never sleeps, and is between two turns for a short moment only, which the thread that forks cannot
 * see from another CPU. */
Test(library_loop_fork, forked_child_makes_its_own_while_the_parents_is_busy_on_the_only_cpu)
{
    test_stay_on_one_cpu();
    fork_while_both_threads_are_busy(2000000);
}

static atomic_int child_status = -1;

static void fork_here(soon_future *future, void *data)
{
    (void)future, (void)data;
    child_status = in_child(use_it_anew, open_descriptors());
}

/* The child's only thread is then a copy of the callback thread. */
Test(library_loop_fork, callback_on_the_callback_thread_may_fork)
{
    struct completion completion;

    wait_for_both_threads();
    new_completion(&completion, complete);
    cr_assert_eq(soon_future_add_done_callback(completion.future, fork_here, NULL), 0);
    soon__library_loop_post(&completion.job);

    test_wait_until(child_status != -1);
    cr_assert_eq(child_status, 0);
    soon_future_unref(completion.future);
    soon_promise_free(completion.promise);
}
