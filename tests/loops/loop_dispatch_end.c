/*
 * loop_dispatch_end.c - a loop that is the caller's own poll: its detach, the threads that may dispatch it, forks, and
 * bad input.
 */
#include "../support/dispatch_fixture.h"
#include "../support/forked.h"

#include <fcntl.h>
#include <uv.h>

TestSuite(loop_dispatch_end, .init = open_loop, .fini = close_loop);

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/*
 * Detach
 */

struct closing {
    soon_loop *loop;
    int fd, runs;
};

static void note_closed(void *data)
{
    struct closing *closing = data;

    closing->runs++;
    cr_assert(is_open(closing->fd));
    cr_assert_eq(soon_loop_fd(closing->loop), closing->fd);
    cr_assert_eq(soon_loop_dispatch(closing->loop, 0), -EBUSY);
}

Test(loop_dispatch_end, detach_delivers_what_is_outstanding_then_closes_in_a_dispatch_of_its_own)
{
    struct closing closing = {on, soon_loop_fd(on), 0};
    struct halves first = pending(), second = pending();

    cr_assert_eq(soon_future_add_done_callback_on(first.future, on, say_done, "1"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(second.future, on, say_done, "2"), 0);
    soon_loop_detach(on, note_closed, &closing);
    on = NULL;
    cr_assert_eq(soon_loop_post(closing.loop, say, "no"), SOON_ESHUTDOWN);
    cr_assert(strstr(soon_last_error()->message, "the loop is detached"));
    cr_assert_eq(soon_future_add_done_callback_on(first.future, closing.loop, say_done, "no"), SOON_ESHUTDOWN);
    cr_assert_not(poll_loop(closing.loop, 0));

    soon_promise_set_result(first.promise, NULL, 0);
    cr_assert_eq(soon_loop_dispatch(closing.loop, 0), 1);
    cr_assert_not(poll_loop(closing.loop, 0));
    soon_promise_set_result(second.promise, NULL, 0);
    cr_assert_eq(soon_loop_dispatch(closing.loop, 0), 1);
    cr_assert_eq(closing.runs, 0);
    cr_assert(poll_loop(closing.loop, 0));

    cr_assert_eq(soon_loop_dispatch(closing.loop, 0), SOON_EEND);
    cr_assert_eq(closing.runs, 1);
    cr_assert_not(is_open(closing.fd));
    cr_assert_str_eq(said, "12");
    release(first);
    release(second);
}

Test(loop_dispatch_end, detach_of_one_that_was_never_dispatched)
{
    soon_loop *loop = on;

    detach_saying("closed");
    cr_assert_str_empty(said);
    cr_assert(poll_loop(loop, 0));
    cr_assert_eq(soon_loop_dispatch(loop, 0), SOON_EEND);
    cr_assert_str_eq(said, "closed");
}

static void detach_here(soon_future *future, void *word)
{
    (void)future;
    say("(");
    detach_saying(word);
    say(")");
}

Test(loop_dispatch_end, detach_within_a_callback_comes_after_the_others)
{
    struct halves done = successful();
    soon_loop *loop = on;

    cr_assert_eq(soon_future_add_done_callback_on(done.future, on, detach_here, "closed"), 0);
    cr_assert_eq(soon_loop_post(on, say, "p"), 0);
    cr_assert_eq(soon_loop_dispatch(loop, 1), 1);
    cr_assert_str_eq(said, "()");
    cr_assert_eq(soon_loop_dispatch(loop, 1), 1);
    cr_assert_str_eq(said, "()p");
    cr_assert_eq(soon_loop_dispatch(loop, 1), SOON_EEND);
    cr_assert_str_eq(said, "()pclosed");
    release(done);
}

static void *take_back(void *future)
{
    cr_assert(soon_future_remove_done_callback(future, say_done, "no"));
    return NULL;
}

Test(loop_dispatch_end, closes_when_another_thread_takes_the_last_callback_back)
{
    struct halves made = pending();
    soon_loop *loop = on;
    pthread_t thread;

    cr_assert_eq(soon_loop_dispatch(on, 0), 0);
    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "no"), 0);
    detach_saying("closed");
    cr_assert_not(poll_loop(loop, 0));
    pthread_create(&thread, NULL, take_back, made.future);
    run_to_the_close(loop);
    pthread_join(thread, NULL);
    cr_assert_str_eq(said, "closed");
    release(made);
}

static void make_anew(void *data)
{
    (void)data;
    open_loop();
    cr_assert_eq(soon_loop_post(on, say, "anew"), 0);
}

Test(loop_dispatch_end, another_may_be_made_as_it_closes)
{
    soon_loop *loop = on;

    soon_loop_detach(on, make_anew, NULL);
    run_to_the_close(loop);
    cr_assert_neq(on, loop);
    cr_assert_eq(soon_loop_dispatch(on, 0), 1);
    cr_assert_str_eq(said, "anew");
}

static void drop(void *data)
{
    (void)data;
}

Test(loop_dispatch_end, that_nobody_dispatches_any_more_is_no_leak_until_the_program_ends)
{
    struct halves made = pending();

    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "no"), 0);
    cr_assert_eq(soon_loop_post_owned(on, say, "no", drop), 0);
    detach_saying("no");
    cr_assert(soon_future_remove_done_callback(made.future, say_done, "no"));
    release(made);
    test_accept_open_descriptors();
}

/*
 * Threads
 */

static void *dispatch_all(void *loop)
{
    cr_assert(poll_loop(loop, -1));
    cr_assert_eq(soon_loop_dispatch(loop, 0), 1);
    return NULL;
}

static void note_thread(void *thread)
{
    *(pthread_t *)thread = pthread_self();
}

Test(loop_dispatch_end, goes_over_to_each_thread_that_dispatches_it)
{
    pthread_t thread, ran_on;

    cr_assert_eq(soon_loop_post(on, say, "here"), 0);
    cr_assert_eq(soon_loop_dispatch(on, 0), 1);
    pthread_create(&thread, NULL, dispatch_all, on);
    cr_assert_eq(soon_loop_post(on, note_thread, &ran_on), 0);
    pthread_join(thread, NULL);
    cr_assert(pthread_equal(ran_on, thread));

    cr_assert_eq(soon_loop_post(on, note_thread, &ran_on), 0);
    cr_assert_eq(soon_loop_dispatch(on, 0), 1);
    cr_assert(pthread_equal(ran_on, pthread_self()));
}

static atomic_bool inside, tried;

static void stay(void *data)
{
    (void)data;
    inside = true;
    test_wait_until(tried);
}

static void *try_while_inside(void *loop)
{
    test_wait_until(inside);
    cr_assert_eq(soon_loop_post(loop, say, "later"), 0);
    cr_assert_not(poll_loop(loop, 0));
    cr_assert_eq(soon_loop_dispatch(loop, 0), -EBUSY);
    cr_assert_str_empty(said);
    tried = true;
    return NULL;
}

Test(loop_dispatch_end, while_another_thread_dispatches_runs_nothing)
{
    pthread_t thread;

    cr_assert_eq(soon_loop_post(on, stay, NULL), 0);
    pthread_create(&thread, NULL, try_while_inside, on);
    cr_assert_eq(soon_loop_dispatch(on, 0), 1);
    pthread_join(thread, NULL);
    cr_assert(is_due());
    cr_assert_eq(soon_loop_dispatch(on, 0), 1);
    cr_assert_str_eq(said, "later");
}

static void *detach_elsewhere(void *loop)
{
    soon_loop_detach(loop, say, "no");
    return NULL;
}

TestMisuse(loop_dispatch_end, detach_on_another_thread_is_asserted)
{
    pthread_t thread;

    cr_assert_eq(soon_loop_dispatch(on, 0), 0);
    pthread_create(&thread, NULL, detach_elsewhere, on);
    pthread_join(thread, NULL);
    cr_assert_eq(soon_loop_post(on, say, "open"), 0);
    cr_assert_eq(soon_loop_dispatch(on, 0), 1);
    cr_assert_str_eq(said, "open");
}

TestMisuse(loop_dispatch_end, one_detach_too_many_is_asserted)
{
    soon_loop *loop = on;

    detach_saying("closed");
    soon_loop_detach(loop, say, "no");
    run_to_the_close(loop);
    cr_assert_str_eq(said, "closed");
}

static void *dispatch_and_leave(void *loop)
{
    cr_assert_eq(soon_loop_dispatch(loop, 0), 0);
    return NULL;
}

Test(loop_dispatch_end, may_be_detached_where_its_thread_has_ended)
{
    soon_loop *loop = on;
    pthread_t thread;

    pthread_create(&thread, NULL, dispatch_and_leave, on);
    pthread_join(thread, NULL);
    detach_saying("closed");
    run_to_the_close(loop);
    cr_assert_str_eq(said, "closed");
}

/*
 * Bad input
 */

Test(loop_dispatch_end, arguments_that_make_no_sense_are_refused)
{
    cr_assert_eq(soon_loop_new(NULL), -EINVAL);
    cr_assert_eq(soon_loop_fd(NULL), -EINVAL);
    cr_assert_eq(soon_loop_dispatch(NULL, 0), -EINVAL);
    cr_assert_eq(soon_loop_post(on, say, "a"), 0);
    cr_assert_eq(soon_loop_dispatch(on, -1), -EINVAL);
    cr_assert_not_null(strstr(soon_last_error()->message, "max = -1 is negative"));
    cr_assert(is_due());
    cr_assert_eq(soon_loop_dispatch(on, 0), 1);
    cr_assert_str_eq(said, "a");
}

Test(loop_dispatch_end, of_a_libuv_loop_is_refused)
{
    soon_loop *attached;
    uv_loop_t uv;

    cr_assert_eq(uv_loop_init(&uv), 0);
    cr_assert_eq(soon_loop_attach(&attached, &uv), 0);
    cr_assert_eq(soon_loop_fd(attached), -EINVAL);
    cr_assert_eq(soon_loop_dispatch(attached, 0), -EINVAL);
    soon_loop_detach(attached, NULL, NULL);
    cr_assert_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
    cr_assert_eq(uv_loop_close(&uv), 0);
}

/*
 * Fork
 */

static struct halves made; /* the child loses none, for valgrind */
static int parents_fd;

static void use_loops_in_child(void)
{
    soon_loop *parents = on;
    CHECK(soon_loop_fd(parents) == SOON_EFORKED);
    CHECK(soon_loop_dispatch(parents, 0) == SOON_EFORKED);
    CHECK(soon_loop_post(parents, say, "no") == SOON_EFORKED);
    CHECK(soon_future_add_done_callback_on(made.future, parents, say_done, "no") == SOON_EFORKED);
    open_loop();
    CHECK(on != parents);
    CHECK(soon_loop_post(on, say, "own") == 0);
    CHECK(is_due() && soon_loop_dispatch(on, 0) == 1);
    CHECK(is_open(parents_fd));
    soon_loop_detach(parents, say, "parent's");
    CHECK(!is_open(parents_fd));
    soon_loop_detach(parents, say, "no");
    CHECK(strcmp(said, "ownparent's") == 0);
    close_loop();
}

Test(loop_dispatch_end, is_the_parents_in_a_forked_child_which_may_make_its_own)
{
    made = pending();
    parents_fd = soon_loop_fd(on);
    cr_assert_eq(soon_loop_post(on, say, "mine"), 0);
    cr_assert_eq(soon_future_add_done_callback_on(made.future, on, say_done, "pending"), 0);
    in_child(use_loops_in_child);

    cr_assert(is_due()); /* the child has not read it */
    soon_promise_set_result(made.promise, NULL, 0);
    cr_assert_eq(soon_loop_dispatch(on, 0), 2);
    cr_assert_str_eq(said, "minepending");
    release(made);
}

static void fork_here(void *data)
{
    pid_t child = test_fork();

    if (child != 0)
        waitpid(child, data, 0);
}

Test(loop_dispatch_end, callback_may_fork_and_its_child_leave_the_dispatch)
{
    pid_t parent = getpid();
    int status = -1, rc;

    cr_assert_eq(soon_loop_post(on, fork_here, &status), 0);
    cr_assert_eq(soon_loop_post(on, say, "parent"), 0);
    rc = soon_loop_dispatch(on, 0);
    if (getpid() != parent)
        _exit(rc != SOON_EFORKED || said[0] != '\0');
    cr_assert_eq(rc, 2);
    cr_assert_eq(status, 0);
    cr_assert_str_eq(said, "parent");
}
