/*
 * signals.c - signals in a worker process, and its forked children.
 *
 * The parent ends a worker, nobody else should: a terminal or a service manager signals a whole group while the parent
 * still drains. So SIGTERM asks who has sent it. From the parent it does what it always does; and since it is then raised
 * again with its default action, the worker's status tells the truth.
 *
 * A child that a task has forked is no worker: it gets back the default actions, and has neither bell nor socket.
 */
#include "worker_internal.h"

#include <signal.h>
#include <unistd.h>

static pid_t parent_pid, worker_pid;

static void terminated(int signal, siginfo_t *info, void *context)
{
    (void)context;
    /* In a child that has not come to its atfork handler yet it is nobody's business who has sent it. */
    if (info->si_pid != parent_pid && getpid() == worker_pid)
        return;
    sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    kill(getpid(), signal);
}

static bool is_ours(int signal)
{
    struct sigaction now;

    if (sigaction(signal, NULL, &now) < 0)
        return false;
    return now.sa_flags & SA_SIGINFO ? now.sa_sigaction == terminated : now.sa_handler == SIG_IGN;
}

static void in_child(void)
{
    static const int changed[] = {SIGINT, SIGTTOU, SIGTERM};

    close(SOON__FD_CONTROL);
    close(SOON__FD_PARENT);
    close(SOON__FD_BELL);
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        if (is_ours(changed[i]))
            sigaction(changed[i], &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    }
}

int soon__worker_signals(pid_t parent)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, ask = {.sa_sigaction = terminated};

    parent_pid = parent;
    worker_pid = getpid();
    ask.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGTTOU, &ignore, NULL);
    sigaction(SIGTERM, &ask, NULL);
    return soon__at_fork_child(in_child);
}
