/*
 * bar_internal.h - a progress bar: its options, what it counts, and who may touch which part of it.
 *
 *     LIVE --finish--> ENDING --drawn for the last time--> GONE
 *
 * B1  Anybody counts, with atomics or under `mutex`, which is held for a moment and never over user code or output.
 * B2  The drawer alone makes a bar GONE, and does not look at it again. soon_progress_bar_free() waits for that.
 * B3  References: the program's, and one for each member, whose callback may still be about to run. The last one frees
 *     the memory.
 * B4  A member is in the list of its bar until its callback has begun, or the bar is freed: whoever takes it out, under
 *     `mutex`, has unlinked it; whoever keeps the callback from running, or runs it, frees it.
 */
#ifndef SOON_PROGRESS_BAR_BAR_INTERNAL_H
#define SOON_PROGRESS_BAR_BAR_INTERNAL_H

#include "line_internal.h"
#include "number_internal.h"

#include <pthread.h>
#include <stdatomic.h>

struct soon__display;
struct soon__outlet;

enum { SOON__NS_PER_MS = 1000000 };

enum soon__bar_state { SOON__BAR_LIVE, SOON__BAR_ENDING, SOON__BAR_GONE };

/* A future that was added and is not done. */
struct soon__member {
    soon_progress_bar *bar;
    soon_future *future; /* a reference */
    uint64_t number;     /* from 1 */
    uint64_t items;      /* of a map; else 1 */
    bool is_map;
    bool linked; /* B4 */
    struct soon__member *previous, *next;
};

struct soon_progress_bar {
    struct soon__display *display; /* that of the process that has made it */
    struct soon__outlet *outlet;
    soon_progress_bar_options options; /* without the strings */
    char unit[20];
    bool blocks, colour;
    int64_t began_ns;
    _Atomic unsigned references; /* B3 */
    _Atomic uint64_t total;      /* 0: that of the members */
    _Atomic uint64_t counted;    /* by hand */
    _Atomic uint64_t failed;     /* of all that were counted */
    _Atomic uint64_t cancelled;  /* the same */
    pthread_mutex_t mutex;       /* innermost */
    struct {
        char *label;
        struct soon__member *first, *last; /* in the order of adding */
        uint64_t added, items;             /* members so far, and their items */
        uint64_t done;                     /* items of members that are done */
        uint64_t progress, progress_total; /* of members that are done */
    } locked;
    /* Under the display's mutex. */
    struct {
        enum soon__bar_state state;
        soon_progress_bar *next;
    } listed;
    /* Of the drawer's thread. */
    struct {
        soon_progress_bar *next; /* in this round */
        bool ends;               /* it is drawn for the last time */
        struct soon__rate rate;
        int64_t drawn_ns; /* 0: never */
        char label[1024];
        struct soon__view view;
    } drawer;
};

int64_t soon__bar_now_ns(void);
void soon__bar_ref(soon_progress_bar *bar);
void soon__bar_unref(soon_progress_bar *bar);

/* Makes `to` of its state, with the display's mutex held. Returns false if that is no step. */
bool soon__bar_enter_locked(soon_progress_bar *bar, enum soon__bar_state to);

#endif
