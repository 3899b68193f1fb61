/*
 * histogram.c - how long something took, counted by length: what it says of a quantile against the exact one.
 */
#include "../harness/test.h"

#include "../../executor/core/histogram_internal.h"

#include <stdlib.h>
#include <string.h>

TestSuite(histogram);

static struct soon__histogram recorded;

static bool is_near(uint64_t told, uint64_t exact, double part)
{
    double off = (double)told - (double)exact;

    return (off < 0 ? -off : off) <= part * (double)exact + 1;
}

static soon_histogram read_all(void)
{
    soon_histogram h;

    soon__histogram_read(&recorded, &h);
    return h;
}

Test(histogram, is_zero_at_first)
{
    soon_histogram h = read_all();

    cr_assert_eq(h.count, 0);
    cr_assert_eq(soon_histogram_quantile(&h, 0), 0);
    cr_assert_eq(soon_histogram_quantile(&h, 0.5), 0);
    cr_assert_eq(soon_histogram_quantile(&h, 1), 0);
    cr_assert_eq(soon_histogram_at_most(&h, UINT64_MAX), 0);
}

Test(histogram, has_buckets_one_behind_the_other)
{
    for (unsigned bucket = 0; bucket < SOON_HISTOGRAM_BUCKETS; bucket++) {
        uint64_t floor = soon__histogram_floor(bucket), last = soon__histogram_floor(bucket + 1) - 1;

        cr_assert(floor <= last);
        cr_assert_eq(soon__histogram_bucket(floor), bucket);
        cr_assert_eq(soon__histogram_bucket(last), bucket);
        if (bucket >= 2 * SOON__HISTOGRAM_LINES)
            cr_assert((last - floor + 1) * SOON__HISTOGRAM_LINES <= floor, "wider than a 32nd");
    }
    cr_assert(soon__histogram_floor(SOON_HISTOGRAM_BUCKETS) > UINT64_C(38) * 3600 * 1000000000);
}

Test(histogram, knows_a_single_value_as_it_is)
{
    static const int64_t values[] = {0, 1, 63, 64, 1000000007, INT64_C(123456789012345)};

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        soon_histogram h;

        memset(&recorded, 0, sizeof recorded);
        soon__histogram_record(&recorded, values[i], 1);
        h = read_all();
        cr_assert_eq(h.count, 1);
        cr_assert_eq(h.sum_ns, (uint64_t)values[i]);
        cr_assert_eq(h.max_ns, (uint64_t)values[i]);
        cr_assert_eq(soon_histogram_quantile(&h, 1), (uint64_t)values[i]);
        cr_assert(is_near(soon_histogram_quantile(&h, 0.5), (uint64_t)values[i], 0.016));
    }
}

Test(histogram, counts_what_is_longer_than_it_can_tell_apart_in_its_last_bucket)
{
    soon_histogram h;

    soon__histogram_record(&recorded, INT64_MAX, 3);
    soon__histogram_record(&recorded, INT64_MAX - 5, 1);
    h = read_all();

    cr_assert_eq(h.buckets[SOON_HISTOGRAM_BUCKETS - 1], 4);
    cr_assert_eq(soon_histogram_quantile(&h, 0.5), (uint64_t)INT64_MAX);
    cr_assert_eq(soon_histogram_at_most(&h, INT64_MAX), 4);
    cr_assert_eq(soon_histogram_at_most(&h, 1000), 0);
}

Test(histogram, takes_a_clock_that_went_back_for_no_time)
{
    soon_histogram h;

    soon__histogram_record(&recorded, -5, 1);
    h = read_all();

    cr_assert_eq(h.buckets[0], 1);
    cr_assert_eq(h.max_ns, 0);
}

Test(histogram, counts_a_value_as_often_as_its_weight_says)
{
    soon_histogram h;

    soon__histogram_record(&recorded, 10, 99);
    soon__histogram_record(&recorded, 5000, 1);
    h = read_all();

    cr_assert_eq(h.count, 100);
    cr_assert_eq(h.measured, 2);
    cr_assert_eq(h.sum_ns, 5990);
    cr_assert_eq(soon_histogram_quantile(&h, 0.98), 10);
    cr_assert(soon_histogram_quantile(&h, 0.995) > 4900);
    cr_assert_eq(soon_histogram_at_most(&h, 10), 99);
    cr_assert_eq(soon_histogram_at_most(&h, 9), 0);
    cr_assert_eq(soon_histogram_at_most(&h, 5000), 100);
}

Test(histogram, of_two_executors_is_their_sum)
{
    soon_histogram one, two;

    soon__histogram_record(&recorded, 10, 1);
    one = read_all();
    soon__histogram_record(&recorded, 700, 2);
    two = read_all();
    soon_histogram_add(&one, &two);

    cr_assert_eq(one.count, 4);
    cr_assert_eq(one.measured, 3);
    cr_assert_eq(one.sum_ns, 1420);
    cr_assert_eq(one.max_ns, 700);
    cr_assert_eq(soon_histogram_at_most(&one, 10), 2);
}

/*
 * Against exact values
 */

enum { VALUES = 20000 };
static uint64_t values[VALUES];

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Of four shapes: uniform, with a long tail, over many powers of two, two humps. */
static uint64_t draw(uint64_t *state, int shape)
{
    double u = (double)(next_random(state) >> 11) / (double)(UINT64_C(1) << 53);

    switch (shape) {
    case 0:
        return (uint64_t)(u * 1e9);
    case 1:
        return (uint64_t)(u * u * u * u * 1e9);
    case 2:
        return next_random(state) >> (20 + next_random(state) % 40);
    default:
        return u < 0.95 ? 2000 + (uint64_t)(u * 100) : 70000000 + (uint64_t)(u * 1e7);
    }
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

Test(histogram, is_within_five_percent_of_the_exact_quantile_on_any_distribution)
{
    static const double parts[] = {0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};

    for (int round = 0; round < 40; round++) {
        uint64_t state = 88172645463325252u + (uint64_t)round * 7919, sum = 0;
        soon_histogram h;

        memset(&recorded, 0, sizeof recorded);
        for (size_t i = 0; i < VALUES; i++) {
            values[i] = draw(&state, round % 4);
            sum += values[i];
            soon__histogram_record(&recorded, (int64_t)values[i], 1);
        }
        qsort(values, VALUES, sizeof *values, by_size);
        h = read_all();
        cr_assert_eq(h.count, VALUES);
        cr_assert_eq(h.sum_ns, sum);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            size_t rank = (size_t)(parts[i] * VALUES) < VALUES ? (size_t)(parts[i] * VALUES) : VALUES - 1;
            uint64_t told = soon_histogram_quantile(&h, parts[i]);

            cr_assert(is_near(told, values[rank], 0.05), "round %d, %g: %llu, and not %llu", round, parts[i],
                      (unsigned long long)told, (unsigned long long)values[rank]);
        }
    }
}
