/*
 * deque_internal.h - what a worker has for itself. See deque.c.
 */
#ifndef SOON_EXECUTOR_THREADS_DEQUE_INTERNAL_H
#define SOON_EXECUTOR_THREADS_DEQUE_INTERNAL_H

#include "state_internal.h"

/* 0 or -ENOMEM. */
int soon__deques_new(struct soon__pool *pool);
void soon__deque_enter_locked(struct soon__worker *worker);
void soon__deque_leave_locked(struct soon__worker *worker); /* what is in it stays, for others */
/* By the worker's own thread, which holds a reference to the call. False: the call is to go to the queue. */
bool soon__deque_push(struct soon__worker *worker, struct soon__pool *pool, soon_call *call);
/* By the worker's own thread: takes the call out. False: it is not there. */
bool soon__deque_take(struct soon__worker *worker, soon_call *call);
/* By the worker's own thread: takes the oldest call out. NULL: there is none. */
soon_call *soon__deque_next(struct soon__worker *worker);
/* Moves the next calls of the queue, up to `most`, into the worker's own deque. Returns how many. */
size_t soon__deque_fill_locked(struct soon__worker *worker, size_t most);
/* Moves the oldest calls of each deque, up to `most` of each, to the queue. */
void soon__deques_gather_locked(struct soon__pool *pool, size_t most);
/* Takes the call out of the deque that it is in. False: it is in none. */
bool soon__deque_take_back_locked(struct soon__pool *pool, soon_call *call);

#endif
