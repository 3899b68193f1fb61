/*
 * imap_source.c - the way of an argument from the source into flight. The invariants are in imap.c.
 */
#include "imap_source_internal.h"

#include "../../futures/failed_internal.h"
#include "../core/executor_internal.h"
#include "../core/submit_internal.h"
#include "imap_chunk_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_NS = 1000000 };

/* Closes the imap, since its executor takes no more. What was taken comes before whatever the source would have said at
 * its end, so `code` replaces that. */
static void refused(soon_imap *imap, int code)
{
    soon__imap_close(imap, code);
    imap->iterating.end_code = code;
    if (!imap->iterating.refused)
        imap->iterating.refused = soon__executor_reason(imap->executor, code);
    soon__imap_drop_staged(imap);
}

/*
 * The source
 */

/* I4. The source is not asked for what nobody would take. */
static bool may_ask(soon_imap *imap)
{
    int rc = soon__executor_refusal(imap->executor);

    if (rc < 0)
        refused(imap, rc);
    return rc == 0;
}

/* `rc` is what the source has returned. */
static bool has_given(soon_imap *imap, int rc)
{
    if (rc <= 0)
        soon__imap_close(imap, rc < 0 ? rc : SOON_EEND);
    return rc > 0;
}

static bool pull(soon_imap *imap, void *arg)
{
    return may_ask(imap) && has_given(imap, imap->source.next(arg, imap->source.data));
}

static int next_string(soon_imap *imap, soon_item *ret)
{
    const struct soon__imap_source *source = &imap->source;

    if (imap->iterating.next_string == source->string_count)
        return 0;
    *ret = soon_item_of_string(source->strings[imap->iterating.next_string++]);
    if (!imap->each.label)
        ret->label = ret->data;
    return 1;
}

/* Stages the next item, unless one is staged. Returns whether one is. */
static bool pull_item(soon_imap *imap)
{
    struct soon__imap_staged *staged = &imap->iterating.staged;
    size_t size = imap->function->arg_size;

    if (staged->has_item)
        return true;
    staged->item = (soon_item){0};
    if (!imap->source.varied) {
        staged->item = (soon_item){.data = staged->arg, .size = size};
        staged->has_item = pull(imap, memset(staged->arg, 0, size));
    } else if (imap->source.strings) {
        staged->has_item = may_ask(imap) && has_given(imap, next_string(imap, &staged->item));
    } else {
        staged->has_item = may_ask(imap) && has_given(imap, imap->source.next_item(&staged->item, imap->source.data));
    }
    return staged->has_item;
}

/* Returns whether the staged item is an argument of the function. */
static bool is_argument(const soon_imap *imap)
{
    const soon_item *item = &imap->iterating.staged.item;

    return !imap->source.varied || soon__item_check(imap->function, item, imap->iterating.taken) == 0;
}

/*
 * One by one
 */

static bool is_for_good(int code)
{
    return code == SOON_ESHUTDOWN || code == SOON_EBROKEN;
}

/* Returns whether to submit without blocking. A full queue must not block for longer than the caller has time; and
 * while other items are in flight, the end of one of them is what to wait for. */
static bool must_not_block(const soon_imap *imap)
{
    soon_full full = imap->each.when_full ? imap->each.when_full : imap->executor->when_full;

    return full == SOON_FULL_BLOCK && (imap->iterating.in_flight > 0 || imap->iterating.until != SOON__NEVER);
}

static const char *staged_label(const soon_imap *imap)
{
    const struct soon__imap_staged *staged = &imap->iterating.staged;

    return staged->item.label ? staged->item.label : imap->each.label;
}

/* Returns the failed future of an item that was refused for its own sake, and releases what was given with that. */
static soon_future *fail_one(soon_imap *imap, int code)
{
    soon_future *future =
        soon__future_new_failed(code, "soon_imap_next", imap->function->name, staged_label(imap), NULL);

    soon__item_release(imap->function, &imap->iterating.staged.item);
    return future;
}

/* Returns the options of the staged item; they lie in `own` if they are not those of all. */
static const soon_submit_options *options_of_staged(const soon_imap *imap, soon_submit_options *own)
{
    const soon_item *item = &imap->iterating.staged.item;

    if (!item->label && !item->payload)
        return soon__imap_each(imap);
    *own = imap->each;
    own->label = staged_label(imap);
    own->payload = item->payload;
    return own;
}

/* Submits the staged item. NULL: not now, since the queue is full; or never. */
static soon_future *submit_one(soon_imap *imap)
{
    const soon_item *item = &imap->iterating.staged.item;
    struct soon__call_params params = {
        .executor = imap->executor, .function = imap->function, .data = item->data, .size = item->size};
    soon_submit_options own;
    soon_future *future;
    bool try = must_not_block(imap);
    int rc;

    if (!is_argument(imap))
        return fail_one(imap, -EINVAL);
    params.options = options_of_staged(imap, &own);
    rc = soon__submit_or_refuse(&future, &params, try);
    if (rc == 0)
        return future;
    if (is_for_good(rc))
        refused(imap, rc);
    else if (rc != SOON_EFULL || !try)
        return fail_one(imap, rc);
    return NULL;
}

/* Takes an item into flight. Returns 1: there may be room for more; 0: there is nothing more to do now; -ENOMEM. */
static int take_one(soon_imap *imap)
{
    struct soon__imap_item *item = calloc(1, sizeof *item);

    if (!item)
        return -ENOMEM;
    if (pull_item(imap))
        item->future = submit_one(imap);
    if (!item->future) {
        free(item);
        return 0;
    }
    imap->iterating.staged.has_item = false;
    soon__imap_enter_flight(imap, item);
    return 1;
}

/*
 * By chunks
 */

/* Fills the chunk. Returns 0, or why the item that is staged then is not in it: -ENOMEM; 1: it is no argument. */
static int pull_items(soon_imap *imap, struct soon__imap_chunk *chunk, size_t wanted)
{
    struct soon__imap_staged *staged = &imap->iterating.staged;

    while (chunk->batch.items.count < wanted && pull_item(imap)) {
        if (!is_argument(imap))
            return 1;
        if (!soon__imap_chunk_add_item(chunk, &staged->item))
            return -ENOMEM;
        staged->has_item = false;
    }
    return 0;
}

static int pull_args(soon_imap *imap, struct soon__imap_chunk *chunk, size_t wanted)
{
    while (chunk->batch.items.count < wanted && pull(imap, soon__imap_chunk_next_arg(chunk)))
        soon__imap_chunk_add(chunk);
    return 0;
}

/* Returns the next chunk of arguments; NULL: there is none, and `*ret_rc` is what take_one() would return. */
static struct soon__imap_chunk *pull_chunk(soon_imap *imap, int *ret_rc)
{
    size_t room = imap->in_flight_max - imap->iterating.in_flight, wanted = room < imap->chunk ? room : imap->chunk;
    struct soon__imap_chunk *chunk = soon__imap_chunk_new(imap->function, wanted, imap->source.varied);

    *ret_rc = -ENOMEM;
    if (chunk)
        *ret_rc = imap->source.varied ? pull_items(imap, chunk, wanted) : pull_args(imap, chunk, wanted);
    if (!chunk || chunk->batch.items.count > 0)
        return chunk;
    soon__imap_chunk_drop(chunk);
    return NULL;
}

/* Submits it. Returns 1: it is submitted, or its futures have failed; 0: it is still staged, or was dropped. */
static int submit_chunk(soon_imap *imap, struct soon__imap_chunk *chunk)
{
    bool try = must_not_block(imap);
    int rc = soon__imap_chunk_submit(chunk, imap->executor, soon__imap_each(imap), try);

    if (is_for_good(rc))
        refused(imap, rc);
    if (is_for_good(rc) || (rc == SOON_EFULL && try))
        return 0;
    if (rc < 0)
        soon__imap_chunk_fail(chunk, rc, imap->each.label);
    return 1;
}

/* Takes a chunk of items into flight. Returns what take_one() does. */
static int take_chunk(soon_imap *imap)
{
    struct soon__imap_staged *staged = &imap->iterating.staged;
    struct soon__imap_chunk *chunk = staged->chunk;
    int rc = 0;

    if (!chunk && staged->has_item && !is_argument(imap))
        return take_one(imap); /* it becomes a failed item */
    if (!chunk)
        chunk = pull_chunk(imap, &rc);
    if (!chunk)
        return rc;
    staged->chunk = chunk;
    rc = submit_chunk(imap, chunk);
    if (rc <= 0)
        return rc;
    staged->chunk = NULL;
    for (size_t i = 0; i < chunk->batch.items.count; i++)
        soon__imap_enter_flight(imap, &chunk->entries[i].item);
    return 1;
}

/*
 * Filling
 */

void soon__imap_drop_staged(soon_imap *imap)
{
    struct soon__imap_staged *staged = &imap->iterating.staged;

    if (staged->chunk)
        soon__imap_chunk_drop(staged->chunk);
    if (staged->has_item)
        soon__item_release(imap->function, &staged->item);
    staged->chunk = NULL;
    staged->has_item = false;
}

static bool is_staged(const soon_imap *imap)
{
    return imap->iterating.staged.chunk || imap->iterating.staged.has_item;
}

static bool has_room(const soon_imap *imap)
{
    enum soon__imap_state state = imap->iterating.state;
    size_t room = imap->in_flight_max - imap->iterating.in_flight;

    if (is_staged(imap))
        return true; /* what is staged counts as in flight */
    return state < SOON__IMAP_CLOSED && room >= (state == SOON__IMAP_OPEN ? imap->chunk : 1);
}

/* Fills the imap as far as can be. Returns 0, or -ENOMEM if that has kept it from taking anything. */
static int fill(soon_imap *imap)
{
    int rc = 1;

    if (imap->iterating.state < SOON__IMAP_CLOSED && soon__deadline_check(imap->deadline) < 0) {
        soon__imap_close(imap, -ETIMEDOUT);
        soon__imap_drop_staged(imap);
    }
    while (rc > 0 && has_room(imap))
        rc = imap->chunk > 1 ? take_chunk(imap) : take_one(imap);
    if (imap->iterating.state == SOON__IMAP_FILLING && (rc == 0 || imap->iterating.in_flight == imap->in_flight_max))
        soon__imap_move(imap, SOON__IMAP_OPEN);
    return rc < 0 && imap->iterating.in_flight == 0 ? rc : 0;
}

/* With nothing in flight and the queue full of others' tasks it tries again and again: nobody tells us of a place. */
int soon__imap_fill(soon_imap *imap)
{
    for (;;) {
        int rc = fill(imap);
        int64_t retry;

        if (rc < 0 || imap->iterating.in_flight > 0 || !is_staged(imap))
            return rc;
        rc = soon__wait_check(imap->iterating.until);
        if (rc == 0)
            rc = soon__thread_before_park(true); /* others end: we wait for a moment only */
        if (rc < 0)
            return rc;
        retry = soon__clock_ns() + RETRY_NS;
        soon__park(&imap->bell, atomic_load_explicit(&imap->bell, memory_order_relaxed),
                   retry < imap->iterating.until ? retry : imap->iterating.until);
        soon__thread_after_park();
    }
}
