/*
 * callback_thread_internal.h - the thread on which the library runs user code that has no thread of its own.
 */
#ifndef SOON_EXECUTOR_LOOPS_CALLBACK_THREAD_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_CALLBACK_THREAD_INTERNAL_H

#include "../../futures/future_internal.h"
#include "job_internal.h"

#include <pthread.h>

struct soon__callback_thread {
    pthread_t thread;
    uint32_t generation;
    pthread_mutex_t mutex;
    pthread_cond_t some; /* something in it, or stopping */
    struct {
        struct soon__jobs jobs;
        struct soon__future_list futures;
        bool stopping;
    } locked;
};

/* Of zeroes. 0, or a negative errno. */
int soon__callback_thread_start(struct soon__callback_thread *self);
/* Waits for its end. */
void soon__callback_thread_stop(struct soon__callback_thread *self);
/* Any thread. In order; never blocks, never fails. */
void soon__callback_thread_post(struct soon__callback_thread *self, struct soon__job *job);
/* The future's callbacks run there, or what it has to be given back. Any thread. */
void soon__callback_thread_sink(struct soon__callback_thread *self, soon_future *future);

/* Starts a thread of the library's. Signals are for the program's threads. Faults stay open, so that its crash
 * handler sees those of user code. 0, or a negative errno. */
int soon__library_thread_start(pthread_t *ret, void *(*fn)(void *), void *data);

#endif
