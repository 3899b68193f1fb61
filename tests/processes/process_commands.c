/*
 * process_commands.c - the programs that tasks start: what signals do to them, and that they end with their worker, and that with
 * its program, however these end.
 */
#include "../support/process_fixture.h"

#include "../../executor/system/process_internal.h"

#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/syscall.h>

TestSuite(process_commands);

/*
 * Ways to start one
 */

enum way { BY_SYSTEM, BY_POPEN, BY_SPAWN, BY_FORK, BY_VFORK, WAYS };

static void execute(const char *command)
{
    execl("/bin/sh", "sh", "-c", command, NULL);
    _exit(127);
}

static int await(pid_t child)
{
    int status = -1;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static pid_t spawn(const char *command)
{
    char *arguments[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
    pid_t child;

    cr_assert_eq(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ), 0);
    return child;
}

static int run_by_vfork(const char *command)
{
    pid_t child = vfork();

    if (child == 0)
        execute(command);
    return await(child);
}

static int run_by_fork(const char *command)
{
    pid_t child = test_fork();

    if (child == 0)
        execute(command);
    return await(child);
}

/* Its status. */
static int run(enum way way, const char *command)
{
    switch (way) {
    case BY_SYSTEM:
        return system(command);
    case BY_POPEN:
        return pclose(popen(command, "w"));
    case BY_SPAWN:
        return await(spawn(command));
    case BY_VFORK:
        return run_by_vfork(command);
    default:
        return run_by_fork(command);
    }
}

SOON_TASK(say_and_sleep, enum way, int)
{
    *result = run(*arg, "echo; sleep 777");
    return 0;
}

/*
 * What signals do to them
 */

/* Blocked and ignored ones, in words; two of the C library's own are beyond the first 32. */
SOON_TASK(write_signals, enum way, int)
{
    *result = run(*arg, "grep -E '^Sig(Blk|Ign)' /proc/self/status");
    return 0;
}

static unsigned long masks_in(FILE *output, int *ret_count)
{
    char line[128], name[8];
    unsigned long signals, all = 0;

    rewind(output);
    while (fgets(line, sizeof line, output)) {
        cr_assert_eq(sscanf(line, "%7s %lx", name, &signals), 2, "%s", line);
        all |= signals & 0x7fffffff;
        ++*ret_count;
    }
    return all;
}

Test(process_commands, have_the_usual_signals)
{
    soon_executor *pool;
    FILE *output = tmpfile();
    int status, usual_output = dup(STDOUT_FILENO), count = 0;

    cr_assert_geq(dup2(fileno(output), STDOUT_FILENO), 0);
    pool = new_processes(.workers = 1);
    for (enum way way = BY_SYSTEM; way < WAYS; way++) {
        cr_assert_eq(soon_take(soon_submit(pool, write_signals, way), &status), 0);
        cr_assert_eq(status, 0, "way %d", way);
    }
    free_pool(pool);
    cr_assert_eq(masks_in(output, &count), 0, "one is blocked or ignored");
    cr_assert_eq(count, 2 * WAYS);
    cr_assert_geq(dup2(usual_output, STDOUT_FILENO), 0);
    close(usual_output);
    fclose(output);
}

/*
 * The end of the program
 */

enum end { BY_ITSELF = 0, AS_ANOTHER_PROGRAM = -1 }; /* others: by a signal */

struct ending {
    const char *name;
    int how; /* a signal, or `enum end` */
    bool group;
};

static const struct ending endings[] = {
    {"^C", SIGINT, true},
    {"a terminal that hangs up", SIGHUP, true},
    {"^\\", SIGQUIT, true},
    {"a service manager", SIGTERM, true},
    {"SIGTERM", SIGTERM, false},
    {"SIGKILL", SIGKILL, false},
    {"a crash", SIGSEGV, false},
    {"its own end", BY_ITSELF, false},
    {"another program in its place", AS_ANOTHER_PROGRAM, false},
};

struct program {
    pid_t pid;
    int output, orders; /* of it; to it */
};

/* In a session of its own: what its group gets is for nobody else. All its tasks and their commands have its output. */
static void run_program(int output, int orders)
{
    soon_executor *pool;
    struct rlimit none = {0, 0};
    int how = 0;

    setsid();
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's */
    if (dup2(output, STDOUT_FILENO) < 0)
        _exit(1);
    close(output);
    pool = new_processes(.workers = WAYS);
    for (enum way way = BY_SYSTEM; way < WAYS; way++)
        soon_future_unref(soon_submit(pool, say_and_sleep, way));
    if (read(orders, &how, sizeof how) == (ssize_t)sizeof how && how == AS_ANOTHER_PROGRAM)
        execute("exec >&-; sleep 777");
    _exit(0);
}

static struct program start_program(void)
{
    int output[2], orders[2];
    struct program program;

    cr_assert_eq(pipe2(output, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(orders, O_CLOEXEC), 0);
    program = (struct program){.pid = test_fork(), .output = output[0], .orders = orders[1]};
    if (program.pid == 0) {
        close(output[0]);
        close(orders[1]);
        run_program(output[1], orders[0]);
    }
    close(output[1]);
    close(orders[0]);
    return program;
}

static void end_program(const struct program *program, const struct ending *ending)
{
    if (ending->how > 0)
        cr_assert_eq(kill(ending->group ? -program->pid : program->pid, ending->how), 0);
    else
        cr_assert_eq(write(program->orders, &ending->how, sizeof ending->how), (ssize_t)sizeof ending->how);
}

/* Its end is when the last of them has gone. */
static void await_end_of_output(int output, const char *why)
{
    char byte;

    cr_assert_eq(read(output, &byte, 1), 0, "%s", why);
}

Test(process_commands, end_with_the_program_however_it_ends)
{
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        struct program program = start_program();
        char bytes[WAYS];

        for (int begun = 0; begun < WAYS;)
            begun += (int)read(program.output, bytes, (size_t)(WAYS - begun));
        end_program(&program, &endings[i]);

        await_end_of_output(program.output, endings[i].name);
        kill(-program.pid, SIGKILL); /* the other program */
        await(program.pid);
        close(program.output);
        close(program.orders);
    }
}

/*
 * The end of a worker
 */

/* Leaves one in the background: its number. */
SOON_TASK(leave_command, bool, int)
{
    *result = spawn(*arg ? "exec setsid sleep 777" : "exec sleep 777");
    while (*arg && getsid(*result) != *result)
        sched_yield();
    return 0;
}

struct background {
    soon_executor *pool;
    int pid, worker;
};

static void crash(const struct background *b)
{
    cr_assert_eq(outcome_of(soon_submit(b->pool, die_by, BY_SEGFAULT)), SOON_EWORKERDIED);
}

static void leave(const struct background *b)
{
    cr_assert_eq(outcome_of(soon_submit(b->pool, die_by, BY_EXIT_0)), SOON_EWORKERDIED);
}

static void kill_worker(const struct background *b)
{
    cr_assert_eq(kill(b->worker, SIGKILL), 0);
}

static void kill_task(const struct background *b)
{
    soon_future *f = soon_submit(b->pool, hang);

    test_wait_until(soon_future_running(f));
    cr_assert_eq(soon_future_kill(f), 0);
    cr_assert_eq(outcome_of(f), SOON_EKILLED);
}

static void exceed(const struct background *b)
{
    cr_assert_eq(outcome_of(soon_submit_with(b->pool, (.time_limit_ms = 10), hang)), SOON_ETIMELIMIT);
}

static void terminate(const struct background *b)
{
    cr_assert_eq(soon_executor_shutdown(b->pool, SOON_TERMINATE, SOON_FOREVER), 0);
}

static void finish(const struct background *b)
{
    cr_assert_eq(soon_executor_shutdown(b->pool, SOON_DRAIN, SOON_FOREVER), 0);
}

static void use_up(const struct background *b)
{
    cr_assert_neq(pid_of_one(b->pool), b->worker);
}

static const struct {
    const char *name;
    void (*end)(const struct background *b);
    size_t tasks;
} ends[] = {
    {"its own crash", crash, 0},
    {"its own exit", leave, 0},
    {"SIGKILL from outside", kill_worker, 0},
    {"a task that is killed", kill_task, 0},
    {"a time limit", exceed, 0},
    {"the end of the pool by force", terminate, 0},
    {"the end of the pool", finish, 0},
    {"its last task", use_up, 1},
};

static void assert_alive(int watch)
{
    struct pollfd what = {.fd = watch, .events = POLLIN};

    cr_assert_eq(poll(&what, 1, 0), 0);
}

static void await_readable(int watch)
{
    struct pollfd what = {.fd = watch, .events = POLLIN};

    while (poll(&what, 1, -1) < 0)
        cr_assert_eq(errno, EINTR);
}

/* With one task to a worker it may be gone before we look. */
static int watch_of(int pid, bool may_be_gone)
{
    int watch = soon__process_watch(pid);

    cr_assert(watch >= 0 || may_be_gone, "%s", soon_strerror(watch));
    return watch;
}

Test(process_commands, that_tasks_leave_end_with_their_worker_however_it_ends)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct background b = {new_processes(.workers = 1, .max_tasks_per_worker = ends[i].tasks, .grace_ms = 50), 0,
                               0};
        int watch;

        if (!ends[i].tasks)
            b.worker = pid_of_one(b.pool);
        cr_assert_eq(soon_take(soon_submit(b.pool, leave_command, false), &b.pid), 0);
        watch = watch_of(b.pid, ends[i].tasks > 0);
        ends[i].end(&b);

        if (watch >= 0)
            await_readable(watch);
        free_pool(b.pool);
        close(watch);
    }
}

/* daemon() does that, too. */
Test(process_commands, that_leave_their_session_stay)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct background b = {new_processes(.workers = 1, .max_tasks_per_worker = ends[i].tasks, .grace_ms = 50), 0,
                               0};
        int watch;

        if (!ends[i].tasks)
            b.worker = pid_of_one(b.pool);
        cr_assert_eq(soon_take(soon_submit(b.pool, leave_command, true), &b.pid), 0);
        watch = watch_of(b.pid, false);
        ends[i].end(&b);
        free_pool(b.pool);

        assert_alive(watch);
        cr_assert_eq(kill(b.pid, SIGKILL), 0, "%s", ends[i].name);
        await_readable(watch);
        close(watch);
    }
}

/* Where the system can signal a group whose leader is gone. */
Test(process_commands, that_tasks_leave_end_where_the_program_wants_to_hear_of_no_child)
{
    struct background b;
    int watch, rc;

    signal(SIGCHLD, SIG_IGN);
    b.pool = new_processes(.workers = 1);
    b.worker = pid_of_one(b.pool);
    watch = watch_of(getpid(), false);
    rc = (int)syscall(SYS_pidfd_send_signal, watch, 0, NULL, 4);
    close(watch);
    if (rc < 0) {
        free_pool(b.pool);
        cr_skip_test("the system cannot signal a group by a descriptor (Linux 6.9)");
    }
    cr_assert_eq(soon_take(soon_submit(b.pool, leave_command, false), &b.pid), 0);
    watch = watch_of(b.pid, false);
    kill_worker(&b);

    await_readable(watch);
    free_pool(b.pool);
    close(watch);
}
