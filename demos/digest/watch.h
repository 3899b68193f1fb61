/*
 * watch.h - signals and the time, as futures.
 *
 * The main thread waits in one place, soon_as_completed_next(). What else it must hear of comes there too: a thread of
 * its own waits for signals and for the time of the next tick, and puts a future that is done into the set.
 */
#ifndef DIGEST_WATCH_H
#define DIGEST_WATCH_H

#include <pthread.h>
#include <signal.h>
#include <soon.h>
#include <stdatomic.h>

struct watch {
    soon_as_completed *set;
    int tick_ms; /* 0: no ticks */
    pthread_t thread;
    sigset_t signals;
    atomic_int signal;    /* the one that came; 0: none */
    atomic_bool tick_due; /* main has not taken the last tick yet */
    atomic_bool ending;
};

/* Before any other thread is made: they inherit that SIGINT, SIGTERM and SIGPIPE wait. */
void watch_init(struct watch *watch);

/* Begins. Each event is a future without data of its own in `set`. Returns: 0, or a negative code. */
int watch_start(struct watch *watch, soon_as_completed *set, int tick_ms);

/* The signal that asks us to end; 0: none. Any thread. */
int watch_signal(const struct watch *watch);

/* Whether a tick has come since the last call. */
bool watch_ticked(struct watch *watch);

/* Ends the thread. */
void watch_stop(struct watch *watch);

/* Ends the program as the signal would have. Returns if it is ignored. Any thread. */
void watch_die_of(int number);

#endif
