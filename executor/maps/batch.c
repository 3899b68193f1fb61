/*
 * batch.c - several items that travel as one call.
 */
#include "batch_internal.h"

#include "../../futures/callback_internal.h"
#include "../core/executor_internal.h"
#include "item_internal.h"

#include <stddef.h>

/*
 * The call
 */

static void ended(soon_future *call, void *data)
{
    struct soon__batch *batch = data;

    batch->end(batch, call, 0);
}

void soon__batch_init(struct soon__batch *batch, const soon_function *function, const struct soon__items *items,
                      void (*end)(struct soon__batch *batch, soon_future *call, int rc))
{
    *batch = (struct soon__batch){.items = *items,
                                  .function = function,
                                  .end = end,
                                  .ended = {.kind = SOON__CALLBACK_INTERNAL, .fn = ended, .data = batch}};
}

void soon__batch_submitted(struct soon__batch *batch, soon_future *call)
{
    int rc;

    /* Sequentially consistent: see soon__map_stop(). */
    atomic_store_explicit(&batch->call, call, memory_order_seq_cst);
    rc = soon__future_add_callback(call, &batch->ended);
    if (rc <= 0) /* it could not be registered, or the call is done */
        batch->end(batch, call, rc);
}

struct soon__error *soon__batch_failure(soon_future *call, int rc)
{
    struct soon__error *error = rc < 0 ? soon__error_static(rc, false) : soon__future_failure(call);

    /* That error says of the call that it had begun, which is not true of the items that are left. */
    return error == &soon__error_cancelled_between ? &soon__error_cancelled : error;
}

void soon__batch_fini(struct soon__batch *batch)
{
    soon_future_unref(atomic_load_explicit(&batch->call, memory_order_relaxed)); /* relaxed: nobody else is left */
}

/*
 * What was given with the items
 */

static void release_arg(const struct soon__batch *batch, size_t index)
{
    const soon_function *function = batch->function;
    const struct soon__items *items = &batch->items;
    void *arg = items->each ? (void *)items->each[index].data : (char *)items->args + index * function->arg_size;

    if (function->free_arg && arg)
        function->free_arg(arg);
}

void soon__batch_release(const struct soon__batch *batch, size_t index)
{
    const struct soon__items *items = &batch->items;

    release_arg(batch, index);
    if (items->each && items->each[index].payload && !soon__library_is_quiet())
        soon__item_release_payload(&items->each[index]);
}

void soon__batch_release_rest(const struct soon__batch *batch, size_t from)
{
    const struct soon__items *items = &batch->items;

    for (size_t i = 0; items->each && i < from; i++)
        soon__item_release_payload(&items->each[i]);
    for (size_t i = from; i < items->count; i++) {
        release_arg(batch, i);
        if (items->each)
            soon__item_release_payload(&items->each[i]);
    }
}

static bool has_rest(const struct soon__batch *batch, size_t from)
{
    const struct soon__items *items = &batch->items;

    for (size_t i = 0; items->each && i < items->count; i++) {
        if (items->each[i].payload)
            return true;
    }
    return batch->function->free_arg && from < items->count;
}

bool soon__batch_try_release_rest(const struct soon__batch *batch, size_t from)
{
    if (!has_rest(batch, from))
        return true;
    if (soon__library_is_quiet())
        return false;
    soon__batch_release_rest(batch, from);
    return true;
}

static void run_later(struct soon__job *job)
{
    struct soon__batch *batch = (struct soon__batch *)((char *)job - offsetof(struct soon__batch, later.job));

    soon__batch_release_rest(batch, batch->later.from);
    batch->later.released(batch);
}

void soon__batch_release_rest_later(struct soon__batch *batch, size_t from, void (*released)(struct soon__batch *batch))
{
    batch->later.from = from;
    batch->later.released = released;
    batch->later.job.run = run_later;
    soon__library_callbacks_post(&batch->later.job);
}
