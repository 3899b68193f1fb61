/*
 * bar.c - one line of text, as wide as the terminal is at that moment, drawn over itself with a carriage return.
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

static atomic_int shown; /* how many columns are to be cleared */

/* The last few draws: the rate is that of the last seconds. */
static struct sample {
    int64_t time_ms;
    uint64_t bytes;
} samples[SAMPLES];
static unsigned sample_count;

static void write_line(const char *text, size_t size)
{
    (void)!write(STDERR_FILENO, text, size); /* a bar that cannot be drawn is not missed */
}

void bar_clear(void)
{
    /* Relaxed: the number is all there is to it. */
    int columns = atomic_exchange_explicit(&shown, 0, memory_order_relaxed);
    char text[WIDTH_MAX + 2];
    if (columns > 0) {
        memset(text, ' ', sizeof text);
        text[0] = text[columns + 1] = '\r';
        write_line(text, (size_t)columns + 2);
    }
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
    char text[WIDTH_MAX + 128] = "\r", now[32], all[32], rate[32], left[32] = "";
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
        used = sprintf(text + 1, "%3d %%  %s of %s  %s/s  %s", (int)(100 * part), now, all, rate, left);
        used = draw_blocks(text + 1, used, columns, part);
    } else {
        used = sprintf(text + 1, "%s  %s/s", now, rate);
    }

    if (used > columns)
        used = columns;
    int before = atomic_exchange_explicit(&shown, used, memory_order_relaxed);
    if (before > columns)
        before = columns; /* the terminal has become narrower */
    for (; used < before; used++)
        text[1 + used] = ' ';
    write_line(text, (size_t)used + 1);
}
