/*
 * bar.h - the progress bar on stderr: bytes, rate, time left.
 */
#ifndef DIGEST_BAR_H
#define DIGEST_BAR_H

#include <stdbool.h>
#include <stdint.h>

enum { BAR_TICK_MS = 100 };

/* The time begins. Returns: whether a bar will be seen: stderr is a terminal, with this program in its foreground. */
bool bar_start(void);

/* Draws it for `done` of `total` bytes; 0: the total is not known. */
void bar_draw(uint64_t done, uint64_t total);

/* Takes it away, so that something else can be written. Any thread. */
void bar_clear(void);

#endif
