/*
 * map_options_internal.h - the options that maps and imaps share: their check, and what stands for a default.
 */
#ifndef SOON_EXECUTOR_MAPS_MAP_OPTIONS_INTERNAL_H
#define SOON_EXECUTOR_MAPS_MAP_OPTIONS_INTERNAL_H

#include "../core/executor_internal.h"
#include "../map_options.h"

/* Returns 0, or -EINVAL for an option that makes no sense. */
int soon__map_options_check(const soon_map_options *options);

/* Into how many calls a map is cut without the option `chunk`: four for each worker, so that the last ones to end are
 * short. */
size_t soon__map_default_calls(soon_executor *executor);

#endif
