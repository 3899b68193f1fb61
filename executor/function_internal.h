/*
 * function_internal.h - finding a function by its name.
 */
#ifndef SOON_EXECUTOR_FUNCTION_INTERNAL_H
#define SOON_EXECUTOR_FUNCTION_INTERNAL_H

#include "function.h"

#include <stdint.h>

/* NULL: there is none of this name, or there are several. Lent until it is unregistered. Any thread. */
const soon_function *soon__function_find(const char *name);
/* Another after each function that is unregistered, never 0: as long as it is the same, one that was registered is as it was.
 * Any thread. */
uint32_t soon__functions_age(void);
/* That, if the function is registered now; else 0. Any thread. */
uint32_t soon__function_age(const soon_function *function);
/*
 * All that can be found by their names and run in other processes (not LOCAL), in the order of their names: an array that
 * is the caller's, of functions that are lent. 0 or -ENOMEM. Any thread.
 */
int soon__function_list(const soon_function ***ret, size_t *ret_count);

#endif
