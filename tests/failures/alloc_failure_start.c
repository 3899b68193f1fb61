/*
 * alloc_failure_start.c - the library's own start, its loop and threads, when one allocation, thread or descriptor
 * cannot be had: the first pool says so, and the next attempt succeeds. Each time in a process of its own, where
 * nothing has started.
 */
#include "../harness/fail.h"
#include "../harness/test.h"

#include <errno.h>
#include <soon.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

/* In the child: an assertion of the runner's must not end there. */
#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);                                            \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

SOON_TASK(add_one, int, int)
{
    *result = *arg + 1;
    return 0;
}

static bool may_be(int code)
{
    return code == -ENOMEM || code == -EAGAIN || code == -EMFILE || code == -ENOSPC || code == SOON_EBROKEN;
}

static void use_pool(bool may_fail)
{
    soon_executor *pool;
    int result, rc = soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 0});

    must(rc == 0 || (may_fail && may_be(rc)));
    if (rc < 0)
        return;
    rc = soon_executor_shutdown_on_signal(pool, SOON_DRAIN);
    must(rc == 0 || (may_fail && may_be(rc)));
    rc = soon_take(soon_submit(pool, add_one, 1), &result);
    must(rc == 0 ? result == 2 : may_fail && may_be(rc));
    while ((rc = soon_executor_free(pool)) < 0)
        must(may_fail && rc == -ENOMEM);
}

/* Something that starts the callback thread: a future that the library's loop completes. */
static void use_callback(bool may_fail)
{
    soon_promise *promise;
    soon_future *future, *then;
    soon_executor *pool;
    int rc = soon_promise_new(&promise, NULL);

    must(rc == 0 || may_fail);
    if (rc < 0)
        return;
    future = soon_promise_future(promise);
    rc = soon_thread_pool_new(&pool, &(soon_thread_pool_options){.workers = 1});
    must(rc == 0 || may_fail);
    if (rc == 0) {
        then = soon_then(future, pool, &add_one_task);
        must(soon_promise_set_result(promise, &(int){1}, sizeof(int)) == 0 || may_fail);
        soon_promise_free(promise);
        must(soon_future_wait(then, SOON_FOREVER) == 0);
        soon_future_unref(then);
        while (soon_executor_free(pool) < 0)
            ;
    } else {
        soon_promise_free(promise);
    }
    soon_future_unref(future);
}

static void use_loop(bool may_fail)
{
    uv_loop_t uv;
    soon_loop *loop;
    int rc;

    fail_pause();
    must(uv_loop_init(&uv) == 0);
    fail_resume();
    rc = soon_loop_attach(&loop, &uv);
    must(rc == 0 || (may_fail && may_be(rc)));
    if (rc == 0) {
        soon_loop_detach(loop, NULL, NULL);
        must(uv_run(&uv, UV_RUN_DEFAULT) == 0);
    }
    must(uv_loop_close(&uv) == 0);
}

static void use(bool may_fail)
{
    use_loop(may_fail);
    use_pool(may_fail);
    use_callback(may_fail);
}

/* How many calls there were that could fail; 0: the child did not end well. */
static size_t child(void (*fail)(size_t nth), size_t nth)
{
    size_t *calls = mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), counted;
    int status;
    pid_t pid = test_fork();

    if (pid == 0) {
        fail(nth);
        use(true);
        *calls = fail_stop();
        use(false);
        _exit(0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    counted = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? *calls : 0;
    munmap(calls, sizeof *calls);
    return counted;
}

static void each_failure_is_told(void (*fail)(size_t nth))
{
    size_t nth = 0, calls = 1;

    while (nth < calls) {
        calls = child(fail, ++nth);
        cr_assert_gt(calls, 0, "when call %zu fails", nth);
    }
    cr_assert_gt(nth, 20);
}

TestSuite(alloc_failure_start, .bare = true);

Test(alloc_failure_start, one_failure_is_told_and_may_be_tried_again)
{
    each_failure_is_told(fail_nth);
}

Test(alloc_failure_start, failures_that_go_on_are_told_and_may_be_tried_again)
{
    each_failure_is_told(fail_from);
}
