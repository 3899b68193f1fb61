/*
 * function_internal.h - finding a function by its name.
 */
#ifndef SOON_EXECUTOR_CORE_FUNCTION_INTERNAL_H
#define SOON_EXECUTOR_CORE_FUNCTION_INTERNAL_H

#include "../../futures/future_internal.h"
#include "../function.h"

#include <stdint.h>

/* NULL: there is none of this name, or there are several. Lent until it is unregistered. Any thread. */
const soon_function *soon__function_find(const char *name);
/* Another after each function that is unregistered, never 0: as long as it is the same, one that was registered is
 * as it was. Any thread. */
uint32_t soon__functions_age(void);
/* That, if the function is registered now; else 0. Any thread. */
uint32_t soon__function_age(const soon_function *function);
/*
 * All that can be found by their names and run in other processes (not LOCAL), in the order of their names: an array
 * that is the caller's, of functions that are lent. 0 or -ENOMEM. Any thread.
 */
int soon__function_list(const soon_function ***ret, size_t *ret_count);

/* It has a body, and is not foreign. */
bool soon__function_is_valid(const soon_function *function);
int soon__check_function(const soon_function *function); /* 0 or -EINVAL; SOON_ENOFUNCTION: it is foreign */
/* The same for an executor that takes foreign functions. */
int soon__check_foreign_function(const soon_function *function);
static inline bool soon__function_is_foreign(const soon_function *function)
{
    return function->flags & SOON_FUNCTION_FOREIGN;
}

/* See soon_future_read_typed(). */
static inline bool soon__function_fits(const soon_function *function, const char *kind)
{
    return !function->result_kind || *function->result_kind == *kind;
}
static inline struct soon__described soon__function_describe(const soon_function *function)
{
    return (struct soon__described){function->name, function->result_type ? function->result_type : ""};
}

#endif
