/*
 * read.c - the reader's half: waiting, the outcome, and what can be seen before there is one.
 */
#include "depend_internal.h"
#include "future_internal.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Waiting
 */

/* Sleeps until the word changes, `deadline`, or for no reason. */
static void park_on(soon_future *future, int64_t deadline)
{
    uint64_t word = atomic_load_explicit(&future->word, memory_order_relaxed);

    if (soon__word_final((uint32_t)word))
        return;
    /* I6. Relaxed: the futex call compares the word again. */
    if (!(word & SOON__PARKED) && !atomic_compare_exchange_strong_explicit(&future->word, &word, word | SOON__PARKED,
                                                                           memory_order_relaxed, memory_order_relaxed))
        return;
    soon__wait_park(soon__future_bed(future), (uint32_t)word | SOON__PARKED, deadline);
}

uint32_t soon__future_settled(soon_future *future)
{
    uint32_t word = soon__future_word(future), state = word & SOON__STATE;

    while ((state == SOON__COMPLETING_PENDING || state == SOON__COMPLETING_RUNNING) &&
           !soon__future_is_pre_fork(future)) {
        park_on(future, SOON__NEVER);
        word = soon__future_word(future);
        state = word & SOON__STATE;
    }
    return word;
}

/* A wait with an end may not run a task here: it could take longer than the time it has. */
static int help_or_park(soon_future *future, int64_t deadline)
{
    struct soon__thread *self = soon__thread_self();
    bool may_run = deadline == SOON__NEVER;
    int rc = 0;

    if (may_run && future->class->help && future->class->help(future))
        return 0;
    if (self->parking)
        rc = self->parking->help(self->worker, may_run ? future : NULL, soon__thread_others_end(future));
    if (rc)
        return rc < 0 ? rc : 0;
    if (future->class->linger)
        future->class->linger(future, deadline);
    park_on(future, deadline);
    soon__thread_after_park();
    return 0;
}

static __attribute__((noinline)) int await_slowly(soon_future *future, int64_t deadline)
{
    struct soon__thread *self = soon__thread_self();

    while (!soon__word_final(soon__future_word(future))) {
        int rc = 0;

        if (self->parking && deadline == SOON__NEVER && self->parking->run_own(self->worker, future))
            continue;
        if (soon__future_is_pre_fork(future))
            return SOON_EFORKED;
        /* A poll is no wait: it is never refused. */
        if (deadline != SOON__POLL && soon__thread_is_inside(future))
            rc = SOON_EDEADLK;
        else
            rc = soon__wait_check(deadline);
        if (rc == 0)
            rc = help_or_park(future, deadline);
        if (rc < 0)
            return soon__word_final(soon__future_word(future)) ? 0 : rc;
    }
    return 0;
}

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

/* What a task waits for first is mostly its own, and has not begun. */
int soon__future_await(soon_future *future, int64_t deadline)
{
    struct soon__thread *self = soon__thread_self();

    if (self->parking && deadline == SOON__NEVER && self->parking->run_own(self->worker, future) &&
        soon__word_final(soon__future_word(future)))
        return 0;
    return await_slowly(future, deadline);
}

int soon_future_wait(soon_future *future, int64_t timeout_ms)
{
    return soon__failed(wait_for(future, timeout_ms), "soon_future_wait");
}

/*
 * Reading
 */

static soon_future *lender_of(const soon_future *future)
{
    soon_future *lender;

    while (future->class->lender && (lender = future->class->lender(future)))
        future = lender;
    return (soon_future *)future;
}

const void *soon__future_function(const soon_future *future)
{
    const soon_future *shown = lender_of(future);

    return shown->class->function ? shown->class->function(shown) : NULL;
}

/* What a read asks for, as its macro says it, is a letter for the class and the name of the type. */
static inline bool is_of_another_kind(const soon_future *future, const char *kind)
{
    if (!kind)
        return false;
    if (!future->class->fits) /* it may show what another has */
        future = lender_of(future);
    return future->class->fits && !future->class->fits(future, kind);
}

static __attribute__((noinline, cold)) int refuse_type(const soon_future *future, size_t size, const char *kind)
{
    const soon_future *shown = lender_of(future);
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

/* Waits; 0, or what it failed with, which counts as having looked. */
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
        lender = lender_of(future);
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

static const soon_error not_done = {.message = "not done yet", .function = "", .label = ""};

const soon_error *soon_future_error(const soon_future *future)
{
    struct soon__error *error;

    if (!soon__check(future, "soon_future_error: NULL") || !soon__word_final(soon__future_word(future)))
        return &not_done;
    error = soon__future_failure((soon_future *)future);
    return error ? &error->public : &soon__error_none;
}

/* Of one that has succeeded; NULL: there are none. */
static const struct soon__aside *payloads_of(soon_future *future)
{
    if (!soon__word_final(soon__future_word(future)) || soon__future_error(future))
        return NULL;
    return lender_of(future)->aside;
}

soon_buffer *soon_future_payload(soon_future *future)
{
    const struct soon__aside *aside = soon__check(future, "soon_future_payload: NULL") ? payloads_of(future) : NULL;

    return aside ? aside->payload : NULL;
}

soon_buffer *soon_future_payload_at(soon_future *future, size_t index)
{
    const struct soon__aside *aside = soon__check(future, "soon_future_payload_at: NULL") ? payloads_of(future) : NULL;

    return aside ? soon__buffers_at(aside->payload, aside->further, index) : NULL;
}

size_t soon_future_payload_count(soon_future *future)
{
    const struct soon__aside *aside =
        soon__check(future, "soon_future_payload_count: NULL") ? payloads_of(future) : NULL;

    return aside ? soon__buffers_count(aside->payload, aside->further) : 0;
}

void soon__future_look(soon_future *future)
{
    const struct soon__class *class = future->class;
    void *owner;

    if (!class->look || !soon__future_lock_unfinished(future))
        return;
    owner = class->pin ? class->pin(future) : NULL;
    soon__future_unlock(future);
    class->look(future, owner);
    if (class->unpin)
        class->unpin(owner);
}

static uint32_t state_seen(soon_future *future)
{
    uint32_t state = soon__future_word(future) & SOON__STATE;

    if (state != SOON__PENDING)
        return state;
    if (future->class->has_begun && future->class->has_begun(future))
        return SOON__RUNNING;
    soon__future_look(future);
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
    /* An unfinished one that shows another's outcome runs when that does, or has done. */
    if (lender_of(future) != future && soon_future_state(lender_of(future)) != SOON_PENDING)
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

int soon__future_lock_aside(soon_future *future)
{
    struct soon__aside *made = NULL;

    while (soon__future_lock_unfinished(future)) {
        if (!future->aside) {
            future->aside = made;
            made = NULL;
        }
        if (future->aside) {
            free(made);
            return 0;
        }
        soon__future_unlock(future);
        made = calloc(1, sizeof *made);
        if (!made)
            return -ENOMEM;
    }
    free(made);
    return SOON_EINVALIDSTATE;
}

void soon__future_set_progress(soon_future *future, uint64_t done, uint64_t total)
{
    if (soon__future_lock_aside(future) < 0)
        return;
    future->aside->progress = (soon_progress){.done = done, .total = total};
    if (future->aside->hook)
        future->aside->hook->moved(future->aside->hook);
    soon__future_unlock(future);
}

int soon__future_set_payload(soon_future *future, soon_buffer *payload)
{
    soon_buffer *old = payload;
    int rc = soon__future_lock_aside(future);

    if (rc == 0) {
        old = future->aside->payload;
        future->aside->payload = payload;
        soon__future_unlock(future);
    }
    soon_buffer_unref(old);
    return rc;
}

int soon__future_add_payload(soon_future *future, soon_buffer *payload)
{
    int rc = soon__future_lock_aside(future);

    if (rc < 0) {
        soon_buffer_unref(payload);
        return rc;
    }
    if (!future->aside->payload)
        future->aside->payload = payload;
    else
        rc = soon__buffers_add(&future->aside->further, payload);
    soon__future_unlock(future);
    return rc;
}

int soon__future_set_payloads(soon_future *future, soon_buffer *payload, struct soon__buffers *further)
{
    int rc = soon__future_lock_aside(future);

    if (rc < 0) {
        soon_buffer_unref(payload);
        soon__buffers_free(further);
        return rc;
    }
    future->aside->payload = payload;
    future->aside->further = further;
    soon__future_unlock(future);
    return 0;
}

soon_progress soon_future_progress(const soon_future *future)
{
    soon_progress progress = {0, 0};
    soon_future *shown;
    bool shared;

    if (!soon__check(future, "soon_future_progress: NULL"))
        return progress;
    shown = lender_of(future);
    if (shown->class->progress)
        return shown->class->progress(shown);
    shared = !soon__future_is_pre_fork(shown) && !soon__future_is_immortal(shown);
    if (shared) {
        soon__future_look(shown);
        soon__future_lock(shown);
    }
    if (shown->aside)
        progress = shown->aside->progress;
    if (shared)
        soon__future_unlock(shown);
    return progress;
}

const char *soon_future_label(const soon_future *future)
{
    const soon_future *shown;

    if (!soon__check(future, "soon_future_label: NULL"))
        return "";
    shown = lender_of(future);
    return shown->class->label ? shown->class->label(shown) : "";
}

void *soon_future_data(const soon_future *future)
{
    const soon_future *shown;

    if (!soon__check(future, "soon_future_data: NULL"))
        return NULL;
    shown = lender_of(future);
    return shown->class->data ? shown->class->data(shown) : NULL;
}
