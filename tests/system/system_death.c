/*
 * system_death.c - how processes end, as the system tells it: their status, signals to them, and hosts that reap them
 * themselves.
 */
#include "../support/tracer.h"
#include "system_fixture.h"

#include <sys/prctl.h>

TestSuite(death);

/* In this program's own child: would leave its group for that of a child of its own. */
__attribute__((constructor)) static void become_a_child(void)
{
    pid_t self = getpid(), other;

    if (!getenv("SYSTEM_CHILD"))
        return;
    other = test_fork();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == self) /* it may have gone before that */
            pause();
        _exit(0);
    }
    setpgid(other, other);
    setpgid(0, other);
    for (char ready = 1; write(3, &ready, 1) == 1;)
        pause();
    _exit(19);
}

Test(death, tells_how_it_ended)
{
    static const struct {
        char *script;
        struct soon__exit exit;
    } table[] = {
        {"exit 0", {.known = true, .number = 0}},
        {"exit 3", {.known = true, .number = 3}},
        {"exit 255", {.known = true, .number = 255}},
        {"kill -KILL $$", {.known = true, .killed = true, .number = SIGKILL}},
        {"kill -TERM $$", {.known = true, .killed = true, .number = SIGTERM}},
        {"ulimit -c unlimited; kill -SEGV $$", {.known = true, .killed = true, .number = SIGSEGV}},
    };

    cr_assert_eq(chdir("/tmp"), 0); /* a core may be left where it ran */
    for (size_t i = 0; i < COUNT(table); i++) {
        struct soon__exit how;

        start_shell(table[i].script, NULL, 0);
        how = reap();
        cr_assert_eq(how.known, table[i].exit.known);
        cr_assert_eq(how.killed, table[i].exit.killed);
        cr_assert_eq(how.number, table[i].exit.number, "%s", table[i].script);
    }
}

Test(death, tells_how_it_ended_without_a_watch)
{
    struct soon__exit how;

    start_shell("exit 3", NULL, 0);
    await_death();
    close(watch);
    cr_assert(soon__process_reap(-1, pid, &how));
    cr_assert(how.known && !how.killed && how.number == 3);
}

Test(death, that_has_not_come_is_not_waited_for)
{
    struct soon__exit how;

    start_shell("kill -STOP $$", NULL, 0);
    cr_assert_not(soon__process_reap(watch, pid, &how));
    cr_assert(!how.known);
    cr_assert_not(soon__process_reap(-1, pid, &how));
    cr_assert(!how.known);
    kill_and_reap();
}

Test(death, of_one_that_is_traced_is_told_and_it_is_reaped_when_the_tracer_has_let_go)
{
    static const struct {
        char *script;
        struct soon__exit exit;
    } table[] = {
        {"read go <&3; kill -KILL $$", {.known = true, .killed = true, .number = SIGKILL}},
        {"read go <&3; exit 3", {.known = true, .number = 3}},
        {"read go <&3; exit 0", {.known = true, .number = 0}},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        struct soon__exit how;
        struct tracer tracer;
        int ends[2];

        cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
        start_shell(table[i].script, &ends[0], 1);
        tracer = start_tracer(pid);
        cr_assert_eq(write(ends[1], "\n", 1), 1);
        await_death();
        for (int watched = 0; watched < 2; watched++) {
            cr_assert_not(soon__process_reap(watched ? watch : -1, pid, &how), "%s", table[i].script);
            cr_assert_eq(how.known, table[i].exit.known);
            cr_assert_eq(how.killed, table[i].exit.killed);
            cr_assert_eq(how.number, table[i].exit.number, "%s", table[i].script);
        }
        end_tracer(&tracer);
        cr_assert(soon__process_reap(watch, pid, &how));
        cr_assert(how.known && how.killed == table[i].exit.killed && how.number == table[i].exit.number);
        close(watch);
        close(ends[0]);
        close(ends[1]);
    }
}

Test(death, that_somebody_else_has_reaped_tells_nothing)
{
    struct soon__exit how;

    start_shell("exit 3", NULL, 0);
    cr_assert_eq(waitpid(-1, NULL, 0), pid);
    await_death();
    cr_assert_eq(soon__process_signal(watch, pid, SIGKILL), -ESRCH);
    cr_assert_eq(soon__process_watch(pid), -ESRCH);
    soon__process_reap(-1, pid, &how);
    cr_assert(!how.known);
    cr_assert(!reap().known);
}

Test(death, of_a_host_that_ignores_its_children_tells_nothing)
{
    signal(SIGCHLD, SIG_IGN);
    start_shell("kill -STOP $$", NULL, 0);
    cr_assert_eq(soon__process_signal(watch, pid, SIGKILL), 0);
    await_death();
    cr_assert(!reap().known);
    cr_assert_eq(soon__process_watch(pid), -ESRCH);
}

Test(death, is_told_signals_and_so_is_its_group)
{
    int ends[2];
    char byte;

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    start_shell("sleep 1000 & sleep 1000 & echo >&3; wait", &ends[1], 1);
    close(ends[1]);
    cr_assert_eq(read(ends[0], &byte, 1), 1);

    kill_and_reap();
    cr_assert_eq(read(ends[0], &byte, 1), 0, "nobody is left who could write");
    close(ends[0]);
}

Test(death, is_told_a_signal_once)
{
    int ends[2];
    char text[16];
    ssize_t length = 0, got;

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    start_shell("trap 'echo x >&3' TERM; echo >&3; while :; do read nothing; test -e /nowhere; done", &ends[1], 1);
    close(ends[1]);
    cr_assert_eq(read(ends[0], text, 1), 1);
    cr_assert_eq(soon__process_signal(watch, pid, SIGTERM), 0);
    cr_assert_eq(read(ends[0], text, 2), 2);
    kill_and_reap();
    while ((got = read(ends[0], text, sizeof text)) > 0)
        length += got;
    cr_assert_eq(length, 0);
    close(ends[0]);
}

Test(death, cannot_leave_its_group_so_that_it_is_told_signals)
{
    char byte;
    int ends[2];

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    start_own_program("SYSTEM_CHILD=1", ends[1]);
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    cr_assert_eq(getpgid(pid), pid);

    kill_and_reap();
    close(ends[1]);
    close(ends[0]);
}

Test(death, that_has_ended_can_be_signalled_until_it_is_reaped)
{
    start_shell("exit 3", NULL, 0);
    await_death();
    cr_assert_eq(soon__process_signal(watch, pid, SIGKILL), 0);
    cr_assert_eq(soon__process_signal(-1, pid, SIGKILL), 0);
    cr_assert_eq(reap().number, 3);
    cr_assert_eq(soon__process_signal(-1, pid, SIGKILL), -ESRCH);
}
