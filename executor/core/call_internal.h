/*
 * call_internal.h - one submission: a function, its argument and its future, in one block.
 *
 * A call belongs to one holder at a time: who makes it, then the executor that took it (its queue, its worker), then
 * who ends it: soon__call_end() releases the argument and gives back the library's reference. The future in it may
 * live on.
 */
#ifndef SOON_EXECUTOR_CORE_CALL_INTERNAL_H
#define SOON_EXECUTOR_CORE_CALL_INTERNAL_H

#include "../../futures/future_internal.h"
#include "../../futures/gather_internal.h"
#include "../../futures/promise_internal.h"
#include "../custom.h"
#include "../items.h"
#include "../loops/library_loop_internal.h"
#include "../loops/loop_internal.h"
#include "heap_internal.h"

#include <assert.h>

/* What became of a body: filled by the run, moved into a future (or an item of a map). */
struct soon__outcome {
    struct soon__error *error; /* NULL: it succeeded */
    bool cancelled;            /* with an error: the task gave in to a cancel request */
    bool result_on_heap;       /* malloc'ed; else in memory that was given to the run */
    bool result_mapped;        /* or a mapping of its own */
    void *result;
    size_t result_size;
    soon_buffer *result_buffer; /* a worker process's: what `result` lies in; NULL: elsewhere */
    soon_buffer *payload;
    struct soon__buffers *further; /* payloads behind it */
};

void soon__outcome_drop_payloads(struct soon__outcome *outcome);
static inline uint32_t soon__outcome_owned(const struct soon__outcome *outcome)
{
    return outcome->result_on_heap ? SOON__RESULT_ON_HEAP : outcome->result_mapped ? SOON__RESULT_MAPPED : 0;
}

/* Several items in one call: a chunk of a map. Lent to the call until it has ended. */
struct soon__items {
    size_t count;
    const void *args; /* count * arg_size bytes, lent */
    void *results;    /* count * result_size bytes to write to; NULL: done() gets each in heap memory */
    int64_t deadline; /* no item starts after it, as wanted() would say too */
    soon_item *each;  /* instead of `args`: each argument by itself, with its label and payload; NULL: `args` */
    size_t running;   /* with `each`: the one that a thread is at */
    size_t begun;     /* the first so many have begun: more than have ended, if some were lost or not wanted any more */
    /* Called by the run, in order, one at a time, on the worker. */
    bool (*wanted)(struct soon__items *items, size_t index); /* false: do not start it; done() is not called */
    void (*done)(struct soon__items *items, size_t index, struct soon__outcome *outcome); /* takes what is in it */
    /* Plain items; NULL: they are not. The run stores here how many went well, and calls done() for the others alone; and
     * wanted() not for one after another that went well, if there is nothing in `stopped`. */
    _Atomic size_t *finished;
    const _Atomic uint32_t *stopped;
};

/* A string that is its own label: that is copied once, and sent once. */
static inline bool soon__item_is_own_label(const soon_item *item)
{
    return item->label && item->label == item->data && item->size && !item->label[item->size - 1];
}

/* The label of an item, if it has one of its own. */
static inline const char *soon__items_label(const struct soon__items *items, size_t index)
{
    return items && items->each ? items->each[index].label : NULL;
}

/* What few calls need; allocated with the first option that is set. */
struct soon__call_extra {
    struct soon__aside aside;                        /* first */
    soon_submit_options options;                     /* label, extra and payloads point into `text` */
    int64_t queue_deadline;                          /* SOON__NEVER: none */
    struct soon__heap_node by_priority, by_deadline; /* the pool's queue's, as is the next */
    soon_call *call;
    /* Of a then: what it waits for, then what its argument lies in; of one that was submitted after others: their gather, then what
     * its inputs lie in. A reference. */
    soon_future *first;
    struct soon__callback on_first;
    struct soon__items *items;
    size_t items_ended;       /* of these, in worker processes that have died: the rest is sent again */
    soon_buffer *arg_buffer;  /* what `arg` lies in, to be sent to another process; NULL: it does not */
    _Alignas(16) char text[]; /* options.extra, then options.payloads, then options.label */
};

/*
 * Where a call is: this says who may touch it, and which members of its unions are alive. Only its holder changes it, by
 * soon__call_move(): the thread in whose hand it is, or the one that has the lock of what it is in. A call that waits for
 * another future is the exception: there the threads that want to go on with it compete, by soon__call_win().
 *
 *     IN_HAND ----> WAITING --its first is done--------------------> IN_HAND
 *              |       +------cancelled, or its executor closes----> GIVEN_UP, ends
 *              +--> INJECTED --by one that searches--> IN_HAND
 *              |       +------by whoever has the mutex--> QUEUED
 *              +--> QUEUED, IN_DEQUE, IN_SLOT --taken out--> IN_HAND
 *              +--> BEGUN, ends
 *              +--> REFUSED, ends
 */
enum soon__call_place {
    SOON__CALL_IN_HAND, /* one thread makes it, hands it on, runs it or ends it; by `next` it may be in a list of that one */
    SOON__CALL_WAITING,  /* for its first, in its executor's list, under the executor's mutex: then.c */
    SOON__CALL_GIVEN_UP, /* it was WAITING, and the one thread that has taken it from there cancels it */
    SOON__CALL_INJECTED, /* in the stack of its pool, by `next` alone: pools/inject_internal.h */
    SOON__CALL_QUEUED,   /* in the queue of its pool, under the pool's mutex: pools/queue.c */
    SOON__CALL_IN_SLOT,  /* of a worker process, `slot` of `process`, under the pool's mutex */
    SOON__CALL_REFUSED,  /* in a process pool's list of those that the loop will end with their `refusal`, by `next` */
    SOON__CALL_BEGUN,    /* its body runs, or has; said only of one whose future does not say so: run.c */
    SOON__CALL_IN_DEQUE, /* this and above: in one of the deques of a thread pool, under that one's lock: threads/deque.c */
};

enum soon__call_flags {
    SOON__CALL_EXEMPT = 1,      /* the queue's bound does not apply */
    SOON__CALL_LINGERS = 2,     /* its executor has a `linger` */
    SOON__CALL_SPINS = 4,       /* or none, but this */
    SOON__CALL_ARG_ON_HEAP = 8, /* malloc'ed */
    SOON__CALL_ARG_LENT = 16,   /* somebody else's: not released */
    SOON__CALL_PLAIN = 32,      /* all is in the block, nothing of it is to be released, and there are no options */
    SOON__CALL_TELLS = 64,      /* a struct soon__delivery is at the end of the block */
    SOON__CALL_HAS_EXTRA = 128, /* its `aside` is a struct soon__call_extra */
};

struct soon_call {
    union {
        soon_promise promise; /* the future is first in it */
        struct {              /* what of that is its owner's */
            char before_bits[offsetof(soon_future, for_owner)];
            _Atomic uint8_t place; /* enum soon__call_place */
            _Atomic uint8_t holds; /* 0: one; see soon__call_hold() */
            bool began;            /* and came back: see soon__call_comes_back(). Its holder's */
            /* Never changed from when it is submitted on. */
            uint8_t flags;    /* enum soon__call_flags */
            uint8_t arg_size; /* of one in the block; else SOON__CALL_FAR */
            char before_outcome[offsetof(soon_future, result) - offsetof(soon_future, waiters)];
            union {                  /* until it is claimed */
                soon_call *previous; /* WAITING, QUEUED, IN_DEQUE: in that list, as `next` */
                uint32_t slot;       /* IN_SLOT */
                int refusal;         /* REFUSED: the code that it is to fail with */
            };
            uint64_t number; /* until it is claimed: its age, for the queue that has, or had, it */
        };
    };
    const soon_function *function;
    soon_executor *executor;
    union {
        soon_call *next;               /* in the list that it is in */
        struct soon__process *process; /* IN_SLOT */
    };
};

/* Relaxed, all: what is read or written after it is ordered by the locks that guard the places. */
static inline uint8_t soon__call_place(const soon_call *call)
{
    return atomic_load_explicit(&((soon_call *)call)->place, memory_order_relaxed);
}

/* Whether there is such an arrow. */
static inline bool soon__call_may_move(uint8_t from, uint8_t to)
{
    switch (from) {
    case SOON__CALL_IN_HAND:
        return to != SOON__CALL_IN_HAND && to != SOON__CALL_GIVEN_UP;
    case SOON__CALL_INJECTED:
        return to == SOON__CALL_IN_HAND || to == SOON__CALL_QUEUED;
    case SOON__CALL_WAITING:
    case SOON__CALL_GIVEN_UP:
    case SOON__CALL_REFUSED:
    case SOON__CALL_BEGUN:
        return false;
    default:
        return to == SOON__CALL_IN_HAND;
    }
}

/* Its holder moves it. */
static inline void soon__call_move(soon_call *call, uint8_t to)
{
    assert(soon__call_may_move(soon__call_place(call), to));
    atomic_store_explicit(&call->place, to, memory_order_relaxed);
}

/* Any thread moves one that waits: to IN_HAND or GIVEN_UP. False: another was first, or it does not wait. */
static inline bool soon__call_win(soon_call *call, enum soon__call_place to)
{
    uint8_t waiting = SOON__CALL_WAITING;

    /* Acquire-release: the winner sees what was written before it waited, and who sees that it was won what the winner did. */
    return atomic_compare_exchange_strong_explicit(&call->place, &waiting, (uint8_t)to, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

/*
 * What follows in the block: the argument, or where it is; the result, if it is small and of fixed size; room for a job, if
 * ending it may run user code; a struct soon__delivery, if the option on_done is set. A result that is a word lies before the
 * argument, where there would be a hole.
 */
enum {
    SOON__CALL_ALIGNMENT = 16,
    SOON__CALL_SMALL_MAX = 240, /* of an argument or result that lies in the block */
    SOON__CALL_FAR = 255,       /* as the size of an argument: it is elsewhere */
    SOON__CALL_WORD_AT = (sizeof(soon_call) + sizeof(uint64_t) - 1) & ~(sizeof(uint64_t) - 1),
    SOON__CALL_ARG_AT =
        (SOON__CALL_WORD_AT + sizeof(uint64_t) + SOON__CALL_ALIGNMENT - 1) & ~(SOON__CALL_ALIGNMENT - 1),
};

/* Where an argument is that is not in the block. */
static inline soon_bytes *soon__call_far_arg(soon_call *call)
{
    return (soon_bytes *)((char *)call + SOON__CALL_ARG_AT);
}
static inline bool soon__call_is_far(const soon_call *call)
{
    return call->arg_size == SOON__CALL_FAR;
}
static inline soon_bytes soon__call_arg(const soon_call *call)
{
    const char *place = (const char *)call + SOON__CALL_ARG_AT;

    return soon__call_is_far(call) ? *(const soon_bytes *)place : (soon_bytes){place, call->arg_size};
}
static inline size_t soon__call_round_up(size_t size)
{
    return (size + SOON__CALL_ALIGNMENT - 1) & ~(size_t)(SOON__CALL_ALIGNMENT - 1);
}
/* Where a small result of fixed size lies, behind an argument that takes `arg` bytes. */
static inline size_t soon__call_space_at(size_t result, size_t arg)
{
    return result <= sizeof(uint64_t) ? (size_t)SOON__CALL_WORD_AT : SOON__CALL_ARG_AT + soon__call_round_up(arg);
}
/* What few have; NULL: all defaults. */
static inline struct soon__call_extra *soon__call_extra(const soon_call *call)
{
    return call->flags & SOON__CALL_HAS_EXTRA ? (struct soon__call_extra *)call->promise.future.aside : NULL;
}

/* NULL: none. */
static inline void *soon__call_space(soon_call *call)
{
    size_t result = call->function->result_size, arg = soon__call_is_far(call) ? sizeof(soon_bytes) : call->arg_size;
    bool has_items = call->flags & SOON__CALL_HAS_EXTRA && soon__call_extra(call)->items;

    if (!result || result > SOON__CALL_SMALL_MAX || has_items)
        return NULL;
    return (char *)call + soon__call_space_at(result, arg);
}

static inline soon_future *soon__call_future(soon_call *call)
{
    return &call->promise.future;
}
/* The call behind a future; NULL if it is of another class. */
soon_call *soon__call_of(const soon_future *future);

/* Of options that soon__payloads_order() has seen: the first payload, if there is any, is `payload`. */
static inline soon_buffer *soon__payload_at(const soon_submit_options *options, size_t index)
{
    if (index == 0)
        return options->payload;
    return index - 1 < options->payload_count ? options->payloads[index - 1] : NULL;
}
static inline size_t soon__payload_count(const soon_submit_options *options)
{
    return (options->payload != NULL) + options->payload_count;
}
void soon__payloads_order(soon_submit_options *options);
void soon__payloads_release(const soon_submit_options *options);

/* How a call is made. */
struct soon__call_params {
    soon_executor *executor;
    const soon_function *function;
    const void *data; /* copied; NULL with size 0: zeroes */
    size_t size;
    const soon_submit_options *options; /* checked already; NULL: defaults. Its payload is not taken before success */
    soon_future *first;                 /* what it is to wait for, or NULL. There is an `extra` then */
    bool deferred;                      /* a then: `first` is to be its argument */
    struct soon__items *items;          /* instead of data */
};
/* References: one of the reader, one of the library. 0, -ENOMEM, SOON_ESHUTDOWN (on_done_loop); nothing taken then. */
int soon__call_new(soon_call **ret, const struct soon__call_params *params);
/* The same of an argument and a result that fit into the block; `told`: the options, where only on_done is set. NULL: they do
 * not fit, the thread has no memory at hand, or the loop takes none. */
soon_call *soon__call_new_plain(soon_executor *executor, const soon_function *function, const void *arg, size_t size);
soon_call *soon__call_new_told(soon_executor *executor, const soon_function *function, const void *arg, size_t size,
                               const soon_submit_options *told);

/* How many results of others it reads, and which: of who waits no more. */
static inline size_t soon__call_input_count(const soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);

    return extra && extra->first && !(call->flags & SOON__CALL_ARG_LENT) ? soon__group_count(extra->first) : 0;
}
static inline soon_future *soon__call_input(const soon_call *call, size_t index)
{
    return index < soon__call_input_count(call) ? soon__group_member(soon__call_extra(call)->first, index) : NULL;
}

static inline bool soon__call_is_then(const soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);

    return extra && extra->on_first.fn;
}
static inline bool soon__then_was_given_up(const soon_call *call)
{
    return soon__call_place(call) == SOON__CALL_GIVEN_UP;
}

/* A worker's local value, as soon_task_local() sees it. */
struct soon__local {
    void *value;
    soon_free_fn release;
};

/* Runs it on this thread and ends it. `local` NULL: none. `counted` (may be NULL) hears of the outcome before
 * anybody else does, so that who has seen a result finds it in the stats. */
struct soon__run_hooks {
    void (*counted)(void *data, const struct soon__outcome *outcome);
    void *data;
};
void soon__call_run(soon_call *call, struct soon__local *local, const struct soon__run_hooks *hooks);
/* The same of a plain one, with hooks. */
void soon__call_run_plain(soon_call *call, struct soon__local *local, const struct soon__run_hooks *hooks);
/* What runs once per worker, with what it is given. */
struct soon__initializer {
    const soon_function *function; /* NULL: there is none */
    soon_bytes arg, extra;
};
/* No future. NULL, or why it failed (a reference). */
struct soon__error *soon__initializer_run(soon_executor *executor, const struct soon__initializer *initializer,
                                          struct soon__local *local);

/*
 * A worker has begun it, and it comes back, to be tried again or for the rest of its items. That is one fact of the call,
 * and decides what becomes of it from here on: its future goes on running, whoever looks at it or not; its queue limit was
 * kept, and is over; and each error says that it had begun. Items of a chunk have begun each by itself: `items.begun`.
 */
void soon__call_comes_back(soon_call *call);
/* An error of this call: says that it had begun, if it had. Takes the reference, gives one. */
struct soon__error *soon__call_own_error(const soon_call *call, struct soon__error *error);
/* The same of one of its items. */
struct soon__error *soon__item_own_error(const struct soon__items *items, size_t index, struct soon__error *error);

/* Moves the outcome into the future and ends the call. */
void soon__call_finish(soon_call *call, struct soon__outcome *outcome, const struct soon__run_hooks *hooks);
/* The same of one that a pool alone may finish, with the result that lies in its block, or none. */
void soon__call_finish_plain(soon_call *call);
/* That under the pool's mutex: in one step, if it has nothing to release and there is nobody to tell but those that sleep for it.
 * False: nothing was done. */
bool soon__call_finish_bare(soon_call *call);
/* The bytes of the call stay until one more soon__call_end(). For its holder; at most 255. */
void soon__call_hold(soon_call *call);
/* Ends a call whose future is done: releases argument and reference. On a thread that runs no user code now
 * (soon__library_is_quiet()) the callback thread does that. */
void soon__call_end(soon_call *call);
/* For one that was never taken by anybody: frees all, releases nothing of what was given, runs nothing. */
void soon__call_discard(soon_call *call);
/* Fails it with `error` (takes the reference) or cancels it, then ends it. */
void soon__call_fail(soon_call *call, struct soon__error *error);
void soon__call_cancel(soon_call *call);
/* An error with the call's function and label. */
struct soon__error *soon__call_error(const soon_call *call, int code, const char *text);

#endif
