/*
 * progress_listener_internal.h - a future's listeners, and the hub that they share.
 */
#ifndef SOON_EXECUTOR_CORE_PROGRESS_LISTENER_INTERNAL_H
#define SOON_EXECUTOR_CORE_PROGRESS_LISTENER_INTERNAL_H

#include "../loops/delivery_internal.h"
#include "../loops/library_loop_internal.h"
#include "../loops/loop_internal.h"

#define SOON__PROGRESS_OF(type, member, pointer)                                                                       \
    ((struct soon__progress_##type *)((char *)(pointer)-offsetof(struct soon__progress_##type, member)))

enum { SOON__PROGRESS_TICK, SOON__PROGRESS_FINAL };

/* One of the two ways to a listener: with a loop an entry there, else a job of the callback thread. */
struct soon__progress_way {
    struct soon__loop_entry entry;
    struct soon__job job; /* also of one whose loop is lost */
    struct soon__progress_listener *listener;
    struct soon__progress_way *next; /* of those that one thread has claimed, and is about to post */
    bool posted;                     /* under the mutex; with a reference of the future */
};

struct soon__progress_hub;
struct soon__progress_listener {
    struct soon__progress_hub *hub;
    soon_loop *loop; /* counts it; NULL: the callback thread */
    soon_progress_fn fn;
    void *data;
    int64_t every_ns;
    struct soon__progress_way ways[2];
    /* Under the hub's mutex. */
    struct {
        struct soon__progress_listener *next;
        soon_free_fn release; /* NULL: none, or it is done */
        soon_progress told;
        int64_t again_at;
        bool running, gone;
    } locked;
};

struct soon__progress_hub {
    struct soon__progress_hook hook; /* first */
    soon_future *future;             /* whose it is */
    struct soon__callback ended;
    struct soon__job check, close, callbacks;
    bool polls, open;   /* L1, L2 */
    _Atomic bool awake; /* L1 */
    /* On the library's loop only. */
    struct {
        bool rests;       /* the last check has cleared `awake`, so a thread that sets it posts one, timer or not */
        uv_timer_t timer; /* its data is NULL: not made yet */
    } loop;
    pthread_mutex_t mutex;
    struct {
        struct soon__progress_listener *listeners; /* in order of registration */
        bool over;                                 /* the future is done */
        bool callbacks_posted;                     /* L4 */
    } locked;
};

static inline bool soon__progress_differs(soon_progress a, soon_progress b)
{
    return a.done != b.done || a.total != b.total;
}

struct soon__progress_request {
    soon_loop *loop;  /* NULL: the callback thread */
    int64_t every_ms; /* 0: the default */
    soon_progress_fn fn;
    void *data;
    soon_free_fn release;
};

/* NULL: no memory. */
struct soon__progress_listener *soon__progress_listener_new(struct soon__progress_hub *hub,
                                                            const struct soon__progress_request *request);
/* One that nobody has posted, or will. */
void soon__progress_listener_free(struct soon__progress_listener *listener);

/* Off the hub's list: it is called no more. */
void soon__progress_leave_locked(struct soon__progress_listener *listener);
/* What is to be done outside of the mutex (L5). */
struct soon__progress_parting {
    soon_free_fn release;
    void *data;
    struct soon__progress_listener *listener;
};
struct soon__progress_parting soon__progress_part_locked(struct soon__progress_listener *listener);
void soon__progress_part(struct soon__progress_parting parting);

/* From here on the listener stays until that way was run. Returns where the next one is to be linked. */
struct soon__progress_way **soon__progress_claim_locked(struct soon__progress_listener *listener, int which,
                                                        struct soon__progress_way **link);
/* All that one thread has claimed, to where they are run. Under no lock. */
void soon__progress_post(struct soon__progress_way *way);
/* On its loop, or the callback thread: calls the listener, if there is something to tell. Returns whether there was. */
bool soon__progress_run(struct soon__progress_way *way);

#endif
