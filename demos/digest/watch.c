/*
 * watch.c - the thread that waits for signals.
 *
 * After a signal main has GRACE_MS to end in good order. It does, unless it or a worker is stuck in the system (a pipe
 * that nobody reads or writes, a disk that does not answer); then the program ends without it. A second signal does the
 * same at once.
 */
#include "watch.h"
#include "bar.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { GRACE_MS = 250 };

void watch_init(struct watch *watch)
{
    *watch = (struct watch){0};
    sigemptyset(&watch->signals);
    sigaddset(&watch->signals, SIGPIPE); /* writing fails with EPIPE: then main clears up, and dies of it */
    pthread_sigmask(SIG_BLOCK, &watch->signals, NULL);
    sigdelset(&watch->signals, SIGPIPE);
    /* Also where a shell has started us in the background with SIGINT ignored: who sends it means it. */
    sigaddset(&watch->signals, SIGINT);
    sigaddset(&watch->signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &watch->signals, NULL);
}

/* Puts a future that is done into the set. Without memory main hears of it with whatever completes next. */
static void wake_main(struct watch *watch)
{
    soon_promise *promise;
    if (soon_promise_new(&promise, NULL) < 0)
        return;
    soon_promise_set_result(promise, NULL, 0);
    soon_as_completed_give(watch->set, soon_promise_future(promise));
    soon_promise_free(promise);
}

static int wait_signal(const struct watch *watch, int timeout_ms)
{
    struct timespec time = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    int number;
    do
        number = sigtimedwait(&watch->signals, NULL, timeout_ms ? &time : NULL);
    while (number < 0 && errno == EINTR);
    return number;
}

static void *watch_thread(void *data)
{
    struct watch *watch = data;
    int number;
    while ((number = wait_signal(watch, watch->tick_ms)) < 0)
        /* Relaxed: the set brings it to main; this only keeps ticks from piling up. */
        if (!atomic_exchange_explicit(&watch->tick_due, true, memory_order_relaxed))
            wake_main(watch);
    /* Acquire: pairs with the release in watch_stop(), which sent the signal. */
    if (atomic_load_explicit(&watch->ending, memory_order_acquire))
        return NULL;

    /* Relaxed: the number is all there is to it. */
    atomic_store_explicit(&watch->signal, number, memory_order_relaxed);
    wake_main(watch);
    wait_signal(watch, GRACE_MS);
    if (!atomic_load_explicit(&watch->ending, memory_order_acquire)) {
        bar_clear();
        watch_die_of(number);
    }
    return NULL;
}

int watch_start(struct watch *watch, soon_as_completed *set, int tick_ms)
{
    watch->set = set;
    watch->tick_ms = tick_ms;
    return -pthread_create(&watch->thread, NULL, watch_thread, watch);
}

int watch_signal(const struct watch *watch)
{
    return atomic_load_explicit(&watch->signal, memory_order_relaxed); /* as above */
}

bool watch_ticked(struct watch *watch)
{
    return atomic_exchange_explicit(&watch->tick_due, false, memory_order_relaxed); /* as above */
}

void watch_stop(struct watch *watch)
{
    atomic_store_explicit(&watch->ending, true, memory_order_release);
    pthread_kill(watch->thread, SIGTERM); /* it waits for this one */
    pthread_join(watch->thread, NULL);
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
