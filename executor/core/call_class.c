/*
 * call_class.c - the class of a call's future: what a reader wants of it is for the executor to do.
 *
 * The executor outlives its unfinished calls; a canceller pins it under the future's LOCK before it goes there (call.c,
 * I2).
 */
#include "call_class_internal.h"

#include "../../futures/block_internal.h"
#include "../../futures/read_internal.h"
#include "function_internal.h"
#include "notice_internal.h"
#include "spin_internal.h"

#include <errno.h>

static soon_call *of_future(const soon_future *future)
{
    return (soon_call *)future;
}

void soon__call_destroy(soon_future *future)
{
    soon_call *call = of_future(future);

    if (call->function->free_result && !soon__future_error(future) && future->result &&
        !(soon__future_word(future) & SOON__TAKEN))
        call->function->free_result((void *)future->result);
    soon__future_fini(future);
    soon__block_free(call, soon__call_size(call));
}

void *soon__call_pin(soon_future *future)
{
    soon__executor_pin(of_future(future)->executor);
    return of_future(future)->executor;
}

void soon__call_unpin(void *owner)
{
    soon__executor_unpin(owner);
}

bool soon__call_take_back(soon_future *future, void *owner)
{
    soon_executor *executor = owner;

    if (!executor->klass.public.take_back || !executor->klass.public.take_back(executor->self, of_future(future)))
        return false;
    soon__call_tell_end(of_future(future), &soon__error_cancelled, true);
    return true;
}

bool soon__call_take_back_again(soon_future *future, void *owner)
{
    return ((soon_executor *)owner)->klass.tries_again && soon__call_take_back(future, owner);
}

void soon__call_taken_back(soon_future *future)
{
    soon__call_end(of_future(future));
}

int soon__call_kill(soon_future *future, void *owner)
{
    soon_executor *executor = owner;

    if (!executor->klass.public.kill)
        return -ENOTSUP;
    if (soon_future_state(future) == SOON_PENDING && soon_future_cancel(future))
        return 0; /* it needs no kill */
    return executor->klass.public.kill(executor->self, of_future(future));
}

int soon__call_help(soon_future *future)
{
    soon_call *call = of_future(future);

    /* A thread that runs a task of this executor proves that it lives. */
    return soon__thread_in_executor(call->executor) && call->executor->klass.public.help &&
           call->executor->klass.public.help(call->executor->self, call);
}

void soon__call_cancelled(soon_future *future, void *owner, bool taken)
{
    soon_executor *executor = owner;

    if (!taken && executor->klass.ask_to_cancel)
        executor->klass.ask_to_cancel(executor->self, of_future(future));
    if (!taken)
        soon__notices_tell(future);
}

bool soon__call_has_begun(const soon_future *future)
{
    return soon__call_place(of_future(future)) == SOON__CALL_BEGUN;
}

void soon__call_refresh(soon_future *future, void *owner)
{
    soon_executor *executor = owner;

    if (executor->klass.refresh)
        executor->klass.refresh(executor->self, of_future(future));
}

/* May be called at any time: the executor may be gone, unless the future is unfinished and pinned. */
void soon__call_spin(soon_future *future, int64_t deadline)
{
    soon_call *call = of_future(future);

    if (call->flags & SOON__CALL_SPINS && deadline != SOON__POLL)
        soon__spin_for(future, deadline);
    if (!(call->flags & SOON__CALL_SPIN_HOOK) || deadline == SOON__POLL || !soon__future_lock_unfinished(future))
        return;
    call->executor->klass.spin(call->executor->self, call, deadline);
}

/* On threads a call ends there if its queue limit is over, or no worker can be started for it. The latter cannot be
 * told before: a wait there looks again (futures/park.c). */
bool soon__call_ends_on_loop(const soon_future *future)
{
    const soon_call *call = of_future(future);
    const struct soon__executor_class *klass = &call->executor->klass;
    const struct soon__call_extra *extra = soon__call_extra(call);
    bool pending = (soon__future_word(future) & SOON__STATE) == SOON__PENDING;

    return klass->of_library && (klass->ends_on_loop || (pending && extra && extra->queue_deadline != SOON__NEVER));
}

unsigned soon__call_attempt_of(const soon_future *future)
{
    return soon__call_attempt(of_future(future));
}

const char *soon__call_label_of(const soon_future *future)
{
    const char *label = soon__call_label(of_future(future));

    return label ? label : "";
}

void *soon__call_data_of(const soon_future *future)
{
    const struct soon__call_extra *extra = soon__call_extra(of_future(future));

    return extra ? extra->options.data : NULL;
}

const void *soon__call_executor_of(const soon_future *future)
{
    return of_future(future)->executor;
}

const void *soon__call_function_of(const soon_future *future)
{
    return of_future(future)->function;
}

bool soon__call_fits(const soon_future *future, const char *kind)
{
    return soon__function_fits(of_future(future)->function, kind);
}

struct soon__described soon__call_describe(const soon_future *future)
{
    return soon__function_describe(of_future(future)->function);
}

const struct soon__class soon__call_class = {SOON__CALL_CLASS, .take_back = soon__call_take_back,
                                             .taken_back = soon__call_taken_back};

soon_call *soon__call_of(const soon_future *future)
{
    return future->class->destroy == soon__call_destroy ? of_future(future) : NULL;
}

static int of_another_function(const soon_future *future, const soon_function *wanted)
{
    const soon_function *function = soon__future_function(future);

    return soon__refuse(SOON_ETYPE, "this future is of %s, and not of %s", function ? function->name : "no function",
                        wanted->name);
}

int soon_future_read_as(soon_future *future, const soon_function *wanted, int64_t timeout_ms, void *ret, size_t size)
{
    soon_bytes bytes;
    int rc;

    if (!wanted)
        return soon__failed(soon__is_null("the function"), "soon_future_read_as");
    rc = soon_future_result(future, timeout_ms, &bytes);
    if (rc < 0)
        return rc;
    if (soon__future_function(future) != wanted)
        return soon__failed(of_another_function(future, wanted), "soon_future_read_as");
    return soon_future_read(future, 0, ret, size);
}
