/*
 * fail.h - makes allocations fail on purpose, and other calls that need memory, descriptors, threads or processes.
 *
 * It is for programs that have `fail` or `everywhere` in the meson.build of their folder. With `fail` the calls of the
 * library and of the test count and may fail, but not those that libuv and libc make inside; with `everywhere` those,
 * too.
 *
 *     for (size_t n = 1;; n++) {
 *         fail_nth(n);
 *         run_script();                      // the test's own; every call in it may return -ENOMEM
 *         if (fail_stop() < n)               // there were fewer than n calls: each of them has failed once
 *             break;
 *     }
 */
#ifndef SOON_TESTS_HARNESS_FAIL_H
#define SOON_TESTS_HARNESS_FAIL_H

#include <stddef.h>

/* From now on the nth call fails, on any thread; or the nth and all that follow. The next call has number 1. */
void fail_nth(size_t nth);
void fail_from(size_t nth);
/* The same, where only the calls of this thread count. The library's own threads may ask for memory at any time. */
void fail_nth_here(size_t nth);
void fail_from_here(size_t nth);

/* From now on no call fails. Returns how many calls there were since fail_nth() or fail_from(). */
size_t fail_stop(void);

/* Between these two the calls of this thread neither count nor fail: for what the test itself needs. They may be
 * nested. */
void fail_pause(void);
void fail_resume(void);

#endif
