/*
 * surroundings_internal.h - what a thread inherits from the thread that starts it, and should not: the CPUs on which it
 * may run, its niceness, its scheduling policy. The workers of a pool get those of the thread that made the pool,
 * whichever thread starts them; the library's own threads get those of the process.
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

/* Those of the calling thread, as it would hand them on: without a policy that is not to be inherited, or cannot be. */
void soon__surroundings_take(struct soon__surroundings *ret);
/* Those of the main thread when the library was loaded, but for a real-time policy. */
const struct soon__surroundings *soon__surroundings_of_process(void);
/* Gives them to a thread, or to a process that has just been started; 0: the calling thread. Those that it has no right
 * to change stay as they are. */
void soon__surroundings_give(const struct soon__surroundings *surroundings, pid_t thread);

#endif
