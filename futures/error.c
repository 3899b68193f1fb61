/*
 * error.c - the table of codes, errors as futures own them, and the hook for errors that nobody looked at.
 *
 * An error is written once, when it is made, and only counted afterwards: failures that are passed on (by a then, a
 * group, a broken pool) share it. Errors that must exist when memory has run out, or where nothing may be allocated,
 * are static.
 */
#include "error_internal.h"

#include "system_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int code;
    const char *name, *text;
} table[] = {
#define ROW(number, name, text) {number, #name, text},
    SOON_ERROR_TABLE(ROW)
#undef ROW
};

/* Two static errors for each code of ours, in the order of the table, and then for some numbers of errno: the first of
 * a pair is for a task that never started, the second for one that has. */
#define STATIC_ERROR(number, started_value, text)                                                                      \
    {                                                                                                                  \
        .public = {                                                                                                    \
            .code = (number),                                                                                          \
            .started = (started_value),                                                                                \
            .message = (text),                                                                                         \
            .function = "",                                                                                            \
            .label = "",                                                                                               \
            .worker_host = "",                                                                                         \
            .worker = ""                                                                                               \
        }                                                                                                              \
    }
#define STATIC_PAIR(number, text)                                                                                      \
    {                                                                                                                  \
        STATIC_ERROR(number, false, text), STATIC_ERROR(number, true, text)                                            \
    }
static struct soon__error statics[][2] = {
#define ROW(number, name, text) STATIC_PAIR(number, text),
    SOON_ERROR_TABLE(ROW)
#undef ROW
        STATIC_PAIR(-EINVAL, "invalid argument"),
    STATIC_PAIR(-ENOTSUP, "operation not supported"),
    STATIC_PAIR(-EAGAIN, "resource temporarily unavailable"),
    STATIC_PAIR(-EMFILE, "too many open files"),
    STATIC_PAIR(-EOVERFLOW, "value too large"),
    STATIC_PAIR(-ETIMEDOUT, "not done in time"),
};

const soon_error soon__error_not_yet = {
    .message = "not done yet", .function = "", .label = "", .worker_host = "", .worker = ""};
const soon_error soon__error_none = {
    .message = "success", .function = "", .label = "", .worker_host = "", .worker = ""};
struct soon__error soon__error_cancelled = STATIC_ERROR(-ECANCELED, false, "cancelled");
struct soon__error soon__error_cancelled_running = STATIC_ERROR(-ECANCELED, true, "cancelled while it ran");
struct soon__error soon__error_cancelled_between = STATIC_ERROR(-ECANCELED, true, "cancelled between two tries");
struct soon__error soon__error_nomem = STATIC_ERROR(-ENOMEM, false, "out of memory");
struct soon__error soon__error_nomem_started = STATIC_ERROR(-ENOMEM, true, "out of memory");

const char *soon_strerror(int code)
{
    const char *text;

    if (code == 0)
        return "success";
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].code == code)
            return table[i].text;
    }
    /* Unlike strerror() this may be called on any thread, and never translates; it returns NULL for an unknown
     * number. */
    text = code == INT32_MIN ? NULL : strerrordesc_np(code < 0 ? -code : code);
    return text ? text : "unknown error";
}

const char *soon_errname(int code)
{
    const char *name;

    if (code == 0)
        return "SOON_OK";
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].code == code)
            return table[i].name;
    }
    name = code == INT32_MIN ? NULL : strerrorname_np(code < 0 ? -code : code);
    return name ? name : "UNKNOWN";
}

struct soon__error *soon__error_static(int code, bool begun)
{
    if (code == -ENOMEM)
        return begun ? &soon__error_nomem_started : &soon__error_nomem;
    if (code == -ECANCELED)
        return begun ? &soon__error_cancelled_running : &soon__error_cancelled;
    for (size_t i = 0; i < sizeof statics / sizeof *statics; i++) {
        if (statics[i][begun].public.code == code)
            return &statics[i][begun];
    }
    return NULL;
}

/* The references of a static error are not counted: `refs` stays 0. */
struct soon__error *soon__error_ref(struct soon__error *error)
{
    if (error && atomic_load_explicit(&error->refs, memory_order_relaxed))
        atomic_fetch_add_explicit(&error->refs, 1, memory_order_relaxed);
    return error;
}

/* Not inlined: with optimisation across files the compiler would warn of a free() of a static error, whose `refs` is
 * 0. */
__attribute__((noinline)) void soon__error_unref(struct soon__error *error)
{
    if (!error || !atomic_load_explicit(&error->refs, memory_order_relaxed))
        return;
    /* Release: our reads. Acquire: those of the others, before the last one frees. */
    if (atomic_fetch_sub_explicit(&error->refs, 1, memory_order_acq_rel) == 1)
        free(error);
}

/* Returns the static error that says most of `fields`, when there is no memory for a new one. */
static struct soon__error *fall_back(const soon_error *fields)
{
    struct soon__error *error = fields->code == SOON_ERAISED ? NULL : soon__error_static(fields->code, fields->started);

    return error ? error : soon__error_static(-ENOMEM, fields->started);
}

static void to_one_line(char *text)
{
    for (; *text; text++) {
        if (*text == '\n' || *text == '\r')
            *text = ' ';
    }
}

/* The texts of an error beside its message. */
enum { TEXTS = 4 };
static void texts_of(soon_error *error, const char **ret[TEXTS])
{
    ret[0] = &error->function;
    ret[1] = &error->label;
    ret[2] = &error->worker_host;
    ret[3] = &error->worker;
}

/* Has none of them NULL. Returns how many bytes they take. */
static size_t measure_texts(soon_error *fields)
{
    const char **texts[TEXTS];
    size_t size = 0;

    texts_of(fields, texts);
    for (int i = 0; i < TEXTS; i++) {
        if (!*texts[i])
            *texts[i] = "";
        size += strlen(*texts[i]) + 1;
    }
    return size;
}

static void copy_texts(soon_error *error, char *to)
{
    const char **texts[TEXTS];

    texts_of(error, texts);
    for (int i = 0; i < TEXTS; i++) {
        *texts[i] = strcpy(to, *texts[i]);
        to += strlen(to) + 1;
    }
}

/* `length` is that of the message which the format makes. */
static struct soon__error *build(const soon_error *given, size_t length, const char *format, va_list args)
{
    soon_error fields = *given;
    size_t size = fields.data ? fields.data_size : 0;
    struct soon__error *error = malloc(sizeof *error + length + 1 + size + measure_texts(&fields));
    char *text;

    if (!error)
        return fall_back(given);
    atomic_init(&error->refs, 1);
    error->public = fields;
    error->public.message = text = (char *)(error + 1);
    vsnprintf(text, length + 1, format, args);
    to_one_line(text);
    text += length + 1;
    error->public.data = size ? memcpy(text, fields.data, size) : NULL;
    error->public.data_size = size;
    copy_texts(&error->public, text + size);
    return error;
}

struct soon__error *soon__error_new(const soon_error *fields, const char *format, va_list args)
{
    va_list again;
    int length;

    if (!format) {
        int told = fields->code == SOON_ERAISED && fields->raised ? fields->raised : fields->code;

        return soon__error_newf(fields, "%s", soon_strerror(told));
    }
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    return length < 0 ? soon__error_newf(fields, "%s", format) : build(fields, (size_t)length, format, args);
}

struct soon__error *soon__error_newf(const soon_error *fields, const char *format, ...)
{
    struct soon__error *error;
    va_list args;

    va_start(args, format);
    error = soon__error_new(fields, format, args);
    va_end(args);
    return error;
}

struct soon__error *soon__error_as_started(struct soon__error *error)
{
    struct soon__error *twin;
    soon_error fields;

    if (error->public.started)
        return error;
    fields = error->public;
    fields.started = true;
    twin = soon__error_newf(&fields, "%s", fields.message);
    soon__error_unref(error);
    return twin;
}

void soon__error_set_attempt(struct soon__error *error, unsigned attempt)
{
    /* Relaxed: the only reference is the caller's. */
    if (error->public.started && atomic_load_explicit(&error->refs, memory_order_relaxed) == 1)
        error->public.attempt = attempt;
}

static struct {
    pthread_mutex_t mutex;
    struct {
        soon_unhandled_fn fn;
        void *data;
    } locked;
} unhandled = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* A forked child must not find the hook locked, or half changed, by a thread that it does not have. */
__attribute__((constructor)) static void watch_forks(void)
{
    (void)soon__lock_at_fork(&unhandled.mutex); /* one of the first: there is room */
}

void soon_on_unhandled(soon_unhandled_fn fn, void *data)
{
    pthread_mutex_lock(&unhandled.mutex);
    unhandled.locked.fn = fn;
    unhandled.locked.data = data;
    pthread_mutex_unlock(&unhandled.mutex);
}

void soon__error_unhandled(const struct soon__error *error)
{
    soon_unhandled_fn fn;
    void *data;

    pthread_mutex_lock(&unhandled.mutex);
    fn = unhandled.locked.fn;
    data = unhandled.locked.data;
    pthread_mutex_unlock(&unhandled.mutex);
    if (fn)
        fn(&error->public, data);
}
