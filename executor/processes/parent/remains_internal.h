/*
 * remains_internal.h - worker processes that have died and could not be reaped yet. Loop thread only.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_REMAINS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_REMAINS_INTERNAL_H

#include <sys/types.h>

struct soon__remains;

/* Memory for a process that may remain; NULL: there is none. free() it if it is not kept. */
struct soon__remains *soon__remains_new(void);
/* Tries until the process is reaped. Takes `remains` and `watch`, which may be -1. */
void soon__remains_keep(struct soon__remains *remains, int watch, pid_t pid);

#endif
