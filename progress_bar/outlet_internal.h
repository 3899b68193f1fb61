/*
 * outlet_internal.h - where bars are drawn: a terminal, which several bars share, or a file or pipe, of one bar.
 *
 * O1  `writing` is held while something is written, which may take for ever. So it is the outermost lock, and nobody
 *     takes it who must not wait for a terminal.
 * O2  While bars are shown, the cursor rests at the beginning of the first one. Whatever somebody else writes stands
 *     from there on, and the next frame is drawn from where the cursor is then: nothing is lost.
 * O3  A frame is one write(). It switches the terminal's line wrapping off and on again, since the terminal may become
 *     narrower before it reads the frame.
 */
#ifndef SOON_PROGRESS_BAR_OUTLET_INTERNAL_H
#define SOON_PROGRESS_BAR_OUTLET_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* Text that grows. Without memory it stays as it is. */
struct soon__text {
    char *data;
    size_t size, capacity;
};
bool soon__text_reserve(struct soon__text *text, size_t size); /* room for so many more bytes; false: no memory */
void soon__text_add(struct soon__text *text, const char *data, size_t size);
void soon__text_add_string(struct soon__text *text, const char *string);

struct soon__outlet {
    int fd; /* of our own */
    bool is_terminal;
    dev_t device;
    pthread_mutex_t writing;
    struct {
        bool is_dead;            /* it takes nothing any more */
        bool is_torn;            /* the last line was written in part */
        bool is_shown;           /* `frame` is on the terminal */
        int columns;             /* for which `frame` was made */
        struct soon__text frame; /* with the sequences around it */
        struct soon__text drawn; /* the one before, whose memory is used again */
        struct soon__text kept;  /* lines that are to be written above the next frame */
    } locked;
    /* Under the display's mutex. */
    struct {
        unsigned users;
        struct soon__outlet *next;
    } listed;
};

enum soon__readiness {
    SOON__OUTLET_READY,
    SOON__OUTLET_BUSY,  /* it takes nothing just now */
    SOON__OUTLET_UNSEEN /* the program is in the background of its terminal */
};

int soon__outlet_new(struct soon__outlet **ret, int fd);
void soon__outlet_free(struct soon__outlet *outlet);
enum soon__readiness soon__outlet_readiness(const struct soon__outlet *outlet);
/* Of a terminal: from SOON__COLUMNS_MIN to SOON__COLUMNS_MAX. */
void soon__outlet_size(const struct soon__outlet *outlet, int *ret_columns, int *ret_rows);

/* What is to be seen now: `lines` lines, "\r\n" between them; and `above` them what stays, with "\r\n" behind each.
 * While `*hidden`, nothing is, and what is to stay is kept. Returns whether something is shown. Drawer. */
bool soon__outlet_draw(struct soon__outlet *outlet, const atomic_int *hidden, const struct soon__text *above,
                       const struct soon__text *body, int lines, int columns);
/* A line of a file or a pipe. Drawer. */
void soon__outlet_line(struct soon__outlet *outlet, const char *line, size_t size);
/* Wipes out what is shown. Any thread. */
void soon__outlet_wipe(struct soon__outlet *outlet);
/* Writes `text`, which ends with a newline, to `stream`, which is on the same terminal. Sets `*ret_redraw` if there is
 * to be a new frame. Returns 0 or a negative code. Any thread. */
int soon__outlet_print(struct soon__outlet *outlet, FILE *stream, const struct soon__text *text, bool *ret_redraw);

#endif
