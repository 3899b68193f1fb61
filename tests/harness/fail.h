/*
 * fail.h - makes allocations and their like fail on purpose.
 *
 * For a program that tests/meson.build links with `fail`: what the library and the test itself call is counted and may
 * fail; what libuv and libc call inside is not. With `fail_everywhere` that is, too.
 *
 *     for (size_t n = 1;; n++) {
 *         fail_nth(n);
 *         run_script();                      // of the test: every call may say -ENOMEM
 *         if (fail_stop() < n)               // it needed fewer than n: all have failed once
 *             break;
 *     }
 */
#ifndef SOON_TESTS_HARNESS_FAIL_H
#define SOON_TESTS_HARNESS_FAIL_H

#include <stddef.h>

/* From now on, in all threads: only the nth call fails, or the nth and all that follow. The first is 1. Counts anew. */
void fail_nth(size_t nth);
void fail_from(size_t nth);
/* Only calls of this thread count: the library's own may need memory at any time, and do without. */
void fail_nth_here(size_t nth);
void fail_from_here(size_t nth);

/* Nothing fails any more. Returns how many calls there were since fail_nth() or fail_from(). */
size_t fail_stop(void);

/* What this thread calls in between neither counts nor fails: for the test's own needs. Nests. */
void fail_pause(void);
void fail_resume(void);

#endif
