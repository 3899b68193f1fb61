/*
 * loop.c - a program's loop, to which callbacks are posted: its count of them, its list, its turns. What differs
 * between the loops that there are, those of libuv (loop_uv.c) and a program's own polls (loop_dispatch.c), is in its
 * kind.
 *
 *     new, attach --> OPEN --last detach--> CLOSING --nothing outstanding--> CLOSED --on_closed--> freed
 *                       |                      |
 *                       |                      +----somebody else closes it-----+
 *                       |                                                       v
 *                       +--somebody else closes it--> LOST --last detach--> LOST_CLOSING --nothing outstanding: freed
 *
 * L1  Other threads touch nothing of the program's: they ring a bell of ours, a descriptor, which the program polls.
 *     So it does not matter to them what becomes of a uv loop or its handle. (uv_async_send() would touch both, and
 *     abort when the loop is closed.) CLOSED is reached under the mutex when nothing is outstanding.
 * L2  `here` and `outstanding` together count registrations, from soon__loop_count_in() until they ran or were counted
 *     out, and posts. `here` belongs to the thread that is `inside`, `outstanding` to everybody, and either alone may
 *     be below 0. When the loop's thread takes from `here`, it then reads both under the mutex; a thread that takes
 *     from `outstanding` reads both there. So one of them sees that nothing is left. CLOSING lets no new ones in.
 * L3  A loop may have to be held, to go on while something is outstanding (uv_ref, uv_unref), and be closed when
 *     nothing is. That is for the loop's thread, which does it in each turn, and at once when that thread itself
 *     changes the count. Other threads wake the loop for it, and for nothing else: a loop that is not held is woken
 *     only where something is due.
 * L4  A loop that is held begins so, and woken: the first turn tells which thread runs the loop. Before it nobody need
 *     hold the loop, so nobody need know.
 * L5  One wake-up serves a whole list. A thread that finds the list empty pushes and rings under the mutex, under
 *     which it is also taken. A thread that finds entries there pushes without the mutex, and touches nothing of the
 *     loop after that: it may be gone. A turn takes what is there as it begins, and runs a bounded part of it. In a
 *     turn nobody rings: its end looks whether anything is left or has come, and rings then. So the bell is silent in
 *     a turn, and after it each list that is not empty has a ring of its own, which pollers that want edges see, too.
 * L6  Somebody else may close a loop, on its thread: uv_walk() and uv_close() are the usual end of a program. We are
 *     not told, so on that thread we first ask whether it is closed. Then the loop is LOST: nothing comes in, and what
 *     is there, or comes when futures complete, is dropped. The uv loop, which may be gone as well, is not touched any
 *     more.
 * L7  There is one turn at a time, and none inside a turn. A uv loop has one thread, and whatever that does it is
 *     `inside`. A program's own poll may be dispatched by one thread and then by another. The turns follow each other
 *     by the mutex, and only in its turn a thread is `inside`: between two turns it cannot know that no other begins
 *     one.
 */
#include "loop_internal.h"
#include "loop_state_internal.h"
#include "loop_table_internal.h"

#include "../../futures/refuse_internal.h"
#include "../system/ipc_internal.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

static bool is_lost(const soon_loop *loop)
{
    return loop->handle && uv_is_closing(loop->handle);
}

#define NOBODY UINT64_MAX /* is inside: no thread has that number, or one that has none yet */

/* Relaxed: only the thread whose number it is has written it. */
static bool is_inside(soon_loop *loop)
{
    return atomic_load_explicit(&loop->inside, memory_order_relaxed) == soon__thread_self()->number;
}

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
 * The count and the state
 */

void soon__loop_init(soon_loop *loop, const struct soon__loop_kind *kind)
{
    loop->kind = kind;
    loop->generation = soon__generation();
    loop->tabled.attached = 1;
    loop->locked.held = true;
    atomic_init(&loop->inside, NOBODY);
    loop->mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

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

    if (soon__loop_is_lost_state(state) || state == SOON__LOOP_CLOSED || !is_lost(loop))
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
    bool needed = is_needed_locked(loop);

    if (soon__loop_is_lost_locked(loop) || loop->locked.state == SOON__LOOP_CLOSED)
        return;
    if (loop->locked.state == SOON__LOOP_CLOSING && !needed) {
        soon__loop_move_locked(loop, SOON__LOOP_CLOSED);
        loop->kind->close_locked(loop);
    } else if (loop->kind->hold_locked && needed != loop->locked.held) {
        loop->kind->hold_locked(loop, needed);
        loop->locked.held = needed;
    }
}

static void update_or_wake_locked(soon_loop *loop)
{
    if (soon__loop_is_thread_here(loop))
        soon__loop_update_locked(loop);
    else if (loop->kind->hold_locked || loop->locked.state == SOON__LOOP_CLOSING)
        soon__loop_ring_locked(loop);
}

int soon__loop_count_in_locked(soon_loop *loop)
{
    if (loop->locked.state != SOON__LOOP_OPEN || (soon__loop_is_thread_here(loop) && soon__loop_is_lost_locked(loop)))
        return soon__refuse(SOON_ESHUTDOWN, "the loop is detached, or its handle closed");
    loop->locked.outstanding++;
    if (!loop->locked.held)
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
    if (is_inside(loop) && loop->locked.held && loop->locked.state == SOON__LOOP_OPEN && !is_lost(loop)) {
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

static void set_thread_locked(soon_loop *loop)
{
    static _Atomic uint64_t numbers;
    struct soon__thread *self = soon__thread_self();

    if (soon__loop_is_thread_here(loop))
        return;
    if (!self->number)
        self->number = atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1;
    atomic_store_explicit(&loop->thread_number, self->number, memory_order_relaxed);
    if (!loop->kind->changes_hands)
        atomic_store_explicit(&loop->inside, self->number, memory_order_relaxed);
    loop->locked.thread_id = gettid();
}

static bool is_gone(pid_t thread_id)
{
    return tgkill(getpid(), thread_id, 0) < 0 && errno == ESRCH;
}

bool soon__loop_claim_thread(soon_loop *loop)
{
    bool ours;

    pthread_mutex_lock(&loop->mutex);
    ours = !loop->locked.thread_id || soon__loop_is_thread_here(loop) || is_gone(loop->locked.thread_id);
    if (ours)
        set_thread_locked(loop);
    pthread_mutex_unlock(&loop->mutex);
    return ours;
}

/* L7 */
static void set_inside_locked(soon_loop *loop, bool inside)
{
    loop->locked.in_turn = inside;
    if (loop->kind->changes_hands)
        atomic_store_explicit(&loop->inside, inside ? soon__thread_self()->number : NOBODY, memory_order_relaxed);
}

static int begin_turn(soon_loop *loop)
{
    int rc = -EBUSY;

    pthread_mutex_lock(&loop->mutex);
    if (!loop->locked.in_turn) {
        set_thread_locked(loop);
        set_inside_locked(loop, true);
        soon__bell_reset(loop->bell); /* pollers tell of it as long as it is readable */
        loop->locked.rung = true;     /* L5 */
        take_posted_locked(loop, &loop->own.ready);
        rc = loop->locked.state == SOON__LOOP_CLOSED ? SOON_EEND : 0;
    }
    pthread_mutex_unlock(&loop->mutex);
    return rc;
}

/* The loop may be gone then. */
static void end_turn(soon_loop *loop, size_t taken)
{
    count_here(loop, -(int64_t)taken);
    pthread_mutex_lock(&loop->mutex);
    set_inside_locked(loop, false);
    loop->locked.rung = false;
    /* Relaxed: who finds the list empty pushes under the mutex. */
    if (loop->own.ready.head || atomic_load_explicit(&loop->posted, memory_order_relaxed))
        soon__loop_ring_locked(loop); /* L5 */
    soon__loop_update_locked(loop);
    soon__loop_leave(loop);
}

void soon__loop_ran_nothing(soon_loop *loop)
{
    loop->own.vain++;
}

int soon__loop_turn(soon_loop *loop, size_t most)
{
    struct soon__loop_entry *entry;
    size_t taken = 0;
    int ran, rc = begin_turn(loop);

    if (rc == SOON_EEND)
        soon__loop_closed(loop);
    if (rc < 0)
        return rc;
    loop->own.vain = 0;
    while (taken < most + loop->own.vain && (entry = loop->own.ready.head) && !is_lost(loop)) {
        loop->own.ready.head = entry->next;
        taken++;
        entry->run(entry);
        if (soon__loop_is_pre_fork(loop))
            return SOON_EFORKED; /* it forked, and this is the child */
    }
    ran = (int)(taken - loop->own.vain);
    end_turn(loop, taken);
    return ran;
}

void soon__loop_closed(soon_loop *loop)
{
    if (loop->own.on_closed)
        soon__loop_call(loop, loop->own.on_closed, loop->own.on_closed_data);
    if (!soon__loop_is_pre_fork(loop)) {
        soon__loop_free(loop);
        return;
    }
    close(loop->bell);
    loop->bell = -1; /* the rest stays: the parent's registrations, in this memory too, point to it */
}
