/*
 * call.c - a submission, and its end.
 *
 * I1  One holder at a time ends a call, once: soon__call_end(). It releases what was given with it (argument, payload,
 *     the future that it waited for) when the task has ended or will never start, not when the last reader lets go of
 *     the future.
 * I2  The executor outlives its unfinished calls; a canceller pins it under the future's LOCK before it goes there.
 */
#include "call_internal.h"

#include "../../futures/complete_internal.h"
#include "../../futures/value_internal.h"
#include "../loops/library_loop_internal.h"

#include <stdlib.h>

_Static_assert(offsetof(soon_call, place) == offsetof(soon_future, for_owner) &&
                   offsetof(soon_call, before_outcome) == offsetof(soon_future, locked.waiters),
               "the call's in the future: always");
_Static_assert(offsetof(soon_call, previous) == offsetof(soon_future, result) &&
                   offsetof(soon_call, number) == offsetof(soon_future, number),
               "the call's in the future: until it is claimed");

/*
 * Payloads
 */

void soon__payloads_order(soon_submit_options *o)
{
    if (o->payload || !o->payload_count)
        return;
    o->payload = *o->payloads++;
    o->payload_count--;
}

void soon__payloads_release(const soon_submit_options *o)
{
    soon_buffer_unref(o->payload);
    if (!o->payloads || !soon__array_fits(o->payload_count, sizeof *o->payloads))
        return;
    for (size_t i = 0; i < o->payload_count; i++)
        soon_buffer_unref(o->payloads[i]);
}

/*
 * The end
 */

static struct soon__call_job *job_of(soon_call *call)
{
    size_t behind = call->flags & SOON__CALL_TELLS ? SOON__CALL_ON_DONE_SIZE : 0;

    return (struct soon__call_job *)((char *)call + soon__call_size(call) - behind - SOON__CALL_JOB_SIZE);
}

static void end(soon_call *call)
{
    struct soon__call_extra *extra = soon__call_extra(call);

    if (call->function->free_arg && !(call->flags & SOON__CALL_ARG_LENT))
        call->function->free_arg((void *)soon__call_arg(call).data);
    if (call->flags & SOON__CALL_ARG_ON_HEAP)
        free((void *)soon__call_far_arg(call)->data);
    if (extra) {
        soon__payloads_release(&extra->options);
        soon_buffer_unref(extra->arg_buffer);
        if (extra->first)
            soon__future_unref(extra->first);
    }
    soon__future_unref(soon__call_future(call));
}

static void run_end_job(struct soon__job *job)
{
    end(((struct soon__call_job *)job)->call);
}

void soon__call_keep(soon_call *call)
{
    /* Relaxed: the caller is its holder, under a mutex. */
    atomic_fetch_add_explicit(&call->kept, 1, memory_order_relaxed);
}

void soon__call_end(soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);
    struct soon__call_job *job;

    /* Acquire-release: the last one ends what the others have read. Nobody keeps it anew now: the load may be plain. */
    if (atomic_load_explicit(&call->kept, memory_order_acquire) &&
        atomic_fetch_sub_explicit(&call->kept, 1, memory_order_acq_rel))
        return;
    if (soon__call_releases(call->function, extra ? &extra->options : NULL, extra && extra->first) &&
        soon__library_is_quiet()) {
        job = job_of(call);
        *job = (struct soon__call_job){.job.run = run_end_job, .call = call};
        soon__library_callbacks_post(&job->job);
    } else {
        end(call);
    }
}

void soon__call_comes_back(soon_call *call)
{
    struct soon__call_extra *extra = soon__call_extra(call);

    soon__future_start(soon__call_future(call));
    call->began = true;
    if (extra)
        extra->queue_deadline = extra->items ? extra->items->deadline : SOON__NEVER;
}

static bool began(const soon_call *call)
{
    return call->began && !(call->flags & SOON__CALL_HAS_EXTRA && soon__call_extra(call)->items);
}

bool soon__call_may_try_again(soon_call *call)
{
    struct soon__call_extra *extra = soon__call_extra(call);

    if (!extra || extra->options.retries <= 0)
        return false;
    extra->options.retries--;
    soon__call_count_lost(call);
    return true;
}

struct soon__error *soon__call_own_error(const soon_call *call, struct soon__error *error)
{
    if (began(call))
        error = soon__error_as_started(error);
    soon__error_set_attempt(error, soon__call_attempt(call));
    return error;
}

struct soon__error *soon__item_own_error(const struct soon__items *items, size_t index, struct soon__error *error)
{
    return index < items->begun ? soon__error_as_started(error) : error;
}

void soon__call_fail(soon_call *call, struct soon__error *error)
{
    soon__call_tell_end(call, error, false);
    soon__future_end(soon__call_future(call), SOON__FINISHED, soon__call_own_error(call, error));
    soon__call_end(call);
}

void soon__call_cancel(soon_call *call)
{
    soon__call_tell_end(call, &soon__error_cancelled, true);
    soon__future_end(soon__call_future(call), SOON__CANCELLED,
                     began(call) ? &soon__error_cancelled_between : &soon__error_cancelled);
    soon__call_end(call);
}

struct soon__error *soon__call_error(const soon_call *call, int code, const char *text)
{
    soon_error fields = {
        .code = code, .function = call->function->name, .label = soon__call_label(call) ? soon__call_label(call) : ""};

    return soon__error_newf(&fields, text ? "%s" : NULL, text);
}

void soon__executor_refuse(soon_executor *executor, soon_call *call, int code)
{
    struct soon__error *error = soon__executor_own_reason(executor, code);

    soon__call_fail(call, error ? error : soon__call_error(call, code, NULL));
}
