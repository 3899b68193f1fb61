/*
 * trace.c - traces begin and end, whatever happens meanwhile: wrong arguments, other traces, forks, full disks.
 */
#include "../../executor/trace/record_internal.h"
#include "../../executor/trace/writer_internal.h"
#include "../support/forked.h"
#include "../support/json.h"

#include <errno.h>
#include <pthread.h>
#include <soon.h>
#include <sys/resource.h>

TestSuite(trace);

static char path[] = "/tmp/soon-trace-XXXXXX";

static void make_path(void)
{
    close(mkstemp(path));
}

static void remove_path(void)
{
    unlink(path);
}

static void start_with(const soon_trace_options *options)
{
    int rc = soon_trace_start(path, options);

    cr_assert_eq(rc, 0, "%s", soon_strerror(rc));
}

static void record(int count)
{
    for (int i = 0; i < count; i++)
        soon__trace_record(&(struct soon__trace_event){
            .kind = SOON__TRACE_MARK, .row = {getpid(), 1}, .begin_ns = INT64_MAX, .text = "mark"});
}

/* There are so many of record() in the file, which is whole. */
static void assert_marks(size_t count)
{
    char *text = text_of_file(path);

    cr_assert_gt(json_array(text), 0, "%s", text);
    cr_assert_eq(count_in(text, "\"name\":\"mark\""), count, "%s", text);
    free(text);
}

Test(trace, is_a_whole_file_when_it_has_ended, .init = make_path, .fini = remove_path)
{
    start_with(NULL);
    record(10);
    cr_assert_eq(soon_trace_stop(), 0);

    assert_marks(10);
}

Test(trace, has_nothing_of_what_comes_before_or_after_it, .init = make_path, .fini = remove_path)
{
    record(3);
    start_with(NULL);
    cr_assert(soon__trace_is_on());
    record(10);
    cr_assert_eq(soon_trace_stop(), 0);
    cr_assert_not(soon__trace_is_on());
    record(5);

    assert_marks(10);
}

Test(trace, refuses_what_makes_no_sense, .init = make_path, .fini = remove_path)
{
    cr_assert_eq(soon_trace_start(NULL, NULL), -EINVAL);
    cr_assert_eq(soon_trace_start(path, &(soon_trace_options){.flush_every_ms = -1}), -EINVAL);
    cr_assert_eq(soon_trace_start(path, &(soon_trace_options){.buffer_size = SIZE_MAX}), -ENOMEM);
    cr_assert_eq(soon_trace_start("/nowhere/trace.json", NULL), -ENOENT);
    cr_assert_eq(soon_trace_start("/dev/full", NULL), -ENOSPC);
    cr_assert_eq(soon_trace_stop(), -EALREADY);
}

Test(trace, is_one_at_a_time, .init = make_path, .fini = remove_path)
{
    start_with(NULL);
    cr_assert_eq(soon_trace_start(path, NULL), -EALREADY);
    record(1);
    cr_assert_eq(soon_trace_stop(), 0);
    cr_assert_eq(soon_trace_stop(), -EALREADY);

    assert_marks(1);
}

static struct soon_trace_options_of_the_future {
    soon_trace_options known;
    int64_t more;
} newer;

Test(trace, takes_options_of_other_versions, .init = make_path, .fini = remove_path)
{
    cr_assert_eq(soon_trace_start_sized(path, &newer.known, sizeof newer), 0);
    cr_assert_eq(soon_trace_stop(), 0);
    cr_assert_eq(soon_trace_start_sized(path, &newer.known, sizeof newer.known.buffer_size), 0);
    cr_assert_eq(soon_trace_stop(), 0);
    newer.more = 1;
    cr_assert_eq(soon_trace_start_sized(path, &newer.known, sizeof newer), -EINVAL);
}

static long size_in_memory(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;

    cr_assert_eq(fscanf(file, "%ld", &pages), 1);
    fclose(file);
    return pages;
}

Test(trace, can_begin_and_end_often_and_keeps_no_memory, .init = make_path, .fini = remove_path)
{
    enum { WARM = 20, TIMES = 200 };
    long before = 0;

    for (int i = 0; i < TIMES; i++) {
        if (i == WARM)
            before = size_in_memory();
        start_with(&(soon_trace_options){.buffer_size = 1 << 20});
        record(2);
        cr_assert_eq(soon_trace_stop(), 0);
        assert_marks(2);
    }

    if (!UNDER_TSAN && !UNDER_ASAN) /* which have shadows; a buffer is 256 pages */
        cr_assert_lt(size_in_memory(), before + 256 * (TIMES - WARM) / 10);
}

/* What is dropped is exactly what is missing: the writer is asleep, and is woken when half of the ring is full. */
Test(trace, tells_how_many_events_are_missing, .init = make_path, .fini = remove_path)
{
    enum { TIMES = 20000 };
    unsigned long long dropped;
    char *text;

    start_with(&(soon_trace_options){.buffer_size = 1, .flush_every_ms = 1000000});
    record(TIMES);
    cr_assert_eq(soon_trace_stop(), 0);

    text = text_of_file(path);
    cr_assert_gt(json_array(text), 0);
    dropped = dropped_in(text);
    cr_assert_gt(dropped, 0);
    cr_assert_eq(count_in(text, "\"name\":\"mark\"") + dropped, TIMES);
    cr_assert_gt(count_in(text, "events are missing"), 0);
    free(text);
}

/* The file is written long before it is stopped. */
Test(trace, is_written_while_it_goes_on, .init = make_path, .fini = remove_path)
{
    size_t there = 0;
    char *text;

    start_with(&(soon_trace_options){.flush_every_ms = 1});
    record(10);
    while (there < 10) {
        text = text_of_file(path);
        there = count_in(text, "\"name\":\"mark\"");
        free(text);
        sched_yield();
    }
    cr_assert_eq(soon_trace_stop(), 0);
}

/* A file may not grow, and the program is not told so by a signal. */
Test(trace, goes_on_without_harm_on_a_full_disk, .init = make_path, .fini = remove_path)
{
    enum { TIMES = 1000 };
    unsigned long long dropped;
    char *text;

    start_with(&(soon_trace_options){.flush_every_ms = 1000000});
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, RLIM_INFINITY});
    record(TIMES);
    cr_assert_eq(soon_trace_stop(), -EFBIG);

    text = text_of_file(path);
    cr_assert_gt(json_array(text), 0, "%s", text);
    dropped = dropped_in(text);
    cr_assert_eq(count_in(text, "\"name\":\"mark\"") + dropped, TIMES);
    free(text);
}

/*
 * Forks
 */

static void leave_it_alone(void)
{
    CHECK(!soon__trace_is_on());
    record(100);
    CHECK(soon_trace_stop() == -EALREADY);
    CHECK(soon_trace_start(path, NULL) == -EBUSY);
}

Test(trace, is_left_to_the_parent_by_a_child, .init = make_path, .fini = remove_path)
{
    start_with(NULL);
    record(1);
    in_child(leave_it_alone);
    record(1);
    cr_assert_eq(soon_trace_stop(), 0);

    assert_marks(2);
}

static char own_path[] = "/tmp/soon-trace-XXXXXX";

static void begin_its_own(void)
{
    close(mkstemp(own_path));
    CHECK(soon_trace_start(own_path, NULL) == 0);
    record(7);
    CHECK(soon_trace_stop() == 0);
    memcpy(path, own_path, sizeof path);
    assert_marks(7);
    unlink(own_path);
}

Test(trace, of_a_child_is_another_one, .init = make_path, .fini = remove_path)
{
    start_with(NULL);
    record(1);
    in_child(begin_its_own);
    cr_assert_eq(soon_trace_stop(), 0);

    assert_marks(1);
}

/* The lock on the file is not the child's. */
Test(trace, of_a_parent_ends_while_its_child_lives, .init = make_path, .fini = remove_path)
{
    int hold[2];
    pid_t child;
    char byte;

    start_with(NULL);
    cr_assert_eq(pipe(hold), 0);
    child = test_fork();
    if (child == 0) {
        close(hold[1]);
        _exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(hold[0]);
    cr_assert_eq(soon_trace_stop(), 0);

    start_with(NULL);
    cr_assert_eq(soon_trace_stop(), 0);

    close(hold[1]);
    cr_assert_eq(waitpid(child, NULL, 0), child);
}

/* What was flushed is there. */
static void die_in_the_midst(void)
{
    char *text;
    size_t there = 0;

    CHECK(soon_trace_start(path, &(soon_trace_options){.flush_every_ms = 1}) == 0);
    record(10);
    while (there < 10) {
        text = text_of_file(path);
        there = count_in(text, "\"name\":\"mark\"");
        free(text);
    }
    raise(SIGKILL);
}

Test(trace, has_what_was_written_when_the_program_is_killed, .init = make_path, .fini = remove_path)
{
    cr_assert_eq(status_of_child(die_in_the_midst), -1);

    assert_marks(10);
}
