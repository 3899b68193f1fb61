/*
 * main.c - a worker process: how it begins, serves its replies, and ends.
 *
 *     begins: replies, signals, control thread, HELLO --> serves --retire--> releases the local value --> exit(0)
 *                |
 *                +-- cannot: _exit(SOON__EXIT_...)
 *
 * W1  HELLO is sent when all else is ready. The parent posts nothing before it has read the table of functions, which
 *     lies where the bodies of replies will lie.
 * W2  The worker's descriptors are close-on-exec from the start, and those that were mapped are closed: a program that
 *     a task executes inherits nothing of the library.
 * W3  A worker serves its parent alone, and no process that has fewer rights. Anybody can start a set-user-ID program
 *     with the marker, and with descriptors of his own; but he cannot change what the kernel has noted of the process
 *     that made the control socket. So this must be the parent, and run as root, or with the worker's effective user
 *     and group. The kernel notes no capabilities: those that came with the program's file are given up, since the
 *     parent may not have them. All this is checked before anything that was given is believed.
 */
#include "main_internal.h"

#include "../../system/ipc_internal.h"
#include "../../system/process_internal.h"
#include "../../system/system_internal.h"
#include "../both/channel_requests_internal.h"
#include "../both/wire_internal.h"
#include "catalog_internal.h"
#include "control_internal.h"
#include "leftovers_internal.h"
#include "reply_internal.h"
#include "serve_internal.h"
#include "signals_internal.h"
#include "state_internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEMORY_CHECK_NS = 10000000 };

static struct soon__worker self;

static void give_up(int status) __attribute__((noreturn));
static void give_up(int status)
{
    _exit(status);
}

/*
 * Beginning
 */

/* The number behind the last may be the program that was executed; or it is any file, if that was found by its path. */
static void tidy_descriptors(void)
{
    for (int fd = SOON__FD_CONTROL; fd < SOON__FD_END; fd++) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            give_up(SOON__EXIT_NO_CHANNEL);
    }
    if (fcntl(SOON__FD_END, F_GETFL) & O_PATH && fcntl(SOON__FD_END, F_GETFD) == 0)
        close(SOON__FD_END);
}

/* Reads the beginning alone, since another version may have another size. */
static void check_version(void)
{
    struct {
        uint64_t magic;
        uint32_t version, size;
    } head;
    _Static_assert(offsetof(struct soon__replies, version) == 8 && offsetof(struct soon__replies, size) == 12,
                   "as there");

    if (pread(SOON__FD_REPLIES, &head, sizeof head, 0) != (ssize_t)sizeof head || head.magic != SOON__CHANNEL_MAGIC)
        give_up(SOON__EXIT_NO_CHANNEL);
    if (head.version != SOON__CHANNEL_VERSION || head.size != sizeof(struct soon__replies))
        give_up(SOON__EXIT_VERSION);
}

static void *map(int fd, uint64_t size, bool writable)
{
    void *data;

    if (soon__shm_map(&data, fd, size, writable) < 0)
        give_up(SOON__EXIT_NO_MEMORY);
    return data;
}

static void map_all(void)
{
    static struct soon__worker_notes notes;
    struct soon__replies *replies = map(SOON__FD_REPLIES, sizeof *replies, true);

    self.channel.replies = replies;
    self.channel.requests = map(SOON__FD_REQUESTS, replies->requests_size, false);
    self.channel.reply_area = map(SOON__FD_REPLY_AREA, replies->reply_area_size, true);
    self.channel.bell = SOON__FD_BELL;
    self.channel.worker_notes = &notes;
    if (replies->shared_size)
        self.fixed.shared = map(SOON__FD_SHARED, replies->shared_size, true);
    close(SOON__FD_REPLIES);
    close(SOON__FD_REQUESTS);
    close(SOON__FD_REPLY_AREA);
    close(SOON__FD_SHARED);
}

/* W3 */
static void check_starter(void)
{
    struct soon__peer peer;

    if (soon__socket_peer(SOON__FD_CONTROL, &peer) < 0)
        give_up(SOON__EXIT_NO_CHANNEL);
    if (peer.pid <= 0 || peer.pid != getppid())
        give_up(SOON__EXIT_NO_CHILD);
    if (peer.user != 0 && (peer.user != geteuid() || peer.group != getegid()))
        give_up(SOON__EXIT_RIGHTS);
    if (peer.user != 0 && soon__is_privileged() && soon__drop_capabilities() < 0)
        give_up(SOON__EXIT_RIGHTS);
    self.fixed.parent = peer.pid;
}

/* From here on the worker dies with its parent. That may have died before: then its number may be another process's. */
static void bind_to_parent(void)
{
    int watch;

    (void)soon__signal_at_end_of_parent(SOON__SIGNAL_OF_END);
    watch = soon__process_watch(self.fixed.parent);
    if (getppid() != self.fixed.parent)
        give_up(SOON__EXIT_NO_CHILD);
    if (watch >= 0 && watch != SOON__FD_PARENT) {
        (void)dup3(watch, SOON__FD_PARENT, O_CLOEXEC);
        close(watch);
    }
}

static void say_hello(void)
{
    uint64_t size, room = self.channel.replies->reply_area_size;

    soon__worker_register_catalog();
    if (soon__table_write(self.channel.reply_area, room, &size, &self.fixed.functions, &self.fixed.function_count) <
            0 ||
        size > room)
        give_up(SOON__EXIT_NO_MEMORY);
    if (soon__control_send_hello(self.fixed.function_count, size) < 0)
        give_up(SOON__EXIT_NO_CHANNEL);
}

static void begin(void)
{
    check_starter();
    tidy_descriptors();
    check_version();
    map_all();
    bind_to_parent();
    unsetenv(SOON__WORKER_VARIABLE);
    pthread_setname_np(pthread_self(), self.channel.replies->name);
    self.fixed.generation = soon__generation();
    if (soon__replies_init(&self.channel) < 0)
        give_up(SOON__EXIT_NO_CHANNEL);
    if (soon__leftovers_init() < 0 || soon__worker_signals(self.fixed.parent) < 0)
        give_up(SOON__EXIT_NO_MEMORY);
    if (soon__control_start(self.fixed.parent) < 0)
        give_up(SOON__EXIT_NO_THREAD);
    soon__process_point(SOON__POINT_BEFORE_HELLO);
    say_hello();
    soon__process_point(SOON__POINT_AFTER_HELLO);
}

/*
 * Serving
 */

/* Asks to be replaced if the process has grown too large. Not after each task, since it reads a file of /proc. */
static void check_memory(void)
{
    struct soon__replies *replies = self.channel.replies;
    int64_t now;

    /* Relaxed: this thread alone writes it. */
    if (!replies->memory_limit || atomic_load_explicit(&replies->over_limit, memory_order_relaxed))
        return;
    now = soon__clock_ns();
    if (now - self.serving.memory_checked_ns < MEMORY_CHECK_NS)
        return;
    self.serving.memory_checked_ns = now;
    if (soon__own_memory() <= replies->memory_limit)
        return;
    /* Release: pairs with the acquire of the parent, which the bell wakes. */
    atomic_store_explicit(&replies->over_limit, 1, memory_order_release);
    soon__bell_ring(self.channel.bell);
}

static bool serve_next(void)
{
    uint64_t sequence;
    uint32_t slot;

    soon__process_point(SOON__POINT_BEFORE_CLAIM);
    if (!soon__channel_claim(&self.channel, &slot, &sequence))
        return false;
    soon__process_point(SOON__POINT_AFTER_CLAIM);
    soon__worker_serve(&self, slot, sequence);
    check_memory();
    return true;
}

/* A task has called pthread_exit(): without this thread the process would stay, and answer nobody. */
static void leave(void *unused)
{
    (void)unused;
    _exit(0);
}

static void serve_until_retired(void)
{
    bool retired;

    pthread_cleanup_push(leave, NULL);
    do {
        /* Read before the claims. The parent asks a worker that has nothing in its slots, so no request is missed. */
        retired = soon__channel_is_retired(&self.channel);
        while (serve_next())
            ;
        if (!retired)
            soon__channel_await_request(&self.channel);
    } while (!retired);
    pthread_cleanup_pop(0);
}

void soon__worker_main(void)
{
    begin();
    serve_until_retired();
    if (self.serving.local.release)
        self.serving.local.release(self.serving.local.value);
    exit(0);
}
