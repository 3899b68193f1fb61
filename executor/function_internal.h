/*
 * function_internal.h - finding a function by its name.
 */
#ifndef SOON_EXECUTOR_FUNCTION_INTERNAL_H
#define SOON_EXECUTOR_FUNCTION_INTERNAL_H

#include "function.h"

/* NULL: there is none of this name, or there are several. Lent until it is unregistered. Any thread. */
const soon_function *soon__function_find(const char *name);

#endif
