/*
 * refuse.c - the sentence for what a function of the library has just returned: the last error of a thread.
 *
 * A code says the kind, the sentence says which field has which value, and what would be right. It belongs to the thread: one
 * counted error in its record, which the thread's next failure replaces, and its end gives back. Where that end cannot be
 * watched, and where the code alone says it all, it is a static one: a poll that finds nothing, or a queue that is full,
 * allocates nothing.
 */
#include "error_internal.h"
#include "thread_internal.h"

int soon__refuse_with(struct soon__error *error)
{
    struct soon__thread *self = soon__thread_self();
    struct soon__error *before = self->last_error;

    if (!soon__error_is_static(error) && !soon__thread_watch_end()) {
        struct soon__error *of_code = soon__error_of_code(error->public.code);

        soon__error_unref(error);
        error = of_code;
    }
    self->last_error = error;
    soon__error_unref(before);
    return error->public.code;
}

int soon__refuse(int code, const char *format, ...)
{
    const soon_error fields = {.code = code};
    va_list args;

    va_start(args, format);
    (void)soon__refuse_with(format ? soon__error_new(&fields, format, args) : soon__error_of_code(code));
    va_end(args);
    return code;
}

struct soon__error *soon__refused(int code)
{
    struct soon__error *last = soon__thread_self()->last_error;

    return last && last->public.code == code ? soon__error_ref(last) : soon__error_of_code(code);
}

void soon__refuse_thread_ends(void)
{
    struct soon__error *last = soon__thread_self()->last_error;

    soon__thread_self()->last_error = NULL;
    soon__error_unref(last);
}

const soon_error *soon_last_error(void)
{
    const struct soon__error *last = soon__thread_self()->last_error;

    return last ? &last->public : &soon__error_none;
}

/* A copy is a counted error with one owner, who sees its public part. */
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
