/*
 * map_options.c - the options that maps and imaps share.
 */
#include "map_options_internal.h"

#include "../core/stats_internal.h"
#include "../core/submit_internal.h"

#include <errno.h>
#include <inttypes.h>

int soon__map_options_check(const soon_map_options *options)
{
    const soon_submit_options *each = options->each;

    if (options->timeout_ms < 0)
        return soon__refuse(-EINVAL, ".timeout_ms = %" PRId64 " is negative; 0 is no limit", options->timeout_ms);
    if (each && (each->payload || each->payload_count || each->data || each->on_done || each->on_done_data ||
                 each->on_done_loop || each->on_done_release || each->after_count || each->on_progress))
        return soon__refuse(-EINVAL, ".each->%s is set: it cannot be each item's own",
                            each->payload || each->payload_count ? "payload"
                            : each->after_count                  ? "after"
                            : each->data                         ? "data"
                            : each->on_progress                  ? "on_progress"
                                                                 : "on_done");
    if (options->progress_every_ms < 0)
        return soon__refuse(-EINVAL, ".progress_every_ms = %" PRId64 " is negative", options->progress_every_ms);
    if (!options->on_progress && (options->on_progress_loop || options->progress_every_ms))
        return soon__refuse(-EINVAL, ".%s is set, and .on_progress is NULL",
                            options->on_progress_loop ? "on_progress_loop" : "progress_every_ms");
    return soon__submit_options_check(each);
}

size_t soon__map_default_calls(soon_executor *executor)
{
    size_t width = soon__executor_width(executor), calls;

    /* The stats of an executor of the program's own may say any width. */
    return __builtin_mul_overflow(width, (size_t)4, &calls) ? SIZE_MAX : calls;
}
