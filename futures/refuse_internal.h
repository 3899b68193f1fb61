/*
 * refuse_internal.h - why a function of the library fails: the last error of the calling thread.
 */
#ifndef SOON_FUTURES_REFUSE_INTERNAL_H
#define SOON_FUTURES_REFUSE_INTERNAL_H

#include "error_internal.h"

/* Notes why a public function is going to fail with `code`, without its name: ".workers = -3 is negative". Returns
 * `code`. */
int soon__refuse(int code, const char *format, ...) SOON_PRINTF(2, 3);
/* When the public function returns: if `rc` is negative, makes the last error of this thread of its name and the note,
 * or the text of the code. Returns `rc`. */
static inline int soon__failed(int rc, const char *function);
/* Makes `error`, that of a future, the last error of this thread. Takes the reference. Returns its code. */
int soon__failed_with(struct soon__error *error);
/* As soon__failed(), for a function that returns a future: returns the error for that future, a reference, with the
 * function and label of `fields`. `function` and `fields` may be NULL. */
struct soon__error *soon__refused(int code, const char *function, const soon_error *fields);

/* Checks for what is wrong most often. They note what it is. */
struct soon__range {
    const char *field;
    int64_t value, least, most;
};
int soon__check_ranges(const struct soon__range *ranges, size_t count); /* returns 0 or -EINVAL */
int soon__check_timeout(int64_t timeout_ms);
int soon__is_null(const char *what); /* returns -EINVAL; notes "the future is NULL" */

int soon__failed_slowly(int rc, const char *function);
static inline int soon__failed(int rc, const char *function)
{
    return __builtin_expect(rc < 0, 0) ? soon__failed_slowly(rc, function) : rc;
}

#endif
