/*
 * loop_attach.c - attaching a loop, detaching it at any moment, on which thread, and in a forked child.
 */
#include "../support/loop_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(loop_attach, .init = open_loop, .fini = close_loop);

/*
 * Attach and detach
 */

Test(loop_attach, attached_again_is_the_same_and_has_one_handle)
{
    soon_loop *again;

    cr_assert_eq(soon_loop_attach(&again, &uv), 0);
    cr_assert_eq(again, on);
    cr_assert_eq(handles(), 1);

    soon_loop_detach(again, say, "first");
    cr_assert_eq(soon_loop_post(on, say, "post"), 0); /* still attached */
    run_to_the_end();
    cr_assert_str_eq(said, "firstpost");
    cr_assert_eq(handles(), 1);

    detach_saying("last");
    run_to_the_end();
    cr_assert_str_eq(said, "firstpostlast");
    cr_assert_eq(handles(), 0);
}

Test(loop_attach, two_loops_are_two)
{
    uv_loop_t other_uv;
    soon_loop *other;

    cr_assert_eq(uv_loop_init(&other_uv), 0);
    cr_assert_eq(soon_loop_attach(&other, &other_uv), 0);
    cr_assert_neq(other, on);
    cr_assert_eq(soon_loop_post(other, say, "other"), 0);
    run_to_the_end();
    cr_assert_str_empty(said);

    soon_loop_detach(other, NULL, NULL);
    cr_assert_eq(uv_run(&other_uv, UV_RUN_DEFAULT), 0);
    cr_assert_str_eq(said, "other");
    cr_assert_eq(uv_loop_close(&other_uv), 0);
}

Test(loop_attach, detach_refuses_what_is_new_and_delivers_what_is_outstanding)
{
    struct halves made = pending(), other = successful();
    soon_loop *detached = on;

    cr_assert_eq(soon_loop_post(on, say, "p"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "f"), 0);
    detach_saying("closed");
    cr_assert_eq(soon_loop_post(detached, say, "no"), SOON_ESHUTDOWN);
    cr_assert_eq(soon_future_add_done_callback_on(other.future, detached, say_done, "no"), SOON_ESHUTDOWN);
    cr_assert_eq(soon_future_add_done_callback_on(made.future, detached, say_done, "no"), SOON_ESHUTDOWN);
    cr_assert_neq(uv_run(&uv, UV_RUN_NOWAIT), 0);
    cr_assert_neq(uv_run(&uv, UV_RUN_NOWAIT), 0);
    cr_assert_str_eq(said, "p");

    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();
    cr_assert_str_eq(said, "pfclosed");
    release(made);
    release(other);
}

Test(loop_attach, detach_does_not_wait_for_what_is_removed_or_cancelled)
{
    struct halves removed = pending(), cancelled = pending();

    cr_assert_eq(soon_future_add_done_callback_on(removed.future, on, say_done, "r"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(cancelled.future, on, say_done, "c"), 0);
    detach_saying("closed");
    cr_assert(soon_future_remove_done_callback(removed.future, say_done, "r"));
    cr_assert(soon_future_cancel(cancelled.future));

    run_to_the_end();
    cr_assert_str_eq(said, "cclosed");
    release(removed);
    release(cancelled);
}

Test(loop_attach, detached_with_nothing_outstanding_closes_at_once)
{
    cr_assert_eq(handles(), 1);
    detach_saying("closed");
    cr_assert_str_empty(said); /* never inside the call */
    run_to_the_end();
    cr_assert_str_eq(said, "closed");
}

Test(loop_attach, last_remove_after_a_detach_closes_it)
{
    struct halves made = pending();

    run_to_the_end();
    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "r"), 0);
    detach_saying("closed");
    cr_assert(soon_future_remove_done_callback(made.future, say_done, "r"));
    run_to_the_end();
    cr_assert_str_eq(said, "closed");
    release(made);
}

static void *remove_soon(void *data)
{
    struct helper *helper = data;

    test_wait_until(helper->running);
    cr_assert(soon_future_remove_done_callback(helper->made.future, say_done, "done"));
    return NULL;
}

static void detach_and_set_flag(void *flag)
{
    detach_saying("closed");
    set_flag(flag);
}

Test(loop_attach, last_remove_on_another_thread_after_a_detach_closes_it)
{
    struct helper helper = {.made = pending()};

    cr_assert_eq(soon_future_add_done_callback_on(helper.made.future, on, say_done, "done"), 0);
    cr_assert_eq(soon_loop_post(on, detach_and_set_flag, &helper.running), 0);
    pthread_create(&helper.thread, NULL, remove_soon, &helper);
    run_to_the_end();
    cr_assert_str_eq(said, "closed");
    pthread_join(helper.thread, NULL);
    release(helper.made);
}

static void detach_here(soon_future *future, void *data)
{
    (void)future;
    detach_saying(data);
    say("detached");
}

Test(loop_attach, detach_within_its_last_callback)
{
    struct halves done = successful();

    cr_assert_eq(soon_future_add_done_callback_on(done.future, on, detach_here, "closed"), 0);
    cr_assert_eq(soon_loop_post(on, say, "p"), 0);
    run_to_the_end();
    cr_assert_str_eq(said, "detachedpclosed");
    release(done);
}

static void attach_anew(void *data)
{
    (void)data;
    say("closed");
    cr_assert_eq(soon_loop_attach(&on, &uv), 0);
    cr_assert_eq(soon_loop_post(on, say, "anew"), 0);
}

Test(loop_attach, can_be_attached_anew_when_it_was_closed)
{
    soon_loop_detach(on, attach_anew, NULL);
    run_to_the_end();
    cr_assert_str_eq(said, "closedanew");
}

Test(loop_attach, can_be_attached_anew_while_it_closes)
{
    struct halves made = pending();
    soon_loop *old = on;

    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "old"), 0);
    soon_loop_detach(old, say, "closed");
    cr_assert_eq(soon_loop_attach(&on, &uv), 0);
    cr_assert_neq(on, old);
    cr_assert_eq(handles(), 2);
    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "new"), 0);

    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();
    cr_assert_eq(strlen(said), strlen("oldnewclosed"));
    cr_assert_not_null(strstr(said, "new"));
    cr_assert_lt(strstr(said, "old"), strstr(said, "closed"));
    release(made);
}

Test(loop_attach, detach_of_all_attaches_in_one_go)
{
    soon_loop *again;

    cr_assert_eq(soon_loop_attach(&again, &uv), 0);
    cr_assert_eq(soon_loop_attach(&again, &uv), 0);
    soon_loop_detach(on, say, "1");
    soon_loop_detach(on, NULL, NULL);
    cr_assert_eq(soon_loop_post(on, say, "2"), 0);
    detach_saying("3");
    run_to_the_end();
    cr_assert_str_eq(said, "123");
}

Test(loop_attach, detached_before_it_ever_ran)
{
    uv_loop_t other_uv;
    soon_loop *other;

    cr_assert_eq(uv_loop_init(&other_uv), 0);
    cr_assert_eq(soon_loop_attach(&other, &other_uv), 0);
    soon_loop_detach(other, say, "closed");
    cr_assert_eq(uv_run(&other_uv, UV_RUN_DEFAULT), 0);
    cr_assert_str_eq(said, "closed");
    cr_assert_eq(uv_loop_close(&other_uv), 0);
}

/*
 * Threads
 */

static void *run_loop(void *data)
{
    (void)data;
    run_to_the_end();
    return NULL;
}

/* Attached here, run there, detached here when that thread is gone. */
Test(loop_attach, may_be_attached_before_its_thread_runs_it_and_detached_after)
{
    struct halves made = pending();
    pthread_t thread;

    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "done"), 0);
    pthread_create(&thread, NULL, run_loop, NULL);
    soon_promise_set_result(made.promise, NULL, 0);
    pthread_join(thread, NULL);
    cr_assert_str_eq(said, "done");

    detach_saying("closed");
    run_to_the_end();
    cr_assert_str_eq(said, "doneclosed");
    release(made);
}

/*
 * Bad input
 */

Test(loop_attach, arguments_that_are_missing_are_refused)
{
    struct halves made = pending();
    soon_loop *loop = (soon_loop *)&made;

    cr_assert_eq(soon_loop_attach(NULL, &uv), -EINVAL);
    cr_assert_eq(soon_loop_attach(&loop, NULL), -EINVAL);
    cr_assert_null(loop);
    cr_assert_eq(soon_loop_post(NULL, say, NULL), -EINVAL);
    cr_assert_eq(soon_loop_post(on, NULL, NULL), -EINVAL);
    cr_assert_eq(soon_future_add_done_callback_on(NULL, on, say_done, NULL), -EINVAL);
    cr_assert_eq(soon_future_add_done_callback_on(made.future, NULL, say_done, NULL), -EINVAL);
    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, NULL, NULL), -EINVAL);
    soon_loop_detach(NULL, say, "no");
    run_to_the_end();
    cr_assert_str_empty(said);
    release(made);
}

static void *misuse_elsewhere(void *data)
{
    struct helper *helper = data;
    soon_loop *again = NULL;

    test_wait_until(helper->running);
    cr_assert_eq(soon_loop_attach(&again, &uv), -EINVAL);
    cr_assert_null(again);
    soon_loop_detach(on, say, "no");
    soon_promise_set_result(helper->made.promise, NULL, 0);
    return NULL;
}

/* The loop's thread is known, and alive. */
TestMisuse(loop_attach, attach_and_detach_on_another_thread_are_asserted)
{
    struct helper helper = {.made = pending()};

    cr_assert_eq(soon_future_add_done_callback_on(helper.made.future, on, say_done, "done"), 0);
    cr_assert_eq(soon_loop_post(on, set_flag, &helper.running), 0);
    pthread_create(&helper.thread, NULL, misuse_elsewhere, &helper);
    run_to_the_end();
    pthread_join(helper.thread, NULL);
    cr_assert_str_eq(said, "done"); /* still attached */
    release(helper.made);
}

TestMisuse(loop_attach, one_detach_too_many_is_asserted)
{
    struct halves made = pending();
    soon_loop *detached = on;

    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "done"), 0);
    detach_saying("closed");
    soon_loop_detach(detached, say, "no");
    soon_promise_set_result(made.promise, NULL, 0);
    run_to_the_end();
    cr_assert_str_eq(said, "doneclosed");
    release(made);
}

/*
 * Fork
 */

/* In the child: 0, or which step failed. `done` and `open` are the parent's. */
static int use_loops_in_child(struct halves done, struct halves open)
{
    static struct halves own;
    soon_loop *parents = on;

    own = successful();
    if (soon_loop_post(on, say, "no") != SOON_EFORKED)
        return 1;
    if (soon_future_add_done_callback_on(own.future, on, say_done, "no") != SOON_EFORKED)
        return 2;
    if (uv_loop_fork(&uv) != 0)
        return 3;
    if (soon_loop_attach(&on, &uv) != 0 || on == parents)
        return 4;
    soon_loop_detach(parents, say, "parent's");
    if (soon_future_add_done_callback_on(open.future, on, say_done, "no") != SOON_EFORKED)
        return 5;
    if (soon_future_add_done_callback_on(done.future, on, say_done, "done") != 0)
        return 6;
    if (soon_future_add_done_callback_on(own.future, on, say_done, "own") != 0)
        return 7;
    if (soon_loop_post(on, say, "post") != 0)
        return 8;
    soon_loop_detach(on, say, "closed");
    if (uv_run(&uv, UV_RUN_DEFAULT) != 0 || uv_loop_close(&uv) != 0)
        return 9;
    return strcmp(said, "parent'sdoneownpostclosed") == 0 || strcmp(said, "doneownpostparent'sclosed") == 0 ||
                   strcmp(said, "doneownpostclosedparent's") == 0
               ? 0
               : 10;
}

Test(loop_attach, is_the_parents_in_a_forked_child_which_may_attach_its_own)
{
    static struct halves done, open; /* the child loses none of them, for valgrind */
    int status;
    pid_t child;

    done = successful();
    open = pending();
    cr_assert_eq(soon_loop_post(on, say, "mine"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(open.future, on, say_done, "pending"), 0);
    child = test_fork();
    if (child == 0)
        _exit(use_loops_in_child(done, open));
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0, "step %d", WEXITSTATUS(status));

    soon_promise_set_result(open.promise, NULL, 0);
    run_to_the_end();
    cr_assert_str_eq(said, "minepending");
    release(done);
    release(open);
}

static void fork_here(void *data)
{
    pid_t child = test_fork();

    if (child == 0) {
        uv_stop(&uv);
        return; /* and then it must touch nothing of the parent's */
    }
    waitpid(child, data, 0);
}

Test(loop_attach, callback_may_fork_and_its_child_leave_the_loop)
{
    pid_t parent = getpid();
    int status = -1;

    cr_assert_eq(soon_loop_post(on, fork_here, &status), 0);
    cr_assert_eq(soon_loop_post(on, say, "parent"), 0);
    uv_run(&uv, UV_RUN_DEFAULT);
    if (getpid() != parent)
        _exit(said[0] != '\0');
    cr_assert_eq(status, 0);
    cr_assert_str_eq(said, "parent");
}
