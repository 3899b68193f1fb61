/*
 * varied.c - maps over items of any size, and over strings: the maps of map.c with other arguments.
 */
#include "map_internal.h"

static struct soon__map_params of_items(const char *caller, soon_executor *executor, const soon_function *function,
                                        const soon_item *items, size_t count)
{
    return (struct soon__map_params){
        .caller = caller, .executor = executor, .function = function, .items = items, .count = count, .varied = true};
}

static struct soon__map_params of_strings(const char *caller, soon_executor *executor, const soon_function *function,
                                          const char *const *strings, size_t count)
{
    return (struct soon__map_params){.caller = caller,
                                     .executor = executor,
                                     .function = function,
                                     .strings = strings,
                                     .count = count,
                                     .varied = true};
}

int soon_map_items_bytes(soon_executor *executor, const soon_function *function, const soon_item *items, size_t count,
                         void *results, int *errors, const soon_map_options *options, size_t options_size)
{
    struct soon__map_params params = of_items("soon_map_items", executor, function, items, count);

    params.results = results;
    params.errors = errors;
    return soon__map_run(&params, options, options_size);
}

int soon_map_strings_bytes(soon_executor *executor, const soon_function *function, const char *const *strings,
                           size_t count, void *results, int *errors, const soon_map_options *options,
                           size_t options_size)
{
    struct soon__map_params params = of_strings("soon_map_strings", executor, function, strings, count);

    params.results = results;
    params.errors = errors;
    return soon__map_run(&params, options, options_size);
}

soon_future *soon_map_items_async_bytes(soon_executor *executor, const soon_function *function, const soon_item *items,
                                        size_t count, const soon_map_options *options, size_t options_size)
{
    struct soon__map_params params = of_items("soon_map_items_async", executor, function, items, count);

    return soon__map_begin(&params, options, options_size);
}

soon_future *soon_map_strings_async_bytes(soon_executor *executor, const soon_function *function,
                                          const char *const *strings, size_t count, const soon_map_options *options,
                                          size_t options_size)
{
    struct soon__map_params params = of_strings("soon_map_strings_async", executor, function, strings, count);

    return soon__map_begin(&params, options, options_size);
}
