/*
 * arguments.c - what a map is asked to do: whether it can be, and the map's own copy of its arguments, where it needs one.
 */
#include "map_internal.h"

#include "../core/function_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * Checks
 */

static bool arrays_fit(const struct soon__map_params *params)
{
    size_t arg = params->varied ? sizeof(soon_item) : params->function->arg_size;
    size_t result = params->function->result_size ? params->function->result_size : sizeof(struct soon__map_result);

    return soon__array_fits(params->count, arg) && soon__array_fits(params->count, result) &&
           (!params->errors || soon__array_fits(params->count, sizeof *params->errors));
}

int soon__map_check_options(const soon_map_options *options)
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

static int check_function(const struct soon__map_params *params)
{
    const soon_function *function = params->function;
    int rc = soon__check_function(function);

    if (rc < 0)
        return rc;
    if (!function->arg_size && !params->varied)
        return soon__refuse(-EINVAL,
                            "the argument of %s has no fixed size: that is for soon_map_items() and soon_map_strings()",
                            function->name);
    if (!function->result_size && params->results)
        return soon__refuse(-EINVAL,
                            "the result of %s has no fixed size: have it by soon_map_item_result(), of a map_async",
                            function->name);
    return 0;
}

static soon_item item_at(const struct soon__map_params *params, size_t index)
{
    return params->items ? params->items[index] : soon_item_of_string(params->strings[index]);
}

static int check_items(const struct soon__map_params *params)
{
    int rc = 0;

    if (!params->varied || params->count == 0)
        return 0;
    if (!params->items && !params->strings)
        return soon__is_null("the array of items");
    for (size_t i = 0; i < params->count && rc == 0; i++) {
        soon_item item = item_at(params, i);

        if (params->strings && !params->strings[i])
            rc = soon__refuse(-EINVAL, "string %zu is NULL", i);
        else
            rc = soon__item_check(params->function, &item, i);
    }
    return rc;
}

int soon__map_check(const struct soon__map_params *params)
{
    int rc = soon__executor_check(params->executor);

    if (rc == 0)
        rc = check_function(params);
    if (rc < 0)
        return rc;
    if (!arrays_fit(params))
        return soon__refuse(-EINVAL, "count = %zu: there is no such array", params->count);
    if (params->options.on_progress && !params->observed)
        return soon__refuse(-EINVAL, ".on_progress is set: that is for soon_map_async(), and a wait for its future");
    rc = soon__map_check_options(&params->options);
    return rc < 0 ? rc : check_items(params);
}

/*
 * Memory
 */

bool soon__map_outlives_caller(const struct soon__map_params *params)
{
    const struct soon__thread *self = soon__thread_self();

    return params->observed || params->options.timeout_ms || self->parking || self->interrupt.check;
}

static int own_array(struct soon__map *map, const struct soon__map_params *params)
{
    size_t size = params->function->arg_size;

    map->args_are_own = soon__map_outlives_caller(params) || !params->args;
    if (!map->args_are_own)
        return 0;
    map->own_args = params->args ? malloc(params->count * size) : calloc(params->count, size);
    if (map->own_args && params->args)
        memcpy(map->own_args, params->args, params->count * size);
    return map->own_args ? 0 : -ENOMEM;
}

/* Their payloads are the map's from here on, if nothing fails any more. */
static int own_items(struct soon__map *map, const struct soon__map_params *params)
{
    bool names_itself = params->strings && !(params->options.each && params->options.each->label);

    map->args_are_own = soon__map_outlives_caller(params);
    map->each = calloc(params->count, sizeof *map->each);
    for (size_t i = 0; map->each && i < params->count; i++) {
        soon_item item = item_at(params, i);

        if (names_itself)
            item.label = params->strings[i];
        if (!map->args_are_own && (item.data || !params->function->arg_size))
            map->each[i] = item;
        else if (!soon__store_keep(&map->store, &map->each[i], &item, params->function->arg_size))
            return -ENOMEM;
    }
    return map->each ? 0 : -ENOMEM;
}

int soon__map_own_args(struct soon__map *map, const struct soon__map_params *params)
{
    return params->varied ? own_items(map, params) : own_array(map, params);
}

void soon__map_release_args(const struct soon__map_params *params)
{
    for (size_t i = 0; params->args && params->function->free_arg && i < params->count; i++)
        params->function->free_arg((char *)params->args + i * params->function->arg_size);
    for (size_t i = 0; (params->items || params->strings) && i < params->count; i++) {
        soon_item item = item_at(params, i);

        soon__item_release(params->function, &item);
    }
}
