/*
 * remains_internal.h - worker processes that have died and could not be reaped yet. Loop thread only.
 */
#ifndef SOON_EXECUTOR_PROCESSES_PARENT_REMAINS_INTERNAL_H
#define SOON_EXECUTOR_PROCESSES_PARENT_REMAINS_INTERNAL_H

#include <sys/types.h>

struct soon__remains;

/* NULL: no memory. free() is enough for what is not kept. */
struct soon__remains *soon__remains_new(void);
/* Tries until it is reaped. Takes both, `watch` may be -1. */
void soon__remains_keep(struct soon__remains *remains, int watch, pid_t pid);

#endif
