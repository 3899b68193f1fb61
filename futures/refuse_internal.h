/*
 * refuse_internal.h - why a function of the library fails: the last error of the calling thread.
 */
#ifndef SOON_FUTURES_REFUSE_INTERNAL_H
#define SOON_FUTURES_REFUSE_INTERNAL_H

#include "error_internal.h"

/*
 * Where a public function fails, deep inside: why, without the name of that function: ".workers = -3 is negative". Returns
 * `code`.
 */
int soon__refuse(int code, const char *format, ...) SOON_PRINTF(2, 3);
/* Where it returns: what was noted on the way, or else the text of the code, with its name, is the last error of this thread
 * from now on. Returns `rc`; what is not negative is nothing to it. */
static inline int soon__failed(int rc, const char *function);
int soon__failed_with(struct soon__error *error); /* that of a future; takes the reference, returns its code */
/* Where it returns a future: the same as its error, with the names of its task. NULLs allowed. A reference. */
struct soon__error *soon__refused(int code, const char *function, const soon_error *fields);

/* What is usually wrong. */
struct soon__range {
    const char *field;
    int64_t value, least, most;
};
int soon__check_ranges(const struct soon__range *ranges, size_t count); /* 0 or -EINVAL */
int soon__check_timeout(int64_t timeout_ms);
int soon__is_null(const char *what); /* -EINVAL: "the future is NULL" */

int soon__failed_slowly(int rc, const char *function);
static inline int soon__failed(int rc, const char *function)
{
    return __builtin_expect(rc < 0, 0) ? soon__failed_slowly(rc, function) : rc;
}

#endif
