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
 * C4  An argument is released exactly once: here, after its body, or with the rest. So is its payload, but where user code
 *     does not run: those stay until the end of the chunk.
 * C5  What an item gave beside a result of fixed size (one of its own size, a payload) is stored before `finished` passes
 *     it. There is a place for a payload with the first that comes; without memory for that its item fails.
 */
#include "map_internal.h"

#include "../../futures/system_internal.h"

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
    soon__batch_release(chunk->map->function, &chunk->items, index);
}

static void wipe(const struct soon__chunk *chunk, size_t from, size_t count)
{
    if (chunk->items.results)
        memset(slot(chunk, from), 0, count * chunk->map->function->result_size);
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

/* C5 */
static soon_buffer **payloads_of(struct soon__chunk *chunk)
{
    /* Relaxed: this thread's own. */
    soon_buffer **payloads = atomic_load_explicit(&chunk->payloads, memory_order_relaxed);

    if (payloads)
        return payloads;
    payloads = calloc(chunk->items.count, sizeof *payloads);
    /* Relaxed: set_finished() publishes it. */
    atomic_store_explicit(&chunk->payloads, payloads, memory_order_relaxed);
    return payloads;
}

static void free_result(const struct soon__chunk *chunk, size_t index)
{
    void *result = (void *)soon__chunk_result(chunk, index).data;

    if (chunk->map->function->free_result && result)
        chunk->map->function->free_result(result);
}

static void free_varied(struct soon__map_result *result)
{
    if (result->mapped)
        soon__shm_unmap(result->data, result->size);
    else if (result->on_heap)
        free(result->data);
    *result = (struct soon__map_result){0};
}

static void keep_varied(struct soon__chunk *chunk, size_t index, const struct soon__outcome *outcome)
{
    struct soon__map_result result = {.data = outcome->result,
                                      .size = outcome->result_size,
                                      .on_heap = outcome->result_on_heap,
                                      .mapped = outcome->result_mapped};

    if (chunk->varied)
        chunk->varied[index] = result;
    else
        free_varied(&result);
}

/* Only of a map whose items can be looked at. Fails the item where there is no room for it. */
static void keep_payload(struct soon__chunk *chunk, size_t index, struct soon__outcome *outcome)
{
    soon_buffer **payloads = chunk->map->observed ? payloads_of(chunk) : NULL;

    if (payloads) {
        payloads[index] = outcome->payload;
        return;
    }
    soon_buffer_unref(outcome->payload);
    if (!chunk->map->observed)
        return;
    outcome->error = &soon__error_nomem_started;
    free_result(chunk, index);
    if (chunk->varied)
        free_varied(&chunk->varied[index]);
    wipe(chunk, index, 1);
}

static void keep(struct soon__chunk *chunk, size_t index, struct soon__outcome *outcome)
{
    if (!chunk->items.results)
        keep_varied(chunk, index, outcome);
    if (outcome->payload)
        keep_payload(chunk, index, outcome);
}

soon_bytes soon__chunk_result(const struct soon__chunk *chunk, size_t index)
{
    if (chunk->items.results)
        return (soon_bytes){slot(chunk, index), chunk->map->function->result_size};
    return chunk->varied ? (soon_bytes){chunk->varied[index].data, chunk->varied[index].size} : (soon_bytes){NULL, 0};
}

soon_buffer *soon__chunk_payload(struct soon__chunk *chunk, size_t index)
{
    /* Relaxed: the caller has seen that the item is finished. */
    soon_buffer **payloads = atomic_load_explicit(&chunk->payloads, memory_order_relaxed);

    if (!payloads && chunk->items.count == 1) /* somebody else may have resolved it: see take_bytes() */
        return soon_future_payload(atomic_load_explicit(&chunk->future, memory_order_relaxed));
    return payloads ? payloads[index] : NULL;
}

static void done(struct soon__items *items, size_t index, struct soon__outcome *outcome)
{
    struct soon__chunk *chunk = of_items(items);
    struct soon__map *map = chunk->map;

    if (!outcome->error)
        keep(chunk, index, outcome);
    soon__buffers_free(outcome->further); /* an item of a map has a place for the first payload alone */
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

    if (chunk->items.count != 1 || soon__future_error(future) || (size && future->result_size != size))
        return false;
    if (size)
        memcpy(chunk->items.results, future->result, size);
    else if (chunk->varied) /* which that future keeps, and the chunk keeps the future */
        *chunk->varied = (struct soon__map_result){.data = (void *)future->result, .size = future->result_size};
    if (size == 0)
        return true;
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

static size_t rest_of(const struct soon__chunk *chunk)
{
    /* Relaxed: of who ends the chunk, or after that. */
    return atomic_load_explicit(&chunk->rest, memory_order_relaxed);
}

static void release_rest(const struct soon__chunk *chunk)
{
    soon__batch_release_rest(chunk->map->function, &chunk->items, rest_of(chunk));
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
    if (!chunk->map->args_are_own) {
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

    wipe(chunk, from, count - from);
    if (from < chunk->items.begun)
        chunk->begun_error = soon__error_as_started(soon__error_ref(chunk->rest_error));
    if (!chunk->first_own && !chunk->rest_stopped)
        chunk->first_own = rest_error(chunk, from);
    /* Relaxed, both: set_finished() publishes them. */
    atomic_fetch_add_explicit(&chunk->failed, count - from, memory_order_relaxed);
    atomic_store_explicit(&chunk->rest, from, memory_order_relaxed);
}

static void release_what_is_left(struct soon__chunk *chunk)
{
    if (!soon__batch_has_rest(chunk->map->function, &chunk->items, rest_of(chunk)))
        return;
    if (soon__library_is_quiet())
        release_rest_elsewhere(chunk);
    else
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
    release_what_is_left(chunk);
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
                  .args = map->each ? NULL : args + first * function->arg_size,
                  .results = map->results ? map->results + first * function->result_size : NULL,
                  .each = map->each ? map->each + first : NULL,
                  .wanted = wanted,
                  .done = done},
        .map = map,
        .rest = count,
        .failures = {.room = 1, .list = &chunk->failure},
        .last = &chunk->failures,
        .ended = {.kind = SOON__CALLBACK_INTERNAL, .fn = ended, .data = chunk},
        .given = map->own_results || map->varied ? 0 : count,
        .varied = map->varied ? map->varied + first : NULL,
    };
    /* Nobody is to be told of each, nothing released after it, and no clock looked at. */
    if (!map->observed && !map->each && !function->free_arg && map->deadline == SOON__NEVER) {
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
            free_result(chunk, chunk->given);
    }
}

/* What was beside results of fixed size. */
static void fini_extras(struct soon__chunk *chunk)
{
    soon_buffer **payloads = atomic_load_explicit(&chunk->payloads, memory_order_relaxed); /* nobody else's any more */

    for (size_t i = 0; payloads && i < chunk->items.count; i++)
        soon_buffer_unref(payloads[i]);
    free(payloads);
    for (size_t i = 0; chunk->varied && i < chunk->items.count; i++)
        free_varied(&chunk->varied[i]);
}

void soon__chunk_fini(struct soon__chunk *chunk, bool results)
{
    struct soon__failures *block, *next;

    if (results)
        soon__chunk_free_results(chunk);
    fini_extras(chunk);
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
