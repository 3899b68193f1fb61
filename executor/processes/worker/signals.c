/*
 * signals.c - signals in a worker process, in its forked children, and in the programs that its tasks execute.
 *
 * The parent ends a worker, and nobody else should. But a terminal or a service manager signals a whole group, while
 * the parent still waits for its tasks, or reads its configuration anew. So the handlers of the signals that these send
 * ask which process has sent them. If it was the parent, the signal is raised again with its default action: so the
 * status of the worker tells the truth. SIGINT does nothing, whoever sends it, since a terminal means the program. A
 * signal that the program ignores stays ignored, but for SIGTERM.
 *
 * A task that hears of its cancel without SIGTERM holds that off: listen.c.
 *
 * A child that a task has forked is no worker: it gets the default actions back, and has neither bell nor socket. A
 * program that a task executes has the default actions, however it is started, since handlers do not survive that; a
 * signal that the worker ignored would stay ignored.
 *
 * A worker leads a process group, which its tasks' children belong to. The group never outlives the worker:
 *
 * G1  While the parent lives, it kills the group when it hears of the worker's end, however that came, and before it
 *     reaps the worker: until then no other group can have that number.
 * G2  When the parent is gone, the worker kills the group, itself included. The control thread does it, or the handler
 *     here if the kernel's signal comes first. That signal is not SIGKILL, since then nobody would be left to do it.
 *     Nor is it SIGTERM: other threads of the parent may still run when it comes, and then it would look like the
 *     parent's own.
 * G3  So the group outlives them only if both are killed in the same moment. A process that leaves the group on
 *     purpose, by setsid() or setpgid(), stays.
 */
#include "signals_internal.h"

#include "../both/wire_internal.h"
#include "listen_internal.h"

#include <unistd.h>

static pid_t parent_pid, worker_pid;

static const int asking[] = {SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SOON__SIGNAL_OF_END};
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* The worker leads its group, unless a wrapper has started it in another. */
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
    /* A forked child that has not come to its atfork handler yet does not ask who has sent it. */
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

/* Sets the default action, if the handler is still the library's. */
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

/* Handlers that main() has set before soon_init() stay, as does what the program ignores. */
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
