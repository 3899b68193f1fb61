/*
 * future_internal.h - the future as its owners see it.
 *
 * A future is the first field of a larger block (a promise, a call, a group ...). The class of the future is a table of
 * functions through which this layer asks the block's owner. The block lives until the last reference, of readers and
 * of the library, is gone.
 *
 * The files of this folder, each above those that it uses:
 *
 *     gather                                            one future for several
 *     wait           promise                            several at once; the maker's half
 *     as_completed   failed   read   aside   cancel     what readers and makers do
 *     set            await    complete                  waiting for one; storing an outcome
 *                    depend   run_callbacks             what a wait leads to; callbacks in order
 *                             callback, callback_index
 *     park           future                             how a thread waits; the word, references, LOCK, waiters
 *                    value   block                      bytes; memory for what comes and goes with every task
 *                    refuse  slab                       the last error of a thread; where blocks come from
 *                    error   thread                     errors; the record of the calling thread
 *                    system                             the operating system
 */
#ifndef SOON_FUTURES_FUTURE_INTERNAL_H
#define SOON_FUTURES_FUTURE_INTERNAL_H

#include "future.h"
#include "refuse_internal.h"
#include "system_internal.h"
#include "thread_internal.h"
#include "value_internal.h"

#include <string.h>

/*
 * The state of a future: the lowest bits of its word.
 *
 *     PENDING ----------start---------> RUNNING
 *        |                                 |
 *        | claim                           | claim
 *        v                                 v
 *     COMPLETING_PENDING          COMPLETING_RUNNING
 *        |                                 |
 *        +---------------+-----------------+
 *                        | publish
 *                        v
 *              FINISHED or CANCELLED
 *
 * A pool's call that only one thread may complete is not claimed: that thread, which has taken it out of the pool,
 * publishes straight from PENDING or RUNNING. A plain call is not even started; class->has_begun() tells whether it has
 * begun.
 *
 * I1  The state moves along these arrows only, each by a compare-exchange of the word. So of a worker, a canceller, an
 *     expired limit and a shutdown only one claims the future. Readers still see the state before the claim.
 * I2  The thread that has claimed the future writes the outcome before it publishes. Others read it only after an
 *     acquire load has shown a final state. So the outcome needs no lock, and never changes afterwards.
 * I3  LOCK, a bit of the word, guards the lists of waiters and callbacks. Publishing takes LOCK if there is, or was,
 *     one of them: so a waiter that was registered before is notified, and one that comes later sees the final state.
 * I4  Waiters are notified under LOCK. So a waiter that gives up is forgotten once it has taken LOCK.
 * I5  Publishing allocates nothing. Callbacks are taken off one at a time, so that removing one is exact until it
 *     begins to run.
 * I6  A thread that sleeps on the word has set PARKED in the value that it sleeps on. The thread that stores the final
 *     state clears PARKED and wakes the sleepers.
 * I7  A thread that cancels a future keeps its owner pinned until the internal continuations have run: what the library
 *     has made of the future (a map, a group, a then) is done before the owner can be down. Users' callbacks wait until
 *     the pin is given back, since one of them may free the owner.
 */
enum soon__future_state {
    SOON__PENDING = 0,
    SOON__RUNNING = 1,
    SOON__COMPLETING_PENDING = 2,
    SOON__COMPLETING_RUNNING = 3,
    SOON__FINISHED = 4, /* this and CANCELLED are final */
    SOON__CANCELLED = 5,
};

/* The flags of the word. Above them are its references. */
enum {
    SOON__STATE = 7u, /* the bits of the state */
    SOON__LOCK = 8u,
    SOON__LOCK_WANTED = 16u, /* a thread sleeps until LOCK is free */
    SOON__PARKED = 32u,      /* a thread sleeps until the future is done */
    SOON__LISTS = 64u,       /* there is, or was, a waiter or a callback: completing takes LOCK */
    SOON__CANCEL_REQUESTED = 128u,
    SOON__LOOKED = 256u,           /* somebody has seen the error */
    SOON__TAKEN = 512u,            /* soon_future_take() gave away what the result points to */
    SOON__SUNK = 1024u,            /* its callbacks were handed to the library's callback thread */
    SOON__RESULT_ON_HEAP = 2048u,  /* the result's bytes are malloc'ed and freed with the future */
    SOON__RESULT_MAPPED = 4096u,   /* they are a mapping as from soon__shm_map(), which is unmapped with the future */
    SOON__FAILED = 8192u,          /* its outcome is an error */
    SOON__KILL_REQUESTED = 16384u, /* there will be no further try */
    SOON__FOR_LOOP = 32768u,       /* it was made with a callback on a loop: most likely there is nobody else to tell */
};

/* A reference of the library and one of a reader, 24 bits each. They are counted apart, so that one unref too many of a
 * reader is noticed while the library still has the block. */
#define SOON__LIBRARY (UINT64_C(1) << 16)
#define SOON__READER (UINT64_C(1) << 40)

/* Whose result it is, in words for a message. */
struct soon__described {
    const char *function, *type; /* "" where it is not known */
};

/* A group whose members are being cancelled; kept in the group itself. */
struct soon__members {
    struct soon__members *outer;
    soon_future *group; /* a reference */
    size_t next;
    bool callbacks; /* the group's are to run afterwards */
};

/* What a future's owner can be asked. Any member but destroy may be NULL. */
struct soon__class {
    /* Frees the block. Calls soon__future_fini(), which releases the future's own part. */
    void (*destroy)(soon_future *future);

    /* Keeps the owner alive until unpin. Called under LOCK while the future is unfinished: until then its owner lives
     * anyway. The hooks below that take an `owner` are called between the two. */
    void *(*pin)(soon_future *future);
    void (*unpin)(void *owner);
    /* Returns true if the owner has given the task up: it will not start. The caller then completes the future as
     * CANCELLED. NULL: a pending one may always be cancelled. */
    bool (*take_back)(soon_future *future, void *owner);
    /* As take_back, for a task that has begun, or that take_back did not give up. Returns true if the task waits for
     * its next try, which then will not start. CANCEL_REQUESTED is set before this is called. NULL: there is one
     * try. */
    bool (*take_back_again)(soon_future *future, void *owner);
    /* A reader has cancelled the future. If `taken`, its state is final (take_back gave it up, or there is none and it
     * was pending); else CANCEL_REQUESTED is set. Called before unpin and before callbacks. */
    void (*cancelled)(soon_future *future, void *owner, bool taken);
    /* Returns a future to cancel next, because this one was taken back: a reference, or NULL. The caller loops, so a
     * chain of them may be long; `cancelled` would recurse. */
    soon_future *(*also_cancel)(soon_future *future);
    /* For a group, whose members are cancelled with it, before its callbacks run. `members` returns a place in the
     * group to note how far that is; `member` a reference of one member, NULL behind the last. The caller loops here,
     * too. */
    struct soon__members *(*members)(soon_future *future);
    soon_future *(*member)(soon_future *future, size_t index);
    /* Called last, after unpin and callbacks, for what take_back gave up. */
    void (*taken_back)(soon_future *future);
    /* Ends the task by force, in any unfinished state. NULL: -ENOTSUP. */
    int (*kill)(soon_future *future, void *owner);
    /* Returns whether a future that its word calls PENDING has begun. NULL: the word, or refresh, says all. */
    bool (*has_begun)(const soon_future *future);
    /* Brings state and progress of the future up to date, where the owner knows more. NULL: they always are. */
    void (*refresh)(soon_future *future, void *owner);
    /* Runs something on the calling thread that the future waits for, instead of parking. Returns 1: look at the future
     * again; 0: there was nothing, park. */
    int (*help)(soon_future *future);
    /* Waits for the future awake, for a short time, at most up to `deadline`, before the thread parks. */
    void (*spin)(soon_future *future, int64_t deadline);
    /* Returns the future that must finish before this one can, or NULL: to refuse waits that could never end. This and
     * the next four are called under LOCK while the future is unfinished. */
    soon_future *(*source)(const soon_future *future);
    /* Returns whether this future hears of its source's end by a callback, not by an internal continuation. NULL: it
     * does not. */
    bool (*needs_callback)(const soon_future *future);
    /* Returns whether its callbacks run on the library's callback thread, unless a thread of the program completes it.
     * NULL: they do not. */
    bool (*ends_on_loop)(const soon_future *future);
    /* For a group: whether the first member that succeeds ends it. NULL: all members are needed. */
    bool (*takes_first)(const soon_future *future);
    /* Returns whether the future can end only after what is on the calling thread's stack has ended. NULL: not that the
     * class knows. */
    bool (*is_blocked_here)(const soon_future *future);
    /* Returns the future whose outcome this one shows, or NULL. That one is asked for progress, running, label, data
     * and function, and marked when the result is taken. This one keeps a reference of it. */
    soon_future *(*lender)(const soon_future *future);
    soon_progress (*progress)(const soon_future *future); /* NULL: what soon__future_set_progress() has set */
    unsigned (*attempt)(const soon_future *future);       /* which try this is, from 1 on. NULL: it is no task's */
    const char *(*label)(const soon_future *future);
    void *(*data)(const soon_future *future);
    /* The address of the executor whose task it is, to be compared, as in struct soon__frame. NULL: it is of none. */
    const void *(*executor)(const soon_future *future);
    const void *(*function)(const soon_future *future); /* whose result it is; NULL: nobody's */
    /* Returns whether its result may be read as `kind` (see soon_future_read_typed()), and what the result is. NULL:
     * not known. */
    bool (*fits)(const soon_future *future, const char *kind);
    struct soon__described (*describe)(const soon_future *future);
    /* For a future that holds a reference of itself until it is done. A thread that is about to give up the only other
     * reference asks; true means that nobody can want the outcome any more, and the future's own reference is given up
     * too. `refs` is what soon__word_refs() of its word is just now. */
    bool (*give_up)(soon_future *future, uint64_t refs);
    /* COUNTED: references are counted. WATCHED: they are, and give_up is asked. IMMORTAL: there are none. */
    enum { SOON__COUNTED, SOON__WATCHED, SOON__IMMORTAL } counting;
};

/* Wants to hear of the end of a future. It lies in memory of the waiter's. `notify` is called once, under LOCK: it must
 * not take another future's LOCK, complete anything, or run user code. */
struct soon__waiter {
    struct soon__waiter *next, **link; /* link NULL: it is not registered */
    void (*notify)(struct soon__waiter *waiter, soon_future *future);
};

enum soon__callback_kind {
    SOON__CALLBACK_INTERNAL, /* library code: runs before all others, on the completing thread; runs no user code */
    SOON__CALLBACK_USER,     /* runs on the completing thread, or where that thread's sink sends it */
    SOON__CALLBACK_POSTED,   /* `deliver` posts it to a loop, which runs it later */
};

/* A callback. It belongs to its registration until it was run or removed; while it is in a ring, next, previous,
 * delivered and index are under the future's LOCK. All zero but for its kind, fn, data and hooks before it is
 * registered: it may be taken back before that. */
struct soon__callback {
    struct soon__callback *next, *previous; /* next NULL: it is not in a ring */
    enum soon__callback_kind kind;
    bool delivered; /* POSTED: its loop has it. Whoever takes it off the future runs it, or drops it */
    soon_done_fn fn;
    void *data;
    /* Releases `data`, once: when fn has run, or will certainly never run. Called by the thread that took the callback
     * off the future. NULL: nothing to release. */
    soon_free_fn let_go;
    union {
        /* USER, INTERNAL: frees the callback, after it was taken off and before fn runs. NULL: it is part of something
         * else. */
        void (*release)(struct soon__callback *callback);
        /* POSTED: takes the callback to its loop, with one reference of the future. */
        void (*deliver)(struct soon__callback *callback, soon_future *future);
    };
    /* POSTED: it was removed before it was delivered. Called without LOCK. */
    void (*removed)(struct soon__callback *callback, soon_future *future);
    struct {
        struct soon__callback *parent, *left, *right;
        struct soon__callback
            *root; /* kept in the ring's last one: of the index of users' callbacks; NULL: there is none */
    } index;
};

/* Returns whether an array of `count` elements of `size` bytes can exist. Refuses a negative number that was passed as
 * a count, or a sum that went wrong, before anything is read. What passes can be multiplied. */
static inline bool soon__array_fits(size_t count, size_t size)
{
    return size == 0 || count <= PTRDIFF_MAX / size;
}

/* Returns 0; -EINVAL for a NULL among them, or more than an array can have. */
int soon__check_futures(soon_future *const *futures, size_t count);

/* As memcpy() and memset(), without a call for a word, since most arguments and results are that. */
static inline void soon__copy(void *to, const void *from, size_t size)
{
    if (size == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else if (size == sizeof(uint32_t))
        memcpy(to, from, sizeof(uint32_t));
    else if (size)
        memcpy(to, from, size);
}
static inline void soon__zero(void *to, size_t size)
{
    if (size == sizeof(uint64_t))
        memset(to, 0, sizeof(uint64_t));
    else if (size == sizeof(uint32_t))
        memset(to, 0, sizeof(uint32_t));
    else if (size)
        memset(to, 0, size);
}

/* The listener to a future's progress; the executors' layer makes it. */
struct soon__progress_hook {
    /* Progress was set. Called under LOCK while the future is unfinished; must not wait for anybody. */
    void (*moved)(struct soon__progress_hook *hook);
    /* The future is done, and users' callbacks are to run. Returns true if they will run on another thread, which then
     * has the caller's reference. */
    bool (*runs_callbacks)(struct soon__progress_hook *hook);
    void (*destroy)(struct soon__progress_hook *hook); /* called with the future's end */
};

/* What few futures have; made with the first of it. An owner may have more behind it. */
struct soon__aside {
    soon_progress progress;           /* under LOCK */
    soon_buffer *payload;             /* a reference; changed under LOCK until the future is claimed */
    struct soon__buffers *further;    /* payloads behind that one; changed likewise */
    struct soon__progress_hook *hook; /* NULL: nobody listens */
};

/* How a future's block is given back. */
enum soon__block_bits {
    SOON__BLOCK_STEPS = 127, /* the size of the block, in steps of 16 bytes; its owner uses it, too */
    /* If it succeeds and has no `aside`, nothing but the block, and a result beside it, is to be given back. */
    SOON__BLOCK_ALONE = 128,
};

struct soon_future {
    _Atomic uint64_t word; /* enum soon__future_state, flags, references */
    const struct soon__class *class;
    uint16_t generation;        /* of the process that made it: the lowest bits of soon__generation() */
    uint8_t block;              /* enum soon__block_bits; 0: only its class knows */
    unsigned char for_owner[5]; /* free for the owner at any time: it fills a hole */
    union {
        struct {
            struct soon__waiter *waiters; /* until the state is final */
            /* The last of a ring. In it come internal callbacks, users' in order of registration, delivered ones. */
            struct soon__callback *callbacks;
        } locked;          /* under LOCK */
        soon_future *link; /* once the state is final: the next in a list of struct soon__thread */
    };
    /* The outcome. The thread that has claimed the future writes it, others read it after a final state. Until the
     * claim both fields are the owner's. */
    union {
        struct soon__error *failure; /* if FAILED; see soon__future_error() */
        const void *result;
    };
    union {
        size_t result_size;
        uint64_t number;
    };
    /* Under LOCK, but for an owner that makes it at the start. NULL: there is none; else malloc'ed. */
    struct soon__aside *aside;
};

/* It has `readers` references of readers, and `library` of the library. */
void soon__future_init(soon_future *future, const struct soon__class *class, uint32_t readers, uint32_t library);
void soon__future_fini(soon_future *future); /* in destroy: releases the outcome; calls the hook for unhandled errors */
soon_future *soon__future_ref(soon_future *future); /* one more reference of the library */
void soon__future_unref(soon_future *future);
void soon__future_give(soon_future *future);    /* turns a reference of the library into a reader's */
void soon__future_destroy(soon_future *future); /* it has no references left */
/* For a reader that has taken the result. Returns true if it had the last reference, which is given up then. */
bool soon__future_give_up_taken(soon_future *future);

/* Returns the lower half of the word: state and flags. */
static inline uint32_t soon__future_word(const soon_future *future)
{
    /* Acquire: pairs with the release that publishes the outcome, so a final state makes it readable. */
    return (uint32_t)atomic_load_explicit(&((soon_future *)future)->word, memory_order_acquire) & (SOON__LIBRARY - 1);
}
/* Returns the references in `word`, without state and flags. */
static inline uint64_t soon__word_refs(uint64_t word)
{
    return word & ~(SOON__LIBRARY - 1);
}
/* Returns the half of the word that threads sleep on: the lower one. It has a few bits of the references in it; when
 * those change, nobody is woken. */
static inline _Atomic uint32_t *soon__future_bed(soon_future *future)
{
    return (_Atomic uint32_t *)&future->word + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}
static inline bool soon__word_final(uint32_t word)
{
    return (word & SOON__STATE) >= SOON__FINISHED;
}

/* Returns the error of a future that is done; NULL if it succeeded. */
static inline struct soon__error *soon__future_error(const soon_future *future)
{
    return soon__future_word(future) & SOON__FAILED ? future->failure : NULL;
}

/* Returns whether it was made before a fork whose child this process is: the threads that could finish it are not
 * here. */
bool soon__future_is_pre_fork(const soon_future *future);

/* A list of futures that are done, or have no references; they are linked through themselves. */
static inline void soon__future_list_push(struct soon__future_list *list, soon_future *future)
{
    future->link = NULL;
    if (list->tail)
        list->tail->link = future;
    else
        list->head = future;
    list->tail = future;
}
static inline soon_future *soon__future_list_pop(struct soon__future_list *list)
{
    soon_future *future = list->head;

    if (future) {
        list->head = future->link;
        if (!list->head)
            list->tail = NULL;
    }
    return future;
}

/* LOCK. No user code may run under it. A pool's mutex may be taken under it, not the other way round. */
void soon__future_lock(soon_future *future);
void soon__future_unlock(soon_future *future);
/* Returns false, and does not lock it, if it is done, or was made before a fork. */
bool soon__future_lock_unfinished(soon_future *future);
void soon__future_set_bits(soon_future *future, uint32_t bits); /* flags */

/* Returns whether it is running, or was when it was claimed. */
static inline bool soon__future_has_started(const soon_future *future)
{
    uint32_t state = soon__future_word(future) & SOON__STATE;

    return state == SOON__RUNNING || state == SOON__COMPLETING_RUNNING;
}

static inline bool soon__state_leads_to(uint32_t from, uint32_t to)
{
    switch (to) {
    case SOON__RUNNING:
    case SOON__COMPLETING_PENDING:
        return from == SOON__PENDING;
    case SOON__COMPLETING_RUNNING:
        return from == SOON__RUNNING;
    default:
        return from < SOON__FINISHED && to >= SOON__FINISHED;
    }
}

/* Returns the word after one step of its state. Every change of a state is computed here. */
static inline uint64_t soon__word_move(uint64_t word, enum soon__future_state to)
{
    assert(soon__state_leads_to(word & SOON__STATE, to));
    return (word & ~(uint64_t)SOON__STATE) | to;
}

/* PENDING to RUNNING. Returns false if it is in another state. */
bool soon__future_start(soon_future *future);

/* Claims the right to write the outcome. Returns false if another thread has, or had, that. The one that got it sets
 * the error, or result, result_size and payload, then publishes. */
bool soon__future_claim(soon_future *future);
bool soon__future_claim_pending(soon_future *future);                        /* only if it has not begun */
void soon__future_set_error(soon_future *future, struct soon__error *error); /* takes the reference; NULL: no error */

/* Returns the error of a future that is done, and marks it as seen; NULL if it succeeded. */
struct soon__error *soon__future_failure(soon_future *future);

/* Has the owner bring state and progress up to date. */
void soon__future_refresh(soon_future *future);

/* Returns false, and registers nothing, if it is done, or was made before a fork. */
bool soon__future_add_waiter(soon_future *future, struct soon__waiter *waiter);
/* After this nobody touches the waiter. */
void soon__future_remove_waiter(soon_future *future, struct soon__waiter *waiter);

static inline bool soon__future_is_immortal(const soon_future *future)
{
    return future->class->counting == SOON__IMMORTAL;
}

/* Returns the future whose outcome this one shows; itself if it shows none. */
static inline soon_future *soon__future_shown(const soon_future *future)
{
    soon_future *lender;

    while (future->class->lender && (lender = future->class->lender(future)))
        future = lender;
    return (soon_future *)future;
}

#endif
