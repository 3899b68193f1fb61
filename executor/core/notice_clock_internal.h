/*
 * notice_clock_internal.h - time limits of tasks in this process that have a notice.
 */
#ifndef SOON_EXECUTOR_CORE_NOTICE_CLOCK_INTERNAL_H
#define SOON_EXECUTOR_CORE_NOTICE_CLOCK_INTERNAL_H

/* Before a task with a limit has a notice. 0 or a negative errno. */
int soon__notice_clock_start(void);
/* One has. Any thread, under no lock. */
void soon__notice_clock_set(void);

#endif
