/*
 * line_internal.h - a bar at one moment, as a line of so many columns.
 */
#ifndef SOON_PROGRESS_BAR_LINE_INTERNAL_H
#define SOON_PROGRESS_BAR_LINE_INTERNAL_H

#include "progress_bar.h"

enum {
    SOON__LINE_MAX = 4096,
    SOON__COLUMNS_MIN = 3,
    SOON__COLUMNS_MAX = 1000,
    SOON__ROWS_MAX = 64,
    SOON__ROW_LABEL_MAX = 256
};

/* One running task. */
struct soon__row {
    char label[SOON__ROW_LABEL_MAX];
    soon_progress progress;
};

/* A bar at one moment. */
struct soon__view {
    const char *label, *unit;
    soon_progress_bar_scale scale;
    uint64_t done, total, failed, cancelled; /* `total` 0, or less than `done`: unknown */
    double running;                          /* what is to be added to `done` for the tasks that run */
    double second, rate;                     /* since it began; 0: not known */
    bool finished, adds_progress;            /* the latter: what tasks count is what the bar counts */
    struct soon__row rows[SOON__ROWS_MAX];
    size_t row_count;
};

/* How it is to look. */
struct soon__look {
    bool blocks, colour;
    int columns;
};

/* Each writes a line without its end, in at most `look->columns` columns and the thread's locale, and returns its
 * bytes. */
size_t soon__line_of_bar(char ret[SOON__LINE_MAX], const struct soon__view *view, const struct soon__look *look);
size_t soon__line_of_row(char ret[SOON__LINE_MAX], const struct soon__view *view, size_t row,
                         const struct soon__look *look);
/* For what is no terminal: as wide as it gets, with the running tasks behind it. */
size_t soon__line_of_plain(char ret[SOON__LINE_MAX], const struct soon__view *view);

#endif
