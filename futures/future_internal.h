/*
 * future_internal.h - the future as its owners see it.
 *
 * A future is the first field of a larger block (a promise, a call, a gather ...), whose class says what only the owner
 * knows. The block lives until the last reference, of readers and of the library, is gone.
 */
#ifndef SOON_FUTURES_FUTURE_INTERNAL_H
#define SOON_FUTURES_FUTURE_INTERNAL_H

#include "error_internal.h"
#include "future.h"
#include "system_internal.h"
#include "thread_internal.h"
#include "value_internal.h"

#include <string.h>

/* The word: what state, who may touch the lists, who sleeps; above these its references. See future.c. */
enum {
    SOON__STATE = 7u,
    SOON__PENDING = 0,
    SOON__RUNNING = 1,
    SOON__COMPLETING_PENDING = 2, /* somebody has won; readers still see PENDING */
    SOON__COMPLETING_RUNNING = 3,
    SOON__FINISHED = 4, /* 4 and above: final */
    SOON__CANCELLED = 5,
    SOON__LOCK = 8u,
    SOON__LOCK_WANTED = 16u, /* a thread sleeps for LOCK */
    SOON__PARKED = 32u,      /* a thread sleeps for the end */
    SOON__LISTS = 64u,       /* there is, or was, a waiter or a callback: completing takes the lock */
    SOON__CANCEL_REQUESTED = 128u,
    SOON__LOOKED = 256u,           /* somebody has seen the error */
    SOON__TAKEN = 512u,            /* soon_future_take gave away what the result points to */
    SOON__RESULT_ON_HEAP = 2048u,  /* the result's bytes are malloc'ed and go with the future */
    SOON__RESULT_MAPPED = 4096u,   /* they are a mapping of their own, as from soon__shm_map() */
    SOON__FAILED = 8192u,          /* its outcome is an error */
    SOON__KILL_REQUESTED = 16384u, /* there will be no further try */
    SOON__FOR_LOOP = 32768u, /* it began with a callback on a loop, which most likely is all that there is to tell */
    SOON__SUNK = 1024u,      /* its callbacks were handed to the library's callback thread */
};

/* The library's references and, above them, the readers': apart, so that a reader's unref too many is told while the
 * library still holds the block. 24 bits each. */
#define SOON__LIBRARY (UINT64_C(1) << 16)
#define SOON__READER (UINT64_C(1) << 40)

/* Of whose result: in words, for a message. */
struct soon__described {
    const char *function, *type; /* "" where it is not known */
};

/* A group whose members are being cancelled. */
struct soon__members {
    struct soon__members *outer;
    soon_future *group; /* a reference */
    size_t next;
    bool callbacks; /* the group's are to run */
};

struct soon__class {
    /* Frees the block; the base's part is released by soon__future_fini() in it. */
    void (*destroy)(soon_future *future);

    /* Any of these may be NULL. Those of a cancel and a kill run between pin and unpin: pin is called under LOCK
     * while the future is unfinished, so the owner still lives then, and keeps living until unpin. */
    void *(*pin)(soon_future *future);
    void (*unpin)(void *owner);
    /* True: the owner has given the task up, it will not start. The caller then completes it as CANCELLED. NULL: a
     * pending one may always be cancelled. */
    bool (*take_back)(soon_future *future, void *owner);
    /* The same of one that has begun, or that take_back did not give up: true: it waits for its next try, which will not
     * start. CANCEL_REQUESTED is set before that. NULL: there is one try. */
    bool (*take_back_again)(soon_future *future, void *owner);
    /* A reader has cancelled it: `taken`: take_back gave it up (or there is none and it was pending), its state is
     * final; else its request is raised. Before unpin and callbacks. */
    void (*cancelled)(soon_future *future, void *owner, bool taken);
    /* Another one that is to be cancelled because this was, taken back, or NULL; a reference. Not recursive, unlike
     * `cancelled`: for chains without end. */
    soon_future *(*also_cancel)(soon_future *future);
    /* A group: its members are cancelled with it, before its callbacks run. `members` is a place in it to note how
     * far that is; `member` a reference of one, NULL: there are no more. Not recursive either. */
    struct soon__members *(*members)(soon_future *future);
    soon_future *(*member)(soon_future *future, size_t index);
    /* What take_back gave up is over: after unpin and callbacks. */
    void (*taken_back)(soon_future *future);
    int (*kill)(soon_future *future, void *owner); /* in any unfinished state; NULL: -ENOTSUP */
    /* Whether a pending one has begun although its word does not say so. NULL: the word, or look, says all. */
    bool (*has_begun)(const soon_future *future);
    /* Somebody asks where it stands: an owner that knows more than the word starts it, and sets its progress. As the
     * others between pin and unpin. NULL: the word knows. */
    void (*look)(soon_future *future, void *owner);
    /* A thread is about to park for it: 1: something ran here, look again; 0: park. */
    int (*help)(soon_future *future);
    /* As that, when nothing ran here: may look for its end for a short time, up to `deadline`, before it parks. */
    void (*linger)(soon_future *future, int64_t deadline);
    /* The future that must finish before this one can, or NULL: to tell waits that could never end. Called under
     * LOCK while it is unfinished. */
    soon_future *(*source)(const soon_future *future);
    /* Whether what comes from there is a callback of its source's, not an internal continuation. As that. NULL: it never
     * is. */
    bool (*needs_callback)(const soon_future *future);
    /* Whether callbacks of it run on the library's callback thread when nobody interferes. As that. NULL: they do not. */
    bool (*ends_on_loop)(const soon_future *future);
    /* A group: whether the first member that succeeds ends it. As that. NULL: all are needed. */
    bool (*takes_first)(const soon_future *future);
    /* Whether this unfinished future can end only when what is on the calling thread's stack has. NULL: not that its class
     * knew. Called under LOCK. */
    bool (*is_held_up_here)(const soon_future *future);
    /* The future whose outcome this one shows, or NULL: asked for progress, running, label, data, function, and
     * marked when the result is taken. This one keeps a reference of it. */
    soon_future *(*lender)(const soon_future *future);
    soon_progress (*progress)(const soon_future *future); /* NULL: the lender's, else the field's */
    const char *(*label)(const soon_future *future);
    void *(*data)(const soon_future *future);
    const void *(*function)(const soon_future *future); /* whose result it is; NULL: nobody's */
    /* Whether its result can be read as this kind (soon_future_read_typed()), and what it is. NULL: nothing is known. */
    bool (*fits)(const soon_future *future, const char *kind);
    struct soon__described (*describe)(const soon_future *future);
    /* One that holds a reference of itself until it is done. Whoever is about to give up the only one beside that asks:
     * true: nobody can want it any more, so that one is given up too. NULL: it holds none. */
    bool (*give_up)(soon_future *future, uint64_t refs); /* `refs`: of its word, as soon__word_refs() */
    /* What a reference is: COUNTED; those of WATCHED ones are given up with a look at give_up; IMMORTAL has none. */
    enum { SOON__COUNTED, SOON__WATCHED, SOON__IMMORTAL } counting;
};

/* A one-shot note that a waiter leaves with a future. Embedded in the waiter; notified under LOCK: must not take
 * another future's lock, complete anything or run user code. */
struct soon__waiter {
    struct soon__waiter *next, **link; /* link NULL: not registered */
    void (*notify)(struct soon__waiter *waiter, soon_future *future);
};

/* A callback, by whom it is run. Owned by the registration until it was run or removed. All zero but for what it is before
 * anybody knows of it: who takes back what holds it may be earlier than the registration. */
enum soon__callback_kind {
    SOON__CALLBACK_INTERNAL, /* library code: before all others, on the completing thread, runs no user code */
    SOON__CALLBACK_USER,     /* on the completing thread, or where its sink sends it */
    SOON__CALLBACK_POSTED,   /* `deliver` posts it to a loop, which runs it later */
};
struct soon__callback {
    struct soon__callback *next, *previous; /* next NULL: it is not in a ring */
    enum soon__callback_kind kind;
    bool delivered; /* POSTED: with its loop now; who takes it off the future runs or drops it */
    soon_done_fn fn;
    void *data;
    /* The program's, for `data`: called when fn has run, or it is certain that it never will; by who has taken the node
     * off, so once. NULL: none. */
    soon_free_fn let_go;
    union {
        /* USER and INTERNAL: called with the node after it was taken off and before fn runs, to free it; NULL: embedded,
         * nothing to do. */
        void (*release)(struct soon__callback *callback);
        /* POSTED: takes the node to its loop; the future has one reference more, which goes with it. */
        void (*deliver)(struct soon__callback *callback, soon_future *future);
    };
    /* POSTED: a remove has taken it back before it was delivered. Runs outside LOCK. After that there is only the
     * claim. */
    void (*removed)(struct soon__callback *callback, soon_future *future);
    struct {
        struct soon__callback *parent, *left, *right;
        struct soon__callback *root; /* of the ring's last: of an index of users' callbacks; NULL: there is none yet */
    } index;
};

/* Whether there can be an array of `count` elements of `size` bytes. A count that is a negative number in disguise, or the
 * result of a sum that went wrong, is refused by this before anything is read or made of it; and what passes can be
 * multiplied. */
static inline bool soon__array_fits(size_t count, size_t size)
{
    return size == 0 || count <= PTRDIFF_MAX / size;
}

/* 0 or -EINVAL: a NULL, or more than an array can have. */
int soon__check_futures(soon_future *const *futures, size_t count);

/* Most arguments and results are a word: these without a call. */
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

/* Who listens to its progress: the executors' layer, which has made it. */
struct soon__progress_hook {
    /* It was set: under LOCK, while it is unfinished. Waits for nobody. */
    void (*moved)(struct soon__progress_hook *hook);
    /* It is done, and users' callbacks are to run: true: they will on another thread, which has the caller's reference. */
    bool (*settles)(struct soon__progress_hook *hook);
    void (*destroy)(struct soon__progress_hook *hook); /* with the future */
};

/* What few futures have; made with the first of it. An owner may have more behind it. */
struct soon__aside {
    soon_progress progress;           /* under LOCK */
    soon_buffer *payload;             /* until it is claimed under LOCK; a reference */
    struct soon__buffers *further;    /* as that: payloads behind it */
    struct soon__progress_hook *hook; /* NULL: nobody listens */
};

/* How it is given back. */
enum soon__block_bits {
    SOON__BLOCK_STEPS = 127, /* the size of its block, in steps of 16; for its owner, too */
    /* Where it has succeeded and has no `aside`: that, and a result beside it, are all that there is to give back. */
    SOON__BLOCK_ALONE = 128,
};

struct soon_future {
    _Atomic uint64_t word;
    const struct soon__class *class;
    uint16_t generation;        /* of the process that made it, so many bits of it */
    uint8_t block;              /* enum soon__block_bits; 0: its class alone knows */
    unsigned char for_owner[5]; /* the owner's, always: where there would be a hole */
    union {
        struct soon__waiter *waiters; /* under LOCK, until final */
        soon_future *link;            /* afterwards: in a list of struct soon__thread */
    };
    /* Under LOCK: the last of a ring. Internal ones first; then users' in order of registration; those delivered
     * last. */
    struct soon__callback *callbacks;
    /* The outcome: written by who won COMPLETING, read after a final state. Until it is claimed both are the owner's. */
    union {
        struct soon__error *failure; /* FAILED; see soon__future_error() */
        const void *result;
    };
    union {
        size_t result_size;
        uint64_t number;
    };
    struct soon__aside *aside; /* NULL: none; malloc'ed. Under LOCK, but an owner's from the start */
};

/* One reader's reference and `library` of the library's own. */
void soon__future_init(soon_future *future, const struct soon__class *class, uint32_t readers, uint32_t library);
void soon__future_fini(soon_future *future);        /* in destroy: outcome, unhandled-error hook */
soon_future *soon__future_ref(soon_future *future); /* a reference of the library's own */
void soon__future_unref(soon_future *future);
void soon__future_give(soon_future *future);    /* a reference of the library's own becomes a reader's */
void soon__future_destroy(soon_future *future); /* has no references left */
/* By a reader that took what is in it. True: it had the last reference, and has not any more. */
bool soon__future_give_up_taken(soon_future *future);
void soon__future_settle(soon_future *future); /* see soon__thread.sink */

/* Without the references. */
static inline uint32_t soon__future_word(const soon_future *future)
{
    /* Acquire: pairs with the release that publishes the outcome, so a final state makes it readable. */
    return (uint32_t)atomic_load_explicit(&((soon_future *)future)->word, memory_order_acquire) & (SOON__LIBRARY - 1);
}
/* Of its word: what is left without the flags. */
static inline uint64_t soon__word_refs(uint64_t word)
{
    return word & ~(SOON__LIBRARY - 1);
}
/* Who sleeps sleeps on half of it: with a few references, whose coming and going wakes nobody. */
static inline _Atomic uint32_t *soon__future_bed(soon_future *future)
{
    return (_Atomic uint32_t *)&future->word + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}
static inline bool soon__word_final(uint32_t word)
{
    return (word & SOON__STATE) >= SOON__FINISHED;
}

/* Of one that is done: its error, NULL if it succeeded. */
static inline struct soon__error *soon__future_error(const soon_future *future)
{
    return soon__future_word(future) & SOON__FAILED ? future->failure : NULL;
}

/* A future of the process before a fork: the threads that could finish it are not here. */
bool soon__future_is_pre_fork(const soon_future *future);

/* Lists of futures that are done, or without references: linked through themselves. */
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

/* LOCK, for the files of the future itself. No user code under it; a pool's mutex may be taken under it, not the
 * other way. */
void soon__future_lock(soon_future *future);
void soon__future_unlock(soon_future *future);
bool soon__future_lock_unfinished(soon_future *future); /* false, and not locked: it is final, or foreign */
void soon__future_set_bits(soon_future *future, uint32_t bits);
void soon__callbacks_order_locked(soon_future *future); /* internal continuations: into the order of registration */

/* It is running, or was when somebody won the right to end it. */
static inline bool soon__future_has_started(const soon_future *future)
{
    uint32_t state = soon__future_word(future) & SOON__STATE;

    return state == SOON__RUNNING || state == SOON__COMPLETING_RUNNING;
}

bool soon__future_start(soon_future *future); /* PENDING -> RUNNING; false: it is over already */

/* The right to write the outcome. False: somebody else has, or had, it. The winner sets the error, or
 * fills result and result_size, and payload, then publishes. */
bool soon__future_claim(soon_future *future);
void soon__future_set_error(soon_future *future, struct soon__error *error); /* takes the reference; NULL: none */
/* Its word when nobody is between claim and publish: who has lost waits for that, so that what it says can be seen.
 * Short, since no user code runs in between. */
uint32_t soon__future_settled(soon_future *future);
/* Stores the final state, wakes waiters, runs callbacks. `state` is SOON__FINISHED or SOON__CANCELLED. The caller
 * holds a reference. Allocates nothing. */
void soon__future_publish(soon_future *future, uint32_t state);
/* The same, and gives up the library's reference that the caller has. */
void soon__future_publish_and_unref(soon_future *future, uint32_t state);
/* That in one step, which takes no LOCK, if there is nobody to tell but those that sleep for it: so also under a pool's mutex, of one
 * that is destroyed without user code. False: there is, and nothing was done. */
bool soon__future_publish_bare(soon_future *future, uint32_t state);
/* FINISHED with this result. `owned`: 0, SOON__RESULT_ON_HEAP or SOON__RESULT_MAPPED: it goes with the future. */
void soon__future_publish_bytes(soon_future *future, const void *data, size_t size, uint32_t owned);

void soon__future_run_callbacks(soon_future *future); /* of one that is done; gives up a reference */

/* In between, those that sleep for what this thread completes sleep on: for many that are completed in one go. Does not
 * nest, and runs no user code in between. */
void soon__wakes_hold(struct soon__wakes *wakes);
void soon__wakes_release(struct soon__wakes *wakes);

/* In between, users' callbacks of what this thread completes wait: it holds what they might wait for. Nests. */
bool soon__callbacks_hold(void);
void soon__callbacks_release(bool held);

/* claim, set the error, publish. Takes the reference. False: it was done already. */
bool soon__future_end(soon_future *future, uint32_t state, struct soon__error *error);
/* After claim: gives `future` the outcome of `source`, which is done and its lender: bytes and payload are lent on. */
void soon__future_publish_as(soon_future *future, soon_future *source);

/* A member of a soon_gather(), which holds it; NULL: there are not so many, or it is no group. */
soon_future *soon__group_member(const soon_future *group, size_t index);
size_t soon__group_count(const soon_future *group);

/* The error of a done future, NULL if it succeeded; counts as having looked. */
struct soon__error *soon__future_failure(soon_future *future);

/* Under LOCK. False: it is final (or belongs to the parent of a fork), nothing was registered. */
bool soon__future_add_waiter(soon_future *future, struct soon__waiter *waiter);
/* After this nobody touches the waiter. */
void soon__future_remove_waiter(soon_future *future, struct soon__waiter *waiter);
/* 1: registered; 0: the future is done, nothing registered; SOON_EFORKED. */
int soon__future_add_callback(soon_future *future, struct soon__callback *callback);
/* As soon_future_add_done_callback(). `let_go` gets `data` then, unless it fails; NULL: nobody does. */
int soon__future_tell(soon_future *future, soon_done_fn fn, void *data, soon_free_fn let_go);
/* An internal one, with LOCK, while it is unfinished. */
void soon__future_add_internal_locked(soon_future *future, struct soon__callback *callback);
/* The first of one that nobody else knows yet. */
void soon__future_begin_with(soon_future *future, struct soon__callback *callback);
/* Publishes, and gives up `refs`, if all that there is to tell is one loop: that is told at once, which runs no user code. False:
 * it is not so, and nothing was done. */
bool soon__future_publish_to_loop(soon_future *future, uint32_t state, uint64_t refs);
/* Takes it off the future, in constant time. False: it has run, is running, or was taken off before. The loop's thread asks
 * before it runs a delivered one. */
bool soon__future_take_callback(soon_future *future, struct soon__callback *callback);

/* Blocks until it is done or `deadline`, helping as the thread's worker can. 0, -ETIMEDOUT, SOON_EDEADLK,
 * SOON_EFORKED. */
int soon__future_await(soon_future *future, int64_t deadline);

/* Lets the owner bring its word and its progress up to date. */
void soon__future_look(soon_future *future);

void soon__future_set_progress(soon_future *future, uint64_t done, uint64_t total);
/* 0: with LOCK, and its aside is there. SOON_EINVALIDSTATE: it is done, or the parent's; -ENOMEM. */
int soon__future_lock_aside(soon_future *future);

/* Takes the buffer, always. 0; SOON_EINVALIDSTATE: it is done; -ENOMEM. */
int soon__future_set_payload(soon_future *future, soon_buffer *payload);
/* The same of one more, behind those that there are. */
int soon__future_add_payload(soon_future *future, soon_buffer *payload);
/* The same of all of them, of one that has none yet. */
int soon__future_set_payloads(soon_future *future, soon_buffer *payload, struct soon__buffers *further);

/* A future that is done with an error, what `caller` has refused, and one reader's reference. The immortal one if there is no
 * memory. */
soon_future *soon__future_new_failed(int code, const char *caller, const char *function, const char *label, void *data);
soon_future *soon__future_nomem(void);
static inline bool soon__future_is_immortal(const soon_future *future)
{
    return future->class->counting == SOON__IMMORTAL;
}

const void *soon__future_function(const soon_future *future); /* see soon__class.function */

#endif
