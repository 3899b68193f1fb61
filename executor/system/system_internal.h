/*
 * system_internal.h - what this process is to the system, and what the system lets it do. What else worker processes
 * need of it is in spawn_internal.h, process_internal.h and ipc_internal.h; memory that is shared, and words to sleep
 * on in it, are in ../../futures/system_internal.h. A port replaces the files that end in _linux.c.
 */
#ifndef SOON_EXECUTOR_SYSTEM_SYSTEM_INTERNAL_H
#define SOON_EXECUTOR_SYSTEM_SYSTEM_INTERNAL_H

#include <stdbool.h>

/* Was this program started with rights that its user may not have: set-user-ID, set-group-ID, or capabilities of its
 * file? That stays so, whatever rights it gives up. */
bool soon__is_privileged(void);
/* Gives up all capabilities of the calling thread. 0 or a negative errno. */
int soon__drop_capabilities(void);
/* A descriptor of this process's own program, for soon__process_start.executable; or a negative errno. */
int soon__own_program(void);
/* This process is to get the signal when the thread that started it has ended. Each thread may ask for one. It is an
 * additional safety: see processes/worker/control.c. */
int soon__signal_at_end_of_parent(int signal);
/* 0; -ENOSYS and the like if the kernel lacks, or a container forbids, something that worker processes need. */
int soon__processes_supported(void);

#endif
