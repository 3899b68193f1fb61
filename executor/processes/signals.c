/*
 * signals.c - signals in a worker process, and its forked children.
 *
 * The parent ends a worker, nobody else should: a terminal or a service manager signals a whole group while the parent
 * still drains, or reads its configuration anew. So those that they send ask who has sent them. From the parent they do what
 * they always do; and since it is then raised again with its default action, the worker's status tells the truth. SIGINT is
 * ignored whoever sends it: a terminal means the program. What the program ignores stays ignored, but for SIGTERM.
 *
 * A child that a task has forked is no worker: it gets back the default actions, and has neither bell nor socket.
 */
#include "worker_internal.h"

#include <signal.h>
#include <unistd.h>

static pid_t parent_pid, worker_pid;

static const int asking[] = {SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}, ignored[] = {SIGINT, SIGTTOU};
#define COUNT(list) (sizeof(list) / sizeof *(list))

static void terminated(int signal, siginfo_t *info, void *context)
{
    (void)context;
    /* In a child that has not come to its atfork handler yet it is nobody's business who has sent it. */
    if (info->si_pid != parent_pid && getpid() == worker_pid)
        return;
    sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    kill(getpid(), signal);
}

static bool is_asking(const struct sigaction *action)
{
    return action->sa_flags & SA_SIGINFO && action->sa_sigaction == terminated;
}

static bool is_ignored(const struct sigaction *action)
{
    return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_IGN;
}

/* As far as they are as we have set them. */
static void give_back(const int *signals, size_t count, bool (*is_ours)(const struct sigaction *action))
{
    struct sigaction now;

    for (size_t i = 0; i < count; i++) {
        if (sigaction(signals[i], NULL, &now) == 0 && is_ours(&now))
            sigaction(signals[i], &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    }
}

static void in_child(void)
{
    close(SOON__FD_CONTROL);
    close(SOON__FD_PARENT);
    close(SOON__FD_BELL);
    give_back(asking, COUNT(asking), is_asking);
    give_back(ignored, COUNT(ignored), is_ignored);
}

/* What main has set before soon_init(), and what the program ignores, is its business. */
static void ask(int signal)
{
    struct sigaction now, action = {.sa_sigaction = terminated, .sa_flags = SA_SIGINFO | SA_RESTART};

    if (signal == SIGTERM || (sigaction(signal, NULL, &now) == 0 && now.sa_handler == SIG_DFL))
        sigaction(signal, &action, NULL);
}

int soon__worker_signals(pid_t parent)
{
    parent_pid = parent;
    worker_pid = getpid();
    for (size_t i = 0; i < COUNT(asking); i++)
        ask(asking[i]);
    for (size_t i = 0; i < COUNT(ignored); i++)
        sigaction(ignored[i], &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    return soon__at_fork(NULL, NULL, in_child);
}
