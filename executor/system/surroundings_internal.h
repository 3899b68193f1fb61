/*
 * surroundings_internal.h - what a thread inherits from the one that starts it, and should not: on which CPUs it may run, its
 * niceness, its scheduling policy. A pool's workers have those of the thread that made the pool, whoever starts them; the
 * library's own threads those of the process.
 */
#ifndef SOON_EXECUTOR_SYSTEM_SURROUNDINGS_INTERNAL_H
#define SOON_EXECUTOR_SYSTEM_SURROUNDINGS_INTERNAL_H

#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

enum { SOON__CPU_SETS = 8 }; /* of 1024 CPUs */

struct soon__surroundings {
    cpu_set_t cpus[SOON__CPU_SETS];
    int policy, priority, nice;
    bool knows_cpus, knows_policy;
};

/* The calling thread's, as it hands them on: a policy that is not to be inherited, or cannot, is none. */
void soon__surroundings_take(struct soon__surroundings *ret);
/* The main thread's when the library was loaded, but for a real-time policy. */
const struct soon__surroundings *soon__surroundings_of_process(void);
/* To a thread, or a process that has just been started; 0: the calling thread. What there is no right to change stays as it is. */
void soon__surroundings_give(const struct soon__surroundings *surroundings, pid_t thread);

#endif
