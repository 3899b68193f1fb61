/*
 * item_end.c - the outcomes of items that have run elsewhere: in a worker process, on another machine.
 */
#include "run_internal.h"

#include <string.h>

const char *soon__item_label(const soon_call *call, const size_t *item)
{
    const struct soon__items *items = item ? soon__call_extra(call)->items : NULL;
    const char *own = items && *item < items->count ? soon__items_label(items, *item) : NULL;

    return own ? own : soon_future_label(soon__call_future((soon_call *)call));
}

void *soon__item_space(const soon_call *call, size_t index)
{
    const struct soon__items *items = soon__call_extra(call)->items;

    return items->results ? (char *)items->results + index * call->function->result_size : NULL;
}

void soon__item_end(soon_call *call, size_t index, struct soon__outcome *outcome)
{
    struct soon__items *items = soon__call_extra(call)->items;

    if (outcome->error && items->results) /* nothing was written there */
        memset(soon__item_space(call, index), 0, call->function->result_size);
    if (!items->wanted || items->wanted(items, index)) {
        if (outcome->error)
            outcome->error = soon__item_own_error(items, index, outcome->error);
        items->done(items, index, outcome);
        return;
    }
    items->begun = index + 1;
    soon__error_unref(outcome->error); /* no thread waits for it any more */
    soon__outcome_drop_result(outcome, items->results ? outcome->result : NULL);
}
