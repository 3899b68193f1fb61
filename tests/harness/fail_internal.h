/*
 * fail_internal.h - what fail.c tells those who stand before a function.
 */
#ifndef SOON_TESTS_HARNESS_FAIL_INTERNAL_H
#define SOON_TESTS_HARNESS_FAIL_INTERNAL_H

#include "fail.h"

#include <stdbool.h>

/* Counts a call. True: it is to fail. */
bool fail__now(void);

#endif
