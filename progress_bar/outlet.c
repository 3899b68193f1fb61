/*
 * outlet.c - where bars are drawn.
 *
 * No write of the drawer's meets SIGPIPE, which its thread blocks. A terminal has none.
 */
#include "outlet_internal.h"

#include "guard_internal.h"
#include "line_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * Text
 */

bool soon__text_reserve(struct soon__text *text, size_t size)
{
    if (text->size + size <= text->capacity)
        return true;
    size_t capacity = 2 * (text->size + size) + 256;
    char *grown = realloc(text->data, capacity);
    if (!grown)
        return false;
    text->data = grown;
    text->capacity = capacity;
    return true;
}

void soon__text_add(struct soon__text *text, const char *data, size_t size)
{
    if (size == 0 || !soon__text_reserve(text, size))
        return;
    memcpy(text->data + text->size, data, size);
    text->size += size;
}

void soon__text_add_string(struct soon__text *text, const char *string)
{
    soon__text_add(text, string, strlen(string));
}

/*
 * Descriptors
 */

static bool is_terminal(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

int soon__outlet_new(struct soon__outlet **ret, int fd)
{
    struct stat status;
    struct soon__outlet *outlet = fstat(fd, &status) == 0 ? calloc(1, sizeof *outlet) : NULL;

    if (!outlet)
        return -errno;
    outlet->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (outlet->fd < 0) {
        int rc = -errno;
        free(outlet);
        return rc == -EINVAL ? -EMFILE : rc;
    }
    outlet->is_terminal = is_terminal(fd);
    outlet->device = status.st_rdev;
    pthread_mutex_init(&outlet->writing, NULL);
    *ret = outlet;
    return 0;
}

void soon__outlet_free(struct soon__outlet *outlet)
{
    soon__guard_clear(outlet->fd);
    close(outlet->fd);
    pthread_mutex_destroy(&outlet->writing);
    free(outlet->locked.frame.data);
    free(outlet->locked.drawn.data);
    free(outlet->locked.kept.data);
    free(outlet);
}

/* A terminal that is not the program's own has no group in the foreground. */
static bool is_in_background(const struct soon__outlet *outlet)
{
    pid_t foreground = outlet->is_terminal ? tcgetpgrp(outlet->fd) : -1;

    return foreground >= 0 && foreground != getpgrp();
}

enum soon__readiness soon__outlet_readiness(const struct soon__outlet *outlet)
{
    if (is_in_background(outlet))
        return SOON__OUTLET_UNSEEN;
    /* Any event will do: an error is for write() to tell. */
    return poll(&(struct pollfd){.fd = outlet->fd, .events = POLLOUT}, 1, 0) == 1 ? SOON__OUTLET_READY
                                                                                  : SOON__OUTLET_BUSY;
}

/* The last column is left free: where it is written to, terminals differ. */
void soon__outlet_size(const struct soon__outlet *outlet, int *ret_columns, int *ret_rows)
{
    struct winsize size;
    bool known = ioctl(outlet->fd, TIOCGWINSZ, &size) == 0;

    int columns = known && size.ws_col > 0 ? size.ws_col - 1 : 79;
    *ret_columns = columns < SOON__COLUMNS_MIN   ? SOON__COLUMNS_MIN
                   : columns > SOON__COLUMNS_MAX ? SOON__COLUMNS_MAX
                                                 : columns;
    *ret_rows = known && size.ws_row > 0 ? size.ws_row : 24;
}

/* Moves on by what was written. */
static void advance(struct iovec **parts, int *count, size_t written)
{
    while (*count > 0 && written >= (*parts)->iov_len) {
        written -= (*parts)->iov_len;
        ++*parts;
        --*count;
    }
    if (*count > 0) {
        (*parts)->iov_base = (char *)(*parts)->iov_base + written;
        (*parts)->iov_len -= written;
    }
}

/* Writes all parts, in one call if the other side takes them. Returns 0, or the negative code of a failure. */
static int write_all(int fd, struct iovec *parts, int count)
{
    advance(&parts, &count, 0);
    while (count > 0) {
        ssize_t written = writev(fd, parts, count);
        if (written >= 0)
            advance(&parts, &count, (size_t)written);
        else if (errno == EAGAIN)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (errno != EINTR)
            return -errno;
    }
    return 0;
}

static int write_locked(struct soon__outlet *outlet, struct iovec *parts, int count)
{
    if (outlet->locked.is_dead)
        return 0;
    int rc = write_all(outlet->fd, parts, count);
    /* A full disk may have room again. */
    outlet->locked.is_dead = rc == -EPIPE || rc == -EIO || rc == -EBADF;
    return rc;
}

static struct iovec part_of(const struct soon__text *text)
{
    return (struct iovec){text->data, text->size};
}

/* To the end of the screen. Not from the first column on: in the first line a terminal may take that for a new screen,
 * and keep what was there as history. */
static const struct iovec wipe = {(char *)"\r \033[J\r", 6};

/*
 * Terminals
 */

/* O3. Without memory for all of it there is no frame. */
static void make_frame(struct soon__text *frame, const struct soon__text *body, int lines)
{
    char up[32];

    frame->size = 0;
    if (lines == 0 || !soon__text_reserve(frame, body->size + 64))
        return;
    snprintf(up, sizeof up, "\033[%dA", lines - 1);
    soon__text_add_string(frame, "\r\033[?7l");
    soon__text_add(frame, body->data, body->size);
    soon__text_add_string(frame, "\033[J\r");
    soon__text_add_string(frame, lines > 1 ? up : "");
    soon__text_add_string(frame, "\033[?7h");
}

/* The same frame is not drawn again: `drawn` is what was drawn before. */
static void show_locked(struct soon__outlet *outlet, const struct soon__text *body, int lines, int columns)
{
    struct soon__text *frame = &outlet->locked.frame, *drawn = &outlet->locked.drawn, *kept = &outlet->locked.kept;
    struct soon__text last = *frame;

    *frame = *drawn;
    *drawn = last;
    make_frame(frame, body, lines);
    bool is_same = outlet->locked.is_shown && outlet->locked.columns == columns && frame->size == last.size &&
                   memcmp(frame->data, last.data, last.size) == 0;
    if (is_same && kept->size == 0)
        return;

    outlet->locked.is_shown = frame->size > 0;
    outlet->locked.columns = columns;
    if (frame->size > 0)
        soon__guard_set(outlet->fd, body->data, body->size);
    else
        soon__guard_clear(outlet->fd);
    struct iovec parts[] = {wipe, part_of(kept), part_of(frame)};
    bool wipes = kept->size > 0 || frame->size == 0;
    write_locked(outlet, parts + !wipes, 3 - !wipes);
    kept->size = 0;
}

bool soon__outlet_draw(struct soon__outlet *outlet, const atomic_int *hidden, const struct soon__text *above,
                       const struct soon__text *body, int lines, int columns)
{
    pthread_mutex_lock(&outlet->writing);
    soon__text_add(&outlet->locked.kept, above->data, above->size);
    /* Acquire: pairs with the release of who hides, and then waits for `writing` and wipes out what is shown. */
    bool is_hidden = atomic_load_explicit(hidden, memory_order_acquire) > 0;
    if (!is_hidden && !soon__guard_has_left() && (outlet->locked.is_shown || outlet->locked.kept.size > 0 || lines > 0))
        show_locked(outlet, body, lines, columns);
    bool is_shown = outlet->locked.is_shown;
    pthread_mutex_unlock(&outlet->writing);
    return is_shown;
}

void soon__outlet_wipe(struct soon__outlet *outlet)
{
    struct iovec part = wipe;

    pthread_mutex_lock(&outlet->writing);
    if (outlet->locked.is_shown) {
        outlet->locked.is_shown = false;
        soon__guard_clear(outlet->fd);
        write_locked(outlet, &part, 1);
    }
    pthread_mutex_unlock(&outlet->writing);
}

/* Whether the frame is to be seen, and as wide as the terminal is now. */
static bool fits_locked(const struct soon__outlet *outlet)
{
    int columns, rows;

    soon__outlet_size(outlet, &columns, &rows);
    return outlet->locked.columns == columns && !is_in_background(outlet);
}

int soon__outlet_print(struct soon__outlet *outlet, FILE *stream, const struct soon__text *text, bool *ret_redraw)
{
    pthread_mutex_lock(&outlet->writing);
    bool was_shown = outlet->locked.is_shown, is_buffered = __fpending(stream) > 0;
    outlet->locked.is_shown = was_shown && fits_locked(outlet);
    *ret_redraw = was_shown && !outlet->locked.is_shown;
    /* What is in the stream's buffer comes first, and is not to be wiped out. */
    struct iovec parts[] = {wipe, part_of(text), part_of(&outlet->locked.frame)};
    if (was_shown && is_buffered)
        write_all(outlet->fd, parts, 1);
    int rc = fflush(stream) == 0 ? 0 : -errno;
    bool wipes = was_shown && !is_buffered;
    if (rc == 0)
        rc = write_all(fileno(stream), parts + !wipes, 3 - !wipes - !outlet->locked.is_shown);
    pthread_mutex_unlock(&outlet->writing);
    return rc;
}

/*
 * Files and pipes
 */

/* A line that a full disk has cut off gets its end before the next one. */
void soon__outlet_line(struct soon__outlet *outlet, const char *line, size_t size)
{
    pthread_mutex_lock(&outlet->writing);
    struct iovec parts[] = {{(char *)"\n", 1}, {(char *)line, size}, {(char *)"\n", 1}};
    bool torn = outlet->locked.is_torn;
    outlet->locked.is_torn = write_locked(outlet, parts + !torn, 3 - !torn) < 0;
    pthread_mutex_unlock(&outlet->writing);
}
