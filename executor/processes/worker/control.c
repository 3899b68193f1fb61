/*
 * control.c - the worker's end of the control socket.
 *
 * A thread of its own listens all the time, whatever the main thread does. When the parent is gone it ends the process
 * with its group, in the middle of a task, too. It learns of that by the end of the socket, and by a pidfd of the
 * parent, since a child that the host has forked may have a copy of the parent's end of the socket. The kernel also
 * sends a signal when the thread that has started the worker ends; but it does not after a change of user, or in some
 * containers, so that is an additional safety. The main thread gets a signal of its own for it (signals.c). This thread
 * gets SIGCONT, since nothing here runs while somebody has stopped the process.
 *
 * K1  The descriptors for a slot are sent before its request is posted: so a thread that has claimed it just waits for
 *     them.
 * K2  For each slot the latest descriptors are kept, with the number of their request. Older ones were for a request
 *     that was taken back: they are closed when the next ones come, or when a request without any is claimed in the
 *     slot.
 */
#include "control_internal.h"

#include "../../system/surroundings_internal.h"
#include "../../system/system_internal.h"
#include "../both/wire_internal.h"
#include "signals_internal.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

struct sent {
    uint64_t sequence; /* 0: there were none yet */
    int error;         /* a negative errno: they did not all arrive */
    uint32_t parts;    /* enum soon__part */
    int count;
    int descriptors[SOON__SOCKET_DESCRIPTORS_MAX];
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t some;
    struct {
        struct sent slots[SOON__SLOTS];
    } locked;
    _Atomic uint32_t slots_with_some; /* slots that have descriptors */
    pid_t parent;
    sem_t begun; /* the thread listens, and gets a signal at the end of the parent */
} control = {.mutex = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER};

static void close_all(const int *descriptors, int count)
{
    for (int i = 0; i < count; i++)
        close(descriptors[i]);
}

static void set_locked(struct sent *slot, const struct sent *to)
{
    bool had = slot->count > 0, has = to->count > 0;

    *slot = *to;
    /* Relaxed: the mutex is held. soon__control_forget() reads it without that, as a hint. */
    if (had != has)
        atomic_fetch_add_explicit(&control.slots_with_some, has ? 1 : (uint32_t)-1, memory_order_relaxed);
}

static void keep(uint32_t index, const struct sent *sent)
{
    struct sent *slot = &control.locked.slots[index];

    pthread_mutex_lock(&control.mutex);
    close_all(slot->descriptors, slot->count);
    set_locked(slot, sent);
    pthread_cond_signal(&control.some);
    pthread_mutex_unlock(&control.mutex);
}

static bool parent_is_gone(void)
{
    return getppid() != control.parent;
}

/* Waits until there is something to receive. A task may close the pidfd of the parent, or put something else in its
 * place: then that is watched no longer. */
static void await_message(bool *watches)
{
    struct pollfd what[] = {{.fd = SOON__FD_CONTROL, .events = POLLIN},
                            {.fd = *watches ? SOON__FD_PARENT : -1, .events = POLLIN}};

    while (poll(what, 2, -1) < 0 && errno == EINTR)
        ;
    if (!what[1].revents)
        return;
    if (parent_is_gone())
        soon__worker_kill_group();
    *watches = false;
}

static void *listen_to_parent(void *unused)
{
    struct soon__message message;
    bool watches = true;
    int rc;

    soon__surroundings_give(soon__surroundings_of_process(), 0); /* not those of the thread that made the pool */
    (void)soon__signal_at_end_of_parent(SIGCONT);
    sem_post(&control.begun);
    for (;;) {
        struct sent sent = {.count = 0};

        message = (struct soon__message){0};
        await_message(&watches);
        rc = soon__socket_receive(SOON__FD_CONTROL, &message, sizeof message, sent.descriptors, &sent.count);
        if (rc == -EAGAIN || rc == -EINTR)
            continue;
        if (rc == -EMFILE) {
            close_all(sent.descriptors, sent.count);
            sent.count = 0;
            sent.error = rc;
        } else if (rc != (int)sizeof message) {
            if (rc == 0 || parent_is_gone()) /* or the parent has become another program */
                soon__worker_kill_group();
            _exit(SOON__EXIT_NO_CHANNEL); /* a task has closed the socket */
        }
        if (message.kind == SOON__MESSAGE_END) /* the parent may not signal the worker */
            soon__worker_kill_group();
        assert(message.kind == SOON__MESSAGE_DESCRIPTORS && message.slot < SOON__SLOTS);
        sent.sequence = message.sequence;
        sent.parts = message.parts;
        keep(message.slot, &sent);
    }
    return unused;
}

int soon__control_start(pid_t parent)
{
    sigset_t all, before;
    pthread_t thread;
    int rc;

    control.parent = parent;
    sem_init(&control.begun, 0, 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, NULL, listen_to_parent, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        return -rc;
    pthread_setname_np(thread, "soon-control");
    pthread_detach(thread);
    /* So it is certain that the worker ends with its parent, before that hears of it; even if somebody stops the worker
     * at once. */
    while (sem_wait(&control.begun) < 0)
        ;
    return 0;
}

int soon__control_take(uint32_t index, uint64_t sequence, uint32_t parts, int *ret_descriptors)
{
    struct sent *slot = &control.locked.slots[index], sent;

    pthread_mutex_lock(&control.mutex);
    while (slot->sequence != sequence)
        pthread_cond_wait(&control.some, &control.mutex);
    sent = *slot;
    set_locked(slot, &(struct sent){.sequence = sequence});
    pthread_mutex_unlock(&control.mutex);
    if (sent.error < 0)
        return sent.error;
    assert(sent.parts == parts && sent.count == __builtin_popcount(parts));
    (void)parts; /* asserts may be off */
    for (int i = 0; i < sent.count; i++)
        ret_descriptors[i] = sent.descriptors[i];
    return 0;
}

void soon__control_forget(uint32_t index, uint64_t sequence)
{
    struct sent *slot = &control.locked.slots[index];

    /* Relaxed: descriptors that come late are closed by the next call. */
    if (atomic_load_explicit(&control.slots_with_some, memory_order_relaxed) == 0)
        return;
    pthread_mutex_lock(&control.mutex);
    if (slot->sequence < sequence) {
        close_all(slot->descriptors, slot->count);
        set_locked(slot, &(struct sent){.sequence = slot->sequence});
    }
    pthread_mutex_unlock(&control.mutex);
}

static int send_message(const struct soon__message *message, const int *descriptors, int count)
{
    int rc;

    do
        rc = soon__socket_send(SOON__FD_CONTROL, message, sizeof *message, descriptors, count);
    while (rc == -EINTR || rc == -EAGAIN);
    if (rc == -EPIPE || rc == -ECONNRESET) /* the parent is gone */
        soon__worker_kill_group();
    if (rc == -EBADF || rc == -ENOTSOCK)
        _exit(SOON__EXIT_NO_CHANNEL); /* a task has closed the socket */
    return rc;
}

int soon__control_send(const struct soon__reply *reply, uint32_t parts, const int *descriptors)
{
    struct soon__message message = {.magic = SOON__CHANNEL_MAGIC,
                                    .kind = SOON__MESSAGE_DESCRIPTORS,
                                    .version = SOON__CHANNEL_VERSION,
                                    .pid = getpid(),
                                    .slot = reply->slot,
                                    .parts = parts,
                                    .sequence = reply->sequence,
                                    .item = reply->first};

    return send_message(&message, descriptors, __builtin_popcount(parts));
}

int soon__control_send_hello(uint32_t function_count, uint64_t table_size)
{
    struct soon__message message = {.magic = SOON__CHANNEL_MAGIC,
                                    .kind = SOON__MESSAGE_HELLO,
                                    .version = SOON__CHANNEL_VERSION,
                                    .pid = getpid(),
                                    .function_count = function_count,
                                    .table_size = table_size};

    return send_message(&message, NULL, 0);
}
