/*
 * crash_internal.h - from the way a worker process ended to words and errors. Pure.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_CRASH_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_CRASH_INTERNAL_H

#include "../../../futures/error_internal.h"
#include "../../system/process_internal.h"

enum { SOON__CRASH_TEXT = 256 };
/* "killed by signal 11 (SIGSEGV)", "exited with status 3", "gone, nobody knows how"; of a worker that never began also
 * what its status means. Cut to `size`. Returns `to`. */
char *soon__crash_describe(char *to, size_t size, const struct soon__exit *exit);
/* What was short, in words, if `code` says so: descriptors, processes or memory, of which there may be more later.
 * NULL: `code` says something else. */
const char *soon__shortage(int code);
/* Of a worker that was never ready: the error with which something was short, as its exit status says; 0: it
 * does not. */
int soon__crash_shortage(const struct soon__exit *exit);
/* The error of the task that the worker was running. `code` is SOON_EWORKERDIED, SOON_EKILLED, SOON_ETIMELIMIT or
 * SOON_EBROKEN. */
struct soon__error *soon__crash_error(int code, pid_t pid, const struct soon__exit *exit, const char *function,
                                      const char *label);

#endif
