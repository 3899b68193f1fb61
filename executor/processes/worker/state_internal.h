/*
 * state_internal.h - what runs in a worker process: a main thread that serves the replies, and a control thread that
 * receives descriptors and sees the parent go.
 *
 * One worker per process, so its parts are static where they live. Nothing of it is locked but what both threads use,
 * the descriptors that came. What a task may do from threads of its own (progress, cancel requests) touches the channel
 * and what is fixed while the task runs.
 *
 * The parent is trusted: only its version is checked, and that its descriptors are there.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_STATE_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_STATE_INTERNAL_H

#include "../../core/task_internal.h"
#include "../both/channel_internal.h"
#include "../both/wire_internal.h"

#include <signal.h>

struct soon__worker {
    struct soon__channel channel;
    uint32_t generation; /* of forks: where it is another, this is a task's child */
    int32_t parent;
    const soon_function **functions; /* the table that was sent */
    uint32_t function_count;
    void *shared;
    struct soon__local local; /* what the initializer has left */
};

/* ../init.c. soon_init() was called in this process, or in the one that it was forked from. */
bool soon__is_initialised(void);

/* worker.c. Takes over the process. Never returns. */
void soon__worker_main(void) __attribute__((noreturn));
/* A task may have closed the bell, and opened something else in its place: then it is not rung any more. */
void soon__worker_check_bell(void);

/*
 * serve.c: one claimed request, up to its last reply.
 */

void soon__worker_serve(struct soon__worker *worker, uint32_t slot, uint64_t sequence);

/*
 * control.c: the control socket.
 */

/* Starts the thread that listens. 0 or a negative errno. */
int soon__control_start(pid_t parent);
/* The descriptors that were sent for a claimed request, of these parts (enum soon__part): waits for them. They are the
 * caller's. 0; a negative errno: they have not all arrived, and there are none. */
int soon__control_take(uint32_t slot, uint64_t sequence, uint32_t parts, int *ret_descriptors);
/* A request without any was claimed: those of an older one, which was taken back, are closed. */
void soon__control_forget(uint32_t slot, uint64_t sequence);
/* Sends descriptors for a reply, one for each of these parts. 0 or a negative errno. */
int soon__control_send(const struct soon__reply *reply, uint32_t parts, const int *descriptors);
int soon__control_send_hello(uint32_t function_count, uint64_t table_size);

/*
 * worker_reply.c: replies, and the room for their bodies.
 */

#define SOON__NO_REGION UINT32_MAX

/* Bytes in the reply area. */
struct soon__place {
    unsigned char *data;
    uint64_t offset;
    uint32_t region; /* SOON__NO_REGION: none */
};

void soon__replies_init(const struct soon__channel *channel);
/* `size` bytes above 0, up to SOON__BODY_MAX. Waits until the parent has made room. */
struct soon__place soon__replies_take(uint64_t size);
/* Gives back what no published reply uses. */
void soon__replies_give(struct soon__place *place);
/*
 * Fills in what became of a task: code and flags, result, payload, message, wherever they go, and sends descriptors if
 * that is needed. `result` is where the result lies already, if it lies in the reply area; it is used or given back.
 * What is in `outcome` is dropped. Returns the place that the reply needs until it was consumed.
 */
struct soon__place soon__reply_fill(struct soon__reply *reply, struct soon__outcome *outcome,
                                    struct soon__place *result);
/* Publishes; waits for a place in the ring if it is not the last of its slot. `place` (may be NULL) is given back when
 * the reply was consumed. */
void soon__reply_publish(const struct soon__reply *reply, const struct soon__place *place);
/* The only reply of a task that has succeeded, and all there is is a result of `size` bytes, or none. */
void soon__reply_publish_short(uint32_t slot, uint64_t sequence, const unsigned char bytes[SOON__REPLY_SHORT_MAX],
                               size_t size);

/*
 * signals.c: what this process does with signals, and what its forked children do not inherit.
 */

/* The kernel's notice that the parent has ended. It is no signal of those that the parent sends, and nobody else has a use
 * for it; a program that a task has become ends of it. */
#ifdef SIGSTKFLT
#define SOON__SIGNAL_OF_END SIGSTKFLT
#else
#define SOON__SIGNAL_OF_END SIGPWR
#endif
/* SIGINT does nothing; SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are obeyed if they are the parent's, or it is gone. 0
 * or -ENOMEM. */
int soon__worker_signals(pid_t parent);
/* Ends this process and all that its tasks have started and left in its group, at once. Also in a signal handler. */
void soon__worker_kill_group(void) __attribute__((noreturn));

#endif
