/*
 * map_fixture.h - what the tests of soon_map() and soon_map_async() map.
 */
#ifndef SOON_TESTS_MAP_FIXTURE_H
#define SOON_TESTS_MAP_FIXTURE_H

#include "executors.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define runs (common()->runs)       /* of any task here, ended */
#define started (common()->started) /* of at_gate */

SOON_TASK(square, int, int)
{
    *result = *arg * *arg;
    runs++;
    return 0;
}

SOON_TASK(root, int, int)
{
    *result = 77; /* to be wiped out */
    runs++;
    if (*arg < 0)
        return soon_raise(task, EDOM, "%d is negative", *arg);
    for (*result = 0; *result * *result < *arg;)
        ++*result;
    return 0;
}

/* Waits where the argument says so. */
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
