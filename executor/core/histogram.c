/*
 * histogram.c - recording how long something took, and reading that. See histogram_internal.h.
 */
#include "histogram_internal.h"

#include "../../futures/error_internal.h"

#include <string.h>

_Static_assert(1 << SOON__HISTOGRAM_LINES_LOG2 == SOON__HISTOGRAM_LINES, "lines per power of two");
_Static_assert(SOON_HISTOGRAM_BUCKETS % SOON__HISTOGRAM_LINES == 0, "whole powers of two");

unsigned soon__histogram_bucket(uint64_t ns)
{
    unsigned shift, bucket;

    if (ns < 2 * SOON__HISTOGRAM_LINES)
        return (unsigned)ns;
    shift = 63 - (unsigned)__builtin_clzll(ns) - SOON__HISTOGRAM_LINES_LOG2;
    bucket = shift * SOON__HISTOGRAM_LINES + (unsigned)(ns >> shift);
    return bucket < SOON_HISTOGRAM_BUCKETS ? bucket : SOON_HISTOGRAM_BUCKETS - 1;
}

uint64_t soon__histogram_floor(unsigned bucket)
{
    unsigned shift = bucket / SOON__HISTOGRAM_LINES;

    if (shift < 2)
        return bucket;
    shift--;
    return (uint64_t)(bucket - shift * SOON__HISTOGRAM_LINES) << shift;
}

/*
 * Recording
 */

static void raise_max(_Atomic uint64_t *max, uint64_t ns)
{
    uint64_t before = atomic_load_explicit(max, memory_order_relaxed);

    /* Relaxed: H1. */
    while (before < ns &&
           !atomic_compare_exchange_weak_explicit(max, &before, ns, memory_order_relaxed, memory_order_relaxed))
        ;
}

void soon__histogram_record(struct soon__histogram *histogram, int64_t ns, uint32_t weight)
{
    uint64_t value = ns > 0 ? (uint64_t)ns : 0;

    /* Relaxed, all: H1. */
    atomic_fetch_add_explicit(&histogram->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_ns, value * weight, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->buckets[soon__histogram_bucket(value)], weight, memory_order_relaxed);
    raise_max(&histogram->max_ns, value);
}

/*
 * Reading
 */

void soon__histogram_read(struct soon__histogram *histogram, soon_histogram *ret)
{
    /* Relaxed, all: H1. */
    *ret = (soon_histogram){.measured = atomic_load_explicit(&histogram->count, memory_order_relaxed),
                            .sum_ns = atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed),
                            .max_ns = atomic_load_explicit(&histogram->max_ns, memory_order_relaxed)};
    for (unsigned i = 0; i < SOON_HISTOGRAM_BUCKETS; i++) {
        ret->buckets[i] = atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        ret->count += ret->buckets[i];
    }
}

/* The middle of what the bucket counts; but no more than the largest that was measured. */
static uint64_t middle(const soon_histogram *histogram, unsigned bucket)
{
    uint64_t floor = soon__histogram_floor(bucket), last = soon__histogram_floor(bucket + 1) - 1;
    uint64_t value = floor + (last - floor) / 2;

    /* What is above the last bucket is known by the maximum alone. */
    if (bucket == SOON_HISTOGRAM_BUCKETS - 1 || value > histogram->max_ns)
        return histogram->max_ns;
    return value;
}

uint64_t soon_histogram_quantile(const soon_histogram *histogram, double q)
{
    uint64_t rank, seen = 0;
    unsigned bucket = 0;

    if (!soon__check(histogram, "soon_histogram_quantile: NULL") || !histogram->count)
        return 0;
    if (!(q < 1))
        return histogram->max_ns;
    rank = q > 0 ? (uint64_t)(q * (double)histogram->count) : 0;
    if (rank >= histogram->count)
        rank = histogram->count - 1;
    while (bucket < SOON_HISTOGRAM_BUCKETS - 1 && (seen += histogram->buckets[bucket]) <= rank)
        bucket++;
    return middle(histogram, bucket);
}

uint64_t soon_histogram_at_most(const soon_histogram *histogram, uint64_t ns)
{
    uint64_t seen = 0;

    if (!soon__check(histogram, "soon_histogram_at_most: NULL"))
        return 0;
    if (ns >= histogram->max_ns)
        return histogram->count;
    for (unsigned bucket = 0; bucket < SOON_HISTOGRAM_BUCKETS && soon__histogram_floor(bucket + 1) - 1 <= ns; bucket++)
        seen += histogram->buckets[bucket];
    return seen;
}

void soon_histogram_add(soon_histogram *to, const soon_histogram *other)
{
    if (!soon__check(to && other, "soon_histogram_add: NULL"))
        return;
    to->count += other->count;
    to->measured += other->measured;
    to->sum_ns += other->sum_ns;
    to->max_ns = to->max_ns > other->max_ns ? to->max_ns : other->max_ns;
    for (unsigned i = 0; i < SOON_HISTOGRAM_BUCKETS; i++)
        to->buckets[i] += other->buckets[i];
}
