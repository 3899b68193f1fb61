/*
 * fail.c - counts calls that can run out of something, and says which of them fails. Who calls it: fail_wrap.c stands before
 * what the library and the test call, fail_everywhere.c before what anybody in the program calls.
 */
#include "fail_internal.h"

#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

static atomic_size_t calls, first, last; /* fails: first <= calls <= last */
static atomic_int only;                  /* the thread that they are counted of; 0: all */
static _Thread_local unsigned paused;

static void start(size_t from, size_t to)
{
    atomic_store(&first, SIZE_MAX); /* no window in which an old number fails */
    atomic_store(&calls, 0);
    atomic_store(&last, to);
    atomic_store(&first, from);
}

void fail_nth(size_t nth)
{
    start(nth, nth);
}

void fail_nth_here(size_t nth)
{
    atomic_store(&only, gettid());
    start(nth, nth);
}

void fail_from(size_t nth)
{
    start(nth, SIZE_MAX);
}

void fail_from_here(size_t nth)
{
    atomic_store(&only, gettid());
    start(nth, SIZE_MAX);
}

size_t fail_stop(void)
{
    atomic_store(&first, SIZE_MAX);
    atomic_store(&only, 0);
    return atomic_load(&calls);
}

void fail_pause(void)
{
    paused++;
}

void fail_resume(void)
{
    paused--;
}

bool fail__now(void)
{
    int counted = atomic_load(&only);

    if (paused || atomic_load(&first) == 0 || (counted && counted != gettid()))
        return false;
    size_t number = atomic_fetch_add(&calls, 1) + 1;
    return number >= atomic_load(&first) && number <= atomic_load(&last);
}
