/*
 * either.c - a pool of threads or of processes, by a switch: what both have is handed to the one or the other.
 */
#include "core/executor_internal.h"

#include <errno.h>

#define COMMON(o)                                                                                                      \
    .workers = (o)->workers, .name = (o)->name, .initializer = (o)->initializer,                                       \
    .initializer_arg = (o)->initializer_arg, .initializer_arg_size = (o)->initializer_arg_size,                        \
    .initializer_extra = (o)->initializer_extra, .shared = (o)->shared, .queue_max = (o)->queue_max,                   \
    .when_full = (o)->when_full, .idle_timeout_ms = (o)->idle_timeout_ms

static int pool_new(soon_executor **ret, soon_pool_kind kind, const soon_pool_options *o)
{
    if (kind == SOON_THREADS)
        return soon_thread_pool_new(ret, &(soon_thread_pool_options){COMMON(o)});
    if (kind == SOON_PROCESSES)
        return soon_process_pool_new(ret, &(soon_process_pool_options){COMMON(o)});
    return soon__failed(soon__refuse(-EINVAL, "kind = %d is none of soon_pool_kind", (int)kind), "soon_pool_new");
}

int soon_pool_new_sized(soon_executor **ret, soon_pool_kind kind, const soon_pool_options *options, size_t size)
{
    soon_pool_options o;
    int rc = ret ? soon__options_read(&o, sizeof o, options, size) : soon__is_null("ret");

    if (ret)
        *ret = NULL;
    return rc < 0 ? soon__failed(rc, "soon_pool_new") : pool_new(ret, kind, &o);
}
