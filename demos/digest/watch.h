/*
 * watch.h - signals, as a future.
 *
 * The main thread waits in one place, soon_as_completed_next(). A signal, which has shut the pools down, wakes it there:
 * it is a future without data of its own.
 */
#ifndef DIGEST_WATCH_H
#define DIGEST_WATCH_H

#include <soon.h>

struct watch {
    soon_executor *pool;
};

/* Begins. Returns: 0, or a negative code. */
int watch_start(struct watch *watch, soon_executor *pool, soon_executor *streams, soon_as_completed *set);

/* The signal that asks us to end; 0: none. Any thread. */
int watch_signal(const struct watch *watch);

/* Ends the program as the signal would have. Returns if it is ignored. Any thread. */
void watch_die_of(int number);

#endif
