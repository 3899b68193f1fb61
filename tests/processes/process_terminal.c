/*
 * process_terminal.c - worker processes of a program at a terminal: what is typed there is for the program, and tasks have no
 * terminal that they could stop for.
 *
 * Three processes: the test has the terminal's other end; a shell leads the session; the program is its job in the foreground.
 */
#include "../support/process_fixture.h"

#include <pty.h>
#include <stdio.h>
#include <utmp.h>

TestSuite(process_terminal);

struct terminal {
    int typing;      /* what is written there the terminal has read */
    int words, told; /* the program's, its tasks' and their commands'; the shell's: each status of the program */
    pid_t shell;
};

static char next_word(int fd)
{
    char word = '\0';

    cr_assert_geq(read(fd, &word, 1), 0);
    return word;
}

/* A job of the shell's, as shells make them. */
static pid_t start_job(void (*program)(void))
{
    pid_t job = test_fork();

    if (job == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        setpgid(0, 0);
        signal(SIGTTOU, SIG_IGN);
        tcsetpgrp(STDIN_FILENO, getpid());
        signal(SIGTTOU, SIG_DFL);
        program();
        _exit(0);
    }
    return job;
}

/* Tells of each change of the job, and goes on with it when it was stopped and the test has typed. */
static void be_a_shell(int told, void (*program)(void))
{
    pid_t job = start_job(program);
    int status;

    while (waitpid(job, &status, WUNTRACED) == job) {
        if (write(told, &status, sizeof status) < 0 || !WIFSTOPPED(status))
            break;
    }
    _exit(0);
}

/* What is said goes to standard output, which is no terminal. */
static struct terminal open_terminal(void (*program)(void))
{
    struct terminal terminal;
    int words[2], told[2], other_end;

    cr_assert_eq(pipe2(words, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(told, O_CLOEXEC), 0);
    cr_assert_eq(openpty(&terminal.typing, &other_end, NULL, NULL, NULL), 0);
    terminal.shell = test_fork();
    if (terminal.shell == 0) {
        login_tty(other_end);
        close(terminal.typing);
        dup2(words[1], STDOUT_FILENO);
        close(words[0]);
        close(words[1]);
        be_a_shell(told[1], program);
    }
    close(other_end);
    close(words[1]);
    close(told[1]);
    terminal.words = words[0];
    terminal.told = told[0];
    return terminal;
}

static int next_status(const struct terminal *terminal)
{
    int status = 0;

    cr_assert_eq(read(terminal->told, &status, sizeof status), (ssize_t)sizeof status);
    return status;
}

static void type(const struct terminal *terminal, char key)
{
    cr_assert_eq(write(terminal->typing, &key, 1), 1);
}

static void close_terminal(const struct terminal *terminal)
{
    int status;

    cr_assert_eq(waitpid(terminal->shell, &status, 0), terminal->shell);
    close(terminal->typing);
    close(terminal->words);
    close(terminal->told);
}

/*
 * Reading
 */

SOON_TASK(read_terminal, soon_none, int)
{
    *result = system("read line </dev/tty && echo");
    return 0;
}

static void say(bool well)
{
    if (write(STDOUT_FILENO, well ? "+" : "-", 1) < 0)
        _exit(1);
}

static void try_to_read(void)
{
    soon_executor *pool = new_processes(.workers = 1);
    int status = 0, rc = soon_take(soon_submit(pool, read_terminal), &status);

    say(rc == 0 && status != 0);
    soon_executor_free(pool);
}

Test(process_terminal, is_not_there_for_a_task_that_would_stop_for_it)
{
    struct terminal terminal = open_terminal(try_to_read);

    cr_assert_eq(next_word(terminal.words), '+');
    cr_assert_eq(next_status(&terminal), 0);
    close_terminal(&terminal);
}

/*
 * Keys
 */

SOON_TASK(sleep_in_a_command, soon_none, int)
{
    *result = system("echo; sleep 777");
    return 0;
}

static void sleep_in_two(void)
{
    soon_executor *pool = new_processes(.workers = 2);

    for (int i = 0; i < 2; i++)
        soon_future_unref(soon_submit(pool, sleep_in_a_command));
    soon_executor_free(pool);
}

Test(process_terminal, ends_commands_of_tasks_by_its_keys)
{
    static const struct {
        char key;
        int signal;
    } keys[] = {{'C' - '@', SIGINT}, {'\\' - '@', SIGQUIT}};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct terminal terminal = open_terminal(sleep_in_two);
        int status;

        for (int begun = 0; begun < 2; begun++)
            cr_assert_eq(next_word(terminal.words), '\n');
        type(&terminal, keys[i].key);

        status = next_status(&terminal);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == keys[i].signal);
        cr_assert_eq(next_word(terminal.words), '\0', "all have gone");
        close_terminal(&terminal);
    }
}

static struct gate gate;

static void run_at_gate(void)
{
    soon_executor *pool = new_processes(.workers = 1);
    int result = 0;
    soon_future *f = stay_submit(pool, &gate, NULL);

    say(soon_take(f, &result) == 0 && result == 42);
    soon_executor_free(pool);
}

/* What the task has to say is there when the program goes on. */
Test(process_terminal, stops_the_program_and_not_its_tasks)
{
    struct terminal terminal;
    int status;
    pid_t job;

    gate = gate_new();
    terminal = open_terminal(run_at_gate);
    gate_await(gate, 1);
    type(&terminal, 'Z' - '@');
    status = next_status(&terminal);
    cr_assert(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
    gate_open(gate, 1);
    job = tcgetpgrp(terminal.typing);
    cr_assert_eq(kill(-job, SIGCONT), 0);

    cr_assert_eq(next_word(terminal.words), '+');
    cr_assert_eq(next_status(&terminal), 0);
    close_terminal(&terminal);
    gate_free(gate);
}
