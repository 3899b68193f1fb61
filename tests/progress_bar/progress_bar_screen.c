/*
 * Bars on a terminal, as they are seen on its screen: frames, what is mixed in, sizes, colours, several bars, and a
 * terminal that takes nothing.
 */
#include "../support/futures.h"
#include "../support/pools.h"
#include "../support/screen.h"

#include <pthread.h>

TestSuite(progress_bar_screen);

static soon_progress_bar *new_bar_of(struct screen *screen, soon_progress_bar_options options)
{
    soon_progress_bar *bar;

    options.fd = screen->fd;
    options.interval_ms = 1;
    cr_assert_eq(soon_progress_bar_new(&bar, &options), 0);
    return bar;
}
#define new_bar(screen, ...) new_bar_of(screen, (soon_progress_bar_options){__VA_ARGS__})

/* Frees the bar, while this thread reads what it still writes. */
static void *free_bar(void *bar)
{
    soon_progress_bar_free(bar);
    return NULL;
}

static void end_bar(struct screen *screen, soon_progress_bar *bar)
{
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, free_bar, bar), 0);
    while (pthread_tryjoin_np(thread, NULL) == EBUSY)
        screen_read(screen);
    screen_read(screen);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

Test(progress_bar_screen, it_is_drawn_over_itself_and_stays_at_its_end)
{
    struct screen *screen = screen_new(80, 24);
    soon_progress_bar *bar = new_bar(screen, .label = "hash", .total = 4);

    cr_assert_eq(screen_await(screen, "hash:   0%|"), 0);
    cr_assert_eq(screen->row, 0);
    cr_assert_eq(screen->column, 0);
    for (int i = 0; i < 4; i++)
        soon_progress_bar_update(bar, 1);
    cr_assert_eq(screen_await(screen, "hash: 100%|"), 0);
    end_bar(screen, bar);

    cr_assert(strstr(screen_line(screen, 0), "█| 4/4 [00:0"), "%s", screen_line(screen, 0));
    cr_assert_str_eq(screen_line(screen, 1), "");
    cr_assert_eq(screen->row, 1);
    cr_assert(screen->wraps);
    cr_assert_not(screen->wrapped);
    cr_assert(screen->coloured);
    screen_free(screen);
}

Test(progress_bar_screen, one_that_is_to_vanish_leaves_nothing)
{
    struct screen *screen = screen_new(80, 24);
    soon_progress_bar *bar = new_bar(screen, .label = "hash", .total = 4, .vanish = true);

    screen_await(screen, "hash:   0%|");
    end_bar(screen, bar);
    cr_assert_str_eq(screen_line(screen, 0), "");
    cr_assert_eq(screen->row, 0);
    screen_free(screen);
}

Test(progress_bar_screen, before_its_delay_nothing_is_drawn)
{
    struct screen *screen = screen_new(80, 24);

    soon_progress_bar *late = new_bar(screen, .label = "late", .delay_ms = 1000000);
    soon_progress_bar *bar = new_bar(screen, .label = "early");
    screen_await(screen, "early: 0it");
    cr_assert(begins(screen_line(screen, 0), "early"));
    end_bar(screen, late);
    end_bar(screen, bar);
    cr_assert_lt(screen_find(screen, 0, "late"), 0);
    screen_free(screen);
}

Test(progress_bar_screen, no_colour_where_it_is_not_wanted)
{
    struct screen *screen = screen_new(80, 24);

    setenv("NO_COLOR", "1", 1);
    soon_progress_bar *bar = new_bar(screen, .total = 2);
    soon_progress_bar_update(bar, 1);
    screen_await(screen, " 50%|");
    end_bar(screen, bar);
    cr_assert_not(screen->coloured);
    bar = new_bar(screen, .total = 2, .colour = SOON_PROGRESS_BAR_ALWAYS, .label = "yes");
    screen_await(screen, "yes:   0%|");
    end_bar(screen, bar);
    cr_assert(screen->coloured);
    screen_free(screen);
}

Test(progress_bar_screen, without_utf8_it_is_ascii)
{
    struct screen *screen = screen_new(80, 24);

    setenv("LC_ALL", "C", 1);
    soon_progress_bar *bar = new_bar(screen, .label = "caf\xc3\xa9", .total = 2);
    soon_progress_bar_update(bar, 1);
    screen_await(screen, "caf??:  50%|###");
    end_bar(screen, bar);
    screen_free(screen);
}

Test(progress_bar_screen, on_a_dumb_terminal_it_is_lines)
{
    struct screen *screen = screen_new(80, 24);

    setenv("TERM", "dumb", 1);
    soon_progress_bar *bar = new_bar(screen, .label = "hash", .total = 4);
    end_bar(screen, bar);
    cr_assert(begins(screen_line(screen, 0), "hash:   0% 0/4 ["), "%s", screen_line(screen, 0));
    cr_assert_not(screen->coloured);
    screen_free(screen);
}

/*
 * Several bars, tasks
 */

Test(progress_bar_screen, bars_stand_below_each_other_and_those_that_end_above)
{
    struct screen *screen = screen_new(80, 24);
    soon_progress_bar *first = new_bar(screen, .label = "first"), *second = new_bar(screen, .label = "second");
    soon_progress_bar *third = new_bar(screen, .label = "third");

    screen_await(screen, "third");
    cr_assert_eq(screen_find(screen, 0, "first"), 0);
    cr_assert_eq(screen_find(screen, 0, "second"), 1);
    cr_assert_eq(screen_find(screen, 0, "third"), 2);
    soon_progress_bar_update(second, 22);
    end_bar(screen, second);
    cr_assert_eq(screen_find(screen, 0, "second: 22it"), 0);
    cr_assert_eq(screen_find(screen, 0, "first"), 1);
    cr_assert_eq(screen_find(screen, 0, "third"), 2);
    cr_assert_eq(screen->row, 1);
    end_bar(screen, first);
    end_bar(screen, third);
    cr_assert_eq(screen_find(screen, 0, "second: 22it"), 0);
    cr_assert_eq(screen_find(screen, 0, "first"), 1);
    cr_assert_eq(screen_find(screen, 0, "third"), 2);
    cr_assert_eq(screen->row, 3);
    screen_free(screen);
}

Test(progress_bar_screen, running_tasks_have_bars_and_what_is_too_much_is_left_out)
{
    struct screen *screen = screen_new(40, 4);
    struct halves tasks[5];
    soon_progress_bar *bar = new_bar(screen, .tasks_max = 5, .label = "all");

    for (int i = 0; i < 5; i++) {
        tasks[i] = running();
        cr_assert_eq(soon_progress_bar_add(bar, tasks[i].future), 0);
        soon_promise_set_progress(tasks[i].promise, 1, 2);
    }
    cr_assert_eq(screen_await(screen, "  task 2:  50%|"), 2);
    cr_assert_eq(screen_find(screen, 0, "all:  50%"), 0);
    cr_assert_lt(screen_find(screen, 0, "task 3"), 0);
    cr_assert_eq(screen->top, 0);
    for (int i = 0; i < 4; i++)
        soon_promise_set_result(tasks[i].promise, NULL, 0);
    cr_assert_eq(screen_await(screen, "  task 5:  50%|"), 1);
    cr_assert_str_eq(screen_line(screen, 2), "");
    for (int i = 0; i < 5; i++)
        release(tasks[i]);
    end_bar(screen, bar);
    cr_assert_eq(screen->row, 1);
    screen_free(screen);
}

Test(progress_bar_screen, each_bar_has_a_line_before_any_task_has_one)
{
    struct screen *screen = screen_new(40, 4);
    struct halves tasks[3];
    soon_progress_bar *first = new_bar(screen, .tasks_max = 3, .label = "first");
    soon_progress_bar *second = new_bar(screen, .label = "second");

    for (int i = 0; i < 3; i++) {
        tasks[i] = running();
        cr_assert_eq(soon_progress_bar_add(first, tasks[i].future), 0);
        soon_promise_set_progress(tasks[i].promise, 1, 2);
    }
    cr_assert_eq(screen_await(screen, "  task 1:  50%|"), 1);
    cr_assert_eq(screen_await(screen, "second"), 2);
    cr_assert_eq(screen_find(screen, 0, "first"), 0);
    cr_assert_lt(screen_find(screen, 0, "task 2"), 0);
    for (int i = 0; i < 3; i++)
        release(tasks[i]);
    end_bar(screen, first);
    end_bar(screen, second);
    screen_free(screen);
}

/*
 * Output that is mixed in
 */

struct writer {
    struct screen *screen;
    FILE *stream;
    int number, lines;
};

static void *print_lines(void *data)
{
    struct writer *writer = data;

    for (int i = 0; i < writer->lines; i++)
        cr_assert_eq(soon_progress_bar_printf(writer->stream, "line %d of %d", i, writer->number), 0);
    return NULL;
}

Test(progress_bar_screen, what_is_printed_stands_above_the_bars_whole_and_in_order)
{
    enum { WRITERS = 3, LINES = 200 };
    struct screen *screen = screen_new(60, 10);
    soon_progress_bar *bar = new_bar(screen, .label = "hash"), *other = new_bar(screen, .label = "other");
    FILE *stream = fdopen(fcntl(screen->fd, F_DUPFD_CLOEXEC, 0), "w");
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];

    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){screen, stream, i, LINES};
        cr_assert_eq(pthread_create(&threads[i], NULL, print_lines, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        while (pthread_tryjoin_np(threads[i], NULL) == EBUSY) {
            soon_progress_bar_update(bar, 1);
            screen_read(screen);
        }
    end_bar(screen, bar);
    end_bar(screen, other);

    int next[WRITERS] = {0}, number, line;
    for (int row = 0; row < WRITERS * LINES; row++) {
        cr_assert_eq(sscanf(screen_line(screen, row), "line %d of %d", &line, &number), 2, "%s",
                     screen_line(screen, row));
        cr_assert_eq(line, next[number]++);
    }
    cr_assert(begins(screen_line(screen, WRITERS * LINES), "hash: "));
    cr_assert(begins(screen_line(screen, WRITERS * LINES + 1), "other: "));
    cr_assert_eq(screen->row, WRITERS * LINES + 2);
    fclose(stream);
    screen_free(screen);
}

Test(progress_bar_screen, what_a_stream_has_kept_back_comes_first)
{
    struct screen *screen = screen_new(60, 10);
    soon_progress_bar *bar = new_bar(screen, .label = "hash");
    FILE *stream = fdopen(fcntl(screen->fd, F_DUPFD_CLOEXEC, 0), "w");

    screen_await(screen, "hash");
    setvbuf(stream, NULL, _IOFBF, 4096);
    fprintf(stream, "first, ");
    cr_assert_eq(soon_progress_bar_printf(stream, "second\n"), 0);
    cr_assert_eq(screen_await(screen, "first, second"), 0);
    cr_assert_eq(screen_await(screen, "hash"), 1);
    end_bar(screen, bar);
    fclose(stream);
    screen_free(screen);
}

Test(progress_bar_screen, what_others_write_is_not_lost)
{
    struct screen *screen = screen_new(60, 10);
    soon_progress_bar *bar = new_bar(screen, .label = "hash"), *other = new_bar(screen, .label = "other");

    for (int i = 0; i < 20; i++) {
        char line[32], drawn[32];
        int size = snprintf(line, sizeof line, "foreign %d\n", i);
        cr_assert_eq(write(screen->fd, line, (size_t)size), size);
        soon_progress_bar_update(bar, 1);
        snprintf(drawn, sizeof drawn, "hash: %dit", i + 1);
        screen_await(screen, drawn);
    }
    end_bar(screen, bar);
    end_bar(screen, other);
    for (int i = 0; i < 20; i++) {
        char line[32];
        snprintf(line, sizeof line, "foreign %d", i);
        cr_assert(begins(screen_line(screen, i), line), "%s", screen_line(screen, i));
    }
    screen_free(screen);
}

Test(progress_bar_screen, while_they_are_hidden_the_screen_is_the_programs)
{
    struct screen *screen = screen_new(60, 10);
    soon_progress_bar *bar = new_bar(screen, .label = "hash"), *ends = new_bar(screen, .label = "ends");

    screen_await(screen, "ends");
    soon_progress_bar_hide();
    soon_progress_bar_hide();
    screen_await_gone(screen, "hash");
    cr_assert_str_eq(screen_line(screen, 1), "");
    cr_assert_eq(write(screen->fd, "a question? ", 12), 12);
    soon_progress_bar_free(ends); /* it waits for nobody */
    soon_progress_bar_show();
    cr_assert_eq(write(screen->fd, "yes\n", 4), 4);
    soon_progress_bar_show();
    cr_assert_eq(screen_await(screen, "hash"), 2);
    cr_assert_str_eq(screen_line(screen, 0), "a question? yes");
    cr_assert(begins(screen_line(screen, 1), "ends: 0it"));
    end_bar(screen, bar);
    screen_free(screen);
}

/*
 * Sizes
 */

Test(progress_bar_screen, they_follow_the_size_of_the_terminal)
{
    static const int sizes[] = {80, 20, 200, 10, 4, 2, 120};
    struct screen *screen = screen_new(80, 10);
    soon_progress_bar *bar = new_bar(screen, .label = "漢字の長いラベル"), *other = new_bar(screen, .label = "other");

    for (size_t i = 0; i < COUNT(sizes); i++) {
        screen_resize(screen, sizes[i], 10);
        /* A frame for the old size may still come: line wrapping is off, so it does no harm. */
        for (int frames = 0; frames < 5; frames++) {
            soon_progress_bar_update(bar, 1);
            soon_progress_bar_update(other, 1);
            test_wait_until(screen_read(screen));
        }
        cr_assert_eq(screen->top, 0);
    }
    screen_await(screen, "other: 35it [");
    cr_assert(begins(screen_line(screen, 0), "漢字の長いラベル: 35it ["), "%s", screen_line(screen, 0));
    cr_assert(begins(screen_line(screen, 1), "other: 35it ["));
    end_bar(screen, bar);
    end_bar(screen, other);
    cr_assert_eq(screen->row, 2);
    screen_free(screen);
}

Test(progress_bar_screen, at_the_bottom_of_the_screen_nothing_is_lost)
{
    struct screen *screen = screen_new(60, 6);
    soon_progress_bar *bar = new_bar(screen, .label = "hash"), *other = new_bar(screen, .label = "other");
    FILE *stream = fdopen(fcntl(screen->fd, F_DUPFD_CLOEXEC, 0), "w");

    for (int i = 0; i < 30; i++) {
        cr_assert_eq(soon_progress_bar_printf(stream, "line %d", i), 0);
        soon_progress_bar_update(other, 1);
        screen_await(screen, "other");
    }
    end_bar(screen, bar);
    end_bar(screen, other);
    for (int i = 0; i < 30; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %d", i);
        cr_assert_str_eq(screen_line(screen, i), line);
    }
    cr_assert(begins(screen_line(screen, 30), "hash"));
    cr_assert(begins(screen_line(screen, 31), "other"));
    fclose(stream);
    screen_free(screen);
}

/*
 * A terminal that takes nothing
 */

SOON_TASK(count_up, int, int)
{
    for (int i = 0; i < *arg; i++)
        soon_task_set_progress(task, (uint64_t)i, (uint64_t)*arg);
    *result = *arg;
    return 0;
}

/* Nobody reads the screen: the terminal is as one that Ctrl-S has stopped. */
Test(progress_bar_screen, a_stopped_terminal_holds_up_no_task)
{
    enum { TASKS = 200 };
    struct screen *screen = screen_new(60, 6);
    soon_executor *pool = new_pool(.workers = 2);
    soon_future *futures[TASKS];
    static char bytes[4096];

    cr_assert_eq(fcntl(screen->fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    while (write(screen->fd, bytes, sizeof bytes) > 0) /* NULs, which a screen does not show */
        continue;
    cr_assert_eq(fcntl(screen->fd, F_SETFL, O_RDWR), 0);
    soon_progress_bar *bar = new_bar(screen, .label = "hash", .tasks_max = 2);
    for (int i = 0; i < TASKS; i++) {
        futures[i] = soon_submit(pool, count_up, 1000);
        cr_assert_eq(soon_progress_bar_add(bar, futures[i]), 0);
    }
    cr_assert_eq(soon_wait(futures, TASKS, SOON_ALL_COMPLETED, SOON_FOREVER, NULL), TASKS);
    soon_progress_bar_finish(bar);
    soon_futures_unref(futures, TASKS);
    free_pool(pool);

    while (read(screen->master, bytes, sizeof bytes) > 0) /* it goes on */
        continue;
    end_bar(screen, bar);
    screen_free(screen);
}

Test(progress_bar_screen, a_terminal_that_has_gone_holds_up_nobody)
{
    struct screen *screen = screen_new(60, 6);
    soon_progress_bar *bar = new_bar(screen, .label = "hash");

    screen_await(screen, "hash");
    close(screen->master);
    screen->master = -1;
    soon_progress_bar_free(bar);
    screen_free(screen);
}
