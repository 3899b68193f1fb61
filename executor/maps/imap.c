/*
 * imap.c - calls under way on arguments from a source: an imap is made, hands out what has ended, and is freed.
 *
 *     source --taken--> in flight --done--> handed out
 *       |                                   ... then, once nothing is in flight, the end: `end_code`, then SOON_EEND
 *       +-- 0, an error, the timeout, a stop, an executor that takes nothing any more: closed
 *
 * I1  One thread at a time iterates. All but `ready` and the bell belong to it.
 * I2  At most in_flight_max items are taken and not handed out. An argument that found the executor's queue full is
 *     staged: it waits in the imap, and counts among them.
 * I3  Nothing is taken from the source before there is memory to keep it. An item of any size is lent until the source
 *     is asked again: without memory for a copy it is staged, too.
 * I4  An executor that is shut down or broken is not the same as a call that failed: it closes the imap. It is asked
 *     before the source is, so that nothing is taken for it. An argument that it refuses all the same, because it has
 *     come to its end in between, is dropped: nobody will run it, and its place is behind all that is in flight, where
 *     `end_code` comes.
 * I5  See imap_state.c.
 */
#include "../../futures/await_internal.h"
#include "../../futures/depend_internal.h"
#include "../core/executor_internal.h"
#include "imap_chunk_internal.h"
#include "imap_source_internal.h"
#include "map_options_internal.h"
#include "run_pending_internal.h"

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
    rc = soon__executor_check_function(executor, function);
    if (rc == 0)
        rc = check_source(function, source);
    if (rc == 0 && options->on_progress)
        rc = soon__refuse(-EINVAL, ".on_progress is set: that is for soon_map_async()");
    return rc < 0 ? rc : soon__map_options_check(options);
}

static void set_bounds(soon_imap *imap, const soon_map_options *options)
{
    imap->chunk = soon__executor_takes_items(imap->executor, imap->function) && options->chunk ? options->chunk : 1;
    imap->in_flight_max = options->in_flight_max;
    if (imap->in_flight_max == 0 &&
        __builtin_mul_overflow(soon__map_default_calls(imap->executor), imap->chunk, &imap->in_flight_max))
        imap->in_flight_max = SIZE_MAX;
    if (imap->chunk > imap->in_flight_max)
        imap->chunk = imap->in_flight_max;
}

/* Returns a zeroed imap but for `each`, whose label and extra bytes are copied behind it. NULL: no memory. */
static soon_imap *alloc(const soon_map_options *options)
{
    soon_submit_options each = options->each ? *options->each : (soon_submit_options){0};
    size_t label = each.label ? strlen(each.label) + 1 : 0;
    soon_imap *imap = malloc(sizeof *imap + label + each.extra.size);

    if (!imap)
        return NULL;
    *imap = (soon_imap){.has_each = options->each != NULL, .each = each};
    if (label)
        imap->each.label = memcpy(imap->copies, each.label, label);
    if (each.extra.size)
        imap->each.extra.data = memcpy(imap->copies + label, each.extra.data, each.extra.size);
    return imap;
}

/* Sets options and bounds, and makes room for an argument. Returns 0; -ENOMEM; -EINVAL: no memory holds a chunk. */
static int init(soon_imap *imap, const soon_map_options *options)
{
    void **staged_arg = &imap->iterating.staged.arg;

    imap->deadline = options->timeout_ms ? soon__deadline(options->timeout_ms) : SOON__NEVER;
    imap->stop_at_error = options->stop_at_error;
    imap->unordered = options->unordered;
    set_bounds(imap, options);
    if (!soon__imap_chunk_fits(imap->function, imap->chunk, imap->source.varied))
        return soon__refuse(-EINVAL, ".chunk = %zu: no memory holds so many", imap->chunk);
    *staged_arg = imap->source.varied ? NULL : malloc(imap->function->arg_size);
    if (!*staged_arg && !imap->source.varied)
        return -ENOMEM;
    soon__imap_forget_ready(imap);
    pthread_mutex_init(&imap->mutex, NULL);
    return 0;
}

static int imap_new(soon_imap **ret, soon_executor *executor, const soon_function *function,
                    const soon_map_options *options, size_t options_size, const struct soon__imap_source *source)
{
    soon_map_options own;
    soon_imap *imap;
    int rc = soon__options_read(&own, sizeof own, options, options_size);

    if (rc == 0)
        rc = check(executor, function, &own, source);
    if (rc < 0)
        return rc;
    imap = alloc(&own);
    if (!imap)
        return -ENOMEM;
    imap->executor = executor;
    imap->function = function;
    imap->source = *source;
    rc = init(imap, &own);
    if (rc < 0)
        free(imap);
    else
        *ret = imap;
    return rc;
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
 * Waiting
 */

/* Returns the future of the call that runs an item. An item of a chunk that was never submitted is done itself. */
static soon_future *call_of(const struct soon__imap_item *item)
{
    soon_future *call = item->chunk ? soon__imap_chunk_call(item->chunk) : NULL;

    return call ? call : item->future;
}

/* A worker that waits runs a pending call. Returns 1: one ran; SOON_EDEADLK: the wait could never end; 0: sleep. */
static int run_any(soon_imap *imap)
{
    bool stuck = true;

    if (!soon__thread_is_busy() || imap->iterating.until == SOON__POLL)
        return 0;
    for (struct soon__imap_item *item = imap->iterating.first; item; item = item->next) {
        if (imap->iterating.until == SOON__NEVER && soon__run_pending(call_of(item)))
            return 1;
        stuck = stuck && soon__thread_is_inside(item->future);
    }
    return stuck ? SOON_EDEADLK : 0;
}

/* Returns whether it is other threads that end what is in flight, all of which are calls of one executor. */
static bool others_end(const soon_imap *imap)
{
    return !soon__thread_in_executor(imap->executor);
}

static int await_any(soon_imap *imap, struct soon__imap_item **ret)
{
    for (;;) {
        uint32_t bell = atomic_load_explicit(&imap->bell, memory_order_relaxed); /* the mutex orders it */
        int rc;

        *ret = soon__imap_pop_ready(imap);
        if (*ret)
            return 0;
        rc = run_any(imap);
        if (rc > 0)
            continue;
        if (rc == 0)
            rc = soon__wait_check(imap->iterating.until);
        if (rc == 0)
            rc = soon__thread_before_park(others_end(imap));
        if (rc < 0)
            return rc;
        soon__wait_park(&imap->bell, bell, imap->iterating.until);
        soon__thread_after_park();
    }
}

static int await_item(soon_imap *imap, struct soon__imap_item **ret)
{
    if (imap->unordered)
        return await_any(imap, ret);
    *ret = imap->iterating.first;
    return soon__future_await(imap->iterating.first->future, imap->iterating.until);
}

/*
 * Handing out
 */

static void cancel_item(struct soon__imap_item *item)
{
    soon_future_cancel(call_of(item));
}

/* Cancels what is in flight, of which nothing will be handed out. Backwards, so that what is pending ends first: else
 * it would start in the place of what gives in. */
static void abandon_flight(soon_imap *imap)
{
    struct soon__imap_item *item;

    for (item = imap->iterating.first; item && imap->unordered; item = item->next)
        soon__future_remove_waiter(item->future, &item->waiter);
    soon__imap_forget_ready(imap);
    while ((item = imap->iterating.last)) {
        cancel_item(item);
        soon_future_unref(soon__imap_leave_flight(imap, item));
    }
    soon__imap_drop_staged(imap);
}

static void stop(soon_imap *imap)
{
    soon__imap_close(imap, SOON_EEND);
    soon__imap_move(imap, SOON__IMAP_STOPPED);
    soon__imap_drop_staged(imap);
    for (struct soon__imap_item *item = imap->iterating.last; item; item = item->previous)
        cancel_item(item);
}

/* Returns what comes when all was handed out. */
static int end(soon_imap *imap)
{
    if (imap->iterating.state == SOON__IMAP_ENDED)
        return SOON_EEND;
    soon__imap_move(imap, SOON__IMAP_ENDED);
    return imap->iterating.end_code;
}

static void hand_out(soon_imap *imap, struct soon__imap_item *item, soon_future **ret, uint64_t *ret_index)
{
    if (ret_index)
        *ret_index = item->index;
    *ret = soon__imap_leave_flight(imap, item);
    if (imap->stop_at_error && soon__future_error(*ret) && imap->iterating.state < SOON__IMAP_STOPPED)
        stop(imap);
}

/* Does the work of soon_imap_next(), on the thread that iterates. */
static int next(soon_imap *imap, soon_future **ret, uint64_t *ret_index)
{
    struct soon__imap_item *item = NULL;
    int rc = soon__imap_fill(imap);

    if (rc == 0 && imap->iterating.in_flight == 0)
        return end(imap);
    if (rc == 0)
        rc = await_item(imap, &item);
    if (rc == -ETIMEDOUT && soon__deadline_check(imap->deadline) < 0) {
        soon__imap_move(imap, SOON__IMAP_ENDED);
        abandon_flight(imap);
    }
    if (rc == 0)
        hand_out(imap, item, ret, ret_index);
    return rc;
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
    rc = soon__timed_lock_acquire(&imap->iterator, deadline, others_end(imap));
    if (rc < 0)
        return rc;
    imap->iterating.until = deadline < imap->deadline ? deadline : imap->deadline;
    rc = next(imap, ret, ret_index);
    soon__timed_lock_release(&imap->iterator);
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
    return imap->iterating.refused ? &imap->iterating.refused->public : &soon__error_none;
}

void soon_imap_free(soon_imap *imap)
{
    if (!imap)
        return;
    abandon_flight(imap);
    soon__error_unref(imap->iterating.refused);
    pthread_mutex_destroy(&imap->mutex);
    free(imap->iterating.staged.arg);
    free(imap);
}
