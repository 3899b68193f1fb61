/*
 * map_results.c - what the items of a chunk gave.
 */
#include "map_results_internal.h"

#include "../../futures/system_internal.h"

#include <stdlib.h>
#include <string.h>

static char *slot(const struct soon__chunk *chunk, size_t index)
{
    return (char *)chunk->batch.items.results + index * chunk->batch.function->result_size;
}

void soon__chunk_wipe(const struct soon__chunk *chunk, size_t from, size_t count)
{
    if (chunk->batch.items.results)
        memset(slot(chunk, from), 0, count * chunk->batch.function->result_size);
}

soon_bytes soon__chunk_result(const struct soon__chunk *chunk, size_t index)
{
    if (chunk->batch.items.results)
        return (soon_bytes){slot(chunk, index), chunk->batch.function->result_size};
    return chunk->varied ? (soon_bytes){chunk->varied[index].data, chunk->varied[index].size} : (soon_bytes){NULL, 0};
}

static void free_result(const struct soon__chunk *chunk, size_t index)
{
    void *result = (void *)soon__chunk_result(chunk, index).data;

    if (chunk->batch.function->free_result && result)
        chunk->batch.function->free_result(result);
}

/*
 * Keeping
 */

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

/* Made with the first payload; NULL: no memory. */
static struct soon__item_payloads *make_payloads(struct soon__chunk *chunk)
{
    /* Relaxed: only this thread stores it. */
    struct soon__item_payloads *payloads = atomic_load_explicit(&chunk->payloads, memory_order_relaxed);

    if (payloads)
        return payloads;
    payloads = calloc(chunk->batch.items.count, sizeof *payloads);
    /* Release: a thread that looks at an item that ended before sees the places empty. Pairs with the acquire in
     * soon__chunk_payload(). */
    atomic_store_explicit(&chunk->payloads, payloads, memory_order_release);
    return payloads;
}

/* Only a map whose items can be looked at keeps payloads. The item fails if there is no room for its. */
static void keep_payload(struct soon__chunk *chunk, size_t index, struct soon__outcome *outcome)
{
    struct soon__item_payloads *payloads = chunk->map->observed ? make_payloads(chunk) : NULL;

    if (payloads) {
        payloads[index] = (struct soon__item_payloads){outcome->payload, outcome->further};
        return;
    }
    soon__outcome_drop_payloads(outcome);
    if (!chunk->map->observed)
        return;
    outcome->error = &soon__error_nomem_started;
    free_result(chunk, index);
    if (chunk->varied)
        free_varied(&chunk->varied[index]);
    soon__chunk_wipe(chunk, index, 1);
}

void soon__chunk_keep(struct soon__chunk *chunk, size_t index, struct soon__outcome *outcome)
{
    if (!chunk->batch.items.results)
        keep_varied(chunk, index, outcome);
    if (outcome->payload)
        keep_payload(chunk, index, outcome);
}

bool soon__chunk_adopt(struct soon__chunk *chunk, soon_future *call)
{
    size_t size = chunk->batch.function->result_size;

    if (chunk->batch.items.count != 1 || soon__future_error(call) || (size && call->result_size != size))
        return false;
    if (size)
        memcpy(chunk->batch.items.results, call->result, size);
    else if (chunk->varied) /* the call's future has the bytes, and the chunk a reference of that */
        *chunk->varied = (struct soon__map_result){.data = (void *)call->result, .size = call->result_size};
    if (size == 0)
        return true;
    /* What the bytes point to is the map's now. Relaxed: a flag. */
    atomic_fetch_or_explicit(&call->word, SOON__TAKEN, memory_order_relaxed);
    return true;
}

/*
 * Reading, and the end
 */

soon_buffer *soon__chunk_payload(struct soon__chunk *chunk, size_t index, size_t which)
{
    /* Acquire: the caller has seen that this item is finished, but a later one may have made the places. */
    struct soon__item_payloads *payloads = atomic_load_explicit(&chunk->payloads, memory_order_acquire);

    if (!payloads && chunk->batch.items.count == 1) /* somebody else may have resolved it: see soon__chunk_adopt() */
        return soon_future_payload_at(atomic_load_explicit(&chunk->batch.call, memory_order_relaxed), which);
    return payloads ? soon__buffers_at(payloads[index].first, payloads[index].further, which) : NULL;
}

void soon__chunk_free_results(struct soon__chunk *chunk)
{
    size_t rest = atomic_load_explicit(&chunk->rest, memory_order_relaxed); /* relaxed: the chunk has ended */

    for (; chunk->batch.function->free_result && chunk->given < rest; chunk->given++) {
        if (!soon__failures_find(&chunk->failures, chunk->given))
            free_result(chunk, chunk->given);
    }
}

void soon__chunk_fini_results(struct soon__chunk *chunk)
{
    struct soon__item_payloads *payloads =
        atomic_load_explicit(&chunk->payloads, memory_order_relaxed); /* relaxed: nobody else is left */

    for (size_t i = 0; payloads && i < chunk->batch.items.count; i++) {
        soon_buffer_unref(payloads[i].first);
        soon__buffers_free(payloads[i].further);
    }
    free(payloads);
    for (size_t i = 0; chunk->varied && i < chunk->batch.items.count; i++)
        free_varied(&chunk->varied[i]);
}
