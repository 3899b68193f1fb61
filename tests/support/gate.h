/*
 * gate.h - a gate: tasks arrive at it and wait until the test lets them through.
 *
 * A gate is passed by value, as part of an argument, to tasks in this and in other processes. Its state lies in a file
 * in memory, which other processes open as a descriptor of the process that made it. For the one gate that all tasks
 * know without an argument see executors.h.
 */
#ifndef SOON_TESTS_GATE_H
#define SOON_TESTS_GATE_H

#include "../harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <soon.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct gate_state {
    sem_t arrived, open;
    int inside; /* atomic; how many threads of the process that made it may still use it */
};

struct gate {
    int pid, fd;              /* of the process that made it */
    struct gate_state *state; /* valid in that process only */
};

static inline struct gate_state *gate__map(int fd)
{
    void *state = mmap(NULL, sizeof(struct gate_state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    cr_assert_neq(state, MAP_FAILED);
    return (struct gate_state *)state;
}

static inline struct gate gate_new(void)
{
    struct gate gate = {getpid(), memfd_create("gate", MFD_CLOEXEC), NULL};

    cr_assert_geq(gate.fd, 0);
    cr_assert_eq(ftruncate(gate.fd, sizeof(struct gate_state)), 0);
    gate.state = gate__map(gate.fd);
    sem_init(&gate.state->arrived, 1, 0);
    sem_init(&gate.state->open, 1, 0);
    return gate;
}

/* For when no task will come any more. Waits for tasks that were let through and have not left yet. */
static inline void gate_free(struct gate gate)
{
    test_wait_until(__atomic_load_n(&gate.state->inside, __ATOMIC_ACQUIRE) == 0);
    munmap(gate.state, sizeof *gate.state);
    close(gate.fd);
}

static inline struct gate_state *gate__enter(struct gate gate)
{
    struct gate_state *state = gate.state;
    char path[64];

    if (gate.pid != getpid()) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", gate.pid, gate.fd);
        gate.fd = open(path, O_RDWR | O_CLOEXEC);
        state = gate__map(gate.fd);
        close(gate.fd);
    } else {
        __atomic_fetch_add(&state->inside, 1, __ATOMIC_RELAXED);
    }
    return state;
}

static inline void gate__leave(struct gate gate, struct gate_state *state)
{
    if (gate.pid == getpid())
        __atomic_fetch_sub(&state->inside, 1, __ATOMIC_RELEASE);
    else
        munmap(state, sizeof *state); /* its own mapping: a process that is killed at the gate leaves nothing behind */
}

/* Waits for some milliseconds. Returns false if that was too short. */
static inline bool gate__wait(sem_t *sem)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 2000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return sem_timedwait(sem, &until) == 0;
}

/* In a task: goes to the gate and waits. Returns 0 if it was let through, -ECANCELED if the task was asked to end. With
 * `task` NULL it takes no notice of that. */
static inline int gate_pass(struct gate gate, soon_task *task)
{
    struct gate_state *state = gate__enter(gate);
    int rc = 0;

    sem_post(&state->arrived);
    while (rc == 0 && !gate__wait(&state->open)) {
        if (task && soon_task_cancel_requested(task))
            rc = -ECANCELED;
    }
    gate__leave(gate, state);
    return rc;
}

/* In a task: counts as arrived, and does not wait. */
static inline void gate_knock(struct gate gate)
{
    struct gate_state *state = gate__enter(gate);

    sem_post(&state->arrived);
    gate__leave(gate, state);
}

/* Lets `count` tasks through, whether they are at the gate or come later. */
static inline void gate_open(struct gate gate, int count)
{
    while (count--)
        sem_post(&gate.state->open);
}

/* Waits until `count` more tasks have arrived. */
static inline void gate_await(struct gate gate, int count)
{
    while (count) {
        if (sem_wait(&gate.state->arrived) == 0)
            count--;
    }
}

/* How many tasks have arrived for which gate_await() has not waited. */
static inline int gate_arrived(struct gate gate)
{
    int count;

    sem_getvalue(&gate.state->arrived, &count);
    return count;
}

/* Whether all that it was opened for have passed. */
static inline bool gate_is_closed(struct gate gate)
{
    int count;

    sem_getvalue(&gate.state->open, &count);
    return count == 0;
}

/* Waits at a gate. Its result is 42. */
SOON_TASK(pass, struct gate, int)
{
    *result = 42;
    return gate_pass(*arg, task);
}

static inline soon_future *submit_pass(soon_executor *executor, struct gate gate)
{
    return pass_submit(executor, &gate, NULL);
}

#endif
