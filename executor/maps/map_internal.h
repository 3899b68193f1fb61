/*
 * map_internal.h - one function over an array of arguments: what soon_map() and soon_map_async() share.
 *
 * A map is a future with its chunks. A chunk is some neighbouring items that travel as one call; it belongs to its map.
 * The map's block is held by its readers, and by the library until every chunk has ended.
 */
#ifndef SOON_EXECUTOR_MAPS_MAP_INTERNAL_H
#define SOON_EXECUTOR_MAPS_MAP_INTERNAL_H

#include "../core/executor_internal.h"
#include "../items.h"
#include "../loops/library_loop_internal.h"
#include "batch_internal.h"

struct soon__map;

/* A failed item of a chunk; and a block of them, in order of index. See map_chunk.c. */
struct soon__failure {
    size_t index;
    struct soon__error *error; /* a reference */
};
struct soon__failures {
    _Atomic(struct soon__failures *) next;
    _Atomic size_t count;
    size_t room;
    struct soon__failure *list;
};

/* The result of an item, where that has no fixed size; and what came with one, whatever its size. */
struct soon__map_result {
    void *data;
    size_t size;
    bool on_heap, mapped; /* neither: the future of its call has it */
};

struct soon__chunk {
    struct soon__items items; /* first: what the run sees */
    struct soon__map *map;
    _Atomic size_t finished;         /* the first so many items have their outcome */
    _Atomic size_t failed;           /* of these */
    _Atomic size_t rest;             /* items from here on never ran; until the chunk ends: items.count */
    struct soon__error *rest_error;  /* why: set before `rest`; a reference */
    struct soon__error *begun_error; /* the same for those of the rest that had begun (items.begun); NULL: none had */
    bool rest_stopped;               /* by the map itself, so that it is not what the map failed of */
    struct soon__failures failures;  /* its first block, with room in `failure` */
    struct soon__failures *last;     /* the worker's */
    struct soon__failure failure;
    struct soon__error *first_own; /* the first failure that was not the map's doing, NULL: none; lent by the above */
    _Atomic(soon_future *) future; /* of the call; a reader's reference; NULL: not submitted */
    struct soon__callback ended;
    struct soon__job job;
    bool unreleased;                 /* the arguments of the rest, see soon__chunk_release() */
    size_t given;                    /* the first so many results were copied out: what they point to is the caller's */
    struct soon__map_result *varied; /* of each item, from 0 on; NULL: all are in items.results, or not wanted */
    _Atomic(soon_buffer **) payloads; /* of each item; made with the first that has one. Published as the results are */
};

struct soon__map {
    soon_future future; /* first */
    const soon_function *function;
    size_t count, chunk_size, chunk_count;
    struct soon__chunk *chunks;
    void *own_args, *own_results; /* NULL: the caller's are used */
    soon_item *each;              /* items of any size; NULL: the arguments lie one behind the other */
    struct soon__store store;     /* theirs */
    bool args_are_own;            /* of the map: they live as long as it does */
    char *results;
    struct soon__map_result *varied; /* instead of `results`, of a function whose result has no fixed size */
    int64_t deadline;                /* no item starts after it */
    bool stop_at_error;
    bool observed;                   /* a map_async: others may wait for its items */
    bool can_be_killed;              /* its executor can kill a call */
    _Atomic uint32_t stopped;        /* nothing more is to start */
    _Atomic uint32_t killed;         /* nor after what is killed */
    _Atomic size_t first_unfinished; /* where to look for a chunk that has not ended */
    _Atomic size_t left;             /* chunks that have not ended; and one for who is submitting */
    /* Who waits for one item counts itself in, then sleeps on the bell. */
    _Atomic uint32_t item_waiters, item_bell;
    char label[];
};

/* What a map is asked to do. */
struct soon__map_params {
    const char *caller; /* the public function's name */
    soon_executor *executor;
    const soon_function *function;
    const void *args; /* one of these three; all NULL: zeroes */
    const soon_item *items;
    const char *const *strings;
    size_t count;
    void *results;
    int *errors;
    soon_map_options options;
    bool varied; /* of items or strings */
    bool observed;
};
/* maps/arguments.c. 0, -EINVAL, SOON_EFORKED. */
int soon__map_check(const struct soon__map_params *params);
/* Somebody may return before every call has ended. */
bool soon__map_outlives_caller(const struct soon__map_params *params);
/* The map's own arguments, or the caller's. Payloads are the map's from here on, if nothing fails any more. 0 or -ENOMEM. */
int soon__map_own_args(struct soon__map *map, const struct soon__map_params *params);
/* They are taken although nothing will run. */
void soon__map_release_args(const struct soon__map_params *params);

/* map.c: soon_map_bytes() and soon_map_async_bytes() of these; the options are read. */
int soon__map_run(struct soon__map_params *params, const void *options, size_t options_size);
soon_future *soon__map_begin(struct soon__map_params *params, const void *options, size_t options_size);

/* The map behind a future; NULL if it is of another class. */
struct soon__map *soon__map_of(const soon_future *future);

/* `each` of the options of a map: 0 or -EINVAL. NULL allowed. */
int soon__map_check_options(const soon_map_options *options);

/* Into how many calls a map is cut that does not say how: some for each worker, so that the last ones to end are short. */
static inline size_t soon__map_calls(soon_executor *executor)
{
    size_t width = soon__executor_width(executor), calls;

    return __builtin_mul_overflow(width, (size_t)4, &calls) ? SIZE_MAX : calls; /* a custom one's stats say anything */
}

/* For a worker that waits for `call` by way of another future: runs it here if it is pending. Whether it did. */
bool soon__help_pending(soon_future *call);

static inline bool soon__map_is_stopped(struct soon__map *map)
{
    /* Relaxed: a hint, for items that have not started. Those who must not miss it: soon__map_stop(). */
    return atomic_load_explicit(&map->stopped, memory_order_relaxed) != 0;
}

/* Nothing more starts: pending calls are cancelled, running ones asked to end. The caller holds a reference.
 * Idempotent. */
void soon__map_stop(struct soon__map *map);
/* A chunk, or who was submitting, is through; the last one completes the map and gives up the library's reference. */
void soon__map_leave(struct soon__map *map);

/* Finished items, and failed ones among them. */
void soon__map_count_items(struct soon__map *map, size_t *ret_done, size_t *ret_failed);
/* Lets those who wait for an item look again. */
void soon__map_ring(struct soon__map *map);

/* `args`: those of the map, where they lie one behind the other. */
void soon__chunk_init(struct soon__chunk *chunk, struct soon__map *map, size_t first, size_t count, const char *args);
/* Submits it, or ends it at once when nothing more is to start. */
void soon__chunk_submit(struct soon__chunk *chunk, soon_executor *executor, const soon_submit_options *each);
/* Releases what arguments point to that the end of the chunk could not: called by soon_map() once the map is done. */
void soon__chunk_release(struct soon__chunk *chunk);
/* Releases what its results point to, as far as they were not given away; when its call has ended. Idempotent. */
void soon__chunk_free_results(struct soon__chunk *chunk);
/* The chunk that travels in a call; NULL: none does. */
struct soon__chunk *soon__chunk_of(const soon_future *call);
/* When nobody else has a reference: releases what it holds. `results`: also what its results point to. */
void soon__chunk_fini(struct soon__chunk *chunk, bool results);

/* Whether an item has its outcome; then `*ret_error` is its error, or NULL. Any thread. */
bool soon__chunk_look(struct soon__chunk *chunk, size_t index, struct soon__error **ret_error);
/* What an item that has its outcome, and has not failed, gave. */
soon_bytes soon__chunk_result(const struct soon__chunk *chunk, size_t index);
soon_buffer *soon__chunk_payload(struct soon__chunk *chunk, size_t index);

/* Calls `fn` for each failed item among the first `count`, in order; these have their outcome. */
void soon__chunk_each_failure(struct soon__chunk *chunk, size_t count,
                              void (*fn)(size_t index, struct soon__error *error, void *data), void *data);

#endif
