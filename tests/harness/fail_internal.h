/*
 * fail_internal.h - what the wrappers of fail_wrap.c and fail_everywhere.c ask of fail.c.
 */
#ifndef SOON_TESTS_HARNESS_FAIL_INTERNAL_H
#define SOON_TESTS_HARNESS_FAIL_INTERNAL_H

#include "fail.h"

#include <stdbool.h>

/* Counts a call. Returns true if this call is to fail. */
bool fail__now(void);

#endif
