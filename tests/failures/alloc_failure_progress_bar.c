/*
 * alloc_failure_progress_bar.c - what a bar, its futures, its drawer and text beside it need is missing, each in turn:
 * a function says so, a bar may show less, and nothing waits for ever.
 */
#include "../harness/fail.h"
#include "../support/futures.h"
#include "../support/screen.h"

TestSuite(alloc_failure_progress_bar);

enum { FUTURES = 3 };

static struct screen *screen;
static size_t added, labelled, printed; /* of all rounds: so many calls have succeeded */

static int make(soon_progress_bar **ret)
{
    int rc = soon_progress_bar_new(
        ret, &(soon_progress_bar_options){.label = "first", .tasks_max = 1, .interval_ms = 1, .fd = screen->fd});

    cr_assert_eq(*ret == NULL, rc < 0);
    return rc;
}

static bool is_want(int rc)
{
    return rc == -ENOMEM || rc == -EMFILE || rc == -EAGAIN;
}

static bool succeeds(int rc)
{
    cr_assert(rc == 0 || is_want(rc), "%d", rc);
    return rc == 0;
}

static void use(soon_progress_bar *bar, const struct halves futures[FUTURES], FILE *stream)
{
    for (int i = 0; i < FUTURES; i++)
        added += succeeds(soon_progress_bar_add(bar, futures[i].future));
    labelled += succeeds(soon_progress_bar_set_label(bar, "a longer label than before"));
    printed += succeeds(soon_progress_bar_printf(stream, "a line of %d", FUTURES));
    for (int i = 0; i < FUTURES; i++)
        soon_promise_set_result(futures[i].promise, NULL, 0);
}

/* Returns how often there was a call that may fail. The last are the drawer's, until the bar is freed. */
static size_t run_script(void (*fail)(size_t), size_t nth, FILE *stream)
{
    struct halves futures[FUTURES];
    soon_progress_bar *bar;
    size_t asked;

    for (int i = 0; i < FUTURES; i++)
        futures[i] = running();
    fail(nth);
    int rc = make(&bar);
    cr_assert(rc == 0 || is_want(rc), "%d", rc);
    use(bar, futures, stream);
    soon_progress_bar_free(bar);
    asked = fail_stop();
    for (int i = 0; i < FUTURES; i++)
        release(futures[i]);
    screen_read(screen);
    return asked;
}

static FILE *open_screen(void)
{
    screen = screen_new(60, 10);
    return fdopen(fcntl(screen->fd, F_DUPFD_CLOEXEC, 0), "w");
}

/* It is as if nothing had ever been missing. */
static void close_screen(FILE *stream)
{
    run_script(fail_nth, SIZE_MAX, stream);
    screen_await(screen, "3/3"); /* for ever, if it never comes */
    fclose(stream);
    screen_free(screen);
}

Test(alloc_failure_progress_bar, says_so_to_who_has_called_and_ends)
{
    FILE *stream = open_screen();
    size_t n = 1;

    while (run_script(fail_nth_here, n, stream) >= n)
        n++;
    cr_assert_gt(n, 6);
    cr_assert_lt(added, FUTURES * n); /* some have failed */
    cr_assert_lt(labelled, n);
    cr_assert_lt(printed, n);
    close_screen(stream);
}

/* The drawer asks for more or less, as it happens to draw. So this ends only when some in a row were whole. */
Test(alloc_failure_progress_bar, shows_less_and_ends)
{
    FILE *stream = open_screen();
    size_t rounds = 0;

    for (size_t n = 1, whole = 0; whole < 8; n++, rounds++)
        whole = run_script(fail_nth, n, stream) < n ? whole + 1 : 0;
    cr_assert_gt(rounds, 8 + 6);
    cr_assert_gt(added, 8);
    close_screen(stream);
}
