/*
 * call_internal.h - one submission: a function, its argument and its future, in one block.
 *
 * A call belongs to one holder at a time: the thread that makes it, then the executor that took it (its queue, its
 * worker), then the thread that ends it: soon__call_end() releases the argument and gives back the library's reference.
 * The future in it may live on.
 */
#ifndef SOON_EXECUTOR_CORE_CALL_INTERNAL_H
#define SOON_EXECUTOR_CORE_CALL_INTERNAL_H

#include "../../futures/gather_internal.h"
#include "../loops/delivery_internal.h"
#include "executor_internal.h"
#include "heap_internal.h"
#include "items_internal.h"
#include "sample_internal.h"

#include <assert.h>

/* What few calls need; allocated with the first option that is set. */
struct soon__call_extra {
    struct soon__aside aside;                        /* first */
    soon_submit_options options;                     /* label, extra and payloads point into `text` */
    int64_t queue_deadline;                          /* SOON__NEVER: none */
    struct soon__heap_node by_priority, by_deadline; /* the pool's queue's, as is the next */
    soon_call *call;
    /* A reference of the future that it waits for, and later reads: of a soon_then() the result is the argument, of
     * a call that was submitted after others it is their gather, whose members are the inputs. NULL: none. */
    soon_future *first;
    struct soon__callback on_first;
    struct soon__items *items;
    size_t items_ended;      /* of these, in worker processes that have died: the rest is sent again */
    _Atomic uint32_t lost;   /* tries that were lost, and that `retries` made good */
    soon_buffer *arg_buffer; /* what `arg` lies in, to be sent to another process; NULL: it does not */
    struct soon__sample sample;
    _Alignas(16) char text[]; /* options.extra, then options.payloads, then options.label */
};

/*
 * Where a call is: this says who may touch it, and which members of its unions are alive. Only its holder changes it,
 * by soon__call_move(): the thread in whose hand it is, or the one that has the lock of what it is in. A call that
 * waits for another future is the exception: there the threads that want to go on with it compete, by soon__call_win().
 *
 *     IN_HAND ----> WAITING --its first is done--------------------> IN_HAND
 *              |       +------cancelled, or its executor closes----> GIVEN_UP, ends
 *              +--> INJECTED --by one that searches--> IN_HAND
 *              |       +------by a thread with the mutex--> QUEUED
 *              +--> QUEUED, IN_DEQUE, IN_SLOT, IN_FLIGHT --taken out--> IN_HAND
 *              +--> BEGUN, ends
 *              +--> REFUSED, ends
 */
enum soon__call_place {
    SOON__CALL_IN_HAND,   /* one thread makes, hands on, runs or ends it; it may be in a list of that one, by `next` */
    SOON__CALL_WAITING,   /* for its first, in its executor's list, under the executor's mutex: then.c */
    SOON__CALL_GIVEN_UP,  /* it was WAITING, and the one thread that has taken it from there cancels it */
    SOON__CALL_INJECTED,  /* in the stack of its pool, by `next` alone: pools/inject_internal.h */
    SOON__CALL_QUEUED,    /* in the queue of its pool, under the pool's mutex: pools/queue.c */
    SOON__CALL_IN_SLOT,   /* of a worker process, `slot` of `process`, under the pool's mutex */
    SOON__CALL_IN_FLIGHT, /* with the server of a cluster, or on its way there, `flight`, under the cluster's mutex */
    SOON__CALL_REFUSED,   /* in a list of the pool's of those that the loop will end with their `refusal`, by `next` */
    SOON__CALL_BEGUN,     /* its body runs, or has run: set only where the future does not say so (run.c) */
    SOON__CALL_IN_DEQUE,  /* this and above: in a deque of a thread pool, under the lock of that: threads/deque.c */
};

enum soon__call_flags {
    SOON__CALL_EXEMPT = 1,      /* the queue's bound does not apply */
    SOON__CALL_SPIN_HOOK = 2,   /* its executor has a `spin` */
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
            _Atomic uint8_t kept;  /* 0: one; see soon__call_keep() */
            bool began;            /* and came back: see soon__call_comes_back(). Its holder's */
            /* Never changed from when it is submitted on. */
            uint8_t flags;    /* enum soon__call_flags */
            uint8_t arg_size; /* of one in the block; else SOON__CALL_FAR */
            char before_outcome[offsetof(soon_future, result) - offsetof(soon_future, locked.waiters)];
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
        struct soon__flight *flight;   /* IN_FLIGHT */
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

    /* Acquire-release: the winner sees what was written before it waited; a thread that has lost sees what the
     * winner did. */
    return atomic_compare_exchange_strong_explicit(&call->place, &waiting, (uint8_t)to, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

/* On its way to the callback thread, which ends it. */
struct soon__call_job {
    struct soon__job job; /* first */
    soon_call *call;
};

/*
 * What follows in the block: the argument, or where it is; the result, if it is small and of fixed size; room for a
 * job, if ending it may run user code; a struct soon__delivery, if the option on_done is set. A result that is a word
 * lies before the argument, where there would be a hole.
 */
enum {
    SOON__CALL_ALIGNMENT = 16,
    SOON__CALL_SMALL_MAX = 240, /* of an argument or result that lies in the block */
    SOON__CALL_FAR = 255,       /* as the size of an argument: it is elsewhere */
    SOON__CALL_WORD_AT = (sizeof(soon_call) + sizeof(uint64_t) - 1) & ~(sizeof(uint64_t) - 1),
    SOON__CALL_ARG_AT =
        (SOON__CALL_WORD_AT + sizeof(uint64_t) + SOON__CALL_ALIGNMENT - 1) & ~(SOON__CALL_ALIGNMENT - 1),
    SOON__CALL_JOB_SIZE = (sizeof(struct soon__call_job) + SOON__CALL_ALIGNMENT - 1) & ~(SOON__CALL_ALIGNMENT - 1),
    SOON__CALL_ON_DONE_SIZE = (sizeof(struct soon__delivery) + SOON__CALL_ALIGNMENT - 1) & ~(SOON__CALL_ALIGNMENT - 1),
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

/* NULL: it is not sampled, or its end was told. */
static inline struct soon__sample *soon__call_sample(const soon_call *call)
{
    struct soon__call_extra *extra = soon__call_extra(call);

    return extra && extra->sample.weight ? &extra->sample : NULL;
}
/* Tells the end of a sampled call, before its outcome can be seen. */
static inline void soon__call_tell_end(soon_call *call, const struct soon__error *error, bool cancelled)
{
    struct soon__sample *sample = soon__call_sample(call);

    if (sample)
        soon__sample_ended(sample, soon__ending_of(error, cancelled));
}

static inline size_t soon__call_size(const soon_call *call)
{
    return (call->promise.future.block & SOON__BLOCK_STEPS) * (size_t)SOON__CALL_ALIGNMENT;
}
/* With the option on_done. */
static inline struct soon__delivery *soon__call_on_done(soon_call *call)
{
    return (struct soon__delivery *)((char *)call + soon__call_size(call) - SOON__CALL_ON_DONE_SIZE);
}
/* Whether ending a call may run user code: release functions. */
static inline bool soon__call_releases(const soon_function *function, const soon_submit_options *options, bool waits)
{
    return function->free_arg || waits || (options && options->payload);
}

/* Where its small result of fixed size lies. NULL: it has none. */
static inline void *soon__call_space(soon_call *call)
{
    size_t result = call->function->result_size, arg = soon__call_is_far(call) ? sizeof(soon_bytes) : call->arg_size;
    bool has_items = call->flags & SOON__CALL_HAS_EXTRA && soon__call_extra(call)->items;

    if (!result || result > SOON__CALL_SMALL_MAX || has_items)
        return NULL;
    return (char *)call + soon__call_space_at(result, arg);
}

/* Which try this is, from 1 on. Any thread. */
static inline unsigned soon__call_attempt(const soon_call *call)
{
    struct soon__call_extra *extra = soon__call_extra(call);

    /* Relaxed: a number to be shown; its holder changes it. */
    return 1 + (extra ? atomic_load_explicit(&extra->lost, memory_order_relaxed) : 0);
}
/* A try is lost, and the next has begun. For its holder. */
static inline void soon__call_count_lost(soon_call *call)
{
    struct soon__call_extra *extra = soon__call_extra(call);

    if (extra) /* Relaxed: as above. */
        atomic_fetch_add_explicit(&extra->lost, 1, memory_order_relaxed);
}
/* A try is lost. False: there is no further one. For its holder. */
bool soon__call_may_try_again(soon_call *call);

/* Set by the option, or by the item of a chunk of one; NULL: none. */
static inline const char *soon__call_label(const soon_call *call)
{
    return soon__call_extra(call) ? soon__call_extra(call)->options.label : NULL;
}

static inline soon_future *soon__call_future(soon_call *call)
{
    return &call->promise.future;
}
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

/* How many results of others it reads, and which. Only of a call that waits no more. */
static inline size_t soon__call_input_count(const soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);

    return extra && extra->first && !(call->flags & SOON__CALL_ARG_LENT) ? soon__group_count(extra->first) : 0;
}
static inline soon_future *soon__call_input(const soon_call *call, size_t index)
{
    return index < soon__call_input_count(call) ? soon__group_member(soon__call_extra(call)->first, index) : NULL;
}

/*
 * A worker has begun it, and it comes back, to be tried again or for the rest of its items. That is one fact of the
 * call, and decides what becomes of it from here on: its future goes on running; its queue limit was kept, and is over;
 * and each error says that it had begun. Items of a chunk have begun each by itself: `items.begun`.
 */
void soon__call_comes_back(soon_call *call);
/* An error of this call: says that it had begun, if it had. Takes the reference, gives one. */
struct soon__error *soon__call_own_error(const soon_call *call, struct soon__error *error);
/* The same of one of its items. */
struct soon__error *soon__item_own_error(const struct soon__items *items, size_t index, struct soon__error *error);

/* The bytes of the call stay until one more soon__call_end(). For its holder; at most 255. */
void soon__call_keep(soon_call *call);
/* Ends a call whose future is done: releases argument and reference. On a thread that runs no user code now
 * (soon__library_is_quiet()) the callback thread does that. */
void soon__call_end(soon_call *call);
/* Fails it with `error` (takes the reference) or cancels it, then ends it. */
void soon__call_fail(soon_call *call, struct soon__error *error);
void soon__call_cancel(soon_call *call);
/* An error with the call's function and label. */
struct soon__error *soon__call_error(const soon_call *call, int code, const char *text);

/* Hands it to the class. 0, or why that refuses: then it is still the caller's. */
static inline int soon__executor_take(soon_executor *executor, soon_call *call, bool may_block)
{
    return executor->klass.public.submit(executor->self, call, may_block);
}
/* Ends a call that was refused with `code`: fails its future, with the executor's reason if it is broken. */
void soon__executor_refuse(soon_executor *executor, soon_call *call, int code);

#endif
