/*
 * bar.c - one line of text, as wide as the terminal is at that moment, drawn over itself.
 *
 * The cursor is left at the beginning of the line. So the ^C that the terminal shows at a Ctrl-C does not begin another
 * line. If the terminal has become narrower and has made two lines of this one, it is cleared from the first of them
 * on.
 */
#include "bar.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH_MAX = 512, SAMPLES = 32 };

static atomic_bool shown;

/* To the end of the screen. */
#define CLEAR "\r\033[J"

/* The last few draws: the rate is that of the last seconds. */
static struct sample {
    int64_t time_ms;
    uint64_t bytes;
} samples[SAMPLES];
static unsigned sample_count;

static void write_line(const char *text, size_t size)
{
    (void)!write(STDERR_FILENO, text, size); /* nobody misses a bar that cannot be drawn */
}

void bar_clear(void)
{
    /* Relaxed: nothing else depends on it. */
    if (atomic_exchange_explicit(&shown, false, memory_order_relaxed))
        write_line(CLEAR, sizeof CLEAR - 1);
}

/* The columns that can be used; the last one would wrap on some terminals. */
static int width(void)
{
    struct winsize size;
    int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
    return columns < WIDTH_MAX ? columns : WIDTH_MAX;
}

static const char *bytes_text(char *text, size_t size, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    for (; bytes >= 999.5 && unit < 6; unit++)
        bytes /= 1024;
    snprintf(text, size, "%.*f %s", unit > 0 && bytes < 99.95 ? 1 : 0, bytes, units[unit]);
    return text;
}

/* Bytes a second, over the samples that are kept; 0: not known yet. */
static double rate_of(uint64_t done)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct sample *last = &samples[sample_count % SAMPLES];
    const struct sample *first = sample_count < SAMPLES ? &samples[0] : &samples[(sample_count + 1) % SAMPLES];
    *last = (struct sample){now.tv_sec * 1000LL + now.tv_nsec / 1000000, done};
    sample_count++;
    int64_t time_ms = last->time_ms - first->time_ms;
    return time_ms > 0 ? (double)(last->bytes - first->bytes) * 1000 / (double)time_ms : 0;
}

bool bar_start(void)
{
    (void)rate_of(0);
    return isatty(STDERR_FILENO) && tcgetpgrp(STDERR_FILENO) == getpgrp();
}

static void time_text(char *text, size_t size, double seconds)
{
    uint64_t s = seconds < 360000 ? (uint64_t)(seconds + 0.5) : 359999;
    if (s < 3600)
        snprintf(text, size, "%" PRIu64 ":%02" PRIu64 " left", s / 60, s % 60);
    else
        snprintf(text, size, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " left", s / 3600, s / 60 % 60, s % 60);
}

/* Fills `text` to `columns` with [###    ], if there is room for it. Returns: the columns used. */
static int draw_blocks(char *text, int used, int columns, double part)
{
    int inside = columns - used - 4;
    if (inside < 8)
        return used;
    if (inside > 50)
        inside = 50;
    int full = (int)(part * inside);
    used += sprintf(text + used, "  [");
    memset(text + used, '#', (size_t)full);
    memset(text + used + full, ' ', (size_t)(inside - full));
    text[used + inside] = ']';
    return used + inside + 1;
}

void bar_draw(uint64_t done, uint64_t total)
{
    char text[WIDTH_MAX + 128] = CLEAR, *line = text + sizeof CLEAR - 1, now[32], all[32], rate[32], left[32] = "";
    double speed = rate_of(done);
    int columns = width();
    bytes_text(now, sizeof now, (double)done);
    bytes_text(rate, sizeof rate, speed);

    int used;
    if (total > 0 && done <= total) {
        double part = (double)done / (double)total;
        if (speed > 0)
            time_text(left, sizeof left, (double)(total - done) / speed);
        bytes_text(all, sizeof all, (double)total);
        used = sprintf(line, "%3d %%  %s of %s  %s/s  %s", (int)(100 * part), now, all, rate, left);
        used = draw_blocks(line, used, columns, part);
    } else {
        used = sprintf(line, "%s  %s/s", now, rate);
    }

    if (used > columns)
        used = columns;
    line[used] = '\r';
    atomic_store_explicit(&shown, true, memory_order_relaxed); /* as above */
    write_line(text, sizeof CLEAR + (size_t)used);
}
