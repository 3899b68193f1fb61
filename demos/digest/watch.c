/*
 * watch.c - what main waits for beside its tasks.
 *
 * A signal shuts both pools down, and completes a future. Then main has GRACE_MS to end in good order. It does, unless
 * it or a worker is stuck in the system (a pipe that nobody reads or writes, a disk that does not answer); then the
 * program ends without it.
 */
#include "watch.h"

#include "../demo.h"

#include <signal.h>

enum { GRACE_MS = 250 };

/* On a thread of the library's: main may be stuck. */
static void end_soon(soon_future *signalled, void *unused)
{
    int number;
    (void)unused;
    if (soon_result(signalled, &number) < 0)
        return; /* none has come, and all is over */
    demo_pause(GRACE_MS);
    soon_progress_bar_hide();
    watch_die_of(number);
}

int watch_start(struct watch *watch, soon_executor *pool, soon_executor *streams, soon_as_completed *set)
{
    *watch = (struct watch){.pool = pool};
    signal(SIGINT, SIG_DFL); /* also where a shell has started us in the background: the sender means it */
    int rc = soon_executor_shutdown_on_signal(pool, SOON_TERMINATE);
    if (rc == 0)
        rc = soon_executor_shutdown_on_signal(streams, SOON_TERMINATE);
    soon_future *signalled = soon_executor_signalled(pool);
    if (rc == 0)
        rc = soon_future_add_done_callback(signalled, end_soon, NULL);
    if (rc == 0)
        rc = soon_as_completed_add(set, signalled);
    soon_future_unref(signalled);
    return rc;
}

int watch_signal(const struct watch *watch)
{
    return soon_executor_signal(watch->pool);
}

void watch_die_of(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    if (number != SIGPIPE)
        signal(number, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
}
