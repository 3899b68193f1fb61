/*
 * error_internal.h - errors as futures own them: counted, made before they are needed, shared when passed on.
 */
#ifndef SOON_FUTURES_ERROR_INTERNAL_H
#define SOON_FUTURES_ERROR_INTERNAL_H

#include "error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>

struct soon__error {
    _Atomic uint32_t refs; /* 0: it is static, and never freed */
    soon_error public;     /* its texts are behind it, in the same block */
};

/* Checks for a mistake of the program: asserts `condition` with a text. Returns it, for builds without asserts. */
#define soon__check(condition, text) ((condition) ? true : (soon__misuse(text), false))
#ifdef NDEBUG
#define soon__misuse(text) ((void)0)
#else
#define soon__misuse(text) assert(!text)
#endif

/* Static errors: they need no memory, so they serve where it has run out, and where nothing may be allocated. */
extern const soon_error soon__error_none;                /* code 0 */
extern const soon_error soon__error_not_yet;             /* code 0, of what is not done */
extern struct soon__error soon__error_cancelled;         /* the task never started */
extern struct soon__error soon__error_cancelled_running; /* the task ran, and ended because it was asked to */
extern struct soon__error soon__error_cancelled_between; /* the task had begun, and waited for its next try */
extern struct soon__error soon__error_nomem;
extern struct soon__error soon__error_nomem_started; /* the task ran, but there was no memory for its outcome */
/* Returns the static error of a code of ours, or of an errno that a refusal can have; NULL for others. Its message is
 * the text of the code. `begun`: the task had begun. */
struct soon__error *soon__error_static(int code, bool begun);

struct soon__error *soon__error_ref(struct soon__error *error); /* NULL is allowed */
void soon__error_unref(struct soon__error *error);

/* Returns a new error with `fields` and a message. Never NULL: without memory it is a static one, of its code or
 * -ENOMEM, with the same `started`. `format` NULL: the message is the text of the code. `function` and `label` may be
 * NULL. Line breaks in the message become spaces. */
struct soon__error *soon__error_new(const soon_error *fields, const char *format, va_list args);
struct soon__error *soon__error_newf(const soon_error *fields, const char *format, ...) SOON_PRINTF(2, 3);

static inline bool soon__error_is_static(const struct soon__error *error)
{
    return atomic_load_explicit(&error->refs, memory_order_relaxed) == 0; /* that never changes */
}

/* Returns the same error for a task that had begun. Takes the reference, returns one. */
struct soon__error *soon__error_as_started(struct soon__error *error);

/* Notes which try of its task has failed, if it had begun and nobody else has the error. */
void soon__error_set_attempt(struct soon__error *error, unsigned attempt);

/* Calls the hook of soon_on_unhandled(), if one is set. */
void soon__error_unhandled(const struct soon__error *error);

#endif
