/*
 * output.h - what is printed: lines as sha256sum has them, its kind of messages, and ending the program after an error.
 */
#ifndef DIGEST_OUTPUT_H
#define DIGEST_OUTPUT_H

#include <stdbool.h>

/* Call it first. It opens 0, 1 and 2 if they are closed, so no other file gets these numbers, and sets up stdout. */
void output_init(void);

/* The line of a file. Only whole lines are written, some of them later. Returns: false: writing failed, see errno. */
bool output_line(const unsigned char *digest, const char *name);

/* Writes what output_line() has kept back. Returns: as output_line(). */
bool output_flush(void);

/* output_flush() for the last time: stdout is closed. */
bool output_end(void);

/* "digest: NAME: REASON" on stderr, after the lines so far; the name in quotes if a shell needs them. */
bool output_error(const char *name, int error);

/* "digest: TEXT" on stderr. */
void output_message(const char *text);

/* Ends the program here and now, also while workers run. */
_Noreturn void die(const char *text);

/* Returns `memory`; without it the program ends. */
void *must(void *memory);

#endif
