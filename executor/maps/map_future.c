/*
 * map_future.c - the future of a map: how it is cancelled, killed, waited for and looked at, all of which its calls do.
 */
#include "map_future_internal.h"

#include "../../futures/block_internal.h"
#include "map_chunk_internal.h"
#include "run_pending_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct soon__map *of_future(const soon_future *future)
{
    return (struct soon__map *)future;
}

static size_t size_with(const char *label)
{
    return sizeof(struct soon__map) + strlen(label) + 1;
}

static void destroy(soon_future *future)
{
    struct soon__map *map = of_future(future);
    bool taken = soon__future_word(future) & SOON__TAKEN;

    soon__future_fini(future);
    for (size_t i = 0; i < map->chunk_count; i++)
        soon__chunk_fini(&map->chunks[i], (map->results.are_own || map->results.varied) && !taken);
    free(map->chunks);
    free(map->args.array);
    free(map->args.each);
    soon__store_fini(&map->args.store);
    if (map->results.are_own)
        free(map->results.array);
    free(map->results.varied);
    soon__block_free(map, size_with(map->label));
}

/*
 * Cancel and kill
 */

/* The calls of a map know what has begun. So it is cancelled when all of them are, which may be at once. */
static bool take_back(soon_future *future, void *owner)
{
    (void)future;
    (void)owner;
    return false;
}

static void cancelled(soon_future *future, void *owner, bool taken)
{
    struct soon__map *map = of_future(future);

    (void)owner;
    (void)taken;
    soon__map_stop(map);
    soon__map_ring(map); /* an item of a map that is cancelled has its outcome */
}

/* Kills each worker that runs an item, and cancels what has not started. Does nothing if the executor cannot kill. */
static int kill_map(soon_future *future, void *owner)
{
    struct soon__map *map = of_future(future);
    int rc = SOON_EINVALIDSTATE;

    (void)owner;
    if (!map->can_be_killed)
        return -ENOTSUP;
    soon__future_set_bits(future, SOON__CANCEL_REQUESTED); /* if there is nothing to be killed, it ends CANCELLED */
    /* Before the calls are killed, so that a thread that finds one killed finds this. Not STOPPED: the outcome of an
     * item that is killed counts. */
    soon__map_move(map, SOON__MAP_KILLED);
    /* Backwards, so that what is pending ends first: else it would start in the place of what is killed. */
    for (size_t i = map->chunk_count; i-- > 0;) {
        /* Acquire: pairs with the store in soon__batch_submitted(). */
        soon_future *call = atomic_load_explicit(&map->chunks[i].batch.call, memory_order_acquire);

        if (call && soon_future_kill(call) == 0) /* else it has ended */
            rc = 0;
    }
    return rc;
}

/*
 * Waiting
 */

/* Returns the call of the first chunk that has not ended; NULL: all have. */
static soon_future *unfinished_call(struct soon__map *map)
{
    /* Relaxed, both: chunks before it have ended, for good. Acquire: as in kill_map(). */
    size_t first = atomic_load_explicit(&map->first_unfinished, memory_order_relaxed);
    soon_future *call = NULL;

    for (; first < map->chunk_count; first++) {
        call = atomic_load_explicit(&map->chunks[first].batch.call, memory_order_acquire);
        if (call && !soon__word_final(soon__future_word(call)))
            break;
        call = NULL;
    }
    atomic_store_explicit(&map->first_unfinished, first, memory_order_relaxed);
    return call;
}

/* Returns a call of the map that this thread is in the middle of; else one that has not ended. */
static soon_future *source(const soon_future *future)
{
    for (struct soon__frame *frame = soon__thread_self()->frames; frame; frame = frame->below) {
        struct soon__chunk *chunk = frame->future ? soon__chunk_of(frame->future) : NULL;

        if (chunk && &chunk->map->future == future)
            return (soon_future *)frame->future;
    }
    return unfinished_call(of_future(future));
}

/* A worker that waits for the map runs its pending calls. */
static int help(soon_future *future)
{
    return soon__run_pending(source(future));
}

/*
 * What it shows
 */

enum { CALLS_MAX = 64 };

/* The map is RUNNING when one of its calls is. It asks the first of those that have not ended. */
static void start_with_its_calls(soon_future *future, void *owner)
{
    struct soon__map *map = of_future(future);
    /* Relaxed, acquire: as in unfinished_call(). */
    size_t first = atomic_load_explicit(&map->first_unfinished, memory_order_relaxed);

    (void)owner;
    for (size_t i = first; i < map->chunk_count && i - first < CALLS_MAX; i++) {
        soon_future *call = atomic_load_explicit(&map->chunks[i].batch.call, memory_order_acquire);

        if (call && call->class->refresh && soon_future_state(call) == SOON_RUNNING) {
            soon__future_start(future);
            return;
        }
    }
}

static soon_progress progress(const soon_future *future)
{
    size_t done, failed;

    soon__map_count_items(of_future(future), &done, &failed);
    return (soon_progress){.done = done, .total = of_future(future)->count};
}

static const char *label(const soon_future *future)
{
    return of_future(future)->label;
}

#define MAP_CLASS                                                                                                      \
    .destroy = destroy, .cancelled = cancelled, .kill = kill_map, .help = help, .source = source,                      \
    .refresh = start_with_its_calls, .progress = progress, .label = label
static const struct soon__class map_class = {MAP_CLASS};
/* For an executor whose calls begin without a word to their items: the calls know that, and the map does not. */
static const struct soon__class remote_class = {MAP_CLASS, .take_back = take_back};

struct soon__map *soon__map_alloc(const char *label, bool has_look)
{
    struct soon__map *map = soon__block_new(size_with(label));

    if (!map)
        return NULL;
    *map = (struct soon__map){0};
    strcpy(map->label, label);
    soon__future_init(&map->future, has_look ? &remote_class : &map_class, 1, 1);
    return map;
}

struct soon__map *soon__map_of(const soon_future *future)
{
    return future && (future->class == &map_class || future->class == &remote_class) ? of_future(future) : NULL;
}
