/*
 * map_state_internal.h - a map and its chunks: what they hold, the states that they are in, and who may change them.
 *
 * A map is a future with its chunks. A chunk is some neighbouring items that travel as one call. The map's block is
 * held by the readers of the future, and by the library until every chunk has ended.
 *
 * The state of a map says which of its items may still start. soon__map_move() alone changes it, on any thread:
 *
 *     GOING --kill--> KILLED --stop--> STOPPED
 *       |                                 ^
 *       +---------------stop--------------+
 *
 * GOING    Items start as workers come to them.
 * KILLED   What runs is ended by force, and what its end leaves behind does not start.
 * STOPPED  Nothing starts any more: somebody has cancelled the map, or an item of one with `stop_at_error` has failed.
 *
 * The state of a chunk says what becomes of its items that have not started. move() in map_chunk.c alone changes it, on
 * the thread that runs the chunk's call, and after that on the thread that hears of its end:
 *
 *           +--the map was stopped--> STOPPED --+
 *     GOING-+--another reason-------> REFUSED --+--> ENDED or OWING
 *           +--every item has run---------------+
 *
 * GOING    The next item may start.
 * STOPPED  No more start. That is the map's own doing, so the map does not fail of it.
 * REFUSED  No more start, for a reason of which the map fails.
 * ENDED    Each item has its outcome.
 * OWING    The same, and soon_map() is to release the arguments of those that never ran, which lie in its caller's
 *          memory.
 */
#ifndef SOON_EXECUTOR_MAPS_MAP_STATE_INTERNAL_H
#define SOON_EXECUTOR_MAPS_MAP_STATE_INTERNAL_H

#include "batch_internal.h"
#include "item_internal.h"
#include "map_failures_internal.h"

struct soon__map;

enum soon__map_state { SOON__MAP_GOING, SOON__MAP_KILLED, SOON__MAP_STOPPED };

enum soon__chunk_state {
    SOON__CHUNK_GOING,
    SOON__CHUNK_STOPPED,
    SOON__CHUNK_REFUSED,
    SOON__CHUNK_ENDED,
    SOON__CHUNK_OWING,
};

/* The result of an item, if the function's result has no fixed size. */
struct soon__map_result {
    void *data;
    size_t size;
    bool on_heap, mapped; /* neither: `data` lies in the future of the item's call */
};

/* What a program sees of them is the first. */
struct soon__item_payloads {
    soon_buffer *first;
    struct soon__buffers *further;
};

struct soon__chunk {
    struct soon__batch batch; /* first */
    struct soon__map *map;
    enum soon__chunk_state state;

    /* What became of the items. The thread that runs them writes it, in order; see C1 and C2 in map_chunk.c. */
    _Atomic size_t finished; /* the first so many items have their outcome */
    _Atomic size_t failed;   /* so many of these have failed */
    struct soon__failures failures;
    struct soon__error *first_own; /* the first failure that is not the map's own doing, lent; or NULL */

    /* The items that never ran: from `rest` on. Until the chunk ends there are none. */
    _Atomic size_t rest;
    struct soon__error *rest_error;  /* why they did not run; a reference. Set when the state leaves GOING */
    struct soon__error *begun_error; /* the same for those that had begun (items.begun); NULL: none had */

    /* Results that do not lie in items.results, or come beside those. */
    struct soon__map_result *varied; /* one for each item, or NULL */
    /* Those of each item; NULL until the first payload comes. */
    _Atomic(struct soon__item_payloads *) payloads;
    size_t given; /* the first so many results were copied out: what they point to is the caller's */
};

struct soon__map {
    soon_future future; /* first */
    const soon_function *function;
    size_t count, chunk_size, chunk_count;
    struct soon__chunk *chunks;
    int64_t deadline; /* no item starts after it */
    bool stop_at_error;
    bool observed;      /* a map_async: other threads may look at its items and wait for them */
    bool can_be_killed; /* its executor can kill a call */

    /* The arguments: `each`, if they have a size of their own each; else one behind the other. */
    struct {
        bool are_own;             /* they live as long as the map, not only until soon_map() returns */
        void *array;              /* of the map; NULL: the caller's are used, or `each` */
        soon_item *each;          /* of the map */
        struct soon__store store; /* where copies of items lie */
    } args;

    /* The results: `varied` of a function whose result has no fixed size, else one behind the other in `array`. */
    struct {
        char *array;                     /* NULL: not wanted */
        bool are_own;                    /* `array` is the map's, not the caller's */
        struct soon__map_result *varied; /* of the map; NULL: not wanted */
    } results;

    _Atomic uint32_t state;          /* enum soon__map_state; the run of plain items reads it as items.stopped */
    _Atomic size_t left;             /* chunks that have not ended; and one for the thread that submits them */
    _Atomic size_t first_unfinished; /* a hint: all chunks before this one have ended */

    /* Threads that wait for a single item. Each counts itself in, looks at the item, then sleeps on the bell. */
    struct {
        _Atomic uint32_t waiters, bell;
    } item;
    char label[];
};

/* Moves the map along an arrow. Returns whether it did: false if it is in that state already, or in a later one. */
bool soon__map_move(struct soon__map *map, enum soon__map_state to);

static inline bool soon__map_is_stopped(struct soon__map *map)
{
    /* Relaxed: a hint for items that have not started. What must not be missed, see soon__map_stop(). */
    return atomic_load_explicit(&map->state, memory_order_relaxed) == SOON__MAP_STOPPED;
}

/* Stops the map, once: cancels pending calls, asks running ones to end. The caller holds a reference. */
void soon__map_stop(struct soon__map *map);

/* A chunk has ended, or all are submitted. The last one completes the map and gives up the library's reference. */
void soon__map_leave(struct soon__map *map);

/* Counts the items that are finished, and those of them that have failed. */
void soon__map_count_items(struct soon__map *map, size_t *ret_done, size_t *ret_failed);

/* Lets the threads that wait for an item look again. */
void soon__map_ring(struct soon__map *map);

#endif
