/*
 * executor_internal.h - what all executors have in common, also those of a program's own: its class, its pins, whether
 * it takes anything, the future of its end.
 */
#ifndef SOON_EXECUTOR_CORE_EXECUTOR_INTERNAL_H
#define SOON_EXECUTOR_CORE_EXECUTOR_INTERNAL_H

#include "../../futures/future_internal.h"
#include "../../futures/promise_internal.h"
#include "../../futures/run_callbacks_internal.h"
#include "../custom.h"
#include "function_internal.h"
#include "histogram_internal.h"
#include "shared_internal.h"

#include <errno.h>
#include <pthread.h>

struct soon__outcome;

/* The public class, and what the library's own pools do beyond it. Of an executor of the user's own all that is
 * zero. */
struct soon__executor_class {
    soon_executor_class public;
    bool of_library;
    int (*boot)(void *self, int64_t deadline);
    struct soon__error *(*reason)(void *self); /* why it is broken; a reference */
    /* A task that found the queue full has run on its submitter's thread; as soon__run_hooks.counted. */
    void (*counted_here)(void *self, const struct soon__outcome *outcome);
    size_t (*width)(void *self); /* how many workers it may have */
    /* How many live now, and the first `count` of them. */
    size_t (*workers)(void *self, soon_worker *ret, size_t count);
    bool tries_again;      /* a call that has begun may wait there again: `take_back` is asked for it, too */
    bool takes_items;      /* a call may have `items` with a count above 1 */
    bool takes_foreign;    /* foreign functions; not in items */
    uint8_t call_flags;    /* what all its calls have: of enum soon__call_flags */
    bool tells_no_start;   /* its calls begin in other processes: that is told when they end */
    bool ends_on_loop;     /* callbacks of its calls run on the library's callback thread */
    size_t mappable_above; /* arguments of more bytes go into memory that other processes can map; 0: none do */
    /* A reader wants a call that is not pending any more to end. */
    void (*ask_to_cancel)(void *self, soon_call *call);
    /* Starts the call's future if it has begun, and sets its progress. */
    void (*refresh)(void *self, soon_call *call);
    /* A thread is about to sleep until the call has ended. This may wait for that for a short time, and do the
     * pool's work meanwhile, as long as it runs no user code. It is called under the future's LOCK, so that the pool
     * is there, and gives that back. */
    void (*spin)(void *self, soon_call *call, int64_t deadline);
};

/* LONG_WAY: a full queue does not block, or each call is sampled; so a submit looks at what it is told. */
enum { SOON__SHORT_WAY = 0, SOON__LONG_WAY = 1 };

struct soon_executor {
    struct soon__executor_class klass;
    void *self;
    soon_full when_full; /* never DEFAULT */
    soon_shared *shared; /* of its tasks: a reference; NULL: none */
    uint32_t generation;
    bool freeing;             /* the class's `free` runs, or has run; only for the thread that frees it */
    _Atomic bool given_up;    /* to soon_executor_end(), which frees it */
    _Atomic uint32_t pins;    /* threads that are inside between pin and unpin; and the class, until it is down */
    _Atomic uint32_t applied; /* soon_apply_async() calls that are not done: each has a pin, too */
    /* What a submit finds: SOON__SHORT_WAY; SOON__LONG_WAY; or why it takes nothing any more: SOON_ESHUTDOWN,
     * SOON_EBROKEN. */
    _Atomic int entry;
    _Atomic int requested; /* the strongest shutdown asked for; -1: none. Written under the mutex */
    soon_promise *down;    /* the class resolves it */
    struct soon__callback on_down;
    _Atomic(struct soon__on_signal *) on_signal; /* core/on_signal.c; NULL: no signal shuts it down */
    soon_future *down_future;                    /* for readers: done when that is and no pin is left. A reference */
    pthread_mutex_t mutex;
    struct {
        int begun;            /* the strongest shutdown that the class was told of; -1: none */
        soon_call *waiting;   /* calls that wait for a future: then.c */
        size_t waiting_count; /* of those, and of those whose wait is just ending */
    } locked;
    struct { /* executor_table.c: under its mutex */
        uint64_t number;
        soon_executor *next, *previous;
    } tabled;
    char name[64]; /* never changed after it was published */
    struct soon__histogram timings[SOON_TIMINGS];
    _Atomic uint64_t traced;     /* of calls in the trace: core/tracer.c */
    _Atomic int32_t live, ready; /* workers, to be shown; `ready` only if the class tells no start */
};

/* As soon_executor_new(): copies the class. */
int soon__executor_new(soon_executor **ret, const struct soon__executor_class *klass, void *self, soon_full when_full);
/* For one that never ran anything, or whose workers are gone. Not the class's part. */
void soon__executor_destroy(soon_executor *executor);

int soon__no_executor(void); /* -EINVAL */
/* 0, -EINVAL (NULL), SOON_EFORKED. */
static inline int soon__executor_check(const soon_executor *executor)
{
    if (!executor)
        return soon__no_executor();
    return executor->generation == soon__generation() ? 0 : SOON_EFORKED;
}
static inline bool soon__executor_is_down(const soon_executor *executor)
{
    return soon__word_final(soon__future_word(executor->down_future));
}

/* It takes nothing any more, and what is pending runs, or is cancelled. Relaxed: a thread that needs more has the
 * mutex. */
static inline bool soon__executor_is_closing(const soon_executor *executor)
{
    return atomic_load_explicit(&executor->requested, memory_order_relaxed) >= (int)SOON_DRAIN;
}
/* Every running task is asked to end, too. Relaxed: a flag, nothing is read through it. */
static inline bool soon__executor_is_terminating(const soon_executor *executor)
{
    return atomic_load_explicit(&executor->requested, memory_order_relaxed) >= (int)SOON_TERMINATE;
}

/* 0, or why it does not take this function: -EINVAL, SOON_ENOFUNCTION. */
static inline int soon__executor_check_function(const soon_executor *executor, const soon_function *function)
{
    return executor->klass.takes_foreign ? soon__check_foreign_function(function) : soon__check_function(function);
}
static inline bool soon__executor_takes_items(const soon_executor *executor, const soon_function *function)
{
    return executor->klass.takes_items && !soon__function_is_foreign(function);
}

/* Pins: keep it from being freed. Only while something else (an unfinished future's LOCK, a call) proves that it
 * lives. */
void soon__executor_pin(soon_executor *executor);
void soon__executor_unpin(soon_executor *executor);
/* Without such a proof. False: it is down, or that is just being told: no pin may come back then. */
bool soon__executor_try_pin(soon_executor *executor);
/* For a thread with a pin that may run user code meanwhile. The second gives the pin back, and the executor may be
 * gone. */
void soon__executor_enter(soon_executor *executor, struct soon__pinned *ret_visit);
void soon__executor_leave(soon_executor *executor, struct soon__pinned *visit);

/* Option structs that grow: copies `size` bytes of `options` (NULL: zeroes) into `ret` of `known` bytes. -EINVAL if
 * a field that this library does not know is set. */
int soon__options_read(void *ret, size_t known, const void *options, size_t size);

/* Tells the class of the shutdown that was asked for, once no call is left that waits and that it would refuse. */
int soon__executor_advance(soon_executor *executor);
/* Submits are refused with SOON_EBROKEN from now on. Under the mutex with which the class has set its reason. */
void soon__executor_break(soon_executor *executor);
/* Why it was `code`, where the class knows more than that: a reference; or NULL. */
struct soon__error *soon__executor_own_reason(soon_executor *executor, int code);
/* The same, and never NULL. */
struct soon__error *soon__executor_reason(soon_executor *executor, int code);

/* 0, or why it takes nothing any more: to be asked before there is anything to submit. What an executor of the
 * user's own says is known when it is asked to take a call. */
static inline int soon__executor_refusal(soon_executor *executor)
{
    /* Relaxed: see soon__executor_begin_shutdown() and soon__executor_break(). */
    int entry = atomic_load_explicit(&executor->entry, memory_order_relaxed);

    return entry < 0 ? entry : 0;
}
/* Whether it takes a submit without options by the short way. Relaxed: as above. */
static inline bool soon__executor_takes_plain(const soon_executor *executor)
{
    return atomic_load_explicit(&executor->entry, memory_order_relaxed) == SOON__SHORT_WAY;
}

#endif
