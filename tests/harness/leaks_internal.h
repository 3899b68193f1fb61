/*
 * leaks_internal.h - the beginning of the check for leaks. Its end is assert_no_leaks() in test.h.
 */
#ifndef SOON_TESTS_HARNESS_LEAKS_INTERNAL_H
#define SOON_TESTS_HARNESS_LEAKS_INTERNAL_H

#include <stdbool.h>

/* Starts the library's threads, so that their descriptors do not count as leaks, and notes which descriptors are open.
 * With `bare` it does neither, and descriptors will not be checked. */
void test__leaks_begin(bool bare);

#endif
