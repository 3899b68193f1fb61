/*
 * imap_fixture.h - a source that counts, and what the tests of imap call on it.
 */
#ifndef SOON_TESTS_IMAP_FIXTURE_H
#define SOON_TESTS_IMAP_FIXTURE_H

#include "../support/executors.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define runs (common()->runs)

SOON_TASK(square, int, int)
{
    *result = *arg * *arg;
    runs++;
    return 0;
}

SOON_TASK(root, int, int)
{
    runs++;
    if (*arg < 0)
        return soon_raise(task, EDOM, "%d is negative", *arg);
    while (*result * *result < *arg)
        ++*result;
    return 0;
}

/* Waits at the gate if the argument is negative. */
SOON_TASK(at_gate, int, int)
{
    *result = *arg;
    runs++;
    return *arg < 0 ? wait_at_gate(task) : 0;
}

/* A source that gives 0, 1, 2 ... up to `end`, or for ever; or the numbers of a list. */
struct counter {
    int next, end; /* end 0: it never ends */
    const int *list;
    int error_at; /* in its place the source fails with `error`, if that is not 0 */
    int error;
    int calls_after_end;
    bool ended;
};

static inline int count_up(void *arg, void *data)
{
    struct counter *counter = data;

    cr_assert_eq(*(int *)arg, 0);
    counter->calls_after_end += counter->ended;
    if (counter->error && counter->next == counter->error_at) {
        counter->ended = true;
        return counter->error;
    }
    if (counter->end && counter->next == counter->end) {
        counter->ended = true;
        return 0;
    }
    *(int *)arg = counter->list ? counter->list[counter->next] : counter->next;
    counter->next++;
    return 1;
}

static inline soon_imap *start(soon_executor *executor, const soon_function *function, const soon_map_options *options,
                               struct counter *counter)
{
    soon_imap *imap;

    cr_assert_eq(soon_imap_new(&imap, executor, function, options, count_up, counter), 0);
    return imap;
}

/* The next item must have this result and this index. */
static inline void assert_next(soon_imap *imap, int result, uint64_t index)
{
    soon_future *future;
    uint64_t place;
    int value;

    cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, &place), 0);
    cr_assert(soon_future_done(future));
    cr_assert_eq(soon_take(future, &value), 0);
    cr_assert_eq(value, result);
    cr_assert_eq(place, index);
}

static inline void assert_end(soon_imap *imap)
{
    soon_future *future = (soon_future *)imap;

    for (int i = 0; i < 3; i++)
        cr_assert_eq(soon_imap_next(imap, SOON_FOREVER, &future, NULL), SOON_EEND);
    cr_assert_eq((void *)future, imap); /* the function has not written to it */
}

#endif
