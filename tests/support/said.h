/*
 * said.h - callbacks on a loop that say words, of which a test then asks what came in which order.
 */
#ifndef SOON_TESTS_SAID_H
#define SOON_TESTS_SAID_H

#include "futures.h"

#include <pthread.h>
#include <soon.h>
#include <stdatomic.h>
#include <string.h>

static soon_loop *on; /* NULL: a test has detached it */
static char said[4096];

/* The words that callbacks say are appended to `said`. */
static inline void say(void *word)
{
    strcat(said, word);
}

static inline void say_done(soon_future *future, void *word)
{
    cr_assert(soon_future_done(future));
    say(word);
}

static inline void detach_saying(char *word)
{
    soon_loop_detach(on, say, word);
    on = NULL;
}

static inline void set_flag(void *flag)
{
    atomic_store((atomic_bool *)flag, true);
}

#endif
