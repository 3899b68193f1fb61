/*
 * crash.c - how a worker process ended, in words and as an error.
 */
#include "crash_internal.h"

#include "../both/wire_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static void describe_signal(char *to, size_t size, int signal)
{
    const char *name = sigabbrev_np(signal);

    if (name)
        snprintf(to, size, "killed by signal %d (SIG%s)", signal, name);
    else if (signal >= SIGRTMIN && signal <= SIGRTMAX)
        snprintf(to, size, "killed by signal %d (SIGRTMIN+%d)", signal, signal - SIGRTMIN);
    else
        snprintf(to, size, "killed by signal %d", signal);
}

/* What this exit status means if a worker never began; NULL: nothing in particular. */
static const char *meaning_of(int status)
{
    switch (status) {
    case SOON__EXIT_NO_CHANNEL:
        return "its descriptors are not those of a worker";
    case SOON__EXIT_VERSION:
        return "it has another version of libsoon";
    case SOON__EXIT_NO_MEMORY:
        return "out of memory";
    case SOON__EXIT_LOAD:
        return "it could not load the object";
    case SOON__EXIT_NO_CHILD:
        return "it is no child of the pool's process: a wrapper must exec the program, not fork and wait for it";
    case SOON__EXIT_RIGHTS:
        return "its user or group is not that of the pool's process, as of a set-user-ID program that has given it up";
    case SOON__EXIT_NO_THREAD:
        return "it could make no thread";
    case 127:
        return "the program or a library of it was not found";
    default:
        return NULL;
    }
}

static void describe(char *to, size_t size, const struct soon__exit *exit, bool did_begin)
{
    const char *meaning = did_begin ? NULL : meaning_of(exit->number);

    if (exit->denied)
        snprintf(to, size, "could not be ended (%s), it may still run", soon_strerror(exit->denied));
    else if (!exit->known)
        snprintf(to, size, "gone, nobody knows how");
    else if (exit->killed)
        describe_signal(to, size, exit->number);
    else if (meaning)
        snprintf(to, size, "exited with status %d (%s)", exit->number, meaning);
    else
        snprintf(to, size, "exited with status %d", exit->number);
}

char *soon__crash_describe(char *to, size_t size, const struct soon__exit *exit)
{
    describe(to, size, exit, false);
    return to;
}

const char *soon__shortage(int code)
{
    switch (code) {
    case -EMFILE:
        return "this process has no descriptor left (RLIMIT_NOFILE)";
    case -ENFILE:
        return "the system has no descriptor left";
    case -EAGAIN:
        return "no process or thread can be added (RLIMIT_NPROC, or pids.max of its cgroup)";
    case -ENOMEM:
        return "there is no memory left";
    case -ENOBUFS:
        return "there is no memory left for sockets";
    case -ENOSPC:
        return "there is no room left for shared memory, or to watch one more descriptor";
    case -ETXTBSY:
        return "the program is being written";
    default:
        return NULL;
    }
}

int soon__crash_shortage(const struct soon__exit *exit)
{
    if (!exit->known || exit->killed)
        return 0;
    return exit->number == SOON__EXIT_NO_MEMORY ? -ENOMEM : exit->number == SOON__EXIT_NO_THREAD ? -EAGAIN : 0;
}

struct soon__error *soon__crash_error(int code, pid_t pid, const struct soon__exit *exit, const char *function,
                                      const char *label)
{
    char how[SOON__CRASH_TEXT];
    soon_error fields = {
        .code = code,
        .started = true,
        .worker_pid = (int)pid,
        .worker_signal = exit->known && exit->killed ? exit->number : 0,
        .worker_status = !exit->known   ? -1
                         : exit->killed ? 0
                                        : exit->number,
        .function = function,
        .label = label,
    };

    describe(how, sizeof how, exit, true);
    return soon__error_newf(&fields, "%s: worker %d %s", soon_strerror(code), (int)pid, how);
}
