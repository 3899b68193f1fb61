/*
 * Bars against everything that may happen meanwhile: futures that end as they are added, and as the bar is freed; bars
 * that are made and freed on many threads; text, and hiding, on the same terminal; the first bars, made at once.
 */
#include "../support/forked.h"
#include "../support/futures.h"
#include "../support/screen.h"
#include "../support/thread_names.h"

#include <pthread.h>

TestSuite(race_progress_bar);

enum { FUTURES = 8 };

/* A bar on a terminal that swallows everything. */
static soon_progress_bar *new_bar(int fd)
{
    soon_progress_bar *bar;

    cr_assert_eq(soon_progress_bar_new(
                     &bar, &(soon_progress_bar_options){.label = "race", .tasks_max = 2, .interval_ms = 1, .fd = fd}),
                 0);
    return bar;
}

struct completer {
    struct halves *both;
    pthread_barrier_t *start;
};

static void *complete_all(void *data)
{
    struct completer *completer = data;

    pthread_barrier_wait(completer->start);
    for (int i = 0; i < FUTURES; i++)
        soon_promise_set_result(completer->both[i].promise, NULL, 0);
    return NULL;
}

/* The screen is read all the time. */
static atomic_bool read_on;
static void *read_screen(void *screen)
{
    /* Acquire: pairs with the release of the test. */
    while (atomic_load_explicit(&read_on, memory_order_acquire)) {
        poll(&(struct pollfd){.fd = ((struct screen *)screen)->master, .events = POLLIN}, 1, 10);
        char bytes[4096];
        while (read(((struct screen *)screen)->master, bytes, sizeof bytes) > 0)
            continue;
    }
    return NULL;
}

static struct screen *screen;
static pthread_t reader;

static void open_screen(void)
{
    screen = screen_new(60, 10);
    atomic_store_explicit(&read_on, true, memory_order_release);
    cr_assert_eq(pthread_create(&reader, NULL, read_screen, screen), 0);
}

static void close_screen(void)
{
    atomic_store_explicit(&read_on, false, memory_order_release);
    pthread_join(reader, NULL);
    screen_free(screen);
}

/* With `frees` the bar is freed while the futures end; else all are counted. */
static void end_while_they_are_added(bool frees)
{
    struct halves both[FUTURES];
    pthread_barrier_t start;
    pthread_t thread;
    soon_progress_bar *bar = new_bar(screen->fd);

    for (int i = 0; i < FUTURES; i++)
        both[i] = running();
    pthread_barrier_init(&start, NULL, 2);
    cr_assert_eq(pthread_create(&thread, NULL, complete_all, &(struct completer){both, &start}), 0);
    pthread_barrier_wait(&start);
    for (int i = 0; i < FUTURES; i++)
        cr_assert_eq(soon_progress_bar_add(bar, both[i].future), 0);
    if (frees)
        soon_progress_bar_free(bar);
    pthread_join(thread, NULL);
    if (!frees)
        soon_progress_bar_free(bar);
    for (int i = 0; i < FUTURES; i++)
        release(both[i]);
    pthread_barrier_destroy(&start);
}

Test(race_progress_bar, futures_end_while_they_are_added, .init = open_screen, .fini = close_screen)
{
    for (int round = 0; round < test_rounds(400); round++)
        end_while_they_are_added(false);
}

Test(race_progress_bar, futures_end_while_the_bar_is_freed, .init = open_screen, .fini = close_screen)
{
    for (int round = 0; round < test_rounds(400); round++)
        end_while_they_are_added(true);
}

static void *make_and_free(void *unused)
{
    (void)unused;
    for (int round = 0; round < test_rounds(200); round++) {
        soon_progress_bar *bar = new_bar(screen->fd);
        soon_progress_bar_update(bar, 1);
        cr_assert_eq(soon_progress_bar_set_label(bar, "another"), 0);
        soon_progress_bar_finish(bar);
        soon_progress_bar_free(bar);
    }
    return NULL;
}

static void *print_and_hide(void *stream)
{
    for (int round = 0; round < test_rounds(200); round++) {
        cr_assert_eq(soon_progress_bar_printf(stream, "line %d", round), 0);
        soon_progress_bar_hide();
        soon_progress_bar_show();
    }
    return NULL;
}

Test(race_progress_bar, bars_come_and_go_while_others_print_and_hide, .init = open_screen, .fini = close_screen)
{
    FILE *stream = fdopen(fcntl(screen->fd, F_DUPFD_CLOEXEC, 0), "w");
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, i < 2 ? make_and_free : print_and_hide, stream), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    fclose(stream);
}

static pthread_barrier_t start;

static void *make_the_first(void *unused)
{
    (void)unused;
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    pthread_barrier_wait(&start);
    soon_progress_bar *bar = new_bar(fd);
    soon_progress_bar_free(bar);
    close(fd);
    return NULL;
}

/* Each child is a process without a bar. */
static void make_the_first_bars(void)
{
    pthread_t threads[4];
    size_t drawers;

    pthread_barrier_init(&start, NULL, 4);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, make_the_first, NULL) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK(thread_called("soon-bar", &drawers) != 0); /* it has drawn a bar, so it has its name */
    CHECK(drawers == 1);
}

Test(race_progress_bar, the_first_bars_of_many_threads_have_one_drawer)
{
    for (int round = 0; round < test_rounds(200); round++)
        in_child(make_the_first_bars);
}
