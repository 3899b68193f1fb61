/*
 * watch.h - signals and the time, as futures.
 *
 * The main thread waits in one place, soon_as_completed_next(). Two other things wake it there: a signal, which has
 * shut the pools down, and the time of the next tick. Each is a future without data of its own.
 */
#ifndef DIGEST_WATCH_H
#define DIGEST_WATCH_H

#include <soon.h>
#include <stdatomic.h>

struct watch {
    soon_executor *pool;
    soon_as_completed *set;
    bool ticks;
    atomic_bool tick_due; /* main has not taken the last tick yet */
};

/* Begins. Ticks take a worker of `streams`, until that is shut down. Returns: 0, or a negative code. */
int watch_start(struct watch *watch, soon_executor *pool, soon_executor *streams, soon_as_completed *set, bool ticks);

/* The signal that asks us to end; 0: none. Any thread. */
int watch_signal(const struct watch *watch);

/* Whether a tick has come since the last call. */
bool watch_ticked(struct watch *watch);

/* Ends the program as the signal would have. Returns if it is ignored. Any thread. */
void watch_die_of(int number);

#endif
