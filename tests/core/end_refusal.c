/*
 * end_refusal.c - an end that is refused takes nothing; and what becomes of one whose loop is gone, or that was asked twice.
 */
#include "../support/loop_fixture.h"
#include "../support/shelf.h"

#include <errno.h>
#include <sys/wait.h>

static struct shelf shelf;

static void open_all(void)
{
    open_loop();
    shelf_open(&shelf, &shelf_class);
}

TestSuite(end_refusal, .init = open_all, .fini = close_loop);

static atomic_int ends, releases;

static void note_end(void *data)
{
    cr_assert_eq(data, &ends);
    ends++;
}

static void note_release(void *data)
{
    cr_assert_eq(data, &ends);
    releases++;
}

static int end_with(soon_executor *executor, soon_end_options options)
{
    options.on_end = note_end;
    options.data = &ends;
    options.release = note_release;
    return soon_executor_end(executor, &options);
}

static void free_shelf(void)
{
    cr_assert_eq(soon_executor_free(shelf.executor), 0);
    cr_assert(shelf.frees == 1 && ends == 0 && releases == 0);
}

Test(end_refusal, says_which_option_makes_no_sense)
{
    static const struct {
        soon_end_options options;
        const char *message;
    } rows[] = {
        {{.mode = -1}, "soon_executor_end: .mode = -1 is negative"},
        {{.mode = SOON_KILL + 1}, "soon_executor_end: .mode = 4 is more than 3"},
        {{.grace_ms = 1, .then_mode = 9}, "soon_executor_end: .then_mode = 9 is more than 3"},
        {{.grace_ms = -5}, "soon_executor_end: .grace_ms = -5 is negative"},
        {{.then_mode = SOON_KILL}, "soon_executor_end: .then_mode wants a .grace_ms, after which it is to follow"},
        {{.mode = SOON_TERMINATE, .grace_ms = 1, .then_mode = SOON_TERMINATE},
         "soon_executor_end: .then_mode = 2 is not stronger than .mode = 2"},
        {{.mode = SOON_KILL, .grace_ms = 7},
         "soon_executor_end: .grace_ms is set, but no mode is stronger than .mode = SOON_KILL"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert_eq(end_with(shelf.executor, rows[i].options), -EINVAL, "%s", rows[i].message);
        cr_assert_str_eq(soon_last_error()->message, rows[i].message);
    }
    cr_assert_eq(end_with(NULL, (soon_end_options){0}), -EINVAL);
    cr_assert_str_eq(soon_last_error()->message, "soon_executor_end: the executor is NULL");
    cr_assert_eq(shelf.mode_count, 0);
    free_shelf();
}

Test(end_refusal, of_a_class_leaves_the_executor_as_it_was)
{
    shelf.shutdown_code = -EBUSY;
    cr_assert_eq(end_with(shelf.executor, (soon_end_options){.loop = on}), -EBUSY);
    run_to_the_end(); /* nothing is outstanding */
    shelf.shutdown_code = 0;
    free_shelf();
}

Test(end_refusal, for_a_loop_that_is_detached_leaves_the_executor_open)
{
    struct halves keeps = pending();
    soon_loop *detached = on;

    cr_assert_eq(soon_future_add_done_callback_on(keeps.future, on, say_done, "last "), 0);
    detach_saying("closed");
    cr_assert_eq(end_with(shelf.executor, (soon_end_options){.loop = detached}), SOON_ESHUTDOWN);
    cr_assert_eq(shelf.mode_count, 0);
    release(keeps);
    run_to_the_end();
    free_shelf();
}

Test(end_refusal, of_a_second_end_and_of_a_free_says_so)
{
    shelf.downs = false;
    cr_assert_eq(end_with(shelf.executor, (soon_end_options){.loop = on}), 0);
    cr_assert_eq(end_with(shelf.executor, (soon_end_options){.loop = on}), -EINVAL);
    cr_assert_str_eq(soon_last_error()->message, "soon_executor_end: it is being ended already");
    cr_assert_eq(soon_executor_free(shelf.executor), -EINVAL);
    cr_assert_str_eq(soon_last_error()->message, "soon_executor_free: soon_executor_end() has it, and will free it");
    soon_promise_set_result(shelf.down, NULL, 0);
    run_to_the_end();
    cr_assert(shelf.frees == 1 && ends == 1 && releases == 1);
}

static int rc_in_free;

static void end_in_free(void *self)
{
    rc_in_free = soon_executor_end(((struct shelf *)self)->executor, NULL);
    shelf__free(self);
}

Test(end_refusal, in_the_free_of_its_own_class)
{
    soon_executor_class klass = shelf_class;
    struct shelf other;

    klass.free = end_in_free;
    shelf_open(&other, &klass);
    cr_assert_eq(soon_executor_free(other.executor), 0);
    cr_assert_eq(rc_in_free, SOON_EDEADLK);
    cr_assert_eq(other.frees, 1);
    free_shelf();
}

Test(end_refusal, in_a_forked_child)
{
    int status;
    pid_t pid = test_fork();

    if (pid == 0)
        _exit(end_with(shelf.executor, (soon_end_options){0}) == SOON_EFORKED ? 0 : 1);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    free_shelf();
}

/*
 * What the class is asked, and when
 */

static atomic_int asked;

static int note_shutdown(void *self, soon_shutdown mode, soon_promise *down)
{
    int rc = shelf__shutdown(self, mode, down);

    asked++;
    return rc;
}

Test(end_refusal, and_a_grace_ask_an_executor_of_ones_own_for_both_modes)
{
    soon_executor_class klass = shelf_class;

    free_shelf();
    klass.shutdown = note_shutdown;
    shelf_open(&shelf, &klass);
    shelf.downs = false;
    cr_assert_eq(end_with(shelf.executor,
                          (soon_end_options){.mode = SOON_DRAIN, .grace_ms = 1, .then_mode = SOON_CANCEL_PENDING}),
                 0);
    test_wait_until(asked == 2);
    cr_assert(shelf.modes[0] == SOON_DRAIN && shelf.modes[1] == SOON_CANCEL_PENDING);
    cr_assert(ends == 0 && shelf.frees == 0);
    soon_promise_set_result(shelf.down, NULL, 0);
    test_wait_until(releases == 1);
    cr_assert(ends == 1 && shelf.frees == 1 && shelf.mode_count == 2);
}

static struct shelf slow;
static atomic_bool in_second, leave_second;

static int shut_down_slowly(void *self, soon_shutdown mode, soon_promise *down)
{
    if (mode > SOON_DRAIN) {
        in_second = true;
        test_wait_until(leave_second);
    }
    ((struct shelf *)self)->down = down;
    return 0;
}

/* Its end comes while the callback thread is in its stronger shutdown: freed only after that. */
Test(end_refusal, nor_frees_it_while_a_stronger_mode_is_asked_for)
{
    soon_executor_class klass = shelf_class;

    klass.shutdown = shut_down_slowly;
    shelf_open(&slow, &klass);
    cr_assert_eq(end_with(slow.executor, (soon_end_options){.grace_ms = 1, .loop = on}), 0);
    test_wait_until(in_second);
    soon_promise_set_result(slow.down, NULL, 0);
    uv_run(&uv, UV_RUN_NOWAIT);
    cr_assert(ends == 0 && slow.frees == 0);
    leave_second = true;
    run_to_the_end();
    cr_assert(ends == 1 && slow.frees == 1);
    releases = ends = 0;
    free_shelf();
}

/*
 * Its loop is gone
 */

Test(end_refusal, where_somebody_has_closed_the_loop_frees_it_and_releases_the_data)
{
    shelf.downs = false;
    cr_assert_eq(end_with(shelf.executor, (soon_end_options){.loop = on}), 0);
    uv_run(&uv, UV_RUN_NOWAIT);
    uv_walk(&uv, (uv_walk_cb)uv_close, NULL);
    soon_promise_set_result(shelf.down, NULL, 0);
    uv_run(&uv, UV_RUN_NOWAIT);
    soon_loop_detach(on, NULL, NULL);
    on = NULL;

    test_wait_until(releases == 1);
    cr_assert(ends == 0 && shelf.frees == 1);
}
