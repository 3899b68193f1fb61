/*
 * guard_internal.h - a program that ends while a bar is shown leaves the cursor below it.
 */
#ifndef SOON_PROGRESS_BAR_GUARD_INTERNAL_H
#define SOON_PROGRESS_BAR_GUARD_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

/* On the terminal behind `fd` this is about to be shown, and the cursor will rest at its beginning. From now on the
 * signals that end or stop the program are handled. Drawer. */
void soon__guard_set(int fd, const char *shown, size_t size);
/* On the terminal behind `fd` nothing is shown any more. Any thread. */
void soon__guard_clear(int fd);
/* Nothing is shown: signals are not handled any more. Drawer. */
void soon__guard_rest(void);
/* Whether the program is about to end, so that nothing is to be drawn any more. Any thread. */
bool soon__guard_has_left(void);

#endif
