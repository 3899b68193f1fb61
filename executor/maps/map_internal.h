/*
 * map_internal.h - soon_map_bytes() and soon_map_async_bytes() of parameters: for maps over items and strings, too.
 */
#ifndef SOON_EXECUTOR_MAPS_MAP_INTERNAL_H
#define SOON_EXECUTOR_MAPS_MAP_INTERNAL_H

#include "arguments_internal.h"

/* Both read the options into the parameters. */
int soon__map_run(struct soon__map_params *params, const void *options, size_t options_size);
soon_future *soon__map_begin(struct soon__map_params *params, const void *options, size_t options_size);

#endif
