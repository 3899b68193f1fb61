/*
 * map_chunk.c - one chunk of a map: its items one after the other, and what became of each.
 *
 *     submitted --> wanted(i) --yes--> body --> done(i) --> ... the next
 *         |            |
 *         |            +--no: nor any after it
 *         +-- cancelled, expired, refused, broken ------------------+--> ended (its call's future is done)
 *
 * C1  Items finish in order. So one number, `finished`, says of each item whether it has its outcome: what lies below
 *     it was written before it was stored with release, and is read after an acquire load.
 * C2  Only the thread that runs the call writes failures and `finished`; when the call's future is done, the chunk's
 *     continuation does: `rest` and what belongs to it come before the last `finished`.
 * C3  An item starts only when there is room to note its failure. So an outcome is never lost, and nothing is allocated
 *     when one arrives.
 * C4  An argument is released exactly once: here, after its body, or with the rest.
 */
#include "map_internal.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { FAILURES_MAX = 4096 }; /* in a block */

static struct soon__chunk *of_items(struct soon__items *items)
{
    return (struct soon__chunk *)items;
}

static char *slot(const struct soon__chunk *chunk, size_t index)
{
    return (char *)chunk->items.results + index * chunk->map->function->result_size;
}

static void release_arg(const struct soon__chunk *chunk, size_t index)
{
    const soon_function *function = chunk->map->function;

    if (function->free_arg)
        function->free_arg((char *)chunk->items.args + index * function->arg_size);
}

/*
 * Failures
 */

/* Of an item of the rest. */
static struct soon__error *rest_error(const struct soon__chunk *chunk, size_t index)
{
    return index < chunk->items.begun ? chunk->begun_error : chunk->rest_error;
}

/* C3. False: no memory. */
static bool reserve_failure(struct soon__chunk *chunk)
{
    struct soon__failures *last = chunk->last, *next;
    size_t room = last->room * 4 < FAILURES_MAX ? last->room * 4 : FAILURES_MAX;

    /* Relaxed: this thread's own. */
    if (atomic_load_explicit(&last->count, memory_order_relaxed) < last->room)
        return true;
    next = malloc(sizeof *next + room * sizeof *next->list);
    if (!next)
        return false;
    *next = (struct soon__failures){.room = room, .list = (struct soon__failure *)(next + 1)};
    /* Release: pairs with the acquire in next_block(), for readers on other threads. */
    atomic_store_explicit(&last->next, next, memory_order_release);
    chunk->last = next;
    return true;
}

static void note_failure(struct soon__chunk *chunk, size_t index, struct soon__error *error)
{
    struct soon__failures *last = chunk->last;
    size_t count = atomic_load_explicit(&last->count, memory_order_relaxed);

    last->list[count] = (struct soon__failure){.index = index, .error = error};
    /* Release: pairs with the acquire in block_count(). */
    atomic_store_explicit(&last->count, count + 1, memory_order_release);
    /* Relaxed: only a count. */
    atomic_fetch_add_explicit(&chunk->failed, 1, memory_order_relaxed);
}

static struct soon__failures *next_block(struct soon__failures *block)
{
    return atomic_load_explicit(&block->next, memory_order_acquire);
}

static size_t block_count(struct soon__failures *block)
{
    return atomic_load_explicit(&block->count, memory_order_acquire);
}

static int compare_index(const void *key, const void *failure)
{
    size_t index = *(const size_t *)key, other = ((const struct soon__failure *)failure)->index;

    return index < other ? -1 : index > other;
}

/* Of an item that is finished: NULL if it did not fail. */
static struct soon__error *find_failure(struct soon__chunk *chunk, size_t index)
{
    for (struct soon__failures *block = &chunk->failures; block; block = next_block(block)) {
        size_t count = block_count(block);
        struct soon__failure *found;

        if (count == 0 || block->list[count - 1].index < index)
            continue;
        found = bsearch(&index, block->list, count, sizeof *block->list, compare_index);
        return found ? found->error : NULL;
    }
    return NULL;
}

bool soon__chunk_look(struct soon__chunk *chunk, size_t index, struct soon__error **ret_error)
{
    /* Sequentially consistent: pairs with set_finished(), for one who has just counted himself in to wait. */
    if (index >= atomic_load_explicit(&chunk->finished, memory_order_seq_cst))
        return false;
    /* Relaxed: it was set before `finished` passed this item, or will never concern it. */
    if (index >= atomic_load_explicit(&chunk->rest, memory_order_relaxed))
        *ret_error = rest_error(chunk, index);
    else
        *ret_error = find_failure(chunk, index);
    return true;
}

void soon__chunk_each_failure(struct soon__chunk *chunk, size_t count,
                              void (*fn)(size_t index, struct soon__error *error, void *data), void *data)
{
    size_t rest = atomic_load_explicit(&chunk->rest, memory_order_relaxed);

    for (struct soon__failures *block = &chunk->failures; block; block = next_block(block)) {
        size_t in_block = block_count(block);

        for (size_t i = 0; i < in_block && block->list[i].index < count; i++)
            fn(block->list[i].index, block->list[i].error, data);
    }
    for (size_t i = rest; i < count; i++)
        fn(i, rest_error(chunk, i), data);
}

/*
 * The run
 */

static void set_finished(struct soon__chunk *chunk, size_t finished)
{
    struct soon__map *map = chunk->map;

    if (!map->observed) {
        atomic_store_explicit(&chunk->finished, finished, memory_order_release); /* C1 */
        return;
    }
    /* Sequentially consistent, both: who waits counts himself in, then looks; so either he sees this or we see him. */
    atomic_store_explicit(&chunk->finished, finished, memory_order_seq_cst);
    if (atomic_load_explicit(&map->item_waiters, memory_order_seq_cst))
        soon__map_ring(map);
}

/* Notes why the items from here on do not run; the first reason stays. */
static bool refuse(struct soon__chunk *chunk, struct soon__error *error, bool stopped)
{
    chunk->rest_error = error;
    chunk->rest_stopped = stopped;
    return false;
}

static bool map_has_started(struct soon__map *map)
{
    uint32_t word = soon__future_word(&map->future);

    if ((word & SOON__STATE) == SOON__PENDING) {
        soon__future_start(&map->future);
        word = soon__future_word(&map->future);
    }
    return (word & SOON__STATE) == SOON__RUNNING; /* else it was cancelled before anything started */
}

static bool wanted(struct soon__items *items, size_t index)
{
    struct soon__chunk *chunk = of_items(items);
    struct soon__map *map = chunk->map;

    if (chunk->rest_error)
        return false;
    if (soon__map_is_stopped(map) || (index == 0 && !map_has_started(map)))
        return refuse(chunk, &soon__error_cancelled, true);
    if (soon__deadline_check(map->deadline) < 0)
        return refuse(chunk, soon__error_static(-ETIMEDOUT, false), false);
    if (!reserve_failure(chunk))
        return refuse(chunk, &soon__error_nomem, false);
    return true;
}

static void done(struct soon__items *items, size_t index, struct soon__outcome *outcome)
{
    struct soon__chunk *chunk = of_items(items);
    struct soon__map *map = chunk->map;

    soon_buffer_unref(outcome->payload); /* an item of a map has no place for one */
    if (outcome->error) {
        note_failure(chunk, index, outcome->error);
        if (!chunk->first_own && !(outcome->cancelled && soon__map_is_stopped(map)))
            chunk->first_own = outcome->error;
    }
    release_arg(chunk, index);
    set_finished(chunk, index + 1);
    if (outcome->error && map->stop_at_error)
        soon__map_stop(map);
}

/*
 * The end
 */

/* One item whose call somebody else resolved with bytes: an executor that runs things elsewhere. */
static bool take_bytes(struct soon__chunk *chunk, soon_future *future)
{
    size_t size = chunk->map->function->result_size;

    if (chunk->items.count != 1 || soon__future_error(future) || future->result_size != size)
        return false;
    memcpy(chunk->items.results, future->result, size);
    /* What the bytes point to is the map's now. */
    atomic_fetch_or_explicit(&future->word, SOON__TAKEN, memory_order_relaxed);
    return true;
}

/* Why items that did not run did not, where the run has not said so. */
static void explain_rest(struct soon__chunk *chunk, soon_future *future, int rc)
{
    struct soon__map *map = chunk->map;
    struct soon__error *failure = rc < 0 ? soon__error_static(rc, false) : soon__future_failure(future);
    /* Relaxed: see kill_map(). */
    bool killed = atomic_load_explicit(&map->killed, memory_order_relaxed);
    bool stopped = soon__map_is_stopped(map) || killed;

    if (killed && failure && failure->public.code == SOON_EKILLED) /* which the item that ran has */
        failure = &soon__error_cancelled;
    if (!failure) /* its run was cut short by a cancel request; or resolved by hand, with other bytes */
        failure = stopped || chunk->items.count > 1 ? &soon__error_cancelled : soon__error_static(SOON_ETYPE, true);
    else if (failure == &soon__error_cancelled_between) /* the call was; not its items */
        failure = &soon__error_cancelled;
    else if (failure->public.code == SOON_EEXPIRED && soon__deadline_check(map->deadline) < 0)
        failure = soon__error_static(-ETIMEDOUT, false);
    refuse(chunk, soon__error_ref(failure), stopped && failure->public.code == -ECANCELED);
}

static void release_rest(struct soon__chunk *chunk)
{
    size_t from = atomic_load_explicit(&chunk->rest, memory_order_relaxed);

    for (size_t i = from; i < chunk->items.count; i++)
        release_arg(chunk, i);
}

static void release_job(struct soon__job *job)
{
    struct soon__chunk *chunk = (struct soon__chunk *)((char *)job - offsetof(struct soon__chunk, job));

    release_rest(chunk);
    soon__future_unref(&chunk->map->future);
}

/* Releasing is user code, which does not run on the library's loop. */
static void release_rest_elsewhere(struct soon__chunk *chunk)
{
    if (!chunk->map->own_args) {
        chunk->unreleased = true; /* the arguments go away when soon_map() returns: it does this */
        return;
    }
    soon__future_ref(&chunk->map->future);
    chunk->job.run = release_job;
    soon__library_callbacks_post(&chunk->job);
}

void soon__chunk_release(struct soon__chunk *chunk)
{
    if (chunk->unreleased)
        release_rest(chunk);
}

static void end_rest(struct soon__chunk *chunk, size_t from)
{
    size_t count = chunk->items.count;

    memset(slot(chunk, from), 0, (count - from) * chunk->map->function->result_size);
    if (from < chunk->items.begun)
        chunk->begun_error = soon__error_as_started(soon__error_ref(chunk->rest_error));
    if (!chunk->first_own && !chunk->rest_stopped)
        chunk->first_own = rest_error(chunk, from);
    /* Relaxed, both: set_finished() publishes them. */
    atomic_fetch_add_explicit(&chunk->failed, count - from, memory_order_relaxed);
    atomic_store_explicit(&chunk->rest, from, memory_order_relaxed);
    if (chunk->map->function->free_arg && soon__library_is_quiet())
        release_rest_elsewhere(chunk);
    else if (chunk->map->function->free_arg)
        release_rest(chunk);
}

/* `future` NULL: it was not submitted, and rest_error says why. */
static void end(struct soon__chunk *chunk, soon_future *future, int rc)
{
    struct soon__map *map = chunk->map;
    /* Relaxed: who ran it is through, and its future's state has told us so. */
    size_t finished = atomic_load_explicit(&chunk->finished, memory_order_relaxed);

    if (finished == 0 && !chunk->rest_error && rc == 0 && take_bytes(chunk, future)) {
        release_arg(chunk, 0);
        map_has_started(map);
        finished = 1;
    }
    if (finished < chunk->items.count) {
        if (!chunk->rest_error)
            explain_rest(chunk, future, rc);
        end_rest(chunk, finished);
    }
    set_finished(chunk, chunk->items.count);
    if (map->stop_at_error && chunk->first_own)
        soon__map_stop(map);
    soon__map_leave(map);
}

static void ended(soon_future *future, void *data)
{
    end(data, future, 0);
}

/*
 * Life
 */

void soon__chunk_init(struct soon__chunk *chunk, struct soon__map *map, size_t first, size_t count, const char *args)
{
    const soon_function *function = map->function;

    *chunk = (struct soon__chunk){
        .items = {.count = count,
                  .deadline = map->deadline,
                  .args = args + first * function->arg_size,
                  .results = map->results + first * function->result_size,
                  .wanted = wanted,
                  .done = done},
        .map = map,
        .rest = count,
        .failures = {.room = 1, .list = &chunk->failure},
        .last = &chunk->failures,
        .ended = {.kind = SOON__CALLBACK_INTERNAL, .fn = ended, .data = chunk},
        .given = map->own_results ? 0 : count,
    };
    /* Nobody is to be told of each, nothing released after it, and no clock looked at. */
    if (!map->observed && !function->free_arg && map->deadline == SOON__NEVER) {
        chunk->items.finished = &chunk->finished;
        chunk->items.stopped = &map->stopped;
    }
}

struct soon__chunk *soon__chunk_of(const soon_future *future)
{
    soon_call *call = soon__call_of(future);
    struct soon__items *items = call && soon__call_extra(call) ? soon__call_extra(call)->items : NULL;

    return items && items->done == done ? of_items(items) : NULL;
}

void soon__chunk_submit(struct soon__chunk *chunk, soon_executor *executor, const soon_submit_options *each)
{
    struct soon__map *map = chunk->map;
    soon_future *future;
    int rc;

    if (soon__map_is_stopped(map)) {
        refuse(chunk, &soon__error_cancelled, true);
        end(chunk, NULL, 0);
        return;
    }
    if (soon__deadline_check(map->deadline) < 0) {
        refuse(chunk, soon__error_static(-ETIMEDOUT, false), false);
        end(chunk, NULL, 0);
        return;
    }
    future = soon__submit_items(executor, map->function, &chunk->items, each);
    /* Sequentially consistent, as all in soon__map_stop(): either it sees the future, or we see that it was there. */
    atomic_store_explicit(&chunk->future, future, memory_order_seq_cst);
    rc = soon__future_add_callback(future, &chunk->ended);
    if (rc <= 0)
        end(chunk, future, rc);
    if (atomic_load_explicit(&map->stopped, memory_order_seq_cst))
        soon_future_cancel(future);
}

void soon__chunk_free_results(struct soon__chunk *chunk)
{
    const soon_function *function = chunk->map->function;
    size_t rest = atomic_load_explicit(&chunk->rest, memory_order_relaxed);

    for (; function->free_result && chunk->given < rest; chunk->given++) {
        if (!find_failure(chunk, chunk->given))
            function->free_result(slot(chunk, chunk->given));
    }
}

void soon__chunk_fini(struct soon__chunk *chunk, bool results)
{
    struct soon__failures *block, *next;

    if (results)
        soon__chunk_free_results(chunk);
    for (block = &chunk->failures; block; block = next) {
        next = next_block(block);
        for (size_t i = 0; i < block_count(block); i++)
            soon__error_unref(block->list[i].error);
        if (block != &chunk->failures)
            free(block);
    }
    soon__error_unref(chunk->rest_error);
    soon__error_unref(chunk->begun_error);
    soon_future_unref(atomic_load_explicit(&chunk->future, memory_order_relaxed));
}
