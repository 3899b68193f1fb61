/*
 * A program with bars as a whole: it ends by a signal or by exit(), stops, has handlers of its own, forks, prints.
 */
#include "../support/forked.h"
#include "../support/futures.h"
#include "../support/screen.h"

#include <signal.h>
#include <sys/wait.h>

TestSuite(progress_bar);

static struct screen *screen;

static void open_screen(void)
{
    screen = screen_new(60, 10);
}

static void close_screen(void)
{
    screen_free(screen);
}

/* Tests with signals in a child are bare: in the child of a process with more threads ThreadSanitizer calls no handler.
 */

/* In a child: two bars that are shown. */
static void show_two_bars(soon_progress_bar *ret[2])
{
    for (int i = 0; i < 2; i++)
        CHECK(soon_progress_bar_new(&ret[i], &(soon_progress_bar_options){.label = i ? "other" : "hash",
                                                                          .interval_ms = 1,
                                                                          .fd = screen->fd}) == 0);
}

/* Runs `body` in a child, whose screen it is. */
static pid_t start(void (*body)(void))
{
    pid_t child = test_fork();

    cr_assert_geq(child, 0);
    if (child == 0) {
        setpgid(0, 0); /* so that SIGTSTP stops it: its parent is in another group */
        alarm(60);
        body();
        _exit(1);
    }
    return child;
}

static int status_of(pid_t child)
{
    int status;

    while (waitpid(child, &status, WNOHANG) == 0)
        screen_read(screen);
    screen_read(screen);
    return status;
}

/* The bars are as they were, and the cursor stands below them. */
static void assert_left_in_order(void)
{
    cr_assert_eq(screen_find(screen, 0, "hash: 0it"), 0);
    cr_assert_eq(screen_find(screen, 0, "other: 0it"), 1);
    cr_assert_eq(screen->row, 2);
    cr_assert_eq(screen->column, 0);
    cr_assert(screen->wraps);
}

static void go_on(void)
{
    soon_progress_bar *bars[2];

    show_two_bars(bars);
    for (;;)
        pause();
}

Test(progress_bar, a_signal_that_ends_the_program_leaves_the_cursor_below, .bare = true, .init = open_screen,
     .fini = close_screen)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    for (size_t i = 0; i < COUNT(signals); i++) {
        pid_t child = start(go_on);
        screen_await(screen, "other: 0it");
        cr_assert_eq(write(screen->fd, "^C", 2), 2); /* as a terminal does */
        kill(child, signals[i]);
        int status = status_of(child);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == signals[i], "%x", status);
        assert_left_in_order();
        close_screen();
        open_screen();
    }
}

static void exit_early(void)
{
    soon_progress_bar *bars[2];

    show_two_bars(bars);
    pause();
}

static void call_exit(int number)
{
    (void)number;
    exit(7);
}

static void exit_when_told(void)
{
    signal(SIGUSR1, call_exit);
    exit_early();
}

Test(progress_bar, exit_leaves_the_cursor_below, .bare = true, .init = open_screen, .fini = close_screen)
{
    pid_t child = start(exit_when_told);

    screen_await(screen, "other: 0it");
    kill(child, SIGUSR1);
    cr_assert_eq(WEXITSTATUS(status_of(child)), 7);
    assert_left_in_order();
}

Test(progress_bar, a_program_that_stops_and_goes_on_draws_below, .bare = true, .init = open_screen,
     .fini = close_screen)
{
    pid_t child = start(go_on);
    int status;

    screen_await(screen, "other: 0it");
    kill(child, SIGTSTP);
    while (waitpid(child, &status, WNOHANG | WUNTRACED) == 0)
        screen_read(screen);
    screen_read(screen);
    cr_assert(WIFSTOPPED(status));
    assert_left_in_order();
    cr_assert_eq(write(screen->fd, "$ fg\n", 5), 5);
    kill(child, SIGCONT);
    test_wait_until((void)screen_read(screen), screen_find(screen, 3, "other: ") == 4);
    cr_assert_eq(screen_find(screen, 2, "$ fg"), 2);
    kill(child, SIGKILL);
    status_of(child);
}

/*
 * Handlers
 */

static atomic_int heard;

static void hear(int number)
{
    (void)number;
    atomic_fetch_add_explicit(&heard, 1, memory_order_relaxed); /* the test waits for it */
}

static void (*handler_of(int number))(int)
{
    struct sigaction now;

    cr_assert_eq(sigaction(number, NULL, &now), 0);
    return now.sa_handler;
}

Test(progress_bar, a_handler_of_the_programs_is_left_alone, .init = open_screen, .fini = close_screen)
{
    soon_progress_bar *bar;

    signal(SIGINT, hear);
    signal(SIGHUP, SIG_IGN);
    cr_assert_eq(soon_progress_bar_new(&bar, &(soon_progress_bar_options){.label = "hash", .fd = screen->fd}), 0);
    screen_await(screen, "hash");
    test_wait_until(handler_of(SIGTERM) != SIG_DFL);
    cr_assert_eq(handler_of(SIGINT), hear);
    cr_assert_eq(handler_of(SIGHUP), SIG_IGN);
    raise(SIGINT);
    test_wait_until(atomic_load_explicit(&heard, memory_order_relaxed) == 1);
    soon_progress_bar_free(bar);
    cr_assert_eq(handler_of(SIGINT), hear);
    cr_assert_eq(handler_of(SIGTERM), SIG_DFL);
    cr_assert_eq(handler_of(SIGTSTP), SIG_DFL);
}

static void (*below)(int);

static void hear_and_call(int number)
{
    hear(number);
    below(number);
}

Test(progress_bar, one_that_is_set_later_and_calls_ours_decides, .init = open_screen, .fini = close_screen)
{
    soon_progress_bar *bar;

    cr_assert_eq(soon_progress_bar_new(&bar, &(soon_progress_bar_options){.label = "hash", .fd = screen->fd}), 0);
    screen_await(screen, "hash");
    test_wait_until(handler_of(SIGTERM) != SIG_DFL);
    below = signal(SIGTERM, hear_and_call);
    raise(SIGTERM); /* it does not end the test */
    test_wait_until(atomic_load_explicit(&heard, memory_order_relaxed) == 1);
    soon_progress_bar_free(bar);
    cr_assert_eq(handler_of(SIGTERM), hear_and_call);
}

/*
 * Forks
 */

static soon_progress_bar *parents;

static void use_bars_in_the_child(void)
{
    struct halves done = running();
    soon_progress_bar *own;

    soon_promise_set_result(done.promise, NULL, 0);
    CHECK(soon_progress_bar_add(parents, done.future) == 0);
    soon_progress_bar_update(parents, 1);
    soon_progress_bar_count(parents, done.future);
    CHECK(soon_progress_bar_set_label(parents, "child") == 0);
    soon_progress_bar_finish(parents);
    soon_progress_bar_free(parents);
    release(done);

    CHECK(soon_progress_bar_new(&own, &(soon_progress_bar_options){.label = "own", .fd = screen->fd}) == 0);
    soon_progress_bar_update(own, 3);
    soon_progress_bar_free(own);
}

Test(progress_bar, a_forked_child_has_none_of_its_parents_and_may_have_its_own, .init = open_screen,
     .fini = close_screen)
{
    cr_assert_eq(soon_progress_bar_new(
                     &parents, &(soon_progress_bar_options){.label = "hash", .interval_ms = 1, .fd = screen->fd}),
                 0);
    screen_await(screen, "hash: 0it");
    for (int i = 0; i < 10; i++)
        in_child(use_bars_in_the_child);
    screen_await(screen, "own: 3it");
    screen_read(screen);
    cr_assert_lt(screen_find(screen, 0, "child"), 0);
    soon_progress_bar_update(parents, 5);
    screen_await(screen, "hash: 5it");
    soon_progress_bar_free(parents);
}

static void exit_in_the_child(void)
{
    exit(0);
}

Test(progress_bar, a_child_that_exits_leaves_the_parents_bars_alone, .init = open_screen, .fini = close_screen)
{
    cr_assert_eq(soon_progress_bar_new(
                     &parents, &(soon_progress_bar_options){.label = "hash", .interval_ms = 1, .fd = screen->fd}),
                 0);
    screen_await(screen, "hash: 0it");
    int status = status_of(start(exit_in_the_child));
    cr_assert(WIFEXITED(status));
    cr_assert_eq(screen->row, 0);
    soon_progress_bar_free(parents);
}
