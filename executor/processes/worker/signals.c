/*
 * signals.c - signals in a worker process, its forked children, and the programs that its tasks execute.
 *
 * The parent ends a worker, nobody else should: a terminal or a service manager signals a whole group while the parent
 * still drains, or reads its configuration anew. So those that they send ask who has sent them. From the parent they do what
 * they always do; and since it is then raised again with its default action, the worker's status tells the truth. SIGINT does
 * nothing, whoever sends it: a terminal means the program. What the program ignores stays ignored, but for SIGTERM.
 *
 * SIGTERM is held off by a task that hears of its cancel without it: worker/listen.c.
 *
 * A child that a task has forked is no worker: it gets back the default actions, and has neither bell nor socket. A program
 * that a task executes has the default actions by that, whatever way it is started: we have handlers, where to ignore a signal
 * would be inherited.
 *
 * A worker leads a process group, in which is what its tasks start. That never outlives it:
 *
 * G1  While the parent lives it kills the group when it hears of the worker's end, however that came, and before it reaps it:
 *     until then the group's number is nobody else's.
 * G2  When the parent is gone the worker kills the group, itself included: the control thread, or the handler here when the
 *     kernel's notice comes first. That notice is not SIGKILL, for then nobody would be left to do it; nor SIGTERM: when it
 *     comes other threads of the parent may still be there, and then it looks like the parent's own.
 * G3  So both would have to be killed in the same moment. What leaves the group on purpose, by setsid() or setpgid(), stays.
 */
#include "signals_internal.h"

#include "../both/wire_internal.h"
#include "listen_internal.h"

#include <unistd.h>

static pid_t parent_pid, worker_pid;

static const int asking[] = {SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SOON__SIGNAL_OF_END};
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* It leads the group unless a wrapper has started it in another. */
void soon__worker_kill_group(void)
{
    if (getpgrp() == getpid())
        (void)kill(0, SIGKILL);
    for (;;)
        (void)kill(getpid(), SIGKILL);
}

static void terminated(int signal, siginfo_t *info, void *context)
{
    (void)context;
    /* In a child that has not come to its atfork handler yet it is nobody's business who has sent it. */
    if (getpid() == worker_pid) {
        if (getppid() != parent_pid || (signal == SOON__SIGNAL_OF_END && info->si_pid == parent_pid)) /* G2 */
            soon__worker_kill_group();
        if (info->si_pid != parent_pid || (signal == SIGTERM && soon__listen_holds_off()))
            return;
    }
    sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    kill(getpid(), signal);
}

static void interrupted(int signal)
{
    (void)signal;
}

static bool is_asking(const struct sigaction *action)
{
    return action->sa_flags & SA_SIGINFO && action->sa_sigaction == terminated;
}

static bool is_interrupted(const struct sigaction *action)
{
    return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == interrupted;
}

/* As far as it is as we have set it. */
static void give_back(int signal, bool (*is_ours)(const struct sigaction *action))
{
    struct sigaction now;

    if (sigaction(signal, NULL, &now) == 0 && is_ours(&now))
        sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}

static void in_child(void)
{
    close(SOON__FD_CONTROL);
    close(SOON__FD_PARENT);
    close(SOON__FD_BELL);
    for (size_t i = 0; i < COUNT(asking); i++)
        give_back(asking[i], is_asking);
    give_back(SIGINT, is_interrupted);
}

/* What main has set before soon_init(), and what the program ignores, is its business. */
static void ask(int signal)
{
    struct sigaction now, action = {.sa_sigaction = terminated, .sa_flags = SA_SIGINFO | SA_RESTART};

    if (signal == SIGTERM || signal == SOON__SIGNAL_OF_END ||
        (sigaction(signal, NULL, &now) == 0 && now.sa_handler == SIG_DFL))
        sigaction(signal, &action, NULL);
}

static void make_deaf(int signal)
{
    struct sigaction now, action = {.sa_handler = interrupted, .sa_flags = SA_RESTART};

    if (sigaction(signal, NULL, &now) < 0 || now.sa_handler != SIG_IGN)
        sigaction(signal, &action, NULL);
}

int soon__worker_signals(pid_t parent)
{
    parent_pid = parent;
    worker_pid = getpid();
    for (size_t i = 0; i < COUNT(asking); i++)
        ask(asking[i]);
    make_deaf(SIGINT);
    return soon__at_fork(NULL, NULL, in_child);
}
