/*
 * alloc_failure_loop.c - what the library's loop and callers' loops need is missing, each in turn: nothing is lost.
 */
#include "../support/loop_fixture.h"

#include "../../executor/loops/library_loop_internal.h"
#include "../harness/fail.h"

#include <errno.h>

TestSuite(alloc_failure_loop);

Test(alloc_failure_loop, start_of_the_librarys_loop_is_undone_and_can_be_repeated, .bare = true)
{
    for (size_t n = 1;; n++) {
        int rc;

        fail_nth_here(n);
        rc = soon__library_start();
        if (fail_stop() < n) {
            cr_assert_eq(rc, 0);
            cr_assert_gt(n, 3); /* memory and two threads at least */
            break;
        }
        cr_assert(rc == -ENOMEM || rc == -EMFILE || rc == -EAGAIN || rc == -ENOSPC, "%d", rc);
    }
}

static int add_all(soon_future *future)
{
    soon_loop *again;
    int rc = soon_loop_attach(&again, &uv);

    if (rc < 0)
        return rc;
    soon_loop_detach(again, NULL, NULL);
    rc = soon_loop_post(on, say, "p");
    if (rc < 0)
        return rc;
    return soon_future_add_done_callback_on(future, on, say_done, "f");
}

Test(alloc_failure_loop, attach_post_and_registration_say_so_and_change_nothing)
{
    struct halves made = pending();

    cr_assert_eq(uv_loop_init(&uv), 0);
    for (size_t n = 1;; n++) {
        int rc;

        fail_nth(n);
        rc = soon_loop_attach(&on, &uv);
        if (rc == 0)
            rc = add_all(made.future);
        if (fail_stop() < n)
            break;
        cr_assert(rc == -ENOMEM || rc == -EMFILE, "%d", rc);
        if (on)
            detach_saying("c"); /* needs no memory */
        cr_assert_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
    }
    cr_assert(soon_future_cancel(made.future));
    detach_saying("closed");
    cr_assert_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
    cr_assert_str_eq(said, "ccpcpfclosed");
    cr_assert_eq(uv_loop_close(&uv), 0);
    release(made);
}

static int use_own(soon_future *future)
{
    int rc = soon_loop_post(on, say, "p");

    if (rc < 0)
        return rc;
    return soon_future_add_done_callback_on(future, on, say_done, "f");
}

Test(alloc_failure_loop, making_a_loop_of_ones_own_says_so_and_its_dispatch_and_detach_need_nothing)
{
    struct halves made = pending();

    for (size_t n = 1;; n++) {
        soon_loop *loop;
        size_t needed;
        int rc;

        said[0] = 0;
        fail_nth(n);
        rc = soon_loop_new(&on);
        if (rc == 0)
            rc = use_own(made.future);
        needed = fail_stop();
        cr_assert(rc == 0 || rc == -ENOMEM || rc == -EMFILE, "%d", rc);
        cr_assert_eq(on == NULL, rc < 0 && n <= 2);
        if (needed < n)
            break;
        if (!on)
            continue;
        loop = on;
        fail_from_here(1);
        detach_saying("c");
        while ((rc = soon_loop_dispatch(loop, 0)) >= 0)
            continue;
        fail_stop();
        cr_assert_eq(rc, SOON_EEND);
        cr_assert_str_eq(said, n == 3 ? "c" : "pc");
    }
    soon_loop *loop = on;
    cr_assert(soon_future_cancel(made.future));
    detach_saying("closed");
    cr_assert_eq(soon_loop_dispatch(loop, 0), 2);
    cr_assert_eq(soon_loop_dispatch(loop, 0), SOON_EEND);
    cr_assert_str_eq(said, "pfclosed");
    release(made);
}

static int releases;

static void count_release(void *data)
{
    (void)data;
    releases++;
}

static int add_owned(soon_future *future, soon_loop *loop)
{
    return soon_future_add_done_callback_owned(future, loop, say_done, "no", count_release);
}

static void take_back(soon_future *future)
{
    cr_assert(soon_future_remove_done_callback(future, say_done, "no"));
}

Test(alloc_failure_loop, data_of_a_callback_is_released_once_whatever_is_missing, .init = open_loop, .fini = close_loop)
{
    struct halves made = pending();

    cr_assert_eq(soon__library_start(), 0);
    for (size_t n = 1;; n++) {
        int rc[3];

        releases = 0;
        fail_nth(n);
        rc[0] = add_owned(made.future, NULL);
        rc[1] = add_owned(made.future, on);
        rc[2] = soon_loop_post_owned(on, say, "p", count_release);
        if (fail_stop() < n)
            break;
        for (int i = 0; i < 2; i++) {
            if (rc[i] == 0)
                take_back(made.future);
            else
                cr_assert_eq(rc[i], -ENOMEM);
        }
        run_to_the_end();
        cr_assert_eq(releases, 3);
    }
    soon_promise_free(made.promise);
    soon_future_unref(made.future);
    run_to_the_end();
    cr_assert_eq(releases, 3);
}

SOON_TASK(same, int, int)
{
    (void)task;
    *result = *arg;
    return 0;
}

static int submit_owned(soon_executor *executor, soon_loop *loop)
{
    soon_future *future = soon_submit_with(
        executor, (.on_done = say_done, .on_done_data = "s", .on_done_loop = loop, .on_done_release = count_release),
        same, 1);
    int rc = soon_future_wait(future, SOON_FOREVER);

    soon_future_unref(future);
    return rc;
}

Test(alloc_failure_loop, data_of_on_done_is_released_once_whatever_is_missing, .init = open_loop, .fini = close_loop)
{
    soon_executor *executor;

    for (size_t n = 1;; n++) {
        size_t failed;

        cr_assert_eq(soon_thread_pool_new(&executor, &(soon_thread_pool_options){.workers = 1}), 0);
        cr_assert_eq(soon_executor_boot(executor, SOON_FOREVER), 0);
        releases = 0;
        said[0] = 0;
        fail_nth(n);
        cr_assert_eq(submit_owned(executor, on), 0);
        failed = fail_stop();
        cr_assert_eq(soon_executor_free(executor), 0);
        run_to_the_end();
        cr_assert_eq(releases, 1, "%zu", n);
        if (failed < n)
            break;
    }
}

static void note_end(void *ends)
{
    ++*(int *)ends;
}

Test(alloc_failure_loop, end_of_an_executor_is_refused_or_needs_no_more, .init = open_loop, .fini = close_loop)
{
    int ends = 0;

    for (size_t n = 1;; n++) {
        soon_executor *executor;
        size_t needed;
        int rc;

        cr_assert_eq(soon_thread_pool_new(&executor, &(soon_thread_pool_options){.workers = 1}), 0);
        soon_future_unref(soon_submit(executor, same, 1));
        fail_from_here(n);
        rc = soon_executor_end(executor,
                               &(soon_end_options){.grace_ms = 1, .loop = on, .on_end = note_end, .data = &ends});
        needed = fail_stop();
        cr_assert_eq(rc, needed < n ? 0 : -ENOMEM);
        if (rc < 0)
            cr_assert_eq(soon_executor_free(executor), 0);
        run_to_the_end();
        cr_assert_eq(ends, rc == 0);
        if (rc == 0)
            break;
    }
}
