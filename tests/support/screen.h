/*
 * screen.h - a terminal whose screen the test looks at: a pseudo-terminal, and as much of an emulator as a progress bar
 * needs. Any other escape sequence fails the test.
 *
 * What scrolls off the top is kept, so a screen is a list of lines, of which the last `rows` can still be changed. The
 * test reads with screen_read(); nobody reads meanwhile, so a test may also leave the terminal full.
 */
#ifndef SOON_TESTS_SUPPORT_SCREEN_H
#define SOON_TESTS_SUPPORT_SCREEN_H

#include "../harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

enum { SCREEN_LINES_MAX = 4096, SCREEN_COLUMNS_MAX = 256 };

struct screen {
    int master, fd; /* the program's side is fd */
    int columns, rows;
    wchar_t cells[SCREEN_LINES_MAX][SCREEN_COLUMNS_MAX]; /* 0 behind a wide character */
    int top, row, column;                                /* the first line that is seen; the cursor's line, from 0 on */
    bool wraps;                                          /* line wrapping is on */
    bool wrapped;                                        /* a line was longer than the screen */
    bool coloured;                                       /* colours were used */
    char unread[16384];                                  /* a sequence that has not come to its end */
    size_t unread_size;
};

static inline void screen_resize(struct screen *screen, int columns, int rows)
{
    struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};

    screen->columns = columns;
    screen->rows = rows;
    cr_assert_eq(ioctl(screen->master, TIOCSWINSZ, &size), 0);
}

/* In UTF-8, for this process and what it finds in its environment. */
static inline struct screen *screen_new(int columns, int rows)
{
    struct screen *screen = (struct screen *)calloc(1, sizeof *screen);

    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    setlocale(LC_CTYPE, "C.UTF-8");
    screen->wraps = true;
    screen->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    cr_assert_geq(screen->master, 0);
    cr_assert_eq(grantpt(screen->master), 0);
    cr_assert_eq(unlockpt(screen->master), 0);
    screen->fd = open(ptsname(screen->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert_geq(screen->fd, 0);
    screen_resize(screen, columns, rows);
    return screen;
}

static inline void screen_free(struct screen *screen)
{
    if (screen->master >= 0)
        close(screen->master);
    close(screen->fd);
    free(screen);
}

static inline void screen__erase(struct screen *screen, int row, int column)
{
    memset(&screen->cells[row][column], 0, (SCREEN_COLUMNS_MAX - (size_t)column) * sizeof(wchar_t));
}

static inline void screen__newline(struct screen *screen)
{
    screen->row++;
    cr_assert_lt(screen->row, SCREEN_LINES_MAX);
    if (screen->row - screen->top >= screen->rows)
        screen->top = screen->row - screen->rows + 1;
}

static inline void screen__put(struct screen *screen, wchar_t c)
{
    int width = wcwidth(c);

    cr_assert_geq(width, 0, "U+%04X moves the cursor", (unsigned)c);
    if (screen->column + width > screen->columns) {
        screen->wrapped = true;
        if (screen->wraps) {
            screen->column = 0;
            screen__newline(screen);
        } else {
            screen->column = screen->columns - width;
        }
    }
    if (width > 0)
        screen->cells[screen->row][screen->column] = c;
    if (width > 1)
        screen->cells[screen->row][screen->column + 1] = 0;
    screen->column += width;
}

/* ESC [ ... : the sequence of `size` bytes ends with `end`. */
static inline void screen__obey(struct screen *screen, const char *sequence, char end)
{
    int number = atoi(sequence);

    if (end == 'K') {
        screen__erase(screen, screen->row, screen->column);
    } else if (end == 'J') {
        screen__erase(screen, screen->row, screen->column);
        for (int row = screen->row + 1; row < screen->top + screen->rows && row < SCREEN_LINES_MAX; row++)
            screen__erase(screen, row, 0);
    } else if (end == 'A') {
        screen->row = screen->row - number > screen->top ? screen->row - number : screen->top;
    } else if (end == 'm') {
        screen->coloured = true;
    } else if (strncmp(sequence, "?7", 2) == 0) {
        screen->wraps = end == 'h';
    } else {
        cr_assert_fail("the screen does not know ESC[%s", sequence);
    }
}

/* Obeys one character or sequence. Returns its bytes; 0: it has not come to its end. */
static inline size_t screen__take(struct screen *screen, const char *at, size_t size)
{
    if (*at == '\033') {
        size_t used = 2;
        while (used < size && strchr("0123456789;?", at[used]))
            used++;
        if (used >= size)
            return 0;
        cr_assert_eq(at[1], '[');
        screen__obey(screen, at + 2, at[used]);
        return used + 1;
    }
    if (*at == '\r') {
        screen->column = 0;
    } else if (*at == '\n') {
        screen__newline(screen);
    } else {
        wchar_t c;
        mbstate_t state = {0};
        size_t used = mbrtowc(&c, at, size, &state);
        if (used == (size_t)-2)
            return 0;
        cr_assert_neq(used, (size_t)-1, "not UTF-8");
        screen__put(screen, c);
        return used;
    }
    return 1;
}

/* Takes in all that was written by now. Returns whether that was something. */
static inline bool screen_read(struct screen *screen)
{
    bool any = false;
    ssize_t got;

    while ((got = read(screen->master, screen->unread + screen->unread_size,
                       sizeof screen->unread - screen->unread_size - 1)) > 0) {
        size_t used = 0, step;
        any = true;
        screen->unread_size += (size_t)got;
        while (used < screen->unread_size &&
               (step = screen__take(screen, screen->unread + used, screen->unread_size - used)) > 0)
            used += step;
        memmove(screen->unread, screen->unread + used, screen->unread_size - used);
        screen->unread_size -= used;
    }
    return any;
}

/* A line, without the spaces at its end; 0 is the first that there ever was. Valid until the next call. */
static inline const char *screen_line(const struct screen *screen, int row)
{
    static char text[SCREEN_COLUMNS_MAX * 8];
    size_t used = 0, end = 0;
    mbstate_t state = {0};

    for (int column = 0; column < SCREEN_COLUMNS_MAX; column++) {
        wchar_t c = screen->cells[row][column];
        if (c)
            used += wcrtomb(text + used, c, &state);
        if (c && c != L' ')
            end = used;
    }
    text[end] = 0;
    return text;
}

/* The first line from `from` on with `part` in it; -1: none. */
static inline int screen_find(const struct screen *screen, int from, const char *part)
{
    for (int row = from; row < SCREEN_LINES_MAX && row < screen->top + screen->rows; row++)
        if (strstr(screen_line(screen, row), part))
            return row;
    return -1;
}

static inline void screen_print(const struct screen *screen)
{
    for (int row = 0; row < screen->top + screen->rows; row++)
        fprintf(stderr, "%c|%s\n", row == screen->row ? '>' : ' ', screen_line(screen, row));
}

/* Waits until a line shows `part`. Returns which. */
static inline int screen_await(struct screen *screen, const char *part)
{
    int row;

    test_wait_until((void)screen_read(screen), (row = screen_find(screen, 0, part)) >= 0);
    return row;
}

/* Waits until no line shows `part`. */
static inline void screen_await_gone(struct screen *screen, const char *part)
{
    test_wait_until((void)screen_read(screen), screen_find(screen, 0, part) < 0);
}

#endif
