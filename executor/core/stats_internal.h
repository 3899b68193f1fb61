/*
 * stats_internal.h - what an executor tells of itself.
 */
#ifndef SOON_EXECUTOR_CORE_STATS_INTERNAL_H
#define SOON_EXECUTOR_CORE_STATS_INTERNAL_H

#include "executor_internal.h"

/* How many workers it has or may have: for choosing chunks. At least 1. */
size_t soon__executor_width(soon_executor *executor);

#endif
