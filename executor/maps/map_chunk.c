/*
 * map_chunk.c - one chunk of a map: its items one after the other, and what became of each.
 *
 *     submitted --> wanted(i) --yes--> body --> done(i) --> ... the next
 *         |            |
 *         |            +--no: nor any after it
 *         +-- cancelled, expired, refused, broken ------------------+--> end() (the future of its call is done)
 *
 * C1  Items finish in order. So one number, `finished`, says of each item whether it has its outcome. What lies below
 *     it was written before it was stored with release, and is read after an acquire load.
 * C2  Only the thread that runs the call writes failures and `finished`; when the call's future is done, end() does.
 *     That one stores `rest`, and the errors of the items from there on, before the last `finished`.
 * C3  An item starts only when there is room to note its failure. So an outcome is never lost, and nothing is allocated
 *     when one arrives.
 * C4  What was given with an item is released exactly once: in done(), or with the rest. See batch_internal.h.
 * C5  A payload of an item, and a result that has no fixed size, are stored before `finished` passes the item. Without
 *     memory for that the item fails.
 * C6  An item that fails does not end the chunk: the next one starts. If the map is to stop at an error, done() and
 *     end() stop it. Then wanted() lets no further item of any of its chunks start, and in a worker process the cancel
 *     of the chunk's call does.
 */
#include "map_chunk_internal.h"

#include "../core/call_class_internal.h"
#include "../core/executor_internal.h"
#include "../core/submit_internal.h"
#include "map_results_internal.h"

#include <assert.h>

static struct soon__chunk *of_items(struct soon__items *items)
{
    return (struct soon__chunk *)items;
}

static struct soon__chunk *of_batch(struct soon__batch *batch)
{
    return (struct soon__chunk *)batch;
}

static void move(struct soon__chunk *chunk, enum soon__chunk_state to)
{
    assert(to > chunk->state && chunk->state < SOON__CHUNK_ENDED);
    assert(to >= SOON__CHUNK_ENDED || chunk->state == SOON__CHUNK_GOING);
    chunk->state = to;
}

/*
 * What became of the items
 */

/* Returns the error of an item that never ran. */
static struct soon__error *rest_error(const struct soon__chunk *chunk, size_t index)
{
    return index < chunk->batch.items.begun ? chunk->begun_error : chunk->rest_error;
}

bool soon__chunk_has_outcome(struct soon__chunk *chunk, size_t index, struct soon__error **ret_error)
{
    /* Sequentially consistent: pairs with set_finished(), for a thread that has just counted itself in to wait. */
    if (index >= atomic_load_explicit(&chunk->finished, memory_order_seq_cst))
        return false;
    /* Relaxed: it was set before `finished` passed this item, or will never concern it. */
    if (index >= atomic_load_explicit(&chunk->rest, memory_order_relaxed))
        *ret_error = rest_error(chunk, index);
    else
        *ret_error = soon__failures_find(&chunk->failures, index);
    return true;
}

void soon__chunk_each_failure(struct soon__chunk *chunk, size_t count,
                              void (*fn)(size_t index, struct soon__error *error, void *data), void *data)
{
    size_t rest = atomic_load_explicit(&chunk->rest, memory_order_relaxed); /* relaxed: as above */

    soon__failures_each(&chunk->failures, count, fn, data);
    for (size_t i = rest; i < count; i++)
        fn(i, rest_error(chunk, i), data);
}

static void set_finished(struct soon__chunk *chunk, size_t finished)
{
    struct soon__map *map = chunk->map;

    if (!map->observed) {
        atomic_store_explicit(&chunk->finished, finished, memory_order_release); /* C1 */
        return;
    }
    /* Sequentially consistent, both: a thread that waits counts itself in, then looks at the item. So either it sees
     * this store, or we see that it waits. */
    atomic_store_explicit(&chunk->finished, finished, memory_order_seq_cst);
    if (atomic_load_explicit(&map->item.waiters, memory_order_seq_cst))
        soon__map_ring(map);
}

/*
 * The run
 */

/* Notes why the items from here on do not run. Takes the reference. Returns false, for wanted(). */
static bool refuse(struct soon__chunk *chunk, struct soon__error *error, enum soon__chunk_state state)
{
    move(chunk, state);
    chunk->rest_error = error;
    return false;
}

/* Starts the map's future with its first item. False: it was cancelled before. */
static bool map_has_started(struct soon__map *map)
{
    uint32_t word = soon__future_word(&map->future);

    if ((word & SOON__STATE) == SOON__PENDING) {
        soon__future_start(&map->future);
        word = soon__future_word(&map->future);
    }
    return (word & SOON__STATE) == SOON__RUNNING;
}

static bool wanted(struct soon__items *items, size_t index)
{
    struct soon__chunk *chunk = of_items(items);
    struct soon__map *map = chunk->map;

    if (chunk->state != SOON__CHUNK_GOING)
        return false;
    if (soon__map_is_stopped(map) || (index == 0 && !map_has_started(map)))
        return refuse(chunk, &soon__error_cancelled, SOON__CHUNK_STOPPED);
    if (soon__deadline_check(map->deadline) < 0)
        return refuse(chunk, soon__error_static(-ETIMEDOUT, false), SOON__CHUNK_REFUSED);
    if (!soon__failures_reserve(&chunk->failures)) /* C3 */
        return refuse(chunk, &soon__error_nomem, SOON__CHUNK_REFUSED);
    return true;
}

static void note_failure(struct soon__chunk *chunk, size_t index, const struct soon__outcome *outcome)
{
    soon__failures_add(&chunk->failures, index, outcome->error);
    /* Relaxed: only a count. */
    atomic_fetch_add_explicit(&chunk->failed, 1, memory_order_relaxed);
    if (!chunk->first_own && !(outcome->cancelled && soon__map_is_stopped(chunk->map)))
        chunk->first_own = outcome->error;
}

/* C6 */
static void done(struct soon__items *items, size_t index, struct soon__outcome *outcome)
{
    struct soon__chunk *chunk = of_items(items);

    if (!outcome->error)
        soon__chunk_keep(chunk, index, outcome); /* C5 */
    else
        soon__outcome_drop_payloads(outcome);
    if (outcome->error)
        note_failure(chunk, index, outcome);
    soon__batch_release(&chunk->batch, index);
    set_finished(chunk, index + 1);
    if (outcome->error && chunk->map->stop_at_error)
        soon__map_stop(chunk->map);
}

/*
 * The end
 */

/* The one item of a chunk ran as a plain task, and its call has failed with this. */
static bool is_of_item(const struct soon__chunk *chunk, const struct soon__error *failure)
{
    return chunk->batch.items.count == 1 && chunk->batch.items.begun == 0 && failure->public.started;
}

/* Notes why the items that are left did not run, if the run itself has not said so. */
static void explain_rest(struct soon__chunk *chunk, soon_future *call, int rc)
{
    struct soon__map *map = chunk->map;
    struct soon__error *failure = soon__batch_failure(call, rc);
    /* Relaxed: a thread that finds the call killed finds the map KILLED. */
    bool going = atomic_load_explicit(&map->state, memory_order_relaxed) == SOON__MAP_GOING;

    /* If an item that ran has that error, the others were cancelled. One by itself has it from its call. */
    if (!going && failure && failure->public.code == SOON_EKILLED && !is_of_item(chunk, failure))
        failure = &soon__error_cancelled;
    if (!failure) /* a cancel request cut its run short; or it was resolved by hand, with bytes that do not fit */
        failure =
            !going || chunk->batch.items.count > 1 ? &soon__error_cancelled : soon__error_static(SOON_ETYPE, true);
    else if (failure->public.code == SOON_EEXPIRED && soon__deadline_check(map->deadline) < 0)
        failure = soon__error_static(-ETIMEDOUT, false);
    refuse(chunk, soon__error_ref(failure),
           !going && failure->public.code == -ECANCELED ? SOON__CHUNK_STOPPED : SOON__CHUNK_REFUSED);
}

/* Gives the items from `from` on their outcome. */
static void end_rest(struct soon__chunk *chunk, size_t from)
{
    size_t count = chunk->batch.items.count;

    soon__chunk_wipe(chunk, from, count - from);
    if (from < chunk->batch.items.begun)
        chunk->begun_error = soon__error_as_started(soon__error_ref(chunk->rest_error));
    if (!chunk->first_own && chunk->state == SOON__CHUNK_REFUSED)
        chunk->first_own = rest_error(chunk, from);
    /* Relaxed, both: set_finished() publishes them. */
    atomic_fetch_add_explicit(&chunk->failed, count - from, memory_order_relaxed);
    atomic_store_explicit(&chunk->rest, from, memory_order_relaxed);
}

static void released(struct soon__batch *batch)
{
    soon__future_unref(&of_batch(batch)->map->future);
}

/* Releases what was given with the items that did not run. Returns the state that the chunk has then. */
static enum soon__chunk_state release_rest(struct soon__chunk *chunk)
{
    size_t rest = atomic_load_explicit(&chunk->rest, memory_order_relaxed); /* relaxed: this thread's own */

    if (soon__batch_try_release_rest(&chunk->batch, rest))
        return SOON__CHUNK_ENDED;
    if (!chunk->map->args.are_own) /* they go away when soon_map() returns, which may be before a job runs */
        return SOON__CHUNK_OWING;
    soon__future_ref(&chunk->map->future);
    soon__batch_release_rest_later(&chunk->batch, rest, released);
    return SOON__CHUNK_ENDED;
}

void soon__chunk_release(struct soon__chunk *chunk)
{
    if (chunk->state == SOON__CHUNK_OWING) /* relaxed: the map's future is done */
        soon__batch_release_rest(&chunk->batch, atomic_load_explicit(&chunk->rest, memory_order_relaxed));
}

/* `call` NULL: it was not submitted, and rest_error says why. */
static void end(struct soon__batch *batch, soon_future *call, int rc)
{
    struct soon__chunk *chunk = of_batch(batch);
    struct soon__map *map = chunk->map;
    /* Relaxed: the thread that ran it is through, and the state of the call's future has told us so. */
    size_t finished = atomic_load_explicit(&chunk->finished, memory_order_relaxed);

    if (finished == 0 && chunk->state == SOON__CHUNK_GOING && rc == 0 && soon__chunk_adopt(chunk, call)) {
        soon__batch_release(batch, 0);
        map_has_started(map);
        finished = 1;
    }
    if (finished < batch->items.count) {
        if (chunk->state == SOON__CHUNK_GOING)
            explain_rest(chunk, call, rc);
        end_rest(chunk, finished);
    }
    move(chunk, release_rest(chunk));
    set_finished(chunk, batch->items.count);
    if (map->stop_at_error && chunk->first_own)
        soon__map_stop(map);
    soon__map_leave(map);
}

/*
 * Life
 */

/* Plain items: nobody is told of each, nothing is released after it, and no clock is looked at. */
static bool are_plain(const struct soon__map *map)
{
    return !map->observed && !map->args.each && !map->function->free_arg && map->deadline == SOON__NEVER;
}

void soon__chunk_init(struct soon__chunk *chunk, struct soon__map *map, size_t first, size_t count, const char *args)
{
    struct soon__items items = {.count = count, .deadline = map->deadline, .wanted = wanted, .done = done};

    if (map->args.each)
        items.each = map->args.each + first;
    else
        items.args = args + first * map->function->arg_size;
    if (map->results.array)
        items.results = map->results.array + first * map->function->result_size;
    if (are_plain(map)) {
        items.finished = &chunk->finished;
        items.stopped = &map->state; /* the run asks wanted() again when that is not GOING any more */
    }
    *chunk = (struct soon__chunk){
        .map = map,
        .rest = count,
        .given = map->results.are_own || map->results.varied ? 0 : count,
        .varied = map->results.varied ? map->results.varied + first : NULL,
    };
    soon__failures_init(&chunk->failures);
    soon__batch_init(&chunk->batch, map->function, &items, end);
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
    soon_future *call;

    if (soon__map_is_stopped(map)) {
        refuse(chunk, &soon__error_cancelled, SOON__CHUNK_STOPPED);
        end(&chunk->batch, NULL, 0);
        return;
    }
    if (soon__deadline_check(map->deadline) < 0) {
        refuse(chunk, soon__error_static(-ETIMEDOUT, false), SOON__CHUNK_REFUSED);
        end(&chunk->batch, NULL, 0);
        return;
    }
    call = soon__submit_items(executor, map->function, &chunk->batch.items, each);
    soon__batch_submitted(&chunk->batch, call);
    /* Sequentially consistent: see soon__map_stop(). */
    if (atomic_load_explicit(&map->state, memory_order_seq_cst) == SOON__MAP_STOPPED)
        soon_future_cancel(call);
}

void soon__chunk_fini(struct soon__chunk *chunk, bool results)
{
    if (results)
        soon__chunk_free_results(chunk);
    soon__chunk_fini_results(chunk);
    soon__failures_fini(&chunk->failures);
    soon__error_unref(chunk->rest_error);
    soon__error_unref(chunk->begun_error);
    soon__batch_fini(&chunk->batch);
}
