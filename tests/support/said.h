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

/* Callbacks that complete another future, whose halves `data` points to; and that note whether they count as one. */
static inline void complete_next(soon_future *future, void *data)
{
    struct halves *next = data;

    (void)future;
    say("(");
    soon_promise_set_result(next->promise, NULL, 0);
    say(")");
}

static inline void note_frame(soon_future *future, void *data)
{
    (void)future;
    *(bool *)data = soon__thread_in_callback();
}

static inline void note_no_frame(void *data)
{
    *(bool *)data = !soon__thread_in_callback();
}

#endif
