/*
 * loop_entry_internal.h - what waits in the list of a program's loop.
 */
#ifndef SOON_EXECUTOR_LOOPS_LOOP_ENTRY_INTERNAL_H
#define SOON_EXECUTOR_LOOPS_LOOP_ENTRY_INTERNAL_H

#include "../loop.h"

/* One of the two is called once; the entry is free again, or freed, in it. */
struct soon__loop_entry {
    struct soon__loop_entry *next;
    /* On the loop's thread. What calls no user code says so: soon__loop_ran_nothing(). */
    void (*run)(struct soon__loop_entry *entry);
    void (*drop)(struct soon__loop_entry *entry); /* on any: somebody else has closed the loop */
};

#endif
