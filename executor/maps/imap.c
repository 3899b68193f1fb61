/*
 * imap.c - calls under way on arguments from a source.
 *
 *     source --take--> in flight --done--> handed out
 *       |                                   ... then, once nothing is in flight, the end: `end_code`, then SOON_EEND
 *       +-- 0, an error, the timeout, a stop, an executor that takes nothing any more: closed
 *
 * I1  One thread at a time has the turn; all but `ready` and the bell belong to it.
 * I2  At most in_flight_max items are taken and not handed out. An argument that found the executor's queue full is
 *     staged: it waits in the imap, and counts among them.
 * I3  Nothing is taken from the source before there is memory to keep it. An item of any size is lent until the source is
 *     asked again: without memory for a copy it is staged, too.
 * I4  An executor that is shut down or broken is told from a call that failed: it closes the imap. It is asked before
 *     the source is, so that nothing is taken for it; what it refuses all the same, because it has come to its end in
 *     between, is dropped: nobody will run it, and its place is behind all that is in flight, where `end_code` comes.
 * I5  unordered: each item in flight has left a waiter with its future, which puts it on the ready list.
 */
#include "../../futures/depend_internal.h"
#include "imap_internal.h"
#include "map_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Making
 */

static int check_source(const soon_function *function, const struct soon__imap_source *source)
{
    if (!source->varied && !function->arg_size)
        return soon__refuse(
            -EINVAL,
            "the argument of %s has no fixed size: that is for soon_imap_items_new() and soon_imap_strings_new()",
            function->name);
    if (source->string_count && !source->strings)
        return soon__is_null("the array of strings");
    for (size_t i = 0; i < source->string_count; i++) {
        if (!source->strings[i])
            return soon__refuse(-EINVAL, "string %zu is NULL", i);
    }
    return source->next || source->next_item || source->strings ? 0 : soon__is_null("next");
}

static int check(soon_executor *executor, const soon_function *function, const soon_map_options *options,
                 const struct soon__imap_source *source)
{
    int rc = soon__executor_check(executor);

    if (rc < 0)
        return rc;
    rc = soon__check_function(function);
    if (rc == 0)
        rc = check_source(function, source);
    if (rc == 0 && options->on_progress)
        rc = soon__refuse(-EINVAL, ".on_progress is set: that is for soon_map_async()");
    return rc < 0 ? rc : soon__map_check_options(options);
}

static void set_bounds(soon_imap *imap, const soon_map_options *options)
{
    const struct soon__executor_extra *extra = imap->executor->extra;

    imap->chunk = extra && extra->takes_items && options->chunk ? options->chunk : 1;
    imap->in_flight_max = options->in_flight_max;
    if (imap->in_flight_max == 0 &&
        __builtin_mul_overflow(soon__map_calls(imap->executor), imap->chunk, &imap->in_flight_max))
        imap->in_flight_max = SIZE_MAX;
    if (imap->chunk > imap->in_flight_max)
        imap->chunk = imap->in_flight_max;
}

static int imap_new(soon_imap **ret, soon_executor *executor, const soon_function *function,
                    const soon_map_options *options, size_t options_size, const struct soon__imap_source *source)
{
    soon_map_options own;
    const char *label;
    soon_bytes extra;
    soon_imap *imap;
    int rc = soon__options_read(&own, sizeof own, options, options_size);

    if (rc == 0)
        rc = check(executor, function, &own, source);
    if (rc < 0)
        return rc;
    label = own.each && own.each->label ? own.each->label : "";
    extra = own.each ? own.each->extra : (soon_bytes){NULL, 0};
    imap = malloc(sizeof *imap + strlen(label) + 1 + extra.size);
    if (!imap)
        return -ENOMEM;
    *imap = (soon_imap){.executor = executor,
                        .function = function,
                        .source = *source,
                        .deadline = own.timeout_ms ? soon__deadline(own.timeout_ms) : SOON__NEVER,
                        .stop_at_error = own.stop_at_error,
                        .unordered = own.unordered,
                        .has_each = own.each != NULL,
                        .each = own.each ? *own.each : (soon_submit_options){0},
                        .staged_arg = source->varied ? NULL : malloc(function->arg_size)};
    set_bounds(imap, &own);
    rc = imap->staged_arg || imap->source.varied ? 0 : -ENOMEM;
    if (rc == 0 && !soon__imap_chunk_fits(function, imap->chunk, imap->source.varied))
        rc = soon__refuse(-EINVAL, ".chunk = %zu: no memory holds so many", imap->chunk);
    if (rc < 0) {
        free(imap->staged_arg);
        free(imap);
        return rc;
    }
    strcpy(imap->label, label);
    if (imap->each.label)
        imap->each.label = imap->label;
    if (extra.size)
        imap->each.extra.data = memcpy(imap->label + strlen(label) + 1, extra.data, extra.size);
    imap->locked.ready_end = &imap->locked.ready;
    pthread_mutex_init(&imap->mutex, NULL);
    *ret = imap;
    return 0;
}

static int make(const char *caller, soon_imap **ret, soon_executor *executor, const soon_function *function,
                const soon_map_options *options, size_t options_size, const struct soon__imap_source *source)
{
    int rc = ret ? 0 : soon__is_null("ret");

    if (ret) {
        *ret = NULL;
        rc = imap_new(ret, executor, function, options, options_size, source);
    }
    return soon__failed(rc, caller);
}

int soon_imap_new_sized(soon_imap **ret, soon_executor *executor, const soon_function *function,
                        const soon_map_options *options, size_t options_size, soon_source_fn next, void *data)
{
    struct soon__imap_source source = {.next = next, .data = data};

    return make("soon_imap_new", ret, executor, function, options, options_size, &source);
}

int soon_imap_items_new_sized(soon_imap **ret, soon_executor *executor, const soon_function *function,
                              const soon_map_options *options, size_t options_size, soon_item_source_fn next,
                              void *data)
{
    struct soon__imap_source source = {.varied = true, .next_item = next, .data = data};

    return make("soon_imap_items_new", ret, executor, function, options, options_size, &source);
}

int soon_imap_strings_new_sized(soon_imap **ret, soon_executor *executor, const soon_function *function,
                                const soon_map_options *options, size_t options_size, const char *const *strings,
                                size_t count)
{
    static const char *const none[1];
    struct soon__imap_source source = {
        .varied = true, .strings = strings || count ? strings : none, .string_count = count};

    return make("soon_imap_strings_new", ret, executor, function, options, options_size, &source);
}

/*
 * In flight
 */

/* Its waiter has been notified or removed. Gives the caller the reference of its future. */
static soon_future *leave_flight(soon_imap *imap, struct soon__imap_item *item)
{
    soon_future *future = item->future;

    if (item->previous)
        item->previous->next = item->next;
    else
        imap->first = item->next;
    if (item->next)
        item->next->previous = item->previous;
    else
        imap->last = item->previous;
    imap->in_flight--;
    if (!item->chunk)
        free(item);
    return future;
}

/* An item of a chunk that was never submitted is done. */
static soon_future *call_of(const struct soon__imap_item *item)
{
    return item->chunk && item->chunk->call ? item->chunk->call : item->future;
}

static void cancel_item(struct soon__imap_item *item)
{
    soon_future_cancel(call_of(item));
}

/*
 * Handing out
 */

static struct soon__imap_item *take_ready(soon_imap *imap)
{
    struct soon__imap_item *item;

    pthread_mutex_lock(&imap->mutex);
    item = imap->locked.ready;
    if (item) {
        imap->locked.ready = item->next_ready;
        if (!imap->locked.ready)
            imap->locked.ready_end = &imap->locked.ready;
    }
    pthread_mutex_unlock(&imap->mutex);
    return item;
}

/* A worker runs pending ones of ours, and tells a wait that could never end. 1: look again. */
static int help_with_any(soon_imap *imap)
{
    bool stuck = true;

    if (!soon__thread_is_busy() || imap->until == SOON__POLL)
        return 0;
    for (struct soon__imap_item *item = imap->first; item; item = item->next) {
        if (imap->until == SOON__NEVER && soon__help_pending(call_of(item)))
            return 1;
        stuck = stuck && soon__thread_is_inside(item->future);
    }
    return stuck ? SOON_EDEADLK : 0;
}

/* All that is in flight are calls of one executor. */
static bool others_end(const soon_imap *imap)
{
    return !soon__thread_in_executor(imap->executor);
}

static int await_any(soon_imap *imap, struct soon__imap_item **ret)
{
    for (;;) {
        uint32_t bell = atomic_load_explicit(&imap->bell, memory_order_relaxed); /* the mutex orders it */
        int rc;

        *ret = take_ready(imap);
        if (*ret)
            return 0;
        rc = help_with_any(imap);
        if (rc > 0)
            continue;
        if (rc == 0)
            rc = soon__wait_check(imap->until);
        if (rc == 0)
            rc = soon__thread_before_park(others_end(imap));
        if (rc < 0)
            return rc;
        soon__wait_park(&imap->bell, bell, imap->until);
        soon__thread_after_park();
    }
}

static int await_item(soon_imap *imap, struct soon__imap_item **ret)
{
    if (imap->unordered)
        return await_any(imap, ret);
    *ret = imap->first;
    return soon__future_await(imap->first->future, imap->until);
}

/* Nothing of what is in flight will be handed out. */
static void abandon_flight(soon_imap *imap)
{
    struct soon__imap_item *item;

    for (item = imap->first; item && imap->unordered; item = item->next)
        soon__future_remove_waiter(item->future, &item->waiter);
    imap->locked.ready = NULL; /* without the mutex: nobody else comes any more */
    imap->locked.ready_end = &imap->locked.ready;
    while ((item = imap->last)) { /* what is pending first, or it would start as what runs gives in */
        cancel_item(item);
        soon_future_unref(leave_flight(imap, item));
    }
    soon__imap_drop_staged(imap);
}

static void stop(soon_imap *imap)
{
    imap->stopped = true;
    soon__imap_close(imap, SOON_EEND);
    soon__imap_drop_staged(imap);
    for (struct soon__imap_item *item = imap->last; item; item = item->previous)
        cancel_item(item);
}

static int next_in_turn(soon_imap *imap, soon_future **ret, uint64_t *ret_index)
{
    struct soon__imap_item *item = NULL;
    int rc = soon__imap_fill(imap);

    if (rc == 0 && imap->in_flight == 0) {
        rc = imap->end_code;
        imap->end_code = SOON_EEND;
        return rc;
    }
    if (rc == 0)
        rc = await_item(imap, &item);
    if (rc == -ETIMEDOUT && soon__deadline_check(imap->deadline) < 0) {
        imap->end_code = SOON_EEND;
        abandon_flight(imap);
    }
    if (rc < 0)
        return rc;
    if (ret_index)
        *ret_index = item->index;
    *ret = leave_flight(imap, item);
    if (imap->stop_at_error && soon__future_error(*ret) && !imap->stopped)
        stop(imap);
    return 0;
}

static int imap_next(soon_imap *imap, int64_t timeout_ms, soon_future **ret, uint64_t *ret_index)
{
    int64_t deadline;
    int rc;

    if (!imap || !ret)
        return soon__is_null(imap ? "ret" : "the imap");
    rc = soon__check_timeout(timeout_ms);
    if (rc == 0)
        rc = soon__executor_check(imap->executor);
    if (rc < 0)
        return rc;
    deadline = soon__deadline(timeout_ms);
    rc = soon__timed_lock_take(&imap->turn, deadline, others_end(imap));
    if (rc < 0)
        return rc;
    imap->until = deadline < imap->deadline ? deadline : imap->deadline;
    rc = next_in_turn(imap, ret, ret_index);
    soon__timed_lock_give(&imap->turn);
    return rc;
}

int soon_imap_next(soon_imap *imap, int64_t timeout_ms, soon_future **ret, uint64_t *ret_index)
{
    return soon__failed(imap_next(imap, timeout_ms, ret, ret_index), "soon_imap_next");
}

const soon_error *soon_imap_error(const soon_imap *imap)
{
    if (!soon__check(imap, "soon_imap_error: NULL"))
        return &soon__error_static(-EINVAL, false)->public;
    return imap->refused ? &imap->refused->public : &soon__error_none;
}

void soon_imap_free(soon_imap *imap)
{
    if (!imap)
        return;
    abandon_flight(imap);
    soon__error_unref(imap->refused);
    pthread_mutex_destroy(&imap->mutex);
    free(imap->staged_arg);
    free(imap);
}
