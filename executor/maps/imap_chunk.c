/*
 * imap_chunk.c - several items of an imap that travel as one call.
 *
 *     new --add, add ...--> full --submit--> its call runs: each item's future is resolved as its body ends
 *                            |                 +--> end(): the others get the error of the call
 *                            +--drop--> all are cancelled
 *
 * What was given with an item is released exactly once: after its body, when the call has ended, or with a drop. Copies
 * of items lie in the chunk's store as long as one of its futures lives, since each label lies there.
 */
#include "imap_chunk_internal.h"

#include "../../futures/block_internal.h"
#include "../../futures/complete_internal.h"
#include "../core/executor_internal.h"
#include "../core/function_internal.h"
#include "../core/run_internal.h"
#include "../core/submit_internal.h"
#include "../core/task_internal.h"
#include "run_pending_internal.h"

#include <string.h>

enum { ALIGNMENT = 16 };

static struct soon__imap_chunk *of_items(struct soon__items *items)
{
    return (struct soon__imap_chunk *)items;
}

static struct soon__imap_chunk *of_batch(struct soon__batch *batch)
{
    return (struct soon__imap_chunk *)batch;
}

static struct soon__imap_entry *of_future(const soon_future *future)
{
    return (struct soon__imap_entry *)future;
}

static void chunk_unref(struct soon__imap_chunk *chunk)
{
    /* Acquire-release: whoever used the block has done so before the last one frees it. */
    if (atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel) != 1)
        return;
    soon__batch_fini(&chunk->batch);
    soon__store_fini(&chunk->store);
    soon__block_free(chunk, chunk->size);
}

/*
 * The futures of the items
 */

static void destroy(soon_future *future)
{
    struct soon__imap_chunk *chunk = of_future(future)->chunk;
    void (*free_result)(void *) = chunk->batch.function->free_result;

    if (free_result && !soon__future_error(future) && future->result && !(soon__future_word(future) & SOON__TAKEN))
        free_result((void *)future->result);
    soon__future_fini(future);
    chunk_unref(chunk);
}

soon_future *soon__imap_chunk_call(const struct soon__imap_chunk *chunk)
{
    /* Relaxed: whoever has got one of its futures knows of the submit. */
    return atomic_load_explicit(&chunk->batch.call, memory_order_relaxed);
}

static soon_future *source(const soon_future *future)
{
    return soon__imap_chunk_call(of_future(future)->chunk);
}

static int help(soon_future *future)
{
    return soon__run_pending(source(future));
}

static const char *label(const soon_future *future)
{
    const struct soon__imap_entry *entry = of_future(future);
    const char *own = soon__items_label(&entry->chunk->batch.items, (size_t)(entry - entry->chunk->entries));
    soon_future *call = source(future);

    if (own)
        return own;
    return call ? soon_future_label(call) : "";
}

static const void *function(const soon_future *future)
{
    return of_future(future)->chunk->batch.function;
}

static bool fits(const soon_future *future, const char *kind)
{
    return soon__function_fits(of_future(future)->chunk->batch.function, kind);
}

static struct soon__described describe(const soon_future *future)
{
    return soon__function_describe(of_future(future)->chunk->batch.function);
}

static const struct soon__class item_class = {.destroy = destroy,
                                              .help = help,
                                              .source = source,
                                              .label = label,
                                              .function = function,
                                              .fits = fits,
                                              .describe = describe};

/*
 * The run
 */

static bool wanted(struct soon__items *items, size_t index)
{
    soon__future_start(&of_items(items)->entries[index].future);
    return true;
}

static void done(struct soon__items *items, size_t index, struct soon__outcome *outcome)
{
    struct soon__imap_chunk *chunk = of_items(items);
    soon_future *future = &chunk->entries[index].future;

    soon__batch_release(&chunk->batch, index);
    chunk->ran = index + 1;
    if (outcome->payload)
        soon__outcome_give_payload(outcome, future);
    soon__future_claim(future); /* nobody else resolves it: it is handed out only when it is done */
    soon__future_set_error(future, outcome->error);
    if (outcome->error)
        soon__future_publish(future, outcome->cancelled ? SOON__CANCELLED : SOON__FINISHED);
    else
        soon__future_publish_bytes(future, outcome->result, outcome->result_size, soon__outcome_owned(outcome));
    soon__future_unref(future);
}

/*
 * The end
 */

static void released(struct soon__batch *batch)
{
    chunk_unref(of_batch(batch));
}

/* Ends what has not run with `error`, lent, and gives up the reference of the call. */
static void end_rest(struct soon__imap_chunk *chunk, uint32_t state, struct soon__error *error)
{
    for (size_t i = chunk->ran; i < chunk->batch.items.count; i++) {
        soon_future *future = &chunk->entries[i].future;

        soon__future_end(future, state, soon__item_own_error(&chunk->batch.items, i, soon__error_ref(error)));
        soon__future_unref(future);
    }
    if (soon__batch_try_release_rest(&chunk->batch, chunk->ran))
        chunk_unref(chunk);
    else
        soon__batch_release_rest_later(&chunk->batch, chunk->ran, released);
}

/* A call that succeeded without having run all of its items was cut short by a cancel request. */
static void end(struct soon__batch *batch, soon_future *call, int rc)
{
    struct soon__error *error = soon__batch_failure(call, rc);
    bool cancelled = rc == 0 && (soon__future_word(call) & SOON__STATE) == SOON__CANCELLED;

    end_rest(of_batch(batch), cancelled || !error ? SOON__CANCELLED : SOON__FINISHED,
             error ? error : &soon__error_cancelled);
}

/*
 * Making
 */

static size_t round_up(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* Returns the size of a block with `room` items, and where arguments and results begin in it. 0: none is so large. */
static size_t block_size(const soon_function *function, size_t room, bool varied, size_t *ret_args, size_t *ret_results)
{
    size_t head = sizeof(struct soon__imap_chunk), entries, args, results, size;

    if (__builtin_mul_overflow(room, sizeof(struct soon__imap_entry), &entries) ||
        __builtin_mul_overflow(room, varied ? sizeof(soon_item) : function->arg_size, &args) ||
        __builtin_mul_overflow(room, function->result_size, &results))
        return 0;
    *ret_args = round_up(head + entries);
    if (*ret_args < entries || __builtin_add_overflow(*ret_args, args, &size) || size > SIZE_MAX - ALIGNMENT)
        return 0;
    *ret_results = round_up(size);
    return __builtin_add_overflow(*ret_results, results, &size) || size > PTRDIFF_MAX ? 0 : size;
}

bool soon__imap_chunk_fits(const soon_function *function, size_t room, bool varied)
{
    size_t args, results;

    return block_size(function, room, varied, &args, &results) > 0;
}

struct soon__imap_chunk *soon__imap_chunk_new(const soon_function *function, size_t room, bool varied)
{
    size_t args, results, size = block_size(function, room, varied, &args, &results);
    char *block = size ? soon__block_new(size) : NULL;
    struct soon__imap_chunk *chunk = (struct soon__imap_chunk *)block;
    struct soon__items items = {.deadline = SOON__NEVER, .wanted = wanted, .done = done};

    if (!chunk)
        return NULL;
    if (varied)
        items.each = (soon_item *)(block + args);
    else
        items.args = block + args;
    if (function->result_size)
        items.results = block + results;
    *chunk = (struct soon__imap_chunk){.size = size};
    atomic_init(&chunk->refs, 1);
    soon__batch_init(&chunk->batch, function, &items, end);
    return chunk;
}

void *soon__imap_chunk_next_arg(struct soon__imap_chunk *chunk)
{
    size_t size = chunk->batch.function->arg_size;

    return memset((char *)chunk->batch.items.args + chunk->batch.items.count * size, 0, size);
}

void soon__imap_chunk_add(struct soon__imap_chunk *chunk)
{
    struct soon__imap_entry *entry = &chunk->entries[chunk->batch.items.count++];

    /* Relaxed: nobody else knows the block yet. */
    atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
    entry->chunk = chunk;
    entry->item = (struct soon__imap_item){.future = &entry->future, .chunk = chunk};
    soon__future_init(&entry->future, &item_class, 1, 1);
}

bool soon__imap_chunk_add_item(struct soon__imap_chunk *chunk, const soon_item *item)
{
    soon_item *copy = &chunk->batch.items.each[chunk->batch.items.count];

    if (!soon__store_keep(&chunk->store, copy, item, chunk->batch.function->arg_size))
        return false;
    soon__imap_chunk_add(chunk);
    return true;
}

/*
 * What becomes of a full one
 */

int soon__imap_chunk_submit(struct soon__imap_chunk *chunk, soon_executor *executor, const soon_submit_options *each,
                            bool try)
{
    struct soon__call_params params = {
        .executor = executor, .function = chunk->batch.function, .options = each, .items = &chunk->batch.items};
    soon_future *call;
    int rc = soon__submit_or_refuse(&call, &params, try);

    if (rc == 0)
        soon__batch_submitted(&chunk->batch, call);
    return rc;
}

void soon__imap_chunk_fail(struct soon__imap_chunk *chunk, int code, const char *label)
{
    soon_error fields = {.code = code, .function = chunk->batch.function->name, .label = label};
    struct soon__error *error = soon__error_newf(&fields, NULL);

    end_rest(chunk, SOON__FINISHED, error);
    soon__error_unref(error);
}

void soon__imap_chunk_drop(struct soon__imap_chunk *chunk)
{
    size_t count = chunk->batch.items.count;

    end_rest(chunk, SOON__CANCELLED, &soon__error_cancelled);
    for (size_t i = 0; i < count; i++)
        soon_future_unref(&chunk->entries[i].future);
}
