/*
 * listen.c - how a worker process hears that its task is to end, while the task blocks.
 *
 * The parent asks by a word among the requests, which a task that blocks does not read. So a thread of the worker reads
 * it. It is started for the first task that listens, and stays: it sleeps on the channel's bell for cancels (D7), and
 * tells the notices. No message travels, so nothing can be full, and the parent waits for nothing.
 *
 * L1  What the thread tells is for the request that it has read the word of: it says the number of that request, which
 *     no other one ever has. Its notice may be gone by then.
 * L2  SIGTERM of the parent would end the worker. If the last task that has listened was asked to stop, that task holds
 *     the signal off until it has answered, and beyond. The parent asks before it sends the signal, and tells the
 *     worker to retire: so the worker ends when it has answered. If the task does not end, SIGKILL follows. If the
 *     worker is to live on after all, the parent takes back what it has asked.
 * L3  A forked child does not have that thread, and its task is the parent's: it does not listen.
 */
#include "listen_internal.h"

#include "../../core/notice_internal.h"
#include "../../system/surroundings_internal.h"
#include "../both/channel_running_internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

static struct {
    const struct soon__channel *channel; /* NULL: there is no thread yet. The main thread's, then fixed */
    pthread_mutex_t mutex;
    struct {
        uint32_t slot;
        uint64_t sequence; /* 0: nobody listens */
    } locked;
    _Atomic uint64_t last; /* the request that listens, or the last one that has; 0: none has */
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
        bell = soon__channel_cancel_bell(listening.channel); /* D7: before the word is read */
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

/* Starts the thread, once. It blocks all signals: they are the main thread's. */
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
    /* Relaxed: what the signal handler reads beside it, the parent has stored before it sent the signal. */
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
