/*
 * fail.c - counts calls that may fail for want of something, and says which of them is to fail. Its callers are
 * wrappers around such functions: those of fail_wrap.c see the calls of the library and of the test, those of
 * fail_everywhere.c every call in the program.
 */
#include "fail_internal.h"

#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

static atomic_size_t calls, first, last; /* a call fails if its number is from `first` to `last` */
static atomic_int only;                  /* the thread whose calls count; 0: any thread's */
static _Thread_local unsigned paused;

static void start(size_t from, size_t to)
{
    atomic_store(&first, SIZE_MAX); /* until all is set no call fails by the old numbers */
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
