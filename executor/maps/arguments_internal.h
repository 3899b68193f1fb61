/*
 * arguments_internal.h - what a map is asked to do: its check, and the map's own copy of its arguments where it needs
 * one.
 */
#ifndef SOON_EXECUTOR_MAPS_ARGUMENTS_INTERNAL_H
#define SOON_EXECUTOR_MAPS_ARGUMENTS_INTERNAL_H

#include "map_state_internal.h"

struct soon__map_params {
    const char *caller; /* the name of the public function */
    soon_executor *executor;
    const soon_function *function;
    const void *args; /* one of these three; all NULL: zeroes */
    const soon_item *items;
    const char *const *strings;
    size_t count;
    void *results;
    int *errors;
    soon_map_options options;
    bool varied; /* of items or strings */
    bool observed;
};

/* Returns 0, -EINVAL or SOON_EFORKED. */
int soon__map_check(const struct soon__map_params *params);
/* Returns whether somebody may return before every call has ended: then the map needs memory of its own. */
bool soon__map_outlives_caller(const struct soon__map_params *params);
/* Sets map->args. Payloads are the map's from here on, if nothing fails any more. Returns 0 or -ENOMEM. */
int soon__map_set_args(struct soon__map *map, const struct soon__map_params *params);
/* Releases what was given with the arguments: they are taken although nothing will run. */
void soon__map_release_args(const struct soon__map_params *params);

#endif
