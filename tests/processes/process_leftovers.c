/*
 * process_leftovers.c - what a task leaves behind in its worker process: prints and alarms; and what a worker has of its
 * program's signals.
 */
#include "../support/process_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

TestSuite(process_leftovers);

/*
 * Prints
 */

static FILE *output;
static int usual_output;

/* From here on what workers print goes to a file. */
static void catch_output(void)
{
    output = tmpfile();
    usual_output = dup(STDOUT_FILENO);
    cr_assert_geq(usual_output, 0);
    cr_assert_geq(dup2(fileno(output), STDOUT_FILENO), 0);
}

static void assert_printed(const char *text)
{
    char printed[256] = "";

    cr_assert_geq(pread(fileno(output), printed, sizeof printed - 1, 0), 0);
    cr_assert_str_eq(printed, text);
}

static void give_output_back(void)
{
    cr_assert_geq(dup2(usual_output, STDOUT_FILENO), 0);
    close(usual_output);
    fclose(output);
}

SOON_TASK(print_letter, int, int)
{
    printf("%c", *arg);
    *result = getpid();
    return 0;
}

Test(process_leftovers, that_are_prints_are_there_when_the_task_has_ended)
{
    soon_executor *pool;
    int pid;

    catch_output();
    pool = new_processes(.workers = 1);
    cr_assert_eq(soon_take(soon_submit(pool, print_letter, 'a'), &pid), 0);
    assert_printed("a");
    kill(pid, SIGKILL);
    cr_assert_eq(soon_take(soon_submit(pool, print_letter, 'b'), &pid), 0);
    assert_printed("ab");
    free_pool(pool);
    assert_printed("ab");
    give_output_back();
}

SOON_TASK(print_line_or_crash, bool, soon_none)
{
    printf("a line\n");
    if (*arg)
        die(BY_SEGFAULT);
    return 0;
}

enum { LINES = 100 };

/* A program that ends as soon as all is done, with its pool as it is. */
static void print_and_end(int output, bool returns)
{
    soon_future *futures[LINES];
    soon_executor *pool;

    cr_assert_geq(dup2(output, STDOUT_FILENO), 0);
    pool = new_processes(.workers = 2);
    for (int i = 0; i < LINES; i++)
        futures[i] = soon_submit(pool, print_line_or_crash, i == LINES / 2);
    soon_wait(futures, LINES, SOON_ALL_COMPLETED, SOON_FOREVER, NULL);
    if (!returns)
        raise(SIGKILL);
    _exit(0);
}

/* Into a pipe: nothing is written line by line. */
Test(process_leftovers, that_are_prints_arrive_from_all_but_the_one_that_crashes_when_the_program_just_ends)
{
    for (int returns = 0; returns < 2; returns++) {
        char printed[LINES * 7 + 1];
        size_t size = 0;
        int ends[2];
        ssize_t got;
        pid_t program;

        cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
        program = test_fork();
        if (program == 0)
            print_and_end(ends[1], returns);
        close(ends[1]);
        while ((got = read(ends[0], printed + size, sizeof printed - size)) > 0)
            size += (size_t)got;
        cr_assert_eq(waitpid(program, NULL, 0), program);
        cr_assert_eq(size, (LINES - 1) * strlen("a line\n"));
        close(ends[0]);
    }
}

SOON_TASK(print_unless_last, int, int)
{
    if (*arg == 'd')
        die(BY_SIGKILL);
    return print_letter(task, arg, result);
}

/* In a chunk, too. */
Test(process_leftovers, that_are_prints_survive_the_death_of_a_later_item)
{
    static const int letters[] = {'a', 'b', 'c', 'd'};
    int pids[4];
    soon_executor *pool;

    catch_output();
    pool = new_processes(.workers = 1);
    cr_assert_eq(soon_map_with(pool, (.chunk = 4), print_unless_last, letters, 4, pids, NULL), SOON_EWORKERDIED);
    assert_printed("abc");
    free_pool(pool);
    give_output_back();
}

SOON_TASK(print_and_fork, soon_none, int)
{
    pid_t child;

    printf("x");
    child = test_fork();
    if (child == 0)
        exit(0);
    cr_assert_eq(waitpid(child, result, 0), child);
    return 0;
}

Test(process_leftovers, that_are_prints_come_once_when_a_task_forks)
{
    soon_executor *pool;
    int status;

    catch_output();
    pool = new_processes(.workers = 1);
    cr_assert_eq(soon_take(soon_submit(pool, print_letter, 'a'), &status), 0);
    cr_assert_eq(soon_take(soon_submit(pool, print_and_fork), &status), 0);
    free_pool(pool);
    assert_printed("ax");
    give_output_back();
}

/* The child is back where its task returns to: there it ends. */
SOON_TASK(fork_and_print_in_the_child, soon_none, int)
{
    pid_t child;

    printf("p");
    child = test_fork();
    if (child == 0) {
        printf("c");
        return 0;
    }
    cr_assert_eq(waitpid(child, result, 0), child);
    return 0;
}

Test(process_leftovers, that_are_prints_of_a_child_that_a_task_leaves_are_written)
{
    soon_executor *pool;
    int status;

    catch_output();
    pool = new_processes(.workers = 1);
    cr_assert_eq(soon_take(soon_submit(pool, fork_and_print_in_the_child), &status), 0);
    cr_assert_eq(status, 0);
    free_pool(pool);
    assert_printed("pc");
    give_output_back();
}

/*
 * Alarms
 */

enum { HOUR = 3600 };

SOON_TASK(set_alarm, int, int)
{
    struct itimerval hour = {.it_value.tv_sec = HOUR};

    *result = *arg % 2 ? (int)alarm(HOUR) : setitimer(ITIMER_REAL, &hour, NULL);
    return 0;
}

/* Seconds that are left, here and before this. */
SOON_TASK(ask_and_set_alarm, int, int)
{
    *result = (int)alarm(HOUR);
    return 0;
}

Test(process_leftovers, that_are_alarms_end_with_their_task)
{
    soon_executor *pool = new_processes(.workers = 1);
    int left;

    for (int i = 0; i < 4; i++) {
        cr_assert_eq(soon_take(soon_submit(pool, set_alarm, i), &left), 0);
        cr_assert_eq(left, 0);
        cr_assert_eq(soon_take(soon_submit(pool, ask_and_set_alarm, 0), &left), 0);
        cr_assert_eq(left, 0);
    }
    free_pool(pool);
}

Test(process_leftovers, that_are_alarms_of_an_item_end_with_it)
{
    static const int items[10];
    soon_executor *pool = new_processes(.workers = 1);
    int left[10];

    cr_assert_eq(soon_map_with(pool, (.chunk = 10), ask_and_set_alarm, items, 10, left, NULL), 0);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(left[i], 0, "item %d", i);
    free_pool(pool);
}

/*
 * Signals of the program
 */

SOON_TASK(write_to_nobody, soon_none, int)
{
    int ends[2];

    if (pipe(ends) < 0)
        return -errno;
    close(ends[0]);
    *result = write(ends[1], "x", 1) < 0 ? errno : 0;
    close(ends[1]);
    return 0;
}

/* A broken pipe above all. */
Test(process_leftovers, of_signals_that_the_program_ignores_end_no_worker)
{
    soon_executor *pool;
    int error = 0;

    signal(SIGPIPE, SIG_IGN);
    pool = new_processes(.workers = 1);
    cr_assert_eq(soon_take(soon_submit(pool, write_to_nobody), &error), 0);
    cr_assert_eq(error, EPIPE);
    free_pool(pool);
}

SOON_TASK(wait_for_child, soon_none, int)
{
    pid_t child = test_fork();

    if (child == 0)
        _exit(3);
    return waitpid(child, result, 0) < 0 ? -errno : 0;
}

Test(process_leftovers, of_children_are_not_lost_where_the_program_ignores_its_own)
{
    soon_executor *pool;
    int status;

    signal(SIGCHLD, SIG_IGN);
    pool = new_processes(.workers = 1);
    cr_assert_eq(soon_take(soon_submit(pool, wait_for_child), &status), 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    free_pool(pool);
}
