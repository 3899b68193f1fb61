/*
 * backlog.c - what both pools do alike. The state and the invariants are drawn in backlog_internal.h.
 */
#include "backlog_internal.h"

#include "../../futures/park_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int soon__pool_options_check(int workers, int64_t idle_timeout_ms, soon_full when_full,
                             const soon_function *initializer)
{
    const struct soon__range ranges[] = {
        {"workers", workers, 0, INT_MAX},
        {"idle_timeout_ms", idle_timeout_ms, 0, INT64_MAX},
        {"when_full", (int)when_full, 0, SOON_FULL_RUN_HERE},
    };
    int rc = soon__check_ranges(ranges, sizeof ranges / sizeof *ranges);

    if (rc == 0 && initializer)
        rc = soon__check_function(initializer);
    if (rc < 0)
        return rc;
    if (initializer && when_full == SOON_FULL_RUN_HERE)
        return soon__refuse(
            -EINVAL, ".when_full = SOON_FULL_RUN_HERE with an .initializer: a thread that submits has not run it");
    return 0;
}

static bool are_bytes(soon_bytes bytes)
{
    return bytes.size <= PTRDIFF_MAX && (bytes.data || !bytes.size);
}

static int initializer_check(const struct soon__initializer *given)
{
    size_t fixed = given->function ? given->function->arg_size : 0;

    if (!given->function && (given->arg.data || given->arg.size || given->extra.size))
        return soon__refuse(-EINVAL, ".initializer_arg or .initializer_extra is set, and .initializer is NULL");
    if (!are_bytes(given->extra))
        return soon__refuse(-EINVAL, ".initializer_extra has %zu bytes, and they are not there", given->extra.size);
    if (given->arg.data && !given->arg.size && !fixed)
        return soon__refuse(-EINVAL, ".initializer_arg_size is 0, and %s takes an argument of variable size",
                            given->function->name);
    if (!are_bytes(given->arg))
        return soon__refuse(-EINVAL, ".initializer_arg_size is %zu, and .initializer_arg is NULL", given->arg.size);
    if (given->arg.size && fixed && given->arg.size != fixed)
        return soon__refuse(-EINVAL, ".initializer_arg_size is %zu, and %s takes an argument of %zu bytes",
                            given->arg.size, given->function->name, fixed);
    return 0;
}

/* Copies what is given; an argument that is NULL, where the function has one, is zeroes. 0, -EINVAL or -ENOMEM. */
static int initializer_init(struct soon__initializer *ret, const struct soon__initializer *given)
{
    int rc = initializer_check(given);
    size_t fixed = given->function ? given->function->arg_size : 0, size = fixed ? fixed : given->arg.size;
    size_t before = soon__call_round_up(size);
    char *copies = NULL;

    if (rc < 0)
        return rc;
    if (size || given->extra.size) {
        copies = calloc(1, before + given->extra.size);
        if (!copies)
            return -ENOMEM;
    }
    if (given->arg.data && size)
        memcpy(copies, given->arg.data, size);
    if (given->extra.size)
        memcpy(copies + before, given->extra.data, given->extra.size);
    *ret = (struct soon__initializer){.function = given->function, .arg = {copies, size}};
    if (given->extra.size)
        ret->extra = (soon_bytes){copies + before, given->extra.size};
    return 0;
}

/* The name of a pool, cut to `size`. NULL: soon-1, soon-2 ... */
static void pool_name(char *to, size_t size, const char *name)
{
    static _Atomic unsigned numbers;

    if (name)
        snprintf(to, size, "%s", name);
    else
        snprintf(to, size, "soon-%u", atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1);
}

int soon__backlog_init(struct soon__backlog *backlog, const struct soon__backlog_options *options)
{
    backlog->bound = options->bound;
    pool_name(backlog->name, sizeof backlog->name, options->name);
    return initializer_init(&backlog->initializer, &options->initializer);
}

void soon__backlog_fini(struct soon__backlog *backlog)
{
    soon__error_unref(backlog->locked.why);
    free((void *)backlog->initializer.arg.data);
}

/*
 * The state
 */

void soon__backlog_move_locked(struct soon__backlog *backlog, enum soon__backlog_state to)
{
    if (to <= backlog->locked.state)
        return;
    backlog->locked.state = to;
    soon__condition_tell_all(&backlog->place);
    soon__condition_tell_all(&backlog->ready);
}

void soon__backlog_close_locked(struct soon__backlog *backlog, soon_promise *down)
{
    soon__backlog_move_locked(backlog, SOON__CLOSED);
    if (!backlog->locked.down) /* a stronger mode may come while the loop is about to resolve it */
        backlog->locked.down = down;
}

void soon__backlog_break_locked(struct soon__backlog *backlog, struct soon__error *why)
{
    if (!backlog->locked.why)
        backlog->locked.why = soon__error_ref(why);
    soon__executor_break(backlog->executor);
    soon__backlog_move_locked(backlog, SOON__BROKEN);
}

/*
 * Waiting
 */

int soon__backlog_wait_for_place(struct soon__backlog *backlog, const soon_call *call)
{
    int64_t deadline = soon__call_extra(call) ? soon__call_extra(call)->queue_deadline : SOON__NEVER;
    struct soon__long_wait wait;
    int rc =
        soon__long_wait_begin(&wait); /* not under our mutex: a worker of another pool gives its place to a spare */

    if (rc < 0)
        return rc;
    soon__mutex_lock(&backlog->mutex);
    while (soon__backlog_is_full_locked(backlog) && soon__deadline_check(deadline) == 0)
        soon__condition_wait(&backlog->place, &backlog->mutex, deadline);
    rc = soon__backlog_is_full_locked(backlog) ? SOON_EEXPIRED : 0;
    soon__mutex_unlock(&backlog->mutex);
    soon__long_wait_end(&wait);
    return rc;
}

/* 0: all are there. 1: some are still starting. */
static int boot_state_locked(struct soon__backlog *backlog, bool (*is_starting_locked)(struct soon__backlog *))
{
    int rc = soon__backlog_admit_locked(backlog, false);

    if (rc == 0)
        rc = backlog->locked.start_error;
    return rc ? rc : is_starting_locked(backlog);
}

int soon__backlog_wait_for_workers_locked(struct soon__backlog *backlog,
                                          bool (*is_starting_locked)(struct soon__backlog *), int64_t deadline)
{
    int rc;

    while ((rc = boot_state_locked(backlog, is_starting_locked)) > 0 && soon__deadline_check(deadline) == 0)
        soon__condition_wait(&backlog->ready, &backlog->mutex, deadline);
    return rc;
}

/*
 * For the classes
 */

soon_call *soon__backlog_take_all_locked(struct soon__backlog *backlog, uint64_t *counter)
{
    *counter += backlog->locked.queue.count;
    return soon__queue_take_all(&backlog->locked.queue);
}

void soon__backlog_stats_locked(const struct soon__backlog *backlog, soon_stats *ret)
{
    const uint64_t *recycled = backlog->locked.recycled;

    *ret = (soon_stats){.pending = backlog->locked.queue.count,
                        .submitted = backlog->locked.submitted,
                        .worker_starts = backlog->locked.starts,
                        .recycled_idle = recycled[SOON__RECYCLED_IDLE],
                        .recycled_tasks = recycled[SOON__RECYCLED_TASKS],
                        .recycled_memory = recycled[SOON__RECYCLED_MEMORY]};
    soon__stats_add_endings(ret, backlog->locked.ended);
}

void soon__stats_add_endings(soon_stats *stats, const uint64_t ended[SOON__ENDINGS])
{
    stats->succeeded += ended[SOON__ENDED_WELL];
    stats->cancelled += ended[SOON__ENDED_CANCELLED];
    stats->failed_raised += ended[SOON__ENDED_RAISED];
    stats->failed_time_limit += ended[SOON__ENDED_LATE];
    stats->failed_expired += ended[SOON__ENDED_EXPIRED];
    stats->failed_worker_died += ended[SOON__ENDED_WORKER_DIED];
    stats->failed_killed += ended[SOON__ENDED_KILLED];
    stats->failed_lost += ended[SOON__ENDED_LOST];
    stats->failed_otherwise += ended[SOON__ENDED_OTHERWISE];
    stats->failed = stats->failed_raised + stats->failed_time_limit + stats->failed_expired +
                    stats->failed_worker_died + stats->failed_killed + stats->failed_lost + stats->failed_otherwise;
}

struct soon__error *soon__backlog_reason(void *self)
{
    struct soon__backlog *backlog = self;
    struct soon__error *why;

    soon__mutex_lock(&backlog->mutex);
    why = soon__error_ref(backlog->locked.why);
    soon__mutex_unlock(&backlog->mutex);
    return why;
}

void soon__backlog_counted_here(void *self, const struct soon__outcome *outcome)
{
    struct soon__backlog *backlog = self;

    soon__mutex_lock(&backlog->mutex);
    backlog->locked.submitted++;
    backlog->locked.ended[soon__ending_of(outcome->error, outcome->cancelled)]++;
    soon__mutex_unlock(&backlog->mutex);
}

/*
 * Small things that both pools need
 */

void soon__worker_name(char *to, size_t size, const char *pool, unsigned number)
{
    char text[12];

    snprintf(text, sizeof text, "_%u", number);
    snprintf(to, size, "%.*s%s", (int)(size - 1 - strlen(text)), pool, text);
}

static void count_worker(soon_executor *executor, enum soon__worker_moment moment)
{
    int more = (moment == SOON__MOMENT_STARTED) - (moment == SOON__MOMENT_ENDED || moment == SOON__MOMENT_DIED);

    if (more) /* Relaxed: a number to be shown. */
        atomic_fetch_add_explicit(&executor->live, more, memory_order_relaxed);
}

void soon__backlog_tell(const struct soon__backlog *backlog, enum soon__worker_moment moment, unsigned number, int id,
                        int detail)
{
    /* Acquire: what the tracer is made of. */
    const struct soon__tracer *tracer = atomic_load_explicit(&soon__tracer, memory_order_acquire);
    struct soon__worker_told told = {.executor = backlog->executor,
                                     .moment = moment,
                                     .number = soon__worker_mark(number),
                                     .id = id,
                                     .detail = detail};

    count_worker(backlog->executor, moment);
    if (!tracer)
        return;
    soon__worker_name(told.name, sizeof told.name, backlog->name, number);
    tracer->worker(&told);
}

void soon__backlog_recycled_locked(struct soon__backlog *backlog, enum soon__recycled why, unsigned number, int id)
{
    if (why < SOON__RECYCLED_CAUSES)
        backlog->locked.recycled[why]++;
    soon__backlog_tell(backlog, SOON__MOMENT_RETIRED, number, id, (int)why);
}

int64_t soon__span_ns(int64_t ms, int64_t standard_ms)
{
    if (ms == 0)
        ms = standard_ms;
    return ms > INT64_MAX / 4000000 ? INT64_MAX / 4 : ms * 1000000;
}

void soon__calls_cancel(soon_call *calls)
{
    soon_call *next;

    for (; calls; calls = next) {
        next = calls->next;
        soon__call_cancel(calls);
    }
}

void soon__calls_fail(soon_call *calls, struct soon__error *why)
{
    soon_call *next;

    for (; calls; calls = next) {
        next = calls->next;
        soon__call_fail(calls, soon__error_ref(why));
    }
}
