/*
 * imap_chunk.c - several items of an imap that travel as one call.
 *
 *     new --add, add ...--> full --submit--> its call runs: each item's future is resolved as its body ends
 *                            |                 +--> ended: the others get the error of the call
 *                            +--drop--> all cancelled
 *
 * An argument is released exactly once: after its body, or when the call has ended, or with a drop. Items of any size lie in
 * the chunk's store as long as one of its futures lives: each label is theirs.
 */
#include "../../futures/slab_internal.h"
#include "../core/function_internal.h"
#include "../core/task_internal.h"
#include "imap_internal.h"
#include "map_internal.h"

#include <string.h>

enum { ALIGNMENT = 16 };

static struct soon__imap_chunk *of_items(struct soon__items *items)
{
    return (struct soon__imap_chunk *)items;
}

static struct soon__imap_entry *of_future(const soon_future *future)
{
    return (struct soon__imap_entry *)future;
}

static void chunk_unref(struct soon__imap_chunk *chunk)
{
    /* Release our use of the block, acquire that of the others, before the last one frees it. */
    if (atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel) != 1)
        return;
    soon_future_unref(chunk->call);
    soon__store_fini(&chunk->store);
    soon__block_free(chunk, chunk->size);
}

/*
 * The futures of the items
 */

static void destroy(soon_future *future)
{
    struct soon__imap_chunk *chunk = of_future(future)->chunk;
    void (*free_result)(void *) = chunk->function->free_result;

    if (free_result && !soon__future_error(future) && future->result && !(soon__future_word(future) & SOON__TAKEN))
        free_result((void *)future->result);
    soon__future_fini(future);
    chunk_unref(chunk);
}

static soon_future *source(const soon_future *future)
{
    return of_future(future)->chunk->call;
}

static int help(soon_future *future)
{
    soon_future *call = source(future);

    return call && soon__help_pending(call);
}

static const char *label(const soon_future *future)
{
    const struct soon__imap_entry *entry = of_future(future);
    const char *own = soon__items_label(&entry->chunk->items, (size_t)(entry - entry->chunk->entries));
    soon_future *call = source(future);

    if (own)
        return own;
    return call ? soon_future_label(call) : "";
}

static const void *function(const soon_future *future)
{
    return of_future(future)->chunk->function;
}

static bool fits(const soon_future *future, const char *kind)
{
    return soon__function_fits(of_future(future)->chunk->function, kind);
}

static struct soon__described describe(const soon_future *future)
{
    return soon__function_describe(of_future(future)->chunk->function);
}

static const struct soon__class item_class = {.destroy = destroy,
                                              .help = help,
                                              .source = source,
                                              .label = label,
                                              .function = function,
                                              .fits = fits,
                                              .describe = describe};

/*
 * Making
 */

static size_t round_up(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* 0: there can be no such block. */
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

static bool wanted(struct soon__items *items, size_t index);
static void done(struct soon__items *items, size_t index, struct soon__outcome *outcome);
static void ended(soon_future *call, void *data);

struct soon__imap_chunk *soon__imap_chunk_new(const soon_function *function, size_t room, bool varied)
{
    size_t args, results, size = block_size(function, room, varied, &args, &results);
    char *block = size ? soon__block_new(size) : NULL;
    struct soon__imap_chunk *chunk = (struct soon__imap_chunk *)block;

    if (!chunk)
        return NULL;
    *chunk = (struct soon__imap_chunk){
        .items = {.args = varied ? NULL : block + args,
                  .each = varied ? (soon_item *)(block + args) : NULL,
                  .deadline = SOON__NEVER,
                  .results = function->result_size ? block + results : NULL,
                  .wanted = wanted,
                  .done = done},
        .function = function,
        .size = size,
        .ended = {.kind = SOON__CALLBACK_INTERNAL, .fn = ended, .data = chunk},
    };
    atomic_init(&chunk->refs, 1);
    return chunk;
}

void *soon__imap_chunk_next_arg(struct soon__imap_chunk *chunk)
{
    size_t size = chunk->function->arg_size;

    return memset((char *)chunk->items.args + chunk->items.count * size, 0, size);
}

void soon__imap_chunk_add(struct soon__imap_chunk *chunk)
{
    struct soon__imap_entry *entry = &chunk->entries[chunk->items.count++];

    /* Relaxed: nobody else knows the block yet. */
    atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
    entry->chunk = chunk;
    entry->item = (struct soon__imap_item){.future = &entry->future, .chunk = chunk};
    soon__future_init(&entry->future, &item_class, 1, 1);
}

bool soon__imap_chunk_add_item(struct soon__imap_chunk *chunk, const soon_item *item)
{
    soon_item *copy = &chunk->items.each[chunk->items.count];

    if (!soon__store_keep(&chunk->store, copy, item, chunk->function->arg_size))
        return false;
    soon__imap_chunk_add(chunk);
    return true;
}

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

    soon__batch_release(chunk->function, items, index);
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

static void release_rest(struct soon__imap_chunk *chunk)
{
    soon__batch_release_rest(chunk->function, &chunk->items, chunk->ran);
    chunk_unref(chunk);
}

static void release_job(struct soon__job *job)
{
    release_rest((struct soon__imap_chunk *)((char *)job - offsetof(struct soon__imap_chunk, job)));
}

/* Fails what has not run, and gives up the reference. `state` and `error` are the call's; NULL: it succeeded. */
static void end(struct soon__imap_chunk *chunk, uint32_t state, struct soon__error *error)
{
    bool cancelled = !error || state == SOON__CANCELLED;

    if (!error || error == &soon__error_cancelled_between) /* the call was; not its items */
        error = &soon__error_cancelled;
    for (size_t i = chunk->ran; i < chunk->items.count; i++) {
        soon_future *future = &chunk->entries[i].future;
        struct soon__error *own = soon__item_own_error(&chunk->items, i, soon__error_ref(error));

        soon__future_end(future, cancelled ? SOON__CANCELLED : SOON__FINISHED, own);
        soon__future_unref(future);
    }
    if (!soon__batch_has_rest(chunk->function, &chunk->items, chunk->ran) || !soon__library_is_quiet()) {
        release_rest(chunk);
        return;
    }
    chunk->job.run = release_job; /* user code, which does not run on the library's loop */
    soon__library_callbacks_post(&chunk->job);
}

static void ended(soon_future *call, void *data)
{
    end(data, soon__future_word(call) & SOON__STATE, soon__future_failure(call));
}

void soon__imap_chunk_drop(struct soon__imap_chunk *chunk)
{
    size_t count = chunk->items.count;

    end(chunk, SOON__CANCELLED, &soon__error_cancelled);
    for (size_t i = 0; i < count; i++)
        soon_future_unref(&chunk->entries[i].future);
}

void soon__imap_chunk_fail(struct soon__imap_chunk *chunk, int code, const char *label)
{
    soon_error fields = {.code = code, .function = chunk->function->name, .label = label};
    struct soon__error *error = soon__error_newf(&fields, NULL);

    end(chunk, SOON__FINISHED, error);
    soon__error_unref(error);
}

int soon__imap_chunk_submit(struct soon__imap_chunk *chunk, soon_executor *executor, const soon_submit_options *each,
                            bool try)
{
    struct soon__call_params params = {
        .executor = executor, .function = chunk->function, .options = each, .items = &chunk->items};
    int rc = soon__submit_or_refuse(&chunk->call, &params, try);

    if (rc < 0)
        return rc;
    rc = soon__future_add_callback(chunk->call, &chunk->ended);
    if (rc < 0)
        end(chunk, SOON__FINISHED, soon__error_static(rc, false));
    else if (rc == 0)
        ended(chunk->call, chunk);
    return 0;
}
