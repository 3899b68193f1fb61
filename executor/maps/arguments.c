/*
 * arguments.c - what a map is asked to do: its check, and the map's own copy of its arguments where it needs one.
 *
 * M2  Arguments and results lie in the map's own memory wherever somebody may return before every call has ended: in a
 *     map_async, with a timeout, in a worker, whose wait may end with SOON_EDEADLK, and in a thread whose waits can be
 *     interrupted. Else they lie in the caller's memory.
 */
#include "arguments_internal.h"

#include "../core/function_internal.h"
#include "../core/submit_internal.h"
#include "map_options_internal.h"

#include <errno.h>
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

static int check_function(const struct soon__map_params *params)
{
    const soon_function *function = params->function;
    int rc = soon__executor_check_function(params->executor, function);

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
    rc = soon__map_options_check(&params->options);
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

static int set_array(struct soon__map *map, const struct soon__map_params *params)
{
    size_t size = params->function->arg_size;

    map->args.are_own = soon__map_outlives_caller(params) || !params->args;
    if (!map->args.are_own)
        return 0;
    map->args.array = params->args ? malloc(params->count * size) : calloc(params->count, size);
    if (map->args.array && params->args)
        memcpy(map->args.array, params->args, params->count * size);
    return map->args.array ? 0 : -ENOMEM;
}

static int set_items(struct soon__map *map, const struct soon__map_params *params)
{
    bool names_itself = params->strings && !(params->options.each && params->options.each->label);

    map->args.are_own = soon__map_outlives_caller(params);
    map->args.each = calloc(params->count, sizeof *map->args.each);
    for (size_t i = 0; map->args.each && i < params->count; i++) {
        soon_item item = item_at(params, i);

        if (names_itself)
            item.label = params->strings[i];
        if (!map->args.are_own && (item.data || !params->function->arg_size))
            map->args.each[i] = item;
        else if (!soon__store_keep(&map->args.store, &map->args.each[i], &item, params->function->arg_size))
            return -ENOMEM;
    }
    return map->args.each ? 0 : -ENOMEM;
}

int soon__map_set_args(struct soon__map *map, const struct soon__map_params *params)
{
    return params->varied ? set_items(map, params) : set_array(map, params);
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
