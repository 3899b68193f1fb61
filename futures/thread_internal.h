/*
 * thread_internal.h - what the library knows of the calling thread: the tasks and callbacks on its stack, the callbacks
 * that wait for their turn on it, and what its executor does when it must wait.
 *
 * There is one record per thread, and only that thread touches it.
 */
#ifndef SOON_FUTURES_THREAD_INTERNAL_H
#define SOON_FUTURES_THREAD_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct soon_future soon_future; /* see future.h */
struct soon__error;

/* A task or callback that runs on this thread's stack, or an owner that is pinned there. Frames nest. */
struct soon__frame {
    struct soon__frame *below;
    const soon_future *future; /* a wait for this one would wait for itself; NULL: none */
    const void *executor;      /* the executor of the task; NULL: it is a callback, unless `pinned` is set */
    const void *pinned; /* an executor or a promise that this thread has pinned, so that it cannot end; NULL: none */
};

/* A list of futures, linked through soon_future.link. */
struct soon__future_list {
    soon_future *head, *tail;
};

/* What an executor's worker thread does when it must wait. All of it is called on that thread. */
struct soon__parking {
    /* If the call behind `awaited` is still in this worker's deque, runs it and returns true. */
    bool (*run_own)(void *worker, soon_future *awaited);
    /* Does something instead of parking until `awaited` is done. Returns 1: it did, look at the future again; 0: there
     * is nothing to do, park, and call `after_park` afterwards; SOON_EDEADLK: parking could never end. `awaited` NULL:
     * the thread parks for something else than one future. `others`: not only tasks of its executor can end that
     * wait. */
    int (*before_park)(void *worker, soon_future *awaited, bool others);
    void (*after_park)(void *worker);
    /* Returns whether somebody else than tasks of its executor can end an unfinished future. */
    bool (*is_others)(void *worker, soon_future *future);
    void (*before_user_code)(void *worker); /* user code that is no task is about to run, and may take long */
};

/* The words of futures whose sleepers are woken later: see soon__wakes_collect(). */
struct soon__wakes {
    unsigned count;
    _Atomic uint32_t *words[32];
};

/* The callbacks that wait for their turn on a thread. */
struct soon__callback_queues {
    bool in_internals, in_callbacks;    /* a function further down the stack is draining the first, the second list */
    struct soon__future_list internals; /* done futures whose internal continuations wait */
    struct soon__future_list callbacks; /* done futures whose users' callbacks wait; it has a reference of each */
    const soon_future *running;         /* users' callbacks of this one are running; NULL: none are */
    const struct soon__callback_queues
        *below; /* those that were set aside further down the stack, the innermost first */
};

enum { SOON__AT_END_MAX = 2 }; /* for the last error, and for free blocks */

struct soon__thread {
    struct soon__wakes *wakes;  /* NULL: sleepers are woken at once */
    struct soon__frame *frames; /* the innermost first */
    const struct soon__parking *parking;
    void *worker;     /* for `parking` */
    const void *pool; /* the thread pool whose worker this thread is; NULL: it is none */
    uint64_t number;  /* of a thread that has run a loop; no other thread ever has the same; 0: it has not run one */
    bool of_library;  /* it is the loop's thread or the callback thread: nothing may be joined here */
    bool in_destroy;
    struct soon__future_list
        doomed; /* futures without references, while another is being destroyed further down the stack */
    struct soon__callback_queues queues;
    struct {
        bool (*check)(void *data); /* a soon_interrupt_fn; NULL: waits go on */
        void *data;
    } interrupt;
    struct soon__error *last_error; /* NULL: none yet */
    bool last_is_note;              /* see soon__refuse() */
    /* Where user code of this thread goes; NULL: it runs here. Takes a done future, with a reference, whose users'
     * callbacks are to run, or one without references, which is to be destroyed: another thread calls
     * soon__future_run_sunk(). */
    void (*sink)(soon_future *future);
    void (*at_end[SOON__AT_END_MAX])(void); /* see soon__thread_at_end() */
};

/* The storage model makes it found without a call. It is small, since objects that are loaded later share little room
 * for that. */
extern _Thread_local struct soon__thread soon__this_thread __attribute__((tls_model("initial-exec")));

static inline struct soon__thread *soon__thread_self(void)
{
    return &soon__this_thread;
}

/* Registers `give_back` to be called once when the calling thread ends. Returns false if that cannot be arranged. */
bool soon__thread_at_end(void (*give_back)(void));

/* Returns whether a task or callback is on this thread's stack, or waits for its turn here: a future may wait for
 * that. */
bool soon__thread_is_busy(void);
bool soon__thread_in_executor(const void *executor); /* one of its tasks is on the stack */
bool soon__thread_in_callback(void);                 /* a callback is on the stack */
bool soon__thread_has_pinned(const void *owner);     /* `owner` is pinned on the stack */

/* Empties the queues, so that callbacks of what is completed from now on run at once; and brings back what was in
 * them. */
struct soon__thread_saved {
    bool some; /* soon__thread_enter() has set something aside */
    struct soon__callback_queues queues;
};
void soon__thread_set_aside(struct soon__thread_saved *ret_saved);
void soon__thread_take_up(const struct soon__thread_saved *saved);

/* Around a task: pushes its frame, and sets aside the queues if they are in use. */
static inline void soon__thread_enter(struct soon__frame *frame, struct soon__thread_saved *ret_saved)
{
    struct soon__thread *self = soon__thread_self();

    ret_saved->some =
        self->queues.in_internals || self->queues.in_callbacks; /* else there is nothing in the lists either */
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

#endif
