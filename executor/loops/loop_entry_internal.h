/*
 * loop_entry_internal.h - what waits in the list of a program's loop.
 */
#ifndef SOON_EXECUTOR_LOOPS_LOOP_ENTRY_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_LOOP_ENTRY_INTERNAL_H

#include "../loop.h"

/* One of the two is called once; the entry is free again, or freed, in it. */
struct soon__loop_entry {
    struct soon__loop_entry *next;
    void (*run)(struct soon__loop_entry *entry);  /* on the loop's thread */
    void (*drop)(struct soon__loop_entry *entry); /* on any: the loop's handle was closed by somebody else */
};

#endif
