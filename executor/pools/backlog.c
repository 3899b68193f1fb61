/*
 * backlog.c - what both pools do alike.
 */
#include "backlog_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int soon__pool_options_check(int workers, int64_t idle_timeout_ms, soon_full when_full,
                             const soon_function *initializer, const void *initializer_arg)
{
    if (workers < 0 || idle_timeout_ms < 0 || (unsigned)when_full > SOON_FULL_RUN_HERE)
        return -EINVAL;
    if (initializer && (!soon__function_is_valid(initializer) || when_full == SOON_FULL_RUN_HERE))
        return -EINVAL;
    /* Of how many bytes? */
    return initializer_arg && (!initializer || !initializer->arg_size) ? -EINVAL : 0;
}

int soon__initializer_copy(void **ret_arg, const soon_function *initializer, const void *initializer_arg)
{
    size_t size = initializer ? initializer->arg_size : 0;

    *ret_arg = size ? calloc(1, size) : NULL;
    if (*ret_arg && initializer_arg)
        memcpy(*ret_arg, initializer_arg, size);
    return size && !*ret_arg ? -ENOMEM : 0;
}

int64_t soon__span_ns(int64_t ms, int64_t standard_ms)
{
    if (ms == 0)
        ms = standard_ms;
    return ms > INT64_MAX / 4000000 ? INT64_MAX / 4 : ms * 1000000;
}

void soon__calls_cancel(soon_call *calls)
{
    soon_call *next;

    for (; calls; calls = next) {
        next = calls->next;
        soon__call_cancel(calls);
    }
}

void soon__calls_fail(soon_call *calls, struct soon__error *why)
{
    soon_call *next;

    for (; calls; calls = next) {
        next = calls->next;
        soon__call_fail(calls, soon__error_ref(why));
    }
}
