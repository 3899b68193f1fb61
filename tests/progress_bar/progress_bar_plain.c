/*
 * Bars where there is no terminal: lines into pipes and files, and what may be wrong with those.
 */
#include "../support/futures.h"
#include "../support/pools.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(progress_bar_plain);

/* A file in memory, and what was written to it. */
static int new_file(void)
{
    int fd = memfd_create("lines", MFD_CLOEXEC);

    cr_assert_geq(fd, 0);
    return fd;
}

static const char *text_of(int fd)
{
    static char text[65536];
    ssize_t size = pread(fd, text, sizeof text - 1, 0);

    cr_assert_geq(size, 0);
    text[size] = 0;
    return text;
}

static soon_progress_bar *new_bar_of(const soon_progress_bar_options *options)
{
    soon_progress_bar *bar;

    cr_assert_eq(soon_progress_bar_new(&bar, options), 0);
    return bar;
}
#define new_bar(...) new_bar_of(&(soon_progress_bar_options){__VA_ARGS__})

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

Test(progress_bar_plain, its_end_is_a_line)
{
    int fd = new_file();
    soon_progress_bar *bar = new_bar(.label = "hash", .total = 4, .fd = fd);

    soon_progress_bar_update(bar, 3);
    soon_progress_bar_free(bar);
    cr_assert(begins(text_of(fd), "hash:  75% 3/4 ["), "%s", text_of(fd));
    cr_assert_eq(strchr(text_of(fd), '\n') + 1 - text_of(fd), (ptrdiff_t)strlen(text_of(fd)));
    cr_assert_null(strchr(text_of(fd), '\033'));
    close(fd);
}

Test(progress_bar_plain, while_it_lives_there_are_lines_from_time_to_time)
{
    int fd = new_file();
    struct halves task = running();
    soon_progress_bar *bar = new_bar(.label = "hash", .tasks_max = 1, .interval_ms = 1, .plain_every_ms = 1, .fd = fd);

    cr_assert_eq(soon_progress_bar_add(bar, task.future), 0);
    soon_promise_set_progress(task.promise, 1, 2);
    test_wait_until(strstr(text_of(fd), "hash:  50% 0/1 ["));
    cr_assert(strstr(text_of(fd), "  task 1: 50%\n"), "%s", text_of(fd));
    soon_promise_set_result(task.promise, NULL, 0);
    test_wait_until(strstr(text_of(fd), "hash: 100% 1/1 ["));
    release(task);
    soon_progress_bar_free(bar);
    close(fd);
}

Test(progress_bar_plain, in_each_round_bars_come_in_the_order_in_which_they_were_made)
{
    const char *labels[] = {"first", "second", "third"}, *at;
    soon_progress_bar *bars[3];
    int fd = new_file();

    for (int i = 0; i < 3; i++)
        bars[i] = new_bar(.label = labels[i], .interval_ms = 1, .plain_every_ms = 1, .fd = fd);
    test_wait_until((at = strstr(text_of(fd), "third: ")) && (at = strstr(at, "second: ")) && strstr(at, "\nthird: "));
    cr_assert(begins(strchr(at, '\n') + 1, "third: "), "%s", text_of(fd));
    for (int i = 0; i < 3; i++)
        soon_progress_bar_free(bars[i]);
    close(fd);
}

Test(progress_bar_plain, who_wants_no_lines_gets_none)
{
    int fd = new_file();

    soon_progress_bar_free(new_bar(.plain_every_ms = SOON_FOREVER, .fd = fd));
    soon_progress_bar_free(new_bar(.vanish = true, .fd = fd));
    soon_progress_bar_free(new_bar(.delay_ms = INT_MAX, .interval_ms = 1, .plain_every_ms = 1, .fd = fd));
    cr_assert_str_eq(text_of(fd), "");
    close(fd);
}

Test(progress_bar_plain, printf_is_fprintf_and_ends_the_line)
{
    FILE *file = tmpfile();

    cr_assert_eq(soon_progress_bar_printf(file, "%d and %s", 1, "two"), 0);
    cr_assert_eq(soon_progress_bar_printf(file, "three\n"), 0);
    fflush(file);
    cr_assert_str_eq(text_of(fileno(file)), "1 and two\nthree\n");
    cr_assert_eq(soon_progress_bar_printf(NULL, "x"), -EINVAL);
    fclose(file);
}

Test(progress_bar_plain, a_descriptor_that_is_not_open_is_refused)
{
    soon_progress_bar *bar = (soon_progress_bar *)1;
    int fd = new_file();

    close(fd);
    cr_assert_eq(soon_progress_bar_new(&bar, &(soon_progress_bar_options){.fd = fd}), -EBADF);
    cr_assert_null(bar);
}

Test(progress_bar_plain, a_descriptor_that_is_closed_later_does_not_matter)
{
    int fd = new_file(), again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    soon_progress_bar *bar = new_bar(.label = "mine", .fd = fd);

    close(fd);
    int other = new_file(); /* it has the number of the closed one */
    cr_assert_eq(other, fd);
    soon_progress_bar_free(bar);
    cr_assert_str_eq(text_of(other), "");
    cr_assert(begins(text_of(again), "mine: 0it"));
    close(other), close(again);
}

Test(progress_bar_plain, a_pipe_that_nobody_reads_ends_nothing)
{
    int ends[2];

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    soon_progress_bar *bar = new_bar(.interval_ms = 1, .plain_every_ms = 1, .fd = ends[1]);
    char byte;
    cr_assert_eq(read(ends[0], &byte, 1), 1); /* it writes */
    close(ends[0]);
    soon_progress_bar_free(bar); /* and again: SIGPIPE would end the test */
    close(ends[1]);
}

Test(progress_bar_plain, a_full_disk_ends_nothing)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    cr_assert_geq(fd, 0);
    soon_progress_bar_free(new_bar(.fd = fd));
    close(fd);
}

/* Until the pipe is full, whatever the size of that. */
static void fill(int fd)
{
    static char bytes[4096];

    while (write(fd, bytes, sizeof bytes) > 0)
        continue;
    while (write(fd, bytes, 1) > 0)
        continue;
    cr_assert_eq(errno, EAGAIN);
}

Test(progress_bar_plain, a_pipe_that_is_full_holds_up_nobody_but_who_frees_the_bar)
{
    int ends[2], spare;
    struct halves task = running();

    cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    fill(ends[1]);
    soon_progress_bar *bar = new_bar(.label = "full", .interval_ms = 1, .plain_every_ms = 1, .fd = ends[1]);
    soon_progress_bar *other = new_bar(.label = "other", .fd = spare = new_file());
    cr_assert_eq(soon_progress_bar_add(bar, task.future), 0);
    soon_promise_set_result(task.promise, NULL, 0);
    soon_progress_bar_update(bar, 1);
    cr_assert_eq(soon_progress_bar_set_label(bar, "still full"), 0);
    soon_progress_bar_finish(bar);
    soon_progress_bar_free(other);
    cr_assert(begins(text_of(spare), "other: 0it"));

    static char text[1 << 20];
    size_t size = 0;
    while (!memmem(text, size, "still full", 10)) {
        ssize_t got = read(ends[0], text + size, sizeof text - size);
        size += got > 0 ? (size_t)got : 0;
    }
    soon_progress_bar_free(bar);
    release(task);
    close(ends[0]), close(ends[1]), close(spare);
}

Test(progress_bar_plain, a_bar_that_is_hidden_is_null)
{
    soon_progress_bar *bar = (soon_progress_bar *)1;

    cr_assert_eq(soon_progress_bar_new(&bar, &(soon_progress_bar_options){.hidden = true}), 0);
    cr_assert_null(bar);
}

Test(progress_bar_plain, null_is_a_bar_that_nobody_sees)
{
    struct halves done = running();
    soon_as_completed *set;
    soon_future *f;

    soon_promise_set_result(done.promise, NULL, 0);
    cr_assert_eq(soon_progress_bar_add(NULL, done.future), 0);
    cr_assert_eq(soon_progress_bar_add(NULL, NULL), -EINVAL);
    soon_progress_bar_update(NULL, 1);
    soon_progress_bar_count(NULL, done.future);
    soon_progress_bar_set_total(NULL, 1);
    cr_assert_eq(soon_progress_bar_set_label(NULL, "x"), 0);
    cr_assert_eq(soon_as_completed_new(&set, &done.future, 1, SOON_FOREVER), 0);
    cr_assert_eq(soon_progress_bar_next(NULL, set, &f), 0);
    soon_future_unref(f);
    soon_as_completed_free(set);
    soon_progress_bar_finish(NULL);
    soon_progress_bar_free(NULL);
    soon_progress_bar_show();
    release(done);
}

Test(progress_bar_plain, options_that_make_no_sense_are_refused)
{
    static const soon_progress_bar_options wrong[] = {{.delay_ms = -1},
                                                      {.interval_ms = -1},
                                                      {.plain_every_ms = -2},
                                                      {.fd = -1},
                                                      {.tasks_max = 65},
                                                      {.tasks_max = SIZE_MAX},
                                                      {.scale = (soon_progress_bar_scale)3},
                                                      {.counts = (soon_progress_bar_counts)2},
                                                      {.blocks = (soon_progress_bar_choice)3},
                                                      {.colour = (soon_progress_bar_choice)3}};
    soon_progress_bar *bar;

    for (size_t i = 0; i < COUNT(wrong); i++) {
        cr_assert_eq(soon_progress_bar_new(&bar, &wrong[i]), -EINVAL, "%zu", i);
        cr_assert_null(bar);
    }
    cr_assert_eq(soon_progress_bar_new(NULL, NULL), -EINVAL);
    cr_assert(strstr(soon_last_error()->message, "soon_progress_bar_new: ret is NULL"));
}

Test(progress_bar_plain, options_of_an_older_program_are_shorter)
{
    int fd = new_file();
    /* Beyond what that program knew there is a delay, which is not looked at. */
    soon_progress_bar_options options = {.label = "old", .total = 7, .fd = fd, .delay_ms = INT_MAX};
    soon_progress_bar *bar;

    cr_assert_eq(soon_progress_bar_new_sized(&bar, &options, offsetof(soon_progress_bar_options, delay_ms)), 0);
    soon_progress_bar_free(bar);
    cr_assert(begins(text_of(fd), "old:   0% 0/7 ["));
    close(fd);
}
