/*
 * dice.h - random numbers that are the same in each run.
 */
#ifndef SOON_TESTS_SUPPORT_DICE_H
#define SOON_TESTS_SUPPORT_DICE_H

#include <stdint.h>

/* A number below `sides`. */
static inline unsigned dice(unsigned *seed, unsigned sides)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (unsigned)(((uint64_t)*seed * sides) >> 32);
}

#endif
