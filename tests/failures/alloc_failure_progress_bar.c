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

/* The last use of memory is the drawer's, until the bar is freed. Returns how often it was asked for. */
static size_t run_script(size_t nth, FILE *stream)
{
    struct halves futures[FUTURES];
    soon_progress_bar *bar;
    size_t asked;

    for (int i = 0; i < FUTURES; i++)
        futures[i] = running();
    fail_nth(nth);
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

/* The drawer asks for more or less, as it happens to draw. So each script that was whole ends the test only if some
 * in a row were. */
Test(alloc_failure_progress_bar, shows_less_or_says_so_and_ends)
{
    screen = screen_new(60, 10);
    FILE *stream = fdopen(fcntl(screen->fd, F_DUPFD_CLOEXEC, 0), "w");
    size_t rounds = 0;

    for (size_t n = 1, whole = 0; whole < 8; n++, rounds++)
        whole = run_script(n, stream) < n ? whole + 1 : 0;
    cr_assert_gt(rounds, 16);
    cr_assert_gt(added, FUTURES * 8);
    cr_assert_lt(added, FUTURES * rounds); /* some have failed */
    cr_assert_lt(labelled, rounds);
    cr_assert_lt(printed, rounds);

    run_script(SIZE_MAX, stream);
    screen_await(screen, "3/3"); /* for ever, if it never comes */
    fclose(stream);
    screen_free(screen);
}
