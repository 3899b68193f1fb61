/*
 * custom.c - executors of the user's own: the public face of executors and calls.
 */
#include "../custom.h"

#include "executor_table_internal.h"
#include "run_internal.h"
#include "trace_internal.h"

#include <errno.h>
#include <string.h>

static int check(const soon_executor_class *klass)
{
    if (!klass)
        return soon__is_null("klass");
    if (klass->size < offsetof(soon_executor_class, free))
        return soon__refuse(-EINVAL, ".size = %zu is not that of soon_executor_class", klass->size);
    if (!klass->submit || !klass->shutdown)
        return soon__is_null(klass->submit ? ".shutdown" : ".submit");
    return 0;
}

/* Of a program that was made with another version of the library, the class is shorter or longer than ours. */
static int new_of(soon_executor **ret, const soon_executor_class *klass, void *self)
{
    struct soon__executor_class own = {.of_library = false};
    int rc;

    memcpy(&own.public, klass, klass->size < sizeof own.public ? klass->size : sizeof own.public);
    soon__trace_start_asked();
    rc = soon__executor_new(ret, &own, self, SOON_FULL_BLOCK);
    if (rc == 0)
        soon__executor_publish(*ret, own.public.name);
    return rc;
}

int soon_executor_new(soon_executor **ret, const soon_executor_class *klass, void *self)
{
    int rc = ret ? check(klass) : soon__is_null("ret");

    if (ret)
        *ret = NULL;
    if (rc == 0)
        rc = new_of(ret, klass, self);
    return soon__failed(rc, "soon_executor_new");
}

const soon_function *soon_call_function(const soon_call *call)
{
    return soon__check(call, "soon_call_function: NULL") ? call->function : NULL;
}

soon_bytes soon_call_arg(const soon_call *call)
{
    if (!soon__check(call, "soon_call_arg: NULL"))
        return (soon_bytes){NULL, 0};
    return soon__call_arg(call);
}

soon_bytes soon_call_extra_bytes(const soon_call *call)
{
    return soon_call_options(call)->extra;
}

soon_buffer *soon_call_payload(const soon_call *call)
{
    const struct soon__call_extra *extra;

    if (!soon__check(call, "soon_call_payload: NULL"))
        return NULL;
    extra = soon__call_extra(call);
    if (extra && extra->items && extra->items->each)
        return extra->items->each->payload;
    return extra ? extra->options.payload : NULL;
}

soon_buffer *soon_call_payload_at(const soon_call *call, size_t index)
{
    return index == 0 ? soon_call_payload(call) : soon__payload_at(soon_call_options(call), index);
}

size_t soon_call_payload_count(const soon_call *call)
{
    return (soon_call_payload(call) != NULL) + soon_call_options(call)->payload_count;
}

size_t soon_call_input_count(const soon_call *call)
{
    return soon__check(call, "soon_call_input_count: NULL") ? soon__call_input_count(call) : 0;
}

soon_bytes soon_call_input(const soon_call *call, size_t index)
{
    const soon_future *input = soon__check(call, "soon_call_input: NULL") ? soon__call_input(call, index) : NULL;

    return input ? (soon_bytes){input->result, input->result_size} : (soon_bytes){NULL, 0};
}

soon_buffer *soon_call_input_payload(const soon_call *call, size_t index)
{
    soon_future *input = soon__check(call, "soon_call_input_payload: NULL") ? soon__call_input(call, index) : NULL;

    return input ? soon_future_payload(input) : NULL;
}

const soon_submit_options *soon_call_options(const soon_call *call)
{
    static const soon_submit_options defaults;

    return soon__check(call, "soon_call_options: NULL") && soon__call_extra(call) ? &soon__call_extra(call)->options
                                                                                  : &defaults;
}

soon_promise *soon_call_promise(soon_call *call)
{
    return soon__check(call, "soon_call_promise: NULL") ? &call->promise : NULL;
}

void soon_call_run(soon_call *call)
{
    if (soon__check(call, "soon_call_run: NULL"))
        soon__call_run(call, NULL, NULL);
}

/* By the executor, which lives. */
static void tell_end(soon_call *call)
{
    soon_future *future = soon__call_future(call);

    soon__call_tell_end(call, soon__future_error(future), (soon__future_word(future) & SOON__STATE) == SOON__CANCELLED);
}

void soon_call_free(soon_call *call)
{
    if (!call)
        return;
    soon__promise_abandon(&call->promise);
    tell_end(call);
    soon__call_end(call);
}
