/*
 * alloc_failure_loop.c - what the library's loop and callers' loops need is missing, each in turn: nothing is lost.
 */
#include "loop_fixture.h"

#include "../executor/library_loop_internal.h"
#include "harness/fail.h"

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
    struct made made = make();

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
    drop(made);
}
