/*
 * read.c - the reader's half: waiting for the outcome and reading it; what can be seen before there is one.
 */
#include "read_internal.h"

#include "await_internal.h"

#include <errno.h>
#include <stdlib.h>

static __attribute__((noinline, cold)) int refuse_wait(const soon_future *future, int64_t timeout_ms)
{
    return future ? soon__check_timeout(timeout_ms) : soon__is_null("the future");
}

static inline int wait_for(soon_future *future, int64_t timeout_ms)
{
    if (!future || timeout_ms < SOON_FOREVER)
        return refuse_wait(future, timeout_ms);
    if (soon__word_final(soon__future_word(future)))
        return 0;
    return soon__future_await(future, timeout_ms == SOON_FOREVER ? SOON__NEVER : soon__deadline(timeout_ms));
}

int soon_future_wait(soon_future *future, int64_t timeout_ms)
{
    return soon__failed(wait_for(future, timeout_ms), "soon_future_wait");
}

const void *soon__future_function(const soon_future *future)
{
    const soon_future *shown = soon__future_shown(future);

    return shown->class->function ? shown->class->function(shown) : NULL;
}

/* `kind` is what the macros of future.h make of a type: a letter for its class, and its name. */
static inline bool is_of_another_kind(const soon_future *future, const char *kind)
{
    if (!kind)
        return false;
    if (!future->class->fits) /* it may show the result of another */
        future = soon__future_shown(future);
    return future->class->fits && !future->class->fits(future, kind);
}

static __attribute__((noinline, cold)) int refuse_type(const soon_future *future, size_t size, const char *kind)
{
    const soon_future *shown = soon__future_shown(future);
    struct soon__described is = {"", ""};

    if (shown->class->describe)
        is = shown->class->describe(shown);
    (void)soon__refuse(SOON_ETYPE, "the result%s%s is %s%s%zu bytes; %s%s%zu bytes, was asked for",
                       *is.function ? " of " : "", is.function, is.type, *is.type ? ", " : "", future->result_size,
                       kind ? kind + 1 : "", kind ? ", " : "", size);
    return soon__failed(SOON_ETYPE, "soon_future_read");
}

static __attribute__((noinline, cold)) int pass_on(soon_future *future)
{
    return soon__failed_with(soon__error_ref(soon__future_failure(future)));
}

/* Waits. Returns 0, or the code of its error, which is marked as seen. */
static inline int outcome_of(soon_future *future, int64_t timeout_ms, const char *caller)
{
    int rc = wait_for(future, timeout_ms);

    if (__builtin_expect(rc < 0, 0))
        return soon__failed(rc, caller);
    return __builtin_expect(soon__future_word(future) & SOON__FAILED, 0) ? pass_on(future) : 0;
}

static int refuse_ret(const char *caller)
{
    return soon__failed(soon__is_null("ret"), caller);
}

int soon_future_result(soon_future *future, int64_t timeout_ms, soon_bytes *ret)
{
    int rc = ret ? outcome_of(future, timeout_ms, "soon_future_result") : refuse_ret("soon_future_result");

    if (rc == 0)
        *ret = (soon_bytes){.data = future->result, .size = future->result_size};
    return rc;
}

static inline int read_into(soon_future *future, int64_t timeout_ms, void *ret, size_t size, const char *kind)
{
    int rc = ret || !size ? outcome_of(future, timeout_ms, "soon_future_read") : refuse_ret("soon_future_read");

    if (rc < 0)
        return rc;
    if (future->result_size != size || is_of_another_kind(future, kind))
        return refuse_type(future, size, kind);
    soon__copy(ret, future->result, size);
    return 0;
}

int soon_future_read(soon_future *future, int64_t timeout_ms, void *ret, size_t size)
{
    return read_into(future, timeout_ms, ret, size, NULL);
}

int soon_future_read_typed(soon_future *future, int64_t timeout_ms, void *ret, size_t size, const char *kind)
{
    return read_into(future, timeout_ms, ret, size, kind);
}

static inline int take(soon_future *future, void *ret, size_t size, const char *kind)
{
    int rc = read_into(future, SOON_FOREVER, ret, size, kind);
    soon_future *lender;

    if (rc == 0) {
        lender = soon__future_shown(future);
        if (lender == future && soon__future_give_up_taken(future))
            return 0;
        soon__future_set_bits(lender, SOON__TAKEN);
    }
    soon_future_unref(future);
    return rc;
}

int soon_future_take(soon_future *future, void *ret, size_t size)
{
    return take(future, ret, size, NULL);
}

int soon_future_take_typed(soon_future *future, void *ret, size_t size, const char *kind)
{
    return take(future, ret, size, kind);
}

int soon_future_exception(soon_future *future, int64_t timeout_ms, const soon_error **ret)
{
    struct soon__error *error;
    int rc = ret ? wait_for(future, timeout_ms) : soon__is_null("ret");

    if (rc < 0)
        return soon__failed(rc, "soon_future_exception");
    error = soon__future_failure(future);
    if ((soon__future_word(future) & SOON__STATE) == SOON__CANCELLED)
        return soon__failed_with(soon__error_ref(error));
    *ret = error ? &error->public : NULL;
    return 0;
}

const soon_error *soon_future_error(const soon_future *future)
{
    struct soon__error *error;

    if (!soon__check(future, "soon_future_error: NULL") || !soon__word_final(soon__future_word(future)))
        return &soon__error_not_yet;
    error = soon__future_failure((soon_future *)future);
    return error ? &error->public : &soon__error_none;
}

static uint32_t state_seen(soon_future *future)
{
    uint32_t state = soon__future_word(future) & SOON__STATE;

    if (state != SOON__PENDING)
        return state;
    if (future->class->has_begun && future->class->has_begun(future))
        return SOON__RUNNING;
    soon__future_refresh(future);
    return soon__future_word(future) & SOON__STATE;
}

soon_state soon_future_state(const soon_future *future)
{
    if (!soon__check(future, "soon_future_state: NULL"))
        return SOON_CANCELLED;
    switch (state_seen((soon_future *)future)) {
    case SOON__FINISHED:
        return SOON_FINISHED;
    case SOON__CANCELLED:
        return SOON_CANCELLED;
    case SOON__RUNNING:
    case SOON__COMPLETING_RUNNING:
        return SOON_RUNNING;
    default:
        break;
    }
    /* An unfinished future that shows the outcome of another is running if that one is, or was. */
    if (soon__future_shown(future) != future && soon_future_state(soon__future_shown(future)) != SOON_PENDING)
        return SOON_RUNNING;
    return SOON_PENDING;
}

bool soon_future_done(const soon_future *future)
{
    return soon__check(future, "soon_future_done: NULL") && soon__word_final(soon__future_word(future));
}

bool soon_future_running(const soon_future *future)
{
    return soon__check(future, "soon_future_running: NULL") && soon_future_state(future) == SOON_RUNNING;
}

bool soon_future_cancelled(const soon_future *future)
{
    return soon__check(future, "soon_future_cancelled: NULL") && soon_future_state(future) == SOON_CANCELLED;
}

bool soon_future_succeeded(const soon_future *future)
{
    return soon__check(future, "soon_future_succeeded: NULL") && soon__word_final(soon__future_word(future)) &&
           !soon__future_error(future);
}

unsigned soon_future_attempt(const soon_future *future)
{
    const soon_future *shown;

    if (!soon__check(future, "soon_future_attempt: NULL"))
        return 0;
    shown = soon__future_shown(future);
    return shown->class->attempt ? shown->class->attempt(shown) : 0;
}

const char *soon_future_label(const soon_future *future)
{
    const soon_future *shown;

    if (!soon__check(future, "soon_future_label: NULL"))
        return "";
    shown = soon__future_shown(future);
    return shown->class->label ? shown->class->label(shown) : "";
}

void *soon_future_data(const soon_future *future)
{
    const soon_future *shown;

    if (!soon__check(future, "soon_future_data: NULL"))
        return NULL;
    shown = soon__future_shown(future);
    return shown->class->data ? shown->class->data(shown) : NULL;
}
