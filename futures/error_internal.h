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
    _Atomic uint32_t refs; /* 0: static, never freed */
    soon_error public;     /* its texts lie behind it */
};

/* A misuse that a user can commit: asserts with a text, and is harmless without asserts. True if all is well. */
#define soon__check(condition, text) ((condition) ? true : (soon__misuse(text), false))
#ifdef NDEBUG
#define soon__misuse(text) ((void)0)
#else
#define soon__misuse(text) assert(!text)
#endif

/* Statics: they need no memory, so they serve where it ran out and where nothing may be allocated. */
extern const soon_error soon__error_none;                /* code 0 */
extern struct soon__error soon__error_cancelled;         /* it never started */
extern struct soon__error soon__error_cancelled_running; /* it gave in */
extern struct soon__error soon__error_cancelled_between; /* it had begun, and waited for its next try */
extern struct soon__error soon__error_nomem;
extern struct soon__error soon__error_nomem_started; /* it ran, but there was no room for what became of it */
/* The static error of one of our codes or an errno that a refusal can have; its message is the text of `code`. `begun`: of a
 * task that had begun. */
struct soon__error *soon__error_static(int code, bool begun);

struct soon__error *soon__error_ref(struct soon__error *error); /* NULL allowed */
void soon__error_unref(struct soon__error *error);

/*
 * A new error: never NULL, a static one at worst, that of its code or for no memory, with the same `started`. format NULL: the
 * text of the code. function and label may be NULL. Line breaks in the message become spaces.
 */
struct soon__error *soon__error_new(const soon_error *fields, const char *format, va_list args);
struct soon__error *soon__error_newf(const soon_error *fields, const char *format, ...) SOON_PRINTF(2, 3);

static inline bool soon__error_is_static(const struct soon__error *error)
{
    return atomic_load_explicit(&error->refs, memory_order_relaxed) == 0; /* that never changes */
}

/* The same error of a task that had begun. Takes the reference, gives one. */
struct soon__error *soon__error_as_started(struct soon__error *error);

/* Tells the hook, if one is set, of an error that nobody looked at. */
void soon__error_unhandled(const struct soon__error *error);

#endif
