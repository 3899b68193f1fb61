/*
 * refuse.c - why a function of the library fails: the last error of a thread.
 *
 * A code says the kind; a sentence says which field has which value, and what would be right. The sentence is made in
 * two steps. The function that finds something wrong notes it. The public function, when it returns, puts its own name
 * before the note. A note for another code, or of a call that went on all the same, is not used.
 *
 * The last error is one counted error in the thread's record. The thread's next failure replaces it, and the end of the
 * thread gives it back. It is a static error where that end cannot be watched, and where the code alone says it all: a
 * poll that finds nothing, or a queue that is full, allocates nothing.
 */
#include "refuse_internal.h"

#include "thread_internal.h"

#include <errno.h>
#include <inttypes.h>

/* At the end of the thread. */
static void forget(void)
{
    struct soon__error *last = soon__thread_self()->last_error;

    soon__thread_self()->last_error = NULL;
    soon__thread_self()->last_is_note = false;
    soon__error_unref(last);
}

static void keep(struct soon__error *error, bool noted)
{
    struct soon__thread *self = soon__thread_self();
    struct soon__error *before = self->last_error;

    if (!soon__error_is_static(error) && !soon__thread_at_end(forget)) {
        struct soon__error *of_code = soon__error_static(error->public.code, false);

        soon__error_unref(error);
        error = of_code ? of_code : &soon__error_nomem;
    }
    self->last_error = error;
    self->last_is_note = noted;
    soon__error_unref(before);
}

int soon__refuse(int code, const char *format, ...)
{
    const soon_error fields = {.code = code};
    va_list args;

    va_start(args, format);
    keep(soon__error_new(&fields, format, args), true);
    va_end(args);
    return code;
}

/* Returns what was noted for this code, or NULL. */
static const char *note_of(int code)
{
    const struct soon__thread *self = soon__thread_self();

    return self->last_is_note && self->last_error->public.code == code ? self->last_error->public.message : NULL;
}

/* Returns whether the code is one that tells of no mistake: then it says all there is to say. */
static bool is_usual(int code)
{
    return code == -ETIMEDOUT || code == SOON_EEND || code == SOON_EFULL || code == -ENOMEM || code == -ECANCELED;
}

struct soon__error *soon__refused(int code, const char *function, const soon_error *fields)
{
    const char *note = note_of(code);
    soon_error all = fields ? *fields : (soon_error){0};

    all.code = code;
    if (!note)
        return soon__error_newf(&all, NULL);
    return function ? soon__error_newf(&all, "%s: %s", function, note) : soon__error_newf(&all, "%s", note);
}

int soon__failed_slowly(int rc, const char *function)
{
    const char *note = note_of(rc);

    if (!note && is_usual(rc))
        keep(soon__error_static(rc, false), false);
    else
        keep(soon__error_newf(&(soon_error){.code = rc}, "%s: %s", function, note ? note : soon_strerror(rc)), false);
    return rc;
}

int soon__failed_with(struct soon__error *error)
{
    int code = error->public.code;

    keep(error, false);
    return code;
}

int soon__check_ranges(const struct soon__range *ranges, size_t count)
{
    for (const struct soon__range *r = ranges; r < ranges + count; r++) {
        if (r->value < r->least && r->least == 0)
            return soon__refuse(-EINVAL, ".%s = %" PRId64 " is negative", r->field, r->value);
        if (r->value < r->least)
            return soon__refuse(-EINVAL, ".%s = %" PRId64 " is less than %" PRId64, r->field, r->value, r->least);
        if (r->value > r->most)
            return soon__refuse(-EINVAL, ".%s = %" PRId64 " is more than %" PRId64, r->field, r->value, r->most);
    }
    return 0;
}

int soon__check_timeout(int64_t timeout_ms)
{
    if (timeout_ms >= SOON_FOREVER)
        return 0;
    return soon__refuse(-EINVAL, "timeout_ms = %" PRId64 " is negative, and not SOON_FOREVER", timeout_ms);
}

int soon__is_null(const char *what)
{
    return soon__refuse(-EINVAL, "%s is NULL", what);
}

const soon_error *soon_last_error(void)
{
    const struct soon__error *last = soon__thread_self()->last_error;

    return last ? &last->public : &soon__error_none;
}

/* A copy is a counted error with one owner, which sees its public part. */
soon_error *soon_error_copy(const soon_error *error)
{
    if (!soon__check(error, "soon_error_copy: NULL"))
        return NULL;
    return &soon__error_newf(error, "%s", error->message ? error->message : "")->public;
}

void soon_error_free(soon_error *error)
{
    if (error)
        soon__error_unref((struct soon__error *)((char *)error - offsetof(struct soon__error, public)));
}
