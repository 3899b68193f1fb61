/*
 * members_internal.h - the futures of a bar.
 */
#ifndef SOON_PROGRESS_BAR_MEMBERS_INTERNAL_H
#define SOON_PROGRESS_BAR_MEMBERS_INTERNAL_H

#include "bar_internal.h"

/* As soon_progress_bar_add(). */
int soon__members_add(soon_progress_bar *bar, soon_future *future);
/* Lets all go that are not done. */
void soon__members_let_go(soon_progress_bar *bar);
/* Counts how a future has ended. Any thread. */
void soon__members_count_failure(soon_progress_bar *bar, const soon_future *future);
/* Fills in what there is to be counted now, and the rows of running tasks. Drawer. */
void soon__members_look(soon_progress_bar *bar, struct soon__view *ret);

#endif
