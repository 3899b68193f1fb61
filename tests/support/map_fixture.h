/*
 * map_fixture.h - functions for the tests of soon_map() and soon_map_async().
 */
#ifndef SOON_TESTS_MAP_FIXTURE_H
#define SOON_TESTS_MAP_FIXTURE_H

#include "executors.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define runs (common()->runs)       /* how many tasks have ended, of any function here */
#define started (common()->started) /* how many calls of at_gate have begun */

SOON_TASK(square, int, int)
{
    *result = *arg * *arg;
    runs++;
    return 0;
}

SOON_TASK(root, int, int)
{
    *result = 77; /* the result of an item that fails must not keep it */
    runs++;
    if (*arg < 0)
        return soon_raise(task, EDOM, "%d is negative", *arg);
    for (*result = 0; *result * *result < *arg;)
        ++*result;
    return 0;
}

/* Waits at the gate if the argument is not 0. */
SOON_TASK(at_gate, int, int)
{
    int rc;

    started++;
    rc = *arg ? wait_at_gate(task) : 0;
    *result = 5;
    runs++;
    return rc;
}

static inline void count_up(int *numbers, int count)
{
    for (int i = 0; i < count; i++)
        numbers[i] = i;
}

static inline void assert_squares(const int *results, int count)
{
    for (int i = 0; i < count; i++)
        cr_assert_eq(results[i], i * i);
}

#endif
