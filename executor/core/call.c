/*
 * call.c - the block of a submission: its making, its future's class, its end.
 *
 *     [ soon_call | argument, if small, or where it is | result, if small and of fixed size ]   and a struct
 *     soon__call_extra beside it, if an option is set
 *
 * I1  One holder at a time ends a call, once: soon__call_end(). It releases what was given with it (argument,
 *     payload, the future of a then) when the task has ended or will never start, not when the last reader lets go
 *     of the future.
 * I2  The executor outlives its unfinished calls; a canceller pins it under the future's LOCK before it goes there.
 */
#include "call_internal.h"

#include "../../futures/block_internal.h"
#include "../../futures/callback_internal.h"
#include "../../futures/complete_internal.h"
#include "../../futures/read_internal.h"
#include "../../futures/value_internal.h"
#include "executor_internal.h"
#include "function_internal.h"
#include "notice_internal.h"
#include "progress_internal.h"
#include "spin_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(offsetof(soon_call, place) == offsetof(soon_future, for_owner) &&
                   offsetof(soon_call, before_outcome) == offsetof(soon_future, waiters),
               "the call's in the future: always");
_Static_assert(offsetof(soon_call, previous) == offsetof(soon_future, result) &&
                   offsetof(soon_call, number) == offsetof(soon_future, number),
               "the call's in the future: until it is claimed");
_Static_assert(SOON__CALL_ARG_AT <= 96, "with 32 bytes of argument and 8 of result it takes 128");
_Static_assert(SOON__CALL_ARG_AT + 2 * SOON__CALL_SMALL_MAX + sizeof(struct soon__job) + sizeof(soon_call *) +
                       sizeof(struct soon__delivery) + 2 * SOON__CALL_ALIGNMENT <
                   SOON__BLOCK_STEPS * SOON__CALL_ALIGNMENT,
               "block");

static soon_call *of_future(const soon_future *future)
{
    return (soon_call *)future;
}

/* On its way to the callback thread, which ends it. */
struct end_job {
    struct soon__job job; /* first */
    soon_call *call;
};

enum {
    JOB_SIZE = (sizeof(struct end_job) + SOON__CALL_ALIGNMENT - 1) & ~(SOON__CALL_ALIGNMENT - 1),
    ON_DONE_SIZE = (sizeof(struct soon__delivery) + SOON__CALL_ALIGNMENT - 1) & ~(SOON__CALL_ALIGNMENT - 1),
};

/* `result`: that has its place in the block. */
static inline size_t block_size(size_t arg, size_t result, bool has_job, bool has_on_done)
{
    size_t size = SOON__CALL_ARG_AT + soon__call_round_up(arg);

    if (result > sizeof(uint64_t))
        size += soon__call_round_up(result);
    return size + (has_job ? JOB_SIZE : 0) + (has_on_done ? ON_DONE_SIZE : 0);
}

static size_t size_of(const soon_call *call)
{
    return (call->promise.future.block & SOON__BLOCK_STEPS) * (size_t)SOON__CALL_ALIGNMENT;
}

static struct soon__delivery *on_done_of(soon_call *call)
{
    return (struct soon__delivery *)((char *)call + size_of(call) - ON_DONE_SIZE);
}

static struct end_job *job_of(soon_call *call)
{
    return (struct end_job *)((char *)call + size_of(call) - (call->flags & SOON__CALL_TELLS ? ON_DONE_SIZE : 0) -
                              JOB_SIZE);
}

static void destroy(soon_future *future)
{
    soon_call *call = of_future(future);

    if (call->function->free_result && !soon__future_error(future) && future->result &&
        !(soon__future_word(future) & SOON__TAKEN))
        call->function->free_result((void *)future->result);
    soon__future_fini(future);
    soon__block_free(call, size_of(call));
}

static void *pin(soon_future *future)
{
    soon__executor_pin(of_future(future)->executor);
    return of_future(future)->executor;
}

static void unpin(void *owner)
{
    soon__executor_unpin(owner);
}

static bool take_back(soon_future *future, void *owner)
{
    soon_executor *executor = owner;

    if (soon__call_is_then(of_future(future)) && soon__then_take_back(of_future(future)))
        return true;
    return executor->klass.take_back && executor->klass.take_back(executor->self, of_future(future));
}

static bool take_back_again(soon_future *future, void *owner)
{
    soon_executor *executor = owner;

    return executor->extra && executor->extra->tries_again &&
           executor->klass.take_back(executor->self, of_future(future));
}

/* A then that was waiting: what it waited for, if that is pending. */
static soon_future *also_cancel(soon_future *future)
{
    soon_call *call = of_future(future);

    if (!soon__then_was_given_up(call) || soon_future_state(soon__call_extra(call)->first) != SOON_PENDING)
        return NULL;
    return soon__future_ref(soon__call_extra(call)->first);
}

static void taken_back(soon_future *future)
{
    soon_call *call = of_future(future);

    if (soon__then_was_given_up(call))
        soon__then_turn_is_over(call->executor);
    soon__call_end(call);
}

static int kill_call(soon_future *future, void *owner)
{
    soon_executor *executor = owner;

    if (!executor->klass.kill)
        return -ENOTSUP;
    if (soon_future_state(future) == SOON_PENDING && soon_future_cancel(future))
        return 0; /* it needs no kill */
    return executor->klass.kill(executor->self, of_future(future));
}

static int help(soon_future *future)
{
    soon_call *call = of_future(future);

    /* A thread that runs a task of this executor proves that it lives. */
    return soon__thread_in_executor(call->executor) && call->executor->klass.help &&
           call->executor->klass.help(call->executor->self, call);
}

static void cancelled(soon_future *future, void *owner, bool taken)
{
    soon_executor *executor = owner;

    if (!taken && executor->extra && executor->extra->ask_to_cancel)
        executor->extra->ask_to_cancel(executor->self, of_future(future));
    if (!taken)
        soon__notices_tell(future);
}

static bool has_begun(const soon_future *future)
{
    return soon__call_place(of_future(future)) == SOON__CALL_BEGUN;
}

static void look(soon_future *future, void *owner)
{
    soon_executor *executor = owner;

    if (executor->extra && executor->extra->look)
        executor->extra->look(executor->self, of_future(future));
}

/* May be called at any time: the executor may be gone, unless the future is unfinished and pinned. */
static void linger(soon_future *future, int64_t deadline)
{
    soon_call *call = of_future(future);

    if (call->flags & SOON__CALL_SPINS && deadline != SOON__POLL)
        soon__spin_for(future, deadline);
    if (!(call->flags & SOON__CALL_LINGERS) || deadline == SOON__POLL || !soon__future_lock_unfinished(future))
        return;
    call->executor->extra->linger(call->executor->self, call, deadline);
}

static soon_future *source(const soon_future *future)
{
    const soon_call *call = of_future(future);

    return soon__call_place(call) == SOON__CALL_WAITING ? soon__call_extra(call)->first : NULL;
}

/* A then on an executor of the user's own: see soon_then(). */
static bool needs_callback(const soon_future *future)
{
    return !of_future(future)->executor->extra;
}

/* On threads that is only one whose queue limit strikes. */
static bool ends_on_loop(const soon_future *future)
{
    const soon_call *call = of_future(future);
    const struct soon__executor_extra *of_pool = call->executor->extra;
    const struct soon__call_extra *extra = soon__call_extra(call);
    bool pending = (soon__future_word(future) & SOON__STATE) == SOON__PENDING;

    return of_pool && (of_pool->ends_on_loop || (pending && extra && extra->queue_deadline != SOON__NEVER));
}

static const char *label(const soon_future *future)
{
    const struct soon__call_extra *extra = soon__call_extra(of_future(future));

    return extra && extra->options.label ? extra->options.label : "";
}

static void *data(const soon_future *future)
{
    const struct soon__call_extra *extra = soon__call_extra(of_future(future));

    return extra ? extra->options.data : NULL;
}

static const void *function(const soon_future *future)
{
    return of_future(future)->function;
}

static bool fits(const soon_future *future, const char *kind)
{
    return soon__function_fits(of_future(future)->function, kind);
}

static struct soon__described describe(const soon_future *future)
{
    return soon__function_describe(of_future(future)->function);
}

static const struct soon__class call_class = {
    .destroy = destroy,
    .pin = pin,
    .unpin = unpin,
    .take_back = take_back,
    .take_back_again = take_back_again,
    .also_cancel = also_cancel,
    .cancelled = cancelled,
    .taken_back = taken_back,
    .has_begun = has_begun,
    .refresh = look,
    .spin = linger,
    .kill = kill_call,
    .help = help,
    .source = source,
    .needs_callback = needs_callback,
    .ends_on_loop = ends_on_loop,
    .label = label,
    .data = data,
    .function = function,
    .fits = fits,
    .describe = describe,
};

soon_call *soon__call_of(const soon_future *future)
{
    return future->class == &call_class ? of_future(future) : NULL;
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

/*
 * Making
 */

/* For another process, and too large to be copied each time that it is sent. */
static bool is_large(const struct soon__call_params *params)
{
    const struct soon__executor_extra *executor = params->executor->extra;
    size_t size = params->data ? params->size : params->function->arg_size;

    return executor && executor->mappable_above && !params->deferred && !params->items &&
           size > executor->mappable_above;
}

static bool needs_extra(const struct soon__call_params *params)
{
    const soon_submit_options *o = params->options;

    return params->first || params->items || is_large(params) ||
           (o && (o->label || o->data || o->priority || o->retries || o->time_limit_ms || o->queue_limit_ms ||
                  o->when_full || o->payload || o->extra.size || o->on_progress));
}

/* A chunk of one item has that one's. */
static const char *label_of(const struct soon__call_params *params)
{
    const struct soon__items *items = params->items;
    const char *own = items && items->count == 1 ? soon__items_label(items, 0) : NULL;

    return own || !params->options ? own : params->options->label;
}

static int extra_new(soon_call *call, const struct soon__call_params *params)
{
    static const soon_submit_options defaults;
    const soon_submit_options *options = params->options ? params->options : &defaults;
    const char *label = label_of(params);
    size_t label_size = label ? strlen(label) + 1 : 0, bytes = options->extra.size;
    size_t payloads = options->payload_count * sizeof *options->payloads;
    size_t payloads_at = soon__call_round_up(bytes), label_at = payloads_at + payloads;
    struct soon__call_extra *extra = malloc(sizeof *extra + label_at + label_size);

    if (!extra)
        return -ENOMEM;
    *extra = (struct soon__call_extra){.options = *options, .items = params->items};
    extra->options.after = NULL; /* what it holds of them is `first` */
    extra->options.after_count = 0;
    if (bytes)
        extra->options.extra.data = memcpy(extra->text, options->extra.data, bytes);
    if (payloads)
        extra->options.payloads = memcpy(extra->text + payloads_at, options->payloads, payloads);
    if (label)
        extra->options.label = memcpy(extra->text + label_at, label, label_size);
    extra->queue_deadline = options->queue_limit_ms ? soon__deadline(options->queue_limit_ms) : SOON__NEVER;
    call->promise.future.aside = &extra->aside;
    call->flags |= SOON__CALL_HAS_EXTRA;
    return 0;
}

/* Registered before anybody knows the future, so it cannot come too late. */
static int set_on_done(soon_call *call, const soon_submit_options *options)
{
    struct soon__delivery *on_done = on_done_of(call);
    int rc = 0;

    if (options->on_done_loop) {
        rc = soon__delivery_init(on_done, options->on_done_loop, options->on_done, options->on_done_data,
                                 options->on_done_release);
        on_done->embedded = true;
    } else {
        on_done->callback = (struct soon__callback){.kind = SOON__CALLBACK_USER,
                                                    .fn = options->on_done,
                                                    .data = options->on_done_data,
                                                    .let_go = options->on_done_release};
    }
    if (rc == 0)
        soon__future_begin_with(soon__call_future(call), &on_done->callback);
    return rc;
}

static int set_on_progress(soon_call *call, const soon_submit_options *o)
{
    const struct soon__progress_request request = {o->on_done_loop, o->progress_every_ms, o->on_progress,
                                                   o->on_progress_data, o->on_progress_release};

    return soon__progress_listen(soon__call_future(call), &request);
}

static int set_large_arg(soon_call *call, const struct soon__call_params *params, size_t size)
{
    soon_buffer *buffer;
    int rc = soon__buffer_new_frozen(&buffer, params->data, size);

    if (rc < 0)
        return rc;
    soon__buffer_spare_descriptor(buffer);
    soon__call_extra(call)->arg_buffer = buffer;
    *soon__call_far_arg(call) = (soon_bytes){soon_buffer_data(buffer), size};
    return 0;
}

static void copy_arg(void *copy, const struct soon__call_params *params, size_t size)
{
    if (params->data)
        memcpy(copy, params->data, size);
    else
        memset(copy, 0, size);
}

/* Of a chunk; of a then, which has no argument yet, nothing. */
static soon_bytes first_arg(const struct soon__items *items, size_t size)
{
    if (items && items->each)
        return (soon_bytes){items->each->data, items->each->size};
    return (soon_bytes){items ? items->args : NULL, size};
}

/* One that is not in the block. */
static int set_far_arg(soon_call *call, const struct soon__call_params *params, size_t size)
{
    void *copy;

    if (call->flags & SOON__CALL_ARG_LENT) {
        *soon__call_far_arg(call) = first_arg(params->items, size);
        return 0;
    }
    if (is_large(params))
        return set_large_arg(call, params, size);
    copy = malloc(size);
    if (!copy)
        return -ENOMEM;
    call->flags |= SOON__CALL_ARG_ON_HEAP;
    copy_arg(copy, params, size);
    *soon__call_far_arg(call) = (soon_bytes){copy, size};
    return 0;
}

/* `block`: its size. */
static inline void init(soon_call *call, soon_executor *executor, const soon_function *function, size_t block,
                        size_t arg, unsigned flags)
{
    soon__future_init(soon__call_future(call), &call_class, 1, 1);
    call->function = function;
    call->executor = executor;
    call->flags = (uint8_t)(executor->call_flags | flags);
    call->arg_size = (uint8_t)arg;
    soon__call_future(call)->block =
        (uint8_t)(block / SOON__CALL_ALIGNMENT | (function->free_result ? 0 : SOON__BLOCK_ALONE));
}

/* Whether ending it may run user code: release functions. */
static inline bool releases(const soon_function *function, const soon_submit_options *options, bool waits)
{
    return function->free_arg || waits || (options && options->payload);
}

static inline bool releases_nothing(const soon_function *function)
{
    return !function->free_arg && !function->free_result;
}

/* With its future and where things go, no more. NULL: no memory. */
static soon_call *block_new(const struct soon__call_params *params, size_t size)
{
    bool lent = params->deferred || params->items, far = lent || size > SOON__CALL_SMALL_MAX || is_large(params);
    size_t result = params->function->result_size;
    bool has_space = result && result <= SOON__CALL_SMALL_MAX && !params->items;
    bool has_on_done = params->options && params->options->on_done;
    bool is_plain = !far && has_space == (result != 0) && releases_nothing(params->function) && !needs_extra(params);
    size_t block = block_size(far ? sizeof(soon_bytes) : size, has_space ? result : 0,
                              releases(params->function, params->options, params->first), has_on_done);
    soon_call *call = soon__block_new(block);

    if (!call)
        return NULL;
    init(call, params->executor, params->function, block, far ? SOON__CALL_FAR : size,
         (is_plain ? SOON__CALL_PLAIN : 0) | (lent ? SOON__CALL_ARG_LENT : 0) | (has_on_done ? SOON__CALL_TELLS : 0));
    return call;
}

/* Frees all, releases nothing of what was given, and counts nothing out. */
static void drop(soon_call *call)
{
    if (call->flags & SOON__CALL_ARG_ON_HEAP)
        free((void *)soon__call_far_arg(call)->data);
    if (call->flags & SOON__CALL_HAS_EXTRA)
        soon_buffer_unref(soon__call_extra(call)->arg_buffer);
    soon__future_fini(soon__call_future(call));
    soon__block_free(call, size_of(call));
}

static inline soon_call *new_plain(soon_executor *executor, const soon_function *function, const void *arg, size_t size,
                                   const soon_submit_options *told)
{
    size_t result = function->result_size, block = block_size(size, result, function->free_arg, told);
    soon_call *call;

    if (size > SOON__CALL_SMALL_MAX || result > SOON__CALL_SMALL_MAX)
        return NULL;
    call = soon__block_pop(block);
    if (!call)
        return NULL;
    init(call, executor, function, block, size,
         (releases_nothing(function) ? SOON__CALL_PLAIN : 0) | (told ? SOON__CALL_TELLS : 0));
    soon__copy((char *)call + SOON__CALL_ARG_AT, arg, size);
    if (told && set_on_done(call, told) < 0) {
        drop(call);
        return NULL;
    }
    return call;
}

soon_call *soon__call_new_plain(soon_executor *executor, const soon_function *function, const void *arg, size_t size)
{
    return new_plain(executor, function, arg, size, NULL);
}

soon_call *soon__call_new_told(soon_executor *executor, const soon_function *function, const void *arg, size_t size,
                               const soon_submit_options *told)
{
    return new_plain(executor, function, arg, size, told);
}

int soon__call_new(soon_call **ret, const struct soon__call_params *params)
{
    size_t size = params->data ? params->size : params->function->arg_size;
    soon_call *call = block_new(params, size);
    int rc = 0;

    if (!call)
        return -ENOMEM;
    if (needs_extra(params))
        rc = extra_new(call, params);
    if (rc == 0 && soon__call_is_far(call))
        rc = set_far_arg(call, params, size);
    else if (rc == 0)
        copy_arg((char *)call + SOON__CALL_ARG_AT, params, size);
    if (rc < 0)
        goto fail;
    if (call->flags & SOON__CALL_TELLS)
        rc = set_on_done(call, params->options);
    if (rc < 0)
        goto fail;
    if (params->options && params->options->on_progress)
        rc = set_on_progress(call, params->options);
    if (rc < 0)
        soon__call_discard(call);
    else
        *ret = call;
    return rc;

fail:
    drop(call);
    return rc;
}

void soon__call_discard(soon_call *call)
{
    if (call->flags & SOON__CALL_TELLS && on_done_of(call)->callback.kind == SOON__CALLBACK_POSTED)
        soon__delivery_drop(on_done_of(call));
    drop(call);
}

/*
 * The end
 */

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
    end(((struct end_job *)job)->call);
}

void soon__call_hold(soon_call *call)
{
    /* Relaxed: the caller is its holder, under a mutex. */
    atomic_fetch_add_explicit(&call->holds, 1, memory_order_relaxed);
}

void soon__call_end(soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);
    struct end_job *job;

    /* Acquire-release: the last one ends what the others have read. Nobody holds it anew now: the load may be plain. */
    if (atomic_load_explicit(&call->holds, memory_order_acquire) &&
        atomic_fetch_sub_explicit(&call->holds, 1, memory_order_acq_rel))
        return;
    if (releases(call->function, extra ? &extra->options : NULL, extra && extra->first) && soon__library_is_quiet()) {
        job = job_of(call);
        *job = (struct end_job){.job.run = run_end_job, .call = call};
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

struct soon__error *soon__call_own_error(const soon_call *call, struct soon__error *error)
{
    return began(call) ? soon__error_as_started(error) : error;
}

struct soon__error *soon__item_own_error(const struct soon__items *items, size_t index, struct soon__error *error)
{
    return index < items->begun ? soon__error_as_started(error) : error;
}

void soon__call_fail(soon_call *call, struct soon__error *error)
{
    soon__future_end(soon__call_future(call), SOON__FINISHED, soon__call_own_error(call, error));
    soon__call_end(call);
}

void soon__call_cancel(soon_call *call)
{
    soon__future_end(soon__call_future(call), SOON__CANCELLED,
                     began(call) ? &soon__error_cancelled_between : &soon__error_cancelled);
    soon__call_end(call);
}

struct soon__error *soon__call_error(const soon_call *call, int code, const char *text)
{
    soon_error fields = {.code = code, .function = call->function->name, .label = label(&call->promise.future)};

    return soon__error_newf(&fields, text ? "%s" : NULL, text);
}
