/*
 * leaks_internal.h - what was there when the test began.
 */
#ifndef SOON_TESTS_HARNESS_LEAKS_INTERNAL_H
#define SOON_TESTS_HARNESS_LEAKS_INTERNAL_H

#include <stdbool.h>

/* Starts the library's threads, so that their descriptors are no leak, unless `bare`; then notes what is open. */
void test__leaks_begin(bool bare);

#endif
