/*
 * touch.h - writing and reading bulk data, the same for ours and for the bare exchange: each word once.
 */
#ifndef BENCH_TOUCH_H
#define BENCH_TOUCH_H

#include <stddef.h>
#include <stdint.h>

/* Fills `size` bytes, a multiple of 8. */
static inline void touch_fill(void *data, size_t size, uint64_t seed)
{
    uint64_t *words = (uint64_t *)data;

    for (size_t i = 0; i < size / 8; i++)
        words[i] = seed + i;
}

static inline uint64_t touch_sum(const void *data, size_t size)
{
    const uint64_t *words = (const uint64_t *)data;
    uint64_t sum = 0;

    for (size_t i = 0; i < size / 8; i++)
        sum += words[i];
    return sum;
}

/* The sum that touch_sum() returns for what touch_fill() wrote. */
static inline uint64_t touch_sum_of(size_t size, uint64_t seed)
{
    uint64_t words = size / 8;

    return words * seed + words * (words - 1) / 2;
}

/* The same for a result, whose seed is the sum of the argument. */
static inline uint64_t touch_answer(size_t size, uint64_t seed)
{
    return touch_sum_of(size, touch_sum_of(size, seed));
}

#endif
