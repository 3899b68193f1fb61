/*
 * loop.c - a program's loop, to which callbacks are posted: its count of them, its handle, its turns.
 *
 *     attach --> OPEN --last detach--> CLOSING --nothing outstanding--> CLOSED --on_closed--> freed
 *                  |                      |
 *                  |                      +--somebody else closes our handle---+
 *                  |                                                           v
 *                  +--somebody closes our handle--> LOST --last detach--> LOST_CLOSING --nothing outstanding: freed
 *
 * L1  Other threads touch nothing of the uv loop: they ring a bell of ours, a descriptor, which the uv loop polls. So
 *     it does not matter to them what becomes of the handle, or of the uv loop. (uv_async_send() would touch both, and
 *     abort when the loop is closed.) CLOSED is reached under the mutex when nothing is outstanding.
 * L2  `here` and `outstanding` together count registrations, from soon__loop_count_in() until they ran or were counted
 *     out, and posts. `here` is the loop's thread's own, `outstanding` everybody's, and either alone may be below 0.
 *     When the loop's thread takes from `here`, it then reads both under the mutex; a thread that takes from
 *     `outstanding` reads both there. So one of them sees that nothing is left. CLOSING lets no new ones in.
 * L3  uv_ref, uv_unref and uv_close are for the loop's thread, which brings the handle in line with the count in
 *     each turn, and at once when that thread itself changes the count. Other threads wake the loop for it.
 * L4  The handle begins referenced and woken: the first turn tells which thread runs the loop. Before it nobody
 *     need reference the handle, so nobody need know.
 * L5  One wake-up serves a whole list. A thread that finds the list empty pushes and rings under the mutex, under which
 *     it is also taken. A thread that finds entries there pushes without the mutex, and touches nothing of the loop
 *     after that: it may be gone. A turn runs at most TURN_MAX entries, then wakes itself, so that timers and sockets
 *     come to theirs.
 * L6  Somebody else may close the handle, on the loop's thread: uv_walk() and uv_close() are the usual end of a
 *     program. We are not told, so on that thread we first ask libuv whether it is closing. Then the loop is LOST:
 *     nothing comes in, and what is there, or comes when futures complete, is dropped. The uv loop, which may be gone
 *     as well, is not touched any more. It has the handle's memory until it has finished with it, and we do not hear of
 *     that either: so that memory is kept.
 */
#include "loop_internal.h"
#include "loop_state_internal.h"
#include "loop_table_internal.h"

#include "../system/ipc_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>
enum { TURN_MAX = 64 }; /* entries; a wake-up costs as much as a few */

/* Relaxed, both: see L2. */
static void count_here(soon_loop *loop, int64_t more)
{
    atomic_store_explicit(&loop->own.here, atomic_load_explicit(&loop->own.here, memory_order_relaxed) + more,
                          memory_order_relaxed);
}
static bool is_needed_locked(soon_loop *loop)
{
    return loop->locked.outstanding + atomic_load_explicit(&loop->own.here, memory_order_relaxed) > 0;
}

/* Moves what is posted behind what is there, in the order of the pushes. */
static void take_posted_locked(soon_loop *loop, struct soon__loop_list *to)
{
    struct soon__loop_entry *entry, *next, *last, *turned = NULL;

    /* Relaxed: what is not there now comes with a ring of its own. */
    if (!atomic_load_explicit(&loop->posted, memory_order_relaxed))
        return;
    /* Acquire: the entries; pairs with the release of the pushes. */
    last = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire);
    for (entry = last; entry; entry = next) {
        next = entry->next;
        entry->next = turned;
        turned = entry;
    }
    if (to->head)
        to->tail->next = turned;
    else
        to->head = turned;
    to->tail = last;
}

/*
 * The count and the handle
 */

void soon__loop_ring_locked(soon_loop *loop)
{
    if (!loop->locked.rung)
        (void)soon__bell_ring(loop->bell); /* if it is not there, somebody has closed what is not his */
    loop->locked.rung = true;
}

static bool may_move(enum soon__loop_state from, enum soon__loop_state to)
{
    switch (from) {
    case SOON__LOOP_OPEN:
        return to == SOON__LOOP_CLOSING || to == SOON__LOOP_LOST;
    case SOON__LOOP_CLOSING:
        return to == SOON__LOOP_CLOSED || to == SOON__LOOP_LOST_CLOSING;
    case SOON__LOOP_LOST:
        return to == SOON__LOOP_LOST_CLOSING;
    default:
        return false;
    }
}

void soon__loop_move_locked(soon_loop *loop, enum soon__loop_state to)
{
    bool may = may_move(loop->locked.state, to);

    assert(may);
    (void)may;
    loop->locked.state = to;
}

/* L6: on the loop's thread. */
bool soon__loop_is_lost_locked(soon_loop *loop)
{
    enum soon__loop_state state = loop->locked.state;

    if (soon__loop_is_lost_state(state) || state == SOON__LOOP_CLOSED || !uv_is_closing(soon__loop_uv_handle(loop)))
        return soon__loop_is_lost_state(state);
    soon__loop_move_locked(loop, state == SOON__LOOP_CLOSING ? SOON__LOOP_LOST_CLOSING : SOON__LOOP_LOST);
    loop->locked.dropped = loop->own.ready;
    loop->own.ready.head = NULL;
    return true;
}

/* Gives the mutex back, and of a lost one drops what is there. The loop may be gone then. */
void soon__loop_leave(soon_loop *loop)
{
    struct soon__loop_entry *entry = NULL, *next;
    bool over;

    if (soon__loop_is_lost_state(loop->locked.state)) {
        take_posted_locked(loop, &loop->locked.dropped);
        entry = loop->locked.dropped.head;
        loop->locked.dropped.head = NULL;
    }
    for (next = entry; next; next = next->next)
        loop->locked.outstanding--;
    over = loop->locked.state == SOON__LOOP_LOST_CLOSING && !is_needed_locked(loop);
    pthread_mutex_unlock(&loop->mutex);
    if (over)
        soon__loop_free(loop);
    for (; entry; entry = next) {
        next = entry->next;
        entry->drop(entry);
    }
}

/* L3: on the loop's thread. */
void soon__loop_update_locked(soon_loop *loop)
{
    uv_handle_t *handle = soon__loop_uv_handle(loop);
    bool needed = is_needed_locked(loop);

    if (soon__loop_is_lost_locked(loop) || loop->locked.state == SOON__LOOP_CLOSED)
        return;
    if (loop->locked.state == SOON__LOOP_CLOSING && !needed) {
        soon__loop_move_locked(loop, SOON__LOOP_CLOSED);
        uv_close(handle, soon__loop_on_close);
        return;
    }
    if (needed && !loop->locked.referenced)
        uv_ref(handle);
    else if (!needed && loop->locked.referenced)
        uv_unref(handle);
    loop->locked.referenced = needed;
}

static void update_or_wake_locked(soon_loop *loop)
{
    if (soon__loop_is_thread_here(loop))
        soon__loop_update_locked(loop);
    else
        soon__loop_ring_locked(loop);
}

int soon__loop_count_in_locked(soon_loop *loop)
{
    if (loop->locked.state != SOON__LOOP_OPEN)
        return SOON_ESHUTDOWN;
    if (soon__loop_is_thread_here(loop) && soon__loop_is_lost_locked(loop))
        return SOON_ESHUTDOWN;
    loop->locked.outstanding++;
    if (!loop->locked.referenced)
        update_or_wake_locked(loop);
    return 0;
}

/* False: there is none yet, and `even_first` is false. */
static bool push(soon_loop *loop, struct soon__loop_entry *entry, bool even_first)
{
    struct soon__loop_entry *latest = atomic_load_explicit(&loop->posted, memory_order_relaxed);

    do {
        if (!latest && !even_first)
            return false;
        entry->next = latest;
        /* Release: pairs with the acquire in take_posted_locked(). */
    } while (!atomic_compare_exchange_weak_explicit(&loop->posted, &latest, entry, memory_order_release,
                                                    memory_order_relaxed));
    return true;
}

void soon__loop_push_locked(soon_loop *loop, struct soon__loop_entry *entry)
{
    push(loop, entry, true);
    if (!entry->next)
        soon__loop_ring_locked(loop); /* L5 */
}

int soon__loop_count_in(soon_loop *loop)
{
    int rc;

    if (soon__loop_is_pre_fork(loop))
        return SOON_EFORKED;
    if (soon__loop_is_thread_here(loop) && loop->locked.referenced && loop->locked.state == SOON__LOOP_OPEN &&
        !uv_is_closing(soon__loop_uv_handle(loop))) {
        count_here(loop, 1);
        return 0;
    }
    pthread_mutex_lock(&loop->mutex);
    rc = soon__loop_count_in_locked(loop);
    soon__loop_leave(loop);
    return rc;
}

void soon__loop_count_again(soon_loop *loop)
{
    if (soon__loop_is_pre_fork(loop))
        return;
    pthread_mutex_lock(&loop->mutex);
    loop->locked.outstanding++;
    pthread_mutex_unlock(&loop->mutex);
}

void soon__loop_count_out(soon_loop *loop)
{
    if (soon__loop_is_pre_fork(loop))
        return;
    pthread_mutex_lock(&loop->mutex);
    loop->locked.outstanding--;
    if (!is_needed_locked(loop))
        update_or_wake_locked(loop);
    soon__loop_leave(loop);
}

void soon__loop_push(soon_loop *loop, struct soon__loop_entry *entry)
{
    if (soon__loop_is_pre_fork(loop))
        return; /* the parent's copy of it runs */
    if (push(loop, entry, false))
        return;
    pthread_mutex_lock(&loop->mutex);
    soon__loop_push_locked(loop, entry);
    soon__loop_leave(loop);
}

/* No callbacks of futures: these may join and free executors. So the frame is no callback and nobody's task. */
void soon__loop_call(soon_loop *loop, soon_loop_fn fn, void *data)
{
    struct soon__frame frame = {.executor = loop};
    struct soon__thread_saved saved;

    soon__thread_enter(&frame, &saved);
    fn(data);
    soon__thread_leave(&frame, &saved);
}

/*
 * A turn of the loop
 */

void soon__loop_set_thread_locked(soon_loop *loop)
{
    static _Atomic uint64_t numbers;
    struct soon__thread *self = soon__thread_self();

    if (soon__loop_is_thread_here(loop))
        return;
    if (!self->number)
        self->number = atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1;
    atomic_store_explicit(&loop->thread_number, self->number, memory_order_relaxed);
    loop->locked.thread_id = gettid();
}

static void begin_turn(soon_loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    soon__loop_set_thread_locked(loop);
    soon__bell_reset(loop->bell); /* libuv tells of it as long as it is readable */
    loop->locked.rung = false;
    take_posted_locked(loop, &loop->own.ready);
    pthread_mutex_unlock(&loop->mutex);
}

static void end_turn(soon_loop *loop, size_t count)
{
    count_here(loop, -(int64_t)count);
    pthread_mutex_lock(&loop->mutex);
    if (loop->own.ready.head)
        soon__loop_ring_locked(loop); /* L5 */
    soon__loop_update_locked(loop);
    soon__loop_leave(loop);
}

void soon__loop_on_bell(uv_poll_t *poll, int status, int events)
{
    soon_loop *loop = poll->data;
    struct soon__loop_entry *entry;
    size_t count;

    (void)status;
    (void)events;
    if (soon__loop_is_pre_fork(loop)) { /* it is the parent's that rings */
        uv_poll_stop(poll);
        return;
    }
    begin_turn(loop);
    for (count = 0; count < TURN_MAX && (entry = loop->own.ready.head) && !uv_is_closing(soon__loop_uv_handle(loop));
         count++) {
        loop->own.ready.head = entry->next;
        entry->run(entry);
        if (soon__loop_is_pre_fork(loop))
            return; /* it forked, and this is the child */
    }
    end_turn(loop, count);
}

void soon__loop_on_close(uv_handle_t *handle)
{
    soon_loop *loop = handle->data;

    if (loop->own.on_closed)
        soon__loop_call(loop, loop->own.on_closed, loop->own.on_closed_data);
    if (soon__loop_is_pre_fork(loop)) {
        close(loop->bell);
        return; /* the parent's registrations, in this memory too, point to it */
    }
    free(loop->own.handle);
    loop->own.handle = NULL;
    soon__loop_free(loop);
}
