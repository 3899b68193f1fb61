/*
 * trace_file.c - the file of a trace is whole after each write, and after one that has failed.
 */
#include "../../executor/trace/file_internal.h"
#include "../support/json.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

TestSuite(trace_file);

enum { LINES_MAX = 64 << 10 };

static char path[] = "/tmp/soon-trace-XXXXXX";
static struct soon__trace_file file;

static void make_path(void)
{
    close(mkstemp(path));
}

static void make(void)
{
    make_path();
    cr_assert_eq(soon__trace_file_open(&file, path, 7, 1234), 0);
}

static void remove_path(void)
{
    unlink(path);
}

static void clear(void)
{
    soon__trace_file_close(&file);
    remove_path();
}

/* Adds so many lines. */
static int add(int count)
{
    char *lines = malloc(LINES_MAX + 3);
    size_t size = 0;
    int rc;

    for (int i = 0; i < count; i++)
        size += (size_t)snprintf(lines + size, LINES_MAX - size, ",\n{\"name\":\"%d\"}", i);
    rc = soon__trace_file_add(&file, lines, size);
    free(lines);
    return rc;
}

static void assert_elements(long count)
{
    char *text = text_of_file(path);

    cr_assert_eq(json_array(text), count, "%s", text);
    free(text);
}

static void assert_dropped(unsigned long long count)
{
    char *text = text_of_file(path);

    cr_assert_eq(dropped_in(text), count);
    free(text);
}

Test(trace_file, is_an_array_from_the_start_and_after_each_write, .init = make, .fini = clear)
{
    assert_elements(1);
    cr_assert_eq(add(0), 0);
    assert_elements(1);
    cr_assert_eq(add(1), 0);
    assert_elements(2);
    cr_assert_eq(add(1000), 0);
    assert_elements(1002);
}

Test(trace_file, has_nothing_left_of_a_longer_file_that_was_there, .init = make, .fini = clear)
{
    cr_assert_eq(add(1000), 0);
    soon__trace_file_close(&file);

    cr_assert_eq(soon__trace_file_open(&file, path, 7, 1234), 0);

    assert_elements(1);
}

Test(trace_file, says_how_many_are_missing_in_its_first_line, .init = make, .fini = clear)
{
    cr_assert_eq(add(3), 0);
    assert_dropped(0);
    soon__trace_file_set_dropped(&file, 17);
    assert_dropped(17);
    soon__trace_file_set_dropped(&file, UINT64_MAX);
    assert_dropped(UINT64_MAX);
    assert_elements(4);
}

/* As on a full disk, a part of the bytes can be written. */
Test(trace_file, is_whole_and_as_before_where_a_write_fails_half_way, .init = make, .fini = clear)
{
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(add(10), 0);
    for (rlim_t more = 0; more < 40; more++) {
        struct rlimit limit = {(rlim_t)file.end + 3 + more, RLIM_INFINITY};

        setrlimit(RLIMIT_FSIZE, &limit);
        cr_assert_eq(add(100), -EFBIG);
        soon__trace_file_set_dropped(&file, 100 * (more + 1));
        assert_elements(11);
        assert_dropped(100 * (more + 1));
    }
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
    cr_assert_eq(add(5), 0);
    assert_elements(16);
}

Test(trace_file, cannot_begin_on_a_full_disk)
{
    cr_assert_eq(soon__trace_file_open(&file, "/dev/full", 7, 1234), -ENOSPC);
}

Test(trace_file, is_left_alone_while_another_process_writes_to_it, .init = make, .fini = clear)
{
    struct soon__trace_file other;
    int status;
    pid_t child;

    cr_assert_eq(add(2), 0);
    child = fork();
    if (child == 0)
        _exit(soon__trace_file_open(&other, path, 8, 1234) == -EBUSY ? 0 : 1);
    cr_assert_eq(waitpid(child, &status, 0), child);

    cr_assert_eq(status, 0);
    assert_elements(3);
}

Test(trace_file, is_no_pipe_whether_that_has_a_reader_or_not, .init = make_path, .fini = remove_path)
{
    int reader;

    remove_path();
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(soon__trace_file_open(&file, path, 7, 1234), -ENXIO);
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    cr_assert_eq(soon__trace_file_open(&file, path, 7, 1234), -ESPIPE);
    close(reader);
}

Test(trace_file, says_why_it_cannot_be_opened)
{
    cr_assert_eq(soon__trace_file_open(&file, "/nowhere/trace.json", 7, 1234), -ENOENT);
    cr_assert_eq(soon__trace_file_open(&file, "/tmp", 7, 1234), -EISDIR);
}
