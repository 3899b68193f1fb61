/*
 * then.c - calls that wait for a future: soon_then(), whose argument is the result of that future; and the option
 * `after`, whose inputs are the results of many. A call of the latter kind waits for the gather of them, which keeps
 * them all, tells the first error in their order, and cancels them when it is cancelled.
 *
 *     WAITING --first done--> IN_HAND (submitted, or ended with first's error)
 *        |
 *        +------cancel, or a shutdown that does not drain--> GIVEN_UP
 *
 * I1  The thread that moves a call from WAITING (soon__call_win()) unlinks it from the executor's list, submits or ends
 *     it, and ends its wait (wait_is_over()).
 * I2  From soon__then_begin() to the end of its wait it pins the executor and counts in `waiting_count`. So the thread
 *     that has won (I1) may touch the executor, and no other may: for another one it may be gone.
 * I3  The continuation's node lies in the call and has a reference of it until it has run, or was taken back. So a
 *     future that lives long keeps nothing of calls that waited for it and were cancelled.
 */
#include "then_internal.h"

#include "../../futures/callback_internal.h"
#include "../../futures/complete_internal.h"
#include "../../futures/failed_internal.h"
#include "call_class_internal.h"
#include "call_new_internal.h"
#include "function_internal.h"

#include <errno.h>

static void link_locked(soon_executor *executor, soon_call *call)
{
    call->previous = NULL;
    call->next = executor->locked.waiting;
    if (call->next)
        call->next->previous = call;
    executor->locked.waiting = call;
    executor->locked.waiting_count++;
}

static void unlink_locked(soon_executor *executor, soon_call *call)
{
    if (call->next)
        call->next->previous = call->previous;
    if (call->previous)
        call->previous->next = call->next;
    else
        executor->locked.waiting = call->next;
    call->next = call->previous = NULL;
}

static void unlink_call(soon_call *call)
{
    pthread_mutex_lock(&call->executor->mutex);
    unlink_locked(call->executor, call);
    pthread_mutex_unlock(&call->executor->mutex);
}

static void wait_is_over(soon_executor *executor)
{
    struct soon__pinned visit;

    soon__executor_enter(executor, &visit);
    pthread_mutex_lock(&executor->mutex);
    executor->locked.waiting_count--;
    pthread_mutex_unlock(&executor->mutex);
    soon__executor_advance(executor);
    soon__executor_leave(executor, &visit);
}

/* I3. By the thread that has given it up, without the mutex: LOCK comes before that. In the child of a fork it does
 * not run. */
static void take_back_continuation(soon_call *call, soon_future *first)
{
    if (!soon__future_is_pre_fork(first) && soon__future_take_callback(first, &soon__call_extra(call)->on_first))
        soon__future_unref(soon__call_future(call));
}

/*
 * The class of one that waits, or has waited
 */

static bool was_given_up(const soon_call *call)
{
    return soon__call_place(call) == SOON__CALL_GIVEN_UP;
}

static bool take_back(soon_future *future, void *owner)
{
    soon_call *call = (soon_call *)future;

    if (!soon__call_win(call, SOON__CALL_GIVEN_UP))
        return soon__call_take_back(future, owner);
    unlink_call(call);
    take_back_continuation(call, soon__call_extra(call)->first);
    soon__call_tell_end(call, &soon__error_cancelled, true);
    return true;
}

/* What it waited for, if that is pending. */
static soon_future *also_cancel(soon_future *future)
{
    soon_call *call = (soon_call *)future;

    if (!was_given_up(call) || soon_future_state(soon__call_extra(call)->first) != SOON_PENDING)
        return NULL;
    return soon__future_ref(soon__call_extra(call)->first);
}

static void taken_back(soon_future *future)
{
    soon_call *call = (soon_call *)future;

    if (was_given_up(call))
        wait_is_over(call->executor);
    soon__call_end(call);
}

static soon_future *source(const soon_future *future)
{
    const soon_call *call = (const soon_call *)future;

    return soon__call_place(call) == SOON__CALL_WAITING ? soon__call_extra(call)->first : NULL;
}

/* On an executor of the user's own: see soon_then(). */
static bool needs_callback(const soon_future *future)
{
    return !((const soon_call *)future)->executor->klass.of_library;
}

static const struct soon__class then_class = {SOON__CALL_CLASS,           .take_back = take_back,
                                              .also_cancel = also_cancel, .taken_back = taken_back,
                                              .source = source,           .needs_callback = needs_callback};

/*
 * The end of its wait
 */

void soon__thens_cancel(soon_executor *executor)
{
    soon_call *call, *next, *given_up = NULL;

    pthread_mutex_lock(&executor->mutex);
    for (call = executor->locked.waiting; call; call = next) {
        next = call->next;
        if (!soon__call_win(call, SOON__CALL_GIVEN_UP))
            continue; /* its winner is about to unlink it */
        unlink_locked(executor, call);
        call->next = given_up;
        given_up = call;
    }
    pthread_mutex_unlock(&executor->mutex);
    for (call = given_up; call; call = next) {
        next = call->next;
        take_back_continuation(call, soon__call_extra(call)->first);
        soon__call_cancel(call);
        wait_is_over(executor);
    }
}

/* The argument of a then is what `first` has: no copy, so that nothing need be allocated when it finishes. */
static int hand_over(soon_call *call, const soon_future *first)
{
    if (soon__call_sample(call))
        soon__sample_queued(soon__call_sample(call), true);
    if (!(call->flags & SOON__CALL_ARG_LENT)) /* it has its own argument */
        return soon__executor_take(call->executor, call, false);
    if (call->function->arg_size && call->function->arg_size != first->result_size)
        return SOON_ETYPE;
    *soon__call_far_arg(call) = (soon_bytes){first->result, first->result_size};
    return soon__executor_take(call->executor, call, false);
}

static void first_done(soon_future *first, void *data)
{
    soon_call *call = data;
    soon_executor *executor = call->executor;
    struct soon__error *error;
    int rc;

    if (soon__call_win(call, SOON__CALL_IN_HAND)) {
        unlink_call(call);
        error = soon__error_ref(soon__future_failure(first));
        if (error && error->public.code == -ECANCELED) { /* itself, or one that it gathers */
            soon__call_tell_end(call, error, true);
            soon__future_end(soon__call_future(call), SOON__CANCELLED, error);
            soon__call_end(call);
        } else if (error) {
            soon__call_fail(call, error);
        } else {
            rc = hand_over(call, first);
            if (rc < 0)
                soon__executor_refuse(executor, call, rc);
        }
        wait_is_over(executor);
    }
    soon__future_unref(soon__call_future(call)); /* I3 */
}

/* False: the executor is closed. */
static bool enter(soon_executor *executor, soon_call *call)
{
    bool open;

    pthread_mutex_lock(&executor->mutex);
    open = !soon__executor_is_closing(executor);
    if (open) {
        soon__executor_pin(executor);
        link_locked(executor, call);
        soon__call_move(call, SOON__CALL_WAITING); /* any thread that may win it knows of it only after this */
    }
    pthread_mutex_unlock(&executor->mutex);
    return open;
}

static void start(soon_call *call, soon_future *first)
{
    struct soon__callback *callback = &soon__call_extra(call)->on_first;
    int rc;

    soon__future_ref(soon__call_future(call)); /* I3 */
    rc = soon__future_add_callback(first, callback);
    if (rc == 0) {
        first_done(first, call);
    } else if (rc > 0 && was_given_up(call)) { /* by a shutdown that came before there was one to take back */
        take_back_continuation(call, first);
    } else if (rc < 0) {
        if (soon__call_win(call, SOON__CALL_GIVEN_UP)) {
            unlink_call(call);
            soon__executor_refuse(call->executor, call, rc);
            wait_is_over(call->executor);
        }
        soon__future_unref(soon__call_future(call));
    }
}

int soon__then_begin(soon_call *call, soon_future *first)
{
    struct soon__call_extra *extra = soon__call_extra(call);

    call->flags |= SOON__CALL_EXEMPT;
    soon__call_future(call)->class = &then_class;
    extra->first = soon__future_ref(first);
    /* An executor of the user's own has user code in its submit: that is no internal continuation then. */
    extra->on_first = (struct soon__callback){.kind = call->executor->klass.of_library ? SOON__CALLBACK_INTERNAL
                                                                                       : SOON__CALLBACK_USER,
                                              .fn = first_done,
                                              .data = call};
    if (enter(call->executor, call)) {
        start(call, first);
        return 0;
    }
    extra->on_first = (struct soon__callback){0};
    extra->first = NULL;
    soon__future_unref(first);
    return SOON_ESHUTDOWN;
}

soon_future *soon_then(soon_future *first, soon_executor *executor, const soon_function *function)
{
    struct soon__call_params params = {.executor = executor, .function = function, .first = first, .takes_first = true};
    struct soon__submit_note note;
    soon_future *future;
    soon_call *call;
    int rc = soon__executor_check(executor);

    if (rc == 0)
        rc = first ? soon__executor_check_function(executor, function) : soon__is_null("the first future");
    if (rc == 0)
        rc = soon__call_new(&call, &params);
    if (rc < 0)
        return soon__future_new_failed(rc, "soon_then", NULL, NULL, NULL);
    future = soon__call_future(call);
    soon__sample_submits(soon__call_sample(call), &note);
    rc = soon__then_begin(call, first);
    if (rc < 0)
        soon__executor_refuse(executor, call, rc);
    else
        soon__sample_has_submitted(&note);
    return future;
}
