/*
 * submit.c - from a submit to a call in the hands of an executor, or to a future that says why not.
 *
 * A submitted argument is checked here and copied into a call (call_new.c). The call is handed to the class of the
 * executor: a thread pool queues it, and a worker takes it from there (threads/worker.c) and runs it (run.c).
 */
#include "../submit.h"

#include "../../futures/failed_internal.h"
#include "../../futures/wait.h"
#include "function_internal.h"
#include "progress_internal.h"
#include "run_internal.h"
#include "submit_internal.h"
#include "then_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int check_payloads(const soon_submit_options *o)
{
    if (!o->payload_count)
        return 0;
    if (!o->payloads || !soon__array_fits(o->payload_count, sizeof *o->payloads))
        return soon__refuse(-EINVAL, ".payload_count is %zu, and .payloads is %s", o->payload_count,
                            o->payloads ? "no array of so many" : "NULL");
    for (size_t i = 0; i < o->payload_count; i++) {
        if (!o->payloads[i])
            return soon__refuse(-EINVAL, ".payloads[%zu] is NULL", i);
    }
    return 0;
}

static int check_after(const soon_submit_options *o)
{
    if (!o->after_count)
        return 0;
    if (!o->after || !soon__array_fits(o->after_count, sizeof *o->after))
        return soon__refuse(-EINVAL, ".after_count is %zu, and .after is %s", o->after_count,
                            o->after ? "no array of so many" : "NULL");
    for (size_t i = 0; i < o->after_count; i++) {
        if (!o->after[i])
            return soon__refuse(-EINVAL, ".after[%zu] is NULL", i);
    }
    return 0;
}

int soon__submit_options_check(const soon_submit_options *o)
{
    const struct soon__range ranges[] = {
        {"retries", o ? o->retries : 0, 0, INT_MAX},
        {"time_limit_ms", o ? o->time_limit_ms : 0, 0, INT64_MAX},
        {"queue_limit_ms", o ? o->queue_limit_ms : 0, 0, INT64_MAX},
        {"when_full", o ? (int)o->when_full : 0, 0, SOON_FULL_RUN_HERE},
        {"progress_every_ms", o ? o->progress_every_ms : 0, 0, INT64_MAX},
    };

    if (o && !o->on_done && ((o->on_done_loop && !o->on_progress) || o->on_done_release))
        return soon__refuse(-EINVAL, ".on_done_%s is set, and .on_done is NULL", o->on_done_loop ? "loop" : "release");
    if (o && !o->on_progress && (o->progress_every_ms || o->on_progress_release))
        return soon__refuse(-EINVAL, ".%s is set, and .on_progress is NULL",
                            o->progress_every_ms ? "progress_every_ms" : "on_progress_release");
    if (o && (o->extra.size > PTRDIFF_MAX || (!o->extra.data && o->extra.size)))
        return soon__refuse(-EINVAL, ".extra has %zu bytes, and they are not there", o->extra.size);
    if (o && (check_payloads(o) < 0 || check_after(o) < 0))
        return -EINVAL;
    return soon__check_ranges(ranges, sizeof ranges / sizeof *ranges);
}

struct request {
    struct soon__call_params params;
    soon_submit_options options; /* a copy, where params.options says so */
    bool try;
};

/* Options that the caller did not give are zero. */
static const soon_submit_options *options_of(const struct request *request)
{
    static const soon_submit_options defaults;

    return request->params.options ? request->params.options : &defaults;
}

static int check_arg(const struct request *request)
{
    const struct soon__call_params *p = &request->params;

    int rc = soon__executor_check_function(p->executor, p->function);

    if (rc < 0)
        return rc;
    if (!p->data && p->size)
        return soon__refuse(-EINVAL, "the argument is NULL, its size %zu", p->size);
    if (p->data && p->function->arg_size && p->size != p->function->arg_size)
        return soon__refuse(-EINVAL, "the argument of %s is %s%s%zu bytes; %zu were given", p->function->name,
                            p->function->arg_type ? p->function->arg_type : "",
                            p->function->arg_type && *p->function->arg_type ? ", " : "", p->function->arg_size,
                            p->size);
    return p->size > PTRDIFF_MAX ? soon__refuse(-EINVAL, "size = %zu: no memory is so large", p->size) : 0;
}

/* Makes one future of those that it is to run after. request_fini() gives it up. */
static int gather_first(struct request *request)
{
    const soon_submit_options *o = options_of(request);
    soon_future *first = o->after_count ? soon_gather(o->after, o->after_count) : NULL;

    if (first && soon__future_is_immortal(first))
        return -ENOMEM;
    request->params.first = first;
    return 0;
}

static void request_fini(struct request *request)
{
    if (request->params.first)
        soon_future_unref(request->params.first);
}

static int read_request(struct request *request, const soon_submit_options *options, size_t options_size)
{
    int rc = 0;

    if (options) {
        rc = soon__options_read(&request->options, sizeof request->options, options, options_size);
        request->params.options = &request->options;
    }
    if (rc == 0)
        rc = soon__executor_check(request->params.executor);
    if (rc == 0)
        rc = check_arg(request);
    if (rc == 0)
        rc = soon__submit_options_check(request->params.options);
    if (rc == 0 && options)
        soon__payloads_order(&request->options);
    return rc < 0 ? rc : gather_first(request);
}

/* The queue is full. The executor is pinned, since no worker has this call, and so its end would not wait for it. */
static int run_here(soon_executor *executor, soon_call *call)
{
    const struct soon__run_hooks hooks = {.counted = executor->klass.counted_here, .data = executor->self};
    struct soon__pinned visit;

    if (!soon__executor_try_pin(executor))
        return SOON_ESHUTDOWN;
    soon__executor_enter(executor, &visit);
    soon__call_run(call, NULL, hooks.counted ? &hooks : NULL);
    soon__executor_leave(executor, &visit);
    return 0;
}

static int set_on_progress(soon_call *call, const soon_submit_options *o)
{
    const struct soon__progress_request request = {o->on_done_loop, o->progress_every_ms, o->on_progress,
                                                   o->on_progress_data, o->on_progress_release};

    return soon__progress_listen(soon__call_future(call), &request);
}

static int call_new(soon_call **ret, const struct soon__call_params *params)
{
    int rc = soon__call_new(ret, params);

    if (rc < 0 || !params->options || !params->options->on_progress)
        return rc;
    rc = set_on_progress(*ret, params->options);
    if (rc < 0)
        soon__call_discard(*ret);
    return rc;
}

static int hand_over(struct request *request, soon_call *call, bool may_block)
{
    struct soon__sample *sample = soon__call_sample(call);

    if (sample)
        soon__sample_queued(sample, false);
    return soon__executor_take(request->params.executor, call, may_block);
}

static int submit_call(struct request *request, soon_call *call)
{
    soon_executor *executor = request->params.executor;
    soon_full asked = options_of(request)->when_full, policy = asked ? asked : executor->when_full;
    int rc = soon__executor_refusal(executor);

    if (rc < 0)
        return rc;
    if (request->params.first)
        return soon__then_begin(call, request->params.first);
    rc = hand_over(request, call, !request->try && policy == SOON_FULL_BLOCK);
    if (rc != SOON_EFULL || policy != SOON_FULL_RUN_HERE || request->try)
        return rc;
    return run_here(executor, call);
}

/* A trace shows how long it has taken; what that needs of the call is taken before, since the call may be gone then. */
static int submit(struct request *request, soon_call *call)
{
    struct soon__submit_note note;
    int rc;

    soon__sample_submits(soon__call_sample(call), &note);
    rc = submit_call(request, call);
    if (rc == 0)
        soon__sample_has_submitted(&note);
    return rc;
}

/* A submit always takes what it was given. This releases it where there is no call that would. */
static void release_given(const struct request *request)
{
    const struct soon__call_params *p = &request->params;

    if (soon__function_is_valid(p->function) && p->function->free_arg && p->data && p->size == p->function->arg_size)
        p->function->free_arg((void *)p->data);
    soon__payloads_release(options_of(request));
}

/* Returns a failed future, where no call could be made that would have had it. */
static soon_future *refuse(const struct request *request, int code)
{
    const soon_submit_options *o = options_of(request);
    const soon_function *function = request->params.function;
    soon_future *future =
        soon__future_new_failed(code, "soon_submit", function ? function->name : NULL, o->label, o->data);
    int told = 0;

    release_given(request);
    /* Without memory, or on a detached loop, the callback cannot come: a caller that must know uses try_submit. */
    if (o->on_done && !soon__future_is_immortal(future))
        told = soon_future_add_done_callback_owned(future, o->on_done_loop, o->on_done, o->on_done_data,
                                                   o->on_done_release);
    else if (o->on_done_release)
        o->on_done_release(o->on_done_data);
    if (o->on_progress_release)
        o->on_progress_release(o->on_progress_data);
    (void)told;
    return future;
}

static soon_future *submit_always(struct request *request)
{
    soon_future *future;
    soon_call *call;
    int rc = call_new(&call, &request->params);

    if (rc < 0)
        return refuse(request, rc);
    future = soon__call_future(call);
    rc = submit(request, call);
    if (rc < 0)
        soon__executor_refuse(request->params.executor, call, rc);
    else if (options_of(request)->on_progress)
        soon__progress_start(future);
    return future;
}

/* Do the options ask for nothing but a callback? */
static bool only_tells(const soon_submit_options *o, size_t options_size)
{
    return options_size == sizeof *o && o->on_done && !o->label && !o->data && !o->priority && !o->retries &&
           !o->time_limit_ms && !o->queue_limit_ms && !o->when_full && !o->payload && !o->extra.size &&
           !o->payload_count && !o->after_count && !o->on_progress;
}

static __attribute__((noinline)) void sample(soon_call *call)
{
    soon__call_begin_sample(call, soon__sample_choose());
}

/* The short path of most submits: no options, or a callback alone; a small argument; and nothing in the way. Returns
 * NULL, with nothing done, for any other submit. */
static inline soon_future *submit_plain(soon_executor *executor, const soon_function *function, const void *data,
                                        size_t size, const soon_submit_options *told)
{
    soon_future *future;
    soon_call *call;
    int rc;

    if (soon__executor_check(executor) < 0 || !soon__executor_takes_plain(executor) ||
        !soon__function_is_valid(function) || !data || (function->arg_size && size != function->arg_size))
        return NULL;
    call = told ? soon__call_new_told(executor, function, data, size, told)
                : soon__call_new_plain(executor, function, data, size);
    if (!call)
        return NULL;
    if (soon__sample_is_due())
        sample(call);
    future = soon__call_future(call);
    rc = soon__executor_take(executor, call, true);
    if (rc < 0)
        soon__executor_refuse(executor, call, rc);
    return future;
}

static __attribute__((noinline)) soon_future *submit_any(soon_executor *executor, const soon_function *function,
                                                         const void *data, size_t size,
                                                         const soon_submit_options *options, size_t options_size)
{
    struct request request;
    soon_future *future;
    int rc;

    /* The options stay as they are: most submits have none. */
    request.params = (struct soon__call_params){.executor = executor, .function = function, .data = data, .size = size};
    request.try = false;
    rc = read_request(&request, options, options_size);
    future = rc < 0 ? refuse(&request, rc) : submit_always(&request);
    request_fini(&request);
    return future;
}

static __attribute__((noinline)) soon_future *submit_with(soon_executor *executor, const soon_function *function,
                                                          const void *data, size_t size,
                                                          const soon_submit_options *options, size_t options_size)
{
    soon_future *future =
        only_tells(options, options_size) ? submit_plain(executor, function, data, size, options) : NULL;

    return future ? future : submit_any(executor, function, data, size, options, options_size);
}

__attribute__((flatten)) soon_future *soon_submit_bytes_sized(soon_executor *executor, const soon_function *function,
                                                              const void *data, size_t size,
                                                              const soon_submit_options *options, size_t options_size)
{
    soon_future *future;

    if (options)
        return submit_with(executor, function, data, size, options, options_size);
    future = submit_plain(executor, function, data, size, NULL);
    return future ? future : submit_any(executor, function, data, size, NULL, 0);
}

/* If it is refused, nothing was taken. */
static int submit_or_refuse(soon_future **ret, struct request *request)
{
    soon_future *future;
    soon_call *call;
    int rc = call_new(&call, &request->params);

    if (rc < 0)
        return rc;
    future = soon__call_future(call);
    rc = submit(request, call);
    if (rc < 0) {
        if (soon__call_sample(call))
            soon__sample_dropped(soon__call_sample(call));
        soon__call_discard(call);
        return rc;
    }
    if (options_of(request)->on_progress)
        soon__progress_start(future);
    *ret = future;
    return 0;
}

int soon_try_submit_bytes_sized(soon_future **ret, soon_executor *executor, const soon_function *function,
                                const void *data, size_t size, const soon_submit_options *options, size_t options_size)
{
    struct request request;
    int rc;

    request.params = (struct soon__call_params){.executor = executor, .function = function, .data = data, .size = size};
    request.try = true;
    rc = ret ? read_request(&request, options, options_size) : soon__is_null("ret");
    if (rc == 0)
        rc = submit_or_refuse(ret, &request);
    if (ret)
        request_fini(&request);
    return soon__failed(rc, "soon_try_submit");
}

int soon__submit_or_refuse(soon_future **ret, const struct soon__call_params *params, bool try)
{
    struct request request;

    request.params = *params;
    request.try = try;
    return submit_or_refuse(ret, &request);
}

soon_future *soon__submit_items(soon_executor *executor, const soon_function *function, struct soon__items *items,
                                const soon_submit_options *each)
{
    struct request request;

    request.params =
        (struct soon__call_params){.executor = executor, .function = function, .options = each, .items = items};
    request.try = false;
    return submit_always(&request);
}
