/*
 * signals_internal.h - what a worker process does with signals, and what its forked children do not inherit.
 */
#ifndef SOON_EXECUTOR_PROCESSES_WORKER_SIGNALS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_WORKER_SIGNALS_INTERNAL_H

#include <signal.h>
#include <sys/types.h>

/* The kernel sends this one when the parent has ended. The parent never sends it, nobody else has a use for it, and it
 * ends a program that a task has become. */
#ifdef SIGSTKFLT
#define SOON__SIGNAL_OF_END SIGSTKFLT
#else
#define SOON__SIGNAL_OF_END SIGPWR
#endif

/* From here on SIGINT does nothing, and SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 act if the parent has sent them,
 * or if it is gone. 0 or -ENOMEM. */
int soon__worker_signals(pid_t parent);
/* Ends this process at once, with all processes that its tasks have started and left in its group. Also in a signal
 * handler. */
void soon__worker_kill_group(void) __attribute__((noreturn));

#endif
