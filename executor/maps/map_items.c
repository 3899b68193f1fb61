/*
 * map_items.c - the single items of a map_async: how many are done, one's result or error, waiting for one.
 *
 * A thread that waits for an item counts itself in, looks at the item, and sleeps on the map's bell. A thread that
 * finishes an item stores that, then looks whether anybody is counted in, and rings the bell. So one of the two sees
 * the other.
 */
#include "../../futures/await_internal.h"
#include "../../futures/depend_internal.h"
#include "../../futures/park_internal.h"
#include "map_chunk_internal.h"
#include "map_future_internal.h"
#include "map_items_internal.h"
#include "map_results_internal.h"

#include <errno.h>
#include <string.h>

/* Returns the chunk of an item; NULL: the future is of no map, or there is no such item. */
static struct soon__chunk *chunk_of(const soon_future *future, size_t index, size_t *ret_index)
{
    struct soon__map *map = soon__map_of(future);

    if (!map || index >= map->count)
        return NULL;
    *ret_index = index % map->chunk_size;
    return &map->chunks[index / map->chunk_size];
}

/* Returns whether an item has its outcome. It has one, too, if its map was cancelled before anything started. */
static bool has_outcome(struct soon__chunk *chunk, size_t index, struct soon__error **ret_error)
{
    if (soon__chunk_has_outcome(chunk, index, ret_error))
        return true;
    *ret_error = &soon__error_cancelled;
    return soon_future_cancelled(&chunk->map->future);
}

/* Sleeps once, unless the item has its outcome. The caller has counted itself in, and asks again afterwards. */
static int sleep_for_item(struct soon__chunk *chunk, size_t index, int64_t deadline)
{
    struct soon__map *map = chunk->map;
    /* Relaxed: it was set before the map was handed out. */
    soon_future *call = atomic_load_explicit(&chunk->batch.call, memory_order_relaxed);
    uint32_t bell = atomic_load_explicit(&map->item.bell, memory_order_acquire);
    struct soon__error *error;
    int rc;

    if (has_outcome(chunk, index, &error))
        return 0;
    if (soon__future_is_pre_fork(&map->future))
        return SOON_EFORKED;
    if (deadline != SOON__POLL && call && soon__thread_is_inside(call))
        return SOON_EDEADLK;
    rc = soon__wait_check(deadline);
    if (rc == 0)
        soon__wait_park(&map->item.bell, bell, deadline);
    return rc;
}

/* A worker waits for the call's future, which it may run itself; and so does anybody for a call of one item. */
static int await_item(struct soon__chunk *chunk, size_t index, int64_t deadline)
{
    struct soon__map *map = chunk->map;
    soon_future *call = atomic_load_explicit(&chunk->batch.call, memory_order_relaxed);
    struct soon__error *error;
    int rc = 0;

    if (call && (soon__thread_self()->parking || chunk->batch.items.count == 1))
        rc = soon__future_await(call, deadline);
    /* Sequentially consistent: see set_finished(). */
    atomic_fetch_add_explicit(&map->item.waiters, 1, memory_order_seq_cst);
    while (rc == 0 && !has_outcome(chunk, index, &error))
        rc = sleep_for_item(chunk, index, deadline);
    atomic_fetch_sub_explicit(&map->item.waiters, 1, memory_order_relaxed);
    return has_outcome(chunk, index, &error) ? 0 : rc;
}

/* The reader has got the error of an item, so that of the map counts as looked at. */
static void note_looked(struct soon__map *map)
{
    atomic_fetch_or_explicit(&map->future.word, SOON__LOOKED, memory_order_relaxed); /* relaxed: a flag */
}

/* Waits for an item in what chunk_of() has returned. Returns 0 or a code; sets `*ret_error` if it is the item's. */
static int await_success(struct soon__chunk *chunk, size_t index, int64_t timeout_ms, struct soon__error **ret_error)
{
    struct soon__error *error;
    int rc = soon__check_timeout(timeout_ms);

    if (!chunk)
        return soon__refuse(-EINVAL, "there is no such item");
    if (rc == 0 && !has_outcome(chunk, index, &error))
        rc = await_item(chunk, index, soon__deadline(timeout_ms));
    if (rc < 0)
        return rc;
    has_outcome(chunk, index, &error);
    if (!error)
        return 0;
    note_looked(chunk->map);
    *ret_error = error;
    return error->public.code;
}

static int lend_item(soon_future *map, size_t index, int64_t timeout_ms, soon_bytes *ret,
                     struct soon__error **ret_error)
{
    struct soon__chunk *chunk = chunk_of(map, index, &index);
    int rc = ret ? await_success(chunk, index, timeout_ms, ret_error) : soon__is_null("ret");

    if (rc == 0)
        *ret = soon__chunk_result(chunk, index);
    return rc;
}

int soon_map_item_result(soon_future *map, size_t index, int64_t timeout_ms, soon_bytes *ret)
{
    struct soon__error *error = NULL;
    int rc = lend_item(map, index, timeout_ms, ret, &error);

    return error ? soon__failed_with(soon__error_ref(error)) : soon__failed(rc, "soon_map_item_result");
}

static int copy_item(soon_future *map, size_t index, int64_t timeout_ms, void *ret, size_t size,
                     struct soon__error **ret_error)
{
    struct soon__map *of = soon__map_of(map);
    soon_bytes result = {NULL, 0};
    int rc = ret || !size ? lend_item(map, index, timeout_ms, &result, ret_error) : soon__is_null("ret");

    if (rc)
        return rc;
    if (size != result.size)
        return soon__refuse(SOON_ETYPE, "the result of %s is %s, %zu bytes; %zu were asked for", of->function->name,
                            of->function->result_type, result.size, size);
    if (size)
        memcpy(ret, result.data, size);
    return 0;
}

int soon_map_item(soon_future *map, size_t index, int64_t timeout_ms, void *ret, size_t size)
{
    struct soon__error *error = NULL;
    int rc = copy_item(map, index, timeout_ms, ret, size, &error);

    return error ? soon__failed_with(soon__error_ref(error)) : soon__failed(rc, "soon_map_item");
}

const soon_error *soon_map_item_error(const soon_future *map, size_t index)
{
    struct soon__chunk *chunk = chunk_of(map, index, &index);
    struct soon__error *error;

    if (!chunk)
        return &soon__error_static(-EINVAL, false)->public;
    if (!has_outcome(chunk, index, &error))
        return &soon__error_not_yet;
    if (!error)
        return &soon__error_none;
    note_looked(chunk->map);
    return &error->public;
}

soon_buffer *soon__map_item_payload_at(const soon_future *map, size_t index, size_t which)
{
    struct soon__chunk *chunk = chunk_of(map, index, &index);
    struct soon__error *error;

    return chunk && soon__chunk_has_outcome(chunk, index, &error) ? soon__chunk_payload(chunk, index, which) : NULL;
}

soon_buffer *soon_map_item_payload(const soon_future *map, size_t index)
{
    return soon__map_item_payload_at(map, index, 0);
}

const char *soon_map_item_label(const soon_future *map, size_t index)
{
    struct soon__chunk *chunk = chunk_of(map, index, &index);
    const char *own = chunk ? soon__items_label(&chunk->batch.items, index) : NULL;

    return own ? own : chunk ? chunk->map->label : "";
}

size_t soon_map_count(const soon_future *map, size_t *ret_done, size_t *ret_failed)
{
    struct soon__map *counted = soon__map_of(map);
    size_t done = 0, failed = 0;

    if (soon__check(map, "soon_map_count: NULL") && counted)
        soon__map_count_items(counted, &done, &failed);
    if (ret_done)
        *ret_done = done;
    if (ret_failed)
        *ret_failed = failed;
    return counted ? counted->count : 0;
}
