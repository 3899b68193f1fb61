/*
 * imap_source.c - the way of an argument from the source into flight. The invariants are in imap.c.
 */
#include "imap_internal.h"
#include "map_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_NS = 1000000 };

static void make_ready(struct soon__waiter *waiter, soon_future *future)
{
    struct soon__imap_item *item = (struct soon__imap_item *)waiter;
    soon_imap *imap = item->imap;

    (void)future;
    item->next_ready = NULL;
    pthread_mutex_lock(&imap->mutex);
    *imap->locked.ready_end = item;
    imap->locked.ready_end = &item->next_ready;
    /* Under the mutex still: who takes the item may free the imap next. */
    atomic_fetch_add_explicit(&imap->bell, 1, memory_order_relaxed);
    soon__unpark_all(&imap->bell);
    pthread_mutex_unlock(&imap->mutex);
}

static void enter_flight(soon_imap *imap, struct soon__imap_item *item)
{
    item->imap = imap;
    item->index = imap->taken++;
    item->next = NULL;
    item->previous = imap->last;
    if (imap->last)
        imap->last->next = item;
    else
        imap->first = item;
    imap->last = item;
    imap->in_flight++;
    item->waiter.notify = make_ready;
    if (imap->unordered && !soon__future_add_waiter(item->future, &item->waiter))
        make_ready(&item->waiter, item->future);
}

void soon__imap_close(soon_imap *imap, int code)
{
    if (imap->end_code == 0)
        imap->end_code = code;
}

/* No source is asked for what nobody would take. */
static bool may_ask(soon_imap *imap)
{
    int rc = soon__executor_refusal(imap->executor);

    if (rc < 0)
        soon__imap_refused(imap, rc);
    return rc == 0;
}

/* What the source has said. */
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
    struct soon__imap_source *source = &imap->source;

    if (source->string_next == source->string_count)
        return 0;
    *ret = soon_item_of_string(source->strings[source->string_next++]);
    if (!imap->each.label)
        ret->label = ret->data;
    return 1;
}

/* An item by itself: the staged one, or the next. */
static bool pull_item(soon_imap *imap)
{
    size_t size = imap->function->arg_size;

    if (imap->has_staged)
        return true;
    imap->item = (soon_item){0};
    if (!imap->source.varied) {
        imap->item = (soon_item){.data = imap->staged_arg, .size = size};
        imap->has_staged = pull(imap, memset(imap->staged_arg, 0, size));
    } else if (imap->source.strings) {
        imap->has_staged = may_ask(imap) && has_given(imap, next_string(imap, &imap->item));
    } else {
        imap->has_staged = may_ask(imap) && has_given(imap, imap->source.next_item(&imap->item, imap->source.data));
    }
    return imap->has_staged;
}

/* The staged one. */
static bool is_argument(const soon_imap *imap)
{
    return !imap->source.varied || soon__item_check(imap->function, &imap->item, imap->taken) == 0;
}

/* What was taken comes before whatever the source would have said at its end, so this is what is said. */
void soon__imap_refused(soon_imap *imap, int code)
{
    imap->end_code = code;
    if (!imap->refused)
        imap->refused = soon__executor_reason(imap->executor, code);
    soon__imap_drop_staged(imap);
}

static bool is_for_good(int code)
{
    return code == SOON_ESHUTDOWN || code == SOON_EBROKEN;
}

/* A full queue must not block us for longer than the caller has time; and while others of ours are in flight, one of
 * them is what to wait for. */
static bool may_wait(const soon_imap *imap)
{
    soon_full full = imap->each.when_full ? imap->each.when_full : imap->executor->when_full;

    return full == SOON_FULL_BLOCK && (imap->in_flight > 0 || imap->until != SOON__NEVER);
}

static const char *staged_label(const soon_imap *imap)
{
    return imap->item.label ? imap->item.label : imap->each.label;
}

/* The future of an argument that was refused by itself; it is released, as a submit does. */
static soon_future *fail_one(soon_imap *imap, int code)
{
    soon_future *future =
        soon__future_new_failed(code, "soon_imap_next", imap->function->name, staged_label(imap), NULL);

    soon__item_release(imap->function, &imap->item);
    return future;
}

/* The staged argument; NULL: not now, the queue is full; or never. */
static soon_future *submit_one(soon_imap *imap)
{
    struct soon__call_params params = {.executor = imap->executor,
                                       .function = imap->function,
                                       .data = imap->item.data,
                                       .size = imap->item.size,
                                       .options = soon__imap_each(imap)};
    soon_submit_options own;
    soon_future *future;
    bool try = may_wait(imap);
    int rc;

    if (!is_argument(imap))
        return fail_one(imap, -EINVAL);
    if (imap->item.label || imap->item.payload) {
        own = imap->each;
        own.label = staged_label(imap);
        own.payload = imap->item.payload;
        params.options = &own;
    }
    rc = soon__submit_or_refuse(&future, &params, try);
    if (rc == 0)
        return future;
    if (is_for_good(rc))
        soon__imap_refused(imap, rc);
    else if (rc != SOON_EFULL || !try)
        return fail_one(imap, rc);
    return NULL;
}

/* 1: look whether there is room for more; 0: there is nothing more to do now; -ENOMEM. */
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
    imap->has_staged = false;
    enter_flight(imap, item);
    return 1;
}

/* 0, or why what is staged then cannot be one of the chunk: -ENOMEM; 1: it is no argument. */
static int pull_items(soon_imap *imap, struct soon__imap_chunk *chunk, size_t wanted)
{
    while (chunk->items.count < wanted && pull_item(imap)) {
        if (!is_argument(imap))
            return 1;
        if (!soon__imap_chunk_add_item(chunk, &imap->item))
            return -ENOMEM;
        imap->has_staged = false;
    }
    return 0;
}

static int pull_args(soon_imap *imap, struct soon__imap_chunk *chunk, size_t wanted)
{
    while (chunk->items.count < wanted && pull(imap, soon__imap_chunk_next_arg(chunk)))
        soon__imap_chunk_add(chunk);
    return 0;
}

/* The next chunk of arguments; NULL with `*ret_rc` as take_one(): none. */
static struct soon__imap_chunk *pull_chunk(soon_imap *imap, int *ret_rc)
{
    size_t room = imap->in_flight_max - imap->in_flight, wanted = room < imap->chunk ? room : imap->chunk;
    struct soon__imap_chunk *chunk = soon__imap_chunk_new(imap->function, wanted, imap->source.varied);

    *ret_rc = -ENOMEM;
    if (chunk)
        *ret_rc = imap->source.varied ? pull_items(imap, chunk, wanted) : pull_args(imap, chunk, wanted);
    if (!chunk || chunk->items.count > 0)
        return chunk;
    soon__imap_chunk_drop(chunk);
    return NULL;
}

/* 1: its futures are in flight, or done; 0: it is staged still; or dropped. */
static int submit_chunk(soon_imap *imap, struct soon__imap_chunk *chunk)
{
    bool try = may_wait(imap);
    int rc = soon__imap_chunk_submit(chunk, imap->executor, soon__imap_each(imap), try);

    if (is_for_good(rc))
        soon__imap_refused(imap, rc);
    if (is_for_good(rc) || (rc == SOON_EFULL && try))
        return 0;
    if (rc < 0)
        soon__imap_chunk_fail(chunk, rc, imap->each.label);
    return 1;
}

/* As take_one(). */
static int take_chunk(soon_imap *imap)
{
    struct soon__imap_chunk *chunk = imap->staged;
    int rc = 0;

    if (!chunk && imap->has_staged && !is_argument(imap))
        return take_one(imap); /* which makes a failed item of it */
    if (!chunk)
        chunk = pull_chunk(imap, &rc);
    if (!chunk)
        return rc;
    imap->staged = chunk;
    rc = submit_chunk(imap, chunk);
    if (rc <= 0)
        return rc;
    imap->staged = NULL;
    for (size_t i = 0; i < chunk->items.count; i++)
        enter_flight(imap, &chunk->entries[i].item);
    return 1;
}

void soon__imap_drop_staged(soon_imap *imap)
{
    if (imap->staged)
        soon__imap_chunk_drop(imap->staged);
    if (imap->has_staged)
        soon__item_release(imap->function, &imap->item);
    imap->staged = NULL;
    imap->has_staged = false;
}

static bool has_room(const soon_imap *imap)
{
    size_t room = imap->in_flight_max - imap->in_flight;

    if (imap->staged || imap->has_staged)
        return true; /* it is counted */
    return imap->end_code == 0 && room >= (imap->filled ? imap->chunk : 1);
}

/* 0, or -ENOMEM if that keeps it from taking anything. */
static int fill(soon_imap *imap)
{
    int rc = 1;

    if (imap->end_code == 0 && soon__deadline_check(imap->deadline) < 0) {
        soon__imap_close(imap, -ETIMEDOUT);
        soon__imap_drop_staged(imap);
    }
    while (rc > 0 && has_room(imap))
        rc = imap->chunk > 1 ? take_chunk(imap) : take_one(imap);
    if (rc == 0 || imap->in_flight == imap->in_flight_max)
        imap->filled = true;
    return rc < 0 && imap->in_flight == 0 ? rc : 0;
}

/* With nothing in flight and the queue full of others' tasks it tries again and again: nobody tells us of a place. */
int soon__imap_fill(soon_imap *imap)
{
    for (;;) {
        int rc = fill(imap);
        int64_t retry;

        if (rc < 0 || imap->in_flight > 0 || !(imap->staged || imap->has_staged))
            return rc;
        rc = soon__wait_check(imap->until);
        if (rc == 0)
            rc = soon__thread_before_park(true); /* for a moment */
        if (rc < 0)
            return rc;
        retry = soon__clock_ns() + RETRY_NS;
        soon__park(&imap->bell, atomic_load_explicit(&imap->bell, memory_order_relaxed),
                   retry < imap->until ? retry : imap->until);
        soon__thread_after_park();
    }
}
