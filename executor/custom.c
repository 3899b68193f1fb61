/*
 * custom.c - executors of the user's own: the public face of executors and calls.
 */
#include "custom.h"

#include "executor_internal.h"

#include <errno.h>

int soon_executor_new(soon_executor **ret, const soon_executor_class *klass, void *self)
{
    if (!ret || !klass || klass->size < offsetof(soon_executor_class, free) || !klass->submit || !klass->shutdown)
        return -EINVAL;
    return soon__executor_new(ret, klass, self, NULL, SOON_FULL_BLOCK);
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
    return soon__check(call, "soon_call_payload: NULL") && soon__call_extra(call)
               ? soon__call_extra(call)->options.payload
               : NULL;
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

void soon_call_free(soon_call *call)
{
    if (!call)
        return;
    soon__promise_abandon(&call->promise);
    soon__call_end(call);
}
