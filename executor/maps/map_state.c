/*
 * map_state.c - the states of a map: stopped, left by its chunks one after the other, complete.
 *
 *     submit every chunk --> chunks end, one by one --> the last one that leaves completes the map's future
 *
 * M1  The library holds one reference of the map until its last chunk has left, and the thread that submits them.
 * M3  The map fails with the first error in input order that was not its own doing. What it stopped itself, for
 *     `stop_at_error` or a cancel, counts only if there is no other error.
 * M4  Completing a map allocates nothing.
 */
#include "map_state_internal.h"

#include "../../futures/complete_internal.h"

#include <assert.h>

bool soon__map_move(struct soon__map *map, enum soon__map_state to)
{
    /* Relaxed: the exchange says what is there. */
    uint32_t from = atomic_load_explicit(&map->state, memory_order_relaxed);

    assert(to == SOON__MAP_KILLED || to == SOON__MAP_STOPPED);
    do {
        if (from >= to)
            return false;
        /* Sequentially consistent: see soon__map_stop(). */
    } while (
        !atomic_compare_exchange_weak_explicit(&map->state, &from, to, memory_order_seq_cst, memory_order_relaxed));
    return true;
}

void soon__map_stop(struct soon__map *map)
{
    if (!soon__map_move(map, SOON__MAP_STOPPED))
        return;
    /* Backwards, so that what is pending is cancelled first: else it would start in the place of what gives in. */
    for (size_t i = map->chunk_count; i-- > 0;) {
        /* Sequentially consistent, as the move: a thread that submits a chunk stores its call, then looks at the state.
         * So either that sees the stop, or we see the call. */
        soon_future *call = atomic_load_explicit(&map->chunks[i].batch.call, memory_order_seq_cst);

        if (call)
            soon_future_cancel(call);
    }
}

/*
 * The end
 */

/* Relaxed, here and in first_error(): every chunk has left. */
static bool has_begun(const struct soon__chunk *chunk)
{
    return atomic_load_explicit(&chunk->rest, memory_order_relaxed) > 0 || chunk->batch.items.begun > 0;
}

/*
 * M3. Returns a reference; NULL: all items have succeeded. `*ret_stopped`: the map has stopped some items, and nothing
 * else is the matter. The error says that the map had begun if any item had, whichever item it comes from.
 */
static struct soon__error *first_error(struct soon__map *map, bool *ret_stopped)
{
    struct soon__error *own = NULL;
    bool stopped = false, begun = false;

    for (size_t i = 0; i < map->chunk_count; i++) {
        struct soon__chunk *chunk = &map->chunks[i];

        own = own ? own : chunk->first_own;
        stopped |= atomic_load_explicit(&chunk->failed, memory_order_relaxed) > 0;
        begun |= has_begun(chunk);
    }
    *ret_stopped = stopped && !own;
    if (own)
        return begun ? soon__error_as_started(soon__error_ref(own)) : soon__error_ref(own);
    if (!stopped)
        return NULL;
    return soon__error_ref(begun ? &soon__error_cancelled_running : &soon__error_cancelled);
}

static void complete(struct soon__map *map)
{
    soon_future *future = &map->future;
    bool stopped = false, asked = soon__future_word(future) & SOON__CANCEL_REQUESTED;
    struct soon__error *error = first_error(map, &stopped);

    if (error)
        soon__future_end(future, stopped && asked ? SOON__CANCELLED : SOON__FINISHED, error);
    else if (soon__future_claim(future))
        soon__future_publish_bytes(future, map->results.array, map->count * map->function->result_size, 0);
    if (!map->observed)
        soon__future_failure(future); /* soon_map() reports it: it counts as looked at */
    soon__future_unref(future);
}

void soon__map_leave(struct soon__map *map)
{
    /* Acquire-release: the last one sees what every other has left behind. */
    if (atomic_fetch_sub_explicit(&map->left, 1, memory_order_acq_rel) == 1)
        complete(map);
}

/*
 * Items
 */

void soon__map_count_items(struct soon__map *map, size_t *ret_done, size_t *ret_failed)
{
    size_t finished = 0, failed = 0;

    for (size_t i = 0; i < map->chunk_count; i++) {
        /* Acquire: an item that counts as done can be read. Relaxed: only a count. */
        finished += atomic_load_explicit(&map->chunks[i].finished, memory_order_acquire);
        failed += atomic_load_explicit(&map->chunks[i].failed, memory_order_relaxed);
    }
    if (soon_future_cancelled(&map->future) && finished < map->count) {
        failed += map->count - finished;
        finished = map->count;
    }
    *ret_done = finished;
    *ret_failed = failed < finished ? failed : finished;
}

void soon__map_ring(struct soon__map *map)
{
    /* Release: pairs with the acquire in sleep_for_item(). */
    atomic_fetch_add_explicit(&map->item.bell, 1, memory_order_release);
    soon__unpark_all(&map->item.bell);
}
