/*
 * histogram_internal.h - how long something took, counted by length: logarithmic between powers of two, linear within.
 *
 * A value below 2 * LINES has a bucket of its own. From there on each power of two is cut into LINES buckets of one
 * width, so that a bucket is never wider than a LINES-th of its least value: that is 3.2 %. What is above the last
 * bucket counts there.
 *
 * H1  Any thread records at any time, by additions that need no order: a reader may see the one and not yet the other.
 *     All of it only grows.
 */
#ifndef SOON_EXECUTOR_CORE_HISTOGRAM_INTERNAL_H
#define SOON_EXECUTOR_CORE_HISTOGRAM_INTERNAL_H

#include "../stats.h"

#include <stdatomic.h>

enum { SOON__HISTOGRAM_LINES = 32, SOON__HISTOGRAM_LINES_LOG2 = 5 };

struct soon__histogram {
    _Atomic uint64_t count, sum_ns, max_ns;
    _Atomic uint64_t buckets[SOON_HISTOGRAM_BUCKETS];
};

/* In which bucket a value is counted. */
unsigned soon__histogram_bucket(uint64_t ns);
/* The least value of a bucket; of one behind the last: the end of that. */
uint64_t soon__histogram_floor(unsigned bucket);

/* Counts `weight` values of `ns`. A negative one counts as 0. */
void soon__histogram_record(struct soon__histogram *histogram, int64_t ns, uint32_t weight);
/* A copy to be looked at. Its count is the sum of its buckets. */
void soon__histogram_read(struct soon__histogram *histogram, soon_histogram *ret);

#endif
