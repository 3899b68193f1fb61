/*
 * program.h - what the programs share: a check that ends the program, and a pool or the end.
 */
#ifndef SOON_TESTS_PROGRAM_H
#define SOON_TESTS_PROGRAM_H

#include <soon.h>

#include <stdio.h>
#include <stdlib.h>

#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/* For what never happens after a failure. */
static inline SOON_UNUSED soon_executor *pool_of(int workers)
{
    soon_thread_pool_options options = {0};
    soon_executor *pool;

    options.workers = workers;
    must(soon_thread_pool_new(&pool, &options) == 0);
    return pool;
}

#endif
