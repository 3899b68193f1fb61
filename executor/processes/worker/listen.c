/*
 * listen.c - a worker process hears that its task is to end, while that blocks.
 *
 * The parent asks by a word in the requests, which a task that blocks does not look at. So a thread of the worker does, which is
 * made for the first task that listens, and stays: it sleeps on the channel's bell for cancels (D7), and tells the notices. No
 * message travels, so that there is nothing to be full, and nothing for the parent to wait for.
 *
 * L1  What is told belongs to the request that the thread has looked for: it tells by the request's number, which no other ever
 *     has, and whose notice may be gone by then.
 * L2  SIGTERM of the parent, which would end the worker, is held off by the last task that has listened, if that was asked to
 *     stop: up to its answer, and beyond. The parent asks before it sends the signal, and has the worker retire: so this ends
 *     when it has answered. If the task does not end, SIGKILL follows. Who is let live was asked to stop by mistake: then the
 *     parent takes that back.
 * L3  A forked child has not that thread, and its task was the parent's: it does not listen.
 */
#include "listen_internal.h"

#include "../../core/notice_internal.h"
#include "../../system/surroundings_internal.h"
#include "../both/channel_running_internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

static struct {
    const struct soon__channel *channel; /* NULL: there is no thread yet. Main thread only, then fixed */
    pthread_mutex_t mutex;
    struct {
        uint32_t slot;
        uint64_t sequence; /* 0: nobody listens */
    } locked;
    _Atomic uint64_t last; /* the request that listens, or has been the last to do so; 0: none has */
} listening = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static bool is_asked(uint32_t slot)
{
    uint32_t asked = soon__channel_asked(listening.channel, slot);

    return asked == 1 || asked == SOON__STOP;
}

static void *watch(void *unused)
{
    uint64_t sequence;
    uint32_t slot, bell;

    soon__surroundings_give(soon__surroundings_of_process(), 0); /* as the control thread */
    for (;;) {
        bell = soon__channel_cancel_bell(listening.channel); /* D7: before it looks */
        pthread_mutex_lock(&listening.mutex);
        slot = listening.locked.slot;
        sequence = listening.locked.sequence;
        pthread_mutex_unlock(&listening.mutex);
        if (sequence && is_asked(slot))
            soon__notices_tell_request(sequence); /* L1 */
        soon__channel_await_cancel(listening.channel, bell);
    }
    return unused;
}

/* Its signals are the main thread's. */
static int start(const struct soon__channel *channel)
{
    sigset_t all, before;
    pthread_t thread;
    int rc;

    if (listening.channel)
        return 0;
    listening.channel = channel;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) {
        listening.channel = NULL;
        return -rc;
    }
    pthread_setname_np(thread, "soon-cancel");
    pthread_detach(thread);
    return 0;
}

static void set(uint32_t slot, uint64_t sequence)
{
    pthread_mutex_lock(&listening.mutex);
    listening.locked.slot = slot;
    listening.locked.sequence = sequence;
    pthread_mutex_unlock(&listening.mutex);
}

int soon__listen_begin(const struct soon__worker *worker, uint32_t slot, uint64_t sequence)
{
    int rc;

    if (worker->fixed.generation != soon__generation()) /* L3 */
        return soon__refuse(SOON_EFORKED, "a forked child of a task hears of no cancel");
    rc = start(&worker->channel);
    if (rc < 0)
        return rc;
    set(slot, sequence);
    /* Relaxed: what the handler looks at beside it, the parent has stored before it sent the signal. */
    atomic_store_explicit(&listening.last, sequence, memory_order_relaxed);
    soon__channel_listen(&worker->channel, true);
    return 0;
}

void soon__listen_end(void)
{
    soon__channel_listen(listening.channel, false);
    set(0, 0);
}

/* L2 */
bool soon__listen_holds_off(void)
{
    uint64_t last = atomic_load_explicit(&listening.last, memory_order_relaxed);

    return last && soon__channel_is_stopped(listening.channel, last);
}
