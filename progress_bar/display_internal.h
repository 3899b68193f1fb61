/*
 * display_internal.h - all bars of the process, and the thread that draws them.
 */
#ifndef SOON_PROGRESS_BAR_DISPLAY_INTERNAL_H
#define SOON_PROGRESS_BAR_DISPLAY_INTERNAL_H

#include "bar_internal.h"
#include "outlet_internal.h"

/* Whether the bar is one of this process, and not of its parent. */
bool soon__display_has(const soon_progress_bar *bar);
/* Has the bar drawn on `fd`. Returns 0 or a negative code, and then the bar is nowhere. */
int soon__display_add(soon_progress_bar *bar, int fd);
/* Has it drawn for the last time. Never blocks. */
void soon__display_finish(soon_progress_bar *bar);
/* Waits until that has happened. */
void soon__display_await_end(soon_progress_bar *bar);
/* Writes `text` to `stream`, above the bars that are on the same terminal. Returns false if there are none: nothing is
 * written then. */
bool soon__display_print(FILE *stream, const struct soon__text *text, int *ret_rc);
/* As soon_progress_bar_hide() and soon_progress_bar_show(). */
void soon__display_hide(void);
void soon__display_show(void);

#endif
