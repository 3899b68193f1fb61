/*
 * system_internal.h - what futures/ asks of the operating system: parking on a word, the clock, mappable memory.
 * A port replaces system_linux.c and nothing else of this layer.
 */
#ifndef SOON_FUTURES_SYSTEM_INTERNAL_H
#define SOON_FUTURES_SYSTEM_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A deadline is a reading of this clock in nanoseconds, or SOON__NEVER. It never goes back. */
#define SOON__NEVER INT64_MAX
#define SOON__POLL INT64_C(0) /* over before it begins */
int64_t soon__clock_ns(void);
/* When `timeout_ms` from now is: saturates; SOON_FOREVER is SOON__NEVER, 0 is SOON__POLL. */
int64_t soon__deadline(int64_t timeout_ms);
/* 0 (with no look at the clock for SOON__NEVER), or -ETIMEDOUT once it has passed. */
int soon__deadline_check(int64_t deadline);

/* Sleeps while *word == expected, until woken or `deadline`. May return at any time: look again. */
void soon__park(_Atomic uint32_t *word, uint32_t expected, int64_t deadline);
void soon__unpark_one(_Atomic uint32_t *word);
void soon__unpark_all(_Atomic uint32_t *word);

/* Memory that another process can map: zeroed pages behind a descriptor. 0 or a negative errno. */
int soon__mappable_new(int *ret_fd, void **ret_data, size_t size);
int soon__mappable_resize(int fd, void **data, size_t old_size, size_t size);
void soon__mappable_free(int fd, void *data, size_t size);

/* How many forks lie between the first process and this one. Cheap. Objects remember it (DESIGN: fork). */
uint32_t soon__generation(void);
/* Runs in the child of a fork, in the order of registration. Any number, at load or first use. 0 or -ENOMEM. */
int soon__at_fork_child(void (*fn)(void));

#endif
