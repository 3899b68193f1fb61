/*
 * round_internal.h - a round of the drawer: all bars that there were at its beginning, drawn once.
 */
#ifndef SOON_PROGRESS_BAR_ROUND_INTERNAL_H
#define SOON_PROGRESS_BAR_ROUND_INTERNAL_H

#include "bar_internal.h"
#include "outlet_internal.h"

struct soon__round {
    soon_progress_bar *first;     /* linked by drawer.next; `ends` is set for those whose end has come */
    struct soon__outlet *outlets; /* linked by listed.next */
    const atomic_int *hidden;
    int64_t now_ns;
    bool is_shown;                 /* something, on some terminal */
    struct soon__text above, body; /* that are being made */
};

/* Draws. `ends` is taken back where the terminal took nothing. While `*hidden`, nothing is shown. Returns whether
 * something is shown then. Drawer. */
bool soon__round_draw(struct soon__round *round, const atomic_int *hidden);

#endif
