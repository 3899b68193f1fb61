/*
 * thread_internal.h - what the library knows about the calling thread: the tasks and callbacks on its stack, the
 * callbacks that wait for their turn on it, and what to do before it parks.
 *
 * One record per thread, touched by its own thread only.
 */
#ifndef SOON_FUTURES_THREAD_INTERNAL_H
#define SOON_FUTURES_THREAD_INTERNAL_H

#include "future.h"

/* One task or callback that runs on this thread's stack; frames nest. */
struct soon__frame {
    struct soon__frame *below;
    const soon_future *future; /* a wait for it would wait for itself; NULL: none */
    const void *executor;      /* whose task it is; NULL: a callback, unless it holds something */
    const void *holds; /* an executor or a promise that this thread has pinned: it cannot end meanwhile; NULL: none */
};

/* A list of futures, linked through them (soon_future.link). */
struct soon__future_list {
    soon_future *head, *tail;
};

/* What an executor's worker thread does when it must wait. All run on that thread. */
struct soon__parking {
    /* Has it a task of this thread's, not begun, that ends `awaited`, and has run it here? Then: look again. */
    bool (*run_own)(void *worker, soon_future *awaited);
    /* Something to do instead of parking until `awaited` is done? 1: did some, look again; 0: nothing, park (then `unparked`
     * follows); SOON_EDEADLK: parking could never end. `awaited` NULL: it parks for something else than one future. `others`:
     * others than tasks of its executor can end that wait. */
    int (*help)(void *worker, soon_future *awaited, bool others);
    void (*unparked)(void *worker); /* after each help() that returned 0 */
    /* Whether an unfinished future can be ended by others. */
    bool (*is_others)(void *worker, soon_future *future);
    void (*held_up)(void *worker); /* user code is about to run that is no task */
};

/* See soon__wakes_hold(). */
struct soon__wakes {
    unsigned count;
    _Atomic uint32_t *words[32];
};

/* What waits for its turn on a thread. */
struct soon__turns {
    bool in_internals, in_callbacks;    /* this thread is draining those further down its stack */
    struct soon__future_list internals; /* done futures whose internal continuations wait */
    struct soon__future_list callbacks; /* done futures whose user callbacks wait; each holds a reference */
    const soon_future *settling;        /* whose user callbacks are being run */
    const struct soon__turns *below;    /* what was set aside further down the stack, innermost first */
};

struct soon__thread {
    struct soon__wakes *wakes;  /* NULL: who sleeps for what this thread completes is woken at once */
    struct soon__frame *frames; /* innermost first */
    const struct soon__parking *parking;
    void *worker;     /* for `parking` */
    const void *pool; /* whose worker it is; NULL: of none of threads */
    uint64_t number;  /* of one that has run a loop, nobody else's ever; 0: it has not */
    bool end_is_watched;
    bool of_library; /* the loop's or the callback thread: nothing may be joined here */
    bool in_destroy;
    struct soon__future_list doomed; /* without references, while another is being destroyed further down */
    struct soon__turns turns;
    struct {
        soon_interrupt_fn check; /* NULL: its waits go on */
        void *data;
    } interrupt;
    struct soon__error *last_error; /* NULL: none yet */
    bool last_is_note;              /* see soon__refuse() */
    /* Not NULL: no user code on this thread. Takes a done future, with a reference, whose user callbacks are to run,
     * or one without references, which is to be destroyed: soon__future_settle() on the thread it goes to. */
    void (*sink)(soon_future *future);
};

/* Small, so that it fits where the threads of a program have room for what is loaded later, and is found without a call. */
extern _Thread_local struct soon__thread soon__this_thread __attribute__((tls_model("initial-exec")));

static inline struct soon__thread *soon__thread_self(void)
{
    return &soon__this_thread;
}

/*
 * For each wait that a program may end by soon_thread_set_interrupt(): before it sleeps, 0, -ETIMEDOUT or -EINTR; and the sleep,
 * which ends in time for the next look. A signal may come between the two.
 */
int soon__wait_check(int64_t deadline);
void soon__wait_park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);

/* The calling thread has something that is to be given back when it ends; then again, if there is more after that. False:
 * that cannot be arranged. */
bool soon__thread_watch_end(void);

/* Whether something on this thread's stack, or that waits for its turn on it, could be what a future here waits for. */
bool soon__thread_is_busy(void);
bool soon__thread_in_executor(const void *executor); /* one of its tasks is on the stack */
bool soon__thread_in_callback(void);                 /* a callback is */
bool soon__thread_holds(const void *owner);          /* it is pinned by what is on the stack */
/* Whether a done future that matches has callbacks that wait for their turn on this thread. */
bool soon__thread_has_queued(bool (*matches)(const soon_future *done, const void *what), const void *what);

/* Around a pin: user code that runs in between (a release, a hook, an executor of the user's own) is told when it would wait
 * for the end of what is pinned, and users' callbacks wait until the pin is back. The frame is on top all the time. */
struct soon__pinned {
    struct soon__frame frame;
    bool callbacks_held;
};
void soon__pinned_begin(struct soon__pinned *pinned, const void *owner); /* has been pinned */
void soon__pinned_end(struct soon__pinned *pinned);                      /* after the unpin */

/* Fresh queues for callbacks, so that what is completed from here on has its callbacks run at once; and back. */
struct soon__thread_saved {
    bool some; /* of a task: the rest was set */
    struct soon__turns turns;
};
void soon__thread_set_aside(struct soon__thread_saved *ret_saved);
void soon__thread_take_up(const struct soon__thread_saved *saved);

/* Around a task: its frame, and the same, if there is anything to set aside. */
static inline void soon__thread_enter(struct soon__frame *frame, struct soon__thread_saved *ret_saved)
{
    struct soon__thread *self = soon__thread_self();

    ret_saved->some =
        self->turns.in_internals || self->turns.in_callbacks; /* else there is nothing in the lists either */
    if (ret_saved->some)
        soon__thread_set_aside(ret_saved);
    frame->below = self->frames;
    self->frames = frame;
}
static inline void soon__thread_leave(struct soon__frame *frame, const struct soon__thread_saved *saved)
{
    soon__thread_self()->frames = frame->below;
    if (saved->some)
        soon__thread_take_up(saved);
}

/* Around any sleep that is not for one future: may start a spare worker. `others`: as for help(). SOON_EDEADLK: do not sleep. */
int soon__thread_before_park(bool others);
/* For that: whether others than tasks of the calling worker's executor can end an unfinished future; true if it is no
 * worker. */
bool soon__thread_others_end(soon_future *future);
void soon__thread_after_park(void);
/* The same around a wait for a condition that others bring about, under a mutex that is taken in between: which a thread that is cancelled there would
 * keep for ever. */
struct soon__long_wait {
    int cancel_state;
};
int soon__long_wait_begin(struct soon__long_wait *ret);
void soon__long_wait_end(const struct soon__long_wait *wait);

#endif
