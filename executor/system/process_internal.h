/*
 * process_internal.h - processes that run, and how they end.
 */
#ifndef SOON_EXECUTOR_SYSTEM_PROCESS_INTERNAL_H
#define SOON_EXECUTOR_SYSTEM_PROCESS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A descriptor, close-on-exec, that becomes readable when the process has died. -ESRCH: it is gone, and somebody else
 * has reaped it; or another negative errno. */
int soon__process_watch(pid_t pid);

/* How a process ended. */
struct soon__exit {
    bool known;  /* false: somebody else in this program has reaped it, or nobody may; or it has not ended */
    bool killed; /* by the signal `number`; else it has exited with the status `number` */
    int number;
    int denied; /* it has not ended, since it could not be signalled, for this negative errno; 0: it has */
};
/*
 * Reaps a process that has died. Never blocks. `watch` may be -1. False: it has not died; or a tracer (a debugger, a
 * crash handler) has not seen its end yet: then call this again later, and `ret` is what can be known until then.
 */
bool soon__process_reap(int watch, pid_t pid, struct soon__exit *ret);
/*
 * Signals the process and the rest of its group, even if it has died, as long as it was not reaped. `watch` may be -1.
 * 0; -ESRCH: somebody else has reaped it, and the rest of its group gets the signal only where the system can do that;
 * -EPERM: it has other rights, or this process has others than when it started it.
 */
int soon__process_signal(int watch, pid_t pid, int signal);
/* Could it be signalled? 0 or a negative errno. */
int soon__process_may_signal(int watch);

/* Nanoseconds that the first thread of a child, which was not reaped, has waited for a CPU. 0: not known. */
int64_t soon__process_starved_ns(pid_t pid);
/* Bytes of memory that this process alone uses: the memory limit is about these. 0: not known. */
uint64_t soon__own_memory(void);

#endif
