/*
 * call_new.c - making the block of a submission.
 *
 *     [ soon_call | argument, if small, or where it is | result, if small and of fixed size | ... ]   and a struct
 *     soon__call_extra beside it, if an option is set
 *
 * All that the end of a call will need is in the block from the start (struct soon__call_job), so it cannot fail.
 */
#include "call_new_internal.h"

#include "../../futures/block_internal.h"
#include "../../futures/callback_internal.h"
#include "../../futures/value_internal.h"
#include "call_class_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(SOON__CALL_ARG_AT <= 96, "with 32 bytes of argument and 8 of result it takes 128");
_Static_assert(SOON__CALL_ARG_AT + 2 * SOON__CALL_SMALL_MAX + sizeof(struct soon__job) + sizeof(soon_call *) +
                       sizeof(struct soon__delivery) + 2 * SOON__CALL_ALIGNMENT <
                   SOON__BLOCK_STEPS * SOON__CALL_ALIGNMENT,
               "block");

/* `arg` and `result` are the sizes of what lies in the block; 0: nothing does. */
static inline size_t block_size(size_t arg, size_t result, bool has_job, bool has_on_done)
{
    size_t size = SOON__CALL_ARG_AT + soon__call_round_up(arg);

    if (result > sizeof(uint64_t))
        size += soon__call_round_up(result);
    return size + (has_job ? SOON__CALL_JOB_SIZE : 0) + (has_on_done ? SOON__CALL_ON_DONE_SIZE : 0);
}

/* Is the argument for another process, and too large to be copied each time that it is sent? */
static bool is_large(const struct soon__call_params *params)
{
    size_t above = params->executor->klass.mappable_above;
    size_t size = params->data ? params->size : params->function->arg_size;

    return above && !params->takes_first && !params->items && size > above;
}

static bool needs_extra(const struct soon__call_params *params)
{
    const soon_submit_options *o = params->options;

    return params->first || params->items || is_large(params) ||
           (o && (o->label || o->data || o->priority || o->retries || o->time_limit_ms || o->queue_limit_ms ||
                  o->when_full || o->payload || o->extra.size || o->on_progress));
}

/* A chunk of one item has the label of that item. */
static const char *label_of(const struct soon__call_params *params)
{
    const struct soon__items *items = params->items;
    const char *own = items && items->count == 1 ? soon__items_label(items, 0) : NULL;

    return own || !params->options ? own : params->options->label;
}

static int extra_new(soon_call *call, const struct soon__call_params *params)
{
    static const soon_submit_options defaults;
    const soon_submit_options *options = params->options ? params->options : &defaults;
    const char *label = label_of(params);
    size_t label_size = label ? strlen(label) + 1 : 0, bytes = options->extra.size;
    size_t payloads = options->payload_count * sizeof *options->payloads;
    size_t payloads_at = soon__call_round_up(bytes), label_at = payloads_at + payloads;
    struct soon__call_extra *extra = malloc(sizeof *extra + label_at + label_size);

    if (!extra)
        return -ENOMEM;
    *extra = (struct soon__call_extra){.options = *options, .items = params->items};
    extra->options.after = NULL; /* the array is the caller's; `first` has the references */
    extra->options.after_count = 0;
    if (bytes)
        extra->options.extra.data = memcpy(extra->text, options->extra.data, bytes);
    if (payloads)
        extra->options.payloads = memcpy(extra->text + payloads_at, options->payloads, payloads);
    if (label)
        extra->options.label = memcpy(extra->text + label_at, label, label_size);
    extra->queue_deadline = options->queue_limit_ms ? soon__deadline(options->queue_limit_ms) : SOON__NEVER;
    call->promise.future.aside = &extra->aside;
    call->flags |= SOON__CALL_HAS_EXTRA;
    return 0;
}

/* A call without options gets an extra for that, and is plain no more. Without memory it stays as it is. */
static bool extra_for_sample(soon_call *call)
{
    struct soon__call_extra *extra = malloc(sizeof *extra); /* no block: these are counted as futures */

    if (!extra)
        return false;
    *extra = (struct soon__call_extra){.queue_deadline = SOON__NEVER};
    call->promise.future.aside = &extra->aside;
    call->flags = (uint8_t)((call->flags & ~SOON__CALL_PLAIN) | SOON__CALL_HAS_EXTRA);
    return true;
}

void soon__call_begin_sample(soon_call *call, uint32_t weight)
{
    struct soon__sample *sample;

    if (!(call->flags & SOON__CALL_HAS_EXTRA) && !extra_for_sample(call))
        return;
    sample = &soon__call_extra(call)->sample;
    *sample = (struct soon__sample){
        .weight = weight, .executor = call->executor, .function = call->function, .label = soon__call_label(call)};
    soon__sample_submitted(sample);
}

/* Registered before anybody knows the future, so it cannot come too late. */
static int set_on_done(soon_call *call, const soon_submit_options *options)
{
    struct soon__delivery *on_done = soon__call_on_done(call);
    int rc = 0;

    if (options->on_done_loop) {
        rc = soon__delivery_init(on_done, options->on_done_loop, options->on_done, options->on_done_data,
                                 options->on_done_release);
        on_done->embedded = true;
    } else {
        on_done->callback = (struct soon__callback){.kind = SOON__CALLBACK_USER,
                                                    .fn = options->on_done,
                                                    .data = options->on_done_data,
                                                    .let_go = options->on_done_release};
    }
    if (rc == 0)
        soon__future_begin_with(soon__call_future(call), &on_done->callback);
    return rc;
}

static int set_large_arg(soon_call *call, const struct soon__call_params *params, size_t size)
{
    soon_buffer *buffer;
    int rc = soon__buffer_new_frozen(&buffer, params->data, size);

    if (rc < 0)
        return rc;
    soon__buffer_spare_descriptor(buffer);
    soon__call_extra(call)->arg_buffer = buffer;
    *soon__call_far_arg(call) = (soon_bytes){soon_buffer_data(buffer), size};
    return 0;
}

static void copy_arg(void *copy, const struct soon__call_params *params, size_t size)
{
    if (params->data)
        memcpy(copy, params->data, size);
    else
        memset(copy, 0, size);
}

/* The first argument of a chunk; NULL for a then, which has no argument yet. */
static soon_bytes first_arg(const struct soon__items *items, size_t size)
{
    if (items && items->each)
        return (soon_bytes){items->each->data, items->each->size};
    return (soon_bytes){items ? items->args : NULL, size};
}

/* Sets an argument that does not lie in the block. */
static int set_far_arg(soon_call *call, const struct soon__call_params *params, size_t size)
{
    void *copy;

    if (call->flags & SOON__CALL_ARG_LENT) {
        *soon__call_far_arg(call) = first_arg(params->items, size);
        return 0;
    }
    if (is_large(params))
        return set_large_arg(call, params, size);
    copy = malloc(size);
    if (!copy)
        return -ENOMEM;
    call->flags |= SOON__CALL_ARG_ON_HEAP;
    copy_arg(copy, params, size);
    *soon__call_far_arg(call) = (soon_bytes){copy, size};
    return 0;
}

/* `block` is the size of the block. */
static inline void init(soon_call *call, soon_executor *executor, const soon_function *function, size_t block,
                        size_t arg, unsigned flags)
{
    soon__future_init(soon__call_future(call), &soon__call_class, 1, 1);
    call->function = function;
    call->executor = executor;
    call->flags = (uint8_t)(executor->klass.call_flags | flags);
    call->arg_size = (uint8_t)arg;
    soon__call_future(call)->block =
        (uint8_t)(block / SOON__CALL_ALIGNMENT | (function->free_result ? 0 : SOON__BLOCK_ALONE));
}

static inline bool releases_nothing(const soon_function *function)
{
    return !function->free_arg && !function->free_result;
}

/* Makes a block. Its future is ready, and its flags say where argument and result go; nothing else is filled in. NULL:
 * no memory. */
static soon_call *block_new(const struct soon__call_params *params, size_t size)
{
    bool lent = params->takes_first || params->items, far = lent || size > SOON__CALL_SMALL_MAX || is_large(params);
    size_t result = params->function->result_size;
    bool has_space = result && result <= SOON__CALL_SMALL_MAX && !params->items;
    bool has_on_done = params->options && params->options->on_done;
    bool is_plain = !far && has_space == (result != 0) && releases_nothing(params->function) && !needs_extra(params);
    size_t block = block_size(far ? sizeof(soon_bytes) : size, has_space ? result : 0,
                              soon__call_releases(params->function, params->options, params->first), has_on_done);
    soon_call *call = soon__block_new(block);

    if (!call)
        return NULL;
    init(call, params->executor, params->function, block, far ? SOON__CALL_FAR : size,
         (is_plain ? SOON__CALL_PLAIN : 0) | (lent ? SOON__CALL_ARG_LENT : 0) | (has_on_done ? SOON__CALL_TELLS : 0));
    return call;
}

/* Frees what the call has. Releases nothing that the caller gave, and does not count its delivery out of its loop. */
static void drop(soon_call *call)
{
    if (call->flags & SOON__CALL_ARG_ON_HEAP)
        free((void *)soon__call_far_arg(call)->data);
    if (call->flags & SOON__CALL_HAS_EXTRA)
        soon_buffer_unref(soon__call_extra(call)->arg_buffer);
    soon__future_fini(soon__call_future(call));
    soon__block_free(call, soon__call_size(call));
}

static inline soon_call *new_plain(soon_executor *executor, const soon_function *function, const void *arg, size_t size,
                                   const soon_submit_options *told)
{
    size_t result = function->result_size, block = block_size(size, result, function->free_arg, told);
    soon_call *call;

    if (size > SOON__CALL_SMALL_MAX || result > SOON__CALL_SMALL_MAX)
        return NULL;
    call = soon__block_pop(block);
    if (!call)
        return NULL;
    init(call, executor, function, block, size,
         (releases_nothing(function) ? SOON__CALL_PLAIN : 0) | (told ? SOON__CALL_TELLS : 0));
    soon__copy((char *)call + SOON__CALL_ARG_AT, arg, size);
    if (told && set_on_done(call, told) < 0) {
        drop(call);
        return NULL;
    }
    return call;
}

soon_call *soon__call_new_plain(soon_executor *executor, const soon_function *function, const void *arg, size_t size)
{
    return new_plain(executor, function, arg, size, NULL);
}

soon_call *soon__call_new_told(soon_executor *executor, const soon_function *function, const void *arg, size_t size,
                               const soon_submit_options *told)
{
    return new_plain(executor, function, arg, size, told);
}

int soon__call_new(soon_call **ret, const struct soon__call_params *params)
{
    size_t size = params->data ? params->size : params->function->arg_size;
    soon_call *call = block_new(params, size);
    uint32_t weight;
    int rc = 0;

    if (!call)
        return -ENOMEM;
    if (needs_extra(params))
        rc = extra_new(call, params);
    if (rc == 0 && soon__call_is_far(call))
        rc = set_far_arg(call, params, size);
    else if (rc == 0)
        copy_arg((char *)call + SOON__CALL_ARG_AT, params, size);
    if (rc < 0)
        goto fail;
    if (call->flags & SOON__CALL_TELLS)
        rc = set_on_done(call, params->options);
    if (rc < 0)
        goto fail;
    weight = params->is_initializer ? 0 : soon__sample_choose();
    if (weight)
        soon__call_begin_sample(call, weight);
    *ret = call;
    return 0;

fail:
    drop(call);
    return rc;
}

void soon__call_discard(soon_call *call)
{
    if (call->flags & SOON__CALL_TELLS && soon__call_on_done(call)->callback.kind == SOON__CALLBACK_POSTED)
        soon__delivery_drop(soon__call_on_done(call));
    drop(call);
}
