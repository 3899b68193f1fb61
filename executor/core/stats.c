/*
 * stats.c - what an executor tells of itself: numbers, histograms, workers.
 */
#include "stats_internal.h"

#include "histogram_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void read_stats(soon_executor *executor, soon_stats *ret)
{
    if (executor->klass.public.stats)
        executor->klass.public.stats(executor->self, ret);
    if (executor->klass.width)
        ret->workers_max = executor->klass.width(executor->self);
}

void soon_executor_stats_sized(soon_executor *executor, soon_stats *ret, size_t size)
{
    soon_stats stats = {0};

    if (!soon__check(ret, "soon_executor_stats: NULL"))
        return;
    if (soon__executor_check(executor) == 0)
        read_stats(executor, &stats);
    if (size > sizeof stats)
        memset((char *)ret + sizeof stats, 0, size - sizeof stats);
    memcpy(ret, &stats, size < sizeof stats ? size : sizeof stats);
}

enum { WORKERS_AT_ONCE = 64 };

/* Each of theirs may be larger, or smaller, than ours. */
static void give_workers(soon_worker *ret, size_t size, const soon_worker *ours, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        memset((char *)ret + i * size, 0, size);
        memcpy((char *)ret + i * size, &ours[i], size < sizeof *ours ? size : sizeof *ours);
    }
}

size_t soon_executor_workers_sized(soon_executor *executor, soon_worker *ret, size_t count, size_t size)
{
    soon_worker few[WORKERS_AT_ONCE], *ours = few;
    size_t there = 0;

    if (soon__executor_check(executor) < 0 || !executor->klass.workers ||
        !soon__check(ret || !count, "soon_executor_workers: NULL"))
        return 0;
    if (count > WORKERS_AT_ONCE && soon__array_fits(count, sizeof *ours))
        ours = malloc(count * sizeof *ours);
    if (!ours || count <= WORKERS_AT_ONCE)
        ours = few;
    if (ours == few && count > WORKERS_AT_ONCE)
        count = WORKERS_AT_ONCE; /* no memory for more */
    there = executor->klass.workers(executor->self, ours, count);
    give_workers(ret, size, ours, there < count ? there : count);
    if (ours != few)
        free(ours);
    return there;
}

const char *soon_executor_name(const soon_executor *executor)
{
    return executor ? executor->name : "";
}

/*
 * Histograms
 */

/* A histogram of a program that was made with another version of the library may be longer or shorter than ours. */
static void give_sized(void *ret, size_t size, const void *ours, size_t known)
{
    memset(ret, 0, size);
    memcpy(ret, ours, size < known ? size : known);
}

int soon_executor_histogram_sized(soon_executor *executor, soon_timing timing, soon_histogram *ret, size_t size)
{
    soon_histogram ours = {0};

    if (!ret)
        return soon__failed(soon__is_null("ret"), "soon_executor_histogram");
    if ((int)timing < 0 || (int)timing >= SOON_TIMINGS)
        return soon__failed(soon__refuse(-EINVAL, "there is no timing %d", (int)timing), "soon_executor_histogram");
    if (executor && soon__executor_check(executor) == 0)
        soon__histogram_read(&executor->timings[timing], &ours);
    give_sized(ret, size, &ours, sizeof ours);
    return 0;
}

size_t soon__executor_width(soon_executor *executor)
{
    soon_stats stats = {0};

    if (executor->klass.width)
        return executor->klass.width(executor->self);
    read_stats(executor, &stats);
    return stats.workers ? stats.workers : 1;
}
