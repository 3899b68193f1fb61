/*
 * run.c - running calls on the calling thread: one task, or the items of a chunk one after the other.
 *
 * start --> body --> outcome --> counted --> future finished --> call ended. Nothing of the call is touched after that.
 */
#include "run_internal.h"

#include "../../futures/aside_internal.h"
#include "../../futures/complete_internal.h"
#include "host_internal.h"
#include "task_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Field by field: a struct of zeroes, to be filled then, takes twice the stores. */
static inline void make_task(soon_task *task, soon_call *call, soon_bytes arg, void *space, struct soon__local *local)
{
    task->function = call->function;
    task->executor = call->executor;
    atomic_init(&task->host, &soon__host_on_thread);
    task->future = soon__call_future(call);
    task->arg = arg.data;
    task->arg_size = arg.size;
    task->space = space;
    task->local = local;
    task->deadline = SOON__NEVER;
    task->outcome = (struct soon__outcome){0};
}

/* The time limit counts from here. */
static void start_clock(soon_task *task, const soon_call *call)
{
    const struct soon__call_extra *extra = soon__call_extra(call);

    if (extra && extra->options.time_limit_ms)
        task->deadline = soon__deadline(extra->options.time_limit_ms);
}

static void count(const struct soon__run_hooks *hooks, const struct soon__outcome *outcome)
{
    if (hooks)
        hooks->counted(hooks->data, outcome);
}

void soon__outcome_give_payload(struct soon__outcome *outcome, soon_future *future)
{
    int rc = soon__future_set_payloads(future, outcome->payload, outcome->further);

    outcome->payload = NULL;
    outcome->further = NULL;
    if (rc == -ENOMEM) {
        soon__outcome_drop(outcome);
        outcome->error = &soon__error_nomem;
    }
}

void soon__call_finish(soon_call *call, struct soon__outcome *outcome, const struct soon__run_hooks *hooks)
{
    soon_future *future = soon__call_future(call);

    if (outcome->payload)
        soon__outcome_give_payload(outcome, future);
    soon__call_tell_end(call, outcome->error, outcome->cancelled);
    count(hooks, outcome);
    /* A call of a pool's own is nobody else's to finish; others have a promise, which may be resolved by other
     * means. */
    if (!hooks && !soon__future_claim(future)) {
        soon__outcome_drop(outcome);
    } else {
        if (outcome->error) {
            soon__future_set_error(future, soon__call_own_error(call, outcome->error));
            soon__future_publish(future, outcome->cancelled ? SOON__CANCELLED : SOON__FINISHED);
        } else {
            soon__future_publish_bytes(future, outcome->result, outcome->result_size, soon__outcome_owned(outcome));
        }
    }
    soon__call_end(call);
}

bool soon__call_finish_bare(soon_call *call)
{
    soon_future *future = soon__call_future(call);

    if (!(call->flags & SOON__CALL_PLAIN))
        return false;
    future->result = soon__call_space(call);
    future->result_size = call->function->result_size;
    return soon__future_publish_bare(future, SOON__FINISHED);
}

void soon__call_finish_plain(soon_call *call)
{
    soon_future *future = soon__call_future(call);
    struct soon__outcome outcome = {.result = soon__call_space(call), .result_size = call->function->result_size};

    if (!(call->flags & SOON__CALL_PLAIN)) {
        soon__call_finish(call, &outcome, NULL);
        return;
    }
    future->result = outcome.result;
    future->result_size = outcome.result_size;
    soon__future_publish_and_unref(future, SOON__FINISHED);
}

static inline void tell_start(soon_call *call, const struct soon__run_hooks *hooks)
{
    struct soon__sample *sample = soon__call_sample(call);

    if (sample)
        soon__sample_started(sample, hooks ? hooks->worker : 0);
}

/* False, and the call has ended: it was cancelled, waited for too long, or was finished by somebody else. */
static inline bool start(soon_call *call, const struct soon__run_hooks *hooks)
{
    struct soon__outcome outcome;

    if (soon__call_extra(call) && soon__deadline_check(soon__call_extra(call)->queue_deadline) < 0) {
        outcome = (struct soon__outcome){.error = soon__call_error(call, SOON_EEXPIRED, NULL)};
        soon__call_finish(call, &outcome, hooks);
        return false;
    }
    /* Asked to end before it began, or its pool is. What the pool counts comes before anybody hears of it. Relaxed:
     * a flag. */
    if (hooks && (soon__future_word(soon__call_future(call)) & SOON__CANCEL_REQUESTED ||
                  soon__executor_is_terminating(call->executor))) {
        outcome = (struct soon__outcome){.error = &soon__error_cancelled, .cancelled = true};
        soon__call_finish(call, &outcome, hooks);
        return false;
    }
    if (hooks ? soon__future_start(soon__call_future(call)) : soon_promise_set_running(&call->promise) == 0) {
        tell_start(call, hooks);
        return true;
    }
    outcome = (struct soon__outcome){.error = &soon__error_cancelled, .cancelled = true};
    soon__call_tell_end(call, outcome.error, true);
    count(hooks, &outcome);
    soon__call_end(call);
    return false;
}

static __attribute__((noinline)) void run_one(soon_call *call, struct soon__local *local,
                                              const struct soon__run_hooks *hooks)
{
    soon_task task;
    bool on_heap;

    make_task(&task, call, soon__call_arg(call), soon__call_space(call), local);
    on_heap = call->function->result_size && !task.space;
    if (on_heap) {
        task.space = calloc(1, call->function->result_size);
        if (!task.space) {
            task.outcome.error = &soon__error_nomem;
            soon__call_finish(call, &task.outcome, hooks);
            return;
        }
    } else {
        soon__zero(task.space, call->function->result_size);
    }
    if (!start(call, hooks)) {
        if (on_heap)
            free(task.space);
        return;
    }
    start_clock(&task, call);
    soon__task_run(&task);
    if (on_heap && task.outcome.error)
        free(task.space);
    else if (on_heap)
        task.outcome.result_on_heap = true;
    soon__call_finish(call, &task.outcome, hooks);
}

/*
 * The same of a plain call of a pool's own. Only the thread that took it out of the pool may begin or end it, so that
 * takes no step of the future's: a store says that it has begun.
 */
void soon__call_run_plain(soon_call *call, struct soon__local *local, const struct soon__run_hooks *hooks)
{
    soon_future *future = soon__call_future(call);
    size_t size = call->function->result_size, arg_size = call->arg_size;
    soon_task task;
    int rc;

    /* Relaxed: flags. */
    if (soon__future_word(future) & SOON__CANCEL_REQUESTED || soon__executor_is_terminating(call->executor)) {
        task.outcome = (struct soon__outcome){.error = &soon__error_cancelled, .cancelled = true};
        soon__call_finish(call, &task.outcome, hooks);
        return;
    }
    make_task(&task, call, (soon_bytes){(char *)call + SOON__CALL_ARG_AT, arg_size},
              size ? (char *)call + soon__call_space_at(size, arg_size) : NULL, local);
    soon__zero(task.space, size);
    soon__call_move(call, SOON__CALL_BEGUN);
    rc = soon__task_run_body(&task, task.executor);
    if ((unsigned)rc | soon__outcome_is_apart(&task.outcome)) {
        soon__task_settle(&task, rc);
        soon__call_finish(call, &task.outcome, hooks);
        return;
    }
    hooks->counted(hooks->data, &task.outcome);
    future->result = task.space;
    future->result_size = size;
    soon__future_publish_and_unref(future, SOON__FINISHED);
}

/*
 * Items
 */

enum { ZEROED_MAX = 1024 }; /* bytes of results */

/* Zeroed space for the results of the item, and of those after it that may run without a pause: how many in all; 0:
 * no memory. */
static size_t make_spaces(soon_task *task, const struct soon__items *items, size_t index, bool plain)
{
    size_t size = task->function->result_size, count = 1;

    if (plain)
        count = size * (items->count - index) <= ZEROED_MAX ? items->count - index : ZEROED_MAX / size + 1;
    task->space = NULL;
    if (size && !items->results)
        task->space = calloc(1, size);
    else if (size)
        task->space = memset((char *)items->results + index * size, 0, count * size);
    return !size || task->space ? count : 0;
}

/* The next one begins when this one has ended. */
static __attribute__((noinline)) void tell_item(struct soon__items *items, size_t index, enum soon__ending how)
{
    struct soon__item_told told = {.index = index,
                                   .row = items->traced->traced.at,
                                   .began_ns = items->began_ns,
                                   .ended_ns = soon__clock_ns(),
                                   .how = how};

    soon__sample_item(items->traced, &told);
    items->began_ns = told.ended_ns;
}

/* Those before the item `next` are through. */
static bool went_well(soon_task *task, void *data, size_t next)
{
    struct soon__items *items = data;

    /* Release: the results; pairs with the acquire of a thread that reads them. */
    atomic_store_explicit(items->finished, next, memory_order_release);
    /* Relaxed, all: flags. */
    return !(atomic_load_explicit(items->stopped, memory_order_relaxed) |
             (atomic_load_explicit(&task->future->word, memory_order_relaxed) & SOON__CANCEL_REQUESTED)) &&
           !soon__executor_is_terminating(task->executor);
}

static bool went_well_in_trace(soon_task *task, void *data, size_t next)
{
    tell_item(data, next - 1, SOON__ENDED_WELL);
    return went_well(task, data, next);
}

/* As soon__task_run_items(). */
static __attribute__((noinline)) bool run_in_trace(soon_task *task, size_t *index, size_t end, bool plain,
                                                   struct soon__items *items)
{
    items->began_ns = soon__clock_ns();
    return soon__task_run_items(task, index, end, plain, went_well_in_trace, items);
}

/* Gives the outcome of an item to the owner. */
static void end_item(soon_task *task, struct soon__items *items, size_t index)
{
    bool own_space = task->space && !items->results;

    if (task->outcome.error && own_space)
        free(task->space);
    else if (task->outcome.error && task->space)
        memset(task->space, 0, task->function->result_size);
    else if (own_space)
        task->outcome.result_on_heap = true;
    if (items->traced)
        tell_item(items, index, soon__ending_of(task->outcome.error, task->outcome.cancelled));
    items->done(items, index, &task->outcome);
    task->outcome = (struct soon__outcome){0};
}

static void set_arg(soon_task *task, struct soon__items *items, size_t index)
{
    if (!items->each) {
        task->arg = (const char *)items->args + index * task->arg_size;
        return;
    }
    items->running = index;
    task->arg = items->each[index].data;
    task->arg_size = items->each[index].size;
}

/* Runs an item, and those after it as long as nothing comes between. Which is the next. */
static size_t run_some(soon_task *task, const soon_call *call, struct soon__items *items, size_t index)
{
    bool plain = items->finished && !soon__call_extra(call)->options.time_limit_ms;
    size_t count = make_spaces(task, items, index, plain);
    bool apart = true; /* else all went well */

    task->outcome.error = count ? NULL : &soon__error_nomem;
    set_arg(task, items, index);
    start_clock(task, call);
    if (count)
        apart = items->traced ? run_in_trace(task, &index, index + count, plain, items)
                              : soon__task_run_items(task, &index, index + count, plain, went_well, items);
    if (!apart)
        return index;
    end_item(task, items, index);
    return index + 1;
}

/* What the items' arguments point to is the owner's to release. */
static void run_items(soon_call *call, struct soon__local *local, const struct soon__run_hooks *hooks)
{
    struct soon__items *items = soon__call_extra(call)->items;
    struct soon__outcome outcome = {0};
    soon_task task;

    make_task(&task, call, (soon_bytes){NULL, call->function->arg_size}, NULL, local);
    if (!start(call, hooks))
        return;
    items->traced = soon__sample_is_traced(soon__call_sample(call)) ? soon__call_sample(call) : NULL;
    for (size_t i = 0; i < items->count && !outcome.cancelled;) {
        if (items->wanted && !items->wanted(items, i)) {
            i++;
        } else if (soon__host_on_thread.cancel_requested(&task)) {
            outcome.error = &soon__error_cancelled; /* of the rest, which has not begun */
            outcome.cancelled = true;
        } else {
            i = run_some(&task, call, items, i);
        }
    }
    soon__call_finish(call, &outcome, hooks);
}

void soon__call_run(soon_call *call, struct soon__local *local, const struct soon__run_hooks *hooks)
{
    if (hooks && call->flags & SOON__CALL_PLAIN)
        soon__call_run_plain(call, local, hooks);
    else if (soon__call_extra(call) && soon__call_extra(call)->items)
        run_items(call, local, hooks);
    else
        run_one(call, local, hooks);
}

/*
 * Initializers: nobody waits for one.
 */

struct soon__error *soon__initializer_run(soon_executor *executor, const struct soon__initializer *initializer,
                                          struct soon__local *local)
{
    size_t result_size = initializer->function->result_size;
    struct soon__initializing run = {.task = {.executor = executor,
                                              .function = initializer->function,
                                              .host = &soon__host_initializing,
                                              .arg = initializer->arg.data,
                                              .arg_size = initializer->arg.size,
                                              .local = local,
                                              .deadline = SOON__NEVER},
                                     .extra = initializer->extra};
    struct soon__outcome *outcome = &run.task.outcome;
    struct soon__error *error;

    if (result_size) {
        run.task.space = calloc(1, result_size);
        if (!run.task.space)
            return &soon__error_nomem;
    }
    soon__task_run(&run.task);
    error = soon__error_ref(outcome->error);
    outcome->result = outcome->result_on_heap ? outcome->result : NULL;
    soon__outcome_drop(outcome);
    free(run.task.space);
    return error;
}
